/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A printer made of a board's functions, on a driver core that does as told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "device/print.h"
#include "device/softcoder.h"
#include "fake_devices.h"
#include "fake_kernel.h"

struct desk {
	sd_event *event;
	struct func *print;
	struct func *coder;
	struct printer *printer;
	struct page_strip strips[3];
	struct page page;
	struct page_strip banner;
	unsigned int pages;	/* that ended */
	unsigned int waits;
	unsigned int goes_on;
	uint32_t conditions;
	unsigned int changes;
	struct print_result last;
};

static void on_change(void *userdata)
{
	((struct desk *)userdata)->changes++;
}

static int open_desk(void **state, bool coder)
{
	struct desk *d = test_calloc(1, sizeof(*d));
	struct error e = {};

	fake_kernel_init();
	assert_true(sd_event_new(&d->event) >= 0);
	assert_int_equal(func_open(&d->print, d->event, &fake_kernel_sys, "1/print", &e), 0);
	if (coder)
		assert_int_equal(func_open(&d->coder, d->event, &fake_kernel_sys, "1/codec", &e),
				 0);
	assert_int_equal(printer_new(&d->printer, d->print, d->coder), 0);
	printer_on_change(d->printer, on_change, d);
	d->strips[0] = (struct page_strip){ "first strip", 11, 100, FAX_ENC_MH, 0,
					    FAX_FMT_EOL | FAX_FMT_LSB_FIRST };
	d->strips[1] = (struct page_strip){ "2", 1, 20, FAX_ENC_MMR, 0, FAX_FMT_END };
	d->banner = (struct page_strip){ "banner", 6, 30, FAX_ENC_MMR, 0, FAX_FMT_END };
	d->page = (struct page){
		.width = 1728,
		.rows = 120,
		.xres = FAX_RES_8_MM,
		.yres = FAX_RES_7_7_MM,
		.nstrips = 2,
		.strips = d->strips,
	};
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

	printer_free(d->printer);
	func_close(d->print);
	func_close(d->coder);
	sd_event_unref(d->event);
	test_free(d);
	/* nothing is left behind */
	assert_int_equal(fake_kernel.opens, 0);
	assert_int_equal(fake_kernel.bufs_open, 0);
	assert_int_equal(fake_kernel.pipes_open, 0);
	return 0;
}

static void on_waiting(void *userdata, uint32_t conditions)
{
	struct desk *d = userdata;

	d->waits++;
	d->conditions = conditions;
}

static void on_goes_on(void *userdata)
{
	((struct desk *)userdata)->goes_on++;
}

static void on_done(void *userdata, const struct print_result *result)
{
	struct desk *d = userdata;

	d->pages++;
	d->last = *result;
}

static const struct print_handlers handlers = {
	.waiting = on_waiting,
	.goes_on = on_goes_on,
	.done = on_done,
};

static int try_page(struct desk *d, const struct page_strip *banner, struct error *e)
{
	return d->printer->ops->page(d->printer, &d->page, banner, &handlers, d, e);
}

static void start(struct desk *d, const struct page_strip *banner)
{
	struct error e = {};

	assert_int_equal(try_page(d, banner, &e), 0);
}

static void end_both(struct desk *d, struct fax_completion printed, struct fax_completion decoded)
{
	fake_kernel_end(fake_kernel_job(FAX_OP_DECODE), decoded);
	fake_kernel_end(fake_kernel_job(FAX_OP_PRINT), printed);
	fake_settle(d->event, 0);
}

static void event(struct desk *d, uint32_t type, uint32_t conditions)
{
	fake_kernel_event(fake_kernel_job(FAX_OP_PRINT), type, conditions);
	func_dispatch(d->print, EPOLLPRI);
}

static void test_page_with_banner(void **state)
{
	struct desk *d = *state;
	struct fake_job *print, *decode;
	const uint8_t *memory;

	start(d, &d->banner);
	print = &fake_kernel.jobs[0];	/* the consumer stands ready first */
	decode = &fake_kernel.jobs[1];
	assert_int_equal(print->sub.op, FAX_OP_PRINT);
	assert_int_equal(print->sub.flags, 0);	/* waits for paper */
	assert_int_equal(print->sub.nsegs, 0);
	assert_int_equal(print->sub.fmt.width, 1728);
	assert_int_equal(decode->sub.op, FAX_OP_DECODE);
	assert_int_equal(decode->sub.pipe, print->sub.pipe);
	assert_int_equal(decode->sub.nsegs, 3);
	memory = fake_kernel_memory(decode->segs[0].buf);
	assert_memory_equal(memory + decode->segs[0].offset, "banner", 6);
	assert_memory_equal(memory + decode->segs[1].offset, "first strip", 11);
	assert_memory_equal(memory + decode->segs[2].offset, "2", 1);
	assert_int_equal(decode->segs[1].length, 11);
	assert_int_equal(decode->segs[1].rows, 100);
	assert_int_equal(decode->segs[1].encoding, FAX_ENC_MH);
	assert_int_equal(decode->segs[1].flags, FAX_FMT_EOL | FAX_FMT_LSB_FIRST);
	assert_int_equal(decode->segs[2].encoding, FAX_ENC_MMR);
	assert_int_equal(decode->segs[2].flags, 0);	/* END is for encoding */
	end_both(d, (struct fax_completion){ .rows = 150 },
		 (struct fax_completion){ .rows = 150, .rows_bad = 2 });
	assert_int_equal(d->pages, 1);
	assert_int_equal(d->last.code, FAX_CODE_OK);
	assert_int_equal(d->last.rows, 150);
	assert_int_equal(d->last.rows_bad, 2);
}

