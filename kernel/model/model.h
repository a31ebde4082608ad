/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The device model of the reference board: registers, rings and engines as
 * kernel/board/REGISTERS.md has them, for the simulator in the kernel and for
 * a PCI emulator in user space.
 *
 * Ownership: the owner hands in the memory (struct fm_board is large: allocate
 * it) and the callbacks; the model allocates nothing and keeps nothing
 * elsewhere. The original is the owner's, and stays in place from feed() until
 * release().
 *
 * Threads: fm_read32(), fm_write32(), fm_set_paper() and fm_inject() may be
 * called at any time, from any context that lock() stands; fm_run() by one
 * thread at a time. Callbacks other than lock and unlock are called from
 * fm_run() without the lock held; interrupt() and doorbell() from any of them,
 * without the lock too.
 */
#ifndef FAX_MODEL_H
#define FAX_MODEL_H

#include "t4.h"
#include "fax/board_regs.h"

#define FM_CONTEXTS		16u
#define FM_MAX_SG		128u
#define FM_RING_LOG2_MAX	8u
#define FM_STAGE		16384u	/* bytes of on-board memory between DMA and coder */
#define FM_SG_CACHE		8u
#define FM_REG_WORDS		0x400u	/* registers below the doorbells */

/* Returned by paper callbacks beside FAXB_CODE_*: not yet, ask again in the next run. */
#define FM_WAIT			(-1)

/**
 * struct fm_sheet - an original under the scanning line
 * @width: @rows: pixels, 1 to FAXB_WIDTH_MAX and FAXB_ROWS_MAX
 * @xres: @yres: pixels per metre, FAXB_RES_MIN to FAXB_RES_MAX
 */
struct fm_sheet {
	u32 width;
	u32 rows;
	u32 xres;
	u32 yres;
};

/**
 * struct fm_owner_ops - what the model asks of its owner
 * @read: @write: DMA; 0 or -EFAULT for an address that is not mapped for this
 *	  direction, in which case nothing may be assumed of what was moved
 * @interrupt: raise the (one, edge-triggered) interrupt
 * @doorbell: there is work: call fm_run()
 * @lock: @unlock: guard the registers; @lock returns what @unlock gets; both
 *	  may be NULL where there is one thread
 * @original: what lies next in the feeder; FAXB_CODE_OK, or the condition that
 *	  forbids moving it (PAPER_OUT, COVER, JAM)
 * @feed: move it to the scanning line; FAXB_CODE_OK, FM_WAIT or JAM
 * @scan_row: pixels of row @row of the original, packed, 1 = black, or NULL
 *	  and in *code FM_WAIT, FAXB_CODE_JAM or FAXB_CODE_COVER
 * @release: the original leaves the scanning line
 * @more: another original lies in the feeder
 * @ready: whether the printer can be given a sheet; FAXB_CODE_OK, or the
 *	   condition that forbids it (PAPER_OUT, COVER, JAM)
 * @load: move a sheet of paper there; FAXB_CODE_OK, FM_WAIT or JAM
 * @print_row: put a row on it, packed, 1 = black; FAXB_CODE_* or FM_WAIT
 * @eject: the sheet is done
 */
struct fm_owner_ops {
	int (*read)(void *owner, u64 addr, void *buf, u32 len);
	int (*write)(void *owner, u64 addr, const void *buf, u32 len);
	void (*interrupt)(void *owner);
	void (*doorbell)(void *owner);
	unsigned long (*lock)(void *owner);
	void (*unlock)(void *owner, unsigned long flags);
	int (*original)(void *owner, struct fm_sheet *sheet);
	int (*feed)(void *owner);
	const u8 *(*scan_row)(void *owner, u32 row, int *code);
	void (*release)(void *owner);
	bool (*more)(void *owner);
	int (*ready)(void *owner);
	int (*load)(void *owner, u32 width, u32 xres, u32 yres);
	int (*print_row)(void *owner, const u8 *row);
	void (*eject)(void *owner);
};

/* Faults that can be made to happen; see fm_inject() */
enum fm_fault {
	FM_FAULT_DMA,		/* the next access to page memory fails */
	FM_FAULT_DROP,		/* the next completion is not written */
	FM_FAULT_STUCK,		/* the next descriptor never completes, until a reset */
	FM_FAULT_DEAF,		/* resets are not done; stays until set to 0 */
	FM_FAULT_RING,		/* the next look at the submission ring fails */
	FM_FAULTS
};

/* What a context of the coder holds */
enum fm_context_state {
	FM_CTX_EMPTY,
	FM_CTX_ENCODER,
	FM_CTX_DECODER,
	FM_CTX_OVER,		/* ended or failed (code): only FIRST brings it back */
};

