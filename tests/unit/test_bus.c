// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The control interface on a message bus of the test's own: every method, right
 * and wrong, with the real store and duties behind it; and ifaxctl against it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fax.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/password.h"
#include "bus/manager.h"
#include "device/board.h"
#include "fake_kernel.h"
#include "service/inbound.h"
#include "service/queue.h"
#include "service/terminal.h"
#include "smtp/scram.h"
#include "store/store.h"
#include "svc_help.h"
#include "worker/parse.h"

#define NOBODY	     65534
#define PATIENCE     8
#define INVALID	     SD_BUS_ERROR_INVALID_ARGS

static char bus_dir[] = "/tmp/ifax-bus-XXXXXX";
static pid_t bus_pid;
static char ifaxctl[PATH_MAX];

struct room {
	struct svc svc;
	sd_bus *client;		/* the test's own connection, on the box's event loop */
	sd_bus *polkit;
	bool grant;		/* what polkit says */
	unsigned int asked;
	char action[64];	/* that polkit was asked about last */
	unsigned int signals;
	char signal_text[400];
	char *out;		/* what ifaxctl said last, on both outputs */
	const char *in;		/* what it reads, NULL: the test's own input */
};

/*
 * The bus
 */

static void write_config(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "<busconfig><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"
		"<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
		"<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
		"</policy></busconfig>\n", bus_dir);
	fclose(f);
}

static int start_bus(void **state)
{
	char config[64], address[64], c;
	int fds[2];

	assert_non_null(mkdtemp(bus_dir));
	assert_int_equal(chmod(bus_dir, 0755), 0);
	snprintf(config, sizeof(config), "%s/conf", bus_dir);
	snprintf(address, sizeof(address), "unix:path=%s/bus", bus_dir);
	write_config(config);
	assert_int_equal(pipe(fds), 0);
	bus_pid = fork();
	assert_true(bus_pid >= 0);
	if (!bus_pid) {
		dup2(fds[1], 1);
		close(fds[0]);
		execlp("dbus-daemon", "dbus-daemon", "--nofork", "--print-address=1",
		       "--config-file", config, NULL);
		_exit(127);
	}
	close(fds[1]);
	/* It says its address when it listens. */
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	return 0;
}

static int stop_bus(void **state)
{
	static const char *const names[] = { "bus", "conf" };
	char path[64];

	kill(bus_pid, SIGTERM);
	waitpid(bus_pid, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", bus_dir, names[i]);
		unlink(path);
	}
	rmdir(bus_dir);
	return 0;
}

/*
 * The box on it
 */

static int on_check(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct room *r = userdata;
	const char *action;

	r->asked++;
	assert_true(sd_bus_message_skip(m, "(sa{sv})") >= 0);
	assert_true(sd_bus_message_read(m, "s", &action) >= 0);
	snprintf(r->action, sizeof(r->action), "%s", action);
	return sd_bus_reply_method_return(m, "(bba{ss})", r->grant, 0, 0);
}

static const sd_bus_vtable polkit_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END
};

static void start_polkit(struct room *r)
{
	assert_true(sd_bus_open_system(&r->polkit) >= 0);
	assert_true(sd_bus_attach_event(r->polkit, r->svc.box.event, 0) >= 0);
	assert_true(sd_bus_add_object_vtable(r->polkit, NULL,
					     "/org/freedesktop/PolicyKit1/Authority",
					     "org.freedesktop.PolicyKit1.Authority", polkit_vtable,
					     r) >= 0);
	assert_true(sd_bus_request_name(r->polkit, "org.freedesktop.PolicyKit1", 0) >= 0);
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *name, *text;
	struct room *r = userdata;
	uint64_t id;

	assert_true(sd_bus_message_enter_container(m, 'a', "(tss)") > 0);
	while (sd_bus_message_read(m, "(tss)", &id, &name, &text) > 0) {
		r->signals++;
		snprintf(r->signal_text, sizeof(r->signal_text), "%s", text);
	}
	return 0;
}

static void ignore_board(void *userdata, struct board *b)
{
}

static const struct board_handlers board_handlers = {
	.added = ignore_board, .removed = ignore_board, .changed = ignore_board,
};

static int setup(void **state)
{
	struct room *r = calloc(1, sizeof(*r));
	struct error e = { 0 };
	struct box *box;

	assert_non_null(r);
	box = &r->svc.box;
	r->grant = true;	/* where the test is not root, polkit lets it */
	svc_make(&r->svc);
	svc_start_worker(&r->svc, svc_parse);
	svc_open(&r->svc, 0);
	fake_kernel_init();
	assert_int_equal(boards_new(&box->boards, box->event, &fake_kernel_sys, &board_handlers,
				    NULL), 0);
	start_polkit(r);
	assert_int_equal(terminals_new(&box->terminals), 0);
	if (manager_new(&box->manager, box, &e) < 0)
		fail_msg("manager_new: %s", error_text(&e));
	assert_true(sd_bus_open_system(&r->client) >= 0);
	assert_true(sd_bus_attach_event(r->client, box->event, 0) >= 0);
	assert_true(sd_bus_match_signal(r->client, NULL, "org.ifax1", "/org/ifax1",
					"org.ifax1.Manager", "JobsChanged", on_changed, r) >= 0);
	svc_add_user(&r->svc, "100", "u", 0);
	*state = r;
	return 0;
}

static void close_bus(sd_bus *bus)
{
	sd_bus_detach_event(bus);
	sd_bus_flush_close_unref(bus);
}

static int teardown(void **state)
{
	struct room *r = *state;

	close_bus(r->client);
	manager_free(take_ptr(r->svc.box.manager));
	terminals_free(take_ptr(r->svc.box.terminals));
	close_bus(r->polkit);
	boards_free(take_ptr(r->svc.box.boards));
	svc_remove(&r->svc);
	free(r->out);
	free(r);
	return 0;
}

/*
 * Calls
 */

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	*(sd_bus_message **)userdata = sd_bus_message_ref(m);
	return 0;
}

static sd_bus_message *method(struct room *r, const char *name)
{
	sd_bus_message *m = NULL;

	assert_true(sd_bus_message_new_method_call(r->client, &m, "org.ifax1", "/org/ifax1",
						   "org.ifax1.Manager", name) >= 0);
	return m;
}

/* Consumes @m; the reply, an error or not, is the caller's. */
static sd_bus_message *send_message(struct room *r, sd_bus_message *m)
{
	sd_bus_message *reply = NULL;

	assert_true(sd_bus_call_async(r->client, NULL, m, on_reply, &reply,
				      PATIENCE * 1000000ull) >= 0);
	sd_bus_message_unref(m);
	while (!reply)
		assert_true(sd_event_run(r->svc.box.event, 1000000) >= 0);
	return reply;
}

static sd_bus_message *call(struct room *r, const char *name, const char *types, ...)
{
	sd_bus_message *m = method(r, name);
	va_list ap;

	va_start(ap, types);
	assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
	va_end(ap);
	return send_message(r, m);
}

/* The call is refused by @error (NULL: any) with a sentence that has @words. */
static void refused(sd_bus_message *reply, const char *error, const char *words)
{
	const sd_bus_error *e = sd_bus_message_get_error(reply);

	if (!e)
		fail_msg("it was not refused: \"%s\" was expected", words);
	if (error && strcmp(e->name, error))
		fail_msg("%s, not %s: %s", e->name, error, e->message);
	if (!strstr(e->message, words))
		fail_msg("\"%s\" says nothing of \"%s\"", e->message, words);
	sd_bus_message_unref(reply);
}

static void granted(sd_bus_message *reply)
{
	const sd_bus_error *e = sd_bus_message_get_error(reply);

	if (e)
		fail_msg("refused: %s", e->message);
	sd_bus_message_unref(reply);
}

static uint64_t number(sd_bus_message *reply)
{
	const sd_bus_error *e = sd_bus_message_get_error(reply);
	uint64_t id = 0;

	if (e)
		fail_msg("refused: %s", e->message);
	assert_true(sd_bus_message_read(reply, "t", &id) >= 0);
	sd_bus_message_unref(reply);
	return id;
}

/* The one number in a reply that may bring several. */
static uint64_t only(sd_bus_message *reply)
{
	const uint64_t *ids;
	uint64_t id;
	size_t size;

	assert_false(sd_bus_message_is_method_error(reply, NULL));
	assert_true(sd_bus_message_read_array(reply, 't', (const void **)&ids, &size) >= 0);
	assert_int_equal(size, sizeof(*ids));
	id = *ids;
	sd_bus_message_unref(reply);
	return id;
}

