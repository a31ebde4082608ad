// SPDX-License-Identifier: LGPL-2.1-or-later
/* The POP3 collector: the real store and POP3 engine, servers that follow a script. */
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fax.h>
#include <openssl/evp.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "service/collector.h"
#include "service/queue.h"
#include "service/registration.h"
#include "store/store.h"
#include "svc_help.h"

#define HELLO	"S:+OK\r\n", "C:CAPA", "S:-ERR\r\n", "C:USER u\r\n", "S:+OK\r\n", "C:PASS p\r\n", \
		"S:+OK\r\n"
#define LIST(stat, list, uidl) "C:STAT", "S:+OK " stat "\r\n", "C:LIST", "S:+OK\r\n" list ".\r\n", \
		"C:UIDL", "S:+OK\r\n" uidl ".\r\n"
#define EMPTY	"C:STAT", "S:+OK 0 0\r\n"
#define RETR(n)	"C:RETR " #n, "S:+OK\r\nSubject: " #n "\r\n\r\nx\r\n.\r\n"
#define DELE(n)	"C:DELE " #n, "S:+OK\r\n"
#define QUIT	"C:QUIT", "S:+OK\r\n"
#define GOODBYE	QUIT, "WAIT"
#define SCRIPT(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Is this mail, or text, of u's mailbox on the server at @port known to be user 100's? */
static int known(struct svc *s, const char *kind, unsigned int port, const char *uidl)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[200];

	snprintf(text, sizeof(text), "127.0.0.1:%u/u", port);
	assert_int_equal(EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL), 1);
	snprintf(text, sizeof(text), "%s/100/%02x%02x%02x%02x%02x%02x%02x%02x/%s", kind, digest[0],
		 digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7], uidl);
	return store_source_known(s->box.store, text);
}

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

static uint64_t collect(struct svc *s, const char *code)
{
	struct error e = { 0 };
	uint64_t id = 0;

	if (collector_collect(s->box.collector, code, &id, &e) < 0)
		fail_msg("%s", error_text(&e));
	assert_true(id > 0);
	return id;
}

static void edit(struct svc *s, const char *code, void (*change)(struct user *u))
{
	struct user *u = NULL;
	struct error e = { 0 };

	assert_int_equal(store_user_get(s->box.store, code, true, &u), 0);
	change(u);
	if (store_user_put(s->box.store, u, false, &e) < 0)
		fail_msg("%s", error_text(&e));
	user_free(u);
	collector_user_changed(s->box.collector, code);
}

static void receive(struct user *u)
{
	u->auto_receive = true;
	u->interval = 1;
}

static void receive_no_more(struct user *u)
{
	u->auto_receive = false;
}

static void on_request(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id, mail = 0;
	struct job *j;

	fake_server_start(&f, SCRIPT(HELLO, LIST("2 20", "1 9\r\n2 9\r\n", "1 a\r\n2 b\r\n"),
				     RETR(1), RETR(2), DELE(1), DELE(2), GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	id = collect(s, "100");
	svc_expect(s, id, JOB_COLLECTED, "2 mail(s) collected from 127.0.0.1");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, &mail), 2);
	j = svc_job(s, mail);
	assert_int_equal(strncmp(j->source, "pop3/100/", 9), 0);
	assert_string_equal(strrchr(j->source, '/'), "/b");
	assert_string_equal(j->user, "100");
	job_free(j);
}

static void after_sending(struct user *u)
{
	u->collect_after_send = true;
}

static uint64_t send_one(struct svc *s, enum job_kind kind)
{
	static const char text[] = "Subject: x\r\n\r\nbody\r\n";
	struct job *j = fake_job(0, kind, JOB_QUEUED);
	struct error e = { 0 };
	uint64_t id;

	assert_int_equal(job_set(&j->user, "100"), 0);
	assert_int_equal(job_set(&j->from, "ada@example.test"), 0);
	assert_int_equal(job_add_recipient(j, "a@x.test"), 0);
	assert_int_equal(store_job_create(s->box.store, j, text, strlen(text), NULL, NULL, &e), 0);
	id = j->id;
	job_free(j);
	queue_wake(s->box.queue, id);
	return id;
}

#define SMTP_MAIL "C:MAIL FROM:<ada@example.test>", "S:250 ok\r\n", "C:RCPT TO:<a@x.test>", \
		  "S:250 ok\r\n", "C:DATA", "S:354 go\r\n", "BODY"
/* The box tells the sender what was refused. */
#define SMTP_NOTICE "C:MAIL FROM:<>", "S:250 ok\r\n", "C:RCPT TO:<ada@example.test>", \
		    "S:250 ok\r\n", "C:DATA", "S:354 go\r\n", "BODY", "S:250 ok\r\n"
