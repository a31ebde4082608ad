/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dialogues with a scripted server: one answer for the greeting, then one for
 * each line of the client. The transcript - C: what the client says, = what it
 * tells its user - must be the same wherever the server's bytes are cut, and no
 * mail counts as deleted when the line is lost before the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gsasl.h>

#include "base/cleanup.h"
#include "pop3/client.h"

#define WHOLE	SIZE_MAX

struct dialogue {
	const char *name;
	enum pop3_tls tls;
	uint64_t max_message;		/* 0: 1000 */
	const char *const *server;	/* NULL-terminated */
	const char *transcript;
};

struct run {
	const struct dialogue *d;
	struct pop3_client *c;
	struct buffer log, mail;
	struct buffer server;		/* what the server sent and the client has not seen */
	const char *const *next;
	size_t seen;
	bool over, closed;
};

static void server_says(struct run *t)
{
	if (*t->next)
		buffer_printf(&t->server, "%s", *t->next++);
}

static void server_reads(struct run *t)
{
	struct buffer *out = pop3_client_output(t->c);

	while (out->len) {
		char *end = strstr(out->data, "\r\n");

		assert_non_null(end);
		end += 2;
		buffer_printf(&t->log, "C: %.*s", (int)(end - out->data), out->data);
		buffer_consume(out, end - out->data);
		server_says(t);
	}
}

/* Fetches each mail, deletes what came whole. */
static void on_listed(struct run *t)
{
	size_t n = pop3_client_count(t->c);

	buffer_printf(&t->log, "= listed");
	for (size_t i = 0; i < n; i++)
		buffer_printf(&t->log, " %.20s:%d", pop3_client_uidl(t->c, i),
			      (int)pop3_client_size(t->c, i));
	buffer_printf(&t->log, "\n");
	for (size_t i = 0; i < n; i++) {
		int r = pop3_client_fetch(t->c, i);

		if (r == -EMSGSIZE)
			buffer_printf(&t->log, "= %zu too large\n", i);
		else
			assert_int_equal(r, 0);
	}
	assert_int_equal(pop3_client_fetch(t->c, n), -ERANGE);
	if (!n)
		assert_int_equal(pop3_client_quit(t->c), 0);
}

static void on_event(struct run *t, const struct pop3_event *ev)
{
	bool last = ev->mail + 1 == pop3_client_count(t->c);

	switch (ev->type) {
	case POP3_STARTTLS:
		buffer_printf(&t->log, "= starttls\n");
		server_reads(t);
		buffer_clear(&t->server);
		assert_int_equal(pop3_client_secured(t->c), 0);
		break;
	case POP3_LISTED:
		on_listed(t);
		break;
	case POP3_DATA:
		assert_true(ev->len > 0);
		buffer_append(&t->mail, ev->data, ev->len);
		break;
	case POP3_HEAD:
	case POP3_NO_HEAD:
		fail_msg("nobody asked for a head");
		break;
	case POP3_MESSAGE:
		buffer_printf(&t->log, "= %zu {%s}\n", ev->mail, t->mail.len ? t->mail.data : "");
		buffer_clear(&t->mail);
		assert_int_equal(pop3_client_delete(t->c, ev->mail), 0);
		if (last)
			assert_int_equal(pop3_client_quit(t->c), 0);
		break;
	case POP3_SKIPPED:
		buffer_printf(&t->log, "= %zu skipped%s\n", ev->mail,
			      ev->too_large ? ", large" : "");
		buffer_clear(&t->mail);
		if (last)
			assert_int_equal(pop3_client_quit(t->c), 0);
		break;
	case POP3_DELETED:
		buffer_printf(&t->log, "= %zu deleted\n", ev->mail);
		break;
	case POP3_NOT_DELETED:
		buffer_printf(&t->log, "= %zu not deleted\n", ev->mail);
		break;
	case POP3_CLOSED:
		buffer_printf(&t->log, "= closed\n");
		t->over = t->closed = true;
		break;
	case POP3_FAILED:
		assert_true(ev->text && *ev->text);
		buffer_printf(&t->log, "= failed%s: %s\n", ev->login ? " login" : "", ev->text);
		t->over = true;
		break;
	}
}

