/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ifaxd's side of ifax-keyring: asks, and gets its answer on the event loop. */
#ifndef IFAX_KEYS_CLIENT_H
#define IFAX_KEYS_CLIENT_H

#include <systemd/sd-event.h>

#include "keys/protocol.h"

struct keys_call;

/*
 * Called once. @r 0: ifax-keyring answered, reply->code says what; @output is its
 * memory file, closed after this. @r < 0: no answer can be relied on, @reply is
 * NULL, @e says why.
 */
typedef void (*keys_done_fn)(void *userdata, int r, const struct keys_reply *reply, int output,
			     const struct error *e);

struct keys_question {
	enum keys_op op;
	enum keys_method method;
	int input;			/* a memory file, stays the caller's; -1 = nothing */
	const char *const *arguments;
	size_t n_arguments;
};

/*
 * *ret, where wanted, is valid until @done was called. An error here means that
 * @done is not called: -ENOENT, -ECONNREFUSED where nobody listens.
 */
int keys_ask(sd_event *event, const char *socket_path, const struct keys_question *q,
	     keys_done_fn done, void *userdata, struct keys_call **ret, struct error *e);
/* @done is not called any more. NULL is fine. */
void keys_call_cancel(struct keys_call *c);

#endif
