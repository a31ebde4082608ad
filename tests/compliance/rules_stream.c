// SPDX-License-Identifier: LGPL-2.1-or-later
/* read() and write(): pages for cat. */
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>

#include "compliance.h"

#define ROWS	700u

static uint32_t width, stride;
static uint8_t *page;
static size_t bytes;

static void page_begin(void)
{
	width = page_width();
	stride = (width + 7) / 8;
	bytes = ROWS * stride;
	page = page_make(width, ROWS, stride, STROKES);
}

static size_t read_page(int dev, uint8_t *to, size_t room, size_t step)
{
	size_t len = 0;
	ssize_t n;

	while (len < room) {
		n = read(dev, to + len, step < room - len ? step : room - len);
		expect(n >= 0, "read: %s", strerror(errno));
		if (!n)
			break;
		len += n;
	}
	return len;
}

static void write_page(int dev, const uint8_t *from, size_t len, size_t step)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(dev, from + done, step < len - done ? step : len - done);
		expect(n > 0, "write: %s", strerror(errno));
		done += n;
	}
}

static int wait_scan(int dev)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_SCAN, page_width(), 0);

	return submit(dev, FAX_OP_SCAN, 0, &fmt, pipe_new(dev, page_width(), 16, 2), NULL, 0, NULL);
}

static void test_refused(unsigned int row)
{
	int coder = open_node(FAX_FUNC_CODEC, 0);
	char byte = 0;

	expect_errno(read(coder, &byte, 1), EOPNOTSUPP, "read from a coder");
	expect_errno(write(coder, &byte, 1), EOPNOTSUPP, "write to a coder");
}

static void test_wrong_way(unsigned int row)
{
	char byte = 0;
	int dev;

	dev = open_node(here.function, 0);
	if (here.function == FAX_FUNC_SCAN)
		expect_errno(write(dev, &byte, 1), EBADF, "write to who was opened for reading");
	else
		expect_errno(read(dev, &byte, 1), EBADF, "read from who was opened for writing");
	dev = open(node_of(here.function)->path, O_RDWR);
	expect(dev >= 0, "open: %s", strerror(errno));
	if (here.function == FAX_FUNC_SCAN)
		expect_errno(write(dev, &byte, 1), EOPNOTSUPP, "write to a scanner");
	else
		expect_errno(read(dev, &byte, 1), EOPNOTSUPP, "read from a printer");
}

static void test_read(unsigned int row)
{
	int dev = open_node(FAX_FUNC_SCAN, 0), other;
	uint8_t *got;

	page_begin();
	got = malloc(bytes + 1);
	feed(page, width, ROWS);
	feed(page, width, 10);
	expect(read_page(dev, got, bytes + 1, 5000) == bytes && !memcmp(got, page, bytes),
	       "the page is wrong");
	expect(read_page(dev, got, bytes, 1) == 10 * stride && !memcmp(got, page, 10 * stride),
	       "the next page is wrong");
	other = open_node(FAX_FUNC_SCAN, 0);
	expect_errno(claim(other, FAX_NONBLOCK, 0), EBUSY, "CLAIM by another");
	expect_errno(wait_scan(dev), EBUSY, "SUBMIT on a stream");
	expect_errno(ioctl(dev, FAX_IOC_RELEASE), EINVAL, "RELEASE of a stream's claim");
	close(dev);
	expect_errno(claim(other, 0, 2000), 0, "CLAIM after it was closed");
}

static void test_jobs_first(unsigned int row)
{
	int dev = open_node(FAX_FUNC_SCAN, 0);
	char byte;

	expect_errno(wait_scan(dev), 0, "SUBMIT");
	expect_errno(read(dev, &byte, 1), EBUSY, "read on an open with jobs");
}

