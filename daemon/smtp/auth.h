/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server's side of a log-in (SASL, RFC 4422) without I/O: PLAIN (RFC 4616), LOGIN
 * and SCRAM-SHA-256 (RFC 7677), in the base64 lines of RFC 4954. Passwords are wiped
 * when they have been checked.
 *
 * Lifetime: what smtp_auth_user() and smtp_auth_challenge() give stays until the next
 * call.
 */
#ifndef IFAX_SMTP_AUTH_H
#define IFAX_SMTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/scram.h"

#define SMTP_AUTH_MECHANISMS "SCRAM-SHA-256 PLAIN LOGIN"
#define SMTP_AUTH_USER_MAX   255

struct smtp_auth;

enum smtp_auth_next {
	SMTP_AUTH_CHALLENGE,	/* send smtp_auth_challenge(), then smtp_auth_step() */
	SMTP_AUTH_VERIFIER,	/* smtp_auth_verifier() with what is kept of smtp_auth_user() */
	SMTP_AUTH_DONE,		/* smtp_auth_user() it is */
	SMTP_AUTH_FAILED,
	SMTP_AUTH_MALFORMED,	/* what the client said is nothing that the mechanism has */
	SMTP_AUTH_BROKEN,	/* we have no memory, or a library failed */
};

/* -ENOENT: no mechanism of ours. -ENOMEM. */
int smtp_auth_new(struct smtp_auth **ret, const char *mechanism, size_t len);
void smtp_auth_free(struct smtp_auth *a);	/* NULL is fine */

/* What the client says, in base64; NULL: it has begun without an initial response. */
enum smtp_auth_next smtp_auth_step(struct smtp_auth *a, const char *line, size_t len);
/* NULL: there is no such user. */
enum smtp_auth_next smtp_auth_verifier(struct smtp_auth *a, const struct scram_verifier *v);

/* Has the client said its password, so that the verifier costs its iterations? Not by SCRAM. */
bool smtp_auth_has_password(const struct smtp_auth *a);
const char *smtp_auth_user(const struct smtp_auth *a);	/* NULL: not yet said */
const char *smtp_auth_challenge(const struct smtp_auth *a);	/* base64 */

#endif
