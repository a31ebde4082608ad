/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/inbound.h"
#include "service/printing.h"
#include "service/words.h"
#include "worker/client.h"

/* Documents whose pages are in memory, waiting for paper. The others wait in the spool. */
#define READY_MAX 8
/* A worker that cannot be reached is asked again after this. */
#define RETRY_USEC (10 * 1000000ull)

struct inbound {
	struct box *box;
	sd_event_source *timer;
	struct worker_call *call;
	struct job *job;		/* the worker has it in hand */
	size_t n_ready;			/* documents that printing has in hand */
	uint64_t not_before;		/* the worker is in trouble */
};

static void arm(struct inbound *i, uint64_t when)
{
	sd_event_source_set_time(i->timer, when);
	sd_event_source_set_enabled(i->timer, SD_EVENT_ONESHOT);
}

void inbound_wake(struct inbound *i)
{
	arm(i, i->not_before);
}

/* The job in hand is done with; @sentence NULL: its state is written already. */
static void settle(struct inbound *i, int priority, enum job_state state, const char *sentence)
{
	job_say(&i->box->keeper, i->job, priority, state, NULL, NULL, sentence);
	job_free(i->job);
	i->job = NULL;
	inbound_wake(i);
}

static int take_summary(struct job *job, const struct worker_reply *reply)
{
	int r;

	job->pages = reply->pages;
	r = job_set(&job->from, reply->summary.from);
	if (r >= 0)
		r = job_set(&job->subject, reply->summary.subject);
	if (r >= 0 && reply->summary.message_id[0])
		r = job_set(&job->message_id, reply->summary.message_id);
	if (r >= 0 && reply->code == WORKER_PAGES)
		r = job_set(&job->digest, reply->digest);
	return r;
}

/* A second copy of what is printed already, or will be: the sender's server sent it twice. */
static bool is_twin(struct inbound *i, uint64_t *twin)
{
	/* A job that has begun to print, or that a person asked for, is nobody's copy. */
	if (i->job->pages_done || i->job->page_in_hand || i->job->attempts)
		return false;
	return store_find_twin(i->box->store, i->job, twin) >= 0 && *twin;
}

static bool prints_by_itself(struct inbound *i)
{
	struct user *u = NULL;
	bool prints;

	if (i->job->attempts || !i->job->user ||
	    store_user_get(i->box->store, i->job->user, false, &u) < 0)
		return true;
	prints = u->auto_print;
	user_free(u);
	return prints;
}

static void print(struct inbound *i, struct page_list *pages)
{
	struct error e = { 0 };
	int r;

	r = job_say(&i->box->keeper, i->job, LOG_DEBUG, JOB_WAITING, NULL, NULL,
		    "waits for the printer");
	if (r >= 0)
		r = printing_add(i->box->printing, i->job, pages, &e);
	if (r < 0) {
		settle(i, LOG_ERR, JOB_FAILED, error_text(&e));
		return;
	}
	i->n_ready++;
	i->job = NULL;
	inbound_wake(i);
}

static void on_pages(struct inbound *i, struct page_list *pages)
{
	_free_ char *sentence = NULL;
	uint64_t twin = 0;

	if (is_twin(i, &twin)) {
		words_set(&sentence, "the same mail as job %llu, came a second time; not printed again",
			  (unsigned long long)twin);
		settle(i, LOG_NOTICE, JOB_DUPLICATE, sentence);
	} else if (!prints_by_itself(i)) {
		words_set(&sentence, "%u page(s) kept; \"ifaxctl jobs retry %llu\" prints them",
			  i->job->pages, (unsigned long long)i->job->id);
		settle(i, LOG_INFO, JOB_HELD, sentence);
	} else {
		print(i, pages);
	}
}

/* The worker itself is in trouble, not the mail: the mail waits in the spool. */
static void worker_trouble(struct inbound *i, const char *why)
{
	_free_ char *sentence = NULL;

	words_set(&sentence, "the worker that reads mails is in trouble, trying again: %s", why);
	i->not_before = words_now() + RETRY_USEC;
	settle(i, LOG_WARNING, JOB_CHECKING, sentence);
}

static void on_answer(void *userdata, int r, const struct worker_reply *reply,
		      struct page_list *pages, const struct error *e)
{
	struct inbound *i = userdata;

