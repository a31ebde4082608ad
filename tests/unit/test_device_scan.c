/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A scanner made of a board's functions, on a driver core that does as told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "device/scan.h"
#include "device/softcoder.h"
#include "fake_devices.h"
#include "fake_kernel.h"

#define ROWS 300

struct desk {
	sd_event *event;
	struct func *scan;
	struct func *coder;
	struct scanner *scanner;
	unsigned int pages;	/* that ended */
	struct scan_result last;
};

static const struct scan_params fine = {
	.xres = FAX_RES_8_MM,
	.yres = FAX_RES_7_7_MM,
	.encoding = FAX_ENC_MMR,
	.flags = FAX_FMT_END,
};

static int open_desk(void **state, bool coder)
{
	struct desk *d = test_calloc(1, sizeof(*d));
	struct error e = {};

	fake_kernel_init();
	fake_kernel.scan_status.paper_width = 210000;
	fake_kernel.scan_status.paper_height = 297000;
	assert_true(sd_event_new(&d->event) >= 0);
	assert_int_equal(func_open(&d->scan, d->event, &fake_kernel_sys, "1/scan", &e), 0);
	if (coder)
		assert_int_equal(func_open(&d->coder, d->event, &fake_kernel_sys, "1/codec", &e),
				 0);
	assert_int_equal(scanner_new(&d->scanner, d->scan, d->coder), 0);
	*state = d;
	return 0;
}

static int setup(void **state)
{
	return open_desk(state, true);
}

static int setup_without_coder(void **state)
{
	return open_desk(state, false);
}

static int teardown(void **state)
{
	struct desk *d = *state;

	page_clear(&d->last.page);
	scanner_free(d->scanner);
	func_close(d->scan);
	func_close(d->coder);
	sd_event_unref(d->event);
	test_free(d);
	/* nothing is left behind */
	assert_int_equal(fake_kernel.opens, 0);
	assert_int_equal(fake_kernel.bufs_open, 0);
	assert_int_equal(fake_kernel.pipes_open, 0);
	return 0;
}

static void on_page(void *userdata, struct scan_result *result)
{
	struct desk *d = userdata;

	page_clear(&d->last.page);
	d->pages++;
	d->last = *result;
}

static void start(struct desk *d)
{
	struct error e = {};

	assert_int_equal(d->scanner->ops->page(d->scanner, &fine, on_page, d, &e), 0);
}

static void end_both(struct desk *d, struct fax_completion scanned, struct fax_completion encoded)
{
	fake_kernel_end(fake_kernel_job(FAX_OP_SCAN), scanned);
	fake_kernel_end(fake_kernel_job(FAX_OP_ENCODE), encoded);
	fake_settle(d->event, 0);
}

static void test_width_of_the_original(void **state)
{
	static const struct {
		uint32_t paper, xres, width;
	} cases[] = {
		{ 0, 8000, 1728 },	{ 210000, 8000, 1728 }, { 215900, 8000, 1728 },
		{ 216000, 8000, 1728 }, { 216100, 8000, 2048 }, { 257000, 8000, 2432 },
		{ 297000, 8000, 2432 }, { 304000, 8000, 2432 },
		{ 105000, 8000, 1728 }, { 210000, 16000, 3456 }, { 297000, 16000, 4864 },
	};
	struct desk *d = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scan_params p = { .xres = cases[i].xres };
		uint32_t width;

		assert_int_equal(scan_width(&d->scan->caps, cases[i].paper, &p, &width, NULL), 0);
		assert_int_equal(width, cases[i].width);
	}
}

static void test_original_wider_than_the_table(void **state)
{
	struct desk *d = *state;
	struct error e = {};

	fake_kernel.scan_status.paper_width = 420000;
	assert_int_equal(d->scanner->ops->page(d->scanner, &fine, on_page, d, &e), -EMSGSIZE);
	assert_non_null(strstr(e.text, "420 mm"));
	assert_non_null(strstr(e.text, "304 mm"));
	assert_int_equal(fake_kernel.njobs, 0);
}

static void test_original_wider_than_a_recipient_takes(void **state)
{
	struct scan_params p = fine;
	struct desk *d = *state;
	struct error e = {};

	p.width_max = 1728;
	fake_kernel.scan_status.paper_width = 297000;
	assert_int_equal(d->scanner->ops->page(d->scanner, &p, on_page, d, &e), -EMSGSIZE);
	assert_non_null(strstr(e.text, "297 mm"));
	assert_non_null(strstr(e.text, "216 mm"));
}

