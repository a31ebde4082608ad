/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PNG, JPEG, GIF and WebP pictures as pages. By libpng, libjpeg-turbo and libwebp
 * themselves, which tell a picture's size before they take memory for it, and load
 * nothing else. Of a moving picture the first one is printed; what lets the paper
 * shine through stays white.
 */
#ifndef IFAX_PAGE_PICTURE_H
#define IFAX_PAGE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "page/page.h"
#include "page/paper.h"

struct picture_size {
	uint32_t width;
	uint32_t height;
};

/* By its first bytes. */
bool picture_recognize(const void *data, size_t len);
/* -EBADMSG: it is damaged. */
int picture_measure(const void *data, size_t len, struct picture_size *ret, struct error *e);

/*
 * Appends a page with the picture on it: as large as the paper lets it, turned
 * where that helps, but no larger than 96 dots per inch make it. -EBADMSG: it is
 * damaged; -EFBIG: it has more pixels than @max_pixels, 0 = 100 million.
 */
int picture_read(const void *data, size_t len, const struct raster_engine *engine,
		 uint64_t max_pixels, struct page_list *l, struct error *e);

#endif
