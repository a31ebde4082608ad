/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A page is two jobs: the coder's, queued first, and the scanner's, that feeds
 * it through a pipe of bands inside the kernel. The page is complete, or has
 * failed, when both have ended; pipe and buffer are then ready for the next.
 * Without a coder the page is one job into a buffer of pixels.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "device/func.h"
#include "device/scan.h"
#include "device/softcoder.h"
#include "device/words.h"

#define BAND_ROWS	1188		/* half a page; each band wakes the kernel twice */
#define BANDS		2
#define CODED_BUF	(1u << 20)	/* at a time; more is taken out in turns */
#define CODED_MAX	(64u << 20)	/* of a page */
#define RAW_MAX		(128u << 20)
#define FINE		8000u		/* widths in fax_caps are for this resolution */
#define COOKIE_SCAN	1
#define COOKIE_ENCODE	2

struct hw_scanner {
	struct scanner base;
	struct func *scan;
	struct func *coder;	/* NULL: coded on the processor */
	struct func_buf buf;	/* of the coder: code; else, of the scanner: pixels */
	int pipe;		/* -1 = none */
	uint32_t pipe_width;
	bool next_known;	/* the last page's completion told of the sheet behind it */
	uint32_t next_width;	/* micrometres, 0 = not known to the scanner */
	uint32_t next_height;

	/* the page */
	bool busy;
	uint32_t scan_job;	/* 0 = not queued or ended */
	uint32_t coder_job;
	struct fax_completion scanned;
	struct fax_completion encoded;
	uint32_t stop_code;	/* why it was stopped from here, 0 = it was not */
	struct scan_params params;
	uint32_t width;
	struct buffer code;
	uint64_t taken;		/* bytes of it, as the coder counts */
	scan_done_fn done;
	void *done_data;

	void (*changed)(void *userdata);
	void *changed_data;
};

static uint32_t scaled(uint32_t width, uint32_t xres)
{
	return (uint64_t)width * xres / FINE;
}

/* The least width of the table, at @xres, of at least @pixels; 0 = none is so wide. */
static uint32_t least_width(const struct fax_caps *caps, uint32_t xres, uint64_t pixels)
{
	uint32_t best = 0;

	if (!caps->nwidths) {
		if (pixels < caps->width_min)
			pixels = caps->width_min;
		return pixels <= caps->width_max ? (pixels + 7) & ~7ull : 0;
	}
	for (uint32_t i = 0; i < caps->nwidths; i++) {
		uint32_t w = scaled(caps->widths[i], xres);

		if (w >= pixels && w <= caps->width_max && (!best || w < best))
			best = w;
	}
	return best;
}

static uint32_t widest(const struct fax_caps *caps, uint32_t xres)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < caps->nwidths; i++) {
		uint32_t w = scaled(caps->widths[i], xres);

		if (w > best && w <= caps->width_max)
			best = w;
	}
	return caps->nwidths ? best : caps->width_max;
}

static uint32_t to_mm(uint32_t pixels, uint32_t xres)
{
	return ((uint64_t)pixels * 1000 + xres / 2) / xres;
}

int scan_width(const struct fax_caps *caps, uint32_t paper_width, const struct scan_params *p,
	       uint32_t *ret, struct error *e)
{
	uint64_t need = ((uint64_t)paper_width * p->xres + 999999) / 1000000;
	uint32_t width;

	if (!paper_width)	/* as good as all originals are A4 */
		need = scaled(1728, p->xres);
	width = least_width(caps, p->xres, need);
	if (!width)
		return error_set(e, -EMSGSIZE,
				 "The original is %u mm wide, but the scanner takes at most %u mm: "
				 "use a smaller original or copy.",
				 (paper_width + 500) / 1000,
				 to_mm(widest(caps, p->xres), p->xres));
	if (p->width_max && width > p->width_max)
		return error_set(e, -EMSGSIZE,
				 "The original is %u mm wide, but a recipient takes at most %u mm: "
				 "use a smaller original or copy.",
				 paper_width ? (paper_width + 500) / 1000 : to_mm(width, p->xres),
				 to_mm(p->width_max, p->xres));
	*ret = width;
	return 0;
}

