// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Decoder for T.4 (MH, MR) and T.6 (MMR): see t4.h for the contract.
 *
 * Input may end within any code. Each step therefore takes a whole code or
 * nothing, and all that is known of a line lies in the state, so that the next
 * call goes on at the code where this one stopped.
 */
#include "t4.h"
#include "t4_bits.h"
#ifndef T4_LINE_HEADER
#define T4_LINE_HEADER	"t4_line_scalar.h"
#endif
#include T4_LINE_HEADER
#include "t4_fill.h"
#include "t4_tables.h"

#define EOL_ZEROS	11	/* T.4 4.1.2: no run or mode code has as many */
#define EOL_BITS	12
#define AGAIN_BITS	56	/* a row to be known by its code has no more */
#define CODE_BITS_MAX	13
#define V0S_FEW		8u	/* codes of a row of which several may lie ready */

enum dec_state {
	DEC_START,	/* where a line, an EOL or the end may be */
	DEC_EOL,	/* within an EOL, its fill included */
	DEC_TAG,	/* MR: before the tag bit */
	DEC_LINE,	/* within a line */
	DEC_CHECK,	/* behind a line that an EOL must follow */
	DEC_HUNT,	/* behind damage: looking for an EOL */
	DEC_DONE,
	DEC_STUCK,
};

/* What a step came to. */
enum step {
	STEP_ON,	/* done, the state says what is next */
	STEP_MORE,	/* the input does not suffice */
	STEP_BAD,	/* no valid code, or one that leads out of the line */
};

static u16 *decoder_list(struct t4_decoder *d, u32 i)
{
	return d->list[i] + T4_LIST_HEAD;
}

int t4_decoder_init(struct t4_decoder *d, const struct t4_params *p)
{
	if (!p->width || p->width > T4_WIDTH_MAX || p->coding > T4_MMR)
		return -EINVAL;

	memset(d, 0, offsetof(struct t4_decoder, list));
	d->p = *p;
	d->damage.first_bad_row = ~0u;
	d->past = ~0ull;
	d->eols = p->coding == T4_MR;
	d->line_2d = p->coding == T4_MMR;
	memset(d->list[0], 0, sizeof(d->list[0][0]) * T4_LIST_HEAD);
	memset(d->list[1], 0, sizeof(d->list[1][0]) * T4_LIST_HEAD);
	/* the first reference line is white */
	t4_end_list(decoder_list(d, 1), 0, p->width);
#ifndef __KERNEL__
	memset(d->marks, 0, sizeof(d->marks));
#endif
	return 0;
}

const struct t4_damage *t4_decoder_damage(const struct t4_decoder *d)
{
	return &d->damage;
}

/*
 * Notes that the colour changes at @x. A change where the last one was undoes
 * it: runs of no length leave no changing elements, and the list stays within
 * the width however many of them come.
 */
static inline void add_change(struct t4_decoder *d, u16 *a, u32 x)
{
	if (d->n && a[d->n - 1] == x)
		d->n--;
	else
		a[d->n++] = (u16)x;
}

/* One run of the colour @black, make-up codes included, moves a0. */
static enum step take_run(struct t4_decoder *d, struct t4_reader *r, u32 black)
{
	u32 code, run;

	do {
		t4_refill(r);
		code = black ? t4_black_run[r->acc >> (64 - T4_BLACK_BITS)]
			     : t4_white_run[r->acc >> (64 - T4_WHITE_BITS)];
		if (unlikely((code & 15) > r->n || !code))
			return r->n < CODE_BITS_MAX ? STEP_MORE : STEP_BAD;
		run = code >> 4;
		if (unlikely(d->run + run > d->p.width - d->a0))
			return STEP_BAD;
		t4_skip(r, code & 15);
		d->run += run;
	} while (run >= 64);

	d->a0 += d->run;
	d->run = 0;
	return STEP_ON;
}

/*
 * The quick ways below take what makes up nearly all of a page: whole codes,
 * the input not near its end, runs of some length that stay within the line.
 * They stop before anything else, which the careful ways then deal with code
 * by code.
 */
#define QUICK_INPUT	8	/* bytes that must be left for a refill */

/* Where the next look goes: the halves of two tables for the colour of the next run. */
struct quick_tables {
	const u32 *pair;	/* t4_run_pair */
	const s8 *step;		/* t4_pair_step */
};

static __always_inline struct quick_tables quick_tables(bool black)
{
	return (struct quick_tables){
		.pair = black ? t4_run_pair + (1 << T4_PAIR_BITS) : t4_run_pair,
		.step = black ? t4_pair_step + (1 << T4_PAIR_BITS) : t4_pair_step,
	};
}

/* A one-dimensional line on the quick way. */
struct quick_1d {
	struct t4_reader r;
	u16 *first, *a;		/* changing elements; a is the next one */
	u32 a0;			/* make-up codes of the run at hand included */
	struct quick_tables t;
	u32 width;
};

static __always_inline u32 quick_ahead(const struct quick_1d *q)
{
	return (u32)(q->r.acc >> (64 - T4_PAIR_BITS));
}

/*
 * Up to two runs by one look into the tables, and one branch, at the end of the
 * line. The next look waits for nothing but t4_pair_step.
 */
static __always_inline bool quick_pair(struct quick_1d *q, u32 ahead)
{
	u32 e = q->t.pair[ahead], end = q->a0 + T4_PAIR_TOTAL(e);
	s32 step = q->t.step[ahead];

	q->a[0] = (u16)(end - T4_PAIR_SECOND(e));
	q->a[1] = (u16)end;
	if (unlikely(end >= q->width))
		return false;
	q->a += T4_PAIR_COUNT(e);
	q->a0 = end;
	q->t = quick_tables(step < 0);
	t4_skip(&q->r, T4_STEP_BITS(step));
	return true;
}

