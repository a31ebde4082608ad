/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/dict.h"

#define USAGE "kept [list] --user CODE | print --user CODE [JOB] | " \
	      "remove --user CODE JOB|all, each [--password-file FILE | --admin]"

struct kept_request {
	const char *verb, *user, *password_file;
	bool admin;		/* no password: who may manage the box */
	uint64_t id;		/* 0 = all */
};

static void print_line(const struct dict *j)
{
	printf("%7llu  %-8s %5llu  ", (unsigned long long)dict_number(j, "id"),
	       dict_text(j, "user"), (unsigned long long)dict_number(j, "pages"));
	ctl_print_time(dict_number(j, "kept-until"));
	printf("  %-28s %s\n", dict_text(j, "from"), dict_text(j, "subject"));
}

static int print_list(sd_bus_message *reply)
{
	struct dict *jobs = NULL;
	size_t n = 0;
	int r = dict_read_list(reply, &jobs, &n);

	if (r < 0)
		return ctl_failed(NULL, r);
	printf("%7s  %-8s %5s  %-19s  %-28s %s\n", "JOB", "USER", "PAGES", "KEPT UNTIL", "FROM",
	       "SUBJECT");
	for (size_t i = 0; i < n; i++)
		print_line(&jobs[i]);
	dict_list_free(jobs, n);
	return 0;
}

static int print_count(sd_bus_message *reply, const char *what)
{
	uint64_t n = 0;
	int r = sd_bus_message_read(reply, "t", &n);

	if (r < 0)
		return ctl_failed(NULL, r);
	printf("%llu mail(s) %s\n", (unsigned long long)n, what);
	return 0;
}

static int ask(struct ctl *c, const struct kept_request *q, const char *password)
{
	bool lists = !strcmp(q->verb, "list"), prints = !strcmp(q->verb, "print");
	sd_bus_message *reply = NULL, *m;
	int r, status;

	m = ctl_message(c, lists ? "ListKept" : prints ? "PrintKept" : "RemoveKept");
	if (!m)
		return 1;
	r = sd_bus_message_sensitive(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", q->user ? q->user : "", password);
	if (r >= 0 && !lists)
		r = sd_bus_message_append(m, "t", q->id);
	if (r < 0) {
		sd_bus_message_unref(m);
		return ctl_failed(NULL, r);
	}
	if (ctl_call_message(c, m, &reply))
		return 1;
	if (lists)
		status = print_list(reply);
	else
		status = print_count(reply, prints ? "on the way to the printer" : "removed");
	sd_bus_message_unref(reply);
	return status;
}

static int read_options(struct kept_request *q, int argc, char **argv)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "password-file", required_argument, NULL, 'p' },
		{ "admin", no_argument, NULL, 'a' },
		{ 0 },
	};
	int o;

	while ((o = ctl_getopt(argc, argv, "u:", options, NULL)) != -1) {
		if (o == 'u')
			q->user = optarg;
		else if (o == 'p')
			q->password_file = optarg;
		else if (o == 'a')
			q->admin = true;
		else
			return ctl_usage(USAGE);
	}
	if (q->admin ? q->password_file != NULL : !q->user)
		return ctl_usage(USAGE);
	return 0;
}

/* What stands behind the options: a job, or all where that is not said by silence alone. */
static int read_job(struct kept_request *q, int argc, char **argv)
{
	bool lists = !strcmp(q->verb, "list");

	if (argc > 1 || (lists && argc) || (!lists && !q->user) ||
	    (!strcmp(q->verb, "remove") && !argc))
		return ctl_usage(USAGE);
	if (!argc || !strcmp(argv[0], "all"))
		return 0;
	q->id = ctl_job_id(argv[0]);
	return q->id ? 0 : 2;
}

int verb_kept(struct ctl *c, int argc, char **argv)
{
	struct kept_request q = { .verb = "list" };
	char password[CTL_PASSWORD_MAX + 2] = "";
	int r;

	if (argc > 1 && argv[1][0] != '-') {
		q.verb = argv[1];
		argc--, argv++;
	}
	if (strcmp(q.verb, "list") && strcmp(q.verb, "print") && strcmp(q.verb, "remove"))
		return ctl_usage(USAGE);
	r = read_options(&q, argc, argv);
	if (!r)
		r = read_job(&q, argc - optind, argv + optind);
	if (r)
		return r;
	if (!q.admin)
		r = q.password_file ? ctl_password_from(q.password_file, password)
				    : ctl_read_password(stdin, "password at the panel", password);
	r = r < 0 ? 1 : ask(c, &q, password);
	explicit_bzero(password, sizeof(password));
	return r;
}
