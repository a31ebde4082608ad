/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does each part of the box do what it is there for? The store is asked to bring what it
 * has to the disk, the worker to set a mail as a page, ifax-keyring for its keys, each
 * board for its state and its coder for a page (device/coder_check.h). Nothing is printed,
 * scanned or sent, and what the box does goes on meanwhile.
 */
#ifndef IFAX_SERVICE_SELFTEST_H
#define IFAX_SERVICE_SELFTEST_H

#include "service/box.h"

/* What became of one part, in the order in which they are shown. */
struct selftest_part {
	char name[96];
	bool good;
	char text[400];
};

/* Called once, on the event loop; @parts are gone after it. None: the box is closed. */
typedef void (*selftest_done_fn)(void *userdata, const struct selftest_part *parts, size_t n);

/* -EBUSY: one is under way. After an error @done is not called. */
int selftest_run(struct box *box, selftest_done_fn done, void *userdata, struct error *e);
/* Ends one that is under way. NULL is fine. */
void selftest_free(struct selftest *t);

#endif
