/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What became of a mail, written into its job. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/queue_internal.h"
#include "service/words.h"

/* A mail that a host has in hand when its time is up is looked at again after this. */
#define LATER_USEC (60 * 1000000ull)

/* What became of a job's recipients, by all attempts so far. */
struct tally {
	size_t waiting, in_hand, sent, refused, delivered;
	const struct job_recipient *first_waiting, *first_refused;
	uint64_t next_try;
};

static struct tally count(const struct job *job)
{
	struct tally t = { .next_try = UINT64_MAX };

	for (size_t i = 0; i < job->n_recipients; i++) {
		const struct job_recipient *r = &job->recipients[i];

		t.in_hand += (r->flags & RCPT_IN_HAND) != 0;
		t.sent += r->state == RCPT_SENT;
		t.delivered += r->state == RCPT_DELIVERED;
		t.refused += r->state == RCPT_REFUSED;
		t.waiting += r->state == RCPT_WAITING;
		if (r->state == RCPT_REFUSED && !t.first_refused)
			t.first_refused = r;
		if (r->state == RCPT_WAITING && !t.first_waiting)
			t.first_waiting = r;
		if (r->state == RCPT_WAITING && r->next_try < t.next_try)
			t.next_try = r->next_try;
	}
	return t;
}

/* The clock may have been set back since. */
static bool is_past(uint64_t since, uint64_t span, uint64_t now)
{
	return now > since && now - since > span;
}

uint64_t mail_since(const struct job *job)
{
	return job->since ? job->since : job->created;
}

static void give_up(struct job *job, const char *why)
{
	for (size_t i = 0; i < job->n_recipients; i++) {
		struct job_recipient *r = &job->recipients[i];

		if (r->state != RCPT_WAITING)
			continue;
		r->state = RCPT_REFUSED;
		words_set(&r->detail, "given up after %u attempts; the last said: %s", r->tries,
			  r->detail && *r->detail ? r->detail : why);
		words_set(&r->status, "4.4.7");
	}
}

static uint64_t next_deadline(const struct job *job, const struct conf *conf, uint64_t now)
{
	uint64_t since = mail_since(job) < now ? mail_since(job) : now;

	if (conf->delay_usec && !is_past(since, conf->delay_usec, now))
		return since + conf->delay_usec;
	if (is_past(since, conf->expire_usec, now))
		return now + LATER_USEC;	/* something is under way still */
	return since + conf->expire_usec;
}

uint64_t queue_deadline(const struct conf *conf, uint64_t created)
{
	const struct job job = { .created = created };

	return next_deadline(&job, conf, created);
}

/* Nobody waits any more, but not everybody got it: says who, and that the others did. */
static void say_refused(char **sentence, const struct job *job, const struct tally *t)
{
	const struct job_recipient *first = t->first_refused;
	bool late = first->status && first->status[0] == '4';
	_free_ char *sent = NULL, *others = NULL;

	if (t->sent + t->delivered)
		words_set(&sent, "sent to %zu of %zu recipients; ", t->sent + t->delivered,
			  job->n_recipients);
	if (t->refused > 1)
		words_set(&others, " and %zu more", t->refused - 1);
	words_set(sentence, "%s%s %s%s: %s", sent ? sent : "",
		  late ? "no mail server took it for" : "the mail server refuses", first->address,
		  others ? others : "", first->detail && *first->detail ? first->detail :
		  "it does not say why");
}

static void say_waiting(char **sentence, const struct tally *t, const char *why, uint64_t now)
{
	char when[32];

	if (t->next_try <= now) {
		words_set(sentence, "%s; %s waits for its turn", why, t->first_waiting->address);
		return;
	}
	words_time(t->next_try, when, sizeof(when));
	words_set(sentence, "%s; next try, under the same Message-ID, at %s", why, when);
}

static enum job_state state_of(const struct tally *t)
{
	if (t->in_hand)
		return JOB_SENDING;
	if (t->waiting)
		return JOB_QUEUED;
	if (t->refused)
		return JOB_FAILED;
	return t->sent ? JOB_SENT : JOB_DELIVERED;
}

