/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mail addresses as RFC 5321 4.1.2 spells them in a path: local part, "@",
 * domain or address literal. Pure functions on bounded text.
 *
 * Control characters, spaces outside quotes and angle brackets are never part
 * of an address, so that a checked one may stand in a command or a header as
 * it is. Addresses beyond ASCII (SMTPUTF8) are refused.
 */
#ifndef IFAX_MAIL_ADDRESS_H
#define IFAX_MAIL_ADDRESS_H

#include <stddef.h>

#include "base/error.h"

#define ADDRESS_LOCAL_MAX  64
#define ADDRESS_DOMAIN_MAX 255
#define ADDRESS_MAX	   254	/* RFC 5321 4.5.3.1.3: a path has 256 with its brackets */

/* A plain value: nothing to free. */
struct address {
	char local[ADDRESS_LOCAL_MAX + 1];	/* as written, with its quotes if any */
	char domain[ADDRESS_DOMAIN_MAX + 1];	/* with its brackets if a literal */
};

/* Takes "local@domain" apart; @ret may be NULL. -EINVAL, and what is wrong with it. */
int address_parse(const char *text, size_t len, struct address *ret, struct error *e);
int address_check(const char *text, struct error *e);

#endif
