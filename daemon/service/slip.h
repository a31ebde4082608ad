/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words on a slip about a kept mail, as a mail of text for the worker to set. */
#ifndef IFAX_SERVICE_SLIP_H
#define IFAX_SERVICE_SLIP_H

#include "base/buffer.h"
#include "store/store.h"

enum slip {
	SLIP_ARRIVED,	/* it came and is kept */
	SLIP_WARNING,	/* a day is left */
	SLIP_END,	/* its days are over and it was not printed */
	_SLIPS
};

const char *slip_name(enum slip what);		/* "arrived" ... */
/* What a slip about @job is called among jobs. */
const char *slip_subject(enum slip what);
/* Appends the mail. @u may be NULL: the user is gone. */
int slip_write(struct buffer *out, enum slip what, const struct job *job, const struct user *u,
	       const char *hostname);

#endif
