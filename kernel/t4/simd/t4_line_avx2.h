/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The primitives with AVX2, BMI and BMI2. */
#ifndef T4_LINE_AVX2_H
#define T4_LINE_AVX2_H

#include <immintrin.h>
#include "../t4_line.h"
#include "t4_match_sse.h"
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
	__m128i places = _mm_loadu_si128((const void *)t4_byte_ones[byte].place);

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

#define T4_DENSE	14	/* pixels a change */

/* Bit i of a byte becomes the parity of its bits from i up. */
static __always_inline __m256i t4_prefix_parity(__m256i v)
{
	const __m256i nibble = _mm256_set1_epi8(0x0f);
	const __m256i low = _mm256_broadcastsi128_si256(_mm_setr_epi8(
		0x00, 0x01, 0x03, 0x02, 0x07, 0x06, 0x04, 0x05, 0x0f, 0x0e, 0x0c, 0x0d, 0x08, 0x09,
		0x0b, 0x0a));
	/* with the low half where the high one is odd */
	const __m256i high = _mm256_broadcastsi128_si256(_mm_setr_epi8(
		0x00, 0x1f, 0x3f, 0x20, 0x7f, 0x60, 0x40, 0x5f, (char)0xff, (char)0xe0, (char)0xc0,
		(char)0xdf, (char)0x80, (char)0x9f, (char)0xbf, (char)0xa0));

	return _mm256_xor_si256(
		_mm256_shuffle_epi8(low, _mm256_and_si256(v, nibble)),
		_mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble)));
}

/* Bytes of ones where @bits are set. */
static __always_inline __m256i t4_spread(u32 bits)
{
	const __m256i which = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202,
						 0x0303030303030303);
	const __m256i one = _mm256_set1_epi64x((s64)0x8040201008040201ull);
	__m256i v = _mm256_shuffle_epi8(_mm256_set1_epi32((s32)bits), which);

	return _mm256_cmpeq_epi8(_mm256_and_si256(v, one), one);
}

/* Paints a row. @map has a bit for each pixel, all of them 0, and is left so. */
static inline void t4_paint_row(const u16 *list, u32 n, u32 width, u64 invert, u8 *row, u8 *map)
{
	const __m256i turn = _mm256_set1_epi64x((s64)invert);
	const __m128i ones = _mm_set1_epi64x(-1);
	u32 blocks = width / 256, i, parity, odd = 0;
	__m256i v;

	/* the rest of the row takes the other way */
	if (n * T4_DENSE > width || width % 256) {
		t4_fill_row(list, n, width, invert, row);
		return;
	}
	t4_map_changes(list, n, map);
	for (i = 0; i < blocks; i++) {
		v = t4_prefix_parity(_mm256_loadu_si256((const void *)(map + 32 * i)));
		_mm256_storeu_si256((void *)(map + 32 * i), _mm256_setzero_si256());
		/* bytes before which the number of changes is odd */
		parity = (u32)_mm256_movemask_epi8(_mm256_slli_epi16(v, 7));
		parity = (u32)_mm_cvtsi128_si32(_mm_clmulepi64_si128(
			_mm_cvtsi32_si128((s32)parity), ones, 0));
		v = _mm256_xor_si256(v, t4_spread(parity << 1 ^ odd));
		odd ^= (u32)((s32)parity >> 31);
		_mm256_storeu_si256((void *)(row + 32 * i), _mm256_xor_si256(v, turn));
	}
}

#endif
