/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <linux/fax.h>

#include "base/log.h"
#include "device/words.h"
#include "service/printing.h"

#define RETRY_USEC	5000000u
#define FAILURES_MAX	5	 /* of one page, then a person must look */

#define SECOND_COPY                                                              \
	"This page may be a second copy: printing was interrupted, and it is not " \
	"known whether the first one came out."

enum task_state {
	TASK_QUEUED,	/* has no printer */
	TASK_PAUSED,	/* has one that cannot print now */
	TASK_NOTING,	/* the page in hand is on its way to disk */
	TASK_MOVING,	/* the page is the printer's */
	TASK_ENDING,	/* the outcome is on its way to disk */
};

struct task {
	struct task *next;
	struct printing *printing;
	struct job *job;
	struct page_list pages;
	enum task_state state;
	struct slot *slot;	/* the printer it has, NULL = none */
	struct note *note;	/* on its way to disk */
	bool second_copy;	/* the page in hand may be on paper already */
	bool canceled;
	unsigned int marked;	/* pages that came out as possible second copies */
	unsigned int last_marked;
	unsigned int failures;	/* of this page */
	uint64_t not_before;	/* CLOCK_MONOTONIC: when to try again, 0 = by conditions */
};

struct slot {
	struct slot *next;
	struct printer *printer;
	struct task *task;	/* NULL: idle */
};

/* Outlives its task where the store answers late. */
struct note {
	struct task *task;	/* NULL: has gone */
};

struct printing {
	sd_event *event;
	struct printing_options o;
	struct slot *slots;
	struct task *tasks;	/* in the order of arrival */
	bool stopping;
	sd_event_source *timer;	/* looks for work */
	uint64_t due;		/* when, UINT64_MAX = it does not */
};

static uint64_t now_usec(struct printing *p)
{
	uint64_t now = 0;

	sd_event_now(p->event, CLOCK_MONOTONIC, &now);
	return now;
}

/* After @usec, or sooner where that was asked for already. */
static void look_for_work(struct printing *p, uint64_t usec)
{
	uint64_t due = now_usec(p) + usec;

	if (due >= p->due)
		return;
	p->due = due;
	sd_event_source_set_time(p->timer, due);
	sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

static unsigned int page_number(const struct task *t)
{
	return t->job->pages_done + 1;
}

static void on_note(void *userdata, int r);

/*
 * Says a sentence of the job; where @durable, on_note() follows. A sentence that
 * stands there already is not journalled again.
 */
__attribute__((format(printf, 5, 6)))
static int say(struct task *t, int priority, enum job_state state, bool durable, const char *fmt,
	       ...)
{
	struct error text;
	struct note *note = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, ap);
	va_end(ap);
	if (!durable && t->job->state == state && t->job->detail &&
	    !strcmp(t->job->detail, text.text))
		return 0;
	if (durable) {
		note = calloc(1, sizeof(*note));
		if (!note)
			return -ENOMEM;
		note->task = t;
	}
	r = job_say(t->printing->o.keeper, t->job, priority, state, durable ? on_note : NULL, note,
		    text.text);
	if (r < 0)
		free(note);
	else if (durable)
		t->note = note;
	return r;
}

static void let_go(struct task *t)
{
	if (!t->slot)
		return;
	t->slot->printer->ops->release(t->slot->printer);
	t->slot->task = NULL;
	t->slot = NULL;
	look_for_work(t->printing, 0);
}

static void task_free(struct task *t)
{
	struct task **link = &t->printing->tasks;

	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	if (t->note)
		t->note->task = NULL;
	page_list_clear(&t->pages);
	job_free(t->job);
	free(t);
}

/* The printer is kept, the page is tried again when it can print, not before @usec from now. */
static void pause_task(struct task *t, uint64_t usec)
{
	t->state = TASK_PAUSED;
	t->not_before = usec ? now_usec(t->printing) + usec : 0;
	if (usec)
		look_for_work(t->printing, usec);
}

/* The job leaves with @state as soon as that is durable; a full disk delays it. */
static void end_task(struct task *t, int priority, enum job_state state, const char *sentence)
{
	let_go(t);
	t->state = TASK_ENDING;
	t->not_before = 0;
	if (say(t, priority, state, true, "%s", sentence) >= 0)
		return;
	t->not_before = now_usec(t->printing) + t->printing->o.retry_usec;
	look_for_work(t->printing, t->printing->o.retry_usec);
}

