/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inbound routing: a received mail, durably stored, goes to the worker, which
 * reads it and decodes each page once; then to the printer.
 */
#ifndef IFAX_SERVICE_INBOUND_H
#define IFAX_SERVICE_INBOUND_H

#include <stddef.h>

#include "service/box.h"
#include "store/store.h"

struct inbound;

int inbound_new(struct inbound **ret, struct box *box, struct error *e);
void inbound_free(struct inbound *i);

/*
 * Stores a received mail for @user under the key @source; @done is called when
 * it is durable. -EEXIST: it is here already.
 */
int inbound_accept(struct inbound *i, const char *user, const char *source, const void *mail,
		   size_t len, store_done_fn done, void *userdata, struct error *e);
/* The job is being canceled. -ENOENT: it is not with the worker. */
int inbound_cancel(struct inbound *i, uint64_t id);
/* Printing is done with a document. */
void inbound_printed(struct inbound *i);
/* Looks at jobs that are to be checked. */
void inbound_wake(struct inbound *i);

#endif
