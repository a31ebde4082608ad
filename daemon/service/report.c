/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reports that come back (RFC 3464, 8098) about what was sent from here: they
 * change what is known of the job's recipients, and its state with it. A report is
 * found to be about a job by the envelope's name that we gave, or by the mail's
 * own; and it must have come to the user who sent it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "service/queue_internal.h"
#include "service/words.h"

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

static uint64_t find_job(struct queue *q, const struct report *r)
{
	uint64_t id = r->envid[0] ? by_envelope(q, r->envid) : 0;

	if (!id && r->message_id[0] && store_find_sent(q->box->store, r->message_id, &id) < 0)
		return 0;
	return id;
}

static struct job_recipient *find_recipient(struct job *job, const struct report *report,
					    const struct report_rcpt *r)
{
	for (size_t i = 0; i < job->n_recipients; i++)
		if (!strcasecmp(job->recipients[i].address, r->original) ||
		    !strcasecmp(job->recipients[i].address, r->address))
			return &job->recipients[i];
	/* Forwarded to where we do not know him, but there was only the one. */
	return job->n_recipients == 1 && report->n_rcpts == 1 ? &job->recipients[0] : NULL;
}

/* True: something is known that was not. What still waits here is nobody else's to judge. */
static bool take(struct job_recipient *to, const struct report_rcpt *r)
{
	if (to->state == RCPT_WAITING || (to->state == RCPT_REFUSED && r->action == REPORT_FAILED))
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

	for (size_t i = 0; i < report->n_rcpts; i++) {
		struct job_recipient *to = find_recipient(job, report, &report->rcpts[i]);

		if (to && take(to, &report->rcpts[i]))
			last = to;
	}
	return last;
}

int queue_report(struct queue *q, const char *user, const struct report *report, char **sentence)
{
	const struct job_recipient *last;
	uint64_t id = find_job(q, report);
	_free_ char *why = NULL;
	struct mail *m;
	int r;

	if (!id)
		return -ENOENT;
	r = mail_get(q, id, &m);
	if (r < 0)
		return r;
	if (m->job->kind != JOB_SEND || !user || !m->job->user || strcmp(m->job->user, user)) {
		mail_put(m);
		return -ENOENT;
	}
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