/* Pairs up to four times; false at the end of the line, or at something unusual. */
static __always_inline bool quick_pairs(struct quick_1d *q)
{
	u32 ahead = quick_ahead(q);

	/* the first one need not wait for the refill, which left enough the last time */
	t4_refill_quick(&q->r);
	return quick_pair(q, ahead) && quick_pair(q, quick_ahead(q)) &&
	       quick_pair(q, quick_ahead(q)) && quick_pair(q, quick_ahead(q));
}

/* What quick_pair() has written, but not taken: runs that end the line. */
static __always_inline bool quick_last_pair(struct quick_1d *q)
{
	u32 e = q->t.pair[quick_ahead(q)];

	if (q->a0 + T4_PAIR_TOTAL(e) != q->width || !T4_PAIR_COUNT(e))
		return false;
	q->a += T4_PAIR_COUNT(e);
	q->a0 = q->width;
	t4_skip(&q->r, e & 63);
	return true;
}

/* A single code, for what is not in the table; false if it is none for the quick way. */
static __always_inline bool quick_code(struct quick_1d *q)
{
	bool black = q->t.pair != t4_run_pair;
	u32 code = black ? t4_black_run[q->r.acc >> (64 - T4_BLACK_BITS)]
			    : t4_white_run[q->r.acc >> (64 - T4_WHITE_BITS)];
	u32 end = q->a0 + (code >> 4);

	if (!code || end > q->width)
		return false;
	if (code >> 4 < 64) {
		/* only the first run may have no length */
		if (end == q->a[-1] && q->a != q->first)
			return false;
		*q->a++ = (u16)end;
		q->t = quick_tables(!black);
	}
	q->a0 = end;
	t4_skip(&q->r, code & 15);
	return true;
}

static __always_inline void quick_1d(struct t4_decoder *d, struct t4_reader *reader)
{
	struct quick_1d q = {
		.r = *reader, .first = decoder_list(d, d->cur), .a0 = d->a0 + d->run,
		.t = quick_tables(d->n & 1), .width = d->p.width,
	};

	q.a = q.first + d->n;
	t4_refill(&q.r);
	while (q.r.end - q.r.p >= QUICK_INPUT) {
		if (quick_pairs(&q))
			continue;
		if (quick_last_pair(&q) || q.r.end - q.r.p < QUICK_INPUT)
			break;
		t4_refill_quick(&q.r);
		if (!quick_code(&q) || q.a[-1] == q.width)
			break;
	}
	d->n = (u32)(q.a - q.first);
	d->a0 = q.a[-1];
	d->run = q.a0 - d->a0;
	*reader = q.r;
}

#ifdef T4_OWN_MARKS
/* A one-dimensional line that is marked, from its beginning to its end or not at all. */
struct quick_marks {
	struct t4_reader r;
	struct t4_marks *marks;
	struct quick_tables t;
	u32 a0;			/* make-up codes of the run at hand included */
	u32 width;
	u32 last;		/* what the last look found */
};

static __always_inline u32 mark_ahead(const struct quick_marks *q)
{
	return (u32)(q->r.acc >> (64 - T4_PAIR_BITS));
}

/* As quick_pair(): one look, which does nothing at the end of the line. */
static __always_inline bool mark_pair(struct quick_marks *q, u32 ahead)
{
	u32 e = q->t.pair[ahead], end = q->a0 + T4_PAIR_TOTAL(e);
	s32 step = q->t.step[ahead];

	if (unlikely(end >= q->width))
		return false;
	t4_mark(q->marks->first, end - T4_PAIR_SECOND(e), T4_PAIR_TWO(e));
	t4_mark(q->marks->second, end, T4_PAIR_ANY(e));
	q->a0 = end;
	q->last = e;
	q->t = quick_tables(step < 0);
	t4_skip(&q->r, T4_STEP_BITS(step));
	return true;
}

static __always_inline bool mark_pairs(struct quick_marks *q)
{
	u32 ahead = mark_ahead(q);

	t4_refill_quick(&q->r);
	return mark_pair(q, ahead) && mark_pair(q, mark_ahead(q)) &&
	       mark_pair(q, mark_ahead(q)) && mark_pair(q, mark_ahead(q));
}

/* The runs that end the line, which mark_pair() has not taken. */
static __always_inline bool mark_last_pair(struct quick_marks *q)
{
	u32 e = q->t.pair[mark_ahead(q)];

	if (q->a0 + T4_PAIR_TOTAL(e) != q->width || !T4_PAIR_ANY(e))
		return false;
	t4_mark(q->marks->first, q->width - T4_PAIR_SECOND(e), T4_PAIR_TWO(e));
	t4_skip(&q->r, e & 63);
	return true;
}

/* As quick_code(). */
static __always_inline bool mark_code(struct quick_marks *q)
{
	bool black = q->t.pair != t4_run_pair;
	u32 code = black ? t4_black_run[q->r.acc >> (64 - T4_BLACK_BITS)]
			    : t4_white_run[q->r.acc >> (64 - T4_WHITE_BITS)];
	u32 run = code >> 4, end = q->a0 + run;

	/* only the first run may have no length, and what is left of a longer one */
	if (!code || end > q->width || (!run && T4_PAIR_ANY(q->last)))
		return false;
	q->a0 = end;
	q->last = run < 64 ? T4_PAIR_ONE : 0;
	if (run < 64) {
		t4_mark(q->marks->second, end, end < q->width);
		q->t = quick_tables(!black);
	}
	t4_skip(&q->r, code & 15);
	return true;
}

