// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>
#include <strings.h>

#include "service/turn.h"

/* One word of the setting, "user:domain". */
static bool allows(const char *word, size_t len, const char *user, const char *domain)
{
	const char *colon = memchr(word, ':', len);
	size_t n;

	if (!colon)
		return false;
	n = word + len - (colon + 1);
	if (strlen(domain) != n || strncasecmp(colon + 1, domain, n))
		return false;
	return !user || (strlen(user) == (size_t)(colon - word) &&
			 !strncmp(word, user, colon - word));
}

bool turn_allows(const struct conf *c, const char *user, const char *domain)
{
	size_t len;

	for (const char *p = c->turn; p && *p; p += len) {
		p += strspn(p, " \t");
		len = strcspn(p, " \t");
		if (allows(p, len, user, domain))
			return true;
	}
	return false;
}

bool turn_is_on(const struct conf *c)
{
	return c->turn && strchr(c->turn, ':');
}
