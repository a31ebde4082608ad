/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Users' passwords at the panel: kept as crypt(5) hashes by yescrypt, and guarded
 * against guessing.
 *
 * Hashing takes some 20 ms of the event loop. Setting a password is for those who
 * may manage the box; of checks there are PANEL_CHECKS_A_SECOND at most, whoever
 * asks, so that four fifths of each second are left for the box's duties.
 */
#ifndef IFAX_SERVICE_PANEL_PASSWORD_H
#define IFAX_SERVICE_PANEL_PASSWORD_H

#include <stdint.h>

#include "base/error.h"

struct box;

#define PANEL_CODE_MAX	       16	/* characters of a user's code */
#define PANEL_FREE_TRIES       5	/* wrong ones before a user has to wait */
#define PANEL_WAIT_USEC	       30000000ull
#define PANEL_FORGET_USEC      3600000000ull /* without a wrong one */
#define PANEL_CHECKS_A_SECOND  10
#define PANEL_PLACES	       256

/* Whose password was wrong of late. Zeroed is empty; a plain value. */
struct panel_tries {
	struct panel_try {
		char code[PANEL_CODE_MAX + 1];	/* "" = unused */
		uint32_t n;
		uint64_t last;
	} list[PANEL_PLACES];
	uint64_t second;		/* that the checks below were in */
	uint32_t checks;
};

/*
 * Whether this is the panel's password of the user with this code.
 * -EACCES: it is not, or there is no such user; -ENOKEY: he has none;
 * -EAGAIN: too many were wrong, and nothing was checked; the sentence says how long to wait.
 */
int panel_check(struct box *box, const char *code, const char *password, struct error *e);

/* The same guard by itself, @usec by a clock that does not go back: microseconds to wait, or 0. */
uint64_t panel_tries_wait(const struct panel_tries *t, const char *code, uint64_t usec);
/* Takes one check of this second. -EAGAIN: all are taken. */
int panel_tries_take(struct panel_tries *t, uint64_t usec);
void panel_tries_wrong(struct panel_tries *t, const char *code, uint64_t usec);
void panel_tries_right(struct panel_tries *t, const char *code);

#endif
