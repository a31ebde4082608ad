/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "page/bitmap.h"
#include "page/raster.h"

#define ROWS_MAX 65536	/* where the engine names none */
#define STRIPS_MAX (FAX_MAX_SEGS - 1) /* the coder takes so many in one page, and a notice */

const struct raster_engine raster_common_engine = {
	.nwidths = 3,
	.widths = { 1728, 2048, 2432 },
	.nresolutions = 4,
	.resolutions = {
		{ FAX_RES_8_MM, FAX_RES_3_85_MM },
		{ FAX_RES_8_MM, FAX_RES_7_7_MM },
		{ FAX_RES_8_MM, FAX_RES_15_4_MM },
		{ FAX_RES_16_MM, FAX_RES_15_4_MM },
	},
};

/* The form a page is to get: its pixels, scaled to @scaled, lie at @left of @width. */
struct target {
	uint32_t xres;
	uint32_t yres;
	uint32_t width;
	uint32_t scaled_width;
	uint32_t scaled_rows;
	uint32_t left;
};

/* Inches and millimetres live side by side in fax: 200 dpi passes for 8 per millimetre. */
static bool same_resolution(uint32_t a, uint32_t b)
{
	uint64_t diff = a > b ? a - b : b - a;

	return diff * 100 <= 3ull * b;
}

static uint32_t width_at(const struct raster_engine *g, uint32_t i, uint32_t xres)
{
	return (uint64_t)g->widths[i] * xres / FAX_RES_8_MM;
}

/* A resolution of the engine that is the page's own: its index, or -1. */
static int own_resolution(const struct raster_engine *g, const struct page *p)
{
	for (uint32_t i = 0; i < g->nresolutions; i++)
		if (same_resolution(p->xres, g->resolutions[i].x) &&
		    same_resolution(p->yres, g->resolutions[i].y))
			return i;
	return -1;
}

static bool own_width(const struct raster_engine *g, const struct page *p, uint32_t xres)
{
	for (uint32_t i = 0; i < g->nwidths; i++)
		if (width_at(g, i, xres) == p->width)
			return true;
	return false;
}

/*
 * The engine's resolution to scale to: the coarsest that loses nothing, else
 * the finest there is.
 */
static int pick_resolution(const struct raster_engine *g, const struct page *p)
{
	int own = own_resolution(g, p), best = -1, finest = 0;

	if (own >= 0)
		return own;
	for (uint32_t i = 0; i < g->nresolutions; i++) {
		uint64_t x = g->resolutions[i].x, y = g->resolutions[i].y;
		uint64_t area = x * y;

		if (area > (uint64_t)g->resolutions[finest].x * g->resolutions[finest].y)
			finest = i;
		if (x * 100 < p->xres * 97ull || y * 100 < p->yres * 97ull)
			continue;
		if (best < 0 || area < (uint64_t)g->resolutions[best].x * g->resolutions[best].y)
			best = i;
	}
	return best >= 0 ? best : finest;
}

/* The narrowest paper that takes @width pixels, else the widest there is. */
static uint32_t pick_width(const struct raster_engine *g, uint32_t xres, uint32_t width)
{
	uint32_t best = 0, widest = 0;

	for (uint32_t i = 0; i < g->nwidths; i++) {
		uint32_t w = width_at(g, i, xres);

		if (w > widest)
			widest = w;
		/* Up to one in fifty over, a page is shrunk rather than put on larger paper. */
		if (w * 51ull >= width * 50ull && (!best || w < best))
			best = w;
	}
	return best ? best : widest;
}

static uint32_t scale(uint32_t n, uint64_t mul, uint64_t div)
{
	uint64_t v = (n * mul + div / 2) / div;

	return v > UINT32_MAX ? UINT32_MAX : v < 1 ? 1 : v;
}

static void find_target(const struct raster_engine *g, const struct page *p, struct target *t)
{
	int i = pick_resolution(g, p);
	bool own = own_resolution(g, p) >= 0;

	t->xres = g->resolutions[i].x;
	t->yres = g->resolutions[i].y;
	t->scaled_width = own ? p->width : scale(p->width, t->xres, p->xres);
	t->scaled_rows = own ? p->rows : scale(p->rows, t->yres, p->yres);
	t->width = pick_width(g, t->xres, t->scaled_width);
	if (t->scaled_width > t->width) {
		t->scaled_rows = scale(t->scaled_rows, t->width, t->scaled_width);
		t->scaled_width = t->width;
	}
	t->left = (t->width - t->scaled_width) / 2;
}

static uint32_t bit(const uint8_t *row, uint32_t x)
{
	return row[x / 8] >> (7 - x % 8) & 1;
}

/* Adds the black pixels of a source row to the target columns that they fall into. */
static void count_row(const uint8_t *src, const uint32_t *edge, uint32_t n, uint32_t *count)
{
	for (uint32_t x = 0; x < n; x++) {
		uint32_t to = edge[x + 1] > edge[x] ? edge[x + 1] : edge[x] + 1;

		for (uint32_t k = edge[x]; k < to; k++)
			count[x] += bit(src, k);
	}
}

