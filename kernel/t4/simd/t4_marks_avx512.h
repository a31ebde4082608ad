/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From marks to pixels with AVX-512 (F, BW, DQ), GFNI and PCLMUL. */
#ifndef T4_MARKS_AVX512_H
#define T4_MARKS_AVX512_H

#include <immintrin.h>
#include "../t4_marks.h"

/* In each bit the XOR of all up to it, the lowest first. */
static __always_inline u64 t4_xor_bits(u64 v)
{
	__m128i sums = _mm_clmulepi64_si128(_mm_cvtsi64_si128((s64)v), _mm_set1_epi8(-1), 0);

	return (u64)_mm_cvtsi128_si64(sums);
}

/*
 * Paints the row of @width pixels whose changes are marked, and takes the marks
 * away. Its pad bits become white. A pixel is the XOR of the marks up to it: of
 * those in its byte, and of the last pixels of all bytes before it.
 */
static __always_inline void t4_paint_marks(struct t4_marks *m, u32 width, u64 invert, u8 *row)
{
	const __m512i up_to = _mm512_set1_epi64((s64)0xfffefcf8f0e0c080ull);
	const __m512i white = _mm512_set1_epi64((s64)invert), none = _mm512_setzero_si512();
	u32 len = (width + 7) / 8, at;
	u64 before = 0, ends;
	__m512i v, pad;

	for (at = 0; at < len; at += 64) {
		v = _mm512_xor_si512(_mm512_loadu_si512(m->first + at),
				     _mm512_loadu_si512(m->second + at));
		_mm512_storeu_si512(m->first + at, none);
		_mm512_storeu_si512(m->second + at, none);
		v = _mm512_gf2p8affine_epi64_epi8(v, up_to, 0);
		ends = t4_xor_bits(_mm512_test_epi8_mask(v, _mm512_set1_epi8(1))) ^ before;
		v = _mm512_xor_si512(v, _mm512_movm_epi8(ends << 1 | (before & 1)));
		before = 0 - (ends >> 63);
		if (len - at > 64) {
			_mm512_storeu_si512(row + at, _mm512_xor_si512(v, white));
			continue;
		}
		pad = _mm512_set1_epi8((char)(0xff00 >> (((width - 1) & 7) + 1)));
		v = _mm512_xor_si512(_mm512_and_si512(v, _mm512_mask_mov_epi8(_mm512_set1_epi8(-1),
						      1ull << (len - at - 1), pad)), white);
		_mm512_mask_storeu_epi8(row + at, _bzhi_u64(~0ull, len - at), v);
	}
}

#endif
