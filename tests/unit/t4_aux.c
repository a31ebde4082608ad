// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <tiffio.h>
#include "t4_aux.h"

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "out of memory\n");
		abort();
	}
	return p;
}

u32 t4_random(u32 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* -- images */

struct t4_image t4_image_new(u32 width, u32 height)
{
	struct t4_image image = { .width = width, .height = height, .stride = (width + 7) / 8 };

	image.bits = must(calloc(height ? height : 1, image.stride));
	return image;
}

void t4_image_free(struct t4_image *image)
{
	free(image->bits);
	image->bits = NULL;
}

bool t4_image_equal(const struct t4_image *a, const struct t4_image *b)
{
	return a->width == b->width && a->height == b->height &&
	       !memcmp(a->bits, b->bits, a->height * a->stride);
}

static void whiten_pads(struct t4_image *image)
{
	u32 y;

	for (y = 0; image->width % 8 && y < image->height; y++)
		image->bits[y * image->stride + image->stride - 1] &=
			(u8)(0xff00 >> image->width % 8);
}

static void blacken(u8 *row, u32 from, u32 to)
{
	u32 x;

	for (x = from; x < to; x++)
		row[x / 8] |= 0x80 >> x % 8;
}

void t4_image_scribble(struct t4_image *image, u32 mean, u32 *seed)
{
	u32 *edge = must(calloc(image->width + 2, sizeof(*edge)));
	u32 y, n = 0, i, x;

	for (y = 0; y < image->height; y++) {
		if (y % 16 == 0) {
			for (n = 0, x = 0; x < image->width; x += 1 + t4_random(seed) % (2 * mean))
				edge[n++] = x;
			edge[n] = image->width;
		}
		for (i = 0; i < n; i++) {
			x = edge[i] + t4_random(seed) % 9;
			x = x < 4 ? 0 : x - 4;
			if (t4_random(seed) % 4 == 0 && x < edge[i + 1] && (!i || x > edge[i - 1]))
				edge[i] = x;
		}
		for (i = 0; i < n; i += 2)
			blacken(image->bits + y * image->stride, edge[i], edge[i + 1]);
	}
	free(edge);
}

void t4_image_noise(struct t4_image *image, u32 of_256, u32 *seed)
{
	u32 x, y;

	for (y = 0; y < image->height; y++)
		for (x = 0; x < image->width; x++)
			if (t4_random(seed) % 256 < of_256)
				blacken(image->bits + y * image->stride, x, x + 1);
}

/* -- files */

u32 t4_samples(const char *kind, char ***paths)
{
	char dir[256];
	struct dirent **names;
	int n, i;

	snprintf(dir, sizeof(dir), "../shared/data/%s", kind);
	n = scandir(dir, &names, NULL, alphasort);
	if (n <= 0)
		return 0;
	*paths = must(calloc((size_t)n, sizeof(**paths)));
	u32 count = 0;

	for (i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.' &&
		    asprintf(&(*paths)[count], "%s/%s", dir, names[i]->d_name) >= 0)
			count++;
		free(names[i]);
	}
	free(names);
	return count;
}

void t4_samples_free(char **paths, u32 count)
{
	while (count)
		free(paths[--count]);
	free(paths);
}

/* -- libtiff, in memory */

struct memory_file {
	u8 *data;
	size_t len, room, pos;
	u32 complaints;
};

static tmsize_t memory_read(thandle_t h, void *buf, tmsize_t len)
{
	struct memory_file *f = h;
	size_t left = f->pos < f->len ? f->len - f->pos : 0;
	size_t n = (size_t)len < left ? (size_t)len : left;

	if (n)
		memcpy(buf, f->data + f->pos, n);
	f->pos += n;
	return (tmsize_t)n;
}

static tmsize_t memory_write(thandle_t h, void *buf, tmsize_t len)
{
	struct memory_file *f = h;
	size_t end = f->pos + (size_t)len;

	if (end > f->room) {
		f->room = 2 * end;
		f->data = must(realloc(f->data, f->room));
	}
	if (f->pos > f->len)
		memset(f->data + f->len, 0, f->pos - f->len);
	memcpy(f->data + f->pos, buf, (size_t)len);
	f->pos = end;
	if (f->len < end)
		f->len = end;
	return len;
}

