/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The primitives with AVX2, BMI and BMI2. */
#ifndef T4_LINE_AVX2_H
#define T4_LINE_AVX2_H

#include <assert.h>
#include <immintrin.h>
#include "../t4_line.h"
#include "t4_match_avx2.h"
#include "t4_paint_avx2.h"
#include "t4_same_row.h"
#include "../t4_lanes.h"

#define T4_BLOCK	32u	/* bytes of a row that are looked at together */

static __always_inline u16 *t4_emit_byte(u8 byte, __m128i base, u16 *out)
{
	__m128i places = _mm_cvtepu8_epi16(_mm_loadl_epi64((const void *)t4_byte_places[byte]));

	_mm_storeu_si128((void *)out, _mm_add_epi16(places, base));
	return out + t4_byte_count[byte];
}

/* The changes of the block from byte @at on: where pixels differ from the one before each. */
static __always_inline __m256i t4_changes_at(const u8 *row, u32 at, u64 invert)
{
	const __m256i top = _mm256_set1_epi8((char)0x80), white = _mm256_set1_epi64x((s64)invert);
	__m256i v = _mm256_loadu_si256((const void *)(row + at)), before;

	v = _mm256_xor_si256(v, white);
	if (at) {
		before = _mm256_loadu_si256((const void *)(row + at - 1));
		before = _mm256_xor_si256(before, white);
	} else {
		before = _mm256_alignr_epi8(v, _mm256_permute2x128_si256(v, v, 0x08), 15);
	}
	/* the last bit of the byte before included */
	before = _mm256_and_si256(_mm256_slli_epi16(before, 7), top);
	before = _mm256_or_si256(before, _mm256_andnot_si256(top, _mm256_srli_epi16(v, 1)));
	return _mm256_xor_si256(v, before);
}

/*
 * Lists those bytes of the block from byte @at on that have changes and are not yet
 * @known. Four times eight of them, whatever there is: few branches to guess.
 */
static __always_inline u16 *t4_note_block(struct t4_places *p, u32 at, __m256i changes,
					  __m256i known, u16 *out)
{
	const __m128i half = _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0,
					   15, 14, 13, 12, 11, 10, 9, 8);
	const __m256i turn = _mm256_broadcastsi128_si256(half);
	__m256i none = _mm256_cmpeq_epi8(changes, _mm256_setzero_si256());
	__m128i x = _mm_set1_epi16((s16)(8 * at)), bytes;
	u32 some, i;

	none = _mm256_or_si256(none, known);
	some = ~(u32)_mm256_movemask_epi8(_mm256_shuffle_epi8(none, turn));
	if (!some)
		return out;
	_mm256_storeu_si256((void *)(p->changes + at), changes);
	for (i = 0; i < 4; i++, some >>= 8) {
		bytes = _mm_loadl_epi64((const void *)t4_byte_places[some & 0xff]);
		bytes = _mm_slli_epi16(_mm_cvtepu8_epi16(bytes), 3);
		_mm_storeu_si128((void *)out, _mm_add_epi16(bytes, x));
		out += t4_byte_count[some & 0xff];
		x = _mm_add_epi16(x, _mm_set1_epi16(64));
	}
	return out;
}

/*
 * Lists the bytes with changes of a row of a block or more; returns their number.
 * The last block ends with the row, and begins within the one before.
 */
static __always_inline u32 t4_changing_bytes(const u8 *row, u32 width, u64 invert,
					     struct t4_places *p)
{
	const __m256i count = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
					       15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
					       28, 29, 30, 31);
	const char pad = (char)(0xff00 >> (((width - 1) & 7) + 1));
	u32 last = (width + 7) / 8 - T4_BLOCK, at;
	__m256i changes, known;
	u16 *out = p->x;

	for (at = 0; at < last; at += T4_BLOCK)
		out = t4_note_block(p, at, t4_changes_at(row, at, invert),
				    _mm256_setzero_si256(), out);
	changes = _mm256_and_si256(t4_changes_at(row, last, invert),
				   _mm256_insert_epi8(_mm256_set1_epi8(-1), pad, 31));
	known = _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(at - last)), count);
	return (u32)(t4_note_block(p, last, changes, known, out) - p->x);
}

/* The same for narrower rows. */
static inline u32 t4_changing_bytes_few(const u8 *row, u32 width, u64 invert, struct t4_places *p)
{
	u32 x, bits, n = 0;
	u64 before = 0, word;

	for (x = 0; x < width; x += 8) {
		bits = width - x < 8 ? width - x : 8;
		word = (row[x / 8] ^ invert) & 0xff;
		p->changes[x / 8] = (u8)((word ^ (word >> 1 | before << 7)) & 0xff00 >> bits);
		before = word & 1;
		p->x[n] = (u16)x;
		n += !!p->changes[x / 8];
	}
	return n;
}

/*
 * The places of changing bytes are read while the list of changes is written. A
 * processor that finds the same lowest 12 bits in both addresses may take the one
 * for the other and wait; whether it does depends on where the pages lie in
 * memory, and costs a quarter of the speed. So they keep apart in these bits.
 */
#define T4_PAGE	4096u
#define T4_DISTANCE(list, places) \
	(offsetof(struct t4_encoder, places) - offsetof(struct t4_encoder, list))
#define T4_APART(list, places) \
	((u32)(T4_DISTANCE(list, places) % T4_PAGE) - T4_PAGE / 8 <= T4_PAGE * 3 / 4)
static_assert(T4_APART(list[0], places.x) && T4_APART(list[1], places.x), "bytes with changes");
static_assert(T4_APART(list[0], places.changes) && T4_APART(list[1], places.changes), "changes");

/*
 * Lists where the pixels of @row change, as seen from the white one before it:
 * e->n places in the list e->cur. @invert is ~0 where white is 1.
 */
static inline void t4_find_changes(struct t4_encoder *e, const u8 *row, u64 invert)
{
	u16 *list = t4_list_of(e, e->cur), *out = list;
	struct t4_places *p = &e->places;
	u32 width = e->p.width, n, i;

	if (likely(width > 8 * (T4_BLOCK - 1)))
		n = t4_changing_bytes(row, width, invert, p);
	else
		n = t4_changing_bytes_few(row, width, invert, p);
	for (i = 0; i < n; i++)
		out = t4_emit_byte(p->changes[p->x[i] / 8], _mm_set1_epi16((s16)p->x[i]), out);
	e->n = (u32)(out - list);
	t4_end_list(list, e->n, width);
}

#include "../t4_code_line.h"

#endif
