/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "net/resolve.h"
#include "net/stream.h"

#define QUEUE_MAX	(4u << 20)
#define READ_SIZE	65536		/* on the stack */
#define TLS_WRITE	16384		/* a record */
#define OUT_KEPT	512		/* of an empty queue */
#define READS_MAX	8		/* of one turn, so that others get theirs */
#define ATTEMPT_USEC	(20 * UINT64_C(1000000))	/* for an address, while others are left */

enum phase {
	RESOLVING,
	CONNECTING,
	OPEN,
	OVER,		/* closed() was told, or net_stream_free() called */
};

/* What is needed until it is open. */
struct connecting {
	struct net_query *query;
	struct net_address addrs[NET_ADDRESSES_MAX];
	int n_addrs, next_addr;
	sd_event_source *attempt;
};

struct net_stream {
	unsigned int refs;	/* the user's one, and one for each handler under way */
	sd_event *event;
	struct net_stream_handler handler;
	void *userdata;
	char *host, *ca_file, *verify_name;
	struct net_tls_server *server;	/* NULL: we are the client */
	uint16_t port;
	bool tls, verify;

	enum phase phase;
	struct connecting *connecting;

	int fd;
	sd_event_source *io;
	sd_event_source *deadline;
	uint64_t due;		/* CLOCK_MONOTONIC; 0 = no deadline */
	uint64_t armed;		/* what @deadline stands at, at or before due; 0 = off */
	struct buffer out;
	bool paused;
	bool ending, ended;	/* asked for, done */
	bool drain_due;		/* flush() found that something had to wait */
	bool turning;		/* on_io() is at work, and will watch() when it has done */

	SSL *ssl;
	bool start_tls;		/* when out is drained */
	bool handshaking;
	bool read_wants_write, write_wants_read;	/* OpenSSL's wishes */
	int write_error;	/* told when all that the server said is read */
};

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static void connecting_free(struct connecting *c)
{
	if (!c)
		return;
	net_query_cancel(c->query);
	sd_event_source_disable_unref(c->attempt);
	free(c);
}

static void close_all(struct net_stream *s)
{
	s->phase = OVER;
	connecting_free(take_ptr(s->connecting));
	s->io = sd_event_source_disable_unref(s->io);
	s->deadline = sd_event_source_disable_unref(s->deadline);
	if (s->ssl && !s->handshaking)
		SSL_shutdown(s->ssl);
	SSL_free(take_ptr(s->ssl));
	ERR_clear_error();
	cleanup_close(&s->fd);
	buffer_free(&s->out);
}

static void unref(struct net_stream *s)
{
	if (--s->refs)
		return;
	free(s->host);
	free(s->ca_file);
	free(s->verify_name);
	sd_event_unref(s->event);
	free(s);
}

void net_stream_free(struct net_stream *s)
{
	if (!s)
		return;
	close_all(s);
	unref(s);
}

/* Whoever calls this must not touch the stream afterwards unless holding a reference. */
static void end(struct net_stream *s, int r, const struct error *e)
{
	if (s->phase == OVER)
		return;
	s->refs++;
	close_all(s);
	s->handler.closed(s->userdata, r, e);
	unref(s);
}

__attribute__((format(printf, 3, 4)))
static void end_with(struct net_stream *s, int code, const char *fmt, ...)
{
	struct error e = { .code = code };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	end(s, code, &e);
}

static void end_errno(struct net_stream *s, int code)
{
	bool closed = code == -ECONNRESET || code == -EPIPE;

	if (closed && !s->port)
		end_with(s, -ECONNRESET, "%s closed the connection", s->host);
	else if (closed)
		end_with(s, -ECONNRESET, "%s:%u closed the connection", s->host, s->port);
	else if (!s->port)
		end_with(s, code, "the connection from %s broke: %s", s->host, strerror(-code));
	else
		end_with(s, code, "the connection to %s:%u broke: %s", s->host, s->port,
			 strerror(-code));
}

