/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Code words of runs, alone and together, on their way into a writer. */
#ifndef T4_RUNS_H
#define T4_RUNS_H

#include "t4_bits.h"
#include "t4_tables.h"

#define T4_MAKEUP_2560	0x1fu	/* T.4 table 3b: the longest, repeated for more */
#define T4_MAKEUP_2560_BITS 12

static inline void t4_put_run(struct t4_writer *w, u32 black, u32 run)
{
	u32 code;

	while (unlikely(run >= T4_RUN_CODES)) {
		t4_put(w, T4_MAKEUP_2560, T4_MAKEUP_2560_BITS);
		run -= 2560;
	}
	code = t4_run_code[black][run];
	t4_put(w, code >> 5, code & 31);
}

static __always_inline void t4_add_code(struct t4_code *c, u64 value, u32 len)
{
	c->value = c->value << len | value;
	c->len += len;
}

/* One that has a code of its own. */
static __always_inline void t4_add_run(struct t4_code *c, u32 black, u32 run)
{
	u32 code = t4_run_code[black][run];

	t4_add_code(c, code >> 5, code & 31);
}

/* Two runs, the first of them of colour @black, behind @before. */
static __always_inline void t4_put_two_runs(struct t4_writer *w, struct t4_code before, u32 black,
					 u32 run1, u32 run2)
{
	struct t4_code runs = { 0 };

	if (unlikely(run1 >= T4_RUN_CODES || run2 >= T4_RUN_CODES)) {
		/* by way of a copy: @w itself may then live in registers */
		struct t4_writer copy = *w;

		t4_put(&copy, before.value, before.len);
		t4_put_run(&copy, black, run1);
		t4_put_run(&copy, !black, run2);
		*w = copy;
		return;
	}
	t4_add_run(&runs, black, run1);
	t4_add_run(&runs, !black, run2);
	if (unlikely(before.len + runs.len > T4_PUT_MAX)) {
		t4_put(w, before.value, before.len);
		before = (struct t4_code){ 0 };
	}
	t4_add_code(&before, runs.value, runs.len);
	t4_put(w, before.value, before.len);
}

/* Four runs that all have a code of their own: put together where they fit, as they mostly do. */
static __always_inline void t4_put_four_runs(struct t4_writer *w, const u32 *run)
{
	struct t4_code first = { 0 }, second = { 0 };

	t4_add_run(&first, 0, run[0]);
	t4_add_run(&first, 1, run[1]);
	t4_add_run(&second, 0, run[2]);
	t4_add_run(&second, 1, run[3]);
	if (unlikely(first.len + second.len > T4_PUT_MAX)) {
		t4_put(w, first.value, first.len);
		t4_put(w, second.value, second.len);
		return;
	}
	t4_put(w, first.value << second.len | second.value, first.len + second.len);
}

#endif
