// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the queue does with mail that came by SMTP: grouping by host, users of the
 * box, notices, hosts that are dead or will not have us.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fax.h>

#include "base/cleanup.h"
#include "keys/client.h"
#include "mail/dsn.h"
#include "service/inbound.h"
#include "service/queue.h"
#include "service/words.h"
#include "store/store.h"
#include "svc_help.h"

#define SCRIPT(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define OK	"S:250 ok\r\n"
#define HELLO	"S:220 mx\r\n", "C:EHLO box", OK
#define HELLO_DSN "S:220 mx\r\n", "C:EHLO box", "S:250-mx\r\n250 DSN\r\n"
#define FROM	"C:MAIL FROM:<ada@far.test>\r\n", OK
#define DATA	"C:DATA", "S:354 go\r\n", "BODY"
#define QUIT	"C:QUIT", "S:221 bye\r\n", "WAIT"
#define NOTICE	"C:MAIL FROM:<>", OK, "C:RCPT TO:<ada@far.test>", OK, DATA, OK

static const char text[] = "Subject: x\r\n\r\nbody\r\n";

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

/* Without a smarthost: to the addresses' own hosts, on @port. */
static void open_mx(struct svc *s, uint16_t port)
{
	struct error e = { 0 };

	svc_open(s, 0);
	queue_free(take_ptr(s->box.queue));
	free(take_ptr(s->box.conf.smarthost));
	if (queue_new(&s->box.queue, &s->box, &e) < 0)
		fail_msg("%s", error_text(&e));
	queue_set_net(s->box.queue, NULL, port);
}

static void on_taken(void *userdata, int r)
{
	assert_int_equal(r, 0);
	++*(int *)userdata;
}

static uint64_t take(struct svc *s, const struct envelope *env)
{
	const struct iovec body[] = {
		{ (void *)(uintptr_t)"Received: here\r\n", 16 },
		{ (void *)(uintptr_t)text, strlen(text) },
	};
	struct error e = { 0 };
	uint64_t id = 0;
	int n = 0;

	if (queue_accept(s->box.queue, env, body, 2, on_taken, &n, &id, &e) < 0)
		fail_msg("%s", error_text(&e));
	while (!n)
		assert_true(sd_event_run(s->box.event, 1000000) >= 0);
	return id;
}

#define RCPTS(...) \
	.rcpts = (struct envelope_rcpt[]){ __VA_ARGS__ }, \
	.n_rcpts = sizeof((struct envelope_rcpt[]){ __VA_ARGS__ }) / sizeof(struct envelope_rcpt)
#define MAIL(...) (&(struct envelope){ .from = (char *)"ada@far.test", RCPTS(__VA_ARGS__) })
#define TO(a)	{ .address = (char *)(a) }
#define USER(u)	{ .address = (char *)u "@box.example.test", .user = (char *)(u) }

static void stop(struct svc *s, struct fake_server *f)
{
	svc_serve(s, f);
	buffer_free(&f->body);
}

/* One copy for two recipients of a host, another host at the same time. */
static void one_copy_a_host(void **state)
{
	struct fake_server one, two;
	struct svc *s = *state;
	struct job *j;
	uint64_t id;

	fake_server_start_at(&one, "127.0.0.1", 0,
			     SCRIPT(HELLO, FROM, "C:RCPT TO:<a@[127.0.0.1]>", OK,
				    "C:RCPT TO:<c@[127.0.0.1]>", OK, DATA, OK, QUIT));
	fake_server_start_at(&two, "127.0.0.2", one.port,
			     SCRIPT(HELLO, FROM, "C:RCPT TO:<b@[127.0.0.2]>", OK, DATA,
				    "S:250 2.6.0 got it\r\n", QUIT));
	open_mx(s, one.port);
	id = take(s, MAIL(TO("a@[127.0.0.1]"), TO("b@[127.0.0.2]"), TO("c@[127.0.0.1]")));
	j = svc_wait(s, id, JOB_SENT);
	assert_int_equal(j->attempts, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(j->recipients[i].state, RCPT_SENT);
	assert_string_equal(j->recipients[1].status, "2.6.0");
	assert_string_equal(j->recipients[1].remote, "127.0.0.2");
	assert_int_equal(j->recipients[1].flags, RCPT_RELAYED | RCPT_TOLD);
	job_free(j);
	svc_serve(s, &one);
	assert_string_equal(one.body.data, "Received: here\r\nSubject: x\r\n\r\nbody\r\n.\r\n");
	buffer_free(&one.body);
	stop(s, &two);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, NULL), 0);
}

/* A second mail of the host goes by its own time, not with the first's back-off. */
static void dead_host_costs_one_try(void **state)
{
	struct svc *s = *state;
	uint64_t ids[3];
	unsigned int attempts = 0;

	open_mx(s, 9);
	for (int i = 0; i < 3; i++)
		ids[i] = take(s, MAIL(TO("a@[127.0.0.1]")));
	svc_run(s, 300);
	for (int i = 0; i < 3; i++) {
		struct job *j = svc_job(s, ids[i]);

		attempts += j->attempts;
		assert_int_equal(j->state, JOB_QUEUED);
		job_free(j);
	}
	assert_int_equal(attempts, 1);
	assert_non_null(strstr(queue_trouble(s->box.queue, "[127.0.0.1]"), "cannot be reached"));
	assert_null(queue_trouble(s->box.queue, "[127.0.0.2]"));
}

/* A host that greets and then says nothing more costs one wait, not one for each mail. */
static void silent_host_costs_one_wait(void **state)
{
	struct svc *s = *state;
	unsigned int attempts = 0;
	struct fake_server f;
	uint64_t ids[3];

	fake_server_start_at(&f, "127.0.0.2", 0, SCRIPT(HELLO, "C:MAIL FROM", "WAIT"));
	s->box.conf.timeout_usec = 200000;
	open_mx(s, f.port);
	for (int i = 0; i < 3; i++)
		ids[i] = take(s, MAIL(TO("a@[127.0.0.2]")));
	svc_run(s, 1000);
	for (int i = 0; i < 3; i++) {
		struct job *j = svc_job(s, ids[i]);

		attempts += j->attempts;
		assert_int_equal(j->state, JOB_QUEUED);
		job_free(j);
	}
	assert_int_equal(attempts, 1);
	assert_non_null(strstr(queue_trouble(s->box.queue, "[127.0.0.2]"), "did not answer"));
	stop(s, &f);
}

/* One dead host does not keep mail from another. */
static void dead_host_delays_nobody(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t dead, id;

	fake_server_start_at(&f, "127.0.0.2", 0,
			     SCRIPT(HELLO, FROM, "C:RCPT TO:<b@[127.0.0.2]>", OK, DATA, OK, QUIT));
	open_mx(s, f.port);
	dead = take(s, MAIL(TO("a@[127.0.0.3]")));
	id = take(s, MAIL(TO("b@[127.0.0.2]")));
	svc_expect(s, id, JOB_SENT, NULL);
	svc_expect(s, dead, JOB_QUEUED, "next try");
	stop(s, &f);
}

