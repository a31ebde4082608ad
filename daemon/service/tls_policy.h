/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TLSPolicy=: how far the line to a domain's own hosts is to be trusted before mail goes
 * over it, for those domains that have a word of their own.
 */
#ifndef IFAX_SERVICE_TLS_POLICY_H
#define IFAX_SERVICE_TLS_POLICY_H

#include <stdbool.h>

#include "net/tls.h"

/*
 * One word, "domain:policy": a domain, an address literal, or ".domain" for all below it;
 * "none", "may", "encrypt" or "verify".
 */
bool tls_policy_is_word(const char *word);
/* What @policies, such words or NULL, say of @domain; the closest counts. @otherwise: nothing. */
enum net_tls tls_policy_of(const char *policies, const char *domain, enum net_tls otherwise);

#endif
