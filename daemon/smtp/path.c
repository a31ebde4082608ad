/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "smtp/path.h"

#define LABEL_MAX 63

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Letters, digits and what else SMTPUTF8 lets stand for them. */
static bool is_letter(char c, bool utf8)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (utf8 && (unsigned char)c >= 0x80);
}

/* <c> of RFC 821 4.1.2: no special, no space, no control character. */
static bool is_plain(char c, bool utf8)
{
	if ((unsigned char)c >= 0x80)
		return utf8;
	return c > ' ' && c < 0x7f && !strchr("<>()[]\\.,;:@\"", c);
}

static bool is_printable(char c, bool utf8)
{
	return (c >= ' ' && c < 0x7f) || (utf8 && (unsigned char)c >= 0x80);
}

/*
 * The functions below say how much of @s, @len is what they are named after; 0 means
 * none of it.
 */

static size_t dot_string(const char *s, size_t len, bool utf8)
{
	size_t n = 0, dot = 0;

	while (n < len) {
		if (s[n] == '.' && n > dot) {
			dot = ++n;
			continue;
		}
		if (s[n] == '\\' && n + 1 < len && is_printable(s[n + 1], utf8))
			n++;
		else if (!is_plain(s[n], utf8))
			break;
		n++;
	}
	return n > dot ? n : 0;
}

static size_t quoted_string(const char *s, size_t len, bool utf8)
{
	for (size_t n = 1; n < len; n++) {
		if (s[n] == '"')
			return n + 1;
		if (s[n] == '\\' && ++n == len)
			return 0;
		if (!is_printable(s[n], utf8))
			return 0;
	}
	return 0;
}

static size_t local_part(const char *s, size_t len, bool utf8)
{
	return len && s[0] == '"' ? quoted_string(s, len, utf8) : dot_string(s, len, utf8);
}

/* Four numbers of one to three digits; leading zeros are no octal. */
static bool is_dotnum(const char *s, size_t len)
{
	size_t n = 0;

	for (int i = 0; i < 4; i++) {
		unsigned int value = 0;
		size_t digits = 0;

		for (; n < len && is_digit(s[n]); n++, digits++)
			value = digits < 3 ? value * 10 + (s[n] - '0') : 256;
		if (!digits || value > 255)
			return false;
		if (i < 3 && (n == len || s[n++] != '.'))
			return false;
	}
	return n == len;
}

static bool is_ipv6(const char *s, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr raw;

	if (len < 5 || strncasecmp(s, "IPv6:", 5) || len - 5 >= sizeof(text) ||
	    memchr(s, '\0', len))
		return false;
	memcpy(text, s + 5, len - 5);
	text[len - 5] = '\0';
	return inet_pton(AF_INET6, text, &raw) == 1;
}

static size_t literal(const char *s, size_t len)
{
	const char *end = memchr(s, ']', len);
	size_t inner;

	if (!end)
		return 0;
	inner = end - s - 1;
	return is_dotnum(s + 1, inner) || is_ipv6(s + 1, inner) ? inner + 2 : 0;
}

static size_t label(const char *s, size_t len, bool utf8)
{
	size_t n = 0;

	while (n < len && (is_letter(s[n], utf8) || s[n] == '-'))
		n++;
	return n && n <= LABEL_MAX && s[0] != '-' && s[n - 1] != '-' ? n : 0;
}

/* "#" and the number of a host that has no name. */
static size_t host_number(const char *s, size_t len)
{
	size_t n = 1;

	while (n < len && is_digit(s[n]))
		n++;
	return n > 1 ? n : 0;
}

static size_t domain(const char *s, size_t len, bool utf8)
{
	size_t n = 0;

	if (len && s[0] == '[')
		return literal(s, len);
	for (;;) {
		size_t element = n < len && s[n] == '#' ? host_number(s + n, len - n) :
							  label(s + n, len - n, utf8);

		if (!element)
			return 0;
		n += element;
		if (n == len || s[n] != '.')
			return n;
		n++;
	}
}

bool smtp_domain_valid(const char *text, size_t len, bool utf8)
{
	return len && domain(text, len, utf8) == len && (!utf8 || smtp_utf8_valid(text, len));
}

