/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The box: what main.c wires together. Each duty takes what it needs from here
 * and keeps the pointer; main.c makes them and frees them in the reverse order.
 *
 * The store is freed last, and answers then what still waits for the disk. So
 * what it calls back reaches a duty through the box, where a duty that has been
 * freed is NULL.
 */
#ifndef IFAX_SERVICE_BOX_H
#define IFAX_SERVICE_BOX_H

#include <systemd/sd-event.h>

#include "service/conf.h"
#include "service/job_say.h"
#include "service/panel_password.h"

struct box {
	sd_event *event;
	struct conf conf;
	struct store *store;
	struct job_keeper keeper;	/* how duties write into jobs */
	struct boards *boards;
	struct monitor *monitor;	/* tells boards what comes and goes */
	struct printing *printing;
	struct inbound *inbound;
	struct queue *queue;
	struct scanning *scanning;
	struct retention *retention;
	struct keeping *keeping;	/* of mail for users who print it themselves */
	struct rings *rings;		/* of keys, whose users are no more */
	struct sending *sending;
	struct collector *collector;
	struct terminals *terminals;	/* panels where users are active */
	struct receiver *receiver;
	struct manager *manager;	/* the bus */
	struct selftest *selftest;	/* under way; NULL: none is */
	struct panel_tries panel_tries;
};

/* Printing and scanning, which wait for boards. */
int box_open_duties(struct box *box, struct error *e);
/* Lets boards come: the last step, when all that their work leads to is there. */
int box_open_devices(struct box *box, struct error *e);
/* What the first printer takes; nwidths 0: there is none, or it takes any width. */
struct raster_engine;
void box_engine(struct box *box, struct raster_engine *ret);
/* Ends what both began. */
void box_close_devices(struct box *box);

#endif
