// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Encoder for T.4 (MH, MR) and T.6 (MMR): see t4.h for the contract. */
#include "t4.h"
#include "t4_bits.h"
#ifndef T4_LINE_HEADER
#define T4_LINE_HEADER	"t4_line_scalar.h"
#endif
#include T4_LINE_HEADER

#define EOL_BITS	12
#define EOL		1u	/* 000000000001 */

size_t t4_row_bound(u32 width)
{
	return T4_ROW_BOUND(width);
}

static bool params_valid(const struct t4_params *p)
{
	return p->width && p->width <= T4_WIDTH_MAX && p->coding <= T4_MMR;
}

int t4_encoder_init(struct t4_encoder *e, const struct t4_params *p)
{
	if (!params_valid(p))
		return -EINVAL;

	e->p = *p;
	e->acc = 0;
	e->nbits = 0;
	e->line = 0;
	e->pend_pos = 0;
	e->pend_len = 0;
	e->cur = 0;
	e->ended = false;
	memset(e->list[0], 0, sizeof(e->list[0][0]) * T4_LIST_HEAD);
	memset(e->list[1], 0, sizeof(e->list[1][0]) * T4_LIST_HEAD);
	e->n = 0;
	/* the first reference line is white */
	t4_end_list(t4_list_of(e, 0), 0, p->width);
#ifndef __KERNEL__
	memset(&e->ranks, 0, offsetof(struct t4_ranks, list[T4_LIST_HEAD]));
#endif
	return 0;
}

/* T.4 4.1.2, 4.2.3; the tag bit of MR says whether the line is one-dimensional. */
static void put_eol(struct t4_encoder *e, struct t4_writer *w, bool one_d)
{
	if ((e->p.flags & T4_F_ALIGN) && w->n != 4)
		t4_put(w, 0, (4 - w->n) & 7);
	t4_put(w, EOL, EOL_BITS);
	if (e->p.coding == T4_MR)
		t4_put(w, one_d, 1);
}

/* @count times V0 */
static void put_v0s(struct t4_writer *w, u32 count)
{
	for (; count > 32; count -= 32)
		t4_put(w, ~0u, 32);
	t4_put(w, ~0u >> (32 - count), count);
}

/* Where a line stands in the output, for rows that are the same. */
struct line_code {
	const u8 *out;
	size_t start, end;	/* in bits from there; end 0 = not known */
};

static size_t bits_written(const struct t4_writer *w, const u8 *out)
{
	return (size_t)(w->p - out) * 8 + w->n;
}

/* Reads up to 7 bytes behind the line: the writer has room for them. */
static void copy_line(struct t4_writer *w, const struct line_code *line)
{
	size_t at = line->start;
	u32 len;

	for (; at < line->end; at += len) {
		len = line->end - at < T4_PUT_MAX ? (u32)(line->end - at) : T4_PUT_MAX;
		t4_put(w, t4_load(line->out + at / 8) << (at & 7) >> (64 - len), len);
	}
}

/* @again: the row is the same as the one above. */
static void encode_row(struct t4_encoder *e, struct t4_writer *w, const u8 *row, bool again,
		       struct line_code *last)
{
	u64 invert = e->p.flags & T4_F_BLACK_IS_0 ? ~0ull : 0;
	bool one_d = e->p.coding == T4_MH || (e->p.coding == T4_MR && !e->line);

	if (!again) {
		e->cur = !e->cur;
		e->ref_n = e->n;
		t4_find_changes(e, row, invert);
	}
	if (e->p.coding == T4_MR || (e->p.coding == T4_MH && (e->p.flags & T4_F_EOL)))
		put_eol(e, w, one_d);
	if (e->p.coding == T4_MH && again && last->end) {
		copy_line(w, last);
	} else if (one_d) {
		last->start = bits_written(w, last->out);
		t4_code_1d(e, w);
		/* bytes that are turned round are of no use later */
		last->end = e->p.flags & T4_F_LSB_FIRST ? 0 : bits_written(w, last->out);
	} else if (again) {
		put_v0s(w, e->n + 1);
	} else {
		t4_code_2d(e, w);
	}
	if (e->p.coding == T4_MH && (e->p.flags & (T4_F_EOL | T4_F_ALIGN)) == T4_F_ALIGN)
		t4_put_align(w);

