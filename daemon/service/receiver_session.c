/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client: moves bytes between its stream and the engine (smtp/server.h), answers
 * what the engine asks, collects the text of a mail and hands it over.
 *
 * Before the 250 that ends a mail the mail is durable: the reply waits for
 * queue_accept()'s callback, and with it whatever the client sent behind the dot.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "net/network.h"
#include "net/stream.h"
#include "service/receiver_internal.h"
#include "service/queue.h"
#include "service/receiver_policy.h"
#include "service/terminal.h"
#include "service/trace.h"
#include "service/words.h"
#include "store/store.h"

/* After the last reply the client is given this long to read it and to hang up. */
#define LINGER_USEC  (10 * UINT64_C(1000000))
#define LINGER_BYTES (1u << 20)
/* The first memory of a message: most faxes fit without growing. */
#define BODY_FIRST   65536u

/* A mail on its way to the disk; its client may have gone before that answers. */
struct acceptance {
	struct receiver_session *session;
	uint64_t job;
};

/* Why the text of this mail is not kept. */
enum void_body {
	BODY_KEPT,
	BODY_NO_MEMORY,
};

struct receiver_session {
	struct receiver *receiver;
	struct receiver_session *next, **link;
	struct net_stream *stream;
	struct net_seat *seat;
	struct smtp_server *smtp;
	struct sockaddr_storage local, remote;
	char peer[NET_PEER_TEXT];
	enum receiver_port port;
	bool permitted;
	char *user;			/* code of who logged in */
	struct buffer in;		/* what came while an answer is awaited */
	struct buffer body;
	size_t counted;			/* of body, in the receiver's memory */
	enum void_body void_body;
	struct acceptance *acceptance;	/* not NULL: the reply waits for the disk */
	struct login login;		/* or for its turn to have a password checked ... */
	char *login_name;		/* ... of this user */
	bool turning;			/* the roles change when that is told */
	bool closing;			/* the last reply is written */
	size_t lingered;		/* octets dropped since */
};

/*
 * Memory of messages
 */

static void drop_body(struct receiver_session *s)
{
	s->receiver->memory -= s->counted;
	s->counted = 0;
	buffer_free(&s->body);
}

static void session_free(struct receiver_session *s)
{
	if (s->acceptance)
		s->acceptance->session = NULL;
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	logins_remove(s->receiver->logins, &s->login);
	drop_body(s);
	buffer_free(&s->in);
	free(s->login_name);
	net_stream_free(s->stream);
	smtp_server_free(s->smtp);
	net_seat_free(s->seat);
	free(s->user);
	free(s);
}

static size_t first_size(const struct envelope *env)
{
	if (env->size > BODY_FIRST / 2 && env->size < BODY_FIRST * 8)
		return env->size + env->size / 8;
	return BODY_FIRST;
}

static void on_body(struct receiver_session *s, const struct smtp_server_event *ev)
{
	struct receiver *r = s->receiver;
	size_t need = s->body.len + ev->len;
	int err = 0;

	if (s->void_body)
		return;
	if (need > s->counted && r->memory - s->counted + need > r->box->conf.receive_max_memory)
		err = -ENOSPC;
	if (!err && !s->body.cap)
		err = buffer_reserve(&s->body, first_size(ev->envelope));
	if (!err)
		err = buffer_append(&s->body, ev->data, ev->len);
	if (err < 0) {
		s->void_body = BODY_NO_MEMORY;
		return drop_body(s);
	}
	r->memory += s->body.cap - s->counted;
	s->counted = s->body.cap;
}

/*
 * Answers
 */

static struct policy_peer peer_of(const struct receiver_session *s)
{
	return (struct policy_peer){ &s->local, s->user, s->permitted,
				     !receiver_has_room_to_keep(s->receiver) };
}

static void reply(struct receiver_session *s, struct verdict *v)
{
	smtp_server_reply(s->smtp, v->code, v->enhanced, v->text.len ? v->text.data : NULL);
	buffer_free(&v->text);
}

static void answer(struct receiver_session *s, int code, const char *enhanced, const char *text)
{
	smtp_server_reply(s->smtp, code, enhanced, text);
}

