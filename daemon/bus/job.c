/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job as the bus shows it. */
#include "bus/dict.h"
#include "bus/internal.h"

/* In a list: a thousand jobs of a thousand recipients are more than the bus carries. */
#define LISTED_RECIPIENTS 5

static const char *const rcpt_states[] = {
	[RCPT_WAITING] = "waiting",
	[RCPT_SENT] = "sent",
	[RCPT_REFUSED] = "refused",
	[RCPT_DELIVERED] = "delivered",
};

static int append_recipients(sd_bus_message *m, const struct job *job)
{
	int r = dict_open_list(m, "recipients");

	for (size_t i = 0; r >= 0 && i < job->n_recipients; i++) {
		const struct job_recipient *c = &job->recipients[i];

		r = dict_open(m);
		if (r >= 0)
			r = dict_put_string(m, "address", c->address);
		if (r >= 0)
			r = dict_put_string(m, "state", rcpt_states[c->state]);
		if (r >= 0)
			r = dict_put_string(m, "detail", c->detail);
		if (r >= 0)
			r = dict_put_string(m, "user", c->user);
		if (r >= 0)
			r = dict_put_string(m, "status", c->status);
		if (r >= 0)
			r = dict_put_string(m, "host", c->remote);
		if (r >= 0 && c->state == RCPT_WAITING)
			r = dict_put_number(m, "next-try", c->next_try);
		if (r >= 0)
			r = dict_close(m);
	}
	return r < 0 ? r : dict_close_list(m);
}

static int append_to(sd_bus_message *m, const struct job *job, size_t n)
{
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", "to");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = sd_bus_message_append(m, "s", job->recipients[i].address);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int job_append_fields(sd_bus_message *m, const struct job *job, bool whole)
{
	const struct {
		const char *key, *value;
	} texts[] = {
		{ "kind", job_kind_name(job->kind) },	{ "state", job_state_name(job->state) },
		{ "user", job->user },			{ "from", job->from },
		{ "subject", job->subject },		{ "message-id", job->message_id },
		{ "source", job->source },		{ "board", job->board },
		{ "encoding", job->encoding },		{ "detail", job->detail },
		{ "envelope-id", job->envid },
	};
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "id", job->id },		     { "pages", job->pages },
		{ "pages-done", job->pages_done },   { "page-in-hand", job->page_in_hand },
		{ "attempts", job->attempts },	     { "created", job->created },
		{ "changed", job->changed },	     { "next-try", job->next_try },
		{ "document-bytes", job->body_len }, { "n-recipients", job->n_recipients },
	};
	size_t n = job->n_recipients;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		r = dict_put_string(m, texts[i].key, texts[i].value);
	for (size_t i = 0; r >= 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		r = dict_put_number(m, numbers[i].key, numbers[i].value);
	if (r >= 0 && job->state == JOB_KEPT)
		r = dict_put_number(m, "kept-until", job->deadline);
	if (!whole && n > LISTED_RECIPIENTS)
		n = LISTED_RECIPIENTS;
	if (r >= 0)
		r = append_to(m, job, n);
	if (r >= 0 && whole)
		r = append_recipients(m, job);
	return r;
}

int job_append(sd_bus_message *m, const struct job *job, bool whole)
{
	int r = dict_open(m);

	if (r >= 0)
		r = job_append_fields(m, job, whole);
	return r < 0 ? r : dict_close(m);
}
