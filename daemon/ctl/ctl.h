/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ifaxctl: one function a verb, in the table of main.c. Each returns the exit
 * status: 0 done, 1 refused or failed (a sentence went to standard error), 2
 * wrong usage.
 */
#ifndef IFAX_CTL_CTL_H
#define IFAX_CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include <systemd/sd-bus.h>

struct ctl {
	sd_bus *bus;		/* NULL for verbs that work without the daemon */
	const char *conf;	/* --config */
};

/* How long an answer may take: a worst case for SQLite and the journal on a slow disk. */
#define CTL_CALL_USEC (60 * 1000000ull)

#define IFAX_BUS_NAME	   "org.ifax1"
#define IFAX_BUS_PATH	   "/org/ifax1"
#define IFAX_BUS_INTERFACE "org.ifax1.Manager"

int verb_status(struct ctl *c, int argc, char **argv);
int verb_boards(struct ctl *c, int argc, char **argv);
int verb_counters(struct ctl *c, int argc, char **argv);
int verb_self_test(struct ctl *c, int argc, char **argv);
int verb_send(struct ctl *c, int argc, char **argv);
int verb_jobs(struct ctl *c, int argc, char **argv);
int verb_kept(struct ctl *c, int argc, char **argv);
int verb_queue(struct ctl *c, int argc, char **argv);
int verb_users(struct ctl *c, int argc, char **argv);
int verb_aliases(struct ctl *c, int argc, char **argv);
int verb_panel(struct ctl *c, int argc, char **argv);
int verb_recipients(struct ctl *c, int argc, char **argv);
int verb_keys(struct ctl *c, int argc, char **argv);
int verb_collect(struct ctl *c, int argc, char **argv);
int verb_config(struct ctl *c, int argc, char **argv);
int verb_version(struct ctl *c, int argc, char **argv);

struct option;
/* getopt_long(), which speaks of a wrong option in the name of the program, not of the verb. */
int ctl_getopt(int argc, char **argv, const char *letters, const struct option *options,
	       int *index);
/* Says on standard error what the daemon or the bus answered; returns 1. */
int ctl_failed(const sd_bus_error *e, int r);
int ctl_usage(const char *text);

/* users export and import; the words behind "users". */
int users_export(struct ctl *c, int argc, char **argv);
int users_import(struct ctl *c, int argc, char **argv);

/* Calls a method; *ret is the caller's to unref, may be NULL. 0, or 1 after a sentence. */
int ctl_call(struct ctl *c, sd_bus_message **ret, const char *method, const char *types, ...);
/* The same with a message that the caller filled; consumes @m. */
int ctl_call_message(struct ctl *c, sd_bus_message *m, sd_bus_message **ret);
sd_bus_message *ctl_message(struct ctl *c, const char *method);
struct dict;
/* The aa{sv} that a method answers, dict_list_free(). 0, or 1 after a sentence. */
int ctl_list(struct ctl *c, const char *method, struct dict **ret, size_t *n);
/* yes or no, in any of the usual words: 1, 0, or -EINVAL. */
int ctl_parse_flag(const char *text);
int ctl_parse_number(const char *text, uint32_t *ret);
int ctl_append(sd_bus_message *m, const char *key, const char *type, const void *value);
void ctl_print_time(uint64_t usec);
/* A number of a job, or 0 after a sentence. */
uint64_t ctl_job_id(const char *text);
/* Prints the boards of a status, or the one of @serial (NULL: all); the exit status. */
int ctl_print_boards(const struct dict *status, const char *serial);
/* Prints all that is known of a job; its exit status. */
int ctl_show_job(struct ctl *c, uint64_t id);
#define CTL_PASSWORD_MAX 1024
/* One line of @in, which a terminal does not show. -EINVAL after a sentence. */
int ctl_read_password(FILE *in, const char *prompt, char text[CTL_PASSWORD_MAX + 2]);
/* The first line of a file, - is standard input. -errno after a sentence. */
int ctl_password_from(const char *path, char text[CTL_PASSWORD_MAX + 2]);
/* Follows a job until it is final, saying each change; its exit status. */
int ctl_wait_job(struct ctl *c, uint64_t id);

#endif
