/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include "base/cleanup.h"
#include "keys/pkcs12.h"

static PKCS12 *parse(const struct buffer *file)
{
	const unsigned char *p = (const unsigned char *)file->data;

	return d2i_PKCS12(NULL, &p, (long)file->len);
}

bool pkcs12_is(const struct buffer *file)
{
	PKCS12 *p = parse(file);
	bool is = p != NULL;

	PKCS12_free(p);
	return is;
}

static int write_out(PKCS12 *p, struct buffer *out)
{
	unsigned char *der = NULL;
	int len = i2d_PKCS12(p, &der), r;

	if (len < 0)
		return -EIO;
	r = buffer_append(out, der, (size_t)len);
	OPENSSL_clear_free(der, (size_t)len);
	return r;
}

/* What an old program wrote is under ciphers that OpenSSL keeps apart; it keeps its others. */
static OSSL_PROVIDER *load_old_ciphers(void)
{
	return OSSL_PROVIDER_try_load(NULL, "legacy", 1);
}

int pkcs12_rewrap(const struct buffer *file, const char *password, struct buffer *out,
		  struct error *e)
{
	const int cipher = NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
	PKCS12 *from = parse(file), *to = NULL;
	STACK_OF(X509) *others = NULL;
	OSSL_PROVIDER *old;
	EVP_PKEY *key = NULL;
	X509 *own = NULL;
	int r = 0;

	if (!from)
		return error_set(e, -EBADMSG, "The file is not PKCS#12");
	old = load_old_ciphers();
	if (!PKCS12_parse(from, password ? password : "", &key, &own, &others))
		r = error_set(e, -EKEYREJECTED, "The password does not open this PKCS#12 file");
	else if (!key || !own)
		r = error_set(e, -EBADMSG, "The PKCS#12 file holds no key with its certificate");
	else
		to = PKCS12_create("", "", key, own, others, cipher, cipher, 2048, 2048, 0);
	if (!r && !to)
		r = error_set(e, -EIO, "The key of this PKCS#12 file cannot be taken over");
	if (!r && write_out(to, out) < 0)
		r = error_set(e, -ENOMEM, "Out of memory");
	PKCS12_free(to);
	PKCS12_free(from);
	X509_free(own);
	EVP_PKEY_free(key);
	sk_X509_pop_free(others, X509_free);
	if (old)
		OSSL_PROVIDER_unload(old);
	return r;
}
