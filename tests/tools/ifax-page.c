// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ifax-page - pages for trying a fax: draws one, converts others, compares two
 *
 *	ifax-page chart OUT.pbm
 *	ifax-page convert IN.tif|IN.png|IN.pbm PREFIX	writes PREFIX-1.pbm ...; prints the names
 *	ifax-page png IN.pbm OUT.png
 *	ifax-page compare A.pbm B.pbm			exit status 0 equal, 1 not, 2 trouble
 *
 * A page has a scanner's width (A4 1728, B4 2048, A3 2432 pixels) at 8 pixels by 7.7 lines per
 * millimetre. A black-and-white original of such a width goes through as it is; any other is
 * scaled to A4, then thresholded if it is text, dithered if it is a picture.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairo.h>
#include <pango/pangocairo.h>
#include <tiffio.h>

#define A4_WIDTH 1728
#define A4_ROWS	 2287 /* 297 mm */
#define X_PER_MM 8.0
#define Y_PER_MM 7.7
#define MAX_SIDE 30000
#define MAX_ROWS 10000

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Ink, 0 to 255, a byte a pixel without padding. Freed with page_free(). */
struct page {
	int width;
	int rows;
	double aspect; /* width of a pixel / its height; 0 = unknown */
	uint8_t *ink;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "ifax-page: %s: %s\n", what, why);
	exit(2);
}

static struct page page_new(int64_t width, int64_t rows, const char *name)
{
	struct page page = { .width = (int)width, .rows = (int)rows };

	if (width < 1 || width > MAX_SIDE || rows < 1 || rows > MAX_SIDE)
		die(name, "a side is empty or longer than 30000 pixels");
	page.ink = calloc((size_t)width, (size_t)rows);
	if (!page.ink)
		die(name, strerror(ENOMEM));
	return page;
}

static void page_free(struct page *page)
{
	free(page->ink);
	page->ink = NULL;
}

static uint8_t *row(const struct page *page, int y)
{
	return page->ink + (size_t)y * (size_t)page->width;
}

/* --- PBM (P4) ------------------------------------------------------------------------------- */

/* The next number of a header, over blanks and comments; -1 if there is none. */
static long pbm_number(FILE *f)
{
	long n = -1;
	int c;

	while ((c = getc(f)) == '#' || c == ' ' || c == '\t' || c == '\r' || c == '\n') {
		if (c == '#')
			while ((c = getc(f)) != EOF && c != '\n')
				;
	}
	for (; c >= '0' && c <= '9' && n <= MAX_SIDE; c = getc(f))
		n = (n < 0 ? 0 : n) * 10 + c - '0';
	return n; /* and the one byte after it is taken */
}

static struct page pbm_read(const char *name)
{
	struct page page;
	long width, rows;
	FILE *f = fopen(name, "rb");

	if (!f)
		die(name, strerror(errno));
	if (getc(f) != 'P' || getc(f) != '4')
		die(name, "not a PBM file of the binary kind (P4)");
	width = pbm_number(f);
	rows = pbm_number(f);
	page = page_new(width, rows, name);
	for (int y = 0; y < page.rows; y++) {
		int byte = 0;

		for (int x = 0; x < page.width; x++) {
			if (x % 8 == 0)
				byte = getc(f);
			if (byte == EOF)
				die(name, "ends before its last row");
			row(&page, y)[x] = byte << x % 8 & 0x80 ? 255 : 0;
		}
	}
	fclose(f);
	return page;
}

static void pbm_write(const struct page *page, const char *name)
{
	FILE *f = fopen(name, "wb");

	if (!f)
		die(name, strerror(errno));
	fprintf(f, "P4\n%d %d\n", page->width, page->rows);
	for (int y = 0; y < page->rows; y++) {
		int byte = 0;

		for (int x = 0; x < page->width; x++) {
			byte |= (row(page, y)[x] >= 128) << (7 - x % 8);
			if (x % 8 == 7 || x + 1 == page->width) {
				putc(byte, f);
				byte = 0;
			}
		}
	}
	if (ferror(f) | fclose(f))
		die(name, "could not be written");
}

/* --- TIFF and PNG --------------------------------------------------------------------------- */

static uint8_t ink_of(uint32_t red, uint32_t green, uint32_t blue)
{
	return (uint8_t)(255 - (red * 299 + green * 587 + blue * 114 + 500) / 1000);
}

