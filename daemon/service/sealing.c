/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "keys/client.h"
#include "service/directory.h"
#include "service/sealing.h"

/* What ifax-keyring is asked for a job. */
struct errand {
	struct sealing *sealing;
	struct errand *next;
	struct job *job;
	struct keys_call *call;
	sealing_done_fn done;
	void *userdata;
};

struct sealing {
	struct box *box;
	struct errand *first;
};

int sealing_new(struct sealing **ret, struct box *box)
{
	struct sealing *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->box = box;
	*ret = s;
	return 0;
}

/* Takes it out; its job stays with the caller. */
static struct job *errand_end(struct errand *n)
{
	struct job *job = n->job;

	for (struct errand **p = &n->sealing->first; *p; p = &(*p)->next)
		if (*p == n) {
			*p = n->next;
			break;
		}
	keys_call_cancel(n->call);
	free(n);
	return job;
}

void sealing_free(struct sealing *s)
{
	if (!s)
		return;
	while (s->first)
		job_free(errand_end(s->first));
	free(s);
}

struct job *sealing_cancel(struct sealing *s, uint64_t id)
{
	for (struct errand *n = s->first; n; n = n->next)
		if (n->job->id == id)
			return errand_end(n);
	return NULL;
}

/*
 * Who gets what
 */

static void recipient_freep(struct recipient **r)
{
	recipient_free(*r);
}

#define _recipient_ _cleanup_(recipient_freep)

bool sealing_passes(int r)
{
	switch (r) {
	case -ENOKEY:
	case -EKEYEXPIRED:
	case -EKEYREJECTED:
	case -EBADMSG:
	case -EINVAL:
	case -EMSGSIZE:
		return false;
	default:
		return true;
	}
}

/* Quotes and backslashes left of the "@" are a matter of spelling alone (RFC 5321 4.1.2). */
static int get_entry(struct box *box, const char *address, struct recipient **ret)
{
	const char *at = strrchr(address, '@');
	_free_ char *local = NULL, *bare = NULL;
	int r = store_recipient_get(box->store, address, ret);

	if (r != -ENOENT || !at || !strpbrk(address, "\"\\"))
		return r;
	local = directory_local(address);
	if (!local || asprintf(&bare, "%s%s", local, at) < 0) {
		bare = NULL;
		return -ENOMEM;
	}
	return store_recipient_get(box->store, bare, ret);
}

/* *@ret NULL: nothing is known of him. */
static int find_entry(struct box *box, const char *address, struct recipient **ret,
		      struct error *e)
{
	int r = get_entry(box, address, ret);

	if (r == -ENOENT)
		*ret = NULL;
	else if (r < 0)
		return error_set(e, r, "the entry of recipient %s cannot be read: %s", address,
				 strerror(-r));
	return 0;
}

/* KEYS_ANY: the entry names none. One that is not known here is not taken for that. */
static int entry_method(const struct recipient *r, enum keys_method *ret, struct error *e)
{
	int method = keys_method_from_name(r->method);

	if (method < 0 || (r->must_encrypt && method == KEYS_ANY))
		return error_set(e, -EINVAL, "the entry of recipient %s does not say by which of "
				 "openpgp and smime he gets his mail; \"ifaxctl recipients set\" "
				 "does", r->address);
	*ret = method;
	return 0;
}

int sealing_insists(struct box *box, const char *address, enum keys_method *ret, struct error *e)
{
	_recipient_ struct recipient *entry = NULL;
	int r = find_entry(box, address, &entry, e);

	if (r < 0 || !entry || !entry->must_encrypt)
		return r;
	r = entry_method(entry, ret, e);
	return r < 0 ? r : 1;
}

static int sender_encrypts(struct box *box, const char *code, bool *ret, struct error *e)
{
	_cleanup_(user_freep) struct user *u = NULL;
	int r = code ? store_user_get(box->store, code, false, &u) : -ENOENT;

	if (r < 0 && r != -ENOENT)
		return error_set(e, r, "user %s cannot be read: %s", code, strerror(-r));
	/* One who was removed since may have wanted it. */
	*ret = u ? u->encrypt : code != NULL;
	return 0;
}

/* The entry or the sender, who wants to @encrypt, insists on it. */
static int method_for(struct box *box, const char *address, bool encrypt, enum keys_method *ret,
		      struct error *e)
{
	_recipient_ struct recipient *entry = NULL;
	int r = find_entry(box, address, &entry, e);

	*ret = KEYS_ANY;
	if (r < 0 || !entry || (!encrypt && !entry->must_encrypt))
		return r;
	return entry_method(entry, ret, e);
}

int sealing_wishes(struct box *box, const char *user, char *const *to, size_t n,
		   enum keys_method *ret, struct error *e)
{
	bool encrypt = false;
	int r = sender_encrypts(box, user, &encrypt, e);

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = method_for(box, to[i], encrypt, &ret[i], e);
	return r;
}

