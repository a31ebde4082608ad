/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "net/smtp_session.h"
#include "service/queue.h"
#include "service/words.h"
#include "store/store.h"

/* The queue is looked at this often at least: the clock may have been set meanwhile. */
#define LOOK_USEC (600 * 1000000ull)

/* One message on its way. The envelope's strings belong to the job. */
struct delivery {
	struct queue *queue;
	uint64_t number;
	struct job *job;
	struct smtp_session *session;
	size_t *index;			/* recipient i of the envelope is job recipient index[i] */
	const char **rcpts;
	size_t n_rcpts;
	int body;
};

struct queue {
	struct box *box;
	sd_event_source *timer;
	struct delivery *delivery;	/* NULL: none */
	uint64_t deliveries;		/* begun so far; the one in hand has this number */
	uint64_t not_before;		/* CLOCK_MONOTONIC: the store is in trouble */
	char *host;			/* of the smarthost */
	uint16_t port;
	enum net_tls tls;
};

static void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	smtp_session_cancel(d->session);
	free(d->index);
	free(d->rcpts);
	if (d->body >= 0)
		close(d->body);
	job_free(d->job);
	free(d);
}

/* Waits grow from the first to the longest, doubling. */
static uint64_t next_wait(const struct conf *conf, uint32_t attempts)
{
	uint64_t wait = conf->retry_usec;

	for (uint32_t i = 1; i < attempts && wait < conf->retry_max_usec; i++)
		wait *= 2;
	return wait < conf->retry_max_usec ? wait : conf->retry_max_usec;
}

static uint64_t monotonic(const struct queue *o)
{
	uint64_t now = 0;

	sd_event_now(o->box->event, CLOCK_MONOTONIC, &now);
	return now;
}

static void plan(struct queue *o);

static void next_delivery(struct queue *o)
{
	delivery_free(o->delivery);
	o->delivery = NULL;
	plan(o);
}

/*
 * The delivery is over: the job's new state and what is known. A store that takes
 * nothing still says that the job is due: not again at once.
 */
static void settle(struct delivery *d, enum job_state state, const char *sentence)
{
	struct queue *o = d->queue;

	if (job_say(&o->box->keeper, d->job, state == JOB_SENT ? LOG_INFO : LOG_WARNING, state,
		    NULL, NULL, sentence) < 0)
		o->not_before = monotonic(o) + o->box->conf.retry_usec;
	next_delivery(o);
}

static void try_later(struct delivery *d, const char *why)
{
	const struct conf *conf = &d->queue->box->conf;
	_free_ char *text = NULL;
	uint64_t now = words_now();
	char when[32];

	/* The clock may have been set back since. */
	if (now > d->job->created && now - d->job->created > conf->expire_usec) {
		words_set(&text, "given up after %u attempts; the last said: %s", d->job->attempts,
			  why);
		settle(d, JOB_FAILED, text);
		return;
	}
	d->job->next_try = now + next_wait(conf, d->job->attempts);
	words_time(d->job->next_try, when, sizeof(when));
	words_set(&text, "%s; next try, under the same Message-ID, at %s", why, when);
	settle(d, JOB_QUEUED, text);
}

/* What became of a job's recipients, by all attempts so far. */
struct tally {
	size_t waiting, sent, refused;
	const struct job_recipient *first_refused;
};

static struct tally count(const struct job *job)
{
	struct tally t = { 0 };

	for (size_t i = 0; i < job->n_recipients; i++) {
		const struct job_recipient *r = &job->recipients[i];

		t.waiting += r->state == RCPT_WAITING;
		t.sent += r->state == RCPT_SENT;
		t.refused += r->state == RCPT_REFUSED;
		if (r->state == RCPT_REFUSED && !t.first_refused)
			t.first_refused = r;
	}
	return t;
}

static void take_verdicts(struct delivery *d, const struct smtp_session_outcome *out)
{
	for (size_t i = 0; i < d->n_rcpts && i < out->n_rcpts; i++) {
		struct job_recipient *r = &d->job->recipients[d->index[i]];
		const struct smtp_session_verdict *v = &out->rcpts[i];

		if (v->result == SMTP_RESULT_ACCEPTED)
			r->state = RCPT_SENT;
		else if (v->result == SMTP_RESULT_REFUSED)
			r->state = RCPT_REFUSED;
		words_set(&r->detail, "%s", v->text ? v->text : "");
	}
}

/* Nobody waits any more, but not everybody got it: says who, and that the others did. */
static void settle_refused(struct delivery *d, const struct tally *t)
{
	const struct job_recipient *first = t->first_refused;
	_free_ char *sent = NULL, *others = NULL, *sentence = NULL;

	if (t->sent)
		words_set(&sent, "sent to %zu of %zu recipients; ", t->sent, d->job->n_recipients);
	if (t->refused > 1)
		words_set(&others, " and %zu more", t->refused - 1);
	words_set(&sentence, "%sthe mail server refuses %s%s: %s", sent ? sent : "", first->address,
		  others ? others : "", first->detail ? first->detail : "it does not say why");
	settle(d, JOB_FAILED, sentence);
}

