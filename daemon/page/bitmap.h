/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A page as pixels, for the moments when it must be looked at: one bit each,
 * most significant bit leftmost, 1 = black; pad bits are white.
 *
 * A zeroed struct is an empty bitmap; bitmap_free() gives its memory back.
 */
#ifndef IFAX_PAGE_BITMAP_H
#define IFAX_PAGE_BITMAP_H

#include "base/buffer.h"
#include "base/error.h"
#include "page/page.h"

struct bitmap {
	uint32_t width;
	uint32_t rows;
	size_t stride;		/* bytes from row to row */
	uint8_t *data;
};

#define _bitmap_ __attribute__((cleanup(bitmap_free)))

/* A white page. -EINVAL: a width or number of rows that no page has; -ENOMEM. */
int bitmap_alloc(struct bitmap *b, uint32_t width, uint32_t rows);
void bitmap_free(struct bitmap *b);

static inline uint8_t *bitmap_row(const struct bitmap *b, uint32_t row)
{
	return b->data + b->stride * row;
}

/*
 * Decodes all strips of @p into @b, which is allocated here with p->rows rows.
 * Rows that the code leaves out are white and count as bad; p->rows_bad gets
 * their number. Where the last strip's end code comes early, @p is shortened to
 * the rows that there are. -EILSEQ only where nothing at all could be read. @b
 * is to be freed in any case.
 */
int bitmap_decode(struct bitmap *b, struct page *p, struct error *e);

/* Appends the code of @b to @out: FAX_ENC_*, K for MR, FAX_FMT_* as for the coder. */
int bitmap_encode(const struct bitmap *b, uint32_t encoding, uint32_t k, uint32_t flags,
		  struct buffer *out);

/*
 * Makes @b the content of @p: one strip that the page owns, size, no damage;
 * what the page held before is freed. Resolution stays.
 */
int bitmap_to_page(const struct bitmap *b, uint32_t encoding, uint32_t flags, struct page *p);

#endif
