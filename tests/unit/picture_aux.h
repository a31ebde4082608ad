/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures and documents for the tests of what becomes pages. */
#ifndef PICTURE_AUX_H
#define PICTURE_AUX_H

#include "base/buffer.h"
#include "page/halftone.h"
#include "page/page.h"

/* From black at the left to white at the right. */
struct grey aux_gradient(uint32_t width, uint32_t rows);
/* White with black bars, 8 pixels each. */
struct grey aux_bars(uint32_t width, uint32_t rows);
void aux_png(struct buffer *out, const struct grey *g);
/* In color @format of png.h's simplified API, @data as that wants it. */
void aux_png_as(struct buffer *out, uint32_t format, const void *data, uint32_t width,
		uint32_t rows);
/* @orientation: what the Exif data says, 0 = there are none. */
void aux_jpeg(struct buffer *out, const struct grey *g, unsigned int orientation);
/*
 * A GIF whose canvas is @left and @top larger than @g, in 256 greys of which @clear shines
 * through (-1: none); @frames of them, all but the first black.
 */
struct aux_gif {
	uint32_t left, top;
	bool interlaced;
	int clear;
	unsigned int frames;	/* 0: one */
};
void aux_gif(struct buffer *out, const struct grey *g, const struct aux_gif *how);
/* Pixels of red, green, blue and opacity, without loss. */
void aux_webp(struct buffer *out, const void *rgba, uint32_t width, uint32_t rows);
/* A moving one of two frames: @first at @left and @top, which are even, and a black one. */
void aux_webp_moving(struct buffer *out, const struct grey *first, uint32_t left, uint32_t top);
/* So many pages of points, each with a frame 20 points within and a diagonal. */
void aux_pdf(struct buffer *out, uint32_t pages, double wide, double high);

/* Where there is black on a page: first and last column and row; false: nowhere. */
struct aux_extent {
	uint32_t left, right, top, bottom;
	uint64_t black;
};
bool aux_extent(struct page *p, struct aux_extent *ret);
/* The same of the rows from @top up to @end. */
bool aux_extent_of(const struct bitmap *b, uint32_t top, uint32_t end, struct aux_extent *ret);

#endif
