/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "net/pop3_session.h"
#include "service/collector.h"
#include "service/inbound.h"
#include "service/words.h"
#include "store/store.h"

/* Connections at a time, to all servers together. */
#define COLLECTIONS_MAX 8

/* A user's mailbox as the round knows it. */
struct mailbox {
	char *code;
	uint64_t due;			/* 0 = only by request */
	struct mailbox *next;
	struct collection *running;
	uint64_t trouble;		/* job that says what is wrong with it, 0 = all well */
};

/* One connection. */
struct collection {
	struct collector *collector;
	struct mailbox *mailbox;
	struct user *user;
	struct job *job;		/* NULL: an automatic one without trouble so far */
	bool requested;			/* by somebody, who looks at the job */
	struct pop3_session *session;
	char **uidls;			/* of the listing, in its order */
	size_t n_uidls;
	size_t stored;			/* mails that are durable here by this collection */
	size_t left;			/* mails that could not be fetched or stored */
	struct error trouble;		/* the first reason for that */
	struct arrival *arrivals;	/* mails on their way into the journal */
};

/* One mail on its way into the journal. */
struct arrival {
	struct collection *collection;	/* NULL: its connection ended meanwhile */
	struct arrival *next;
	size_t index;
};

struct collector {
	struct box *box;
	sd_event_source *timer;
	struct mailbox *mailboxes;
	size_t running;
};

static void plan(struct collector *c);

static char *source_key(const char *code, const char *uidl)
{
	char *key = NULL;

	return asprintf(&key, "pop3/%s/%s", code, uidl) < 0 ? NULL : key;
}

static void collection_free(struct collection *k)
{
	for (struct arrival *a = k->arrivals; a; a = a->next)
		a->collection = NULL;
	pop3_session_cancel(k->session);
	for (size_t i = 0; i < k->n_uidls; i++)
		free(k->uidls[i]);
	free(k->uidls);
	user_free(k->user);
	job_free(k->job);
	k->mailbox->running = NULL;
	k->collector->running--;
	free(k);
}

static void save_job(struct collection *k, int priority, enum job_state state, const char *text)
{
	struct box *box = k->collector->box;

	if (k->job->id) {
		job_say(&box->keeper, k->job, priority, state, NULL, NULL, text);
		return;
	}
	k->job->state = state;
	if (job_set(&k->job->detail, text) >= 0)
		store_job_create(box->store, k->job, NULL, 0, NULL, NULL, NULL);
	log_full(priority, k->job->id, k->user->code, "%s", text);
}

static struct job *collect_job(const struct user *u)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->kind = JOB_COLLECT;
	job->state = JOB_COLLECTING;
	if (job_set(&job->user, u->code) < 0 || job_set(&job->from, u->pop3_host) < 0) {
		job_free(job);
		return NULL;
	}
	return job;
}

/*
 * Trouble in an automatic round makes one job, which waits; later rounds keep it
 * up to date, and the first one that works again ends it.
 */
static int attach_trouble(struct collection *k)
{
	if (k->job)
		return 0;
	if (!k->mailbox->trouble ||
	    store_job_get(k->collector->box->store, k->mailbox->trouble, &k->job) < 0)
		k->job = collect_job(k->user);
	return k->job ? 0 : -ENOMEM;
}

static void finish_well(struct collection *k)
{
	_free_ char *text = NULL;

	words_set(&text, "%zu mail(s) collected from %s", k->stored, k->user->pop3_host);
	if (!text)
		return;
	if (k->requested || k->mailbox->trouble) {
		if (attach_trouble(k) < 0)
			return;
		save_job(k, LOG_INFO, JOB_COLLECTED, text);
	} else if (k->stored) {
		log_full(LOG_INFO, 0, k->user->code, "user %s: %s", k->user->code, text);
	}
	if (!k->requested)
		k->mailbox->trouble = 0;
}

