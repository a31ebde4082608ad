/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dialogues with a scripted server: one reply for the greeting, then one for
 * each line (or body) of the client. The transcript - C: what the client says,
 * = what it tells its user - must be the same wherever the server's bytes are
 * cut, and after a line lost at any byte the verdict must be the true one.
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
#include "smtp/client.h"

#define WHOLE	SIZE_MAX

struct dialogue {
	const char *name;
	struct smtp_client_options o;
	struct envelope e;
	int messages;			/* how often the envelope is sent */
	bool follow;			/* each named at the dot of the one before */
	const char *body;		/* default: one line */
	const char *const *server;	/* NULL-terminated */
	const char *transcript;
};

struct run {
	const struct dialogue *d;
	struct smtp_client *c;
	struct buffer log;
	struct buffer server;		/* what the server sent and the client has not seen */
	const char *const *next_reply;
	size_t seen;			/* octets that the client was given */
	bool in_body, over;
	int sent, results;
	bool dot_out;			/* of the message in hand */
	enum smtp_verdict end;		/* of SMTP_FAILED */
	bool failed;
};

static const char *verdict_name(enum smtp_verdict v)
{
	static const char *const names[] = {
		[SMTP_ACCEPTED] = "accepted", [SMTP_REFUSED] = "refused",
		[SMTP_TRANSIENT] = "transient", [SMTP_DEFERRED] = "deferred",
		[SMTP_IN_DOUBT] = "in doubt",
	};

	return names[v];
}

static void server_says(struct run *t)
{
	if (*t->next_reply)
		buffer_printf(&t->server, "%s", *t->next_reply++);
}

/* The server reads what the client wrote, line by line. */
static void server_reads(struct run *t)
{
	struct buffer *out = smtp_client_output(t->c);
	char *end;

	while (out->len) {
		if (t->in_body) {
			end = !strncmp(out->data, ".\r\n", 3) ? out->data : strstr(out->data,
			"\r\n.\r\n");
			if (!end)
				return;
			end += end == out->data ? 3 : 5;
			t->in_body = false;
		} else {
			end = strstr(out->data, "\r\n");
			assert_non_null(end);
			end += 2;
		}
		buffer_printf(&t->log, "C: %.*s", (int)(end - out->data), out->data);
		if (!strncmp(out->data, "DATA\r\n", 6))
			t->in_body = t->next_reply[0] && t->next_reply[0][0] == '3';
		buffer_consume(out, end - out->data);
		server_says(t);
	}
}

static void on_event(struct run *t, const struct smtp_event *ev)
{
	const char *body = t->d->body ?: "a\r\n";

	switch (ev->type) {
	case SMTP_STARTTLS:
		buffer_printf(&t->log, "= starttls\n");
		server_reads(t);
		/* What an attacker put behind the reply must not be taken for the server's. */
		buffer_clear(&t->server);
		assert_int_equal(smtp_client_secured(t->c), 0);
		break;
	case SMTP_READY:
		buffer_printf(&t->log, "= ready\n");
		t->dot_out = false;
		if (t->sent++ < (t->d->messages ?: 1))
			assert_int_equal(smtp_client_send(t->c, &t->d->e), 0);
		else
			assert_int_equal(smtp_client_quit(t->c), 0);
		break;
	case SMTP_RECIPIENT:
		buffer_printf(&t->log, "= %zu %s\n", ev->rcpt, verdict_name(ev->verdict));
		break;
	case SMTP_BODY:
		assert_int_equal(smtp_client_body(t->c, body, strlen(body)), 0);
		assert_int_equal(smtp_client_body_end(t->c), 0);
		break;
	case SMTP_DOT:
		buffer_printf(&t->log, "= dot\n");
		if (t->d->follow && t->sent < t->d->messages) {
			assert_int_equal(smtp_client_follow(t->c, &t->d->e), 0);
			assert_int_equal(smtp_client_follow(t->c, &t->d->e), -EBUSY);
			t->sent++;
		}
		assert_int_equal(smtp_client_dot(t->c), 0);
		t->dot_out = true;
		break;
	case SMTP_RESULT:
		buffer_printf(&t->log, "= %s\n", verdict_name(ev->verdict));
		t->results++;
		t->dot_out = false;
		break;
	case SMTP_NEXT:
		buffer_printf(&t->log, "= next\n");
		break;
	case SMTP_FAILED:
		buffer_printf(&t->log, "= failed %s\n", verdict_name(ev->verdict));
		assert_true(ev->text && *ev->text);
		t->failed = true;
		t->end = ev->verdict;
		t->over = true;
		break;
	case SMTP_CLOSED:
		buffer_printf(&t->log, "= closed\n");
		t->over = true;
		break;
	}
}

