// SPDX-License-Identifier: LGPL-2.1-or-later
/* Received mail: the real store and worker, a printer that does what it is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fax.h>

#include "base/cleanup.h"
#include "service/inbound.h"
#include "service/printing.h"
#include "store/store.h"
#include "svc_help.h"
#include "worker/parse.h"

static int setup(void **state)
{
	struct svc *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	svc_make(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	svc_remove(*state);
	free(*state);
	return 0;
}

static const struct iovec letter = { (void *)(uintptr_t)"x", 1 };

static void on_stored(void *userdata, int r)
{
	assert_int_equal(r, 0);
	++*(int *)userdata;
}

static uint64_t accept_bytes(struct svc *s, const char *key, const void *data, size_t len)
{
	const struct iovec mail = { (void *)(uintptr_t)data, len };
	struct error e = { 0 };
	uint64_t id = 0;
	int n = 0;

	if (inbound_accept(s->box.inbound, "100", key, &mail, 1, on_stored, &n, NULL, &e) < 0)
		fail_msg("%s", error_text(&e));
	while (!n)
		assert_true(sd_event_run(s->box.event, 1000000) >= 0);
	svc_count(s, JOB_PRINT, -1, &id);
	return id;
}

static uint64_t accept_fax(struct svc *s, const char *key, const char *message_id)
{
	_buffer_ struct buffer mail = { 0 };

	svc_fax_mail(&mail, message_id);
	return accept_bytes(s, key, mail.data, mail.len);
}

static void printed(void **state)
{
	struct svc *s = *state;
	struct job *j;
	uint64_t id;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	id = accept_fax(s, "pop3/100/a", "<a@x>");
	svc_wait_page(s);
	j = svc_wait(s, id, JOB_PRINTING);
	assert_int_equal(j->page_in_hand, 1);
	assert_string_equal(j->message_id, "<a@x>");
	assert_string_equal(j->subject, "a fax");
	job_free(j);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	j = svc_wait(s, id, JOB_PRINTED);
	assert_int_equal(j->pages_done, 1);
	job_free(j);
	assert_int_equal(s->printer.pages, 1);
}

static void known_already(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	int n = 0;

	svc_open(s, 0);
	accept_bytes(s, "pop3/100/a", "x", 1);
	assert_int_equal(inbound_accept(s->box.inbound, "100", "pop3/100/a", &letter, 1, on_stored,
					&n, NULL, &e), -EEXIST);
	assert_int_equal(n, 0);
	assert_int_equal(svc_count(s, -1, -1, NULL), 1);
}

/* The same mail by two ways is printed once; by a person's request it is not held back. */
static void twin(void **state)
{
	struct svc *s = *state;
	uint64_t one, two;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	one = accept_fax(s, "pop3/100/a", "<a@x>");
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, one, JOB_PRINTED, NULL);
	two = accept_fax(s, "pop3/101/a", "<a@x>");
	svc_expect(s, two, JOB_DUPLICATE, "the same mail as job");
	assert_int_equal(s->printer.pages, 1);
}

static void no_pages(void **state)
{
	static const char text[] = "Subject: x\r\nContent-Type: application/zip\r\n\r\nPK\r\n";
	struct svc *s = *state;
	uint64_t id;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	id = accept_bytes(s, "pop3/100/a", text, strlen(text));
	svc_expect(s, id, JOB_FAILED, "cannot be printed");
	assert_int_equal(s->printer.pages, 0);
}

static void words(void **state)
{
	static const char text[] = "Subject: words\r\nContent-Type: text/plain\r\n\r\nwords\r\n";
	struct svc *s = *state;
	uint64_t id;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	id = accept_bytes(s, "pop3/100/a", text, strlen(text));
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, id, JOB_PRINTED, NULL);
	assert_int_equal(s->printer.pages, 1);
}

/* A report that no job waits for is for people. */
static void report_of_another(void **state)
{
	static const char text[] =
		"Subject: lost\r\nContent-Type: multipart/report; boundary=b;"
		" report-type=delivery-status\r\n\r\n--b\r\n\r\nYour mail is lost.\r\n"
		"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
		"Reporting-MTA: dns; x.test\r\n\r\nFinal-Recipient: rfc822; a@x.test\r\n"
		"Action: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n";
	struct svc *s = *state;
	uint64_t id;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	id = accept_bytes(s, "pop3/100/a", text, strlen(text));
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, id, JOB_PRINTED, NULL);
	assert_int_equal(s->printer.pages, 1);
}

/* Canceled while the worker looks at it: it is not printed after all. */
static void slow_parse(const struct worker_request *rq, int message, int output,
		       struct worker_reply *rp)
{
	usleep(300000);
	worker_parse_fd(rq, message, output, rp);
}

static void cancel_while_checked(void **state)
{
	struct svc *s = *state;
	uint64_t id, next;

	svc_start_worker(s, slow_parse);
	svc_open(s, 0);
	id = accept_fax(s, "pop3/100/a", "<a@x>");
	svc_run(s, 50);
	assert_int_equal(inbound_cancel(s->box.inbound, id + 1), -ENOENT);
	assert_int_equal(inbound_cancel(s->box.inbound, id), 0);
	svc_expect(s, id, JOB_CANCELED, "canceled by request");
	next = accept_fax(s, "pop3/100/b", "<b@x>");
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, next, JOB_PRINTED, NULL);
	svc_expect(s, id, JOB_CANCELED, NULL);
	assert_int_equal(s->printer.pages, 1);
}

