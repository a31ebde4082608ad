// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "base/cleanup.h"
#include "page/webp.h"

struct webp {
	WebPDemuxer *file;
	WebPIterator frame;	/* the first */
};

static void webp_close(struct webp *w)
{
	WebPDemuxReleaseIterator(&w->frame);
	WebPDemuxDelete(w->file);
}

static int damaged(struct error *e, const char *why)
{
	return error_set(e, -EBADMSG, "The WebP picture is damaged: %s", why);
}

static int no_memory(struct error *e)
{
	return error_set(e, -ENOMEM, "Out of memory for a picture");
}

bool webp_recognize(const void *data, size_t len)
{
	return len >= 12 && !memcmp(data, "RIFF", 4) && !memcmp((const char *)data + 8, "WEBP", 4);
}

int webp_measure(const void *data, size_t len, uint32_t *width, uint32_t *rows, struct error *e)
{
	WebPBitstreamFeatures f;

	*width = *rows = 0;
	if (WebPGetFeatures(data, len, &f) != VP8_STATUS_OK || f.width <= 0 || f.height <= 0)
		return damaged(e, "its head cannot be read");
	*width = f.width;
	*rows = f.height;
	return 0;
}

/* A frame lies within the canvas: the library has seen to that. */
static int webp_open(const void *data, size_t len, struct webp *w, struct error *e)
{
	const WebPData bytes = { data, len };

	w->file = WebPDemux(&bytes);
	if (!w->file || !WebPDemuxGetFrame(w->file, 1, &w->frame))
		return damaged(e, "it is no whole file");
	return w->frame.complete ? 0 : damaged(e, "it ends too early");
}

/* Red, green, blue and how much of them is to be seen. */
static uint8_t shade(const uint8_t *p)
{
	uint32_t ink = 255 - (p[0] * 299u + p[1] * 587u + p[2] * 114u) / 1000;

	return 255 - ink * p[3] / 255;
}

static void put_frame(const WebPIterator *f, const uint8_t *pixels, struct grey *to)
{
	for (uint32_t y = 0; y < (uint32_t)f->height; y++) {
		uint8_t *row = to->data + (size_t)(f->y_offset + y) * to->width + f->x_offset;

		for (uint32_t x = 0; x < (uint32_t)f->width; x++, pixels += 4)
			row[x] = shade(pixels);
	}
}

static int decode_frame(const WebPIterator *f, uint8_t *to, size_t size, struct error *e)
{
	WebPDecoderConfig c;
	VP8StatusCode r;

	if (!WebPInitDecoderConfig(&c))
		return error_set(e, -EIO, "The library for WebP is not the one it was built for");
	c.output.colorspace = MODE_RGBA;
	c.output.is_external_memory = 1;
	c.output.u.RGBA.rgba = to;
	c.output.u.RGBA.stride = f->width * 4;
	c.output.u.RGBA.size = size;
	r = WebPDecode(f->fragment.bytes, f->fragment.size, &c);
	WebPFreeDecBuffer(&c.output);
	if (r == VP8_STATUS_OUT_OF_MEMORY)
		return no_memory(e);
	return r == VP8_STATUS_OK ? 0 : damaged(e, "its pixels cannot be read");
}

int webp_decode(const void *data, size_t len, struct grey *ret, struct error *e)
{
	_cleanup_(webp_close) struct webp w = { 0 };
	_free_ uint8_t *pixels = NULL;
	int r = webp_open(data, len, &w, e);
	size_t size;

	if (r < 0)
		return r;
	size = (size_t)w.frame.width * w.frame.height * 4;
	pixels = malloc(size);
	if (!pixels || grey_alloc(ret, WebPDemuxGetI(w.file, WEBP_FF_CANVAS_WIDTH),
				  WebPDemuxGetI(w.file, WEBP_FF_CANVAS_HEIGHT)) < 0)
		return no_memory(e);
	r = decode_frame(&w.frame, pixels, size, e);
	if (r >= 0)
		put_frame(&w.frame, pixels, ret);
	return r;
}
