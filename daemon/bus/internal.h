/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the bus. */
#ifndef IFAX_BUS_INTERNAL_H
#define IFAX_BUS_INTERNAL_H

#include <systemd/sd-bus.h>

#include "service/box.h"
#include "store/store.h"

int bus_fail(sd_bus_error *e, int r, const struct error *why);

/* One job as a{sv}: @whole with all of its recipients, else with the first few. */
int job_append(sd_bus_message *m, const struct job *job, bool whole);
/* The same within a dictionary that is open. */
int job_append_fields(sd_bus_message *m, const struct job *job, bool whole);
/* The method that lists the queue. */
int queue_list_call(sd_bus_message *m, struct box *box, sd_bus_error *e);
/* The box as a{sv}. */
int status_append(sd_bus_message *m, struct box *box);
/* The methods about users. */
int users_call(sd_bus_message *m, struct box *box, sd_bus_error *e);
/* A field of a user, by its name on the bus, into the struct user at @userdata: a dict_fn. */
int user_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
	       sd_bus_error *e);
/* The methods about recipients. */
int recipients_call(sd_bus_message *m, struct box *box, sd_bus_error *e);
/* The methods about keys: answered later. */
int keys_bus_call(sd_bus_message *m, struct box *box, sd_bus_error *e);
/* The methods about kept mail. */
int kept_call(sd_bus_message *m, struct box *box, sd_bus_error *e);
/* The method that tries each part of the box: answered later. */
int selftest_call(sd_bus_message *m, struct box *box, sd_bus_error *e);
/* The methods about aliases and lists. */
int aliases_call(sd_bus_message *m, struct box *box, sd_bus_error *e);
/* An array of whatever @append writes, as the reply to @m. */
int bus_reply_list(sd_bus_message *m, void **items, size_t n,
		   int (*append)(sd_bus_message *m, const void *item));

/* Many users in one call, which is answered when they are stored. One such call at a time. */
struct imports;

int imports_new(struct imports **ret, struct box *box);
void imports_free(struct imports *i);
int imports_call(struct imports *i, sd_bus_message *m, sd_bus_error *e);

/* Panels of users, which are told what SMTP sends them: signals to them alone. */
struct panels;

int panels_new(struct panels **ret, struct box *box, sd_bus *bus);
void panels_free(struct panels *p);
int panels_attach(struct panels *p, sd_bus_message *m, sd_bus_error *e);

#endif
