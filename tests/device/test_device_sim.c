/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's room device/ on the real modules: pages go from the simulator's
 * feeder through scanner and coder to coded pages, and from there through coder
 * and printer to its tray, where they must have the same pixels.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "device/board.h"
#include "device/coder_check.h"

#define SIM	"/sys/kernel/config/faxsim/sim0/"
#define WIDTH	1728
#define STRIDE	(WIDTH / 8)
#define ROWS	2200
#define PAGE	(STRIDE * ROWS)
#define TRAY	(8 << 20)
#define SECONDS	20

struct desk {
	sd_event *event;
	struct boards *boards;
	struct board *board;	/* NULL: none is here */
	unsigned int scanned;	/* pages that ended */
	unsigned int printed;
	unsigned int waits;
	unsigned int goes_on;
	unsigned int checked;
	uint32_t code;
	bool more;
	char text[400];
	struct page page;
};

static uint8_t tray[TRAY];

/* Calls that the daemon makes on fax and dma-buf descriptors. */
static unsigned int calls, maps;

static int counted_ioctl(int fd, unsigned long request, void *arg)
{
	calls++;
	return func_sys_linux.ioctl(fd, request, arg);
}

static void *counted_map(int fd, size_t len)
{
	maps++;
	return func_sys_linux.map(fd, len);
}

static struct func_sys counted_sys;

static void set(const char *name, const void *data, size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), SIM "%s", name);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, (const char *)data + at, len - at);

		assert_true(n > 0);
		at += n;
	}
	close(fd);
}

static void set_text(const char *name, const char *value)
{
	set(name, value, strlen(value));
}

/* A page like no other: text-like runs, and its number in the pattern. */
static void draw(uint8_t *pixels, unsigned int number, size_t size)
{
	uint32_t seed = number * 2654435761u + 1;

	memset(pixels, 0, size);
	for (size_t row = 0; row + 1 < size / STRIDE; row++)
		for (int run = 0; run < 6 && row / 8 % 3; run++) {
			seed = seed * 1664525 + 1013904223;
			memset(pixels + row * STRIDE + (seed >> 8) % (STRIDE - 8), seed >> 24,
			       1 + (seed >> 4) % 5);
		}
}

static void feed(const uint8_t *pixels, uint32_t width, uint32_t rows)
{
	size_t bytes = (width + 7) / 8 * (size_t)rows;
	uint8_t *pbm = test_malloc(bytes + 64);
	int n = sprintf((char *)pbm, "P4\n%u %u\n", width, rows);

	memcpy(pbm + n, pixels, bytes);
	set("feeder", pbm, n + bytes);
	test_free(pbm);
}

/* The pixels of the sheet that lies on top: those before it are what a jam left half printed. */
static const uint8_t *tray_sheet(uint32_t *width, uint32_t *rows)
{
	int fd = open(SIM "tray", O_RDONLY);
	size_t len = 0, at = 0, start = 0;
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = read(fd, tray + len, sizeof(tray) - 1 - len)) > 0)
		len += n;
	close(fd);
	tray[len] = 0;
	assert_true(len > 0);
	while (at < len) {
		int header = 0;

		assert_int_equal(sscanf((char *)tray + at, "P4 %u %u%n", width, rows, &header), 2);
		start = at + header + 1;
		at = start + (*width + 7) / 8 * (size_t)*rows;
	}
	assert_int_equal(at, len);
	return tray + start;
}

static void on_added(void *userdata, struct board *b)
{
	((struct desk *)userdata)->board = b;
}

static void on_removed(void *userdata, struct board *b)
{
	((struct desk *)userdata)->board = NULL;
}

static void on_changed(void *userdata, struct board *b)
{
}

static const struct board_handlers board_handlers = {
	.added = on_added,
	.removed = on_removed,
	.changed = on_changed,
};

static void on_scanned(void *userdata, struct scan_result *result)
{
	struct desk *d = userdata;

	d->scanned++;
	d->code = result->code;
	d->more = result->more_paper;
	snprintf(d->text, sizeof(d->text), "%s", error_text(&result->error));
	page_clear(&d->page);
	d->page = result->page;
}

static void on_waiting(void *userdata, uint32_t conditions)
{
	((struct desk *)userdata)->waits++;
}

