// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Giving segments back, the oldest first: only so may a removal's record go, for
 * what it removed stood in the same segment or before.
 *
 * Before a segment is removed, what still counts in it stands again in later
 * records: unfinished jobs with their documents, finished ones as history
 * without, keys of received mails. All are durable before the name goes. A crash
 * at any point in between leaves both copies; replayed in order the later wins
 * and is the same.
 */
#include "store/store_internal.h"

#include <string.h>
#include <sys/mman.h>

#define STEP_BYTES (4u << 20)	/* moved in one turn of the event loop */
#define STEP_ITEMS 256

/* @fd's bytes stay mapped until munmap(). */
static int map_body(struct store *s, uint64_t id, uint64_t len, void **ret, struct error *e)
{
	_close_ int fd = -1;
	int r = store_job_body(s, id, &fd, e);

	if (r < 0)
		return r;
	*ret = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	return *ret == MAP_FAILED ? error_set(e, -errno, "The document cannot be mapped.") : 0;
}

/* A key that was forgotten since must not come back with the job that brought it. */
static int drop_forgotten(struct store *s, struct job *j)
{
	int r = j->source ? index_has_source(s->index, j->source) : 1;

	return r ? (r < 0 ? r : 0) : job_set(&j->source, NULL);
}

static bool same_place(const struct index_body *a, const struct index_body *b)
{
	return a->pos.segment && a->pos.segment == b->pos.segment &&
	       a->pos.offset == b->pos.offset;
}

/* The first of those that share a document takes it along, the others follow it. */
static int move_document(struct store *s, const struct job *old, struct job *j,
			 const struct index_body *from, uint64_t *moved, struct error *e)
{
	struct journal_pos pos;
	struct iovec iov = { .iov_len = from->len };
	int r;

	if (same_place(from, &s->reclaim_from))
		return store_put_link(s, old, j, &s->reclaim_to, &pos, e);
	r = map_body(s, j->id, from->len, &iov.iov_base, e);
	if (r < 0)
		return r;
	r = store_put_job(s, old, j, &iov, 1, &s->reclaim_to, e);
	munmap(iov.iov_base, iov.iov_len);
	if (r < 0)
		return r;
	s->reclaim_from = *from;
	*moved += from->len;
	return 0;
}

static int move_bare(struct store *s, const struct job *old, struct job *j, struct error *e)
{
	struct index_body none;

	j->body_len = 0;
	return store_put_job(s, old, j, NULL, 0, &none, e);
}

static int move_job(struct store *s, uint64_t id, uint64_t *moved)
{
	struct job *j = NULL, *old = NULL;
	struct index_body from;
	struct error e;
	int r = index_get_job(s->index, id, &old, &from);

	if (!r)
		r = index_get_job(s->index, id, &j, NULL);
	if (!r)
		r = drop_forgotten(s, j);
	if (!r && !job_state_final(j->state) && from.pos.segment)
		r = move_document(s, old, j, &from, moved, &e);
	else if (!r)
		r = move_bare(s, old, j, &e);
	if (r == -EBADMSG) {
		j->state = JOB_FAILED;
		r = job_set(&j->detail, error_text(&e));
		if (!r)
			r = move_bare(s, old, j, &e);
	}
	job_free(j);
	job_free(old);
	return r;
}

static int move_source(struct store *s, char *source)
{
	struct iovec iov = { source, strlen(source) };
	struct journal_pos pos;
	int r = store_append(s, RECORD_SOURCE, &iov, 1, JOURNAL_LAZY, &pos, NULL);

	return r < 0 ? r : index_put_source(s->index, source, pos.segment);
}

/* 1: nothing is left in it. */
static int move_some(struct store *s)
{
	uint64_t moved = 0;

	for (int i = 0; i < STEP_ITEMS && moved < STEP_BYTES; i++) {
		_free_ char *source = NULL;
		uint64_t id;
		int r = index_job_in(s->index, s->reclaim_segment, &id);

		if (!r)
			r = move_job(s, id, &moved);
		else if (r == -ENOENT) {
			r = index_source_in(s->index, s->reclaim_segment, &source);
			if (r == -ENOENT)
				return 1;
			if (!r)
				r = move_source(s, source);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Worth it when at least half of what the segments hold would go. */
static bool worthwhile(struct store *s)
{
	uint64_t live;

	if (journal_first(s->journal) == journal_last(s->journal))
		return false;
	return !index_live_bytes(s->index, &live) && live <= journal_bytes(s->journal) / 2;
}

void reclaim_step(struct store *s)
{
	struct journal_pos pos;
	int r;

	if (!s->reclaim_segment) {
		if (s->reclaim_checked == journal_last(s->journal))
			return;
		s->reclaim_checked = journal_last(s->journal);
		if (!worthwhile(s))
			return;
		s->reclaim_segment = journal_first(s->journal);
		s->reclaim_from = (struct index_body){ 0 };
		s->reclaim_seq = 0;
	}
	if (!s->reclaim_seq) {
		r = move_some(s);
		if (r < 0)	/* no room or no disk: tried again with the next segment */
			s->reclaim_segment = 0;
		if (r <= 0)
			return;
		journal_last_pos(s->journal, &pos);
		s->reclaim_seq = pos.seq;
	}
	if (journal_durable(s->journal) < s->reclaim_seq)
		return;
	/* -EBUSY: the last one's removal is not on disk yet, or this one in use; the next round. */
	if (journal_remove_first(s->journal, NULL) == -EBUSY)
		return;
	s->reclaim_segment = 0;
	s->reclaim_checked = 0;
}
