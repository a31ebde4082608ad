// SPDX-License-Identifier: LGPL-2.1-or-later
/* Kept mail: its slips of paper, its days and their end, a person's word. S27 to S29. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/fax.h>

#include "base/cleanup.h"
#include "service/inbound.h"
#include "service/keeping.h"
#include "service/printing.h"
#include "service/registration.h"
#include "service/words.h"
#include "store/store.h"
#include "svc_help.h"

#define DAY (86400 * 1000000ull)

static int setup(void **state)
{
	struct svc *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	svc_make(s);
	svc_start_worker(s, svc_parse);
	svc_open(s, 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	svc_remove(*state);
	free(*state);
	return 0;
}

static void put_user(struct svc *s, const char *code, bool prints, uint32_t days,
		     const char *at_end)
{
	struct user u = { .code = (char *)code, .name = (char *)"Ada Muster", .keep_days = days,
			  .auto_print = prints, .at_end = (char *)at_end };
	struct error e = { 0 };

	if (store_user_put(s->box.store, &u, true, &e) == -EEXIST)
		assert_int_equal(store_user_put(s->box.store, &u, false, &e), 0);
}

static uint64_t accept_fax(struct svc *s, const char *user, const char *key)
{
	_buffer_ struct buffer mail = { 0 };
	struct error e = { 0 };
	struct iovec piece;
	uint64_t id = 0;

	svc_fax_mail(&mail, "<a@x>");
	piece = (struct iovec){ mail.data, mail.len };
	if (inbound_accept(s->box.inbound, user, key, &piece, 1, NULL, NULL, &id, &e) < 0)
		fail_msg("%s", error_text(&e));
	return id;
}

/* The page in hand comes out. */
static void print_page(struct svc *s)
{
	svc_wait_page(s);
	fake_printer_end(&s->printer, FAX_CODE_OK, false);
	svc_run(s, 60);
}

static void keep_one(struct svc *s, const char *user, const char *key, uint64_t *id)
{
	*id = accept_fax(s, user, key);
	svc_expect(s, *id, JOB_KEPT, "kept until");
	print_page(s);
}

/* As if the clock had gone on: the document came, and its days end, so much earlier. */
static void pass(struct svc *s, uint64_t id, uint64_t usec)
{
	struct job *j = svc_job(s, id);

	assert_int_equal(j->state, JOB_KEPT);
	j->deadline -= usec;
	j->next_try -= usec;
	assert_int_equal(job_say(&s->box.keeper, j, LOG_DEBUG, j->state, NULL, NULL, "later"), 0);
	job_free(j);
}

static void wake(struct svc *s)
{
	keeping_wake(s->box.keeping);
	svc_run(s, 150);
}

