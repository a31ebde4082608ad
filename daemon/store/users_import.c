// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many users at once. They are staged in a table of their own, and moved from
 * there to the users': each step is a transaction that is short, whatever they
 * are in all. A mark says that all are staged. On disk there is
 *
 *	before it	the users as they were; what is staged is dropped on opening
 *	after it	what is moved already and what is staged, which are all of them;
 *			the rest is moved on opening
 *
 * As nothing else changes users meanwhile, what was checked when it was staged holds.
 */
#include "store/store_internal.h"

/* Moved in one go when nobody waits for the loop: on opening. */
#define MANY 1000

/* The parameters are those of the statements in users.c. */
static const char stage_new_sql[] =
	"INSERT INTO users_staged SELECT ?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,"
	"?17,?18,?19,?1||'.'||lower(hex(randomblob(8))) "
	"WHERE NOT EXISTS(SELECT 1 FROM users WHERE code=?1)";
static const char stage_known_sql[] =
	"INSERT INTO users_staged SELECT ?1,?2,?3,?4,?5,?6,?7,iif(?20,?8,sealed),?9,?10,?11,?12,"
	"?13,iif(?21,?14,verifier),iif(?22,?15,panel_hash),?16,?17,?18,?19,ring FROM users "
	"WHERE code=?1";
/* The first ?1 of them. */
static const char move_sql[] =
	"INSERT INTO users SELECT * FROM users_staged"
	" WHERE rowid<(SELECT min(rowid) FROM users_staged)+?1 "
	"ON CONFLICT(code) DO UPDATE SET name=excluded.name,address=excluded.address,"
	"pop3_host=excluded.pop3_host,pop3_port=excluded.pop3_port,pop3_tls=excluded.pop3_tls,"
	"pop3_login=excluded.pop3_login,sealed=excluded.sealed,"
	"auto_receive=excluded.auto_receive,auto_print=excluded.auto_print,"
	"interval=excluded.interval,keep_days=excluded.keep_days,leave=excluded.leave,"
	"verifier=excluded.verifier,panel_hash=excluded.panel_hash,at_end=excluded.at_end,"
	"receive_text=excluded.receive_text,collect_after_send=excluded.collect_after_send,"
	"encrypt=excluded.encrypt";
static const char moved_sql[] =
	"DELETE FROM users_staged WHERE rowid<(SELECT min(rowid) FROM users_staged)+?1";
/* With the last of them the mark goes. */
static const char all_moved_sql[] =
	"DELETE FROM staged_whole WHERE NOT EXISTS(SELECT 1 FROM users_staged)";

static int run(struct store *s, const char *sql, struct error *e)
{
	int rc = sqlite3_exec(s->users, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

static int prepare(struct store *s, const char *sql, sqlite3_stmt **ret, struct error *e)
{
	int rc = sqlite3_prepare_v2(s->users, sql, -1, ret, NULL);

	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

/* Ends a transaction of which @r is what became of it. */
static int end(struct store *s, int r, struct error *e)
{
	if (!r)
		r = run(s, "COMMIT", e);
	if (r < 0)
		run(s, "ROLLBACK", NULL);
	return r;
}

int users_check_settled(struct store *s, struct error *e)
{
	return s->importing ? error_set(e, -EBUSY, "Users are being imported; try again in a "
					"moment.") : 0;
}

static int is_whole(struct store *s, bool *ret, struct error *e)
{
	sqlite3_stmt *st;
	int rc, r = prepare(s, "SELECT 1 FROM staged_whole", &st, e);

	if (r < 0)
		return r;
	*ret = sqlite3_step(st) == SQLITE_ROW;
	rc = sqlite3_finalize(st);
	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

int users_settle(struct store *s, struct error *e)
{
	bool whole = false;
	int r = is_whole(s, &whole, e);

	if (!r && !whole)
		r = run(s, "DELETE FROM users_staged", e);
	else if (!r)
		while ((r = store_import_apply(s, MANY, e)) > 0)
			;
	if (!r)
		s->importing = false;
	return r;
}

int store_import_begin(struct store *s, struct error *e)
{
	/* One that the disk cut short comes first. */
	int r = users_settle(s, e);

	s->importing = !r || s->importing;
	return r;
}

static int stage_each(struct store *s, struct user *const *users, const bool *create, size_t n,
		      size_t *bad, struct error *e)
{
	sqlite3_stmt *fresh, *known = NULL;
	int r = prepare(s, stage_new_sql, &fresh, e);

	if (!r)
		r = prepare(s, stage_known_sql, &known, e);
	for (size_t i = 0; i < n && !r; i++) {
		r = users_put(s, create[i] ? fresh : known, users[i], create[i], e);
		if (r < 0)
			*bad = i;
	}
	sqlite3_finalize(fresh);
	sqlite3_finalize(known);
	return r;
}

int store_import_stage(struct store *s, struct user *const *users, const bool *create, size_t n,
		       size_t *bad, struct error *e)
{
	int r = run(s, "BEGIN IMMEDIATE", e);

	*bad = n;
	return r ? r : end(s, stage_each(s, users, create, n, bad, e), e);
}

int store_import_commit(struct store *s, struct error *e)
{
	return run(s, "INSERT INTO staged_whole VALUES(1)", e);
}

static int run_with(struct store *s, const char *sql, size_t n, struct error *e)
{
	sqlite3_stmt *st;
	int rc, r = prepare(s, sql, &st, e);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)n);
	sqlite3_step(st);
	rc = sqlite3_finalize(st);
	return rc == SQLITE_OK ? 0 : users_db_error(s, rc, e);
}

int store_import_apply(struct store *s, size_t n, struct error *e)
{
	bool more = true;
	int r = run(s, "BEGIN IMMEDIATE", e);

	if (r < 0)
		return r;
	r = run_with(s, move_sql, n, e);
	if (!r)
		r = run_with(s, moved_sql, n, e);
	if (!r)
		r = run(s, all_moved_sql, e);
	if (!r)
		r = is_whole(s, &more, e);
	r = end(s, r, e);
	if (r < 0)
		return r;
	s->importing = more;
	return more;
}

/* What cannot be settled now is by the next one, or on opening. */
void store_import_abort(struct store *s)
{
	users_settle(s, NULL);
	s->importing = false;
}
