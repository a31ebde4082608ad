/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mail/envelope.h"

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static void free_rcpt(struct envelope_rcpt *r)
{
	free(r->address);
	free(r->user);
	free(r->orcpt);
	*r = (struct envelope_rcpt){ 0 };
}

static int copy_rcpt(struct envelope_rcpt *to, const struct envelope_rcpt *from)
{
	*to = (struct envelope_rcpt){ .notify = from->notify };
	if (copy_text(&to->address, from->address) < 0 || copy_text(&to->user, from->user) < 0 ||
	    copy_text(&to->orcpt, from->orcpt) < 0) {
		free_rcpt(to);
		return -ENOMEM;
	}
	return 0;
}

/* The array has room for a power of two: at 0, 1, 2, 4, ... recipients it is full. */
static int make_room(struct envelope *e)
{
	size_t n = e->n_rcpts;
	struct envelope_rcpt *more;

	if (n & (n - 1))
		return 0;
	more = reallocarray(e->rcpts, n ? 2 * n : 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->rcpts = more;
	return 0;
}

int envelope_add(struct envelope *e, const struct envelope_rcpt *r)
{
	int err = make_room(e);

	if (!err)
		err = copy_rcpt(&e->rcpts[e->n_rcpts], r);
	if (!err)
		e->n_rcpts++;
	return err;
}

void envelope_drop(struct envelope *e)
{
	free_rcpt(&e->rcpts[--e->n_rcpts]);
}

static int compare_rcpts(const struct envelope_rcpt *a, const struct envelope_rcpt *b)
{
	int r = (b->user != NULL) - (a->user != NULL);

	return r ? r : strcmp(a->user ? a->user : a->address, b->user ? b->user : b->address);
}

/* Same mailboxes stand together, the first of each in front. */
static int by_mailbox(const void *a, const void *b, void *rcpts)
{
	const struct envelope_rcpt *all = rcpts;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int r = compare_rcpts(&all[x], &all[y]);

	return r ? r : (x > y) - (x < y);
}

/* What was wished for one mailbox twice (RFC 3461 4.1): nothing said is what failure brings. */
static unsigned int unite_notify(unsigned int a, unsigned int b)
{
	const unsigned int unsaid = NOTIFY_FAILURE | NOTIFY_DELAY;

	return a == b ? a : ((a ? a : unsaid) | (b ? b : unsaid)) & ~(unsigned int)NOTIFY_NEVER;
}

int envelope_unite(struct envelope *e)
{
	size_t *order, kept = 0;

	if (e->n_rcpts < 2)
		return 0;
	order = calloc(e->n_rcpts, sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_rcpts; i++)
		order[i] = i;
	qsort_r(order, e->n_rcpts, sizeof(*order), by_mailbox, e->rcpts);
	for (size_t i = 1, first = 0; i < e->n_rcpts; i++) {
		struct envelope_rcpt *one = &e->rcpts[order[first]], *two = &e->rcpts[order[i]];

		if (compare_rcpts(one, two)) {
			first = i;
			continue;
		}
		one->notify = unite_notify(one->notify, two->notify);
		free_rcpt(two);
	}
	free(order);
	for (size_t i = 0; i < e->n_rcpts; i++)
		if (e->rcpts[i].address)
			e->rcpts[kept++] = e->rcpts[i];
	e->n_rcpts = kept;
	return 0;
}

int envelope_copy(struct envelope *to, const struct envelope *from)
{
	struct envelope e = *from;
	int r;

	e.rcpts = NULL;
	e.n_rcpts = 0;
	e.envid = NULL;
	r = copy_text(&e.from, from->from);
	if (!r)
		r = copy_text(&e.envid, from->envid);
	for (size_t i = 0; !r && i < from->n_rcpts; i++)
		r = envelope_add(&e, &from->rcpts[i]);
	if (r < 0) {
		envelope_free(&e);
		return r;
	}
	*to = e;
	return 0;
}

void envelope_free(struct envelope *e)
{
	while (e->n_rcpts)
		envelope_drop(e);
	free(e->rcpts);
	free(e->from);
	free(e->envid);
	*e = (struct envelope){ 0 };
}
