/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/cleanup.h"
#include "smtp/client_params.h"

#define PARAMETER_MAX 500	/* of ENVID and ORCPT, before they are coded (RFC 3461 5.3) */

/* RFC 3461 4: printable ASCII but "+" and "=" stands for itself, the rest in hex. */
static int put_xtext(struct buffer *b, const char *name, const char *value)
{
	int r = buffer_printf(b, " %s=", name);

	for (; *value && r >= 0; value++) {
		unsigned char u = (unsigned char)*value;

		if (u > ' ' && u < 0x7f && u != '+' && u != '=')
			r = buffer_append(b, value, 1);
		else
			r = buffer_printf(b, "+%02X", u);
	}
	return r;
}

static bool fits_parameter(const char *s)
{
	return s && *s && strlen(s) <= PARAMETER_MAX;
}

static int put_notify(struct buffer *b, unsigned int notify)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} words[] = {
		{ NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" },
	};
	const char *lead = " NOTIFY=";
	int r = 0;

	if (notify & NOTIFY_NEVER)
		notify = NOTIFY_NEVER;
	for (size_t i = 0; i < ARRAY_SIZE(words) && r >= 0; i++) {
		if (!(notify & words[i].bit))
			continue;
		r = buffer_printf(b, "%s%s", lead, words[i].name);
		lead = ",";
	}
	return r;
}

int client_mail_params(const struct envelope *e, const struct smtp_offers *offers,
		       struct buffer *b)
{
	static const char *const rets[] = { [RET_FULL] = "FULL", [RET_HDRS] = "HDRS" };
	int r = 0;

	if (offers->size && e->size)
		r = buffer_printf(b, " SIZE=%llu", (unsigned long long)e->size);
	if (r >= 0 && e->eight_bit)
		r = buffer_printf(b, " BODY=8BITMIME");
	if (r >= 0 && e->utf8)
		r = buffer_printf(b, " SMTPUTF8");
	if (r >= 0 && offers->dsn && e->ret)
		r = buffer_printf(b, " RET=%s", rets[e->ret]);
	if (r >= 0 && offers->dsn && fits_parameter(e->envid))
		r = put_xtext(b, "ENVID", e->envid);
	return r;
}

int client_rcpt_params(const struct envelope_rcpt *rcpt, const struct smtp_offers *offers,
		       struct buffer *b)
{
	int r = 0;

	if (offers->dsn)
		r = put_notify(b, rcpt->notify);
	if (r >= 0 && offers->dsn && fits_parameter(rcpt->orcpt))
		r = put_xtext(b, "ORCPT", rcpt->orcpt);
	return r;
}
