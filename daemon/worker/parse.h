/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worker's work: from the bytes of a mail to pages that a printer takes,
 * or to a code and a sentence why not. Never fails otherwise: the reply says
 * everything.
 */
#ifndef IFAX_WORKER_PARSE_H
#define IFAX_WORKER_PARSE_H

#include "worker/protocol.h"

/* @message stays the caller's; the pages go to @output (page/pageset.h). */
void worker_parse_mail(const struct worker_request *rq, const void *message, size_t len,
		       int output, struct worker_reply *rp);
/* What rq->op asks for, of the file behind a descriptor. */
void worker_parse_fd(const struct worker_request *rq, int message, int output,
		     struct worker_reply *rp);

#endif
