/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The SMTP receiver: listening sockets, sessions, and the way of a mail from a
 * client's bytes to queue_accept(). One event loop serves all sessions; an idle
 * one holds no buffer.
 *
 * Sessions that are open when the receiver is freed get a 421; those with a mail on
 * its way to the disk are waited for, as closing the store would wait, and get their
 * 250 before it.
 */
#ifndef IFAX_SERVICE_RECEIVER_H
#define IFAX_SERVICE_RECEIVER_H

#include <sys/uio.h>

#include "mail/envelope.h"
#include "service/box.h"
#include "store/store.h"

struct receiver;

enum receiver_port {
	RECEIVER_SMTP,		/* "smtp": who comes is anybody */
	RECEIVER_SUBMISSION,	/* "submission": MAIL only after AUTH */
	RECEIVER_SUBMISSIONS,	/* "submissions": so, too, encrypted from the first byte */
};

/* Who takes mails over: queue_accept() of the box's queue, or a test's own. */
typedef int (*receiver_accept_fn)(void *userdata, const struct envelope *env,
				  const struct iovec *body, int n_body, store_done_fn done,
				  void *done_data, uint64_t *id, struct error *e);

/* NULL for @accept: the queue. */
int receiver_new(struct receiver **ret, struct box *box, receiver_accept_fn accept,
		 void *userdata, struct error *e);
void receiver_free(struct receiver *r);
/* Takes the sockets that systemd passed. How many; none is fine. */
int receiver_listen(struct receiver *r, struct error *e);
/* @fd, a listening socket, is the receiver's, after an error too. */
int receiver_add(struct receiver *r, int fd, enum receiver_port port, struct error *e);

/* For status: sessions now, mails taken so far, octets of messages under way. */
struct receiver_figures {
	uint64_t sessions, mails, memory;
	bool scarce;		/* mail that would be kept is refused */
};

void receiver_figures(struct receiver *r, struct receiver_figures *ret);

#endif