static void end_tls(struct net_stream *s)
{
	struct error e;
	int r = net_tls_error(s->ssl, s->verify_name ?: s->host, s->port, &e);

	/* After a fatal error nothing may be sent, not even close_notify. */
	SSL_free(take_ptr(s->ssl));
	end(s, r, &e);
}

/* Asks epoll for what the next step needs. */
static void watch(struct net_stream *s)
{
	uint32_t events = s->paused && !s->handshaking ? 0 : EPOLLIN;

	if (s->phase == OVER || s->turning)
		return;
	if (s->phase == CONNECTING)
		events = EPOLLOUT;
	else if (s->handshaking ? s->read_wants_write :
		 s->read_wants_write || s->start_tls || s->drain_due ||
		 (s->ending && !s->ended) || (s->out.len && !s->write_wants_read))
		events |= EPOLLOUT;
	/* What OpenSSL has read already makes no descriptor readable. */
	if (!s->paused && s->ssl && !s->handshaking && SSL_pending(s->ssl))
		events |= EPOLLOUT;
	sd_event_source_set_io_events(s->io, events);
}

/*
 * Connecting
 */

static void try_next(struct net_stream *s, int last_error);

static int on_attempt(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct net_stream *s = userdata;

	if (s->phase == CONNECTING)
		try_next(s, -ETIMEDOUT);
	return 0;
}

static int begin_connect(struct net_stream *s, const struct net_address *a)
{
	int r, on = 1;

	s->io = sd_event_source_disable_unref(s->io);
	cleanup_close(&s->fd);
	s->fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, (const struct sockaddr *)&a->addr, a->len) < 0 && errno != EINPROGRESS)
		return -errno;
	r = sd_event_add_io(s->event, &s->io, s->fd, EPOLLOUT, on_io, s);
	if (r < 0)
		return r;
	if (s->connecting->next_addr >= s->connecting->n_addrs)
		return sd_event_source_set_enabled(s->connecting->attempt, SD_EVENT_OFF);
	r = sd_event_source_set_time_relative(s->connecting->attempt, ATTEMPT_USEC);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(s->connecting->attempt, SD_EVENT_ONESHOT);
}

static void try_next(struct net_stream *s, int last_error)
{
	struct connecting *c = s->connecting;

	s->phase = CONNECTING;
	while (c->next_addr < c->n_addrs) {
		last_error = begin_connect(s, &c->addrs[c->next_addr++]);
		if (last_error >= 0)
			return;
	}
	end_with(s, last_error, "%s:%u cannot be reached (%s): check host, port and network, and "
		 "whether the server runs", s->host, s->port, strerror(-last_error));
}

static void on_resolved(void *userdata, int r, const struct net_address *addrs,
			const struct error *e)
{
	struct net_stream *s = userdata;

	s->connecting->query = NULL;
	if (r < 0) {
		end(s, r, e);
		return;
	}
	s->connecting->n_addrs = r;
	memcpy(s->connecting->addrs, addrs, r * sizeof(*addrs));
	try_next(s, -EADDRNOTAVAIL);
}

static int begin_handshake(struct net_stream *s, struct error *e)
{
	int r = s->server ? net_tls_accept(&s->ssl, s->fd, s->server, e) :
			    net_tls_client(&s->ssl, s->fd, s->verify_name ?: s->host, s->port,
					   s->verify, s->ca_file, e);

	if (r < 0)
		return r;
	s->start_tls = false;
	s->handshaking = true;
	/* A client speaks first. */
	s->read_wants_write = !s->server;
	return 0;
}

/* True: the stream is alive. */
static bool handshake_or_end(struct net_stream *s)
{
	struct error e;
	int r = begin_handshake(s, &e);

	if (r < 0)
		end(s, r, &e);
	return r >= 0;
}

static void on_connected(struct net_stream *s)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) {
		try_next(s, -err);
		return;
	}
	connecting_free(take_ptr(s->connecting));
	s->phase = OPEN;
	if (s->tls)
		handshake_or_end(s);
	else
		s->handler.opened(s->userdata);
}

