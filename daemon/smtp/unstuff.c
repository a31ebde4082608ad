/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "smtp/unstuff.h"

enum place {
	START,		/* of a line */
	WITHIN,
	CR,		/* behind a CR of the text */
	DOT,		/* behind a dot at the start of a line, which is no text yet */
	DOT_CR,		/* behind that and a CR */
};

/* A line up to and with its CRLF, as long as it is whole and sound; else 0. */
static size_t sound_line(const char *s, size_t len)
{
	const char *nl = memchr(s, '\n', len);

	if (!nl || nl == s || memchr(s, '\r', nl - s) != nl - 1)
		return 0;
	return nl + 1 - s;
}

/* Whole lines from a line's start on, none of which begins with a dot. */
static size_t sound_lines(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] != '.') {
		size_t line = sound_line(s + n, len - n);

		if (!line)
			break;
		n += line;
	}
	return n;
}

/*
 * Goes on to the next CR or LF. Once there is a fault bare CRs are not looked for
 * any more: each of them would have the rest searched for an LF again.
 */
static size_t to_line_end(struct smtp_unstuffing *u, const char *s, size_t len)
{
	const char *nl = memchr(s, '\n', len);
	size_t n = nl ? (size_t)(nl - s) : len;
	const char *cr = u->fault ? NULL : memchr(s, '\r', n);

	if (cr)
		n = cr - s;
	if (n)
		u->place = s[n - 1] == '\r' ? CR : WITHIN;
	return n;
}

/* One octet in or about a line end. */
static void step(struct smtp_unstuffing *u, char c)
{
	if (u->place == CR) {
		u->fault |= c != '\n';
		u->place = c == '\n' ? START : c == '\r' ? CR : WITHIN;
	} else {
		u->fault |= c == '\n';
		u->place = c == '\r' ? CR : WITHIN;
	}
}

/* Text from where no dot is in doubt; stops before the next line's dot, if @dots count. */
static size_t walk(struct smtp_unstuffing *u, const char *s, size_t len, bool dots)
{
	size_t n = 0;

	while (n < len) {
		if (u->place == START) {
			n += sound_lines(s + n, len - n);
			if (n == len || (dots && s[n] == '.'))
				break;
		}
		if (u->place != CR)
			n += to_line_end(u, s + n, len - n);
		if (n < len)
			step(u, s[n++]);
	}
	u->fault |= n && memchr(s, '\0', n);
	return n;
}

/* One octet behind a line's first dot: true if it is taken and no text. */
static bool behind_dot(struct smtp_unstuffing *u, char c)
{
	if (u->place == DOT && c == '\r') {
		u->place = DOT_CR;
		return true;
	}
	if (u->place == DOT_CR && c == '\n') {
		u->ended = true;
		return true;
	}
	/* The dot was stuffing; a CR behind it is as bare as any that walk() finds. */
	u->place = u->place == DOT_CR ? CR : WITHIN;
	return false;
}

static void advance(const char **data, size_t *len, size_t n)
{
	*data += n;
	*len -= n;
}

size_t smtp_unstuff(struct smtp_unstuffing *u, const char **data, size_t *len, const char **text)
{
	while (*len && !u->ended) {
		size_t n;

		if (u->place == DOT || u->place == DOT_CR) {
			if (behind_dot(u, **data))
				advance(data, len, 1);
			continue;
		}
		*text = *data;
		n = walk(u, *data, *len, true);
		advance(data, len, n);
		if (n)
			return n;
		u->place = DOT;
		advance(data, len, 1);
	}
	return 0;
}

void smtp_unstuff_chunk(struct smtp_unstuffing *u, const char *data, size_t len)
{
	size_t n = 0;

	/* A line that begins with a dot is walked like any other. */
	while (n < len)
		n += walk(u, data + n, len - n, false);
}

void smtp_unstuff_last(struct smtp_unstuffing *u)
{
	u->fault |= u->place == CR;
}