static void on_done(void *userdata, const struct smtp_session_outcome *out)
{
	struct delivery *d = userdata;
	const char *text = out->text ? out->text : smtp_result_name(out->result);
	_free_ char *sentence = NULL;
	struct tally t;

	d->session = NULL;
	take_verdicts(d, out);
	t = count(d->job);
	if (out->result == SMTP_RESULT_IN_DOUBT) {
		words_set(&sentence,
			  "the line was lost after the mail was sent, so the server may have "
			  "it (%s)",
			  text);
		try_later(d, sentence ? sentence : text);
	} else if (t.waiting) {
		try_later(d, text);
	} else if (t.refused) {
		settle_refused(d, &t);
	} else {
		d->job->pages_done = d->job->pages;
		settle(d, JOB_SENT, text);
	}
}

/* A state on its way into the journal; its delivery may be over before that answers. */
struct commit {
	struct box *box;
	uint64_t number;		/* of the delivery */
};

static void on_sending_durable(void *userdata, int r)
{
	struct commit *c = userdata;
	struct queue *o = c->box->queue;
	struct delivery *d = o ? o->delivery : NULL;

	if (d && d->number == c->number && d->session)
		smtp_session_go_on(d->session, r);
	free(c);
}

/*
 * On disk before: queued. After: sending. If the box stops from here on, the
 * server may or may not have the mail; start() of the next run says so.
 */
static void before_dot(void *userdata, struct smtp_session *session)
{
	struct delivery *d = userdata;
	struct commit *c = malloc(sizeof(*c));
	int r = -ENOMEM;

	if (c) {
		*c = (struct commit){ d->queue->box, d->number };
		r = job_say(&d->queue->box->keeper, d->job, LOG_DEBUG, JOB_SENDING,
			    on_sending_durable, c, "the mail server has the mail in hand");
	}
	if (r < 0) {
		free(c);
		smtp_session_go_on(session, r);
	}
}

static int envelope(struct delivery *d)
{
	d->index = calloc(d->job->n_recipients + 1, sizeof(*d->index));
	d->rcpts = calloc(d->job->n_recipients + 1, sizeof(*d->rcpts));
	if (!d->index || !d->rcpts)
		return -ENOMEM;
	for (size_t i = 0; i < d->job->n_recipients; i++) {
		if (d->job->recipients[i].state != RCPT_WAITING)
			continue;
		d->index[d->n_rcpts] = i;
		d->rcpts[d->n_rcpts++] = d->job->recipients[i].address;
	}
	return 0;
}

/* With d->body at hand. */
static int start_session(struct delivery *d, struct error *e)
{
	static const struct smtp_session_callbacks callbacks = {
		.before_dot = before_dot,
		.done = on_done,
	};
	struct queue *o = d->queue;
	struct smtp_session_options options = {
		.host = o->host,
		.port = o->port,
		.tls = o->tls,
		.helo = o->box->conf.hostname,
		.timeout_usec = o->box->conf.timeout_usec,
	};
	struct smtp_envelope env = { .from = d->job->from, .size = d->job->body_len };
	int r;

	d->job->attempts++;
	r = envelope(d);
	if (r < 0)
		return error_set(e, r, "out of memory");
	env.rcpts = d->rcpts;
	env.n_rcpts = d->n_rcpts;
	return smtp_session_send(&d->session, o->box->event, &options, &env, d->body, &callbacks, d,
				 e);
}

/* Takes the job over. */
static void deliver(struct queue *o, struct job *job)
{
	struct delivery *d = calloc(1, sizeof(*d));
	struct error e = { 0 };
	int r;

	if (!d) {
		log_error("out of memory for job %llu", (unsigned long long)job->id);
		job_free(job);
		o->not_before = monotonic(o) + o->box->conf.retry_usec;
		plan(o);
		return;
	}
	d->queue = o;
	d->number = ++o->deliveries;
	d->job = job;
	d->body = -1;
	o->delivery = d;
	r = store_job_body(o->box->store, job->id, &d->body, &e);
	/* Trying again does not bring a document back. */
	if (r == -ENOENT || r == -EBADMSG) {
		settle(d, JOB_FAILED, error_text(&e));
		return;
	}
	if (r >= 0)
		r = start_session(d, &e);
	if (r < 0)
		try_later(d, error_text(&e));
}

/*
 * The job that is due next, NULL = none waits; job_free(). *@wait: how long until
 * then. A wait longer than any given here means that the clock was set back.
 */
