/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The octets of a multi-line answer (RFC 1939, 3): dots at the start of lines
 * unstuffed, the end found. Only CRLF ends a line: a bare LF is text, and so is
 * a dot behind it. A zeroed struct is ready. Nothing to free.
 */
#ifndef IFAX_POP3_OCTETS_H
#define IFAX_POP3_OCTETS_H

#include <stddef.h>

/* Where the next octet stands. */
enum pop3_place {
	POP3_LINE_START,
	POP3_AFTER_DOT,		/* a dot at the start of a line was taken away */
	POP3_AFTER_DOT_CR,
	POP3_WITHIN,
	POP3_AFTER_CR,
};

struct pop3_octets {
	enum pop3_place place;
};

enum pop3_octets_result {
	POP3_OCTETS_MORE,	/* all is used, and more is needed */
	POP3_OCTETS_STRETCH,	/* *ret, *n: the next of the message's own octets */
	POP3_OCTETS_END,	/* CRLF.CRLF was read */
};

/* Moves *data and *len on; *ret points into *data, or at a constant. */
enum pop3_octets_result pop3_octets_take(struct pop3_octets *p, const char **data, size_t *len,
					 const char **ret, size_t *n);

#endif
