// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The SMTP receiver around its engine, over real sockets: who may do what, where
 * mail goes, every limit and its reply, TLS. Most tests take mails with a double of
 * the queue that notes them; some with the real one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "service/queue.h"
#include "service/receiver.h"
#include "service/terminal.h"
#include "smtp/scram.h"
#include "smtp_peer.h"
#include "svc_help.h"

#define PEERS 8

struct room {
	struct svc svc;
	uint16_t ports[RECEIVER_SUBMISSIONS + 1];
	struct peer peers[PEERS];
	/* the queue's double */
	int answer;			/* of accept() */
	int later;			/* of its callback */
	bool holds;			/* the callback is not called yet */
	unsigned int taken;
	struct envelope env;
	struct buffer mail;
	store_done_fn done;
	void *done_data;
	sd_event_source *timer;
	/* panels */
	char said_to[64], said[256];
	unsigned int n_said;
};

/*
 * The queue's double
 */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct room *r = userdata;

	if (r->done)
		take_ptr(r->done)(r->done_data, r->later);
	return 0;
}

static void let_go(struct room *r)
{
	r->holds = false;
	on_timer(NULL, 0, r);
}

static int take(void *userdata, const struct envelope *env, const struct iovec *body, int n_body,
		store_done_fn done, void *done_data, uint64_t *id, struct error *e)
{
	struct room *r = userdata;

	if (r->answer < 0)
		return error_set(e, r->answer, "the test wants it so");
	assert_null(r->done);	/* one at a time is what these tests do */
	envelope_free(&r->env);
	buffer_clear(&r->mail);
	assert_int_equal(envelope_copy(&r->env, env), 0);
	for (int i = 0; i < n_body; i++)
		assert_int_equal(buffer_append(&r->mail, body[i].iov_base, body[i].iov_len), 0);
	r->done = done;
	r->done_data = done_data;
	*id = ++r->taken;
	if (!r->holds) {
		sd_event_source_set_time_relative(r->timer, 1000);
		sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
	}
	return 0;
}

static int say_to_panel(void *userdata, const char *panel, const struct terminal_message *m)
{
	struct room *r = userdata;

	snprintf(r->said_to, sizeof(r->said_to), "%s", panel);
	snprintf(r->said, sizeof(r->said), "%s|%s|%.*s", m->user, m->from, (int)m->len, m->text);
	r->n_said++;
	return 0;
}

/*
 * The room
 */

static void must(int err, const struct error *e)
{
	if (err < 0)
		fail_msg("%s", error_text(e));
}

static void start(struct room *r, bool real_queue)
{
	struct box *box = &r->svc.box;
	struct error e = { 0 };

	must(receiver_new(&box->receiver, box, real_queue ? NULL : take, r, &e), &e);
	for (int p = 0; p <= RECEIVER_SUBMISSIONS; p++)
		must(receiver_add(box->receiver, peer_listen(&r->ports[p]), p, &e), &e);
}

static void add_user(struct room *r, const char *code, const char *name, const char *address)
{
	struct user u = { .code = (char *)code, .name = (char *)name, .address = (char *)address,
			  .keep_days = 7, .auto_print = true };
	struct error e = { 0 };

	must(store_user_put(r->svc.box.store, &u, true, &e), &e);
}

static void add_alias(struct room *r, const char *name, const char *title, enum alias_kind kind,
		      const char *members)
{
	struct alias a = { .name = (char *)name, .title = (char *)title, .kind = kind };
	char *copy = strdup(members), *rest = copy;
	struct error e = { 0 };

	for (char *m; (m = strsep(&rest, " "));)
		assert_int_equal(alias_add_member(&a, m), 0);
	must(store_alias_put(r->svc.box.store, &a, true, &e), &e);
	for (size_t i = 0; a.members[i]; i++)
		free(a.members[i]);
	free(a.members);
	free(copy);
}

static void set(char **field, const char *value)
{
	free(*field);
	*field = strdup(value);
}

static int setup(void **state)
{
	struct room *r = calloc(1, sizeof(*r));
	struct box *box;

	assert_non_null(r);
	box = &r->svc.box;
	for (size_t i = 0; i < PEERS; i++)
		r->peers[i].fd = -1;
	svc_make(&r->svc);
	set(&box->conf.domains, "box.example.test example.test");
	svc_open(&r->svc, 0);
	assert_int_equal(terminals_new(&box->terminals), 0);
	terminals_set_voice(box->terminals, say_to_panel, r);
	assert_true(sd_event_add_time_relative(box->event, &r->timer, CLOCK_MONOTONIC, 0, 0,
					       on_timer, r) >= 0);
	sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
	add_user(r, "100", "Ada Muster", "ada@example.test");
	add_user(r, "200", "Otto Muster", "otto@elsewhere.test");
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct room *r = *state;
	struct box *box = &r->svc.box;

	for (size_t i = 0; i < PEERS; i++)
		peer_close(&r->peers[i]);
	receiver_free(take_ptr(box->receiver));
	if (r->done)
		let_go(r);
	terminals_free(take_ptr(box->terminals));
	sd_event_source_disable_unref(r->timer);
	envelope_free(&r->env);
	buffer_free(&r->mail);
	svc_remove(&r->svc);
	free(r);
	return 0;
}

/* A client that was greeted and has said EHLO. */
static struct peer *client(struct room *r, enum receiver_port port)
{
	struct peer *p = r->peers;

	while (p->fd >= 0)
		p++;
	assert_true(p < r->peers + PEERS);
	peer_connect(p, r->svc.box.event, r->ports[port]);
	peer_expect(p, "220 box.example.test");
	peer_say(p, "EHLO client.test", "250-");
	return p;
}

static struct peer *stranger(struct room *r)
{
	set(&r->svc.box.conf.networks, "none");
	return client(r, RECEIVER_SMTP);
}

static void mail(struct peer *p, const char *text)
{
	peer_say(p, "DATA", "354");
	peer_send(p, text, strlen(text));
	peer_say(p, ".", "250 2.0.0");
}

static void has(const struct buffer *b, const char *words)
{
	if (!b->len || !strstr(b->data, words))
		fail_msg("nothing of \"%s\" in: %s", words, b->len ? b->data : "");
}

static void lacks(const struct buffer *b, const char *words)
{
	if (b->len && strstr(b->data, words))
		fail_msg("\"%s\" in: %s", words, b->data);
}

/*
 * The way of a mail
 */

static void a_mail_is_taken(void **state)
{
	struct room *r = *state;
	struct peer *p;

	start(r, false);
	p = stranger(r);
	peer_say(p, "MAIL FROM:<bob@far.test> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=q+2B1", "250");
	peer_say(p, "RCPT TO:<ada@Example.TEST> NOTIFY=SUCCESS ORCPT=rfc822;a@b.test", "250");
	mail(p, "Subject: x\r\n\r\n..dot\r\ntext\r\n");
	assert_int_equal(r->taken, 1);
	assert_string_equal(r->env.from, "bob@far.test");
	assert_string_equal(r->env.envid, "q+1");
	assert_int_equal(r->env.ret, RET_HDRS);
	assert_true(r->env.eight_bit);
	assert_int_equal(r->env.n_rcpts, 1);
	assert_string_equal(r->env.rcpts[0].user, "100");
	assert_string_equal(r->env.rcpts[0].address, "ada@Example.TEST");
	assert_string_equal(r->env.rcpts[0].orcpt, "rfc822;a@b.test");
	assert_int_equal(r->env.rcpts[0].notify, NOTIFY_SUCCESS);
	/* S7, S8 */
	has(&r->mail, "Return-Path: <bob@far.test>\r\nReceived: from client.test ([127.0.0.1])\r\n"
	    "\tby box.example.test (ifax ");
	assert_memory_equal(r->mail.data, "Return-Path", 11);
	has(&r->mail, "via TCP with ESMTP id ");
	has(&r->mail, "\r\n\tfor <ada@Example.TEST>; ");
	has(&r->mail, "\r\nSubject: x\r\n\r\n.dot\r\ntext\r\n");
	/* and another one in the same session, by HELO */
	peer_say(p, "HELO old.test", "250");
	peer_say(p, "MAIL FROM:<>", "250");
	peer_say(p, "RCPT TO:<100@box.example.test>", "250");
	peer_say(p, "DATA", "354");
	peer_say(p, ".", "250 Taken over as job 2");
	has(&r->mail, "Return-Path: <>\r\n");
	has(&r->mail, "with SMTP id ");
	peer_say(p, "QUIT", "221");
	peer_expect_end(p);
}

