/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/cleanup.h"
#include "mail/dsn.h"
#include "mail/message.h"

#define TEXT_MAX	600		/* a line may have 998 octets (RFC 5322 2.1.1) */
#define HEADER_MAX	(64u << 10)	/* of the header that comes back */
#define BOUNDARY_SIZE	40

/* What each action is called, and what people are told. */
static const struct action {
	const char *name;
	const char *status;		/* where nothing better is known */
	const char *subject;
	const char *sentence;
} actions[_DSN_ACTIONS] = {
	[DSN_FAILED] = { "failed", "5.0.0", "Undelivered mail",
			 "Your mail could not be delivered to the recipients below." },
	[DSN_DELAYED] = { "delayed", "4.0.0", "Delayed mail",
			  "Your mail has not been delivered to the recipients below yet. "
			  "It is being tried again; you need not send it again." },
	[DSN_DELIVERED] = { "delivered", "2.0.0", "Delivered mail",
			    "Your mail was delivered to the recipients below." },
	[DSN_RELAYED] = { "relayed", "2.0.0", "Relayed mail",
			  "Your mail was handed on for the recipients below, to a server that "
			  "does not report what becomes of it." },
	[DSN_EXPANDED] = { "expanded", "2.0.0", "Expanded mail",
			   "Your mail was handed on to the members of the lists below." },
};

/* A notice in the making. */
struct writing {
	const struct dsn_spec *spec;
	struct buffer *out;
	char boundary[BOUNDARY_SIZE];
	int error;			/* the first that came up */
};

const char *dsn_action_name(enum dsn_action action)
{
	return (unsigned int)action < _DSN_ACTIONS ? actions[action].name : "unknown";
}

__attribute__((format(printf, 2, 3)))
static void put(struct writing *w, const char *fmt, ...)
{
	char line[TEXT_MAX + 300];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!w->error && (n < 0 || (size_t)n >= sizeof(line)))
		w->error = -EMSGSIZE;
	if (!w->error)
		w->error = buffer_append(w->out, line, n);
}

static void put_bytes(struct writing *w, const void *data, size_t len)
{
	if (!w->error)
		w->error = buffer_append(w->out, data, len);
}

