/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How it is built: a turn stands in the queue "later" until it is due, and then
 * in its server's queue of its class. A server that may have another line of a
 * class, and has somebody for it, stands in the queue "open" of that class, by its
 * first's time: the next is always at the top of one of three heaps.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "service/turns.h"

struct door {
	struct due due;			/* first; in turns.open[] */
	struct turn_server *server;
};

struct turn_server {
	struct turns *turns;
	char *host;
	uint16_t port;
	size_t refs;			/* turns that wait here or have a line */
	size_t lines;
	struct due_queue ready[_TURN_CLASSES];
	struct door doors[_TURN_CLASSES];
	struct rest {
		struct due due;		/* first; in turns.resting */
		struct turn_server *server;
	} rest;
	unsigned int failures;		/* in a row */
	bool rests;
};

struct turns {
	size_t most, most_each, running;
	uint64_t rest_max;
	void *servers;			/* tree */
	size_t n_servers;
	struct due_queue later;
	struct due_queue open[_TURN_CLASSES];
	struct due_queue resting;
	size_t n_ready[_TURN_CLASSES];
	bool held[_TURN_CLASSES];
};

int turns_new(struct turns **ret, size_t most, size_t most_each, uint64_t rest_max)
{
	struct turns *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->most = most;
	t->most_each = most_each;
	t->rest_max = rest_max;
	*ret = t;
	return 0;
}

void turns_free(struct turns *t)
{
	if (!t)
		return;
	due_queue_free(&t->later);
	due_queue_free(&t->resting);
	for (int i = 0; i < _TURN_CLASSES; i++)
		due_queue_free(&t->open[i]);
	free(t);
}

/*
 * Servers
 */

static int compare_servers(const void *a, const void *b)
{
	const struct turn_server *x = a, *y = b;
	int r = strcasecmp(x->host, y->host);

	return r ? r : (x->port > y->port) - (x->port < y->port);
}

/* In the queues that a server enters by itself, so that it does not fail there. */
static int make_room(struct turns *t)
{
	int r = due_reserve(&t->resting, t->n_servers + 1);

	for (int i = 0; r >= 0 && i < _TURN_CLASSES; i++)
		r = due_reserve(&t->open[i], t->n_servers + 1);
	return r;
}

static void server_free(struct turn_server *s)
{
	for (int i = 0; i < _TURN_CLASSES; i++)
		due_queue_free(&s->ready[i]);
	free(s->host);
	free(s);
}

static struct turn_server *new_server(struct turns *t, const char *host, uint16_t port)
{
	struct turn_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->turns = t;
	s->port = port;
	s->host = strdup(host);
	s->rest.server = s;
	for (int i = 0; i < _TURN_CLASSES; i++)
		s->doors[i].server = s;
	if (!s->host || make_room(t) < 0 || !tsearch(s, &t->servers, compare_servers)) {
		server_free(s);
		return NULL;
	}
	t->n_servers++;
	return s;
}

static struct turn_server *get_server(struct turns *t, const char *host, uint16_t port)
{
	const struct turn_server key = { .host = (char *)host, .port = port };
	void *found = tfind(&key, &t->servers, compare_servers);

	return found ? *(struct turn_server **)found : new_server(t, host, port);
}

static void put_server(struct turn_server *s)
{
	if (--s->refs)
		return;
	due_remove(&s->turns->resting, &s->rest.due);
	tdelete(s, &s->turns->servers, compare_servers);
	s->turns->n_servers--;
	server_free(s);
}

static bool may_have_line(const struct turn_server *s, enum turn_class class)
{
	if (s->lines >= s->turns->most_each)
		return false;
	/* One tries whether it is there again. */
	return class == TURN_REQUESTED || !s->failures || (!s->rests && !s->lines);
}

/* Opens or closes the server's doors: whatever changed about it. */
static void refresh(struct turn_server *s)
{
	for (int i = 0; i < _TURN_CLASSES; i++) {
		struct due *first = due_first(&s->ready[i]);

		if (first && may_have_line(s, i))
			due_set(&s->turns->open[i], &s->doors[i].due, first->when);
		else
			due_remove(&s->turns->open[i], &s->doors[i].due);
	}
}

/*
 * Waiting
 */

static bool is_ready(const struct turns *t, const struct turn *turn)
{
	return turn->in && turn->in != &t->later;
}

static void leave(struct turns *t, struct turn *turn)
{
	bool ready = is_ready(t, turn);

	if (!turn->in)
		return;
	due_remove(turn->in, &turn->due);
	turn->in = NULL;
	if (ready) {
		t->n_ready[turn->class]--;
		refresh(turn->server);
	}
}

