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
#include "service/outbound.h"
#include "service/words.h"
#include "store/store.h"

/* One message on its way. The envelope's strings belong to the job. */
struct delivery {
	struct outbound *outbound;
	uint64_t number;
	struct job *job;
	struct smtp_session *session;
	size_t *index;			/* recipient i of the envelope is job recipient index[i] */
	const char **rcpts;
	size_t n_rcpts;
	int body;
};

struct outbound {
	struct box *box;
	sd_event_source *timer;
	struct delivery *delivery;	/* NULL: none */
	uint64_t deliveries;		/* begun so far; the one in hand has this number */
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

static void plan(struct outbound *o);

static void next_delivery(struct outbound *o)
{
	delivery_free(o->delivery);
	o->delivery = NULL;
	plan(o);
}

/* The delivery is over: the job's new state and what is known. */
static void settle(struct delivery *d, enum job_state state, const char *sentence)
{
	struct outbound *o = d->outbound;

	job_say(&o->box->keeper, d->job, state == JOB_SENT ? LOG_INFO : LOG_WARNING, state, NULL,
		NULL, sentence);
	next_delivery(o);
}

static void try_later(struct delivery *d, const char *why)
{
	const struct conf *conf = &d->outbound->box->conf;
	_free_ char *text = NULL;
	uint64_t now = words_now();
	char when[32];

	if (now - d->job->created > conf->expire_usec) {
		words_set(&text, "given up after %u attempts; the last said: %s", d->job->attempts, why);
		settle(d, JOB_FAILED, text);
		return;
	}
	d->job->next_try = now + next_wait(conf, d->job->attempts);
	words_time(d->job->next_try, when, sizeof(when));
	words_set(&text, "%s; next try at %s", why, when);
	settle(d, JOB_QUEUED, text);
}

/* Copies verdicts into the job; tells how many recipients wait, and one who was refused. */
static size_t take_verdicts(struct delivery *d, const struct smtp_session_outcome *out,
			    const struct job_recipient **refused)
{
	size_t waiting = 0;

	for (size_t i = 0; i < d->n_rcpts && i < out->n_rcpts; i++) {
		struct job_recipient *r = &d->job->recipients[d->index[i]];
		const struct smtp_session_verdict *v = &out->rcpts[i];

		if (v->result == SMTP_RESULT_ACCEPTED)
			r->state = RCPT_SENT;
		else if (v->result == SMTP_RESULT_REFUSED)
			r->state = RCPT_REFUSED;
		words_set(&r->detail, "%s", v->text ? v->text : "");
	}
	for (size_t i = 0; i < d->job->n_recipients; i++) {
		waiting += d->job->recipients[i].state == RCPT_WAITING;
		if (d->job->recipients[i].state == RCPT_REFUSED)
			*refused = &d->job->recipients[i];
	}
	return waiting;
}

static void on_done(void *userdata, const struct smtp_session_outcome *out)
{
	const struct job_recipient *refused = NULL;
	struct delivery *d = userdata;
	const char *text = out->text ? out->text : smtp_result_name(out->result);
	_free_ char *sentence = NULL;
	size_t waiting;

	d->session = NULL;
	waiting = take_verdicts(d, out, &refused);
	if (out->result == SMTP_RESULT_IN_DOUBT) {
		words_set(&sentence, "the line was lost after the mail was sent, so the server may have "
			  "it; it is sent again under the same Message-ID (%s)", text);
		try_later(d, sentence);
	} else if (waiting) {
		try_later(d, text);
	} else if (refused) {
		words_set(&sentence, "the mail server refuses %s: %s", refused->address,
			  refused->detail ? refused->detail : text);
		settle(d, JOB_FAILED, sentence);
	} else {
		d->job->pages_done = d->job->pages;
		settle(d, JOB_SENT, text);
	}
}

/* A state on its way into the journal; its delivery may be over before that answers. */
struct commit {
	struct outbound *outbound;
	uint64_t number;		/* of the delivery */
};

static void on_sending_durable(void *userdata, int r)
{
	struct commit *c = userdata;
	struct delivery *d = c->outbound->delivery;

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
		*c = (struct commit){ d->outbound, d->number };
		r = job_say(&d->outbound->box->keeper, d->job, LOG_DEBUG, JOB_SENDING,
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

static int start_session(struct delivery *d, struct error *e)
{
	static const struct smtp_session_callbacks callbacks = {
		.before_dot = before_dot,
		.done = on_done,
	};
	struct outbound *o = d->outbound;
	struct smtp_session_options options = {
		.host = o->host,
		.port = o->port,
		.tls = o->tls,
		.helo = o->box->conf.hostname,
		.timeout_usec = o->box->conf.timeout_usec,
	};
	struct smtp_envelope env = { .from = d->job->from, .size = d->job->body_len };
	int r;

	d->body = -1;
	r = store_job_body(o->box->store, d->job->id, &d->body, e);
	if (r < 0)
		return r;
	r = envelope(d);
	if (r < 0)
		return error_set(e, r, "out of memory");
	env.rcpts = d->rcpts;
	env.n_rcpts = d->n_rcpts;
	d->job->attempts++;
	return smtp_session_send(&d->session, o->box->event, &options, &env, d->body, &callbacks, d,
				 e);
}

/* Takes the job over. */
static void deliver(struct outbound *o, struct job *job)
{
	struct delivery *d = calloc(1, sizeof(*d));
	struct error e = { 0 };
	int r;

	if (!d) {
		log_error("out of memory for job %llu", (unsigned long long)job->id);
		job_free(job);
		return;
	}
	d->outbound = o;
	d->number = ++o->deliveries;
	d->job = job;
	d->body = -1;
	o->delivery = d;
	r = start_session(d, &e);
	if (r >= 0)
		return;
	/* Trying again does not bring a document back. */
	if (r == -ENOENT || r == -EBADMSG)
		settle(d, JOB_FAILED, error_text(&e));
	else
		try_later(d, error_text(&e));
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct outbound *o = userdata;
	struct job_filter due = { .kind = JOB_SEND, .state = JOB_QUEUED,
				  .due_before = words_now(), .limit = 1 };
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	if (o->delivery)
		return 0;
	r = store_job_list(o->box->store, &due, &jobs, &n);
	if (r < 0) {
		log_error("cannot read the queue: %s", strerror(-r));
		return 0;
	}
	if (n) {
		deliver(o, take_ptr(jobs[0]));
		free(jobs);
	} else {
		job_list_free(jobs, n);
		plan(o);
	}
	return 0;
}

static void arm(struct outbound *o, uint64_t when)
{
	sd_event_source_set_time(o->timer, when);
	sd_event_source_set_enabled(o->timer, SD_EVENT_ONESHOT);
}

/* Sets the timer to the next job that is due, if there is one. */
static void plan(struct outbound *o)
{
	struct job_filter next = { .kind = JOB_SEND, .state = JOB_QUEUED,
				   .due_before = UINT64_MAX / 2, .limit = 1 };
	struct job **jobs = NULL;
	size_t n = 0;

	if (o->delivery)
		return;
	if (store_job_list(o->box->store, &next, &jobs, &n) >= 0 && n)
		arm(o, jobs[0]->next_try);
	job_list_free(jobs, n);
}

void outbound_wake(struct outbound *o)
{
	plan(o);
}

int outbound_cancel(struct outbound *o, uint64_t id, struct error *e)
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
static int recover(struct outbound *o, struct error *e)
{
	struct job_filter f = { .kind = JOB_SEND, .state = JOB_SENDING };
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
	return r < 0 ? error_set(e, r, "cannot take over what was being sent: %s", strerror(-r)) : 0;
}

/* "host", "host:port", "[v6]", "[v6]:port"; a bare v6 address has more colons than one. */
static int parse_smarthost(struct outbound *o, const char *text, struct error *e)
{
	const char *after = strchr(text, ']') ? strchr(text, ']') : text;
	const char *colon = strchr(after, ':');
	unsigned long port = 0;
	char *end;

	if (colon && !strchr(colon + 1, ':')) {
		port = strtoul(colon + 1, &end, 10);
		if (*end || !colon[1] || !port || port > UINT16_MAX)
			return error_set(e, -EINVAL, "Smarthost=%s: \"%s\" is no port", text, colon + 1);
	}
	o->host = port ? strndup(text, colon - text) : strdup(text);
	o->port = port;
	return o->host ? 0 : error_set(e, -ENOMEM, "out of memory");
}

int outbound_new(struct outbound **ret, struct box *box, struct error *e)
{
	struct outbound *o = calloc(1, sizeof(*o));
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
		r = sd_event_add_time(box->event, &o->timer, CLOCK_REALTIME, 0, 100000, on_timer, o);
		if (r < 0)
			error_set(e, r, "cannot set a timer: %s", strerror(-r));
		else
			sd_event_source_set_enabled(o->timer, SD_EVENT_OFF);
	}
	if (r >= 0)
		r = recover(o, e);
	if (r < 0) {
		outbound_free(o);
		return r;
	}
	plan(o);
	*ret = o;
	return 0;
}

void outbound_free(struct outbound *o)
{
	if (!o)
		return;
	delivery_free(o->delivery);
	sd_event_source_disable_unref(o->timer);
	free(o->host);
	free(o);
}