static void on_mail(struct receiver_session *s, const struct smtp_server_event *ev)
{
	struct receiver *r = s->receiver;
	const struct conf *c = &r->box->conf;
	struct policy_peer peer = peer_of(s);
	struct verdict v = { 0 };

	s->void_body = BODY_KEPT;
	if (!receiver_has_room(r, ev->envelope->size))
		return answer(s, 452, "4.3.1", "The disk is full; try again later");
	if (r->memory + ev->envelope->size > c->receive_max_memory)
		return answer(s, 452, "4.3.1", "Too many messages are under way; try again later");
	policy_mail(r->box, &peer, ev->path, ev->envelope, &v);
	reply(s, &v);
}

static void on_rcpt(struct receiver_session *s, const struct smtp_server_event *ev)
{
	struct policy_peer peer = peer_of(s);
	struct verdict v = { 0 };

	policy_rcpt(s->receiver->box, &peer, ev->path, ev->how, ev->envelope, &v);
	if (v.code >= 500)
		log_info("%s: a mail from <%s> to <%s> is refused: %d %s", s->peer,
			 ev->envelope->from, ev->path->text, v.code, v.text.len ? v.text.data : "");
	reply(s, &v);
}

static void on_name(struct receiver_session *s, const struct smtp_server_event *ev)
{
	struct policy_peer peer = peer_of(s);
	struct verdict v = { 0 };

	if (ev->type == SMTPD_VRFY)
		policy_vrfy(s->receiver->box, &peer, ev->argument, &v);
	else
		policy_expn(s->receiver->box, &peer, ev->argument, &v);
	reply(s, &v);
}

/* That nobody could look is no wrong password: he may come again. */
static void cannot_look(struct receiver_session *s, int r)
{
	log_error("%s: the users' file cannot be read: %s", s->peer, strerror(-r));
	smtp_server_end(s->smtp, "The users' file cannot be read, come back later");
}

static void verify(struct receiver_session *s, const char *name)
{
	_cleanup_(user_freep) struct user *u = NULL;
	struct scram_verifier v;
	bool known;
	int r;

	if (!receiver_may_log_in(s->receiver, &s->remote)) {
		smtp_server_end(s->smtp, "Too many log-ins from your address have failed");
		return;
	}
	r = store_user_find(s->receiver->box->store, name, true, &u);
	if (r < 0 && r != -ENOENT && r != -ENOTUNIQ)
		return cannot_look(s, r);
	known = u && u->verifier && scram_verifier_parse(u->verifier, &v) >= 0;
	smtp_server_verifier(s->smtp, known ? &v : NULL);
	explicit_bzero(&v, sizeof(v));
}

/* A password waits for its turn; by SCRAM the client has done the work. */
static void on_verifier(struct receiver_session *s, const struct smtp_server_event *ev)
{
	if (!ev->password)
		return verify(s, ev->name);
	s->login_name = strdup(ev->name);
	if (!s->login_name || logins_add(s->receiver->logins, &s->login) < 0)
		smtp_server_end(s->smtp, "Too many log in at the moment, come back later");
}

static void on_auth_failed(struct receiver_session *s, const struct smtp_server_event *ev)
{
	receiver_login_failed(s->receiver, &s->remote);
	log_notice("%s: a log-in as \"%s\" has failed", s->peer, ev->name ? ev->name : "");
}

/* He may have logged in by his address; from here on he is his code. */
static void on_authenticated(struct receiver_session *s, const struct smtp_server_event *ev)
{
	_cleanup_(user_freep) struct user *u = NULL;
	int r = store_user_find(s->receiver->box->store, ev->name, false, &u);

	if (r < 0 && r != -ENOENT && r != -ENOTUNIQ)
		return cannot_look(s, r);
	if (u)
		s->user = take_ptr(u->code);
	/* Removed in this very moment: nobody is logged in. */
	if (!s->user)
		smtp_server_end(s->smtp, "The user has been removed");
	else
		log_full(LOG_INFO, 0, s->user, "%s: user %s has logged in", s->peer, s->user);
}

