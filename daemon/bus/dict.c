/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/dict.h"

int dict_open(sd_bus_message *m)
{
	return sd_bus_message_open_container(m, 'a', "{sv}");
}

int dict_close(sd_bus_message *m)
{
	return sd_bus_message_close_container(m);
}

int dict_put_string(sd_bus_message *m, const char *key, const char *value)
{
	return value ? sd_bus_message_append(m, "{sv}", key, "s", value) : 0;
}

int dict_put_number(sd_bus_message *m, const char *key, uint64_t value)
{
	return sd_bus_message_append(m, "{sv}", key, "t", value);
}

int dict_put_bool(sd_bus_message *m, const char *key, bool value)
{
	return sd_bus_message_append(m, "{sv}", key, "b", (int)value);
}

int dict_open_list(sd_bus_message *m, const char *key)
{
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "aa{sv}");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "a{sv}");
	return r;
}

int dict_close_list(sd_bus_message *m)
{
	int r = sd_bus_message_close_container(m);

	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r;
}

static int walk_entry(sd_bus_message *m, dict_fn fn, void *userdata, sd_bus_error *e)
{
	const char *key, *type;
	int r;

	r = sd_bus_message_read(m, "s", &key);
	if (r >= 0)
		r = sd_bus_message_peek_type(m, NULL, &type);
	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'v', type);
	if (r < 0)
		return r;
	r = fn(m, key, type, userdata, e);
	if (r == -EINVAL && !sd_bus_error_is_set(e))
		return sd_bus_error_setf(e, SD_BUS_ERROR_INVALID_ARGS,
					 "\"%s\" is not known here, or not of type %s", key, type);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

int dict_walk(sd_bus_message *m, dict_fn fn, void *userdata, sd_bus_error *e)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = walk_entry(m, fn, userdata, e);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}
