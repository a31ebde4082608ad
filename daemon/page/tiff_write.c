/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "page/tiff_write.h"

#define HEADER_LEN  8
#define ENTRY_LEN   12
#define MAX_ENTRIES 16
#define MAX_STRIPS  4096

enum {
	TAG_NEW_SUBFILE_TYPE  = 254,
	TAG_IMAGE_WIDTH	      = 256,
	TAG_IMAGE_LENGTH      = 257,
	TAG_BITS_PER_SAMPLE   = 258,
	TAG_COMPRESSION	      = 259,
	TAG_PHOTOMETRIC	      = 262,
	TAG_FILL_ORDER	      = 266,
	TAG_STRIP_OFFSETS     = 273,
	TAG_SAMPLES_PER_PIXEL = 277,
	TAG_ROWS_PER_STRIP    = 278,
	TAG_STRIP_BYTE_COUNTS = 279,
	TAG_X_RESOLUTION      = 282,
	TAG_Y_RESOLUTION      = 283,
	TAG_T4_OPTIONS	      = 292,
	TAG_T6_OPTIONS	      = 293,
	TAG_RESOLUTION_UNIT   = 296,
	TAG_PAGE_NUMBER	      = 297,
};

enum {
	TYPE_SHORT    = 3,
	TYPE_LONG     = 4,
	TYPE_RATIONAL = 5,
};

/* Where the file goes: into a buffer or a descriptor. */
struct sink {
	struct buffer *buffer;
	int fd;
};

/* An IFD in the making, to lie at @offset; values beyond four bytes follow it. */
struct ifd {
	struct buffer entries;
	struct buffer values;
	uint32_t offset;
	uint32_t values_offset;
	unsigned int n;
};

/* Fax counts in lines per millimetre and calls the outcome by an even number. */
static const struct {
	uint32_t per_metre;
	uint32_t dpi;
} fax_resolutions[] = {
	{ FAX_RES_3_85_MM, 98 },  { FAX_RES_7_7_MM, 196 }, { FAX_RES_8_MM, 204 },
	{ FAX_RES_15_4_MM, 391 }, { FAX_RES_16_MM, 408 },
};

uint32_t tiff_dpi(uint32_t per_metre)
{
	for (size_t i = 0; i < ARRAY_SIZE(fax_resolutions); i++)
		if (fax_resolutions[i].per_metre == per_metre)
			return fax_resolutions[i].dpi;
	return ((uint64_t)per_metre * 254 + 5000) / 10000;
}

uint32_t tiff_per_metre(double dpi)
{
	double m = dpi / 0.0254;

	if (!(m >= 1 && m < 1e6))
		return 0;
	/* One in a hundred apart is the same: 204 dpi are 8031 a metre, and mean 8000. */
	for (size_t i = 0; i < ARRAY_SIZE(fax_resolutions); i++) {
		double f = fax_resolutions[i].per_metre;

		if (m > f * 0.99 && m < f * 1.01)
			return fax_resolutions[i].per_metre;
	}
	return m + 0.5;
}

uint32_t tiff_coding_flags(enum tiff_profile profile, uint32_t encoding)
{
	uint32_t flags = encoding == FAX_ENC_MMR ? FAX_FMT_END : FAX_FMT_EOL;

	return profile == TIFF_PROFILE_S ? flags | FAX_FMT_LSB_FIRST : flags;
}

