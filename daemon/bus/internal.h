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

/* Panels of users, which are told what SMTP sends them: signals to them alone. */
struct panels;

int panels_new(struct panels **ret, struct box *box, sd_bus *bus);
void panels_free(struct panels *p);
int panels_attach(struct panels *p, sd_bus_message *m, sd_bus_error *e);

#endif
