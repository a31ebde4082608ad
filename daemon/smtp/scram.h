/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is kept of a password so that it can be checked but not told: the keys of
 * SCRAM-SHA-256 (RFC 5802 3, RFC 7677). PLAIN and LOGIN are checked by it, too.
 */
#ifndef IFAX_SMTP_SCRAM_H
#define IFAX_SMTP_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SCRAM_SALT	 16
#define SCRAM_KEY	 32
#define SCRAM_ITERATIONS 4096
#define SCRAM_PASSWORD_MAX 1024	/* octets */
#define SCRAM_TEXT_MAX	 160	/* of scram_verifier_format(), with its NUL */

/* A plain value. */
struct scram_verifier {
	uint32_t iterations;
	uint8_t salt[SCRAM_SALT];
	uint8_t stored_key[SCRAM_KEY];
	uint8_t server_key[SCRAM_KEY];
};

/*
 * With a salt of its own. -EINVAL: the password is empty, too long or cannot be prepared
 * (SASLprep, RFC 4013); -EIO: the library failed.
 */
int scram_verifier_make(const char *password, struct scram_verifier *ret, struct error *e);
/*
 * For a user that there is not: nobody knows its password, and as long as the program
 * runs it has the same salt for the same name, as a user's would. -EIO.
 */
int scram_verifier_decoy(const char *user, struct scram_verifier *ret);
/* "SCRAM-SHA-256$4096:<salt>$<stored>:<server>", base64; as other servers spell it. */
void scram_verifier_format(const struct scram_verifier *v, char text[SCRAM_TEXT_MAX]);
/* -EINVAL: not that, or with fewer than 4096 or more than a million rounds. */
int scram_verifier_parse(const char *text, struct scram_verifier *ret);
/* In constant time. A NULL verifier costs the same and is false. */
bool scram_verifier_check(const struct scram_verifier *v, const char *password);

#endif