static void on_goes_on(void *userdata)
{
	((struct desk *)userdata)->goes_on++;
}

static void on_printed(void *userdata, const struct print_result *result)
{
	struct desk *d = userdata;

	d->printed++;
	d->code = result->code;
}

static const struct print_handlers print_handlers = {
	.waiting = on_waiting,
	.goes_on = on_goes_on,
	.done = on_printed,
};

static uint64_t now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* Runs the loop until *@count reaches @n, or fails. */
static void until(struct desk *d, const unsigned int *count, unsigned int n)
{
	uint64_t end = now_msec() + SECONDS * 1000;

	while (*count < n && now_msec() < end)
		assert_true(sd_event_run(d->event, 100000) >= 0);
	assert_int_equal(*count, n);
}

static void until_msec(struct desk *d, unsigned int msec)
{
	uint64_t end = now_msec() + msec;

	while (now_msec() < end)
		assert_true(sd_event_run(d->event, 50000) >= 0);
}

static void until_board(struct desk *d, bool here)
{
	uint64_t end = now_msec() + SECONDS * 1000;

	while (!!d->board != here && now_msec() < end)
		assert_true(sd_event_run(d->event, 100000) >= 0);
	assert_int_equal(!!d->board, here);
}

static void add_nodes(struct desk *d)
{
	struct error e = {};

	assert_int_equal(boards_node_added(d->boards, "/dev/faxscan0", &e), 0);
	assert_int_equal(boards_node_added(d->boards, "/dev/faxprint0", &e), 0);
	assert_int_equal(boards_node_added(d->boards, "/dev/faxcodec0", &e), 0);
	until_board(d, true);
}

static int setup(void **state)
{
	static const char *const numbers[] = { "jam_scan_at", "jam_print_at", "jam", "cover",
					       "rows_per_second" };
	struct desk *d = test_calloc(1, sizeof(*d));

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		set_text(numbers[i], "0");
	set_text("feeder_clear", "1");
	set_text("tray_clear", "1");
	set_text("paper", "100");
	assert_true(sd_event_new(&d->event) >= 0);
	counted_sys = func_sys_linux;
	counted_sys.ioctl = counted_ioctl;
	counted_sys.map = counted_map;
	assert_int_equal(boards_new(&d->boards, d->event, &counted_sys, &board_handlers, d), 0);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct desk *d = *state;

	page_clear(&d->page);
	boards_free(d->boards);
	sd_event_unref(d->event);
	test_free(d);
	return 0;
}

static int setup_board(void **state)
{
	setup(state);
	add_nodes(*state);
	assert_int_equal(((struct desk *)*state)->board->scanner->ops->claim(
				 ((struct desk *)*state)->board->scanner, NULL), 0);
	return 0;
}

static struct scan_params params(uint32_t encoding, uint32_t flags)
{
	return (struct scan_params){
		.xres = FAX_RES_8_MM,
		.yres = FAX_RES_7_7_MM,
		.encoding = encoding,
		.k = encoding == FAX_ENC_MR ? 4 : 0,
		.flags = flags,
	};
}

static int try_scan(struct desk *d, struct scanner *s, const struct scan_params *p)
{
	struct error e = {};
	int r = s->ops->page(s, p, on_scanned, d, &e);

	if (r < 0)
		snprintf(d->text, sizeof(d->text), "%s", error_text(&e));
	else
		until(d, &d->scanned, d->scanned + 1);
	return r;
}

static void scan(struct desk *d, struct scanner *s, const struct scan_params *p)
{
	if (try_scan(d, s, p) < 0 || d->code != FAX_CODE_OK)
		fail_msg("not scanned: code %u, %s", d->code, d->text);
}

static void print_start(struct desk *d, struct printer *p, const struct page_strip *banner)
{
	struct error e = {};

	if (p->ops->page(p, &d->page, banner, &print_handlers, d, &e) < 0)
		fail_msg("not printed: %s", error_text(&e));
}

static void print(struct desk *d, struct printer *p, const struct page_strip *banner)
{
	print_start(d, p, banner);
	until(d, &d->printed, d->printed + 1);
	assert_int_equal(d->code, FAX_CODE_OK);
}

