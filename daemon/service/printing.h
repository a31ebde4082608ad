/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The duty to print: received documents to paper, page by page, one document at
 * a time on each printer.
 *
 * Before a page's paper moves, job->page_in_hand = n is durable; that it came
 * out is noted, as pages_done = n, together with the next page in hand or the
 * document's end. So after a crash, and after a jam, a page that may be on
 * paper already is known, and is printed again with a notice on it that says
 * so. Pages that pages_done counts are never printed again.
 *
 * While a job is here, it changes here only. Everything happens on the event
 * loop; done is never called from within another function of this header.
 */
#ifndef IFAX_SERVICE_PRINTING_H
#define IFAX_SERVICE_PRINTING_H

#include <systemd/sd-event.h>

#include "base/error.h"
#include "device/print.h"
#include "page/page.h"
#include "service/job_say.h"
#include "store/store.h"

struct printing;

/* Makes a page of one strip that says @text: banner_make(), or a test's own. */
typedef int (*printing_banner_fn)(const char *text, uint32_t width, uint32_t xres, uint32_t yres,
				  struct page *ret, struct error *e);
/*
 * The job has left: JOB_PRINTED, JOB_CANCELED or JOB_HELD, durable. It is the
 * callee's to read until it returns.
 */
typedef void (*printing_done_fn)(void *userdata, const struct job *job);

struct printing_options {
	const struct job_keeper *keeper;
	printing_banner_fn banner;
	printing_done_fn done;
	void *userdata;
	uint64_t retry_usec;	/* after a failure without a condition to wait for, 0 = 5 s */
};

int printing_new(struct printing **ret, sd_event *event, const struct printing_options *o);
/* Jobs stay in the store as they are and go on where they were after the next start. */
void printing_free(struct printing *p);

/* A printer came, goes (its page has ended then), or its conditions changed. */
int printing_add_printer(struct printing *p, struct printer *printer);
void printing_remove_printer(struct printing *p, struct printer *printer);
void printing_printer_changed(struct printing *p, struct printer *printer);

/*
 * Takes over @job and the contents of @pages, decoded whole by the worker
 * before; job->board chooses a printer by its serial number, NULL any. An error
 * leaves both the caller's: -EINVAL, a document without pages; -ENOMEM.
 */
int printing_add(struct printing *p, struct job *job, struct page_list *pages, struct error *e);
/* Whether the job is here: also one that leaves, until that is durable. */
bool printing_has(const struct printing *p, uint64_t job_id);
/* -ENOENT: no such job is here. */
int printing_cancel(struct printing *p, uint64_t job_id);

#endif
