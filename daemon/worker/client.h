/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ifaxd's side of the worker: hands a mail over and gets pages back, on the
 * event loop.
 */
#ifndef IFAX_WORKER_CLIENT_H
#define IFAX_WORKER_CLIENT_H

#include <systemd/sd-event.h>

#include "page/page.h"
#include "worker/protocol.h"

struct worker_call;

/*
 * Called once. @r 0: the worker answered, reply->code says what it found, and
 * @pages holds reply->pages pages; the callee may take them (copy the
 * struct, zero @pages), else they are freed after it. @r < 0: no answer can be
 * relied on, @reply is NULL, @e says why: -EPIPE the worker went away, -ETIMEDOUT,
 * -EPROTO, -EBADMSG.
 */
typedef void (*worker_done_fn)(void *userdata, int r, const struct worker_reply *reply,
			       struct page_list *pages, const struct error *e);

/*
 * @message: the mail, read from its start; a copy goes to the worker, @message
 * stays the caller's and may be closed at once. @timeout_usec 0 = 150 s. *ret,
 * where wanted, is valid until @done was called.
 *
 * An error here means that @done is not called: -ENOENT, -ECONNREFUSED where no
 * worker listens, -EAGAIN when it is overrun.
 */
int worker_parse(sd_event *event, const char *socket_path, const struct worker_request *rq,
		 int message, uint64_t timeout_usec, worker_done_fn done, void *userdata,
		 struct worker_call **ret, struct error *e);
/* @done is not called any more. NULL is fine. */
void worker_call_cancel(struct worker_call *c);

#endif
