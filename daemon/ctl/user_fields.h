/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings of a user, by the names they have as options, as columns and on the bus. */
#ifndef IFAX_CTL_USER_FIELDS_H
#define IFAX_CTL_USER_FIELDS_H

#include <systemd/sd-bus.h>

#include "base/error.h"
#include "ctl/dict.h"
#include "store/store.h"

enum user_field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG };

struct user_field {
	const char *name;
	enum user_field_type type;
	const char *help;
	size_t offset;		/* in struct user */
};

#define USER_FIELDS 15

extern const struct user_field user_fields[USER_FIELDS];

/* Reads what a person wrote; a text stays borrowed in @u. -EINVAL with a sentence. */
int user_field_set(const struct user_field *f, struct user *u, const char *text, struct error *e);
/* The same into a dictionary of a call that is open. */
int user_field_append(const struct user_field *f, sd_bus_message *m, const struct user *u);
/* As a person would write it, from what the daemon told; @number is room for one. */
const char *user_field_text(const struct user_field *f, const struct dict *d, char number[24]);

#endif
