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
	t4_put_top(w, t4_run_code[black][run], T4_CODE_LEN(t4_run_code[black][run]));
}

/* Codes of runs side by side, on top. The lowest six bits do not count. */
struct t4_run_codes {
	u64 top;
	u32 len;
};

/* Entries of t4_run_code, or 0 for none. No two codes need more than 58 bits. */
static __always_inline struct t4_run_codes t4_pair_runs(u64 entry1, u64 entry2)
{
	return (struct t4_run_codes){
		.top = entry1 | entry2 >> T4_CODE_LEN(entry1),
		.len = T4_CODE_LEN(entry1 + entry2),
	};
}

/* Two runs, the first of them of colour @black, behind @before. */
static __always_inline void t4_put_two_runs(struct t4_writer *w, struct t4_code before, u32 black,
					    u32 run1, u32 run2)
{
	struct t4_run_codes runs;

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
	t4_add_code(&before, runs.top >> (64 - runs.len), runs.len);
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
	struct t4_run_codes first, second;
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
		t4_put_top(w, first.top, first.len);
		t4_put_top(w, second.top, second.len);
		return;
	}
	first.top &= ~63ull;
	t4_put_top(w, first.top | second.top >> first.len, first.len + second.len);
}

#endif
