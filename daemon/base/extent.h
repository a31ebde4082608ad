/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stretch of a file: @len bytes from @at on. Whose the descriptor is, says who hands it over. */
#ifndef IFAX_BASE_EXTENT_H
#define IFAX_BASE_EXTENT_H

#include <stdint.h>

struct extent {
	int fd;			/* -1: none */
	uint64_t at;
	uint64_t len;
};

#endif