static void give(struct run *t, size_t len)
{
	_free_ char *copy = malloc(len + 1);
	const char *data = copy;
	struct pop3_event ev;

	assert_non_null(copy);
	memcpy(copy, t->server.data, len);
	buffer_consume(&t->server, len);
	t->seen += len;
	while (pop3_client_next(t->c, &data, &len, &ev)) {
		server_reads(t);
		on_event(t, &ev);
	}
	assert_int_equal(len, 0);
	server_reads(t);
}

static void run(struct run *t, const struct dialogue *d, size_t cut, size_t step, size_t stop)
{
	const struct pop3_client_options o = {
		.user = "u", .password = "p w", .tls = d->tls,
		.max_message = d->max_message ?: 1000,
	};

	*t = (struct run){ .d = d, .next = d->server };
	assert_int_equal(pop3_client_new(&t->c, &o), 0);
	server_says(t);
	while (t->server.len && !t->over && t->seen < stop) {
		size_t n = t->server.len;

		if (t->seen < cut && t->seen + n > cut)
			n = cut - t->seen;
		if (n > step)
			n = step;
		if (n > stop - t->seen)
			n = stop - t->seen;
		give(t, n);
	}
	if (!t->over) {
		struct pop3_event ev;
		const char *none = NULL;
		size_t len = 0;

		pop3_client_lost(t->c, "lost");
		assert_true(pop3_client_next(t->c, &none, &len, &ev));
		assert_int_equal(ev.type, POP3_FAILED);
		on_event(t, &ev);
		assert_false(pop3_client_next(t->c, &none, &len, &ev));
	}
}

static void run_free(struct run *t)
{
	pop3_client_free(t->c);
	buffer_free(&t->log);
	buffer_free(&t->mail);
	buffer_free(&t->server);
}

#define SERVER(...) .server = (const char *const[]){ __VA_ARGS__, NULL }
#define CAPA_ALL "+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\nSASL PLAIN LOGIN\r\n.\r\n"
#define OPEN "C: CAPA\r\nC: USER u\r\nC: PASS p w\r\nC: STAT\r\n"
#define OPENED "+OK hi <1.2@x>\r\n", "-ERR\r\n", "+OK\r\n", "+OK\r\n"
#define TEN	 "0123456789"
#define FIFTY	 TEN TEN TEN TEN TEN
#define LONG_NAME FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afb"

