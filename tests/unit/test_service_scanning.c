/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The duty to scan, on a scanner that does what it is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/fax.h>

#include "fake_devices.h"
#include "service/scanning.h"

#define MAX_PAGES 5

struct box {
	sd_event *event;
	struct fake_store store;
	struct fake_scanner scanner;
	struct scanning *scanning;
	/* of the last document that ended */
	unsigned int ended;
	uint64_t id;
	enum job_state state;
	size_t pages;
	int code;
	char text[400];
};

static const struct scan_params fine = {
	.xres = 8000, .yres = 7700, .encoding = FAX_ENC_MMR, .flags = FAX_FMT_END,
};

static int setup(void **state)
{
	struct box *b = test_calloc(1, sizeof(*b));

	assert_true(sd_event_new(&b->event) >= 0);
	fake_store_init(&b->store);
	fake_scanner_init(&b->scanner, "SIM0");
	assert_int_equal(scanning_new(&b->scanning, b->event, &b->store.keeper, MAX_PAGES), 0);
	assert_int_equal(scanning_add_scanner(b->scanning, &b->scanner.base), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	scanning_free(b->scanning);
	sd_event_unref(b->event);
	test_free(b);
	return 0;
}

static void on_document(void *userdata, struct job *job, struct page_list *pages,
			const struct error *e)
{
	struct box *b = userdata;

	b->ended++;
	b->id = job->id;
	b->state = job->state;
	b->pages = pages ? pages->n : 0;
	b->code = e ? e->code : 0;
	snprintf(b->text, sizeof(b->text), "%s", e ? e->text : "");
	if (e)
		assert_string_equal(job->detail, e->text);
	if (pages)
		page_list_clear(pages);
	job_free(job);
}

static void start(struct box *b, uint64_t id)
{
	assert_int_equal(scanning_start(b->scanning, fake_job(id, JOB_SEND, JOB_SCANNING), &fine,
					on_document, b), 0);
	fake_settle(b->event, 0);
}

static void assert_failed(struct box *b, enum job_state state, int code, const char *word)
{
	assert_int_equal(b->ended, 1);
	assert_int_equal(b->state, state);
	assert_int_equal(b->store.state, state);
	assert_string_equal(b->store.detail, b->text);
	assert_int_equal(b->code, code);
	assert_int_equal(b->pages, 0);
	assert_non_null(strstr(b->text, word));
	assert_non_null(strstr(b->text, "Nothing was sent"));
	assert_false(b->scanner.claimed);
}

static void test_whole_document(void **state)
{
	struct box *b = *state;

	start(b, 1);
	assert_int_equal(b->store.state, JOB_SCANNING);
	fake_scanner_page(&b->scanner, true);
	fake_scanner_page(&b->scanner, true);
	assert_int_equal(b->ended, 0);
	assert_true(b->scanner.claimed);
	fake_scanner_page(&b->scanner, false);
	assert_int_equal(b->ended, 1);
	assert_int_equal(b->pages, 3);
	assert_int_equal(b->state, JOB_SCANNING);
	assert_int_equal(b->code, 0);
	assert_false(b->scanner.claimed);
}

static void test_empty_feeder(void **state)
{
	struct box *b = *state;

	start(b, 1);
	fake_scanner_fail(&b->scanner, FAX_CODE_PAPER_OUT);
	assert_failed(b, JOB_FAILED, -ENOSPC, "put the originals in");
}

static void test_jam_on_page_3_of_5(void **state)
{
	struct box *b = *state;

	start(b, 1);
	fake_scanner_page(&b->scanner, true);
	fake_scanner_page(&b->scanner, true);
	fake_scanner_fail(&b->scanner, FAX_CODE_JAM);
	assert_failed(b, JOB_FAILED, -EIO, "Page 3 ");
	assert_non_null(strstr(b->text, "put all originals back"));
	assert_int_equal(b->scanner.pages, 3);
}

static void test_original_taken_out_between_pages(void **state)
{
	struct box *b = *state;

	start(b, 1);
	fake_scanner_page(&b->scanner, true);
	fake_scanner_fail(&b->scanner, FAX_CODE_PAPER_OUT);
	assert_failed(b, JOB_FAILED, -ENOSPC, "Page 2 ");
}

static void test_too_wide(void **state)
{
	struct box *b = *state;

	b->scanner.refuse = -EMSGSIZE;
	b->scanner.refuse_text = "The original is 400 mm wide.";
	start(b, 1);
	assert_failed(b, JOB_FAILED, -EMSGSIZE, "400 mm wide");
}

static void test_gone_mid_page(void **state)
{
	struct box *b = *state;

	start(b, 1);
	fake_scanner_page(&b->scanner, true);
	b->scanner.base.ops->stop(&b->scanner.base);
	scanning_remove_scanner(b->scanning, &b->scanner.base);
	assert_failed(b, JOB_FAILED, -ENODEV, "unplugged");
}

static void test_at_most_max_pages(void **state)
{
	struct box *b = *state;

	start(b, 1);
	for (int i = 0; i < MAX_PAGES; i++)
		fake_scanner_page(&b->scanner, true);
	assert_failed(b, JOB_FAILED, -E2BIG, "more than 5 pages");
	assert_int_equal(b->scanner.pages, MAX_PAGES);
}

static void test_exactly_max_pages(void **state)
{
	struct box *b = *state;

	start(b, 1);
	for (int i = 1; i <= MAX_PAGES; i++)
		fake_scanner_page(&b->scanner, i < MAX_PAGES);
	assert_int_equal(b->pages, MAX_PAGES);
}

static void test_cancel_in_hand(void **state)
{
	struct box *b = *state;

	start(b, 1);
	fake_scanner_page(&b->scanner, true);
	assert_int_equal(scanning_cancel(b->scanning, 2), -ENOENT);
	assert_int_equal(scanning_cancel(b->scanning, 1), 0);
	assert_int_equal(b->scanner.cancels, 1);
	assert_int_equal(b->ended, 0);
	fake_scanner_fail(&b->scanner, FAX_CODE_CANCELED);
	assert_failed(b, JOB_CANCELED, -ECANCELED, "canceled");
}

static void test_cancel_that_comes_as_the_last_page_ends(void **state)
{
	struct box *b = *state;

	start(b, 1);
	assert_int_equal(scanning_cancel(b->scanning, 1), 0);
	fake_scanner_page(&b->scanner, false);
	assert_failed(b, JOB_CANCELED, -ECANCELED, "canceled");
}

static void test_cancel_in_queue(void **state)
{
	struct box *b = *state;

	start(b, 1);
	start(b, 2);
	assert_int_equal(scanning_cancel(b->scanning, 2), 0);
	fake_settle(b->event, 0);
	assert_int_equal(b->ended, 1);
	assert_int_equal(b->id, 2);
	assert_int_equal(b->state, JOB_CANCELED);
	fake_scanner_page(&b->scanner, false);
	assert_int_equal(b->ended, 2);
	assert_int_equal(b->pages, 1);
}

static void test_no_scanner(void **state)
{
	struct box *b = *state;

	scanning_remove_scanner(b->scanning, &b->scanner.base);
	start(b, 1);
	assert_failed(b, JOB_FAILED, -ENODEV, "No scanner is connected");
}

static void test_another_boards_scanner(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(1, JOB_SEND, JOB_SCANNING);

	assert_int_equal(job_set(&job->board, "OTHER"), 0);
	assert_int_equal(scanning_start(b->scanning, job, &fine, on_document, b), 0);
	fake_settle(b->event, 0);
	assert_failed(b, JOB_FAILED, -ENODEV, "board OTHER");
}

static void test_one_document_at_a_time(void **state)
{
	struct box *b = *state;

	start(b, 1);
	start(b, 2);
	assert_int_equal(b->scanner.pages, 1);
	fake_scanner_page(&b->scanner, false);
	assert_int_equal(b->id, 1);
	fake_settle(b->event, 0);
	assert_int_equal(b->scanner.pages, 2);
	fake_scanner_page(&b->scanner, false);
	assert_int_equal(b->id, 2);
	assert_int_equal(b->ended, 2);
}

static void test_another_program_has_it(void **state)
{
	struct box *b = *state;

	b->scanner.taken = true;
	start(b, 1);
	assert_int_equal(b->scanner.pages, 0);
	assert_int_equal(b->ended, 0);
	b->scanner.taken = false;
	fake_settle(b->event, 1100);
	assert_int_equal(b->scanner.pages, 1);
	fake_scanner_page(&b->scanner, false);
	assert_int_equal(b->pages, 1);
}

static void test_box_stops(void **state)
{
	struct box *b = *state;

	start(b, 1);
	fake_scanner_page(&b->scanner, true);
	scanning_free(b->scanning);
	b->scanning = NULL;
	assert_failed(b, JOB_FAILED, -ESHUTDOWN, "stopped");
}

static void test_of_two_scanners_the_one_with_the_original(void **state)
{
	struct box *b = *state;
	struct fake_scanner other;

	fake_scanner_init(&other, "SIM1");
	assert_int_equal(scanning_add_scanner(b->scanning, &other.base), 0);
	other.empty = true;
	start(b, 1);
	assert_int_equal(b->scanner.pages, 1);
	fake_scanner_page(&b->scanner, false);
	other.empty = false;
	b->scanner.empty = true;
	start(b, 2);
	assert_int_equal(other.pages, 1);
	fake_scanner_page(&other, false);
	assert_int_equal(b->ended, 2);
	scanning_remove_scanner(b->scanning, &other.base);
}

static void test_found_scanning_at_start(void **state)
{
	struct box *b = *state;
	struct job *job = fake_job(7, JOB_SEND, JOB_SCANNING);

	assert_int_equal(scanning_recover(b->scanning, job), 0);
	assert_int_equal(b->store.state, JOB_FAILED);
	assert_non_null(strstr(b->store.detail, "Nothing was sent"));
	job_free(job);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_whole_document),
		T(test_empty_feeder),
		T(test_jam_on_page_3_of_5),
		T(test_original_taken_out_between_pages),
		T(test_too_wide),
		T(test_gone_mid_page),
		T(test_at_most_max_pages),
		T(test_exactly_max_pages),
		T(test_cancel_in_hand),
		T(test_cancel_that_comes_as_the_last_page_ends),
		T(test_cancel_in_queue),
		T(test_no_scanner),
		T(test_another_boards_scanner),
		T(test_one_document_at_a_time),
		T(test_another_program_has_it),
		T(test_box_stops),
		T(test_of_two_scanners_the_one_with_the_original),
		T(test_found_scanning_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
