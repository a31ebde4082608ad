/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/selftest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "device/board.h"
#include "device/coder_check.h"
#include "device/words.h"
#include "keys/client.h"
#include "store/store.h"
#include "worker/client.h"

#define BOARDS_MAX  16
#define PARTS_MAX   (8 + 4 * BOARDS_MAX)
/* Starting a program, GnuPG's own for one, takes its time on a small machine. */
#define PATIENCE    (30 * UINT64_C(1000000))

struct coder_turn {
	struct selftest *test;
	struct selftest_part *part;
	struct coder_check *check;
};

struct selftest {
	struct box *box;
	struct selftest_part parts[PARTS_MAX];
	size_t n;
	struct selftest_part *worker_part, *keyring_part;
	struct worker_call *worker;
	struct keys_call *keyring;
	struct coder_turn coders[BOARDS_MAX];
	size_t n_coders;
	size_t pending;
	sd_event_source *timer;		/* tells, when nothing is pending or time is up */
	selftest_done_fn done;
	void *userdata;
};

/* NULL: there is no room for more, which only a box of very many boards meets. */
static struct selftest_part *add(struct selftest *t, const char *kind, const char *name)
{
	struct selftest_part *p;

	if (t->n == PARTS_MAX)
		return NULL;
	p = &t->parts[t->n++];
	snprintf(p->name, sizeof(p->name), "%s%s%s", kind, *name ? " of " : "", name);
	return p;
}

static void say(struct selftest_part *p, bool good, const char *text)
{
	if (!p)
		return;
	p->good = good;
	snprintf(p->text, sizeof(p->text), "%s", text);
}

