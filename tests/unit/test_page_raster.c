// SPDX-License-Identifier: LGPL-2.1-or-later
/* Fitting pages to an engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>

#include <linux/fax.h>

#include "page/bitmap.h"
#include "page/raster.h"
#include "page_aux.h"

/* A page of a black square, @mm wide and high, at 20 mm from left and top. */
static struct t4_image square(uint32_t width, uint32_t rows, uint32_t xres, uint32_t yres,
			      double mm)
{
	struct t4_image i = t4_image_new(width, rows);

	for (uint32_t y = yres * 0.02; y < yres * (0.02 + mm / 1000) && y < rows; y++)
		for (uint32_t x = xres * 0.02; x < xres * (0.02 + mm / 1000) && x < width; x++)
			i.bits[y * i.stride + x / 8] |= 0x80 >> x % 8;
	return i;
}

static void measure(const struct t4_image *i, uint32_t *wide, uint32_t *high)
{
	uint32_t x0 = i->width, x1 = 0, y0 = i->height, y1 = 0;

	for (uint32_t y = 0; y < i->height; y++)
		for (uint32_t x = 0; x < i->width; x++)
			if (i->bits[y * i->stride + x / 8] & 0x80 >> x % 8) {
				x0 = x < x0 ? x : x0;
				x1 = x > x1 ? x : x1;
				y0 = y < y0 ? y : y0;
				y1 = y > y1 ? y : y1;
			}
	*wide = x1 - x0 + 1;
	*high = y1 - y0 + 1;
}

