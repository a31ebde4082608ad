// SPDX-License-Identifier: LGPL-2.1-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cairo-pdf.h>
#include <png.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include "picture_aux.h"

struct grey aux_gradient(uint32_t width, uint32_t rows)
{
	struct grey g;

	assert_int_equal(grey_alloc(&g, width, rows), 0);
	for (uint32_t y = 0; y < rows; y++)
		for (uint32_t x = 0; x < width; x++)
			g.data[(size_t)y * width + x] = (uint64_t)x * 255 / (width - 1);
	return g;
}

struct grey aux_bars(uint32_t width, uint32_t rows)
{
	struct grey g;

	assert_int_equal(grey_alloc(&g, width, rows), 0);
	for (uint32_t y = 0; y < rows; y++)
		for (uint32_t x = 0; x < width; x++)
			g.data[(size_t)y * width + x] = x / 8 & 1 ? 0 : 255;
	return g;
}

void aux_png_as(struct buffer *out, uint32_t format, const void *data, uint32_t width,
		uint32_t rows)
{
	png_image image = { .version = PNG_IMAGE_VERSION, .width = width, .height = rows,
			    .format = format };
	png_alloc_size_t len = 0;

	assert_true(png_image_write_get_memory_size(image, len, 0, data, 0, NULL));
	assert_int_equal(buffer_reserve(out, len), 0);
	assert_true(png_image_write_to_memory(&image, out->data + out->len, &len, 0, data, 0,
					      NULL));
	out->len += len;
}

void aux_png(struct buffer *out, const struct grey *g)
{
	aux_png_as(out, PNG_FORMAT_GRAY, g->data, g->width, g->rows);
}

static void put_exif(struct buffer *out, unsigned int orientation)
{
	const unsigned char segment[] = {
		0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
		0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0,
	};

	assert_int_equal(buffer_append(out, segment, sizeof(segment)), 0);
}

void aux_jpeg(struct buffer *out, const struct grey *g, unsigned int orientation)
{
	tjhandle h = tjInitCompress();
	unsigned char *data = NULL;
	unsigned long len = 0;

	assert_int_equal(tjCompress2(h, g->data, g->width, 0, g->rows, TJPF_GRAY, &data, &len,
				     TJSAMP_GRAY, 90, 0), 0);
	assert_int_equal(buffer_append(out, data, 2), 0);
	if (orientation)
		put_exif(out, orientation);
	assert_int_equal(buffer_append(out, data + 2, len - 2), 0);
	tjFree(data);
	tjDestroy(h);
}

/*
 * GIF
 */

static void put(struct buffer *out, const void *data, size_t len)
{
	assert_int_equal(buffer_append(out, data, len), 0);
}

static void put_octet(struct buffer *out, unsigned int v)
{
	put(out, &(uint8_t){ v }, 1);
}

/* Little-endian. */
static void put_number(struct buffer *out, uint32_t v, unsigned int octets)
{
	for (; octets--; v >>= 8)
		put_octet(out, v & 0xff);
}

/* Codes in blocks of 255 octets at most. */
struct codes {
	struct buffer *out;
	uint8_t block[255];
	unsigned int n;
	uint32_t bits, n_bits;
};

static void end_block(struct codes *c)
{
	put_octet(c->out, c->n);
	put(c->out, c->block, c->n);
	c->n = 0;
}

static void put_code(struct codes *c, unsigned int code, unsigned int bits)
{
	c->bits |= code << c->n_bits;
	for (c->n_bits += bits; c->n_bits >= 8; c->n_bits -= 8, c->bits >>= 8) {
		c->block[c->n++] = c->bits & 0xff;
		if (c->n == sizeof(c->block))
			end_block(c);
	}
}

/* The greys in @data by LZW, with a table that is begun anew when it is full. */
static void put_lzw(struct buffer *out, const uint8_t *data, size_t len)
{
	static uint16_t next[4096][256];
	struct codes c = { .out = out };
	unsigned int n = 258, bits = 9, code = data[0];

	memset(next, 0, sizeof(next));
	put_octet(out, 8);
	put_code(&c, 256, bits);
	for (size_t i = 1; i < len; i++) {
		if (next[code][data[i]]) {
			code = next[code][data[i]];
			continue;
		}
		put_code(&c, code, bits);
		next[code][data[i]] = n;
		if (n++ == 1u << bits)
			bits++;
		code = data[i];
		if (n == 4096) {
			put_code(&c, code, bits);
			put_code(&c, 256, bits);
			memset(next, 0, sizeof(next));
			n = 258;
			bits = 9;
			if (++i < len)
				code = data[i];
			else
				goto end;
		}
	}
	put_code(&c, code, bits);
	if (n == 1u << bits && bits < 12)
		bits++;
end:
	put_code(&c, 257, bits);
	put_code(&c, 0, 7);
	if (c.n)
		end_block(&c);
	put_octet(out, 0);
}

static void put_frame(struct buffer *out, const struct grey *g, const struct aux_gif *how,
		      const uint8_t *rows)
{
	const uint8_t control[] = { '!', 0xf9, 4, how->clear >= 0, 5, 0,
				    how->clear >= 0 ? how->clear : 0, 0 };

	put(out, control, sizeof(control));
	put_octet(out, ',');
	put_number(out, how->left, 2);
	put_number(out, how->top, 2);
	put_number(out, g->width, 2);
	put_number(out, g->rows, 2);
	put_octet(out, how->interlaced ? 0x40 : 0);
	put_lzw(out, rows, (size_t)g->width * g->rows);
}

