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
/* The methods about users and recipients. */
int people_call(sd_bus_message *m, struct box *box, sd_bus_error *e);

#endif