struct fm_context {
	u32 state;		/* enum fm_context_state */
	int code;		/* OVER: what a descriptor gets that goes on nevertheless */
	bool ending;		/* encoder: the end code is begun, no row may follow */
	struct t4_params params;
	union {
		struct t4_encoder enc;
		struct t4_decoder dec;
	} u;
};

/* A place in a scatter list. */
struct fm_cursor {
	u64 list;		/* bus address of the entries, 0 = one stretch */
	u32 count;		/* stretches */
	u32 next;		/* index of the entry after the one at hand */
	u64 addr;		/* where we are */
	u32 left;		/* bytes left in this stretch */
	u32 total;		/* bytes left altogether */
	u32 cached;		/* entries in cache, up to next */
	u32 cache_at;
	u32 cache[FM_SG_CACHE][4];
};

/* The descriptor that a queue works on. */
struct fm_work {
	u32 sqe[FAXB_SQE_WORDS];
	u32 op;
	u32 ctrl;
	u32 row_bytes;
	u32 rows;		/* moved */
	u32 bytes;		/* coded bytes written or consumed */
	u32 flags;		/* FAXB_DONE_* */
	u32 rows_bad;
	u32 first_bad;
	u32 bad_run;
	bool started;
	bool flushed;		/* encode: all rows are coded, only the end is to come */
	struct fm_cursor raw;
	struct fm_cursor coded;
	u32 stage_at;		/* stage: the bytes at hand */
	u32 stage_len;
};

struct fm_queue {
	/* under the lock */
	bool enabled;
	bool reset;		/* asked for */
	bool error;
	bool rung;
	u32 abort;
	u32 head;
	u32 done;
	u32 status;		/* BUSY, WAITING */
	u32 rows;		/* moved since ENABLE */
	u32 fault[FM_FAULTS];
	u64 sq;
	u64 cq;
	u32 log2;
	/* fm_run()'s own */
	bool busy;
	bool stuck;
	struct fm_work work;
	u8 raw[FM_STAGE];
	u8 coded[FM_STAGE];
};

/* The sheet in an engine */
enum fm_page_state {
	FM_PAGE_NONE,
	FM_PAGE_MOVING,
	FM_PAGE_ENDED,		/* scan: the original has passed */
	FM_PAGE_LOST,		/* page_code says why; only NEW_PAGE helps */
};

struct fm_engine {
	u32 page;		/* enum fm_page_state */
	bool loaded;		/* a sheet is in the engine */
	int page_code;		/* FAXB_CODE_* */
	u32 rows;		/* scan: of the page as asked for; print: so far */
	u32 row;		/* scan: next */
	u32 width;		/* scan: of the original, scaled */
	struct fm_sheet sheet;
	u8 line[FAXB_WIDTH_MAX / 8];
};

struct fm_board {
	const struct fm_owner_ops *ops;
	void *owner;
	/* under the lock */
	u32 reg[FM_REG_WORDS];
	u32 int_status;
	u32 int_enable;
	bool reset;
	struct fm_queue queue[FAXB_QUEUES];
	/* fm_run()'s own */
	struct fm_engine scan;
	struct fm_engine print;
	struct fm_context context[FM_CONTEXTS];
};

/**
 * struct fm_identity - what the board says of itself
 * @model: @serial: at most 31 bytes
 * @ieee1284: the string without its length
 */
struct fm_identity {
	const char *model;
	const char *serial;
	const char *ieee1284;
};

/* What fm_run() says */
#define FM_IDLE		0	/* nothing to do until doorbell() */
#define FM_MORE		1	/* call again */
#define FM_WAITING	2	/* a callback said FM_WAIT, or paper is missing: call again later */

int fm_init(struct fm_board *b, const struct fm_identity *id, const struct fm_owner_ops *ops,
	    void *owner);
u32 fm_read32(struct fm_board *b, u32 reg);
void fm_write32(struct fm_board *b, u32 reg, u32 val);

/* Do a bounded amount of work (some rows on each queue); FM_IDLE, FM_MORE or FM_WAITING. */
int fm_run(struct fm_board *b);

/* Conditions and paper of FAXB_Q_SCAN or FAXB_Q_PRINT; interrupts when the conditions changed. */
void fm_set_paper(struct fm_board *b, u32 engine, u32 cond, u32 width_um, u32 height_um);

/* Make @fault happen on queue @q the next @count times. */
int fm_inject(struct fm_board *b, u32 q, enum fm_fault fault, u32 count);

#endif
