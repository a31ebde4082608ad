/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kept mail on the bus. A user's code and his password at the panel are all that is
 * asked for; who may manage the box needs no password, and then says so by an empty one.
 */
#include <errno.h>
#include <string.h>

#include "bus/auth.h"
#include "bus/internal.h"
#include "service/collector.h"
#include "service/keeping.h"
#include "service/panel_password.h"

static int append_any_job(sd_bus_message *m, const void *job)
{
	return job_append(m, job, false);
}

/* Without a user that of all. */
static int list(sd_bus_message *m, struct box *box, const char *user)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = JOB_KEPT, .limit = INT32_MAX,
				.user = *user ? user : NULL };
	struct job **jobs = NULL;
	size_t n = 0;
	int r = store_job_list(box->store, &f, &jobs, &n);

	if (r < 0)
		return r;
	r = bus_reply_list(m, (void **)jobs, n, append_any_job);
	job_list_free(jobs, n);
	return r;
}

/* For whom mail waits elsewhere, as it cannot be kept here, he hears it now; "": for nobody. */
static const char *notice_for(struct box *box, const char *user)
{
	const char *notice = NULL;
	struct user *u = NULL;

	if (box->collector && store_user_get(box->store, user, false, &u) >= 0)
		notice = collector_notice_for(box->collector, u);
	user_free(u);
	return notice ? notice : "";
}

/* What people are told is done survives a loss of power. */
static int act(sd_bus_message *m, struct box *box, const char *user, sd_bus_error *e,
	       int (*fn)(struct keeping *k, const char *user, uint64_t id, struct error *e))
{
	struct error why = { 0 }, both;
	const char *notice;
	uint64_t id;
	int n, r = sd_bus_message_read(m, "t", &id);

	if (r < 0)
		return r;
	notice = notice_for(box, user);
	n = fn(box->keeping, user, id, &why);
	r = n < 0 ? n : store_sync(box->store, &why);
	if (r >= 0)
		return sd_bus_reply_method_return(m, "ts", (uint64_t)n, notice);
	error_set(&both, r, "%s%s%s", error_text(&why), *notice ? "; " : "", notice);
	return bus_fail(e, r, &both);
}

/* Who asks may. */
static int granted(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *name = sd_bus_message_get_member(m), *user, *password;
	struct box *box = userdata;
	int r = sd_bus_message_rewind(m, true);

	if (r >= 0)
		r = sd_bus_message_read(m, "ss", &user, &password);
	if (r < 0)
		return r;
	if (!strcmp(name, "ListKept"))
		return list(m, box, user);
	return act(m, box, user, e, strcmp(name, "PrintKept") ? keeping_remove : keeping_print);
}

/* One sentence for a wrong code and a wrong password: it tells nobody which codes there are. */
static int refuse(sd_bus_error *e, int r, const struct error *why)
{
	if (r == -EACCES || r == -ENOKEY || r == -ENOENT)
		return sd_bus_error_set(e, SD_BUS_ERROR_ACCESS_DENIED,
					"the user code or the password is wrong");
	if (r == -EAGAIN)
		return sd_bus_error_set(e, SD_BUS_ERROR_ACCESS_DENIED, error_text(why));
	return bus_fail(e, r, why);
}

int kept_call(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	const char *user, *password;
	struct error why = { 0 };
	int r = sd_bus_message_read(m, "ss", &user, &password);

	if (r < 0)
		return r;
	if (!*password)
		return auth_check(m, "org.ifax1.manage", granted, box, e);
	r = panel_check(box, user, password, &why);
	return r < 0 ? refuse(e, r, &why) : granted(m, box, e);
}
