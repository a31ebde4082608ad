/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes TIFF-FX (RFC 3949), profiles S and F. Coded strips go in as they are,
 * byte for byte. Little-endian; the header, then page by page its IFD, the
 * values of that, its strips: a receiver without memory to seek in can print
 * while it reads.
 *
 * The page list stays the caller's and is only read.
 */
#ifndef IFAX_PAGE_TIFF_WRITE_H
#define IFAX_PAGE_TIFF_WRITE_H

#include "base/buffer.h"
#include "base/error.h"
#include "page/page.h"

enum tiff_profile {
	TIFF_PROFILE_S,	/* for those of whom nothing is known: MH, 1728 pixels, one strip */
	TIFF_PROFILE_F,	/* MH, MR or MMR, any width and resolution */
};

/*
 * How pages for a profile are to be coded: flags for the coder (FAX_FMT_*).
 * T.4 code in a TIFF has an EOL before each line and no RTC; profile S wants
 * the least significant bit first.
 */
uint32_t tiff_coding_flags(enum tiff_profile profile, uint32_t encoding);

/*
 * Appends the file to @out. -EINVAL: a page does not fit the profile, the
 * sentence says which and why; -EFBIG: beyond 4 GiB.
 */
int tiff_write(const struct page_list *pages, enum tiff_profile profile, struct buffer *out,
	       struct error *e);
/* The same to the present position of @fd, without a copy of the strips. */
int tiff_write_fd(const struct page_list *pages, enum tiff_profile profile, int fd,
		  struct error *e);

/*
 * Whole dots per inch by which fax knows a resolution (8000 pixels per metre
 * are 204, 3850 are 98), and back; dots per inch that mean one of T.30's
 * metric resolutions give that.
 */
uint32_t tiff_dpi(uint32_t per_metre);
uint32_t tiff_per_metre(double dpi);

#endif
