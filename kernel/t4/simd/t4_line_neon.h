/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The primitives with NEON, on a little-endian machine. */
#ifndef T4_LINE_NEON_H
#define T4_LINE_NEON_H

#include <arm_neon.h>
#include "../t4_line.h"

#define T4_MATCH_LANES	8u

/* Eight lanes of vertical modes; see t4_lanes.h for what they are. */
static __always_inline u32 t4_match_verticals(const u16 *a, const u16 *b, struct t4_code *code)
{
	uint16x8_t a1 = vld1q_u16(a), delta, fine;
	u64 deltas, wrong;
	u32 n, i, pair;

	delta = vaddq_u16(vsubq_u16(a1, vld1q_u16(b)), vdupq_n_u16(3));
	fine = vandq_u16(vcleq_u16(delta, vdupq_n_u16(6)), vcgtq_u16(vld1q_u16(b + 1), a1));
	fine = vandq_u16(fine, vcleq_u16(vld1q_u16(b - 1), a1));
	wrong = ~vget_lane_u64(vreinterpret_u64_u8(vmovn_u16(fine)), 0);
	n = wrong ? (u32)__builtin_ctzll(wrong) >> 3 : T4_MATCH_LANES;

	deltas = vget_lane_u64(vreinterpret_u64_u8(vmovn_u16(delta)), 0);
	/* 7, which stands for none, in the lanes from n on */
	deltas |= n < T4_MATCH_LANES ? ~0ull << (8 * n) : 0;
	for (i = 0; i < 64; i += 16) {
		pair = t4_vertical_pair[(deltas >> i & 7) | (deltas >> (i + 5) & 0x38)];
		t4_add_entry(code, pair);
	}
	return n;
}

#include "../t4_lanes.h"

#define T4_BLOCK	2	/* words that are looked at together */

/* The words of a row that have changes in them, without those at its end. */
static __always_inline u32 t4_changing_blocks(const u8 *row, u32 blocks, u64 invert, u64 *last,
					      struct t4_words *w)
{
	const uint8x16_t turn = vdupq_n_u8((u8)invert);
	uint8x16_t v, before, above = vdupq_n_u8(0);
	u64 word[T4_BLOCK];
	u32 n = 0, i, k;

	for (i = 0; i < blocks; i++) {
		v = veorq_u8(vld1q_u8(row + 16 * i), turn);
		/* each pixel against the one before, the last one of the byte before included */
		before = vorrq_u8(vshrq_n_u8(v, 1), vshlq_n_u8(vextq_u8(above, v, 15), 7));
		above = v;
		vst1q_u8((u8 *)word, veorq_u8(v, before));
		for (k = 0; k < T4_BLOCK; k++) {
			memcpy(w->changes[n], &word[k], sizeof(word[k]));
			w->x[n] = (u16)(128 * i + 64 * k);
			n += !!word[k];
		}
	}
	*last = blocks ? (row[16 * blocks - 1] ^ invert) & 1 : 0;
	return n;
}

static __always_inline u16 *t4_emit_byte(u8 byte, uint16x8_t base, u16 *out)
{
	vst1q_u16(out, vaddq_u16(vmovl_u8(vld1_u8(t4_byte_places[byte])), base));
	return out + t4_byte_count[byte];
}

/* All bytes of a word, whether or not there is anything in them: few branches to guess. */
static __always_inline u16 *t4_emit_word(const u8 *byte, u32 x, u16 *out)
{
	u32 i;

	for (i = 0; i < 8; i++)
		out = t4_emit_byte(byte[i], vdupq_n_u16((u16)(x + 8 * i)), out);
	return out;
}

#include "../t4_line_list.h"
#include "../t4_code_line.h"

#endif
