/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dialogues with the receiver of SMTP: what the client gets and what the caller is
 * told must be the same wherever the client's bytes are cut, and whether the caller
 * answers at once or later.
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
#include "smtpd_help.h"

static const struct smtp_server_options plain = {
	.hostname = "box.example", .tls_offered = true, .auth_offered = true,
};
static const struct smtp_server_options encrypted = {
	.hostname = "box.example", .tls_offered = true, .tls_active = true, .auth_offered = true,
};
static const struct smtp_server_options submission = {
	.hostname = "box.example", .tls_active = true, .auth_offered = true, .submission = true,
};
static const struct smtp_server_options turning = {
	.hostname = "box.example", .turn_offered = true,
};
static const struct smtp_server_options narrow = {
	.hostname = "box.example", .max_message = 20, .max_rcpts = 2, .max_messages = 2,
	.max_bad = 3, .max_idle = 4, .max_auth = 1, .tls_active = true, .auth_offered = true,
};

static void start(struct smtpd *t, const struct smtp_server_options *o)
{
	assert_int_equal(smtpd_start(t, o), 0);
}

/* Bytes in pieces of @step; @late: the policy takes its time. */
static void run(struct smtpd *t, const struct smtp_server_options *o, const char *data, size_t len,
		size_t step, bool late)
{
	start(t, o);
	t->late = late;
	for (size_t at = 0; at < len; at += step)
		smtpd_feed(t, data + at, len - at < step ? len - at : step);
}

static void same(const struct smtpd *a, const struct smtpd *b)
{
	assert_int_equal(a->out.len, b->out.len);
	assert_string_equal(a->out.data, b->out.data);
	assert_int_equal(a->told.len, b->told.len);
	if (a->told.len)
		assert_memory_equal(a->told.data, b->told.data, a->told.len);
}

/* However it is cut, and however long the policy thinks. */
static void check_cuts(const struct smtp_server_options *o, const struct smtpd_answer *answers,
		       const char *data, size_t len, const struct smtpd *whole)
{
	static const size_t steps[] = { 1, 2, 3, 7, SIZE_MAX / 2 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct smtpd t = { .answers = answers };

		run(&t, o, data, len, steps[i], i % 2 == 0);
		same(&t, whole);
		smtpd_over(&t);
	}
	for (size_t cut = 1; cut < len; cut++) {
		struct smtpd t = { .answers = answers };

		start(&t, o);
		smtpd_feed(&t, data, cut);
		smtpd_feed(&t, data + cut, len - cut);
		same(&t, whole);
		smtpd_over(&t);
	}
}

/* Checks replies (without the greeting's 220) and, where not NULL, what was told. */
static void check_bytes(const struct smtp_server_options *o, const char *data, size_t len,
			const char *replies, const char *told)
{
	struct smtpd t = { 0 };
	_buffer_ struct buffer got = { 0 };

	run(&t, o, data, len, len, false);
	smtpd_summary(&t, &got);
	assert_true(got.len >= 3 && !strncmp(got.data, "220", 3));
	assert_string_equal(got.len > 5 ? got.data + 5 : "", replies);
	if (told)
		assert_string_equal(t.told.data ? t.told.data : "", told);
	check_cuts(o, NULL, data, len, &t);
	smtpd_over(&t);
}

static void check(const struct smtp_server_options *o, const char *data, const char *replies,
		  const char *told)
{
	check_bytes(o, data, strlen(data), replies, told);
}

#define E "EHLO a\r\n"
#define H "HELO a\r\n"
#define M "MAIL FROM:<x@y>\r\n"
#define R "RCPT TO:<u@v>\r\n"
#define D "DATA\r\n"
#define Q "QUIT\r\n"
#define BYE "221 2.0.0"

/*
 * Order
 */

static const struct state {
	const char *name;
	const char *before;
} states[] = {
	{ "fresh", "" }, { "helo", H }, { "ehlo", E }, { "mail", E M }, { "rcpt", E M R },
	{ "refused", E M "RCPT TO:<550@v>\r\n" }, { "chunk", E M R "BDAT 2\r\na\r" },
};

#define STATES ARRAY_SIZE(states)

/* The code of each command in each state. */
static const struct row {
	const char *command;
	int codes[STATES];
} order[] = {
	{ "HELO b", { 250, 250, 250, 250, 250, 250, 250 } },
	{ "EHLO b", { 250, 250, 250, 250, 250, 250, 250 } },
	{ "HELO", { 501, 501, 501, 501, 501, 501, 501 } },
	{ "EHLO <b>", { 501, 501, 501, 501, 501, 501, 501 } },
	{ "HELO 550.example", { 550, 550, 550, 550, 550, 550, 550 } },
	{ "MAIL FROM:<a@b>", { 503, 250, 250, 503, 503, 503, 503 } },
	{ "MAIL FROM:<452@b>", { 503, 452, 452, 503, 503, 503, 503 } },
	{ "MAIL FROM:a@b", { 503, 501, 501, 503, 503, 503, 503 } },
	{ "MAIL", { 503, 501, 501, 503, 503, 503, 503 } },
	{ "SEND FROM:<a@b>", { 503, 250, 250, 503, 503, 503, 503 } },
	{ "SOML FROM:<a@b>", { 503, 250, 250, 503, 503, 503, 503 } },
	{ "SAML FROM:<a@b>", { 503, 250, 250, 503, 503, 503, 503 } },
	{ "RCPT TO:<a@b>", { 503, 503, 503, 250, 250, 250, 503 } },
	{ "RCPT TO:<450@b>", { 503, 503, 503, 450, 450, 450, 503 } },
	{ "RCPT TO:<>", { 503, 503, 503, 501, 501, 501, 503 } },
	{ "RCPT FROM:<a@b>", { 503, 503, 503, 501, 501, 501, 503 } },
	{ "DATA", { 503, 503, 503, 503, 354, 554, 503 } },
	{ "DATA now", { 503, 503, 503, 501, 501, 501, 501 } },
	{ "BDAT 0", { 503, 503, 503, 503, 250, 503, 250 } },
	{ "BDAT 0 LAST", { 503, 503, 503, 503, 250, 503, 554 } },
	{ "RSET", { 250, 250, 250, 250, 250, 250, 250 } },
	{ "RSET all", { 501, 501, 501, 501, 501, 501, 501 } },
	{ "NOOP", { 250, 250, 250, 250, 250, 250, 250 } },
	{ "NOOP and more", { 250, 250, 250, 250, 250, 250, 250 } },
	{ "HELP", { 214, 214, 214, 214, 214, 214, 214 } },
	{ "HELP rcpt", { 214, 214, 214, 214, 214, 214, 214 } },
	{ "HELP me", { 504, 504, 504, 504, 504, 504, 504 } },
	{ "VRFY fred", { 252, 252, 252, 252, 252, 252, 252 } },
	{ "VRFY", { 501, 501, 501, 501, 501, 501, 501 } },
	{ "EXPN 250 list", { 250, 250, 250, 250, 250, 250, 250 } },
	{ "EXPN", { 501, 501, 501, 501, 501, 501, 501 } },
	{ "TURN", { 503, 502, 502, 503, 503, 503, 503 } },
	{ "TURN round", { 503, 501, 501, 503, 503, 503, 503 } },
	{ "STARTTLS", { 503, 503, 220, 503, 503, 503, 503 } },
	{ "STARTTLS now", { 503, 503, 501, 503, 503, 503, 503 } },
	{ "AUTH PLAIN", { 503, 503, 538, 503, 503, 503, 503 } },
	{ "QUIT", { 221, 221, 221, 221, 221, 221, 221 } },
	{ "QUIT now", { 501, 501, 501, 501, 501, 501, 501 } },
	{ "XYZZY", { 500, 500, 500, 500, 500, 500, 500 } },
	{ "MAILFROM:<a@b>", { 500, 500, 500, 500, 500, 500, 500 } },
	{ "", { 500, 500, 500, 500, 500, 500, 500 } },
	{ "GET / HTTP/1.1", { 421, 421, 421, 421, 421, 421, 421 } },
	{ "post /mail", { 421, 421, 421, 421, 421, 421, 421 } },
};

static int last_code(const struct smtpd *t)
{
	const char *last = t->out.data, *nl;

	while ((nl = strchr(last, '\n')) && nl[1])
		last = nl + 1;
	return atoi(last);
}

/* Refused, or without effect by S3: what stood before stands. */
static bool leaves_state(const char *command, int code)
{
	return (code >= 400 && code != 421 && strncmp(command, "BDAT 0 L", 8)) ||
	       !strncmp(command, "NOOP", 4) || !strncmp(command, "HELP", 4) ||
	       !strncmp(command, "VRFY", 4) || !strncmp(command, "EXPN", 4);
}

