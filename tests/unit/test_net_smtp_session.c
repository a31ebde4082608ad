/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "fake_server.h"
#include "net/smtp_session.h"

#define MAIL	"Subject: x\r\n\r\n.dot\r\nend"
#define WIRE	"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"

#define SCRIPT(...) (const char *const[]){ __VA_ARGS__, NULL }
#define HELLO	"S:220 mx\r\n", "C:EHLO box\r\n", "S:250 mx\r\n"
#define ONE	"C:MAIL FROM:<me@box>", "S:250 ok\r\n", "C:RCPT TO:<a@x>", "S:250 ok\r\n", \
		"C:DATA", "S:354 go\r\n"
#define GOODBYE	"C:QUIT", "S:221 bye\r\n", "WAIT"

static struct envelope_rcpt addresses[] = {
	{ .address = "a@x" }, { .address = "b@x" }, { .address = "c@x" },
};

struct test {
	sd_event *event;
	const struct fake_server *server;	/* NULL: none to wait for */
	struct smtp_session *session;
	struct extent body;	/* with other bytes before and behind it */
	size_t n_rcpts;
	int go_on;			/* what before_dot answers; 1: later, 2: cancels */
	sd_event_source *later;

	int dots;
	bool done;
	enum smtp_result result;
	enum smtp_result rcpts[3];
	char enhanced[3][12];
	char text[400];

	/* Of two messages, the second named at the dot of the first. */
	bool cancel;			/* when the first is done */
	int follows;			/* what smtp_session_follow() said */
	int n_done;
	struct { enum smtp_result result; enum smtp_blame blame; } each[2];
};

static int on_later(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct test *t = userdata;

	smtp_session_go_on(t->session, 0);
	return 0;
}

static void before_dot(void *userdata, struct smtp_session *s)
{
	struct test *t = userdata;

	t->dots++;
	assert_ptr_equal(s, t->session);
	if (t->go_on == 1) {
		t->later = sd_event_source_disable_unref(t->later);
		assert_true(sd_event_add_time_relative(t->event, &t->later, CLOCK_MONOTONIC, 50000,
						       0,
						       on_later, t) >= 0);
	} else if (t->go_on == 2) {
		smtp_session_cancel(s);
		sd_event_exit(t->event, 0);
	} else {
		smtp_session_go_on(s, t->go_on);
	}
}

static void on_done(void *userdata, const struct smtp_session_outcome *o)
{
	struct test *t = userdata;

	assert_false(t->done);
	t->done = true;
	t->result = o->result;
	snprintf(t->text, sizeof(t->text), "%s", o->text);
	assert_int_equal(o->n_rcpts, t->n_rcpts);
	for (size_t i = 0; i < o->n_rcpts; i++) {
		t->rcpts[i] = o->rcpts[i].result;
		strcpy(t->enhanced[i], o->rcpts[i].enhanced);
		assert_true(strlen(o->rcpts[i].text) > 0);
	}
}

