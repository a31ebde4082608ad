// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/panel_bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/dict.h"

/* Scanning begins at once, storing waits for a disk: nothing takes longer. */
#define PATIENCE_USEC (60 * 1000000ull)

/*
 * Calls
 */

static sd_bus_message *method(struct panel_bus *p, const char *name)
{
	sd_bus_message *m = NULL;

	if (sd_bus_message_new_method_call(p->bus, &m, IFAX_BUS_NAME, IFAX_BUS_PATH,
					   IFAX_BUS_INTERFACE, name) < 0)
		return NULL;
	sd_bus_message_set_allow_interactive_authorization(m, 1);
	return m;
}

/* Consumes @m, of which @r says whether it could be filled. */
static int call(struct panel_bus *p, sd_bus_message *m, int r, sd_bus_message_handler_t done)
{
	if (r >= 0)
		r = sd_bus_call_async(p->bus, NULL, m, done, p, PATIENCE_USEC);
	sd_bus_message_unref(m);
	return r;
}

static const char *error_of(sd_bus_message *m)
{
	const sd_bus_error *e = sd_bus_message_get_error(m);

	if (!e)
		return NULL;
	if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		return "ifaxd is not running; \"systemctl start ifaxd\" starts it";
	return e->message ? e->message : e->name;
}

/*
 * What a dialogue asks
 */

static void answer(struct panel_bus *p, const struct panel_answer *a)
{
	p->asking = false;
	dialogue_answer(p->dialogue, a);
	panel_bus_ask(p);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct panel_answer a = { .error = error_of(m) };
	struct panel_bus *p = userdata;

	if (!a.error && p->dialogue->request != ASK_CODE && p->dialogue->request != ASK_STORE &&
	    sd_bus_message_read(m, "t", &a.number) < 0)
		a.error = "the answer of ifaxd is not understood; are both of one version?";
	answer(p, &a);
	return 0;
}

static int on_kept(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct panel_answer a = { .error = error_of(m) };
	struct panel_bus *p = userdata;

	if (!a.error && sd_bus_message_read(m, "ts", &a.number, &a.notice) < 0)
		a.error = "the answer of ifaxd is not understood; are both of one version?";
	answer(p, &a);
	return 0;
}

static int on_sent(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct panel_answer a = { .error = error_of(m) };
	struct panel_bus *p = userdata;
	size_t size = 0;

	if (!a.error && sd_bus_message_read_array(m, 't', (const void **)&a.jobs, &size) < 0)
		a.error = "the answer of ifaxd is not understood; are both of one version?";
	a.n_jobs = size / sizeof(*a.jobs);
	answer(p, &a);
	return 0;
}

static int on_user(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct panel_answer a = { .error = error_of(m) };
	struct panel_bus *p = userdata;
	struct dict d = { 0 };

	if (!a.error && dict_read(m, &d) < 0)
		a.error = "the answer of ifaxd is not understood; are both of one version?";
	a.text = dict_text(&d, "name");
	a.notice = dict_text(&d, "notice");
	a.yes = dict_number(&d, "collect-after-send") && *dict_text(&d, "pop3-host");
	answer(p, &a);
	dict_free(&d);
	return 0;
}

static int on_room(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct panel_answer a = { .error = error_of(m) };
	struct panel_bus *p = userdata;
	struct dict d = { 0 };

	if (!a.error && dict_read(m, &d) < 0)
		a.error = "the answer of ifaxd is not understood; are both of one version?";
	a.yes = !dict_number(&d, "users-max") ||
		dict_number(&d, "users") < dict_number(&d, "users-max");
	answer(p, &a);
	dict_free(&d);
	return 0;
}

static int append_text(sd_bus_message *m, const char *key, const char *value)
{
	return *value ? ctl_append(m, key, "s", value) : 0;
}

static int append_flag(sd_bus_message *m, const char *key, bool value)
{
	const int flag = value;

	return ctl_append(m, key, "b", &flag);
}

static int append_user(sd_bus_message *m, const struct panel_user *u)
{
	const struct {
		const char *key, *value;
	} texts[] = {
		{ "code", u->code },	 { "name", u->name },	   { "address", u->address },
		{ "pop3-host", u->host }, { "pop3-login", u->login },
		{ "pop3-password", u->password }, { "panel-password", u->panel_password },
		{ "pop3-tls", *u->host ? u->tls : "" },
	};
	const struct {
		const char *key;
		bool value;
	} flags[] = {
		{ "auto-receive", u->auto_receive }, { "auto-print", u->auto_print },
		{ "collect-after-send", u->check_on_sending },
		{ "receive-text", u->receive_text }, { "encrypt", u->encrypt },
	};
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++)
		r = append_text(m, texts[i].key, texts[i].value);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(flags); i++)
		r = append_flag(m, flags[i].key, flags[i].value);
	if (r >= 0)
		r = ctl_append(m, "pop3-port", "u", &u->port);
	if (r >= 0)
		r = ctl_append(m, "keep-days", "u", &u->keep_days);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Recipients stand with commas or spaces between them. */