/*
 * A target pixel is black where a third of what it covers is: thin lines
 * survive being scaled down, which a half would break up.
 */
static void put_row(uint8_t *dst, uint32_t left, const uint32_t *edge, uint32_t n,
		    const uint32_t *count, uint32_t high)
{
	for (uint32_t x = 0; x < n; x++) {
		uint32_t wide = edge[x + 1] > edge[x] ? edge[x + 1] - edge[x] : 1;

		if (count[x] * 3u >= wide * high && count[x])
			dst[(left + x) / 8] |= 0x80 >> (left + x) % 8;
	}
}

/* Edges of the source columns of each target column: @n + 1 of them. */
static uint32_t *make_edges(uint32_t src, uint32_t n)
{
	uint32_t *edge = calloc(n + 1, sizeof(*edge));

	for (uint32_t x = 0; edge && x <= n; x++)
		edge[x] = (uint64_t)x * src / n;
	return edge;
}

static int scale_bitmap(const struct bitmap *from, const struct target *t, struct bitmap *to)
{
	_free_ uint32_t *edge = make_edges(from->width, t->scaled_width);
	_free_ uint32_t *count = calloc(t->scaled_width, sizeof(*count));
	uint32_t done_top = UINT32_MAX, done_high = 0;
	int r = bitmap_alloc(to, t->width, t->scaled_rows);

	if (r < 0)
		return r;
	if (!edge || !count)
		return -ENOMEM;
	for (uint32_t y = 0; y < t->scaled_rows; y++) {
		uint32_t top = (uint64_t)y * from->rows / t->scaled_rows;
		uint32_t end = (uint64_t)(y + 1) * from->rows / t->scaled_rows;
		uint32_t high = end > top ? end - top : 1;

		if (top == done_top && high == done_high) {
			memcpy(bitmap_row(to, y), bitmap_row(to, y - 1), to->stride);
			continue;
		}
		memset(count, 0, t->scaled_width * sizeof(*count));
		for (uint32_t k = 0; k < high; k++)
			count_row(bitmap_row(from, top + k), edge, t->scaled_width, count);
		put_row(bitmap_row(to, y), t->left, edge, t->scaled_width, count, high);
		done_top = top;
		done_high = high;
	}
	return 0;
}

static int rescale(struct page *p, const struct bitmap *b, const struct target *t, struct error *e)
{
	_bitmap_ struct bitmap scaled = { 0 };
	bool same = t->width == b->width && t->scaled_width == b->width &&
		    t->scaled_rows == b->rows;
	uint32_t bad = p->rows_bad;
	int r = same ? 0 : scale_bitmap(b, t, &scaled);

	if (r >= 0)
		r = bitmap_to_page(same ? b : &scaled, FAX_ENC_MMR, 0, p);
	if (r < 0)
		return error_set(e, r, "A page cannot be scaled: %s", strerror(-r));
	p->xres = t->xres;
	p->yres = t->yres;
	p->rows_bad = bad;
	return 0;
}

bool raster_engine_ok(const struct raster_engine *g)
{
	bool ok = g->nwidths && g->nwidths <= RASTER_WIDTHS && g->nresolutions &&
		  g->nresolutions <= RASTER_RESOLUTIONS;

	for (uint32_t i = 0; ok && i < g->nwidths; i++)
		ok = g->widths[i] && g->widths[i] <= FAX_MAX_WIDTH;
	for (uint32_t i = 0; ok && i < g->nresolutions; i++)
		ok = g->resolutions[i].x >= 1000 && g->resolutions[i].x < 100000 &&
		     g->resolutions[i].y >= 1000 && g->resolutions[i].y < 100000;
	return ok;
}

int raster_fit(struct page *p, const struct raster_engine *engine, uint32_t bad_permille,
	       struct error *e)
{
	_bitmap_ struct bitmap b = { 0 };
	uint32_t rows_max = engine->rows_max ? engine->rows_max : ROWS_MAX;
	struct target t;
	int r;

	if (!raster_engine_ok(engine) || !p->xres || !p->yres)
		return error_set(e, -EINVAL, "The printer or the page has no usable resolution");
	r = bitmap_decode(&b, p, e);
	if (r < 0)
		return r;
	if ((uint64_t)p->rows_bad * 1000 > (uint64_t)bad_permille * p->rows)
		return error_set(e, -EILSEQ, "%u of its %u rows are damaged", p->rows_bad, p->rows);
	find_target(engine, p, &t);
	if (t.scaled_rows > rows_max)
		return error_set(e, -EMSGSIZE, "It has %u rows, the printer takes %u",
				 t.scaled_rows, rows_max);
	if (!p->rows_bad && p->nstrips <= STRIPS_MAX && own_resolution(engine, p) >= 0 &&
	    own_width(engine, p, t.xres)) {
		p->xres = t.xres;
		p->yres = t.yres;
		return 0;
	}
	return rescale(p, &b, &t, e);
}
