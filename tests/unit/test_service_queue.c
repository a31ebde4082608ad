// SPDX-License-Identifier: LGPL-2.1-or-later
/* The queue: the real store and SMTP engine, a server that follows a script. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "service/queue.h"
#include "service/words.h"
#include "store/store.h"
#include "svc_help.h"

#define HELLO	"S:220 mx\r\n", "C:EHLO box", "S:250 mx\r\n"
#define FROM	"C:MAIL FROM:<ada@example.test>", "S:250 ok\r\n"
#define A	"C:RCPT TO:<a@x.test>"
#define B	"C:RCPT TO:<b@x.test>"
#define OK	"S:250 ok\r\n"
#define DATA	"C:DATA", "S:354 go\r\n", "BODY"
/* To the sender, over the same line. */
#define NOTICE	"C:MAIL FROM:<>", OK, "C:RCPT TO:<ada@example.test>", OK, DATA
#define GOODBYE	"C:QUIT", "S:221 bye\r\n", "WAIT"
#define SCRIPT(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const char mail[] = "Subject: x\r\n\r\nbody\r\n";

static int setup(void **state)
{
	struct svc *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	svc_make(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	svc_remove(*state);
	free(*state);
	return 0;
}

/* A queued job to a@x.test and, where @two, b@x.test. */
static uint64_t queue(struct svc *s, bool two)
{
	struct job *j = fake_job(0, JOB_SEND, JOB_QUEUED);
	struct error e = { 0 };
	uint64_t id;

	assert_int_equal(job_set(&j->from, "ada@example.test"), 0);
	assert_int_equal(job_add_recipient(j, "a@x.test"), 0);
	if (two)
		assert_int_equal(job_add_recipient(j, "b@x.test"), 0);
	j->pages = 3;
	if (store_job_create(s->box.store, j, mail, strlen(mail), NULL, NULL, &e) < 0)
		fail_msg("%s", error_text(&e));
	id = j->id;
	job_free(j);
	queue_wake(s->box.queue, id);
	return id;
}

static void sent(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct job *j;
	uint64_t id;

	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, DATA, "S:250 taken\r\n", GOODBYE));
	svc_open(s, f.port);
	id = queue(s, false);
	j = svc_wait(s, id, JOB_SENT);
	assert_int_equal(j->recipients[0].state, RCPT_SENT);
	assert_int_equal(j->pages_done, 3);
	assert_int_equal(j->attempts, 1);
	job_free(j);
	svc_serve(s, &f);
	assert_non_null(strstr(f.body.data, "body\r\n"));
	buffer_free(&f.body);
}

/* Over one connection. */
static void two_in_a_row(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t one, two;

	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, DATA, "S:250 taken\r\n", FROM, A, OK,
				     DATA, "S:250 taken\r\n", GOODBYE));
	svc_open(s, f.port);
	one = queue(s, false);
	two = queue(s, false);
	svc_expect(s, one, JOB_SENT, NULL);
	svc_expect(s, two, JOB_SENT, NULL);
	svc_serve(s, &f);
	buffer_free(&f.body);
}

/* Who was refused, and that the other one got it. */
static void partly_refused(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct job *j;
	uint64_t id;

	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, B, "S:550 5.1.1 nobody\r\n", DATA,
				     "S:250 taken\r\n", NOTICE, "S:250 taken\r\n", GOODBYE));
	svc_open(s, f.port);
	id = queue(s, true);
	svc_expect(s, id, JOB_FAILED,
		   "sent to 1 of 2 recipients; the mail server refuses b@x.test");
	j = svc_job(s, id);
	assert_int_equal(j->recipients[0].state, RCPT_SENT);
	assert_int_equal(j->recipients[1].state, RCPT_REFUSED);
	assert_non_null(strstr(j->detail, "550"));
	job_free(j);
	svc_serve(s, &f);
	assert_non_null(strstr(f.body.data, "Action: failed"));
	assert_non_null(strstr(f.body.data, "Status: 5.1.1"));
	assert_non_null(strstr(f.body.data, "b@x.test"));
	assert_null(strstr(f.body.data, "a@x.test"));
	buffer_free(&f.body);
}

