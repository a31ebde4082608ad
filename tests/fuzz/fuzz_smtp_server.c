/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client that says anything, and a policy that answers anything: the first octet
 * chooses the options, the second the size of the pieces, the third how the policy
 * answers, which it draws on question by question. Checked: replies are whole lines of
 * 512 octets at the most with codes that there are; a question is asked only where one
 * may be; each body belongs to a transaction with recipients; and what comes out is the
 * same when the input comes octet by octet (but for what SASL draws by lot).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct talk {
	struct smtp_server *s;
	uint32_t policy;
	struct buffer out, body;
	unsigned int accepted;
	bool open, over, drew_lots, secured;
};

static const struct scram_verifier verifier = { .iterations = 1 };

static unsigned int draw(struct talk *t, unsigned int n)
{
	t->policy = t->policy * 1664525 + 1013904223;
	return (t->policy >> 16) % n;
}

static void check_replies(const char *s, size_t len)
{
	while (len) {
		const char *nl = memchr(s, '\n', len);
		size_t line = nl ? (size_t)(nl - s) + 1 : 0;

		if (line < 6 || nl[-1] != '\r' || memchr(s, '\r', line) != nl - 1 ||
		    memchr(s, '\0', line) || s[0] < '2' || s[0] > '5' ||
		    (s[3] != ' ' && s[3] != '-') || (line > 512 && memcmp(s, "334", 3)))
			abort();
		s += line;
		len -= line;
	}
}

static void drain(struct talk *t)
{
	struct buffer *out = smtp_server_output(t->s);

	check_replies(out->data, out->len);
	buffer_append(&t->out, out->data ? out->data : "", out->len);
	buffer_clear(out);
}

static void check_open(const struct talk *t, const struct smtp_server_event *ev)
{
	if (!t->open || !ev->envelope || !ev->envelope->from)
		abort();
	if (ev->type != SMTPD_RCPT && (!t->accepted || ev->envelope->n_rcpts != t->accepted))
		abort();
}

static int answer(struct talk *t)
{
	static const int codes[] = { 0, 0, 0, 250, 251, 450, 550, 552, 421 };
	int code = codes[draw(t, t->policy & 1 ? 9 : 3)];

	if (smtp_server_reply(t->s, code, draw(t, 2) ? "2.1.5" : NULL,
			      draw(t, 2) ? "a\nb\r\nc" : NULL) < 0)
		abort();
	return code;
}

static bool yes(int code)
{
	return !code || code / 100 == 2;
}

static void on_event(struct talk *t, const struct smtp_server_event *ev)
{
	if (t->over)
		abort();
	switch (ev->type) {
	case SMTPD_STARTTLS:
		/* By whole pieces or by octets, input may be lost here: no comparing then. */
		t->secured = true;
		drain(t);
		if (smtp_server_secured(t->s) < 0)
			abort();
		break;
	case SMTPD_VERIFIER:
		t->drew_lots = true;
		smtp_server_verifier(t->s, draw(t, 2) ? &verifier : NULL);
		break;
	case SMTPD_MAIL:
		if (t->open || !ev->envelope->from || ev->envelope->n_rcpts)
			abort();
		t->open = yes(answer(t));
		t->accepted = 0;
		break;
	case SMTPD_RCPT:
		check_open(t, ev);
		if (ev->envelope->n_rcpts != t->accepted + 1 || !ev->path->mailbox[0])
			abort();
		t->accepted += yes(answer(t));
		break;
	case SMTPD_BODY:
		check_open(t, ev);
		if (!ev->len || memchr(ev->data, '\0', ev->len))
			abort();
		buffer_append(&t->body, ev->data, ev->len);
		break;
	case SMTPD_END:
		check_open(t, ev);
		t->open = false;
		buffer_append(&t->body, "|", 1);
		answer(t);
		break;
	case SMTPD_RESET:
		if (!t->open)
			abort();
		t->open = false;
		buffer_clear(&t->body);
		break;
	case SMTPD_CLOSE:
		if (t->open)
			abort();
		t->over = true;
		break;
	case SMTPD_AUTHENTICATED:
	case SMTPD_AUTH_FAILED:
		break;
	default:
		answer(t);
	}
}

static void feed(struct talk *t, const char *s, size_t len)
{
	struct smtp_server_event ev;

	while (smtp_server_next(t->s, &s, &len, &ev))
		on_event(t, &ev);
	if (len)
		abort();
	drain(t);
}

/* Returns false where options are refused. */
static bool talk(struct talk *t, const struct smtp_server_options *o, const uint8_t *data,
		 size_t size, size_t step, uint8_t policy)
{
	*t = (struct talk){ .policy = policy };
	if (smtp_server_new(&t->s, o) < 0)
		return false;
	for (; size; data += step, size -= step) {
		step = step > size ? size : step;
		feed(t, (const char *)data, step);
	}
	return true;
}

static void hang_up(struct talk *t)
{
	if (!t->over) {
		smtp_server_end(t->s, "bye");
		feed(t, NULL, 0);
	}
	/* A TURN has ended it without a word. */
	smtp_server_free(t->s);
	buffer_free(&t->out);
	buffer_free(&t->body);
}

static bool same(const struct buffer *a, const struct buffer *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static void compare(const struct talk *a, const struct talk *b)
{
	if (a->secured || b->secured || a->drew_lots || b->drew_lots)
		return;
	if (!same(&a->out, &b->out) || !same(&a->body, &b->body))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_server_options o = { .hostname = "box", .max_auth = 2 };
	struct talk pieces, octets;

	if (size < 3)
		return 0;
	o.tls_offered = data[0] & 1;
	o.tls_active = data[0] & 2;
	o.auth_offered = data[0] & 4;
	o.turn_offered = data[0] & 8;
	o.submission = data[0] & 16;
	o.max_message = data[0] & 32 ? 64 : 0;
	o.max_rcpts = data[0] & 64 ? 2 : 0;
	o.max_bad = data[0] & 128 ? 200 : 0;
	if (!talk(&pieces, &o, data + 3, size - 3, data[1] * 16 + 1, data[2]))
		return 0;
	if (talk(&octets, &o, data + 3, size - 3, 1, data[2]))
		compare(&pieces, &octets);
	hang_up(&pieces);
	hang_up(&octets);
	return 0;
}
