/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A key with its certificates as other programs hand them over: PKCS#12 (RFC 7292), by OpenSSL. */
#ifndef IFAX_KEYS_PKCS12_H
#define IFAX_KEYS_PKCS12_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

bool pkcs12_is(const struct buffer *file);
/*
 * The same key and certificates under an empty password and in the old form that
 * every gpgsm reads. -EKEYREJECTED: another password; -EBADMSG: not such a file.
 */
int pkcs12_rewrap(const struct buffer *file, const char *password, struct buffer *out,
		  struct error *e);

#endif
