// SPDX-License-Identifier: LGPL-2.1-or-later
/* Paper out, jam, cover: who waits, who fails, what is told. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <linux/lp.h>

#include "uapi_test.h"

#define ROWS	300u

static int print, scan;
static struct buf page;

static uint32_t print_page(uint32_t flags)
{
	struct fax_seg seg = seg_in(&page, 0, (uint64_t)ROWS * A4_STRIDE);
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);

	return must_submit(print, FAX_OP_PRINT, flags, &fmt, -1, &seg, 1);
}

static void drain_events(int dev)
{
	struct fax_event e;

	while (!next_event(dev, &e, 100))
		;
}

static bool printed_is_page(void)
{
	uint32_t width, rows;
	uint8_t *got = sim_printed(&width, &rows);
	bool same = width == A4_WIDTH && rows == ROWS &&
		    !memcmp(got, page.mem, (size_t)ROWS * A4_STRIDE);

	free(got);
	return same;
}

static void test_paper_out(void)
{
	struct fax_completion c;
	struct fax_event e;
	uint32_t job;
	int lp = 0;

	sim_set("paper", "0");
	check(wait_event(print, FAX_EVENT_CONDITION, &e, 2000) &&
	      e.conditions == FAX_COND_PAPER_OUT && e.changed == FAX_COND_PAPER_OUT,
	      "an event says that the tray is empty");
	check_u64(status_of(print).conditions, FAX_COND_PAPER_OUT, "so does STATUS");
	ioctl(print, LPGETSTATUS, &lp);
	check(lp & LP_POUTPA, "so does LPGETSTATUS");

	job = print_page(0);
	check(wait_event(print, FAX_EVENT_JOB_WAITING, &e, 2000) && e.job == job,
	      "a job waits for paper, and says so");
	check_u64(status_of(print).state, FAX_STATE_WAITING, "the printer waits");
	check_errno(reap(print, &c, 300), ETIMEDOUT, "the job does not end");
	sim_set("paper", "5");
	check(wait_event(print, FAX_EVENT_JOB_GOES_ON, &e, 2000) && e.job == job,
	      "with paper it goes on, and says so");
	c = must_reap(print);
	check(!c.code && c.rows == ROWS, "and ends well");
	check(printed_is_page(), "with the right pixels");
	check_u64(sim_get("paper"), 4, "one sheet was used");
	check_u64(status_of(print).latched & FAX_COND_PAPER_OUT, FAX_COND_PAPER_OUT,
		  "STATUS remembers the condition");
	check_u64(status_of(print).latched, 0, "once");

	sim_set("paper", "0");
	wait_event(print, FAX_EVENT_CONDITION, &e, 2000);
	print_page(FAX_SUBMIT_NOWAIT);
	c = must_reap(print);
	check(c.code == FAX_CODE_PAPER_OUT && c.error == -ENOSPC && !c.rows,
	      "NOWAIT does not wait");

	job = print_page(0);
	wait_event(print, FAX_EVENT_JOB_WAITING, &e, 2000);
	check_errno(cancel(print, job), 0, "a waiting job is canceled");
	c = must_reap(print);
	check_u64(c.code, FAX_CODE_CANCELED, "and ends so");
	check_u64(status_of(print).state, FAX_STATE_IDLE, "the printer is idle");
	sim_set("paper", "100");
	drain_events(print);
}

/* A sheet that jams ends its job, wherever it does; the next job waits until it is taken out. */
static void test_jam(void)
{
	struct fax_status before = status_of(print), after;
	struct fax_completion c;
	struct fax_event e;
	uint32_t job;

	sim_set("tray_clear", "1");
	sim_set("jam_print_at", "2");
	print_page(0);
	job = print_page(0);
	c = must_reap(print);
	check_u64(c.code, FAX_CODE_OK, "the first sheet");
	c = must_reap(print);
	check(c.job == job && c.code == FAX_CODE_JAM && c.error == -EIO && !c.rows,
	      "the second jams on its way in, and its job ends");
	job = print_page(0);
	check(wait_event(print, FAX_EVENT_JOB_WAITING, &e, 2000) && e.job == job &&
	      (e.conditions & FAX_COND_JAM), "the next waits until the jam is cleared");
	sim_set("jam", "0");
	check(wait_event(print, FAX_EVENT_JOB_GOES_ON, &e, 2000) && e.job == job, "and goes on");
	c = must_reap(print);
	check(!c.code && printed_is_page(), "and prints its page");

	sim_set("rows_per_second", "300");
	print_page(0);
	usleep(300000);
	sim_set("jam", "2");
	c = must_reap(print);
	check(c.code == FAX_CODE_JAM && c.error == -EIO && c.rows < ROWS,
	      "a jam in mid-page ends the job");
	after = status_of(print);
	check(after.errors == before.errors + 2 && after.pages == before.pages + 2,
	      "STATUS counts two pages and two errors");
	sim_reset();
	print_page(0);
	usleep(20000);
	c = must_reap(print);
	check(!c.code && printed_is_page(), "and printing goes on");

	sim_set("rows_per_second", "300");
	print_page(0);
	usleep(300000);
	sim_set("cover", "1");
	c = must_reap(print);
	check(c.code == FAX_CODE_COVER && c.error == -EIO, "an opened cover ends the job");
	sim_reset();
	drain_events(print);
}

