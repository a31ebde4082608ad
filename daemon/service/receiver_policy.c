/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "mail/form.h"
#include "net/network.h"
#include "service/directory.h"
#include "service/queue.h"
#include "service/receiver_policy.h"
#include "service/sealing.h"
#include "service/terminal.h"
#include "service/turn.h"
#include "smtp/path.h"

#define _answer_ _cleanup_(directory_answer_free)

void verdict_set(struct verdict *v, int code, const char *enhanced, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buffer_clear(&v->text);
	v->code = code;
	v->enhanced = enhanced;
	if (buffer_append(&v->text, text, strlen(text)) < 0) {
		v->code = 451;
		v->enhanced = "4.3.0";
		buffer_free(&v->text);
	}
}

/* Refusals that the directory's answer is, in words. */
static void refuse_name(struct verdict *v, int r, const char *name)
{
	switch (r) {
	case -ENOENT:
		return verdict_set(v, 550, "5.1.1", "No such user here: %s", name);
	case -ENOTUNIQ:
		return verdict_set(v, 553, "5.1.4", "User ambiguous: %s", name);
	case -EMLINK:
		return verdict_set(v, 550, "5.2.4", "This list leads to nobody, or to too many");
	case -EAGAIN:
		return verdict_set(v, 450, "4.2.1", "Nobody is the postmaster here yet");
	default:
		return verdict_set(v, 451, "4.3.0", "The directory cannot be read");
	}
}

static bool is_ours(struct box *box, const struct policy_peer *peer, const char *domain)
{
	return directory_is_ours(&box->conf, domain) || network_is_literal(domain, peer->local);
}

/* Whom @mailbox, at a domain of ours, means. */
static int find(struct box *box, const char *mailbox, struct directory_answer *a)
{
	_free_ char *local = directory_local(mailbox);

	return local ? directory_find(box->store, &box->conf, local, a) : -ENOMEM;
}

/*
 * MAIL
 */

/* 1: his own address, or a name of this box that leads to him alone. */
static int owns(struct box *box, const struct policy_peer *peer, const struct smtp_path *path)
{
	_answer_ struct directory_answer a = { 0 };
	_cleanup_(user_freep) struct user *u = NULL;
	int r = store_user_get(box->store, peer->user, false, &u);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (u->address && directory_same_address(u->address, path->mailbox))
		return 1;
	if (!path->domain || !is_ours(box, peer, path->domain))
		return 0;
	r = find(box, path->mailbox, &a);
	if (r < 0)
		return directory_knows(r) ? 0 : r;
	return a.n == 1 && a.boxes[0].user && !strcmp(a.boxes[0].user, peer->user);
}

void policy_mail(struct box *box, const struct policy_peer *peer, const struct smtp_path *path,
		 struct envelope *env, struct verdict *v)
{
	char *bare;
	int r;

	v->code = 0;
	if (!*path->text)
		return;
	r = peer->user ? owns(box, peer, path) : 1;
	if (r < 0)
		return refuse_name(v, r, path->mailbox);
	if (!r)
		return verdict_set(v, 553, "5.7.1", "This is not an address of user %s",
				   peer->user);
	if (!path->n_hops || peer->permitted)
		return;
	/* The way back that a stranger names is not ours to take (RFC 5321 3.3). */
	bare = strdup(path->mailbox);
	if (!bare)
		return verdict_set(v, 451, "4.3.0", "Out of memory");
	free(env->from);
	env->from = bare;
}

/*
 * RCPT
 */

