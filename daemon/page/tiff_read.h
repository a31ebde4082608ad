/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads TIFF files of strangers; for the worker only. Strips that are fax
 * coded already are handed on as they are; other bilevel and grey images are
 * decoded, dithered where grey, and coded as MMR.
 */
#ifndef IFAX_PAGE_TIFF_READ_H
#define IFAX_PAGE_TIFF_READ_H

#include <stdbool.h>

#include "base/error.h"
#include "page/page.h"

/* Each 0 = the default named beside it. */
struct tiff_limits {
	uint32_t max_pages;	/* 500 */
	uint32_t max_rows;	/* of a page: 65536 */
	uint64_t max_pixels;	/* of a page: 256 Mi */
	uint64_t max_bytes;	/* of pages that are coded anew, all together; 0 = none */
	uint64_t deadline;	/* CLOCK_MONOTONIC, microseconds; 0 = none */
};

/* Do these bytes begin like a TIFF file, odd byte orders included? */
bool tiff_recognize(const void *data, size_t len);

/*
 * Appends the pages of the file to @l. Their strips may point into @data, which
 * must outlive them. An error names page and tag: -EBADMSG broken, -EFBIG beyond
 * a limit, -ENOTSUP an image that is not for fax, -ETIMEDOUT; @l then holds what
 * it held before.
 */
int tiff_read(const void *data, size_t len, const struct tiff_limits *limits,
	      struct page_list *l, struct error *e);

#endif
