/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mirror image of scan.c: the printer's job, queued first, draws from a
 * pipe that the coder's job fills from the segments of the page. Both have
 * ended before the next page may start. Without a coder the page is decoded
 * here, into a buffer of pixels, and is one job.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "device/func.h"
#include "device/print.h"
#include "device/softcoder.h"
#include "device/words.h"

#define BAND_ROWS	1188		/* half a page; each band wakes the kernel twice */
#define BANDS		2
#define BUF_STEP	(1u << 20)
#define CODED_MAX	(64u << 20)	/* of a page */
#define RAW_MAX		(128u << 20)
#define FINE		8000u		/* widths in fax_caps are for this resolution */
#define SEG_ALIGN	64u
#define SEG_FLAGS	(FAX_FMT_LSB_FIRST | FAX_FMT_EOL | FAX_FMT_EOL_ALIGN | FAX_FMT_WHITEN)
#define COOKIE_PRINT	1
#define COOKIE_DECODE	2

struct hw_printer {
	struct printer base;
	struct func *print;
	struct func *coder;	/* NULL: decoded on the processor */
	struct func_buf buf;	/* of the coder: code; else, of the printer: pixels */
	int pipe;		/* -1 = none */
	uint32_t pipe_width;
	uint32_t conditions;
	struct fax_seg segs[FAX_MAX_SEGS];

	/* the page */
	bool busy;
	uint32_t print_job;	/* 0 = not queued or ended */
	uint32_t coder_job;
	struct fax_completion printed;
	struct fax_completion decoded;
	uint32_t stop_code;	/* why it was stopped from here, 0 = it was not */
	const struct print_handlers *handlers;
	void *handlers_data;

	void (*changed)(void *userdata);
	void *changed_data;
};

/* A page on its way in: the banner, if any, is strip 0. */
struct sheet {
	const struct page *page;
	const struct page_strip *banner;
	uint32_t rows;
	uint32_t nstrips;
};

static const struct page_strip *sheet_strip(const struct sheet *s, uint32_t i)
{
	if (!s->banner)
		return &s->page->strips[i];
	return i ? &s->page->strips[i - 1] : s->banner;
}

static bool takes_width(const struct fax_caps *caps, uint32_t width, uint32_t xres)
{
	if (!caps->nwidths)
		return width >= caps->width_min && width <= caps->width_max;
	for (uint32_t i = 0; i < caps->nwidths; i++)
		if ((uint64_t)caps->widths[i] * xres / FINE == width)
			return width <= caps->width_max;
	return false;
}

static bool takes_resolution(const struct fax_caps *caps, uint32_t x, uint32_t y)
{
	for (uint32_t i = 0; i < caps->nresolutions; i++)
		if (caps->resolutions[i].x == x && caps->resolutions[i].y == y)
			return true;
	return !caps->nresolutions;
}

int print_fits(const struct fax_caps *caps, const struct page *page, struct error *e)
{
	if (!takes_resolution(caps, page->xres, page->yres))
		return error_set(e, -EOPNOTSUPP,
				 "The page has %u by %u pixels per metre, which the printer cannot "
				 "print.", page->xres, page->yres);
	if (!takes_width(caps, page->width, page->xres))
		return error_set(e, -EMSGSIZE,
				 "The page is %u pixels wide, for which the printer has no paper.",
				 page->width);
	if (caps->rows_max && page->rows > caps->rows_max)
		return error_set(e, -EMSGSIZE,
				 "The page has %u lines, but the printer takes at most %u.",
				 page->rows, caps->rows_max);
	return 0;
}

static int check_sheet(const struct hw_printer *p, const struct sheet *s, struct error *e)
{
	int r = print_fits(&p->print->caps, s->page, e);

	if (r < 0)
		return r;
	if (!s->page->nstrips || s->nstrips > FAX_MAX_SEGS)
		return error_set(e, -EMSGSIZE, "The page has %u strips, the coder takes 1 to %u.",
				 s->nstrips, FAX_MAX_SEGS);
	if (p->print->caps.rows_max && s->rows > p->print->caps.rows_max)
		return error_set(e, -EMSGSIZE, "The page and its notice do not fit on one sheet.");
	for (uint32_t i = 0; i < s->nstrips; i++) {
		const struct page_strip *strip = sheet_strip(s, i);

		if (!strip->len || strip->encoding < FAX_ENC_MH || strip->encoding > FAX_ENC_MMR)
			return error_set(e, -EINVAL, "A strip of the page is empty or not coded.");
		if (p->coder && !(p->coder->caps.decodings & 1u << strip->encoding))
			return error_set(e, -EOPNOTSUPP,
					 "The board's coder does not know the page's encoding.");
	}
	return 0;
}

