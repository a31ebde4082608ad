/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "fake_server.h"
#include "net/pop3_session.h"

#define SCRIPT(...) (const char *const[]){ __VA_ARGS__, NULL }
#define LOGIN	"C:USER u\r\n", "S:+OK\r\n", "C:PASS p\r\n", "S:+OK\r\n"
#define HELLO	"S:+OK\r\n", "C:CAPA", "S:-ERR\r\n", LOGIN
#define LIST(stat, list, uidl) "C:STAT", "S:+OK " stat "\r\n", "C:LIST", "S:+OK\r\n" list ".\r\n", \
		"C:UIDL", "S:+OK\r\n" uidl ".\r\n"
#define GOODBYE	"C:QUIT", "S:+OK\r\n", "WAIT"

enum answer {
	STORE,		/* within message() */
	STORE_LATER,
	KEEP,		/* stored, but left on the server */
	CANCEL,
};

struct test {
	sd_event *event;
	struct pop3_session *session;
	enum answer answer;
	bool looks;
	const char *known;		/* uidl that is stored already */
	size_t pending[16], n_pending;
	sd_event_source *later;

	struct buffer log;
	bool done;
	enum pop3_result result;
	size_t deleted;
	char text[400];
};

static int on_later(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct test *t = userdata;
	size_t n = t->n_pending;

	t->n_pending = 0;
	t->later = sd_event_source_disable_unref(t->later);
	for (size_t i = 0; i < n; i++)
		pop3_session_stored(t->session, t->pending[i], true);
	return 0;
}

static void on_list(void *userdata, struct pop3_session *s, const struct pop3_mail *mails, size_t n)
{
	struct test *t = userdata;

	for (size_t i = 0; i < n; i++) {
		buffer_printf(&t->log, "%s:%d ", mails[i].uidl, (int)mails[i].size);
		if (t->known && !strcmp(t->known, mails[i].uidl))
			assert_int_equal(pop3_session_delete(s, i), 0);
		else if (t->looks)
			assert_int_equal(pop3_session_look(s, i), 0);
		else
			assert_int_equal(pop3_session_fetch(s, i), 0);
		assert_int_equal(pop3_session_fetch(s, i), -EALREADY);
	}
	assert_int_equal(pop3_session_fetch(s, n), -ERANGE);
}

/* Wants what has no head, or one without "no". */
static bool on_head(void *userdata, size_t i, const void *data, size_t len, bool whole)
{
	struct test *t = userdata;

	buffer_printf(&t->log, "%zu%s(%.*s) ", i, whole ? "." : "", (int)len,
		      data ? (const char *)data : "");
	return !data || !memmem(data, len, "no", 2);
}

static void answer(struct test *t, size_t i)
{
	switch (t->answer) {
	case STORE:
	case KEEP:
		pop3_session_stored(t->session, i, t->answer == STORE);
		break;
	case STORE_LATER:
		t->pending[t->n_pending++] = i;
		if (!t->later)
			sd_event_add_time_relative(t->event, &t->later, CLOCK_MONOTONIC, 50000, 0,
						   on_later, t);
		break;
	case CANCEL:
		pop3_session_cancel(t->session);
		sd_event_exit(t->event, 0);
		break;
	}
}

static void on_message(void *userdata, struct pop3_session *s, size_t i, const void *data,
		       size_t len, int r, const struct error *e)
{
	struct test *t = userdata;

	if (r < 0) {
		assert_null(data);
		assert_int_equal(e->code, r);
		buffer_printf(&t->log, "%zu!%s ", i, strerror(-r));
		return;
	}
	buffer_printf(&t->log, "%zu{%.*s} ", i, (int)len, (const char *)data);
	answer(t, i);
}

static void on_deleted(void *userdata, size_t i)
{
	struct test *t = userdata;

	t->deleted++;
}

static void on_done(void *userdata, enum pop3_result result, const struct error *e)
{
	struct test *t = userdata;

	assert_false(t->done);
	t->done = true;
	t->result = result;
	snprintf(t->text, sizeof(t->text), "%s", error_text(e));
	sd_event_exit(t->event, 0);
}

static int on_too_long(sd_event_source *source, uint64_t usec, void *userdata)
{
	fail_msg("the session does not end");
	return 0;
}

static void run_with(struct test *t, struct fake_server *f, enum net_tls tls, uint64_t max)
{
	static const struct pop3_session_callbacks callbacks = {
		.list = on_list, .message = on_message, .head = on_head,
		.deleted = on_deleted, .done = on_done,
	};
	struct error e = { 0 };

	assert_true(sd_event_new(&t->event) >= 0);
	sd_event_add_time_relative(t->event, NULL, CLOCK_MONOTONIC, 15000000, 0, on_too_long, NULL);
	buffer_printf(&t->log, " ");
	if (pop3_session_start(&t->session, t->event, &(struct pop3_session_options){
			.host = "localhost", .port = f->port, .tls = tls,
			.ca_file = fake_server_ca(),
			.user = "u", .password = "p", .max_message = max, .timeout_usec = 1000000,
		}, &callbacks, t, &e) < 0)
		fail_msg("%s", error_text(&e));
	assert_true(sd_event_loop(t->event) >= 0);
	sd_event_source_disable_unref(t->later);
	sd_event_unref(t->event);
}