const char *smtp_path_hop(const char *path, size_t *len, const char **rest)
{
	size_t n;

	if (path[0] != '@')
		return NULL;
	/* An IPv6 address has colons of its own. */
	n = path[1] == '[' ? strcspn(path + 1, "]") : 0;
	n += strcspn(path + 1 + n, ",:");
	*len = n;
	if (rest)
		*rest = path + 1 + n + (path[1 + n] != '\0');
	return path + 1;
}

const char *smtp_path_mailbox(const char *path)
{
	size_t len;

	while (smtp_path_hop(path, &len, &path))
		;
	return path;
}

/* The octets that follow @lead in one character; -1: it leads none. */
static int utf8_tail(unsigned char lead)
{
	if (lead < 0x80)
		return 0;
	if (lead < 0xc2 || lead > 0xf4)
		return -1;
	return lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
}

bool smtp_utf8_valid(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < len; i++) {
		int tail = utf8_tail(s[i]);
		uint32_t c;

		if (!tail)
			continue;
		if (tail < 0 || len - i <= (size_t)tail)
			return false;
		c = s[i] & (0x3f >> tail);
		for (int k = 0; k < tail; k++) {
			if ((s[++i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (s[i] & 0x3f);
		}
		if ((tail == 2 && c < 0x800) || (tail == 3 && (c < 0x10000 || c > 0x10ffff)) ||
		    (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

/* Where the parser stands in a path, and what it has found. */
struct parse {
	const char *s;
	size_t len, at;
	bool utf8;
	size_t mailbox, domain, hops;
};

static bool take(struct parse *p, char c)
{
	if (p->at == p->len || p->s[p->at] != c)
		return false;
	p->at++;
	return true;
}

static bool take_domain(struct parse *p)
{
	size_t n = domain(p->s + p->at, p->len - p->at, p->utf8);

	p->at += n;
	return n;
}

/* "@A,@B:", where it stands */
static const char *take_route(struct parse *p)
{
	if (!take(p, '@'))
		return NULL;
	do {
		if (p->hops && !take(p, '@'))
			return "each host of a route begins with @";
		if (!take_domain(p))
			return "the route has a host whose name is none";
		p->hops++;
	} while (take(p, ','));
	return take(p, ':') ? NULL : "a colon must follow the route";
}

static const char *take_mailbox(struct parse *p)
{
	size_t n = local_part(p->s + p->at, p->len - p->at, p->utf8);

	p->mailbox = p->at;
	if (!n)
		return "nothing that can be a user stands before the @";
	p->at += n;
	if (take(p, '@')) {
		p->domain = p->at;
		return take_domain(p) ? NULL : "what follows the @ is no domain";
	}
	if (!p->hops && n == 10 && !strncasecmp(p->s + p->mailbox, "postmaster", n))
		return NULL;
	return "an @ and a domain must follow the user";
}

static const char *take_path(struct parse *p)
{
	const char *wrong;

	if (!take(p, '<'))
		return "it must begin with <";
	p->mailbox = p->at;
	if (take(p, '>'))
		return NULL;
	wrong = take_route(p);
	if (!wrong)
		wrong = take_mailbox(p);
	if (!wrong && !take(p, '>'))
		wrong = "it must end with >";
	if (!wrong && p->utf8 && !smtp_utf8_valid(p->s, p->at))
		wrong = "it is no UTF-8";
	return wrong;
}

int smtp_path_parse(const char **text, size_t *len, bool utf8, struct smtp_path *ret,
		    struct error *e)
{
	struct parse p = { .s = *text, .len = *len, .utf8 = utf8 };
	const char *wrong = take_path(&p);
	size_t n;

	if (wrong)
		return error_set(e, -EINVAL, "Bad path: %s", wrong);
	if (p.at > SMTP_PATH_MAX)
		return error_set(e, -EMSGSIZE, "Path too long");
	n = p.at - 2;
	memcpy(ret->text, p.s + 1, n);
	ret->text[n] = '\0';
	ret->mailbox = ret->text + p.mailbox - 1;
	ret->domain = p.domain ? ret->text + p.domain - 1 : NULL;
	ret->n_hops = p.hops;
	*text += p.at;
	*len -= p.at;
	return 0;
}
