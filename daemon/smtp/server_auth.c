/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "smtp/server_internal.h"

#define FAILURES_DEFAULT 3

bool smtp_server_offers_auth(const struct smtp_server *s)
{
	return s->o->auth_offered && s->tls;
}

/* The name that was tried is told, as far as one was said. */
static void fail(struct smtp_server *s)
{
	const char *user = smtp_auth_user(s->auth);

	s->argument = user ? strdup(user) : NULL;
	s->due |= DUE_AUTH_FAILED;
	if (++s->auth_failures > smtp_server_limit(s->o->max_auth, FAILURES_DEFAULT))
		smtp_server_leave(s, "4.7.0", "Too many failures to log in");
	else
		smtp_server_say(s, 535, "5.7.8", "User name or password is wrong");
}

static void succeed(struct smtp_server *s)
{
	s->user = strdup(smtp_auth_user(s->auth));
	if (!s->user)
		return smtp_server_say(s, 454, "4.7.0", "Out of memory, try again later");
	s->due |= DUE_AUTHENTICATED;
	smtp_server_say(s, 235, "2.7.0", "Authentication successful");
}

/* Not by smtp_server_say(): RFC 4954 4 lets a challenge be longer than a reply. */
static void challenge(struct smtp_server *s)
{
	s->state = SASL;
	if (buffer_printf(&s->out, "334 %s\r\n", smtp_auth_challenge(s->auth)) < 0)
		smtp_server_close(s);
}

static bool ask_verifier(struct smtp_server *s, struct smtp_server_event *ev)
{
	s->argument = strdup(smtp_auth_user(s->auth));
	if (!s->argument) {
		smtp_server_close(s);
		return false;
	}
	smtp_server_ask(s, SMTPD_VERIFIER, ev);
	ev->password = smtp_auth_has_password(s->auth);
	return true;
}

static bool follow(struct smtp_server *s, enum smtp_auth_next next, struct smtp_server_event *ev)
{
	s->state = COMMAND;
	switch (next) {
	case SMTP_AUTH_CHALLENGE:
		challenge(s);
		return false;
	case SMTP_AUTH_VERIFIER:
		return ask_verifier(s, ev);
	case SMTP_AUTH_DONE:
		succeed(s);
		break;
	case SMTP_AUTH_FAILED:
		fail(s);
		break;
	case SMTP_AUTH_MALFORMED:
		smtp_server_bad(s, 501, "5.5.2", "That is no message of the mechanism");
		break;
	case SMTP_AUTH_BROKEN:
		smtp_server_say(s, 454, "4.7.0", "Authentication failed here, try again later");
		break;
	}
	smtp_auth_free(take_ptr(s->auth));
	return false;
}

static struct text take_to_space(struct text *t)
{
	const char *end = memchr(t->s, ' ', t->len);
	struct text front = { t->s, end ? (size_t)(end - t->s) : t->len };
	size_t gone = front.len + (end != NULL);

	*t = (struct text){ t->s + gone, t->len - gone };
	return front;
}

static bool refuses_auth(struct smtp_server *s)
{
	if (!s->o->auth_offered)
		smtp_server_bad(s, 502, "5.5.1", NULL);
	else if (!s->tls)
		smtp_server_bad(s, 538, "5.7.11", "AUTH is taken over TLS only: STARTTLS first");
	else if (s->user)
		smtp_server_bad(s, 503, "5.5.1", "Logged in already");
	else
		return false;
	return true;
}

bool smtp_server_auth(struct smtp_server *s, struct text arg, struct smtp_server_event *ev)
{
	struct text mechanism = take_to_space(&arg), initial = take_to_space(&arg);
	int r;

	if (refuses_auth(s))
		return false;
	if (arg.len) {
		smtp_server_bad(s, 501, "5.5.4", "Only one initial response may follow");
		return false;
	}
	r = smtp_auth_new(&s->auth, mechanism.s, mechanism.len);
	if (r == -ENOENT) {
		smtp_server_bad(s, 504, "5.5.4", "There is no such mechanism");
		return false;
	}
	if (r < 0) {
		smtp_server_say(s, 454, "4.7.0", "Out of memory, try again later");
		return false;
	}
	/* RFC 4954 4: "=" is an initial response without octets, none at all asks for a 334. */
	if (!initial.len)
		initial.s = NULL;
	else if (initial.len == 1 && *initial.s == '=')
		initial.len = 0;
	return follow(s, smtp_auth_step(s->auth, initial.s, initial.len), ev);
}

bool smtp_server_sasl(struct smtp_server *s, struct text line, struct smtp_server_event *ev)
{
	const char *enhanced = NULL, *words = NULL;
	int code = 0;

	if (!line.s) {
		code = 500;
		enhanced = "5.5.6";
		words = "Authentication exchange line is too long";
	} else if (line.len == 1 && *line.s == '*') {
		code = 501;
		enhanced = "5.7.0";
		words = "Authentication cancelled";
	}
	if (!code)
		return follow(s, smtp_auth_step(s->auth, line.s, line.len), ev);
	s->state = COMMAND;
	smtp_auth_free(take_ptr(s->auth));
	smtp_server_bad(s, code, enhanced, words);
	return false;
}

int smtp_server_verifier(struct smtp_server *s, const struct scram_verifier *v)
{
	struct smtp_server_event none;

	if (s->state != ASKED || s->asked != SMTPD_VERIFIER)
		return -EBUSY;
	smtp_server_drop_question(s);
	follow(s, smtp_auth_verifier(s->auth, v), &none);
	return 0;
}
