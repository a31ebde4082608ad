// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Rings: taking descriptors, checking them, writing completions. */
#include "internal.h"

static void reset_queue(struct fm_board *b, u32 q)
{
	struct fm_queue *queue = &b->queue[q];

	queue->busy = false;
	queue->stuck = false;
	memset(&queue->work, 0, sizeof(queue->work));
	if (q == FAXB_Q_SCAN)
		fm_scan_reset(b);
	else if (q == FAXB_Q_PRINT)
		fm_print_reset(b);
	else
		fm_coder_reset(b, q);
}

/* The bit that says when the WAITING of a queue changes. */
static u32 waiting_int(u32 q)
{
	if (q == FAXB_Q_SCAN)
		return FAXB_INT_COND_SCAN;
	return q == FAXB_Q_PRINT ? FAXB_INT_COND_PRINT : 0;
}

/* Whoever reads RESET as clear may reuse the memory: nothing touches it from here on. */
static void finish_reset(struct fm_board *b, u32 q)
{
	struct fm_queue *queue = &b->queue[q];
	unsigned long flags = fm_lock(b);
	bool waited = queue->status & FAXB_Q_STATUS_WAITING;

	queue->reset = false;
	queue->error = false;
	queue->rung = false;
	queue->abort = 0;
	queue->head = 0;
	queue->done = 0;
	queue->rows = 0;
	queue->status = 0;
	fm_unlock(b, flags);
	if (waited)
		fm_raise(b, waiting_int(q));
}

static void ring_error(struct fm_board *b, struct fm_queue *queue)
{
	unsigned long flags = fm_lock(b);

	queue->error = true;
	fm_unlock(b, flags);
	fm_raise(b, FAXB_INT_FAULT);
}

/* Ownership is the parity of the lap: a ring of zeros holds nothing in lap 0. */
static bool even_lap(const struct fm_queue *queue, u32 count)
{
	return !(count >> queue->log2 & 1);
}

/* OWN is read before the rest, which the driver wrote before it. */
static bool fetch(struct fm_board *b, struct fm_queue *queue)
{
	u32 slot = queue->head & (FAXB_BIT(queue->log2) - 1);
	u64 addr = queue->sq + (u64)slot * FAXB_SQE_SIZE;
	u32 own = even_lap(queue, queue->head) ? FAXB_CTRL_OWN : 0;
	u8 raw[FAXB_SQE_SIZE];
	unsigned long flags;
	u32 i;

	if (fm_take_fault(b, queue - b->queue, FM_FAULT_RING) ||
	    b->ops->read(b->owner, addr, raw, 4))
		goto fail;
	if ((fm_get_le32(raw) & FAXB_CTRL_OWN) != own)
		return false;
	if (b->ops->read(b->owner, addr, raw, sizeof(raw)))
		goto fail;

	memset(&queue->work, 0, sizeof(queue->work));
	for (i = 0; i < FAXB_SQE_WORDS; i++)
		queue->work.sqe[i] = fm_get_le32(raw + 4 * i);
	queue->work.ctrl = queue->work.sqe[FAXB_SQE_CTRL];
	queue->work.op = FAXB_CTRL_OP(queue->work.ctrl);
	queue->work.row_bytes = queue->work.sqe[FAXB_SQE_WIDTH] / 8 +
				!!(queue->work.sqe[FAXB_SQE_WIDTH] % 8);
	queue->work.first_bad = ~0u;
	queue->busy = true;
	flags = fm_lock(b);
	queue->head++;
	queue->status = FAXB_Q_STATUS_BUSY;
	fm_unlock(b, flags);
	return true;
fail:
	ring_error(b, queue);
	return false;
}

static void complete(struct fm_board *b, u32 q, int code)
{
	struct fm_queue *queue = &b->queue[q];
	const struct fm_work *w = &queue->work;
	u32 slot = queue->done & (FAXB_BIT(queue->log2) - 1);
	u64 addr = queue->cq + (u64)slot * FAXB_CQE_SIZE;
	u32 phase = even_lap(queue, queue->done) ? FAXB_SEQ_PHASE : 0;
	u8 raw[FAXB_CQE_SIZE];
	unsigned long flags;
	bool drop = fm_take_fault(b, q, FM_FAULT_DROP);

	fm_put_le32(raw + 4 * FAXB_CQE_TAG, w->sqe[FAXB_SQE_TAG]);
	fm_put_le32(raw + 4 * FAXB_CQE_STATUS, (u32)code | w->flags);
	fm_put_le32(raw + 4 * FAXB_CQE_ROWS, w->rows);
	fm_put_le32(raw + 4 * FAXB_CQE_BYTES, w->bytes);
	fm_put_le32(raw + 4 * FAXB_CQE_ROWS_BAD, w->rows_bad);
	fm_put_le32(raw + 4 * FAXB_CQE_FIRST_BAD, w->first_bad);
	fm_put_le32(raw + 4 * FAXB_CQE_BAD_RUN, w->bad_run);
	fm_put_le32(raw + 4 * FAXB_CQE_SEQ,
		    (queue->done & FAXB_SEQ_COUNT) | phase);

	/* SEQ last: by it the driver knows that the rest is there */
	if (!drop && (b->ops->write(b->owner, addr, raw, 4 * FAXB_CQE_SEQ) ||
		      b->ops->write(b->owner, addr + 4 * FAXB_CQE_SEQ, raw + 4 * FAXB_CQE_SEQ, 4)))
		ring_error(b, queue);

	queue->busy = false;
	flags = fm_lock(b);
	queue->done++;
	queue->status = 0;
	queue->rung = true;	/* look at the next slot without being told */
	fm_unlock(b, flags);
	if (!drop)
		fm_raise(b, FAXB_BIT(q));
}

