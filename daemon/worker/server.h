/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worker's frame: each connection gets a child process with limits of its
 * own, so that a mail which kills its parser kills nothing else. The parent
 * never looks at what strangers sent; where a child dies or hangs, it answers
 * in its place.
 */
#ifndef IFAX_WORKER_SERVER_H
#define IFAX_WORKER_SERVER_H

#include <systemd/sd-event.h>

#include "worker/protocol.h"

struct worker_server;

typedef void (*worker_parse_fn)(const struct worker_request *rq, int message, int output,
				struct worker_reply *rp);

struct worker_server_options {
	worker_parse_fn parse;		/* worker_parse_fd(), where its libraries are linked */
	uint32_t max_children;		/* at a time, 0 = 4; further connections wait */
	uint32_t timeout_ms;		/* of a child whatever its request says, 0 = 120000 */
	uint64_t max_memory;		/* address space of a child, bytes; 0 = no limit */
};

/*
 * Serves a listening SOCK_SEQPACKET socket, which becomes the server's, on the
 * event loop. SIGCHLD must be blocked.
 */
int worker_server_new(struct worker_server **ret, sd_event *event, int listen_fd,
		      const struct worker_server_options *o, struct error *e);
/* Children at work are killed. NULL is fine. */
void worker_server_free(struct worker_server *s);

#endif
