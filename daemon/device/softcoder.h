/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The coder on the processor, for boards that have none: the only place of this
 * room that touches pixels. Pixels are those of FAX_ENC_RAW, rows @stride bytes
 * apart.
 */
#ifndef IFAX_DEVICE_SOFTCODER_H
#define IFAX_DEVICE_SOFTCODER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "page/page.h"

/* Appends the code of a page to @out; form->data and ->len are not used. */
int softcoder_encode(const void *raw, size_t stride, uint32_t width, uint32_t rows,
		     const struct page_strip *form, struct buffer *out);

/*
 * Decodes one strip of @width pixels into at most @room rows; *@rows are
 * written, *@rows_bad of them damaged. -EMSGSIZE: it has more; -EILSEQ: its
 * code cannot be followed to the end.
 */
int softcoder_decode(const struct page_strip *strip, uint32_t width, void *raw, size_t stride,
		     uint32_t room, uint32_t *rows, uint32_t *rows_bad);

#endif
