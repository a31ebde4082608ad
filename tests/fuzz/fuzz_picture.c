// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Any bytes as a picture or, where they look like it, as a document: with tight
 * limits, for it is our use of the libraries that is looked at, not they.
 */
#include <stdint.h>
#include <stdlib.h>

#include "page/bitmap.h"
#include "page/exif.h"
#include "page/pdf.h"
#include "page/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the libraries keep until the program ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\nleak:libpoppler";
}

static const struct raster_engine small = {
	.nwidths = 1, .widths = { 128 }, .nresolutions = 1,
	.resolutions = { { 8000, 3850 } }, .rows_max = 200,
};

static void must_decode(struct page_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct bitmap b = { 0 };
		struct error e;

		if (l->pages[i].width != 128 || l->pages[i].rows > 200 ||
		    bitmap_decode(&b, &l->pages[i], &e) < 0 || l->pages[i].rows_bad)
			abort();
		bitmap_free(&b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct paper_limits limits = { .max_pages = 2, .max_bytes = 1 << 20 };
	struct page_list l = { 0 };
	struct error e = { 0 };
	uint32_t quarters;
	bool mirror;
	int r = 0;

	exif_orientation(data, size, &quarters, &mirror);
	if (quarters > 3)
		abort();
	if (picture_recognize(data, size))
		r = picture_read(data, size, &small, 200000, &l, &e);
	else if (pdf_recognize(data, size))
		r = pdf_read(data, size, &small, &limits, &l, &e);
	if (r < 0 && !e.text[0])
		abort();
	must_decode(&l);
	page_list_clear(&l);
	return 0;
}