static int append_recipients(sd_bus_message *m, const char *text)
{
	_free_ char *copy = strdup(text);
	char *at = NULL;
	int r = copy ? sd_bus_message_open_container(m, 'a', "s") : -ENOMEM;

	for (char *one = copy ? strtok_r(copy, ", ", &at) : NULL; r >= 0 && one;
	     one = strtok_r(NULL, ", ", &at))
		r = sd_bus_message_append(m, "s", one);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int ask_store(struct panel_bus *p)
{
	sd_bus_message *m = method(p, "AddUser");
	int r = m ? sd_bus_message_sensitive(m) : -ENOMEM;

	if (r >= 0)
		r = append_user(m, &p->dialogue->user);
	return call(p, m, r, on_answer);
}

static int ask_send(struct panel_bus *p)
{
	sd_bus_message *m = method(p, "Send");
	int r = m ? sd_bus_message_append(m, "s", p->dialogue->user.code) : -ENOMEM;

	if (r >= 0)
		r = append_recipients(m, p->dialogue->recipient);
	if (r >= 0)
		r = sd_bus_message_append(m, "a{sv}", 0);
	return call(p, m, r, on_sent);
}

static int ask_by_code(struct panel_bus *p, const char *name, sd_bus_message_handler_t done)
{
	sd_bus_message *m = method(p, name);

	return call(p, m, m ? sd_bus_message_append(m, "s", p->dialogue->user.code) : -ENOMEM,
		    done);
}

/* All of them: 0 is every mail that is kept. */
static int ask_kept(struct panel_bus *p)
{
	const struct panel_user *u = &p->dialogue->user;
	sd_bus_message *m = method(p, "PrintKept");
	int r = m ? sd_bus_message_sensitive(m) : -ENOMEM;

	if (r >= 0)
		r = sd_bus_message_append(m, "sst", u->code, u->panel_password, (uint64_t)0);
	return call(p, m, r, on_kept);
}

static int ask_room(struct panel_bus *p)
{
	sd_bus_message *m = method(p, "GetStatus");

	return call(p, m, m ? 0 : -ENOMEM, on_room);
}

static int ask(struct panel_bus *p)
{
	switch (p->dialogue->request) {
	case ASK_ROOM:
		return ask_room(p);
	case ASK_CODE:
		return ask_by_code(p, "CheckCode", on_answer);
	case ASK_STORE:
		return ask_store(p);
	case ASK_USER:
		return ask_by_code(p, "GetUser", on_user);
	case ASK_SEND:
		return ask_send(p);
	case ASK_COLLECT:
		return ask_by_code(p, "Collect", on_answer);
	case ASK_KEPT:
		return ask_kept(p);
	case ASK_NOTHING:
		break;
	}
	return 0;
}

void panel_bus_ask(struct panel_bus *p)
{
	int r;

	while (p->dialogue->request && !p->asking) {
		p->asking = true;
		r = ask(p);
		if (r >= 0)
			return;
		p->asking = false;
		dialogue_answer(p->dialogue, &(struct panel_answer){ .error = strerror(-r) });
	}
}

/*
 * The job that is followed
 */

static bool one_of(const char *word, const char *words)
{
	size_t n = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += n)
		if ((p == words || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	return false;
}

/* The newest first: of what was begun after the job, the earliest is told of first. */
static int on_jobs(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct panel_bus *p = userdata;
	struct dict *jobs = NULL;
	size_t n = 0;

	p->following = false;
	if (error_of(m) || dict_read_list(m, &jobs, &n) < 0)
		return 0;
	for (size_t i = n; i-- > 0;) {
		const char *state = dict_text(&jobs[i], "state");
		const struct panel_job j = {
			.id = dict_number(&jobs[i], "id"),
			.collects = !strcmp(dict_text(&jobs[i], "kind"), "collect"),
			.good = one_of(state, "sent delivered collected"),
			.final = one_of(state, "sent delivered collected failed canceled held"),
			.state = state,
			.detail = dict_text(&jobs[i], "detail"),
		};

		dialogue_job(p->dialogue, &j);
	}
	dict_list_free(jobs, n);
	dialogue_looked(p->dialogue);
	return 0;
}

static void follow(struct panel_bus *p)
{
	const char *user = dialogue_follows(p->dialogue);
	sd_bus_message *m;
	int r;

	if (!user || p->following)
		return;
	m = method(p, "ListJobs");
	r = m ? sd_bus_message_append(m, "a{sv}", 1, "user", "s", user) : -ENOMEM;
	p->following = call(p, m, r, on_jobs) >= 0;
}

/*
 * The box's state, and the one-touch keys
 */

static void say(char text[PANEL_STATUS_MAX], const char *what, const char *detail)
{
	size_t n = strlen(text);

	snprintf(text + n, PANEL_STATUS_MAX - n, "%s%s%s%s", n ? "  " : "", what,
		 *detail ? ": " : "", detail);
}

static void say_board(struct panel_status *s, const struct dict *board)
{
	const struct dict_entry *f = dict_find(board, "functions");
	char what[120];

	say(s->boards, dict_text(board, "serial"), "");
	for (size_t i = 0; f && i < f->n_list; i++) {
		const char *conditions = dict_text(&f->list[i], "conditions");

		snprintf(what, sizeof(what), "%.40s %.40s", dict_text(&f->list[i], "function"),
			 dict_text(&f->list[i], "state"));
		say(s->boards, what, conditions);
	}
}

static void say_status(struct panel_status *s, const struct dict *d)
{
	const struct dict_entry *boards = dict_find(d, "boards");
	char text[120];

	snprintf(s->host, sizeof(s->host), " %.90s ", dict_text(d, "hostname"));
	s->boards[0] = s->jobs[0] = '\0';
	for (size_t i = 0; boards && i < boards->n_list; i++)
		say_board(s, &boards->list[i]);
	if (!boards || !boards->n_list)
		say(s->boards, "no board is there", "");
	/* What the store has to say is that memory is full, or worse. */
	say(s->jobs, dict_text(d, "notice"), "");
	if (*dict_text(d, "collecting") || *dict_text(d, "receiving"))
		say(s->jobs, "memory full: mail stays on its server", "");
	snprintf(text, sizeof(text), "%llu jobs, %llu waiting for somebody",
		 (unsigned long long)dict_number(d, "jobs-unfinished"),
		 (unsigned long long)dict_number(d, "jobs-waiting"));
	say(s->jobs, text, "");
	snprintf(text, sizeof(text), "%llu mails kept",
		 (unsigned long long)dict_number(d, "jobs-kept"));
	if (dict_number(d, "jobs-kept"))
		say(s->jobs, text, "");
}

static int on_status(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	const char *error = error_of(m);
	struct panel_bus *p = userdata;
	struct dict d;

	p->looking = false;
	if (error) {
		p->status.jobs[0] = '\0';
		snprintf(p->status.boards, sizeof(p->status.boards), "%s", error);
	} else if (dict_read(m, &d) >= 0) {
		say_status(&p->status, &d);
		dict_free(&d);
	}
	return 0;
}

void panel_bus_look(struct panel_bus *p)
{
	sd_bus_message *m;

	follow(p);
	if (p->looking)
		return;
	m = method(p, "GetStatus");
	p->looking = call(p, m, m ? 0 : -ENOMEM, on_status) >= 0;
}

static void free_touch(struct panel_bus *p)
{
	dialogue_set_touch(p->dialogue, NULL, 0);
	for (size_t i = 0; i < p->n_touch; i++) {
		free((char *)p->touch[i].name);
		free((char *)p->touch[i].address);
	}
	free(p->touch);
	p->touch = NULL;
	p->n_touch = 0;
}

static int by_key(const void *a, const void *b)
{
	const struct panel_touch *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int add_touch(struct panel_bus *p, const struct dict *d)
{
	unsigned int key = (unsigned int)dict_number(d, "one-touch");
	struct panel_touch *grown;

	if (!key)
		return 0;
	grown = reallocarray(p->touch, p->n_touch + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->touch = grown;
	grown[p->n_touch++] = (struct panel_touch){ key, strdup(dict_text(d, "name")),
						    strdup(dict_text(d, "address")) };
	return grown[p->n_touch - 1].name && grown[p->n_touch - 1].address ? 0 : -ENOMEM;
}

static int on_recipients(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct panel_bus *p = userdata;
	struct dict *list = NULL;
	size_t n = 0;
	int r = 0;

	if (error_of(m) || dict_read_list(m, &list, &n) < 0)
		return 0;
	for (size_t i = 0; i < n && !r; i++)
		r = add_touch(p, &list[i]);
	dict_list_free(list, n);
	if (r < 0) {
		free_touch(p);
		return 0;
	}
	qsort(p->touch, p->n_touch, sizeof(*p->touch), by_key);
	dialogue_set_touch(p->dialogue, p->touch, p->n_touch);
	return 0;
}

int panel_bus_begin(struct panel_bus *p, sd_bus *bus, struct dialogue *d)
{
	sd_bus_message *m;

	*p = (struct panel_bus){ .bus = bus, .dialogue = d };
	m = method(p, "ListRecipients");
	panel_bus_look(p);
	return call(p, m, m ? 0 : -ENOMEM, on_recipients);
}

void panel_bus_end(struct panel_bus *p)
{
	free_touch(p);
}
