/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mail that carries a document: RFC 5322 and MIME, the look of an Internet
 * fax (a text part, then the pages as image/tiff). Built whole, with CRLF line
 * ends and lines of no more than 76 characters, ready for the spool and for
 * DATA but for dot stuffing.
 */
#ifndef IFAX_MAIL_MESSAGE_H
#define IFAX_MAIL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* Both say the same; some Internet faxes know the look of their own kind best. */
enum message_style {
	MESSAGE_PLAIN,
	MESSAGE_PANASONIC,	/* their order and spelling of fields, their kind of boundary */
};

#define MESSAGE_PANASONIC_SUBJECT "IMAGE from Internet FAX"	/* where nobody chose one */

/* All strings are UTF-8, the caller's, and only read. */
struct message_spec {
	enum message_style style;
	const char *from;		/* address */
	const char *from_name;		/* display name; NULL = none */
	const char *const *to;		/* addresses, at least one */
	size_t n_to;
	const char *subject;
	const char *message_id;		/* with angle brackets, see message_id_make() */
	uint64_t date;			/* microseconds since the epoch */
	const char *text;		/* of the first part */
	const char *filename;		/* of the attachment, "fax.tif" */
	const void *tiff;		/* the file */
	size_t tiff_len;
};

/*
 * Appends the message to @out. -EINVAL: an address that is none, or a line end
 * or control character in what becomes a header.
 */
int message_build(const struct message_spec *s, struct buffer *out, struct error *e);

/*
 * Whether @s may stand in a header, as it may in what message_build() is given:
 * UTF-8, no controls, no more than 500 bytes. GMime folds and encodes it, but
 * refuses nothing. @what names it in the sentence.
 */
int message_check_text(const char *what, const char *s, struct error *e);
/* Whether @s is a Message-ID with its angle brackets. */
int message_check_id(const char *s, struct error *e);

/* "<...@host>", unique; the caller's to free. NULL: out of memory. */
char *message_id_make(const char *host);

#endif
