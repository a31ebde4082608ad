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
#define NAMES_MAX  1000		/* aliases and lists looked into for one name */

static void user_freep(struct user **u)
{
	user_free(*u);
}

static void alias_freep(struct alias **a)
{
	alias_free(*a);
}

void directory_answer_free(struct directory_answer *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->boxes[i].address);
		free(a->boxes[i].user);
		free(a->boxes[i].name);
	}
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

/* What is still to be looked into, each name once: lists may hold each other. */
struct names {
	char *names[NAMES_MAX];
	size_t n;
};

static int add_name(struct names *w, char *name)
{
	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++) {
		if (!strcasecmp(w->names[i], name)) {
			free(name);
			return 0;
		}
	}
	if (w->n == NAMES_MAX) {
		free(name);
		return -EMLINK;
	}
	w->names[w->n++] = name;
	return 0;
}

static int add_member(struct directory_answer *a, struct store *s, const struct conf *c,
		      struct names *w, const char *member)
{
	const char *at = strrchr(member, '@');

	if (at && !directory_is_ours(c, at + 1))
		return add_foreign(a, s, member);
	return add_name(w, directory_local(member));
}

/* A member of whom nothing is known any more does not keep the others from their mail. */
static int expand_name(struct directory_answer *a, struct store *s, const struct conf *c,
		       struct names *w, const char *name)
{
	_cleanup_(alias_freep) struct alias *alias = NULL;
	_cleanup_(user_freep) struct user *u = NULL;
	int r = find_user(s, c, name, &u);

	if (r != -ENOENT)
		return r == -ENOTUNIQ ? 0 : r < 0 ? r : add_user(a, c, u);
	r = store_alias_get(s, name, &alias);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (alias->kind == ALIAS_GONE)
		return 0;
	for (size_t i = 0; alias->members[i] && r >= 0; i++)
		r = add_member(a, s, c, w, alias->members[i]);
	return r;
}

static int expand(struct directory_answer *a, struct store *s, const struct conf *c,
		  const struct alias *alias)
{
	struct names *w = calloc(1, sizeof(*w));
	int r = w ? 0 : -ENOMEM;

	for (size_t i = 0; alias->members[i] && r >= 0; i++)
		r = add_member(a, s, c, w, alias->members[i]);
	for (size_t i = 0; r >= 0 && i < w->n; i++)
		r = expand_name(a, s, c, w, w->names[i]);
	for (size_t i = 0; w && i < w->n; i++)
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
