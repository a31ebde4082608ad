/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How it is built: a queue of requests, of which the first sent_end are on the
 * wire; the server's answers belong to its head. An answer is a status line,
 * and after +OK to some requests a multi-line part, which is read by lines
 * (lists) or as a stretch of octets (mails, headers).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/cleanup.h"
#include "pop3/client.h"
#include "pop3/digest.h"
#include "pop3/octets.h"
#include "sasl/scram_client.h"

#define PIPELINE_MAX	32
#define SECRET_MAX	255
#define LINE_KEPT	512
#define HEADER_MAX	(1u << 20)
#define DISCARD_MAX	(UINT64_C(256) << 20)	/* of a mail beyond max_message, unread */

enum op {
	GREETING, CAPA, STLS, USER, PASS, AUTH, SCRAM, STAT, LIST, UIDL, TOP, LOOK, RETR,
	DELE, QUIT,
};

struct request {
	enum op op;
	size_t mail;
};

struct mail {
	uint32_t number;	/* the server's */
	uint64_t size;
	char *uidl;
};

struct pop3_client {
	struct pop3_client_options o;
	struct buffer out;
	char text[400];
	bool over, handshake, lost, ready, quitting;
	char lost_text[300];

	bool secure;
	bool can_stls, can_pipeline, can_user, can_plain, can_scram, can_uidl;	/* CAPA */
	struct scram_client scram;	/* while it goes on */
	bool challenged;		/* by it: the server can do it for this user */
	bool scram_refused;

	struct request *queue;
	size_t head, tail, cap;
	size_t sent_end;	/* queue[head..sent_end) is on the wire */

	char line[LINE_KEPT];
	size_t kept, seen;
	bool cr;

	bool multi;		/* in the multi-line part of the head's answer */
	struct pop3_octets octets;
	uint64_t got;		/* octets of this mail */
	struct pop3_digest digest;

	struct mail *mails;
	size_t n_mails, mails_cap, cursor;
	bool listed;		/* every mail that is to have a name has one */
};

static void clear_mails(struct pop3_client *c)
{
	for (size_t i = 0; i < c->n_mails; i++)
		free(c->mails[i].uidl);
	c->n_mails = 0;
}

void pop3_client_free(struct pop3_client *c)
{
	if (!c)
		return;
	clear_mails(c);
	free(c->mails);
	free(c->queue);
	pop3_digest_free(&c->digest);
	scram_client_end(&c->scram);
	buffer_free(&c->out);
	free(c);
}

struct buffer *pop3_client_output(struct pop3_client *c)
{
	return &c->out;
}

bool pop3_client_scram_refused(const struct pop3_client *c)
{
	return c->scram_refused;
}

bool pop3_client_waiting(const struct pop3_client *c)
{
	return c->handshake || c->sent_end > c->head;
}

static void lose(struct pop3_client *c, const char *why)
{
	if (c->lost || c->over)
		return;
	snprintf(c->lost_text, sizeof(c->lost_text), "%s", why);
	c->lost = true;
}

/* Can it stand in a line? */
static bool is_secret(const char *s)
{
	return s && *s && strlen(s) <= SECRET_MAX && !strpbrk(s, "\r\n");
}

static int enqueue(struct pop3_client *c, enum op op, size_t mail)
{
	if (c->head && c->tail == c->cap) {
		memmove(c->queue, c->queue + c->head, (c->tail - c->head) * sizeof(*c->queue));
		c->tail -= c->head;
		c->sent_end -= c->head;
		c->head = 0;
	}
	if (c->tail == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 16;
		struct request *queue;

		if (cap > 8 * POP3_LIST_MAX)
			return -EBUSY;
		queue = reallocarray(c->queue, cap, sizeof(*queue));
		if (!queue)
			return -ENOMEM;
		c->queue = queue;
		c->cap = cap;
	}
	c->queue[c->tail++] = (struct request){ .op = op, .mail = mail };
	return 0;
}