static void end_canceled(struct task *t)
{
	struct error e;

	if (t->second_copy)
		error_set(&e, 0,
			  "Printing was canceled. %u of %zu pages came out; page %u may have come "
			  "out in part.", t->job->pages_done, t->pages.n, page_number(t));
	else
		error_set(&e, 0, "Printing was canceled. %u of %zu pages came out.",
			  t->job->pages_done, t->pages.n);
	end_task(t, LOG_INFO, JOB_CANCELED, e.text);
}

static void end_printed(struct task *t)
{
	struct error e, marked = {};

	t->job->page_in_hand = 0;
	if (t->marked == 1)
		error_set(&marked, 0,
			  " Page %u may be a second copy and is marked so: printing was "
			  "interrupted.", t->last_marked);
	else if (t->marked)
		error_set(&marked, 0,
			  " %u of them may be second copies and are marked so: printing "
			  "was interrupted.", t->marked);
	error_set(&e, 0, t->pages.n == 1 ? "%zu page was printed.%s" : "%zu pages were printed.%s",
		  t->pages.n, marked.text);
	end_task(t, LOG_INFO, JOB_PRINTED, e.text);
}

static void hold(struct task *t, const struct error *cause)
{
	struct error e;

	error_set(&e, cause->code, "Page %u of %zu cannot be printed. %s The document is kept: "
		  "mend this and release the job.", page_number(t), t->pages.n, error_text(cause));
	end_task(t, LOG_ERR, JOB_HELD, e.text);
}

static void say_waiting(struct task *t, uint32_t conditions)
{
	const char *what = condition_sentence(FAX_FUNC_PRINT, conditions);

	say(t, LOG_WARNING, JOB_WAITING, false,
	    "Page %u of %zu: %s Printing then goes on by itself.", page_number(t), t->pages.n,
	    what ?: "The printer is not ready.");
}

/*
 * The commit point of a page. Before: the store says that the last page is done
 * and none is in hand, and no paper of this page has moved. After on_note(): the
 * store says that this page is in hand, and paper may move.
 */
static void begin_page(struct task *t)
{
	uint32_t stop = conditions_that_stop(t->slot->printer->ops->conditions(t->slot->printer));

	if (page_number(t) > t->pages.n) {
		end_printed(t);
		return;
	}
	if (stop) {
		say_waiting(t, stop);
		pause_task(t, 0);
		return;
	}
	t->job->page_in_hand = page_number(t);
	t->state = TASK_NOTING;
	if (say(t, LOG_INFO, JOB_PRINTING, true, "Page %u of %zu is being printed.",
		page_number(t), t->pages.n) >= 0)
		return;
	if (!t->second_copy)
		t->job->page_in_hand = 0;
	pause_task(t, t->printing->o.retry_usec);
}

static void on_waiting(void *userdata, uint32_t conditions)
{
	say_waiting(userdata, conditions);
}

static void on_goes_on(void *userdata)
{
	struct task *t = userdata;

	say(t, LOG_INFO, JOB_PRINTING, false, "Page %u of %zu is being printed.", page_number(t),
	    t->pages.n);
}

static void page_failed(struct task *t, const struct print_result *result)
{
	uint32_t stop = conditions_that_stop(t->slot->printer->ops->conditions(t->slot->printer));

	if (!result->untouched)
		t->second_copy = true;
	t->job->page_in_hand = t->second_copy ? page_number(t) : 0;
	if (t->canceled) {
		end_canceled(t);
		return;
	}
	/* What a person must mend is no failure of trying. */
	if (!stop && result->code != FAX_CODE_GONE)
		t->failures++;
	if (result->code == FAX_CODE_CODING || result->code == FAX_CODE_TOO_LONG ||
	    result->code == FAX_CODE_TOO_WIDE || t->failures >= FAILURES_MAX) {
		hold(t, &result->error);
		return;
	}
	say(t, LOG_WARNING, JOB_WAITING, false,
	    t->second_copy ? "Page %u of %zu was interrupted. %s It is printed again, marked as a "
			     "possible second copy, when the printer is ready." :
			     "Page %u of %zu waits. %s It is printed when the printer is ready.",
	    page_number(t), t->pages.n, error_text(&result->error));
	pause_task(t, t->printing->o.retry_usec);
}

static void on_page_done(void *userdata, const struct print_result *result)
{
	struct task *t = userdata;

	if (t->printing->stopping)
		return;
	if (result->code != FAX_CODE_OK) {
		page_failed(t, result);
		return;
	}
	if (t->second_copy) {
		t->marked++;
		t->last_marked = page_number(t);
	}
	t->job->pages_done++;
	t->job->page_in_hand = 0;
	t->second_copy = false;
	t->failures = 0;
	if (t->canceled && page_number(t) <= t->pages.n)
		end_canceled(t);
	else
		begin_page(t);
}

