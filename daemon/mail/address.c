/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "mail/address.h"

#define LABEL_MAX 63

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 5322 3.2.3 */
static bool is_atext(char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Atoms with single dots between them: the length, 0 = none stands here. */
static size_t dot_string(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && is_atext(s[n])) {
		while (n < len && is_atext(s[n]))
			n++;
		if (n + 1 < len && s[n] == '.' && is_atext(s[n + 1]))
			n++;
	}
	return n;
}

/* A quoted string of printable ASCII: the length with its quotes, 0 = none. */
static size_t quoted_string(const char *s, size_t len)
{
	if (!len || s[0] != '"')
		return 0;
	for (size_t n = 1; n < len; n++) {
		if (s[n] == '"')
			return n + 1;
		if (s[n] == '\\' && ++n == len)
			return 0;
		if (s[n] < ' ' || s[n] > '~')
			return 0;
	}
	return 0;
}

static bool label_ok(const char *s, size_t len)
{
	if (!len || len > LABEL_MAX || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

static bool domain_name_ok(const char *s, size_t len)
{
	while (len) {
		const char *dot = memchr(s, '.', len);
		size_t label = dot ? (size_t)(dot - s) : len;

		if (!label_ok(s, label))
			return false;
		if (!dot)
			return true;
		s += label + 1;
		len -= label + 1;
	}
	return false;
}

/* [192.0.2.1] or [IPv6:2001:db8::1] */
static bool literal_ok(const char *s, size_t len)
{
	char text[INET6_ADDRSTRLEN + 1];
	unsigned char raw[16];
	int family = AF_INET;

	if (len < 3 || s[len - 1] != ']')
		return false;
	s++;
	len -= 2;
	if (len > 5 && !strncasecmp(s, "IPv6:", 5)) {
		family = AF_INET6;
		s += 5;
		len -= 5;
	}
	if (len >= sizeof(text) || memchr(s, '\0', len))
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return inet_pton(family, text, raw) == 1;
}

static int refuse(struct error *e, const char *text, size_t len, const char *why)
{
	return error_set(e, -EINVAL, "\"%.*s\" is not a mail address: %s",
			 len > 100 ? 100 : (int)len, text, why);
}

int address_parse(const char *text, size_t len, struct address *ret, struct error *e)
{
	const char *domain;
	size_t local, rest;

	if (!len)
		return error_set(e, -EINVAL, "The mail address is empty");
	local = text[0] == '"' ? quoted_string(text, len) : dot_string(text, len);
	if (!local)
		return refuse(e, text, len, "nothing that can be a name stands before the @");
	if (local == len || text[local] != '@')
		return refuse(e, text, len, "an @ must follow the name");
	domain = text + local + 1;
	rest = len - local - 1;
	if (local > ADDRESS_LOCAL_MAX)
		return refuse(e, text, len, "the name before the @ has more than 64 characters");
	if (rest > ADDRESS_DOMAIN_MAX || len > ADDRESS_MAX)
		return refuse(e, text, len, "it has more than 254 characters");
	if (!(rest && domain[0] == '[' ? literal_ok(domain, rest) : domain_name_ok(domain, rest)))
		return refuse(e, text, len, "what follows the @ is no domain");
	if (ret) {
		memcpy(ret->local, text, local);
		ret->local[local] = '\0';
		memcpy(ret->domain, domain, rest);
		ret->domain[rest] = '\0';
	}
	return 0;
}

int address_check(const char *text, struct error *e)
{
	return address_parse(text, strlen(text), NULL, e);
}
