// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Encoder for T.4 (MH, MR) and T.6 (MMR): see t4.h for the contract. */
#include "t4.h"
#include "t4_bits.h"
#ifndef T4_LINE_HEADER
#define T4_LINE_HEADER	"t4_line_scalar.h"
#endif
#include T4_LINE_HEADER
#include "t4_tables.h"

#define EOL_BITS	12
#define EOL		1u	/* 000000000001 */
#define MAKEUP_2560	0x1fu	/* T.4 table 3b: the longest, repeated for more */
#define MAKEUP_2560_BITS 12

size_t t4_row_bound(u32 width)
{
	return T4_ROW_BOUND(width);
}

static bool params_valid(const struct t4_params *p)
{
	return p->width && p->width <= T4_WIDTH_MAX && p->coding <= T4_MMR;
}

static u16 *encoder_list(struct t4_encoder *e, u32 i)
{
	return e->list[i] + T4_LIST_HEAD;
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
	t4_end_list(encoder_list(e, 0), 0, p->width);
	return 0;
}

static void put_run(struct t4_writer *w, u32 black, u32 run)
{
	u32 code;

	while (unlikely(run >= T4_RUN_CODES)) {
		t4_put(w, MAKEUP_2560, MAKEUP_2560_BITS);
		run -= 2560;
	}
	code = t4_run_code[black][run];
	t4_put(w, code >> 5, code & 31);
}

static __always_inline void add_code(struct t4_code *c, u64 value, u32 len)
{
	c->value = c->value << len | value;
	c->len += len;
}

/* One that has a code of its own. */
static __always_inline void add_run(struct t4_code *c, u32 black, u32 run)
{
	u32 code = t4_run_code[black][run];

	add_code(c, code >> 5, code & 31);
}

/* Two runs, the first of them of colour @black, behind @before. */
static __always_inline void put_two_runs(struct t4_writer *w, struct t4_code before, u32 black,
					 u32 run1, u32 run2)
{
	struct t4_code runs = { 0 };

	if (unlikely(run1 >= T4_RUN_CODES || run2 >= T4_RUN_CODES)) {
		/* by way of a copy: @w itself may then live in registers */
		struct t4_writer copy = *w;

		t4_put(&copy, before.value, before.len);
		put_run(&copy, black, run1);
		put_run(&copy, !black, run2);
		*w = copy;
		return;
	}
	add_run(&runs, black, run1);
	add_run(&runs, !black, run2);
	if (unlikely(before.len + runs.len > T4_PUT_MAX)) {
		t4_put(w, before.value, before.len);
		before = (struct t4_code){ 0 };
	}
	add_code(&before, runs.value, runs.len);
	t4_put(w, before.value, before.len);
}

/* Four runs that all have a code of their own: put together where they fit, as they mostly do. */
static __always_inline void put_four_runs(struct t4_writer *w, const u32 *run)
{
	struct t4_code first = { 0 }, second = { 0 };

	add_run(&first, 0, run[0]);
	add_run(&first, 1, run[1]);
	add_run(&second, 0, run[2]);
	add_run(&second, 1, run[3]);
	if (unlikely(first.len + second.len > T4_PUT_MAX)) {
		t4_put(w, first.value, first.len);
		t4_put(w, second.value, second.len);
		return;
	}
	t4_put(w, first.value << second.len | second.value, first.len + second.len);
}

