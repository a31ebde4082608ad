/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reports that come back (RFC 3464, 8098) about what went out from here: they
 * change what is known of the job's recipients, and its state with it. A report is
 * found to be about a job by the envelope's name, ours or its sender's, or by the
 * mail's own; and it must have come to the user who sent it.
 *
 * That is the user of a job of kind send and, of mail that was taken by SMTP, whoever
 * its reverse-path leads to. Reports about mail of people elsewhere go to them and
 * are not seen here; one that passes through, by a source route, is not ours to read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "service/directory.h"
#include "service/queue_internal.h"
#include "service/words.h"
#include "smtp/path.h"

/* Jobs of the same name that are looked at for one report. */
#define NAMESAKES_MAX 32

void queue_name_envelope(struct job *job, const struct conf *conf)
{
	words_set(&job->envid, "ifax.%llu.%llu@%s", (unsigned long long)job->id,
		  (unsigned long long)job->created, conf->hostname);
	for (size_t i = 0; i < job->n_recipients; i++)
		words_set(&job->recipients[i].orcpt, "rfc822;%s", job->recipients[i].address);
}

/* By the name that queue_name_envelope() gave. Its time keeps a guesser out. */
static uint64_t by_envelope(struct queue *q, const char *envid)
{
	unsigned long long id = 0, created = 0;
	struct job *job = NULL;
	bool ours;

	if (sscanf(envid, "ifax.%llu.%llu@", &id, &created) != 2 ||
	    store_job_get(q->box->store, id, &job) < 0)
		return 0;
	ours = job->envid && !strcmp(job->envid, envid) && job->created == created;
	job_free(job);
	return ours ? id : 0;
}

/* How sure it is that a report's recipient is one of a job's. */
enum match {
	MATCH_NONE,
	MATCH_ONLY,	/* forwarded to where we do not know him, but there was only the one */
	MATCH_NAME,
};

static bool is_same(const char *a, const char *b)
{
	return a && *b && !strcasecmp(a, b);
}

/* What the sender calls him (RFC 3461 4.2), which may stand for many. */
static bool is_original(const struct job_recipient *to, const char *original)
{
	const char *semicolon = to->orcpt ? strchr(to->orcpt, ';') : NULL;

	return semicolon && is_same(semicolon + 1, original);
}

static struct job_recipient *find_recipient(struct job *job, const struct report *report,
					    const struct report_rcpt *r, enum match *match)
{
	struct job_recipient *original = NULL;
	size_t n_original = 0;

	*match = MATCH_NAME;
	for (size_t i = 0; i < job->n_recipients; i++) {
		struct job_recipient *to = &job->recipients[i];

		if (is_same(to->address, r->original) || is_same(to->address, r->address))
			return to;
		if (is_original(to, r->original)) {
			original = to;
			n_original++;
		}
	}
	if (n_original == 1)
		return original;
	*match = job->n_recipients == 1 && report->n_rcpts == 1 ? MATCH_ONLY : MATCH_NONE;
	return *match == MATCH_ONLY ? &job->recipients[0] : NULL;
}

/* The best that it has of any of them. */
static enum match match_of(struct job *job, const struct report *report)
{
	enum match best = MATCH_NONE, match;

	for (size_t i = 0; i < report->n_rcpts && best < MATCH_NAME; i++)
		if (find_recipient(job, report, &report->rcpts[i], &match) && match > best)
			best = match;
	return best;
}

/* 1: @user sent it. */
static int is_his(struct queue *q, const struct job *job, const char *user)
{
	const struct box *box = q->box;

	if (job->kind == JOB_SEND)
		return job->user && !strcmp(job->user, user);
	if (job->kind != JOB_MAIL || !job->from || !*job->from)
		return 0;
	return directory_reaches(box->store, &box->conf, smtp_path_mailbox(job->from), user);
}

/* The job that fits best so far; id 0: none does. */
struct choice {
	const char *user;
	const struct report *report;
	uint64_t id;
	enum match match;
};

static int consider(struct queue *q, struct choice *c, uint64_t id)
{
	struct job *job = NULL;
	enum match match;
	int r = store_job_get(q->box->store, id, &job);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = is_his(q, job, c->user);
	if (r > 0) {
		match = match_of(job, c->report);
		if (!c->id || match > c->match) {
			c->id = id;
			c->match = match;
		}
	}
	job_free(job);
	return r < 0 ? r : 0;
}

