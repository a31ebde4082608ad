/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users and recipients on the bus. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "service/collector.h"
#include "store/store.h"

enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG, FIELD_SECRET };

/* Names on the bus and where they lie in struct user. */
static const struct field {
	const char *key;
	enum field_type type;
	size_t offset;
} user_fields[] = {
	{ "code", FIELD_TEXT, offsetof(struct user, code) },
	{ "name", FIELD_TEXT, offsetof(struct user, name) },
	{ "address", FIELD_TEXT, offsetof(struct user, address) },
	{ "pop3-host", FIELD_TEXT, offsetof(struct user, pop3_host) },
	{ "pop3-port", FIELD_NUMBER, offsetof(struct user, pop3_port) },
	{ "pop3-tls", FIELD_TEXT, offsetof(struct user, pop3_tls) },
	{ "pop3-login", FIELD_TEXT, offsetof(struct user, pop3_login) },
	{ "pop3-password", FIELD_SECRET, offsetof(struct user, pop3_password) },
	{ "login-verifier", FIELD_SECRET, offsetof(struct user, verifier) },
	{ "auto-receive", FIELD_FLAG, offsetof(struct user, auto_receive) },
	{ "auto-print", FIELD_FLAG, offsetof(struct user, auto_print) },
	{ "interval", FIELD_NUMBER, offsetof(struct user, interval) },
	{ "keep-days", FIELD_NUMBER, offsetof(struct user, keep_days) },
	{ "at-end", FIELD_TEXT, offsetof(struct user, at_end) },
	{ "leave-on-server", FIELD_FLAG, offsetof(struct user, leave_on_server) },
	{ "receive-text", FIELD_FLAG, offsetof(struct user, receive_text) },
	{ "collect-after-send", FIELD_FLAG, offsetof(struct user, collect_after_send) },
	{ "encrypt", FIELD_FLAG, offsetof(struct user, encrypt) },
};

static void user_freep(struct user **u)
{
	user_free(*u);
}

/* An empty string takes a setting back; of a password the store wants to be told so. */
static int read_text(sd_bus_message *m, char **field, bool keep_empty)
{
	const char *text;
	int r = sd_bus_message_read(m, "s", &text);

	return r < 0 ? r : job_set(field, *text || keep_empty ? text : NULL);
}

static int user_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
		      sd_bus_error *e)
{
	static const char types[] = { [FIELD_TEXT] = 's', [FIELD_NUMBER] = 'u', [FIELD_FLAG] = 'b',
				      [FIELD_SECRET] = 's' };
	char *base = userdata;
	int flag, r;

	for (size_t i = 0; i < ARRAY_SIZE(user_fields); i++) {
		const struct field *f = &user_fields[i];

		if (strcmp(f->key, key))
			continue;
		if (type[0] != types[f->type])
			return -EINVAL;
		if (f->type == FIELD_NUMBER)
			return sd_bus_message_read(m, "u", base + f->offset);
		if (f->type != FIELD_FLAG)
			return read_text(m, (char **)(base + f->offset), f->type == FIELD_SECRET);
		r = sd_bus_message_read(m, "b", &flag);
		*(bool *)(base + f->offset) = flag;
		return r;
	}
	return -EINVAL;
}

/* Finds the code first, wherever it stands: an edit starts from what is stored. */
static int code_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
		      sd_bus_error *e)
{
	if (!strcmp(key, "code") && !strcmp(type, "s"))
		return sd_bus_message_read(m, "s", userdata);
	return sd_bus_message_skip(m, type);
}

static int put_user(sd_bus_message *m, struct box *box, bool create, sd_bus_error *e)
{
	_cleanup_(user_freep) struct user *u = NULL;
	const char *code = NULL;
	struct error why = { 0 };
	int r;

	r = dict_walk(m, code_entry, &code, e);
	if (r < 0)
		return r;
	if (!code)
		return sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS, "the user's code is missing");
	if (create) {
		u = calloc(1, sizeof(*u));
		if (!u)
			return -ENOMEM;
		u->keep_days = 7;
		u->auto_receive = u->auto_print = u->receive_text = true;
	} else {
		/* Without the password: what is not given stays as it is stored. */
		r = store_user_get(box->store, code, false, &u);
		if (r == -ENOENT)
			return sd_bus_error_setf(
				e, SD_BUS_ERROR_INVALID_ARGS,
				"there is no user %s; \"ifaxctl users\" lists them", code);
		if (r < 0)
			return r;
	}
	r = sd_bus_message_rewind(m, true);
	if (r >= 0)
		r = dict_walk(m, user_entry, u, e);
	if (r < 0)
		return r;
	r = store_user_put(box->store, u, create, &why);
	if (r < 0)
		return bus_fail(e, r, &why);
	collector_user_changed(box->collector, u->code);
	return sd_bus_reply_method_return(m, "");
}

