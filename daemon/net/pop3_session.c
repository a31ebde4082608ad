/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "net/pop3_session.h"
#include "net/stream.h"
#include "pop3/client.h"

#define ASKED_MAX	32	/* mails asked of the server that have not come */
#define BODY_KEPT	(1u << 20)	/* of memory for one mail, for the next */
#define MESSAGE_MAX	(UINT64_C(64) << 20)
#define TIMEOUT_USEC	(60 * UINT64_C(1000000))

enum place {
	LEFT,		/* nobody asked for it */
	CURIOUS,	/* its head is wanted */
	LOOKING,	/* and asked of the server */
	WANTED,
	ASKED,		/* of the server */
	GIVEN,		/* with the caller */
	FINISHED,
};

struct pop3_session {
	unsigned int refs;	/* 1, and one for each callback under way */
	struct pop3_session_options o;
	struct pop3_session_callbacks callbacks;
	void *userdata;
	bool over;		/* done() was called, or canceled */
	bool connected, lost_line, driving, listed, enough, quitting;

	struct net_stream *stream;
	struct pop3_client *client;

	struct pop3_mail *mails;
	uint8_t *places;	/* enum place, of each mail */
	size_t n_mails;
	size_t *wanted;		/* mails in the order asked for; those looked at twice */
	size_t n_wanted, next_wanted;
	size_t n_asked, n_given;	/* mails in these places */

	struct buffer body;	/* of the mail that comes in */
	int body_error;
};

static void drive(struct pop3_session *s, const char *data, size_t len);

static void unref(struct pop3_session *s)
{
	if (--s->refs)
		return;
	net_stream_free(s->stream);
	pop3_client_free(s->client);
	buffer_free(&s->body);
	free(s->mails);
	free(s->places);
	free(s->wanted);
	free(s);
}

/* The line is closed now; the rest when nothing of ours is under way any more. */
static void drop(struct pop3_session *s)
{
	s->over = true;
	net_stream_free(take_ptr(s->stream));
	unref(s);
}

void pop3_session_cancel(struct pop3_session *s)
{
	if (s)
		drop(s);
}

static void end(struct pop3_session *s, enum pop3_result result, const struct error *e)
{
	s->over = true;
	if (pop3_client_scram_refused(s->client))
		s->callbacks.scram_refused(s->userdata);
	s->callbacks.done(s->userdata, result, e);
	drop(s);
}

/* An event's sentence with the server's name before it, where it has none yet. */
static void sentence(struct pop3_session *s, int code, const char *text, struct error *e)
{
	if (s->lost_line)
		error_set(e, code, "%s", text);
	else
		error_set(e, code, "%s:%u: %s", s->o.host, s->o.port, text);
}

/*
 * Choosing
 */

/* 0: mail no. @i may be chosen. */
static int may_choose(const struct pop3_session *s, size_t i)
{
	if (!s->listed || s->over)
		return -EBUSY;
	if (i >= s->n_mails)
		return -ERANGE;
	return s->places[i] == LEFT ? 0 : -EALREADY;
}

static void want(struct pop3_session *s, size_t i, enum place place)
{
	s->places[i] = place;
	s->wanted[s->n_wanted++] = i;
}

int pop3_session_fetch(struct pop3_session *s, size_t i)
{
	int r = may_choose(s, i);

	if (r >= 0)
		want(s, i, WANTED);
	return r;
}

int pop3_session_look(struct pop3_session *s, size_t i)
{
	int r = may_choose(s, i);

	if (r >= 0)
		want(s, i, CURIOUS);
	return r;
}

int pop3_session_delete(struct pop3_session *s, size_t i)
{
	int r = may_choose(s, i);

	if (r >= 0)
		r = pop3_client_delete(s->client, i);
	if (r >= 0)
		s->places[i] = FINISHED;
	return r;
}

void pop3_session_stored(struct pop3_session *s, size_t i, bool remove)
{
	if (s->over || i >= s->n_mails || s->places[i] != GIVEN)
		return;
	s->places[i] = FINISHED;
	s->n_given--;
	if (remove && pop3_client_delete(s->client, i) < 0)
		pop3_client_lost(s->client, "there was no memory to delete a message");
	if (!s->driving)
		drive(s, NULL, 0);
}

void pop3_session_enough(struct pop3_session *s)
{
	s->enough = true;
	s->n_wanted = s->next_wanted;
}

static void on_listed(struct pop3_session *s)
{
	size_t n = pop3_client_count(s->client);

	s->mails = calloc(n + 1, sizeof(*s->mails));
	s->places = calloc(n + 1, sizeof(*s->places));
	s->wanted = calloc(2 * n + 1, sizeof(*s->wanted));
	if (!s->mails || !s->places || !s->wanted) {
		pop3_client_lost(s->client, "there was no memory for the list of mails");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		s->mails[i].uidl = pop3_client_uidl(s->client, i);
		s->mails[i].size = pop3_client_size(s->client, i);
	}
	s->n_mails = n;
	s->listed = true;
	s->callbacks.list(s->userdata, s, s->mails, n);
}

