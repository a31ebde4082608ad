/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "mail/form.h"
#include "net/pop3_session.h"
#include "service/collection.h"
#include "service/inbound.h"
#include "service/words.h"

#define MAILBOX_LEN 16	/* hexadecimal digits */

struct collection {
	struct box *box;
	struct user *user;
	struct job *job;		/* NULL: an automatic one without trouble so far */
	bool requested;			/* by somebody, who looks at the job */
	struct collection_memory *memory;
	collection_done_fn done;
	void *userdata;
	struct pop3_session *session;
	char mailbox[MAILBOX_LEN + 1];	/* which it is, in a key */
	char **keys;			/* under which the listed mails are known here */
	bool *gone;			/* of each: the server has marked it as deleted */
	bool *undecided;		/* of each: may turn out to be text that is not wanted */
	size_t n_keys;
	size_t stored;			/* mails that are durable here by this collection */
	size_t texts;			/* text mails that its user does not want, left there */
	size_t left;			/* mails that could not be fetched or stored */
	struct error why_left;		/* the first reason for that */
	struct arrival *arrivals;	/* mails on their way into the journal */
};

/* One mail on its way into the journal. */
struct arrival {
	struct collection *collection;	/* NULL: its connection ended meanwhile */
	struct arrival *next;
	size_t index;
};

struct job *collection_job(const struct user *u)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->kind = JOB_COLLECT;
	job->state = JOB_COLLECTING;
	if (job_set(&job->user, u->code) < 0 || job_set(&job->from, u->pop3_host) < 0 ||
	    job_set(&job->detail, "waits for its turn") < 0) {
		job_free(job);
		return NULL;
	}
	return job;
}

void collection_free(struct collection *k)
{
	if (!k)
		return;
	for (struct arrival *a = k->arrivals; a; a = a->next)
		a->collection = NULL;
	pop3_session_cancel(k->session);
	for (size_t i = 0; i < k->n_keys; i++)
		free(k->keys[i]);
	free(k->keys);
	free(k->gone);
	free(k->undecided);
	user_free(k->user);
	job_free(k->job);
	free(k);
}

/*
 * Names
 */

static enum net_tls tls_of(const struct user *u)
{
	int tls = net_tls_from_name(u->pop3_tls ? u->pop3_tls : "starttls");

	return tls < 0 ? NET_TLS_REQUIRED : (enum net_tls)tls;
}

uint16_t collection_port(const struct user *u)
{
	return u->pop3_port ? u->pop3_port : tls_of(u) == NET_TLS_IMPLICIT ? 995 : 110;
}

/* One server answers at both of its ports, with TLS from the start and without. */
static uint16_t server_of(const struct user *u)
{
	uint16_t port = collection_port(u);

	return port == 995 ? 110 : port;
}

static bool same_mailbox(const struct user *a, const struct user *b)
{
	return a->pop3_host && a->pop3_login && b->pop3_host && b->pop3_login &&
	       !strcasecmp(a->pop3_host, b->pop3_host) && server_of(a) == server_of(b) &&
	       !strcmp(a->pop3_login, b->pop3_login);
}

