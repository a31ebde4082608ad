/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tiffio.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "page/bitmap.h"
#include "page/tiff_ifd.h"
#include "page/tiff_read.h"
#include "page/tiff_write.h"

#define DEFAULT_PAGES  500
#define DEFAULT_ROWS   65536
#define DEFAULT_PIXELS (256ull << 20)
#define MAX_STRIPS     65536
#define RGBA_PIXELS    (32u << 20)	/* of one strip of a grey or colour image */
#define MAX_ALLOC      (256 << 20)	/* of libtiff at a time */
#define DEFAULT_XRES   FAX_RES_8_MM
#define DEFAULT_YRES   FAX_RES_7_7_MM

/* The file being read: libtiff's view of it through our callbacks. */
struct reader {
	const uint8_t *data;
	size_t len;
	size_t at;
	uint8_t order[2];		/* what stands for the file's first two bytes */
	struct tiff_limits limits;
	TIFF *tiff;
	unsigned int number;		/* page at hand, from 1 */
	uint64_t made;			/* bytes of pages coded anew */
	char complaint[200];		/* libtiff's first error about it */
};

/* What the tags of a page say, checked. */
struct layout {
	uint32_t width;
	uint32_t rows;
	uint32_t rows_per_strip;
	uint32_t nstrips;
	uint16_t compression;
	uint16_t bits;
	uint16_t samples;
	uint16_t photometric;
	uint16_t fill_order;
	uint32_t t4_options;
};

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

/* --- libtiff's callbacks --- */

static tmsize_t reader_read(thandle_t h, void *buf, tmsize_t len)
{
	struct reader *rd = h;
	size_t left = rd->at < rd->len ? rd->len - rd->at : 0;

	if (len < 0)
		return -1;
	if ((size_t)len > left)
		len = left;
	for (tmsize_t i = 0; i < len && rd->at + i < 2; i++)
		((uint8_t *)buf)[i] = rd->order[rd->at + i];
	if (rd->at < 2) {
		size_t skip = 2 - rd->at;

		if ((size_t)len > skip)
			memcpy((uint8_t *)buf + skip, rd->data + 2, len - skip);
	} else {
		memcpy(buf, rd->data + rd->at, len);
	}
	rd->at += len;
	return len;
}

static tmsize_t reader_write(thandle_t h, void *buf, tmsize_t len)
{
	return -1;
}

static toff_t reader_seek(thandle_t h, toff_t off, int whence)
{
	struct reader *rd = h;

	if (whence == SEEK_SET)
		rd->at = off;
	else if (whence == SEEK_CUR)
		rd->at += off;
	else
		rd->at = rd->len + off;
	return rd->at;
}

static int reader_close(thandle_t h)
{
	return 0;
}

static toff_t reader_size(thandle_t h)
{
	return ((struct reader *)h)->len;
}

static int reader_complain(TIFF *t, void *userdata, const char *module, const char *fmt,
			   va_list ap)
{
	struct reader *rd = userdata;

	if (!rd->complaint[0])
		vsnprintf(rd->complaint, sizeof(rd->complaint), fmt, ap);
	return 1;
}

static int reader_ignore(TIFF *t, void *userdata, const char *module, const char *fmt, va_list ap)
{
	return 1;
}

/* --- errors that name the page --- */

static int bad_page(struct reader *rd, struct error *e, int code, const char *what)
{
	if (rd->complaint[0])
		return error_set(e, code, "Page %u of the TIFF file: %s (%s)", rd->number, what,
				 rd->complaint);
	return error_set(e, code, "Page %u of the TIFF file: %s", rd->number, what);
}

/* libtiff does not take the directory of the page at hand: says which tag is why. */
static int bad_directory(struct reader *rd, struct error *e)
{
	char why[120];

	if (tiff_ifd_fault(rd->data, rd->len, rd->order[0] == 'I', rd->number, why, sizeof(why)))
		return bad_page(rd, e, -EBADMSG, why);
	return bad_page(rd, e, -EBADMSG, "its directory (IFD) is broken");
}

static int check_time(struct reader *rd, struct error *e)
{
	if (!rd->limits.deadline || now_usec() < rd->limits.deadline)
		return 0;
	return bad_page(rd, e, -ETIMEDOUT, "reading it takes too long");
}

/* --- the head of the file --- */

/*
 * The byte order: as the first two bytes say, or, where they say something
 * else (seen in the field), as the magic number behind them lies.
 */