/*
 * Messages
 */

/* The caller does not get mail no. @i, and hears why. */
static void refuse(struct pop3_session *s, size_t i, int r, const char *text)
{
	struct error e = { 0 };

	sentence(s, r, text, &e);
	s->n_asked -= s->places[i] == ASKED;
	s->places[i] = FINISHED;
	s->callbacks.message(s->userdata, s, i, NULL, 0, r, &e);
}

/* Ready for the next mail: without the memory of a large one. */
static void clear_body(struct pop3_session *s)
{
	if (s->body.cap > BODY_KEPT)
		buffer_free(&s->body);
	else
		buffer_clear(&s->body);
	s->body_error = 0;
}

static void on_data(struct pop3_session *s, const struct pop3_event *ev)
{
	/* What it says of its size spares the growing; that it is true is not relied on. */
	if (!s->body.len && !s->body_error && s->places[ev->mail] == ASKED)
		s->body_error = buffer_reserve(&s->body, s->mails[ev->mail].size + ev->len);
	if (!s->body_error)
		s->body_error = buffer_append(&s->body, ev->data, ev->len);
	if (s->body_error)
		buffer_free(&s->body);
}

static void on_message(struct pop3_session *s, size_t i)
{
	if (s->body_error < 0) {
		refuse(s, i, s->body_error,
		       "there was no memory to take a message in; it stays on the server");
	} else {
		s->n_asked--;
		s->n_given++;
		s->places[i] = GIVEN;
		s->callbacks.message(s->userdata, s, i, s->body.data, s->body.len, 0, NULL);
	}
	clear_body(s);
}

/* Fewer lines of the body than were asked for: the body has no more. */
static bool is_whole(const char *data, size_t len)
{
	const char *at = len ? memmem(data, len, "\r\n\r\n", 4) : NULL, *end = data + len;
	unsigned int lines = 0;

	for (at = at ? at + 4 : end; at < end && (at = memchr(at, '\n', end - at)); at++)
		lines++;
	return lines < POP3_LOOK_LINES;
}

static void on_head(struct pop3_session *s, const struct pop3_event *ev, bool given)
{
	size_t i = ev->mail, len = s->body.len;
	const char *data = given && !s->body_error ? s->body.data ? s->body.data : "" : NULL;
	bool whole = data && !ev->cut && is_whole(data, len);

	s->n_asked--;
	s->places[i] = FINISHED;
	if (s->callbacks.head(s->userdata, i, data, len, whole) && !s->over && !s->enough)
		want(s, i, WANTED);
	clear_body(s);
}

static void on_skipped(struct pop3_session *s, const struct pop3_event *ev)
{
	clear_body(s);
	refuse(s, ev->mail, ev->too_large ? -EMSGSIZE : -ENODATA, ev->text);
}

static void ask(struct pop3_session *s, size_t i)
{
	bool look = s->places[i] == CURIOUS;
	int r = look ? pop3_client_look(s->client, i) : pop3_client_fetch(s->client, i);

	if (r == -EMSGSIZE) {
		refuse(s, i, r, "the message is larger than is taken here; it stays on the server");
	} else if (r < 0) {
		pop3_client_lost(s->client, "there was no memory for a command");
	} else {
		s->places[i] = look ? LOOKING : ASKED;
		s->n_asked++;
	}
}

/*
 * Asks for more mails, ahead of the server and of the caller, and leaves when all is
 * done. True: there is something new for the engine to say.
 */
static bool schedule(struct pop3_session *s)
{
	bool asked = false;

	while (!s->over && s->next_wanted < s->n_wanted && s->n_asked < ASKED_MAX &&
	       s->n_asked + s->n_given < POP3_SESSION_UNSTORED) {
		ask(s, s->wanted[s->next_wanted++]);
		asked = true;
	}
	if (s->over || !s->listed || s->quitting || s->n_asked || s->n_given ||
	    s->next_wanted < s->n_wanted)
		return asked;
	s->quitting = true;
	if (pop3_client_quit(s->client) < 0)
		pop3_client_lost(s->client, "there was no memory for a command");
	return true;
}

static void on_failed(struct pop3_session *s, const struct pop3_event *ev)
{
	struct error e = { 0 };

	sentence(s, ev->login ? -EACCES : -EIO, ev->text, &e);
	end(s, ev->login ? POP3_RESULT_LOGIN : POP3_RESULT_FAILED, &e);
}

