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

static __always_inline bool t4_same_row(const u8 *row, const u8 *above, size_t len)
{
	return !memcmp(row, above, len);
}

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
 * Lists where the pixels of @row change, as seen from the white one before it:
 * e->n places in the list e->cur. @invert is ~0 where white is 1.
 */
static inline void t4_find_changes(struct t4_encoder *e, const u8 *row, u64 invert)
{
	u32 words = t4_changing_words(row, e->p.width, invert, &e->words), i;
	u16 *list = t4_list_of(e, e->cur), *out = list;

	for (i = 0; i < words; i++)
		out = t4_emit_word(e->words.changes[i], e->words.x[i], out);
	e->n = (u32)(out - list);
	t4_end_list(list, e->n, e->p.width);
}

#endif
