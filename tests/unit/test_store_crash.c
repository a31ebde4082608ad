// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the store promises of crashes, torn ends, damage and full disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "store/journal_internal.h"
#include "store/store_internal.h"
#include "store_help.h"

#define KILLS 105

static int setup(void **state)
{
	struct box *b = malloc(sizeof(*b));

	box_make(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	box_remove(*state);
	free(*state);
	return 0;
}

/* What the child says before it is killed: this change was called done. */
struct said {
	uint64_t id;
	uint32_t attempts;
	uint32_t len;
};

struct child {
	struct box box;
	int out;
	unsigned int seed;
	struct {
		struct child *owner;
		struct job *job;
		uint32_t len;
		bool busy;
	} slot[8];
};

static size_t body_length(uint64_t id)
{
	return (size_t)(id * 7919 % 20000) + 1;
}

static void fill_body(char *body, uint64_t id, size_t len)
{
	for (size_t i = 0; i < len; i++)
		body[i] = (char)(id * 31 + i * 7 + i / 256);
}

static void on_done(void *userdata, int r)
{
	__typeof__(((struct child *)NULL)->slot[0]) *slot = userdata;
	struct said said = { slot->job->id, slot->job->attempts, slot->len };

	if (r < 0 || write(slot->owner->out, &said, sizeof(said)) != sizeof(said))
		_exit(3);
	slot->busy = false;
}

/* Creates where the slot is empty or its job is finished, else takes it one try further. */
static void child_step(struct child *c, size_t i)
{
	static char body[20001];
	struct job *j = c->slot[i].job;
	int r;

	c->slot[i].busy = true;
	if (!j || job_state_final(j->state)) {
		job_free(j);
		j = c->slot[i].job = calloc(1, sizeof(*j));
		j->state = JOB_QUEUED;
		job_add_recipient(j, "a@example.test");
		/* The id is the next one; nobody else creates. */
		r = store_job_create(c->box.store, j, NULL, 0, NULL, NULL, NULL);
		if (r < 0)
			_exit(4);
		c->slot[i].len = (uint32_t)body_length(j->id);
		fill_body(body, j->id, c->slot[i].len);
		r = store_job_attach(c->box.store, j, body, c->slot[i].len, on_done, &c->slot[i],
				     NULL);
	} else {
		j->attempts++;
		if (rand_r(&c->seed) % 4 == 0)
			j->state = JOB_SENT;
		r = store_job_update(c->box.store, j, on_done, &c->slot[i], NULL);
	}
	if (r < 0)
		_exit(5);
}

static void child_main(struct box *b, int out, unsigned int seed)
{
	static struct child c;

	c.box = *b;
	c.out = out;
	c.seed = seed;
	if (sd_event_new(&c.box.event) < 0)
		_exit(6);
	box_open(&c.box);
	for (;;) {
		for (size_t i = 0; i < ARRAY_SIZE(c.slot); i++) {
			c.slot[i].owner = &c;
			if (!c.slot[i].busy)
				child_step(&c, i);
		}
		if (sd_event_run(c.box.event, UINT64_MAX) < 0)
			_exit(7);
	}
}

static void check_said(struct box *b, const struct said *said)
{
	static char body[20001];
	struct job *j;

	assert_int_equal(store_job_get(b->store, said->id, &j), 0);
	assert_true(j->attempts >= said->attempts);
	if (!job_state_final(j->state)) {
		fill_body(body, j->id, said->len);
		assert_int_equal(compare_body(b, j->id, body, said->len), 0);
	}
	job_free(j);
}

static int compare_said(const void *a, const void *b)
{
	uint64_t x = ((const struct said *)a)->id, y = ((const struct said *)b)->id;

	return x < y ? -1 : x > y;
}

/*
 * Kills the child after a random while, every other time not before it has said something,
 * however busy the machine is; what it said is appended to said[].
 */
static size_t one_kill(struct box *b, unsigned int seed, struct said *said, size_t max)
{
	unsigned int first = seed;
	struct timespec ts = { 0, (long)(3000000 + rand_r(&seed) % 40000000) };
	size_t n = 0;
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(p[0]);
		child_main(b, p[1], seed);
		_exit(8);
	}
	close(p[1]);
	if (first % 2)
		poll(&(struct pollfd){ .fd = p[0], .events = POLLIN }, 1, 10000);
	nanosleep(&ts, NULL);
	kill(pid, SIGKILL);
	while (n < max && read(p[0], &said[n], sizeof(*said)) == sizeof(*said))
		n++;
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return n;
}