/* One is put off: the next attempt goes to him alone. */
static void partly_later(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct job *j;
	uint64_t id;

	s->box.conf.retry_usec = 20000;
	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, B, "S:451 later\r\n", DATA,
				     "S:250 taken\r\n", "C:QUIT", "S:221 bye\r\n", "NEXT", HELLO,
				     FROM, B, OK, DATA, "S:250 taken\r\n", GOODBYE));
	svc_open(s, f.port);
	id = queue(s, true);
	j = svc_wait(s, id, JOB_SENT);
	assert_int_equal(j->attempts, 2);
	job_free(j);
	svc_serve(s, &f);
	buffer_free(&f.body);
}

static void nobody_answers(void **state)
{
	struct svc *s = *state;
	uint64_t id, before;
	struct job *j;

	svc_open(s, 0);
	before = words_now();
	id = queue(s, false);
	svc_run(s, 300);
	j = svc_job(s, id);
	assert_int_equal(j->state, JOB_QUEUED);
	assert_int_equal(j->attempts, 1);
	assert_non_null(strstr(j->detail, "next try"));
	assert_true(j->next_try >= before + s->box.conf.retry_usec);
	job_free(j);
}

/* Waits double up to the longest; too old, it fails with the last words. */
static void expires(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	s->box.conf.retry_usec = 1000;
	s->box.conf.retry_max_usec = 50000;
	s->box.conf.expire_usec = 500000;
	svc_open(s, 0);
	id = queue(s, false);
	svc_expect(s, id, JOB_FAILED, "given up after");
}

/* A clock that was set back: not given up at once, and not left for years. */
static void clock_set_back(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct error e = { 0 };
	struct job *j;

	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, DATA, "S:250 taken\r\n", GOODBYE));
	svc_open(s, f.port);
	j = fake_job(0, JOB_SEND, JOB_QUEUED);
	assert_int_equal(job_add_recipient(j, "a@x.test"), 0);
	assert_int_equal(job_set(&j->from, "ada@example.test"), 0);
	j->created = words_now() + 365 * 86400 * 1000000ull;
	j->next_try = j->created;
	assert_int_equal(store_job_create(s->box.store, j, mail, strlen(mail), NULL, NULL, &e), 0);
	queue_wake(s->box.queue, j->id);
	svc_expect(s, j->id, JOB_SENT, NULL);
	job_free(j);
	svc_serve(s, &f);
	buffer_free(&f.body);
}

static void clock_set_back_no_server(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	struct job *j;

	svc_open(s, 0);
	j = fake_job(0, JOB_SEND, JOB_QUEUED);
	assert_int_equal(job_add_recipient(j, "a@x.test"), 0);
	j->created = words_now() + 365 * 86400 * 1000000ull;
	assert_int_equal(store_job_create(s->box.store, j, mail, strlen(mail), NULL, NULL, &e), 0);
	queue_wake(s->box.queue, j->id);
	svc_run(s, 200);
	svc_expect(s, j->id, JOB_QUEUED, "next try");
	job_free(j);
}

/* The line is lost after the dot: again, under the same Message-ID, and it says why. */
static void in_doubt(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct job *j = NULL;
	uint64_t id;

	s->box.conf.retry_usec = 500000;
	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, DATA, "NEXT", HELLO, FROM, A, OK, DATA,
				     "S:250 taken\r\n", GOODBYE));
	svc_open(s, f.port);
	id = queue(s, false);
	do {
		svc_run(s, 10);
		job_free(j);
		j = svc_job(s, id);
	} while (j->state != JOB_QUEUED || !j->detail);
	assert_non_null(strstr(j->detail, "may have it"));
	job_free(j);
	svc_expect(s, id, JOB_SENT, NULL);
	svc_serve(s, &f);
	buffer_free(&f.body);
}

/* Before the dot the job is durably sending; canceling it then is refused. */
static void sending_is_durable(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct error e = { 0 };
	uint64_t id;

	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, DATA, "WAIT"));
	svc_open(s, f.port);
	id = queue(s, false);
	job_free(svc_wait(s, id, JOB_SENDING));
	svc_run(s, 150);	/* the dot is out */
	assert_int_equal(queue_cancel(s->box.queue, id, &e), -EBUSY);
	assert_non_null(strstr(e.text, "in hand"));
	svc_close(s);
	fake_server_stop(&f);
	buffer_free(&f.body);

	/* The next start says that it may have been taken, and sends it again. */
	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, DATA, "S:250 taken\r\n", GOODBYE));
	svc_open(s, f.port);
	svc_expect(s, id, JOB_QUEUED, "may have it");
	svc_expect(s, id, JOB_SENT, NULL);
	svc_serve(s, &f);
	buffer_free(&f.body);
}

