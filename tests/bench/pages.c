// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <tiffio.h>
#include "bench.h"

#define A4_WIDTH	1728u
#define A4_HEIGHT	2200u

struct t4_strip page_strip(const struct page *page, u32 codec)
{
	return (struct t4_strip){
		.width = page->image.width,
		.height = page->image.height,
		.compression = codec == T4_MMR ? COMPRESSION_CCITTFAX4 : COMPRESSION_CCITTFAX3,
		.options = codec == T4_MR ? GROUP3OPT_2DENCODING : 0,
		.y_res = 196,
	};
}

static void code(struct page *page)
{
	struct t4_image back;
	struct t4_strip how;
	u32 codec;

	for (codec = 0; codec < CODECS; codec++) {
		how = page_strip(page, codec);
		page->code[codec] = t4_libtiff_encode(&page->image, &how);
		page->readable[codec] = t4_libtiff_decode(page->code[codec], &how, &back) &&
					t4_image_equal(&page->image, &back);
		t4_image_free(&back);
	}
}

static bool chequered(u32 x, u32 y)
{
	return (x + y) & 1;
}

static bool black(u32 x, u32 y)
{
	return true;
}

static bool blank(u32 x, u32 y)
{
	return false;
}

/* A slope from white to black under an ordered dither of 8 by 8. */
static bool dithered(u32 x, u32 y)
{
	u32 threshold = 0, bit, d = x ^ y;

	for (bit = 0; bit < 3; bit++)
		threshold = threshold << 2 | (d >> bit & 1) << 1 | (y >> bit & 1);
	return x * 64 / A4_WIDTH > threshold;
}

static bool noisy(u32 x, u32 y)
{
	static u32 seed = 1;

	return t4_random(&seed) >> 15 & 1;
}

static void draw(struct page *page, const char *name, bool (*ink)(u32 x, u32 y))
{
	u32 x, y;

	snprintf(page->name, sizeof(page->name), "%s", name);
	page->worst_case = true;
	page->image = t4_image_new(A4_WIDTH, A4_HEIGHT);
	for (y = 0; y < A4_HEIGHT; y++)
		for (x = 0; x < A4_WIDTH; x++)
			if (ink(x, y))
				page->image.bits[y * page->image.stride + x / 8] |= 0x80 >> x % 8;
	code(page);
}

static void load(struct page *page, const char *path)
{
	const char *name = strrchr(path, '/');

	snprintf(page->name, sizeof(page->name), "%s", name ? name + 1 : path);
	page->name[strcspn(page->name, ".")] = '\0';
	if (!t4_image_load(path, &page->image)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	code(page);
}

u32 pages_load(struct page **pages)
{
	static const struct {
		const char *name;
		bool (*ink)(u32 x, u32 y);
	} made_up[] = {
		{ "blank", blank }, { "black", black }, { "chequer", chequered },
		{ "dithered", dithered }, { "noise", noisy },
	};
	u32 worst = sizeof(made_up) / sizeof(made_up[0]), real, i;
	char **paths = NULL;

	real = t4_samples("pages", &paths);
	*pages = calloc(real + worst, sizeof(**pages));
	if (!*pages)
		abort();
	for (i = 0; i < real; i++)
		load(&(*pages)[i], paths[i]);
	t4_samples_free(paths, real);
	for (i = 0; i < worst; i++)
		draw(&(*pages)[real + i], made_up[i].name, made_up[i].ink);
	return real + worst;
}

struct page page_tiled(const struct page *page, u32 times)
{
	struct page tiled = { .image = t4_image_new(page->image.width / 8 * 8 * times,
						    page->image.height * times) };
	size_t piece = page->image.width / 8;
	u32 y, i;

	snprintf(tiled.name, sizeof(tiled.name), "%.20s x %u", page->name, times);
	for (y = 0; y < tiled.image.height; y++)
		for (i = 0; i < times; i++)
			memcpy(tiled.image.bits + y * tiled.image.stride + i * piece,
			       page->image.bits + y % page->image.height * page->image.stride,
			       piece);
	code(&tiled);
	return tiled;
}

void page_free(struct page *page)
{
	u32 codec;

	for (codec = 0; codec < CODECS; codec++)
		free(page->code[codec].data);
	t4_image_free(&page->image);
}

void pages_free(struct page *pages, u32 count)
{
	while (count)
		page_free(&pages[--count]);
	free(pages);
}
