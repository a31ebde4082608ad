/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parameters of MAIL and RCPT (RFC 5321 4.1.2): SIZE (RFC 1870), BODY (RFC
 * 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY and ORCPT (RFC 3461), AUTH (RFC
 * 4954). Pure functions on bounded text.
 *
 * BODY=BINARYMIME is refused, and not offered: what comes in must be fit to go on
 * by DATA to any host, and a message of binary parts would have to be re-coded.
 * AUTH= is checked and dropped: nobody's word about another's log-in counts here.
 */
#ifndef IFAX_SMTP_PARAMS_H
#define IFAX_SMTP_PARAMS_H

#include <stddef.h>

#include "base/error.h"
#include "mail/envelope.h"

/*
 * @text is what follows the path, with its leading space, or empty. Strings put into
 * @env or @r are the caller's to free, also where it fails. -EINVAL: a value is no
 * value; -ENOTSUP: no parameter of ours; -ENOMEM.
 */
int smtp_mail_params(const char *text, size_t len, struct envelope *env, struct error *e);
int smtp_rcpt_params(const char *text, size_t len, struct envelope_rcpt *r, struct error *e);

#endif
