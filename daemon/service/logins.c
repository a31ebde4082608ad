/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "service/logins.h"

struct logins {
	sd_event_source *timer;
	logins_turn_fn turn;
	TAILQ_HEAD(, login) waiting;
	unsigned int n;
	uint64_t not_before;		/* CLOCK_MONOTONIC: the loop is the others' till then */
};

static uint64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000) + t.tv_nsec / 1000;
}

static int arm(struct logins *l)
{
	int r = sd_event_source_set_time(l->timer, l->not_before);

	return r < 0 ? r : sd_event_source_set_enabled(l->timer, l->n ? SD_EVENT_ONESHOT :
						       SD_EVENT_OFF);
}

/* By the clock, not by what it cost us: on a busy machine the loop gets less of it, too. */
static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct logins *l = userdata;
	struct login *who = TAILQ_FIRST(&l->waiting);
	uint64_t begun = now_usec(), ended;

	if (who) {
		logins_remove(l, who);
		l->turn(who);
		ended = now_usec();
		l->not_before = ended + (ended - begun) * (LOGINS_SHARE - 1);
	}
	return arm(l);
}

int logins_new(struct logins **ret, sd_event *event, logins_turn_fn turn)
{
	struct logins *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	TAILQ_INIT(&l->waiting);
	l->turn = turn;
	r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, 0, 1, on_timer, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	if (r < 0) {
		logins_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void logins_free(struct logins *l)
{
	if (!l)
		return;
	sd_event_source_disable_unref(l->timer);
	free(l);
}

int logins_add(struct logins *l, struct login *who)
{
	int r;

	if (l->n >= LOGINS_MAX)
		return -EBUSY;
	TAILQ_INSERT_TAIL(&l->waiting, who, entry);
	who->waits = true;
	l->n++;
	r = l->n == 1 ? arm(l) : 0;
	if (r < 0)
		logins_remove(l, who);
	return r;
}

void logins_remove(struct logins *l, struct login *who)
{
	if (!who->waits)
		return;
	TAILQ_REMOVE(&l->waiting, who, entry);
	who->waits = false;
	l->n--;
}