/* The number of slips of @job by this name in @state, -1 = any; *@id: of the last. */
static size_t slips(struct svc *s, uint64_t job, const char *name, int state, uint64_t *id)
{
	struct job_filter f = { .kind = JOB_PRINT, .state = state };
	struct job **jobs = NULL;
	size_t n = 0, found = 0;
	char key[64];

	snprintf(key, sizeof(key), "kept/%llu/%s", (unsigned long long)job, name);
	assert_int_equal(store_job_list(s->box.store, &f, &jobs, &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (!jobs[i]->slip || strcmp(jobs[i]->source, key))
			continue;
		found++;
		if (id)
			*id = jobs[i]->id;
	}
	job_list_free(jobs, n);
	return found;
}

static void assert_document(struct svc *s, uint64_t id, bool there)
{
	struct error e = { 0 };
	_close_ int fd = -1;

	assert_int_equal(store_job_body(s->box.store, id, &fd, &e), there ? 0 : -ENOENT);
}

static void reopen(struct svc *s)
{
	svc_close(s);
	svc_open(s, 0);
}

/* S27, S28: with automatic printing the contents come out, and no slip. */
static void s28_printed_at_once(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	put_user(s, "100", true, 7, NULL);
	id = accept_fax(s, "100", "pop3/100/a");
	print_page(s);
	svc_expect(s, id, JOB_PRINTED, NULL);
	assert_int_equal(slips(s, id, "arrived", -1, NULL), 0);
	assert_int_equal(s->printer.pages, 1);
}

/* S27, S29: without it the mail is kept with its days, and one slip says so. */
static void s29_kept_with_its_days(void **state)
{
	struct svc *s = *state;
	uint64_t id, slip = 0;
	struct job *j;

	put_user(s, "100", false, 7, NULL);
	keep_one(s, "100", "pop3/100/a", &id);
	assert_int_equal(s->printer.pages, 1);
	assert_int_equal(slips(s, id, "arrived", JOB_PRINTED, &slip), 1);
	j = svc_job(s, id);
	assert_int_equal(j->state, JOB_KEPT);
	assert_int_equal(j->deadline, j->created + 7 * DAY);
	assert_int_equal(j->next_try, j->created + 6 * DAY);
	assert_int_equal(j->pages, 1);
	assert_int_equal(j->pages_done, 0);
	job_free(j);
	/* So it is after a stop, and no second slip is made. */
	reopen(s);
	svc_run(s, 200);
	svc_expect(s, id, JOB_KEPT, "ifaxctl kept print --user 100");
	assert_int_equal(slips(s, id, "arrived", -1, NULL), 1);
	assert_int_equal(s->printer.pages, 0);
}

/* Whose mail is kept cannot be removed: a later user of his code would get it. */
static void not_inherited(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	uint64_t id;

	put_user(s, "100", false, 7, NULL);
	keep_one(s, "100", "pop3/100/a", &id);
	assert_int_equal(registration_remove(&s->box, "100", &e), -EBUSY);
	assert_non_null(strstr(error_text(&e), "1 mail(s) are kept for user 100"));
	assert_int_equal(keeping_remove(s->box.keeping, "100", id, &e), 1);
	assert_int_equal(registration_remove(&s->box, "100", &e), 0);
	assert_int_equal(registration_remove(&s->box, "100", &e), -ENOENT);
}

/* What the slip says: who, from whom, what about, until when, and how to print it. */
static void slip_says(void **state)
{
	static const char *const words[] = {
		"Ada Muster", "100\r\n", "other@example.test", "a fax", "Pages:      1",
		"Kept until:", "then it is printed", "ifaxctl kept print --user 100", "panel",
	};
	struct svc *s = *state;
	char text[4096] = "", number[32];
	struct error e = { 0 };
	_close_ int fd = -1;
	uint64_t id, slip = 0;

	put_user(s, "100", false, 7, NULL);
	keep_one(s, "100", "pop3/100/a", &id);
	slips(s, id, "arrived", -1, &slip);
	assert_int_equal(store_job_body(s->box.store, slip, &fd, &e), 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strstr(text, words[i]))
			fail_msg("the slip does not say \"%s\": %s", words[i], text);
	snprintf(number, sizeof(number), "Job:        %llu\r\n", (unsigned long long)id);
	assert_non_null(strstr(text, number));
}

static void print_on_request(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	uint64_t one, two, other;

	put_user(s, "100", false, 7, NULL);
	put_user(s, "101", false, 7, NULL);
	keep_one(s, "100", "pop3/100/a", &one);
	/* The same mail for another is his own. */
	keep_one(s, "101", "pop3/101/a", &other);
	assert_int_equal(keeping_print(s->box.keeping, "101", one, &e), -ENOENT);
	assert_non_null(strstr(error_text(&e), "is kept for user 101"));
	assert_int_equal(keeping_print(s->box.keeping, "100", one + 100, &e), -ENOENT);
	svc_run(s, 100);
	assert_int_equal(s->printer.pages, 2);
	assert_int_equal(keeping_print(s->box.keeping, "100", one, &e), 1);
	print_page(s);
	svc_expect(s, one, JOB_PRINTED, NULL);
	svc_expect(s, other, JOB_KEPT, NULL);
	assert_int_equal(keeping_print(s->box.keeping, "100", one, &e), -ENOENT);
	assert_int_equal(keeping_print(s->box.keeping, "100", 0, &e), -ENOENT);
	/* Keys of what is done with are not remembered. */
	assert_int_equal(slips(s, one, "arrived", JOB_PRINTED, NULL), 1);
	two = accept_fax(s, "101", "pop3/101/b");
	svc_expect(s, two, JOB_DUPLICATE, "the same mail");
	assert_int_equal(keeping_print(s->box.keeping, "101", 0, &e), 1);
	print_page(s);
	svc_expect(s, other, JOB_PRINTED, NULL);
}

static void remove_on_request(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	uint64_t id;

	put_user(s, "100", false, 7, NULL);
	keep_one(s, "100", "pop3/100/a", &id);
	assert_document(s, id, true);
	assert_int_equal(keeping_remove(s->box.keeping, "100", id, &e), 1);
	svc_expect(s, id, JOB_REMOVED, "by its user's word");
	assert_document(s, id, false);
	reopen(s);
	svc_expect(s, id, JOB_REMOVED, NULL);
	assert_document(s, id, false);
	svc_run(s, 100);
	assert_int_equal(s->printer.pages, 0);
}

/* A slip that has no paper yet when its mail leaves needs none. */
static void unprinted_slip_is_dropped(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	uint64_t id, slip = 0;

	put_user(s, "100", false, 7, NULL);
	s->printer.conditions = FAX_COND_PAPER_OUT;
	id = accept_fax(s, "100", "pop3/100/a");
	svc_expect(s, id, JOB_KEPT, NULL);
	assert_int_equal(slips(s, id, "arrived", -1, &slip), 1);
	svc_expect(s, slip, JOB_WAITING, NULL);
	assert_int_equal(keeping_print(s->box.keeping, "100", id, &e), 1);
	svc_expect(s, slip, JOB_CANCELED, NULL);
	s->printer.conditions = 0;
	printing_printer_changed(s->box.printing, &s->printer.base);
	print_page(s);
	svc_expect(s, id, JOB_PRINTED, NULL);
	assert_int_equal(s->printer.pages, 1);
}

/* A day before the end a warning, once; at the end it prints and is done with. */
static void ends_by_print(void **state)
{
	struct svc *s = *state;
	uint64_t id, other, when;

	put_user(s, "100", false, 3, "print");
	keep_one(s, "100", "pop3/100/a", &id);
	wake(s);
	assert_int_equal(s->printer.pages, 1);
	/* Its end is nothing that the queue looks at. */
	assert_int_equal(store_deadline_next(s->box.store, &other, &when), -ENOENT);
	pass(s, id, 2 * DAY + DAY / 2);
	wake(s);
	assert_int_equal(slips(s, id, "warning", -1, NULL), 1);
	print_page(s);
	svc_expect(s, id, JOB_KEPT, "warned");
	reopen(s);
	wake(s);
	assert_int_equal(s->printer.pages, 0);
	pass(s, id, DAY);
	wake(s);
	print_page(s);
	svc_expect(s, id, JOB_PRINTED, NULL);
	assert_int_equal(slips(s, id, "end", -1, NULL), 0);
	assert_int_equal(s->printer.pages, 1);
}

/* One day: the slip at arrival has said it all. */
static void one_day_has_no_warning(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	put_user(s, "100", false, 1, "print");
	keep_one(s, "100", "pop3/100/a", &id);
	wake(s);
	pass(s, id, DAY);
	wake(s);
	print_page(s);
	svc_expect(s, id, JOB_PRINTED, NULL);
	assert_int_equal(slips(s, id, "warning", -1, NULL), 0);
	assert_int_equal(s->printer.pages, 2);
}

/* With a notice: nothing is removed before its paper is out. */
static void ends_by_notice(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	put_user(s, "100", false, 2, "notice");
	keep_one(s, "100", "pop3/100/a", &id);
	pass(s, id, 2 * DAY);
	s->printer.conditions = FAX_COND_PAPER_OUT;
	wake(s);
	assert_int_equal(slips(s, id, "warning", -1, NULL), 0);
	assert_int_equal(slips(s, id, "end", JOB_WAITING, NULL), 1);
	svc_expect(s, id, JOB_KEPT, "is removed when the notice");
	assert_document(s, id, true);
	/* So it is after a stop. */
	reopen(s);
	s->printer.conditions = FAX_COND_PAPER_OUT;
	wake(s);
	assert_int_equal(slips(s, id, "end", -1, NULL), 1);
	assert_document(s, id, true);
	s->printer.conditions = 0;
	printing_printer_changed(s->box.printing, &s->printer.base);
	print_page(s);
	svc_expect(s, id, JOB_REMOVED, "removed unprinted");
	assert_document(s, id, false);
	assert_int_equal(s->printer.pages, 1);
}

/* Printed, but the box stopped before the document went: it goes at the next start. */
static void stopped_between_notice_and_removal(void **state)
{
	struct svc *s = *state;
	struct job *slip;
	uint64_t id, n = 0;

	put_user(s, "100", false, 2, "notice");
	keep_one(s, "100", "pop3/100/a", &id);
	pass(s, id, 2 * DAY);
	s->printer.conditions = FAX_COND_PAPER_OUT;
	wake(s);
	assert_int_equal(slips(s, id, "end", JOB_WAITING, &n), 1);
	reopen(s);
	/* The loop does not run: this is what a crash leaves. */
	slip = svc_job(s, n);
	slip->pages_done = 1;
	assert_int_equal(job_say(&s->box.keeper, slip, LOG_DEBUG, JOB_PRINTED, NULL, NULL, "out"),
			 0);
	job_free(slip);
	reopen(s);
	svc_expect(s, id, JOB_REMOVED, NULL);
	assert_int_equal(s->printer.pages, 0);
}

/* No board, no paper: the document whose days are over waits, and is not lost. */
static void ends_without_paper(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	put_user(s, "100", false, 2, NULL);
	keep_one(s, "100", "pop3/100/a", &id);
	pass(s, id, 2 * DAY);
	s->printer.conditions = FAX_COND_PAPER_OUT;
	wake(s);
	svc_expect(s, id, JOB_WAITING, NULL);
	assert_document(s, id, true);
	reopen(s);
	print_page(s);
	svc_expect(s, id, JOB_PRINTED, NULL);
}

/* The days are those of the time it came; a clock set back ends nothing. */
static void days_of_then(void **state)
{
	struct svc *s = *state;
	uint64_t one, two;
	struct job *j;

	put_user(s, "100", false, 9, NULL);
	keep_one(s, "100", "pop3/100/a", &one);
	put_user(s, "100", false, 2, NULL);
	j = svc_job(s, one);
	assert_int_equal(j->deadline, j->created + 9 * DAY);
	job_free(j);
	/* To whom it prints at once now it was kept; what is kept stays so. */
	put_user(s, "100", true, 2, NULL);
	wake(s);
	svc_expect(s, one, JOB_KEPT, NULL);
	two = accept_fax(s, "100", "pop3/100/b");
	svc_expect(s, two, JOB_DUPLICATE, NULL);
	pass(s, one, -(400 * DAY));
	reopen(s);
	wake(s);
	svc_expect(s, one, JOB_KEPT, NULL);
	assert_int_equal(s->printer.pages, 0);
}

/* The box was off for a month: one thing is done, not three. */
static void off_past_the_end(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	put_user(s, "100", false, 7, "print");
	keep_one(s, "100", "pop3/100/a", &id);
	pass(s, id, 40 * DAY);
	svc_close(s);
	svc_open(s, 0);
	print_page(s);
	svc_expect(s, id, JOB_PRINTED, NULL);
	assert_int_equal(slips(s, id, "warning", -1, NULL), 0);
	assert_int_equal(s->printer.pages, 1);
}

/* A user who is gone: his mail prints at its end, as it would for who chose nothing. */
static void user_is_gone(void **state)
{
	struct svc *s = *state;
	struct error e = { 0 };
	uint64_t id;

	put_user(s, "100", false, 7, "notice");
	keep_one(s, "100", "pop3/100/a", &id);
	assert_int_equal(store_user_remove(s->box.store, "100", &e), 0);
	pass(s, id, 7 * DAY);
	wake(s);
	print_page(s);
	svc_expect(s, id, JOB_PRINTED, NULL);
}

/* A store that takes nothing: no slip, no state; both when it does again. */
static int refuse_update(struct store *s, struct job *j, store_done_fn done, void *userdata,
			 struct error *e)
{
	return error_set(e, -ENOSPC, "The disk is full.");
}

static void full_disk(void **state)
{
	struct svc *s = *state;
	uint64_t id;

	put_user(s, "100", false, 7, "notice");
	keep_one(s, "100", "pop3/100/a", &id);
	pass(s, id, 7 * DAY);
	s->box.keeper.update = refuse_update;
	wake(s);
	svc_expect(s, id, JOB_KEPT, NULL);
	assert_document(s, id, true);
	reopen(s);
	print_page(s);
	assert_int_equal(slips(s, id, "end", -1, NULL), 1);
	svc_expect(s, id, JOB_REMOVED, NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(s28_printed_at_once), TEST(s29_kept_with_its_days), TEST(not_inherited),
		TEST(slip_says),
		TEST(print_on_request), TEST(remove_on_request), TEST(unprinted_slip_is_dropped),
		TEST(ends_by_print), TEST(one_day_has_no_warning), TEST(ends_by_notice),
		TEST(stopped_between_notice_and_removal), TEST(ends_without_paper),
		TEST(days_of_then), TEST(off_past_the_end), TEST(user_is_gone), TEST(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