static int replace(char **field, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static struct envelope_rcpt *last(struct envelope *env)
{
	return &env->rcpts[env->n_rcpts - 1];
}

/* What the sender wrote, for his notices, where he said nothing else. RFC 3461 5.2.1. */
static int keep_original(struct envelope_rcpt *r)
{
	_free_ char *text = NULL;

	if (r->orcpt)
		return 0;
	if (asprintf(&text, "rfc822;%s", r->address) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return replace(&r->orcpt, text);
}

/*
 * The mailboxes in place of the last recipient. Those beyond the first are added
 * first: when that fails they are dropped, and he is as he was.
 */
static int put_boxes(struct envelope *env, const struct directory_answer *a)
{
	size_t at = env->n_rcpts - 1;
	struct envelope_rcpt was = env->rcpts[at];
	int r = 0;

	if (a->kind != DIRECTORY_MAILBOX || !a->boxes[0].user) {
		r = keep_original(&env->rcpts[at]);
		was = env->rcpts[at];
	}
	for (size_t i = 1; i < a->n && r >= 0; i++)
		r = envelope_add(env, &(struct envelope_rcpt){
			.address = a->boxes[i].address, .user = a->boxes[i].user,
			.orcpt = was.orcpt, .notify = was.notify });
	if (r >= 0)
		r = replace(&env->rcpts[at].user, a->boxes[0].user);
	if (r >= 0 && (a->n > 1 || !a->boxes[0].user))
		r = replace(&env->rcpts[at].address, a->boxes[0].address);
	while (r < 0 && env->n_rcpts > at + 1)
		envelope_drop(env);
	return r;
}

/*
 * SEND is for who sits before his panel (S11); of a list for those of its members who do,
 * and nobody else is to have it.
 */
static void keep_active(struct box *box, struct directory_answer *a)
{
	for (size_t i = a->n; i; i--) {
		const char *user = a->boxes[i - 1].user;

		if (!user || !box->terminals || !terminal_active(box->terminals, user))
			directory_answer_drop(a, i - 1);
	}
}

static bool prints_at_once(struct box *box, const char *user)
{
	struct user *u = NULL;
	bool prints;

	/* One who cannot be looked up now is not turned away for it. */
	if (store_user_get(box->store, user, false, &u) < 0)
		return true;
	prints = u->auto_print;
	user_free(u);
	return prints;
}

/* Would all that this name brings be kept here? */
static bool would_only_stay(struct box *box, const struct directory_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (!a->boxes[i].user || prints_at_once(box, a->boxes[i].user))
			return false;
	return a->n;
}

static void rcpt_here(struct box *box, const struct policy_peer *peer, const char *mailbox,
		      enum smtp_how how, struct envelope *env, struct verdict *v)
{
	_answer_ struct directory_answer a = { 0 };
	int r = find(box, mailbox, &a);

	if (r < 0)
		return refuse_name(v, r, mailbox);
	if (a.kind == DIRECTORY_GONE)
		return verdict_set(v, 551, "5.1.6", "User not local; please try <%s>",
				   a.new_address);
	if (how == SMTP_HOW_SEND)
		keep_active(box, &a);
	if (!a.n)
		return verdict_set(v, 450, "4.2.1", "%s is not active at a panel now", mailbox);
	if (peer->scarce && would_only_stay(box, &a))
		return verdict_set(v, 452, "4.2.2", "No room to keep mail for %s; try again later",
				   mailbox);
	if (env->n_rcpts + a.n > (size_t)box->conf.max_recipients + DIRECTORY_MAILBOXES_MAX)
		return verdict_set(v, 452, "4.5.3", "Too many recipients; send another mail");
	if (put_boxes(env, &a) < 0)
		return verdict_set(v, 452, "4.3.0", "Out of memory");
	if (a.kind == DIRECTORY_MOVED)
		verdict_set(v, 251, "2.1.5", "User not local; will forward to <%s>", a.new_address);
}

static void rcpt_away(const struct policy_peer *peer, const char *address, enum smtp_how how,
		      struct envelope *env, struct verdict *v)
{
	if (!peer->permitted && !peer->user)
		return verdict_set(v, 550, "5.7.1", "Relaying is not for you; log in, or send to "
				   "the host of the recipient");
	if (how == SMTP_HOW_SEND)
		return verdict_set(v, 450, "4.2.1", "Nobody elsewhere is active at a panel here");
	if (replace(&last(env)->address, address) < 0)
		verdict_set(v, 452, "4.3.0", "Out of memory");
}

/*
 * Our name, which stood first in the forward-path, goes to the head of the way back
 * (RFC 821 3.6). Once for a transaction; where it does not fit, the old way stays.
 */
static int lengthen_way_back(struct envelope *env, const char *name)
{
	_free_ char *from = NULL;
	int n;

	if (!*env->from)
		return 0;
	if (env->from[0] == '@' && !strncasecmp(env->from + 1, name, strlen(name)) &&
	    strchr(",:", env->from[1 + strlen(name)]))
		return 0;
	n = asprintf(&from, "@%s%c%s", name, env->from[0] == '@' ? ',' : ':', env->from);
	if (n < 0) {
		from = NULL;
		return -ENOMEM;
	}
	return n + 2 > SMTP_PATH_MAX ? 0 : replace(&env->from, from);
}

static void rcpt_by_route(struct box *box, const struct policy_peer *peer,
			  const struct smtp_path *path, enum smtp_how how, struct envelope *env,
			  struct verdict *v)
{
	const char *rest = path->text, *after, *first, *domain;
	char hop[SMTP_PATH_MAX + 1];
	bool moved = false;
	size_t len;

	if (!peer->permitted)
		return verdict_set(v, 550, "5.7.1", "Source routes are not followed for you");
	while ((first = smtp_path_hop(rest, &len, &after))) {
		snprintf(hop, sizeof(hop), "%.*s", (int)len, first);
		if (!is_ours(box, peer, hop))
			break;
		rest = after;
		moved = true;
	}
	domain = path->domain;
	if (*rest != '@' && (!domain || is_ours(box, peer, domain)))
		return rcpt_here(box, peer, rest, how, env, v);
	rcpt_away(peer, rest, how, env, v);
	if (moved && v->code < 400 && lengthen_way_back(env, box->conf.hostname) < 0)
		verdict_set(v, 452, "4.3.0", "Out of memory");
}

void policy_rcpt(struct box *box, const struct policy_peer *peer, const struct smtp_path *path,
		 enum smtp_how how, struct envelope *env, struct verdict *v)
{
	v->code = 0;
	if (path->n_hops)
		rcpt_by_route(box, peer, path, how, env, v);
	else if (!path->domain || is_ours(box, peer, path->domain))
		rcpt_here(box, peer, path->mailbox, how, env, v);
	else
		rcpt_away(peer, path->mailbox, how, env, v);
}

/*
 * The text
 */

void policy_text(struct box *box, const struct envelope *env, const char *text, size_t len,
		 struct verdict *v)
{
	enum keys_method method = KEYS_ANY;
	int r;

	v->code = 0;
	if (mail_is_encrypted(text, len))
		return;
	for (size_t i = 0; i < env->n_rcpts && !v->code; i++) {
		const char *address = smtp_path_mailbox(env->rcpts[i].address);

		r = env->rcpts[i].user ? 0 : sealing_insists(box, address, &method, NULL);
		if (r < 0)
			verdict_set(v, 451, "4.3.0", "The recipients' table cannot be read");
		else if (r)
			verdict_set(v, 554, "5.7.1", "Mail for <%s> must be encrypted, by %s, and "
				    "this is not: nobody gets it; encrypt it, or send it without "
				    "him", address, method == KEYS_SMIME ? "S/MIME" : "OpenPGP");
	}
}

/*
 * VRFY and EXPN
 */

static bool may_ask(const struct policy_peer *peer)
{
	return peer->permitted || peer->user;
}

/* The argument without spaces and brackets around it: a name or an address. free() */
static char *bare_argument(const char *argument)
{
	size_t len;

	argument += strspn(argument, " \t<");
	len = strlen(argument);
	while (len && strchr(" \t>", argument[len - 1]))
		len--;
	return strndup(argument, len);
}

/* The domain of an address, behind what quotes may hide; NULL: a name alone. */
static const char *domain_of(const char *name)
{
	bool quoted = false;

	for (; *name; name++) {
		if (*name == '\\' && name[1])
			name++;
		else if (*name == '"')
			quoted = !quoted;
		else if (*name == '@' && !quoted)
			return name + 1;
	}
	return NULL;
}

static int add_line(struct buffer *b, const char *name, const char *address)
{
	return buffer_printf(b, "%s%s%s<%s>", b->len ? "\n" : "", name ? name : "",
			     name ? " " : "", address);
}

/* What is said of who has moved is the same to all who ask. */
static bool say_moved(struct verdict *v, const struct directory_answer *a)
{
	if (a->kind == DIRECTORY_MOVED)
		verdict_set(v, 251, "2.1.5", "User not local; will forward to <%s>",
			    a->new_address);
	else if (a->kind == DIRECTORY_GONE)
		verdict_set(v, 551, "5.1.6", "User not local; please try <%s>", a->new_address);
	return a->kind == DIRECTORY_MOVED || a->kind == DIRECTORY_GONE;
}

static void say_boxes(struct verdict *v, const struct directory_answer *a)
{
	int r = 0;

	verdict_set(v, 250, "2.1.5", "%s", "");
	for (size_t i = 0; i < a->n && r >= 0; i++)
		r = add_line(&v->text, a->boxes[i].name, a->boxes[i].address);
	if (r < 0)
		verdict_set(v, 451, "4.3.0", "Out of memory");
}

/* A full name may come as a quoted string (RFC 5321 4.1.1.6). */
static int find_person(struct box *box, const char *name, struct directory_answer *a)
{
	_free_ char *words = directory_local(name);

	return words ? directory_find_person(box->store, &box->conf, words, a) : -ENOMEM;
}

/* 0, or the verdict is a refusal. */
static int ask(struct box *box, const struct policy_peer *peer, const char *name, bool persons,
	       struct directory_answer *a, struct verdict *v)
{
	const char *domain = domain_of(name);
	int r;

	if (domain && !is_ours(box, peer, domain)) {
		verdict_set(v, persons ? 252 : 550, persons ? "2.5.2" : "5.1.2",
			    "%s is not a domain of this host", domain);
		return -EREMOTE;
	}
	r = find(box, name, a);
	if (r == -ENOENT && persons && !domain)
		r = find_person(box, name, a);
	if (r < 0)
		refuse_name(v, r, name);
	return r;
}

void policy_vrfy(struct box *box, const struct policy_peer *peer, const char *argument,
		 struct verdict *v)
{
	_answer_ struct directory_answer a = { 0 };
	_free_ char *name = bare_argument(argument);

	if (!name)
		return verdict_set(v, 451, "4.3.0", "Out of memory");
	if (!may_ask(peer))
		return verdict_set(v, 252, "2.5.2", "Names are not told here; mail for them will "
				   "be tried");
	if (ask(box, peer, name, true, &a, v) < 0 || say_moved(v, &a))
		return;
	if (a.kind != DIRECTORY_LIST)
		return say_boxes(v, &a);
	verdict_set(v, 250, "2.1.5", "%s%s<%.*s@%s>", a.title ? a.title : "", a.title ? " " : "",
		    (int)strcspn(name, "@"), name, box->conf.hostname);
}

void policy_expn(struct box *box, const struct policy_peer *peer, const char *argument,
		 struct verdict *v)
{
	_answer_ struct directory_answer a = { 0 };
	_free_ char *name = bare_argument(argument);

	if (!name)
		return verdict_set(v, 451, "4.3.0", "Out of memory");
	if (!may_ask(peer))
		return verdict_set(v, 550, "5.7.1", "Access denied to you");
	if (ask(box, peer, name, false, &a, v) >= 0 && !say_moved(v, &a))
		say_boxes(v, &a);
}

/*
 * TURN
 */

void policy_turn(struct box *box, const struct policy_peer *peer, const char *helo,
		 struct verdict *v)
{
	v->code = 0;
	if (!peer->permitted || !peer->user || !turn_allows(&box->conf, peer->user, helo))
		verdict_set(v, 502, "5.7.1", "The roles are not changed for you");
	else if (!box->queue || !queue_has_line(box->queue))
		verdict_set(v, 502, "5.3.2", "The roles cannot be changed now; come back later");
}
