// SPDX-License-Identifier: LGPL-2.1-or-later
/* Text on pages. What depends on fonts that are not installed is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <fontconfig/fontconfig.h>

#include "page/typeset.h"
#include "picture_aux.h"

/* fontconfig keeps what it has read until the program ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig";
}

static struct typeset *begin(const struct raster_engine *engine, const struct paper_limits *l)
{
	struct typeset *t = NULL;
	struct error e = { 0 };
	int r = typeset_new(&t, engine, l, "A title", &e);

	if (r == -ENOENT) {
		print_message("# %s\n", e.text);
		skip();
	}
	assert_int_equal(r, 0);
	return t;
}

static void add(struct typeset *t, enum typeset_style style, const char *text)
{
	struct error e = { 0 };

	if (typeset_add(t, style, text, strlen(text), &e) < 0)
		fail_msg("%s", e.text);
}

static void finish(struct typeset *t, struct page_list *l)
{
	struct error e = { 0 };

	if (typeset_finish(t, l, &e) < 0)
		fail_msg("%s", e.text);
	typeset_free(t);
}

static void set(const char *text, enum typeset_style style, struct page_list *l)
{
	struct typeset *t = begin(&raster_common_engine, NULL);

	add(t, style, text);
	finish(t, l);
}

/* The rows of @p above its foot. */
static bool body_extent(struct page *p, struct aux_extent *x)
{
	_bitmap_ struct bitmap b = { 0 };
	struct error e;

	assert_int_equal(p->nstrips, 2);
	assert_int_equal(bitmap_decode(&b, p, &e), 0);
	return aux_extent_of(&b, 0, p->strips[0].rows, x);
}

static bool foot_extent(struct page *p, struct aux_extent *x)
{
	_bitmap_ struct bitmap b = { 0 };
	struct error e;

	assert_int_equal(bitmap_decode(&b, p, &e), 0);
	return aux_extent_of(&b, p->strips[0].rows, b.rows, x);
}

static void text_lies_within_the_margins(void **state)
{
	struct page_list l = { 0 };
	struct aux_extent x;

	set("Hello, world.\nA word that is longer than any line is: "
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	    TYPESET_FIXED, &l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.pages[0].width, 1728);
	assert_int_equal(l.pages[0].rows, 2286);
	assert_true(body_extent(&l.pages[0], &x));
	assert_in_range(x.left, 155, 175);
	assert_in_range(x.right, 1500, 1568);
	assert_in_range(x.top, 115, 140);
	assert_true(foot_extent(&l.pages[0], &x));
	assert_in_range(x.left, 155, 175);
	assert_in_range(x.right, 1550, 1568);
	page_list_clear(&l);
}

/* Eighty columns of plain text are one line; ninety are two. */
static void eighty_columns_fit(void **state)
{
	char line[91];
	struct page_list a = { 0 }, b = { 0 };
	struct aux_extent x, y;

	memset(line, 'H', 90);
	line[80] = '\0';
	set(line, TYPESET_FIXED, &a);
	line[80] = 'H';
	line[90] = '\0';
	set(line, TYPESET_FIXED, &b);
	assert_true(body_extent(&a.pages[0], &x) && body_extent(&b.pages[0], &y));
	assert_true(x.bottom - x.top < 30);
	assert_true(y.bottom - y.top > 40);
	page_list_clear(&a);
	page_list_clear(&b);
}

static void size_on_paper_is_the_same_at_any_resolution(void **state)
{
	static const uint32_t res[][2] = { { 8000, 3850 }, { 8000, 7700 }, { 8000, 15400 },
					   { 16000, 15400 }, { 11811, 11811 } };

	for (size_t i = 0; i < sizeof(res) / sizeof(*res); i++) {
		struct raster_engine g = { .nwidths = 1, .widths = { 1728 }, .nresolutions = 1 };
		struct page_list l = { 0 };
		struct typeset *t;
		struct aux_extent x;

		g.resolutions[0].x = res[i][0];
		g.resolutions[0].y = res[i][1];
		t = begin(&g, NULL);
		add(t, TYPESET_FIXED, "HHHHHHHHHHHHHHHHHHHH\nH\nH\nH\nH\nH\nH\nH\nH\nH\nH");
		finish(t, &l);
		assert_int_equal(l.pages[0].xres, res[i][0]);
		assert_true(body_extent(&l.pages[0], &x));
		/* 20 columns of 2.125 mm; 11 lines of about 4.1 */
		assert_in_range((x.right - x.left) * 10000ull / res[i][0], 415, 430);
		assert_in_range((x.bottom - x.top) * 10000ull / res[i][1], 410, 460);
		page_list_clear(&l);
	}
}

