/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listening sockets and who may come in: connections are taken in bounded
 * bursts, counted in all and for each address, and turned away beyond the
 * limits.
 *
 * A connection that is let in has a seat, which its owner gives back when it
 * ends; seats must all be given back before net_listen_free().
 */
#ifndef IFAX_NET_LISTEN_H
#define IFAX_NET_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <systemd/sd-event.h>

#include "base/error.h"

#define NET_PEER_TEXT 48	/* "192.0.2.1", "2001:db8::1" */

struct net_listen;
struct net_seat;

struct net_peer {
	struct sockaddr_storage addr, local;	/* v4-mapped ones as IPv4 */
	char text[NET_PEER_TEXT];
	unsigned int tag;			/* of the socket it came by */
};

struct net_listen_options {
	uint32_t max;			/* connections in all */
	uint32_t max_per_address;	/* of an IPv4 address, or of an IPv6 /64 */
	/* @fd and @seat are the receiver's. */
	void (*accepted)(void *userdata, int fd, const struct net_peer *peer,
			 struct net_seat *seat);
	/*
	 * Beyond a limit: the text to be sent before the line is closed, NULL: none.
	 * @busy: the box has no seat left; else the address has all of its own.
	 */
	const char *(*refused)(void *userdata, const struct net_peer *peer, bool busy);
	/* No connection could be taken for now, by want of descriptors or memory. */
	void (*trouble)(void *userdata, const struct error *e);
};

int net_listen_new(struct net_listen **ret, sd_event *event, const struct net_listen_options *o,
		   void *userdata);
void net_listen_free(struct net_listen *l);
/* @fd, a listening stream socket, is the listener's, after an error too. */
int net_listen_add(struct net_listen *l, int fd, unsigned int tag, struct error *e);
/*
 * Adds the sockets that systemd passed, by FileDescriptorName=: the tag is the place in @names,
 * which ends in NULL. How many there were; -ENOENT: one has another name.
 */
int net_listen_systemd(struct net_listen *l, const char *const *names, struct error *e);
/* The seats that are taken. */
uint32_t net_listen_count(const struct net_listen *l);
void net_seat_free(struct net_seat *s);		/* NULL is fine */

/* Reads addresses of sockets: v4-mapped ones become IPv4. */
void net_unmap(struct sockaddr_storage *a);

#endif
