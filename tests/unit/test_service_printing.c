/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The duty to print, on a printer and a store that do what they are told. */
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

#include "fake_devices.h"
#include "service/printing.h"

#define RETRY_MSEC 5

struct box {
	sd_event *event;
	struct fake_store store;
	struct fake_printer printer;
	struct printing *printing;
	const void *code[8];	/* of each page, to tell them apart */
	/* of the last document that left */
	unsigned int left;
	enum job_state state;
	uint32_t pages_done;
	uint32_t page_in_hand;
	char text[400];
};

static int banner_fails;

static int make_banner(const char *text, uint32_t width, uint32_t xres, uint32_t yres,
		       struct page *ret, struct error *e)
{
	struct page_list one;

	if (banner_fails)
		return error_set(e, -ENOENT, "No font is installed.");
	assert_non_null(strstr(text, "second copy"));
	assert_int_equal(width, 1728);
	one = fake_pages(1);
	*ret = one.pages[0];
	free(one.pages);
	return 0;
}

static void on_left(void *userdata, const struct job *job)
{
	struct box *b = userdata;

	b->left++;
	b->state = job->state;
	b->pages_done = job->pages_done;
	b->page_in_hand = job->page_in_hand;
	snprintf(b->text, sizeof(b->text), "%s", job->detail);
	if (b->store.id != job->id)
		return;		/* the next one is under way */
	assert_string_equal(b->text, b->store.detail);
	assert_int_equal(b->state, b->store.state);
}

static void open_printing(struct box *b)
{
	const struct printing_options o = {
		.keeper = &b->store.keeper,
		.banner = make_banner,
		.done = on_left,
		.userdata = b,
		.retry_usec = RETRY_MSEC * 1000,
	};

	assert_int_equal(printing_new(&b->printing, b->event, &o), 0);
}

