/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index over the journal: one SQLite file that can be thrown away. It names
 * the journal record up to which it knows; the store replays what follows.
 * Changes gather in one transaction until index_commit().
 */
#ifndef IFAX_STORE_INDEX_H
#define IFAX_STORE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/journal.h"
#include "store/store.h"

struct index;

struct index_place {
	struct journal_pos pos;
	uint64_t nonce;		/* of pos.segment */
	uint64_t last_id;
};

/* Where a document stands. */
struct index_body {
	struct journal_pos pos;	/* segment 0 = there is none */
	uint32_t skip;
	uint64_t len;
	bool shared;		/* it stands in another job's record */
};

/* A file that is missing, damaged or of another version is begun anew: place is zeros then. */
int index_open(struct index **ret, const char *path, struct error *e);
void index_close(struct index *x);
/* Forgets everything. */
int index_reset(struct index *x, struct error *e);
int index_commit(struct index *x, const struct index_place *place, struct error *e);
int index_place(struct index *x, struct index_place *ret);
const char *index_error(struct index *x);

/*
 * @old: the job as the index knows it, NULL = it is new; @state, @len: the job's
 * bytes; @segment: where they stand; @body: its new document, NULL = as before.
 */
int index_put_job(struct index *x, const struct job *old, const struct job *j, const void *state,
		  size_t len, uint64_t segment, const struct index_body *body);
int index_get_job(struct index *x, uint64_t id, struct job **ret, struct index_body *body);
/* Where its document stands and its state, without taking the record apart. */
int index_get_body(struct index *x, uint64_t id, enum job_state *state, struct index_body *body);
int index_remove_job(struct index *x, uint64_t id);	/* also where there is none */
int index_list(struct index *x, const struct job_filter *f, struct job ***ret, size_t *n);
int index_count(struct index *x, const struct job_filter *f, uint64_t *ret);
int index_route_next(struct index *x, const char *domain, store_route_fn passed_by,
		     void *userdata, struct store_route *r);
int index_route_domain(struct index *x, bool first, struct store_route *r);
int index_deadline_next(struct index *x, uint64_t *id, uint64_t *deadline);
int index_finished_next(struct index *x, uint64_t *id, uint64_t *when);
int index_twin(struct index *x, const struct job *j, uint64_t *ret);
int index_sent(struct index *x, enum sent_by by, const char *name, uint64_t before, uint64_t *ret);

int index_put_source(struct index *x, const char *source, uint64_t segment);
int index_has_source(struct index *x, const char *source);	/* 1 or 0 */
int index_remove_source(struct index *x, const char *source);

typedef int (*index_source_fn)(void *userdata, const char *source);
int index_each_source(struct index *x, const char *prefix, index_source_fn fn, void *userdata);

/*
 * What still needs @segment: a job id or a key, -ENOENT when nothing. Jobs that
 * share a document come one behind the other.
 */
int index_job_in(struct index *x, uint64_t segment, uint64_t *id);
int index_source_in(struct index *x, uint64_t segment, char **ret);
/* Bytes that would have to be kept if everything were reclaimed. */
int index_live_bytes(struct index *x, uint64_t *ret);

#endif
