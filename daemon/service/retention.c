// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "service/retention.h"
#include "service/words.h"
#include "store/store.h"

/* The clock may have been set meanwhile; and what is finished next is not known yet. */
#define LOOK_USEC  (600 * 1000000ull)
/* Removed in one turn of the event loop, and the time until the next. */
#define BATCH	   64
#define BATCH_USEC 50000

struct retention {
	struct box *box;
	sd_event_source *timer;
};

/* 0: there may be more; -ENOENT: nothing is due, *@wait says for how long at the least. */
static int remove_one(struct box *box, uint64_t *wait)
{
	uint64_t id, since, now = words_now(), keep = box->conf.keep_usec;
	struct error e = { 0 };
	int r = store_finished_next(box->store, &id, &since);

	if (r < 0)
		return r;
	if (since > now || now - since < keep) {
		*wait = since > now ? keep : keep - (now - since);
		return -ENOENT;
	}
	r = store_job_remove(box->store, id, &e);
	if (r < 0)
		log_warning("job %llu cannot be removed: %s", (unsigned long long)id,
			    error_text(&e));
	return r;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct retention *t = userdata;
	uint64_t wait = LOOK_USEC;
	int n = 0, r = 0;

	while (!r && n < BATCH) {
		r = remove_one(t->box, &wait);
		n += !r;
	}
	if (n)
		log_debug("%d mails and notices that are done with were forgotten", n);
	if (!r)
		wait = BATCH_USEC;
	sd_event_source_set_time_relative(s, wait < LOOK_USEC ? wait : LOOK_USEC);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

int retention_new(struct retention **ret, struct box *box, struct error *e)
{
	struct retention *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return error_set(e, -ENOMEM, "out of memory");
	t->box = box;
	if (box->conf.keep_usec)
		r = sd_event_add_time_relative(box->event, &t->timer, CLOCK_MONOTONIC, 0, 0,
					       on_timer, t);
	if (r < 0) {
		free(t);
		return error_set(e, r, "cannot set a timer: %s", strerror(-r));
	}
	*ret = t;
	return 0;
}

void retention_free(struct retention *t)
{
	if (!t)
		return;
	sd_event_source_disable_unref(t->timer);
	free(t);
}
