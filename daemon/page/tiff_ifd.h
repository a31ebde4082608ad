/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A look at a TIFF directory (IFD) that libtiff does not take, to tell people
 * which tag is at fault. Finds words only; nothing is read by it.
 */
#ifndef IFAX_PAGE_TIFF_IFD_H
#define IFAX_PAGE_TIFF_IFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is wrong with directory @n (from 1) of the file, in @text, naming the
 * tag; false: nothing that this look can see.
 */
bool tiff_ifd_fault(const uint8_t *data, size_t len, bool little_endian, unsigned int n,
		    char *text, size_t size);

#endif