/* The real queue and the real store: what was answered with 250 is there. */
static void a_mail_is_stored(void **state)
{
	_buffer_ struct buffer fax = { 0 };
	struct room *r = *state;
	struct box *box = &r->svc.box;
	_close_ int fd = -1;
	struct peer *p;
	uint64_t id = 0;
	char head[14] = "";

	start(r, true);
	svc_start_worker(&r->svc, NULL);
	p = stranger(r);
	svc_fax_mail(&fax, "<a@x>");
	peer_say(p, "MAIL FROM:<bob@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	mail(p, fax.data);
	assert_int_equal(svc_count(&r->svc, JOB_PRINT, -1, &id), 1);
	assert_int_equal(store_job_body(box->store, id, &fd, NULL), 0);
	assert_int_equal(pread(fd, head, 13, 0), 13);
	assert_string_equal(head, "Return-Path: ");
	svc_wait_page(&r->svc);
	fake_printer_end(&r->svc.printer, 0, false);
	job_free(svc_wait(&r->svc, id, JOB_PRINTED));
}

/* All in one packet, the last command behind the dot, too. */
static void pipelined(void **state)
{
	static const char all[] =
		"EHLO c.test\r\nMAIL FROM:<b@far.test>\r\nRCPT TO:<ada@example.test>\r\n"
		"RCPT TO:<nobody@example.test>\r\nDATA\r\nSubject: 1\r\n\r\n1\r\n.\r\n"
		"MAIL FROM:<b@far.test>\r\nRCPT TO:<100@example.test>\r\nDATA\r\n2\r\n.\r\n"
		"QUIT\r\n";
	struct room *r = *state;
	struct peer *p = &r->peers[0];

	start(r, false);
	peer_connect(p, r->svc.box.event, r->ports[RECEIVER_SMTP]);
	r->holds = true;
	peer_send(p, all, strlen(all));
	peer_expect(p, "220");
	peer_expect(p, "250-");
	peer_expect(p, "250");
	peer_expect(p, "250");
	peer_expect(p, "550 5.1.1");
	peer_expect(p, "354");
	/* Nothing more is said, nor taken, before the first is durable. */
	svc_run(&r->svc, 50);
	assert_int_equal(p->n_rest, 0);
	assert_int_equal(r->taken, 1);
	let_go(r);
	peer_expect(p, "250 2.0.0 Taken over as job 1");
	peer_expect(p, "250");
	peer_expect(p, "250");
	peer_expect(p, "354");
	peer_expect(p, "250 2.0.0 Taken over as job 2");
	peer_expect(p, "221");
	peer_expect_end(p);
	assert_int_equal(r->taken, 2);
	has(&r->mail, "\r\n2\r\n");
}

static void trouble_of_the_store(void **state)
{
	static const struct {
		int answer, later;
		const char *reply;
	} cases[] = {
		{ -ENOSPC, 0, "452 4.3.1" }, { -EIO, 0, "451 4.3.0" }, { 0, -EIO, "451 4.3.0" },
	};
	struct room *r = *state;
	struct peer *p;

	start(r, false);
	p = client(r, RECEIVER_SMTP);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		r->answer = cases[i].answer;
		r->later = cases[i].later;
		peer_say(p, "MAIL FROM:<b@far.test>", "250");
		peer_say(p, "RCPT TO:<ada@example.test>", "250");
		peer_say(p, "DATA", "354");
		peer_say(p, "x\r\n.", cases[i].reply);
	}
	/* No disk at all: said before the text is sent. */
	set(&r->svc.box.conf.spool, "/proc");
	p = client(r, RECEIVER_SMTP);
	svc_run(&r->svc, 1100);
	peer_say(p, "MAIL FROM:<b@far.test>", "452 4.3.1");
}

/* What the store keeps free is what counts at MAIL: none is taken that it would refuse. */
static void reserve_of_the_store(void **state)
{
	struct room *r = *state;
	struct box *box = &r->svc.box;
	char spool[80], folder[80];
	struct store_options o = { .spool = spool, .state = folder, .min_free_bytes = 1ull << 60 };
	struct store *was = box->store;
	struct error e = { 0 };
	struct peer *p;

	snprintf(spool, sizeof(spool), "%s/spool2", r->svc.dir);
	snprintf(folder, sizeof(folder), "%s/state2", r->svc.dir);
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RSET", "250");
	box->store = NULL;
	must(store_open(&box->store, box->event, &o, &e), &e);
	peer_say(p, "MAIL FROM:<b@far.test>", "452 4.3.1");
	store_close(box->store);
	box->store = was;
}

/* Little room left is for those whose mail is printed at once: what would be kept stays out. */
static void room_is_for_who_prints(void **state)
{
	struct user keeps = { .code = (char *)"310", .keep_days = 7 };
	struct room *r = *state;
	struct receiver_figures figures;
	struct error e = { 0 };
	struct peer *p;

	must(store_user_put(r->svc.box.store, &keeps, true, &e), &e);
	add_user(r, "311", "Ben", "ben@example.test");
	add_alias(r, "both", "Both", ALIAS_PLAIN, "310 311");
	add_alias(r, "quiet", "Quiet", ALIAS_PLAIN, "310");
	r->svc.box.conf.collect_reserve = 1ull << 60;
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<310@box.example.test>", "452 4.2.2");
	peer_say(p, "RCPT TO:<quiet@box.example.test>", "452 4.2.2");
	peer_say(p, "RCPT TO:<311@box.example.test>", "250");
	peer_say(p, "RCPT TO:<both@box.example.test>", "250");
	mail(p, "Subject: x\r\n\r\nx\r\n");
	assert_int_equal(r->taken, 1);
	assert_int_equal(r->env.n_rcpts, 2);
	receiver_figures(r->svc.box.receiver, &figures);
	assert_true(figures.scarce);
	/* There is room again. */
	r->svc.box.conf.collect_reserve = 0;
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<310@box.example.test>", "250");
}

static void clients_that_go_away(void **state)
{
	struct room *r = *state;
	struct receiver_figures f;
	struct peer *p;

	start(r, false);
	/* while the mail is on its way to the disk */
	p = client(r, RECEIVER_SMTP);
	r->holds = true;
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	peer_say(p, "DATA", "354");
	peer_send(p, "x\r\n.\r\n", 6);
	svc_run(&r->svc, 50);
	assert_int_equal(r->taken, 1);
	peer_close(p);
	svc_run(&r->svc, 50);
	let_go(r);
	/* in the midst of its text */
	p = client(r, RECEIVER_SMTP);
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	peer_say(p, "DATA", "354");
	peer_send(p, "Subject: half a ma", 18);
	svc_run(&r->svc, 50);
	receiver_figures(r->svc.box.receiver, &f);
	assert_true(f.memory > 0);
	peer_close(p);
	svc_run(&r->svc, 50);
	receiver_figures(r->svc.box.receiver, &f);
	assert_int_equal(f.memory, 0);
	assert_int_equal(f.sessions, 0);
	assert_int_equal(r->taken, 1);
}