/* Cut at a character, controls and line ends to spaces: fit for a line of its own. */
static const char *clean(const char *s, char text[TEXT_MAX])
{
	size_t n = 0;

	for (; *s && n < TEXT_MAX - 1; s++)
		text[n++] = (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s;
	while (*s && n && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
		n--;
	if (*s && n && (unsigned char)text[n - 1] >= 0xc0)
		n--;
	text[n] = '\0';
	return text;
}

static bool has_eight_bit(const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		if (p[i] >= 0x80)
			return true;
	return false;
}

static bool text_eight_bit(const char *s)
{
	return s && has_eight_bit(s, strlen(s));
}

static void put_date(struct writing *w, const char *field, uint64_t usec)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)(usec / 1000000);
	struct tm tm;

	/* RFC 5322 3.3; not strftime(), whose words follow the locale */
	if (gmtime_r(&t, &tm))
		put(w, "%s: %s, %d %s %d %02d:%02d:%02d +0000\r\n", field, days[tm.tm_wday],
		    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
}

/* @type: "rfc822", or "utf-8" for an address beyond ASCII (RFC 6533 3). */
static void put_address(struct writing *w, const char *field, const char *address)
{
	char text[TEXT_MAX];

	put(w, "%s: %s; %s\r\n", field, text_eight_bit(address) ? "utf-8" : "rfc822",
	    clean(address, text));
}

static enum dsn_action worst(const struct dsn_spec *s)
{
	enum dsn_action action = s->rcpts[0].action;

	/* in the order of the enum: what failed is what people must hear of */
	for (size_t i = 1; i < s->n_rcpts; i++)
		if (s->rcpts[i].action < action)
			action = s->rcpts[i].action;
	return action;
}

static void put_header(struct writing *w)
{
	const struct dsn_spec *s = w->spec;

	put_date(w, "Date", s->date);
	put(w, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", s->hostname);
	put(w, "To: <%s>\r\n", s->to);
	put(w, "Subject: %s\r\n", actions[worst(s)].subject);
	put(w, "Message-ID: %s\r\n", s->message_id);
	/* RFC 3834 5: no machine answers this */
	put(w, "Auto-Submitted: auto-replied\r\n");
	put(w, "MIME-Version: 1.0\r\n");
	put(w, "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	       "\tboundary=\"%s\"\r\n\r\n", w->boundary);
}

static void put_part(struct writing *w, const char *type, bool eight_bit)
{
	put(w, "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", w->boundary,
	    type, eight_bit ? "8bit" : "7bit");
}

static bool people_eight_bit(const struct dsn_spec *s)
{
	for (size_t i = 0; i < s->n_rcpts; i++)
		if (text_eight_bit(s->rcpts[i].address) || text_eight_bit(s->rcpts[i].text))
			return true;
	return false;
}

static void put_people(struct writing *w)
{
	const struct dsn_spec *s = w->spec;
	char text[TEXT_MAX];

	put_part(w, "text/plain; charset=utf-8", people_eight_bit(s));
	put(w, "This is a message of the mail system at %s.\r\n", s->hostname);
	for (int a = 0; a < _DSN_ACTIONS; a++) {
		bool said = false;

		for (size_t i = 0; i < s->n_rcpts; i++) {
			const struct dsn_rcpt *r = &s->rcpts[i];

			if ((int)r->action != a)
				continue;
			if (!said)
				put(w, "\r\n%s\r\n\r\n", actions[a].sentence);
			said = true;
			put(w, "  %s\r\n", clean(r->address, text));
			if (r->text && *r->text)
				put(w, "    %s\r\n", clean(r->text, text));
		}
	}
	put(w, "\r\n");
}

/* A sentence that tells of a reply ends with it: "...: 550 5.1.1 no such user". */
static const char *reply_in(const char *sentence)
{
	for (; sentence && (sentence = strstr(sentence, ": ")); sentence++) {
		const char *code = sentence + 2;

		if (strchr("45", *code) && strspn(code, "0123456789") == 3 && code[3] == ' ')
			return code;
	}
	return NULL;
}

/* What the host said, word for word (RFC 3464 2.3.6). */
static const char *diagnostic_of(const struct dsn_rcpt *r)
{
	if (r->diagnostic || !r->remote || (r->action != DSN_FAILED && r->action != DSN_DELAYED))
		return r->diagnostic;
	return reply_in(r->text);
}

static void put_rcpt(struct writing *w, const struct dsn_rcpt *r)
{
	const char *diagnostic = diagnostic_of(r);
	char text[TEXT_MAX];

	put(w, "\r\n");
	if (r->orcpt)
		put(w, "Original-Recipient: %s\r\n", clean(r->orcpt, text));
	put_address(w, "Final-Recipient", r->address);
	put(w, "Action: %s\r\n", actions[r->action].name);
	put(w, "Status: %s\r\n",
	    r->status && *r->status ? clean(r->status, text) : actions[r->action].status);
	if (r->remote)
		put(w, "Remote-MTA: dns; %s\r\n", clean(r->remote, text));
	if (diagnostic)
		put(w, "Diagnostic-Code: smtp; %s\r\n", clean(diagnostic, text));
	if (r->last_attempt)
		put_date(w, "Last-Attempt-Date", r->last_attempt);
	if (r->action == DSN_DELAYED && r->retry_until)
		put_date(w, "Will-Retry-Until", r->retry_until);
}

/* Does any field of the status part go beyond ASCII? */
static bool status_eight_bit(const struct dsn_spec *s)
{
	for (size_t i = 0; i < s->n_rcpts; i++)
		if (text_eight_bit(s->rcpts[i].address) || text_eight_bit(s->rcpts[i].orcpt) ||
		    text_eight_bit(diagnostic_of(&s->rcpts[i])))
			return true;
	return text_eight_bit(s->envid);
}

static void put_status(struct writing *w)
{
	const struct dsn_spec *s = w->spec;
	bool eight_bit = status_eight_bit(s);
	char text[TEXT_MAX];

	put_part(w, eight_bit ? "message/global-delivery-status" : "message/delivery-status",
		 eight_bit);
	put(w, "Reporting-MTA: dns; %s\r\n", s->hostname);
	if (s->envid)
		put(w, "Original-Envelope-Id: %s\r\n", clean(s->envid, text));
	if (s->arrival)
		put_date(w, "Arrival-Date", s->arrival);
	for (size_t i = 0; i < s->n_rcpts; i++)
		put_rcpt(w, &s->rcpts[i]);
	put(w, "\r\n");
}

/* Its header with the last line end, cut at a line where it is very long. */
static size_t header_len(const char *mail, size_t len)
{
	const char *end;

	if (len >= 2 && !memcmp(mail, "\r\n", 2))
		return 0;
	end = memmem(mail, len, "\r\n\r\n", 4);
	if (end)
		len = end + 2 - mail;
	if (len > HEADER_MAX) {
		end = memrchr(mail, '\n', HEADER_MAX);
		len = end ? (size_t)(end + 1 - mail) : 0;
	}
	return len;
}

/*
 * Was it the mail itself that could not go on: too large, or with octets that the next
 * host does not take? A notice that had it within could not go, either.
 */
static bool is_unfit(const struct dsn_spec *s)
{
	static const char *const unfit[] = { "5.2.3", "5.3.4", "5.6.3", "5.6.7" };

	for (size_t i = 0; i < s->n_rcpts; i++)
		for (size_t k = 0; s->rcpts[i].status && k < ARRAY_SIZE(unfit); k++)
			if (!strcmp(s->rcpts[i].status, unfit[k]))
				return true;
	return false;
}

/* What stands in @out from @at on is for any host. */
static void make_ascii(struct buffer *out, size_t at)
{
	for (; at < out->len; at++)
		if (out->data[at] & 0x80)
			out->data[at] = '?';
}

static void put_original(struct writing *w)
{
	const struct dsn_spec *s = w->spec;
	bool unfit = is_unfit(s), whole = s->full && !unfit;
	size_t len = whole ? s->original_len : header_len(s->original, s->original_len), at;
	bool eight_bit = !unfit && has_eight_bit(s->original, len);

	put_part(w, whole ? "message/rfc822" : "text/rfc822-headers", eight_bit);
	at = w->out->len;
	put_bytes(w, s->original, len);
	if (unfit)
		make_ascii(w->out, at);
	put(w, "\r\n--%s--\r\n", w->boundary);
}

/* Random, and nowhere in the mail that comes back. */
static int make_boundary(struct writing *w)
{
	const struct dsn_spec *s = w->spec;
	uint64_t random[2];

	do {
		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		snprintf(w->boundary, sizeof(w->boundary), "=_%016llx%016llx",
			 (unsigned long long)random[0], (unsigned long long)random[1]);
	} while (s->original_len &&
		 memmem(s->original, s->original_len, w->boundary, strlen(w->boundary)));
	return 0;
}

static int check_spec(const struct dsn_spec *s, struct error *e)
{
	int r;

	if (!s->n_rcpts)
		return error_set(e, -EINVAL, "The notice is about no recipient");
	r = message_check_text("name of the host", s->hostname, e);
	if (r >= 0)
		r = message_check_id(s->message_id, e);
	for (size_t i = 0; r >= 0 && i < s->n_rcpts; i++)
		if ((unsigned int)s->rcpts[i].action >= _DSN_ACTIONS)
			r = error_set(e, -EINVAL, "The notice tells of no such action");
	if (r >= 0 && !*s->to)
		r = error_set(e, -EINVAL, "A mail without a sender gets no notice");
	/* a path that was parsed when the mail came, SMTPUTF8 perhaps */
	return r < 0 ? r : message_check_text("sender's address", s->to, e);
}

int dsn_build(const struct dsn_spec *s, struct buffer *out, bool *eight_bit, struct error *e)
{
	struct writing w = { .spec = s, .out = out };
	size_t before = out->len;
	int r = check_spec(s, e);

	if (r < 0)
		return r;
	w.error = make_boundary(&w);
	put_header(&w);
	put_people(&w);
	put_status(&w);
	put_original(&w);
	if (w.error < 0) {
		out->len = before;
		return error_set(e, w.error, "Cannot write the notice: %s", strerror(-w.error));
	}
	*eight_bit = has_eight_bit(out->data + before, out->len - before);
	return 0;
}