/* T.4 4.1: white and black runs in turn. @a lists @n changing elements. */
static void encode_1d(struct t4_writer *writer, const u16 *a, u32 n, u32 width)
{
	const struct t4_code none = { 0 };
	struct t4_writer w = *writer;
	u32 a0 = 0, run[4];

	for (; n >= 4; n -= 4, a += 4) {
		run[0] = a[0] - a0;
		run[1] = (u32)a[1] - a[0];
		run[2] = (u32)a[2] - a[1];
		run[3] = (u32)a[3] - a[2];
		a0 = a[3];
		if (likely((run[0] | run[1] | run[2] | run[3]) < T4_RUN_CODES)) {
			put_four_runs(&w, run);
			continue;
		}
		put_two_runs(&w, none, 0, run[0], run[1]);
		put_two_runs(&w, none, 0, run[2], run[3]);
	}
	for (; a[0] < width; a += 2) {
		put_two_runs(&w, none, 0, a[0] - a0, a[1] - a[0]);
		a0 = a[1];
	}
	*writer = w;
	if (a0 < width)
		put_run(writer, 0, width - a0);
}

/*
 * T.4 4.2.1.3.2, T.6 2.2: a[0] is a1, b[0] is b1; a and b keep the parity of
 * their lists in step with the colour of a0.
 */
static void encode_2d(struct t4_writer *writer, const u16 *a, const u16 *b, u32 width)
{
	struct t4_writer w = *writer;
	const u16 *first = a;
	u32 a0 = 0, d, code;

	do {
		struct t4_code c = { 0 };
#ifdef T4_MATCH_LANES
		u32 n = t4_match_verticals(a, b, &c);

		a += n;
		b += n;
		/* a guess that all are: what follows need not wait for their number */
		if (n == T4_MATCH_LANES) {
			t4_put(&w, c.value, c.len);
			continue;
		}
		/* before the first one, a0 lies left of the line: 0 does for it */
		if (a[-1] > a0)
			a0 = a[-1];
#endif
		d = (u32)a[0] - b[0] + 3;
		if (b[1] < a[0]) {
			add_code(&c, 1, 4);	/* pass mode */
			t4_put(&w, c.value, c.len);
			a0 = b[1];
			b += 2;
			continue;
		}
		if (d <= 6) {
			code = t4_vertical_code[d];
			add_code(&c, code >> 4, code & 15);
			t4_put(&w, c.value, c.len);
			a0 = *a++;
			b++;
			if (b[-2] > a0)
				b -= 2;
		} else {
			add_code(&c, 1, 3);	/* horizontal mode */
			put_two_runs(&w, c, (a - first) & 1, a[0] - a0, a[1] - a[0]);
			a0 = a[1];
			a += 2;
		}
		while (b[0] <= a0 && a0 < width)
			b += 2;
	} while (a0 < width);
	*writer = w;
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

/* @again: the row is the same as the one above. */
static void encode_row(struct t4_encoder *e, struct t4_writer *w, const u8 *row, bool again)
{
	u64 invert = e->p.flags & T4_F_BLACK_IS_0 ? ~0ull : 0;
	bool one_d = e->p.coding == T4_MH || (e->p.coding == T4_MR && !e->line);
	u16 *ref, *cur;

	if (!again) {
		e->cur = !e->cur;
		e->n = t4_find_changes(row, e->p.width, invert, encoder_list(e, e->cur), &e->words);
	}
	cur = encoder_list(e, e->cur);
	ref = encoder_list(e, !e->cur);
	if (e->p.coding == T4_MR || (e->p.coding == T4_MH && (e->p.flags & T4_F_EOL)))
		put_eol(e, w, one_d);
	if (one_d)
		encode_1d(w, cur, e->n, e->p.width);
	else if (again)
		put_v0s(w, e->n + 1);
	else
		encode_2d(w, cur, ref, e->p.width);
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
		again = *consumed && !memcmp(row, row - stride, (e->p.width + 7) / 8);
		if (likely(out_len - *produced >= bound)) {
			p = (u8 *)out + *produced;
			writer_start(e, &w, p);
			encode_row(e, &w, row, again);
			*produced += writer_stop(e, &w, p);
			continue;
		}
		/* it may not fit: by way of the state */
		if (out_len == *produced)
			return T4_OUT_FULL;
		writer_start(e, &w, e->pend);
		encode_row(e, &w, row, again);
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
