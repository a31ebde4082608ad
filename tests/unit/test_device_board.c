/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes that come and go, put together as boards. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/board.h"
#include "fake_devices.h"
#include "fake_kernel.h"

#define SETTLE_MSEC 400
#define LATE_MSEC   2500

struct room {
	sd_event *event;
	struct boards *boards;
	unsigned int added;
	unsigned int removed;
	unsigned int pages;
	uint32_t code;
	struct board *last;
};

static void on_added(void *userdata, struct board *b)
{
	struct room *r = userdata;

	r->added++;
	r->last = b;
}

static void on_removed(void *userdata, struct board *b)
{
	struct room *r = userdata;

	r->removed++;
	r->last = NULL;
}

static void on_changed(void *userdata, struct board *b)
{
}

static const struct board_handlers handlers = {
	.added = on_added,
	.removed = on_removed,
	.changed = on_changed,
};

static int setup(void **state)
{
	struct room *r = test_calloc(1, sizeof(*r));

	fake_kernel_init();
	assert_true(sd_event_new(&r->event) >= 0);
	assert_int_equal(boards_new(&r->boards, r->event, &fake_kernel_sys, &handlers, r), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct room *r = *state;

	boards_free(r->boards);
	assert_int_equal(r->added, r->removed);
	assert_int_equal(fake_kernel.opens, 0);
	sd_event_unref(r->event);
	test_free(r);
	return 0;
}

static void add_node(struct room *r, const char *node)
{
	struct error e = {};

	assert_int_equal(boards_node_added(r->boards, node, &e), 0);
}

static void test_three_nodes_are_one_board(void **state)
{
	struct room *r = *state;
	struct fax_status status;

	add_node(r, "1/codec");
	add_node(r, "1/print");
	add_node(r, "1/scan");
	add_node(r, "1/scan");		/* enumerated, and told again */
	assert_int_equal(r->added, 0);
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->added, 1);
	assert_string_equal(r->last->serial, "F1");
	assert_string_equal(r->last->model, "Fake");
	assert_non_null(r->last->scanner);
	assert_non_null(r->last->printer);
	assert_true(r->last->has_coder);
	assert_string_equal(r->last->scanner->serial, "F1");
	fake_kernel.scan_status.pages = 7;
	assert_int_equal(board_status(r->last, FAX_FUNC_SCAN, &status), 0);
	assert_int_equal(status.pages, 7);
	assert_int_equal(board_caps(r->last, FAX_FUNC_CODEC)->encodings, 0xf);
}

/* However slowly udev tells of them: a half board would be given work, and taken apart again. */
static void test_whole_as_soon_as_all_nodes_are_there(void **state)
{
	struct room *r = *state;

	fake_kernel.functions = 1u << FAX_FUNC_SCAN | 1u << FAX_FUNC_PRINT | 1u << FAX_FUNC_CODEC;
	add_node(r, "1/scan");
	fake_settle(r->event, SETTLE_MSEC);
	add_node(r, "1/print");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->added, 0);
	add_node(r, "1/codec");
	fake_settle(r->event, 0);
	assert_int_equal(r->added, 1);
	assert_true(r->last->scanner && r->last->printer && r->last->has_coder);
}

static void test_a_node_that_never_comes_is_done_without(void **state)
{
	struct room *r = *state;

	fake_kernel.functions = 1u << FAX_FUNC_SCAN | 1u << FAX_FUNC_PRINT;
	add_node(r, "1/print");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->added, 0);
	fake_settle(r->event, LATE_MSEC);
	assert_int_equal(r->added, 1);
	assert_null(r->last->scanner);
}

static void test_two_boards(void **state)
{
	struct room *r = *state;
	struct fax_status status;

	add_node(r, "1/print");
	add_node(r, "2/scan");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->added, 2);
	boards_node_removed(r->boards, "1/print");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->removed, 1);
	add_node(r, "1/print");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->added, 3);
	assert_null(r->last->scanner);
	assert_false(r->last->has_coder);
	assert_int_equal(board_status(r->last, FAX_FUNC_CODEC, &status), -ENOENT);
	assert_null(board_caps(r->last, FAX_FUNC_CODEC));
}

static void on_page(void *userdata, struct scan_result *result)
{
	struct room *r = userdata;

	r->pages++;
	r->code = result->code;
	page_clear(&result->page);
	/* the page in hand ends before its board is removed */
	assert_int_equal(r->removed, 0);
}

static const struct scan_params fine = {
	.xres = FAX_RES_8_MM,
	.yres = FAX_RES_7_7_MM,
	.encoding = FAX_ENC_MMR,
};

static void scan_on_board(struct room *r)
{
	struct error e = {};

	add_node(r, "1/scan");
	add_node(r, "1/codec");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->added, 1);
	assert_int_equal(r->last->scanner->ops->page(r->last->scanner, &fine, on_page, r, &e), 0);
}

static void test_gone_with_a_page_in_hand(void **state)
{
	struct room *r = *state;

	scan_on_board(r);
	boards_node_removed(r->boards, "1/scan");
	boards_node_removed(r->boards, "1/codec");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->pages, 1);
	assert_int_equal(r->code, FAX_CODE_GONE);
	assert_int_equal(r->removed, 1);
	assert_int_equal(fake_kernel.opens, 0);
}

static void test_late_comer_puts_the_board_together_anew(void **state)
{
	struct room *r = *state;

	scan_on_board(r);
	add_node(r, "1/print");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->pages, 1);
	assert_int_equal(r->removed, 1);
	assert_int_equal(r->added, 2);
	assert_non_null(r->last->printer);
	assert_non_null(r->last->scanner);
}

/* udev tells of both before the timer has taken the old one apart. */
static void test_same_name_at_once_again(void **state)
{
	struct room *r = *state;

	scan_on_board(r);
	boards_node_removed(r->boards, "1/scan");
	boards_node_removed(r->boards, "1/codec");
	fake_kernel.next_board_id = 9;
	add_node(r, "1/scan");
	add_node(r, "1/codec");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->added, 2);
	assert_int_equal(r->removed, 1);
	assert_int_equal(r->last->id, 9);
	assert_non_null(r->last->scanner);
	boards_node_removed(r->boards, "1/scan");
	boards_node_removed(r->boards, "1/codec");
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->removed, 2);
}

static void test_second_of_a_kind(void **state)
{
	struct room *r = *state;
	struct error e = {};

	add_node(r, "1/print");
	assert_int_equal(boards_node_added(r->boards, "1/print2", &e), -EEXIST);
	assert_non_null(strstr(e.text, "1/print2"));
}

static void test_node_that_is_none(void **state)
{
	struct room *r = *state;
	struct error e = {};

	assert_int_equal(boards_node_added(r->boards, "nothing", &e), -ENOENT);
	fake_settle(r->event, SETTLE_MSEC);
	assert_int_equal(r->added, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_three_nodes_are_one_board),
		T(test_whole_as_soon_as_all_nodes_are_there),
		T(test_a_node_that_never_comes_is_done_without),
		T(test_two_boards),
		T(test_gone_with_a_page_in_hand),
		T(test_late_comer_puts_the_board_together_anew),
		T(test_same_name_at_once_again),
		T(test_second_of_a_kind),
		T(test_node_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
