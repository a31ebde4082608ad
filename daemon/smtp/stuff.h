/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A message as it goes over the wire (RFC 5321, 4.5.2): dots at the start of
 * lines doubled. A bare CR or LF becomes CRLF, for neither may be sent and a
 * server that takes one for a line end could be made to see an end that is none.
 * A zeroed struct is ready. Nothing to free.
 */
#ifndef IFAX_SMTP_STUFF_H
#define IFAX_SMTP_STUFF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct smtp_stuffing {
	bool within;		/* a line; else at the start of one */
	bool last_cr;		/* a CR is held back until what follows is seen */
};

/* Appends @data to @out; -ENOMEM or -EMSGSIZE of the buffer. */
int smtp_stuff(struct smtp_stuffing *t, struct buffer *out, const void *data, size_t len);
/* Ends the last line where it is open; the final dot is not added. */
int smtp_stuff_end(struct smtp_stuffing *t, struct buffer *out);

#endif
