/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/collection.h"
#include "service/collector.h"
#include "service/turns.h"
#include "store/store.h"

/* Another user's connection has the same mailbox: looked at again after this. */
#define SHARED_USEC (5 * 1000000ull)
/* How long it is good that there is room, or none, for those whose mail is kept. */
#define ROOM_USEC (1 * 1000000ull)
#define NO_ROOM_USEC (5 * 1000000ull)
/* How long a server that refused SCRAM to a user is not asked for it. */
#define NO_SCRAM_USEC (24 * 3600 * 1000000ull)
/* Begun in one turn of the loop at most: they may end as soon as they start. */
#define BURST 8

/*
 * A user's mailbox. It waits in the queue, or has a connection, or both; one with
 * neither is forgotten, unless something is to be remembered of its server.
 */
struct mailbox {
	struct turn turn;		/* first: turns_next() gives mailboxes; CLOCK_MONOTONIC */
	struct collector *collector;
	char *code;			/* of the user */
	struct collection *running;
	struct job *request;		/* somebody asked for it, NULL = nobody who still waits */
	unsigned int failures;		/* in a row */
	uint64_t interval;		/* of its user */
	bool changed;			/* its user, since it has its connection */
	struct collection_memory memory;
	uint64_t scram_again;		/* tried then; 0 = it was not refused */
};

struct collector {
	struct box *box;
	sd_event_source *timer;
	void *by_code;			/* tree of mailboxes */
	struct turns *turns;
	struct mailbox **running;	/* turns_running() of them */
	size_t n_running;
	bool full;			/* no room for mail that is kept */
	uint64_t full_until;		/* when that is looked at again */
	char notice[200];
};

static uint64_t monotonic(const struct collector *c)
{
	uint64_t now = 0;

	sd_event_now(c->box->event, CLOCK_MONOTONIC, &now);
	return now;
}

/*
 * Mailboxes
 */

static int compare_codes(const void *a, const void *b)
{
	return strcmp(((const struct mailbox *)a)->code, ((const struct mailbox *)b)->code);
}

static struct mailbox *find_mailbox(struct collector *c, const char *code)
{
	const struct mailbox key = { .code = (char *)code };
	void *found = tfind(&key, &c->by_code, compare_codes);

	return found ? *(struct mailbox **)found : NULL;
}

static void free_line(struct collector *c, struct mailbox *m, enum turn_end end)
{
	size_t i = 0;

	while (c->running[i] != m)
		i++;
	c->running[i] = c->running[--c->n_running];
	turn_ended(c->turns, &m->turn, end, monotonic(c), m->interval);
}

static void stop_running(struct collector *c, struct mailbox *m, enum turn_end end)
{
	free_line(c, m, end);
	collection_free(take_ptr(m->running));
}

static void mailbox_free(void *p)
{
	struct mailbox *m = p;

	if (m->running)
		stop_running(m->collector, m, TURN_BROKEN_OFF);
	turn_forget(m->collector->turns, &m->turn);
	job_free(m->request);
	free(m->code);
	free(m);
}

static struct mailbox *get_mailbox(struct collector *c, const char *code)
{
	struct mailbox *m = find_mailbox(c, code);

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->collector = c;
	m->code = strdup(code);
	if (!m->code || !tsearch(m, &c->by_code, compare_codes)) {
		mailbox_free(m);
		return NULL;
	}
	return m;
}

static void end_trouble(struct collector *c, struct mailbox *m)
{
	struct job *job = NULL;

	if (m->memory.trouble && store_job_get(c->box->store, m->memory.trouble, &job) >= 0 &&
	    !job_state_final(job->state))
		job_say(&c->box->keeper, job, LOG_INFO, JOB_CANCELED, NULL, NULL,
			"this mailbox is not collected by itself any more");
	job_free(job);
	m->memory.trouble = 0;
}

/* What is remembered holds for the user as he was. */
static void forget_memory(struct mailbox *m)
{
	m->memory.no_scram = false;
	m->scram_again = 0;
}

/* Forgets a mailbox that nothing is to be done with; true where it did. */
static bool drop_idle(struct collector *c, struct mailbox *m)
{
	if (m->turn.in || m->running)
		return false;
	end_trouble(c, m);
	if (m->scram_again)
		return false;
	tdelete(m, &c->by_code, compare_codes);
	mailbox_free(m);
	return true;
}

static bool automatic(const struct user *u)
{
	return u->auto_receive && u->pop3_host;
}

static uint64_t interval(const struct collector *c, const struct user *u)
{
	return u->interval ? u->interval * 1000000ull : c->box->conf.interval_usec;
}

/*
 * Connections
 */

