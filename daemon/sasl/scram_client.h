/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging in by SCRAM-SHA-256 (RFC 5802, 7677): the password does not leave this
 * machine, and the server proves that it knows it, too. A zeroed struct is idle.
 */
#ifndef IFAX_SASL_SCRAM_CLIENT_H
#define IFAX_SASL_SCRAM_CLIENT_H

#include <stdbool.h>

#include <gsasl.h>

struct scram_client {
	Gsasl *sasl;
	Gsasl_session *session;
	bool proved;		/* the server has */
};

/* *@first, *@next: base64 for the server, gsasl_free(). -EIO: it cannot be begun. */
int scram_client_begin(struct scram_client *s, const char *user, const char *password,
		       char **first);
/* -EACCES: the server does not know the password, or talks nonsense. */
int scram_client_step(struct scram_client *s, const char *challenge, char **next);
void scram_client_end(struct scram_client *s);

#endif
