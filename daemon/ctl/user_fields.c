// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/user_fields.h"

#include <errno.h>
#include <stdio.h>

#include "ctl/ctl.h"

#define AT(field) offsetof(struct user, field)

const struct user_field user_fields[USER_FIELDS] = {
	{ "name", FIELD_TEXT, "NAME", AT(name) },
	{ "address", FIELD_TEXT, "ADDRESS", AT(address) },
	{ "pop3-host", FIELD_TEXT, "HOST", AT(pop3_host) },
	{ "pop3-port", FIELD_NUMBER, "PORT", AT(pop3_port) },
	{ "pop3-tls", FIELD_TEXT, "none|starttls|tls", AT(pop3_tls) },
	{ "pop3-login", FIELD_TEXT, "LOGIN", AT(pop3_login) },
	{ "auto-receive", FIELD_FLAG, "yes|no", AT(auto_receive) },
	{ "auto-print", FIELD_FLAG, "yes|no", AT(auto_print) },
	{ "interval", FIELD_NUMBER, "SECONDS", AT(interval) },
	{ "keep-days", FIELD_NUMBER, "1-31", AT(keep_days) },
	{ "at-end", FIELD_TEXT, "print|notice", AT(at_end) },
	{ "leave-on-server", FIELD_FLAG, "yes|no", AT(leave_on_server) },
	{ "receive-text", FIELD_FLAG, "yes|no", AT(receive_text) },
	{ "collect-after-send", FIELD_FLAG, "yes|no", AT(collect_after_send) },
	{ "encrypt", FIELD_FLAG, "yes|no", AT(encrypt) },
};

int user_field_set(const struct user_field *f, struct user *u, const char *text, struct error *e)
{
	void *at = (char *)u + f->offset;
	int flag;

	switch (f->type) {
	case FIELD_TEXT:
		*(char **)at = (char *)text;
		return 0;
	case FIELD_NUMBER:
		if (ctl_parse_number(text, at) < 0)
			return error_set(e, -EINVAL, "%s takes a number, not \"%s\"", f->name,
					 text);
		return 0;
	case FIELD_FLAG:
		flag = ctl_parse_flag(text);
		if (flag < 0)
			return error_set(e, flag, "%s takes yes or no, not \"%s\"", f->name, text);
		*(bool *)at = flag;
		return 0;
	}
	return -EINVAL;
}

int user_field_append(const struct user_field *f, sd_bus_message *m, const struct user *u)
{
	const void *at = (const char *)u + f->offset;
	const char *text;
	int flag;

	switch (f->type) {
	case FIELD_TEXT:
		text = *(char *const *)at;
		return ctl_append(m, f->name, "s", text ? text : "");
	case FIELD_NUMBER:
		return ctl_append(m, f->name, "u", at);
	case FIELD_FLAG:
		flag = *(const bool *)at;
		return ctl_append(m, f->name, "b", &flag);
	}
	return -EINVAL;
}

const char *user_field_text(const struct user_field *f, const struct dict *d, char number[24])
{
	if (f->type == FIELD_TEXT)
		return dict_text(d, f->name);
	if (f->type == FIELD_FLAG)
		return dict_number(d, f->name) ? "yes" : "no";
	snprintf(number, 24, "%llu", (unsigned long long)dict_number(d, f->name));
	return number;
}