/*
 * The end of a mail
 */

static void on_durable(void *userdata, int r);

static void remove_rcpt(struct envelope *env, size_t i)
{
	struct envelope_rcpt gone = env->rcpts[i];

	memmove(&env->rcpts[i], &env->rcpts[i + 1],
		(env->n_rcpts - i - 1) * sizeof(*env->rcpts));
	env->rcpts[env->n_rcpts - 1] = gone;
	envelope_drop(env);
}

/* SEND, SOML, SAML: to the panels. Who has it there gets no mail but by SAML. */
static void send_to_terminals(struct receiver_session *s, const struct smtp_server_event *ev)
{
	struct terminals *t = s->receiver->box->terminals;
	struct envelope *env = ev->envelope;

	for (size_t i = env->n_rcpts; i && t; i--) {
		const struct terminal_message m = {
			.user = env->rcpts[i - 1].user,
			.from = env->from,
			.text = s->body.len ? s->body.data : "",
			.len = s->body.len,
		};

		if (!m.user || !terminal_send(t, &m))
			continue;
		if (ev->how != SMTP_HOW_SAML)
			remove_rcpt(env, i - 1);
	}
}

/* Those who were active at RCPT, are they still? */
static bool all_active(const struct receiver_session *s, const struct envelope *env)
{
	const struct terminals *t = s->receiver->box->terminals;

	for (size_t i = 0; i < env->n_rcpts; i++)
		if (!t || !env->rcpts[i].user || !terminal_active(t, env->rcpts[i].user))
			return false;
	return true;
}

/*
 * True: answered, nothing is to be stored. What SEND brings goes to all or, as its sender
 * could not be told of one, to nobody; he sends it again, or as mail.
 */
static bool is_sent(struct receiver_session *s, const struct smtp_server_event *ev)
{
	bool all = true, fits = s->body.len <= TERMINAL_TEXT_MAX;

	/* By SAML a terminal has the beginning of what is there as mail, too. */
	if (ev->how == SMTP_HOW_MAIL || (ev->how == SMTP_HOW_SOML && !fits))
		return false;
	if (ev->how == SMTP_HOW_SEND && !fits) {
		answer(s, 552, "5.3.4", "Too long for a terminal; send it as mail");
		return true;
	}
	if (ev->how == SMTP_HOW_SEND)
		all = all_active(s, ev->envelope);
	if (all)
		send_to_terminals(s, ev);
	if (ev->how != SMTP_HOW_SEND && ev->envelope->n_rcpts)
		return false;
	if (ev->envelope->n_rcpts)
		answer(s, 451, "4.2.1", "Not everybody is at a panel any more");
	else
		answer(s, 250, "2.0.0", "Sent to the terminal");
	return true;
}

static bool all_here(const struct envelope *env)
{
	for (size_t i = 0; i < env->n_rcpts; i++)
		if (!env->rcpts[i].user)
			return false;
	return true;
}

/* Received, and before it, where the mail's way ends here, Return-Path. */
static int add_trace(struct receiver_session *s, const struct envelope *env, struct buffer *b)
{
	struct receiver *r = s->receiver;
	struct trace t = {
		.peer = s->peer,
		.by = r->box->conf.hostname,
		.tls = net_stream_tls(s->stream),
		.rcpt = env->n_rcpts == 1 ? env->rcpts[0].address : NULL,
		.usec = words_now(),
		.authenticated = s->user,
		.utf8 = env->utf8,
	};
	int err = 0;

	/* Rises by one at the least, whatever the clock does. */
	r->last_id = t.id = t.usec > r->last_id ? t.usec : r->last_id + 1;
	t.helo = smtp_server_helo(s->smtp, &t.ehlo);
	if (all_here(env))
		err = trace_return_path(b, env->from);
	return err < 0 ? err : trace_received(b, &t);
}