static void killed_at_any_instant_loses_nothing(void **state)
{
	struct job_filter f = { .kind = -1, .state = -1, .limit = 1000000 };
	size_t max = 200000, n = 0, all;
	struct said *said = calloc(max, sizeof(*said));
	struct box *b = *state;
	struct job **list;

	for (unsigned int k = 0; k < KILLS; k++) {
		n += one_kill(b, k + 1, said + n, max - n);
		if (k % 3 == 0)
			remove_index(b);
		box_open(b);
		if (store_notice(b->store))
			assert_non_null(strstr(store_notice(b->store), "unfinished"));
		/* All of this round and a sample of those before. */
		for (size_t i = n > 300 ? n - 300 : 0; i < n; i++)
			check_said(b, &said[i]);
		box_close(b);
	}
	box_open(b);
	for (size_t i = 0; i < n; i++)
		check_said(b, &said[i]);
	assert_int_equal(store_job_list(b->store, &f, &list, &all), 0);
	qsort(said, n, sizeof(*said), compare_said);
	for (size_t i = 1; i < all; i++)
		assert_true(list[i]->id > list[i - 1]->id);
	/* Finished jobs' segments went while all this was: kills met their removal, too. */
	assert_true(journal_first(b->store->journal) > 1);
	print_message(
		"# %d kills, %zu changes called done, %zu jobs found, segments %llu to %llu\n",
		KILLS, n, all, (unsigned long long)journal_first(b->store->journal),
		(unsigned long long)journal_last(b->store->journal));
	assert_true(n > KILLS);
	job_list_free(list, all);
	free(said);
}

static void read_segment(const char *path, char *data, size_t len)
{
	_close_ int fd = open(path, O_RDONLY);

	assert_int_equal(read(fd, data, len), len);
}

static void write_segment(const char *path, const char *data, size_t len)
{
	_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);

	assert_int_equal(write(fd, data, len), len);
}

static size_t data_end(const char *data, size_t len)
{
	while (len && !data[len - 1])
		len--;
	return len;
}

/* Two jobs; the journal's bytes with both in @data, the end of the first in *first_end. */
static uint64_t two_jobs(struct box *b, char *path, char *data, size_t *first_end, size_t *end)
{
	uint64_t id;

	b->segment_bytes = SMALL_SEGMENT;
	box_open(b);
	id = create(b, "first", "document one", 12);
	last_segment(b, path, 256);
	read_segment(path, data, SMALL_SEGMENT);
	*first_end = data_end(data, SMALL_SEGMENT);
	assert_int_equal(create(b, "second", "document two", 12), id + 1);
	box_close(b);
	read_segment(path, data, SMALL_SEGMENT);
	*end = data_end(data, SMALL_SEGMENT);
	return id;
}

/* After damage to the second job only: the first is whole, the second absent or whole. */
static bool first_is_whole(struct box *b, uint64_t id)
{
	static unsigned int calls;
	struct job *j;
	bool both;

	box_open(b);
	assert_int_equal(compare_body(b, id, "document one", 12), 0);
	both = !store_job_get(b->store, id + 1, &j);
	if (both) {
		job_free(j);
		assert_int_equal(compare_body(b, id + 1, "document two", 12), 0);
	} else {
		assert_non_null(store_notice(b->store));
	}
	/* What comes after is kept, too; looked at now and then, for it takes the disk's time. */
	assert_true(create(b, "third", "3", 1) > id);
	box_close(b);
	if (calls++ % 8 == 0) {
		box_open(b);
		assert_int_equal(compare_body(b, id, "document one", 12), 0);
		box_close(b);
	}
	return both;
}

static void torn_anywhere_in_the_last_record(void **state)
{
	static char data[SMALL_SEGMENT], copy[SMALL_SEGMENT];
	struct box *b = *state;
	size_t first_end, end, start, lost = 0, tried = 0;
	char path[256];
	uint64_t id = two_jobs(b, path, data, &first_end, &end);

	start = (first_end + 4095) / 4096 * 4096;
	for (size_t at = start; at < end; at++, tried++) {
		memcpy(copy, data, sizeof(copy));
		if (at % 3 == 0)
			copy[at] ^= 0x40;		/* one bit */
		else if (at % 3 == 1)
			memset(copy + at, 0, end - at);	/* not written from here on */
		else
			/* nor up to here; but its last octet is, or there was none */
			memset(copy + start, 0, at - start + (at + 1 < end));
		write_segment(path, copy, sizeof(copy));
		remove_index(b);
		lost += !first_is_whole(b, id);
	}
	print_message("# %zu places, %zu of them cost the last record\n", tried, lost);
	/* Zeros where zeros were before cost nothing; every changed byte of sense does. */
	assert_true(lost * 10 > tried * 6);
}