static toff_t memory_seek(thandle_t h, toff_t off, int whence)
{
	struct memory_file *f = h;

	f->pos = (size_t)off + (whence == SEEK_CUR ? f->pos : whence == SEEK_END ? f->len : 0);
	return f->pos;
}

static int memory_close(thandle_t h)
{
	return 0;
}

static toff_t memory_size(thandle_t h)
{
	return ((struct memory_file *)h)->len;
}

/* The handler is libtiff's for all files; handles of other files are descriptors. */
static struct memory_file *watched;

static void complain(thandle_t h, const char *module, const char *format, va_list args)
{
	if (watched && h == (thandle_t)watched)
		watched->complaints++;
}

static TIFF *memory_open(struct memory_file *f, const char *mode)
{
	TIFFSetWarningHandler(NULL);
	TIFFSetErrorHandler(NULL);
	TIFFSetWarningHandlerExt(complain);
	TIFFSetErrorHandlerExt(complain);
	f->pos = 0;
	watched = f;
	return must(TIFFClientOpen("memory", mode, f, memory_read, memory_write, memory_seek,
				   memory_close, memory_size, NULL, NULL));
}

static void describe(TIFF *tif, const struct t4_strip *how)
{
	TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, how->width);
	TIFFSetField(tif, TIFFTAG_IMAGELENGTH, how->height);
	TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, how->height);
	TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 1);
	TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, 1);
	TIFFSetField(tif, TIFFTAG_COMPRESSION, how->compression);
	TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, how->black_is_0 ? PHOTOMETRIC_MINISBLACK :
							       PHOTOMETRIC_MINISWHITE);
	TIFFSetField(tif, TIFFTAG_FILLORDER, how->lsb_first ? FILLORDER_LSB2MSB :
							    FILLORDER_MSB2LSB);
	TIFFSetField(tif, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
	TIFFSetField(tif, TIFFTAG_XRESOLUTION, 204.0);
	TIFFSetField(tif, TIFFTAG_YRESOLUTION, (double)how->y_res);
	if (how->compression == COMPRESSION_CCITTFAX3)
		TIFFSetField(tif, TIFFTAG_GROUP3OPTIONS, how->options);
}

/* libtiff codes ones as black whatever the tag says, and so do we here. */
struct t4_bytes t4_libtiff_encode(const struct t4_image *image, const struct t4_strip *how)
{
	struct memory_file f = { 0 };
	TIFF *tif = memory_open(&f, "w");
	struct t4_bytes coded;

	describe(tif, how);
	if (TIFFWriteEncodedStrip(tif, 0, image->bits,
				  (tmsize_t)(image->stride * image->height)) < 0)
		abort();
	TIFFClose(tif);

	tif = memory_open(&f, "r");
	coded.len = (size_t)TIFFRawStripSize64(tif, 0);
	coded.data = must(malloc(coded.len + 1));
	if (TIFFReadRawStrip(tif, 0, coded.data, (tmsize_t)coded.len) < 0)
		abort();
	TIFFClose(tif);
	free(f.data);
	return coded;
}

static bool read_rows(TIFF *tif, struct t4_image *image)
{
	u32 y;

	for (y = 0; y < image->height; y++)
		if (TIFFReadScanline(tif, image->bits + y * image->stride, y, 0) < 0)
			return false;
	whiten_pads(image);
	return true;
}

bool t4_libtiff_decode(struct t4_bytes coded, const struct t4_strip *how, struct t4_image *image)
{
	struct memory_file f = { 0 };
	TIFF *tif = memory_open(&f, "w");
	bool ok;

	*image = t4_image_new(how->width, how->height);
	describe(tif, how);
	TIFFWriteRawStrip(tif, 0, coded.data, (tmsize_t)coded.len);
	TIFFClose(tif);
	f.complaints = 0;
	tif = memory_open(&f, "r");
	ok = read_rows(tif, image) && !f.complaints;
	TIFFClose(tif);
	free(f.data);
	return ok;
}

