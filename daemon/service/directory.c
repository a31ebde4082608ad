/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "service/directory.h"

#define POSTMASTER "postmaster"
#define NAMES_MAX  1000		/* looked into for one name */
#define DEPTH_MAX  50		/* of lists in lists */

static void alias_freep(struct alias **a)
{
	alias_free(*a);
}

static void free_box(struct mailbox *m)
{
	free(m->address);
	free(m->user);
	free(m->name);
}

void directory_answer_drop(struct directory_answer *a, size_t i)
{
	free_box(&a->boxes[i]);
	a->n--;
	memmove(&a->boxes[i], &a->boxes[i + 1], (a->n - i) * sizeof(a->boxes[0]));
}

void directory_answer_free(struct directory_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		free_box(&a->boxes[i]);
	free(a->boxes);
	free(a->title);
	free(a->new_address);
	*a = (struct directory_answer){ 0 };
}

/*
 * Domains and local parts
 */

/* The next word of @words into @word: false when there is none. */
static bool next_word(const char **words, char *word, size_t size)
{
	size_t len;

	*words += strspn(*words, " \t");
	len = strcspn(*words, " \t");
	if (!len || len >= size)
		return false;
	memcpy(word, *words, len);
	word[len] = '\0';
	*words += len;
	return true;
}

bool directory_is_ours(const struct conf *c, const char *domain)
{
	const char *words = c->domains ? c->domains : c->hostname;
	char word[256];

	while (next_word(&words, word, sizeof(word)))
		if (!strcasecmp(word, domain))
			return true;
	return false;
}

bool directory_is_us(const struct conf *c, const char *domain)
{
	return !strcasecmp(c->hostname, domain) || directory_is_ours(c, domain);
}

char *directory_local(const char *mailbox)
{
	size_t len = strlen(mailbox), n = 0;
	char *local = malloc(len + 1);
	bool quoted = false;

	for (const char *p = mailbox; local && *p && (quoted || *p != '@'); p++) {
		if (*p == '"') {
			quoted = !quoted;
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		local[n++] = *p;
	}
	if (local)
		local[n] = '\0';
	return local;
}

/*
 * The answer grows
 */

static bool has_box(const struct directory_answer *a, const char *address, const char *user)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct mailbox *m = &a->boxes[i];

		if (user ? m->user && !strcmp(m->user, user) :
			   !m->user && !strcmp(m->address, address))
			return true;
	}
	return false;
}

/* Once each. -EMLINK: too many. */
static int add_box(struct directory_answer *a, const char *address, const char *user,
		   const char *name)
{
	struct mailbox m = { 0 };
	int r;

	if (has_box(a, address, user))
		return 0;
	if (a->n == DIRECTORY_MAILBOXES_MAX)
		return -EMLINK;
	if (!(a->n & (a->n - 1))) {
		void *p = reallocarray(a->boxes, a->n ? 2 * a->n : 1, sizeof(m));

		if (!p)
			return -ENOMEM;
		a->boxes = p;
	}
	r = job_set(&m.address, address);
	if (r >= 0)
		r = job_set(&m.user, user);
	if (r >= 0)
		r = job_set(&m.name, name);
	a->boxes[a->n++] = m;
	return r;
}

/* By his address where it is one of ours, else by his code: both reach him here. */
static int add_user(struct directory_answer *a, const struct conf *c, const struct user *u)
{
	const char *at = u->address ? strrchr(u->address, '@') : NULL;
	_free_ char *address = NULL;

	if (at && directory_is_ours(c, at + 1))
		return add_box(a, u->address, u->code, u->name);
	if (asprintf(&address, "%s@%s", u->code, c->hostname) < 0) {
		address = NULL;
		return -ENOMEM;
	}
	return add_box(a, address, u->code, u->name);
}