#define SMTP_HELLO "S:220 mx\r\n", "C:EHLO box", "S:250 mx\r\n"
#define SMTP_BYE "C:QUIT", "S:221 bye\r\n", "WAIT"

/* S48, S49: right after the 250 the sender's own mailbox is looked into, if he wants that. */
static void s48_s49_after_sending(void **state)
{
	struct svc *s = *state;
	struct fake_server smtp, pop;
	uint64_t id, mail = 0;
	struct job *j;

	fake_server_start(&smtp, SCRIPT(SMTP_HELLO, SMTP_MAIL, "S:250 taken\r\n", SMTP_BYE));
	fake_server_start(&pop, SCRIPT(HELLO, LIST("1 9", "1 9\r\n", "1 a\r\n"), RETR(1),
				       DELE(1), GOODBYE));
	svc_open(s, smtp.port);
	svc_add_user(s, "100", "u", pop.port);
	edit(s, "100", after_sending);
	svc_run(s, 100);
	assert_int_equal(svc_count(s, JOB_COLLECT, -1, NULL), 0);
	id = send_one(s, JOB_SEND);
	svc_expect(s, id, JOB_SENT, NULL);
	svc_serve(s, &smtp);
	buffer_free(&smtp.body);
	svc_serve(s, &pop);
	assert_int_equal(svc_count(s, JOB_COLLECT, JOB_COLLECTED, NULL), 1);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, &mail), 1);
	j = svc_job(s, mail);
	assert_string_equal(j->user, "100");
	assert_int_equal(strncmp(j->source, "pop3/100/", 9), 0);
	assert_string_equal(strrchr(j->source, '/'), "/a");
	job_free(j);
}

/* S48: not where it is off, not for what was refused, not for mail that only passes through. */
static void s48_only_after_sending(void **state)
{
	struct svc *s = *state;
	struct fake_server smtp;
	uint64_t id;

	fake_server_start(&smtp, SCRIPT(SMTP_HELLO, SMTP_MAIL, "S:250 taken\r\n", SMTP_BYE, "NEXT",
					SMTP_HELLO, SMTP_MAIL, "S:550 no\r\n", SMTP_NOTICE,
					SMTP_BYE, "NEXT",
					SMTP_HELLO, SMTP_MAIL, "S:250 taken\r\n", SMTP_BYE));
	svc_open(s, smtp.port);
	svc_add_user(s, "100", "u", 9);
	id = send_one(s, JOB_SEND);
	svc_expect(s, id, JOB_SENT, NULL);
	edit(s, "100", after_sending);
	id = send_one(s, JOB_SEND);
	svc_expect(s, id, JOB_FAILED, NULL);
	id = send_one(s, JOB_MAIL);
	svc_expect(s, id, JOB_SENT, NULL);
	svc_serve(s, &smtp);
	buffer_free(&smtp.body);
	svc_run(s, 100);
	assert_int_equal(svc_count(s, JOB_COLLECT, -1, NULL), 0);
}

static void wrong_requests(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	uint64_t id;

	svc_open(s, 0);
	assert_int_equal(collector_collect(s->box.collector, "999", &id, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no user 999"));
	svc_add_user(s, "100", "u", 0);
	assert_int_equal(collector_collect(s->box.collector, "100", &id, &e), -ENODATA);
	assert_non_null(strstr(e.text, "no mailbox"));
	svc_add_user(s, "101", NULL, 9);
	id = collect(s, "101");
	svc_expect(s, id, JOB_FAILED, "--pop3-login");
	assert_int_equal(svc_count(s, JOB_COLLECT, -1, NULL), 1);
}

static void joins(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;

	fake_server_start(&f, SCRIPT("WAIT"));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	id = collect(s, "100");
	assert_int_equal(collect(s, "100"), id);	/* waits */
	svc_run(s, 100);
	assert_int_equal(collect(s, "100"), id);	/* has its connection */
	assert_int_equal(collector_cancel(s->box.collector, id), 0);
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_COLLECT, -1, NULL), 1);
}

static void login_refused(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT("S:+OK\r\n", "C:CAPA", "S:-ERR\r\n", "C:USER u", "S:+OK\r\n",
				     "C:PASS p", "S:-ERR [AUTH] wrong\r\n", "WAIT"));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	svc_expect(s, collect(s, "100"), JOB_FAILED,
		   "the login is refused by 127.0.0.1 for user 100");
	svc_serve(s, &f);
}

/* A mail that was stored before the line was lost is known at the next list. */
static void line_lost(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), RETR(1), "C:DELE 1",
				     "NEXT", HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), DELE(1),
				     GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	svc_expect(s, collect(s, "100"), JOB_FAILED, "cannot collect from");
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "0 mail(s)");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 1);
}

