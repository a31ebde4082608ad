/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "keys/client.h"
#include "service/inbound.h"
#include "service/keeping.h"
#include "service/printing.h"
#include "service/queue.h"
#include "service/words.h"
#include "worker/client.h"

/* Documents whose pages are in memory, waiting for paper. The others wait in the spool. */
#define READY_MAX 8
/* What cannot be done now is tried again after this. */
#define RETRY_USEC (10 * 1000000ull)

struct inbound {
	struct box *box;
	sd_event_source *timer;
	struct worker_call *call;
	struct keys_call *opening;	/* it is encrypted or signed: ifax-keyring has it */
	struct job *job;		/* the worker has it in hand */
	size_t n_ready;			/* documents that printing has in hand */
	uint64_t not_before;		/* CLOCK_MONOTONIC: worker or store are in trouble */
};

static uint64_t monotonic(const struct inbound *i)
{
	uint64_t now = 0;

	sd_event_now(i->box->event, CLOCK_MONOTONIC, &now);
	return now;
}

static void arm(struct inbound *i, uint64_t when)
{
	sd_event_source_set_time(i->timer, when);
	sd_event_source_set_enabled(i->timer, SD_EVENT_ONESHOT);
}

void inbound_wake(struct inbound *i)
{
	arm(i, i->not_before);
}

static void let_go(struct inbound *i)
{
	job_free(i->job);
	i->job = NULL;
	inbound_wake(i);
}

static void on_answer(void *userdata, int r, const struct worker_reply *reply,
		      struct page_list *pages, const struct error *e);

/* The job in hand is done with. A store that takes nothing is not asked again at once. */
static int settle(struct inbound *i, int priority, enum job_state state, const char *sentence)
{
	int r = job_say(&i->box->keeper, i->job, priority, state, NULL, NULL, sentence);

	if (r < 0)
		i->not_before = monotonic(i) + RETRY_USEC;
	let_go(i);
	return r;
}

#define IN_TROUBLE "the worker that reads mails is in trouble, trying again: %s"

/* The worker is not there: no mail can be looked at. Said once, not at every try. */
static void all_later(struct inbound *i, const char *why)
{
	_free_ char *sentence = NULL;

	words_set(&sentence, IN_TROUBLE, why);
	i->not_before = monotonic(i) + RETRY_USEC;
	if (sentence && job_said(i->job, JOB_CHECKING, sentence))
		let_go(i);
	else
		settle(i, LOG_WARNING, JOB_CHECKING, sentence);
}

/* This mail cannot be looked at now; those behind it are not made to wait for it. */
static void this_later(struct inbound *i, const char *why)
{
	_free_ char *sentence = NULL;
	bool said;

	words_set(&sentence, IN_TROUBLE, why);
	said = sentence && job_said(i->job, JOB_CHECKING, sentence);
	i->job->next_try = words_now() + RETRY_USEC;
	settle(i, said ? LOG_DEBUG : LOG_WARNING, JOB_CHECKING, sentence);
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
	if (r >= 0 && reply->pages)
		r = job_set(&job->digest, reply->digest);
	return r;
}

/* It has begun to print, or a person or the end of its days asked for that. */
static bool is_asked_for(const struct job *job)
{
	return job->attempts || job->pages_done || job->page_in_hand;
}

/* A second copy of what is printed already, or will be: the sender's server sent it twice. */
static bool is_twin(struct inbound *i, uint64_t *twin)
{
	/* That is nobody's copy. */
	if (is_asked_for(i->job) || i->job->slip)
		return false;
	return store_find_twin(i->box->store, i->job, twin) >= 0 && *twin;
}

/* *@ret: the user for whom the job is to be kept, NULL: it is to be printed. */
static int find_keeper(struct inbound *i, struct user **ret)
{
	struct job *job = i->job;
	struct user *u = NULL;
	int r = 0;

	if (is_asked_for(job) || job->slip || !job->user)
		return 0;
	r = store_user_get(i->box->store, job->user, false, &u);
	job->deadline = u && !u->auto_print ? keeping_end(u, job->created) : 0;
	if (job->deadline)
		*ret = take_ptr(u);
	user_free(u);
	return r == -ENOENT ? 0 : r;
}

