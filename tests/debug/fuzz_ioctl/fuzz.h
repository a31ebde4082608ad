/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fuzzer of the user interface that goes by the kernel's coverage.
 *
 *	program.c	programs: random ones, their mutations, their text
 *	calls.c		the table of calls, and how each is made
 *	run.c		runs a program: threads, signals, the board as it was
 *	coverage.c	what the kernel did: KCOV, and what it answered
 *	seeds.c		programs that work, to begin with
 *	main.c		the corpus, the log, the time
 *
 * A program is a list of calls. What calls make and others use (opens, buffers,
 * handles, jobs) is named by slots, so that it keeps its sense when calls are
 * added and taken away.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_ARGS	36
#define MAX_CALLS	24
#define THREADS		3
#define NONE		0xffu	/* of a slot: -1 */

/* what an argument is, for making one up */
enum kind {
	K_END, K_DEV, K_FD, K_BUF, K_JOB, K_NODE, K_OFLAGS, K_OP, K_SUBMIT, K_ENC, K_WIDTH,
	K_ROWS, K_STRIDE, K_RES, K_K, K_FMTFLAGS, K_SIZE, K_OFFSET, K_NSEGS, K_DIR, K_BANDS,
	K_BITS, K_COUNT, K_MS, K_POLL, K_PATTERN, K_KNOB, K_VALUE, K_QUEUE, K_FAULT, K_FILE,
	K_THREAD, K_U32, K_NR,
	K_KINDS
};

/* what is wrong with how an ioctl's argument is handed over */
enum quirk {
	Q_NONE, Q_RESERVED, Q_LONGER, Q_LONGER_SET, Q_SHORTER, Q_NULL, Q_READ_ONLY, Q_EDGE, QUIRKS
};

struct call {
	uint8_t what;		/* index into calls[] */
	uint8_t thread;
	uint8_t quirk;
	uint8_t fail;		/* the n-th allocation in it fails; 0 = none */
	uint32_t args[MAX_ARGS];
};

/* Calls up to @split are made by the first thread, the others by theirs, all at once. */
struct program {
	unsigned int n, split;
	struct call calls[MAX_CALLS];
};

/* program.c */
struct rng {
	uint64_t state;
};

uint32_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);
void program_random(struct rng *r, struct program *p);
void program_mutate(struct rng *r, struct program *p, const struct program *other, bool fail);
void program_drop(struct program *p, unsigned int i);
int program_print(const struct program *p, char *text, size_t size);	/* its length */
bool program_parse(FILE *f, struct program *p);	/* false: no more, or not one */

/* calls.c */
struct worker;

struct call_type {
	const char *name;
	unsigned int weight;
	int (*make)(struct worker *w, const struct call *c);	/* >= 0 or -errno */
	uint8_t kinds[MAX_ARGS];
};

extern const struct call_type calls[];
extern const unsigned int ncalls;
extern const unsigned int nfiles, nknobs, nqueues, nfaults;
int call_named(const char *name);	/* -1 */
void calls_init(void);		/* pages to scan, print and decode */
void calls_clean(void);		/* closes all, and the board is as at first */

/* coverage.c */
void coverage_init(void);
void coverage_thread(unsigned int thread);	/* from now on, of the calling one */
void coverage_reset(void);
void coverage_answer(unsigned int thread, uint32_t answer);
unsigned int coverage_take(void);	/* how much of it was new, after a program */
unsigned int coverage_again(const uint32_t *of, unsigned int n); /* how much of @of came again */
unsigned int coverage_new(uint32_t *of, unsigned int most);	/* what the last take found */
void coverage_report(void);

/* run.c */
struct worker {
	unsigned int id;
	uint8_t *page;		/* arguments; nothing is mapped behind it */
	uint8_t *read_only;
	int fail_nth;
	volatile bool armed;		/* an allocation of the call is to fail */
};

void run_init(void);
bool run_program(const struct program *p);	/* false: it hangs */
void run_signal(unsigned int thread);
void run_disarm(struct worker *w);	/* before memory is touched that may not be there yet */

/* seeds.c */
unsigned int seed_program(unsigned int i, struct program *p);	/* 0: no more */

#endif
