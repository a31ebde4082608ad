/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "page/pageset.h"
#include "worker/client.h"

#define DEFAULT_TIMEOUT_USEC 150000000ull

struct worker_call {
	int sock;
	int output;
	sd_event_source *io;
	sd_event_source *timer;
	worker_done_fn done;
	void *userdata;
};

static void call_free(struct worker_call *c)
{
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	if (c->sock >= 0)
		close(c->sock);
	if (c->output >= 0)
		close(c->output);
	free(c);
}

static void finish(struct worker_call *c, int r, const struct worker_reply *rp,
		   struct page_list *pages, const struct error *e)
{
	struct page_list none = { 0 };

	/* Nothing more comes from this call, even if @done runs the loop. */
	c->io = sd_event_source_disable_unref(c->io);
	c->timer = sd_event_source_disable_unref(c->timer);
	c->done(c->userdata, r, r < 0 ? NULL : rp, pages ? pages : &none, e);
	if (pages)
		page_list_clear(pages);
	call_free(c);
}

/* The worker's answer, checked; pages only where they are what it says. */
static int take_reply(struct worker_call *c, struct worker_reply *rp, struct page_list *pages,
		      struct error *e)
{
	int r = worker_recv(c->sock, rp, sizeof(*rp), NULL, 0);

	if (r == -EPIPE || r == -ECONNRESET)
		return error_set(e, -EPIPE, "The worker went away while it checked the mail");
	if (r < 0)
		return error_set(e, r, "The worker cannot be heard: %s", strerror(-r));
	if (!worker_reply_check(rp))
		return error_set(e, -EPROTO, "The worker's answer is not understood; "
				 "ifaxd and ifax-worker may be of different versions");
	if (!rp->pages)
		return 0;
	r = pageset_seal(c->output, pages, e);
	if (r >= 0 && pages->n != rp->pages) {
		page_list_clear(pages);
		r = error_set(e, -EBADMSG, "The worker handed back %zu pages and spoke of %u",
			      pages->n, rp->pages);
	}
	return r;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct worker_call *c = userdata;
	struct page_list pages = { 0 };
	struct worker_reply rp;
	struct error e = { 0 };
	int r = take_reply(c, &rp, &pages, &e);

	if (r == -EAGAIN)
		return 0;
	finish(c, r, &rp, &pages, &e);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct error e;
	int r = error_set(&e, -ETIMEDOUT, "The worker does not answer");

	finish(userdata, r, NULL, NULL, &e);
	return 0;
}

static int start(struct worker_call *c, sd_event *event, const struct worker_request *rq,
		 int message, uint64_t timeout_usec)
{
	int fds[WORKER_NFDS] = { message, c->output };
	int r = worker_send(c->sock, rq, sizeof(*rq), fds, WORKER_NFDS);

	if (r < 0)
		return r;
	r = sd_event_add_io(event, &c->io, c->sock, EPOLLIN, on_io, c);
	if (r < 0)
		return r;
	return sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC,
					  timeout_usec ? timeout_usec : DEFAULT_TIMEOUT_USEC, 0,
					  on_timeout, c);
}

int worker_parse(sd_event *event, const char *socket_path, const struct worker_request *rq,
		 int message, uint64_t timeout_usec, worker_done_fn done, void *userdata,
		 struct worker_call **ret, struct error *e)
{
	struct worker_call *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, -ENOMEM, "Out of memory");
	c->done = done;
	c->userdata = userdata;
	c->output = -1;
	c->sock = r = worker_dial(socket_path, "the worker", "ifax-worker.socket", e);
	if (r >= 0)
		c->output = r = pageset_create(e);
	if (r >= 0) {
		r = start(c, event, rq, message, timeout_usec);
		if (r < 0)
			error_set(e, r, "Cannot ask the worker: %s", strerror(-r));
	}
	if (r < 0) {
		call_free(c);
		return r;
	}
	if (ret)
		*ret = c;
	return 0;
}

void worker_call_cancel(struct worker_call *c)
{
	if (c)
		call_free(c);
}
