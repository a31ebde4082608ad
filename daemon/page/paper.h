/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sheet that pages of our own making are for: text, pictures, documents. */
#ifndef IFAX_PAGE_PAPER_H
#define IFAX_PAGE_PAPER_H

#include <stdint.h>

#include "base/error.h"
#include "page/raster.h"

struct paper {
	uint32_t width;		/* pixels */
	uint32_t rows;
	uint32_t xres;		/* pixels per metre */
	uint32_t yres;
};

/* For what becomes pages; each 0 = none. */
struct paper_limits {
	uint32_t max_pages;
	uint64_t max_bytes;	/* of code */
	uint64_t deadline;	/* CLOCK_MONOTONIC, microseconds */
};

/* -ETIMEDOUT behind the deadline. */
int paper_in_time(const struct paper_limits *l, struct error *e);

/*
 * A4 at the engine's resolution that is nearest to "fine", 8 by 7.7 per
 * millimetre, and no coarser where it has one. -EINVAL: it has none that is
 * usable.
 */
int paper_pick(const struct raster_engine *engine, struct paper *ret, struct error *e);

static inline double paper_x(const struct paper *p, double mm)
{
	return mm * p->xres / 1000;
}

static inline double paper_y(const struct paper *p, double mm)
{
	return mm * p->yres / 1000;
}

#endif