/*
 * Names that senders choose need not be one job's alone: a mail that was given to us in
 * several transactions has the same in each.
 */
static int consider_all(struct queue *q, struct choice *c, enum sent_by by, const char *name)
{
	uint64_t id = UINT64_MAX;
	int r = 0;

	for (int n = 0; *name && n < NAMESAKES_MAX && c->match < MATCH_NAME && r >= 0; n++) {
		r = store_find_sent(q->box->store, by, name, id, &id);
		if (r < 0 || !id)
			return r;
		r = consider(q, c, id);
	}
	return r;
}

/* -ENOENT: about none that he sent. */
static int find_job(struct queue *q, const char *user, const struct report *r, uint64_t *id)
{
	struct choice c = { .user = user, .report = r };
	uint64_t ours = by_envelope(q, r->envid);
	int err = ours ? consider(q, &c, ours) : 0;

	if (!c.id && err >= 0)
		err = consider_all(q, &c, SENT_BY_ENVID, r->envid);
	if (!c.id && err >= 0)
		err = consider_all(q, &c, SENT_BY_MESSAGE_ID, r->message_id);
	*id = c.id;
	return err < 0 ? err : c.id ? 0 : -ENOENT;
}

/*
 * Is it something that was not known? Our own notices, which come to senders here as well,
 * say what their job does. What waits, or is with a user here, is nobody else's to judge.
 */
static bool is_news(const struct job_recipient *to, enum report_action action)
{
	if (to->state == RCPT_WAITING || to->user)
		return false;
	switch (action) {
	case REPORT_FAILED:
		return to->state != RCPT_REFUSED;
	case REPORT_DELIVERED:
		return to->state != RCPT_DELIVERED;
	case REPORT_DELAYED:
		return to->state == RCPT_SENT;
	case REPORT_RELAYED:
	case REPORT_EXPANDED:
		return to->state == RCPT_SENT && !(to->flags & RCPT_RELAYED);
	default:
		return false;
	}
}

/* True: something is known that was not. */
static bool take(struct job_recipient *to, const struct report_rcpt *r)
{
	if (!is_news(to, r->action))
		return false;
	switch (r->action) {
	case REPORT_FAILED:
		to->state = RCPT_REFUSED;
		words_set(&to->detail, "a notice says that it was not delivered%s%s",
			  r->diagnostic[0] ? ": " : "", r->diagnostic);
		break;
	case REPORT_DELIVERED:
		to->state = RCPT_DELIVERED;
		words_set(&to->detail, "a notice says that it was delivered");
		break;
	case REPORT_DELAYED:
		words_set(&to->detail, "a notice says that it is late, and being tried%s%s",
			  r->diagnostic[0] ? ": " : "", r->diagnostic);
		break;
	case REPORT_RELAYED:
	case REPORT_EXPANDED:
		words_set(&to->detail, "a notice says that it went on to where no more is told");
		break;
	default:
		return false;
	}
	if (r->status[0])
		words_set(&to->status, "%s", r->status);
	/* The sender has the report itself. */
	to->flags |= RCPT_TOLD;
	return true;
}

static const struct job_recipient *apply(struct job *job, const struct report *report)
{
	const struct job_recipient *last = NULL;
	enum match match;

	for (size_t i = 0; i < report->n_rcpts; i++) {
		struct job_recipient *to = find_recipient(job, report, &report->rcpts[i], &match);

		if (to && take(to, &report->rcpts[i]))
			last = to;
	}
	return last;
}

int queue_report(struct queue *q, const char *user, const struct report *report, char **sentence)
{
	const struct job_recipient *last;
	_free_ char *why = NULL;
	struct mail *m;
	uint64_t id;
	int r = user ? find_job(q, user, report, &id) : -ENOENT;

	if (r >= 0)
		r = mail_get(q, id, &m);
	if (r < 0)
		return r;
	last = apply(m->job, report);
	if (last) {
		words_set(&why, "%s: %s", last->address, last->detail ? last->detail : "");
		words_set(sentence, "about job %llu: %s", (unsigned long long)id, why ? why : "");
		r = mail_correct(m, why ? why : "");
	} else {
		words_set(sentence, "about job %llu, but it says nothing new",
			  (unsigned long long)id);
	}
	mail_put(m);
	return r;
}
