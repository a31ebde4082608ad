/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>
#include <pango/pangocairo.h>

#include "base/cleanup.h"
#include "page/bitmap.h"
#include "page/fonts.h"
#include "page/typeset.h"

/* In millimetres. */
#define MARGIN_SIDE   20.0
#define MARGIN_TOP    15.0
#define FOOT_HEIGHT   17.0	/* with the lower margin in it */
#define FOOT_LINE     4.0	/* from its upper edge */
#define SIZE_FIXED    3.53	/* 10 point: 80 columns fit between the margins */
#define SIZE_PROSE    3.88	/* 11 point */
#define SIZE_FOOT     2.82	/* 8 point */
#define RULE_WIDTH    0.25
#define GAP	      2.5

#define TAB_COLUMNS   8
#define BLACK_FROM    96	/* of 255 covered */
#define PARAGRAPH_MAX 8192	/* bytes that are laid out at a time */

struct typeset {
	struct paper paper;
	struct paper_limits limits;
	char *title;
	PangoContext *context;
	PangoTabArray *tabs;
	cairo_surface_t *surface;	/* coverage of the page's body, a byte a pixel */
	cairo_t *cr;
	uint32_t body_rows;
	double y;			/* where the next line goes; the pixels are square here */
	bool used;			/* something was put on the page */
	uint32_t unknown;
	uint64_t bytes;
	struct page_list pages;		/* their feet are missing */
};

static double px(const struct typeset *t, double mm)
{
	return paper_x(&t->paper, mm);
}

/* Rows of the page for a height in square pixels. */
static double stretch(const struct typeset *t)
{
	return (double)t->paper.yres / t->paper.xres;
}

/* --- surfaces --- */

/*
 * Text is measured in square pixels, and only drawn under an uneven scale: Pango
 * measures wrongly under one.
 */
static cairo_t *make_surface(const struct typeset *t, uint32_t rows, cairo_surface_t **ret)
{
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_A8, t->paper.width, rows);
	cairo_t *cr = cairo_create(s);

	cairo_scale(cr, 1, stretch(t));
	*ret = s;
	return cr;
}

/* Pixels that are covered enough become black. */
static void blacken(cairo_surface_t *s, const struct bitmap *b)
{
	const uint8_t *data;
	int stride = cairo_image_surface_get_stride(s);

	cairo_surface_flush(s);
	data = cairo_image_surface_get_data(s);
	for (uint32_t y = 0; data && y < b->rows; y++, data += stride) {
		uint8_t *row = bitmap_row(b, y);

		for (uint32_t x = 0; x < b->width; x++)
			row[x / 8] |= (data[x] >= BLACK_FROM) << (7 - x % 8);
	}
}

/* The first @rows rows of @s as a page of one strip. */
static int encode(const struct typeset *t, cairo_surface_t *s, uint32_t rows, struct page *ret)
{
	_bitmap_ struct bitmap b = { 0 };
	int r = bitmap_alloc(&b, t->paper.width, rows);

	if (r >= 0 && cairo_surface_status(s) != CAIRO_STATUS_SUCCESS)
		r = -ENOMEM;
	if (r < 0)
		return r;
	blacken(s, &b);
	ret->xres = t->paper.xres;
	ret->yres = t->paper.yres;
	return bitmap_to_page(&b, FAX_ENC_MMR, 0, ret);
}

/* --- pages --- */

static void begin_page(struct typeset *t)
{
	cairo_save(t->cr);
	cairo_set_operator(t->cr, CAIRO_OPERATOR_CLEAR);
	cairo_paint(t->cr);
	cairo_restore(t->cr);
	t->y = px(t, MARGIN_TOP);
	t->used = false;
}

static int out_of_memory(struct error *e)
{
	return error_set(e, -ENOMEM, "Out of memory for the pages of a text");
}

static int end_page(struct typeset *t, struct error *e)
{
	struct page *p;

	if (t->limits.max_pages && t->pages.n >= t->limits.max_pages)
		return error_set(e, -EFBIG, "The text takes more than %u pages",
				 t->limits.max_pages);
	p = page_list_add(&t->pages);
	if (!p || encode(t, t->surface, t->body_rows, p) < 0)
		return out_of_memory(e);
	t->bytes += p->backing_len;
	if (t->limits.max_bytes && t->bytes > t->limits.max_bytes)
		return error_set(e, -EFBIG, "The pages of the text take more than %llu bytes",
				 (unsigned long long)t->limits.max_bytes);
	begin_page(t);
	return 0;
}