static void test_scan_jam(void)
{
	struct fax_seg seg = seg_out(&page, 0, page.size);
	struct buf mine = buf_new(scan, 2 * page.size);
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, 0);
	struct fax_completion c;
	int i;

	seg.buf = mine.handle;
	for (i = 0; i < 5; i++)
		sim_feed(page.mem, A4_WIDTH, ROWS);
	sim_set("jam_scan_at", "3");
	for (i = 1; i <= 3; i++) {
		must_submit(scan, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
		c = must_reap(scan);
		if (i < 3)
			check(!c.code && c.rows == ROWS && (c.flags & FAX_DONE_MORE_PAPER) &&
				      !memcmp(mine.mem, page.mem, (size_t)ROWS * A4_STRIDE),
			      "page %d of 5", i);
	}
	check(c.code == FAX_CODE_JAM && c.error == -EIO, "page 3 of 5 jams (code %u)", c.code);
	sim_reset();

	/* an original that is wider than the format, and one that is longer */
	{
		uint8_t *wide = page_make(2048, ROWS, 1);

		sim_feed(wide, 2048, ROWS);
		must_submit(scan, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
		c = must_reap(scan);
		check(c.code == FAX_CODE_TOO_WIDE && c.error == -EMSGSIZE,
		      "an original that is too wide");
		free(wide);
		sim_reset();
	}
	sim_feed(page.mem, A4_WIDTH, ROWS);
	seg.length = 100 * A4_STRIDE;
	must_submit(scan, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	c = must_reap(scan);
	check(c.code == FAX_CODE_TOO_LONG && c.rows == 100,
	      "an original longer than the memory (%u rows)", c.rows);
	sim_reset();
	sim_feed(page.mem, A4_WIDTH, ROWS);
	seg.length = mine.size;
	fmt.rows = ROWS + 50;
	must_submit(scan, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	c = must_reap(scan);
	check(!c.code && c.rows == ROWS && (c.flags & FAX_DONE_SHORT),
	      "an original shorter than asked for");
	buf_free(scan, &mine);
}

/* The last sheet leaves an empty tray behind: the page on it does not wait. */
static void test_last_sheet(void)
{
	struct fax_completion c;
	struct fax_event e;
	bool waited = false;

	drain_events(print);
	sim_set("paper", "1");
	sim_set("rows_per_second", "600");
	print_page(0);
	usleep(200000);
	check_u64(status_of(print).conditions, FAX_COND_PAPER_OUT,
		  "the tray is empty once its last sheet is drawn in");
	check_u64(status_of(print).state, FAX_STATE_BUSY, "that page is being printed");
	c = must_reap(print);
	check(!c.code && printed_is_page(), "and comes out whole");
	while (!next_event(print, &e, 50))
		waited |= e.type == FAX_EVENT_JOB_WAITING || e.type == FAX_EVENT_JOB_GOES_ON;
	check(!waited, "nobody was told to wait");
	sim_reset();
	drain_events(print);
}

/* Each JOB_WAITING has its JOB_GOES_ON, though paper comes a sheet at a time. */
static void test_waits_in_turn(void)
{
	uint32_t job[5], waits = 0, goes = 0, order = 0, i;
	struct fax_event e;

	sim_set("paper", "0");
	drain_events(print);
	for (i = 0; i < 5; i++)
		job[i] = print_page(0);
	for (i = 0; i < 5; i++) {
		if (!wait_event(print, FAX_EVENT_JOB_WAITING, &e, 2000))
			break;
		waits += e.job == job[i];
		sim_set("paper", "1");
		if (!wait_event(print, FAX_EVENT_JOB_GOES_ON, &e, 2000))
			break;
		goes += e.job == job[i];
		order += must_reap(print).job == job[i];
	}
	check(waits == 5 && goes == 5 && order == 5,
	      "five jobs wait, go on and end one after the other (%u, %u, %u)", waits, goes,
	      order);
	check_errno(wait_event(print, FAX_EVENT_JOB_WAITING, &e, 200) ? 0 : -ETIMEDOUT, ETIMEDOUT,
		    "and none more is told to wait");
	sim_reset();
	drain_events(print);
}

/* An open in the way does not mix its pages with another's. */
static void test_lease(void)
{
	int other = open_dev(PRINTER, O_WRONLY);
	struct fax_claim claim = {};
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	struct buf mine = buf_new(other, (uint64_t)ROWS * A4_STRIDE);
	struct fax_seg seg = seg_in(&mine, 0, mine.size);
	struct fax_completion c;

	seg.length = (uint64_t)ROWS * A4_STRIDE;
	memcpy(mine.mem, page.mem, seg.length);
	check_errno(ioctl(print, FAX_IOC_CLAIM, &claim), 0, "CLAIM");
	check_errno(submit(other, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1, NULL), EBUSY,
		    "SUBMIT against another's claim");
	check_errno(ioctl(print, FAX_IOC_RELEASE), 0, "RELEASE");
	sim_set("rows_per_second", "2000");
	print_page(0);
	check_errno(submit(other, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1, NULL), 0,
		    "without a claim it is queued");
	check(!must_reap(print).code, "one page");
	c = must_reap(other);
	check(!c.code, "the other page");
	sim_reset();
	buf_free(other, &mine);
	close(other);
}

static void test_lost_events(void)
{
	int other = open_dev(PRINTER, O_WRONLY), watch = open_dev(PRINTER, O_WRONLY), i;
	uint32_t seq = 0, lost = 0, n = 0;
	bool gap = false;
	struct fax_event e;

	for (i = 0; i < 40; i++) {
		sim_set("cover", i % 2 ? "0" : "1");
		if (!wait_event(watch, FAX_EVENT_CONDITION, &e, 2000))
			bail("no event of the cover");
	}
	close(watch);
	while (!next_event(other, &e, 200)) {
		gap |= e.seq != seq++;
		if (e.type == FAX_EVENT_LOST)
			lost += e.value;
		else
			n++;
	}
	check(lost > 0 && n > 10, "events nobody takes are dropped and counted (%u and %u)", n,
	      lost);
	check(!gap, "their numbers have no gap");
	check_errno(next_event(other, &e, 0), ETIMEDOUT, "and then there is none");
	close(other);
	other = open_dev(PRINTER, O_WRONLY | O_NONBLOCK);
	memset(&e, 0, sizeof(e));
	check_errno(ioctl(other, FAX_IOC_EVENT, &e), EAGAIN, "EVENT with O_NONBLOCK");
	close(other);
}

int main(void)
{
	uint8_t *pixels = page_make(A4_WIDTH, ROWS, 21);

	sim_reset();
	print = open_dev(PRINTER, O_RDWR);
	scan = open_dev(SCANNER, O_RDWR);
	page = buf_new(print, (uint64_t)ROWS * A4_STRIDE);
	memcpy(page.mem, pixels, (size_t)ROWS * A4_STRIDE);
	status_of(print);
	drain_events(print);
	test_paper_out();
	test_last_sheet();
	test_waits_in_turn();
	test_jam();
	test_scan_jam();
	test_lease();
	test_lost_events();
	free(pixels);
	return done_testing();
}
