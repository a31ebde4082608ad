/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Black runs with AVX2, four at once. */
#ifndef T4_PAINT_AVX2_H
#define T4_PAINT_AVX2_H

#include "t4_paint.h"

static __always_inline void t4_whiten(u8 *row, size_t len, u64 white)
{
	const __m256i v = _mm256_set1_epi64x((s64)white);
	size_t i;

	if (unlikely(len < sizeof(v))) {
		memset(row, (int)(white & 0xff), len);
		return;
	}
	for (i = 0; i + sizeof(v) <= len; i += sizeof(v))
		_mm256_storeu_si256((void *)(row + i), v);
	_mm256_storeu_si256((void *)(row + len - sizeof(v)), v);
}

/* Four runs, whose ends are @most at most. */
static __always_inline __m256i t4_four_runs(const u16 *list, __m128i most)
{
	__m128i ends = _mm_loadu_si128((const void *)list);

	return _mm256_cvtepu32_epi64(_mm_min_epu16(ends, most));
}

/* Turns what both ends of a run turn in the word from pixel @x on, which is there for each. */
static __always_inline __m256i t4_turn_run(__m256i word, __m256i runs, __m256i x)
{
	const __m256i all = _mm256_set1_epi8(-1), low = _mm256_set1_epi64x(T4_RUN_FIRST);

	/* an end left of the word turns all of it, one right of it nothing */
	runs = _mm256_subs_epu16(runs, x);
	word = _mm256_xor_si256(word, _mm256_srlv_epi64(all, _mm256_and_si256(runs, low)));
	return _mm256_xor_si256(word, _mm256_srlv_epi64(all, _mm256_srli_epi64(runs, T4_RUN_END)));
}

static __always_inline void t4_paint_rests(const u16 *list, __m256i runs, u64 invert, u8 *row)
{
	__m256i more = _mm256_cmpgt_epi32(runs, _mm256_set1_epi64x(T4_RUN_IN_WORD));
	u32 left = (u32)_mm256_movemask_ps(_mm256_castsi256_ps(more));

	for (; unlikely(left); left &= left - 1)
		t4_paint_rest(list + _tzcnt_u32(left), invert, row);
}

static __always_inline void t4_paint_four(const u16 *list, __m128i most, u64 invert, u8 *row)
{
	const __m128i turned = _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
	const __m128i firsts = _mm_setr_epi8(0, 1, 0, 1, -1, -1, -1, -1,
					     8, 9, 8, 9, -1, -1, -1, -1);
	const __m256i swap = _mm256_broadcastsi128_si256(turned);
	const __m256i twice = _mm256_broadcastsi128_si256(firsts);
	__m128i ends = _mm_min_epu16(_mm_loadu_si128((const void *)list), most);
	__m256i runs = t4_four_runs(list, most), x, words;
	u16 at[8];

	_mm_storeu_si128((void *)at, _mm_srli_epi16(ends, 3));
	/* by way of memory: to take vectors apart would cost more */
	__asm__("" : "+m"(at));
	x = _mm256_and_si256(_mm256_shuffle_epi8(runs, twice), _mm256_set1_epi16(~7));
	t4_paint_rests(list, _mm256_subs_epu16(runs, x), invert, row);
	words = t4_turn_run(_mm256_set1_epi64x((s64)invert), runs, x);
	words = t4_turn_run(words, t4_four_runs(list - 2, most), x);
	words = t4_turn_run(words, t4_four_runs(list - 4, most), x);
	words = t4_turn_run(words, t4_four_runs(list - 6, most), x);
	words = _mm256_shuffle_epi8(words, swap);
	t4_store_words(_mm256_castsi256_si128(words), at, row);
	t4_store_words(_mm256_extracti128_si256(words, 1), at + 4, row);
}

static __always_inline void t4_paint_runs(const u16 *list, u32 n, u64 invert, u8 *row)
{
	__m128i most;
	u32 i;

	if (!n)
		return;
	/* words behind the last run are white: nothing reaches the next whole byte */
	most = _mm_set1_epi16((s16)((list[n - 1] + 7) & ~7));
	for (i = 0; i < n; i += 8)
		t4_paint_four(list + i, most, invert, row);
}

#endif
