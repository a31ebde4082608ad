/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines to the hosts, and the copies of mails that go over them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "service/collector.h"
#include "service/queue_internal.h"
#include "service/tls_policy.h"
#include "service/turn.h"
#include "service/words.h"

/* A line is given back after so many, that other hosts have their turn. */
#define MESSAGES_MAX 200

/* A session that waits at its dot; its delivery may be over before the disk answers. */
struct in_hand {
	struct delivery *delivery;	/* NULL: over */
};

static bool is_of(const struct delivery *d, uint64_t id)
{
	return d && d->mail->job->id == id;
}

struct delivery *delivery_of(struct queue *q, const struct destination *to, uint64_t id)
{
	struct connection *c;

	LIST_FOREACH(c, &q->connections, of_queue) {
		if (to && c->to != to)
			continue;
		if (is_of(c->delivery, id))
			return c->delivery;
		if (is_of(c->next, id))
			return c->next;
	}
	return NULL;
}

static void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	if (d->note)
		d->note->delivery = NULL;
	if (d->over && d->over->delivery == d)
		d->over->delivery = NULL;
	if (d->mail) {
		d->mail->deliveries--;
		mail_put(d->mail);
	}
	free(d->env.rcpts);
	free(d->index);
	free(d);
}

void connection_free(struct connection *c)
{
	struct queue *q = c->to->queue;

	smtp_session_cancel(c->session);
	delivery_free(c->delivery);
	delivery_free(c->next);
	sd_event_source_disable_unref(c->idle);
	LIST_REMOVE(c, of_destination);
	LIST_REMOVE(c, of_queue);
	c->to->n_connections--;
	q->n_connections--;
	free(c);
}

/*
 * The note that a host has the mail in hand
 */

static void go_on(struct delivery *d, int r)
{
	d->dot_out = r >= 0;
	smtp_session_go_on(d->over->session, r);
}

static void on_noted(void *userdata, int r)
{
	struct in_hand *note = userdata;
	struct delivery *d = note->delivery;

	free(note);
	if (!d)
		return;
	d->note = NULL;
	go_on(d, r);
}

/*
 * On disk before: queued. After: these recipients are in a host's hand. If the box
 * stops from here on, it may or may not have the mail; the next start says so.
 * Written early and without hurry: of many lines' notes, most come to the disk while
 * their text is still on its way, with the one that the first of them waits for.
 */
static void note_in_hand(struct delivery *d)
{
	struct queue *q = d->mail->queue;
	struct job *job = d->mail->job;

	d->noted = true;
	for (size_t i = 0; i < d->env.n_rcpts; i++)
		job->recipients[d->index[i]].flags |= RCPT_IN_HAND;
	d->noted_with = job_say(&q->box->keeper, job, LOG_DEBUG, JOB_SENDING, NULL, NULL,
				"the mail server has the mail in hand");
	d->mark = store_mark(q->box->store);
	if (d->noted_with < 0)
		queue_pause(q);
}

/* 1: the disk has it; 0: on_noted() will be called. */
static int await_note(struct delivery *d)
{
	struct in_hand *note = malloc(sizeof(*note));
	int r;

	if (!note)
		return -ENOMEM;
	note->delivery = d;
	r = store_await(d->mail->queue->box->store, d->mark, on_noted, note);
	if (r)
		free(note);
	else
		d->note = note;
	return r;
}

static void choose_next(struct connection *c);

/* The next mail's note is written first: so one flush of the disk does for both. */
static void before_dot(void *userdata, struct smtp_session *session)
{
	struct connection *c = userdata;
	struct delivery *d = c->delivery;
	int r;

	if (!d->noted)
		note_in_hand(d);
	if (d->noted_with >= 0)
		choose_next(c);
	r = d->noted_with < 0 ? d->noted_with : await_note(d);
	if (r)
		go_on(d, r);
}

/*
 * What became of it
 */

/* Where the host fetches it, again when it comes the next time, and not before. */
static void put_off(const struct destination *to, struct job_recipient *r)
{
	uint64_t now = words_now();

	r->tries++;
	if (to->turns)
		r->next_try = now > to->turned ? now : to->turned + 1;
	else
		r->next_try = now + queue_wait(&to->queue->box->conf, r->tries);
}