/* The same for the same mailbox, and for no other. */
static int name_mailbox(const struct user *u, char ret[MAILBOX_LEN + 1])
{
	_free_ char *text = NULL;
	unsigned char digest[EVP_MAX_MD_SIZE];
	int n = asprintf(&text, "%s:%u/%s", u->pop3_host, server_of(u), u->pop3_login);

	if (n < 0)
		return -ENOMEM;
	for (char *p = text; p < text + strlen(u->pop3_host); p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	if (EVP_Digest(text, n, digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (int i = 0; i < MAILBOX_LEN / 2; i++)
		sprintf(ret + 2 * i, "%02x", digest[i]);
	return 0;
}

/* Under which a mail is known here. */
static char *source_key(const struct collection *k, const char *uidl, size_t nth)
{
	char *key = NULL;
	int r;

	if (nth)
		r = asprintf(&key, "pop3/%s/%s/%s %zu", k->user->code, k->mailbox, uidl, nth + 1);
	else
		r = asprintf(&key, "pop3/%s/%s/%s", k->user->code, k->mailbox, uidl);
	return r < 0 ? NULL : key;
}

/* What the keys of all of a user's mails begin with. */
static char *key_prefix(const char *code)
{
	char *prefix = NULL;

	return asprintf(&prefix, "pop3/%s/", code) < 0 ? NULL : prefix;
}

/* The key of a mail that was found to be text, and left on the server. */
static char *text_key(const char *key)
{
	char *text = NULL;

	return asprintf(&text, "text%s", strchr(key, '/')) < 0 ? NULL : text;
}

void collection_forget_user(struct store *s, const char *code)
{
	_free_ char *prefix = key_prefix(code);
	_free_ char *text = prefix ? text_key(prefix) : NULL;

	if (!text)
		return;
	store_source_forget(s, prefix, NULL, 0);
	store_source_forget(s, text, NULL, 0);
}

/*
 * What is said of the end
 */

static int save_job(struct collection *k, int priority, enum job_state state, const char *text)
{
	int r;

	if (k->job->id)
		return job_say(&k->box->keeper, k->job, priority, state, NULL, NULL, text);
	k->job->state = state;
	r = job_set(&k->job->detail, text);
	if (r >= 0)
		r = store_job_create(k->box->store, k->job, NULL, 0, NULL, NULL, NULL);
	log_full(priority, k->job->id, k->user->code, "%s", text);
	return r;
}

/* The job that waits for the mailbox to work; one that a person ended is not taken up again. */
static struct job *waiting_job(const struct collection *k)
{
	struct job *job = NULL;

	if (!k->memory->trouble || store_job_get(k->box->store, k->memory->trouble, &job) < 0)
		return NULL;
	if (!job_state_final(job->state))
		return job;
	job_free(job);
	return NULL;
}

static void end_trouble(struct collection *k, const char *text)
{
	struct job *job = waiting_job(k);

	if (job)
		job_say(&k->box->keeper, job, LOG_NOTICE, JOB_COLLECTED, NULL, NULL, text);
	job_free(job);
	k->memory->trouble = 0;
}

static void finish_well(struct collection *k)
{
	_free_ char *text = NULL;

	if (k->texts)
		words_set(&text, "%zu mail(s) collected from %s; %zu of text alone left there",
			  k->stored, k->user->pop3_host, k->texts);
	else
		words_set(&text, "%zu mail(s) collected from %s", k->stored, k->user->pop3_host);
	if (!text)
		return;
	if (k->requested)
		save_job(k, LOG_INFO, JOB_COLLECTED, text);
	else if (k->stored)
		log_full(LOG_INFO, 0, k->user->code, "user %s: %s", k->user->code, text);
	if (k->memory->trouble)
		end_trouble(k, text);
}

/* An automatic one says it where it is news: a round later it mostly is not. */
static void finish_badly(struct collection *k, const char *what, const char *why)
{
	_free_ char *text = NULL, *stored = NULL;

	if (k->requested && k->stored)
		words_set(&stored, "%zu mail(s) collected; ", k->stored);
	words_set(&text, "%s%s %s for user %s: %s", stored ? stored : "", what,
		  k->user->pop3_host ? k->user->pop3_host : "the mailbox", k->user->code, why);
	if (!text)
		return;
	if (!k->requested)
		k->job = waiting_job(k);
	if (!k->job)
		k->job = collection_job(k->user);
	if (!k->job || (!k->requested && job_said(k->job, JOB_WAITING, text)))
		return;
	k->job->attempts++;
	save_job(k, LOG_WARNING, k->requested ? JOB_FAILED : JOB_WAITING, text);
	if (!k->requested)
		k->memory->trouble = k->job->id;
}

static void on_deleted(void *userdata, size_t i)
{
	struct collection *k = userdata;

	k->gone[i] = true;
}

/*
 * The server has confirmed QUIT: what it deleted is gone, and another mail may have
 * that name from now on (RFC 1939, 7). Only what it still has is remembered.
 */
static void forget_deleted(struct collection *k)
{
	_free_ const char **kept = calloc(k->n_keys + 1, sizeof(*kept));
	_free_ char *prefix = key_prefix(k->user->code);
	size_t n = 0;

	if (!kept || !prefix)
		return;
	for (size_t i = 0; i < k->n_keys; i++)
		if (!k->gone[i])
			kept[n++] = k->keys[i];
	if (n < k->n_keys)
		store_source_forget(k->box->store, prefix, kept, n);
}

static void on_scram_refused(void *userdata)
{
	struct collection *k = userdata;

	k->memory->no_scram = true;
}

static void on_done(void *userdata, enum pop3_result result, const struct error *e)
{
	struct collection *k = userdata;
	enum collection_end end = COLLECTION_FAILED;

	k->session = NULL;
	if (result == POP3_RESULT_OK) {
		end = COLLECTION_DONE;
		forget_deleted(k);
	}
	if (result == POP3_RESULT_CANNOT_CONNECT)
		end = COLLECTION_UNREACHED;
	if (result == POP3_RESULT_LOGIN)
		finish_badly(k, "the login is refused by", error_text(e));
	else if (result != POP3_RESULT_OK)
		finish_badly(k, "cannot collect from", error_text(e));
	else if (k->left)
		finish_badly(k, "mail stays on", error_text(&k->why_left));
	else
		finish_well(k);
	k->done(k->userdata, end);
}

int collection_say_canceled(struct collection *k, const char *why)
{
	return k->requested ? save_job(k, LOG_INFO, JOB_CANCELED, why) : 0;
}

/*
 * Mails
 */

static void leave(struct collection *k, const struct error *why)
{
	if (!k->left++)
		k->why_left = *why;
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
	struct error e;

	if (k) {
		arrival_done(a);
		if (r < 0) {
			error_set(&e, r, "it cannot be stored: %s", strerror(-r));
			leave(k, &e);
		} else {
			k->stored++;
		}
		if (k->session)
			pop3_session_stored(k->session, a->index,
					    r >= 0 && !k->user->leave_on_server);
	}
	free(a);
}

static int store_mail(struct collection *k, size_t i, const void *data, size_t len,
		      struct error *e)
{
	const struct iovec iov = { (void *)data, len };
	struct arrival *a;
	int r;

	if (!len)
		return error_set(e, -ENODATA, "the server gave an empty mail");
	a = calloc(1, sizeof(*a));
	if (!a)
		return error_set(e, -ENOMEM, "out of memory");
	a->collection = k;
	a->index = i;
	a->next = k->arrivals;
	k->arrivals = a;
	r = inbound_accept(k->box->inbound, k->user->code, k->keys[i], &iov, 1, on_stored, a, NULL,
			   e);
	if (r < 0) {
		arrival_done(a);
		free(a);
	}
	return r;
}

/* Text that its user does not want stays on the server, and is not looked at again. */
static bool leave_text(struct collection *k, size_t i, const void *data, size_t len, bool whole)
{
	_free_ char *key = NULL;

	enum mail_form form;

	if (!k->undecided[i])
		return false;
	form = mail_form(data, len, whole);
	k->undecided[i] = form == MAIL_FORM_OPEN;
	if (form != MAIL_FORM_TEXT)
		return false;
	k->texts++;
	key = text_key(k->keys[i]);
	/* Where it cannot be noted, the next round looks again. */
	if (key)
		store_source_add(k->box->store, key);
	return true;
}

static bool has_room(struct collection *k, struct error *e)
{
	uint64_t free_bytes = store_free_bytes(k->box->store);

	if (k->user->auto_print || free_bytes >= k->box->conf.collect_reserve)
		return true;
	error_set(e, -ENOSPC, "the disk has %llu MiB free, which are left for users with automatic "
		  "print", (unsigned long long)free_bytes >> 20);
	return false;
}

static bool on_head(void *userdata, size_t i, const void *data, size_t len, bool whole)
{
	/* Without a head the whole mail decides. */
	return !data || !leave_text(userdata, i, data, len, whole);
}

static void on_message(void *userdata, struct pop3_session *s, size_t i, const void *data,
		       size_t len, int r, const struct error *why)
{
	struct collection *k = userdata;
	struct error e = { 0 };

	if (r < 0) {
		leave(k, why);
		return;
	}
	if (leave_text(k, i, data, len, true)) {
		pop3_session_stored(s, i, false);
		return;
	}
	r = has_room(k, &e) ? store_mail(k, i, data, len, &e) : -ENOSPC;
	if (r >= 0)
		return;
	/* What else there is would come for nothing. */
	if (r == -ENOSPC)
		pop3_session_enough(s);
	/* Stored since the list came; the next list finds it known, and durable. */
	if (r != -EEXIST)
		leave(k, &e);
	pop3_session_stored(s, i, false);
}

/*
 * The mailbox's list
 */

struct named {
	const char *uidl;
	size_t index;
};

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int r = strcmp(x->uidl, y->uidl);

	return r ? r : (x->index > y->index) - (x->index < y->index);
}

/*
 * Names each mail. No two mails of a mailbox may have the same UIDL, but where a
 * server gives one twice, neither mail may pass for the other: a space, which no
 * UIDL holds, and a number tell the second.
 */
static int name_mails(struct collection *k, const struct pop3_mail *mails, size_t n)
{
	_free_ struct named *order = calloc(n + 1, sizeof(*order));
	size_t nth = 0;

	k->keys = calloc(n + 1, sizeof(*k->keys));
	k->gone = calloc(n + 1, sizeof(*k->gone));
	k->undecided = calloc(n + 1, sizeof(*k->undecided));
	if (!order || !k->keys || !k->gone || !k->undecided)
		return -ENOMEM;
	k->n_keys = n;
	for (size_t i = 0; i < n; i++)
		order[i] = (struct named){ mails[i].uidl, i };
	qsort(order, n, sizeof(*order), by_name);
	for (size_t i = 0; i < n; i++) {
		nth = i && !strcmp(order[i].uidl, order[i - 1].uidl) ? nth + 1 : 0;
		k->keys[order[i].index] = source_key(k, order[i].uidl, nth);
		if (!k->keys[order[i].index])
			return -ENOMEM;
	}
	return 0;
}

static void forget_other_texts(struct collection *k, char *prefix)
{
	_free_ char **texts = calloc(k->n_keys + 1, sizeof(*texts));
	size_t n = 0;

	/* Who wants text now gets what was left there, too. */
	for (size_t i = 0; texts && !k->user->receive_text && i < k->n_keys; i++, n++)
		if (!(texts[i] = text_key(k->keys[i])))
			break;
	if (texts && (k->user->receive_text || n == k->n_keys))
		store_source_forget(k->box->store, prefix, (const char *const *)texts, n);
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
}

/* What the server lists no more need not be remembered. */
static void forget_gone(struct collection *k)
{
	_free_ char *prefix = key_prefix(k->user->code);
	_free_ char *text = prefix ? text_key(prefix) : NULL;

	if (!text)
		return;
	store_source_forget(k->box->store, prefix, (const char *const *)k->keys, k->n_keys);
	forget_other_texts(k, text);
}

/* 1: was found to be text, and is not wanted. */
static int is_unwanted_text(struct collection *k, size_t i)
{
	_free_ char *key = k->user->receive_text ? NULL : text_key(k->keys[i]);

	return key ? store_source_known(k->box->store, key) : 0;
}

static int choose(struct collection *k, struct pop3_session *s, size_t i)
{
	if (k->user->receive_text)
		return pop3_session_fetch(s, i);
	if (is_unwanted_text(k, i) > 0) {
		k->texts++;
		return 0;
	}
	k->undecided[i] = true;
	return pop3_session_look(s, i);
}

/* 1: it is here. Releases before this one knew a mail without its mailbox. */
static int is_known(struct collection *k, size_t i)
{
	const char *uidl = k->keys[i] + strlen("pop3//") + strlen(k->user->code) + MAILBOX_LEN + 1;
	_free_ char *old = NULL;
	int r = store_source_known(k->box->store, k->keys[i]);

	if (r)
		return r;
	if (asprintf(&old, "pop3/%s/%s", k->user->code, uidl) < 0)
		return -ENOMEM;
	r = store_source_known(k->box->store, old);
	return r > 0 ? store_source_add(k->box->store, k->keys[i]) ?: 1 : r;
}

/* Fetches what is new. *@known: mails that are here already are to be deleted. */
static void fetch_new(struct collection *k, struct pop3_session *s, bool *known)
{
	struct error e = { 0 }, full = { 0 };
	bool room = has_room(k, &full);
	int r;

	for (size_t i = 0; i < k->n_keys; i++) {
		r = is_known(k, i);
		if (r == 0 && room)
			choose(k, s, i);
		else if (r == 0)
			leave(k, &full);
		*known |= r > 0 && !k->user->leave_on_server;
		if (r < 0) {
			error_set(&e, r, "it is not known which mails are here: %s", strerror(-r));
			leave(k, &e);
		}
	}
}

/* What is known may have been stored just now: it is deleted when it is durable. */
static void delete_known(struct collection *k, struct pop3_session *s)
{
	struct error e = { 0 };

	if (store_sync(k->box->store, &e) < 0) {
		leave(k, &e);
		return;
	}
	for (size_t i = 0; i < k->n_keys; i++)
		if (store_source_known(k->box->store, k->keys[i]) > 0)
			pop3_session_delete(s, i);
}

static void on_list(void *userdata, struct pop3_session *s, const struct pop3_mail *mails, size_t n)
{
	struct collection *k = userdata;
	struct error e = { 0 };
	bool known = false;

	if (name_mails(k, mails, n) < 0) {
		error_set(&e, -ENOMEM, "out of memory");
		leave(k, &e);
		return;
	}
	fetch_new(k, s, &known);
	if (known)
		delete_known(k, s);
	forget_gone(k);
}

/*
 * Start
 */

static int check_user(const struct user *u, struct error *e)
{
	if (!u->pop3_host)
		return error_set(e, -ENODATA, "no mail server is set; \"ifaxctl users edit %s "
				 "--pop3-host ...\" names it", u->code);
	if (!u->pop3_password && u->has_password)
		return error_set(
			e, -ENOKEY,
			"the stored password cannot be opened with the key that ifaxd has "
			"now; \"ifaxctl users edit %s --password-file ...\" stores it anew",
			u->code);
	if (!u->pop3_login || !u->pop3_password)
		return error_set(e, -ENODATA,
				 "login or password is missing; \"ifaxctl users edit %s "
				 "--pop3-login ... --password-file ...\" sets them",
				 u->code);
	return 0;
}

static int start_session(struct collection *k, struct error *e)
{
	static const struct pop3_session_callbacks callbacks = {
		.list = on_list,
		.message = on_message,
		.head = on_head,
		.deleted = on_deleted,
		.scram_refused = on_scram_refused,
		.done = on_done,
	};
	const struct user *u = k->user;
	struct pop3_session_options options = {
		.host = u->pop3_host,
		.port = collection_port(u),
		.tls = tls_of(u),
		.user = u->pop3_login,
		.password = u->pop3_password,
		.max_message = k->box->conf.max_message,
		.timeout_usec = k->box->conf.timeout_usec,
		.no_scram = k->memory->no_scram,
	};
	int r = check_user(u, e);

	if (r < 0)
		return r;
	r = name_mailbox(u, k->mailbox);
	if (r < 0)
		return error_set(e, r, "out of memory");
	return pop3_session_start(&k->session, k->box->event, &options, &callbacks, k, e);
}

int collection_start(struct collection **ret, struct box *box, struct user *user, struct job *job,
		     struct collection_memory *memory, collection_done_fn done, void *userdata)
{
	struct collection *k = calloc(1, sizeof(*k));
	struct error e = { 0 };
	int r;

	if (!k) {
		if (job)
			job_say(&box->keeper, job, LOG_ERR, JOB_FAILED, NULL, NULL,
				"out of memory");
		user_free(user);
		job_free(job);
		return -ENOMEM;
	}
	k->box = box;
	k->user = user;
	k->job = job;
	k->requested = job != NULL;
	k->memory = memory;
	k->done = done;
	k->userdata = userdata;
	r = start_session(k, &e);
	if (r < 0) {
		finish_badly(k, "cannot collect from", error_text(&e));
		collection_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

const struct job *collection_request(const struct collection *k)
{
	return k->requested ? k->job : NULL;
}

void collection_join(struct collection *k, struct job *job)
{
	job_free(k->job);
	k->job = job;
	k->requested = true;
}

bool collection_has(const struct collection *k, const struct user *u)
{
	return same_mailbox(k->user, u);
}