static void test_page(void **state)
{
	struct desk *d = *state;
	struct fake_job *scan, *encode;

	start(d);
	encode = &fake_kernel.jobs[0];	/* the consumer stands ready first */
	scan = &fake_kernel.jobs[1];
	assert_int_equal(encode->sub.op, FAX_OP_ENCODE);
	assert_int_equal(encode->sub.fmt.encoding, FAX_ENC_MMR);
	assert_int_equal(encode->sub.fmt.flags, FAX_FMT_END);
	assert_int_equal(encode->sub.fmt.width, 1728);
	assert_int_equal(scan->sub.op, FAX_OP_SCAN);
	assert_int_equal(scan->sub.flags, FAX_SUBMIT_NOWAIT);
	assert_int_equal(scan->sub.fmt.encoding, FAX_ENC_RAW);
	assert_int_equal(scan->sub.pipe, encode->sub.pipe);
	assert_int_equal(scan->sub.nsegs, 0);
	memcpy(fake_kernel_memory(encode->segs[0].buf), "coded page", 10);
	end_both(d, (struct fax_completion){ .rows = ROWS, .flags = FAX_DONE_MORE_PAPER },
		 (struct fax_completion){ .rows = ROWS, .bytes_out = 10 });
	assert_int_equal(d->pages, 1);
	assert_int_equal(d->last.code, FAX_CODE_OK);
	assert_true(d->last.more_paper);
	assert_int_equal(d->last.page.width, 1728);
	assert_int_equal(d->last.page.rows, ROWS);
	assert_int_equal(d->last.page.nstrips, 1);
	assert_int_equal(d->last.page.strips[0].rows, ROWS);
	assert_int_equal(d->last.page.strips[0].len, 10);
	assert_memory_equal(d->last.page.strips[0].data, "coded page", 10);
}

/* What is made once serves the next page: two SUBMITs, two REAPs, two SYNCs. */
static void test_next_page_costs_six_calls(void **state)
{
	struct desk *d = *state;
	const struct fax_completion encoded = { .rows = ROWS, .bytes_out = 1 };
	const struct fax_completion scanned = {
		.rows = ROWS, .flags = FAX_DONE_MORE_PAPER, .next_width = 210000,
	};

	start(d);
	end_both(d, scanned, encoded);
	for (int i = 0; i < 5; i++) {
		fake_kernel.ioctls = 0;
		start(d);
		end_both(d, scanned, encoded);
		assert_int_equal(d->last.code, FAX_CODE_OK);
		assert_int_equal(fake_kernel.ioctls, 6);
	}
	assert_int_equal(d->pages, 6);
	assert_int_equal(fake_kernel.pipes, 1);
}

/* The sheet behind the last is known; behind none, after a failure, for the next user: asked. */
static void test_when_the_next_original_is_asked_for(void **state)
{
	const struct fax_completion encoded = { .rows = ROWS, .bytes_out = 1 };
	const struct fax_completion scanned = {
		.rows = ROWS, .flags = FAX_DONE_MORE_PAPER, .next_width = 256000,
	};
	struct desk *d = *state;
	struct error e = {};

	assert_int_equal(d->scanner->ops->claim(d->scanner, &e), 0);
	start(d);
	end_both(d, scanned, encoded);
	assert_int_equal(d->last.page.width, 1728);
	start(d);
	assert_int_equal(fake_kernel_job(FAX_OP_SCAN)->sub.fmt.width, 2048);
	end_both(d, (struct fax_completion){ .rows = ROWS, .next_width = 256000 }, encoded);
	start(d);
	assert_int_equal(fake_kernel_job(FAX_OP_SCAN)->sub.fmt.width, 1728);
	end_both(d, scanned, encoded);
	d->scanner->ops->release(d->scanner);
	start(d);
	assert_int_equal(fake_kernel_job(FAX_OP_SCAN)->sub.fmt.width, 1728);
	end_both(d, scanned, encoded);
	start(d);
	end_both(d, (struct fax_completion){ .code = FAX_CODE_JAM, .next_width = 256000 },
		 (struct fax_completion){ .code = FAX_CODE_PEER, .peer_code = FAX_CODE_JAM });
	assert_int_equal(d->last.code, FAX_CODE_JAM);
	start(d);
	assert_int_equal(fake_kernel_job(FAX_OP_SCAN)->sub.fmt.width, 1728);
	end_both(d, scanned, encoded);
}

static void test_code_larger_than_the_buffer(void **state)
{
	struct desk *d = *state;
	struct fake_job *encode;
	uint64_t full;

	start(d);
	encode = fake_kernel_job(FAX_OP_ENCODE);
	full = encode->segs[0].length;
	memset(fake_kernel_memory(encode->segs[0].buf), 'a', full);
	fake_kernel_end(encode, (struct fax_completion){ .code = FAX_CODE_OUT_FULL,
							 .bytes_out = full });
	fake_settle(d->event, 0);
	assert_true(encode->resumed);
	memset(fake_kernel_memory(encode->segs[0].buf), 'b', 5);
	end_both(d, (struct fax_completion){ .rows = ROWS },
		 (struct fax_completion){ .rows = ROWS, .bytes_out = full + 5 });
	assert_int_equal(d->last.code, FAX_CODE_OK);
	assert_int_equal(d->last.page.strips[0].len, full + 5);
	assert_memory_equal((const char *)d->last.page.strips[0].data + full - 2, "aabbbbb", 7);
}

