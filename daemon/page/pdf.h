/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PDF documents as pages, drawn by poppler at the printer's own resolution. */
#ifndef IFAX_PAGE_PDF_H
#define IFAX_PAGE_PDF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "page/page.h"
#include "page/paper.h"

bool pdf_recognize(const void *data, size_t len);

/*
 * Appends all its pages: in their own size where that fits the paper, turned
 * where that helps. -EBADMSG: damaged, or nothing to be seen without a password;
 * -EFBIG: more pages or bytes than allowed; -ETIMEDOUT.
 */
int pdf_read(const void *data, size_t len, const struct raster_engine *engine,
	     const struct paper_limits *limits, struct page_list *l, struct error *e);

#endif