static const struct print_handlers page_handlers = {
	.waiting = on_waiting,
	.goes_on = on_goes_on,
	.done = on_page_done,
};

/* The page in hand is durable: paper may move. */
static void print_page(struct task *t)
{
	struct printer *printer = t->slot->printer;
	const struct page *page = &t->pages.pages[page_number(t) - 1];
	struct page banner = {};
	struct error e = {};
	int r = 0;

	if (t->second_copy)
		r = t->printing->o.banner(SECOND_COPY, page->width, page->xres, page->yres, &banner,
					  &e);
	if (r >= 0) {
		t->state = TASK_MOVING;
		r = printer->ops->page(printer, page, banner.strips, &page_handlers, t, &e);
	}
	page_clear(&banner);
	if (r >= 0)
		return;
	e.code = r;
	if (!t->second_copy)
		t->job->page_in_hand = 0;
	if (r == -EMSGSIZE || r == -EOPNOTSUPP || r == -EINVAL || r == -EILSEQ ||
	    ++t->failures >= FAILURES_MAX) {
		hold(t, &e);
		return;
	}
	say(t, LOG_WARNING, JOB_WAITING, false, "Page %u of %zu waits. %s", page_number(t),
	    t->pages.n, error_text(&e));
	pause_task(t, t->printing->o.retry_usec);
}

static void unbind(struct task *t)
{
	t->slot = NULL;
	t->state = TASK_QUEUED;
	t->not_before = 0;
	look_for_work(t->printing, 0);
}

static void noted_page(struct task *t, int r)
{
	if (r < 0 || !t->slot || t->canceled) {
		/* No paper has moved for this note. */
		if (!t->second_copy)
			t->job->page_in_hand = 0;
		if (t->canceled)
			end_canceled(t);
		else if (!t->slot)
			unbind(t);
		else
			pause_task(t, t->printing->o.retry_usec);
		return;
	}
	print_page(t);
}

static void noted_end(struct task *t, int r)
{
	if (r < 0) {
		t->not_before = now_usec(t->printing) + t->printing->o.retry_usec;
		look_for_work(t->printing, t->printing->o.retry_usec);
		return;
	}
	t->printing->o.done(t->printing->o.userdata, t->job);
	task_free(t);
}

static void on_note(void *userdata, int r)
{
	struct note *note = userdata;
	struct task *t = note->task;

	free(note);
	if (!t)
		return;
	t->note = NULL;
	if (r < 0)
		log_full(LOG_ERR, t->job->id, t->job->user, "Job %llu cannot be noted: %s.",
			 (unsigned long long)t->job->id, strerror(-r));
	if (t->state == TASK_ENDING)
		noted_end(t, r);
	else
		noted_page(t, r);
}

static bool wants(const struct task *t, const struct slot *slot)
{
	return !t->job->board || !strcmp(t->job->board, slot->printer->serial);
}

static void say_unconnected(struct task *t)
{
	const char *goes_on = t->second_copy || t->job->pages_done ? "goes on" : "starts";
	struct error where, what = {};

	if (t->job->board)
		error_set(&where, 0,
			  "The printer of board %s is not connected: printing %s when it is.",
			  t->job->board, goes_on);
	else
		error_set(&where, 0, "No printer is connected: printing %s when a board is.",
			  goes_on);
	if (t->second_copy)
		error_set(&what, 0, "Page %u of %zu was interrupted; its next print is marked as a "
			  "possible second copy. ", page_number(t), t->pages.n);
	say(t, LOG_WARNING, JOB_WAITING, false, "%s%s", what.text, where.text);
}

static void start_queued(struct task *t)
{
	struct printing *p = t->printing;
	struct error e = {};
	bool connected = false;
	struct slot *slot;

	for (slot = p->slots; slot; slot = slot->next) {
		if (!wants(t, slot))
			continue;
		connected = true;
		if (!slot->task)
			break;
	}
	if (!connected) {
		say_unconnected(t);
		return;
	}
	if (!slot) {
		say(t, LOG_INFO, JOB_QUEUED, false,
		    "The document waits until the printer is free.");
		return;
	}
	if (slot->printer->ops->claim(slot->printer, &e) < 0) {
		say(t, LOG_WARNING, JOB_WAITING, false, "%s It is tried again.", error_text(&e));
		look_for_work(p, p->o.retry_usec);
		return;
	}
	t->slot = slot;
	slot->task = t;
	begin_page(t);
}

