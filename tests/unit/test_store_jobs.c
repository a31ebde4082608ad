// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the store promises of jobs, without a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
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

static void reopen(struct box *b)
{
	box_close(b);
	box_open(b);
}

static void rebuild(struct box *b)
{
	box_close(b);
	remove_index(b);
	box_open(b);
}

static void check_full(struct box *b, uint64_t id)
{
	struct job *j;

	assert_int_equal(store_job_get(b->store, id, &j), 0);
	assert_int_equal(j->kind, JOB_PRINT);
	assert_int_equal(j->state, JOB_WAITING);
	assert_string_equal(j->user, "100");
	assert_string_equal(j->from, "a@example.test");
	assert_string_equal(j->subject, "s\303\274bject");
	assert_string_equal(j->message_id, "<1@example.test>");
	assert_string_equal(j->source, "pop3/100/uid-1");
	assert_string_equal(j->digest, "ab12");
	assert_string_equal(j->board, "SIM0");
	assert_string_equal(j->encoding, "mmr");
	assert_string_equal(j->detail, "The tray is empty.");
	assert_int_equal(j->n_recipients, 2);
	assert_string_equal(j->recipients[1].address, "b@example.test");
	assert_int_equal(j->recipients[1].state, RCPT_REFUSED);
	assert_string_equal(j->recipients[1].detail, "550 no");
	assert_null(j->recipients[0].detail);
	assert_int_equal(j->pages, 3);
	assert_int_equal(j->pages_done, 1);
	assert_int_equal(j->page_in_hand, 2);
	assert_int_equal(j->attempts, 4);
	assert_int_equal(j->next_try, 77);
	assert_int_equal(j->body_len, 5);
	assert_true(j->created && j->changed >= j->created);
	job_free(j);
	assert_int_equal(compare_body(b, id, "hello", 5), 0);
}

static void every_field_comes_back(void **state)
{
	struct box *b = *state;
	struct job *j = new_job(JOB_PRINT, "s\303\274bject");
	int n = 0;
	uint64_t id;

	job_set(&j->from, "a@example.test");
	job_set(&j->message_id, "<1@example.test>");
	job_set(&j->source, "pop3/100/uid-1");
	assert_int_equal(store_job_create(b->store, j, "hello", 5, count_done, &n, NULL), 0);
	id = j->id;
	j->state = JOB_WAITING;
	job_set(&j->digest, "ab12");
	job_set(&j->board, "SIM0");
	job_set(&j->encoding, "mmr");
	job_set(&j->detail, "The tray is empty.");
	job_set(&j->source, "another");	/* must not take */
	job_add_recipient(j, "b@example.test");
	j->recipients[1].state = RCPT_REFUSED;
	job_set(&j->recipients[1].detail, "550 no");
	j->pages = 3;
	j->pages_done = 1;
	j->page_in_hand = 2;
	j->attempts = 4;
	j->next_try = 77;
	assert_int_equal(store_job_update(b->store, j, count_done, &n, NULL), 0);
	job_free(j);
	check_full(b, id);
	box_wait(b, &n, 2);
	reopen(b);
	check_full(b, id);
	rebuild(b);
	check_full(b, id);
	assert_null(store_notice(b->store));
}

