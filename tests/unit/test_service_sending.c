// SPDX-License-Identifier: LGPL-2.1-or-later
/* From a request to a queued document: the real store, a scanner that does what it is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fax.h>

#include "base/cleanup.h"
#include "service/sending.h"
#include "store/store.h"
#include "svc_help.h"

static int setup(void **state)
{
	struct recipient r = { .address = (char *)"mmr@example.test", .accepts = (char *)"f" };
	struct svc *s = calloc(1, sizeof(*s));
	struct error e = { 0 };

	assert_non_null(s);
	svc_make(s);
	svc_open(s, 0);
	svc_add_user(s, "100", NULL, 0);
	assert_int_equal(store_recipient_put(s->box.store, &r, &e), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	svc_remove(*state);
	free(*state);
	return 0;
}

static char *one[] = { (char *)"mmr@example.test", NULL };

static struct send_request request(void)
{
	return (struct send_request){ .user = "100", .to = one };
}

static uint64_t start(struct svc *s, const struct send_request *q)
{
	struct error e = { 0 };
	uint64_t ids[SENDING_JOBS_MAX];
	int n = sending_request(s->box.sending, q, ids, &e);

	if (n != 1)
		fail_msg("%d: %s", n, error_text(&e));
	return ids[0];
}

static void refused(struct svc *s, const struct send_request *q, const char *words)
{
	struct error e = { 0 };
	uint64_t ids[SENDING_JOBS_MAX];

	assert_true(sending_request(s->box.sending, q, ids, &e) < 0);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" says nothing of \"%s\"", e.text, words);
	assert_int_equal(svc_count(s, -1, -1, NULL), 0);
}

static void wait_scan(struct svc *s)
{
	for (int i = 0; !s->scanner.done; i++) {
		assert_true(i < 100);
		assert_true(sd_event_run(s->box.event, 50000) >= 0);
	}
}

static void read_body(struct svc *s, uint64_t id, struct buffer *ret)
{
	struct error e = { 0 };
	_close_ int fd = -1;
	char part[512];
	ssize_t n;

	if (store_job_body(s->box.store, id, &fd, &e) < 0)
		fail_msg("%s", error_text(&e));
	while ((n = read(fd, part, sizeof(part))) > 0)
		assert_int_equal(buffer_append(ret, part, n), 0);
}

static void queued(void **state)
{
	_buffer_ struct buffer mail = { 0 };
	struct send_request q = request();
	struct svc *s = *state;
	struct job *j;
	uint64_t id;

	q.subject = "Grüße";
	id = start(s, &q);
	svc_expect(s, id, JOB_SCANNING, NULL);
	wait_scan(s);
	fake_scanner_page(&s->scanner, true);
	fake_scanner_page(&s->scanner, false);
	j = svc_wait(s, id, JOB_QUEUED);
	assert_int_equal(j->pages, 2);
	assert_string_equal(j->encoding, "mmr");
	assert_string_equal(j->from, "ada@example.test");
	assert_true(j->body_len > 0);
	read_body(s, id, &mail);
	assert_int_equal(mail.len, j->body_len);
	assert_non_null(strstr(mail.data, "To: mmr@example.test\r\n"));
	assert_non_null(strstr(mail.data, "Ada Muster"));
	assert_non_null(strstr(mail.data, "image/tiff"));
	assert_non_null(strstr(mail.data, j->message_id));
	job_free(j);
}

static void with_receipt(void **state)
{
	static char *two[] = { (char *)"mmr@example.test", (char *)"who@example.test", NULL };
	struct send_request q = request();
	struct svc *s = *state;
	struct job *j;

	q.to = two;
	q.receipt = 1;
	j = svc_job(s, start(s, &q));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(j->recipients[i].notify,
				 NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY);
	assert_int_equal(j->ret, RET_HDRS);
	job_free(j);
	free(s->box.conf.returned);
	s->box.conf.returned = strdup("full");
	j = svc_job(s, start(s, &q));
	assert_int_equal(j->ret, RET_FULL);
	job_free(j);
}

/* Of several recipients the one who can take least decides. */
static void least_decides(void **state)
{
	static char *several[] = { (char *)"mmr@example.test", (char *)"who@example.test",
				   (char *)"mmr@example.test", NULL };
	struct send_request q = request();
	struct svc *s = *state;
	struct job *j;

	q.to = several;
	j = svc_job(s, start(s, &q));
	assert_string_equal(j->encoding, "mh");
	assert_int_equal(j->recipients[0].notify, 0);
	assert_int_equal(j->n_recipients, 2);	/* named twice, he gets it once */
	job_free(j);
}

