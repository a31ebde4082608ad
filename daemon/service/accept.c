/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the queue takes over: an envelope and a message become a job. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/inbound.h"
#include "service/queue.h"
#include "service/trace.h"
#include "service/words.h"

/* A mail that is durable is looked at; one that is not is nobody's. */
struct taking {
	struct box *box;
	uint64_t id;
	store_done_fn done;
	void *userdata;
};

static void on_durable(void *userdata, int r)
{
	struct taking *t = userdata;

	if (r >= 0 && t->box->queue)
		queue_wake(t->box->queue, t->id);
	if (t->done)
		t->done(t->userdata, r);
	free(t);
}

static int fill_recipient(struct job *job, const struct envelope_rcpt *from)
{
	struct job_recipient *to;
	int r = job_add_recipient(job, from->address);

	if (r < 0)
		return r;
	to = &job->recipients[job->n_recipients - 1];
	to->notify = from->notify;
	r = job_set(&to->user, from->user);
	return r < 0 ? r : job_set(&to->orcpt, from->orcpt);
}

/* For reports that have no other name for it. A mail without a sender gets none. */
static int note_message_id(struct job *job, const struct iovec *text)
{
	char id[TRACE_MESSAGE_ID];

	if (!*job->from || !trace_message_id(text->iov_base, text->iov_len, id))
		return 0;
	return job_set(&job->message_id, id);
}

static int fill_job(struct job *job, const struct envelope *env, const struct iovec *text,
		    const struct conf *conf)
{
	int r;

	job->kind = JOB_MAIL;
	job->state = JOB_QUEUED;
	job->deadline = queue_deadline(conf, words_now());
	job->ret = env->ret;
	job->eight_bit = env->eight_bit;
	job->utf8 = env->utf8;
	r = job_set(&job->from, env->from ? env->from : "");
	if (r >= 0)
		r = note_message_id(job, text);
	if (r >= 0)
		r = job_set(&job->envid, env->envid);
	if (r >= 0)
		r = job_set(&job->detail, "taken over; waits for its turn");
	for (size_t i = 0; r >= 0 && i < env->n_rcpts; i++)
		r = fill_recipient(job, &env->rcpts[i]);
	return r;
}

static int take_over(struct box *box, const struct envelope *env,
		     const struct iovec *body, int n_body, store_done_fn done, void *userdata,
		     uint64_t *id, struct error *e)
{
	struct job *job = calloc(1, sizeof(*job));
	struct taking *t = malloc(sizeof(*t));
	int r = job && t ? fill_job(job, env, &body[n_body - 1], &box->conf) : -ENOMEM;

	if (r < 0) {
		error_set(e, r, r == -E2BIG ? "too many recipients" : "out of memory");
		goto fail;
	}
	*t = (struct taking){ .box = box, .done = done, .userdata = userdata };
	r = store_job_create_iov(box->store, job, body, n_body, on_durable, t, e);
	if (r < 0)
		goto fail;
	*id = t->id = job->id;
	log_full(LOG_INFO, job->id, NULL,
		 "Job %llu: a mail of %llu bytes from <%s> for %zu recipients",
		 (unsigned long long)job->id, (unsigned long long)job->body_len, job->from,
		 job->n_recipients);
	job_free(job);
	return 0;
fail:
	free(t);
	job_free(job);
	return r;
}

/* Nothing has to be told of it and nobody else gets it: it goes to its user without a detour. */
static bool is_plain_print(const struct envelope *env)
{
	return env->n_rcpts == 1 && env->rcpts[0].user &&
	       (!(env->rcpts[0].notify & NOTIFY_SUCCESS) || !env->from || !*env->from);
}

int queue_accept(struct queue *q, const struct envelope *env, const struct iovec *body, int n_body,
		 store_done_fn done, void *userdata, uint64_t *id, struct error *e)
{
	struct box *box = queue_box(q);

	if (!env->n_rcpts)
		return error_set(e, -EINVAL, "a mail without recipients");
	if (is_plain_print(env))
		return inbound_accept(box->inbound, env->rcpts[0].user, NULL, body, n_body, done,
				      userdata, id, e);
	return take_over(box, env, body, n_body, done, userdata, id, e);
}
