// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The T.4/T.6 coder under libFuzzer, in each variant that the machine has. The
 * first bytes choose what is done, by which variant and with which parameters,
 * the rest is code or pixels:
 *   decode      any bytes, whole and in pieces, by this variant and another one:
 *               nothing may differ
 *   round trip  any pixels: what was coded is what is decoded
 *   encode      against libtiff: the same bytes
 *   read        any bytes as MH: where libtiff and we both have nothing to
 *               say against them, the pixels are the same. (In MR and MMR
 *               libtiff takes runs of no length for changing elements of the
 *               reference line; no encoder writes such runs.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <tiffio.h>
#include "t4_aux.h"
#include "t4_variant.h"

#define HEAD	8
#define ROWS_MAX 64

#define require(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		abort(); \
	} \
} while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

struct job {
	u32 what, variant;
	size_t piece;
	struct t4_params p;
	struct t4_strip how;
	struct t4_bytes rest;
};

static struct job job_of(const u8 *data, size_t len)
{
	static const u16 compressions[] = {
		COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX3,
		COMPRESSION_CCITTFAX4,
	};
	struct job job = {
		.what = data[0] & 3,
		.variant = data[0] >> 2,
		.piece = data[1],
		.p = {
			.width = 1 + (data[2] | data[3] << 8) % T4_WIDTH_MAX,
			.rows = data[4] % ROWS_MAX,
			.coding = (data[5] & 0x7f) % 3,
			.k = data[5] & 0x80 ? 4 : data[6] & 0x40 ? 2 : 0,
			.flags = data[6] & 0x3f,
		},
		.how = {
			.compression = compressions[data[5] & 3],
			.options = (data[5] & 3) == 2 ? GROUP3OPT_2DENCODING : 0,
			.lsb_first = data[6] & T4_F_LSB_FIRST,
			.y_res = data[5] & 0x80 ? 196 : 98,
		},
		.rest = { (u8 *)data + HEAD, len - HEAD },
	};

	/* most findings lie in narrow pages */
	if (data[7] & 3)
		job.p.width = 1 + job.p.width % 200;
	if (data[6] & T4_F_ALIGN && job.how.compression == COMPRESSION_CCITTFAX3)
		job.how.options |= GROUP3OPT_FILLBITS;
	job.how.width = job.p.width;
	return job;
}

/* The bytes as pixels, as many rows as they fill. */
static struct t4_image pixels_of(const struct job *job)
{
	size_t stride = (job->p.width + 7) / 8, rows = job->rest.len / stride;
	struct t4_image image = t4_image_new(job->p.width, rows < ROWS_MAX ? (u32)rows : ROWS_MAX);
	u32 y;

	memcpy(image.bits, job->rest.data, image.height * stride);
	for (y = 0; job->p.width % 8 && y < image.height; y++)
		image.bits[(y + 1) * stride - 1] &= (u8)(0xff00 >> job->p.width % 8);
	return image;
}

static void choose_variant(u32 i)
{
	u32 count = 0;

	while (t4_variant_name(count))
		count++;
	require(!t4_variant_set(t4_variant_name(i % count)));
}

static void decode(const struct job *job)
{
	struct t4_image whole = t4_image_new(job->p.width, ROWS_MAX);
	struct t4_image cut = t4_image_new(job->p.width, ROWS_MAX);
	struct t4_damage a, b;
	int ret1, ret2;

	ret1 = t4_our_decode(job->rest, &job->p, 0, &whole, &a);
	choose_variant(job->variant + 1);
	ret2 = t4_our_decode(job->rest, &job->p, job->piece + 1, &cut, &b);
	require(ret1 == ret2);
	require(!memcmp(&a, &b, sizeof(a)));
	require(a.rows == whole.height && a.rows_bad <= a.rows && a.max_bad_run <= a.rows_bad);
	require(t4_image_equal(&whole, &cut));
	t4_image_free(&whole);
	t4_image_free(&cut);
}

static void round_trip(struct job *job)
{
	struct t4_image image = pixels_of(job), back = t4_image_new(image.width, image.height + 1);
	struct t4_bytes code;
	struct t4_damage damage;
	u32 y;

	/* both directions see negatives alike; the pad bits of a negative are ones */
	if (job->p.flags & T4_F_BLACK_IS_0 && image.width % 8)
		for (y = 0; y < image.height; y++)
			image.bits[(y + 1) * image.stride - 1] |= 0xff >> image.width % 8;
	job->p.rows = 0;
	code = t4_our_encode(&image, &job->p, job->piece);
	t4_our_decode(code, &job->p, job->piece, &back, &damage);
	require(!damage.rows_bad);
	require(t4_image_equal(&image, &back));
	free(code.data);
	t4_image_free(&image);
	t4_image_free(&back);
}

static void encode_as_libtiff(struct job *job)
{
	struct t4_image image = pixels_of(job);
	struct t4_bytes theirs, ours;
	struct t4_params p;

	if (image.height) {
		job->how.height = image.height;
		p = t4_params_of(&job->how);
		theirs = t4_libtiff_encode(&image, &job->how);
		ours = t4_our_encode(&image, &p, job->piece);
		require(ours.len == theirs.len && !memcmp(ours.data, theirs.data, ours.len));
		free(theirs.data);
		free(ours.data);
	}
	t4_image_free(&image);
}

/* A first line without EOL is read by us and passed over by libtiff. */
static bool begins_with_eol(const struct job *job)
{
	const u8 *b = job->rest.data;

	return job->rest.len > 1 && !b[0] && !(b[1] & (job->how.lsb_first ? 0x07 : 0xe0));
}

static void read_as_libtiff(struct job *job)
{
	struct t4_image theirs, ours;
	struct t4_params p;
	struct t4_damage damage;
	int ret;

	if (!job->p.rows || !job->rest.len || job->how.compression == COMPRESSION_CCITTFAX4 ||
	    job->how.options & GROUP3OPT_2DENCODING)
		return;
	if (job->how.compression == COMPRESSION_CCITTFAX3 && !begins_with_eol(job))
		return;
	job->how.height = job->p.rows;
	p = t4_params_of(&job->how);
	ours = t4_image_new(p.width, p.rows);
	ret = t4_our_decode(job->rest, &p, 0, &ours, &damage);
	if (ret == T4_DONE && !damage.rows_bad && damage.rows == p.rows) {
		if (t4_libtiff_decode(job->rest, &job->how, &theirs))
			require(t4_image_equal(&theirs, &ours));
		t4_image_free(&theirs);
	}
	t4_image_free(&ours);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct job job;

	if (len < HEAD)
		return 0;
	job = job_of(data, len);
	choose_variant(job.variant);
	switch (job.what) {
	case 0:
		decode(&job);
		break;
	case 1:
		round_trip(&job);
		break;
	case 2:
		encode_as_libtiff(&job);
		break;
	default:
		read_as_libtiff(&job);
	}
	return 0;
}
