// SPDX-License-Identifier: LGPL-2.1-or-later
/* Users and recipients; passwords are sealed. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "base/cleanup.h"
#include "smtp/scram.h"
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
	.at_end = "notice", .receive_text = true, .collect_after_send = true, .encrypt = true,
	.panel_hash = "$y$j9T$salt$hash",
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
	assert_true(u->receive_text && u->collect_after_send && u->encrypt);
	assert_true(u->has_panel_password);
	assert_string_equal(u->panel_hash, good.panel_hash);
	assert_string_equal(u->at_end, "notice");
	assert_int_equal(u->interval, 60);
	assert_int_equal(u->keep_days, 7);
	user_free(u);
	/* Never in a list, nor where it is not asked for. */
	assert_int_equal(store_user_get(b->store, "100", false, &u), 0);
	assert_null(u->pop3_password);
	assert_null(u->panel_hash);
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
	wrong(verifier, "secret", "no verifier");
	wrong(at_end, "burn", "print");
	/* None of it took. */
	assert_int_equal(store_user_remove(b->store, "100", NULL), 0);
	assert_int_equal(store_user_remove(b->store, "100", NULL), -ENOENT);
}

static void recipients(void **state)
{
	struct box *b = *state;
	struct recipient r = { .address = "Fax@Example.test", .name = "N", .accepts = "f",
			       .method = "smime", .key = "ABCD", .must_encrypt = true };
	struct recipient *got, **list;
	struct error e = { 0 };
	size_t n;

	assert_int_equal(store_recipient_put(b->store, &r, &e), 0);
	r.accepts = "f-mr";
	assert_int_equal(store_recipient_put(b->store, &r, &e), 0);
	assert_int_equal(store_recipient_get(b->store, "fax@example.TEST", &got), 0);
	assert_string_equal(got->accepts, "f-mr");
	assert_string_equal(got->method, "smime");
	assert_string_equal(got->key, "ABCD");
	assert_true(got->must_encrypt);
	recipient_free(got);
	assert_int_equal(store_recipient_list(b->store, &list, &n), 0);
	assert_int_equal(n, 1);
	recipient_list_free(list, n);
	r.accepts = "x";
	assert_int_equal(store_recipient_put(b->store, &r, &e), -EINVAL);
	assert_non_null(strstr(e.text, "s, f-mr or f"));
	r.accepts = "s";
	r.method = "rot13";
	assert_int_equal(store_recipient_put(b->store, &r, &e), -EINVAL);
	assert_non_null(strstr(e.text, "openpgp or smime"));
	r.method = NULL;
	assert_int_equal(store_recipient_put(b->store, &r, &e), -EINVAL);
	assert_non_null(strstr(e.text, "a method is needed"));
	r.must_encrypt = false;
	r.address = "a\n@b";
	assert_int_equal(store_recipient_put(b->store, &r, &e), -EINVAL);
	assert_int_equal(store_recipient_remove(b->store, "fax@example.test", NULL), 0);
	assert_int_equal(store_recipient_remove(b->store, "fax@example.test", NULL), -ENOENT);
	assert_int_equal(store_recipient_get(b->store, "fax@example.test", &got), -ENOENT);
}

/*
 * Names
 */

static struct alias *alias(const char *name, enum alias_kind kind, const char *members)
{
	struct alias *a = calloc(1, sizeof(*a));
	char *copy = strdup(members), *rest = copy;

	assert_int_equal(job_set(&a->name, name), 0);
	a->kind = kind;
	for (char *m; (m = strsep(&rest, " ")) && *m;)
		assert_int_equal(alias_add_member(a, m), 0);
	free(copy);
	return a;
}

static int put_alias(struct box *b, const char *name, enum alias_kind kind, const char *members,
		     bool create, struct error *e)
{
	struct alias *a = alias(name, kind, members);
	int r;

	assert_int_equal(job_set(&a->title, "A Title"), 0);
	r = store_alias_put(b->store, a, create, e);
	alias_free(a);
	return r;
}

