/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two jobs an encoding, encode and decode, one after the other on an open of its own; each
 * completion submits the next. The answer is told from a deferred source, so that the open
 * may be closed then.
 */
#include "device/coder_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "device/softcoder.h"
#include "device/words.h"

#define WIDTH	    1728u
#define STRIDE	    (WIDTH / 8)
#define ROWS	    64u
#define CODED_MAX   (64u << 10)
#define RES	    8000u
#define YRES	    7700u
#define PATIENCE    (10 * UINT64_C(1000000))

enum step { STEP_ENCODE, STEP_DECODE };

struct coder_check {
	struct func *coder;
	struct func_buf raw, code, again;	/* the pattern, its code, what comes of that */
	uint32_t encoding;
	enum step step;
	uint32_t job;
	size_t coded;
	uint8_t pattern[STRIDE * ROWS];
	sd_event_source *timer;			/* armed: what says that it took too long */
	sd_event_source *told;
	coder_check_fn done;
	void *userdata;
	int r;
	struct error e;
};

static const char *const encodings[] = {
	[FAX_ENC_MH] = "MH",
	[FAX_ENC_MR] = "MR",
	[FAX_ENC_MMR] = "MMR",
};

/* White rows, black ones, long runs and short ones. */
static void draw(uint8_t *pixels)
{
	uint32_t seed = 1;

	memset(pixels, 0, STRIDE * ROWS);
	for (uint32_t row = 0; row < ROWS; row++) {
		for (uint32_t i = 0; row % 4 && i < STRIDE; i += row % 7 + 1) {
			seed = seed * 1664525 + 1013904223;
			pixels[row * STRIDE + i] = seed >> 24;
		}
		if (row % 16 == 8)
			memset(pixels + row * STRIDE, 0xff, STRIDE);
	}
}

static int on_told(sd_event_source *s, void *userdata)
{
	struct coder_check *c = userdata;

	c->done(c->userdata, c->r, &c->e);
	return 0;
}

