/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Things that are due at a time, the soonest first: a binary heap of entries
 * that lie in the caller's own structures and stay his. Zeroed is empty.
 */
#ifndef IFAX_BASE_DUE_H
#define IFAX_BASE_DUE_H

#include <stddef.h>
#include <stdint.h>

struct due {
	uint64_t when;
	size_t place;		/* from 1; 0 = in no queue */
};

struct due_queue {
	struct due **heap;
	size_t n, size;
};

/* Puts @d in, or moves it where it is in already: that cannot fail. -ENOMEM. */
int due_set(struct due_queue *q, struct due *d, uint64_t when);
/* Room for @n entries: due_set() does not fail while there are no more. -ENOMEM. */
int due_reserve(struct due_queue *q, size_t n);
void due_remove(struct due_queue *q, struct due *d); /* fine where it is not in */
struct due *due_first(const struct due_queue *q);    /* NULL: empty */
void due_queue_free(struct due_queue *q);	     /* entries are left as they are */

#endif