static bool has_resolution(const struct fax_caps *caps, uint32_t x, uint32_t y)
{
	for (uint32_t i = 0; i < caps->nresolutions; i++)
		if (caps->resolutions[i].x == x && caps->resolutions[i].y == y)
			return true;
	return !caps->nresolutions;
}

static int check_params(const struct hw_scanner *s, const struct scan_params *p, struct error *e)
{
	if (p->encoding < FAX_ENC_MH || p->encoding > FAX_ENC_MMR || !p->xres || !p->yres)
		return error_set(e, -EINVAL, "A page cannot be scanned in this form.");
	if (!has_resolution(&s->scan->caps, p->xres, p->yres))
		return error_set(e, -EOPNOTSUPP,
				 "The scanner cannot scan %u by %u pixels per metre: set XRes= and "
				 "YRes= of [Scan] to what it can.", p->xres, p->yres);
	if (s->coder && !(s->coder->caps.encodings & 1u << p->encoding))
		return error_set(e, -EOPNOTSUPP, "The board's coder does not know this encoding.");
	return 0;
}

/* What is wrong with the feeder is better said before a sheet moves. */
static int ask_for_original(struct hw_scanner *s, struct error *e)
{
	struct fax_status st;
	uint32_t stop;
	int r = func_status(s->scan, &st);

	if (r < 0)
		return error_set(e, r, "The scanner does not answer: %s.", strerror(-r));
	stop = conditions_that_stop(st.conditions);
	if (stop) {
		error_set(e, stop == FAX_COND_PAPER_OUT ? -ENOSPC : -EIO, "%s",
			  condition_sentence(FAX_FUNC_SCAN, stop));
		return e ? e->code : -EIO;
	}
	s->next_width = st.paper_width;
	s->next_height = st.paper_height;
	return 0;
}

/* What is in the feeder decides the width. Behind another sheet it is known already. */
static int look_at_original(struct hw_scanner *s, struct error *e)
{
	int r = s->next_known ? 0 : ask_for_original(s, e);

	s->next_known = false;
	if (r < 0)
		return r;
	return scan_width(&s->scan->caps, s->next_width, &s->params, &s->width, e);
}

static void close_pipe(struct hw_scanner *s)
{
	if (s->pipe >= 0)
		s->scan->sys->close(s->pipe);
	s->pipe = -1;
}

static int prepare_pipe(struct hw_scanner *s)
{
	int r;

	if (s->pipe >= 0 && s->pipe_width == s->width)
		return 0;
	close_pipe(s);
	r = func_pipe_alloc(s->scan, s->width, BAND_ROWS, BANDS, &s->pipe);
	if (r >= 0)
		s->pipe_width = s->width;
	return r;
}

static struct func *buf_owner(struct hw_scanner *s)
{
	return s->coder ? s->coder : s->scan;
}

static int prepare_buf(struct hw_scanner *s, size_t size)
{
	if (s->buf.data && s->buf.size >= size)
		return 0;
	func_buf_free(buf_owner(s), &s->buf);
	return func_buf_alloc(buf_owner(s), size, &s->buf);
}

static size_t raw_stride(const struct hw_scanner *s)
{
	return (s->width + 7) / 8;
}

static size_t raw_size(const struct hw_scanner *s)
{
	uint64_t rows = s->scan->caps.rows_max;
	uint64_t size;

	if (s->next_height)	/* and a little for a feeder that slips */
		rows = (uint64_t)s->next_height * s->params.yres / 1000000 * 21 / 20 + 64;
	size = rows * raw_stride(s);
	return size && size < RAW_MAX ? size : RAW_MAX;
}

static int submit_coder(struct hw_scanner *s, uint32_t resume_job)
{
	struct fax_seg seg = {
		.buf = s->buf.handle,
		.dir = FAX_SEG_OUT,
		.length = s->buf.size,
	};
	struct fax_submit sub = {
		.op = FAX_OP_ENCODE,
		.flags = resume_job ? FAX_SUBMIT_RESUME : 0,
		.cookie = COOKIE_ENCODE,
		.fmt = {
			.encoding = s->params.encoding,
			.width = s->width,
			.xres = s->params.xres,
			.yres = s->params.yres,
			.k = s->params.k,
			.flags = s->params.flags,
		},
		.pipe = resume_job ? -1 : s->pipe,
		.nsegs = 1,
		.segs = (uintptr_t)&seg,
		.job = resume_job,
	};
	int r;

	if (resume_job)		/* only the room is new */
		memset(&sub.fmt, 0, sizeof(sub.fmt));
	r = func_submit(s->coder, &sub);
	if (r >= 0)
		s->coder_job = sub.job;
	return r;
}

