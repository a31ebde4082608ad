/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths of SMTP: "<@A,@B:user@C>" (RFC 5321 4.1.2, and RFC 821 4.1.2 for what is
 * older: "#number" and "[1.2.3.4]" as domains, backslash pairs in local parts).
 * Pure functions on bounded text.
 */
#ifndef IFAX_SMTP_PATH_H
#define IFAX_SMTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define SMTP_PATH_MAX 256	/* with its brackets, S4 */

/*
 * Nothing to free, but not to be copied by assignment either: it points into itself.
 * Texts are as written, without brackets; backslash pairs and quotes stay.
 */
struct smtp_path {
	char text[SMTP_PATH_MAX + 1];	/* the whole, route included; "" is the null path */
	const char *mailbox;		/* into text: "user@C", behind the route */
	const char *domain;		/* into text, behind the "@"; NULL: "postmaster" alone */
	size_t n_hops;			/* of the route: 0 = none */
};

/*
 * Takes one path from *text, which begins with "<", and moves *text behind its ">".
 * @utf8: octets beyond ASCII may stand where RFC 6531 3.3 has them, as UTF-8.
 * -EINVAL with the sentence of what is wrong, -EMSGSIZE: with its brackets it is
 * longer than SMTP_PATH_MAX. Local part and domain have no limit of their own (a
 * label of the domain has, 63): bounce addresses with far more than 64 characters
 * before their "@" are in daily use.
 */
int smtp_path_parse(const char **text, size_t *len, bool utf8, struct smtp_path *ret,
		    struct error *e);

/*
 * Of a path as smtp_path_parse() took it: the first host of its route, @len octets
 * long, and what is behind it in *@rest (may be NULL); NULL: it has no route.
 */
const char *smtp_path_hop(const char *path, size_t *len, const char **rest);
/* "user@C": what is behind the route, if there is one. */
const char *smtp_path_mailbox(const char *path);

/* Names, "#number" among them, with dots between; or an address in brackets. */
bool smtp_domain_valid(const char *text, size_t len, bool utf8);

/* RFC 3629: no over-long forms, no surrogates. ASCII is valid. */
bool smtp_utf8_valid(const char *text, size_t len);

#endif
