/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the bus hands out, a{sv}, as a flat list of names and plain values. */
#ifndef IFAX_CTL_DICT_H
#define IFAX_CTL_DICT_H

#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-bus.h>

struct dict_entry {
	char *key;
	char *text;		/* strings; lists joined by ", " */
	uint64_t number;	/* numbers and booleans */
	struct dict *list;	/* aa{sv} */
	size_t n_list;
};

/* Owned throughout: dict_free(). */
struct dict {
	struct dict_entry *entries;
	size_t n;
};

/* Reads one a{sv} at the message's position. */
int dict_read(sd_bus_message *m, struct dict *ret);
/* Reads an aa{sv}; ret[n] is the caller's, each to be given to dict_free(). */
int dict_read_list(sd_bus_message *m, struct dict **ret, size_t *n);
void dict_free(struct dict *d);
void dict_list_free(struct dict *d, size_t n);

const struct dict_entry *dict_find(const struct dict *d, const char *key);
/* "" where there is none */
const char *dict_text(const struct dict *d, const char *key);
uint64_t dict_number(const struct dict *d, const char *key);

#endif
