/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Brings a page of any origin to a form that a printer engine takes. Each page
 * is decoded here once, whole; one that fits and is sound keeps its code.
 */
#ifndef IFAX_PAGE_RASTER_H
#define IFAX_PAGE_RASTER_H

#include <stdbool.h>

#include "base/error.h"
#include "page/page.h"

#define RASTER_WIDTHS	   8
#define RASTER_RESOLUTIONS 16

/* What the engine takes, as in struct fax_caps; a plain value. */
struct raster_engine {
	uint32_t nwidths;			/* at least 1 */
	uint32_t widths[RASTER_WIDTHS];		/* pixels at 8 per millimetre */
	uint32_t nresolutions;			/* at least 1 */
	struct {
		uint32_t x, y;			/* pixels per metre */
	} resolutions[RASTER_RESOLUTIONS];
	uint32_t rows_max;			/* at the engine's resolution; 0 = 65536 */
};

/* A4, B4 and A3 at T.30's metric resolutions: what any fax takes. */
extern const struct raster_engine raster_common_engine;

/* It has widths and resolutions, and none of them absurd. */
bool raster_engine_ok(const struct raster_engine *engine);

/*
 * Refits @p. @bad_permille of its rows may be damaged: such a page is coded
 * anew from what could be read, rows_bad stays known. -EILSEQ: more is damaged;
 * -EMSGSIZE: longer than the engine's paper.
 */
int raster_fit(struct page *p, const struct raster_engine *engine, uint32_t bad_permille,
	       struct error *e);

#endif