/* The box stops while "sending" is on its way to the disk: the store answers nobody. */
static void stop_before_the_dot(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;
	struct job *j;

	fake_server_start(&f, SCRIPT(HELLO, FROM, A, OK, "C:DATA", "S:354 go\r\n", "WAIT"));
	svc_open(s, f.port);
	id = queue(s, false);
	do {
		assert_true(sd_event_run(s->box.event, 1000000) >= 0);
		j = svc_job(s, id);
		if (j->state == JOB_SENDING)
			break;
		job_free(j);
	} while (1);
	job_free(j);
	svc_close(s);		/* a dead duty must not be called: the sanitizer sees it */
	fake_server_stop(&f);
	svc_open(s, 0);
	svc_expect(s, id, JOB_QUEUED, NULL);
}

static void cancel_in_hand(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct error e = { 0 };
	uint64_t id;
	struct job *j;

	fake_server_start(&f, SCRIPT("WAIT"));
	svc_open(s, f.port);
	id = queue(s, false);
	svc_run(s, 50);
	assert_int_equal(queue_cancel(s->box.queue, id, &e), 0);
	j = svc_job(s, id);
	assert_int_equal(job_say(&s->box.keeper, j, LOG_INFO, JOB_CANCELED, NULL, NULL, "canceled"),
			 0);
	job_free(j);
	svc_serve(s, &f);
	svc_run(s, 100);
	svc_expect(s, id, JOB_CANCELED, NULL);
	assert_int_equal(queue_cancel(s->box.queue, 4711, &e), 0);
}

static void no_document(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	struct job *j;

	svc_open(s, 0);
	j = fake_job(0, JOB_SEND, JOB_QUEUED);
	assert_int_equal(job_add_recipient(j, "a@x.test"), 0);
	assert_int_equal(store_job_create(s->box.store, j, NULL, 0, NULL, NULL, &e), 0);
	queue_wake(s->box.queue, j->id);
	svc_expect(s, j->id, JOB_FAILED, "no document");
	job_free(j);
}

/* A store that takes nothing leaves the job due: it is not sent in a circle. */
static int updates;

static int refuse_update(struct store *s, struct job *j, store_done_fn done, void *userdata,
			 struct error *e)
{
	updates++;
	return error_set(e, -ENOSPC, "The disk is full.");
}

static void full_disk(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	updates = 0;
	svc_open(s, 0);
	s->box.keeper.update = refuse_update;
	id = queue(s, false);
	svc_run(s, 300);
	assert_int_equal(updates, 1);
	svc_expect(s, id, JOB_QUEUED, NULL);
}

static void smarthosts(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "host", true }, { "host:25", true }, { "[::1]:25", true }, { "::1", true },
		{ "host:", false }, { "host:0", false }, { "host:65536", false },
		{ "host:25x", false }, { "[::1]:", false },
	};
	struct queue *o;
	struct svc *s = *state;
	struct error e;

	svc_open(s, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		free(s->box.conf.smarthost);
		s->box.conf.smarthost = strdup(rows[i].text);
		o = NULL;
		assert_int_equal(queue_new(&o, &s->box, &e) >= 0, rows[i].good);
		if (!rows[i].good)
			assert_non_null(strstr(e.text, "port"));
		queue_free(o);
	}
	free(s->box.conf.smarthost_tls);
	s->box.conf.smarthost_tls = strdup("perhaps");
	free(s->box.conf.smarthost);
	s->box.conf.smarthost = strdup("host");
	assert_true(queue_new(&o, &s->box, &e) < 0);
	assert_non_null(strstr(e.text, "SmarthostTLS=perhaps"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(sent), TEST(two_in_a_row), TEST(partly_refused), TEST(partly_later),
		TEST(nobody_answers), TEST(expires), TEST(clock_set_back),
		TEST(clock_set_back_no_server), TEST(in_doubt), TEST(sending_is_durable),
		TEST(stop_before_the_dot), TEST(cancel_in_hand), TEST(no_document),
		TEST(full_disk), TEST(smarthosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
