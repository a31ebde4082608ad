// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the queue asks of the store: shared documents, routes, deadlines, old records. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/store_internal.h"
#include "store_help.h"

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	assert_non_null(b);
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

static void rebuild(struct box *b)
{
	box_close(b);
	remove_index(b);
	box_open(b);
}

static struct job *mail_to(const char *const *addresses, enum job_state state)
{
	struct job *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	j->kind = JOB_MAIL;
	j->state = state;
	for (; *addresses; addresses++)
		assert_int_equal(job_add_recipient(j, *addresses), 0);
	return j;
}

#define TO(...) ((const char *const[]){ __VA_ARGS__, NULL })

static uint64_t put(struct box *b, struct job *j)
{
	int n = 0;

	assert_int_equal(store_job_create(b->store, j, "x", 1, count_done, &n, NULL), 0);
	box_wait(b, &n, 1);
	return j->id;
}

static void update(struct box *b, struct job *j)
{
	int n = 0;

	assert_int_equal(store_job_update(b->store, j, count_done, &n, NULL), 0);
	box_wait(b, &n, 1);
}

/* All of the new fields, and nothing of them in a record of the version before. */
static void envelope_comes_back(void **state)
{
	_buffer_ struct buffer bytes = { 0 };
	struct job *j = mail_to(TO("a@x.test"), JOB_QUEUED), *back = NULL;
	struct job_recipient *r = &j->recipients[0];

	j->id = 7;
	j->ret = RET_HDRS;
	j->eight_bit = j->utf8 = true;
	j->deadline = 99;
	j->since = 98;
	job_set(&j->envid, "QQ 1");
	job_set(&r->user, "100");
	job_set(&r->orcpt, "rfc822;b@y.test");
	job_set(&r->status, "4.2.2");
	job_set(&r->remote, "mx.test");
	r->notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	r->flags = RCPT_TOLD_DELAY | RCPT_IN_HAND;
	r->tries = 3;
	r->next_try = 1234567890123;
	assert_int_equal(job_encode(j, &bytes), 0);
	for (size_t i = 0; i < bytes.len; i++)
		assert_int_equal(job_decode(bytes.data, i, &back), -EBADMSG);
	assert_int_equal(job_decode(bytes.data, bytes.len, &back), 0);
	assert_int_equal(back->ret, RET_HDRS);
	assert_true(back->eight_bit && back->utf8);
	assert_int_equal(back->deadline, 99);
	assert_int_equal(back->since, 98);
	assert_string_equal(back->envid, "QQ 1");
	assert_string_equal(back->recipients[0].user, "100");
	assert_string_equal(back->recipients[0].orcpt, "rfc822;b@y.test");
	assert_string_equal(back->recipients[0].status, "4.2.2");
	assert_string_equal(back->recipients[0].remote, "mx.test");
	assert_int_equal(back->recipients[0].notify, r->notify);
	assert_int_equal(back->recipients[0].flags, r->flags);
	assert_int_equal(back->recipients[0].tries, 3);
	assert_int_equal(back->recipients[0].next_try, 1234567890123);
	job_free(back);
	job_free(j);
}

static void put32(struct buffer *b, uint32_t v)
{
	assert_int_equal(buffer_append(b, &v, sizeof(v)), 0);
}

static void put64(struct buffer *b, uint64_t v)
{
	assert_int_equal(buffer_append(b, &v, sizeof(v)), 0);
}

static void put_text(struct buffer *b, const char *s)
{
	put32(b, s ? (uint32_t)strlen(s) : UINT32_MAX);
	if (s)
		assert_int_equal(buffer_append(b, s, strlen(s)), 0);
}