/* A worker that is not there: said once; the mail waits. */
static void no_worker(void **state)
{
	struct svc *s = *state;
	uint64_t id, changed;
	struct job *j;

	svc_open(s, 0);
	id = accept_fax(s, "pop3/100/a", "<a@x>");
	svc_run(s, 100);
	j = svc_job(s, id);
	assert_int_equal(j->state, JOB_CHECKING);
	assert_non_null(strstr(j->detail, "in trouble"));
	changed = j->changed;
	job_free(j);
	svc_close(s);
	svc_open(s, 0);
	svc_run(s, 100);
	j = svc_job(s, id);
	assert_int_equal(j->changed, changed);
	job_free(j);
	/* It is there now, and asked when the next start or some seconds have come. */
	svc_close(s);
	svc_start_worker(s, NULL);
	svc_open(s, 0);
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, id, JOB_PRINTED, NULL);
}

/* A mail for which the worker has no memory does not stop the one behind it. */
static void choosy_parse(const struct worker_request *rq, int message, int output,
			 struct worker_reply *rp)
{
	struct error e;
	char start[8] = "";

	if (read(message, start, 7) == 7 && !strcmp(start, "TROUBLE")) {
		error_set(&e, -ENOMEM, "no memory for it");
		worker_reply_init(rp);
		worker_reply_fail(rp, WORKER_TROUBLE, &e);
		return;
	}
	lseek(message, 0, SEEK_SET);
	worker_parse_fd(rq, message, output, rp);
}

static void trouble_stands_aside(void **state)
{
	struct svc *s = *state;
	uint64_t bad, good;
	struct job *j;

	svc_start_worker(s, choosy_parse);
	svc_open(s, 0);
	bad = accept_bytes(s, "pop3/100/a", "TROUBLE", 7);
	good = accept_fax(s, "pop3/100/b", "<b@x>");
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, good, JOB_PRINTED, NULL);
	j = svc_job(s, bad);
	assert_int_equal(j->state, JOB_CHECKING);
	assert_non_null(strstr(j->detail, "no memory for it"));
	assert_true(j->next_try > j->created);
	job_free(j);
}

/* Whatever a job to print waited for when the box stopped, it is printed after the next start. */
static void goes_on(void **state, enum job_state left_in, uint32_t page_in_hand)
{
	struct svc *s = *state;
	struct job *j;
	uint64_t id;

	svc_start_worker(s, NULL);
	svc_open(s, 0);
	s->printer.conditions = FAX_COND_PAPER_OUT;
	id = accept_fax(s, "pop3/100/a", "<a@x>");
	svc_expect(s, id, JOB_WAITING, NULL);
	svc_run(s, 100);
	j = svc_job(s, id);
	j->page_in_hand = page_in_hand;
	assert_int_equal(job_say(&s->box.keeper, j, LOG_INFO, left_in, NULL, NULL, "left"), 0);
	job_free(j);
	svc_close(s);
	svc_open(s, 0);
	svc_wait_page(s);
	assert_int_equal(s->printer.banners, page_in_hand != 0);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_expect(s, id, JOB_PRINTED, NULL);
	assert_int_equal(s->printer.pages, 1);
}

static void goes_on_waiting(void **state)
{
	goes_on(state, JOB_WAITING, 0);
}

static void goes_on_queued(void **state)
{
	goes_on(state, JOB_QUEUED, 0);
}

static void goes_on_printing(void **state)
{
	goes_on(state, JOB_PRINTING, 1);
}

/* The box stops while a mail is on its way to disk: its done comes late, to nobody. */
static void stop_with_a_mail(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	int n = 0;

	svc_open(s, 0);
	assert_int_equal(inbound_accept(s->box.inbound, "100", "pop3/100/a", &letter, 1, on_stored,
					&n, NULL, &e), 0);
	svc_close(s);
	assert_int_equal(n, 1);
	svc_open(s, 0);
	assert_int_equal(svc_count(s, JOB_PRINT, JOB_CHECKING, NULL), 1);
}

/* A store that takes nothing: the worker is not asked in a circle. */
static int updates;

static int refuse_update(struct store *s, struct job *j, store_done_fn done, void *userdata,
			 struct error *e)
{
	updates++;
	return error_set(e, -ENOSPC, "The disk is full.");
}

static void full_disk(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	updates = 0;
	svc_start_worker(s, NULL);
	svc_open(s, 0);
	s->box.keeper.update = refuse_update;
	id = accept_fax(s, "pop3/100/a", "<a@x>");
	svc_run(s, 400);
	assert_int_equal(updates, 1);
	svc_expect(s, id, JOB_CHECKING, NULL);
	assert_int_equal(s->printer.pages, 0);
	s->box.keeper.update = store_job_update;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(printed), TEST(known_already), TEST(twin), TEST(no_pages), TEST(words),
		TEST(report_of_another),
		TEST(cancel_while_checked), TEST(no_worker), TEST(trouble_stands_aside),
		TEST(goes_on_waiting), TEST(goes_on_queued), TEST(goes_on_printing),
		TEST(stop_with_a_mail), TEST(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