static void run(struct test *t, enum net_tls tls, uint64_t max, const char *const *script)
{
	struct fake_server f;

	fake_server_start(&f, script);
	run_with(t, &f, tls, max);
	fake_server_stop(&f);
}

static void finish(struct test *t, enum pop3_result result, size_t deleted, const char *log)
{
	assert_true(t->done);
	if (t->result != result)
		fail_msg("%s", t->text);
	assert_int_equal(t->deleted, deleted);
	assert_string_equal(t->log.data, log);
	buffer_free(&t->log);
}

static void test_collected(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT(HELLO, LIST("2 20", "1 9\r\n2 8\r\n", "1 a\r\n2 b\r\n"), "C:RETR 1",
		   "S:+OK\r\nx\r\n.\r\n",
		   "C:RETR 2", "S:+OK\r\n..\r\n"
		   ".\r\n", "C:DELE 1", "S:+OK\r\n", "C:DELE 2", "S:+OK\r\n",
		   GOODBYE));
	finish(&t, POP3_RESULT_OK, 2, " a:9 b:8 0{x\r\n} 1{.\r\n} ");
}

static void test_deleted_only_when_stored(void **state)
{
	struct test t = { .answer = STORE_LATER };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), "C:RETR 1", "S:+OK\r\nx\r\n.\r\n",
		   "C:DELE 1", "S:+OK\r\n", GOODBYE));
	finish(&t, POP3_RESULT_OK, 1, " a:9 0{x\r\n} ");
}

static void test_asks_ahead(void **state)
{
	struct test t = { .answer = STORE_LATER };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT("S:+OK\r\n", "C:CAPA", "S:+OK\r\nPIPELINING\r\nUSER\r\n.\r\n", LOGIN,
		   LIST("5 20", "1 9\r\n2 9\r\n3 9\r\n4 9\r\n5 9\r\n",
		   "1 a\r\n2 b\r\n3 c\r\n4 d\r\n5 e\r\n"),
		   "C:RETR 1", "C:RETR 2", "C:RETR 3", "C:RETR 4", "C:RETR 5",
		   "S:+OK\r\n1\r\n.\r\n+OK\r\n2\r\n.\r\n+OK\r\n3\r\n.\r\n+OK\r\n4\r\n.\r\n",
		   "C:DELE 1", "C:DELE 2", "C:DELE 3", "C:DELE 4",
		   "S:+OK\r\n5\r\n.\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n", "C:DELE 5", "S:+OK\r\n",
		   GOODBYE));
	finish(&t, POP3_RESULT_OK, 5,
	" a:9 b:9 c:9 d:9 e:9 0{1\r\n} 1{2\r\n} 2{3\r\n} 3{4\r\n} 4{5\r\n} ");
}

#define LINES8 "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n"
#define LINES64 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8

/* Heads first; what is not wanted is not fetched. */
static void test_looks(void **state)
{
	struct test t = { .looks = true };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT("S:+OK\r\n", "C:CAPA", "S:+OK\r\nPIPELINING\r\nUSER\r\n.\r\n", LOGIN,
		   LIST("4 20", "1 9\r\n2 9\r\n3 9\r\n4 9\r\n", "1 a\r\n2 b\r\n3 c\r\n4 d\r\n"),
		   "C:TOP 1 64", "C:TOP 2 64", "C:TOP 3 64", "C:TOP 4 64",
		   "S:+OK\r\nno\r\n\r\n.\r\n-ERR what?\r\n+OK\r\nx\r\n\r\n..\r\n.\r\n",
		   "C:RETR 2", "C:RETR 3", "S:+OK\r\nno\r\n\r\n" LINES64 ".\r\n",
		   "S:+OK\r\n2\r\n.\r\n+OK\r\n3\r\n.\r\n", "C:DELE 2", "C:DELE 3",
		   "S:+OK\r\n+OK\r\n", GOODBYE));
	finish(&t, POP3_RESULT_OK, 2, " a:9 b:9 c:9 d:9 0.(no\r\n\r\n) 1() 2.(x\r\n\r\n.\r\n) "
	       "3(no\r\n\r\n" LINES64 ") 1{2\r\n} 2{3\r\n} ");
}

static void test_left_on_the_server(void **state)
{
	struct test t = { .answer = KEEP, .known = "b" };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT(HELLO, LIST("2 20", "1 9\r\n2 9\r\n", "1 a\r\n2 b\r\n"), "C:DELE 2", "S:+OK\r\n",
		   "C:RETR 1", "S:+OK\r\nx\r\n.\r\n", GOODBYE));
	finish(&t, POP3_RESULT_OK, 1, " a:9 b:9 0{x\r\n} ");
}

static void test_nothing_there(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_NONE, 0, SCRIPT(HELLO, "C:STAT", "S:+OK 0 0\r\n", GOODBYE));
	finish(&t, POP3_RESULT_OK, 0, " ");
}

