/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Passwords are checked by turns, and the loop has time for others in between. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "service/logins.h"

#define CHECKS	   10
#define CHECK_MSEC 5

struct test {
	sd_event *event;
	struct logins *logins;
	struct login who[LOGINS_MAX + 1];
	unsigned int order[LOGINS_MAX + 1];
	unsigned int n;
	unsigned int others;		/* times that the loop had for something else */
	unsigned int others_at[LOGINS_MAX + 1];
};

static struct test t;

/* Takes its time, as the hashes of a password do. */
static void on_turn(struct login *who)
{
	struct timespec begun, now;

	assert_false(who->waits);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 <
	       CHECK_MSEC);
	t.others_at[t.n] = t.others;
	t.order[t.n++] = who - t.who;
}

static int on_other(sd_event_source *s, uint64_t usec, void *userdata)
{
	t.others++;
	sd_event_source_set_time_relative(s, 1000);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

static int setup(void **state)
{
	t = (struct test){ 0 };
	assert_true(sd_event_new(&t.event) >= 0);
	assert_int_equal(logins_new(&t.logins, t.event, on_turn), 0);
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(t.who); i++)
		logins_remove(t.logins, &t.who[i]);
	logins_free(t.logins);
	sd_event_unref(t.event);
	return 0;
}

static void run_until(unsigned int n)
{
	while (t.n < n)
		assert_true(sd_event_run(t.event, 5000000) > 0);
}

static void others_have_the_rest(void **state)
{
	sd_event_source *other = NULL;
	struct timespec begun, now;

	assert_true(sd_event_add_time_relative(t.event, &other, CLOCK_MONOTONIC, 0, 1, on_other,
					       NULL) >= 0);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (int i = 0; i < CHECKS; i++)
		assert_int_equal(logins_add(t.logins, &t.who[i]), 0);
	assert_int_equal(t.n, 0);	/* not from within */
	run_until(CHECKS);
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (unsigned int i = 0; i < CHECKS; i++)
		assert_int_equal(t.order[i], i);
	/* Between one and the next the others came in, however slow this machine is. */
	for (unsigned int i = 1; i < CHECKS; i++)
		assert_true(t.others_at[i] > t.others_at[i - 1]);
	assert_true((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 >=
		    (CHECKS - 1) * CHECK_MSEC * LOGINS_SHARE);
	sd_event_source_disable_unref(other);
}

static void who_has_gone_is_not_called(void **state)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(logins_add(t.logins, &t.who[i]), 0);
	logins_remove(t.logins, &t.who[0]);
	logins_remove(t.logins, &t.who[2]);
	logins_remove(t.logins, &t.who[2]);
	run_until(2);
	assert_int_equal(t.order[0], 1);
	assert_int_equal(t.order[1], 3);
	/* All that waited have gone: the loop is at rest, and then goes on. */
	assert_int_equal(logins_add(t.logins, &t.who[5]), 0);
	logins_remove(t.logins, &t.who[5]);
	while (sd_event_run(t.event, 50000) > 0)
		;
	assert_int_equal(t.n, 2);
	assert_int_equal(logins_add(t.logins, &t.who[6]), 0);
	run_until(3);
}

static void too_many(void **state)
{
	for (int i = 0; i < LOGINS_MAX; i++)
		assert_int_equal(logins_add(t.logins, &t.who[i]), 0);
	assert_int_equal(logins_add(t.logins, &t.who[LOGINS_MAX]), -EBUSY);
	assert_false(t.who[LOGINS_MAX].waits);
	logins_remove(t.logins, &t.who[7]);
	assert_int_equal(logins_add(t.logins, &t.who[LOGINS_MAX]), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(others_have_the_rest), TEST(who_has_gone_is_not_called), TEST(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