static void left_on_server(struct user *u)
{
	u->leave_on_server = true;
}

static void leaves_mail(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), RETR(1), QUIT,
				     "NEXT", HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", left_on_server);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "1 mail(s)");
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "0 mail(s)");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 1);
}

static void no_text(struct user *u)
{
	u->receive_text = false;
}

static void text_again(struct user *u)
{
	u->receive_text = true;
}

#define TOP(n, head) "C:TOP " #n " 64", "S:+OK\r\n" head "\r\n.\r\n"
#define FAX "Content-Type: image/tiff\r\n"

/*
 * S24, S25: text mail of a user who switched it off is left where it is, and looked at
 * once; S26: what is no text comes, and text does when he wants it again.
 */
static void s25_text_is_left(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("2 20", "1 9\r\n2 9\r\n", "1 a\r\n2 b\r\n"),
				     TOP(1, "Subject: x\r\n"), TOP(2, FAX), RETR(2), DELE(2), QUIT,
				     "NEXT", HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), QUIT,
				     "NEXT", HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), RETR(1),
				     DELE(1), GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", no_text);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "1 mail(s) collected");
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 1);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "1 of text alone left there");
	edit(s, "100", text_again);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "1 mail(s) collected");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 2);
	assert_int_equal(known(s, "text", f.port, "a"), 0);
}

/* TOP is optional, and may not reach far enough: then the whole mail decides. */
static void s25_without_top(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), "C:TOP 1 64",
				     "S:-ERR what?\r\n", RETR(1), QUIT,
				     "NEXT", HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", no_text);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "0 mail(s) collected");
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "left there");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 0);
}

/* What the server deleted is forgotten here: the name may come again, for another mail. */
static void forgets(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("2 20", "1 9\r\n2 9\r\n", "1 a\r\n2 b\r\n"),
				     RETR(1), RETR(2), DELE(1), "C:DELE 2", "S:-ERR locked\r\n",
				     QUIT,
				     "NEXT", HELLO,
				     LIST("2 20", "1 9\r\n2 9\r\n", "1 b\r\n2 a\r\n"), DELE(1),
				     RETR(2), "C:DELE 2", "S:-ERR locked\r\n", GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, NULL);
	assert_int_equal(known(s, "pop3", f.port, "a"), 0);
	assert_int_equal(known(s, "pop3", f.port, "b"), 1);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "1 mail(s)");
	svc_serve(s, &f);
	assert_int_equal(known(s, "pop3", f.port, "a"), 1);
	assert_int_equal(known(s, "pop3", f.port, "b"), 0);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 3);
}

/* Two mails of one name: both come, and neither is deleted for the other's sake. */
static void same_name_twice(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("2 20", "1 9\r\n2 9\r\n", "1 a\r\n2 a\r\n"),
				     RETR(1), RETR(2), DELE(1), DELE(2), GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "2 mail(s)");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 2);
}

