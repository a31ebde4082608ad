/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The box as the bus shows it. */
#include <linux/fax.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "device/board.h"
#include "device/words.h"
#include "service/collector.h"
#include "service/receiver.h"

static const char *const states[] = {
	[FAX_STATE_IDLE] = "idle",	     [FAX_STATE_BUSY] = "busy",
	[FAX_STATE_WAITING] = "waiting",     [FAX_STATE_SUSPENDED] = "suspended",
	[FAX_STATE_FAULT] = "fault",	     [FAX_STATE_GONE] = "gone",
};

static const struct {
	uint32_t function;
	const char *name;
} functions[] = {
	{ FAX_FUNC_SCAN, "scanner" },
	{ FAX_FUNC_PRINT, "printer" },
	{ FAX_FUNC_CODEC, "coder" },
};

static const struct {
	uint32_t bit;
	const char *name;
} conditions[] = {
	{ FAX_COND_JAM, "jam" },
	{ FAX_COND_COVER, "cover open" },
	{ FAX_COND_PAPER_LOW, "paper low" },
	{ FAX_COND_TONER_LOW, "toner low" },
	{ FAX_COND_TONER_OUT, "toner out" },
	{ FAX_COND_OUTPUT_FULL, "output tray full" },
	{ FAX_COND_HOT, "too hot" },
};

static int put_conditions(sd_bus_message *m, uint32_t function, uint32_t bits)
{
	_buffer_ struct buffer text = { 0 };
	int r = 0;

	/* An empty feeder is how a scanner rests; an empty tray is trouble. */
	if (bits & FAX_COND_PAPER_OUT)
		r = buffer_printf(&text, "%s",
				  function == FAX_FUNC_SCAN ? "feeder empty" : "out of paper");
	else if (function == FAX_FUNC_SCAN)
		r = buffer_printf(&text, "original in the feeder");
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(conditions); i++)
		if (bits & conditions[i].bit)
			r = buffer_printf(&text, "%s%s", text.len ? ", " : "", conditions[i].name);
	return r < 0 ? r : dict_put_string(m, "conditions", text.data);
}

/* Since the board came. */
static int put_counters(sd_bus_message *m, const struct fax_status *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "pages", s->pages },	       { "rows", s->rows },
		{ "bytes-in", s->bytes_in },   { "bytes-out", s->bytes_out },
		{ "errors", s->errors },       { "resets", s->resets },
		{ "cpu-maps", s->cpu_maps },   { "cpu-accesses", s->cpu_accesses },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(counters) && r >= 0; i++)
		r = dict_put_number(m, counters[i].name, counters[i].value);
	return r;
}

static int put_function(sd_bus_message *m, const struct board *b, uint32_t function,
			const char *name)
{
	struct fax_status s = { 0 };
	int r;

	r = board_status(b, function, &s);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		s.state = FAX_STATE_GONE;
	r = dict_open(m);
	if (r >= 0)
		r = dict_put_string(m, "function", name);
	if (r >= 0)
		r = dict_put_string(m, "state",
				    s.state < ARRAY_SIZE(states) ? states[s.state] : "unknown");
	if (r >= 0)
		r = put_conditions(m, function, s.conditions);
	if (r >= 0)
		r = put_counters(m, &s);
	return r < 0 ? r : dict_close(m);
}

struct board_walk {
	sd_bus_message *m;
	int r;
};

static void put_board(void *userdata, struct board *b)
{
	struct board_walk *w = userdata;

	if (w->r >= 0)
		w->r = dict_open(w->m);
	if (w->r >= 0)
		w->r = dict_put_string(w->m, "model", b->model);
	if (w->r >= 0)
		w->r = dict_put_string(w->m, "serial", b->serial);
	if (w->r >= 0)
		w->r = dict_put_string(w->m, "driver", b->driver);
	if (w->r >= 0)
		w->r = dict_open_list(w->m, "functions");
	for (size_t i = 0; w->r >= 0 && i < ARRAY_SIZE(functions); i++)
		w->r = put_function(w->m, b, functions[i].function, functions[i].name);
	if (w->r >= 0)
		w->r = dict_close_list(w->m);
	if (w->r >= 0)
		w->r = dict_close(w->m);
}

static int put_boards(sd_bus_message *m, struct box *box)
{
	struct board_walk w = { .m = m };

	w.r = dict_open_list(m, "boards");
	boards_each(box->boards, put_board, &w);
	return w.r < 0 ? w.r : dict_close_list(m);
}

static int put_jobs(sd_bus_message *m, struct box *box)
{
	const struct job_filter unfinished = { .kind = -1, .state = -1, .unfinished = true },
				waits = { .kind = -1, .state = JOB_WAITING },
				is_held = { .kind = -1, .state = JOB_HELD },
				is_kept = { .kind = JOB_PRINT, .state = JOB_KEPT };
	uint64_t n = 0, waiting = 0, held = 0, kept = 0;
	int r;

	r = store_job_count(box->store, &unfinished, &n);
	if (r >= 0)
		r = store_job_count(box->store, &waits, &waiting);
	if (r >= 0)
		r = store_job_count(box->store, &is_held, &held);
	if (r >= 0)
		r = store_job_count(box->store, &is_kept, &kept);
	if (r >= 0)
		r = dict_put_number(m, "jobs-kept", kept);
	if (r >= 0)
		r = dict_put_number(m, "jobs-unfinished", n);
	return r < 0 ? r : dict_put_number(m, "jobs-waiting", waiting + held);
}

static int put_receiver(sd_bus_message *m, struct box *box)
{
	struct receiver_figures f;
	int r;

	receiver_figures(box->receiver, &f);
	r = dict_put_number(m, "smtp-sessions", f.sessions);
	if (r >= 0 && f.scarce)
		r = dict_put_string(m, "receiving", "the disk is nearly full: mail for users "
				    "without automatic print is refused for the time being");
	if (r >= 0)
		r = dict_put_number(m, "smtp-mails", f.mails);
	return r < 0 ? r : dict_put_number(m, "smtp-memory", f.memory);
}

static int put_users(sd_bus_message *m, struct box *box)
{
	uint64_t n = 0;
	int r = store_user_count(box->store, &n);

	if (r >= 0)
		r = dict_put_number(m, "users", n);
	return r < 0 ? r : dict_put_number(m, "users-max", box->conf.users_max);
}

int status_append(sd_bus_message *m, struct box *box)
{
	int r = dict_open(m);

	if (r >= 0)
		r = dict_put_string(m, "version", IFAX_VERSION);
	if (r >= 0)
		r = dict_put_string(m, "hostname", box->conf.hostname);
	if (r >= 0)
		r = dict_put_string(m, "smarthost", box->conf.smarthost);
	if (r >= 0)
		r = dict_put_string(m, "notice", store_notice(box->store));
	if (r >= 0 && box->collector && collector_notice(box->collector))
		r = dict_put_string(m, "collecting", collector_notice(box->collector));
	if (r >= 0)
		r = put_boards(m, box);
	if (r >= 0)
		r = put_jobs(m, box);
	if (r >= 0)
		r = put_users(m, box);
	if (r >= 0 && box->receiver)
		r = put_receiver(m, box);
	return r < 0 ? r : dict_close(m);
}
