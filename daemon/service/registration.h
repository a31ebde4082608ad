/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may become a user: room in the table, and a code that is nobody's. */
#ifndef IFAX_SERVICE_REGISTRATION_H
#define IFAX_SERVICE_REGISTRATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "service/box.h"
#include "store/store.h"

/* -ENOSPC: not for @more, by UsersMax=. */
int registration_check_room(struct box *box, size_t more, struct error *e);
/* -EINVAL: no code; -EEXIST: "user code already taken". */
int registration_check_code(struct box *box, const char *code, struct error *e);
/* A new user's settings, where nothing is said; user_free(). NULL: out of memory. */
struct user *registration_defaults(void);

/* Stores one, and has his mailbox looked at. */
int registration_put(struct box *box, const struct user *u, bool create, struct error *e);
/* His mailbox is left alone, his keys go. -ENOENT; -EBUSY: mail is kept for him. */
int registration_remove(struct box *box, const char *code, struct error *e);

#endif