/* Strings in the reply's first "to", and whether @words stand in any string of it. */
static size_t count_strings(sd_bus_message *m, const char *words, bool *found)
{
	const char *contents, *s;
	size_t n = 0;
	char type;

	while (sd_bus_message_peek_type(m, &type, &contents) > 0) {
		if (type == 's' || type == 'o' || type == 'g') {
			assert_true(sd_bus_message_read_basic(m, type, &s) >= 0);
			n++;
			if (words && strstr(s, words))
				*found = true;
		} else if (strchr("avre", type)) {
			assert_true(sd_bus_message_enter_container(m, type, contents) >= 0);
			n += count_strings(m, words, found);
			assert_true(sd_bus_message_exit_container(m) >= 0);
		} else {
			assert_true(sd_bus_message_skip(m, NULL) >= 0);
		}
	}
	return n;
}

static bool says(sd_bus_message *reply, const char *words)
{
	const sd_bus_error *e = sd_bus_message_get_error(reply);
	bool found = false;

	if (e)
		fail_msg("refused: %s", e->message);
	count_strings(reply, words, &found);
	sd_bus_message_unref(reply);
	return found;
}

static uint64_t add_job(struct room *r, enum job_kind kind, enum job_state state, const char *body,
			const char *detail)
{
	struct job *j = fake_job(0, kind, state);
	struct error e = { 0 };
	uint64_t id;

	assert_int_equal(job_set(&j->user, "100"), 0);
	assert_int_equal(job_set(&j->from, "ada@example.test"), 0);
	assert_int_equal(job_set(&j->detail, detail), 0);
	assert_int_equal(job_add_recipient(j, "a@x.test"), 0);
	if (store_job_create(r->svc.box.store, j, body, body ? strlen(body) : 0, NULL, NULL, &e) <
	    0)
		fail_msg("%s", error_text(&e));
	id = j->id;
	job_free(j);
	return id;
}

static bool is_node(struct room *r, const char *node)
{
	struct error e;

	return boards_node_added(r->svc.box.boards, node, &e) >= 0;
}

/*
 * ifaxctl
 */

static void feed(const char *text)
{
	int in = memfd_create("in", 0);

	if (write(in, text, strlen(text)) < 0 || lseek(in, 0, SEEK_SET) < 0)
		_exit(125);
	dup2(in, 0);
}

/* Runs it as @uid; its exit status. What it says goes to r->out. */
static int run_ctl(struct room *r, uid_t uid, const char *const *words)
{
	const char *argv[16] = { "ifaxctl" };
	int out = memfd_create("out", 0), status = 0;
	struct stat st;
	pid_t pid;

	for (size_t i = 0; words[i]; i++)
		argv[i + 1] = words[i];
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(out, 1);
		dup2(out, 2);
		if (r->in)
			feed(r->in);
		if (uid && setresuid(uid, uid, uid) < 0)
			_exit(126);
		execv(ifaxctl, (char **)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		assert_true(sd_event_run(r->svc.box.event, 10000) >= 0);
	assert_int_equal(fstat(out, &st), 0);
	free(r->out);
	r->out = calloc(1, st.st_size + 1);
	assert_non_null(r->out);
	assert_int_equal(pread(out, r->out, st.st_size, 0), st.st_size);
	close(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

#define CTL(r, ...) run_ctl(r, 0, (const char *const[]){ __VA_ARGS__, NULL })

static void expect(struct room *r, int status, int want, const char *words)
{
	if (status != want || !strstr(r->out, words))
		fail_msg("status %d, not %d, or nothing of \"%s\" in: %s", status, want, words,
			 r->out);
}

/*
 * Tests
 */

static void status(void **state)
{
	struct room *r = *state;
	struct error e;

	assert_false(says(call(r, "GetStatus", ""), "scanner"));
	assert_int_equal(boards_node_added(r->svc.box.boards, "1/scan", &e), 0);
	assert_int_equal(boards_node_added(r->svc.box.boards, "1/print", &e), 0);
	svc_run(&r->svc, 400);
	assert_true(says(call(r, "GetStatus", ""), "scanner"));
	assert_true(says(call(r, "GetStatus", ""), "box.example.test"));
}

static void unknown_method(void **state)
{
	struct room *r = *state;

	refused(call(r, "Reboot", ""), SD_BUS_ERROR_UNKNOWN_METHOD, "");
	refused(call(r, "GetJob", "s", "1"), INVALID, "");
	refused(call(r, "GetJob", ""), INVALID, "");
}

static void send_and_cancel(void **state)
{
	struct room *r = *state;
	uint64_t id;

	id = only(call(r, "Send", "sasa{sv}", "100", 1, "a@x.test", 1, "subject", "s", "hello"));
	while (!r->svc.scanner.done)
		assert_true(sd_event_run(r->svc.box.event, 1000000) >= 0);
	assert_true(says(call(r, "GetJob", "t", id), "scanning"));
	refused(call(r, "RetryJob", "t", id), INVALID, "is scanning; only");
	refused(call(r, "RemoveJob", "t", id), NULL, "not finished");
	refused(call(r, "GetDocument", "t", id), INVALID, "no document");
	granted(call(r, "CancelJob", "t", id));
	fake_scanner_fail(&r->svc.scanner, FAX_CODE_CANCELED);
	svc_expect(&r->svc, id, JOB_CANCELED, NULL);
	refused(call(r, "CancelJob", "t", id), INVALID, "is canceled already");
	refused(call(r, "RetryJob", "t", id), INVALID, "put the original in the feeder");
	svc_run(&r->svc, 100);
	/* Changes that come close together are told as one. */
	assert_true(r->signals >= 1);
	assert_non_null(strstr(r->signal_text, "canceled"));
	granted(call(r, "RemoveJob", "t", id));
	refused(call(r, "GetJob", "t", id), INVALID, "there is no job");
}

/* Whatever stands in a request, there is an answer to it, and the daemon stays. */
static void wrong_sends(void **state)
{
	struct room *r = *state;
	char umlauts[1201];
	sd_bus_message *m;

	refused(call(r, "Send", "sasa{sv}", "999", 1, "a@x.test", 0), INVALID, "no user 999");
	refused(call(r, "Send", "sasa{sv}", "100", 0, 0), INVALID, "recipient is missing");
	refused(call(r, "Send", "sasa{sv}", "100", 1, "a b", 0), INVALID, "is not a mail address");
	refused(call(r, "Send", "sasa{sv}", "100", 1, "a@x.test", 1, "colour", "s", "red"), INVALID,
		"\"colour\" is not known");
	refused(call(r, "Send", "sasa{sv}", "100", 1, "a@x.test", 1, "subject", "u", 7), INVALID,
		"subject");
	refused(call(r, "Send", "sasa{sv}", "100", 1, "a@x.test", 1, "subject", "s", "a\nb"),
		INVALID, "line end");
	/* A sentence that is cut where a character goes on: at either byte of it. */
	for (int i = 0; i < 600; i++)
		memcpy(umlauts + 2 * i, "ü", 2);
	umlauts[1200] = '\0';
	refused(call(r, "Send", "sasa{sv}", umlauts, 1, "a@x.test", 0), INVALID, "no user ü");
	refused(call(r, "Send", "sasa{sv}", umlauts + 2, 1, umlauts, 0), INVALID, "");
	memmove(umlauts + 1, umlauts, 1199);
	umlauts[0] = 'x';
	umlauts[1199] = '\0';
	refused(call(r, "Send", "sasa{sv}", umlauts, 1, "a@x.test", 0), INVALID, "no user xü");
	m = method(r, "Send");
	assert_true(sd_bus_message_append(m, "s", "100") >= 0);
	assert_true(sd_bus_message_open_container(m, 'a', "s") >= 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(umlauts, sizeof(umlauts), "n%d@x.test", i);
		assert_true(sd_bus_message_append(m, "s", umlauts) >= 0);
	}
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_append(m, "a{sv}", 0) >= 0);
	refused(send_message(r, m), NULL, "1000 recipients");
	assert_int_equal(svc_count(&r->svc, -1, -1, NULL), 0);
	granted(call(r, "GetStatus", ""));
}

/* What servers said need not be UTF-8, and may try to steer a terminal. */
static void foreign_words(void **state)
{
	struct room *r = *state;
	struct job *j;
	uint64_t id;

	id = add_job(r, JOB_SEND, JOB_FAILED, NULL,
		     "gr\xfc\xdf"
		     "e \x1b[31m\xc2\x9b ü\xed\xa0\x80");
	assert_true(says(call(r, "GetJob", "t", id), "gr??e  [31m   ü???"));
	assert_true(says(call(r, "ListJobs", "a{sv}", 0), "gr??e"));
	j = svc_job(&r->svc, id);
	assert_int_equal(store_job_update(r->svc.box.store, j, NULL, NULL, NULL), 0);
	job_free(j);
	svc_run(&r->svc, 100);
	assert_non_null(strstr(r->signal_text, "gr??e"));
}

/* A list of many jobs of many recipients stays a message that the bus carries. */
static void many_recipients(void **state)
{
	struct room *r = *state;
	sd_bus_message *reply;
	bool found = false;
	char name[20];
	struct job *j;
	size_t n;

	for (int k = 0; k < 60; k++) {
		j = fake_job(0, JOB_SEND, JOB_FAILED);
		for (int i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "n%d@x.test", i);
			assert_int_equal(job_add_recipient(j, name), 0);
		}
		assert_int_equal(store_job_create(r->svc.box.store, j, NULL, 0, NULL, NULL, NULL),
				 0);
		job_free(j);
	}
	reply = call(r, "ListJobs", "a{sv}", 1, "all", "b", 1);
	n = count_strings(reply, "n4@x.test", &found);
	assert_true(found);
	assert_in_range(n, 60 * 5, 60 * 60);
	sd_bus_message_unref(reply);
	assert_true(says(call(r, "GetJob", "t", UINT64_C(1)), "n999@x.test"));
	refused(call(r, "ListJobs", "a{sv}", 1, "all", "s", "yes"), INVALID, "all");
	assert_false(says(call(r, "ListJobs", "a{sv}", 1, "user", "s", "100"), "n0@"));
	if (access(ifaxctl, X_OK) >= 0)
		expect(r, CTL(r, "jobs"), 0, "n4@x.test and 995 more");
}

static void no_such_job(void **state)
{
	static const char *const names[] = { "GetJob", "CancelJob", "RetryJob", "RemoveJob",
					     "GetDocument" };
	const uint64_t ids[] = { 0, 4711, UINT64_MAX };
	struct room *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t k = 0; k < ARRAY_SIZE(ids); k++)
			refused(call(r, names[i], "t", ids[k]), INVALID, "here is no job");
}

