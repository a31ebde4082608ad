/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The primitives with AVX2, BMI and BMI2. */
#ifndef T4_LINE_AVX2_H
#define T4_LINE_AVX2_H

#include <immintrin.h>
#include "../t4_line.h"
#include "t4_match_avx2.h"
#include "../t4_lanes.h"

#define T4_BLOCK	4	/* words that are looked at together */

/* The words of a row that have changes in them, without those at its end. */
static __always_inline u32 t4_changing_blocks(const u8 *row, u32 blocks, u64 invert, u64 *last,
					      struct t4_words *w)
{
	const __m256i top = _mm256_set1_epi8((char)0x80), turn = _mm256_set1_epi64x((s64)invert);
	__m256i v, before, changes;
	u32 n = 0, i, k;

	for (i = 0; i < blocks; i++) {
		v = _mm256_loadu_si256((const void *)(row + 32 * i));
		v = _mm256_xor_si256(v, turn);
		if (i) {
			before = _mm256_loadu_si256((const void *)(row + 32 * i - 1));
			before = _mm256_xor_si256(before, turn);
		} else {
			before = _mm256_alignr_epi8(v, _mm256_permute2x128_si256(v, v, 0x08), 15);
		}
		/* each pixel against the one before, the last one of the byte before included */
		before = _mm256_and_si256(_mm256_slli_epi16(before, 7), top);
		before = _mm256_or_si256(before, _mm256_andnot_si256(top, _mm256_srli_epi16(v, 1)));
		changes = _mm256_xor_si256(v, before);
		if (_mm256_testz_si256(changes, changes))
			continue;
		for (k = 0; k < T4_BLOCK; k++) {
			u64 word = (u64)_mm256_extract_epi64(changes, 0);

			memcpy(w->changes[n], &word, sizeof(word));
			w->x[n] = (u16)(256 * i + 64 * k);
			n += !!word;
			changes = _mm256_permute4x64_epi64(changes, 0x39);
		}
	}
	*last = blocks ? (row[32 * blocks - 1] ^ invert) & 1 : 0;
	return n;
}

static __always_inline u16 *t4_emit_byte(u8 byte, __m128i base, u16 *out)
{
	__m128i places = _mm_cvtepu8_epi16(_mm_loadl_epi64((const void *)t4_byte_places[byte]));

	_mm_storeu_si128((void *)out, _mm_add_epi16(places, base));
	return out + t4_byte_count[byte];
}

/* All bytes of a word, whether or not there is anything in them: few branches to guess. */
static __always_inline u16 *t4_emit_word(const u8 *byte, u32 x, u16 *out)
{
	const __m128i eight = _mm_set1_epi16(8);
	__m128i base = _mm_set1_epi16((s16)x);
	u32 i;

	for (i = 0; i < 8; i++) {
		out = t4_emit_byte(byte[i], base, out);
		base = _mm_add_epi16(base, eight);
	}
	return out;
}

#include "../t4_line_list.h"
#include "../t4_code_line.h"

#endif
