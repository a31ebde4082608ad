/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>

#include "pop3/octets.h"

/* Octets of @s that are the message's own, up to a line that begins with a dot. */
static size_t stretch(const char *s, size_t len, enum pop3_place *place)
{
	bool cr = *place == POP3_AFTER_CR;
	size_t i = 0;

	while (i < len) {
		const char *nl = memchr(s + i, '\n', len - i);

		if (!nl) {
			*place = s[len - 1] == '\r' ? POP3_AFTER_CR : POP3_WITHIN;
			return len;
		}
		if (nl > s)
			cr = nl[-1] == '\r';
		i = nl + 1 - s;
		if (cr && (i == len || s[i] == '.')) {
			*place = POP3_LINE_START;
			return i;
		}
		cr = false;
	}
	*place = POP3_WITHIN;
	return len;
}

enum pop3_octets_result pop3_octets_take(struct pop3_octets *p, const char **data, size_t *len,
					 const char **ret, size_t *n)
{
	while (*len) {
		char o = **data;

		switch (p->place) {
		case POP3_LINE_START:
			p->place = o == '.' ? POP3_AFTER_DOT : POP3_WITHIN;
			if (o != '.')
				continue;
			break;
		case POP3_AFTER_DOT:
			p->place = o == '\r' ? POP3_AFTER_DOT_CR : POP3_WITHIN;
			if (o != '\r')
				continue;
			break;
		case POP3_AFTER_DOT_CR:
			if (o != '\n') {
				p->place = POP3_AFTER_CR;
				*ret = "\r";
				*n = 1;
				return POP3_OCTETS_STRETCH;
			}
			++*data;
			--*len;
			return POP3_OCTETS_END;
		case POP3_WITHIN:
		case POP3_AFTER_CR:
			*n = stretch(*data, *len, &p->place);
			*ret = *data;
			*data += *n;
			*len -= *n;
			return POP3_OCTETS_STRETCH;
		}
		++*data;
		--*len;
	}
	return POP3_OCTETS_MORE;
}
