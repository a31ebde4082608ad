/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is meant by a name at this box: users, aliases, lists (store/store.h), and
 * the postmaster, whom every mail host has. Names are local parts; what domains
 * are ours stands in the configuration.
 */
#ifndef IFAX_SERVICE_DIRECTORY_H
#define IFAX_SERVICE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "service/conf.h"
#include "store/store.h"

#define DIRECTORY_MAILBOXES_MAX 1000	/* behind one name */

/* Strings are owned. */
struct mailbox {
	char *address;
	char *user;		/* code of a user of this box, NULL: elsewhere */
	char *name;		/* full name, may be NULL */
};

enum directory_kind {
	DIRECTORY_MAILBOX,	/* one: a user, or where an alias leads */
	DIRECTORY_LIST,
	DIRECTORY_MOVED,	/* taken, and the sender told the new address */
	DIRECTORY_GONE,		/* not taken, and the sender told */
};

struct directory_answer {
	enum directory_kind kind;
	char *title;		/* of a list or alias, may be NULL */
	char *new_address;	/* of who has moved */
	struct mailbox *boxes;
	size_t n;		/* 1 at the least, but of who is gone */
};

/*
 * Zeroed or from here; directory_answer_free(). -ENOENT: nobody has this name;
 * -ENOTUNIQ: several users have, or that of one in the list; -EMLINK: the list leads
 * nowhere, or to too many; -EAGAIN: there is no user at all who could be the postmaster.
 */
int directory_find(struct store *s, const struct conf *c, const char *local,
		   struct directory_answer *ret);
/* The same by words of a user's full name, in any case (VRFY). */
int directory_find_person(struct store *s, const struct conf *c, const char *words,
			  struct directory_answer *ret);
/* Takes the mailbox @i out. */
void directory_answer_drop(struct directory_answer *a, size_t i);
void directory_answer_free(struct directory_answer *a);
/* Is the error @r of these an answer about the name, and not that it cannot be looked up? */
bool directory_knows(int r);

/* Is @domain one of ours? Address literals are the caller's to judge. */
bool directory_is_ours(const struct conf *c, const char *domain);
/* The same, or our own name, which users have addresses at even where it is not in Domains=. */
bool directory_is_us(const struct conf *c, const char *domain);
/* As they are compared: case matters left of the "@" alone. */
bool directory_same_address(const char *a, const char *b);
/* 1: mail to @mailbox comes to user @code, by his own address or a name here that leads to him. */
int directory_reaches(struct store *s, const struct conf *c, const char *mailbox,
		      const char *code);
/*
 * The local part of @mailbox ("local@domain", or a local part alone) with quotes and
 * backslashes undone, as names are compared. free(); NULL: out of memory.
 */
char *directory_local(const char *mailbox);

#endif