/* The messages that a probe brings through, with and without the command in question. */
static void check_state_left(const struct state *state, const char *line)
{
	static const char *const probes[] = {
		"\nBDAT 1 LAST\r\n\n" Q, "RCPT TO:<w@x>\r\nBDAT 0 LAST\r\n" Q, M Q,
	};

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		struct smtpd with = { 0 }, without = { 0 };
		const char *probe = probes[i] + (i == 0);

		start(&with, &plain);
		start(&without, &plain);
		smtpd_say(&with, state->before);
		smtpd_say(&without, state->before);
		smtpd_say(&with, line);
		buffer_clear(&with.out);
		buffer_clear(&without.out);
		/* The command's own question is no trace of it. */
		buffer_clear(&with.told);
		buffer_clear(&without.told);
		smtpd_say(&with, probe);
		smtpd_say(&without, probe);
		same(&with, &without);
		smtpd_over(&with);
		smtpd_over(&without);
	}
}

static void commands_in_every_state(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		for (size_t k = 0; k < STATES; k++) {
			struct smtpd t = { .wait_tls = true };
			char line[64];
			int code;

			snprintf(line, sizeof(line), "%s\r\n", order[i].command);
			start(&t, &plain);
			smtpd_say(&t, states[k].before);
			buffer_clear(&t.out);
			smtpd_say(&t, line);
			code = last_code(&t);
			if (code != order[i].codes[k])
				fail_msg("\"%s\" in %s: %d instead of %d", order[i].command,
					 states[k].name, code, order[i].codes[k]);
			smtpd_over(&t);
			if (leaves_state(order[i].command, code))
				check_state_left(&states[k], line);
		}
}

/*
 * Section 4.3: each code that a command may be answered with
 */

static void replies_of_the_table(void **state)
{
	static const struct {
		const char *before, *command;
		int codes[12];
	} rows[] = {
		{ "", "HELO %d.example", { 421, 500, 501, 504 } },
		{ H, "MAIL FROM:<%d@x>", { 250, 552, 451, 452, 500, 501, 421 } },
		{ H M, "RCPT TO:<%d@x>",
		  { 250, 251, 550, 551, 552, 553, 450, 451, 452, 500, 501, 421 } },
		{ H M R D, "X-Code: %d\r\n.", { 250, 552, 554, 451, 452, 421 } },
		{ H, "SEND FROM:<%d@x>", { 250, 552, 451, 452, 500, 501, 502, 421 } },
		{ H, "SOML FROM:<%d@x>", { 250, 552, 451, 452, 500, 501, 502, 421 } },
		{ H, "SAML FROM:<%d@x>", { 250, 552, 451, 452, 500, 501, 502, 421 } },
		{ H, "VRFY %d", { 250, 251, 550, 551, 553, 500, 501, 502, 504, 421 } },
		{ H, "EXPN %d", { 250, 550, 500, 501, 502, 504, 421 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].codes) && rows[i].codes[k]; k++) {
			struct smtpd t = { 0 };
			char line[64];

			snprintf(line, sizeof(line), rows[i].command, rows[i].codes[k]);
			strcat(line, "\r\n");
			start(&t, &plain);
			smtpd_say(&t, rows[i].before);
			smtpd_say(&t, line);
			assert_int_equal(last_code(&t), rows[i].codes[k]);
			assert_int_equal(t.closed, rows[i].codes[k] == 421);
			smtpd_over(&t);
		}
}

static void replies_speak_as_asked(void **state)
{
	static const struct smtpd_answer answers[] = {
		{ "list", 250, "A <a@b>\nB <c@d>\r\nQUIT" },
		{ "long", 550, NULL },
		{ NULL, 0, NULL },
	};
	struct smtpd_answer wide[] = { { "wide", 250, NULL }, { NULL, 0, NULL } };
	struct smtpd t = { .answers = answers };
	char text[700];

	(void)state;
	start(&t, &plain);
	assert_string_equal(smtp_server_output(t.s)->data,
			    "220 box.example ESMTP Service ready\r\n");
	smtpd_say(&t, H);
	buffer_clear(&t.out);
	smtpd_say(&t, "EXPN list\r\nVRFY long\r\nHELP data\r\n");
	assert_string_equal(t.out.data, "250-A <a@b>\r\n250-B <c@d>?\r\n250 QUIT\r\n"
					"550 Mailbox unavailable\r\n214 DATA\r\n");
	smtpd_say(&t, E);
	buffer_clear(&t.out);
	smtpd_say(&t, "EXPN list\r\n");
	assert_string_equal(t.out.data, "250-2.0.0 A <a@b>\r\n250-2.0.0 B <c@d>?\r\n"
					"250 2.0.0 QUIT\r\n");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	wide[0].text = text;
	t.answers = wide;
	buffer_clear(&t.out);
	smtpd_say(&t, "VRFY wide\r\n");
	assert_int_equal(t.out.len, 512);
	smtpd_over(&t);
}

/* A code's first digit is its status code's; octets beyond ASCII only after SMTPUTF8. */
static void replies_are_made_fit(void **state)
{
	struct smtpd t = { .late = true };
	const char *line = E "VRFY x\r\nVRFY y SMTPUTF8\r\nVRFY z\r\n";
	size_t len = strlen(line);
	struct smtp_server_event ev;

	(void)state;
	start(&t, &plain);
	assert_int_equal(smtp_server_reply(t.s, 250, NULL, NULL), -EBUSY);
	assert_true(smtp_server_next(t.s, &line, &len, &ev));
	assert_false(smtp_server_next(t.s, &line, &len, &ev));
	assert_int_equal(smtp_server_reply(t.s, 0, NULL, NULL), 0);
	assert_true(smtp_server_next(t.s, &line, &len, &ev));
	buffer_clear(smtp_server_output(t.s));
	assert_int_equal(smtp_server_reply(t.s, 354, NULL, NULL), -EINVAL);
	assert_int_equal(smtp_server_reply(t.s, 99, NULL, NULL), -EINVAL);
	assert_int_equal(smtp_server_reply(t.s, 600, NULL, NULL), -EINVAL);
	assert_int_equal(smtp_server_verifier(t.s, NULL), -EBUSY);
	assert_int_equal(smtp_server_secured(t.s), -EBUSY);
	assert_int_equal(smtp_server_reply(t.s, 550, "2.1.1", "\xc3\xa9"), 0);
	assert_true(smtp_server_next(t.s, &line, &len, &ev));
	assert_string_equal(ev.argument, "y");
	assert_int_equal(smtp_server_reply(t.s, 250, "2.1.5", "\xc3\xa9 <y@z>"), 0);
	assert_true(smtp_server_next(t.s, &line, &len, &ev));
	assert_int_equal(smtp_server_reply(t.s, 250, "2.1.5", "\xc3\xa9 <y@z>"), 0);
	assert_string_equal(smtp_server_output(t.s)->data,
			    "550 5.0.0 ??\r\n250 2.1.5 \xc3\xa9 <y@z>\r\n250 2.1.5 ?? <y@z>\r\n");
	buffer_clear(smtp_server_output(t.s));
	smtpd_over(&t);
}

static void ehlo_tells_what_there_is(void **state)
{
	struct smtpd t = { 0 };

	(void)state;
	start(&t, &plain);
	smtpd_say(&t, E);
	assert_non_null(strstr(t.out.data, "250-box.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
					   "250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n"
					   "250-CHUNKING\r\n250-SMTPUTF8\r\n"));
	assert_non_null(strstr(t.out.data, "250-STARTTLS\r\n"));
	assert_non_null(strstr(t.out.data, "250-SIZE 52428800\r\n"));
	assert_null(strstr(t.out.data, "AUTH"));
	assert_null(strstr(t.out.data, "TURN"));
	assert_null(strstr(t.out.data, "BINARYMIME"));
	buffer_clear(&t.out);
	smtpd_say(&t, "STARTTLS\r\n");
	smtpd_say(&t, E);
	assert_null(strstr(t.out.data, "250-STARTTLS"));
	assert_non_null(strstr(t.out.data, "250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"));
	smtpd_over(&t);
}

/*
 * Mail
 */