/* At its interval; what is wrong is one job, said once, ended by the first good round. */
static void automatic_trouble(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id = 0, changed;
	struct job *j;

#define TOO_LARGE HELLO, LIST("1 90000000", "1 90000000\r\n", "1 a\r\n"), QUIT
	fake_server_start(&f, SCRIPT(TOO_LARGE, "NEXT", TOO_LARGE, "NEXT", HELLO, EMPTY, GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", receive);
	svc_run(s, 400);
	assert_int_equal(svc_count(s, JOB_COLLECT, -1, &id), 1);
	svc_expect(s, id, JOB_WAITING, "mail stays on 127.0.0.1 for user 100");
	j = svc_job(s, id);
	changed = j->changed;
	assert_non_null(strstr(j->detail, "larger"));
	job_free(j);
	/* That he cannot be read is not that he is gone. */
	svc_break(s, SVC_USERS);
	collector_user_changed(s->box.collector, "100");
	svc_mend(s);
	svc_run(s, 1200);
	assert_int_equal(svc_count(s, JOB_COLLECT, -1, &id), 1);
	j = svc_job(s, id);
	assert_int_equal(j->changed, changed);	/* the second round had nothing new to say */
	assert_int_equal(j->state, JOB_WAITING);
	job_free(j);
	svc_expect(s, id, JOB_COLLECTED, "0 mail(s)");
	svc_serve(s, &f);
	edit(s, "100", receive_no_more);
}

/* The job of a mailbox in trouble is found again at the next start, and ends with the user. */
static void trouble_survives(void **state)
{
	struct svc *s = *state;
	uint64_t id = 0;

	svc_open(s, 0);
	svc_add_user(s, "100", "u", 9);
	edit(s, "100", receive);
	svc_run(s, 200);
	assert_int_equal(svc_count(s, JOB_COLLECT, JOB_WAITING, &id), 1);
	svc_close(s);
	svc_open(s, 0);
	svc_run(s, 200);
	assert_int_equal(svc_count(s, JOB_COLLECT, -1, NULL), 1);
	svc_expect(s, id, JOB_WAITING, "cannot be reached");
	edit(s, "100", receive_no_more);
	svc_expect(s, id, JOB_CANCELED, "not collected by itself any more");
}

/* Ended by a person: the next round makes a new one, and leaves that as it is. */
static void trouble_canceled(void **state)
{
	struct svc *s = *state;
	uint64_t id = 0, again = 0;
	struct job *j;

	svc_open(s, 0);
	svc_add_user(s, "100", "u", 9);
	edit(s, "100", receive);
	svc_run(s, 200);
	assert_int_equal(svc_count(s, JOB_COLLECT, JOB_WAITING, &id), 1);
	assert_int_equal(collector_cancel(s->box.collector, id), -ENOENT);
	j = svc_job(s, id);
	job_say(&s->box.keeper, j, LOG_INFO, JOB_CANCELED, NULL, NULL, "canceled");
	job_free(j);
	svc_run(s, 1100);
	assert_int_equal(svc_count(s, JOB_COLLECT, JOB_WAITING, &again), 1);
	assert_true(again > id);
	svc_expect(s, id, JOB_CANCELED, NULL);
}

/* One user edited: nobody else's mailbox becomes due. */
static void others_keep_their_turn(void **state)
{
	struct svc *s = *state;
	struct fake_server f, g;

	fake_server_start(&f, SCRIPT(HELLO, EMPTY, GOODBYE));
	fake_server_start(&g, SCRIPT(HELLO, EMPTY, QUIT, "NEXT", HELLO, EMPTY, GOODBYE));
	svc_open(s, 0);
	s->box.conf.interval_usec = 3600 * 1000000ull;
	svc_add_user(s, "100", "u", f.port);
	svc_add_user(s, "101", "u", g.port);
	for (int i = 0; i < 2; i++) {
		struct user *u = NULL;

		assert_int_equal(store_user_get(s->box.store, i ? "101" : "100", true, &u), 0);
		u->auto_receive = true;
		assert_int_equal(store_user_put(s->box.store, u, false, NULL), 0);
		user_free(u);
		collector_user_changed(s->box.collector, i ? "101" : "100");
	}
	svc_serve(s, &f);
	collector_user_changed(s->box.collector, "101");
	svc_serve(s, &g);		/* the second connection is to 101 alone */
	assert_int_equal(svc_count(s, JOB_COLLECT, -1, NULL), 0);
}

static void receive_and_keep(struct user *u)
{
	u->auto_receive = true;
	u->auto_print = false;
}

static void receive_and_print(struct user *u)
{
	u->auto_receive = u->auto_print = true;
}

/* Where the disk has little room, only those who print at once get theirs; the box says so. */
static void no_room(void **state)
{
	struct svc *s = *state;
	struct fake_server keeps, prints;

	fake_server_start(&keeps, SCRIPT(HELLO, EMPTY, GOODBYE));
	fake_server_start(&prints, SCRIPT(HELLO, EMPTY, GOODBYE));
	s->box.conf.collect_reserve = UINT64_MAX;
	svc_open(s, 0);
	svc_add_user(s, "100", "u", keeps.port);
	svc_add_user(s, "101", "u", prints.port);
	edit(s, "100", receive_and_keep);
	edit(s, "101", receive_and_print);
	svc_serve(s, &prints);
	svc_run(s, 200);
	assert_false(keeps.finished);
	assert_non_null(strstr(collector_notice(s->box.collector), "stays on their servers"));
	s->box.conf.collect_reserve = 0;
	svc_run(s, 5200);
	assert_null(collector_notice(s->box.collector));
	svc_serve(s, &keeps);
	edit(s, "100", receive_no_more);
}

static void keep_mail(struct user *u)
{
	u->auto_print = false;
}

/* No room from the start: nothing is fetched to be thrown away, and what is known goes. */
static void no_room_no_mail(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("1 9", "1 9\r\n", "1 a\r\n"), RETR(1), "C:DELE 1",
				     "NEXT", HELLO,
				     LIST("2 20", "1 9\r\n2 9\r\n", "1 a\r\n2 b\r\n"),
				     DELE(1), GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", keep_mail);
	svc_expect(s, collect(s, "100"), JOB_FAILED, "cannot collect from");
	s->box.conf.collect_reserve = UINT64_MAX;
	svc_expect(s, collect(s, "100"), JOB_FAILED, "mail stays on 127.0.0.1");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 1);
}

/* The disk fills up on the way: what the server was not asked for yet stays there. */
static void room_ends_on_the_way(void **state)
{
	enum { MAILS = 60, ASKED = 32 };
	static const char *script[3 * MAILS] = { HELLO };
	_buffer_ struct buffer stat = { 0 }, list = { 0 }, uidl = { 0 };
	char asks[ASKED][16];
	struct svc *s = *state;
	struct fake_server f;
	size_t n = 7;		/* of HELLO */
	uint64_t id;

	buffer_printf(&stat, "S:+OK %d 600\r\n", MAILS);
	buffer_printf(&list, "S:+OK\r\n");
	buffer_printf(&uidl, "S:+OK\r\n");
	for (int i = 1; i <= MAILS; i++) {
		buffer_printf(&list, "%d 9\r\n", i);
		buffer_printf(&uidl, "%d u%d\r\n", i, i);
	}
	buffer_printf(&list, ".\r\n");
	buffer_printf(&uidl, ".\r\n");
	for (const char *const *p = SCRIPT("C:STAT", stat.data, "C:LIST", list.data, "C:UIDL",
					   uidl.data); *p; p++)
		script[n++] = *p;
	for (int i = 0; i < ASKED; i++) {
		snprintf(asks[i], sizeof(asks[i]), "C:RETR %d\r\n", i + 1);
		script[n++] = asks[i];
		/* Room ends when the list is here, and before the first mail is. */
		script[n++] = i ? "S:+OK\r\nSubject: x\r\n\r\nx\r\n.\r\n" :
				  "S:+OK\r\nSubject: x\r\n\r\n";
		for (int k = 0; !i && k < 3; k++)
			script[n++] = "PAUSE";
		if (!i)
			script[n++] = "S:x\r\n.\r\n";
	}
	script[n++] = "C:QUIT";
	script[n++] = "S:+OK\r\n";
	script[n] = "WAIT";
	fake_server_start(&f, script);
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", keep_mail);
	id = collect(s, "100");
	svc_run(s, 450);
	s->box.conf.collect_reserve = UINT64_MAX;
	svc_expect(s, id, JOB_FAILED, "mail stays on 127.0.0.1");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 0);
}

