// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "page/gif.h"

#define CODES_MAX 4096		/* of 12 bits */
#define WHITE	  255

/* The file's end is @end; what is read behind it is missing. */
struct reader {
	const uint8_t *p, *end;
	bool missing;
};

struct gif {
	uint32_t width, rows;		/* of the canvas */
	uint32_t left, top, wide, high;	/* of the first picture */
	bool interlaced;
	int clear;			/* the colour that shines through, -1: none */
	const uint8_t *colours;		/* red, green and blue of each */
	unsigned int n_colours;
	unsigned int code_bits;		/* of a colour */
	struct reader codes;		/* its blocks */
};

static int damaged(struct error *e, const char *why)
{
	return error_set(e, -EBADMSG, "The GIF picture is damaged: %s", why);
}

bool gif_recognize(const void *data, size_t len)
{
	return len >= 6 && (!memcmp(data, "GIF87a", 6) || !memcmp(data, "GIF89a", 6));
}

/*
 * Blocks
 */

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if ((size_t)(r->end - p) < n) {
		r->missing = true;
		r->p = r->end;
		return NULL;
	}
	r->p += n;
	return p;
}

static unsigned int octet(struct reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

static unsigned int number(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

/* A table of colours, where @flags say that there is one. */
static void take_colours(struct reader *r, unsigned int flags, struct gif *g)
{
	unsigned int n = 2u << (flags & 7);
	const uint8_t *p = flags & 0x80 ? take(r, (size_t)n * 3) : NULL;

	if (p) {
		g->colours = p;
		g->n_colours = n;
	}
}

static void skip_blocks(struct reader *r)
{
	unsigned int n;

	while ((n = octet(r)) && take(r, n))
		;
}

/* Of extensions one matters: which colour is none. */
static void take_extension(struct reader *r, struct gif *g)
{
	static const unsigned int graphic_control = 0xf9;

	if (octet(r) == graphic_control && r->end - r->p >= 5 && r->p[0] == 4)
		g->clear = r->p[1] & 1 ? r->p[4] : -1;
	skip_blocks(r);
}

static int take_picture(struct reader *r, struct gif *g, struct error *e)
{
	const uint8_t *p = take(r, 9);

	if (p) {
		g->left = number(p);
		g->top = number(p + 2);
		g->wide = number(p + 4);
		g->high = number(p + 6);
		g->interlaced = p[8] & 0x40;
		take_colours(r, p[8], g);
	}
	g->code_bits = octet(r);
	g->codes = *r;
	if (r->missing)
		return damaged(e, "it ends too early");
	if (!g->wide || !g->high || !g->n_colours || g->code_bits < 2 || g->code_bits > 8)
		return damaged(e, "its first picture makes no sense");
	if (g->width < g->left + g->wide)
		g->width = g->left + g->wide;
	if (g->rows < g->top + g->high)
		g->rows = g->top + g->high;
	return 0;
}

static int gif_open(const void *data, size_t len, struct gif *g, struct error *e)
{
	struct reader r = { data, (const uint8_t *)data + len, false };
	const uint8_t *p = take(&r, 13);

	*g = (struct gif){ .clear = -1 };
	if (p) {
		g->width = number(p + 6);
		g->rows = number(p + 8);
		take_colours(&r, p[10], g);
	}
	while (!r.missing)
		switch (octet(&r)) {
		case '!':
			take_extension(&r, g);
			break;
		case ',':
			return take_picture(&r, g, e);
		case ';':
			return damaged(e, "there is no picture in it");
		default:
			return damaged(e, r.missing ? "it ends too early" :
						      "what stands in it is no GIF");
		}
	return damaged(e, "it ends too early");
}

int gif_measure(const void *data, size_t len, uint32_t *width, uint32_t *rows, struct error *e)
{
	struct gif g;
	int r = gif_open(data, len, &g, e);

	*width = g.width;
	*rows = g.rows;
	return r;
}

/*
 * Colours: codes of 3 to 12 bits, the lowest bit first. Each stands for a string of
 * colours, and is the code before it and one more.
 */

struct lzw {
	struct reader in;
	unsigned int left;		/* octets of this block */
	uint32_t bits;
	unsigned int n_bits;
	unsigned int first_bits;	/* of a code, when the table is empty */
	unsigned int code_bits, n_codes;
	int before;			/* the last code, -1: none */
	uint16_t prefix[CODES_MAX];
	uint8_t suffix[CODES_MAX];
	uint8_t string[CODES_MAX];	/* of the code in hand, from its end */
	size_t n_string;
};

static void clear_table(struct lzw *z)
{
	z->n_codes = (1u << (z->first_bits - 1)) + 2;
	z->code_bits = z->first_bits;
	z->before = -1;
}

/* -1: there are no more. */
static int next_code(struct lzw *z)
{
	int code;

	while (z->n_bits < z->code_bits) {
		if (!z->left)
			z->left = octet(&z->in);
		if (!z->left)
			return -1;
		z->bits |= octet(&z->in) << z->n_bits;
		z->n_bits += 8;
		z->left--;
		if (z->in.missing)
			return -1;
	}
	code = z->bits & ((1u << z->code_bits) - 1);
	z->bits >>= z->code_bits;
	z->n_bits -= z->code_bits;
	return code;
}

/* Unrolls @code onto the end of the string; the first colour of it. */
static uint8_t unroll(struct lzw *z, unsigned int code)
{
	unsigned int colours = 1u << (z->first_bits - 1);

	for (; code >= colours; code = z->prefix[code])
		z->string[z->n_string++] = z->suffix[code];
	z->string[z->n_string++] = code;
	return code;
}

static void learn(struct lzw *z, uint8_t suffix)
{
	if (z->before < 0 || z->n_codes == CODES_MAX)
		return;
	z->prefix[z->n_codes] = z->before;
	z->suffix[z->n_codes++] = suffix;
	if (z->n_codes == 1u << z->code_bits && z->code_bits < 12)
		z->code_bits++;
}

/* The next string; false: the end, or nonsense. */
static bool next_string(struct lzw *z)
{
	unsigned int clear = 1u << (z->first_bits - 1);
	int code;

	while ((code = next_code(z)) == (int)clear)
		clear_table(z);
	if (code < 0 || code == (int)clear + 1 || (unsigned int)code > z->n_codes)
		return false;
	if ((unsigned int)code == z->n_codes) {
		/* One that is being learnt: the last string, and its first colour again. */
		if (z->before < 0 || z->n_codes == CODES_MAX)
			return false;
		z->n_string = 1;
		z->string[0] = unroll(z, z->before);
		learn(z, z->string[0]);
	} else {
		learn(z, unroll(z, code));
	}
	z->before = code;
	return true;
}

/* -1: there is none. */
static int next_colour(struct lzw *z)
{
	if (!z->n_string && !next_string(z))
		return -1;
	return z->string[--z->n_string];
}

/*
 * Rows
 */

/* The row that comes @nth. */
static uint32_t row_of(const struct gif *g, uint32_t nth)
{
	static const struct { uint32_t first, step; } passes[] = {
		{ 0, 8 }, { 4, 8 }, { 2, 4 }, { 1, 2 },
	};

	for (size_t i = 0; g->interlaced && i < 4; i++) {
		uint32_t n = g->high > passes[i].first ?
			     (g->high - passes[i].first - 1) / passes[i].step + 1 : 0;

		if (nth < n)
			return passes[i].first + nth * passes[i].step;
		nth -= n;
	}
	return nth;
}

static void greys(const struct gif *g, uint8_t shades[256])
{
	memset(shades, WHITE, 256);
	for (unsigned int i = 0; i < g->n_colours; i++) {
		const uint8_t *p = g->colours + (size_t)i * 3;

		shades[i] = (p[0] * 299u + p[1] * 587u + p[2] * 114u) / 1000;
	}
	if (g->clear >= 0)
		shades[g->clear] = WHITE;
}

int gif_decode(const void *data, size_t len, struct grey *ret, struct error *e)
{
	struct lzw z = { 0 };
	uint8_t shades[256];
	struct gif g;
	int r = gif_open(data, len, &g, e), colour;

	if (r < 0)
		return r;
	r = grey_alloc(ret, g.width, g.rows);
	if (r < 0)
		return error_set(e, r, "Out of memory for a picture");
	greys(&g, shades);
	z.in = g.codes;
	z.first_bits = g.code_bits + 1;
	clear_table(&z);
	for (uint32_t nth = 0; nth < g.high; nth++) {
		uint8_t *row = ret->data + (size_t)(g.top + row_of(&g, nth)) * g.width + g.left;

		for (uint32_t x = 0; x < g.wide; x++) {
			colour = next_colour(&z);
			if (colour < 0)
				return damaged(e, "its rows are incomplete");
			row[x] = shades[colour];
		}
	}
	return 0;
}
