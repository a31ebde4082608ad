// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A box that takes mails for two users and one who is not there is killed at
 * random moments, again and again. Of all that it said yes to, each user has one
 * print job and the sender one notice: nothing is lost and nothing doubled.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "service/queue.h"
#include "store/store.h"
#include "svc_help.h"

#define ROUNDS 25

static void take(struct svc *s, int fd)
{
	struct envelope_rcpt rcpts[] = {
		{ .address = (char *)"100@box", .user = (char *)"100" },
		{ .address = (char *)"101@box", .user = (char *)"101" },
		{ .address = (char *)"999@box", .user = (char *)"999" },
	};
	const struct envelope env = { .from = (char *)"ada@far.test", .rcpts = rcpts,
				      .n_rcpts = 3 };
	const struct iovec body = { (void *)(uintptr_t)"Subject: x\r\n\r\nx\r\n", 17 };
	struct svc_taken *t = malloc(sizeof(*t));
	struct error e;

	if (!t)
		_exit(3);
	t->fd = fd;
	if (queue_accept(s->box.queue, &env, &body, 1, svc_on_taken, t, &t->id, &e) < 0)
		_exit(3);
}

static void child(struct svc *s, int fd)
{
	freopen("/dev/null", "w", stderr);
	svc_open(s, 0);
	for (;;) {
		take(s, fd);
		for (int i = 0; i < 4; i++)
			sd_event_run(s->box.event, 1000);
	}
}

/* Runs a box for a random while; how many ids it told, appended to @ids. */
static size_t one_life(struct svc *s, uint64_t *ids)
{
	size_t n = 0;
	int fds[2];
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
	usleep(20000 + rand() % 60000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (n < 4096 && read(fds[0], &ids[n], sizeof(*ids)) == sizeof(*ids))
		n++;
	close(fds[0]);
	return n;
}

static size_t count(struct svc *s, int kind, bool unfinished)
{
	struct job_filter f = { .kind = kind, .state = -1, .unfinished = unfinished };
	uint64_t n = 0;

	assert_int_equal(store_job_count(s->box.store, &f, &n), 0);
	return n;
}

static void killed_at_random(void **state)
{
	static uint64_t ids[ROUNDS * 4096];
	size_t n = 0, mails;
	struct svc s;

	srand(20261122);
	svc_make(&s);
	svc_open(&s, 0);
	svc_add_user(&s, "100", "u", 0);
	svc_add_user(&s, "101", "u", 0);
	svc_close(&s);
	for (int i = 0; i < ROUNDS; i++)
		n += one_life(&s, &ids[n]);
	svc_open(&s, 0);
	for (int i = 0; i < 500 && count(&s, JOB_MAIL, true); i++)
		svc_run(&s, 10);
	assert_int_equal(count(&s, JOB_MAIL, true), 0);
	for (size_t i = 0; i < n; i++)
		svc_expect(&s, ids[i], JOB_FAILED, "no user 999");
	mails = count(&s, JOB_MAIL, false);
	print_message("# %d kills, %zu mails said yes to, %zu found\n", ROUNDS, n, mails);
	assert_true(n > 0);
	assert_true(mails >= n);
	assert_int_equal(count(&s, JOB_PRINT, false), 2 * mails);
	assert_int_equal(count(&s, JOB_NOTICE, false), mails);
	svc_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(killed_at_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
