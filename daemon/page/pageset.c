/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "page/pageset.h"

#define MAGIC	   0x31534649u	/* "IFS1" */
#define ROWS_MAX   (1u << 20)
#define STRIPS_MAX (1u << 20)

struct set_header {
	uint32_t magic;
	uint32_t npages;
	uint32_t nstrips;	/* of all pages */
	uint32_t pad;
	uint64_t length;	/* of the whole */
};

struct set_page {
	uint32_t width;
	uint32_t rows;
	uint32_t xres;
	uint32_t yres;
	uint32_t rows_bad;
	uint32_t nstrips;
};

struct set_strip {
	uint64_t offset;	/* from the start */
	uint64_t length;
	uint32_t rows;
	uint32_t encoding;
	uint32_t k;
	uint32_t flags;
};

/* A mapping that the pages of a set share. */
struct mapping {
	void *addr;
	size_t len;
	size_t refs;
};

int pageset_create(struct error *e)
{
	int fd = memfd_create("ifax-pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? error_set(e, -errno, "Cannot make memory for pages: %m") : fd;
}

/* --- writing --- */

static int write_at(int fd, const void *data, size_t len, uint64_t *at)
{
	const char *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, *at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
		*at += n;
	}
	return 0;
}

static void measure(const struct page_list *l, struct set_header *h)
{
	memset(h, 0, sizeof(*h));
	h->magic = MAGIC;
	h->npages = l->n;
	h->length = sizeof(*h) + l->n * sizeof(struct set_page);
	for (size_t i = 0; i < l->n; i++) {
		h->nstrips += l->pages[i].nstrips;
		for (uint32_t k = 0; k < l->pages[i].nstrips; k++)
			h->length += sizeof(struct set_strip) + l->pages[i].strips[k].len;
	}
}

static int write_pages(const struct page_list *l, int fd, uint64_t *at)
{
	int r = 0;

	for (size_t i = 0; i < l->n && r >= 0; i++) {
		const struct page *p = &l->pages[i];
		struct set_page rec = {
			.width = p->width, .rows = p->rows, .xres = p->xres, .yres = p->yres,
			.rows_bad = p->rows_bad, .nstrips = p->nstrips,
		};

		r = write_at(fd, &rec, sizeof(rec), at);
	}
	return r;
}

static int write_strips(const struct page_list *l, int fd, uint64_t *at, uint64_t data)
{
	int r = 0;

	for (size_t i = 0; i < l->n; i++)
		for (uint32_t k = 0; k < l->pages[i].nstrips && r >= 0; k++) {
			const struct page_strip *s = &l->pages[i].strips[k];
			struct set_strip rec = {
				.offset = data, .length = s->len, .rows = s->rows,
				.encoding = s->encoding, .k = s->k, .flags = s->flags,
			};

			r = write_at(fd, &rec, sizeof(rec), at);
			data += s->len;
		}
	return r;
}

static int write_code(const struct page_list *l, int fd, uint64_t *at)
{
	int r = 0;

	for (size_t i = 0; i < l->n; i++)
		for (uint32_t k = 0; k < l->pages[i].nstrips && r >= 0; k++)
			r = write_at(fd, l->pages[i].strips[k].data, l->pages[i].strips[k].len, at);
	return r;
}

int pageset_write(const struct page_list *l, int fd, uint64_t max_bytes, struct error *e)
{
	struct set_header h;
	uint64_t at = 0, data;
	int r;

	measure(l, &h);
	data = sizeof(h) + h.npages * sizeof(struct set_page) +
	       (uint64_t)h.nstrips * sizeof(struct set_strip);
	if (l->n > PAGESET_PAGES_MAX || h.length > max_bytes)
		return error_set(e, -EFBIG, "The pages take more than %llu bytes",
				 (unsigned long long)max_bytes);
	r = write_at(fd, &h, sizeof(h), &at);
	if (r >= 0)
		r = write_pages(l, fd, &at);
	if (r >= 0)
		r = write_strips(l, fd, &at, data);
	if (r >= 0)
		r = write_code(l, fd, &at);
	return r < 0 ? error_set(e, r, "Cannot hand the pages on: %s", strerror(-r)) : 0;
}

/* --- reading: nothing in there is to be believed --- */

static int refuse(struct error *e)
{
	return error_set(e, -EBADMSG, "The worker handed back pages that do not add up");
}

static bool page_ok(const struct set_page *p)
{
	return p->width && p->width <= FAX_MAX_WIDTH && p->rows && p->rows <= ROWS_MAX && p->xres &&
	       p->yres && p->rows_bad <= p->rows && p->nstrips;
}

