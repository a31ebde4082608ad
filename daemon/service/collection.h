/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One connection to one mailbox: each mail that is new there becomes a job, and
 * may be deleted there once that job is durable here.
 *
 * What goes wrong with a mailbox that is collected by itself makes one job, which
 * waits: later connections keep it up to date, say nothing where nothing changed,
 * and the first one that works again ends it. Its number is the caller's to keep.
 *
 * A mail is known by its user, his mailbox (server and log-in) and its UIDL, for
 * another mailbox may give the same UIDL to another mail.
 */
#ifndef IFAX_SERVICE_COLLECTION_H
#define IFAX_SERVICE_COLLECTION_H

#include <stdbool.h>

#include "service/box.h"
#include "store/store.h"

struct collection;

/* What one collection from a mailbox leaves to the next. */
struct collection_memory {
	uint64_t trouble;	/* the job that waits for it to work, 0 = none */
	bool no_scram;		/* the server refuses that to this user */
};

enum collection_end {
	COLLECTION_DONE,	/* the mailbox was open; what was left there has its reason */
	COLLECTION_FAILED,	/* it was not, or the line broke */
	COLLECTION_UNREACHED,	/* the server did not answer */
};

/* It has ended; collection_free() may be called from within. */
typedef void (*collection_done_fn)(void *userdata, enum collection_end end);

/* A new job for a collection from @u's mailbox; job_free(). NULL: out of memory. */
struct job *collection_job(const struct user *u);

/*
 * Takes @user (with secrets) and @job over; without @job it is an automatic one.
 * @memory must stay valid. An error has been told in a job, and nothing runs.
 */
int collection_start(struct collection **ret, struct box *box, struct user *user, struct job *job,
		     struct collection_memory *memory, collection_done_fn done, void *userdata);
/* Drops the line where it still stands; mails that are not stored stay on the server. */
void collection_free(struct collection *k);	/* NULL is fine */

/* The job that somebody asked for, NULL = none did. */
const struct job *collection_request(const struct collection *k);
/* Somebody asks for what goes on already: @job is taken over. */
void collection_join(struct collection *k, struct job *job);
/* Says in the requested job, if there is one, that it was ended. -errno: that is not noted. */
int collection_say_canceled(struct collection *k, const char *why);
/* The port that @u's mail server has. */
uint16_t collection_port(const struct user *u);
/* Whether @u collects from the very mailbox that @k has in hand. */
bool collection_has(const struct collection *k, const struct user *u);
/* The user is gone: so is what is known of his mails. */
void collection_forget_user(struct store *s, const char *code);

#endif
