/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the T.4/T.6 coder share: bilevel images, libtiff as the
 * other coder (in memory), and our coder run in one go or in small pieces.
 *
 * Images are freed with t4_image_free(), buffers with free(). Trouble that is
 * the test's own (no memory, unreadable file) ends the program.
 */
#ifndef T4_AUX_H
#define T4_AUX_H

#include <stdbool.h>
#include "t4.h"

/* One bit a pixel, 1 = black, most significant first; pad bits white. */
struct t4_image {
	u32 width, height;
	size_t stride;
	u8 *bits;
};

struct t4_bytes {
	u8 *data;
	size_t len;
};

/* A coded strip as a TIFF file describes it. */
struct t4_strip {
	u32 width, height;
	u16 compression;	/* COMPRESSION_CCITT* */
	u32 options;		/* GROUP3OPT_* */
	bool lsb_first;		/* FillOrder 2 */
	bool black_is_0;	/* PhotometricInterpretation 1 */
	float y_res;		/* lines an inch: libtiff's K is 4 above 150, else 2 */
};

struct t4_image t4_image_new(u32 width, u32 height);
void t4_image_free(struct t4_image *image);
bool t4_image_equal(const struct t4_image *a, const struct t4_image *b);
/* Runs of random length around @mean, each row like the one above with slight shifts. */
void t4_image_scribble(struct t4_image *image, u32 mean, u32 *seed);
/* Noise in which each pixel is black with probability @of_256 / 256. */
void t4_image_noise(struct t4_image *image, u32 of_256, u32 *seed);
/* The first page of a TIFF file, as libtiff sees it; false if libtiff does not. */
bool t4_image_load(const char *path, struct t4_image *image);

u32 t4_random(u32 *seed);

/* The sample files of @kind ("pages", "tiff"), or a count of 0 where there are none. */
u32 t4_samples(const char *kind, char ***paths);
void t4_samples_free(char **paths, u32 count);

/* The coded bytes that libtiff makes of an image, as a single strip. */
struct t4_bytes t4_libtiff_encode(const struct t4_image *image, const struct t4_strip *how);
/* What libtiff reads from a coded strip; false if it complains in any way. */
bool t4_libtiff_decode(struct t4_bytes coded, const struct t4_strip *how, struct t4_image *image);

/* Our coder. @piece bounds each output (encode) or input (decode) buffer, 0 = all at once. */
struct t4_bytes t4_our_encode(const struct t4_image *image, const struct t4_params *p,
			      size_t piece);
/* Rows beyond image->height are not asked for. Returns the last T4_* status. */
int t4_our_decode(struct t4_bytes coded, const struct t4_params *p, size_t piece,
		  struct t4_image *image, struct t4_damage *damage);
/* What our coder must be told to do what libtiff does. */
struct t4_params t4_params_of(const struct t4_strip *how);

#endif
