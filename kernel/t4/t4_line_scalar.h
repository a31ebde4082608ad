/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Between rows of pixels and lists of changing elements, in plain C: what the
 * kernel uses, and user space where no better instructions are at hand.
 */
#ifndef T4_LINE_SCALAR_H
#define T4_LINE_SCALAR_H

#include "t4_bits.h"

/* Marks the end of @list with the width, T4_LIST_TAIL times. */
static inline void t4_end_list(u16 *list, u32 n, u32 width)
{
	u32 i;

	for (i = 0; i < T4_LIST_TAIL; i++)
		list[n + i] = (u16)width;
}

/* Words without changes are overwritten by the next one: cheaper than to jump over them. */
static inline u32 t4_changing_words(const u8 *row, u32 width, u64 invert, struct t4_words *w)
{
	u64 before = 0, word, changes;
	u32 n = 0, x;

	for (x = 0; x + 64 <= width; x += 64) {
		word = t4_load(row + x / 8) ^ invert;
		changes = word ^ (word >> 1 | before << 63);
		before = word & 1;
		w->changes[n] = changes;
		w->x[n] = (u16)x;
		n += changes != 0;
	}
	if (x < width) {
		word = t4_load_tail(row + x / 8, (width - x + 7) / 8) ^ invert;
		changes = word ^ (word >> 1 | before << 63);
		w->changes[n] = changes & ~0ull << (64 - (width - x));
		w->x[n] = (u16)x;
		n += w->changes[n] != 0;
	}
	return n;
}

/* The first of @changes goes to @out, if there is one. */
static inline u16 *t4_emit_change(u64 *changes, u32 x, u16 *out)
{
	u32 z = t4_clz(*changes | 1);

	*out = (u16)(x + z);
	out += *changes != 0;
	*changes &= ~(T4_TOP_BIT >> z);
	return out;
}

/*
 * Lists where the pixels of @row change, as seen from the white one before it.
 * @invert is ~0 where white is 1. Returns their number.
 */
static inline u32 t4_find_changes(const u8 *row, u32 width, u64 invert, u16 *list,
				  struct t4_words *w)
{
	u32 words = t4_changing_words(row, width, invert, w), i;
	u16 *out = list;
	u64 changes;
	u32 x;

	for (i = 0; i < words; i++) {
		changes = w->changes[i];
		x = w->x[i];
		/* four at a time, whether or not there are as many: few branches to guess */
		do {
			out = t4_emit_change(&changes, x, out);
			out = t4_emit_change(&changes, x, out);
			out = t4_emit_change(&changes, x, out);
			out = t4_emit_change(&changes, x, out);
		} while (changes);
	}
	t4_end_list(list, (u32)(out - list), width);
	return (u32)(out - list);
}

/*
 * The inverse: paints a row. Its pad bits become white. @scratch has room for
 * the row in words.
 */
static inline void t4_fill_row(const u16 *list, u32 n, u32 width, u64 invert, u8 *row,
			       u64 *scratch)
{
	u32 words = width / 64, i;
	u64 colour = invert, word;

	/* each change turns all pixels from its own on: first within its word ... */
	memset(scratch, 0, (words + 1) * sizeof(*scratch));
	for (i = 0; i < n; i++)
		scratch[list[i] >> 6] ^= ~0ull >> (list[i] & 63);
	/* ... then in all words after it */
	for (i = 0; i < words; i++) {
		word = scratch[i] ^ colour;
		colour = 0 - (word & 1);
		t4_store(row + 8 * (size_t)i, word);
	}
	if (width % 64) {
		word = scratch[i] ^ colour;
		if ((word ^ invert) & 1)	/* black up to the edge */
			word ^= ~0ull >> width % 64;
		t4_store_tail(row + 8 * (size_t)i, word, (width % 64 + 7) / 8);
	}
}

/*
 * Four positions at once, in the order in which a list holds them. All are
 * below 1 << 15, so that comparisons stay within their lanes.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define T4_LANES	4u
#define T4_LANE_TOP	0x8000800080008000ull
#define T4_LANE_ONE	0x0001000100010001ull

static inline u64 t4_lanes(const u16 *list)
{
	u64 v;

	memcpy(&v, list, sizeof(v));
	return v;
}

/* The top bit of each lane in which @x < @y, both below 1 << 15. */
static inline u64 t4_lanes_less(u64 x, u64 y)
{
	return ~((x | T4_LANE_TOP) - y) & T4_LANE_TOP;
}

static inline u32 t4_first_lane(u64 tops)
{
	return (u32)__builtin_ctzll(tops) >> 4;
}
#endif

#endif
