/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any names at a box with three users. The input is lines, each by its first octet: an
 * alias or list to be made, "+-!" for its kind, its name and members; or a question,
 * "?" a local part, "@" a mailbox, "=" a full name, "%" a domain. Every answer is people
 * of this box, or addresses that stand in the input, each once; and it ends.
 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "service/directory.h"
#include "store/store_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 2048
#define WORDS_MAX 40

static char dir[] = "/tmp/ifax-fuzz-XXXXXX";
static sd_event *event;
static struct store *store;
static const struct conf conf = {
	.hostname = (char *)"box.example.test",
	.domains = (char *)"example.test Other.test",
};

static const struct user users[] = {
	{ .code = (char *)"100", .name = (char *)"Ada Lovelace", .keep_days = 1,
	  .address = (char *)"ada@example.test" },
	{ .code = (char *)"200", .name = (char *)"Bert Meyer", .keep_days = 1,
	  .address = (char *)"bert@elsewhere.test" },
	{ .code = (char *)"300", .name = (char *)"Ada Meyer", .keep_days = 1,
	  .address = (char *)"a+m@other.test" },
};

#define check(good) ((good) ? (void)0 : fail(__LINE__))

static void fail(int line)
{
	fprintf(stderr, "line %d\n", line);
	abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void clean_up(void)
{
	store_close(store);
	sd_event_unref(event);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void prepare(void)
{
	char spool[64], state[64];
	const struct store_options o = { spool, state, NULL, 256 << 10, 1 };
	struct error e = { 0 };

	if (store)
		return;
	check(mkdtemp(dir) && sd_event_new(&event) >= 0);
	snprintf(spool, sizeof(spool), "%s/spool", dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	check(store_open(&store, event, &o, &e) >= 0);
	/* For speed: nothing here has to outlive a crash. */
	check(sqlite3_exec(store->users, "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;",
			   NULL, NULL, NULL) == SQLITE_OK);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		check(store_user_put(store, &users[i], true, &e) >= 0);
	atexit(clean_up);
}

/* The whole input as a string, to find again in it what comes out. */
static char input[INPUT_MAX + 1];

static bool is_user(const char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		if (!strcmp(users[i].code, code))
			return true;
	return false;
}

static bool is_same(const struct mailbox *a, const struct mailbox *b)
{
	if (a->user || b->user)
		return a->user && b->user && !strcmp(a->user, b->user);
	return !strcmp(a->address, b->address);
}

static void check_box(const struct mailbox *m)
{
	const char *at = strrchr(m->address, '@');

	check(at && at > m->address && at[1]);
	check(m->user ? is_user(m->user) : strstr(input, m->address) &&
					   !directory_is_ours(&conf, at + 1));
	for (const char *p = m->address; *p; p++)
		check((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void check_answer(const struct directory_answer *a)
{
	check(a->n ? a->n <= DIRECTORY_MAILBOXES_MAX && a->boxes : a->kind == DIRECTORY_GONE);
	check(a->kind < DIRECTORY_MOVED || (a->new_address && strstr(input, a->new_address)));
	for (size_t i = 0; i < a->n; i++) {
		check_box(&a->boxes[i]);
		for (size_t k = 0; k < i; k++)
			check(!is_same(&a->boxes[i], &a->boxes[k]));
	}
}

static bool has_user(const struct directory_answer *a, const char *code)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->boxes[i].user && !strcmp(a->boxes[i].user, code))
			return true;
	return false;
}

static void ask(const char *local, struct directory_answer *a)
{
	struct directory_answer again = { 0 };
	int r = directory_find(store, &conf, local, a);

	check(r == 0 || r == -ENOENT || r == -ENOTUNIQ || r == -EMLINK);
	check(r || strcasecmp(local, "postmaster") || a->n || a->kind == DIRECTORY_GONE);
	check(directory_find(store, &conf, local, &again) == r && again.n == a->n);
	directory_answer_free(&again);
	check_answer(r < 0 ? &(struct directory_answer){ .kind = DIRECTORY_GONE,
							 .new_address = input } : a);
}

static void ask_mailbox(const char *mailbox)
{
	const char *at = strrchr(mailbox, '@');
	struct directory_answer a = { 0 };
	char *local = directory_local(mailbox);

	check(local && strlen(local) <= strlen(mailbox));
	if (!strpbrk(mailbox, "\"\\"))
		check(strlen(local) == strcspn(mailbox, "@") &&
		      !strncmp(local, mailbox, strlen(local)));
	ask(local, &a);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		bool here = !at || directory_is_us(&conf, at + 1);

		if (directory_reaches(store, &conf, mailbox, users[i].code))
			check((here && has_user(&a, users[i].code)) ||
			      directory_same_address(users[i].address, mailbox));
		else
			check(!here || !has_user(&a, users[i].code));
	}
	directory_answer_free(&a);
	free(local);
}

static void ask_person(const char *words)
{
	struct directory_answer a = { 0 };
	int r = directory_find_person(store, &conf, words, &a);

	check(r == 0 || r == -ENOENT || r == -ENOTUNIQ);
	check(r < 0 || (a.n == 1 && a.boxes[0].user && *words));
	directory_answer_free(&a);
}

static void make_alias(char kind, char *words)
{
	char *members[WORDS_MAX + 1] = { 0 }, *save = NULL;
	struct alias a = { .kind = kind == '-' ? ALIAS_MOVED : kind == '!' ? ALIAS_GONE :
			   ALIAS_PLAIN, .members = members };
	struct error e = { 0 };
	size_t n = 0;

	a.name = strtok_r(words, " ", &save);
	while (a.name && n < WORDS_MAX && (members[n] = strtok_r(NULL, " ", &save)))
		n++;
	if (a.name && n && store_alias_put(store, &a, true, &e) < 0)
		check(e.text[0]);
}

static bool is_ours(const char *domain)
{
	return !strcasecmp(domain, "example.test") || !strcasecmp(domain, "other.test");
}

static void take_line(char *line)
{
	struct directory_answer a = { 0 };

	switch (*line) {
	case '+':
	case '-':
	case '!':
		make_alias(*line, line + 1);
		break;
	case '?':
		ask(line + 1, &a);
		directory_answer_free(&a);
		break;
	case '@':
		ask_mailbox(line + 1);
		break;
	case '=':
		ask_person(line + 1);
		break;
	case '%':
		check(directory_is_ours(&conf, line + 1) == is_ours(line + 1));
		break;
	}
}

static void forget_aliases(void)
{
	struct alias **all = NULL;
	size_t n = 0;

	check(store_alias_list(store, &all, &n) >= 0);
	for (size_t i = 0; i < n; i++)
		check(store_alias_remove(store, all[i]->name, NULL) >= 0);
	alias_list_free(all, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char lines[INPUT_MAX + 1], *save = NULL;

	if (size > INPUT_MAX || memchr(data, 0, size))
		return -1;
	prepare();
	memcpy(input, data, size);
	input[size] = '\0';
	memcpy(lines, input, size + 1);
	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		take_line(line);
	forget_aliases();
	return 0;
}
