// SPDX-License-Identifier: LGPL-2.1-or-later
/* Lines of text above a page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>

#include "page/banner.h"
#include "page_aux.h"

/* fontconfig keeps what it has read until the program ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig";
}

/* First and last column with black in them. */
static void extent(const struct t4_image *i, uint32_t *left, uint32_t *right)
{
	*left = i->width;
	*right = 0;
	for (uint32_t y = 0; y < i->height; y++)
		for (uint32_t x = 0; x < i->width; x++)
			if (i->bits[y * i->stride + x / 8] & 0x80 >> x % 8) {
				*left = x < *left ? x : *left;
				*right = x > *right ? x : *right;
			}
}

static void make(const char *text, uint32_t width, uint32_t xres, uint32_t yres,
		 struct t4_image *image)
{
	struct error e = { 0 };
	struct page p;
	int r = banner_make(text, width, xres, yres, &p, &e);

	if (r == -ENOENT) {
		print_message("# %s\n", e.text);
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(p.width, width);
	assert_int_equal(p.nstrips, 1);
	*image = aux_decode(&p);
	assert_int_equal(p.rows_bad, 0);
	page_clear(&p);
}

static void size_on_paper_is_the_same_at_any_resolution(void **state)
{
	static const struct {
		uint32_t width, xres, yres;
	} cases[] = {
		{ 1728, 8000, 3850 }, { 1728, 8000, 7700 }, { 2432, 8000, 15400 },
		{ 3456, 16000, 15400 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct t4_image image;
		uint32_t left, right;
		double wide;

		make("POSSIBLE SECOND COPY", cases[i].width, cases[i].xres, cases[i].yres, &image);
		extent(&image, &left, &right);
		wide = (right - left) * 1000.0 / cases[i].xres;
		assert_true(left >= cases[i].xres * 0.005);
		assert_true(wide > 30 && wide < 70);
		assert_int_equal(image.height, (uint32_t)(cases[i].yres * 0.0045));
		t4_image_free(&image);
	}
}

static void long_text_stays_on_the_paper(void **state)
{
	struct t4_image image;
	uint32_t left, right;
	char text[2000];

	memset(text, 'M', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	make(text, 1728, 8000, 7700, &image);
	extent(&image, &left, &right);
	assert_true(right < 1728 - 40 && right > 1500);
	t4_image_free(&image);
}

static void nonsense_is_refused(void **state)
{
	struct page p;
	struct error e;

	assert_int_equal(banner_make("\xff\xfe", 1728, 8000, 7700, &p, &e), -EINVAL);
	assert_int_equal(banner_make("x", 0, 8000, 7700, &p, &e), -EINVAL);
	assert_int_equal(banner_make("x", 70000, 8000, 7700, &p, &e), -EINVAL);
	assert_int_equal(banner_make("x", 1728, 0, 0, &p, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_on_paper_is_the_same_at_any_resolution),
		cmocka_unit_test(long_text_stays_on_the_paper),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
