/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "net/listen.h"

#define DOORS_MAX 16
#define BURST	    64		/* of one turn, so that sessions get theirs */
#define REST_USEC   (1000 * UINT64_C(1000))	/* after trouble */
#define BUCKETS	    1024

/* What counts as one who comes: an IPv4 address or an IPv6 network of 64 bits. */
struct place {
	uint8_t octets[8];
	sa_family_t family;
};

/* One for each place of which somebody is here. */
struct net_seat {
	struct net_listen *listen;
	struct net_seat *next;
	struct place place;
	uint32_t n;
};

struct door {
	struct net_listen *listen;
	sd_event_source *io;
	unsigned int tag;
	int fd;
};

struct net_listen {
	sd_event *event;
	struct net_listen_options o;
	void *userdata;
	struct door doors[DOORS_MAX];
	size_t n_doors;
	sd_event_source *rest;
	uint32_t n;
	uint64_t salt;		/* so that nobody can choose his bucket */
	struct net_seat *buckets[BUCKETS];
};

void net_unmap(struct sockaddr_storage *a)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in4 = { .sin_family = AF_INET };

	if (a->ss_family != AF_INET6)
		return;
	memcpy(&in6, a, sizeof(in6));
	if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return;
	memcpy(&in4.sin_addr, in6.sin6_addr.s6_addr + 12, 4);
	in4.sin_port = in6.sin6_port;
	memset(a, 0, sizeof(*a));
	memcpy(a, &in4, sizeof(in4));
}

static void place_of(const struct sockaddr_storage *a, struct place *p)
{
	memset(p, 0, sizeof(*p));
	p->family = a->ss_family;
	if (a->ss_family == AF_INET)
		memcpy(p->octets, &((const struct sockaddr_in *)a)->sin_addr, 4);
	else if (a->ss_family == AF_INET6)
		memcpy(p->octets, &((const struct sockaddr_in6 *)a)->sin6_addr, 8);
}

static struct net_seat **bucket(struct net_listen *l, const struct place *p)
{
	uint64_t h;

	memcpy(&h, p->octets, sizeof(h));
	h = (h ^ l->salt) * UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 29;
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return &l->buckets[(h >> 32) % BUCKETS];
}

static bool same_place(const struct place *a, const struct place *b)
{
	return a->family == b->family && !memcmp(a->octets, b->octets, sizeof(a->octets));
}

/* NULL: the place has all of its seats, or there is no memory. */
static struct net_seat *take_seat(struct net_listen *l, const struct sockaddr_storage *a)
{
	struct net_seat **b, *s;
	struct place p;

	place_of(a, &p);
	b = bucket(l, &p);
	for (s = *b; s && !same_place(&s->place, &p); s = s->next)
		;
	if (s && s->n >= l->o.max_per_address)
		return NULL;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		*s = (struct net_seat){ .listen = l, .next = *b, .place = p };
		*b = s;
	}
	s->n++;
	l->n++;
	return s;
}

void net_seat_free(struct net_seat *s)
{
	struct net_seat **b;

	if (!s)
		return;
	s->listen->n--;
	if (--s->n)
		return;
	for (b = bucket(s->listen, &s->place); *b != s; b = &(*b)->next)
		;
	*b = s->next;
	free(s);
}

uint32_t net_listen_count(const struct net_listen *l)
{
	return l->n;
}

/*
 * Connections
 */

static void describe(struct net_peer *p, int fd, unsigned int tag)
{
	socklen_t len = sizeof(p->local);

	p->tag = tag;
	if (getsockname(fd, (struct sockaddr *)&p->local, &len) < 0)
		p->local.ss_family = AF_UNSPEC;
	net_unmap(&p->addr);
	net_unmap(&p->local);
	strcpy(p->text, "unknown");
	if (p->addr.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&p->addr)->sin_addr, p->text,
			  sizeof(p->text));
	else if (p->addr.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&p->addr)->sin6_addr, p->text,
			  sizeof(p->text));
}

