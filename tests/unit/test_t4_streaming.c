// SPDX-License-Identifier: LGPL-2.1-or-later
/* Input and output cut anywhere give what they give in one piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "t4_aux.h"
#include "t4_variants.h"

static const u16 flag_sets[] = {
	0, T4_F_EOL, T4_F_ALIGN, T4_F_EOL | T4_F_ALIGN | T4_F_END, T4_F_EOL | T4_F_LSB_FIRST,
	T4_F_END | T4_F_LSB_FIRST,
};

#define FLAG_SETS	(sizeof(flag_sets) / sizeof(flag_sets[0]))

static void assert_pieces_alike(const struct t4_image *image, const struct t4_params *p,
				size_t piece)
{
	struct t4_bytes whole = t4_our_encode(image, p, 0);
	struct t4_bytes pieces = t4_our_encode(image, p, piece);
	struct t4_image back = t4_image_new(image->width, image->height + 1);
	struct t4_damage damage;

	assert_int_equal(whole.len, pieces.len);
	assert_memory_equal(whole.data, pieces.data, whole.len);
	assert_int_equal(t4_our_decode(whole, p, piece, &back, &damage), T4_DONE);
	assert_int_equal(damage.rows_bad, 0);
	assert_true(t4_image_equal(image, &back));
	t4_image_free(&back);
	free(whole.data);
	free(pieces.data);
}

static void pieces_of_any_size(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 5, 7, 8, 9, 13, 64, 255, 1000, 4096 };
	u32 seed = 5, coding, f, s;
	struct t4_image image = t4_image_new(1728, 40);

	t4_image_scribble(&image, 20, &seed);
	for (coding = T4_MH; coding <= T4_MMR; coding++) {
		for (f = 0; f < FLAG_SETS; f++) {
			struct t4_params p = {
				.width = image.width, .coding = coding, .k = 2,
				.flags = flag_sets[f],
			};

			for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
				assert_pieces_alike(&image, &p, sizes[s]);
		}
	}
	t4_image_free(&image);
}

/* Feeds pieces of random size; what is decoded must not depend on them, damaged or not. */
static void decode_random_cuts(struct t4_bytes coded, const struct t4_params *p, u32 *seed,
			       struct t4_image *image, struct t4_damage *damage)
{
	struct t4_decoder *d = malloc(sizeof(*d));
	size_t pos = 0, consumed, n;
	u32 y = 0, produced, want;
	int ret;

	assert_int_equal(t4_decoder_init(d, p), 0);
	do {
		n = t4_random(seed) % 24;
		if (n > coded.len - pos)
			n = coded.len - pos;
		want = t4_random(seed) % 3;
		if (want > image->height - y)
			want = image->height - y;
		ret = t4_decode(d, coded.data + pos, n, pos + n == coded.len, &consumed,
				image->bits + y * image->stride, image->stride, want, &produced);
		assert_true(consumed <= n && produced <= want);
		if (ret == T4_OK)
			assert_int_equal(consumed, n);
		pos += consumed;
		y += produced;
	} while (ret == T4_OK || (ret == T4_OUT_FULL && y < image->height));
	*damage = *t4_decoder_damage(d);
	image->height = y;
	free(d);
}

static void assert_same_damage(const struct t4_damage *a, const struct t4_damage *b)
{
	assert_int_equal(a->rows, b->rows);
	assert_int_equal(a->rows_bad, b->rows_bad);
	assert_int_equal(a->first_bad_row, b->first_bad_row);
	assert_int_equal(a->max_bad_run, b->max_bad_run);
	assert_int_equal(a->error_bit, b->error_bit);
	assert_int_equal(a->flags, b->flags);
}

static void cuts_do_not_show(void **state)
{
	u32 seed = 6, coding, f, round, i;
	struct t4_image image = t4_image_new(600, 30), whole, cut;
	struct t4_damage damage1, damage2;
	struct t4_bytes coded;
	u8 *byte;

	t4_image_scribble(&image, 30, &seed);
	for (coding = T4_MH; coding <= T4_MMR; coding++) {
		for (f = 0; f < FLAG_SETS * 12; f++) {
			struct t4_params p = {
				.width = image.width, .coding = coding, .k = 4,
				.flags = flag_sets[f % FLAG_SETS],
			};

			coded = t4_our_encode(&image, &p, 0);
			/* the later rounds with flipped bits */
			for (i = 0; i < f / FLAG_SETS; i++) {
				byte = &coded.data[t4_random(&seed) % coded.len];
				*byte ^= 1 << t4_random(&seed) % 8;
			}
			whole = t4_image_new(image.width, image.height + 10);
			t4_our_decode(coded, &p, 0, &whole, &damage1);
			for (round = 0; round < 5; round++) {
				cut = t4_image_new(image.width, image.height + 10);
				decode_random_cuts(coded, &p, &seed, &cut, &damage2);
				assert_same_damage(&damage1, &damage2);
				assert_true(t4_image_equal(&whole, &cut));
				t4_image_free(&cut);
			}
			t4_image_free(&whole);
			free(coded.data);
		}
	}
	t4_image_free(&image);
}

/* The end is seen without room for one more row, and what lies beyond it is left alone. */
static void bytes_beyond_the_end_stay(void **state)
{
	struct t4_params p = { .width = 80, .coding = T4_MMR, .flags = T4_F_END };
	struct t4_image image = t4_image_new(80, 10), back = t4_image_new(80, 11);
	struct t4_decoder *d = malloc(sizeof(*d));
	struct t4_bytes coded;
	size_t consumed;
	u32 seed = 7, produced, room;

	t4_image_scribble(&image, 5, &seed);
	coded = t4_our_encode(&image, &p, 0);
	coded.data = realloc(coded.data, coded.len + 100);
	memset(coded.data + coded.len, 0x5a, 100);
	for (room = 9; room <= 11; room++) {
		assert_int_equal(t4_decoder_init(d, &p), 0);
		assert_int_equal(t4_decode(d, coded.data, coded.len + 100, false, &consumed,
					   back.bits, back.stride, room, &produced),
				 room < 10 ? T4_OUT_FULL : T4_DONE);
		assert_int_equal(produced, room < 10 ? room : 10);
		if (room < 10)
			assert_in_range(consumed, 1, coded.len - 1);
		else
			assert_int_equal(consumed, coded.len);
	}
	free(d);
	free(coded.data);
	t4_image_free(&image);
	t4_image_free(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size),
		cmocka_unit_test(cuts_do_not_show),
		cmocka_unit_test(bytes_beyond_the_end_stay),
	};

	return t4_run_tests("t4 streaming", tests);
}
