// SPDX-License-Identifier: LGPL-2.1-or-later
/* Users and recipients; passwords are sealed. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "base/cleanup.h"
#include "store_help.h"

static int setup(void **state)
{
	struct box *b = malloc(sizeof(*b));

	box_make(b);
	box_open(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	box_remove(*state);
	free(*state);
	return 0;
}

static const struct user good = {
	.code = "100", .name = "Office", .address = "office@example.test",
	.pop3_host = "pop.example.test", .pop3_port = 1110, .pop3_tls = "tls",
	.pop3_login = "office", .pop3_password = "correct horse battery", .auto_receive = true,
	.auto_print = true, .interval = 60, .keep_days = 7, .leave_on_server = true,
};

static void put(struct box *b, const struct user *u, bool make)
{
	struct error e = { 0 };

	if (store_user_put(b->store, u, make, &e) < 0)
		fail_msg("%s", error_text(&e));
}

static void every_field_comes_back(void **state)
{
	struct box *b = *state;
	struct user *u, **list;
	size_t n;

	put(b, &good, true);
	box_close(b);
	box_open(b);
	assert_int_equal(store_user_get(b->store, "100", true, &u), 0);
	assert_string_equal(u->code, "100");
	assert_string_equal(u->name, "Office");
	assert_string_equal(u->address, "office@example.test");
	assert_string_equal(u->pop3_host, "pop.example.test");
	assert_int_equal(u->pop3_port, 1110);
	assert_string_equal(u->pop3_tls, "tls");
	assert_string_equal(u->pop3_login, "office");
	assert_string_equal(u->pop3_password, "correct horse battery");
	assert_true(u->has_password && u->auto_receive && u->auto_print && u->leave_on_server);
	assert_int_equal(u->interval, 60);
	assert_int_equal(u->keep_days, 7);
	user_free(u);
	/* Never in a list, nor where it is not asked for. */
	assert_int_equal(store_user_get(b->store, "100", false, &u), 0);
	assert_null(u->pop3_password);
	assert_true(u->has_password);
	user_free(u);
	assert_int_equal(store_user_list(b->store, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_null(list[0]->pop3_password);
	user_list_free(list, n);
}

static void password_stays_changes_goes(void **state)
{
	struct box *b = *state;
	struct user u = good, *got;

	put(b, &good, true);
	u.pop3_password = NULL;
	u.name = "Other";
	put(b, &u, false);
	assert_int_equal(store_user_get(b->store, "100", true, &got), 0);
	assert_string_equal(got->name, "Other");
	assert_string_equal(got->pop3_password, "correct horse battery");
	user_free(got);
	u.pop3_password = "new";
	put(b, &u, false);
	assert_int_equal(store_user_get(b->store, "100", true, &got), 0);
	assert_string_equal(got->pop3_password, "new");
	user_free(got);
	u.pop3_password = "";
	put(b, &u, false);
	assert_int_equal(store_user_get(b->store, "100", true, &got), 0);
	assert_null(got->pop3_password);
	assert_false(got->has_password);
	user_free(got);
}

static bool file_holds(const char *path, const char *what)
{
	static char data[1 << 20];
	_fclose_ FILE *f = fopen(path, "r");
	size_t n = f ? fread(data, 1, sizeof(data), f) : 0;

	assert_true(n > 0);
	return memmem(data, n, what, strlen(what)) != NULL;
}

static void password_is_not_on_disk(void **state)
{
	struct box *b = *state;
	char path[128];

	put(b, &good, true);
	box_close(b);
	snprintf(path, sizeof(path), "%s/users.db", b->state);
	assert_true(file_holds(path, "office@example.test"));
	assert_false(file_holds(path, "correct"));
	assert_false(file_holds(path, "battery"));
}

/* A sealed password copied to another user does not open, nor one that was changed. */
static void seal_is_bound_to_its_user(void **state)
{
	struct box *b = *state;
	struct user u = good, *got;
	char path[128];
	sqlite3 *db;

	put(b, &good, true);
	u.code = "200";
	u.pop3_password = "another";
	put(b, &u, true);
	box_close(b);
	snprintf(path, sizeof(path), "%s/users.db", b->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE users SET sealed=(SELECT sealed FROM users WHERE "
					  "code='100') WHERE code='200'", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	box_open(b);
	assert_int_equal(store_user_get(b->store, "200", true, &got), -EBADMSG);
	assert_int_equal(store_user_get(b->store, "200", false, &got), 0);
	user_free(got);
	assert_int_equal(store_user_get(b->store, "100", true, &got), 0);
	user_free(got);
}

static void no_key_no_password(void **state)
{
	struct box *b = *state;
	struct store_options o = { .spool = b->spool, .state = b->state,
				   .segment_bytes = SMALL_SEGMENT };
	struct error e = { 0 };
	struct user u = good, *got;

	put(b, &good, true);
	box_close(b);
	assert_int_equal(store_open(&b->store, b->event, &o, &e), 0);
	assert_int_equal(store_user_get(b->store, "100", true, &got), -ENOKEY);
	u.code = "200";
	assert_int_equal(store_user_put(b->store, &u, true, &e), -ENOKEY);
	assert_non_null(strstr(e.text, "key"));
	u.pop3_password = NULL;
	put(b, &u, true);
}

static void refused(struct box *b, const struct user *u, bool make, int code, const char *says)
{
	struct error e = { 0 };
	int r = store_user_put(b->store, u, make, &e);

	if (r != code || !strstr(e.text, says))
		fail_msg("%d \"%s\", not %d \"%s\"", r, e.text, code, says);
}

static void bad_input_has_its_sentence(void **state)
{
	static const char *const codes[] = {
		"", "1234567890abcdefg", "a b", "a/b", "\303\274", "a\n",
	};
	struct box *b = *state;
	struct user u;

	put(b, &good, true);
	refused(b, &good, true, -EEXIST, "The user code 100 is taken.");
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		u = good;
		u.code = (char *)(uintptr_t)codes[i];
		refused(b, &u, true, -EINVAL, "A user code is 1 to 16");
	}
	u = good;
	u.code = NULL;
	refused(b, &u, true, -EINVAL, "A user code is 1 to 16");
	u = good;
	u.code = "nobody";
	refused(b, &u, false, -ENOENT, "There is no user nobody.");
#define wrong(field, value, says)                              \
	do {                                                   \
		u = good;                                      \
		u.field = value;                               \
		refused(b, &u, false, -EINVAL, says);          \
	} while (0)
	wrong(keep_days, 0, "1 to 31 days, not 0.");
	wrong(keep_days, 32, "1 to 31 days, not 32.");
	wrong(name, "a\r\nBcc: x", "The name holds a line end");
	wrong(address, "a@b\nc", "The mail address holds a line end");
	wrong(address, "nobody", "is not a mail address");
	wrong(address, "@b", "is not a mail address");
	wrong(address, "a@", "is not a mail address");
	wrong(pop3_host, "h\n", "The POP3 server holds");
	wrong(pop3_login, "u\rPASS", "The POP3 log-in holds");
	wrong(pop3_password, "p\nDELE 1", "The POP3 password holds");
	wrong(pop3_tls, "maybe", "none, starttls or tls");
	wrong(pop3_port, 65536, "1 to 65535");
	/* None of it took. */
	assert_int_equal(store_user_remove(b->store, "100", NULL), 0);
	assert_int_equal(store_user_remove(b->store, "100", NULL), -ENOENT);
}

static void recipients(void **state)
{
	struct box *b = *state;
	struct recipient r = { .address = "Fax@Example.test", .name = "N", .accepts = "f" };
	struct recipient *got, **list;
	struct error e = { 0 };
	size_t n;

	assert_int_equal(store_recipient_put(b->store, &r, &e), 0);
	r.accepts = "f-mr";
	assert_int_equal(store_recipient_put(b->store, &r, &e), 0);
	assert_int_equal(store_recipient_get(b->store, "fax@example.TEST", &got), 0);
	assert_string_equal(got->accepts, "f-mr");
	recipient_free(got);
	assert_int_equal(store_recipient_list(b->store, &list, &n), 0);
	assert_int_equal(n, 1);
	recipient_list_free(list, n);
	r.accepts = "x";
	assert_int_equal(store_recipient_put(b->store, &r, &e), -EINVAL);
	assert_non_null(strstr(e.text, "s, f-mr or f"));
	r.accepts = "s";
	r.address = "a\n@b";
	assert_int_equal(store_recipient_put(b->store, &r, &e), -EINVAL);
	assert_int_equal(store_recipient_remove(b->store, "fax@example.test", NULL), 0);
	assert_int_equal(store_recipient_remove(b->store, "fax@example.test", NULL), -ENOENT);
	assert_int_equal(store_recipient_get(b->store, "fax@example.test", &got), -ENOENT);
}

int main(void)
{
#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		t(every_field_comes_back),    t(password_stays_changes_goes),
		t(password_is_not_on_disk),   t(seal_is_bound_to_its_user),
		t(no_key_no_password),	      t(bad_input_has_its_sentence),
		t(recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
