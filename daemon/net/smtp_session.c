/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "net/resolve.h"
#include "net/smtp_session.h"
#include "net/stream.h"

#define BODY_CHUNK	61440		/* on the stack; stuffed it fits 64 KiB */
#define CONNECT_USEC	(120 * UINT64_C(1000000))
#define GOODBYE_USEC	(5 * UINT64_C(1000000))

/* A recipient that has no verdict yet has this in place of one. */
#define UNDECIDED	((enum smtp_result)-1)

/* What is to be sent, and what became of it. */
struct message {
	struct envelope e;	/* borrowed */
	struct extent body;	/* its descriptor is borrowed */
	bool transacting;	/* a server has heard of it */
	bool dotted;		/* a final dot of it may have gone out */
	enum smtp_blame blame;

	/* Recipients of the transaction in hand: where they stand in e.rcpts. */
	struct envelope_rcpt *rcpts;	/* their strings are borrowed */
	size_t *places;
	size_t n_rcpts;
	enum smtp_verdict *taken; /* RCPT's verdicts of that transaction */

	struct smtp_session_verdict *verdicts;
	char **texts;		/* of verdicts, owned */
};

struct smtp_session {
	unsigned int refs;	/* 1, and one for each callback under way */
	sd_event *event;
	struct smtp_session_options o;
	struct smtp_session_callbacks callbacks;
	void *userdata;
	bool over;		/* nothing more is told */

	struct net_query *query;
	char *hosts[NET_MX_MAX];
	size_t n_hosts, host;
	bool in_clear;		/* an opportunistic handshake failed: go on without */
	bool connected;		/* this host was reached */

	struct net_stream *stream;
	struct smtp_client *client;
	sd_event_source *exit;
	bool driving;
	bool silent;		/* the host did not answer in time */
	bool lost_line;		/* the last words are the stream's, with its host in them */
	size_t messages;	/* begun on this line */

	struct message *message; /* in hand; NULL: none */
	struct message *next;	/* follows it: its envelope goes out with the dot */
	uint64_t pushed;	/* of the body */
	bool pushing;
	bool held;		/* before_dot() was told: what is left goes out with the dot */
};

static void drive(struct smtp_session *s, const char *data, size_t len);
static void open_or_end(struct smtp_session *s);

const char *smtp_result_name(enum smtp_result r)
{
	static const char *const names[] = {
		[SMTP_RESULT_ACCEPTED] = "accepted",
		[SMTP_RESULT_REFUSED] = "refused",
		[SMTP_RESULT_TRANSIENT] = "transient",
		[SMTP_RESULT_IN_DOUBT] = "in-doubt",
		[SMTP_RESULT_CANNOT_CONNECT] = "cannot-connect",
	};

	return (size_t)r < ARRAY_SIZE(names) ? names[r] : "unknown";
}

static void message_free(struct message *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->texts && i < m->e.n_rcpts; i++)
		free(m->texts[i]);
	free(m->texts);
	free(m->verdicts);
	free(m->taken);
	free(m->rcpts);
	free(m->places);
	free(m);
}

/* Nobody has heard of it yet. */
static int message_new(struct message **ret, const struct envelope *e, const struct extent *body,
		       struct error *err)
{
	size_t n = e->n_rcpts;
	struct message *m;

	if (!n)
		return error_set(err, -EINVAL, "there is nobody to send it to");
	m = calloc(1, sizeof(*m));
	if (m) {
		m->e = *e;
		m->e.size = body->len;
		m->body = *body;
		m->verdicts = calloc(n, sizeof(*m->verdicts));
		m->texts = calloc(n, sizeof(*m->texts));
		m->taken = calloc(n, sizeof(*m->taken));
		m->rcpts = calloc(n, sizeof(*m->rcpts));
		m->places = calloc(n, sizeof(*m->places));
	}
	if (!m || !m->verdicts || !m->texts || !m->taken || !m->rcpts || !m->places) {
		message_free(m);
		return error_set(err, -ENOMEM, "there is no memory to send a message");
	}
	for (size_t i = 0; i < n; i++)
		m->verdicts[i].result = UNDECIDED;
	*ret = m;
	return 0;
}

