/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "keys/client.h"
#include "worker/protocol.h"

/* Others may be before us, and each may take a minute. */
#define TIMEOUT_USEC (300 * 1000000ull)

struct keys_call {
	int sock;
	int output;
	sd_event_source *io;
	sd_event_source *timer;
	keys_done_fn done;
	void *userdata;
};

void keys_call_cancel(struct keys_call *c)
{
	if (!c)
		return;
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	if (c->sock >= 0)
		close(c->sock);
	if (c->output >= 0)
		close(c->output);
	free(c);
}

static void finish(struct keys_call *c, int r, const struct keys_reply *rp, const struct error *e)
{
	/* Nothing more comes from this call, even if @done runs the loop. */
	c->io = sd_event_source_disable_unref(c->io);
	c->timer = sd_event_source_disable_unref(c->timer);
	c->done(c->userdata, r, r < 0 ? NULL : rp, c->output, e);
	keys_call_cancel(c);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct keys_call *c = userdata;
	struct keys_reply rp;
	struct error e = { 0 };
	int r = worker_recv(fd, &rp, sizeof(rp), NULL, 0);

	if (r == -EAGAIN)
		return 0;
	if (r == -EPIPE || r == -ECONNRESET)
		error_set(&e, r = -EPIPE, "ifax-keyring went away while it was asked");
	else if (r < 0)
		error_set(&e, r, "ifax-keyring cannot be heard: %s", strerror(-r));
	else if (!keys_reply_ok(&rp))
		r = error_set(&e, -EPROTO, "The answer of ifax-keyring is not understood; it may "
			      "be of another version than ifaxd");
	finish(c, r, &rp, &e);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct error e;
	int r = error_set(&e, -ETIMEDOUT, "ifax-keyring does not answer");

	finish(userdata, r, NULL, &e);
	return 0;
}

static int write_arguments(const struct keys_question *q, struct error *e)
{
	_buffer_ struct buffer row = { .max = KEYS_ARGUMENT_BYTES };
	int r = 0;

	for (size_t i = 0; i < q->n_arguments && r >= 0; i++)
		r = buffer_append(&row, q->arguments[i], strlen(q->arguments[i]) + 1);
	if (r < 0)
		return error_set(e, r, "Too much is asked of ifax-keyring at once");
	r = keys_memory(row.data, row.len, e);
	if (row.data)
		explicit_bzero(row.data, row.len);
	return r;
}

static int send_question(struct keys_call *c, const struct keys_question *q, struct error *e)
{
	_close_ int arguments = write_arguments(q, e), nothing = -1;
	struct keys_request rq;
	int fds[KEYS_NFDS], r;

	if (arguments < 0)
		return arguments;
	c->output = keys_memory(NULL, 0, e);
	if (c->output < 0)
		return c->output;
	if (q->input < 0) {
		nothing = keys_memory(NULL, 0, e);
		if (nothing < 0)
			return nothing;
	}
	fds[0] = q->input < 0 ? nothing : q->input;
	fds[1] = c->output;
	fds[2] = arguments;
	keys_request_init(&rq, q->op, q->method);
	r = worker_send(c->sock, &rq, sizeof(rq), fds, KEYS_NFDS);
	return r < 0 ? error_set(e, r, "Cannot ask ifax-keyring: %s", strerror(-r)) : 0;
}

int keys_ask(sd_event *event, const char *socket_path, const struct keys_question *q,
	     keys_done_fn done, void *userdata, struct keys_call **ret, struct error *e)
{
	struct keys_call *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(e, -ENOMEM, "Out of memory");
	c->done = done;
	c->userdata = userdata;
	c->output = -1;
	c->sock = r = worker_dial(socket_path, "ifax-keyring", "ifax-keyring.socket", e);
	if (r >= 0)
		r = send_question(c, q, e);
	if (r >= 0) {
		r = sd_event_add_io(event, &c->io, c->sock, EPOLLIN, on_io, c);
		if (r >= 0)
			r = sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC,
						       TIMEOUT_USEC, 0, on_timeout, c);
		if (r < 0)
			error_set(e, r, "Cannot wait for ifax-keyring: %s", strerror(-r));
	}
	if (r < 0) {
		keys_call_cancel(c);
		return r;
	}
	if (ret)
		*ret = c;
	return 0;
}
