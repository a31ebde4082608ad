// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Users as a file that people edit: a line a user, the first names the fields. All of
 * it is checked before anything is asked of the daemon, which takes all or nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/password.h"
#include "ctl/csv.h"
#include "ctl/ctl.h"
#include "ctl/user_fields.h"

/* What the bus carries in one message, passwords and all. */
#define FILE_OCTETS_MAX (16u << 20)
#define HASHERS_MAX	16

/*
 * Export
 */

static int export_user(struct buffer *b, const struct dict *d)
{
	char number[24];
	int r = csv_append(b, dict_text(d, "code"), true);

	for (size_t i = 0; r >= 0 && i < USER_FIELDS; i++)
		r = csv_append(b, user_field_text(&user_fields[i], d, number), false);
	return r < 0 ? r : buffer_append(b, "\n", 1);
}

static int export_all(struct buffer *b, const struct dict *users, size_t n)
{
	int r = csv_append(b, "code", true);

	for (size_t i = 0; r >= 0 && i < USER_FIELDS; i++)
		r = csv_append(b, user_fields[i].name, false);
	if (r >= 0)
		r = buffer_append(b, "\n", 1);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = export_user(b, &users[i]);
	return r;
}

/* A file that is there stays: who exports seldom means to lose one. */
static int write_out(const struct buffer *b, const char *path)
{
	_fclose_ FILE *f = path ? fopen(path, "wxe") : NULL;
	FILE *out = path ? f : stdout;

	if (out && fwrite(b->data, 1, b->len, out) == b->len && !fflush(out))
		return 0;
	fprintf(stderr, "ifaxctl: cannot write %s: %m\n", path ? path : "standard output");
	return 1;
}

int users_export(struct ctl *c, int argc, char **argv)
{
	_buffer_ struct buffer b = { 0 };
	struct dict *users = NULL;
	size_t n = 0;
	int r;

	if (argc > 2)
		return ctl_usage("users export [FILE]");
	if (ctl_list(c, "ListUsers", &users, &n))
		return 1;
	r = export_all(&b, users, n);
	dict_list_free(users, n);
	return r < 0 ? ctl_failed(NULL, r) : write_out(&b, argc == 2 ? argv[1] : NULL);
}

/*
 * Import: the file
 */

/* What a column is; of a field, which one it is comes on top. */
enum column { COLUMN_CODE, COLUMN_POP3_PASSWORD, COLUMN_PANEL_PASSWORD, COLUMN_FIELD };

struct import {
	const char *path;
	bool try;
	struct buffer text;
	int columns[CSV_FIELDS_MAX];
	size_t n_columns;
	struct csv_row *rows;
	char **hashes;		/* a row's, of the password at the panel; NULL: none is given */
	size_t n, room;
};

static void import_free(struct import *p)
{
	for (size_t i = 0; p->hashes && i < p->n; i++)
		free(p->hashes[i]);
	free(p->hashes);
	free(p->rows);
	if (p->text.data)
		explicit_bzero(p->text.data, p->text.len);
	buffer_free(&p->text);
}

static int say_wrong(const struct import *p, const struct error *e)
{
	fprintf(stderr, "ifaxctl: %s: %s\n", p->path, error_text(e));
	return e->code;
}

static int no_memory(const struct import *p)
{
	struct error e;

	error_set(&e, -ENOMEM, "out of memory");
	return say_wrong(p, &e);
}

static const char *column_name(int column)
{
	static const char *const names[] = { "code", "pop3-password", "panel-password" };

	return column < COLUMN_FIELD ? names[column] : user_fields[column - COLUMN_FIELD].name;
}

static int wrong_field(const struct import *p, const struct csv_row *row, size_t i,
		       const struct error *why)
{
	struct error e;

	error_set(&e, -EINVAL, "line %u, column %zu (%s): %s", row->line, i + 1,
		  column_name(p->columns[i]), error_text(why));
	return say_wrong(p, &e);
}

