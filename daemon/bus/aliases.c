/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aliases and lists on the bus. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/dict.h"
#include "bus/internal.h"
#include "store/store.h"

static void alias_freep(struct alias **a)
{
	alias_free(*a);
}

/* All members anew: an edit that names any replaces those there were. */
static int read_members(sd_bus_message *m, struct alias *a)
{
	const char *member;
	int r;

	for (size_t i = 0; a->members && a->members[i]; i++)
		free(a->members[i]);
	free(a->members);
	a->members = NULL;
	r = sd_bus_message_enter_container(m, 'a', "s");
	while (r >= 0 && (r = sd_bus_message_read(m, "s", &member)) > 0)
		r = alias_add_member(a, member);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int alias_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
		       sd_bus_error *e)
{
	struct alias *a = userdata;
	const char *text;
	int r;

	if (!strcmp(key, "members") && !strcmp(type, "as"))
		return read_members(m, a);
	if (strcmp(type, "s") ||
	    (strcmp(key, "name") && strcmp(key, "title") && strcmp(key, "kind")))
		return -EINVAL;
	r = sd_bus_message_read(m, "s", &text);
	if (r < 0)
		return r;
	if (!strcmp(key, "name"))
		return job_set(&a->name, text);
	if (!strcmp(key, "title"))
		return job_set(&a->title, *text ? text : NULL);
	r = alias_kind_from_name(text);
	if (r < 0)
		return sd_bus_error_setf(e, SD_BUS_ERROR_INVALID_ARGS,
					 "an alias is plain, moved or gone, not \"%s\"", text);
	a->kind = (enum alias_kind)r;
	return 0;
}

/* Finds the name first, wherever it stands: an edit starts from what is stored. */
static int name_entry(sd_bus_message *m, const char *key, const char *type, void *userdata,
		      sd_bus_error *e)
{
	if (!strcmp(key, "name") && !strcmp(type, "s"))
		return sd_bus_message_read(m, "s", userdata);
	return sd_bus_message_skip(m, type);
}

static int put_alias(sd_bus_message *m, struct box *box, bool create, sd_bus_error *e)
{
	_cleanup_(alias_freep) struct alias *a = NULL;
	const char *name = NULL;
	struct error why = { 0 };
	int r;

	r = dict_walk(m, name_entry, &name, e);
	if (r < 0)
		return r;
	if (!name)
		return sd_bus_error_set(e, SD_BUS_ERROR_INVALID_ARGS, "the name is missing");
	if (!create) {
		r = store_alias_get(box->store, name, &a);
		if (r == -ENOENT)
			return sd_bus_error_setf(
				e, SD_BUS_ERROR_INVALID_ARGS,
				"there is no alias or list %s; \"ifaxctl aliases\" lists them",
				name);
	} else {
		a = calloc(1, sizeof(*a));
		r = a ? 0 : -ENOMEM;
	}
	if (r >= 0)
		r = sd_bus_message_rewind(m, true);
	if (r >= 0)
		r = dict_walk(m, alias_entry, a, e);
	if (r < 0)
		return r;
	r = store_alias_put(box->store, a, create, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

static int append_members(sd_bus_message *m, const struct alias *a)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "members");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, a->members);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_alias(sd_bus_message *m, const void *item)
{
	const struct alias *a = item;
	int r = dict_open(m);

	if (r >= 0)
		r = dict_put_string(m, "name", a->name);
	if (r >= 0)
		r = dict_put_string(m, "title", a->title);
	if (r >= 0)
		r = dict_put_string(m, "kind", alias_kind_name(a->kind));
	if (r >= 0)
		r = append_members(m, a);
	return r < 0 ? r : dict_close(m);
}

static int list_aliases(sd_bus_message *m, struct box *box)
{
	struct alias **list = NULL;
	size_t n = 0;
	int r = store_alias_list(box->store, &list, &n);

	if (r < 0)
		return r;
	r = bus_reply_list(m, (void **)list, n, append_alias);
	alias_list_free(list, n);
	return r;
}

static int remove_alias(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	struct error why = { 0 };
	const char *name;
	int r = sd_bus_message_read(m, "s", &name);

	if (r < 0)
		return r;
	r = store_alias_remove(box->store, name, &why);
	return r < 0 ? bus_fail(e, r, &why) : sd_bus_reply_method_return(m, "");
}

int aliases_call(sd_bus_message *m, struct box *box, sd_bus_error *e)
{
	const char *name = sd_bus_message_get_member(m);

	if (!strcmp(name, "ListAliases"))
		return list_aliases(m, box);
	if (!strcmp(name, "AddAlias"))
		return put_alias(m, box, true, e);
	if (!strcmp(name, "EditAlias"))
		return put_alias(m, box, false, e);
	return remove_alias(m, box, e);
}
