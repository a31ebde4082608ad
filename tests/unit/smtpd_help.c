/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd_help.h"

int smtpd_start(struct smtpd *t, const struct smtp_server_options *o)
{
	return smtp_server_new(&t->s, o);
}

static const char *subject(const struct smtp_server_event *ev)
{
	switch (ev->type) {
	case SMTPD_HELO:
		return ev->name;
	case SMTPD_MAIL:
	case SMTPD_RCPT:
		return ev->path->mailbox;
	case SMTPD_VRFY:
	case SMTPD_EXPN:
		return ev->argument;
	default:
		return NULL;
	}
}

static const struct smtpd_answer *find(const struct smtpd *t, const char *about)
{
	const struct smtpd_answer *a = t->answers;

	while (a && a->about && (!about || strcmp(a->about, about)))
		a++;
	return a && a->about ? a : NULL;
}

/* "X-Code: 451" at the front of a message is its reply; names carry theirs in front. */
static int code_in(const struct smtpd *t, const char *about)
{
	const char *s = about;

	if (!about && t->body.len > 8 && !strncmp(t->body.data, "X-Code: ", 8))
		s = t->body.data + 8;
	return s && isdigit(s[0]) && isdigit(s[1]) && isdigit(s[2]) ? atoi(s) : 0;
}

static void answer(struct smtpd *t, const struct smtp_server_event *ev)
{
	const char *about = subject(ev);
	const struct smtpd_answer *a = find(t, about);
	int code = ev->type == SMTPD_END || about ? code_in(t, about) : 0;

	if (ev->type == SMTPD_VERIFIER) {
		smtp_server_verifier(t->s, strcmp(ev->name, "fred") ? NULL : t->verifier);
	} else if (ev->type == SMTPD_STARTTLS) {
		if (!t->wait_tls)
			smtp_server_secured(t->s);
	} else if (a) {
		smtp_server_reply(t->s, a->code, NULL, a->text);
	} else {
		smtp_server_reply(t->s, code, NULL, NULL);
	}
	if (ev->type == SMTPD_END)
		buffer_clear(&t->body);
}

static void write_down(struct smtpd *t, const struct smtp_server_event *ev)
{
	static const char *const names[] = {
		[SMTPD_HELO] = "helo", [SMTPD_STARTTLS] = "starttls",
		[SMTPD_VERIFIER] = "verifier", [SMTPD_AUTHENTICATED] = "authenticated",
		[SMTPD_AUTH_FAILED] = "auth failed", [SMTPD_MAIL] = "mail",
		[SMTPD_RCPT] = "rcpt", [SMTPD_BODY] = "body", [SMTPD_END] = "end",
		[SMTPD_RESET] = "reset", [SMTPD_VRFY] = "vrfy", [SMTPD_EXPN] = "expn",
		[SMTPD_TURN] = "turn", [SMTPD_CLOSE] = "close",
	};
	static const char *const hows[] = {
		[SMTP_HOW_MAIL] = "", [SMTP_HOW_SEND] = " send", [SMTP_HOW_SOML] = " soml",
		[SMTP_HOW_SAML] = " saml",
	};

	buffer_printf(&t->told, "%s", names[ev->type]);
	if (ev->type == SMTPD_MAIL)
		buffer_printf(&t->told, "%s <%s>", hows[ev->how], ev->envelope->from);
	else if (ev->type == SMTPD_RCPT)
		buffer_printf(&t->told, " <%s> of %zu, %zu hops",
			      ev->envelope->rcpts[ev->envelope->n_rcpts - 1].address,
			      ev->envelope->n_rcpts, ev->path->n_hops);
	else if (ev->type == SMTPD_END)
		buffer_printf(&t->told, " of %zu: ", ev->envelope->n_rcpts);
	else if (subject(ev) || ev->name)
		buffer_printf(&t->told, " %s", subject(ev) ? subject(ev) : ev->name);
	if (ev->type == SMTPD_END)
		buffer_append(&t->told, t->body.data ? t->body.data : "", t->body.len);
	buffer_append(&t->told, "\n", 1);
}

static void on_event(struct smtpd *t, const struct smtp_server_event *ev)
{
	if (ev->type == SMTPD_BODY) {
		buffer_append(&t->body, ev->data, ev->len);
		return;
	}
	if (ev->type == SMTPD_RESET)
		buffer_clear(&t->body);
	write_down(t, ev);
	switch (ev->type) {
	case SMTPD_AUTHENTICATED:
	case SMTPD_AUTH_FAILED:
	case SMTPD_RESET:
		return;
	case SMTPD_CLOSE:
		t->closed = true;
		return;
	default:
		t->pending = *ev;
		t->waiting = true;
		if (!t->late) {
			t->waiting = false;
			answer(t, ev);
		}
	}
}

static void drain(struct smtpd *t)
{
	struct buffer *out = smtp_server_output(t->s);

	buffer_append(&t->out, out->data ? out->data : "", out->len);
	buffer_clear(out);
}

void smtpd_feed(struct smtpd *t, const char *data, size_t len)
{
	/* A copy of the right length, for the sanitizers to watch over. */
	char *copy = malloc(len ? len : 1);
	const char *s = copy;
	struct smtp_server_event ev;

	if (!copy)
		abort();
	memcpy(copy, data, len);
	do {
		t->waiting = false;
		while (!t->closed && smtp_server_next(t->s, &s, &len, &ev))
			on_event(t, &ev);
		drain(t);
		if (t->waiting)
			answer(t, &t->pending);
	} while (t->waiting);
	drain(t);
	free(copy);
}

void smtpd_say(struct smtpd *t, const char *text)
{
	smtpd_feed(t, text, strlen(text));
}

void smtpd_over(struct smtpd *t)
{
	smtp_server_free(t->s);
	buffer_free(&t->out);
	buffer_free(&t->told);
	buffer_free(&t->body);
}

void smtpd_summary(const struct smtpd *t, struct buffer *to)
{
	for (const char *line = t->out.data; line && *line; line = strchr(line, '\n') + 1) {
		bool enhanced = line[3] == ' ' && isdigit(line[4]) && line[5] == '.';

		if (line[3] == '-')
			continue;
		buffer_printf(to, "%s%.*s", to->len ? ", " : "",
			      enhanced ? 4 + (int)strcspn(line + 4, " ") : 3, line);
	}
}
