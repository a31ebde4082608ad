// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The example driver: that what is there to be copied works, and that a board's
 * driver can be unloaded whatever its users do.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "uapi_test.h"

#define MODULE	"/example.module"
#define NODE	"/dev/faxprint1"
#define ROWS	2000u
#define PAGE	((uint64_t)ROWS * A4_STRIDE)

static void load(void)
{
	int fd = open(MODULE, O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		bail(MODULE ": %s", strerror(errno));
	close(fd);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "faxexample", O_NONBLOCK);
}

int main(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	struct fax_info info = {};
	struct fax_completion c;
	struct fax_status status;
	struct fax_seg seg;
	struct buf buf;
	uint32_t job, i, good = 0;
	int dev;

	if (access(MODULE, F_OK)) {
		printf("1..0 # SKIP the example is not there\n");
		return 0;
	}
	load();
	dev = wait_dev(NODE, O_RDWR);
	check(!ioctl(dev, FAX_IOC_INFO, &info) && !strcmp((char *)info.board, "example") &&
	      !strcmp((char *)info.driver, "faxexample"), "the example driver has a board");
	buf = buf_new(dev, PAGE);
	seg = seg_in(&buf, 0, PAGE);
	for (i = 0; i < 20; i++)
		must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	for (i = 0; i < 20; i++) {
		c = must_reap(dev);
		good += !c.code && c.rows == ROWS;
	}
	check_u64(good, 20, "it prints");
	status = status_of(dev);
	check(status.pages == 20 && status.rows == 20 * ROWS && !status.errors, "and is counted");
	job = must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	check_errno(cancel(dev, job), 0, "CANCEL");
	c = must_reap(dev);
	check(c.code == FAX_CODE_CANCELED || !c.code, "is obeyed");
	check_u64(status_of(dev).resets, 0, "without a reset");
	check_errno(ioctl(dev, FAX_IOC_RESET), 0, "RESET");
	must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	check_u64(must_reap(dev).code, FAX_CODE_OK, "and on");

	for (i = 0; i < 8; i++)
		must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	check_errno(unload(), 0, "it is unloaded under its users: an open, a mapping, jobs");
	for (i = 0; i < 8; i++) {
		c = must_reap(dev);
		good += !c.code || c.code == FAX_CODE_GONE;
	}
	check_u64(good, 28, "whose jobs end");
	check_errno(reap(dev, &c, 100), ENODEV, "the board is gone");
	buf.mem[PAGE - 1] = 0x55;
	check(buf.mem[PAGE - 1] == 0x55, "their memory is not");
	load();
	close(wait_dev("/dev/faxprint2", O_RDWR));
	check(access(NODE, F_OK), "loaded again, it has another number while the old one is open");
	buf_free(dev, &buf);
	close(dev);
	check_errno(unload(), 0, "and is unloaded");
	return done_testing();
}
