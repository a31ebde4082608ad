/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to a mail server and the messages that go over it: the SMTP engine
 * on a stream.
 *
 *	smtp_session_send() ... before_dot() -> smtp_session_go_on() ... done()
 *	[ready() ... smtp_session_next() ... done()]... smtp_session_quit() or closed()
 *
 * smtp_session_follow() names the next message before the dot of the one in hand: then
 * it has its before_dot() and done() after the other's done(), without a ready() between.
 *
 * It is opened with its first message. Where the caller has no ready(), done() ends
 * it: saying goodbye to the server goes on by itself. Else the session stays the
 * caller's handle until closed() was called or the caller has it quit or cancels
 * it; exactly one of the three happens. Nothing is called back from within
 * smtp_session_send(). Options are borrowed until then, the envelope, its strings
 * and the body's descriptor until done().
 *
 * Recipients that a server wants in another transaction get it, on the same
 * connection, with a before_dot() of its own. Of a domain's hosts (mx) the next
 * is tried as long as none has heard of the message.
 */
#ifndef IFAX_NET_SMTP_SESSION_H
#define IFAX_NET_SMTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/extent.h"
#include "net/stream.h"
#include "net/tls.h"
#include "smtp/client.h"

struct smtp_session;

enum smtp_result {
	SMTP_RESULT_ACCEPTED,		/* the server has it */
	SMTP_RESULT_REFUSED,		/* for good */
	SMTP_RESULT_TRANSIENT,		/* try again later */
	SMTP_RESULT_IN_DOUBT,		/* all was sent, no answer came: may have been taken */
	SMTP_RESULT_CANNOT_CONNECT,	/* no server was reached; try again later */
};

struct smtp_session_options {
	const char *host;	/* server, or mail domain where mx is set; address literals too */
	uint16_t port;		/* 0: 25, or 465 with NET_TLS_IMPLICIT */
	bool mx;
	enum net_tls tls;
	const char *ca_file;	/* trust these instead of the system's; NULL */
	const char *dns;	/* name servers instead of the system's; NULL */
	const char *helo;	/* our own name */
	const char *user;	/* NULL: no AUTH */
	const char *password;
	uint64_t timeout_usec;	/* of each wait; 0: those of RFC 5321, 4.5.3.2 */
};

/* Of a recipient; text stays until done() returns. */
struct smtp_session_verdict {
	enum smtp_result result;
	char enhanced[12];	/* status code of RFC 3463, or empty */
	const char *text;	/* a sentence: what the server said, or what went wrong */
};

/* Whose fault it is that a message was not sent. */
enum smtp_blame {
	SMTP_BLAME_MESSAGE,	/* its own, or a recipient's; or all went well */
	SMTP_BLAME_HOST,	/* no host heard of it, or it fell silent: so may the next fare */
	SMTP_BLAME_LOGIN,	/* the same, for it refused user or password for good */
	SMTP_BLAME_LINE,	/* the line was used for others before and broke: not a try */
};

struct smtp_session_outcome {
	/*
	 * Of all recipients together: IN_DOUBT if it is so for any, else ACCEPTED if
	 * anyone's was, else TRANSIENT (or CANNOT_CONNECT) if any may be tried again,
	 * else REFUSED. rcpts says it for each, in the envelope's order.
	 */
	enum smtp_result result;
	enum smtp_blame blame;
	const char *text;
	const char *host;	/* that spoke last; NULL: none was found */
	bool dsn;		/* it takes wishes about notices on */
	const struct smtp_session_verdict *rcpts;
	size_t n_rcpts;
};

struct smtp_session_callbacks {
	/*
	 * All but the final dot and, at most, the 60 KiB before it, is on its way to the
	 * server; that it cannot take the message for whole. Journal it, then call
	 * smtp_session_go_on(), from within or later, unless done() comes before (the
	 * server hung up). NULL: goes on at once.
	 */
	void (*before_dot)(void *userdata, struct smtp_session *s);
	/* The session may be canceled from within. */
	void (*done)(void *userdata, const struct smtp_session_outcome *o);
	/* The line is fit for another message, now or later. */
	void (*ready)(void *userdata, struct smtp_session *s);
	void (*closed)(void *userdata);
};

/* @body: CRLF lines; its length is told to the server. */
int smtp_session_send(struct smtp_session **ret, sd_event *event,
		      const struct smtp_session_options *o, const struct envelope *e,
		      const struct extent *body,
		      const struct smtp_session_callbacks *callbacks, void *userdata,
		      struct error *err);
/*
 * The same on a line on which the other side has just become the server (RFC 821 3.8),
 * so that its greeting comes next, and ready() after it, which must be there. Of @o
 * host, helo and timeout_usec count. @stream is the session's; after an error it is not.
 */
int smtp_session_adopt(struct smtp_session **ret, sd_event *event,
		       const struct smtp_session_options *o, struct net_stream *stream,
		       const struct smtp_session_callbacks *callbacks, void *userdata,
		       struct error *err);
/* After ready(): one more message. -EBUSY: one is under way. */
int smtp_session_next(struct smtp_session *s, const struct envelope *e,
		      const struct extent *body, struct error *err);
/*
 * From before_dot() until smtp_session_go_on(): the message that comes after the one in
 * hand, whose envelope is sent along with the dot. If the line ends first, done() says of
 * it what is said of a line that broke (SMTP_BLAME_LINE). -EBUSY: it must wait for ready(),
 * as the other function would have told.
 */
int smtp_session_follow(struct smtp_session *s, const struct envelope *e,
			const struct extent *body, struct error *err);
bool smtp_session_may_follow(const struct smtp_session *s);
/* After ready(), with nothing under way: leaves politely; nothing more is told. */
void smtp_session_quit(struct smtp_session *s);
/* @r below 0: the message is not to be sent after all; done() says TRANSIENT. */
void smtp_session_go_on(struct smtp_session *s, int r);
/* Drops the line; nothing more is told. Before the dot the server will forget the message. */
void smtp_session_cancel(struct smtp_session *s);	/* NULL is fine */

const char *smtp_result_name(enum smtp_result r);

#endif
