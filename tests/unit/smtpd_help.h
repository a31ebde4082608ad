/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A policy for the receiver of SMTP that needs no table of its own: a local part (or
 * a name to look up) that begins with three digits is answered by that code, anything
 * else by the engine's own words, unless answers say otherwise. What was said and what
 * was told is written down; smtpd_over() frees it.
 */
#ifndef IFAX_TESTS_SMTPD_HELP_H
#define IFAX_TESTS_SMTPD_HELP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "smtp/server.h"

struct smtpd_answer {
	const char *about;	/* mailbox, or name of VRFY, EXPN, HELO; NULL ends the list */
	int code;
	const char *text;
};

struct smtpd {
	struct smtp_server *s;
	const struct smtpd_answer *answers;
	const struct scram_verifier *verifier;	/* of the user "fred"; nobody else is there */
	bool late;		/* answers come after smtp_server_next() has returned false */
	bool wait_tls;		/* the handshake is left to the test */
	bool waiting, closed;
	struct smtp_server_event pending;
	struct buffer out;	/* all that the client got */
	struct buffer told;	/* one line for each event; bodies stand at the end of their mail */
	struct buffer body;
};

int smtpd_start(struct smtpd *t, const struct smtp_server_options *o);
/* What the client sends; the rest is dropped once the session is over. */
void smtpd_feed(struct smtpd *t, const char *data, size_t len);
void smtpd_say(struct smtpd *t, const char *text);
void smtpd_over(struct smtpd *t);
/* The replies so far, each as "code" or "code enhanced", parted by ", ". */
void smtpd_summary(const struct smtpd *t, struct buffer *to);

#endif
