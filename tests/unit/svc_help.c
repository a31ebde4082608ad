// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mail_aux.h"
#include "page_aux.h"
#include "service/collector.h"
#include "service/inbound.h"
#include "service/keeping.h"
#include "service/queue.h"
#include "service/printing.h"
#include "service/rings.h"
#include "service/scanning.h"
#include "service/sending.h"
#include "store/store_internal.h"
#include "svc_help.h"
#include "worker/parse.h"

#define PATIENCE_USEC (40 * 1000000ull)	/* a busy machine, with sanitizers */

static uint64_t now_usec(struct svc *s)
{
	uint64_t now = 0;

	sd_event_now(s->box.event, CLOCK_MONOTONIC, &now);
	return now;
}

static void set(char **field, const char *value)
{
	free(*field);
	*field = strdup(value);
	assert_non_null(*field);
}

void svc_make(struct svc *s)
{
	struct error e = { 0 };

	memset(s, 0, sizeof(*s));
	strcpy(s->dir, "/tmp/ifax-svc-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->spool, sizeof(s->spool), "%s/spool", s->dir);
	snprintf(s->state, sizeof(s->state), "%s/state", s->dir);
	snprintf(s->socket, sizeof(s->socket), "%s/worker", s->dir);
	assert_int_equal(conf_defaults(&s->box.conf, &e), 0);
	set(&s->box.conf.hostname, "box.example.test");
	set(&s->box.conf.spool, s->spool);
	set(&s->box.conf.state, s->state);
	set(&s->box.conf.worker, s->socket);
	set(&s->box.conf.smarthost_tls, "none");
	s->box.conf.idle_usec = 0;
	fake_scanner_init(&s->scanner, "S1");
	fake_printer_init(&s->printer, "S1");
}

static void on_printed(void *userdata, const struct job *job)
{
	struct box *box = &((struct svc *)userdata)->box;

	inbound_printed(box->inbound);
	keeping_printed(box->keeping, job);
}

static int make_banner(const char *text, uint32_t width, uint32_t xres, uint32_t yres,
		       struct page *ret, struct error *e)
{
	struct page_list one = fake_pages(1);

	*ret = one.pages[0];
	free(one.pages);
	return 0;
}

static void must(int r, const struct error *e, const char *what)
{
	if (r < 0)
		fail_msg("%s: %s", what, error_text(e));
}

void svc_open(struct svc *s, uint16_t port)
{
	static const uint8_t key[32] = "a key of just thirty-two bytes!";
	struct store_options o = { .spool = s->spool, .state = s->state, .key = key,
				   .segment_bytes = 1 << 20, .min_free_bytes = 1 << 20 };
	struct printing_options po = { .keeper = &s->box.keeper, .banner = make_banner,
				       .done = on_printed, .userdata = s, .retry_usec = 5000 };
	struct box *box = &s->box;
	struct error e = { 0 };
	char host[32];

	snprintf(host, sizeof(host), "127.0.0.1:%u", port ? port : 9);
	set(&box->conf.smarthost, host);
	assert_true(sd_event_new(&box->event) >= 0);
	must(store_open(&box->store, box->event, &o, &e), &e, "store_open");
	box->keeper = (struct job_keeper){ box->store, store_job_update };
	assert_int_equal(printing_new(&box->printing, box->event, &po), 0);
	assert_int_equal(scanning_new(&box->scanning, box->event, &box->keeper, 20), 0);
	must(inbound_new(&box->inbound, box, &e), &e, "inbound_new");
	must(keeping_new(&box->keeping, box, &e), &e, "keeping_new");
	must(queue_new(&box->queue, box, &e), &e, "queue_new");
	must(rings_new(&box->rings, box, &e), &e, "rings_new");
	must(sending_new(&box->sending, box, &e), &e, "sending_new");
	must(collector_new(&box->collector, box, &e), &e, "collector_new");
	assert_int_equal(scanning_add_scanner(box->scanning, &s->scanner.base), 0);
	assert_int_equal(printing_add_printer(box->printing, &s->printer.base), 0);
}

void svc_close(struct svc *s)
{
	struct box *box = &s->box;

	collector_free(take_ptr(box->collector));
	scanning_free(take_ptr(box->scanning));
	printing_free(take_ptr(box->printing));
	sending_free(take_ptr(box->sending));
	rings_free(take_ptr(box->rings));
	queue_free(take_ptr(box->queue));
	keeping_free(take_ptr(box->keeping));
	inbound_free(take_ptr(box->inbound));
	store_close(take_ptr(box->store));
	/* As the program ends: lines that still say goodbye are dropped. */
	if (box->event && sd_event_exit(box->event, 0) >= 0)
		sd_event_loop(box->event);
	box->event = sd_event_unref(box->event);
	fake_scanner_init(&s->scanner, "S1");
	fake_printer_init(&s->printer, "S1");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

void svc_remove(struct svc *s)
{
	svc_stop_worker(s);
	svc_close(s);
	conf_free(&s->box.conf);
	nftw(s->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void svc_parse(const struct worker_request *rq, int message, int output, struct worker_reply *rp)
{
	static const char ours[] = "From: ifax <postmaster@";
	_buffer_ struct buffer mail = { 0 };
	char start[sizeof(ours)] = "";
	_close_ int page = -1;

	if (pread(message, start, sizeof(ours) - 1, 0) < 0 || strcmp(start, ours)) {
		worker_parse_fd(rq, message, output, rp);
		return;
	}
	svc_fax_mail(&mail, "<slip@x>");
	page = memfd_create("slip", MFD_CLOEXEC);
	if (page < 0 || write(page, mail.data, mail.len) != (ssize_t)mail.len)
		abort();
	worker_parse_fd(rq, page, output, rp);
}

void svc_start_worker(struct svc *s, worker_parse_fn parse)
{
	struct worker_server_options o = { .parse = parse ?: worker_parse_fd, .timeout_ms = 30000 };
	struct worker_server *server;
	sigset_t set;
	sd_event *event;
	struct error e;
	int fd = worker_listen(s->socket, &e);

	assert_true(fd >= 0);
	fflush(stdout);
	s->worker = fork();
	assert_true(s->worker >= 0);
	if (s->worker) {
		close(fd);
		return;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (sd_event_new(&event) < 0 || worker_server_new(&server, event, fd, &o, &e) < 0)
		_exit(1);
	sd_event_loop(event);
	_exit(0);
}

void svc_stop_worker(struct svc *s)
{
	if (!s->worker)
		return;
	kill(s->worker, SIGKILL);
	waitpid(s->worker, NULL, 0);
	s->worker = 0;
	unlink(s->socket);
}

void svc_add_user(struct svc *s, const char *code, const char *login, uint16_t pop3_port)
{
	struct user u = { .code = (char *)code, .name = (char *)"Ada Muster",
			  .address = (char *)"ada@example.test",
			  .pop3_host = pop3_port ? (char *)"127.0.0.1" : NULL,
			  .pop3_port = pop3_port, .pop3_tls = (char *)"none",
			  .pop3_login = (char *)login, .pop3_password = (char *)"p",
			  .auto_print = true, .receive_text = true, .keep_days = 7 };
	struct error e = { 0 };

	must(store_user_put(s->box.store, &u, true, &e), &e, "store_user_put");
}

static int is_read(void *query)
{
	return sqlite3_stmt_busy(query);
}

void svc_break(struct svc *s, enum svc_table table)
{
	static const enum users_query queries[] = {
		[SVC_USERS] = USERS_BY_CODE, [SVC_RECIPIENTS] = USERS_RECIPIENT,
	};
	struct store *store = s->box.store;

	sqlite3_progress_handler(store->users, 1, is_read, store->users_queries[queries[table]]);
}

void svc_mend(struct svc *s)
{
	sqlite3_progress_handler(s->box.store->users, 0, NULL, NULL);
}

static void turn(struct svc *s, uint64_t usec)
{
	assert_true(sd_event_run(s->box.event, usec) >= 0);
}

void svc_run(struct svc *s, unsigned int msec)
{
	uint64_t end = now_usec(s) + msec * 1000ull, now;

	while ((now = now_usec(s)) < end)
		turn(s, end - now < 20000 ? end - now : 20000);
}

struct job *svc_job(struct svc *s, uint64_t id)
{
	struct job *job = NULL;

	if (store_job_get(s->box.store, id, &job) < 0)
		fail_msg("there is no job %llu", (unsigned long long)id);
	return job;
}

struct job *svc_wait(struct svc *s, uint64_t id, enum job_state state)
{
	uint64_t end = now_usec(s) + PATIENCE_USEC;
	struct job *job;

	for (;;) {
		job = svc_job(s, id);
		if (job->state == state)
			return job;
		if (now_usec(s) > end)
			fail_msg("job %llu is %s, not %s: %s", (unsigned long long)id,
				 job_state_name(job->state), job_state_name(state), job->detail);
		job_free(job);
		turn(s, 20000);
	}
}

void svc_serve(struct svc *s, struct fake_server *f)
{
	uint64_t end = now_usec(s) + PATIENCE_USEC;

	while (!f->finished && now_usec(s) < end)
		turn(s, 20000);
	fake_server_stop(f);
}

void svc_wait_page(struct svc *s)
{
	uint64_t end = now_usec(s) + PATIENCE_USEC;

	while (!s->printer.handlers) {
		if (now_usec(s) > end)
			fail_msg("no page was printed");
		turn(s, 20000);
	}
}

void svc_expect(struct svc *s, uint64_t id, enum job_state state, const char *words)
{
	struct job *job = svc_wait(s, id, state);

	if (words && !strstr(job->detail ? job->detail : "", words))
		fail_msg("job %llu does not say \"%s\": %s", (unsigned long long)id, words,
			 job->detail);
	job_free(job);
}

size_t svc_count(struct svc *s, int kind, int state, uint64_t *id)
{
	struct job_filter f = { .kind = kind, .state = state };
	struct job **jobs = NULL;
	size_t n = 0;

	assert_int_equal(store_job_list(s->box.store, &f, &jobs, &n), 0);
	if (id && n)
		*id = jobs[n - 1]->id;
	job_list_free(jobs, n);
	return n;
}

void svc_fax_mail(struct buffer *mail, const char *message_id)
{
	_buffer_ struct buffer tiff = { 0 };

	aux_tiff_file(&tiff, 1, TIFF_PROFILE_S, 50);
	assert_int_equal(buffer_printf(mail,
				       "From: <other@example.test>\r\nSubject: a fax\r\n"
				       "Message-ID: %s\r\nMime-Version: 1.0\r\n"
				       "Content-Type: multipart/mixed; boundary=\"b0\"\r\n\r\n",
				       message_id), 0);
	aux_put_part(mail, "b0",
		     &(struct aux_part){ AUX_TIFF_HEADERS, tiff.data, tiff.len, true });
	aux_put(mail, "--b0--\r\n");
}

void svc_on_taken(void *taken, int r)
{
	struct svc_taken *t = taken;

	if (!r && write(t->fd, &t->id, sizeof(t->id)) != sizeof(t->id))
		_exit(3);
	free(t);
}
