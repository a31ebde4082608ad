/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recipients on the bus: what each takes, and how mail to each is encrypted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "store/store.h"

/* Names on the bus and where they lie in struct recipient. */
static const struct field {
	const char *key;
	size_t offset;
} texts[] = {
	{ "address", offsetof(struct recipient, address) },
	{ "name", offsetof(struct recipient, name) },
	{ "accepts", offsetof(struct recipient, accepts) },
	{ "method", offsetof(struct recipient, method) },
	{ "key", offsetof(struct recipient, key) },
};

static void recipient_freep(struct recipient **c)
{
	recipient_free(*c);
}

static int append(sd_bus_message *m, const void *item)
{
	const struct recipient *c = item;
	int r = dict_open(m);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++)
		r = dict_put_string(m, texts[i].key,
				    *(char *const *)((const char *)c + texts[i].offset));
	if (r >= 0)
		r = dict_put_bool(m, "must-encrypt", c->must_encrypt);
	if (r >= 0)
		r = dict_put_number(m, "one-touch", c->one_touch);
	return r < 0 ? r : dict_close(m);
}

static int list(sd_bus_message *m, struct box *box)
{
	struct recipient **items = NULL;
	size_t n = 0;
	int r = store_recipient_list(box->store, &items, &n);

	if (r < 0)
		return r;
	r = bus_reply_list(m, (void **)items, n, append);
	recipient_list_free(items, n);
	return r;
}

/* An empty string takes a setting back. */
static int entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
		 sd_bus_error *e)
{
	struct recipient *c = userdata;
	const char *text;
	int flag, r;

	if (!strcmp(key, "must-encrypt") && !strcmp(type, "b")) {
		r = sd_bus_message_read(m, "b", &flag);
		c->must_encrypt = flag;
		return r;
	}
	if (!strcmp(key, "one-touch") && !strcmp(type, "u"))
		return sd_bus_message_read(m, "u", &c->one_touch);
	for (size_t i = 0; !strcmp(type, "s") && i < ARRAY_SIZE(texts); i++) {
		if (strcmp(texts[i].key, key))
			continue;
		r = sd_bus_message_read(m, "s", &text);
		return r < 0 ? r : job_set((char **)((char *)c + texts[i].offset),
					   *text ? text : NULL);
	}
	return -EINVAL;
}

/* Finds the address first, wherever it stands: what is not said stays as it is stored. */
static int address_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
			 sd_bus_error *e)
{
	if (!strcmp(key, "address") && !strcmp(type, "s"))
		return sd_bus_message_read(m, "s", userdata);
	return sd_bus_message_skip(m, type);
}

/* What is stored, or who is new; he takes what every Internet fax reads. */
static int start_from(struct store *s, const char *address, struct recipient **ret)
{
	int r = store_recipient_get(s, address, ret);

	if (r != -ENOENT)
		return r;
	*ret = calloc(1, sizeof(**ret));
	return *ret ? job_set(&(*ret)->accepts, "s") : -ENOMEM;
}

static int set(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	_cleanup_(recipient_freep) struct recipient *c = NULL;
	struct error why = { 0 };
	const char *address = NULL;
	int r;

	r = dict_walk(m, address_entry, &address, e);
	if (r < 0)
		return r;
	r = start_from(box->store, address ? address : "", &c);
	if (r >= 0)
		r = sd_bus_message_rewind(m, true);
	if (r >= 0)
		r = dict_walk(m, entry, c, e);
	if (r < 0)
		return r;
	if (!c->address)
		return sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS,
					"the recipient's address is missing");
	if (!c->accepts && (r = job_set(&c->accepts, "s")) < 0)
		return r;
	r = store_recipient_put(box->store, c, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

static int remove_one(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct error why = { 0 };
	const char *address;
	int r = sd_bus_message_read(m, "s", &address);

	if (r < 0)
		return r;
	r = store_recipient_remove(box->store, address, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

int recipients_call(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	const char *name = sd_bus_message_get_member(m);

	if (!strcmp(name, "ListRecipients"))
		return list(m, box);
	if (!strcmp(name, "SetRecipient"))
		return set(m, box, e);
	return remove_one(m, box, e);
}