static void mail_goes_through(void **state)
{
	(void)state;
	check(&plain, H M R D "a\r\n\r\nb\r\n.\r\n" M R D ".\r\n" Q,
	      "250, 250, 250, 354, 250, 250, 250, 354, 250, 221",
	      "helo a\nmail <x@y>\nrcpt <u@v> of 1, 0 hops\nend of 1: a\r\n\r\nb\r\n\n"
	      "mail <x@y>\nrcpt <u@v> of 1, 0 hops\nend of 1: \nclose\n");
	check(&plain, "ehlo a\r\nMaIl fRoM:<@p,@q:X@y>\r\nrcpt to: <@r:U@v>\r\n"
	      "RCPT TO:<551@v>\r\nRCPT TO:<251@v>\r\ndata\r\n..\r\n.x\r\n..y\r\n.\r\nquit  \r\n",
	      "250, 250 2.1.0, 250 2.1.5, 551 5.0.0, 251 2.0.0, 354, 250 2.0.0, " BYE,
	      "helo a\nmail <@p,@q:X@y>\nrcpt <U@v> of 1, 1 hops\nrcpt <551@v> of 2, 0 hops\n"
	      "rcpt <251@v> of 2, 0 hops\nend of 2: .\r\nx\r\n.y\r\n\nclose\n");
	check(&plain, H "SEND FROM:<>\r\nRSET\r\nSOML FROM:<a@b>\r\nHELO b\r\n"
	      "SAML FROM:<a@b>\r\n" Q,
	      "250, 250, 250, 250, 250, 250, 221",
	      "helo a\nmail send <>\nreset\nmail soml <a@b>\nhelo b\nreset\nmail saml <a@b>\n"
	      "reset\nclose\n");
	check(&plain, E M R D "X-Code: 451\r\n.\r\n" M Q,
	      "250, 250 2.1.0, 250 2.1.5, 354, 451 4.0.0, 250 2.1.0, " BYE, NULL);
}

static void chunks_go_through(void **state)
{
	(void)state;
	check(&plain, E M R "BDAT 4\r\na\r\n.BDAT 5 LAST\r\n\r\n.\r\n" M R "BDAT 0 LAST\r\n" Q,
	      "250, 250 2.1.0, 250 2.1.5, 250 2.0.0, 250 2.0.0, 250 2.1.0, 250 2.1.5, 250 2.0.0, "
	      BYE,
	      "helo a\nmail <x@y>\nrcpt <u@v> of 1, 0 hops\nend of 1: a\r\n.\r\n.\r\n\n"
	      "mail <x@y>\nrcpt <u@v> of 1, 0 hops\nend of 1: \nclose\n");
	/* The octets of a chunk that may not stand are no commands. */
	check(&plain, E "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "250, 503 5.5.1, 250 2.0.0",
	      "helo a\n");
	check(&plain, E M R "BDAT 4\r\na\nb\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
	      "250, 250 2.1.0, 250 2.1.5, 554 5.6.0, 503 5.5.1, 250 2.0.0", NULL);
	check(&plain, E M R "BDAT 2 LAST\r\na\rNOOP\r\n",
	      "250, 250 2.1.0, 250 2.1.5, 554 5.6.0, 250 2.0.0", NULL);
	check(&narrow, E M R "BDAT 12\r\n0123456789\r\nBDAT 9 LAST\r\nQUIT\r\nab\nNOOP\r\n",
	      "250, 250 2.1.0, 250 2.1.5, 250 2.0.0, 552 5.3.4, 250 2.0.0",
	      "helo a\nmail <x@y>\nrcpt <u@v> of 1, 0 hops\nreset\n");
	check(&plain, E M R "BDAT 1\r\naRSET\r\n" M R D ".\r\n",
	      "250, 250 2.1.0, 250 2.1.5, 250 2.0.0, 250 2.0.0, 250 2.1.0, 250 2.1.5, 354, "
	      "250 2.0.0", NULL);
	/* How many octets follow cannot be told: the session is at its end. */
	check(&plain, E M R "BDAT x\r\nNOOP\r\n", "250, 250 2.1.0, 250 2.1.5, 501 5.5.4", NULL);
	check(&plain, E M R "BDAT 5 FIRST\r\nNOOP\r\n", "250, 250 2.1.0, 250 2.1.5, 501 5.5.4",
	      NULL);
	check(&plain, E "BDAT 18446744073709551616\r\nNOOP\r\n", "250, 501 5.5.4", NULL);
	check(&plain, E "BDAT\t5\r\nNOOP\r\n", "250, 500 5.5.1, 250 2.0.0", NULL);
	check(&plain, E "BDAT \xff\r\nNOOP\r\n", "250, 500 5.5.2", NULL);
}

/* CRLF.CRLF ends a message, and nothing else does. */
static void nothing_is_smuggled(void **state)
{
	static const char *const ends[] = {
		"\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r\n", "\r\n.\r", "\r.\r", "\n.\r",
		"\r\r\n.\r\r\n", "\r\n.\r\r\n", "\n\n.\r\n", "\r\n\n.\r\n",
	};
	static const char nul[] = H M R D "a\r\n.\0\r\nb\r\n.\r\n" Q;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		char data[200];

		snprintf(data, sizeof(data), H M R D "a%s" "MAIL FROM:<m@n>\r\n.\r\n" Q, ends[i]);
		check(&plain, data, "250, 250, 250, 354, 554, 221",
		      "helo a\nmail <x@y>\nrcpt <u@v> of 1, 0 hops\nreset\nclose\n");
	}
	check_bytes(&plain, nul, sizeof(nul) - 1, "250, 250, 250, 354, 554, 221",
		    "helo a\nmail <x@y>\nrcpt <u@v> of 1, 0 hops\nreset\nclose\n");
	check(&plain, H M R D "a\r\r\n.\r\n" Q, "250, 250, 250, 354, 554, 221", NULL);
	check(&plain, H M R D "a\nb\r\n.\r\n" Q, "250, 250, 250, 354, 554, 221", NULL);
	check(&plain, H M R D "a\rb\r\n.\r\n" Q, "250, 250, 250, 354, 554, 221", NULL);
	/* Nor is a command ended by less than CRLF. */
	check(&plain, H "NOOP\nMAIL FROM:<a@b>\r\n", "250, 500", "helo a\n");
	check(&plain, H "NOOP\rMAIL FROM:<a@b>\r\n", "250, 500", "helo a\n");
	check_bytes(&plain, H "NOOP\0x\r\n", 8 + 8, "250, 500", "helo a\n");
}

static void long_texts_are_taken(void **state)
{
	_buffer_ struct buffer data = { 0 };
	struct smtpd t = { 0 };

	(void)state;
	start(&t, &plain);
	smtpd_say(&t, E M R D);
	for (int i = 0; i < 5000; i++)
		buffer_printf(&data, "....x");
	buffer_printf(&data, "\r\n.%01000d\r\n..\r\n.\r\n", 7);
	smtpd_feed(&t, data.data, data.len);
	assert_int_equal(last_code(&t), 250);
	/* One dot less at the start of each of the three lines. */
	assert_non_null(strstr(t.told.data, "end of 1: ...x....x"));
	assert_non_null(strstr(t.told.data, "x\r\n000"));
	assert_non_null(strstr(t.told.data, "7\r\n.\r\n\n"));
	smtpd_over(&t);
}

/*
 * Parameters
 */