/* Of people elsewhere a name may be known, too. */
static int add_foreign(struct directory_answer *a, struct store *s, const char *address)
{
	struct recipient *known = NULL;
	int r;

	if (store_recipient_get(s, address, &known) < 0)
		known = NULL;
	r = add_box(a, address, NULL, known ? known->name : NULL);
	recipient_free(known);
	return r;
}

/*
 * Names to mailboxes
 */

/* By his code, or by an address in one of our domains. */
static int find_user(struct store *s, const struct conf *c, const char *local, struct user **ret)
{
	const char *words = c->domains ? c->domains : c->hostname;
	_cleanup_(user_freep) struct user *found = NULL;
	char word[256];
	int r = store_user_get(s, local, false, &found);

	if (r < 0 && r != -ENOENT)
		return r;
	while (next_word(&words, word, sizeof(word))) {
		_cleanup_(user_freep) struct user *u = NULL;
		_free_ char *address = NULL;

		if (asprintf(&address, "%s@%s", local, word) < 0) {
			address = NULL;
			return -ENOMEM;
		}
		r = store_user_find(s, address, false, &u);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		if (found && strcmp(found->code, u->code))
			return -ENOTUNIQ;
		if (!found)
			found = take_ptr(u);
	}
	*ret = take_ptr(found);
	return *ret ? 0 : -ENOENT;
}

/* The walk through lists, which may hold each other: names met so far, each looked into once. */
struct walk {
	struct store *store;
	const struct conf *conf;
	struct directory_answer *answer;
	unsigned int depth;
	size_t n;
	char *names[NAMES_MAX];
};

/* 1: @name is new, 0: it was met before. */
static int meet(struct walk *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (!strcasecmp(w->names[i], name))
			return 0;
	if (w->n == NAMES_MAX)
		return -EMLINK;
	w->names[w->n] = strdup(name);
	if (!w->names[w->n])
		return -ENOMEM;
	w->n++;
	return 1;
}

static int walk_members(struct walk *w, const struct alias *alias);

/*
 * A member of whom nothing is known any more does not keep the others from their mail.
 * One whom two users could be does: the sender hears of it, and no mail is lost.
 */
static int walk_name(struct walk *w, const char *name)
{
	_cleanup_(alias_freep) struct alias *alias = NULL;
	_cleanup_(user_freep) struct user *u = NULL;
	int r = find_user(w->store, w->conf, name, &u);

	if (r != -ENOENT)
		return r < 0 ? r : add_user(w->answer, w->conf, u);
	r = store_alias_get(w->store, name, &alias);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return alias->kind == ALIAS_GONE ? 0 : walk_members(w, alias);
}

static int walk_member(struct walk *w, const char *member)
{
	const char *at = strrchr(member, '@');
	_free_ char *local = NULL;
	int r;

	if (at && !directory_is_ours(w->conf, at + 1))
		return add_foreign(w->answer, w->store, member);
	local = directory_local(member);
	r = local ? meet(w, local) : -ENOMEM;
	return r == 1 ? walk_name(w, local) : r;
}

static int walk_members(struct walk *w, const struct alias *alias)
{
	int r = 0;

	if (++w->depth > DEPTH_MAX)
		return -EMLINK;
	for (size_t i = 0; alias->members[i] && r >= 0; i++)
		r = walk_member(w, alias->members[i]);
	w->depth--;
	return r;
}

static int expand(struct directory_answer *a, struct store *s, const struct conf *c,
		  const struct alias *alias)
{
	struct walk *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->store = s;
	w->conf = c;
	w->answer = a;
	r = walk_members(w, alias);
	for (size_t i = 0; i < w->n; i++)
		free(w->names[i]);
	free(w);
	return r < 0 ? r : a->n ? 0 : -EMLINK;
}

