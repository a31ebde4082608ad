/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The box: what main.c wires together. Each duty takes what it needs from here
 * and keeps the pointer; main.c makes them in the order of the fields and frees
 * them in the reverse one.
 */
#ifndef IFAX_SERVICE_BOX_H
#define IFAX_SERVICE_BOX_H

#include <systemd/sd-event.h>

#include "service/conf.h"

struct box {
	sd_event *event;
	struct conf conf;
	struct store *store;
	struct monitor *monitor;	/* boards, device/monitor.h */
	struct printing *printing;
	struct inbound *inbound;
	struct outbound *outbound;
	struct scanning *scanning;
	struct sending *sending;
	struct collector *collector;
	struct manager *manager;	/* the bus */
};

#endif
