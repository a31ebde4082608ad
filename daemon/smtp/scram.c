/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/cleanup.h"
#include "smtp/scram.h"

#define SCHEME		"SCRAM-SHA-256$"
#define ITERATIONS_MAX	1000000
#define BASE64_LEN(n)	(((n) + 2) / 3 * 4)

struct keys {
	uint8_t stored[SCRAM_KEY];
	uint8_t server[SCRAM_KEY];
};

static bool hmac(const uint8_t key[SCRAM_KEY], const char *text, uint8_t out[SCRAM_KEY])
{
	unsigned int len = SCRAM_KEY;

	return HMAC(EVP_sha256(), key, SCRAM_KEY, (const uint8_t *)text, strlen(text), out, &len);
}

/* RFC 5802 3: StoredKey and ServerKey of a prepared password */
static bool derive(const char *prepared, const uint8_t salt[SCRAM_SALT], uint32_t iterations,
		   struct keys *ret)
{
	uint8_t salted[SCRAM_KEY], client[SCRAM_KEY];
	bool ok = PKCS5_PBKDF2_HMAC(prepared, strlen(prepared), salt, SCRAM_SALT, iterations,
				    EVP_sha256(), SCRAM_KEY, salted) == 1 &&
		  hmac(salted, "Client Key", client) && hmac(salted, "Server Key", ret->server) &&
		  EVP_Digest(client, SCRAM_KEY, ret->stored, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
	return ok;
}

static void free_password(char **p)
{
	if (*p)
		OPENSSL_cleanse(*p, strlen(*p));
	gsasl_free(*p);
}

static int prepare(const char *password, char **ret)
{
	if (gsasl_saslprep(password, 0, ret, NULL) != GSASL_OK)
		return -EINVAL;
	return **ret ? 0 : -EINVAL;
}

int scram_verifier_make(const char *password, struct scram_verifier *ret, struct error *e)
{
	_cleanup_(free_password) char *prepared = NULL;
	struct keys keys;

	if (!*password)
		return error_set(e, -EINVAL, "The password is empty");
	if (strlen(password) > SCRAM_PASSWORD_MAX)
		return error_set(e, -EINVAL, "The password is longer than %d octets",
				 SCRAM_PASSWORD_MAX);
	if (prepare(password, &prepared) < 0)
		return error_set(e, -EINVAL, "The password has characters that no password may "
				 "have, such as control characters: choose another");
	ret->iterations = SCRAM_ITERATIONS;
	if (RAND_bytes(ret->salt, SCRAM_SALT) != 1 ||
	    !derive(prepared, ret->salt, ret->iterations, &keys))
		return error_set(e, -EIO, "The password could not be hashed: OpenSSL failed");
	memcpy(ret->stored_key, keys.stored, SCRAM_KEY);
	memcpy(ret->server_key, keys.server, SCRAM_KEY);
	return 0;
}

/* What stands in for nobody's keys; the secret makes the salt one that no client can foretell. */
int scram_verifier_decoy(const char *user, struct scram_verifier *ret)
{
	static uint8_t secret[SCRAM_KEY];
	static bool has_secret;
	uint8_t mac[SCRAM_KEY];

	if (!has_secret && RAND_bytes(secret, sizeof(secret)) != 1)
		return -EIO;
	has_secret = true;
	if (!hmac(secret, user, mac) || RAND_bytes(ret->stored_key, SCRAM_KEY) != 1 ||
	    RAND_bytes(ret->server_key, SCRAM_KEY) != 1)
		return -EIO;
	ret->iterations = SCRAM_ITERATIONS;
	memcpy(ret->salt, mac, SCRAM_SALT);
	return 0;
}

void scram_verifier_format(const struct scram_verifier *v, char text[SCRAM_TEXT_MAX])
{
	uint8_t salt[BASE64_LEN(SCRAM_SALT) + 1], stored[BASE64_LEN(SCRAM_KEY) + 1];
	uint8_t server[BASE64_LEN(SCRAM_KEY) + 1];

	EVP_EncodeBlock(salt, v->salt, SCRAM_SALT);
	EVP_EncodeBlock(stored, v->stored_key, SCRAM_KEY);
	EVP_EncodeBlock(server, v->server_key, SCRAM_KEY);
	snprintf(text, SCRAM_TEXT_MAX, SCHEME "%u:%s$%s:%s", v->iterations, salt, stored, server);
}

/* Exactly @len octets of base64, then @end. */
static bool take_base64(const char **text, uint8_t *out, size_t len, char end)
{
	size_t n = 0, chars = BASE64_LEN(len);
	char *raw = NULL;
	bool ok;

	if (strnlen(*text, chars + 1) < chars || (*text)[chars] != end)
		return false;
	ok = gsasl_base64_from(*text, chars, &raw, &n) == GSASL_OK && n == len;
	if (ok)
		memcpy(out, raw, len);
	if (raw)
		OPENSSL_cleanse(raw, n);
	gsasl_free(raw);
	if (!ok)
		return false;
	*text += chars + (end != '\0');
	return true;
}

static bool take_iterations(const char **text, uint32_t *ret)
{
	char *end;
	unsigned long n;

	if (**text < '1' || **text > '9')
		return false;
	errno = 0;
	n = strtoul(*text, &end, 10);
	if (errno || *end != ':' || n < SCRAM_ITERATIONS || n > ITERATIONS_MAX)
		return false;
	*ret = n;
	*text = end + 1;
	return true;
}

int scram_verifier_parse(const char *text, struct scram_verifier *ret)
{
	struct scram_verifier v;

	if (strncmp(text, SCHEME, strlen(SCHEME)))
		return -EINVAL;
	text += strlen(SCHEME);
	if (!take_iterations(&text, &v.iterations) ||
	    !take_base64(&text, v.salt, SCRAM_SALT, '$') ||
	    !take_base64(&text, v.stored_key, SCRAM_KEY, ':') ||
	    !take_base64(&text, v.server_key, SCRAM_KEY, '\0'))
		return -EINVAL;
	*ret = v;
	return 0;
}

bool scram_verifier_check(const struct scram_verifier *v, const char *password)
{
	static const struct scram_verifier nobody = { .iterations = SCRAM_ITERATIONS };
	const struct scram_verifier *against = v ? v : &nobody;
	_cleanup_(free_password) char *prepared = NULL;
	struct keys keys;

	if (prepare(password, &prepared) < 0 ||
	    !derive(prepared, against->salt, against->iterations, &keys))
		return false;
	return !CRYPTO_memcmp(keys.stored, against->stored_key, SCRAM_KEY) && v;
}