static void long_texts_take_many_pages(void **state)
{
	struct paper_limits three = { .max_pages = 3 };
	struct page_list l = { 0 };
	struct aux_extent x, y;
	struct error e = { 0 };
	struct typeset *t;
	int r = 0;

	t = begin(&raster_common_engine, NULL);
	for (int i = 0; i < 200; i++)
		add(t, TYPESET_FIXED, "a line\n");
	finish(t, &l);
	assert_in_range(l.n, 3, 4);
	for (size_t i = 0; i < l.n; i++) {
		assert_true(body_extent(&l.pages[i], &x));
		assert_true(foot_extent(&l.pages[i], &y));
	}
	page_list_clear(&l);

	t = begin(&raster_common_engine, &three);
	for (int i = 0; i < 100000 && r >= 0; i++)
		r = typeset_add(t, TYPESET_FIXED, "a line\n", 7, &e);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(e.text, "3 pages"));
	typeset_free(t);
}

static void limits_hold(void **state)
{
	struct paper_limits late = { .deadline = 1 }, small = { .max_bytes = 10 };
	struct raster_engine tiny = { .nwidths = 1, .widths = { 1728 }, .nresolutions = 1,
				      .resolutions = { { 8000, 7700 } }, .rows_max = 200 };
	struct page_list l = { 0 };
	struct error e = { 0 };
	struct typeset *t = begin(&raster_common_engine, &late);

	assert_int_equal(typeset_add(t, TYPESET_FIXED, "x", 1, &e), -ETIMEDOUT);
	typeset_free(t);
	t = begin(&raster_common_engine, &small);
	add(t, TYPESET_FIXED, "x");
	assert_int_equal(typeset_finish(t, &l, &e), -EFBIG);
	typeset_free(t);
	assert_int_equal(typeset_new(&t, &tiny, NULL, NULL, &e), -EINVAL);
	tiny.nwidths = 0;
	assert_int_equal(typeset_new(&t, &tiny, NULL, NULL, &e), -EINVAL);
}

static void a_form_feed_ends_the_page(void **state)
{
	struct page_list l = { 0 }, m = { 0 };

	set("one\ftwo\n\fthree", TYPESET_FIXED, &l);
	assert_int_equal(l.n, 3);
	set("", TYPESET_FIXED, &m);
	assert_int_equal(m.n, 1);
	page_list_clear(&l);
	page_list_clear(&m);
}

/* Each paragraph begins where its own script does. */
static void right_to_left_begins_at_the_right(void **state)
{
	struct page_list l = { 0 };
	struct aux_extent x;

	set("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", TYPESET_FIXED, &l);
	assert_true(body_extent(&l.pages[0], &x));
	assert_in_range(x.right, 1540, 1568);
	assert_true(x.left > 1300);
	page_list_clear(&l);
	set("\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85 abc", TYPESET_PROSE, &l);
	assert_true(body_extent(&l.pages[0], &x));
	assert_in_range(x.right, 1540, 1568);
	page_list_clear(&l);
	set("abc \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", TYPESET_FIXED, &l);
	assert_true(body_extent(&l.pages[0], &x));
	assert_in_range(x.left, 155, 175);
	page_list_clear(&l);
}

static bool some_font_has(uint32_t c)
{
	FcPattern *p = FcPatternCreate();
	FcCharSet *set_ = FcCharSetCreate();
	FcObjectSet *o = FcObjectSetBuild(FC_FAMILY, NULL);
	FcFontSet *found;
	bool has;

	FcCharSetAddChar(set_, c);
	FcPatternAddCharSet(p, FC_CHARSET, set_);
	FcPatternAddBool(p, FC_COLOR, FcFalse);
	FcPatternAddBool(p, FC_OUTLINE, FcTrue);
	found = FcFontList(NULL, p, o);
	has = found && found->nfont;
	if (found)
		FcFontSetDestroy(found);
	FcObjectSetDestroy(o);
	FcCharSetDestroy(set_);
	FcPatternDestroy(p);
	return has;
}

