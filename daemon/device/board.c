/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "device/board.h"

#define SETTLE_USEC	150000	/* between a board's nodes, where the kernel does not count them */
#define LATE_USEC	2000000	/* a node that has not come by then is done without */
#define NODES_MAX	4	/* of a board that are used */

/*
 * The coder is opened twice: the kernel shares it between opens, so a page that
 * waits for paper never stands in the way of one being scanned.
 */
struct board_entry {
	struct board board;
	struct boards *boards;
	struct board_entry *next;
	struct func *scan;
	struct func *print;
	struct func *encode;
	struct func *decode;
	bool added;
	bool dead;		/* a node went: to be taken apart by the timer */
	sd_event_source *timer;
};

struct boards {
	sd_event *event;
	const struct func_sys *sys;
	const struct board_handlers *handlers;
	void *userdata;
	struct board_entry *first;
};

int boards_new(struct boards **ret, sd_event *event, const struct func_sys *sys,
	       const struct board_handlers *handlers, void *userdata)
{
	struct boards *bs = calloc(1, sizeof(*bs));

	if (!bs)
		return -ENOMEM;
	bs->event = sd_event_ref(event);
	bs->sys = sys ?: &func_sys_linux;
	bs->handlers = handlers;
	bs->userdata = userdata;
	*ret = bs;
	return 0;
}

/*
 * The same order each time: the page in hand ends, who uses the board lets go,
 * then what it is made of.
 */
static void take_apart(struct board_entry *b)
{
	struct boards *bs = b->boards;

	if (b->board.scanner)
		b->board.scanner->ops->stop(b->board.scanner);
	if (b->board.printer)
		b->board.printer->ops->stop(b->board.printer);
	if (b->added) {
		b->added = false;
		bs->handlers->removed(bs->userdata, &b->board);
	}
	scanner_free(b->board.scanner);
	printer_free(b->board.printer);
	b->board.scanner = NULL;
	b->board.printer = NULL;
}

static void close_gone(struct func **f)
{
	if (*f && (*f)->gone) {
		func_close(*f);
		*f = NULL;
	}
}

static void entry_free(struct board_entry *b)
{
	struct board_entry **link = &b->boards->first;

	while (*link != b)
		link = &(*link)->next;
	*link = b->next;
	sd_event_source_disable_unref(b->timer);
	func_close(b->scan);
	func_close(b->print);
	func_close(b->encode);
	func_close(b->decode);
	free(b);
}

void boards_free(struct boards *bs)
{
	if (!bs)
		return;
	while (bs->first) {
		take_apart(bs->first);
		entry_free(bs->first);
	}
	sd_event_unref(bs->event);
	free(bs);
}

static int arm(struct board_entry *b, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(b->timer, usec);

	return r < 0 ? r : sd_event_source_set_enabled(b->timer, SD_EVENT_ONESHOT);
}

static void on_change(void *userdata)
{
	struct board_entry *b = userdata;
	struct func *const funcs[NODES_MAX] = { b->scan, b->print, b->encode, b->decode };

	for (size_t i = 0; i < ARRAY_SIZE(funcs); i++)
		if (funcs[i] && funcs[i]->gone) {
			b->dead = true;
			arm(b, 0);
			return;
		}
	if (b->added)
		b->boards->handlers->changed(b->boards->userdata, &b->board);
}

static void name_board(struct board_entry *b)
{
	const struct func *any = b->scan ?: b->print ?: b->encode;

	b->board.model = (const char *)any->info.board;
	b->board.serial = (const char *)any->info.serial;
	b->board.driver = (const char *)any->info.driver;
	b->board.has_coder = b->encode != NULL;
}

/* How long the board's nodes may still be on their way. */
static uint64_t patience(const struct board_entry *b)
{
	const struct func *any = b->scan ?: b->print ?: b->encode;
	uint32_t here = (b->scan ? 1u << FAX_FUNC_SCAN : 0) |
			(b->print ? 1u << FAX_FUNC_PRINT : 0) |
			(b->encode ? 1u << FAX_FUNC_CODEC : 0);

	if (!any->info.functions)
		return SETTLE_USEC;
	return any->info.functions & ~here ? LATE_USEC : 0;
}

static int put_together(struct board_entry *b)
{
	int r;

	name_board(b);
	if (b->scan) {
		r = scanner_new(&b->board.scanner, b->scan, b->encode);
		if (r < 0)
			return r;
		scanner_on_change(b->board.scanner, on_change, b);
	}
	if (b->print) {
		r = printer_new(&b->board.printer, b->print, b->decode);
		if (r < 0)
			return r;
		printer_on_change(b->board.printer, on_change, b);
	}
	b->added = true;
	b->boards->handlers->added(b->boards->userdata, &b->board);
	return 0;
}