static void assert_tray(const uint8_t *pixels, uint32_t width, uint32_t rows)
{
	uint32_t w, r;
	const uint8_t *sheet = tray_sheet(&w, &r);

	assert_int_equal(w, width);
	assert_int_equal(r, rows);
	assert_memory_equal(sheet, pixels, (width + 7) / 8 * (size_t)rows);
	set_text("tray_clear", "1");
}

static void round_trip(struct desk *d, struct scanner *s, struct printer *p)
{
	static const struct {
		uint32_t encoding, flags;
	} forms[] = {
		{ FAX_ENC_MMR, FAX_FMT_END },
		{ FAX_ENC_MH, FAX_FMT_EOL | FAX_FMT_LSB_FIRST },
		{ FAX_ENC_MR, FAX_FMT_EOL },
	};
	uint8_t *pixels = test_malloc(PAGE);

	for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
		draw(pixels, i, PAGE);
		feed(pixels, WIDTH, ROWS);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
		struct scan_params form = params(forms[i].encoding, forms[i].flags);

		draw(pixels, i, PAGE);
		scan(d, s, &form);
		assert_int_equal(d->more, i < ARRAY_SIZE(forms) - 1);
		assert_int_equal(d->page.rows, ROWS);
		print(d, p, NULL);
		assert_tray(pixels, WIDTH, ROWS);
	}
	test_free(pixels);
}

static void test_round_trip(void **state)
{
	struct desk *d = *state;
	struct fax_status st;

	round_trip(d, d->board->scanner, d->board->printer);
	assert_int_equal(board_status(d->board, FAX_FUNC_SCAN, &st), 0);
	assert_int_equal(st.pages, 3);
}

static uint64_t cpu_maps(struct desk *d)
{
	struct fax_status st;

	assert_int_equal(board_status(d->board, FAX_FUNC_SCAN, &st), 0);
	return st.cpu_maps;
}

/*
 * From the second page on the daemon makes at most six calls a page each way,
 * and one behind the last original, to hear that the feeder is empty.
 * All that it maps is one buffer of code each way, never a page.
 */
static void test_calls_of_a_page(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(PAGE);
	struct desk *d = *state;
	unsigned int before, i;
	uint64_t kernel_maps = cpu_maps(d);

	draw(pixels, 6, PAGE);
	for (i = 0; i < 10; i++)
		feed(pixels, WIDTH, ROWS);
	maps = 0;
	for (i = 0; i < 10; i++) {
		before = calls;
		scan(d, d->board->scanner, &form);
		if (i)
			assert_in_range(calls - before, 4, i < 9 ? 6 : 7);
		before = calls;
		print(d, d->board->printer, NULL);
		if (i)
			assert_in_range(calls - before, 4, 6);
		assert_tray(pixels, WIDTH, ROWS);
	}
	assert_int_equal(maps, 2);
	assert_int_equal(cpu_maps(d) - kernel_maps, 2);
	test_free(pixels);
}

/* Random pixels expand in MMR: the coder's buffer fills up and is emptied in turns. */
static void test_code_larger_than_the_buffer(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(2 * PAGE);
	struct desk *d = *state;
	uint32_t seed = 1;

	for (size_t i = 0; i < 2 * PAGE; i++) {
		seed = seed * 1664525 + 1013904223;
		pixels[i] = seed >> 24;
	}
	feed(pixels, WIDTH, 2 * ROWS);
	scan(d, d->board->scanner, &form);
	assert_true(d->page.strips[0].len > 1 << 20);
	print(d, d->board->printer, NULL);
	assert_tray(pixels, WIDTH, 2 * ROWS);
	test_free(pixels);
}

static void test_banner_above_the_page(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(PAGE);
	struct desk *d = *state;
	struct page banner;

	draw(pixels, 7, PAGE);
	feed(pixels, WIDTH, 40);
	feed(pixels + 40 * STRIDE, WIDTH, ROWS - 40);
	scan(d, d->board->scanner, &form);
	banner = d->page;
	d->page = (struct page){};
	scan(d, d->board->scanner, &form);
	print(d, d->board->printer, &banner.strips[0]);
	assert_tray(pixels, WIDTH, ROWS);
	page_clear(&banner);
	test_free(pixels);
}

