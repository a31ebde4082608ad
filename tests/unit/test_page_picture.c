// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pictures and documents on paper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include <png.h>

#include "base/cleanup.h"
#include "page/gif.h"
#include "page/pdf.h"
#include "page/picture.h"
#include "page/webp.h"
#include "picture_aux.h"

/* poppler and fontconfig keep what they have read until the program ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\nleak:libpoppler";
}

#define PATCH 16

/* Differences between the grey of patches and the share of white dots on them. */
struct differences {
	double worst, mean;
};

static struct differences compare(const struct grey *g, const struct bitmap *b)
{
	struct differences all = { 0 };
	double n = (g->width / PATCH) * (g->rows / PATCH);

	for (uint32_t top = 0; top + PATCH <= g->rows; top += PATCH)
		for (uint32_t left = 0; left + PATCH <= g->width; left += PATCH) {
			double grey = 0, white = 0, d;

			for (uint32_t i = 0; i < PATCH * PATCH; i++) {
				uint32_t x = left + i % PATCH, y = top + i / PATCH;

				grey += g->data[(size_t)y * g->width + x];
				white += bitmap_row(b, y)[x / 8] & 0x80 >> x % 8 ? 0 : 255;
			}
			d = (grey - white) / 255 / (PATCH * PATCH);
			d = d < 0 ? -d : d;
			all.worst = d > all.worst ? d : all.worst;
			all.mean += d / n;
		}
	return all;
}

static void grey_stays_what_it_is(void **state)
{
	_grey_ struct grey across = aux_gradient(512, 512), down = { 0 };
	_bitmap_ struct bitmap b = { 0 }, c = { 0 };
	struct differences d;

	assert_int_equal(grey_turn(&across, 1, false, &down), 0);
	assert_int_equal(bitmap_alloc(&b, 512, 512), 0);
	assert_int_equal(bitmap_alloc(&c, 512, 512), 0);
	assert_int_equal(halftone(&across, &b, 0, 0), 0);
	assert_int_equal(halftone(&down, &c, 0, 0), 0);
	d = compare(&across, &b);
	print_message("# patches of 16 by 16 pixels differ by %.2f %%, %.2f %% at worst\n",
		      d.mean * 100, d.worst * 100);
	assert_true(d.mean < 0.01 && d.worst < 0.02);
	d = compare(&down, &c);
	assert_true(d.mean < 0.01 && d.worst < 0.02);
}

static void drawings_are_cut_not_dotted(void **state)
{
	_grey_ struct grey g = aux_bars(512, 64);
	_bitmap_ struct bitmap b = { 0 };

	/* as a scanner sees them: blurred edges, paper that is not quite white */
	for (uint32_t y = 0; y < g.rows; y++)
		for (uint32_t x = 0; x < g.width; x++) {
			uint8_t *v = &g.data[y * g.width + x];

			*v = x % 8 == 0 ? 128 : *v ? 240 : 10;
		}
	assert_int_equal(bitmap_alloc(&b, 512, 64), 0);
	assert_int_equal(halftone(&g, &b, 0, 0), 0);
	for (uint32_t y = 1; y < 64; y++)
		assert_memory_equal(bitmap_row(&b, y), bitmap_row(&b, 0), b.stride);
}

static void edges_stay_sharp_beside_shades(void **state)
{
	_grey_ struct grey g = aux_gradient(512, 128);
	_bitmap_ struct bitmap b = { 0 };

	/* a black bar on white, in the middle of a photograph */
	for (uint32_t y = 0; y < g.rows; y++) {
		memset(g.data + y * g.width + 200, 255, 30);
		memset(g.data + y * g.width + 230, 0, 10);
		memset(g.data + y * g.width + 240, 255, 30);
	}
	assert_int_equal(bitmap_alloc(&b, 512, 128), 0);
	assert_int_equal(halftone(&g, &b, 0, 0), 0);
	for (uint32_t y = 0; y < b.rows; y++)
		for (uint32_t x = 228; x < 242; x++)
			assert_int_equal(!!(bitmap_row(&b, y)[x / 8] & 0x80 >> x % 8),
					 x >= 230 && x < 240);
	assert_int_equal(halftone(&g, &b, 1, 0), -EINVAL);
	assert_int_equal(halftone(&g, &b, 0, 1), -EINVAL);
}

static double mean(const struct grey *g)
{
	double sum = 0;

	for (size_t i = 0; i < (size_t)g->width * g->rows; i++)
		sum += g->data[i];
	return sum / ((size_t)g->width * g->rows);
}

