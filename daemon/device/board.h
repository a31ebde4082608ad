/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Boards: the functions that share a board_id, put together as one thing with a
 * scanner, a printer and a coder, each of which may be missing.
 *
 * Nodes come and go one by one (monitor.c tells). A board is added when all
 * that the kernel counts have come (or some will not: after a while), and
 * removed as soon as one of them goes; what remains is added anew.
 *
 * Lifetime: a struct board is valid from added until removed returns. Boards
 * are put together and taken apart from the event loop only, never from within
 * a call of scanner, printer or func.
 */
#ifndef IFAX_DEVICE_BOARD_H
#define IFAX_DEVICE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/fax.h>
#include <systemd/sd-event.h>

#include "device/func.h"
#include "device/print.h"
#include "device/scan.h"

struct board {
	uint64_t id;
	const char *model;
	const char *serial;
	const char *driver;
	struct scanner *scanner;	/* NULL: has none */
	struct printer *printer;	/* NULL: has none */
	bool has_coder;
};

struct board_handlers {
	void (*added)(void *userdata, struct board *b);
	/* Its scanner and printer must be let go of before this returns. */
	void (*removed)(void *userdata, struct board *b);
	void (*changed)(void *userdata, struct board *b); /* conditions; jobs that ended */
};

struct boards;

/* @sys: NULL is the system itself. */
int boards_new(struct boards **ret, sd_event *event, const struct func_sys *sys,
	       const struct board_handlers *handlers, void *userdata);
void boards_free(struct boards *bs); /* tells of each board that it is removed */

/* A node appeared or vanished. -errno with a sentence: it cannot be used. */
int boards_node_added(struct boards *bs, const char *node, struct error *e);
void boards_node_removed(struct boards *bs, const char *node);

/* Calls @fn with each board that is added. */
void boards_each(struct boards *bs, void (*fn)(void *userdata, struct board *b), void *userdata);

/* FAX_FUNC_*: what the function reports now. -ENOENT: the board has none. */
int board_status(const struct board *b, uint32_t function, struct fax_status *ret);
/* NULL: the board has none. */
const struct fax_caps *board_caps(const struct board *b, uint32_t function);
/* One more open of its coder, func_close(), and the loop it is on. -ENOENT: it has none. */
int board_open_coder(const struct board *b, struct func **ret, sd_event **event,
		     struct error *e);

#endif
