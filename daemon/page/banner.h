/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line of text as a coded strip, to be printed above a page without touching
 * the page's own code: "possible second copy", the header line. For text of
 * ours; it runs in the daemon.
 */
#ifndef IFAX_PAGE_BANNER_H
#define IFAX_PAGE_BANNER_H

#include "base/error.h"
#include "page/page.h"

/*
 * Makes @ret a page of a few rows in MMR: p->strips[0] goes before the strips
 * of a page of the same width. Text that is too long is cut with an ellipsis.
 * -EINVAL: not UTF-8 or no size; -ENOENT: no font is installed that has it.
 */
int banner_make(const char *text, uint32_t width, uint32_t xres, uint32_t yres,
		struct page *ret, struct error *e);

#endif
