/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one thing of a photograph's Exif data that a page needs. */
#ifndef IFAX_PAGE_EXIF_H
#define IFAX_PAGE_EXIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is to be done to a JPEG's pixels for the picture to be upright: mirror
 * them left to right, then turn them so many quarters clockwise. Nothing, where
 * the file does not say.
 */
void exif_orientation(const void *jpeg, size_t len, uint32_t *quarters, bool *mirror);

#endif
