/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The queue as a person steers it: cancel, hold, release, retry. */
#include <errno.h>
#include <syslog.h>

#include "service/queue_internal.h"
#include "service/sending.h"
#include "service/words.h"

void job_not_in_hand(struct job *job)
{
	for (size_t i = 0; i < job->n_recipients; i++)
		job->recipients[i].flags &= ~(uint32_t)RCPT_IN_HAND;
}

int queue_cancel(struct queue *q, uint64_t id, struct error *e)
{
	struct delivery *d;
	struct connection *c, *next;

	LIST_FOREACH(c, &q->connections, of_queue) {
		d = c->delivery;
		if (d && d->mail->job->id == id && d->dot_out)
			return error_set(e, -EBUSY, "job %llu: the mail server has it in hand "
					 "already", (unsigned long long)id);
	}
	for (c = LIST_FIRST(&q->connections); c; c = next) {
		next = LIST_NEXT(c, of_queue);
		connection_withdraw(c, id);
	}
	return 0;
}

static int check_queued(const struct job *job, struct error *e)
{
	if (!job_kind_queued(job->kind))
		return error_set(e, -EINVAL, "job %llu is no mail of the queue",
				 (unsigned long long)job->id);
	return 0;
}

int queue_hold(struct queue *q, struct job *job, struct error *e)
{
	int r = check_queued(job, e);

	if (!r && job->state != JOB_QUEUED && job->state != JOB_SENDING)
		r = error_set(e, -EINVAL, "job %llu is %s; only what is queued can be held",
			      (unsigned long long)job->id, job_state_name(job->state));
	if (!r)
		r = queue_cancel(q, job->id, e);
	if (r < 0)
		return r;
	job_not_in_hand(job);
	return job_say(&q->box->keeper, job, LOG_INFO, JOB_HELD, NULL, NULL, "held by request");
}

/* Goes at once: what its hosts did before is forgotten. */
static int go(struct queue *q, struct job *job, const char *sentence)
{
	int r;

	job_not_in_hand(job);
	for (size_t i = 0; i < job->n_recipients; i++)
		job->recipients[i].next_try = 0;
	job->next_try = 0;
	job->since = words_now();
	job->deadline = queue_deadline(&q->box->conf, job->since);
	r = job_say(&q->box->keeper, job, LOG_INFO, JOB_QUEUED, NULL, NULL, sentence);
	if (r < 0)
		return r;
	if (job->unsealed) {
		sending_wake(q->box->sending, job->id);
		return 0;
	}
	queue_lift(q, job);
	queue_wake(q, job->id);
	return 0;
}

int queue_release(struct queue *q, struct job *job, struct error *e)
{
	int r = check_queued(job, e);

	if (!r && job->state != JOB_HELD)
		r = error_set(e, -EINVAL, "job %llu is %s, not held", (unsigned long long)job->id,
			      job_state_name(job->state));
	return r < 0 ? r : go(q, job, "released by request");
}

/* Those who were refused are asked for anew; their sender may hear of them anew, too. */
static void wait_again(struct job *job)
{
	for (size_t i = 0; i < job->n_recipients; i++) {
		struct job_recipient *r = &job->recipients[i];

		if (r->state != RCPT_REFUSED)
			continue;
		r->state = RCPT_WAITING;
		r->tries = 0;
		r->flags = 0;
	}
}

static int check_retry(const struct job *job, struct error *e)
{
	unsigned long long id = job->id;
	int r = check_queued(job, e);

	if (r < 0)
		return r;
	if (job->state != JOB_QUEUED && job->state != JOB_FAILED && job->state != JOB_HELD &&
	    job->state != JOB_CANCELED)
		return error_set(e, -EINVAL, "job %llu is %s; only what failed, was canceled, is "
				 "held or is queued to be sent can be tried again", id,
				 job_state_name(job->state));
	if (!job->body_len)
		return error_set(e, -EINVAL, job->kind == JOB_SEND ?
				 "job %llu has no document; put the original in the feeder and "
				 "send it again" :
				 "job %llu has no document any more; its sender may send it again",
				 id);
	return 0;
}

int queue_retry(struct queue *q, struct job *job, struct error *e)
{
	int r = check_retry(job, e);

	if (!r)
		r = queue_cancel(q, job->id, e);
	if (r < 0)
		return r;
	wait_again(job);
	job->attempts = 0;
	return go(q, job, "tried again by request");
}