static bool find_order(const uint8_t *d, size_t len, uint8_t order[2])
{
	if (len < 8)
		return false;
	if (d[2] == 42 && d[3] == 0)
		memcpy(order, "II", 2);
	else if (d[2] == 0 && d[3] == 42)
		memcpy(order, "MM", 2);
	else
		return false;
	return true;
}

bool tiff_recognize(const void *data, size_t len)
{
	const uint8_t *d = data;
	uint8_t order[2];

	/* Anything may hold 42 there: a foreign byte order is for files that claim to be TIFF. */
	return find_order(data, len, order) && (d[0] == d[1]) && (d[0] == 'I' || d[0] == 'M');
}

static uint32_t first_ifd(const struct reader *rd)
{
	const uint8_t *d = rd->data;

	if (rd->order[0] == 'I')
		return d[4] | d[5] << 8 | d[6] << 16 | (uint32_t)d[7] << 24;
	return d[7] | d[6] << 8 | d[5] << 16 | (uint32_t)d[4] << 24;
}

static int reader_open(struct reader *rd, struct error *e)
{
	TIFFOpenOptions *o;

	if (!find_order(rd->data, rd->len, rd->order))
		return error_set(e, -EBADMSG, "The file is not a TIFF file");
	if (first_ifd(rd) < 8 || first_ifd(rd) + 2ull > rd->len)
		return error_set(e, -EBADMSG,
				 "The TIFF file is cut short or broken: its first directory (IFD) "
				 "would lie at byte %u of %zu", first_ifd(rd), rd->len);
	o = TIFFOpenOptionsAlloc();
	if (!o)
		return error_set(e, -ENOMEM, "Out of memory");
	TIFFOpenOptionsSetMaxSingleMemAlloc(o, MAX_ALLOC);
	TIFFOpenOptionsSetErrorHandlerExtR(o, reader_complain, rd);
	TIFFOpenOptionsSetWarningHandlerExtR(o, reader_ignore, rd);
	rd->number = 1;
	rd->tiff = TIFFClientOpenExt("document", "rm", rd, reader_read, reader_write, reader_seek,
				     reader_close, reader_size, NULL, NULL, o);
	TIFFOpenOptionsFree(o);
	return rd->tiff ? 0 : bad_directory(rd, e);
}

/* --- the tags of a page --- */

static int read_size(struct reader *rd, struct layout *y, struct error *e)
{
	const struct tiff_limits *l = &rd->limits;

	if (!TIFFGetField(rd->tiff, TIFFTAG_IMAGEWIDTH, &y->width) || !y->width)
		return bad_page(rd, e, -EBADMSG, "ImageWidth is missing or zero");
	if (!TIFFGetField(rd->tiff, TIFFTAG_IMAGELENGTH, &y->rows) || !y->rows)
		return bad_page(rd, e, -EBADMSG, "ImageLength is missing or zero");
	if (y->width > FAX_MAX_WIDTH)
		return bad_page(rd, e, -EFBIG, "ImageWidth is beyond what a fax can be");
	if (y->rows > l->max_rows || (uint64_t)y->width * y->rows > l->max_pixels)
		return bad_page(rd, e, -EFBIG, "ImageLength is beyond the limit for a page");
	return 0;
}

static int read_samples(struct reader *rd, struct layout *y, struct error *e)
{
	TIFFGetFieldDefaulted(rd->tiff, TIFFTAG_BITSPERSAMPLE, &y->bits);
	TIFFGetFieldDefaulted(rd->tiff, TIFFTAG_SAMPLESPERPIXEL, &y->samples);
	TIFFGetFieldDefaulted(rd->tiff, TIFFTAG_COMPRESSION, &y->compression);
	TIFFGetFieldDefaulted(rd->tiff, TIFFTAG_FILLORDER, &y->fill_order);
	if (!TIFFGetField(rd->tiff, TIFFTAG_PHOTOMETRIC, &y->photometric))
		y->photometric = PHOTOMETRIC_MINISWHITE;
	if (!y->bits || y->bits > 16)
		return bad_page(rd, e, -ENOTSUP, "BitsPerSample is not one for fax");
	if (!y->samples || y->samples > 4)
		return bad_page(rd, e, -ENOTSUP, "SamplesPerPixel is not one for fax");
	/* libtiff aligns its words by address instead of by strip and gets other pixels. */
	if (y->compression == COMPRESSION_CCITTRLEW)
		return bad_page(rd, e, -ENOTSUP, "Compression 32771 (RLE, aligned to words) is not "
				"one for fax: send it as 2, 3 or 4");
	if (!TIFFIsCODECConfigured(y->compression))
		return bad_page(rd, e, -ENOTSUP, "its Compression is not one for fax");
	if (y->compression == COMPRESSION_CCITTFAX3 &&
	    TIFFGetField(rd->tiff, TIFFTAG_GROUP3OPTIONS, &y->t4_options) && y->t4_options & 2)
		return bad_page(rd, e, -ENOTSUP, "T4Options asks for uncompressed mode");
	return 0;
}

