/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>

#include <glib.h>

#include "base/cleanup.h"
#include "mail/text.h"

void text_copy(char *dst, size_t size, const char *s)
{
	_free_ char *valid = s ? g_utf8_make_valid(s, -1) : NULL;
	size_t n = 0;

	for (const char *p = valid; p && *p;) {
		const char *next = g_utf8_next_char(p);
		size_t len = next - p;

		if (n + len >= size)
			break;
		if (g_unichar_iscntrl(g_utf8_get_char(p)))
			dst[n++] = ' ';
		else {
			memcpy(dst + n, p, len);
			n += len;
		}
		p = next;
	}
	dst[n] = '\0';
}

void text_end(char *s, size_t size)
{
	bool utf8;

	s[size - 1] = '\0';
	utf8 = g_utf8_validate(s, -1, NULL);
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
		else if (!utf8 && (unsigned char)*s >= 0x80)
			*s = '?';
}
