/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "service/tls_policy.h"

static const struct {
	const char *name;
	enum net_tls tls;
} policies_known[] = {
	{ "none", NET_TLS_NONE },
	{ "may", NET_TLS_OPPORTUNISTIC },
	{ "encrypt", NET_TLS_ENCRYPTED },
	{ "verify", NET_TLS_REQUIRED },
};

/* One word of the list, taken apart; of literals as in "[IPv6:::1]" only the last colon parts. */
struct entry {
	const char *domain;
	size_t len;
	enum net_tls tls;
};

static bool take_entry(const char *word, size_t len, struct entry *ret)
{
	const char *colon = memrchr(word, ':', len), *policy = colon + 1;
	size_t n;

	if (!colon || colon == word)
		return false;
	n = word + len - policy;
	for (size_t i = 0; i < ARRAY_SIZE(policies_known); i++) {
		if (n != strlen(policies_known[i].name) ||
		    strncasecmp(policy, policies_known[i].name, n))
			continue;
		*ret = (struct entry){ word, colon - word, policies_known[i].tls };
		return true;
	}
	return false;
}

static bool is_domain(const char *s, size_t len)
{
	bool literal = *s == '[';

	if (literal ? len < 3 || s[len - 1] != ']' : *s == '.' && len == 1)
		return false;
	for (size_t i = literal; i < len - literal; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr(literal ? ".:-" : ".-_", s[i]))
			return false;
	return true;
}

bool tls_policy_is_word(const char *word)
{
	struct entry e;

	return take_entry(word, strlen(word), &e) && is_domain(e.domain, e.len);
}

/* The domain itself, or one below it where it begins with a dot. */
static bool is_about(const struct entry *e, const char *domain)
{
	size_t len = strlen(domain);

	if (*e->domain == '.')
		return len > e->len && !strncasecmp(domain + len - e->len, e->domain, e->len);
	return len == e->len && !strncasecmp(domain, e->domain, len);
}

enum net_tls tls_policy_of(const char *policies, const char *domain, enum net_tls otherwise)
{
	struct entry e, best = { .tls = otherwise };
	size_t len;

	for (const char *p = policies; p && *p; p += len) {
		p += strspn(p, " \t");
		len = strcspn(p, " \t");
		if (!take_entry(p, len, &e) || !is_about(&e, domain))
			continue;
		if (*e.domain != '.')
			return e.tls;
		if (e.len > best.len)
			best = e;
	}
	return best.tls;
}
