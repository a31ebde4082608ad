/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys on the bus: asked of ifax-keyring, answered when that has answered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "keys/client.h"

/* A call that waits for ifax-keyring. */
struct waiting {
	sd_bus_message *call;
	int (*answer)(sd_bus_message *call, const struct keys_reply *reply, int output);
};

static void waiting_free(struct waiting *w)
{
	sd_bus_message_unref(w->call);
	free(w);
}

static void on_done(void *userdata, int r, const struct keys_reply *reply, int output,
		    const struct error *why)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	struct waiting *w = userdata;
	struct error said = { 0 };

	if (r >= 0 && reply->code != KEYS_OK)
		r = error_set(&said, -EINVAL, "%s", reply->sentence);
	else if (r < 0)
		said = *why;
	if (r >= 0)
		r = w->answer(w->call, reply, output);
	else
		bus_fail(&e, r, &said);
	if (r < 0)
		sd_bus_reply_method_errno(w->call, r, &e);
	sd_bus_error_free(&e);
	waiting_free(w);
}

static int ask(sd_bus_message *m, struct box *box, const struct keys_question *q,
	       int (*answer)(sd_bus_message *call, const struct keys_reply *reply, int output),
	       sd_bus_error *e)
{
	struct waiting *w = calloc(1, sizeof(*w));
	struct error why = { 0 };
	int r;

	if (!w)
		return -ENOMEM;
	w->call = sd_bus_message_ref(m);
	w->answer = answer;
	r = keys_ask(box->event, box->conf.keyring, q, on_done, w, NULL, &why);
	if (r >= 0)
		return 1;
	waiting_free(w);
	return bus_fail(e, r, &why);
}

static int answer_nothing(sd_bus_message *call, const struct keys_reply *reply, int output)
{
	return sd_bus_reply_method_return(call, "");
}

static int answer_sentence(sd_bus_message *call, const struct keys_reply *reply, int output)
{
	return sd_bus_reply_method_return(call, "s", reply->sentence);
}

static int answer_file(sd_bus_message *call, const struct keys_reply *reply, int output)
{
	_buffer_ struct buffer b = { 0 };
	int r = keys_read(output, KEYS_OUTPUT_BYTES, &b);

	/* Armour is plain ASCII, or it is none. */
	for (size_t i = 0; r >= 0 && i < b.len; i++)
		if (b.data[i] & 0x80 || !b.data[i])
			r = -EBADMSG;
	return r < 0 ? r : sd_bus_reply_method_return(call, "s", b.data ? b.data : "");
}

/* The columns of ring_list(). */
static int append_key(sd_bus_message *m, char *line)
{
	static const char *const names[] = {
		"method", "fingerprint", "kind", "state", "expires", "name",
	};
	int r = dict_open(m);

	for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0 && line; i++) {
		char *field = strsep(&line, "\t");

		if (!strcmp(names[i], "expires"))
			r = dict_put_number(m, names[i], strtoul(field, NULL, 10));
		else
			r = dict_put_string(m, names[i], field);
	}
	return r < 0 ? r : dict_close(m);
}

static int answer_list(sd_bus_message *call, const struct keys_reply *reply, int output)
{
	_buffer_ struct buffer b = { 0 };
	sd_bus_message *m = NULL;
	char *rest, *line;
	int r = keys_read(output, KEYS_OUTPUT_BYTES, &b);

	if (r >= 0)
		r = sd_bus_message_new_method_return(call, &m);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "a{sv}");
	rest = b.data;
	while (r >= 0 && rest && *rest) {
		line = strsep(&rest, "\n");
		r = append_key(m, line);
	}
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_send(NULL, m, NULL);
	sd_bus_message_unref(m);
	return r;
}

/*
 * The user's code, "" for the keys of others, becomes his ring's name, which is @u's. Who
 * is named must be a user: a folder of keys is not made for a slip of the finger.
 */
static int find_ring(struct box *box, const char **name, struct user **u, sd_bus_error *e)
{
	int r = **name ? store_user_get(box->store, *name, false, u) : 0;

	if (r == -ENOENT)
		return sd_bus_error_setf(e, SD_BUS_ERROR_INVALID_ARGS,
					 "there is no user %s; \"ifaxctl users\" lists them",
					 *name);
	if (r >= 0 && *u)
		*name = (*u)->ring;
	return r;
}

static int import_keys(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct keys_question q = { .op = KEYS_IMPORT };
	_cleanup_(user_freep) struct user *u = NULL;
	const char *arguments[2];
	int r = sd_bus_message_read(m, "shs", &arguments[0], &q.input, &arguments[1]);

	if (r >= 0)
		r = find_ring(box, &arguments[0], &u, e);
	q.arguments = arguments;
	q.n_arguments = 2;
	return r < 0 ? r : ask(m, box, &q, answer_sentence, e);
}

static int make_key(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct keys_question q = { .op = KEYS_MAKE, .input = -1 };
	_cleanup_(user_freep) struct user *u = NULL;
	const char *arguments[3];
	int r = sd_bus_message_read(m, "s", &arguments[0]);

	if (r >= 0 && !*arguments[0])
		r = sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS, "a key is made for a user");
	if (r >= 0)
		r = find_ring(box, &arguments[0], &u, e);
	if (r >= 0 && !u->address)
		r = sd_bus_error_setf(e, SD_BUS_ERROR_INVALID_ARGS, "user %s has no mail address, "
				      "and a key is found by one", u->code);
	if (r < 0)
		return r;
	arguments[1] = u->name ? u->name : "";
	arguments[2] = u->address;
	q.arguments = arguments;
	q.n_arguments = 3;
	return ask(m, box, &q, answer_sentence, e);
}

/* A user and, but for the list, a fingerprint. */
static int ask_named(sd_bus_message *m, struct box *box, enum keys_op op,
		     int (*answer)(sd_bus_message *, const struct keys_reply *, int),
		     sd_bus_error *e)
{
	struct keys_question q = { .op = op, .input = -1, .n_arguments = 2 };
	_cleanup_(user_freep) struct user *u = NULL;
	const char *arguments[2];
	int r;

	if (op == KEYS_LIST)
		q.n_arguments = 1;
	r = sd_bus_message_read(m, "s", &arguments[0]);
	if (r >= 0 && q.n_arguments > 1)
		r = sd_bus_message_read(m, "s", &arguments[1]);
	if (r >= 0)
		r = find_ring(box, &arguments[0], &u, e);
	q.arguments = arguments;
	return r < 0 ? r : ask(m, box, &q, answer, e);
}

int keys_bus_call(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	const char *name = sd_bus_message_get_member(m);

	if (!strcmp(name, "ImportKeys"))
		return import_keys(m, box, e);
	if (!strcmp(name, "MakeKey"))
		return make_key(m, box, e);
	if (!strcmp(name, "ListKeys"))
		return ask_named(m, box, KEYS_LIST, answer_list, e);
	if (!strcmp(name, "ExportKey"))
		return ask_named(m, box, KEYS_EXPORT, answer_file, e);
	return ask_named(m, box, KEYS_REMOVE, answer_nothing, e);
}
