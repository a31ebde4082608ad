/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <linux/fax.h>

#include "device/words.h"
#include "service/scanning.h"

#define CLAIM_RETRY_USEC 1000000u
#define CLAIM_TRIES	 60	/* so long another program may use the scanner */

#define STOPPED                                                             \
	"The box was stopped while it scanned. Nothing was sent: put all "  \
	"originals back into the feeder and send again."

struct task {
	struct task *next;
	struct scanning *scanning;
	struct job *job;
	struct scan_params params;
	struct page_list pages;
	struct slot *slot;	/* the scanner it has, NULL = waits */
	unsigned int claim_tries;
	bool canceled;
	scanning_done_fn done;
	void *userdata;
};

struct slot {
	struct slot *next;
	struct scanner *scanner;
	struct task *task;	/* NULL: idle */
};

struct scanning {
	sd_event *event;
	const struct job_keeper *keeper;
	uint32_t max_pages;
	struct slot *slots;
	struct task *tasks;	/* in the order of arrival */
	bool stopping;
	sd_event_source *timer;	/* looks for work: at once, or when a claim may be free */
	uint64_t due;		/* when, UINT64_MAX = it does not */
};

static void scan_next(struct task *t);

/* After @usec, or sooner where that was asked for already. */
static void look_for_work(struct scanning *s, uint64_t usec)
{
	uint64_t due = 0;

	sd_event_now(s->event, CLOCK_MONOTONIC, &due);
	due += usec;
	if (due >= s->due)
		return;
	s->due = due;
	sd_event_source_set_time(s->timer, due);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void unlink_task(struct task *t)
{
	struct task **link = &t->scanning->tasks;

	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
}

static void let_go(struct task *t)
{
	if (!t->slot)
		return;
	t->slot->scanner->ops->release(t->slot->scanner);
	t->slot->task = NULL;
	t->slot = NULL;
	look_for_work(t->scanning, 0);
}

/* The document is whole. */
static void task_done(struct task *t)
{
	let_go(t);
	unlink_task(t);
	t->done(t->userdata, t->job, &t->pages, NULL);
	free(t);
}

static void task_ends(struct task *t, enum job_state state, const struct error *why)
{
	let_go(t);
	unlink_task(t);
	page_list_clear(&t->pages);
	job_say(t->scanning->keeper, t->job, state == JOB_CANCELED ? LOG_INFO : LOG_WARNING, state,
		NULL, NULL, why->text);
	t->done(t->userdata, t->job, NULL, why);
	free(t);
}

static void task_fails(struct task *t, const struct error *cause)
{
	struct error e;
	unsigned int page = t->pages.n + 1;

	if (t->scanning->stopping)
		error_set(&e, -ESHUTDOWN, "%s", STOPPED);
	else if (t->canceled)
		error_set(&e, -ECANCELED, "Scanning was canceled. Nothing was sent.");
	else if (page == 1 && cause->code == -ENOSPC)
		error_set(&e, cause->code,
			  "No original lies in the feeder. Nothing was sent: put the originals in "
			  "and send again.");
	else
		error_set(&e, cause->code,
			  "Page %u was not scanned. %s Nothing was sent: put all originals back "
			  "into the feeder and send again.", page, error_text(cause));
	task_ends(t, t->canceled ? JOB_CANCELED : JOB_FAILED, &e);
}

static void on_page(void *userdata, struct scan_result *result)
{
	struct task *t = userdata;
	struct page *page;

	if (result->code != FAX_CODE_OK) {
		task_fails(t, &result->error);
		return;
	}
	page = page_list_add(&t->pages);
	if (!page) {
		page_clear(&result->page);
		error_set(&result->error, -ENOMEM, "The box has run out of memory.");
		task_fails(t, &result->error);
		return;
	}
	*page = result->page;
	t->job->pages = t->pages.n;
	if (t->canceled)
		task_fails(t, &result->error);
	else if (result->more_paper)
		scan_next(t);
	else
		task_done(t);
}

static void scan_next(struct task *t)
{
	struct scanner *scanner = t->slot->scanner;
	struct error e = {};
	int r;

	if (t->pages.n >= t->scanning->max_pages) {
		error_set(&e, -E2BIG,
			  "The document has more than %u pages, the most that is scanned at a "
			  "time. Nothing was sent: send it in parts, or raise MaxPages= of [Scan].",
			  t->scanning->max_pages);
		task_ends(t, JOB_FAILED, &e);
		return;
	}
	r = scanner->ops->page(scanner, &t->params, on_page, t, &e);
	if (r < 0) {
		e.code = r;
		task_fails(t, &e);
	}
}

static bool wants(const struct task *t, const struct slot *slot)
{
	return !t->job->board || !strcmp(t->job->board, slot->scanner->serial);
}

/*
 * An idle scanner that @t may have: of several, one in which an original lies.
 * *@connected: there is one that it may have, idle or not.
 */
static struct slot *slot_for(struct scanning *s, const struct task *t, bool *connected)
{
	struct slot *empty = NULL;

	*connected = false;
	for (struct slot *slot = s->slots; slot; slot = slot->next) {
		if (!wants(t, slot))
			continue;
		*connected = true;
		if (slot->task)
			continue;
		if (slot->scanner->ops->original(slot->scanner))
			return slot;
		empty = slot;
	}
	return empty;
}

static int start_task(struct task *t, struct slot *slot)
{
	struct error e = {};
	int r = slot->scanner->ops->claim(slot->scanner, &e);

	if (r == -EBUSY && ++t->claim_tries < CLAIM_TRIES)
		return r;
	if (r < 0) {
		e.code = r;
		task_fails(t, &e);
		return 0;
	}
	t->slot = slot;
	slot->task = t;
	job_set(&t->job->board, slot->scanner->serial);
	job_say(t->scanning->keeper, t->job, LOG_INFO, JOB_SCANNING, NULL, NULL,
		"The originals are being scanned.");
	scan_next(t);
	return 0;
}

static void no_scanner(struct task *t)
{
	struct error e;

	if (t->job->board)
		error_set(&e, -ENODEV,
			  "The scanner of board %s is not connected. Nothing was sent: connect it "
			  "and send again.", t->job->board);
	else
		error_set(&e, -ENODEV, "No scanner is connected. Nothing was sent: connect a board "
			  "and send again.");
	task_ends(t, JOB_FAILED, &e);
}

/*
 * Starting a task may end it, and then others may go as well: begin anew after
 * each that did not stay as it was.
 */
static bool start_one(struct scanning *s)
{
	const struct error none = {};

	for (struct task *t = s->tasks; t; t = t->next) {
		struct slot *slot;
		bool connected;

		if (t->slot)
			continue;
		if (t->canceled) {
			task_fails(t, &none);
			return true;
		}
		slot = slot_for(s, t, &connected);
		if (!connected) {
			no_scanner(t);
			return true;
		}
		if (!slot)
			continue;
		if (start_task(t, slot) == -EBUSY)
			look_for_work(s, CLAIM_RETRY_USEC);
		else
			return true;
	}
	return false;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct scanning *s = userdata;

	s->due = UINT64_MAX;
	while (start_one(s))
		;
	return 0;
}

int scanning_new(struct scanning **ret, sd_event *event, const struct job_keeper *keeper,
		 uint32_t max_pages)
{
	struct scanning *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->keeper = keeper;
	s->max_pages = max_pages;
	s->due = UINT64_MAX;
	r = sd_event_add_time(event, &s->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, s);
	if (r < 0) {
		free(s);
		return r;
	}
	s->event = sd_event_ref(event);
	*ret = s;
	return 0;
}

static struct task *task_of(struct scanning *s, uint64_t job_id)
{
	for (struct task *t = s->tasks; t; t = t->next)
		if (t->job->id == job_id)
			return t;
	return NULL;
}

void scanning_free(struct scanning *s)
{
	const struct error none = {};

	if (!s)
		return;
	s->stopping = true;
	while (s->slots) {
		s->slots->scanner->ops->stop(s->slots->scanner);
		scanning_remove_scanner(s, s->slots->scanner);
	}
	while (s->tasks)
		task_fails(s->tasks, &none);
	sd_event_source_disable_unref(s->timer);
	sd_event_unref(s->event);
	free(s);
}

int scanning_add_scanner(struct scanning *s, struct scanner *scanner)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	slot->scanner = scanner;
	slot->next = s->slots;
	s->slots = slot;
	look_for_work(s, 0);
	return 0;
}

