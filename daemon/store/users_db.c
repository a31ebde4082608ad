// SPDX-License-Identifier: LGPL-2.1-or-later
/* users.db: the file of users, recipients and aliases, synchronous. */
#include "store/store_internal.h"

#include <string.h>

/*
 * How the file came to be what it is: step n brings it from version n to n + 1.
 * What stands here has run on people's files and is not edited.
 */
static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS users(code TEXT PRIMARY KEY, name TEXT, address TEXT,"
	" pop3_host TEXT, pop3_port INT, pop3_tls TEXT, pop3_login TEXT, sealed BLOB,"
	" auto_receive INT, auto_print INT, interval INT, keep_days INT, leave INT) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS recipients(address TEXT PRIMARY KEY COLLATE NOCASE, name TEXT,"
	" accepts TEXT) WITHOUT ROWID;",

	"ALTER TABLE users ADD COLUMN verifier TEXT;"
	"CREATE INDEX users_address ON users(address COLLATE NOCASE);"
	"CREATE TABLE aliases(name TEXT PRIMARY KEY, title TEXT, kind TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE members(name TEXT, place INT, member TEXT NOT NULL,"
	" PRIMARY KEY(name, place)) WITHOUT ROWID;",

	"ALTER TABLE users ADD COLUMN panel_hash TEXT;"
	"ALTER TABLE users ADD COLUMN at_end TEXT;"
	"ALTER TABLE users ADD COLUMN receive_text INT DEFAULT 1;"
	"ALTER TABLE users ADD COLUMN collect_after_send INT DEFAULT 0;"
	"ALTER TABLE users ADD COLUMN encrypt INT DEFAULT 0;"
	"ALTER TABLE recipients ADD COLUMN method TEXT;"
	"ALTER TABLE recipients ADD COLUMN key TEXT;"
	"ALTER TABLE recipients ADD COLUMN must_encrypt INT DEFAULT 0;",

	("ALTER TABLE recipients ADD COLUMN one_touch INT;"
	 "CREATE UNIQUE INDEX recipients_one_touch ON recipients(one_touch);"),

	"ALTER TABLE users ADD COLUMN ring TEXT;"
	"UPDATE users SET ring=code;"
	"CREATE TABLE rings_left(ring TEXT PRIMARY KEY) WITHOUT ROWID;"
	"CREATE TRIGGER users_gone AFTER DELETE ON users BEGIN"
	" INSERT OR IGNORE INTO rings_left VALUES(old.ring); END;",

	"CREATE TABLE users_staged(code TEXT NOT NULL UNIQUE, name TEXT, address TEXT,"
	" pop3_host TEXT, pop3_port INT, pop3_tls TEXT, pop3_login TEXT, sealed BLOB,"
	" auto_receive INT, auto_print INT, interval INT, keep_days INT, leave INT, verifier TEXT,"
	" panel_hash TEXT, at_end TEXT, receive_text INT, collect_after_send INT, encrypt INT,"
	" ring TEXT);"
	"CREATE TABLE staged_whole(mark INTEGER PRIMARY KEY);",
};

static const char *const queries[_USERS_QUERIES] = {
	[USERS_BY_CODE] = "SELECT * FROM users WHERE code=?",
	[USERS_BY_ADDRESS] = "SELECT * FROM users WHERE address=? COLLATE NOCASE",
	[USERS_RECIPIENT] = "SELECT * FROM recipients WHERE address=?",
	[USERS_ALIAS] = "SELECT name,title,kind FROM aliases WHERE name=lower(?)",
	[USERS_MEMBERS] = "SELECT member FROM members WHERE name=? ORDER BY place",
};

int users_db_error(struct store *s, int rc, struct error *e)
{
	return error_set(e, rc == SQLITE_FULL ? -ENOSPC : -EIO, "The users' file failed: %s.",
			 sqlite3_errmsg(s->users));
}

static int version(struct store *s, int *ret, struct error *e)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->users, "PRAGMA user_version", -1, &st, NULL);

	if (rc == SQLITE_OK) {
		if (sqlite3_step(st) == SQLITE_ROW)
			*ret = sqlite3_column_int(st, 0);
		rc = sqlite3_finalize(st);
	}
	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

