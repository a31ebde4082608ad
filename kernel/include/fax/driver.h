/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a board driver implements and calls.
 *
 * Lifetime: fax_board_alloc() gives one reference, which
 * fax_board_unregister() or, before registration, fax_board_put() gives back.
 * Functions live as long as their board and any open of them; a driver may
 * use one until fax_board_unregister() returns. Chunks and jobs belong to the
 * core: a driver may use a chunk from start() until it calls fax_chunk_done()
 * for it or reset() returns.
 *
 * No user pointer and no page memory ever reaches a driver: it sees bus
 * addresses and lengths only.
 */
#ifndef FAX_DRIVER_H
#define FAX_DRIVER_H

#include <linux/bits.h>
#include <linux/device.h>
#include <linux/types.h>
#include <linux/fax.h>

struct fax_board;
struct fax_func;
struct fax_job;

/**
 * struct fax_sg - a contiguous stretch of bus addresses
 * @addr: for the device of the board
 * @len: bytes
 */
struct fax_sg {
	dma_addr_t addr;
	u32 len;
};

/**
 * struct fax_job_params - a job as check() sees it
 * @op: FAX_OP_*
 * @flags: FAX_SUBMIT_*
 * @fmt: validated against the function's caps, stride filled in
 */
struct fax_job_params {
	u32 op;
	u32 flags;
	struct fax_fmt fmt;
};

/* struct fax_chunk.flags */
#define FAX_CHUNK_FIRST		BIT(0)	/* of a page or segment: the coder's context starts anew */
#define FAX_CHUNK_LAST		BIT(1)	/* encode, print: no rows follow; write the end code, eject;
					 * decode: no code of this segment follows
					 */
#define FAX_CHUNK_NOWAIT	BIT(2)	/* scan, print: report PAPER_OUT instead of waiting */
#define FAX_CHUNK_NEW_PAGE	BIT(3)	/* scan, print: feed a sheet first */

/**
 * struct fax_chunk - one band, the unit that moves
 * @job: whose
 * @gen: generation of the job's run; the driver hands it back unchanged
 * @op: FAX_OP_*
 * @flags: FAX_CHUNK_*
 * @context: coder: 0 to fax_func_desc.contexts - 1, where the reference line
 *	     and pending bits of this job lie
 * @fmt: form of the page; decode: encoding and flags are the segment's
 * @rows: rows to move (encode, print) or room for rows (scan, decode); encode:
 *	  0 with LAST when only pending bits and the end code are due
 * @seg_rows: decode: rows of the segment, 0 = until its code ends
 * @raw: raw side, nraw stretches; rows lie fmt.stride bytes apart
 * @coded: coded side, ncoded stretches; encode: where to write; decode: input
 *	   from where the last chunk of this segment stopped
 * @nraw: stretches of @raw
 * @ncoded: stretches of @coded; decode: 0 when all code was consumed and rows
 *	    still lie in the context
 * @list: for the driver's use while it holds the chunk
 * @priv: for the driver's use
 */
struct fax_chunk {
	struct fax_job *job;
	u32 gen;
	u32 op;
	u32 flags;
	u32 context;
	struct fax_fmt fmt;
	u32 rows;
	u32 seg_rows;
	const struct fax_sg *raw;
	const struct fax_sg *coded;
	u32 nraw;
	u32 ncoded;
	struct list_head list;
	unsigned long priv[2];
};

/*
 * struct fax_chunk_result.flags
 *
 * PAGE_END may come with rows or, if the end lay between two chunks, with none.
 * Scan chunks behind it in the queue are aborted by the core. A decode chunk
 * without LAST that has used up its code is OK with fewer rows than there was
 * room for.
 */
#define FAX_RESULT_PAGE_END	BIT(0)	/* scan: the original ended; decode: the segment did */
#define FAX_RESULT_MORE_PAPER	BIT(1)	/* scan: another original lies in the feeder */
#define FAX_RESULT_SHORT	BIT(2)	/* decode: the code ended before seg_rows */

/**
 * struct fax_chunk_result - what the board says of a chunk; not trusted
 * @code: FAX_CODE_*; OUT_FULL: @rows were taken, @bytes written, the rest of
 *	  the chunk's rows follow in another chunk with the same context
 * @flags: FAX_RESULT_*
 * @rows: rows moved
 * @bytes: coded bytes written (encode) or consumed (decode)
 * @rows_bad: decode, as the two below: damaged rows of the segment so far
 * @first_bad_row: the first of them, from the top of the segment
 * @max_bad_run: the longest run of them
 */
