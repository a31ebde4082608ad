/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key rings of users who are no more: ifax-keyring is told to remove them, again
 * and again until it has. Nobody inherits one meanwhile, as no two users have
 * rings of one name.
 */
#ifndef IFAX_SERVICE_RINGS_H
#define IFAX_SERVICE_RINGS_H

#include "service/box.h"

struct rings;

int rings_new(struct rings **ret, struct box *box, struct error *e);
void rings_free(struct rings *r);	/* NULL is fine */
/* A user was removed. NULL is fine: it is done when the box starts again. */
void rings_wake(struct rings *r);

#endif
