/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Several positions of a list at once, in plain C. */
#ifndef T4_LANES_H
#define T4_LANES_H

#include "t4_line.h"

/*
 * Four positions at once, in the order in which a list holds them. All are
 * below 1 << 15, so that comparisons stay within their lanes.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define T4_LANES	4u	/* that decode together */

static inline u64 t4_lanes(const u16 *list)
{
	u64 v;

	memcpy(&v, list, sizeof(v));
	return v;
}

/* The top bit of each lane in which @x < @y, both below 1 << 15. */
static inline u64 t4_lanes_less(u64 x, u64 y)
{
	return ~((x | T4_LANE_TOP) - y) & T4_LANE_TOP;
}

static inline u32 t4_first_lane(u64 tops)
{
	return (u32)__builtin_ctzll(tops) >> 4;
}

/*
 * The positions of @look, written to @a, and the last of them. Each one relative
 * to the reference line is right if the next change of that is the next b1. That
 * is, it lies left of this, not left of the one before, and right of the a1
 * before or of @a0. For given modes that asks no more than some distance between
 * the changes of the reference line. The result is true if all are right, but
 * for the last one's not lying left of the next b1: that is for the caller.
 */
static __always_inline bool t4_look_lanes(const struct t4_look *look, const u16 *b, u32 a0,
					  u16 *a, u32 *last)
{
	u64 from = t4_lanes(b), relative = (u64)(s64)look->relative, base = a0 & ~relative;
	u64 a1 = (from & relative) + look->deltas, gaps;

	/* what the next look waits for: a0 goes into it last */
	*last = (u32)((a1 << look->last >> 48) + base);
	/* no more than two are relative to a0 */
	a1 += base | base << 16;
	memcpy(a, &a1, sizeof(a1));
	/* the top bit of each lane tells that its gap suffices */
	gaps = from - t4_lanes(b - 1) + look->gaps;
	return !(~gaps & T4_LANE_TOP) && (u16)a1 > a0;
}

/*
 * Which of the positions at @a, relative to those at @b, is the first that is not
 * right, its not lying left of the next b1 included? One beyond the last may be, or none.
 */
static __always_inline u32 t4_first_wrong(const u16 *a, const u16 *b, u32 a0)
{
	u64 a1 = t4_lanes(a), left, right;

	/* the lane before is the one that it must exceed */
	right = t4_lanes_less(a1, t4_lanes(b + 1)) & t4_lanes_less(a1 << 16 | a0, a1);
	left = t4_lanes_less(a1, t4_lanes(b - 1)) | a1;
	left = (~right | left) & T4_LANE_TOP;
	return left ? t4_first_lane(left) : T4_LANES;
}

/*
 * Vertical modes, several at once: as many lanes as lie within 3 of b1 and have
 * the next change of the reference line for the next b1. That is, a1 lies left
 * of it and not left of the one before. Returns how many, and their code words.
 */
#ifndef T4_MATCH_LANES
#define T4_MATCH_LANES	8u

/* Four of them: the top bits of the lanes that are wrong, and all of their deltas + 3. */
static __always_inline u64 t4_wrong_verticals(const u16 *a, const u16 *b, u64 *delta)
{
	u64 a1 = t4_lanes(a), fine;

	/* each lane with its top bit set, so that no lane borrows from another */
	*delta = ((a1 | T4_LANE_TOP) - t4_lanes(b) + 3 * T4_LANE_ONE) ^ T4_LANE_TOP;
	fine = (t4_lanes(b + 1) | T4_LANE_TOP) - a1 - T4_LANE_ONE;
	fine &= (a1 | T4_LANE_TOP) - t4_lanes(b - 1);
	fine &= (6 * T4_LANE_ONE | T4_LANE_TOP) - (*delta & ~T4_LANE_TOP);
	return (~fine | *delta) & T4_LANE_TOP;
}

/* The codes of the lanes before the first wrong one. */
static __always_inline void t4_add_verticals(struct t4_code *code, u64 delta, u64 wrong)
{
	/* 7, which stands for none, in the lanes from there on */
	delta |= 0 - (wrong >> 15 & (0 - (wrong >> 15)));
	delta &= 7 * T4_LANE_ONE;
	delta |= delta >> 13;
	t4_add_entry(code, t4_vertical_pair[delta & 63]);
	t4_add_entry(code, t4_vertical_pair[delta >> 32 & 63]);
}

static __always_inline u32 t4_match_verticals(const u16 *a, const u16 *b, struct t4_code *code)
{
	u64 delta, more_delta, wrong = t4_wrong_verticals(a, b, &delta), more_wrong;

	t4_add_verticals(code, delta, wrong);
	if (wrong)
		return t4_first_lane(wrong);
	more_wrong = t4_wrong_verticals(a + 4, b + 4, &more_delta);
	t4_add_verticals(code, more_delta, more_wrong);
	return more_wrong ? 4 + t4_first_lane(more_wrong) : T4_MATCH_LANES;
}
#endif
#endif

#endif