static void hand_over(struct receiver_session *s, const struct smtp_server_event *ev)
{
	struct acceptance *a = calloc(1, sizeof(*a));
	struct receiver *r = s->receiver;
	_buffer_ struct buffer trace = { 0 };
	struct error e = { 0 };
	struct iovec body[2];
	int err = -ENOMEM;

	if (a && add_trace(s, ev->envelope, &trace) >= 0) {
		a->session = s;
		body[0] = (struct iovec){ trace.data, trace.len };
		body[1] = (struct iovec){ s->body.data, s->body.len };
		err = r->accept(r->userdata, ev->envelope, body, s->body.len ? 2 : 1, on_durable,
				a, &a->job, &e);
	}
	drop_body(s);
	if (err >= 0) {
		s->acceptance = a;
		return;
	}
	free(a);
	log_warning("%s: a mail cannot be taken: %s", s->peer, error_text(&e));
	if (err == -ENOSPC || err == -EDQUOT)
		answer(s, 452, "4.3.1", "The disk is full; try again later");
	else
		answer(s, 451, "4.3.0", "The mail cannot be stored now");
}

static void on_end(struct receiver_session *s, const struct smtp_server_event *ev)
{
	unsigned int max = s->receiver->box->conf.max_hops;
	struct verdict v = { 0 };

	if (!s->void_body)
		policy_text(s->receiver->box, ev->envelope, s->body.len ? s->body.data : "",
			    s->body.len, &v);
	if (envelope_unite(ev->envelope) < 0)
		answer(s, 452, "4.3.0", "Out of memory");
	else if (s->void_body)
		answer(s, 452, "4.3.1", "Too many messages are under way; try again later");
	else if (s->body.len && trace_hops(s->body.data, s->body.len, max) > max)
		answer(s, 554, "5.4.6", "This mail runs in a circle: too many Received lines");
	else if (v.code)
		reply(s, &v);
	else if (!is_sent(s, ev))
		return hand_over(s, ev);
	buffer_free(&v.text);
	drop_body(s);
}

static void on_turn(struct receiver_session *s)
{
	struct policy_peer peer = peer_of(s);
	struct verdict v = { 0 };
	bool ehlo;

	policy_turn(s->receiver->box, &peer, smtp_server_helo(s->smtp, &ehlo), &v);
	s->turning = !v.code;
	reply(s, &v);
}

/*
 * The stream
 */

static void act(struct receiver_session *s, const struct smtp_server_event *ev)
{
	switch (ev->type) {
	case SMTPD_HELO:
		return answer(s, 0, NULL, NULL);
	case SMTPD_VERIFIER:
		return on_verifier(s, ev);
	case SMTPD_AUTHENTICATED:
		return on_authenticated(s, ev);
	case SMTPD_AUTH_FAILED:
		return on_auth_failed(s, ev);
	case SMTPD_MAIL:
		return on_mail(s, ev);
	case SMTPD_RCPT:
		return on_rcpt(s, ev);
	case SMTPD_BODY:
		return on_body(s, ev);
	case SMTPD_END:
		return on_end(s, ev);
	case SMTPD_RESET:
		s->void_body = BODY_KEPT;
		return drop_body(s);
	case SMTPD_VRFY:
	case SMTPD_EXPN:
		return on_name(s, ev);
	case SMTPD_TURN:
		return on_turn(s);
	case SMTPD_STARTTLS:
	case SMTPD_CLOSE:
		return;		/* the stream's, not the mail's */
	}
}

static bool write_output(struct receiver_session *s)
{
	struct buffer *out = smtp_server_output(s->smtp);
	int r = out->len ? net_stream_write(s->stream, out->data, out->len) : 0;

	buffer_free(out);
	return r >= 0;
}

/* The 250 is written: from here on the other side is the server, and the line the queue's. */
static void turn(struct receiver_session *s)
{
	struct error e = { 0 };
	bool ehlo;
	const char *helo = smtp_server_helo(s->smtp, &ehlo);

	log_full(LOG_INFO, 0, s->user, "%s: user %s fetches the mail for %s", s->peer, s->user,
		 helo);
	net_stream_flush(s->stream);
	if (queue_turn(s->receiver->box->queue, helo, s->stream, &e) < 0)
		log_warning("%s: %s", s->peer, error_text(&e));
	else
		s->stream = NULL;
	session_free(s);
}

