/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Passwords as crypt(5) hashes by yescrypt. One takes some 20 ms, and 16 MiB meanwhile. */
#ifndef IFAX_BASE_PASSWORD_H
#define IFAX_BASE_PASSWORD_H

#include "base/error.h"

#define PASSWORD_OCTETS_MAX 256

/* The password's hash with a new salt, free(). -EINVAL: it is empty or too long. */
int password_hash(const char *password, char **ret, struct error *e);
/* 0, or -EACCES: another password. What differs in the hashes does not show in the time. */
int password_check(const char *hash, const char *password);

#endif