/* As the first version wrote it, field by field. */
static void old_records_are_read(void **state)
{
	static const uint32_t small[] = { 1, JOB_SEND, JOB_QUEUED, 3, 2, 1, 5, 1 };
	static const uint64_t large[] = { 42, 1000, 2000, 3000, 77 };
	static const char *const texts[] = {
		"100", "a@x", "s", "<m@x>", NULL, NULL, "S1", "mh", "d",
	};
	_buffer_ struct buffer b = { 0 };
	struct job *j = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(small); i++)
		put32(&b, small[i]);
	for (size_t i = 0; i < ARRAY_SIZE(large); i++)
		put64(&b, large[i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		put_text(&b, texts[i]);
	put32(&b, RCPT_REFUSED);
	put_text(&b, "b@y");
	put_text(&b, "no");
	assert_int_equal(job_decode(b.data, b.len, &j), 0);
	assert_int_equal(j->id, 42);
	assert_int_equal(j->attempts, 5);
	assert_int_equal(j->body_len, 77);
	assert_string_equal(j->detail, "d");
	assert_string_equal(j->recipients[0].address, "b@y");
	assert_string_equal(j->recipients[0].detail, "no");
	assert_int_equal(j->recipients[0].state, RCPT_REFUSED);
	assert_int_equal(j->deadline, 0);
	assert_null(j->envid);
	job_free(j);
}

/* Finished mails until the first segments have been given back. */
static void push_out(struct box *b)
{
	static char body[20000];
	int n = 0;

	memset(body, 'x', sizeof(body));
	for (int i = 0; i < 60; i++) {
		struct job *j = new_job(JOB_SEND, "gone");

		assert_int_equal(store_job_create(b->store, j, body, sizeof(body), count_done, &n,
						  NULL), 0);
		box_wait(b, &n, 2 * i + 1);
		j->state = JOB_SENT;
		assert_int_equal(store_job_update(b->store, j, count_done, &n, NULL), 0);
		box_wait(b, &n, 2 * i + 2);
		job_free(j);
	}
}

/*
 * Three jobs read one document; the one that brought it ends. Its segment goes,
 * the bytes are written once more, and the others share them.
 */
static void documents_are_shared(void **state)
{
	struct job *owner = mail_to(TO("a@x.test"), JOB_QUEUED), *other;
	static char body[100000];
	struct box *b = *state;
	uint64_t live[2], ids[3];
	char path[256];
	int n = 0;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 31 >> 3);
	assert_int_equal(store_job_create(b->store, owner, body, sizeof(body), count_done, &n,
					  NULL), 0);
	box_wait(b, &n, 1);
	assert_int_equal(index_live_bytes(b->store->index, &live[0]), 0);
	for (int i = 0; i < 3; i++) {
		other = new_job(JOB_PRINT, "shared");
		assert_int_equal(store_job_create_from(b->store, other, owner->id, count_done, &n,
						       NULL), 0);
		ids[i] = other->id;
		assert_int_equal(other->body_len, sizeof(body));
		job_free(other);
	}
	box_wait(b, &n, 4);
	assert_int_equal(index_live_bytes(b->store->index, &live[1]), 0);
	assert_true(live[1] < live[0] + 2000);
	owner->state = JOB_DELIVERED;
	update(b, owner);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			assert_int_equal(compare_body(b, ids[i], body, sizeof(body)), 0);
		if (round == 0)
			rebuild(b);
		if (round == 1)
			push_out(b);
	}
	snprintf(path, sizeof(path), "%s/journal/%016x.seg", b->spool, 1);
	assert_int_equal(access(path, F_OK), -1);
	/* Moved once, for all. */
	assert_int_equal(index_live_bytes(b->store->index, &live[1]), 0);
	assert_true(live[1] < sizeof(body) + 40000);
	rebuild(b);
	for (int i = 0; i < 3; i++)
		assert_int_equal(compare_body(b, ids[i], body, sizeof(body)), 0);
	assert_null(store_notice(b->store));
	assert_int_equal(store_job_create_from(b->store, owner, 4711, NULL, NULL, NULL), -ENOENT);
	job_free(owner);
}

static bool is_job(void *userdata, const struct store_route *r)
{
	return r->id == *(const uint64_t *)userdata;
}

