// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/registration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/collection.h"
#include "service/collector.h"
#include "service/rings.h"

int registration_check_room(struct box *box, size_t more, struct error *e)
{
	uint64_t n = 0;
	int r;

	if (!box->conf.users_max || !more)
		return 0;
	r = store_user_count(box->store, &n);
	if (r < 0)
		return error_set(e, r, "the users' file cannot be read: %s", strerror(-r));
	if (n + more <= box->conf.users_max)
		return 0;
	return error_set(e, -ENOSPC, "user registration filled: there are %llu users, and "
			 "UsersMax=%u of ifax.conf allows no more; raise it, or remove one by "
			 "\"ifaxctl users remove\"", (unsigned long long)n, box->conf.users_max);
}

int registration_check_code(struct box *box, const char *code, struct error *e)
{
	int r = store_user_check_code(box->store, code, e);

	return r == -EEXIST ? error_set(e, r, "user code already taken: %s; choose another", code)
			    : r;
}

struct user *registration_defaults(void)
{
	struct user *u = calloc(1, sizeof(*u));

	if (u) {
		u->keep_days = 7;
		u->auto_receive = u->auto_print = u->receive_text = true;
	}
	return u;
}

int registration_put(struct box *box, const struct user *u, bool create, struct error *e)
{
	int r = registration_check_room(box, create, e);

	if (!r)
		r = store_user_put(box->store, u, create, e);
	if (!r)
		collector_user_changed(box->collector, u->code);
	return r;
}

/* A later user of the code could print what is kept for this one. */
static int check_nothing_kept(struct box *box, const char *code, struct error *e)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = JOB_KEPT, .limit = INT32_MAX,
				.user = code };
	struct job **jobs = NULL;
	size_t n = 0;
	int r = store_job_list(box->store, &f, &jobs, &n);

	job_list_free(jobs, n);
	if (r < 0)
		return error_set(e, r, "cannot look for kept mail of user %s: %s", code,
				 strerror(-r));
	if (!n)
		return 0;
	return error_set(e, -EBUSY, "%zu mail(s) are kept for user %s: \"ifaxctl kept print --user "
			 "%s all\" prints them, \"ifaxctl kept remove --user %s all\" removes "
			 "them; then the user can be removed", n, code, code, code);
}

int registration_remove(struct box *box, const char *code, struct error *e)
{
	int r = check_nothing_kept(box, code, e);

	if (r >= 0)
		r = store_user_remove(box->store, code, e);
	if (r < 0)
		return r;
	collector_user_changed(box->collector, code);
	collection_forget_user(box->store, code);
	rings_wake(box->rings);
	return 0;
}
