/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first picture of a GIF file (GIF87a, GIF89a) in grey: of a moving one that is
 * all that paper can show. Everything is measured before memory is taken for it.
 */
#ifndef IFAX_PAGE_GIF_H
#define IFAX_PAGE_GIF_H

#include "base/error.h"
#include "page/halftone.h"

bool gif_recognize(const void *data, size_t len);
/* The canvas, and what of the first picture stands out of it. -EBADMSG: it is damaged. */
int gif_measure(const void *data, size_t len, uint32_t *width, uint32_t *rows, struct error *e);
/* What the picture leaves free, or lets shine through, is white. -EBADMSG, -ENOMEM. */
int gif_decode(const void *data, size_t len, struct grey *ret, struct error *e);

#endif
