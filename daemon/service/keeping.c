/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/inbound.h"
#include "service/keeping.h"
#include "service/printing.h"
#include "service/slip.h"
#include "service/words.h"

#define DAY_USEC   (86400 * 1000000ull)
/* The clock may have been set meanwhile. */
#define LOOK_USEC  (600 * 1000000ull)
/* What cannot be done now is tried again after this. */
#define RETRY_USEC (10 * 1000000ull)
/* How often a document that waits for its last slip is looked at. */
#define SLIP_USEC  (3600 * 1000000ull)
/* Looked at in one turn of the event loop. */
#define TURN_MAX   16

struct keeping {
	struct box *box;
	sd_event_source *timer;
};

/*
 * Slips
 */

static void slip_key(char key[64], const struct job *job, const char *name)
{
	snprintf(key, 64, "kept/%llu/%s", (unsigned long long)job->id, name);
}

/* 0: a slip is on its way to paper; -EEXIST: one was made before. */
static int write_slip(struct keeping *k, const struct job *job, const struct user *u,
		      enum slip what, struct error *e)
{
	_buffer_ struct buffer mail = { 0 };
	struct iovec piece;
	char key[64];

	if (slip_write(&mail, what, job, u, k->box->conf.hostname) < 0)
		return error_set(e, -ENOMEM, "out of memory");
	slip_key(key, job, slip_name(what));
	piece = (struct iovec){ mail.data, mail.len };
	return inbound_accept_slip(k->box->inbound, job->user, key, &piece, e);
}

static bool is_slip_of(const struct job *slip, const struct job *job, const char *name)
{
	char key[64];

	slip_key(key, job, name);
	return slip->slip && slip->source && !strncmp(slip->source, key, strlen(key));
}

/* Each slip of @job, as far as it is not done with or @finished ones are wanted, too. */
static int each_slip(struct keeping *k, const struct job *job, bool finished,
		     void (*fn)(struct keeping *k, struct job *slip, void *userdata),
		     void *userdata)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = -1, .user = job->user,
				.unfinished = !finished, .limit = UINT32_MAX };
	struct job **jobs = NULL;
	size_t n = 0;
	int r = store_job_list(k->box->store, &f, &jobs, &n);

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (is_slip_of(jobs[i], job, ""))
			fn(k, jobs[i], userdata);
	job_list_free(jobs, n);
	return r;
}

/* @userdata: the document whose last slip is still wanted, NULL: none is. */
static void drop_slip(struct keeping *k, struct job *slip, void *userdata)
{
	struct box *box = k->box;

	if (userdata && is_slip_of(slip, userdata, slip_name(SLIP_END)))
		return;
	if (inbound_cancel(box->inbound, slip->id) != -ENOENT ||
	    printing_cancel(box->printing, slip->id) != -ENOENT ||
	    printing_has(box->printing, slip->id))
		return;
	job_say(&box->keeper, slip, LOG_INFO, JOB_CANCELED, NULL, NULL,
		"the mail that it tells of is not kept any more");
}

void keeping_drop_slips(struct keeping *k, const struct job *job)
{
	each_slip(k, job, false, drop_slip, NULL);
}

static void forget_keys(struct keeping *k, const struct job *job)
{
	char prefix[64];

	slip_key(prefix, job, "");
	store_source_forget(k->box->store, prefix, NULL, 0);
}

/*
 * Beginning
 */

uint64_t keeping_end(const struct user *u, uint64_t created)
{
	return created + (u->keep_days ? u->keep_days : 1) * DAY_USEC;
}

/* A day before the end, where more than that is left. */
static uint64_t next_look(const struct job *job, uint64_t now)
{
	return job->deadline > now + DAY_USEC ? job->deadline - DAY_USEC : job->deadline;
}

static int say_kept(struct keeping *k, struct job *job, const char *more)
{
	_free_ char *sentence = NULL;
	char when[32];

	words_time(job->deadline, when, sizeof(when));
	words_set(&sentence, "%u page(s) kept until %s%s; \"ifaxctl kept print --user %s %llu\" "
		  "prints them", job->pages, when, more, job->user, (unsigned long long)job->id);
	return job_say(&k->box->keeper, job, LOG_INFO, JOB_KEPT, NULL, NULL,
		       sentence ? sentence : "kept");
}

/*
 * On disk before: the document is to be looked at. Then there is a slip, by its key;
 * then the document is kept. After a crash in between the slip is there already.
 */
int keeping_keep(struct keeping *k, struct job *job, const struct user *u, struct error *e)
{
	int r = write_slip(k, job, u, SLIP_ARRIVED, e);

	if (r < 0 && r != -EEXIST)
		return r;
	job->next_try = next_look(job, words_now());
	r = say_kept(k, job, "");
	if (r < 0)
		return error_set(e, r, "it cannot be noted that the mail is kept");
	keeping_wake(k);
	return 0;
}