/* Nothing is scanned for a request that cannot be sent. */
static void wrong_requests(void **state)
{
	static char *none[] = { NULL }, *bad[] = { (char *)"no address", NULL };
	char *many[1002], names[1001][20], longs[600];
	struct send_request q = request();
	struct svc *s = *state;

	q.user = "999";
	refused(s, &q, "no user 999");
	q = request();
	q.to = none;
	refused(s, &q, "recipient is missing");
	q.to = bad;
	refused(s, &q, "\"no address\" is not a mail address");
	for (int i = 0; i < 1001; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d@x.test", i);
		many[i] = names[i];
	}
	many[1001] = NULL;
	q.to = many;
	refused(s, &q, "1000 recipients");
	q = request();
	q.resolution = "sharp";
	refused(s, &q, "\"sharp\" is no resolution");
	q = request();
	q.subject = "x\r\nBcc: all@example.test";
	refused(s, &q, "subject contains a line end");
	memset(longs, 'x', sizeof(longs) - 1);
	longs[sizeof(longs) - 1] = '\0';
	q.subject = longs;
	refused(s, &q, "subject has more than");
	q = request();
	q.board = longs;
	refused(s, &q, "serial number");
}

/* What the message would refuse is refused before the first sheet moves. */
static void unsendable_user(void **state)
{
	struct user u = { .code = (char *)"101", .keep_days = 7 };
	struct send_request q = request();
	struct svc *s = *state;
	struct error e = { 0 };
	char name[512];

	assert_int_equal(store_user_put(s->box.store, &u, true, &e), 0);
	q.user = "101";
	refused(s, &q, "no mail address");
	u.address = (char *)"a..b@example.test";
	assert_int_equal(store_user_put(s->box.store, &u, false, &e), 0);
	refused(s, &q, "not a mail address");
	memset(name, 'n', 505);
	name[505] = '\0';
	u.address = (char *)"a@example.test";
	u.name = name;
	assert_int_equal(store_user_put(s->box.store, &u, false, &e), 0);
	refused(s, &q, "name of the user has more than");
	assert_int_equal(s->scanner.pages, 0);
}

static void scan_fails(void **state)
{
	struct send_request q = request();
	struct svc *s = *state;
	uint64_t id;

	id = start(s, &q);
	wait_scan(s);
	fake_scanner_page(&s->scanner, true);
	fake_scanner_fail(&s->scanner, FAX_CODE_JAM);
	svc_expect(s, id, JOB_FAILED, "Page 2 was not scanned");
}

/* Pages that do not make a document: the job says what to do, and has none. */
static void cannot_be_kept(void **state)
{
	static char *unknown[] = { (char *)"who@example.test", NULL };
	struct send_request q = request();
	struct svc *s = *state;
	struct job *j;
	uint64_t id;

	q.to = unknown;		/* profile S, but the fake's pages are MMR */
	id = start(s, &q);
	wait_scan(s);
	fake_scanner_page(&s->scanner, false);
	svc_expect(s, id, JOB_FAILED, "put the original back");
	j = svc_job(s, id);
	assert_int_equal(j->body_len, 0);
	job_free(j);
}

static void canceled(void **state)
{
	struct send_request q = request();
	struct svc *s = *state;
	uint64_t id;

	id = start(s, &q);
	wait_scan(s);
	assert_int_equal(sending_cancel(s->box.sending, id), 0);
	fake_scanner_fail(&s->scanner, FAX_CODE_CANCELED);
	svc_expect(s, id, JOB_CANCELED, "canceled");
	assert_int_equal(sending_cancel(s->box.sending, id), -ENOENT);
}

/* The box stops at each point: while scanning, and while the document goes to disk. */
static void stopped(void **state)
{
	struct send_request q = request();
	struct svc *s = *state;
	uint64_t scans, goes;

	goes = start(s, &q);
	wait_scan(s);
	fake_scanner_page(&s->scanner, false);
	scans = start(s, &q);
	svc_close(s);		/* "queued" is on its way to disk: nobody is called for it */
	svc_open(s, 0);
	svc_expect(s, goes, JOB_QUEUED, NULL);
	svc_expect(s, scans, JOB_FAILED, "stopped");
}

/* Killed while scanning: the next start finds the job, and its pages lost. */
static void killed(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	struct job *j = fake_job(0, JOB_SEND, JOB_SCANNING);

	assert_int_equal(store_job_create(s->box.store, j, NULL, 0, NULL, NULL, &e), 0);
	svc_close(s);
	svc_open(s, 0);
	svc_expect(s, j->id, JOB_FAILED, "send again");
	job_free(j);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(queued), TEST(with_receipt), TEST(least_decides), TEST(wrong_requests),
		TEST(unsendable_user), TEST(scan_fails), TEST(cannot_be_kept),
		TEST(canceled), TEST(stopped), TEST(killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