static void scaling_keeps_the_mean(void **state)
{
	static const uint32_t sizes[][2] = { { 1, 1 }, { 7, 900 }, { 301, 199 }, { 1000, 3 } };
	_grey_ struct grey g = aux_gradient(300, 200);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		_grey_ struct grey to = { 0 };
		double d;

		assert_int_equal(grey_scale(&g, sizes[i][0], sizes[i][1], &to), 0);
		d = mean(&g) - mean(&to);
		assert_true(d < 1 && d > -1);
	}
}

static void read_one(const struct buffer *file, struct page_list *l, struct aux_extent *x)
{
	struct error e = { 0 };

	assert_true(picture_recognize(file->data, file->len));
	if (picture_read(file->data, file->len, &raster_common_engine, 0, l, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(l->n, 1);
	assert_int_equal(l->pages[0].width, 1728);
	assert_int_equal(l->pages[0].rows, 2286);
	assert_true(aux_extent(&l->pages[0], x));
}

static void large_pictures_fill_the_paper(void **state)
{
	static const uint32_t sizes[][2] = { { 3000, 4000 }, { 4000, 3000 } };

	/* upright and across: either way the longer side goes down the paper */
	for (int i = 0; i < 2; i++) {
		_grey_ struct grey g = aux_gradient(sizes[i][0], sizes[i][1]);
		_buffer_ struct buffer png = { 0 }, jpeg = { 0 };
		struct page_list a = { 0 }, b = { 0 };
		struct aux_extent x;

		aux_png(&png, &g);
		aux_jpeg(&jpeg, &g, 0);
		read_one(&png, &a, &x);
		assert_in_range(x.left, 39, 45);
		assert_in_range(x.top, 30, 45);
		/* 206 mm by 275 mm */
		assert_in_range(x.bottom, 2050, 2170);
		read_one(&jpeg, &b, &x);
		assert_in_range(x.left, 39, 45);
		assert_in_range(x.bottom, 2050, 2170);
		page_list_clear(&a);
		page_list_clear(&b);
	}
}

static void small_pictures_stay_small(void **state)
{
	_grey_ struct grey g;
	_buffer_ struct buffer png = { 0 };
	struct page_list l = { 0 };
	struct aux_extent x;

	assert_int_equal(grey_alloc(&g, 96, 192), 0);
	memset(g.data, 0, 96 * 192);
	aux_png(&png, &g);
	read_one(&png, &l, &x);
	/* one inch by two */
	assert_in_range(x.right - x.left + 1, 202, 205);
	assert_in_range(x.bottom - x.top + 1, 390, 393);
	page_list_clear(&l);
}

static void what_was_scanned_stays_as_it_is(void **state)
{
	_grey_ struct grey g = aux_bars(1728, 1000);
	_buffer_ struct buffer png = { 0 };
	_bitmap_ struct bitmap b = { 0 };
	struct page_list l = { 0 };
	struct aux_extent x;
	struct error e;

	aux_png(&png, &g);
	read_one(&png, &l, &x);
	assert_int_equal(bitmap_decode(&b, &l.pages[0], &e), 0);
	for (uint32_t i = 0; i < b.stride; i++)
		assert_int_equal(bitmap_row(&b, 1100)[i], i & 1 ? 0xff : 0);
	page_list_clear(&l);
}

static void photographs_are_put_upright(void **state)
{
	/* a black left half, as the camera stores it, and where it goes */
	static const struct {
		unsigned int orientation;
		bool left, top, right, bottom;
	} cases[] = {
		{ 1, true, true, false, true },	 { 2, false, true, true, true },
		{ 3, false, true, true, true },	 { 4, true, true, false, true },
		{ 5, true, true, true, false },	 { 6, true, true, true, false },
		{ 7, true, false, true, true },	 { 8, true, false, true, true },
		{ 9, true, true, false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct page_list l = { 0 };
		_buffer_ struct buffer jpeg = { 0 };
		_grey_ struct grey g;
		struct aux_extent x;
		uint32_t middle = 1728 / 2, half = 95 + 38;

		assert_int_equal(grey_alloc(&g, 96, 96), 0);
		for (uint32_t y = 0; y < 96; y++)
			memset(g.data + y * 96, 0, 48);
		aux_jpeg(&jpeg, &g, cases[i].orientation);
		read_one(&jpeg, &l, &x);
		assert_int_equal(x.left < middle - 50, cases[i].left);
		assert_int_equal(x.right > middle + 50, cases[i].right);
		assert_int_equal(x.top < half - 50, cases[i].top);
		assert_int_equal(x.bottom > half + 50, cases[i].bottom);
		page_list_clear(&l);
	}
}

static void what_shines_through_is_paper(void **state)
{
	uint32_t *pixels = calloc(96 * 96, 4);
	_buffer_ struct buffer png = { 0 };
	struct page_list l = { 0 };
	struct error e = { 0 };
	struct aux_extent x;

	assert_non_null(pixels);	/* transparent black */
	aux_png_as(&png, PNG_FORMAT_RGBA, pixels, 96, 96);
	assert_int_equal(picture_read(png.data, png.len, &raster_common_engine, 0, &l, &e), 0);
	assert_false(aux_extent(&l.pages[0], &x));
	free(pixels);
	page_list_clear(&l);
}

static void broken_pictures_are_told(void **state)
{
	_grey_ struct grey g = aux_gradient(200, 200);
	_buffer_ struct buffer png = { 0 }, jpeg = { 0 };
	struct page_list l = { 0 };
	struct error e = { 0 };

	aux_png(&png, &g);
	aux_jpeg(&jpeg, &g, 0);
	for (size_t n = 8; n < png.len / 2; n += 7) {
		assert_int_equal(picture_read(png.data, n, &raster_common_engine, 0, &l, &e),
				 -EBADMSG);
		assert_non_null(strstr(e.text, "PNG"));
	}
	assert_int_equal(picture_read(jpeg.data, 10, &raster_common_engine, 0, &l, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "JPEG"));
	assert_int_equal(picture_read(png.data, png.len, &raster_common_engine, 39999, &l, &e),
			 -EFBIG);
	assert_non_null(strstr(e.text, "200 by 200"));
	assert_int_equal(l.n, 0);
}

/* Noise, which fills a GIF's table of codes, and runs, whose codes are used as they are learnt. */
static struct grey noise(uint32_t width, uint32_t rows)
{
	uint32_t seed = 1;
	struct grey g;

	assert_int_equal(grey_alloc(&g, width, rows), 0);
	for (size_t i = 0; i < (size_t)width * rows; i++) {
		seed = seed * 1664525 + 1013904223;
		g.data[i] = i / width & 4 ? seed >> 24 : i / width * 3;
	}
	return g;
}

static void expect_part(const struct grey *is, const struct grey *want, uint32_t left,
			uint32_t top)
{
	assert_int_equal(is->width, want->width + left);
	assert_int_equal(is->rows, want->rows + top);
	for (uint32_t y = 0; y < is->rows; y++)
		for (uint32_t x = 0; x < is->width; x++) {
			bool within = x >= left && y >= top;

			assert_int_equal(is->data[(size_t)y * is->width + x], !within ? 255 :
					 want->data[(size_t)(y - top) * want->width + x - left]);
		}
}

static void gif_comes_as_it_is(void **state)
{
	static const struct aux_gif ways[] = {
		{ .clear = -1 }, { .clear = -1, .interlaced = true },
		{ .left = 5, .top = 3, .clear = -1, .frames = 3 },
	};
	static const uint32_t sizes[][2] = { { 1, 1 }, { 300, 200 }, { 7, 5 }, { 64, 3 } };
	struct error e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(ways) * ARRAY_SIZE(sizes); i++) {
		const uint32_t *size = sizes[i / ARRAY_SIZE(ways)];
		_grey_ struct grey g = noise(size[0], size[1]), got = { 0 };
		const struct aux_gif *how = &ways[i % ARRAY_SIZE(ways)];
		_buffer_ struct buffer gif = { 0 };
		struct picture_size measured;

		aux_gif(&gif, &g, how);
		assert_int_equal(picture_measure(gif.data, gif.len, &measured, &e), 0);
		assert_int_equal(measured.width, size[0] + how->left);
		assert_int_equal(measured.height, size[1] + how->top);
		if (gif_decode(gif.data, gif.len, &got, &e) < 0)
			fail_msg("%s", e.text);
		expect_part(&got, &g, how->left, how->top);
	}
}

/* Of a GIF one colour, of a WebP by degrees. */
static void gif_and_webp_lie_on_white(void **state)
{
	static const uint8_t pixels[] = {
		0, 0, 0, 0,  0, 0, 0, 255,  0, 0, 0, 51,  255, 0, 0, 255,  0, 0, 255, 0,
	};
	static const uint8_t shades[] = { 255, 0, 204, 76, 255 };
	_buffer_ struct buffer gif = { 0 }, webp = { 0 };
	_grey_ struct grey g = aux_gradient(256, 2), got = { 0 }, other = { 0 };
	struct error e = { 0 };

	aux_gif(&gif, &g, &(struct aux_gif){ .clear = 16 });
	assert_int_equal(gif_decode(gif.data, gif.len, &got, &e), 0);
	g.data[16] = g.data[256 + 16] = 255;
	expect_part(&got, &g, 0, 0);
	aux_webp(&webp, pixels, 5, 1);
	assert_int_equal(webp_decode(webp.data, webp.len, &other, &e), 0);
	assert_memory_equal(other.data, shades, sizeof(shades));
}

static void of_a_moving_webp_the_first_is_taken(void **state)
{
	_grey_ struct grey g = noise(40, 30), got = { 0 };
	_buffer_ struct buffer webp = { 0 };
	struct picture_size size;
	struct error e = { 0 };

	aux_webp_moving(&webp, &g, 6, 4);
	assert_int_equal(picture_measure(webp.data, webp.len, &size, &e), 0);
	assert_int_equal(size.width, 46);
	assert_int_equal(size.height, 34);
	if (webp_decode(webp.data, webp.len, &got, &e) < 0)
		fail_msg("%s", e.text);
	expect_part(&got, &g, 6, 4);
}

static void gif_and_webp_on_paper(void **state)
{
	_grey_ struct grey g;
	_buffer_ struct buffer gif = { 0 }, webp = { 0 };
	struct page_list a = { 0 }, b = { 0 };
	struct aux_extent x;

	assert_int_equal(grey_alloc(&g, 96, 192), 0);
	memset(g.data, 0, 96 * 192);
	aux_gif(&gif, &g, &(struct aux_gif){ .clear = -1 });
	read_one(&gif, &a, &x);
	assert_in_range(x.right - x.left + 1, 202, 205);
	assert_in_range(x.bottom - x.top + 1, 390, 393);
	aux_webp_moving(&webp, &g, 0, 0);
	read_one(&webp, &b, &x);
	assert_in_range(x.bottom - x.top + 1, 390, 393);
	page_list_clear(&a);
	page_list_clear(&b);
}

/* Cut anywhere, or of any octet something else, it is a picture or a sentence. */
static void broken_gif_and_webp_are_told(void **state)
{
	_grey_ struct grey g = noise(60, 50);
	_buffer_ struct buffer gif = { 0 }, webp = { 0 };
	static const char *const names[] = { "GIF", "WebP" };
	struct buffer *const files[] = { &gif, &webp };
	struct page_list l = { 0 };

	aux_gif(&gif, &g, &(struct aux_gif){ .clear = -1 });
	aux_webp_moving(&webp, &g, 0, 0);
	for (int k = 0; k < 2; k++) {
		struct buffer *f = files[k];

		/* Behind the pixels of a GIF stands what says that there are no more. */
		for (size_t n = 12; n < f->len - 5; n += 11) {
			struct error e = { 0 };
			int r = picture_read(f->data, n, &raster_common_engine, 0, &l, &e);

			assert_int_equal(r, -EBADMSG);
			assert_non_null(strstr(e.text, names[k]));
		}
		for (size_t n = 6; n < f->len; n += 13) {
			struct error e = { 0 };

			f->data[n] ^= 0xff;
			if (picture_recognize(f->data, f->len) &&
			    picture_read(f->data, f->len, &raster_common_engine, 4000000, &l,
					 &e) < 0)
				assert_true(e.text[0]);
			f->data[n] ^= 0xff;
		}
		page_list_clear(&l);
	}
}

/* One that has 65535 by 65535 pixels in a few octets. */
static void a_gif_is_measured_first(void **state)
{
	static const uint8_t large[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
				       ",\0\0\0\0\xff\xff\xff\xff\0\2\2\x44\1\0;";
	static const uint8_t none[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff;";
	struct page_list l = { 0 };
	struct error e = { 0 };

	assert_int_equal(picture_read(large, sizeof(large) - 1, &raster_common_engine, 0, &l, &e),
			 -EFBIG);
	assert_int_equal(picture_read(none, sizeof(none) - 1, &raster_common_engine, 0, &l, &e),
			 -EBADMSG);
	assert_non_null(strstr(e.text, "no picture"));
	assert_int_equal(l.n, 0);
}

/* A header that promises what no memory holds. */
static void size_is_known_before_memory_is_taken(void **state)
{
	_grey_ struct grey g = aux_gradient(16, 16);
	_buffer_ struct buffer jpeg = { 0 };
	struct page_list l = { 0 };
	struct error e = { 0 };

	aux_jpeg(&jpeg, &g, 0);
	for (size_t i = 0; i + 9 < jpeg.len; i++)
		if ((uint8_t)jpeg.data[i] == 0xff && (uint8_t)jpeg.data[i + 1] == 0xc0) {
			memset(jpeg.data + i + 5, 0xff, 4);
			memcpy(jpeg.data + i + 5, "\xff\xdc\xff\xdc", 4);
		}
	assert_int_equal(picture_read(jpeg.data, jpeg.len, &raster_common_engine, 0, &l, &e),
			 -EFBIG);
	assert_int_equal(l.n, 0);
}

static void read_pdf(const struct buffer *pdf, size_t pages, struct page_list *l)
{
	struct error e = { 0 };

	assert_true(pdf_recognize(pdf->data, pdf->len));
	if (pdf_read(pdf->data, pdf->len, &raster_common_engine, NULL, l, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(l->n, pages);
}

static void documents_come_in_their_own_size(void **state)
{
	_buffer_ struct buffer a4 = { 0 }, across = { 0 }, large = { 0 };
	struct page_list l = { 0 }, m = { 0 }, n = { 0 };
	struct aux_extent x;

	aux_pdf(&a4, 3, 595.3, 841.9);
	read_pdf(&a4, 3, &l);
	assert_true(aux_extent(&l.pages[2], &x));
	/* 7 mm within 210 mm in the middle of 216 mm */
	assert_in_range(x.left, 75, 84);
	assert_in_range(1727 - x.right, 75, 84);
	assert_in_range(x.top, 50, 58);
	aux_pdf(&across, 1, 841.9, 595.3);
	read_pdf(&across, 1, &m);
	assert_true(aux_extent(&m.pages[0], &x));
	assert_in_range(x.left, 75, 84);
	assert_in_range(x.top, 50, 58);
	aux_pdf(&large, 1, 5953, 8419);
	read_pdf(&large, 1, &n);
	assert_true(aux_extent(&n.pages[0], &x));
	assert_in_range(x.left, 20, 40);
	page_list_clear(&l);
	page_list_clear(&m);
	page_list_clear(&n);
}

static void documents_have_their_limits(void **state)
{
	_buffer_ struct buffer pdf = { 0 };
	struct paper_limits two = { .max_pages = 2 }, few = { .max_bytes = 100 },
			    late = { .deadline = 1 };
	struct page_list l = { 0 };
	struct error e = { 0 };

	aux_pdf(&pdf, 3, 595, 842);
	assert_int_equal(pdf_read(pdf.data, pdf.len, &raster_common_engine, &two, &l, &e), -EFBIG);
	assert_non_null(strstr(e.text, "3 pages, 2 can"));
	assert_int_equal(pdf_read(pdf.data, pdf.len, &raster_common_engine, &few, &l, &e), -EFBIG);
	assert_int_equal(pdf_read(pdf.data, pdf.len, &raster_common_engine, &late, &l, &e),
			 -ETIMEDOUT);
	assert_int_equal(pdf_read("%PDF-1.4", 8, &raster_common_engine, NULL, &l, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "damaged"));
	page_list_clear(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grey_stays_what_it_is),
		cmocka_unit_test(drawings_are_cut_not_dotted),
		cmocka_unit_test(edges_stay_sharp_beside_shades),
		cmocka_unit_test(scaling_keeps_the_mean),
		cmocka_unit_test(large_pictures_fill_the_paper),
		cmocka_unit_test(small_pictures_stay_small),
		cmocka_unit_test(what_was_scanned_stays_as_it_is),
		cmocka_unit_test(photographs_are_put_upright),
		cmocka_unit_test(what_shines_through_is_paper),
		cmocka_unit_test(broken_pictures_are_told),
		cmocka_unit_test(gif_comes_as_it_is),
		cmocka_unit_test(gif_and_webp_lie_on_white),
		cmocka_unit_test(of_a_moving_webp_the_first_is_taken),
		cmocka_unit_test(gif_and_webp_on_paper),
		cmocka_unit_test(broken_gif_and_webp_are_told),
		cmocka_unit_test(a_gif_is_measured_first),
		cmocka_unit_test(size_is_known_before_memory_is_taken),
		cmocka_unit_test(documents_come_in_their_own_size),
		cmocka_unit_test(documents_have_their_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