static void document(void **state)
{
	struct room *r = *state;
	sd_bus_message *reply;
	char text[16] = "";
	uint64_t id;
	int fd;

	id = add_job(r, JOB_PRINT, JOB_FAILED, "the mail", NULL);
	reply = call(r, "GetDocument", "t", id);
	assert_true(sd_bus_message_read(reply, "h", &fd) >= 0);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 8);
	assert_string_equal(text, "the mail");
	assert_true(write(fd, "x", 1) < 0);
	sd_bus_message_unref(reply);
}

/* Each kind of job is taken from the duty that has it. */
static void cancel_everywhere(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	struct room *r = *state;
	struct error e = { 0 };
	struct fake_server f;
	uint64_t id;

	/* waits for its next try */
	id = add_job(r, JOB_SEND, JOB_QUEUED, "Subject: x\r\n\r\nx\r\n", NULL);
	queue_wake(r->svc.box.queue, id);
	svc_run(&r->svc, 100);
	granted(call(r, "CancelJob", "t", id));
	svc_expect(&r->svc, id, JOB_CANCELED, "by request");

	/* with the printer */
	svc_fax_mail(&mail, "<a@x>");
	id = add_job(r, JOB_PRINT, JOB_CHECKING, mail.data, NULL);
	inbound_wake(r->svc.box.inbound);
	svc_wait_page(&r->svc);
	granted(call(r, "CancelJob", "t", id));
	assert_int_equal(r->svc.printer.cancels, 1);
	fake_printer_end(&r->svc.printer, FAX_CODE_CANCELED, false);
	svc_expect(&r->svc, id, JOB_CANCELED, "may have come out");

	/* held */
	id = add_job(r, JOB_PRINT, JOB_HELD, "x", NULL);
	granted(call(r, "CancelJob", "t", id));
	svc_expect(&r->svc, id, JOB_CANCELED, NULL);

	/* with the worker, which does not answer */
	kill(r->svc.worker, SIGSTOP);
	id = add_job(r, JOB_PRINT, JOB_CHECKING, mail.data, NULL);
	inbound_wake(r->svc.box.inbound);
	svc_run(&r->svc, 100);
	granted(call(r, "CancelJob", "t", id));
	svc_expect(&r->svc, id, JOB_CANCELED, "nothing was printed");
	kill(r->svc.worker, SIGCONT);

	/* with a mail server that says nothing */
	fake_server_start(&f, (const char *const[]){ "WAIT", NULL });
	svc_add_user(&r->svc, "101", "u", f.port);
	id = number(call(r, "Collect", "s", "101"));
	svc_run(&r->svc, 100);
	granted(call(r, "CancelJob", "t", id));
	svc_expect(&r->svc, id, JOB_CANCELED, "still on the server");
	refused(call(r, "RetryJob", "t", id), INVALID, "ifaxctl collect 101");
	svc_serve(&r->svc, &f);

	refused(call(r, "Collect", "s", "999"), INVALID, "no user 999");
	refused(call(r, "Collect", "s", "100"), NULL, "no mailbox");
	assert_int_equal(store_user_remove(r->svc.box.store, "101", &e), 0);
}

/* With its dot on the way a mail cannot be taken back. */
static void cancel_too_late(void **state)
{
	struct room *r = *state;
	struct fake_server f;
	uint64_t id;

	fake_server_start(&f, (const char *const[]){
		"S:220 mx\r\n", "C:EHLO", "S:250 mx\r\n", "C:MAIL", "S:250 ok\r\n", "C:RCPT",
		"S:250 ok\r\n", "C:DATA", "S:354 go\r\n", "BODY", "WAIT", NULL });
	manager_free(take_ptr(r->svc.box.manager));
	queue_free(take_ptr(r->svc.box.queue));
	free(r->svc.box.conf.smarthost);
	assert_true(asprintf(&r->svc.box.conf.smarthost, "127.0.0.1:%u", f.port) > 0);
	assert_int_equal(queue_new(&r->svc.box.queue, &r->svc.box, NULL), 0);
	assert_int_equal(manager_new(&r->svc.box.manager, &r->svc.box, NULL), 0);
	id = add_job(r, JOB_SEND, JOB_QUEUED, "Subject: x\r\n\r\nx\r\n", NULL);
	queue_wake(r->svc.box.queue, id);
	job_free(svc_wait(&r->svc, id, JOB_SENDING));
	svc_run(&r->svc, 100);
	refused(call(r, "CancelJob", "t", id), NULL, "in hand already");
	refused(call(r, "RetryJob", "t", id), INVALID, "is sending");
	queue_free(take_ptr(r->svc.box.queue));
	fake_server_stop(&f);
	buffer_free(&f.body);
}

/* What waits, by host and state; held, released and deleted; by ifaxctl, too. */
static void queue_is_steered(void **state)
{
	struct room *r = *state;
	uint64_t id, print, held;
	char number[24];

	id = add_job(r, JOB_MAIL, JOB_QUEUED, "Subject: x\r\n\r\nx\r\n", "waits");
	print = add_job(r, JOB_PRINT, JOB_HELD, "x", NULL);
	queue_wake(r->svc.box.queue, id);
	svc_run(&r->svc, 100);
	assert_true(says(call(r, "ListQueue", "a{sv}", 0), "cannot be reached"));
	assert_true(says(call(r, "ListQueue", "a{sv}", 1, "host", "s", "X.test"), "a@x.test"));
	assert_false(says(call(r, "ListQueue", "a{sv}", 1, "host", "s", "y.test"), "a@x.test"));
	assert_false(says(call(r, "ListQueue", "a{sv}", 1, "state", "s", "held"), "a@x.test"));
	refused(call(r, "ListQueue", "a{sv}", 1, "state", "s", "printed"), INVALID, "no mail of");
	refused(call(r, "ListQueue", "a{sv}", 1, "colour", "s", "red"), INVALID, "colour");

	refused(call(r, "HoldJob", "t", print), INVALID, "no mail of the queue");
	refused(call(r, "ReleaseJob", "t", id), INVALID, "not held");
	refused(call(r, "HoldJob", "t", (uint64_t)4711), INVALID, "there is no job");
	granted(call(r, "HoldJob", "t", id));
	svc_expect(&r->svc, id, JOB_HELD, "by request");
	assert_true(says(call(r, "ListQueue", "a{sv}", 1, "state", "s", "held"), "a@x.test"));
	granted(call(r, "ReleaseJob", "t", id));
	svc_run(&r->svc, 100);
	svc_expect(&r->svc, id, JOB_QUEUED, "next try");

	snprintf(number, sizeof(number), "%llu", (unsigned long long)id);
	expect(r, CTL(r, "queue", "hold", number), 0, "");
	expect(r, CTL(r, "queue", "--state", "held"), 0, "<ada@example.test> -> a@x.test\n"
	       "         held by request\n");
	expect(r, CTL(r, "queue", "list", "--colour"), 2, "ifaxctl: unrecognized option");
	expect(r, CTL(r, "queue", "hold", number), 1, "is held; only what is queued can be held");
	expect(r, CTL(r, "queue", "shred", number), 2, "");
	expect(r, CTL(r, "queue", "delete", number), 0, "");
	svc_expect(&r->svc, id, JOB_CANCELED, NULL);
	assert_int_equal(store_job_count(r->svc.box.store,
					 &(struct job_filter){ .kind = JOB_MAIL, .state = -1,
							       .unfinished = true }, &held), 0);
	assert_int_equal(held, 0);
	granted(call(r, "CancelJob", "t", print));
}

