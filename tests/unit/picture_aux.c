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
