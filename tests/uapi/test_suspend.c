// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sleep: what waits, what ends, what STATUS says, and who keeps a board awake. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/lp.h>

#include "uapi_test.h"

#define ROWS	300u
#define PAGE	((uint64_t)ROWS * A4_STRIDE)

static int print, scan;
static struct buf page, mine;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		bail("%s: %s", path, strerror(errno));
	close(fd);
}

static bool says(const char *path, const char *word)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, word);
}

static uint32_t print_page(void)
{
	struct fax_seg seg = seg_in(&page, 0, PAGE);
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);

	return must_submit(print, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
}

static bool printed_is_page(void)
{
	uint32_t width, rows;
	uint8_t *got = sim_printed(&width, &rows);
	bool same = width == A4_WIDTH && rows == ROWS && !memcmp(got, page.mem, PAGE);

	free(got);
	return same;
}

static void test_idle(void)
{
	struct fax_completion c;
	struct fax_status status;
	int lp;

	sim_set("suspend", "1");
	status = status_of(print);
	check_u64(status.state, FAX_STATE_SUSPENDED, "STATUS of a suspended printer");
	check(says("/sys/class/fax/faxprint0/state", "suspended"), "and its attribute");
	check_u64(status.conditions, 0, "conditions are those it had");
	sim_set("paper", "0");
	check_u64(status_of(print).conditions, 0, "and stay so");
	check_errno(ioctl(print, LPGETSTATUS, &lp), 0, "LPGETSTATUS");
	check_errno(ioctl(print, FAX_IOC_RESET), EBUSY, "RESET");
	sim_set("paper", "250");
	print_page();
	check_errno(reap(print, &c, 300), ETIMEDOUT, "a job that is submitted waits");
	check_u64(status_of(print).state, FAX_STATE_SUSPENDED, "the board sleeps on");
	sim_set("suspend", "0");
	c = must_reap(print);
	check(!c.code && printed_is_page(), "with the board awake it is done");
	check_u64(status_of(print).state, FAX_STATE_IDLE, "and the printer is idle");
}

static void test_waiting_page(void)
{
	struct fax_completion c;
	struct fax_event e;
	uint32_t job;

	sim_set("paper", "0");
	job = print_page();
	check(wait_event(print, FAX_EVENT_JOB_WAITING, &e, 2000) && e.job == job,
	      "a page waits for paper");
	sim_set("suspend", "1");
	check_errno(reap(print, &c, 200), ETIMEDOUT, "it survives that the board falls asleep");
	sim_set("suspend", "0");
	check_errno(reap(print, &c, 200), ETIMEDOUT, "and waits on when that wakes up");
	check_u64(status_of(print).state, FAX_STATE_WAITING, "which STATUS says");
	sim_set("suspend", "1");
	sim_set("paper", "5");
	sim_set("suspend", "0");
	c = must_reap(print);
	check(c.job == job && !c.code && printed_is_page(), "paper that came in its sleep is used");
	sim_reset();
}

/*
 * The same of a linked page: its decoder has filled the ring, or is through,
 * and the ring is as long as @bands says.
 */
static void test_linked_page(uint32_t bands, const char *what)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	struct fax_fmt raw = fmt_raw(A4_WIDTH, 0);
	int coder = open_dev(CODER, O_RDWR), pipe = pipe_new(coder, A4_WIDTH, 32, bands);
	struct buf code = buf_new(coder, 1 << 18);
	struct fax_completion c, d;
	struct fax_event e;
	struct fax_seg segs[2];
	uint8_t *coded;
	size_t len;

	/* twice the upper half: the decoder is in its second segment when the power goes */
	fmt.rows = ROWS / 2;
	coded = t4_code(page.mem, &fmt, &len);
	memcpy(code.mem, coded, len);
	segs[0] = seg_in(&code, 0, len);
	segs[0].encoding = FAX_ENC_MMR;
	segs[1] = segs[0];
	sim_set("paper", "0");
	must_submit(print, FAX_OP_PRINT, 0, &raw, pipe, NULL, 0);
	must_submit(coder, FAX_OP_DECODE, 0, &raw, pipe, segs, 2);
	check(wait_event(print, FAX_EVENT_JOB_WAITING, &e, 2000), "a linked page waits, %s", what);
	usleep(200000);
	sim_set("suspend", "1");
	check_errno(reap(print, &c, 200), ETIMEDOUT, "it survives that the board falls asleep");
	sim_set("suspend", "0");
	check_errno(reap(print, &c, 200), ETIMEDOUT, "and waits on");
	sim_set("suspend", "1");
	sim_set("paper", "5");
	sim_set("suspend", "0");
	c = must_reap(print);
	d = must_reap(coder);
	check(!c.code && !d.code && c.rows == ROWS && d.rows == ROWS && d.bytes_in == 2 * len,
	      "then it is printed (codes %u, %u, %u rows, %llu bytes)", c.code, d.code, c.rows,
	      (unsigned long long)d.bytes_in);
	if (!c.code) {
		uint32_t width, rows;
		uint8_t *got = sim_printed(&width, &rows);

		check(rows == ROWS && !memcmp(got, page.mem, PAGE / 2) &&
		      !memcmp(got + PAGE / 2, page.mem, PAGE / 2), "row for row");
		free(got);
	}
	check_u64(status_of(coder).jobs, 0, "and nothing is left");
	free(coded);
	close(pipe);
	buf_free(coder, &code);
	close(coder);
	sim_reset();
}

