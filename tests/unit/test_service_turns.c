// SPDX-License-Identifier: LGPL-2.1-or-later
/* Whose mailbox is next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/turns.h"

#define REST_MAX 1000

static struct turns *make(size_t most, size_t most_each)
{
	struct turns *t;

	assert_int_equal(turns_new(&t, most, most_each, REST_MAX), 0);
	return t;
}

static void set(struct turns *t, struct turn *turn, const char *host, enum turn_class class,
		uint64_t when)
{
	assert_int_equal(turn_set(t, turn, host, 110, class, when), 0);
}

static void end(struct turns *t, struct turn *turns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (turns[i].line)
			turn_ended(t, &turns[i], TURN_BROKEN_OFF, 0, 0);
		turn_forget(t, &turns[i]);
	}
	turns_free(t);
}

/* S23: who prints comes strictly before who does not, by time within both; who asked, first. */
static void classes(void **state)
{
	struct turn m[5] = { 0 };
	struct turns *t = make(10, 10);

	set(t, &m[0], "a", TURN_KEEPS, 1);
	set(t, &m[1], "a", TURN_PRINTS, 5);
	set(t, &m[2], "b", TURN_PRINTS, 4);
	set(t, &m[3], "c", TURN_REQUESTED, 6);
	set(t, &m[4], "c", TURN_PRINTS, 7);
	assert_null(turns_next(t, 0));
	assert_int_equal(turns_when(t), 1);
	assert_ptr_equal(turns_next(t, 6), &m[3]);
	assert_ptr_equal(turns_next(t, 6), &m[2]);
	assert_ptr_equal(turns_next(t, 6), &m[1]);
	assert_ptr_equal(turns_next(t, 6), &m[0]);
	assert_null(turns_next(t, 6));
	assert_int_equal(turns_when(t), 7);
	end(t, m, 5);
}

static void lines_of_a_server(void **state)
{
	struct turn m[5] = { 0 };
	struct turns *t = make(3, 2);

	for (int i = 0; i < 3; i++)
		set(t, &m[i], "a", TURN_PRINTS, i);
	set(t, &m[3], "A", TURN_REQUESTED, 9);	/* the same host */
	set(t, &m[4], "b", TURN_KEEPS, 3);
	assert_ptr_equal(turns_next(t, 8), &m[0]);
	assert_ptr_equal(turns_next(t, 8), &m[1]);
	/* That server has its two: the other's turn, though it is of a later class. */
	assert_ptr_equal(turns_next(t, 8), &m[4]);
	assert_int_equal(turns_running(t), 3);
	assert_int_equal(turns_when(t), UINT64_MAX);
	turn_ended(t, &m[4], TURN_WENT, 8, 10);
	assert_null(turns_next(t, 9));		/* who asked waits for a line there, too */
	turn_ended(t, &m[0], TURN_WENT, 9, 10);
	assert_ptr_equal(turns_next(t, 9), &m[3]);
	turn_ended(t, &m[1], TURN_WENT, 9, 10);
	assert_ptr_equal(turns_next(t, 9), &m[2]);
	end(t, m, 5);
}

/* A server that does not answer costs one try, not one a mailbox; the others go on. */
static void dead_server(void **state)
{
	struct turn m[102] = { 0 };
	struct turns *t = make(10, 4);
	uint64_t now = 0, tries = 0;

	for (int i = 0; i < 100; i++)
		set(t, &m[i], "dead", TURN_PRINTS, 0);
	for (int i = 0; i < 4; i++)
		assert_non_null(turns_next(t, 0));
	for (int i = 0; i < 100; i++)
		if (m[i].line)
			turn_ended(t, &m[i], TURN_UNREACHED, 0, 10);
	assert_null(turns_next(t, 9));
	assert_int_equal(turns_when(t), 10);
	while (now < 10 * REST_MAX) {
		struct turn *one;

		now = turns_when(t);
		one = turns_next(t, now);
		assert_non_null(one);
		assert_null(turns_next(t, now));	/* it tries alone */
		turn_ended(t, one, TURN_UNREACHED, now, 10);
		tries++;
	}
	/* 10, 30, 70, 150, 310, 630, 1270, and each 1000 from there. */
	assert_in_range(tries, 15, 17);
	set(t, &m[100], "alive", TURN_KEEPS, now);
	assert_ptr_equal(turns_next(t, now), &m[100]);
	set(t, &m[101], "dead", TURN_REQUESTED, now);
	assert_ptr_equal(turns_next(t, now), &m[101]);	/* it was asked for */
	turn_ended(t, &m[101], TURN_WENT, now, 10);
	for (int i = 0; i < 4; i++)
		assert_non_null(turns_next(t, now));
	end(t, m, 102);
}

static void held(void **state)
{
	struct turn m[2] = { 0 };
	struct turns *t = make(2, 2);

	set(t, &m[0], "a", TURN_KEEPS, 0);
	set(t, &m[1], "a", TURN_PRINTS, 1);
	turns_hold(t, TURN_KEEPS, true);
	assert_ptr_equal(turns_next(t, 1), &m[1]);
	assert_null(turns_next(t, 1));
	assert_true(turns_waiting(t, TURN_KEEPS));
	assert_int_equal(turns_when(t), UINT64_MAX);
	turns_hold(t, TURN_KEEPS, false);
	assert_int_equal(turns_when(t), 0);
	assert_ptr_equal(turns_next(t, 1), &m[0]);
	end(t, m, 2);
}

/* Due while it has a line: that is noted, and no second line is given. */
static void again(void **state)
{
	struct turn m = { 0 };
	struct turns *t = make(2, 2);

	set(t, &m, "a", TURN_PRINTS, 0);
	assert_ptr_equal(turns_next(t, 0), &m);
	set(t, &m, "b", TURN_KEEPS, 5);		/* its user has another server now */
	assert_null(turns_next(t, 5));
	assert_true(m.again);
	turn_ended(t, &m, TURN_WENT, 5, 1);
	assert_int_equal(turn_move(t, &m, TURN_PRINTS, 6), 0);
	assert_ptr_equal(turns_next(t, 6), &m);
	end(t, &m, 1);
}

/* Of ten thousand a thousand due at once, on a hundred servers: in order, each once. */
static void thousand_of_ten_thousand(void **state)
{
	struct turn *m = calloc(10000, sizeof(*m)), *next, *open[20];
	struct turns *t = make(20, 4);
	unsigned int prints = 0, keeps = 0, n = 0;
	char host[8];

	assert_non_null(m);
	for (int i = 0; i < 10000; i++) {
		snprintf(host, sizeof(host), "h%d", i % 100);
		set(t, &m[i], host, i / 100 % 2 ? TURN_PRINTS : TURN_KEEPS,
		    i < 1000 ? 1000 - i : 1000000 + i);
	}
	do {
		while ((next = turns_next(t, 1000))) {
			assert_true(next - m < 1000);
			prints += next->class == TURN_PRINTS;
			keeps += next->class == TURN_KEEPS;
			assert_true(next->class == TURN_PRINTS || prints == 500);
			open[n++] = next;
		}
		turn_ended(t, open[--n], TURN_WENT, 1000, 1);
	} while (turns_running(t));
	assert_int_equal(prints + keeps, 1000);
	end(t, m, 10000);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes), cmocka_unit_test(lines_of_a_server),
		cmocka_unit_test(dead_server), cmocka_unit_test(held), cmocka_unit_test(again),
		cmocka_unit_test(thousand_of_ten_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
