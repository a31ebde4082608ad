/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sending: from "put the original in and press start" to a document that is
 * durably queued. The job exists from the request on; its document, a whole
 * message, is attached when the last page is scanned.
 *
 * Recipients who take it in the clear, by OpenPGP and by S/MIME get a job each, as
 * each gets a mail of his own; what lies in the feeder is scanned once for all. What
 * cannot be encrypted when it is scanned is kept: service/unsealed.h.
 */
#ifndef IFAX_SERVICE_SENDING_H
#define IFAX_SERVICE_SENDING_H

#include "service/box.h"

#define SENDING_JOBS_MAX 3	/* of one request */

struct sending;

/* Borrowed for the call. */
struct send_request {
	const char *user;		/* code */
	char **to;			/* NULL-terminated; NULL: none */
	const char *subject;		/* NULL: the configured words */
	const char *resolution;		/* NULL, "standard", "fine" or "superfine" */
	const char *board;		/* serial, NULL: any that has a scanner */
	int receipt;			/* a notice of delivery is asked for (RFC 3461) */
};

int sending_new(struct sending **ret, struct box *box, struct error *e);
void sending_free(struct sending *s);
/* How many jobs there are of it, their numbers in @ids. */
int sending_request(struct sending *s, const struct send_request *r,
		    uint64_t ids[SENDING_JOBS_MAX], struct error *e);
/* Job @id, whose scan waits to be encrypted, is to be tried now. */
void sending_wake(struct sending *s, uint64_t id);
/* Stops scanning for a job, and so for all of its request. -ENOENT: not scanning for it. */
int sending_cancel(struct sending *s, uint64_t id);

#endif
