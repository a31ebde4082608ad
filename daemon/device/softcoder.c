/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "device/softcoder.h"
#include "t4.h"

#define ENCODE_STEP 65536u

static int params_of(const struct page_strip *form, uint32_t width, struct t4_params *ret)
{
	static const struct {
		uint32_t fmt, t4;
	} flags[] = {
		{ FAX_FMT_LSB_FIRST, T4_F_LSB_FIRST }, { FAX_FMT_BLACK_IS_0, T4_F_BLACK_IS_0 },
		{ FAX_FMT_EOL, T4_F_EOL },	       { FAX_FMT_EOL_ALIGN, T4_F_ALIGN },
		{ FAX_FMT_END, T4_F_END },	       { FAX_FMT_WHITEN, T4_F_WHITEN },
	};

	if (form->encoding < FAX_ENC_MH || form->encoding > FAX_ENC_MMR || form->k > UINT8_MAX)
		return -EINVAL;
	*ret = (struct t4_params){
		.width = width,
		.rows = form->rows,
		.k = form->k,
		.coding = form->encoding == FAX_ENC_MH ? T4_MH :
			  form->encoding == FAX_ENC_MR ? T4_MR :
							 T4_MMR,
	};
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (form->flags & flags[i].fmt)
			ret->flags |= flags[i].t4;
	return 0;
}

int softcoder_encode(const void *raw, size_t stride, uint32_t width, uint32_t rows,
		     const struct page_strip *form, struct buffer *out)
{
	_free_ struct t4_encoder *enc = malloc(sizeof(*enc));
	const char *row = raw;
	struct t4_params p;
	size_t produced;
	uint32_t taken;
	int r;

	if (!enc)
		return -ENOMEM;
	r = params_of(form, width, &p);
	if (r < 0)
		return r;
	r = t4_encoder_init(enc, &p);
	while (r >= 0 && rows) {
		r = buffer_reserve(out, ENCODE_STEP);
		if (r < 0)
			return r;
		r = t4_encode(enc, row, stride, rows, &taken, out->data + out->len, ENCODE_STEP,
			      &produced);
		if (r < 0)
			return r;
		out->len += produced;
		row += taken * stride;
		rows -= taken;
	}
	while (r >= 0 && r != T4_DONE) {
		r = buffer_reserve(out, ENCODE_STEP);
		if (r < 0)
			return r;
		r = t4_encode_end(enc, out->data + out->len, ENCODE_STEP, &produced);
		if (r >= 0)
			out->len += produced;
	}
	return r < 0 ? r : 0;
}

int softcoder_decode(const struct page_strip *strip, uint32_t width, void *raw, size_t stride,
		     uint32_t room, uint32_t *rows, uint32_t *rows_bad)
{
	_free_ struct t4_decoder *dec = malloc(sizeof(*dec));
	struct t4_params p;
	size_t consumed;
	int r;

	*rows = 0;
	*rows_bad = 0;
	if (!dec)
		return -ENOMEM;
	r = params_of(strip, width, &p);
	if (r < 0)
		return r;
	r = t4_decoder_init(dec, &p);
	if (r < 0)
		return r;
	r = t4_decode(dec, strip->data, strip->len, true, &consumed, raw, stride, room, rows);
	if (r < 0)
		return r;
	*rows_bad = t4_decoder_damage(dec)->rows_bad;
	if (r == T4_DONE)
		return 0;
	/* Room is used up to the last row: complete only if that was all there is. */
	if (r == T4_OUT_FULL && p.rows && *rows == p.rows)
		return 0;
	return r == T4_OUT_FULL ? -EMSGSIZE : -EILSEQ;
}
