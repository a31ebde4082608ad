/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Between rows of pixels and lists of changing elements: what all variants share. */
#ifndef T4_LINE_H
#define T4_LINE_H

#include "t4_bits.h"
#include "t4_tables.h"

/* Code that vertical modes matched together leave to be put with the mode that follows. */
#define T4_MATCH_BITS	(T4_PUT_MAX - 7)

#define T4_LANE_TOP	0x8000800080008000ull
#define T4_LANE_ONE	0x0001000100010001ull

/* The lists of an encoder have changing elements behind their guard. */
static inline u16 *t4_list_of(struct t4_encoder *e, u32 i)
{
	return e->list[i] + T4_LIST_HEAD;
}

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

/* Makes the pixels of a byte black whose bits are set. */
static inline void t4_blacken_byte(u8 *byte, u32 bits, u64 invert)
{
	*byte = (u8)(((*byte ^ invert) | bits) ^ invert);
}

/* The pixels from @x to @end become black, however many they are. */
static inline void t4_blacken(u8 *row, u32 x, u32 end, u64 invert)
{
	u32 first = 0xff >> (x & 7), last = 0xff00 >> (end & 7) & 0xff;

	if (x / 8 == end / 8) {
		t4_blacken_byte(row + x / 8, first & last, invert);
		return;
	}
	t4_blacken_byte(row + x / 8, first, invert);
	memset(row + x / 8 + 1, (int)(~invert & 0xff), end / 8 - x / 8 - 1);
	if (last)
		t4_blacken_byte(row + end / 8, last, invert);
}

#endif
