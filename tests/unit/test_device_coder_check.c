/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A board's coder is tried: one that codes rightly, and all ways in which one may not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "device/coder_check.h"
#include "device/softcoder.h"
#include "fake_kernel.h"

#define WIDTH  1728u
#define STRIDE (WIDTH / 8)

struct room {
	sd_event *event;
	struct boards *boards;
	struct board *board;
	struct coder_check *check;
	unsigned int told;
	int r;
	struct error e;
};

static void on_added(void *userdata, struct board *b)
{
	((struct room *)userdata)->board = b;
}

static void on_removed(void *userdata, struct board *b)
{
	((struct room *)userdata)->board = NULL;
}

static void on_changed(void *userdata, struct board *b)
{
}

static const struct board_handlers handlers = {
	.added = on_added, .removed = on_removed, .changed = on_changed,
};

static int setup(void **state)
{
	struct room *r = test_calloc(1, sizeof(*r));
	struct error e;

	fake_kernel_init();
	fake_kernel.functions = 1u << FAX_FUNC_CODEC;
	assert_true(sd_event_new(&r->event) >= 0);
	assert_int_equal(boards_new(&r->boards, r->event, &fake_kernel_sys, &handlers, r), 0);
	assert_int_equal(boards_node_added(r->boards, "1/codec", &e), 0);
	for (int i = 0; !r->board && i < 20; i++)
		assert_true(sd_event_run(r->event, 100000) >= 0);
	assert_non_null(r->board);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct room *r = *state;

	coder_check_free(r->check);
	boards_free(r->boards);
	sd_event_unref(r->event);
	assert_int_equal(fake_kernel.opens, 0);
	assert_int_equal(fake_kernel.bufs_open, 0);
	test_free(r);
	return 0;
}

static void on_done(void *userdata, int err, const struct error *e)
{
	struct room *r = userdata;

	r->told++;
	r->r = err;
	r->e = *e;
	coder_check_free(take_ptr(r->check));
}

static void begin(struct room *r)
{
	struct error e = { 0 };

	if (coder_check_new(&r->check, r->board, on_done, r, &e) < 0)
		fail_msg("%s", error_text(&e));
}

static void turn(struct room *r)
{
	assert_true(sd_event_run(r->event, 100000) >= 0);
}

/* Does the job in hand as a board would; @spoil: turns a bit of what it writes. */
static void work(struct fake_job *job, bool spoil)
{
	bool encodes = job->sub.op == FAX_OP_ENCODE;
	uint8_t *from = fake_kernel_memory(job->segs[0].buf);
	uint8_t *to = fake_kernel_memory(job->segs[1].buf);
	uint32_t rows = job->sub.fmt.rows, bad;
	struct page_strip form = { .rows = rows, .encoding = encodes ? job->sub.fmt.encoding :
								       job->segs[0].encoding,
				   .flags = encodes ? job->sub.fmt.flags : job->segs[0].flags };
	struct fax_completion c = { .rows = rows };
	_buffer_ struct buffer code = { 0 };

	assert_int_equal(job->sub.fmt.width, WIDTH);
	/* as the kernel has it */
	assert_true(form.encoding != FAX_ENC_MR || form.flags & FAX_FMT_EOL);
	if (encodes) {
		assert_int_equal(softcoder_encode(from, STRIDE, WIDTH, rows, &form, &code), 0);
		assert_true(code.len <= job->segs[1].length);
		memcpy(to, code.data, code.len);
		c.bytes_out = code.len;
	} else {
		form.data = from;
		form.len = job->segs[0].length;
		assert_int_equal(softcoder_decode(&form, WIDTH, to, STRIDE, rows, &rows, &bad), 0);
	}
	to[40] ^= spoil << 4;
	fake_kernel_end(job, c);
}

/* Until the check is over; the job with this number, from 1 on, is spoilt. */
static unsigned int play(struct room *r, unsigned int spoilt)
{
	unsigned int n = 0;

	begin(r);
	for (int i = 0; i < 40 && !r->told; i++) {
		struct fake_job *job = fake_kernel_job(FAX_OP_ENCODE);

		if (!job)
			job = fake_kernel_job(FAX_OP_DECODE);
		if (job)
			work(job, ++n == spoilt);
		turn(r);
	}
	assert_int_equal(r->told, 1);
	return n;
}

/* MH, MR and MMR, each there and back. */
static void right(void **state)
{
	struct room *r = *state;

	assert_int_equal(play(r, 0), 6);
	assert_int_equal(r->r, 0);
}

static void wrong_code(void **state)
{
	struct room *r = *state;

	assert_int_equal(play(r, 3), 3);
	assert_int_equal(r->r, -EILSEQ);
	assert_string_equal(r->e.text, "MR code of the board is not that of the page");
}

static void wrong_pixels(void **state)
{
	struct room *r = *state;

	assert_int_equal(play(r, 6), 6);
	assert_int_equal(r->r, -EILSEQ);
	assert_string_equal(r->e.text, "MMR code is decoded to other pixels by the board");
}

static void job_fails(void **state)
{
	struct room *r = *state;

	begin(r);
	fake_kernel_end(fake_kernel_job(FAX_OP_ENCODE),
			(struct fax_completion){ .code = FAX_CODE_DMA, .error = -EIO });
	for (int i = 0; i < 5 && !r->told; i++)
		turn(r);
	assert_int_equal(r->r, -EIO);
	assert_string_equal(r->e.text, "The board could not reach memory.");
}

static void submit_fails(void **state)
{
	struct room *r = *state;
	struct error e = { 0 };

	fake_kernel.fail_submit_op = FAX_OP_ENCODE;
	fake_kernel.fail_submit = EDQUOT;
	assert_int_equal(coder_check_new(&r->check, r->board, on_done, r, &e), -EDQUOT);
	assert_non_null(strstr(e.text, "takes no page"));
	fake_kernel.fail_submit_op = FAX_OP_DECODE;
	play(r, 0);
	assert_int_equal(r->r, -EDQUOT);
}

/* Given up before its end, while its board is taken away. */
static void given_up(void **state)
{
	struct room *r = *state;

	begin(r);
	boards_node_removed(r->boards, "1/codec");
	turn(r);
	assert_int_equal(r->told, 0);
	coder_check_free(take_ptr(r->check));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(right), TEST(wrong_code), TEST(wrong_pixels), TEST(job_fails),
		TEST(submit_fails), TEST(given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
