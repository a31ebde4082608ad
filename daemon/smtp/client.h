/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sending side of SMTP (RFC 5321) as a state machine without I/O.
 *
 * The caller moves bytes: what the server sent goes into smtp_client_next(),
 * which hands back one event after another until it returns false; then
 * whatever stands in smtp_client_output() is to be written to the server and
 * consumed. smtp_client_timeout() says how long to wait for the server's next
 * word. A session goes
 *
 *	[SMTP_STARTTLS] SMTP_READY { smtp_client_send() SMTP_RECIPIENT...
 *	[SMTP_BODY SMTP_DOT] SMTP_RESULT SMTP_READY }... smtp_client_quit() SMTP_CLOSED
 *
 * with SMTP_NEXT in place of SMTP_READY where smtp_client_follow() named the next
 * message already.
 *
 * and may end with SMTP_FAILED at any point; its verdict is then that of the
 * message in hand and of all its recipients that had none or were accepted.
 *
 * Lifetime: options and the envelope are borrowed, the first for the
 * client's life, the second until the message's SMTP_RESULT or SMTP_FAILED. What an
 * event points to stays until the next call.
 */
#ifndef IFAX_SMTP_CLIENT_H
#define IFAX_SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "mail/envelope.h"
#include "smtp/reply.h"

struct smtp_client;

enum smtp_tls {
	SMTP_TLS_NONE,		/* never ask for it */
	SMTP_TLS_OPPORTUNISTIC,	/* where offered and not refused */
	SMTP_TLS_REQUIRED,	/* or no mail is sent */
};

struct smtp_client_options {
	const char *helo;	/* our own name */
	enum smtp_tls tls;
	bool tls_active;	/* the stream is encrypted from its first byte */
	const char *user;	/* NULL: no AUTH. Goes over an encrypted stream only */
	const char *password;
};

enum smtp_verdict {
	SMTP_ACCEPTED,
	SMTP_REFUSED,		/* for good: 5xx */
	SMTP_TRANSIENT,		/* try later: 4xx, or the line was lost before the final dot */
	SMTP_DEFERRED,		/* recipients only: the server wants them in another transaction */
	SMTP_IN_DOUBT,		/* the final dot went out and no answer came: may have been taken */
};

enum smtp_event_type {
	SMTP_STARTTLS,		/* write the output, make the handshake, smtp_client_secured() */
	SMTP_READY,		/* smtp_client_send() or smtp_client_quit() */
	SMTP_RECIPIENT,		/* verdict on recipient no. rcpt */
	SMTP_BODY,		/* smtp_client_body() as often as needed, smtp_client_body_end() */
	SMTP_DOT,		/* the body is out; the final dot waits for smtp_client_dot() */
	SMTP_RESULT,		/* verdict on the message, for the recipients accepted before */
	SMTP_NEXT,		/* what is told now is of the message that followed */
	SMTP_FAILED,		/* the session is over: close the stream */
	SMTP_CLOSED,		/* QUIT was answered: close the stream */
};

struct smtp_event {
	enum smtp_event_type type;
	enum smtp_verdict verdict;		/* of RECIPIENT, RESULT, FAILED */
	size_t rcpt;				/* of RECIPIENT */
	const struct smtp_reply *reply;		/* what the server said last; NULL: nothing */
	const char *enhanced;			/* status code of the verdict (RFC 3463), or "" */
	bool login;				/* of FAILED: user or password is wrong */
	const char *text;			/* a sentence for people, of those with a verdict */
};

/* Which of the waits of RFC 5321, 4.5.3.2 applies now. */
enum smtp_timeout {
	SMTP_TIMEOUT_NONE,		/* it is the caller's turn */
	SMTP_TIMEOUT_GREETING,		/* 5 minutes */
	SMTP_TIMEOUT_COMMAND,		/* MAIL, RCPT and the rest: 5 minutes */
	SMTP_TIMEOUT_DATA,		/* 2 minutes */
	SMTP_TIMEOUT_BODY,		/* until a block of the body is written: 3 minutes */
	SMTP_TIMEOUT_DOT,		/* 10 minutes */
};

/* The book's wait for each, in seconds; 0 for SMTP_TIMEOUT_NONE. */
unsigned int smtp_timeout_seconds(enum smtp_timeout t);

/* -ENOMEM, -EINVAL: helo is no name, or user without password. smtp_client_free(). */
int smtp_client_new(struct smtp_client **ret, const struct smtp_client_options *o);
void smtp_client_free(struct smtp_client *c);

/* False: all of *data is used and there is nothing to tell. *data may be empty. */
bool smtp_client_next(struct smtp_client *c, const char **data, size_t *len,
		      struct smtp_event *ev);
/* Bytes for the server; the caller consumes what it has written. */
struct buffer *smtp_client_output(struct smtp_client *c);
enum smtp_timeout smtp_client_timeout(const struct smtp_client *c);

/* The handshake is done: all that was learnt before it is forgotten, as RFC 3207 asks. */
int smtp_client_secured(struct smtp_client *c);
/* Is the handshake under way, or about to be? */
bool smtp_client_is_securing(const struct smtp_client *c);
/* What the server said that it can. */
struct smtp_offers {
	bool pipelining, starttls, size, eight_bit, utf8, dsn;
	bool auth_scram, auth_plain, auth_login;
	uint64_t max_size;		/* 0 = no limit told */
};

const struct smtp_offers *smtp_client_offers(const struct smtp_client *c);
/*
 * After SMTP_READY. -EBUSY at any other time, -EINVAL: no recipients. Wishes about
 * notices are passed on where the server offers DSN; what it cannot take (8-bit
 * text, SMTPUTF8, the size) is refused here as it would be by the server.
 */
int smtp_client_send(struct smtp_client *c, const struct envelope *e);
/*
 * After SMTP_BODY: the next stretch of the message, lines ended by CRLF. Dots are
 * stuffed here; a bare CR or LF becomes CRLF, for neither may be sent.
 */
int smtp_client_body(struct smtp_client *c, const void *data, size_t len);
/* Ends the last line where it is open, and has SMTP_DOT told. */
int smtp_client_body_end(struct smtp_client *c);
/*
 * After SMTP_DOT, and before smtp_client_dot(): the message that is next. Its envelope
 * goes out behind the dot (RFC 2920 3.1), which spares it a round trip; should the
 * session end before SMTP_NEXT, no server has heard of it. -EOPNOTSUPP: the server does
 * not offer PIPELINING; -EBUSY, -EINVAL as above.
 */
int smtp_client_follow(struct smtp_client *c, const struct envelope *e);
/* After SMTP_DOT: from here on the message may count as sent. */
int smtp_client_dot(struct smtp_client *c);
int smtp_client_quit(struct smtp_client *c);
/* The stream broke, timed out, or its handshake failed: @why ends the session's sentence. */
void smtp_client_lost(struct smtp_client *c, const char *why);

#endif
