/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notices to senders (RFC 3461, 3464): which are due, and that each is written
 * once. Mail without a sender, as notices are, gets none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "mail/dsn.h"
#include "mail/form.h"
#include "service/directory.h"
#include "service/queue_internal.h"
#include "service/sealing.h"
#include "service/words.h"
#include "smtp/path.h"

/* Of a mail that failed this much comes back whole, where its sender did not say. */
#define WHOLE_MAX (1u << 20)

/* What is to be told of one recipient, if anything. */
struct news {
	bool any;
	bool told;			/* what it settles: RCPT_TOLD, else RCPT_TOLD_DELAY */
	enum dsn_action action;
	unsigned int wish;		/* who hears of it: those who asked for this ... */
	bool unasked;			/* ... and those who said nothing */
};

static struct news news_of(const struct job_recipient *r, bool late)
{
	if (r->state == RCPT_WAITING && late && !(r->flags & RCPT_TOLD_DELAY))
		return (struct news){ true, false, DSN_DELAYED, NOTIFY_DELAY, true };
	if (r->state == RCPT_WAITING || (r->flags & RCPT_TOLD))
		return (struct news){ 0 };
	if (r->state == RCPT_REFUSED)
		return (struct news){ true, true, DSN_FAILED, NOTIFY_FAILURE, true };
	if (r->state == RCPT_DELIVERED)
		return (struct news){ true, true, DSN_DELIVERED, NOTIFY_SUCCESS, false };
	/* A host that takes wishes on tells the rest itself. */
	if (r->flags & RCPT_RELAYED)
		return (struct news){ true, true, DSN_RELAYED, NOTIFY_SUCCESS, false };
	return (struct news){ 0 };
}

static bool wanted(const struct job_recipient *r, const struct news *n)
{
	if (r->notify & NOTIFY_NEVER)
		return false;
	return r->notify ? r->notify & n->wish : n->unasked;
}

static void describe(struct dsn_rcpt *to, const struct job *job, const struct job_recipient *r,
		     const struct news *n, const struct conf *conf)
{
	*to = (struct dsn_rcpt){
		.address = smtp_path_mailbox(r->address),
		.orcpt = r->orcpt,
		.action = n->action,
		.status = r->status,
		.remote = r->remote,
		.text = r->detail,
		.last_attempt = job->changed,
		.retry_until = n->action == DSN_DELAYED ? mail_since(job) + conf->expire_usec : 0,
	};
	/* The class must agree with the action (RFC 3464 2.3.4). */
	if (n->action == DSN_DELAYED && (!r->status || r->status[0] != '4'))
		to->status = NULL;
}

/* What goes into one notice. */
struct draft {
	struct dsn_rcpt *rcpts;
	size_t n;
	size_t first;			/* its first recipient, which names it */
	enum dsn_action worst;		/* failed before delayed before the others */
};

static int gather(struct draft *d, const struct job *job, bool late, const struct conf *conf)
{
	d->worst = _DSN_ACTIONS;
	d->rcpts = calloc(job->n_recipients + 1, sizeof(*d->rcpts));
	if (!d->rcpts)
		return -ENOMEM;
	for (size_t i = 0; i < job->n_recipients; i++) {
		const struct job_recipient *r = &job->recipients[i];
		struct news n = news_of(r, late);

		if (!n.any || !wanted(r, &n))
			continue;
		if (!d->n)
			d->first = i;
		if (n.action < d->worst)
			d->worst = n.action;
		describe(&d->rcpts[d->n++], job, r, &n, conf);
	}
	return 0;
}

static void mark(struct job *job, bool late)
{
	for (size_t i = 0; i < job->n_recipients; i++) {
		struct job_recipient *r = &job->recipients[i];
		struct news n = news_of(r, late);

		if (n.any)
			r->flags |= n.told ? RCPT_TOLD : RCPT_TOLD_DELAY;
	}
}

static bool comes_back_whole(const struct job *job, const struct draft *d)
{
	if (job->unsealed)
		return false;
	if (job->ret != RET_UNSAID)
		return job->ret == RET_FULL && d->worst == DSN_FAILED;
	return d->worst == DSN_FAILED && job->body_len <= WHOLE_MAX;
}

/*
 * Who never gets mail in the clear does not get it as a notice either, whatever his RET
 * said: of what he did not encrypt himself the header alone comes back to him elsewhere.
 */
static bool may_come_back(const struct mail *m, const struct job *notice, const char *original,
			  size_t len)
{
	enum keys_method method;

	for (size_t i = 0; i < notice->n_recipients; i++) {
		const struct job_recipient *to = &notice->recipients[i];

		/* Neither does one of whom it cannot be found out. */
		if (!to->user && sealing_insists(m->queue->box, smtp_path_mailbox(to->address),
						 &method, NULL))
			return mail_is_encrypted(original, len);
	}
	return true;
}

static int write_notice(struct buffer *out, struct job *notice, const struct mail *m,
			const struct draft *d, const void *original, size_t len, struct error *e)
{
	const struct box *box = m->queue->box;
	const struct dsn_spec spec = {
		.hostname = box->conf.hostname,
		.to = smtp_path_mailbox(m->job->from),
		.message_id = notice->message_id,
		.date = words_now(),
		.arrival = m->job->created,
		.envid = m->job->envid,
		.rcpts = d->rcpts,
		.n_rcpts = d->n,
		.original = original,
		.original_len = len,
		.full = original && comes_back_whole(m->job, d) &&
			may_come_back(m, notice, original, len),
	};

	return dsn_build(&spec, out, &notice->eight_bit, e);
}

