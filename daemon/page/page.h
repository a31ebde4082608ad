/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A page as it travels: coded strips, not pixels. Scanning fills one in, the
 * TIFF writer takes its strips as they are, the worker makes them from what
 * came by mail, printing hands them to the coder.
 */
#ifndef IFAX_PAGE_PAGE_H
#define IFAX_PAGE_PAGE_H

#include <stddef.h>
#include <stdint.h>

/* One coded stretch: a TIFF strip, or a banner that the daemon made. */
struct page_strip {
	const void *data;	/* belongs to the page's backing, see struct page.backing */
	size_t len;		/* bytes */
	uint32_t rows;
	uint32_t encoding;	/* FAX_ENC_MH, _MR, _MMR of uapi/linux/fax.h */
	uint32_t k;		/* MR: K, 0 = unknown */
	uint32_t flags;		/* FAX_FMT_LSB_FIRST, _EOL, _EOL_ALIGN, _END */
};

struct page {
	uint32_t width;		/* pixels */
	uint32_t rows;
	uint32_t xres;		/* pixels per metre */
	uint32_t yres;
	uint32_t rows_bad;	/* damaged rows the decoder met */
	uint32_t nstrips;
	struct page_strip *strips;	/* owned: page_clear() frees it */
	void *backing;		/* memory that the strips lie in */
	size_t backing_len;
	void (*backing_free)(void *backing, size_t len); /* NULL: the caller's */
};

/* A document: an array of pages, owned. */
struct page_list {
	struct page *pages;
	size_t n;
};

void page_clear(struct page *p);
void page_list_clear(struct page_list *l);
/*
 * Puts @below under @above, strip by strip: @above becomes both, in memory of its
 * own, @below is empty then. Both are of one width and resolution. -ENOMEM leaves
 * both as they were.
 */
int page_stack(struct page *above, struct page *below);
/* Drops the pages behind the first @n. */
void page_list_truncate(struct page_list *l, size_t n);
/* Appends an empty page; NULL: out of memory. Valid until the next append. */
struct page *page_list_add(struct page_list *l);

#endif
