/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From shades of grey to black dots on paper. */
#ifndef IFAX_PAGE_HALFTONE_H
#define IFAX_PAGE_HALFTONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "page/bitmap.h"

/* A byte a pixel, 255 = white. A zeroed struct is an empty one. */
struct grey {
	uint32_t width;
	uint32_t rows;
	uint8_t *data;		/* rows of @width bytes */
};

#define _grey_ __attribute__((cleanup(grey_free)))

/* A white one. -ENOMEM. */
int grey_alloc(struct grey *g, uint32_t width, uint32_t rows);
void grey_free(struct grey *g);

/* The quarter turns clockwise and the mirror image that @to is of @from. -ENOMEM. */
int grey_turn(const struct grey *from, uint32_t quarters, bool mirror, struct grey *to);
/* To another size: each pixel is the mean of what it covers. -ENOMEM. */
int grey_scale(const struct grey *from, uint32_t width, uint32_t rows, struct grey *to);

/*
 * Puts @g on @b, its upper left corner at @left and @top; it must fit. What is
 * black and white in itself (text, drawings, scans) is cut at one value; of
 * anything else the errors are diffused, so that the mean grey of any patch
 * stays, but at sharp edges, which stay sharp. -ENOMEM.
 */
int halftone(const struct grey *g, struct bitmap *b, uint32_t left, uint32_t top);

#endif
