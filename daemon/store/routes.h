/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The routes that a job of the queue has: see store_route_next(). */
#ifndef IFAX_STORE_ROUTES_H
#define IFAX_STORE_ROUTES_H

#include <stddef.h>

#include "store/store.h"

/* Of one job, by domain; one for each. Zeroed is empty. */
struct routes {
	struct store_route *list;
	size_t n;
};

/* -ENOMEM. @j NULL: none. */
int routes_of(const struct job *j, struct routes *ret);
void routes_free(struct routes *r);
bool routes_equal(const struct routes *a, const struct routes *b);

#endif
