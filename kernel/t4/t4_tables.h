/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The code tables of T.4 (2, 3a, 3b, 4) in the shapes that the coder wants them in. */
#ifndef T4_TABLES_H
#define T4_TABLES_H

#include "t4_port.h"

#define T4_RUN_CODES	2624u	/* runs that need at most one make-up code */
#define T4_WHITE_BITS	12	/* the longest white code */
#define T4_BLACK_BITS	13	/* the longest black code */

/*
 * Codes to write, from the top bit on, and their length in the lowest six. Make-up
 * and terminating code in one; by colour (1 = black) and run.
 */
#define T4_CODE_LEN(entry)	((u32)(entry) & 63)
extern const u64 t4_run_code[2][T4_RUN_CODES];

/* Vertical modes by a1 - b1 + 3: value << 6 | length. */
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
 * Two-dimensional lines are read by a machine that looks at T4_LOOK_BITS at a
 * time. What it finds there are vertical modes, then pass modes, then a horizontal
 * one, or the runs of a horizontal mode and of those that follow: up to four
 * positions, of which some go to the list and the last one is the new a0, and
 * where the machine goes on. One entry has room for either, so that no branch
 * need ask what it was.
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

struct t4_look {
	u64 deltas;	/* the positions less what they are relative to, 16 bits each */
	u64 gaps;	/* lanes, too: see t4_look_lanes() */
	u16 ends;	/* where their codes end, 4 bits each, the first one's lowest */
	u8 list;	/* bytes by which the list grows */
	u8 ref;		/* bytes to the new b1 */
	u8 last;	/* shift that brings the last position to the top */
	s8 relative;	/* -1: positions relative to b1 and those behind it, 0: to a0 each */
	u8 single;	/* 1: there is but one vertical mode, and no pass mode */
};

/*
 * The entries of a state. The next look waits for nothing but the bits that this
 * one takes and the state that it leads to, and most of that is to load them: they
 * lie apart, and the bits are bytes, whose index needs no scale.
 */
struct t4_looks {
	u8 taken[1 << T4_LOOK_BITS];	/* 0 = none of this, and a position that fails the check */
	u32 next[1 << T4_LOOK_BITS];	/* T4_LOOK_NEXT of the state */
	struct t4_look look[1 << T4_LOOK_BITS];
};

/* Bytes to the entries of @state. */
#define T4_LOOK_NEXT(state)	((u32)((state) * sizeof(struct t4_looks)))

extern const struct t4_looks t4_looks[T4_LOOK_STATES];

#define T4_LONG_ZEROS	4	/* taken on the way to T4_LOOK_LONG_FIRST and _SECOND */

/*
 * Up to two runs by the bits that lie ahead, and above them the colour of the
 * first one: from the bottom, bits taken, length of the second run, number of
 * runs, if there are any, length of both. No runs: make-up codes only, the length counts all the
 * same. A length below any that a line takes back: nothing of that kind, or a
 * first run of no length.
 */
#define T4_PAIR_BITS	12
#define T4_PAIR_SECOND(e) ((e) >> 6 & 0x3f)
#define T4_PAIR_COUNT(e) ((e) >> 12 & 3)
#define T4_PAIR_TWO(e)	((e) >> 13 & 1)
#define T4_PAIR_ANY(e)	((e) >> 14 & 1)
#define T4_PAIR_ONE	(1u << 12 | 1u << 14)	/* a run */
#define T4_PAIR_TOTAL(e) ((u32)((s32)(e) >> 16))
extern const u32 t4_run_pair[2 << T4_PAIR_BITS];
/*
 * Of these what the next look waits for: bits taken, and negative where a black
 * run comes next. Bytes, since an index that needs no scale makes for the
 * quickest load, and that is most of the wait.
 */
#define T4_STEP_BITS(step) ((u32)(step) & 0x3f)
extern const s8 t4_pair_step[2 << T4_PAIR_BITS];

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
