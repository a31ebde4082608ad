/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The receiving side of SMTP (RFC 5321 and what RFC 821 had beyond it) as a state
 * machine without I/O.
 *
 * The caller moves bytes: what the client sent goes into smtp_server_next(), which
 * takes what it needs from *data and hands back one event after another until it
 * returns false; then whatever stands in smtp_server_output() is to be written and
 * consumed. Most events ask something: nothing further is taken from the input
 * until smtp_server_reply() (or the call that the event names) answers, at once or
 * later; what is left of *data then goes into smtp_server_next() again. All that
 * needs no decision (order, syntax, limits, HELP, NOOP, RSET) the engine answers by
 * itself, so that pipelined commands cost no round through the caller.
 *
 * What is decided here, where the books leave a choice or servers differ:
 * - A line ends with CRLF and nothing else, in commands as in messages. A message with
 *   a bare CR or LF or a NUL is taken to its end and refused with 554, never repaired;
 *   a command with one, or with another control character, with 500.
 * - A message's line may be of any length. A command's is 512 octets and what its
 *   extensions add; one that is longer is skipped whole.
 * - What comes in one piece with STARTTLS ends the session; what comes later, but
 *   before smtp_server_secured(), is dropped.
 * - A second MAIL in a transaction is 503 (RFC 5321 4.1.4), and leaves the first.
 * - Too many recipients are 452 to who said EHLO and 552, RFC 821's word, to who said
 *   HELO: each knows it for "send the rest in another transaction".
 * - BDAT that may not stand where it does has its octets skipped; one that does not say
 *   how many there are ends the session. BINARYMIME is not offered (params.h). The last
 *   line of a message that came by BDAT may lack its CRLF.
 * - A space between the colon and the path is taken; a path without brackets is not.
 *
 * Lifetime: options are borrowed for the server's life; what an event points to
 * stays until it is answered, and of an event that only tells until the next call.
 */
#ifndef IFAX_SMTP_SERVER_H
#define IFAX_SMTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "mail/envelope.h"
#include "smtp/path.h"
#include "smtp/scram.h"

struct smtp_server;

/* Limits: 0 = the default named beside it. Each has its reply. */
struct smtp_server_options {
	const char *hostname;		/* our own name */
	bool submission;		/* MAIL only after AUTH (RFC 6409) */
	bool tls_offered;		/* there is a certificate: STARTTLS */
	bool tls_active;		/* encrypted from the first byte */
	bool auth_offered;		/* AUTH, told and taken over an encrypted line only */
	bool turn_offered;		/* TURN may be asked of the caller (RFC 821 3.8) */
	uint64_t max_message;		/* octets, told as SIZE: 50 MiB; 552 beyond */
	uint32_t max_rcpts;		/* of a transaction: 1000; 452 or 552 beyond. As many may
					 * be refused between two messages; 421 beyond */
	uint32_t max_messages;		/* of a session: 0 = no limit; 421 beyond */
	uint32_t max_bad;		/* errors of syntax and order: 20; 421 beyond */
	uint32_t max_idle;		/* HELO, NOOP, RSET, VRFY, EXPN and HELP since the last
					 * mail: 100; 421 beyond */
	uint32_t max_auth;		/* failures of AUTH: 3; 421 beyond */
};

enum smtp_server_event_type {
	SMTPD_HELO,	/* name, of HELO or EHLO; a 2xx is our welcome, whatever its text */
	SMTPD_STARTTLS,	/* write the output, make the handshake, smtp_server_secured() */
	SMTPD_VERIFIER,	/* name wants to log in: smtp_server_verifier() */
	SMTPD_AUTHENTICATED,	/* name has logged in; tells only */
	SMTPD_AUTH_FAILED,	/* name (NULL: not said) has not; tells only. Its reply is in the
				 * output: written late, it slows down who guesses */
	SMTPD_MAIL,	/* envelope has from and its parameters; how says by which command */
	SMTPD_RCPT,	/* path; envelope's last recipient is the new one, with its parameters */
	SMTPD_BODY,	/* data, len: the next stretch of the message, dots undone; tells only */
	SMTPD_END,	/* the message is whole: its reply is the acceptance */
	SMTPD_RESET,	/* the transaction is void: drop the body; tells only */
	SMTPD_VRFY,	/* argument; the reply may have several lines */
	SMTPD_EXPN,	/* argument */
	SMTPD_TURN,	/* 250 makes the caller the client on this stream; what the other side
			 * sent before it had that reply is dropped */
	SMTPD_CLOSE,	/* write the output, then close the stream; tells only */
};

/* RFC 821 3.4: by which command the transaction began. */
enum smtp_how {
	SMTP_HOW_MAIL,
	SMTP_HOW_SEND,
	SMTP_HOW_SOML,
	SMTP_HOW_SAML,
};

struct smtp_server_event {
	enum smtp_server_event_type type;
	const char *name;		/* HELO: the client's; VERIFIER, AUTH...: the user's */
	bool password;			/* VERIFIER: the answer takes thousands of hashes */
	const char *argument;		/* VRFY, EXPN */
	const struct smtp_path *path;	/* RCPT: the forward-path with its route; MAIL: the
					 * reverse-path */
	struct envelope *envelope;	/* MAIL, RCPT, BODY, END: the transaction so far */
	enum smtp_how how;
	const char *data;		/* BODY */
	size_t len;
};

/* -ENOMEM, -EINVAL: hostname is no name. The greeting stands in the output at once. */
int smtp_server_new(struct smtp_server **ret, const struct smtp_server_options *o);
void smtp_server_free(struct smtp_server *s);	/* NULL is fine */

/* False: all of *data is used or an answer is awaited, and there is nothing to tell. */
bool smtp_server_next(struct smtp_server *s, const char **data, size_t *len,
		      struct smtp_server_event *ev);
/* Bytes for the client; the caller consumes what it has written. Called when all is, it
 * gives the memory back. */
struct buffer *smtp_server_output(struct smtp_server *s);

/*
 * Answers the event in hand. @code: 2xx, 4xx or 5xx, 0: the engine's own positive words.
 * @enhanced ("5.1.1", or NULL) is told to who spoke EHLO; @text (NULL: the code's own
 * words) may have several lines, parted by '\n'; each is cut at 512 octets with its code,
 * and what is not printable becomes '?'. A 421 ends the session, a 5xx or 4xx to RCPT
 * leaves the others. -EBUSY: nothing is asked, or it has a call of its own; -EINVAL: the
 * code is none of these.
 */
int smtp_server_reply(struct smtp_server *s, int code, const char *enhanced, const char *text);
/* SMTPD_VERIFIER: NULL means there is no such user, which the client cannot tell. */
int smtp_server_verifier(struct smtp_server *s, const struct scram_verifier *v);
/* The handshake is done: all that was learnt before it is forgotten (RFC 3207 4.2). */
int smtp_server_secured(struct smtp_server *s);
/*
 * 421 and SMTPD_CLOSE: the box stops, is full, or time ran out. Before the first
 * smtp_server_next() it takes the greeting's place. A question that is open is void;
 * smtp_server_next() tells what there is to tell. -EBUSY: the session is over already.
 */
int smtp_server_end(struct smtp_server *s, const char *text);

/* Who logged in, NULL = nobody. */
const char *smtp_server_user(const struct smtp_server *s);
/* The client's own name, NULL before HELO; and whether it spoke EHLO, for Received. */
const char *smtp_server_helo(const struct smtp_server *s, bool *ehlo);
/* Within a message's text: waits by RFC 5321 4.5.3.2 differ. */
bool smtp_server_in_body(const struct smtp_server *s);

#endif
