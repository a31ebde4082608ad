// SPDX-License-Identifier: GPL-2.0
/* The coder inside a kernel: writes what libtiff writes and reads it, whole and in pieces. */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <t4.h>

#define PIECE	3u	/* bytes; smaller than most codes of a row */

struct vector {
	struct t4_params params;
	const u8 *pixels;
	const u8 *code;
	size_t code_len;
};

#include "vectors.h"

static size_t stride_of(const struct vector *v)
{
	return DIV_ROUND_UP(v->params.width, 8);
}

/* Encodes through outputs of @piece bytes; the length of the code. */
static size_t encode(struct kunit *test, const struct vector *v, u8 *out, size_t room, size_t piece)
{
	struct t4_encoder *e = kunit_kzalloc(test, sizeof(*e), GFP_KERNEL);
	size_t len = 0, n;
	u32 row = 0, taken;
	int ret;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	KUNIT_ASSERT_EQ(test, t4_encoder_init(e, &v->params), 0);
	do {
		ret = t4_encode(e, v->pixels + row * stride_of(v), stride_of(v),
				v->params.rows - row, &taken, out + len,
				min(piece, room - len), &n);
		row += taken;
		len += n;
	} while (ret == T4_OUT_FULL && len < room);
	KUNIT_ASSERT_EQ(test, ret, T4_OK);
	KUNIT_ASSERT_EQ(test, row, v->params.rows);
	do {
		ret = t4_encode_end(e, out + len, min(piece, room - len), &n);
		len += n;
	} while (ret == T4_OUT_FULL && len < room);
	KUNIT_ASSERT_EQ(test, ret, T4_DONE);
	return len;
}

static void encode_vector(struct kunit *test, const struct vector *v, size_t piece)
{
	size_t room = v->code_len + 1;
	u8 *out = kunit_kzalloc(test, room, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, out);
	KUNIT_ASSERT_EQ(test, encode(test, v, out, room, piece), v->code_len);
	KUNIT_EXPECT_EQ(test, memcmp(out, v->code, v->code_len), 0);
}

/* Decodes from inputs of @piece bytes, one row at a time. */
static void decode_vector(struct kunit *test, const struct vector *v, size_t piece)
{
	struct t4_decoder *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	u8 *rows = kunit_kzalloc(test, v->params.rows * stride_of(v), GFP_KERNEL);
	size_t at = 0, n, eaten;
	u32 row = 0, made;
	int ret;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, d);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rows);
	KUNIT_ASSERT_EQ(test, t4_decoder_init(d, &v->params), 0);
	do {
		n = min(piece, v->code_len - at);
		ret = t4_decode(d, v->code + at, n, at + n == v->code_len, &eaten,
				rows + row * stride_of(v), stride_of(v),
				row < v->params.rows, &made);
		at += eaten;
		row += made;
	} while (ret == T4_OK || (ret == T4_OUT_FULL && row < v->params.rows));
	KUNIT_EXPECT_EQ(test, row, v->params.rows);
	KUNIT_EXPECT_EQ(test, t4_decoder_damage(d)->rows_bad, 0u);
	KUNIT_EXPECT_EQ(test, memcmp(rows, v->pixels, v->params.rows * stride_of(v)), 0);
}

static void for_all(struct kunit *test, size_t piece,
		    void (*one)(struct kunit *test, const struct vector *v, size_t piece))
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		one(test, &vectors[i], piece);
}

static void t4_encodes_whole(struct kunit *test)
{
	for_all(test, SIZE_MAX, encode_vector);
}

static void t4_encodes_in_pieces(struct kunit *test)
{
	for_all(test, PIECE, encode_vector);
}

static void t4_decodes_whole(struct kunit *test)
{
	for_all(test, SIZE_MAX, decode_vector);
}

static void t4_decodes_in_pieces(struct kunit *test)
{
	for_all(test, PIECE, decode_vector);
}

/* Code that is cut anywhere, and code of which a bit is wrong: bounded, whatever comes of it. */
static void t4_bears_damage(struct kunit *test)
{
	struct t4_decoder *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	size_t room = 12 * DIV_ROUND_UP(T4_WIDTH_MAX, 8), bit, eaten;
	u8 *rows = kunit_kzalloc(test, room, GFP_KERNEL);
	const struct vector *v;
	u32 made;
	u8 *code;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, d);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rows);
	for (v = vectors; v < vectors + ARRAY_SIZE(vectors); v++) {
		code = kunit_kzalloc(test, v->code_len, GFP_KERNEL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, code);
		for (bit = 0; bit < 8 * v->code_len; bit += 37) {
			memcpy(code, v->code, v->code_len);
			code[bit / 8] ^= 0x80 >> bit % 8;
			KUNIT_ASSERT_EQ(test, t4_decoder_init(d, &v->params), 0);
			KUNIT_EXPECT_GE(test, t4_decode(d, code, v->code_len - bit / 16, true,
							&eaten, rows, stride_of(v),
							v->params.rows, &made), 0);
			KUNIT_EXPECT_LE(test, eaten, v->code_len);
			KUNIT_EXPECT_LE(test, made, v->params.rows);
		}
	}
}

static struct kunit_case t4_cases[] = {
	KUNIT_CASE(t4_encodes_whole),
	KUNIT_CASE(t4_encodes_in_pieces),
	KUNIT_CASE(t4_decodes_whole),
	KUNIT_CASE(t4_decodes_in_pieces),
	KUNIT_CASE(t4_bears_damage),
	{}
};

static struct kunit_suite t4_suite = {
	.name = "t4",
	.test_cases = t4_cases,
};
kunit_test_suite(t4_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tests of the T.4 and T.6 coder");
