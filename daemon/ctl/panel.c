/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *user, *from, *text;
	struct timespec now;

	if (sd_bus_message_read(m, "sss", &user, &from, &text) < 0)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	printf("\n");
	ctl_print_time((uint64_t)now.tv_sec * 1000000);
	printf("  from <%s>\n%s", from, text);
	fflush(stdout);
	return 0;
}

/* The daemon has gone, and with it what it knew of this panel. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *name, *from, *to;

	if (sd_bus_message_read(m, "sss", &name, &from, &to) >= 0 && *from)
		*(bool *)userdata = true;
	return 0;
}

static int follow(struct ctl *c, const bool *gone)
{
	int r;

	while ((r = sd_bus_process(c->bus, NULL)) >= 0 && !*gone) {
		if (!r)
			r = sd_bus_wait(c->bus, UINT64_MAX);
		if (r < 0 && r != -EINTR)
			break;
	}
	if (!*gone)
		return ctl_failed(NULL, r);
	fprintf(stderr, "ifaxctl: ifaxd has stopped\n");
	return 1;
}

int verb_panel(struct ctl *c, int argc, char **argv)
{
	bool gone = false;
	int r;

	if (argc != 3 || strcmp(argv[1], "--user"))
		return ctl_usage("panel --user CODE");
	r = sd_bus_match_signal(c->bus, NULL, IFAX_BUS_NAME, IFAX_BUS_PATH, "org.ifax1.Panel",
				"Message", on_message, NULL);
	if (r >= 0)
		r = sd_bus_add_match(c->bus, NULL, "type='signal',sender='org.freedesktop.DBus',"
				     "member='NameOwnerChanged',arg0='" IFAX_BUS_NAME "'",
				     on_owner, &gone);
	if (r < 0)
		return ctl_failed(NULL, r);
	if (ctl_call(c, NULL, "AttachPanel", "s", argv[2]))
		return 1;
	printf("panel of user %s; what is sent to him appears here\n", argv[2]);
	fflush(stdout);
	return follow(c, &gone);
}
