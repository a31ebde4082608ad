/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/network.h"

#define TEXT_MAX 64

static unsigned int width(sa_family_t family)
{
	return family == AF_INET ? 32 : 128;
}

static bool bit(const uint8_t *octets, unsigned int n)
{
	return octets[n / 8] & (0x80 >> n % 8);
}

/* A decimal number of at most three digits; -1: none. */
static int small_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && n <= 3 && !s[n] ? atoi(s) : -1;
}

int network_parse(const char *text, struct network *ret)
{
	char copy[TEXT_MAX], *slash;
	int bits;

	memset(ret, 0, sizeof(*ret));
	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, copy, ret->octets) == 1)
		ret->family = AF_INET;
	else if (inet_pton(AF_INET6, copy, ret->octets) == 1)
		ret->family = AF_INET6;
	else
		return -EINVAL;
	bits = slash ? small_number(slash) : (int)width(ret->family);
	if (bits < 0 || bits > (int)width(ret->family))
		return -EINVAL;
	ret->bits = (unsigned int)bits;
	for (unsigned int i = ret->bits; i < width(ret->family); i++)
		if (bit(ret->octets, i))
			return -EINVAL;
	return 0;
}

static const uint8_t *octets_of(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return (const uint8_t *)&((const struct sockaddr_in *)a)->sin_addr;
	if (a->ss_family == AF_INET6)
		return (const uint8_t *)&((const struct sockaddr_in6 *)a)->sin6_addr;
	return NULL;
}

bool network_has(const struct network *n, const struct sockaddr_storage *a)
{
	const uint8_t *octets = octets_of(a);

	if (!octets || n->family != a->ss_family)
		return false;
	for (unsigned int i = 0; i < n->bits; i++)
		if (bit(octets, i) != bit(n->octets, i))
			return false;
	return true;
}

bool networks_have(const char *words, const struct sockaddr_storage *a)
{
	char word[TEXT_MAX];
	struct network n;
	size_t len;

	if (!words || !strcmp(words, "none"))
		return false;
	for (words += strspn(words, " \t"); *words; words += len, words += strspn(words, " \t")) {
		len = strcspn(words, " \t");
		if (len >= sizeof(word))
			continue;
		memcpy(word, words, len);
		word[len] = '\0';
		if (network_parse(word, &n) >= 0 && network_has(&n, a))
			return true;
	}
	return false;
}

static bool is_number_of(const char *digits, const struct sockaddr_storage *a)
{
	unsigned long long number;
	uint32_t mine;
	char *end;

	if (a->ss_family != AF_INET || strspn(digits, "0123456789") != strlen(digits) || !*digits)
		return false;
	number = strtoull(digits, &end, 10);
	mine = ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr);
	return number == mine;
}

bool network_is_literal(const char *domain, const struct sockaddr_storage *a)
{
	char text[TEXT_MAX];
	struct network n;
	size_t len = strlen(domain);

	if (domain[0] == '#')
		return is_number_of(domain + 1, a);
	if (len < 3 || len - 2 >= sizeof(text) || domain[0] != '[' || domain[len - 1] != ']')
		return false;
	memcpy(text, domain + 1, len - 2);
	text[len - 2] = '\0';
	if (!strncasecmp(text, "IPv6:", 5))
		memmove(text, text + 5, strlen(text) - 4);
	return !strchr(text, '/') && network_parse(text, &n) >= 0 && network_has(&n, a);
}
