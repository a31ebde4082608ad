/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Marks in place of lists. Where vectors make pixels of them, a one-dimensional
 * line needs no list of its changing elements, and its row no strokes.
 */
#ifndef T4_MARKS_H
#define T4_MARKS_H

#include "t4_bits.h"

#define T4_OWN_MARKS

/* Marks @x if @change is 1. */
static __always_inline void t4_mark(u8 *marks, u32 x, u32 change)
{
	marks[x >> 3] ^= (u8)(change << 7 >> (x & 7));
}

static inline void t4_clear_marks(struct t4_marks *m, u32 width)
{
	memset(m->first, 0, width / 8 + 1);
	memset(m->second, 0, width / 8 + 1);
}

#endif
