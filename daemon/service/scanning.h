/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The duty to scan: a job in, its document as coded pages out. Pages are taken
 * until the feeder is empty; a document is whole or not at all.
 *
 * Requests for one scanner wait for each other. While a job is here, it changes
 * here only; what ends it is told in the job, in the log and to its owner.
 * Everything happens on the event loop; done is never called from within
 * another function of this header but scanning_free().
 */
#ifndef IFAX_SERVICE_SCANNING_H
#define IFAX_SERVICE_SCANNING_H

#include <systemd/sd-event.h>

#include "base/error.h"
#include "device/scan.h"
#include "page/page.h"
#include "service/job_say.h"
#include "store/store.h"

struct scanning;

/*
 * @job is the callee's from then on. With @pages, the document: the callee
 * takes its contents or clears it; the job is still JOB_SCANNING. Without, the
 * job is JOB_FAILED or JOB_CANCELED, journalled so, and @e says why.
 */
typedef void (*scanning_done_fn)(void *userdata, struct job *job, struct page_list *pages,
				 const struct error *e);

int scanning_new(struct scanning **ret, sd_event *event, const struct job_keeper *keeper,
		 uint32_t max_pages);
void scanning_free(struct scanning *s); /* what is in hand fails: the box stops */

/* A scanner came or goes; the page in its hand has ended when it goes. */
int scanning_add_scanner(struct scanning *s, struct scanner *scanner);
void scanning_remove_scanner(struct scanning *s, struct scanner *scanner);

/*
 * Takes over @job, in state JOB_SCANNING; job->board chooses a scanner by its
 * serial number, NULL any. -ENOMEM: it stays the caller's.
 */
int scanning_start(struct scanning *s, struct job *job, const struct scan_params *params,
		   scanning_done_fn done, void *userdata);
/* -ENOENT: no such job is here. */
int scanning_cancel(struct scanning *s, uint64_t job_id);

/* A job found in JOB_SCANNING at start: its pages are lost. Says so and fails it. */
int scanning_recover(struct scanning *s, struct job *job);

#endif
