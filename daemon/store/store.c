// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Jobs: every change is a journal record first and an index entry second, in
 * one go on the event loop. Reads come from the index and so see each change at
 * once; the promise is given later, when the journal says durable.
 */
#include "store/store_internal.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include <string.h>

#define SEGMENT_DEFAULT	 (64ull << 20)
#define MIN_FREE_DEFAULT (32ull << 20)
#define BODY_PIECES	 8
#define GATHER_USEC	 20000ull	/* changes of the index, for one commit */

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The journal holds what the index does not: the next start replays it. */
static void index_broke(struct store *s, int r)
{
	if (s->broken)
		return;
	s->broken = r;
	snprintf(s->notice, sizeof(s->notice),
		 "The index cannot be written (%s); nothing more is accepted. Check the disk, then "
		 "restart ifaxd.", index_error(s->index));
}

static int usable(struct store *s, struct error *e)
{
	if (s->closing)
		return error_set(e, -ESHUTDOWN, "The spool is being closed.");
	return s->broken ? error_set(e, s->broken, "%s", s->notice) : journal_failed(s->journal, e);
}

static void queue_pending(struct store *s, uint64_t seq, uint64_t id, store_done_fn done,
			  void *userdata, struct pending *p)
{
	struct pending **at = s->pending_end;

	/* Most are the last; only who waits for what was written before is not. */
	if (s->last_pending > seq)
		for (at = &s->pending; (*at)->seq <= seq;)
			at = &(*at)->next;
	*p = (struct pending){ .next = *at, .seq = seq, .id = id, .done = done,
			       .userdata = userdata };
	*at = p;
	if (!p->next) {
		s->pending_end = &p->next;
		s->last_pending = seq;
	}
}

int store_append(struct store *s, enum record_type type, const struct iovec *iov, int n,
		 unsigned int flags, struct journal_pos *pos, struct error *e)
{
	int r = usable(s, e);

	if (r < 0)
		return r;
	return journal_append(s->journal, type, iov, n, flags, pos, e);
}

void store_commit_index(struct store *s)
{
	struct index_place place = { .last_id = s->last_id };
	struct error e;
	int r;

	if (s->broken)
		return;
	journal_last_pos(s->journal, &place.pos);
	place.nonce = journal_nonce(s->journal, place.pos.segment);
	r = index_commit(s->index, &place, &e);
	if (r < 0)
		index_broke(s, r);
}

/* One that there is no memory for is not told of: who watches looks now and then. */
static void note_change(struct store *s, uint64_t id)
{
	if (s->n_changed == s->changed_cap) {
		size_t cap = s->changed_cap ? 2 * s->changed_cap : 64;
		uint64_t *list = reallocarray(s->changed, cap, sizeof(*list));

		if (!list)
			return;
		s->changed = list;
		s->changed_cap = cap;
	}
	s->changed[s->n_changed++] = id;
}