static void test_original_too_wide(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_calloc(1, 400 * 100);
	struct desk *d = *state;

	feed(pixels, 3200, 100);	/* 400 mm */
	assert_int_equal(try_scan(d, d->board->scanner, &form), -EMSGSIZE);
	assert_non_null(strstr(d->text, "400 mm"));
	test_free(pixels);
}

static void test_empty_feeder(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	struct desk *d = *state;

	assert_int_equal(try_scan(d, d->board->scanner, &form), -ENOSPC);
}

static void test_feeder_jams_on_page_3_of_5(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(PAGE);
	struct desk *d = *state;

	draw(pixels, 1, PAGE);
	set_text("jam_scan_at", "3");
	for (int i = 0; i < 5; i++)
		feed(pixels, WIDTH, ROWS);
	scan(d, d->board->scanner, &form);
	scan(d, d->board->scanner, &form);
	assert_true(d->more);
	assert_int_equal(try_scan(d, d->board->scanner, &form), 0);
	assert_int_equal(d->code, FAX_CODE_JAM);
	assert_int_equal(d->page.nstrips, 0);
	assert_int_equal(try_scan(d, d->board->scanner, &form), -EIO);
	assert_non_null(strstr(d->text, "stuck"));
	set_text("jam", "0");		/* taken out and put back */
	for (int i = 3; i <= 5; i++)
		scan(d, d->board->scanner, &form);
	assert_false(d->more);
	test_free(pixels);
}

static void test_out_of_paper_then_refilled(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(PAGE);
	struct desk *d = *state;

	draw(pixels, 2, PAGE);
	feed(pixels, WIDTH, ROWS);
	scan(d, d->board->scanner, &form);
	set_text("paper", "0");
	print_start(d, d->board->printer, NULL);
	until(d, &d->waits, 1);
	assert_true(d->board->printer->ops->conditions(d->board->printer) & FAX_COND_PAPER_OUT);
	assert_int_equal(d->printed, 0);
	set_text("paper", "10");
	until(d, &d->goes_on, 1);
	until(d, &d->printed, 1);
	assert_int_equal(d->code, FAX_CODE_OK);
	assert_false(d->board->printer->ops->conditions(d->board->printer) & FAX_COND_PAPER_OUT);
	assert_tray(pixels, WIDTH, ROWS);
	test_free(pixels);
}

/* The board sleeps while its page waits: that begins anew, and nobody above need know. */
static void test_sleep_while_waiting_for_paper(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(PAGE);
	struct desk *d = *state;

	draw(pixels, 8, PAGE);
	feed(pixels, WIDTH, ROWS);
	scan(d, d->board->scanner, &form);
	set_text("paper", "0");
	print_start(d, d->board->printer, NULL);
	until(d, &d->waits, 1);
	set_text("suspend", "1");
	until_msec(d, 300);
	set_text("suspend", "0");
	until_msec(d, 300);
	assert_int_equal(d->printed, 0);
	set_text("paper", "10");
	until(d, &d->printed, 1);
	assert_int_equal(d->code, FAX_CODE_OK);
	assert_tray(pixels, WIDTH, ROWS);
	test_free(pixels);
}

/* At the feed the page waits for hands and then goes on; with rows on paper it is lost. */
static void test_printer_jams(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(PAGE);
	struct desk *d = *state;

	draw(pixels, 3, PAGE);
	feed(pixels, WIDTH, ROWS);
	scan(d, d->board->scanner, &form);
	/* on its way in a sheet takes its page with it; the next page waits until it is out */
	set_text("jam_print_at", "1");
	print_start(d, d->board->printer, NULL);
	until(d, &d->printed, 1);
	assert_int_equal(d->code, FAX_CODE_JAM);
	print_start(d, d->board->printer, NULL);
	until(d, &d->waits, 1);
	set_text("jam", "0");
	until(d, &d->printed, 2);
	assert_int_equal(d->code, FAX_CODE_OK);
	assert_tray(pixels, WIDTH, ROWS);

	set_text("rows_per_second", "200");
	print_start(d, d->board->printer, NULL);
	until_msec(d, 500);
	set_text("jam", "2");
	until(d, &d->printed, 3);
	assert_int_equal(d->code, FAX_CODE_JAM);
	set_text("jam", "0");
	set_text("rows_per_second", "0");
	set_text("tray_clear", "1");
	print(d, d->board->printer, NULL);
	assert_tray(pixels, WIDTH, ROWS);
	test_free(pixels);
}

