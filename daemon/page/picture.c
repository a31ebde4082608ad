/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>
#include <png.h>
#include <turbojpeg.h>

#include "base/cleanup.h"
#include "page/exif.h"
#include "page/gif.h"
#include "page/halftone.h"
#include "page/picture.h"
#include "page/webp.h"

#define DEFAULT_PIXELS 100000000ull
#define MARGIN	       5.0	/* millimetres */
#define SCREEN_DPM     (96 / 0.0254)	/* what a picture is taken to be made for, per metre */
#define SIDE_MAX       65500	/* of a JPEG; and more than any paper has */

/* --- what it is --- */

static bool is_png(const void *data, size_t len)
{
	return len >= 8 && !png_sig_cmp(data, 0, 8);
}

static bool is_jpeg(const void *data, size_t len)
{
	static const uint8_t magic[] = { 0xff, 0xd8, 0xff };

	return len >= sizeof(magic) && !memcmp(data, magic, sizeof(magic));
}

/* --- PNG --- */

static int damaged(struct error *e, const char *kind, const char *why)
{
	return error_set(e, -EBADMSG, "The %s picture is damaged: %.100s", kind, why);
}

static int png_open(const void *data, size_t len, png_image *image, struct error *e)
{
	memset(image, 0, sizeof(*image));
	image->version = PNG_IMAGE_VERSION;
	if (png_image_begin_read_from_memory(image, data, len))
		return 0;
	return damaged(e, "PNG", image->message);
}

static int png_decode(const void *data, size_t len, struct grey *ret, struct error *e)
{
	static const png_color white = { 255, 255, 255 };
	png_image image;
	int r = png_open(data, len, &image, e);

	if (r < 0)
		return r;
	image.format = PNG_FORMAT_GRAY;
	r = grey_alloc(ret, image.width, image.height);
	if (r < 0)
		error_set(e, r, "Out of memory for a picture");
	else if (!png_image_finish_read(&image, &white, ret->data, image.width, NULL))
		r = damaged(e, "PNG", image.message);
	png_image_free(&image);
	return r;
}

/* --- JPEG --- */

struct jpeg {
	tjhandle h;
	int width, height, sampling, space;
};

static void jpeg_close(struct jpeg *j)
{
	if (j->h)
		tjDestroy(j->h);
}

static int jpeg_open(const void *data, size_t len, struct jpeg *j, struct error *e)
{
	j->h = tjInitDecompress();
	if (!j->h)
		return error_set(e, -ENOMEM, "Out of memory for a picture");
	if (tjDecompressHeader3(j->h, data, len, &j->width, &j->height, &j->sampling,
				&j->space) < 0 || j->width <= 0 || j->height <= 0)
		return damaged(e, "JPEG", tjGetErrorStr2(j->h));
	return 0;
}

/* Picture of more pixels than paper has are halved by the decoder itself: its size then. */
static void jpeg_shrink(struct jpeg *j, uint32_t enough)
{
	tjscalingfactor by = { 1, 1 };

	for (; by.denom < 8; by.denom *= 2) {
		tjscalingfactor next = { 1, by.denom * 2 };

		if ((uint32_t)TJSCALED(j->width, next) < enough ||
		    (uint32_t)TJSCALED(j->height, next) < enough)
			break;
	}
	j->width = TJSCALED(j->width, by);
	j->height = TJSCALED(j->height, by);
}

/* What is broken in the middle is still decoded, and no reason to print nothing. */
static int jpeg_pixels(struct jpeg *j, const void *data, size_t len, uint8_t *to, int format,
		       struct error *e)
{
	if (tjDecompress2(j->h, data, len, to, j->width, 0, j->height, format,
			  TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT) < 0 &&
	    tjGetErrorCode(j->h) == TJERR_FATAL)
		return damaged(e, "JPEG", tjGetErrorStr2(j->h));
	return 0;
}

/* Four inks, 255 = none. */
static int jpeg_inks(struct jpeg *j, const void *data, size_t len, struct grey *ret,
		     struct error *e)
{
	size_t n = (size_t)j->width * j->height;
	_free_ uint8_t *inks = malloc(n * 4);
	int r;

	if (!inks)
		return error_set(e, -ENOMEM, "Out of memory for a picture");
	r = jpeg_pixels(j, data, len, inks, TJPF_CMYK, e);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		const uint8_t *p = inks + i * 4;

		ret->data[i] = (p[0] * 299u + p[1] * 587u + p[2] * 114u) / 1000 * p[3] / 255;
	}
	return r;
}

static int jpeg_decode(const void *data, size_t len, uint32_t enough, struct grey *ret,
		       struct error *e)
{
	_cleanup_(jpeg_close) struct jpeg j = { 0 };
	int r = jpeg_open(data, len, &j, e);

	if (r < 0)
		return r;
	jpeg_shrink(&j, enough);
	r = grey_alloc(ret, j.width, j.height);
	if (r < 0)
		return error_set(e, r, "Out of memory for a picture");
	if (j.space == TJCS_CMYK || j.space == TJCS_YCCK)
		return jpeg_inks(&j, data, len, ret, e);
	return jpeg_pixels(&j, data, len, ret->data, TJPF_GRAY, e);
}

/* --- any --- */

static int png_measure(const void *data, size_t len, uint32_t *width, uint32_t *rows,
		       struct error *e)
{
	png_image image;
	int r = png_open(data, len, &image, e);