/* Marks a line, up to its end; false if it is none for this way, and nothing is marked. */
static __always_inline bool mark_line(struct t4_reader *reader, struct t4_marks *marks, u32 width)
{
	struct quick_marks q = {
		.r = *reader, .marks = marks, .t = quick_tables(false), .width = width,
	};

	while (likely(q.r.end - q.r.p >= QUICK_INPUT)) {
		if (mark_pairs(&q))
			continue;
		if (!mark_last_pair(&q)) {
			if (q.r.end - q.r.p < QUICK_INPUT)
				break;
			t4_refill_quick(&q.r);
			if (!mark_code(&q))
				break;
			if (q.a0 < width || !T4_PAIR_ANY(q.last))
				continue;
		}
		*reader = q.r;
		return true;
	}
	t4_clear_marks(marks, width);
	return false;
}
#endif

/* T.4 4.1: white and black runs in turn up to the width. */
static enum step decode_1d(struct t4_decoder *d, struct t4_reader *r)
{
	u16 *a = decoder_list(d, d->cur);
	enum step step;

	for (;;) {
		if (d->a0 < d->p.width)
			quick_1d(d, r);
		if (d->a0 >= d->p.width)
			return STEP_ON;
		step = take_run(d, r, d->n & 1);
		if (unlikely(step != STEP_ON))
			return step;
		add_change(d, a, d->a0);
	}
}

/* Bits of the input up to the next code. */
static inline u64 bits_read(const struct t4_reader *r)
{
	return 8 * (u64)(r->p - r->start) - r->n;
}

/* Keeps the @len bits of a line's code if they are few, with the EOL that goes before it. */
static inline void keep_line(struct t4_decoder *d, u64 code, u32 len)
{
	u32 eol = EOL_BITS + (d->p.coding == T4_MR);

	d->again_len = 0;
	if (eol + len + EOL_ZEROS <= AGAIN_BITS) {
		d->again = (d->p.coding == T4_MR ? 3ull : 1ull) << len | code >> (64 - len);
		d->again_len = (u8)(eol + len);
	}
}

/* As above; the code of a whole and short line is kept. */
static enum step decode_1d_again(struct t4_decoder *d, struct t4_reader *r)
{
	bool whole = !d->a0 && !d->run && !d->n;
	u64 acc, start;
	enum step step;

	t4_refill(r);
	acc = r->acc;
	start = bits_read(r);
	d->again_len = 0;
	step = decode_1d(d, r);
	if (step == STEP_ON && whole)
		keep_line(d, acc, (u32)(bits_read(r) - start));
	return step;
}

/* The runs that a horizontal mode code announced. */
static enum step take_horizontal(struct t4_decoder *d, struct t4_reader *r, u16 *a)
{
	enum step step;

	while (d->horiz) {
		step = take_run(d, r, d->n & 1);
		if (unlikely(step != STEP_ON))
			return step;
		add_change(d, a, d->a0);
		d->horiz--;
	}
	return STEP_ON;
}

/* b1: the next change of the reference line behind a0, to the colour that a0 has not. */
static inline void find_b1(struct t4_decoder *d, const u16 *b)
{
	while (b[d->ref] <= d->a0 && d->a0 < d->p.width)
		d->ref += 2;
}

/* a1 lies @delta from b1. */
static enum step take_vertical(struct t4_decoder *d, u16 *a, const u16 *b, s32 delta)
{
	s32 a1 = b[d->ref] + delta;

	if (unlikely(a1 < (s32)d->a0 || a1 > (s32)d->p.width))
		return STEP_BAD;
	d->a0 = (u32)a1;
	add_change(d, a, d->a0);
	/* the other colour's changes; a1 left of b1 may have let one of them be next */
	d->ref++;
	if (d->ref >= 2 && b[d->ref - 2] > d->a0)
		d->ref -= 2;
	find_b1(d, b);
	return STEP_ON;
}

#ifdef T4_LANES
/* The line at hand on the quick way: d's fields of the same names, and pointers for indices. */
struct quick_2d {
	struct t4_reader r;
	const struct t4_looks *looks;	/* of the state that it is in */
	u32 a0;			/* make-up codes of the run at hand included */
	u16 *a;			/* where the next changing element goes */
	const u16 *b;		/* b1 */
};

static __always_inline u32 look_state(const struct quick_2d *q)
{
	return (u32)(q->looks - t4_looks);
}

static __always_inline void enter_look_state(struct quick_2d *q, u32 state)
{
	q->looks = t4_looks + state;
}

static __always_inline u32 look_ahead(const struct quick_2d *q)
{
	return (u32)(q->r.acc >> (64 - T4_LOOK_BITS));
}

static __always_inline void take_look(struct quick_2d *q, u32 ahead, const u16 *b, u32 a0)
{
	q->a = (u16 *)((u8 *)q->a + q->looks->look[ahead].list);
	q->b = b;
	q->a0 = a0;
	t4_skip(&q->r, q->looks->taken[ahead]);
	q->looks = (const struct t4_looks *)((const u8 *)t4_looks + q->looks->next[ahead]);
}

/* One look; false where the line ends, or where it takes a closer one. */
static __always_inline bool quick_look(struct quick_2d *q)
{
	u32 ahead = look_ahead(q), a0;
	const struct t4_look *look = &q->looks->look[ahead];
	const u16 *b = (const u16 *)((const u8 *)q->b + look->ref);

	if (unlikely(!t4_look_lanes(look, q->b, q->a0, q->a, &a0))) {
		/* a single vertical mode, and only the next b1 not as usual: on dense lines */
		if (!look->single || a0 <= q->a0 || a0 >= q->b[-1])
			return false;
		b -= 2;
	}
	/* runs may lead beyond b1, but seldom beyond the next one of its colour */
	if (unlikely(b[0] <= a0)) {
		b += 2;
		if (unlikely(b[0] <= a0))
			return false;
	}
	take_look(q, ahead, b, a0);
	return true;
}

