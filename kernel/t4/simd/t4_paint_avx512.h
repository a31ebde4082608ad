/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* As t4_paint_avx2.h, eight runs at once, with AVX-512 (F, BW, DQ, VL) and BMI2. */
#ifndef T4_PAINT_AVX512_H
#define T4_PAINT_AVX512_H

#include "t4_paint.h"

static __always_inline void t4_whiten(u8 *row, size_t len, u64 white)
{
	const __m512i v = _mm512_set1_epi64((s64)white);
	size_t i;

	for (i = 0; i + sizeof(v) <= len; i += sizeof(v))
		_mm512_storeu_si512(row + i, v);
	_mm512_mask_storeu_epi8(row + i, _bzhi_u64(~0ull, (u32)(len - i)), v);
}

static __always_inline __m512i t4_eight_runs(const u16 *list, __m256i most)
{
	__m256i ends = _mm256_loadu_si256((const void *)list);

	return _mm512_cvtepu32_epi64(_mm256_min_epu16(ends, most));
}

static __always_inline __m512i t4_turn_run(__m512i word, __m512i runs, __m512i x)
{
	const __m512i all = _mm512_set1_epi8(-1);
	__m512i first, end;

	runs = _mm512_subs_epu16(runs, x);
	first = _mm512_srlv_epi64(all, _mm512_maskz_mov_epi16(0x11111111, runs));
	end = _mm512_srlv_epi64(all, _mm512_srli_epi64(runs, T4_RUN_END));
	/* the XOR of all three */
	return _mm512_ternarylogic_epi64(word, first, end, 0x96);
}

static __always_inline void t4_paint_rests(const u16 *list, __m512i runs, u64 invert, u8 *row)
{
	u32 left = _mm512_cmpgt_epu64_mask(runs, _mm512_set1_epi64(T4_RUN_IN_WORD));

	for (; unlikely(left); left &= left - 1)
		t4_paint_rest(list + 2 * _tzcnt_u32(left), invert, row);
}

static __always_inline void t4_paint_eight(const u16 *list, __m256i most, u64 invert, u8 *row)
{
	const __m128i turned = _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
	const __m128i firsts = _mm_setr_epi8(0, 1, 0, 1, -1, -1, -1, -1,
					     8, 9, 8, 9, -1, -1, -1, -1);
	const __m512i swap = _mm512_broadcast_i32x4(turned), twice = _mm512_broadcast_i32x4(firsts);
	__m256i ends = _mm256_min_epu16(_mm256_loadu_si256((const void *)list), most);
	__m512i runs = t4_eight_runs(list, most), x, words;
	u16 at[16];

	_mm256_storeu_si256((void *)at, _mm256_srli_epi16(ends, 3));
	/* by way of memory: to take vectors apart would cost more */
	__asm__("" : "+m"(at));
	x = _mm512_and_si512(_mm512_shuffle_epi8(runs, twice), _mm512_set1_epi16(~7));
	t4_paint_rests(list, _mm512_subs_epu16(runs, x), invert, row);
	words = t4_turn_run(_mm512_set1_epi64((s64)invert), runs, x);
	words = t4_turn_run(words, t4_eight_runs(list - 2, most), x);
	words = t4_turn_run(words, t4_eight_runs(list - 4, most), x);
	words = t4_turn_run(words, t4_eight_runs(list - 6, most), x);
	words = _mm512_shuffle_epi8(words, swap);
	t4_store_words(_mm512_castsi512_si128(words), at, row);
	t4_store_words(_mm512_extracti64x2_epi64(words, 1), at + 4, row);
	t4_store_words(_mm512_extracti64x2_epi64(words, 2), at + 8, row);
	t4_store_words(_mm512_extracti64x2_epi64(words, 3), at + 12, row);
}

static __always_inline void t4_paint_runs(const u16 *list, u32 n, u64 invert, u8 *row)
{
	__m256i most;
	u32 i;

	if (!n)
		return;
	most = _mm256_set1_epi16((s16)((list[n - 1] + 7) & ~7));
	for (i = 0; i < n; i += 16)
		t4_paint_eight(list + i, most, invert, row);
}

#endif
