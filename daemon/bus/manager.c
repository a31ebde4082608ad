/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "bus/auth.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "bus/manager.h"
#include "service/collector.h"
#include "service/inbound.h"
#include "service/keeping.h"
#include "service/queue.h"
#include "service/printing.h"
#include "service/sending.h"
#include "store/store.h"

#define BUS_NAME      "org.ifax1"
#define BUS_PATH      "/org/ifax1"
#define BUS_INTERFACE "org.ifax1.Manager"

struct manager {
	struct box *box;
	sd_bus *bus;
	sd_bus_slot *vtable;
	struct panels *panels;
	struct imports *imports;
};

/* A sentence of ours becomes the bus's error, by the kind of errno. */
int bus_fail(sd_bus_error *e, int r, const struct error *why)
{
	const char *name = SD_BUS_ERROR_FAILED;
	_free_ char *text = NULL;

	if (r == -EINVAL || r == -ENOENT || r == -EEXIST)
		name = SD_BUS_ERROR_INVALID_ARGS;
	else if (r == -ENOMEM)
		name = SD_BUS_ERROR_NO_MEMORY;
	text = bus_text(why && why->text[0] ? why->text : strerror(-r));
	return text ? sd_bus_error_set(e, name, text) : -ENOMEM;
}

int bus_reply_list(sd_bus_message *m, void **items, size_t n,
		   int (*append)(sd_bus_message *m, const void *item))
{
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append(reply, items[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int send_option(sd_bus_message *m, const char *key, const char *type, void *userdata,
		       sd_bus_error *e)
{
	struct send_request *r = userdata;

	if (!strcmp(key, "receipt") && !strcmp(type, "b"))
		return sd_bus_message_read(m, "b", &r->receipt);
	if (strcmp(type, "s"))
		return -EINVAL;
	if (!strcmp(key, "subject"))
		return sd_bus_message_read(m, "s", &r->subject);
	if (!strcmp(key, "resolution"))
		return sd_bus_message_read(m, "s", &r->resolution);
	if (!strcmp(key, "board"))
		return sd_bus_message_read(m, "s", &r->board);
	return -EINVAL;
}

static void free_strv(char ***v)
{
	for (char **s = *v; s && *s; s++)
		free(*s);
	free(*v);
}

static int reply_ids(sd_bus_message *m, const uint64_t *ids, size_t n)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	if (r >= 0)
		r = sd_bus_message_append_array(reply, 't', ids, n * sizeof(*ids));
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int do_send(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	_cleanup_(free_strv) char **to = NULL;
	struct send_request request = { 0 };
	struct manager *mgr = userdata;
	struct error why = { 0 };
	uint64_t ids[SENDING_JOBS_MAX];
	int r;

	r = sd_bus_message_read(m, "s", &request.user);
	if (r >= 0)
		r = sd_bus_message_read_strv(m, &to);
	if (r >= 0)
		r = dict_walk(m, send_option, &request, e);
	if (r < 0)
		return r;
	request.to = to;
	r = sending_request(mgr->box->sending, &request, ids, &why);
	return r < 0 ? bus_fail(e, r, &why) : reply_ids(m, ids, (size_t)r);
}

struct list_options {
	int all;
	const char *user;
};

static int list_option(sd_bus_message *m, const char *key, const char *type, void *userdata,
		       sd_bus_error *e)
{
	struct list_options *o = userdata;

	if (!strcmp(key, "all") && !strcmp(type, "b"))
		return sd_bus_message_read(m, "b", &o->all);
	if (!strcmp(key, "user") && !strcmp(type, "s"))
		return sd_bus_message_read(m, "s", &o->user);
	return -EINVAL;
}

static int do_list_jobs(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct job_filter filter = { .kind = -1, .state = -1, .newest_first = true };
	struct manager *mgr = userdata;
	struct list_options o = { 0 };
	sd_bus_message *reply = NULL;
	struct job **jobs = NULL;
	size_t n = 0;
	int r;

	r = dict_walk(m, list_option, &o, e);
	if (r < 0)
		return r;
	/* Without "all" the last few dozen: what a person looks for. */
	filter.limit = o.all ? 0 : 50;
	filter.user = o.user;
	r = store_job_list(mgr->box->store, &filter, &jobs, &n);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = job_append(reply, jobs[i], false);
	job_list_free(jobs, n);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

/* The job that a method names as its only argument; job_free(). */
static int named_job(struct manager *mgr, sd_bus_message *m, struct job **ret, sd_bus_error *e)
{
	uint64_t id;
	int r;

	r = sd_bus_message_read(m, "t", &id);
	if (r < 0)
		return r;
	r = store_job_get(mgr->box->store, id, ret);
	if (r == -ENOENT)
		return sd_bus_error_setf(e, SD_BUS_ERROR_INVALID_ARGS,
					 "there is no job %llu; \"ifaxctl jobs\" lists them",
					 (unsigned long long)id);
	return r;
}

static int do_get_job(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;
	sd_bus_message *reply = NULL;
	struct job *job = NULL;
	int r;

	r = named_job(mgr, m, &job, e);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = job_append(reply, job, true);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	job_free(job);
	return r;
}

/* Takes the job away from the duty that has it in hand. -ENOENT: none has. */
static int take_away(struct box *box, const struct job *job, struct error *why)
{
	int r;

	switch (job->kind) {
	case JOB_SEND:
	case JOB_MAIL:
	case JOB_NOTICE:
		if (job->state == JOB_SCANNING)
			return sending_cancel(box->sending, job->id);
		r = queue_cancel(box->queue, job->id, why);
		return r < 0 ? r : -ENOENT;
	case JOB_PRINT:
		r = inbound_cancel(box->inbound, job->id);
		return r == -ENOENT ? printing_cancel(box->printing, job->id) : r;
	default:
		return collector_cancel(box->collector, job->id);
	}
}

static int cancel_job(struct box *box, struct job *job, struct error *why)
{
	int r;

	if (job_state_final(job->state))
		return error_set(why, -EINVAL, "job %llu is %s already",
				 (unsigned long long)job->id, job_state_name(job->state));
	r = take_away(box, job, why);
	if (r != -ENOENT)
		return r;
	if (job->state == JOB_KEPT)
		keeping_drop_slips(box->keeping, job);
	return job_say(&box->keeper, job, LOG_INFO, JOB_CANCELED, NULL, NULL,
		       "canceled by request");
}

/* What people are told is done survives a loss of power. */
static int reply_durable(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct error why = { 0 };
	int r = store_sync(box->store, &why);

	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

/* Steers the job that @m names. */
static int steer_job(sd_bus_message *m, struct manager *mgr, sd_bus_error *e,
		     int (*steer)(struct box *box, struct job *job, struct error *why))
{
	struct error why = { 0 };
	struct job *job = NULL;
	int r;

	r = named_job(mgr, m, &job, e);
	if (r < 0)
		return r;
	r = steer(mgr->box, job, &why);
	job_free(job);
	return r < 0 ? bus_fail(e, r, &why) : reply_durable(m, mgr->box, e);
}

static int do_cancel_job(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	return steer_job(m, userdata, e, cancel_job);
}

/* A queued job to print is with the printer's duty already. */
static int check_retry(const struct job *job, struct error *why)
{
	unsigned long long id = job->id;

	if (job->kind == JOB_COLLECT)
		return error_set(why, -EINVAL,
				 "job %llu is a collection; \"ifaxctl collect %s\" asks the "
				 "mailbox anew", id, job->user ? job->user : "");
	if (job->state == JOB_KEPT)
		return error_set(why, -EINVAL, "job %llu is kept for user %s; \"ifaxctl kept "
				 "print --user %s %llu\" prints it", id, job->user, job->user, id);
	if (job->state != JOB_FAILED && job->state != JOB_HELD && job->state != JOB_CANCELED)
		return error_set(why, -EINVAL, "job %llu is %s; only what failed, was canceled, is "
				 "held or is queued to be sent can be tried again", id,
				 job_state_name(job->state));
	if (!job->body_len)
		return error_set(why, -EINVAL,
				 "job %llu has no document any more; its sender may send it again",
				 id);
	return 0;
}

/*
 * What failed, is held or waits for its next try goes again at once, if its
 * document is here. A received one that was asked for is printed whatever else
 * is known of it: that is what its attempts say.
 */
static int retry_job(struct box *box, struct job *job, struct error *why)
{
	int r;

	if (job_kind_queued(job->kind))
		return queue_retry(box->queue, job, why);
	r = check_retry(job, why);
	if (r < 0)
		return r;
	if (printing_has(box->printing, job->id))
		return error_set(why, -EBUSY,
				 "job %llu is just leaving the printer; try again in a moment",
				 (unsigned long long)job->id);
	job->attempts++;
	job->next_try = 0;
	r = job_say(&box->keeper, job, LOG_INFO, JOB_CHECKING, NULL, NULL,
		    "tried again by request");
	if (r < 0)
		return r;
	inbound_wake(box->inbound);
	return 0;
}

static int do_retry_job(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	return steer_job(m, userdata, e, retry_job);
}

static int hold_job(struct box *box, struct job *job, struct error *why)
{
	return queue_hold(box->queue, job, why);
}

static int do_hold_job(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	return steer_job(m, userdata, e, hold_job);
}

static int release_job(struct box *box, struct job *job, struct error *why)
{
	return queue_release(box->queue, job, why);
}

static int do_release_job(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	return steer_job(m, userdata, e, release_job);
}

static int do_list_queue(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return queue_list_call(m, mgr->box, e);
}

static int do_remove_job(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;
	struct error why = { 0 };
	uint64_t id;
	int r;

	r = sd_bus_message_read(m, "t", &id);
	if (r < 0)
		return r;
	r = store_job_remove(mgr->box->store, id, &why);
	return r < 0 ? bus_fail(e, r, &why) : reply_durable(m, mgr->box, e);
}

/* The document itself, read-only: what could not be printed or sent is not lost. */
static int do_get_document(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;
	struct error why = { 0 };
	_close_ int fd = -1;
	uint64_t id;
	int r;

	r = sd_bus_message_read(m, "t", &id);
	if (r < 0)
		return r;
	r = store_job_body(mgr->box->store, id, &fd, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "h", fd);
}

static int do_collect(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;
	struct error why = { 0 };
	const char *user;
	uint64_t id;
	int r;

	r = sd_bus_message_read(m, "s", &user);
	if (r < 0)
		return r;
	r = collector_collect(mgr->box->collector, user, &id, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "t", id);
}

static int do_get_status(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = status_append(reply, mgr->box);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int do_users(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return users_call(m, mgr->box, e);
}

static int do_import_users(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return imports_call(mgr->imports, m, e);
}

static int do_recipients(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return recipients_call(m, mgr->box, e);
}

static int do_aliases(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return aliases_call(m, mgr->box, e);
}

static int do_keys(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return keys_bus_call(m, mgr->box, e);
}

static int do_kept(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return kept_call(m, mgr->box, e);
}

static int do_self_test(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return selftest_call(m, mgr->box, e);
}

static int do_attach_panel(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	return panels_attach(mgr->panels, m, e);
}

/* name, in, out, who may (NULL: anyone, or the method asks itself), what it does */
#define METHODS(M)                                                             \
	M("GetStatus", "", "a{sv}", NULL, do_get_status)                       \
	M("Send", "sasa{sv}", "at", "org.ifax1.send", do_send)                  \
	M("ListJobs", "a{sv}", "aa{sv}", "org.ifax1.view", do_list_jobs)       \
	M("GetJob", "t", "a{sv}", "org.ifax1.view", do_get_job)                \
	M("CancelJob", "t", "", "org.ifax1.manage", do_cancel_job)             \
	M("RetryJob", "t", "", "org.ifax1.manage", do_retry_job)               \
	M("RemoveJob", "t", "", "org.ifax1.manage", do_remove_job)             \
	M("ListQueue", "a{sv}", "aa{sv}", "org.ifax1.view", do_list_queue)     \
	M("HoldJob", "t", "", "org.ifax1.manage", do_hold_job)                 \
	M("ReleaseJob", "t", "", "org.ifax1.manage", do_release_job)           \
	M("GetDocument", "t", "h", "org.ifax1.view", do_get_document)          \
	M("Collect", "s", "t", "org.ifax1.manage", do_collect)                 \
	M("ListUsers", "", "aa{sv}", "org.ifax1.view", do_users)               \
	M("GetUser", "s", "a{sv}", "org.ifax1.view", do_users)                 \
	M("CheckCode", "s", "", "org.ifax1.view", do_users)                    \
	M("ImportUsers", "a(sa{sv})b", "uu", "org.ifax1.manage", do_import_users) \
	M("AddUser", "a{sv}", "", "org.ifax1.manage", do_users)                \
	M("EditUser", "a{sv}", "", "org.ifax1.manage", do_users)               \
	M("RemoveUser", "s", "", "org.ifax1.manage", do_users)                 \
	M("CheckPanel", "ss", "", "org.ifax1.panel", do_users)                 \
	M("ListRecipients", "", "aa{sv}", "org.ifax1.view", do_recipients)     \
	M("SetRecipient", "a{sv}", "", "org.ifax1.manage", do_recipients)      \
	M("RemoveRecipient", "s", "", "org.ifax1.manage", do_recipients)       \
	M("ListAliases", "", "aa{sv}", "org.ifax1.view", do_aliases)           \
	M("AddAlias", "a{sv}", "", "org.ifax1.manage", do_aliases)             \
	M("EditAlias", "a{sv}", "", "org.ifax1.manage", do_aliases)            \
	M("RemoveAlias", "s", "", "org.ifax1.manage", do_aliases)              \
	M("ListKeys", "s", "aa{sv}", "org.ifax1.view", do_keys)                \
	M("ImportKeys", "shs", "s", "org.ifax1.manage", do_keys)               \
	M("ExportKey", "ss", "s", "org.ifax1.view", do_keys)                   \
	M("RemoveKey", "ss", "", "org.ifax1.manage", do_keys)                  \
	M("MakeKey", "s", "s", "org.ifax1.manage", do_keys)                    \
	M("ListKept", "ss", "aa{sv}", NULL, do_kept)                           \
	M("PrintKept", "sst", "ts", NULL, do_kept)                             \
	M("RemoveKept", "sst", "ts", NULL, do_kept)                            \
	M("SelfTest", "", "aa{sv}", "org.ifax1.manage", do_self_test)          \
	M("AttachPanel", "s", "", "org.ifax1.panel", do_attach_panel)

static const struct method {
	const char *name, *action;
	auth_handler run;
} methods[] = {
#define ROW(name, in, out, action, run) { name, action, run },
	METHODS(ROW)
#undef ROW
};

static int on_method(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *name = sd_bus_message_get_member(m);

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, name))
			return auth_check(m, methods[i].action, methods[i].run, userdata, e);
	return -EOPNOTSUPP;
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
#define ROW(name, in, out, action, run) \
	SD_BUS_METHOD(name, in, out, on_method, SD_BUS_VTABLE_UNPRIVILEGED),
	METHODS(ROW)
#undef ROW
	SD_BUS_SIGNAL("JobsChanged", "a(tss)", 0),
	SD_BUS_VTABLE_END
};

static int append_job(sd_bus_message *m, const struct job *job)
{
	_free_ char *detail = bus_text(job->detail ? job->detail : "");

	if (!detail)
		return -ENOMEM;
	return sd_bus_message_append(m, "(tss)", job->id, job_state_name(job->state), detail);
}

/* One signal for many: each wakes the bus, and whoever listens. */
static void on_jobs_changed(void *userdata, struct job *const *jobs, size_t n)
{
	struct manager *mgr = userdata;
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_signal(mgr->bus, &m, BUS_PATH, BUS_INTERFACE, "JobsChanged");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(tss)");
	for (size_t i = 0; i < n && r >= 0; i++)
		r = append_job(m, jobs[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_send(mgr->bus, m, NULL);
	sd_bus_message_unref(m);
	if (r < 0)
		log_warning("cannot tell the bus of %zu jobs that changed: %s, ignoring", n,
			    strerror(-r));
}

void manager_free(struct manager *mgr)
{
	if (!mgr)
		return;
	store_watch(mgr->box->store, NULL, NULL);
	panels_free(mgr->panels);
	imports_free(mgr->imports);
	sd_bus_slot_unref(mgr->vtable);
	if (mgr->bus)
		sd_bus_detach_event(mgr->bus);
	sd_bus_flush_close_unref(mgr->bus);
	free(mgr);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct manager *mgr = userdata;

	log_error("the system bus closed the connection; stopping, so that systemd starts "
		  "ifaxd again");
	return sd_event_exit(mgr->box->event, 1);
}

int manager_new(struct manager **ret, struct box *box, struct error *e)
{
	struct manager *mgr = calloc(1, sizeof(*mgr));
	int r;

	if (!mgr)
		return error_set(e, -ENOMEM, "out of memory");
	mgr->box = box;
	r = sd_bus_open_system(&mgr->bus);
	if (r < 0) {
		error_set(e, r, "the system bus does not answer: %s. Is dbus running?",
			  strerror(-r));
		goto fail;
	}
	r = sd_bus_attach_event(mgr->bus, box->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_add_object_vtable(mgr->bus, &mgr->vtable, BUS_PATH, BUS_INTERFACE,
					     vtable, mgr);
	if (r >= 0)
		r = sd_bus_match_signal(mgr->bus, NULL, "org.freedesktop.DBus.Local", NULL,
					"org.freedesktop.DBus.Local", "Disconnected",
					on_disconnected, mgr);
	if (r >= 0)
		r = panels_new(&mgr->panels, box, mgr->bus);
	if (r >= 0)
		r = imports_new(&mgr->imports, box);
	if (r >= 0)
		r = sd_bus_request_name(mgr->bus, BUS_NAME, 0);
	if (r < 0) {
		error_set(e, r, "cannot take the name %s on the system bus: %s. Is another ifaxd "
			  "running, or is the bus policy org.ifax1.conf not installed?", BUS_NAME,
			  strerror(-r));
		goto fail;
	}
	store_watch(box->store, on_jobs_changed, mgr);
	*ret = mgr;
	return 0;

fail:
	manager_free(mgr);
	return r;
}