/* A job that the printer's duty lets go is not given to it a second time before that is noted. */
static void retry_too_soon(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	struct room *r = *state;
	struct job *j;
	uint64_t id;

	svc_fax_mail(&mail, "<a@x>");
	id = add_job(r, JOB_PRINT, JOB_CHECKING, mail.data, NULL);
	inbound_wake(r->svc.box.inbound);
	svc_wait_page(&r->svc);
	j = svc_job(&r->svc, id);
	assert_int_equal(job_say(&r->svc.box.keeper, j, LOG_INFO, JOB_HELD, NULL, NULL, "held"), 0);
	job_free(j);
	refused(call(r, "RetryJob", "t", id), NULL, "just leaving the printer");
	fake_printer_end(&r->svc.printer, FAX_CODE_OK, false);
	svc_expect(&r->svc, id, JOB_PRINTED, NULL);
}

static void status_counts(void **state)
{
	struct room *r = *state;
	sd_bus_message *reply = NULL;

	for (int i = 0; i < 1100; i++)
		add_job(r, JOB_PRINT, JOB_HELD, NULL, NULL);
	reply = call(r, "GetStatus", "");
	assert_null(sd_bus_message_get_error(reply));
	sd_bus_message_unref(reply);
	if (access(ifaxctl, X_OK) < 0)
		skip();
	expect(r, CTL(r, "status"), 0, "jobs: 1100 unfinished, 1100 waiting");
}

/* A user's mail is kept; the slip about it comes out. */
static uint64_t keep_one(struct room *r, const char *code)
{
	struct user u = { .code = (char *)code, .keep_days = 7, .auto_print = false,
			  .panel_hash = NULL };
	_buffer_ struct buffer mail = { 0 };
	_free_ char *hash = NULL;
	struct error e = { 0 };
	struct iovec piece;
	uint64_t id = 0;

	assert_int_equal(password_hash("open sesame", &hash, &e), 0);
	u.panel_hash = hash;
	assert_int_equal(store_user_put(r->svc.box.store, &u, true, &e), 0);
	svc_fax_mail(&mail, "<a@x>");
	piece = (struct iovec){ mail.data, mail.len };
	assert_int_equal(inbound_accept(r->svc.box.inbound, code, NULL, &piece, 1, NULL, NULL, &id,
					&e), 0);
	svc_expect(&r->svc, id, JOB_KEPT, NULL);
	svc_wait_page(&r->svc);
	fake_printer_end(&r->svc.printer, FAX_CODE_OK, false);
	svc_run(&r->svc, 60);
	return id;
}

static void print_done(struct room *r, uint64_t id)
{
	svc_wait_page(&r->svc);
	fake_printer_end(&r->svc.printer, FAX_CODE_OK, false);
	svc_expect(&r->svc, id, JOB_PRINTED, NULL);
}

/* A wrong code and a wrong password look the same, and print nothing. */
static void kept_by_password(void **state)
{
	static const char wrong[] = "the user code or the password is wrong";
	struct room *r = *state;
	uint64_t id = keep_one(r, "102");
	unsigned int pages = r->svc.printer.pages;

	r->asked = 0;
	refused(call(r, "ListKept", "ss", "102", "x"), SD_BUS_ERROR_ACCESS_DENIED, wrong);
	refused(call(r, "ListKept", "ss", "199", "x"), SD_BUS_ERROR_ACCESS_DENIED, wrong);
	refused(call(r, "PrintKept", "sst", "102", "x", id), SD_BUS_ERROR_ACCESS_DENIED, wrong);
	/* a user without a password at the panel */
	refused(call(r, "PrintKept", "sst", "100", "x", id), SD_BUS_ERROR_ACCESS_DENIED, wrong);
	refused(call(r, "RemoveKept", "sst", "102", "x", id), SD_BUS_ERROR_ACCESS_DENIED, wrong);
	svc_run(&r->svc, 200);
	assert_int_equal(r->svc.printer.pages, pages);
	svc_expect(&r->svc, id, JOB_KEPT, NULL);

	assert_true(says(call(r, "ListKept", "ss", "102", "open sesame"), "kept-until"));
	refused(call(r, "PrintKept", "sst", "102", "open sesame", id + 50), INVALID,
		"is kept for user 102");
	assert_int_equal(number(call(r, "PrintKept", "sst", "102", "open sesame", (uint64_t)0)),
			 1);
	print_done(r, id);
	/* The password was all that was asked for. */
	assert_int_equal(r->asked, 0);
	refused(call(r, "RemoveKept", "sst", "102", "open sesame", (uint64_t)0), INVALID,
		"no mail is kept for user 102");
}

/* Who may manage the box needs no password; who may not is asked for more than silence. */
static void kept_by_administrator(void **state)
{
	struct room *r = *state;
	uint64_t id = keep_one(r, "102"), other = keep_one(r, "103");

	refused(call(r, "RetryJob", "t", id), INVALID, "ifaxctl kept print --user 102");
	assert_int_equal(number(call(r, "PrintKept", "sst", "102", "", id)), 1);
	print_done(r, id);
	assert_int_equal(number(call(r, "RemoveKept", "sst", "103", "", other)), 1);
	svc_expect(&r->svc, other, JOB_REMOVED, NULL);
	if (geteuid())
		assert_string_equal(r->action, "org.ifax1.manage");
}

static void retry_everywhere(void **state)
{
	struct room *r = *state;
	struct job *j;
	uint64_t id;

	id = add_job(r, JOB_SEND, JOB_FAILED, "Subject: x\r\n\r\nx\r\n", NULL);
	j = svc_job(&r->svc, id);
	j->recipients[0].state = RCPT_REFUSED;
	j->attempts = 9;
	assert_int_equal(store_job_update(r->svc.box.store, j, NULL, NULL, NULL), 0);
	job_free(j);
	granted(call(r, "RetryJob", "t", id));
	svc_run(&r->svc, 100);
	j = svc_job(&r->svc, id);
	assert_int_equal(j->state, JOB_QUEUED);
	assert_int_equal(j->recipients[0].state, RCPT_WAITING);
	assert_int_equal(j->attempts, 1);
	job_free(j);
	granted(call(r, "CancelJob", "t", id));

	/* printing: not again beside itself */
	id = add_job(r, JOB_PRINT, JOB_HELD, NULL, NULL);
	refused(call(r, "RetryJob", "t", id), INVALID, "its sender may send it again");

	/* queued to print: the printer's duty has it, and would print it twice */
	id = add_job(r, JOB_PRINT, JOB_QUEUED, "x", NULL);
	refused(call(r, "RetryJob", "t", id), INVALID, "is queued; only");
	id = add_job(r, JOB_PRINT, JOB_FAILED, NULL, NULL);
	refused(call(r, "RetryJob", "t", id), INVALID, "its sender may send it again");
}

