/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is due, and where. The store's index knows all that waits, by destination
 * and time; here is one entry for each destination, with the time at which to look
 * there again, and the few mails that are on their way. So the cost of a mail does
 * not depend on how many wait, nor the memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/queue_internal.h"
#include "service/turn.h"
#include "service/words.h"

/* Each destination is looked at this often at least: the clock may have been set meanwhile. */
#define LOOK_USEC (600 * 1000000ull)
/* Mails of the box's own users, or deadlines, in one turn of the event loop. */
#define TURN_MAX 16

uint64_t queue_monotonic(const struct queue *q)
{
	uint64_t now = 0;

	sd_event_now(q->box->event, CLOCK_MONOTONIC, &now);
	return now;
}

uint64_t queue_wait(const struct conf *conf, uint32_t tries)
{
	uint64_t wait = conf->retry_usec;

	for (uint32_t i = 1; i < tries && wait < conf->retry_max_usec; i++)
		wait *= 2;
	return wait < conf->retry_max_usec ? wait : conf->retry_max_usec;
}

/* A wait longer than any given here means that the clock was set back. */
bool queue_is_due(const struct queue *q, uint64_t when, uint64_t now)
{
	if (when >= ROUTE_NEVER)
		return false;
	return when <= now || when - now > q->box->conf.retry_max_usec;
}

void queue_kick(struct queue *q)
{
	sd_event_source_set_enabled(q->kick, SD_EVENT_ONESHOT);
}

void queue_pause(struct queue *q)
{
	q->not_before = queue_monotonic(q) + q->box->conf.retry_usec;
}

struct box *queue_box(struct queue *q)
{
	return q->box;
}

/*
 * Mails in hand
 */

static struct mail *mail_find(struct queue *q, uint64_t id)
{
	struct mail *m = q->mails;

	while (m && m->job->id != id)
		m = m->next;
	return m;
}

int mail_get(struct queue *q, uint64_t id, struct mail **ret)
{
	struct mail *m = mail_find(q, id);
	int r;

	if (!m) {
		m = calloc(1, sizeof(*m));
		if (!m)
			return -ENOMEM;
		r = store_job_get(q->box->store, id, &m->job);
		if (r < 0) {
			free(m);
			return r;
		}
		m->queue = q;
		m->body.fd = -1;
		m->next = q->mails;
		q->mails = m;
	}
	m->refs++;
	*ret = m;
	return 0;
}

void mail_put(struct mail *m)
{
	struct mail **at = &m->queue->mails;

	if (--m->refs)
		return;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	cleanup_close(&m->body.fd);
	job_free(m->job);
	free(m);
}

int mail_map(struct mail *m, void **ret, size_t *len, struct error *e)
{
	_close_ int fd = -1;
	struct stat st;
	int r = store_job_body(m->queue->box->store, m->job->id, &fd, e);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_set(e, -errno, "the document cannot be read: %s", strerror(errno));
	if (!st.st_size)
		return error_set(e, -ENOENT, "the document is empty");
	*len = (size_t)st.st_size;
	*ret = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, fd, 0);
	return *ret == MAP_FAILED ? error_set(e, -errno, "the document cannot be mapped: %s",
					      strerror(errno)) : 0;
}

/*
 * Destinations
 */