/* Each user gets a job of his own that reads the same bytes; the mail is delivered. */
static void users_of_the_box(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	uint64_t id, print = 0;
	struct job *j;
	char body[64];
	int fd;

	svc_open(s, 0);
	svc_add_user(s, "100", "u", 0);
	svc_add_user(s, "101", "u", 0);
	id = take(s, MAIL(USER("100"), USER("101"), USER("100")));
	j = svc_wait(s, id, JOB_DELIVERED);
	assert_int_equal(j->recipients[2].state, RCPT_DELIVERED);
	job_free(j);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, &print), 2);
	assert_true(store_job_body(s->box.store, print, &fd, &e) >= 0);
	assert_int_equal(read(fd, body, sizeof(body)), 16 + strlen(text));
	close(fd);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, NULL), 0);
}

/* One user and nobody else: no detour. */
static void one_user(void **state)
{
	struct svc *s = *state;
	struct job *j;
	uint64_t id;

	svc_open(s, 0);
	svc_add_user(s, "100", "u", 0);
	id = take(s, MAIL(USER("100")));
	j = svc_job(s, id);
	assert_int_equal(j->kind, JOB_PRINT);
	assert_string_equal(j->user, "100");
	job_free(j);
	assert_int_equal(svc_count(s, -1, -1, NULL), 1);
}

/* The print job is on disk, that it is so is not: as a crash in between leaves it. */
static void crash_between(void **state)
{
	struct svc *s = *state;
	struct job *mail, *print;
	struct error e = { 0 };
	uint64_t id;
	char key[64];

	svc_open(s, 0);
	svc_add_user(s, "100", "u", 0);
	svc_add_user(s, "101", "u", 0);
	mail = fake_job(0, JOB_MAIL, JOB_HELD);
	assert_int_equal(job_add_recipient(mail, "100@box.example.test"), 0);
	assert_int_equal(job_add_recipient(mail, "101@box.example.test"), 0);
	assert_int_equal(job_set(&mail->recipients[0].user, "100"), 0);
	assert_int_equal(job_set(&mail->recipients[1].user, "101"), 0);
	assert_int_equal(store_job_create(s->box.store, mail, text, strlen(text), NULL, NULL, &e),
			 0);
	id = mail->id;
	print = fake_job(0, JOB_PRINT, JOB_CHECKING);
	snprintf(key, sizeof(key), "local/%llu/100", (unsigned long long)id);
	assert_int_equal(job_set(&print->source, key), 0);
	assert_int_equal(store_job_create_from(s->box.store, print, id, NULL, NULL, &e), 0);
	assert_int_equal(queue_release(s->box.queue, mail, &e), 0);
	svc_expect(s, id, JOB_DELIVERED, NULL);
	assert_int_equal(svc_count(s, JOB_PRINT, -1, NULL), 2);
	/* Its keys are not needed any more. */
	assert_int_equal(store_source_known(s->box.store, key), 0);
	job_free(mail);
	job_free(print);
}

/* A user who was removed meanwhile: his sender hears of it. */
static void user_gone(void **state)
{
	struct svc *s = *state;
	struct job *j;
	uint64_t id, notice = 0;

	svc_open(s, 0);
	svc_add_user(s, "100", "u", 0);
	id = take(s, MAIL(USER("100"), USER("999")));
	svc_expect(s, id, JOB_FAILED, "no user 999");
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, &notice), 1);
	j = svc_job(s, notice);
	assert_string_equal(j->recipients[0].address, "ada@far.test");
	assert_string_equal(j->from, "");
	job_free(j);
}

/* The document of @user's print job, which must have come for him once. */
static void read_copy(struct svc *s, const char *user, char *text_of, size_t size)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = -1, .user = user };
	struct error e = { 0 };
	struct job **jobs = NULL;
	_close_ int fd = -1;
	size_t n = 0;
	ssize_t len;

	assert_int_equal(store_job_list(s->box.store, &f, &jobs, &n), 0);
	assert_int_equal(n, 1);
	if (store_job_body(s->box.store, jobs[0]->id, &fd, &e) < 0)
		fail_msg("%s", error_text(&e));
	len = pread(fd, text_of, size - 1, 0);
	assert_true(len >= 0);
	text_of[len] = '\0';
	job_list_free(jobs, n);
}

/* S7: a mail that ends here for some and goes on for others; the way back only where it ends. */
static void return_path_at_the_end(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	char copy[256];
	uint64_t id;

	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT TO:<a@x.test>", OK, DATA, OK, QUIT));
	svc_open(s, f.port);
	svc_add_user(s, "100", "u", 0);
	svc_add_user(s, "101", "u", 0);
	id = take(s, MAIL(USER("100"), TO("a@x.test"), USER("101")));
	svc_expect(s, id, JOB_SENT, NULL);
	svc_serve(s, &f);
	assert_string_equal(f.body.data, "Received: here\r\nSubject: x\r\n\r\nbody\r\n.\r\n");
	buffer_free(&f.body);
	for (int i = 0; i < 2; i++) {
		read_copy(s, i ? "101" : "100", copy, sizeof(copy));
		assert_string_equal(copy, "Return-Path: <ada@far.test>\r\nReceived: here\r\n"
				    "Subject: x\r\n\r\nbody\r\n");
	}
}

/* S6: the next hop is the route's first host, whatever the mailbox's domain; so both ways. */
static void source_route(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;
	struct envelope env = {
		.from = (char *)"@box.example.test:ada@far.test",
		RCPTS(TO("@[127.0.0.2],@z.test:u@[127.0.0.9]")),
	};

	fake_server_start_at(&f, "127.0.0.2", 0,
			     SCRIPT(HELLO, "C:MAIL FROM:<@box.example.test:ada@far.test>\r\n", OK,
				    "C:RCPT TO:<@[127.0.0.2],@z.test:u@[127.0.0.9]>\r\n", OK,
				    DATA, OK, QUIT));
	open_mx(s, f.port);
	id = take(s, &env);
	svc_expect(s, id, JOB_SENT, NULL);
	stop(s, &f);
}

/* What came back of a mail from @from, of which the box can deliver nothing. */
static bool comes_back_whole(struct svc *s, const char *from, const char *type)
{
	struct envelope env = { .from = (char *)from, .ret = RET_FULL, RCPTS(USER("998"),
									     USER("999")) };
	_buffer_ struct buffer mail = { 0 }, notice = { 0 };
	uint64_t id = 0, last = 0;
	struct error e = { 0 };
	_close_ int fd = -1;
	int n = 0;

	assert_int_equal(buffer_printf(&mail, "Subject: Oak\r\nContent-Type: %s\r\n\r\n"
				       "secret\r\n", type), 0);
	if (queue_accept(s->box.queue, &env, &(struct iovec){ mail.data, mail.len }, 1, on_taken,
			 &n, &id, &e) < 0)
		fail_msg("%s", error_text(&e));
	svc_expect(s, id, JOB_FAILED, NULL);
	assert_true(svc_count(s, JOB_NOTICE, -1, &last) > 0);
	assert_true(last > id);
	assert_int_equal(store_job_body(s->box.store, last, &fd, &e), 0);
	assert_int_equal(keys_read(fd, 1 << 20, &notice), 0);
	assert_non_null(strstr(notice.data, "Subject: Oak\r\n"));
	return strstr(notice.data, "secret");
}

