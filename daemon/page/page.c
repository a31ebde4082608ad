/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "page/page.h"

void page_clear(struct page *p)
{
	free(p->strips);
	if (p->backing && p->backing_free)
		p->backing_free(p->backing, p->backing_len);
	memset(p, 0, sizeof(*p));
}

static size_t code_size(const struct page *p)
{
	size_t len = 0;

	for (uint32_t i = 0; i < p->nstrips; i++)
		len += p->strips[i].len;
	return len;
}

/* Copies of the strips of @p, their code at @code: where that ends. */
static char *copy_strips(const struct page *p, struct page_strip *strips, char *code)
{
	for (uint32_t i = 0; i < p->nstrips; i++) {
		strips[i] = p->strips[i];
		strips[i].data = code;
		memcpy(code, p->strips[i].data, p->strips[i].len);
		code += p->strips[i].len;
	}
	return code;
}

static void free_backing(void *backing, size_t len)
{
	free(backing);
}

int page_stack(struct page *above, struct page *below)
{
	uint32_t n = above->nstrips + below->nstrips;
	size_t len = code_size(above) + code_size(below);
	struct page_strip *strips = calloc(n, sizeof(*strips));
	char *code = malloc(len);
	struct page made = *above;

	if (!strips || !code) {
		free(strips);
		free(code);
		return -ENOMEM;
	}
	copy_strips(below, strips + above->nstrips, copy_strips(above, strips, code));
	made.rows += below->rows;
	made.rows_bad += below->rows_bad;
	made.nstrips = n;
	made.strips = strips;
	made.backing = code;
	made.backing_len = len;
	made.backing_free = free_backing;
	page_clear(above);
	page_clear(below);
	*above = made;
	return 0;
}

void page_list_truncate(struct page_list *l, size_t n)
{
	while (l->n > n)
		page_clear(&l->pages[--l->n]);
	if (l->n)
		return;
	free(l->pages);
	l->pages = NULL;
}

void page_list_clear(struct page_list *l)
{
	page_list_truncate(l, 0);
}

struct page *page_list_add(struct page_list *l)
{
	struct page *p = reallocarray(l->pages, l->n + 1, sizeof(*p));

	if (!p)
		return NULL;
	l->pages = p;
	p = &l->pages[l->n++];
	memset(p, 0, sizeof(*p));
	return p;
}