static void keep(struct inbound *i, const struct user *u)
{
	struct error e = { 0 };

	if (keeping_keep(i->box->keeping, i->job, u, &e) < 0)
		this_later(i, error_text(&e));
	else
		let_go(i);
}

static void print(struct inbound *i, struct page_list *pages)
{
	struct error e = { 0 };
	int r;

	r = job_say(&i->box->keeper, i->job, LOG_DEBUG, JOB_WAITING, NULL, NULL,
		    "waits for the printer");
	if (r < 0) {
		i->not_before = monotonic(i) + RETRY_USEC;
		let_go(i);
		return;
	}
	r = printing_add(i->box->printing, i->job, pages, &e);
	if (r == -EINVAL) {
		settle(i, LOG_ERR, JOB_FAILED, error_text(&e));
	} else if (r < 0) {
		this_later(i, error_text(&e));
	} else {
		i->n_ready++;
		i->job = NULL;
		inbound_wake(i);
	}
}

static void on_pages(struct inbound *i, struct page_list *pages)
{
	_free_ char *sentence = NULL;
	struct user *keeper = NULL;
	uint64_t twin = 0;
	int r = find_keeper(i, &keeper);

	if (r < 0) {
		words_set(&sentence, "cannot read user %s: %s", i->job->user, strerror(-r));
		this_later(i, sentence ? sentence : "out of memory");
	} else if (is_twin(i, &twin)) {
		words_set(&sentence,
			  "the same mail as job %llu, came a second time; not printed again",
			  (unsigned long long)twin);
		settle(i, LOG_NOTICE, JOB_DUPLICATE, sentence);
	} else if (keeper) {
		keep(i, keeper);
	} else {
		print(i, pages);
	}
	user_free(keeper);
}

/*
 * A report about what was sent from here is done with when its job has heard of
 * it. One that no job waits for is for a person, who reads its words on paper.
 */
static void on_report(struct inbound *i, const struct worker_reply *reply, struct page_list *pages)
{
	struct queue *q = i->box->queue;
	_free_ char *about = NULL, *sentence = NULL;
	int r = q ? queue_report(q, i->job->user, &reply->report, &about) : -ENOENT;

	if (r == -ENOENT && pages->n) {
		on_pages(i, pages);
	} else if (r == -ENOENT) {
		settle(i, LOG_WARNING, JOB_FAILED, reply->sentence);
	} else if (r < 0) {
		this_later(i, strerror(-r));
	} else {
		words_set(&sentence, "a report %s", about ? about : "");
		settle(i, LOG_INFO, JOB_COLLECTED, sentence);
	}
}

static enum worker_text text_mode(const char *setting)
{
	if (setting && !strcmp(setting, "always"))
		return WORKER_TEXT_ALWAYS;
	if (setting && !strcmp(setting, "never"))
		return WORKER_TEXT_NEVER;
	return WORKER_TEXT_AUTO;
}

static int ask_worker(struct inbound *i, int body, struct error *e)
{
	struct worker_request rq;

	worker_request_init(&rq);
	rq.limits.max_message = i->box->conf.max_message;
	rq.limits.max_pages = i->box->conf.max_received_pages;
	rq.text = text_mode(i->box->conf.print_text);
	snprintf(rq.mark, sizeof(rq.mark), "%s", i->job->mark ? i->job->mark : "");
	box_engine(i->box, &rq.engine);
	return worker_parse(i->box->event, i->box->conf.worker, &rq, body, 0, on_answer, i,
			    &i->call, e);
}

/*
 * Encrypted and signed mail
 */

/* Without the key it is nobody's fault and may still come right: it is kept. */
static void keep_sealed(struct inbound *i, const char *why)
{
	_free_ char *sentence = NULL;

	words_set(&sentence, "%s; it is kept: when the key is there (\"ifaxctl keys import "
		  "--user %s\"), \"ifaxctl jobs retry %llu\" opens it", why, i->job->user,
		  (unsigned long long)i->job->id);
	settle(i, LOG_WARNING, JOB_HELD, sentence);
}

static void keep_orphan(struct inbound *i)
{
	_free_ char *sentence = NULL;

	words_set(&sentence, "it is encrypted or signed, and user %s, whose it is, was removed "
		  "with his keys; \"ifaxctl jobs cancel %llu\" ends it", i->job->user,
		  (unsigned long long)i->job->id);
	settle(i, LOG_WARNING, JOB_HELD, sentence);
}