/* E5: who never gets mail in the clear does not get it as a notice, whatever he asked for. */
static void notices_tell_no_secrets(void **state)
{
	struct recipient bob = { .address = (char *)"bob@far.test", .accepts = (char *)"s",
				 .method = (char *)"openpgp", .must_encrypt = true };
	struct recipient eve = { .address = (char *)"eve@far.test", .accepts = (char *)"s",
				 .method = (char *)"openpgp" };
	struct svc *s = *state;
	struct error e = { 0 };

	svc_open(s, 0);
	assert_int_equal(store_recipient_put(s->box.store, &bob, &e), 0);
	assert_int_equal(store_recipient_put(s->box.store, &eve, &e), 0);
	assert_true(comes_back_whole(s, "ada@far.test", "text/plain"));
	assert_true(comes_back_whole(s, "eve@far.test", "text/plain"));
	assert_false(comes_back_whole(s, "bob@far.test", "text/plain"));
	assert_false(comes_back_whole(s, "BOB@far.test", "text/plain"));
	assert_false(comes_back_whole(s, "@x.test:bob@far.test", "text/plain"));
	assert_true(comes_back_whole(s, "bob@far.test", "multipart/encrypted; boundary=b"));
	/* Nobody knows whether he is one of them. */
	svc_break(s, SVC_RECIPIENTS);
	assert_false(comes_back_whole(s, "ada@far.test", "text/plain"));
	svc_mend(s);
}

/* A notice goes back by the route that the mail came by, but not through ourselves. */
static void notice_by_route(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct job *j;
	uint64_t id, notice = 0;
	struct envelope env = {
		.from = (char *)"@box.example.test,@[127.0.0.2]:ada@[127.0.0.9]",
		RCPTS(TO("a@[127.0.0.2]")),
	};

	fake_server_start_at(&f, "127.0.0.2", 0,
			     SCRIPT(HELLO, "C:MAIL FROM:<@box", OK, "C:RCPT TO:<a@[127.0.0.2]>",
				    "S:550 5.1.1 who?\r\n", "C:RSET", OK, "C:MAIL FROM:<>", OK,
				    "C:RCPT TO:<@[127.0.0.2]:ada@[127.0.0.9]>\r\n", OK, DATA, OK,
				    QUIT));
	open_mx(s, f.port);
	id = take(s, &env);
	svc_expect(s, id, JOB_FAILED, "who?");
	svc_serve(s, &f);
	assert_non_null(strstr(f.body.data, "\nTo: <ada@[127.0.0.9]>\r\n"));
	assert_non_null(strstr(f.body.data, "\nDiagnostic-Code: smtp; 550 5.1.1 who?\r\n"));
	buffer_free(&f.body);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, &notice), 1);
	j = svc_wait(s, notice, JOB_SENT);
	assert_string_equal(j->recipients[0].address, "@[127.0.0.2]:ada@[127.0.0.9]");
	job_free(j);
}

static void add_alias(struct svc *s, const char *name, const char *const *members)
{
	struct alias a = { .name = (char *)(uintptr_t)name, .kind = ALIAS_PLAIN };
	struct error e = { 0 };

	for (; *members; members++)
		assert_int_equal(alias_add_member(&a, *members), 0);
	if (store_alias_put(s->box.store, &a, true, &e) < 0)
		fail_msg("%s", error_text(&e));
	for (size_t i = 0; a.members[i]; i++)
		free(a.members[i]);
	free(a.members);
}

/* Senders at this box are whom the directory knows, in every domain of ours. */
static void notices_to_local_senders(void **state)
{
	static const struct {
		const char *from;
		size_t n;		/* who hear of it; 0: nobody could */
		const char *users[2];
	} cases[] = {
		{ "100@box.example.test", 1, { "100" } },
		{ "U@Other.test", 1, { "100" } },
		{ "staff@other.test", 2, { "100", "101" } },
		{ "@box.example.test:staff@other.test", 2, { "100", "101" } },
		{ "mixed@other.test", 2, { "101", NULL } },
		{ "nobody@other.test", 0, { NULL } },
	};
	struct svc *s = *state;
	uint64_t id, last = 0;
	struct job *j;
	char copy[64];

	s->box.conf.domains = strdup("other.test example.test");
	svc_open(s, 0);
	svc_add_user(s, "100", "u", 0);
	svc_add_user(s, "101", "u", 0);
	add_alias(s, "u", SCRIPT("100"));
	add_alias(s, "staff", SCRIPT("100", "101"));
	add_alias(s, "mixed", SCRIPT("101", "v@far.test"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t before = svc_count(s, JOB_NOTICE, -1, NULL);
		struct envelope env = { .from = (char *)(uintptr_t)cases[i].from,
					RCPTS(USER("999"), USER("998")) };

		id = take(s, &env);
		svc_expect(s, id, JOB_FAILED, "no user 999");
		assert_int_equal(svc_count(s, JOB_NOTICE, -1, &last), before + !!cases[i].n);
		if (!cases[i].n)
			continue;
		j = svc_job(s, last);
		assert_int_equal(j->n_recipients, cases[i].n);
		for (size_t k = 0; k < cases[i].n; k++) {
			const char *user = j->recipients[k].user;

			assert_true(user ? cases[i].users[k] && !strcmp(user, cases[i].users[k])
					 : !cases[i].users[k]);
		}
		job_free(j);
		if (!i) {
			svc_expect(s, last, JOB_DELIVERED, NULL);
			read_copy(s, "100", copy, sizeof(copy));
			assert_memory_equal(copy, "Return-Path: <>\r\nDate: ", 23);
		}
	}
}

/* Wishes about notices travel on; the host that takes them on tells the rest. */
static void wishes_passed_on(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;
	const struct envelope env = {
		.from = (char *)"ada@far.test", .envid = (char *)"QQ 314+159", .ret = RET_HDRS,
		RCPTS({ .address = (char *)"a@x.test", .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE,
			.orcpt = (char *)"rfc822;old=name@x.test" },
		      { .address = (char *)"b@x.test", .notify = NOTIFY_NEVER }),
	};

	fake_server_start(&f, SCRIPT(HELLO_DSN,
		"C:MAIL FROM:<ada@far.test> RET=HDRS ENVID=QQ+20314+2B159\r\n", OK,
		"C:RCPT TO:<a@x.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old+3Dname@x.test\r\n",
		OK, "C:RCPT TO:<b@x.test> NOTIFY=NEVER\r\n", OK, DATA, OK, QUIT));
	svc_open(s, f.port);
	id = take(s, &env);
	svc_expect(s, id, JOB_SENT, NULL);
	stop(s, &f);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, NULL), 0);
}

/* A host without DSN has it: ours is the last word, to those who asked. */
static void relayed_and_delivered(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;

	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT TO:<a@x.test>\r\n", OK,
				     "C:RCPT TO:<b@x.test>\r\n", OK, DATA, OK, NOTICE, QUIT));
	svc_open(s, f.port);
	svc_add_user(s, "100", "u", 0);
	id = take(s, MAIL({ .address = (char *)"a@x.test", .notify = NOTIFY_SUCCESS },
			  TO("b@x.test"),
			  { .address = (char *)"100@box.example.test", .user = (char *)"100",
			    .notify = NOTIFY_SUCCESS, .orcpt = (char *)"rfc822;fax@box.test" }));
	svc_expect(s, id, JOB_SENT, NULL);
	svc_serve(s, &f);
	assert_non_null(strstr(f.body.data, "Action: delivered"));
	assert_non_null(strstr(f.body.data, "fax@box.test"));
	buffer_free(&f.body);
}

