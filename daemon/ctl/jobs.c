/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/dict.h"

static void print_line(const struct dict *j)
{
	const struct dict_entry *to = dict_find(j, "to");
	const char *kind = dict_text(j, "kind");
	bool send = !strcmp(kind, "send") || !strcmp(kind, "mail") || !strcmp(kind, "notice");
	const char *who = dict_text(j, send ? "to" : "from");
	unsigned long long more = 0;
	char more_text[32] = "";

	/* A list names the first few of many recipients. */
	if (send && to && dict_number(j, "n-recipients") > to->number)
		more = dict_number(j, "n-recipients") - to->number;
	if (more)
		snprintf(more_text, sizeof(more_text), " and %llu more", more);
	printf("%5llu  %-6s %-10s %3llu/%-3llu  %-8s %-28s%s %s\n",
	       (unsigned long long)dict_number(j, "id"), dict_text(j, "kind"),
	       dict_text(j, "state"), (unsigned long long)dict_number(j, "pages-done"),
	       (unsigned long long)dict_number(j, "pages"), dict_text(j, "user"), who,
	       more_text, dict_text(j, "detail"));
}

static int list(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "user", required_argument, NULL, 'u' },
		{ 0 },
	};
	sd_bus_message *m, *reply = NULL;
	const char *user = NULL;
	struct dict *jobs = NULL;
	size_t n = 0;
	int all = 0, o, r;

	while ((o = ctl_getopt(argc, argv, "au:", options, NULL)) != -1) {
		if (o == 'a')
			all = 1;
		else if (o == 'u')
			user = optarg;
		else
			return ctl_usage("jobs list [--all] [--user CODE]");
	}
	if (optind != argc)
		return ctl_usage("jobs list [--all] [--user CODE]");
	m = ctl_message(c, "ListJobs");
	if (!m)
		return 1;
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = ctl_append(m, "all", "b", &all);
	if (r >= 0 && user)
		r = ctl_append(m, "user", "s", user);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r < 0) {
		sd_bus_message_unref(m);
		return ctl_failed(NULL, r);
	}
	if (ctl_call_message(c, m, &reply))
		return 1;
	r = dict_read_list(reply, &jobs, &n);
	sd_bus_message_unref(reply);
	if (r < 0)
		return ctl_failed(NULL, r);
	printf("%5s  %-6s %-10s %7s  %-8s %-28s %s\n", "JOB", "KIND", "STATE", "PAGES", "USER",
	       "WITH", "WHAT IS KNOWN");
	for (size_t i = 0; i < n; i++)
		print_line(&jobs[i]);
	dict_list_free(jobs, n);
	return 0;
}

static int get(struct ctl *c, uint64_t id, struct dict *ret)
{
	sd_bus_message *reply = NULL;
	int r;

	if (ctl_call(c, &reply, "GetJob", "t", id))
		return 1;
	r = dict_read(reply, ret);
	sd_bus_message_unref(reply);
	return r < 0 ? ctl_failed(NULL, r) : 0;
}

static void print_recipients(const struct dict *j)
{
	const struct dict_entry *e = dict_find(j, "recipients");

	for (size_t i = 0; e && i < e->n_list; i++)
		printf("  %-12s %s: %s%s%s\n", i ? "" : "to", dict_text(&e->list[i], "address"),
		       dict_text(&e->list[i], "state"),
		       *dict_text(&e->list[i], "detail") ? ", " : "",
		       dict_text(&e->list[i], "detail"));
}

int ctl_show_job(struct ctl *c, uint64_t id)
{
	static const char *const texts[] = {
		"kind", "state", "detail", "user", "from", "subject", "message-id", "encoding",
		"board", "source", "envelope-id",
	};
	struct dict j;

	if (get(c, id, &j))
		return 1;
	printf("job %llu\n", (unsigned long long)id);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (*dict_text(&j, texts[i]))
			printf("  %-12s %s\n", texts[i], dict_text(&j, texts[i]));
	print_recipients(&j);
	printf("  %-12s %llu of %llu\n", "pages", (unsigned long long)dict_number(&j, "pages-done"),
	       (unsigned long long)dict_number(&j, "pages"));
	printf("  %-12s %llu\n", "attempts", (unsigned long long)dict_number(&j, "attempts"));
	printf("  %-12s ", "created");
	ctl_print_time(dict_number(&j, "created"));
	printf("\n  %-12s ", "changed");
	ctl_print_time(dict_number(&j, "changed"));
	printf("\n");
	if (dict_number(&j, "next-try")) {
		printf("  %-12s ", "next try");
		ctl_print_time(dict_number(&j, "next-try"));
		printf("\n");
	}
	dict_free(&j);
	return 0;
}