/* A request of the machine's own. */
static void ask(struct pop3_client *c, enum op op)
{
	if (enqueue(c, op, 0) < 0)
		lose(c, "there was no memory for a command");
}

int pop3_client_new(struct pop3_client **ret, const struct pop3_client_options *o)
{
	struct pop3_client *c;

	if (!is_secret(o->user) || !is_secret(o->password))
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->secure = o->tls_active;
	if (enqueue(c, GREETING, 0) < 0) {
		pop3_client_free(c);
		return -ENOMEM;
	}
	c->sent_end = c->tail;	/* the server owes it unasked */
	*ret = c;
	return 0;
}

/*
 * Commands
 */

static unsigned int number_of(const struct pop3_client *c, const struct request *q)
{
	return c->mails[q->mail].number;
}

static int write_command(struct pop3_client *c, const struct request *q)
{
	switch (q->op) {
	case GREETING:
		return 0;
	case CAPA:
		return buffer_printf(&c->out, "CAPA\r\n");
	case STLS:
		return buffer_printf(&c->out, "STLS\r\n");
	case USER:
		return buffer_printf(&c->out, "USER %s\r\n", c->o.user);
	case PASS:
		return buffer_printf(&c->out, "PASS %s\r\n", c->o.password);
	case AUTH:
		return buffer_printf(&c->out, "AUTH PLAIN\r\n");
	case SCRAM:
		return buffer_printf(&c->out, "AUTH SCRAM-SHA-256\r\n");
	case STAT:
		return buffer_printf(&c->out, "STAT\r\n");
	case LIST:
		return buffer_printf(&c->out, "LIST\r\n");
	case UIDL:
		return buffer_printf(&c->out, "UIDL\r\n");
	case TOP:
		return buffer_printf(&c->out, "TOP %u 0\r\n", number_of(c, q));
	case LOOK:
		return buffer_printf(&c->out, "TOP %u %u\r\n", number_of(c, q), POP3_LOOK_LINES);
	case RETR:
		return buffer_printf(&c->out, "RETR %u\r\n", number_of(c, q));
	case DELE:
		return buffer_printf(&c->out, "DELE %u\r\n", number_of(c, q));
	case QUIT:
		return buffer_printf(&c->out, "QUIT\r\n");
	}
	return -EINVAL;
}

/* Sends what may be on the wire now. */
static void send_requests(struct pop3_client *c)
{
	size_t window = c->can_pipeline && c->ready ? PIPELINE_MAX : 1;

	while (c->sent_end < c->tail && c->sent_end - c->head < window && !c->lost)
		if (write_command(c, &c->queue[c->sent_end++]) < 0)
			lose(c, "there was no memory for a command");
}

static int send_plain(struct pop3_client *c)
{
	char raw[2 * SECRET_MAX + 2], coded[(sizeof(raw) + 2) / 3 * 4 + 1];
	size_t user = strlen(c->o.user), password = strlen(c->o.password);
	int r;

	raw[0] = '\0';
	memcpy(raw + 1, c->o.user, user + 1);
	memcpy(raw + user + 2, c->o.password, password);
	EVP_EncodeBlock((unsigned char *)coded, (unsigned char *)raw, user + password + 2);
	r = buffer_printf(&c->out, "%s\r\n", coded);
	OPENSSL_cleanse(raw, sizeof(raw));
	OPENSSL_cleanse(coded, sizeof(coded));
	return r;
}

/*
 * Events
 */

static bool tell(struct pop3_event *ev, enum pop3_event_type type, size_t mail)
{
	*ev = (struct pop3_event){ .type = type, .mail = mail };
	return true;
}

