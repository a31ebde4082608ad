/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fax-compliance: does a board's driver keep the contract of linux/fax.h?
 *
 * A rule is a row of a table: a name, the sentence of the contract it stands
 * for, and a function. Each rule runs in a process of its own: whatever it
 * opens, maps or leaves running goes with the process, a rule that hangs is
 * killed and has failed, and after each the board must be idle and unclaimed.
 * So rules neither clean up nor pass errors on: fail() and skip() end the
 * process, and every helper here that cannot do its work fails the rule.
 */
#ifndef COMPLIANCE_H
#define COMPLIANCE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include <linux/fax.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* rule.needs: what must be there, else the rule is skipped */
#define NEEDS_SCAN	(1u << FAX_FUNC_SCAN)
#define NEEDS_PRINT	(1u << FAX_FUNC_PRINT)
#define NEEDS_CODEC	(1u << FAX_FUNC_CODEC)
#define NEEDS_FUNCS	(NEEDS_SCAN | NEEDS_PRINT | NEEDS_CODEC)
#define NEEDS_PAPER	(1u << 8)	/* paper moves: the simulator, or an operator */
#define NEEDS_KNOBS	(1u << 9)	/* the simulator's paper, cover, speed */
#define NEEDS_FAULTS	(1u << 10)	/* the simulator's fault knobs */
#define NEEDS_ROOT	(1u << 11)
#define EACH_FUNC	(1u << 16)	/* once for each function, in here.function */
#define EACH_ENGINE	(1u << 17)	/* once for scanner and printer each */

/**
 * struct rule - one rule of the contract
 * @name: short, for people who look for it
 * @clause: what the contract says
 * @test: returns if the rule is kept
 * @needs: NEEDS_*, EACH_*
 * @rows: how many variants, each a line of its own; 0 = one
 * @row_name: of a variant
 */
struct rule {
	const char *name;
	const char *clause;
	void (*test)(unsigned int row);
	uint32_t needs;
	unsigned int rows;
	const char *(*row_name)(unsigned int row);
};

#define RULE_ROWS(_name, _clause, _test, _needs, _rows, _row_name)		\
	{ .name = _name, .clause = _clause, .test = _test, .needs = _needs,	\
	  .rows = _rows, .row_name = _row_name }
#define RULE(_name, _clause, _test, _needs)	RULE_ROWS(_name, _clause, _test, _needs, 0, NULL)

struct rules {
	const char *name;
	const struct rule *rules;
	size_t count;
};

extern const struct rules rules_ioctl, rules_info, rules_format, rules_buffer, rules_submit,
	rules_code, rules_job, rules_pipe, rules_paper, rules_claim, rules_stream, rules_many,
	rules_fault;

/* What is being tested. Set before the first rule, apart from @function. */
struct node {
	char path[64];	/* empty: the board has no such function */
	struct fax_info info;
	struct fax_caps caps;
};

struct here {
	struct node nodes[4];	/* by FAX_FUNC_* */
	uint32_t function;	/* of the rule that runs */
	char knobs[160];	/* the simulator's directory in configfs, or empty */
	char faults[160];	/* its directory in debugfs, or empty */
	bool operator;		/* someone stands at the board */
};

extern struct here here;

/* report.c: verdicts; these end the process of the rule */
void fail(const char *why, ...) __attribute__((format(printf, 1, 2), noreturn));
void skip(const char *why, ...) __attribute__((format(printf, 1, 2), noreturn));
void note(const char *what, ...) __attribute__((format(printf, 1, 2)));
#define expect(cond, ...)	do { if (!(cond)) fail(__VA_ARGS__); } while (0)
/* @ret: of a system call (then errno counts) or 0 or -errno; @wanted: errno or 0 */
void expect_errno(int ret, int wanted, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

/* run.c */
struct count {
	unsigned int passed, failed, skipped;
};

void run_rules(const struct rules *rules, const char *only, struct count *count);
void list_rules(const struct rules *rules);

/* board.c: opens, calls */
int probe_node(const char *path, struct node *node);	/* 0 or -errno */
bool find_board(const char *serial);		/* fills in here.nodes; NULL: the first board */
const char *function_name(uint32_t function);
const struct node *node_of(uint32_t function);
int open_flags(uint32_t function);		/* the right way round */
int open_node(uint32_t function, int more_flags);
struct fax_fmt fmt_raw(uint32_t function, uint32_t width, uint32_t rows);
uint32_t page_width(void);			/* A4, or what the board has instead */
struct fax_status status_of(int dev);
void wait_idle(int dev);
double now(void);				/* s, monotonic */

struct buf {
	int fd;
	uint32_t handle;
	uint64_t size;
	uint8_t *mem;
};

int buf_alloc(int dev, uint64_t size, struct fax_buf_alloc *alloc);	/* as ioctl() */
struct buf buf_new(int dev, uint64_t size);	/* allocated, mapped for board and CPU */
struct buf buf_unseen(int dev, uint64_t size);	/* the same without the CPU */
void buf_view(struct buf *buf);
int pipe_new(int dev, uint32_t width, uint32_t rows, uint32_t bands);
struct fax_seg seg_in(const struct buf *buf, uint64_t offset, uint64_t length);
struct fax_seg seg_out(const struct buf *buf, uint64_t offset, uint64_t length);

/* 0 or -errno; @job may be NULL */
int submit(int dev, uint32_t op, uint32_t flags, const struct fax_fmt *fmt, int pipe,
	   const struct fax_seg *segs, uint32_t nsegs, uint32_t *job);
uint32_t must_submit(int dev, uint32_t op, uint32_t flags, const struct fax_fmt *fmt, int pipe,
		     const struct fax_seg *segs, uint32_t nsegs);
int reap(int dev, struct fax_completion *c, uint32_t timeout_ms);	/* 0: does not wait */
struct fax_completion must_reap(int dev);
int cancel(int dev, uint32_t job);
int claim(int dev, uint32_t flags, uint32_t timeout_ms);
bool wait_event(int dev, uint32_t type, struct fax_event *event, int timeout_ms);
/* a job that waits for the other side of its pipe, which never comes */
uint32_t submit_endless(int dev, uint32_t function);

/* foreign.c: a dma-buf of another exporter, mapped; skips where there is none */
int foreign_buf(size_t size, uint8_t **mem);

/* page.c: pages and the reference coder; malloc */
enum pattern { STROKES, WHITE, BLACK, CHECKER, PATTERNS };

uint8_t *page_make(uint32_t width, uint32_t rows, uint32_t stride, enum pattern pattern);
uint8_t *page_load(const char *path, uint32_t *width, uint32_t *rows);	/* PBM; NULL: none */
uint8_t *t4_code(const uint8_t *pixels, const struct fax_fmt *fmt, size_t *len);
extern const char *page_files[64];
extern unsigned int npage_files;

/* paper.c: originals and sheets, by the simulator's knobs or by the operator */
void knob(const char *name, const char *value);
long knob_value(const char *name);
void fault(const char *name, const char *value);
void paper_reset(void);
void feed(const uint8_t *pixels, uint32_t width, uint32_t rows);	/* puts an original in */
uint8_t *printed(uint32_t *width, uint32_t *rows);	/* the last sheet; simulator only */

#endif
