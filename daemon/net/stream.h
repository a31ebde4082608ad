/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A nonblocking stream to a server, TCP or TLS, on sd-event.
 *
 * net_stream_connect() looks the name up and tries its addresses in turn; all
 * that happens later is told through the handler, from the event loop and never
 * from within a call of the user's. After closed() nothing more is told.
 * net_stream_free() may be called at any time, within a handler too; nothing is
 * told after it. Strings of the options are copied.
 */
#ifndef IFAX_NET_STREAM_H
#define IFAX_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

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
/* Closes what is open; what was not drained is lost. NULL is fine. */
void net_stream_free(struct net_stream *s);

/* -ENOMEM, -ENOTCONN, -EMSGSIZE: more than 4 MiB wait already. */
int net_stream_write(struct net_stream *s, const void *data, size_t len);
/* Bytes written that the kernel has not taken yet: write more when there are few. */
size_t net_stream_queued(const struct net_stream *s);
/* What is queued goes out first. Bytes not yet handed to input() belong to the handshake. */
int net_stream_start_tls(struct net_stream *s);
/* closed(-ETIMEDOUT) unless called again within @usec; 0: no deadline. */
int net_stream_set_timeout(struct net_stream *s, uint64_t usec);

#endif
