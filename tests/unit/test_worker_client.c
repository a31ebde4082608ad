// SPDX-License-Identifier: LGPL-2.1-or-later
/* The worker's client against its server: pages, death, silence, noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/fax.h>

#include "mail_aux.h"
#include "page_aux.h"
#include "worker/client.h"
#include "worker/parse.h"
#include "worker/server.h"

/* As the program has it; the sanitizers' own memory does not fit into it. */
#ifdef __SANITIZE_ADDRESS__
#define MAX_MEMORY 0
#else
#define MAX_MEMORY (1ull << 30)
#endif

static char dir[] = "/tmp/ifax-test-XXXXXX";
static char path[64];

struct answer {
	unsigned int calls;
	int r;
	struct worker_reply reply;
	struct page_list pages;
	struct error e;
	sd_event *event;
	bool stop;		/* end the loop when it comes */
};

static void take_answer(void *userdata, int r, const struct worker_reply *reply,
			struct page_list *pages, const struct error *e)
{
	struct answer *a = userdata;

	a->calls++;
	a->r = r;
	if (reply)
		a->reply = *reply;
	a->pages = *pages;
	memset(pages, 0, sizeof(*pages));
	a->e = *e;
	if (a->stop)
		sd_event_exit(a->event, 0);
}

/* A server in a process of its own. */
static pid_t serve(worker_parse_fn parse, uint32_t timeout_ms, uint32_t max_children)
{
	struct worker_server_options o = { .parse = parse ?: worker_parse_fd,
					   .timeout_ms = timeout_ms,
					   .max_children = max_children,
					   .max_memory = MAX_MEMORY };
	struct worker_server *s;
	sd_event *event;
	struct error e;
	int fd = worker_listen(path, &e);
	pid_t pid;

	assert_true(fd >= 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		close(fd);
		return pid;
	}
	if (sd_event_new(&event) < 0 || worker_server_new(&s, event, fd, &o, &e) < 0)
		_exit(1);
	sd_event_loop(event);
	_exit(0);
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void ask(struct answer *a, const struct buffer *mail, uint64_t timeout_usec)
{
	int fd = aux_fd(mail->data, mail->len);
	struct worker_request rq;
	struct error e;

	memset(a, 0, sizeof(*a));
	a->stop = true;
	assert_int_equal(sd_event_new(&a->event), 0);
	worker_request_init(&rq);
	assert_int_equal(worker_parse(a->event, path, &rq, fd, timeout_usec, take_answer, a, NULL,
				      &e), 0);
	close(fd);
	sd_event_loop(a->event);
	sd_event_unref(a->event);
	assert_int_equal(a->calls, 1);
}

static void fax_mail(struct buffer *mail)
{
	_buffer_ struct buffer tiff = { 0 };

	aux_tiff_file(&tiff, 3, TIFF_PROFILE_S, 100);
	aux_mail(mail, "mixed", &(struct aux_part){ AUX_TIFF_HEADERS, tiff.data, tiff.len, true },
		 1);
}

static void pages_come_back(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	pid_t pid = serve(NULL, 0, 0);
	struct answer a;

	fax_mail(&mail);
	for (int i = 0; i < 3; i++) {
		ask(&a, &mail, 0);
		assert_int_equal(a.r, 0);
		assert_int_equal(a.reply.code, WORKER_PAGES);
		assert_int_equal(a.pages.n, 3);
		for (size_t k = 0; k < 3; k++) {
			struct t4_image sent = aux_scribble(1728, 100, 7 + k);
			struct t4_image got = aux_decode(&a.pages.pages[k]);

			assert_true(t4_image_equal(&sent, &got));
			t4_image_free(&sent);
			t4_image_free(&got);
		}
		page_list_clear(&a.pages);
	}
	stop(pid);
}

static void large_pages_fit_the_limits(void **state)
{
	struct t4_image image = aux_scribble(4960, 7016, 3);
	_buffer_ struct buffer tiff = { 0 }, mail = { 0 };
	struct page_list l = { 0 };
	pid_t pid = serve(NULL, 0, 0);
	struct answer a;
	struct error e;

	for (int i = 0; i < 2; i++)
		aux_add_page(&l, &image, FAX_ENC_MMR, FAX_FMT_END, 23622, 23622);
	assert_int_equal(tiff_write(&l, TIFF_PROFILE_F, &tiff, &e), 0);
	aux_mail(&mail, "mixed", &(struct aux_part){ AUX_TIFF_HEADERS, tiff.data, tiff.len, true },
		 1);
	ask(&a, &mail, 0);
	assert_int_equal(a.r, 0);
	assert_int_equal(a.reply.code, WORKER_PAGES);
	assert_int_equal(a.pages.n, 2);
	assert_int_equal(a.pages.pages[0].width, 3456);
	page_list_clear(&a.pages);
	page_list_clear(&l);
	t4_image_free(&image);
	stop(pid);
}

static void glut(const struct worker_request *rq, int message, int output, struct worker_reply *rp)
{
	for (;;) {
		char *volatile p = malloc(64 << 20);

		if (!p)
			abort();
		p[0] = 1;
	}
}

static void memory_is_limited(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	struct answer a;
	pid_t pid;

	if (MAX_MEMORY == 0)
		skip();
	pid = serve(glut, 0, 0);
	aux_put(&mail, "Subject: x\r\n\r\n");
	ask(&a, &mail, 0);
	assert_int_equal(a.r, 0);
	assert_int_equal(a.reply.code, WORKER_CRASHED);
	stop(pid);
}

/* Tells how many descriptors it has beyond the standard ones. */
static void peek(const struct worker_request *rq, int message, int output, struct worker_reply *rp)
{
	worker_reply_init(rp);
	rp->code = WORKER_NO_PAGES;
	for (int fd = 3; fd < 1024; fd++)
		rp->files += fcntl(fd, F_GETFD) >= 0;
	snprintf(rp->sentence, sizeof(rp->sentence), "%s", "this is a test");
}

static void a_child_has_its_own_descriptors_only(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	pid_t pid = serve(peek, 0, 0);
	struct answer a;

	aux_put(&mail, "Subject: x\r\n\r\n");
	ask(&a, &mail, 0);
	assert_int_equal(a.r, 0);
	/* connection, mail, pages */
	assert_int_equal(a.reply.files, 3);
	stop(pid);
}

static void die(const struct worker_request *rq, int message, int output, struct worker_reply *rp)
{
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static void hang(const struct worker_request *rq, int message, int output, struct worker_reply *rp)
{
	for (;;)
		pause();
}

/* Claims pages and leaves garbage for them. */
static void lie(const struct worker_request *rq, int message, int output, struct worker_reply *rp)
{
	char junk[4096];

	memset(junk, 0xee, sizeof(junk));
	if (write(output, junk, sizeof(junk)) < 0)
		abort();
	worker_reply_init(rp);
	rp->code = WORKER_PAGES;
	rp->pages = 2;
	memset(rp->digest, 'a', WORKER_DIGEST_LEN);
}

static void a_dying_parser_fails_its_mail_only(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	pid_t pid = serve(die, 0, 1);
	struct answer a;

	aux_put(&mail, "Subject: x\r\n\r\n");
	for (int i = 0; i < 5; i++) {
		ask(&a, &mail, 0);
		assert_int_equal(a.r, 0);
		assert_int_equal(a.reply.code, WORKER_CRASHED);
		assert_non_null(strstr(a.reply.sentence, "brought its parser down"));
		assert_int_equal(a.pages.n, 0);
	}
	stop(pid);
}

static void a_hanging_parser_is_killed(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	pid_t pid = serve(hang, 100, 0);
	struct answer a;

	aux_put(&mail, "Subject: x\r\n\r\n");
	ask(&a, &mail, 0);
	assert_int_equal(a.r, 0);
	assert_int_equal(a.reply.code, WORKER_TIMEOUT);
	stop(pid);
}

static void a_silent_worker_times_out(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	pid_t pid = serve(hang, 0, 0);
	struct answer a;

	aux_put(&mail, "Subject: x\r\n\r\n");
	ask(&a, &mail, 100000);
	assert_int_equal(a.r, -ETIMEDOUT);
	assert_int_equal(a.reply.magic, 0);
	stop(pid);
}

static void a_lying_worker_is_not_believed(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	pid_t pid = serve(lie, 0, 0);
	struct answer a;

	aux_put(&mail, "Subject: x\r\n\r\n");
	ask(&a, &mail, 0);
	assert_int_equal(a.r, -EBADMSG);
	assert_int_equal(a.pages.n, 0);
	stop(pid);
}

/* A peer that accepts and answers with @reply, or only closes. */
static void rogue(const void *reply, size_t len, int expected)
{
	_buffer_ struct buffer mail = { 0 };
	struct answer a;
	struct error e;
	int fd = worker_listen(path, &e);
	pid_t pid;

	assert_true(fd >= 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		int conn = accept(fd, NULL, NULL);
		char room[8192];

		if (recv(conn, room, sizeof(room), 0) < 0)
			_exit(1);
		if (len)
			send(conn, reply, len, MSG_NOSIGNAL);
		_exit(0);
	}
	aux_put(&mail, "Subject: x\r\n\r\n");
	ask(&a, &mail, 5000000);
	assert_int_equal(a.r, expected);
	assert_true(strlen(a.e.text) > 10);
	close(fd);
	stop(pid);
}

static void broken_answers_are_refused(void **state)
{
	struct worker_reply rp;

	rogue(NULL, 0, -EPIPE);
	worker_reply_init(&rp);
	rp.code = _WORKER_CODES;
	rogue(&rp, sizeof(rp), -EPROTO);
	rogue(&rp, sizeof(rp) - 1, -EPROTO);
	rp.code = WORKER_PAGES;		/* without digest */
	rogue(&rp, sizeof(rp), -EPROTO);
	rp.code = WORKER_NO_PAGES;
	rp.version++;
	rogue(&rp, sizeof(rp), -EPROTO);
}

static void no_worker_is_told_at_once(void **state)
{
	struct worker_request rq;
	struct error e;
	sd_event *event;
	int fd = aux_fd("x", 1);

	assert_int_equal(sd_event_new(&event), 0);
	worker_request_init(&rq);
	unlink(path);
	assert_int_equal(worker_parse(event, path, &rq, fd, 0, take_answer, NULL, NULL, &e),
			 -ENOENT);
	assert_non_null(strstr(e.text, path));
	close(fd);
	sd_event_unref(event);
}

static void a_canceled_call_is_not_answered(void **state)
{
	pid_t pid = serve(hang, 0, 0);
	struct answer a = { 0 };
	struct worker_call *c;
	struct worker_request rq;
	struct error e;
	int fd = aux_fd("x", 1);

	assert_int_equal(sd_event_new(&a.event), 0);
	worker_request_init(&rq);
	assert_int_equal(worker_parse(a.event, path, &rq, fd, 20000, take_answer, &a, &c, &e), 0);
	worker_call_cancel(c);
	assert_int_equal(sd_event_run(a.event, 60000), 0);
	assert_int_equal(a.calls, 0);
	sd_event_unref(a.event);
	close(fd);
	stop(pid);
}

/* More calls than children: all are answered. */
static void calls_wait_their_turn(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	pid_t pid = serve(NULL, 0, 2);
	struct answer a[8] = { 0 };
	struct worker_request rq;
	struct error e;
	sd_event *event;
	int fd;

	fax_mail(&mail);
	fd = aux_fd(mail.data, mail.len);
	assert_int_equal(sd_event_new(&event), 0);
	worker_request_init(&rq);
	for (int i = 0; i < 8; i++) {
		a[i].event = event;
		assert_int_equal(worker_parse(event, path, &rq, fd, 0, take_answer, &a[i], NULL,
					      &e), 0);
	}
	for (int left = 8; left;) {
		left = 0;
		/* 0: nothing came within that time */
		assert_true(sd_event_run(event, 20000000) > 0);
		for (int i = 0; i < 8; i++)
			left += !a[i].calls;
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(a[i].r, 0);
		assert_int_equal(a[i].pages.n, 3);
		page_list_clear(&a[i].pages);
	}
	sd_event_unref(event);
	close(fd);
	stop(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_back),
		cmocka_unit_test(large_pages_fit_the_limits),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(a_child_has_its_own_descriptors_only),
		cmocka_unit_test(a_dying_parser_fails_its_mail_only),
		cmocka_unit_test(a_hanging_parser_is_killed),
		cmocka_unit_test(a_silent_worker_times_out),
		cmocka_unit_test(a_lying_worker_is_not_believed),
		cmocka_unit_test(broken_answers_are_refused),
		cmocka_unit_test(no_worker_is_told_at_once),
		cmocka_unit_test(a_canceled_call_is_not_answered),
		cmocka_unit_test(calls_wait_their_turn),
	};
	sigset_t chld;
	int r;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/worker", dir);
	aux_tiff_quiet();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return r;
}
