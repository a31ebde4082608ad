/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The queue on the bus: what waits, for which host and why. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "service/queue.h"

struct list_options {
	const char *host, *state;
	uint32_t limit;
};

static int list_option(sd_bus_message *m, const char *key, const char *type, void *userdata,
		       sd_bus_error *e)
{
	struct list_options *o = userdata;

	if (!strcmp(key, "host") && !strcmp(type, "s"))
		return sd_bus_message_read(m, "s", &o->host);
	if (!strcmp(key, "state") && !strcmp(type, "s"))
		return sd_bus_message_read(m, "s", &o->state);
	if (!strcmp(key, "limit") && !strcmp(type, "u"))
		return sd_bus_message_read(m, "u", &o->limit);
	return -EINVAL;
}

static int queue_state(const char *name, sd_bus_error *e)
{
	static const enum job_state known[] = { JOB_QUEUED, JOB_SENDING, JOB_HELD, JOB_SCANNING };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, job_state_name(known[i])))
			return known[i];
	return sd_bus_error_setf(e, SD_BUS_ERROR_INVALID_ARGS,
				 "no mail of the queue is ever \"%s\": queued, sending, held and "
				 "scanning are its states", name);
}

/* What is known of the first host that it waits for. */
static const char *trouble(struct box *box, const struct job *job, const char *host)
{
	char domain[ROUTE_DOMAIN + 1];

	if (host)
		return queue_trouble(box->queue, host);
	for (size_t i = 0; i < job->n_recipients; i++) {
		const struct job_recipient *r = &job->recipients[i];

		if (r->state != RCPT_WAITING || r->user)
			continue;
		store_domain_of(r, domain);
		return queue_trouble(box->queue, domain);
	}
	return NULL;
}

static int append(sd_bus_message *m, struct box *box, const struct job *job, const char *host)
{
	int r = dict_open(m);

	if (r >= 0)
		r = job_append_fields(m, job, false);
	if (r >= 0)
		r = dict_put_string(m, "trouble", trouble(box, job, host));
	return r < 0 ? r : dict_close(m);
}

static int reply_jobs(sd_bus_message *m, struct box *box, struct job **jobs, size_t n,
		      const char *host)
{
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append(reply, box, jobs[i], host);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

int queue_list_call(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct job_filter filter = { .kind = -1, .state = -1, .queued_kind = true,
				     .unfinished = true };
	char host[ROUTE_DOMAIN + 1];
	struct list_options o = { 0 };
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	r = dict_walk(m, list_option, &o, e);
	if (r >= 0 && o.state)
		r = filter.state = queue_state(o.state, e);
	if (r < 0)
		return r;
	filter.limit = o.limit;
	if (o.host) {
		store_lower_domain(o.host, host);
		filter.domain = host;
	}
	r = store_job_list(box->store, &filter, &jobs, &n);
	if (r < 0)
		return r;
	r = reply_jobs(m, box, jobs, n, filter.domain);
	job_list_free(jobs, n);
	return r;
}