/*
 * Of the vertical modes of @look, @n are as b1 has it, and the next one makes it
 * move otherwise or ends the line. False if it is in no order.
 */
static __always_inline bool quick_last_vertical(struct quick_2d *q, const struct t4_look *look,
						u32 n, const u16 *first, u32 width)
{
	u32 a1 = q->a[n], least = q->a0 + (q->a0 || q->a != first);

	if (n)
		least = q->a[n - 1] + 1u;
	if (unlikely(a1 - least > width - least)) {
		if (!n)
			return false;
		/* it is for the careful way, those before it are not */
		n--;
		a1 = q->a[n];
	}
	t4_skip(&q->r, look->ends >> 4 * n & 15);
	enter_look_state(q, look_state(q) ^ ((n + 1) & 1));
	q->a += n;
	q->b += n + 1;
	q->a0 = a1;
	if (a1 == width)
		return false;
	q->a++;
	if (q->b[-2] > a1)
		q->b -= 2;
	while (q->b[0] <= a1)
		q->b += 2;
	return true;
}

/*
 * The runs of @look reach the end of the line. Takes them up to there, if that is
 * where a horizontal mode ends, else none.
 */
static __always_inline void quick_last_run(struct quick_2d *q, const struct t4_look *look,
					   u32 width)
{
	u32 state = look_state(q), n;

	n = (state & ~1u) != T4_LOOK_SECOND && state != T4_LOOK_LONG_SECOND;
	while (2 * n < look->list && q->a[n] < width)
		n += 2;
	if (2 * n >= look->list || q->a[n] != width)
		return;
	t4_skip(&q->r, look->ends >> 4 * n & 15);
	enter_look_state(q, T4_LOOK_MODES);
	q->a += n + 1;
	q->a0 = width;
}

/* Where quick_look() stopped; false if the line ends here, or the quick way does. */
static __always_inline bool closer_look(struct quick_2d *q, const u16 *first, u32 width)
{
	u32 ahead = look_ahead(q);
	const struct t4_look *look = &q->looks->look[ahead];
	const u16 *b = (const u16 *)((const u8 *)q->b + look->ref);
	u32 n, a0;

	if (q->r.n < T4_LOOK_BITS || !q->looks->taken[ahead])
		return false;
	if (t4_look_lanes(look, q->b, q->a0, q->a, &a0) && b[0] > a0) {
		take_look(q, ahead, b, a0);
		return true;
	}
	if (look->relative) {
		n = t4_first_wrong(q->a, q->b, q->a0);
		return 2 * n < look->list && quick_last_vertical(q, look, n, first, width);
	}
	if (a0 >= width) {
		quick_last_run(q, look, width);
		return false;
	}
	while (b[0] <= a0)
		b += 2;
	take_look(q, ahead, b, a0);
	return true;
}

/* Where the careful way goes on from. */
static __always_inline void leave_quick(struct t4_decoder *d, struct quick_2d *q)
{
	u32 state = look_state(q);

	if (state >= T4_LOOK_LONG_FIRST) {
		/* in front of the code again; without room for that, a byte goes back */
		q->r.acc >>= T4_LONG_ZEROS;
		q->r.n += T4_LONG_ZEROS;
		if (q->r.n > 63) {
			q->r.n -= 8;
			q->r.p--;
		}
		state = state == T4_LOOK_LONG_FIRST ? T4_LOOK_FIRST : T4_LOOK_SECOND;
	}
	d->horiz = state < T4_LOOK_FIRST ? 0 : state < T4_LOOK_SECOND ? 2 : 1;
	d->n = (u32)(q->a - decoder_list(d, d->cur));
	d->ref = (u32)(q->b - decoder_list(d, !d->cur));
	d->a0 = q->a0;
	d->run = 0;
}

/* A function of its own: its speed is a matter of what registers hold. */
static noinline void quick_2d(struct t4_decoder *d, struct t4_reader *r)
{
	const u8 *limit = r->end - QUICK_INPUT;
	const u16 *first = decoder_list(d, d->cur);
	u32 width = d->p.width;
	struct quick_2d q = {
		.r = *r, .a = decoder_list(d, d->cur) + d->n,
		.b = decoder_list(d, !d->cur) + d->ref, .a0 = d->a0 + d->run,
	};

	if (q.a0 >= d->p.width || r->end - r->p < QUICK_INPUT)
		return;
	enter_look_state(&q, (!d->horiz ? T4_LOOK_MODES : d->horiz == 2 ? T4_LOOK_FIRST :
			      T4_LOOK_SECOND) + (d->n & 1));
	do {
		do {
			if (q.r.p > limit)
				break;
			t4_refill_quick(&q.r);
		} while (quick_look(&q) && quick_look(&q) && quick_look(&q) && quick_look(&q));
	} while (closer_look(&q, first, width));
	leave_quick(d, &q);
	*r = q.r;
}
#else
static void quick_2d(struct t4_decoder *d, struct t4_reader *r)
{
}
#endif

/* T.4 4.2.1.3, T.6 2.2 */
static enum step decode_2d(struct t4_decoder *d, struct t4_reader *r)
{
	u16 *a = decoder_list(d, d->cur);
	const u16 *b = decoder_list(d, !d->cur);
	enum step step = STEP_ON;
	u32 code, mode;

