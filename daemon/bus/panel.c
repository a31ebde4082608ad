/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Panels: a connection of the bus that asked for a user's messages has them until
 * it goes away. They are signals of org.ifax1.Panel to its unique name alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "service/terminal.h"

#define PANEL_PATH	"/org/ifax1"
#define PANEL_INTERFACE "org.ifax1.Panel"

/* One attached connection; sd-bus tells when it is gone. */
struct panel {
	struct panels *panels;
	struct panel *next;
	sd_bus_track *track;
	char *name;
};

struct panels {
	struct box *box;
	sd_bus *bus;
	struct panel *list;
};

static void panel_free(struct panel *p)
{
	sd_bus_track_unref(p->track);
	free(p->name);
	free(p);
}

static int on_gone(sd_bus_track *track, void *userdata)
{
	struct panel *p = userdata, **at = &p->panels->list;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	terminal_detach(p->panels->box->terminals, p->name);
	panel_free(p);
	return 0;
}

/* Lines stay lines; all else is as bus_text() has it. free() */
static char *readable(const char *text, size_t len)
{
	_buffer_ struct buffer out = { 0 };
	int r = 0;

	while (len && r >= 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len, taken = nl ? n + 1 : n;
		_free_ char *line = NULL, *clean = NULL;

		if (nl && n && text[n - 1] == '\r')
			n--;
		line = strndup(text, n);
		clean = line ? bus_text(line) : NULL;
		r = clean ? buffer_printf(&out, "%s\n", clean) : -ENOMEM;
		text += taken;
		len -= taken;
	}
	if (r >= 0 && !out.data)
		r = buffer_append(&out, "", 0);
	return r < 0 ? NULL : take_ptr(out.data);
}

static int say(void *userdata, const char *panel, const struct terminal_message *m)
{
	_free_ char *text = readable(m->text, m->len), *from = bus_text(m->from);
	struct panels *p = userdata;
	sd_bus_message *s = NULL;
	int r = text && from ? 0 : -ENOMEM;

	if (r >= 0)
		r = sd_bus_message_new_signal(p->bus, &s, PANEL_PATH, PANEL_INTERFACE, "Message");
	if (r >= 0)
		r = sd_bus_message_set_destination(s, panel);
	if (r >= 0)
		r = sd_bus_message_append(s, "sss", m->user, from, text);
	if (r >= 0)
		r = sd_bus_send(p->bus, s, NULL);
	sd_bus_message_unref(s);
	if (r < 0)
		log_warning("a message cannot be brought to a panel of user %s: %s", m->user,
			    strerror(-r));
	return r;
}

static int track(struct panel *p, const char *name)
{
	int r = sd_bus_track_new(p->panels->bus, &p->track, on_gone, p);

	if (r >= 0)
		r = sd_bus_track_add_name(p->track, name);
	p->name = strdup(name);
	return r >= 0 && !p->name ? -ENOMEM : r;
}

int panels_attach(struct panels *p, sd_bus_message *m, sd_bus_error *e)
{
	struct panel *one = calloc(1, sizeof(*one));
	struct error why = { 0 };
	struct user *u = NULL;
	const char *code;
	int r = sd_bus_message_read(m, "s", &code);

	if (r >= 0 && !one)
		r = -ENOMEM;
	if (r >= 0) {
		r = store_user_get(p->box->store, code, false, &u);
		if (r == -ENOENT)
			error_set(&why, r, "there is no user %s; \"ifaxctl users\" lists them",
				  code);
	}
	user_free(u);
	if (r >= 0) {
		one->panels = p;
		r = track(one, sd_bus_message_get_sender(m));
	}
	if (r >= 0)
		r = terminal_attach(p->box->terminals, code, one->name, &why);
	if (r < 0) {
		if (one)
			panel_free(one);
		return why.code ? bus_fail(e, r, &why) : r;
	}
	one->next = p->list;
	p->list = one;
	log_full(LOG_INFO, 0, code, "user %s is active at a panel", code);
	return sd_bus_reply_method_return(m, "");
}

int panels_new(struct panels **ret, struct box *box, sd_bus *bus)
{
	struct panels *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->box = box;
	p->bus = bus;
	if (box->terminals)
		terminals_set_voice(box->terminals, say, p);
	*ret = p;
	return 0;
}

void panels_free(struct panels *p)
{
	struct panel *next;

	if (!p)
		return;
	if (p->box->terminals)
		terminals_set_voice(p->box->terminals, NULL, NULL);
	for (struct panel *one = p->list; one; one = next) {
		next = one->next;
		panel_free(one);
	}
	free(p);
}
