// SPDX-License-Identifier: LGPL-2.1-or-later
/* read() and write(): cat from the scanner, cat to the printer. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "uapi_test.h"

#define ROWS	2200u
#define BYTES	((size_t)ROWS * A4_STRIDE)

static uint8_t *page;

/* Reads to the end of the page. */
static size_t read_page(int fd, uint8_t *to, size_t room, size_t step)
{
	size_t len = 0;
	ssize_t n;

	while (len < room) {
		n = read(fd, to + len, step < room - len ? step : room - len);
		if (n < 0)
			bail("read: %s", strerror(errno));
		if (!n)
			break;
		len += n;
	}
	return len;
}

static bool printed_is(const uint8_t *pixels, uint32_t rows)
{
	uint32_t width, height;
	uint8_t *got = sim_printed(&width, &height);
	bool same = width == A4_WIDTH && height == rows &&
		    !memcmp(got, pixels, (size_t)rows * A4_STRIDE);

	free(got);
	return same;
}

static void test_read(void)
{
	uint8_t *got = malloc(BYTES + 1);
	struct fax_claim claim = { .flags = FAX_NONBLOCK };
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, 0);
	int fd = open_dev(SCANNER, O_RDONLY), other;
	int pipe;

	sim_feed(page, A4_WIDTH, ROWS);
	sim_feed(page, A4_WIDTH, 100);
	check_u64(read_page(fd, got, BYTES + 1, 5000), BYTES, "a page is read to its end");
	check(!memcmp(got, page, BYTES), "the pixels are right");
	other = open_dev(SCANNER, O_RDONLY);
	check_errno(ioctl(other, FAX_IOC_CLAIM, &claim), EBUSY, "reading claims the scanner");
	close(other);
	check_u64(read_page(fd, got, BYTES, 1), 100 * A4_STRIDE, "the next read is the next page");
	check(!memcmp(got, page, 100 * A4_STRIDE), "byte by byte");
	pipe = pipe_new(fd, A4_WIDTH, 64, 4);
	check_errno(submit(fd, FAX_OP_SCAN, 0, &fmt, pipe, NULL, 0, NULL), EBUSY,
		    "an open that reads takes no jobs");
	close(pipe);
	close(fd);
	free(got);
}

static void test_read_nonblock(void)
{
	int fd = open_dev(SCANNER, O_RDONLY | O_NONBLOCK), i;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint8_t *got = malloc(BYTES + 1);
	size_t len = 0;
	ssize_t n;

	for (i = 0; i < 100; i++) {
		n = read(fd, got, 100);
		if (n >= 0 || errno != EAGAIN)
			break;
		poll(&pfd, 1, 1000);
	}
	check_errno(n, ENOSPC, "O_NONBLOCK without an original");
	sim_feed(page, A4_WIDTH, ROWS);
	for (;;) {
		n = read(fd, got + len, BYTES + 1 - len);
		if (!n || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0)
			len += n;
		else if (poll(&pfd, 1, 5000) != 1)
			break;
	}
	check(!n && len == BYTES && !memcmp(got, page, BYTES), "O_NONBLOCK and poll: the whole page");
	close(fd);
	free(got);
}

static void *feed_later(void *arg)
{
	usleep(300000);
	sim_feed(page, A4_WIDTH, 100);
	return NULL;
}

static void test_read_waits(void)
{
	int fd = open_dev(SCANNER, O_RDONLY);
	pthread_t thread;
	uint8_t got[64];
	pid_t pid;
	int status;

	pthread_create(&thread, NULL, feed_later, NULL);
	check_u64(read(fd, got, sizeof(got)), sizeof(got), "read waits for an original");
	pthread_join(thread, NULL);
	close(fd);
	sim_reset();

	pid = fork();
	if (!pid) {
		fd = open_dev(SCANNER, O_RDONLY);
		_exit(read(fd, got, sizeof(got)) >= 0);
	}
	usleep(300000);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status), "a reader that waits can be killed");
	fd = open_dev(SCANNER, O_RDONLY);
	usleep(200000);
	check(!status_of(fd).jobs && !status_of(fd).claimed, "and leaves nothing behind");
	close(fd);
}