	d->again_len = 0;
	for (;;) {
		quick_2d(d, r);
		if (!d->horiz && d->a0 >= d->p.width)
			return STEP_ON;
		if (d->horiz) {
			step = take_horizontal(d, r, a);
			find_b1(d, b);
			if (unlikely(step != STEP_ON))
				return step;
			continue;
		}
		t4_refill(r);
		code = t4_mode[r->acc >> (64 - T4_MODE_BITS)];
		if (unlikely((code & 15) > r->n || !code))
			return r->n < CODE_BITS_MAX ? STEP_MORE : STEP_BAD;
		mode = code >> 4;
		if (mode == T4_MODE_PASS) {
			d->a0 = b[d->ref + 1];
			d->ref += 2;
		} else if (mode == T4_MODE_HORIZONTAL) {
			d->horiz = 2;
		} else {
			step = take_vertical(d, a, b, (s32)mode - (s32)T4_MODE_VERTICAL);
			if (unlikely(step != STEP_ON))
				return step;
		}
		t4_skip(r, code & 15);
	}
}

/* The rows that a call delivers. */
struct rows {
	u8 *next;
	const u8 *newest;	/* the row painted last in this call, if there is one */
	size_t stride;
	u32 left;
	struct t4_marks *marks;	/* of the line at hand, if it has no list */
	struct t4_marks *late;	/* of the row before, which is not yet painted */
	u8 *late_row;
};

static void finish(struct t4_decoder *d, bool end_seen)
{
	if (end_seen)
		d->damage.flags |= T4_D_END_SEEN;
	if (d->damage.rows < d->p.rows)
		d->damage.flags |= T4_D_SHORT;
	d->state = DEC_DONE;
}

/*
 * Marks are read long after they were written, when they are in the cache: what
 * was stored by bytes cannot be loaded at once from the stores under way.
 */
static void paint_late(struct t4_decoder *d, struct rows *out, u64 invert)
{
#ifdef T4_OWN_MARKS
	if (out->late)
		t4_paint_marks(out->late, d->p.width, invert, out->late_row);
	out->late = NULL;
#endif
}

static void paint_marked(struct t4_decoder *d, struct rows *out, u64 invert)
{
	out->late = out->marks;
	out->late_row = out->next;
	out->marks = NULL;
}

/* Paints the reference line once more, or for the first time in this call. */
static void paint(struct t4_decoder *d, struct rows *out, bool again)
{
	u64 invert = d->p.flags & T4_F_BLACK_IS_0 ? ~0ull : 0;

	paint_late(d, out, invert);
	if (out->marks)
		paint_marked(d, out, invert);
	else if (!d->ref_n)
		memset(out->next, (int)(invert & 0xff), (d->p.width + 7) / 8);
	else if (again && out->newest)
		memcpy(out->next, out->newest, (d->p.width + 7) / 8);
	else
		t4_fill_row(decoder_list(d, !d->cur), d->ref_n, d->p.width, invert, out->next);
	out->newest = out->next;
	out->next += out->stride;
	out->left--;
	d->damage.rows++;
}

/* Paints it @n times more; rows without space between them grow by as many as there are. */
static void paint_again(struct t4_decoder *d, struct rows *out, u32 n)
{
	u32 done = 1, more;

	paint(d, out, true);
	if (out->stride != (d->p.width + 7) / 8) {
		while (--n)
			paint(d, out, true);
		return;
	}
	for (; done < n; done += more) {
		more = done < n - done ? done : n - done;
		memcpy(out->next, out->next - more * out->stride, more * out->stride);
		out->next += more * out->stride;
	}
	out->newest = out->next - out->stride;
	out->left -= n - 1;
	d->damage.rows += n - 1;
}

/* Paints the reference line, which is the newest row, and says what comes next. */
static void deliver(struct t4_decoder *d, struct rows *out, enum dec_state next)
{
	paint(d, out, false);
	d->state = next;
	if (d->damage.rows == d->p.rows)
		finish(d, false);
}

/* The line at hand is whole: the next one may refer to it. */
static void end_line(struct t4_decoder *d)
{
	u16 *a = decoder_list(d, d->cur);

	while (d->n && a[d->n - 1] >= d->p.width)
		d->n--;
	t4_end_list(a, d->n, d->p.width);
	d->ref_n = d->n;
	d->cur = !d->cur;
}

static void deliver_good(struct t4_decoder *d, struct rows *out, enum dec_state next)
{
	if (out->marks) {
		d->ref_n = 1;
		d->cur = !d->cur;
	} else {
		end_line(d);
	}
	d->bad_run = 0;
	if (!d->line_2d)
		d->ref_bad = false;
	deliver(d, out, next);
}

/*
 * Zero bits just before where @r stands: an EOL may have begun in what was
 * taken for the end of a run.
 */
static u32 zeros_behind(const struct t4_decoder *d, const struct t4_reader *r)
{
	u32 ahead = r->n / 8, i, z = 0;
	const u8 *p = r->p;
	u64 past = d->past;

	if (ahead > (size_t)(p - r->start))
		ahead = (u32)(p - r->start);
	p -= ahead;
	/* the bytes of this call that lie behind it, up to 8 of them */
	for (i = p - r->start > 8 ? 8 : (u32)(p - r->start); i; i--)
		past = past << 8 | p[-(s32)i];
	if (r->lsb_first)
		past = t4_reverse_bytes(past);
	past >>= r->n - 8 * ahead;
	while (z < EOL_ZEROS && !(past >> z & 1))
		z++;
	return z;
}

/*
 * Rows that are the same as the one above, which is in the reference line: told
 * by the bits that alone can code them, without a look at their changes. @code
 * are @len such bits, followed by @more zeros of the EOL that must come next.
 */
static bool take_again(struct t4_decoder *d, struct t4_reader *r, struct rows *out, u64 code,
		       u32 len, u32 more)
{
	u32 rows = d->damage.rows, shift = 64 - len - more;

	code <<= more;
	/* the last one asked for may end otherwise */
	while (out->left && d->damage.rows + 1 != d->p.rows) {
		if (r->n < len + more) {
			if (r->end - r->p < QUICK_INPUT)
				break;
			t4_refill_quick(r);
		}
		if (r->acc >> shift != code)
			break;
		t4_skip(r, len);
		paint(d, out, true);
	}
	if (rows == d->damage.rows)
		return false;
	d->bad_run = 0;
	return true;
}