void scanning_remove_scanner(struct scanning *s, struct scanner *scanner)
{
	for (struct slot **link = &s->slots; *link; link = &(*link)->next) {
		struct slot *slot = *link;
		struct error e;

		if (slot->scanner != scanner)
			continue;
		if (slot->task) {
			code_error(&e, FAX_FUNC_SCAN, FAX_CODE_GONE);
			task_fails(slot->task, &e);
		}
		*link = slot->next;
		free(slot);
		return;
	}
}

int scanning_start(struct scanning *s, struct job *job, const struct scan_params *params,
		   scanning_done_fn done, void *userdata)
{
	struct task *t = calloc(1, sizeof(*t));
	struct task **link = &s->tasks;

	if (!t)
		return -ENOMEM;
	t->scanning = s;
	t->job = job;
	t->params = *params;
	t->done = done;
	t->userdata = userdata;
	while (*link)
		link = &(*link)->next;
	*link = t;
	look_for_work(s, 0);
	return 0;
}

int scanning_cancel(struct scanning *s, uint64_t job_id)
{
	struct task *t = task_of(s, job_id);

	if (!t)
		return -ENOENT;
	t->canceled = true;
	if (t->slot)
		t->slot->scanner->ops->cancel(t->slot->scanner);
	else
		look_for_work(s, 0);
	return 0;
}

int scanning_recover(struct scanning *s, struct job *job)
{
	return job_say(s->keeper, job, LOG_WARNING, JOB_FAILED, NULL, NULL, STOPPED);
}