/*
 * Moving bytes
 */

static void do_handshake(struct net_stream *s)
{
	int r, why;

	ERR_clear_error();
	r = SSL_do_handshake(s->ssl);
	s->read_wants_write = false;
	if (r == 1) {
		s->handshaking = false;
		if (s->tls)
			s->handler.opened(s->userdata);
		else
			s->handler.secured(s->userdata);
		return;
	}
	why = SSL_get_error(s->ssl, r);
	if (why == SSL_ERROR_WANT_WRITE)
		s->read_wants_write = true;
	else if (why != SSL_ERROR_WANT_READ)
		end_tls(s);
}

/* Bytes, 0 = try later, or -errno: -ECONNRESET at the orderly end too, -EPROTO see end_tls(). */
static ssize_t receive(struct net_stream *s, void *data, size_t len)
{
	ssize_t n;
	int r;

	if (!s->ssl) {
		n = recv(s->fd, data, len, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		return n ? n : -ECONNRESET;
	}
	ERR_clear_error();
	r = SSL_read(s->ssl, data, len);
	s->read_wants_write = false;
	if (r > 0)
		return r;
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_WANT_WRITE:
		s->read_wants_write = true;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return -ECONNRESET;
	default:
		return -EPROTO;
	}
}

static ssize_t transmit(struct net_stream *s, const void *data, size_t len)
{
	ssize_t n;
	int r;

	if (!s->ssl) {
		n = send(s->fd, data, len, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		return n;
	}
	ERR_clear_error();
	r = SSL_write(s->ssl, data, len > TLS_WRITE ? TLS_WRITE : len);
	s->write_wants_read = false;
	if (r > 0)
		return r;
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		s->write_wants_read = true;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		return 0;
	default:
		return -EPROTO;
	}
}

static void end_io(struct net_stream *s, int r)
{
	if (r == -EPROTO && s->ssl)
		end_tls(s);
	else
		end_errno(s, r);
}

/* An empty queue keeps a reply's worth of memory. */
static void shrink(struct net_stream *s)
{
	size_t max = s->out.max;

	if (s->out.len || s->out.cap <= OUT_KEPT)
		return;
	buffer_free(&s->out);
	s->out.max = max;
}

/* True: something went out. */
static bool write_queued(struct net_stream *s)
{
	size_t done = 0;

	while (done < s->out.len) {
		ssize_t n = transmit(s, s->out.data + done, s->out.len - done);

		if (n < 0) {
			/* The peer's last words may wait to be read, and say why it hung up. */
			s->write_error = n;
			buffer_clear(&s->out);
			return false;
		}
		if (!n)
			break;
		done += n;
	}
	buffer_consume(&s->out, done);
	shrink(s);
	return done;
}

static void end_writing(struct net_stream *s)
{
	s->ended = true;
	if (s->ssl)
		SSL_shutdown(s->ssl);
	ERR_clear_error();
	shutdown(s->fd, SHUT_WR);
}

static void do_write(struct net_stream *s)
{
	bool moved = write_queued(s) || s->drain_due;

	if (s->out.len || s->write_error)
		return;
	s->drain_due = false;
	if (s->start_tls)
		handshake_or_end(s);
	else if (s->ending && !s->ended)
		end_writing(s);
	if (moved && s->phase == OPEN && !s->handshaking && s->handler.drained)
		s->handler.drained(s->userdata);
}

