// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The index in SQLite. WAL with synchronous=NORMAL: a power failure may take the
 * last transactions, never the file's soundness; what is missing is replayed.
 */
#include "store/routes.h"
#include "store/store_internal.h"

#include <fcntl.h>
#include <libgen.h>
#include <string.h>

#define VERSION	   5
#define LIST_LIMIT 1000

static const char schema[] =
	"CREATE TABLE place(one INTEGER PRIMARY KEY, segment INT, offset INT, seq INT, nonce INT,"
	" last_id INT);"
	"CREATE TABLE jobs(id INTEGER PRIMARY KEY, kind INT, state INT, final INT, user TEXT,"
	" next_try INT, message_id TEXT, digest TEXT,"
	" oldest INT," /* the oldest segment that it needs */
	" body_segment INT, body_offset INT, body_seq INT, body_skip INT, body_len INT,"
	" shared INT, deadline INT, finished INT, envid TEXT, kept INT, record_len INT,"
	" record BLOB);"
	"CREATE INDEX jobs_open ON jobs(next_try) WHERE final=0;"
	"CREATE INDEX jobs_print ON jobs(state, next_try, id) WHERE final=0 AND kind=1;"
	"CREATE INDEX jobs_user ON jobs(user) WHERE user IS NOT NULL;"
	"CREATE INDEX jobs_twin ON jobs(message_id) WHERE message_id IS NOT NULL AND kind=1;"
	"CREATE INDEX jobs_sent ON jobs(message_id) WHERE message_id IS NOT NULL AND kind IN (0,3);"
	"CREATE INDEX jobs_envid ON jobs(envid) WHERE envid IS NOT NULL;"
	"CREATE INDEX jobs_oldest ON jobs(oldest, body_offset);"
	"CREATE INDEX jobs_live ON jobs(final, shared, record_len, body_len);"
	"CREATE INDEX jobs_deadline ON jobs(deadline) WHERE deadline IS NOT NULL;"
	"CREATE INDEX jobs_finished ON jobs(finished) WHERE finished IS NOT NULL;"
	"CREATE TABLE routes(domain TEXT, due INT, id INT, PRIMARY KEY(domain, due, id))"
	" WITHOUT ROWID;"
	"CREATE INDEX routes_due ON routes(due, id) WHERE domain<>'';"
	"CREATE TABLE sources(source TEXT PRIMARY KEY, segment INT) WITHOUT ROWID;"
	"CREATE INDEX sources_segment ON sources(segment);"
	"PRAGMA user_version=5;";

enum statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_PLACE_PUT,
	SQL_PLACE_GET,
	SQL_JOB_PUT,
	SQL_JOB_UPDATE,
	SQL_JOB_STATE,
	SQL_JOB_GET,
	SQL_BODY_GET,
	SQL_JOB_REMOVE,
	SQL_ROUTE_PUT,
	SQL_ROUTE_REMOVE,
	SQL_ROUTE_TO,
	SQL_ROUTE_ANY,
	SQL_ROUTE_FIRST,
	SQL_ROUTE_DOMAIN,
	SQL_DEADLINE,
	SQL_FINISHED,
	SQL_TWIN,
	SQL_SENT,
	SQL_ENVID,
	SQL_SOURCE_PUT,
	SQL_SOURCE_HAS,
	SQL_SOURCE_REMOVE,
	SQL_SOURCE_EACH,
	SQL_JOB_IN,
	SQL_SOURCE_IN,
	SQL_LIVE,
	_STATEMENTS
};

