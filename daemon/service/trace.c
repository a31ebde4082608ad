/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "service/trace.h"

/* A header line has no limit worth a name of this length. */
#define HELO_MAX 255

/* RFC 3848 and RFC 6531 4.3: how it came. */
static void protocol(const struct trace *t, char with[16])
{
	if (!t->ehlo)
		strcpy(with, "SMTP");
	else
		snprintf(with, 16, "%sSMTP%s%s", t->utf8 ? "UTF8" : "E", t->tls ? "S" : "",
			 t->authenticated ? "A" : "");
}

/* Nothing that could end a comment, a field or a line, and ASCII, as names of hosts are. */
static void clean_name(const char *name, char text[HELO_MAX + 1])
{
	size_t n = 0;

	for (; name && *name && n < HELO_MAX; name++, n++) {
		unsigned char c = (unsigned char)*name;

		text[n] = c <= ' ' || c >= 0x7f || strchr("()<>\\\";,", c) ? '?' : *name;
	}
	text[n] = '\0';
	if (!n)
		strcpy(text, "unknown");
}

/* In English, whatever the locale. */
static void date(uint64_t usec, char text[48])
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)(usec / 1000000);
	struct tm tm = { 0 };
	char zone[8] = "+0000";

	if (localtime_r(&t, &tm))
		strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(text, 48, "%s, %02d %s %d %02d:%02d:%02d %s", days[tm.tm_wday], tm.tm_mday,
		 months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, zone);
}

int trace_received(struct buffer *b, const struct trace *t)
{
	char helo[HELO_MAX + 1], with[16], when[48];
	int r;

	clean_name(t->helo, helo);
	protocol(t, with);
	date(t->usec, when);
	r = buffer_printf(b, "Received: from %s ([%s%s])\r\n\tby %s (ifax " IFAX_VERSION ")", helo,
			  strchr(t->peer, ':') ? "IPv6:" : "", t->peer, t->by);
	if (r >= 0 && t->tls)
		r = buffer_printf(b, " (using %s)", t->tls);
	if (r >= 0)
		r = buffer_printf(b, "\r\n\tvia TCP with %s id %llX", with,
				  (unsigned long long)t->id);
	if (r >= 0 && t->rcpt)
		r = buffer_printf(b, "\r\n\tfor <%s>", t->rcpt);
	return r < 0 ? r : buffer_printf(b, "; %s\r\n", when);
}

int trace_return_path(struct buffer *b, const char *from)
{
	return buffer_printf(b, "Return-Path: <%s>\r\n", from);
}

/* The end of the line of the header at @p, behind its LF; NULL: the header ends here. */
static const char *next_line(const char *p, const char *end)
{
	const char *nl = p < end ? memchr(p, '\n', end - p) : NULL;

	if (!nl || nl == p || (nl == p + 1 && *p == '\r'))
		return NULL;
	return nl + 1;
}

static bool begins(const char *p, const char *next, const char *name)
{
	size_t len = strlen(name);

	return (size_t)(next - p) > len && !strncasecmp(p, name, len);
}

unsigned int trace_hops(const char *mail, size_t len, unsigned int max)
{
	const char *end = mail + len, *next;
	unsigned int n = 0;

	for (const char *p = mail; n <= max && (next = next_line(p, end)); p = next)
		n += begins(p, next, "Received:");
	return n;
}

/* "<...>" of what may stand in it (RFC 5322 3.6.4), from the field's lines. */
static bool take_id(const char *p, const char *end, char id[TRACE_MESSAGE_ID])
{
	size_t n = 0;

	p = memchr(p, '<', end - p);
	for (; p && p < end && n < TRACE_MESSAGE_ID - 1; p++) {
		if (*p <= ' ' || *p >= 0x7f || (n && *p == '<'))
			return false;
		id[n++] = *p;
		if (*p == '>') {
			id[n] = '\0';
			return n > 2;
		}
	}
	return false;
}

bool trace_message_id(const char *mail, size_t len, char id[TRACE_MESSAGE_ID])
{
	static const char name[] = "Message-ID:";
	const char *end = mail + len, *next, *fold;

	for (const char *p = mail; (next = next_line(p, end)); p = next) {
		if (!begins(p, next, name))
			continue;
		while (next < end && (*next == ' ' || *next == '\t') &&
		       (fold = next_line(next, end)))
			next = fold;
		return take_id(p + sizeof(name) - 1, next, id);
	}
	return false;
}