/* Which fields an operation knows; the others must be zero. */
static const struct {
	u32 flags;
	u32 fmt_flags;
	bool coder;
} ops_table[FAXB_QUEUES] = {
	[FAXB_Q_SCAN] = {
		FAXB_CTRL_FIRST | FAXB_CTRL_LAST | FAXB_CTRL_NOWAIT | FAXB_CTRL_NEW_PAGE,
		FAXB_FMT_BLACK_IS_0, false,
	},
	[FAXB_Q_PRINT] = {
		FAXB_CTRL_FIRST | FAXB_CTRL_LAST | FAXB_CTRL_NOWAIT | FAXB_CTRL_NEW_PAGE,
		FAXB_FMT_BLACK_IS_0, false,
	},
	[FAXB_Q_ENCODE] = {
		FAXB_CTRL_FIRST | FAXB_CTRL_LAST,
		FAXB_FMT_LSB_FIRST | FAXB_FMT_BLACK_IS_0 | FAXB_FMT_EOL | FAXB_FMT_EOL_ALIGN |
		FAXB_FMT_END, true,
	},
	[FAXB_Q_DECODE] = {
		FAXB_CTRL_FIRST | FAXB_CTRL_LAST,
		FAXB_FMT_LSB_FIRST | FAXB_FMT_BLACK_IS_0 | FAXB_FMT_EOL | FAXB_FMT_EOL_ALIGN |
		FAXB_FMT_WHITEN, true,
	},
};

#define CTRL_FLAGS (FAXB_CTRL_FIRST | FAXB_CTRL_LAST | FAXB_CTRL_NOWAIT | FAXB_CTRL_NEW_PAGE)

static bool control_valid(u32 q, const struct fm_work *w)
{
	u32 format = w->sqe[FAXB_SQE_FORMAT];
	bool coder = ops_table[q].coder;

	return w->op == q + 1 && !(w->ctrl & FAXB_CTRL_RESERVED) &&
	       !(w->ctrl & CTRL_FLAGS & ~ops_table[q].flags) &&
	       FAXB_CTRL_CONTEXT(w->ctrl) < (coder ? FM_CONTEXTS : 1) &&
	       w->sqe[FAXB_SQE_TAG] && !(format & FAXB_FORMAT_RESERVED) &&
	       !(FAXB_FORMAT_FLAGS(format) & ~ops_table[q].fmt_flags);
}

static bool format_valid(u32 q, const struct fm_work *w)
{
	u32 format = w->sqe[FAXB_SQE_FORMAT];
	u32 enc = FAXB_FORMAT_ENC(format);
	bool res = w->sqe[FAXB_SQE_XRES] - FAXB_RES_MIN <= FAXB_RES_MAX - FAXB_RES_MIN &&
		   w->sqe[FAXB_SQE_YRES] - FAXB_RES_MIN <= FAXB_RES_MAX - FAXB_RES_MIN;
	bool no_res = !w->sqe[FAXB_SQE_XRES] && !w->sqe[FAXB_SQE_YRES];

	if (w->sqe[FAXB_SQE_SEG_ROWS] && q != FAXB_Q_DECODE)
		return false;
	if (FAXB_FORMAT_K(format) && q != FAXB_Q_ENCODE)
		return false;
	if (!ops_table[q].coder)
		return enc == FAXB_ENC_RAW && res;
	return enc >= FAXB_ENC_MH && enc <= FAXB_ENC_MMR && no_res;
}

/* One side of a descriptor: absent and all zero, or present and not empty. */
static bool side_valid(const struct fm_work *w, u32 count, u32 lo)
{
	const u32 *side = &w->sqe[lo];

	if (!count)
		return !side[0] && !side[1] && !side[2];
	return count <= FM_MAX_SG && side[2] && (count == 1 || !(side[0] % FAXB_SGE_SIZE));
}

