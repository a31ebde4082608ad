/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first picture of a WebP file in grey, by libwebp: of a moving one that is
 * all that paper can show.
 */
#ifndef IFAX_PAGE_WEBP_H
#define IFAX_PAGE_WEBP_H

#include "base/error.h"
#include "page/halftone.h"

bool webp_recognize(const void *data, size_t len);
/* The canvas. -EBADMSG: it is damaged. */
int webp_measure(const void *data, size_t len, uint32_t *width, uint32_t *rows, struct error *e);
/* What the picture leaves free, or lets shine through, is white. -EBADMSG, -ENOMEM. */
int webp_decode(const void *data, size_t len, struct grey *ret, struct error *e);

#endif