/* The directory that the file stands at. */
static struct page tiff_page(TIFF *tif, const char *name)
{
	uint32_t width = 0, rows = 0;
	float xres = 0, yres = 0;
	struct page page;
	uint32_t *raster;

	TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &width);
	TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &rows);
	page = page_new(width, rows, name);
	if (TIFFGetField(tif, TIFFTAG_XRESOLUTION, &xres) &&
	    TIFFGetField(tif, TIFFTAG_YRESOLUTION, &yres) && xres > 0 && yres > 0)
		page.aspect = (double)yres / (double)xres;
	raster = malloc((size_t)width * rows * sizeof(*raster));
	if (!raster)
		die(name, strerror(ENOMEM));
	if (!TIFFReadRGBAImageOriented(tif, width, rows, raster, ORIENTATION_TOPLEFT, 1))
		die(name, "cannot be decoded");
	for (size_t i = 0; i < (size_t)width * rows; i++)
		page.ink[i] = ink_of(TIFFGetR(raster[i]), TIFFGetG(raster[i]), TIFFGetB(raster[i]));
	free(raster);
	return page;
}

/* A row of a surface whose drawing is flushed. */
static void *surface_row(cairo_surface_t *surface, int y)
{
	return cairo_image_surface_get_data(surface) +
	       (size_t)y * (size_t)cairo_image_surface_get_stride(surface);
}

static struct page png_read(const char *name)
{
	cairo_surface_t *png = cairo_image_surface_create_from_png(name);
	cairo_surface_t *flat;
	struct page page;
	cairo_t *cr;

	if (cairo_surface_status(png) != CAIRO_STATUS_SUCCESS)
		die(name, cairo_status_to_string(cairo_surface_status(png)));
	page = page_new(cairo_image_surface_get_width(png), cairo_image_surface_get_height(png),
			name);
	page.aspect = 1;
	flat = cairo_image_surface_create(CAIRO_FORMAT_RGB24, page.width, page.rows);
	cr = cairo_create(flat);
	cairo_set_source_rgb(cr, 1, 1, 1);
	cairo_paint(cr);
	cairo_set_source_surface(cr, png, 0, 0);
	cairo_paint(cr);
	cairo_surface_flush(flat);
	for (int y = 0; y < page.rows; y++) {
		const uint32_t *from = surface_row(flat, y);

		for (int x = 0; x < page.width; x++)
			row(&page, y)[x] =
				ink_of(from[x] >> 16 & 255, from[x] >> 8 & 255, from[x] & 255);
	}
	cairo_destroy(cr);
	cairo_surface_destroy(flat);
	cairo_surface_destroy(png);
	return page;
}

static void png_write(const struct page *page, const char *name)
{
	cairo_surface_t *png =
		cairo_image_surface_create(CAIRO_FORMAT_RGB24, page->width, page->rows);
	cairo_status_t status;

	for (int y = 0; y < page->rows && cairo_image_surface_get_data(png); y++) {
		uint32_t *to = surface_row(png, y);

		for (int x = 0; x < page->width; x++)
			to[x] = row(page, y)[x] >= 128 ? 0 : 0xffffff;
	}
	cairo_surface_mark_dirty(png);
	status = cairo_surface_write_to_png(png, name);
	if (status != CAIRO_STATUS_SUCCESS)
		die(name, cairo_status_to_string(status));
	cairo_surface_destroy(png);
}

/* --- black and white ------------------------------------------------------------------------ */

static bool is_bilevel(const struct page *page)
{
	for (size_t i = 0; i < (size_t)page->width * (size_t)page->rows; i++)
		if (page->ink[i] != 0 && page->ink[i] != 255)
			return false;
	return true;
}

/* Text on paper is nearly all ink or no ink; in a picture the middle counts. */
static bool is_picture(const struct page *page)
{
	size_t all = (size_t)page->width * (size_t)page->rows, middle = 0;

	for (size_t i = 0; i < all; i++)
		middle += page->ink[i] > 48 && page->ink[i] < 208;
	return middle > all / 8;
}

