/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A message as it comes over the wire (RFC 5321 4.5.2): its end is found, doubled
 * dots are undone. A zeroed struct is ready. Nothing to free.
 *
 * The end is CRLF.CRLF (at the very start .CRLF) and nothing else. Within the text
 * a CR without LF, an LF without CR and a NUL are faults (RFC 5321 2.3.8, 4.1.1.4;
 * RFC 5322 2.2, 4): no repair means the same to every server a message passes, and
 * what they read differently is how one message is made to look like two. A line
 * may be of any length.
 */
#ifndef IFAX_SMTP_UNSTUFF_H
#define IFAX_SMTP_UNSTUFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_unstuffing {
	uint8_t place;		/* within the line; private */
	bool fault;		/* the text so far breaks the rule above */
	bool ended;		/* the end was seen */
};

/*
 * Takes octets from *data. Returns the length of the next stretch of text, which
 * @text points to (into *data), 0: all is taken, or the end is reached. After a
 * fault stretches may be told or not; only the end is still of use.
 */
size_t smtp_unstuff(struct smtp_unstuffing *u, const char **data, size_t *len, const char **text);

/* Text that came by BDAT, without dots and end: only looks for faults. */
void smtp_unstuff_chunk(struct smtp_unstuffing *u, const char *data, size_t len);
/* The last chunk is through: a CR at its end is bare. */
void smtp_unstuff_last(struct smtp_unstuffing *u);

#endif
