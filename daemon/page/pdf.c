/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>
#include <poppler.h>

#include "base/cleanup.h"
#include "page/halftone.h"
#include "page/pdf.h"

#define MAGIC_WITHIN 1024	/* readers take junk of so many bytes before it */
#define POINT	     (25.4 / 72)	/* millimetres */

bool pdf_recognize(const void *data, size_t len)
{
	return len && memmem(data, len < MAGIC_WITHIN ? len : MAGIC_WITHIN, "%PDF-", 5);
}

/* How a page of the document lies on paper. */
struct placing {
	double scale;
	bool turned;
	double wide, high;	/* of the page as it lies, in millimetres */
};

static double fit(double wide, double high, double paper_wide, double paper_high)
{
	double x = paper_wide / wide, y = paper_high / high;

	x = x < y ? x : y;
	return x < 1 ? x : 1;
}

static struct placing find_placing(PopplerPage *page, const struct paper *p)
{
	double paper_wide = p->width * 1000.0 / p->xres, paper_high = p->rows * 1000.0 / p->yres;
	struct placing a = { 0 };
	double width, height, across;

	poppler_page_get_size(page, &width, &height);
	/* Also what is not a number becomes one here. */
	width = width > 1 && width < 1e6 ? width * POINT : POINT;
	height = height > 1 && height < 1e6 ? height * POINT : POINT;
	a.scale = fit(width, height, paper_wide, paper_high);
	across = fit(height, width, paper_wide, paper_high);
	a.turned = across > a.scale * 1.02;
	if (a.turned)
		a.scale = across;
	a.wide = (a.turned ? height : width) * a.scale;
	a.high = (a.turned ? width : height) * a.scale;
	return a;
}

static cairo_surface_t *draw(PopplerPage *page, const struct paper *p)
{
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, p->width, p->rows);
	struct placing a = find_placing(page, p);
	cairo_t *cr = cairo_create(s);

	cairo_set_source_rgb(cr, 1, 1, 1);
	cairo_paint(cr);
	cairo_scale(cr, p->xres / 1000.0, p->yres / 1000.0);
	/* in the middle; a page as high as the paper begins at its top */
	cairo_translate(cr, (p->width * 1000.0 / p->xres - a.wide) / 2,
			(p->rows * 1000.0 / p->yres - a.high) / 2);
	if (a.turned) {
		cairo_translate(cr, a.wide, 0);
		cairo_rotate(cr, G_PI / 2);
	}
	cairo_scale(cr, a.scale * POINT, a.scale * POINT);
	poppler_page_render_for_printing(page, cr);
	if (cairo_status(cr) != CAIRO_STATUS_SUCCESS) {
		cairo_surface_destroy(s);
		s = NULL;
	}
	cairo_destroy(cr);
	return s;
}

static int shades(cairo_surface_t *s, const struct paper *p, struct grey *ret)
{
	int stride = cairo_image_surface_get_stride(s);
	const uint8_t *data;
	int r = grey_alloc(ret, p->width, p->rows);

	cairo_surface_flush(s);
	data = cairo_image_surface_get_data(s);
	if (r < 0 || !data)
		return r < 0 ? r : -ENOMEM;
	for (uint32_t y = 0; y < p->rows; y++) {
		const uint32_t *row = (const uint32_t *)(data + (size_t)y * stride);
		uint8_t *to = ret->data + (size_t)y * p->width;

		for (uint32_t x = 0; x < p->width; x++)
			to[x] = ((row[x] >> 16 & 255) * 299 + (row[x] >> 8 & 255) * 587 +
				 (row[x] & 255) * 114) / 1000;
	}
	return 0;
}

static int read_page(PopplerPage *page, const struct paper *p, struct page *ret)
{
	_bitmap_ struct bitmap b = { 0 };
	_grey_ struct grey g = { 0 };
	cairo_surface_t *s = draw(page, p);
	int r = s ? shades(s, p, &g) : -ENOMEM;

	if (s)
		cairo_surface_destroy(s);
	if (r >= 0)
		r = bitmap_alloc(&b, p->width, p->rows);
	if (r >= 0)
		r = halftone(&g, &b, 0, 0);
	ret->xres = p->xres;
	ret->yres = p->yres;
	return r < 0 ? r : bitmap_to_page(&b, FAX_ENC_MMR, 0, ret);
}

static int add_page(PopplerDocument *d, int i, const struct paper *paper, struct page_list *l,
		    struct error *e)
{
	PopplerPage *page = poppler_document_get_page(d, i);
	struct page *p;
	int r;

	if (!page)
		return error_set(e, -EBADMSG, "Page %d of the PDF document is damaged", i + 1);
	p = page_list_add(l);
	r = p ? read_page(page, paper, p) : -ENOMEM;
	g_object_unref(page);
	if (r < 0 && p)
		page_list_truncate(l, l->n - 1);
	return r < 0 ? error_set(e, r, "Out of memory for page %d of the PDF document", i + 1) : 0;
}

static int add_pages(PopplerDocument *d, const struct paper *paper, const struct paper_limits *m,
		     struct page_list *l, struct error *e)
{
	int n = poppler_document_get_n_pages(d), r = 0;
	uint64_t bytes = 0;

	if (n <= 0)
		return error_set(e, -EBADMSG, "The PDF document has no pages");
	if (m->max_pages && (uint32_t)n > m->max_pages)
		return error_set(e, -EFBIG, "The PDF document has %d pages, %u can be printed", n,
				 m->max_pages);
	for (int i = 0; i < n && r >= 0; i++) {
		r = paper_in_time(m, e);
		if (r >= 0)
			r = add_page(d, i, paper, l, e);
		if (r >= 0)
			bytes += l->pages[l->n - 1].backing_len;
		if (r >= 0 && m->max_bytes && bytes > m->max_bytes)
			r = error_set(e, -EFBIG, "The pages of the PDF document take more than "
				      "%llu bytes", (unsigned long long)m->max_bytes);
	}
	return r;
}

static PopplerDocument *open_document(const void *data, size_t len, struct error *e)
{
	GBytes *bytes = g_bytes_new_static(data, len);
	GError *why = NULL;
	PopplerDocument *d = poppler_document_new_from_bytes(bytes, NULL, &why);

	g_bytes_unref(bytes);
	if (d)
		return d;
	if (g_error_matches(why, POPPLER_ERROR, POPPLER_ERROR_ENCRYPTED))
		error_set(e, -EBADMSG, "The PDF document cannot be opened without its password");
	else
		error_set(e, -EBADMSG, "The PDF document is damaged: %.100s",
			  why ? why->message : "it cannot be opened");
	g_clear_error(&why);
	return NULL;
}

int pdf_read(const void *data, size_t len, const struct raster_engine *engine,
	     const struct paper_limits *limits, struct page_list *l, struct error *e)
{
	static const struct paper_limits none;
	struct paper paper;
	PopplerDocument *d;
	int r = paper_pick(engine, &paper, e);

	if (r < 0)
		return r;
	d = open_document(data, len, e);
	if (!d)
		return -EBADMSG;
	r = add_pages(d, &paper, limits ? limits : &none, l, e);
	g_object_unref(d);
	return r;
}
