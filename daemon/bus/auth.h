/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may do what: root everything, others what polkit grants for the action. */
#ifndef IFAX_BUS_AUTH_H
#define IFAX_BUS_AUTH_H

#include <systemd/sd-bus.h>

typedef int (*auth_handler)(sd_bus_message *call, void *userdata, sd_bus_error *e);

/*
 * Runs @handler for @call once its sender is found to be allowed @action, at
 * once or after polkit has answered; the caller of the bus gets AccessDenied
 * otherwise. Returns as an sd-bus method handler does.
 */
int auth_check(sd_bus_message *call, const char *action, auth_handler handler, void *userdata,
	       sd_bus_error *e);

#endif
