/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Forgets mails that went through the box, and its notices, when they have been done
 * with for KeepFinished=. What users sent, collected or had printed is theirs to remove.
 */
#ifndef IFAX_SERVICE_RETENTION_H
#define IFAX_SERVICE_RETENTION_H

#include "service/box.h"

struct retention;

int retention_new(struct retention **ret, struct box *box, struct error *e);
void retention_free(struct retention *r);

#endif
