/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many users in one call. They may be tens of thousands: the call is read, and what
 * it brings is stored, a slice in each turn of the loop, so that nobody who waits for
 * the loop waits for all of them. The store has all or none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "service/collector.h"
#include "service/registration.h"

#define SLICE 200
/* Between slices. A source that is due at once, or deferred, could come before all others again. */
#define PAUSE_USEC 500

struct imports {
	struct box *box;
	sd_event_source *source;	/* on while a call is being worked on */
	sd_bus_message *call;		/* read as far as n_codes says; NULL: none */
	bool committed;
	char **codes;			/* of all users, in the order of the call */
	size_t n_codes, room;
	size_t applied;			/* of them */
	uint32_t added;
};

/* What of the call is staged in one turn: of each user, whether he is new. */
struct slice {
	struct user *users[SLICE];
	bool create[SLICE];
	size_t n;
};

static void slice_clear(struct slice *s)
{
	while (s->n)
		user_free(s->users[--s->n]);
}

/* The next slice follows, so much after this moment: to the loop, time stands still in a turn. */
static int go_on(struct imports *p)
{
	struct timespec now;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &now);
	r = sd_event_source_set_time(p->source, now.tv_sec * 1000000ull + now.tv_nsec / 1000 +
				     PAUSE_USEC);

	return r < 0 ? r : sd_event_source_set_enabled(p->source, SD_EVENT_ONESHOT);
}

static void forget_call(struct imports *p)
{
	for (size_t i = 0; i < p->n_codes; i++)
		free(p->codes[i]);
	free(take_ptr(p->codes));
	p->n_codes = p->room = p->applied = p->added = 0;
	p->committed = false;
	p->call = sd_bus_message_unref(p->call);
	sd_event_source_set_enabled(p->source, SD_EVENT_OFF);
}

/*
 * Reading
 */

static int take_code(struct imports *p, const char *code)
{
	size_t room = p->room ? 2 * p->room : 64;
	char **codes;

	if (p->n_codes == p->room) {
		codes = reallocarray(p->codes, room, sizeof(*codes));
		if (!codes)
			return -ENOMEM;
		p->codes = codes;
		p->room = room;
	}
	p->codes[p->n_codes] = strdup(code);
	return p->codes[p->n_codes] ? (int)p->n_codes++ : -ENOMEM;
}

/* Thousands of passwords would take minutes to hash, in which nothing else is done. */
static int import_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
			sd_bus_error *e)
{
	if (!strcmp(key, "panel-password"))
		return sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS,
					"of many users, passwords for the panel come as "
					"\"panel-hash\"");
	return user_entry(m, key, type, userdata, e);
}

