/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lasting name for a mail out of its header, where the server gives none:
 * SHA-256 over the lines up to the empty one, without the fields that servers
 * change from session to session. A zeroed struct is ready for
 * pop3_digest_begin(); pop3_digest_free() gives its memory back.
 */
#ifndef IFAX_POP3_DIGEST_H
#define IFAX_POP3_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

struct pop3_digest {
	EVP_MD_CTX *md;
	char name[20];		/* the start of the line, which decides whether it counts */
	size_t n;		/* octets in name */
	bool undecided, skip, ended;
};

int pop3_digest_begin(struct pop3_digest *d);
void pop3_digest_add(struct pop3_digest *d, const char *data, size_t len);
/* *ret: 64 hex digits, the caller's to free(). */
int pop3_digest_end(struct pop3_digest *d, char **ret);
void pop3_digest_free(struct pop3_digest *d);

#endif
