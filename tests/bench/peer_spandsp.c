// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * spandsp, rows from and to memory. Its coder works on files otherwise: one
 * that only has the right tags is opened before the clock runs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <tiffio.h>
#include <unistd.h>
#define SPANDSP_EXPOSE_INTERNAL_STRUCTURES
#include <spandsp.h>
#include "bench.h"

#define CHUNK	4096

/* Where the next row lies. */
struct cursor {
	u8 *next;
	u32 left;
};

static int encoding_of(u32 codec)
{
	return codec == T4_MH ? T4_COMPRESSION_ITU_T4_1D :
	       codec == T4_MR ? T4_COMPRESSION_ITU_T4_2D : T4_COMPRESSION_ITU_T6;
}

static int give_row(void *user, u8 *row, size_t len)
{
	struct cursor *c = user;

	if (!c->left)
		return 0;
	memcpy(row, c->next, len);
	c->next += len;
	c->left--;
	return (int)len;
}

static int take_row(void *user, const u8 *row, size_t len)
{
	struct cursor *c = user;

	if (!row || !c->left)
		return 0;
	memcpy(c->next, row, len);
	c->next += len;
	c->left--;
	return 0;
}

static void temporary_name(char *name, size_t room)
{
	snprintf(name, room, "/dev/shm/ifax-bench-%d.tif", getpid());
}

static bool write_tags(const char *name, const struct page *page)
{
	TIFF *tif = TIFFOpen(name, "w");
	u8 *row = calloc(1, page->image.stride);
	bool ok = tif && row;

	if (ok) {
		TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, page->image.width);
		TIFFSetField(tif, TIFFTAG_IMAGELENGTH, 1);
		TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, 1);
		TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 1);
		TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, 1);
		TIFFSetField(tif, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
		TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
		TIFFSetField(tif, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
		TIFFSetField(tif, TIFFTAG_XRESOLUTION, 204.0);
		TIFFSetField(tif, TIFFTAG_YRESOLUTION, 196.0);
		ok = TIFFWriteScanline(tif, row, 0, 0) == 1;
	}
	free(row);
	if (tif)
		TIFFClose(tif);
	return ok;
}

static bool encode_opened(t4_tx_state_t *tx, const struct page *page, u32 codec,
			  struct t4_bytes *out, size_t room, struct cost *cost)
{
	struct cursor rows = { page->image.bits, page->image.height };
	int len = 0;

	t4_tx_set_tx_encoding(tx, encoding_of(codec));
	t4_tx_set_min_bits_per_row(tx, 0);
	t4_tx_set_row_read_handler(tx, give_row, &rows);
	out->len = 0;
	cost_start(cost);
	if (t4_tx_start_page(tx)) {
		cost_stop(cost);
		return false;
	}
	while (room - out->len >= CHUNK) {
		len = t4_tx_get_chunk(tx, out->data + out->len, CHUNK);
		out->len += len > 0 ? (size_t)len : 0;
		if (len < CHUNK)
			break;
	}
	cost_stop(cost);
	return len >= 0 && !rows.left;
}

static bool encode(const struct page *page, u32 codec, struct t4_bytes *out, size_t room,
		   struct cost *cost)
{
	t4_tx_state_t *tx;
	char name[64];
	bool ok = false;

	temporary_name(name, sizeof(name));
	if (write_tags(name, page)) {
		tx = t4_tx_init(NULL, name, -1, -1);
		ok = tx && encode_opened(tx, page, codec, out, room, cost);
		if (tx)
			t4_tx_free(tx);
	}
	unlink(name);
	return ok;
}

/* It wants the least significant bit first, and the end of the page told. */
static struct t4_bytes framed(const struct page *page, u32 codec)
{
	struct t4_strip how = page_strip(page, codec);
	struct t4_params p = t4_params_of(&how);

	p.flags |= T4_F_LSB_FIRST | T4_F_END;
	return t4_our_encode(&page->image, &p, 0);
}

static bool decode(const struct page *page, u32 codec, struct t4_image *out, struct cost *cost)
{
	struct t4_bytes code = framed(page, codec);
	struct cursor rows = { out->bits, out->height };
	t4_rx_state_t *rx;
	char name[64];
	size_t pos, len;
	u32 y;

	temporary_name(name, sizeof(name));
	rx = t4_rx_init(NULL, name, T4_COMPRESSION_ITU_T6);
	if (!rx) {
		free(code.data);
		return false;
	}
	t4_rx_set_rx_encoding(rx, encoding_of(codec));
	t4_rx_set_image_width(rx, (int)out->width);
	t4_rx_set_x_resolution(rx, T4_X_RESOLUTION_R8);
	t4_rx_set_y_resolution(rx, T4_Y_RESOLUTION_FINE);
	t4_rx_set_row_write_handler(rx, take_row, &rows);
	cost_start(cost);
	t4_rx_start_page(rx);
	for (pos = 0; pos < code.len; pos += len) {
		len = code.len - pos < CHUNK ? code.len - pos : CHUNK;
		if (t4_rx_put_chunk(rx, code.data + pos, (int)len))
			break;
	}
	t4_rx_end_page(rx);
	cost_stop(cost);
	t4_rx_free(rx);
	unlink(name);
	free(code.data);
	/* its pad bits are anything */
	for (y = 1; out->width % 8 && y <= out->height; y++)
		out->bits[y * out->stride - 1] &= (u8)(0xff00 >> out->width % 8);
	return !rows.left;
}

const struct peer spandsp_peer = { "spandsp", 3, encode, decode };