static int user_append(sd_bus_message *m, const struct user *u)
{
	const char *base = (const char *)u;
	int r = dict_open(m);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(user_fields); i++) {
		const struct field *f = &user_fields[i];

		if (f->type == FIELD_TEXT)
			r = dict_put_string(m, f->key, *(char *const *)(base + f->offset));
		else if (f->type == FIELD_NUMBER)
			r = dict_put_number(m, f->key, *(const uint32_t *)(base + f->offset));
		else if (f->type == FIELD_FLAG)
			r = dict_put_bool(m, f->key, *(const bool *)(base + f->offset));
	}
	if (r >= 0)
		r = dict_put_bool(m, "has-password", u->has_password);
	if (r >= 0)
		r = dict_put_bool(m, "has-login", u->has_login);
	return r < 0 ? r : dict_close(m);
}

static int recipient_append(sd_bus_message *m, const struct recipient *c)
{
	int r = dict_open(m);

	if (r >= 0)
		r = dict_put_string(m, "address", c->address);
	if (r >= 0)
		r = dict_put_string(m, "name", c->name);
	if (r >= 0)
		r = dict_put_string(m, "accepts", c->accepts);
	return r < 0 ? r : dict_close(m);
}

int bus_reply_list(sd_bus_message *m, void **items, size_t n,
		   int (*append)(sd_bus_message *m, const void *item))
{
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append(reply, items[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int append_any_user(sd_bus_message *m, const void *item)
{
	return user_append(m, item);
}

static int append_any_recipient(sd_bus_message *m, const void *item)
{
	return recipient_append(m, item);
}

static int list_users(sd_bus_message *m, struct box *box)
{
	struct user **users = NULL;
	size_t n = 0;
	int r = store_user_list(box->store, &users, &n);

	if (r < 0)
		return r;
	r = bus_reply_list(m, (void **)users, n, append_any_user);
	user_list_free(users, n);
	return r;
}

static int list_recipients(sd_bus_message *m, struct box *box)
{
	struct recipient **list = NULL;
	size_t n = 0;
	int r = store_recipient_list(box->store, &list, &n);

	if (r < 0)
		return r;
	r = bus_reply_list(m, (void **)list, n, append_any_recipient);
	recipient_list_free(list, n);
	return r;
}

static int recipient_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
			   sd_bus_error *e)
{
	struct recipient *c = userdata;

	if (strcmp(type, "s"))
		return -EINVAL;
	if (!strcmp(key, "address"))
		return read_text(m, &c->address, false);
	if (!strcmp(key, "name"))
		return read_text(m, &c->name, false);
	if (!strcmp(key, "accepts"))
		return read_text(m, &c->accepts, false);
	return -EINVAL;
}

static void recipient_freep(struct recipient **c)
{
	recipient_free(*c);
}

/* What is not said stays; who is new takes what every Internet fax reads. */
static int fill_recipient(struct recipient *c, struct store *s)
{
	_cleanup_(recipient_freep) struct recipient *known = NULL;
	int r = store_recipient_get(s, c->address, &known);

	if (r < 0 && r != -ENOENT)
		return r;
	if (known && !c->name)
		c->name = take_ptr(known->name);
	if (known && !c->accepts)
		c->accepts = take_ptr(known->accepts);
	if (!c->accepts)
		c->accepts = strdup("s");
	return c->accepts ? 0 : -ENOMEM;
}

static int set_recipient(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	_cleanup_(recipient_freep) struct recipient *c = calloc(1, sizeof(*c));
	struct error why = { 0 };
	int r;

	if (!c)
		return -ENOMEM;
	r = dict_walk(m, recipient_entry, c, e);
	if (r < 0)
		return r;
	if (!c->address)
		return sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS,
					"the recipient's address is missing");
	r = fill_recipient(c, box->store);
	if (r < 0)
		return r;
	r = store_recipient_put(box->store, c, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

static int remove_one(sd_bus_message *m, struct box *box, sd_bus_error *e,
		      int (*remove_fn)(struct store *s, const char *name, struct error *e))
{
	struct error why = { 0 };
	const char *name;
	int r;

	r = sd_bus_message_read(m, "s", &name);
	if (r < 0)
		return r;
	r = remove_fn(box->store, name, &why);
	if (r < 0)
		return bus_fail(e, r, &why);
	if (remove_fn == store_user_remove)
		collector_user_changed(box->collector, name);
	return sd_bus_reply_method_return(m, "");
}

int people_call(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	const char *name = sd_bus_message_get_member(m);

	if (!strcmp(name, "ListUsers"))
		return list_users(m, box);
	if (!strcmp(name, "AddUser"))
		return put_user(m, box, true, e);
	if (!strcmp(name, "EditUser"))
		return put_user(m, box, false, e);
	if (!strcmp(name, "RemoveUser"))
		return remove_one(m, box, e, store_user_remove);
	if (!strcmp(name, "ListRecipients"))
		return list_recipients(m, box);
	if (!strcmp(name, "SetRecipient"))
		return set_recipient(m, box, e);
	return remove_one(m, box, e, store_recipient_remove);
}
