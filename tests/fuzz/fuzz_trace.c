/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is written above a mail, from the words of strangers: it stays the fields that it
 * was to be, whatever they called themselves, and so does the header below it. The input
 * is flags, then, with NUL between them, HELO, the path of MAIL, that of RCPT, the mail.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "service/trace.h"
#include "smtp/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* The next word, as a string of its own. */
static char *take(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, 0, *size);
	size_t len = end ? (size_t)(end - *data) : *size;
	char *word = strndup((const char *)*data, len);

	check(word != NULL);
	*data += len + (end != NULL);
	*size -= len + (end != NULL);
	return word;
}

/* One field and no more: @name stands at its start, each further line begins with a blank. */
static void check_field(const struct buffer *b, const char *name, bool utf8)
{
	const char *p = b->data, *end = b->data + b->len, *nl;

	check(b->len > strlen(name) + 2 && !memcmp(p, name, strlen(name)));
	for (; p < end; p = nl + 2) {
		nl = memchr(p, '\r', end - p);
		check(nl && nl + 1 < end && nl[1] == '\n' && nl > p);
		check(p == b->data || *p == '\t');
		check(nl - p <= 998);
		for (const char *c = p; c < nl; c++)
			check((unsigned char)*c >= ' ' ? *c != 0x7f : *c == '\t' && c == p);
	}
	for (size_t i = 0; i < b->len && !utf8; i++)
		check(!(b->data[i] & 0x80));
}

/* Each comment ends where we end it. What stands in the recipient's path he wrote himself. */
static void check_comments(const struct buffer *b)
{
	const char *path = memmem(b->data, b->len, "\tfor <", 6);
	size_t len = path ? (size_t)(path - b->data) : b->len;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		depth += (b->data[i] == '(') - (b->data[i] == ')');
		check(depth >= 0 && depth <= 1);
	}
	check(!depth);
}

static bool take_path(const char *text, bool utf8, struct smtp_path *p)
{
	size_t len = strlen(text);

	return smtp_path_parse(&text, &len, utf8, p, NULL) == 0 && !len;
}

static void try_received(uint8_t flags, const char *helo, const struct smtp_path *rcpt)
{
	const struct trace t = {
		.helo = helo, .peer = flags & 1 ? "192.0.2.1" : "2001:db8::1",
		.by = "box.example.test", .tls = flags & 2 ? "TLSv1.3" : NULL,
		.rcpt = rcpt ? rcpt->mailbox : NULL, .id = flags * 1000003ull,
		.usec = flags * 86400000000ull * 60, .ehlo = flags & 4, .authenticated = flags & 8,
		.utf8 = flags & 16,
	};
	struct buffer b = { 0 };

	check(trace_received(&b, &t) >= 0);
	check_field(&b, "Received: from ", flags & 16);
	check_comments(&b);
	check(trace_hops(b.data, b.len, 9) == 1);
	buffer_free(&b);
}

static void try_return_path(const struct smtp_path *from, bool utf8)
{
	struct buffer b = { 0 };

	check(trace_return_path(&b, from->text) >= 0);
	check_field(&b, "Return-Path: <", utf8);
	check(memchr(b.data, '\n', b.len) == b.data + b.len - 1);
	buffer_free(&b);
}

/* The header's Received fields, line by line. */
static unsigned int count_hops(const char *mail, size_t len)
{
	unsigned int n = 0;

	while (len) {
		const char *nl = memchr(mail, '\n', len);
		size_t line = nl ? (size_t)(nl - mail) : 0;

		if (!nl || !line || (line == 1 && *mail == '\r'))
			break;
		n += line >= 9 && !strncasecmp(mail, "received:", 9);
		len -= line + 1;
		mail = nl + 1;
	}
	return n;
}

static void try_mail(const uint8_t *data, size_t size)
{
	char *mail = malloc(size + 1), id[TRACE_MESSAGE_ID];
	unsigned int n;

	check(mail != NULL);
	memcpy(mail, data, size);
	n = count_hops(mail, size);
	check(trace_hops(mail, size, 5) == (n > 6 ? 6 : n));
	if (trace_message_id(mail, size, id)) {
		size_t len = strlen(id);

		check(len > 2 && id[0] == '<' && strchr(id, '>') == id + len - 1);
		check(memmem(mail, size, id, len) != NULL);
		for (size_t i = 0; i < len; i++)
			check(id[i] > ' ' && id[i] < 0x7f);
	}
	free(mail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_path from, rcpt;
	char *helo, *mail_path, *rcpt_path;
	uint8_t flags;
	bool utf8;

	if (!size)
		return 0;
	flags = *data++;
	size--;
	utf8 = flags & 16;
	helo = take(&data, &size);
	mail_path = take(&data, &size);
	rcpt_path = take(&data, &size);
	try_received(flags, helo, take_path(rcpt_path, utf8, &rcpt) ? &rcpt : NULL);
	if (take_path(mail_path, utf8, &from))
		try_return_path(&from, utf8);
	try_mail(data, size);
	free(helo);
	free(mail_path);
	free(rcpt_path);
	return 0;
}