static void routes_are_indexed(void **state)
{
	struct box *b = *state;
	struct job *j = mail_to(TO("a@X.test", "b@y.test", "c@x.TEST", "d@box"), JOB_QUEUED);
	struct job *k = mail_to(TO("e@x.test"), JOB_QUEUED);
	struct store_route r = { 0 };

	job_set(&j->recipients[3].user, "100");
	j->recipients[0].next_try = 500;
	j->recipients[2].next_try = 300;
	put(b, j);
	put(b, k);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(store_route_domain(b->store, true, &r), 0);
		assert_string_equal(r.domain, "");
		assert_int_equal(store_route_domain(b->store, false, &r), 0);
		assert_string_equal(r.domain, "x.test");
		assert_int_equal(r.id, k->id);
		assert_int_equal(store_route_domain(b->store, false, &r), 0);
		assert_string_equal(r.domain, "y.test");
		assert_int_equal(store_route_domain(b->store, false, &r), -ENOENT);
		rebuild(b);
	}
	/* to one domain, soonest first */
	r = (struct store_route){ 0 };
	assert_int_equal(store_route_next(b->store, "x.test", NULL, NULL, &r), 0);
	assert_int_equal(r.id, k->id);
	assert_int_equal(store_route_next(b->store, "x.test", NULL, NULL, &r), 0);
	assert_int_equal(r.id, j->id);
	assert_int_equal(r.when, 300);
	assert_int_equal(store_route_next(b->store, "x.test", NULL, NULL, &r), -ENOENT);
	/* but those that are passed by */
	r = (struct store_route){ 0 };
	assert_int_equal(store_route_next(b->store, "x.test", is_job, &k->id, &r), 0);
	assert_int_equal(r.id, j->id);
	r = (struct store_route){ 0 };
	assert_int_equal(store_route_next(b->store, "x.test", is_job, &j->id, &r), 0);
	assert_int_equal(r.id, k->id);
	assert_int_equal(store_route_next(b->store, "x.test", is_job, &j->id, &r), -ENOENT);
	/* to all but the box itself: j to y.test, k, j to x.test */
	r = (struct store_route){ 0 };
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_route_next(b->store, NULL, NULL, NULL, &r), 0);
	assert_int_equal(r.when, 300);
	assert_int_equal(store_route_next(b->store, NULL, NULL, NULL, &r), -ENOENT);

	/* held: never; sent: gone; the job: all gone */
	k->state = JOB_HELD;
	update(b, k);
	j->recipients[0].state = j->recipients[2].state = RCPT_SENT;
	update(b, j);
	r = (struct store_route){ 0 };
	assert_int_equal(store_route_next(b->store, "x.test", NULL, NULL, &r), 0);
	assert_int_equal(r.when, ROUTE_NEVER);
	assert_int_equal(store_route_next(b->store, "x.test", NULL, NULL, &r), -ENOENT);
	j->state = JOB_CANCELED;
	update(b, j);
	assert_int_equal(store_job_remove(b->store, j->id, NULL), 0);
	r = (struct store_route){ 0 };
	assert_int_equal(store_route_next(b->store, "y.test", NULL, NULL, &r), -ENOENT);
	r = (struct store_route){ 0 };
	assert_int_equal(store_route_next(b->store, "", NULL, NULL, &r), -ENOENT);
	job_free(j);
	job_free(k);
}

/* Is anything to be sent at all? */
static bool has_routes(struct box *b)
{
	struct store_route r = { 0 };

	return !store_route_domain(b->store, true, &r);
}

static struct job *unsealed_job(struct box *b)
{
	struct job *j = mail_to(TO("a@x.test"), JOB_QUEUED);

	j->kind = JOB_SEND;
	j->unsealed = true;
	put(b, j);
	return j;
}

/* What is to be encrypted waits for that in every state, and nobody can say that it is. */
static void unsealed_goes_nowhere(void **state)
{
	static const enum job_state states[] = { JOB_SENDING, JOB_HELD, JOB_CANCELED, JOB_QUEUED };
	static const char sealed[] = "encrypted";
	struct job *back = NULL, *j;
	struct box *b = *state;
	int n = 0;

	j = unsealed_job(b);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		j->state = states[i];
		j->unsealed = false;
		update(b, j);
		assert_true(j->unsealed);
		assert_false(has_routes(b));
	}
	rebuild(b);
	assert_false(has_routes(b));
	assert_int_equal(store_job_get(b->store, j->id, &back), 0);
	assert_true(back->unsealed);
	back->unsealed = false;
	assert_int_equal(store_job_attach(b->store, back, sealed, sizeof(sealed), count_done, &n,
					  NULL), 0);
	box_wait(b, &n, 1);
	for (int round = 0; round < 2; round++) {
		assert_true(has_routes(b));
		assert_int_equal(compare_body(b, j->id, sealed, sizeof(sealed)), 0);
		rebuild(b);
	}
	assert_int_equal(store_job_attach(b->store, back, "x", 1, NULL, NULL, NULL), -EEXIST);
	job_free(back);
	job_free(j);
}

static void overwrite(const char *path, const char *what)
{
	size_t len = strlen(what);
	char bytes[4096];
	ssize_t n, at = 0;
	_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	for (char *found = NULL; !found; at += (ssize_t)(sizeof(bytes) - len)) {
		n = pread(fd, bytes, sizeof(bytes), at);
		assert_true(n > 0);
		found = memmem(bytes, n, what, len);
		if (found)
			assert_int_equal(pwrite(fd, "!", 1, at + (found - bytes)), 1);
	}
}

