// SPDX-License-Identifier: GPL-2.0
/* Rings: chunks become descriptors, completions become results. */
#include <linux/dma-mapping.h>
#include <linux/slab.h>
#include "internal.h"

#define SQ_BYTES	(FAXB_RING_ENTRIES * FAXB_SQE_SIZE)
#define CQ_BYTES	(FAXB_RING_ENTRIES * FAXB_CQE_SIZE)
#define LIST_BYTES	(FAXB_SG_MAX * FAXB_SGE_SIZE)
#define LISTS_BYTES	(FAXB_RING_ENTRIES * 2 * LIST_BYTES)

int faxb_queue_init(struct faxb *b, u32 nr, struct faxb_func *func)
{
	struct faxb_queue *q = &b->queue[nr];

	q->b = b;
	q->nr = nr;
	q->func = func;
	q->stopped = true;
	spin_lock_init(&q->lock);
	q->rings = dma_alloc_coherent(b->desc.dev, SQ_BYTES + CQ_BYTES, &q->rings_dma, GFP_KERNEL);
	if (!q->rings)
		return -ENOMEM;
	q->lists = dma_alloc_coherent(b->desc.dev, LISTS_BYTES, &q->lists_dma, GFP_KERNEL);
	return q->lists ? 0 : -ENOMEM;
}

/* Only once the board cannot do DMA any more. */
void faxb_queue_free(struct faxb_queue *q)
{
	if (q->rings)
		dma_free_coherent(q->b->desc.dev, SQ_BYTES + CQ_BYTES, q->rings, q->rings_dma);
	if (q->lists)
		dma_free_coherent(q->b->desc.dev, LISTS_BYTES, q->lists, q->lists_dma);
	q->rings = NULL;
	q->lists = NULL;
}

static void queue_write(struct faxb_queue *q, u32 reg, u32 val)
{
	faxb_write(q->b, FAXB_QUEUE(q->nr) + reg, val);
}

/* The queue is disabled and its rings are empty. */
void faxb_queue_enable(struct faxb_queue *q)
{
	dma_addr_t cq = q->rings_dma + SQ_BYTES;
	unsigned long flags;

	queue_write(q, FAXB_Q_SQ_LO, lower_32_bits(q->rings_dma));
	queue_write(q, FAXB_Q_SQ_HI, upper_32_bits(q->rings_dma));
	queue_write(q, FAXB_Q_CQ_LO, lower_32_bits(cq));
	queue_write(q, FAXB_Q_CQ_HI, upper_32_bits(cq));
	queue_write(q, FAXB_Q_LOG2, FAXB_RING_LOG2);
	queue_write(q, FAXB_Q_CTRL, FAXB_Q_CTRL_ENABLE);

	spin_lock_irqsave(&q->lock, flags);
	q->stopped = false;
	spin_unlock_irqrestore(&q->lock, flags);
}

void faxb_queue_stop(struct faxb_queue *q)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	q->stopped = true;
	spin_unlock_irqrestore(&q->lock, flags);
}

/* The queue is stopped, its DMA halted, no interrupt under way: the core takes its chunks back. */
void faxb_queue_forget(struct faxb_queue *q)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	memset(q->rings, 0, SQ_BYTES + CQ_BYTES);
	memset(q->slot, 0, sizeof(q->slot));
	q->head = 0;
	q->tail = 0;
	q->abort = 0;
	q->hungry = false;
	q->gen = q->gen % 255 + 1;
	spin_unlock_irqrestore(&q->lock, flags);
}

/* 1 in even laps: a ring of zeros owns nothing. */
static bool lap_parity(u32 count)
{
	return !(count >> FAXB_RING_LOG2 & 1);
}

static void put_addr(__le32 *at, dma_addr_t addr, u32 len)
{
	at[0] = cpu_to_le32(lower_32_bits(addr));
	at[1] = cpu_to_le32(upper_32_bits(addr));
	at[2] = cpu_to_le32(len);
}

/* One side of a chunk: the stretch itself where there is but one, else a list of them. */
static int put_side(struct faxb_queue *q, u32 slot, u32 side, const struct fax_sg *sg, u32 n,
		    __le32 *at)
{
	u32 offset = (slot * 2 + side) * LIST_BYTES;
	__le32 *list = q->lists + offset / sizeof(*list);
	u64 total = 0;
	u32 i;

	if (n > q->b->max_sg)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		total += sg[i].len;
		if (n > 1) {
			put_addr(list + 4 * i, sg[i].addr, sg[i].len);
			list[4 * i + FAXB_SGE_ZERO] = 0;
		}
	}
	if (total > U32_MAX)
		return -EINVAL;
	if (!n)
		put_addr(at, 0, 0);
	else
		put_addr(at, n > 1 ? q->lists_dma + offset : sg[0].addr, total);
	return 0;
}

