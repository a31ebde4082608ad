/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scanner, a printer and a store that do what a test tells them, for the
 * duties above them. Nothing ends by itself: the test ends each page and makes
 * each note durable.
 */
#ifndef FAKE_DEVICES_H
#define FAKE_DEVICES_H

#include "device/print.h"
#include "device/scan.h"
#include "service/job_say.h"

struct fake_scanner {
	struct scanner base;
	bool claimed;		/* by the duty */
	bool taken;		/* by another program */
	bool empty;		/* no original lies in the feeder */
	unsigned int pages;	/* started */
	int refuse;		/* page() fails with this and the sentence */
	const char *refuse_text;
	scan_done_fn done;	/* of the page in hand, NULL = none */
	void *userdata;
	unsigned int cancels;
};

void fake_scanner_init(struct fake_scanner *s, const char *serial);
/* Ends the page in hand: a small page, or FAX_CODE_*. */
void fake_scanner_page(struct fake_scanner *s, bool more);
void fake_scanner_fail(struct fake_scanner *s, uint32_t code);

struct fake_printer {
	struct printer base;
	bool claimed;
	bool taken;
	uint32_t conditions;
	unsigned int pages;	/* started */
	unsigned int banners;	/* of them with a banner */
	const void *last;	/* first strip's code of the page started last */
	int refuse;
	const struct print_handlers *handlers;	/* of the page in hand, NULL = none */
	void *userdata;
	unsigned int cancels;
};

void fake_printer_init(struct fake_printer *p, const char *serial);
void fake_printer_end(struct fake_printer *p, uint32_t code, bool untouched);

/* Keeps what the last update said. */
struct fake_store {
	struct job_keeper keeper;
	int fail;		/* update() refuses with this */
	bool hold;		/* notes become durable by fake_store_commit() only */
	struct {
		store_done_fn done;
		void *userdata;
	} pending[8];
	unsigned int n_pending;
	unsigned int updates;
	uint64_t id;		/* of the last update, with what follows */
	enum job_state state;
	uint32_t page_in_hand;
	uint32_t pages_done;
	char detail[400];
};

void fake_store_init(struct fake_store *s);
/* Answers all that waits with @r. */
void fake_store_commit(struct fake_store *s, int r);

struct job *fake_job(uint64_t id, enum job_kind kind, enum job_state state);
/* @n pages of one strip; pages[i].strips[0].data differs for each. */
struct page_list fake_pages(size_t n);

/* Lets the event loop run until it has nothing to do for @msec. */
void fake_settle(sd_event *event, unsigned int msec);

#endif