static void turn_away(struct net_listen *l, int fd, const struct net_peer *peer, bool busy)
{
	const char *text = l->o.refused(l->userdata, peer, busy);

	/* It fits the socket's empty buffer; who cannot take it learns it by the end. */
	if (text && send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void take_in(struct net_listen *l, int fd, struct net_peer *peer, unsigned int tag)
{
	bool busy = l->n >= l->o.max;
	struct net_seat *seat;

	describe(peer, fd, tag);
	seat = busy ? NULL : take_seat(l, &peer->addr);
	if (seat)
		l->o.accepted(l->userdata, fd, peer, seat);
	else
		turn_away(l, fd, peer, busy);
}

static void enable(struct net_listen *l, int how)
{
	for (size_t i = 0; i < l->n_doors; i++)
		sd_event_source_set_enabled(l->doors[i].io, how);
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
	enable(userdata, SD_EVENT_ON);
	return 0;
}

/* Who waits stays in the backlog: better than asking for him again and again. */
static void rest(struct net_listen *l, int why)
{
	struct error e = { 0 };

	error_set(&e, -why, "no connection can be taken for now: %s", strerror(why));
	enable(l, SD_EVENT_OFF);
	sd_event_source_set_time_relative(l->rest, REST_USEC);
	sd_event_source_set_enabled(l->rest, SD_EVENT_ONESHOT);
	l->o.trouble(l->userdata, &e);
}

/* Errors of a connection that ended before it was taken: accept(2). */
static bool is_passing(int err)
{
	return err == EINTR || err == ECONNABORTED || err == EPROTO || err == ENETDOWN ||
	       err == ENOPROTOOPT || err == EHOSTDOWN || err == ENONET || err == EHOSTUNREACH ||
	       err == EOPNOTSUPP || err == ENETUNREACH || err == ETIMEDOUT;
}

static int on_connection(sd_event_source *source, int listener, uint32_t revents, void *userdata)
{
	struct door *d = userdata;

	for (int i = 0; i < BURST; i++) {
		struct net_peer peer = { 0 };
		socklen_t len = sizeof(peer.addr);
		int fd = accept4(listener, (struct sockaddr *)&peer.addr, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_in(d->listen, fd, &peer, d->tag);
		} else if (!is_passing(errno)) {
			if (errno != EAGAIN)
				rest(d->listen, errno);
			break;
		}
	}
	return 0;
}

int net_listen_add(struct net_listen *l, int fd, unsigned int tag, struct error *e)
{
	_close_ int owned = fd;
	struct door *d = &l->doors[l->n_doors];
	int r, flags, yes = 0;
	socklen_t len = sizeof(yes);

	if (l->n_doors == DOORS_MAX)
		return error_set(e, -E2BIG, "more than %d listening sockets", DOORS_MAX);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) < 0 || !yes)
		return error_set(e, -EINVAL, "descriptor %d is no listening socket: the .socket "
				 "unit must have ListenStream= and Accept=no", fd);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_set(e, -errno, "a listening socket cannot be used: %m");
	*d = (struct door){ .listen = l, .tag = tag };
	r = sd_event_add_io(l->event, &d->io, fd, EPOLLIN, on_connection, d);
	if (r < 0)
		return error_set(e, r, "a listening socket cannot be used: %s", strerror(-r));
	d->fd = take_fd(owned);
	l->n_doors++;
	return 0;
}

static int find_name(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return i;
	return -ENOENT;
}

static void free_names(char ***names)
{
	for (char **n = *names; n && *n; n++)
		free(*n);
	free(*names);
}

int net_listen_systemd(struct net_listen *l, const char *const *names, struct error *e)
{
	_cleanup_(free_names) char **given = NULL;
	int n = sd_listen_fds_with_names(1, &given), r = 0, tag;

	if (n < 0)
		return error_set(e, n, "the sockets of systemd cannot be taken: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		_close_ int fd = SD_LISTEN_FDS_START + i;

		if (r < 0)
			continue;
		tag = find_name(names, given[i]);
		if (tag < 0)
			r = error_set(e, tag, "systemd gave a socket named \"%s\", which is of no "
				      "use: mend FileDescriptorName= of its unit", given[i]);
		else
			r = net_listen_add(l, take_fd(fd), (unsigned int)tag, e);
	}
	return r < 0 ? r : n;
}

int net_listen_new(struct net_listen **ret, sd_event *event, const struct net_listen_options *o,
		   void *userdata)
{
	struct net_listen *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->event = sd_event_ref(event);
	l->o = *o;
	l->userdata = userdata;
	if (getrandom(&l->salt, sizeof(l->salt), 0) < 0)
		l->salt = (uintptr_t)l;
	r = sd_event_add_time_relative(event, &l->rest, CLOCK_MONOTONIC, 0, 0, on_rested, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->rest, SD_EVENT_OFF);
	if (r < 0) {
		net_listen_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void net_listen_free(struct net_listen *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n_doors; i++) {
		sd_event_source_disable_unref(l->doors[i].io);
		close(l->doors[i].fd);
	}
	sd_event_source_disable_unref(l->rest);
	sd_event_unref(l->event);
	free(l);
}