static int read_all(struct import *p)
{
	_fclose_ FILE *f = strcmp(p->path, "-") ? fopen(p->path, "re") : NULL;
	FILE *in = strcmp(p->path, "-") ? f : stdin;
	struct error e;
	char chunk[16384];
	size_t n = 0;
	int r = in ? 0 : -errno;

	p->text.max = FILE_OCTETS_MAX;
	while (r >= 0 && (n = fread(chunk, 1, sizeof(chunk), in)))
		r = buffer_append(&p->text, chunk, n);
	if (r >= 0 && ferror(in))
		r = -EIO;
	if (r >= 0)
		r = buffer_append(&p->text, "", 0);
	explicit_bzero(chunk, sizeof(chunk));
	if (r == -EMSGSIZE) {
		error_set(&e, r, "it is larger than %u MiB; import it in parts",
			  FILE_OCTETS_MAX >> 20);
		return say_wrong(p, &e);
	}
	if (r >= 0 && p->text.data && memchr(p->text.data, 0, p->text.len)) {
		error_set(&e, -EINVAL, "a NUL stands in it; this is no text");
		return say_wrong(p, &e);
	}
	if (r < 0) {
		error_set(&e, r, "it cannot be read: %s", strerror(-r));
		return say_wrong(p, &e);
	}
	return 0;
}

/* -1: there is no such column. */
static int find_column(const char *name)
{
	for (int i = 0; i < COLUMN_FIELD + USER_FIELDS; i++)
		if (!strcmp(column_name(i), name))
			return i;
	return -1;
}

static int find_in(const struct import *p, int column)
{
	for (size_t i = 0; i < p->n_columns; i++)
		if (p->columns[i] == column)
			return (int)i;
	return -1;
}

static int take_header(struct import *p, const struct csv_row *row)
{
	struct error e;

	for (size_t i = 0; i < row->n; i++) {
		int column = find_column(row->fields[i]);

		if (column < 0 || find_in(p, column) >= 0) {
			error_set(&e, -EINVAL, column >= 0 ?
				  "line %u, column %zu: \"%s\" is named twice" :
				  strchr(row->fields[i], ';') ?
				  "line %u, column %zu: fields are separated by commas, not as in "
				  "\"%s\"" :
				  "line %u, column %zu: there is no field \"%s\"",
				  row->line, i + 1, row->fields[i]);
			return say_wrong(p, &e);
		}
		p->columns[p->n_columns++] = column;
	}
	if (find_in(p, COLUMN_CODE) >= 0)
		return 0;
	error_set(&e, -EINVAL, "line %u: the first line must name the fields, and \"code\" is not "
		  "among them", row->line);
	return say_wrong(p, &e);
}

/*
 * Import: the rows
 */

static const char *code_of(const struct import *p, const struct csv_row *row)
{
	return row->fields[find_in(p, COLUMN_CODE)];
}

static int check_password(const char *text, size_t max, struct error *e)
{
	return strlen(text) <= max ? 0 : error_set(e, -EINVAL, "the password is longer than %zu "
						   "bytes", max);
}

/* Into @u; where it stays as it is, nothing. Texts alone can be taken back by an empty field. */
static int take_field(int column, struct user *u, char *text, struct error *e)
{
	const struct user_field *f = column < COLUMN_FIELD ? NULL :
							     &user_fields[column - COLUMN_FIELD];

	if (column == COLUMN_CODE)
		u->code = text;
	else if (column == COLUMN_POP3_PASSWORD)
		u->pop3_password = text;
	else if (column == COLUMN_PANEL_PASSWORD)
		return check_password(text, PASSWORD_OCTETS_MAX, e);
	else if (*text)
		return user_field_set(f, u, text, e);
	return 0;
}