/* --- layouts --- */

static PangoLayout *make_layout(const struct typeset *t, const char *family, double mm,
				PangoWeight weight)
{
	PangoLayout *l = pango_layout_new(t->context);
	PangoFontDescription *font = pango_font_description_new();

	pango_font_description_set_family_static(font, family);
	pango_font_description_set_weight(font, weight);
	pango_font_description_set_absolute_size(font, px(t, mm) * PANGO_SCALE);
	pango_layout_set_font_description(l, font);
	pango_font_description_free(font);
	pango_layout_set_wrap(l, PANGO_WRAP_WORD_CHAR);
	pango_layout_set_width(l, (t->paper.width - 2 * px(t, MARGIN_SIDE)) * PANGO_SCALE);
	return l;
}

static double below(int units)
{
	return (double)units / PANGO_SCALE;
}

/* Puts the lines of @l on paper, over as many pages as it takes. */
static int put_layout(struct typeset *t, PangoLayout *l, struct error *e)
{
	PangoLayoutIter *i = pango_layout_get_iter(l);
	double end = t->body_rows / stretch(t);
	int r = 0;

	t->unknown += pango_layout_get_unknown_glyphs_count(l);
	do {
		PangoRectangle box;
		double rise;

		pango_layout_iter_get_line_extents(i, NULL, &box);
		rise = below(pango_layout_iter_get_baseline(i) - box.y);
		if (t->used && t->y + below(box.height) > end)
			r = end_page(t, e);
		if (r < 0)
			break;
		cairo_move_to(t->cr, px(t, MARGIN_SIDE) + below(box.x), t->y + rise);
		pango_cairo_show_layout_line(t->cr, pango_layout_iter_get_line_readonly(i));
		t->y += below(box.height);
		t->used = true;
	} while (pango_layout_iter_next_line(i));
	pango_layout_iter_free(i);
	return r;
}

/* A line without text: at the top of a page, but the first, it would only look like a mistake. */
static void put_blank(struct typeset *t, double height)
{
	if (t->used || !t->pages.n)
		t->y += height;
}

static void put_rule(struct typeset *t)
{
	cairo_rectangle(t->cr, px(t, MARGIN_SIDE), t->y + px(t, GAP / 2),
			t->paper.width - 2 * px(t, MARGIN_SIDE), px(t, RULE_WIDTH));
	cairo_fill(t->cr);
	t->y += px(t, GAP * 2);
}

/* --- paragraphs --- */

/* "> > text" that is wrapped goes on below the text. */
static int quote_width(PangoLayout *l, const char *s, size_t len)
{
	size_t n = 0;
	int width = 0;

	while (n < len && (s[n] == '>' || s[n] == ' '))
		n++;
	if (!n || s[0] != '>' || n > 64)
		return 0;
	pango_layout_set_text(l, s, n);
	pango_layout_get_size(l, &width, NULL);
	return width;
}

static int put_plain(struct typeset *t, bool fixed, const char *s, size_t len, struct error *e)
{
	PangoLayout *l = make_layout(t, fixed ? "monospace" : "sans-serif",
				     fixed ? SIZE_FIXED : SIZE_PROSE, PANGO_WEIGHT_NORMAL);
	int r = 0, high;

	pango_layout_set_tabs(l, t->tabs);
	pango_layout_set_indent(l, -quote_width(l, s, len));
	pango_layout_set_text(l, s, len);
	if (len) {
		r = put_layout(t, l, e);
	} else {
		pango_layout_get_size(l, NULL, &high);
		put_blank(t, below(high));
	}
	g_object_unref(l);
	return r;
}