static void test_no_uidl(void **state)
{
	/* Of a header in which nothing counts: the digest of nothing. */
	struct test t = {
		.known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	};

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT(HELLO, "C:STAT", "S:+OK 1 9\r\n", "C:LIST", "S:+OK\r\n1 9\r\n.\r\n", "C:UIDL",
		   "S:-ERR\r\n",
		   "C:TOP 1 0", "S:+OK\r\nStatus: R\r\n\r\n"
		   ".\r\n", "C:DELE 1", "S:+OK\r\n", GOODBYE));
	finish(&t, POP3_RESULT_OK, 1,
	       " e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855:9 ");
}

static void test_too_large_and_refused(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_NONE, 10,
	    SCRIPT(HELLO, LIST("3 50", "1 11\r\n2 9\r\n3 9\r\n", "1 a\r\n2 b\r\n3 c\r\n"),
		   "C:RETR 2",
		   "S:-ERR gone\r\n", "C:RETR 3", "S:+OK\r\n0123456789\r\n.\r\n", GOODBYE));
	finish(&t, POP3_RESULT_OK, 0,
	       " a:11 b:9 c:9 0!Message too long 1!No data available 2!Message too long ");
}

static void test_wrong_password(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT("S:+OK\r\n", "C:CAPA", "S:-ERR\r\n", "C:USER u", "S:+OK\r\n", "C:PASS p",
		   "S:-ERR [AUTH] no\r\n", "WAIT"));
	assert_non_null(strstr(t.text, "[AUTH] no"));
	finish(&t, POP3_RESULT_LOGIN, 0, " ");
}

static void test_lost_before_quit(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), "C:RETR 1", "S:+OK\r\nx\r\n.\r\n",
		   "C:DELE 1", "S:+OK\r\n", "C:QUIT"));
	assert_non_null(strstr(t.text, "before it confirmed"));
	finish(&t, POP3_RESULT_FAILED, 1, " a:9 0{x\r\n} ");
}

static void test_lost_within_a_mail(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), "C:RETR 1", "S:+OK\r\nx\r\n"));
	finish(&t, POP3_RESULT_FAILED, 0, " a:9 ");
}

static void test_canceled(void **state)
{
	struct test t = { .answer = CANCEL };

	run(&t, NET_TLS_NONE, 0,
	    SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), "C:RETR 1", "S:+OK\r\nx\r\n.\r\n",
		   "WAIT"));
	assert_false(t.done);
	buffer_free(&t.log);
}

static void test_silent_server(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_NONE, 0, SCRIPT("S:+OK\r\n", "WAIT"));
	assert_non_null(strstr(t.text, "did not answer in time"));
	finish(&t, POP3_RESULT_FAILED, 0, " ");
}

static void test_stls(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_REQUIRED, 0,
	    SCRIPT("S:+OK\r\n", "C:CAPA", "S:+OK\r\nSTLS\r\n.\r\n", "C:STLS",
		   "S:+OK\r\n+OK\r\nSASL PLAIN\r\n.\r\n", "TLS", "C:CAPA", "S:+OK\r\nUSER\r\n.\r\n",
		   LOGIN,
		   "C:STAT", "S:+OK 0 0\r\n", GOODBYE));
	finish(&t, POP3_RESULT_OK, 0, " ");
}

static void test_tls_from_the_first_byte(void **state)
{
	struct test t = { 0 };

	run(&t, NET_TLS_IMPLICIT, 0, SCRIPT("TLS", HELLO, "C:STAT", "S:+OK 0 0\r\n", GOODBYE));
	finish(&t, POP3_RESULT_OK, 0, " ");
}

/* The second time needs no certificate: the server knows us again. */
static void test_tls_taken_up_again(void **state)
{
	struct test first = { 0 }, second = { 0 };
	struct fake_server f;

	fake_server_start(&f, SCRIPT("TLS", HELLO, "C:STAT", "S:+OK 0 0\r\n", GOODBYE, "NEXT",
				     "TLS", HELLO, "C:STAT", "S:+OK 0 0\r\n", GOODBYE));
	run_with(&first, &f, NET_TLS_IMPLICIT, 0);
	finish(&first, POP3_RESULT_OK, 0, " ");
	assert_int_equal(f.resumed, 0);
	run_with(&second, &f, NET_TLS_IMPLICIT, 0);
	finish(&second, POP3_RESULT_OK, 0, " ");
	assert_int_equal(f.resumed, 1);
	fake_server_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collected),
		cmocka_unit_test(test_deleted_only_when_stored),
		cmocka_unit_test(test_asks_ahead),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_left_on_the_server),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_no_uidl),
		cmocka_unit_test(test_too_large_and_refused),
		cmocka_unit_test(test_wrong_password),
		cmocka_unit_test(test_lost_before_quit),
		cmocka_unit_test(test_lost_within_a_mail),
		cmocka_unit_test(test_canceled),
		cmocka_unit_test(test_silent_server),
		cmocka_unit_test(test_stls),
		cmocka_unit_test(test_tls_from_the_first_byte),
		cmocka_unit_test(test_tls_taken_up_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
