/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "keys/client.h"
#include "service/queue.h"
#include "service/unsealed.h"
#include "service/words.h"

/* The clock may be set meanwhile. */
#define LOOK_USEC (600 * 1000000ull)
/* The store does not answer: it is not asked again at once. */
#define STORE_USEC (10 * 1000000ull)

/* A job whose document waits to be encrypted. */
struct waiting {
	struct unsealed *unsealed;
	struct waiting *next;
	uint64_t id;
	uint64_t when;		/* to be tried, by the clock of its job */
	bool in_hand;		/* ifax-keyring is asked */
};

struct unsealed {
	struct box *box;
	struct sealing *sealing;
	sd_event_source *timer;
	struct waiting *first;
};

static struct waiting *find(struct unsealed *u, uint64_t id)
{
	struct waiting *w = u->first;

	while (w && w->id != id)
		w = w->next;
	return w;
}

static void drop(struct waiting *w)
{
	struct waiting **p = &w->unsealed->first;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	free(w);
}

/* For how long; a wait longer than any given here means that the clock was set back. */
static uint64_t wait_of(const struct waiting *w, uint64_t now)
{
	uint64_t most = w->unsealed->box->conf.retry_max_usec;

	if (most < STORE_USEC)
		most = STORE_USEC;
	return w->when <= now || w->when - now > most ? 0 : w->when - now;
}

/* The timer goes to whoever is due first. */
static void arm(struct unsealed *u)
{
	uint64_t now = words_now(), wait = LOOK_USEC;

	for (struct waiting *w = u->first; w; w = w->next)
		if (!w->in_hand && wait_of(w, now) < wait)
			wait = wait_of(w, now);
	sd_event_source_set_time_relative(u->timer, wait);
	sd_event_source_set_enabled(u->timer, u->first ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int add(struct unsealed *u, uint64_t id, uint64_t when)
{
	struct waiting *w = find(u, id);

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -ENOMEM;
		*w = (struct waiting){ .unsealed = u, .next = u->first, .id = id };
		u->first = w;
	}
	w->when = when;
	arm(u);
	return 0;
}

/* *@ret: its job as it stands, NULL: nothing of it is to be encrypted any more. */
static int get_job(struct waiting *w, struct job **ret)
{
	struct job *job = NULL;
	int r = store_job_get(w->unsealed->box->store, w->id, &job);

	if (r < 0 && r != -ENOENT)
		return r;
	if (job && (job->state != JOB_QUEUED || !job->unsealed)) {
		job_free(job);
		job = NULL;
	}
	*ret = job;
	return 0;
}

/* What its job says now: when it is tried again, or that it does not wait any more. */
static void follow(struct waiting *w)
{
	struct unsealed *u = w->unsealed;
	struct job *job = NULL;
	int r = get_job(w, &job);

	if (r < 0)
		w->when = words_now() + STORE_USEC;
	else if (!job)
		drop(w);
	else
		w->when = job->next_try;
	job_free(job);
	arm(u);
}

void unsealed_put_off(struct unsealed *u, uint64_t id, int r, const struct error *why)
{
	struct waiting *w = find(u, id);
	_free_ char *sentence = NULL;

	if (sealing_passes(r)) {
		words_set(&sentence, "it cannot be encrypted now: %s", error_text(why));
		r = queue_put_off(u->box->queue, id, sentence ? sentence : error_text(why));
	} else {
		words_set(&sentence, "it cannot be encrypted, and the scan is kept: %s; when that "
			  "is mended, \"ifaxctl queue release %llu\" sends it", error_text(why),
			  (unsigned long long)id);
		r = queue_put_on_hold(u->box->queue, id, sentence ? sentence : error_text(why));
	}
	if (r >= 0 && w)
		follow(w);
	else if (w)
		w->when = words_now() + STORE_USEC;
	arm(u);
}

/* What takes the place of the document in the clear goes out. */
static int hand_over(struct waiting *w, struct job *job, const struct buffer *message,
		     struct error *e)
{
	struct box *box = w->unsealed->box;
	struct queue_arrival *a = malloc(sizeof(*a));
	int r;

	if (!a)
		return error_set(e, -ENOMEM, "out of memory");
	*a = (struct queue_arrival){ box, job->id };
	job->unsealed = false;
	job->next_try = 0;
	for (size_t i = 0; i < job->n_recipients; i++)
		job->recipients[i].next_try = job->recipients[i].tries = 0;
	words_set(&job->detail, "%u page(s) scanned; waits for the mail server", job->pages);
	r = store_job_attach(box->store, job, message->data, message->len, queue_on_arrival, a, e);
	if (r < 0)
		free(a);
	else
		log_full(LOG_INFO, job->id, job->user, "Job %llu: %u page(s) are ready to be sent",
			 (unsigned long long)job->id, job->pages);
	return r;
}

static void on_sealed(void *userdata, struct job *asked, struct buffer *message, int r,
		      const struct error *why)
{
	struct waiting *w = userdata;
	struct error e = *why;
	struct job *job = NULL;
	int q;

	/* It may have been canceled or held meanwhile, and notices written. */
	job_free(asked);
	w->in_hand = false;
	q = get_job(w, &job);
	if (q < 0)
		r = error_set(&e, q, "the job cannot be read: %s", strerror(-q));
	if (r >= 0 && job)
		r = hand_over(w, job, message, &e);
	if (r < 0 && job)
		unsealed_put_off(w->unsealed, w->id, r, &e);
	else
		follow(w);
	job_free(job);
}

/* Its entries were changed so that it may go as it is. */
static int send_clear(struct waiting *w, struct job *job, int body, struct error *e)
{
	_buffer_ struct buffer message = { 0 };
	int r = keys_read(body, job->body_len, &message);

	if (r < 0)
		return error_set(e, r, "the document cannot be read: %s", strerror(-r));
	return hand_over(w, job, &message, e);
}

/* 1: @job is with ifax-keyring. */
static int seal(struct waiting *w, struct job *job, struct error *e)
{
	struct unsealed *u = w->unsealed;
	enum keys_method method;
	_close_ int body = -1;
	int r = sealing_method(u->box, job, &method, e);

	if (r >= 0)
		r = store_job_body(u->box->store, job->id, &body, e);
	if (r < 0)
		return r;
	if (method == KEYS_ANY)
		return send_clear(w, job, body, e);
	r = sealing_seal(u->sealing, job, method, body, on_sealed, w, e);
	return r < 0 ? r : 1;
}

static void try_again(struct waiting *w)
{
	struct error e = { 0 };
	struct job *job = NULL;
	int r = get_job(w, &job);

	if (r >= 0 && job)
		r = seal(w, job, &e);
	w->in_hand = r == 1;
	if (w->in_hand)
		return;
	if (r < 0 && job)
		unsealed_put_off(w->unsealed, w->id, r, &e);
	else
		follow(w);
	job_free(job);
}

/* One in a turn of the event loop: each brings a document into memory. */
static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct unsealed *u = userdata;
	uint64_t now = words_now();

	for (struct waiting *w = u->first; w; w = w->next)
		if (!w->in_hand && !wait_of(w, now)) {
			try_again(w);
			break;
		}
	arm(u);
	return 0;
}