static bool job_final(const char *state)
{
	static const char *const final[] = { "sent", "printed", "failed", "canceled", "duplicate",
					     "collected", "delivered", "removed" };

	for (size_t i = 0; i < ARRAY_SIZE(final); i++)
		if (!strcmp(state, final[i]))
			return true;
	return false;
}

struct follow {
	uint64_t id;
	char *said;		/* the last line printed */
	int status;		/* -1 = goes on */
};

static void say(struct follow *f, const char *state, const char *detail)
{
	_free_ char *line = NULL;

	if (asprintf(&line, "job %llu: %s%s%s", (unsigned long long)f->id, state,
		     *detail ? ": " : "", detail) < 0) {
		line = NULL;
		return;
	}
	if (!f->said || strcmp(f->said, line)) {
		printf("%s\n", line);
		fflush(stdout);
		free(f->said);
		f->said = take_ptr(line);
	}
	if (job_final(state))
		f->status = strcmp(state, "failed") && strcmp(state, "canceled") ? 0 : 1;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct follow *f = userdata;
	const char *state, *detail;
	uint64_t id;

	if (sd_bus_message_enter_container(m, 'a', "(tss)") < 0)
		return 0;
	while (sd_bus_message_read(m, "(tss)", &id, &state, &detail) > 0)
		if (id == f->id)
			say(f, state, detail);
	return 0;
}

