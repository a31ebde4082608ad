/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Outbound queue: takes jobs that are queued to the mail server, one connection
 * at a time, and writes what became of each recipient into the job.
 *
 * Before the dot that ends DATA the job is durably "sending"; found so at the
 * next start, the mail may have been taken. It is then sent again under the
 * same Message-ID, and the job says so.
 */
#ifndef IFAX_SERVICE_OUTBOUND_H
#define IFAX_SERVICE_OUTBOUND_H

#include "service/box.h"

struct outbound;

int outbound_new(struct outbound **ret, struct box *box, struct error *e);
void outbound_free(struct outbound *o);
/* Something may be due: a new job, a released one. */
void outbound_wake(struct outbound *o);
/* The job is being canceled: 0, or -EBUSY with a sentence where the dot is out. */
int outbound_cancel(struct outbound *o, uint64_t id, struct error *e);

#endif
