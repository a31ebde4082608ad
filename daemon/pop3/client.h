/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The collecting side of POP3 (RFC 1939, CAPA of RFC 2449, STLS of RFC 2595, SASL
 * PLAIN and SCRAM-SHA-256 of RFC 5034) as a state machine without I/O.
 *
 * The caller moves bytes: what the server sent goes into pop3_client_next(),
 * which hands back one event after another until it returns false; then what
 * stands in pop3_client_output() is to be written to the server and consumed. A
 * session goes
 *
 *	[POP3_STARTTLS] POP3_LISTED { [pop3_client_look() POP3_DATA... POP3_HEAD]
 *	pop3_client_fetch() POP3_DATA... POP3_MESSAGE
 *	pop3_client_delete() POP3_DELETED }... pop3_client_quit() POP3_CLOSED
 *
 * and may end with POP3_FAILED at any point. Requests are queued and answered in
 * order; several are on the wire at once only where the server says PIPELINING.
 * A mail without a UIDL is named by the digest of its header.
 *
 * Lifetime: options are borrowed for the client's life; what an event points to
 * stays until the next call; names of mails until pop3_client_free().
 */
#ifndef IFAX_POP3_CLIENT_H
#define IFAX_POP3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define POP3_LIST_MAX	100000		/* mails; the rest of a mailbox waits for another session */
#define POP3_LINE_MAX	4096		/* octets of a status or list line */
#define POP3_LOOK_LINES	64		/* of a body, that pop3_client_look() asks for */
#define POP3_LOOK_MAX	(256u << 10)	/* octets of header and these lines; the rest is dropped */
#define POP3_UIDL_MAX	255		/* octets; RFC 1939 has 70 */

struct pop3_client;

enum pop3_tls {
	POP3_TLS_NONE,		/* never ask for it */
	POP3_TLS_REQUIRED,	/* or no password is sent */
};

struct pop3_client_options {
	const char *user;
	const char *password;
	enum pop3_tls tls;
	bool tls_active;	/* the stream is encrypted from its first byte */
	uint64_t max_message;	/* octets of a mail */
	bool no_scram;		/* with TLS: it was refused before, each time a failed log-in */
};

enum pop3_event_type {
	POP3_STARTTLS,		/* write the output, make the handshake, pop3_client_secured() */
	POP3_LISTED,		/* logged in: pop3_client_count(), _uidl(), _size() */
	POP3_DATA,		/* the next stretch of mail no. mail, dots unstuffed */
	POP3_HEAD,		/* header and first lines of mail no. mail are here */
	POP3_NO_HEAD,		/* the server does not give them: TOP is optional */
	POP3_MESSAGE,		/* mail no. mail is whole */
	POP3_SKIPPED,		/* mail no. mail is not to be had: text. What came of it is void */
	POP3_DELETED,		/* marked; for good after POP3_CLOSED */
	POP3_NOT_DELETED,	/* the server refused: text */
	POP3_CLOSED,		/* QUIT was confirmed: close the stream */
	POP3_FAILED,		/* the session is over: close the stream */
};

struct pop3_event {
	enum pop3_event_type type;
	size_t mail;		/* from 0 */
	const char *data;
	size_t len;
	bool login;		/* FAILED: the server refused name or password */
	bool too_large;		/* SKIPPED for that */
	bool cut;		/* HEAD: it goes on behind POP3_LOOK_MAX */
	const char *text;	/* a sentence for people, of SKIPPED, NOT_DELETED, FAILED */
};

/* -ENOMEM, -EINVAL: user or password cannot be sent. pop3_client_free(). */
int pop3_client_new(struct pop3_client **ret, const struct pop3_client_options *o);
void pop3_client_free(struct pop3_client *c);

/* False: all of *data is used and there is nothing to tell. *data may be empty. */
bool pop3_client_next(struct pop3_client *c, const char **data, size_t *len,
		      struct pop3_event *ev);
struct buffer *pop3_client_output(struct pop3_client *c);
/* SCRAM was offered, and refused before the password was heard of: no_scram the next time. */
bool pop3_client_scram_refused(const struct pop3_client *c);
/* Does the server owe an answer? RFC 1939 knows one time-out: ten minutes at the server's end. */
bool pop3_client_waiting(const struct pop3_client *c);

/* The handshake is done: all that was learnt before it is forgotten. */
int pop3_client_secured(struct pop3_client *c);

/* After POP3_LISTED. */
size_t pop3_client_count(const struct pop3_client *c);
const char *pop3_client_uidl(const struct pop3_client *c, size_t mail);
uint64_t pop3_client_size(const struct pop3_client *c, size_t mail);
/* Header and first lines of a mail, by TOP. -ERANGE, -EBUSY, -ENOMEM */
int pop3_client_look(struct pop3_client *c, size_t mail);
/* -ERANGE: no such mail, -EMSGSIZE: larger than max_message, -EBUSY: not at the time, -ENOMEM */
int pop3_client_fetch(struct pop3_client *c, size_t mail);
/* Only when the mail is stored. */
int pop3_client_delete(struct pop3_client *c, size_t mail);
/* After what is queued. The server deletes when it gets this, not before. */
int pop3_client_quit(struct pop3_client *c);
/* The stream broke, timed out, or its handshake failed: @why begins the sentence. */
void pop3_client_lost(struct pop3_client *c, const char *why);

#endif
