/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The envelope of a mail: what SMTP says beside the message (RFC 5321, and RFC
 * 3461 for the wishes about notices). One type for who receives, keeps and sends.
 *
 * An envelope and its recipients own their strings: envelope_free().
 */
#ifndef IFAX_MAIL_ENVELOPE_H
#define IFAX_MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 3461 4.1. 0: nothing was said, which means failure, and delay where it is our way. */
enum notify {
	NOTIFY_NEVER = 1,	/* alone */
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
};

/* RFC 3461 4.3: how much of the message comes back in a notice of failure. */
enum ret {
	RET_UNSAID,
	RET_FULL,
	RET_HDRS,
};

struct envelope_rcpt {
	char *address;		/* forward-path without brackets and route */
	char *user;		/* code of a user of this box; NULL: it goes on by SMTP */
	char *orcpt;		/* "rfc822;..." decoded from xtext; NULL: not said */
	unsigned int notify;	/* enum notify */
};

struct envelope {
	char *from;		/* reverse-path without brackets; "" is the null one */
	char *envid;		/* decoded from xtext; NULL: not said */
	enum ret ret;
	bool eight_bit;		/* BODY=8BITMIME was said */
	bool utf8;		/* SMTPUTF8 */
	uint64_t size;		/* as said by SIZE=, 0: not said */
	struct envelope_rcpt *rcpts;
	size_t n_rcpts;
};

/* -ENOMEM. The strings are copied; the new recipient is the last. */
int envelope_add(struct envelope *e, const struct envelope_rcpt *r);
/* Takes the last recipient back; there must be one. */
void envelope_drop(struct envelope *e);
/*
 * -ENOMEM. Lists and names may lead to the same mailbox: only its first recipient stays,
 * with the wishes of all. The order stays as it is.
 */
int envelope_unite(struct envelope *e);
/* -ENOMEM. @to is written over, and only where all of it could be copied. */
int envelope_copy(struct envelope *to, const struct envelope *from);
void envelope_free(struct envelope *e);		/* and clears it; a zeroed one is empty */

#endif