int unsealed_keep(struct unsealed *u, struct job *job, const struct buffer *message,
		  struct error *e)
{
	struct box *box = u->box;
	int r;

	job->state = JOB_QUEUED;
	job->unsealed = true;
	job->deadline = queue_deadline(&box->conf, words_now());
	queue_name_envelope(job, &box->conf);
	words_set(&job->detail, "%u page(s) scanned; waits to be encrypted", job->pages);
	r = store_job_attach(box->store, job, message->data, message->len, NULL, NULL, e);
	if (r < 0)
		return r;
	/* It is on disk: the next start knows of it again. */
	if (add(u, job->id, 0) < 0)
		log_error("out of memory: job %llu waits for the next start",
			  (unsigned long long)job->id);
	return 0;
}

void unsealed_wake(struct unsealed *u, uint64_t id)
{
	struct waiting *w = find(u, id);

	/* Keys and entries may be others than when it was asked for. */
	if (w && w->in_hand) {
		job_free(sealing_cancel(u->sealing, id));
		w->in_hand = false;
	}
	if (add(u, id, 0) < 0)
		log_error("out of memory: job %llu waits for the next start",
			  (unsigned long long)id);
}

static int recover(struct unsealed *u)
{
	struct job_filter f = { .kind = JOB_SEND, .state = JOB_QUEUED, .limit = UINT32_MAX };
	struct job **jobs = NULL;
	size_t n = 0;
	int r = store_job_list(u->box->store, &f, &jobs, &n);

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (jobs[i]->unsealed)
			r = add(u, jobs[i]->id, 0);
	job_list_free(jobs, n);
	return r;
}

int unsealed_new(struct unsealed **ret, struct box *box, struct sealing *sealing,
		 struct error *e)
{
	struct unsealed *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return error_set(e, -ENOMEM, "out of memory");
	u->box = box;
	u->sealing = sealing;
	r = sd_event_add_time_relative(box->event, &u->timer, CLOCK_MONOTONIC, 0, 0, on_timer, u);
	if (r >= 0)
		r = recover(u);
	if (r < 0) {
		unsealed_free(u);
		return error_set(e, r, "cannot take over what waits to be encrypted: %s",
				 strerror(-r));
	}
	arm(u);
	*ret = u;
	return 0;
}

void unsealed_free(struct unsealed *u)
{
	if (!u)
		return;
	while (u->first)
		drop(u->first);
	sd_event_source_disable_unref(u->timer);
	free(u);
}