static const struct dialogue dialogues[] = {
	{
		.name = "lock-step, dots unstuffed",
		SERVER(OPENED, "+OK 2 30\r\n", "+OK\r\n1 10\r\n2 20\r\n.\r\n",
		       "+OK\r\n1 aa\r\n2 bb\r\n.\r\n",
		       "+OK\r\na\r\n..\r\n..b\r\n.\r\n", "+OK\r\n.\r\n", "+OK\r\n", "+OK\r\n",
		       "+OK\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\n= listed aa:10 bb:20\nC: RETR 1\r\n"
			"= 0 {a\r\n.\r\n.b\r\n}\nC: RETR 2\r\n= 1 {}\nC: DELE 1\r\n= 0 deleted\n"
			"C: DELE 2\r\n"
			"= 1 deleted\nC: QUIT\r\n= closed\n",
	}, {
		.name = "pipelined",
		SERVER("+OK\r\n", CAPA_ALL, "+OK\r\n", "+OK\r\n", "+OK 2 30\r\n",
		       "+OK\r\n1 10\r\n2 20\r\n.\r\n", "+OK\r\n1 aa\r\n2 bb\r\n.\r\n",
		       "+OK\r\nx\r\n.\r\n",
		       "+OK\r\ny\r\n.\r\n", "+OK\r\n", "+OK\r\n", "+OK\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\n= listed aa:10 bb:20\nC: RETR 1\r\n"
			"C: RETR 2\r\n"
			"= 0 {x\r\n}\nC: DELE 1\r\n= 1 {y\r\n}\nC: DELE 2\r\nC: QUIT\r\n"
			"= 0 deleted\n"
			"= 1 deleted\n= closed\n",
	}, {
		.name = "empty mailbox",
		SERVER(OPENED, "+OK 0 0\r\n", "+OK\r\n"),
		.transcript = OPEN "= listed\nC: QUIT\r\n= closed\n",
	}, {
		.name = "no UIDL: named by the header, without what servers change",
		SERVER(OPENED, "+OK 3 30\r\n", "+OK\r\n1 10\r\n2 10\r\n3 10\r\n.\r\n",
		       "-ERR what\r\n",
		       "+OK\r\nStatus: RO\r\n folded\r\nX-UIDL: 1\r\n\r\n.\r\n",
		       "+OK\r\n\r\nbody\r\n.\r\n",
		       "+OK\r\nA: b\r\n\r\n.\r\n", "-ERR\r\n", "-ERR\r\n", "-ERR\r\n", "+OK\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\nC: TOP 1 0\r\nC: TOP 2 0\r\n"
			"C: TOP 3 0\r\n"
			"= listed " SHA256_OF_NOTHING ":10 " SHA256_OF_NOTHING ":10 "
			/* printf 'A: b\r\n' | sha256sum */
			"aa3491d63fe76b46df32:10\nC: RETR 1\r\n= 0 skipped\nC: RETR 2\r\n"
			"= 1 skipped\n"
			"C: RETR 3\r\n= 2 skipped\nC: QUIT\r\n= closed\n",
	}, {
		.name = "neither UIDL nor TOP",
		SERVER(OPENED, "+OK 1 10\r\n", "+OK\r\n1 10\r\n.\r\n", "-ERR\r\n", "-ERR no\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\nC: TOP 1 0\r\n"
			"= failed: the server has neither UIDL "
			"nor TOP, so mails cannot be told apart: no\n",
	}, {
		.name = "wrong password",
		SERVER("+OK\r\n", "-ERR\r\n", "+OK\r\n", "-ERR [AUTH] Authentication failed.\r\n"),
		.transcript = "C: CAPA\r\nC: USER u\r\nC: PASS p w\r\n"
			"= failed login: the server refused user "
			"name or password: [AUTH] Authentication failed.\n",
	}, {
		.name = "mailbox in use",
		SERVER("+OK\r\n", "-ERR\r\n", "+OK\r\n", "-ERR [IN-USE] locked\r\n"),
		.transcript = "C: CAPA\r\nC: USER u\r\nC: PASS p w\r\n"
			"= failed: the mailbox cannot be opened "
			"now: [IN-USE] locked\n",
	}, {
		.name = "SASL PLAIN where there is no USER",
		SERVER("+OK\r\n", "+OK\r\nSASL PLAIN\r\n.\r\n", "+ \r\n", "+OK\r\n", "+OK 0 0\r\n",
		       "+OK\r\n"),
		.transcript = "C: CAPA\r\nC: AUTH PLAIN\r\nC: AHUAcCB3\r\nC: STAT\r\n= listed\n"
			"C: QUIT\r\n"
			"= closed\n",
	}, {
		.name = "STLS, what was learnt before it forgotten", .tls = POP3_TLS_REQUIRED,
		SERVER("+OK\r\n", "+OK\r\nSTLS\r\nSASL PLAIN\r\n.\r\n",
		       "+OK go\r\n+OK injected\r\n+OK\r\n",
		       "+OK\r\nUSER\r\n.\r\n", "+OK\r\n", "+OK\r\n", "+OK 0 0\r\n", "+OK\r\n"),
		.transcript = "C: CAPA\r\nC: STLS\r\n= starttls\nC: CAPA\r\nC: USER u\r\n"
			"C: PASS p w\r\n"
			"C: STAT\r\n= listed\nC: QUIT\r\n= closed\n",
	}, {
		.name = "STLS required, not offered", .tls = POP3_TLS_REQUIRED,
		SERVER("+OK\r\n", "+OK\r\nUSER\r\n.\r\n"),
		.transcript = "C: CAPA\r\n"
			"= failed: the server offers no STLS, but encryption is required: no "
			"password was sent\n",
	}, {
		.name = "STLS required, refused", .tls = POP3_TLS_REQUIRED,
		SERVER("+OK\r\n", "+OK\r\nSTLS\r\n.\r\n", "-ERR no\r\n"),
		.transcript = "C: CAPA\r\nC: STLS\r\n"
			"= failed: encryption is required, but the server refused "
			"STLS: no\n",
	}, {
		.name = "the line goes while DELE and QUIT are under way",
		SERVER("+OK\r\n", "+OK\r\nPIPELINING\r\nUSER\r\n.\r\n", "+OK\r\n", "+OK\r\n",
		       "+OK 1 5\r\n", "+OK\r\n1 5\r\n.\r\n", "+OK\r\n1 a\r\n.\r\n",
		       "+OK\r\n.\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\n= listed a:5\nC: RETR 1\r\n= 0 {}\n"
			"C: DELE 1\r\nC: QUIT\r\n"
			"= failed: lost, before it confirmed that it deletes what was "
			"fetched\n",
	}, {
		.name = "too large, as listed and as sent", .max_message = 5,
		SERVER(OPENED, "+OK 3 16\r\n", "+OK\r\n1 6\r\n2 5\r\n7 5\r\n.\r\n",
		       "+OK\r\n7 c\r\n1 a\r\n2 b\r\n.\r\n", "+OK\r\n0123456789\r\n.\r\n",
		       "+OK\r\nabc\r\n.\r\n",
		       "-ERR\r\n", "+OK\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\n= listed a:6 b:5 c:5\n= 0 too large\n"
			"C: RETR 2\r\n"
			"= 1 skipped, large\nC: RETR 7\r\n= 2 {abc\r\n}\nC: DELE 7\r\n"
			"= 2 not deleted\nC: QUIT\r\n"
			"= closed\n",
	}, {
		.name = "the deletions are not confirmed",
		SERVER(OPENED, "+OK 1 5\r\n", "+OK\r\n1 5\r\n.\r\n", "+OK\r\n1 a\r\n.\r\n",
		       "+OK\r\n.\r\n",
		       "+OK\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\n= listed a:5\nC: RETR 1\r\n= 0 {}\n"
			"C: DELE 1\r\n"
			"= 0 deleted\nC: QUIT\r\n"
			"= failed: lost, before it confirmed that it deletes what was "
			"fetched\n",
	}, {
		.name = "no POP3",
		SERVER("220 mx ESMTP\r\n"),
		.transcript = "= failed: what the server sends is no POP3: check host and port\n",
	}, {
		.name = "a list that makes no sense",
		SERVER(OPENED, "+OK 2 5\r\n", "+OK\r\n2 5\r\n1 5\r\n.\r\n"),
		.transcript = OPEN "C: LIST\r\n"
			"= failed: what the server sends is no POP3: check host and port\n",
	}, {
		.name = "a name that is none, or longer than any: named by the header",
		SERVER(OPENED, "+OK 2 10\r\n", "+OK\r\n1 5\r\n2 5\r\n.\r\n",
		       "+OK\r\n1 \x01\r\n2 " LONG_NAME "\r\n.\r\n",
		       "+OK\r\n\r\n.\r\n", "+OK\r\nA: b\r\n\r\n.\r\n", "-ERR\r\n", "-ERR\r\n",
		       "+OK\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\nC: TOP 1 0\r\nC: TOP 2 0\r\n"
			"= listed " SHA256_OF_NOTHING ":5 aa3491d63fe76b46df32:5\n"
			"C: RETR 1\r\n= 0 skipped\nC: RETR 2\r\n= 1 skipped\n"
			"C: QUIT\r\n= closed\n",
	}, {
		.name = "UIDL is offered, but refused: no other names instead",
		SERVER("+OK\r\n", CAPA_ALL, "+OK\r\n", "+OK\r\n", "+OK 1 10\r\n",
		       "+OK\r\n1 10\r\n.\r\n", "-ERR not now\r\n"),
		.transcript = OPEN "C: LIST\r\nC: UIDL\r\n"
			"= failed: the server does not name the mails now: not now\n",
	},
};

static size_t total(const struct dialogue *d)
{
	size_t n = 0;

	for (size_t i = 0; d->server[i]; i++)
		n += strlen(d->server[i]);
	return n;
}

static void check(const struct dialogue *d, size_t cut, size_t step)
{
	struct run t;

	run(&t, d, cut, step, WHOLE);
	if (strcmp(t.log.data, d->transcript))
		fail_msg("%s, cut at %zu:\n%s--- expected\n%s", d->name, cut, t.log.data,
			 d->transcript);
	run_free(&t);
}

static void test_dialogues(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(dialogues); i++)
		check(&dialogues[i], WHOLE, WHOLE);
}

static void test_cut_anywhere(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(dialogues); i++) {
		for (size_t cut = 1; cut < total(&dialogues[i]); cut++)
			check(&dialogues[i], cut, WHOLE);
		check(&dialogues[i], WHOLE, 1);
	}
}

/* Without its last octet no dialogue ends well, and QUIT comes after the mails it is for. */
static void test_lost_anywhere(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(dialogues); i++) {
		for (size_t stop = 0; stop < total(&dialogues[i]); stop++) {
			struct run t;

			run(&t, &dialogues[i], WHOLE, WHOLE, stop);
			if (t.closed || !strstr(t.log.data, "= failed"))
				fail_msg("%s, lost at %zu:\n%s", dialogues[i].name, stop,
					 t.log.data);
			run_free(&t);
		}
	}
}

static const struct unstuffing {
	const char *wire;	/* without the +OK before it */
	const char *mail;
} unstuffings[] = {
	{ ".\r\n", "" },
	{ "..\r\n.\r\n", ".\r\n" },
	{ "...\r\n.\r\n", "..\r\n" },
	{ "a\r\n..b\r\n.\r\n", "a\r\n.b\r\n" },
	{ "a.b\r\n.\r\n", "a.b\r\n" },
	{ "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n" },
	{ "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n" },
	{ "a\r.\r\n.\r\n", "a\r.\r\n" },
	{ ".\rx\r\n.\r\n", "\rx\r\n" },
	{ ".\r\rx\r\n.\r\n", "\r\rx\r\n" },
	{ "\r\n\r\n..\r\n.\r\n", "\r\n\r\n.\r\n" },
	{ "\n.\r\n\r\n.\r\n", "\n.\r\n\r\n" },
};

static void check_unstuffing(const struct unstuffing *row, size_t step)
{
	char wire[64], transcript[400];
	const struct dialogue d = {
		.name = row->wire,
		SERVER(OPENED, "+OK 1 9\r\n", "+OK\r\n1 9\r\n.\r\n", "+OK\r\n1 a\r\n.\r\n", wire,
		       "+OK\r\n",
		       "+OK\r\n"),
		.transcript = transcript,
	};

	snprintf(wire, sizeof(wire), "+OK\r\n%s", row->wire);
	snprintf(transcript, sizeof(transcript), OPEN "C: LIST\r\nC: UIDL\r\n= listed a:9\n"
		 "C: RETR 1\r\n= 0 {%s}\nC: DELE 1\r\n= 0 deleted\nC: QUIT\r\n"
		 "= closed\n", row->mail);
	for (size_t cut = 1; cut < total(&d); cut++)
		check(&d, cut, step);
}

static void test_dot_unstuffing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(unstuffings); i++) {
		check_unstuffing(&unstuffings[i], WHOLE);
		check_unstuffing(&unstuffings[i], 1);
	}
}

static void test_options(void **state)
{
	const struct pop3_client_options bad[] = {
		{ .user = "u" },
		{ .user = "", .password = "p" },
		{ .user = "u\r\nDELE 1", .password = "p" },
		{ .user = "u", .password = "p\n" },
	};
	struct pop3_client *c;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(pop3_client_new(&c, &bad[i]), -EINVAL);
}

static void feed(struct pop3_client *c, const char *data, size_t len, bool *failed)
{
	struct pop3_event ev;

	while (pop3_client_next(c, &data, &len, &ev))
		*failed |= ev.type == POP3_FAILED;
}

static void test_long_lines_are_refused(void **state)
{
	const struct pop3_client_options o = { .user = "u", .password = "p" };
	struct pop3_client *c;
	bool failed = false;

	assert_int_equal(pop3_client_new(&c, &o), 0);
	feed(c, "+OK ", 4, &failed);
	for (int i = 0; i < POP3_LINE_MAX - 4; i++)
		feed(c, "x", 1, &failed);
	assert_false(failed);
	feed(c, "x", 1, &failed);
	assert_true(failed);
	pop3_client_free(c);
}

/* Of a mailbox beyond the bound the first mails are taken. */
static void test_many_mails(void **state)
{
	const struct pop3_client_options o = { .user = "u", .password = "p", .max_message = 10 };
	static const char opened[] = "+OK\r\n-ERR\r\n+OK\r\n+OK\r\n+OK 100001 1\r\n+OK\r\n";
	_buffer_ struct buffer list = { 0 };
	struct pop3_client *c;
	bool failed = false;

	assert_int_equal(pop3_client_new(&c, &o), 0);
	feed(c, opened, strlen(opened), &failed);
	for (int i = 1; i <= POP3_LIST_MAX + 1; i++)
		buffer_printf(&list, "%d 1\r\n", i);
	buffer_printf(&list, ".\r\n+OK\r\n");
	for (int i = 1; i <= POP3_LIST_MAX + 1; i++)
		buffer_printf(&list, "%d u%d\r\n", i, i);
	buffer_printf(&list, ".\r\n");
	feed(c, list.data, list.len, &failed);
	assert_false(failed);
	assert_int_equal(pop3_client_count(c), POP3_LIST_MAX);
	assert_string_equal(pop3_client_uidl(c, POP3_LIST_MAX - 1), "u100000");
	pop3_client_free(c);
}

static int on_property(Gsasl *ctx, Gsasl_session *s, Gsasl_property p)
{
	return p == GSASL_PASSWORD ? gsasl_property_set(s, p, "pencil") : GSASL_NO_CALLBACK;
}

/* Says something to the client; what comes of it, the last event. */
static bool hear(struct pop3_client *c, struct pop3_event *ev, const char *what, const char *more)
{
	char line[1024];
	const char *data = line;
	size_t len = snprintf(line, sizeof(line), "%s%s\r\n", what, more ? more : "");

	return pop3_client_next(c, &data, &len, ev);
}

/* What the client has said, without the end of its line. */
static void take(struct pop3_client *c, char *line, size_t size)
{
	struct buffer *out = pop3_client_output(c);

	assert_true(out->len >= 2 && out->len < size);
	memcpy(line, out->data, out->len - 2);
	line[out->len - 2] = '\0';
	buffer_clear(out);
}

enum scram_server { HONEST, ANOTHER_PASSWORD, NO_PROOF };

/* A server that knows the password, one that does not, and one that says yes to all. */
static void scram(enum scram_server kind, struct pop3_event *ev)
{
	const struct pop3_client_options o = {
		.user = "u", .password = kind == ANOTHER_PASSWORD ? "pen" : "pencil",
	};
	Gsasl_session *session = NULL;
	struct pop3_client *c;
	Gsasl *sasl = NULL;
	char line[1024], *out = NULL;

	assert_int_equal(gsasl_init(&sasl), GSASL_OK);
	gsasl_callback_set(sasl, on_property);
	assert_int_equal(gsasl_server_start(sasl, "SCRAM-SHA-256", &session), GSASL_OK);
	assert_int_equal(pop3_client_new(&c, &o), 0);
	assert_false(hear(c, ev, "+OK", NULL));
	take(c, line, sizeof(line));
	assert_false(hear(c, ev, "+OK\r\nUSER\r\nSASL PLAIN SCRAM-SHA-256\r\n.", NULL));
	take(c, line, sizeof(line));
	assert_string_equal(line, "AUTH SCRAM-SHA-256");
	assert_false(hear(c, ev, "+ ", NULL));
	take(c, line, sizeof(line));
	assert_int_equal(gsasl_step64(session, line, &out), GSASL_NEEDS_MORE);
	assert_false(hear(c, ev, "+ ", out));
	gsasl_free(out);
	out = NULL;
	take(c, line, sizeof(line));
	assert_int_equal(gsasl_step64(session, line, &out),
			 kind == ANOTHER_PASSWORD ? GSASL_AUTHENTICATION_ERROR : GSASL_OK);
	if (kind == HONEST) {
		assert_false(hear(c, ev, "+ ", out));
		take(c, line, sizeof(line));
		assert_string_equal(line, "");
		assert_false(hear(c, ev, "+OK", NULL));
		take(c, line, sizeof(line));
		assert_string_equal(line, "STAT");
	} else {
		assert_true(hear(c, ev, kind == NO_PROOF ? "+OK" : "-ERR no", NULL));
	}
	gsasl_free(out);
	gsasl_finish(session);
	gsasl_done(sasl);
	pop3_client_free(c);
}

static void test_scram(void **state)
{
	struct pop3_event ev;

	scram(HONEST, &ev);
	scram(ANOTHER_PASSWORD, &ev);
	assert_int_equal(ev.type, POP3_FAILED);
	assert_true(ev.login);
	scram(NO_PROOF, &ev);
	assert_int_equal(ev.type, POP3_FAILED);
	assert_false(ev.login);
}

/* Up to what the client says to a server that offers @sasl. */
static struct pop3_client *offer(bool secure, const char *sasl, bool no_scram, char line[1024])
{
	const struct pop3_client_options o = {
		.user = "u", .password = "pencil", .no_scram = no_scram,
		.tls = secure ? POP3_TLS_REQUIRED : POP3_TLS_NONE,
	};
	struct pop3_event ev = { 0 };
	const char *nothing = "";
	struct pop3_client *c;
	char caps[200];
	size_t none = 0;

	snprintf(caps, sizeof(caps), "+OK\r\n%s\r\nSTLS\r\n.", sasl);
	assert_int_equal(pop3_client_new(&c, &o), 0);
	assert_false(hear(c, &ev, "+OK", NULL));
	take(c, line, 1024);
	assert_false(hear(c, &ev, caps, NULL));
	take(c, line, 1024);
	if (secure) {
		assert_true(hear(c, &ev, "+OK", NULL));
		assert_int_equal(ev.type, POP3_STARTTLS);
		assert_int_equal(pop3_client_secured(c), 0);
		assert_false(pop3_client_next(c, &nothing, &none, &ev));
		take(c, line, 1024);
		assert_false(hear(c, &ev, caps, NULL));
		take(c, line, 1024);
	}
	return c;
}

/* What the client says when SCRAM is refused at once, or after its first step; "": nothing. */
static void scram_refused(bool secure, bool at_once, const char *sasl, const char *next)
{
	struct pop3_event ev = { 0 };
	char line[1024];
	struct pop3_client *c = offer(secure, sasl, false, line);

	assert_string_equal(line, "AUTH SCRAM-SHA-256");
	if (!at_once) {
		assert_false(hear(c, &ev, "+ ", NULL));
		take(c, line, sizeof(line));
	}
	if (*next) {
		assert_false(hear(c, &ev, "-ERR no", NULL));
		take(c, line, sizeof(line));
		assert_string_equal(line, next);
	} else {
		assert_true(hear(c, &ev, "-ERR no", NULL));
		assert_true(ev.type == POP3_FAILED && ev.login);
		assert_int_equal(pop3_client_output(c)->len, 0);
	}
	assert_int_equal(pop3_client_scram_refused(c), !!*next);
	pop3_client_free(c);
}

/* The password goes to who cannot do better, but never where others listen. */
static void test_scram_refused(void **state)
{
	static const char both[] = "USER\r\nSASL PLAIN SCRAM-SHA-256";

	scram_refused(true, true, both, "USER u");
	scram_refused(true, false, both, "USER u");
	scram_refused(true, false, "SASL PLAIN SCRAM-SHA-256", "AUTH PLAIN");
	scram_refused(false, true, both, "");
	scram_refused(false, false, both, "");
}

/* Once is enough, where the password may go instead. */
static void test_scram_not_again(void **state)
{
	static const char both[] = "USER\r\nSASL PLAIN SCRAM-SHA-256";
	char line[1024];

	pop3_client_free(offer(true, both, true, line));
	assert_string_equal(line, "USER u");
	pop3_client_free(offer(true, "SASL PLAIN SCRAM-SHA-256", true, line));
	assert_string_equal(line, "AUTH PLAIN");
	pop3_client_free(offer(false, both, true, line));
	assert_string_equal(line, "AUTH SCRAM-SHA-256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_scram_not_again),
		cmocka_unit_test(test_scram_refused),
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_lost_anywhere),
		cmocka_unit_test(test_dot_unstuffing),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_long_lines_are_refused),
		cmocka_unit_test(test_many_mails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