static void body_is_sealed_and_exact(void **state)
{
	struct box *b = *state;
	uint64_t id = create(b, "x", "12345678", 8);
	_close_ int fd = -1;

	assert_int_equal(store_job_body(b->store, id, &fd, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 8);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
}

static void attach_gives_a_document_once(void **state)
{
	struct box *b = *state;
	struct job *j = new_job(JOB_SEND, "scan");
	struct error e = { 0 };
	int n = 0, fd;
	uint64_t id;

	j->state = JOB_SCANNING;
	assert_int_equal(store_job_create(b->store, j, NULL, 0, count_done, &n, NULL), 0);
	id = j->id;
	assert_int_equal(store_job_body(b->store, id, &fd, &e), -ENOENT);
	j->state = JOB_QUEUED;
	assert_int_equal(store_job_attach(b->store, j, "pages", 5, count_done, &n, NULL), 0);
	assert_int_equal(store_job_attach(b->store, j, "again", 5, count_done, &n, &e), -EEXIST);
	box_wait(b, &n, 2);
	job_free(j);
	rebuild(b);
	assert_int_equal(compare_body(b, id, "pages", 5), 0);
	assert_int_equal(store_job_get(b->store, id, &j), 0);
	assert_int_equal(j->state, JOB_QUEUED);
	job_free(j);
}

static void ids_are_never_given_twice(void **state)
{
	struct box *b = *state;
	struct job *j;
	uint64_t id = create(b, "x", "1", 1), next;
	int n = 0;

	assert_int_equal(store_job_remove(b->store, id, NULL), -EBUSY);
	assert_int_equal(store_job_get(b->store, id, &j), 0);
	j->state = JOB_CANCELED;
	assert_int_equal(store_job_update(b->store, j, count_done, &n, NULL), 0);
	job_free(j);
	assert_int_equal(store_job_remove(b->store, id, NULL), 0);
	assert_int_equal(store_job_get(b->store, id, &j), -ENOENT);
	rebuild(b);
	assert_int_equal(store_job_get(b->store, id, &j), -ENOENT);
	next = create(b, "y", "2", 1);
	assert_true(next > id);
}

static void source_is_known_until_forgotten(void **state)
{
	struct box *b = *state;
	const char *keep[] = { "pop3/100/b", "pop3/100/a" };
	struct job *j = new_job(JOB_PRINT, "x");
	const char *const uids[] = { "pop3/100/a", "pop3/100/b", "pop3/100/c", "pop3/1000/a" };
	struct error e = { 0 };
	int n = 0;

	for (int i = 0; i < 4; i++) {
		j->id = 0;
		job_set(&j->source, uids[i]);
		assert_int_equal(store_job_create(b->store, j, "m", 1, count_done, &n, NULL), 0);
		/* Known before it is durable, too. */
		j->id = 0;
		assert_int_equal(store_job_create(b->store, j, "m", 1, count_done, &n, &e),
				 -EEXIST);
		assert_int_equal(j->id, 0);
	}
	job_free(j);
	box_wait(b, &n, 4);
	assert_int_equal(store_source_known(b->store, "pop3/100/c"), 1);
	assert_int_equal(store_source_forget(b->store, "pop3/100/", keep, 2), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(store_source_known(b->store, "pop3/100/a"), 1);
		assert_int_equal(store_source_known(b->store, "pop3/100/b"), 1);
		assert_int_equal(store_source_known(b->store, "pop3/100/c"), 0);
		assert_int_equal(store_source_known(b->store, "pop3/1000/a"), 1);
		rebuild(b);
	}
}

static void twin_is_an_earlier_print(void **state)
{
	struct box *b = *state;
	struct job *a = new_job(JOB_PRINT, "x"), *c = new_job(JOB_PRINT, "x");
	int n = 0;
	uint64_t twin;

	job_set(&a->message_id, "<m@x>");
	job_set(&a->digest, "d1");
	job_set(&c->message_id, "<m@x>");
	job_set(&c->digest, "d1");
	assert_int_equal(store_job_create(b->store, a, "m", 1, count_done, &n, NULL), 0);
	assert_int_equal(store_job_create(b->store, c, "m", 1, count_done, &n, NULL), 0);
	box_wait(b, &n, 2);
	assert_int_equal(store_find_twin(b->store, c, &twin), 0);
	assert_int_equal(twin, a->id);
	assert_int_equal(store_find_twin(b->store, a, &twin), 0);
	assert_int_equal(twin, 0);
	job_set(&c->digest, "d2");
	assert_int_equal(store_find_twin(b->store, c, &twin), 0);
	assert_int_equal(twin, 0);
	job_set(&c->digest, "d1");
	a->state = JOB_FAILED;
	assert_int_equal(store_job_update(b->store, a, NULL, NULL, NULL), 0);
	assert_int_equal(store_find_twin(b->store, c, &twin), 0);
	assert_int_equal(twin, 0);
	job_free(a);
	job_free(c);
}

static void list_filters(void **state)
{
	struct box *b = *state;
	struct job_filter all = { .kind = -1, .state = -1 }, f;
	struct job **list;
	int n = 0;
	size_t len;

	for (int i = 0; i < 10; i++) {
		struct job *j = new_job(i & 1 ? JOB_PRINT : JOB_SEND, "x");

		job_set(&j->user, i < 5 ? "100" : "200");
		j->next_try = (uint64_t)(100 - i);
		j->state = i == 9 ? JOB_PRINTED : JOB_QUEUED;
		assert_int_equal(store_job_create(b->store, j, "m", 1, count_done, &n, NULL), 0);
		job_free(j);
	}
	box_wait(b, &n, 10);
#define expect(count, first)                                                   \
	do {                                                                   \
		assert_int_equal(store_job_list(b->store, &f, &list, &len), 0); \
		assert_int_equal(len, count);                                  \
		if (len)                                                       \
			assert_int_equal(list[0]->id, first);                  \
		job_list_free(list, len);                                      \
	} while (0)
	f = all;
	expect(10, 1);
	f.newest_first = true;
	f.limit = 3;
	expect(3, 10);
	f = all;
	f.kind = JOB_PRINT;
	expect(5, 2);
	f.unfinished = true;
	expect(4, 2);
	f = all;
	f.user = "200";
	expect(5, 6);
	f.state = JOB_PRINTED;
	expect(1, 10);
	f = all;
	f.due_before = 93;
	expect(2, 9);
	f.due_before = 90;
	expect(0, 0);
}

struct watched {
	int n;
	int calls;
	uint64_t last_id;
	enum job_state last;
};

static void on_change(void *userdata, struct job *const *jobs, size_t n)
{
	struct watched *w = userdata;

	assert_in_range(n, 1, STORE_WATCH_MAX);
	w->calls++;
	for (size_t i = 0; i < n; i++) {
		w->n++;
		w->last = jobs[i]->state;
		assert_true(jobs[i]->id != w->last_id || n == 1);
		w->last_id = jobs[i]->id;
	}
}

/* Each once, however often it changed, and in bundles. */
static void watch_hears_of_many(void **state)
{
	enum { N = 2 * STORE_WATCH_MAX + 1 };
	struct box *b = *state;
	struct watched w = { 0 };

	store_watch(b->store, on_change, &w);
	for (int i = 0; i < N; i++) {
		struct job *j = new_job(JOB_SEND, "x");

		assert_int_equal(store_job_create(b->store, j, "m", 1, NULL, NULL, NULL), 0);
		assert_int_equal(store_job_update(b->store, j, NULL, NULL, NULL), 0);
		job_free(j);
	}
	store_flush(b->store);
	box_wait(b, &w.n, N);
	assert_int_equal(w.n, N);
	assert_int_equal(w.calls, 3);
}

static void watch_hears_of_each_change(void **state)
{
	struct box *b = *state;
	struct job *j = new_job(JOB_SEND, "x");
	struct watched w = { 0 };
	int done = 0;

	store_watch(b->store, on_change, &w);
	assert_int_equal(store_job_create(b->store, j, "m", 1, NULL, NULL, NULL), 0);
	box_wait(b, &w.n, 1);
	j->state = JOB_SENDING;
	assert_int_equal(store_job_update(b->store, j, NULL, NULL, NULL), 0);
	box_wait(b, &w.n, 2);
	assert_int_equal(w.last, JOB_SENDING);
	/* Close together, they count as one. */
	j->state = JOB_QUEUED;
	assert_int_equal(store_job_update(b->store, j, NULL, NULL, NULL), 0);
	j->state = JOB_SENT;
	assert_int_equal(store_job_update(b->store, j, count_done, &done, NULL), 0);
	store_flush(b->store);
	assert_int_equal(done, 1);
	assert_int_equal(w.n, 2);
	box_wait(b, &w.n, 3);
	assert_int_equal(w.last, JOB_SENT);
	j->state = JOB_FAILED;
	assert_int_equal(store_job_update(b->store, j, NULL, NULL, NULL), 0);
	box_wait(b, &w.n, 4);
	assert_int_equal(w.last, JOB_FAILED);
	job_free(j);
}

/* Who waits later for what was written without hurry is told when the disk has it. */
static void marks_are_awaited(void **state)
{
	struct box *b = *state;
	struct job *j = new_job(JOB_SEND, "x");
	int early = 0, created = 0;
	uint64_t mark;
	int r;

	assert_int_equal(store_job_create(b->store, j, "m", 1, count_done, &created, NULL), 0);
	box_wait(b, &created, 1);
	assert_int_equal(store_await(b->store, store_mark(b->store), count_done, &early), 1);
	j->state = JOB_SENDING;
	assert_int_equal(store_job_update(b->store, j, NULL, NULL, NULL), 0);
	mark = store_mark(b->store);
	/* Later changes do not come between. */
	assert_int_equal(store_job_update(b->store, j, NULL, NULL, NULL), 0);
	assert_true(store_mark(b->store) > mark);
	r = store_await(b->store, mark, count_done, &early);
	if (!r) {	/* else the disk was faster than this test */
		assert_int_equal(early, 0);
		box_wait(b, &early, 1);
	}
	assert_int_equal(early, !r);
	assert_int_equal(store_await(b->store, mark, count_done, &early), 1);
	store_flush(b->store);
	assert_int_equal(store_await(b->store, store_mark(b->store), count_done, &early), 1);
	assert_int_equal(early, !r);
	job_free(j);
}

/* A document is found where it stands, and stays readable when its job is gone. */
static void extents_outlive_their_jobs(void **state)
{
	struct box *b = *state;
	struct job *j = new_job(JOB_SEND, "x");
	struct extent at = { .fd = -1 };
	char text[16] = "";
	int done = 0;

	assert_int_equal(store_job_extent(b->store, 1, &at, NULL), -ENOENT);
	assert_int_equal(store_job_create(b->store, j, "document", 8, count_done, &done, NULL), 0);
	box_wait(b, &done, 1);
	assert_int_equal(store_job_extent(b->store, j->id, &at, NULL), 0);
	assert_int_equal(at.len, 8);
	j->state = JOB_CANCELED;
	assert_int_equal(store_job_update(b->store, j, NULL, NULL, NULL), 0);
	assert_int_equal(store_job_remove(b->store, j->id, NULL), 0);
	assert_int_equal(pread(at.fd, text, at.len, (off_t)at.at), 8);
	assert_string_equal(text, "document");
	assert_int_equal(pwrite(at.fd, "x", 1, (off_t)at.at), -1);
	close(at.fd);
	job_free(j);
}

struct again {
	struct box *box;
	struct job *job;
	int called;
	int r;
};

static void update_again(void *userdata, int r)
{
	struct again *a = userdata;

	assert_int_equal(r, 0);
	a->called++;
	a->r = store_job_update(a->box->store, a->job, update_again, a, NULL);
}

/* Closing makes durable what waits and tells, and takes nothing from those it tells. */
static void close_tells_and_ends(void **state)
{
	struct box *b = *state;
	struct job *j = new_job(JOB_SEND, "x");
	struct again a = { .box = b, .job = j };

	assert_int_equal(store_job_create(b->store, j, "m", 1, update_again, &a, NULL), 0);
	box_close(b);
	assert_int_equal(a.called, 1);
	assert_int_equal(a.r, -ESHUTDOWN);
	box_open(b);
	assert_int_equal(compare_body(b, j->id, "m", 1), 0);
	job_free(j);
}

static void second_process_is_refused(void **state)
{
	struct box *b = *state;
	struct store_options o = { .spool = b->spool, .state = b->state };
	struct error e = { 0 };
	struct store *s;

	assert_int_equal(store_open(&s, b->event, &o, &e), -EBUSY);
	assert_non_null(strstr(e.text, "in use"));
	create(b, "still fine", "1", 1);
}

static void documents_larger_than_a_segment(void **state)
{
	struct box *b = *state;
	size_t len = 3 * SMALL_SEGMENT + 17;
	_free_ char *body = malloc(len);
	uint64_t id;

	for (size_t i = 0; i < len; i++)
		body[i] = (char)(i * 7 + i / 251);
	id = create(b, "large", body, len);
	assert_int_equal(compare_body(b, id, body, len), 0);
	create(b, "after", "1", 1);
	rebuild(b);
	assert_int_equal(compare_body(b, id, body, len), 0);
}

/* Finished documents give their segments back; history, keys and what is unfinished stay. */
static void segments_are_reclaimed(void **state)
{
	struct box *b = *state;
	static char body[20000];
	struct job *j, *first = new_job(JOB_PRINT, "kept"), **list;
	struct job_filter f = { .kind = -1, .state = -1 };
	uint64_t keep;
	char path[256];
	size_t len;
	int n = 0;

	memset(body, 'k', sizeof(body));
	job_set(&first->source, "pop3/100/first");
	assert_int_equal(store_job_create(b->store, first, body, 9000, count_done, &n, NULL), 0);
	keep = first->id;
	job_free(first);
	memset(body, 'x', sizeof(body));
	for (int i = 0; i < 200; i++) {
		j = new_job(JOB_SEND, "gone");
		assert_int_equal(store_job_create(b->store, j, body, sizeof(body), count_done, &n,
						  NULL), 0);
		box_wait(b, &n, 2 * i + 2);
		j->state = JOB_SENT;
		assert_int_equal(store_job_update(b->store, j, count_done, &n, NULL), 0);
		box_wait(b, &n, 2 * i + 3);
		job_free(j);
	}
	snprintf(path, sizeof(path), "%s/journal/%016x.seg", b->spool, 1);
	assert_int_equal(access(path, F_OK), -1);
	last_segment(b, path, sizeof(path));
	assert_true(strtoul(strrchr(path, '/') + 1, NULL, 16) > 10);
	for (int round = 0; round < 2; round++) {
		memset(body, 'k', 9000);
		assert_int_equal(compare_body(b, keep, body, 9000), 0);
		assert_int_equal(store_source_known(b->store, "pop3/100/first"), 1);
		assert_int_equal(store_job_list(b->store, &f, &list, &len), 0);
		assert_int_equal(len, 201);
		for (size_t i = 1; i < len; i++)
			assert_int_equal(list[i]->state, JOB_SENT);
		job_list_free(list, len);
		rebuild(b);
		assert_null(store_notice(b->store));
	}
}

/* A key that was forgotten stays so, even where its job's record is written again. */
static void reclaim_keeps_keys_forgotten(void **state)
{
	struct job *j = new_job(JOB_PRINT, "kept");
	static char body[20000];
	struct box *b = *state;
	char path[256];
	int n = 0;

	memset(body, 'x', sizeof(body));
	job_set(&j->source, "pop3/100/gone");
	assert_int_equal(store_job_create(b->store, j, body, 9000, count_done, &n, NULL), 0);
	job_free(j);
	assert_int_equal(store_source_forget(b->store, "pop3/100/", NULL, 0), 0);
	assert_int_equal(store_source_known(b->store, "pop3/100/gone"), 0);
	for (int i = 0; i < 60; i++) {
		j = new_job(JOB_SEND, "gone");
		assert_int_equal(store_job_create(b->store, j, body, sizeof(body), count_done, &n,
						  NULL), 0);
		box_wait(b, &n, 2 * i + 2);
		j->state = JOB_SENT;
		assert_int_equal(store_job_update(b->store, j, count_done, &n, NULL), 0);
		box_wait(b, &n, 2 * i + 3);
		job_free(j);
	}
	snprintf(path, sizeof(path), "%s/journal/%016x.seg", b->spool, 1);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(store_source_known(b->store, "pop3/100/gone"), 0);
	rebuild(b);
	assert_int_equal(store_source_known(b->store, "pop3/100/gone"), 0);
	memset(body, 'x', sizeof(body));
	assert_int_equal(compare_body(b, 1, body, 9000), 0);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Twenty at a time, as from twenty sessions. */
static void twenty_thousand_cost_the_same(void **state)
{
	struct box *b = *state;
	double took[2] = { 0 };
	static char body[4000];
	int n = 0;

	b->segment_bytes = 16 << 20;
	reopen(b);
	memset(body, 'm', sizeof(body));
	for (int i = 0; i < 20000; i += 20) {
		double t = seconds();

		for (int k = 0; k < 20; k++) {
			struct job *j = new_job(JOB_SEND, "many");

			assert_int_equal(store_job_create(b->store, j, body, sizeof(body),
							  count_done, &n, NULL), 0);
			job_free(j);
		}
		box_wait(b, &n, i + 20);
		t = seconds() - t;
		if (i < 5000)
			took[0] += t;
		else if (i >= 15000)
			took[1] += t;
	}
	print_message("# first 5000: %.0f/s, last 5000: %.0f/s\n", 5000 / took[0],
		      5000 / took[1]);
	/* A factor of four leaves room for a noisy machine; cost that grows with n shows more. */
	assert_true(took[1] < 4 * took[0]);
}

int main(void)
{
#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		t(every_field_comes_back),	t(body_is_sealed_and_exact),
		t(attach_gives_a_document_once), t(ids_are_never_given_twice),
		t(source_is_known_until_forgotten), t(twin_is_an_earlier_print),
		t(list_filters),		t(watch_hears_of_each_change),
		t(watch_hears_of_many),
		t(close_tells_and_ends),	t(second_process_is_refused),
		t(documents_larger_than_a_segment),
		t(marks_are_awaited),	t(extents_outlive_their_jobs),
		t(segments_are_reclaimed),	t(reclaim_keeps_keys_forgotten),
		t(twenty_thousand_cost_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
