/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue: every mail that the box has taken responsibility for and that is to
 * leave it, or to be delivered in it: what was scanned (jobs of kind send), what
 * came by SMTP to be relayed or for several users (kind mail), and the notices
 * that the box writes itself.
 *
 * Recipients that are users of this box get a print job each, once, whatever
 * crash comes between (a job's source is unique); the others are grouped by
 * destination: their domain or, where there is a smarthost, all of them. One copy
 * per destination, one connection for many messages of it, and a destination that
 * cannot be reached is tried for all its mail at once. Mail for a domain whose host
 * fetches it (Turn=) waits until that host has come. What fails for good, is
 * late, or was asked for makes a notice (RFC 3461, 3464).
 *
 * Before the dot that ends DATA the recipients it is for are durably "in hand";
 * found so at the next start, the mail may have been taken. It is then sent again
 * under the same Message-ID, and the job says so.
 */
#ifndef IFAX_SERVICE_QUEUE_H
#define IFAX_SERVICE_QUEUE_H

#include <sys/uio.h>

#include "mail/envelope.h"
#include "mail/report.h"
#include "service/box.h"
#include "store/store.h"

struct net_stream;
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
/* Job @id is new, or was released: it may be due. 0: look through all that waits. */
void queue_wake(struct queue *q, uint64_t id);
struct box *queue_box(struct queue *q);
/*
 * Job @id is not fit to be sent yet, as @why says: it is tried again later, with the notices
 * and the end of mail that no host takes; or it is held until a person says go on.
 */
int queue_put_off(struct queue *q, uint64_t id, const char *why);
int queue_put_on_hold(struct queue *q, uint64_t id, const char *why);
/*
 * A store_done_fn for who makes a job of the queue himself: has it looked at once
 * it is durable. @arrival is from malloc(), and freed.
 */
struct queue_arrival {
	struct box *box;
	uint64_t id;
};

void queue_on_arrival(void *arrival, int r);
/* When a job that is made now is to be looked at, whatever its hosts do: job.deadline. */
uint64_t queue_deadline(const struct conf *conf, uint64_t created);

/*
 * The job is being canceled, or held: what is under way for it is dropped. 0, or
 * -EBUSY with a sentence where the dot is out.
 */
int queue_cancel(struct queue *q, uint64_t id, struct error *e);
/* By a person's word. -EINVAL with a sentence: not in this state; -EBUSY as above. */
int queue_hold(struct queue *q, struct job *job, struct error *e);
int queue_release(struct queue *q, struct job *job, struct error *e);
/* What waits goes at once, whatever its times and its hosts' troubles. */
int queue_retry(struct queue *q, struct job *job, struct error *e);
/* A job that is sent from here gets names by which reports about it are known again. */
void queue_name_envelope(struct job *job, const struct conf *conf);
/*
 * @user got a report: what it says goes into the job that it is about. *@sentence,
 * free(), names that. -ENOENT: about none that he sent.
 */
int queue_report(struct queue *q, const char *user, const struct report *report, char **sentence);
/* Why mail to @domain waits, as far as its host is to blame: a sentence, or NULL. */
const char *queue_trouble(struct queue *q, const char *domain);

/* May one more line be in use? */
bool queue_has_line(struct queue *q);
/*
 * The host of @domain, which turn_allows(), has become the server on @stream: what waits
 * for it goes there, then the line is closed. @stream is the queue's; after an error not.
 */
int queue_turn(struct queue *q, const char *domain, struct net_stream *stream, struct error *e);

/* Other name servers and another port than 25, where there is no smarthost; for tests. */
void queue_set_net(struct queue *q, const char *dns, uint16_t port);

#endif