/* The first that is told counts. */
static void tell(struct coder_check *c, int r)
{
	if (c->told)
		return;
	c->r = r;
	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (c->coder->handlers)
		func_set_handlers(c->coder, NULL, NULL);
	/* Without memory for it, the timer tells, late. */
	if (sd_event_add_defer(sd_event_source_get_event(c->timer), &c->told, on_told, c) < 0)
		sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void fail(struct coder_check *c, int r, const char *what)
{
	error_set(&c->e, r, "%s %s", encodings[c->encoding], what);
	tell(c, r);
}

static int put_pattern(struct coder_check *c)
{
	int r = func_buf_begin(c->coder, &c->raw, true);

	if (r < 0)
		return r;
	memcpy(c->raw.data, c->pattern, sizeof(c->pattern));
	return func_buf_end(c->coder, &c->raw, true);
}

/* MR tells by each line's EOL how the next is coded. */
static uint32_t flags_of(uint32_t encoding)
{
	return encoding == FAX_ENC_MR ? FAX_FMT_EOL : 0;
}

static int submit(struct coder_check *c)
{
	bool encodes = c->step == STEP_ENCODE;
	struct fax_seg segs[] = {
		{ .buf = encodes ? c->raw.handle : c->code.handle, .dir = FAX_SEG_IN,
		  .length = encodes ? sizeof(c->pattern) : c->coded,
		  .encoding = encodes ? 0 : c->encoding, .rows = encodes ? 0 : ROWS,
		  .flags = encodes ? 0 : flags_of(c->encoding) },
		{ .buf = encodes ? c->code.handle : c->again.handle, .dir = FAX_SEG_OUT,
		  .length = encodes ? CODED_MAX : sizeof(c->pattern) },
	};
	struct fax_submit sub = {
		.op = encodes ? FAX_OP_ENCODE : FAX_OP_DECODE,
		.fmt = { .encoding = encodes ? c->encoding : FAX_ENC_RAW, .width = WIDTH,
			 .rows = ROWS, .xres = RES, .yres = YRES,
			 .flags = encodes ? flags_of(c->encoding) : 0 },
		.pipe = -1,
		.nsegs = ARRAY_SIZE(segs),
		.segs = (uintptr_t)segs,
	};
	int r = func_submit(c->coder, &sub);

	c->job = sub.job;
	return r;
}

/* The next encoding from @from on that the coder knows both ways; false: there is none. */
static bool next_encoding(struct coder_check *c, uint32_t from)
{
	const struct fax_caps *caps = &c->coder->caps;

	for (c->encoding = from; c->encoding <= FAX_ENC_MMR; c->encoding++)
		if (caps->encodings & caps->decodings & 1u << c->encoding)
			return true;
	return false;
}

static int decode_here(const struct coder_check *c, uint8_t *pixels)
{
	const struct page_strip strip = { .data = c->code.data, .len = c->coded, .rows = ROWS,
					  .encoding = c->encoding,
					  .flags = flags_of(c->encoding) };
	uint32_t rows, bad;
	int r = softcoder_decode(&strip, WIDTH, pixels, STRIDE, ROWS, &rows, &bad);

	return r < 0 ? r : rows == ROWS && !bad ? 0 : -EILSEQ;
}

/* What the board coded, read by somebody else. */
static void check_code(struct coder_check *c)
{
	uint8_t pixels[STRIDE * ROWS] = { 0 };
	int r = func_buf_begin(c->coder, &c->code, false);

	if (r >= 0) {
		r = decode_here(c, pixels);
		func_buf_end(c->coder, &c->code, false);
	}
	if (r < 0 || memcmp(pixels, c->pattern, sizeof(pixels)))
		return fail(c, -EILSEQ, "code of the board is not that of the page");
	c->step = STEP_DECODE;
	r = submit(c);
	if (r < 0)
		fail(c, r, "code cannot be given to the board to decode");
}

static void check_pixels(struct coder_check *c)
{
	int r = func_buf_begin(c->coder, &c->again, false), same;

	if (r < 0)
		return fail(c, r, "code was decoded, but what came of it cannot be read");
	same = !memcmp(c->again.data, c->pattern, sizeof(c->pattern));
	func_buf_end(c->coder, &c->again, false);
	if (!same)
		return fail(c, -EILSEQ, "code is decoded to other pixels by the board");
	c->step = STEP_ENCODE;
	if (!next_encoding(c, c->encoding + 1))
		return tell(c, 0);
	r = submit(c);
	if (r < 0)
		fail(c, r, "cannot be asked of the board");
}

static void on_completed(void *userdata, const struct fax_completion *done)
{
	struct coder_check *c = userdata;

	if (done->job != c->job)
		return;
	if (done->error) {
		code_error(&c->e, c->step == STEP_ENCODE ? FAX_FUNC_SCAN : FAX_FUNC_PRINT,
			   done->code);
		tell(c, done->error);
	} else if (c->step == STEP_ENCODE) {
		c->coded = done->bytes_out < CODED_MAX ? done->bytes_out : CODED_MAX;
		check_code(c);
	} else {
		check_pixels(c);
	}
}

static void on_event(void *userdata, const struct fax_event *event)
{
}

static void on_gone(void *userdata)
{
	fail(userdata, -ENODEV, "could not be tried to the end: the board was unplugged");
}

static const struct func_handlers handlers = {
	.completed = on_completed,
	.event = on_event,
	.gone = on_gone,
};

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct coder_check *c = userdata;

	if (!c->r)
		error_set(&c->e, -ETIMEDOUT, "%s: the board does not answer",
			  encodings[c->encoding]);
	c->r = c->r ? c->r : -ETIMEDOUT;
	c->done(c->userdata, c->r, &c->e);
	return 0;
}

static int start(struct coder_check *c, sd_event *event)
{
	int r = sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC, PATIENCE, 0,
					   on_timer, c);

	if (r >= 0)
		r = func_buf_alloc(c->coder, sizeof(c->pattern), &c->raw);
	if (r >= 0)
		r = func_buf_alloc(c->coder, CODED_MAX, &c->code);
	if (r >= 0)
		r = func_buf_alloc(c->coder, sizeof(c->pattern), &c->again);
	if (r >= 0)
		r = put_pattern(c);
	if (r >= 0)
		r = next_encoding(c, FAX_ENC_MH) ? submit(c) : -EOPNOTSUPP;
	return r;
}

int coder_check_new(struct coder_check **ret, const struct board *b, coder_check_fn done,
		    void *userdata, struct error *e)
{
	struct coder_check *c = calloc(1, sizeof(*c));
	sd_event *event;
	int r;

	if (!c)
		return error_set(e, -ENOMEM, "out of memory");
	c->done = done;
	c->userdata = userdata;
	draw(c->pattern);
	r = board_open_coder(b, &c->coder, &event, e);
	if (r >= 0) {
		func_set_handlers(c->coder, &handlers, c);
		r = start(c, event);
		if (r < 0)
			error_set(e, r, "the coder takes no page: %s", strerror(-r));
	}
	if (r < 0) {
		coder_check_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void coder_check_free(struct coder_check *c)
{
	if (!c)
		return;
	sd_event_source_disable_unref(c->timer);
	sd_event_source_disable_unref(c->told);
	if (c->coder) {
		func_buf_free(c->coder, &c->raw);
		func_buf_free(c->coder, &c->code);
		func_buf_free(c->coder, &c->again);
	}
	func_close(c->coder);
	free(c);
}
