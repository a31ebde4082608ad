// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Scanner and printer engine: one sheet each at a time. */
#include "internal.h"

/* No overflow: pixels and resolutions are below 2^20, and 100 pixels a metre is the coarsest. */
static u32 scale(u32 n, u32 to, u32 from)
{
	return (u32)fm_div((u64)n * to, from);
}

/* The pixel or row of the original whose middle lies nearest to that of @n. */
static u32 nearest(u32 n, u32 count, u32 to, u32 from)
{
	u64 at = fm_div(((u64)2 * n + 1) * from, 2 * to);

	return at < count ? (u32)at : count - 1;
}

static int lost(struct fm_engine *e, int code)
{
	e->page = FM_PAGE_LOST;
	e->page_code = code;
	return code;
}

/* A descriptor without NEW_PAGE and without a page: what became of the page, if there was one. */
static int no_page(const struct fm_engine *e)
{
	return e->page == FM_PAGE_LOST ? e->page_code : FAXB_CODE_BAD_DESC;
}

/* Without paper the descriptor waits, unless it was told not to. */
static int hold(struct fm_engine *e, const struct fm_work *w, int code)
{
	return w->ctrl & FAXB_CTRL_NOWAIT ? lost(e, code) : FM_STEP_HOLD;
}

static bool black_is_0(const struct fm_work *w)
{
	return FAXB_FORMAT_FLAGS(w->sqe[FAXB_SQE_FORMAT]) & FAXB_FMT_BLACK_IS_0;
}

static void invert(u8 *row, u32 len)
{
	while (len--) {
		*row = (u8)~*row;
		row++;
	}
}

/* Pixels behind @width in the last byte become white (0). */
static void clear_pad(u8 *row, u32 width)
{
	if (width % 8)
		row[width / 8] &= (u8)(0xff00u >> width % 8);
}

void fm_scan_reset(struct fm_board *b)
{
	if (b->scan.loaded)
		b->ops->release(b->owner);
	b->scan.loaded = false;
	b->scan.page = FM_PAGE_NONE;
}

void fm_scan_cancel(struct fm_board *b)
{
	fm_scan_reset(b);
	lost(&b->scan, FAXB_CODE_CANCELED);
}

/* An original that does not fit stays in the feeder: another format may be tried. */
static int scan_feed(struct fm_board *b, const struct fm_work *w)
{
	struct fm_engine *e = &b->scan;
	struct fm_sheet *s = &e->sheet;
	u32 xres = w->sqe[FAXB_SQE_XRES], yres = w->sqe[FAXB_SQE_YRES];
	int code;

	fm_scan_reset(b);
	code = b->ops->original(b->owner, s);
	if (code)
		return hold(e, w, code);
	e->width = scale(s->width, xres, s->xres);
	e->rows = scale(s->rows, yres, s->yres);
	if (e->width > w->sqe[FAXB_SQE_WIDTH])
		return lost(e, FAXB_CODE_TOO_WIDE);
	if (e->rows > FAXB_ROWS_MAX)
		return lost(e, FAXB_CODE_TOO_LONG);
	code = b->ops->feed(b->owner);
	if (code)
		return code == FM_WAIT ? code : lost(e, code);
	e->page = FM_PAGE_MOVING;
	e->loaded = true;
	e->row = 0;
	return FAXB_CODE_OK;
}

/* One row of the original, at the resolution asked for, white at the right. */
static void scan_line(const struct fm_engine *e, const struct fm_work *w, const u8 *from, u8 *to)
{
	u32 x, at, width = e->width, xres = w->sqe[FAXB_SQE_XRES];

	memset(to, 0, w->row_bytes);
	if (xres == e->sheet.xres) {
		memcpy(to, from, width / 8 + !!(width % 8));
		clear_pad(to, width);
	} else {
		for (x = 0; x < width; x++) {
			at = nearest(x, e->sheet.width, xres, e->sheet.xres);
			to[x / 8] |= (u8)((from[at / 8] >> (7 - at % 8) & 1) << (7 - x % 8));
		}
	}
	if (black_is_0(w))
		invert(to, w->row_bytes);
}

static int scan_rows(struct fm_board *b, u32 batch, u32 *done)
{
	struct fm_queue *queue = &b->queue[FAXB_Q_SCAN];
	struct fm_engine *e = &b->scan;
	const struct fm_work *w = &queue->work;
	int code = FAXB_CODE_OK;
	const u8 *row;

	for (*done = 0; *done < batch && e->row < e->rows; ++*done, e->row++) {
		row = b->ops->scan_row(b->owner, nearest(e->row, e->sheet.rows,
							 w->sqe[FAXB_SQE_YRES], e->sheet.yres),
				       &code);
		if (!row)
			break;
		scan_line(e, w, row, queue->raw + *done * w->row_bytes);
	}
	if (code > 0)
		lost(e, code);
	return code;
}

