/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this room share among themselves. */
#ifndef IFAX_STORE_INTERNAL_H
#define IFAX_STORE_INTERNAL_H

#include <sqlite3.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/store.h"

/* Types of journal records; numbers stand on disk. */
enum record_type {
	RECORD_JOB = 1,		/* u32 length of the state, state, document: replaces both */
	RECORD_STATE = 2,	/* state: the document stays */
	RECORD_REMOVE = 3,	/* u64 id */
	RECORD_SOURCE = 4,	/* the key's bytes: known */
	RECORD_FORGET = 5,	/* the key's bytes: not any more */
	RECORD_LINK = 6,	/* struct link_head, state: the document stands elsewhere */
};

/* Where the document of a RECORD_LINK stands, in an earlier record; little-endian on disk. */
struct link_head {
	uint64_t segment;
	uint64_t offset;
	uint64_t seq;
	uint64_t len;
	uint64_t skip;
};

/* job.c: a job's state in bytes and back. -EBADMSG: not such bytes. */
int job_encode(const struct job *j, struct buffer *b);
int job_decode(const void *data, size_t len, struct job **ret);

struct pending {
	struct pending *next;
	uint64_t seq;
	uint64_t id;		/* the job to tell the watcher of, 0 = none */
	store_done_fn done;
	void *userdata;
};

/* Look-ups in users.db by one key; every mail that comes in asks some of them. */
enum users_query {
	USERS_BY_CODE,
	USERS_BY_ADDRESS,
	USERS_RECIPIENT,
	USERS_ALIAS,
	USERS_MEMBERS,
	_USERS_QUERIES
};

struct store {
	struct journal *journal;
	struct index *index;
	sqlite3 *users;
	sqlite3_stmt *users_queries[_USERS_QUERIES];
	bool importing;		/* users are staged */
	sd_event *event;
	sd_event_source *source;
	sd_event_source *gather;	/* the index's next commit */
	bool has_key;
	uint8_t key[32];
	char *spool;
	uint64_t min_free_bytes;
	uint64_t last_id;
	struct pending *pending;	/* in order of seq */
	struct pending **pending_end;
	uint64_t last_pending;		/* the last one's seq, 0 = none */
	store_watch_fn watch;
	void *watch_data;
	uint64_t *changed;		/* jobs to tell it of, when the index is committed */
	size_t n_changed, changed_cap;
	bool closing;
	int broken;			/* the index does not follow any more */
	char notice[400];

	uint64_t reclaim_segment;	/* being emptied, 0 = none */
	uint64_t reclaim_checked;	/* the last segment when last looked at */
	uint64_t reclaim_seq;		/* all that was moved is durable from here on; 0 = moving */
	struct index_body reclaim_from, reclaim_to; /* the last document that was moved */
};

/* store.c */
/* @flags: enum journal_flags */
int store_append(struct store *s, enum record_type type, const struct iovec *iov, int n,
		 unsigned int flags, struct journal_pos *pos, struct error *e);
int store_put_job(struct store *s, const struct job *old, const struct job *j,
		  const struct iovec *body, int n, struct index_body *ret, struct error *e);
int store_put_link(struct store *s, const struct job *old, const struct job *j,
		   const struct index_body *body, struct journal_pos *pos, struct error *e);

void store_commit_index(struct store *s);

/* recover.c: brings the index up to the journal's end, from its place or from nothing */
int store_recover(struct store *s, struct error *e);

/* Makes sure that @path, a database, is there and its owner's alone. */
int private_file(const char *path);

/* reclaim.c: called after each commit */
void reclaim_step(struct store *s);

/* user_check.c */
#define USERS_FIELD_MAX	   512	/* octets of a text that no standard bounds */
#define USERS_PASSWORD_MAX 256

/* A sentence about what is too long or no single line. */
int users_check_text(const char *what, const char *v, size_t max, struct error *e);
int users_check_address(const char *address, struct error *e);
bool users_one_of(const char *v, const char *const *list);
int users_check_code(const char *code, struct error *e);

/* users_db.c */
int users_open(struct store *s, const char *state, struct error *e);
void users_close(struct store *s);

/* For the tables of users.db. */
int users_db_error(struct store *s, int rc, struct error *e);
/* All rows of @sql as a list of what @row makes of each, for @drop to free. */
int users_list(struct store *s, const char *sql,
	       int (*row)(struct store *s, sqlite3_stmt *st, void **ret),
	       void (*drop)(void **list, size_t n), void ***ret, size_t *n);
void users_bind_text(sqlite3_stmt *st, int at, const char *v);
/* The look-up, to be stepped; @key stays the caller's. users_done() ends it, before the next. */
sqlite3_stmt *users_query(struct store *s, enum users_query which, const char *key);
void users_done(sqlite3_stmt *st);
/* A column as an owned string; a missing one stays NULL. */
int users_column(sqlite3_stmt *st, int i, char **ret);
/* users.c: checks @u and has @st, of the parameters that all such statements have, store him. */
int users_put(struct store *s, sqlite3_stmt *st, const struct user *u, bool create,
	      struct error *e);
/* users_import.c: -EBUSY: users are being imported, and what is changed now might be lost. */
int users_check_settled(struct store *s, struct error *e);
/* Puts in what was staged as a whole, drops what was not. */
int users_settle(struct store *s, struct error *e);
/* Deletes by @key; -ENOENT: there was none. */
int users_remove_row(struct store *s, const char *sql, const char *key, struct error *e);

#endif
