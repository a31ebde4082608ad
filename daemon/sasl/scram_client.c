/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "sasl/scram_client.h"

int scram_client_begin(struct scram_client *s, const char *user, const char *password,
		       char **first)
{
	int r = gsasl_init(&s->sasl);

	if (r == GSASL_OK)
		r = gsasl_client_start(s->sasl, "SCRAM-SHA-256", &s->session);
	if (r == GSASL_OK)
		r = gsasl_property_set(s->session, GSASL_AUTHID, user);
	if (r == GSASL_OK)
		r = gsasl_property_set(s->session, GSASL_PASSWORD, password);
	if (r == GSASL_OK)
		r = gsasl_step64(s->session, "", first);
	return r == GSASL_NEEDS_MORE ? 0 : -EIO;
}

int scram_client_step(struct scram_client *s, const char *challenge, char **next)
{
	int r = gsasl_step64(s->session, challenge, next);

	s->proved = r == GSASL_OK;
	return r == GSASL_OK || r == GSASL_NEEDS_MORE ? 0 : -EACCES;
}

void scram_client_end(struct scram_client *s)
{
	if (s->session)
		gsasl_finish(s->session);
	if (s->sasl)
		gsasl_done(s->sasl);
	*s = (struct scram_client){ 0 };
}
