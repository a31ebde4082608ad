/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The primitives with AVX-512 (F, BW, DQ, VL, VBMI, VBMI2), GFNI, BMI and BMI2. */
#ifndef T4_LINE_AVX512_H
#define T4_LINE_AVX512_H

#include <immintrin.h>
#include "t4_fill_avx512.h"
#include "t4_match_sse.h"
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

/* The pad bits behind a row of @width become 0; @left bytes of it begin with @v. */
static __always_inline __m512i t4_clear_pads(__m512i v, u32 left, u32 width)
{
	__m512i keep = _mm512_set1_epi8(-1);

	if (!(width % 8) || left > 64)
		return v;
	keep = _mm512_mask_set1_epi8(keep, 1ull << (left - 1), (char)(0xff00 >> width % 8));
	return _mm512_and_si512(v, keep);
}

/* Bytes of a row that a vector takes, of @left. */
static __always_inline __mmask64 t4_row_mask(u32 left)
{
	return left >= 64 ? ~0ull : (1ull << left) - 1;
}

/*
 * The words of a row that have changes in them; here the first pixel of a word
 * is its bit 0. Bytes outside the row are not touched.
 */
static __always_inline u32 t4_changing_words(const u8 *row, u32 width, u64 invert,
					     struct t4_words *w)
{
	const __m512i reverse = _mm512_set1_epi64((s64)0x8040201008040201ull);
	const __m512i top = _mm512_set1_epi8((char)0x80), turn = _mm512_set1_epi64((s64)invert);
	const __m128i step = _mm_setr_epi16(0, 64, 128, 192, 256, 320, 384, 448);
	u32 bytes = (width + 7) / 8, n = 0, at, some;
	__m512i v, before, changes;
	__mmask64 mask, mask_before;
	__m128i x;

	for (at = 0; at < bytes; at += 64) {
		mask = t4_row_mask(bytes - at);
		/* before the first pixel of the row there is a white one */
		mask_before = at ? mask : mask & ~1ull;
		v = _mm512_maskz_loadu_epi8(mask, row + at);
		v = _mm512_xor_si512(v, turn);
		before = _mm512_maskz_loadu_epi8(mask_before, row + at - 1);
		before = _mm512_maskz_mov_epi8(mask_before, _mm512_xor_si512(before, turn));
		before = _mm512_and_si512(_mm512_slli_epi16(before, 7), top);
		before = _mm512_or_si512(before, _mm512_andnot_si512(top, _mm512_srli_epi16(v, 1)));
		changes = _mm512_maskz_mov_epi8(mask, _mm512_xor_si512(v, before));
		changes = t4_clear_pads(changes, bytes - at, width);
		some = _mm512_test_epi64_mask(changes, changes);
		changes = _mm512_gf2p8affine_epi64_epi8(changes, reverse, 0);
		changes = _mm512_maskz_compress_epi64((__mmask8)some, changes);
		_mm512_storeu_si512(w->changes[n], changes);
		x = _mm_add_epi16(step, _mm_set1_epi16((s16)(8 * at)));
		_mm_storeu_si128((void *)&w->x[n], _mm_maskz_compress_epi16((__mmask8)some, x));
		n += (u32)_mm_popcnt_u32(some);
	}
	return n;
}

static __always_inline void t4_end_list_512(u16 *list, u32 width)
{
	_mm256_storeu_si256((void *)list, _mm256_set1_epi16((s16)width));
}

static __always_inline void t4_write_places(__m256i places, __m512i base, u16 *out)
{
	_mm512_storeu_si512(out, _mm512_add_epi16(base, _mm512_cvtepu8_epi16(places)));
}

static inline u32 t4_find_changes(const u8 *row, u32 width, u64 invert, u16 *list,
				  struct t4_words *w)
{
	u32 words = t4_changing_words(row, width, invert, w), i, count;
	const __m512i all = t4_count_up();
	__m512i places, base;
	u16 *out = list;
	u64 changes;

	for (i = 0; i < words; i++) {
		memcpy(&changes, w->changes[i], sizeof(changes));
		count = (u32)_mm_popcnt_u64(changes);
		base = _mm512_set1_epi16((s16)w->x[i]);
		places = _mm512_maskz_compress_epi8(changes, all);
		t4_write_places(_mm512_castsi512_si256(places), base, out);
		if (unlikely(count > 32))
			t4_write_places(_mm512_extracti64x4_epi64(places, 1), base, out + 32);
		out += count;
	}
	t4_end_list_512(out, width);
	return (u32)(out - list);
}

#endif
