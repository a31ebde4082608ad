// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/password.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/cleanup.h"

/* crypt(3) with memory of its own, which held the password. free() */
static char *hash_with(const char *password, const char *setting)
{
	struct crypt_data *work = calloc(1, sizeof(*work));
	char *hash = work ? crypt_rn(password, setting, work, sizeof(*work)) : NULL;
	char *copy = hash ? strdup(hash) : NULL;

	if (work)
		explicit_bzero(work, sizeof(*work));
	free(work);
	return copy;
}

int password_hash(const char *password, char **ret, struct error *e)
{
	size_t len = strlen(password);
	_free_ char *setting = NULL;

	if (!len || len > PASSWORD_OCTETS_MAX)
		return error_set(e, -EINVAL, "a password has 1 to %d bytes",
				 PASSWORD_OCTETS_MAX);
	setting = crypt_gensalt_ra("$y$", 0, NULL, 0);
	*ret = setting ? hash_with(password, setting) : NULL;
	return *ret ? 0 : error_set(e, -ENOMEM, "the password cannot be hashed: %s",
				    strerror(errno));
}

int password_check(const char *hash, const char *password)
{
	_free_ char *again = NULL;
	size_t len = strlen(hash);

	if (strlen(password) > PASSWORD_OCTETS_MAX)
		return -EACCES;
	again = hash_with(password, hash);
	if (!again || strlen(again) != len || CRYPTO_memcmp(hash, again, len))
		return -EACCES;
	return 0;
}