int ctl_wait_job(struct ctl *c, uint64_t id)
{
	struct follow f = { .id = id, .status = -1 };
	struct dict j;
	int r;

	/* Listen first, then look: no change falls between. */
	r = sd_bus_match_signal(c->bus, NULL, IFAX_BUS_NAME, IFAX_BUS_PATH, IFAX_BUS_INTERFACE,
				"JobsChanged", on_changed, &f);
	if (r < 0)
		return ctl_failed(NULL, r);
	while (f.status < 0) {
		if (get(c, id, &j)) {
			f.status = 1;
			break;
		}
		say(&f, dict_text(&j, "state"), dict_text(&j, "detail"));
		dict_free(&j);
		while (f.status < 0 && (r = sd_bus_process(c->bus, NULL)) > 0)
			;
		if (f.status >= 0)
			break;
		/* A signal is lost when the daemon restarts: look again every few seconds. */
		r = sd_bus_wait(c->bus, 5 * 1000000ull);
		while (f.status < 0 && r >= 0 && sd_bus_process(c->bus, NULL) > 0)
			;
	}
	free(f.said);
	return f.status;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

/* Writes a job's document, a whole message, to a file that must not be there yet. */
static int save(struct ctl *c, uint64_t id, const char *path)
{
	sd_bus_message *reply = NULL;
	_close_ int to = -1;
	char block[65536];
	ssize_t n = 0;
	int from, r;

	if (ctl_call(c, &reply, "GetDocument", "t", id))
		return 1;
	r = sd_bus_message_read(reply, "h", &from);
	if (r < 0) {
		sd_bus_message_unref(reply);
		return ctl_failed(NULL, r);
	}
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = to < 0 ? -errno : 0;
	for (off_t at = 0; r >= 0 && (n = pread(from, block, sizeof(block), at)) > 0; at += n)
		r = write_all(to, block, n);
	if (r >= 0 && n < 0)
		r = -errno;
	if (to >= 0 && r < 0)
		unlink(path);	/* ours, and not whole */
	sd_bus_message_unref(reply);
	if (r < 0)
		fprintf(stderr, "ifaxctl: cannot write %s: %s\n", path, strerror(-r));
	return r < 0;
}

int verb_jobs(struct ctl *c, int argc, char **argv)
{
	static const struct {
		const char *name, *method;
	} steer[] = {
		{ "cancel", "CancelJob" },
		{ "retry", "RetryJob" },
		{ "remove", "RemoveJob" },
	};
	uint64_t id;

	if (argc < 2 || !strcmp(argv[1], "list") || argv[1][0] == '-') {
		if (argc >= 2 && argv[1][0] != '-')
			argc--, argv++;
		return list(c, argc, argv);
	}
	if (argc != 3 && !(argc == 4 && !strcmp(argv[1], "save")))
		return ctl_usage("jobs [list [--all] [--user CODE]] | show JOB | wait JOB | "
				 "save JOB FILE | cancel JOB | retry JOB | remove JOB");
	id = ctl_job_id(argv[2]);
	if (!id)
		return 2;
	if (argc == 4)
		return save(c, id, argv[3]);
	if (!strcmp(argv[1], "show"))
		return ctl_show_job(c, id);
	if (!strcmp(argv[1], "wait"))
		return ctl_wait_job(c, id);
	for (size_t i = 0; i < ARRAY_SIZE(steer); i++)
		if (!strcmp(argv[1], steer[i].name))
			return ctl_call(c, NULL, steer[i].method, "t", id);
	return ctl_usage("jobs knows list, show, wait, save, cancel, retry and remove");
}

/* A job for each way in which the recipients get their mail: they are followed in turn. */
static int say_jobs(struct ctl *c, sd_bus_message *reply, bool follow)
{
	const uint64_t *ids;
	size_t size;
	int status = 0, r = sd_bus_message_read_array(reply, 't', (const void **)&ids, &size);

	if (r < 0)
		return ctl_failed(NULL, r);
	for (size_t i = 0; i < size / sizeof(*ids); i++)
		printf("job %llu\n", (unsigned long long)ids[i]);
	fflush(stdout);
	for (size_t i = 0; follow && i < size / sizeof(*ids); i++)
		status |= ctl_wait_job(c, ids[i]);
	return status;
}

int verb_send(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "to", required_argument, NULL, 't' },
		{ "subject", required_argument, NULL, 's' },
		{ "resolution", required_argument, NULL, 'r' },
		{ "board", required_argument, NULL, 'b' },
		{ "receipt", no_argument, NULL, 'R' },
		{ "wait", no_argument, NULL, 'w' },
		{ 0 },
	};
	const char *user = NULL, *subject = NULL, *resolution = NULL, *board = NULL;
	_free_ char **to = NULL;
	sd_bus_message *m, *reply = NULL;
	size_t n = 0;
	int o, r, receipt = 0, follow = 0;

	to = calloc(argc + 1, sizeof(*to));
	if (!to)
		return ctl_failed(NULL, -ENOMEM);
	while ((o = ctl_getopt(argc, argv, "u:t:s:r:b:w", options, NULL)) != -1) {
		switch (o) {
		case 'u':
			user = optarg;
			break;
		case 't':
			to[n++] = optarg;
			break;
		case 's':
			subject = optarg;
			break;
		case 'r':
			resolution = optarg;
			break;
		case 'b':
			board = optarg;
			break;
		case 'R':
			receipt = 1;
			break;
		case 'w':
			follow = 1;
			break;
		default:
			return 2;
		}
	}
	if (!user || !n || optind != argc)
		return ctl_usage(
			"send --user CODE --to ADDRESS [--to ADDRESS ...] [--subject TEXT] "
			"[--resolution standard|fine|superfine] [--board SERIAL] [--receipt] "
			"[--wait]");
	m = ctl_message(c, "Send");
	if (!m)
		return 1;
	r = sd_bus_message_append(m, "s", user);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, to);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0 && subject)
		r = ctl_append(m, "subject", "s", subject);
	if (r >= 0 && resolution)
		r = ctl_append(m, "resolution", "s", resolution);
	if (r >= 0 && board)
		r = ctl_append(m, "board", "s", board);
	if (r >= 0 && receipt)
		r = ctl_append(m, "receipt", "b", &receipt);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r < 0) {
		sd_bus_message_unref(m);
		return ctl_failed(NULL, r);
	}
	if (ctl_call_message(c, m, &reply))
		return 1;
	r = say_jobs(c, reply, follow);
	sd_bus_message_unref(reply);
	return r;
}
