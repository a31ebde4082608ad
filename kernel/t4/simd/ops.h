/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A variant of the coder, as dispatch.c sees it: the functions of t4.h. */
#ifndef T4_OPS_H
#define T4_OPS_H

struct t4_encoder;
struct t4_decoder;
struct t4_params;

struct t4_ops {
	int (*encoder_init)(struct t4_encoder *e, const struct t4_params *p);
	int (*encode)(struct t4_encoder *e, const void *rows, size_t stride, u32 nrows,
		      u32 *consumed, void *out, size_t out_len, size_t *produced);
	int (*encode_end)(struct t4_encoder *e, void *out, size_t out_len, size_t *produced);
	int (*decoder_init)(struct t4_decoder *d, const struct t4_params *p);
	int (*decode)(struct t4_decoder *d, const void *in, size_t in_len, bool last,
		      size_t *consumed, void *rows, size_t stride, u32 nrows, u32 *produced);
};

extern const struct t4_ops t4_ops_scalar, t4_ops_avx2, t4_ops_avx512, t4_ops_neon;

#endif