/* Floyd and Steinberg's error diffusion, in a rectangle. */
static void diffuse(struct page *page, int x0, int y0, int width, int rows)
{
	int *here = calloc((size_t)width + 2, sizeof(*here));
	int *below = calloc((size_t)width + 2, sizeof(*below));

	if (!here || !below)
		die("dithering", strerror(ENOMEM));
	for (int y = y0; y < y0 + rows; y++) {
		int *swap = here;

		for (int x = 0; x < width; x++) {
			uint8_t *ink = row(page, y) + x0 + x;
			int wanted = *ink + here[x + 1] / 16;
			int error;

			*ink = wanted >= 128 ? 255 : 0;
			error = wanted - *ink;
			here[x + 2] += error * 7;
			below[x] += error * 3;
			below[x + 1] += error * 5;
			below[x + 2] += error;
		}
		here = below;
		below = memset(swap, 0, ((size_t)width + 2) * sizeof(*swap));
	}
	free(here);
	free(below);
}

/* Bayer's ordered dither, in a rectangle. */
static void order(struct page *page, int x0, int y0, int width, int rows)
{
	for (int y = y0; y < y0 + rows; y++) {
		for (int x = x0; x < x0 + width; x++) {
			int level = 0;

			for (int bit = 0; bit < 3; bit++)
				level = level << 2 | ((x ^ y) >> bit & 1) << 1 | (y >> bit & 1);
			row(page, y)[x] = row(page, y)[x] > level * 4 + 1 ? 255 : 0;
		}
	}
}

/* The page scaled to width and rows; frees the old one. */
static struct page scale(struct page *old, int width, int rows, const char *name)
{
	struct page page = page_new(width, rows, name);
	cairo_surface_t *from, *to;
	cairo_t *cr;

	from = cairo_image_surface_create(CAIRO_FORMAT_A8, old->width, old->rows);
	to = cairo_image_surface_create(CAIRO_FORMAT_A8, width, rows);
	if (!cairo_image_surface_get_data(from) || !cairo_image_surface_get_data(to))
		die(name, strerror(ENOMEM));
	for (int y = 0; y < old->rows; y++)
		memcpy(surface_row(from, y), row(old, y), (size_t)old->width);
	cairo_surface_mark_dirty(from);
	cr = cairo_create(to);
	cairo_scale(cr, (double)width / old->width, (double)rows / old->rows);
	cairo_set_source_surface(cr, from, 0, 0);
	cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_GOOD);
	cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
	cairo_paint(cr);
	cairo_surface_flush(to);
	for (int y = 0; y < rows; y++)
		memcpy(row(&page, y), surface_row(to, y), (size_t)width);
	cairo_destroy(cr);
	cairo_surface_destroy(from);
	cairo_surface_destroy(to);
	page_free(old);
	return page;
}

/* Brings any page to one that a scanner would give. */
static void to_scanner(struct page *page, const char *name)
{
	const double fine = Y_PER_MM / X_PER_MM;
	bool fits = page->width == 1728 || page->width == 2048 || page->width == 2432;
	bool bilevel = is_bilevel(page);
	int width = fits ? page->width : A4_WIDTH;
	double aspect = page->aspect > 0 ? page->aspect : fits ? fine : 1;
	double rows = page->rows * (double)width / page->width * fine / aspect;

	/* 204 x 196 dpi and the like are "fine" rounded; one row in 20 is no reason to scale. */
	if (fits && fabs(rows / page->rows - 1) < 0.05)
		rows = page->rows;
	rows = fmin(fmax(round(rows), 1), MAX_ROWS);
	if (width != page->width || (int)rows != page->rows)
		*page = scale(page, width, (int)rows, name);
	if (!bilevel && is_picture(page))
		diffuse(page, 0, 0, page->width, page->rows);
}

static void emit(struct page *page, const char *name, const char *prefix, int n)
{
	char out[4096];

	if (snprintf(out, sizeof(out), "%s-%d.pbm", prefix, n) >= (int)sizeof(out))
		die(prefix, strerror(ENAMETOOLONG));
	to_scanner(page, name);
	pbm_write(page, out);
	page_free(page);
	puts(out);
}

static int convert(const char *name, const char *prefix)
{
	unsigned char magic[4] = { 0 };
	FILE *f = fopen(name, "rb");
	struct page page;
	TIFF *tif;
	int n = 1;

	if (!f)
		die(name, strerror(errno));
	if (fread(magic, 1, sizeof(magic), f) != sizeof(magic))
		die(name, "is empty");
	fclose(f);
	if (!memcmp(magic, "P4", 2)) {
		page = pbm_read(name);
		emit(&page, name, prefix, n);
	} else if (!memcmp(magic, "\x89PNG", 4)) {
		page = png_read(name);
		emit(&page, name, prefix, n);
	} else if (!memcmp(magic, "II", 2) || !memcmp(magic, "MM", 2)) {
		tif = TIFFOpen(name, "r");
		if (!tif)
			die(name, "not a TIFF file");
		do {
			page = tiff_page(tif, name);
			emit(&page, name, prefix, n++);
		} while (TIFFReadDirectory(tif));
		TIFFClose(tif);
	} else {
		die(name, "not a TIFF, PNG or binary PBM (P4) file");
	}
	return 0;
}