static void test_under_way(void)
{
	struct fax_seg seg = seg_out(&mine, 0, PAGE);
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	struct fax_completion c;

	sim_set("rows_per_second", "300");
	sim_feed(page.mem, A4_WIDTH, ROWS);
	must_submit(scan, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	usleep(200000);
	sim_set("suspend", "1");
	c = must_reap(scan);
	check(c.code == FAX_CODE_RESET && c.error == -EIO, "a page under way ends (code %u)",
	      c.code);
	sim_set("suspend", "0");
	sim_reset();
	sim_feed(page.mem, A4_WIDTH, ROWS);
	must_submit(scan, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	c = must_reap(scan);
	check(!c.code && !memcmp(mine.mem, page.mem, PAGE), "the next is scanned");
}

/* Many jobs, and the board asleep again and again: each ends once, right or as RESET. */
static void test_coder(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	int dev = open_dev(CODER, O_RDWR);
	struct buf raw = buf_new(dev, PAGE), out = buf_new(dev, 32 << 16);
	uint32_t i, good = 0, reset = 0, wrong = 0;
	struct fax_completion c;
	uint8_t *wanted;
	size_t len;

	memcpy(raw.mem, page.mem, PAGE);
	wanted = t4_code(page.mem, &fmt, &len);
	for (i = 0; i < 32; i++) {
		struct fax_seg segs[] = { seg_in(&raw, 0, PAGE), seg_out(&out, i << 16, 1 << 16) };
		struct fax_submit submit = {
			.op = FAX_OP_ENCODE, .cookie = i, .fmt = fmt, .pipe = -1, .nsegs = 2,
			.segs = (uintptr_t)segs,
		};

		if (ioctl(dev, FAX_IOC_SUBMIT, &submit))
			bail("SUBMIT: %s", strerror(errno));
		if (i % 8 == 7) {
			sim_set("suspend", "1");
			sim_set("suspend", "0");
		}
	}
	for (i = 0; i < 32; i++) {
		c = must_reap(dev);
		if (c.code == FAX_CODE_RESET)
			reset++;
		else if (!c.code && c.bytes_out == len &&
			 !memcmp(out.mem + (c.cookie << 16), wanted, len))
			good++;
		else
			wrong++;
	}
	check(good && good + reset == 32, "32 jobs of the coder: %u done, %u reset, %u wrong", good,
	      reset, wrong);
	check_errno(reap(dev, &c, 100), ETIMEDOUT, "none twice");
	free(wanted);
	buf_free(dev, &raw);
	buf_free(dev, &out);
	close(dev);
}

/* A chunk that the coder holds when the power goes is done anew, if nothing of it came back. */
static void test_held(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	int dev = open_dev(CODER, O_RDWR);
	struct buf raw = buf_new(dev, PAGE), out = buf_new(dev, 1 << 16);
	struct fax_seg segs[] = { seg_in(&raw, 0, PAGE), seg_out(&out, 0, 1 << 16) };
	uint64_t resets = status_of(dev).resets;
	struct fax_completion c;
	uint8_t *wanted;
	size_t len;

	memcpy(raw.mem, page.mem, PAGE);
	wanted = t4_code(page.mem, &fmt, &len);
	put("/sys/kernel/debug/faxsim/sim0/encode/stuck", "1");
	must_submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	check_errno(reap(dev, &c, 200), ETIMEDOUT, "a coder that is stuck");
	sim_set("suspend", "1");
	sim_set("suspend", "0");
	c = must_reap(dev);
	check(!c.code && c.bytes_out == len && !memcmp(out.mem, wanted, len),
	      "begins anew when it wakes up (code %u)", c.code);
	check(status_of(dev).resets > resets, "having been reset");
	free(wanted);
	buf_free(dev, &raw);
	buf_free(dev, &out);
	close(dev);
}

static void test_unplug(void)
{
	struct fax_completion c;
	int dev = open_dev(PRINTER, O_RDWR);
	struct buf buf = buf_new(dev, PAGE);
	struct fax_seg seg = seg_in(&buf, 0, PAGE);
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);

	sim_set("suspend", "1");
	must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	sim_live(false);
	c = must_reap(dev);
	check_u64(c.code, FAX_CODE_GONE, "a board that is unplugged in its sleep");
	check_errno(reap(dev, &c, 100), ENODEV, "is gone");
	buf_free(dev, &buf);
	close(dev);
	sim_live(true);
	close(wait_dev(PRINTER, O_RDWR));
	check_u64(sim_get("suspend"), 0, "plugged in anew it is awake");
}

/* Without an open the board may sleep; an open wakes it. */
static void test_runtime(void)
{
	const char *status = "/sys/class/fax/faxprint0/device/power/runtime_status";
	struct fax_completion c;
	struct fax_seg seg;
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	struct buf buf;
	int dev;

	put("/sys/class/fax/faxprint0/device/power/autosuspend_delay_ms", "100");
	put("/sys/class/fax/faxprint0/device/power/control", "auto");
	usleep(600000);
	check(says(status, "suspended"), "runtime PM: a board that nobody uses sleeps");
	check(says("/sys/class/fax/faxprint0/state", "suspended"), "which its attribute says");
	dev = open_dev(PRINTER, O_RDWR);
	check(says(status, "active"), "an open wakes it");
	usleep(300000);
	check(says(status, "active") && status_of(dev).state == FAX_STATE_IDLE,
	      "and keeps it awake");
	buf = buf_new(dev, PAGE);
	memset(buf.mem, 0x5a, PAGE);
	seg = seg_in(&buf, 0, PAGE);
	sim_set("rows_per_second", "600");
	must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	c = must_reap(dev);
	check_u64(c.code, FAX_CODE_OK, "it prints");
	buf_free(dev, &buf);
	close(dev);
	dev = open_dev(PRINTER, O_WRONLY);
	if (write(dev, "\xff", 1) != 1)
		bail("write: %s", strerror(errno));
	close(dev);
	usleep(600000);
	check(says(status, "suspended"),
	      "a page that was written and closed keeps it awake until it is printed");
	check_u64(sim_get("tray_count"), 2, "two sheets lie in the tray");
	put("/sys/class/fax/faxprint0/device/power/control", "on");
	check(says(status, "active"), "\"on\" keeps it awake");
	sim_reset();
}

/* The whole machine, as far as its devices: they are asleep for a second. */
static void test_system(void)
{
	const char *delay = "/sys/module/suspend/parameters/pm_test_delay";
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	int dev = open_dev(PRINTER, O_RDWR);
	struct buf buf = buf_new(dev, PAGE);
	struct fax_seg seg = seg_in(&buf, 0, PAGE);
	uint64_t resets = status_of(dev).resets;
	struct fax_completion c;
	struct fax_event e;

	if (access("/sys/power/pm_test", W_OK) || access(delay, W_OK)) {
		check(true, "the system's sleep # SKIP this kernel has no pm_test");
		return;
	}
	sim_set("paper", "0");
	must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	check(wait_event(dev, FAX_EVENT_JOB_WAITING, &e, 2000), "a page waits for paper");
	put(delay, "1");
	put("/sys/power/pm_test", "devices");
	put("/sys/power/state", "freeze");
	put("/sys/power/pm_test", "none");
	check(status_of(dev).resets > resets && status_of(dev).state == FAX_STATE_WAITING,
	      "while the system sleeps, too");
	sim_set("paper", "1");
	c = must_reap(dev);
	check_u64(c.code, FAX_CODE_OK, "and is printed after it");
	buf_free(dev, &buf);
	close(dev);
	sim_reset();
}

int main(void)
{
	uint8_t *pixels = page_make(A4_WIDTH, ROWS, 5);

	sim_reset();
	print = open_dev(PRINTER, O_RDWR);
	scan = open_dev(SCANNER, O_RDWR);
	page = buf_new(print, PAGE);
	mine = buf_new(scan, PAGE);
	memcpy(page.mem, pixels, PAGE);
	free(pixels);
	test_idle();
	test_waiting_page();
	test_linked_page(2, "its decoder at the start");
	test_linked_page(6, "its decoder half-way");
	test_linked_page(12, "its decoder through");
	test_under_way();
	test_coder();
	test_held();
	buf_free(print, &page);
	buf_free(scan, &mine);
	close(print);
	close(scan);
	test_unplug();
	test_runtime();
	test_system();
	return done_testing();
}
