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

#ifndef T4_OWN_FILL_ROW
/* Whole words of the row, from @k to before @end, become black. */
static inline void t4_blacken_words(u8 *row, size_t k, size_t end, u64 invert)
{
	for (; k < end; k++)
		t4_store(row + 8 * k, ~invert);
}

/* Makes a row white. */
static __always_inline void t4_whiten(u8 *row, size_t len, u64 white)
{
	size_t i;

	if (unlikely(len < sizeof(white))) {
		memset(row, (int)(white & 0xff), len);
		return;
	}
	for (i = 0; i + 4 * sizeof(white) <= len; i += 4 * sizeof(white)) {
		memcpy(row + i, &white, sizeof(white));
		memcpy(row + i + 8, &white, sizeof(white));
		memcpy(row + i + 16, &white, sizeof(white));
		memcpy(row + i + 24, &white, sizeof(white));
	}
	for (; i + sizeof(white) <= len; i += sizeof(white))
		memcpy(row + i, &white, sizeof(white));
	memcpy(row + len - sizeof(white), &white, sizeof(white));
}

/* The word at hand of the row that is being painted; @v as it lies in memory. */
struct t4_brush {
	u8 *row;
	size_t k;
	u64 v;
};

/*
 * The colour changes at @x, and was @before up to there. The word is stored with
 * each change, so that no branch asks whether it was the last one.
 */
static __always_inline void t4_stroke(struct t4_brush *b, u32 x, u64 before)
{
	u64 suffix;

	memcpy(&suffix, t4_suffix[x & 63], sizeof(suffix));
	b->v = (x / 64 == b->k ? b->v : before) ^ suffix;
	b->k = x / 64;
	memcpy(b->row + 8 * b->k, &b->v, sizeof(b->v));
}

/* Black runs that end in whole words. */
static __always_inline void t4_fill_runs(const u16 *list, const u16 *end, u64 invert,
					 struct t4_brush *b)
{
	size_t from;

	for (; list < end; list += 2) {
		t4_stroke(b, list[0], invert);
		from = b->k + 1;
		t4_stroke(b, list[1], ~invert);
		if (unlikely(b->k > from))
			t4_blacken_words(b->row, from, b->k, invert);
	}
}

/*
 * The inverse of t4_find_changes(): paints a row, of @n changes and the width
 * behind them. Its pad bits become white.
 */
static inline void t4_fill_row(const u16 *list, u32 n, u32 width, u64 invert, u8 *row)
{
	u32 words = width / 64, m = n & ~1u;
	struct t4_brush b = { .row = row, .v = invert };
	u64 edge = 0;

	t4_whiten(row, (width + 7) / 8, invert);
	/* the runs that reach beyond the whole words */
	while (m && list[m - 1] >= words * 64)
		m -= 2;
	t4_fill_runs(list, list + m, invert, &b);
	for (; m < n; m += 2) {
		if (list[m] < words * 64) {
			t4_stroke(&b, list[m], invert);
			t4_blacken_words(row, b.k + 1, words, invert);
			edge = ~0ull;
		} else {
			edge |= ~0ull >> (list[m] & 63);
		}
		/* the pad bits are white, too */
		if (width % 64)
			edge &= ~(~0ull >> (list[m + 1] & 63));
	}
	if (width % 64 && edge)
		t4_store_tail(row + 8 * (size_t)words, edge ^ invert, (width % 64 + 7) / 8);
}
#endif

#endif
