/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/due.h"
#include "base/log.h"
#include "service/collection.h"
#include "service/collector.h"
#include "store/store.h"

/* Connections at a time, to all servers together. */
#define COLLECTIONS_MAX 8
/* Another user's connection has the same mailbox: looked at again after this. */
#define SHARED_USEC (5 * 1000000ull)

/*
 * A user's mailbox. It waits in the queue, or has a connection, or both; one with
 * neither is forgotten.
 */
struct mailbox {
	struct due due;			/* first: due_first() gives mailboxes; CLOCK_MONOTONIC */
	struct collector *collector;
	char *code;			/* of the user */
	struct collection *running;
	struct job *request;		/* somebody asked for it, NULL = nobody who still waits */
	bool again;			/* it became due while its connection stood */
	uint64_t trouble;		/* job that says what is wrong with it, 0 = all well */
};

struct collector {
	struct box *box;
	sd_event_source *timer;
	void *by_code;			/* tree of mailboxes */
	struct due_queue queue;
	struct mailbox *running[COLLECTIONS_MAX];
	size_t n_running;
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

static void mailbox_free(void *p)
{
	struct mailbox *m = p;

	collection_free(m->running);
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

	if (m->trouble && store_job_get(c->box->store, m->trouble, &job) >= 0 &&
	    !job_state_final(job->state))
		job_say(&c->box->keeper, job, LOG_INFO, JOB_CANCELED, NULL, NULL,
			"this mailbox is not collected by itself any more");
	job_free(job);
	m->trouble = 0;
}

/* Forgets a mailbox that nothing is to be done with; true where it did. */
static bool drop_idle(struct collector *c, struct mailbox *m)
{
	if (m->due.place || m->running)
		return false;
	end_trouble(c, m);
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

/* Sets the timer to the mailbox that is due next. */
static void plan(struct collector *c)
{
	struct due *first = due_first(&c->queue);

	if (!first || c->n_running == COLLECTIONS_MAX) {
		sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(c->timer, first->when);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void stop_running(struct collector *c, struct mailbox *m)
{
	size_t i = 0;

	while (c->running[i] != m)
		i++;
	c->running[i] = c->running[--c->n_running];
	collection_free(take_ptr(m->running));
}

static void on_done(void *userdata)
{
	struct mailbox *m = userdata;
	struct collector *c = m->collector;

	stop_running(c, m);
	if (m->again)
		due_set(&c->queue, &m->due, monotonic(c));
	m->again = false;
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

	due_remove(&c->queue, &m->due);
	if (m->request)
		job_say(&c->box->keeper, m->request, LOG_INFO, JOB_CANCELED, NULL, NULL, why);
	if (m->running) {
		collection_say_canceled(m->running, why);
		stop_running(c, m);
	}
	drop_idle(c, m);
}

/* A mailbox that is due, and has no connection. */
static void collect(struct collector *c, struct mailbox *m)
{
	uint64_t now = monotonic(c);
	struct user *u = NULL;
	int r;

	r = get_user(c, m->code, &u);
	if (r == -ENOENT) {
		forget(c, m);
		return;
	}
	if (r < 0 || in_use(c, u)) {
		due_set(&c->queue, &m->due, now + SHARED_USEC);
		user_free(u);
		return;
	}
	if (automatic(u))
		due_set(&c->queue, &m->due, now + interval(c, u));
	else
		due_remove(&c->queue, &m->due);
	if (collection_start(&m->running, c->box, u, take_ptr(m->request), &m->trouble, on_done,
			     m) < 0)
		drop_idle(c, m);
	else
		c->running[c->n_running++] = m;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct collector *c = userdata;
	uint64_t now = monotonic(c);
	struct mailbox *m;

	/* No more in one turn of the loop: they may end as soon as they start. */
	for (int i = 0; i < COLLECTIONS_MAX && c->n_running < COLLECTIONS_MAX; i++) {
		m = (struct mailbox *)due_first(&c->queue);
		if (!m || m->due.when > now)
			break;
		m->again = m->running;
		if (m->again)
			due_remove(&c->queue, &m->due);
		else
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
	if (automatic(u) || m->request) {
		if (due_set(&c->queue, &m->due, monotonic(c)) < 0)
			log_error("out of memory: the mailbox of user %s is not collected",
				  u->code);
	} else {
		due_remove(&c->queue, &m->due);
		m->again = false;
		end_trouble(c, m);
	}
	drop_idle(c, m);
}

void collector_user_changed(struct collector *c, const char *code)
{
	struct user *u = NULL;
	struct mailbox *m;

	if (store_user_get(c->box->store, code, false, &u) >= 0) {
		take_user(c, u);
		user_free(u);
	} else {
		m = find_mailbox(c, code);
		if (m)
			forget(c, m);
	}
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
	r = m->running ? 0 : due_set(&c->queue, &m->due, monotonic(c));
	if (r < 0)
		error_set(e, r, "out of memory");
	else
		r = store_job_create(c->box->store, job, NULL, 0, NULL, NULL, e);
	if (r < 0) {
		job_free(job);
		return r;
	}
	*id = job->id;
	if (m->running)
		collection_join(m->running, job);
	else
		m->request = job;
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
		r = u->pop3_host ? error_set(e, -ENOMEM, "out of memory") :
		    error_set(e, -ENODATA, "user %s has no mailbox; \"ifaxctl users edit "
			      "%s --pop3-host ...\" names it", code, code);
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
	struct user *u = NULL;

	if (store_user_get(c->box->store, m->code, false, &u) >= 0 && automatic(u))
		due_set(&c->queue, &m->due, monotonic(c) + interval(c, u));
	else
		due_remove(&c->queue, &m->due);
	user_free(u);
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
		stop_running(c, m);
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
	if (m && !m->trouble)
		m->trouble = job->id;
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
	struct collector *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, -ENOMEM, "out of memory");
	c->box = box;
	r = sd_event_add_time(box->event, &c->timer, CLOCK_MONOTONIC, 0, 100000, on_timer, c);
	if (r < 0)
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
	due_queue_free(&c->queue);
	sd_event_source_disable_unref(c->timer);
	free(c);
}
