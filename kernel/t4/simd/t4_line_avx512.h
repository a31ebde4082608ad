/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The primitives with AVX-512 (F, BW, DQ, VL, VBMI, VBMI2, BITALG), GFNI, BMI and BMI2. */
#ifndef T4_LINE_AVX512_H
#define T4_LINE_AVX512_H

#include <immintrin.h>
#include "t4_marks_avx512.h"
#include "t4_paint_avx512.h"
#include "t4_same_row.h"
#include "../t4_line.h"
#include "../t4_runs.h"
#include "../t4_lanes.h"

/* 0 to 63, a byte each */
static __always_inline __m512i t4_count_up(void)
{
	const __m128i sixteen = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	__m512i by_16 = _mm512_broadcast_i32x4(sixteen);

	return _mm512_add_epi8(by_16, _mm512_set_epi64(0x3030303030303030, 0x3030303030303030,
						       0x2020202020202020, 0x2020202020202020,
						       0x1010101010101010, 0x1010101010101010,
						       0, 0));
}

/* The next @left pixels, up to 512, 64 in each word and the first of them its bit 0. */
static __always_inline __m512i t4_load_pixels(const u8 *row, u32 left)
{
	const __m512i reverse = _mm512_set1_epi64((s64)0x8040201008040201ull);
	u64 bytes = left > 504 ? ~0ull : (1ull << (left + 7) / 8) - 1;

	return _mm512_gf2p8affine_epi64_epi8(_mm512_maskz_loadu_epi8(bytes, row), reverse, 0);
}

/* Where these pixels differ from the one before each; @last has the one before the first on top. */
static __always_inline __m512i t4_compare_pixels(__m512i pixels, __m512i last, u32 left)
{
	const __m512i ends = _mm512_set_epi64(512, 448, 384, 320, 256, 192, 128, 64);
	__m512i before, beyond;

	before = _mm512_shldi_epi64(pixels, _mm512_alignr_epi64(pixels, last, 7), 1);
	before = _mm512_xor_si512(before, pixels);
	if (left >= 512)
		return before;
	beyond = _mm512_subs_epu16(ends, _mm512_set1_epi64(left));
	return _mm512_and_si512(before, _mm512_srlv_epi64(_mm512_set1_epi64(-1), beyond));
}

/*
 * Notes how many changes there are before each of eight words and, within the
 * word, before each of its bytes. @sum is how many there are before them all,
 * twice and in each lane; returns the same for what follows.
 */
static __always_inline __m128i t4_note_counts(struct t4_ranks *r, u32 line, u32 k, __m512i changes,
					      __m128i sum)
{
	const __m512i zero = _mm512_setzero_si512();
	const __m512i left = _mm512_set_epi64(0x00ffffffffffffff, 0x0000ffffffffffff,
					      0x000000ffffffffff, 0x00000000ffffffff,
					      0x0000000000ffffff, 0x000000000000ffff,
					      0x00000000000000ff, 0);
	__m512i count = _mm512_slli_epi16(_mm512_popcnt_epi8(changes), 1);
	__m512i within = _mm512_mullo_epi64(count, _mm512_set1_epi8(1));
	__m128i all = _mm512_cvtepi64_epi8(_mm512_sad_epu8(count, zero));
	__m512i before = _mm512_and_si512(_mm512_broadcastq_epi64(all), left);

	_mm512_storeu_si512(&r->within[line][k], _mm512_slli_epi64(within, 8));
	before = _mm512_sad_epu8(before, zero);
	_mm_storeu_si128((void *)&r->before[line][k],
			 _mm_add_epi16(_mm512_cvtepi64_epi16(before), sum));
	return _mm_add_epi16(sum, _mm_broadcastw_epi16(_mm_sad_epu8(all, _mm_setzero_si128())));
}

/* The changes of a row, 64 pixels in each word. Bytes outside the row are not touched. */
static __always_inline void t4_changing_words(struct t4_encoder *e, const u8 *row, u64 invert,
					      bool ranks)
{
	u32 width = e->p.width, line = e->cur, x, left;
	struct t4_ranks *r = &e->ranks;
	/* before the first pixel of the row there is a white one */
	__m512i last = _mm512_set1_epi64((s64)invert), pixels, changes;
	__m128i sum = _mm_setzero_si128();

	for (x = 0; x < width; x += 512) {
		left = width - x;
		pixels = t4_load_pixels(row + x / 8, left);
		changes = t4_compare_pixels(pixels, last, left);
		last = pixels;
		r->some[x / 512] = (u8)_mm512_test_epi64_mask(changes, changes);
		_mm512_storeu_si512(&r->word[line][x / 64], changes);
		if (ranks)
			sum = t4_note_counts(r, line, x / 64, changes, sum);
	}
	memset(&r->some[x / 512], 0, 8);
}