static void users(void **state)
{
	struct room *r = *state;
	struct user *u = NULL;

	refused(call(r, "AddUser", "a{sv}", 0), INVALID, "code is missing");
	refused(call(r, "AddUser", "a{sv}", 1, "code", "u", 100), INVALID, "code is missing");
	refused(call(r, "AddUser", "a{sv}", 1, "code", "s", "a b"), INVALID, "user code");
	refused(call(r, "AddUser", "a{sv}", 1, "code", "s", "100"), INVALID, "taken");
	refused(call(r, "AddUser", "a{sv}", 2, "code", "s", "101", "height", "u", 180), INVALID,
		"\"height\" is not known");
	refused(call(r, "AddUser", "a{sv}", 2, "code", "s", "101", "name", "s", "a\nb"), INVALID,
		"control character");
	refused(call(r, "AddUser", "a{sv}", 2, "code", "s", "101", "keep-days", "u", 99), INVALID,
		"1 to 31");
	refused(call(r, "AddUser", "a{sv}", 2, "code", "s", "101", "pop3-port", "u", 70000),
		INVALID, "port");
	granted(call(r, "AddUser", "a{sv}", 3, "name", "s", "Otto", "code", "s", "101",
		     "pop3-password", "s", "secret"));
	assert_true(says(call(r, "ListUsers", ""), "Otto"));
	assert_false(says(call(r, "ListUsers", ""), "secret"));

	/* An edit leaves the password; an empty one removes it. */
	granted(call(r, "EditUser", "a{sv}", 2, "code", "s", "101", "name", "s", ""));
	assert_int_equal(store_user_get(r->svc.box.store, "101", true, &u), 0);
	assert_null(u->name);
	assert_string_equal(u->pop3_password, "secret");
	user_free(u);
	granted(call(r, "EditUser", "a{sv}", 2, "code", "s", "101", "pop3-password", "s", ""));
	assert_int_equal(store_user_get(r->svc.box.store, "101", true, &u), 0);
	assert_false(u->has_password);
	user_free(u);
	refused(call(r, "EditUser", "a{sv}", 1, "code", "s", "999"), INVALID, "no user 999");
	granted(call(r, "RemoveUser", "s", "101"));
	refused(call(r, "RemoveUser", "s", "101"), INVALID, "101");
}

/* How a@x.test's mail is encrypted; what is not said stays. */
static void recipients_encryption(struct room *r)
{
	struct recipient *c = NULL;

	refused(call(r, "SetRecipient", "a{sv}", 2, "address", "s", "a@x.test", "must-encrypt", "b",
		     1),
		INVALID, "a method is needed");
	refused(call(r, "SetRecipient", "a{sv}", 2, "address", "s", "a@x.test", "method", "s",
		     "rot13"),
		INVALID, "openpgp or smime");
	refused(call(r, "SetRecipient", "a{sv}", 2, "address", "s", "a@x.test", "must-encrypt", "s",
		     "yes"),
		INVALID, "must-encrypt");
	granted(call(r, "SetRecipient", "a{sv}", 4, "method", "s", "openpgp", "must-encrypt", "b",
		     1, "address", "s", "a@x.test", "key", "s", "0123ABCD"));
	granted(call(r, "SetRecipient", "a{sv}", 2, "address", "s", "a@x.test", "name", "s",
		     "Ann"));
	assert_int_equal(store_recipient_get(r->svc.box.store, "a@x.test", &c), 0);
	assert_string_equal(c->accepts, "f");
	assert_string_equal(c->method, "openpgp");
	assert_string_equal(c->key, "0123ABCD");
	assert_true(c->must_encrypt);
	recipient_free(c);
	assert_true(says(call(r, "ListRecipients", ""), "0123ABCD"));
	refused(call(r, "SetRecipient", "a{sv}", 2, "address", "s", "a@x.test", "method", "s", ""),
		INVALID, "a method is needed");
	granted(call(r, "SetRecipient", "a{sv}", 4, "address", "s", "a@x.test", "method", "s", "",
		     "key", "s", "", "must-encrypt", "b", 0));
	assert_int_equal(store_recipient_get(r->svc.box.store, "a@x.test", &c), 0);
	assert_null(c->method);
	assert_null(c->key);
	recipient_free(c);
}

static void recipients(void **state)
{
	struct room *r = *state;

	refused(call(r, "SetRecipient", "a{sv}", 0), INVALID, "address is missing");
	refused(call(r, "SetRecipient", "a{sv}", 2, "address", "s", "a@x.test", "accepts", "s",
		     "c"),
		INVALID, "");
	refused(call(r, "SetRecipient", "a{sv}", 1, "shoe", "s", "42"), INVALID, "shoe");
	granted(call(r, "SetRecipient", "a{sv}", 2, "address", "s", "a@x.test", "accepts", "s",
		     "f"));
	assert_true(says(call(r, "ListRecipients", ""), "a@x.test"));
	recipients_encryption(r);
	granted(call(r, "RemoveRecipient", "s", "a@x.test"));
	refused(call(r, "RemoveRecipient", "s", "a@x.test"), INVALID, "");
}

static void aliases(void **state)
{
	struct room *r = *state;

	refused(call(r, "AddAlias", "a{sv}", 0), INVALID, "name is missing");
	refused(call(r, "AddAlias", "a{sv}", 1, "name", "s", "info"), INVALID, "no member");
	refused(call(r, "AddAlias", "a{sv}", 2, "name", "s", "info", "shoe", "s", "42"), INVALID,
		"shoe");
	refused(call(r, "AddAlias", "a{sv}", 2, "name", "s", "info", "members", "s", "42"), INVALID,
		"members");
	refused(call(r, "AddAlias", "a{sv}", 2, "name", "s", "info", "kind", "s", "lost"), INVALID,
		"plain, moved or gone");
	granted(call(r, "AddAlias", "a{sv}", 3, "name", "s", "info", "title", "s", "The Desk",
		     "members", "as", 2, "100", "x@far.test"));
	refused(call(r, "AddAlias", "a{sv}", 2, "name", "s", "info", "members", "as", 1, "100"),
		INVALID, "already");
	refused(call(r, "AddAlias", "a{sv}", 2, "name", "s", "100", "members", "as", 1, "info"),
		INVALID, "code of a user");
	assert_true(says(call(r, "ListAliases", ""), "x@far.test"));
	/* An edit leaves what it does not name. */
	granted(call(r, "EditAlias", "a{sv}", 2, "name", "s", "info", "title", "s", "Desk 2"));
	assert_true(says(call(r, "ListAliases", ""), "x@far.test"));
	granted(call(r, "EditAlias", "a{sv}", 2, "name", "s", "info", "members", "as", 1, "y@b.c"));
	assert_false(says(call(r, "ListAliases", ""), "x@far.test"));
	assert_true(says(call(r, "ListAliases", ""), "Desk 2"));
	refused(call(r, "EditAlias", "a{sv}", 2, "name", "s", "info", "members", "as", 1, "info"),
		NULL, "would hold itself");
	refused(call(r, "EditAlias", "a{sv}", 1, "name", "s", "none"), INVALID, "no alias or list");
	granted(call(r, "RemoveAlias", "s", "info"));
	refused(call(r, "RemoveAlias", "s", "info"), INVALID, "no alias or list");
}

static int on_panel(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *user, *from, *text;
	struct room *r = userdata;

	assert_true(sd_bus_message_read(m, "sss", &user, &from, &text) >= 0);
	r->signals++;
	snprintf(r->signal_text, sizeof(r->signal_text), "%s|%s|%s", user, from, text);
	return 0;
}

/* What is sent to a user's terminal reaches the connection that asked for it, and no other. */
static void panel(void **state)
{
	static const char text[] = "one\r\n\x1b[31mtwo\r\nthree";
	struct terminal_message m = { "100", "b@far.test", text, sizeof(text) - 1 };
	struct room *r = *state, other = { 0 };
	struct terminals *t = r->svc.box.terminals;
	sd_bus *bus = NULL;

	refused(call(r, "AttachPanel", "s", "999"), INVALID, "no user 999");
	assert_int_equal(terminal_send(t, &m), 0);
	assert_true(sd_bus_match_signal(r->client, NULL, "org.ifax1", NULL, "org.ifax1.Panel",
					"Message", on_panel, r) >= 0);
	assert_true(sd_bus_open_system(&bus) >= 0);
	assert_true(sd_bus_attach_event(bus, r->svc.box.event, 0) >= 0);
	assert_true(sd_bus_match_signal(bus, NULL, "org.ifax1", NULL, "org.ifax1.Panel", "Message",
					on_panel, &other) >= 0);
	granted(call(r, "AttachPanel", "s", "100"));
	refused(call(r, "AttachPanel", "s", "100"), INVALID, "panel of user 100 already");
	assert_true(terminal_active(t, "100"));
	r->signals = 0;
	assert_int_equal(terminal_send(t, &m), 1);
	svc_run(&r->svc, 100);
	assert_int_equal(r->signals, 1);
	assert_string_equal(r->signal_text, "100|b@far.test|one\n [31mtwo\nthree\n");
	assert_int_equal(other.signals, 0);
	close_bus(bus);
	svc_run(&r->svc, 50);
	assert_true(terminal_active(t, "100"));
	/* With its connection the panel goes. */
	close_bus(r->client);
	svc_run(&r->svc, 100);
	assert_false(terminal_active(t, "100"));
	assert_true(sd_bus_open_system(&r->client) >= 0);
	assert_true(sd_bus_attach_event(r->client, r->svc.box.event, 0) >= 0);
}

