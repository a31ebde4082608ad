/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing and reading a{sv}. Each returns what sd-bus returns. */
#ifndef IFAX_BUS_DICT_H
#define IFAX_BUS_DICT_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-bus.h>

/*
 * A string of the bus is UTF-8, and those of ours are one line for people; what
 * servers and mails said may be anything. free(); NULL: out of memory.
 */
char *bus_text(const char *s);

int dict_open(sd_bus_message *m);
int dict_close(sd_bus_message *m);
/* By bus_text(); NULL is left out. */
int dict_put_string(sd_bus_message *m, const char *key, const char *value);
int dict_put_number(sd_bus_message *m, const char *key, uint64_t value);
int dict_put_bool(sd_bus_message *m, const char *key, bool value);
/* Between these, a{sv}s are appended as the value of @key. */
int dict_open_list(sd_bus_message *m, const char *key);
int dict_close_list(sd_bus_message *m);

/*
 * Walks an a{sv} of a request: @fn is called at each value with the variant
 * entered and must read it whole; -EINVAL from it means an unknown name or a
 * wrong type.
 */
typedef int (*dict_fn)(sd_bus_message *m, const char *key, const char *type, void *userdata,
		       sd_bus_error *e);
int dict_walk(sd_bus_message *m, dict_fn fn, void *userdata, sd_bus_error *e);

#endif
