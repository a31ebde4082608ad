// SPDX-License-Identifier: LGPL-2.1-or-later
/* The queue of what is due, against a plain search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/due.h"

#define N 500

static uint64_t soonest(const struct due *d)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < N; i++)
		if (d[i].place && d[i].when < least)
			least = d[i].when;
	return least;
}

static void check(const struct due_queue *q, const struct due *d)
{
	size_t n = 0;

	for (int i = 0; i < N; i++) {
		n += d[i].place != 0;
		if (d[i].place)
			assert_ptr_equal(q->heap[d[i].place - 1], &d[i]);
	}
	assert_int_equal(q->n, n);
	if (n)
		assert_int_equal(due_first(q)->when, soonest(d));
	else
		assert_null(due_first(q));
}

static void any_order(void **state)
{
	struct due_queue q = { 0 };
	struct due d[N] = { 0 };
	unsigned int seed = 1;

	check(&q, d);
	for (int i = 0; i < 4000; i++) {
		struct due *one = &d[rand_r(&seed) % N];

		if (rand_r(&seed) % 3)
			assert_int_equal(due_set(&q, one, rand_r(&seed) % 1000), 0);
		else
			due_remove(&q, one);
		check(&q, d);
	}
	for (uint64_t last = 0; due_first(&q); due_remove(&q, due_first(&q))) {
		assert_true(due_first(&q)->when >= last);
		last = due_first(&q)->when;
	}
	check(&q, d);
	due_queue_free(&q);
}

static void removed_twice(void **state)
{
	struct due_queue q = { 0 };
	struct due d = { 0 };

	due_remove(&q, &d);
	assert_int_equal(due_set(&q, &d, 5), 0);
	due_remove(&q, &d);
	due_remove(&q, &d);
	assert_null(due_first(&q));
	due_queue_free(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order),
		cmocka_unit_test(removed_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
