/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Passwords that are to be checked, each of which takes thousands of hashes: one after
 * the other, and never for more than a share of the loop's time, so that who guesses in
 * a hundred sessions at once does not stop the mail of all others.
 */
#ifndef IFAX_SERVICE_LOGINS_H
#define IFAX_SERVICE_LOGINS_H

#include <stdbool.h>
#include <sys/queue.h>

#include <systemd/sd-event.h>

#define LOGINS_MAX   256	/* that wait */
#define LOGINS_SHARE 5		/* checking takes one part of this many of the time */

struct logins;

/* One that waits; part of whom it is for, zeroed at first. */
struct login {
	TAILQ_ENTRY(login) entry;
	bool waits;
};

/* It is @who's turn: check now. He does not wait any more, and may be gone after this. */
typedef void (*logins_turn_fn)(struct login *who);

int logins_new(struct logins **ret, sd_event *event, logins_turn_fn turn);
void logins_free(struct logins *l);	/* nobody waits; NULL is fine */
/* Its turn comes from the loop, not from within. -EBUSY: too many wait. */
int logins_add(struct logins *l, struct login *who);
void logins_remove(struct logins *l, struct login *who);	/* fine where he does not wait */

#endif