static void give(struct run *t, size_t len)
{
	struct smtp_event ev;
	_free_ char *copy = malloc(len + 1);
	const char *data = copy;

	assert_non_null(copy);
	memcpy(copy, t->server.data, len);
	buffer_consume(&t->server, len);
	t->seen += len;
	while (smtp_client_next(t->c, &data, &len, &ev)) {
		server_reads(t);
		on_event(t, &ev);
	}
	assert_int_equal(len, 0);
	server_reads(t);
}

/* @cut: the server's stream is cut there; @step: octets at a time; @stop: the line is lost there */
static void run(struct run *t, const struct dialogue *d, size_t cut, size_t step, size_t stop)
{
	*t = (struct run){ .d = d, .next_reply = d->server };
	assert_int_equal(smtp_client_new(&t->c, &d->o), 0);
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
		struct smtp_event ev;
		const char *none = NULL;
		size_t len = 0;

		smtp_client_lost(t->c, "the line was lost");
		assert_true(smtp_client_next(t->c, &none, &len, &ev));
		on_event(t, &ev);
		assert_false(smtp_client_next(t->c, &none, &len, &ev));
	}
}

static void run_free(struct run *t)
{
	smtp_client_free(t->c);
	buffer_free(&t->log);
	buffer_free(&t->server);
}

#define EHLO_PIPE "250-mx\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 DSN\r\n"
#define EHLO_BARE "250 mx\r\n"

static struct envelope_rcpt three[] = {
	{ .address = "a@x" }, { .address = "b@x" }, { .address = "c@x" },
};
static struct envelope_rcpt injected[] = {
	{ .address = "a@x>\r\nRCPT TO:<evil@x" }, { .address = "b@x" },
};

#define SERVER(...) .server = (const char *const[]){ __VA_ARGS__, NULL }
#define OPTIONS .o = { .helo = "box" }
#define TLS(t) .o = { .helo = "box", .tls = t }
#define AUTH(t) .o = { .helo = "box", .tls = t, .user = "u", .password = "p" }
#define THREE .e = { .from = "me@box", .rcpts = three, .n_rcpts = 3, .size = 77 }
#define ONE .e = { .from = "me@box", .rcpts = three, .n_rcpts = 1 }
#define FOLLOW(n) .messages = n, .follow = true
#define GROUP "C: MAIL FROM:<me@box>\r\nC: RCPT TO:<a@x>\r\nC: DATA\r\n"
#define TAKES "250 ok\r\n", "250 ok\r\n", "354 go\r\n"

