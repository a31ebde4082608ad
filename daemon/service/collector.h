/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POP3 collector: fetches the mailboxes of users with automatic reception at
 * their intervals and any mailbox on demand, in the order of service/turns.h.
 * Never two connections to one mailbox, whichever users have it. A mail is deleted
 * on the server only after it is durable here, and is remembered by its UIDL until
 * the server no longer lists it, or has confirmed that it is gone.
 */
#ifndef IFAX_SERVICE_COLLECTOR_H
#define IFAX_SERVICE_COLLECTOR_H

#include "service/box.h"

struct collector;

int collector_new(struct collector **ret, struct box *box, struct error *e);
void collector_free(struct collector *c);
/*
 * "Collect now": makes a job that says what became of it. -ENOENT no such user,
 * -ENODATA he has no mailbox. Joins a collection that goes on already, or one
 * that was asked for.
 */
int collector_collect(struct collector *c, const char *user, uint64_t *id, struct error *e);
/* The job is being canceled. -ENOENT: nothing is collected for it. */
int collector_cancel(struct collector *c, uint64_t id);
/* Whose mail stays on its servers, and why: a sentence, or NULL. Valid until the loop turns. */
const char *collector_notice(const struct collector *c);
/*
 * The same for one user, to his face, by whatever way his mail comes: NULL, it is printed
 * at once, or there is room. A constant.
 */
const char *collector_notice_for(const struct collector *c, const struct user *u);
/* A user was added, changed or removed. */
void collector_user_changed(struct collector *c, const char *code);

#endif