/*
 * The end
 */

static int print_now(struct keeping *k, struct job *job, const char *why)
{
	int r;

	keeping_drop_slips(k, job);
	/* An attempt counts as a word that it be printed, whatever else is known of it. */
	job->attempts++;
	job->next_try = 0;
	r = job_say(&k->box->keeper, job, LOG_INFO, JOB_CHECKING, NULL, NULL, why);
	inbound_wake(k->box->inbound);
	return r;
}

static int take_away(struct keeping *k, struct job *job, const char *why)
{
	int r = job_say(&k->box->keeper, job, LOG_NOTICE, JOB_REMOVED, NULL, NULL, why);

	if (r >= 0)
		forget_keys(k, job);
	return r;
}

static int take_away_told(struct keeping *k, struct job *job)
{
	return take_away(k, job, "its days were over: it was removed unprinted, and a notice "
			 "printed");
}

/* The slip that ends a document, as far as it is still known. */
struct last_slip {
	const struct job *about;
	uint64_t id;
	enum job_state state;
};

static void find_last(struct keeping *k, struct job *slip, void *userdata)
{
	struct last_slip *last = userdata;

	if (!is_slip_of(slip, last->about, slip_name(SLIP_END)))
		return;
	last->id = slip->id;
	last->state = slip->state;
}

/*
 * The slip was made before. Printed, or taken away by a person, it has said what it had
 * to say, and so it has where it is forgotten, which comes long after.
 */
static int after_slip(struct keeping *k, struct job *job, uint64_t now)
{
	struct last_slip last = { .about = job, .state = JOB_PRINTED };
	_free_ char *why = NULL;
	int r = each_slip(k, job, true, find_last, &last);

	if (r < 0)
		return r;
	if (last.state == JOB_PRINTED || last.state == JOB_CANCELED)
		return take_away_told(k, job);
	job->next_try = now + SLIP_USEC;
	words_set(&why, "its days are over; it is removed when the notice, job %llu, is out on "
		  "paper", (unsigned long long)last.id);
	return job_say(&k->box->keeper, job, LOG_DEBUG, JOB_KEPT, NULL, NULL,
		       why ? why : "its days are over");
}

/* No slip can be written, for the disk is full: what needs none must not wait behind it. */
static int later(struct keeping *k, struct job *job, uint64_t now, const struct error *e)
{
	_free_ char *why = NULL;

	job->next_try = now + RETRY_USEC;
	words_set(&why, "kept; the notice about it cannot be written: %s", error_text(e));
	return job_say(&k->box->keeper, job, LOG_WARNING, JOB_KEPT, NULL, NULL,
		       why ? why : "kept");
}

/*
 * On disk before: the document is kept. Then the last slip is there, by its key; then
 * that came out; only then, in keeping_printed() or here, the document goes.
 */
static int end_with_slip(struct keeping *k, struct job *job, const struct user *u, uint64_t now)
{
	struct error e = { 0 };
	int r;

	each_slip(k, job, false, drop_slip, job);
	r = write_slip(k, job, u, SLIP_END, &e);
	return r < 0 && r != -EEXIST ? later(k, job, now, &e) : after_slip(k, job, now);
}

static int warn(struct keeping *k, struct job *job, const struct user *u, uint64_t now)
{
	struct error e = { 0 };
	int r = write_slip(k, job, u, SLIP_WARNING, &e);

	if (r < 0 && r != -EEXIST)
		return later(k, job, now, &e);
	job->next_try = job->deadline;
	return say_kept(k, job, ", of which its user is warned");
}

static int act(struct keeping *k, struct job *job, uint64_t now)
{
	struct user *u = NULL;
	int r = store_user_get(k->box->store, job->user, false, &u);

	if (r < 0 && r != -ENOENT)
		return r;
	if (now < job->deadline)
		r = warn(k, job, u, now);
	else if (u && u->at_end && !strcmp(u->at_end, "notice"))
		r = end_with_slip(k, job, u, now);
	else
		r = print_now(k, job, "its days are over; it is printed now");
	user_free(u);
	return r;
}

/* 0: there may be more; -ENOENT: nothing is due, *@wait says for how long. */
static int act_on_next(struct keeping *k, uint64_t *wait)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = JOB_KEPT,
				.due_before = UINT64_MAX / 2, .limit = 1 };
	struct job **jobs = NULL;
	uint64_t now = words_now();
	size_t n = 0;
	int r = store_job_list(k->box->store, &f, &jobs, &n);

	*wait = RETRY_USEC;
	if (r >= 0 && n && jobs[0]->next_try <= now) {
		r = act(k, jobs[0], now);
	} else if (r >= 0) {
		*wait = n ? jobs[0]->next_try - now : LOOK_USEC;
		r = -ENOENT;
	}
	job_list_free(jobs, n);
	return r < 0 ? r : 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct keeping *k = userdata;
	uint64_t wait = 0;
	int r = 0;

	for (int i = 0; i < TURN_MAX && !r; i++)
		r = act_on_next(k, &wait);
	if (!r)
		wait = 0;
	sd_event_source_set_time_relative(s, wait < LOOK_USEC ? wait : LOOK_USEC);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