/* Every eighth row, those between, those between these, the rest. */
static void interlace(const struct grey *g, uint8_t *to)
{
	for (int pass = 0; pass < 4; pass++)
		for (uint32_t y = 0; y < g->rows; y++) {
			int in = y % 8 == 0 ? 0 : y % 8 == 4 ? 1 : y % 4 == 2 ? 2 : 3;

			if (in != pass)
				continue;
			memcpy(to, g->data + (size_t)y * g->width, g->width);
			to += g->width;
		}
}

void aux_gif(struct buffer *out, const struct grey *g, const struct aux_gif *how)
{
	size_t n = (size_t)g->width * g->rows;
	uint8_t *rows = malloc(n);

	assert_non_null(rows);
	put(out, "GIF89a", 6);
	put_number(out, g->width + how->left, 2);
	put_number(out, g->rows + how->top, 2);
	put(out, "\xf7\0\0", 3);
	for (unsigned int i = 0; i < 256; i++)
		put(out, (uint8_t[]){ i, i, i }, 3);
	put(out, "!\xfe\5hello\0", 9);
	if (how->interlaced)
		interlace(g, rows);
	else
		memcpy(rows, g->data, n);
	put_frame(out, g, how, rows);
	memset(rows, 0, n);
	for (unsigned int i = 1; i < how->frames; i++)
		put_frame(out, g, how, rows);
	put_octet(out, ';');
	free(rows);
}

/*
 * WebP
 */

void aux_webp(struct buffer *out, const void *rgba, uint32_t width, uint32_t rows)
{
	uint8_t *data = NULL;
	size_t len = WebPEncodeLosslessRGBA(rgba, width, rows, width * 4, &data);

	assert_true(len);
	put(out, data, len);
	WebPFree(data);
}

/* A still picture's chunk of pixels, as a frame. */
static void put_webp_frame(struct buffer *out, const struct grey *g, uint32_t left, uint32_t top)
{
	_buffer_ struct buffer still = { 0 };
	uint32_t *rgba = calloc((size_t)g->width * g->rows, 4);

	assert_non_null(rgba);
	for (size_t i = 0; i < (size_t)g->width * g->rows; i++)
		memset(&rgba[i], g->data[i], 3), ((uint8_t *)&rgba[i])[3] = 255;
	aux_webp(&still, rgba, g->width, g->rows);
	free(rgba);
	put(out, "ANMF", 4);
	put_number(out, still.len - 12 + 16, 4);
	put_number(out, left / 2, 3);
	put_number(out, top / 2, 3);
	put_number(out, g->width - 1, 3);
	put_number(out, g->rows - 1, 3);
	put_number(out, 100, 3);
	put_octet(out, 0);
	put(out, still.data + 12, still.len - 12);
}

void aux_webp_moving(struct buffer *out, const struct grey *first, uint32_t left, uint32_t top)
{
	_buffer_ struct buffer body = { 0 };
	_grey_ struct grey black = { 0 };

	put(&body, "WEBPVP8X", 8);
	put_number(&body, 10, 4);
	put_number(&body, 2, 4);	/* it moves */
	put_number(&body, first->width + left - 1, 3);
	put_number(&body, first->rows + top - 1, 3);
	put(&body, "ANIM\6\0\0\0\0\0\0\0\0\0", 14);
	put_webp_frame(&body, first, left, top);
	assert_int_equal(grey_alloc(&black, first->width + left, first->rows + top), 0);
	memset(black.data, 0, (size_t)black.width * black.rows);
	put_webp_frame(&body, &black, 0, 0);
	put(out, "RIFF", 4);
	put_number(out, body.len, 4);
	put(out, body.data, body.len);
}

static cairo_status_t take_pdf(void *closure, const unsigned char *data, unsigned int len)
{
	return buffer_append(closure, data, len) < 0 ? CAIRO_STATUS_WRITE_ERROR :
						       CAIRO_STATUS_SUCCESS;
}

void aux_pdf(struct buffer *out, uint32_t pages, double wide, double high)
{
	cairo_surface_t *s = cairo_pdf_surface_create_for_stream(take_pdf, out, wide, high);
	cairo_t *cr = cairo_create(s);

	for (uint32_t i = 0; i < pages; i++) {
		cairo_rectangle(cr, 20, 20, wide - 40, high - 40);
		cairo_move_to(cr, 20, 20);
		cairo_line_to(cr, wide - 20, high - 20);
		cairo_stroke(cr);
		cairo_show_page(cr);
	}
	cairo_destroy(cr);
	cairo_surface_destroy(s);
}

bool aux_extent_of(const struct bitmap *b, uint32_t top, uint32_t end, struct aux_extent *ret)
{
	*ret = (struct aux_extent){ .left = b->width, .top = end };
	for (uint32_t y = top; y < end; y++)
		for (uint32_t x = 0; x < b->width; x++)
			if (bitmap_row(b, y)[x / 8] & 0x80 >> x % 8) {
				ret->left = x < ret->left ? x : ret->left;
				ret->right = x > ret->right ? x : ret->right;
				ret->top = y < ret->top ? y : ret->top;
				ret->bottom = y;
				ret->black++;
			}
	return ret->black;
}

bool aux_extent(struct page *p, struct aux_extent *ret)
{
	_bitmap_ struct bitmap b = { 0 };
	struct error e;

	assert_int_equal(bitmap_decode(&b, p, &e), 0);
	assert_int_equal(p->rows_bad, 0);
	return aux_extent_of(&b, 0, b.rows, ret);
}