/*
 * Lets the engine work on @data. What it leaves waits for an answer. True: the session
 * is still there.
 */
static bool feed(struct receiver_session *s, const char **data, size_t *len)
{
	struct smtp_server_event ev;

	while (smtp_server_next(s->smtp, data, len, &ev)) {
		if (ev.type == SMTPD_STARTTLS) {
			/* What came behind the command was said in the clear: it is void. */
			*len = 0;
			if (write_output(s) && net_stream_start_tls(s->stream) >= 0)
				return true;
			session_free(s);
			return false;
		}
		if (ev.type == SMTPD_CLOSE) {
			*len = 0;
			s->closing = true;
			break;
		}
		act(s, &ev);
		if (s->acceptance)
			break;
	}
	if (!write_output(s)) {
		session_free(s);
		return false;
	}
	if (s->turning) {
		turn(s);
		return false;
	}
	return true;
}

/* For an answer that is not given within the stream's own turn. */
static bool waits(const struct receiver_session *s)
{
	return s->acceptance || s->login.waits;
}

/* How long the client may take for what comes next (RFC 5321 4.5.3.2). */
static void set_time(struct receiver_session *s)
{
	const struct conf *c = &s->receiver->box->conf;
	uint64_t usec = c->command_timeout_usec;

	if (s->closing)
		usec = LINGER_USEC;
	else if (waits(s))
		usec = 0;
	else if (smtp_server_in_body(s->smtp))
		usec = c->data_timeout_usec;
	net_stream_set_timeout(s->stream, usec);
}

static void begin_closing(struct receiver_session *s)
{
	buffer_free(&s->in);
	drop_body(s);
	net_stream_pause(s->stream, false);
	net_stream_end(s->stream);
}

/* A command that trickles in has the time of one command; each stretch of a text has its own. */
static void on_input(void *userdata, const char *data, size_t len)
{
	struct receiver_session *s = userdata;
	size_t queued = net_stream_queued(s->stream);
	bool was_in_body;

	if (s->closing) {
		s->lingered += len;
		if (s->lingered > LINGER_BYTES)
			session_free(s);
		return;
	}
	was_in_body = smtp_server_in_body(s->smtp);
	if (!feed(s, &data, &len))
		return;
	if (len && buffer_append(&s->in, data, len) < 0)
		return session_free(s);
	if (s->closing)
		begin_closing(s);
	else if (waits(s))
		net_stream_pause(s->stream, true);
	if (was_in_body || s->closing || waits(s) ||
	    net_stream_queued(s->stream) != queued || smtp_server_in_body(s->smtp))
		set_time(s);
}

/* An answer was given outside of the stream's own turn: what waited for it goes on. */
static void go_on(struct receiver_session *s)
{
	struct buffer in = s->in;
	const char *data = in.data;
	size_t len = in.len;

	s->in = (struct buffer){ 0 };
	if (!feed(s, &data, &len)) {
		buffer_free(&in);
		return;
	}
	if (len && buffer_append(&s->in, data, len) < 0)
		s->closing = true;
	buffer_free(&in);
	net_stream_flush(s->stream);
	if (s->closing)
		begin_closing(s);
	else if (!waits(s))
		net_stream_pause(s->stream, false);
	set_time(s);
}

void receiver_session_log_in(struct login *who)
{
	struct receiver_session *s = (struct receiver_session *)((char *)who -
				     offsetof(struct receiver_session, login));
	_free_ char *name = take_ptr(s->login_name);

	verify(s, name);
	go_on(s);
}

/*
 * On disk before: nothing of this mail that counts. After, with 0: the whole mail
 * and its envelope, so that the 250 may go out; else nothing, and the client keeps it.
 */
static void on_durable(void *userdata, int r)
{
	struct acceptance *a = userdata;
	struct receiver_session *s = a->session;
	char text[64];

	if (s) {
		s->acceptance = NULL;
		snprintf(text, sizeof(text), "Taken over as job %llu", (unsigned long long)a->job);
		if (r >= 0) {
			s->receiver->mails++;
			answer(s, 250, "2.0.0", text);
		} else {
			answer(s, 451, "4.3.0", "The mail could not be stored; try again later");
		}
		if (s->receiver->stopping)
			receiver_session_stop(s);
		else
			go_on(s);
	}
	free(a);
}

