// SPDX-License-Identifier: LGPL-2.1-or-later
/* Both ways against libtiff at all sorts of widths; options that libtiff has not, by round trip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <tiffio.h>
#include "t4_aux.h"
#include "t4_variants.h"

#define ROWS	12

enum pattern { WHITE, BLACK, CHEQUER, NOISE, THIN_NOISE, SCRIBBLE, LONG_RUNS, BORDER,
	       UNLIKE, TWICE, PATTERNS };

static struct t4_image draw(enum pattern pattern, u32 width, u32 *seed)
{
	struct t4_image image = t4_image_new(width, ROWS);
	u32 y, x;
	u8 *row;

	if (pattern == NOISE || pattern == THIN_NOISE)
		t4_image_noise(&image, pattern == NOISE ? 128 : 3, seed);
	if (pattern == SCRIBBLE || pattern == LONG_RUNS || pattern == TWICE)
		t4_image_scribble(&image, pattern == LONG_RUNS ? 3000 : 12, seed);
	/* many changing elements below few, and few below many; and all rows twice */
	for (y = 0; y < ROWS; y++) {
		row = image.bits + y * image.stride;
		if (pattern == UNLIKE)
			for (x = 0; x < width; x++)
				row[x / 8] |= (t4_random(seed) >> 15 & 255) < (y % 3 ? 128 : 2) ?
					      0x80 >> x % 8 : 0;
		if (pattern == TWICE && y % 2)
			memcpy(row, row - image.stride, image.stride);
	}
	for (y = 0; y < ROWS; y++)
		for (x = 0; x < width; x++)
			if (pattern == BLACK || (pattern == CHEQUER && (x + y) % 2) ||
			    (pattern == BORDER && (!x || x + 1 == width || y % 5 == 4)))
				image.bits[y * image.stride + x / 8] |= 0x80 >> x % 8;
	return image;
}

static const struct t4_strip codings[] = {
	{ .compression = COMPRESSION_CCITTRLE },
	{ .compression = COMPRESSION_CCITTRLE, .lsb_first = true },
	{ .compression = COMPRESSION_CCITTFAX3 },
	{ .compression = COMPRESSION_CCITTFAX3, .options = GROUP3OPT_FILLBITS },
	{ .compression = COMPRESSION_CCITTFAX3, .options = GROUP3OPT_2DENCODING, .y_res = 98 },
	{ .compression = COMPRESSION_CCITTFAX3, .y_res = 196, .lsb_first = true,
	  .options = GROUP3OPT_2DENCODING | GROUP3OPT_FILLBITS },
	{ .compression = COMPRESSION_CCITTFAX4 },
};

static void assert_round_trip(const struct t4_image *image, struct t4_bytes coded,
			      const struct t4_params *p)
{
	struct t4_image back = t4_image_new(image->width, image->height);
	struct t4_damage damage;

	assert_int_equal(t4_our_decode(coded, p, 0, &back, &damage), T4_DONE);
	assert_int_equal(damage.rows_bad, 0);
	assert_true(t4_image_equal(image, &back));
	t4_image_free(&back);
}

static void assert_both_ways(const struct t4_image *image, struct t4_strip how)
{
	struct t4_bytes theirs, ours;
	struct t4_params p;

	how.width = image->width;
	how.height = image->height;
	p = t4_params_of(&how);
	theirs = t4_libtiff_encode(image, &how);
	ours = t4_our_encode(image, &p, 0);
	assert_int_equal(ours.len, theirs.len);
	assert_memory_equal(ours.data, theirs.data, ours.len);
	assert_round_trip(image, ours, &p);
	free(theirs.data);
	free(ours.data);
}

static void widths_as_libtiff(void **state)
{
	u32 seed = 1, width, pattern, c;
	struct t4_image image;

	for (width = 1; width <= T4_WIDTH_MAX; width += width < 140 ? 1 : width / 9) {
		if (width > T4_WIDTH_MAX - 1000)
			width = T4_WIDTH_MAX;
		for (pattern = 0; pattern < PATTERNS; pattern++) {
			image = draw(pattern, width, &seed);
			for (c = 0; c < sizeof(codings) / sizeof(codings[0]); c++)
				assert_both_ways(&image, codings[c]);
			t4_image_free(&image);
		}
	}
}

/* One-dimensional lines at the first row only: libtiff reads it, but does not write it. */
static void k_unlimited(void **state)
{
	struct t4_strip how = {
		.width = 1728, .height = ROWS, .compression = COMPRESSION_CCITTFAX3,
		.options = GROUP3OPT_2DENCODING,
	};
	struct t4_params p = t4_params_of(&how);
	u32 seed = 2;
	struct t4_image image = draw(SCRIBBLE, how.width, &seed), theirs;
	struct t4_bytes coded;

	p.k = 0;
	coded = t4_our_encode(&image, &p, 0);
	assert_true(t4_libtiff_decode(coded, &how, &theirs));
	assert_true(t4_image_equal(&image, &theirs));
	assert_round_trip(&image, coded, &p);
	t4_image_free(&image);
	t4_image_free(&theirs);
	free(coded.data);
}