static bool memory_valid(u32 q, const struct fm_work *w)
{
	u32 rows = w->sqe[FAXB_SQE_ROWS], stride = w->sqe[FAXB_SQE_STRIDE];
	u32 nraw = w->sqe[FAXB_SQE_COUNTS] & 0xffff, ncoded = w->sqe[FAXB_SQE_COUNTS] >> 16;

	if (!w->row_bytes || w->sqe[FAXB_SQE_WIDTH] > FAXB_WIDTH_MAX || stride < w->row_bytes)
		return false;
	if (rows > FAXB_ROWS_MAX || w->sqe[FAXB_SQE_SEG_ROWS] > FAXB_ROWS_MAX)
		return false;
	if (!side_valid(w, nraw, FAXB_SQE_RAW_LO) || !side_valid(w, ncoded, FAXB_SQE_CODED_LO))
		return false;
	if (ncoded && !ops_table[q].coder)
		return false;
	return !rows || (u64)(rows - 1) * stride + w->row_bytes <= w->sqe[FAXB_SQE_RAW_LEN];
}

static bool begin(u32 q, struct fm_work *w)
{
	const u32 *e = w->sqe;

	w->started = true;
	if (!control_valid(q, w) || !format_valid(q, w) || !memory_valid(q, w))
		return false;
	fm_cursor_init(&w->raw, e[FAXB_SQE_COUNTS] & 0xffff, e[FAXB_SQE_RAW_LO],
		       e[FAXB_SQE_RAW_HI], e[FAXB_SQE_RAW_LEN]);
	fm_cursor_init(&w->coded, e[FAXB_SQE_COUNTS] >> 16, e[FAXB_SQE_CODED_LO],
		       e[FAXB_SQE_CODED_HI], e[FAXB_SQE_CODED_LEN]);
	return true;
}

static int step(struct fm_board *b, u32 q)
{
	struct fm_work *w = &b->queue[q].work;

	if (!w->started && !begin(q, w))
		return FAXB_CODE_BAD_DESC;
	switch (q) {
	case FAXB_Q_SCAN:
		return fm_scan_step(b);
	case FAXB_Q_PRINT:
		return fm_print_step(b);
	case FAXB_Q_ENCODE:
		return fm_encode_step(b);
	default:
		return fm_decode_step(b);
	}
}

/* ABORT names the descriptor at work: it ends here, and with it page or segment. */
static int cancel(struct fm_board *b, u32 q)
{
	if (q == FAXB_Q_SCAN)
		fm_scan_cancel(b);
	else if (q == FAXB_Q_PRINT)
		fm_print_cancel(b);
	else
		fm_coder_cancel(b, q);
	return FAXB_CODE_CANCELED;
}

/* What a step came to. That a descriptor waits no more is known before its completion is. */
static void note_step(struct fm_board *b, u32 q, bool waiting, u32 rows)
{
	struct fm_queue *queue = &b->queue[q];
	unsigned long flags = fm_lock(b);
	bool changed = waiting != !!(queue->status & FAXB_Q_STATUS_WAITING);

	queue->status = FAXB_Q_STATUS_BUSY | (waiting ? FAXB_Q_STATUS_WAITING : 0);
	queue->rows += rows;
	fm_unlock(b, flags);
	if (changed && waiting_int(q))
		fm_raise(b, waiting_int(q));
}

int fm_run_queue(struct fm_board *b, u32 q)
{
	struct fm_queue *queue = &b->queue[q];
	unsigned long flags = fm_lock(b);
	bool reset = queue->reset && !queue->fault[FM_FAULT_DEAF];
	bool runs = queue->enabled && !queue->error;
	bool look = queue->rung;
	u32 abort = queue->abort;
	u32 rows;
	int code;

	if (!queue->busy)
		queue->rung = false;
	fm_unlock(b, flags);

	if (reset) {
		reset_queue(b, q);
		finish_reset(b, q);
		return FM_IDLE;
	}
	if (!runs || (!queue->busy && (!look || !fetch(b, queue))))
		return FM_IDLE;
	if (!queue->stuck && !queue->work.started)
		queue->stuck = fm_take_fault(b, q, FM_FAULT_STUCK);
	if (queue->stuck)
		return FM_IDLE;

	rows = queue->work.rows;
	if (abort && abort == queue->work.sqe[FAXB_SQE_TAG])
		code = cancel(b, q);
	else
		code = step(b, q);
	note_step(b, q, code == FM_STEP_HOLD, queue->work.rows - rows);
	if (code == FM_STEP_MORE)
		return FM_MORE;
	if (code == FM_WAIT || code == FM_STEP_HOLD)
		return FM_WAITING;
	complete(b, q, code);
	return FM_MORE;
}