static bool look_for_room(struct collector *c)
{
	uint64_t free_bytes = store_free_bytes(c->box->store);

	snprintf(c->notice, sizeof(c->notice),
		 "the disk has %llu MiB free: mail of users without automatic print stays on their "
		 "servers", (unsigned long long)free_bytes >> 20);
	return free_bytes >= c->box->conf.collect_reserve;
}

/* Holds or lets go those whose mail is kept. */
static void mind_room(struct collector *c)
{
	uint64_t now = monotonic(c);
	bool full;

	if (now < c->full_until)
		return;
	full = !look_for_room(c);
	if (full != c->full)
		log_full(full ? LOG_WARNING : LOG_NOTICE, 0, NULL, "%s", full ? c->notice :
			 "there is room again for mail of users without automatic print");
	c->full = full;
	c->full_until = now + (full ? NO_ROOM_USEC : ROOM_USEC);
	turns_hold(c->turns, TURN_KEEPS, full);
}

const char *collector_notice(const struct collector *c)
{
	return c->full ? c->notice : NULL;
}

const char *collector_notice_for(const struct collector *c, const struct user *u)
{
	if (u->auto_print ||
	    store_free_bytes(c->box->store) >= c->box->conf.collect_reserve)
		return NULL;
	return "memory is full: your mail stays on the server until there is room; what is kept "
	       "here for you may be printed";
}

