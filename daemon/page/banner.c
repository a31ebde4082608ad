/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <linux/fax.h>
#include <pango/pangocairo.h>

#include "base/cleanup.h"
#include "page/banner.h"
#include "page/bitmap.h"

/* In metres. */
#define LINE_HEIGHT 0.0045
#define FONT_HEIGHT 0.0030
#define MARGIN	    0.006
#define BLACK_FROM  96		/* of 255 covered */

static PangoLayout *make_layout(cairo_t *cr, const char *text, double width)
{
	PangoLayout *layout = pango_cairo_create_layout(cr);
	PangoFontDescription *font = pango_font_description_from_string("sans");

	/* A unit is a millimetre here, glyphs must not be put on whole ones. */
	pango_context_set_round_glyph_positions(pango_layout_get_context(layout), false);
	pango_font_description_set_absolute_size(font, FONT_HEIGHT * 1000 * PANGO_SCALE);
	pango_layout_set_font_description(layout, font);
	pango_font_description_free(font);
	pango_layout_set_single_paragraph_mode(layout, true);
	pango_layout_set_width(layout, width * PANGO_SCALE);
	pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
	pango_layout_set_text(layout, text, -1);
	return layout;
}

static void draw(cairo_t *cr, const char *text, double width)
{
	PangoLayout *layout = make_layout(cr, text, width - 2 * MARGIN * 1000);
	int high;

	pango_layout_get_size(layout, NULL, &high);
	cairo_move_to(cr, MARGIN * 1000, (LINE_HEIGHT * 1000 - (double)high / PANGO_SCALE) / 2);
	pango_cairo_show_layout(cr, layout);
	g_object_unref(layout);
}

/*
 * Draws coverage, a byte a pixel. The pixels are square, whatever the page's
 * are: Pango measures text wrongly under an uneven scale.
 */
static cairo_surface_t *render(const char *text, const struct page *p)
{
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_A8, p->width,
							 p->xres * LINE_HEIGHT);
	cairo_font_options_t *o = cairo_font_options_create();
	cairo_t *cr = cairo_create(s);

	cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
	cairo_set_font_options(cr, o);
	cairo_scale(cr, p->xres / 1000.0, p->xres / 1000.0);
	draw(cr, text, p->width * 1000.0 / p->xres);
	cairo_destroy(cr);
	cairo_font_options_destroy(o);
	cairo_surface_flush(s);
	return s;
}

/* Coverage of a pixel of the page: the mean over the rows of the drawing that it spans. */
static uint32_t coverage(const uint8_t *column, int stride, uint32_t top, uint32_t end)
{
	uint32_t sum = 0;

	for (uint32_t y = top; y < end; y++)
		sum += column[(size_t)y * stride];
	return sum / (end - top);
}

/* Pixels that are covered enough become black: their number. */
static uint64_t blacken(cairo_surface_t *s, const struct bitmap *b)
{
	const uint8_t *data = cairo_image_surface_get_data(s);
	int stride = cairo_image_surface_get_stride(s);
	uint32_t high = cairo_image_surface_get_height(s);
	uint64_t black = 0;

	for (uint32_t y = 0; data && y < b->rows; y++) {
		uint32_t top = y * high / b->rows, end = (y + 1) * high / b->rows;

		if (end == top)
			end++;

		for (uint32_t x = 0; x < b->width; x++)
			if (coverage(data + x, stride, top, end) >= BLACK_FROM) {
				bitmap_row(b, y)[x / 8] |= 0x80 >> x % 8;
				black++;
			}
	}
	return black;
}

int banner_make(const char *text, uint32_t width, uint32_t xres, uint32_t yres,
		struct page *ret, struct error *e)
{
	struct page size = { .width = width, .rows = yres * LINE_HEIGHT, .xres = xres,
			     .yres = yres };
	_bitmap_ struct bitmap b = { 0 };
	cairo_surface_t *s;
	uint64_t black;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!g_utf8_validate(text, -1, NULL) || xres < 1000 || yres < 1000 || xres > 100000 ||
	    yres > 100000)
		return error_set(e, -EINVAL, "A line for the page is no text or has no size");
	r = bitmap_alloc(&b, size.width, size.rows);
	if (r < 0)
		return error_set(e, r, "A line for the page has no size");
	s = render(text, &size);
	black = blacken(s, &b);
	cairo_surface_destroy(s);
	if (!black && *text)
		return error_set(e, -ENOENT, "The line \"%.60s\" cannot be drawn; "
				 "is a font installed?", text);
	*ret = size;
	r = bitmap_to_page(&b, FAX_ENC_MMR, 0, ret);
	return r < 0 ? error_set(e, r, "A line for the page cannot be coded: %s", strerror(-r)) : 0;
}
