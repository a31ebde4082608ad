// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A box that keeps mail, and ends its days with a notice, is killed at random moments,
 * again and again. Each mail that it said yes to has one slip of each kind, and is removed
 * only when the last of them is out on paper.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>

#include <cmocka.h>
#include <linux/fax.h>

#include "base/cleanup.h"
#include "service/inbound.h"
#include "service/keeping.h"
#include "store/store.h"
#include "svc_help.h"

#define ROUNDS 10
#define MAILS_MAX 10000

static void take(struct svc *s, int fd)
{
	struct svc_taken *t = malloc(sizeof(*t));
	_buffer_ struct buffer mail = { 0 };
	char name[64];
	struct error e;
	struct iovec piece;

	snprintf(name, sizeof(name), "<%d.%d@x>", rand(), (int)getpid());
	svc_fax_mail(&mail, name);
	piece = (struct iovec){ mail.data, mail.len };
	if (!t)
		_exit(3);
	t->fd = fd;
	if (inbound_accept(s->box.inbound, "100", NULL, &piece, 1, svc_on_taken, t, &t->id, &e) < 0)
		_exit(3);
}

static size_t list(struct svc *s, int state, struct job ***jobs)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = state, .limit = MAILS_MAX };
	size_t n = 0;

	if (store_job_list(s->box.store, &f, jobs, &n) < 0)
		_exit(3);
	return n;
}

/* The calendar goes on: the days of all that is kept are over. */
static void end_days(struct svc *s)
{
	struct job **jobs = NULL;
	size_t n = list(s, JOB_KEPT, &jobs);

	for (size_t i = 0; i < n; i++) {
		if (jobs[i]->deadline == 1)
			continue;
		jobs[i]->deadline = jobs[i]->next_try = 1;
		job_say(&s->box.keeper, jobs[i], LOG_DEBUG, JOB_KEPT, NULL, NULL, "later");
	}
	job_list_free(jobs, n);
	keeping_wake(s->box.keeping);
}

static void turn(struct svc *s)
{
	sd_event_run(s->box.event, 2000);
	if (s->printer.handlers)
		fake_printer_end(&s->printer, FAX_CODE_OK, false);
}

/* Slips of @id by this name; *@printed: how many of them came out. */
static size_t slips(struct job **jobs, size_t n, uint64_t id, const char *name, size_t *printed)
{
	size_t found = 0;
	char key[64];

	snprintf(key, sizeof(key), "kept/%llu/%s", (unsigned long long)id, name);
	for (size_t i = 0; i < n; i++) {
		if (!jobs[i]->slip || !jobs[i]->source || strcmp(jobs[i]->source, key))
			continue;
		found++;
		*printed += jobs[i]->state == JOB_PRINTED;
	}
	return found;
}

/*
 * Whatever the moment, this holds: 0, or what does not. Slips of what is done with lose
 * their names in time.
 */
static int look_at(struct job **jobs, size_t n, const struct job *j)
{
	size_t none = 0, out = 0, arrived = slips(jobs, n, j->id, "arrived", &none);
	size_t end = slips(jobs, n, j->id, "end", &out);

	if (arrived > 1 || end > 1)
		return 4;
	if (j->state == JOB_KEPT)
		return arrived == 1 ? 0 : 5;
	return j->state == JOB_REMOVED && out == end ? 0 : 6;
}

static int look(struct svc *s)
{
	struct job **jobs = NULL;
	size_t n = list(s, -1, &jobs);
	int wrong = 0;

	for (size_t i = 0; i < n && !wrong; i++)
		if (!jobs[i]->slip && jobs[i]->deadline)
			wrong = look_at(jobs, n, jobs[i]);
	job_list_free(jobs, n);
	return wrong;
}

/* Each document has had two slips. */
static void count_slips(struct svc *s)
{
	struct job **jobs = NULL;
	size_t n = list(s, -1, &jobs), n_slips = 0;

	for (size_t i = 0; i < n; i++)
		n_slips += jobs[i]->slip;
	job_list_free(jobs, n);
	assert_int_equal(n_slips, 2 * (n - n_slips));
}

static void child(struct svc *s, int fd)
{
	int wrong;

	freopen("/dev/null", "w", stderr);
	svc_open(s, 0);
	wrong = look(s);
	if (wrong)
		_exit(wrong);
	for (;;) {
		take(s, fd);
		for (int i = 0; i < 8; i++)
			turn(s);
		end_days(s);
	}
}

/* Runs a box for a random while; how many ids it told, appended to @ids. */
static size_t one_life(struct svc *s, uint64_t *ids)
{
	int fds[2], status;
	size_t n = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fds[0]);
		child(s, fds[1]);
	}
	close(fds[1]);
	/* It has begun, on a slow machine, too; then some moment. */
	poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, 5000);
	usleep(rand() % 250000);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status))
		fail_msg("the box ended with %d", WEXITSTATUS(status));
	while (n < MAILS_MAX / ROUNDS && read(fds[0], &ids[n], sizeof(*ids)) == sizeof(*ids))
		n++;
	close(fds[0]);
	return n;
}

static size_t unfinished(struct svc *s)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = -1, .unfinished = true };
	uint64_t n = 0;

	assert_int_equal(store_job_count(s->box.store, &f, &n), 0);
	return n;
}

static void killed_at_random(void **state)
{
	struct user u = { .code = (char *)"100", .keep_days = 9, .at_end = (char *)"notice" };
	static uint64_t ids[MAILS_MAX];
	struct error e = { 0 };
	size_t n = 0;
	struct svc s;

	srand(20261122);
	svc_make(&s);
	svc_start_worker(&s, svc_parse);
	svc_open(&s, 0);
	assert_int_equal(store_user_put(s.box.store, &u, true, &e), 0);
	svc_close(&s);
	for (int i = 0; i < ROUNDS; i++)
		n += one_life(&s, &ids[n]);
	svc_open(&s, 0);
	for (int i = 0; i < 20000 && unfinished(&s); i++) {
		turn(&s);
		if (i % 16 == 0)
			end_days(&s);
	}
	assert_int_equal(unfinished(&s), 0);
	assert_int_equal(look(&s), 0);
	count_slips(&s);
	for (size_t i = 0; i < n; i++)
		svc_expect(&s, ids[i], JOB_REMOVED, "a notice printed");
	print_message("# %d kills, %zu mails said yes to\n", ROUNDS, n);
	assert_true(n > 0);
	svc_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(killed_at_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