bool t4_image_load(const char *path, struct t4_image *image)
{
	u32 width = 0, height = 0;
	u16 photometric = PHOTOMETRIC_MINISWHITE;
	size_t i;
	bool ok;
	TIFF *tif;

	TIFFSetWarningHandler(NULL);
	TIFFSetErrorHandler(NULL);
	TIFFSetWarningHandlerExt(NULL);
	TIFFSetErrorHandlerExt(NULL);
	tif = TIFFOpen(path, "r");
	if (!tif)
		return false;
	TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &width);
	TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &height);
	TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &photometric);
	*image = t4_image_new(width, height);
	ok = read_rows(tif, image);
	TIFFClose(tif);
	if (photometric == PHOTOMETRIC_MINISBLACK) {
		for (i = 0; i < image->stride * height; i++)
			image->bits[i] = (u8)~image->bits[i];
		whiten_pads(image);
	}
	if (!ok)
		t4_image_free(image);
	return ok;
}

/* -- our coder */

struct t4_params t4_params_of(const struct t4_strip *how)
{
	struct t4_params p = { .width = how->width, .rows = how->height };

	if (how->lsb_first)
		p.flags |= T4_F_LSB_FIRST;
	switch (how->compression) {
	case COMPRESSION_CCITTRLE:
		p.coding = T4_MH;
		p.flags |= T4_F_ALIGN;
		break;
	case COMPRESSION_CCITTFAX4:
		p.coding = T4_MMR;
		p.flags |= T4_F_END;
		break;
	default:
		p.coding = how->options & GROUP3OPT_2DENCODING ? T4_MR : T4_MH;
		p.k = how->y_res > 150 ? 4 : 2;
		p.flags |= T4_F_EOL;
		if (how->options & GROUP3OPT_FILLBITS)
			p.flags |= T4_F_ALIGN;
	}
	return p;
}

static void append(struct t4_bytes *b, size_t *room, const u8 *data, size_t len)
{
	if (b->len + len > *room) {
		*room = 2 * (b->len + len);
		b->data = must(realloc(b->data, *room));
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

struct t4_bytes t4_our_encode(const struct t4_image *image, const struct t4_params *p,
			      size_t piece)
{
	size_t chunk = piece ? piece : (image->height + 1) * t4_row_bound(image->width) + 64;
	struct t4_encoder *e = must(malloc(sizeof(*e)));
	u8 *out = must(malloc(chunk));	/* exact, so that a sanitiser sees the edge */
	struct t4_bytes coded = { 0 };
	size_t room = 0, produced;
	u32 y = 0, consumed;
	int ret;

	if (t4_encoder_init(e, p))
		abort();
	do {
		ret = t4_encode(e, image->bits + y * image->stride, image->stride,
				image->height - y, &consumed, out, chunk, &produced);
		y += consumed;
		append(&coded, &room, out, produced);
	} while (ret == T4_OUT_FULL);
	do {
		ret = t4_encode_end(e, out, chunk, &produced);
		append(&coded, &room, out, produced);
	} while (ret == T4_OUT_FULL);
	free(out);
	free(e);
	if (ret != T4_DONE || y != image->height)
		abort();
	return coded;
}

int t4_our_decode(struct t4_bytes coded, const struct t4_params *p, size_t piece,
		  struct t4_image *image, struct t4_damage *damage)
{
	struct t4_decoder *d = must(malloc(sizeof(*d)));
	size_t chunk = piece ? piece : coded.len, consumed, pos = 0, n;
	u32 y = 0, produced, want;
	u8 *in = must(malloc(chunk + 1));
	int ret;

	if (t4_decoder_init(d, p))
		abort();
	do {
		n = coded.len - pos < chunk ? coded.len - pos : chunk;
		/* at the end of its block, so that a sanitiser sees the edge */
		if (n)
			memcpy(in + chunk + 1 - n, coded.data + pos, n);
		want = piece && image->height - y > 3 ? 3 : image->height - y;
		ret = t4_decode(d, in + chunk + 1 - n, n, pos + n == coded.len, &consumed,
				image->bits + y * image->stride, image->stride, want, &produced);
		pos += consumed;
		y += produced;
	} while (ret == T4_OK || (ret == T4_OUT_FULL && y < image->height));
	if (damage)
		*damage = *t4_decoder_damage(d);
	image->height = y;
	free(in);
	free(d);
	return ret;
}
