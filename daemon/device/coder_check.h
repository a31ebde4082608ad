/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is what a board's coder says true? A small page of a pattern is coded by it, in each
 * encoding that it knows, and that code decoded, by it and on the processor: the pixels
 * must be those of the pattern. Jobs of others go on meanwhile; the kernel parts the coder.
 *
 * Lifetime: a check is freed by coder_check_free(), from within its own callback, too. It
 * has an open of its own and outlives the board, of whose removal it tells.
 */
#ifndef IFAX_DEVICE_CODER_CHECK_H
#define IFAX_DEVICE_CODER_CHECK_H

#include "base/error.h"
#include "device/board.h"

struct coder_check;

/* Called once, on the event loop. @r 0: all was right; else @e says what was not. */
typedef void (*coder_check_fn)(void *userdata, int r, const struct error *e);

/* -ENOENT: the board has no coder. After an error @done is not called. */
int coder_check_new(struct coder_check **ret, const struct board *b, coder_check_fn done,
		    void *userdata, struct error *e);
void coder_check_free(struct coder_check *c);	/* NULL is fine */

#endif
