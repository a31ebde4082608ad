/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each query has a c-ares channel of its own: it sees today's resolv.conf, and
 * ending the channel cancels the query. c-ares may answer at once and forbids
 * ending a channel from within its callbacks; so callbacks only note the
 * result, and a deferred event source hands it on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <ares.h>
#include <arpa/nameser.h>

#include "base/cleanup.h"
#include "net/resolve.h"

#define SOCKETS_MAX	16
#define HOST_MAX	255

struct net_query {
	sd_event *event;
	ares_channel channel;
	bool channel_open;
	sd_event_source *sockets[SOCKETS_MAX];
	sd_event_source *timer;
	sd_event_source *deliver;

	char name[HOST_MAX + 1];
	uint16_t port;
	net_host_fn host_fn;
	net_mx_fn mx_fn;
	void *userdata;

	int result;
	struct error error;
	struct net_address addrs[NET_ADDRESSES_MAX];
	char *hosts[NET_MX_MAX];
};

void net_query_cancel(struct net_query *q)
{
	if (!q)
		return;
	/* First no more callbacks to us, then the channel, which closes its sockets. */
	q->host_fn = NULL;
	q->mx_fn = NULL;
	if (q->channel_open)
		ares_destroy(q->channel);
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		sd_event_source_disable_unref(q->sockets[i]);
	sd_event_source_disable_unref(q->timer);
	sd_event_source_disable_unref(q->deliver);
	for (size_t i = 0; i < NET_MX_MAX; i++)
		free(q->hosts[i]);
	sd_event_unref(q->event);
	free(q);
}

static int on_deliver(sd_event_source *source, void *userdata)
{
	struct net_query *q = userdata;
	net_host_fn host_fn = q->host_fn;
	net_mx_fn mx_fn = q->mx_fn;

	q->host_fn = NULL;
	q->mx_fn = NULL;
	if (host_fn)
		host_fn(q->userdata, q->result, q->addrs, &q->error);
	else if (mx_fn)
		mx_fn(q->userdata, q->result, (const char *const *)q->hosts, &q->error);
	net_query_cancel(q);
	return 0;
}

static void finish(struct net_query *q, int result)
{
	q->result = result;
	sd_event_source_set_enabled(q->deliver, SD_EVENT_ONESHOT);
}

static void fail(struct net_query *q, int status)
{
	int r = -EAGAIN;

	if (status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME)
		r = error_set(&q->error, -ENOENT,
			      "there is no host \"%s\": check the name for typing errors", q->name);
	else
		error_set(&q->error, r, "no name server could say where \"%s\" is (%s): check the "
			  "network and /etc/resolv.conf", q->name, ares_strerror(status));
	finish(q, r);
}

static int set_timer(struct net_query *q);

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct net_query *q = userdata;
	bool in = revents & (EPOLLIN | EPOLLERR | EPOLLHUP), out = revents & EPOLLOUT;

	ares_process_fd(q->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
	return set_timer(q);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct net_query *q = userdata;

	ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	return set_timer(q);
}

static int set_timer(struct net_query *q)
{
	struct timeval tv, *t = ares_timeout(q->channel, NULL, &tv);
	uint64_t usec;

	if (!t)
		return sd_event_source_set_enabled(q->timer, SD_EVENT_OFF);
	usec = (uint64_t)t->tv_sec * 1000000 + t->tv_usec;
	sd_event_source_set_time_relative(q->timer, usec);
	return sd_event_source_set_enabled(q->timer, SD_EVENT_ONESHOT);
}

static sd_event_source **find_socket(struct net_query *q, int fd)
{
	sd_event_source **vacant = NULL;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (!q->sockets[i])
			vacant = &q->sockets[i];
		else if (sd_event_source_get_io_fd(q->sockets[i]) == fd)
			return &q->sockets[i];
	}
	return vacant;
}

/* c-ares wants to hear of this socket, or not any more. */
static void on_socket_state(void *userdata, ares_socket_t fd, int readable, int writable)
{
	struct net_query *q = userdata;
	sd_event_source **s = find_socket(q, fd);
	uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);

	if (!s)
		return;		/* more sockets than it ever opens: its time-out answers */
	if (!events)
		*s = sd_event_source_disable_unref(*s);
	else if (*s)
		sd_event_source_set_io_events(*s, events);
	else
		sd_event_add_io(q->event, s, fd, events, on_socket, q);
}

/* The family of an address: nobody is asked about it. AF_UNSPEC: it is a name. */
static int family_of(const char *name)
{
	struct in6_addr a;

	if (inet_pton(AF_INET, name, &a) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, name, &a) == 1 ? AF_INET6 : AF_UNSPEC;
}

/* @name without the brackets of an address literal. */
static int copy_name(struct net_query *q, const char *name)
{
	size_t len = strlen(name);

	if (len >= 2 && name[0] == '[' && name[len - 1] == ']') {
		name++;
		len -= 2;
		if (len > 5 && !strncasecmp(name, "IPv6:", 5)) {
			name += 5;
			len -= 5;
		}
	}
	if (!len || len > HOST_MAX)
		return -EINVAL;
	memcpy(q->name, name, len);
	return 0;
}

