// SPDX-License-Identifier: LGPL-2.1-or-later
/* Any bytes set as pages, in any style, on a small sheet; the code decodes. */
#include <stdint.h>
#include <stdlib.h>

#include "page/bitmap.h"
#include "page/typeset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* fontconfig keeps what it has read until the program ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\nleak:libpango";
}

static void must_decode(struct page_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct bitmap b = { 0 };
		struct error e;

		if (bitmap_decode(&b, &l->pages[i], &e) < 0 || l->pages[i].rows_bad)
			abort();
		bitmap_free(&b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct raster_engine small = {
		.nwidths = 1, .widths = { 600 }, .nresolutions = 1,
		.resolutions = { { 8000, 3850 } }, .rows_max = 400,
	};
	static const struct paper_limits limits = { .max_pages = 4 };
	struct page_list l = { 0 };
	struct typeset *t;
	struct error e = { 0 };
	int r;

	if (!size || typeset_new(&t, &small, &limits, "fuzz", &e) < 0)
		return 0;
	r = typeset_add(t, data[0] % (TYPESET_MARK + 1), (const char *)data + 1, size - 1, &e);
	if (r >= 0)
		r = typeset_finish(t, &l, &e);
	if (r < 0 && !e.text[0])
		abort();
	must_decode(&l);
	page_list_clear(&l);
	typeset_free(t);
	return 0;
}