/* Nodes have settled, or one has gone. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct board_entry *b = userdata;

	take_apart(b);
	close_gone(&b->scan);
	close_gone(&b->print);
	close_gone(&b->encode);
	close_gone(&b->decode);
	if (!b->scan && !b->print && !b->encode) {
		entry_free(b);
		return 0;
	}
	if (b->dead) {
		b->dead = false;
		return arm(b, patience(b));
	}
	/* Out of memory: tried again rather than forgotten. */
	return put_together(b) >= 0 ? 0 : arm(b, 10 * SETTLE_USEC);
}

static struct board_entry *entry_find(struct boards *bs, uint64_t id)
{
	for (struct board_entry *b = bs->first; b; b = b->next)
		if (b->board.id == id)
			return b;
	return NULL;
}

static struct board_entry *entry_new(struct boards *bs, uint64_t id)
{
	struct board_entry *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->boards = bs;
	b->board.id = id;
	if (sd_event_add_time_relative(bs->event, &b->timer, CLOCK_MONOTONIC, SETTLE_USEC, 0,
				       on_timer, b) < 0) {
		free(b);
		return NULL;
	}
	b->next = bs->first;
	bs->first = b;
	return b;
}

static bool has_node(const struct func *f, const char *node)
{
	return f && !strcmp(f->node, node);
}

/*
 * A name may be a new board's already while what had it before waits for the
 * timer: @gone says which is meant.
 */
static struct board_entry *entry_of_node(struct boards *bs, const char *node, bool gone)
{
	for (struct board_entry *b = bs->first; b; b = b->next) {
		struct func *const funcs[] = { b->scan, b->print, b->encode };

		for (size_t i = 0; i < ARRAY_SIZE(funcs); i++)
			if (has_node(funcs[i], node) && funcs[i]->gone == gone)
				return b;
	}
	return NULL;
}

/* Gives @f its place in its board; a second one of a kind has none. */
static int place(struct boards *bs, struct func *f, struct error *e)
{
	struct board_entry *b = entry_find(bs, f->info.board_id);
	struct func **slot;

	if (!b)
		b = entry_new(bs, f->info.board_id);
	if (!b)
		return error_set(e, -ENOMEM, "Out of memory.");
	slot = f->info.function == FAX_FUNC_SCAN  ? &b->scan :
	       f->info.function == FAX_FUNC_PRINT ? &b->print :
						    &b->encode;
	if (*slot)
		return error_set(e, -EEXIST,
				 "%s is a second one of its kind on its board; it is not used.",
				 f->node);
	if (f->info.function == FAX_FUNC_CODEC) {
		int r = func_open(&b->decode, bs->event, bs->sys, f->node, e);

		if (r < 0)
			return r;
	}
	*slot = f;
	b->dead |= b->added;	/* a late comer: the board is put together anew */
	return arm(b, b->added ? 0 : patience(b));
}

int boards_node_added(struct boards *bs, const char *node, struct error *e)
{
	struct func *f = NULL;
	int r;

	if (entry_of_node(bs, node, false))
		return 0;	/* met at enumeration and told again */
	r = func_open(&f, bs->event, bs->sys, node, e);
	if (r < 0)
		return r;
	r = place(bs, f, e);
	if (r < 0)
		func_close(f);
	return r;
}

void boards_node_removed(struct boards *bs, const char *node)
{
	struct board_entry *b = entry_of_node(bs, node, false) ?: entry_of_node(bs, node, true);

	if (!b)
		return;
	if (has_node(b->scan, node))
		func_mark_gone(b->scan);
	if (has_node(b->print, node))
		func_mark_gone(b->print);
	if (has_node(b->encode, node)) {
		func_mark_gone(b->encode);
		func_mark_gone(b->decode);
	}
	b->dead = true;
	arm(b, 0);
}

void boards_each(struct boards *bs, void (*fn)(void *userdata, struct board *b), void *userdata)
{
	struct board_entry *next;

	for (struct board_entry *b = bs->first; b; b = next) {
		next = b->next;
		if (b->added)
			fn(userdata, &b->board);
	}
}

static struct func *func_of(const struct board *b, uint32_t function)
{
	const struct board_entry *entry = (const struct board_entry *)b;

	return function == FAX_FUNC_SCAN  ? entry->scan :
	       function == FAX_FUNC_PRINT ? entry->print :
	       function == FAX_FUNC_CODEC ? entry->encode :
					    NULL;
}

int board_status(const struct board *b, uint32_t function, struct fax_status *ret)
{
	struct func *f = func_of(b, function);

	return f ? func_status(f, ret) : -ENOENT;
}

const struct fax_caps *board_caps(const struct board *b, uint32_t function)
{
	const struct func *f = func_of(b, function);

	return f ? &f->caps : NULL;
}

int board_open_coder(const struct board *b, struct func **ret, sd_event **event,
		     struct error *e)
{
	const struct board_entry *entry = (const struct board_entry *)b;
	const struct boards *bs = entry->boards;

	if (!entry->encode)
		return error_set(e, -ENOENT, "The board has no coder.");
	*event = bs->event;
	return func_open(ret, bs->event, bs->sys, entry->encode->node, e);
}
