/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From a row of pixels to its list of changing elements, in two steps: the words
 * in which there are changes, then the places of these. The variant has defined
 *   t4_changing_blocks()  the first step, for all but the last words of the row
 *   t4_emit_word()        the second step, for a word
 */
#ifndef T4_LINE_LIST_H
#define T4_LINE_LIST_H

#include "t4_line.h"

static inline u32 t4_changing_words(const u8 *row, u32 width, u64 invert, struct t4_words *w)
{
	u32 blocks = width / (T4_BLOCK * 64), x = blocks * T4_BLOCK * 64, n;
	u64 before, word;

	n = t4_changing_blocks(row, blocks, invert, &before, w);
	for (; x + 64 <= width; x += 64) {
		word = t4_load(row + x / 8) ^ invert;
		n = t4_note_word(w, n, t4_changes_in(word, before), x);
		before = word & 1;
	}
	if (x < width) {
		word = t4_load_end(row, x / 8, width - x) ^ invert;
		n = t4_note_word(w, n, t4_changes_in(word, before) & ~0ull << (64 - (width - x)),
				 x);
	}
	return n;
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

	for (i = 0; i < words; i++)
		out = t4_emit_word(w->changes[i], w->x[i], out);
	t4_end_list(list, (u32)(out - list), width);
	return (u32)(out - list);
}

#endif
