/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One variant of the coder: a source that defines T4_VARIANT (its name) and
 * T4_LINE_HEADER (its primitives), includes this, and is compiled for its
 * instruction set.
 */
#define T4_JOIN2(a, b)	a##_##b
#define T4_JOIN(a, b)	T4_JOIN2(a, b)

/* The core's functions under the variant's own names; t4.h is theirs, too. */
#define t4_row_bound		T4_JOIN(t4_row_bound, T4_VARIANT)
#define t4_encoder_init		T4_JOIN(t4_encoder_init, T4_VARIANT)
#define t4_encode		T4_JOIN(t4_encode, T4_VARIANT)
#define t4_encode_end		T4_JOIN(t4_encode_end, T4_VARIANT)
#define t4_decoder_init		T4_JOIN(t4_decoder_init, T4_VARIANT)
#define t4_decode		T4_JOIN(t4_decode, T4_VARIANT)
#define t4_decoder_damage	T4_JOIN(t4_decoder_damage, T4_VARIANT)

#include "../encode.c"
#include "../decode.c"

#include "ops.h"

const struct t4_ops T4_JOIN(t4_ops, T4_VARIANT) = {
	.encoder_init = t4_encoder_init,
	.encode = t4_encode,
	.encode_end = t4_encode_end,
	.decoder_init = t4_decoder_init,
	.decode = t4_decode,
};