static void on_opened(void *userdata)
{
	struct receiver_session *s = userdata;

	receiver_note_tls(s->receiver);
	if (!write_output(s))
		session_free(s);
}

static void on_secured(void *userdata)
{
	struct receiver_session *s = userdata;

	receiver_note_tls(s->receiver);
	/* All that was learnt before is forgotten, who logged in, too (RFC 3207 4.2). */
	free(take_ptr(s->user));
	smtp_server_secured(s->smtp);
	set_time(s);
	if (!write_output(s))
		session_free(s);
}

static void on_closed(void *userdata, int r, const struct error *e)
{
	struct receiver_session *s = userdata;

	if (!s->closing)
		log_debug("%s", error_text(e));
	receiver_note_tls(s->receiver);
	session_free(s);
}

static void on_timed_out(void *userdata)
{
	struct receiver_session *s = userdata;

	if (s->closing || smtp_server_end(s->smtp, "Time ran out, closing the connection") < 0)
		return session_free(s);
	go_on(s);
}

static const struct net_stream_handler handler = {
	.opened = on_opened,
	.secured = on_secured,
	.input = on_input,
	.closed = on_closed,
	.timed_out = on_timed_out,
};

/* What is needed of an own struct before anything can be told. */
static struct receiver_session *make(struct receiver *r, const struct net_peer *peer,
				     struct net_seat *seat)
{
	struct receiver_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->receiver = r;
	s->seat = seat;
	s->port = peer->tag;
	s->local = peer->local;
	s->remote = peer->addr;
	s->permitted = networks_have(r->box->conf.networks, &peer->addr);
	memcpy(s->peer, peer->text, sizeof(s->peer));
	s->next = r->sessions;
	if (s->next)
		s->next->link = &s->next;
	s->link = &r->sessions;
	r->sessions = s;
	return s;
}

static int open_line(struct receiver_session *s, int fd, struct error *e)
{
	struct receiver *r = s->receiver;
	const struct net_accept_options o = {
		.fd = fd,
		.peer = s->peer,
		.tls = r->tls,
		.tls_at_once = s->port == RECEIVER_SUBMISSIONS,
	};
	int err;

	if (o.tls_at_once && !o.tls) {
		close(fd);
		return error_set(e, -ENOKEY, "%s cannot be served: there is no certificate; set "
				 "Certificate= and Key= in [Receive]", s->peer);
	}
	err = net_stream_accept(&s->stream, r->box->event, &o, &handler, s, e);

	if (err < 0)
		return err;
	err = smtp_server_new(&s->smtp, &r->options[s->port]);
	if (err < 0)
		return error_set(e, err, "%s cannot be served: %s", s->peer, strerror(-err));
	return 0;
}

void receiver_session_start(struct receiver *r, int fd, const struct net_peer *peer,
			    struct net_seat *seat)
{
	struct receiver_session *s = make(r, peer, seat);
	struct error e = { 0 };

	if (!s) {
		net_seat_free(seat);
		close(fd);
		return log_warning("%s cannot be served: out of memory", peer->text);
	}
	if (open_line(s, fd, &e) < 0) {
		log_warning("%s", error_text(&e));
		return session_free(s);
	}
	set_time(s);
	/* Encrypted from the first byte, the greeting waits for the handshake. */
	if (s->port == RECEIVER_SUBMISSIONS)
		return;
	if (!write_output(s))
		return session_free(s);
	net_stream_flush(s->stream);
}

void receiver_session_stop(struct receiver_session *s)
{
	const char *none = "";
	size_t len = 0;

	if (!s->closing && smtp_server_end(s->smtp, "The service is stopping") >= 0) {
		if (!feed(s, &none, &len))
			return;
		net_stream_flush(s->stream);
		net_stream_end(s->stream);
	}
	session_free(s);
}