static u32 ctrl_of(const struct fax_chunk *chunk)
{
	static const struct {
		u32 chunk;
		u32 ctrl;
	} map[] = {
		{ FAX_CHUNK_FIRST, FAXB_CTRL_FIRST },
		{ FAX_CHUNK_LAST, FAXB_CTRL_LAST },
		{ FAX_CHUNK_NOWAIT, FAXB_CTRL_NOWAIT },
		{ FAX_CHUNK_NEW_PAGE, FAXB_CTRL_NEW_PAGE },
	};
	u32 i, ctrl = chunk->op | chunk->context << FAXB_CTRL_CONTEXT_SHIFT;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (chunk->flags & map[i].chunk)
			ctrl |= map[i].ctrl;
	return ctrl;
}

/* The board's FMT flags are numbered as the user's; what an operation does not know is left out. */
static u32 format_of(const struct fax_chunk *chunk)
{
	static const u32 known[] = {
		[FAX_OP_SCAN] = FAX_FMT_BLACK_IS_0,
		[FAX_OP_PRINT] = FAX_FMT_BLACK_IS_0,
		[FAX_OP_ENCODE] = FAX_FMT_LSB_FIRST | FAX_FMT_BLACK_IS_0 | FAX_FMT_EOL |
				  FAX_FMT_EOL_ALIGN | FAX_FMT_END,
		[FAX_OP_DECODE] = FAX_FMT_LSB_FIRST | FAX_FMT_BLACK_IS_0 | FAX_FMT_EOL |
				  FAX_FMT_EOL_ALIGN | FAX_FMT_WHITEN,
	};
	u32 k = chunk->op == FAX_OP_ENCODE ? chunk->fmt.k : 0;

	return chunk->fmt.encoding | k << FAXB_FORMAT_K_SHIFT |
	       (chunk->fmt.flags & known[chunk->op]) << FAXB_FORMAT_FLAGS_SHIFT;
}

static int fill(struct faxb_queue *q, u32 slot, const struct fax_chunk *chunk, u32 tag)
{
	__le32 *e = q->rings + slot * FAXB_SQE_WORDS;
	bool paper = chunk->op == FAX_OP_SCAN || chunk->op == FAX_OP_PRINT;
	u32 own = lap_parity(q->tail) ? FAXB_CTRL_OWN : 0;
	int ret;

	ret = put_side(q, slot, 0, chunk->raw, chunk->nraw, e + FAXB_SQE_RAW_LO);
	if (!ret)
		ret = put_side(q, slot, 1, chunk->coded, chunk->ncoded, e + FAXB_SQE_CODED_LO);
	if (ret)
		return ret;
	e[FAXB_SQE_TAG] = cpu_to_le32(tag);
	e[FAXB_SQE_FORMAT] = cpu_to_le32(format_of(chunk));
	e[FAXB_SQE_WIDTH] = cpu_to_le32(chunk->fmt.width);
	e[FAXB_SQE_ROWS] = cpu_to_le32(chunk->rows);
	e[FAXB_SQE_STRIDE] = cpu_to_le32(chunk->fmt.stride);
	e[FAXB_SQE_SEG_ROWS] = cpu_to_le32(chunk->op == FAX_OP_DECODE ? chunk->seg_rows : 0);
	e[FAXB_SQE_XRES] = cpu_to_le32(paper ? chunk->fmt.xres : 0);
	e[FAXB_SQE_YRES] = cpu_to_le32(paper ? chunk->fmt.yres : 0);
	e[FAXB_SQE_COUNTS] = cpu_to_le32(chunk->nraw | chunk->ncoded << 16);

	/* the board may read the slot as soon as OWN is in it */
	dma_wmb();
	WRITE_ONCE(e[FAXB_SQE_CTRL], cpu_to_le32(ctrl_of(chunk) | own));
	return 0;
}

/* Put a chunk in the ring; the doorbell is the caller's. */
int faxb_queue_start(struct faxb_queue *q, struct fax_chunk *chunk)
{
	unsigned long flags;
	int ret = -EBUSY;
	u32 slot, tag;

	spin_lock_irqsave(&q->lock, flags);
	slot = q->tail % FAXB_RING_ENTRIES;
	if (q->stopped || q->tail - q->head == FAXB_RING_ENTRIES) {
		q->hungry = true;
		goto out;
	}
	tag = q->gen << 24 | (q->tail & 0xffffff);
	ret = fill(q, slot, chunk, tag);
	if (ret)
		goto out;
	q->slot[slot].chunk = chunk;
	q->slot[slot].tag = tag;
	q->slot[slot].abort = false;
	q->tail++;
out:
	spin_unlock_irqrestore(&q->lock, flags);
	return ret;
}

/*
 * ABORT holds the tag of one descriptor. The board works in order, so the
 * oldest of those to be given up is named until it is done, then the next.
 */
static void update_abort(struct faxb_queue *q)
{
	u32 i, tag = 0;

	for (i = q->head; i != q->tail && !tag; i++)
		if (q->slot[i % FAXB_RING_ENTRIES].abort)
			tag = q->slot[i % FAXB_RING_ENTRIES].tag;
	if (tag != q->abort) {
		q->abort = tag;
		queue_write(q, FAXB_Q_ABORT, tag);
	}
}