static void a_page_that_fits_keeps_its_code(void **state)
{
	static const struct {
		uint32_t width, xres, yres, becomes_x, becomes_y;
	} cases[] = {
		{ 1728, 8000, 3850, 8000, 3850 },    { 1728, 8000, 7700, 8000, 7700 },
		{ 2048, 8000, 15400, 8000, 15400 },  { 2432, 8000, 7700, 8000, 7700 },
		{ 3456, 16000, 15400, 16000, 15400 }, { 1728, 7874, 7874, 8000, 7700 },
		{ 1728, 7874, 3937, 8000, 3850 },    { 3456, 15748, 15748, 16000, 15400 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct t4_image image = aux_scribble(cases[i].width, 90, 3);
		struct page_list l = { 0 };
		struct page *p = aux_add_page(&l, &image, FAX_ENC_MH, FAX_FMT_EOL, cases[i].xres,
					      cases[i].yres);
		const void *code = p->strips[0].data;
		struct error e;

		assert_int_equal(raster_fit(p, &raster_common_engine, 0, &e), 0);
		assert_ptr_equal(p->strips[0].data, code);
		assert_int_equal(p->xres, cases[i].becomes_x);
		assert_int_equal(p->yres, cases[i].becomes_y);
		page_list_clear(&l);
		t4_image_free(&image);
	}
}

static void free_backing(void *backing, size_t len)
{
	free(backing);
}

/* Each row a strip of its own: sound, but more than a coder takes in one go. */
static void many_strips_become_one(void **state)
{
	_bitmap_ struct bitmap before = { 0 }, after = { 0 };
	_buffer_ struct buffer code = { 0 };
	size_t ends[300];
	struct page p = { .width = 1728, .rows = 300, .xres = 8000, .yres = 7700 };
	struct error e;

	assert_int_equal(bitmap_alloc(&before, p.width, p.rows), 0);
	p.strips = calloc(p.rows, sizeof(*p.strips));
	assert_non_null(p.strips);
	for (uint32_t i = 0; i < p.rows; i++) {
		struct bitmap row = { p.width, 1, before.stride, bitmap_row(&before, i) };

		row.data[i % row.stride] = 0x3c;
		assert_int_equal(bitmap_encode(&row, FAX_ENC_MMR, 0, FAX_FMT_END, &code), 0);
		ends[i] = code.len;
	}
	p.nstrips = p.rows;
	for (uint32_t i = 0; i < p.rows; i++)
		p.strips[i] = (struct page_strip){
			.data = code.data + (i ? ends[i - 1] : 0),
			.len = ends[i] - (i ? ends[i - 1] : 0),
			.rows = 1,
			.encoding = FAX_ENC_MMR,
			.flags = FAX_FMT_END,
		};
	p.backing = code.data;
	p.backing_free = free_backing;
	code = (struct buffer){ 0 };
	assert_int_equal(raster_fit(&p, &raster_common_engine, 0, &e), 0);
	assert_int_equal(p.nstrips, 1);
	assert_int_equal(p.rows, 300);
	assert_int_equal(bitmap_decode(&after, &p, &e), 0);
	assert_memory_equal(before.data, after.data, before.stride * 300);
	page_clear(&p);
}

static void foreign_pages_keep_their_size_on_paper(void **state)
{
	static const struct {
		uint32_t width, rows, xres, yres, becomes_width;
	} cases[] = {
		{ 2550, 3300, 11811, 11811, 3456 },	/* letter, 300 dpi */
		{ 4960, 7016, 23622, 23622, 3456 },	/* A4, 600 dpi */
		{ 1240, 1754, 5906, 5906, 1728 },	/* A4, 150 dpi */
		{ 1728, 1169, 8000, 1925, 1728 },	/* half of standard */
		{ 1700, 2200, 7874, 7874, 1728 },	/* letter, 200 dpi: white margins */
		{ 2480, 3508, 11811, 11811, 3456 },	/* A4, 300 dpi */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct t4_image image = square(cases[i].width, cases[i].rows, cases[i].xres,
					       cases[i].yres, 50), got;
		struct page_list l = { 0 };
		struct page *p = aux_add_page(&l, &image, FAX_ENC_MMR, 0, cases[i].xres,
					      cases[i].yres);
		uint32_t wide, high;
		struct error e;
		double x, y;

		assert_int_equal(raster_fit(p, &raster_common_engine, 0, &e), 0);
		assert_int_equal(p->width, cases[i].becomes_width);
		got = aux_decode(p);
		measure(&got, &wide, &high);
		x = wide * 1000.0 / p->xres;
		y = high * 1000.0 / p->yres;
		/* 3 in 100: inches stand for millimetres where a page is only padded */
		if (x < 48.5 || x > 51.5 || y < 48 || y > 52)
			fail_msg("case %zu: %.2f by %.2f mm", i, x, y);
		t4_image_free(&got);
		page_list_clear(&l);
		t4_image_free(&image);
	}
}

static void double_rows_are_exact(void **state)
{
	static const struct raster_engine engine = {
		.nwidths = 1, .widths = { 1728 }, .nresolutions = 1,
		.resolutions = { { FAX_RES_8_MM, FAX_RES_7_7_MM } },
	};
	struct t4_image image = aux_scribble(1728, 100, 8), got;
	struct page_list l = { 0 };
	struct page *p = aux_add_page(&l, &image, FAX_ENC_MH, FAX_FMT_EOL, FAX_RES_8_MM,
				      FAX_RES_3_85_MM);
	struct error e;

	assert_int_equal(raster_fit(p, &engine, 0, &e), 0);
	got = aux_decode(p);
	assert_int_equal(got.height, 200);
	for (uint32_t y = 0; y < 200; y++)
		assert_memory_equal(got.bits + y * got.stride, image.bits + y / 2 * image.stride,
				    image.stride);
	t4_image_free(&got);
	page_list_clear(&l);
	t4_image_free(&image);
}

static void thin_lines_survive_scaling_down(void **state)
{
	struct t4_image image = t4_image_new(4960, 400), got;
	struct page_list l = { 0 };
	struct error e;
	struct page *p;
	uint32_t wide, high;

	/* two pixels of 600 dpi across the page */
	memset(image.bits + 200 * image.stride, 0xff, 2 * image.stride);
	p = aux_add_page(&l, &image, FAX_ENC_MMR, 0, 23622, 23622);
	assert_int_equal(raster_fit(p, &raster_common_engine, 0, &e), 0);
	got = aux_decode(p);
	measure(&got, &wide, &high);
	assert_true(wide > 3300 && high >= 1);
	t4_image_free(&got);
	page_list_clear(&l);
	t4_image_free(&image);
}

static void damage_is_accepted_up_to_a_share(void **state)
{
	struct t4_image image = aux_scribble(1728, 1000, 4);
	struct page_list l = { 0 };
	struct page *p = aux_add_page(&l, &image, FAX_ENC_MH, FAX_FMT_EOL, 8000, 7700);
	struct t4_image got;
	struct error e;

	/* a few bytes in the middle of a row: it goes, the next EOL finds back */
	memset((char *)p->strips[0].data + p->strips[0].len / 2, 0x01, 3);
	assert_int_equal(raster_fit(p, &raster_common_engine, 0, &e), -EILSEQ);
	assert_non_null(strstr(e.text, "rows are damaged"));
	assert_int_equal(raster_fit(p, &raster_common_engine, 100, &e), 0);
	assert_true(p->rows_bad > 0 && p->rows_bad < 100);
	/* what is handed on is sound code of all rows */
	assert_int_equal(p->strips[0].encoding, FAX_ENC_MMR);
	assert_int_equal(p->rows, 1000);
	got = aux_decode(p);
	assert_int_equal(p->rows_bad, 0);
	assert_memory_equal(got.bits, image.bits, 300 * image.stride);
	assert_memory_equal(got.bits + 800 * image.stride, image.bits + 800 * image.stride,
			    200 * image.stride);
	t4_image_free(&got);
	page_list_clear(&l);
	t4_image_free(&image);
}

static void an_early_end_is_a_shorter_page(void **state)
{
	static const struct {
		uint32_t encoding, flags;
	} cases[] = {
		{ FAX_ENC_MH, FAX_FMT_EOL | FAX_FMT_END },
		{ FAX_ENC_MR, FAX_FMT_EOL | FAX_FMT_END },
		{ FAX_ENC_MMR, FAX_FMT_END },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct t4_image image = aux_scribble(1728, 100, 4), got;
		struct page_list l = { 0 };
		struct page *p = aux_add_page(&l, &image, cases[i].encoding, cases[i].flags, 8000,
					      7700);
		struct error e;

		/* announced are more rows than there are */
		p->rows = p->strips[0].rows = 2000;
		assert_int_equal(raster_fit(p, &raster_common_engine, 0, &e), 0);
		assert_int_equal(p->rows, 100);
		assert_int_equal(p->rows_bad, 0);
		assert_int_equal(p->strips[0].encoding, cases[i].encoding);
		got = aux_decode(p);
		assert_true(t4_image_equal(&got, &image));
		t4_image_free(&got);
		/* without the end code, they are missing */
		p->rows = p->strips[0].rows = 2000;
		p->strips[0].len -= p->strips[0].len / 2;
		assert_int_equal(raster_fit(p, &raster_common_engine, 900, &e), -EILSEQ);
		page_list_clear(&l);
		t4_image_free(&image);
	}
}

static void what_no_paper_takes_is_refused(void **state)
{
	struct raster_engine engine = raster_common_engine;
	struct t4_image image = aux_scribble(1728, 1000, 4);
	struct page_list l = { 0 };
	struct page *p = aux_add_page(&l, &image, FAX_ENC_MMR, 0, 8000, 7700);
	struct error e;

	engine.rows_max = 999;
	assert_int_equal(raster_fit(p, &engine, 0, &e), -EMSGSIZE);
	engine.nwidths = 0;
	assert_int_equal(raster_fit(p, &engine, 0, &e), -EINVAL);
	engine = raster_common_engine;
	engine.nresolutions = 17;
	assert_int_equal(raster_fit(p, &engine, 0, &e), -EINVAL);
	/* garbage for code */
	memset((char *)p->strips[0].data, 0, p->strips[0].len);
	assert_int_equal(raster_fit(p, &raster_common_engine, 500, &e), -EILSEQ);
	/* wild proportions end in an error or a page, never in trouble */
	p->xres = 999999;
	p->yres = 1000;
	(void)raster_fit(p, &raster_common_engine, 1000, &e);
	p->xres = 1000;
	p->yres = 999999;
	(void)raster_fit(p, &raster_common_engine, 1000, &e);
	page_list_clear(&l);
	t4_image_free(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_that_fits_keeps_its_code),
		cmocka_unit_test(many_strips_become_one),
		cmocka_unit_test(foreign_pages_keep_their_size_on_paper),
		cmocka_unit_test(double_rows_are_exact),
		cmocka_unit_test(thin_lines_survive_scaling_down),
		cmocka_unit_test(damage_is_accepted_up_to_a_share),
		cmocka_unit_test(an_early_end_is_a_shorter_page),
		cmocka_unit_test(what_no_paper_takes_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
