/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Delivery to users of this box: each gets a print job; all read the same bytes, the
 * mail with the Return-Path that its way's end asks for (RFC 5321 4.4).
 *
 * On disk before: the recipient waits. Then the print job is there, by a key that
 * names mail and user; then the recipient has it. A crash in between finds the key
 * and makes no second job.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/inbound.h"
#include "service/queue_internal.h"
#include "service/trace.h"
#include "service/words.h"

static bool is_user(struct box *box, const char *code)
{
	struct user *u = NULL;
	int r = store_user_get(box->store, code, false, &u);

	if (!r)
		user_free(u);
	return r != -ENOENT;
}

static void refuse(struct job_recipient *r)
{
	r->state = RCPT_REFUSED;
	words_set(&r->status, "5.1.1");
	words_set(&r->detail, "there is no user %s at this box any more", r->user);
}

/* Where all recipients are users here the receiver knew that the way ends, and wrote it. */
static bool has_return_path(const struct job *job)
{
	for (size_t i = 0; i < job->n_recipients; i++)
		if (!job->recipients[i].user)
			return false;
	return job->kind == JOB_MAIL;
}

static int add_return_path(struct mail *m, const char *user, const char *key, uint64_t *id,
			   struct error *e)
{
	_buffer_ struct buffer trace = { 0 };
	struct iovec mail[2];
	size_t len = 0;
	void *text = NULL;
	int r = mail_map(m, &text, &len, e);

	if (r < 0)
		return r;
	r = trace_return_path(&trace, m->job->from ? m->job->from : "");
	mail[0] = (struct iovec){ trace.data, trace.len };
	mail[1] = (struct iovec){ text, len };
	if (r >= 0)
		r = inbound_accept(m->queue->box->inbound, user, key, mail, 2, NULL, NULL, id, e);
	else
		error_set(e, r, "out of memory");
	munmap(text, len);
	return r;
}

/* @from: the job whose document is fit for a user; 0: there is none yet. */
static void deliver_one(struct mail *m, struct job_recipient *r, uint64_t *from)
{
	struct box *box = m->queue->box;
	struct error e = { 0 };
	char key[128];
	int err;

	if (!is_user(box, r->user)) {
		refuse(r);
		return;
	}
	snprintf(key, sizeof(key), "local/%llu/%s", (unsigned long long)m->job->id, r->user);
	if (*from)
		err = inbound_accept_copy(box->inbound, r->user, key, *from, &e);
	else
		err = add_return_path(m, r->user, key, from, &e);
	if (err >= 0 || err == -EEXIST) {
		r->state = RCPT_DELIVERED;
		words_set(&r->status, "2.0.0");
		words_set(&r->detail, "delivered to user %s", r->user);
	} else if (err == -ENOENT || err == -EBADMSG) {
		r->state = RCPT_REFUSED;
		words_set(&r->status, "5.3.0");
		words_set(&r->detail, "%s", error_text(&e));
	} else {
		r->tries++;
		r->next_try = words_now() + queue_wait(&box->conf, r->tries);
		words_set(&r->status, "4.3.0");
		words_set(&r->detail, "%s", error_text(&e));
	}
}

void local_deliver(struct mail *m)
{
	uint64_t from = has_return_path(m->job) ? m->job->id : 0;
	const char *why = "delivered";
	uint64_t now = words_now();

	for (size_t i = 0; i < m->job->n_recipients; i++) {
		struct job_recipient *r = &m->job->recipients[i];

		if (r->state != RCPT_WAITING || !r->user ||
		    !queue_is_due(m->queue, r->next_try, now))
			continue;
		deliver_one(m, r, &from);
		why = r->detail ? r->detail : why;
	}
	mail_settle(m, why);
}
