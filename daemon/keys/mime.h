/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole messages, put into an encrypted wrapping and taken out of one:
 * PGP/MIME (RFC 3156) and S/MIME (RFC 8551). What of the header is the
 * content's goes inside, the rest stays to be read by mail servers.
 */
#ifndef IFAX_KEYS_MIME_H
#define IFAX_KEYS_MIME_H

#include "keys/ring.h"

#define MIME_LAYERS_MAX 4

/* Who signs what is encrypted: by his ring and his address. */
struct mime_signer {
	struct ring *own;
	const char *address;
};

/*
 * Appends @message, encrypted to all of @who in @others, to @out. Within, it is signed, where
 * @signer is not NULL and has a key for that.
 */
int mime_seal(struct ring *others, const struct mime_signer *signer, enum keys_method method,
	      const char *const *who, size_t n, const struct buffer *message, struct buffer *out,
	      struct error *e);

/* How a message came: what its layers were, outermost first, in few words. */
struct mime_seen {
	bool encrypted;
	enum keys_method method;	/* of the outermost layer; KEYS_ANY: there was none */
	struct ring_signature signature; /* the worst of all layers */
};

/*
 * Appends @message without its layers: with keys in @own, by signers in @others. A
 * signature that is not good is no error: @seen tells. -ENOKEY: for somebody else.
 */
int mime_open(struct ring *own, struct ring *others, const struct buffer *message,
	      struct buffer *out, struct mime_seen *seen, struct error *e);
/* A line for the page, into @mark; empty where there was no layer. */
void mime_mark(const struct mime_seen *seen, char *mark, size_t size);

#endif
