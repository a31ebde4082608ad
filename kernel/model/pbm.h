/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Portable bit maps, binary form (P4): how sheets come to and from a board without paper. */
#ifndef FAX_MODEL_PBM_H
#define FAX_MODEL_PBM_H

#include "t4_port.h"

#define PBM_WIDTH_MAX	16384u
#define PBM_ROWS_MAX	65535u
#define PBM_HEADER_MAX	24u	/* of those that pbm_header() writes, NUL included */

/**
 * struct pbm_image - one image of a sequence
 * @width: @rows: pixels
 * @pixels: rows of (width + 7) / 8 bytes, 1 = black, within what was parsed
 */
struct pbm_image {
	u32 width;
	u32 rows;
	const u8 *pixels;
};

/*
 * Parse the image at the start of @data. Returns the bytes it takes, 0 if
 * @len is 0, -EINVAL for what is no P4, -EFBIG beyond the limits above,
 * -ENODATA when it is cut short.
 */
s64 pbm_parse(const void *data, size_t len, struct pbm_image *image);

/* Write the header of such an image to @out; returns its length without the NUL. */
u32 pbm_header(char out[PBM_HEADER_MAX], u32 width, u32 rows);

#endif