/* Keys of a job that is done with can be asked for by nobody any more. */
static void forget_keys(struct queue *q, const struct job *job)
{
	static const char *const prefixes[] = { "local", "dsn" };
	char key[64];

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		snprintf(key, sizeof(key), "%s/%llu/", prefixes[i], (unsigned long long)job->id);
		store_source_forget(q->box->store, key, NULL, 0);
	}
}

static int say(struct mail *m, enum job_state state, const char *sentence)
{
	struct queue *q = m->queue;
	struct job *job = m->job;
	bool good = state == JOB_SENT || state == JOB_DELIVERED;
	int r;

	if (good)
		job->pages_done = job->pages;
	r = job_say(&q->box->keeper, job, good ? LOG_INFO : LOG_WARNING, state, NULL, NULL,
		    sentence ? sentence : "");
	if (r < 0)
		queue_pause(q);
	else if (job_state_final(state))
		forget_keys(q, job);
	return r;
}

/*
 * Notices are written before the state that caused them. After a crash in between
 * the notice is there and the state is not: what is then done again asks for the
 * same notice by the same key, and gets none.
 */
int mail_settle(struct mail *m, const char *why)
{
	const struct conf *conf = &m->queue->box->conf;
	_free_ char *sentence = NULL;
	struct job *job = m->job;
	uint64_t now = words_now();
	struct tally t = count(job);
	enum job_state state;
	int r = 0;

	if (!m->deliveries) {
		if (t.waiting && is_past(mail_since(job), conf->expire_usec, now))
			give_up(job, why);
		r = notice_make(m);
		t = count(job);
	}
	state = r < 0 && !t.waiting ? JOB_QUEUED : state_of(&t);
	job->next_try = t.waiting ? t.next_try : 0;
	job->deadline = next_deadline(job, conf, now);
	if (r < 0 && !t.waiting) {
		job->deadline = now + LATER_USEC;
		words_set(&sentence, "the notice to its sender cannot be written: %s",
			  strerror(-r));
	} else if (state == JOB_QUEUED) {
		say_waiting(&sentence, &t, why, now);
	} else if (state == JOB_FAILED) {
		say_refused(&sentence, job, &t);
	}
	return say(m, state, sentence ? sentence : why);
}

int mail_hold(struct mail *m, const char *why)
{
	return say(m, JOB_HELD, why);
}

/* It has not got as far as to a host, which is nobody's verdict on its recipients. */
static void wait_for_all(struct job *job, const struct conf *conf, const char *why)
{
	uint64_t now = words_now();

	job->attempts++;
	for (size_t i = 0; i < job->n_recipients; i++) {
		struct job_recipient *r = &job->recipients[i];

		if (r->state != RCPT_WAITING)
			continue;
		r->tries++;
		r->next_try = now + queue_wait(conf, r->tries);
		words_set(&r->detail, "%s", why);
		words_set(&r->status, "4.7.5");
	}
}

int queue_put_off(struct queue *q, uint64_t id, const char *why)
{
	struct mail *m;
	int r = mail_get(q, id, &m);

	if (r < 0)
		return r;
	wait_for_all(m->job, &q->box->conf, why);
	r = mail_settle(m, why);
	mail_put(m);
	return r;
}

int queue_put_on_hold(struct queue *q, uint64_t id, const char *why)
{
	struct mail *m;
	int r = mail_get(q, id, &m);

	if (r < 0)
		return r;
	r = mail_hold(m, why);
	mail_put(m);
	return r;
}

int mail_correct(struct mail *m, const char *why)
{
	struct job *job = m->job;
	struct tally t = count(job);

	if (job->state == JOB_QUEUED || job->state == JOB_SENDING)
		return mail_settle(m, why);
	if (job->state == JOB_HELD || job->state == JOB_CANCELED || t.waiting)
		return say(m, job->state, why);
	return say(m, state_of(&t), why);
}