/* The password goes in by standard input, its verifier over the bus. */
static void log_in(void **state)
{
	struct room *r = *state;
	struct scram_verifier v;
	struct user *u = NULL;

	if (access(ifaxctl, X_OK) < 0)
		skip();
	r->in = "correct horse\n";
	expect(r, CTL(r, "users", "passwd", "100"), 0, "");
	assert_int_equal(store_user_get(r->svc.box.store, "100", true, &u), 0);
	assert_int_equal(scram_verifier_parse(u->verifier, &v), 0);
	assert_true(scram_verifier_check(&v, "correct horse"));
	assert_false(scram_verifier_check(&v, "correct horse "));
	assert_string_equal(u->pop3_password, "p");
	user_free(u);
	expect(r, CTL(r, "users", "show", "100"), 0, "smtp log-in        stored");
	assert_false(says(call(r, "ListUsers", ""), "SCRAM"));
	expect(r, CTL(r, "users", "passwd", "999"), 1, "no user 999");
	r->in = "\n";
	expect(r, CTL(r, "users", "passwd", "100"), 1, "password is empty");
	expect(r, CTL(r, "users", "passwd", "100", "--remove"), 0, "");
	expect(r, CTL(r, "users", "show", "100"), 0, "smtp log-in        none");
}

/* The panel's password crosses the bus once, and is a hash from there on. */
static void panel_password(void **state)
{
	struct room *r = *state;
	struct user *u = NULL;

	refused(call(r, "CheckPanel", "ss", "100", "1234"), NULL, "no password for the panel");
	granted(call(r, "EditUser", "a{sv}", 2, "code", "s", "100", "panel-password", "s",
		     "1234"));
	assert_int_equal(store_user_get(r->svc.box.store, "100", true, &u), 0);
	assert_int_equal(strncmp(u->panel_hash, "$y$", 3), 0);
	user_free(u);
	assert_false(says(call(r, "ListUsers", ""), "$y$"));
	granted(call(r, "CheckPanel", "ss", "100", "1234"));
	refused(call(r, "CheckPanel", "ss", "100", "12345"), NULL, "password is wrong");
	refused(call(r, "CheckPanel", "ss", "999", "1234"), NULL, "password is wrong");
	if (access(ifaxctl, X_OK) < 0)
		skip();
	r->in = "correct horse\n";
	expect(r, CTL(r, "users", "passwd", "100", "--panel"), 0, "");
	granted(call(r, "CheckPanel", "ss", "100", "correct horse"));
	expect(r, CTL(r, "users", "show", "100"), 0, "panel password     stored");
	expect(r, CTL(r, "users", "passwd", "999", "--panel"), 1, "no user 999");
	expect(r, CTL(r, "users", "passwd", "100", "--pannel"), 2, "passwd CODE [--panel]");
	expect(r, CTL(r, "users", "passwd", "100", "--panel", "--remove"), 0, "");
	expect(r, CTL(r, "users", "show", "100"), 0, "panel password     none");
	refused(call(r, "CheckPanel", "ss", "100", "correct horse"), NULL, "no password");
}

static void table_full_and_code_taken(void **state)
{
	struct room *r = *state;

	r->svc.box.conf.users_max = 2;
	granted(call(r, "CheckCode", "s", "101"));
	refused(call(r, "CheckCode", "s", "100"), INVALID, "user code already taken");
	refused(call(r, "CheckCode", "s", "1 1"), INVALID, "1 to 16");
	granted(call(r, "AddUser", "a{sv}", 1, "code", "s", "101"));
	refused(call(r, "AddUser", "a{sv}", 1, "code", "s", "102"), NULL,
		"user registration filled: there are 2 users");
	refused(call(r, "ImportUsers", "a(sa{sv})b", 1, "102", 0, 0), NULL,
		"user registration filled");
	granted(call(r, "EditUser", "a{sv}", 2, "code", "s", "101", "name", "s", "Otto"));
	assert_true(says(call(r, "GetUser", "s", "101"), "Otto"));
	refused(call(r, "GetUser", "s", "102"), INVALID, "no user 102");
}

static void import_over_the_bus(void **state)
{
	struct room *r = *state;
	struct user *u = NULL;

	refused(call(r, "ImportUsers", "a(sa{sv})b", 2, "1", 1, "name", "s", "One", "2", 1,
		     "keep-days", "u", 32, 0),
		INVALID, "1: Mail is kept");
	refused(call(r, "ImportUsers", "a(sa{sv})b", 1, "1", 1, "panel-password", "s", "x", 0),
		INVALID, "panel-hash");
	refused(call(r, "ImportUsers", "a(sa{sv})b", 1, "1", 1, "panel-hash", "s", "$1$x", 0),
		INVALID, "no hash by yescrypt");
	granted(call(r, "ImportUsers", "a(sa{sv})b", 1, "1", 1, "name", "s", "One", 1));
	refused(call(r, "GetUser", "s", "1"), INVALID, "no user 1");
	granted(call(r, "ImportUsers", "a(sa{sv})b", 2, "1", 2, "name", "s", "One",
		     "pop3-password", "s", "secret", "100", 1, "name", "s", "Hundred", 0));
	assert_true(says(call(r, "GetUser", "s", "100"), "Hundred"));
	/* What is not said of one who is known stays. */
	granted(call(r, "ImportUsers", "a(sa{sv})b", 1, "1", 1, "keep-days", "u", 3, 0));
	assert_int_equal(store_user_get(r->svc.box.store, "1", true, &u), 0);
	assert_string_equal(u->name, "One");
	assert_string_equal(u->pop3_password, "secret");
	assert_int_equal(u->keep_days, 3);
	user_free(u);
	granted(call(r, "ImportUsers", "a(sa{sv})b", 0, 0));
}

/* @n new users from @code on, of whom the last one keeps mail for @days. */
static sd_bus_message *many_users(struct room *r, unsigned int code, unsigned int n,
				  unsigned int days)
{
	sd_bus_message *m = method(r, "ImportUsers");
	char text[16];

	assert_true(sd_bus_message_open_container(m, 'a', "(sa{sv})") >= 0);
	for (unsigned int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%u", code + i);
		assert_true(sd_bus_message_append(m, "(sa{sv})", text, 2, "pop3-password", "s",
						  text, "keep-days", "u",
						  i + 1 < n ? 7 : days) >= 0);
	}
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_append(m, "b", 0) >= 0);
	return m;
}

static void begin(struct room *r, sd_bus_message *m, sd_bus_message **reply)
{
	*reply = NULL;
	assert_true(sd_bus_call_async(r->client, NULL, m, on_reply, reply,
				      PATIENCE * 1000000ull) >= 0);
	sd_bus_message_unref(m);
}

static int count_turn(sd_event_source *s, void *userdata)
{
	++*(unsigned int *)userdata;
	return 0;
}