static const char *const sql[_STATEMENTS] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_PLACE_PUT] = "INSERT OR REPLACE INTO place VALUES(1,?,?,?,?,?)",
	[SQL_PLACE_GET] = "SELECT segment,offset,seq,nonce,last_id FROM place",
	[SQL_JOB_PUT] = "INSERT OR REPLACE INTO jobs(record,record_len,kind,state,final,user,"
			"next_try,message_id,digest,id,oldest,body_segment,body_offset,body_seq,"
			"body_skip,body_len,shared,deadline,finished,envid,kept) VALUES(?1,?2,?3,"
			"?4,?5,?6,?7,?8,?9,?10,iif(?5 OR NOT ?12,?11,?12),?12,?13,?14,?15,?16,"
			"?17,?18,?19,?20,?21)",
	[SQL_JOB_UPDATE] = "UPDATE jobs SET record=?1,record_len=?2,kind=?3,state=?4,final=?5,"
			   "user=?6,next_try=?7,message_id=?8,digest=?9,deadline=?18,finished=?19,"
			   "kept=?21,"
			   "oldest=iif(?5 OR NOT body_segment,?11,body_segment) WHERE id=?10",
	/* The same where nothing else is new: spares the entries of most of the table's indexes. */
	[SQL_JOB_STATE] = "UPDATE jobs SET record=?1,record_len=?2,state=?4 WHERE id=?10",
	[SQL_JOB_GET] = "SELECT record,body_segment,body_offset,body_seq,body_skip,body_len,shared "
			"FROM jobs WHERE id=?",
	[SQL_BODY_GET] = "SELECT state,body_segment,body_offset,body_seq,body_skip,body_len,shared "
			 "FROM jobs WHERE id=?",
	[SQL_JOB_REMOVE] = "DELETE FROM jobs WHERE id=?",
	[SQL_ROUTE_PUT] = "INSERT OR REPLACE INTO routes VALUES(?,?,?)",
	[SQL_ROUTE_REMOVE] = "DELETE FROM routes WHERE domain=? AND due=? AND id=?",
	[SQL_ROUTE_TO] = "SELECT domain,due,id FROM routes WHERE domain=?3 AND (due,id)>(?1,?2) "
			 "ORDER BY due,id",
	[SQL_ROUTE_ANY] = "SELECT domain,due,id FROM routes WHERE domain<>'' AND (due,id)>(?1,?2) "
			  "ORDER BY due,id",
	[SQL_ROUTE_FIRST] = "SELECT domain,due,id FROM routes ORDER BY domain,due,id LIMIT 1",
	[SQL_ROUTE_DOMAIN] = "SELECT domain,due,id FROM routes WHERE domain>? "
			     "ORDER BY domain,due,id LIMIT 1",
	[SQL_DEADLINE] = "SELECT id,deadline FROM jobs WHERE deadline IS NOT NULL "
			 "ORDER BY deadline LIMIT 1",
	[SQL_FINISHED] = "SELECT id,finished FROM jobs WHERE finished IS NOT NULL "
			 "ORDER BY finished LIMIT 1",
	/* Those that printed or will: not failed, canceled, removed or themselves duplicates. */
	[SQL_TWIN] = "SELECT id FROM jobs WHERE kind=1 AND message_id=?1 AND digest=?2 AND id<>?3 "
		     "AND (?3=0 OR id<?3) AND state NOT IN (?4,?5,?6,?7) "
		     "AND (user=?8 OR NOT (kept OR ?9)) ORDER BY id LIMIT 1",
	[SQL_SENT] = "SELECT id FROM jobs WHERE kind IN (0,3) AND message_id=? AND id<? "
		     "ORDER BY id DESC LIMIT 1",
	[SQL_ENVID] = "SELECT id FROM jobs WHERE envid=? AND id<? ORDER BY id DESC LIMIT 1",
	[SQL_SOURCE_PUT] = "INSERT OR REPLACE INTO sources VALUES(?,?)",
	[SQL_SOURCE_HAS] = "SELECT 1 FROM sources WHERE source=?",
	[SQL_SOURCE_REMOVE] = "DELETE FROM sources WHERE source=?",
	[SQL_SOURCE_EACH] = "SELECT source FROM sources WHERE source>=? ORDER BY source",
	[SQL_JOB_IN] = "SELECT id FROM jobs WHERE oldest<=? ORDER BY oldest,body_offset LIMIT 1",
	[SQL_SOURCE_IN] = "SELECT source FROM sources WHERE segment<=? LIMIT 1",
	[SQL_LIVE] = "SELECT coalesce(sum(record_len+iif(final OR shared,0,body_len)),0) FROM jobs",
};

struct index {
	sqlite3 *db;
	char *path;
	bool open;		/* a transaction is */
	sqlite3_stmt *st[_STATEMENTS];
};

