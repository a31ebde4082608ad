/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Between rows of pixels and lists of changing elements: what all variants share. */
#ifndef T4_LINE_H
#define T4_LINE_H

#include "t4_bits.h"
#include "t4_tables.h"

#define T4_LANE_TOP	0x8000800080008000ull
#define T4_LANE_ONE	0x0001000100010001ull

/* Marks the end of @list with the width, T4_LIST_TAIL times. */
static inline void t4_end_list(u16 *list, u32 n, u32 width)
{
	u64 four = width * T4_LANE_ONE;
	u32 i;

	for (i = 0; i < T4_LIST_TAIL; i += 4)
		memcpy(list + n + i, &four, sizeof(four));
}

/* The last @bits pixels of a row, which begin in byte @at, on top of a word. */
static inline u64 t4_load_end(const u8 *row, u32 at, u32 bits)
{
	u32 bytes = (bits + 7) / 8;
	u64 v = at ? t4_load(row + at + bytes - 8) << (64 - 8 * bytes) :
		     t4_load_tail(row, bytes);

	return v & ~0ull << (64 - bits);
}

/* Takes note of a word if anything changes within it, without asking whether it does. */
static __always_inline u32 t4_note_word(struct t4_words *w, u32 n, u64 changes, u32 x)
{
	t4_store(w->changes[n], changes);
	w->x[n] = (u16)x;
	return n + !!changes;
}

/* Bit 63 of the result is the first pixel of the word; @before is the pixel before it. */
static __always_inline u64 t4_changes_in(u64 word, u64 before)
{
	return word ^ (word >> 1 | before << 63);
}

/* Whole words of the row, from @k to before @end, become black. */
static inline void t4_blacken_words(u8 *row, size_t k, size_t end, u64 invert)
{
	for (; k < end; k++)
		t4_store(row + 8 * k, ~invert);
}

/*
 * Black runs that end in whole words; @black is what the first of these words
 * holds already. Nearly all of them begin where the one before them ended, or in
 * a word of their own, and no branch asks which.
 */
static __always_inline u64 t4_fill_runs(const u16 *list, const u16 *end, u64 invert, u8 *row,
					size_t *at)
{
	size_t k = 0, x0, x1, k0, k1;
	u64 black = 0;

	for (; list < end; list += 2) {
		x0 = list[0];
		x1 = list[1];
		k0 = x0 / 64;
		k1 = x1 / 64;
		/* 0 - 1 >> 63 is all ones: kept where the word is the same */
		black &= (u64)((s64)(k0 - k - 1) >> 63);
		black |= ~0ull >> (x0 & 63);
		t4_store(row + 8 * k0, black ^ invert);
		/* and all ones where it is another one */
		black |= (u64)((s64)(k0 - k1) >> 63);
		black &= ~(~0ull >> (x1 & 63));
		t4_store(row + 8 * k1, black ^ invert);
		if (unlikely(k1 > k0 + 1))
			t4_blacken_words(row, k0 + 1, k1, invert);
		k = k1;
	}
	*at = k;
	return black;
}

/* The inverse: paints a row. Its pad bits become white. Behind @n changes stands the width. */
static inline void t4_fill_row(const u16 *list, u32 n, u32 width, u64 invert, u8 *row)
{
	u32 words = width / 64, m = n & ~1u;
	size_t k;
	u64 black, edge = 0;

	memset(row, (int)(invert & 0xff), (width + 7) / 8);
	/* the runs that reach beyond the whole words */
	while (m && list[m - 1] >= words * 64)
		m -= 2;
	black = t4_fill_runs(list, list + m, invert, row, &k);
	for (; m < n; m += 2) {
		if (list[m] < words * 64) {
			if (list[m] >> 6 != k)
				black = 0;
			k = list[m] >> 6;
			t4_store(row + 8 * k, (black | ~0ull >> (list[m] & 63)) ^ invert);
			t4_blacken_words(row, k + 1, words, invert);
			edge = ~0ull;
		} else {
			edge |= ~0ull >> (list[m] & 63);
		}
		/* the pad bits are white, too */
		if (width % 64)
			edge &= ~(~0ull >> (list[m + 1] & 63));
	}
	if (width % 64)
		t4_store_tail(row + 8 * (size_t)words, edge ^ invert, (width % 64 + 7) / 8);
}

#endif