static void finish_badly(struct collection *k, const char *what, const char *why)
{
	_free_ char *text = NULL;

	words_set(&text, "%s %s for user %s: %s", what, k->user->pop3_host, k->user->code, why);
	if (!text || attach_trouble(k) < 0)
		return;
	k->job->attempts++;
	save_job(k, LOG_WARNING, k->requested ? JOB_FAILED : JOB_WAITING, text);
	if (!k->requested)
		k->mailbox->trouble = k->job->id;
}

static void on_done(void *userdata, enum pop3_result result, size_t deleted, const struct error *e)
{
	struct collection *k = userdata;
	struct collector *c = k->collector;

	k->session = NULL;
	if (result == POP3_RESULT_LOGIN)
		finish_badly(k, "the login is refused by", error_text(e));
	else if (result != POP3_RESULT_OK)
		finish_badly(k, "cannot collect from", error_text(e));
	else if (k->left)
		finish_badly(k, "mail stays on", error_text(&k->trouble));
	else
		finish_well(k);
	collection_free(k);
	plan(c);
}

static void arrival_done(struct arrival *a)
{
	struct arrival **at = &a->collection->arrivals;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
}

/* The mail is durable here, or is not: only then may the server delete it, or must keep it. */
static void on_stored(void *userdata, int r)
{
	struct arrival *a = userdata;
	struct collection *k = a->collection;

	if (k) {
		arrival_done(a);
		if (r < 0) {
			k->left++;
			error_set(&k->trouble, r, "it cannot be stored: %s", strerror(-r));
		} else {
			k->stored++;
		}
		if (k->session)
			pop3_session_stored(k->session, a->index,
					    r >= 0 && !k->user->leave_on_server);
	}
	free(a);
}

static int store_mail(struct collection *k, size_t i, int fd, struct error *e)
{
	_free_ char *key = source_key(k->user->code, k->uidls[i]);
	struct arrival *a;
	struct stat st;
	void *mail;
	int r;

	if (!key)
		return error_set(e, -ENOMEM, "out of memory");
	if (fstat(fd, &st) < 0)
		return error_set(e, -errno, "cannot read the mail: %m");
	if (!st.st_size)
		return error_set(e, -ENODATA, "the server gave an empty mail");
	mail = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mail == MAP_FAILED)
		return error_set(e, -errno, "cannot read the mail: %m");
	a = calloc(1, sizeof(*a));
	if (!a) {
		munmap(mail, st.st_size);
		return error_set(e, -ENOMEM, "out of memory");
	}
	a->collection = k;
	a->index = i;
	a->next = k->arrivals;
	k->arrivals = a;
	r = inbound_accept(k->collector->box->inbound, k->user->code, key, mail, st.st_size, on_stored,
			   a, e);
	munmap(mail, st.st_size);
	if (r < 0) {
		arrival_done(a);
		free(a);
	}
	return r;
}

static void on_message(void *userdata, struct pop3_session *s, size_t i, int fd, int r,
		       const struct error *why)
{
	struct collection *k = userdata;
	_close_ int mail = fd;
	struct error e = { 0 };

	if (r < 0) {
		k->left++;
		k->trouble = *why;
		return;
	}
	r = store_mail(k, i, mail, &e);
	if (r >= 0)
		return;
	/* Known already: another connection was quicker. Else it stays where it is safe. */
	if (r != -EEXIST) {
		k->left++;
		k->trouble = e;
	}
	pop3_session_stored(s, i, r == -EEXIST && !k->user->leave_on_server);
}

static int remember_list(struct collection *k, const struct pop3_mail *mails, size_t n)
{
	k->uidls = calloc(n + 1, sizeof(*k->uidls));
	if (!k->uidls)
		return -ENOMEM;
	for (; k->n_uidls < n; k->n_uidls++) {
		k->uidls[k->n_uidls] = strdup(mails[k->n_uidls].uidl);
		if (!k->uidls[k->n_uidls])
			return -ENOMEM;
	}
	return 0;
}

/* What the server lists no more need not be remembered. */
static void forget_gone(struct collection *k)
{
	struct store *store = k->collector->box->store;
	_free_ char *prefix = source_key(k->user->code, "");
	char **keys = calloc(k->n_uidls + 1, sizeof(*keys));
	size_t n = 0;

	while (keys && n < k->n_uidls && (keys[n] = source_key(k->user->code, k->uidls[n])))
		n++;
	if (prefix && keys && n == k->n_uidls)
		store_source_forget(store, prefix, (const char *const *)keys, n);
	for (size_t i = 0; keys && i < n; i++)
		free(keys[i]);
	free(keys);
}

