/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sixteen lanes of vertical modes at once; see t4_lanes.h for what they are. With AVX2 and BMI2. */
#ifndef T4_MATCH_AVX2_H
#define T4_MATCH_AVX2_H

#include <immintrin.h>
#include "../t4_line.h"
#include "../t4_runs.h"

#define T4_MATCH_LANES	16u

static __always_inline __m256i t4_load_256(const void *p)
{
	return _mm256_loadu_si256(p);
}

/* How many lanes are right before the first that is not. */
static __always_inline u32 t4_right_lanes(__m256i a, __m256i delta, const u16 *b)
{
	__m256i fine = _mm256_cmpeq_epi16(_mm256_min_epu16(delta, _mm256_set1_epi16(6)), delta);

	fine = _mm256_and_si256(fine, _mm256_cmpgt_epi16(t4_load_256(b + 1), a));
	fine = _mm256_andnot_si256(_mm256_cmpgt_epi16(t4_load_256(b - 1), a), fine);
	/* 32, two bits for each, if all of them are */
	return _tzcnt_u32(~(u32)_mm256_movemask_epi8(fine)) / 2;
}

static __always_inline u32 t4_match_verticals(const u16 *a, const u16 *b, struct t4_code *code)
{
	const u64 low_bits = 0x0707070707070707ull;
	__m256i a1 = t4_load_256(a), delta, bytes;
	struct t4_code more = { 0 };
	u32 n;
	u64 all;

	delta = _mm256_add_epi16(_mm256_sub_epi16(a1, t4_load_256(b)), _mm256_set1_epi16(3));
	n = t4_right_lanes(a1, delta, b);
	bytes = _mm256_packus_epi16(delta, delta);
	all = _pext_u64((u64)_mm256_extract_epi64(bytes, 2), low_bits) << 24;
	all |= _pext_u64((u64)_mm256_extract_epi64(bytes, 0), low_bits);
	/* 7, which stands for none, in the lanes from n on */
	all |= ~0ull << (3 * n);
	t4_add_entry(code, t4_vertical_quad[all & 0xfff]);
	t4_add_entry(code, t4_vertical_quad[all >> 12 & 0xfff]);
	t4_add_entry(&more, t4_vertical_quad[all >> 24 & 0xfff]);
	t4_add_entry(&more, t4_vertical_quad[all >> 36 & 0xfff]);
	if (unlikely(code->len + more.len > T4_MATCH_BITS)) {
		*code = (struct t4_code){ 0 };
		t4_add_entry(code, t4_vertical_quad[all & 0xfff]);
		return 4;
	}
	t4_add_code(code, more.value, more.len);
	return n;
}

#endif
