/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "page/exif.h"

#define TAG_ORIENTATION 0x0112
#define MARKER_APP1	0xe1
#define MARKER_SOS	0xda

/* Exif data: a TIFF file without pictures. */
struct tiff_view {
	const uint8_t *data;
	size_t len;
	bool big_endian;
};

static uint32_t get16(const struct tiff_view *v, size_t at)
{
	const uint8_t *p = v->data + at;

	return v->big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0];
}

static uint32_t get32(const struct tiff_view *v, size_t at)
{
	uint32_t a = get16(v, at), b = get16(v, at + 2);

	return v->big_endian ? a << 16 | b : b << 16 | a;
}

static uint32_t find_orientation(const struct tiff_view *v)
{
	uint32_t ifd, n;

	if (v->len < 8)
		return 0;
	ifd = get32(v, 4);
	if (ifd > v->len - 2)
		return 0;
	n = get16(v, ifd);
	for (size_t at = ifd + 2; n && at + 12 <= v->len; n--, at += 12)
		if (get16(v, at) == TAG_ORIENTATION)
			return get16(v, at + 8);
	return 0;
}

/* The segment with Exif data: where its TIFF file begins. */
static bool find_exif(const uint8_t *p, size_t len, struct tiff_view *v)
{
	static const uint8_t magic[] = "Exif\0";
	size_t at = 2;

	while (at + 4 <= len && p[at] == 0xff && p[at + 1] != MARKER_SOS) {
		size_t size = p[at + 2] << 8 | p[at + 3];

		if (size < 2 || size > len - at - 2)
			return false;
		if (p[at + 1] == MARKER_APP1 && size > 2 + sizeof(magic) + 2 &&
		    !memcmp(p + at + 4, magic, sizeof(magic))) {
			v->data = p + at + 4 + sizeof(magic);
			v->len = size - 2 - sizeof(magic);
			v->big_endian = v->data[0] == 'M';
			return true;
		}
		at += 2 + size;
	}
	return false;
}

void exif_orientation(const void *jpeg, size_t len, uint32_t *quarters, bool *mirror)
{
	/* by the tag's value: quarters, and 4 for the mirror */
	static const uint8_t acts[9] = { 0, 0, 4, 2, 6, 7, 1, 5, 3 };
	struct tiff_view v;
	uint32_t value = find_exif(jpeg, len, &v) ? find_orientation(&v) : 0;

	if (value >= sizeof(acts))
		value = 0;
	*quarters = acts[value] & 3;
	*mirror = acts[value] & 4;
}