/* False: the session is over. */
static bool on_event(struct pop3_session *s, const struct pop3_event *ev)
{
	const struct error none = { 0 };

	switch (ev->type) {
	case POP3_STARTTLS:
		if (net_stream_start_tls(s->stream) < 0)
			pop3_client_lost(s->client, "encryption could not be set up");
		break;
	case POP3_LISTED:
		on_listed(s);
		break;
	case POP3_DATA:
		on_data(s, ev);
		break;
	case POP3_HEAD:
	case POP3_NO_HEAD:
		on_head(s, ev, ev->type == POP3_HEAD);
		break;
	case POP3_MESSAGE:
		on_message(s, ev->mail);
		break;
	case POP3_SKIPPED:
		on_skipped(s, ev);
		break;
	case POP3_DELETED:
		s->callbacks.deleted(s->userdata, ev->mail);
		break;
	case POP3_NOT_DELETED:
		break;		/* it will be listed again, and be known then */
	case POP3_CLOSED:
		end(s, POP3_RESULT_OK, &none);
		break;
	case POP3_FAILED:
		on_failed(s, ev);
		break;
	}
	return !s->over;
}

/* False: that failed, and the engine has more to tell. */
static bool flush(struct pop3_session *s)
{
	struct buffer *out = pop3_client_output(s->client);
	int r = out->len ? net_stream_write(s->stream, out->data, out->len) : 0;

	buffer_clear(out);
	if (r < 0) {
		pop3_client_lost(s->client, "nothing more could be written to the server");
		return false;
	}
	net_stream_set_timeout(s->stream, pop3_client_waiting(s->client) ?
			       s->o.timeout_usec ?: TIMEOUT_USEC : 0);
	return true;
}

static void drive(struct pop3_session *s, const char *data, size_t len)
{
	struct pop3_event ev;
	bool asked, alive = true;

	s->refs++;
	s->driving = true;
	do {
		while (alive && pop3_client_next(s->client, &data, &len, &ev))
			alive = on_event(s, &ev);
		asked = alive && schedule(s);
		alive = alive && !s->over;
	} while (alive && (asked || !flush(s)));
	s->driving = false;
	unref(s);
}

/*
 * The stream's side
 */

static void on_opened(void *userdata)
{
	struct pop3_session *s = userdata;

	s->connected = true;
	drive(s, NULL, 0);
}

static void on_secured(void *userdata)
{
	struct pop3_session *s = userdata;

	pop3_client_secured(s->client);
	drive(s, NULL, 0);
}

static void on_input(void *userdata, const char *data, size_t len)
{
	drive(userdata, data, len);
}

static void on_closed(void *userdata, int r, const struct error *e)
{
	struct pop3_session *s = userdata;

	if (!s->connected) {
		end(s, POP3_RESULT_CANNOT_CONNECT, e);
		return;
	}
	s->lost_line = true;
	pop3_client_lost(s->client, e->text);
	drive(s, NULL, 0);
}

static const struct net_stream_handler handler = {
	.opened = on_opened,
	.secured = on_secured,
	.input = on_input,
	.closed = on_closed,
};

static int open_line(struct pop3_session *s, sd_event *event, struct error *e)
{
	struct net_stream_options so = {
		.host = s->o.host,
		.port = s->o.port,
		.tls = s->o.tls == NET_TLS_IMPLICIT,
		/* Every session here sends a password: never to a server that is not known. */
		.verify = s->o.tls != NET_TLS_NONE,
		.ca_file = s->o.ca_file,
		.dns = s->o.dns,
	};
	struct pop3_client_options co = {
		.user = s->o.user,
		.password = s->o.password,
		.tls = s->o.tls == NET_TLS_NONE ? POP3_TLS_NONE : POP3_TLS_REQUIRED,
		.tls_active = s->o.tls == NET_TLS_IMPLICIT,
		.max_message = s->o.max_message ?: MESSAGE_MAX,
		.no_scram = s->o.no_scram,
	};
	int r;

	r = pop3_client_new(&s->client, &co);
	if (r < 0)
		return error_set(e, r, "log-in name and password for %s:%u cannot be used: they "
				 "must be there, in one line of at most 255 characters", s->o.host,
				 s->o.port);
	r = net_stream_connect(&s->stream, event, &so, &handler, s, e);
	if (r >= 0)
		net_stream_set_timeout(s->stream, s->o.timeout_usec ?: TIMEOUT_USEC);
	return r;
}

int pop3_session_start(struct pop3_session **ret, sd_event *event,
		       const struct pop3_session_options *o,
		       const struct pop3_session_callbacks *callbacks, void *userdata,
		       struct error *e)
{
	struct pop3_session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(e, -ENOMEM, "there is no memory to collect mail");
	s->refs = 1;
	s->o = *o;
	s->o.port = o->port ?: o->tls == NET_TLS_IMPLICIT ? 995 : 110;
	s->callbacks = *callbacks;
	s->userdata = userdata;
	r = open_line(s, event, e);
	if (r < 0) {
		drop(s);
		return r;
	}
	*ret = s;
	return 0;
}