static int read_strips(struct reader *rd, struct layout *y, struct error *e)
{
	if (TIFFIsTiled(rd->tiff))
		return bad_page(rd, e, -ENOTSUP, "TileWidth: tiles are not for fax");
	TIFFGetFieldDefaulted(rd->tiff, TIFFTAG_ROWSPERSTRIP, &y->rows_per_strip);
	if (!y->rows_per_strip)
		return bad_page(rd, e, -EBADMSG, "RowsPerStrip is zero");
	if (y->rows_per_strip > y->rows)
		y->rows_per_strip = y->rows;
	y->nstrips = TIFFNumberOfStrips(rd->tiff);
	if (!y->nstrips || y->nstrips > MAX_STRIPS)
		return bad_page(rd, e, -EBADMSG, "StripOffsets has no strips, or too many");
	return 0;
}

static int read_layout(struct reader *rd, struct layout *y, struct error *e)
{
	int r;

	memset(y, 0, sizeof(*y));
	r = read_size(rd, y, e);
	if (r >= 0)
		r = read_samples(rd, y, e);
	return r < 0 ? r : read_strips(rd, y, e);
}

static uint32_t resolution(struct reader *rd, uint32_t tag, uint32_t otherwise)
{
	uint16_t unit = RESUNIT_INCH;
	float v = 0;
	uint32_t m;

	if (!TIFFGetField(rd->tiff, tag, &v))
		return otherwise;
	TIFFGetFieldDefaulted(rd->tiff, TIFFTAG_RESOLUTIONUNIT, &unit);
	m = tiff_per_metre(unit == RESUNIT_CENTIMETER ? v * 2.54 : v);
	/* One line a millimetre or less is no resolution but a relic, such as 1 by 1 or 72 by 0. */
	return m < 1000 ? otherwise : m;
}

/* --- fax coded strips, as they are --- */

static bool is_fax(const struct layout *y)
{
	return y->bits == 1 && y->samples == 1 &&
	       (y->compression == COMPRESSION_CCITTRLE || y->compression == COMPRESSION_CCITTFAX3 ||
		y->compression == COMPRESSION_CCITTFAX4);
}

static void strip_coding(const struct layout *y, struct page_strip *s)
{
	if (y->fill_order == FILLORDER_LSB2MSB)
		s->flags |= FAX_FMT_LSB_FIRST;
	switch (y->compression) {
	case COMPRESSION_CCITTRLE:
		s->encoding = FAX_ENC_MH;
		s->flags |= FAX_FMT_EOL_ALIGN;
		break;
	case COMPRESSION_CCITTFAX3:
		s->encoding = y->t4_options & GROUP3OPT_2DENCODING ? FAX_ENC_MR : FAX_ENC_MH;
		s->flags |= FAX_FMT_EOL;
		if (y->t4_options & GROUP3OPT_FILLBITS)
			s->flags |= FAX_FMT_EOL_ALIGN;
		break;
	default:
		s->encoding = FAX_ENC_MMR;
	}
}

/*
 * A strip that runs past the end of the file ends there: what arrived is read
 * and the missing rows count as damage. One that begins there is an error.
 */
static int place_strip(struct reader *rd, uint32_t i, struct page_strip *s, struct error *e)
{
	uint64_t offset = TIFFGetStrileOffset(rd->tiff, i);
	uint64_t count = TIFFGetStrileByteCount(rd->tiff, i);

	if (!offset || offset >= rd->len)
		return bad_page(rd, e, -EBADMSG, "StripOffsets points outside the file");
	if (!count)
		return bad_page(rd, e, -EBADMSG, "StripByteCounts is zero or missing");
	s->data = rd->data + offset;
	s->len = count > rd->len - offset ? rd->len - offset : count;
	return 0;
}