static int open_channel(struct net_query *q, const char *servers)
{
	struct ares_options o = {
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = q,
	};

	if (ares_init_options(&q->channel, &o, ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS)
		return -ENOMEM;
	q->channel_open = true;
	if (servers && ares_set_servers_ports_csv(q->channel, servers) != ARES_SUCCESS)
		return -EINVAL;
	return 0;
}

static int query_new(struct net_query **ret, sd_event *event, const char *name,
		     const char *servers, void *userdata, struct error *e)
{
	struct net_query *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return error_set(e, -ENOMEM, "there is no memory for a name query");
	q->event = sd_event_ref(event);
	q->userdata = userdata;
	r = copy_name(q, name);
	if (r >= 0)
		r = open_channel(q, servers);
	if (r >= 0)
		r = sd_event_add_defer(event, &q->deliver, on_deliver, q);
	if (r >= 0)
		r = sd_event_source_set_enabled(q->deliver, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &q->timer, CLOCK_MONOTONIC, 0, 0, on_timer,
					       q);
	if (r >= 0)
		r = sd_event_source_set_enabled(q->timer, SD_EVENT_OFF);
	if (r < 0) {
		net_query_cancel(q);
		return error_set(e, r, "\"%.100s\" cannot be looked up: %s", name, strerror(-r));
	}
	*ret = q;
	return 0;
}

static void on_addrinfo(void *userdata, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct net_query *q = userdata;
	int n = 0;

	if (status == ARES_EDESTRUCTION)
		return;
	if (status != ARES_SUCCESS) {
		fail(q, status);
		return;
	}
	for (struct ares_addrinfo_node *a = ai->nodes; a && n < NET_ADDRESSES_MAX; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(q->addrs[n].addr))
			continue;
		memcpy(&q->addrs[n].addr, a->ai_addr, a->ai_addrlen);
		q->addrs[n++].len = a->ai_addrlen;
	}
	ares_freeaddrinfo(ai);
	if (n)
		finish(q, n);
	else
		fail(q, ARES_ENODATA);
}

int net_resolve_host(struct net_query **ret, sd_event *event, const char *host, uint16_t port,
		     const char *servers, net_host_fn fn, void *userdata, struct error *e)
{
	struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct net_query *q;
	char service[8];
	int r;

	r = query_new(&q, event, host, servers, userdata, e);
	if (r < 0)
		return r;
	q->host_fn = fn;
	hints.ai_family = family_of(q->name);
	snprintf(service, sizeof(service), "%u", port);
	ares_getaddrinfo(q->channel, q->name, service, &hints, on_addrinfo, q);
	set_timer(q);
	*ret = q;
	return 0;
}

/* The domain is its own mail host. */
static void finish_itself(struct net_query *q)
{
	q->hosts[0] = strdup(q->name);
	if (q->hosts[0])
		finish(q, 1);
	else
		fail(q, ARES_ENOMEM);
}

struct mx {
	uint32_t rank;		/* preference, then chance among equals */
	const char *host;
};

static int by_rank(const void *a, const void *b)
{
	const struct mx *x = a, *y = b;

	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void finish_mx(struct net_query *q, const struct ares_mx_reply *list)
{
	struct mx mx[64];
	size_t n = 0;
	int kept = 0;

	for (; list && n < ARRAY_SIZE(mx); list = list->next) {
		uint16_t chance = 0;

		(void)!getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
		if (!list->host[0] || !strcmp(list->host, "."))
			continue;
		mx[n].rank = (uint32_t)list->priority << 16 | chance;
		mx[n++].host = list->host;
	}
	if (!n) {
		error_set(&q->error, -EOPNOTSUPP, "\"%s\" takes no mail (it says so by a null MX): "
			  "check the address", q->name);
		finish(q, -EOPNOTSUPP);
		return;
	}
	qsort(mx, n, sizeof(*mx), by_rank);
	for (size_t i = 0; i < n && kept < NET_MX_MAX; i++) {
		q->hosts[kept] = strdup(mx[i].host);
		kept += q->hosts[kept] != NULL;
	}
	if (kept)
		finish(q, kept);
	else
		fail(q, ARES_ENOMEM);
}

static void on_mx(void *userdata, int status, int timeouts, unsigned char *answer, int len)
{
	struct net_query *q = userdata;
	struct ares_mx_reply *list = NULL;

	if (status == ARES_EDESTRUCTION)
		return;
	if (status == ARES_SUCCESS)
		status = ares_parse_mx_reply(answer, len, &list);
	/*
	 * A name without MX is its own host; so may be one that only /etc/hosts
	 * knows, where the look-up of its address will say.
	 */
	if (status == ARES_ENODATA || status == ARES_ENOTFOUND)
		finish_itself(q);
	else if (status != ARES_SUCCESS)
		fail(q, status);
	else if (!list)
		finish_itself(q);
	else
		finish_mx(q, list);
	if (list)
		ares_free_data(list);
}

static bool is_literal(const char *domain, const char *name)
{
	return domain[0] == '[' || family_of(name) != AF_UNSPEC;
}

int net_resolve_mx(struct net_query **ret, sd_event *event, const char *domain,
		   const char *servers, net_mx_fn fn, void *userdata, struct error *e)
{
	struct net_query *q;
	int r;

	r = query_new(&q, event, domain, servers, userdata, e);
	if (r < 0)
		return r;
	q->mx_fn = fn;
	if (is_literal(domain, q->name))
		finish_itself(q);
	else
		ares_query(q->channel, q->name, ns_c_in, ns_t_mx, on_mx, q);
	set_timer(q);
	*ret = q;
	return 0;
}