static void cut_short_anywhere(void **state)
{
	static char data[SMALL_SEGMENT];
	struct box *b = *state;
	size_t first_end, end;
	char path[256], next[256];
	uint64_t id = two_jobs(b, path, data, &first_end, &end);

	for (size_t at = first_end; at < end; at += 7) {
		write_segment(path, data, at);
		remove_index(b);
		first_is_whole(b, id);
		/* It went on in another; the first may have been reclaimed by now. */
		for (last_segment(b, next, sizeof(next)); next[strlen(next) - 1] == 'g';
		     last_segment(b, next, sizeof(next))) {
			unlink(next);
		}
	}
}

static void damage_in_the_middle_is_told_and_the_rest_kept(void **state)
{
	static char data[SMALL_SEGMENT];
	struct box *b = *state;
	struct job *j;
	char path[256];
	size_t ends[3];

	box_open(b);
	for (int i = 0; i < 3; i++) {
		char body[16];

		snprintf(body, sizeof(body), "document %d", i);
		assert_int_equal(create(b, "x", body, 10), i + 1);
		last_segment(b, path, sizeof(path));
		read_segment(path, data, sizeof(data));
		ends[i] = data_end(data, sizeof(data));
	}
	/* A state of the second behind all: its job must not vanish without a word. */
	assert_int_equal(store_job_get(b->store, 2, &j), 0);
	j->attempts = 5;
	assert_int_equal(store_job_update(b->store, j, NULL, NULL, NULL), 0);
	job_free(j);
	box_close(b);
	read_segment(path, data, sizeof(data));
	data[ends[1] - 1] ^= 1;
	write_segment(path, data, sizeof(data));
	remove_index(b);
	box_open(b);
	assert_non_null(store_notice(b->store));
	assert_non_null(strstr(store_notice(b->store), "damaged: 1 records (1 of them once"));
	assert_int_equal(compare_body(b, 1, "document 0", 10), 0);
	assert_int_equal(compare_body(b, 3, "document 2", 10), 0);
	assert_int_equal(store_job_get(b->store, 2, &j), 0);
	assert_int_equal(j->state, JOB_FAILED);
	assert_int_equal(j->attempts, 5);
	assert_non_null(strstr(j->detail, "lost to damage"));
	job_free(j);
}

static void damaged_document_is_not_handed_out(void **state)
{
	static char data[SMALL_SEGMENT];
	struct box *b = *state;
	struct extent at = { .fd = -1 };
	struct error e = { 0 };
	char path[256];
	int fd = -1;

	box_open(b);
	create(b, "x", "document", 8);
	last_segment(b, path, sizeof(path));
	read_segment(path, data, sizeof(data));
	data[data_end(data, sizeof(data)) - 1] ^= 1;
	write_segment(path, data, sizeof(data));
	assert_int_equal(store_job_body(b->store, 1, &fd, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "damaged"));
	assert_int_equal(store_job_extent(b->store, 1, &at, &e), -EBADMSG);
	assert_int_equal(at.fd, -1);
}

/* An index from before or of another spool, or no database at all. */
static void wrong_index_is_made_anew(void **state)
{
	static const char junk[] = "this is not a database, though it is longer than a header of "
				   "one would be: one hundred bytes and then some more of them";
	struct box *b = *state;
	char path[128];
	FILE *f;

	box_open(b);
	create(b, "x", "document", 8);
	box_close(b);
	remove_index(b);
	snprintf(path, sizeof(path), "%s/index.db", b->state);
	f = fopen(path, "w");
	fwrite(junk, 1, sizeof(junk), f);
	fclose(f);
	box_open(b);
	assert_int_equal(compare_body(b, 1, "document", 8), 0);
	box_close(b);
	/* The journal goes, the index is ahead: it may not invent jobs. */
	last_segment(b, path, sizeof(path));
	unlink(path);
	box_open(b);
	assert_int_equal(store_job_get(b->store, 1, &(struct job *){ NULL }), -ENOENT);
}

static void count_any(void *userdata, int r)
{
	++*(int *)userdata;
}

