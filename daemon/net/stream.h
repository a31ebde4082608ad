/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A nonblocking stream, TCP or TLS, on sd-event: to a server, or from a client.
 *
 * net_stream_connect() looks the name up and tries its addresses in turn;
 * net_stream_accept() takes a descriptor that a listening socket gave. All that
 * happens later is told through the handler, from the event loop and never from
 * within a call of the user's. After closed() nothing more is told.
 * net_stream_free() may be called at any time, within a handler too; nothing is
 * told after it. Strings of the options are copied.
 *
 * A stream on which nothing moves holds no buffer: what is read lies on the
 * stack, what waits to be written is freed when it is out, and OpenSSL gives its
 * buffers back.
 */
#ifndef IFAX_NET_STREAM_H
#define IFAX_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "base/buffer.h"
#include "base/error.h"
#include "net/tls.h"

struct net_stream;

struct net_stream_handler {
	/* Connected; where tls was asked for, encrypted too. */
	void (*opened)(void *userdata);
	/* The handshake that net_stream_start_tls() began is done. */
	void (*secured)(void *userdata);
	void (*input)(void *userdata, const char *data, size_t len);
	/* All that was written is with the kernel. May be NULL. */
	void (*drained)(void *userdata);
	/*
	 * The stream is over: -ECONNRESET (also the server's orderly end), -ETIMEDOUT,
	 * -EKEYREJECTED (its certificate), -ENOENT (no such host), -ECONNREFUSED ...
	 */
	void (*closed)(void *userdata, int r, const struct error *e);
	/* Time ran out: the user says good-bye, or sets a new time. NULL: closed(-ETIMEDOUT). */
	void (*timed_out)(void *userdata);
};

struct net_stream_options {
	const char *host;	/* name or literal address */
	uint16_t port;
	bool tls;		/* from the first byte */
	bool verify;		/* chain and host name, whenever encrypted */
	const char *ca_file;	/* trust these instead of the system's; NULL */
	const char *verify_name; /* the name a certificate must bear; NULL: host */
	const char *dns;	/* name servers instead of the system's; NULL */
};

int net_stream_connect(struct net_stream **ret, sd_event *event,
		       const struct net_stream_options *o,
		       const struct net_stream_handler *handler, void *userdata,
		       struct error *e);
/*
 * A connection that came: @fd is the stream's, after an error too; @peer is for
 * sentences. It is open at once; with @tls opened() tells when it is encrypted.
 * @tls is what net_stream_start_tls() will use; NULL: there is none.
 */
struct net_accept_options {
	int fd;
	const char *peer;
	struct net_tls_server *tls;	/* borrowed for the stream's life */
	bool tls_at_once;		/* from the first byte */
};

int net_stream_accept(struct net_stream **ret, sd_event *event, const struct net_accept_options *o,
		      const struct net_stream_handler *handler, void *userdata, struct error *e);
/* Closes what is open; what was not drained is lost. NULL is fine. */
void net_stream_free(struct net_stream *s);

/* -ENOMEM, -ENOTCONN, -EMSGSIZE: more than 4 MiB wait already. */
int net_stream_write(struct net_stream *s, const void *data, size_t len);
/* The same, and net_stream_flush(): takes the bytes of @data, mostly without a copy. */
int net_stream_push(struct net_stream *s, struct buffer *data);
/*
 * Tries to bring out now what is queued, in place of the next turn of the loop.
 * drained() is told in a later turn, and only if something had to wait.
 */
void net_stream_flush(struct net_stream *s);
/* No input() until it is called with false. */
void net_stream_pause(struct net_stream *s, bool pause);
/*
 * Another user has the stream, which must be open, with all that is not read and not
 * written yet; there is no deadline. May be called from within a handler of the old one.
 */
void net_stream_hand_over(struct net_stream *s, const struct net_stream_handler *handler,
			  void *userdata);
/* No more is written: the peer sees the end behind what is queued. Reading goes on. */
void net_stream_end(struct net_stream *s);
/* "TLSv1.3", or NULL: in the clear. */
const char *net_stream_tls(const struct net_stream *s);
/* Bytes written that the kernel has not taken yet, never 0 once it refused some: write more when
 * there are few. */
size_t net_stream_queued(const struct net_stream *s);
/* What is queued goes out first. Bytes not yet handed to input() belong to the handshake. */
int net_stream_start_tls(struct net_stream *s);
/* closed(-ETIMEDOUT) unless called again within @usec; 0: no deadline. */
int net_stream_set_timeout(struct net_stream *s, uint64_t usec);

#endif