static struct func *buf_owner(struct hw_printer *p)
{
	return p->coder ? p->coder : p->print;
}

static int prepare_buf(struct hw_printer *p, size_t size, size_t max)
{
	if (size > max)
		return -EMSGSIZE;
	if (p->buf.data && p->buf.size >= size)
		return 0;
	func_buf_free(buf_owner(p), &p->buf);
	return func_buf_alloc(buf_owner(p), (size + BUF_STEP - 1) / BUF_STEP * BUF_STEP, &p->buf);
}

static void close_pipe(struct hw_printer *p)
{
	if (p->pipe >= 0)
		p->print->sys->close(p->pipe);
	p->pipe = -1;
}

static int prepare_pipe(struct hw_printer *p, uint32_t width)
{
	int r;

	if (p->pipe >= 0 && p->pipe_width == width)
		return 0;
	close_pipe(p);
	r = func_pipe_alloc(p->print, width, BAND_ROWS, BANDS, &p->pipe);
	if (r >= 0)
		p->pipe_width = width;
	return r;
}

static size_t seg_room(size_t len)
{
	return (len + SEG_ALIGN - 1) / SEG_ALIGN * SEG_ALIGN;
}

/* Copies the code into the buffer and writes down where each strip lies. */
static int load_code(struct hw_printer *p, const struct sheet *s)
{
	size_t size = 0, offset = 0;
	int r;

	for (uint32_t i = 0; i < s->nstrips; i++) {
		size_t len = sheet_strip(s, i)->len;

		if (len > CODED_MAX || size > CODED_MAX)
			return -EMSGSIZE;
		size += seg_room(len);
	}
	r = prepare_buf(p, size, CODED_MAX);
	if (r < 0)
		return r;
	r = func_buf_begin(p->coder, &p->buf, true);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < s->nstrips; i++) {
		const struct page_strip *strip = sheet_strip(s, i);

		memcpy((char *)p->buf.data + offset, strip->data, strip->len);
		p->segs[i] = (struct fax_seg){
			.buf = p->buf.handle,
			.dir = FAX_SEG_IN,
			.offset = offset,
			.length = strip->len,
			.encoding = strip->encoding,
			.rows = strip->rows,
			.flags = strip->flags & SEG_FLAGS,
		};
		offset += seg_room(strip->len);
	}
	return func_buf_end(p->coder, &p->buf, true);
}

/* Without a coder: the same into pixels. */
static int load_pixels(struct hw_printer *p, const struct sheet *s)
{
	size_t stride = (s->page->width + 7) / 8;
	uint32_t row = 0;
	int r = prepare_buf(p, s->rows * stride, RAW_MAX);
	int q;

	if (r < 0)
		return r;
	r = func_buf_begin(p->print, &p->buf, true);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < s->nstrips && r >= 0; i++) {
		uint32_t rows, bad;

		r = softcoder_decode(sheet_strip(s, i), s->page->width,
				     (char *)p->buf.data + row * stride, stride, s->rows - row,
				     &rows, &bad);
		row += rows;
		p->decoded.rows_bad += bad;
	}
	q = func_buf_end(p->print, &p->buf, true);
	p->segs[0] = (struct fax_seg){
		.buf = p->buf.handle,
		.dir = FAX_SEG_IN,
		.length = row * stride,
	};
	return r < 0 ? r : q;
}

static int submit_printer(struct hw_printer *p, const struct page *page)
{
	struct fax_submit sub = {
		.op = FAX_OP_PRINT,
		.cookie = COOKIE_PRINT,
		.fmt = {
			.encoding = FAX_ENC_RAW,
			.width = page->width,
			.xres = page->xres,
			.yres = page->yres,
		},
		.pipe = p->coder ? p->pipe : -1,
		.nsegs = p->coder ? 0 : 1,
		.segs = p->coder ? 0 : (uintptr_t)p->segs,
	};
	int r;

	if (!p->coder)
		sub.fmt.rows = p->segs[0].length / ((page->width + 7) / 8);
	r = func_submit(p->print, &sub);
	if (r >= 0)
		p->print_job = sub.job;
	return r;
}

