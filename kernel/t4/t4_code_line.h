/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From the lists of changing elements to code, for variants that have defined
 *   t4_match_verticals()  several vertical modes at once, where there are any
 */
#ifndef T4_CODE_LINE_H
#define T4_CODE_LINE_H

#include "t4_runs.h"

/* T.4 4.1: white and black runs in turn, the last of them up to the end of the line. */
static inline void t4_code_1d(struct t4_encoder *e, struct t4_writer *writer)
{
	const u16 *a = t4_list_of(e, e->cur);
	struct t4_writer w = *writer;
	u32 left;

	for (left = e->n + 1; left > 4; left -= 4, a += 4)
		t4_put_four_runs(&w, a, 4);
	t4_put_four_runs(&w, a, left);
	*writer = w;
}

/*
 * T.4 4.2.1.3.2, T.6 2.2: a[0] is a1, b[0] is b1; a and b keep the parity of
 * their lists in step with the colour of a0.
 */
static inline void t4_code_2d(struct t4_encoder *e, struct t4_writer *writer)
{
	const u16 *first = t4_list_of(e, e->cur), *a = first;
	const u16 *b = t4_list_of(e, !e->cur);
	u32 width = e->p.width;
	struct t4_writer w = *writer;
	u32 a0 = 0, d;

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
			t4_add_code(&c, 1, 4);	/* pass mode */
			t4_put(&w, c.value, c.len);
			a0 = b[1];
			b += 2;
			continue;
		}
		if (d <= 6) {
			t4_add_entry(&c, t4_vertical_code[d]);
			t4_put(&w, c.value, c.len);
			a0 = *a++;
			b++;
			if (b[-2] > a0)
				b -= 2;
		} else {
			t4_add_code(&c, 1, 3);	/* horizontal mode */
			t4_put_two_runs(&w, c, (a - first) & 1, a[0] - a0, a[1] - a[0]);
			a0 = a[1];
			a += 2;
		}
		while (b[0] <= a0 && a0 < width)
			b += 2;
	} while (a0 < width);
	*writer = w;
}

#endif
