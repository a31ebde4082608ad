// SPDX-License-Identifier: LGPL-2.1-or-later
#include "store/routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/path.h"

void store_lower_domain(const char *from, char domain[ROUTE_DOMAIN + 1])
{
	size_t n = 0;

	for (; *from && n < ROUTE_DOMAIN; from++)
		domain[n++] = *from >= 'A' && *from <= 'Z' ? *from + 'a' - 'A' : *from;
	domain[n] = '\0';
}

void store_domain_of(const struct job_recipient *c, char domain[ROUTE_DOMAIN + 1])
{
	char hop[ROUTE_DOMAIN + 1];
	const char *at = strrchr(c->address, '@'), *first;
	size_t len;

	first = smtp_path_hop(c->address, &len, NULL);
	if (first) {
		snprintf(hop, sizeof(hop), "%.*s", (int)len, first);
		at = NULL;
	}
	store_lower_domain(c->user ? "" : first ? hop : at ? at + 1 : "localhost", domain);
}

static int compare(const void *a, const void *b)
{
	const struct store_route *x = a, *y = b;
	int r = strcmp(x->domain, y->domain);

	return r ? r : (x->when > y->when) - (x->when < y->when);
}

/* Sorted by domain and time: the first of each domain stays. */
static void keep_soonest(struct routes *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++)
		if (!kept || strcmp(r->list[kept - 1].domain, r->list[i].domain))
			r->list[kept++] = r->list[i];
	r->n = kept;
}

/* What has no route goes nowhere: so nothing that is still to be encrypted does. */
static bool routed(const struct job *j)
{
	return j && job_kind_queued(j->kind) && !j->unsealed &&
	       (j->state == JOB_QUEUED || j->state == JOB_SENDING || j->state == JOB_HELD);
}

int routes_of(const struct job *j, struct routes *ret)
{
	*ret = (struct routes){ 0 };
	if (!routed(j) || !j->n_recipients)
		return 0;
	ret->list = calloc(j->n_recipients, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	for (size_t i = 0; i < j->n_recipients; i++) {
		const struct job_recipient *c = &j->recipients[i];
		struct store_route *r = &ret->list[ret->n];

		if (c->state != RCPT_WAITING)
			continue;
		store_domain_of(c, r->domain);
		r->id = j->id;
		r->when = j->state == JOB_HELD || c->next_try > ROUTE_NEVER ? ROUTE_NEVER :
			  c->next_try;
		ret->n++;
	}
	if (ret->n > 1)
		qsort(ret->list, ret->n, sizeof(*ret->list), compare);
	keep_soonest(ret);
	return 0;
}

void routes_free(struct routes *r)
{
	free(r->list);
	*r = (struct routes){ 0 };
}

bool routes_equal(const struct routes *a, const struct routes *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].when != b->list[i].when || a->list[i].id != b->list[i].id ||
		    strcmp(a->list[i].domain, b->list[i].domain))
			return false;
	return true;
}