static void test_write(void)
{
	int fd = open_dev(PRINTER, O_WRONLY);
	size_t done;
	ssize_t n;

	for (done = 0; done < BYTES; done += n) {
		n = write(fd, page + done, BYTES - done < 7777 ? BYTES - done : 7777);
		if (n <= 0)
			bail("write: %s", strerror(errno));
	}
	check_errno(fsync(fd), 0, "fsync ends the page");
	check_u64(sim_get("tray_count"), 1, "a sheet came out");
	check(printed_is(page, ROWS), "with the pixels written");
	check_errno(fsync(fd), 0, "fsync without a page");

	check_u64(write(fd, page, 10 * A4_STRIDE + 5), 10 * A4_STRIDE + 5, "a page that ends in mid-row");
	close(fd);
	fd = open_dev(PRINTER, O_WRONLY);
	for (n = 0; n < 200 && status_of(fd).jobs; n++)
		usleep(20000);
	check_u64(sim_get("tray_count"), 2, "close prints it");
	{
		uint8_t rest[11 * A4_STRIDE] = {};

		memcpy(rest, page, 10 * A4_STRIDE + 5);
		check(printed_is(rest, 11), "the row is filled up with white");
	}
	close(fd);
}

/* A format with rows: pages end by themselves. */
static void test_write_rows(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, 50);
	int fd = open_dev(PRINTER, O_WRONLY);

	sim_set("tray_clear", "1");
	check_errno(ioctl(fd, FAX_IOC_SET_FMT, &fmt), 0, "SET_FMT of 50 rows");
	check_u64(write(fd, page, 150 * A4_STRIDE), 150 * A4_STRIDE, "150 rows are written");
	check_errno(fsync(fd), 0, "fsync");
	check_u64(sim_get("tray_count"), 3, "three sheets came out");
	check(printed_is(page + 100 * A4_STRIDE, 50), "the last has the last rows");
	fmt.rows = 0;
	check_errno(ioctl(fd, FAX_IOC_SET_FMT, &fmt), 0, "between pages the format may change");
	check_u64(write(fd, page, 100), 100, "a page is begun");
	check_errno(ioctl(fd, FAX_IOC_SET_FMT, &fmt), EBUSY, "in mid-page it may not");
	close(fd);
	usleep(200000);
}

static void *paper_later(void *arg)
{
	usleep(300000);
	sim_set("paper", "10");
	return NULL;
}

static void test_paper_out(void)
{
	int fd = open_dev(PRINTER, O_WRONLY | O_NONBLOCK), i;
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	pthread_t thread;
	size_t done;
	ssize_t n = 0;

	sim_set("tray_clear", "1");
	sim_set("paper", "0");
	for (i = 0; i < 100 && n >= 0; i++) {
		n = write(fd, page, BYTES);
		if (n < 0 && errno == EAGAIN)
			n = poll(&pfd, 1, 1000);
	}
	check_errno(n, ENOSPC, "O_NONBLOCK without paper");
	close(fd);

	fd = open_dev(PRINTER, O_WRONLY);
	pthread_create(&thread, NULL, paper_later, NULL);
	for (done = 0; done < BYTES; done += n) {
		n = write(fd, page + done, BYTES - done);
		if (n <= 0)
			bail("write: %s", strerror(errno));
	}
	check_errno(fsync(fd), 0, "without O_NONBLOCK, writing waits for paper");
	pthread_join(thread, NULL);
	check(printed_is(page, ROWS), "and the page is whole");

	sim_set("rows_per_second", "500");
	n = write(fd, page, 500 * A4_STRIDE);
	usleep(200000);
	sim_set("jam", "2");
	check_errno(fsync(fd), EIO, "fsync reports a jam");
	check_errno(fsync(fd), 0, "once");
	sim_reset();
	check_u64(write(fd, page, A4_STRIDE), A4_STRIDE, "the next page");
	check_errno(fsync(fd), 0, "is printed");
	close(fd);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	page = page_make(A4_WIDTH, ROWS, 1);
	sim_reset();
	test_read();
	test_read_nonblock();
	test_read_waits();
	test_write();
	test_write_rows();
	test_paper_out();
	free(page);
	return done_testing();
}