static void unref(struct smtp_session *s)
{
	if (--s->refs)
		return;
	net_query_cancel(s->query);
	net_stream_free(s->stream);
	smtp_client_free(s->client);
	sd_event_source_disable_unref(s->exit);
	for (size_t i = 0; i < s->n_hosts; i++)
		free(s->hosts[i]);
	message_free(s->message);
	message_free(s->next);
	sd_event_unref(s->event);
	free(s);
}

/* The line is closed now; the rest when nothing of ours is under way any more. */
static void drop(struct smtp_session *s)
{
	s->over = true;
	net_query_cancel(take_ptr(s->query));
	net_stream_free(take_ptr(s->stream));
	unref(s);
}

void smtp_session_cancel(struct smtp_session *s)
{
	if (s)
		drop(s);
}

/*
 * Verdicts
 */

static enum smtp_result result_of(enum smtp_verdict v)
{
	switch (v) {
	case SMTP_ACCEPTED:
		return SMTP_RESULT_ACCEPTED;
	case SMTP_REFUSED:
		return SMTP_RESULT_REFUSED;
	case SMTP_IN_DOUBT:
		return SMTP_RESULT_IN_DOUBT;
	default:
		return SMTP_RESULT_TRANSIENT;
	}
}

static void decide(struct message *m, size_t place, enum smtp_result r, const char *enhanced,
		   const char *text)
{
	struct smtp_session_verdict *v = &m->verdicts[place];

	v->result = r;
	snprintf(v->enhanced, sizeof(v->enhanced), "%s", enhanced);
	free(m->texts[place]);
	m->texts[place] = strdup(text);
	v->text = m->texts[place] ?: "there is no memory to say why";
}

static void decide_rest(struct message *m, enum smtp_result r, const char *enhanced,
			const char *text)
{
	for (size_t i = 0; i < m->e.n_rcpts; i++)
		if (m->verdicts[i].result == UNDECIDED)
			decide(m, i, r, enhanced, text);
}

/* The one verdict that stands for all: see the header. */
static size_t foremost(const struct message *m)
{
	static const enum smtp_result order[] = {
		SMTP_RESULT_IN_DOUBT, SMTP_RESULT_ACCEPTED, SMTP_RESULT_TRANSIENT,
		SMTP_RESULT_CANNOT_CONNECT, SMTP_RESULT_REFUSED,
	};

	for (size_t k = 0; k < ARRAY_SIZE(order); k++)
		for (size_t i = 0; i < m->e.n_rcpts; i++)
			if (m->verdicts[i].result == order[k])
				return i;
	return 0;
}

/*
 * Of the message in hand, which is over; the one behind it takes its place. The caller
 * may cancel the session from within.
 */
static void tell_done(struct smtp_session *s)
{
	struct message *m = s->message;
	const struct smtp_session_verdict *v = &m->verdicts[foremost(m)];
	const struct smtp_session_outcome o = {
		.result = v->result,
		.blame = m->blame,
		.text = v->text,
		.host = s->n_hosts ? s->hosts[s->host] : NULL,
		.dsn = s->client && smtp_client_offers(s->client)->dsn,
		.rcpts = m->verdicts,
		.n_rcpts = m->e.n_rcpts,
	};

	s->message = take_ptr(s->next);
	s->callbacks.done(s->userdata, &o);
	message_free(m);
}

/* It ends here, for the rest of the recipients with this. What was to follow was not begun. */
static void end(struct smtp_session *s, enum smtp_result r, const char *enhanced, const char *text)
{
	if (s->message && r == SMTP_RESULT_CANNOT_CONNECT)
		s->message->blame = SMTP_BLAME_HOST;
	if (s->next)
		s->next->blame = SMTP_BLAME_LINE;
	s->refs++;
	while (s->message && !s->over) {
		decide_rest(s->message, r, enhanced, text);
		tell_done(s);
	}
	if (!s->over) {
		s->over = true;
		if (s->callbacks.closed)
			s->callbacks.closed(s->userdata);
		drop(s);
	}
	unref(s);
}

