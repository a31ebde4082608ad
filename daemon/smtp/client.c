/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How it is built: one state, named after what is awaited. step() does what
 * needs no word from the server (send the next command, tell the next event),
 * answer() takes one whole reply. Both return true when they filled in an event.
 *
 * MAIL, the RCPTs and DATA go out together where the server offers PIPELINING, at
 * most PIPELINE_MAX unanswered. So may those of the next message behind a final dot:
 * what is kept of a message is needed only until then, so the next takes its place
 * at once, and its answers are awaited when the dot has its own.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/cleanup.h"
#include "smtp/client.h"
#include "smtp/client_params.h"
#include "sasl/scram_client.h"
#include "smtp/stuff.h"

#define PIPELINE_MAX	64
#define ADDRESS_MAX	480	/* a command line is 512 octets with its verb and parameters */
#define SECRET_MAX	1024
#define BODY_SPARE	1024

enum state {
	GREETING,
	EHLO,
	HELO,
	STARTTLS,
	HANDSHAKE,	/* the caller's; what arrives meanwhile is dropped */
	AUTH_SCRAM,
	AUTH_PLAIN,
	AUTH_LOGIN_USER,
	AUTH_LOGIN_PASSWORD,
	AUTH_DONE,
	SAY_READY,	/* SMTP_READY is to be told */
	IDLE,
	ENVELOPE,	/* MAIL and RCPTs are out or going out, DATA may be */
	VOID_DATA,	/* DATA went with an envelope that failed */
	VOID_DOT,	/* and was taken: nothing but the dot was sent */
	DATA,
	BODY,		/* the caller pushes */
	SAY_DOT,
	HELD,		/* SMTP_DOT was told */
	DOT,		/* the final dot is out, and the next envelope where one follows */
	SAY_NEXT,	/* SMTP_NEXT is to be told */
	RESET,
	QUIT,
	LOST,		/* the end is to be told, by lost_text */
	OVER,
};

struct smtp_client {
	struct smtp_client_options o;
	enum state state;
	bool secure;
	struct smtp_offers caps;
	struct smtp_reply_parser parser;
	struct buffer out;
	char text[400];			/* the sentence of the last event */

	struct scram_client scram;	/* while it goes on */

	/* The message in hand; from its dot on, the one that follows. */
	struct envelope e;
	bool follows;
	bool mail_sent;
	bool mail_pending;		/* MAIL is not answered */
	bool mail_failed;
	enum smtp_verdict mail_verdict;
	char mail_enhanced[12];
	bool split;			/* the server has enough recipients for one transaction */
	size_t sent, answered;		/* recipients; sent >= answered */
	size_t in_flight;		/* RCPTs on the wire without an answer */
	bool data_sent;			/* DATA is on the wire behind them */
	size_t accepted, transient;
	struct smtp_stuffing stuffing;

	char lost_text[300];
	enum smtp_verdict lost_verdict;
	enum state lost_state;
};

unsigned int smtp_timeout_seconds(enum smtp_timeout t)
{
	static const unsigned int seconds[] = {
		[SMTP_TIMEOUT_NONE] = 0,
		[SMTP_TIMEOUT_GREETING] = 300,
		[SMTP_TIMEOUT_COMMAND] = 300,
		[SMTP_TIMEOUT_DATA] = 120,
		[SMTP_TIMEOUT_BODY] = 180,
		[SMTP_TIMEOUT_DOT] = 600,
	};

	return seconds[t];
}

enum smtp_timeout smtp_client_timeout(const struct smtp_client *c)
{
	switch (c->state) {
	case GREETING:
		return SMTP_TIMEOUT_GREETING;
	case DATA:
	case VOID_DATA:
		return SMTP_TIMEOUT_DATA;
	case BODY:
	case SAY_DOT:
		return SMTP_TIMEOUT_BODY;
	case DOT:
		return SMTP_TIMEOUT_DOT;
	case SAY_READY:
	case SAY_NEXT:
	case IDLE:
	case HELD:
	case LOST:
	case OVER:
		return SMTP_TIMEOUT_NONE;
	default:
		return SMTP_TIMEOUT_COMMAND;
	}
}