/* "Name: value", the name in bold. */
static int put_field(struct typeset *t, const char *s, size_t len, struct error *e)
{
	PangoLayout *l = make_layout(t, "sans-serif", SIZE_PROSE, PANGO_WEIGHT_NORMAL);
	const char *colon = memchr(s, ':', len);
	PangoAttrList *attrs = pango_attr_list_new();
	PangoAttribute *bold = pango_attr_weight_new(PANGO_WEIGHT_BOLD);
	int r;

	bold->end_index = colon ? colon - s + 1 : 0;
	pango_attr_list_insert(attrs, bold);
	pango_layout_set_attributes(l, attrs);
	pango_attr_list_unref(attrs);
	pango_layout_set_auto_dir(l, false);
	pango_layout_set_text(l, s, len);
	r = put_layout(t, l, e);
	g_object_unref(l);
	return r;
}

static int put_bold(struct typeset *t, const char *s, size_t len, struct error *e)
{
	PangoLayout *l = make_layout(t, "sans-serif", SIZE_PROSE, PANGO_WEIGHT_BOLD);
	int r;

	pango_layout_set_text(l, s, len);
	r = put_layout(t, l, e);
	g_object_unref(l);
	return r;
}

static int put_paragraph(struct typeset *t, enum typeset_style style, const char *s, size_t len,
			 struct error *e)
{
	int r = paper_in_time(&t->limits, e);

	if (r < 0)
		return r;
	switch (style) {
	case TYPESET_HEAD:
		return put_field(t, s, len, e);
	case TYPESET_MARK:
		return put_bold(t, s, len, e);
	default:
		return put_plain(t, style == TYPESET_FIXED, s, len, e);
	}
}

/*
 * How much of a paragraph is laid out at a time: all of it, or up to a blank
 * where one is near, or to the last whole character.
 */
