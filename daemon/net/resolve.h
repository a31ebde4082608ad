/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names to addresses and mail domains to hosts: c-ares on sd-event, so that
 * /etc/hosts, resolv.conf and nsswitch.conf count as everywhere.
 *
 * A query is the caller's until its callback ran or net_query_cancel() was
 * called; either ends it, and no callback comes after a cancel. Callbacks are
 * never called from within the function that started the query. What a
 * callback is given lives until it returns.
 */
#ifndef IFAX_NET_RESOLVE_H
#define IFAX_NET_RESOLVE_H

#include <stdint.h>
#include <sys/socket.h>

#include <systemd/sd-event.h>

#include "base/error.h"

struct net_query;

#define NET_ADDRESSES_MAX	16
#define NET_MX_MAX		16

struct net_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

/*
 * r: number of addresses, port filled in, best first; or -ENOENT (no such name,
 * or no address of it), -EAGAIN (no name server answers: try later).
 */
typedef void (*net_host_fn)(void *userdata, int r, const struct net_address *addrs,
			    const struct error *e);
/*
 * r: number of hosts, the preferred ones first; the domain itself where it has
 * no MX record (RFC 5321, 5.1). -ENOENT: no such domain; -EOPNOTSUPP: it takes no
 * mail (null MX, RFC 7505); -EAGAIN: try later.
 */
typedef void (*net_mx_fn)(void *userdata, int r, const char *const *hosts,
			  const struct error *e);

/*
 * @servers: "host:port,..." instead of those of resolv.conf, or NULL. @host is a
 * name or a literal address, with or without brackets.
 */
int net_resolve_host(struct net_query **ret, sd_event *event, const char *host, uint16_t port,
		     const char *servers, net_host_fn fn, void *userdata, struct error *e);
int net_resolve_mx(struct net_query **ret, sd_event *event, const char *domain,
		   const char *servers, net_mx_fn fn, void *userdata, struct error *e);
void net_query_cancel(struct net_query *q);	/* NULL is fine */

#endif