static void every_script_has_its_glyphs(void **state)
{
	static const struct {
		const char *script, *text;
		uint32_t sample;
	} cases[] = {
		{ "Latin", "Gr\xc3\xbc\xc3\x9f Gott, \xc5\xbblo\xc5\xbc!", 0x17c },
		{ "Greek", "\xce\x9a\xce\xb1\xce\xbb\xce\xb7", 0x39a },
		{ "Cyrillic", "\xd0\x9f\xd1\x80\xd0\xb8", 0x41f },
		{ "Arabic", "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85", 0x633 },
		{ "Hebrew", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", 0x5e9 },
		{ "Han", "\xe6\xbc\xa2\xe5\xad\x97", 0x6f22 },
		{ "Kana", "\xe3\x81\x8b\xe3\x81\xaa", 0x304b },
		{ "Emoji", "\xf0\x9f\x98\x80 \xe2\x9d\xa4\xef\xb8\x8f", 0x1f600 },
		{ "Vehicles", "\xf0\x9f\x9a\x80", 0x1f680 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct page_list l = { 0 };
		struct aux_extent x;
		struct typeset *t;

		if (!some_font_has(cases[i].sample)) {
			print_message("# no font here has %s\n", cases[i].script);
			continue;
		}
		t = begin(&raster_common_engine, NULL);
		add(t, TYPESET_FIXED, cases[i].text);
		if (typeset_unknown(t))
			fail_msg("%s: %u glyphs are missing", cases[i].script, typeset_unknown(t));
		finish(t, &l);
		/* outlines: there is ink, and it is no black box */
		assert_true(body_extent(&l.pages[0], &x));
		assert_true(x.black > 100);
		assert_true(x.black * 100 <
			    70ull * (x.right - x.left + 1) * (x.bottom - x.top + 1));
		page_list_clear(&l);
	}
}

static void what_no_font_has_is_a_box_with_its_number(void **state)
{
	struct typeset *t = begin(&raster_common_engine, NULL);
	struct page_list l = { 0 };
	struct aux_extent x;

	add(t, TYPESET_FIXED, "\xf3\xb0\x80\x80");	/* private use */
	assert_int_equal(typeset_unknown(t), 1);
	finish(t, &l);
	assert_true(body_extent(&l.pages[0], &x));
	assert_true(x.black > 50);
	page_list_clear(&l);
}

static void any_bytes_can_be_set(void **state)
{
	char bytes[4096];
	struct page_list l = { 0 };
	struct error e = { 0 };
	struct typeset *t;

	for (int style = TYPESET_FIXED; style <= TYPESET_MARK; style++) {
		t = begin(&raster_common_engine, NULL);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = i * 2654435761u >> (11 + style);
		assert_int_equal(typeset_add(t, style, bytes, sizeof(bytes), &e), 0);
		finish(t, &l);
	}
	page_list_clear(&l);
}

/* One line of a megabyte must not cost more than lines of the same length in all. */
static void long_lines_cost_no_more(void **state)
{
	size_t len = 200000;
	char *text = malloc(len + 1);
	struct page_list l = { 0 };
	clock_t start = clock();

	assert_non_null(text);
	memset(text, 'x', len);
	text[len] = '\0';
	set(text, TYPESET_FIXED, &l);
	assert_in_range(l.n, 35, 50);
	assert_true(clock() - start < 30 * CLOCKS_PER_SEC);
	page_list_clear(&l);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_lies_within_the_margins),
		cmocka_unit_test(eighty_columns_fit),
		cmocka_unit_test(size_on_paper_is_the_same_at_any_resolution),
		cmocka_unit_test(long_texts_take_many_pages),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_form_feed_ends_the_page),
		cmocka_unit_test(right_to_left_begins_at_the_right),
		cmocka_unit_test(every_script_has_its_glyphs),
		cmocka_unit_test(what_no_font_has_is_a_box_with_its_number),
		cmocka_unit_test(any_bytes_can_be_set),
		cmocka_unit_test(long_lines_cost_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