/* A notice that is refused makes no other. */
static void no_notice_of_a_notice(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id, notice = 0;

	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT TO:<a@x.test>",
				     "S:550 5.1.1 who?\r\n", "C:RSET", OK, "C:MAIL FROM:<>", OK,
				     "C:RCPT TO:<ada@far.test>", "S:550 5.7.1 not here\r\n",
				     "C:RSET", OK, QUIT));
	svc_open(s, f.port);
	id = take(s, MAIL(TO("a@x.test")));
	svc_expect(s, id, JOB_FAILED, "who?");
	svc_serve(s, &f);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, &notice), 1);
	svc_expect(s, notice, JOB_FAILED, "not here");
	assert_int_equal(svc_count(s, -1, -1, NULL), 2);
	buffer_free(&f.body);
}

/* Late: told once, and tried on; then too old: told again. */
static void late_then_too_old(void **state)
{
	struct svc *s = *state;
	uint64_t id, notice = 0;
	struct job *j;

	s->box.conf.delay_usec = 200000;
	s->box.conf.expire_usec = 1200000;
	s->box.conf.retry_usec = 100000000;
	open_mx(s, 9);
	id = take(s, &(struct envelope){ .from = (char *)"ada@[127.0.0.1]",
					 RCPTS(TO("a@[127.0.0.1]")) });
	svc_run(s, 600);
	j = svc_wait(s, id, JOB_QUEUED);
	assert_true(j->recipients[0].flags & RCPT_TOLD_DELAY);
	assert_int_equal(j->attempts, 1);
	job_free(j);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, &notice), 1);
	j = svc_job(s, notice);
	assert_non_null(strstr(j->subject, "delayed"));
	job_free(j);
	svc_expect(s, id, JOB_FAILED, "given up after 1 attempts");
	j = svc_job(s, id);
	assert_string_equal(j->recipients[0].status, "4.4.7");
	job_free(j);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, &notice), 2);
	j = svc_job(s, notice);
	assert_non_null(strstr(j->subject, "failed"));
	job_free(j);
}

/* 552 on RCPT finishes with those taken; the rest goes in another transaction (S16). */
static void enough_for_one_copy(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;

	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT TO:<a@x.test>", OK,
				     "C:RCPT TO:<b@x.test>", "S:552 too many\r\n", DATA, OK, FROM,
				     "C:RCPT TO:<b@x.test>", OK, DATA, OK, QUIT));
	svc_open(s, f.port);
	id = take(s, MAIL(TO("a@x.test"), TO("b@x.test")));
	svc_expect(s, id, JOB_SENT, NULL);
	stop(s, &f);
}

/* The host closes a line that was used before: a new one, and no try is counted. */
static void line_worn_out(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t one, two;
	struct job *j;

	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT TO:<a@x.test>", OK, DATA, OK,
				     "C:MAIL FROM", "S:421 enough for today\r\n", "NEXT", HELLO,
				     FROM, "C:RCPT TO:<b@x.test>", OK, DATA, OK, QUIT));
	svc_open(s, f.port);
	one = take(s, MAIL(TO("a@x.test")));
	two = take(s, MAIL(TO("b@x.test")));
	svc_expect(s, one, JOB_SENT, NULL);
	j = svc_wait(s, two, JOB_SENT);
	assert_int_equal(j->attempts, 1);
	assert_int_equal(j->recipients[0].tries, 0);
	job_free(j);
	stop(s, &f);
}

/* A line that is kept is used again; one that ended meanwhile is not missed. */
static void idle_line(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;

	s->box.conf.idle_usec = 5000000;
	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT TO:<a@x.test>", OK, DATA, OK, FROM,
				     "C:RCPT TO:<b@x.test>", OK, DATA, OK, "S:421 bye\r\n", "NEXT",
				     HELLO, FROM, "C:RCPT TO:<c@x.test>", OK, DATA, OK));
	svc_open(s, f.port);
	id = take(s, MAIL(TO("a@x.test")));
	svc_expect(s, id, JOB_SENT, NULL);
	svc_run(s, 50);
	id = take(s, MAIL(TO("b@x.test")));
	svc_expect(s, id, JOB_SENT, NULL);
	svc_run(s, 50);
	id = take(s, MAIL(TO("c@x.test")));
	svc_expect(s, id, JOB_SENT, NULL);
	stop(s, &f);
}

static void held_and_released(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	struct fake_server f;
	struct job *j;
	uint64_t id;

	svc_open(s, 0);
	id = take(s, MAIL(TO("a@x.test")));
	svc_run(s, 50);
	j = svc_job(s, id);
	assert_int_equal(queue_release(s->box.queue, j, &e), -EINVAL);
	assert_int_equal(queue_hold(s->box.queue, j, &e), 0);
	assert_int_equal(queue_hold(s->box.queue, j, &e), -EINVAL);
	assert_non_null(strstr(e.text, "is held"));
	job_free(j);
	svc_close(s);

	/* Held it stays, over a new start and with its host well. */
	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT TO:<a@x.test>", OK, DATA, OK, QUIT));
	svc_open(s, f.port);
	svc_run(s, 100);
	j = svc_wait(s, id, JOB_HELD);
	assert_int_equal(queue_release(s->box.queue, j, &e), 0);
	job_free(j);
	svc_expect(s, id, JOB_SENT, NULL);
	stop(s, &f);
}

/* What waits for a dead host goes at once when a person says so. */
static void retried(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	struct fake_server f;
	struct job *j;
	uint64_t id;

	fake_server_start(&f, SCRIPT("NEXT", HELLO, FROM, "C:RCPT TO:<a@x.test>", OK, DATA, OK,
				     QUIT));
	svc_open(s, f.port);
	id = take(s, MAIL(TO("a@x.test")));
	svc_run(s, 200);
	j = svc_job(s, id);
	assert_int_equal(j->recipients[0].tries, 1);
	assert_int_equal(queue_retry(s->box.queue, j, &e), 0);
	job_free(j);
	svc_expect(s, id, JOB_SENT, NULL);
	j = svc_job(s, id);
	assert_int_equal(queue_retry(s->box.queue, j, &e), -EINVAL);
	job_free(j);
	stop(s, &f);
}

/* Held for long, it has its whole time again: the next failure is not its last. */
static void released_when_old(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	struct job *j = fake_job(0, JOB_MAIL, JOB_HELD);

	svc_open(s, 0);
	j->created = words_now() - 30 * 86400 * 1000000ull;
	assert_int_equal(job_add_recipient(j, "a@x.test"), 0);
	assert_int_equal(job_set(&j->from, "ada@far.test"), 0);
	assert_int_equal(store_job_create(s->box.store, j, text, strlen(text), NULL, NULL, &e), 0);
	assert_int_equal(queue_release(s->box.queue, j, &e), 0);
	svc_run(s, 100);
	svc_expect(s, j->id, JOB_QUEUED, "next try");
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, NULL), 0);
	job_free(j);
}