/* What is made once serves the next page: two SUBMITs, two REAPs, two SYNCs. */
static void test_next_page_costs_six_calls(void **state)
{
	const struct fax_completion done = { .rows = 120 };
	struct desk *d = *state;

	start(d, NULL);
	end_both(d, done, done);
	fake_kernel.ioctls = 0;
	start(d, NULL);
	end_both(d, done, done);
	assert_int_equal(d->pages, 2);
	assert_int_equal(fake_kernel.ioctls, 6);
	assert_int_equal(fake_kernel.pipes, 1);
}

static void test_paper_out_then_refilled(void **state)
{
	const struct fax_completion done = { .rows = 120 };
	struct desk *d = *state;

	start(d, NULL);
	event(d, FAX_EVENT_JOB_WAITING, FAX_COND_PAPER_OUT);
	assert_int_equal(d->waits, 1);
	assert_int_equal(d->conditions, FAX_COND_PAPER_OUT);
	assert_int_equal(d->printer->ops->conditions(d->printer), FAX_COND_PAPER_OUT);
	assert_int_equal(d->changes, 1);
	event(d, FAX_EVENT_JOB_GOES_ON, 0);
	assert_int_equal(d->goes_on, 1);
	assert_int_equal(d->changes, 2);
	assert_int_equal(d->pages, 0);
	end_both(d, done, done);
	assert_int_equal(d->last.code, FAX_CODE_OK);
}

/* The tray is empty while its last sheet moves: only PAPER_OUT says that none did. */
static void test_what_is_certain_about_the_sheet(void **state)
{
	struct desk *d = *state;

	start(d, NULL);
	end_both(d, (struct fax_completion){ .code = FAX_CODE_PAPER_OUT },
		 (struct fax_completion){ .code = FAX_CODE_PEER });
	assert_int_equal(d->last.code, FAX_CODE_PAPER_OUT);
	assert_true(d->last.untouched);
	start(d, NULL);
	event(d, FAX_EVENT_JOB_WAITING, FAX_COND_PAPER_OUT);
	func_dispatch(d->print, EPOLLERR | EPOLLHUP);
	assert_int_equal(d->pages, 2);
	assert_int_equal(d->last.code, FAX_CODE_GONE);
	assert_false(d->last.untouched);
}

static void test_gone_mid_page(void **state)
{
	struct desk *d = *state;
	struct error e = {};

	start(d, NULL);
	event(d, FAX_EVENT_JOB_WAITING, FAX_COND_PAPER_OUT);
	event(d, FAX_EVENT_JOB_GOES_ON, 0);
	func_dispatch(d->print, EPOLLERR | EPOLLHUP);
	assert_int_equal(d->last.code, FAX_CODE_GONE);
	assert_false(d->last.untouched);
	assert_int_equal(try_page(d, NULL, &e), -ENODEV);
}

static void test_jam(void **state)
{
	struct desk *d = *state;

	start(d, NULL);
	end_both(d, (struct fax_completion){ .code = FAX_CODE_JAM, .rows = 40 },
		 (struct fax_completion){ .code = FAX_CODE_PEER, .peer_code = FAX_CODE_JAM });
	assert_int_equal(d->last.code, FAX_CODE_JAM);
	assert_int_equal(d->last.rows, 40);
	assert_false(d->last.untouched);
	start(d, NULL);
	assert_int_equal(fake_kernel.pipes, 2);
	d->printer->ops->stop(d->printer);
}

static void test_code_that_cannot_be_followed(void **state)
{
	struct desk *d = *state;

	start(d, NULL);
	end_both(d, (struct fax_completion){ .code = FAX_CODE_PEER, .peer_code = FAX_CODE_CODING },
		 (struct fax_completion){ .code = FAX_CODE_CODING, .seg = 1 });
	assert_int_equal(d->last.code, FAX_CODE_CODING);
}

static void test_second_submit_refused(void **state)
{
	struct desk *d = *state;

	fake_kernel.fail_submit_op = FAX_OP_DECODE;
	fake_kernel.fail_submit = EINVAL;
	start(d, NULL);
	assert_int_equal(d->pages, 0);
	assert_true(fake_kernel_job(FAX_OP_PRINT)->canceled);
	fake_kernel_end(fake_kernel_job(FAX_OP_PRINT),
			(struct fax_completion){ .code = FAX_CODE_CANCELED });
	fake_settle(d->event, 0);
	assert_int_equal(d->last.code, FAX_CODE_CODING);
}