static int setup(void **state)
{
	struct box *b = test_calloc(1, sizeof(*b));

	banner_fails = 0;
	assert_true(sd_event_new(&b->event) >= 0);
	fake_store_init(&b->store);
	fake_printer_init(&b->printer, "SIM0");
	open_printing(b);
	assert_int_equal(printing_add_printer(b->printing, &b->printer.base), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	printing_free(b->printing);
	fake_store_commit(&b->store, 0);
	sd_event_unref(b->event);
	test_free(b);
	return 0;
}

/* What runs, and what the store has to answer, until nothing is left to do. */
static void settle(struct box *b)
{
	fake_settle(b->event, 0);
	while (b->store.n_pending) {
		fake_store_commit(&b->store, 0);
		fake_settle(b->event, 0);
	}
}

static void add_job(struct box *b, struct job *job, size_t n)
{
	struct page_list pages = fake_pages(n);

	for (size_t i = 0; i < n; i++)
		b->code[i] = pages.pages[i].strips[0].data;
	assert_int_equal(printing_add(b->printing, job, &pages, NULL), 0);
	assert_int_equal(pages.n, 0);
}

static void start(struct box *b, uint64_t id, size_t n)
{
	add_job(b, fake_job(id, JOB_PRINT, JOB_QUEUED), n);
	settle(b);
}

static void page_out(struct box *b)
{
	fake_printer_end(&b->printer, FAX_CODE_OK, false);
	settle(b);
}

static void change_conditions(struct box *b, uint32_t conditions)
{
	b->printer.conditions = conditions;
	printing_printer_changed(b->printing, &b->printer.base);
	settle(b);
}

static void assert_left(struct box *b, enum job_state state, uint32_t pages_done, const char *word)
{
	assert_int_equal(b->left, 1);
	assert_int_equal(b->state, state);
	assert_int_equal(b->pages_done, pages_done);
	assert_int_equal(b->store.pages_done, pages_done);
	assert_non_null(strstr(b->text, word));
	assert_false(b->printer.claimed);
}

static void assert_waits(struct box *b, const char *word)
{
	assert_int_equal(b->left, 0);
	assert_int_equal(b->store.state, JOB_WAITING);
	assert_non_null(strstr(b->store.detail, word));
}

static void test_whole_document(void **state)
{
	struct box *b = *state;

	start(b, 1, 3);
	for (unsigned int n = 1; n <= 3; n++) {
		assert_int_equal(b->printer.pages, n);
		assert_ptr_equal(b->printer.last, b->code[n - 1]);
		assert_int_equal(b->store.page_in_hand, n);
		assert_int_equal(b->store.pages_done, n - 1);
		assert_int_equal(b->store.state, JOB_PRINTING);
		page_out(b);
	}
	assert_left(b, JOB_PRINTED, 3, "3 pages");
	assert_int_equal(b->page_in_hand, 0);
	assert_int_equal(b->printer.banners, 0);
}

static void test_paper_moves_after_the_note_only(void **state)
{
	struct box *b = *state;

	add_job(b, fake_job(1, JOB_PRINT, JOB_QUEUED), 1);
	fake_settle(b->event, 0);
	assert_int_equal(b->store.page_in_hand, 1);
	assert_int_equal(b->printer.pages, 0);
	fake_store_commit(&b->store, 0);
	assert_int_equal(b->printer.pages, 1);
	fake_printer_end(&b->printer, FAX_CODE_OK, false);
	assert_int_equal(b->left, 0);	/* not before that is durable, too */
	fake_store_commit(&b->store, 0);
	assert_left(b, JOB_PRINTED, 1, "1 page");
}

static void test_note_that_fails(void **state)
{
	struct box *b = *state;

	add_job(b, fake_job(1, JOB_PRINT, JOB_QUEUED), 1);
	fake_settle(b->event, 0);
	fake_store_commit(&b->store, -ENOSPC);
	fake_settle(b->event, 0);
	assert_int_equal(b->printer.pages, 0);
	b->store.fail = -ENOSPC;
	usleep(2 * RETRY_MSEC * 1000);
	fake_settle(b->event, 0);
	assert_int_equal(b->printer.pages, 0);
	b->store.fail = 0;
	usleep(2 * RETRY_MSEC * 1000);
	settle(b);
	assert_int_equal(b->printer.pages, 1);
	page_out(b);
	assert_left(b, JOB_PRINTED, 1, "1 page");
	assert_int_equal(b->printer.banners, 0);
}

static void test_end_that_cannot_be_noted_at_once(void **state)
{
	struct box *b = *state;

	start(b, 1, 1);
	b->store.fail = -ENOSPC;
	fake_printer_end(&b->printer, FAX_CODE_OK, false);
	fake_settle(b->event, 0);
	assert_int_equal(b->left, 0);
	assert_int_equal(b->store.page_in_hand, 1);
	b->store.fail = 0;
	usleep(2 * RETRY_MSEC * 1000);
	settle(b);
	assert_left(b, JOB_PRINTED, 1, "1 page");
	assert_int_equal(b->printer.pages, 1);
}

static void test_paper_out_then_refilled(void **state)
{
	struct box *b = *state;

	start(b, 1, 2);
	page_out(b);
	assert_int_equal(b->printer.pages, 2);
	b->printer.handlers->waiting(b->printer.userdata, FAX_COND_PAPER_OUT);
	settle(b);
	assert_waits(b, "out of paper");
	b->printer.handlers->goes_on(b->printer.userdata);
	settle(b);
	assert_int_equal(b->store.state, JOB_PRINTING);
	page_out(b);
	assert_left(b, JOB_PRINTED, 2, "2 pages");
	assert_int_equal(b->printer.pages, 2);
	assert_int_equal(b->printer.banners, 0);
}

static void test_no_paper_from_the_start(void **state)
{
	struct box *b = *state;

	b->printer.conditions = FAX_COND_PAPER_OUT;
	start(b, 1, 1);
	assert_waits(b, "out of paper");
	assert_int_equal(b->store.page_in_hand, 0);
	assert_int_equal(b->printer.pages, 0);
	change_conditions(b, 0);
	page_out(b);
	assert_left(b, JOB_PRINTED, 1, "1 page");
	assert_int_equal(b->printer.banners, 0);
}

static void test_jam_prints_the_page_again_and_says_so(void **state)
{
	struct box *b = *state;

	start(b, 1, 3);
	page_out(b);
	b->printer.conditions = FAX_COND_JAM;
	fake_printer_end(&b->printer, FAX_CODE_JAM, false);
	settle(b);
	assert_waits(b, "stuck in the printer");
	assert_non_null(strstr(b->store.detail, "Page 2 of 3"));
	assert_int_equal(b->store.page_in_hand, 2);
	assert_int_equal(b->store.pages_done, 1);
	usleep(2 * RETRY_MSEC * 1000);
	settle(b);
	assert_int_equal(b->printer.pages, 2);	/* not before hands were there */
	change_conditions(b, 0);
	assert_int_equal(b->printer.pages, 3);
	assert_int_equal(b->printer.banners, 1);
	assert_ptr_equal(b->printer.last, b->code[1]);
	page_out(b);
	page_out(b);
	assert_left(b, JOB_PRINTED, 3, "3 pages");
	assert_int_equal(b->printer.banners, 1);
}

static void test_gone_mid_page(void **state)
{
	struct box *b = *state;

	start(b, 1, 2);
	b->printer.base.ops->stop(&b->printer.base);
	printing_remove_printer(b->printing, &b->printer.base);
	settle(b);
	assert_int_equal(b->left, 0);
	assert_waits(b, "No printer is connected");
	assert_waits(b, "second copy");
	assert_int_equal(b->store.page_in_hand, 1);
	b->printer.claimed = false;
	assert_int_equal(printing_add_printer(b->printing, &b->printer.base), 0);
	settle(b);
	assert_int_equal(b->printer.banners, 1);
	page_out(b);
	page_out(b);
	assert_left(b, JOB_PRINTED, 2, "Page 1 may be a second copy");
	assert_int_equal(b->printer.banners, 1);
}

static void test_gone_while_it_waited_for_paper(void **state)
{
	struct box *b = *state;

	start(b, 1, 1);
	fake_printer_end(&b->printer, FAX_CODE_GONE, true);
	printing_remove_printer(b->printing, &b->printer.base);
	settle(b);
	assert_waits(b, "No printer is connected");
	assert_int_equal(b->store.page_in_hand, 0);
	b->printer.claimed = false;
	assert_int_equal(printing_add_printer(b->printing, &b->printer.base), 0);
	settle(b);
	page_out(b);
	assert_left(b, JOB_PRINTED, 1, "1 page");
	assert_int_equal(b->printer.banners, 0);
}

static void test_gone_while_the_note_was_on_its_way(void **state)
{
	struct box *b = *state;

	add_job(b, fake_job(1, JOB_PRINT, JOB_QUEUED), 1);
	fake_settle(b->event, 0);
	assert_int_equal(b->store.page_in_hand, 1);
	printing_remove_printer(b->printing, &b->printer.base);
	settle(b);
	assert_waits(b, "No printer is connected");
	assert_int_equal(b->printer.pages, 0);
	b->printer.claimed = false;
	assert_int_equal(printing_add_printer(b->printing, &b->printer.base), 0);
	settle(b);
	assert_int_equal(b->printer.banners, 0);
	page_out(b);
	assert_left(b, JOB_PRINTED, 1, "1 page");
}

static void test_crash_with_a_page_in_hand(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(1, JOB_PRINT, JOB_PRINTING);

	job->pages_done = 1;
	job->page_in_hand = 2;
	add_job(b, job, 3);
	settle(b);
	assert_ptr_equal(b->printer.last, b->code[1]);
	assert_int_equal(b->printer.banners, 1);
	page_out(b);
	assert_ptr_equal(b->printer.last, b->code[2]);
	page_out(b);
	assert_left(b, JOB_PRINTED, 3, "3 pages");
	assert_int_equal(b->printer.pages, 2);
	assert_int_equal(b->printer.banners, 1);
}

static void test_crash_between_two_pages(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(1, JOB_PRINT, JOB_PRINTING);

	job->pages_done = 2;
	job->page_in_hand = 2;
	add_job(b, job, 3);
	settle(b);
	assert_ptr_equal(b->printer.last, b->code[2]);
	page_out(b);
	assert_left(b, JOB_PRINTED, 3, "3 pages");
	assert_int_equal(b->printer.pages, 1);
	assert_int_equal(b->printer.banners, 0);
}

static void test_crash_after_the_last_page(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(1, JOB_PRINT, JOB_PRINTING);

	job->pages_done = 2;
	add_job(b, job, 2);
	settle(b);
	assert_left(b, JOB_PRINTED, 2, "2 pages");
	assert_int_equal(b->printer.pages, 0);
}

static void test_box_stops_mid_page(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(1, JOB_PRINT, JOB_QUEUED);

	add_job(b, job, 2);
	settle(b);
	printing_free(b->printing);
	assert_int_equal(b->left, 0);
	assert_int_equal(b->store.state, JOB_PRINTING);
	assert_int_equal(b->store.page_in_hand, 1);

	open_printing(b);
	assert_int_equal(printing_add_printer(b->printing, &b->printer.base), 0);
	job = fake_job(1, JOB_PRINT, b->store.state);
	job->page_in_hand = b->store.page_in_hand;
	job->pages_done = b->store.pages_done;
	add_job(b, job, 2);
	settle(b);
	assert_int_equal(b->printer.banners, 1);
}

static void test_no_notice_no_second_copy(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(1, JOB_PRINT, JOB_PRINTING);

	banner_fails = 1;
	job->page_in_hand = 1;
	add_job(b, job, 1);
	for (int i = 0; i < 8; i++) {
		settle(b);
		usleep(2 * RETRY_MSEC * 1000);
	}
	assert_left(b, JOB_HELD, 0, "No font");
	assert_int_equal(b->printer.pages, 0);
	assert_int_equal(b->page_in_hand, 1);
}

static void test_trouble_that_does_not_end(void **state)
{
	struct box *b = *state;

	start(b, 1, 1);
	for (int i = 0; i < 20 && !b->left; i++) {
		fake_printer_end(&b->printer, FAX_CODE_TIMEOUT, false);
		settle(b);
		usleep(2 * RETRY_MSEC * 1000);
		settle(b);
	}
	assert_left(b, JOB_HELD, 0, "no progress");
	assert_int_equal(b->printer.pages, 5);
	assert_int_equal(b->printer.banners, 4);
}

static void test_page_that_does_not_fit(void **state)
{
	struct box *b = *state;

	b->printer.refuse = -EMSGSIZE;
	start(b, 1, 2);
	assert_left(b, JOB_HELD, 0, "Page 1 of 2 cannot be printed. It does not fit.");
	assert_int_equal(b->page_in_hand, 0);
}

static void test_code_that_cannot_be_followed(void **state)
{
	struct box *b = *state;

	start(b, 1, 1);
	fake_printer_end(&b->printer, FAX_CODE_CODING, false);
	settle(b);
	assert_left(b, JOB_HELD, 0, "could not decode");
}

static void test_cancel_mid_page(void **state)
{
	struct box *b = *state;

	start(b, 1, 3);
	page_out(b);
	assert_int_equal(printing_cancel(b->printing, 2), -ENOENT);
	assert_int_equal(printing_cancel(b->printing, 1), 0);
	assert_int_equal(b->printer.cancels, 1);
	fake_printer_end(&b->printer, FAX_CODE_CANCELED, false);
	settle(b);
	assert_left(b, JOB_CANCELED, 1, "page 2 may have come out in part");
}

static void test_cancel_while_waiting_for_paper(void **state)
{
	struct box *b = *state;

	start(b, 1, 1);
	b->printer.handlers->waiting(b->printer.userdata, FAX_COND_PAPER_OUT);
	assert_int_equal(printing_cancel(b->printing, 1), 0);
	fake_printer_end(&b->printer, FAX_CODE_CANCELED, true);
	settle(b);
	assert_left(b, JOB_CANCELED, 0, "0 of 1 pages came out.");
	assert_null(strstr(b->text, "in part"));
}

static void test_cancel_too_late(void **state)
{
	struct box *b = *state;

	start(b, 1, 1);
	assert_int_equal(printing_cancel(b->printing, 1), 0);
	page_out(b);
	assert_left(b, JOB_PRINTED, 1, "1 page");
}

static void test_cancel_in_queue(void **state)
{
	struct box *b = *state;

	start(b, 1, 1);
	start(b, 2, 1);
	assert_int_equal(b->store.state, JOB_QUEUED);
	assert_int_equal(printing_cancel(b->printing, 2), 0);
	settle(b);
	assert_int_equal(b->left, 1);
	assert_int_equal(b->state, JOB_CANCELED);
	page_out(b);
	assert_int_equal(b->left, 2);
	assert_int_equal(b->state, JOB_PRINTED);
}

static void test_one_document_at_a_time(void **state)
{
	struct box *b = *state;

	start(b, 1, 2);
	start(b, 2, 1);
	assert_int_equal(b->printer.pages, 1);
	page_out(b);
	page_out(b);
	assert_int_equal(b->left, 1);
	assert_int_equal(b->printer.pages, 3);
	page_out(b);
	assert_int_equal(b->left, 2);
}

static void test_no_printer_until_one_comes(void **state)
{
	struct box *b = *state;

	printing_remove_printer(b->printing, &b->printer.base);
	start(b, 1, 1);
	assert_waits(b, "No printer is connected");
	assert_int_equal(printing_add_printer(b->printing, &b->printer.base), 0);
	settle(b);
	page_out(b);
	assert_left(b, JOB_PRINTED, 1, "1 page");
}

static void test_another_boards_printer(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(1, JOB_PRINT, JOB_QUEUED);

	assert_int_equal(job_set(&job->board, "OTHER"), 0);
	add_job(b, job, 1);
	settle(b);
	assert_waits(b, "board OTHER");
	assert_int_equal(b->printer.pages, 0);
}

static void test_another_program_has_it(void **state)
{
	struct box *b = *state;

	b->printer.taken = true;
	start(b, 1, 1);
	assert_waits(b, "Another program");
	b->printer.taken = false;
	usleep(2 * RETRY_MSEC * 1000);
	settle(b);
	page_out(b);
	assert_left(b, JOB_PRINTED, 1, "1 page");
}

static void test_document_without_pages(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(1, JOB_PRINT, JOB_QUEUED);
	struct page_list none = {};
	struct error e = {};

	assert_int_equal(printing_add(b->printing, job, &none, &e), -EINVAL);
	job_free(job);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_whole_document),
		T(test_paper_moves_after_the_note_only),
		T(test_note_that_fails),
		T(test_end_that_cannot_be_noted_at_once),
		T(test_paper_out_then_refilled),
		T(test_no_paper_from_the_start),
		T(test_jam_prints_the_page_again_and_says_so),
		T(test_gone_mid_page),
		T(test_gone_while_it_waited_for_paper),
		T(test_gone_while_the_note_was_on_its_way),
		T(test_crash_with_a_page_in_hand),
		T(test_crash_between_two_pages),
		T(test_crash_after_the_last_page),
		T(test_box_stops_mid_page),
		T(test_no_notice_no_second_copy),
		T(test_trouble_that_does_not_end),
		T(test_page_that_does_not_fit),
		T(test_code_that_cannot_be_followed),
		T(test_cancel_mid_page),
		T(test_cancel_while_waiting_for_paper),
		T(test_cancel_too_late),
		T(test_cancel_in_queue),
		T(test_one_document_at_a_time),
		T(test_no_printer_until_one_comes),
		T(test_another_boards_printer),
		T(test_another_program_has_it),
		T(test_document_without_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
