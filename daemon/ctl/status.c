/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/fax.h>

#include "ctl/ctl.h"
#include "ctl/dict.h"
#include "service/conf.h"

int verb_status(struct ctl *c, int argc, char **argv)
{
	sd_bus_message *reply = NULL;
	struct dict d;
	int r;

	if (argc != 1)
		return ctl_usage("status takes no arguments");
	if (ctl_call(c, &reply, "GetStatus", ""))
		return 1;
	r = dict_read(reply, &d);
	sd_bus_message_unref(reply);
	if (r < 0)
		return ctl_failed(NULL, r);
	printf("ifaxd %s on %s, mail goes to %s\n", dict_text(&d, "version"),
	       dict_text(&d, "hostname"), dict_text(&d, "smarthost"));
	ctl_print_boards(&d, NULL);
	if (*dict_text(&d, "notice"))
		printf("store: %s\n", dict_text(&d, "notice"));
	if (*dict_text(&d, "collecting"))
		printf("collecting: %s\n", dict_text(&d, "collecting"));
	if (*dict_text(&d, "receiving"))
		printf("receiving: %s\n", dict_text(&d, "receiving"));
	printf("jobs: %llu unfinished, %llu waiting for somebody, %llu kept for users\n",
	       (unsigned long long)dict_number(&d, "jobs-unfinished"),
	       (unsigned long long)dict_number(&d, "jobs-waiting"),
	       (unsigned long long)dict_number(&d, "jobs-kept"));
	printf("SMTP: %llu connections, %llu mails received since the start\n",
	       (unsigned long long)dict_number(&d, "smtp-sessions"),
	       (unsigned long long)dict_number(&d, "smtp-mails"));
	dict_free(&d);
	return 0;
}

int verb_collect(struct ctl *c, int argc, char **argv)
{
	bool follow = argc == 3 && !strcmp(argv[2], "--wait");
	sd_bus_message *reply = NULL;
	uint64_t id;
	int r;

	if (argc != 2 && !follow)
		return ctl_usage("collect CODE [--wait]");
	if (ctl_call(c, &reply, "Collect", "s", argv[1]))
		return 1;
	r = sd_bus_message_read(reply, "t", &id);
	sd_bus_message_unref(reply);
	if (r < 0)
		return ctl_failed(NULL, r);
	printf("job %llu\n", (unsigned long long)id);
	fflush(stdout);
	return follow ? ctl_wait_job(c, id) : 0;
}

int verb_config(struct ctl *c, int argc, char **argv)
{
	struct error e = { 0 };
	struct conf conf;

	if (argc != 2 || strcmp(argv[1], "check"))
		return ctl_usage("config check");
	if (conf_load(&conf, c->conf, &e) < 0) {
		fprintf(stderr, "ifaxctl: %s\n", error_text(&e));
		return 1;
	}
	conf_free(&conf);
	if (access(c->conf, F_OK) < 0)
		printf("%s is not there: all is as it is by default, or as its drop-ins say\n",
		       c->conf);
	else
		printf("%s and its drop-ins are good\n", c->conf);
	return 0;
}

int verb_version(struct ctl *c, int argc, char **argv)
{
	printf("ifax %s, kernel interface revision %d\n", IFAX_VERSION, FAX_API_REVISION);
	return 0;
}
