/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inbound routing: a received mail, durably stored, goes to the worker, which
 * reads it and decodes each page once; then to the printer.
 */
#ifndef IFAX_SERVICE_INBOUND_H
#define IFAX_SERVICE_INBOUND_H

#include <stddef.h>
#include <sys/uio.h>

#include "service/box.h"
#include "store/store.h"

struct inbound;

int inbound_new(struct inbound **ret, struct box *box, struct error *e);
void inbound_free(struct inbound *i);

/*
 * Stores a received mail, in @n pieces, for @user under the key @source (NULL: it
 * has none); @done is called when it is durable. *@id (may be NULL): the job's
 * number. -EEXIST: it is here already.
 */
int inbound_accept(struct inbound *i, const char *user, const char *source,
		   const struct iovec *mail, int n, store_done_fn done, void *userdata,
		   uint64_t *id, struct error *e);
/* The same for a copy of job @from's document, for @user: -EEXIST is as good as success. */
int inbound_accept_copy(struct inbound *i, const char *user, const char *source, uint64_t from,
			struct error *e);
/* The box's own words for @user, to be printed whatever his print mode: a slip. */
int inbound_accept_slip(struct inbound *i, const char *user, const char *source,
			const struct iovec *mail, struct error *e);
/* The job is being canceled. -ENOENT: it is not with the worker. */
int inbound_cancel(struct inbound *i, uint64_t id);
/* Printing is done with a document. */
void inbound_printed(struct inbound *i);
/* Looks at jobs that are to be checked. */
void inbound_wake(struct inbound *i);

#endif