static int by_name(const void *a, const void *b)
{
	const struct destination *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct destination *destination_find(struct queue *q, const char *name)
{
	const struct destination key = { .name = (char *)(uintptr_t)name };
	void *node = tfind(&key, &q->destinations, by_name);

	return node ? *(struct destination **)node : NULL;
}

static struct destination *destination_make(struct queue *q, const char *name)
{
	struct destination *to = calloc(1, sizeof(*to));

	if (!to)
		return NULL;
	to->queue = q;
	to->name = name ? strdup(name) : NULL;
	if (name && (!to->name || !tsearch(to, &q->destinations, by_name))) {
		free(to->name);
		free(to);
		return NULL;
	}
	return to;
}

static void destination_free(struct destination *to)
{
	struct connection *c, *next;

	if (!to)
		return;
	for (c = LIST_FIRST(&to->connections); c; c = next) {
		next = LIST_NEXT(c, of_destination);
		connection_free(c);
	}
	due_remove(&to->queue->due, &to->due);
	if (to->name)
		tdelete(to, &to->queue->destinations, by_name);
	free(to->name);
	free(to->trouble);
	free(to);
}

/* The box itself is "" also where all else goes to the smarthost. */
static struct destination *destination_get(struct queue *q, const char *domain)
{
	bool turns = *domain && turn_allows(&q->box->conf, NULL, domain);
	struct destination *to;

	if (*domain && q->smarthost && !turns)
		return q->smarthost;
	to = destination_find(q, domain);
	if (to)
		return to;
	to = destination_make(q, domain);
	if (to)
		to->turns = turns;
	return to;
}

/* To be looked at in @wait, but not before its host is to be tried again. */
static void schedule(struct destination *to, uint64_t wait)
{
	struct queue *q = to->queue;
	uint64_t when = queue_monotonic(q) + (wait < LOOK_USEC ? wait : LOOK_USEC);

	if (to->turns)		/* its time is when its host comes */
		return;
	if (when < to->not_before)
		when = to->not_before;
	if (due_set(&q->due, &to->due, when) < 0)
		log_error("out of memory; mail to %s waits", to->name ? to->name : q->host);
}

void destination_wake(struct destination *to)
{
	schedule(to, 0);
	queue_kick(to->queue);
}

/* On its way there already, or nothing that a smarthost gets. */
static bool passed_by(void *userdata, const struct store_route *r)
{
	struct destination *to = userdata;
	struct queue *q = to->queue;

	return delivery_of(q, to, r->id) ||
	       (!to->name && turn_allows(&q->box->conf, NULL, r->domain));
}

int queue_next(struct destination *to, uint64_t *id, uint64_t *when)
{
	struct queue *q = to->queue;
	struct store_route r = { 0 };
	uint64_t now = to->turns ? to->turned : words_now();
	int err = store_route_next(q->box->store, to->name, passed_by, to, &r);

	if (err == -ENOENT) {
		*when = UINT64_MAX;
		return 0;
	}
	*id = r.id;
	*when = r.when;
	return err < 0 ? err : queue_is_due(q, r.when, now);
}

/* Nothing goes there any more: what is known of its host is forgotten. */
static bool is_done_with(const struct destination *to, uint64_t when)
{
	return when == UINT64_MAX && to != to->queue->smarthost && !to->n_connections;
}

static int serve_one(struct destination *to, uint64_t id)
{
	struct mail *m;
	int r;

	if (!to->name || *to->name)
		return connection_deliver(to, id);
	r = mail_get(to->queue, id, &m);
	if (r < 0)
		return r;
	local_deliver(m);
	mail_put(m);
	return 0;
}

/* Gives it what is due, as far as there are lines. */
static void serve(struct destination *to)
{
	struct queue *q = to->queue;
	uint64_t now = queue_monotonic(q), id, when = UINT64_MAX, real;
	int r = 0;

	if (to->barred)
		return;
	for (int i = 0; i < TURN_MAX && now >= to->not_before && now >= q->not_before; i++) {
		r = queue_next(to, &id, &when);
		if (r <= 0)
			break;
		when = 0;
		r = serve_one(to, id);
		if (r == -EBUSY)	/* its own lines, or the next that is closed, go on */
			return;
		if (r < 0)
			break;
	}
	if (r < 0) {
		log_error("cannot read the queue: %s", strerror(-r));
		queue_pause(q);
	}
	if (is_done_with(to, when)) {
		destination_free(to);
		return;
	}
	real = words_now();
	schedule(to, when > real ? when - real : 0);
}

/*
 * Times
 */

/* The last thing that was heard of one who waits. */
static const char *last_word(const struct job *job)
{
	for (size_t i = 0; i < job->n_recipients; i++)
		if (job->recipients[i].state == RCPT_WAITING && job->recipients[i].detail)
			return job->recipients[i].detail;
	return "it was not tried yet";
}

/* Mails that are late or too old, whatever their hosts do. */
static uint64_t look_at_deadlines(struct queue *q)
{
	uint64_t id, deadline, now = words_now();
	struct mail *m;

	for (int i = 0; i < TURN_MAX && queue_monotonic(q) >= q->not_before; i++) {
		if (store_deadline_next(q->box->store, &id, &deadline) < 0)
			return LOOK_USEC;
		if (deadline > now)
			return deadline - now;
		if (mail_get(q, id, &m) < 0)
			return LOOK_USEC;
		mail_settle(m, last_word(m->job));
		mail_put(m);
	}
	return 0;
}

static void arm(struct queue *q, uint64_t wait, bool full)
{
	uint64_t now = queue_monotonic(q), when = now + (wait < LOOK_USEC ? wait : LOOK_USEC);
	struct due *first = due_first(&q->due);

	/* Where all lines are taken, the next that is closed kicks. */
	if (first && !full && first->when < when)
		when = first->when;
	sd_event_source_set_time(q->timer, when > q->not_before ? when : q->not_before);
	sd_event_source_set_enabled(q->timer, SD_EVENT_ONESHOT);
}

static struct destination *of_due(struct due *d)
{
	return (struct destination *)((char *)d - offsetof(struct destination, due));
}

static void run(struct queue *q)
{
	uint64_t now = queue_monotonic(q), wait = look_at_deadlines(q);
	bool full = false;
	struct due *first;

	for (int i = 0; i < TURN_MAX && now >= q->not_before; i++) {
		struct destination *to;

		first = due_first(&q->due);
		if (!first || first->when > now)
			break;
		to = of_due(first);
		full = (!to->name || *to->name) && !to->n_connections && !connection_room(q);
		if (full)
			break;
		due_remove(&q->due, &to->due);
		serve(to);
	}
	arm(q, wait, full);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	run(userdata);
	return 0;
}

static int on_kick(sd_event_source *s, void *userdata)
{
	run(userdata);
	return 0;
}

/*
 * From outside
 */

static void wake_domain(struct queue *q, const char *domain)
{
	struct destination *to = destination_get(q, domain);

	if (to)
		destination_wake(to);
	else
		log_error("out of memory; mail to %s waits", domain);
}

static int wake_all(struct queue *q)
{
	struct store_route route = { 0 };
	int r = store_route_domain(q->box->store, true, &route);

	for (; !r; r = store_route_domain(q->box->store, false, &route)) {
		wake_domain(q, route.domain);
		if (q->smarthost && destination_get(q, route.domain) == q->smarthost)
			return 0;
	}
	return r == -ENOENT ? 0 : r;
}

static void each_destination(struct queue *q, const struct job *job,
			     void (*fn)(struct queue *q, const char *domain))
{
	char domain[ROUTE_DOMAIN + 1];

	for (size_t i = 0; i < job->n_recipients; i++) {
		if (job->recipients[i].state != RCPT_WAITING)
			continue;
		store_domain_of(&job->recipients[i], domain);
		fn(q, domain);
	}
}

void queue_wake(struct queue *q, uint64_t id)
{
	struct job *job = NULL;

	if (!id || store_job_get(q->box->store, id, &job) < 0) {
		wake_all(q);
		return;
	}
	each_destination(q, job, wake_domain);
	job_free(job);
	queue_kick(q);
}

void queue_on_arrival(void *userdata, int r)
{
	struct queue_arrival *a = userdata;

	/* A failed commit is told by the store itself, which takes no more then. */
	if (r >= 0 && a->box->queue)
		queue_wake(a->box->queue, a->id);
	free(a);
}

static void lift(struct queue *q, const char *domain)
{
	struct destination *to = destination_get(q, domain);

	if (!to)
		return;
	to->barred = false;
	to->failures = 0;
	to->not_before = 0;
}

void queue_lift(struct queue *q, const struct job *job)
{
	each_destination(q, job, lift);
}

const char *queue_trouble(struct queue *q, const char *domain)
{
	struct destination *to;

	if (turn_allows(&q->box->conf, NULL, domain))
		return "its host fetches it by TURN";
	to = *domain && q->smarthost ? q->smarthost : destination_find(q, domain);
	return to && (to->barred || to->failures) ? to->trouble : NULL;
}

bool queue_has_line(struct queue *q)
{
	return connection_room(q);
}

int queue_turn(struct queue *q, const char *domain, struct net_stream *stream, struct error *e)
{
	char name[ROUTE_DOMAIN + 1];
	struct destination *to;

	store_lower_domain(domain, name);
	to = destination_get(q, name);
	if (!to || !to->turns)
		return error_set(e, to ? -EINVAL : -ENOMEM, "no mail for %s can be fetched here",
				 domain);
	to->turned = words_now();
	return connection_turn(to, stream, e);
}

void queue_set_net(struct queue *q, const char *dns, uint16_t port)
{
	free(q->dns);
	q->dns = dns ? strdup(dns) : NULL;
	q->port = port;
}

/*
 * Beginning and end
 */

static int recover_one(struct queue *q, struct job *job)
{
	for (size_t i = 0; i < job->n_recipients; i++)
		if (job->recipients[i].flags & RCPT_IN_HAND)
			job->recipients[i].next_try = 0;
	job_not_in_hand(job);
	job->next_try = 0;
	return job_say(&q->box->keeper, job, LOG_WARNING, JOB_QUEUED, NULL, NULL,
		       "the box stopped while the mail server took this mail, so it may have it; "
		       "it is sent again under the same Message-ID");
}

/* What the last run left in a server's hand may have been taken: it goes again, and says so. */
static int recover(struct queue *q, struct error *e)
{
	struct job_filter f = { .kind = -1, .queued_kind = true, .unfinished = true,
				.state = JOB_SENDING, .limit = UINT32_MAX };
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	r = store_job_list(q->box->store, &f, &jobs, &n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = recover_one(q, jobs[i]);
	job_list_free(jobs, n);
	if (r >= 0)
		r = wake_all(q);
	return r < 0 ? error_set(e, r, "cannot take over what was being sent: %s", strerror(-r))
		     : 0;
}

/* "host", "host:port", "[v6]", "[v6]:port"; a bare v6 address has more colons than one. */
static int parse_smarthost(struct queue *q, const char *text, struct error *e)
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
	q->host = port ? strndup(text, colon - text) : strdup(text);
	q->port = port;
	q->smarthost = destination_make(q, NULL);
	return q->host && q->smarthost ? 0 : error_set(e, -ENOMEM, "out of memory");
}

/* The password comes as a systemd credential: the text of its file, without its line end. */
static int load_password(struct queue *q, struct error *e)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char path[4096], text[1024] = "";
	_fclose_ FILE *f = NULL;

	if (snprintf(path, sizeof(path), "%s/smarthost.password", folder ? folder : "") >=
	    (int)sizeof(path))
		return error_set(e, -ENAMETOOLONG, "the credentials' folder has too long a name");
	f = folder ? fopen(path, "re") : NULL;
	if (!f || !fgets(text, sizeof(text), f))
		return error_set(e, -ENOENT, "SmarthostUser= is set, but there is no credential "
				 "smarthost.password: see ifax.conf(5)");
	text[strcspn(text, "\r\n")] = '\0';
	q->password = strdup(text);
	explicit_bzero(text, sizeof(text));
	return q->password ? 0 : error_set(e, -ENOMEM, "out of memory");
}

