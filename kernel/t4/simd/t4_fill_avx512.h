/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Painting rows with AVX-512 (F, BW) and BMI2. */
#ifndef T4_FILL_AVX512_H
#define T4_FILL_AVX512_H

#include <immintrin.h>
#define T4_OWN_FILL_ROW
#include "../t4_line.h"

/*
 * Painting goes by 16 changes, in words of 32 pixels. A word is the XOR of what
 * its changes turn, each from its place to the end of the word, and is black
 * underneath if the pixel before it is. Let the sum be the XOR of what all changes
 * of the row turn, up to one of them, no matter in which words; then a word is
 * the sum up to its last change, XOR the sum and the colour as they were
 * behind the last change of another word before it.
 */
struct t4_painter {
	u8 *row;
	u64 invert;
	__m512i sum;		/* so far, in each lane */
	__m512i before;		/* sum and colour behind the last word painted, in each lane */
};

static __always_inline __m512i t4_xor_up(__m512i v)
{
	const __m512i none = _mm512_setzero_si512();

	v = _mm512_xor_si512(v, _mm512_alignr_epi32(v, none, 15));
	v = _mm512_xor_si512(v, _mm512_alignr_epi32(v, none, 14));
	v = _mm512_xor_si512(v, _mm512_alignr_epi32(v, none, 12));
	return _mm512_xor_si512(v, _mm512_alignr_epi32(v, none, 8));
}

/* What each change turns in its word, as that lies in memory. */
static __always_inline __m512i t4_turns(__m512i x, __mmask16 valid)
{
	const __m128i swap = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
	__m512i v = _mm512_and_si512(x, _mm512_set1_epi32(31));

	v = _mm512_maskz_srlv_epi32(valid, _mm512_set1_epi32(-1), v);
	return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(swap));
}

static __always_inline void t4_store_words(u8 *row, const u32 *k, const u32 *word, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		memcpy(row + 4 * (size_t)k[i], &word[i], sizeof(*word));
}

static __always_inline void t4_set_bytes(u8 *row, u32 at, u32 end, u64 v)
{
	for (; at + 64 <= end; at += 64)
		_mm512_storeu_si512(row + at, _mm512_set1_epi64((s64)v));
	_mm512_mask_storeu_epi8(row + at, _bzhi_u64(~0ull, end - at), _mm512_set1_epi64((s64)v));
}

/* The words between two changes that lie further apart; @spans has a bit for the first of them. */
static __always_inline void t4_fill_spans(u8 *row, const u16 *list, u32 spans, u64 invert)
{
	for (; spans; spans &= spans - 1) {
		const u16 *x = list + _tzcnt_u32(spans);

		t4_set_bytes(row, x[0] / 32 * 4 + 4, x[1] / 32 * 4, ~invert);
	}
}

/* Up to 16 changes, @valid, and one behind them. */
static __always_inline void t4_paint_16(struct t4_painter *p, const u16 *list, __mmask16 valid)
{
	const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7,
						8, 9, 10, 11, 12, 13, 14, 15);
	/* the first change, and each second one from there, turns white to black */
	const __m512i colour = _mm512_xor_si512(_mm512_set1_epi64(0xffffffff),
						_mm512_set1_epi64((s64)p->invert));
	__m512i x = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)list));
	__m512i next = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(list + 1)));
	__m512i k = _mm512_srli_epi32(x, 5), k_next = _mm512_srli_epi32(next, 5);
	u32 last = _mm512_mask_cmpneq_epi32_mask(valid, k, k_next), spans;
	__m512i sum = _mm512_xor_si512(t4_xor_up(t4_turns(x, valid)), p->sum), behind, top;
	u32 word[16], at[16];

	p->sum = _mm512_permutexvar_epi32(_mm512_set1_epi32(15), sum);
	if (unlikely(!last))
		return;
	spans = _mm512_mask_cmpgt_epi32_mask((__mmask16)(last & 0x5555), k_next,
					     _mm512_add_epi32(k, _mm512_set1_epi32(1)));
	behind = _mm512_maskz_compress_epi32((__mmask16)last, _mm512_xor_si512(sum, colour));
	sum = _mm512_maskz_compress_epi32((__mmask16)last, sum);
	sum = _mm512_xor_si512(sum, _mm512_alignr_epi32(behind, p->before, 15));
	k = _mm512_maskz_compress_epi32((__mmask16)last, k);

	/* the lanes behind the last word repeat it: as many stores whatever their number */
	top = _mm512_set1_epi32(_mm_popcnt_u32(last) - 1);
	p->before = _mm512_permutexvar_epi32(top, behind);
	_mm512_storeu_si512(word, _mm512_permutexvar_epi32(_mm512_min_epu32(lanes, top), sum));
	_mm512_storeu_si512(at, _mm512_permutexvar_epi32(_mm512_min_epu32(lanes, top), k));
	t4_store_words(p->row, at, word, 8);
	if (_mm_popcnt_u32(last) > 8)
		t4_store_words(p->row, at + 8, word + 8, 8);
	if (unlikely(spans))
		t4_fill_spans(p->row, list, spans, p->invert);
}

/* The pixels behind the last whole word; their first is black if @black. Pad bits are white. */
static inline void t4_fill_edge(const u16 *list, const u16 *end, bool black, u32 width, u64 invert,
				u8 *row)
{
	u64 edge = black ? ~0ull : 0;

	for (; list < end; list++)
		edge ^= ~0ull << 32 >> (*list & 31);
	edge &= ~0ull << (64 - width % 32);
	t4_store_tail(row, edge ^ invert, (width % 32 + 7) / 8);
}

/*
 * The inverse of t4_find_changes(): paints a row, of @n changes and the width
 * behind them. Its pad bits become white.
 */
static inline void t4_fill_row(const u16 *list, u32 n, u32 width, u64 invert, u8 *row)
{
	struct t4_painter p = {
		.row = row, .invert = invert, .sum = _mm512_setzero_si512(),
		.before = _mm512_set1_epi64((s64)invert),
	};
	u32 words = width / 32, m = n, i;

	t4_set_bytes(row, 0, (width + 7) / 8, invert);
	while (m && list[m - 1] >= words * 32)
		m--;
	for (i = 0; i < m; i += 16)
		t4_paint_16(&p, list + i, (__mmask16)_bzhi_u32(0xffff, m - i < 16 ? m - i : 16));
	if (width % 32 && n && (m < n || m & 1))
		t4_fill_edge(list + m, list + n, m & 1, width, invert, row + 4 * (size_t)words);
}

#endif