static int sink_put(const struct sink *s, const void *data, size_t len)
{
	const char *p = data;

	if (s->buffer)
		return buffer_append(s->buffer, data, len);
	while (len) {
		ssize_t n = write(s->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

static int put16(struct buffer *b, uint32_t v)
{
	unsigned char raw[2] = { v, v >> 8 };

	return buffer_append(b, raw, sizeof(raw));
}

static int put32(struct buffer *b, uint32_t v)
{
	unsigned char raw[4] = { v, v >> 8, v >> 16, v >> 24 };

	return buffer_append(b, raw, sizeof(raw));
}

static int ifd_head(struct ifd *d, unsigned int tag, unsigned int type, uint32_t count)
{
	int r = put16(&d->entries, tag);

	if (r >= 0)
		r = put16(&d->entries, type);
	if (r >= 0)
		r = put32(&d->entries, count);
	d->n++;
	return r;
}

static int ifd_short(struct ifd *d, unsigned int tag, uint32_t value)
{
	int r = ifd_head(d, tag, TYPE_SHORT, 1);

	return r < 0 ? r : put32(&d->entries, value & 0xffff);
}

/* Two SHORTs lie side by side in the entry itself. */
static int ifd_short2(struct ifd *d, unsigned int tag, uint32_t a, uint32_t b)
{
	int r = ifd_head(d, tag, TYPE_SHORT, 2);

	if (r >= 0)
		r = put16(&d->entries, a);
	return r < 0 ? r : put16(&d->entries, b);
}

static int ifd_long(struct ifd *d, unsigned int tag, uint32_t value)
{
	int r = ifd_head(d, tag, TYPE_LONG, 1);

	return r < 0 ? r : put32(&d->entries, value);
}

static int ifd_longs(struct ifd *d, unsigned int tag, const uint32_t *values, uint32_t n)
{
	int r;

	if (n == 1)
		return ifd_long(d, tag, values[0]);
	r = ifd_head(d, tag, TYPE_LONG, n);
	if (r >= 0)
		r = put32(&d->entries, d->values_offset + d->values.len);
	for (uint32_t i = 0; i < n && r >= 0; i++)
		r = put32(&d->values, values[i]);
	return r;
}

static int ifd_ratio(struct ifd *d, unsigned int tag, uint32_t value)
{
	int r = ifd_head(d, tag, TYPE_RATIONAL, 1);

	if (r >= 0)
		r = put32(&d->entries, d->values_offset + d->values.len);
	if (r >= 0)
		r = put32(&d->values, value);
	return r < 0 ? r : put32(&d->values, 1);
}

static uint32_t t4_options(const struct page_strip *s)
{
	return (s->encoding == FAX_ENC_MR ? 1 : 0) | (s->flags & FAX_FMT_EOL_ALIGN ? 4 : 0);
}

/* Bytes of @p's IFD and its values, strips following at once. */
static uint32_t ifd_size(const struct page *p)
{
	uint32_t strips = p->nstrips > 1 ? 2 * 4 * p->nstrips : 0;

	return 2 + MAX_ENTRIES * ENTRY_LEN + 4 + strips + 2 * 8;
}

/* Entries stand in ascending order of their tags, as TIFF 6.0 asks. */
static int ifd_fill(struct ifd *d, const struct page *p, uint32_t number, uint32_t of,
		    const uint32_t *offsets, const uint32_t *counts)
{
	const struct page_strip *s = &p->strips[0];
	bool mmr = s->encoding == FAX_ENC_MMR;
	int r = 0;

	d->values_offset = d->offset + 2 + MAX_ENTRIES * ENTRY_LEN + 4;
#define ENTRY(call) (r = r < 0 ? r : (call))
	ENTRY(ifd_long(d, TAG_NEW_SUBFILE_TYPE, 2));
	ENTRY(ifd_long(d, TAG_IMAGE_WIDTH, p->width));
	ENTRY(ifd_long(d, TAG_IMAGE_LENGTH, p->rows));
	ENTRY(ifd_short(d, TAG_BITS_PER_SAMPLE, 1));
	ENTRY(ifd_short(d, TAG_COMPRESSION, mmr ? 4 : 3));
	ENTRY(ifd_short(d, TAG_PHOTOMETRIC, 0));
	ENTRY(ifd_short(d, TAG_FILL_ORDER, s->flags & FAX_FMT_LSB_FIRST ? 2 : 1));
	ENTRY(ifd_longs(d, TAG_STRIP_OFFSETS, offsets, p->nstrips));
	ENTRY(ifd_short(d, TAG_SAMPLES_PER_PIXEL, 1));
	ENTRY(ifd_long(d, TAG_ROWS_PER_STRIP, s->rows));
	ENTRY(ifd_longs(d, TAG_STRIP_BYTE_COUNTS, counts, p->nstrips));
	ENTRY(ifd_ratio(d, TAG_X_RESOLUTION, tiff_dpi(p->xres)));
	ENTRY(ifd_ratio(d, TAG_Y_RESOLUTION, tiff_dpi(p->yres)));
	ENTRY(mmr ? ifd_long(d, TAG_T6_OPTIONS, 0) : ifd_long(d, TAG_T4_OPTIONS, t4_options(s)));
	ENTRY(ifd_short(d, TAG_RESOLUTION_UNIT, 2));
	ENTRY(ifd_short2(d, TAG_PAGE_NUMBER, number, of));
#undef ENTRY
	return r;
}

static int write_ifd(const struct sink *s, struct ifd *d, uint32_t next)
{
	_buffer_ struct buffer head = { 0 };
	int r = put16(&head, d->n);

	if (r >= 0)
		r = buffer_append(&head, d->entries.data, d->entries.len);
	if (r >= 0)
		r = put32(&head, next);
	if (r >= 0)
		r = buffer_append(&head, d->values.data, d->values.len);
	return r < 0 ? r : sink_put(s, head.data, head.len);
}

/* Places @p's strips behind its IFD at @offset; returns the end, even, or 0 beyond 4 GiB. */
static uint32_t place_strips(const struct page *p, uint32_t offset, uint32_t *offsets,
			     uint32_t *counts)
{
	uint64_t at = (uint64_t)offset + ifd_size(p);

	for (uint32_t i = 0; i < p->nstrips; i++) {
		if (p->strips[i].len > UINT32_MAX - 1)
			return 0;
		offsets[i] = at;
		counts[i] = p->strips[i].len;
		at += p->strips[i].len;
		if (at > UINT32_MAX - 1)
			return 0;
	}
	return (at + 1) & ~1ull;
}

static int write_page(const struct sink *s, const struct page_list *l, size_t i, uint32_t *offset)
{
	const struct page *p = &l->pages[i];
	struct ifd d = { .offset = *offset };
	_free_ uint32_t *offsets = calloc(p->nstrips, sizeof(*offsets));
	_free_ uint32_t *counts = calloc(p->nstrips, sizeof(*counts));
	uint32_t end;
	int r;

	if (!offsets || !counts)
		return -ENOMEM;
	end = place_strips(p, *offset, offsets, counts);
	if (!end)
		return -EFBIG;
	r = ifd_fill(&d, p, i, l->n, offsets, counts);
	if (r >= 0)
		r = write_ifd(s, &d, i + 1 < l->n ? end : 0);
	for (uint32_t k = 0; k < p->nstrips && r >= 0; k++)
		r = sink_put(s, p->strips[k].data, p->strips[k].len);
	if (r >= 0 && (offsets[p->nstrips - 1] + counts[p->nstrips - 1]) & 1)
		r = sink_put(s, "", 1);
	buffer_free(&d.entries);
	buffer_free(&d.values);
	*offset = end;
	return r;
}

/* All strips of a TIFF page are coded alike and of one height, the last may be lower. */
static const char *strips_fault(const struct page *p)
{
	const struct page_strip *first = &p->strips[0];
	uint64_t rows = 0;

	if (!p->nstrips || p->nstrips > MAX_STRIPS)
		return "has no strips, or too many";
	for (uint32_t i = 0; i < p->nstrips; i++) {
		const struct page_strip *s = &p->strips[i];

		if (!s->len || !s->rows)
			return "has an empty strip";
		if (s->encoding != first->encoding || s->flags != first->flags)
			return "has strips of different coding";
		if (i + 1 < p->nstrips ? s->rows != first->rows : s->rows > first->rows)
			return "has strips of different heights";
		rows += s->rows;
	}
	return rows == p->rows ? NULL : "has strips that do not add up to its rows";
}

static const char *coding_fault(const struct page_strip *s)
{
	if (s->encoding == FAX_ENC_MMR)
		return NULL;
	if (s->encoding != FAX_ENC_MH && s->encoding != FAX_ENC_MR)
		return "is not coded as MH, MR or MMR";
	if (!(s->flags & FAX_FMT_EOL))
		return "has T.4 code without EOLs, which TIFF-FX does not allow";
	if (s->flags & FAX_FMT_END)
		return "has an RTC, which TIFF-FX does not allow";
	return NULL;
}

static bool one_of(uint32_t v, uint32_t a, uint32_t b)
{
	return v == a || v == b;
}

/* RFC 3949, 3.5: the fixed values of the minimal black-and-white profile. */
static const char *profile_s_fault(const struct page *p)
{
	uint32_t x = tiff_dpi(p->xres), y = tiff_dpi(p->yres);

	if (p->strips[0].encoding != FAX_ENC_MH)
		return "is not coded as MH, the only coding of profile S";
	if (!(p->strips[0].flags & FAX_FMT_LSB_FIRST))
		return "is coded most significant bit first, profile S wants it last";
	if (p->nstrips != 1)
		return "has several strips, profile S allows one";
	if (p->width != 1728)
		return "is not 1728 pixels wide, the only width of profile S";
	if (!one_of(x, 204, 200) || !(one_of(y, 98, 196) || one_of(y, 100, 200)))
		return "has a resolution that profile S does not allow";
	return NULL;
}

static const char *page_fault(const struct page *p, enum tiff_profile profile)
{
	const char *why;

	if (!p->width || p->width > FAX_MAX_WIDTH || !p->rows || !p->xres || !p->yres)
		return "has no size or no resolution";
	why = strips_fault(p);
	if (!why)
		why = coding_fault(&p->strips[0]);
	if (!why && profile == TIFF_PROFILE_S)
		why = profile_s_fault(p);
	return why;
}

static int check_pages(const struct page_list *l, enum tiff_profile profile, struct error *e)
{
	if (!l->n || l->n > UINT16_MAX)
		return error_set(e, -EINVAL, "A document of %zu pages cannot be a TIFF file", l->n);
	for (size_t i = 0; i < l->n; i++) {
		const char *why = page_fault(&l->pages[i], profile);

		if (why)
			return error_set(e, -EINVAL, "Page %zu %s", i + 1, why);
	}
	return 0;
}

static int write_file(const struct page_list *l, enum tiff_profile profile, const struct sink *s,
		      struct error *e)
{
	static const unsigned char header[HEADER_LEN] = { 'I', 'I', 42, 0, HEADER_LEN };
	uint32_t offset = HEADER_LEN;
	int r = check_pages(l, profile, e);

	if (r < 0)
		return r;
	r = sink_put(s, header, sizeof(header));
	for (size_t i = 0; i < l->n && r >= 0; i++)
		r = write_page(s, l, i, &offset);
	if (r == -EFBIG)
		return error_set(e, r, "The document is too large for a TIFF file");
	return r < 0 ? error_set(e, r, "Cannot write the TIFF file: %s", strerror(-r)) : 0;
}

int tiff_write(const struct page_list *pages, enum tiff_profile profile, struct buffer *out,
	       struct error *e)
{
	struct sink s = { .buffer = out };
	size_t before = out->len;
	int r;

	/* Offsets count from the file's own start, which is where it is appended. */
	r = write_file(pages, profile, &s, e);
	if (r < 0 && out->data) {
		out->len = before;
		out->data[before] = '\0';
	}
	return r;
}

int tiff_write_fd(const struct page_list *pages, enum tiff_profile profile, int fd,
		  struct error *e)
{
	struct sink s = { .fd = fd };

	return write_file(pages, profile, &s, e);
}