/* What is not said of one who is known stays as it is. */
static int read_user(struct imports *p, struct slice *s, sd_bus_error *e)
{
	sd_bus_message *m = p->call;
	struct user *u = NULL;
	const char *code;
	int r = sd_bus_message_read(m, "s", &code);

	if (r >= 0)
		r = take_code(p, code);
	if (r < 0)
		return r;
	r = store_user_get(p->box->store, code, false, &u);
	s->create[s->n] = r == -ENOENT;
	if (r == -ENOENT) {
		u = registration_defaults();
		r = u ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	p->added += s->create[s->n];
	s->users[s->n++] = u;
	r = dict_walk(m, import_entry, u, e);
	return r < 0 ? r : job_set(&u->code, code);
}

/* 0: that was the last one. */
static int read_slice(struct imports *p, struct slice *s, sd_bus_error *e)
{
	int r;

	while (s->n < SLICE) {
		r = sd_bus_message_enter_container(p->call, 'r', "sa{sv}");
		if (r <= 0)
			return r;
		r = read_user(p, s, e);
		if (r >= 0)
			r = sd_bus_message_exit_container(p->call);
		if (r < 0)
			return r;
	}
	return 1;
}

/*
 * Storing
 */

/* Who cannot be stored is told by his place, from 0 on: the caller knows his line. */
static int stage(struct imports *p, const struct slice *s, sd_bus_error *e)
{
	struct error why = { 0 }, placed;
	size_t bad;
	int r = store_import_stage(p->box->store, s->users, s->create, s->n, &bad, &why);

	if (r >= 0)
		return 0;
	if (bad < s->n)
		error_set(&placed, r, "%zu: %s", p->n_codes - s->n + bad, error_text(&why));
	return bus_fail(e, r, bad < s->n ? &placed : &why);
}

static int answer(struct imports *p)
{
	int r = sd_bus_reply_method_return(p->call, "uu", p->added,
					   (uint32_t)p->n_codes - p->added);

	forget_call(p);
	return r;
}

/* All are staged: they are checked against what holds for all, and promised. */
static int commit(struct imports *p, sd_bus_error *e)
{
	struct error why = { 0 };
	int try, r = sd_bus_message_exit_container(p->call);

	if (r >= 0)
		r = sd_bus_message_read(p->call, "b", &try);
	if (r < 0)
		return r;
	r = registration_check_room(p->box, p->added, &why);
	if (r >= 0 && try) {
		store_import_abort(p->box->store);
		return answer(p);
	}
	if (r >= 0)
		r = store_import_commit(p->box->store, &why);
	if (r < 0)
		return bus_fail(e, r, &why);
	p->committed = true;
	return 0;
}

static int stage_more(struct imports *p, sd_bus_error *e)
{
	_cleanup_(slice_clear) struct slice s = { 0 };
	int more = read_slice(p, &s, e), r;

	if (more < 0)
		return more;
	r = stage(p, &s, e);
	if (r >= 0 && !more)
		r = commit(p, e);
	return r;
}

static int apply_more(struct imports *p, sd_bus_error *e)
{
	size_t end = p->applied + SLICE < p->n_codes ? p->applied + SLICE : p->n_codes;
	struct error why = { 0 };
	int r = store_import_apply(p->box->store, SLICE, &why);

	if (r < 0)
		return bus_fail(e, r, &why);
	for (; p->applied < end; p->applied++)
		collector_user_changed(p->box->collector, p->codes[p->applied]);
	return r > 0 ? 0 : answer(p);
}

static int on_turn(sd_event_source *source, uint64_t usec, void *userdata)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	struct imports *p = userdata;
	int r = p->committed ? apply_more(p, &e) : stage_more(p, &e);

	if (r >= 0 && p->call)
		r = go_on(p);
	if (r >= 0)
		return 0;
	if (p->call) {
		sd_bus_reply_method_errno(p->call, r, &e);
		if (!p->committed)
			store_import_abort(p->box->store);
		forget_call(p);
	}
	sd_bus_error_free(&e);
	return 0;
}

/*
 * The call
 */

int imports_call(struct imports *p, sd_bus_message *m, sd_bus_error *e)
{
	struct error why = { 0 };
	int r;

	sd_bus_message_sensitive(m);
	if (p->call)
		return sd_bus_error_set(e, SD_BUS_ERROR_FAILED,
					"users are being imported already; try again when that is "
					"done");
	r = store_import_begin(p->box->store, &why);
	if (r < 0)
		return bus_fail(e, r, &why);
	r = sd_bus_message_enter_container(m, 'a', "(sa{sv})");
	if (r >= 0)
		r = go_on(p);
	if (r < 0) {
		store_import_abort(p->box->store);
		return r;
	}
	p->call = sd_bus_message_ref(m);
	return 1;
}

int imports_new(struct imports **ret, struct box *box)
{
	struct imports *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->box = box;
	r = sd_event_add_time(box->event, &p->source, CLOCK_MONOTONIC, 0, 1, on_turn, p);
	if (r >= 0)
		r = sd_event_source_set_enabled(p->source, SD_EVENT_OFF);
	if (r < 0) {
		imports_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

/* What is committed is put in at once; the rest never was. */
void imports_free(struct imports *p)
{
	if (!p)
		return;
	if (p->call)
		store_import_abort(p->box->store);
	if (p->source)
		forget_call(p);
	sd_event_source_disable_unref(p->source);
	free(p);
}