/* Printable ASCII without blanks: fit for a command line. */
static bool is_atom(const char *s)
{
	if (!s || !*s)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f)
			return false;
	return true;
}

static bool is_printable(char c, bool utf8)
{
	unsigned char u = (unsigned char)c;

	return u >= ' ' && u != 0x7f && (utf8 || u < 0x7f);
}

/* Can this stand between angle brackets? Blanks and brackets only within quotes. */
static bool is_path(const char *s, bool utf8)
{
	bool quoted = false;
	size_t n = 0;

	for (; *s; s++) {
		if (!is_printable(*s, utf8) || ++n > ADDRESS_MAX)
			return false;
		if (*s == '"') {
			quoted = !quoted;
		} else if (quoted && *s == '\\') {
			if (!is_printable(*++s, utf8))
				return false;
			n++;
		} else if (!quoted && (*s == ' ' || *s == '<' || *s == '>' || *s == '\\')) {
			return false;
		}
	}
	return !quoted;
}

int smtp_client_new(struct smtp_client **ret, const struct smtp_client_options *o)
{
	struct smtp_client *c;

	if (!is_atom(o->helo) || strlen(o->helo) > 255)
		return -EINVAL;
	if (!o->user != !o->password)
		return -EINVAL;
	if (o->user && (strlen(o->user) > SECRET_MAX || strlen(o->password) > SECRET_MAX))
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->secure = o->tls_active;
	c->state = GREETING;
	*ret = c;
	return 0;
}

void smtp_client_free(struct smtp_client *c)
{
	if (!c)
		return;
	scram_client_end(&c->scram);
	buffer_free(&c->out);
	free(c);
}

const struct smtp_offers *smtp_client_offers(const struct smtp_client *c)
{
	return &c->caps;
}

struct buffer *smtp_client_output(struct smtp_client *c)
{
	return &c->out;
}

static void lose(struct smtp_client *c, enum smtp_verdict v, const char *why)
{
	if (c->state == LOST || c->state == OVER)
		return;
	c->lost_state = c->state;
	c->lost_verdict = v;
	snprintf(c->lost_text, sizeof(c->lost_text), "%s", why);
	c->state = LOST;
}

void smtp_client_lost(struct smtp_client *c, const char *why)
{
	lose(c, c->state == DOT ? SMTP_IN_DOUBT : SMTP_TRANSIENT, why);
}

/* Queues a command line and what is awaited after it. */
__attribute__((format(printf, 3, 4)))
static void command(struct smtp_client *c, enum state next, const char *fmt, ...)
{
	char line[8 * SECRET_MAX];
	va_list ap;
	int n, r;

	if (c->state == LOST)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(line) - 2) {
		r = -EMSGSIZE;
	} else {
		memcpy(line + n, "\r\n", 2);
		r = buffer_append(&c->out, line, n + 2);
	}
	if (n > 0)
		OPENSSL_cleanse(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line));
	if (r < 0)
		lose(c, SMTP_TRANSIENT, "there was no memory for a command");
	else
		c->state = next;
}

/* A 5xx that says "later" in fact: the server has enough recipients (RFC 5321, 4.5.3.1.10). */
static bool is_too_many(const struct smtp_reply *r)
{
	if (r->code != 452 && r->code != 552)
		return false;
	return !r->enhanced[0] || !strcmp(r->enhanced + 1, ".5.3");
}

static enum smtp_verdict verdict_of(const struct smtp_reply *r)
{
	return smtp_reply_class(r) == 5 ? SMTP_REFUSED : SMTP_TRANSIENT;
}

static bool tell(struct smtp_event *ev, enum smtp_event_type type)
{
	*ev = (struct smtp_event){ .type = type, .enhanced = "" };
	return true;
}

/* An event about a reply; the sentence quotes its first words. */
static bool tell_reply(struct smtp_client *c, struct smtp_event *ev, enum smtp_event_type type,
		       enum smtp_verdict v, const char *what)
{
	const struct smtp_reply *r = &c->parser.reply;

