// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages, and the coder that a board's code is compared with. */
#include <t4.h>

#include "compliance.h"

const char *page_files[64];
unsigned int npage_files;

/* Strokes of changing length between white rows, so that each row says which it is. */
static void draw_strokes(uint8_t *row, uint32_t width, uint32_t y, uint32_t *seed)
{
	bool black = false;
	uint32_t x, run = 0;

	if (y % 5 == 4)
		return;
	for (x = 0; x < width; x++) {
		if (!run--) {
			*seed = *seed * 1103515245 + 12345;
			run = 1 + (*seed >> 16) % (black ? 23 : 97);
			black = !black;
		}
		if (black)
			row[x / 8] |= 0x80 >> x % 8;
	}
}

/* Bits of a row beyond its width stay zero. */
static void draw_solid(uint8_t *row, uint32_t width, uint8_t bits)
{
	memset(row, bits, width / 8);
	if (width % 8)
		row[width / 8] = bits & (0xff00 >> width % 8);
}

uint8_t *page_make(uint32_t width, uint32_t rows, uint32_t stride, enum pattern pattern)
{
	uint8_t *page = calloc(rows, stride);
	uint32_t y, seed = width + rows;

	expect(page, "no memory");
	for (y = 0; y < rows; y++) {
		uint8_t *row = page + (size_t)y * stride;

		if (pattern == STROKES)
			draw_strokes(row, width, y, &seed);
		else if (pattern == BLACK)
			draw_solid(row, width, 0xff);
		else if (pattern == CHECKER)
			draw_solid(row, width, y % 2 ? 0xaa : 0x55);
	}
	return page;
}

uint8_t *page_load(const char *path, uint32_t *width, uint32_t *rows)
{
	FILE *file = fopen(path, "re");
	uint8_t *page = NULL;
	size_t size;

	if (!file)
		return NULL;
	if (fscanf(file, "P4 %u %u", width, rows) == 2 && fgetc(file) != EOF &&
	    *width && *width <= FAX_MAX_WIDTH && *rows && *rows <= 65535) {
		size = (size_t)*rows * ((*width + 7) / 8);
		page = malloc(size);
		if (page && fread(page, 1, size, file) != size) {
			free(page);
			page = NULL;
		}
	}
	fclose(file);
	return page;
}

static struct t4_params params_of(const struct fax_fmt *fmt)
{
	static const uint8_t codings[] = {
		[FAX_ENC_MH] = T4_MH, [FAX_ENC_MR] = T4_MR, [FAX_ENC_MMR] = T4_MMR,
	};
	static const struct {
		uint32_t fax, t4;
	} flags[] = {
		{ FAX_FMT_EOL, T4_F_EOL }, { FAX_FMT_EOL_ALIGN, T4_F_ALIGN },
		{ FAX_FMT_END, T4_F_END }, { FAX_FMT_LSB_FIRST, T4_F_LSB_FIRST },
		{ FAX_FMT_BLACK_IS_0, T4_F_BLACK_IS_0 },
	};
	struct t4_params p = {
		.width = fmt->width, .coding = codings[fmt->encoding], .k = fmt->k,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (fmt->flags & flags[i].fax)
			p.flags |= flags[i].t4;
	return p;
}

uint8_t *t4_code(const uint8_t *pixels, const struct fax_fmt *fmt, size_t *len)
{
	uint32_t stride = fmt->stride ?: (fmt->width + 7) / 8, taken;
	size_t size = 64 + (size_t)fmt->rows * t4_row_bound(fmt->width), n;
	struct t4_params p = params_of(fmt);
	struct t4_encoder *e = malloc(sizeof(*e));
	uint8_t *out = malloc(size);

	expect(e && out && !t4_encoder_init(e, &p), "the reference coder does not start");
	expect(t4_encode(e, pixels, stride, fmt->rows, &taken, out, size, len) == T4_OK &&
	       t4_encode_end(e, out + *len, size - *len, &n) == T4_DONE,
	       "the reference coder fails");
	*len += n;
	free(e);
	return out;
}