/* The decoder finds the end by itself, in all combinations of options. */
static void all_options(void **state)
{
	u32 seed = 3, coding, flags, pattern;
	struct t4_image image, more;
	struct t4_bytes coded;
	struct t4_damage damage;

	for (coding = T4_MH; coding <= T4_MMR; coding++) {
		for (flags = 0; flags < 32; flags++) {
			struct t4_params p = {
				.width = 217 + flags, .coding = coding, .k = 4, .flags = flags,
			};

			for (pattern = 0; pattern < PATTERNS; pattern++) {
				image = draw(pattern, p.width, &seed);
				more = t4_image_new(p.width, ROWS + 3);
				coded = t4_our_encode(&image, &p, 0);
				assert_int_equal(t4_our_decode(coded, &p, 0, &more, &damage),
						 T4_DONE);
				assert_int_equal(damage.rows_bad, 0);
				assert_int_equal(damage.flags,
						 flags & T4_F_END ? T4_D_END_SEEN : 0);
				if (flags & T4_F_BLACK_IS_0)
					/* both took the pixels the other way round */
					assert_int_equal(more.height, ROWS);
				else
					assert_true(t4_image_equal(&image, &more));
				free(coded.data);
				t4_image_free(&image);
				t4_image_free(&more);
			}
		}
	}
}

/* The code of an image is that of its negative under the other polarity; pad bits do not count. */
static void polarity(void **state)
{
	struct t4_params p = { .width = 1733, .rows = ROWS, .coding = T4_MMR, .flags = T4_F_END };
	u32 seed = 4, i;
	struct t4_image image = draw(SCRIBBLE, p.width, &seed);
	struct t4_image negative = t4_image_new(p.width, ROWS);
	struct t4_image back = t4_image_new(p.width, ROWS);
	struct t4_bytes a, b;

	for (i = 0; i < ROWS * image.stride; i++)
		negative.bits[i] = (u8)~image.bits[i];
	a = t4_our_encode(&image, &p, 0);
	p.flags |= T4_F_BLACK_IS_0;
	b = t4_our_encode(&negative, &p, 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	assert_int_equal(t4_our_decode(a, &p, 0, &back, NULL), T4_DONE);
	assert_true(t4_image_equal(&negative, &back));

	/* ink in the pad bits changes nothing */
	p.flags &= ~T4_F_BLACK_IS_0;
	free(b.data);
	for (i = 1; i <= ROWS; i++)
		image.bits[i * image.stride - 1] |= 0x07;
	b = t4_our_encode(&image, &p, 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	t4_image_free(&image);
	t4_image_free(&negative);
	t4_image_free(&back);
	free(a.data);
	free(b.data);
}

static void misuse_is_refused(void **state)
{
	struct t4_encoder *e = malloc(sizeof(*e));
	struct t4_decoder *d = malloc(sizeof(*d));
	struct t4_params p = { .width = 0, .coding = T4_MMR };
	u8 out[8], row[8] = { 0 };
	size_t produced;
	u32 consumed;

	assert_int_equal(t4_encoder_init(e, &p), -EINVAL);
	assert_int_equal(t4_decoder_init(d, &p), -EINVAL);
	p.width = T4_WIDTH_MAX + 1;
	assert_int_equal(t4_encoder_init(e, &p), -EINVAL);
	assert_int_equal(t4_decoder_init(d, &p), -EINVAL);
	p.width = 8;
	p.coding = T4_MMR + 1;
	assert_int_equal(t4_encoder_init(e, &p), -EINVAL);
	assert_int_equal(t4_decoder_init(d, &p), -EINVAL);
	p.coding = T4_MMR;
	assert_int_equal(t4_encoder_init(e, &p), 0);
	assert_int_equal(t4_encode_end(e, out, sizeof(out), &produced), T4_DONE);
	assert_int_equal(t4_encode_end(e, out, sizeof(out), &produced), T4_DONE);
	assert_int_equal(produced, 0);
	assert_int_equal(t4_encode(e, row, 8, 1, &consumed, out, sizeof(out), &produced),
			 -EINVAL);
	free(e);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths_as_libtiff),
		cmocka_unit_test(k_unlimited),
		cmocka_unit_test(all_options),
		cmocka_unit_test(polarity),
		cmocka_unit_test(misuse_is_refused),
	};

	return t4_run_tests("t4 widths", tests);
}
