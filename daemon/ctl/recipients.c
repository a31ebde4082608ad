/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/dict.h"

static int recipients_usage(void)
{
	return ctl_usage("recipients list | set ADDRESS [--name NAME] [--accepts s|f-mr|f] "
			 "[--method none|openpgp|smime] [--key FINGERPRINT] "
			 "[--must-encrypt yes|no] [--one-touch KEY] | remove ADDRESS");
}

static int append_option(sd_bus_message *m, const char *name, const char *value)
{
	uint32_t number;
	int flag;

	if (!strcmp(name, "must-encrypt")) {
		flag = ctl_parse_flag(value);
		if (flag < 0)
			fprintf(stderr, "ifaxctl: --%s takes yes or no, not \"%s\"\n", name,
				value);
		return flag < 0 ? flag : ctl_append(m, name, "b", &flag);
	}
	if (!strcmp(name, "one-touch")) {
		if (ctl_parse_number(value, &number) < 0) {
			fprintf(stderr, "ifaxctl: --%s takes a number, not \"%s\"\n", name, value);
			return -EINVAL;
		}
		return ctl_append(m, name, "u", &number);
	}
	/* Without a method mail goes in the clear; on the bus that is the empty one. */
	if (!strcmp(name, "method") && !strcmp(value, "none"))
		value = "";
	return ctl_append(m, name, "s", value);
}

static int append_options(sd_bus_message *m, int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'f' },
		{ "accepts", required_argument, NULL, 'f' },
		{ "method", required_argument, NULL, 'f' },
		{ "key", required_argument, NULL, 'f' },
		{ "must-encrypt", required_argument, NULL, 'f' },
		{ "one-touch", required_argument, NULL, 'f' },
		{ 0 },
	};
	int o, index, r = 0;

	optind = 0;
	while (r >= 0 && (o = ctl_getopt(argc, argv, "", options, &index)) != -1)
		r = o == 'f' ? append_option(m, options[index].name, optarg) : -EINVAL;
	if (r >= 0 && optind != argc - 1)
		r = -EINVAL;
	return r < 0 ? r : ctl_append(m, "address", "s", argv[optind]);
}

static int set_recipient(struct ctl *c, int argc, char **argv)
{
	sd_bus_message *m = ctl_message(c, "SetRecipient");
	int r;

	if (!m)
		return 1;
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = append_options(m, argc, argv);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r < 0) {
		sd_bus_message_unref(m);
		return r == -EINVAL ? recipients_usage() : ctl_failed(NULL, r);
	}
	return ctl_call_message(c, m, NULL);
}

static const char *encryption(const struct dict *d)
{
	const char *method = dict_text(d, "method");

	return *method ? method : "none";
}

static const char *one_touch(const struct dict *d, char text[12])
{
	unsigned int key = (unsigned int)dict_number(d, "one-touch");

	if (!key)
		return "";
	snprintf(text, 12, "%u", key);
	return text;
}

static int list_recipients(struct ctl *c)
{
	struct dict *list = NULL;
	char text[12];
	size_t n = 0;

	if (ctl_list(c, "ListRecipients", &list, &n))
		return 1;
	printf("%-32s %-24s %5s %-7s %-8s %s\n", "ADDRESS", "NAME", "TOUCH", "ACCEPTS", "METHOD",
	       "KEY");
	for (size_t i = 0; i < n; i++)
		printf("%-32s %-24s %5s %-7s %-8s %s%s\n", dict_text(&list[i], "address"),
		       dict_text(&list[i], "name"), one_touch(&list[i], text),
		       dict_text(&list[i], "accepts"), encryption(&list[i]),
		       dict_text(&list[i], "key"),
		       dict_number(&list[i], "must-encrypt") ? " (must be encrypted)" : "");
	dict_list_free(list, n);
	return 0;
}

int verb_recipients(struct ctl *c, int argc, char **argv)
{
	if (argc < 2 || (argc == 2 && !strcmp(argv[1], "list")))
		return list_recipients(c);
	if (!strcmp(argv[1], "set"))
		return set_recipient(c, argc - 1, argv + 1);
	if (argc == 3 && !strcmp(argv[1], "remove"))
		return ctl_call(c, NULL, "RemoveRecipient", "s", argv[2]);
	return recipients_usage();
}
