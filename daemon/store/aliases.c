// SPDX-License-Identifier: LGPL-2.1-or-later
/* Aliases and lists: the names of users.db beside its users. */
#include "store/store_internal.h"

#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 64		/* of a local part */
#define TITLE_MAX    512
#define MEMBER_MAX   320
#define NESTED_MAX   1000	/* names met in a search for loops */

static const char *const kinds[] = {
	[ALIAS_PLAIN] = "plain",
	[ALIAS_MOVED] = "moved",
	[ALIAS_GONE] = "gone",
};

const char *alias_kind_name(enum alias_kind kind)
{
	return kind < _ALIAS_KINDS ? kinds[kind] : "unknown";
}

int alias_kind_from_name(const char *name)
{
	for (int i = 0; i < _ALIAS_KINDS; i++)
		if (!strcmp(kinds[i], name))
			return i;
	return -EINVAL;
}

static size_t count_members(const struct alias *a)
{
	size_t n = 0;

	while (a->members && a->members[n])
		n++;
	return n;
}

void alias_free(struct alias *a)
{
	if (!a)
		return;
	for (size_t i = 0; a->members && a->members[i]; i++)
		free(a->members[i]);
	free(a->members);
	free(a->name);
	free(a->title);
	free(a);
}

void alias_list_free(struct alias **a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		alias_free(a[i]);
	free(a);
}

int alias_add_member(struct alias *a, const char *member)
{
	size_t n = count_members(a);
	char **grown = a->members;

	/* Room for a power of two, and the NULL. */
	if (!(n & (n - 1))) {
		grown = reallocarray(a->members, (n ? 2 * n : 1) + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		if (!a->members)
			grown[0] = NULL;
		a->members = grown;
	}
	grown[n] = strdup(member);
	if (!grown[n])
		return -ENOMEM;
	grown[n + 1] = NULL;
	return 0;
}

/*
 * Checks
 */

/* A dot-string of RFC 5321 4.1.2, in lower case. */
static int check_name(const char *name, struct error *e)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.";
	size_t n = name ? strlen(name) : 0;

	if (!n || n > NAME_MAX_LEN || n != strspn(name, good) || name[0] == '.' ||
	    name[n - 1] == '.' || strstr(name, ".."))
		return error_set(e, -EINVAL, "The name of an alias or list is what stands before "
				 "the @ of a mail address, in small letters, at most %d of them.",
				 NAME_MAX_LEN);
	return 0;
}

static int check_member(const char *m, struct error *e)
{
	const char *at = strrchr(m, '@');
	int r = users_check_text("member", m, MEMBER_MAX, e);

	if (!r && (!*m || strpbrk(m, " <>,;\"") || at == m || (at && !at[1])))
		r = error_set(e, -EINVAL, "\"%s\" cannot be a member: name a mail address, an "
			      "alias, a list, or the code of a user.", m);
	return r;
}

static int check_alias(const struct alias *a, struct error *e)
{
	size_t n = count_members(a);
	int r = check_name(a->name, e);

	if (!r)
		r = users_check_text("title", a->title, TITLE_MAX, e);
	if (!r && !n)
		r = error_set(e, -EINVAL, "%s has no member: mail for it would go nowhere.",
			      a->name);
	if (!r && n > ALIAS_MEMBERS_MAX)
		r = error_set(e, -EINVAL, "A list has at most %d members.", ALIAS_MEMBERS_MAX);
	if (!r && a->kind != ALIAS_PLAIN && (n != 1 || !strchr(a->members[0], '@')))
		r = error_set(e, -EINVAL, "Who has moved has one new address: name@domain.");
	for (size_t i = 0; i < n && !r; i++)
		r = check_member(a->members[i], e);
	return r;
}

static int check_no_user(struct store *s, const char *name, struct error *e)
{
	struct user *u = NULL;
	int r = store_user_get(s, name, false, &u);

	user_free(u);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? error_set(e, r, "The users' file cannot be read.") :
		       error_set(e, -EINVAL, "%s is the code of a user.", name);
}

/* Names still to be looked into; each stands here once. */
struct walk {
	char **names;
	size_t n, size;
};

static int walk_add(struct walk *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (!strcasecmp(w->names[i], name))
			return 0;
	if (w->n == NESTED_MAX)
		return -E2BIG;
	if (w->n == w->size) {
		size_t size = w->size ? 2 * w->size : 16;
		void *p = reallocarray(w->names, size, sizeof(*w->names));

		if (!p)
			return -ENOMEM;
		w->names = p;
		w->size = size;
	}
	w->names[w->n] = strdup(name);
	if (!w->names[w->n])
		return -ENOMEM;
	w->n++;
	return 0;
}

/* Members without "@" are names of this box. */
static int walk_members(struct walk *w, const struct alias *a)
{
	int r = 0;

	for (size_t i = 0; a->members[i] && !r; i++)
		if (!strchr(a->members[i], '@'))
			r = walk_add(w, a->members[i]);
	return r;
}

/* A list may hold lists, but none that leads back to it. */
static int check_loops(struct store *s, const struct alias *top, struct error *e)
{
	struct walk w = { 0 };
	int r = walk_members(&w, top);

	for (size_t i = 0; i < w.n && !r; i++) {
		struct alias *a = NULL;

		if (!strcasecmp(w.names[i], top->name)) {
			r = -ELOOP;
			break;
		}
		r = store_alias_get(s, w.names[i], &a);
		r = r == -ENOENT ? 0 : r ? r : walk_members(&w, a);
		alias_free(a);
	}
	for (size_t i = 0; i < w.n; i++)
		free(w.names[i]);
	free(w.names);
	if (r == -ELOOP)
		return error_set(e, r, "%s would hold itself, by way of its members.", top->name);
	if (r == -E2BIG)
		return error_set(e, r, "%s holds more than %d names by way of its members.",
				 top->name, NESTED_MAX);
	return r < 0 ? error_set(e, r, "The users' file cannot be read: %s.", strerror(-r)) : 0;
}