/* The same for lines of nothing but @v0s codes V0, as many of them at once as lie ready. */
static bool take_v0_rows(struct t4_decoder *d, struct t4_reader *r, struct rows *out, u32 v0s)
{
	bool any = false;
	u32 n, ones;

	while (out->left && d->damage.rows + 1 != d->p.rows) {
		if (r->end - r->p >= QUICK_INPUT)
			t4_refill_quick(r);
		ones = ~r->acc ? t4_clz(~r->acc) : 63;
		n = (ones < r->n ? ones : r->n) / v0s;
		if (n > out->left)
			n = out->left;
		/* the last one asked for may end otherwise */
		if (n > d->p.rows - 1 - d->damage.rows)
			n = d->p.rows - 1 - d->damage.rows;
		if (!n)
			break;
		t4_skip(r, n * v0s);
		paint_again(d, out, n);
		any = true;
	}
	if (any)
		d->bad_run = 0;
	return any;
}

/* At the beginning of a line, or of the EOL before it; false if there were none. */
static bool take_rows_again(struct t4_decoder *d, struct t4_reader *r, struct rows *out)
{
	u32 v0s = d->ref_n + 1;
	bool more, any = false;

	if (d->p.coding == T4_MMR)
		return v0s <= V0S_FEW ? take_v0_rows(d, r, out, v0s) :
		       v0s <= AGAIN_BITS &&
		       take_again(d, r, out, ~0ull >> (64 - v0s), v0s, 0);
	do {
		more = false;
		if (d->again_len)
			more = take_again(d, r, out, d->again, d->again_len, EOL_ZEROS);
		if (d->p.coding == T4_MR && v0s + EOL_BITS + 1 + EOL_ZEROS <= AGAIN_BITS)
			more |= take_again(d, r, out, 1ull << (v0s + 1) | ~0ull >> (64 - v0s),
					   EOL_BITS + 1 + v0s, EOL_ZEROS);
		any |= more;
	} while (more);
	return any;
}

static void begin_line(struct t4_decoder *d)
{
	d->eol_run = 0;
	d->a0 = 0;
	d->run = 0;
	d->n = 0;
	d->ref = 0;
	d->horiz = 0;
	d->state = DEC_LINE;
}

/* Does the next line seem to be the same as the last one? A few bits may be missing as yet. */
static __always_inline bool seems_again(const struct t4_decoder *d, const struct t4_reader *r)
{
	u64 tagged = r->acc << EOL_BITS;
	u32 v0s = d->ref_n + 1, known = v0s < r->n ? v0s : r->n;

	if (d->p.coding == T4_MMR)
		return v0s <= AGAIN_BITS && (!known || !(~r->acc >> (64 - known)));
	/* two-dimensional, and all V0 */
	if (d->p.coding == T4_MR && !(tagged & T4_TOP_BIT) && v0s < AGAIN_BITS - EOL_BITS &&
	    !(~tagged << 1 >> (64 - v0s)))
		return true;
	return d->again_len && r->acc >> (64 - d->again_len) == d->again;
}

/*
 * The usual way from line to line: an EOL without fill, the tag bit, and no
 * second EOL. False if it is not there, or cannot be seen as yet.
 */
static __always_inline bool quick_next_line(struct t4_decoder *d, struct t4_reader *r,
					    struct rows *out)
{
	u32 len = EOL_BITS + (d->p.coding == T4_MR);
	struct t4_reader ahead;

	if (r->end - r->p < QUICK_INPUT)
		return false;
	t4_refill_quick(r);
	if (r->acc >> (64 - EOL_BITS) != 1 || !(r->acc << len >> (64 - EOL_ZEROS)))
		return false;
	deliver_good(d, out, DEC_START);
	if (seems_again(d, r)) {
		/* a copy, so that the caller's may stay in registers */
		ahead = *r;
		if (take_rows_again(d, &ahead, out)) {
			*r = ahead;
			if (r->end - r->p < QUICK_INPUT)
				return true;
			t4_refill_quick(r);
			if (r->acc >> (64 - EOL_BITS) != 1 ||
			    !(r->acc << len >> (64 - EOL_ZEROS)))
				return true;
		}
	}
	if (d->p.coding == T4_MR)
		d->line_2d = !(r->acc << EOL_BITS & T4_TOP_BIT);
	t4_skip(r, len);
	begin_line(d);
	return true;
}

#ifdef T4_OWN_MARKS
/* A line without list. */
static __always_inline bool quick_marks(struct t4_decoder *d, struct t4_reader *r,
					struct rows *out)
{
	struct t4_marks *marks = &d->marks[d->cur];

	/* no other line refers to it */
	if (d->p.coding != T4_MH || !mark_line(r, marks, d->p.width))
		return false;
	d->a0 = d->p.width;
	out->marks = marks;
	return true;
}

/* Makes up for the list of the reference line, before which @r is: it has only been marked. */
static void list_reference(struct t4_decoder *d, struct t4_reader *r)
{
	u32 n = d->n, a0 = d->a0, run = d->run;

	d->cur = !d->cur;
	d->n = 0;
	d->a0 = 0;
	d->run = 0;
	decode_1d(d, r);
	end_line(d);
	d->n = n;
	d->a0 = a0;
	d->run = run;
}