/* Until the session said goodbye, which the server waits for. */
static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct test *t = userdata;

	if (t->done && (!t->server || t->server->finished))
		return sd_event_exit(t->event, 0);
	sd_event_source_set_time_relative(source, 20000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_too_long(sd_event_source *source, uint64_t usec, void *userdata)
{
	fail_msg("the session does not end");
	return 0;
}

static void start_with(struct test *t, const struct smtp_session_options *o)
{
	static const struct smtp_session_callbacks callbacks = {
		.before_dot = before_dot, .done = on_done,
	};
	const struct envelope e = {
		.from = "me@box", .rcpts = addresses, .n_rcpts = t->n_rcpts,
	};
	struct error err = { 0 };

	if (smtp_session_send(&t->session, t->event, o, &e, &t->body, &callbacks, t, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_false(t->done);
}

static void add_to_body(struct test *t, const char *s)
{
	struct iovec iov[] = { { (void *)(uintptr_t)s, strlen(s) }, { (void *)"behind", 6 } };

	assert_int_equal(pwritev(t->body.fd, iov, 2, (off_t)(t->body.at + t->body.len)),
			 strlen(s) + 6);
	t->body.len += strlen(s);
}

static void setup(struct test *t, size_t n_rcpts)
{
	*t = (struct test){ .n_rcpts = n_rcpts };
	assert_true(sd_event_new(&t->event) >= 0);
	assert_true(sd_event_add_time_relative(t->event, NULL, CLOCK_MONOTONIC, 15000000, 0,
					       on_too_long, NULL) >= 0);
	t->body = (struct extent){ .fd = memfd_create("body", MFD_CLOEXEC), .at = 7 };
	assert_int_equal(pwrite(t->body.fd, "before\n", 7, 0), 7);
	add_to_body(t, MAIL);
}

static void loop(struct test *t)
{
	assert_true(sd_event_add_time_relative(t->event, NULL, CLOCK_MONOTONIC, 20000, 0,
					       on_idle, t) >= 0);
	assert_true(sd_event_loop(t->event) >= 0);
}

static void teardown(struct test *t)
{
	sd_event_source_disable_unref(t->later);
	sd_event_unref(t->event);
	close(t->body.fd);
}

static void run(struct test *t, size_t n_rcpts, int go_on, enum net_tls tls, bool trusted,
		const char *const *script, struct fake_server *f)
{
	fake_server_start(f, script);
	setup(t, n_rcpts);
	t->server = f;
	t->go_on = go_on;
	start_with(t, &(struct smtp_session_options){
		.host = "localhost", .port = f->port, .tls = tls, .helo = "box",
		.ca_file = trusted ? fake_server_ca() : NULL, .timeout_usec = 5000000,
	});
	loop(t);
	teardown(t);
	fake_server_stop(f);
}

static void test_accepted(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_NONE, false,
	    SCRIPT(HELLO, ONE, "BODY", "S:250 2.0.0 taken\r\n", GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	assert_string_equal(t.enhanced[0], "2.0.0");
	assert_int_equal(t.dots, 1);
	assert_string_equal(f.body.data, WIRE);
	buffer_free(&f.body);
}

static void test_dot_waits_for_the_caller(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 1, NET_TLS_NONE, false,
	    SCRIPT(HELLO, ONE, "BODY", "S:250 taken\r\n", GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	buffer_free(&f.body);
}

static void test_dot_not_sent(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, -ENOSPC, NET_TLS_NONE, false, SCRIPT(HELLO, ONE, "WAIT"), &f);
	assert_int_equal(t.result, SMTP_RESULT_TRANSIENT);
	assert_non_null(strstr(t.text, "No space left"));
	buffer_free(&f.body);
}

static void test_canceled(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 2, NET_TLS_NONE, false, SCRIPT(HELLO, ONE, "WAIT"), &f);
	assert_false(t.done);
	assert_int_equal(t.dots, 1);
	buffer_free(&f.body);
}

static void test_dropped_after_data(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_NONE, false, SCRIPT(HELLO, ONE, "BODY"), &f);
	assert_int_equal(t.result, SMTP_RESULT_IN_DOUBT);
	assert_non_null(strstr(t.text, "may have taken it"));
	buffer_free(&f.body);
}

static void test_dropped_before_the_dot(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 1, NET_TLS_NONE, false, SCRIPT(HELLO, ONE), &f);
	assert_int_equal(t.result, SMTP_RESULT_TRANSIENT);
	buffer_free(&f.body);
}

static void test_4xx_after_the_dot(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_NONE, false,
	    SCRIPT(HELLO, ONE, "BODY", "S:451 4.3.0 later\r\n", GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_TRANSIENT);
	assert_string_equal(t.enhanced[0], "4.3.0");
	buffer_free(&f.body);
}

static void test_some_refused(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 3, 0, NET_TLS_NONE, false,
	    SCRIPT(HELLO, "C:MAIL FROM:<me@box>", "S:250 ok\r\n", "C:RCPT TO:<a@x>",
		   "S:550 5.1.1 no\r\n",
		   "C:RCPT TO:<b@x>", "S:250 ok\r\n", "C:RCPT TO:<c@x>", "S:450 later\r\n",
		   "C:DATA",
		   "S:354 go\r\n", "BODY", "S:250 taken\r\n", GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	assert_int_equal(t.rcpts[0], SMTP_RESULT_REFUSED);
	assert_string_equal(t.enhanced[0], "5.1.1");
	assert_int_equal(t.rcpts[1], SMTP_RESULT_ACCEPTED);
	assert_int_equal(t.rcpts[2], SMTP_RESULT_TRANSIENT);
	buffer_free(&f.body);
}

static void test_all_refused(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_NONE, false,
	    SCRIPT(HELLO, "C:MAIL FROM:<me@box>", "S:250 ok\r\n", "C:RCPT TO:<a@x>",
		   "S:550 5.1.1 no\r\n",
		   "C:RSET", "S:250 ok\r\n", GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_REFUSED);
	assert_int_equal(t.dots, 0);
	assert_non_null(strstr(t.text, "no"));
	buffer_free(&f.body);
}

static void test_552_takes_two_transactions(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 3, 0, NET_TLS_NONE, false,
	    SCRIPT(HELLO, "C:MAIL FROM:<me@box>", "S:250 ok\r\n", "C:RCPT TO:<a@x>", "S:250 ok\r\n",
		   "C:RCPT TO:<b@x>", "S:552 enough\r\n", "C:DATA", "S:354 go\r\n", "BODY",
		   "S:250 ok\r\n",
		   "C:MAIL FROM:<me@box>", "S:250 ok\r\n", "C:RCPT TO:<b@x>", "S:250 ok\r\n",
		   "C:RCPT TO:<c@x>", "S:250 ok\r\n", "C:DATA", "S:354 go\r\n", "BODY",
		   "S:250 ok\r\n",
		   GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	for (int i = 0; i < 3; i++)
		assert_int_equal(t.rcpts[i], SMTP_RESULT_ACCEPTED);
	assert_int_equal(t.dots, 2);
	assert_string_equal(f.body.data, WIRE);
	buffer_free(&f.body);
}

static void test_doubt_is_only_of_those_sent(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 3, 0, NET_TLS_NONE, false,
	    SCRIPT(HELLO, "C:MAIL FROM:<me@box>", "S:250 ok\r\n", "C:RCPT TO:<a@x>", "S:250 ok\r\n",
		   "C:RCPT TO:<b@x>", "S:552 enough\r\n", "C:DATA", "S:354 go\r\n", "BODY"), &f);
	assert_int_equal(t.result, SMTP_RESULT_IN_DOUBT);
	assert_int_equal(t.rcpts[0], SMTP_RESULT_IN_DOUBT);
	assert_int_equal(t.rcpts[1], SMTP_RESULT_TRANSIENT);
	assert_int_equal(t.rcpts[2], SMTP_RESULT_TRANSIENT);
	buffer_free(&f.body);
}

static void test_starttls_verified(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_REQUIRED, true,
	    SCRIPT("S:220 mx\r\n", "C:EHLO box\r\n", "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS",
		   "S:220 go\r\n", "TLS", "C:EHLO box\r\n", "S:250 mx\r\n", ONE, "BODY",
		   "S:250 ok\r\n",
		   GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	assert_string_equal(f.body.data, WIRE);
	buffer_free(&f.body);
}

static void test_tls_from_the_first_byte(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_IMPLICIT, true,
	    SCRIPT("TLS", HELLO, ONE, "BODY", "S:250 ok\r\n", GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	buffer_free(&f.body);
}

static void test_self_signed_is_not_trusted(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_REQUIRED, false,
	    SCRIPT("S:220 mx\r\n", "C:EHLO box\r\n", "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS",
		   "S:220 go\r\n", "TLS", "WAIT"), &f);
	assert_int_equal(t.result, SMTP_RESULT_TRANSIENT);
	assert_non_null(strstr(t.text, "not to be trusted"));
	buffer_free(&f.body);
}

static void test_opportunistic_does_not_verify(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_OPPORTUNISTIC, false,
	    SCRIPT("S:220 mx\r\n", "C:EHLO box\r\n", "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS",
		   "S:220 go\r\n", "TLS", "C:EHLO box\r\n", "S:250 mx\r\n", ONE, "BODY",
		   "S:250 ok\r\n",
		   GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	buffer_free(&f.body);
}

static void test_opportunistic_goes_on_in_the_clear(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_OPPORTUNISTIC, false,
	    SCRIPT("S:220 mx\r\n", "C:EHLO box\r\n", "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS",
		   "S:220 go\r\n", "S:no handshake\r\n", "NEXT", "S:220 mx\r\n", "C:EHLO box\r\n",
		   "S:250-mx\r\n250 STARTTLS\r\n", ONE, "BODY", "S:250 ok\r\n", GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	buffer_free(&f.body);
}

/* What stands behind the answer to STARTTLS in plain text is nobody's answer. */
static void test_starttls_injection(void **state)
{
	struct fake_server f;
	struct test t;

	run(&t, 1, 0, NET_TLS_REQUIRED, true,
	    SCRIPT("S:220 mx\r\n", "C:EHLO box\r\n", "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS",
		   "S:220 go\r\n250-evil\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n", "TLS",
		   "C:EHLO box\r\n", "S:250 mx\r\n", "C:MAIL FROM:<me@box>", "S:550 5.7.1 no\r\n",
		   "C:RSET",
		   "S:250 ok\r\n", GOODBYE), &f);
	assert_int_equal(t.result, SMTP_RESULT_REFUSED);
	assert_string_equal(t.enhanced[0], "5.7.1");
	buffer_free(&f.body);
}

static void test_nobody_there(void **state)
{
	struct fake_server f;
	struct test t;
	uint16_t port;

	/* A port that was free a moment ago. */
	fake_server_start(&f, SCRIPT("WAIT"));
	port = f.port;
	setup(&t, 1);
	start_with(&t, &(struct smtp_session_options){
		.host = "localhost", .port = port, .helo = "box", .timeout_usec = 5000000,
	});
	smtp_session_cancel(t.session);		/* before it is connected */
	shutdown(f.listener, SHUT_RDWR);
	pthread_join(f.thread, NULL);
	close(f.listener);
	start_with(&t, &(struct smtp_session_options){
		.host = "localhost", .port = port, .helo = "box", .timeout_usec = 5000000,
	});
	loop(&t);
	teardown(&t);
	assert_int_equal(t.result, SMTP_RESULT_CANNOT_CONNECT);
	assert_non_null(strstr(t.text, "cannot be reached"));
}

static void test_silent_server(void **state)
{
	struct fake_server f;
	struct test t;

	fake_server_start(&f, SCRIPT("WAIT"));
	setup(&t, 1);
	start_with(&t, &(struct smtp_session_options){
		.host = "127.0.0.1", .port = f.port, .helo = "box", .timeout_usec = 200000,
	});
	loop(&t);
	teardown(&t);
	fake_server_stop(&f);
	assert_int_equal(t.result, SMTP_RESULT_TRANSIENT);
	assert_non_null(strstr(t.text, "did not answer in time"));
}

static void test_large_body(void **state)
{
	enum { LINES = 100000 };
	struct fake_server f;
	struct test t;

	fake_server_start(&f, SCRIPT(HELLO, ONE, "BODY", "S:250 ok\r\n", GOODBYE));
	setup(&t, 1);
	t.server = &f;
	for (int i = 0; i < LINES; i++)
		add_to_body(&t, i ? ".23456789\r\n" : "\r\n");
	start_with(&t, &(struct smtp_session_options){
		.host = "127.0.0.1", .port = f.port, .helo = "box", .timeout_usec = 10000000,
	});
	loop(&t);
	teardown(&t);
	fake_server_stop(&f);
	assert_int_equal(t.result, SMTP_RESULT_ACCEPTED);
	assert_int_equal(f.body.len, strlen(MAIL) + 1 + 2 + (LINES - 1) * 12 + 3);
	buffer_free(&f.body);
}

/* A server that goes away in the middle has not got it, whatever was still to be written. */
static void test_gone_within_the_body(void **state)
{
	enum { LEN = 120000 };
	struct fake_server f;
	char lines[LEN + 1];
	struct test t;

	for (size_t i = 0; i < LEN; i++)
		lines[i] = "0123456789\r\n"[i % 12];
	lines[LEN] = '\0';
	fake_server_start(&f, SCRIPT(HELLO, ONE));
	setup(&t, 1);
	for (int i = 0; i < 100; i++)
		add_to_body(&t, lines);
	start_with(&t, &(struct smtp_session_options){
		.host = "127.0.0.1", .port = f.port, .helo = "box", .timeout_usec = 10000000,
	});
	loop(&t);
	teardown(&t);
	fake_server_stop(&f);
	assert_int_equal(t.result, SMTP_RESULT_TRANSIENT);
	assert_int_equal(t.dots, 0);
	buffer_free(&f.body);
}

/*
 * Two messages
 */

static void before_either_dot(void *userdata, struct smtp_session *s)
{
	const struct envelope next = { .from = "me@box", .rcpts = addresses + 2, .n_rcpts = 1 };
	struct test *t = userdata;
	struct error e = { 0 };

	if (!t->n_done && !t->dots) {
		bool may = smtp_session_may_follow(s);

		t->follows = smtp_session_follow(s, &next, &t->body, &e);
		assert_int_equal(t->follows == 0, may);
		assert_false(smtp_session_may_follow(s) && may);
	}
	before_dot(userdata, s);
}

static void on_either_done(void *userdata, const struct smtp_session_outcome *o)
{
	struct test *t = userdata;

	assert_true(t->n_done < 2);
	t->each[t->n_done].result = o->result;
	t->each[t->n_done++].blame = o->blame;
	t->done = t->n_done == 2 || t->follows || t->cancel;
	if (t->cancel)
		smtp_session_cancel(t->session);
}

static void run_two(struct test *t, size_t n_rcpts, int go_on, bool cancel,
		    const char *const *script, struct fake_server *f)
{
	static const struct smtp_session_callbacks callbacks = {
		.before_dot = before_either_dot, .done = on_either_done,
	};
	const struct envelope e = { .from = "me@box", .rcpts = addresses, .n_rcpts = n_rcpts };
	struct error err = { 0 };

	fake_server_start(f, script);
	setup(t, n_rcpts);
	t->server = f;
	t->go_on = go_on;
	t->cancel = cancel;
	assert_int_equal(smtp_session_send(&t->session, t->event,
					   &(struct smtp_session_options){
						.host = "127.0.0.1", .port = f->port, .helo = "box",
						.timeout_usec = 5000000,
					   }, &e, &t->body, &callbacks, t, &err), 0);
	loop(t);
	teardown(t);
	fake_server_stop(f);
}

#define PIPES	"S:220 mx\r\n", "C:EHLO box\r\n", "S:250-mx\r\n250 PIPELINING\r\n"
#define GROUP(a) "C:MAIL FROM:<me@box>", "C:RCPT TO:<" a "@x>", "C:DATA"
#define TAKES	"S:250 ok\r\n250 ok\r\n354 go\r\n"

/* What became of the first and of the one behind it, by what the server does at the dot. */
static void test_at_the_dot_of_two(void **state)
{
	static const struct {
		const char *script[24];
		int go_on;
		struct { enum smtp_result result; enum smtp_blame blame; } want[2];
	} rows[] = {
		{ { PIPES, GROUP("a"), TAKES, "BODY", GROUP("c"), "S:250 taken\r\n", TAKES,
			 "BODY", "S:250 taken\r\n", GOODBYE }, 0,
		  { { SMTP_RESULT_ACCEPTED, SMTP_BLAME_MESSAGE },
		    { SMTP_RESULT_ACCEPTED, SMTP_BLAME_MESSAGE } } },
		{ { PIPES, GROUP("a"), TAKES, "BODY", GROUP("c"), "S:451 later\r\n", TAKES,
			 "BODY", "S:250 taken\r\n", GOODBYE }, 1,
		  { { SMTP_RESULT_TRANSIENT, SMTP_BLAME_MESSAGE },
		    { SMTP_RESULT_ACCEPTED, SMTP_BLAME_MESSAGE } } },
		{ { PIPES, GROUP("a"), TAKES, "BODY", GROUP("c"), "S:554 no\r\n",
			 "S:550 no\r\n503 no\r\n503 no\r\n", "C:RSET", "S:250 ok\r\n",
			 GOODBYE }, 0,
		  { { SMTP_RESULT_REFUSED, SMTP_BLAME_MESSAGE },
		    { SMTP_RESULT_REFUSED, SMTP_BLAME_MESSAGE } } },
		{ { PIPES, GROUP("a"), TAKES, "BODY", GROUP("c"), "S:421 bye\r\n" }, 0,
		  { { SMTP_RESULT_TRANSIENT, SMTP_BLAME_MESSAGE },
		    { SMTP_RESULT_TRANSIENT, SMTP_BLAME_LINE } } },
		{ { PIPES, GROUP("a"), TAKES, "BODY", GROUP("c") }, 0,
		  { { SMTP_RESULT_IN_DOUBT, SMTP_BLAME_MESSAGE },
		    { SMTP_RESULT_TRANSIENT, SMTP_BLAME_LINE } } },
		{ { PIPES, GROUP("a"), TAKES, "BODY", GROUP("c"), "S:250 taken\r\n" }, 0,
		  { { SMTP_RESULT_ACCEPTED, SMTP_BLAME_MESSAGE },
		    { SMTP_RESULT_TRANSIENT, SMTP_BLAME_LINE } } },
		/* It hangs up, or the note cannot be written, before the dot is out. */
		{ { PIPES, GROUP("a"), TAKES }, 1,
		  { { SMTP_RESULT_TRANSIENT, SMTP_BLAME_MESSAGE },
		    { SMTP_RESULT_TRANSIENT, SMTP_BLAME_LINE } } },
		{ { PIPES, GROUP("a"), TAKES, "WAIT" }, -ENOSPC,
		  { { SMTP_RESULT_TRANSIENT, SMTP_BLAME_MESSAGE },
		    { SMTP_RESULT_TRANSIENT, SMTP_BLAME_LINE } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_server f;
		struct test t;

		run_two(&t, 1, rows[i].go_on, false, rows[i].script, &f);
		assert_int_equal(t.n_done, 2);
		for (size_t k = 0; k < 2; k++)
			if (t.each[k].result != rows[i].want[k].result ||
			    t.each[k].blame != rows[i].want[k].blame)
				fail_msg("row %zu, message %zu: %s, blame %d", i, k,
					 smtp_result_name(t.each[k].result), t.each[k].blame);
		if (f.body.len)
			assert_string_equal(f.body.data, WIRE);
		buffer_free(&f.body);
	}
}

static void test_canceled_between_two(void **state)
{
	struct fake_server f;
	struct test t;

	run_two(&t, 1, 0, true, SCRIPT(PIPES, GROUP("a"), TAKES, "BODY", GROUP("c"),
				       "S:250 taken\r\n", TAKES, "WAIT"), &f);
	assert_int_equal(t.n_done, 1);
	assert_int_equal(t.dots, 1);
	buffer_free(&f.body);
}

/* No PIPELINING; or the message in hand takes one more transaction. */
static void test_nothing_may_follow(void **state)
{
	struct fake_server f;
	struct test t;

	run_two(&t, 1, 0, false, SCRIPT(HELLO, ONE, "BODY", "S:250 taken\r\n", GOODBYE), &f);
	assert_int_equal(t.follows, -EBUSY);
	assert_int_equal(t.each[0].result, SMTP_RESULT_ACCEPTED);
	buffer_free(&f.body);
	run_two(&t, 2, 0, false,
		SCRIPT(PIPES, "C:MAIL", "C:RCPT TO:<a@x>", "C:RCPT TO:<b@x>", "C:DATA",
		       "S:250 ok\r\n250 ok\r\n452 enough\r\n354 go\r\n", "BODY",
		       "S:250 taken\r\n", GROUP("b"), TAKES, "BODY", "S:250 taken\r\n", GOODBYE),
		&f);
	assert_int_equal(t.follows, -EBUSY);
	assert_int_equal(t.dots, 2);
	assert_int_equal(t.each[0].result, SMTP_RESULT_ACCEPTED);
	buffer_free(&f.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_dot_waits_for_the_caller),
		cmocka_unit_test(test_dot_not_sent),
		cmocka_unit_test(test_canceled),
		cmocka_unit_test(test_dropped_after_data),
		cmocka_unit_test(test_dropped_before_the_dot),
		cmocka_unit_test(test_4xx_after_the_dot),
		cmocka_unit_test(test_some_refused),
		cmocka_unit_test(test_all_refused),
		cmocka_unit_test(test_552_takes_two_transactions),
		cmocka_unit_test(test_doubt_is_only_of_those_sent),
		cmocka_unit_test(test_starttls_verified),
		cmocka_unit_test(test_tls_from_the_first_byte),
		cmocka_unit_test(test_self_signed_is_not_trusted),
		cmocka_unit_test(test_opportunistic_does_not_verify),
		cmocka_unit_test(test_opportunistic_goes_on_in_the_clear),
		cmocka_unit_test(test_starttls_injection),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_silent_server),
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_gone_within_the_body),
		cmocka_unit_test(test_at_the_dot_of_two),
		cmocka_unit_test(test_canceled_between_two),
		cmocka_unit_test(test_nothing_may_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
