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

/* A plain value: nothing to free. Texts are as written, without brackets. */
struct smtp_path {
	char text[SMTP_PATH_MAX + 1];		/* the whole, route included; "" is the null path */
	const char *mailbox;			/* into text: "user@C", behind the route */
	const char *domain;			/* into text, behind the "@"; NULL: "postmaster" alone */
	size_t n_hops;				/* of the route: 0 = none */
};

/*
 * Takes one path from *text, which begins with "<", and moves *text behind its ">".
 * @utf8: SMTPUTF8 was said, RFC 6531 3.3. -EINVAL with the sentence of what is
 * wrong, -EMSGSIZE: a part is longer than S4 allows.
 */
int smtp_path_parse(const char **text, size_t *len, bool utf8, struct smtp_path *ret,
		    struct error *e);

#endif
