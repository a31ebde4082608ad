/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/log.h"
#include "service/job_say.h"

bool job_said(const struct job *j, enum job_state state, const char *sentence)
{
	return j->state == state && j->detail && !strcmp(j->detail, sentence);
}

int job_say(const struct job_keeper *keeper, struct job *j, int priority, enum job_state state,
	    store_done_fn done, void *userdata, const char *sentence)
{
	struct error e = {};
	int r = job_set(&j->detail, sentence);

	j->state = state;
	log_full(priority, j->id, j->user, "Job %llu: %s", (unsigned long long)j->id, sentence);
	if (r >= 0)
		r = keeper->update(keeper->store, j, done, userdata, &e);
	if (r < 0) {
		e.code = r;
		log_full(LOG_ERR, j->id, j->user, "Job %llu cannot be noted: %s",
			 (unsigned long long)j->id, error_text(&e));
	}
	return r;
}