static void no_utf8(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	struct job *j;
	uint64_t id;
	struct envelope env = { .from = (char *)"", .utf8 = true, RCPTS(TO("j\xc3\xb6@x.test")) };

	fake_server_start(&f, SCRIPT(HELLO, QUIT));
	svc_open(s, f.port);
	id = take(s, &env);
	svc_expect(s, id, JOB_FAILED, "SMTPUTF8");
	j = svc_job(s, id);
	assert_string_equal(j->recipients[0].status, "5.6.7");
	job_free(j);
	stop(s, &f);
}

/* Who is written beyond ASCII hears of what became of his mail, too. */
static void notice_beyond_ascii(void **state)
{
	struct svc *s = *state;
	struct envelope env = { .from = (char *)"j\xc3\xb6@far.test", .utf8 = true,
				RCPTS(TO("a@x.test")) };
	uint64_t notice = 0;
	struct fake_server f;

	fake_server_start(&f, SCRIPT("S:220 mx\r\n", "C:EHLO box",
				     "S:250-mx\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
				     "C:MAIL FROM:<j\xc3\xb6@far.test> SMTPUTF8", OK,
				     "C:RCPT TO:<a@x.test>", "S:550 5.1.1 who?\r\n", "C:RSET",
				     OK, "C:MAIL FROM:<> BODY=8BITMIME SMTPUTF8", OK,
				     "C:RCPT TO:<j\xc3\xb6@far.test>", OK, DATA, OK, QUIT));
	svc_open(s, f.port);
	take(s, &env);
	stop(s, &f);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, &notice), 1);
	svc_expect(s, notice, JOB_SENT, NULL);
}

/* Declared 8-bit, but it is not: it goes to a host without 8BITMIME as it is. */
static void not_eight_bit_after_all(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;
	struct envelope env = { .from = (char *)"ada@far.test", .eight_bit = true,
				RCPTS(TO("a@x.test")) };

	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT TO:<a@x.test>", OK, DATA, OK, QUIT));
	svc_open(s, f.port);
	id = take(s, &env);
	svc_expect(s, id, JOB_SENT, NULL);
	stop(s, &f);
}

static void set_password(struct svc *s, const char *password)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/smarthost.password", s->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", password);
	fclose(f);
	setenv("CREDENTIALS_DIRECTORY", s->dir, 1);
	s->box.conf.smarthost_user = strdup("box");
	free(s->box.conf.smarthost_tls);
	s->box.conf.smarthost_tls = strdup("opportunistic");
}

#define SECURED "S:220 mx\r\n", "C:EHLO", "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS", \
		"S:220 go\r\n", "TLS", "C:EHLO", "S:250-mx\r\n250 AUTH PLAIN\r\n"

/* A wrong password holds the mail and bars the host, until a person says go on. */
static void wrong_password(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	struct fake_server f;
	uint64_t one, two;
	struct job *j;

	set_password(s, "wrong");
	fake_server_start(&f, SCRIPT(SECURED, "C:AUTH PLAIN AGJveAB3cm9uZw==\r\n",
				     "S:535 5.7.8 no\r\n", "NEXT", SECURED,
				     "C:AUTH PLAIN AGJveAB3cm9uZw==\r\n", "S:235 2.7.0 ok\r\n",
				     FROM, "C:RCPT TO:<a@x.test>", OK, DATA, OK, FROM,
				     "C:RCPT TO:<b@x.test>", OK, DATA, OK, QUIT));
	svc_open(s, f.port);
	one = take(s, MAIL(TO("a@x.test")));
	svc_expect(s, one, JOB_HELD, "user name or password");
	two = take(s, MAIL(TO("b@x.test")));
	svc_run(s, 200);
	j = svc_job(s, two);
	assert_int_equal(j->state, JOB_QUEUED);
	assert_int_equal(j->attempts, 0);
	job_free(j);
	j = svc_job(s, one);
	assert_int_equal(queue_retry(s->box.queue, j, &e), 0);
	job_free(j);
	svc_expect(s, one, JOB_SENT, NULL);
	svc_expect(s, two, JOB_SENT, NULL);
	stop(s, &f);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void no_password(void **state)
{
	struct svc *s = *state;
	struct queue *q = NULL;
	struct error e = { 0 };

	svc_open(s, 0);
	s->box.conf.smarthost_user = strdup("box");
	assert_int_equal(queue_new(&q, &s->box, &e), -ENOENT);
	assert_non_null(strstr(e.text, "smarthost.password"));
}

/* More mails than lines: all go, by no more lines than are allowed. */
static void many_over_few_lines(void **state)
{
	enum { N = 12 };
	struct svc *s = *state;
	struct fake_server f;
	const char *script[8 * N + 16];
	uint64_t ids[N];
	size_t n = 0;

	script[n++] = "S:220 mx\r\n";
	script[n++] = "C:EHLO";
	script[n++] = OK;
	for (int i = 0; i < N; i++) {
		const char *const one[] = { FROM, "C:RCPT TO:<a@x.test>", OK, DATA, OK };

		memcpy(&script[n], one, sizeof(one));
		n += ARRAY_SIZE(one);
	}
	script[n++] = "C:QUIT";
	script[n++] = NULL;
	s->box.conf.connections = 1;
	s->box.conf.idle_usec = 20000;
	fake_server_start(&f, script);
	svc_open(s, f.port);
	for (int i = 0; i < N; i++)
		ids[i] = take(s, MAIL(TO("a@x.test")));
	for (int i = 0; i < N; i++)
		svc_expect(s, ids[i], JOB_SENT, NULL);
	stop(s, &f);
}

/*
 * One mail behind another: a host that will not answer the dot before it has the next
 * envelope, and what it may do then.
 */
#define PIPES	"S:220 mx\r\n", "C:EHLO box", "S:250-mx\r\n250 PIPELINING\r\n"
#define GROUP(a) "C:MAIL FROM:<ada@far.test>\r\n", "C:RCPT TO:<" a "@x.test>\r\n", "C:DATA\r\n"
#define TAKES	"S:250 ok\r\n250 ok\r\n354 go\r\n", "BODY"
#define SINGLY(a) GROUP(a), TAKES, "QUIET", OK

/* @many of them to a@x.test, b@x.test... by one line; all wait before the first is begun. */
static void take_mails(struct svc *s, struct fake_server *f, const char *const *script,
		       uint64_t *ids, int many)
{
	static const char *const to[] = { "a@x.test", "b@x.test", "c@x.test", "d@x.test" };
	const struct iovec body = { (void *)(uintptr_t)text, strlen(text) };
	struct error e = { 0 };
	int n = 0;

	s->box.conf.connections = 1;
	s->box.conf.idle_usec = 20000;
	s->box.conf.retry_usec = 3600 * 1000000ull;
	fake_server_start(f, script);
	svc_open(s, f->port);
	for (int i = 0; i < many; i++)
		if (queue_accept(s->box.queue, MAIL(TO(to[i])), &body, 1, on_taken, &n, &ids[i],
				 &e) < 0)
			fail_msg("%s", error_text(&e));
}

static void take_three(struct svc *s, struct fake_server *f, const char *const *script,
		       uint64_t ids[3])
{
	take_mails(s, f, script, ids, 3);
}

static void expect_tries(struct svc *s, uint64_t id, enum job_state state, uint32_t attempts)
{
	struct job *j = svc_wait(s, id, state);

	assert_int_equal(j->attempts, attempts);
	assert_int_equal(j->recipients[0].flags & RCPT_IN_HAND, 0);
	job_free(j);
}

/* Each verdict is its own mail's. */
static void one_behind_another(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t ids[3];
	struct job *j;

	take_three(s, &f, SCRIPT(PIPES, GROUP("a"), TAKES, GROUP("b"), "S:250 2.0.1 one\r\n",
				 TAKES, GROUP("c"), "S:452 4.3.1 full\r\n", TAKES,
				 "S:554 5.6.0 no\r\n", "C:MAIL FROM:<>", OK, "C:RCPT", OK, DATA,
				 OK, "C:QUIT"), ids);
	expect_tries(s, ids[0], JOB_SENT, 1);
	expect_tries(s, ids[2], JOB_FAILED, 1);
	expect_tries(s, ids[1], JOB_QUEUED, 1);
	j = svc_job(s, ids[0]);
	assert_string_equal(j->recipients[0].status, "2.0.1");
	job_free(j);
	svc_expect(s, ids[1], JOB_QUEUED, "452 4.3.1 full");
	svc_expect(s, ids[2], JOB_FAILED, "554 5.6.0 no");
	stop(s, &f);
}

/* Only the mail whose dot was out has had a try; the host gets the others one by one. */
static void lost_at_the_dot(void **state)
{
	static const struct {
		const char *answer, *words;
		enum job_state state;
	} cases[] = {
		{ "S:", "may have it", JOB_QUEUED },
		{ "S:421 4.3.2 bye\r\n", "421 4.3.2 bye", JOB_QUEUED },
		{ "S:250 taken\r\n", "taken", JOB_SENT },
		{ "S:250 taken\r\n421 4.3.2 enough\r\n", "taken", JOB_SENT },
	};
	struct svc *s = *state;
	struct fake_server f;
	uint64_t ids[3];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (i)
			assert_int_equal(teardown(state) | setup(state), 0);
		s = *state;
		take_three(s, &f, SCRIPT(PIPES, GROUP("a"), TAKES, GROUP("b"), cases[i].answer,
					 "NEXT", PIPES, SINGLY("b"), SINGLY("c"), "C:QUIT"), ids);
		expect_tries(s, ids[1], JOB_SENT, 1);
		expect_tries(s, ids[2], JOB_SENT, 1);
		expect_tries(s, ids[0], cases[i].state, 1);
		svc_expect(s, ids[0], cases[i].state, cases[i].words);
		stop(s, &f);
	}
}