static void look_at(struct task *t, uint64_t now)
{
	if (t->note || t->state == TASK_MOVING || t->state == TASK_NOTING)
		return;
	if (t->not_before > now) {
		look_for_work(t->printing, t->not_before - now);
		return;
	}
	t->not_before = 0;
	if (t->state == TASK_ENDING) {
		struct error e;

		error_set(&e, 0, "%s", t->job->detail ?: "");
		end_task(t, LOG_INFO, t->job->state, e.text);
	} else if (t->canceled) {
		end_canceled(t);
	} else if (t->state == TASK_QUEUED) {
		start_queued(t);
	} else {
		begin_page(t);
	}
}

/* No task is freed in here: that happens in on_note() only. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct printing *p = userdata;
	uint64_t now = now_usec(p);

	p->due = UINT64_MAX;
	for (struct task *t = p->tasks; t; t = t->next)
		look_at(t, now);
	return 0;
}

int printing_new(struct printing **ret, sd_event *event, const struct printing_options *o)
{
	struct printing *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->o = *o;
	if (!p->o.retry_usec)
		p->o.retry_usec = RETRY_USEC;
	p->due = UINT64_MAX;
	r = sd_event_add_time(event, &p->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, p);
	if (r < 0) {
		free(p);
		return r;
	}
	p->event = sd_event_ref(event);
	*ret = p;
	return 0;
}

void printing_free(struct printing *p)
{
	if (!p)
		return;
	p->stopping = true;
	while (p->slots) {
		struct slot *slot = p->slots;

		slot->printer->ops->stop(slot->printer);
		if (slot->task)
			let_go(slot->task);
		p->slots = slot->next;
		free(slot);
	}
	while (p->tasks)
		task_free(p->tasks);
	sd_event_source_disable_unref(p->timer);
	sd_event_unref(p->event);
	free(p);
}

int printing_add_printer(struct printing *p, struct printer *printer)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	slot->printer = printer;
	slot->next = p->slots;
	p->slots = slot;
	look_for_work(p, 0);
	return 0;
}

void printing_remove_printer(struct printing *p, struct printer *printer)
{
	for (struct slot **link = &p->slots; *link; link = &(*link)->next) {
		struct slot *slot = *link;
		struct task *t = slot->task;

		if (slot->printer != printer)
			continue;
		if (t && t->state == TASK_NOTING)
			t->slot = NULL;	/* noted_page() finds it so */
		else if (t)
			unbind(t);
		*link = slot->next;
		free(slot);
		return;
	}
}

void printing_printer_changed(struct printing *p, struct printer *printer)
{
	if (conditions_that_stop(printer->ops->conditions(printer)))
		return;
	for (struct slot *slot = p->slots; slot; slot = slot->next) {
		if (slot->printer != printer || !slot->task || slot->task->state != TASK_PAUSED)
			continue;
		slot->task->not_before = 0;
		look_for_work(p, 0);
	}
}

int printing_add(struct printing *p, struct job *job, struct page_list *pages, struct error *e)
{
	struct task **link = &p->tasks;
	struct task *t;

	if (!pages->n || job->pages_done > pages->n)
		return error_set(e, -EINVAL, "The document has no page to print.");
	t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(e, -ENOMEM, "Out of memory.");
	t->printing = p;
	t->job = job;
	t->pages = *pages;
	*pages = (struct page_list){};
	job->pages = t->pages.n;
	/* Found so after a stop or crash: it may have come out. */
	t->second_copy = job->page_in_hand == job->pages_done + 1;
	while (*link)
		link = &(*link)->next;
	*link = t;
	look_for_work(p, 0);
	return 0;
}

bool printing_has(const struct printing *p, uint64_t job_id)
{
	for (const struct task *t = p->tasks; t; t = t->next)
		if (t->job->id == job_id)
			return true;
	return false;
}

int printing_cancel(struct printing *p, uint64_t job_id)
{
	struct task *t;

	for (t = p->tasks; t && t->job->id != job_id; t = t->next)
		;
	if (!t || t->state == TASK_ENDING)
		return -ENOENT;
	t->canceled = true;
	if (t->state == TASK_MOVING)
		t->slot->printer->ops->cancel(t->slot->printer);
	else
		look_for_work(p, 0);
	return 0;
}
