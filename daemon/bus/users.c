/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users on the bus. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/password.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "service/collector.h"
#include "service/panel_password.h"
#include "service/registration.h"
#include "store/store.h"

/* FIELD_PASSWORD comes in the clear and is stored as a hash. */
enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG, FIELD_SECRET, FIELD_PASSWORD };

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
	{ "panel-hash", FIELD_SECRET, offsetof(struct user, panel_hash) },
	{ "panel-password", FIELD_PASSWORD, offsetof(struct user, panel_hash) },
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

/* An empty string takes a setting back; of a password the store wants to be told so. */
static int read_text(sd_bus_message *m, char **field, bool keep_empty)
{
	const char *text;
	int r = sd_bus_message_read(m, "s", &text);

	return r < 0 ? r : job_set(field, *text || keep_empty ? text : NULL);
}

static int read_password(sd_bus_message *m, char **hash, sd_bus_error *e)
{
	struct error why = { 0 };
	const char *text;
	char *made;
	int r = sd_bus_message_read(m, "s", &text);

	if (r < 0)
		return r;
	if (!*text)
		return job_set(hash, text);
	r = password_hash(text, &made, &why);
	if (r < 0)
		return bus_fail(e, r, &why);
	free(*hash);
	*hash = made;
	return 0;
}

int user_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
	       sd_bus_error *e)
{
	static const char types[] = { [FIELD_TEXT] = 's', [FIELD_NUMBER] = 'u', [FIELD_FLAG] = 'b',
				      [FIELD_SECRET] = 's', [FIELD_PASSWORD] = 's' };
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
		if (f->type == FIELD_PASSWORD)
			return read_password(m, (char **)(base + f->offset), e);
		if (f->type != FIELD_FLAG)
			return read_text(m, (char **)(base + f->offset), f->type == FIELD_SECRET);
		r = sd_bus_message_read(m, "b", &flag);
		*(bool *)(base + f->offset) = flag;
		return r;
	}
	return -EINVAL;
}

static int no_user(sd_bus_error *e, const char *code)
{
	return sd_bus_error_setf(e, SD_BUS_ERROR_INVALID_ARGS,
				 "there is no user %s; \"ifaxctl users\" lists them", code);
}

/* Finds the code first, wherever it stands: an edit starts from what is stored. */
static int code_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
		      sd_bus_error *e)
{
	if (!strcmp(key, "code") && !strcmp(type, "s"))
		return sd_bus_message_read(m, "s", userdata);
	return sd_bus_message_skip(m, type);
}

/*
 * A new user's defaults, or what is stored of him. Of that, passwords stay out:
 * what is not given stays as it is stored.
 */
static int start_from(struct box *box, const char *code, bool create, struct user **ret,
		      sd_bus_error *e)
{
	int r;

	if (!create) {
		r = store_user_get(box->store, code, false, ret);
		return r == -ENOENT ? no_user(e, code) : r;
	}
	*ret = registration_defaults();
	return *ret ? 0 : -ENOMEM;
}

static int put_user(sd_bus_message *m, struct box *box, bool create, sd_bus_error *e)
{
	_cleanup_(user_freep) struct user *u = NULL;
	const char *code = NULL;
	struct error why = { 0 };
	int r;

	sd_bus_message_sensitive(m);
	r = dict_walk(m, code_entry, &code, e);
	if (r < 0)
		return r;
	if (!code)
		return sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS, "the user's code is missing");
	r = start_from(box, code, create, &u, e);
	if (r >= 0)
		r = sd_bus_message_rewind(m, true);
	if (r >= 0)
		r = dict_walk(m, user_entry, u, e);
	if (r < 0)
		return r;
	r = registration_put(box, u, create, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

static int put_fields(sd_bus_message *m, const void *item)
{
	const struct user *u = item;
	const char *base = item;
	int r = 0;

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
	if (r >= 0)
		r = dict_put_bool(m, "has-panel-password", u->has_panel_password);
	return r;
}

static int user_append(sd_bus_message *m, const void *item)
{
	int r = dict_open(m);

	if (r >= 0)
		r = put_fields(m, item);
	return r < 0 ? r : dict_close(m);
}

/* What he is told when he comes to the panel, too. */
static int user_append_with_notice(sd_bus_message *m, struct box *box, const struct user *u)
{
	const char *notice = box->collector ? collector_notice_for(box->collector, u) : NULL;
	int r = dict_open(m);

	if (r >= 0)
		r = put_fields(m, u);
	if (r >= 0 && notice)
		r = dict_put_string(m, "notice", notice);
	return r < 0 ? r : dict_close(m);
}

static int list_users(sd_bus_message *m, struct box *box)
{
	struct user **users = NULL;
	size_t n = 0;
	int r = store_user_list(box->store, &users, &n);

	if (r < 0)
		return r;
	r = bus_reply_list(m, (void **)users, n, user_append);
	user_list_free(users, n);
	return r;
}

static int get_user(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	_cleanup_(user_freep) struct user *u = NULL;
	sd_bus_message *reply = NULL;
	const char *code;
	int r = sd_bus_message_read(m, "s", &code);

	if (r < 0)
		return r;
	r = store_user_get(box->store, code, false, &u);
	if (r == -ENOENT)
		return no_user(e, code);
	if (r >= 0)
		r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = user_append_with_notice(reply, box, u);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int check_code(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct error why = { 0 };
	const char *code;
	int r = sd_bus_message_read(m, "s", &code);

	if (r < 0)
		return r;
	r = registration_check_code(box, code, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

static int remove_user(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct error why = { 0 };
	const char *code;
	int r = sd_bus_message_read(m, "s", &code);

	if (r < 0)
		return r;
	r = registration_remove(box, code, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

static int check_panel(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	const char *code, *password;
	struct error why = { 0 };
	int r = sd_bus_message_read(m, "ss", &code, &password);

	sd_bus_message_sensitive(m);
	if (r < 0)
		return r;
	r = panel_check(box, code, password, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

int users_call(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	const char *name = sd_bus_message_get_member(m);

	if (!strcmp(name, "ListUsers"))
		return list_users(m, box);
	if (!strcmp(name, "AddUser"))
		return put_user(m, box, true, e);
	if (!strcmp(name, "EditUser"))
		return put_user(m, box, false, e);
	if (!strcmp(name, "RemoveUser"))
		return remove_user(m, box, e);
	if (!strcmp(name, "GetUser"))
		return get_user(m, box, e);
	if (!strcmp(name, "CheckCode"))
		return check_code(m, box, e);
	return check_panel(m, box, e);
}
