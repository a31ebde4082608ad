/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue: every mail that the box has taken responsibility for and that is to
 * leave it, or to be delivered in it: what was scanned (jobs of kind send), what
 * came by SMTP to be relayed or for several users (kind mail), and the notices
 * that the box writes itself.
 *
 * Recipients that are users of this box get a print job each, once, whatever
 * crash comes between (a job's source is unique); the others are grouped by the
 * host that takes them: one copy per host, one connection for many messages of a
 * host. What fails for good, is late, or was asked for makes a notice (RFC 3461,
 * 3464).
 */
#ifndef IFAX_SERVICE_QUEUE_H
#define IFAX_SERVICE_QUEUE_H

#include <sys/uio.h>

#include "mail/envelope.h"
#include "service/box.h"
#include "store/store.h"

struct queue;

int queue_new(struct queue **ret, struct box *box, struct error *e);
void queue_free(struct queue *q);

/*
 * Takes a mail over: durable when @done is called with 0, then it is ours. Users'
 * codes stand in the recipients already. @body in pieces (trace lines, then the
 * text), CRLF line ends, dots undone; borrowed for the call. -ENOSPC ...: nothing
 * was taken. *@id is the job's number, for the 250's words.
 */
int queue_accept(struct queue *q, const struct envelope *env, const struct iovec *body, int n_body,
		 store_done_fn done, void *userdata, uint64_t *id, struct error *e);
struct box *queue_box(struct queue *q);
/* Something may be due: a new job, a released one. */
void queue_wake(struct queue *q);
/* The job is being canceled: 0, or -EBUSY with a sentence where the dot is out. */
int queue_cancel(struct queue *q, uint64_t id, struct error *e);

#endif
