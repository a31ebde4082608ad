/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose mailbox is next: by time, by class, and by what its server bears. Knows
 * no clock and no socket: the caller says what time it is.
 *
 * Of what is due, whoever asked comes first, then all users with automatic print,
 * then the others; within a class who waits longest. A server has so many lines
 * and no more; one that could not be reached rests, each time twice as long, and
 * is then tried by one mailbox alone. "Collect now" does not wait for that.
 *
 * A struct turn lies in the caller's mailbox, zeroed at first, and stays his; he
 * calls turn_forget() before it goes.
 */
#ifndef IFAX_SERVICE_TURNS_H
#define IFAX_SERVICE_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/due.h"

struct turns;
struct turn_server;

enum turn_class {
	TURN_REQUESTED,
	TURN_PRINTS,
	TURN_KEEPS,
	_TURN_CLASSES
};

struct turn {
	struct due due;			/* first */
	struct due_queue *in;		/* NULL: it does not wait */
	enum turn_class class;
	struct turn_server *server;	/* where it waits */
	struct turn_server *line;	/* where it has a line, NULL = it has none */
	bool again;			/* became due while it had one */
};

enum turn_end {
	TURN_WENT,		/* the server answered, whatever it said */
	TURN_UNREACHED,		/* it did not */
	TURN_BROKEN_OFF,	/* by us: nothing is known */
};

/* @most lines, @most_each to one server, which rests for @rest_max at most. */
int turns_new(struct turns **ret, size_t most, size_t most_each, uint64_t rest_max);
void turns_free(struct turns *t);	/* when every turn is forgotten; NULL is fine */

/*
 * @turn waits until @when, for its mailbox on that server; it may wait already, and it
 * may have a line. -ENOMEM, which cannot be where it waits already.
 */
int turn_set(struct turns *t, struct turn *turn, const char *host, uint16_t port,
	     enum turn_class class, uint64_t when);
/* The same where it waited last; it must have been set once. */
int turn_move(struct turns *t, struct turn *turn, enum turn_class class, uint64_t when);
void turn_remove(struct turns *t, struct turn *turn);	/* waits no more */
void turn_forget(struct turns *t, struct turn *turn);

/* Who has a line now, NULL = nobody: it waits no more, and gives it back by turn_ended(). */
struct turn *turns_next(struct turns *t, uint64_t now);
/* Its line is free. A server that was not @reached rests for @rest, doubled by each failure. */
void turn_ended(struct turns *t, struct turn *turn, enum turn_end end, uint64_t now, uint64_t rest);
/* When turns_next() may have somebody, if nothing happens before; UINT64_MAX: not by itself. */
uint64_t turns_when(const struct turns *t);
/* Nobody of @class gets a line while it is held. */
void turns_hold(struct turns *t, enum turn_class class, bool held);
/* Does anybody of @class who is due wait? As of the last turns_next(). */
bool turns_waiting(const struct turns *t, enum turn_class class);
size_t turns_running(const struct turns *t);

#endif
