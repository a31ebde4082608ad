/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What boards are and have counted, and whether all parts of the box do what they should. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/dict.h"

static int get_status(struct ctl *c, struct dict *ret)
{
	sd_bus_message *reply = NULL;
	int r;

	if (ctl_call(c, &reply, "GetStatus", ""))
		return 1;
	r = dict_read(reply, ret);
	sd_bus_message_unref(reply);
	return r < 0 ? ctl_failed(NULL, r) : 0;
}

static bool is_meant(const struct dict *board, const char *serial)
{
	return !serial || !strcmp(dict_text(board, "serial"), serial);
}

/* Calls @fn with each board, or that of @serial. The exit status. */
static int each_board(const struct dict *status, const char *serial,
		      void (*fn)(const struct dict *board))
{
	const struct dict_entry *boards = dict_find(status, "boards");
	size_t n = 0;

	for (size_t i = 0; boards && i < boards->n_list; i++) {
		if (!is_meant(&boards->list[i], serial))
			continue;
		fn(&boards->list[i]);
		n++;
	}
	if (serial && !n)
		fprintf(stderr, "ifaxctl: there is no board %s; \"ifaxctl boards\" lists them\n",
			serial);
	return serial && !n;
}

static void print_board(const struct dict *b)
{
	const struct dict_entry *f = dict_find(b, "functions");

	printf("board %s, serial %s, driver %s\n", dict_text(b, "model"), dict_text(b, "serial"),
	       dict_text(b, "driver"));
	for (size_t i = 0; f && i < f->n_list; i++)
		printf("  %-8s %-10s %6llu pages  %s\n", dict_text(&f->list[i], "function"),
		       dict_text(&f->list[i], "state"),
		       (unsigned long long)dict_number(&f->list[i], "pages"),
		       dict_text(&f->list[i], "conditions"));
}

int ctl_print_boards(const struct dict *status, const char *serial)
{
	const struct dict_entry *boards = dict_find(status, "boards");

	if (!serial && (!boards || !boards->n_list))
		printf("no board: connect one, or \"modprobe faxsim\" for the built-in one\n");
	return each_board(status, serial, print_board);
}

int verb_boards(struct ctl *c, int argc, char **argv)
{
	struct dict status;
	int r;

	if (argc > 2)
		return ctl_usage("boards [SERIAL]");
	if (get_status(c, &status))
		return 1;
	r = ctl_print_boards(&status, argc == 2 ? argv[1] : NULL);
	dict_free(&status);
	return r;
}

/*
 * Counters: a name and a number a line, for programs that watch the box
 */

static void count(const struct dict *d, const char *where, const char *name)
{
	printf("%s%s %llu\n", where, name, (unsigned long long)dict_number(d, name));
}

static void count_board(const struct dict *board)
{
	static const char *const names[] = {
		"pages", "rows", "bytes-in", "bytes-out", "errors", "resets", "cpu-maps",
		"cpu-accesses",
	};
	const struct dict_entry *f = dict_find(board, "functions");
	char where[128];

	for (size_t i = 0; f && i < f->n_list; i++) {
		snprintf(where, sizeof(where), "%s.%s.", dict_text(board, "serial"),
			 dict_text(&f->list[i], "function"));
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			count(&f->list[i], where, names[k]);
	}
}

int verb_counters(struct ctl *c, int argc, char **argv)
{
	static const char *const names[] = {
		"jobs-unfinished", "jobs-waiting", "jobs-kept", "users", "smtp-sessions",
		"smtp-mails", "smtp-memory",
	};
	struct dict status;
	int r;

	if (argc > 2)
		return ctl_usage("counters [SERIAL]");
	if (get_status(c, &status))
		return 1;
	r = each_board(&status, argc == 2 ? argv[1] : NULL, count_board);
	for (size_t i = 0; argc < 2 && i < ARRAY_SIZE(names); i++)
		count(&status, "", names[i]);
	dict_free(&status);
	return r;
}

/* Status 1: a part does not do what it is there for. */
int verb_self_test(struct ctl *c, int argc, char **argv)
{
	struct dict *parts = NULL;
	int status = 0;
	size_t n = 0;

	if (argc != 1)
		return ctl_usage("self-test takes no arguments");
	if (ctl_list(c, "SelfTest", &parts, &n))
		return 1;
	for (size_t i = 0; i < n; i++) {
		bool good = dict_number(&parts[i], "good");

		printf("%-7s %s: %s\n", good ? "good" : "NOT", dict_text(&parts[i], "part"),
		       dict_text(&parts[i], "text"));
		status |= !good;
	}
	dict_list_free(parts, n);
	return status;
}
