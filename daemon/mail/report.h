/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reports about mails that were sent from here: delivery status notifications
 * (RFC 3464) and message disposition notifications (RFC 8098). For the worker
 * only, it parses what strangers wrote.
 *
 * Texts are UTF-8 without control characters, cut where too long, empty where
 * missing.
 */
#ifndef IFAX_MAIL_REPORT_H
#define IFAX_MAIL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_RCPTS 32		/* that are told of; further ones are left out */

enum report_kind {
	REPORT_NONE,
	REPORT_DELIVERY,
	REPORT_DISPOSITION,
};

enum report_action {
	REPORT_UNKNOWN,
	REPORT_FAILED,		/* MDN: processed or displayed with an error, or deleted unread */
	REPORT_DELAYED,
	REPORT_DELIVERED,	/* MDN: displayed, dispatched or processed */
	REPORT_RELAYED,
	REPORT_EXPANDED,
	_REPORT_ACTIONS
};

struct report_rcpt {
	char address[256];	/* Final-Recipient without its type */
	char original[256];	/* Original-Recipient without its type */
	char diagnostic[256];
	char status[12];
	uint32_t action;	/* enum report_action */
};

/* A plain value: nothing to free. Zeroed is none. */
struct report {
	uint32_t kind;			/* enum report_kind */
	uint32_t n_rcpts;
	char envid[128];		/* Original-Envelope-Id */
	char message_id[256];		/* of the mail that it is about, with angle brackets */
	struct report_rcpt rcpts[REPORT_RCPTS];
};

/*
 * Takes a message/delivery-status or message/disposition-notification part, CRLF
 * or LF lines, folded fields and all. Unknown fields are passed over, so nothing
 * can be wrong with it; fields that are not there stay empty.
 */
void report_parse_status(const char *text, size_t len, enum report_kind kind, struct report *ret);
/* The Message-ID among header fields, for the part that brings the mail's own back. */
void report_parse_header(const char *text, size_t len, struct report *ret);
/* What a stranger's process handed over: ends every text, bounds every number. */
void report_check(struct report *r);

#endif
