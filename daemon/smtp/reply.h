/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Server replies of RFC 5321, 4.2, as a pure parser: bytes in, one whole reply
 * out, multi-line ones joined. A zeroed parser is ready. Nothing to free.
 *
 * A line ends with CRLF and nothing else; a line that has no code, a bare CR or
 * LF, a NUL, or a code unlike that of the line before is refused. Of a line 512
 * octets are kept, up to SMTP_REPLY_LINE_MAX are borne; bytes beyond ASCII
 * become '?', so that the text can go anywhere.
 */
#ifndef IFAX_SMTP_REPLY_H
#define IFAX_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#define SMTP_REPLY_LINE_KEPT	512
#define SMTP_REPLY_LINE_MAX	4096
#define SMTP_REPLY_LINES_MAX	128
#define SMTP_REPLY_TEXT_MAX	2048

struct smtp_reply {
	int code;			/* 200 to 599 */
	char enhanced[12];		/* "5.1.1" (RFC 3463), or empty */
	char text[SMTP_REPLY_TEXT_MAX];	/* lines joined by '\n', without codes */
};

struct smtp_reply_parser {
	struct smtp_reply reply;
	char line[SMTP_REPLY_LINE_KEPT];
	size_t kept;			/* octets in line */
	size_t seen;			/* octets of this line on the wire */
	unsigned int lines;		/* of this reply, so far */
	bool cr;			/* the last octet was CR */
	bool complete;			/* reply is whole; the next octet starts another */
};

/*
 * Takes octets from *data until a reply is whole, moving *data and *len on.
 * 1: p->reply is whole and stays until the next call; 0: all taken, more is
 * needed; -EPROTO: this is no SMTP reply.
 */
int smtp_reply_feed(struct smtp_reply_parser *p, const char **data, size_t *len);

/* The kind of a reply: its first digit, 2 to 5. */
static inline int smtp_reply_class(const struct smtp_reply *r)
{
	return r->code / 100;
}

#endif