static void test_cancel_while_waiting_for_paper(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(PAGE);
	struct desk *d = *state;

	draw(pixels, 4, PAGE);
	feed(pixels, WIDTH, ROWS);
	scan(d, d->board->scanner, &form);
	set_text("paper", "0");
	print_start(d, d->board->printer, NULL);
	until(d, &d->waits, 1);
	d->board->printer->ops->cancel(d->board->printer);
	until(d, &d->printed, 1);
	assert_int_equal(d->code, FAX_CODE_CANCELED);
	test_free(pixels);
}

static void on_checked(void *userdata, int r, const struct error *e)
{
	struct desk *d = userdata;

	d->checked++;
	d->code = r;
	snprintf(d->text, sizeof(d->text), "%s", error_text(e));
}

/* The page of the self-test, and one whose board goes. */
static void test_coder_is_tried(void **state)
{
	struct desk *d = *state;
	struct coder_check *check;
	struct error e = {};

	assert_int_equal(coder_check_new(&check, d->board, on_checked, d, &e), 0);
	until(d, &d->checked, 1);
	coder_check_free(check);
	if (d->code)
		fail_msg("%s", d->text);
	assert_int_equal(coder_check_new(&check, d->board, on_checked, d, &e), 0);
	set_text("live", "0");
	until(d, &d->checked, 2);
	until_board(d, false);
	coder_check_free(check);
	set_text("live", "1");
	add_nodes(d);
}

/* Last but one: the board is plugged in again at the end. */
static void test_unplugged_mid_page(void **state)
{
	struct scan_params form = params(FAX_ENC_MMR, FAX_FMT_END);
	uint8_t *pixels = test_malloc(PAGE);
	struct desk *d = *state;
	struct error e = {};
	uint64_t before;

	draw(pixels, 5, PAGE);
	feed(pixels, WIDTH, ROWS);
	set_text("rows_per_second", "200");
	assert_int_equal(d->board->scanner->ops->page(d->board->scanner, &form, on_scanned, d, &e),
			 0);
	until_msec(d, 300);
	assert_int_equal(d->scanned, 0);
	before = now_msec();
	set_text("live", "0");
	until(d, &d->scanned, 1);
	until_board(d, false);
	assert_int_equal(d->code, FAX_CODE_GONE);
	assert_true(now_msec() - before < 1000);
	set_text("live", "1");
	set_text("rows_per_second", "0");
	before = now_msec();
	add_nodes(d);
	assert_true(now_msec() - before < 1000);
	set_text("feeder_clear", "1");
	assert_int_equal(d->board->scanner->ops->claim(d->board->scanner, &e), 0);
	round_trip(d, d->board->scanner, d->board->printer);
	test_free(pixels);
}

/* The same engines as if their board had no coder. */
static void test_without_coder(void **state)
{
	struct desk *d = *state;
	struct error e = {};
	struct func *scan_func, *print_func;
	struct scanner *scanner;
	struct printer *printer;

	assert_int_equal(func_open(&scan_func, d->event, &func_sys_linux, "/dev/faxscan0", &e), 0);
	assert_int_equal(func_open(&print_func, d->event, &func_sys_linux, "/dev/faxprint0", &e),
			 0);
	assert_int_equal(scanner_new(&scanner, scan_func, NULL), 0);
	assert_int_equal(printer_new(&printer, print_func, NULL), 0);
	round_trip(d, scanner, printer);
	scanner_free(scanner);
	printer_free(printer);
	func_close(scan_func);
	func_close(print_func);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup_board, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_round_trip),
		T(test_calls_of_a_page),
		T(test_code_larger_than_the_buffer),
		T(test_banner_above_the_page),
		T(test_original_too_wide),
		T(test_empty_feeder),
		T(test_feeder_jams_on_page_3_of_5),
		T(test_out_of_paper_then_refilled),
		T(test_sleep_while_waiting_for_paper),
		T(test_printer_jams),
		T(test_cancel_while_waiting_for_paper),
		T(test_coder_is_tried),
		T(test_unplugged_mid_page),
		cmocka_unit_test_setup_teardown(test_without_coder, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
