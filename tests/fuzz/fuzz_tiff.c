// SPDX-License-Identifier: LGPL-2.1-or-later
/* Any bytes as a TIFF file, its pages then fitted to an engine as the worker does. */
#include <stdint.h>
#include <stdlib.h>

#include "page/raster.h"
#include "page/tiff_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tiff_limits limits = {
		.max_pages = 4, .max_rows = 5000, .max_pixels = 4 << 20,
	};
	struct page_list l = { 0 };
	struct error e = { 0 };

	if (tiff_read(data, size, &limits, &l, &e) < 0) {
		if (!e.text[0] || l.n)
			abort();
		return 0;
	}
	for (size_t i = 0; i < l.n; i++) {
		struct page *p = &l.pages[i];

		if (raster_fit(p, &raster_common_engine, 500, &e) < 0)
			continue;
		if (p->xres != 8000 && p->xres != 16000)
			abort();
	}
	page_list_clear(&l);
	return 0;
}