static void test_jam(void **state)
{
	struct desk *d = *state;

	start(d);
	fake_kernel_end(fake_kernel_job(FAX_OP_ENCODE),
			(struct fax_completion){ .code = FAX_CODE_PEER,
						 .peer_code = FAX_CODE_JAM });
	fake_settle(d->event, 0);
	assert_int_equal(d->pages, 0);	/* not before both have ended */
	fake_kernel_end(fake_kernel_job(FAX_OP_SCAN),
			(struct fax_completion){ .code = FAX_CODE_JAM, .rows = 20 });
	fake_settle(d->event, 0);
	assert_int_equal(d->pages, 1);
	assert_int_equal(d->last.code, FAX_CODE_JAM);
	assert_non_null(strstr(d->last.error.text, "stuck"));
	assert_int_equal(d->last.page.nstrips, 0);
	start(d);	/* with a pipe of its own */
	assert_int_equal(fake_kernel.pipes, 2);
	assert_int_equal(fake_kernel.pipes_open, 1);
	end_both(d, (struct fax_completion){ .rows = 1 },
		 (struct fax_completion){ .rows = 1, .bytes_out = 1 });
	assert_int_equal(d->last.code, FAX_CODE_OK);
}

static void test_feeder_empty(void **state)
{
	struct desk *d = *state;
	struct error e = {};

	fake_kernel.scan_status.conditions = FAX_COND_PAPER_OUT;
	assert_int_equal(d->scanner->ops->page(d->scanner, &fine, on_page, d, &e), -ENOSPC);
	fake_kernel.scan_status.conditions = FAX_COND_COVER | FAX_COND_PAPER_OUT;
	assert_int_equal(d->scanner->ops->page(d->scanner, &fine, on_page, d, &e), -EIO);
	assert_non_null(strstr(e.text, "cover"));
	assert_int_equal(fake_kernel.njobs, 0);
}

static void test_second_submit_refused(void **state)
{
	struct desk *d = *state;

	fake_kernel.fail_submit_op = FAX_OP_SCAN;
	fake_kernel.fail_submit = ENOSPC;
	start(d);
	assert_int_equal(d->pages, 0);
	assert_true(fake_kernel_job(FAX_OP_ENCODE)->canceled);
	fake_kernel_end(fake_kernel_job(FAX_OP_ENCODE),
			(struct fax_completion){ .code = FAX_CODE_CANCELED });
	fake_settle(d->event, 0);
	assert_int_equal(d->last.code, FAX_CODE_PAPER_OUT);
}

static void test_first_submit_refused(void **state)
{
	struct desk *d = *state;
	struct error e = {};

	fake_kernel.fail_submit_op = FAX_OP_ENCODE;
	fake_kernel.fail_submit = EDQUOT;
	assert_int_equal(d->scanner->ops->page(d->scanner, &fine, on_page, d, &e), -EDQUOT);
	assert_int_equal(fake_kernel.njobs, 0);
}

static void test_gone_mid_page(void **state)
{
	struct desk *d = *state;
	struct error e = {};

	start(d);
	func_dispatch(d->scan, EPOLLHUP);
	assert_int_equal(d->pages, 1);
	assert_int_equal(d->last.code, FAX_CODE_GONE);
	func_dispatch(d->coder, EPOLLHUP);
	assert_int_equal(d->pages, 1);
	assert_int_equal(d->scanner->ops->page(d->scanner, &fine, on_page, d, &e), -ENODEV);
}

static void test_cancel(void **state)
{
	struct desk *d = *state;

	d->scanner->ops->cancel(d->scanner);	/* nothing in hand: nothing happens */
	start(d);
	d->scanner->ops->cancel(d->scanner);
	assert_true(fake_kernel_job(FAX_OP_SCAN)->canceled);
	assert_true(fake_kernel_job(FAX_OP_ENCODE)->canceled);
	assert_int_equal(d->pages, 0);
	end_both(d, (struct fax_completion){ .code = FAX_CODE_CANCELED },
		 (struct fax_completion){ .code = FAX_CODE_PEER });
	assert_int_equal(d->last.code, FAX_CODE_CANCELED);
}

