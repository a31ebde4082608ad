/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/dict.h"
#include "ctl/user_fields.h"
#include "smtp/scram.h"

static int user_usage(void)
{
	fprintf(stderr,
		"ifaxctl: users list | show CODE | remove CODE | add CODE ... | edit CODE ... | "
		"passwd CODE [--panel] [--remove] | export [FILE] | import FILE [--dry-run]\n");
	for (size_t i = 0; i < USER_FIELDS; i++)
		fprintf(stderr, "    --%s %s\n", user_fields[i].name, user_fields[i].help);
	fprintf(stderr, "    --password-file FILE   (- reads standard input)\n");
	return 2;
}

static int append_field(sd_bus_message *m, const struct user_field *f, const char *text)
{
	struct error e = { 0 };
	struct user u = { 0 };
	int r = user_field_set(f, &u, text, &e);

	if (r < 0) {
		fprintf(stderr, "ifaxctl: --%s\n", error_text(&e));
		return r;
	}
	return user_field_append(f, m, &u);
}

/* A password never stands on a command line: it would be seen by everyone. */
static int append_password(sd_bus_message *m, const char *path)
{
	char text[CTL_PASSWORD_MAX + 2];
	int r = ctl_password_from(path, text);

	if (r >= 0)
		r = ctl_append(m, "pop3-password", "s", text);
	explicit_bzero(text, sizeof(text));
	return r;
}

/* The options of add and edit, one per field and the password's. */
static int append_user(sd_bus_message *m, int argc, char **argv)
{
	struct option options[USER_FIELDS + 2] = { 0 };
	int o, index, r = 0;

	for (size_t i = 0; i < USER_FIELDS; i++)
		options[i] = (struct option){ user_fields[i].name, required_argument, NULL, 'f' };
	options[USER_FIELDS] = (struct option){ "password-file", required_argument, NULL, 'p' };
	optind = 0;
	while (r >= 0 && (o = ctl_getopt(argc, argv, "", options, &index)) != -1) {
		if (o == 'f')
			r = append_field(m, &user_fields[index], optarg);
		else if (o == 'p')
			r = append_password(m, optarg);
		else
			r = -EINVAL;
	}
	if (r >= 0 && optind != argc) {
		fprintf(stderr, "ifaxctl: \"%s\" is one word too many\n", argv[optind]);
		r = -EINVAL;
	}
	return r;
}

static int put(struct ctl *c, const char *method, int argc, char **argv)
{
	sd_bus_message *m;
	int r;

	if (argc < 2)
		return user_usage();
	m = ctl_message(c, method);
	if (!m)
		return 1;
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = ctl_append(m, "code", "s", argv[1]);
	if (r >= 0)
		r = append_user(m, argc - 1, argv + 1);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r < 0) {
		sd_bus_message_unref(m);
		return r == -EINVAL ? user_usage() : ctl_failed(NULL, r);
	}
	return ctl_call_message(c, m, NULL);
}

static int list(struct ctl *c)
{
	struct dict *users = NULL;
	size_t n = 0;

	if (ctl_list(c, "ListUsers", &users, &n))
		return 1;
	printf("%-8s %-20s %-28s %-24s %s\n", "CODE", "NAME", "ADDRESS", "MAILBOX", "RECEPTION");
	for (size_t i = 0; i < n; i++)
		printf("%-8s %-20s %-28s %-24s %s%s\n", dict_text(&users[i], "code"),
		       dict_text(&users[i], "name"), dict_text(&users[i], "address"),
		       dict_text(&users[i], "pop3-host"),
		       dict_number(&users[i], "auto-receive") ? "automatic" : "on demand",
		       dict_number(&users[i], "auto-print") ? ", prints" : ", keeps");
	dict_list_free(users, n);
	return 0;
}

static void show_user(const struct dict *d)
{
	static const struct {
		const char *key, *what;
	} secrets[] = {
		{ "has-password", "password" },
		{ "has-login", "smtp log-in" },
		{ "has-panel-password", "panel password" },
	};
	char number[24];

	printf("user %s\n", dict_text(d, "code"));
	for (size_t i = 0; i < USER_FIELDS; i++)
		printf("  %-18s %s\n", user_fields[i].name,
		       user_field_text(&user_fields[i], d, number));
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		printf("  %-18s %s\n", secrets[i].what,
		       dict_number(d, secrets[i].key) ? "stored" : "none");
}

