// SPDX-License-Identifier: LGPL-2.1-or-later
/* Every code word, against libtiff and against the other tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <tiffio.h>
#include "t4_aux.h"
#include "t4_tables.h"

static struct t4_image row_of(u32 width, u32 from, u32 to)
{
	struct t4_image image = t4_image_new(width, 1);
	u32 x;

	for (x = from; x < to; x++)
		image.bits[x / 8] |= 0x80 >> x % 8;
	return image;
}

static void assert_coded_as_libtiff(struct t4_image *image)
{
	struct t4_strip how = {
		.width = image->width, .height = 1, .compression = COMPRESSION_CCITTRLE,
	};
	struct t4_params p = t4_params_of(&how);
	struct t4_bytes theirs = t4_libtiff_encode(image, &how);
	struct t4_bytes ours = t4_our_encode(image, &p, 0);
	struct t4_image back = t4_image_new(image->width, 1);

	assert_int_equal(ours.len, theirs.len);
	assert_memory_equal(ours.data, theirs.data, ours.len);
	assert_int_equal(t4_our_decode(ours, &p, 0, &back, NULL), T4_DONE);
	assert_true(t4_image_equal(image, &back));
	t4_image_free(&back);
	t4_image_free(image);
	free(theirs.data);
	free(ours.data);
}

/* All runs that have codes of their own, and some that repeat a make-up code. */
static void runs_as_libtiff(void **state)
{
	struct t4_image image;
	u32 run;

	for (run = 0; run < T4_WIDTH_MAX - 1; run += run < 2 * T4_RUN_CODES ? 1 : 509) {
		image = row_of(run + 1, run, run + 1);
		assert_coded_as_libtiff(&image);
		image = row_of(run + 1, 0, run);
		assert_coded_as_libtiff(&image);
	}
}

/* Each run's code, cut into its one or two code words by the decoder's table. */
static void encoder_and_decoder_agree(void **state)
{
	u32 black, run, bits, left, len, sum, entry;

	for (black = 0; black < 2; black++) {
		for (run = 0; run < T4_RUN_CODES; run++) {
			left = T4_CODE_LEN(t4_run_code[black][run]);
			bits = (u32)(t4_run_code[black][run] >> 32);
			for (sum = 0; left; sum += entry >> 4) {
				entry = black ? t4_black_run[bits >> (32 - T4_BLACK_BITS)]
					      : t4_white_run[bits >> (32 - T4_WHITE_BITS)];
				len = entry & 15;
				assert_in_range(len, 1, left);
				bits <<= len;
				left -= len;
			}
			assert_int_equal(sum, run);
		}
	}
}

/* Every index of the decoder's tables leads to a code word that begins so, or to none. */
static void decoder_tables_hold_nothing_else(void **state)
{
	static const u32 widths[2] = { T4_WHITE_BITS, T4_BLACK_BITS };
	u32 black, i, entry, len, run, words[2] = { 0 };
	u64 code;

	for (black = 0; black < 2; black++) {
		for (i = 0; i < 1u << widths[black]; i++) {
			entry = black ? t4_black_run[i] : t4_white_run[i];
			if (!entry)
				continue;
			len = entry & 15;
			run = entry >> 4;
			code = t4_run_code[black][run];
			/* make-up codes stand in the encoder's table with run 0 behind them */
			assert_int_equal(T4_CODE_LEN(code),
					 run < 64 ? len : len + (black ? 10 : 8));
			assert_int_equal(i >> (widths[black] - len), code >> (64 - len));
			words[black] += !(i & ((1u << (widths[black] - len)) - 1));
		}
		assert_int_equal(words[black], 64 + 40);
	}
}

/* Make-up and terminating code apart and in one. */
static void halves_make_codes(void **state)
{
	u32 black, run, end, makeup, len;
	u64 value;

	for (black = 0; black < 2; black++) {
		for (run = 0; run < T4_RUN_CODES; run++) {
			end = t4_code_half[black][0][run % 64];
			makeup = t4_code_half[black][1][run / 64];
			len = (end & 15) + (makeup & 15);
			value = (makeup >> 4) << (end & 15) | end >> 4;
			assert_int_equal(t4_run_code[black][run], value << (64 - len) | len);
		}
	}
}

/* The places of the ones in a byte, in either shape. */
static void places_are_those_of_ones(void **state)
{
	u32 byte, bit, n;

	for (byte = 0; byte < 256; byte++) {
		for (bit = 0, n = 0; bit < 8; bit++) {
			if (!(byte << bit & 0x80))
				continue;
			assert_int_equal(t4_byte_places[byte][n], bit);
			assert_int_equal(t4_byte_ones[n / 4][byte][n % 4], bit);
			n++;
		}
		assert_int_equal(t4_byte_count[byte], n);
	}
}

static void modes_are_complete(void **state)
{
	u32 i, mode, len, words = 0;

	for (i = 0; i < 1u << T4_MODE_BITS; i++) {
		mode = t4_mode[i] >> 4;
		len = t4_mode[i] & 15;
		if (!len) {
			/* the extension 0000001xxx and what an EOL begins with */
			assert_in_range(i, 0, 1);
			continue;
		}
		words += !(i & ((1u << (T4_MODE_BITS - len)) - 1));
		if (mode < T4_MODE_PASS) {
			assert_int_equal(len, t4_vertical_code[mode] & 63);
			assert_int_equal(i >> (T4_MODE_BITS - len), t4_vertical_code[mode] >> 6);
		}
	}
	assert_int_equal(words, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_as_libtiff),
		cmocka_unit_test(encoder_and_decoder_agree),
		cmocka_unit_test(decoder_tables_hold_nothing_else),
		cmocka_unit_test(modes_are_complete),
		cmocka_unit_test(halves_make_codes),
		cmocka_unit_test(places_are_those_of_ones),
	};

	return cmocka_run_group_tests_name("t4 tables", tests, NULL, NULL);
}