static void aliases_and_lists(void **state)
{
	struct box *b = *state;
	struct alias *a, **list;
	struct error e = { 0 };
	size_t n;

	put(b, &good, true);
	assert_int_equal(put_alias(b, "info", ALIAS_PLAIN, "100", true, &e), 0);
	assert_int_equal(put_alias(b, "staff", ALIAS_PLAIN, "info a@x.test b@x.test c@x.test", true,
				   &e), 0);
	assert_int_equal(put_alias(b, "staff", ALIAS_PLAIN, "info z@x.test", true, &e), -EEXIST);
	assert_int_equal(put_alias(b, "ada", ALIAS_MOVED, "ada@new.test", true, &e), 0);
	box_close(b);
	box_open(b);
	assert_int_equal(store_alias_get(b->store, "STAFF", &a), 0);
	assert_string_equal(a->name, "staff");
	assert_string_equal(a->title, "A Title");
	assert_int_equal(a->kind, ALIAS_PLAIN);
	assert_string_equal(a->members[0], "info");
	assert_string_equal(a->members[3], "c@x.test");
	assert_null(a->members[4]);
	alias_free(a);
	/* an edit replaces all members */
	assert_int_equal(put_alias(b, "staff", ALIAS_PLAIN, "z@x.test", false, &e), 0);
	assert_int_equal(store_alias_get(b->store, "staff", &a), 0);
	assert_string_equal(a->members[0], "z@x.test");
	assert_null(a->members[1]);
	alias_free(a);
	assert_int_equal(store_alias_list(b->store, &list, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0]->name, "ada");
	assert_int_equal(list[0]->kind, ALIAS_MOVED);
	alias_list_free(list, n);
	assert_int_equal(store_alias_remove(b->store, "Staff", &e), 0);
	assert_int_equal(store_alias_remove(b->store, "staff", &e), -ENOENT);
	assert_int_equal(store_alias_get(b->store, "staff", &a), -ENOENT);
	assert_int_equal(put_alias(b, "staff", ALIAS_PLAIN, "b@x.test", false, &e), -ENOENT);
}

static void bad_aliases_have_their_sentence(void **state)
{
	static const struct {
		const char *name, *members, *says;
		enum alias_kind kind;
		int code;
	} cases[] = {
		{ "", "100", "before the @", ALIAS_PLAIN, -EINVAL },
		{ "Info", "100", "small letters", ALIAS_PLAIN, -EINVAL },
		{ "a b", "100", "before the @", ALIAS_PLAIN, -EINVAL },
		{ "a@b", "100", "before the @", ALIAS_PLAIN, -EINVAL },
		{ "a..b", "100", "before the @", ALIAS_PLAIN, -EINVAL },
		{ "info", "", "no member", ALIAS_PLAIN, -EINVAL },
		{ "info", "a@", "cannot be a member", ALIAS_PLAIN, -EINVAL },
		{ "info", "<a@b>", "cannot be a member", ALIAS_PLAIN, -EINVAL },
		{ "info", "a\nb", "line end", ALIAS_PLAIN, -EINVAL },
		{ "info", "100 a@b", "one new address", ALIAS_MOVED, -EINVAL },
		{ "info", "100", "one new address", ALIAS_GONE, -EINVAL },
		{ "100", "a@b", "code of a user", ALIAS_PLAIN, -EINVAL },
	};
	struct box *b = *state;

	put(b, &good, true);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = { 0 };
		int r = put_alias(b, cases[i].name, cases[i].kind, cases[i].members, true, &e);

		if (r != cases[i].code || !strstr(e.text, cases[i].says))
			fail_msg("case %zu: %d \"%s\"", i, r, e.text);
	}
}

static void loops_are_refused(void **state)
{
	struct box *b = *state;
	struct error e = { 0 };
	struct alias *many;
	char name[16];

	assert_int_equal(put_alias(b, "a", ALIAS_PLAIN, "A", true, &e), -ELOOP);
	assert_int_equal(put_alias(b, "a", ALIAS_PLAIN, "b x@y.test", true, &e), 0);
	assert_int_equal(put_alias(b, "b", ALIAS_PLAIN, "c", true, &e), 0);
	assert_int_equal(put_alias(b, "c", ALIAS_PLAIN, "d a", true, &e), -ELOOP);
	assert_non_null(strstr(e.text, "c would hold itself"));
	/* twice the same is no loop */
	assert_int_equal(put_alias(b, "c", ALIAS_PLAIN, "d e", true, &e), 0);
	assert_int_equal(put_alias(b, "d", ALIAS_PLAIN, "e", true, &e), 0);

	many = alias("many", ALIAS_PLAIN, "");
	for (int i = 0; i <= ALIAS_MEMBERS_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(alias_add_member(many, name), 0);
	}
	assert_int_equal(store_alias_put(b->store, many, true, &e), -EINVAL);
	assert_non_null(strstr(e.text, "at most 1000"));
	alias_free(many);
}