	i->call = NULL;
	i->not_before = 0;
	if (r < 0) {
		worker_trouble(i, error_text(e));
	} else if (reply->code == WORKER_TROUBLE) {
		worker_trouble(i, reply->sentence);
	} else if (take_summary(i->job, reply) < 0) {
		worker_trouble(i, "out of memory");
	} else if (reply->code != WORKER_PAGES) {
		settle(i, LOG_WARNING, JOB_FAILED, reply->sentence);
	} else {
		on_pages(i, pages);
	}
}

static int ask_worker(struct inbound *i, int body, struct error *e)
{
	struct worker_request rq;

	worker_request_init(&rq);
	rq.limits.max_message = i->box->conf.max_message;
	rq.limits.max_pages = i->box->conf.max_received_pages;
	box_engine(i->box, &rq.engine);
	return worker_parse(i->box->event, i->box->conf.worker, &rq, body, 0, on_answer, i, &i->call,
			    e);
}

static bool next_job(struct inbound *i)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = JOB_CHECKING, .limit = 1 };
	struct job **jobs = NULL;
	size_t n = 0;

	if (store_job_list(i->box->store, &f, &jobs, &n) >= 0 && n)
		i->job = take_ptr(jobs[0]);
	free(jobs);
	return i->job;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct inbound *i = userdata;
	struct error e = { 0 };
	_close_ int body = -1;
	int r;

	if (i->job || i->n_ready == READY_MAX || !next_job(i))
		return 0;
	r = store_job_body(i->box->store, i->job->id, &body, &e);
	if (r < 0) {
		settle(i, LOG_ERR, JOB_FAILED, error_text(&e));
		return 0;
	}
	if (ask_worker(i, body, &e) < 0)
		worker_trouble(i, error_text(&e));
	return 0;
}

void inbound_printed(struct inbound *i)
{
	i->n_ready--;
	inbound_wake(i);
}

/* A mail that is durable is looked at; one that is not is nobody's. */
struct acceptance {
	struct inbound *inbound;
	store_done_fn done;
	void *userdata;
};

static void on_durable(void *userdata, int r)
{
	struct acceptance *a = userdata;

	if (r >= 0)
		inbound_wake(a->inbound);
	a->done(a->userdata, r);
	free(a);
}

int inbound_accept(struct inbound *i, const char *user, const char *source, const void *mail,
		   size_t len, store_done_fn done, void *userdata, struct error *e)
{
	struct job *job = calloc(1, sizeof(*job));
	struct acceptance *a = calloc(1, sizeof(*a));
	int r = -ENOMEM;

	if (job && a) {
		*a = (struct acceptance){ i, done, userdata };
		job->kind = JOB_PRINT;
		job->state = JOB_CHECKING;
		r = job_set(&job->user, user);
		if (r >= 0)
			r = job_set(&job->source, source);
		if (r >= 0)
			r = job_set(&job->detail, "received; waits to be looked at");
		if (r >= 0)
			r = store_job_create(i->box->store, job, mail, len, on_durable, a, e);
	}
	if (r < 0)
		free(a);
	else
		log_full(LOG_INFO, job->id, user, "Job %llu: a mail of %zu bytes came for user %s",
			 (unsigned long long)job->id, len, user);
	job_free(job);
	return r;
}

/*
 * What was on its way to paper when the box stopped needs its pages again: it is
 * checked anew, and goes on at the page it had in hand.
 */
static int recover(struct inbound *i, enum job_state state)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = state };
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	r = store_job_list(i->box->store, &f, &jobs, &n);
	for (size_t k = 0; r >= 0 && k < n; k++)
		r = job_say(&i->box->keeper, jobs[k], LOG_INFO, JOB_CHECKING, NULL, NULL,
			    jobs[k]->page_in_hand ?
			    "the box stopped while a page was on its way to paper; goes on there" :
			    "the box stopped before this was printed; goes on");
	job_list_free(jobs, n);
	return r;
}

int inbound_new(struct inbound **ret, struct box *box, struct error *e)
{
	struct inbound *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return error_set(e, -ENOMEM, "out of memory");
	i->box = box;
	r = sd_event_add_time(box->event, &i->timer, CLOCK_REALTIME, 0, 10000, on_timer, i);
	if (r >= 0)
		r = recover(i, JOB_PRINTING);
	if (r >= 0)
		r = recover(i, JOB_WAITING);
	if (r < 0) {
		inbound_free(i);
		return error_set(e, r, "cannot take over what is to be printed: %s", strerror(-r));
	}
	inbound_wake(i);
	*ret = i;
	return 0;
}

void inbound_free(struct inbound *i)
{
	if (!i)
		return;
	worker_call_cancel(i->call);
	job_free(i->job);
	sd_event_source_disable_unref(i->timer);
	free(i);
}
