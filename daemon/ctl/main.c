/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ifaxctl: what people and scripts ask of ifaxd, over the bus. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"

struct verb {
	const char *name;
	int (*run)(struct ctl *c, int argc, char **argv);
	bool needs_bus;
	const char *args;
	const char *help;
};

static const struct verb verbs[] = {
	{ "status", verb_status, true, "", "boards, their functions and conditions, jobs" },
	{ "boards", verb_boards, true, "[SERIAL]",
	  "what boards are there, and how each function of theirs does" },
	{ "counters", verb_counters, true, "[SERIAL]",
	  "what boards, jobs and SMTP have counted, a name and a number a line" },
	{ "self-test", verb_self_test, true, "", "try each part of the box, without paper" },
	{ "send", verb_send, true, "--user CODE --to ADDRESS [--to ADDRESS ...]",
	  "scan what lies in the feeder and mail it" },
	{ "jobs", verb_jobs, true, "[list|show|wait|save|cancel|retry|remove] [JOB]",
	  "what was sent and received, and what became of it" },
	{ "queue", verb_queue, true, "[list|show|hold|release|retry|delete] [JOB]",
	  "mail that waits to leave, and why it waits" },
	{ "kept", verb_kept, true, "[list|print|remove] --user CODE [JOB]",
	  "mail that is kept for a user until he prints it" },
	{ "users", verb_users, true, "[list|show|add|edit|remove|passwd|export|import] [CODE|FILE]",
	  "the people of this box and their mailboxes" },
	{ "aliases", verb_aliases, true, "[list|show|add|edit|remove] [NAME] [MEMBER ...]",
	  "names that stand for another, or for many" },
	{ "panel", verb_panel, true, "[--user CODE] [--plain]",
	  "the panel of the box: register, send, collect, print; what is sent to a user" },
	{ "recipients", verb_recipients, true, "[list|set|remove] [ADDRESS]",
	  "what is known of those who get mail from here" },
	{ "keys", verb_keys, true, "[list|import|export|remove|make] [--user CODE]",
	  "keys for mail that is encrypted or signed" },
	{ "collect", verb_collect, true, "CODE", "fetch a user's mail now" },
	{ "config", verb_config, false, "check", "check the configuration files" },
	{ "version", verb_version, false, "", "version of ifax and of the kernel interface" },
};

static void help(void)
{
	printf("ifaxctl [--config FILE] COMMAND ...\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-10s %s\n  %-10s   %s\n", verbs[i].name, verbs[i].args, "",
		       verbs[i].help);
	printf("\nifaxctl(1) explains each.\n");
}

static int run_verb(const struct verb *v, struct ctl *c, int argc, char **argv)
{
	int r, status;

	if (!v->needs_bus)
		return v->run(c, argc, argv);
	r = sd_bus_open_system(&c->bus);
	if (r < 0) {
		fprintf(stderr, "ifaxctl: the system bus does not answer: %s. Is dbus running?\n",
			strerror(-r));
		return 1;
	}
	status = v->run(c, argc, argv);
	sd_bus_flush_close_unref(c->bus);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct ctl c = { .conf = "/etc/ifax/ifax.conf" };
	int o;

	while ((o = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			c.conf = optarg;
			break;
		case 'h':
			help();
			return 0;
		case 'V':
			return verb_version(&c, 0, NULL);
		default:
			return ctl_usage("see ifaxctl --help");
		}
	}
	argc -= optind;
	argv += optind;
	if (argc < 1)
		return ctl_usage("a command is missing; see ifaxctl --help");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, argv[0]))
			continue;
		optind = 0; /* verbs parse their own options */
		return run_verb(&verbs[i], &c, argc, argv);
	}
	fprintf(stderr, "ifaxctl: there is no command \"%s\"; see ifaxctl --help\n", argv[0]);
	return 2;
}
