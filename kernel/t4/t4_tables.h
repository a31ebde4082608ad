/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The code tables of T.4 (2, 3a, 3b, 4) in the shapes that the coder wants them in. */
#ifndef T4_TABLES_H
#define T4_TABLES_H

#include "t4_port.h"

#define T4_RUN_CODES	2624u	/* runs that need at most one make-up code */
#define T4_WHITE_BITS	12	/* the longest white code */
#define T4_BLACK_BITS	13	/* the longest black code */

/* Make-up and terminating code in one: value << 5 | length; by colour (1 = black) and run. */
extern const u32 t4_run_code[2][T4_RUN_CODES];

/* Vertical modes by a1 - b1 + 3: value << 4 | length. */
extern const u8 t4_vertical_code[7];

/*
 * Two vertical modes in one: value << 5 | length; by a1 - b1 + 3 of the first
 * plus 8 times that of the second, 7 standing for none.
 */
extern const u32 t4_vertical_pair[64];

#ifndef __KERNEL__
/* As t4_vertical_pair, four of them. */
extern const u32 t4_vertical_quad[4096];
#endif

/* One mode code by the bits that lie ahead: mode << 4 | length, 0 where none begins so. */
#define T4_MODE_BITS	7
#define T4_MODE_VERTICAL 3u	/* V0; three on either side of it VL and VR */
#define T4_MODE_PASS	7u
#define T4_MODE_HORIZONTAL 8u
extern const u8 t4_mode[1 << T4_MODE_BITS];

/*
 * Two-dimensional lines are read by a machine that looks at T4_LOOK_BITS at a
 * time. What it finds there are vertical modes, then pass modes, then a horizontal
 * one, or the runs of a horizontal mode: up to four positions, of which some go
 * to the list and the last one is the new a0, and where the machine goes on. One
 * entry has room for either, so that no branch need ask what it was.
 */
#define T4_LOOK_BITS	9
enum t4_look_state {
	/* a mode; the colour of the next run, 1 = black, is added to this and to the next two */
	T4_LOOK_MODES,
	/* the first run of a horizontal mode, or what is left of it */
	T4_LOOK_FIRST = 2,
	/* the second one */
	T4_LOOK_SECOND = 4,
	/* as these, black, behind T4_LONG_ZEROS, with which long codes begin */
	T4_LOOK_LONG_FIRST = 6,
	T4_LOOK_LONG_SECOND,
	T4_LOOK_STATES,
};

#define T4_LOOKS	(T4_LOOK_STATES << T4_LOOK_BITS)

struct t4_look {
	u16 state;	/* the next one, times the entries of each */
	u8 bits;	/* taken; 0 = none of this, and a position that fails the check */
	u8 list;	/* bytes by which the list grows */
	u8 ref;		/* bytes to the new b1 */
	u8 last;	/* shift that brings the last position to the top */
	s8 relative;	/* -1: positions relative to b1 and those behind it, 0: to a0 each */
};

extern const struct t4_looks {
	struct t4_look look[T4_LOOKS];
	u64 deltas[T4_LOOKS];	/* positions in lanes of 16 bits, less what they are relative to */
} t4_looks;

#define T4_LONG_ZEROS	4	/* taken on the way to T4_LOOK_LONG_FIRST and _SECOND */

/* Where each of the vertical modes ends, a byte for each, the first one's lowest. */
extern const u32 t4_vertical_ends[1 << T4_LOOK_BITS];

/*
 * Up to two runs by the bits that lie ahead, and above them the colour of the
 * first one: bits taken, length of the first run, of both, the colour that comes
 * next and their number. 0 of them: make-up codes only, the lengths count all
 * the same. T4_PAIR_OTHER: nothing of that kind, or runs of no length, or too
 * long for the table.
 */
#define T4_PAIR_BITS	12
#define T4_PAIR_FIRST(e) ((e) >> 6 & 0x3ff)
#define T4_PAIR_TOTAL(e) ((e) >> 16 & 0x3ff)
#define T4_PAIR_COLOUR(e) ((e) >> (28 - T4_PAIR_BITS) & (1u << T4_PAIR_BITS))
#define T4_PAIR_COUNT(e) ((e) >> 30)
#define T4_PAIR_OTHER	(1u << 26)
extern const u32 t4_run_pair[2 << T4_PAIR_BITS];

/*
 * One run code by the bits that lie ahead: run << 4 | length, 0 where no code
 * begins so. Runs below 64 are terminating codes, the others make-up codes.
 */
extern const u16 t4_white_run[1 << T4_WHITE_BITS];
extern const u16 t4_black_run[1 << T4_BLACK_BITS];

/* The places of the ones in a byte, from its top bit on, and their number. */
struct t4_byte_ones {
	u16 place[8];
};

extern const struct t4_byte_ones t4_byte_ones[256];
extern const u8 t4_byte_count[256];

#endif
