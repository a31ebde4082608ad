/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turn= (RFC 821 3.8): whose hosts may have the mail for which domains. Mail for
 * these waits until its host comes and asks; it is not sent there otherwise.
 */
#ifndef IFAX_SERVICE_TURN_H
#define IFAX_SERVICE_TURN_H

#include <stdbool.h>

#include "service/conf.h"

/* May @user, NULL: anybody at all, have the mail for @domain? */
bool turn_allows(const struct conf *c, const char *user, const char *domain);
/* Is there anybody who may have any? */
bool turn_is_on(const struct conf *c);

#endif
