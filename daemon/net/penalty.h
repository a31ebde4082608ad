/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has failed too often of late: a small memory of addresses (of IPv6, networks
 * of 64 bits). The oldest is forgotten for a new one. Zeroed is empty; a plain value.
 */
#ifndef IFAX_NET_PENALTY_H
#define IFAX_NET_PENALTY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define PENALTY_PLACES 256

struct penalties {
	struct penalty {
		uint8_t place[9];	/* family, then the octets that count */
		uint32_t n;
		uint64_t since;		/* of the first of these failures; 0 = unused */
		uint64_t last;
	} list[PENALTY_PLACES];
};

/* @usec: now, by a clock that does not go back. A failure is forgotten after @span. */
void penalty_add(struct penalties *p, const struct sockaddr_storage *a, uint64_t usec,
		 uint64_t span);
uint32_t penalty_count(const struct penalties *p, const struct sockaddr_storage *a, uint64_t usec,
		       uint64_t span);

#endif
