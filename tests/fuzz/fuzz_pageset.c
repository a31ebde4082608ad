// SPDX-License-Identifier: LGPL-2.1-or-later
/* Any bytes as what the worker hands back, magic number and length set right where they fit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "page/pageset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_LEN 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct page_list l = { 0 };
	uint64_t length = size;
	struct error e;
	uint8_t sum = 0;

	if (size)
		memcpy(copy, data, size);
	if (size >= HEADER_LEN) {
		memcpy(copy, "IFS1", 4);
		memset(copy + 12, 0, 4);
		memcpy(copy + 16, &length, sizeof(length));
	}
	if (pageset_parse(copy, size, &l, &e) < 0 && l.n)
		abort();
	for (size_t i = 0; i < l.n; i++)
		for (uint32_t k = 0; k < l.pages[i].nstrips; k++)
			for (size_t b = 0; b < l.pages[i].strips[k].len; b++)
				sum ^= ((const uint8_t *)l.pages[i].strips[k].data)[b];
	page_list_clear(&l);
	free(copy);
	/* -1 keeps an input out of the corpus: never, but the sum must be used. */
	return (unsigned int)sum > 255 ? -1 : 0;
}
