/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The panel: on a terminal a screen of its own, else what is sent to a user, line by line. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/panel_bus.h"
#include "ctl/panel_screen.h"

#define LOOK_USEC 1000000

/* The daemon has gone, and with it what it knew of this panel. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *name, *from, *to;

	if (sd_bus_message_read(m, "sss", &name, &from, &to) >= 0 && *from)
		*(bool *)userdata = true;
	return 0;
}

/* From here on, what is sent to @user comes to @fn. The exit status. */
static int attach(struct ctl *c, const char *user, sd_bus_message_handler_t fn, void *userdata,
		  bool *gone)
{
	int r;

	r = sd_bus_match_signal(c->bus, NULL, IFAX_BUS_NAME, IFAX_BUS_PATH, "org.ifax1.Panel",
				"Message", fn, userdata);
	if (r >= 0)
		r = sd_bus_add_match(c->bus, NULL, "type='signal',sender='org.freedesktop.DBus',"
				     "member='NameOwnerChanged',arg0='" IFAX_BUS_NAME "'",
				     on_owner, gone);
	return r < 0 ? ctl_failed(NULL, r) : ctl_call(c, NULL, "AttachPanel", "s", user);
}

/*
 * Line by line
 */

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

static int plain_panel(struct ctl *c, const char *user)
{
	bool gone = false;

	if (attach(c, user, on_message, NULL, &gone))
		return 1;
	printf("panel of user %s; what is sent to him appears here\n", user);
	fflush(stdout);
	return follow(c, &gone);
}

/*
 * The screen
 */

struct panel {
	sd_event *event;
	struct dialogue dialogue;
	struct panel_bus bus;
	bool gone;		/* the daemon whose panel this is */
};

static int on_sent(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *user, *from, *text;
	struct panel *p = userdata;
	time_t now = time(NULL);
	char when[20] = "";
	struct tm tm;

	if (sd_bus_message_read(m, "sss", &user, &from, &text) < 0)
		return 0;
	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	dialogue_message(&p->dialogue, when, from, text);
	return 0;
}

static int on_keys(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct panel *p = userdata;

	/* The terminal has gone: there is nobody to press a key any more. */
	if (events & (EPOLLHUP | EPOLLERR))
		p->dialogue.leave = true;
	return 0;
}

static int on_look(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct panel *p = userdata;

	panel_bus_look(&p->bus);
	sd_event_source_set_time_relative(s, LOOK_USEC);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int open_panel(struct panel *p, sd_bus *bus)
{
	int r = sd_event_new(&p->event);

	if (r >= 0)
		r = sd_bus_attach_event(bus, p->event, 0);
	if (r >= 0)
		r = sd_event_add_io(p->event, NULL, 0, EPOLLIN, on_keys, p);
	if (r >= 0)
		r = sd_event_add_time_relative(p->event, NULL, CLOCK_MONOTONIC, LOOK_USEC, 0,
					       on_look, p);
	return r < 0 ? r : panel_bus_begin(&p->bus, bus, &p->dialogue);
}

/* A change of the terminal's size is a key, too, and ends a wait. */
static int run(struct panel *p)
{
	uint32_t key;
	int r = 0;

	while (r >= 0 && !p->dialogue.leave && !p->gone) {
		while (screen_key(&key)) {
			dialogue_key(&p->dialogue, key);
			panel_bus_ask(&p->bus);
		}
		screen_draw(&p->dialogue, &p->bus.status);
		if (!p->dialogue.leave)
			r = sd_event_run(p->event, UINT64_MAX);
	}
	return r;
}

static int screen_panel(struct ctl *c, const char *user)
{
	struct panel p = { 0 };
	int r;

	dialogue_begin(&p.dialogue);
	if (user && attach(c, user, on_sent, &p, &p.gone))
		return 1;
	r = open_panel(&p, c->bus);
	if (r >= 0)
		r = screen_open();
	if (r >= 0) {
		r = run(&p);
		screen_close();
	}
	if (p.gone)
		fprintf(stderr, "ifaxctl: ifaxd has stopped\n");
	else if (r == -ENOTTY)
		fprintf(stderr, "ifaxctl: this terminal cannot be drawn on; is TERM right?\n");
	panel_bus_end(&p.bus);
	dialogue_end(&p.dialogue);
	sd_bus_detach_event(c->bus);
	sd_event_unref(p.event);
	if (p.gone || r == -ENOTTY)
		return 1;
	return r < 0 ? ctl_failed(NULL, r) : 0;
}

static int usage(void)
{
	return ctl_usage("panel [--user CODE] [--plain]; without a terminal --user says whose");
}

int verb_panel(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "plain", no_argument, NULL, 'p' },
		{ 0 },
	};
	bool plain = !isatty(0) || !isatty(1);
	const char *user = NULL;
	int o;

	while ((o = ctl_getopt(argc, argv, "", options, NULL)) != -1) {
		if (o == 'u')
			user = optarg;
		else if (o == 'p')
			plain = true;
		else
			return usage();
	}
	if (optind != argc || (plain && !user))
		return usage();
	return plain ? plain_panel(c, user) : screen_panel(c, user);
}