/* Into "later", which takes back without fail what it has just given. */
static int enter_later(struct turns *t, struct turn *turn, uint64_t when)
{
	int r = due_set(&t->later, &turn->due, when);

	if (r >= 0)
		turn->in = &t->later;
	return r;
}

int turn_move(struct turns *t, struct turn *turn, enum turn_class class, uint64_t when)
{
	if (is_ready(t, turn))
		leave(t, turn);
	turn->class = class;
	return enter_later(t, turn, when);
}

int turn_set(struct turns *t, struct turn *turn, const char *host, uint16_t port,
	     enum turn_class class, uint64_t when)
{
	struct turn_server *s = get_server(t, host, port), *old = turn->server;
	int r;

	if (!s)
		return -ENOMEM;
	s->refs++;
	if (old != s)
		leave(t, turn);
	turn->server = s;
	r = turn_move(t, turn, class, when);
	if (old)
		put_server(old);
	return r;
}

void turn_remove(struct turns *t, struct turn *turn)
{
	leave(t, turn);
	turn->again = false;
}

void turn_forget(struct turns *t, struct turn *turn)
{
	turn_remove(t, turn);
	if (turn->server)
		put_server(turn->server);
	turn->server = NULL;
}

/* The soonest of "later" is due: it waits at its server's. False: there is no memory for that. */
static bool make_ready(struct turns *t, struct turn *turn)
{
	struct due_queue *q = &turn->server->ready[turn->class];
	uint64_t when = turn->due.when;

	leave(t, turn);
	if (turn->line) {
		turn->again = true;
		return true;
	}
	if (due_set(q, &turn->due, when) < 0) {
		enter_later(t, turn, when);
		return false;
	}
	turn->in = q;
	t->n_ready[turn->class]++;
	refresh(turn->server);
	return true;
}

static void wake_servers(struct turns *t, uint64_t now)
{
	struct rest *rest;

	while ((rest = (struct rest *)due_first(&t->resting)) && rest->due.when <= now) {
		due_remove(&t->resting, &rest->due);
		rest->server->rests = false;
		refresh(rest->server);
	}
}

static struct turn *give_line(struct turns *t, struct turn_server *s, enum turn_class class)
{
	struct turn *turn = (struct turn *)due_first(&s->ready[class]);

	due_remove(turn->in, &turn->due);
	turn->in = NULL;
	t->n_ready[class]--;
	turn->line = s;
	s->refs++;
	s->lines++;
	t->running++;
	refresh(s);
	return turn;
}

struct turn *turns_next(struct turns *t, uint64_t now)
{
	struct due *first;

	while ((first = due_first(&t->later)) && first->when <= now)
		if (!make_ready(t, (struct turn *)first))
			break;
	wake_servers(t, now);
	if (t->running >= t->most)
		return NULL;
	for (int i = 0; i < _TURN_CLASSES; i++) {
		struct door *door = (struct door *)due_first(&t->open[i]);

		if (door && !t->held[i])
			return give_line(t, door->server, i);
	}
	return NULL;
}

/* How long a server rests that has failed so often in a row. */
static uint64_t rest_of(const struct turns *t, unsigned int failures, uint64_t rest)
{
	while (--failures && rest < t->rest_max)
		rest *= 2;
	return rest < t->rest_max ? rest : t->rest_max;
}

void turn_ended(struct turns *t, struct turn *turn, enum turn_end end, uint64_t now, uint64_t rest)
{
	struct turn_server *s = turn->line;

	turn->line = NULL;
	t->running--;
	s->lines--;
	if (end == TURN_WENT) {
		s->failures = 0;
		s->rests = false;
		due_remove(&t->resting, &s->rest.due);
	} else if (end == TURN_UNREACHED && !s->rests) {
		/* Lines that failed together are one failure. */
		s->rests = true;
		due_set(&t->resting, &s->rest.due, now + rest_of(t, ++s->failures, rest));
	}
	refresh(s);
	put_server(s);
}

uint64_t turns_when(const struct turns *t)
{
	struct due *later = due_first(&t->later), *rest = due_first(&t->resting);
	uint64_t when = UINT64_MAX;

	if (t->running >= t->most)
		return when;
	for (int i = 0; i < _TURN_CLASSES; i++)
		if (!t->held[i] && due_first(&t->open[i]))
			return 0;
	if (later)
		when = later->when;
	return rest && rest->when < when ? rest->when : when;
}

void turns_hold(struct turns *t, enum turn_class class, bool held)
{
	t->held[class] = held;
}

bool turns_waiting(const struct turns *t, enum turn_class class)
{
	return t->n_ready[class];
}

size_t turns_running(const struct turns *t)
{
	return t->running;
}