/* With a mail on its way to the disk, another in its text, and one idle. */
static void the_box_stops(void **state)
{
	struct room *r = *state;
	struct peer *idle, *text, *disk;

	start(r, false);
	idle = client(r, RECEIVER_SMTP);
	text = client(r, RECEIVER_SMTP);
	disk = client(r, RECEIVER_SMTP);
	r->holds = true;
	for (struct peer *p = text; p <= disk; p++) {
		peer_say(p, "MAIL FROM:<b@far.test>", "250");
		peer_say(p, "RCPT TO:<ada@example.test>", "250");
		peer_say(p, "DATA", "354");
	}
	peer_send(text, "x", 1);
	peer_send(disk, "x\r\n.\r\n", 6);
	svc_run(&r->svc, 50);
	receiver_free(take_ptr(r->svc.box.receiver));
	peer_expect(idle, "421 4.3.2 box.example.test The service is stopping");
	peer_expect_end(idle);
	peer_expect(text, "421");
	peer_expect(disk, "421");
	let_go(r);	/* it is stored, but nobody is there to be told */
}

/* What is on its way to the real disk is answered first; what came behind it is not taken. */
static void the_disk_is_waited_for(void **state)
{
	static const char text[] = "x\r\n.\r\nMAIL FROM:<b@far.test>\r\n";
	struct room *r = *state;
	struct peer *p;

	start(r, true);
	p = client(r, RECEIVER_SMTP);
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	peer_say(p, "DATA", "354");
	peer_send(p, text, strlen(text));
	/* One event a turn: it is journalled, and the journal's word not heard yet. */
	while (!svc_count(&r->svc, JOB_PRINT, -1, NULL))
		assert_true(sd_event_run(r->svc.box.event, UINT64_MAX) >= 0);
	receiver_free(take_ptr(r->svc.box.receiver));
	peer_expect(p, "250 2.0.0 Taken over as job 1");
	peer_expect(p, "421 4.3.2 box.example.test The service is stopping");
	peer_expect_end(p);
}

/*
 * Names
 */

static void names_of_the_box(void **state)
{
	static const struct {
		const char *to, *reply, *user, *address;
	} cases[] = {
		{ "100@example.test", "250", "100", NULL },
		{ "otto@example.test", "550 5.1.1", NULL, NULL },
		{ "200@box.example.test", "250", "200", NULL },
		{ "\"ada\"@example.test", "250", "100", NULL },
		{ "a\\da@example.test", "250", "100", NULL },
		{ "Ada@example.test", "550 5.1.1", NULL, NULL },	/* S1: case is theirs */
		{ "INFO@example.test", "250", "100", NULL },
		{ "ada@[127.0.0.1]", "250", "100", NULL },
		{ "ada@#2130706433", "250", "100", NULL },
		{ "postmaster", "250", "100", NULL },
		{ "PostMaster@example.test", "250", "100", NULL },
		{ "fax=5551234@example.test", "550 5.1.1", NULL, NULL },
		{ "out@example.test", "250", NULL, "x@far.test" },
		{ "moved@example.test", "251 2.1.5 User not local; will forward to <m@new.test>",
		  NULL, "m@new.test" },
		{ "gone@example.test", "551 5.1.6 User not local; please try <g@new.test>", NULL,
		  NULL },
		{ "hollow@example.test", "550 5.2.4", NULL, NULL },
		{ "twin@example.test", "553 5.1.4", NULL, NULL },
		/* nobody in it is passed over in silence */
		{ "team@example.test", "553 5.1.4", NULL, NULL },
	};
	struct room *r = *state;
	struct peer *p;

	add_alias(r, "info", NULL, ALIAS_PLAIN, "ada@example.test");
	add_alias(r, "out", NULL, ALIAS_PLAIN, "x@far.test");
	add_alias(r, "moved", NULL, ALIAS_MOVED, "m@new.test");
	add_alias(r, "gone", NULL, ALIAS_GONE, "g@new.test");
	add_alias(r, "hollow", NULL, ALIAS_PLAIN, "nobody");
	add_alias(r, "team", NULL, ALIAS_PLAIN, "100 twin@example.test");
	add_user(r, "301", "A", "twin@example.test");
	add_user(r, "302", "B", "twin@example.test");
	start(r, false);
	p = stranger(r);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[200];

		peer_say(p, "MAIL FROM:<b@far.test>", "250");
		snprintf(line, sizeof(line), "RCPT TO:<%s>", cases[i].to);
		peer_say(p, line, cases[i].reply);
		if (!cases[i].user && !cases[i].address) {
			peer_say(p, "RSET", "250");
			continue;
		}
		mail(p, "x\r\n");
		assert_int_equal(r->env.n_rcpts, 1);
		assert_string_equal(r->env.rcpts[0].address, cases[i].address ?: cases[i].to);
		if (cases[i].user) {
			assert_string_equal(r->env.rcpts[0].user, cases[i].user);
			has(&r->mail, "Return-Path: <b@far.test>");
		} else {
			assert_null(r->env.rcpts[0].user);
			snprintf(line, sizeof(line), "rfc822;%s", cases[i].to);
			assert_string_equal(r->env.rcpts[0].orcpt, line);
			lacks(&r->mail, "Return-Path");
		}
	}
}

static void lists(void **state)
{
	struct room *r = *state;
	struct peer *p;

	add_alias(r, "inner", NULL, ALIAS_PLAIN, "100 x@far.test 200");
	add_alias(r, "outer", NULL, ALIAS_PLAIN, "inner@example.test y@far.test 100 nobody inner");
	add_alias(r, "postmaster", NULL, ALIAS_PLAIN, "200");
	start(r, false);
	p = stranger(r);
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test> NOTIFY=NEVER", "250");
	peer_say(p, "RCPT TO:<outer@example.test> NOTIFY=FAILURE", "250");
	peer_say(p, "RCPT TO:<nobody@example.test>", "550");
	peer_say(p, "RCPT TO:<postmaster>", "250");
	mail(p, "x\r\n");
	/* Each once, where he stood first: two users here and two people elsewhere. */
	assert_int_equal(r->env.n_rcpts, 4);
	assert_string_equal(r->env.rcpts[0].user, "100");
	assert_int_equal(r->env.rcpts[0].notify, NOTIFY_FAILURE);
	assert_string_equal(r->env.rcpts[1].address, "x@far.test");
	assert_string_equal(r->env.rcpts[2].user, "200");
	assert_int_equal(r->env.rcpts[2].notify, NOTIFY_FAILURE | NOTIFY_DELAY);
	assert_string_equal(r->env.rcpts[3].address, "y@far.test");
	assert_int_equal(r->env.rcpts[3].notify, NOTIFY_FAILURE);
	assert_string_equal(r->env.rcpts[3].orcpt, "rfc822;outer@example.test");
	lacks(&r->mail, "\tfor <");
	lacks(&r->mail, "Return-Path");
}

static void postmaster_of_an_empty_box(void **state)
{
	struct room *r = *state;

	assert_int_equal(store_user_remove(r->svc.box.store, "100", NULL), 0);
	assert_int_equal(store_user_remove(r->svc.box.store, "200", NULL), 0);
	start(r, false);
	stranger(r);
	peer_say(&r->peers[0], "MAIL FROM:<b@far.test>", "250");
	peer_say(&r->peers[0], "RCPT TO:<postmaster>", "450 4.2.1");
}

