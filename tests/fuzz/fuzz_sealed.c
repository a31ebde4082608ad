// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Any bytes as a mail that is encrypted or signed, with rings that hand on what they
 * are given: GnuPG's own parsers are GnuPG's to fuzz. The first octet of a sealed part
 * says what becomes of it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "keys/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int pass_on(const struct buffer *data, struct buffer *out, struct error *e)
{
	if (!data->len || data->data[0] == '!')
		return error_set(e, -EBADMSG, "It cannot be read");
	return buffer_append(out, data->data + 1, data->len - 1);
}

int ring_encrypt(struct ring *r, enum keys_method method, const char *const *who, size_t n,
		 const struct buffer *data, struct buffer *out, struct error *e)
{
	return buffer_append(out, data->data, data->len);
}

/* A signature of one line, or none. */
int ring_sign(struct ring *r, enum keys_method method, const char *who, const struct buffer *data,
	      struct buffer *out, char micalg[RING_MICALG_MAX], struct error *e)
{
	if (data->len % 2)
		return error_set(e, -ENOKEY, "There is no key");
	strcpy(micalg, "pgp-sha256");
	return buffer_append(out, "signed\n", 7);
}

int ring_decrypt(struct ring *r, enum keys_method method, const struct buffer *data,
		 struct buffer *out, bool *wrapped, struct error *e)
{
	*wrapped = data->len && data->data[0] == 'w';
	return pass_on(data, out, e);
}

static void sign(const struct buffer *data, struct ring_signature *ret)
{
	*ret = (struct ring_signature){ data->len % (RING_FORGED + 1), "somebody" };
}

int ring_verify(struct ring *r, enum keys_method method, const struct buffer *data,
		const struct buffer *signature, struct ring_signature *ret, struct error *e)
{
	sign(data, ret);
	return signature->len ? 0 : error_set(e, -EBADMSG, "It is no signature");
}

int ring_unwrap(struct ring *r, enum keys_method method, const struct buffer *data,
		struct buffer *out, struct ring_signature *ret, struct error *e)
{
	sign(data, ret);
	return pass_on(data, out, e);
}

static void must_end(const struct buffer *b)
{
	if (b->data && b->data[b->len])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const who[] = { "somebody@example.test" };
	static const struct mime_signer signer = { .address = "somebody@example.test" };
	_buffer_ struct buffer mail = { 0 }, clear = { 0 }, sealed = { 0 };
	struct mime_seen seen;
	struct error e = { 0 };
	char mark[240];

	if (buffer_append(&mail, data, size) < 0)
		return 0;
	if (mime_open(NULL, NULL, &mail, &clear, &seen, &e) < 0) {
		if (!e.text[0])
			abort();
	} else {
		mime_mark(&seen, mark, sizeof(mark));
		if (strlen(mark) >= sizeof(mark) || !*mark != (seen.method == KEYS_ANY))
			abort();
	}
	must_end(&clear);
	if (mime_seal(NULL, size % 3 ? &signer : NULL, 1 + size % 2, who, 1, &mail, &sealed,
		      &e) >= 0)
		must_end(&sealed);
	return 0;
}