static int submit_scanner(struct hw_scanner *s)
{
	struct fax_seg seg = {
		.buf = s->buf.handle,
		.dir = FAX_SEG_OUT,
		.length = s->buf.size,
	};
	struct fax_submit sub = {
		.op = FAX_OP_SCAN,
		.flags = FAX_SUBMIT_NOWAIT,
		.cookie = COOKIE_SCAN,
		.fmt = {
			.encoding = FAX_ENC_RAW,
			.width = s->width,
			.xres = s->params.xres,
			.yres = s->params.yres,
		},
		.pipe = s->coder ? s->pipe : -1,
		.nsegs = s->coder ? 0 : 1,
		.segs = s->coder ? 0 : (uintptr_t)&seg,
	};
	int r = func_submit(s->scan, &sub);

	if (r >= 0)
		s->scan_job = sub.job;
	return r;
}

static uint32_t code_of_errno(int r)
{
	return r == -ENOSPC ? FAX_CODE_PAPER_OUT : r == -ENODEV ? FAX_CODE_GONE : FAX_CODE_RESET;
}

static void stop_page(struct hw_scanner *s, uint32_t code)
{
	if (!s->stop_code)
		s->stop_code = code;
	if (s->scan_job)
		func_cancel(s->scan, s->scan_job);
	if (s->coder_job)
		func_cancel(s->coder, s->coder_job);
}

static int submit_page(struct hw_scanner *s)
{
	int r = s->coder ? submit_coder(s, 0) : 0;

	if (r < 0)
		return r;
	r = submit_scanner(s);
	if (r < 0 && s->coder_job) {
		/* The coder's job is on its way out; the page ends when that has ended. */
		stop_page(s, code_of_errno(r));
		return 0;
	}
	return r;
}

static int hw_page(struct scanner *base, const struct scan_params *p, scan_done_fn done,
		   void *userdata, struct error *e)
{
	struct hw_scanner *s = (struct hw_scanner *)base;
	int r;

	if (s->busy)
		return error_set(e, -EBUSY, "The scanner is at work on a page already.");
	r = check_params(s, p, e);
	if (r < 0)
		return r;
	s->params = *p;
	r = look_at_original(s, e);
	if (r < 0)
		return r;
	s->scan_job = 0;
	s->coder_job = 0;
	s->scanned = (struct fax_completion){};
	s->encoded = (struct fax_completion){};
	s->stop_code = 0;
	s->taken = 0;
	buffer_clear(&s->code);
	s->code.max = CODED_MAX;
	r = s->coder ? prepare_pipe(s) : 0;
	if (r >= 0)
		r = prepare_buf(s, s->coder ? CODED_BUF : raw_size(s));
	if (r >= 0)
		r = submit_page(s);
	if (r == -ENOSPC || r == -ENODEV)
		return code_error(e, FAX_FUNC_SCAN, code_of_errno(r));
	if (r < 0)
		return error_set(e, r, "The page cannot be scanned: %s.", strerror(-r));
	s->done = done;
	s->done_data = userdata;
	s->busy = true;
	return 0;
}

/* Which side is to blame: what a peer or our own cancel did to the other is not the cause. */
static uint32_t page_code(const struct hw_scanner *s)
{
	if (s->stop_code)
		return s->stop_code;
	if (s->scanned.code != FAX_CODE_OK && s->scanned.code != FAX_CODE_PEER)
		return s->scanned.code;
	if (s->encoded.code != FAX_CODE_OK && s->encoded.code != FAX_CODE_PEER)
		return s->encoded.code;
	if (s->scanned.code == FAX_CODE_PEER)
		return s->scanned.peer_code ?: FAX_CODE_PEER;
	if (s->encoded.code == FAX_CODE_PEER)
		return s->encoded.peer_code ?: FAX_CODE_PEER;
	return FAX_CODE_OK;
}

