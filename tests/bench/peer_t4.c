// SPDX-License-Identifier: LGPL-2.1-or-later
/* The coder of this project, a peer for each variant. */
#include <stdlib.h>
#include "bench.h"
#include "t4_variant.h"

static bool encode(const char *variant, const struct page *page, u32 codec, struct t4_bytes *out,
		   size_t room, struct cost *cost)
{
	static struct t4_encoder e;
	struct t4_strip how = page_strip(page, codec);
	struct t4_params p = t4_params_of(&how);
	const struct t4_image *image = &page->image;
	size_t produced = 0, rest = 0;
	u32 consumed;
	int ret;

	if (t4_variant_set(variant))
		return false;
	cost_start(cost);
	ret = t4_encoder_init(&e, &p);
	if (!ret)
		ret = t4_encode(&e, image->bits, image->stride, image->height, &consumed, out->data,
				room, &produced);
	if (!ret)
		ret = t4_encode_end(&e, out->data + produced, room - produced, &rest);
	cost_stop(cost);
	out->len = produced + rest;
	return ret == T4_DONE;
}

static bool decode(const char *variant, const struct page *page, u32 codec, struct t4_image *out,
		   struct cost *cost)
{
	static struct t4_decoder d;
	struct t4_strip how = page_strip(page, codec);
	struct t4_params p = t4_params_of(&how);
	size_t consumed;
	u32 produced = 0;
	int ret;

	if (t4_variant_set(variant))
		return false;
	cost_start(cost);
	ret = t4_decoder_init(&d, &p);
	if (!ret)
		ret = t4_decode(&d, page->code[codec].data, page->code[codec].len, true, &consumed,
				out->bits, out->stride, p.rows, &produced);
	cost_stop(cost);
	return ret == T4_DONE && produced == p.rows && !d.damage.rows_bad;
}

#define VARIANT(name) \
static bool encode_##name(const struct page *page, u32 codec, struct t4_bytes *out, size_t room, \
			  struct cost *cost) \
{ \
	return encode(#name, page, codec, out, room, cost); \
} \
static bool decode_##name(const struct page *page, u32 codec, struct t4_image *out, \
			  struct cost *cost) \
{ \
	return decode(#name, page, codec, out, cost); \
}
VARIANT(scalar)
VARIANT(avx2)
VARIANT(avx512)
VARIANT(neon)

u32 t4_peers(struct peer *peers, u32 room)
{
	static const struct peer all[] = {
		{ "scalar", 1, encode_scalar, decode_scalar },
		{ "avx2", 1, encode_avx2, decode_avx2 },
		{ "avx512", 1, encode_avx512, decode_avx512 },
		{ "neon", 1, encode_neon, decode_neon },
	};
	u32 i, n = 0;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && n < room; i++)
		if (!t4_variant_set(all[i].name))
			peers[n++] = all[i];
	return n;
}