#define LOGIN_AS(u) "S:+OK\r\n", "C:CAPA", "S:-ERR\r\n", "C:USER " u "\r\n", "S:+OK\r\n", \
		"C:PASS p\r\n", "S:+OK\r\n"
#define ONE_MAIL LIST("1 20", "1 9\r\n", "1 a\r\n")

static void receive_no_text_and_print(struct user *u)
{
	u->auto_receive = u->auto_print = true;
	u->receive_text = false;
}

/*
 * The reception flowchart, a round over all users (S21, S30). 100 does not receive by
 * himself and is passed over (S22). Of the others those who print come first, whoever
 * registered first (S23): 103 has a text mail (S24), which he does not want (S25); 102 a
 * fax, which comes and is printed (S26 to S28); then 101, whose fax is kept (S27, S29).
 */
static void s21_to_s30(void **state)
{
	_buffer_ struct buffer one = { 0 }, two = { 0 };
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id = 0;
	struct job *j;

	buffer_printf(&one, "S:+OK\r\n");
	svc_fax_mail(&one, "<1@x>");
	buffer_printf(&one, ".\r\n");
	buffer_printf(&two, "S:+OK\r\n");
	svc_fax_mail(&two, "<2@x>");
	buffer_printf(&two, ".\r\n");
	fake_server_start(&f, SCRIPT(LOGIN_AS("p3"), ONE_MAIL, TOP(1, "Subject: text\r\n"), QUIT,
				     "NEXT", LOGIN_AS("p2"), ONE_MAIL, "C:RETR 1", one.data,
				     DELE(1), QUIT,
				     "NEXT", LOGIN_AS("k1"), ONE_MAIL, "C:RETR 1", two.data,
				     DELE(1), GOODBYE));
	s->box.conf.collect_connections_per_host = 1;
	svc_start_worker(s, svc_parse);
	svc_open(s, 0);
	svc_add_user(s, "100", "off", f.port);
	svc_add_user(s, "101", "k1", f.port);
	svc_add_user(s, "103", "p3", f.port);
	svc_add_user(s, "102", "p2", f.port);
	edit(s, "101", receive_and_keep);
	edit(s, "103", receive_no_text_and_print);
	edit(s, "102", receive_and_print);
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_PRINT, JOB_PRINTED, &id), 1);
	j = svc_job(s, id);
	assert_string_equal(j->user, "102");
	job_free(j);
	/* A slip says that the other's is kept. */
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_run(s, 500);
	assert_int_equal(s->printer.pages, 2);
	assert_int_equal(svc_count(s, JOB_PRINT, JOB_KEPT, &id), 1);
	j = svc_job(s, id);
	assert_string_equal(j->user, "101");
	job_free(j);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 3);
	edit(s, "101", receive_no_more);
}