/* By the daemon's own rules, so that a wrong field is known by its column. */
static int check_row(const struct import *p, const struct csv_row *row)
{
	struct user u = { .keep_days = 7 };
	const char *field = "";
	struct error e = { 0 };
	int r = 0;

	if (row->n != p->n_columns) {
		error_set(&e, -EINVAL, "line %u: it has %zu fields, the first line has %zu",
			  row->line, row->n, p->n_columns);
		return say_wrong(p, &e);
	}
	for (size_t i = 0; i < row->n; i++) {
		r = take_field(p->columns[i], &u, row->fields[i], &e);
		if (r < 0)
			return wrong_field(p, row, i, &e);
	}
	r = user_check(&u, &field, &e);
	for (size_t i = 0; r < 0 && i < row->n; i++)
		if (!strcmp(column_name(p->columns[i]), field))
			return wrong_field(p, row, i, &e);
	return r < 0 ? say_wrong(p, &e) : 0;
}

static int take_row(struct import *p, const struct csv_row *row)
{
	size_t room = p->room ? 2 * p->room : 64;
	struct csv_row *grown;

	if (p->n == p->room) {
		grown = reallocarray(p->rows, room, sizeof(*grown));
		if (!grown)
			return no_memory(p);
		p->rows = grown;
		p->room = room;
	}
	p->rows[p->n++] = *row;
	return 0;
}

static int by_code(const void *a, const void *b, void *import)
{
	const struct csv_row *const *x = a, *const *y = b;
	int r = strcmp(code_of(import, *x), code_of(import, *y));

	if (r)
		return r;
	return (*x)->line < (*y)->line ? -1 : (*x)->line > (*y)->line;
}

/* A code that stands twice is a slip of the pen: which of both is meant is not ours to say. */
static int check_codes(struct import *p)
{
	_free_ const struct csv_row **sorted = calloc(p->n + 1, sizeof(*sorted));
	struct error e = { 0 };

	if (!sorted)
		return no_memory(p);
	for (size_t i = 0; i < p->n; i++)
		sorted[i] = &p->rows[i];
	qsort_r(sorted, p->n, sizeof(*sorted), by_code, p);
	for (size_t i = 1; i < p->n; i++) {
		const char *code = code_of(p, sorted[i]);

		if (strcmp(code, code_of(p, sorted[i - 1])))
			continue;
		error_set(&e, -EINVAL, "%s stands in line %u already", code, sorted[i - 1]->line);
		return wrong_field(p, sorted[i], (size_t)find_in(p, COLUMN_CODE), &e);
	}
	return 0;
}

static int read_rows(struct import *p)
{
	struct csv_row row;
	struct error e;
	struct csv c;
	int r;

	csv_begin(&c, p->text.data, p->text.len);
	r = csv_read(&c, &row, &e);
	if (!r)
		r = error_set(&e, -EINVAL, "it is empty; the first line names the fields");
	if (r < 0)
		return say_wrong(p, &e);
	r = take_header(p, &row);
	if (r < 0)
		return r;
	while ((r = csv_read(&c, &row, &e)) > 0) {
		r = check_row(p, &row);
		if (r >= 0)
			r = take_row(p, &row);
		if (r < 0)
			return r;
	}
	return r < 0 ? say_wrong(p, &e) : check_codes(p);
}

/*
 * Import: passwords for the panel, which are hashed here, on all processors
 */

struct hashing {
	struct import *import;
	size_t column;
	atomic_size_t next;
	atomic_int error;
};

static void *hash_some(void *userdata)
{
	struct hashing *h = userdata;
	struct import *p = h->import;
	struct error e;
	size_t i;

	while ((i = atomic_fetch_add(&h->next, 1)) < p->n && !atomic_load(&h->error)) {
		const char *text = p->rows[i].fields[h->column];
		int r = *text ? password_hash(text, &p->hashes[i], &e) : 0;

		if (r < 0)
			atomic_store(&h->error, r);
	}
	return NULL;
}

static int hash_passwords(struct import *p)
{
	int column = find_in(p, COLUMN_PANEL_PASSWORD);
	struct hashing h = { .import = p, .column = (size_t)column };
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[HASHERS_MAX];
	long k = 0;

	if (column < 0 || p->try)
		return 0;
	p->hashes = calloc(p->n + 1, sizeof(*p->hashes));
	if (!p->hashes)
		return -ENOMEM;
	/* This thread hashes, too; where no other can be made, it does so alone. */
	while (k < n - 1 && k < HASHERS_MAX && !pthread_create(&threads[k], NULL, hash_some, &h))
		k++;
	hash_some(&h);
	while (k--)
		pthread_join(threads[k], NULL);
	return atomic_load(&h.error);
}