static void test_stop(void **state)
{
	const struct fax_completion late = { .code = FAX_CODE_CANCELED };
	struct desk *d = *state;

	start(d);
	d->scanner->ops->stop(d->scanner);
	assert_int_equal(d->pages, 1);
	assert_int_equal(d->last.code, FAX_CODE_GONE);
	end_both(d, late, late);
	assert_int_equal(d->pages, 1);
}

static void test_waits_for_nobody(void **state)
{
	struct desk *d = *state;

	start(d);
	/* the feeder is empty, too, while its last sheet moves */
	fake_kernel_event(fake_kernel_job(FAX_OP_SCAN), FAX_EVENT_JOB_WAITING, FAX_COND_PAPER_OUT);
	func_dispatch(d->scan, EPOLLPRI);
	assert_false(fake_kernel_job(FAX_OP_SCAN)->canceled);
	fake_kernel_event(fake_kernel_job(FAX_OP_SCAN), FAX_EVENT_JOB_WAITING, FAX_COND_COVER);
	func_dispatch(d->scan, EPOLLPRI);
	assert_true(fake_kernel_job(FAX_OP_SCAN)->canceled);
	end_both(d, (struct fax_completion){ .code = FAX_CODE_CANCELED },
		 (struct fax_completion){ .code = FAX_CODE_PEER });
	assert_int_equal(d->last.code, FAX_CODE_COVER);
}

static void test_lies_about_lengths(void **state)
{
	struct desk *d = *state;

	start(d);
	end_both(d, (struct fax_completion){ .rows = ROWS },
		 (struct fax_completion){ .rows = ROWS, .bytes_out = 1ull << 40 });
	assert_int_equal(d->last.code, FAX_CODE_CODING);
	start(d);
	end_both(d, (struct fax_completion){ .rows = ROWS },
		 (struct fax_completion){ .rows = ROWS - 1, .bytes_out = 10 });
	assert_int_equal(d->last.code, FAX_CODE_CODING);
}

static void test_claim(void **state)
{
	struct desk *d = *state;
	struct error e = {};

	assert_int_equal(d->scanner->ops->claim(d->scanner, &e), 0);
	d->scanner->ops->release(d->scanner);
	fake_kernel.claimed_elsewhere = true;
	assert_int_equal(d->scanner->ops->claim(d->scanner, &e), -EBUSY);
	assert_non_null(strstr(e.text, "Another program"));
}

/* The processor's code, decoded, is what the scanner wrote. */
static void test_without_coder(void **state)
{
	static const uint32_t encodings[] = { FAX_ENC_MH, FAX_ENC_MR, FAX_ENC_MMR };
	struct desk *d = *state;

	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
		static uint8_t pixels[50 * 216], back[50 * 216];
		struct scan_params p = fine;
		struct error e = {};
		struct fake_job *scan;
		uint32_t rows, bad;

		p.encoding = encodings[i];
		p.flags = encodings[i] == FAX_ENC_MMR ? FAX_FMT_END : FAX_FMT_EOL;
		p.flags |= FAX_FMT_LSB_FIRST;
		for (size_t n = 0; n < sizeof(pixels); n++)
			pixels[n] = n % 216 < 40 ? 0xf0 << (n / 216 % 4) : n % 7 ? 0 : 0x18;
		assert_int_equal(d->scanner->ops->page(d->scanner, &p, on_page, d, &e), 0);
		scan = fake_kernel_job(FAX_OP_SCAN);
		assert_int_equal(scan->sub.pipe, -1);
		assert_true(scan->segs[0].length >= 216 * 2287);	/* 297 mm */
		memcpy(fake_kernel_memory(scan->segs[0].buf), pixels, sizeof(pixels));
		fake_kernel_end(scan, (struct fax_completion){ .rows = 50 });
		fake_settle(d->event, 0);
		assert_int_equal(d->last.code, FAX_CODE_OK);
		assert_int_equal(softcoder_decode(&d->last.page.strips[0], 1728, back, 216, 50,
						  &rows, &bad), 0);
		assert_int_equal(rows, 50);
		assert_int_equal(bad, 0);
		assert_memory_equal(pixels, back, sizeof(pixels));
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_width_of_the_original),
		T(test_original_wider_than_the_table),
		T(test_original_wider_than_a_recipient_takes),
		T(test_page),
		T(test_next_page_costs_six_calls),
		T(test_when_the_next_original_is_asked_for),
		T(test_code_larger_than_the_buffer),
		T(test_jam),
		T(test_feeder_empty),
		T(test_second_submit_refused),
		T(test_first_submit_refused),
		T(test_gone_mid_page),
		T(test_cancel),
		T(test_stop),
		T(test_waits_for_nobody),
		T(test_lies_about_lengths),
		T(test_claim),
		cmocka_unit_test_setup_teardown(test_without_coder, setup_without_coder, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
