/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Eight lanes of vertical modes at once; see t4_lanes.h for what they are. With SSE4 and BMI2. */
#ifndef T4_MATCH_SSE_H
#define T4_MATCH_SSE_H

#include <immintrin.h>
#include "../t4_line.h"

#define T4_MATCH_LANES	8u

/* A bit for each lane that is not right, and one behind the last. */
static __always_inline u32 t4_unmatched(__m128i a, __m128i delta, const u16 *b)
{
	__m128i next = _mm_loadu_si128((const void *)(b + 1));
	__m128i before = _mm_loadu_si128((const void *)(b - 1));
	__m128i fine = _mm_cmpeq_epi16(_mm_min_epu16(delta, _mm_set1_epi16(6)), delta);

	fine = _mm_and_si128(fine, _mm_cmpgt_epi16(next, a));
	fine = _mm_andnot_si128(_mm_cmpgt_epi16(before, a), fine);
	return ((u32)_mm_movemask_epi8(_mm_packs_epi16(fine, fine)) ^ 0xffff) |
	       1u << T4_MATCH_LANES;
}

static __always_inline u32 t4_match_verticals(const u16 *a, const u16 *b, struct t4_code *code)
{
	__m128i a1 = _mm_loadu_si128((const void *)a);
	__m128i b1 = _mm_loadu_si128((const void *)b), delta;
	u32 n, all, code1, code2;
	u64 deltas;

	delta = _mm_add_epi16(_mm_sub_epi16(a1, b1), _mm_set1_epi16(3));
	n = _tzcnt_u32(t4_unmatched(a1, delta, b));
	deltas = (u64)_mm_cvtsi128_si64(_mm_packus_epi16(delta, delta));
	/* 7, which stands for none, in the lanes from n on */
	deltas |= n < 8 ? ~0ull << (8 * n) : 0;
	all = (u32)_pext_u64(deltas, 0x0707070707070707ull);
	code1 = t4_vertical_quad[all & 0xfff];
	code2 = t4_vertical_quad[all >> 12];
	code->value = (u64)(code1 >> 5) << (code2 & 31) | code2 >> 5;
	code->len = (code1 & 31) + (code2 & 31);
	return n;
}

#endif