/* Step and new version are one transaction: a crash leaves the file as it was or as it is to be. */
static int upgrade(struct store *s, int from, struct error *e)
{
	_buffer_ struct buffer sql = { 0 };
	int rc, r = buffer_printf(&sql, "BEGIN IMMEDIATE; %s PRAGMA user_version=%d; COMMIT;",
				  schema[from], from + 1);

	if (r < 0)
		return error_set(e, r, "Out of memory.");
	rc = sqlite3_exec(s->users, sql.data, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return 0;
	r = users_db_error(s, rc, e);
	sqlite3_exec(s->users, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int prepare_queries(struct store *s, struct error *e)
{
	int rc = SQLITE_OK;

	for (int i = 0; i < _USERS_QUERIES && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(s->users, queries[i], -1, SQLITE_PREPARE_PERSISTENT,
					&s->users_queries[i], NULL);
	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

/*
 * Nobody else has the file open, so it is locked once and not for each look-up. Its
 * journal is emptied after a change: what was overwritten would stand there.
 */
int users_open(struct store *s, const char *state, struct error *e)
{
	_buffer_ struct buffer path = { 0 };
	int rc, r, v = 0;

	if (buffer_printf(&path, "%s/users.db", state) < 0)
		return error_set(e, -ENOMEM, "Out of memory.");
	r = private_file(path.data);
	if (r < 0)
		return error_set(e, r, "%s cannot be opened: %s.", path.data, strerror(-r));
	rc = sqlite3_open_v2(path.data, &s->users,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			     NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->users,
				  "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=TRUNCATE;"
				  "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;", NULL, NULL,
				  NULL);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	r = version(s, &v, e);
	if (!r && (v < 0 || v > (int)ARRAY_SIZE(schema)))
		r = error_set(e, -ENOTSUP, "%s was written by a newer ifax; install that again.",
			      path.data);
	for (; !r && v < (int)ARRAY_SIZE(schema); v++)
		r = upgrade(s, v, e);
	if (!r)
		r = users_settle(s, e);
	return r ? r : prepare_queries(s, e);
}

void users_close(struct store *s)
{
	for (int i = 0; i < _USERS_QUERIES; i++) {
		sqlite3_finalize(s->users_queries[i]);
		s->users_queries[i] = NULL;
	}
	sqlite3_close(s->users);
	s->users = NULL;
}

void users_bind_text(sqlite3_stmt *st, int at, const char *v)
{
	if (v)
		sqlite3_bind_text(st, at, v, -1, SQLITE_STATIC);
}

sqlite3_stmt *users_query(struct store *s, enum users_query which, const char *key)
{
	sqlite3_stmt *st = s->users_queries[which];

	users_bind_text(st, 1, key);
	return st;
}

void users_done(sqlite3_stmt *st)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

int users_column(sqlite3_stmt *st, int i, char **ret)
{
	const char *v = (const char *)sqlite3_column_text(st, i);

	return v ? job_set(ret, v) : 0;
}

/* Room for a power of two. */
static int grow(void ***list, size_t n)
{
	void **p = *list;

	if (n & (n - 1))
		return 0;
	p = reallocarray(p, n ? 2 * n : 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	*list = p;
	return 0;
}

int users_list(struct store *s, const char *sql,
	       int (*row)(struct store *s, sqlite3_stmt *st, void **ret),
	       void (*drop)(void **list, size_t n), void ***ret, size_t *n)
{
	void **list = NULL;
	sqlite3_stmt *st;
	size_t count = 0;
	int r = 0, rc = SQLITE_DONE;

	if (sqlite3_prepare_v2(s->users, sql, -1, &st, NULL))
		return -EIO;
	while (!r && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		r = grow(&list, count);
		if (!r)
			r = row(s, st, &list[count]);
		count += !r;
	}
	sqlite3_finalize(st);
	if (!r && rc != SQLITE_DONE)
		r = -EIO;
	if (r < 0) {
		drop(list, count);
		return r;
	}
	*ret = list;
	*n = count;
	return 0;
}

int users_remove_row(struct store *s, const char *sql, const char *key, struct error *e)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->users, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	users_bind_text(st, 1, key);
	sqlite3_step(st);
	rc = sqlite3_finalize(st);
	if (rc != SQLITE_OK)
		return users_db_error(s, rc, e);
	return sqlite3_changes(s->users) ? 0 : -ENOENT;
}