/* A host that takes so many mails a line, and ends it then: the next line is used as fully. */
static void few_a_line(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t ids[4];

	take_mails(s, &f, SCRIPT(PIPES, GROUP("a"), TAKES, GROUP("b"), OK, TAKES, GROUP("c"), OK,
				 "S:421 4.3.2 enough\r\n", "NEXT", PIPES, GROUP("c"), TAKES,
				 GROUP("d"), OK, TAKES, OK, "C:QUIT"), ids, 4);
	for (int i = 0; i < 4; i++)
		expect_tries(s, ids[i], JOB_SENT, 1);
	stop(s, &f);
}

static enum job_state job_state_of(struct svc *s, uint64_t id)
{
	struct job *j = svc_job(s, id);
	enum job_state state = j->state;

	job_free(j);
	return state;
}

static int hold(struct svc *s, uint64_t id)
{
	struct job *j = svc_job(s, id);
	struct error e = { 0 };
	int r = queue_hold(s->box.queue, j, &e);

	job_free(j);
	return r;
}

static void release(struct svc *s, uint64_t id)
{
	struct job *j = svc_job(s, id);
	struct error e = { 0 };

	assert_int_equal(queue_release(s->box.queue, j, &e), 0);
	job_free(j);
}

/* Its envelope is out: it is not sent, and the mail before it is none the worse. */
static void held_behind_another(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t ids[3];

	take_three(s, &f, SCRIPT(PIPES, GROUP("a"), TAKES, GROUP("b"), "PAUSE", OK, "WAIT", "NEXT",
				 PIPES, GROUP("c"), TAKES, OK, GROUP("b"), TAKES, OK, "C:QUIT"),
		   ids);
	while (job_state_of(s, ids[1]) != JOB_SENDING)
		assert_true(sd_event_run(s->box.event, 1000000) >= 0);
	svc_run(s, 100);
	assert_int_equal(hold(s, ids[0]), -EBUSY);
	assert_int_equal(hold(s, ids[1]), 0);
	expect_tries(s, ids[0], JOB_SENT, 1);
	expect_tries(s, ids[2], JOB_SENT, 1);
	assert_int_equal(job_state_of(s, ids[1]), JOB_HELD);
	release(s, ids[1]);
	svc_expect(s, ids[1], JOB_SENT, NULL);
	stop(s, &f);
}

/* The first is held before its dot is out: the one behind it goes by another line. */
static void held_before_another(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t ids[3];

	take_three(s, &f, SCRIPT(PIPES, GROUP("a"), "S:250 ok\r\n250 ok\r\n354 go\r\n", "WAIT",
				 "NEXT", PIPES, GROUP("b"), TAKES, GROUP("c"), OK, TAKES, OK,
				 "C:QUIT"), ids);
	while (job_state_of(s, ids[1]) != JOB_SENDING)
		assert_true(sd_event_run(s->box.event, 1000000) >= 0);
	assert_int_equal(hold(s, ids[0]), 0);
	expect_tries(s, ids[1], JOB_SENT, 1);
	expect_tries(s, ids[2], JOB_SENT, 1);
	assert_int_equal(job_state_of(s, ids[0]), JOB_HELD);
	stop(s, &f);
}

/* A host that has no answer to QUIT: its line ends with the box at the latest. */
static void goodbye_unanswered(void **state)
{
	struct svc *s = *state;
	struct fake_server f;
	uint64_t id;

	fake_server_start(&f, SCRIPT(HELLO, FROM, "C:RCPT", OK, DATA, OK, "C:QUIT", "WAIT"));
	svc_open(s, f.port);
	id = take(s, MAIL(TO("a@x.test")));
	svc_expect(s, id, JOB_SENT, NULL);
	svc_run(s, 50);
	assert_false(f.finished);
	svc_close(s);
	for (int i = 0; i < 200 && !f.finished; i++)
		usleep(10000);
	assert_true(f.finished);
	fake_server_stop(&f);
	buffer_free(&f.body);
}

