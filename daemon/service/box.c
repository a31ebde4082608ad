/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Boards that come and go, handed to the duties that use them. */
#include <errno.h>
#include <string.h>

#include <linux/fax.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "device/board.h"
#include "device/func.h"
#include "device/monitor.h"
#include "page/banner.h"
#include "page/raster.h"
#include "service/box.h"
#include "service/inbound.h"
#include "service/keeping.h"
#include "service/printing.h"
#include "service/scanning.h"
#include "store/store.h"

static void take_engine(void *userdata, struct board *b)
{
	const struct fax_caps *caps = board_caps(b, FAX_FUNC_PRINT);
	struct raster_engine *engine = userdata;

	if (!caps || engine->nwidths)
		return;
	engine->nwidths = caps->nwidths;
	memcpy(engine->widths, caps->widths, sizeof(engine->widths));
	engine->nresolutions = caps->nresolutions;
	for (uint32_t i = 0; i < caps->nresolutions; i++) {
		engine->resolutions[i].x = caps->resolutions[i].x;
		engine->resolutions[i].y = caps->resolutions[i].y;
	}
	engine->rows_max = caps->rows_max;
}

void box_engine(struct box *box, struct raster_engine *ret)
{
	*ret = (struct raster_engine){ 0 };
	if (box->boards)
		boards_each(box->boards, take_engine, ret);
}

static void on_board_added(void *userdata, struct board *b)
{
	struct box *box = userdata;
	int r = 0;

	log_notice("board %s, serial %s: %s%s%s is here", b->model, b->serial,
		   b->scanner ? "scanner " : "", b->printer ? "printer " : "",
		   b->has_coder ? "coder" : "(no coder)");
	if (b->scanner)
		r = scanning_add_scanner(box->scanning, b->scanner);
	if (r >= 0 && b->printer)
		r = printing_add_printer(box->printing, b->printer);
	if (r < 0)
		log_error("board %s cannot be used: %s", b->serial, strerror(-r));
}

static void on_board_removed(void *userdata, struct board *b)
{
	struct box *box = userdata;

	log_notice("board %s, serial %s has gone", b->model, b->serial);
	if (b->scanner && box->scanning)
		scanning_remove_scanner(box->scanning, b->scanner);
	if (b->printer && box->printing)
		printing_remove_printer(box->printing, b->printer);
}

static void on_board_changed(void *userdata, struct board *b)
{
	struct box *box = userdata;

	if (b->printer)
		printing_printer_changed(box->printing, b->printer);
}

static void on_trouble(void *userdata, const struct error *e)
{
	log_warning("%s", error_text(e));
}

static void on_printed(void *userdata, const struct job *job)
{
	struct box *box = userdata;

	inbound_printed(box->inbound);
	keeping_printed(box->keeping, job);
}

int box_open_duties(struct box *box, struct error *e)
{
	const struct printing_options printing = {
		.keeper = &box->keeper,
		.banner = banner_make,
		.done = on_printed,
		.userdata = box,
	};
	int r;

	box->keeper = (struct job_keeper){ box->store, store_job_update };
	r = printing_new(&box->printing, box->event, &printing);
	if (r >= 0)
		r = scanning_new(&box->scanning, box->event, &box->keeper, box->conf.max_pages);
	return r < 0 ? error_set(e, r, "cannot start: %s", strerror(-r)) : 0;
}

int box_open_devices(struct box *box, struct error *e)
{
	static const struct board_handlers handlers = {
		.added = on_board_added,
		.removed = on_board_removed,
		.changed = on_board_changed,
	};
	int r;

	r = boards_new(&box->boards, box->event, &func_sys_linux, &handlers, box);
	if (r < 0)
		return error_set(e, r, "cannot start: %s", strerror(-r));
	return monitor_new(&box->monitor, box->event, box->boards, on_trouble, box, e);
}

void box_close_devices(struct box *box)
{
	/* The duties first: that the box stops is not that a board went. */
	monitor_free(box->monitor);
	scanning_free(take_ptr(box->scanning));
	printing_free(take_ptr(box->printing));
	boards_free(box->boards);
}
