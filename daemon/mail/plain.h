/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of a mail as plain UTF-8: out of its character set, out of
 * format=flowed, without what only terminals have a use for. All of it is
 * linear in what it is given, and never fails on it.
 */
#ifndef IFAX_MAIL_PLAIN_H
#define IFAX_MAIL_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/*
 * Appends @len bytes of @charset (NULL: none is named) as UTF-8; what the set
 * does not have becomes U+FFFD. *@unknown: there is no such set here, so that
 * the text was taken for UTF-8, or windows-1252 where it is none. -ENOMEM, or
 * -EMSGSIZE beyond the buffer's limit.
 */
int plain_decode(const char *charset, const char *data, size_t len, struct buffer *out,
		 bool *unknown);

/*
 * Line ends become \n; control characters but tab and form feed go, and what is
 * blank at the end. Shrinks @text only.
 */
void plain_clean(struct buffer *text);
/* Nothing is there but blanks. */
bool plain_blank(const char *text, size_t len);

/*
 * RFC 3676: a paragraph becomes a line of @out, with "> " for each level of
 * quoting. @text has been cleaned. -ENOMEM, -EMSGSIZE.
 */
int plain_unflow(const char *text, size_t len, bool delsp, struct buffer *out);

#endif
