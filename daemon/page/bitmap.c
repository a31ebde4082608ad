/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "page/bitmap.h"
#include "t4.h"

#define ROWS_MAX     (1u << 20)
#define ENCODE_CHUNK 65536

int bitmap_alloc(struct bitmap *b, uint32_t width, uint32_t rows)
{
	memset(b, 0, sizeof(*b));
	if (!width || width > FAX_MAX_WIDTH || !rows || rows > ROWS_MAX)
		return -EINVAL;
	b->stride = (width + 7) / 8;
	b->data = calloc(rows, b->stride);
	if (!b->data)
		return -ENOMEM;
	b->width = width;
	b->rows = rows;
	return 0;
}

void bitmap_free(struct bitmap *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

/* FAX_ENC_* and enum t4_coding name the same three codings; -1: not one of them. */
static int t4_coding(uint32_t encoding)
{
	switch (encoding) {
	case FAX_ENC_MH:
		return T4_MH;
	case FAX_ENC_MR:
		return T4_MR;
	case FAX_ENC_MMR:
		return T4_MMR;
	default:
		return -1;
	}
}

static uint16_t t4_flags(uint32_t flags)
{
	return (flags & FAX_FMT_EOL ? T4_F_EOL : 0) | (flags & FAX_FMT_EOL_ALIGN ? T4_F_ALIGN : 0) |
	       (flags & FAX_FMT_END ? T4_F_END : 0) |
	       (flags & FAX_FMT_LSB_FIRST ? T4_F_LSB_FIRST : 0) |
	       (flags & FAX_FMT_WHITEN ? T4_F_WHITEN : 0);
}

static int t4_fill_params(struct t4_params *p, uint32_t width, uint32_t rows, uint32_t encoding,
			  uint32_t k, uint32_t flags)
{
	int coding = t4_coding(encoding);

	if (coding < 0 || k > 255)
		return -EINVAL;
	memset(p, 0, sizeof(*p));
	p->width = width;
	p->rows = rows;
	p->coding = coding;
	p->k = k;
	p->flags = t4_flags(flags);
	return 0;
}

/* What became of the rows of a strip. */
struct outcome {
	uint32_t rows;		/* that the code had */
	uint32_t bad;		/* of these, damaged */
	bool ended;		/* by RTC or EOFB */
};

/* Decodes @s to the rows of @b from @row on; rows that the code leaves out are white. */
static int decode_strip(struct t4_decoder *d, struct bitmap *b, uint32_t row,
			const struct page_strip *s, struct outcome *o)
{
	const struct t4_damage *damage = t4_decoder_damage(d);
	struct t4_params params;
	uint32_t rows = 0;
	size_t used = 0;
	int r;

	r = t4_fill_params(&params, b->width, s->rows, s->encoding, s->k, s->flags);
	if (r >= 0)
		r = t4_decoder_init(d, &params);
	if (r < 0)
		return r;
	r = t4_decode(d, s->data, s->len, true, &used, bitmap_row(b, row), b->stride, s->rows,
		      &rows);
	if (r < 0)
		return r;
	o->rows = rows;
	o->bad = damage->rows_bad;
	o->ended = damage->flags & T4_D_END_SEEN;
	memset(bitmap_row(b, row + rows), 0, (s->rows - rows) * b->stride);
	return 0;
}

/*
 * The code ends, by its own word, before the rows that were announced: that is
 * a shorter page and no damage. Only its last strip can say so.
 */
static void shorten(struct page *p, struct bitmap *b, struct page_strip *last,
		    const struct outcome *o)
{
	uint32_t missing = last->rows - o->rows;

	last->rows -= missing;
	p->rows -= missing;
	b->rows -= missing;
}

static int decode_strips(struct t4_decoder *d, struct bitmap *b, struct page *p, uint32_t *good,
			 struct error *e)
{
	uint32_t row = 0;

	for (uint32_t i = 0; i < p->nstrips; i++) {
		struct page_strip *s = &p->strips[i];
		struct outcome o = { 0 };
		int r;

		if (!s->rows || s->rows > p->rows - row)
			return error_set(e, -EINVAL, "Strip %u does not fit into its page", i + 1);
		r = decode_strip(d, b, row, s, &o);
		if (r < 0)
			return error_set(e, r, "Strip %u cannot be decoded", i + 1);
		if (o.ended && o.rows && i + 1 == p->nstrips && row + s->rows == p->rows)
			shorten(p, b, s, &o);
		*good += o.rows - o.bad;
		p->rows_bad += o.bad + (s->rows - o.rows);
		row += s->rows;
	}
	p->rows_bad += p->rows - row;
	return 0;
}

int bitmap_decode(struct bitmap *b, struct page *p, struct error *e)
{
	_free_ struct t4_decoder *d = calloc(1, sizeof(*d));
	int r = bitmap_alloc(b, p->width, p->rows);
	uint32_t good = 0;

	if (r < 0 || !d)
		return error_set(e, r < 0 ? r : -ENOMEM, "A page of %u by %u pixels does not fit",
				 p->width, p->rows);
	p->rows_bad = 0;
	r = decode_strips(d, b, p, &good, e);
	if (r >= 0 && !good)
		r = error_set(e, -EILSEQ, "Not one row of the page could be decoded");
	return r;
}

static int encode_rows(struct t4_encoder *enc, const struct bitmap *b, struct buffer *out)
{
	uint32_t row = 0, taken;
	size_t made;
	int r;

	while (row < b->rows) {
		r = buffer_reserve(out, ENCODE_CHUNK);
		if (r < 0)
			return r;
		r = t4_encode(enc, bitmap_row(b, row), b->stride, b->rows - row, &taken,
			      out->data + out->len, ENCODE_CHUNK, &made);
		if (r < 0)
			return r;
		out->len += made;
		row += taken;
	}
	return 0;
}

static int encode_end(struct t4_encoder *enc, struct buffer *out)
{
	size_t made;
	int r;

	do {
		r = buffer_reserve(out, ENCODE_CHUNK);
		if (r < 0)
			return r;
		r = t4_encode_end(enc, out->data + out->len, ENCODE_CHUNK, &made);
		if (r < 0)
			return r;
		out->len += made;
	} while (r != T4_DONE);
	out->data[out->len] = '\0';
	return 0;
}

int bitmap_encode(const struct bitmap *b, uint32_t encoding, uint32_t k, uint32_t flags,
		  struct buffer *out)
{
	_free_ struct t4_encoder *enc = malloc(sizeof(*enc));
	struct t4_params params;
	int r;

	if (!enc)
		return -ENOMEM;
	r = t4_fill_params(&params, b->width, b->rows, encoding, k, flags);
	if (r >= 0)
		r = t4_encoder_init(enc, &params);
	if (r >= 0)
		r = encode_rows(enc, b, out);
	return r < 0 ? r : encode_end(enc, out);
}

static void free_backing(void *backing, size_t len)
{
	free(backing);
}

int bitmap_to_page(const struct bitmap *b, uint32_t encoding, uint32_t flags, struct page *p)
{
	_buffer_ struct buffer code = { 0 };
	_free_ struct page_strip *s = calloc(1, sizeof(*s));
	struct page made = { .width = b->width, .rows = b->rows, .xres = p->xres, .yres = p->yres };
	int r;

	if (!s)
		return -ENOMEM;
	r = bitmap_encode(b, encoding, 0, flags, &code);
	if (r < 0)
		return r;
	s->data = code.data;
	s->len = code.len;
	s->rows = b->rows;
	s->encoding = encoding;
	s->flags = flags;
	made.nstrips = 1;
	made.strips = take_ptr(s);
	made.backing_len = code.len;
	made.backing = take_ptr(code.data);
	made.backing_free = free_backing;
	page_clear(p);
	*p = made;
	return 0;
}