static void take_verdict(const struct destination *to, struct job_recipient *r,
			 const struct smtp_session_outcome *out,
			 const struct smtp_session_verdict *v)
{
	switch (v->result) {
	case SMTP_RESULT_ACCEPTED:
		r->state = RCPT_SENT;
		r->flags |= out->dsn ? 0 : RCPT_RELAYED;
		break;
	case SMTP_RESULT_REFUSED:
		r->state = RCPT_REFUSED;
		break;
	default:
		put_off(to, r);
	}
	words_set(&r->detail, "%s", v->text ? v->text : "");
	words_set(&r->status, "%s", v->enhanced[0] ? v->enhanced :
				    v->result == SMTP_RESULT_ACCEPTED ? "2.0.0" :
				    v->result == SMTP_RESULT_REFUSED ? "5.0.0" : "4.0.0");
	if (job_set(&r->remote, out->host) < 0)
		free(take_ptr(r->remote));
}

static void take_verdicts(struct delivery *d, const struct smtp_session_outcome *out)
{
	struct job *job = d->mail->job;

	for (size_t i = 0; i < d->env.n_rcpts; i++) {
		struct job_recipient *r = &job->recipients[d->index[i]];

		r->flags &= ~(uint32_t)RCPT_IN_HAND;
		if (out->blame != SMTP_BLAME_LINE && i < out->n_rcpts)
			take_verdict(d->over->to, r, out, &out->rcpts[i]);
	}
}

/* A host that is not reached costs one try, not one for each of its mails. */
static void judge_host(struct destination *to, const struct smtp_session_outcome *out)
{
	const struct conf *conf = &to->queue->box->conf;

	if (out->blame == SMTP_BLAME_LINE)
		return;
	to->reached = out->blame == SMTP_BLAME_MESSAGE;
	to->barred = out->blame == SMTP_BLAME_LOGIN;
	if (to->reached) {
		to->failures = 0;
		to->not_before = 0;
		free(take_ptr(to->trouble));
		return;
	}
	words_set(&to->trouble, "%s", out->text ? out->text : "it cannot be reached");
	/* Several lines that fail at the same time are one failure. */
	if (to->not_before > queue_monotonic(to->queue))
		return;
	to->failures++;
	to->not_before = queue_monotonic(to->queue) + queue_wait(conf, to->failures);
}

/* Until a host was reached, one line finds out whether it can be. */
static bool has_all_lines(const struct destination *to)
{
	uint32_t most = to->reached ? to->queue->box->conf.connections_per_host : 1;

	return to->n_connections >= most;
}

static void settle(struct mail *m, const struct smtp_session_outcome *out)
{
	const char *text = out->text ? out->text : smtp_result_name(out->result);
	_free_ char *sentence = NULL;

	if (out->blame == SMTP_BLAME_LOGIN) {
		words_set(&sentence, "%s; correct SmarthostUser= or the password, restart ifaxd, "
			  "then \"ifaxctl queue release %llu\"", text,
			  (unsigned long long)m->job->id);
		mail_hold(m, sentence ? sentence : text);
		return;
	}
	if (out->result == SMTP_RESULT_IN_DOUBT)
		words_set(&sentence, "the line was lost after the mail was sent, so the server may "
			  "have it (%s)", text);
	mail_settle(m, sentence ? sentence : text);
}

static bool is_taken(const struct smtp_session_outcome *out)
{
	for (size_t i = 0; i < out->n_rcpts; i++)
		if (out->rcpts[i].result == SMTP_RESULT_ACCEPTED)
			return true;
	return false;
}

/*
 * Right after the mail was taken that he sent here, his mailbox is looked into, where he
 * wants it so. What comes of that is told in the collection's own job.
 */
static void collect_for_sender(struct box *box, const struct job *job)
{
	struct user *u = NULL;
	struct error e = { 0 };
	uint64_t id;

	if (job->kind != JOB_SEND || !job->user || !box->collector ||
	    store_user_get(box->store, job->user, false, &u) < 0)
		return;
	if (u->collect_after_send && u->pop3_host &&
	    collector_collect(box->collector, u->code, &id, &e) < 0)
		log_full(LOG_WARNING, job->id, u->code, "Job %llu was sent, but the mailbox of "
			 "user %s is not collected after it: %s", (unsigned long long)job->id,
			 u->code, error_text(&e));
	user_free(u);
}