/* No segment can be added: documents are refused, states still find room; then it goes on. */
static void full_disk_refuses_and_recovers(void **state)
{
	struct box *b = *state;
	static char body[30000];
	struct rlimit old, none;
	struct error e = { 0 };
	struct job *j = new_job(JOB_SEND, "x");
	int r = 0, n = 0, want = 0;

	box_open(b);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	none = (struct rlimit){ SMALL_SEGMENT - 1, old.rlim_max };
	memset(body, 'x', sizeof(body));
	/* Uses up what is prepared already, so that the next must be made. */
	for (int i = 0; i < 4; i++, want++)
		create(b, "before", body, sizeof(body));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	want = 0;
	for (int i = 0; i < 40 && !r; i++) {
		j->id = 0;
		r = store_job_create(b->store, j, body, sizeof(body), count_any, &n, &e);
		want += !r;
	}
	setrlimit(RLIMIT_FSIZE, &old);
	assert_true(r == -EFBIG || r == -ENOSPC);
	assert_non_null(strstr(e.text, "spool"));
	assert_int_equal(j->id, 0);
	box_wait(b, &n, want);
	job_free(j);
	assert_int_equal(store_job_get(b->store, 1, &j), 0);
	j->state = JOB_SENDING;
	if (store_job_update(b->store, j, count_done, &n, &e) < 0)
		fail_msg("%s", e.text);
	box_wait(b, &n, want + 1);
	job_free(j);
	create(b, "after", body, sizeof(body));
}

