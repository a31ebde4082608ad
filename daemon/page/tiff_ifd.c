/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "base/cleanup.h"
#include "page/tiff_ifd.h"

#define ENTRY_LEN 12

enum {
	TYPE_SHORT = 3,
	TYPE_LONG  = 4,
};

struct file {
	const uint8_t *data;
	size_t len;
	bool little;
};

struct entry {
	uint32_t tag, type, count, value;
};

/* Tags without which there is no image; their values are whole numbers above zero. */
static const struct {
	uint32_t tag;
	bool one;		/* has exactly one value */
	const char *name;
} required[] = {
	{ 256, true, "ImageWidth" },
	{ 257, true, "ImageLength" },
	{ 273, false, "StripOffsets" },
};

/* Tags that libtiff refuses a directory for, when their values make no sense. */
static const struct {
	uint32_t tag;
	uint32_t max;
	const char *name;
} bounded[] = {
	{ 256, 1 << 24, "ImageWidth" },
	{ 257, 1 << 24, "ImageLength" },
	{ 258, 32, "BitsPerSample" },
	{ 277, 16, "SamplesPerPixel" },
};

static uint32_t get(const struct file *f, size_t at, unsigned int bytes)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < bytes; i++)
		v = v << 8 | f->data[f->little ? at + bytes - 1 - i : at + i];
	return v;
}

/* Entries of the directory at @ifd; false: it does not lie within the file. */
static bool entries_at(const struct file *f, uint64_t ifd, uint32_t *n)
{
	if (ifd < 8 || ifd + 2 > f->len)
		return false;
	*n = get(f, ifd, 2);
	return ifd + 2 + (uint64_t)*n * ENTRY_LEN + 4 <= f->len;
}

static bool find_entry(const struct file *f, uint64_t ifd, uint32_t n, uint32_t tag,
		       struct entry *ret)
{
	for (uint32_t i = 0; i < n; i++) {
		size_t at = ifd + 2 + (size_t)i * ENTRY_LEN;

		if (get(f, at, 2) != tag)
			continue;
		ret->tag = tag;
		ret->type = get(f, at + 2, 2);
		ret->count = get(f, at + 4, 4);
		ret->value = get(f, at + 8, ret->type == TYPE_SHORT ? 2 : 4);
		return true;
	}
	return false;
}

static bool check_required(const struct file *f, uint64_t ifd, uint32_t n, char *text, size_t size)
{
	struct entry e;

	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		const char *name = required[i].name;

		if (!find_entry(f, ifd, n, required[i].tag, &e))
			snprintf(text, size, "%s is missing", name);
		else if (e.type != TYPE_SHORT && e.type != TYPE_LONG)
			snprintf(text, size, "%s has the wrong type (%u)", name, e.type);
		else if (!e.count || (required[i].one && e.count != 1))
			snprintf(text, size, "%s has a wrong count (%u)", name, e.count);
		else if (!e.value)
			snprintf(text, size, "%s is zero", name);
		else
			continue;
		return true;
	}
	return false;
}

static bool check_bounded(const struct file *f, uint64_t ifd, uint32_t n, char *text, size_t size)
{
	struct entry e;

	for (size_t i = 0; i < ARRAY_SIZE(bounded); i++)
		if (find_entry(f, ifd, n, bounded[i].tag, &e) && e.count == 1 &&
		    (!e.value || e.value > bounded[i].max)) {
			snprintf(text, size, "%s is %u", bounded[i].name, e.value);
			return true;
		}
	return false;
}

bool tiff_ifd_fault(const uint8_t *data, size_t len, bool little_endian, unsigned int n,
		    char *text, size_t size)
{
	struct file f = { data, len, little_endian };
	uint64_t ifd = len < 8 ? 0 : get(&f, 4, 4);
	uint32_t entries;

	for (unsigned int i = 1; entries_at(&f, ifd, &entries); i++) {
		if (i == n)
			return check_required(&f, ifd, entries, text, size) ||
			       check_bounded(&f, ifd, entries, text, size);
		ifd = get(&f, ifd + 2 + (size_t)entries * ENTRY_LEN, 4);
	}
	snprintf(text, size, "its directory (IFD), at byte %llu, reaches beyond the file's end",
		 (unsigned long long)ifd);
	return true;
}