static void free_backing(void *backing, size_t len)
{
	free(backing);
}

/* The one strip of the page takes over the code's memory. */
static int fill_page(struct hw_scanner *s, struct page *page)
{
	struct page_strip *strip = calloc(1, sizeof(*strip));

	if (!strip)
		return -ENOMEM;
	*strip = (struct page_strip){
		.data = s->code.data,
		.len = s->code.len,
		.rows = s->scanned.rows,
		.encoding = s->params.encoding,
		.k = s->params.k,
		.flags = s->params.flags,
	};
	*page = (struct page){
		.width = s->width,
		.rows = s->scanned.rows,
		.xres = s->params.xres,
		.yres = s->params.yres,
		.nstrips = 1,
		.strips = strip,
		.backing = s->code.data,
		.backing_len = s->code.len,
		.backing_free = free_backing,
	};
	s->code = (struct buffer){};
	return 0;
}

/* Takes out what the coder wrote, or codes what the scanner wrote. */
static int take_code(struct hw_scanner *s, size_t len)
{
	struct func *owner = buf_owner(s);
	int r = func_buf_begin(owner, &s->buf, false);
	int q;

	if (r < 0)
		return r;
	if (s->coder) {
		r = buffer_append(&s->code, s->buf.data, len);
	} else {
		struct page_strip form = {
			.encoding = s->params.encoding,
			.k = s->params.k,
			.flags = s->params.flags,
		};

		r = softcoder_encode(s->buf.data, raw_stride(s), s->width, s->scanned.rows, &form,
				     &s->code);
	}
	q = func_buf_end(owner, &s->buf, false);
	return r < 0 ? r : q;
}

static int take_page(struct hw_scanner *s, struct page *page)
{
	uint64_t len = s->encoded.bytes_out - s->taken;
	int r;

	if (!s->scanned.rows)
		return -ENODATA;
	if (!s->coder)
		len = (uint64_t)s->scanned.rows * raw_stride(s);
	if (len > s->buf.size || (s->coder && s->encoded.rows != s->scanned.rows))
		return -EPROTO;
	r = take_code(s, len);
	if (r < 0)
		return r;
	return s->code.len ? fill_page(s, page) : -ENODATA;
}

static void finish_page(struct hw_scanner *s)
{
	struct scan_result result = { .code = page_code(s) };
	int r;

	s->busy = false;
	if (result.code != FAX_CODE_OK) {
		close_pipe(s);	/* what the two sides left in it is nobody's */
		code_error(&result.error, FAX_FUNC_SCAN, result.code);
	} else {
		r = take_page(s, &result.page);
		result.more_paper = s->scanned.flags & FAX_DONE_MORE_PAPER;
		s->next_known = result.more_paper;
		s->next_width = s->scanned.next_width;
		s->next_height = s->scanned.next_height;
		if (r < 0) {
			result.code = FAX_CODE_CODING;
			error_set(&result.error, r, "The scanned page could not be taken over: %s.",
				  strerror(-r));
		}
	}
	s->done(s->done_data, &result);
}

static void maybe_finish(struct hw_scanner *s)
{
	if (s->busy && !s->scan_job && !s->coder_job)
		finish_page(s);
}

/* The coder has filled the buffer and waits: empty it and give it back. */
static void give_room(struct hw_scanner *s, const struct fax_completion *c)
{
	uint64_t len = c->bytes_out - s->taken;
	uint32_t job = s->coder_job;
	int r = len && len <= s->buf.size ? take_code(s, len) : -EPROTO;

	if (r >= 0) {
		s->taken = c->bytes_out;
		r = submit_coder(s, job);
	}
	if (r < 0)
		stop_page(s, FAX_CODE_OUT_FULL);
}

static void on_scan_completed(void *userdata, const struct fax_completion *c)
{
	struct hw_scanner *s = userdata;

	if (!s->scan_job || c->job != s->scan_job)
		return;
	s->scan_job = 0;
	s->scanned = *c;
	maybe_finish(s);
}