static bool strip_ok(const struct set_strip *s, uint64_t data, uint64_t len)
{
	const uint32_t flags = FAX_FMT_LSB_FIRST | FAX_FMT_EOL | FAX_FMT_EOL_ALIGN | FAX_FMT_END;

	return s->encoding >= FAX_ENC_MH && s->encoding <= FAX_ENC_MMR && !(s->flags & ~flags) &&
	       s->k <= 255 && s->rows && s->length && s->offset >= data && s->offset <= len &&
	       s->length <= len - s->offset;
}

/* Takes the strips of one page, the next ones in @records. */
static int take_page(const char *base, const struct set_page *rec, const char *records,
		     uint64_t data, uint64_t len, struct page *p)
{
	uint64_t rows = 0;

	p->width = rec->width;
	p->rows = rec->rows;
	p->xres = rec->xres;
	p->yres = rec->yres;
	p->rows_bad = rec->rows_bad;
	p->strips = calloc(rec->nstrips, sizeof(*p->strips));
	if (!p->strips)
		return -ENOMEM;
	for (uint32_t i = 0; i < rec->nstrips; i++) {
		struct set_strip s;

		memcpy(&s, records + i * sizeof(s), sizeof(s));
		if (!strip_ok(&s, data, len))
			return -EBADMSG;
		p->strips[i] = (struct page_strip){
			.data = base + s.offset, .len = s.length, .rows = s.rows,
			.encoding = s.encoding, .k = s.k, .flags = s.flags,
		};
		p->nstrips = i + 1;
		rows += s.rows;
	}
	return rows == rec->rows ? 0 : -EBADMSG;
}

static int take_pages(const char *base, const struct set_header *h, struct page_list *l)
{
	const char *pages = base + sizeof(*h);
	const char *strips = pages + h->npages * sizeof(struct set_page);
	uint64_t data = strips - base + (uint64_t)h->nstrips * sizeof(struct set_strip);
	uint32_t left = h->nstrips;

	for (uint32_t i = 0; i < h->npages; i++) {
		struct set_page rec;
		struct page *p;
		int r;

		memcpy(&rec, pages + i * sizeof(rec), sizeof(rec));
		if (!page_ok(&rec) || rec.nstrips > left)
			return -EBADMSG;
		p = page_list_add(l);
		if (!p)
			return -ENOMEM;
		r = take_page(base, &rec, strips, data, h->length, p);
		if (r < 0)
			return r;
		strips += rec.nstrips * sizeof(struct set_strip);
		left -= rec.nstrips;
	}
	return left ? -EBADMSG : 0;
}

static bool header_ok(const struct set_header *h, size_t len)
{
	return h->magic == MAGIC && h->npages <= PAGESET_PAGES_MAX && h->nstrips <= STRIPS_MAX &&
	       !h->pad && h->length == len &&
	       sizeof(*h) + h->npages * sizeof(struct set_page) +
			       (uint64_t)h->nstrips * sizeof(struct set_strip) <= len;
}

int pageset_parse(const void *data, size_t len, struct page_list *l, struct error *e)
{
	struct set_header h;
	size_t before = l->n;
	int r;

	if (len < sizeof(h))
		return refuse(e);
	memcpy(&h, data, sizeof(h));
	if (!header_ok(&h, len))
		return refuse(e);
	r = take_pages(data, &h, l);
	if (r < 0)
		page_list_truncate(l, before);
	if (r == -EBADMSG)
		return refuse(e);
	return r < 0 ? error_set(e, r, "Out of memory") : 0;
}

static void mapping_unref(void *backing, size_t len)
{
	struct mapping *m = backing;

	if (--m->refs)
		return;
	munmap(m->addr, m->len);
	free(m);
}

static int map_sealed(int fd, struct mapping *m, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(e, -errno, "Cannot read the pages: %m");
	if (st.st_size < (off_t)sizeof(struct set_header) || st.st_size > PAGESET_BYTES_MAX)
		return refuse(e);
	m->len = st.st_size;
	m->addr = mmap(NULL, m->len, PROT_READ, MAP_PRIVATE, fd, 0);
	return m->addr == MAP_FAILED ? error_set(e, -errno, "Cannot map the pages: %m") : 0;
}

int pageset_seal(int fd, struct page_list *l, struct error *e)
{
	_free_ struct mapping *m = calloc(1, sizeof(*m));
	size_t before = l->n;
	int r;

	if (!m)
		return error_set(e, -ENOMEM, "Out of memory");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return error_set(e, -errno, "Cannot seal the pages: %m");
	r = map_sealed(fd, m, e);
	if (r < 0)
		return r;
	r = pageset_parse(m->addr, m->len, l, e);
	if (r < 0 || l->n == before) {
		munmap(m->addr, m->len);
		return r;
	}
	m->refs = l->n - before;
	for (size_t i = before; i < l->n; i++) {
		l->pages[i].backing = m;
		l->pages[i].backing_len = m->len;
		l->pages[i].backing_free = mapping_unref;
	}
	take_ptr(m);
	return 0;
}