void faxb_queue_abort(struct faxb_queue *q, const struct fax_job *job)
{
	unsigned long flags;
	u32 i;

	spin_lock_irqsave(&q->lock, flags);
	for (i = q->head; i != q->tail && !q->stopped; i++)
		if (q->slot[i % FAXB_RING_ENTRIES].chunk->job == job)
			q->slot[i % FAXB_RING_ENTRIES].abort = true;
	if (!q->stopped)
		update_abort(q);
	spin_unlock_irqrestore(&q->lock, flags);
}

static u32 fax_code(u32 code)
{
	static const u32 map[] = {
		[FAXB_CODE_OK] = FAX_CODE_OK,
		[FAXB_CODE_PAPER_OUT] = FAX_CODE_PAPER_OUT,
		[FAXB_CODE_JAM] = FAX_CODE_JAM,
		[FAXB_CODE_COVER] = FAX_CODE_COVER,
		[FAXB_CODE_DMA] = FAX_CODE_DMA,
		[FAXB_CODE_OVERRUN] = FAX_CODE_OVERRUN,
		[FAXB_CODE_UNDERRUN] = FAX_CODE_UNDERRUN,
		[FAXB_CODE_CODING] = FAX_CODE_CODING,
		[FAXB_CODE_OUT_FULL] = FAX_CODE_OUT_FULL,
		[FAXB_CODE_CANCELED] = FAX_CODE_CANCELED,
		[FAXB_CODE_TOO_LONG] = FAX_CODE_TOO_LONG,
		[FAXB_CODE_TOO_WIDE] = FAX_CODE_TOO_WIDE,
	};

	if (code == FAXB_CODE_OK)
		return FAX_CODE_OK;
	/* refused or unknown: either way the board did not do its work */
	return code < ARRAY_SIZE(map) && map[code] ? map[code] : FAX_CODE_RESET;
}

static void read_result(const __le32 *e, struct fax_chunk_result *res)
{
	u32 status = le32_to_cpu(e[FAXB_CQE_STATUS]);

	memset(res, 0, sizeof(*res));
	res->code = fax_code(FAXB_STATUS_CODE(status));
	if (status & FAXB_DONE_PAGE_END)
		res->flags |= FAX_RESULT_PAGE_END;
	if (status & FAXB_DONE_MORE_PAPER)
		res->flags |= FAX_RESULT_MORE_PAPER;
	if (status & FAXB_DONE_SHORT)
		res->flags |= FAX_RESULT_SHORT;
	res->rows = le32_to_cpu(e[FAXB_CQE_ROWS]);
	res->bytes = le32_to_cpu(e[FAXB_CQE_BYTES]);
	res->rows_bad = le32_to_cpu(e[FAXB_CQE_ROWS_BAD]);
	res->first_bad_row = le32_to_cpu(e[FAXB_CQE_FIRST_BAD]);
	res->max_bad_run = le32_to_cpu(e[FAXB_CQE_BAD_RUN]);
}

/* The oldest chunk that is done, or NULL. -EPROTO: the board answered what nobody asked. */
static int take(struct faxb_queue *q, struct fax_chunk **chunk, struct fax_chunk_result *res)
{
	u32 seq = (q->head & FAXB_SEQ_COUNT) | (lap_parity(q->head) ? FAXB_SEQ_PHASE : 0);
	u32 slot = q->head % FAXB_RING_ENTRIES;
	const __le32 *ring = q->rings + SQ_BYTES / sizeof(*ring) + slot * FAXB_CQE_WORDS;
	__le32 e[FAXB_CQE_WORDS];

	*chunk = NULL;
	if (q->stopped || q->head == q->tail ||
	    le32_to_cpu(READ_ONCE(ring[FAXB_CQE_SEQ])) != seq)
		return 0;
	dma_rmb();
	memcpy(e, ring, sizeof(e));
	if (le32_to_cpu(e[FAXB_CQE_TAG]) != q->slot[slot].tag)
		return -EPROTO;

	read_result(e, res);
	if (FAXB_STATUS_CODE(le32_to_cpu(e[FAXB_CQE_STATUS])) == FAXB_CODE_BAD_DESC)
		dev_err_ratelimited(q->b->desc.dev, "queue %u: descriptor refused\n", q->nr);
	*chunk = q->slot[slot].chunk;
	q->slot[slot].chunk = NULL;
	q->slot[slot].abort = false;
	q->head++;
	update_abort(q);
	return 0;
}

/*
 * Called by one interrupt at a time. A reset sets stopped and waits for the
 * interrupt, so a chunk that was taken here is reported before it is forgotten
 * there.
 */
void faxb_queue_reap(struct faxb_queue *q)
{
	struct fax_chunk_result res;
	struct fax_chunk *chunk;
	bool ready = false;
	unsigned long flags;
	int ret;

	for (;;) {
		spin_lock_irqsave(&q->lock, flags);
		ret = take(q, &chunk, &res);
		if (chunk && q->hungry) {
			q->hungry = false;
			ready = true;
		}
		spin_unlock_irqrestore(&q->lock, flags);
		if (!chunk)
			break;
		fax_chunk_done(q->func->func, chunk, &res);
	}
	if (ready)
		fax_func_ready(q->func->func);
	if (ret)
		fax_board_fault(q->b->board, FAX_CODE_DMA);
}
