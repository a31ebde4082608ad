/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "smtp/server_internal.h"

#define REPLY_LINE_MAX	512			/* with its CRLF */
#define HOSTNAME_MAX	255
#define MESSAGE_DEFAULT (50ULL << 20)

uint64_t smtp_server_limit(uint64_t set, uint64_t by_default)
{
	return set ? set : by_default;
}

uint64_t smtp_server_max_message(const struct smtp_server *s)
{
	return smtp_server_limit(s->o->max_message, MESSAGE_DEFAULT);
}

/*
 * Replies
 */

/* RFC 821 4.2.2 */
static const char *words_of(int code)
{
	static const struct {
		int code;
		const char *words;
	} table[] = {
		{ 211, "System status" },
		{ 214, "Help" },
		{ 220, "Service ready" },
		{ 221, "Service closing transmission channel" },
		{ 250, "OK" },
		{ 251, "User not local; will forward" },
		{ 252, "Cannot verify the user, but will take mail for him" },
		{ 421, "Service not available, closing transmission channel" },
		{ 450, "Mailbox unavailable, try again later" },
		{ 451, "Local error in processing" },
		{ 452, "Insufficient system storage" },
		{ 500, "Command unrecognized" },
		{ 501, "Syntax error in parameters or arguments" },
		{ 502, "Command not implemented" },
		{ 503, "Bad sequence of commands" },
		{ 504, "Command parameter not implemented" },
		{ 550, "Mailbox unavailable" },
		{ 551, "User not local" },
		{ 552, "Exceeded storage allocation" },
		{ 553, "Mailbox name not allowed" },
		{ 554, "Transaction failed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].code == code)
			return table[i].words;
	return code < 400 ? "OK" : "Refused";
}

/* What goes before each line's text. A status code whose class is another's is not told. */
static int prefix(const struct smtp_server *s, int code, const char *enhanced, char buf[32])
{
	static const char *const unsaid[] = { [2] = "2.0.0", [4] = "4.0.0", [5] = "5.0.0" };
	int class = code / 100;

	if (!s->ehlo || class == 3)
		return snprintf(buf, 32, "%d ", code);
	if (!enhanced || enhanced[0] != '0' + class || strlen(enhanced) > 11 ||
	    enhanced[strspn(enhanced, "0123456789.")])
		enhanced = unsaid[class];
	return snprintf(buf, 32, "%d %s ", code, enhanced);
}

/* The text may quote the client or come from afar: printable, one line, in 512 octets. */
static void append_clean(struct smtp_server *s, const char *text, size_t len, size_t room)
{
	size_t start = s->out.len;

	if (len > room)
		for (len = room; len && (text[len] & 0xc0) == 0x80; len--)
			;
	if (buffer_append(&s->out, text, len) < 0)
		return smtp_server_close(s);
	for (char *p = s->out.data + start; p < s->out.data + s->out.len; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || (*p & 0x80 && !s->utf8))
			*p = '?';
}

void smtp_server_say(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	char before[32];
	size_t n = prefix(s, code, enhanced, before);
	const char *end;

	text = text ? text : words_of(code);
	do {
		end = strchrnul(text, '\n');
		before[3] = *end ? '-' : ' ';
		if (buffer_append(&s->out, before, n) < 0)
			return smtp_server_close(s);
		append_clean(s, text, end - text, REPLY_LINE_MAX - 2 - n);
		if (buffer_append(&s->out, "\r\n", 2) < 0)
			return smtp_server_close(s);
		text = end + 1;
	} while (*end);
}

void smtp_server_close(struct smtp_server *s)
{
	smtp_server_void(s);
	smtp_auth_free(take_ptr(s->auth));
	s->due |= DUE_CLOSE;
	s->state = OVER;
}

void smtp_server_leave(struct smtp_server *s, const char *enhanced, const char *text)
{
	_free_ char *line = NULL;

	if (asprintf(&line, "%s %s", s->o->hostname, text ? text : words_of(421)) >= 0)
		smtp_server_say(s, 421, enhanced, line);
	smtp_server_close(s);
}

void smtp_server_bad(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	if (++s->bad > smtp_server_limit(s->o->max_bad, 20))
		smtp_server_leave(s, "4.7.0", "Too many errors, closing transmission channel");
	else
		smtp_server_say(s, code, enhanced, text);
}

/*
 * Questions to the caller, and what is told
 */

static void end_transaction(struct smtp_server *s)
{
	envelope_free(&s->envelope);
	s->in_mail = s->rcpt_tried = s->by_bdat = s->utf8 = false;
	s->n_tried = 0;
	s->body = 0;
}

void smtp_server_void(struct smtp_server *s)
{
	if (s->in_mail)
		s->due |= DUE_RESET;
	end_transaction(s);
}

void smtp_server_drop_question(struct smtp_server *s)
{
	free(s->path);
	s->path = NULL;
	free(s->argument);
	s->argument = NULL;
}

static const char *name_in(const struct smtp_server *s, enum smtp_server_event_type type)
{
	switch (type) {
	case SMTPD_HELO:
	case SMTPD_VERIFIER:
	case SMTPD_AUTH_FAILED:
		return s->argument;
	case SMTPD_AUTHENTICATED:
		return s->user;
	default:
		return NULL;
	}
}

static struct smtp_server_event event(struct smtp_server *s, enum smtp_server_event_type type)
{
	return (struct smtp_server_event){
		.type = type,
		.name = name_in(s, type),
		.argument = type == SMTPD_VRFY || type == SMTPD_EXPN ? s->argument : NULL,
		.path = s->path,
		.envelope = s->envelope.from ? &s->envelope : NULL,
		.how = s->how,
	};
}

bool smtp_server_ask(struct smtp_server *s, enum smtp_server_event_type type,
		     struct smtp_server_event *ev)
{
	s->state = ASKED;
	s->asked = type;
	*ev = event(s, type);
	return true;
}

static bool tell_due(struct smtp_server *s, struct smtp_server_event *ev)
{
	static const struct {
		enum due due;
		enum smtp_server_event_type type;
	} table[] = {
		{ DUE_RESET, SMTPD_RESET },
		{ DUE_AUTHENTICATED, SMTPD_AUTHENTICATED },
		{ DUE_AUTH_FAILED, SMTPD_AUTH_FAILED },
		{ DUE_CLOSE, SMTPD_CLOSE },
	};

	for (size_t i = 0; s->due && i < ARRAY_SIZE(table); i++) {
		if (!(s->due & table[i].due))
			continue;
		s->due &= ~table[i].due;
		*ev = event(s, table[i].type);
		return true;
	}
	return false;
}

/*
 * Lines
 */

/* *data may be NULL where there is nothing of it. */
static void advance(const char **data, size_t *len, size_t n)
{
	if (!n)
		return;
	*data += n;
	*len -= n;
}

/* The octets up to and with the next CRLF, which may have begun in s->line; 0: no end yet. */
static size_t line_length(const struct smtp_server *s, const char *data, size_t len)
{
	const char *from = data, *nl;

	while ((nl = memchr(from, '\n', data + len - from))) {
		if (nl > data ? nl[-1] == '\r' : s->last_cr)
			return nl + 1 - data;
		from = nl + 1;
	}
	return 0;
}

static bool too_long(const struct smtp_server *s, struct text head, size_t total)
{
	if (total <= COMMAND_LINE_MAX)
		return false;
	return total > (s->state == SASL ? AUTH_LINE_MAX : smtp_server_line_max(head));
}

/* Puts a line together; what cannot be a line any more is dropped up to its end. */
static void hoard(struct smtp_server *s, const char *data, size_t len)
{
	size_t room = AUTH_LINE_MAX + 1 - s->line.len;

	s->last_cr = data[len - 1] == '\r';
	if (s->skipping)
		return;
	if (buffer_append(&s->line, data, len < room ? len : room) < 0)
		return smtp_server_close(s);
	s->skipping = too_long(s, (struct text){ s->line.data, s->line.len }, s->line.len);
	if (s->skipping)
		buffer_free(&s->line);
}

/* Takes one line, without its CRLF; one that is too long comes as NULL. */
static bool take_line(struct smtp_server *s, const char **data, size_t *len, struct text *line)
{
	size_t n = line_length(s, *data, *len);
	size_t taken = n ? n : *len;

	if (!*len)
		return false;
	*line = (struct text){ *data, n };
	if (!n || s->line.len || s->skipping) {
		hoard(s, *data, taken);
		*line = (struct text){ s->line.data, s->line.len };
	}
	advance(data, len, taken);
	if (!n || s->state == OVER)
		return false;
	if (s->skipping || too_long(s, *line, line->len))
		line->s = NULL;
	else
		line->len -= 2;
	s->skipping = s->last_cr = false;
	return true;
}

/*
 * The text of a message
 */

void smtp_server_begin_text(struct smtp_server *s)
{
	s->unstuffing = (struct smtp_unstuffing){ 0 };
	s->refusal = SOUND;
	s->state = TEXT;
}

void smtp_server_begin_chunk(struct smtp_server *s, enum smtp_refusal refusal)
{
	if (!s->by_bdat)
		s->unstuffing = (struct smtp_unstuffing){ 0 };
	s->by_bdat = refusal == SOUND;
	s->refusal = refusal;
	s->state = CHUNK;
}

/*
 * A stretch of the message is there. The first that is wrong voids the transaction at
 * once, so that the caller can drop what it has; the reply waits for the end.
 */
static bool take_stretch(struct smtp_server *s, const char *text, size_t n,
			 struct smtp_server_event *ev)
{
	if (s->refusal)
		return false;
	s->body += n;
	if (s->unstuffing.fault)
		s->refusal = FAULTY;
	else if (s->body > smtp_server_max_message(s))
		s->refusal = TOO_BIG;
	if (s->refusal) {
		smtp_server_void(s);
		return false;
	}
	*ev = event(s, SMTPD_BODY);
	ev->data = text;
	ev->len = n;
	return true;
}

static void say_refusal(struct smtp_server *s)
{
	switch (s->refusal) {
	case SOUND:
		break;
	case FAULTY:
		smtp_server_say(s, 554, "5.6.0", "The message has a bare CR or LF, or a NUL");
		break;
	case TOO_BIG:
		smtp_server_say(s, 552, "5.3.4", "The message is larger than is taken here");
		break;
	case OUT_OF_ORDER:
		smtp_server_bad(s, 503, "5.5.1", "BDAT must follow MAIL and RCPT, not DATA");
		break;
	}
}

/* The message has come to its end: is it one? */
static bool end_text(struct smtp_server *s, struct smtp_server_event *ev)
{
	if (!s->refusal && s->unstuffing.fault)
		s->refusal = FAULTY;
	if (!s->refusal)
		return smtp_server_ask(s, SMTPD_END, ev);
	s->state = COMMAND;
	smtp_server_void(s);
	say_refusal(s);
	return false;
}

static bool take_text(struct smtp_server *s, const char **data, size_t *len,
		      struct smtp_server_event *ev)
{
	const char *text;
	size_t n = smtp_unstuff(&s->unstuffing, data, len, &text);

	if (n)
		return take_stretch(s, text, n, ev);
	return s->unstuffing.ended && end_text(s, ev);
}

static bool end_chunk(struct smtp_server *s, struct smtp_server_event *ev)
{
	char words[64];

	if (s->chunk_last && !s->refusal) {
		smtp_unstuff_last(&s->unstuffing);
		return end_text(s, ev);
	}
	s->state = COMMAND;
	if (s->refusal) {
		say_refusal(s);
		return false;
	}
	snprintf(words, sizeof(words), "%llu octets received", (unsigned long long)s->chunk_size);
	smtp_server_say(s, 250, "2.0.0", words);
	return false;
}

static bool take_chunk(struct smtp_server *s, const char **data, size_t *len,
		       struct smtp_server_event *ev)
{
	size_t n = *len < s->chunk ? *len : s->chunk;
	const char *text = *data;

	if (!s->chunk)
		return end_chunk(s, ev);
	if (!s->refusal)
		smtp_unstuff_chunk(&s->unstuffing, text, n);
	s->chunk -= n;
	advance(data, len, n);
	return take_stretch(s, text, n, ev);
}

/*
 * The machine
 */

/* Nothing is awaited in these: whatever comes was sent too early, or by somebody else. */
static bool drops_input(const struct smtp_server *s)
{
	return s->state == HANDSHAKE || s->state == OVER;
}

static bool obey_line(struct smtp_server *s, struct text line, struct smtp_server_event *ev)
{
	bool told = false;

	smtp_server_drop_question(s);
	if (s->state == SASL)
		told = smtp_server_sasl(s, line, ev);
	else if (line.s)
		told = smtp_server_obey(s, line, ev);
	else
		smtp_server_bad(s, 500, "5.5.2", "Line too long");
	buffer_free(&s->line);
	return told;
}

/*
 * The client must wait for our answer to STARTTLS. What it sent behind it was not
 * encrypted, and could be anybody's: it must not be taken for a part of what is.
 */
static void refuse_early(struct smtp_server *s)
{
	s->state = OVER;
	smtp_server_say(s, 503, "5.5.1", "Nothing may follow STARTTLS before its answer");
	smtp_server_close(s);
}

static bool start_tls(struct smtp_server *s, size_t len, struct smtp_server_event *ev)
{
	if (len) {
		refuse_early(s);
		return false;
	}
	smtp_server_say(s, 220, "2.0.0", "Ready to start TLS");
	*ev = event(s, SMTPD_STARTTLS);
	return s->state == HANDSHAKE;
}

bool smtp_server_next(struct smtp_server *s, const char **data, size_t *len,
		      struct smtp_server_event *ev)
{
	struct text line;

	s->begun = true;
	for (;;) {
		bool told = false;

		if (tell_due(s, ev))
			return true;
		if (drops_input(s)) {
			advance(data, len, *len);
			return false;
		}
		if (s->state == ASKED || (!*len && !(s->state == CHUNK && !s->chunk)))
			return false;
		if (s->state == TEXT)
			told = take_text(s, data, len, ev);
		else if (s->state == CHUNK)
			told = take_chunk(s, data, len, ev);
		else if (take_line(s, data, len, &line))
			told = obey_line(s, line, ev);
		if (s->state == HANDSHAKE)
			told = start_tls(s, *len, ev);
		if (told)
			return true;
	}
}

struct buffer *smtp_server_output(struct smtp_server *s)
{
	if (!s->out.len)
		buffer_free(&s->out);
	return &s->out;
}

/*
 * What the caller answers
 */

static void end_message(struct smtp_server *s, bool yes)
{
	end_transaction(s);
	if (yes) {
		s->messages++;
		s->idle = s->refused = 0;
	}
}

/* What the answer means to all but HELO. */
static void settle(struct smtp_server *s, bool yes)
{
	switch (s->asked) {
	case SMTPD_MAIL:
		s->in_mail = yes;
		if (!yes)
			end_transaction(s);
		break;
	case SMTPD_RCPT:
		if (!yes)
			envelope_drop(&s->envelope);
		s->refused += !yes;
		break;
	case SMTPD_END:
		end_message(s, yes);
		break;
	case SMTPD_TURN:
		if (yes)
			s->state = OVER;
		break;
	default:
		break;
	}
	s->utf8 = s->envelope.utf8;
}

/* Our own words for a positive answer. */
static void say_yes(struct smtp_server *s)
{
	switch (s->asked) {
	case SMTPD_MAIL:
		return smtp_server_say(s, 250, "2.1.0", NULL);
	case SMTPD_RCPT:
		return smtp_server_say(s, 250, "2.1.5", NULL);
	case SMTPD_VRFY:
	case SMTPD_EXPN:
		return smtp_server_say(s, 252, "2.0.0", NULL);
	default:
		return smtp_server_say(s, 250, "2.0.0", NULL);
	}
}

/* RFC 5321 4.1.4: what was under way is void. */
static void greet(struct smtp_server *s)
{
	smtp_server_void(s);
	free(s->helo);
	s->helo = take_ptr(s->argument);
	s->ehlo = s->asked_ehlo;
	smtp_server_welcome(s);
}

/* The caller's words may point to what its answer ends: they are said first. */
static void answer(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	if (code)
		smtp_server_say(s, code, enhanced, text);
	else
		say_yes(s);
	if (s->state != OVER)
		settle(s, code < 300);
}

int smtp_server_reply(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	int class = code / 100;

	if (s->state != ASKED || s->asked == SMTPD_VERIFIER)
		return -EBUSY;
	if (code && class != 2 && class != 4 && class != 5)
		return -EINVAL;
	s->state = COMMAND;
	if (code == 421) {
		/* An answered message is over: nothing of it is left to be told void. */
		s->in_mail &= s->asked != SMTPD_END;
		smtp_server_leave(s, enhanced, text);
	} else if (s->asked == SMTPD_HELO && code < 300) {
		greet(s);
	} else {
		answer(s, code, enhanced, text);
	}
	smtp_server_drop_question(s);
	return 0;
}

int smtp_server_secured(struct smtp_server *s)
{
	if (s->state != HANDSHAKE)
		return -EBUSY;
	s->state = COMMAND;
	s->tls = true;
	s->ehlo = false;
	free(s->helo);
	s->helo = NULL;
	return 0;
}

int smtp_server_end(struct smtp_server *s, const char *text)
{
	if (s->state == OVER)
		return -EBUSY;
	smtp_server_drop_question(s);
	/* RFC 821 4.3: a connection is met with 220 or 421. */
	if (!s->begun && s->out.len && !strncmp(s->out.data, "220 ", 4))
		buffer_clear(&s->out);
	/* Between 220 and the end of the handshake nobody could read it. */
	if (s->state == HANDSHAKE)
		smtp_server_close(s);
	else
		smtp_server_leave(s, "4.3.2", text);
	return 0;
}

const char *smtp_server_user(const struct smtp_server *s)
{
	return s->user;
}

const char *smtp_server_helo(const struct smtp_server *s, bool *ehlo)
{
	*ehlo = s->ehlo;
	return s->helo;
}

bool smtp_server_in_body(const struct smtp_server *s)
{
	return s->state == TEXT || s->state == CHUNK;
}

/*
 * Life
 */

int smtp_server_new(struct smtp_server **ret, const struct smtp_server_options *o)
{
	struct smtp_server *s;

	if (!o->hostname || !smtp_domain_valid(o->hostname, strlen(o->hostname), false) ||
	    strlen(o->hostname) > HOSTNAME_MAX)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->o = o;
	s->tls = o->tls_active;
	if (buffer_printf(&s->out, "220 %s ESMTP Service ready\r\n", o->hostname) < 0) {
		smtp_server_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void smtp_server_free(struct smtp_server *s)
{
	if (!s)
		return;
	smtp_server_drop_question(s);
	smtp_auth_free(s->auth);
	envelope_free(&s->envelope);
	buffer_free(&s->line);
	buffer_free(&s->out);
	free(s->helo);
	free(s->user);
	free(s);
}