static const struct dialogue dialogues[] = {
	{
		.name = "lock-step by the book", OPTIONS, THREE,
		SERVER("220 mx\r\n", "502 what\r\n", "250 hello\r\n", "250 ok\r\n", "250 ok\r\n",
		       "550 5.1.1 no\r\n", "250 ok\r\n", "354 go\r\n", "250 taken\r\n",
		       "221 bye\r\n"),
		.transcript = "C: EHLO box\r\nC: HELO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n= 0 accepted\nC: RCPT TO:<b@x>\r\n= 1 refused\n"
			"C: RCPT TO:<c@x>\r\n= 2 accepted\nC: DATA\r\n= dot\nC: a\r\n.\r\n"
			"= accepted\n"
			"= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "pipelined", OPTIONS, THREE,
		SERVER("220 mx\r\n", EHLO_PIPE, "250 ok\r\n", "250 ok\r\n", "450 later\r\n",
		       "250 ok\r\n",
		       "354 go\r\n", "250 taken\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box> SIZE=77\r\n"
			"C: RCPT TO:<a@x>\r\nC: RCPT TO:<b@x>\r\nC: RCPT TO:<c@x>\r\n"
			"C: DATA\r\n"
			"= 0 accepted\n= 1 transient\n= 2 accepted\n= dot\nC: a\r\n.\r\n"
			"= accepted\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "two messages on one connection", OPTIONS, ONE, .messages = 2,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "250 ok\r\n", "354 go\r\n",
		       "250 taken\r\n",
		       "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "452 full\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= 0 accepted\nC: DATA\r\n= dot\nC: a\r\n.\r\n= accepted\n= ready\n"
			"C: MAIL FROM:<me@box>\r\nC: RCPT TO:<a@x>\r\n= 0 accepted\nC: DATA\r\n"
			"= dot\n"
			"C: a\r\n.\r\n= transient\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "each envelope behind the dot before it", OPTIONS, ONE, FOLLOW(3),
		SERVER("220 mx\r\n", EHLO_PIPE, TAKES, "250 one\r\n", TAKES, "250 two\r\n", TAKES,
		       "250 three\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\n" GROUP "= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n" GROUP "= accepted\n= next\n= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n" GROUP "= accepted\n= next\n= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n= accepted\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "the first is refused, the one behind it is taken", OPTIONS, ONE, FOLLOW(2),
		SERVER("220 mx\r\n", EHLO_PIPE, TAKES, "452 full\r\n", TAKES, "250 two\r\n",
		       "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\n" GROUP "= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n" GROUP "= transient\n= next\n= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n= accepted\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "the server leaves at the dot, the next under way", OPTIONS, ONE, FOLLOW(2),
		SERVER("220 mx\r\n", EHLO_PIPE, TAKES, "421 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\n" GROUP "= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n" GROUP "= failed transient\n",
	}, {
		.name = "it leaves behind the dot's answer", OPTIONS, ONE, FOLLOW(2),
		SERVER("220 mx\r\n", EHLO_PIPE, TAKES, "250 one\r\n", "421 enough\r\n"),
		.transcript = "C: EHLO box\r\n= ready\n" GROUP "= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n" GROUP "= accepted\n= next\n= failed transient\n",
	}, {
		.name = "the sender of the one behind is refused", OPTIONS, ONE, FOLLOW(2),
		SERVER("220 mx\r\n", EHLO_PIPE, TAKES, "250 one\r\n", "550 5.7.1 no\r\n",
		       "503 MAIL first\r\n", "503 RCPT first\r\n", "250 reset\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\n" GROUP "= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n" GROUP "= accepted\n= next\n= refused\nC: RSET\r\n= ready\n"
			"C: QUIT\r\n= closed\n",
	}, {
		.name = "its recipient is refused, its DATA is not", OPTIONS, ONE, FOLLOW(2),
		SERVER("220 mx\r\n", EHLO_PIPE, TAKES, "250 one\r\n", "250 ok\r\n",
		       "550 5.1.1 who\r\n", "354 go\r\n", "554 no\r\n", "250 reset\r\n",
		       "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\n" GROUP "= 0 accepted\n= dot\n"
			"C: a\r\n.\r\n" GROUP "= accepted\n= next\n= 0 refused\n= refused\n"
			"C: .\r\nC: RSET\r\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "552 on RCPT puts the rest off", OPTIONS, THREE,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "250 ok\r\n", "552 too many\r\n",
		       "354 go\r\n",
		       "250 taken\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= 0 accepted\nC: RCPT TO:<b@x>\r\n= 1 deferred\n= 2 deferred\n"
			"C: DATA\r\n= dot\n"
			"C: a\r\n.\r\n= accepted\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "552 for a full mailbox is for good", OPTIONS, ONE,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "552 5.2.2 full\r\n", "250 reset\r\n",
		       "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= 0 refused\nC: RSET\r\n= refused\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "sender refused while recipients are under way", OPTIONS, THREE,
		SERVER("220 mx\r\n", EHLO_PIPE, "451 later\r\n", "503 no\r\n", "503 no\r\n",
		       "503 no\r\n", "503 no\r\n",
		       "250 reset\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box> SIZE=77\r\n"
			"C: RCPT TO:<a@x>\r\nC: RCPT TO:<b@x>\r\nC: RCPT TO:<c@x>\r\nC: DATA\r\n"
			"= transient\nC: RSET\r\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "DATA behind refused recipients is taken all the same", OPTIONS, THREE,
		SERVER("220 mx\r\n", EHLO_PIPE, "250 ok\r\n", "550 no\r\n", "450 later\r\n",
		       "550 no\r\n", "354 go\r\n", "554 to nobody\r\n",
		       "250 reset\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box> SIZE=77\r\n"
			"C: RCPT TO:<a@x>\r\nC: RCPT TO:<b@x>\r\nC: RCPT TO:<c@x>\r\nC: DATA\r\n"
			"= 0 refused\n= 1 transient\n= 2 refused\n= transient\nC: .\r\n"
			"C: RSET\r\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "DATA behind a pipelined envelope is refused", OPTIONS, ONE,
		SERVER("220 mx\r\n", EHLO_PIPE, "250 ok\r\n", "250 ok\r\n", "451 no\r\n",
		       "250 reset\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\nC: DATA\r\n= 0 accepted\nC: RSET\r\n"
			"= transient\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "DATA refused", OPTIONS, ONE,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "250 ok\r\n", "554 no\r\n",
		       "250 reset\r\n",
		       "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= 0 accepted\nC: DATA\r\nC: RSET\r\n= refused\n= ready\nC: QUIT\r\n"
			"= closed\n",
	}, {
		.name = "no address smuggles a command", OPTIONS,
		.e = { .from = "me@box", .rcpts = injected, .n_rcpts = 2 },
		SERVER("220 mx\r\n", EHLO_PIPE, "250 ok\r\n", "250 ok\r\n", "354 go\r\n",
		       "250 taken\r\n",
		       "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<b@x>\r\nC: DATA\r\n"
			"= 0 refused\n= 1 accepted\n= dot\nC: a\r\n.\r\n= accepted\n"
			"= ready\n"
			"C: QUIT\r\n= closed\n",
	}, {
		.name = "larger than the server takes", OPTIONS,
		.e = { .from = "me@box", .rcpts = three, .n_rcpts = 1, .size = 1000001 },
		SERVER("220 mx\r\n", EHLO_PIPE, "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\n= refused\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "8-bit text to a 7-bit server", OPTIONS,
		.e = { .from = "me@box", .rcpts = three, .n_rcpts = 1, .eight_bit = true },
		SERVER("220 mx\r\n", EHLO_BARE, "221 bye\r\n"),
		.transcript = "C: EHLO box\r\n= ready\n= refused\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "STARTTLS, what was learnt before it forgotten", TLS(SMTP_TLS_REQUIRED),
		THREE,
		SERVER("220 mx\r\n", "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
		       "220 go\r\n250 injected\r\n250 ok\r\n", EHLO_BARE, "250 ok\r\n",
		       "550 no\r\n",
		       "550 no\r\n", "450 no\r\n", "250 reset\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\nC: STARTTLS\r\n= starttls\nC: EHLO box\r\n= ready\n"
			"C: MAIL FROM:<me@box>\r\nC: RCPT TO:<a@x>\r\n= 0 refused\n"
			"C: RCPT TO:<b@x>\r\n"
			"= 1 refused\nC: RCPT TO:<c@x>\r\n= 2 transient\nC: RSET\r\n= transient\n"
			"= ready\n"
			"C: QUIT\r\n= closed\n",
	}, {
		.name = "STARTTLS required, not offered", TLS(SMTP_TLS_REQUIRED), ONE,
		SERVER("220 mx\r\n", EHLO_PIPE),
		.transcript = "C: EHLO box\r\n= failed transient\n",
	}, {
		.name = "STARTTLS required, refused", TLS(SMTP_TLS_REQUIRED), ONE,
		SERVER("220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "454 not now\r\n"),
		.transcript = "C: EHLO box\r\nC: STARTTLS\r\n= failed transient\n",
	}, {
		.name = "STARTTLS opportunistic, refused", TLS(SMTP_TLS_OPPORTUNISTIC), ONE,
		SERVER("220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "454 not now\r\n", "550 no\r\n",
		       "250 reset\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\nC: STARTTLS\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RSET\r\n"
			"= refused\n= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "AUTH PLAIN", AUTH(SMTP_TLS_REQUIRED), ONE,
		SERVER("220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n",
		       "250-mx\r\n250 AUTH CRAM-MD5 LOGIN PLAIN\r\n", "235 in\r\n", "550 no\r\n",
		       "250 reset\r\n", "221 bye\r\n"),
		.transcript = "C: EHLO box\r\nC: STARTTLS\r\n= starttls\nC: EHLO box\r\n"
			"C: AUTH PLAIN AHUAcA==\r\n= ready\nC: MAIL FROM:<me@box>\r\nC: RSET\r\n"
			"= refused\n"
			"= ready\nC: QUIT\r\n= closed\n",
	}, {
		.name = "AUTH LOGIN, refused", AUTH(SMTP_TLS_REQUIRED), ONE,
		SERVER("220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n",
		       "250-mx\r\n250 AUTH=LOGIN\r\n", "334 VXNlcm5hbWU6\r\n",
		       "334 UGFzc3dvcmQ6\r\n",
		       "535 5.7.8 no\r\n"),
		.transcript = "C: EHLO box\r\nC: STARTTLS\r\n= starttls\nC: EHLO box\r\n"
			"C: AUTH LOGIN\r\n"
			"C: dQ==\r\nC: cA==\r\n= failed transient\n",
	}, {
		.name = "no password in the clear", AUTH(SMTP_TLS_OPPORTUNISTIC), ONE,
		SERVER("220 mx\r\n", "250-mx\r\n250 AUTH PLAIN LOGIN\r\n"),
		.transcript = "C: EHLO box\r\n= failed transient\n",
	}, {
		.name = "greeting 554", OPTIONS, ONE,
		SERVER("554 no service\r\n"),
		.transcript = "= failed refused\n",
	}, {
		.name = "421 in the envelope", OPTIONS, ONE,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "421 closing\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= failed transient\n",
	}, {
		.name = "421 after the dot is an answer", OPTIONS, ONE,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "250 ok\r\n", "354 go\r\n",
		       "421 closing\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= 0 accepted\nC: DATA\r\n= dot\nC: a\r\n.\r\n= failed transient\n",
	}, {
		.name = "line lost after the dot", OPTIONS, ONE,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "250 ok\r\n", "354 go\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= 0 accepted\nC: DATA\r\n= dot\nC: a\r\n.\r\n= failed in doubt\n",
	}, {
		.name = "garbage after the dot", OPTIONS, ONE,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "hm\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= 0 accepted\nC: DATA\r\n= dot\nC: a\r\n.\r\n= failed in doubt\n",
	}, {
		.name = "an answer that nobody asked for", OPTIONS, ONE,
		SERVER("220 mx\r\n", EHLO_BARE, "250 ok\r\n", "250 ok\r\n",
		       "354 go\r\n250 early\r\n"),
		.transcript = "C: EHLO box\r\n= ready\nC: MAIL FROM:<me@box>\r\n"
			"C: RCPT TO:<a@x>\r\n"
			"= 0 accepted\nC: DATA\r\n= failed transient\n",
	},
};

static size_t total(const struct dialogue *d)
{
	size_t n = 0;

	for (size_t i = 0; d->server[i]; i++)
		n += strlen(d->server[i]);
	return n;
}

/* The last row's server speaks early on purpose: there the instant counts. */
static bool timing_matters(const struct dialogue *d)
{
	return d == &dialogues[ARRAY_SIZE(dialogues) - 1];
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
		const struct dialogue *d = &dialogues[i];

		if (timing_matters(d))
			continue;
		for (size_t cut = 1; cut < total(d); cut++)
			check(d, cut, WHOLE);
		check(d, WHOLE, 1);
	}
}

/* In doubt exactly when the dot was out and unanswered. The last octet never comes. */
static void test_lost_anywhere(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(dialogues); i++) {
		const struct dialogue *d = &dialogues[i];

		for (size_t stop = 0; stop < total(d); stop++) {
			struct run t;

			run(&t, d, WHOLE, WHOLE, stop);
			if (t.failed && t.end != (t.dot_out ? SMTP_IN_DOUBT : SMTP_TRANSIENT))
				fail_msg("%s, lost at %zu:\n%s", d->name, stop, t.log.data);
			run_free(&t);
		}
	}
}

struct stuffing {
	const char *body, *wire;
};

static const struct stuffing stuffings[] = {
	{ "", ".\r\n" },
	{ "a\r\n", "a\r\n.\r\n" },
	{ "a", "a\r\n.\r\n" },
	{ ".", "..\r\n.\r\n" },
	{ ".\r\n", "..\r\n.\r\n" },
	{ "..\r\n", "...\r\n.\r\n" },
	{ "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a.b\r\n.c\r\n..d", "a.b\r\n..c\r\n...d\r\n.\r\n" },
	{ "\r\n\r\n.\r\n", "\r\n\r\n..\r\n.\r\n" },
	{ "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\r.\rb\r", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\r\n.\nb\r\r\n\n", "a\r\n..\r\nb\r\n\r\n\r\n.\r\n" },
	{ "a\r\nb\nc\r\n", "a\r\nb\r\nc\r\n.\r\n" },
};

static struct smtp_client *at_body_of(const char *s)
{
	const struct smtp_client_options o = { .helo = "box" };
	const struct envelope e = { .from = "", .rcpts = three, .n_rcpts = 1 };
	const char *t = "250 a\r\n250 a\r\n354 a\r\n";
	size_t len = strlen(s);
	struct smtp_client *c;
	struct smtp_event ev;

	assert_int_equal(smtp_client_new(&c, &o), 0);
	assert_true(smtp_client_next(c, &s, &len, &ev));
	assert_int_equal(ev.type, SMTP_READY);
	assert_int_equal(smtp_client_send(c, &e), 0);
	len = strlen(t);
	do {
		assert_true(smtp_client_next(c, &t, &len, &ev));
	} while (ev.type != SMTP_BODY);
	assert_int_equal(smtp_client_timeout(c), SMTP_TIMEOUT_BODY);
	buffer_clear(smtp_client_output(c));
	return c;
}

static struct smtp_client *at_body(void)
{
	return at_body_of("220 a\r\n250 a\r\n");
}

static void check_stuffing(const struct stuffing *row, size_t cut, size_t step)
{
	struct smtp_client *c = at_body();
	size_t len = strlen(row->body), none = 0;
	const char *nothing = NULL;
	struct smtp_event ev;

	for (size_t at = 0, n; at < len; at += n) {
		n = at < cut ? cut - at : step;
		if (n > len - at)
			n = len - at;
		assert_int_equal(smtp_client_body(c, row->body + at, n), 0);
	}
	assert_int_equal(smtp_client_body_end(c), 0);
	assert_int_equal(smtp_client_dot(c), -EBUSY);
	assert_true(smtp_client_next(c, &nothing, &none, &ev));
	assert_int_equal(ev.type, SMTP_DOT);
	assert_int_equal(smtp_client_dot(c), 0);
	assert_int_equal(smtp_client_timeout(c), SMTP_TIMEOUT_DOT);
	assert_string_equal(smtp_client_output(c)->data, row->wire);
	smtp_client_free(c);
}

static void test_dot_stuffing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(stuffings); i++) {
		for (size_t cut = 0; cut <= strlen(stuffings[i].body); cut++)
			check_stuffing(&stuffings[i], cut, WHOLE);
		check_stuffing(&stuffings[i], 0, 1);
	}
}

/* At the dot of a server that said @s, with @e behind it: what goes out. */
static struct smtp_client *followed(const char *s, const struct envelope *e, int want)
{
	struct smtp_client *c = at_body_of(s);
	const char *nothing = NULL;
	struct smtp_event ev;
	size_t none = 0;

	assert_int_equal(smtp_client_follow(c, e), -EBUSY);
	assert_int_equal(smtp_client_body_end(c), 0);
	assert_true(smtp_client_next(c, &nothing, &none, &ev));
	assert_int_equal(ev.type, SMTP_DOT);
	assert_int_equal(smtp_client_follow(c, e), want);
	assert_int_equal(smtp_client_dot(c), 0);
	assert_int_equal(smtp_client_follow(c, e), -EBUSY);
	return c;
}

static void test_what_can_not_follow(void **state)
{
	const struct envelope good = { .from = "me@box", .rcpts = three, .n_rcpts = 1 };
	const struct envelope nobody = { .from = "me@box", .rcpts = three };
	struct smtp_client *c = followed("220 a\r\n250 a\r\n", &good, -EOPNOTSUPP);

	assert_string_equal(smtp_client_output(c)->data, ".\r\n");
	smtp_client_free(c);
	c = followed("220 a\r\n250-a\r\n250 PIPELINING\r\n", &nobody, -EINVAL);
	assert_string_equal(smtp_client_output(c)->data, ".\r\n");
	smtp_client_free(c);
}

/* What the server cannot take is not offered to it, and says so when its turn has come. */
static void test_unfit_behind_the_dot(void **state)
{
	const struct envelope e = { .from = "me@box", .rcpts = three, .n_rcpts = 1, .utf8 = true };
	struct smtp_client *c = followed("220 a\r\n250-a\r\n250 PIPELINING\r\n", &e, 0);
	const char *s = "250 taken\r\n";
	size_t len = strlen(s);
	struct smtp_event ev;

	assert_string_equal(smtp_client_output(c)->data, ".\r\n");
	assert_true(smtp_client_next(c, &s, &len, &ev));
	assert_true(ev.type == SMTP_RESULT && ev.verdict == SMTP_ACCEPTED);
	assert_true(smtp_client_next(c, &s, &len, &ev));
	assert_int_equal(ev.type, SMTP_NEXT);
	assert_true(smtp_client_next(c, &s, &len, &ev));
	assert_true(ev.type == SMTP_RESULT && ev.verdict == SMTP_REFUSED);
	assert_string_equal(ev.enhanced, "5.6.7");
	assert_true(smtp_client_next(c, &s, &len, &ev));
	assert_int_equal(ev.type, SMTP_READY);
	smtp_client_free(c);
}

static void test_refusal_while_the_body_goes_out(void **state)
{
	struct smtp_client *c = at_body();
	const char *s = "552 5.3.4 enough\r\n";
	size_t len = strlen(s);
	struct smtp_event ev;

	assert_int_equal(smtp_client_body(c, "a\r\n", 3), 0);
	assert_true(smtp_client_next(c, &s, &len, &ev));
	assert_int_equal(ev.type, SMTP_FAILED);
	assert_int_equal(ev.verdict, SMTP_REFUSED);
	assert_int_equal(smtp_client_body(c, "a\r\n", 3), -EBUSY);
	smtp_client_free(c);
}

static void test_many_recipients(void **state)
{
	enum { N = 1000 };
	struct envelope_rcpt *rcpts = calloc(N, sizeof(*rcpts));
	const char **server = calloc(N + 8, sizeof(*server));
	struct dialogue d = {
		.name = "many", OPTIONS,
		.e = { .from = "me@box", .rcpts = rcpts, .n_rcpts = N }, .server = server,
	};
	struct run t;
	size_t n = 0;

	assert_true(rcpts && server);
	server[n++] = "220 mx\r\n";
	server[n++] = EHLO_PIPE;
	server[n++] = "250 ok\r\n";
	for (int i = 0; i < N; i++) {
		rcpts[i].address = "a@x";
		server[n++] = i % 2 ? "250 ok\r\n" : "550 no\r\n";
	}
	server[n++] = "354 go\r\n";
	server[n++] = "250 ok\r\n";
	run(&t, &d, WHOLE, WHOLE, WHOLE);
	assert_non_null(strstr(t.log.data, "C: RCPT TO:<a@x>\r\nC: DATA\r\n"));
	assert_non_null(strstr(t.log.data, "= 999 accepted\n= dot\n"));
	assert_int_equal(t.results, 1);
	run_free(&t);
	free(rcpts);
	free(server);
}

static void test_options(void **state)
{
	struct smtp_client *c;

	assert_int_equal(smtp_client_new(&c, &(struct smtp_client_options){ .helo = "" }), -EINVAL);
	assert_int_equal(smtp_client_new(&c, &(struct smtp_client_options){ .helo = "a b" }),
			 -EINVAL);
	assert_int_equal(smtp_client_new(&c, &(struct smtp_client_options){ .helo = "a\r\nQUIT" }),
			 -EINVAL);
	assert_int_equal(smtp_client_new(&c, &(struct smtp_client_options){ .helo = "a",
					 .user = "u" }),
			 -EINVAL);
}

/* What the client wrote last, without its CRLF; empties its output. */
static void take_line(struct smtp_client *c, const char *start, char *to, size_t size)
{
	struct buffer *out = smtp_client_output(c);

	assert_true(out->len >= strlen(start) + 2);
	assert_memory_equal(out->data, start, strlen(start));
	snprintf(to, size, "%.*s", (int)(out->len - strlen(start) - 2), out->data + strlen(start));
	buffer_clear(out);
}

static bool hear(struct smtp_client *c, struct smtp_event *ev, const char *fmt, const char *arg)
{
	_buffer_ struct buffer b = { 0 };
	const char *data;
	size_t len;

	assert_int_equal(buffer_printf(&b, fmt, arg), 0);
	data = b.data;
	len = b.len;
	return smtp_client_next(c, &data, &len, ev);
}

static int on_property(Gsasl *ctx, Gsasl_session *s, Gsasl_property p)
{
	if (p != GSASL_PASSWORD)
		return GSASL_NO_CALLBACK;
	return gsasl_property_set(s, p, "pencil");
}

enum scram_server { HONEST, ANOTHER_PASSWORD, NO_PROOF };

/* A server that knows the password, one that does not, and one that says yes to all. */
static void scram(enum scram_server kind, struct smtp_event *ev)
{
	const struct smtp_client_options o = {
		.helo = "box", .tls_active = true, .user = "box",
		.password = kind == ANOTHER_PASSWORD ? "pen" : "pencil",
	};
	Gsasl_session *session = NULL;
	struct smtp_client *c;
	Gsasl *sasl = NULL;
	char line[2048], *out = NULL;
	int r;

	assert_int_equal(gsasl_init(&sasl), GSASL_OK);
	gsasl_callback_set(sasl, on_property);
	assert_int_equal(gsasl_server_start(sasl, "SCRAM-SHA-256", &session), GSASL_OK);
	assert_int_equal(smtp_client_new(&c, &o), 0);
	assert_false(hear(c, ev, "220 a\r\n", ""));
	take_line(c, "EHLO box", line, sizeof(line));
	assert_false(hear(c, ev, "250-a\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n", ""));
	take_line(c, "AUTH SCRAM-SHA-256 ", line, sizeof(line));
	assert_int_equal(gsasl_step64(session, line, &out), GSASL_NEEDS_MORE);
	assert_false(hear(c, ev, "334 %s\r\n", out));
	gsasl_free(out);
	take_line(c, "", line, sizeof(line));
	out = NULL;
	r = gsasl_step64(session, line, &out);
	if (kind == HONEST) {
		assert_int_equal(r, GSASL_OK);
		assert_false(hear(c, ev, "334 %s\r\n", out));
		take_line(c, "", line, sizeof(line));
		assert_string_equal(line, "");
	}
	if (kind == ANOTHER_PASSWORD) {
		assert_int_equal(r, GSASL_AUTHENTICATION_ERROR);
		assert_true(hear(c, ev, "535 5.7.8 no\r\n", ""));
	} else {
		assert_true(hear(c, ev, "235 2.7.0 ok\r\n", ""));
	}
	gsasl_free(out);
	gsasl_finish(session);
	gsasl_done(sasl);
	smtp_client_free(c);
}

static void test_scram(void **state)
{
	struct smtp_event ev;

	scram(HONEST, &ev);
	assert_int_equal(ev.type, SMTP_READY);
	scram(ANOTHER_PASSWORD, &ev);
	assert_int_equal(ev.type, SMTP_FAILED);
	assert_true(ev.login);
	scram(NO_PROOF, &ev);
	assert_int_equal(ev.type, SMTP_FAILED);
	assert_false(ev.login);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_lost_anywhere),
		cmocka_unit_test(test_dot_stuffing),
		cmocka_unit_test(test_what_can_not_follow),
		cmocka_unit_test(test_unfit_behind_the_dot),
		cmocka_unit_test(test_refusal_while_the_body_goes_out),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_scram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