static void test_cancel(void **state)
{
	struct desk *d = *state;

	start(d, NULL);
	d->printer->ops->cancel(d->printer);
	assert_true(fake_kernel_job(FAX_OP_PRINT)->canceled);
	assert_true(fake_kernel_job(FAX_OP_DECODE)->canceled);
	end_both(d, (struct fax_completion){ .code = FAX_CODE_CANCELED },
		 (struct fax_completion){ .code = FAX_CODE_PEER });
	assert_int_equal(d->last.code, FAX_CODE_CANCELED);
}

static void test_pages_that_do_not_fit(void **state)
{
	struct desk *d = *state;
	struct error e = {};

	d->page.width = 1727;
	assert_int_equal(try_page(d, NULL, &e), -EMSGSIZE);
	assert_non_null(strstr(e.text, "1727"));
	d->page.width = 1728;
	d->page.yres = 9000;
	assert_int_equal(try_page(d, NULL, &e), -EOPNOTSUPP);
	d->page.yres = FAX_RES_7_7_MM;
	d->page.rows = 40001;
	assert_int_equal(try_page(d, NULL, &e), -EMSGSIZE);
	d->page.rows = 40000;
	assert_int_equal(try_page(d, &d->banner, &e), -EMSGSIZE);
	assert_non_null(strstr(e.text, "notice"));
	d->page.rows = 120;
	d->page.nstrips = 0;
	assert_int_equal(try_page(d, NULL, &e), -EMSGSIZE);
	d->page.nstrips = 2;
	d->strips[1].len = 0;
	assert_int_equal(try_page(d, NULL, &e), -EINVAL);
	d->strips[1].len = 1;
	d->strips[1].encoding = FAX_ENC_RAW;
	assert_int_equal(try_page(d, NULL, &e), -EINVAL);
	assert_int_equal(fake_kernel.njobs, 0);
}

static void test_too_many_strips(void **state)
{
	static struct page_strip many[FAX_MAX_SEGS];
	struct desk *d = *state;
	struct error e = {};

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = d->strips[1];
	d->page.strips = many;
	d->page.nstrips = FAX_MAX_SEGS;
	assert_int_equal(try_page(d, &d->banner, &e), -EMSGSIZE);
	start(d, NULL);
	assert_int_equal(fake_kernel_job(FAX_OP_DECODE)->sub.nsegs, FAX_MAX_SEGS);
	d->printer->ops->stop(d->printer);
}

static void test_encoding_the_coder_lacks(void **state)
{
	struct desk *d = *state;
	struct error e = {};

	d->coder->caps.decodings = 1u << FAX_ENC_MMR;
	assert_int_equal(try_page(d, NULL, &e), -EOPNOTSUPP);
}

static void test_without_coder(void **state)
{
	uint8_t pixels[20 * 216];
	_buffer_ struct buffer code = {};
	struct desk *d = *state;
	struct fake_job *print;
	struct error e = {};

	for (size_t n = 0; n < sizeof(pixels); n++)
		pixels[n] = n % 5 ? 0 : 0x3c;
	assert_int_equal(softcoder_encode(pixels, 216, 1728, 20, &d->strips[1], &code), 0);
	d->strips[1].data = code.data;
	d->strips[1].len = code.len;
	d->banner = d->strips[1];
	d->strips[0] = d->strips[1];
	d->page.nstrips = 1;
	d->page.rows = 20;
	assert_int_equal(try_page(d, &d->banner, &e), 0);
	print = fake_kernel_job(FAX_OP_PRINT);
	assert_int_equal(print->sub.pipe, -1);
	assert_int_equal(print->sub.fmt.rows, 40);
	assert_int_equal(print->segs[0].length, 2 * sizeof(pixels));
	assert_memory_equal(fake_kernel_memory(print->segs[0].buf), pixels, sizeof(pixels));
	assert_memory_equal(fake_kernel_memory(print->segs[0].buf) + sizeof(pixels), pixels,
			    sizeof(pixels));
	fake_kernel_end(print, (struct fax_completion){ .rows = 40 });
	fake_settle(d->event, 0);
	assert_int_equal(d->last.code, FAX_CODE_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_page_with_banner),
		T(test_next_page_costs_six_calls),
		T(test_paper_out_then_refilled),
		T(test_what_is_certain_about_the_sheet),
		T(test_gone_mid_page),
		T(test_jam),
		T(test_code_that_cannot_be_followed),
		T(test_second_submit_refused),
		T(test_cancel),
		T(test_pages_that_do_not_fit),
		T(test_too_many_strips),
		T(test_encoding_the_coder_lacks),
		cmocka_unit_test_setup_teardown(test_without_coder, setup_without_coder, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
