/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "keys/client.h"
#include "service/rings.h"
#include "store/store.h"

/* What ifax-keyring did not do is asked again after this. */
#define RETRY_USEC (600 * 1000000ull)

struct rings {
	struct box *box;
	sd_event_source *timer;
	struct keys_call *call;
	char *ring;		/* that it is asked to remove */
};

static void look_after(struct rings *s, uint64_t usec)
{
	sd_event_source_set_time_relative(s->timer, usec);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void later(struct rings *s, const char *why)
{
	log_warning("the keys of a removed user, %s, are still there, and nobody's: %s; tried "
		    "again later", s->ring ? s->ring : "ring unknown", why);
	look_after(s, RETRY_USEC);
}

/*
 * On disk before: the ring is noted as left. It is removed first and the note after
 * that: killed in between, the box has a ring removed once more that is not there.
 */
static void on_done(void *userdata, int r, const struct keys_reply *reply, int output,
		    const struct error *why)
{
	struct rings *s = userdata;
	struct error e = { 0 };

	s->call = NULL;
	if (r < 0)
		e = *why;
	else if (reply->code != KEYS_OK)
		r = error_set(&e, -EIO, "%s", reply->sentence);
	else
		r = store_ring_gone(s->box->store, s->ring, &e);
	if (r < 0) {
		later(s, error_text(&e));
		return;
	}
	log_info("the keys of a removed user, %s, are removed", s->ring);
	look_after(s, 0);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct rings *s = userdata;
	struct keys_question q = { .op = KEYS_REMOVE_RING, .input = -1, .n_arguments = 1 };
	struct error e = { 0 };
	int r;

	if (s->call)
		return 0;
	free(take_ptr(s->ring));
	r = store_ring_left(s->box->store, &s->ring);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		later(s, strerror(-r));
		return 0;
	}
	q.arguments = (const char *const *)&s->ring;
	r = keys_ask(s->box->event, s->box->conf.keyring, &q, on_done, s, &s->call, &e);
	if (r < 0)
		later(s, error_text(&e));
	return 0;
}

void rings_wake(struct rings *s)
{
	if (s && !s->call)
		look_after(s, 0);
}

int rings_new(struct rings **ret, struct box *box, struct error *e)
{
	struct rings *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(e, -ENOMEM, "out of memory");
	s->box = box;
	r = sd_event_add_time_relative(box->event, &s->timer, CLOCK_MONOTONIC, 0, 0, on_timer, s);
	if (r < 0) {
		free(s);
		return error_set(e, r, "cannot set a timer: %s", strerror(-r));
	}
	*ret = s;
	return 0;
}

void rings_free(struct rings *s)
{
	if (!s)
		return;
	keys_call_cancel(s->call);
	sd_event_source_disable_unref(s->timer);
	free(s->ring);
	free(s);
}