static void a_code_is_no_alias(void **state)
{
	struct box *b = *state;
	struct error e = { 0 };

	assert_int_equal(put_alias(b, "100", ALIAS_PLAIN, "a@b.test", true, &e), 0);
	refused(b, &good, true, -EEXIST, "is an alias or a list already");
}

static void users_are_found(void **state)
{
	struct box *b = *state;
	struct user u = good, *got;

	put(b, &good, true);
	assert_int_equal(store_user_find(b->store, "100", false, &got), 0);
	user_free(got);
	assert_int_equal(store_user_find(b->store, "office@EXAMPLE.test", false, &got), 0);
	assert_string_equal(got->code, "100");
	user_free(got);
	assert_int_equal(store_user_find(b->store, "Office@example.test", false, &got), -ENOENT);
	assert_int_equal(store_user_find(b->store, "office@example.tes", false, &got), -ENOENT);
	assert_int_equal(store_user_find(b->store, "' OR 1 --", false, &got), -ENOENT);
	u.code = "200";
	u.address = "Office@example.test";	/* another local part */
	put(b, &u, true);
	assert_int_equal(store_user_find(b->store, "Office@example.test", false, &got), 0);
	assert_string_equal(got->code, "200");
	user_free(got);
	u.code = "300";
	put(b, &u, true);
	assert_int_equal(store_user_find(b->store, "Office@example.test", false, &got), -ENOTUNIQ);
}

static void verifier_stays_changes_goes(void **state)
{
	struct box *b = *state;
	struct user u = good, *got;
	char verifier[SCRAM_TEXT_MAX];
	struct scram_verifier v;

	assert_int_equal(scram_verifier_make("secret", &v, NULL), 0);
	scram_verifier_format(&v, verifier);
	put(b, &good, true);
	u.pop3_password = NULL;
	u.verifier = verifier;
	put(b, &u, false);
	u.verifier = NULL;
	put(b, &u, false);
	assert_int_equal(store_user_get(b->store, "100", true, &got), 0);
	assert_string_equal(got->verifier, verifier);
	assert_string_equal(got->pop3_password, "correct horse battery");
	assert_true(got->has_login);
	user_free(got);
	assert_int_equal(store_user_get(b->store, "100", false, &got), 0);
	assert_null(got->verifier);
	assert_true(got->has_login);
	user_free(got);
	u.verifier = "";
	put(b, &u, false);
	assert_int_equal(store_user_get(b->store, "100", true, &got), 0);
	assert_null(got->verifier);
	assert_false(got->has_login);
	user_free(got);
}