static __always_inline void t4_end_list_512(u16 *list, u32 width)
{
	_mm256_storeu_si256((void *)list, _mm256_set1_epi16((s16)width));
}

/* Bytes, each added to @base: @count of them, and what is written beyond does not count. */
static __always_inline void t4_write_16(__m512i bytes, u32 count, u32 base, u16 *out)
{
	__m256i first = _mm256_cvtepu8_epi16(_mm512_castsi512_si128(bytes));
	__m512i half;

	_mm256_storeu_si256((void *)out, _mm256_add_epi16(first, _mm256_set1_epi16((s16)base)));
	if (unlikely(count > 16)) {
		half = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(bytes));
		_mm512_storeu_si512(out, _mm512_add_epi16(half, _mm512_set1_epi16((s16)base)));
		half = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(bytes, 1));
		_mm512_storeu_si512(out + 32, _mm512_add_epi16(half, _mm512_set1_epi16((s16)base)));
	}
}

/*
 * For each pixel of a word, how many changes the reference line has within the
 * word to the left, plus how many not to the right. @which is the byte a pixel lies in.
 */
static __always_inline __m512i t4_ranks_in(u64 word, u64 within, __m512i which)
{
	const __m512i left = _mm512_set1_epi64(0x7f3f1f0f07030100);
	const __m512i not_right = _mm512_set1_epi64((s64)0xff7f3f1f0f070301ull);
	__m512i bits = _mm512_shuffle_epi8(_mm512_set1_epi64((s64)word), which);
	__m512i ranks = _mm512_shuffle_epi8(_mm512_set1_epi64((s64)within), which);

	ranks = _mm512_add_epi8(ranks, _mm512_popcnt_epi8(_mm512_and_si512(bits, left)));
	return _mm512_add_epi8(ranks, _mm512_popcnt_epi8(_mm512_and_si512(bits, not_right)));
}

/* The places of the changes and, where they are wanted, their ranks. */
static __always_inline void t4_list_changes(struct t4_encoder *e, bool ranks)
{
	u16 *list = t4_list_of(e, e->cur), *out = list, *rank = e->ranks.list + T4_LIST_HEAD;
	const u64 *word = e->ranks.word[e->cur], *above = e->ranks.word[!e->cur];
	const u64 *within = e->ranks.within[!e->cur];
	const u16 *before = e->ranks.before[!e->cur];
	const __m512i all = t4_count_up();
	const __m512i which = _mm512_srli_epi64(_mm512_and_si512(all, _mm512_set1_epi8(0x38)), 3);
	u32 i, k, count, words = (e->p.width + 63) / 64;
	u64 some, changes;
	__m512i of;

	for (i = 0; i < words; i += 64) {
		memcpy(&some, e->ranks.some + i / 8, sizeof(some));
		for (; some; some &= some - 1) {
			k = i + (u32)_tzcnt_u64(some);
			changes = word[k];
			count = (u32)_mm_popcnt_u64(changes);
			t4_write_16(_mm512_maskz_compress_epi8(changes, all), count, 64 * k, out);
			out += count;
			if (!ranks)
				continue;
			of = t4_ranks_in(above[k], within[k], which);
			of = _mm512_maskz_compress_epi8(changes, of);
			t4_write_16(of, count, before[k], rank);
			rank += count;
		}
	}
	t4_end_list_512(out, e->p.width);
	if (ranks)
		t4_end_list_512(rank, 2 * e->ref_n);
	e->n = (u32)(out - list);
}

static inline void t4_find_changes(struct t4_encoder *e, const u8 *row, u64 invert)
{
	if (e->p.coding == T4_MH) {
		t4_changing_words(e, row, invert, false);
		t4_list_changes(e, false);
	} else {
		t4_changing_words(e, row, invert, true);
		t4_list_changes(e, true);
	}
}

#include "t4_code_avx512.h"

#endif