/* Writes into the job what became of @d, which ends here. */
static void settle_delivery(struct connection *c, struct delivery *d,
			    const struct smtp_session_outcome *out)
{
	struct mail *m = d->mail;

	m->refs++;
	judge_host(c->to, out);
	take_verdicts(d, out);
	if (out->blame == SMTP_BLAME_LINE)
		m->job->attempts--;
	delivery_free(d);
	settle(m, out);
	if (is_taken(out))
		collect_for_sender(m->queue->box, m->job);
	mail_put(m);
}

static void on_done(void *userdata, const struct smtp_session_outcome *out)
{
	struct connection *c = userdata;
	struct destination *to = c->to;
	struct delivery *d = c->delivery;

	/* It may be one of those that offer PIPELINING and take it ill. */
	if (d->followed && out->blame == SMTP_BLAME_LINE)
		to->one_by_one |= !c->follows;
	else if (d->followed)
		c->follows = true;
	c->delivery = take_ptr(c->next);
	settle_delivery(c, d, out);
	if (!c->delivery)
		return;
	if (c->delivery->withdrawn)
		connection_free(c);
	/* It was reached: there may be more lines now. */
	if (!has_all_lines(to))
		destination_wake(to);
}

/* A mail that follows another can only go when that has its answer. */
void connection_withdraw(struct connection *c, uint64_t id)
{
	static const struct smtp_session_outcome not_begun = {
		.result = SMTP_RESULT_TRANSIENT, .blame = SMTP_BLAME_LINE,
		.text = "its line was needed no more",
	};
	struct destination *to = c->to;

	if (is_of(c->next, id))
		c->next->withdrawn = true;
	if (!is_of(c->delivery, id))
		return;
	if (c->next && !c->next->withdrawn)
		settle_delivery(c, take_ptr(c->next), &not_begun);
	connection_free(c);
	destination_wake(to);
}

/*
 * Giving a line its next mail
 */

static bool is_for(const struct destination *to, const struct job_recipient *r, uint64_t now)
{
	char domain[ROUTE_DOMAIN + 1];

	if (r->state != RCPT_WAITING || r->user || (r->flags & RCPT_IN_HAND) ||
	    !queue_is_due(to->queue, r->next_try, now))
		return false;
	store_domain_of(r, domain);
	if (!to->name)
		return !turn_allows(&to->queue->box->conf, NULL, domain);
	return !strcmp(domain, to->name);
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text & 0x80)
			return false;
	return true;
}

static int fill_envelope(struct delivery *d, const struct destination *to)
{
	struct job *job = d->mail->job;
	uint64_t now = words_now();

	d->index = calloc(job->n_recipients + 1, sizeof(*d->index));
	d->env.rcpts = calloc(job->n_recipients + 1, sizeof(*d->env.rcpts));
	if (!d->index || !d->env.rcpts)
		return -ENOMEM;
	d->env.from = job->from ? job->from : (char *)"";
	d->env.envid = job->envid;
	d->env.ret = job->ret;
	d->env.eight_bit = job->eight_bit;
	d->env.utf8 = job->utf8;
	for (size_t i = 0; i < job->n_recipients; i++) {
		const struct job_recipient *r = &job->recipients[i];

		if (!is_for(to, r, now))
			continue;
		d->index[d->env.n_rcpts] = i;
		d->env.rcpts[d->env.n_rcpts++] = (struct envelope_rcpt){
			.address = r->address, .orcpt = r->orcpt, .notify = r->notify,
		};
		/* A notice to such an address needs what the mail needed that it is about. */
		d->env.utf8 |= !is_ascii(r->address);
	}
	return d->env.n_rcpts ? 0 : -ESTALE;
}

/* Trying again does not bring a document back. */
static void no_document(struct mail *m, const char *why)
{
	for (size_t i = 0; i < m->job->n_recipients; i++) {
		struct job_recipient *r = &m->job->recipients[i];

		if (r->state != RCPT_WAITING)
			continue;
		r->state = RCPT_REFUSED;
		words_set(&r->status, "5.3.0");
		words_set(&r->detail, "%s", why);
	}
	mail_settle(m, why);
}