/* Whoever else waits for the loop has his turn between slices; nobody sees a part of them. */
static void import_lets_others_in(void **state)
{
	enum { N = 3000 };
	sd_bus_message *import, *busy;
	sd_event_source *counter = NULL;
	struct room *r = *state;
	unsigned int turns = 0;
	uint64_t n;

	/* In turns in which nobody else has anything to do. */
	assert_true(sd_event_add_defer(r->svc.box.event, &counter, count_turn, &turns) >= 0);
	assert_true(sd_event_source_set_priority(counter, SD_EVENT_PRIORITY_IDLE) >= 0);
	assert_true(sd_event_source_set_enabled(counter, SD_EVENT_ON) >= 0);
	begin(r, many_users(r, 1000, N, 7), &import);
	/* The bus keeps the order of calls: these come after it, and are answered before. */
	granted(call(r, "GetStatus", ""));
	assert_null(import);
	refused(call(r, "GetUser", "s", "1000"), INVALID, "no user 1000");
	begin(r, many_users(r, 1000, 1, 7), &busy);
	refused(call(r, "AddUser", "a{sv}", 1, "code", "s", "1000"), NULL, "being imported");
	refused(busy, NULL, "being imported already");
	assert_null(import);
	turns = 0;
	while (!import)
		assert_true(sd_event_run(r->svc.box.event, 1000000) >= 0);
	granted(import);
	assert_true(turns >= N / 200);
	sd_event_source_disable_unref(counter);
	granted(call(r, "GetUser", "s", "1000"));
	granted(call(r, "GetUser", "s", "3999"));
	granted(call(r, "AddUser", "a{sv}", 1, "code", "s", "999"));
	/* One wrong line, the last, and nothing is changed. */
	refused(send_message(r, many_users(r, 5000, N, 32)), INVALID, "2999: Mail is kept");
	assert_int_equal(store_user_count(r->svc.box.store, &n), 0);
	assert_int_equal(n, N + 2);
	/* With the bus goes who asks: what is not promised is not there, and nothing is barred. */
	begin(r, many_users(r, 5000, N, 7), &import);
	granted(call(r, "GetStatus", ""));
	manager_free(take_ptr(r->svc.box.manager));
	while (!import)
		assert_true(sd_event_run(r->svc.box.event, 1000000) >= 0);
	refused(import, NULL, "");
	assert_int_equal(store_user_count(r->svc.box.store, &n), 0);
	assert_int_equal(n, N + 2);
	assert_int_equal(manager_new(&r->svc.box.manager, &r->svc.box, NULL), 0);
	granted(call(r, "AddUser", "a{sv}", 1, "code", "s", "998"));
}

/* As it is typed into a file; nothing is stored of one with a wrong line. */
static void import_and_export(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "", "it is empty" },
		{ "name\nOtto\n", "\"code\" is not" },
		{ "code,height\n1,180\n", "line 1, column 2: there is no field \"height\"" },
		{ "code;name\n1;A\n", "fields are separated by commas, not as in \"code;name\"" },
		{ "code,name,name\n", "column 3: \"name\" is named twice" },
		{ "code,name\n1,Otto\n2\n", "line 3: it has 1 fields" },
		{ "code,keep-days\n1,7\n2,32\n", "line 3, column 2 (keep-days): Mail is kept" },
		{ "code,keep-days\n1,x\n", "line 2, column 2 (keep-days): keep-days takes a" },
		{ "code,auto-print\n1,maybe\n", "line 2, column 2 (auto-print)" },
		{ "code,address\n1,otto\n", "line 2, column 2 (address): \"otto\" is not" },
		{ "code\n1\n\"a b\"\n", "line 3, column 1 (code)" },
		{ "code\n1\n2\n1\n", "line 4, column 1 (code): 1 stands in line 2 already" },
		{ "code,name\n1,M\xfcller\n", "line 2, column 2 (name): The name is not written" },
		{ "code,name\n1,\"Otto\n", "line 2, column 2: the closing quotation mark" },
		{ "code,name\n1,x\ninfo,y\n", "line 3: The name info is an alias" },
	};
	struct room *r = *state;
	struct user *u = NULL;

	if (access(ifaxctl, X_OK) < 0)
		skip();
	granted(call(r, "AddAlias", "a{sv}", 2, "name", "s", "info", "members", "as", 1, "100"));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		r->in = wrong[i].text;
		expect(r, CTL(r, "users", "import", "-"), 1, wrong[i].says);
		refused(call(r, "GetUser", "s", "1"), INVALID, "no user 1");
	}
	r->in = "code,name,auto-print,keep-days,pop3-password,panel-password\r\n"
		"1,\"Muster, \"\"Ada\"\"\",no,31,secret,1234\r\n"
		"100,Hundred,,,,\r\n";
	expect(r, CTL(r, "users", "import", "-", "--dry-run"), 0, "1 users added, 1 edited (tried");
	refused(call(r, "GetUser", "s", "1"), INVALID, "no user 1");
	expect(r, CTL(r, "users", "import", "-"), 0, "1 users added, 1 edited\n");
	assert_int_equal(store_user_get(r->svc.box.store, "1", true, &u), 0);
	assert_string_equal(u->name, "Muster, \"Ada\"");
	assert_string_equal(u->pop3_password, "secret");
	assert_true(!u->auto_print && u->auto_receive);
	assert_int_equal(u->keep_days, 31);
	user_free(u);
	granted(call(r, "CheckPanel", "ss", "1", "1234"));
	r->in = NULL;
	expect(r, CTL(r, "users", "export"), 0, "1,\"Muster, \"\"Ada\"\"\",,");
	assert_null(strstr(r->out, "secret"));
	assert_null(strstr(r->out, "$y$"));
	/* What was exported, imported, changes nothing. */
	r->in = strdup(r->out);
	expect(r, CTL(r, "users", "import", "-"), 0, "0 users added, 2 edited\n");
	expect(r, CTL(r, "users", "export"), 0, r->in);
	free((char *)r->in);
	r->in = NULL;
	granted(call(r, "CheckPanel", "ss", "1", "1234"));
	assert_int_equal(store_user_get(r->svc.box.store, "1", true, &u), 0);
	assert_string_equal(u->pop3_password, "secret");
	user_free(u);
	expect(r, CTL(r, "users", "import"), 2, "import FILE");
	expect(r, CTL(r, "users", "import", "/nonexistent"), 1, "cannot be read: No such file");
	expect(r, CTL(r, "users", "export", "/nonexistent/x"), 1, "cannot write");
}

static void command_line(void **state)
{
	struct room *r = *state;
	char id[24], path[96];
	uint64_t job;

	if (access(ifaxctl, X_OK) < 0) {
		print_message("# %s is not built\n", ifaxctl);
		skip();
	}
	expect(r, CTL(r, "status"), 0, "jobs: 0 unfinished");
	expect(r, CTL(r, "version"), 0, "ifax ");
	expect(r, CTL(r, "nonsense"), 2, "there is no command \"nonsense\"");
	expect(r, run_ctl(r, 0, (const char *const[]){ NULL }), 2, "a command is missing");
	expect(r, CTL(r, "status", "x"), 2, "no arguments");
	expect(r, CTL(r, "--config", "/nonexistent", "config", "check"), 0, "is not there");
	expect(r, CTL(r, "send", "--user", "100"), 2, "--to ADDRESS");
	expect(r, CTL(r, "send", "--user", "999", "--to", "a@x.test"), 1, "no user 999");
	expect(r, CTL(r, "send", "--user", "100", "--to", "x"), 1, "not a mail address");
	expect(r, CTL(r, "jobs", "show", "x"), 2, "no job number");
	expect(r, CTL(r, "jobs", "show", "99999999999999999999"), 2, "no job number");
	expect(r, CTL(r, "jobs", "show", " 1"), 2, "no job number");
	expect(r, CTL(r, "jobs", "list", "1"), 2, "jobs list");
	expect(r, CTL(r, "jobs", "show", "99999"), 1, "there is no job 99999");
	expect(r, CTL(r, "jobs", "cancel", "99999"), 1, "there is no job 99999");
	expect(r, CTL(r, "jobs", "turn", "1"), 2, "jobs knows");
	expect(r, CTL(r, "users", "add"), 2, "--pop3-host HOST");
	expect(r, CTL(r, "users", "add", "1 0"), 1, "user code");
	expect(r, CTL(r, "users", "add", "7", "--keep-days", "x"), 2, "takes a number");
	expect(r, CTL(r, "users", "add", "7", "--auto-print", "perhaps"), 2, "yes or no");
	expect(r, CTL(r, "users", "add", "7", "--name", "Otto"), 0, "");
	expect(r, CTL(r, "users"), 0, "Otto");
	expect(r, CTL(r, "users", "show", "7"), 0, "Otto");
	expect(r, CTL(r, "users", "show", "8"), 1, "no user 8");
	expect(r, CTL(r, "users", "remove", "7"), 0, "");
	expect(r, CTL(r, "recipients", "set", "a@b.c", "--accepts", "colour"), 1, "");
	expect(r, CTL(r, "recipients", "set", "a@b.c", "--name", "Ann"), 0, "");
	expect(r, CTL(r, "recipients"), 0, "s");
	expect(r, CTL(r, "recipients", "set", "a@b.c", "--accepts", "f"), 0, "");
	expect(r, CTL(r, "recipients"), 0, "Ann");
	expect(r, CTL(r, "recipients"), 0, "a@b.c");
	expect(r, CTL(r, "recipients", "set", "a@b.c", "--method", "smime", "--key", "AB12",
		      "--must-encrypt", "yes"), 0, "");
	expect(r, CTL(r, "recipients"), 0, "smime    AB12 (must be encrypted)");
	expect(r, CTL(r, "recipients", "set", "a@b.c", "--method", "none"), 1, "method is needed");
	expect(r, CTL(r, "recipients", "set", "a@b.c", "--must-encrypt", "maybe"), 2, "yes or no");
	expect(r, CTL(r, "recipients", "set", "a@b.c", "x@y.z"), 2, "--must-encrypt");
	expect(r, CTL(r, "collect", "999"), 1, "no user 999");
	expect(r, CTL(r, "aliases", "add", "info"), 1, "no member");
	expect(r, CTL(r, "aliases", "add"), 2, "MEMBER");
	expect(r, CTL(r, "aliases", "add", "info", "--title", "The Desk", "100", "a@b.c"), 0, "");
	expect(r, CTL(r, "aliases"), 0, "100, a@b.c");
	expect(r, CTL(r, "aliases", "edit", "info", "--kind", "gone", "new@b.c"), 0, "");
	expect(r, CTL(r, "aliases", "show", "Info"), 0, "member     new@b.c");
	expect(r, CTL(r, "aliases", "show", "none"), 1, "no alias or list none");
	expect(r, CTL(r, "aliases", "remove", "info"), 0, "");
	expect(r, CTL(r, "panel"), 2, "--user CODE");
	expect(r, CTL(r, "panel", "--user", "999"), 1, "no user 999");
	expect(r, CTL(r, "users", "passwd", "100", "x"), 2, "passwd CODE");
	job = add_job(r, JOB_PRINT, JOB_FAILED, "the mail", "no \x1b pages");
	snprintf(id, sizeof(id), "%llu", (unsigned long long)job);
	snprintf(path, sizeof(path), "%s/saved", r->svc.dir);
	expect(r, CTL(r, "jobs"), 0, "no   pages");
	expect(r, CTL(r, "jobs", "show", id), 0, "failed");
	expect(r, CTL(r, "jobs", "wait", id), 1, "failed: no   pages");
	expect(r, CTL(r, "jobs", "save", id, path), 0, "");
	expect(r, CTL(r, "jobs", "save", id, path), 1, "cannot write");
	expect(r, CTL(r, "jobs", "remove", id), 0, "");
	expect(r, CTL(r, "jobs", "remove", id), 1, "here is no job");
}