/* Sets the timer to the mailbox that is due next. */
static void plan(struct collector *c)
{
	uint64_t when = turns_when(c->turns);

	if (c->full && turns_waiting(c->turns, TURN_KEEPS) && c->full_until < when)
		when = c->full_until;
	if (when == UINT64_MAX) {
		sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(c->timer, when);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

/* The wait doubles with each failure, up to a limit that no interval is cut by. */
static uint64_t wait_of(const struct collector *c, const struct mailbox *m)
{
	uint64_t wait = m->interval, most = c->box->conf.collect_retry_max_usec;

	for (unsigned int i = 1; i < m->failures && wait < most; i++)
		wait *= 2;
	return wait < most || m->failures < 2 ? wait : m->interval > most ? m->interval : most;
}

/* When it is looked at again, where that is not at its time. */
static void mind_end(struct collector *c, struct mailbox *m, bool again)
{
	uint64_t now = monotonic(c);

	if (m->changed) {
		m->failures = 0;
		if (again)
			turn_move(c->turns, &m->turn, m->turn.class, now);
	} else if (m->failures && (m->turn.in || again)) {
		/* Also where it has come to be due meanwhile: what fails slowly fails, too. */
		turn_move(c->turns, &m->turn, m->turn.class, now + wait_of(c, m));
	} else if (again) {
		turn_move(c->turns, &m->turn, m->turn.class, now);
	}
}

static void on_done(void *userdata, enum collection_end end)
{
	struct mailbox *m = userdata;
	struct collector *c = m->collector;
	bool again;

	stop_running(c, m, end == COLLECTION_UNREACHED ? TURN_UNREACHED : TURN_WENT);
	m->failures = end == COLLECTION_DONE ? 0 : m->failures + 1;
	if (m->changed)
		forget_memory(m);
	else if (m->memory.no_scram && !m->scram_again)
		m->scram_again = monotonic(c) + NO_SCRAM_USEC;
	again = m->turn.again;
	m->turn.again = false;
	mind_end(c, m, again);
	drop_idle(c, m);
	plan(c);
}

static bool in_use(const struct collector *c, const struct user *u)
{
	for (size_t i = 0; i < c->n_running; i++)
		if (collection_has(c->running[i]->running, u))
			return true;
	return false;
}

/* The user with his password, or without where it cannot be opened: the collection says so. */
static int get_user(const struct collector *c, const char *code, struct user **ret)
{
	int r = store_user_get(c->box->store, code, true, ret);

	return r < 0 && r != -ENOENT ? store_user_get(c->box->store, code, false, ret) : r;
}

/* Its user is gone: so is it. */
static void forget(struct collector *c, struct mailbox *m)
{
	static const char why[] = "the user was removed; what was not collected is on the server";

	turn_remove(c->turns, &m->turn);
	forget_memory(m);
	if (m->request)
		job_say(&c->box->keeper, m->request, LOG_INFO, JOB_CANCELED, NULL, NULL, why);
	if (m->running) {
		collection_say_canceled(m->running, why);
		stop_running(c, m, TURN_BROKEN_OFF);
	}
	drop_idle(c, m);
}

static int set_turn(struct collector *c, struct mailbox *m, const struct user *u, uint64_t when)
{
	enum turn_class class = m->request ? TURN_REQUESTED :
				u->auto_print ? TURN_PRINTS : TURN_KEEPS;

	m->interval = interval(c, u);
	return turn_set(c->turns, &m->turn, u->pop3_host ? u->pop3_host : "",
			collection_port(u), class, when);
}

/* The line is ours again before it was used. */
static void give_back(struct collector *c, struct mailbox *m)
{
	turn_ended(c->turns, &m->turn, TURN_BROKEN_OFF, monotonic(c), 0);
}

/* A mailbox that is due, and may have a connection. */
static void collect(struct collector *c, struct mailbox *m)
{
	uint64_t now = monotonic(c);
	struct user *u = NULL;
	int r;

	r = get_user(c, m->code, &u);
	if (r < 0 || in_use(c, u)) {
		give_back(c, m);
		if (r == -ENOENT)
			forget(c, m);
		else
			turn_move(c->turns, &m->turn, m->turn.class, now + SHARED_USEC);
		user_free(u);
		return;
	}
	if (automatic(u)) {
		struct job *asked = take_ptr(m->request);

		set_turn(c, m, u, now + interval(c, u));
		m->request = asked;
	}
	c->running[c->n_running++] = m;
	m->changed = false;
	if (m->scram_again && now >= m->scram_again)
		forget_memory(m);
	if (collection_start(&m->running, c->box, u, take_ptr(m->request), &m->memory, on_done,
			     m) >= 0)
		return;
	free_line(c, m, TURN_BROKEN_OFF);
	m->failures++;
	if (m->turn.in)
		turn_move(c->turns, &m->turn, m->turn.class, now + wait_of(c, m));
	drop_idle(c, m);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct collector *c = userdata;
	struct mailbox *m;

	mind_room(c);
	for (int i = 0; i < BURST; i++) {
		m = (struct mailbox *)turns_next(c->turns, monotonic(c));
		if (!m)
			break;
		collect(c, m);
	}
	plan(c);
	return 0;
}

/*
 * Users and requests
 */

/* What is new or changed is collected at once; the others keep their turn. */
static void take_user(struct collector *c, const struct user *u)
{
	struct mailbox *m = automatic(u) ? get_mailbox(c, u->code) : find_mailbox(c, u->code);

	if (!m) {
		if (automatic(u))
			log_error("out of memory: the mailbox of user %s is not collected",
				  u->code);
		return;
	}
	m->failures = 0;
	m->changed = m->running;
	forget_memory(m);
	if (automatic(u) || m->request) {
		if (set_turn(c, m, u, monotonic(c)) < 0)
			log_error("out of memory: the mailbox of user %s is not collected",
				  u->code);
	} else {
		turn_remove(c->turns, &m->turn);
		end_trouble(c, m);
	}
	drop_idle(c, m);
}

void collector_user_changed(struct collector *c, const char *code)
{
	_cleanup_(user_freep) struct user *u = NULL;
	struct mailbox *m = find_mailbox(c, code);
	int r = store_user_get(c->box->store, code, false, &u);

	if (r >= 0)
		take_user(c, u);
	else if (r == -ENOENT && m)
		forget(c, m);
	else if (r != -ENOENT)
		log_error("user %s cannot be read (%s): his mailbox is looked after as before",
			  code, strerror(-r));
	plan(c);
}

/* Makes the job and queues the mailbox, or joins the connection that it has. */
static int request(struct collector *c, struct mailbox *m, const struct user *u, uint64_t *id,
		   struct error *e)
{
	struct job *job = collection_job(u);
	int r;

	if (!job)
		return error_set(e, -ENOMEM, "out of memory");
	r = store_job_create(c->box->store, job, NULL, 0, NULL, NULL, e);
	if (r < 0) {
		job_free(job);
		return r;
	}
	*id = job->id;
	if (m->running) {
		collection_join(m->running, job);
		return 0;
	}
	m->request = job;
	r = set_turn(c, m, u, monotonic(c));
	if (r < 0) {
		m->request = NULL;
		job_say(&c->box->keeper, job, LOG_ERR, JOB_FAILED, NULL, NULL, "out of memory");
		job_free(job);
		return error_set(e, r, "out of memory");
	}
	plan(c);
	return 0;
}

int collector_collect(struct collector *c, const char *code, uint64_t *id, struct error *e)
{
	const struct job *asked;
	struct user *u = NULL;
	struct mailbox *m;
	int r;

	r = store_user_get(c->box->store, code, false, &u);
	if (r == -ENOENT)
		return error_set(e, r, "there is no user %s; \"ifaxctl users\" lists them", code);
	if (r < 0)
		return error_set(e, r, "cannot read user %s: %s", code, strerror(-r));
	m = u->pop3_host ? get_mailbox(c, code) : NULL;
	if (!m) {
		r = u->pop3_host ? error_set(e, -ENOMEM, "out of memory")
				 : error_set(e, -ENODATA,
					     "user %s has no mailbox; \"ifaxctl users edit "
					     "%s --pop3-host ...\" names it",
					     code, code);
		user_free(u);
		return r;
	}
	asked = m->running ? collection_request(m->running) : m->request;
	if (asked)
		*id = asked->id;
	else
		r = request(c, m, u, id, e);
	drop_idle(c, m);
	user_free(u);
	return r;
}

static struct mailbox *mailbox_of_job(struct collector *c, uint64_t id, const char *code)
{
	struct mailbox *m = code ? find_mailbox(c, code) : NULL;
	const struct job *job;

	if (!m)
		return NULL;
	job = m->running ? collection_request(m->running) : m->request;
	return job && job->id == id ? m : NULL;
}

/* The request that made it due at once is gone. */
static void next_turn(struct collector *c, struct mailbox *m)
{
	_cleanup_(user_freep) struct user *u = NULL;
	int r = store_user_get(c->box->store, m->code, false, &u);

	if (r >= 0 && automatic(u))
		set_turn(c, m, u, monotonic(c) + interval(c, u));
	else if (r < 0 && r != -ENOENT && m->turn.in)
		/* Better looked into once too often than never again. */
		turn_move(c->turns, &m->turn, m->turn.class, monotonic(c) + m->interval);
	else
		turn_remove(c->turns, &m->turn);
	drop_idle(c, m);
}

int collector_cancel(struct collector *c, uint64_t id)
{
	static const char why[] = "canceled by request; what had not come is still on the server";
	struct job *job = NULL;
	struct mailbox *m;
	int r;

	if (store_job_get(c->box->store, id, &job) < 0)
		return -ENOENT;
	m = mailbox_of_job(c, id, job->user);
	job_free(job);
	if (!m)
		return -ENOENT;
	if (m->running) {
		r = collection_say_canceled(m->running, why);
		stop_running(c, m, TURN_BROKEN_OFF);
		drop_idle(c, m);
	} else {
		r = job_say(&c->box->keeper, m->request, LOG_INFO, JOB_CANCELED, NULL, NULL, why);
		job_free(take_ptr(m->request));
		next_turn(c, m);
	}
	plan(c);
	return r;
}

/*
 * Start and end
 */

static int take_users(struct collector *c, struct error *e)
{
	struct user **users = NULL;
	size_t n = 0;
	int r;

	r = store_user_list(c->box->store, &users, &n);
	if (r < 0)
		return error_set(e, r, "cannot read the users: %s", strerror(-r));
	for (size_t i = 0; i < n; i++)
		take_user(c, users[i]);
	user_list_free(users, n);
	return 0;
}

/*
 * Collections that the last run left open were cut short; their mails are safe
 * on either side. What waited for a mailbox to work again still does.
 */
static void take_over_job(struct collector *c, struct job *job)
{
	struct mailbox *m;

	if (job->state == JOB_COLLECTING) {
		job_say(&c->box->keeper, job, LOG_WARNING, JOB_FAILED, NULL, NULL,
			"the box stopped while collecting; what it had not stored is still on the "
			"server");
		return;
	}
	m = job->user ? find_mailbox(c, job->user) : NULL;
	if (m && !m->memory.trouble)
		m->memory.trouble = job->id;
	else
		job_say(&c->box->keeper, job, LOG_INFO, JOB_CANCELED, NULL, NULL,
			"this mailbox is not collected by itself any more");
}

static int take_over_jobs(struct collector *c, struct error *e)
{
	struct job_filter f = { .kind = JOB_COLLECT, .state = -1, .unfinished = true,
				.limit = UINT32_MAX };
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	r = store_job_list(c->box->store, &f, &jobs, &n);
	if (r < 0)
		return error_set(e, r, "cannot take over what was being collected: %s",
				 strerror(-r));
	for (size_t i = 0; i < n; i++)
		take_over_job(c, jobs[i]);
	job_list_free(jobs, n);
	return 0;
}

int collector_new(struct collector **ret, struct box *box, struct error *e)
{
	const struct conf *conf = &box->conf;
	struct collector *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, -ENOMEM, "out of memory");
	c->box = box;
	r = turns_new(&c->turns, conf->collect_connections, conf->collect_connections_per_host,
		      conf->collect_retry_max_usec);
	c->running = calloc(conf->collect_connections, sizeof(struct mailbox *));
	if (r < 0 || !c->running)
		r = error_set(e, -ENOMEM, "out of memory");
	else
		r = sd_event_add_time(box->event, &c->timer, CLOCK_MONOTONIC, 0, 100000, on_timer,
				      c);
	if (r < 0 && r != -ENOMEM)
		error_set(e, r, "cannot set a timer: %s", strerror(-r));
	if (r >= 0)
		r = take_users(c, e);
	if (r >= 0)
		r = take_over_jobs(c, e);
	if (r < 0) {
		collector_free(c);
		return r;
	}
	plan(c);
	*ret = c;
	return 0;
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	tdestroy(c->by_code, mailbox_free);
	turns_free(c->turns);
	free(c->running);
	sd_event_source_disable_unref(c->timer);
	free(c);
}
