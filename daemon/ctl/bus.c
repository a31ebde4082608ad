/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/dict.h"

int ctl_usage(const char *text)
{
	fprintf(stderr, "ifaxctl: %s\n", text);
	return 2;
}

int ctl_getopt(int argc, char **argv, const char *letters, const struct option *options,
	       int *index)
{
	static char name[] = "ifaxctl";
	char *verb = argv[0];
	int o;

	argv[0] = name;
	o = getopt_long(argc, argv, letters, options, index);
	argv[0] = verb;
	return o;
}

int ctl_failed(const sd_bus_error *e, int r)
{
	if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		fprintf(stderr, "ifaxctl: ifaxd is not running; "
				"\"systemctl start ifaxd\" starts it\n");
	else
		fprintf(stderr, "ifaxctl: %s\n", e && e->message ? e->message : strerror(-r));
	return 1;
}

sd_bus_message *ctl_message(struct ctl *c, const char *method)
{
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_method_call(c->bus, &m, IFAX_BUS_NAME, IFAX_BUS_PATH,
					   IFAX_BUS_INTERFACE, method);
	if (r < 0) {
		ctl_failed(NULL, r);
		return NULL;
	}
	return m;
}

int ctl_call_message(struct ctl *c, sd_bus_message *m, sd_bus_message **ret)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r, status = 0;

	sd_bus_message_set_allow_interactive_authorization(m, 1);
	r = sd_bus_call(c->bus, m, CTL_CALL_USEC, &e, ret);
	if (r < 0)
		status = ctl_failed(&e, r);
	sd_bus_error_free(&e);
	sd_bus_message_unref(m);
	return status;
}

int ctl_call(struct ctl *c, sd_bus_message **ret, const char *method, const char *types, ...)
{
	sd_bus_message *m = ctl_message(c, method);
	va_list ap;
	int r;

	if (!m)
		return 1;
	va_start(ap, types);
	r = sd_bus_message_appendv(m, types, ap);
	va_end(ap);
	if (r < 0) {
		sd_bus_message_unref(m);
		return ctl_failed(NULL, r);
	}
	return ctl_call_message(c, m, ret);
}

int ctl_append(sd_bus_message *m, const char *key, const char *type, const void *value)
{
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append_basic(m, 's', key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', type);
	if (r >= 0)
		r = sd_bus_message_append_basic(m, type[0], value);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r;
}

int ctl_list(struct ctl *c, const char *method, struct dict **ret, size_t *n)
{
	sd_bus_message *reply = NULL;
	int r;

	if (ctl_call(c, &reply, method, ""))
		return 1;
	r = dict_read_list(reply, ret, n);
	sd_bus_message_unref(reply);
	return r < 0 ? ctl_failed(NULL, r) : 0;
}

int ctl_parse_flag(const char *text)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!strcmp(text, yes[i]))
			return 1;
		if (!strcmp(text, no[i]))
			return 0;
	}
	return -EINVAL;
}

int ctl_parse_number(const char *text, uint32_t *ret)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || n > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

void ctl_print_time(uint64_t usec)
{
	time_t t = (time_t)(usec / 1000000);
	char text[32] = "-";
	struct tm tm;

	if (usec && localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s", text);
}

uint64_t ctl_job_id(const char *text)
{
	char *end;
	unsigned long long id;

	errno = 0;
	id = strtoull(text, &end, 10);
	if (errno || *end || !id || text[0] < '0' || text[0] > '9') {
		fprintf(stderr, "ifaxctl: \"%s\" is no job number; \"ifaxctl jobs\" lists them\n",
			text);
		return 0;
	}
	return id;
}
