/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets text as pages: any script, each paragraph in its own direction, wrapped
 * at words. Of what has no glyph in any font the code point is drawn, in a box.
 * For the worker: text comes from strangers, and fonts are read here.
 *
 * One typeset is one document: its pages carry "page n of m" at their foot.
 */
#ifndef IFAX_PAGE_TYPESET_H
#define IFAX_PAGE_TYPESET_H

#include <stdint.h>

#include "base/error.h"
#include "page/page.h"
#include "page/paper.h"

struct typeset;

enum typeset_style {
	TYPESET_FIXED,		/* lines as they are, 80 columns, tabs at every eighth */
	TYPESET_PROSE,		/* each line a paragraph that flows */
	TYPESET_HEAD,		/* "Name: value" lines, a rule below */
	TYPESET_MARK,		/* a line that must not be overlooked */
};

/*
 * @title: for the foot of each page, may be NULL. -ENOENT: no font is installed;
 * -EINVAL: the engine names no size that text fits on.
 */
int typeset_new(struct typeset **ret, const struct raster_engine *engine,
		const struct paper_limits *limits, const char *title, struct error *e);
/*
 * Appends @len bytes; what is not UTF-8 becomes U+FFFD. A form feed ends the
 * page. -EFBIG: more pages or bytes than allowed; -ETIMEDOUT. After an error only
 * typeset_free() makes sense.
 */
int typeset_add(struct typeset *t, enum typeset_style style, const char *text, size_t len,
		struct error *e);
/* Ends the document: its pages, one at least, are appended to @l. */
int typeset_finish(struct typeset *t, struct page_list *l, struct error *e);
void typeset_free(struct typeset *t);
/* Characters so far that no font had. */
uint32_t typeset_unknown(const struct typeset *t);

#endif
