/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <netinet/in.h>
#include <string.h>

#include "net/penalty.h"

static void place_of(const struct sockaddr_storage *a, uint8_t place[9])
{
	memset(place, 0, 9);
	place[0] = (uint8_t)a->ss_family;
	if (a->ss_family == AF_INET)
		memcpy(place + 1, &((const struct sockaddr_in *)a)->sin_addr, 4);
	else if (a->ss_family == AF_INET6)
		memcpy(place + 1, &((const struct sockaddr_in6 *)a)->sin6_addr, 8);
}

static bool is_over(const struct penalty *e, uint64_t usec, uint64_t span)
{
	return !e->since || usec - e->since > span;
}

uint32_t penalty_count(const struct penalties *p, const struct sockaddr_storage *a, uint64_t usec,
		       uint64_t span)
{
	uint8_t place[9];

	place_of(a, place);
	for (size_t i = 0; i < PENALTY_PLACES; i++)
		if (!is_over(&p->list[i], usec, span) &&
		    !memcmp(p->list[i].place, place, sizeof(place)))
			return p->list[i].n;
	return 0;
}

/* His own entry, or the one that is missed least. */
static struct penalty *entry_for(struct penalties *p, const uint8_t place[9])
{
	struct penalty *oldest = &p->list[0];

	for (size_t i = 0; i < PENALTY_PLACES; i++) {
		struct penalty *e = &p->list[i];

		if (e->since && !memcmp(e->place, place, sizeof(e->place)))
			return e;
		if (e->last < oldest->last)
			oldest = e;
	}
	memset(oldest, 0, sizeof(*oldest));
	return oldest;
}

void penalty_add(struct penalties *p, const struct sockaddr_storage *a, uint64_t usec,
		 uint64_t span)
{
	uint8_t place[9];
	struct penalty *e;

	place_of(a, place);
	e = entry_for(p, place);
	if (is_over(e, usec, span)) {
		memcpy(e->place, place, sizeof(place));
		e->n = 0;
		e->since = usec ? usec : 1;
	}
	e->n++;
	e->last = usec;
}