/* A job of user 100 that a host has, as it is after a sending. */
static uint64_t sent_job(struct svc *s, char envid[128])
{
	struct job *j = fake_job(0, JOB_SEND, JOB_SCANNING);
	struct error e = { 0 };
	uint64_t id;

	assert_int_equal(job_set(&j->user, "100"), 0);
	assert_int_equal(job_set(&j->message_id, "<fax.7@box.example.test>"), 0);
	assert_int_equal(job_add_recipient(j, "a@x.test"), 0);
	assert_int_equal(job_add_recipient(j, "b@x.test"), 0);
	assert_int_equal(store_job_create(s->box.store, j, text, strlen(text), NULL, NULL, &e), 0);
	queue_name_envelope(j, &s->box.conf);
	j->state = JOB_SENT;
	j->recipients[0].state = j->recipients[1].state = RCPT_SENT;
	assert_int_equal(store_job_update(s->box.store, j, NULL, NULL, &e), 0);
	snprintf(envid, 128, "%s", j->envid);
	id = j->id;
	job_free(j);
	return id;
}

/* Another house's notice comes to @user's mailbox; the job that it became. */
static uint64_t report(struct svc *s, const char *user, const char *envid, const char *original,
		       enum dsn_action action, const char *address)
{
	const struct dsn_rcpt rcpt = {
		.address = "moved@y.test", .orcpt = address, .action = action,
		.status = action == DSN_FAILED ? "5.2.2" : NULL,
		.diagnostic = action == DSN_FAILED ? "552 5.2.2 mailbox full" : NULL,
	};
	const struct dsn_spec spec = {
		.hostname = "mx.x.test", .to = "ada@example.test", .message_id = "<n.1@mx.x.test>",
		.date = words_now(), .envid = envid, .rcpts = &rcpt, .n_rcpts = 1,
		.original = original, .original_len = strlen(original),
	};
	_buffer_ struct buffer mail = { 0 };
	struct error e = { 0 };
	bool eight_bit;
	uint64_t id = 0;
	int n = 0;

	if (dsn_build(&spec, &mail, &eight_bit, &e) < 0)
		fail_msg("%s", error_text(&e));
	assert_int_equal(inbound_accept(s->box.inbound, user, NULL,
					&(struct iovec){ mail.data, mail.len }, 1, on_taken, &n,
					&id, &e), 0);
	return id;
}

static void reports_come_back(void **state)
{
	static const char by_id[] = "Message-ID: <fax.7@box.example.test>\r\n\r\nx\r\n";
	struct svc *s = *state;
	uint64_t id, other;
	char envid[128];
	struct job *j;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	svc_add_user(s, "100", "u", 0);
	svc_add_user(s, "101", "u", 0);
	id = sent_job(s, envid);

	/* To somebody else, or with a name that was guessed: for people to read, not believed. */
	other = report(s, "101", envid, text, DSN_FAILED, "rfc822;a@x.test");
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, other, JOB_PRINTED, NULL);
	svc_expect(s, report(s, "100", "ifax.1.1@box.example.test", text, DSN_FAILED,
			     "rfc822;a@x.test"), JOB_DUPLICATE, NULL);
	svc_expect(s, id, JOB_SENT, NULL);

	svc_expect(s, report(s, "100", envid, text, DSN_DELIVERED, "rfc822;A@x.test"),
		   JOB_COLLECTED, "a@x.test: a notice says that it was delivered");
	svc_expect(s, id, JOB_SENT, NULL);
	svc_expect(s, report(s, "100", envid, text, DSN_DELIVERED, "rfc822;b@x.test"),
		   JOB_COLLECTED, NULL);
	svc_expect(s, id, JOB_DELIVERED, "b@x.test");

	/* Only the mail's own name is known; and it was not delivered after all. */
	svc_expect(s, report(s, "100", NULL, by_id, DSN_FAILED, "rfc822;b@x.test"),
		   JOB_COLLECTED, "mailbox full");
	svc_expect(s, id, JOB_FAILED, "mailbox full");
	j = svc_job(s, id);
	assert_int_equal(j->recipients[0].state, RCPT_DELIVERED);
	assert_int_equal(j->recipients[1].state, RCPT_REFUSED);
	assert_string_equal(j->recipients[1].status, "5.2.2");
	job_free(j);
	svc_expect(s, report(s, "100", envid, text, DSN_FAILED, "rfc822;z@x.test"),
		   JOB_COLLECTED, "nothing new");
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, NULL), 0);
}

#define OFFER	"S:220 mx\r\n", "C:EHLO box", "S:250-mx\r\n250 STARTTLS\r\n"
#define SECURE	"C:STARTTLS", "S:220 go\r\n", "TLS"