int sealing_method(struct box *box, const struct job *job, enum keys_method *ret,
		   struct error *e)
{
	const char *first = job->recipients[0].address, *other;
	enum keys_method method = KEYS_ANY;
	bool encrypt = false;
	int r = sender_encrypts(box, job->user, &encrypt, e);

	if (r >= 0)
		r = method_for(box, first, encrypt, ret, e);
	for (size_t i = 1; r >= 0 && i < job->n_recipients; i++) {
		other = job->recipients[i].address;
		r = method_for(box, other, encrypt, &method, e);
		if (r >= 0 && method != *ret)
			r = error_set(e, -EINVAL, "the entries of %s and %s were changed while it "
				      "was scanned, and one mail cannot go to both", first, other);
	}
	return r;
}

/*
 * Errands
 */

static void on_done(void *userdata, int r, const struct keys_reply *reply, int output,
		    const struct error *why)
{
	struct errand *n = userdata;
	_buffer_ struct buffer message = { 0 };
	sealing_done_fn done = n->done;
	void *whose = n->userdata;
	struct error e = { 0 };
	struct job *job;

	n->call = NULL;
	job = errand_end(n);
	if (r < 0)
		e = *why;
	else if (reply->code != KEYS_OK)
		r = error_set(&e, reply->error < 0 ? reply->error : -EIO, "%s", reply->sentence);
	else
		r = keys_read(output, KEYS_OUTPUT_BYTES, &message);
	if (r < 0 && !e.code)
		error_set(&e, r, "the encrypted mail cannot be taken over: %s", strerror(-r));
	done(whose, job, &message, r, &e);
}

/* Who signs, by ring and address, stands before those for whom it is. */
#define SIGNER 2

/* "" where nobody is to sign. */
static int name_signer(struct box *box, const struct job *job, char *arguments[SIGNER],
		       struct error *e)
{
	_cleanup_(user_freep) struct user *u = NULL;
	bool signs = !strcmp(box->conf.sign, "yes") && job->user && job->from;
	int r = signs ? store_user_get(box->store, job->user, false, &u) : -ENOENT;

	if (r < 0 && r != -ENOENT)
		return error_set(e, r, "user %s cannot be read: %s", job->user, strerror(-r));
	signs = u && u->ring;
	r = job_set(&arguments[0], signs ? u->ring : "");
	if (r >= 0)
		r = job_set(&arguments[1], signs ? job->from : "");
	return r < 0 ? error_set(e, r, "out of memory") : 0;
}

/* By which his key is found. */
static int name_key(struct box *box, const char *address, char **ret, struct error *e)
{
	_recipient_ struct recipient *entry = NULL;
	int r = find_entry(box, address, &entry, e);

	if (r < 0)
		return r;
	r = job_set(ret, entry && entry->method && entry->key ? entry->key : address);
	return r < 0 ? error_set(e, r, "out of memory") : 0;
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		free(list[i]);
	free(list);
}

/* What is asked of ifax-keyring. @ret: free_list() */
static int name_all(struct box *box, const struct job *job, char ***ret, size_t *n,
		    struct error *e)
{
	char **list = calloc(SIGNER + job->n_recipients, sizeof(*list));
	int r = list ? name_signer(box, job, list, e) : error_set(e, -ENOMEM, "out of memory");

	*n = SIGNER + job->n_recipients;
	for (size_t i = 0; r >= 0 && i < job->n_recipients; i++)
		r = name_key(box, job->recipients[i].address, &list[SIGNER + i], e);
	if (r < 0)
		free_list(list, *n);
	else
		*ret = list;
	return r;
}

static int ask(struct sealing *s, struct job *job, const struct keys_question *what,
	       sealing_done_fn done, void *userdata, struct error *e)
{
	struct errand *n = calloc(1, sizeof(*n));
	struct keys_question q = *what;
	char **list = NULL;
	int r = n ? name_all(s->box, job, &list, &q.n_arguments, e) :
		    error_set(e, -ENOMEM, "out of memory");

	if (r < 0) {
		free(n);
		return r;
	}
	q.arguments = (const char *const *)list;
	*n = (struct errand){ s, s->first, job, NULL, done, userdata };
	s->first = n;
	r = keys_ask(s->box->event, s->box->conf.keyring, &q, on_done, n, &n->call, e);
	if (r < 0)
		errand_end(n);
	free_list(list, q.n_arguments);
	return r;
}

int sealing_check(struct sealing *s, struct job *job, enum keys_method method,
		  sealing_done_fn done, void *userdata, struct error *e)
{
	const struct keys_question q = { .op = KEYS_CHECK, .method = method, .input = -1 };

	return ask(s, job, &q, done, userdata, e);
}

int sealing_seal(struct sealing *s, struct job *job, enum keys_method method, int message,
		 sealing_done_fn done, void *userdata, struct error *e)
{
	const struct keys_question q = { .op = KEYS_SEAL, .method = method, .input = message };

	return ask(s, job, &q, done, userdata, e);
}
