// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Any bytes as what the worker hands back. The first byte says what is set
 * right, so that the rest is met deep inside: magic and length, then the numbers
 * of pages and strips, then that the strips' rows add up and lie in the file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "page/pageset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_LEN 24
#define PAGE_LEN   24
#define STRIP_LEN  32

enum {
	FIX_HEADER = 1,
	FIX_COUNTS = 2,
	FIX_STRIPS = 4,
};

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void fix_header(uint8_t *p, size_t size)
{
	memcpy(p, "IFS1", 4);
	put32(p + 12, 0);
	put64(p + 16, size);
}

/* As many pages as there is room for, at most 8, of at most 4 strips each. */
static void fix_counts(uint8_t *p, size_t size)
{
	uint32_t pages = get32(p + 4) % 9, strips = 0;
	size_t at = HEADER_LEN;

	while (pages && at + pages * (PAGE_LEN + 4 * STRIP_LEN) > size)
		pages--;
	for (uint32_t i = 0; i < pages; i++, at += PAGE_LEN) {
		uint32_t n = get32(p + at + 20) % 4 + 1;

		put32(p + at + 20, n);
		strips += n;
	}
	put32(p + 4, pages);
	put32(p + 8, strips);
}

/* One strip in the rest of the file, from @data on. */
static void fix_strip(uint8_t *s, size_t data, size_t size)
{
	size_t offset = data + get32(s) % (size - data);

	put64(s, offset);
	put64(s + 8, get32(s + 8) % (size - offset) + 1);
	put32(s + 16, get32(s + 16) % 4096 + 1);
	put32(s + 20, get32(s + 20) % 3 + 1);
	put32(s + 24, get32(s + 24) % 256);
	put32(s + 28, get32(s + 28) & 0x1d);	/* the flags that a strip may have */
}

static void fix_strips(uint8_t *p, size_t size)
{
	uint32_t pages = get32(p + 4);
	size_t at = HEADER_LEN + (size_t)pages * PAGE_LEN;
	size_t code = at + (size_t)get32(p + 8) * STRIP_LEN;

	for (uint32_t i = 0; i < pages && code < size; i++) {
		uint8_t *page = p + HEADER_LEN + i * PAGE_LEN;
		uint32_t rows = 0;

		for (uint32_t k = 0; k < get32(page + 20); k++, at += STRIP_LEN) {
			fix_strip(p + at, code, size);
			rows += get32(p + at + 16);
		}
		put32(page, get32(page) % 5000 + 1);
		put32(page + 4, rows);
		put32(page + 8, get32(page + 8) | 1);
		put32(page + 12, get32(page + 12) | 1);
		put32(page + 16, get32(page + 16) % (rows + 1));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t fix = size ? data[0] : 0, sum = 0;
	struct page_list l = { 0 };
	struct error e;
	uint8_t *copy;

	if (size) {
		data++;
		size--;
	}
	copy = malloc(size ? size : 1);
	if (size)
		memcpy(copy, data, size);
	if (size >= HEADER_LEN) {
		if (fix & FIX_HEADER)
			fix_header(copy, size);
		if (fix & (FIX_COUNTS | FIX_STRIPS))
			fix_counts(copy, size);
		if (fix & FIX_STRIPS)
			fix_strips(copy, size);
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