	if (!e->p.k)
		e->line = 1;
	else if (++e->line >= e->p.k)
		e->line = 0;
}

static void writer_start(const struct t4_encoder *e, struct t4_writer *w, u8 *out)
{
	w->p = out;
	w->acc = e->acc;
	w->n = e->nbits;
}

/* Keeps the odd bits, and turns the bytes from @out on where FillOrder 2 is asked for. */
static size_t writer_stop(struct t4_encoder *e, const struct t4_writer *w, u8 *out)
{
	size_t len = (size_t)(w->p - out), i;

	e->acc = w->acc;
	e->nbits = w->n;
	if (e->p.flags & T4_F_LSB_FIRST) {
		/* up to 7 bytes more: the writer had room for them */
		for (i = 0; i < len; i += 8)
			t4_store(out + i, t4_reverse_bytes(t4_load(out + i)));
	}
	return len;
}

/* Moves what waits in the state to the output; false if some still waits. */
static bool drain(struct t4_encoder *e, u8 *out, size_t out_len, size_t *produced)
{
	size_t len = e->pend_len - e->pend_pos;

	if (len > out_len - *produced)
		len = out_len - *produced;
	if (len)
		memcpy(out + *produced, e->pend + e->pend_pos, len);
	*produced += len;
	e->pend_pos += (u32)len;
	return e->pend_pos == e->pend_len;
}

int t4_encode(struct t4_encoder *e, const void *rows, size_t stride, u32 nrows,
	      u32 *consumed, void *out, size_t out_len, size_t *produced)
{
	size_t bound = T4_ROW_BOUND(e->p.width);
	struct line_code last = { .out = out };
	const u8 *row = rows;
	struct t4_writer w;
	bool again;
	u8 *p;

	*consumed = 0;
	*produced = 0;
	if (e->ended)
		return -EINVAL;
	if (!drain(e, out, out_len, produced))
		return T4_OUT_FULL;

	for (; *consumed < nrows; row += stride, ++*consumed) {
		again = *consumed && t4_same_row(row, row - stride, (e->p.width + 7) / 8);
		if (likely(out_len - *produced >= bound)) {
			p = (u8 *)out + *produced;
			writer_start(e, &w, p);
			encode_row(e, &w, row, again, &last);
			*produced += writer_stop(e, &w, p);
			continue;
		}
		/* it may not fit: by way of the state */
		if (out_len == *produced)
			return T4_OUT_FULL;
		writer_start(e, &w, e->pend);
		last = (struct line_code){ .out = e->pend };
		encode_row(e, &w, row, again, &last);
		last = (struct line_code){ .out = out };
		e->pend_pos = 0;
		e->pend_len = (u32)writer_stop(e, &w, e->pend);
		if (!drain(e, out, out_len, produced)) {
			++*consumed;
			return T4_OUT_FULL;
		}
	}
	return T4_OK;
}

int t4_encode_end(struct t4_encoder *e, void *out, size_t out_len, size_t *produced)
{
	struct t4_writer w;
	u32 i;

	*produced = 0;
	if (!drain(e, out, out_len, produced))
		return T4_OUT_FULL;
	if (e->ended)
		return T4_DONE;

	writer_start(e, &w, e->pend);
	if (e->p.flags & T4_F_END) {
		for (i = 0; i < (e->p.coding == T4_MMR ? T4_EOFB_EOLS : T4_RTC_EOLS); i++) {
			t4_put(&w, EOL, EOL_BITS);
			if (e->p.coding == T4_MR)
				t4_put(&w, 1, 1);
		}
	}
	t4_put_align(&w);
	e->ended = true;
	e->pend_pos = 0;
	e->pend_len = (u32)writer_stop(e, &w, e->pend);
	return drain(e, out, out_len, produced) ? T4_DONE : T4_OUT_FULL;
}