static void test_read_nonblock(unsigned int row)
{
	int dev = open_node(FAX_FUNC_SCAN, O_NONBLOCK), i;
	struct pollfd pfd = { .fd = dev, .events = POLLIN };
	size_t len = 0;
	uint8_t *got;
	ssize_t n;

	page_begin();
	got = malloc(bytes + 1);
	for (i = 0, n = -1, errno = EAGAIN; i < 100 && n < 0 && errno == EAGAIN; i++) {
		n = read(dev, got, 100);
		if (n < 0 && errno == EAGAIN)
			poll(&pfd, 1, 1000), errno = EAGAIN;
	}
	expect_errno(n, ENOSPC, "without an original");
	feed(page, width, ROWS);
	while ((n = read(dev, got + len, bytes + 1 - len))) {
		expect(n > 0 || errno == EAGAIN, "read: %s", strerror(errno));
		if (n > 0)
			len += n;
		else
			expect(poll(&pfd, 1, 5000) == 1, "poll: nothing for 5 s");
	}
	expect(len == bytes && !memcmp(got, page, bytes), "the page is wrong");
}

static void expect_sheet(const uint8_t *pixels, uint32_t rows)
{
	uint32_t got_width, got_rows;
	uint8_t *sheet = printed(&got_width, &got_rows);

	expect(got_width == width && got_rows == rows, "the sheet has %u x %u", got_width,
	       got_rows);
	expect(!memcmp(sheet, pixels, (size_t)rows * stride), "the pixels are wrong");
	free(sheet);
}

static void test_write(unsigned int row)
{
	int dev = open_node(FAX_FUNC_PRINT, 0), i;
	uint8_t *rest;

	page_begin();
	write_page(dev, page, bytes, 7777);
	expect_errno(fsync(dev), 0, "fsync");
	expect_sheet(page, ROWS);
	expect_errno(fsync(dev), 0, "fsync without a page");
	write_page(dev, page, 10 * stride + 5, 1000);
	close(dev);
	for (i = 0; i < 500 && knob_value("tray_count") < 2; i++)
		usleep(10000);
	rest = calloc(11, stride);
	memcpy(rest, page, 10 * stride + 5);
	expect_sheet(rest, 11);
}

static void test_write_rows(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_PRINT, page_width(), 50);
	int dev = open_node(FAX_FUNC_PRINT, 0);

	page_begin();
	expect_errno(ioctl(dev, FAX_IOC_SET_FMT, &fmt), 0, "SET_FMT");
	write_page(dev, page, 150 * stride, 150 * stride);
	expect_errno(fsync(dev), 0, "fsync");
	expect(knob_value("tray_count") == 3, "%ld sheets", knob_value("tray_count"));
	expect_sheet(page + 100 * stride, 50);
	write_page(dev, page, 100, 100);
	expect_errno(ioctl(dev, FAX_IOC_SET_FMT, &fmt), EBUSY, "SET_FMT in mid-page");
}

/* Of a write that had bytes to tell of, the next one tells how its page failed. */
static void test_write_failed(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_PRINT, page_width(), 50);
	int dev = open_node(FAX_FUNC_PRINT, 0);

	page_begin();
	expect_errno(ioctl(dev, FAX_IOC_SET_FMT, &fmt), 0, "SET_FMT");
	knob("jam_print_at", "1");
	expect(write(dev, page, 150 * stride) == (ssize_t)(50 * stride),
	       "more is taken than the page that jams");
	expect_errno(write(dev, page, stride), EIO, "the next write");
	paper_reset();
	write_page(dev, page, 50 * stride, 50 * stride);
	expect_errno(fsync(dev), 0, "fsync of the next page");
	expect_sheet(page, 50);
}

static void test_write_nonblock(unsigned int row)
{
	int dev = open_node(FAX_FUNC_PRINT, O_NONBLOCK), i;
	struct pollfd pfd = { .fd = dev, .events = POLLOUT };
	ssize_t n = 0;

	page_begin();
	knob("paper", "0");
	for (i = 0; i < 200; i++) {
		n = write(dev, page, bytes);
		if (n < 0 && errno != EAGAIN)
			break;
		if (n < 0)
			poll(&pfd, 1, 1000);
	}
	expect_errno(n, ENOSPC, "without paper");
}