static void parameters(void **state)
{
	static const struct {
		const char *mail, *rcpt, *replies;
	} rows[] = {
		{ " SIZE=100 BODY=8BITMIME RET=HDRS ENVID=a+2Bb", " NOTIFY=SUCCESS,DELAY "
		  "ORCPT=rfc822;a+40b", "250 2.1.0, 250 2.1.5" },
		{ " body=7bit ret=full auth=<>  size=0", " notify=never", "250 2.1.0, 250 2.1.5" },
		{ " AUTH=e+3Dmc2@example.com", "", "250 2.1.0, 250 2.1.5" },
		{ " SIZE=99999999999", "", "552 5.3.4, 503 5.5.1" },
		{ " SIZE=18446744073709551616", "", "552 5.3.4, 503 5.5.1" },
		{ " SIZE=99999999999999999999", "", "552 5.3.4, 503 5.5.1" },
		{ " SIZE=184467440737095516160", "", "501 5.5.4, 503 5.5.1" },
		{ " SIZE=", "", "501 5.5.4, 503 5.5.1" },
		{ " SIZE=-1", "", "501 5.5.4, 503 5.5.1" },
		{ " SIZE", "", "501 5.5.4, 503 5.5.1" },
		{ " SIZE=1 SIZE=1", "", "501 5.5.4, 503 5.5.1" },
		{ " BODY=BINARYMIME", "", "555 5.5.4, 503 5.5.1" },
		{ " BODY=9BIT", "", "501 5.5.4, 503 5.5.1" },
		{ " RET=SOME", "", "501 5.5.4, 503 5.5.1" },
		{ " ENVID=", "", "501 5.5.4, 503 5.5.1" },
		{ " ENVID=a+0D+0Ab", "", "501 5.5.4, 503 5.5.1" },
		{ " ENVID=a+4", "", "501 5.5.4, 503 5.5.1" },
		{ " ENVID=a=b", "", "501 5.5.4, 503 5.5.1" },
		{ " ENVID=a+3Db", "", "250 2.1.0, 250 2.1.5" },
		{ " SMTPUTF8=1", "", "501 5.5.4, 503 5.5.1" },
		{ " NOTIFY=NEVER", "", "555 5.5.4, 503 5.5.1" },
		{ " X", "", "555 5.5.4, 503 5.5.1" },
		{ "SIZE=1", "", "501 5.5.4, 503 5.5.1" },
		{ "", " NOTIFY=NEVER,SUCCESS", "250 2.1.0, 501 5.5.4" },
		{ "", " NOTIFY=", "250 2.1.0, 501 5.5.4" },
		{ "", " NOTIFY=SUCCESS,", "250 2.1.0, 501 5.5.4" },
		{ "", " ORCPT=rfc822", "250 2.1.0, 501 5.5.4" },
		{ "", " ORCPT=;a", "250 2.1.0, 501 5.5.4" },
		{ "", " ORCPT=rfc822;a=b@c", "250 2.1.0, 501 5.5.4" },
		{ "", " ORCPT=rfc822;a+0A", "250 2.1.0, 501 5.5.4" },
		{ "", " ORCPT=rfc822;+C3+A9", "250 2.1.0, 501 5.5.4" },
		{ "", " ORCPT=utf-8;+C3+A9", "250 2.1.0, 250 2.1.5" },
		{ "", " ORCPT=utf-8;+C3", "250 2.1.0, 501 5.5.4" },
		{ "", " SIZE=1", "250 2.1.0, 555 5.5.4" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char data[300], replies[100];

		snprintf(data, sizeof(data), E "MAIL FROM:<a@b>%s\r\nRCPT TO:<c@d>%s\r\n",
			 rows[i].mail, rows[i].rcpt);
		snprintf(replies, sizeof(replies), "250, %s", rows[i].replies);
		check(&plain, data, replies, NULL);
	}
	check(&plain, H "MAIL FROM:<a@b> SIZE=1\r\n" M "RCPT TO:<a@b> NOTIFY=NEVER\r\n",
	      "250, 501, 250, 501", NULL);
}

/* What the caller gets to see of them. */
static void parameters_reach_the_envelope(void **state)
{
	const char *line = E "MAIL FROM:<a@b> SIZE=77 BODY=8BITMIME RET=HDRS ENVID=a+2Bb "
			   "SMTPUTF8\r\nRCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+40b\r\n";
	size_t len = strlen(line);
	struct smtp_server_event ev;
	struct smtp_server *s;

	(void)state;
	assert_int_equal(smtp_server_new(&s, &plain), 0);
	assert_true(smtp_server_next(s, &line, &len, &ev));
	smtp_server_reply(s, 0, NULL, NULL);
	assert_true(smtp_server_next(s, &line, &len, &ev));
	assert_int_equal(ev.type, SMTPD_MAIL);
	assert_int_equal(ev.envelope->size, 77);
	assert_true(ev.envelope->eight_bit && ev.envelope->utf8);
	assert_int_equal(ev.envelope->ret, RET_HDRS);
	assert_string_equal(ev.envelope->envid, "a+b");
	smtp_server_reply(s, 0, NULL, NULL);
	assert_true(smtp_server_next(s, &line, &len, &ev));
	assert_int_equal(ev.envelope->rcpts[0].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_string_equal(ev.envelope->rcpts[0].orcpt, "rfc822;a@b");
	assert_null(ev.envelope->rcpts[0].user);
	assert_string_equal(ev.path->domain, "d");
	smtp_server_free(s);
}

static void beyond_ascii(void **state)
{
	(void)state;
	check(&plain, E "MAIL FROM:<\xc3\xa9@\xc3\xbc.de> SMTPUTF8\r\nRCPT TO:<\xc3\xa9@b>\r\n",
	      "250, 250 2.1.0, 250 2.1.5",
	      "helo a\nmail <\xc3\xa9@\xc3\xbc.de>\nrcpt <\xc3\xa9@b> of 1, 0 hops\n");
	check(&plain, E "MAIL FROM:<\xc3\xa9@b>\r\n" M "RCPT TO:<\xc3\xa9@b>\r\nVRFY \xc3\xa9\r\n"
	      "VRFY \xc3\xa9 smtputf8\r\nVRFY \xc3 SMTPUTF8\r\nNOOP \xc3\xa9\r\n",
	      "250, 553 5.6.7, 250 2.1.0, 553 5.6.7, 553 5.6.7, 252 2.0.0, 501 5.5.2, 500 5.5.2",
	      NULL);
	check(&plain, E "MAIL FROM:<\xc3@b> SMTPUTF8\r\nMAIL FROM:<\xc0\xafx@b> SMTPUTF8\r\n",
	      "250, 501 5.1.7, 501 5.1.7", NULL);
	check(&plain, H "MAIL FROM:<\xc3\xa9@b>\r\nVRFY \xc3\xa9 SMTPUTF8\r\n", "250, 500, 500",
	      NULL);
}

/*
 * Limits
 */

static char *line_of(const char *front, size_t total, const char *back)
{
	char *s = malloc(total + 1);
	size_t n = strlen(front), m = strlen(back);

	assert_non_null(s);
	memset(s, 'x', total);
	memcpy(s, front, n);
	memcpy(s + total - m, back, m);
	s[total] = '\0';
	return s;
}

static void lines_have_an_end(void **state)
{
	static const struct {
		const char *before, *front;
		size_t max;
		const char *good, *bad;
	} rows[] = {
		{ "", "NOOP ", 512, "250", "500" },
		{ "", "XYZZY ", 512, "500", "500" },
		{ E, "MAIL FROM:<a@b> ", 512 + 660, "250, 555 5.5.4", "250, 500 5.5.2" },
		{ E M, "RCPT TO:<a@b> ", 1012, "250, 250 2.1.0, 555 5.5.4",
		  "250, 250 2.1.0, 500 5.5.2" },
		{ E, "AUTH ", 12288, "250, 504 5.5.4", "250, 500 5.5.2" },
		{ E "AUTH LOGIN\r\n", "", 12288, "250, 334, 501 5.5.2", "250, 334, 500 5.5.6" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int beyond = 0; beyond < 2; beyond++) {
			_free_ char *line = line_of(rows[i].front, rows[i].max + beyond, "\r\n");
			struct smtpd whole = { 0 }, cut = { 0 };
			_buffer_ struct buffer got = { 0 }, data = { 0 };
			char want[100];

			buffer_printf(&data, "%s%sNOOP\r\n", rows[i].before, line);
			run(&whole, &encrypted, data.data, data.len, data.len, false);
			run(&cut, &encrypted, data.data, data.len, 1, false);
			same(&whole, &cut);
			smtpd_summary(&whole, &got);
			snprintf(want, sizeof(want), "220, %s, 250%s",
				 beyond ? rows[i].bad : rows[i].good, i < 2 ? "" : " 2.0.0");
			assert_string_equal(got.data, want);
			smtpd_over(&whole);
			smtpd_over(&cut);
		}
}

static void limits(void **state)
{
	(void)state;
	/* recipients: what RFC 821 calls it, and RFC 5321 */
	check(&narrow, H M R R R D ".\r\n", "250, 250, 250, 250, 552, 354, 250", NULL);
	check(&narrow, E M R R R "RCPT TO:<550@v>\r\n" D ".\r\n",
	      "250, 250 2.1.0, 250 2.1.5, 250 2.1.5, 452 4.5.3, 452 4.5.3, 354, 250 2.0.0", NULL);
	check(&narrow, E M R R R R R R R R R,
	      "250, 250 2.1.0, 250 2.1.5, 250 2.1.5, 452 4.5.3, 452 4.5.3, 452 4.5.3, 452 4.5.3, "
	      "452 4.5.3, 421 4.7.0",
	      NULL);
	/* names that are guessed: as many as a mail may have recipients, since the last mail */
	check(&narrow, E M "RCPT TO:<550@v>\r\n" R "RCPT TO:<450@v>\r\n" R,
	      "250, 250 2.1.0, 550 5.0.0, 250 2.1.5, 450 4.0.0, 421 4.7.0", NULL);
	check(&narrow, E M "RCPT TO:<550@v>\r\n" R D ".\r\n" M "RCPT TO:<550@v>\r\n" R D ".\r\n" Q,
	      "250, 250 2.1.0, 550 5.0.0, 250 2.1.5, 354, 250 2.0.0, 250 2.1.0, 550 5.0.0, "
	      "250 2.1.5, 354, 250 2.0.0, " BYE, NULL);
	/* size, as said and as it is */
	check(&narrow, E "MAIL FROM:<a@b> SIZE=20\r\nRSET\r\nMAIL FROM:<a@b> SIZE=21\r\n",
	      "250, 250 2.1.0, 250 2.0.0, 552 5.3.4", NULL);
	check(&narrow, E M R D "0123456789\r\n012345\r\n.\r\n"
	      M R D "0123456789\r\n0123456\r\n.\r\n" Q,
	      "250, 250 2.1.0, 250 2.1.5, 354, 250 2.0.0, 250 2.1.0, 250 2.1.5, 354, 552 5.3.4, "
	      BYE,
	      "helo a\nmail <x@y>\nrcpt <u@v> of 1, 0 hops\nend of 1: 0123456789\r\n012345\r\n\n"
	      "mail <x@y>\nrcpt <u@v> of 1, 0 hops\nreset\nclose\n");
	/* mails of a session */
	check(&narrow, H M R D ".\r\n" M R D ".\r\n" M,
	      "250, 250, 250, 354, 250, 250, 250, 354, 250, 421", NULL);
	/* commands that are none, and commands that lead to none */
	check(&narrow, "X\r\nX\r\nX\r\nNOOP\r\nX\r\nNOOP\r\n", "500, 500, 500, 250, 421", NULL);
	check(&narrow, H "NOOP\r\nRSET\r\nVRFY 250\r\nHELP\r\nX\r\n",
	      "250, 250, 250, 250, 421", NULL);
	check(&narrow, H "NOOP\r\n" M R D ".\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n",
	      "250, 250, 250, 250, 354, 250, 250, 250, 250, 250, 421", NULL);
	/* log-in */
	check(&narrow, E "AUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\nNOOP\r\n",
	      "250, 535 5.7.8, 421 4.7.0",
	      "helo a\nverifier a\nauth failed a\nverifier a\nauth failed a\nclose\n");
}

static void a_path_has_its_length(void **state)
{
	_free_ char *good = line_of("RCPT TO:<", 8 + 256 + 2, "@d>\r\n");
	_free_ char *bad = line_of("RCPT TO:<", 8 + 257 + 2, "@d>\r\n");
	_buffer_ struct buffer data = { 0 };

	(void)state;
	buffer_printf(&data, H M "%s%s", good, bad);
	check(&plain, data.data, "250, 250, 250, 501", NULL);
}

/*
 * STARTTLS, AUTH, TURN
 */

static void nothing_goes_across_starttls(void **state)
{
	struct smtpd t = { .wait_tls = true };
	_buffer_ struct buffer got = { 0 };
	bool ehlo;

	(void)state;
	/* What is there with the command is refused. */
	start(&t, &plain);
	smtpd_say(&t, E "STARTTLS\r\nRSET\r\n");
	assert_true(t.closed);
	smtpd_summary(&t, &got);
	assert_string_equal(got.data, "220, 250, 503 5.5.1");
	smtpd_over(&t);
	/* What comes before the handshake is dropped, and so is what was known. */
	t = (struct smtpd){ .wait_tls = true };
	start(&t, &plain);
	smtpd_say(&t, E "STARTTLS\r\n");
	smtpd_say(&t, "MAIL FROM:<evil@x>\r\nMAI");
	assert_int_equal(smtp_server_secured(t.s), 0);
	assert_null(smtp_server_helo(t.s, &ehlo));
	assert_false(ehlo);
	smtpd_say(&t, M E "STARTTLS\r\n");
	buffer_clear(&got);
	smtpd_summary(&t, &got);
	assert_string_equal(got.data, "220, 250, 220 2.0.0, 503, 250, 503 5.5.1");
	smtpd_over(&t);
}

static void log_in_by_password(void **state)
{
	static const struct {
		const char *data, *replies, *user;
	} rows[] = {
		{ E "AUTH PLAIN AGZyZWQAcGVuY2ls\r\n", "250, 235 2.7.0", "fred" },
		{ E "AUTH plain ZnJlZABmcmVkAHBlbmNpbA==\r\n", "250, 235 2.7.0", "fred" },
		{ E "AUTH PLAIN\r\nAGZyZWQAcGVuY2ls\r\n", "250, 334, 235 2.7.0", "fred" },
		{ E "AUTH PLAIN bm9uZQBmcmVkAHBlbmNpbA==\r\n", "250, 535 5.7.8", NULL },
		{ E "AUTH PLAIN AGZyZWQAcGVuY2lM\r\n", "250, 535 5.7.8", NULL },
		{ E "AUTH PLAIN AGpvZQBwZW5jaWw=\r\n", "250, 535 5.7.8", NULL },
		{ E "AUTH PLAIN AGZyZWQ=\r\n", "250, 501 5.5.2", NULL },
		{ E "AUTH PLAIN AGZyZWQA\r\n", "250, 501 5.5.2", NULL },
		{ E "AUTH PLAIN AABwZW5jaWw=\r\n", "250, 501 5.5.2", NULL },
		{ E "AUTH PLAIN =\r\n", "250, 501 5.5.2", NULL },
		{ E "AUTH PLAIN %%%\r\n", "250, 501 5.5.2", NULL },
		{ E "AUTH PLAIN\r\n*\r\nNOOP\r\n", "250, 334, 501 5.7.0, 250 2.0.0", NULL },
		{ E "AUTH LOGIN\r\nZnJlZA==\r\ncGVuY2ls\r\n", "250, 334, 334, 235 2.7.0", "fred" },
		{ E "AUTH LOGIN ZnJlZA==\r\ncGVuY2ls\r\n", "250, 334, 235 2.7.0", "fred" },
		{ E "AUTH LOGIN ZnJlZA==\r\ncGVuY2lM\r\n", "250, 334, 535 5.7.8", NULL },
		{ E "AUTH LOGIN ZnJlZA==\r\n\r\n", "250, 334, 501 5.5.2", NULL },
		{ E "AUTH LOGIN ZnJlZA==\r\n*\r\n", "250, 334, 501 5.7.0", NULL },
		{ E "AUTH LOGIN ZgpyZWQ=\r\n", "250, 501 5.5.2", NULL },
		{ E "AUTH CRAM-MD5\r\n", "250, 504 5.5.4", NULL },
		{ E "AUTH PLAIN a b\r\n", "250, 501 5.5.4", NULL },
		{ E "AUTH PLAIN AGZyZWQAcGVuY2ls\r\nAUTH PLAIN\r\n",
		  "250, 235 2.7.0, 503 5.5.1", "fred" },
		{ H "AUTH PLAIN\r\n", "250, 503", NULL },
	};
	struct scram_verifier v;

	(void)state;
	assert_int_equal(scram_verifier_make("pencil", &v, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t step = 1; step < 2000; step += 1998) {
			struct smtpd t = { .verifier = &v, .late = step == 1 };
			_buffer_ struct buffer got = { 0 };

			run(&t, &encrypted, rows[i].data, strlen(rows[i].data), step, step == 1);
			smtpd_summary(&t, &got);
			assert_string_equal(got.data + 5, rows[i].replies);
			if (rows[i].user)
				assert_string_equal(smtp_server_user(t.s), rows[i].user);
			else
				assert_null(smtp_server_user(t.s));
			assert_int_equal(!!strstr(t.told.data, "\nauthenticated fred\n"),
					 rows[i].user != NULL);
			assert_int_equal(!!strstr(t.told.data, "\nauth failed "),
					 strstr(rows[i].replies, "535") != NULL);
			smtpd_over(&t);
		}
}

static void log_in_is_asked_for(void **state)
{
	struct scram_verifier v;
	struct smtpd t = { .verifier = &v };
	_buffer_ struct buffer got = { 0 };

	(void)state;
	assert_int_equal(scram_verifier_make("pencil", &v, NULL), 0);
	start(&t, &submission);
	smtpd_say(&t, E M "AUTH PLAIN AGZyZWQAcGVuY2ls\r\n" M);
	smtpd_summary(&t, &got);
	assert_string_equal(got.data, "220, 250, 530 5.7.0, 235 2.7.0, 250 2.1.0");
	smtpd_over(&t);
	check(&plain, E "AUTH PLAIN AGZyZWQAcGVuY2ls\r\n", "250, 538 5.7.11", NULL);
	check(&turning, E "AUTH PLAIN AGZyZWQAcGVuY2ls\r\nSTARTTLS\r\n",
	      "250, 502 5.5.1, 502 5.5.1", NULL);
}

/* The last reply's words, decoded, go into the client's side, and its answer is said. */
static int scram_turn(struct smtpd *t, Gsasl_session *client, const char *verb)
{
	const char *last = t->out.data, *nl;
	_free_ char *line = NULL;
	_free_ char *challenge = NULL;
	char *out = NULL;
	int rc;

	while ((nl = strchr(last, '\n')) && nl[1])
		last = nl + 1;
	challenge = strndup(*verb ? "" : last + 4, strcspn(last + 4, "\r"));
	rc = gsasl_step64(client, challenge, &out);
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return rc;
	assert_true(asprintf(&line, "%s%s\r\n", verb, out) > 0);
	gsasl_free(out);
	smtpd_say(t, line);
	return rc;
}

static int scram(struct smtpd *t, const char *user, const char *password)
{
	Gsasl_session *client;
	Gsasl *ctx;
	int rc;

	assert_int_equal(gsasl_init(&ctx), GSASL_OK);
	assert_int_equal(gsasl_client_start(ctx, "SCRAM-SHA-256", &client), GSASL_OK);
	gsasl_property_set(client, GSASL_AUTHID, user);
	gsasl_property_set(client, GSASL_PASSWORD, password);
	smtpd_say(t, E);
	rc = scram_turn(t, client, "AUTH SCRAM-SHA-256 ");
	assert_int_equal(rc, GSASL_NEEDS_MORE);
	assert_int_equal(last_code(t), 334);
	rc = scram_turn(t, client, "");
	if (last_code(t) == 334)
		rc = scram_turn(t, client, "");
	gsasl_finish(client);
	gsasl_done(ctx);
	return rc;
}

static void log_in_by_scram(void **state)
{
	static const struct {
		const char *user, *password;
		int code;
	} rows[] = {
		{ "fred", "pencil", 235 }, { "fred", "pen", 535 }, { "joe", "pencil", 535 },
		{ "fr,ed=", "pencil", 535 },
	};
	struct scram_verifier v;

	(void)state;
	assert_int_equal(scram_verifier_make("pencil", &v, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct smtpd t = { .verifier = &v, .late = i % 2 };
		char name[40];
		int rc;

		start(&t, &encrypted);
		rc = scram(&t, rows[i].user, rows[i].password);
		assert_int_equal(last_code(&t), rows[i].code);
		/* The client has our proof, too. */
		if (rows[i].code == 235)
			assert_int_equal(rc, GSASL_OK);
		snprintf(name, sizeof(name), "verifier %s\n", rows[i].user);
		assert_non_null(strstr(t.told.data, name));
		smtpd_over(&t);
	}
}

/* A message that SCRAM does not have, in each of its places. */
static void scram_refuses_nonsense(void **state)
{
	struct scram_verifier v;
	struct smtpd t = { .verifier = &v };
	_buffer_ struct buffer got = { 0 };

	(void)state;
	assert_int_equal(scram_verifier_make("pencil", &v, NULL), 0);
	start(&t, &encrypted);
	/* "n,,n=fred", "p=tls-unique,,n=fred,r=abc", "n,,n=fred,r=abc" and "c=biws" */
	smtpd_say(&t, E "AUTH SCRAM-SHA-256\r\nbiwsbj1mcmVk\r\n"
		      "AUTH SCRAM-SHA-256 cD10bHMtdW5pcXVlLCxuPWZyZWQscj1hYmM=\r\n"
		      "AUTH SCRAM-SHA-256 biwsbj1mcmVkLHI9YWJj\r\nYz1iaXdz\r\n"
		      "AUTH SCRAM-SHA-256 biwsbj1mcmVkLHI9YWJj\r\n*\r\n");
	smtpd_summary(&t, &got);
	assert_string_equal(got.data, "220, 250, 334, 501 5.5.2, 501 5.5.2, 334, 501 5.5.2, 334, "
				      "501 5.7.0");
	assert_null(smtp_server_user(t.s));
	smtpd_over(&t);
}

static void roles_turn(void **state)
{
	struct smtpd t = { 0 };
	_buffer_ struct buffer got = { 0 };

	(void)state;
	start(&t, &turning);
	smtpd_say(&t, E "TURN now\r\nTURN\r\nNOOP\r\n");
	smtpd_summary(&t, &got);
	/* Behind it the other side serves: nothing of ours is taken any more. */
	assert_string_equal(got.data, "220, 250, 501 5.5.4, 250 2.0.0");
	assert_string_equal(t.told.data, "helo a\nturn\n");
	assert_non_null(strstr(t.out.data, "250-TURN\r\n"));
	smtpd_over(&t);
	check(&turning, H M "TURN\r\n", "250, 250, 503", NULL);
}

/*
 * Ends
 */

static void the_box_stops(void **state)
{
	static const struct {
		const char *before, *replies, *told;
	} rows[] = {
		{ "N", "421", "close\n" },
		{ E "NOO", "250, 421 4.3.2", "helo a\nclose\n" },
		{ H M R, "250, 250, 250, 421",
		  "helo a\nmail <x@y>\nrcpt <u@v> of 1, 0 hops\nreset\nclose\n" },
		{ H M R D "a\r\n", "250, 250, 250, 354, 421",
		  "helo a\nmail <x@y>\nrcpt <u@v> of 1, 0 hops\nreset\nclose\n" },
		{ E "STARTTLS\r\n", "250, 220 2.0.0", "helo a\nstarttls\nclose\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct smtpd t = { .wait_tls = true };
		_buffer_ struct buffer got = { 0 };

		start(&t, &plain);
		smtpd_say(&t, rows[i].before);
		assert_int_equal(smtp_server_in_body(t.s), i == 3);
		assert_int_equal(smtp_server_end(t.s, NULL), 0);
		smtpd_say(&t, "");
		smtpd_summary(&t, &got);
		assert_string_equal(got.data + 5, rows[i].replies);
		assert_string_equal(t.told.data, rows[i].told);
		assert_int_equal(smtp_server_end(t.s, NULL), -EBUSY);
		smtpd_over(&t);
	}
}

/* A box that is full says so instead of its greeting, and words may quote what they end. */
static void words_and_their_time(void **state)
{
	const char *line = E M R;
	size_t len = strlen(line);
	struct smtp_server_event ev = { 0 };
	struct smtp_server *s;

	(void)state;
	assert_int_equal(smtp_server_new(&s, &plain), 0);
	assert_int_equal(smtp_server_end(s, "Too many sessions"), 0);
	assert_string_equal(smtp_server_output(s)->data, "421 box.example Too many sessions\r\n");
	smtp_server_free(s);
	assert_int_equal(smtp_server_new(&s, &plain), 0);
	while (ev.type != SMTPD_RCPT && smtp_server_next(s, &line, &len, &ev))
		if (ev.type != SMTPD_RCPT)
			smtp_server_reply(s, 0, NULL, NULL);
	buffer_clear(smtp_server_output(s));
	smtp_server_reply(s, 550, "5.1.1\r\n2.0.0", ev.envelope->rcpts[0].address);
	assert_string_equal(smtp_server_output(s)->data, "550 5.0.0 u@v\r\n");
	smtp_server_free(s);
}

/* A session may be dropped at any point, also with a question open. */
static void the_line_is_lost(void **state)
{
	static const char all[] = E M R D "a\r\n.\r\nVRFY x\r\nAUTH PLAIN AGZyZWQAcGVuY2ls\r\n";

	(void)state;
	for (size_t n = 0; n < sizeof(all); n++) {
		struct smtpd t = { 0 };
		const char *data = all;
		size_t len = n;
		struct smtp_server_event ev;

		start(&t, &encrypted);
		while (smtp_server_next(t.s, &data, &len, &ev))
			if (len)
				smtp_server_reply(t.s, 0, NULL, NULL);
		smtpd_over(&t);
	}
}

static void names_of_hosts(void **state)
{
	struct smtp_server *s;

	(void)state;
	assert_int_equal(smtp_server_new(&s, &(struct smtp_server_options){ 0 }), -EINVAL);
	assert_int_equal(smtp_server_new(&s, &(struct smtp_server_options){ .hostname = "" }),
			 -EINVAL);
	assert_int_equal(smtp_server_new(&s, &(struct smtp_server_options){ .hostname = "a b" }),
			 -EINVAL);
	check(&plain, "HELO [192.0.2.1]\r\nHELO MY_PC\r\nHELO #17\r\nEHLO [IPv6:::1]\r\n"
	      "HELO a b\r\nHELO a;b\r\nHELO (a)\r\n",
	      "250, 250, 250, 250, 501 5.5.4, 501 5.5.4, 501 5.5.4", NULL);
}

/* An idle session is this small: its line and its replies are gone. */
static void idle_is_small(void **state)
{
	struct smtpd t = { 0 };

	(void)state;
	start(&t, &plain);
	smtpd_say(&t, E M R D "a\r\n.\r\nNOO");
	smtpd_say(&t, "P\r\n");
	assert_null(smtp_server_output(t.s)->data);
	smtpd_over(&t);
}

/*
 * Appendix F, code by code
 */

struct scenario {
	const char *name;
	const char *host;
	const struct smtpd_answer *answers;
	uint32_t max_rcpts;
	const char *transcript;
};

static const struct smtpd_answer people[] = {
	{ "Green@BBN-UNIX.ARPA", 550, "No such user here" },
	{ "Green@MIT-Multics.ARPA", 550, "No such user here" },
	{ "Crispin", 250, "Mark Crispin <Admin.MRC@SU-SCORE.ARPA>" },
	{ "fred@USC-ISIF.ARPA", 251, "User not local; will forward to <Jones@USC-ISI.ARPA>" },
	{ "Example-People", 250, "<ABC@MIT-MC.ARPA>\nFred Fonebone <Fonebone@USC-ISIQ.ARPA>\n"
	  "Xenon Y. Zither <XYZ@MIT-AI.ARPA>\nQuincy Smith <@USC-ISIF.ARPA:Q-Smith@ISI-VAXA.ARPA>\n"
	  "<joe@foo-unix.ARPA>\n<xyz@bar-unix.ARPA>" },
	{ "Interested-Parties", 250, "Al Calico <ABC@MIT-MC.ARPA>\n<XYZ@MIT-AI.ARPA>\n"
	  "Quincy Smith <@USC-ISIF.ARPA:Q-Smith@ISI-VAXA.ARPA>\n<fred@BBN-UNIX.ARPA>\n"
	  "<xyz@bar-unix.ARPA>" },
	{ NULL, 0, NULL },
};
static const struct smtpd_answer not_active[] = {
	{ "Crispin", 250, "Mark Crispin <Admin.MRC@SU-SCORE.ARPA>" },
	{ "Admin.MRC@SU-SCORE.ARPA", 450, "User not active now" },
	{ NULL, 0, NULL },
};

/* A message, as each of them has it. */
#define DATA_OK                                                                       \
	"S: DATA\nR: 354\nS: Blah blah blah...\nS: ...etc. etc. etc.\nS: .\nR: 250\n"
#define QUIT_OK "S: QUIT\nR: 221\n"

static const struct scenario scenarios[] = {
	{ "1", "BBN-UNIX.ARPA", people, 0,
	  "R: 220\nS: HELO USC-ISIF.ARPA\nR: 250\nS: MAIL FROM:<Smith@USC-ISIF.ARPA>\nR: 250\n"
	  "S: RCPT TO:<Jones@BBN-UNIX.ARPA>\nR: 250\nS: RCPT TO:<Green@BBN-UNIX.ARPA>\nR: 550\n"
	  "S: RCPT TO:<Brown@BBN-UNIX.ARPA>\nR: 250\n" DATA_OK QUIT_OK },
	{ "2", "MIT-Multics.ARPA", people, 0,
	  "R: 220\nS: HELO ISI-VAXA.ARPA\nR: 250\nS: MAIL FROM:<Smith@ISI-VAXA.ARPA>\nR: 250\n"
	  "S: RCPT TO:<Jones@MIT-Multics.ARPA>\nR: 250\nS: RCPT TO:<Green@MIT-Multics.ARPA>\n"
	  "R: 550\nS: RSET\nR: 250\n" QUIT_OK },
	{ "3, step 1", "USC-ISIE.ARPA", people, 0,
	  "R: 220\nS: HELO MIT-AI.ARPA\nR: 250\nS: MAIL FROM:<JQP@MIT-AI.ARPA>\nR: 250\n"
	  "S: RCPT TO:<@USC-ISIE.ARPA:Jones@BBN-VAX.ARPA>\nR: 250\nS: DATA\nR: 354\n"
	  "S: Date: 2 Nov 81 22:33:44\nS: From: John Q. Public <JQP@MIT-AI.ARPA>\n"
	  "S: Subject: The Next Meeting of the Board\nS: To: Jones@BBN-Vax.ARPA\nS: \nS: Bill:\n"
	  "S: The next meeting of the board of directors will be\nS: on Tuesday.\nS: John.\nS: .\n"
	  "R: 250\n" QUIT_OK },
	{ "3, step 2", "BBN-VAX.ARPA", people, 0,
	  "R: 220\nS: HELO USC-ISIE.ARPA\nR: 250\nS: MAIL FROM:<@USC-ISIE.ARPA:JQP@MIT-AI.ARPA>\n"
	  "R: 250\nS: RCPT TO:<Jones@BBN-VAX.ARPA>\nR: 250\n" DATA_OK QUIT_OK },
	{ "4", "SU-SCORE.ARPA", people, 0,
	  "R: 220\nS: HELO MIT-MC.ARPA\nR: 250\nS: VRFY Crispin\nR: 250\n"
	  "S: SEND FROM:<EAK@MIT-MC.ARPA>\nR: 250\nS: RCPT TO:<Admin.MRC@SU-SCORE.ARPA>\nR: 250\n"
	  DATA_OK QUIT_OK },
	{ "5, until RSET", "SU-SCORE.ARPA", not_active, 0,
	  "R: 220\nS: HELO MIT-MC.ARPA\nR: 250\nS: VRFY Crispin\nR: 250\n"
	  "S: SEND FROM:<EAK@MIT-MC.ARPA>\nR: 250\nS: RCPT TO:<Admin.MRC@SU-SCORE.ARPA>\nR: 450\n"
	  "S: RSET\nR: 250\nS: MAIL FROM:<EAK@MIT-MC.ARPA>\nR: 250\n" QUIT_OK },
	{ "6", "SU-SCORE.ARPA", people, 0,
	  "R: 220\nS: HELO MIT-MC.ARPA\nR: 250\nS: VRFY Crispin\nR: 250\n"
	  "S: SOML FROM:<EAK@MIT-MC.ARPA>\nR: 250\nS: RCPT TO:<Admin.MRC@SU-SCORE.ARPA>\nR: 250\n"
	  DATA_OK QUIT_OK },
	{ "7, step 1", "MIT-AI.ARPA", people, 0,
	  "R: 220\nS: HELO SU-SCORE.ARPA\nR: 250\nS: EXPN Example-People\n"
	  "R: 250-\nR: 250-\nR: 250-\nR: 250-\nR: 250-\nR: 250\n" QUIT_OK },
	{ "7, step 2", "MIT-MC.ARPA", people, 0,
	  "R: 220\nS: HELO SU-SCORE.ARPA\nR: 250\nS: EXPN Interested-Parties\n"
	  "R: 250-\nR: 250-\nR: 250-\nR: 250-\nR: 250\n" QUIT_OK },
	{ "7, step 3", "USC-ISIE.ARPA", people, 0,
	  "R: 220\nS: HELO SU-SCORE.ARPA\nR: 250\nS: MAIL FROM:<Account.Person@SU-SCORE.ARPA>\n"
	  "R: 250\nS: RCPT TO:<@USC-ISIE.ARPA:ABC@MIT-MC.ARPA>\nR: 250\n"
	  "S: RCPT TO:<@USC-ISIE.ARPA:Fonebone@USC-ISIQA.ARPA>\nR: 250\n"
	  "S: RCPT TO:<@USC-ISIE.ARPA:XYZ@MIT-AI.ARPA>\nR: 250\n"
	  "S: RCPT TO:<@USC-ISIE.ARPA,@USC-ISIF.ARPA:Q-Smith@ISI-VAXA.ARPA>\nR: 250\n"
	  "S: RCPT TO:<@USC-ISIE.ARPA:joe@FOO-UNIX.ARPA>\nR: 250\n"
	  "S: RCPT TO:<@USC-ISIE.ARPA:xyz@BAR-UNIX.ARPA>\nR: 250\n"
	  "S: RCPT TO:<@USC-ISIE.ARPA:fred@BBN-UNIX.ARPA>\nR: 250\n" DATA_OK QUIT_OK },
	{ "8", "USC-ISIF.ARPA", people, 0,
	  "R: 220\nS: HELO LBL-UNIX.ARPA\nR: 250\nS: MAIL FROM:<mo@LBL-UNIX.ARPA>\nR: 250\n"
	  "S: RCPT TO:<fred@USC-ISIF.ARPA>\nR: 251\n" DATA_OK QUIT_OK },
	{ "9, step 1", "USC-ISIF.ARPA", people, 0,
	  "R: 220\nS: HELO LBL-UNIX.ARPA\nR: 250\nS: MAIL FROM:<mo@LBL-UNIX.ARPA>\nR: 250\n"
	  "S: RCPT TO:<fred@USC-ISIF.ARPA>\nR: 251\nS: RSET\nR: 250\n" QUIT_OK },
	{ "9, step 2", "USC-ISI.ARPA", people, 0,
	  "R: 220\nS: HELO LBL-UNIX.ARPA\nR: 250\nS: MAIL FROM:<mo@LBL-UNIX.ARPA>\nR: 250\n"
	  "S: RCPT TO:<Jones@USC-ISI.ARPA>\nR: 250\n" DATA_OK QUIT_OK },
	{ "10", "BERKELEY.ARPA", people, 1,
	  "R: 220\nS: HELO USC-ISIF.ARPA\nR: 250\nS: MAIL FROM:<Postel@USC-ISIF.ARPA>\nR: 250\n"
	  "S: RCPT TO:<fabry@BERKELEY.ARPA>\nR: 250\nS: RCPT TO:<eric@BERKELEY.ARPA>\nR: 552\n"
	  DATA_OK "S: MAIL FROM:<Postel@USC-ISIF.ARPA>\nR: 250\n"
	  "S: RCPT TO:<eric@BERKELEY.ARPA>\nR: 250\n" DATA_OK QUIT_OK },
};

/* Takes one line of the output and compares its code, and whether more follow. */
static void expect(struct smtpd *t, const char *code, size_t len, const char *name)
{
	size_t line = strcspn(t->out.data ? t->out.data : "", "\n") + 1;

	if (t->out.len < 5 || strncmp(t->out.data, code, len) ||
	    (t->out.data[3] == '-') != (len == 4))
		fail_msg("scenario %s: \"%.*s\" instead of %.*s", name, (int)line,
			 t->out.len ? t->out.data : "", (int)len, code);
	buffer_consume(&t->out, line);
}

static void replay(const struct scenario *sc)
{
	struct smtp_server_options o = { .hostname = sc->host, .max_rcpts = sc->max_rcpts };
	struct smtpd t = { .answers = sc->answers };

	start(&t, &o);
	smtpd_say(&t, "");
	for (const char *s = sc->transcript; *s; s += strcspn(s, "\n") + 1) {
		size_t n = strcspn(s, "\n") - 3;

		if (*s == 'R') {
			expect(&t, s + 3, n, sc->name);
			continue;
		}
		/* Nothing may have been said that the scenario does not have. */
		assert_int_equal(t.out.len, 0);
		smtpd_feed(&t, s + 3, n);
		smtpd_say(&t, "\r\n");
	}
	assert_int_equal(t.out.len, 0);
	assert_true(t.closed);
	smtpd_over(&t);
}

static void s15_scenarios(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		replay(&scenarios[i]);
}

/*
 * Our own sender at the other end
 */

struct mailing {
	struct smtp_client *c;
	struct smtpd t;
	const char *body;
	size_t body_len, sent, read;
	int accepted, refused, results;
	bool follow;		/* the second mail's envelope comes with the first's dot */
	bool over;
};

static void on_client_event(struct mailing *m, const struct smtp_event *ev)
{
	static struct envelope_rcpt rcpts[] = {
		{ .address = (char *)"a@b" }, { .address = (char *)"550@b" },
		{ .address = (char *)"\"q q\"@[192.0.2.1]" },
	};
	const struct envelope e = { .from = (char *)"me@box", .rcpts = rcpts, .n_rcpts = 3,
				    .size = m->body_len, .eight_bit = true };

	switch (ev->type) {
	case SMTP_STARTTLS:
		assert_int_equal(smtp_client_secured(m->c), 0);
		break;
	case SMTP_READY:
		assert_int_equal(m->sent++ < 2 ? smtp_client_send(m->c, &e) :
						 smtp_client_quit(m->c), 0);
		break;
	case SMTP_RECIPIENT:
		m->accepted += ev->verdict == SMTP_ACCEPTED;
		m->refused += ev->verdict == SMTP_REFUSED;
		break;
	case SMTP_BODY:
		assert_int_equal(smtp_client_body(m->c, m->body, m->body_len), 0);
		assert_int_equal(smtp_client_body_end(m->c), 0);
		break;
	case SMTP_DOT:
		if (m->follow && m->sent++ < 2)
			assert_int_equal(smtp_client_follow(m->c, &e), 0);
		assert_int_equal(smtp_client_dot(m->c), 0);
		break;
	case SMTP_NEXT:
		assert_int_equal(m->results, 1);
		break;
	case SMTP_RESULT:
		m->results += ev->verdict == SMTP_ACCEPTED;
		break;
	case SMTP_FAILED:
		fail_msg("%s", ev->text);
		break;
	case SMTP_CLOSED:
		m->over = true;
		break;
	}
}

static void exchange(struct mailing *m)
{
	const char *data = m->t.out.data + m->read;
	size_t len = m->t.out.len - m->read;
	struct buffer *out = smtp_client_output(m->c);
	struct smtp_event ev;

	m->read = m->t.out.len;
	while (!m->over && smtp_client_next(m->c, &data, &len, &ev))
		on_client_event(m, &ev);
	smtpd_feed(&m->t, out->data ? out->data : "", out->len);
	buffer_clear(out);
}

static void our_own_sender(void **state)
{
	static const struct {
		const struct smtp_server_options *server;
		struct smtp_client_options client;
	} rows[] = {
		{ &plain, { .helo = "client.example" } },
		{ &plain, { .helo = "client.example", .tls = SMTP_TLS_REQUIRED, .user = "fred",
			    .password = "pencil" } },
		{ &submission, { .helo = "client.example", .tls_active = true, .user = "fred",
				 .password = "pencil" } },
	};
	struct scram_verifier v;

	(void)state;
	assert_int_equal(scram_verifier_make("pencil", &v, NULL), 0);
	for (size_t n = 0; n < 2 * ARRAY_SIZE(rows); n++) {
		size_t i = n / 2;
		struct mailing m = { .t.verifier = &v, .t.late = i == 1, .follow = n % 2 };
		_buffer_ struct buffer body = { 0 };

		for (int k = 0; k < 2000; k++)
			buffer_printf(&body, "%.*s%d\r\n", k % 5, "....", k);
		buffer_printf(&body, ".\r\n\xe9\r\n");
		m.body = body.data;
		m.body_len = body.len;
		start(&m.t, rows[i].server);
		smtpd_say(&m.t, "");
		assert_int_equal(smtp_client_new(&m.c, &rows[i].client), 0);
		for (int k = 0; k < 100 && !m.over; k++)
			exchange(&m);
		assert_true(m.over && m.t.closed);
		assert_int_equal(m.results, 2);
		assert_int_equal(m.accepted, 4);
		assert_int_equal(m.refused, 2);
		assert_non_null(strstr(m.t.told.data, body.data));
		assert_non_null(strstr(m.t.told.data, "rcpt <\"q q\"@[192.0.2.1]> of 2"));
		assert_int_equal(!!smtp_server_user(m.t.s), rows[i].client.user != NULL);
		smtp_client_free(m.c);
		smtpd_over(&m.t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_in_every_state),
		cmocka_unit_test(replies_of_the_table),
		cmocka_unit_test(replies_speak_as_asked),
		cmocka_unit_test(replies_are_made_fit),
		cmocka_unit_test(ehlo_tells_what_there_is),
		cmocka_unit_test(mail_goes_through),
		cmocka_unit_test(chunks_go_through),
		cmocka_unit_test(nothing_is_smuggled),
		cmocka_unit_test(long_texts_are_taken),
		cmocka_unit_test(parameters),
		cmocka_unit_test(parameters_reach_the_envelope),
		cmocka_unit_test(beyond_ascii),
		cmocka_unit_test(lines_have_an_end),
		cmocka_unit_test(limits),
		cmocka_unit_test(a_path_has_its_length),
		cmocka_unit_test(nothing_goes_across_starttls),
		cmocka_unit_test(log_in_by_password),
		cmocka_unit_test(log_in_is_asked_for),
		cmocka_unit_test(log_in_by_scram),
		cmocka_unit_test(scram_refuses_nonsense),
		cmocka_unit_test(roles_turn),
		cmocka_unit_test(the_box_stops),
		cmocka_unit_test(words_and_their_time),
		cmocka_unit_test(the_line_is_lost),
		cmocka_unit_test(names_of_hosts),
		cmocka_unit_test(idle_is_small),
		cmocka_unit_test(s15_scenarios),
		cmocka_unit_test(our_own_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
