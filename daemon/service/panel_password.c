// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/panel_password.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/password.h"
#include "service/box.h"
#include "store/store.h"

/* PANEL_PLACES: nowhere. */
static size_t find(const struct panel_tries *t, const char *code)
{
	size_t i = 0;

	while (i < PANEL_PLACES && (!*code || strcmp(t->list[i].code, code)))
		i++;
	return i;
}

static bool forgotten(const struct panel_try *p, uint64_t usec)
{
	return !*p->code || usec - p->last > PANEL_FORGET_USEC;
}

uint64_t panel_tries_wait(const struct panel_tries *t, const char *code, uint64_t usec)
{
	size_t at = find(t, code);
	uint64_t passed;

	if (at == PANEL_PLACES || t->list[at].n < PANEL_FREE_TRIES)
		return 0;
	passed = usec - t->list[at].last;
	return passed < PANEL_WAIT_USEC ? PANEL_WAIT_USEC - passed : 0;
}

int panel_tries_take(struct panel_tries *t, uint64_t usec)
{
	uint64_t second = usec / 1000000;

	if (t->second != second) {
		t->second = second;
		t->checks = 0;
	}
	if (t->checks >= PANEL_CHECKS_A_SECOND)
		return -EAGAIN;
	t->checks++;
	return 0;
}

/*
 * The user's own place, else one that nothing is lost with; at last that of whom
 * the fewest were wrong, so that nobody's wait ends by wrong ones for others.
 */
static struct panel_try *place_for(struct panel_tries *t, const char *code, uint64_t usec)
{
	struct panel_try *own = NULL, *best = &t->list[0];
	size_t at = find(t, code);

	if (at < PANEL_PLACES)
		own = &t->list[at];
	for (size_t i = 0; i < PANEL_PLACES && !own; i++) {
		struct panel_try *p = &t->list[i];

		if (forgotten(p, usec))
			own = p;
		else if (p->n < best->n || (p->n == best->n && p->last < best->last))
			best = p;
	}
	if (!own)
		own = best;
	if (strcmp(own->code, code) || forgotten(own, usec))
		*own = (struct panel_try){ 0 };
	return own;
}

void panel_tries_wrong(struct panel_tries *t, const char *code, uint64_t usec)
{
	struct panel_try *p = place_for(t, code, usec);

	snprintf(p->code, sizeof(p->code), "%s", code);
	p->n++;
	p->last = usec;
}

void panel_tries_right(struct panel_tries *t, const char *code)
{
	size_t at = find(t, code);

	if (at < PANEL_PLACES)
		t->list[at] = (struct panel_try){ 0 };
}

static int may_try(struct panel_tries *t, const char *code, uint64_t usec, struct error *e)
{
	uint64_t wait = panel_tries_wait(t, code, usec);

	if (wait)
		return error_set(e, -EAGAIN, "too many wrong passwords for user %s; try again in "
				 "%llu s", code, (unsigned long long)(wait + 999999) / 1000000);
	if (panel_tries_take(t, usec) < 0)
		return error_set(e, -EAGAIN, "too many passwords are being checked; try again in "
				 "a second");
	return 0;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

static int check_user(struct box *box, const struct user *u, const char *password, struct error *e)
{
	struct panel_tries *t = &box->panel_tries;
	uint64_t usec = now();
	int r;

	if (!u->panel_hash)
		return error_set(e, -ENOKEY, "user %s has no password for the panel; \"ifaxctl "
				 "users passwd %s --panel\" gives him one", u->code, u->code);
	r = may_try(t, u->code, usec, e);
	if (r < 0)
		return r;
	r = password_check(u->panel_hash, password);
	if (!r) {
		panel_tries_right(t, u->code);
		return 0;
	}
	panel_tries_wrong(t, u->code, usec);
	log_full(LOG_NOTICE, 0, u->code, "a wrong password at the panel for user %s", u->code);
	return error_set(e, r, "the user code or the password is wrong");
}

int panel_check(struct box *box, const char *code, const char *password, struct error *e)
{
	struct user *u = NULL;
	int r = store_user_get(box->store, code, true, &u);

	if (r == -ENOENT)
		return error_set(e, -EACCES, "the user code or the password is wrong");
	if (r < 0)
		return error_set(e, r, "the users' file cannot be read: %s", strerror(-r));
	r = check_user(box, u, password, e);
	user_free(u);
	return r;
}