/* The pending entry is out of the list before anything is called: that may add more. */
static void finish_one(struct store *s, int r)
{
	struct pending *p = s->pending;

	s->pending = p->next;
	if (!s->pending) {
		s->pending_end = &s->pending;
		s->last_pending = 0;
	}
	if (p->done)
		p->done(p->userdata, r);
	if (!r && p->id && s->watch)
		note_change(s, p->id);
	free(p);
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts them, and each is there once: how many that are. */
static size_t make_unique(uint64_t *ids, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(ids, n, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < n; i++)
		if (!kept || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	return kept;
}

/* Those that are not removed meanwhile. */
static void tell_some(struct store *s, const uint64_t *ids, size_t n_ids)
{
	struct job *jobs[STORE_WATCH_MAX];
	size_t n = 0;

	for (size_t i = 0; i < n_ids; i++)
		n += index_get_job(s->index, ids[i], &jobs[n], NULL) >= 0;
	if (n)
		s->watch(s->watch_data, jobs, n);
	for (size_t i = 0; i < n; i++)
		job_free(jobs[i]);
}

/* Whoever is called may change jobs: that is for the next time. */
static void tell_changes(struct store *s)
{
	_free_ uint64_t *ids = take_ptr(s->changed);
	size_t n = make_unique(ids, s->n_changed), some;

	s->n_changed = s->changed_cap = 0;
	for (size_t at = 0; at < n && s->watch; at += some) {
		some = n - at < STORE_WATCH_MAX ? n - at : STORE_WATCH_MAX;
		tell_some(s, ids + at, some);
	}
}

/*
 * Before: the index's transaction holds changes of which the journal says whether
 * they are durable. After: it is committed, to the page cache only. Should the disk
 * keep the index but not the journal's last records, the place in the index names a
 * record that does not exist and the next start builds the index anew; the other way
 * round it replays. So nothing hangs on the time of it: changes gather for a while.
 */
static int on_gathered(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct store *s = userdata;

	if (!journal_failed(s->journal, NULL))
		store_commit_index(s);
	tell_changes(s);
	return 0;
}

static void commit_soon(struct store *s)
{
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(s->gather, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(s->gather, GATHER_USEC);
	sd_event_source_set_enabled(s->gather, SD_EVENT_ONESHOT);
}

/* What the commit thread reported. */
static int settle(struct store *s)
{
	uint64_t durable;
	struct error e;
	int failed;

	journal_acknowledge(s->journal);
	durable = journal_durable(s->journal);
	failed = journal_failed(s->journal, &e);
	if (failed && !s->notice[0])
		snprintf(s->notice, sizeof(s->notice), "%s", error_text(&e));
	while (s->pending && (failed || s->pending->seq <= durable))
		finish_one(s, s->pending->seq <= durable ? 0 : failed);
	if (!failed || s->n_changed)
		commit_soon(s);
	return failed;
}

static int on_journal(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct store *s = userdata;

	if (!settle(s) && !s->broken)
		reclaim_step(s);
	return 0;
}

/* @body NULL: as before. */
static int job_state_put(struct store *s, const struct job *old, const struct job *j,
			 const struct buffer *state, const struct journal_pos *pos,
			 const struct index_body *body)
{
	int r = index_put_job(s->index, old, j, state->data, state->len, pos->segment, body);

	if (!r && body && j->source)
		r = index_put_source(s->index, j->source, pos->segment);
	return r;
}

static uint64_t iov_len(const struct iovec *iov, int n)
{
	uint64_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

/* State and document in one record. The record counts even where the index fails. */
int store_put_job(struct store *s, const struct job *old, const struct job *j,
		  const struct iovec *body, int n, struct index_body *ret, struct error *e)
{
	_buffer_ struct buffer state = { 0 };
	struct iovec iov[BODY_PIECES + 2];
	struct journal_pos pos;
	uint32_t state_len;
	int r = n > BODY_PIECES ? -EINVAL : job_encode(j, &state);

	if (r < 0)
		return error_set(e, r, "The job cannot be stored: %s.", strerror(-r));
	state_len = htole32((uint32_t)state.len);
	iov[0] = (struct iovec){ &state_len, sizeof(state_len) };
	iov[1] = (struct iovec){ state.data, state.len };
	for (int i = 0; i < n; i++)
		iov[i + 2] = body[i];
	*ret = (struct index_body){ .len = iov_len(body, n) };
	r = store_append(s, RECORD_JOB, iov, n + 2, ret->len ? JOURNAL_BULK : 0, &pos, e);
	if (r < 0)
		return r;
	if (ret->len) {
		ret->pos = pos;
		ret->skip = (uint32_t)(sizeof(state_len) + state.len);
	}
	r = job_state_put(s, old, j, &state, &pos, ret);
	if (r < 0)
		index_broke(s, r);
	return 0;
}

/* State and where the document stands, which another job's record brought. */
int store_put_link(struct store *s, const struct job *old, const struct job *j,
		   const struct index_body *body, struct journal_pos *pos, struct error *e)
{
	_buffer_ struct buffer state = { 0 };
	struct index_body b = *body;
	struct link_head head = {
		.segment = htole64(b.pos.segment), .offset = htole64(b.pos.offset),
		.seq = htole64(b.pos.seq), .len = htole64(b.len), .skip = htole64(b.skip),
	};
	struct iovec iov[2];
	int r = job_encode(j, &state);

	if (r < 0)
		return error_set(e, r, "The job cannot be stored: %s.", strerror(-r));
	iov[0] = (struct iovec){ &head, sizeof(head) };
	iov[1] = (struct iovec){ state.data, state.len };
	r = store_append(s, RECORD_LINK, iov, 2, 0, pos, e);
	if (r < 0)
		return r;
	b.shared = true;
	r = job_state_put(s, old, j, &state, pos, &b);
	if (r < 0)
		index_broke(s, r);
	return 0;
}

static int check_space(struct store *s, struct error *e)
{
	struct statvfs v;

	if (statvfs(s->spool, &v) < 0)
		return error_set(e, -errno, "The spool's free space is unknown: %s.",
				 strerror(errno));
	if ((uint64_t)v.f_bavail * v.f_frsize < s->min_free_bytes)
		return error_set(e, -ENOSPC, "The spool is full. Free some space in %s.", s->spool);
	return 0;
}

/* Where a job's document comes from: pieces in memory, or another job's. */
struct document {
	const struct iovec *iov;
	int n;
	const struct index_body *other;	/* NULL: the pieces */
};

static int put_document(struct store *s, const struct job *old, const struct job *j,
			const struct document *doc, uint64_t *seq, struct error *e)
{
	struct journal_pos pos = { 0 };
	struct index_body body;
	int r;

	if (doc->other)
		r = store_put_link(s, old, j, doc->other, &pos, e);
	else
		r = store_put_job(s, old, j, doc->iov, doc->n, &body, e);
	if (r < 0)
		return r;
	journal_last_pos(s->journal, &pos);
	*seq = pos.seq;
	return 0;
}

/* All ways of giving a job its document end here. */
static int put_new(struct store *s, const struct job *old, struct job *j,
		   const struct document *doc, store_done_fn done, void *userdata, struct error *e)
{
	struct pending *p = calloc(1, sizeof(*p));
	uint64_t seq;
	int r;

	if (!p)
		return error_set(e, -ENOMEM, "Out of memory.");
	j->body_len = doc->other ? doc->other->len : iov_len(doc->iov, doc->n);
	j->changed = now_usec();
	r = put_document(s, old, j, doc, &seq, e);
	if (r < 0) {
		j->body_len = 0;
		free(p);
		return r;
	}
	queue_pending(s, seq, j->id, done, userdata, p);
	return 0;
}

static int check_source(struct store *s, const struct job *j, struct error *e)
{
	int r = j->source ? index_has_source(s->index, j->source) : 0;

	if (r > 0)
		return error_set(e, -EEXIST, "The mail %s was received already.", j->source);
	return r < 0 ? error_set(e, r, "The index cannot be read.") : 0;
}

static int create(struct store *s, struct job *j, const struct document *doc, store_done_fn done,
		  void *userdata, struct error *e)
{
	uint64_t created = j->created;
	int r = usable(s, e);

	if (!r)
		r = check_source(s, j, e);
	if (!r && iov_len(doc->iov, doc->n))
		r = check_space(s, e);
	if (r < 0)
		return r;
	j->id = s->last_id + 1;
	if (!j->created)
		j->created = now_usec();
	/* Before the record, for it may begin a segment: its head names the last id given. */
	journal_set_mark(s->journal, j->id);
	r = put_new(s, NULL, j, doc, done, userdata, e);
	if (r < 0) {
		j->id = 0;
		j->created = created;
		return r;
	}
	s->last_id = j->id;
	return 0;
}

int store_job_create_iov(struct store *s, struct job *j, const struct iovec *body, int n,
			 store_done_fn done, void *userdata, struct error *e)
{
	return create(s, j, &(struct document){ .iov = body, .n = n }, done, userdata, e);
}

int store_job_create(struct store *s, struct job *j, const void *body, size_t len,
		     store_done_fn done, void *userdata, struct error *e)
{
	struct iovec iov = { (void *)(uintptr_t)body, len };

	return store_job_create_iov(s, j, &iov, len != 0, done, userdata, e);
}

static int unknown_job(int r, uint64_t id, struct error *e)
{
	if (r == -ENOENT)
		return error_set(e, r, "There is no job %llu.", (unsigned long long)id);
	return error_set(e, r, "Job %llu cannot be read: %s.", (unsigned long long)id,
			 strerror(-r));
}

static int find_body(struct store *s, uint64_t id, struct index_body *ret, struct error *e)
{
	enum job_state state;
	int r = index_get_body(s->index, id, &state, ret);

	if (r < 0)
		return unknown_job(r, id, e);
	/* What was taken away is gone at once, though its bytes go in time. */
	if (state == JOB_REMOVED || !ret->pos.segment)
		return error_set(e, -ENOENT, "Job %llu has no document.", (unsigned long long)id);
	return 0;
}

int store_job_create_from(struct store *s, struct job *j, uint64_t from, store_done_fn done,
			  void *userdata, struct error *e)
{
	struct index_body body;
	int r = find_body(s, from, &body, e);

	if (r < 0)
		return r;
	return create(s, j, &(struct document){ .other = &body }, done, userdata, e);
}

/*
 * Takes what may not change from the stored job: the caller's copy may differ there.
 * @ret: the stored one, job_free().
 */
static int keep_fixed(struct store *s, struct job *j, struct job **ret, struct error *e)
{
	struct job *old;
	int r = index_get_job(s->index, j->id, &old, NULL);

	if (!r)
		r = job_set(&j->source, old->source);
	if (r < 0)
		return unknown_job(r, j->id, e);
	j->created = old->created;
	j->body_len = old->body_len;
	*ret = old;
	return 0;
}

int store_job_attach(struct store *s, struct job *j, const void *body, size_t len,
		     store_done_fn done, void *userdata, struct error *e)
{
	struct iovec iov = { (void *)(uintptr_t)body, len };
	struct job *old = NULL;
	int r = usable(s, e);

	if (!r)
		r = keep_fixed(s, j, &old, e);
	if (!r && j->body_len && !old->unsealed)
		r = error_set(e, -EEXIST, "Job %llu has its document.", (unsigned long long)j->id);
	if (!r && !len)
		r = error_set(e, -EINVAL, "An empty document.");
	if (!r)
		r = check_space(s, e);
	if (!r)
		r = put_new(s, old, j, &(struct document){ .iov = &iov, .n = 1 }, done, userdata,
			    e);
	job_free(old);
	return r;
}

/* @old is as stored. */
static int put_state(struct store *s, const struct job *old, struct job *j, store_done_fn done,
		     void *userdata, struct error *e)
{
	_buffer_ struct buffer state = { 0 };
	_free_ struct pending *p = calloc(1, sizeof(*p));
	struct journal_pos pos;
	struct iovec iov;
	int r;

	j->changed = now_usec();
	r = p ? job_encode(j, &state) : -ENOMEM;
	if (r < 0)
		return error_set(e, r, "The job cannot be stored: %s.", strerror(-r));
	iov = (struct iovec){ state.data, state.len };
	r = store_append(s, RECORD_STATE, &iov, 1, done ? 0 : JOURNAL_LAZY, &pos, e);
	if (r < 0)
		return r;
	r = job_state_put(s, old, j, &state, &pos, NULL);
	if (r < 0)
		index_broke(s, r);
	queue_pending(s, pos.seq, j->id, done, userdata, take_ptr(p));
	return 0;
}

int store_job_update(struct store *s, struct job *j, store_done_fn done, void *userdata,
		     struct error *e)
{
	struct job *old = NULL;
	int r = usable(s, e);

	if (!r)
		r = keep_fixed(s, j, &old, e);
	/* Only another document makes it fit to be sent. */
	if (!r)
		j->unsealed = old->unsealed;
	if (!r)
		r = put_state(s, old, j, done, userdata, e);
	job_free(old);
	return r;
}

int store_job_remove(struct store *s, uint64_t id, struct error *e)
{
	uint64_t le = htole64(id);
	struct iovec iov = { &le, sizeof(le) };
	struct journal_pos pos;
	struct job *j;
	bool final;
	int r = index_get_job(s->index, id, &j, NULL);

	if (r < 0)
		return unknown_job(r, id, e);
	final = job_state_final(j->state);
	job_free(j);
	if (!final)
		return error_set(e, -EBUSY, "Job %llu is not finished; cancel it first.",
				 (unsigned long long)id);
	r = store_append(s, RECORD_REMOVE, &iov, 1, JOURNAL_LAZY, &pos, e);
	if (r < 0)
		return r;
	r = index_remove_job(s->index, id);
	if (r < 0)
		index_broke(s, r);
	return 0;
}

int store_sync(struct store *s, struct error *e)
{
	return journal_sync(s->journal, e);
}

uint64_t store_mark(const struct store *s)
{
	struct journal_pos last;

	journal_last_pos(s->journal, &last);
	return last.seq;
}

int store_await(struct store *s, uint64_t mark, store_done_fn done, void *userdata)
{
	struct pending *p;
	int r = usable(s, NULL);

	if (r < 0)
		return r;
	r = journal_hurry(s->journal, mark);
	if (r)
		return r;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	queue_pending(s, mark, 0, done, userdata, p);
	return 0;
}

void store_flush(struct store *s)
{
	/* What it failed with is told to those who wait. */
	journal_sync(s->journal, NULL);
	settle(s);
}

int store_source_add(struct store *s, const char *source)
{
	struct iovec iov = { (void *)source, strlen(source) };
	struct journal_pos pos;
	int r = store_append(s, RECORD_SOURCE, &iov, 1, JOURNAL_LAZY, &pos, NULL);

	if (r < 0)
		return r;
	r = index_put_source(s->index, source, pos.segment);
	if (r < 0)
		index_broke(s, r);
	return 0;
}

uint64_t store_free_bytes(const struct store *s)
{
	struct statvfs v;

	return statvfs(s->spool, &v) < 0 ? UINT64_MAX : (uint64_t)v.f_bavail * v.f_frsize;
}

uint64_t store_reserve(const struct store *s)
{
	return s->min_free_bytes;
}

int store_job_get(struct store *s, uint64_t id, struct job **ret)
{
	return index_get_job(s->index, id, ret, NULL);
}

int store_job_extent(struct store *s, uint64_t id, struct extent *ret, struct error *e)
{
	struct index_body b;
	int r = find_body(s, id, &b, e);

	return r < 0 ? r : journal_extent(s->journal, &b.pos, b.skip, b.len, ret, e);
}

int store_job_body(struct store *s, uint64_t id, int *ret_fd, struct error *e)
{
	struct index_body b;
	_close_ int fd = -1;
	int r = find_body(s, id, &b, e);

	if (r < 0)
		return r;
	fd = memfd_create("ifax-document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_set(e, -errno, "No memory file for the document: %s.",
				 strerror(errno));
	r = journal_read(s->journal, &b.pos, b.skip, fd, b.len, e);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return error_set(e, -errno, "The document cannot be sealed: %s.", strerror(errno));
	*ret_fd = take_fd(fd);
	return 0;
}

int store_job_list(struct store *s, const struct job_filter *f, struct job ***ret, size_t *n)
{
	return index_list(s->index, f, ret, n);
}

int store_job_count(struct store *s, const struct job_filter *f, uint64_t *ret)
{
	return index_count(s->index, f, ret);
}

int store_route_next(struct store *s, const char *domain, store_route_fn passed_by,
		     void *userdata, struct store_route *r)
{
	return index_route_next(s->index, domain, passed_by, userdata, r);
}

int store_route_domain(struct store *s, bool first, struct store_route *r)
{
	return index_route_domain(s->index, first, r);
}

int store_deadline_next(struct store *s, uint64_t *id, uint64_t *deadline)
{
	return index_deadline_next(s->index, id, deadline);
}

int store_finished_next(struct store *s, uint64_t *id, uint64_t *since)
{
	return index_finished_next(s->index, id, since);
}

int store_source_known(struct store *s, const char *source)
{
	return index_has_source(s->index, source);
}

struct forget {
	const char *const *keep;
	size_t n_keep;
	char **gone;
	size_t n;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int collect_forgotten(void *userdata, const char *source)
{
	struct forget *f = userdata;
	void *p;

	if (f->n_keep &&
	    bsearch(&source, f->keep, f->n_keep, sizeof(*f->keep), compare_names))
		return 0;
	p = reallocarray(f->gone, f->n + 1, sizeof(*f->gone));
	if (!p)
		return -ENOMEM;
	f->gone = p;
	f->gone[f->n] = strdup(source);
	return f->gone[f->n] ? (f->n++, 0) : -ENOMEM;
}

static int forget_one(struct store *s, char *source)
{
	struct iovec iov = { source, strlen(source) };
	struct journal_pos pos;
	int r = store_append(s, RECORD_FORGET, &iov, 1, JOURNAL_LAZY, &pos, NULL);

	if (r < 0)
		return r;
	r = index_remove_source(s->index, source);
	if (r < 0)
		index_broke(s, r);
	return 0;
}

int store_source_forget(struct store *s, const char *prefix, const char *const *keep, size_t n)
{
	_free_ const char **sorted = calloc(n + 1, sizeof(*sorted));
	struct forget f = { .keep = sorted, .n_keep = n };
	int r;

	if (!sorted)
		return -ENOMEM;
	if (n) {
		memcpy(sorted, keep, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), compare_names);
	}
	r = index_each_source(s->index, prefix, collect_forgotten, &f);
	for (size_t i = 0; i < f.n; i++) {
		if (!r)
			r = forget_one(s, f.gone[i]);
		free(f.gone[i]);
	}
	free(f.gone);
	return r;
}

int store_find_twin(struct store *s, const struct job *j, uint64_t *ret)
{
	return index_twin(s->index, j, ret);
}

int store_find_sent(struct store *s, enum sent_by by, const char *name, uint64_t before,
		    uint64_t *ret)
{
	return index_sent(s->index, by, name, before, ret);
}

void store_watch(struct store *s, store_watch_fn fn, void *userdata)
{
	s->watch = fn;
	s->watch_data = userdata;
}

const char *store_notice(struct store *s)
{
	return s->notice[0] ? s->notice : NULL;
}

static int make_folder(const char *path, struct error *e)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(e, -errno, "%s cannot be created: %s.", path, strerror(errno));
	return 0;
}

static int open_files(struct store *s, const struct store_options *o, struct error *e)
{
	_buffer_ struct buffer path = { 0 };
	int r = make_folder(o->spool, e);

	if (!r)
		r = make_folder(o->state, e);
	if (!r && buffer_printf(&path, "%s/journal", o->spool) < 0)
		r = error_set(e, -ENOMEM, "Out of memory.");
	if (!r)
		r = journal_open(&s->journal, path.data,
				 o->segment_bytes ? o->segment_bytes : SEGMENT_DEFAULT, e);
	buffer_clear(&path);
	if (!r && buffer_printf(&path, "%s/index.db", o->state) < 0)
		r = error_set(e, -ENOMEM, "Out of memory.");
	if (!r)
		r = index_open(&s->index, path.data, e);
	return r ? r : users_open(s, o->state, e);
}

int store_open(struct store **ret, sd_event *event, const struct store_options *o,
	       struct error *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(e, -ENOMEM, "Out of memory.");
	s->pending_end = &s->pending;
	s->min_free_bytes = o->min_free_bytes ? o->min_free_bytes : MIN_FREE_DEFAULT;
	s->event = sd_event_ref(event);
	s->spool = strdup(o->spool);
	if (o->key) {
		memcpy(s->key, o->key, sizeof(s->key));
		s->has_key = true;
	}
	r = s->spool ? open_files(s, o, e) : error_set(e, -ENOMEM, "Out of memory.");
	if (!r)
		r = store_recover(s, e);
	if (!r) {
		r = sd_event_add_io(event, &s->source, journal_fd(s->journal), EPOLLIN, on_journal,
				    s);
		if (r >= 0)
			r = sd_event_add_time(event, &s->gather, CLOCK_MONOTONIC, 0,
					      GATHER_USEC / 4, on_gathered, s);
		if (r >= 0)
			r = sd_event_source_set_enabled(s->gather, SD_EVENT_OFF);
		if (r < 0)
			error_set(e, r, "The event loop does not take the spool: %s.",
				  strerror(-r));
	}
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->source) {
		int r = journal_sync(s->journal, NULL);
		uint64_t durable = journal_durable(s->journal);

		/* What is called now can add nothing more, so that this ends. */
		s->closing = true;
		s->watch = NULL;
		while (s->pending)
			finish_one(s, s->pending->seq <= durable ? 0 : r);
		if (!r)
			store_commit_index(s);
	}
	sd_event_source_disable_unref(s->gather);
	sd_event_source_unref(s->source);
	index_close(s->index);
	journal_close(s->journal);
	users_close(s);
	explicit_bzero(s->key, sizeof(s->key));
	free(s->changed);
	free(s->spool);
	sd_event_unref(s->event);
	free(s);
}
