/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mail that is kept for its user: received, looked at by the worker, then in state
 * *kept* for the days that he chose when it came; job.deadline is their end, and
 * job.next_try when it is looked at next.
 *
 * A slip of paper says what goes on: that a mail came, a day before the end, and,
 * where the user wants no print of it then, that it was removed. A slip is a print
 * job of the box's own words, made before the state that it tells of, by a key of
 * its own ("kept/JOB/..."): a crash makes no second one. What ends with a slip is
 * removed only when that has come out on paper; what ends with a print leaves as
 * any printed document does.
 *
 * Times are of the wall clock. What fell due while the box was off is done at its start.
 */
#ifndef IFAX_SERVICE_KEEPING_H
#define IFAX_SERVICE_KEEPING_H

#include "service/box.h"
#include "store/store.h"

struct keeping;

int keeping_new(struct keeping **ret, struct box *box, struct error *e);
void keeping_free(struct keeping *k);

/* When the days of a mail that came at @created for @u are over. */
uint64_t keeping_end(const struct user *u, uint64_t created);
/* Keeps @job, looked at, until job->deadline. -errno with a sentence: it is as it was. */
int keeping_keep(struct keeping *k, struct job *job, const struct user *u, struct error *e);
/* A document or slip has left the printer: this is called for every one. */
void keeping_printed(struct keeping *k, const struct job *job);
/* Looks at what is due. */
void keeping_wake(struct keeping *k);

/*
 * By a person's word, who may: of @user the mail @id, or all that is kept for him where
 * that is 0. The number of mails, or -ENOENT with a sentence: no such mail is kept.
 */
int keeping_print(struct keeping *k, const char *user, uint64_t id, struct error *e);
int keeping_remove(struct keeping *k, const char *user, uint64_t id, struct error *e);
/* The slips about a mail that is not kept any more need no paper. */
void keeping_drop_slips(struct keeping *k, const struct job *job);

#endif