static uint16_t other_port;

static void moves(struct user *u)
{
	u->leave_on_server = false;
	u->pop3_port = other_port;
}

/* A mail that another server calls by the name of one that is known is another mail. */
static void another_mailbox(void **state)
{
	struct svc *s = *state;
	struct fake_server f, g;

	fake_server_start(&f, SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), RETR(1), GOODBYE));
	fake_server_start(&g, SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), RETR(1), DELE(1),
				     GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", left_on_server);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "1 mail(s)");
	assert_int_equal(known(s, "pop3", f.port, "a"), 1);
	other_port = g.port;
	edit(s, "100", moves);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "1 mail(s)");
	/* The one that is left behind is not remembered for ever. */
	assert_int_equal(known(s, "pop3", f.port, "a"), 0);
	svc_serve(s, &f);
	svc_serve(s, &g);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 2);
}

/* Releases before this one knew a mail without its mailbox. */
static void known_of_old(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", left_on_server);
	assert_int_equal(store_source_add(s->box.store, "pop3/100/a"), 0);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "0 mail(s)");
	assert_int_equal(known(s, "pop3", f.port, "a"), 1);
	assert_int_equal(store_source_known(s->box.store, "pop3/100/a"), 0);
	svc_serve(s, &f);
}

/* Who gets the code of one who is gone has not got his mails. */
static void nothing_is_known_of_who_is_gone(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	struct fake_server f;

	fake_server_start(&f, SCRIPT(HELLO, LIST("1 20", "1 9\r\n", "1 a\r\n"), RETR(1), GOODBYE));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", left_on_server);
	svc_expect(s, collect(s, "100"), JOB_COLLECTED, "1 mail(s)");
	svc_serve(s, &f);
	assert_int_equal(known(s, "pop3", f.port, "a"), 1);
	if (registration_remove(&s->box, "100", &e) < 0)
		fail_msg("%s", error_text(&e));
	assert_int_equal(known(s, "pop3", f.port, "a"), 0);
}

/*
 * A server that fails so slowly that the mailbox has come to be due again: it is not
 * looked at without a pause for that.
 */
static void slow_failures_have_their_pause(void **state)
{
	struct svc *s = *state;
	struct fake_server f;

	fake_server_start(&f, SCRIPT("S:+OK\r\n", "C:CAPA", "WAIT", "NEXT", HELLO, EMPTY, GOODBYE));
	s->box.conf.timeout_usec = 1300 * 1000;
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	edit(s, "100", receive);
	while (!svc_count(s, JOB_COLLECT, JOB_WAITING, NULL))
		assert_true(sd_event_run(s->box.event, 1000000) >= 0);
	svc_run(s, 500);
	assert_int_equal(svc_count(s, JOB_COLLECT, JOB_WAITING, NULL), 1);
	svc_run(s, 1000);
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_COLLECT, JOB_COLLECTED, NULL), 1);
	edit(s, "100", receive_no_more);
}

/* Two users have one mailbox: the second waits until the first has done. */
static void shared_mailbox(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t one, two;

	fake_server_start(&f, SCRIPT("S:+OK\r\n", "WAIT"));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	svc_add_user(s, "101", "u", f.port);
	one = collect(s, "100");
	svc_run(s, 100);
	two = collect(s, "101");
	svc_run(s, 200);
	svc_expect(s, two, JOB_COLLECTING, "waits for its turn");
	/* The first holds the line: cancel both, in either state. */
	assert_int_equal(collector_cancel(s->box.collector, one), 0);
	svc_expect(s, one, JOB_CANCELED, "canceled by request");
	assert_int_equal(collector_cancel(s->box.collector, two), 0);
	svc_expect(s, two, JOB_CANCELED, "canceled by request");
	assert_int_equal(collector_cancel(s->box.collector, two), -ENOENT);
	svc_serve(s, &f);
}

static void user_removed(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct error e = { 0 };
	uint64_t id, waits;

	fake_server_start(&f, SCRIPT("S:+OK\r\n", "WAIT"));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	svc_add_user(s, "101", "u", f.port);
	id = collect(s, "100");
	waits = collect(s, "101");
	svc_run(s, 100);
	assert_int_equal(store_user_remove(s->box.store, "100", &e), 0);
	collector_user_changed(s->box.collector, "100");
	svc_expect(s, id, JOB_CANCELED, "the user was removed");
	assert_int_equal(store_user_remove(s->box.store, "101", &e), 0);
	collector_user_changed(s->box.collector, "101");
	svc_expect(s, waits, JOB_CANCELED, "the user was removed");
	svc_serve(s, &f);
}