static void vrfy_and_expn(void **state)
{
	static const struct {
		const char *line, *reply;
	} cases[] = {
		{ "VRFY ada", "250 2.1.5 Ada Muster <ada@example.test>\r\n" },
		{ "VRFY ada@example.test", "250 2.1.5 Ada Muster <ada@example.test>\r\n" },
		{ "VRFY <200@box.example.test>",
		  "250 2.1.5 Otto Muster <200@box.example.test>\r\n" },
		{ "VRFY otto muster", "250 2.1.5 Otto Muster <200@box.example.test>\r\n" },
		{ "VRFY Otto", "250 2.1.5 Otto Muster <200@box.example.test>\r\n" },
		{ "VRFY \"Otto Muster\"", "250 2.1.5 Otto Muster <200@box.example.test>\r\n" },
		{ "VRFY \"\"", "550 5.1.1" },
		{ "VRFY Muster", "553 5.1.4" },
		{ "VRFY Must", "550 5.1.1" },
		{ "VRFY nobody", "550 5.1.1" },
		{ "VRFY x@far.test", "252 2.5.2" },
		{ "VRFY staff", "250 2.1.5 The Staff <staff@box.example.test>\r\n" },
		{ "VRFY moved", "251 2.1.5" },
		{ "VRFY gone", "551 5.1.6" },
		{ "EXPN staff", "250-2.1.5 Ada Muster <ada@example.test>\r\n"
		  "250-2.1.5 Eve <eve@far.test>\r\n"
		  "250 2.1.5 Otto Muster <200@box.example.test>\r\n" },
		{ "EXPN ada", "250 2.1.5 Ada Muster <ada@example.test>\r\n" },
		{ "EXPN nobody", "550 5.1.1" },
		{ "EXPN x@far.test", "550 5.1.2" },
	};
	struct recipient eve = { .address = "eve@far.test", .name = "Eve", .accepts = "s" };
	struct room *r = *state;
	struct peer *p;

	add_alias(r, "staff", "The Staff", ALIAS_PLAIN, "100 eve@far.test 200");
	add_alias(r, "moved", NULL, ALIAS_MOVED, "m@new.test");
	add_alias(r, "gone", NULL, ALIAS_GONE, "g@new.test");
	assert_int_equal(store_recipient_put(r->svc.box.store, &eve, NULL), 0);
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	/* S3: in the midst of a mail they touch nothing. */
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		peer_say(p, cases[i].line, cases[i].reply);
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	peer_say(p, "RSET", "250");
	p = stranger(r);
	peer_say(p, "VRFY ada", "252 2.5.2");
	peer_say(p, "EXPN staff", "550 5.7.1");
	lacks(&(struct buffer){ .data = p->reply, .len = 1 }, "ada@");
}

/*
 * Relaying
 */

static void no_open_relay(void **state)
{
	static const char *const probes[] = {
		"v@victim.test", "v@victim.test.", "v%victim.test@example.test", "v%victim.test",
		"\"v@victim.test\"@example.test", "\"v%victim.test\"@example.test",
		"\"v@victim.test\"", "v@victim.test@example.test", "victim.test!v@example.test",
		"victim.test!v", "@example.test:v@victim.test", "@127.0.0.1:v@victim.test",
		"@[127.0.0.1]:v@victim.test", "@example.test,@victim.test:v@victim.test",
		"@victim.test:ada@example.test", "v@[127.0.0.2]", "v@[IPv6:::1]", "v@#2130706434",
		"v%victim.test@[127.0.0.1]", "v@127.0.0.1", "v@localhost", "v@VICTIM.test",
		"FAX=5551234@127.0.0.1", "\"v@victim.test\"@[127.0.0.1]",
	};
	static const char *const senders[] = { "<b@far.test>", "<>", "<ada@example.test>",
					       "<ada@[127.0.0.1]>", "<@example.test:b@far.test>" };
	struct room *r = *state;
	struct peer *p;
	char line[200];

	r->svc.box.conf.max_errors = 10000;
	start(r, false);
	p = stranger(r);
	for (size_t k = 0; k < ARRAY_SIZE(senders); k++) {
		snprintf(line, sizeof(line), "MAIL FROM:%s", senders[k]);
		peer_say(p, line, "250");
		for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
			snprintf(line, sizeof(line), "RCPT TO:<%s>", probes[i]);
			peer_say(p, line, "5");
		}
		peer_say(p, "DATA", "5");
		peer_say(p, "RSET", "250");
	}
	assert_int_equal(r->taken, 0);
}

static void permitted_networks_relay(void **state)
{
	struct room *r = *state;
	struct peer *p;

	set(&r->svc.box.conf.networks, "192.0.2.0/24 127.0.0.1");
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<v@other.test>", "250");
	mail(p, "x\r\n");
	assert_null(r->env.rcpts[0].user);
	assert_string_equal(r->env.rcpts[0].address, "v@other.test");
	set(&r->svc.box.conf.networks, "127.0.0.2");
	p = client(r, RECEIVER_SMTP);
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<v@other.test>", "550 5.7.1");
}

/* E5, whoever sends: by a list and by a route, too. What is encrypted already goes on. */
static void never_on_in_the_clear(void **state)
{
	static const char *const ways[] = {
		"bob@far.test", "BOB@far.test", "info@example.test", "@x.test:bob@far.test",
		"\"bob\"@far.test", "\"b\\ob\"@far.test",
	};
	static const char text[] = "Subject: x\r\n\r\nhello\r\n";
	struct recipient bob = { .address = (char *)"bob@far.test", .accepts = (char *)"s",
				 .method = (char *)"smime", .must_encrypt = true };
	struct recipient eve = { .address = (char *)"eve@far.test", .accepts = (char *)"s",
				 .method = (char *)"smime" };
	struct room *r = *state;
	struct error e = { 0 };
	char line[200];
	struct peer *p;

	must(store_recipient_put(r->svc.box.store, &bob, &e), &e);
	must(store_recipient_put(r->svc.box.store, &eve, &e), &e);
	add_alias(r, "info", NULL, ALIAS_PLAIN, "100 bob@far.test");
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		peer_say(p, "MAIL FROM:<b@far.test>", "250");
		peer_say(p, "RCPT TO:<eve@far.test>", "250");
		snprintf(line, sizeof(line), "RCPT TO:<%s>", ways[i]);
		peer_say(p, line, "250");
		peer_say(p, "DATA", "354");
		peer_send(p, text, strlen(text));
		peer_say(p, ".", "554 5.7.1");
	}
	/* Nobody knows whether he has to. */
	svc_break(&r->svc, SVC_RECIPIENTS);
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<bob@far.test>", "250");
	peer_say(p, "DATA", "354");
	peer_send(p, text, strlen(text));
	peer_say(p, ".", "451 4.3.0");
	svc_mend(&r->svc);
	assert_int_equal(r->taken, 0);
	/* Who may get it encrypted gets what was sent to him. */
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<eve@far.test>", "250");
	mail(p, "Subject: x\r\n\r\nhello\r\n");
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<bob@far.test>", "250");
	mail(p, "Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n");
	assert_int_equal(r->taken, 2);
}

/* S6: our name goes from the forward-path to the head of the reverse-path. */
static void source_routes(void **state)
{
	static const struct {
		const char *from, *to, *next_from, *next_to, *user;
	} cases[] = {
		{ "a@a.test", "@box.example.test,@b.test:u@c.test", "@box.example.test:a@a.test",
		  "@b.test:u@c.test", NULL },
		{ "@z.test:a@a.test", "@example.test:u@c.test",
		  "@box.example.test,@z.test:a@a.test", "u@c.test", NULL },
		{ "a@a.test", "@b.test,@d.test:u@c.test", "a@a.test", "@b.test,@d.test:u@c.test",
		  NULL },
		{ "a@a.test", "@box.example.test:ada@example.test", "a@a.test",
		  "@box.example.test:ada@example.test", "100" },
		{ "", "@box.example.test:u@c.test", "", "u@c.test", NULL },
		{ "a@a.test", "@[127.0.0.1],@example.test:u@c.test", "@box.example.test:a@a.test",
		  "u@c.test", NULL },
	};
	struct room *r = *state;
	struct peer *p;
	char line[300];

	start(r, false);
	p = client(r, RECEIVER_SMTP);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(line, sizeof(line), "MAIL FROM:<%s>", cases[i].from);
		peer_say(p, line, "250");
		snprintf(line, sizeof(line), "RCPT TO:<%s>", cases[i].to);
		peer_say(p, line, "250");
		mail(p, "x\r\n");
		assert_string_equal(r->env.from, cases[i].next_from);
		if (cases[i].user)
			assert_string_equal(r->env.rcpts[0].user, cases[i].user);
		else
			assert_string_equal(r->env.rcpts[0].address, cases[i].next_to);
	}
	/* A stranger's way back is forgotten. */
	p = stranger(r);
	peer_say(p, "MAIL FROM:<@z.test,@y.test:a@a.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	mail(p, "x\r\n");
	assert_string_equal(r->env.from, "a@a.test");
}