/* The server's words, printable, behind @what. */
static void quote(struct pop3_client *c, const char *what)
{
	const char *said = c->line;
	int len = c->kept;

	if (len >= 4 && !strncmp(said, "-ERR", 4)) {
		said += 4;
		len -= 4;
	}
	while (len && *said == ' ') {
		said++;
		len--;
	}
	snprintf(c->text, sizeof(c->text), "%s%s%.*s", what, len ? ": " : "", len > 250 ? 250 : len,
		 said);
	for (char *p = c->text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
			*p = '?';
}

static bool fail(struct pop3_client *c, struct pop3_event *ev, const char *text)
{
	c->over = true;
	if (text)
		snprintf(c->text, sizeof(c->text), "%s", text);
	*ev = (struct pop3_event){ .type = POP3_FAILED, .text = c->text };
	return true;
}

static bool fail_quoting(struct pop3_client *c, struct pop3_event *ev, const char *what)
{
	quote(c, what);
	return fail(c, ev, NULL);
}

static bool garbage(struct pop3_client *c, struct pop3_event *ev)
{
	return fail(c, ev, "what the server sends is no POP3: check host and port");
}

static bool fail_lost(struct pop3_client *c, struct pop3_event *ev)
{
	const char *when = "before all was fetched; nothing is deleted there";

	if (!c->ready)
		when = "before the mailbox was open";
	else if (c->quitting && c->sent_end == c->tail)
		when = "before it confirmed that it deletes what was fetched";
	c->over = true;
	snprintf(c->text, sizeof(c->text), "%s, %s", c->lost_text, when);
	*ev = (struct pop3_event){ .type = POP3_FAILED, .text = c->text };
	return true;
}

void pop3_client_lost(struct pop3_client *c, const char *why)
{
	lose(c, why);
}

/*
 * Log-in
 */

static void log_in_by_password(struct pop3_client *c)
{
	ask(c, !c->can_user && c->can_plain ? AUTH : USER);
}

static bool log_in(struct pop3_client *c)
{
	if (c->can_scram && !(c->secure && c->o.no_scram))
		ask(c, SCRAM);
	else
		log_in_by_password(c);
	return false;
}

static bool caps_done(struct pop3_client *c, struct pop3_event *ev)
{
	if (c->secure || c->o.tls == POP3_TLS_NONE)
		return log_in(c);
	if (c->can_stls) {
		ask(c, STLS);
		return false;
	}
	return fail(c, ev, "the server offers no STLS, but encryption is required: no password was "
		    "sent");
}

static void forget_caps(struct pop3_client *c)
{
	c->can_stls = c->can_pipeline = c->can_user = c->can_plain = c->can_scram = false;
	c->can_uidl = false;
}

int pop3_client_secured(struct pop3_client *c)
{
	if (!c->handshake)
		return -EBUSY;
	c->handshake = false;
	c->secure = true;
	c->kept = c->seen = 0;
	c->cr = false;
	forget_caps(c);
	ask(c, CAPA);
	return 0;
}

static bool word_is(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && !strncasecmp(s, word, len);
}

static void learn(struct pop3_client *c, const char *line)
{
	size_t n = strcspn(line, " ");

	if (word_is(line, n, "STLS"))
		c->can_stls = true;
	else if (word_is(line, n, "PIPELINING"))
		c->can_pipeline = true;
	else if (word_is(line, n, "USER"))
		c->can_user = true;
	else if (word_is(line, n, "UIDL"))
		c->can_uidl = true;
	else if (word_is(line, n, "SASL"))
		for (line += n; *line; line += n) {
			line += strspn(line, " ");
			n = strcspn(line, " ");
			c->can_plain |= word_is(line, n, "PLAIN");
			c->can_scram |= word_is(line, n, "SCRAM-SHA-256");
		}
}

/* Not the password's fault: RFC 2449 and RFC 3206. */
static bool is_passing(const char *line)
{
	return strcasestr(line, "[IN-USE]") || strcasestr(line, "[LOGIN-DELAY]") ||
	       strcasestr(line, "[SYS/");
}

static bool login_refused(struct pop3_client *c, struct pop3_event *ev)
{
	bool passing = is_passing(c->line);

	fail_quoting(c, ev, passing ? "the mailbox cannot be opened now" :
		     "the server refused user name or password");
	ev->login = !passing;
	return true;
}

/*
 * A server that offers it may keep this user's password in a form that it cannot be done
 * with, and refuses before it has heard of the password. Where nobody listens it gets that.
 */
static bool scram_refused(struct pop3_client *c, struct pop3_event *ev)
{
	if (c->challenged || !c->secure || is_passing(c->line))
		return login_refused(c, ev);
	scram_client_end(&c->scram);
	c->scram_refused = true;
	log_in_by_password(c);
	return false;
}

/* The next step, to the server's @challenge, or the first. */
static bool answer_scram(struct pop3_client *c, const char *challenge, struct pop3_event *ev)
{
	char *next = NULL;
	int r;

	if (!c->scram.session) {
		r = scram_client_begin(&c->scram, c->o.user, c->o.password, &next);
	} else {
		c->challenged = true;
		r = scram_client_step(&c->scram, challenge, &next);
	}
	if (r >= 0 && buffer_printf(&c->out, "%s\r\n", next ? next : "") < 0)
		lose(c, "there was no memory for a command");
	gsasl_free(next);
	if (r == -EIO)
		lose(c, "SCRAM could not be begun");
	return r == -EACCES ? fail(c, ev, "the server does not prove that it knows the password, "
				   "so it may not be the right one") : false;
}

/*
 * Lists
 */

static bool parse_number(const char **s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; ++*s) {
		v = v * 10 + (**s - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}

static bool parse_pair(const char **s, uint64_t *number)
{
	if (!parse_number(s, UINT32_MAX, number) || !*number || **s != ' ')
		return false;
	*s += strspn(*s, " ");
	return true;
}

static int add_mail(struct pop3_client *c, const char *line)
{
	uint64_t number, size;

	if (!parse_pair(&line, &number) || !parse_number(&line, UINT64_MAX / 16, &size))
		return -EPROTO;
	if (c->n_mails && number <= c->mails[c->n_mails - 1].number)
		return -EPROTO;
	if (c->n_mails == POP3_LIST_MAX)
		return 0;
	if (c->n_mails == c->mails_cap) {
		size_t cap = c->mails_cap ? 2 * c->mails_cap : 64;
		struct mail *mails = reallocarray(c->mails, cap, sizeof(*mails));

		if (!mails)
			return -ENOMEM;
		c->mails = mails;
		c->mails_cap = cap;
	}
	c->mails[c->n_mails++] = (struct mail){ .number = number, .size = size };
	return 0;
}

static int by_number(const void *key, const void *elem)
{
	const uint64_t *number = key;
	const struct mail *m = elem;

	return *number < m->number ? -1 : *number > m->number;
}

/* Both lists go by number as a rule, so the next one is at the cursor. */
static struct mail *find_mail(struct pop3_client *c, uint64_t number)
{
	if (c->cursor < c->n_mails && c->mails[c->cursor].number == number)
		return &c->mails[c->cursor++];
	if (!c->n_mails)
		return NULL;
	return bsearch(&number, c->mails, c->n_mails, sizeof(*c->mails), by_number);
}

static bool is_name(const char *s, size_t len)
{
	if (!len || len > POP3_UIDL_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x21 || s[i] > 0x7e)
			return false;
	return true;
}

static int add_uidl(struct pop3_client *c, const char *line)
{
	uint64_t number;
	struct mail *m;
	size_t len;

	if (!parse_pair(&line, &number))
		return -EPROTO;
	len = strcspn(line, " ");
	m = find_mail(c, number);
	/* What is no name stands for none: the mail gets one by its header. */
	if (!m || !is_name(line, len))
		return 0;
	if (m->uidl)
		return -EPROTO;
	m->uidl = strndup(line, len);
	return m->uidl ? 0 : -ENOMEM;
}

/* Those that UIDL gave no name are named by their headers. */
static void name_the_rest(struct pop3_client *c)
{
	for (size_t i = 0; i < c->n_mails; i++)
		if (!c->mails[i].uidl && enqueue(c, TOP, i) < 0)
			lose(c, "there was no memory for a command");
}

/*
 * Status lines
 */

/* The head is answered in full. */
static void answered(struct pop3_client *c)
{
	c->head++;
	c->multi = false;
}

static bool begin_multi(struct pop3_client *c, struct pop3_event *ev)
{
	c->multi = true;
	c->octets = (struct pop3_octets){ 0 };
	c->got = 0;
	if (c->queue[c->head].op == TOP && pop3_digest_begin(&c->digest) < 0)
		return fail(c, ev, "there was no memory for a message's header");
	return false;
}

static bool stat_ok(struct pop3_client *c, struct pop3_event *ev)
{
	const char *s = c->line + 3;
	uint64_t count;

	s += strspn(s, " ");
	if (!parse_number(&s, UINT64_MAX / 16, &count))
		return garbage(c, ev);
	c->ready = true;
	answered(c);
	/* Some servers answer LIST with -ERR when there is nothing to list. */
	if (count)
		ask(c, LIST);
	return false;
}

static bool on_ok(struct pop3_client *c, struct pop3_event *ev)
{
	struct request *q = &c->queue[c->head];
	size_t mail = q->mail;

	switch (q->op) {
	case CAPA:
	case LIST:
	case UIDL:
	case TOP:
	case LOOK:
	case RETR:
		return begin_multi(c, ev);
	case STAT:
		return stat_ok(c, ev);
	case GREETING:
		ask(c, CAPA);
		break;
	case STLS:
		c->handshake = true;
		answered(c);
		return tell(ev, POP3_STARTTLS, 0);
	case USER:
		ask(c, PASS);
		break;
	case SCRAM:
		if (!c->scram.proved)
			return fail(c, ev, "the server did not prove that it knows the password, "
				    "so it may not be the right one");
		scram_client_end(&c->scram);
		ask(c, STAT);
		break;
	case PASS:
	case AUTH:
		ask(c, STAT);
		break;
	case DELE:
		answered(c);
		return tell(ev, POP3_DELETED, mail);
	case QUIT:
		c->over = true;
		answered(c);
		return tell(ev, POP3_CLOSED, 0);
	}
	answered(c);
	return false;
}

static bool on_err(struct pop3_client *c, struct pop3_event *ev)
{
	struct request *q = &c->queue[c->head];
	size_t mail = q->mail;

	answered(c);
	switch (q->op) {
	case GREETING:
		return fail_quoting(c, ev, "the server does not want to talk");
	case CAPA:
		return caps_done(c, ev);
	case STLS:
		return fail_quoting(c, ev, "encryption is required, but the server refused STLS");
	case USER:
	case PASS:
	case AUTH:
		return login_refused(c, ev);
	case SCRAM:
		return scram_refused(c, ev);
	case STAT:
	case LIST:
		return fail_quoting(c, ev, "the server cannot list the mailbox");
	case UIDL:
		/* By other names than the last time, all that is there would be new. */
		if (c->can_uidl)
			return fail_quoting(c, ev, "the server does not name the mails now");
		name_the_rest(c);
		return false;
	case TOP:
		return fail_quoting(c, ev, "the server has neither UIDL nor TOP, so mails cannot "
				    "be told apart");
	case LOOK:
		return tell(ev, POP3_NO_HEAD, mail);
	case RETR:
		quote(c, "the server does not give the message");
		tell(ev, POP3_SKIPPED, mail);
		ev->text = c->text;
		return true;
	case DELE:
		quote(c, "the server does not delete the message");
		tell(ev, POP3_NOT_DELETED, mail);
		ev->text = c->text;
		return true;
	case QUIT:
		return fail_quoting(c, ev, "the server did not delete what it was told to");
	}
	return false;
}

static bool on_status(struct pop3_client *c, struct pop3_event *ev)
{
	const char *s = c->line;

	if (c->head == c->sent_end)
		return fail(c, ev, "the server said what was not asked for");
	if (!strncmp(s, "+OK", 3) && (!s[3] || s[3] == ' '))
		return on_ok(c, ev);
	if (!strncmp(s, "-ERR", 4) && (!s[4] || s[4] == ' '))
		return on_err(c, ev);
	if (s[0] == '+' && (!s[1] || s[1] == ' ') && c->queue[c->head].op == AUTH) {
		if (send_plain(c) < 0)
			lose(c, "there was no memory for a command");
		return false;
	}
	if (s[0] == '+' && (!s[1] || s[1] == ' ') && c->queue[c->head].op == SCRAM)
		return answer_scram(c, s[1] ? s + 2 : "", ev);
	return garbage(c, ev);
}

/*
 * Multi-line parts
 */

static bool end_list(struct pop3_client *c, struct pop3_event *ev)
{
	enum op op = c->queue[c->head].op;

	answered(c);
	if (op == CAPA)
		return caps_done(c, ev);
	if (op == LIST)
		ask(c, UIDL);
	else
		name_the_rest(c);
	return false;
}

static bool on_list_line(struct pop3_client *c, struct pop3_event *ev)
{
	enum op op = c->queue[c->head].op;
	const char *line = c->line;
	int r = 0;

	if (line[0] == '.') {
		if (!line[1])
			return end_list(c, ev);
		line++;
	}
	if (++c->got > 20 * POP3_LIST_MAX)
		return garbage(c, ev);
	if (op == CAPA)
		learn(c, line);
	else if (op == LIST)
		r = add_mail(c, line);
	else
		r = add_uidl(c, line);
	if (r == -ENOMEM)
		return fail(c, ev, "there was no memory for the list of mails");
	return r < 0 ? garbage(c, ev) : false;
}

static bool end_header(struct pop3_client *c, struct pop3_event *ev)
{
	struct mail *m = &c->mails[c->queue[c->head].mail];

	answered(c);
	if (pop3_digest_end(&c->digest, &m->uidl) < 0)
		return fail(c, ev, "there was no memory for a message's header");
	return false;
}

static bool end_message(struct pop3_client *c, struct pop3_event *ev)
{
	size_t mail = c->queue[c->head].mail;
	bool look = c->queue[c->head].op == LOOK;

	answered(c);
	if (look) {
		tell(ev, POP3_HEAD, mail);
		ev->cut = c->got > POP3_LOOK_MAX;
		return true;
	}
	if (c->got <= c->o.max_message)
		return tell(ev, POP3_MESSAGE, mail);
	tell(ev, POP3_SKIPPED, mail);
	ev->too_large = true;
	ev->text = "the message is larger than is taken here; it stays on the server";
	return true;
}

/* True: an event. */
static bool on_header(struct pop3_client *c, const char *s, size_t n, struct pop3_event *ev)
{
	if (c->got > HEADER_MAX)
		return fail(c, ev, "a message's header has no end: it has to be taken off the "
			    "server by other means");
	pop3_digest_add(&c->digest, s, n);
	return false;
}

static bool on_octets(struct pop3_client *c, const char *s, size_t n, struct pop3_event *ev)
{
	bool look = c->queue[c->head].op == LOOK;
	uint64_t max = look ? POP3_LOOK_MAX : c->o.max_message;

	if (c->got > max) {
		if (c->got - max > DISCARD_MAX)
			return fail(c, ev, "a message has no end: it has to be taken off the "
				    "server by other means");
		return false;
	}
	tell(ev, POP3_DATA, c->queue[c->head].mail);
	ev->data = s;
	ev->len = n;
	return true;
}

static bool take_octets(struct pop3_client *c, const char **data, size_t *len,
			struct pop3_event *ev)
{
	bool header = c->queue[c->head].op == TOP;
	const char *s;
	size_t n;
	int r = pop3_octets_take(&c->octets, data, len, &s, &n);

	if (r == POP3_OCTETS_MORE)
		return false;
	if (r == POP3_OCTETS_END)
		return header ? end_header(c, ev) : end_message(c, ev);
	c->got += n;
	return header ? on_header(c, s, n, ev) : on_octets(c, s, n, ev);
}

/* A line at a time, CRLF at its end, NUL-terminated in c->line. */
static bool take_line(struct pop3_client *c, const char **data, size_t *len, struct pop3_event *ev)
{
	while (*len) {
		char o = *(*data)++;

		--*len;
		if (c->cr) {
			c->cr = false;
			if (o != '\n')
				return garbage(c, ev);
			c->line[c->kept] = '\0';
			if (c->multi ? on_list_line(c, ev) : on_status(c, ev)) {
				c->kept = c->seen = 0;
				return true;
			}
			c->kept = c->seen = 0;
			return false;
		}
		if (o == '\r') {
			c->cr = true;
			continue;
		}
		if (o == '\n' || !o || ++c->seen > POP3_LINE_MAX)
			return garbage(c, ev);
		if (c->kept < sizeof(c->line) - 1)
			c->line[c->kept++] = o;
	}
	return false;
}

static bool in_octets(const struct pop3_client *c)
{
	enum op op = c->queue[c->head].op;

	return c->multi && (op == TOP || op == LOOK || op == RETR);
}

/* All questions of the machine's own are answered. */
static bool all_listed(struct pop3_client *c, struct pop3_event *ev)
{
	if (!c->ready || c->listed || c->head != c->tail)
		return false;
	c->listed = true;
	return tell(ev, POP3_LISTED, 0);
}

static void drop_input(const char **data, size_t *len)
{
	if (*len)
		*data += *len;
	*len = 0;
}

bool pop3_client_next(struct pop3_client *c, const char **data, size_t *len, struct pop3_event *ev)
{
	for (;;) {
		bool told;

		if (c->over || c->handshake)
			drop_input(data, len);
		if (c->over)
			return false;
		if (c->lost)
			return fail_lost(c, ev);
		if (all_listed(c, ev))
			return true;
		if (!c->handshake)
			send_requests(c);
		if (c->lost)
			continue;
		if (!*len)
			return false;
		told = in_octets(c) ? take_octets(c, data, len, ev) : take_line(c, data, len, ev);
		/* Plain text behind the answer to STLS is nobody's answer. */
		if (told && ev->type == POP3_STARTTLS)
			drop_input(data, len);
		if (told)
			return true;
	}
}

/*
 * The caller's requests
 */

size_t pop3_client_count(const struct pop3_client *c)
{
	return c->n_mails;
}

const char *pop3_client_uidl(const struct pop3_client *c, size_t mail)
{
	return mail < c->n_mails ? c->mails[mail].uidl : NULL;
}

uint64_t pop3_client_size(const struct pop3_client *c, size_t mail)
{
	return mail < c->n_mails ? c->mails[mail].size : 0;
}

static int request(struct pop3_client *c, enum op op, size_t mail)
{
	if (!c->listed || c->quitting || c->over)
		return -EBUSY;
	if (op != QUIT && mail >= c->n_mails)
		return -ERANGE;
	return enqueue(c, op, mail);
}

int pop3_client_look(struct pop3_client *c, size_t mail)
{
	return request(c, LOOK, mail);
}

int pop3_client_fetch(struct pop3_client *c, size_t mail)
{
	if (pop3_client_size(c, mail) > c->o.max_message)
		return -EMSGSIZE;
	return request(c, RETR, mail);
}

int pop3_client_delete(struct pop3_client *c, size_t mail)
{
	return request(c, DELE, mail);
}

int pop3_client_quit(struct pop3_client *c)
{
	int r = request(c, QUIT, 0);

	if (r >= 0)
		c->quitting = true;
	return r;
}
