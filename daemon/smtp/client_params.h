/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What MAIL and RCPT say behind the path, as far as the server offers to hear it. */
#ifndef IFAX_SMTP_CLIENT_PARAMS_H
#define IFAX_SMTP_CLIENT_PARAMS_H

#include "base/buffer.h"
#include "mail/envelope.h"
#include "smtp/client.h"

/* Appended to @b, each with a blank before it. -ENOMEM. */
int client_mail_params(const struct envelope *e, const struct smtp_offers *offers,
		       struct buffer *b);
int client_rcpt_params(const struct envelope_rcpt *rcpt, const struct smtp_offers *offers,
		       struct buffer *b);

#endif
