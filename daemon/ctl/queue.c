/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/dict.h"

#define USAGE "queue [list [--host DOMAIN] [--state STATE] [--limit N]] | show JOB | hold JOB | " \
	      "release JOB | retry JOB | delete JOB"

struct choice {
	const char *host, *state;
	uint32_t limit;
};

static void print_line(const struct dict *j)
{
	const char *from = dict_text(j, "from"), *why = dict_text(j, "trouble");
	const struct dict_entry *to = dict_find(j, "to");
	uint64_t n = dict_number(j, "n-recipients");
	char more[32] = "";

	/* A list names the first few of many recipients. */
	if (to && n > to->number)
		snprintf(more, sizeof(more), " and %llu more",
			 (unsigned long long)(n - to->number));
	printf("%7llu  %-6s %-8s %9llu  <%s> -> %s%s\n", (unsigned long long)dict_number(j, "id"),
	       dict_text(j, "kind"), dict_text(j, "state"),
	       (unsigned long long)dict_number(j, "document-bytes"), from, dict_text(j, "to"),
	       more);
	/* What is held waits for a person, whatever its host does. */
	if (!*why || !strcmp(dict_text(j, "state"), "held"))
		why = dict_text(j, "detail");
	printf("%7s  %s\n", "", why);
}

static int ask(struct ctl *c, const struct choice *o, sd_bus_message **ret)
{
	sd_bus_message *m = ctl_message(c, "ListQueue");
	int r;

	if (!m)
		return 1;
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0 && o->host)
		r = ctl_append(m, "host", "s", o->host);
	if (r >= 0 && o->state)
		r = ctl_append(m, "state", "s", o->state);
	if (r >= 0 && o->limit)
		r = ctl_append(m, "limit", "u", &o->limit);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r < 0) {
		sd_bus_message_unref(m);
		return ctl_failed(NULL, r);
	}
	return ctl_call_message(c, m, ret);
}

static int list(struct ctl *c, const struct choice *o)
{
	sd_bus_message *reply = NULL;
	struct dict *jobs = NULL;
	size_t n = 0;
	int r;

	if (ask(c, o, &reply))
		return 1;
	r = dict_read_list(reply, &jobs, &n);
	sd_bus_message_unref(reply);
	if (r < 0)
		return ctl_failed(NULL, r);
	printf("%7s  %-6s %-8s %9s  %s\n", "JOB", "KIND", "STATE", "BYTES",
	       "FROM -> TO, AND WHAT IS KNOWN");
	for (size_t i = 0; i < n; i++)
		print_line(&jobs[i]);
	dict_list_free(jobs, n);
	return 0;
}

static int list_by_options(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "host", required_argument, NULL, 'h' },
		{ "state", required_argument, NULL, 's' },
		{ "limit", required_argument, NULL, 'n' },
		{ 0 },
	};
	struct choice choice = { 0 };
	unsigned long n;
	char *end;
	int o;

	while ((o = ctl_getopt(argc, argv, "h:s:n:", options, NULL)) != -1) {
		switch (o) {
		case 'h':
			choice.host = optarg;
			break;
		case 's':
			choice.state = optarg;
			break;
		case 'n':
			n = strtoul(optarg, &end, 10);
			if (*end || !n || n > 1000000)
				return ctl_usage("queue list: --limit wants a number from 1");
			choice.limit = (uint32_t)n;
			break;
		default:
			return ctl_usage(USAGE);
		}
	}
	return optind == argc ? list(c, &choice) : ctl_usage(USAGE);
}

int verb_queue(struct ctl *c, int argc, char **argv)
{
	static const struct {
		const char *name, *method;
	} steer[] = {
		{ "hold", "HoldJob" },
		{ "release", "ReleaseJob" },
		{ "retry", "RetryJob" },
		{ "delete", "CancelJob" },
	};
	uint64_t id;

	if (argc < 2 || !strcmp(argv[1], "list") || argv[1][0] == '-') {
		if (argc >= 2 && argv[1][0] != '-')
			argc--, argv++;
		return list_by_options(c, argc, argv);
	}
	if (argc != 3)
		return ctl_usage(USAGE);
	id = ctl_job_id(argv[2]);
	if (!id)
		return 2;
	if (!strcmp(argv[1], "show"))
		return ctl_show_job(c, id);
	for (size_t i = 0; i < sizeof(steer) / sizeof(steer[0]); i++)
		if (!strcmp(argv[1], steer[i].name))
			return ctl_call(c, NULL, steer[i].method, "t", id);
	return ctl_usage("queue knows list, show, hold, release, retry and delete");
}
