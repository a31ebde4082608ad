/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notices about what became of a mail: delivery status notifications, RFC 3461
 * and 3464, with enhanced codes of RFC 3463. Built whole with CRLF line ends,
 * ready for the queue; the envelope's reverse-path is the null one (RFC 5321
 * 6.1), which keeps a notice from causing another.
 *
 * Texts that came from elsewhere (what a server said, an ENVID, an address) are
 * cleaned as they are written: none can end a line or begin a field.
 */
#ifndef IFAX_MAIL_DSN_H
#define IFAX_MAIL_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* RFC 3464 2.3.3 */
enum dsn_action {
	DSN_FAILED,
	DSN_DELAYED,
	DSN_DELIVERED,
	DSN_RELAYED,		/* to a host that tells no more */
	DSN_EXPANDED,		/* to the members of a list */
	_DSN_ACTIONS
};

const char *dsn_action_name(enum dsn_action action);	/* "failed" ... */

/* All strings are UTF-8, the caller's, and only read. Times are microseconds since the epoch. */
struct dsn_rcpt {
	const char *address;
	const char *orcpt;	/* as ORCPT said it, decoded: "rfc822;..."; NULL: not said */
	enum dsn_action action;
	const char *status;	/* "5.1.1"; NULL: the class that the action implies */
	const char *remote;	/* the host that said so; NULL: we found out ourselves */
	const char *diagnostic;	/* its reply, "550 5.1.1 no such user"; NULL: what @text ends
				 * with, if that is one
				 */
	const char *text;	/* a sentence for people; NULL: none */
	uint64_t last_attempt;	/* 0: none was made */
	uint64_t retry_until;	/* delayed: given up then; 0: not told */
};

struct dsn_spec {
	const char *hostname;	/* ours: the reporting MTA */
	const char *to;		/* reverse-path of the mail that this is about */
	const char *message_id;	/* of the notice, with angle brackets */
	uint64_t date;
	uint64_t arrival;	/* of the mail that this is about; 0: not told */
	const char *envid;	/* NULL: none was given */
	const struct dsn_rcpt *rcpts;
	size_t n_rcpts;		/* at least one */
	const void *original;	/* the mail itself, CRLF lines */
	size_t original_len;
	bool full;		/* the whole of it comes back, else its header; of a mail
				 * that was too large, or 8-bit where that is not taken, the
				 * header alone in any case, as ASCII
				 */
};

/*
 * Appends the notice to @out; *@eight_bit: it needs 8BITMIME. -EINVAL: no
 * recipient, or @to or @message_id is none.
 */
int dsn_build(const struct dsn_spec *s, struct buffer *out, bool *eight_bit, struct error *e);

#endif
