/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Painting with vectors: what the variants for x86-64 share.
 *
 * Each black run is stored as a word, the eight bytes from its first one on,
 * from left to right: what a word has behind its run is white as yet. In the first
 * byte there may be pixels of up to three runs before it. So a word is what the
 * ends of four runs turn, each from its place on, and a vector of words takes
 * no branch, but for runs that go beyond their word.
 */
#ifndef T4_PAINT_H
#define T4_PAINT_H

#include <immintrin.h>
#include "../t4_line.h"

#define T4_OWN_PAINT

/* A lane of 64 bits holds the first pixel of a run and above it the one behind the last. */
#define T4_RUN_FIRST	0xffff
#define T4_RUN_END	16		/* shift */
/* In a lane that is relative to its word: the last of those that end within it. */
#define T4_RUN_IN_WORD	(64 << T4_RUN_END | T4_RUN_FIRST)

/* What run @list has beyond its word. Before the words, since some may share its last byte. */
static inline void t4_paint_rest(const u16 *list, u64 invert, u8 *row)
{
	u64 black = ~invert, edge = invert ^ (0xff00u >> (list[1] & 7) & 0xff);
	u8 *p, *end = row + list[1] / 8;

	for (p = row + list[0] / 8 + sizeof(black); p < end; p += sizeof(black))
		memcpy(p, &black, sizeof(black));
	memcpy(end, &edge, sizeof(edge));
}

/* Two words, to the bytes at[0] and at[2]. */
static __always_inline void t4_store_words(__m128i words, const u16 *at, u8 *row)
{
	s64 low = _mm_cvtsi128_si64(words), high = _mm_extract_epi64(words, 1);

	memcpy(row + at[0], &low, sizeof(low));
	memcpy(row + at[2], &high, sizeof(high));
}

#endif
