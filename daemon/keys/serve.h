/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One request of ifaxd's, answered: rings lie in @state, "others" and one for each
 * user in "users/NAME".
 */
#ifndef IFAX_KEYS_SERVE_H
#define IFAX_KEYS_SERVE_H

#include "keys/protocol.h"

/* @fds: input, output, arguments; the caller's. Fills in @rp, whatever happens. */
void keys_serve(const char *state, const struct keys_request *rq, const int fds[KEYS_NFDS],
		struct keys_reply *rp);

#endif
