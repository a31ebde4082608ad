/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The primitives in plain C: what the kernel uses, and user space where no
 * better instructions are at hand.
 */
#ifndef T4_LINE_SCALAR_H
#define T4_LINE_SCALAR_H

#include "t4_line.h"
#include "t4_lanes.h"

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

/* The places of the ones in @byte, from @base on; what is written beyond them does not count. */
static __always_inline u16 *t4_emit_byte(u8 byte, u64 base, u16 *out)
{
	u32 count = t4_byte_count[byte];
	u64 lanes;

	memcpy(&lanes, t4_byte_ones[0][byte], sizeof(lanes));
	lanes += base;
	memcpy(out, &lanes, sizeof(lanes));
	if (unlikely(count > 4)) {
		memcpy(&lanes, t4_byte_ones[1][byte], sizeof(lanes));
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

#include "t4_line_list.h"
#include "t4_code_line.h"

#endif