static size_t portion(const char *s, size_t len)
{
	size_t n = PARAGRAPH_MAX;

	if (len <= n)
		return len;
	for (size_t k = n; k > n / 2; k--)
		if (s[k - 1] == ' ')
			return k;
	while ((s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static int put_line(struct typeset *t, enum typeset_style style, const char *s, size_t len,
		    struct error *e)
{
	int r;

	do {
		size_t n = portion(s, len);

		r = put_paragraph(t, style, s, n, e);
		s += n;
		len -= n;
	} while (len && r >= 0);
	return r;
}

/* --- the document --- */

static PangoContext *make_context(PangoFontMap *map)
{
	PangoContext *c = pango_font_map_create_context(map);
	cairo_font_options_t *o = cairo_font_options_create();

	cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
	cairo_font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
	pango_cairo_context_set_font_options(c, o);
	cairo_font_options_destroy(o);
	pango_context_set_round_glyph_positions(c, false);
	pango_context_set_base_dir(c, PANGO_DIRECTION_WEAK_LTR);
	return c;
}

static PangoTabArray *make_tabs(const struct typeset *t)
{
	PangoLayout *l = make_layout(t, "monospace", SIZE_FIXED, PANGO_WEIGHT_NORMAL);
	PangoTabArray *tabs = pango_tab_array_new(1, false);
	int width;

	pango_layout_set_text(l, "00000000", TAB_COLUMNS);
	pango_layout_get_size(l, &width, NULL);
	pango_tab_array_set_tab(tabs, 0, PANGO_TAB_LEFT, width);
	g_object_unref(l);
	return tabs;
}

int typeset_new(struct typeset **ret, const struct raster_engine *engine,
		const struct paper_limits *limits, const char *title, struct error *e)
{
	struct paper paper;
	struct typeset *t;
	PangoFontMap *map;
	int r = paper_pick(engine, &paper, e);

	if (r < 0)
		return r;
	if (paper_y(&paper, MARGIN_TOP + FOOT_HEIGHT * 2) > paper.rows ||
	    paper_x(&paper, MARGIN_SIDE * 3) > paper.width)
		return error_set(e, -EINVAL, "The printer's paper is too small to set text on");
	map = fonts_map(e);
	if (!map)
		return e ? e->code : -ENOENT;
	t = calloc(1, sizeof(*t));
	if (!t)
		return out_of_memory(e);
	t->paper = paper;
	if (limits)
		t->limits = *limits;
	t->title = g_utf8_make_valid(title ? title : "", -1);
	t->body_rows = paper.rows - (uint32_t)paper_y(&paper, FOOT_HEIGHT);
	t->context = make_context(map);
	t->tabs = make_tabs(t);
	t->cr = make_surface(t, t->body_rows, &t->surface);
	begin_page(t);
	*ret = t;
	return 0;
}

void typeset_free(struct typeset *t)
{
	if (!t)
		return;
	page_list_clear(&t->pages);
	cairo_destroy(t->cr);
	cairo_surface_destroy(t->surface);
	pango_tab_array_free(t->tabs);
	g_object_unref(t->context);
	g_free(t->title);
	free(t);
}

uint32_t typeset_unknown(const struct typeset *t)
{
	return t->unknown;
}

static int add_valid(struct typeset *t, enum typeset_style style, const char *s, size_t len,
		     struct error *e)
{
	const char *end = s + len;
	int r = 0;

	while (s < end && r >= 0) {
		size_t n = strcspn(s, "\n\f");

		r = put_line(t, style, s, n && s[n - 1] == '\r' ? n - 1 : n, e);
		s += n;
		if (r >= 0 && *s == '\f')
			r = end_page(t, e);
		s += s < end;
	}
	if (r >= 0 && style == TYPESET_HEAD)
		put_rule(t);
	return r;
}

int typeset_add(struct typeset *t, enum typeset_style style, const char *text, size_t len,
		struct error *e)
{
	char *valid = g_utf8_make_valid(text, len);
	size_t n = strlen(valid);
	int r = add_valid(t, style, valid, n, e);

	g_free(valid);
	return r;
}

/* --- feet --- */

static int draw_foot(struct typeset *t, cairo_t *cr, const char *s, PangoAlignment align,
		     double width)
{
	PangoLayout *l = make_layout(t, "sans-serif", SIZE_FOOT, PANGO_WEIGHT_NORMAL);
	int used;

	pango_layout_set_single_paragraph_mode(l, true);
	pango_layout_set_auto_dir(l, false);
	pango_layout_set_alignment(l, align);
	pango_layout_set_ellipsize(l, PANGO_ELLIPSIZE_END);
	pango_layout_set_width(l, width * PANGO_SCALE);
	pango_layout_set_text(l, s, -1);
	pango_layout_get_size(l, &used, NULL);
	cairo_move_to(cr, px(t, MARGIN_SIDE), px(t, FOOT_LINE));
	pango_cairo_show_layout(cr, l);
	g_object_unref(l);
	return used;
}

/* The title to the left, as far as the number to the right lets it. */
static int make_foot(struct typeset *t, uint32_t number, struct page *ret)
{
	double width = t->paper.width - 2 * px(t, MARGIN_SIDE);
	uint32_t rows = t->paper.rows - t->body_rows;
	cairo_surface_t *s;
	cairo_t *cr = make_surface(t, rows, &s);
	char text[64];
	int used, r;

	snprintf(text, sizeof(text), "page %u of %zu", number, t->pages.n);
	used = draw_foot(t, cr, text, PANGO_ALIGN_RIGHT, width);
	draw_foot(t, cr, t->title, PANGO_ALIGN_LEFT, width - below(used) - px(t, 2 * GAP));
	cairo_destroy(cr);
	r = encode(t, s, rows, ret);
	cairo_surface_destroy(s);
	return r;
}

static int add_feet(struct typeset *t)
{
	int r = 0;

	for (size_t i = 0; i < t->pages.n && r >= 0; i++) {
		struct page foot = { 0 };

		r = make_foot(t, i + 1, &foot);
		if (r >= 0)
			r = page_stack(&t->pages.pages[i], &foot);
		page_clear(&foot);
	}
	return r;
}

int typeset_finish(struct typeset *t, struct page_list *l, struct error *e)
{
	int r = t->used || !t->pages.n ? end_page(t, e) : 0;

	if (r < 0)
		return r;
	if (add_feet(t) < 0)
		return out_of_memory(e);
	for (size_t i = 0; i < t->pages.n; i++) {
		struct page *p = page_list_add(l);

		if (!p)
			return out_of_memory(e);
		*p = t->pages.pages[i];
		memset(&t->pages.pages[i], 0, sizeof(*p));
	}
	page_list_clear(&t->pages);
	return 0;
}