static void on_coder_completed(void *userdata, const struct fax_completion *c)
{
	struct hw_scanner *s = userdata;

	if (!s->coder_job || c->job != s->coder_job)
		return;
	if (c->code == FAX_CODE_OUT_FULL && !s->stop_code) {
		give_room(s, c);
		return;
	}
	if (c->code == FAX_CODE_OUT_FULL)
		return;		/* canceled meanwhile: its end is still to come */
	s->coder_job = 0;
	s->encoded = *c;
	maybe_finish(s);
}

/*
 * A person stands at a scanner: rather than wait for hands that may not know of
 * it, the page is given up and told so. That the feeder is empty is no reason:
 * so it is while its last sheet moves.
 */
static void on_scan_event(void *userdata, const struct fax_event *event)
{
	struct hw_scanner *s = userdata;

	if (event->type == FAX_EVENT_JOB_WAITING && s->scan_job && event->job == s->scan_job) {
		if (event->conditions & FAX_COND_COVER)
			stop_page(s, FAX_CODE_COVER);
		else if (event->conditions & FAX_COND_JAM)
			stop_page(s, FAX_CODE_JAM);
	}
	if (s->changed)
		s->changed(s->changed_data);
}

static void on_coder_event(void *userdata, const struct fax_event *event)
{
}

/* Completions that are still to come find no job and are dropped. */
static void hw_stop(struct scanner *base)
{
	struct hw_scanner *s = (struct hw_scanner *)base;

	if (!s->busy)
		return;
	stop_page(s, FAX_CODE_GONE);
	s->scan_job = 0;
	s->coder_job = 0;
	finish_page(s);
}

static void on_gone(void *userdata)
{
	struct hw_scanner *s = userdata;

	hw_stop(&s->base);
	if (s->changed)
		s->changed(s->changed_data);
}

static const struct func_handlers scan_handlers = {
	.completed = on_scan_completed,
	.event = on_scan_event,
	.gone = on_gone,
};

static const struct func_handlers coder_handlers = {
	.completed = on_coder_completed,
	.event = on_coder_event,
	.gone = on_gone,
};

static int hw_claim(struct scanner *base, struct error *e)
{
	int r = func_claim(((struct hw_scanner *)base)->scan);

	if (r == -EBUSY)
		return error_set(e, r, "Another program uses the scanner.");
	if (r < 0)
		return error_set(e, r, "The scanner cannot be used: %s.", strerror(-r));
	return 0;
}

/* Who comes next may find other sheets in the feeder. */
static void hw_release(struct scanner *base)
{
	struct hw_scanner *s = (struct hw_scanner *)base;

	s->next_known = false;
	func_release(s->scan);
}

static bool hw_original(struct scanner *base)
{
	struct fax_status st;

	return func_status(((struct hw_scanner *)base)->scan, &st) >= 0 &&
	       !(st.conditions & FAX_COND_PAPER_OUT);
}

static void hw_cancel(struct scanner *base)
{
	struct hw_scanner *s = (struct hw_scanner *)base;

	if (s->busy)
		stop_page(s, FAX_CODE_CANCELED);
}

static const struct scanner_ops hw_scanner_ops = {
	.claim = hw_claim,
	.release = hw_release,
	.original = hw_original,
	.page = hw_page,
	.cancel = hw_cancel,
	.stop = hw_stop,
};

int scanner_new(struct scanner **ret, struct func *scan, struct func *coder)
{
	struct hw_scanner *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->base.ops = &hw_scanner_ops;
	memcpy(s->base.serial, scan->info.serial, sizeof(s->base.serial));
	s->scan = scan;
	s->coder = coder;
	s->pipe = -1;
	func_set_handlers(scan, &scan_handlers, s);
	if (coder)
		func_set_handlers(coder, &coder_handlers, s);
	*ret = &s->base;
	return 0;
}

void scanner_free(struct scanner *base)
{
	struct hw_scanner *s = (struct hw_scanner *)base;

	if (!s)
		return;
	func_set_handlers(s->scan, NULL, NULL);
	if (s->coder)
		func_set_handlers(s->coder, NULL, NULL);
	close_pipe(s);
	func_buf_free(buf_owner(s), &s->buf);
	buffer_free(&s->code);
	free(s);
}

void scanner_on_change(struct scanner *base, void (*changed)(void *userdata), void *userdata)
{
	struct hw_scanner *s = (struct hw_scanner *)base;

	s->changed = changed;
	s->changed_data = userdata;
}