static int next_job(struct queue *o, struct job **ret, uint64_t *wait)
{
	struct job_filter next = { .kind = -1, .queued_kind = true, .state = JOB_QUEUED,
				   .due_before = UINT64_MAX / 2, .limit = 1 };
	uint64_t now = words_now();
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	*ret = NULL;
	*wait = 0;
	r = store_job_list(o->box->store, &next, &jobs, &n);
	if (r < 0)
		return r;
	if (n) {
		*ret = jobs[0];
		if (jobs[0]->next_try > now &&
		    jobs[0]->next_try - now <= o->box->conf.retry_max_usec)
			*wait = jobs[0]->next_try - now;
	}
	free(jobs);
	return 0;
}

static void arm(struct queue *o, uint64_t wait)
{
	uint64_t when = monotonic(o) + (wait < LOOK_USEC ? wait : LOOK_USEC);

	sd_event_source_set_time(o->timer, when > o->not_before ? when : o->not_before);
	sd_event_source_set_enabled(o->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct queue *o = userdata;
	struct job *job = NULL;
	uint64_t wait;
	int r;

	if (o->delivery)
		return 0;
	r = next_job(o, &job, &wait);
	if (r < 0) {
		log_error("cannot read the queue: %s", strerror(-r));
		arm(o, o->box->conf.retry_usec);
	} else if (job && !wait) {
		deliver(o, take_ptr(job));
	} else if (job) {
		arm(o, wait);
	}
	job_free(job);
	return 0;
}

/* Sets the timer to the next job that is due, if there is one. */
static void plan(struct queue *o)
{
	struct job *job = NULL;
	uint64_t wait;

	if (o->delivery)
		return;
	/* What cannot be read now is read by on_timer(), which says so. */
	if (next_job(o, &job, &wait) < 0 || job)
		arm(o, wait);
	job_free(job);
}

struct box *queue_box(struct queue *o)
{
	return o->box;
}

void queue_wake(struct queue *o)
{
	plan(o);
}

int queue_cancel(struct queue *o, uint64_t id, struct error *e)
{
	if (!o->delivery || o->delivery->job->id != id)
		return 0;
	if (o->delivery->job->state == JOB_SENDING)
		return error_set(e, -EBUSY, "job %llu: the mail server has it in hand already",
				 (unsigned long long)id);
	next_delivery(o);
	return 0;
}

/* What the last run left in a server's hand may have been taken: it goes again, and says so. */
static int recover(struct queue *o, struct error *e)
{
	struct job_filter f = { .kind = -1, .queued_kind = true, .state = JOB_SENDING, .limit = UINT32_MAX };
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	r = store_job_list(o->box->store, &f, &jobs, &n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		jobs[i]->next_try = 0;
		r = job_say(&o->box->keeper, jobs[i], LOG_WARNING, JOB_QUEUED, NULL, NULL,
			    "the box stopped while the mail server took this mail, so it may have "
			    "it; it is sent again under the same Message-ID");
	}
	job_list_free(jobs, n);
	return r < 0 ? error_set(e, r, "cannot take over what was being sent: %s", strerror(-r))
		     : 0;
}

/* "host", "host:port", "[v6]", "[v6]:port"; a bare v6 address has more colons than one. */
static int parse_smarthost(struct queue *o, const char *text, struct error *e)
{
	const char *after = strchr(text, ']') ? strchr(text, ']') : text;
	const char *colon = strchr(after, ':');
	unsigned long port = 0;
	char *end;

	if (colon && !strchr(colon + 1, ':')) {
		port = strtoul(colon + 1, &end, 10);
		if (*end || !colon[1] || !port || port > UINT16_MAX)
			return error_set(e, -EINVAL, "Smarthost=%s: \"%s\" is no port", text,
					 colon + 1);
	}
	o->host = port ? strndup(text, colon - text) : strdup(text);
	o->port = port;
	return o->host ? 0 : error_set(e, -ENOMEM, "out of memory");
}

int queue_new(struct queue **ret, struct box *box, struct error *e)
{
	struct queue *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return error_set(e, -ENOMEM, "out of memory");
	o->box = box;
	r = parse_smarthost(o, box->conf.smarthost, e);
	if (r >= 0) {
		r = net_tls_from_name(box->conf.smarthost_tls);
		o->tls = r < 0 ? NET_TLS_NONE : (enum net_tls)r;
		if (r < 0)
			error_set(e, r, "SmarthostTLS=%s is none of none, opportunistic, required",
				  box->conf.smarthost_tls);
	}
	if (r >= 0) {
		r = sd_event_add_time(box->event, &o->timer, CLOCK_MONOTONIC, 0, 100000, on_timer,
				      o);
		if (r < 0)
			error_set(e, r, "cannot set a timer: %s", strerror(-r));
		else
			sd_event_source_set_enabled(o->timer, SD_EVENT_OFF);
	}
	if (r >= 0)
		r = recover(o, e);
	if (r < 0) {
		queue_free(o);
		return r;
	}
	plan(o);
	*ret = o;
	return 0;
}

void queue_free(struct queue *o)
{
	if (!o)
		return;
	delivery_free(o->delivery);
	sd_event_source_disable_unref(o->timer);
	free(o->host);
	free(o);
}
