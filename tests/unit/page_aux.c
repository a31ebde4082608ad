// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>

#include <linux/fax.h>

#include "page_aux.h"

unsigned int aux_tiff_complaints;

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "test: cannot %s\n", what);
		abort();
	}
}

static void count_complaint(const char *module, const char *fmt, va_list ap)
{
	aux_tiff_complaints++;
}

void aux_tiff_quiet(void)
{
	TIFFSetErrorHandler(count_complaint);
	TIFFSetWarningHandler(count_complaint);
}

static tmsize_t file_read(thandle_t h, void *buf, tmsize_t len)
{
	struct aux_file *f = h;
	size_t left = f->at < f->len ? f->len - f->at : 0;

	if ((size_t)len > left)
		len = left;
	memcpy(buf, f->data + f->at, len);
	f->at += len;
	return len;
}

static tmsize_t file_write(thandle_t h, void *buf, tmsize_t len)
{
	return 0;
}

static toff_t file_seek(thandle_t h, toff_t off, int whence)
{
	struct aux_file *f = h;

	f->at = whence == SEEK_SET ? off : whence == SEEK_CUR ? f->at + off : f->len + off;
	return f->at;
}

static int file_close(thandle_t h)
{
	return 0;
}

static toff_t file_size(thandle_t h)
{
	return ((struct aux_file *)h)->len;
}

TIFF *aux_tiff_open(struct aux_file *f)
{
	f->at = 0;
	return TIFFClientOpen("memory", "rm", f, file_read, file_write, file_seek, file_close,
			      file_size, NULL, NULL);
}

struct t4_image aux_tiff_image(TIFF *t, unsigned int n)
{
	uint32_t width = 0, rows = 0;
	struct t4_image image;

	must(TIFFSetDirectory(t, n), "find the page");
	TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width);
	TIFFGetField(t, TIFFTAG_IMAGELENGTH, &rows);
	image = t4_image_new(width, rows);
	for (uint32_t y = 0; y < rows; y++) {
		must(TIFFReadScanline(t, image.bits + y * image.stride, y, 0) == 1, "read a row");
		if (width % 8)
			image.bits[y * image.stride + image.stride - 1] &= 0xff00 >> width % 8;
	}
	return image;
}

struct page *aux_add_page(struct page_list *l, const struct t4_image *image, uint32_t encoding,
			  uint32_t flags, uint32_t xres, uint32_t yres)
{
	struct bitmap b = { image->width, image->height, image->stride, image->bits };
	struct page *p = page_list_add(l);

	must(p, "add a page");
	p->xres = xres;
	p->yres = yres;
	must(!bitmap_to_page(&b, encoding, flags, p), "code a page");
	return p;
}

struct t4_image aux_scribble(uint32_t width, uint32_t rows, uint32_t seed)
{
	struct t4_image image = t4_image_new(width, rows);

	t4_image_scribble(&image, 24, &seed);
	return image;
}

bool aux_same_pixels(const struct bitmap *b, const struct t4_image *image)
{
	return b->width == image->width && b->rows == image->height &&
	       b->stride == image->stride &&
	       !memcmp(b->data, image->bits, b->stride * b->rows);
}

struct t4_image aux_decode(struct page *p)
{
	struct bitmap b;
	struct error e;

	must(!bitmap_decode(&b, p, &e), "decode a page");
	return (struct t4_image){ b.width, b.rows, b.stride, b.data };
}

void aux_tiff_file(struct buffer *out, size_t n, enum tiff_profile profile, uint32_t rows)
{
	uint32_t encoding = profile == TIFF_PROFILE_S ? FAX_ENC_MH : FAX_ENC_MMR;
	struct page_list l = { 0 };
	struct error e;

	for (size_t i = 0; i < n; i++) {
		struct t4_image image = aux_scribble(1728, rows, 7 + i);

		aux_add_page(&l, &image, encoding, tiff_coding_flags(profile, encoding),
			     FAX_RES_8_MM, FAX_RES_7_7_MM);
		t4_image_free(&image);
	}
	must(!tiff_write(&l, profile, out, &e), "write a TIFF file");
	page_list_clear(&l);
}