void keeping_wake(struct keeping *k)
{
	sd_event_source_set_time_relative(k->timer, 0);
	sd_event_source_set_enabled(k->timer, SD_EVENT_ONESHOT);
}

/*
 * What leaves
 */

static void slip_printed(struct keeping *k, const struct job *slip)
{
	struct job *job = NULL;
	unsigned long long id;

	if (!slip->source || sscanf(slip->source, "kept/%llu/", &id) != 1 ||
	    store_job_get(k->box->store, id, &job) < 0)
		return;
	if (job->state == JOB_KEPT && is_slip_of(slip, job, slip_name(SLIP_END)) &&
	    take_away_told(k, job) < 0)
		keeping_wake(k);
	job_free(job);
}

void keeping_printed(struct keeping *k, const struct job *job)
{
	if (job->state != JOB_PRINTED)
		return;
	if (job->slip)
		slip_printed(k, job);
	else if (job->deadline)
		forget_keys(k, job);
}

/*
 * By a person's word
 */

static int print_asked(struct keeping *k, struct job *job)
{
	return print_now(k, job, "printed by its user's word");
}

static int remove_asked(struct keeping *k, struct job *job)
{
	keeping_drop_slips(k, job);
	return take_away(k, job, "removed by its user's word");
}

static bool is_kept_for(const struct job *job, const char *user)
{
	return job->kind == JOB_PRINT && job->state == JOB_KEPT && job->user &&
	       !strcmp(job->user, user);
}

static int do_one(struct keeping *k, const char *user, uint64_t id,
		  int (*fn)(struct keeping *k, struct job *job))
{
	struct job *job = NULL;
	int r = store_job_get(k->box->store, id, &job);

	if (r >= 0)
		r = is_kept_for(job, user) ? fn(k, job) : -ENOENT;
	job_free(job);
	return r < 0 ? r : 1;
}

static int do_all(struct keeping *k, const char *user,
		  int (*fn)(struct keeping *k, struct job *job))
{
	struct job_filter f = { .kind = JOB_PRINT, .state = JOB_KEPT, .user = user,
				.limit = INT32_MAX };
	struct job **jobs = NULL;
	size_t n = 0;
	int r = store_job_list(k->box->store, &f, &jobs, &n);

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = fn(k, jobs[i]);
	job_list_free(jobs, n);
	return r < 0 ? r : n ? (int)n : -ENOENT;
}

static int do_asked(struct keeping *k, const char *user, uint64_t id,
		    int (*fn)(struct keeping *k, struct job *job), struct error *e)
{
	int r = id ? do_one(k, user, id, fn) : do_all(k, user, fn);

	if (r == -ENOENT && id)
		return error_set(e, r, "no mail %llu is kept for user %s", (unsigned long long)id,
				 user);
	if (r == -ENOENT)
		return error_set(e, r, "no mail is kept for user %s", user);
	return r < 0 ? error_set(e, r, "this cannot be noted: %s", strerror(-r)) : r;
}

int keeping_print(struct keeping *k, const char *user, uint64_t id, struct error *e)
{
	return do_asked(k, user, id, print_asked, e);
}

int keeping_remove(struct keeping *k, const char *user, uint64_t id, struct error *e)
{
	return do_asked(k, user, id, remove_asked, e);
}

/* What waited for its last slip: that may have come out just before the box stopped. */
static int recover(struct keeping *k)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = JOB_KEPT, .limit = INT32_MAX };
	struct job **jobs = NULL;
	uint64_t now = words_now();
	size_t n = 0;
	int r = store_job_list(k->box->store, &f, &jobs, &n);

	for (size_t i = 0; i < n && r >= 0; i++)
		if (jobs[i]->deadline <= now && jobs[i]->next_try > now)
			r = act(k, jobs[i], now);
	job_list_free(jobs, n);
	return r;
}

int keeping_new(struct keeping **ret, struct box *box, struct error *e)
{
	struct keeping *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return error_set(e, -ENOMEM, "out of memory");
	k->box = box;
	r = sd_event_add_time_relative(box->event, &k->timer, CLOCK_MONOTONIC, 0, 10000, on_timer,
				       k);
	if (r >= 0)
		r = recover(k);
	if (r < 0) {
		keeping_free(k);
		return error_set(e, r, "cannot take over what is kept: %s", strerror(-r));
	}
	*ret = k;
	return 0;
}

void keeping_free(struct keeping *k)
{
	if (!k)
		return;
	sd_event_source_disable_unref(k->timer);
	free(k);
}
