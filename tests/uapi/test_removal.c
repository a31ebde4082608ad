// SPDX-License-Identifier: LGPL-2.1-or-later
/* The board is unplugged under processes that wait in every call; then the modules go. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "uapi_test.h"

struct waiter {
	const char *name;
	int (*call)(struct waiter *w);
	int wanted;
	int fd;
	int ret;
	pthread_t thread;
};

static int in_read(struct waiter *w)
{
	char c;

	return read(w->fd, &c, 1) < 0 ? -errno : 0;
}

static int in_write(struct waiter *w)
{
	static char rows[4 << 20];

	while (write(w->fd, rows, sizeof(rows)) > 0)
		;
	return -errno;
}

static int in_reap(struct waiter *w)
{
	struct fax_completion c;

	return reap(w->fd, &c, 60000);
}

static int in_event(struct waiter *w)
{
	struct fax_event e = {};

	do {
		if (ioctl(w->fd, FAX_IOC_EVENT, &e))
			return -errno;
	} while (1);
}

static int in_claim(struct waiter *w)
{
	struct fax_claim claim = {};

	return ioctl(w->fd, FAX_IOC_CLAIM, &claim) ? -errno : 0;
}

static int in_poll(struct waiter *w)
{
	struct pollfd pfd = { .fd = w->fd, .events = POLLIN };

	do {
		if (poll(&pfd, 1, 60000) != 1)
			return -ETIMEDOUT;
	} while (!(pfd.revents & POLLHUP));
	return pfd.revents & POLLERR ? 0 : -EPROTO;
}

static void *wait_there(void *arg)
{
	struct waiter *w = arg;

	w->ret = w->call(w);
	return NULL;
}

static void test_unplug(void)
{
	int holder = open_dev(SCANNER, O_RDWR), coder = open_dev(CODER, O_RDWR);
	int printer = open_dev(PRINTER, O_RDWR);
	struct waiter w[] = {
		{ .name = "write()", .call = in_write, .wanted = -ENODEV, .fd = open_dev(PRINTER, O_WRONLY) },
		{ .name = "REAP", .call = in_reap, .wanted = -ENODEV, .fd = open_dev(CODER, O_RDWR) },
		{ .name = "EVENT", .call = in_event, .wanted = -ENODEV, .fd = open_dev(CODER, O_RDWR) },
		{ .name = "CLAIM", .call = in_claim, .wanted = -ENODEV, .fd = open_dev(SCANNER, O_RDONLY) },
		{ .name = "read()", .call = in_read, .wanted = -ENODEV,
		  .fd = open_dev(SCANNER, O_RDONLY) },
		{ .name = "poll()", .call = in_poll, .wanted = 0, .fd = open_dev(CODER, O_RDWR) },
		{ .name = "a second write()", .call = in_write, .wanted = -ENODEV,
		  .fd = open_dev(PRINTER, O_WRONLY) },
	};
	struct buf buf = buf_new(holder, 1 << 20), coded = buf_new(coder, 65536);
	struct fax_fmt raw = fmt_raw(A4_WIDTH, 0), mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
	struct fax_seg seg = seg_out(&coded, 0, 65536), in = seg_out(&buf, 0, buf.size);
	int pipe = pipe_new(coder, A4_WIDTH, 64, 4);
	struct fax_buf_alloc alloc = { .size = 4096 };
	struct fax_buf_unmap unmap = { .buf = buf.handle };
	struct fax_claim claim = {};
	struct fax_info info = {};
	struct fax_completion c;
	unsigned int i;

	sim_set("paper", "0");
	check_errno(ioctl(holder, FAX_IOC_CLAIM, &claim), 0, "the scanner is claimed");
	for (i = 0; i < sizeof(w) / sizeof(w[0]); i++)
		pthread_create(&w[i].thread, NULL, wait_there, &w[i]);
	must_submit(holder, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &seg, 1);
	must_submit(holder, FAX_OP_SCAN, 0, &raw, -1, &in, 1);
	usleep(500000);
	sim_live(false);
	check(true, "the board is unplugged under blocked callers");
	for (i = 0; i < sizeof(w) / sizeof(w[0]); i++) {
		pthread_join(w[i].thread, NULL);
		check_errno(w[i].ret, -w[i].wanted, "who waits in %s is let go", w[i].name);
		close(w[i].fd);
	}
	for (i = 0; i < 2; i++) {
		c = must_reap(holder);
		check(c.code == FAX_CODE_GONE && c.error == -ENODEV, "its jobs end with GONE (code %u)",
		      c.code);
	}
	c = must_reap(coder);
	check_u64(c.code, FAX_CODE_GONE, "so does the encoder's");
	check_errno(reap(holder, &c, 100), ENODEV, "REAP when all is reaped");
	check_errno(ioctl(holder, FAX_IOC_INFO, &info), ENODEV, "INFO");
	check_errno(ioctl(holder, FAX_IOC_BUF_ALLOC, &alloc), ENODEV, "BUF_ALLOC");
	check_errno(submit(holder, FAX_OP_SCAN, 0, &raw, -1, &in, 1, NULL), ENODEV, "SUBMIT");
	check_errno(ioctl(holder, FAX_IOC_RESET), ENODEV, "RESET");
	check_errno(open(SCANNER, O_RDONLY), ENOENT, "the node is gone");
	buf.mem[0] = 1;
	check(buf.mem[0] == 1, "memory of a buffer outlives the board");
	check_errno(ioctl(holder, FAX_IOC_BUF_UNMAP, &unmap), 0, "BUF_UNMAP");
	close(holder);
	close(coder);
	close(printer);
	close(pipe);
	munmap(buf.mem, buf.size);
	close(buf.fd);
	munmap(coded.mem, coded.size);
	close(coded.fd);
}

/* Plug in and out under load. */
static void test_again_and_again(void)
{
	uint8_t *page = page_make(A4_WIDTH, 1000, 6);
	unsigned int i, bad = 0;

	for (i = 0; i < 12; i++) {
		struct fax_fmt raw = fmt_raw(A4_WIDTH, 0);
		struct fax_fmt mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
		struct fax_completion c = {};
		struct fax_seg seg;
		struct buf coded;
		int scan, coder, pipe;

		sim_live(true);
		sim_set("feeder_clear", "1");
		sim_feed(page, A4_WIDTH, 1000);
		scan = wait_dev(SCANNER, O_RDONLY);
		coder = wait_dev(CODER, O_RDWR);
		coded = buf_new(coder, 1 << 20);
		seg = seg_out(&coded, 0, 1 << 20);
		pipe = pipe_new(coder, A4_WIDTH, 16, 4);
		must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &seg, 1);
		must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
		usleep(i * 700);
		sim_live(false);
		c = must_reap(scan);
		bad += c.code != FAX_CODE_OK && c.code != FAX_CODE_GONE;
		c = must_reap(coder);
		bad += c.code != FAX_CODE_OK && c.code != FAX_CODE_GONE;
		munmap(coded.mem, coded.size);
		close(coded.fd);
		close(scan);
		close(coder);
		close(pipe);
	}
	check_u64(bad, 0, "unplugged at twelve instants: each job is done or GONE");
	sim_live(true);
	close(wait_dev(SCANNER, O_RDONLY));
	close(wait_dev(PRINTER, O_WRONLY));
	close(wait_dev(CODER, O_RDWR));
	check(true, "and back again");
	free(page);
}

static int load(const char *module)
{
	int fd = open(module, O_RDONLY), ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

static void test_unload(void)
{
	int fd;

	if (access("/mods/fax.ko", R_OK)) {
		check(true, "unloading # SKIP the modules to load again are not in /mods");
		return;
	}
	fd = open_dev(SCANNER, O_RDONLY);
	check_errno(unload("faxsim"), 0, "faxsim goes, while a function is open");
	check_errno(unload("faxboard"), 0, "faxboard goes");
	check(unload("fax") != 0, "fax stays as long as the function is open");
	close(fd);
	check_errno(unload("fax"), 0, "then fax goes");
	check_errno(load("/mods/fax.ko"), 0, "fax comes back");
	check_errno(load("/mods/faxboard.ko"), 0, "faxboard comes back");
	check_errno(load("/mods/faxsim.ko"), 0, "faxsim comes back");
	close(wait_dev(SCANNER, O_RDONLY));
}

int main(void)
{
	sim_reset();
	test_unplug();
	test_again_and_again();
	test_unload();
	sim_reset();
	return done_testing();
}