static void on_opened(void *userdata, int r, const struct keys_reply *reply, int output,
		      const struct error *why)
{
	struct inbound *i = userdata;
	struct error e = { 0 };

	i->opening = NULL;
	if (r < 0)
		this_later(i, error_text(why));
	else if (reply->code == KEYS_TROUBLE)
		this_later(i, reply->sentence);
	else if (reply->code == KEYS_NO_KEY)
		keep_sealed(i, reply->sentence);
	else if (reply->code != KEYS_OK)
		settle(i, LOG_WARNING, JOB_FAILED, reply->sentence);
	else if (job_set(&i->job->mark, reply->mark) < 0)
		this_later(i, "out of memory");
	else if (ask_worker(i, output, &e) < 0)
		all_later(i, error_text(&e));
}

/* What is opened once and still sealed is left: nobody wraps like that in good faith. */
static void open_mail(struct inbound *i, const char *sealed)
{
	struct keys_question q = { .op = KEYS_OPEN, .n_arguments = 1 };
	struct error e = { 0 };
	struct user *u = NULL;
	_close_ int body = -1;
	int r;

	if (i->job->mark || !i->job->user) {
		settle(i, LOG_WARNING, JOB_FAILED, sealed);
		return;
	}
	r = store_user_get(i->box->store, i->job->user, false, &u);
	if (r == -ENOENT) {
		keep_orphan(i);
		return;
	}
	if (r < 0)
		error_set(&e, r, "cannot read user %s: %s", i->job->user, strerror(-r));
	else
		r = store_job_body(i->box->store, i->job->id, &body, &e);
	if (r >= 0) {
		q.input = body;
		q.arguments = (const char *const *)&u->ring;
		r = keys_ask(i->box->event, i->box->conf.keyring, &q, on_opened, i, &i->opening,
			     &e);
	}
	user_free(u);
	if (r < 0)
		this_later(i, error_text(&e));
}

static void on_answer(void *userdata, int r, const struct worker_reply *reply,
		      struct page_list *pages, const struct error *e)
{
	struct inbound *i = userdata;

	i->call = NULL;
	if (r < 0)
		this_later(i, error_text(e));
	else if (reply->code == WORKER_TROUBLE)
		this_later(i, reply->sentence);
	else if (take_summary(i->job, reply) < 0)
		this_later(i, "out of memory");
	else if (reply->code == WORKER_SEALED)
		open_mail(i, reply->sentence);
	else if (reply->code == WORKER_REPORT)
		on_report(i, reply, pages);
	else if (reply->code != WORKER_PAGES)
		settle(i, LOG_WARNING, JOB_FAILED, reply->sentence);
	else
		on_pages(i, pages);
}

/*
 * The job to look at next, into i->job: that which waits longest. A wait that is
 * longer than any given here means that the clock was set back meanwhile.
 */
static int next_job(struct inbound *i)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = JOB_CHECKING,
				.due_before = UINT64_MAX / 2, .limit = 1 };
	uint64_t now = words_now();
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	r = store_job_list(i->box->store, &f, &jobs, &n);
	if (r < 0) {
		log_error("cannot read what is to be printed: %s", strerror(-r));
		arm(i, monotonic(i) + RETRY_USEC);
	} else if (n && (jobs[0]->next_try <= now || jobs[0]->next_try > now + RETRY_USEC)) {
		i->job = take_ptr(jobs[0]);
	} else if (n) {
		arm(i, monotonic(i) + jobs[0]->next_try - now);
	}
	if (n)
		job_free(jobs[0]);
	free(jobs);
	return i->job ? 0 : -ENOENT;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct inbound *i = userdata;
	struct error e = { 0 };
	_close_ int body = -1;
	int r;

	if (i->job || i->n_ready == READY_MAX || next_job(i) < 0)
		return 0;
	r = store_job_body(i->box->store, i->job->id, &body, &e);
	/* Trying again does not bring a document back. */
	if (r == -ENOENT || r == -EBADMSG)
		settle(i, LOG_ERR, JOB_FAILED, error_text(&e));
	else if (r < 0)
		this_later(i, error_text(&e));
	else if (ask_worker(i, body, &e) < 0)
		all_later(i, error_text(&e));
	return 0;
}