/* Of the encrypted document nothing is left: then nothing goes, and not what was before. */
static void damage_does_not_unseal(void **state)
{
	static const char sealed[] = "this document is an encrypted one";
	struct job *back = NULL, *j;
	struct box *b = *state;
	char path[300];
	int n = 0;

	j = unsealed_job(b);
	j->unsealed = false;
	assert_int_equal(store_job_attach(b->store, j, sealed, sizeof(sealed), count_done, &n,
					  NULL), 0);
	box_wait(b, &n, 1);
	job_set(&j->detail, "waits for its turn");
	update(b, j);
	last_segment(b, path, sizeof(path));
	box_close(b);
	overwrite(path, sealed);
	remove_index(b);
	box_open(b);
	assert_false(has_routes(b));
	assert_int_equal(store_job_get(b->store, j->id, &back), 0);
	assert_int_equal(back->state, JOB_FAILED);
	assert_non_null(strstr(back->detail, "lost to damage"));
	assert_int_equal(back->body_len, 0);
	job_free(back);
	job_free(j);
}

static void deadlines_are_indexed(void **state)
{
	struct box *b = *state;
	struct job *late = mail_to(TO("a@x"), JOB_QUEUED), *soon = mail_to(TO("a@x"), JOB_QUEUED);
	uint64_t id, when;

	assert_int_equal(store_deadline_next(b->store, &id, &when), -ENOENT);
	late->deadline = 2000;
	soon->deadline = 1000;
	put(b, late);
	put(b, soon);
	assert_int_equal(store_deadline_next(b->store, &id, &when), 0);
	assert_int_equal(id, soon->id);
	assert_int_equal(when, 1000);
	soon->state = JOB_HELD;
	update(b, soon);
	assert_int_equal(store_deadline_next(b->store, &id, &when), 0);
	assert_int_equal(id, late->id);
	late->state = JOB_SENT;
	update(b, late);
	assert_int_equal(store_deadline_next(b->store, &id, &when), -ENOENT);
	job_free(late);
	job_free(soon);
}

/* By the time of their last change; sent faxes are not among them. */
static void finished_are_indexed(void **state)
{
	struct box *b = *state;
	struct job *one = mail_to(TO("a@x"), JOB_QUEUED), *two = mail_to(TO("a@x"), JOB_QUEUED);
	struct error e = { 0 };
	uint64_t id, since;

	put(b, one);
	put(b, two);
	assert_int_equal(store_finished_next(b->store, &id, &since), -ENOENT);
	two->state = JOB_SENT;
	update(b, two);
	one->state = JOB_FAILED;
	update(b, one);
	assert_int_equal(store_finished_next(b->store, &id, &since), 0);
	assert_int_equal(id, two->id);
	assert_int_equal(since, two->changed);
	assert_int_equal(store_job_remove(b->store, id, &e), 0);
	assert_int_equal(store_finished_next(b->store, &id, &since), 0);
	assert_int_equal(id, one->id);
	one->state = JOB_QUEUED;
	update(b, one);
	assert_int_equal(store_finished_next(b->store, &id, &since), -ENOENT);
	job_free(one);
	job_free(two);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Finds what is due next at a domain, a thousand times. */
static double find_next(struct box *b)
{
	double t = seconds();

	for (int i = 0; i < 1000; i++) {
		struct store_route r = { 0 };

		assert_int_equal(store_route_next(b->store, i & 1 ? NULL : "x7.test", NULL, NULL,
						  &r), 0);
	}
	return seconds() - t;
}

static void finding_costs_the_same(void **state)
{
	struct box *b = *state;
	double took[2] = { 0 };
	int n = 0;

	box_close(b);
	b->segment_bytes = 16 << 20;
	box_open(b);
	for (int i = 0; i < 20000; i++) {
		char address[32];
		struct job *j;

		snprintf(address, sizeof(address), "a@x%d.test", i % 50);
		j = mail_to(TO(address), JOB_QUEUED);
		assert_int_equal(store_job_create(b->store, j, "x", 1, count_done, &n, NULL), 0);
		job_free(j);
		if (i == 199)
			took[0] = find_next(b);
	}
	took[1] = find_next(b);
	box_wait(b, &n, 20000);
	print_message("# next of 200: %.1f us, of 20000: %.1f us\n", took[0] * 1e3, took[1] * 1e3);
	assert_true(took[1] < 4 * took[0]);
}

int main(void)
{
#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		t(envelope_comes_back), t(old_records_are_read), t(documents_are_shared),
		t(routes_are_indexed), t(unsealed_goes_nowhere), t(damage_does_not_unseal),
		t(deadlines_are_indexed), t(finished_are_indexed), t(finding_costs_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