static void test_fsync_jam(unsigned int row)
{
	int dev = open_node(FAX_FUNC_PRINT, 0);

	page_begin();
	knob("rows_per_second", "500");
	write_page(dev, page, 300 * stride, bytes);
	usleep(200000);
	knob("jam", "2");
	expect_errno(fsync(dev), EIO, "fsync after a jam");
	expect_errno(fsync(dev), 0, "fsync again");
	paper_reset();
	write_page(dev, page, stride, stride);
	expect_errno(fsync(dev), 0, "fsync of the next page");
	expect_sheet(page, 1);
}

static void *feed_later(void *arg)
{
	usleep(200000);
	feed(page, width, ROWS);
	return NULL;
}

static void test_read_waits(unsigned int row)
{
	int dev = open_node(FAX_FUNC_SCAN, 0);
	pthread_t thread;
	uint8_t got[64];
	double start = now();

	page_begin();
	expect(!pthread_create(&thread, NULL, feed_later, NULL), "pthread_create");
	expect(read(dev, got, sizeof(got)) == sizeof(got), "read: %s", strerror(errno));
	expect(now() - start > 0.18, "it did not wait");
	pthread_join(thread, NULL);
	expect(!memcmp(got, page, sizeof(got)), "the pixels are wrong");
}

static void test_bad_address(unsigned int row)
{
	int scan = open_node(FAX_FUNC_SCAN, 0), print = open_node(FAX_FUNC_PRINT, 0);
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	page_begin();
	feed(page, width, ROWS);
	expect_errno(read(scan, nowhere, 100), EFAULT, "read to a bad address");
	expect_errno(write(print, nowhere, 100), EFAULT, "write from a bad address");
	expect(!read(scan, nowhere, 0), "a read of nothing");
}

static const struct rule table[] = {
	RULE("coder", "a coder has no stream: EOPNOTSUPP", test_refused, NEEDS_CODEC),
	RULE("direction", "a scanner is read, a printer written", test_wrong_way, EACH_ENGINE),
	RULE("jobs-first", "an open with jobs does not stream: EBUSY", test_jobs_first, NEEDS_SCAN),
	RULE("read", "read gives page after page, claims the scanner, takes no jobs", test_read,
	  NEEDS_SCAN | NEEDS_KNOBS),
	RULE("read-waits", "read waits for an original", test_read_waits, NEEDS_SCAN | NEEDS_KNOBS),
	RULE("read-nonblock", "O_NONBLOCK: EAGAIN, ENOSPC without an original, and poll",
	  test_read_nonblock, NEEDS_SCAN | NEEDS_KNOBS),
	RULE("write", "write, fsync and close print; a row begun is filled up", test_write,
	  NEEDS_PRINT | NEEDS_KNOBS),
	RULE("write-rows", "with rows in the format pages end by themselves", test_write_rows,
	  NEEDS_PRINT | NEEDS_KNOBS),
	RULE("write-failed", "how a page failed is told by the write after", test_write_failed,
	  NEEDS_PRINT | NEEDS_KNOBS),
	RULE("write-nonblock", "O_NONBLOCK: EAGAIN, ENOSPC without paper", test_write_nonblock,
	  NEEDS_PRINT | NEEDS_KNOBS),
	RULE("fsync", "fsync reports what became of the page, once", test_fsync_jam,
	  NEEDS_PRINT | NEEDS_KNOBS),
	RULE("address", "bad addresses: EFAULT", test_bad_address,
	  NEEDS_SCAN | NEEDS_PRINT | NEEDS_KNOBS),
};

const struct rules rules_stream = { "stream", table, ARRAY_SIZE(table) };