const char *index_error(struct index *x)
{
	return x->db ? sqlite3_errmsg(x->db) : "not open";
}

static int result(int rc)
{
	switch (rc) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

static sqlite3_stmt *statement(struct index *x, enum statement which)
{
	sqlite3_stmt *st = x->st[which];

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return st;
}

/* Runs a statement that gives no rows. */
static int run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return result(rc);
}

static int begin(struct index *x)
{
	int r;

	if (x->open)
		return 0;
	r = run(statement(x, SQL_BEGIN));
	x->open = !r;
	return r;
}

static void close_db(struct index *x)
{
	for (int i = 0; i < _STATEMENTS; i++) {
		sqlite3_finalize(x->st[i]);
		x->st[i] = NULL;
	}
	sqlite3_close(x->db);
	x->db = NULL;
	x->open = false;
}

static int user_version(sqlite3 *db)
{
	sqlite3_stmt *st;
	int v = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

static bool sound(sqlite3 *db)
{
	sqlite3_stmt *st;
	bool ok = false;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		ok = !strcmp((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
	return ok;
}

int private_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int open_db(struct index *x, bool fresh)
{
	int rc, r = private_file(x->path);

	if (r < 0)
		return r;
	rc = sqlite3_open_v2(x->path, &x->db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				 NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(x->db,
				  "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
				  "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000;"
				  "PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY;",
				  NULL, NULL, NULL);
	if (rc == SQLITE_OK && fresh)
		rc = sqlite3_exec(x->db, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK && (user_version(x->db) != VERSION || (!fresh && !sound(x->db))))
		rc = SQLITE_CORRUPT;
	for (int i = 0; i < _STATEMENTS && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(x->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &x->st[i],
					NULL);
	return result(rc);
}

static int sync_folder(const char *path)
{
	_free_ char *copy = strdup(path);
	_close_ int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/*
 * The folder is synced: an old index that came back after a power failure might
 * name a place at which another record stands by then.
 */
static int unlink_all(const char *path)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char name[4096];

	for (size_t i = 0; i < ARRAY_SIZE(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		unlink(name);
	}
	return sync_folder(path);
}

int index_reset(struct index *x, struct error *e)
{
	int r;

	close_db(x);
	r = unlink_all(x->path);
	if (!r)
		r = open_db(x, true);
	if (r < 0)
		return error_set(e, r, "The index %s cannot be made: %s.", x->path,
				 x->db ? sqlite3_errmsg(x->db) : strerror(-r));
	return 0;
}

int index_open(struct index **ret, const char *path, struct error *e)
{
	struct index *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return error_set(e, -ENOMEM, "Out of memory.");
	x->path = strdup(path);
	if (!x->path) {
		free(x);
		return error_set(e, -ENOMEM, "Out of memory.");
	}
	r = access(path, F_OK) < 0 ? -ENOENT : open_db(x, false);
	if (r < 0)
		r = index_reset(x, e);
	if (r < 0) {
		index_close(x);
		return r;
	}
	*ret = x;
	return 0;
}

/* What is not committed is dropped. */
void index_close(struct index *x)
{
	if (!x)
		return;
	close_db(x);
	free(x->path);
	free(x);
}

int index_commit(struct index *x, const struct index_place *place, struct error *e)
{
	sqlite3_stmt *st;
	int r;

	if (!x->open)
		return 0;
	st = statement(x, SQL_PLACE_PUT);
	sqlite3_bind_int64(st, 1, (int64_t)place->pos.segment);
	sqlite3_bind_int64(st, 2, (int64_t)place->pos.offset);
	sqlite3_bind_int64(st, 3, (int64_t)place->pos.seq);
	sqlite3_bind_int64(st, 4, (int64_t)place->nonce);
	sqlite3_bind_int64(st, 5, (int64_t)place->last_id);
	r = run(st);
	if (!r)
		r = run(statement(x, SQL_COMMIT));
	if (r < 0)
		return error_set(e, r, "The index cannot be written: %s.", index_error(x));
	x->open = false;
	return 0;
}

int index_place(struct index *x, struct index_place *ret)
{
	sqlite3_stmt *st = statement(x, SQL_PLACE_GET);
	int rc = sqlite3_step(st);

	*ret = (struct index_place){ 0 };
	if (rc == SQLITE_ROW) {
		ret->pos.segment = (uint64_t)sqlite3_column_int64(st, 0);
		ret->pos.offset = (uint64_t)sqlite3_column_int64(st, 1);
		ret->pos.seq = (uint64_t)sqlite3_column_int64(st, 2);
		ret->nonce = (uint64_t)sqlite3_column_int64(st, 3);
		ret->last_id = (uint64_t)sqlite3_column_int64(st, 4);
	}
	sqlite3_reset(st);
	return result(rc);
}

static void bind_text(sqlite3_stmt *st, int at, const char *s)
{
	if (s)
		sqlite3_bind_text(st, at, s, -1, SQLITE_STATIC);
}

static void bind_body(sqlite3_stmt *st, const struct index_body *body)
{
	sqlite3_bind_int64(st, 12, (int64_t)body->pos.segment);
	sqlite3_bind_int64(st, 13, (int64_t)body->pos.offset);
	sqlite3_bind_int64(st, 14, (int64_t)body->pos.seq);
	sqlite3_bind_int64(st, 15, body->skip);
	sqlite3_bind_int64(st, 16, (int64_t)body->len);
	sqlite3_bind_int(st, 17, body->shared);
}

static int run_route(struct index *x, enum statement which, const struct store_route *r)
{
	sqlite3_stmt *st = statement(x, which);

	bind_text(st, 1, r->domain);
	sqlite3_bind_int64(st, 2, (int64_t)r->when);
	sqlite3_bind_int64(st, 3, (int64_t)r->id);
	return run(st);
}

/* Most changes of a job change no route. */
static int change_routes(struct index *x, const struct job *old, const struct job *j)
{
	struct routes was = { 0 }, is = { 0 };
	int r = routes_of(old, &was);

	if (!r)
		r = routes_of(j, &is);
	if (!r && !routes_equal(&was, &is)) {
		for (size_t i = 0; i < was.n && !r; i++)
			r = run_route(x, SQL_ROUTE_REMOVE, &was.list[i]);
		for (size_t i = 0; i < is.n && !r; i++)
			r = run_route(x, SQL_ROUTE_PUT, &is.list[i]);
	}
	routes_free(&was);
	routes_free(&is);
	return r;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool has_deadline(const struct job *j)
{
	return !job_state_final(j->state) && j->state != JOB_HELD && job_kind_queued(j->kind);
}

/* Is its row the same but for state and record? A document's segment is the oldest needed. */
static bool same_row(const struct job *old, const struct job *j)
{
	return old && old->body_len && has_deadline(old) && has_deadline(j) &&
	       old->kind == j->kind && old->next_try == j->next_try &&
	       old->deadline == j->deadline && same_text(old->user, j->user) &&
	       same_text(old->message_id, j->message_id) && same_text(old->digest, j->digest);
}

static enum statement put_with(const struct job *old, const struct job *j, bool body)
{
	if (body)
		return SQL_JOB_PUT;
	return same_row(old, j) ? SQL_JOB_STATE : SQL_JOB_UPDATE;
}

/* A received document that waits, or waited, for its user. */
static bool is_kept(const struct job *j)
{
	return j->kind == JOB_PRINT && j->deadline;
}

/* What the indexes of the table ask for. */
static void bind_row(sqlite3_stmt *st, const struct job *j, uint64_t segment)
{
	bool final = job_state_final(j->state);

	sqlite3_bind_int(st, 3, (int)j->kind);
	sqlite3_bind_int(st, 5, final);
	bind_text(st, 6, j->user);
	sqlite3_bind_int64(st, 7, (int64_t)j->next_try);
	bind_text(st, 8, j->message_id);
	bind_text(st, 9, j->digest);
	sqlite3_bind_int64(st, 11, (int64_t)segment);
	/* The queue's: of what is kept it is the end of its days. */
	if (j->deadline && has_deadline(j) && job_kind_queued(j->kind))
		sqlite3_bind_int64(st, 18, (int64_t)j->deadline);
	if (final && (j->kind == JOB_MAIL || j->kind == JOB_NOTICE || j->slip))
		sqlite3_bind_int64(st, 19, (int64_t)j->changed);
	sqlite3_bind_int(st, 21, is_kept(j));
}

int index_put_job(struct index *x, const struct job *old, const struct job *j, const void *state,
		  size_t len, uint64_t segment, const struct index_body *body)
{
	enum statement which = put_with(old, j, body);
	sqlite3_stmt *st;
	int r = begin(x);

	if (!r)
		r = change_routes(x, old, j);
	if (r < 0)
		return r;
	st = statement(x, which);
	sqlite3_bind_blob64(st, 1, state, len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, (int64_t)len);
	sqlite3_bind_int(st, 4, (int)j->state);
	sqlite3_bind_int64(st, 10, (int64_t)j->id);
	if (which != SQL_JOB_STATE)
		bind_row(st, j, segment);
	if (body) {
		bind_body(st, body);
		/* It never changes, and of jobs sent from here the name says which. */
		bind_text(st, 20, j->kind == JOB_MAIL ? j->envid : NULL);
	}
	return run(st);
}

static int row_job(sqlite3_stmt *st, struct job **ret)
{
	int r = job_decode(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), ret);

	if (!r)
		(*ret)->body_len = (uint64_t)sqlite3_column_int64(st, 5);
	return r;
}

static void row_body(sqlite3_stmt *st, struct index_body *body)
{
	body->pos.segment = (uint64_t)sqlite3_column_int64(st, 1);
	body->pos.offset = (uint64_t)sqlite3_column_int64(st, 2);
	body->pos.seq = (uint64_t)sqlite3_column_int64(st, 3);
	body->skip = (uint32_t)sqlite3_column_int64(st, 4);
	body->len = (uint64_t)sqlite3_column_int64(st, 5);
	body->shared = sqlite3_column_int(st, 6);
}

int index_get_job(struct index *x, uint64_t id, struct job **ret, struct index_body *body)
{
	sqlite3_stmt *st = statement(x, SQL_JOB_GET);
	int rc, r = 0;

	sqlite3_bind_int64(st, 1, (int64_t)id);
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		sqlite3_reset(st);
		return rc == SQLITE_DONE ? -ENOENT : result(rc);
	}
	if (body)
		row_body(st, body);
	if (ret)
		r = row_job(st, ret);
	sqlite3_reset(st);
	return r;
}

int index_get_body(struct index *x, uint64_t id, enum job_state *state, struct index_body *body)
{
	sqlite3_stmt *st = statement(x, SQL_BODY_GET);
	int rc;

	sqlite3_bind_int64(st, 1, (int64_t)id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*state = (enum job_state)sqlite3_column_int(st, 0);
		row_body(st, body);
	}
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? -ENOENT : result(rc);
}

int index_remove_job(struct index *x, uint64_t id)
{
	struct job *old;
	sqlite3_stmt *st;
	int r = begin(x);

	if (!r)
		r = index_get_job(x, id, &old, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = change_routes(x, old, NULL);
	job_free(old);
	if (r < 0)
		return r;
	st = statement(x, SQL_JOB_REMOVE);
	sqlite3_bind_int64(st, 1, (int64_t)id);
	return run(st);
}

static void row_route(sqlite3_stmt *st, struct store_route *r)
{
	snprintf(r->domain, sizeof(r->domain), "%s", (const char *)sqlite3_column_text(st, 0));
	r->when = (uint64_t)sqlite3_column_int64(st, 1);
	r->id = (uint64_t)sqlite3_column_int64(st, 2);
}

/* The first row that is not passed by. */
static int take_route(sqlite3_stmt *st, store_route_fn passed_by, void *userdata,
		      struct store_route *r)
{
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		row_route(st, r);
		if (!passed_by || !passed_by(userdata, r))
			break;
	}
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? -ENOENT : result(rc);
}

int index_route_next(struct index *x, const char *domain, store_route_fn passed_by,
		     void *userdata, struct store_route *r)
{
	sqlite3_stmt *st = statement(x, domain ? SQL_ROUTE_TO : SQL_ROUTE_ANY);

	sqlite3_bind_int64(st, 1, (int64_t)r->when);
	sqlite3_bind_int64(st, 2, (int64_t)r->id);
	if (domain)
		bind_text(st, 3, domain);
	return take_route(st, passed_by, userdata, r);
}

int index_route_domain(struct index *x, bool first, struct store_route *r)
{
	sqlite3_stmt *st = statement(x, first ? SQL_ROUTE_FIRST : SQL_ROUTE_DOMAIN);
	char after[ROUTE_DOMAIN + 1];

	if (!first) {
		memcpy(after, r->domain, sizeof(after));
		bind_text(st, 1, after);
	}
	return take_route(st, NULL, NULL, r);
}

static int first_by_time(struct index *x, enum statement which, uint64_t *id, uint64_t *when)
{
	sqlite3_stmt *st = statement(x, which);
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW) {
		*id = (uint64_t)sqlite3_column_int64(st, 0);
		*when = (uint64_t)sqlite3_column_int64(st, 1);
	}
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? -ENOENT : result(rc);
}

int index_deadline_next(struct index *x, uint64_t *id, uint64_t *deadline)
{
	return first_by_time(x, SQL_DEADLINE, id, deadline);
}

int index_finished_next(struct index *x, uint64_t *id, uint64_t *when)
{
	return first_by_time(x, SQL_FINISHED, id, when);
}

/* Selects @what of the jobs that @f means, up to its limit. */
static int list_statement(struct index *x, const char *what, const struct job_filter *f,
			  sqlite3_stmt **ret)
{
	_buffer_ struct buffer q = { 0 };
	char kind[24] = "";
	int r;

	/* In words: only so SQLite sees that an index of one kind will do. */
	if (f->kind >= 0)
		snprintf(kind, sizeof(kind), " AND kind=%d", f->kind);
	r = buffer_printf(&q, "SELECT %s FROM jobs WHERE 1%s%s%s%s%s%s%s ORDER BY %s LIMIT ?5",
			  what, kind,
			  f->state >= 0 ? " AND state=?2" : "",
			  f->queued_kind ? " AND kind IN (0,3,4)" : "",
			  f->domain ? " AND id IN (SELECT id FROM routes WHERE domain=?6)" : "",
			  f->unfinished || f->due_before ? " AND final=0" : "",
			  f->user ? " AND user=?3" : "", f->due_before ? " AND next_try<=?4" : "",
			  f->due_before ? "next_try,id" : f->newest_first ? "id DESC" : "id");
	if (r < 0)
		return r;
	r = result(sqlite3_prepare_v2(x->db, q.data, (int)q.len, ret, NULL));
	if (r < 0)
		return r;
	if (f->state >= 0)
		sqlite3_bind_int(*ret, 2, f->state);
	if (f->user)
		bind_text(*ret, 3, f->user);
	if (f->domain)
		bind_text(*ret, 6, f->domain);
	if (f->due_before)
		sqlite3_bind_int64(*ret, 4, (int64_t)f->due_before);
	return 0;
}

int index_count(struct index *x, const struct job_filter *f, uint64_t *ret)
{
	sqlite3_stmt *st = NULL;
	int rc, r;

	r = list_statement(x, "count(*)", f, &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 5, 1);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(st, 0);
	r = result(rc);
	sqlite3_finalize(st);
	return r;
}

int index_list(struct index *x, const struct job_filter *f, struct job ***ret, size_t *n)
{
	uint32_t limit = f->limit ? f->limit : LIST_LIMIT;
	struct job **list = NULL;
	sqlite3_stmt *st = NULL;
	size_t count = 0, cap = 0;
	int r, rc = SQLITE_DONE;

	r = list_statement(x, "record,body_segment,body_offset,body_seq,body_skip,body_len", f,
			   &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 5, limit);
	while (!r && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (count == cap) {
			void *p = reallocarray(list, cap = cap ? 2 * cap : 16, sizeof(*list));

			if (!p) {
				r = -ENOMEM;
				break;
			}
			list = p;
		}
		r = row_job(st, &list[count]);
		count += !r;
	}
	sqlite3_finalize(st);
	if (!r)
		r = result(rc);
	if (r < 0) {
		job_list_free(list, count);
		return r;
	}
	*ret = list;
	*n = count;
	return 0;
}

int index_twin(struct index *x, const struct job *j, uint64_t *ret)
{
	sqlite3_stmt *st = statement(x, SQL_TWIN);
	int rc;

	*ret = 0;
	if (!j->message_id || !j->digest)
		return 0;
	bind_text(st, 1, j->message_id);
	bind_text(st, 2, j->digest);
	sqlite3_bind_int64(st, 3, (int64_t)j->id);
	sqlite3_bind_int(st, 4, JOB_FAILED);
	sqlite3_bind_int(st, 5, JOB_CANCELED);
	sqlite3_bind_int(st, 6, JOB_DUPLICATE);
	sqlite3_bind_int(st, 7, JOB_REMOVED);
	/* What was kept for one is nothing that another has seen. */
	bind_text(st, 8, j->user);
	sqlite3_bind_int(st, 9, is_kept(j));
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return result(rc);
}

int index_sent(struct index *x, enum sent_by by, const char *name, uint64_t before, uint64_t *ret)
{
	sqlite3_stmt *st = statement(x, by == SENT_BY_ENVID ? SQL_ENVID : SQL_SENT);
	int rc;

	bind_text(st, 1, name);
	sqlite3_bind_int64(st, 2, before < INT64_MAX ? (int64_t)before : INT64_MAX);
	rc = sqlite3_step(st);
	*ret = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return result(rc);
}

int index_put_source(struct index *x, const char *source, uint64_t segment)
{
	sqlite3_stmt *st;
	int r = begin(x);

	if (r < 0)
		return r;
	st = statement(x, SQL_SOURCE_PUT);
	bind_text(st, 1, source);
	sqlite3_bind_int64(st, 2, (int64_t)segment);
	return run(st);
}

int index_has_source(struct index *x, const char *source)
{
	sqlite3_stmt *st = statement(x, SQL_SOURCE_HAS);
	int rc;

	bind_text(st, 1, source);
	rc = sqlite3_step(st);
	sqlite3_reset(st);
	return rc == SQLITE_ROW ? 1 : result(rc);
}

int index_remove_source(struct index *x, const char *source)
{
	sqlite3_stmt *st;
	int r = begin(x);

	if (r < 0)
		return r;
	st = statement(x, SQL_SOURCE_REMOVE);
	bind_text(st, 1, source);
	return run(st);
}

/* @fn may not change the index. */
int index_each_source(struct index *x, const char *prefix, index_source_fn fn, void *userdata)
{
	sqlite3_stmt *st = statement(x, SQL_SOURCE_EACH);
	size_t len = strlen(prefix);
	int rc, r = 0;

	bind_text(st, 1, prefix);
	while (!r && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *source = (const char *)sqlite3_column_text(st, 0);

		if (!source || strncmp(source, prefix, len))
			break;
		r = fn(userdata, source);
	}
	sqlite3_reset(st);
	return r ? r : result(rc);
}

int index_job_in(struct index *x, uint64_t segment, uint64_t *id)
{
	sqlite3_stmt *st = statement(x, SQL_JOB_IN);
	int rc;

	sqlite3_bind_int64(st, 1, (int64_t)segment);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*id = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? -ENOENT : result(rc);
}

int index_source_in(struct index *x, uint64_t segment, char **ret)
{
	sqlite3_stmt *st = statement(x, SQL_SOURCE_IN);
	int rc, r;

	sqlite3_bind_int64(st, 1, (int64_t)segment);
	rc = sqlite3_step(st);
	r = rc == SQLITE_DONE ? -ENOENT : result(rc);
	if (rc == SQLITE_ROW) {
		*ret = strdup((const char *)sqlite3_column_text(st, 0));
		r = *ret ? 0 : -ENOMEM;
	}
	sqlite3_reset(st);
	return r;
}

int index_live_bytes(struct index *x, uint64_t *ret)
{
	sqlite3_stmt *st = statement(x, SQL_LIVE);
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return result(rc);
}