static int show(struct ctl *c, const char *code)
{
	sd_bus_message *reply = NULL;
	struct dict d;
	int r;

	if (ctl_call(c, &reply, "GetUser", "s", code))
		return 1;
	r = dict_read(reply, &d);
	sd_bus_message_unref(reply);
	if (r < 0)
		return ctl_failed(NULL, r);
	show_user(&d);
	dict_free(&d);
	return 0;
}

/* Asked for twice where a person types it. */
static int read_new_password(char text[CTL_PASSWORD_MAX + 2])
{
	char again[CTL_PASSWORD_MAX + 2];
	int r = ctl_read_password(stdin, "new password", text);

	if (r < 0 || !isatty(0))
		return r;
	r = ctl_read_password(stdin, "once more", again);
	if (r >= 0 && strcmp(text, again)) {
		fprintf(stderr, "ifaxctl: the two are not the same\n");
		r = -EINVAL;
	}
	explicit_bzero(again, sizeof(again));
	return r;
}

/* The password itself stays here: what the daemon gets cannot be turned back into it. */
static int make_verifier(char text[SCRAM_TEXT_MAX])
{
	char password[CTL_PASSWORD_MAX + 2];
	struct scram_verifier v;
	struct error e = { 0 };
	int r = read_new_password(password);

	if (r >= 0) {
		r = scram_verifier_make(password, &v, &e);
		if (r < 0)
			fprintf(stderr, "ifaxctl: %s\n", error_text(&e));
		else
			scram_verifier_format(&v, text);
	}
	explicit_bzero(password, sizeof(password));
	return r;
}

/* Edits one field of a user, a secret. */
static int edit_secret(struct ctl *c, const char *code, const char *key, const char *value)
{
	sd_bus_message *m = ctl_message(c, "EditUser");
	int r;

	if (!m)
		return 1;
	sd_bus_message_sensitive(m);
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = ctl_append(m, "code", "s", code);
	if (r >= 0)
		r = ctl_append(m, key, "s", value);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r < 0) {
		sd_bus_message_unref(m);
		return ctl_failed(NULL, r);
	}
	return ctl_call_message(c, m, NULL);
}

/* For mail, what checks the log-in is all that leaves this process. */
static int set_login(struct ctl *c, const char *code, bool remove)
{
	char verifier[SCRAM_TEXT_MAX] = "";

	if (!remove && make_verifier(verifier) < 0)
		return 1;
	return edit_secret(c, code, "login-verifier", verifier);
}

static int set_panel_password(struct ctl *c, const char *code, bool remove)
{
	char password[CTL_PASSWORD_MAX + 2] = "";
	int status = 1;

	if (remove || read_new_password(password) >= 0)
		status = edit_secret(c, code, "panel-password", password);
	explicit_bzero(password, sizeof(password));
	return status;
}

static int passwd(struct ctl *c, int argc, char **argv)
{
	bool panel = false, remove = false;

	if (argc < 2)
		return user_usage();
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--panel"))
			panel = true;
		else if (!strcmp(argv[i], "--remove"))
			remove = true;
		else
			return user_usage();
	}
	return panel ? set_panel_password(c, argv[1], remove) : set_login(c, argv[1], remove);
}

int verb_users(struct ctl *c, int argc, char **argv)
{
	if (argc < 2 || (argc == 2 && !strcmp(argv[1], "list")))
		return list(c);
	if (!strcmp(argv[1], "add"))
		return put(c, "AddUser", argc - 1, argv + 1);
	if (!strcmp(argv[1], "edit"))
		return put(c, "EditUser", argc - 1, argv + 1);
	if (argc == 3 && !strcmp(argv[1], "show"))
		return show(c, argv[2]);
	if (argc == 3 && !strcmp(argv[1], "remove"))
		return ctl_call(c, NULL, "RemoveUser", "s", argv[2]);
	if (!strcmp(argv[1], "export"))
		return users_export(c, argc - 1, argv + 1);
	if (!strcmp(argv[1], "import"))
		return users_import(c, argc - 1, argv + 1);
	if (!strcmp(argv[1], "passwd"))
		return passwd(c, argc - 1, argv + 1);
	return user_usage();
}