static void do_read(struct net_stream *s)
{
	char data[READ_SIZE];

	for (int i = 0; i < READS_MAX || (s->ssl && SSL_pending(s->ssl)); i++) {
		ssize_t n = receive(s, data, sizeof(data));

		if (n < 0)
			end_io(s, n);
		if (n <= 0)
			return;
		s->handler.input(s->userdata, data, n);
		/* The user may have ended the stream, or what follows may be the handshake's. */
		if (s->phase != OPEN || s->start_tls || s->paused)
			return;
		if (!s->ssl && (size_t)n < sizeof(data))	/* there was no more */
			return;
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct net_stream *s = userdata;

	s->refs++;
	s->turning = true;
	if (s->phase == CONNECTING) {
		on_connected(s);
	} else if (s->handshaking) {
		do_handshake(s);
	} else {
		if (s->out.len || s->start_tls || s->drain_due || (s->ending && !s->ended))
			do_write(s);
		if (s->phase == OPEN && !s->handshaking && !s->start_tls && !s->paused)
			do_read(s);
		/* What was answered goes out in this turn. */
		if (s->phase == OPEN && !s->handshaking && s->out.len && !s->write_error)
			do_write(s);
		if (s->phase == OPEN && s->write_error)
			end_io(s, s->write_error);
		/* Unread input keeps the end from being seen otherwise. */
		if (s->phase == OPEN && s->paused && revents & (EPOLLHUP | EPOLLERR))
			end_errno(s, -ECONNRESET);
	}
	s->turning = false;
	watch(s);
	unref(s);
	return 0;
}

/*
 * The user's side
 */

static uint64_t now(const struct net_stream *s)
{
	uint64_t usec = 0;

	sd_event_now(s->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

static int arm(struct net_stream *s)
{
	int r = sd_event_source_set_time(s->deadline, s->due);

	s->armed = s->due;
	return r < 0 ? r : sd_event_source_set_enabled(s->deadline, SD_EVENT_ONESHOT);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct net_stream *s = userdata;

	s->armed = 0;
	if (!s->due)
		return 0;
	if (s->due > now(s))
		return arm(s);
	s->due = 0;
	if (s->handler.timed_out && s->phase == OPEN) {
		s->refs++;
		s->handler.timed_out(s->userdata);
		unref(s);
		return 0;
	}
	end_with(s, -ETIMEDOUT, s->phase == OPEN ?
		 "%s:%u did not answer in time" :
		 "%s:%u could not be reached in time: check host, port and network",
		 s->host, s->port);
	return 0;
}

static int make_stream(struct net_stream **ret, sd_event *event, const char *host,
		       const struct net_stream_handler *handler, void *userdata)
{
	struct net_stream *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (!s)
		return r;
	s->refs = 1;
	s->fd = -1;
	s->event = sd_event_ref(event);
	s->handler = *handler;
	s->userdata = userdata;
	s->out.max = QUEUE_MAX;
	s->host = strdup(host);
	if (s->host)
		r = sd_event_add_time_relative(s->event, &s->deadline, CLOCK_MONOTONIC, 0, 0,
					       on_deadline, s);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->deadline, SD_EVENT_OFF);
	if (r < 0) {
		net_stream_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int prepare(struct net_stream *s, const struct net_stream_options *o)
{
	int r;

	s->phase = RESOLVING;
	s->port = o->port;
	s->tls = o->tls;
	s->verify = o->verify;
	s->connecting = calloc(1, sizeof(*s->connecting));
	s->ca_file = o->ca_file ? strdup(o->ca_file) : NULL;
	s->verify_name = o->verify_name ? strdup(o->verify_name) : NULL;
	if (!s->connecting || (o->ca_file && !s->ca_file) || (o->verify_name && !s->verify_name))
		return -ENOMEM;
	r = sd_event_add_time_relative(s->event, &s->connecting->attempt, CLOCK_MONOTONIC, 0, 0,
				       on_attempt, s);
	return r < 0 ? r : sd_event_source_set_enabled(s->connecting->attempt, SD_EVENT_OFF);
}

int net_stream_connect(struct net_stream **ret, sd_event *event,
		       const struct net_stream_options *o,
		       const struct net_stream_handler *handler, void *userdata,
		       struct error *e)
{
	struct net_stream *s;
	int r = make_stream(&s, event, o->host, handler, userdata);

	if (r < 0)
		return error_set(e, r, "no connection can be made: %s", strerror(-r));
	r = prepare(s, o);
	if (r < 0)
		error_set(e, r, "no connection can be made: %s", strerror(-r));
	else
		r = net_resolve_host(&s->connecting->query, event, o->host, o->port, o->dns,
				     on_resolved, s, e);
	if (r < 0) {
		net_stream_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int net_stream_accept(struct net_stream **ret, sd_event *event, const struct net_accept_options *o,
		      const struct net_stream_handler *handler, void *userdata, struct error *e)
{
	struct net_stream *s;
	int r = make_stream(&s, event, o->peer, handler, userdata), fd = o->fd, on = 1;

	if (r < 0) {
		cleanup_close(&fd);
		return error_set(e, r, "%s cannot be served: %s", o->peer, strerror(-r));
	}
	s->fd = fd;
	s->phase = OPEN;
	s->server = o->tls;
	s->tls = o->tls_at_once;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = sd_event_add_io(event, &s->io, s->fd, EPOLLIN, on_io, s);
	if (r < 0)
		error_set(e, r, "%s cannot be served: %s", o->peer, strerror(-r));
	else if (s->tls)
		r = begin_handshake(s, e);
	if (r < 0) {
		net_stream_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static bool takes_output(const struct net_stream *s)
{
	return s->phase == OPEN && !s->handshaking && !s->start_tls && !s->ending;
}

int net_stream_write(struct net_stream *s, const void *data, size_t len)
{
	int r;

	if (!takes_output(s))
		return -ENOTCONN;
	r = buffer_append(&s->out, data, len);
	watch(s);
	return r;
}

int net_stream_push(struct net_stream *s, struct buffer *data)
{
	size_t max = s->out.max;
	int r = 0;

	if (!takes_output(s))
		return -ENOTCONN;
	if (!s->out.len && data->len <= max) {
		buffer_free(&s->out);
		s->out = *data;
		s->out.max = max;
		*data = (struct buffer){ .max = data->max };
	} else {
		r = buffer_append(&s->out, data->data, data->len);
		buffer_clear(data);
	}
	net_stream_flush(s);
	return r;
}

size_t net_stream_queued(const struct net_stream *s)
{
	return s->write_error && !s->out.len ? 1 : s->out.len;
}

int net_stream_start_tls(struct net_stream *s)
{
	if (s->phase != OPEN || s->ssl || s->start_tls || s->ending)
		return -ENOTCONN;
	s->start_tls = true;
	watch(s);
	return 0;
}

void net_stream_flush(struct net_stream *s)
{
	if (s->phase != OPEN || s->handshaking || s->start_tls || !s->out.len || s->write_error)
		return;
	write_queued(s);
	if (s->out.len || s->write_error)
		s->drain_due = true;
	watch(s);
}

void net_stream_pause(struct net_stream *s, bool pause)
{
	s->paused = pause;
	watch(s);
}

void net_stream_hand_over(struct net_stream *s, const struct net_stream_handler *to, void *userdata)
{
	s->handler = *to;
	s->userdata = userdata;
	/* Encrypted or not, it stays so: the old user's certificate is not needed any more. */
	s->server = NULL;
	s->due = 0;
	net_stream_pause(s, false);
}

void net_stream_end(struct net_stream *s)
{
	s->ending = true;
	if (s->phase == OPEN && !s->ended && !s->out.len && !s->handshaking && !s->start_tls)
		end_writing(s);
	watch(s);
}

const char *net_stream_tls(const struct net_stream *s)
{
	return s->ssl && !s->handshaking ? SSL_get_version(s->ssl) : NULL;
}

/* The timer is moved only when it has to ring earlier; when it rings too early it is set anew. */
int net_stream_set_timeout(struct net_stream *s, uint64_t usec)
{
	if (s->phase == OVER)
		return -ENOTCONN;
	s->due = usec ? now(s) + usec : 0;
	if (!s->due || (s->armed && s->armed <= s->due))
		return 0;
	return arm(s);
}