static int set_up_smarthost(struct queue *q, struct error *e)
{
	const struct conf *conf = &q->box->conf;
	int r = net_tls_from_name(conf->smarthost_tls);

	if (r < 0)
		return error_set(e, r, "SmarthostTLS=%s is none of none, opportunistic, required, "
				 "tls", conf->smarthost_tls);
	q->tls = (enum net_tls)r;
	if (!conf->smarthost)
		return 0;
	r = parse_smarthost(q, conf->smarthost, e);
	if (r < 0 || !conf->smarthost_user)
		return r;
	q->user = strdup(conf->smarthost_user);
	return q->user ? load_password(q, e) : error_set(e, -ENOMEM, "out of memory");
}

static int set_up_events(struct queue *q, struct error *e)
{
	int r;

	r = sd_event_add_time(q->box->event, &q->timer, CLOCK_MONOTONIC, 0, 10000, on_timer, q);
	if (r >= 0)
		r = sd_event_add_defer(q->box->event, &q->kick, on_kick, q);
	if (r < 0)
		return error_set(e, r, "cannot set a timer: %s", strerror(-r));
	sd_event_source_set_enabled(q->kick, SD_EVENT_ONESHOT);
	return 0;
}

int queue_new(struct queue **ret, struct box *box, struct error *e)
{
	struct queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return error_set(e, -ENOMEM, "out of memory");
	q->box = box;
	r = set_up_smarthost(q, e);
	if (r >= 0)
		r = set_up_events(q, e);
	if (r >= 0)
		r = recover(q, e);
	if (r < 0) {
		queue_free(q);
		return r;
	}
	*ret = q;
	return 0;
}

static void free_node(void *node)
{
	struct destination *to = node;

	free(to->name);
	free(to->trouble);
	free(to);
}

void queue_free(struct queue *q)
{
	struct connection *c;

	if (!q)
		return;
	while ((c = LIST_FIRST(&q->connections)))
		connection_free(c);
	tdestroy(q->destinations, free_node);
	if (q->smarthost)
		free_node(q->smarthost);
	due_queue_free(&q->due);
	sd_event_source_disable_unref(q->timer);
	sd_event_source_disable_unref(q->kick);
	if (q->password)
		explicit_bzero(q->password, strlen(q->password));
	free(q->password);
	free(q->user);
	free(q->host);
	free(q->dns);
	free(q);
}
