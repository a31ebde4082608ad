/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/dict.h"

static int usage(void)
{
	return ctl_usage("keys list | import FILE [--password-file FILE] | export FINGERPRINT | "
			 "remove FINGERPRINT | make   (each with --user CODE for a user's own "
			 "keys; without, those of the people who are written to)");
}

static int list(struct ctl *c, const char *user)
{
	sd_bus_message *reply = NULL;
	struct dict *keys = NULL;
	size_t n = 0;
	int r;

	if (ctl_call(c, &reply, "ListKeys", "s", user))
		return 1;
	r = dict_read_list(reply, &keys, &n);
	sd_bus_message_unref(reply);
	if (r < 0)
		return ctl_failed(NULL, r);
	printf("%-8s %-7s %-11s %-40s %s\n", "METHOD", "KIND", "STATE", "FINGERPRINT", "NAME");
	for (size_t i = 0; i < n; i++)
		printf("%-8s %-7s %-11s %-40s %s\n", dict_text(&keys[i], "method"),
		       dict_text(&keys[i], "kind"), dict_text(&keys[i], "state"),
		       dict_text(&keys[i], "fingerprint"), dict_text(&keys[i], "name"));
	dict_list_free(keys, n);
	return 0;
}

/* What a method answers is what is printed: a sentence, or a key. */
static int print_answer(sd_bus_message *reply, const char *end)
{
	const char *text;
	int r = sd_bus_message_read(reply, "s", &text);

	if (r >= 0)
		printf("%s%s", text, end);
	sd_bus_message_unref(reply);
	return r < 0 ? ctl_failed(NULL, r) : 0;
}

static int read_line(const char *path, char *text, size_t size)
{
	_fclose_ FILE *f = fopen(path, "re");

	if (!f || !fgets(text, (int)size, f)) {
		fprintf(stderr, "ifaxctl: cannot read the password from %s: %m\n", path);
		return -EIO;
	}
	text[strcspn(text, "\r\n")] = '\0';
	return 0;
}

static int import_file(struct ctl *c, const char *user, const char *path, const char *password_file)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	sd_bus_message *reply = NULL;
	char password[1024] = "";
	int r;

	if (fd < 0) {
		fprintf(stderr, "ifaxctl: cannot read %s: %m\n", path);
		return 1;
	}
	if (password_file && read_line(password_file, password, sizeof(password)) < 0)
		return 1;
	r = ctl_call(c, &reply, "ImportKeys", "shs", user, fd, password);
	explicit_bzero(password, sizeof(password));
	return r ? r : print_answer(reply, "\n");
}

static int export_key(struct ctl *c, const char *user, const char *fingerprint)
{
	sd_bus_message *reply = NULL;
	int r = ctl_call(c, &reply, "ExportKey", "ss", user, fingerprint);

	return r ? r : print_answer(reply, "");
}

static int make(struct ctl *c, const char *user)
{
	sd_bus_message *reply = NULL;
	int r = ctl_call(c, &reply, "MakeKey", "s", user);

	return r ? r : print_answer(reply, "\n");
}

int verb_keys(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "password-file", required_argument, NULL, 'p' },
		{ 0 },
	};
	const char *user = "", *password_file = NULL, *verb, *what;
	int o;

	optind = 0;
	while ((o = ctl_getopt(argc, argv, "", options, NULL)) != -1) {
		if (o == 'u')
			user = optarg;
		else if (o == 'p')
			password_file = optarg;
		else
			return usage();
	}
	verb = optind < argc ? argv[optind] : "list";
	what = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (optind + 2 < argc)
		return usage();
	if (!strcmp(verb, "list") && !what)
		return list(c, user);
	if (!strcmp(verb, "make") && !what && *user)
		return make(c, user);
	if (!strcmp(verb, "import") && what)
		return import_file(c, user, what, password_file);
	if (!strcmp(verb, "export") && what)
		return export_key(c, user, what);
	if (!strcmp(verb, "remove") && what)
		return ctl_call(c, NULL, "RemoveKey", "ss", user, what);
	return usage();
}
