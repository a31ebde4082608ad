// SPDX-License-Identifier: LGPL-2.1-or-later
/* Passwords at the panel: hashed, checked, and guarded against guessing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/password.h"
#include "service/panel_password.h"
#include "store/store.h"
#include "svc_help.h"

#define SEC 1000000ull

static void hash_has_a_salt_and_checks(void **state)
{
	_free_ char *a = NULL, *b = NULL;
	struct error e = { 0 };

	assert_int_equal(password_hash("1234", &a, &e), 0);
	assert_int_equal(password_hash("1234", &b, &e), 0);
	assert_int_equal(strncmp(a, "$y$", 3), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(password_check(a, "1234"), 0);
	assert_int_equal(password_check(b, "1234"), 0);
	assert_int_equal(password_check(a, "1235"), -EACCES);
	assert_int_equal(password_check(a, ""), -EACCES);
	assert_int_equal(password_check("*0", "1234"), -EACCES);
	assert_int_equal(password_check("", ""), -EACCES);
}

static void hash_wants_a_password(void **state)
{
	char text[PASSWORD_OCTETS_MAX + 2];
	_free_ char *hash = NULL;
	struct error e = { 0 };

	assert_int_equal(password_hash("", &hash, &e), -EINVAL);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(password_hash(text, &hash, &e), -EINVAL);
	assert_null(hash);
	text[PASSWORD_OCTETS_MAX] = '\0';
	assert_int_equal(password_hash(text, &hash, &e), 0);
}

static void five_wrong_ones_make_a_user_wait(void **state)
{
	struct panel_tries *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	for (int i = 0; i < PANEL_FREE_TRIES; i++) {
		assert_int_equal(panel_tries_wait(t, "7", 100 * SEC), 0);
		panel_tries_wrong(t, "7", 100 * SEC);
	}
	assert_int_equal(panel_tries_wait(t, "7", 101 * SEC), 29 * SEC);
	assert_int_equal(panel_tries_wait(t, "8", 101 * SEC), 0);
	/* One try after that time, and again the same time. */
	assert_int_equal(panel_tries_wait(t, "7", 130 * SEC), 0);
	panel_tries_wrong(t, "7", 130 * SEC);
	assert_int_equal(panel_tries_wait(t, "7", 130 * SEC), 30 * SEC);
	panel_tries_right(t, "7");
	assert_int_equal(panel_tries_wait(t, "7", 130 * SEC), 0);
	free(t);
}

static void wrong_ones_are_forgotten_in_an_hour(void **state)
{
	struct panel_tries *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	for (int i = 0; i < PANEL_FREE_TRIES - 1; i++)
		panel_tries_wrong(t, "7", SEC);
	panel_tries_wrong(t, "7", 2 * SEC + PANEL_FORGET_USEC);
	assert_int_equal(panel_tries_wait(t, "7", 2 * SEC + PANEL_FORGET_USEC), 0);
	free(t);
}

/* Whoever tries very many codes does not end the wait of one of them. */
static void a_wait_outlasts_many_other_codes(void **state)
{
	struct panel_tries *t = calloc(1, sizeof(*t));
	char code[16];

	assert_non_null(t);
	for (int i = 0; i < PANEL_FREE_TRIES; i++)
		panel_tries_wrong(t, "7", 100 * SEC);
	for (int i = 0; i < 3 * PANEL_PLACES; i++) {
		snprintf(code, sizeof(code), "x%d", i);
		panel_tries_wrong(t, code, 101 * SEC);
	}
	assert_int_equal(panel_tries_wait(t, "7", 101 * SEC), 29 * SEC);
	free(t);
}

static void a_second_has_so_many_checks(void **state)
{
	struct panel_tries *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	for (int i = 0; i < PANEL_CHECKS_A_SECOND; i++)
		assert_int_equal(panel_tries_take(t, 5 * SEC + 1), 0);
	assert_int_equal(panel_tries_take(t, 6 * SEC - 1), -EAGAIN);
	assert_int_equal(panel_tries_take(t, 6 * SEC), 0);
	free(t);
}

/*
 * With users of a store
 */

static int setup(void **state)
{
	struct svc *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	svc_make(s);
	svc_open(s, 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	svc_remove(*state);
	free(*state);
	return 0;
}

static void add_user(struct svc *s, const char *code, const char *password)
{
	struct user u = { .code = (char *)code, .keep_days = 7 };
	_free_ char *hash = NULL;
	struct error e = { 0 };

	if (password)
		assert_int_equal(password_hash(password, &hash, &e), 0);
	u.panel_hash = hash;
	if (store_user_put(s->box.store, &u, true, &e) < 0)
		fail_msg("%s", error_text(&e));
}

static void expect(struct svc *s, const char *code, const char *password, int r, const char *words)
{
	struct error e = { 0 };

	assert_int_equal(panel_check(&s->box, code, password, &e), r);
	if (!strstr(words, e.text) && !strstr(e.text, words))
		fail_msg("\"%s\" says nothing of \"%s\"", e.text, words);
}

static void check_tells_what_is_wrong(void **state)
{
	struct svc *s = *state;

	add_user(s, "7", "1234");
	add_user(s, "8", NULL);
	expect(s, "7", "1234", 0, "");
	expect(s, "7", "4321", -EACCES, "the user code or the password is wrong");
	expect(s, "9", "1234", -EACCES, "the user code or the password is wrong");
	expect(s, "", "", -EACCES, "the user code or the password is wrong");
	expect(s, "8", "", -ENOKEY, "users passwd 8 --panel");
}

static void check_waits_after_five_wrong_ones(void **state)
{
	struct svc *s = *state;

	add_user(s, "7", "1234");
	add_user(s, "8", "1234");
	for (int i = 0; i < PANEL_FREE_TRIES; i++)
		expect(s, "7", "4321", -EACCES, "wrong");
	expect(s, "7", "1234", -EAGAIN, "try again in 30 s");
	expect(s, "8", "1234", 0, "");
	s->box.panel_tries.list[0].last -= PANEL_WAIT_USEC;
	expect(s, "7", "1234", 0, "");
	expect(s, "7", "4321", -EACCES, "wrong");
	expect(s, "7", "1234", 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_has_a_salt_and_checks),
		cmocka_unit_test(hash_wants_a_password),
		cmocka_unit_test(five_wrong_ones_make_a_user_wait),
		cmocka_unit_test(wrong_ones_are_forgotten_in_an_hour),
		cmocka_unit_test(a_wait_outlasts_many_other_codes),
		cmocka_unit_test(a_second_has_so_many_checks),
		cmocka_unit_test_setup_teardown(check_tells_what_is_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(check_waits_after_five_wrong_ones, setup, teardown),
	};

	return cmocka_run_group_tests_name("panel", tests, NULL, NULL);
}
