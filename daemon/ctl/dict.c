/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "ctl/dict.h"

void dict_free(struct dict *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->entries[i].key);
		free(d->entries[i].text);
		dict_list_free(d->entries[i].list, d->entries[i].n_list);
	}
	free(d->entries);
	d->entries = NULL;
	d->n = 0;
}

void dict_list_free(struct dict *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dict_free(&d[i]);
	free(d);
}

/* One text of all, and how many they are. */
static int read_strings(sd_bus_message *m, char **ret, uint64_t *count)
{
	struct buffer b = { 0 };
	const char *s;
	int r;

	r = sd_bus_message_enter_container(m, 'a', "s");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_read(m, "s", &s)) > 0) {
		r = buffer_printf(&b, "%s%s", b.len ? ", " : "", s);
		if (r < 0)
			break;
		++*count;
	}
	if (r < 0) {
		buffer_free(&b);
		return r;
	}
	*ret = b.data;
	return sd_bus_message_exit_container(m);
}

static int read_value(sd_bus_message *m, const char *type, struct dict_entry *e)
{
	const char *s;
	uint32_t u;
	int32_t i;
	int b, r;

	switch (type[0]) {
	case 's':
		r = sd_bus_message_read(m, "s", &s);
		if (r < 0)
			return r;
		e->text = strdup(s);
		return e->text ? 0 : -ENOMEM;
	case 't':
		return sd_bus_message_read(m, "t", &e->number);
	case 'u':
		r = sd_bus_message_read(m, "u", &u);
		e->number = u;
		return r;
	case 'i':
		r = sd_bus_message_read(m, "i", &i);
		e->number = (uint64_t)(int64_t)i;
		return r;
	case 'b':
		r = sd_bus_message_read(m, "b", &b);
		e->number = b;
		return r;
	case 'a':
		if (!strcmp(type, "as"))
			return read_strings(m, &e->text, &e->number);
		if (!strcmp(type, "aa{sv}"))
			return dict_read_list(m, &e->list, &e->n_list);
	}
	return sd_bus_message_skip(m, type);
}

static int read_entry(sd_bus_message *m, struct dict *d)
{
	struct dict_entry *e;
	const char *key, *type;
	int r;

	e = reallocarray(d->entries, d->n + 1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	d->entries = e;
	e += d->n++;
	memset(e, 0, sizeof(*e));
	r = sd_bus_message_read(m, "s", &key);
	if (r < 0)
		return r;
	e->key = strdup(key);
	if (!e->key)
		return -ENOMEM;
	r = sd_bus_message_peek_type(m, NULL, &type);
	if (r < 0)
		return r;
	r = sd_bus_message_enter_container(m, 'v', type);
	if (r < 0)
		return r;
	r = read_value(m, type, e);
	if (r < 0)
		return r;
	return sd_bus_message_exit_container(m);
}

int dict_read(sd_bus_message *m, struct dict *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = read_entry(m, ret);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
		if (r < 0)
			break;
	}
	if (r < 0) {
		dict_free(ret);
		return r;
	}
	return sd_bus_message_exit_container(m);
}

int dict_read_list(sd_bus_message *m, struct dict **ret, size_t *n)
{
	struct dict *list = NULL, *grown;
	size_t k = 0;
	int r;

	r = sd_bus_message_enter_container(m, 'a', "a{sv}");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_at_end(m, 0)) == 0) {
		grown = reallocarray(list, k + 1, sizeof(*list));
		if (!grown) {
			r = -ENOMEM;
			break;
		}
		list = grown;
		r = dict_read(m, &list[k]);
		if (r < 0)
			break;
		k++;
	}
	if (r < 0) {
		dict_list_free(list, k);
		return r;
	}
	*ret = list;
	*n = k;
	return sd_bus_message_exit_container(m);
}

const struct dict_entry *dict_find(const struct dict *d, const char *key)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->entries[i].key, key))
			return &d->entries[i];
	return NULL;
}

const char *dict_text(const struct dict *d, const char *key)
{
	const struct dict_entry *e = dict_find(d, key);

	return e && e->text ? e->text : "";
}

uint64_t dict_number(const struct dict *d, const char *key)
{
	const struct dict_entry *e = dict_find(d, key);

	return e ? e->number : 0;
}