static int take_strips(struct reader *rd, const struct layout *y, struct page *p, struct error *e)
{
	uint32_t row = 0;
	int r;

	p->strips = calloc(y->nstrips, sizeof(*p->strips));
	if (!p->strips)
		return error_set(e, -ENOMEM, "Out of memory");
	for (uint32_t i = 0; i < y->nstrips && row < y->rows; i++) {
		struct page_strip *s = &p->strips[i];
		uint32_t left = y->rows - row;

		s->rows = left < y->rows_per_strip ? left : y->rows_per_strip;
		strip_coding(y, s);
		r = place_strip(rd, i, s, e);
		if (r < 0)
			return r;
		row += s->rows;
		p->nstrips = i + 1;
	}
	return 0;
}

/* PhotometricInterpretation 1 with a fax coding: what is coded white is black. */
static int invert_page(struct reader *rd, struct page *p, struct error *e)
{
	_bitmap_ struct bitmap b = { 0 };
	int r = bitmap_decode(&b, p, e);

	if (r < 0)
		return bad_page(rd, e, r, "its strips cannot be decoded");
	for (uint32_t y = 0; y < b.rows; y++) {
		uint8_t *row = bitmap_row(&b, y);

		for (size_t i = 0; i < b.stride; i++)
			row[i] = ~row[i];
		if (b.width % 8)
			row[b.stride - 1] &= 0xff00 >> b.width % 8;
	}
	r = bitmap_to_page(&b, FAX_ENC_MMR, 0, p);
	return r < 0 ? error_set(e, r, "Out of memory") : 0;
}

static int read_fax(struct reader *rd, const struct layout *y, struct page *p, struct error *e)
{
	int r = take_strips(rd, y, p, e);

	if (r >= 0 && y->photometric == PHOTOMETRIC_MINISBLACK)
		r = invert_page(rd, p, e);
	return r;
}

/* --- other images, by way of pixels --- */

static int read_bilevel(struct reader *rd, const struct layout *y, struct bitmap *b,
			struct error *e)
{
	tmsize_t need = TIFFScanlineSize(rd->tiff);
	bool invert = y->photometric == PHOTOMETRIC_MINISBLACK;

	if (need < 0 || (size_t)need > b->stride)
		return bad_page(rd, e, -EBADMSG, "its rows do not have the length of ImageWidth");
	for (uint32_t i = 0; i < y->rows; i++) {
		uint8_t *row = bitmap_row(b, i);
		int r = i % 256 ? 0 : check_time(rd, e);

		if (r < 0)
			return r;
		if (TIFFReadScanline(rd->tiff, row, i, 0) != 1)
			return bad_page(rd, e, -EBADMSG, "its strips cannot be decoded");
		for (size_t k = 0; invert && k < b->stride; k++)
			row[k] = ~row[k];
		if (b->width % 8)
			row[b->stride - 1] &= 0xff00 >> b->width % 8;
	}
	return 0;
}

/* Ordered dither: an 8 by 8 Bayer matrix, thresholds from 2 to 254. */
static bool dithered_black(uint32_t grey, uint32_t x, uint32_t y)
{
	uint32_t v = 0;

	for (uint32_t bit = 0; bit < 3; bit++) {
		uint32_t xb = x >> bit & 1, yb = y >> bit & 1;

		v = v << 2 | (xb ^ yb) << 1 | yb;
	}
	return grey < v * 4 + 2;
}

/* A transparent pixel shows the paper. */
static uint32_t grey_of(uint32_t abgr)
{
	uint32_t a = TIFFGetA(abgr);
	uint32_t luma = 299 * TIFFGetR(abgr) + 587 * TIFFGetG(abgr) + 114 * TIFFGetB(abgr);

	return (luma / 1000 * a + 255 * (255 - a)) / 255;
}

static void dither_row(struct bitmap *b, uint32_t y, const uint32_t *pixels)
{
	uint8_t *row = bitmap_row(b, y);

	for (uint32_t x = 0; x < b->width; x++)
		if (dithered_black(grey_of(pixels[x]), x, y))
			row[x / 8] |= 0x80 >> x % 8;
}

static int read_grey(struct reader *rd, const struct layout *y, struct bitmap *b, struct error *e)
{
	uint64_t pixels = (uint64_t)y->width * y->rows_per_strip;
	_free_ uint32_t *rgba = NULL;

	if (pixels > RGBA_PIXELS)
		return bad_page(rd, e, -EFBIG, "RowsPerStrip is too large for a grey image");
	rgba = calloc(pixels, sizeof(*rgba));
	if (!rgba)
		return error_set(e, -ENOMEM, "Out of memory");
	for (uint32_t top = 0; top < y->rows; top += y->rows_per_strip) {
		uint32_t left = y->rows - top;
		uint32_t rows = left < y->rows_per_strip ? left : y->rows_per_strip;
		int r = check_time(rd, e);

		if (r < 0)
			return r;
		if (TIFFReadRGBAStripExt(rd->tiff, top, rgba, 1) != 1)
			return bad_page(rd, e, -EBADMSG, "its strips cannot be decoded");
		/* libtiff gives a strip bottom row first. */
		for (uint32_t i = 0; i < rows; i++)
			dither_row(b, top + i, rgba + (size_t)(rows - 1 - i) * y->width);
	}
	return 0;
}

