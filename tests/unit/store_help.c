// SPDX-License-Identifier: LGPL-2.1-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store_help.h"

void box_make(struct box *b)
{
	*b = (struct box){ .segment_bytes = SMALL_SEGMENT };
	snprintf(b->dir, sizeof(b->dir), "%s/ifax-store-XXXXXX",
		 getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 32 ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->spool, sizeof(b->spool), "%s/spool", b->dir);
	snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
	assert_true(sd_event_new(&b->event) >= 0);
}

void box_open(struct box *b)
{
	static const uint8_t key[32] = "a key of just thirty-two bytes!";
	struct store_options o = {
		.spool = b->spool, .state = b->state, .key = key,
		.segment_bytes = b->segment_bytes, .min_free_bytes = 1 << 20,
	};
	struct error e = { 0 };

	if (store_open(&b->store, b->event, &o, &e) < 0)
		fail_msg("store_open: %s", error_text(&e));
}

void box_close(struct box *b)
{
	store_close(b->store);
	b->store = NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

void box_remove(struct box *b)
{
	box_close(b);
	sd_event_unref(b->event);
	nftw(b->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void box_wait(struct box *b, const int *n, int want)
{
	while (*n < want) {
		int r = sd_event_run(b->event, 10 * 1000000);

		if (r <= 0)
			fail_msg("nothing came of it in ten seconds (%d of %d, %d)", *n, want, r);
	}
}

void count_done(void *userdata, int r)
{
	int *n = userdata;

	assert_int_equal(r, 0);
	++*n;
}

struct job *new_job(enum job_kind kind, const char *subject)
{
	struct job *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	j->kind = kind;
	j->state = kind == JOB_SEND ? JOB_QUEUED : JOB_CHECKING;
	assert_int_equal(job_set(&j->subject, subject), 0);
	assert_int_equal(job_set(&j->user, "100"), 0);
	assert_int_equal(job_add_recipient(j, "office@example.test"), 0);
	return j;
}

uint64_t create(struct box *b, const char *subject, const void *body, size_t len)
{
	struct job *j = new_job(JOB_SEND, subject);
	struct error e = { 0 };
	int n = 0;
	uint64_t id;

	if (store_job_create(b->store, j, body, len, count_done, &n, &e) < 0)
		fail_msg("store_job_create: %s", error_text(&e));
	box_wait(b, &n, 1);
	id = j->id;
	job_free(j);
	return id;
}

int compare_body(struct box *b, uint64_t id, const void *body, size_t len)
{
	_free_ char *copy = malloc(len + 1);
	_close_ int fd = -1;
	int r = store_job_body(b->store, id, &fd, NULL);

	if (r < 0)
		return r;
	return read(fd, copy, len + 1) == (ssize_t)len && !memcmp(copy, body, len) ? 0 : -EIO;
}

void remove_index(struct box *b)
{
	static const char *const names[] = { "index.db", "index.db-wal", "index.db-shm" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", b->state, names[i]);
		unlink(path);
	}
}

void last_segment(struct box *b, char *path, size_t size)
{
	char best[256] = "", dir[128];
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/journal", b->spool);
	d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d));)
		if (strlen(de->d_name) == 20 && strcmp(de->d_name, best) > 0)
			snprintf(best, sizeof(best), "%s", de->d_name);
	closedir(d);
	snprintf(path, size, "%s/%s", dir, best);
}