	if (r < 0)
		return r;
	*width = image.width;
	*rows = image.height;
	png_image_free(&image);
	return 0;
}

static int jpeg_measure(const void *data, size_t len, uint32_t *width, uint32_t *rows,
			struct error *e)
{
	_cleanup_(jpeg_close) struct jpeg j = { 0 };
	int r = jpeg_open(data, len, &j, e);

	*width = j.width;
	*rows = j.height;
	return r;
}

static const struct kind {
	bool (*is)(const void *data, size_t len);
	int (*measure)(const void *data, size_t len, uint32_t *width, uint32_t *rows,
		       struct error *e);
	/* NULL: JPEG, which is not decoded larger than it is wanted */
	int (*decode)(const void *data, size_t len, struct grey *ret, struct error *e);
} kinds[] = {
	{ is_png, png_measure, png_decode },
	{ is_jpeg, jpeg_measure, NULL },
	{ gif_recognize, gif_measure, gif_decode },
	{ webp_recognize, webp_measure, webp_decode },
};

static const struct kind *kind_of(const void *data, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].is(data, len))
			return &kinds[i];
	return NULL;
}

bool picture_recognize(const void *data, size_t len)
{
	return kind_of(data, len);
}

int picture_measure(const void *data, size_t len, struct picture_size *ret, struct error *e)
{
	const struct kind *k = kind_of(data, len);

	if (!k)
		return error_set(e, -EBADMSG, "It is no picture");
	return k->measure(data, len, &ret->width, &ret->height, e);
}

static int decode(const void *data, size_t len, uint32_t enough, struct grey *ret,
		  struct error *e)
{
	const struct kind *k = kind_of(data, len);

	return k->decode ? k->decode(data, len, ret, e) : jpeg_decode(data, len, enough, ret, e);
}

/* --- on paper --- */

/* Upright, as the camera was held. */
static int upright(const void *data, size_t len, struct grey *g)
{
	struct grey turned;
	uint32_t quarters;
	bool mirror;
	int r;

	exif_orientation(data, len, &quarters, &mirror);
	if (!quarters && !mirror)
		return 0;
	r = grey_turn(g, quarters, mirror, &turned);
	if (r < 0)
		return r;
	grey_free(g);
	*g = turned;
	return 0;
}

/* How many metres of paper a pixel may be wide, where @width by @rows of them are to fit. */
static double fit(const struct paper *p, uint32_t width, uint32_t rows)
{
	double x = ((double)p->width / p->xres - 2 * MARGIN / 1000) / width;
	double y = ((double)p->rows / p->yres - 2 * MARGIN / 1000) / rows;
	double most = 1 / SCREEN_DPM;

	x = x < y ? x : y;
	return x < most ? x : most;
}

static uint32_t at_least_one(double v, uint32_t most)
{
	return v < 1 ? 1 : v > most ? most : v;
}

static int place(struct grey *g, const struct paper *p, struct page *ret)
{
	_bitmap_ struct bitmap b = { 0 };
	_grey_ struct grey turned = { 0 }, scaled = { 0 };
	double across = fit(p, g->rows, g->width), size = fit(p, g->width, g->rows);
	bool as_is = g->width == p->width && g->rows <= p->rows;	/* it was scanned */
	int r = bitmap_alloc(&b, p->width, p->rows);

	if (r >= 0 && !as_is && across > size * 1.05) {
		r = grey_turn(g, 1, false, &turned);
		size = across;
		g = &turned;
	}
	if (r >= 0 && !as_is) {
		uint32_t width = at_least_one(g->width * size * p->xres + 0.5, p->width);
		uint32_t rows = at_least_one(g->rows * size * p->yres + 0.5, p->rows);

		r = grey_scale(g, width, rows, &scaled);
		g = &scaled;
	}
	if (r >= 0)
		r = halftone(g, &b, (p->width - g->width) / 2,
			     as_is || g->rows + 2 * paper_y(p, MARGIN) > p->rows ?
			     (p->rows - g->rows) / 2 : (uint32_t)paper_y(p, MARGIN));
	ret->xres = p->xres;
	ret->yres = p->yres;
	return r < 0 ? r : bitmap_to_page(&b, FAX_ENC_MMR, 0, ret);
}

int picture_read(const void *data, size_t len, const struct raster_engine *engine,
		 uint64_t max_pixels, struct page_list *l, struct error *e)
{
	_grey_ struct grey g = { 0 };
	struct picture_size size;
	struct paper paper;
	struct page *p;
	int r = paper_pick(engine, &paper, e);

	if (r >= 0)
		r = picture_measure(data, len, &size, e);
	if (r < 0)
		return r;
	max_pixels = max_pixels ? max_pixels : DEFAULT_PIXELS;
	if (size.width > SIDE_MAX || size.height > SIDE_MAX ||
	    (uint64_t)size.width * size.height > max_pixels)
		return error_set(e, -EFBIG, "The picture has %u by %u pixels, which are too many",
				 size.width, size.height);
	r = decode(data, len, paper.rows, &g, e);
	if (r < 0)
		return r;
	p = page_list_add(l);
	r = p ? upright(data, len, &g) : -ENOMEM;
	if (r >= 0)
		r = place(&g, &paper, p);
	if (r < 0 && p)
		page_list_truncate(l, l->n - 1);
	return r < 0 ? error_set(e, r, "Out of memory for a picture") : 0;
}