/* The box stops with a mail on its way into the journal, and with one half collected. */
static void stopped(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;

	fake_server_start(&f, SCRIPT(HELLO, LIST("2 20", "1 9\r\n2 9\r\n", "1 a\r\n2 b\r\n"),
				     RETR(1), "WAIT"));
	svc_open(s, 0);
	svc_add_user(s, "100", "u", f.port);
	id = collect(s, "100");
	while (!svc_count(s, JOB_PRINT, -1, NULL))
		assert_true(sd_event_run(s->box.event, 1000000) >= 0);
	svc_close(s);
	fake_server_stop(&f);
	svc_open(s, 0);
	svc_expect(s, id, JOB_FAILED, "the box stopped while collecting");
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 1);
}

/* Ten thousand automatic mailboxes, put into the users' file behind the store's back. */
static void add_ten_thousand(struct svc *s)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/users.db", s->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			     "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n "
			     "WHERE i<10000) INSERT INTO users(code,pop3_host,pop3_port,pop3_tls,"
			     "auto_receive,auto_print,interval,keep_days) SELECT 'u'||i,"
			     "'127.0.0.1',9,'none',1,1,0,7 FROM n",
			     NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
}

static double seconds(const struct timespec *from)
{
	struct timespec to;

	clock_gettime(CLOCK_MONOTONIC, &to);
	return to.tv_sec - from->tv_sec + (to.tv_nsec - from->tv_nsec) / 1e9;
}

/*
 * A few at a time, so that the loop turns for others too; a change of one user
 * costs what it costs with one user. The limits are far above what it takes.
 */
static void ten_thousand(void **state)
{
	struct svc *s = *state;
	struct timespec from;
	char code[12];
	double sec;

	s->box.conf.interval_usec = 3600 * 1000000ull;
	svc_open(s, 0);
	svc_close(s);
	add_ten_thousand(s);
	svc_open(s, 0);
	for (int i = 0; i < 20; i++)
		assert_true(sd_event_run(s->box.event, 100000) >= 0);
	/* They have no password, and each says so in a job. */
	assert_in_range(svc_count(s, JOB_COLLECT, -1, NULL), 8, 200);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 1; i <= 10000; i++) {
		snprintf(code, sizeof(code), "u%d", i);
		collector_user_changed(s->box.collector, code);
	}
	sec = seconds(&from);
	print_message("# 10000 changes of users took %.2f s\n", sec);
	assert_true(sec < 5);
}

/*
 * A server of many mailboxes, all empty, in threads; who logged in on which line.
 */

#define DUE	1000
#define PRINTING 200

struct crowd {
	int listener;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	char logins[DUE][8];		/* in the order of their lines */
	size_t n_logins, lines, most_lines;
};

static struct crowd crowd = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void note_login(size_t line, const char *name)
{
	pthread_mutex_lock(&crowd.lock);
	if (line < ARRAY_SIZE(crowd.logins))
		snprintf(crowd.logins[line], sizeof(crowd.logins[0]), "%s", name);
	crowd.n_logins++;
	pthread_mutex_unlock(&crowd.lock);
}

static size_t count_logins(void)
{
	size_t n;

	pthread_mutex_lock(&crowd.lock);
	n = crowd.n_logins;
	pthread_mutex_unlock(&crowd.lock);
	return n;
}

static void count_line(int more)
{
	pthread_mutex_lock(&crowd.lock);
	crowd.lines += more;
	if (crowd.lines > crowd.most_lines)
		crowd.most_lines = crowd.lines;
	pthread_mutex_unlock(&crowd.lock);
}

static void *serve_one(void *arg)
{
	FILE *f = fdopen((int)((uintptr_t)arg & 0xffff), "r");
	char line[100], name[8];

	if (!f)
		return NULL;
	count_line(1);
	dprintf(fileno(f), "+OK\r\n");
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "QUIT", 4))
			count_line(-1);		/* the box has it until our answer */
		if (sscanf(line, "USER %7[a-z0-9]", name) == 1)
			note_login((uintptr_t)arg >> 16, name);
		dprintf(fileno(f), "%s 0 0\r\n", strncmp(line, "CAPA", 4) ? "+OK" : "-ERR");
	}
	fclose(f);
	return NULL;
}