/*
 * Import: the call
 */

static int append_column(sd_bus_message *m, const struct import *p, size_t row, size_t i)
{
	const char *text = p->rows[row].fields[i];
	struct user u = { 0 };
	struct error e;
	int r;

	if (p->columns[i] == COLUMN_CODE)
		return 0;
	if (p->columns[i] == COLUMN_POP3_PASSWORD)
		return *text ? ctl_append(m, "pop3-password", "s", text) : 0;
	if (p->columns[i] == COLUMN_PANEL_PASSWORD)
		return p->hashes && p->hashes[row] ?
			       ctl_append(m, "panel-hash", "s", p->hashes[row]) : 0;
	if (!*text && user_fields[p->columns[i] - COLUMN_FIELD].type != FIELD_TEXT)
		return 0;
	r = user_field_set(&user_fields[p->columns[i] - COLUMN_FIELD], &u, text, &e);
	return r < 0 ? r : user_field_append(&user_fields[p->columns[i] - COLUMN_FIELD], m, &u);
}

static int append_row(sd_bus_message *m, const struct import *p, size_t row)
{
	int r = sd_bus_message_open_container(m, 'r', "sa{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", code_of(p, &p->rows[row]));
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	for (size_t i = 0; r >= 0 && i < p->n_columns; i++)
		r = append_column(m, p, row, i);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_all(sd_bus_message *m, const struct import *p)
{
	int r = sd_bus_message_open_container(m, 'a', "(sa{sv})");

	for (size_t i = 0; r >= 0 && i < p->n; i++)
		r = append_row(m, p, i);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_append(m, "b", (int)p->try);
}

/* "N: sentence" tells of the row with this number, from 0 on. */
static int say_refused(const struct import *p, const sd_bus_error *e, int r)
{
	struct error said;
	char *end;
	size_t n;

	if (!e->message || *e->message < '0' || *e->message > '9')
		return ctl_failed(e, r);
	n = strtoull(e->message, &end, 10);
	if (strncmp(end, ": ", 2) || n >= p->n)
		return ctl_failed(e, r);
	error_set(&said, r, "line %u: %s", p->rows[n].line, end + 2);
	say_wrong(p, &said);
	return 1;
}

static int import_call(struct ctl *c, const struct import *p)
{
	sd_bus_message *m = ctl_message(c, "ImportUsers"), *reply = NULL;
	sd_bus_error e = SD_BUS_ERROR_NULL;
	uint32_t added = 0, edited = 0;
	int status = 0, r;

	if (!m)
		return 1;
	sd_bus_message_set_allow_interactive_authorization(m, 1);
	sd_bus_message_sensitive(m);
	r = append_all(m, p);
	if (r >= 0)
		r = sd_bus_call(c->bus, m, CTL_CALL_USEC, &e, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "uu", &added, &edited);
	if (r < 0)
		status = say_refused(p, &e, r);
	else
		printf("%u users added, %u edited%s\n", added, edited,
		       p->try ? " (tried alone: nothing is stored)" : "");
	sd_bus_error_free(&e);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(m);
	return status;
}

int users_import(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ 0 },
	};
	_cleanup_(import_free) struct import p = { 0 };
	int o, r;

	optind = 0;
	while ((o = ctl_getopt(argc, argv, "", options, NULL)) == 'n')
		p.try = true;
	if (o != -1 || optind != argc - 1)
		return ctl_usage("users import FILE [--dry-run]   (- reads standard input)");
	p.path = argv[optind];
	if (read_all(&p) < 0 || read_rows(&p) < 0)
		return 1;
	r = hash_passwords(&p);
	return r < 0 ? ctl_failed(NULL, r) : import_call(c, &p);
}
