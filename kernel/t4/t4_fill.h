/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From the list of changing elements to the row of pixels. A variant may have
 * defined both of its steps:
 *   t4_whiten()      makes a row white
 *   t4_paint_runs()  black runs, none of which ends in the last eight bytes of the row
 */
#ifndef T4_FILL_H
#define T4_FILL_H

#include "t4_line.h"

#ifndef T4_OWN_PAINT
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

/* Whole words of the row, from @k to before @end, become black. */
static inline void t4_blacken_words(u8 *row, size_t k, size_t end, u64 invert)
{
	for (; k < end; k++)
		t4_store(row + 8 * k, ~invert);
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

static __always_inline void t4_paint_runs(const u16 *list, u32 n, u64 invert, u8 *row)
{
	struct t4_brush b = { .row = row, .v = invert };
	const u16 *end = list + n;
	size_t from;

	for (; list < end; list += 2) {
		t4_stroke(&b, list[0], invert);
		from = b.k + 1;
		t4_stroke(&b, list[1], ~invert);
		if (unlikely(b.k > from))
			t4_blacken_words(row, from, b.k, invert);
	}
}
#endif

/*
 * The inverse of t4_find_changes(): paints a row, of @n changes and the width
 * behind them. Its pad bits become white. A function of its own, so that its
 * callers may be light where a row is nothing but a copy.
 */
static noinline void t4_fill_row(const u16 *list, u32 n, u32 width, u64 invert, u8 *row)
{
	u32 len = (width + 7) / 8, m = n & ~1u;

	t4_whiten(row, len, invert);
	while (m && (list[m - 1] + 7u) / 8 + 8 > len)
		m -= 2;
	t4_paint_runs(list, m, invert, row);
	for (; m < n; m += 2)
		t4_blacken(row, list[m], list[m + 1], invert);
}

#endif
