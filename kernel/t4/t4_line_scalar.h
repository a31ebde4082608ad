/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Between rows of pixels and lists of changing elements, in plain C: what the
 * kernel uses, and user space where no better instructions are at hand.
 */
#ifndef T4_LINE_SCALAR_H
#define T4_LINE_SCALAR_H

#include "t4_bits.h"
#include "t4_tables.h"

#define T4_LANE_TOP	0x8000800080008000ull
#define T4_LANE_ONE	0x0001000100010001ull

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

#define T4_BLOCK	4	/* words that are looked at together */

/* The words of a row that have changes in them, without those at its end. */
static __always_inline u32 t4_changing_blocks(const u8 *row, u32 blocks, u64 invert, u64 *last,
					      struct t4_words *w)
{
	u64 word[T4_BLOCK], same, before = 0;
	u32 n = 0, x, end = blocks * T4_BLOCK * 64, i;

	for (x = 0; x < end; x += T4_BLOCK * 64) {
		memcpy(word, row + x / 8, sizeof(word));
		same = invert ^ (0 - before);
		if (!((word[0] ^ same) | (word[1] ^ same) | (word[2] ^ same) | (word[3] ^ same)))
			continue;
		for (i = 0; i < T4_BLOCK; i++) {
			u64 v = t4_be64(word[i]) ^ invert;

			n = t4_note_word(w, n, t4_changes_in(v, before), x + 64 * i);
			before = v & 1;
		}
	}
	*last = before;
	return n;
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

/* The places of the ones in @byte, from @base on; what is written beyond them does not count. */
static __always_inline u16 *t4_emit_byte(u8 byte, u64 base, u16 *out)
{
	const struct t4_byte_ones *ones = &t4_byte_ones[byte];
	u32 count = t4_byte_count[byte];
	u64 lanes;

	memcpy(&lanes, ones->place, sizeof(lanes));
	lanes += base;
	memcpy(out, &lanes, sizeof(lanes));
	if (unlikely(count > 4)) {
		memcpy(&lanes, ones->place + 4, sizeof(lanes));
		lanes += base;
		memcpy(out + 4, &lanes, sizeof(lanes));
	}
	return out + count;
}

/* All bytes of a word, whether or not there is anything in them: few branches to guess. */
static __always_inline u16 *t4_emit_word(const u8 *byte, u32 x, u16 *out)
{
	u64 base = x * T4_LANE_ONE;

	out = t4_emit_byte(byte[0], base, out);
	out = t4_emit_byte(byte[1], base + 8 * T4_LANE_ONE, out);
	out = t4_emit_byte(byte[2], base + 16 * T4_LANE_ONE, out);
	out = t4_emit_byte(byte[3], base + 24 * T4_LANE_ONE, out);
	out = t4_emit_byte(byte[4], base + 32 * T4_LANE_ONE, out);
	out = t4_emit_byte(byte[5], base + 40 * T4_LANE_ONE, out);
	out = t4_emit_byte(byte[6], base + 48 * T4_LANE_ONE, out);
	return t4_emit_byte(byte[7], base + 56 * T4_LANE_ONE, out);
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

/* Whole words of the row, from @k to before @end, become black. */
static inline void t4_blacken_words(u8 *row, u32 k, u32 end, u64 invert)
{
	for (; k < end; k++)
		t4_store(row + 8 * (size_t)k, ~invert);
}

/*
 * Black runs that end in whole words; @black is what the first of these words
 * holds already. Nearly all of them begin where the one before them ended, or in
 * a word of their own, and no branch asks which.
 */
static __always_inline u64 t4_fill_runs(const u16 *list, const u16 *end, u64 invert, u8 *row,
					u32 *at)
{
	u64 black = 0;
	u32 k = 0, k0, k1;

	for (; list < end; list += 2) {
		k0 = list[0] >> 6;
		k1 = list[1] >> 6;
		black &= 0 - (u64)(k0 == k);
		black |= ~0ull >> (list[0] & 63);
		t4_store(row + 8 * (size_t)k0, black ^ invert);
		black |= 0 - (u64)(k0 != k1);
		black &= ~(~0ull >> (list[1] & 63));
		t4_store(row + 8 * (size_t)k1, black ^ invert);
		if (unlikely(k1 > k0 + 1))
			t4_blacken_words(row, k0 + 1, k1, invert);
		k = k1;
	}
	*at = k;
	return black;
}

/* The inverse: paints a row. Its pad bits become white. Behind @n changes stands the width. */
static inline void t4_fill_row(const u16 *list, u32 n, u32 width, u64 invert, u8 *row)
{
	u32 words = width / 64, m = n & ~1u, k;
	u64 black, edge = 0;

	memset(row, (int)(invert & 0xff), (width + 7) / 8);
	/* the runs that reach beyond the whole words */
	while (m && list[m - 1] >= words * 64)
		m -= 2;
	black = t4_fill_runs(list, list + m, invert, row, &k);
	for (; m < n; m += 2) {
		if (list[m] < words * 64) {
			if (list[m] >> 6 != k)
				black = 0;
			k = list[m] >> 6;
			t4_store(row + 8 * (size_t)k, (black | ~0ull >> (list[m] & 63)) ^ invert);
			t4_blacken_words(row, k + 1, words, invert);
			edge = ~0ull;
		} else {
			edge |= ~0ull >> (list[m] & 63);
		}
		/* the pad bits are white, too */
		if (width % 64)
			edge &= ~(~0ull >> (list[m + 1] & 63));
	}
	if (width % 64)
		t4_store_tail(row + 8 * (size_t)words, edge ^ invert, (width % 64 + 7) / 8);
}

/*
 * Four positions at once, in the order in which a list holds them. All are
 * below 1 << 15, so that comparisons stay within their lanes.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define T4_LANES	4u

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
 * Vertical modes, several at once: a1 = b1 + delta in each lane, right as long
 * as the next change of the reference line is the next b1. That is, a1 lies
 * left of it, not left of the one before, and right of the a1 before. Returns
 * how many of the lanes that count are right; T4_LANES or more if all are. A
 * lane that is wrong may spoil those behind it, never those before it; the
 * first wrong one holds an a1 all the same.
 */
static __always_inline u32 t4_vertical_lanes(const struct t4_vertical_run *v, const u16 *b,
					     u32 a0, u16 *a)
{
	u64 a1 = t4_lanes(b) + v->deltas, next = a1 + T4_LANE_ONE, fine;
	u64 wrong;

	/* differences on top of each lane's top bit, which survives where there is no borrow */
	fine = (t4_lanes(b + 1) | T4_LANE_TOP) - next;
	fine &= (a1 | T4_LANE_TOP) - t4_lanes(b - 1);
	fine &= (a1 | T4_LANE_TOP) - (next << 16 | (a0 + 1));
	memcpy(a, &a1, sizeof(a1));
	wrong = ((~fine | a1) & T4_LANE_TOP) << v->shift;
	return likely(!wrong) ? T4_LANES : t4_first_lane(wrong >> v->shift);
}
#endif

#endif
