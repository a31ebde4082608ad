/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/dict.h"

/* Length of the character at @s, 0 = no UTF-8 stands here. RFC 3629, 4. */
static size_t character(const unsigned char *s)
{
	unsigned char least = 0x80, most = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		least = 0xa0;
	else if (s[0] == 0xed)
		most = 0x9f;
	else if (s[0] == 0xf0)
		least = 0x90;
	else if (s[0] == 0xf4)
		most = 0x8f;
	if (s[1] < least || s[1] > most)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* C0, DEL and C1: a terminal may obey them. */
static int is_control(const unsigned char *s)
{
	return s[0] < ' ' || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

char *bus_text(const char *s)
{
	char *copy = strdup(s);
	size_t n;

	for (unsigned char *p = (unsigned char *)copy; p && *p; p += n) {
		n = character(p);
		if (!n)
			*p = '?';
		else if (is_control(p))
			memset(p, ' ', n);
		n = n ? n : 1;
	}
	return copy;
}

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
	_free_ char *text = NULL;

	if (!value)
		return 0;
	text = bus_text(value);
	return text ? sd_bus_message_append(m, "{sv}", key, "s", text) : -ENOMEM;
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
