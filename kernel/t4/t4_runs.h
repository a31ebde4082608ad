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
	while (unlikely(run >= T4_RUN_CODES)) {
		t4_put(w, T4_MAKEUP_2560, T4_MAKEUP_2560_BITS);
		run -= 2560;
	}
	t4_put_entry(w, t4_run_code[black][run]);
}

/* Two codes of runs side by side. Both lengths together need no more bits than one has. */
static __always_inline struct t4_code t4_pair_runs(u32 entry1, u32 entry2)
{
	return (struct t4_code){
		.value = (u64)(entry1 >> 6) << (entry2 & 63) | entry2 >> 6,
		.len = (entry1 + entry2) & 63,
	};
}

/* Two runs, the first of them of colour @black, behind @before. */
static __always_inline void t4_put_two_runs(struct t4_writer *w, struct t4_code before, u32 black,
					    u32 run1, u32 run2)
{
	struct t4_code runs;

	if (unlikely(run1 >= T4_RUN_CODES || run2 >= T4_RUN_CODES)) {
		/* by way of a copy: @w itself may then live in registers */
		struct t4_writer copy = *w;

		t4_put(&copy, before.value, before.len);
		t4_put_run(&copy, black, run1);
		t4_put_run(&copy, !black, run2);
		*w = copy;
		return;
	}
	runs = t4_pair_runs(t4_run_code[black][run1], t4_run_code[!black][run2]);
	if (unlikely(before.len + runs.len > T4_PUT_MAX)) {
		t4_put(w, before.value, before.len);
		before = (struct t4_code){ 0 };
	}
	t4_add_code(&before, runs.value, runs.len);
	t4_put(w, before.value, before.len);
}

/* @count runs up to the elements of @a, the first of them white. */
static inline void t4_put_runs(struct t4_writer *w, const u16 *a, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++, a++)
		t4_put_run(w, i & 1, (u32)a[0] - a[-1]);
}

/* Up to four of them: put together where they fit, as they mostly do. */
static __always_inline void t4_put_four_runs(struct t4_writer *w, const u16 *a, u32 count)
{
	u32 run1 = (u32)a[0] - a[-1], run2 = (u32)a[1] - a[0];
	u32 run3 = (u32)a[2] - a[1], run4 = (u32)a[3] - a[2];
	struct t4_code first, second;
	struct t4_writer copy;

	if (unlikely((run1 | run2 | run3 | run4) >= T4_RUN_CODES)) {
		copy = *w;
		t4_put_runs(&copy, a, count);
		*w = copy;
		return;
	}
	first = t4_pair_runs(t4_run_code[0][run1], count > 1 ? t4_run_code[1][run2] : 0);
	second = t4_pair_runs(count > 2 ? t4_run_code[0][run3] : 0,
			      count > 3 ? t4_run_code[1][run4] : 0);
	if (unlikely(first.len + second.len > T4_PUT_MAX)) {
		t4_put(w, first.value, first.len);
		t4_put(w, second.value, second.len);
		return;
	}
	t4_put(w, first.value << second.len | second.value, first.len + second.len);
}

#endif
