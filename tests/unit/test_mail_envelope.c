/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mail/envelope.h"

static void recipients_are_copied(void **state)
{
	struct envelope e = { 0 };
	char name[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct envelope_rcpt r = { .address = name, .notify = i % 2 ? NOTIFY_DELAY : 0 };

		snprintf(name, sizeof(name), "r%d@x", i);
		r.user = i % 3 ? NULL : name;
		r.orcpt = i % 5 ? NULL : name;
		assert_int_equal(envelope_add(&e, &r), 0);
		assert_int_equal(e.n_rcpts, i + 1);
		assert_ptr_not_equal(e.rcpts[i].address, name);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "r%d@x", i);
		assert_string_equal(e.rcpts[i].address, name);
		assert_int_equal(e.rcpts[i].notify, i % 2 ? NOTIFY_DELAY : 0);
		assert_int_equal(!e.rcpts[i].user, i % 3 != 0);
		assert_int_equal(!e.rcpts[i].orcpt, i % 5 != 0);
	}
	envelope_free(&e);
	assert_int_equal(e.n_rcpts, 0);
	assert_null(e.rcpts);
	envelope_free(&e);
}

/* Dropping and adding around the sizes at which the array grows. */
static void the_last_can_be_dropped(void **state)
{
	struct envelope e = { 0 };
	struct envelope_rcpt r = { .address = (char *)"kept@x" };
	struct envelope_rcpt gone = { .address = (char *)"gone@x", .orcpt = (char *)"rfc822;g" };

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		assert_int_equal(envelope_add(&e, &gone), 0);
		envelope_drop(&e);
		assert_int_equal(envelope_add(&e, &r), 0);
		assert_int_equal(e.n_rcpts, i + 1);
	}
	for (size_t i = 0; i < 40; i++)
		assert_string_equal(e.rcpts[i].address, "kept@x");
	while (e.n_rcpts)
		envelope_drop(&e);
	assert_int_equal(envelope_add(&e, &r), 0);
	envelope_free(&e);
}

static void a_copy_stands_alone(void **state)
{
	struct envelope e = {
		.from = strdup("a@b"), .envid = strdup("id"), .ret = RET_HDRS,
		.eight_bit = true, .utf8 = true, .size = 7,
	};
	struct envelope_rcpt r = { .address = (char *)"c@d", .user = (char *)"12" };
	struct envelope copy = { 0 };

	(void)state;
	assert_int_equal(envelope_add(&e, &r), 0);
	assert_int_equal(envelope_add(&e, &r), 0);
	assert_int_equal(envelope_add(&e, &r), 0);
	assert_int_equal(envelope_copy(&copy, &e), 0);
	envelope_free(&e);
	assert_string_equal(copy.from, "a@b");
	assert_string_equal(copy.envid, "id");
	assert_int_equal(copy.ret, RET_HDRS);
	assert_true(copy.eight_bit && copy.utf8);
	assert_int_equal(copy.size, 7);
	assert_int_equal(copy.n_rcpts, 3);
	assert_string_equal(copy.rcpts[2].address, "c@d");
	assert_string_equal(copy.rcpts[2].user, "12");
	assert_null(copy.rcpts[2].orcpt);
	assert_int_equal(envelope_add(&copy, &r), 0);
	envelope_free(&copy);
	assert_int_equal(envelope_copy(&copy, &(struct envelope){ 0 }), 0);
	assert_null(copy.from);
	envelope_free(&copy);
}

/* A user is one by his code, whatever the address; others by their address. */
static void each_mailbox_once(void **state)
{
	static const struct envelope_rcpt given[] = {
		{ (char *)"z@x", NULL, (char *)"rfc822;first", NOTIFY_NEVER },
		{ (char *)"b@here", (char *)"200", NULL, 0 },
		{ (char *)"a@x", NULL, NULL, NOTIFY_FAILURE },
		{ (char *)"z@x", NULL, (char *)"rfc822;second", NOTIFY_SUCCESS },
		{ (char *)"bert@here", (char *)"200", NULL, 0 },
		{ (char *)"b@here", NULL, NULL, 0 },
		{ (char *)"a@here", (char *)"100", NULL, 0 },
		{ (char *)"z@x", NULL, NULL, NOTIFY_DELAY },
	};
	static const struct {
		const char *address;
		unsigned int notify;
	} kept[] = {
		{ "z@x", NOTIFY_SUCCESS | NOTIFY_DELAY }, { "b@here", 0 },
		{ "a@x", NOTIFY_FAILURE }, { "b@here", 0 }, { "a@here", 0 },
	};
	struct envelope e = { 0 };

	(void)state;
	assert_int_equal(envelope_unite(&e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		assert_int_equal(envelope_add(&e, &given[i]), 0);
	assert_int_equal(envelope_unite(&e), 0);
	assert_int_equal(e.n_rcpts, ARRAY_SIZE(kept));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		assert_string_equal(e.rcpts[i].address, kept[i].address);
		assert_int_equal(e.rcpts[i].notify, kept[i].notify);
	}
	assert_string_equal(e.rcpts[0].orcpt, "rfc822;first");
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		assert_int_equal(envelope_add(&e, &given[i]), 0);
	assert_int_equal(e.n_rcpts, ARRAY_SIZE(kept) + ARRAY_SIZE(given));
	envelope_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients_are_copied),
		cmocka_unit_test(the_last_can_be_dropped),
		cmocka_unit_test(a_copy_stands_alone),
		cmocka_unit_test(each_mailbox_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