int inbound_cancel(struct inbound *i, uint64_t id)
{
	if (!i->job || i->job->id != id)
		return -ENOENT;
	worker_call_cancel(take_ptr(i->call));
	keys_call_cancel(take_ptr(i->opening));
	return settle(i, LOG_INFO, JOB_CANCELED, "canceled by request; nothing was printed");
}

void inbound_printed(struct inbound *i)
{
	i->n_ready--;
	inbound_wake(i);
}

/* A mail that is durable is looked at; one that is not is nobody's. */
struct acceptance {
	struct box *box;
	bool slip;
	store_done_fn done;
	void *userdata;
};

static void on_durable(void *userdata, int r)
{
	struct acceptance *a = userdata;

	if (r >= 0 && a->box->inbound)
		inbound_wake(a->box->inbound);
	if (a->done)
		a->done(a->userdata, r);
	free(a);
}

static int fill_job(struct job *job, const char *user, const char *source, bool slip)
{
	int r;

	job->kind = JOB_PRINT;
	job->state = JOB_CHECKING;
	job->slip = slip;
	r = job_set(&job->user, user);
	if (r >= 0)
		r = job_set(&job->source, source);
	if (r >= 0)
		r = job_set(&job->detail, slip ? "a notice of the box's own; waits to be set" :
						 "received; waits to be looked at");
	return r;
}

/* Creates the job with @mail or, where that is NULL, with the document of job @from. */
static int accept_one(struct inbound *i, const char *user, const char *source,
		      const struct iovec *mail, int n, uint64_t from,
		      const struct acceptance *what, uint64_t *id, struct error *e)
{
	struct job *job = calloc(1, sizeof(*job));
	struct acceptance *a = malloc(sizeof(*a));
	int r;

	if (!job || !a || fill_job(job, user, source, what->slip) < 0) {
		free(a);
		job_free(job);
		return error_set(e, -ENOMEM, "out of memory");
	}
	*a = *what;
	if (mail)
		r = store_job_create_iov(i->box->store, job, mail, n, on_durable, a, e);
	else
		r = store_job_create_from(i->box->store, job, from, on_durable, a, e);
	if (r < 0)
		free(a);
	else
		log_full(LOG_INFO, job->id, user, "Job %llu: %s of %llu bytes %s user %s",
			 (unsigned long long)job->id, what->slip ? "a notice" : "a mail",
			 (unsigned long long)job->body_len, what->slip ? "for" : "came for", user);
	if (r >= 0 && id)
		*id = job->id;
	job_free(job);
	return r;
}

int inbound_accept(struct inbound *i, const char *user, const char *source,
		   const struct iovec *mail, int n, store_done_fn done, void *userdata,
		   uint64_t *id, struct error *e)
{
	const struct acceptance a = { .box = i->box, .done = done, .userdata = userdata };

	return accept_one(i, user, source, mail, n, 0, &a, id, e);
}

int inbound_accept_copy(struct inbound *i, const char *user, const char *source, uint64_t from,
			struct error *e)
{
	const struct acceptance a = { .box = i->box };

	return accept_one(i, user, source, NULL, 0, from, &a, NULL, e);
}

int inbound_accept_slip(struct inbound *i, const char *user, const char *source,
			const struct iovec *mail, struct error *e)
{
	const struct acceptance a = { .box = i->box, .slip = true };

	return accept_one(i, user, source, mail, 1, 0, &a, NULL, e);
}

/*
 * What was on its way to paper when the box stopped needs its pages again: it is
 * checked anew, and goes on at the page it had in hand.
 */
static int recover(struct inbound *i, enum job_state state)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = state, .limit = UINT32_MAX };
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
	static const enum job_state on_the_way[] = { JOB_PRINTING, JOB_WAITING, JOB_QUEUED };
	struct inbound *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return error_set(e, -ENOMEM, "out of memory");
	i->box = box;
	r = sd_event_add_time(box->event, &i->timer, CLOCK_MONOTONIC, 0, 10000, on_timer, i);
	for (size_t k = 0; r >= 0 && k < ARRAY_SIZE(on_the_way); k++)
		r = recover(i, on_the_way[k]);
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
	keys_call_cancel(i->opening);
	job_free(i->job);
	sd_event_source_disable_unref(i->timer);
	free(i);
}