static int take_alias(struct directory_answer *a, struct store *s, const struct conf *c,
		      const struct alias *alias)
{
	int r = job_set(&a->title, alias->title);

	if (r >= 0 && alias->kind != ALIAS_PLAIN)
		r = job_set(&a->new_address, alias->members[0]);
	a->kind = DIRECTORY_GONE;
	if (r < 0 || alias->kind == ALIAS_GONE)
		return r;
	r = expand(a, s, c, alias);
	if (alias->kind == ALIAS_MOVED)
		a->kind = DIRECTORY_MOVED;
	else
		a->kind = alias->members[1] || a->n > 1 ? DIRECTORY_LIST : DIRECTORY_MAILBOX;
	return r;
}

/* Where no alias says who it is, the first of the users. */
static int take_postmaster(struct directory_answer *a, struct store *s, const struct conf *c)
{
	struct user **users = NULL;
	size_t n = 0;
	int r = store_user_list(s, &users, &n);

	if (r >= 0)
		r = n ? add_user(a, c, users[0]) : -EAGAIN;
	user_list_free(users, n);
	return r;
}

int directory_find(struct store *s, const struct conf *c, const char *local,
		   struct directory_answer *ret)
{
	_cleanup_(alias_freep) struct alias *alias = NULL;
	_cleanup_(user_freep) struct user *u = NULL;
	struct directory_answer a = { 0 };
	int r = find_user(s, c, local, &u);

	if (r >= 0) {
		r = add_user(&a, c, u);
	} else if (r == -ENOENT) {
		r = store_alias_get(s, local, &alias);
		if (r >= 0)
			r = take_alias(&a, s, c, alias);
		else if (r == -ENOENT && !strcasecmp(local, POSTMASTER))
			r = take_postmaster(&a, s, c);
	}
	if (r < 0) {
		directory_answer_free(&a);
		return r;
	}
	*ret = a;
	return 0;
}

bool directory_same_address(const char *a, const char *b)
{
	const char *at = strrchr(a, '@');
	size_t local = at ? (size_t)(at - a) : 0;

	return at && !strncmp(a, b, local) && !strcasecmp(at, b + local);
}

bool directory_knows(int r)
{
	return r == -ENOENT || r == -ENOTUNIQ || r == -EMLINK || r == -EAGAIN;
}

static int is_address_of(struct store *s, const char *mailbox, const char *code)
{
	_cleanup_(user_freep) struct user *u = NULL;
	int r = store_user_get(s, code, false, &u);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return u->address && directory_same_address(u->address, mailbox);
}

int directory_reaches(struct store *s, const struct conf *c, const char *mailbox,
		      const char *code)
{
	const char *at = strrchr(mailbox, '@');
	struct directory_answer a = { 0 };
	_free_ char *local = NULL;
	int r = is_address_of(s, mailbox, code);

	if (r || (at && !directory_is_us(c, at + 1)))
		return r;
	local = directory_local(mailbox);
	r = local ? directory_find(s, c, local, &a) : -ENOMEM;
	if (r < 0)
		return directory_knows(r) ? 0 : r;
	for (size_t i = 0; i < a.n && !r; i++)
		r = a.boxes[i].user && !strcmp(a.boxes[i].user, code);
	directory_answer_free(&a);
	return r;
}

/* Does @name have the words of @words, next to each other? */
static bool has_words(const char *name, const char *words)
{
	size_t len = strlen(words);

	for (const char *p = name; p && *p; p++)
		if (!strncasecmp(p, words, len) && (p == name || isspace((unsigned char)p[-1])) &&
		    (!p[len] || isspace((unsigned char)p[len])))
			return true;
	return false;
}

int directory_find_person(struct store *s, const struct conf *c, const char *words,
			  struct directory_answer *ret)
{
	struct directory_answer a = { 0 };
	struct user **users = NULL;
	size_t n = 0;
	int r = *words ? store_user_list(s, &users, &n) : 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		if (!has_words(users[i]->name, words))
			continue;
		r = a.n ? -ENOTUNIQ : add_user(&a, c, users[i]);
	}
	user_list_free(users, n);
	if (r >= 0 && !a.n)
		r = -ENOENT;
	if (r < 0) {
		directory_answer_free(&a);
		return r;
	}
	*ret = a;
	return 0;
}