/*
 * Reading and writing
 */

static int run(struct store *s, const char *sql, struct error *e)
{
	int rc = sqlite3_exec(s->users, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

static int write_members(struct store *s, const struct alias *a, struct error *e)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->users, "INSERT INTO members VALUES(?,?,?)", -1, &st, NULL);

	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	rc = SQLITE_DONE;
	for (size_t i = 0; a->members[i] && rc == SQLITE_DONE; i++) {
		users_bind_text(st, 1, a->name);
		sqlite3_bind_int64(st, 2, (sqlite3_int64)i);
		users_bind_text(st, 3, a->members[i]);
		rc = sqlite3_step(st);
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : users_db_error(s, rc, e);
}

static int write_alias(struct store *s, const struct alias *a, struct error *e)
{
	sqlite3_stmt *st;
	int rc, r = users_remove_row(s, "DELETE FROM members WHERE name=?", a->name, e);

	if (r < 0 && r != -ENOENT)
		return r;
	rc = sqlite3_prepare_v2(s->users, "INSERT OR REPLACE INTO aliases VALUES(?,?,?)", -1, &st,
				NULL);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	users_bind_text(st, 1, a->name);
	users_bind_text(st, 2, a->title);
	users_bind_text(st, 3, alias_kind_name(a->kind));
	sqlite3_step(st);
	rc = sqlite3_finalize(st);
	return rc == SQLITE_OK ? write_members(s, a, e) : users_db_error(s, rc, e);
}

static int check_there(struct store *s, const char *name, bool create, struct error *e)
{
	struct alias *a = NULL;
	int r = store_alias_get(s, name, &a);

	alias_free(a);
	if (!r && create)
		return error_set(e, -EEXIST, "There is an alias or list %s already.", name);
	if (r == -ENOENT)
		return create ? 0 : error_set(e, r, "There is no alias or list %s.", name);
	return r < 0 ? error_set(e, r, "The users' file cannot be read.") : 0;
}

int store_alias_put(struct store *s, const struct alias *a, bool create, struct error *e)
{
	int r = check_alias(a, e);

	if (!r)
		r = users_check_settled(s, e);
	if (!r)
		r = check_no_user(s, a->name, e);
	if (!r)
		r = check_there(s, a->name, create, e);
	if (!r)
		r = check_loops(s, a, e);
	if (!r)
		r = run(s, "BEGIN IMMEDIATE", e);
	if (r < 0)
		return r;
	r = write_alias(s, a, e);
	if (!r)
		r = run(s, "COMMIT", e);
	if (r < 0)
		run(s, "ROLLBACK", NULL);
	return r;
}

/* The row that @st stands on: name, title, kind. */
static int row_alias(struct store *s, sqlite3_stmt *st, struct alias **ret)
{
	struct alias *a = calloc(1, sizeof(*a));
	int kind, rc = SQLITE_DONE, r = a ? users_column(st, 0, &a->name) : -ENOMEM;
	sqlite3_stmt *members = NULL;

	if (!r)
		r = users_column(st, 1, &a->title);
	if (!r) {
		kind = alias_kind_from_name((const char *)sqlite3_column_text(st, 2));
		a->kind = kind < 0 ? ALIAS_PLAIN : (enum alias_kind)kind;
		members = users_query(s, USERS_MEMBERS, a->name);
	}
	while (!r && (rc = sqlite3_step(members)) == SQLITE_ROW)
		r = alias_add_member(a, (const char *)sqlite3_column_text(members, 0));
	if (members)
		users_done(members);
	if (!r && (rc != SQLITE_DONE || !a->members))
		r = -EIO;
	if (r < 0) {
		alias_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

int store_alias_get(struct store *s, const char *name, struct alias **ret)
{
	sqlite3_stmt *st = users_query(s, USERS_ALIAS, name);
	int r, rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		r = row_alias(s, st, ret);
	else
		r = rc == SQLITE_DONE ? -ENOENT : -EIO;
	users_done(st);
	return r;
}

static int list_row(struct store *s, sqlite3_stmt *st, void **ret)
{
	return row_alias(s, st, (struct alias **)ret);
}

static void list_free(void **list, size_t n)
{
	alias_list_free((struct alias **)list, n);
}

int store_alias_list(struct store *s, struct alias ***ret, size_t *n)
{
	void **list;
	int r = users_list(s, "SELECT name,title,kind FROM aliases ORDER BY name", list_row,
			   list_free, &list, n);

	if (!r)
		*ret = (struct alias **)list;
	return r;
}

/* A member row without its alias is nothing: it goes when the name is made anew. */
int store_alias_remove(struct store *s, const char *name, struct error *e)
{
	int r = users_check_settled(s, e);

	if (!r)
		r = users_remove_row(s, "DELETE FROM aliases WHERE name=lower(?)", name, e);
	if (r == -ENOENT)
		return error_set(e, r, "There is no alias or list %s.", name);
	if (!r)
		r = users_remove_row(s, "DELETE FROM members WHERE name=lower(?)", name, e);
	return r == -ENOENT ? 0 : r;
}
