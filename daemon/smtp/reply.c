/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "smtp/reply.h"

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Octets of an enhanced status code of class @class at the start of @s, 0 = there is none. */
static size_t enhanced_length(const char *s, size_t len, int class)
{
	size_t i = 1;

	if (len < 5 || s[0] != '0' + class || class == 3)
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t n = 0;

		if (i >= len || s[i++] != '.')
			return 0;
		while (n < 3 && i < len && digit(s[i]))
			i++, n++;
		if (!n)
			return 0;
	}
	return i == len || s[i] == ' ' ? i : 0;
}

static void keep_text(struct smtp_reply *r, unsigned int line, const char *s, size_t len)
{
	size_t have = strlen(r->text), room = sizeof(r->text) - 1 - have;

	if (line && room) {
		r->text[have++] = '\n';
		room--;
	}
	if (len > room)
		len = room;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = s[i];

		r->text[have++] = c >= 0x80 ? '?' : c < ' ' || c == 0x7f ? ' ' : c;
	}
	r->text[have] = '\0';
}

/* One line is whole: 1 = and it is the last of its reply. */
static int end_line(struct smtp_reply_parser *p)
{
	struct smtp_reply *r = &p->reply;
	const char *s = p->line;
	size_t n = p->kept, skip;
	int code;

	if (n < 3 || s[0] < '2' || s[0] > '5' || !digit(s[1]) || !digit(s[2]))
		return -EPROTO;
	if (n > 3 && s[3] != ' ' && s[3] != '-')
		return -EPROTO;
	code = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
	if (p->lines && code != r->code)
		return -EPROTO;
	r->code = code;

	s += n > 3 ? 4 : 3;
	n -= n > 3 ? 4 : 3;
	skip = enhanced_length(s, n, code / 100);
	if (skip) {
		memcpy(r->enhanced, s, skip);
		r->enhanced[skip] = '\0';
		skip += skip < n;
	}
	keep_text(r, p->lines, s + skip, n - skip);

	if (++p->lines > SMTP_REPLY_LINES_MAX)
		return -EPROTO;
	p->complete = !(p->kept > 3 && p->line[3] == '-');
	p->kept = p->seen = 0;
	return p->complete;
}

static int take_octet(struct smtp_reply_parser *p, char c)
{
	if (p->cr) {
		p->cr = false;
		return c == '\n' ? end_line(p) : -EPROTO;
	}
	if (c == '\r') {
		p->cr = true;
		return 0;
	}
	if (c == '\n' || c == '\0' || ++p->seen > SMTP_REPLY_LINE_MAX)
		return -EPROTO;
	if (p->kept < sizeof(p->line))
		p->line[p->kept++] = c;
	return 0;
}

int smtp_reply_feed(struct smtp_reply_parser *p, const char **data, size_t *len)
{
	while (*len) {
		int r;

		if (p->complete) {
			p->reply.code = 0;
			p->reply.enhanced[0] = p->reply.text[0] = '\0';
			p->lines = 0;
			p->complete = false;
		}
		r = take_octet(p, **data);
		++*data;
		--*len;
		if (r)
			return r;
	}
	return 0;
}
