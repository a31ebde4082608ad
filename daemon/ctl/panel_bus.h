/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a dialogue asks, asked of the daemon; its answers, and what there is to
 * know of the box. All of it goes by the connection's event loop: nothing waits.
 */
#ifndef IFAX_CTL_PANEL_BUS_H
#define IFAX_CTL_PANEL_BUS_H

#include <systemd/sd-bus.h>

#include "ctl/panel_dialogue.h"
#include "ctl/panel_screen.h"

/* Keep it where it is while the connection lives: replies find it by its address. */
struct panel_bus {
	sd_bus *bus;
	struct dialogue *dialogue;
	struct panel_status status;
	struct panel_touch *touch;
	size_t n_touch;
	bool asking, looking, following;	/* calls that wait for their replies */
};

/* The one-touch keys and the box's state are on their way after it. */
int panel_bus_begin(struct panel_bus *p, sd_bus *bus, struct dialogue *d);
void panel_bus_end(struct panel_bus *p);
/* Asks what the dialogue has come to ask. After each key and each answer. */
void panel_bus_ask(struct panel_bus *p);
/* Looks after the box and the job that is followed: about every second. */
void panel_bus_look(struct panel_bus *p);

#endif
