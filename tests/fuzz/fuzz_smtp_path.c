/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths out of any octets. What is taken stands whole in the result, its parts are
 * parts of it, and it can go into a command again: it reads the same there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct smtp_path *p, bool utf8)
{
	char text[SMTP_PATH_MAX + 3];
	const char *s = text;
	struct smtp_path again;
	size_t len = strlen(p->text) + 2;

	text[0] = '<';
	memcpy(text + 1, p->text, len - 2);
	text[len - 1] = '>';
	if (smtp_path_parse(&s, &len, utf8, &again, NULL) < 0 || len ||
	    strcmp(again.text, p->text) || strcmp(again.mailbox, p->mailbox) ||
	    again.n_hops != p->n_hops || !again.domain != !p->domain)
		abort();
}

static void check(const struct smtp_path *p, const uint8_t *data, size_t taken, bool utf8)
{
	size_t len = strlen(p->text);

	if (len + 2 != taken || memcmp(p->text, data + 1, len) ||
	    p->mailbox < p->text || p->mailbox > p->text + len)
		abort();
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p->text[i] < ' ' || p->text[i] == 0x7f ||
		    (!utf8 && p->text[i] & 0x80))
			abort();
	if (p->domain && (p->domain <= p->mailbox || p->domain[-1] != '@' ||
			  !smtp_domain_valid(p->domain, strlen(p->domain), utf8)))
		abort();
	check_again(p, utf8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_path p;
	const char *s;
	size_t len;
	bool utf8;

	if (!size)
		return 0;
	utf8 = data[0] & 1;
	s = (const char *)++data;
	len = --size;
	if (smtp_path_parse(&s, &len, utf8, &p, NULL) == 0)
		check(&p, data, size - len, utf8);
	else if (len != size || s != (const char *)data)
		abort();
	return 0;
}