	snprintf(c->text, sizeof(c->text), "%s: %d%s%s %.300s", what, r->code,
		 r->enhanced[0] ? " " : "", r->enhanced, r->text);
	for (char *p = c->text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	*ev = (struct smtp_event){ .type = type, .verdict = v, .reply = r, .enhanced = r->enhanced,
				   .text = c->text };
	return true;
}

static bool tell_local(struct smtp_client *c, struct smtp_event *ev, enum smtp_event_type type,
		       enum smtp_verdict v, const char *text)
{
	snprintf(c->text, sizeof(c->text), "%s", text);
	*ev = (struct smtp_event){ .type = type, .verdict = v, .enhanced = "", .text = c->text };
	return true;
}

static bool fail_reply(struct smtp_client *c, struct smtp_event *ev, enum smtp_verdict v,
		       const char *what)
{
	c->state = OVER;
	return tell_reply(c, ev, SMTP_FAILED, v, what);
}

static bool fail_local(struct smtp_client *c, struct smtp_event *ev, enum smtp_verdict v,
		       const char *text)
{
	c->state = OVER;
	return tell_local(c, ev, SMTP_FAILED, v, text);
}

static const char *awaited(enum state s)
{
	switch (s) {
	case GREETING:
		return "before the server's greeting";
	case EHLO:
	case HELO:
		return "after EHLO";
	case STARTTLS:
	case HANDSHAKE:
		return "while encryption was set up";
	case AUTH_SCRAM:
	case AUTH_PLAIN:
	case AUTH_LOGIN_USER:
	case AUTH_LOGIN_PASSWORD:
	case AUTH_DONE:
		return "while logging in";
	case ENVELOPE:
		return "while sender and recipients were given";
	case DATA:
	case BODY:
	case SAY_DOT:
	case HELD:
		return "before the message was out";
	case DOT:
		return "after the whole message was sent, so the server may have taken it";
	default:
		return "between two messages";
	}
}

static bool fail_lost(struct smtp_client *c, struct smtp_event *ev)
{
	enum state was = c->lost_state;

	c->state = OVER;
	if (was == QUIT)
		return tell(ev, SMTP_CLOSED);
	snprintf(c->text, sizeof(c->text), "%s, %s", c->lost_text, awaited(was));
	*ev = (struct smtp_event){ .type = SMTP_FAILED, .verdict = c->lost_verdict,
				   .enhanced = "", .text = c->text };
	return true;
}

/*
 * EHLO
 */

static bool word_is(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && !strncasecmp(s, word, len);
}

static void learn_auth(struct smtp_offers *caps, const char *s, const char *end)
{
	while (s < end) {
		size_t n = strcspn(s, " \n");

		caps->auth_scram |= word_is(s, n, "SCRAM-SHA-256");
		caps->auth_plain |= word_is(s, n, "PLAIN");
		caps->auth_login |= word_is(s, n, "LOGIN");
		s += n;
		s += s < end;
	}
}

static void learn(struct smtp_offers *caps, const char *s, size_t len)
{
	size_t n = strcspn(s, " =\n");
	const char *arg = n < len ? s + n + 1 : s + len;

	if (word_is(s, n, "PIPELINING")) {
		caps->pipelining = true;
	} else if (word_is(s, n, "STARTTLS")) {
		caps->starttls = true;
	} else if (word_is(s, n, "8BITMIME")) {
		caps->eight_bit = true;
	} else if (word_is(s, n, "SMTPUTF8")) {
		caps->utf8 = true;
	} else if (word_is(s, n, "DSN")) {
		caps->dsn = true;
	} else if (word_is(s, n, "AUTH")) {
		learn_auth(caps, arg, s + len);
	} else if (word_is(s, n, "SIZE")) {
		caps->size = true;
		caps->max_size = *arg >= '0' && *arg <= '9' ? strtoull(arg, NULL, 10) : 0;
	}
}

/* The first line is the server's name and greeting, each further one an extension. */
static void learn_all(struct smtp_client *c)
{
	const char *s = strchr(c->parser.reply.text, '\n');

	memset(&c->caps, 0, sizeof(c->caps));
	while (s) {
		const char *next = strchr(++s, '\n');

		learn(&c->caps, s, next ? (size_t)(next - s) : strlen(s));
		s = next;
	}
}

static void base64(char *to, const void *from, size_t len)
{
	EVP_EncodeBlock((unsigned char *)to, from, len);
}

#define BASE64_MAX(n)	(((n) + 2) / 3 * 4 + 1)

static void auth_scram(struct smtp_client *c)
{
	char *first = NULL;

	if (scram_client_begin(&c->scram, c->o.user, c->o.password, &first) < 0)
		lose(c, SMTP_TRANSIENT, "SCRAM could not be begun");
	else
		command(c, AUTH_SCRAM, "AUTH SCRAM-SHA-256 %s", first);
	gsasl_free(first);
}

static bool answer_scram(struct smtp_client *c, struct smtp_event *ev)
{
	char *next = NULL;
	int r = scram_client_step(&c->scram, c->parser.reply.text, &next);

	if (r >= 0)
		command(c, AUTH_SCRAM, "%s", next ? next : "");
	gsasl_free(next);
	if (r >= 0)
		return false;
	return fail_local(c, ev, SMTP_TRANSIENT, "the server does not prove that it knows the "
			  "password, so it may not be the right one: nothing was sent");
}

static void auth_plain(struct smtp_client *c)
{
	char raw[2 * SECRET_MAX + 2], coded[BASE64_MAX(sizeof(raw))];
	size_t user = strlen(c->o.user), password = strlen(c->o.password);

	raw[0] = '\0';
	memcpy(raw + 1, c->o.user, user + 1);
	memcpy(raw + user + 2, c->o.password, password);
	base64(coded, raw, user + password + 2);
	command(c, AUTH_PLAIN, "AUTH PLAIN %s", coded);
	OPENSSL_cleanse(raw, sizeof(raw));
	OPENSSL_cleanse(coded, sizeof(coded));
}

static void auth_line(struct smtp_client *c, enum state next, const char *secret)
{
	char coded[BASE64_MAX(SECRET_MAX)];

	base64(coded, secret, strlen(secret));
	command(c, next, "%s", coded);
	OPENSSL_cleanse(coded, sizeof(coded));
}

/* Encryption is settled, one way or the other. */
static bool log_in(struct smtp_client *c, struct smtp_event *ev)
{
	if (!c->o.user) {
		c->state = SAY_READY;
		return false;
	}
	if (!c->secure)
		return fail_local(c, ev, SMTP_TRANSIENT,
				  "the line to the server is not encrypted, so no password is sent "
				  "over it: switch encryption on, or take the user name away");
	if (c->caps.auth_scram)
		auth_scram(c);
	else if (c->caps.auth_plain)
		auth_plain(c);
	else if (c->caps.auth_login)
		command(c, AUTH_LOGIN_USER, "AUTH LOGIN");
	else
		return fail_local(c, ev, SMTP_TRANSIENT,
				  "the server offers no way to log in that is known here "
				  "(SCRAM-SHA-256, PLAIN, LOGIN)");
	return false;
}

static bool hello_done(struct smtp_client *c, struct smtp_event *ev)
{
	if (!c->secure && c->o.tls != SMTP_TLS_NONE) {
		if (c->caps.starttls) {
			command(c, STARTTLS, "STARTTLS");
			return false;
		}
		if (c->o.tls == SMTP_TLS_REQUIRED)
			return fail_local(c, ev, SMTP_TRANSIENT,
					  "the server offers no STARTTLS, but encryption is "
					  "required: nothing was sent");
	}
	return log_in(c, ev);
}

static bool answer_hello(struct smtp_client *c, struct smtp_event *ev, int class)
{
	if (class == 2) {
		if (c->state == EHLO)
			learn_all(c);
		return hello_done(c, ev);
	}
	if (class == 5 && c->state == EHLO) {
		memset(&c->caps, 0, sizeof(c->caps));
		command(c, HELO, "HELO %s", c->o.helo);
		return false;
	}
	return fail_reply(c, ev, verdict_of(&c->parser.reply),
			  "the server does not accept this machine's name");
}

static bool answer_starttls(struct smtp_client *c, struct smtp_event *ev, int class)
{
	if (class == 2) {
		c->state = HANDSHAKE;
		return tell(ev, SMTP_STARTTLS);
	}
	if (c->o.tls == SMTP_TLS_REQUIRED)
		return fail_reply(c, ev, SMTP_TRANSIENT,
				  "encryption is required, but the server refused STARTTLS");
	return log_in(c, ev);
}

int smtp_client_secured(struct smtp_client *c)
{
	if (c->state != HANDSHAKE)
		return -EBUSY;
	c->secure = true;
	memset(&c->caps, 0, sizeof(c->caps));
	memset(&c->parser, 0, sizeof(c->parser));
	command(c, EHLO, "EHLO %s", c->o.helo);
	return 0;
}

bool smtp_client_is_securing(const struct smtp_client *c)
{
	return c->state == HANDSHAKE;
}

static bool answer_auth(struct smtp_client *c, struct smtp_event *ev, int class)
{
	if (class == 3 && c->state == AUTH_LOGIN_USER) {
		auth_line(c, AUTH_LOGIN_PASSWORD, c->o.user);
		return false;
	}
	if (class == 3 && c->state == AUTH_LOGIN_PASSWORD) {
		auth_line(c, AUTH_DONE, c->o.password);
		return false;
	}
	if (class == 2 && c->state == AUTH_SCRAM && !c->scram.proved)
		return fail_local(c, ev, SMTP_TRANSIENT, "the server took the login without "
				  "proving that it knows the password: nothing was sent");
	if (class == 2 && c->state != AUTH_LOGIN_USER && c->state != AUTH_LOGIN_PASSWORD) {
		scram_client_end(&c->scram);
		c->state = SAY_READY;
		return false;
	}
	fail_reply(c, ev, SMTP_TRANSIENT, "the server refused user name or password");
	ev->login = class == 5;
	return true;
}

/*
 * One message
 */

static void take_envelope(struct smtp_client *c, const struct envelope *e)
{
	c->e = *e;
	c->mail_sent = c->mail_pending = c->mail_failed = c->split = c->data_sent = false;
	c->sent = c->answered = c->in_flight = c->accepted = c->transient = 0;
	c->stuffing = (struct smtp_stuffing){ 0 };
}

int smtp_client_send(struct smtp_client *c, const struct envelope *e)
{
	if (c->state != IDLE)
		return -EBUSY;
	if (!e->n_rcpts)
		return -EINVAL;
	take_envelope(c, e);
	c->state = ENVELOPE;
	return 0;
}

int smtp_client_follow(struct smtp_client *c, const struct envelope *e)
{
	if (c->state != HELD || c->follows)
		return -EBUSY;
	if (!e->n_rcpts)
		return -EINVAL;
	if (!c->caps.pipelining)
		return -EOPNOTSUPP;
	take_envelope(c, e);
	c->follows = true;
	return 0;
}

/* Why this message cannot even be offered to this server, or NULL; with its code. */
static const char *unfit(const struct smtp_client *c, const char **enhanced)
{
	*enhanced = "5.1.7";
	if (!is_path(c->e.from, c->e.utf8))
		return "the sender's address has characters that cannot be sent";
	*enhanced = "5.6.7";
	if (c->e.utf8 && !c->caps.utf8)
		return "the message has addresses or headers in UTF-8, which the server does not "
		       "take (no SMTPUTF8)";
	*enhanced = "5.6.3";
	if (c->e.eight_bit && !c->caps.eight_bit)
		return "the message has 8-bit text, which the server does not take (no 8BITMIME)";
	*enhanced = "5.3.4";
	if (c->caps.max_size && c->e.size > c->caps.max_size)
		return "the message is larger than the server takes: send fewer pages at a time";
	return NULL;
}

static void mail(struct smtp_client *c)
{
	_buffer_ struct buffer parameters = { 0 };

	if (client_mail_params(&c->e, &c->caps, &parameters) < 0)
		lose(c, SMTP_TRANSIENT, "there was no memory for a command");
	command(c, ENVELOPE, "MAIL FROM:<%s>%s", c->e.from,
		parameters.data ? parameters.data : "");
	c->mail_sent = c->mail_pending = true;
}

static void rcpt_to(struct smtp_client *c, const struct envelope_rcpt *r)
{
	_buffer_ struct buffer parameters = { 0 };

	if (client_rcpt_params(r, &c->caps, &parameters) < 0)
		lose(c, SMTP_TRANSIENT, "there was no memory for a command");
	command(c, ENVELOPE, "RCPT TO:<%s>%s", r->address, parameters.data ? parameters.data : "");
}

static bool is_recipient(const struct smtp_client *c, size_t i)
{
	const char *s = c->e.rcpts[i].address;

	return *s && is_path(s, c->e.utf8);
}

/* Sends what may be sent of the envelope now. */
static void send_recipients(struct smtp_client *c)
{
	while (c->sent < c->e.n_rcpts && !c->mail_failed && !c->split) {
		bool pipelined = c->caps.pipelining && c->in_flight < PIPELINE_MAX;

		if (!pipelined && (c->mail_pending || c->in_flight))
			return;
		if (is_recipient(c, c->sent)) {
			rcpt_to(c, &c->e.rcpts[c->sent]);
			if (c->state != ENVELOPE)
				return;
			c->in_flight++;
		}
		c->sent++;
	}
}

/* Behind the last of a pipelined envelope: whatever comes of that, it will be answered. */
static void send_data(struct smtp_client *c)
{
	if (c->state != ENVELOPE || c->data_sent || !c->caps.pipelining || !c->in_flight ||
	    c->sent < c->e.n_rcpts || c->mail_failed || c->split)
		return;
	command(c, ENVELOPE, "DATA");
	c->data_sent = true;
}

/* The envelope is answered in full. */
static bool envelope_done(struct smtp_client *c, struct smtp_event *ev)
{
	if (c->mail_failed || !c->accepted) {
		enum smtp_verdict v = c->mail_failed ? c->mail_verdict :
				      c->transient ? SMTP_TRANSIENT : SMTP_REFUSED;

		if (c->data_sent)
			c->state = VOID_DATA;
		else
			command(c, RESET, "RSET");
		if (!c->mail_failed)
			snprintf(c->text, sizeof(c->text), "the server took no recipient");
		*ev = (struct smtp_event){ .type = SMTP_RESULT, .verdict = v, .text = c->text,
					   .enhanced = c->mail_failed ? c->mail_enhanced : "" };
		return true;
	}
	if (c->data_sent)
		c->state = DATA;
	else
		command(c, DATA, "DATA");
	return false;
}

static bool step_envelope(struct smtp_client *c, struct smtp_event *ev)
{
	size_t rcpt = c->answered;

	if (!c->mail_sent) {
		const char *enhanced, *why = unfit(c, &enhanced);

		if (why) {
			c->state = SAY_READY;
			tell_local(c, ev, SMTP_RESULT, SMTP_REFUSED, why);
			ev->enhanced = enhanced;
			return true;
		}
		mail(c);
	}
	send_recipients(c);
	send_data(c);
	if (c->state != ENVELOPE || c->mail_pending)
		return false;
	if (!c->mail_failed && rcpt < c->sent && !is_recipient(c, rcpt)) {
		c->answered++;
		tell_local(c, ev, SMTP_RECIPIENT, SMTP_REFUSED,
			   "the address has characters that cannot be sent");
		ev->enhanced = "5.1.3";
		ev->rcpt = rcpt;
		return true;
	}
	if (c->in_flight)
		return false;
	if (c->split && c->answered < c->e.n_rcpts) {
		c->answered++;
		tell_local(c, ev, SMTP_RECIPIENT, SMTP_DEFERRED,
			   "the server takes no more recipients with this copy");
		ev->rcpt = rcpt;
		return true;
	}
	return envelope_done(c, ev);
}

static bool answer_mail(struct smtp_client *c, struct smtp_event *ev, int class)
{
	c->mail_pending = false;
	if (class == 2)
		return false;
	c->mail_failed = true;
	c->mail_verdict = verdict_of(&c->parser.reply);
	memcpy(c->mail_enhanced, c->parser.reply.enhanced, sizeof(c->mail_enhanced));
	/* Kept for SMTP_RESULT, which comes when the RCPTs under way are answered too. */
	tell_reply(c, ev, SMTP_RESULT, c->mail_verdict, "the server refused the sender");
	return false;
}

static bool answer_rcpt(struct smtp_client *c, struct smtp_event *ev, int class)
{
	const struct smtp_reply *r = &c->parser.reply;
	size_t rcpt;

	c->in_flight--;
	if (c->mail_failed)
		return false;
	rcpt = c->answered++;
	if (class == 2) {
		c->accepted++;
		tell_reply(c, ev, SMTP_RECIPIENT, SMTP_ACCEPTED, "accepted");
	} else if (is_too_many(r) && c->accepted) {
		c->split = true;
		tell_reply(c, ev, SMTP_RECIPIENT, SMTP_DEFERRED,
			   "the server takes no more recipients with this copy");
	} else {
		enum smtp_verdict v = is_too_many(r) ? SMTP_TRANSIENT : verdict_of(r);

		c->transient += v == SMTP_TRANSIENT;
		tell_reply(c, ev, SMTP_RECIPIENT, v, "the server refused the recipient");
	}
	ev->rcpt = rcpt;
	return true;
}

static bool answer_data(struct smtp_client *c, struct smtp_event *ev, int class)
{
	if (class == 3) {
		c->state = BODY;
		return tell(ev, SMTP_BODY);
	}
	if (class == 2)
		return fail_reply(c, ev, SMTP_TRANSIENT,
				  "the server's answer to DATA makes no sense");
	command(c, RESET, "RSET");
	return tell_reply(c, ev, SMTP_RESULT, verdict_of(&c->parser.reply),
			  "the server refused the message");
}

/* To nobody, so the server should refuse; else it gets the dot at once (RFC 2920 3.1). */
static bool answer_void_data(struct smtp_client *c, struct smtp_event *ev, int class)
{
	if (class == 2)
		return fail_reply(c, ev, SMTP_TRANSIENT,
				  "the server's answer to DATA makes no sense");
	if (class == 3)
		command(c, VOID_DOT, ".");
	else
		command(c, RESET, "RSET");
	return false;
}

static int no_memory_for_body(struct smtp_client *c, int r)
{
	if (r < 0)
		lose(c, SMTP_TRANSIENT, "there was no memory for the message");
	return r;
}

int smtp_client_body(struct smtp_client *c, const void *data, size_t len)
{
	if (c->state != BODY)
		return -EBUSY;
	/* At once, with some dots and what comes behind it; what is wrong, stuffing tells. */
	buffer_reserve(&c->out, len + BODY_SPARE);
	return no_memory_for_body(c, smtp_stuff(&c->stuffing, &c->out, data, len));
}

int smtp_client_body_end(struct smtp_client *c)
{
	int r;

	if (c->state != BODY)
		return -EBUSY;
	r = no_memory_for_body(c, smtp_stuff_end(&c->stuffing, &c->out));
	if (r >= 0)
		c->state = SAY_DOT;
	return r;
}

/* One that is unfit says so in its turn. */
static void send_next_envelope(struct smtp_client *c)
{
	const char *enhanced;

	if (unfit(c, &enhanced))
		return;
	mail(c);
	send_recipients(c);
	send_data(c);
}

int smtp_client_dot(struct smtp_client *c)
{
	if (c->state != HELD)
		return -EBUSY;
	command(c, DOT, ".");
	if (c->state == DOT && c->follows)
		send_next_envelope(c);
	if (c->state == LOST) {
		buffer_clear(&c->out);		/* the dot with it */
		return -ENOMEM;
	}
	c->state = DOT;
	return 0;
}

static bool answer_dot(struct smtp_client *c, struct smtp_event *ev, int class)
{
	c->state = c->follows ? SAY_NEXT : SAY_READY;
	if (class == 2)
		return tell_reply(c, ev, SMTP_RESULT, SMTP_ACCEPTED, "accepted");
	if (class == 3)
		return fail_reply(c, ev, SMTP_IN_DOUBT,
				  "the server's answer to the message makes no sense");
	return tell_reply(c, ev, SMTP_RESULT, verdict_of(&c->parser.reply),
			  "the server refused the message");
}

int smtp_client_quit(struct smtp_client *c)
{
	if (c->state != IDLE)
		return -EBUSY;
	command(c, QUIT, "QUIT");
	return c->state == QUIT ? 0 : -ENOMEM;
}

/*
 * The machine
 */

static bool step(struct smtp_client *c, struct smtp_event *ev)
{
	switch (c->state) {
	case SAY_READY:
		c->state = IDLE;
		return tell(ev, SMTP_READY);
	case SAY_NEXT:
		c->follows = false;
		c->state = ENVELOPE;
		return tell(ev, SMTP_NEXT);
	case ENVELOPE:
		return step_envelope(c, ev);
	case SAY_DOT:
		c->state = HELD;
		return tell(ev, SMTP_DOT);
	case LOST:
		return fail_lost(c, ev);
	default:
		return false;
	}
}

static bool answer_greeting(struct smtp_client *c, struct smtp_event *ev, int class)
{
	if (class != 2)
		return fail_reply(c, ev, verdict_of(&c->parser.reply),
				  "the server does not take mail from here");
	command(c, EHLO, "EHLO %s", c->o.helo);
	return false;
}

static bool answer(struct smtp_client *c, struct smtp_event *ev)
{
	const struct smtp_reply *r = &c->parser.reply;
	int class = smtp_reply_class(r);

	if (c->state == QUIT) {
		c->state = OVER;
		return tell(ev, SMTP_CLOSED);
	}
	if (r->code == 421)
		return fail_reply(c, ev, SMTP_TRANSIENT, "the server closes the connection");
	switch (c->state) {
	case GREETING:
		return answer_greeting(c, ev, class);
	case EHLO:
	case HELO:
		return answer_hello(c, ev, class);
	case STARTTLS:
		return answer_starttls(c, ev, class);
	case AUTH_SCRAM:
		if (class == 3)
			return answer_scram(c, ev);
		return answer_auth(c, ev, class);
	case AUTH_PLAIN:
	case AUTH_LOGIN_USER:
	case AUTH_LOGIN_PASSWORD:
	case AUTH_DONE:
		return answer_auth(c, ev, class);
	case ENVELOPE:
		if (class == 3)
			break;
		return c->mail_pending ? answer_mail(c, ev, class) : answer_rcpt(c, ev, class);
	case VOID_DATA:
		return answer_void_data(c, ev, class);
	case VOID_DOT:
		command(c, RESET, "RSET");
		return false;
	case DATA:
		return answer_data(c, ev, class);
	case DOT:
		return answer_dot(c, ev, class);
	case RESET:
		if (class != 2)
			break;
		c->state = SAY_READY;
		return false;
	case BODY:
	case SAY_DOT:
	case HELD:
		/* It spoke before the end: nothing that says it has taken the message counts. */
		if (class < 4)
			break;
		return fail_reply(c, ev, verdict_of(r), "the server broke the message off");
	default:
		break;
	}
	return fail_reply(c, ev, SMTP_TRANSIENT, "the server said what was not asked for");
}

/* Nothing is awaited in these: whatever comes is the server's mistake or injected. */
static bool drops_input(const struct smtp_client *c)
{
	return c->state == HANDSHAKE || c->state == OVER;
}

static void drop_input(const char **data, size_t *len)
{
	if (*len)
		*data += *len;
	*len = 0;
}

/*
 * Where the server must wait for us, what it sent already is no answer: before
 * the handshake it is dropped, and before a message it must not be taken for
 * the answer to that message.
 */
static bool at_turning_point(struct smtp_client *c, const char **data, size_t *len,
			     struct smtp_event *ev)
{
	if (ev->type == SMTP_BODY && *len)
		return fail_local(c, ev, SMTP_TRANSIENT, "the server answered before it was asked");
	if (ev->type == SMTP_STARTTLS)
		drop_input(data, len);
	return true;
}

bool smtp_client_next(struct smtp_client *c, const char **data, size_t *len, struct smtp_event *ev)
{
	for (;;) {
		int r;

		if (step(c, ev))
			return true;
		if (c->state == LOST)
			continue;
		if (drops_input(c)) {
			drop_input(data, len);
			return false;
		}
		r = smtp_reply_feed(&c->parser, data, len);
		if (r == 0)
			return false;
		if (r < 0)
			return fail_local(c, ev, c->state == DOT ? SMTP_IN_DOUBT : SMTP_TRANSIENT,
					  "what the server sends is no SMTP: check host and port");
		if (answer(c, ev))
			return at_turning_point(c, data, len, ev);
	}
}
