/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One fact about a job, in the same words to the journal, the job and ifaxctl. */
#ifndef IFAX_SERVICE_JOB_SAY_H
#define IFAX_SERVICE_JOB_SAY_H

#include "store/store.h"

/* How a duty reaches the store: store_job_update(), or a test's own. */
typedef int (*job_update_fn)(struct store *s, struct job *j, store_done_fn done, void *userdata,
			     struct error *e);

struct job_keeper {
	struct store *store;
	job_update_fn update;
};

/* Whether the job says just this already. */
bool job_said(const struct job *j, enum job_state state, const char *sentence);

/*
 * Sets state and detail, logs the sentence with @priority, and journals the
 * job. @done may be NULL; with a negative return it is not called, and the log
 * says what went wrong.
 */
int job_say(const struct job_keeper *keeper, struct job *j, int priority, enum job_state state,
	    store_done_fn done, void *userdata, const char *sentence);

#endif