static int submit_coder(struct hw_printer *p, const struct sheet *s)
{
	struct fax_submit sub = {
		.op = FAX_OP_DECODE,
		.cookie = COOKIE_DECODE,
		.fmt = {
			.encoding = FAX_ENC_RAW,
			.width = s->page->width,
			.xres = s->page->xres,
			.yres = s->page->yres,
		},
		.pipe = p->pipe,
		.nsegs = s->nstrips,
		.segs = (uintptr_t)p->segs,
	};
	int r = func_submit(p->coder, &sub);

	if (r >= 0)
		p->coder_job = sub.job;
	return r;
}

static void stop_page(struct hw_printer *p, uint32_t code)
{
	if (!p->stop_code)
		p->stop_code = code;
	if (p->print_job)
		func_cancel(p->print, p->print_job);
	if (p->coder_job)
		func_cancel(p->coder, p->coder_job);
}

static int submit_page(struct hw_printer *p, const struct sheet *s)
{
	int r = submit_printer(p, s->page);

	if (r < 0 || !p->coder)
		return r;
	r = submit_coder(p, s);
	if (r < 0)	/* the printer's job is on its way out; the page ends with it */
		stop_page(p, r == -ENODEV ? FAX_CODE_GONE : FAX_CODE_CODING);
	return 0;
}

static int hw_page(struct printer *base, const struct page *page, const struct page_strip *banner,
		   const struct print_handlers *handlers, void *userdata, struct error *e)
{
	struct hw_printer *p = (struct hw_printer *)base;
	struct sheet s = {
		.page = page,
		.banner = banner,
		.rows = page->rows + (banner ? banner->rows : 0),
		.nstrips = page->nstrips + (banner ? 1 : 0),
	};
	int r;

	if (p->busy)
		return error_set(e, -EBUSY, "The printer is at work on a page already.");
	r = check_sheet(p, &s, e);
	if (r < 0)
		return r;
	p->print_job = 0;
	p->coder_job = 0;
	p->printed = (struct fax_completion){};
	p->decoded = (struct fax_completion){};
	p->stop_code = 0;
	r = p->coder ? load_code(p, &s) : load_pixels(p, &s);
	if (r >= 0 && p->coder)
		r = prepare_pipe(p, page->width);
	if (r >= 0)
		r = submit_page(p, &s);
	if (r == -ENODEV)
		return code_error(e, FAX_FUNC_PRINT, FAX_CODE_GONE);
	if (r < 0)
		return error_set(e, r, "The page cannot be printed: %s.", strerror(-r));
	p->handlers = handlers;
	p->handlers_data = userdata;
	p->busy = true;
	return 0;
}

/* Which side is to blame: what a peer or our own cancel did to the other is not the cause. */
static uint32_t page_code(const struct hw_printer *p)
{
	if (p->stop_code)
		return p->stop_code;
	if (p->printed.code != FAX_CODE_OK && p->printed.code != FAX_CODE_PEER)
		return p->printed.code;
	if (p->decoded.code != FAX_CODE_OK && p->decoded.code != FAX_CODE_PEER)
		return p->decoded.code;
	if (p->printed.code == FAX_CODE_PEER)
		return p->printed.peer_code ?: FAX_CODE_PEER;
	/* The sheet is out: that the coder heard of it late is no failure. */
	return FAX_CODE_OK;
}

static void finish_page(struct hw_printer *p)
{
	struct print_result result = {
		.code = page_code(p),
		.rows = p->printed.rows,
		.rows_bad = p->decoded.rows_bad,
	};

	p->busy = false;
	if (result.code != FAX_CODE_OK) {
		close_pipe(p);	/* what the two sides left in it is nobody's */
		/* Waiting proves nothing: the tray is empty, too, while its last sheet moves. */
		result.untouched = result.code == FAX_CODE_PAPER_OUT && !result.rows;
		code_error(&result.error, FAX_FUNC_PRINT, result.code);
	}
	p->handlers->done(p->handlers_data, &result);
}

static void maybe_finish(struct hw_printer *p)
{
	if (p->busy && !p->print_job && !p->coder_job)
		finish_page(p);
}

