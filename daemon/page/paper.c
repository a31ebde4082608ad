/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include <linux/fax.h>

#include "page/paper.h"

#define A4_PIXELS 1728		/* wide, at 8 per millimetre */
#define A4_HIGH	  297		/* millimetres */
#define LEAST	  100		/* pixels and rows of a sheet that is one */

/* A lower value is better; what is coarser than "fine" comes behind all that is not. */
static uint64_t badness(uint32_t x, uint32_t y)
{
	bool coarse = x * 100ull < FAX_RES_8_MM * 97ull || y * 100ull < FAX_RES_7_7_MM * 97ull;
	uint64_t area = (uint64_t)x * y;

	return coarse ? UINT64_MAX - area : area;
}

/* A4, else the next wider, else the widest there is. */
static uint32_t pick_width(const struct raster_engine *g)
{
	uint32_t best = g->widths[0];

	for (uint32_t i = 1; i < g->nwidths; i++) {
		uint32_t w = g->widths[i];

		if (best >= A4_PIXELS ? w >= A4_PIXELS && w < best : w > best)
			best = w;
	}
	return best;
}

int paper_pick(const struct raster_engine *g, struct paper *ret, struct error *e)
{
	uint32_t best = 0;

	if (!raster_engine_ok(g))
		return error_set(e, -EINVAL, "The printer has no usable resolution");
	for (uint32_t i = 1; i < g->nresolutions; i++)
		if (badness(g->resolutions[i].x, g->resolutions[i].y) <
		    badness(g->resolutions[best].x, g->resolutions[best].y))
			best = i;
	ret->xres = g->resolutions[best].x;
	ret->yres = g->resolutions[best].y;
	ret->width = (uint64_t)pick_width(g) * ret->xres / FAX_RES_8_MM;
	ret->rows = paper_y(ret, A4_HIGH);
	if (g->rows_max && ret->rows > g->rows_max)
		ret->rows = g->rows_max;
	if (ret->width < LEAST || ret->width > FAX_MAX_WIDTH || ret->rows < LEAST)
		return error_set(e, -EINVAL, "The printer's paper is too small to set text on");
	return 0;
}

int paper_in_time(const struct paper_limits *l, struct error *e)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (!l->deadline || ts.tv_sec * 1000000ull + ts.tv_nsec / 1000 < l->deadline)
		return 0;
	return error_set(e, -ETIMEDOUT, "Making pages of it takes too long");
}
