// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writes vectors.h: small images and what libtiff codes them to, as the unit
 * tests make them, for the tests inside the kernel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tiffio.h>

#include "../unit/t4_aux.h"

static void put_bytes(const char *name, unsigned int n, const u8 *bytes, size_t len)
{
	size_t i;

	printf("static const u8 %s_%u[] = {", name, n);
	for (i = 0; i < len; i++)
		printf("%s0x%02x,", i % 16 ? " " : "\n\t", bytes[i]);
	printf("\n};\n\n");
}

static void put_vector(unsigned int n, const struct t4_image *image, const struct t4_strip *how)
{
	struct t4_bytes coded = t4_libtiff_encode(image, how);

	put_bytes("pixels", n, image->bits, image->height * image->stride);
	put_bytes("code", n, coded.data, coded.len);
	free(coded.data);
}

static void put_entry(unsigned int n, const struct t4_strip *how)
{
	struct t4_params p = t4_params_of(how);

	printf("\t{ { .width = %u, .rows = %u, .coding = %u, .k = %u, .flags = %#x },\n"
	       "\t  pixels_%u, code_%u, sizeof(code_%u) },\n",
	       p.width, how->height, p.coding, p.k, p.flags, n, n, n);
}

static const struct t4_strip kinds[] = {
	{ .compression = COMPRESSION_CCITTRLE },
	{ .compression = COMPRESSION_CCITTFAX3 },
	{ .compression = COMPRESSION_CCITTFAX3, .options = GROUP3OPT_FILLBITS },
	{ .compression = COMPRESSION_CCITTFAX3, .options = GROUP3OPT_2DENCODING },
	{ .compression = COMPRESSION_CCITTFAX3, .options = GROUP3OPT_2DENCODING, .y_res = 196 },
	{ .compression = COMPRESSION_CCITTFAX4 },
	{ .compression = COMPRESSION_CCITTFAX4, .lsb_first = true },
};
static const u32 widths[] = { 1, 8, 63, 1728, 2560, 5000 };
#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))
#define WIDTHS	(sizeof(widths) / sizeof(widths[0]))
#define ROWS	12u

int main(void)
{
	struct t4_strip how[KINDS * WIDTHS];
	u32 seed = 2463534242u;
	unsigned int w, k, n = 0;

	printf("/* Written by make-vectors. */\n");
	for (w = 0; w < WIDTHS; w++) {
		struct t4_image image = t4_image_new(widths[w], ROWS);

		t4_image_scribble(&image, 1 + widths[w] / 40, &seed);
		for (k = 0; k < KINDS; k++, n++) {
			how[n] = kinds[k];
			how[n].width = widths[w];
			how[n].height = ROWS;
			put_vector(n, &image, &how[n]);
		}
		t4_image_free(&image);
	}
	printf("static const struct vector vectors[] = {\n");
	for (n = 0; n < KINDS * WIDTHS; n++)
		put_entry(n, &how[n]);
	printf("};\n");
	return 0;
}