static void on_list(void *userdata, struct pop3_session *s, const struct pop3_mail *mails, size_t n)
{
	struct collection *k = userdata;
	int known;

	if (remember_list(k, mails, n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		_free_ char *key = source_key(k->user->code, mails[i].uidl);

		known = key ? store_source_known(k->collector->box->store, key) : -ENOMEM;
		if (known == 0)
			pop3_session_fetch(s, i);
		else if (known > 0 && !k->user->leave_on_server)
			pop3_session_delete(s, i);
	}
	forget_gone(k);
}

static int start_session(struct collection *k, struct error *e)
{
	static const struct pop3_session_callbacks callbacks = {
		.list = on_list,
		.message = on_message,
		.done = on_done,
	};
	const struct user *u = k->user;
	const struct conf *conf = &k->collector->box->conf;
	struct pop3_session_options options = {
		.host = u->pop3_host,
		.port = u->pop3_port,
		.tls = net_tls_from_name(u->pop3_tls ? u->pop3_tls : "starttls"),
		.user = u->pop3_login,
		.password = u->pop3_password,
		.max_message = conf->max_message,
		.timeout_usec = conf->timeout_usec,
	};

	if (!u->pop3_login || !u->pop3_password)
		return error_set(e, -ENODATA, "login or password is missing; \"ifaxctl users edit %s "
				 "--pop3-login ... --password-file ...\" sets them", u->code);
	return pop3_session_start(&k->session, k->collector->box->event, &options, &callbacks, k, e);
}

/* Takes @user and @job (may be NULL) over. */
static void collect(struct collector *c, struct mailbox *m, struct user *user, struct job *job)
{
	struct collection *k = calloc(1, sizeof(*k));
	struct error e = { 0 };

	if (!k) {
		user_free(user);
		job_free(job);
		return;
	}
	k->collector = c;
	k->mailbox = m;
	k->user = user;
	k->job = job;
	k->requested = job != NULL;
	m->running = k;
	c->running++;
	if (start_session(k, &e) < 0) {
		finish_badly(k, "cannot collect from", error_text(&e));
		collection_free(k);
	}
}

static uint64_t interval(const struct collector *c, const struct user *u)
{
	return u->interval ? u->interval * 1000000ull : c->box->conf.interval_usec;
}

static struct mailbox *find_mailbox(struct collector *c, const char *code)
{
	for (struct mailbox *m = c->mailboxes; m; m = m->next)
		if (!strcmp(m->code, code))
			return m;
	return NULL;
}

static struct mailbox *add_mailbox(struct collector *c, const char *code)
{
	struct mailbox *m = calloc(1, sizeof(*m));

	if (m)
		m->code = strdup(code);
	if (!m || !m->code) {
		free(m);
		return NULL;
	}
	m->next = c->mailboxes;
	c->mailboxes = m;
	return m;
}

static void collect_due(struct collector *c, struct mailbox *m)
{
	struct user *u = NULL;

	if (store_user_get(c->box->store, m->code, true, &u) < 0) {
		m->due = 0;
		return;
	}
	m->due = words_now() + interval(c, u);
	collect(c, m, u, NULL);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct collector *c = userdata;
	uint64_t now = words_now();

	for (struct mailbox *m = c->mailboxes; m && c->running < COLLECTIONS_MAX; m = m->next)
		if (m->due && m->due <= now && !m->running)
			collect_due(c, m);
	plan(c);
	return 0;
}

/* Sets the timer to the mailbox that is due next and has no connection. */
static void plan(struct collector *c)
{
	uint64_t next = UINT64_MAX;

	if (c->running < COLLECTIONS_MAX)
		for (struct mailbox *m = c->mailboxes; m; m = m->next)
			if (m->due && !m->running && m->due < next)
				next = m->due;
	if (next == UINT64_MAX) {
		sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(c->timer, next);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

void collector_replan(struct collector *c)
{
	uint64_t now = words_now();
	struct user **users = NULL;
	struct mailbox *m;
	size_t n = 0;

	if (store_user_list(c->box->store, &users, &n) < 0) {
		log_error("cannot read the users");
		return;
	}
	for (m = c->mailboxes; m; m = m->next)
		m->due = 0;
	for (size_t i = 0; i < n; i++) {
		if (!users[i]->auto_receive || !users[i]->pop3_host)
			continue;
		m = find_mailbox(c, users[i]->code);
		if (!m)
			m = add_mailbox(c, users[i]->code);
		if (m)
			m->due = now;
	}
	user_list_free(users, n);
	plan(c);
}

int collector_collect(struct collector *c, const char *code, uint64_t *id, struct error *e)
{
	struct user *u = NULL;
	struct mailbox *m;
	struct job *job;
	int r;

	r = store_user_get(c->box->store, code, true, &u);
	if (r < 0)
		return error_set(e, r, r == -ENOENT ? "there is no user %s; \"ifaxctl users\" lists them" :
				 "cannot read user %s", code);
	if (!u->pop3_host) {
		user_free(u);
		return error_set(e, -ENODATA, "user %s has no mailbox; \"ifaxctl users edit %s "
				 "--pop3-host ...\" names it", code, code);
	}
	m = find_mailbox(c, code);
	if (!m)
		m = add_mailbox(c, code);
	if (m && m->running && m->running->requested) {
		*id = m->running->job->id;
		user_free(u);
		return 0;
	}
	job = collect_job(u);
	if (!m || !job) {
		user_free(u);
		job_free(job);
		return error_set(e, -ENOMEM, "out of memory");
	}
	r = store_job_create(c->box->store, job, NULL, 0, NULL, NULL, e);
	if (r < 0) {
		user_free(u);
		job_free(job);
		return r;
	}
	*id = job->id;
	if (m->running) {
		job_free(m->running->job);
		m->running->job = job;
		m->running->requested = true;
		user_free(u);
	} else {
		collect(c, m, u, job);
	}
	return 0;
}

/*
 * Collections that the last run left open were cut short; their mails are safe
 * on either side. What waited for a mailbox to work again still does.
 */
static void take_over_job(struct collector *c, struct job *job)
{
	struct mailbox *m;

	if (job->state == JOB_COLLECTING) {
		job_say(&c->box->keeper, job, LOG_WARNING, JOB_FAILED, NULL, NULL,
			"the box stopped while collecting; what it had not stored is still on the "
			"server");
		return;
	}
	m = job->user ? find_mailbox(c, job->user) : NULL;
	if (m)
		m->trouble = job->id;
	else
		job_say(&c->box->keeper, job, LOG_INFO, JOB_CANCELED, NULL, NULL,
			"this mailbox is not collected any more");
}

static void take_over_jobs(struct collector *c)
{
	struct job_filter f = { .kind = JOB_COLLECT, .state = -1, .unfinished = true };
	struct job **jobs = NULL;
	size_t n = 0;

	if (store_job_list(c->box->store, &f, &jobs, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		take_over_job(c, jobs[i]);
	job_list_free(jobs, n);
}

int collector_new(struct collector **ret, struct box *box, struct error *e)
{
	struct collector *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, -ENOMEM, "out of memory");
	c->box = box;
	r = sd_event_add_time(box->event, &c->timer, CLOCK_REALTIME, 0, 1000000, on_timer, c);
	if (r < 0) {
		free(c);
		return error_set(e, r, "cannot set a timer: %s", strerror(-r));
	}
	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	collector_replan(c);
	take_over_jobs(c);
	*ret = c;
	return 0;
}

void collector_free(struct collector *c)
{
	struct mailbox *m;

	if (!c)
		return;
	while ((m = c->mailboxes)) {
		c->mailboxes = m->next;
		if (m->running)
			collection_free(m->running);
		free(m->code);
		free(m);
	}
	sd_event_source_disable_unref(c->timer);
	free(c);
}
