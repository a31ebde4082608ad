/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "keys/client.h"
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

struct wish {
	enum keys_method method;	/* KEYS_ANY: has no entry that says one */
	bool needed;			/* the entry or the sender insists on it */
	char key[512];			/* by which the recipient's key is found */
};

static void look_up(struct box *box, const char *address, bool encrypt, struct wish *ret)
{
	struct recipient *r = NULL;
	int method;

	*ret = (struct wish){ .method = KEYS_ANY };
	snprintf(ret->key, sizeof(ret->key), "%s", address);
	if (store_recipient_get(box->store, address, &r) < 0)
		return;
	method = keys_method_from_name(r->method);
	if (method > KEYS_ANY) {
		ret->method = method;
		ret->needed = r->must_encrypt || encrypt;
		if (r->key)
			snprintf(ret->key, sizeof(ret->key), "%s", r->key);
	}
	recipient_free(r);
}

static bool sender_encrypts(struct box *box, const char *user)
{
	struct user *u = NULL;
	bool encrypts;

	if (!user || store_user_get(box->store, user, false, &u) < 0)
		return false;
	encrypts = u->encrypt;
	user_free(u);
	return encrypts;
}

static enum keys_method method_for(struct box *box, const char *address, bool encrypt)
{
	struct wish w;

	look_up(box, address, encrypt, &w);
	return w.needed ? w.method : KEYS_ANY;
}

void sealing_wishes(struct box *box, const char *user, char *const *to, size_t n,
		    enum keys_method *ret)
{
	bool encrypt = sender_encrypts(box, user);

	for (size_t i = 0; i < n; i++)
		ret[i] = method_for(box, to[i], encrypt);
}

int sealing_method(struct box *box, const struct job *job, enum keys_method *ret,
		   struct error *e)
{
	const char *first = job->recipients[0].address;
	bool encrypt = sender_encrypts(box, job->user);

	*ret = method_for(box, first, encrypt);
	for (size_t i = 1; i < job->n_recipients; i++)
		if (method_for(box, job->recipients[i].address, encrypt) != *ret)
			return error_set(e, -EINVAL, "the entries of %s and %s were changed while "
					 "it was scanned, and one mail cannot go to both", first,
					 job->recipients[i].address);
	return 0;
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

/* Who signs, ring and address: "" where nobody is to. */
static void name_signer(struct box *box, const struct job *job, char *arguments[2])
{
	struct user *u = NULL;
	bool signs = !strcmp(box->conf.sign, "yes") && job->user && job->from &&
		     store_user_get(box->store, job->user, false, &u) >= 0 && u->ring;

	arguments[0] = strdup(signs ? u->ring : "");
	arguments[1] = strdup(signs ? job->from : "");
	user_free(u);
}

/* What is asked of ifax-keyring: keys, behind @before words that name who signs. */
static char **keys_of(struct box *box, const struct job *job, size_t before)
{
	char **keys = calloc(before + job->n_recipients + 1, sizeof(*keys));
	struct wish w;

	if (keys && before)
		name_signer(box, job, keys);
	for (size_t i = 0; keys && i < job->n_recipients; i++) {
		look_up(box, job->recipients[i].address, true, &w);
		keys[before + i] = strdup(w.key);
	}
	return keys;
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static int ask(struct sealing *s, struct job *job, const struct keys_question *what,
	       sealing_done_fn done, void *userdata, struct error *e)
{
	size_t before = what->op == KEYS_SEAL ? 2 : 0, known = 0;
	struct errand *n = calloc(1, sizeof(*n));
	char **keys = keys_of(s->box, job, before);
	struct keys_question q = *what;
	int r;

	while (keys && keys[known])
		known++;
	q.arguments = (const char *const *)keys;
	q.n_arguments = before + job->n_recipients;
	if (!n || known < q.n_arguments) {
		r = error_set(e, -ENOMEM, "out of memory");
		free(n);
	} else {
		*n = (struct errand){ s, s->first, job, NULL, done, userdata };
		s->first = n;
		r = keys_ask(s->box->event, s->box->conf.keyring, &q, on_done, n, &n->call, e);
		if (r < 0)
			errand_end(n);
	}
	free_list(keys);
	return r;
}

int sealing_check(struct sealing *s, struct job *job, enum keys_method method,
		  sealing_done_fn done, void *userdata, struct error *e)
{
	const struct keys_question q = { .op = KEYS_CHECK, .method = method, .input = -1 };

	return ask(s, job, &q, done, userdata, e);
}

int sealing_seal(struct sealing *s, struct job *job, enum keys_method method,
		 const struct buffer *message, sealing_done_fn done, void *userdata,
		 struct error *e)
{
	_close_ int input = keys_memory(message->data, message->len, e);
	const struct keys_question q = { .op = KEYS_SEAL, .method = method, .input = input };

	return input < 0 ? input : ask(s, job, &q, done, userdata, e);
}