int fm_scan_step(struct fm_board *b)
{
	struct fm_work *w = &b->queue[FAXB_Q_SCAN].work;
	struct fm_engine *e = &b->scan;
	int moved, code;
	u32 n;

	if (w->ctrl & FAXB_CTRL_NEW_PAGE) {
		code = scan_feed(b, w);
		if (code)
			return code;
		w->ctrl &= ~FAXB_CTRL_NEW_PAGE;
	}
	if (e->page != FM_PAGE_MOVING && e->page != FM_PAGE_ENDED)
		return no_page(e);

	moved = scan_rows(b, fm_rows_batch(w), &n);
	code = fm_rows_write(b, FAXB_Q_SCAN, n);
	if (code)
		return code;
	w->rows += n;
	if (moved)
		return moved;
	if (e->row == e->rows) {
		fm_scan_reset(b);
		e->page = FM_PAGE_ENDED;
		w->flags |= FAXB_DONE_PAGE_END;
	} else if (w->rows < w->sqe[FAXB_SQE_ROWS]) {
		return FM_STEP_MORE;
	}
	if (b->ops->more(b->owner))
		w->flags |= FAXB_DONE_MORE_PAPER;
	return FAXB_CODE_OK;
}

/* A sheet that is half printed comes out as it is. */
void fm_print_reset(struct fm_board *b)
{
	if (b->print.loaded)
		b->ops->eject(b->owner);
	b->print.loaded = false;
	b->print.page = FM_PAGE_NONE;
}

void fm_print_cancel(struct fm_board *b)
{
	fm_print_reset(b);
	lost(&b->print, FAXB_CODE_CANCELED);
}

static int print_load(struct fm_board *b, const struct fm_work *w)
{
	struct fm_engine *e = &b->print;
	int code;

	fm_print_reset(b);
	code = b->ops->ready(b->owner);
	if (code)
		return hold(e, w, code);
	code = b->ops->load(b->owner, w->sqe[FAXB_SQE_WIDTH], w->sqe[FAXB_SQE_XRES],
			    w->sqe[FAXB_SQE_YRES]);
	if (code)
		return code == FM_WAIT ? code : lost(e, code);
	e->page = FM_PAGE_MOVING;
	e->loaded = true;
	e->rows = 0;
	e->width = w->sqe[FAXB_SQE_WIDTH];
	return FAXB_CODE_OK;
}

/* stage_at of stage_len rows in queue.raw are on paper. */
static int print_rows(struct fm_board *b, struct fm_work *w)
{
	u8 *raw = b->queue[FAXB_Q_PRINT].raw;
	struct fm_engine *e = &b->print;
	int code;

	for (; w->stage_at < w->stage_len; w->stage_at++) {
		memcpy(e->line, raw + w->stage_at * w->row_bytes, w->row_bytes);
		if (black_is_0(w))
			invert(e->line, w->row_bytes);
		clear_pad(e->line, e->width);
		code = b->ops->print_row(b->owner, e->line);
		if (code)
			return code == FM_WAIT ? code : lost(e, code);
		w->rows++;
		e->rows++;
	}
	return FAXB_CODE_OK;
}

int fm_print_step(struct fm_board *b)
{
	struct fm_work *w = &b->queue[FAXB_Q_PRINT].work;
	struct fm_engine *e = &b->print;
	int code;

	if (w->ctrl & FAXB_CTRL_NEW_PAGE) {
		code = print_load(b, w);
		if (code)
			return code;
		w->ctrl &= ~FAXB_CTRL_NEW_PAGE;
	}
	if (e->page != FM_PAGE_MOVING)
		return no_page(e);
	if (w->sqe[FAXB_SQE_WIDTH] != e->width)
		return FAXB_CODE_BAD_DESC;
	if (e->rows - w->rows + w->sqe[FAXB_SQE_ROWS] > FAXB_ROWS_MAX)
		return FAXB_CODE_TOO_LONG;

	if (w->stage_at == w->stage_len) {
		w->stage_at = 0;
		w->stage_len = fm_rows_batch(w);
		code = fm_rows_read(b, FAXB_Q_PRINT, w->stage_len);
		if (code)
			return code;
	}
	code = print_rows(b, w);
	if (code)
		return code;
	if (w->rows < w->sqe[FAXB_SQE_ROWS])
		return FM_STEP_MORE;
	if (w->ctrl & FAXB_CTRL_LAST)
		fm_print_reset(b);
	return FAXB_CODE_OK;
}