struct fax_chunk_result {
	u32 code;
	u32 flags;
	u32 rows;
	u32 bytes;
	u32 rows_bad;
	u32 first_bad_row;
	u32 max_bad_run;
};

/*
 * Beside FAX_COND_* in what fax_func_event() is told, and never shown to users:
 * the engine holds the chunk at work for people to do something (paper, an
 * original, a jam, a cover). Jobs then wait without bound, and their owners are
 * told. The end of it must be reported before the chunk that waited is.
 */
#define FAX_HW_WAITING	BIT(31)

/**
 * struct fax_hw_status - what status() fills in
 * @conditions: FAX_COND_*
 * @paper_width: micrometres, 0 = unknown
 * @paper_height: likewise
 */
struct fax_hw_status {
	u32 conditions;
	u32 paper_width;
	u32 paper_height;
};

/* How deep a reset goes */
#define FAX_RESET_FUNC		0	/* this engine */
#define FAX_RESET_BOARD		1	/* all engines */

/**
 * struct fax_ops - a function of a board
 *
 * Never two of them are called at a time for one board; "atomic context" means
 * that the driver must not rely on being able to sleep. A driver may report
 * (fax_chunk_done() and so on) from within them, and under locks of its own.
 *
 * @check: may this job run? 0 or -errno; may sleep
 * @start: take one chunk; -EBUSY: no room now, fax_func_ready() says when;
 *	   atomic context
 * @kick: chunks were started: ring the doorbell; atomic context
 * @abort: stop working on @job as soon as possible and complete its chunks as
 *	   CANCELED; asynchronous; atomic context
 * @reset: on return no DMA is in flight and no chunk is held; the core
 *	   completes those that were; may sleep
 * @status: read conditions and paper size; must not sleep long. Also asked of a
 *	    scanner when a page has ended with FAX_RESULT_MORE_PAPER
 * @progress: optional: a number that changes whenever a row moves, so that an
 *	      engine that is slow is not taken for one that is stuck; atomic
 *	      context
 */
struct fax_ops {
	int (*check)(struct fax_func *func, struct fax_job_params *params);
	int (*start)(struct fax_func *func, struct fax_chunk *chunk);
	void (*kick)(struct fax_func *func);
	void (*abort)(struct fax_func *func, struct fax_job *job);
	int (*reset)(struct fax_func *func, u32 level);
	int (*status)(struct fax_func *func, struct fax_hw_status *status);
	u32 (*progress)(struct fax_func *func);
};

/**
 * struct fax_func_desc - a function as the driver describes it
 * @function: FAX_FUNC_*
 * @caps: as the user sees them
 * @ops: the driver's
 * @priv: for the driver, see fax_func_priv()
 * @depth: chunks that may be started at a time
 * @contexts: coder: how many
 * @max_sg: stretches a chunk may have on each side
 * @progress_ms: longest time without a chunk completing, or a row moving where
 *		 the driver can tell, before the watchdog resets; 0 = 10 s
 * @ieee1284_id: device id string, may be NULL
 */
struct fax_func_desc {
	u32 function;
	struct fax_caps caps;
	const struct fax_ops *ops;
	void *priv;
	u32 depth;
	u32 contexts;
	u32 max_sg;
	u32 progress_ms;
	const char *ieee1284_id;
};

/**
 * struct fax_board_desc - a board as the driver describes it
 * @model: for people and for stable names
 * @serial: likewise, may be NULL
 * @dma_dev: device that does the DMA; the driver has set its mask and the longest
 *	     stretch it takes, dma_set_max_seg_size()
 * @features: FAX_FEAT_*
 * @owner: THIS_MODULE
 */
struct fax_board_desc {
	const char *model;
	const char *serial;
	struct device *dma_dev;
	u32 features;
	struct module *owner;
};

struct fax_board *fax_board_alloc(struct device *parent, const struct fax_board_desc *desc);
struct fax_func *fax_board_add_func(struct fax_board *board, const struct fax_func_desc *desc);
int fax_board_register(struct fax_board *board);
void fax_board_unregister(struct fax_board *board);
void fax_board_put(struct fax_board *board);
void fax_board_suspend(struct fax_board *board);
void fax_board_resume(struct fax_board *board);

void *fax_func_priv(const struct fax_func *func);
struct device *fax_func_dev(struct fax_func *func);

/* driver to core, from any context */
void fax_chunk_done(struct fax_func *func, struct fax_chunk *chunk,
		    const struct fax_chunk_result *result);
void fax_func_ready(struct fax_func *func);
void fax_func_event(struct fax_func *func, u32 state);
void fax_board_fault(struct fax_board *board, u32 code);

#endif