static void boards_and_counters(void **state)
{
	struct room *r = *state;

	if (access(ifaxctl, X_OK) < 0)
		skip();
	expect(r, CTL(r, "boards"), 0, "no board");
	expect(r, CTL(r, "counters"), 0, "jobs-unfinished 0\n");
	fake_kernel.print_status = (struct fax_status){ .pages = 7, .rows = 8, .bytes_in = 9,
							.bytes_out = 10, .errors = 11, .resets = 12,
							.cpu_maps = 13, .cpu_accesses = 14 };
	assert_true(is_node(r, "1/scan") && is_node(r, "1/print"));
	svc_run(&r->svc, 400);
	expect(r, CTL(r, "boards"), 0, "board Fake, serial F1");
	expect(r, CTL(r, "boards", "F1"), 0, "printer  idle            7 pages");
	expect(r, CTL(r, "boards", "F2"), 1, "no board F2");
	expect(r, CTL(r, "boards", "F1", "F2"), 2, "boards [SERIAL]");
	expect(r, CTL(r, "counters"), 0, "F1.printer.pages 7\nF1.printer.rows 8\n"
	       "F1.printer.bytes-in 9\nF1.printer.bytes-out 10\nF1.printer.errors 11\n"
	       "F1.printer.resets 12\nF1.printer.cpu-maps 13\nF1.printer.cpu-accesses 14\n");
	expect(r, CTL(r, "counters"), 0, "F1.scanner.pages 0\n");
	expect(r, CTL(r, "counters"), 0, "\nusers 1\n");
	expect(r, CTL(r, "counters", "F1"), 0, "F1.printer.pages 7\n");
	assert_null(strstr(r->out, "users"));
	expect(r, CTL(r, "counters", "F2"), 1, "no board F2");
}

/* No keyring runs here, and there is no board. */
static void self_test(void **state)
{
	struct room *r = *state;

	if (access(ifaxctl, X_OK) < 0)
		skip();
	expect(r, CTL(r, "self-test", "x"), 2, "no arguments");
	expect(r, CTL(r, "self-test"), 1, "good    spool: all that was accepted is on the disk");
	expect(r, 1, 1, "good    users: 1 registered\n");
	expect(r, 1, 1, "NOT     keyring: ");
	expect(r, 1, 1, "NOT     board: there is none");
	svc_stop_worker(&r->svc);
	fake_kernel.scan_status.conditions = FAX_COND_PAPER_OUT;
	fake_kernel.print_status.conditions = FAX_COND_JAM;
	assert_true(is_node(r, "1/scan") && is_node(r, "1/print"));
	svc_run(&r->svc, 400);
	expect(r, CTL(r, "self-test"), 1, "NOT     worker: ");
	expect(r, 1, 1, "good    scanner of F1: ready\n");
	expect(r, 1, 1, "NOT     printer of F1: Paper is stuck in the printer: take it out.\n");
	r->grant = false;
	if (geteuid())
		expect(r, CTL(r, "self-test"), 1, "not allowed");
}

static void no_daemon(void **state)
{
	struct room *r = *state;

	if (access(ifaxctl, X_OK) < 0)
		skip();
	manager_free(take_ptr(r->svc.box.manager));
	expect(r, CTL(r, "status"), 1, "ifaxd is not running");
	assert_int_equal(manager_new(&r->svc.box.manager, &r->svc.box, NULL), 0);
}

/* Not root: what polkit says, and a denial where it says nothing. */
static void not_root(void **state)
{
	static const char *const jobs[] = { "jobs", NULL }, *const all[] = { "status", NULL },
				 *const cancel[] = { "jobs", "cancel", "4711", NULL };
	struct room *r = *state;
	uid_t uid = geteuid() ? 0 : NOBODY;	/* 0: stay who we are */

	if (access(ifaxctl, X_OK) < 0)
		skip();
	r->grant = true;
	if (run_ctl(r, uid, jobs) >= 126) {
		print_message("# another user cannot run %s\n", ifaxctl);
		skip();
	}
	assert_int_equal(r->asked, 1);
	assert_string_equal(r->action, "org.ifax1.view");
	expect(r, run_ctl(r, uid, cancel), 1, "there is no job 4711");
	assert_string_equal(r->action, "org.ifax1.manage");
	r->grant = false;
	expect(r, run_ctl(r, uid, jobs), 1, "not allowed");
	expect(r, run_ctl(r, uid, all), 0, "ifaxd ");	/* anyone may */
	assert_true(sd_bus_release_name(r->polkit, "org.freedesktop.PolicyKit1") >= 0);
	expect(r, run_ctl(r, uid, jobs), 1, "not allowed");
}

/* Build folder's ifaxctl, from where this program lies. */
static void find_ctl(void)
{
	char *slash;
	ssize_t n = readlink("/proc/self/exe", ifaxctl, sizeof(ifaxctl) - 16);

	assert_true(n > 0);
	ifaxctl[n] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(ifaxctl, '/');
		assert_non_null(slash);
		*slash = '\0';
	}
	strcat(ifaxctl, "/ifaxctl");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(status), TEST(unknown_method), TEST(send_and_cancel), TEST(wrong_sends),
		TEST(foreign_words), TEST(many_recipients), TEST(no_such_job), TEST(document),
		TEST(cancel_everywhere), TEST(cancel_too_late), TEST(queue_is_steered),
		TEST(kept_by_password), TEST(kept_by_administrator),
		TEST(retry_everywhere), TEST(retry_too_soon), TEST(status_counts), TEST(users),
		TEST(recipients), TEST(aliases), TEST(panel), TEST(log_in),
		TEST(panel_password), TEST(table_full_and_code_taken), TEST(import_over_the_bus),
		TEST(import_lets_others_in),
		TEST(import_and_export), TEST(command_line),
		TEST(boards_and_counters), TEST(self_test),
		TEST(no_daemon),
		TEST(not_root),
	};

	find_ctl();
	if (system("command -v dbus-daemon >/dev/null")) {
		printf("1..0 # SKIP dbus-daemon is not installed\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, start_bus, stop_bus);
}