static int read_pixels(struct reader *rd, const struct layout *y, struct page *p, struct error *e)
{
	_bitmap_ struct bitmap b = { 0 };
	bool bilevel = y->bits == 1 && y->samples == 1 && y->photometric <= PHOTOMETRIC_MINISBLACK;
	int r = bitmap_alloc(&b, y->width, y->rows);

	if (r < 0)
		return bad_page(rd, e, r, "its size is beyond the limit");
	r = bilevel ? read_bilevel(rd, y, &b, e) : read_grey(rd, y, &b, e);
	if (r < 0)
		return r;
	r = bitmap_to_page(&b, FAX_ENC_MMR, 0, p);
	return r < 0 ? error_set(e, r, "Out of memory") : 0;
}

/* --- the file --- */

static int read_page(struct reader *rd, struct page_list *l, struct error *e)
{
	struct layout y;
	struct page *p;
	int r = check_time(rd, e);

	if (r >= 0)
		r = read_layout(rd, &y, e);
	if (r < 0)
		return r;
	p = page_list_add(l);
	if (!p)
		return error_set(e, -ENOMEM, "Out of memory");
	p->width = y.width;
	p->rows = y.rows;
	p->xres = resolution(rd, TIFFTAG_XRESOLUTION, DEFAULT_XRES);
	p->yres = resolution(rd, TIFFTAG_YRESOLUTION, DEFAULT_YRES);
	return is_fax(&y) ? read_fax(rd, &y, p, e) : read_pixels(rd, &y, p, e);
}

/* A small file can bring pixels that take much room as fax code: noise, and a bomb. */
static int add_page(struct reader *rd, struct page_list *l, struct error *e)
{
	int r = read_page(rd, l, e);

	if (r < 0)
		return r;
	rd->made += l->pages[l->n - 1].backing_len;
	if (rd->limits.max_bytes && rd->made > rd->limits.max_bytes)
		return bad_page(rd, e, -EFBIG, "with it the pages take more room than is allowed");
	return 0;
}

/* A thumbnail is no page of the document. */
static bool is_thumbnail(struct reader *rd)
{
	uint32_t type = 0;

	return TIFFGetField(rd->tiff, TIFFTAG_SUBFILETYPE, &type) && type & FILETYPE_REDUCEDIMAGE;
}

static int read_pages(struct reader *rd, struct page_list *l, struct error *e)
{
	int r;

	do {
		rd->complaint[0] = '\0';
		if (rd->number > rd->limits.max_pages)
			return error_set(e, -EFBIG, "The TIFF file has more than %u pages",
					 rd->limits.max_pages);
		r = is_thumbnail(rd) ? 0 : add_page(rd, l, e);
		if (r < 0)
			return r;
		rd->number++;
		rd->complaint[0] = '\0';
	} while (TIFFReadDirectory(rd->tiff) == 1);
	/* libtiff says nothing at the end of the chain, and something where it is broken. */
	if (rd->complaint[0])
		return bad_directory(rd, e);
	return 0;
}

static void set_limits(struct tiff_limits *l, const struct tiff_limits *from)
{
	if (from)
		*l = *from;
	if (!l->max_pages)
		l->max_pages = DEFAULT_PAGES;
	if (!l->max_rows)
		l->max_rows = DEFAULT_ROWS;
	if (!l->max_pixels)
		l->max_pixels = DEFAULT_PIXELS;
}

int tiff_read(const void *data, size_t len, const struct tiff_limits *limits, struct page_list *l,
	      struct error *e)
{
	struct reader rd = { .data = data, .len = len };
	size_t before = l->n;
	int r;

	set_limits(&rd.limits, limits);
	r = reader_open(&rd, e);
	if (r >= 0)
		r = read_pages(&rd, l, e);
	if (rd.tiff)
		TIFFClose(rd.tiff);
	if (r >= 0 && l->n == before)
		r = error_set(e, -EBADMSG, "The TIFF file has no pages");
	if (r < 0)
		page_list_truncate(l, before);
	return r;
}