static void exec(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void expect_users(struct box *b, uint64_t want)
{
	uint64_t n;

	assert_int_equal(store_user_count(b->store, &n), 0);
	assert_int_equal(n, want);
}

static void many_are_stored_or_none(void **state)
{
	struct user a = good, c = good, *users[] = { &a, &c };
	const bool create[] = { true, true }, edit[] = { false, false };
	struct error e = { 0 };
	struct box *b = *state;
	size_t bad = 0;

	a.code = "1";
	c.code = "2";
	assert_int_equal(store_import_begin(b->store, &e), 0);
	assert_int_equal(store_import_stage(b->store, users, create, 2, &bad, &e), 0);
	store_import_abort(b->store);
	expect_users(b, 0);
	c.keep_days = 32;
	assert_int_equal(store_import_begin(b->store, &e), 0);
	assert_int_equal(store_import_stage(b->store, users, create, 2, &bad, &e), -EINVAL);
	assert_int_equal(bad, 1);
	store_import_abort(b->store);
	expect_users(b, 0);
	c.keep_days = 31;
	assert_int_equal(store_import_begin(b->store, &e), 0);
	assert_int_equal(store_import_stage(b->store, users, create, 1, &bad, &e), 0);
	assert_int_equal(store_import_stage(b->store, users + 1, create, 1, &bad, &e), 0);
	expect_users(b, 0);
	assert_int_equal(store_import_commit(b->store, &e), 0);
	assert_int_equal(store_import_apply(b->store, 1, &e), 1);
	assert_int_equal(store_user_check_code(b->store, "1", &e), -EEXIST);
	assert_int_equal(store_import_apply(b->store, 1, &e), 0);
	expect_users(b, 2);
	assert_int_equal(store_import_begin(b->store, &e), 0);
	assert_int_equal(store_import_stage(b->store, users, create, 2, &bad, &e), -EEXIST);
	assert_int_equal(bad, 0);
	store_import_abort(b->store);
	assert_int_equal(store_user_check_code(b->store, "2", &e), -EEXIST);
	assert_int_equal(store_user_check_code(b->store, "3", &e), 0);
	assert_int_equal(store_user_check_code(b->store, "3 ", &e), -EINVAL);
	c.code = "3";
	assert_int_equal(store_import_begin(b->store, &e), 0);
	assert_int_equal(store_import_stage(b->store, users, edit, 2, &bad, &e), -ENOENT);
	assert_int_equal(bad, 1);
	store_import_abort(b->store);
}

/* Of a known one what is not given stays, and he stays himself. */
static void many_are_edited(void **state)
{
	struct user a = good, *users[] = { &a }, *was, *is;
	const bool edit[] = { false };
	struct error e = { 0 };
	struct box *b = *state;
	char *ring;
	size_t bad;

	a.panel_hash = "$y$x";
	assert_int_equal(store_user_put(b->store, &a, true, &e), 0);
	assert_int_equal(store_user_get(b->store, a.code, true, &was), 0);
	a.pop3_password = NULL;
	a.panel_hash = "";
	a.name = "Another";
	assert_int_equal(store_import_begin(b->store, &e), 0);
	assert_int_equal(store_import_stage(b->store, users, edit, 1, &bad, &e), 0);
	assert_int_equal(store_import_commit(b->store, &e), 0);
	assert_int_equal(store_import_apply(b->store, 5, &e), 0);
	assert_int_equal(store_user_get(b->store, a.code, true, &is), 0);
	assert_string_equal(is->name, "Another");
	assert_string_equal(is->pop3_password, was->pop3_password);
	assert_string_equal(is->ring, was->ring);
	assert_string_equal(is->address, was->address);
	assert_int_equal(is->keep_days, was->keep_days);
	assert_true(was->has_panel_password && !is->has_panel_password);
	user_free(was);
	user_free(is);
	assert_int_equal(store_ring_left(b->store, &ring), -ENOENT);
}

/* A crash before the promise leaves none of them, after it all. */
static void a_crash_does_not_part_them(void **state)
{
	struct user a = good, c = good, *users[] = { &a, &c };
	const bool create[] = { true, true };
	struct alias alias = { .name = "2", .members = (char *[]){ "a@x.test", NULL } };
	struct error e = { 0 };
	struct box *b = *state;
	size_t bad;

	a.code = "1";
	c.code = "2";
	for (int moved = -1; moved < 2; moved++) {
		assert_int_equal(store_import_begin(b->store, &e), 0);
		assert_int_equal(store_import_stage(b->store, users, create, 2, &bad, &e), 0);
		/* What was checked of them must go on to hold. */
		assert_int_equal(store_user_put(b->store, &good, true, &e), -EBUSY);
		assert_int_equal(store_user_remove(b->store, "1", &e), -EBUSY);
		assert_int_equal(store_alias_put(b->store, &alias, true, &e), -EBUSY);
		assert_int_equal(store_alias_remove(b->store, "1", &e), -EBUSY);
		if (moved >= 0)
			assert_int_equal(store_import_commit(b->store, &e), 0);
		if (moved > 0)
			assert_int_equal(store_import_apply(b->store, 1, &e), 1);
		box_close(b);
		box_open(b);
		expect_users(b, moved < 0 ? 0 : 2);
		if (moved < 0)
			continue;
		assert_int_equal(store_user_remove(b->store, "1", &e), 0);
		assert_int_equal(store_user_remove(b->store, "2", &e), 0);
	}
}

static void one_touch_keys_are_one_recipient_each(void **state)
{
	struct recipient r = { .address = "a@x.test", .accepts = "s", .one_touch = 3 }, *got;
	struct error e = { 0 };
	struct box *b = *state;

	assert_int_equal(store_recipient_put(b->store, &r, &e), 0);
	assert_int_equal(store_recipient_put(b->store, &r, &e), 0);
	r.address = "b@x.test";
	assert_int_equal(store_recipient_put(b->store, &r, &e), -EEXIST);
	assert_non_null(strstr(e.text, "a@x.test"));
	r.one_touch = ONE_TOUCH_KEYS + 1;
	assert_int_equal(store_recipient_put(b->store, &r, &e), -EINVAL);
	r.one_touch = 0;
	assert_int_equal(store_recipient_put(b->store, &r, &e), 0);
	r.address = "c@x.test";
	assert_int_equal(store_recipient_put(b->store, &r, &e), 0);
	assert_int_equal(store_recipient_get(b->store, "a@x.test", &got), 0);
	assert_int_equal(got->one_touch, 3);
	recipient_free(got);
}

/* The file as the first releases wrote it, without a version. */
static void an_old_file_is_brought_up(void **state)
{
	struct store_options o = { .segment_bytes = SMALL_SEGMENT };
	struct box *b = *state;
	struct error e = { 0 };
	struct user *got;
	char path[128];

	box_close(b);
	snprintf(path, sizeof(path), "%s/users.db", b->state);
	exec(path, "DROP TABLE users; DROP TABLE recipients; DROP TABLE aliases; "
	     "DROP TABLE members; DROP TABLE rings_left; DROP TABLE users_staged; "
	     "DROP TABLE staged_whole; PRAGMA user_version=0;"
	     "CREATE TABLE users(code TEXT PRIMARY KEY, name TEXT, address TEXT, pop3_host TEXT,"
	     " pop3_port INT, pop3_tls TEXT, pop3_login TEXT, sealed BLOB, auto_receive INT,"
	     " auto_print INT, interval INT, keep_days INT, leave INT) WITHOUT ROWID;"
	     "INSERT INTO users VALUES('7','Otto','otto@x.test','h',110,'none','l',NULL,"
	     "1,1,9,7,1);");
	for (int i = 0; i < 2; i++) {	/* and again: nothing is left to do */
		box_open(b);
		assert_int_equal(store_user_find(b->store, "otto@x.test", true, &got), 0);
		assert_string_equal(got->name, "Otto");
		assert_int_equal(got->interval, 9);
		assert_true(got->leave_on_server && !got->has_login);
		assert_true(got->receive_text && !got->encrypt && !got->collect_after_send);
		assert_string_equal(got->ring, "7");
		user_free(got);
		box_close(b);
	}
	/* One of the future is left alone. */
	exec(path, "PRAGMA user_version=99;");
	o.spool = b->spool;
	o.state = b->state;
	assert_int_equal(store_open(&b->store, b->event, &o, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "newer ifax"));
	exec(path, "PRAGMA user_version=6;");
	box_open(b);
}

static char *ring_of(struct box *b, const char *code)
{
	struct user *u;
	char *ring;

	assert_int_equal(store_user_get(b->store, code, false, &u), 0);
	ring = strdup(u->ring);
	user_free(u);
	return ring;
}

/* Who gets a code that was another's does not get his ring, and that is not forgotten. */
static void a_ring_is_never_another_users(void **state)
{
	struct user u = { .code = (char *)"7", .keep_days = 7 };
	struct box *b = *state;
	struct error e = { 0 };
	_free_ char *first = NULL, *left = NULL, *second = NULL;

	assert_int_equal(store_user_put(b->store, &u, true, &e), 0);
	first = ring_of(b, "7");
	assert_int_equal(strncmp(first, "7.", 2), 0);
	assert_int_equal(store_user_put(b->store, &u, false, &e), 0);
	second = ring_of(b, "7");
	assert_string_equal(first, second);
	free(take_ptr(second));
	assert_int_equal(store_ring_left(b->store, &left), -ENOENT);
	assert_int_equal(store_user_remove(b->store, "7", &e), 0);
	box_close(b);
	box_open(b);
	assert_int_equal(store_ring_left(b->store, &left), 0);
	assert_string_equal(left, first);
	assert_int_equal(store_user_put(b->store, &u, true, &e), 0);
	second = ring_of(b, "7");
	assert_string_not_equal(second, first);
	assert_int_equal(store_ring_gone(b->store, first, &e), 0);
	free(take_ptr(left));
	assert_int_equal(store_ring_left(b->store, &left), -ENOENT);
}

int main(void)
{
#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		t(every_field_comes_back),    t(password_stays_changes_goes),
		t(password_is_not_on_disk),   t(seal_is_bound_to_its_user),
		t(no_key_no_password),	      t(bad_input_has_its_sentence),
		t(recipients),		      t(aliases_and_lists),
		t(loops_are_refused),	      t(bad_aliases_have_their_sentence),
		t(a_code_is_no_alias),	      t(users_are_found),
		t(verifier_stays_changes_goes), t(an_old_file_is_brought_up),
		t(many_are_stored_or_none),   t(one_touch_keys_are_one_recipient_each),
		t(a_ring_is_never_another_users), t(many_are_edited),
		t(a_crash_does_not_part_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
