/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "page/halftone.h"

#define NEAR_BLACK  48
#define NEAR_WHITE  207
#define CUT	    160		/* drawings: thin grey lines are to be seen */
#define FLAT_SHARE  200		/* one pixel in so many may be grey without an edge near it */

int grey_alloc(struct grey *g, uint32_t width, uint32_t rows)
{
	memset(g, 0, sizeof(*g));
	if (!width || !rows)
		return -EINVAL;
	g->data = malloc((size_t)width * rows);
	if (!g->data)
		return -ENOMEM;
	memset(g->data, 255, (size_t)width * rows);
	g->width = width;
	g->rows = rows;
	return 0;
}

void grey_free(struct grey *g)
{
	free(g->data);
	memset(g, 0, sizeof(*g));
}

static const uint8_t *row_of(const struct grey *g, uint32_t y)
{
	return g->data + (size_t)y * g->width;
}

/* --- geometry --- */

int grey_turn(const struct grey *from, uint32_t quarters, bool mirror, struct grey *to)
{
	bool across = quarters & 1;
	int r = grey_alloc(to, across ? from->rows : from->width,
			   across ? from->width : from->rows);

	for (uint32_t y = 0; r >= 0 && y < from->rows; y++) {
		const uint8_t *row = row_of(from, y);

		for (uint32_t x = 0; x < from->width; x++) {
			uint32_t mx = mirror ? from->width - 1 - x : x, tx = mx, ty = y;

			switch (quarters & 3) {
			case 1:
				tx = from->rows - 1 - y;
				ty = mx;
				break;
			case 2:
				tx = from->width - 1 - mx;
				ty = from->rows - 1 - y;
				break;
			case 3:
				tx = y;
				ty = from->width - 1 - mx;
				break;
			}
			to->data[(size_t)ty * to->width + tx] = row[x];
		}
	}
	return r;
}

/*
 * Pixel @i of @n spans the source from *first on: *head of that one, all of those
 * up to *last, *tail of that one; in 65536ths of a source pixel.
 */
struct span {
	uint32_t first, last;
	uint32_t head, tail;
};

#define ONE 65536u

static struct span span_of(uint32_t i, uint32_t n, uint32_t source)
{
	uint64_t begin = (uint64_t)i * source * ONE / n;
	uint64_t end = (uint64_t)(i + 1) * source * ONE / n;
	struct span s = { .first = begin / ONE, .last = (end - 1) / ONE };

	s.head = ONE - begin % ONE;
	s.tail = (end - 1) % ONE + 1;
	if (s.first == s.last)
		s.head = end - begin;
	return s;
}

static uint64_t weight(const struct span *s, uint32_t i)
{
	return i == s->first ? s->head : i == s->last ? s->tail : ONE;
}

/* A source row by the width of the target: sums, 65536 for a whole source pixel. */
static void gather(const uint8_t *row, const struct span *columns, uint32_t n, uint64_t *sums)
{
	for (uint32_t x = 0; x < n; x++) {
		const struct span *s = &columns[x];
		uint64_t sum = (uint64_t)row[s->first] * s->head;

		for (uint32_t k = s->first + 1; k < s->last; k++)
			sum += (uint64_t)row[k] * ONE;
		if (s->last > s->first)
			sum += (uint64_t)row[s->last] * s->tail;
		sums[x] = sum;
	}
}

static void add_row(const uint64_t *sums, uint64_t by, uint32_t n, uint64_t *total)
{
	for (uint32_t x = 0; x < n; x++)
		total[x] += sums[x] * by;
}

static uint64_t span_width(const struct span *s)
{
	uint64_t w = 0;

	for (uint32_t k = s->first; k <= s->last; k++)
		w += weight(s, k);
	return w;
}

int grey_scale(const struct grey *from, uint32_t width, uint32_t rows, struct grey *to)
{
	_free_ struct span *columns = calloc(width, sizeof(*columns));
	_free_ uint64_t *sums = calloc(width, sizeof(*sums));
	_free_ uint64_t *total = calloc(width, sizeof(*total));
	int r = grey_alloc(to, width, rows);

	if (r < 0 || !columns || !sums || !total)
		return r < 0 ? r : -ENOMEM;
	for (uint32_t x = 0; x < width; x++)
		columns[x] = span_of(x, width, from->width);
	for (uint32_t y = 0; y < rows; y++) {
		struct span s = span_of(y, rows, from->rows);
		uint64_t high = 0;

		memset(total, 0, width * sizeof(*total));
		for (uint32_t k = s.first; k <= s.last; k++) {
			/* in 256ths of a row, which leaves room for the largest picture */
			uint64_t by = (weight(&s, k) + 255) / 256;

			gather(row_of(from, k), columns, width, sums);
			add_row(sums, by, width, total);
			high += by;
		}
		for (uint32_t x = 0; x < width; x++) {
			uint64_t area = span_width(&columns[x]) * high;

			to->data[(size_t)y * width + x] = (total[x] + area / 2) / area;
		}
	}
	return 0;
}

