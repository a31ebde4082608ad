/* SPDX-License-Identifier: LGPL-2.1-or-later */
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
