/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is a mail common text, or does it bring something else? A scan of the Content-Type
 * fields line by line, without a parser's memory: it decides only whether a mail is
 * fetched. Where it cannot tell, it says "other", for a fax must not be left behind.
 */
#ifndef IFAX_MAIL_FORM_H
#define IFAX_MAIL_FORM_H

#include <stdbool.h>
#include <stddef.h>

enum mail_form {
	MAIL_FORM_TEXT,		/* text in all of its parts, signed perhaps */
	MAIL_FORM_OTHER,
	MAIL_FORM_OPEN,		/* text as far as it goes, but more of it follows */
};

/* Header and the first lines of the body, CRLF or LF; @whole: nothing follows. */
enum mail_form mail_form(const char *mail, size_t len, bool whole);
/*
 * Is the whole of it encrypted, by its Content-Type: OpenPGP/MIME, or S/MIME that says so?
 * Where it cannot tell, it says no, for a mail in the clear must not pass for another.
 */
bool mail_is_encrypted(const char *mail, size_t len);

#endif
