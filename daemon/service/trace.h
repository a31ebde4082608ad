/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines that a mail gets where it is taken over and where it ends (RFC 5321 4.4). */
#ifndef IFAX_SERVICE_TRACE_H
#define IFAX_SERVICE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* What is known of the way that a mail came; strings are borrowed. */
struct trace {
	const char *helo;	/* what the client called itself; may hold anything */
	const char *peer;	/* its address, "192.0.2.1" or "2001:db8::1" */
	const char *by;		/* our name */
	const char *tls;	/* "TLSv1.3", NULL: in the clear */
	const char *rcpt;	/* NULL: there are several, and nobody's business */
	uint64_t id;
	uint64_t usec;		/* since the epoch */
	bool ehlo, authenticated, utf8;
};

/* Appends a Received field with its CRLF. */
int trace_received(struct buffer *b, const struct trace *t);
/* Appends a Return-Path field with its CRLF; for final delivery alone. */
int trace_return_path(struct buffer *b, const char *from);
/* How many Received fields stand in the header of @mail; stops counting beyond @max. */
unsigned int trace_hops(const char *mail, size_t len, unsigned int max);

#define TRACE_MESSAGE_ID 256
/* The Message-ID in the header of @mail, with angle brackets; false: none that could be one. */
bool trace_message_id(const char *mail, size_t len, char id[TRACE_MESSAGE_ID]);

#endif
