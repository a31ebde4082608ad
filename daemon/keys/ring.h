/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys, and what is done with them, by GPGME: OpenPGP (gpg) and X.509 (gpgsm)
 * alike. A ring is a folder of GnuPG's. There is one for the keys of others and
 * one a user for his own: what is for one user does not open with another's key.
 *
 * What an administrator puts into a ring is trusted; nothing is asked of the
 * network. Blocking; ifax-keyring alone uses it. -errno and a sentence; -ENOKEY:
 * a key is missing, -EKEYEXPIRED: it is here and cannot be used any more or has a
 * passphrase, -EBADMSG: the data is damaged or of another kind.
 */
#ifndef IFAX_KEYS_RING_H
#define IFAX_KEYS_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "keys/protocol.h"

struct ring;

/* Makes @folder and its settings where they are missing. */
int ring_open(struct ring **ret, const char *folder, struct error *e);
/* Ends GnuPG's agent, too: no opened key stays in memory. NULL is fine. */
void ring_close(struct ring *r);
/* Removes a ring that nobody has open, with all its keys. There may be none. */
int ring_destroy(const char *folder, struct error *e);

/*
 * A key for each of @who, by fingerprint or mail address, to encrypt with.
 * -ENOKEY names who has none.
 */
int ring_check(struct ring *r, enum keys_method method, const char *const *who, size_t n,
	       struct error *e);
/* Appends @data encrypted to all of @who: OpenPGP armour, or base64 of CMS. */
int ring_encrypt(struct ring *r, enum keys_method method, const char *const *who, size_t n,
		 const struct buffer *data, struct buffer *out, struct error *e);
/*
 * Appends what @data holds. Where that is @wrapped in a signature of OpenPGP's, this
 * stays around it, for another ring knows the signer: see ring_unwrap().
 */
int ring_decrypt(struct ring *r, enum keys_method method, const struct buffer *data,
		 struct buffer *out, bool *wrapped, struct error *e);

enum ring_verdict {
	RING_UNSIGNED,
	RING_GOOD,
	RING_UNKNOWN,	/* no key of the signer, or none that is trusted */
	RING_EXPIRED,	/* a key or a signature that is out of date or revoked */
	RING_FORGED,	/* what is here is not what was signed */
};

struct ring_signature {
	enum ring_verdict verdict;
	char signer[160];	/* name and address, or what is known of the key; UTF-8 */
};

#define RING_MICALG_MAX 32

/*
 * 1: appends a signature beside @data, by the key of the address @who: armoured, or base64
 * of CMS. @micalg: the hash, as a Content-Type names it. 0: he has no key that signs.
 * -EKEYEXPIRED: he has, and it does not any more.
 */
int ring_sign(struct ring *r, enum keys_method method, const char *who, const struct buffer *data,
	      struct buffer *out, char micalg[RING_MICALG_MAX], struct error *e);
/* Whether that can be done, or need not, of who has no ring as well: @own may be NULL. */
int ring_check_signer(struct ring *own, enum keys_method method, const char *who, struct error *e);
/* Of a signature beside its data. */
int ring_verify(struct ring *r, enum keys_method method, const struct buffer *data,
		const struct buffer *signature, struct ring_signature *ret, struct error *e);
/* Of one around it: appends the data. */
int ring_unwrap(struct ring *r, enum keys_method method, const struct buffer *data,
		struct buffer *out, struct ring_signature *ret, struct error *e);

/*
 * Any file of keys: OpenPGP or certificates, armoured or not, or PKCS#12. @password opens
 * secret keys in it, "" where they have none; here they are kept without. @done: a sentence
 * that says what came. -EKEYREJECTED: it does not open them.
 */
int ring_import(struct ring *r, const struct buffer *file, const char *password,
		struct error *done, struct error *e);
/*
 * A line a key: method, fingerprint, "secret" or "public", "good" or what ails it,
 * expiry as seconds since the epoch (0: never), name and address; parted by tabs.
 */
int ring_list(struct ring *r, struct buffer *out, struct error *e);
/* The public key, armoured. */
int ring_export(struct ring *r, const char *fingerprint, struct buffer *out, struct error *e);
int ring_remove(struct ring *r, const char *fingerprint, struct error *e);
/* A new OpenPGP key without passphrase, for signing and encryption. */
int ring_make(struct ring *r, const char *name, const char *address, struct error *done,
	      struct error *e);

#endif