static void *serve_crowd(void *arg)
{
	pthread_t one;
	uintptr_t n = 0;
	int fd;

	/*
	 * They are accepted in the order of their connects; those that are begun in one turn
	 * of the loop have their addresses in any order, and so connect in any order.
	 */
	while ((fd = accept(crowd.listener, NULL, NULL)) >= 0)
		if (pthread_create(&one, NULL, serve_one, (void *)(n++ << 16 | fd)) == 0)
			pthread_detach(one);
		else
			close(fd);
	return NULL;
}

static void start_crowd(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	crowd.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(crowd.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(crowd.listener, 64), 0);
	assert_int_equal(getsockname(crowd.listener, (struct sockaddr *)&a, &len), 0);
	crowd.port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&crowd.thread, NULL, serve_crowd, NULL), 0);
}

/* Every tenth of ten thousand receives by himself; every fifth of those prints: "p...". */
static void store_ten_thousand(struct svc *s)
{
	enum { N = 10 * DUE };
	struct user **users = calloc(N, sizeof(*users));
	size_t bad = 0;
	bool *create = calloc(N, sizeof(*create));
	struct error e = { 0 };

	assert_true(users && create);
	for (size_t i = 0; i < N; i++) {
		bool due = i % 10 == 0, prints = due && i % 50 == 0;
		char *name = NULL;

		users[i] = calloc(1, sizeof(*users[i]));
		assert_true(users[i] && asprintf(&name, "%c%zu", prints ? 'p' : 'k', i) > 0);
		*users[i] = (struct user){
			.code = name, .pop3_host = strdup("127.0.0.1"), .pop3_port = crowd.port,
			.pop3_tls = strdup("none"), .pop3_login = strdup(name),
			.pop3_password = strdup("p"), .auto_receive = due, .auto_print = prints,
			.receive_text = true, .keep_days = 7,
		};
		create[i] = true;
	}
	if (store_import_begin(s->box.store, &e) < 0 ||
	    store_import_stage(s->box.store, users, create, N, &bad, &e) < 0 ||
	    store_import_commit(s->box.store, &e) < 0 ||
	    store_import_apply(s->box.store, N, &e) < 0)
		fail_msg("%s", error_text(&e));
	user_list_free(users, N);
	free(create);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/*
 * A thousand of ten thousand due at once, on one server: each is asked once, those who
 * print before the others, with no more lines than the server is to have, in memory that
 * does not grow.
 */
static void thousand_in_order(void **state)
{
	struct svc *s = *state;
	size_t before, most = 0, each = s->box.conf.collect_connections_per_host;
	struct timespec from;

	start_crowd();
	s->box.conf.interval_usec = 3600 * 1000000ull;
	svc_open(s, 0);
	store_ten_thousand(s);
	svc_close(s);
	svc_open(s, 0);
	before = mallinfo2().uordblks;
	clock_gettime(CLOCK_MONOTONIC, &from);
	while (count_logins() < DUE && seconds(&from) < 60) {
		assert_true(sd_event_run(s->box.event, 100000) >= 0);
		if (mallinfo2().uordblks > most)
			most = mallinfo2().uordblks;
	}
	print_message("# %d mailboxes asked in %.2f s, %zu KiB more memory at most\n", DUE,
		      seconds(&from), (most - before) / 1024);
	svc_run(s, 300);
	assert_int_equal(count_logins(), DUE);
	assert_true(crowd.most_lines <= each);
	assert_true(most - before < 1 << 20);
	for (size_t i = 0; i < DUE; i++)
		if (i + each < PRINTING || i >= PRINTING + each)
			assert_int_equal(crowd.logins[i][0], i < PRINTING ? 'p' : 'k');
	qsort(crowd.logins, DUE, sizeof(crowd.logins[0]), by_text);
	for (size_t i = 1; i < DUE; i++)
		assert_string_not_equal(crowd.logins[i - 1], crowd.logins[i]);
	shutdown(crowd.listener, SHUT_RDWR);
	pthread_join(crowd.thread, NULL);
	close(crowd.listener);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(s48_s49_after_sending), TEST(s48_only_after_sending),
		TEST(on_request), TEST(wrong_requests), TEST(joins), TEST(login_refused),
		TEST(line_lost), TEST(leaves_mail), TEST(s25_text_is_left), TEST(s25_without_top),
		TEST(forgets), TEST(same_name_twice),
		TEST(automatic_trouble), TEST(trouble_survives), TEST(trouble_canceled),
		TEST(others_keep_their_turn), TEST(no_room), TEST(no_room_no_mail),
		TEST(room_ends_on_the_way), TEST(s21_to_s30),
		TEST(shared_mailbox), TEST(another_mailbox),
		TEST(known_of_old), TEST(nothing_is_known_of_who_is_gone),
		TEST(slow_failures_have_their_pause), TEST(user_removed),
		TEST(stopped), TEST(ten_thousand), TEST(thousand_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
