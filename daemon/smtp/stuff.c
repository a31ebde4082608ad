/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "smtp/stuff.h"

/* What of @s, @len can be sent as it stands: up to a line end that is none, or a dot to stuff. */
static size_t plain_length(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		const char *nl = memchr(s + i, '\n', len - i);
		const char *cr = memchr(s + i, '\r', nl ? (size_t)(nl - s) - i : len - i);

		if (!nl)
			return cr ? (size_t)(cr - s) : len;
		if (!cr || cr + 1 != nl)
			return cr ? (size_t)(cr - s) : (size_t)(nl - s);
		i = nl + 1 - s;
		if (i < len && s[i] == '.')
			return i;
	}
	return len;
}

/* Every line end goes out as CRLF, whichever half of it was there. */
static int end_line(struct smtp_stuffing *t, struct buffer *out)
{
	t->within = t->last_cr = false;
	return buffer_append(out, "\r\n", 2);
}

int smtp_stuff(struct smtp_stuffing *t, struct buffer *out, const void *data, size_t len)
{
	const char *s = data;
	int r = 0;

	while (len && r >= 0) {
		size_t n = 1;

		if (t->last_cr) {
			n = *s == '\n';
			r = end_line(t, out);
		} else if (*s == '\n') {
			r = end_line(t, out);
		} else if (*s == '\r') {
			t->last_cr = true;
		} else if (*s == '.' && !t->within) {
			t->within = true;
			r = buffer_append(out, "..", 2);
		} else {
			n = plain_length(s, len);
			t->within = s[n - 1] != '\n';
			r = buffer_append(out, s, n);
		}
		s += n;
		len -= n;
	}
	return r;
}

int smtp_stuff_end(struct smtp_stuffing *t, struct buffer *out)
{
	return t->within || t->last_cr ? end_line(t, out) : 0;
}
