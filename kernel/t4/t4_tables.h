/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The code tables of T.4 (2, 3a, 3b, 4) in the shapes that the coder wants them in. */
#ifndef T4_TABLES_H
#define T4_TABLES_H

#include "t4_port.h"

#define T4_RUN_CODES	2624u	/* runs that need at most one make-up code */
#define T4_WHITE_BITS	12	/* the longest white code */
#define T4_BLACK_BITS	13	/* the longest black code */

/*
 * Codes to write: value << 6 | length. Make-up and terminating code in one; by
 * colour (1 = black) and run.
 */
extern const u32 t4_run_code[2][T4_RUN_CODES];

/* Vertical modes by a1 - b1 + 3. */
extern const u8 t4_vertical_code[7];

/*
 * Two vertical modes in one, by a1 - b1 + 3 of the first plus 8 times that of
 * the second, 7 standing for none.
 */
extern const u32 t4_vertical_pair[64];

#ifndef __KERNEL__
/* As t4_vertical_pair, four of them. */
extern const u32 t4_vertical_quad[4096];

/*
 * Terminating codes and then make-up codes by a 64th of the run, for look-ups
 * within registers: value << 4 | length; by colour. 0 where there is none.
 */
extern const u16 t4_code_half[2][2][64];
#endif

/* One mode code by the bits that lie ahead: mode << 4 | length, 0 where none begins so. */
#define T4_MODE_BITS	7
#define T4_MODE_VERTICAL 3u	/* V0; three on either side of it VL and VR */
#define T4_MODE_PASS	7u
#define T4_MODE_HORIZONTAL 8u
extern const u8 t4_mode[1 << T4_MODE_BITS];

/*
 * Up to four vertical modes by the bits that lie ahead, and a pass or horizontal
 * mode behind them: what to add to as many positions of 16 bits each, their
 * number, the bits of it all, the event, and a shift that leaves of four such
 * lanes only those that count. t4_vertical_ends says where each of the vertical
 * codes ends, a byte for each, the first one's lowest.
 */
#define T4_VERTICAL_BITS 10
enum t4_event {
	T4_EVENT_NONE,
	T4_EVENT_PASS,
	T4_EVENT_HORIZONTAL,
	T4_EVENT_OTHER,		/* none of the modes, or not within the bits */
};

struct t4_vertical_run {
	u64 deltas;
	u8 count, bits, event, shift;
};

extern const struct t4_vertical_run t4_vertical_run[1 << T4_VERTICAL_BITS];
extern const u32 t4_vertical_ends[1 << T4_VERTICAL_BITS];

/*
 * Up to two runs by the bits that lie ahead, and above them the colour of the
 * first one: from the bottom, bits taken, length of the second run, number of
 * runs, the colour that comes next, length of both. No runs: make-up codes only,
 * the length counts all the same. A length below any that a line takes back:
 * nothing of that kind, or a first run of no length. T4_PAIR_NEXT is where the
 * colour that comes next begins.
 */
#define T4_PAIR_BITS	12
#define T4_PAIR_SECOND(e) ((e) >> 6 & 0x3f)
#define T4_PAIR_COUNT(e) ((e) >> 12 & 3)
#define T4_PAIR_NEXT(e)	((const u32 *)((const u8 *)t4_run_pair + ((e) & 1u << 14)))
#define T4_PAIR_TOTAL(e) ((u32)((s32)(e) >> 16))
extern const u32 t4_run_pair[2 << T4_PAIR_BITS];

/*
 * One run code by the bits that lie ahead: run << 4 | length, 0 where no code
 * begins so. Runs below 64 are terminating codes, the others make-up codes.
 */
extern const u16 t4_white_run[1 << T4_WHITE_BITS];
extern const u16 t4_black_run[1 << T4_BLACK_BITS];

/* The places of the ones in a byte, from its top bit on, the first four and the others. */
extern const u16 t4_byte_ones[2][256][4];
/* Their number. */
extern const u8 t4_byte_count[256];

/* A word as it lies in a row, its pixels from the index on set. */
extern const u8 t4_suffix[64][8];

#ifndef __KERNEL__
/* The places once more, a byte each. */
extern const u8 t4_byte_places[256][8];
#endif

#endif
