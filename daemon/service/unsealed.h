/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was scanned and could not be encrypted: the scan is kept, in the clear and in
 * the spool alone, as a document of which nothing goes out (job.unsealed). What passes by
 * itself is tried again as mail that no host takes is, until it is too old, with the same
 * notices; where a person has to do something first the job is held, and says what.
 *
 * On disk before: nothing, or the document in the clear. After: in its place the one that
 * is encrypted, and the job is the queue's; a crash leaves the one or the other.
 */
#ifndef IFAX_SERVICE_UNSEALED_H
#define IFAX_SERVICE_UNSEALED_H

#include "service/box.h"
#include "service/sealing.h"

struct unsealed;

/* With what the last run left. @sealing outlives it. */
int unsealed_new(struct unsealed **ret, struct box *box, struct sealing *sealing,
		 struct error *e);
void unsealed_free(struct unsealed *u);

/* Stores @message as the document of @job, which stays the caller's. */
int unsealed_keep(struct unsealed *u, struct job *job, const struct buffer *message,
		  struct error *e);
/* Job @id could not be encrypted: @r of service/sealing.h, which @why tells of. */
void unsealed_put_off(struct unsealed *u, uint64_t id, int r, const struct error *why);
/* A person says that job @id is to be tried now. */
void unsealed_wake(struct unsealed *u, uint64_t id);

#endif