/* --- the test chart ------------------------------------------------------------------------- */

/* Drawing is in millimetres; ink is alpha, either all or nothing but for the grey ramps. */
struct chart {
	cairo_t *cr;
	cairo_surface_t *surface;
};

/* Text with its top left corner at x, y; size in points. Returns its height. */
static double text(struct chart *c, double x, double y, double size, const char *words)
{
	PangoFontDescription *font = pango_font_description_from_string("DejaVu Sans");
	PangoLayout *layout = pango_cairo_create_layout(c->cr);
	cairo_font_options_t *options = cairo_font_options_create();
	int height;

	cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY); /* halved in the end */
	cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
	pango_cairo_context_set_font_options(pango_layout_get_context(layout), options);
	pango_context_set_round_glyph_positions(pango_layout_get_context(layout), FALSE);
	pango_layout_context_changed(layout);
	pango_font_description_set_absolute_size(font, size * PANGO_SCALE * 25.4 / 72);
	pango_layout_set_font_description(layout, font);
	pango_layout_set_text(layout, words, -1);
	cairo_move_to(c->cr, x, y);
	pango_cairo_show_layout(c->cr, layout);
	pango_layout_get_size(layout, NULL, &height);
	cairo_font_options_destroy(options);
	pango_font_description_free(font);
	g_object_unref(layout);
	return (double)height / PANGO_SCALE;
}

static void box(struct chart *c, double x, double y, double width, double height)
{
	cairo_rectangle(c->cr, x, y, width, height);
	cairo_fill(c->cr);
}

/* Sets single pixels of a rectangle by a rule. */
static void pixels(struct chart *c, double x_mm, double y_mm, double width, double height,
		   bool (*black)(int x, int y, int n), int n)
{
	int x0 = (int)(x_mm * X_PER_MM), y0 = (int)(y_mm * Y_PER_MM);
	int columns = (int)(width * X_PER_MM), rows = (int)(height * Y_PER_MM);

	cairo_surface_flush(c->surface);
	for (int y = 0; y < rows; y++) {
		unsigned char *ink = (unsigned char *)surface_row(c->surface, y0 + y) + x0;

		for (int x = 0; x < columns; x++)
			if (black(x, y, n))
				ink[x] = 255;
	}
	cairo_surface_mark_dirty(c->surface);
}

static bool upright(int x, int y, int n)
{
	return x / n % 2 == 0;
}

static bool level(int x, int y, int n)
{
	return y / n % 2 == 0;
}

static bool slanted(int x, int y, int n)
{
	return (x + y) / n % 2 == 0;
}

static bool checkered(int x, int y, int n)
{
	return (x / n + y / n) % 2 == 0;
}

/* The dearest to code: no line is like the one above it. */
static bool noisy(int x, int y, int n)
{
	uint32_t v = (uint32_t)x * 2654435761u ^ (uint32_t)y * 2246822519u;

	v ^= v >> 15;
	v *= 2654435761u;
	return (v >> 13 & 0xff) < (uint32_t)n;
}

static void draw_frame(struct chart *c)
{
	cairo_set_line_width(c->cr, 0.8);
	cairo_rectangle(c->cr, 6, 6, 204, 285);
	cairo_stroke(c->cr);
	cairo_set_line_width(c->cr, 0.25);
	cairo_rectangle(c->cr, 7.5, 7.5, 201, 282);
	cairo_stroke(c->cr);
	for (int mm = 0; mm <= 280; mm++) {
		double length = mm % 10 == 0 ? 3 : mm % 5 == 0 ? 2 : 1;

		if (mm <= 200)
			box(c, 8 + mm, 291.5, 0.13, length);
		box(c, 210.5, 8 + mm, length, 0.13);
	}
}

static void draw_title(struct chart *c)
{
	cairo_pattern_t *ink = cairo_pattern_create_rgba(0, 0, 0, 1);

	box(c, 12, 12, 192, 20);
	cairo_set_operator(c->cr, CAIRO_OPERATOR_DEST_OUT);
	text(c, 17, 13.5, 36, "ifax test chart");
	text(c, 118, 16, 9, "1728 × 2287 pixels\n8 × 7.7 lines per millimetre");
	cairo_set_operator(c->cr, CAIRO_OPERATOR_OVER);
	cairo_set_source(c->cr, ink);
	cairo_pattern_destroy(ink);
}

