/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/dict.h"

static int usage(void)
{
	return ctl_usage("aliases list | show NAME | remove NAME | "
			 "add|edit NAME [--title TEXT] [--kind plain|moved|gone] [MEMBER ...]");
}

static int append_members(sd_bus_message *m, char **members)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "members");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, members);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* @argv: verb, name, options, members. An edit without members leaves those there are. */
static int put(struct ctl *c, const char *method, int argc, char **argv)
{
	static const struct option options[] = {
		{ "title", required_argument, NULL, 't' },
		{ "kind", required_argument, NULL, 'k' },
		{ 0 },
	};
	const char *title = NULL, *kind = NULL;
	sd_bus_message *m;
	int o, r;

	optind = 0;
	while ((o = ctl_getopt(argc, argv, "", options, NULL)) != -1) {
		if (o == 't')
			title = optarg;
		else if (o == 'k')
			kind = optarg;
		else
			return usage();
	}
	if (optind == argc)
		return usage();
	m = ctl_message(c, method);
	if (!m)
		return 1;
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = ctl_append(m, "name", "s", argv[optind]);
	if (r >= 0 && title)
		r = ctl_append(m, "title", "s", title);
	if (r >= 0 && kind)
		r = ctl_append(m, "kind", "s", kind);
	if (r >= 0 && optind + 1 < argc)
		r = append_members(m, argv + optind + 1);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r < 0) {
		sd_bus_message_unref(m);
		return ctl_failed(NULL, r);
	}
	return ctl_call_message(c, m, NULL);
}

static int get_list(struct ctl *c, struct dict **ret, size_t *n)
{
	sd_bus_message *reply = NULL;
	int r;

	if (ctl_call(c, &reply, "ListAliases", ""))
		return 1;
	r = dict_read_list(reply, ret, n);
	sd_bus_message_unref(reply);
	return r < 0 ? ctl_failed(NULL, r) : 0;
}

static int list(struct ctl *c)
{
	struct dict *aliases = NULL;
	size_t n = 0;

	if (get_list(c, &aliases, &n))
		return 1;
	printf("%-20s %-24s %-6s %s\n", "NAME", "TITLE", "KIND", "MEMBERS");
	for (size_t i = 0; i < n; i++)
		printf("%-20s %-24s %-6s %s\n", dict_text(&aliases[i], "name"),
		       dict_text(&aliases[i], "title"), dict_text(&aliases[i], "kind"),
		       dict_text(&aliases[i], "members"));
	dict_list_free(aliases, n);
	return 0;
}

/* One line each, and one for each member. */
static void print(const struct dict *a)
{
	const char *members = dict_text(a, "members");

	printf("alias %s\n  %-10s %s\n  %-10s %s\n", dict_text(a, "name"), "title",
	       dict_text(a, "title"), "kind", dict_text(a, "kind"));
	while (*members) {
		int len = (int)strcspn(members, ",");

		printf("  %-10s %.*s\n", "member", len, members);
		members += len;
		members += strspn(members, ", ");
	}
}

static int show(struct ctl *c, const char *name)
{
	struct dict *aliases = NULL;
	size_t n = 0;
	int found = 0;

	if (get_list(c, &aliases, &n))
		return 1;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(dict_text(&aliases[i], "name"), name))
			continue;
		print(&aliases[i]);
		found = 1;
	}
	dict_list_free(aliases, n);
	if (!found)
		fprintf(stderr, "ifaxctl: there is no alias or list %s; \"ifaxctl aliases\" lists "
			"them\n", name);
	return !found;
}

int verb_aliases(struct ctl *c, int argc, char **argv)
{
	if (argc < 2 || (argc == 2 && !strcmp(argv[1], "list")))
		return list(c);
	if (!strcmp(argv[1], "add"))
		return put(c, "AddAlias", argc - 1, argv + 1);
	if (!strcmp(argv[1], "edit"))
		return put(c, "EditAlias", argc - 1, argv + 1);
	if (argc == 3 && !strcmp(argv[1], "show"))
		return show(c, argv[2]);
	if (argc == 3 && !strcmp(argv[1], "remove"))
		return ctl_call(c, NULL, "RemoveAlias", "s", argv[2]);
	return usage();
}
