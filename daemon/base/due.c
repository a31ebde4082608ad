/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/due.h"

static void put(struct due_queue *q, size_t place, struct due *d)
{
	q->heap[place - 1] = d;
	d->place = place;
}

/* @d, which stands nowhere, goes to @place or above. */
static void rise(struct due_queue *q, size_t place, struct due *d)
{
	for (; place > 1 && q->heap[place / 2 - 1]->when > d->when; place /= 2)
		put(q, place, q->heap[place / 2 - 1]);
	put(q, place, d);
}

/* @d, which stands nowhere, goes to @place or below. */
static void sink(struct due_queue *q, size_t place, struct due *d)
{
	size_t child;

	for (; (child = 2 * place) <= q->n; place = child) {
		if (child < q->n && q->heap[child]->when < q->heap[child - 1]->when)
			child++;
		if (q->heap[child - 1]->when >= d->when)
			break;
		put(q, place, q->heap[child - 1]);
	}
	put(q, place, d);
}

static void settle(struct due_queue *q, size_t place, struct due *d)
{
	if (place > 1 && q->heap[place / 2 - 1]->when > d->when)
		rise(q, place, d);
	else
		sink(q, place, d);
}

int due_reserve(struct due_queue *q, size_t n)
{
	size_t size = q->size ? q->size : 16;
	void *p;

	if (n <= q->size)
		return 0;
	while (size < n)
		size *= 2;
	p = reallocarray(q->heap, size, sizeof(*q->heap));
	if (!p)
		return -ENOMEM;
	q->heap = p;
	q->size = size;
	return 0;
}

int due_set(struct due_queue *q, struct due *d, uint64_t when)
{
	if (!d->place && due_reserve(q, q->n + 1) < 0)
		return -ENOMEM;
	d->when = when;
	settle(q, d->place ? d->place : ++q->n, d);
	return 0;
}

void due_remove(struct due_queue *q, struct due *d)
{
	size_t place = d->place;
	struct due *last;

	if (!place)
		return;
	d->place = 0;
	last = q->heap[--q->n];
	if (last != d)
		settle(q, place, last);
}

struct due *due_first(const struct due_queue *q)
{
	return q->n ? q->heap[0] : NULL;
}

void due_queue_free(struct due_queue *q)
{
	free(q->heap);
	*q = (struct due_queue){ 0 };
}
