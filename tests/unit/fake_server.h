/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mail server of the test's own, on loopback, in a thread: it follows a script
 * to the letter and notes where the client did not.
 *
 *	"S:text"	sends text
 *	"C:text"	a line that begins so must come
 *	"BODY"		reads up to CRLF.CRLF into body
 *	"TLS"		makes the handshake, as localhost with a certificate of its own
 *	"NEXT"		closes, and takes the next connection
 *	"QUIET"		nothing comes in the next 0.1 s (in the clear)
 *	"PAUSE"		lets 0.3 s pass
 *	"WAIT"		reads until the client closes
 *	NULL		closes
 */
#ifndef IFAX_TESTS_FAKE_SERVER_H
#define IFAX_TESTS_FAKE_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct fake_server {
	const char *const *script;
	int listener;
	uint16_t port;
	pthread_t thread;
	atomic_int resumed;	/* TLS sessions that were taken up again */
	atomic_bool finished;	/* the script is at its end, the line closed */
	struct buffer body;
	char wrong[600];	/* what was not as the script says */
};

void fake_server_start(struct fake_server *f, const char *const *script);
/* The same on @address of loopback, "127.0.0.2", and @port, 0 = any. */
void fake_server_start_at(struct fake_server *f, const char *address, uint16_t port,
			  const char *const *script);
/* Waits for its end and fails the test where the client left the script. */
void fake_server_stop(struct fake_server *f);
/* PEM file with the certificate of "TLS"; removed at exit. */
const char *fake_server_ca(void);

#endif
