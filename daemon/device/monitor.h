/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Boards come and go under udev while the daemon runs: its monitor on the event
 * loop, feeding struct boards. Only nodes that udev has finished with (owner,
 * mode, links) are touched.
 *
 * Lifetime: @boards must outlive the monitor.
 */
#ifndef IFAX_DEVICE_MONITOR_H
#define IFAX_DEVICE_MONITOR_H

#include <systemd/sd-event.h>

#include "base/error.h"
#include "device/board.h"

struct monitor;

/* A node that cannot be used is told, and left out. */
typedef void (*monitor_trouble_fn)(void *userdata, const struct error *e);

/* Listens first, then takes in what is there: nothing falls between. */
int monitor_new(struct monitor **ret, sd_event *event, struct boards *boards,
		monitor_trouble_fn trouble, void *userdata, struct error *e);
void monitor_free(struct monitor *m);

#endif