/* An event's sentence with the server's name before it, where it has none yet. */
static void sentence(struct smtp_session *s, const char *text, struct error *e)
{
	if (s->lost_line)
		error_set(e, 0, "%s", text);
	else
		error_set(e, 0, "%s:%u: %s", s->hosts[s->host], s->o.port, text);
}

/*
 * Transactions
 */

static int on_exit_event(sd_event_source *source, void *userdata)
{
	drop(userdata);
	return 0;
}

static void say_goodbye(struct smtp_session *s)
{
	s->over = true;
	if (smtp_client_quit(s->client) < 0 ||
	    sd_event_add_exit(s->event, &s->exit, on_exit_event, s) < 0)
		drop(s);
}

/* All is decided: tell so, then wait for the next message or leave politely. */
static void finish(struct smtp_session *s)
{
	tell_done(s);
	if (s->over)
		return;
	if (s->callbacks.ready)
		s->callbacks.ready(s->userdata, s);
	else
		say_goodbye(s);
}

void smtp_session_quit(struct smtp_session *s)
{
	s->refs++;
	say_goodbye(s);
	if (!s->driving && s->stream)
		drive(s, NULL, 0);
	unref(s);
}

/* The next bytes of it from @at on, which must stand within: at least one, or -errno. */
static ssize_t read_body(const struct extent *body, uint64_t at, char *chunk, size_t size)
{
	size_t len = body->len - at < size ? body->len - at : size;
	ssize_t n;

	do
		n = pread(body->fd, chunk, len, body->at + at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? n : -EIO;
}

/* Does the document have an octet beyond ASCII? One that cannot be read is said to have. */
static bool has_eight_bit(const struct extent *body)
{
	char chunk[BODY_CHUNK];
	ssize_t n;

	for (uint64_t at = 0; at < body->len; at += n) {
		n = read_body(body, at, chunk, sizeof(chunk));
		for (ssize_t i = 0; i < n; i++)
			if (chunk[i] & 0x80)
				return true;
		if (n < 0)
			return true;
	}
	return false;
}

/* Gathers those without a verdict. */
static void gather(struct message *m)
{
	m->n_rcpts = 0;
	for (size_t i = 0; i < m->e.n_rcpts; i++) {
		if (m->verdicts[i].result != UNDECIDED)
			continue;
		m->rcpts[m->n_rcpts] = m->e.rcpts[i];
		m->places[m->n_rcpts] = i;
		m->taken[m->n_rcpts++] = SMTP_TRANSIENT;
	}
}

/* The envelope of the transaction with those that were gathered. */
static struct envelope gathered(const struct smtp_session *s, const struct message *m)
{
	struct envelope e = m->e;

	/* Declared as 8-bit by who brought it; often it is not. */
	if (e.eight_bit && !smtp_client_offers(s->client)->eight_bit)
		e.eight_bit = has_eight_bit(&m->body);
	e.rcpts = m->rcpts;
	e.n_rcpts = m->n_rcpts;
	return e;
}

/* The server hears of the message in hand. */
static void begin_transaction(struct smtp_session *s)
{
	struct message *m = s->message;

	s->messages += !m->transacting;
	m->transacting = true;
	s->pushed = 0;
	s->pushing = s->held = false;
}

/* Nobody left to send to: done. */
static void next_transaction(struct smtp_session *s)
{
	struct message *m = s->message;
	struct envelope e;

	gather(m);
	if (!m->n_rcpts) {
		finish(s);
		return;
	}
	begin_transaction(s);
	e = gathered(s, m);
	if (smtp_client_send(s->client, &e) < 0)
		end(s, SMTP_RESULT_TRANSIENT, "", "the message could not be handed to the server");
}

/* The message in hand is done with, and the engine is at the one that followed. */
static void go_to_next(struct smtp_session *s)
{
	tell_done(s);
	if (!s->over)
		begin_transaction(s);
}

static void on_recipient(struct smtp_session *s, const struct smtp_event *ev)
{
	struct message *m = s->message;
	struct error e = { 0 };

	m->taken[ev->rcpt] = ev->verdict;
	if (ev->verdict == SMTP_ACCEPTED || ev->verdict == SMTP_DEFERRED)
		return;
	sentence(s, ev->text, &e);
	decide(m, m->places[ev->rcpt], result_of(ev->verdict), ev->enhanced, e.text);
}

/*
 * The message's verdict is that of the recipients accepted before. Those put off
 * stay undecided for the next transaction, but only if this one came through:
 * so each transaction decides at least one, and there is an end.
 */
static void on_result(struct smtp_session *s, const struct smtp_event *ev)
{
	bool through = ev->verdict == SMTP_ACCEPTED;
	struct message *m = s->message;
	struct error e = { 0 };

	sentence(s, ev->text, &e);
	for (size_t i = 0; i < m->n_rcpts; i++) {
		if (m->verdicts[m->places[i]].result != UNDECIDED)
			continue;
		if (through && m->taken[i] == SMTP_DEFERRED)
			continue;
		decide(m, m->places[i], m->taken[i] == SMTP_DEFERRED ? SMTP_RESULT_TRANSIENT :
		       result_of(ev->verdict), ev->enhanced, e.text);
	}
}

static void body_broke_off(struct smtp_session *s)
{
	end(s, SMTP_RESULT_TRANSIENT, "", "the document could not be read in full, so sending was "
	    "broken off");
}

/* Hands the next bytes of the document to the engine. */
static int push_some(struct smtp_session *s)
{
	char chunk[BODY_CHUNK];
	ssize_t n = read_body(&s->message->body, s->pushed, chunk, sizeof(chunk));

	if (n < 0)
		return n;
	s->pushed += n;
	return smtp_client_body(s->client, chunk, n);
}

/*
 * Reads on in the document while the stream takes it. Its last piece, once the kernel
 * has all before it, is left in the engine's output, to go out with what follows.
 */
static void push_body(struct smtp_session *s)
{
	uint64_t len = s->message->body.len;

	while (s->pushed < len && net_stream_queued(s->stream) < BODY_CHUNK) {
		bool last;

		if (push_some(s) < 0) {
			body_broke_off(s);
			return;
		}
		last = s->pushed == len && !net_stream_queued(s->stream);
		if (!last && net_stream_push(s->stream, smtp_client_output(s->client)) < 0) {
			body_broke_off(s);
			return;
		}
	}
	if (s->pushed < len || net_stream_queued(s->stream))
		return;
	s->pushing = false;
	smtp_client_body_end(s->client);
}

static void before_dot(struct smtp_session *s)
{
	s->held = true;
	if (s->callbacks.before_dot)
		s->callbacks.before_dot(s->userdata, s);
	else
		smtp_session_go_on(s, 0);
}

/* Those that are put off to another transaction of this message go before the next. */
static bool has_deferred(const struct message *m)
{
	for (size_t i = 0; i < m->n_rcpts; i++)
		if (m->taken[i] == SMTP_DEFERRED)
			return true;
	return false;
}

bool smtp_session_may_follow(const struct smtp_session *s)
{
	return !s->over && s->held && !s->next && smtp_client_offers(s->client)->pipelining &&
	       !has_deferred(s->message);
}

int smtp_session_follow(struct smtp_session *s, const struct envelope *e,
			const struct extent *body, struct error *err)
{
	struct message *m = NULL;
	struct envelope env;
	int r;

	if (!smtp_session_may_follow(s))
		return error_set(err, -EBUSY, "the server takes no message behind this one");
	r = message_new(&m, e, body, err);
	if (r < 0)
		return r;
	gather(m);
	env = gathered(s, m);
	r = smtp_client_follow(s->client, &env);
	if (r < 0) {
		message_free(m);
		return error_set(err, r, "the message could not be handed to the server");
	}
	s->next = m;
	return 0;
}

void smtp_session_go_on(struct smtp_session *s, int r)
{
	struct error e = { 0 };

	if (s->over || !s->held)
		return;
	s->held = false;
	if (r < 0) {
		error_set(&e, r, "sending was broken off before the message was complete, for it "
			  "could not be noted down: %s", strerror(-r));
		end(s, SMTP_RESULT_TRANSIENT, "", e.text);
		return;
	}
	s->message->dotted = smtp_client_dot(s->client) >= 0;
	if (!s->driving)
		drive(s, NULL, 0);
}

/* This host did not come to the point of hearing of the message. */
static void next_host_or_end(struct smtp_session *s, enum smtp_result r, const char *enhanced,
			     const char *text)
{
	if (s->message && s->message->blame != SMTP_BLAME_LOGIN)
		s->message->blame = SMTP_BLAME_HOST;
	if (!s->message || s->host + 1 >= s->n_hosts) {
		end(s, r, enhanced, text);
		return;
	}
	s->host++;
	s->in_clear = false;
	open_or_end(s);
}

static void on_failed(struct smtp_session *s, const struct smtp_event *ev)
{
	struct message *m = s->message;
	struct error e = { 0 };

	if (s->over) {
		drop(s);
		return;
	}
	sentence(s, ev->text, &e);
	if (m && ev->login)
		m->blame = SMTP_BLAME_LOGIN;
	if (m && m->transacting) {
		if (s->messages > 1 && !m->dotted)
			m->blame = SMTP_BLAME_LINE;
		else if (s->silent)
			m->blame = SMTP_BLAME_HOST;
		on_result(s, ev);
		end(s, SMTP_RESULT_TRANSIENT, "", e.text);
	} else {
		next_host_or_end(s, result_of(ev->verdict), ev->enhanced, e.text);
	}
}

/* False: the stream of this turn is gone or waits for something else. */
static bool on_event(struct smtp_session *s, const struct smtp_event *ev)
{
	struct net_stream *stream = s->stream;

	switch (ev->type) {
	case SMTP_STARTTLS:
		if (net_stream_start_tls(s->stream) < 0)
			smtp_client_lost(s->client, "encryption could not be set up");
		break;
	case SMTP_READY:
		if (!s->over && s->message)
			next_transaction(s);
		else if (!s->over)	/* adopted, and greeted */
			s->callbacks.ready(s->userdata, s);
		break;
	case SMTP_RECIPIENT:
		on_recipient(s, ev);
		break;
	case SMTP_BODY:
		s->pushing = true;
		push_body(s);
		break;
	case SMTP_DOT:
		before_dot(s);
		break;
	case SMTP_RESULT:
		on_result(s, ev);
		break;
	case SMTP_NEXT:
		go_to_next(s);
		break;
	case SMTP_FAILED:
		on_failed(s, ev);
		return false;
	case SMTP_CLOSED:
		drop(s);
		return false;
	}
	return s->stream == stream;
}

/* False: that failed, and the engine has more to tell. */
static bool flush(struct smtp_session *s)
{
	struct buffer *out = smtp_client_output(s->client);
	enum smtp_timeout t = smtp_client_timeout(s->client);
	uint64_t usec = s->o.timeout_usec;
	int r = out->len && !s->held ? net_stream_push(s->stream, out) : 0;

	if (r < 0) {
		smtp_client_lost(s->client, "nothing more could be written to the server");
		return false;
	}
	if (s->over)
		usec = GOODBYE_USEC;
	else if (t == SMTP_TIMEOUT_NONE)
		usec = 0;
	else if (!usec)
		usec = smtp_timeout_seconds(t) * UINT64_C(1000000);
	net_stream_set_timeout(s->stream, usec);
	return true;
}

static void drive(struct smtp_session *s, const char *data, size_t len)
{
	struct smtp_event ev;
	bool alive = true;

	s->refs++;
	s->driving = true;
	do {
		while (alive && smtp_client_next(s->client, &data, &len, &ev))
			alive = on_event(s, &ev);
	} while (alive && s->stream && !flush(s));
	s->driving = false;
	unref(s);
}

/*
 * The stream's side
 */

static void on_opened(void *userdata)
{
	struct smtp_session *s = userdata;

	s->connected = true;
	drive(s, NULL, 0);
}

static void on_secured(void *userdata)
{
	struct smtp_session *s = userdata;

	smtp_client_secured(s->client);
	drive(s, NULL, 0);
}

static void on_input(void *userdata, const char *data, size_t len)
{
	drive(userdata, data, len);
}

static void on_drained(void *userdata)
{
	struct smtp_session *s = userdata;

	if (!s->pushing)
		return;
	s->refs++;
	push_body(s);
	if (s->stream)
		drive(s, NULL, 0);
	unref(s);
}

/* A domain that has neither mail hosts nor an address of its own gets no mail, ever. */
static bool is_nowhere(const struct smtp_session *s, int r)
{
	return r == -ENOENT && s->o.mx && s->n_hosts == 1 && !strcasecmp(s->hosts[0], s->o.host);
}

static void on_closed(void *userdata, int r, const struct error *e)
{
	struct smtp_session *s = userdata;

	if (s->over) {
		drop(s);
		return;
	}
	if (!s->connected && is_nowhere(s, r)) {
		end(s, SMTP_RESULT_REFUSED, "5.1.2", e->text);
		return;
	}
	if (!s->connected) {
		next_host_or_end(s, SMTP_RESULT_CANNOT_CONNECT, "", e->text);
		return;
	}
	if (smtp_client_is_securing(s->client) && s->o.tls == NET_TLS_OPPORTUNISTIC) {
		s->in_clear = true;
		open_or_end(s);
		return;
	}
	s->lost_line = true;
	s->silent = r == -ETIMEDOUT;
	smtp_client_lost(s->client, e->text);
	drive(s, NULL, 0);
}

static const struct net_stream_handler handler = {
	.opened = on_opened,
	.secured = on_secured,
	.input = on_input,
	.drained = on_drained,
	.closed = on_closed,
};

static enum smtp_tls starttls_policy(const struct smtp_session *s)
{
	if (s->o.tls == NET_TLS_REQUIRED || s->o.tls == NET_TLS_ENCRYPTED)
		return SMTP_TLS_REQUIRED;
	if (s->o.tls == NET_TLS_OPPORTUNISTIC && !s->in_clear)
		return SMTP_TLS_OPPORTUNISTIC;
	return SMTP_TLS_NONE;
}

static int open_line(struct smtp_session *s, struct error *e)
{
	struct net_stream_options so = {
		.host = s->hosts[s->host],
		.port = s->o.port,
		.tls = s->o.tls == NET_TLS_IMPLICIT,
		.verify = s->o.tls == NET_TLS_IMPLICIT || s->o.tls == NET_TLS_REQUIRED,
		.ca_file = s->o.ca_file,
		.dns = s->o.dns,
	};
	struct smtp_client_options co = {
		.helo = s->o.helo,
		.tls = starttls_policy(s),
		.tls_active = s->o.tls == NET_TLS_IMPLICIT,
		.user = s->o.user,
		.password = s->o.password,
	};
	int r;

	net_stream_free(take_ptr(s->stream));
	smtp_client_free(take_ptr(s->client));
	s->connected = s->lost_line = s->silent = false;
	s->messages = 0;
	r = smtp_client_new(&s->client, &co);
	if (r < 0)
		return error_set(e, r, "this machine's own name \"%.100s\", or the user name for "
				 "the mail server, cannot be used", s->o.helo);
	r = net_stream_connect(&s->stream, s->event, &so, &handler, s, e);
	if (r >= 0)
		net_stream_set_timeout(s->stream, s->o.timeout_usec ?: CONNECT_USEC);
	return r;
}

static void open_or_end(struct smtp_session *s)
{
	struct error e = { 0 };

	if (open_line(s, &e) < 0)
		end(s, SMTP_RESULT_CANNOT_CONNECT, "", e.text);
}

static void on_mx(void *userdata, int r, const char *const *hosts, const struct error *e)
{
	struct smtp_session *s = userdata;

	s->query = NULL;
	for (int i = 0; i < r; i++) {
		s->hosts[s->n_hosts] = strdup(hosts[i]);
		s->n_hosts += s->hosts[s->n_hosts] != NULL;
	}
	if (s->n_hosts)
		open_or_end(s);
	else if (r == -EOPNOTSUPP)
		end(s, SMTP_RESULT_REFUSED, "5.1.10", e->text);
	else
		end(s, r == -ENOENT ? SMTP_RESULT_REFUSED : SMTP_RESULT_CANNOT_CONNECT,
		    r == -ENOENT ? "5.1.2" : "", r < 0 ? e->text : "there is no memory");
}

int smtp_session_next(struct smtp_session *s, const struct envelope *e,
		      const struct extent *body, struct error *err)
{
	int r;

	if (s->message || s->over || !s->stream)
		return error_set(err, -EBUSY, "the connection is busy or gone");
	r = message_new(&s->message, e, body, err);
	if (r < 0)
		return r;
	s->refs++;
	next_transaction(s);
	if (!s->driving && s->stream)
		drive(s, NULL, 0);
	unref(s);
	return 0;
}

static int find_hosts(struct smtp_session *s, struct error *err)
{
	if (s->o.mx)
		return net_resolve_mx(&s->query, s->event, s->o.host, s->o.dns, on_mx, s, err);
	s->hosts[0] = strdup(s->o.host);
	if (!s->hosts[0])
		return error_set(err, -ENOMEM, "there is no memory to send a message");
	s->n_hosts = 1;
	return open_line(s, err);
}

static struct smtp_session *make(sd_event *event, const struct smtp_session_options *o,
				 const struct smtp_session_callbacks *callbacks, void *userdata)
{
	struct smtp_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->refs = 1;
	s->event = sd_event_ref(event);
	s->o = *o;
	s->o.port = o->port ?: o->tls == NET_TLS_IMPLICIT ? 465 : 25;
	s->callbacks = *callbacks;
	s->userdata = userdata;
	return s;
}

int smtp_session_send(struct smtp_session **ret, sd_event *event,
		      const struct smtp_session_options *o, const struct envelope *e,
		      const struct extent *body,
		      const struct smtp_session_callbacks *callbacks, void *userdata,
		      struct error *err)
{
	struct smtp_session *s = make(event, o, callbacks, userdata);
	int r;

	if (!s)
		return error_set(err, -ENOMEM, "there is no memory to send a message");
	r = message_new(&s->message, e, body, err);
	if (!r)
		r = find_hosts(s, err);
	if (r < 0) {
		drop(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int take_line(struct smtp_session *s, struct net_stream *stream)
{
	const struct smtp_client_options o = {
		.helo = s->o.helo,
		.tls = SMTP_TLS_NONE,
		.tls_active = net_stream_tls(stream),
	};
	int r = smtp_client_new(&s->client, &o);

	s->hosts[0] = strdup(s->o.host);
	if (r < 0 || !s->hosts[0])
		return r < 0 ? r : -ENOMEM;
	s->n_hosts = 1;
	s->connected = true;
	s->stream = stream;
	net_stream_hand_over(stream, &handler, s);
	flush(s);	/* there is nothing to be written, but the greeting has its time */
	return 0;
}

int smtp_session_adopt(struct smtp_session **ret, sd_event *event,
		       const struct smtp_session_options *o, struct net_stream *stream,
		       const struct smtp_session_callbacks *callbacks, void *userdata,
		       struct error *err)
{
	struct smtp_session *s = make(event, o, callbacks, userdata);
	int r = s ? take_line(s, stream) : -ENOMEM;

	if (r >= 0) {
		*ret = s;
		return 0;
	}
	if (s)
		drop(s);
	return error_set(err, r, "%s cannot be sent to: %s", o->host, strerror(-r));
}
