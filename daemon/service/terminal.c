/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "service/terminal.h"

struct panel {
	char *user, *name;
};

struct terminals {
	terminal_say_fn say;
	void *userdata;
	struct panel panels[TERMINAL_PANELS_MAX];
	size_t n;
};

int terminals_new(struct terminals **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void drop(struct terminals *t, size_t i)
{
	free(t->panels[i].user);
	free(t->panels[i].name);
	t->panels[i] = t->panels[--t->n];
}

void terminals_free(struct terminals *t)
{
	if (!t)
		return;
	terminals_set_voice(t, NULL, NULL);
	free(t);
}

void terminals_set_voice(struct terminals *t, terminal_say_fn say, void *userdata)
{
	t->say = say;
	t->userdata = userdata;
	while (!say && t->n)
		drop(t, 0);
}

int terminal_attach(struct terminals *t, const char *user, const char *panel, struct error *e)
{
	struct panel p;

	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->panels[i].name, panel))
			return error_set(e, -EEXIST, "this connection is the panel of user %s "
					 "already", t->panels[i].user);
	if (t->n == TERMINAL_PANELS_MAX)
		return error_set(e, -E2BIG, "there are %d panels already", TERMINAL_PANELS_MAX);
	p = (struct panel){ strdup(user), strdup(panel) };
	if (!p.user || !p.name) {
		free(p.user);
		free(p.name);
		return error_set(e, -ENOMEM, "out of memory");
	}
	t->panels[t->n++] = p;
	return 0;
}

int terminal_detach(struct terminals *t, const char *panel)
{
	for (size_t i = 0; i < t->n; i++) {
		if (!strcmp(t->panels[i].name, panel)) {
			drop(t, i);
			return 0;
		}
	}
	return -ENOENT;
}

bool terminal_active(const struct terminals *t, const char *user)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->panels[i].user, user))
			return true;
	return false;
}

unsigned int terminal_send(struct terminals *t, const struct terminal_message *m)
{
	struct terminal_message cut = *m;
	unsigned int n = 0;

	if (cut.len > TERMINAL_TEXT_MAX)
		cut.len = TERMINAL_TEXT_MAX;
	for (size_t i = 0; i < t->n && t->say; i++)
		if (!strcmp(t->panels[i].user, m->user) &&
		    t->say(t->userdata, t->panels[i].name, &cut) >= 0)
			n++;
	return n;
}
