// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * On the linked path no CPU gets at a page: the whole way there and back with
 * every way to its memory shut, which is shown to be shut.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <linux/dma-buf.h>

#include "uapi_test.h"

#define KNOB	"/sys/kernel/debug/fax/refuse_cpu"
#define ROWS	1500u
#define CODED	(1u << 20)

static int scan, print, coder;

static void refuse_cpu(bool refuse)
{
	int fd = open(KNOB, O_WRONLY);

	if (fd < 0 || write(fd, refuse ? "Y" : "N", 1) != 1)
		bail("%s: %s", KNOB, strerror(errno));
	close(fd);
}

/* Allocated and mapped for the board, not for us. */
static struct buf buf_unseen(int dev, uint64_t size)
{
	struct fax_buf_alloc alloc = { .size = size };
	struct fax_buf_map map = {};

	if (ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc))
		bail("BUF_ALLOC: %s", strerror(errno));
	map.fd = alloc.fd;
	if (ioctl(dev, FAX_IOC_BUF_MAP, &map))
		bail("BUF_MAP: %s", strerror(errno));
	return (struct buf){ .fd = alloc.fd, .handle = map.buf, .size = alloc.size };
}

static int try_mmap(struct buf *buf)
{
	void *mem = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);

	if (mem == MAP_FAILED)
		return -errno;
	buf->mem = mem;
	return 0;
}

static int try_sync(const struct buf *buf)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };

	return ioctl(buf->fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0;
}

static void test_shut(struct buf *buf)
{
	uint8_t *page = page_make(A4_WIDTH, ROWS, 2);
	uint8_t byte;
	int dev;

	check_errno(try_mmap(buf), EACCES, "mmap of a buffer is refused");
	check_errno(try_sync(buf), EACCES, "SYNC of a buffer is refused");
	sim_feed(page, A4_WIDTH, ROWS);
	dev = open_dev(SCANNER, O_RDONLY);
	check_errno(read(dev, &byte, 1) < 0 ? -errno : 0, EACCES, "read() of a page is refused");
	close(dev);
	dev = open_dev(PRINTER, O_WRONLY);
	check_errno(write(dev, page, A4_STRIDE) < 0 ? -errno : 0, EACCES,
		    "write() of a page is refused");
	close(dev);
	sim_set("feeder_clear", "1");
	free(page);
}

static void test_there_and_back(void)
{
	struct fax_fmt code = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, FAX_FMT_END);
	struct fax_fmt raw = fmt_raw(A4_WIDTH, 0);
	int pipe = pipe_new(coder, A4_WIDTH, 256, 2);
	struct buf coded = buf_unseen(coder, CODED);
	uint8_t *page = page_make(A4_WIDTH, ROWS, 1), *wanted, *paper;
	struct fax_status before = status_of(coder), after;
	struct fax_completion s, c, d, p;
	struct fax_seg seg = seg_out(&coded, 0, coded.size);
	uint32_t width, rows;
	size_t len;

	test_shut(&coded);
	sim_feed(page, A4_WIDTH, ROWS);
	must_submit(coder, FAX_OP_ENCODE, 0, &code, pipe, &seg, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	s = must_reap(scan);
	c = must_reap(coder);
	check(!s.code && !c.code && s.rows == ROWS, "scanned to MMR all the same");
	seg = seg_in(&coded, 0, c.bytes_out);
	seg.encoding = FAX_ENC_MMR;
	must_submit(print, FAX_OP_PRINT, 0, &raw, pipe, NULL, 0);
	must_submit(coder, FAX_OP_DECODE, 0, &raw, pipe, &seg, 1);
	d = must_reap(coder);
	p = must_reap(print);
	check(!d.code && !p.code && p.rows == ROWS, "and MMR to print");
	after = status_of(coder);
	check_u64(after.cpu_maps - before.cpu_maps, 0, "no mapping for a CPU was counted");
	check_u64(after.cpu_accesses - before.cpu_accesses, 0, "nor an access");

	paper = sim_printed(&width, &rows);
	check(width == A4_WIDTH && rows == ROWS && !memcmp(paper, page, ROWS * A4_STRIDE),
	      "the sheet is the original, byte for byte");
	refuse_cpu(false);
	check_errno(try_mmap(&coded), 0, "with the knob off a buffer can be mapped");
	wanted = t4_code(page, &(struct fax_fmt){ .encoding = FAX_ENC_MMR, .width = A4_WIDTH,
						  .rows = ROWS, .stride = A4_STRIDE,
						  .flags = FAX_FMT_END }, &len);
	check(len == c.bytes_out && coded.mem && !memcmp(coded.mem, wanted, len),
	      "the code is what the coder of user space makes");
	free(wanted);
	free(paper);
	free(page);
	close(pipe);
	buf_free(coder, &coded);
}

/* The counters count: a page by read() is one that the CPU touched. */
static void test_counters(void)
{
	struct fax_status before = status_of(coder), after;
	uint8_t *page = page_make(A4_WIDTH, ROWS, 3);
	int dev = open_dev(SCANNER, O_RDONLY);
	uint8_t bytes[4096];

	sim_feed(page, A4_WIDTH, ROWS);
	while (read(dev, bytes, sizeof(bytes)) > 0)
		;
	close(dev);
	after = status_of(coder);
	check_u64(after.cpu_maps - before.cpu_maps, 1, "the ring of read() counts as a mapping");
	check(after.cpu_accesses - before.cpu_accesses >= ROWS * A4_STRIDE / sizeof(bytes),
	      "each read() counts as an access");
	free(page);
}

int main(void)
{
	sim_reset();
	scan = open_dev(SCANNER, O_RDONLY);
	print = open_dev(PRINTER, O_WRONLY);
	coder = open_dev(CODER, O_RDWR);
	refuse_cpu(true);
	test_there_and_back();
	test_counters();
	return done_testing();
}