/*
 * Terminals
 */

static void terminals(void **state)
{
	static char text[TERMINAL_TEXT_MAX + 16];
	struct room *r = *state;
	struct terminals *t = r->svc.box.terminals;
	struct peer *p;

	add_alias(r, "staff", NULL, ALIAS_PLAIN, "100 200 x@far.test");
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	/* nobody is there */
	peer_say(p, "SEND FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "450 4.2.1");
	peer_say(p, "RCPT TO:<v@far.test>", "450 4.2.1");
	peer_say(p, "RSET", "250");
	peer_say(p, "SOML FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	mail(p, "hello\r\n");
	assert_int_equal(r->taken, 1);
	assert_int_equal(r->n_said, 0);

	assert_int_equal(terminal_attach(t, "100", ":1.7", NULL), 0);
	peer_say(p, "SEND FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<200@example.test>", "450 4.2.1");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	peer_say(p, "RCPT TO:<100@example.test>", "250");	/* himself again: said once */
	mail(p, "hello\r\n");
	assert_int_equal(r->taken, 1);
	assert_int_equal(r->n_said, 1);
	assert_string_equal(r->said_to, ":1.7");
	assert_string_equal(r->said, "100|b@far.test|hello\r\n");

	peer_say(p, "SOML FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<staff@example.test>", "250");
	mail(p, "hello\r\n");
	assert_int_equal(r->n_said, 2);
	assert_int_equal(r->taken, 2);
	assert_int_equal(r->env.n_rcpts, 2);
	assert_string_equal(r->env.rcpts[0].user, "200");
	assert_string_equal(r->env.rcpts[1].address, "x@far.test");

	peer_say(p, "SAML FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	mail(p, "hello\r\n");
	assert_int_equal(r->n_said, 3);
	assert_int_equal(r->taken, 3);
	assert_string_equal(r->env.rcpts[0].user, "100");

	/* He gets up while the message is written. */
	peer_say(p, "SEND FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	assert_int_equal(terminal_detach(t, ":1.7"), 0);
	peer_say(p, "DATA", "354");
	peer_say(p, "x\r\n.", "451 4.2.1");
	assert_int_equal(r->n_said, 3);
	assert_int_equal(r->taken, 3);

	/* Longer than a terminal takes: no message, but mail. */
	assert_int_equal(terminal_attach(t, "100", ":1.7", NULL), 0);
	memset(text, 'x', sizeof(text));
	strcpy(text + sizeof(text) - 3, "\r\n");
	peer_say(p, "SEND FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	peer_say(p, "DATA", "354");
	peer_send(p, text, strlen(text));
	peer_say(p, ".", "552 5.3.4");
	peer_say(p, "SOML FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	mail(p, text);
	assert_int_equal(r->n_said, 3);
	assert_int_equal(r->taken, 4);
	assert_int_equal(terminal_detach(t, ":1.7"), 0);

	/* Of a list those who are there; when one of two has gone, nobody has it. */
	assert_int_equal(terminal_attach(t, "200", ":1.8", NULL), 0);
	peer_say(p, "SEND FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<staff@example.test>", "250");
	mail(p, "hello\r\n");
	assert_int_equal(r->n_said, 4);
	assert_string_equal(r->said, "200|b@far.test|hello\r\n");
	assert_int_equal(terminal_attach(t, "100", ":1.9", NULL), 0);
	peer_say(p, "SEND FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<200@example.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	assert_int_equal(terminal_detach(t, ":1.8"), 0);
	peer_say(p, "DATA", "354");
	peer_say(p, "x\r\n.", "451 4.2.1 Not everybody");
	assert_int_equal(r->n_said, 4);
	assert_int_equal(r->taken, 4);
}

/*
 * Limits
 */

static void sessions_in_all(void **state)
{
	struct room *r = *state;
	struct peer *p = &r->peers[3];

	r->svc.box.conf.max_sessions = 2;
	start(r, false);
	client(r, RECEIVER_SMTP);
	client(r, RECEIVER_SMTP);
	peer_connect(p, r->svc.box.event, r->ports[RECEIVER_SMTP]);
	peer_expect(p, "421 box.example.test Too many connections, come back later");
	peer_expect_end(p);
	peer_close(p);
	peer_say(&r->peers[1], "QUIT", "221");
	peer_close(&r->peers[1]);
	svc_run(&r->svc, 50);
	client(r, RECEIVER_SMTP);
}

static void sessions_of_an_address(void **state)
{
	struct room *r = *state;
	struct peer *p = &r->peers[3];

	r->svc.box.conf.max_sessions_per_address = 2;
	start(r, false);
	client(r, RECEIVER_SMTP);
	client(r, RECEIVER_SUBMISSION);
	peer_connect(p, r->svc.box.event, r->ports[RECEIVER_SMTP]);
	peer_expect(p, "421 box.example.test Too many connections from your address");
	peer_expect_end(p);
	peer_close(&r->peers[0]);
	svc_run(&r->svc, 50);
	client(r, RECEIVER_SMTP);
}

static void size_of_a_message(void **state)
{
	_buffer_ struct buffer big = { 0 };
	struct room *r = *state;
	struct receiver_figures f;
	struct peer *p;

	r->svc.box.conf.receive_max_message = 65536;
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	if (!strstr(p->reply, "SIZE 65536"))
		fail_msg("%s", p->reply);
	peer_say(p, "MAIL FROM:<b@far.test> SIZE=65537", "552 5.3.4");
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	for (int i = 0; i < 700; i++)
		assert_int_equal(buffer_printf(&big, "%098d\r\n", i), 0);
	peer_say(p, "DATA", "354");
	peer_send(p, big.data, big.len);
	peer_say(p, ".", "552 5.3.4");
	assert_int_equal(r->taken, 0);
	receiver_figures(r->svc.box.receiver, &f);
	assert_int_equal(f.memory, 0);
	/* and goes on */
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	big.data[60000] = '\0';
	mail(p, big.data);
	assert_memory_equal(r->mail.data + r->mail.len - 60000, big.data, 60000);
}

static void memory_of_messages(void **state)
{
	_buffer_ struct buffer big = { 0 };
	struct room *r = *state;
	struct peer *p, *q;

	r->svc.box.conf.receive_max_memory = 300000;
	start(r, false);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(buffer_printf(&big, "%098d\r\n", i), 0);
	p = client(r, RECEIVER_SMTP);
	q = client(r, RECEIVER_SMTP);
	for (struct peer *one = p; one <= q; one++) {
		peer_say(one, "MAIL FROM:<b@far.test>", "250");
		peer_say(one, "RCPT TO:<ada@example.test>", "250");
		peer_say(one, "DATA", "354");
		peer_send(one, big.data, big.len);
		svc_run(&r->svc, 50);
	}
	peer_say(q, ".", "452 4.3.1");
	peer_say(p, ".", "250");
	peer_say(q, "MAIL FROM:<b@far.test> SIZE=400000", "452 4.3.1");
	/* Given back, it is there for the next. */
	peer_say(q, "MAIL FROM:<b@far.test>", "250");
	peer_say(q, "RCPT TO:<ada@example.test>", "250");
	mail(q, big.data);
	assert_int_equal(r->taken, 2);
}

static void counted_limits(void **state)
{
	struct room *r = *state;
	struct conf *c = &r->svc.box.conf;
	struct peer *p;

	c->max_recipients = 2;
	c->max_messages = 2;
	c->max_errors = 3;
	c->max_idle_commands = 4;	/* EHLO is the first */
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	for (int i = 0; i < 2; i++) {
		peer_say(p, "MAIL FROM:<b@far.test>", "250");
		peer_say(p, "RCPT TO:<ada@example.test>", "250");
		peer_say(p, "RCPT TO:<200@example.test>", "250");
		peer_say(p, "RCPT TO:<postmaster>", "452 4.5.3");
		mail(p, "x\r\n");
	}
	peer_say(p, "MAIL FROM:<b@far.test>", "421");
	peer_expect_end(p);
	p = client(r, RECEIVER_SMTP);
	for (int i = 0; i < 3; i++)
		peer_say(p, "XYZZY", "500");
	peer_say(p, "XYZZY", "421 4.7.0");
	peer_expect_end(p);
	p = client(r, RECEIVER_SMTP);
	for (int i = 0; i < 3; i++)
		peer_say(p, "NOOP", "250");
	peer_say(p, "NOOP", "421 4.7.0");
	peer_expect_end(p);
}

static void hops(void **state)
{
	static const char hop[] = "Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\r\n";
	struct room *r = *state;
	struct peer *p;

	r->svc.box.conf.max_hops = 5;
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	for (int n = 5; n <= 6; n++) {
		peer_say(p, "MAIL FROM:<b@far.test>", "250");
		peer_say(p, "RCPT TO:<ada@example.test>", "250");
		peer_say(p, "DATA", "354");
		for (int i = 0; i < n; i++)
			peer_send(p, hop, strlen(hop));
		/* Those of the text do not count. */
		peer_send(p, "\r\n", 2);
		peer_send(p, hop, strlen(hop));
		peer_say(p, ".", n == 5 ? "250" : "554 5.4.6");
	}
	assert_int_equal(r->taken, 1);
}

static void times(void **state)
{
	struct room *r = *state;
	struct peer *p, *q;

	r->svc.box.conf.command_timeout_usec = 500000;
	r->svc.box.conf.data_timeout_usec = 1000000;
	start(r, false);
	p = client(r, RECEIVER_SMTP);
	/* An octet now and then does not make a command's time longer. */
	for (int i = 0; i < 16; i++) {
		peer_send(p, "N", 1);
		svc_run(&r->svc, 40);
	}
	peer_expect(p, "421");
	peer_expect_end(p);
	q = client(r, RECEIVER_SMTP);
	peer_say(q, "MAIL FROM:<b@far.test>", "250");
	peer_say(q, "RCPT TO:<ada@example.test>", "250");
	peer_say(q, "DATA", "354");
	for (int i = 0; i < 5; i++) {
		svc_run(&r->svc, 250);
		peer_send(q, "x\r\n", 3);
	}
	peer_say(q, ".", "250");
	/* While the disk is waited for no time runs. */
	peer_say(q, "MAIL FROM:<b@far.test>", "250");
	peer_say(q, "RCPT TO:<ada@example.test>", "250");
	peer_say(q, "DATA", "354");
	r->holds = true;
	peer_send(q, ".\r\n", 3);
	svc_run(&r->svc, 1200);
	let_go(r);
	peer_expect(q, "250");
	peer_say(q, "MAIL FROM:<b@far.test>", "250");
	peer_say(q, "RCPT TO:<ada@example.test>", "250");
	peer_say(q, "DATA", "354");
	peer_send(q, "x", 1);
	peer_expect(q, "421");
	peer_expect_end(q);
}

/*
 * TLS and logging in
 */

static void set_verifier(struct room *r, const char *code, const char *password)
{
	char text[SCRAM_TEXT_MAX];
	struct scram_verifier v;
	struct error e = { 0 };
	struct user *u = NULL;

	must(scram_verifier_make(password, &v, &e), &e);
	scram_verifier_format(&v, text);
	assert_int_equal(store_user_get(r->svc.box.store, code, false, &u), 0);
	assert_int_equal(job_set(&u->verifier, text), 0);
	must(store_user_put(r->svc.box.store, u, false, &e), &e);
	user_free(u);
}

/* With a certificate, and nobody permitted by his address. */
static void start_tls_room(struct room *r)
{
	struct conf *c = &r->svc.box.conf;
	char path[80];

	snprintf(path, sizeof(path), "%s/crt", r->svc.dir);
	set(&c->certificate, path);
	snprintf(path, sizeof(path), "%s/key", r->svc.dir);
	set(&c->key, path);
	peer_make_certificate(c->certificate, c->key);
	set(&c->networks, "none");
	set_verifier(r, "100", "correct horse");
	start(r, false);
}

static void secure(struct peer *p)
{
	peer_say(p, "STARTTLS", "220");
	peer_start_tls(p);
	peer_say(p, "EHLO client.test", "250-");
}

/* The line of AUTH PLAIN. */
static const char *plain(const char *user, const char *password)
{
	static char line[300];
	unsigned char raw[200];
	int n = snprintf((char *)raw, sizeof(raw), "%c%s%c%s", 0, user, 0, password);

	strcpy(line, "AUTH PLAIN ");
	EVP_EncodeBlock((unsigned char *)line + 11, raw, n);
	return line;
}

static void submission(void **state)
{
	static const char *const mine[] = { "ada@example.test", "ada@EXAMPLE.test",
					    "info@example.test", "100@box.example.test", "" };
	static const char *const others[] = { "otto@elsewhere.test", "Ada@example.test",
					      "ada@far.test", "200@box.example.test",
					      "staff@example.test", "postmaster@example.test" };
	struct room *r = *state;
	struct peer *p;
	char line[100];

	add_alias(r, "info", NULL, ALIAS_PLAIN, "100");
	add_alias(r, "staff", NULL, ALIAS_PLAIN, "100 200");
	add_alias(r, "postmaster", NULL, ALIAS_PLAIN, "200");
	start_tls_room(r);
	p = client(r, RECEIVER_SUBMISSION);
	peer_say(p, "MAIL FROM:<ada@example.test>", "530");
	peer_say(p, plain("100", "correct horse"), "5");
	secure(p);
	peer_say(p, "MAIL FROM:<ada@example.test>", "530");
	peer_say(p, plain("ada@EXAMPLE.test", "correct horse"), "235");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(line, sizeof(line), "MAIL FROM:<%s>", others[i]);
		peer_say(p, line, "553 5.7.1 This is not an address of user 100");
	}
	for (size_t i = 0; i < ARRAY_SIZE(mine); i++) {
		snprintf(line, sizeof(line), "MAIL FROM:<%s>", mine[i]);
		peer_say(p, line, "250");
		peer_say(p, "RCPT TO:<v@far.test>", "250");
		mail(p, "x\r\n");
		assert_string_equal(r->env.from, mine[i]);
	}
	has(&r->mail, " (using TLSv1.3)\r\n\tvia TCP with ESMTPSA id ");
	/* That it cannot be looked up is not that it is another's. */
	svc_break(&r->svc, SVC_USERS);
	peer_say(p, "MAIL FROM:<ada@example.test>", "451 4.3.0");
	svc_mend(&r->svc);
	/* Who has logged in may ask for names, but has no routes obeyed. */
	peer_say(p, "VRFY ada", "250");
	peer_say(p, "MAIL FROM:<ada@example.test>", "250");
	peer_say(p, "RCPT TO:<@far.test:v@other.test>", "550 5.7.1");
}

static void submission_from_the_first_byte(void **state)
{
	struct room *r = *state;
	struct peer *p = &r->peers[0];

	start_tls_room(r);
	peer_connect(p, r->svc.box.event, r->ports[RECEIVER_SUBMISSIONS]);
	peer_start_tls(p);
	peer_expect(p, "220");
	peer_say(p, "EHLO client.test", "250-");
	assert_null(strstr(p->reply, "STARTTLS"));
	assert_non_null(strstr(p->reply, "AUTH "));
	peer_say(p, plain("100", "correct horse"), "235");
	peer_say(p, "MAIL FROM:<ada@example.test>", "250");
	peer_say(p, "RCPT TO:<v@far.test>", "250");
	mail(p, "x\r\n");
	assert_int_equal(r->taken, 1);
}

static void submission_without_a_certificate(void **state)
{
	struct room *r = *state;
	struct peer *p = &r->peers[0];

	start(r, false);
	peer_connect(p, r->svc.box.event, r->ports[RECEIVER_SUBMISSIONS]);
	peer_expect_end(p);
	p = client(r, RECEIVER_SMTP);
	assert_null(strstr(p->reply, "STARTTLS"));
	peer_say(p, "STARTTLS", "5");
}

static void wrong_passwords(void **state)
{
	struct room *r = *state;
	struct peer *p;

	start_tls_room(r);
	svc_break(&r->svc, SVC_USERS);
	p = client(r, RECEIVER_SUBMISSION);
	secure(p);
	peer_say(p, plain("100", "correct horse"),
		 "421 4.3.2 box.example.test The users' file cannot be read");
	peer_expect_end(p);
	svc_mend(&r->svc);
	p = client(r, RECEIVER_SUBMISSION);
	secure(p);
	peer_say(p, plain("100", "wrong"), "535");
	peer_say(p, plain("200", "correct horse"), "535");	/* has no log-in */
	peer_say(p, "MAIL FROM:<ada@example.test>", "530");
	peer_say(p, plain("999", "correct horse"), "535");
	peer_say(p, plain("100", "Correct Horse"), "421");
	peer_expect_end(p);
}

/*
 * Who guesses by many lines at once, and by many commands on each, waits for his turn; who
 * goes meanwhile is not missed, and what stands behind the command is heard after it.
 */
static void passwords_by_turns(void **state)
{
	struct room *r = *state;
	struct peer *p[5];
	const char *line;

	r->svc.box.conf.max_auth_failures_per_address = 6;
	r->svc.box.conf.max_auth_failures = 10;
	start_tls_room(r);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = client(r, RECEIVER_SUBMISSION);
		secure(p[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		line = plain("100", i == 3 ? "correct horse" : "wrong");
		for (int k = 0; k < (i == 0 ? 3 : 1); k++) {
			peer_send(p[i], line, strlen(line));
			peer_send(p[i], "\r\n", 2);
		}
		peer_send(p[i], "NOOP\r\n", 6);
	}
	peer_close(p[1]);
	peer_expect(p[3], "235");
	peer_expect(p[3], "250");
	for (int k = 0; k < 3; k++)
		peer_expect(p[0], "535");
	peer_expect(p[0], "250");
	peer_expect(p[2], "535");
	peer_expect(p[2], "250");
	peer_expect(p[4], "535");
	peer_expect(p[4], "250");
	/* What has failed since counts for those who waited already. */
	r->svc.box.conf.max_auth_failures_per_address = 5;
	peer_say(p[2], plain("100", "correct horse"), "421");
	line = plain("100", "correct horse");
	peer_send(p[4], line, strlen(line));
	peer_send(p[4], "\r\n", 2);
	receiver_free(take_ptr(r->svc.box.receiver));
}

/* From one address, by however many sessions: the right password is not looked at any more. */
static void too_many_wrong_passwords(void **state)
{
	struct room *r = *state;
	struct peer *p;

	r->svc.box.conf.max_auth_failures_per_address = 2;
	start_tls_room(r);
	for (int i = 0; i < 2; i++) {
		p = client(r, RECEIVER_SUBMISSION);
		secure(p);
		peer_say(p, plain("100", "wrong"), "535");
		peer_say(p, "QUIT", "221");
	}
	p = client(r, RECEIVER_SUBMISSION);
	secure(p);
	peer_say(p, plain("100", "correct horse"), "421");
	peer_expect_end(p);
}

/* What is said in the clear behind STARTTLS is not heard (the injection of 2011). */
static void nothing_crosses_starttls(void **state)
{
	static const char line[] = "STARTTLS\r\nRSET\r\nMAIL FROM:<evil@far.test>\r\n";
	struct room *r = *state;
	struct peer *p;

	start_tls_room(r);
	/* in one packet: no TLS */
	p = client(r, RECEIVER_SMTP);
	peer_send(p, line, strlen(line));
	peer_expect(p, "503");
	/* behind the answer: it is no handshake */
	p = client(r, RECEIVER_SMTP);
	peer_say(p, "STARTTLS", "220");
	peer_send(p, "MAIL FROM:<evil@far.test>\r\n", 27);
	while (peer_read(p))
		assert_true(p->reply[0] != '2');
	/* and what was learnt before is forgotten, the greeting, too */
	p = client(r, RECEIVER_SMTP);
	peer_say(p, "STARTTLS", "220");
	peer_start_tls(p);
	peer_say(p, "MAIL FROM:<b@far.test>", "503");
	peer_say(p, "EHLO client.test", "250-");
	peer_say(p, "RCPT TO:<ada@example.test>", "503");
	peer_say(p, "MAIL FROM:<b@far.test>", "250");
	peer_say(p, "RCPT TO:<ada@example.test>", "250");
	mail(p, "x\r\n");
	has(&r->mail, "with ESMTPS id ");
}

/* A big mail over TLS, with others waiting behind it in the same stream. */
static void pipelined_over_tls(void **state)
{
	_buffer_ struct buffer all = { 0 };
	struct room *r = *state;
	struct peer *p;

	start_tls_room(r);
	p = client(r, RECEIVER_SMTP);
	secure(p);
	for (int k = 0; k < 3; k++) {
		assert_int_equal(buffer_printf(&all, "MAIL FROM:<b@far.test>\r\n"
					       "RCPT TO:<ada@example.test>\r\nDATA\r\n"), 0);
		for (int i = 0; i < 3000; i++)
			assert_int_equal(buffer_printf(&all, "%090d\r\n", i), 0);
		assert_int_equal(buffer_printf(&all, ".\r\n"), 0);
	}
	peer_send(p, all.data, all.len);
	for (int k = 0; k < 3; k++) {
		peer_expect(p, "250");
		peer_expect(p, "250");
		peer_expect(p, "354");
		peer_expect(p, "250 2.0.0");
		assert_true(r->mail.len > 3000 * 92);
	}
	assert_int_equal(r->taken, 3);
}

/*
 * TURN (S13)
 */

static void on_stored(void *userdata, int r)
{
	assert_int_equal(r, 0);
	++*(int *)userdata;
}

/* A mail for @to that waits in the real queue. */
static uint64_t queued(struct room *r, const char *to)
{
	struct envelope_rcpt rcpt = { .address = (char *)to };
	const struct envelope env = { .from = (char *)"ada@example.test", .rcpts = &rcpt,
				      .n_rcpts = 1 };
	struct iovec body = { (void *)(uintptr_t)"Subject: x\r\n", 12 };
	struct error e = { 0 };
	uint64_t id = 0;
	int n = 0;

	must(queue_accept(r->svc.box.queue, &env, &body, 1, on_stored, &n, &id, &e), &e);
	while (!n)
		assert_true(sd_event_run(r->svc.box.event, 1000000) >= 0);
	return id;
}

static void start_turn_room(struct room *r)
{
	struct conf *c = &r->svc.box.conf;

	set(&c->turn, "100:branch.test 200:other.test\t100:second.test");
	start_tls_room(r);
	set(&c->networks, "127.0.0.0/8");
	/* What the smarthost gets has its try before the tests begin. */
	c->retry_usec = c->retry_max_usec = 3600 * 1000000ull;
}

/* User 100's host, which calls itself @name. */
static struct peer *host(struct room *r, const char *name)
{
	struct peer *p = client(r, RECEIVER_SMTP);
	char line[100];

	secure(p);
	peer_say(p, plain("100", "correct horse"), "235");
	snprintf(line, sizeof(line), "EHLO %s", name);
	peer_say(p, line, "250-");
	return p;
}

/* From here on the peer is the server. */
static void greet(struct peer *p)
{
	peer_answer(p, "220 branch.test ready", "EHLO box.example.test\r\n");
}

/* The box has sent MAIL after @answer; takes the mail for @to up to the box's next command. */
static void take_mail(struct peer *p, const char *answer, const char *to, const char *next)
{
	char line[100];

	snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", to);
	peer_answer(p, answer, "MAIL FROM:<ada@example.test>");
	peer_answer(p, "250 ok", line);
	peer_answer(p, "250 ok", "DATA\r\n");
	peer_answer(p, "354 go", "Subject: x\r\n");
	peer_expect_line(p, ".\r\n");
	if (next)
		peer_answer(p, "250 taken", next);
}

/* QUIT has come: the box closes when it has the answer. */
static void goodbye(struct peer *p)
{
	peer_send(p, "221 bye\r\n", 9);
	peer_expect_end(p);
}

static void expect_tries(struct room *r, uint64_t id, enum job_state state, unsigned int tries)
{
	struct job *j = svc_wait(&r->svc, id, state);

	assert_int_equal(j->recipients[0].tries, tries);
	job_free(j);
}

static void roles_change(void **state)
{
	struct room *r = *state;
	struct box *box = &r->svc.box;
	uint64_t one, two, far, late;
	struct peer *p;

	start_turn_room(r);
	one = queued(r, "a@branch.test");
	two = queued(r, "b@BRANCH.test");
	far = queued(r, "v@far.test");
	svc_run(&r->svc, 100);
	/* Only what its host does not fetch was tried. */
	expect_tries(r, far, JOB_QUEUED, 1);
	expect_tries(r, one, JOB_QUEUED, 0);
	assert_string_equal(queue_trouble(box->queue, "branch.test"),
			    "its host fetches it by TURN");

	p = host(r, "Branch.TEST");
	peer_say(p, "TURN", "250");
	greet(p);
	peer_answer(p, "250 branch.test", "MAIL FROM:<ada@example.test>");
	peer_answer(p, "250 ok", "RCPT TO:<a@branch.test>\r\n");
	/* Not now: not in this session again, but in the next. */
	peer_answer(p, "451 busy", "RSET");
	take_mail(p, "250 ok", "b@BRANCH.test", NULL);
	late = queued(r, "c@branch.test");
	peer_send(p, "250 taken\r\n", 11);
	peer_expect_line(p, "MAIL FROM:<ada@example.test>");
	peer_answer(p, "250 ok", "RCPT TO:<c@branch.test>\r\n");
	peer_answer(p, "550 5.1.1 who?", "RSET");
	peer_answer(p, "250 ok", "QUIT\r\n");
	goodbye(p);
	expect_tries(r, one, JOB_QUEUED, 1);
	svc_expect(&r->svc, two, JOB_SENT, NULL);
	svc_expect(&r->svc, late, JOB_FAILED, "who?");

	p = host(r, "branch.test");
	peer_say(p, "TURN", "250");
	greet(p);
	take_mail(p, "250 branch.test", "a@branch.test", "QUIT\r\n");
	goodbye(p);
	svc_expect(&r->svc, one, JOB_SENT, NULL);
	/* Nothing of another's was touched. */
	expect_tries(r, far, JOB_QUEUED, 1);
}

/* Lines that break, and what is said too early. */
static void roles_change_badly(void **state)
{
	struct room *r = *state;
	uint64_t id;
	struct peer *p;

	start_turn_room(r);
	id = queued(r, "a@second.test");
	p = host(r, "second.test");
	peer_say(p, "TURN", "250");
	peer_close(p);
	svc_run(&r->svc, 50);
	p = host(r, "second.test");
	peer_say(p, "TURN", "250");
	peer_send(p, "554 no\r\n", 8);
	peer_expect_end(p);
	p = host(r, "second.test");
	peer_say(p, "TURN", "250");
	greet(p);
	take_mail(p, "250 hello", "a@second.test", NULL);
	peer_close(p);
	svc_run(&r->svc, 50);
	expect_tries(r, id, JOB_QUEUED, 1);	/* in doubt: it may have it */
	p = host(r, "second.test");
	peer_send(p, "TURN\r\nNOOP\r\n220 not yet\r\n", 25);
	peer_expect(p, "250");
	svc_run(&r->svc, 50);
	assert_int_equal(p->n_rest, 0);		/* void: nobody was server when it was said */
	greet(p);
	take_mail(p, "250 hello", "a@second.test", "QUIT\r\n");
	goodbye(p);
	svc_expect(&r->svc, id, JOB_SENT, NULL);
	/* Nothing waits. */
	p = host(r, "branch.test");
	peer_say(p, "TURN", "250");
	greet(p);
	peer_answer(p, "250 hello", "QUIT\r\n");
	goodbye(p);
}

static void roles_stay(void **state)
{
	static const char *const names[] = { "other.test", "branch.test.far.test", "ranch.test",
					     "client.test", "[127.0.0.1]" };
	struct room *r = *state;
	struct peer *p;

	start_turn_room(r);
	p = client(r, RECEIVER_SMTP);
	secure(p);
	peer_say(p, "EHLO branch.test", "250-");
	peer_say(p, "TURN", "502 5.7.1");	/* nobody is logged in */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		p = host(r, names[i]);
		peer_say(p, "TURN", "502 5.7.1");
		peer_say(p, "NOOP", "250");
		peer_close(p);
	}
	set(&r->svc.box.conf.networks, "none");
	p = host(r, "branch.test");
	peer_say(p, "TURN", "502 5.7.1");
	peer_say(p, "QUIT", "221");
}

/* Off as it is shipped: not told, and not taken. */
static void roles_stay_by_default(void **state)
{
	struct room *r = *state;
	struct peer *p;

	start_tls_room(r);
	set(&r->svc.box.conf.networks, "127.0.0.0/8");
	p = host(r, "branch.test");
	assert_null(strstr(p->reply, "TURN"));
	peer_say(p, "TURN", "502");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_mail_is_taken), TEST(a_mail_is_stored), TEST(pipelined),
		TEST(trouble_of_the_store), TEST(clients_that_go_away),
		TEST(the_box_stops), TEST(roles_change),
		TEST(roles_change_badly), TEST(roles_stay), TEST(roles_stay_by_default),
		TEST(the_disk_is_waited_for), TEST(reserve_of_the_store),
		TEST(room_is_for_who_prints),
		TEST(names_of_the_box), TEST(lists), TEST(postmaster_of_an_empty_box),
		TEST(vrfy_and_expn), TEST(no_open_relay), TEST(permitted_networks_relay),
		TEST(never_on_in_the_clear),
		TEST(source_routes), TEST(terminals), TEST(sessions_in_all),
		TEST(sessions_of_an_address), TEST(size_of_a_message), TEST(memory_of_messages),
		TEST(counted_limits), TEST(hops), TEST(times), TEST(submission),
		TEST(submission_from_the_first_byte), TEST(submission_without_a_certificate),
		TEST(wrong_passwords), TEST(passwords_by_turns),
		TEST(too_many_wrong_passwords),
		TEST(nothing_crosses_starttls), TEST(pipelined_over_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
