/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Delivery to users of this box: each gets a print job that reads the same bytes.
 *
 * On disk before: the recipient waits. Then the print job is there, by a key that
 * names mail and user; then the recipient has it. A crash in between finds the key
 * and makes no second job.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/inbound.h"
#include "service/queue_internal.h"
#include "service/words.h"

static bool is_user(struct box *box, const char *code)
{
	struct user *u = NULL;
	int r = store_user_get(box->store, code, false, &u);

	if (!r)
		user_free(u);
	return r != -ENOENT;
}

char *local_user(struct box *box, const char *address)
{
	const char *at = strrchr(address, '@');
	char *code;

	if (!at || strcasecmp(at + 1, box->conf.hostname))
		return NULL;
	code = strndup(address, at - address);
	if (!code || is_user(box, code))
		return code;
	free(code);
	return NULL;
}

static void refuse(struct job_recipient *r)
{
	r->state = RCPT_REFUSED;
	words_set(&r->status, "5.1.1");
	words_set(&r->detail, "there is no user %s at this box any more", r->user);
}

static void deliver_one(struct mail *m, struct job_recipient *r)
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
	err = inbound_accept_copy(box->inbound, r->user, key, m->job->id, &e);
	if (err >= 0 || err == -EEXIST) {
		r->state = RCPT_DELIVERED;
		words_set(&r->status, "2.0.0");
		words_set(&r->detail, "delivered to user %s", r->user);
	} else if (err == -ENOENT) {
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
	const char *why = "delivered";
	uint64_t now = words_now();

	for (size_t i = 0; i < m->job->n_recipients; i++) {
		struct job_recipient *r = &m->job->recipients[i];

		if (r->state != RCPT_WAITING || !r->user ||
		    !queue_is_due(m->queue, r->next_try, now))
			continue;
		deliver_one(m, r);
		why = r->detail ? r->detail : why;
	}
	mail_settle(m, why);
}
