/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the queue share: queue.c knows what is due, connection.c has
 * the lines to the hosts, settle.c writes into the job what became of it, local.c
 * delivers in the box, notice.c writes to senders, report.c hears from receivers,
 * accept.c takes mails in, and steer.c does what people say.
 *
 * Ownership: the queue has its destinations and the mails in hand; a destination
 * has its connections, a connection the delivery that goes over it, and each
 * delivery holds its mail.
 */
#ifndef IFAX_SERVICE_QUEUE_INTERNAL_H
#define IFAX_SERVICE_QUEUE_INTERNAL_H

#include <sys/queue.h>

#include "base/due.h"
#include "net/smtp_session.h"
#include "service/queue.h"

/* A job of which something is under way; dropped when nothing is. */
struct mail {
	struct mail *next;
	struct queue *queue;
	struct job *job;		/* ahead of what is stored only within a call */
	unsigned int refs;
	unsigned int deliveries;	/* on their way */
	struct extent body;		/* fd -1: not opened yet */
};

/* Where mail goes by SMTP: a domain or, its name NULL, the smarthost; "" is the box itself. */
struct destination {
	struct due due;			/* in queue->due, by CLOCK_MONOTONIC */
	struct queue *queue;
	char *name;
	LIST_HEAD(, connection) connections;
	unsigned int n_connections;
	bool turns;			/* its host fetches its mail: service/turn.h */
	uint64_t turned;		/* when it last began to: what was due then goes */
	bool reached;			/* by the last connection that was tried */
	bool one_by_one;		/* it lost a line when a mail first followed another */
	bool barred;			/* the login was refused: until a person says go on */
	unsigned int failures;		/* to reach it, in a row */
	uint64_t not_before;		/* CLOCK_MONOTONIC */
	char *trouble;			/* why, a sentence */
};

struct connection {
	LIST_ENTRY(connection) of_destination;
	LIST_ENTRY(connection) of_queue;
	struct destination *to;
	struct smtp_session *session;
	struct delivery *delivery;	/* NULL: idle */
	struct delivery *next;		/* its envelope goes out with the dot of the other */
	sd_event_source *idle;
	unsigned int messages;
	bool turned;			/* the host came to us, and goes when it has all */
	bool follows;			/* a mail that followed another had its own answer */
};

/* One copy of a mail on its way: some of its recipients, over one connection. */
struct delivery {
	struct mail *mail;
	struct connection *over;
	struct envelope env;		/* strings belong to the job, the array is ours */
	size_t *index;			/* recipient i of env is job recipient index[i] */
	bool noted;			/* in the journal, that the host has it in hand */
	int noted_with;			/* 0, or what went wrong */
	uint64_t mark;			/* the store's, at the note */
	struct in_hand *note;		/* the session waits at the dot for the disk to have it */
	bool dot_out;			/* the host may have the mail */
	bool followed;			/* another mail over its line */
	bool withdrawn;			/* before its turn: then the line ends, nothing is said */
};

struct queue {
	struct box *box;
	sd_event_source *timer;
	sd_event_source *kick;
	struct due_queue due;
	void *destinations;		/* tsearch(3), by name */
	struct destination *smarthost;	/* NULL: by MX */
	struct mail *mails;
	LIST_HEAD(, connection) connections;
	unsigned int n_connections;
	uint64_t not_before;		/* CLOCK_MONOTONIC: the store is in trouble */

	char *host;			/* of the smarthost */
	uint16_t port;
	char *user, *password;
	enum net_tls tls;
	char *dns;			/* for tests */
};

/* queue.c */
uint64_t queue_monotonic(const struct queue *q);
/* Waits grow from the first to the longest, doubling. */
uint64_t queue_wait(const struct conf *conf, uint32_t tries);
/* Is what was to be done at @when due? So it is, too, when the clock was set back since. */
bool queue_is_due(const struct queue *q, uint64_t when, uint64_t now);
/* The store takes nothing: it is not asked again at once. */
void queue_pause(struct queue *q);
void queue_kick(struct queue *q);
/* The mail of job @id, held for the caller; mail_put(). */
int mail_get(struct queue *q, uint64_t id, struct mail **ret);
void mail_put(struct mail *m);
/* Its document; munmap(). -ENOENT: it has none; -EBADMSG: it is damaged. */
int mail_map(struct mail *m, void **ret, size_t *len, struct error *e);
/* The next job that is due to @to and not on its way there, 1; 0: none is, *@when the soonest. */
int queue_next(struct destination *to, uint64_t *id, uint64_t *when);
void destination_wake(struct destination *to);

/* What barred or delayed the destinations of @job is forgotten. */
void queue_lift(struct queue *q, const struct job *job);

/* steer.c: no host has any of it in hand. */
void job_not_in_hand(struct job *job);

/* connection.c */
/*
 * Sends job @id over a line to @to: one that is idle, or a new one. 0 also where the
 * job turned out not to be sendable, which it says then. -EBUSY: no line is to be had.
 */
int connection_deliver(struct destination *to, uint64_t id);
/* The mail for @to goes over @stream, on which its host awaits us as client: as queue_turn(). */
int connection_turn(struct destination *to, struct net_stream *stream, struct error *e);
/* Takes job @id, whose dot must not be out, off the line; the caller writes what it is then. */
void connection_withdraw(struct connection *c, uint64_t id);
void connection_free(struct connection *c);	/* and what goes over it, unsettled */
/* May another line be opened at all? Ends an idle one for it where it must. */
bool connection_room(struct queue *q);
/* Job @id's copy on its way to @to, or any of its copies where @to is NULL; NULL: none. */
struct delivery *delivery_of(struct queue *q, const struct destination *to, uint64_t id);

/* settle.c */
/*
 * Writes into the job what became of it, @why the last thing to be known, with the
 * notices that are due first. -errno: it could not be noted.
 */
int mail_settle(struct mail *m, const char *why);
/* The same when the job is held. */
int mail_hold(struct mail *m, const char *why);

/* From when on its time in the queue counts. */
uint64_t mail_since(const struct job *job);
/* Writes what a report says of recipients for whom the mail was sent already. */
int mail_correct(struct mail *m, const char *why);

/* local.c: gives @m to those of its recipients who are users of this box. */
void local_deliver(struct mail *m);

/* notice.c: writes the notices that are due now; marks whom they were about. */
int notice_make(struct mail *m);

#endif