/* A write that fails half way: what is durable stays readable, nothing more is taken. */
static void failed_write_makes_it_read_only(void **state)
{
	struct box *b = *state;
	static char body[30000];	/* zeros, as the segment has already: the worst case */
	struct rlimit old, none;
	struct error e = { 0 };
	struct job *j = new_job(JOB_SEND, "x");
	int n = 0;

	box_open(b);
	create(b, "before", "document", 8);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	none = (struct rlimit){ 20000, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_true(store_job_create(b->store, j, body, sizeof(body), count_any, &n, &e) < 0);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_non_null(strstr(e.text, "nothing more is accepted"));
	assert_true(store_job_create(b->store, j, "m", 1, count_any, &n, &e) < 0);
	assert_true(store_sync(b->store, &e) < 0);
	assert_int_equal(compare_body(b, 1, "document", 8), 0);
	assert_int_equal(n, 0);
	job_free(j);
	box_close(b);
	box_open(b);
	assert_int_equal(compare_body(b, 1, "document", 8), 0);
	assert_int_equal(store_job_get(b->store, 2, &j), -ENOENT);
	create(b, "after", "m", 1);
}

static int disk_fails(int fd)
{
	errno = EIO;
	return -1;
}

static int disk_is_slow(int fd)
{
	struct timespec ts = { 0, 100000000 };

	nanosleep(&ts, NULL);
	return fdatasync(fd);
}

static int syncs;

static int disk_counts(int fd)
{
	syncs++;
	return fdatasync(fd);
}

struct outcome {
	int calls;
	int r;
};

static void note_outcome(void *userdata, int r)
{
	struct outcome *o = userdata;

	o->calls++;
	o->r = r;
}

/* fdatasync() fails: nothing of it is acknowledged, nothing more is taken; a restart recovers. */
static void failed_sync_acknowledges_nothing(void **state)
{
	struct box *b = *state;
	struct outcome o = { 0 };
	struct error e = { 0 };
	struct job *j = new_job(JOB_SEND, "x");

	box_open(b);
	create(b, "before", "document", 8);
	b->store->journal->sync = disk_fails;
	assert_int_equal(store_job_create(b->store, j, "lost", 4, note_outcome, &o, &e), 0);
	box_wait(b, &o.calls, 1);
	assert_int_equal(o.r, -EIO);
	assert_non_null(store_notice(b->store));
	assert_non_null(strstr(store_notice(b->store), "nothing more is accepted"));
	assert_int_equal(store_job_create(b->store, j, "m", 1, note_outcome, &o, &e), -EIO);
	assert_non_null(strstr(e.text, "restart ifaxd"));
	assert_true(store_sync(b->store, &e) < 0);
	assert_int_equal(compare_body(b, 1, "document", 8), 0);
	assert_int_equal(o.calls, 1);
	job_free(j);
	box_close(b);
	box_open(b);
	assert_int_equal(compare_body(b, 1, "document", 8), 0);
	/* Nobody was told of the second, so it may be there or not, but not in part. */
	if (!store_job_get(b->store, 2, &j)) {
		job_free(j);
		assert_int_equal(compare_body(b, 2, "lost", 4), 0);
	}
	assert_true(create(b, "after", "m", 1) >= 2);
}

static int count_record(void *userdata, const struct journal_record *rec)
{
	++*(int *)userdata;
	return 0;
}

/*
 * After a failed fdatasync() the page cache holds records, clean, that the disk
 * does not: what a start takes up it writes again and syncs before it builds on it.
 */
static void start_makes_durable_what_it_takes_up(void **state)
{
	struct iovec iov = { "record", 6 };
	struct journal_report report;
	struct box *b = *state;
	struct error e = { 0 };
	struct journal *j;
	struct journal_pos pos;
	struct stat before, after;
	char path[256];
	int n = 0;

	assert_int_equal(journal_open(&j, b->dir, SMALL_SEGMENT, &e), 0);
	assert_int_equal(journal_replay(j, NULL, count_record, &n, &report, &e), 0);
	assert_int_equal(journal_start(j, &e), 0);
	j->sync = disk_fails;
	assert_int_equal(journal_append(j, 1, &iov, 1, 0, &pos, &e), 0);
	assert_int_equal(journal_sync(j, &e), -EIO);
	journal_close(j);
	snprintf(path, sizeof(path), "%s/%016x.seg", b->dir, 1);
	assert_int_equal(stat(path, &before), 0);

	assert_int_equal(journal_open(&j, b->dir, SMALL_SEGMENT, &e), 0);
	j->sync = disk_fails;
	assert_int_equal(journal_replay(j, NULL, count_record, &n, &report, &e), -EIO);
	assert_non_null(strstr(e.text, "Check the disk"));
	journal_close(j);

	n = 0;
	assert_int_equal(journal_open(&j, b->dir, SMALL_SEGMENT, &e), 0);
	j->sync = disk_counts;
	assert_int_equal(journal_replay(j, NULL, count_record, &n, &report, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(syncs, 1);
	assert_int_equal(stat(path, &after), 0);
	assert_true(after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
		    after.st_mtim.tv_nsec != before.st_mtim.tv_nsec);
	journal_close(j);
}

/* Of records not yet durable the disk kept the last only; the index, ahead, has all. */
static void index_ahead_of_a_hole_is_made_anew(void **state)
{
	static char data[SMALL_SEGMENT];
	struct box *b = *state;
	struct job *j = new_job(JOB_SEND, "x");
	struct error e = { 0 };
	char path[256], *hit;
	int n = 0;

	box_open(b);
	b->store->journal->sync = disk_is_slow;
	for (int i = 0; i < 3; i++) {
		struct timespec ts = { 0, 20000000 };
		char body[16];

		snprintf(body, sizeof(body), "document %d", i + 1);
		j->id = 0;
		assert_int_equal(store_job_create(b->store, j, body, 10, count_done, &n, &e), 0);
		nanosleep(&ts, NULL);	/* the first is being synced while the others come */
	}
	box_wait(b, &n, 3);
	job_free(j);
	box_close(b);
	last_segment(b, path, sizeof(path));
	read_segment(path, data, sizeof(data));
	hit = memmem(data, sizeof(data), "document 2", 10);
	assert_non_null(hit);
	memset(hit, 0, 10);
	write_segment(path, data, sizeof(data));
	box_open(b);
	assert_int_equal(compare_body(b, 1, "document 1", 10), 0);
	assert_int_equal(store_job_get(b->store, 2, &j), -ENOENT);
	assert_int_equal(compare_body(b, 3, "document 3", 10), 0);
	assert_non_null(strstr(store_notice(b->store), "1 records (0 of them once durable)"));
}

static void too_little_free_space(void **state)
{
	struct box *b = *state;
	struct store_options o = { .spool = b->spool, .state = b->state,
				   .segment_bytes = SMALL_SEGMENT,
				   .min_free_bytes = UINT64_MAX };
	struct job *j = new_job(JOB_SEND, "x");
	struct error e = { 0 };
	int n = 0;

	assert_int_equal(store_open(&b->store, b->event, &o, &e), 0);
	assert_int_equal(store_job_create(b->store, j, "m", 1, count_done, &n, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "full"));
	/* A job without a document is no burden. */
	assert_int_equal(store_job_create(b->store, j, NULL, 0, count_done, &n, &e), 0);
	box_wait(b, &n, 1);
	job_free(j);
}

int main(void)
{
#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		t(killed_at_any_instant_loses_nothing),
		t(torn_anywhere_in_the_last_record),
		t(cut_short_anywhere),
		t(damage_in_the_middle_is_told_and_the_rest_kept),
		t(damaged_document_is_not_handed_out),
		t(wrong_index_is_made_anew),
		t(full_disk_refuses_and_recovers),
		t(failed_write_makes_it_read_only),
		t(failed_sync_acknowledges_nothing),
		t(start_makes_durable_what_it_takes_up),
		t(index_ahead_of_a_hole_is_made_anew),
		t(too_little_free_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