static int open_body(struct mail *m)
{
	struct error e = { 0 };
	int r;

	if (m->body.fd >= 0)
		return 0;
	r = store_job_extent(m->queue->box->store, m->job->id, &m->body, &e);
	if (r == -ENOENT || r == -EBADMSG)
		no_document(m, error_text(&e));
	return r;
}

static int delivery_new(struct delivery **ret, struct destination *to, uint64_t id)
{
	struct delivery *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = mail_get(to->queue, id, &d->mail);
	if (r < 0) {
		free(d);
		return r;
	}
	d->mail->deliveries++;
	r = fill_envelope(d, to);
	if (!r) {
		d->mail->deliveries--;		/* not before it has its document */
		r = open_body(d->mail);
		d->mail->deliveries++;
	}
	if (r < 0) {
		delivery_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

static void hand_over(struct connection *c, struct delivery *d)
{
	d->over = c;
	c->messages++;
	d->mail->job->attempts++;
}

/* What was to go over it could not even be begun: told as if the line had ended. */
static void give_up_line(struct connection *c, enum smtp_blame blame, const struct error *e)
{
	const struct smtp_session_outcome out = {
		.result = SMTP_RESULT_CANNOT_CONNECT,
		.blame = blame,
		.text = error_text(e),
	};
	struct delivery *d = c->delivery;

	for (size_t i = 0; blame != SMTP_BLAME_LINE && i < d->env.n_rcpts; i++)
		put_off(c->to, &d->mail->job->recipients[d->index[i]]);
	on_done(c, &out);
	connection_free(c);
}

/*
 * Sends over an idle line. Its transaction begins at once: so does the note. -EPIPE:
 * the line is gone, and @c with it.
 */
static int go_over(struct connection *c, uint64_t id)
{
	struct delivery *d = NULL;
	struct error e = { 0 };
	int r = delivery_new(&d, c->to, id);

	if (r < 0)
		return r;
	sd_event_source_set_enabled(c->idle, SD_EVENT_OFF);
	c->delivery = d;
	hand_over(c, d);
	note_in_hand(d);
	if (smtp_session_next(c->session, &d->env, &d->mail->body, &e) >= 0)
		return 0;
	give_up_line(c, SMTP_BLAME_LINE, &e);
	return -EPIPE;
}

/* Sends behind the mail that is at its dot. */
static int follow(struct connection *c, uint64_t id)
{
	struct delivery *d = NULL;
	struct error e = { 0 };
	int r = delivery_new(&d, c->to, id);

	if (!r)
		r = smtp_session_follow(c->session, &d->env, &d->mail->body, &e);
	if (r < 0) {
		delivery_free(d);
		return r;
	}
	c->next = d;
	d->followed = true;
	hand_over(c, d);
	note_in_hand(d);
	return 0;
}

static void quit(struct connection *c)
{
	struct queue *q = c->to->queue;

	smtp_session_quit(take_ptr(c->session));
	connection_free(c);
	queue_kick(q);
}

static int on_idle(sd_event_source *s, uint64_t usec, void *userdata)
{
	quit(userdata);
	return 0;
}

/*
 * Finds the next mail for the line and gives it to @go. 0: it has one; -ENOENT: nothing
 * is due; -EPIPE: as above. What cannot be sent has said so and is not due any more.
 */
static int take_next(struct connection *c, int (*go)(struct connection *c, uint64_t id))
{
	struct queue *q = c->to->queue;
	uint64_t id, when;

	while ((c->turned || c->messages < MESSAGES_MAX) && queue_monotonic(q) >= q->not_before &&
	       queue_next(c->to, &id, &when) > 0) {
		int r = go(c, id);

		if (r >= 0 || r == -EPIPE)
			return r;
		if (r != -ENOENT && r != -EBADMSG)
			queue_pause(q);
	}
	return -ENOENT;
}

static void choose_next(struct connection *c)
{
	if (!c->to->one_by_one && smtp_session_may_follow(c->session))
		take_next(c, follow);
}

static void on_ready(void *userdata, struct smtp_session *session)
{
	struct connection *c = userdata;
	struct destination *to = c->to;
	uint64_t keep = to->queue->box->conf.idle_usec;
	int r = take_next(c, go_over);

	/* More may be due than its lines carry; or the next look has another time now. */
	if (r || !has_all_lines(to))
		destination_wake(to);
	if (r != -ENOENT)
		return;
	if (!keep || c->turned || c->messages >= MESSAGES_MAX) {
		quit(c);
		return;
	}
	sd_event_source_set_time_relative(c->idle, keep);
	sd_event_source_set_enabled(c->idle, SD_EVENT_ONESHOT);
}

static void on_closed(void *userdata)
{
	struct connection *c = userdata;
	struct destination *to = c->to;

	c->session = NULL;
	connection_free(c);
	destination_wake(to);
}

static struct connection *idle_one(struct destination *to)
{
	struct connection *c;

	LIST_FOREACH(c, &to->connections, of_destination)
		if (!c->delivery)
			return c;
	return NULL;
}

bool connection_room(struct queue *q)
{
	struct connection *c, *spare = NULL;

	if (q->n_connections < q->box->conf.connections)
		return true;
	/* New lines stand first: the last one found is the oldest. */
	LIST_FOREACH(c, &q->connections, of_queue)
		if (!c->delivery && !c->turned)
			spare = c;
	if (spare)
		quit(spare);
	return spare;
}

static bool may_open(struct destination *to)
{
	return !has_all_lines(to) && connection_room(to->queue);
}

static int connection_new(struct connection **ret, struct destination *to)
{
	struct connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = sd_event_add_time(to->queue->box->event, &c->idle, CLOCK_MONOTONIC, 0, 100000, on_idle,
			      c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->idle, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(c->idle);
		free(c);
		return r;
	}
	c->to = to;
	LIST_INSERT_HEAD(&to->connections, c, of_destination);
	LIST_INSERT_HEAD(&to->queue->connections, c, of_queue);
	to->n_connections++;
	to->queue->n_connections++;
	*ret = c;
	return 0;
}

static const struct smtp_session_callbacks callbacks = {
	.before_dot = before_dot,
	.done = on_done,
	.ready = on_ready,
	.closed = on_closed,
};

/* The smarthost's is its own; where there is none it is the default of all others. */
static enum net_tls tls_of(const struct destination *to)
{
	const struct queue *q = to->queue;

	return to->name ? tls_policy_of(q->box->conf.tls_policy, to->name, q->tls) : q->tls;
}

static int open_line(struct connection *c, struct delivery *d, struct error *e)
{
	struct queue *q = c->to->queue;
	const struct conf *conf = &q->box->conf;
	struct smtp_session_options o = {
		.host = c->to->name ? c->to->name : q->host,
		.port = q->port,
		.mx = c->to->name,
		.tls = tls_of(c->to),
		.dns = q->dns,
		.helo = conf->hostname,
		.user = c->to->name ? NULL : q->user,
		.password = c->to->name ? NULL : q->password,
		.timeout_usec = conf->timeout_usec,
	};

	return smtp_session_send(&c->session, q->box->event, &o, &d->env, &d->mail->body,
				 &callbacks, c, e);
}

int connection_deliver(struct destination *to, uint64_t id)
{
	struct connection *c = idle_one(to);
	struct delivery *d = NULL;
	struct error e = { 0 };
	int r;

	if (c) {
		r = go_over(c, id);
		return r == -ENOENT || r == -EBADMSG || r == -EPIPE ? 0 : r;
	}
	if (!may_open(to))
		return -EBUSY;
	r = delivery_new(&d, to, id);
	if (r < 0)
		return r == -ENOENT || r == -EBADMSG ? 0 : r;
	r = connection_new(&c, to);
	if (r < 0) {
		delivery_free(d);
		return r;
	}
	c->delivery = d;
	hand_over(c, d);
	if (open_line(c, d, &e) < 0)
		give_up_line(c, SMTP_BLAME_HOST, &e);
	return 0;
}

int connection_turn(struct destination *to, struct net_stream *stream, struct error *e)
{
	const struct conf *conf = &to->queue->box->conf;
	const struct smtp_session_options o = {
		.host = to->name,
		.helo = conf->hostname,
		.timeout_usec = conf->timeout_usec,
	};
	struct connection *c = NULL;
	int r = connection_new(&c, to);

	if (r < 0)
		return error_set(e, r, "out of memory");
	c->turned = true;
	r = smtp_session_adopt(&c->session, to->queue->box->event, &o, stream, &callbacks, c, e);
	if (r < 0)
		connection_free(c);
	return r;
}
