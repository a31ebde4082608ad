// SPDX-License-Identifier: LGPL-2.1-or-later
/* libtiff in memory. Only the coding of the strip is timed: no tags, no opening of a file. */
#include <stdio.h>
#include <stdlib.h>
#include <tiffio.h>
#include "bench.h"

struct memory {
	u8 *data;
	size_t len, room, pos;
};

static struct memory file;

static tmsize_t memory_read(thandle_t h, void *buf, tmsize_t len)
{
	struct memory *f = h;
	size_t left = f->pos < f->len ? f->len - f->pos : 0;
	size_t n = (size_t)len < left ? (size_t)len : left;

	if (n)
		memcpy(buf, f->data + f->pos, n);
	f->pos += n;
	return (tmsize_t)n;
}

static tmsize_t memory_write(thandle_t h, void *buf, tmsize_t len)
{
	struct memory *f = h;
	size_t end = f->pos + (size_t)len;

	if (end > f->room)
		return -1;
	memcpy(f->data + f->pos, buf, (size_t)len);
	f->pos = end;
	if (f->len < end)
		f->len = end;
	return len;
}

static toff_t memory_seek(thandle_t h, toff_t off, int whence)
{
	struct memory *f = h;

	f->pos = (size_t)off + (whence == SEEK_CUR ? f->pos : whence == SEEK_END ? f->len : 0);
	return f->pos;
}

static int memory_close(thandle_t h)
{
	return 0;
}

static toff_t memory_size(thandle_t h)
{
	return ((struct memory *)h)->len;
}

/* With a mapping, libtiff decodes from where the code lies. */
static int memory_map(thandle_t h, void **base, toff_t *size)
{
	struct memory *f = h;

	*base = f->data;
	*size = f->len;
	return 1;
}

static void memory_unmap(thandle_t h, void *base, toff_t size)
{
}

static TIFF *open_memory(const char *mode, size_t room)
{
	TIFF *tif;

	if (file.room < room) {
		file.data = realloc(file.data, room);
		file.room = room;
		if (!file.data)
			abort();
		memset(file.data, 0, room);	/* no page faults while the clock runs */
	}
	file.pos = 0;
	TIFFSetWarningHandler(NULL);
	TIFFSetErrorHandler(NULL);
	TIFFSetWarningHandlerExt(NULL);
	TIFFSetErrorHandlerExt(NULL);
	tif = TIFFClientOpen("memory", mode, &file, memory_read, memory_write, memory_seek,
			     memory_close, memory_size, memory_map, memory_unmap);
	if (!tif)
		abort();
	return tif;
}

static void describe(TIFF *tif, const struct t4_strip *how)
{
	TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, how->width);
	TIFFSetField(tif, TIFFTAG_IMAGELENGTH, how->height);
	TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, how->height);
	TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 1);
	TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, 1);
	TIFFSetField(tif, TIFFTAG_COMPRESSION, how->compression);
	TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
	TIFFSetField(tif, TIFFTAG_FILLORDER, FILLORDER_MSB2LSB);
	TIFFSetField(tif, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
	TIFFSetField(tif, TIFFTAG_XRESOLUTION, 204.0);
	TIFFSetField(tif, TIFFTAG_YRESOLUTION, (double)how->y_res);
	if (how->compression == COMPRESSION_CCITTFAX3)
		TIFFSetField(tif, TIFFTAG_GROUP3OPTIONS, how->options);
}

static bool encode(const struct page *page, u32 codec, struct t4_bytes *out, size_t room,
		   struct cost *cost)
{
	struct t4_strip how = page_strip(page, codec);
	tmsize_t raw = (tmsize_t)(page->image.stride * page->image.height), done;
	TIFF *tif;

	file.len = 0;
	tif = open_memory("wm", room);
	describe(tif, &how);
	cost_start(cost);
	done = TIFFWriteEncodedStrip(tif, 0, page->image.bits, raw);
	cost_stop(cost);
	TIFFClose(tif);

	tif = open_memory("rm", room);
	out->len = (size_t)TIFFRawStripSize64(tif, 0);
	if (TIFFReadRawStrip(tif, 0, out->data, (tmsize_t)out->len) < 0)
		done = -1;
	TIFFClose(tif);
	return done == raw;
}

static bool decode(const struct page *page, u32 codec, struct t4_image *out, struct cost *cost)
{
	struct t4_strip how = page_strip(page, codec);
	tmsize_t raw = (tmsize_t)(out->stride * out->height), done;
	TIFF *tif;
	u32 y;

	file.len = 0;
	tif = open_memory("wm", page->code[codec].len + 4096);
	describe(tif, &how);
	TIFFWriteRawStrip(tif, 0, page->code[codec].data, (tmsize_t)page->code[codec].len);
	TIFFClose(tif);

	tif = open_memory("r", 0);
	cost_start(cost);
	done = TIFFReadEncodedStrip(tif, 0, out->bits, raw);
	cost_stop(cost);
	TIFFClose(tif);
	/* it leaves the pad bits as they were */
	for (y = 1; out->width % 8 && y <= out->height; y++)
		out->bits[y * out->stride - 1] &= (u8)(0xff00 >> out->width % 8);
	return done == raw;
}

const struct peer libtiff_peer = { "libtiff", 1, encode, decode };