/* The same for the line at hand. */
static void list_marked(struct t4_decoder *d, struct t4_reader *r, struct rows *out)
{
	t4_clear_marks(out->marks, d->p.width);
	out->marks = NULL;
	d->a0 = 0;
	decode_1d(d, r);
}
#else
static bool quick_marks(struct t4_decoder *d, struct t4_reader *r, struct rows *out)
{
	return false;
}

static void list_reference(struct t4_decoder *d, struct t4_reader *r)
{
}

static void list_marked(struct t4_decoder *d, struct t4_reader *r, struct rows *out)
{
}
#endif

/*
 * One-dimensional lines that an EOL follows. False if one is left unfinished, or
 * finished with something unusual behind it.
 */
static bool quick_lines_1d(struct t4_decoder *d, struct t4_reader *reader, struct rows *out)
{
	struct t4_reader r = *reader, at = r, above = r;
	bool usual, marked = false, above_marked = false;
	u64 acc, start;

	do {
		usual = false;
		if (r.end - r.p < QUICK_INPUT)
			break;
		t4_refill_quick(&r);
		acc = r.acc;
		start = bits_read(&r);
		at = r;
		marked = quick_marks(d, &r, out);
		if (!marked)
			quick_1d(d, &r);
		if (d->a0 < d->p.width)
			break;
		keep_line(d, acc, (u32)(bits_read(&r) - start));
		if (d->damage.rows + 1 == d->p.rows || !quick_next_line(d, &r, out))
			break;
		usual = true;
		above = at;
		above_marked = marked;
		marked = false;
	} while (usual && d->state == DEC_LINE && !d->line_2d && out->left);
	paint_late(d, out, d->p.flags & T4_F_BLACK_IS_0 ? ~0ull : 0);
	if (above_marked)
		list_reference(d, &above);
	if (marked)
		list_marked(d, &at, out);
	*reader = r;
	return usual;
}

/* In place of a damaged row: the one above again, or white; then on from the next EOL. */
static void deliver_bad(struct t4_decoder *d, const struct t4_reader *r, struct rows *out)
{
	if (d->p.flags & T4_F_WHITEN) {
		d->ref_n = 0;
		t4_end_list(decoder_list(d, !d->cur), 0, d->p.width);
	}
	d->ref_bad = true;
	d->bad_run++;
	if (!d->damage.rows_bad)
		d->damage.first_bad_row = d->damage.rows;
	d->damage.rows_bad++;
	if (d->damage.max_bad_run < d->bad_run)
		d->damage.max_bad_run = d->bad_run;
	d->zeros = zeros_behind(d, r);
	deliver(d, out, DEC_HUNT);
}

/* Zero bits ahead; all of r->n if there is no other. */
static inline u32 zeros_ahead(struct t4_reader *r)
{
	u32 z;

	t4_refill(r);
	z = r->acc ? t4_clz(r->acc) : 64;
	return z < r->n ? z : r->n;
}

/* The usual way into a line: an EOL without fill, the tag bit, and no second EOL. */
static bool quick_eol(struct t4_decoder *d, struct t4_reader *r)
{
	u32 len = EOL_BITS + (d->p.coding == T4_MR);

	if (r->n < len + EOL_ZEROS || r->acc >> (64 - EOL_BITS) != 1 ||
	    !(r->acc << len >> (64 - EOL_ZEROS)))
		return false;
	if (d->p.coding == T4_MR)
		d->line_2d = !(r->acc << EOL_BITS & T4_TOP_BIT);
	t4_skip(r, len);
	d->eols = true;
	begin_line(d);
	return true;
}

static enum step start_line(struct t4_decoder *d, struct t4_reader *r)
{
	u32 z = zeros_ahead(r);

	if (z >= EOL_ZEROS) {
		if (d->p.coding == T4_MMR || d->eol_run || !quick_eol(d, r))
			d->state = DEC_EOL;
		return STEP_ON;
	}
	if (z == r->n)
		return STEP_MORE;
	if (d->p.coding == T4_MMR && d->eol_run)
		return STEP_BAD;	/* half an EOFB */
	if (d->p.coding == T4_MR && !d->eol_run) {
		d->zeros = 0;
		d->state = DEC_HUNT;
		return STEP_ON;
	}
	begin_line(d);
	return STEP_ON;
}

static void after_eol(struct t4_decoder *d)
{
	d->state = DEC_START;
	if (d->eol_run >= (d->p.coding == T4_MMR ? T4_EOFB_EOLS : T4_RTC_EOLS))
		finish(d, true);
}

static void eol_met(struct t4_decoder *d)
{
	d->eols = true;
	d->eol_run++;
	if (d->p.coding == T4_MR)
		d->state = DEC_TAG;
	else
		after_eol(d);
}

/* The rest of an EOL: its zeros are known to suffice, any more of them are fill. */
static enum step take_eol(struct t4_decoder *d, struct t4_reader *r)
{
	for (;;) {
		t4_skip(r, zeros_ahead(r));
		if (r->n)
			break;
		if (r->p == r->end)
			return STEP_MORE;
	}
	t4_skip(r, 1);
	eol_met(d);
	return STEP_ON;
}

static enum step take_tag(struct t4_decoder *d, struct t4_reader *r)
{
	t4_refill(r);
	if (!r->n)
		return STEP_MORE;
	d->line_2d = !(r->acc & T4_TOP_BIT);
	t4_skip(r, 1);
	after_eol(d);
	return STEP_ON;
}

/* T.4 4.1.2: an EOL cannot occur within a valid line, so it is where to go on after damage. */
static enum step hunt_eol(struct t4_decoder *d, struct t4_reader *r)
{
	u32 z;

	for (;;) {
		z = zeros_ahead(r);
		t4_skip(r, z);
		d->zeros += z;
		if (d->zeros > EOL_ZEROS)
			d->zeros = EOL_ZEROS;
		if (!r->n) {
			if (r->p == r->end)
				return STEP_MORE;
			continue;
		}
		t4_skip(r, 1);
		if (d->zeros == EOL_ZEROS)
			break;
		d->zeros = 0;
	}
	d->eol_run = 0;
	eol_met(d);
	return STEP_ON;
}

