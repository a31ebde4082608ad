/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may do what at the SMTP receiver, and to whom a recipient leads: decisions
 * alone, from the configuration and the directory, without a session's I/O.
 */
#ifndef IFAX_SERVICE_RECEIVER_POLICY_H
#define IFAX_SERVICE_RECEIVER_POLICY_H

#include <sys/socket.h>

#include "base/buffer.h"
#include "mail/envelope.h"
#include "service/box.h"
#include "smtp/path.h"
#include "smtp/server.h"

/* Who asks. Borrowed. */
struct policy_peer {
	const struct sockaddr_storage *local;	/* where he came to: our address literal */
	const char *user;			/* code of who logged in, NULL: nobody */
	bool permitted;				/* he comes from a permitted network */
	bool scarce;				/* there is no room for mail that would be kept */
};

/* A reply: code 0 is the engine's own positive words. buffer_free(&text). */
struct verdict {
	int code;
	const char *enhanced;
	struct buffer text;
};

/* May this reverse-path be used? On success the envelope's is as it goes on. */
void policy_mail(struct box *box, const struct policy_peer *peer, const struct smtp_path *path,
		 struct envelope *env, struct verdict *v);
/*
 * Takes or refuses the envelope's last recipient, and puts in his place the users,
 * addresses or the route that he leads to. Refused, the envelope is as it was.
 */
void policy_rcpt(struct box *box, const struct policy_peer *peer, const struct smtp_path *path,
		 enum smtp_how how, struct envelope *env, struct verdict *v);
/* May this text, header and body, go to whom the envelope names? */
void policy_text(struct box *box, const struct envelope *env, const char *text, size_t len,
		 struct verdict *v);
void policy_vrfy(struct box *box, const struct policy_peer *peer, const char *argument,
		 struct verdict *v);
void policy_expn(struct box *box, const struct policy_peer *peer, const char *argument,
		 struct verdict *v);

/* May the peer, who calls himself @helo, change the roles? On success he is @helo's host. */
void policy_turn(struct box *box, const struct policy_peer *peer, const char *helo,
		 struct verdict *v);

/* Fills in a verdict; out of memory it is a 451. */
void verdict_set(struct verdict *v, int code, const char *enhanced, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