/* Our own names at the head of the way back were put there here (RFC 821 3.6). */
static const char *way_back(const struct conf *conf, const char *from)
{
	char name[SMTP_PATH_MAX + 1];
	const char *hop, *rest;
	size_t len;

	while ((hop = smtp_path_hop(from, &len, &rest))) {
		snprintf(name, sizeof(name), "%.*s", (int)len, hop);
		if (!directory_is_us(conf, name))
			break;
		from = rest;
	}
	return from;
}

static int add_reader(struct job *notice, const char *address, const char *user)
{
	int r = job_add_recipient(notice, address);
	struct job_recipient *to;

	if (r < 0)
		return r;
	to = &notice->recipients[notice->n_recipients - 1];
	to->notify = NOTIFY_NEVER;
	return job_set(&to->user, user);
}

/* A name at this box: the users and addresses that it means. */
static int add_local_readers(struct job *notice, const struct box *box, const char *address,
			     struct error *e)
{
	_free_ char *local = directory_local(address);
	struct directory_answer a = { 0 };
	int r = local ? directory_find(box->store, &box->conf, local, &a) : -ENOMEM;

	for (size_t i = 0; i < a.n && r >= 0; i++)
		r = add_reader(notice, a.boxes[i].address, a.boxes[i].user);
	directory_answer_free(&a);
	if (r >= 0 && !notice->n_recipients)
		r = -ENOENT;
	if (directory_knows(r))
		return error_set(e, -EINVAL, "this name leads to nobody at this box");
	return r;
}

/* -EINVAL: there is nobody who could read it. */
static int add_readers(struct job *notice, const struct box *box, const char *from,
		       struct error *e)
{
	const char *to = way_back(&box->conf, from), *at = strrchr(to, '@');

	if (*to == '@' || (at && !directory_is_us(&box->conf, at + 1)))
		return add_reader(notice, to, NULL);
	return add_local_readers(notice, box, to, e);
}

static int fill_notice(struct job *notice, const struct mail *m, const struct draft *d,
		       struct error *e)
{
	struct box *box = m->queue->box;
	const struct job *job = m->job;
	unsigned long long id = job->id, now = words_now();
	int r;

	notice->kind = JOB_NOTICE;
	notice->state = JOB_QUEUED;
	notice->deadline = queue_deadline(&box->conf, now);
	words_set(&notice->source, "dsn/%llu/%s-%zu", id, dsn_action_name(d->worst), d->first);
	words_set(&notice->message_id, "<%llu.%llu.%zu.notice@%s>", id, now, d->first,
		  box->conf.hostname);
	words_set(&notice->detail, "about job %llu; waits for its turn", id);
	words_set(&notice->subject, "%s: job %llu", dsn_action_name(d->worst), id);
	r = job_set(&notice->from, "");
	if (r >= 0)
		r = add_readers(notice, box, job->from, e);
	return r < 0 ? r : !notice->source || !notice->message_id ? -ENOMEM : 0;
}

static int keep_notice(struct mail *m, struct job *notice, const struct buffer *text)
{
	struct queue_arrival *w = malloc(sizeof(*w));
	struct box *box = m->queue->box;
	struct error e = { 0 };
	int r;

	if (!w)
		return -ENOMEM;
	w->box = box;
	r = store_job_create(box->store, notice, text->data, text->len, queue_on_arrival, w, &e);
	if (r >= 0) {
		w->id = notice->id;
		log_full(LOG_INFO, notice->id, NULL, "Job %llu: notice to <%s>: %s",
			 (unsigned long long)notice->id, m->job->from, notice->subject);
		return 0;
	}
	free(w);
	if (r == -EEXIST)		/* written before a crash */
		return 0;
	log_full(LOG_ERR, m->job->id, NULL, "Job %llu: no notice can be written: %s",
		 (unsigned long long)m->job->id, error_text(&e));
	return r;
}

/* A document that is lost must not keep its sender from hearing of it. */
static int write_and_keep(struct mail *m, struct job *notice, const struct draft *d,
			  struct error *e)
{
	_buffer_ struct buffer text = { 0 };
	struct error lost = { 0 };
	void *original = NULL;
	size_t len = 0;
	int r;

	if (mail_map(m, &original, &len, &lost) < 0) {
		original = NULL;
		len = 0;
	}
	r = write_notice(&text, notice, m, d, original, len, e);
	if (original)
		munmap(original, len);
	return r < 0 ? r : keep_notice(m, notice, &text);
}

static int make(struct mail *m, const struct draft *d)
{
	struct job *notice = calloc(1, sizeof(*notice));
	struct error e = { 0 };
	int r = notice ? fill_notice(notice, m, d, &e) : -ENOMEM;

	if (r >= 0)
		r = write_and_keep(m, notice, d, &e);
	/* A sender to whom none can be addressed: said, and done with. */
	if (r == -EINVAL)
		log_full(LOG_WARNING, m->job->id, NULL, "Job %llu: no notice to <%s>: %s",
			 (unsigned long long)m->job->id, m->job->from, error_text(&e));
	job_free(notice);
	return r == -EINVAL ? 0 : r;
}

int notice_make(struct mail *m)
{
	const struct conf *conf = &m->queue->box->conf;
	struct draft d = { 0 };
	struct job *job = m->job;
	uint64_t now = words_now(), since = mail_since(job);
	bool late = conf->delay_usec && now > since && now - since > conf->delay_usec;
	bool heard = job->from && *job->from && job->kind != JOB_NOTICE;
	int r = heard ? gather(&d, job, late, conf) : 0;

	if (!r && d.n)
		r = make(m, &d);
	if (!r)
		mark(job, late);
	free(d.rcpts);
	return r;
}