/* A line that is as long as it should be is whole only if nothing but an EOL follows. */
static enum step check_line(struct t4_decoder *d, struct t4_reader *r, struct rows *out)
{
	u32 z = zeros_ahead(r);

	if (z < EOL_ZEROS && z == r->n)
		return STEP_MORE;
	if (z < EOL_ZEROS) {
		deliver_bad(d, r, out);
		return STEP_ON;
	}
	deliver_good(d, out, DEC_START);
	if (z == EOL_ZEROS && d->state == DEC_START)
		take_rows_again(d, r, out);
	return STEP_ON;
}

/* The extension codes with which T.4 4.2.1.3.4 and T.6 2.2.4 enter the uncompressed mode. */
static bool enters_uncompressed(const struct t4_decoder *d, const struct t4_reader *r)
{
	return d->line_2d && !d->horiz ? r->acc >> 54 == 0xf : r->acc >> 52 == 0xf;
}

static enum step take_line(struct t4_decoder *d, struct t4_reader *r, struct rows *out)
{
	enum step step;

	if (d->line_2d && d->ref_bad) {
		deliver_bad(d, r, out);
		return STEP_ON;
	}

	if (!d->line_2d && d->eols && !d->n && !d->run && quick_lines_1d(d, r, out))
		return STEP_ON;
	step = d->line_2d ? decode_2d(d, r) : decode_1d_again(d, r);
	if (step == STEP_BAD && enters_uncompressed(d, r))
		d->damage.flags |= T4_D_UNCOMPRESSED;
	if (step == STEP_BAD && (d->eols || (d->p.flags & T4_F_EOL))) {
		deliver_bad(d, r, out);
		return STEP_ON;
	}
	if (step != STEP_ON)
		return step;

	if (d->eols && d->damage.rows + 1 != d->p.rows) {
		if (!quick_next_line(d, r, out))
			d->state = DEC_CHECK;
		return STEP_ON;
	}
	if (d->p.coding == T4_MH && (d->p.flags & (T4_F_EOL | T4_F_ALIGN)) == T4_F_ALIGN)
		t4_skip(r, r->n & 7);
	deliver_good(d, out, DEC_START);
	if (d->state == DEC_START && d->p.coding == T4_MMR && seems_again(d, r))
		take_rows_again(d, r, out);
	/* no EOL, and no end code, which begins with one */
	if (d->state == DEC_START && r->n >= EOL_ZEROS && r->acc >> (64 - EOL_ZEROS))
		begin_line(d);
	return STEP_ON;
}

/* The input is at its end and whatever was begun remains so. */
static void end_input(struct t4_decoder *d, struct rows *out)
{
	if (d->state == DEC_CHECK)
		deliver_good(d, out, DEC_START);
	else if (d->state == DEC_LINE)
		d->damage.flags |= T4_D_SHORT;
	finish(d, d->eol_run > (d->p.coding == T4_MMR ? 0 : 1));
}

static enum step decode_step(struct t4_decoder *d, struct t4_reader *r, struct rows *out)
{
	switch (d->state) {
	case DEC_START:
		return start_line(d, r);
	case DEC_EOL:
		return take_eol(d, r);
	case DEC_TAG:
		return take_tag(d, r);
	case DEC_LINE:
		return take_line(d, r, out);
	case DEC_CHECK:
		return check_line(d, r, out);
	default:
		return hunt_eol(d, r);
	}
}

static int decode_rows(struct t4_decoder *d, struct t4_reader *r, struct rows *out, bool last)
{
	enum step step;

	for (;;) {
		if (d->state == DEC_DONE)
			return T4_DONE;
		if (d->state == DEC_STUCK)
			return T4_STUCK;
		if (!out->left && (d->state == DEC_LINE || d->state == DEC_CHECK))
			return T4_OUT_FULL;
		step = decode_step(d, r, out);
		if (step == STEP_MORE) {
			if (!last)
				return T4_OK;
			end_input(d, out);
		} else if (step == STEP_BAD) {
			d->state = DEC_STUCK;
		}
	}
}

int t4_decode(struct t4_decoder *d, const void *in, size_t in_len, bool last,
	      size_t *consumed, void *rows, size_t stride, u32 nrows, u32 *produced)
{
	const u8 *start = in;
	struct rows out = { .next = rows, .stride = stride, .left = nrows };
	struct t4_reader r = {
		.start = start, .p = start, .end = start + in_len, .acc = d->acc, .n = d->nbits,
		.lsb_first = d->p.flags & T4_F_LSB_FIRST,
	};
	bool was_stuck = d->state == DEC_STUCK;
	size_t back, i;
	int ret;

	ret = decode_rows(d, &r, &out, last);
	if (ret == T4_STUCK && !was_stuck)
		d->damage.error_bit = 8 * (d->taken + (size_t)(r.p - start)) - r.n;
	if (ret != T4_OK) {
		/* whole bytes of this call that lie unread go back */
		back = r.n / 8;
		if (back > (size_t)(r.p - start))
			back = (size_t)(r.p - start);
		r.p -= back;
		r.n -= 8 * (u32)back;
	}
	d->acc = r.n ? r.acc & ~0ull << (64 - r.n) : 0;
	d->nbits = r.n;
	*consumed = (size_t)(r.p - start);
	d->taken += *consumed;
	for (i = *consumed > 8 ? *consumed - 8 : 0; i < *consumed; i++)
		d->past = d->past << 8 | start[i];
	*produced = nrows - out.left;
	return ret;
}
