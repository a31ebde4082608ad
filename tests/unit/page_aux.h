/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of pages, messages and the worker share. */
#ifndef PAGE_AUX_H
#define PAGE_AUX_H

#include <tiffio.h>

#include "page/bitmap.h"
#include "page/tiff_write.h"
#include "t4_aux.h"

/* A file in memory, as libtiff's callbacks want it. The bytes stay the caller's. */
struct aux_file {
	const uint8_t *data;
	size_t len;
	size_t at;
};

/* Silences libtiff; what it complains about is counted instead. */
extern unsigned int aux_tiff_complaints;
void aux_tiff_quiet(void);
TIFF *aux_tiff_open(struct aux_file *f);
/* Page @n of the file as libtiff decodes it, 1 = black; the caller's to free. */
struct t4_image aux_tiff_image(TIFF *t, unsigned int n);

/* Appends @image, coded, to @l. */
struct page *aux_add_page(struct page_list *l, const struct t4_image *image, uint32_t encoding,
			  uint32_t flags, uint32_t xres, uint32_t yres);
/* A page of text-like scribble. */
struct t4_image aux_scribble(uint32_t width, uint32_t rows, uint32_t seed);
bool aux_same_pixels(const struct bitmap *b, const struct t4_image *image);
struct t4_image aux_decode(struct page *p);

/* A TIFF file of @n pages of 1728 pixels, coded as the profile asks. */
void aux_tiff_file(struct buffer *out, size_t n, enum tiff_profile profile, uint32_t rows);

#endif