/* --- dots --- */

/* Darkest and lightest value around a pixel. */
static void look_around(const struct grey *g, uint32_t x, uint32_t y, uint8_t *low, uint8_t *high)
{
	uint32_t left = x ? x - 1 : 0, right = x + 1 < g->width ? x + 1 : x;
	uint32_t top = y ? y - 1 : 0, bottom = y + 1 < g->rows ? y + 1 : y;

	*low = 255;
	*high = 0;
	for (uint32_t v = top; v <= bottom; v++) {
		const uint8_t *row = row_of(g, v);

		for (uint32_t u = left; u <= right; u++) {
			*low = row[u] < *low ? row[u] : *low;
			*high = row[u] > *high ? row[u] : *high;
		}
	}
}

static bool is_edge(const struct grey *g, uint32_t x, uint32_t y)
{
	uint8_t low, high;

	look_around(g, x, y, &low, &high);
	return low <= NEAR_BLACK && high >= NEAR_WHITE;
}

static bool is_mid(uint8_t v)
{
	return v > NEAR_BLACK && v < NEAR_WHITE;
}

/* What is grey is so only where black meets white. */
static bool is_drawing(const struct grey *g)
{
	uint64_t flat = 0, allowed = (uint64_t)g->width * g->rows / FLAT_SHARE;

	for (uint32_t y = 0; y < g->rows && flat <= allowed; y++)
		for (uint32_t x = 0; x < g->width; x++)
			flat += is_mid(row_of(g, y)[x]) && !is_edge(g, x, y);
	return flat <= allowed;
}

static void put_dot(struct bitmap *b, uint32_t x, uint32_t y)
{
	bitmap_row(b, y)[x / 8] |= 0x80 >> x % 8;
}

static void cut(const struct grey *g, struct bitmap *b, uint32_t left, uint32_t top)
{
	for (uint32_t y = 0; y < g->rows; y++)
		for (uint32_t x = 0; x < g->width; x++)
			if (row_of(g, y)[x] < CUT)
				put_dot(b, left + x, top + y);
}

/*
 * Floyd and Steinberg's weights, each row against the direction of the last one.
 * @now and @next are the errors handed down, in 16ths, with a place before and
 * behind the row.
 */
static void diffuse_row(const struct grey *g, uint32_t y, struct bitmap *b, uint32_t left,
			uint32_t top, int32_t *now, int32_t *next)
{
	int step = y & 1 ? -1 : 1;
	int64_t x = step > 0 ? 0 : (int64_t)g->width - 1;
	int32_t ahead = 0;

	for (uint32_t n = 0; n < g->width; n++, x += step) {
		int32_t *below = next + x + 1;
		int32_t value = row_of(g, y)[x], want = value * 16 + now[x + 1] + ahead;
		bool black = want < 128 * 16;
		int32_t error;

		if (is_edge(g, x, y)) {
			black = value < 128;
			want = black ? 0 : 255 * 16;
		}
		error = want - (black ? 0 : 255 * 16);
		ahead = error * 7 / 16;
		below[-step] += error * 3 / 16;
		below[0] += error * 5 / 16;
		below[step] += error - ahead - error * 3 / 16 - error * 5 / 16;
		if (black)
			put_dot(b, left + x, top + y);
	}
}

static int diffuse(const struct grey *g, struct bitmap *b, uint32_t left, uint32_t top)
{
	_free_ int32_t *lines = calloc(((size_t)g->width + 2) * 2, sizeof(*lines));
	int32_t *now = lines, *next = lines + g->width + 2;

	if (!lines)
		return -ENOMEM;
	for (uint32_t y = 0; y < g->rows; y++) {
		int32_t *done = now;

		diffuse_row(g, y, b, left, top, now, next);
		now = next;
		next = done;
		memset(next, 0, (g->width + 2) * sizeof(*next));
	}
	return 0;
}

int halftone(const struct grey *g, struct bitmap *b, uint32_t left, uint32_t top)
{
	if (left + (uint64_t)g->width > b->width || top + (uint64_t)g->rows > b->rows)
		return -EINVAL;
	if (!is_drawing(g))
		return diffuse(g, b, left, top);
	cut(g, b, left, top);
	return 0;
}