/* One answer less is awaited. */
static void answered(struct selftest *t)
{
	if (--t->pending)
		return;
	sd_event_source_set_time_relative(t->timer, 0);
	sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

/*
 * The store
 */

static void check_spool(struct selftest *t)
{
	struct selftest_part *p = add(t, "spool", "");
	struct store *s = t->box->store;
	struct error e = { 0 };
	struct statvfs v;
	uint64_t there;
	char text[200];

	if (store_notice(s))
		return say(p, false, store_notice(s));
	if (store_sync(s, &e) < 0)
		return say(p, false, error_text(&e));
	if (statvfs(t->box->conf.spool, &v) < 0)
		return say(p, false, strerror(errno));
	there = (uint64_t)v.f_bavail * v.f_frsize;
	snprintf(text, sizeof(text), "%s; %llu MiB are free", there > store_reserve(s) ?
		 "all that was accepted is on the disk" : "the disk is full: nothing is accepted",
		 (unsigned long long)(there >> 20));
	say(p, there > store_reserve(s), text);
}

static void check_users(struct selftest *t)
{
	struct selftest_part *p = add(t, "users", "");
	uint64_t n = 0;
	char text[64];
	int r = store_user_count(t->box->store, &n);

	if (r < 0)
		return say(p, false, strerror(-r));
	snprintf(text, sizeof(text), "%llu registered", (unsigned long long)n);
	say(p, true, text);
}

/*
 * The services beside
 */

static void on_worker(void *userdata, int r, const struct worker_reply *reply,
		      struct page_list *pages, const struct error *e)
{
	struct selftest *t = userdata;

	t->worker = NULL;
	if (r < 0)
		say(t->worker_part, false, error_text(e));
	else if (reply->code != WORKER_PAGES || reply->pages != 1)
		say(t->worker_part, false, *reply->sentence ? reply->sentence :
		    "the worker made no page of a mail of one line");
	else
		say(t->worker_part, true, "a mail was taken apart and set as a page");
	answered(t);
}

static void check_worker(struct selftest *t)
{
	static const char mail[] = "From: self-test <self-test@localhost>\r\n"
				   "Subject: self-test\r\n\r\nEach part of the box is tried.\r\n";
	struct worker_request rq;
	struct error e = { 0 };
	_close_ int fd = keys_memory(mail, sizeof(mail) - 1, &e);
	int r = fd;

	t->worker_part = add(t, "worker", "");
	worker_request_init(&rq);
	rq.text = WORKER_TEXT_ALWAYS;
	if (r >= 0)
		r = worker_parse(t->box->event, t->box->conf.worker, &rq, fd, 0, on_worker, t,
				 &t->worker, &e);
	if (r < 0)
		return say(t->worker_part, false, error_text(&e));
	t->pending++;
}

static void on_keyring(void *userdata, int r, const struct keys_reply *reply, int output,
		       const struct error *e)
{
	struct selftest *t = userdata;

	t->keyring = NULL;
	if (r < 0)
		say(t->keyring_part, false, error_text(e));
	else if (reply->code != KEYS_OK)
		say(t->keyring_part, false, reply->sentence);
	else
		say(t->keyring_part, true, "the keys can be read");
	answered(t);
}

static void check_keyring(struct selftest *t)
{
	static const char *const arguments[] = { "" };
	const struct keys_question q = { .op = KEYS_LIST, .input = -1, .arguments = arguments,
					 .n_arguments = 1 };
	struct error e = { 0 };

	t->keyring_part = add(t, "keyring", "");
	if (keys_ask(t->box->event, t->box->conf.keyring, &q, on_keyring, t, &t->keyring, &e) < 0)
		return say(t->keyring_part, false, error_text(&e));
	t->pending++;
}

/*
 * Boards
 */

/* An empty feeder is how a scanner rests. */
static const char *what_stops(uint32_t function, const struct fax_status *s)
{
	uint32_t conditions = s->conditions;

	if (s->state == FAX_STATE_FAULT)
		return "it has stopped, and a reset did not help";
	if (s->state == FAX_STATE_GONE)
		return "it was unplugged";
	if (function == FAX_FUNC_SCAN)
		conditions &= ~(uint32_t)FAX_COND_PAPER_OUT;
	return condition_sentence(function, conditions);
}

static void check_function(struct selftest *t, const struct board *b, uint32_t function,
			   const char *name)
{
	struct fax_status s = { 0 };
	struct selftest_part *p;
	const char *trouble;
	int r = board_status(b, function, &s);

	if (r == -ENOENT)
		return;
	p = add(t, name, b->serial);
	trouble = r < 0 ? strerror(-r) : what_stops(function, &s);
	say(p, !trouble, trouble ? trouble : "ready");
}

static void on_coder(void *userdata, int r, const struct error *e)
{
	struct coder_turn *c = userdata;

	say(c->part, r >= 0, r < 0 ? error_text(e) : "it codes and decodes a page rightly");
	coder_check_free(take_ptr(c->check));
	answered(c->test);
}

static void check_coder(struct selftest *t, const struct board *b)
{
	struct coder_turn *c = &t->coders[t->n_coders];
	struct error e = { 0 };

	if (!b->has_coder || t->n_coders == BOARDS_MAX)
		return;
	*c = (struct coder_turn){ .test = t, .part = add(t, "coder", b->serial) };
	if (coder_check_new(&c->check, b, on_coder, c, &e) < 0)
		return say(c->part, false, error_text(&e));
	t->n_coders++;
	t->pending++;
}

static void check_board(void *userdata, struct board *b)
{
	struct selftest *t = userdata;

	check_function(t, b, FAX_FUNC_SCAN, "scanner");
	check_function(t, b, FAX_FUNC_PRINT, "printer");
	check_coder(t, b);
}

static void check_boards(struct selftest *t)
{
	size_t before = t->n;

	if (t->box->boards)
		boards_each(t->box->boards, check_board, t);
	if (t->n == before)
		say(add(t, "board", ""), false, "there is none: connect one, or \"modprobe "
		    "faxsim\" for the built-in one");
}

/*
 * Beginning and end
 */

/* The answers are there, or time is up: a part that has no words has not answered. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct selftest *t = userdata;

	for (size_t i = 0; i < t->n; i++)
		if (!*t->parts[i].text)
			say(&t->parts[i], false, "it has not answered in time");
	t->done(t->userdata, t->parts, t->n);
	t->done = NULL;
	t->box->selftest = NULL;
	selftest_free(t);
	return 0;
}

int selftest_run(struct box *box, selftest_done_fn done, void *userdata, struct error *e)
{
	struct selftest *t;
	int r;

	if (box->selftest)
		return error_set(e, -EBUSY, "a self-test is under way already");
	t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(e, -ENOMEM, "out of memory");
	t->box = box;
	t->done = done;
	t->userdata = userdata;
	r = sd_event_add_time_relative(box->event, &t->timer, CLOCK_MONOTONIC, PATIENCE, 0,
				       on_timer, t);
	if (r < 0) {
		t->done = NULL;
		selftest_free(t);
		return error_set(e, r, "cannot set a timer: %s", strerror(-r));
	}
	box->selftest = t;
	t->pending = 1;
	check_spool(t);
	check_users(t);
	check_worker(t);
	check_keyring(t);
	check_boards(t);
	answered(t);
	return 0;
}

void selftest_free(struct selftest *t)
{
	if (!t)
		return;
	if (t->done)
		t->done(t->userdata, NULL, 0);
	worker_call_cancel(t->worker);
	keys_call_cancel(t->keyring);
	for (size_t i = 0; i < t->n_coders; i++)
		coder_check_free(t->coders[i].check);
	sd_event_source_disable_unref(t->timer);
	free(t);
}
