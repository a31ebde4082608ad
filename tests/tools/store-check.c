// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * store-check [-s] SPOOL STATE   opens a store as ifaxd does and says what is in it, a line each:
 *
 *	notice: what opening met
 *	users N
 *	job ID KIND STATE BYTES NAME DIGEST
 *
 * NAME is the left side of the Message-ID, or of the sender's address where the document is gone;
 * DIGEST is SHA-256 of the document from the line "Message-Id:" on, "-" where there is none, and
 * "unreadable" where it is damaged. With -s documents above 1 MiB are not read: NAME "-", DIGEST
 * "large". Opening mends what a power failure left, as at any start.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/evp.h>

#include "base/cleanup.h"
#include "store/store.h"

#define MARK	 "Message-Id: <"
#define NAME_MAX_LEN 63
#define JOBS_MAX 100000
#define LARGE	 (1u << 20)

static bool skip_large;

static void copy_name(char name[NAME_MAX_LEN + 1], const char *from, size_t len)
{
	size_t n = 0;

	while (n < len && n < NAME_MAX_LEN && from[n] > ' ' && from[n] != '@')
		n++;
	memcpy(name, from, n);
	name[n] = '\0';
}

static int print_digest(const void *data, size_t len)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (!EVP_Digest(data, len, md, &n, EVP_sha256(), NULL))
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		printf("%02x", md[i]);
	putchar('\n');
	return 0;
}

static int print_document(const struct job *j, int fd, char name[NAME_MAX_LEN + 1])
{
	char *data = mmap(NULL, j->body_len, PROT_READ, MAP_PRIVATE, fd, 0);
	char *at;
	int r;

	if (data == MAP_FAILED)
		return -errno;
	at = memmem(data, j->body_len, MARK, strlen(MARK));
	if (at)
		copy_name(name, at + strlen(MARK),
			  j->body_len - (size_t)(at - data) - strlen(MARK));
	else
		at = data;
	printf("%s ", *name ? name : "-");
	r = print_digest(at, j->body_len - (size_t)(at - data));
	munmap(data, j->body_len);
	return r;
}

static int print_job(struct store *s, const struct job *j)
{
	char name[NAME_MAX_LEN + 1] = "";
	_close_ int fd = -1;
	struct error e;
	int r;

	if (j->from)
		copy_name(name, j->from, strlen(j->from));
	printf("job %llu %s %s %llu ", (unsigned long long)j->id, job_kind_name(j->kind),
	       job_state_name(j->state), (unsigned long long)j->body_len);
	if (skip_large && j->body_len > LARGE) {
		puts("- large");
		return 0;
	}
	r = store_job_body(s, j->id, &fd, &e);
	if (!r)
		return print_document(j, fd, name);
	printf("%s %s\n", *name ? name : "-", r == -ENOENT ? "-" : "unreadable");
	return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

static int print_jobs(struct store *s)
{
	struct job_filter all = { .kind = -1, .state = -1, .limit = JOBS_MAX };
	struct job **jobs;
	size_t n;
	int r = store_job_list(s, &all, &jobs, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && !r; i++)
		r = print_job(s, jobs[i]);
	job_list_free(jobs, n);
	return r;
}

static int print_store(struct store *s)
{
	struct user **users;
	size_t n;
	int r = store_user_list(s, &users, &n);

	if (r < 0)
		return r;
	user_list_free(users, n);
	if (store_notice(s))
		printf("notice: %s\n", store_notice(s));
	printf("users %zu\n", n);
	return print_jobs(s);
}

int main(int argc, char **argv)
{
	struct store_options o = { .segment_bytes = 1 << 20, .min_free_bytes = 1 };
	struct error e = { 0 };
	sd_event *event = NULL;
	struct store *s = NULL;
	int r;

	if (argc > 1 && !strcmp(argv[1], "-s")) {
		skip_large = true;
		argv++, argc--;
	}
	if (argc != 3) {
		fprintf(stderr, "usage: store-check [-s] SPOOL STATE\n");
		return 2;
	}
	o.spool = argv[1];
	o.state = argv[2];
	r = sd_event_new(&event);
	if (r >= 0)
		r = store_open(&s, event, &o, &e);
	if (r < 0) {
		fprintf(stderr, "store-check: %s\n", error_text(&e));
	} else {
		r = print_store(s);
		if (r < 0)
			fprintf(stderr, "store-check: %s\n", strerror(-r));
		store_close(s);
	}
	sd_event_unref(event);
	return r < 0;
}
