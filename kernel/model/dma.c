// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Walking scatter lists, and rows that lie a stride apart. */
#include "internal.h"

void fm_cursor_init(struct fm_cursor *c, u32 count, u32 lo, u32 hi, u32 len)
{
	u64 addr = (u64)hi << 32 | lo;

	memset(c, 0, sizeof(*c));
	c->count = count;
	c->total = len;
	if (count == 1) {
		c->addr = addr;
		c->left = len;
		c->next = 1;
	} else {
		c->list = addr;
	}
}

static int load_entries(struct fm_board *b, struct fm_cursor *c)
{
	u32 i, n = fm_min(c->count - c->next, FM_SG_CACHE);
	u8 raw[FM_SG_CACHE * FAXB_SGE_SIZE];

	if (b->ops->read(b->owner, c->list + (u64)c->next * FAXB_SGE_SIZE, raw, n * FAXB_SGE_SIZE))
		return FAXB_CODE_DMA;
	for (i = 0; i < n * 4; i++)
		c->cache[i / 4][i % 4] = fm_get_le32(raw + i * 4);
	c->cached = n;
	c->cache_at = 0;
	return FAXB_CODE_OK;
}

static int next_stretch(struct fm_board *b, struct fm_cursor *c)
{
	const u32 *e;
	int code;

	if (c->next >= c->count)
		return FAXB_CODE_BAD_DESC;
	if (c->cache_at == c->cached) {
		code = load_entries(b, c);
		if (code)
			return code;
	}
	e = c->cache[c->cache_at++];
	c->next++;
	if (!e[FAXB_SGE_LEN] || e[FAXB_SGE_ZERO])
		return FAXB_CODE_BAD_DESC;
	c->addr = (u64)e[FAXB_SGE_HI] << 32 | e[FAXB_SGE_LO];
	c->left = e[FAXB_SGE_LEN];
	return FAXB_CODE_OK;
}

/* Bytes that can be moved at once, up to @len; 0 and *code when there are none. */
static u32 here(struct fm_board *b, struct fm_cursor *c, u32 len, int *code)
{
	*code = FAXB_CODE_OK;
	if (len > c->total)
		*code = FAXB_CODE_BAD_DESC;
	else if (!c->left)
		*code = next_stretch(b, c);
	return *code ? 0 : fm_min(len, c->left);
}

static void advance(struct fm_cursor *c, u32 n)
{
	c->addr += n;
	c->left -= n;
	c->total -= n;
}

int fm_cursor_read(struct fm_board *b, u32 q, struct fm_cursor *c, u8 *buf, u32 len)
{
	int code;
	u32 n;

	if (len && fm_take_fault(b, q, FM_FAULT_DMA))
		return FAXB_CODE_DMA;
	for (; len; len -= n, buf += n) {
		n = here(b, c, len, &code);
		if (code)
			return code;
		if (b->ops->read(b->owner, c->addr, buf, n))
			return FAXB_CODE_DMA;
		advance(c, n);
	}
	return FAXB_CODE_OK;
}

int fm_cursor_write(struct fm_board *b, u32 q, struct fm_cursor *c, const u8 *buf, u32 len)
{
	int code;
	u32 n;

	if (len && fm_take_fault(b, q, FM_FAULT_DMA))
		return FAXB_CODE_DMA;
	for (; len; len -= n, buf += n) {
		n = here(b, c, len, &code);
		if (code)
			return code;
		if (b->ops->write(b->owner, c->addr, buf, n))
			return FAXB_CODE_DMA;
		advance(c, n);
	}
	return FAXB_CODE_OK;
}

static int skip(struct fm_board *b, struct fm_cursor *c, u32 len)
{
	int code;
	u32 n;

	/* behind the last row there may be no gap */
	for (len = fm_min(len, c->total); len; len -= n) {
		n = here(b, c, len, &code);
		if (code)
			return code;
		advance(c, n);
	}
	return FAXB_CODE_OK;
}

/* Rows of the descriptor that fit the stage and the turn. */
u32 fm_rows_batch(const struct fm_work *w)
{
	u32 n = fm_min(FM_STAGE / w->row_bytes, FM_STEP_ROWS);

	return fm_min(n, w->sqe[FAXB_SQE_ROWS] - w->rows);
}

/* Rows from memory to queue.raw, packed. */
int fm_rows_read(struct fm_board *b, u32 q, u32 rows)
{
	struct fm_queue *queue = &b->queue[q];
	struct fm_work *w = &queue->work;
	u32 i, gap = w->sqe[FAXB_SQE_STRIDE] - w->row_bytes;
	int code = FAXB_CODE_OK;

	if (!gap)
		return fm_cursor_read(b, q, &w->raw, queue->raw, rows * w->row_bytes);
	for (i = 0; i < rows && !code; i++) {
		code = fm_cursor_read(b, q, &w->raw, queue->raw + i * w->row_bytes, w->row_bytes);
		if (!code)
			code = skip(b, &w->raw, gap);
	}
	return code;
}

/* Rows from queue.raw to memory; the gap between rows is left alone. */
int fm_rows_write(struct fm_board *b, u32 q, u32 rows)
{
	struct fm_queue *queue = &b->queue[q];
	struct fm_work *w = &queue->work;
	u32 i, gap = w->sqe[FAXB_SQE_STRIDE] - w->row_bytes;
	int code = FAXB_CODE_OK;

	if (!gap)
		return fm_cursor_write(b, q, &w->raw, queue->raw, rows * w->row_bytes);
	for (i = 0; i < rows && !code; i++) {
		code = fm_cursor_write(b, q, &w->raw, queue->raw + i * w->row_bytes, w->row_bytes);
		if (!code)
			code = skip(b, &w->raw, gap);
	}
	return code;
}
