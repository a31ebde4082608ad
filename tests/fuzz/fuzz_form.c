// SPDX-License-Identifier: LGPL-2.1-or-later
/* Any bytes as a mail's beginning: what is text as a whole was never something else before. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a byte read behind it is seen. */
	char *mail = malloc(size + !size);
	enum mail_form whole, part;

	if (!mail)
		return 0;
	memcpy(mail, data, size);
	whole = mail_form(mail, size, true);
	part = mail_form(mail, size, false);
	if (whole == MAIL_FORM_OPEN || (whole == MAIL_FORM_OTHER) != (part == MAIL_FORM_OTHER))
		abort();
	/* A mail of text is not encrypted. */
	if (mail_is_encrypted(mail, size) && whole == MAIL_FORM_TEXT)
		abort();
	free(mail);
	return 0;
}
