/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OpenSSL as the streams use it: one context for each side, sockets written
 * without SIGPIPE, errors as sentences.
 */
#ifndef IFAX_NET_TLS_H
#define IFAX_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/error.h"

/* How far a mail server's line is to be trusted; the words of the configuration. */
enum net_tls {
	NET_TLS_NONE,		/* "none": plain text */
	NET_TLS_OPPORTUNISTIC,	/* "opportunistic": encrypted where offered, not verified */
	NET_TLS_ENCRYPTED,	/* STARTTLS, not verified */
	NET_TLS_REQUIRED,	/* "required" or "starttls": STARTTLS, chain and name verified */
	NET_TLS_IMPLICIT,	/* "tls": from the first byte, chain and name verified */
};

int net_tls_from_name(const char *name);	/* enum net_tls, or -EINVAL; NULL is none */

/*
 * A client's SSL on @fd, which stays the caller's. @verify: chain and @host must
 * be right, by the system's trust store or, where not NULL, @ca_file; then the last
 * session with the same host, port and trust is taken up again, if the server has kept
 * it: SSL_session_reused(). Sessions that were not verified are not kept. SSL_free().
 */
int net_tls_client(SSL **ret, int fd, const char *host, uint16_t port, bool verify,
		   const char *ca_file, struct error *e);

/*
 * A server's certificate and key, PEM files with the chain behind the
 * certificate. Read when made, and again when a file has changed since: a new
 * pair that does not fit leaves the old one in use, and net_tls_server_notice()
 * says so. Must outlive the streams that use it.
 */
struct net_tls_server;

int net_tls_server_new(struct net_tls_server **ret, const char *certificate, const char *key,
		       struct error *e);
void net_tls_server_free(struct net_tls_server *t);	/* NULL is fine */
/* What there is to say since it was last asked, or NULL; valid until the next handshake. */
const char *net_tls_server_notice(struct net_tls_server *t);
/* A server's SSL on @fd, which stays the caller's. SSL_free(). */
int net_tls_accept(SSL **ret, int fd, struct net_tls_server *t, struct error *e);

/*
 * What went wrong in the last operation on @ssl with @host: -EKEYREJECTED or -ECONNRESET. @port is
 * 0 for a client that came to us.
 */
int net_tls_error(SSL *ssl, const char *host, uint16_t port, struct error *e);

#endif
