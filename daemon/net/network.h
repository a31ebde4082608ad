/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses and networks in words: "192.0.2.1", "2001:db8::/32". Plain values. */
#ifndef IFAX_NET_NETWORK_H
#define IFAX_NET_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct network {
	sa_family_t family;
	uint8_t octets[16];
	unsigned int bits;
};

/* -EINVAL: no network, or bits are set behind its prefix. */
int network_parse(const char *text, struct network *ret);
bool network_has(const struct network *n, const struct sockaddr_storage *a);
/* Whether @a is in one of those that stand in @words, parted by spaces; "none" has nobody. */
bool networks_have(const char *words, const struct sockaddr_storage *a);
/*
 * Whether @domain, as it stands in a mail address, is the literal of @a: "[192.0.2.1]",
 * "[IPv6:2001:db8::1]", or "#3221225985" of RFC 821.
 */
bool network_is_literal(const char *domain, const struct sockaddr_storage *a);

#endif