/* What a domain's policy wants is had, or its mail waits and says why. */
static void tls_by_domain(void **state)
{
	static const struct {
		const char *address, *domain, *words;
		const char *script[24];
	} cases[] = {
		{ "127.0.0.1", "[127.0.0.1]", "offers no STARTTLS, but encryption is required",
		  { HELLO, "WAIT" } },
		{ "127.0.0.2", "[127.0.0.2]", NULL,
		  { OFFER, SECURE, "C:EHLO box", OK, FROM, "C:RCPT", OK, DATA, OK, QUIT } },
		{ "127.0.0.3", "[127.0.0.3]", "is not to be trusted", { OFFER, SECURE, "WAIT" } },
		{ "127.0.0.4", "[127.0.0.4]", NULL,
		  { OFFER, FROM, "C:RCPT", OK, DATA, OK, QUIT } },
		{ "127.0.0.5", "[127.0.0.5]", NULL,
		  { HELLO, FROM, "C:RCPT", OK, DATA, OK, QUIT } },
		{ "127.0.0.6", "[127.0.0.6]", NULL,	/* nothing is said of it */
		  { OFFER, SECURE, "C:EHLO box", OK, FROM, "C:RCPT", OK, DATA, OK, QUIT } },
		{ "127.0.0.7", "[127.0.0.7]", "encryption is required, but the server refused",
		  { OFFER, "C:STARTTLS", "S:454 not now\r\n", "WAIT" } },
	};
	struct fake_server f[ARRAY_SIZE(cases)];
	uint64_t ids[ARRAY_SIZE(cases)];
	struct svc *s = *state;
	char to[64];

	s->box.conf.tls_policy = strdup("[127.0.0.1]:encrypt [127.0.0.2]:encrypt "
					"[127.0.0.3]:verify [127.0.0.4]:none [127.0.0.5]:may "
					"[127.0.0.7]:encrypt");
	free(s->box.conf.smarthost_tls);
	s->box.conf.smarthost_tls = strdup("opportunistic");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		fake_server_start_at(&f[i], cases[i].address, i ? f[0].port : 0, cases[i].script);
	open_mx(s, f[0].port);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(to, sizeof(to), "a@%s", cases[i].domain);
		ids[i] = take(s, MAIL(TO(to)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		svc_serve(s, &f[i]);
		svc_expect(s, ids[i], cases[i].words ? JOB_QUEUED : JOB_SENT, cases[i].words);
		assert_int_equal(f[i].body.len > 0, !cases[i].words);
		buffer_free(&f[i].body);
	}
}

#define ADA	"ada@box.example.test"

/* What a user here submitted: for him at the box, by his address or a name that leads to him. */
static uint64_t submit(struct svc *s, const char *from, const char *envid, const char *message_id)
{
	const struct envelope env = {
		.from = (char *)(uintptr_t)from, .envid = (char *)(uintptr_t)envid,
		RCPTS(TO("a@x.test"), { .address = (char *)"b@x.test",
					.orcpt = (char *)"rfc822;bob@box.example.test" }),
	};
	_buffer_ struct buffer mail = { 0 };
	struct error e = { 0 };
	struct iovec body[2] = { { (void *)(uintptr_t)"Received: here\r\n", 16 } };
	uint64_t id = 0;
	struct job *j;
	int n = 0;

	assert_int_equal(buffer_printf(&mail, "Message-ID:\r\n %s\r\n\r\nMessage-ID: <no>\r\n",
				       message_id), 0);
	body[1] = (struct iovec){ mail.data, mail.len };
	assert_int_equal(queue_accept(s->box.queue, &env, body, 2, on_taken, &n, &id, &e), 0);
	/* As it is when a host has it that tells what becomes of it. */
	j = svc_job(s, id);
	assert_string_equal(j->message_id, message_id);
	j->state = JOB_SENT;
	j->recipients[0].state = j->recipients[1].state = RCPT_SENT;
	assert_int_equal(store_job_update(s->box.store, j, NULL, NULL, &e), 0);
	job_free(j);
	return id;
}

static void add_ada(struct svc *s)
{
	struct user u = { .code = (char *)"100", .name = (char *)"Ada",
			  .address = (char *)ADA, .keep_days = 1, .auto_print = true };
	struct error e = { 0 };

	assert_int_equal(store_user_put(s->box.store, &u, true, &e), 0);
	svc_add_user(s, "101", "u", 0);
}

static enum rcpt_state state_of(struct svc *s, uint64_t id, size_t i)
{
	struct job *j = svc_job(s, id);
	enum rcpt_state state = j->recipients[i].state;

	job_free(j);
	return state;
}

/* Reports about mail that was submitted come to its sender, and his job follows. */
static void reports_about_mail(void **state)
{
	struct svc *s = *state;
	struct job *job;
	uint64_t id, other, printed;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	add_ada(s);
	id = submit(s, ADA, "QQ314159", "<1@ada.test>");
	other = submit(s, "bert@far.test", "QQ314159", "<2@bert.test>");

	/* Whose mail it is not is not believed, by neither name; people may read it. */
	printed = report(s, "101", "QQ314159", text, DSN_FAILED, "rfc822;a@x.test");
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, printed, JOB_PRINTED, NULL);
	svc_expect(s, report(s, "100", NULL, "Message-ID: <2@bert.test>\r\n\r\n", DSN_FAILED,
			     "rfc822;a@x.test"), JOB_DUPLICATE, NULL);
	svc_expect(s, id, JOB_SENT, NULL);
	svc_expect(s, other, JOB_SENT, NULL);

	/* The other's job is younger, and has the same name. */
	svc_expect(s, report(s, "100", "QQ314159", text, DSN_DELIVERED, "rfc822;A@x.test"),
		   JOB_COLLECTED, "a@x.test: a notice says that it was delivered");
	svc_expect(s, id, JOB_SENT, NULL);
	/* By the name that the sender has for him. */
	svc_expect(s, report(s, "100", "QQ314159", text, DSN_DELIVERED,
			     "rfc822;Bob@box.example.test"), JOB_COLLECTED, "b@x.test");
	svc_expect(s, id, JOB_DELIVERED, "b@x.test");
	svc_expect(s, report(s, "100", "QQ314159", text, DSN_DELIVERED, "rfc822;a@x.test"),
		   JOB_COLLECTED, "nothing new");
	svc_expect(s, report(s, "100", NULL, "Message-ID: <1@ada.test>\r\n\r\n", DSN_FAILED,
			     "rfc822;a@x.test"), JOB_COLLECTED, "mailbox full");
	svc_expect(s, id, JOB_FAILED, "mailbox full");
	assert_int_equal(state_of(s, id, 0), RCPT_REFUSED);
	assert_int_equal(state_of(s, id, 1), RCPT_DELIVERED);
	svc_expect(s, other, JOB_SENT, NULL);
	/* Whose it is cannot be looked up now: it waits, and is no stranger's. */
	svc_break(s, SVC_USERS);
	printed = report(s, "100", "QQ314159", text, DSN_FAILED, "rfc822;a@x.test");
	for (job = svc_job(s, printed); !job->next_try; job = svc_job(s, printed)) {
		job_free(job);
		svc_run(s, 20);
	}
	assert_int_equal(job->state, JOB_CHECKING);
	job_free(job);
	svc_mend(s);
	assert_int_equal(svc_count(s, JOB_NOTICE, -1, NULL), 0);
}

/* A mail that came in two transactions: the one with this recipient is meant. By an alias. */
static void reports_about_namesakes(void **state)
{
	struct alias office = { .name = (char *)"office", .kind = ALIAS_PLAIN,
				.members = (char *[]){ (char *)"100", (char *)"101", NULL } };
	struct svc *s = *state;
	struct error e = { 0 };
	uint64_t first, last;
	struct job *j;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	add_ada(s);
	assert_int_equal(store_alias_put(s->box.store, &office, true, &e), 0);
	first = submit(s, "@relay.test:office@box.example.test", NULL, "<3@ada.test>");
	last = submit(s, "office@box.example.test", NULL, "<3@ada.test>");
	j = svc_job(s, last);
	assert_int_equal(job_set(&j->recipients[0].address, "c@x.test"), 0);
	assert_int_equal(store_job_update(s->box.store, j, NULL, NULL, &e), 0);
	job_free(j);

	svc_expect(s, report(s, "101", NULL, "Message-ID: <3@ada.test>\r\n\r\n", DSN_FAILED,
			     "rfc822;a@x.test"), JOB_COLLECTED, "mailbox full");
	svc_expect(s, first, JOB_FAILED, "a@x.test");
	svc_expect(s, last, JOB_SENT, NULL);
	svc_expect(s, report(s, "100", NULL, "Message-ID: <3@ada.test>\r\n\r\n", DSN_FAILED,
			     "rfc822;c@x.test"), JOB_COLLECTED, "mailbox full");
	svc_expect(s, last, JOB_FAILED, "c@x.test");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_copy_a_host), TEST(dead_host_costs_one_try),
		TEST(silent_host_costs_one_wait), TEST(dead_host_delays_nobody),
		TEST(users_of_the_box), TEST(one_user),
		TEST(crash_between), TEST(user_gone), TEST(return_path_at_the_end),
		TEST(source_route), TEST(notice_by_route), TEST(notices_tell_no_secrets),
		TEST(notices_to_local_senders),
		TEST(wishes_passed_on),
		TEST(relayed_and_delivered), TEST(no_notice_of_a_notice),
		TEST(late_then_too_old), TEST(enough_for_one_copy), TEST(line_worn_out),
		TEST(idle_line),
		TEST(held_and_released), TEST(retried), TEST(released_when_old), TEST(no_utf8),
		TEST(notice_beyond_ascii),
		TEST(not_eight_bit_after_all), TEST(wrong_password), TEST(no_password),
		TEST(many_over_few_lines), TEST(one_behind_another), TEST(lost_at_the_dot),
		TEST(few_a_line),
		TEST(held_behind_another), TEST(held_before_another), TEST(goodbye_unanswered),
		TEST(reports_come_back),
		TEST(tls_by_domain), TEST(reports_about_mail), TEST(reports_about_namesakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