static void on_print_completed(void *userdata, const struct fax_completion *c)
{
	struct hw_printer *p = userdata;

	if (!p->print_job || c->job != p->print_job)
		return;
	p->print_job = 0;
	p->printed = *c;
	maybe_finish(p);
}

static void on_coder_completed(void *userdata, const struct fax_completion *c)
{
	struct hw_printer *p = userdata;

	if (!p->coder_job || c->job != p->coder_job)
		return;
	p->coder_job = 0;
	p->decoded = *c;
	maybe_finish(p);
}

static void update_conditions(struct hw_printer *p, uint32_t conditions)
{
	if (p->conditions == conditions)
		return;
	p->conditions = conditions;
	if (p->changed)
		p->changed(p->changed_data);
}

static void ask_conditions(struct hw_printer *p)
{
	struct fax_status st;

	if (func_status(p->print, &st) >= 0)
		update_conditions(p, st.conditions);
}

static void on_print_event(void *userdata, const struct fax_event *event)
{
	struct hw_printer *p = userdata;
	bool ours = p->busy && p->print_job && event->job == p->print_job;

	if (event->type == FAX_EVENT_JOB_WAITING && ours) {
		p->handlers->waiting(p->handlers_data, event->conditions);
	} else if (event->type == FAX_EVENT_JOB_GOES_ON && ours) {
		p->handlers->goes_on(p->handlers_data);
	}
	if (event->type == FAX_EVENT_LOST)
		ask_conditions(p);
	else
		update_conditions(p, event->conditions);
}

static void on_coder_event(void *userdata, const struct fax_event *event)
{
}

/* Completions that are still to come find no job and are dropped. */
static void hw_stop(struct printer *base)
{
	struct hw_printer *p = (struct hw_printer *)base;

	if (!p->busy)
		return;
	stop_page(p, FAX_CODE_GONE);
	p->print_job = 0;
	p->coder_job = 0;
	finish_page(p);
}

static void on_gone(void *userdata)
{
	struct hw_printer *p = userdata;

	hw_stop(&p->base);
	if (p->changed)
		p->changed(p->changed_data);
}

static const struct func_handlers print_handlers = {
	.completed = on_print_completed,
	.event = on_print_event,
	.gone = on_gone,
};

static const struct func_handlers coder_handlers = {
	.completed = on_coder_completed,
	.event = on_coder_event,
	.gone = on_gone,
};

static int hw_claim(struct printer *base, struct error *e)
{
	int r = func_claim(((struct hw_printer *)base)->print);

	if (r == -EBUSY)
		return error_set(e, r, "Another program uses the printer.");
	if (r < 0)
		return error_set(e, r, "The printer cannot be used: %s.", strerror(-r));
	return 0;
}

static void hw_release(struct printer *base)
{
	func_release(((struct hw_printer *)base)->print);
}

static void hw_cancel(struct printer *base)
{
	struct hw_printer *p = (struct hw_printer *)base;

	if (p->busy)
		stop_page(p, FAX_CODE_CANCELED);
}

static uint32_t hw_conditions(struct printer *base)
{
	return ((struct hw_printer *)base)->conditions;
}

static const struct printer_ops hw_printer_ops = {
	.claim = hw_claim,
	.release = hw_release,
	.page = hw_page,
	.cancel = hw_cancel,
	.stop = hw_stop,
	.conditions = hw_conditions,
};

int printer_new(struct printer **ret, struct func *print, struct func *coder)
{
	struct hw_printer *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->base.ops = &hw_printer_ops;
	memcpy(p->base.serial, print->info.serial, sizeof(p->base.serial));
	p->print = print;
	p->coder = coder;
	p->pipe = -1;
	func_set_handlers(print, &print_handlers, p);
	if (coder)
		func_set_handlers(coder, &coder_handlers, p);
	ask_conditions(p);
	*ret = &p->base;
	return 0;
}

void printer_free(struct printer *base)
{
	struct hw_printer *p = (struct hw_printer *)base;

	if (!p)
		return;
	func_set_handlers(p->print, NULL, NULL);
	if (p->coder)
		func_set_handlers(p->coder, NULL, NULL);
	close_pipe(p);
	func_buf_free(buf_owner(p), &p->buf);
	free(p);
}

void printer_on_change(struct printer *base, void (*changed)(void *userdata), void *userdata)
{
	struct hw_printer *p = (struct hw_printer *)base;

	p->changed = changed;
	p->changed_data = userdata;
}
