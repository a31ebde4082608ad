// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every variant of the coder against the scalar one, and against the pixels: for
 * machines for which there is neither libtiff nor cmocka. Prints TAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include "t4.h"
#include "t4_variant.h"

#define ROWS	24

enum pattern { WHITE, BLACK, CHEQUER, NOISE, THIN, SHAPES, PATTERNS };

struct page {
	u32 width;
	size_t stride;
	u8 *bits;
};

struct code {
	u8 *data;
	size_t len, room;
};

static struct t4_encoder encoder;
static struct t4_decoder decoder;

static u32 seed = 1;

static u32 noise(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static bool ink(enum pattern pattern, u32 x, u32 y)
{
	switch (pattern) {
	case WHITE:
		return false;
	case BLACK:
		return true;
	case CHEQUER:
		return (x + y) & 1;
	case NOISE:
		return noise() >> 9 & 1;
	case THIN:
		return noise() % 40 == 0;
	default:
		/* slanted bars, some of them wide, on rows that partly repeat */
		return (x + y / 3 * 2) % 61 < 7 + y / 5 || (x / 700 + y / 9) % 3 == 1;
	}
}

static void draw(struct page *page, enum pattern pattern)
{
	u32 x, y;

	memset(page->bits, 0, page->stride * ROWS);
	for (y = 0; y < ROWS; y++)
		for (x = 0; x < page->width; x++)
			if (ink(pattern, x, y))
				page->bits[y * page->stride + x / 8] |= 0x80 >> x % 8;
}

static bool encode(const struct page *page, const struct t4_params *p, struct code *code)
{
	size_t produced, rest;
	u32 consumed;

	if (t4_encoder_init(&encoder, p) ||
	    t4_encode(&encoder, page->bits, page->stride, ROWS, &consumed, code->data, code->room,
		      &produced) ||
	    t4_encode_end(&encoder, code->data + produced, code->room - produced, &rest) != T4_DONE)
		return false;
	code->len = produced + rest;
	return true;
}

/* Whole, and what comes of a code with a bit turned. */
static bool decode(const struct code *code, const struct t4_params *p, struct page *page,
		   struct t4_damage *damage)
{
	size_t consumed;
	u32 produced;

	memset(page->bits, 0, page->stride * ROWS);
	if (t4_decoder_init(&decoder, p) ||
	    t4_decode(&decoder, code->data, code->len, true, &consumed, page->bits, page->stride,
		      ROWS, &produced) < 0)
		return false;
	*damage = *t4_decoder_damage(&decoder);
	return true;
}

static bool same(const struct page *a, const struct page *b)
{
	return !memcmp(a->bits, b->bits, a->stride * ROWS);
}

/* 0 or the line where the two differ. */
static int compare(const char *variant, const struct page *page, const struct t4_params *p,
		   struct code *theirs, struct code *ours, struct page *a, struct page *b)
{
	struct t4_damage damage_a, damage_b;
	size_t at;

	t4_variant_set("scalar");
	if (!encode(page, p, theirs))
		return __LINE__;
	t4_variant_set(variant);
	if (!encode(page, p, ours))
		return __LINE__;
	if (theirs->len != ours->len || memcmp(theirs->data, ours->data, ours->len))
		return __LINE__;
	if (!decode(ours, p, a, &damage_a) || damage_a.rows_bad || damage_a.rows != ROWS)
		return __LINE__;
	if (!same(page, a))
		return __LINE__;

	at = noise() % ours->len;
	ours->data[at] ^= (u8)(1u << noise() % 8);
	if (!decode(ours, p, a, &damage_a))
		return __LINE__;
	t4_variant_set("scalar");
	if (!decode(ours, p, b, &damage_b))
		return __LINE__;
	return same(a, b) && !memcmp(&damage_a, &damage_b, sizeof(damage_a)) ? 0 : __LINE__;
}

static struct page page_new(u32 width)
{
	struct page page = { .width = width, .stride = (width + 7) / 8 };

	page.bits = calloc(ROWS, page.stride);
	if (!page.bits)
		abort();
	return page;
}

static bool all_codings(const char *variant, u32 width)
{
	struct page page = page_new(width), a = page_new(width), b = page_new(width);
	struct code theirs = { .room = (ROWS + 2) * t4_row_bound(width) };
	struct code ours = { .room = theirs.room };
	u32 coding, pattern, flags;
	int line = 0;

	theirs.data = malloc(theirs.room);
	ours.data = malloc(ours.room);
	if (!theirs.data || !ours.data)
		abort();
	for (pattern = 0; pattern < PATTERNS && !line; pattern++) {
		draw(&page, pattern);
		for (coding = T4_MH; coding <= T4_MMR && !line; coding++) {
			flags = noise() % 16 | (coding == T4_MR ? T4_F_EOL : 0);
			line = compare(variant, &page, &(struct t4_params){
				.width = width, .rows = ROWS, .coding = (u8)coding, .k = 4,
				.flags = (u16)flags,
			}, &theirs, &ours, &a, &b);
			if (line)
				printf("# %s, width %u, pattern %u, coding %u, flags %u: line %d\n",
				       variant, width, pattern, coding, flags, line);
		}
	}
	free(theirs.data);
	free(ours.data);
	free(page.bits);
	free(a.bits);
	free(b.bits);
	return !line;
}

int main(void)
{
	u32 i, width, bad = 0;
	const char *variant;
	bool ok;

	for (i = 0; (variant = t4_variant_name(i)); i++) {
		ok = true;
		for (width = 1; width <= T4_WIDTH_MAX && ok; width += width < 300 ? 1 : width / 5)
			ok = all_codings(variant, width) &&
			     (width < 9000 || all_codings(variant, T4_WIDTH_MAX));
		printf("%sok %u - %s codes and decodes as scalar does\n", ok ? "" : "not ", i + 1,
		       variant);
		bad += !ok;
	}
	printf("1..%u\n", i);
	return bad ? 1 : 0;
}