static void draw_text(struct chart *c)
{
	static const double sizes[] = { 5, 6, 7, 8, 9, 10, 12, 14, 18 };
	char line[128];
	double y = 36;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(line, sizeof(line),
			 "%g pt  Five quacking zephyrs jolt my wax bed. 0123456789", sizes[i]);
		y += text(c, 12, y, sizes[i], line) + 0.6;
	}
	y += text(c, 12, y, 30, "30 pt  Quacking zephyrs") + 0.6;
	text(c, 12, y, 11,
	     "Äpfel, Öl, Übermut, Straße · Château, señor, čaj, żółw · Ελληνικά · Русский");
}

struct pattern {
	const char *name;
	bool (*black)(int x, int y, int n);
	int n[4];
};

static void draw_patterns(struct chart *c)
{
	static const struct pattern patterns[] = {
		{ "upright lines of 1, 2, 3, 4 pixels", upright, { 1, 2, 3, 4 } },
		{ "level lines of 1, 2, 3, 4 pixels", level, { 1, 2, 3, 4 } },
		{ "slanted lines of 2, 4, 8, 16 pixels", slanted, { 2, 4, 8, 16 } },
		{ "squares of 1, 2, 4, 16 pixels", checkered, { 1, 2, 4, 16 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		double x = 12 + 49 * (double)i;

		text(c, x, 109, 6.5, patterns[i].name);
		for (int n = 0; n < 4; n++)
			pixels(c, x + 11.5 * n, 112.5, 10.5, 22, patterns[i].black,
			       patterns[i].n[n]);
	}
}

/* Greys, which are dithered when all is drawn: above ordered, below diffused. */
static void draw_greys(struct chart *c)
{
	cairo_pattern_t *ramp = cairo_pattern_create_linear(12, 0, 204, 0);

	cairo_pattern_add_color_stop_rgba(ramp, 0, 0, 0, 0, 0);
	cairo_pattern_add_color_stop_rgba(ramp, 1, 0, 0, 0, 1);
	text(c, 12, 137, 6.5, "greys: ordered dither");
	text(c, 12, 160, 6.5, "greys: error diffusion");
	cairo_set_source(c->cr, ramp);
	box(c, 12, 140.5, 192, 10);
	box(c, 12, 163.5, 192, 10);
	for (int step = 0; step < 16; step++) {
		cairo_set_source_rgba(c->cr, 0, 0, 0, step / 15.0);
		box(c, 12 + 12 * step, 151, 12, 8);
		box(c, 12 + 12 * step, 174, 12, 8);
	}
	cairo_set_source_rgba(c->cr, 0, 0, 0, 1);
	cairo_pattern_destroy(ramp);
}

static void dither_greys(struct page *page)
{
	order(page, 12 * 8, (int)(140 * Y_PER_MM), 192 * 8, (int)(20 * Y_PER_MM));
	diffuse(page, 12 * 8, (int)(163 * Y_PER_MM), 192 * 8, (int)(20 * Y_PER_MM));
}

static void draw_star(struct chart *c, double x, double y, double radius)
{
	const int rays = 36;

	for (int i = 0; i < rays; i++) {
		double from = 2 * G_PI * i / rays, to = from + G_PI / rays;

		cairo_move_to(c->cr, x, y);
		cairo_arc(c->cr, x, y, radius, from, to);
		cairo_close_path(c->cr);
		cairo_fill(c->cr);
	}
}

static void draw_rings(struct chart *c, double x, double y, double radius)
{
	for (double r = radius, width = 1.2; r > 0.5;
	     r -= 2 * width, width = fmax(width * 0.93, 0.13)) {
		cairo_set_line_width(c->cr, width);
		cairo_arc(c->cr, x, y, r - width / 2, 0, 2 * G_PI);
		cairo_stroke(c->cr);
	}
}

static void draw_fan(struct chart *c, double x, double y, double length)
{
	cairo_set_line_width(c->cr, 0.13);
	for (int degree = 0; degree <= 90; degree += 3) {
		cairo_move_to(c->cr, x, y);
		cairo_line_to(c->cr, x + length * cos(degree * G_PI / 180),
			      y - length * sin(degree * G_PI / 180));
		cairo_stroke(c->cr);
	}
}

static void draw_figures(struct chart *c)
{
	draw_star(c, 37, 211, 24);
	draw_rings(c, 90, 211, 24);
	draw_fan(c, 119, 235, 48);
	text(c, 172, 185, 6.5, "noise: 1/2, 1/8, 1/32 ink");
	pixels(c, 172, 188.5, 32, 14, noisy, 128);
	pixels(c, 172, 204.5, 32, 14, noisy, 32);
	pixels(c, 172, 220.5, 32, 14, noisy, 8);
}

static void draw_foot(struct chart *c)
{
	box(c, 12, 241, 60, 42);
	cairo_set_operator(c->cr, CAIRO_OPERATOR_DEST_OUT);
	text(c, 16, 243, 26, "white\non black");
	text(c, 16, 269, 8, "the same, eight points high,\nand still to be read");
	cairo_set_operator(c->cr, CAIRO_OPERATOR_OVER);
	text(c, 78, 240, 9,
	     "What this page shows\n"
	     "•  the frame is whole: no column is lost at the edges\n"
	     "•  text can be read down to 6 points\n"
	     "•  one-pixel lines are apart, not grey or moiré\n"
	     "•  circles are round: 8 and 7.7 lines are told apart\n"
	     "•  greys go evenly from white to black\n"
	     "•  noise, the worst for a coder, comes back dot for dot");
}

static int chart(const char *name)
{
	struct page page = page_new(A4_WIDTH, A4_ROWS, name);
	struct chart c;

	c.surface = cairo_image_surface_create(CAIRO_FORMAT_A8, A4_WIDTH, A4_ROWS);
	c.cr = cairo_create(c.surface);
	cairo_scale(c.cr, X_PER_MM, Y_PER_MM);
	cairo_set_antialias(c.cr, CAIRO_ANTIALIAS_NONE);
	draw_frame(&c);
	draw_title(&c);
	draw_text(&c);
	draw_patterns(&c);
	draw_greys(&c);
	draw_figures(&c);
	draw_foot(&c);
	if (cairo_status(c.cr) != CAIRO_STATUS_SUCCESS)
		die(name, cairo_status_to_string(cairo_status(c.cr)));
	cairo_surface_flush(c.surface);
	for (int y = 0; y < page.rows; y++)
		memcpy(row(&page, y), surface_row(c.surface, y), (size_t)page.width);
	dither_greys(&page);
	pbm_write(&page, name);
	page_free(&page);
	cairo_destroy(c.cr);
	cairo_surface_destroy(c.surface);
	return 0;
}

/* --- the rest ------------------------------------------------------------------------------- */

static int png(const char *from, const char *to)
{
	struct page page = pbm_read(from);

	png_write(&page, to);
	page_free(&page);
	return 0;
}

static int compare(const char *one, const char *other)
{
	struct page a = pbm_read(one), b = pbm_read(other);
	size_t pixels_all = (size_t)a.width * (size_t)a.rows, differ = 0, first = 0;

	if (a.width != b.width || a.rows != b.rows) {
		printf("different sizes: %d x %d and %d x %d\n", a.width, a.rows, b.width, b.rows);
		return 1;
	}
	for (size_t i = pixels_all; i-- > 0;) {
		if (a.ink[i] != b.ink[i]) {
			differ++;
			first = i;
		}
	}
	if (differ)
		printf("%zu of %zu pixels differ, the first in row %zu, column %zu\n", differ,
		       pixels_all, first / (size_t)a.width, first % (size_t)a.width);
	else
		printf("equal: %d x %d pixels\n", a.width, a.rows);
	page_free(&a);
	page_free(&b);
	return differ ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (!strcmp(verb, "chart") && argc == 3)
		return chart(argv[2]);
	if (!strcmp(verb, "convert") && argc == 4)
		return convert(argv[2], argv[3]);
	if (!strcmp(verb, "png") && argc == 4)
		return png(argv[2], argv[3]);
	if (!strcmp(verb, "compare") && argc == 4)
		return compare(argv[2], argv[3]);
	fputs("usage: ifax-page chart OUT.pbm\n"
	      "       ifax-page convert IN.tif|IN.png|IN.pbm PREFIX\n"
	      "       ifax-page png IN.pbm OUT.png\n"
	      "       ifax-page compare A.pbm B.pbm\n",
	      stderr);
	return 2;
}
