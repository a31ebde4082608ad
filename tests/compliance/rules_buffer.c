// SPDX-License-Identifier: LGPL-2.1-or-later
/* BUF_ALLOC, BUF_MAP, BUF_UNMAP: buffers of ours and of others. */
#include <sys/mman.h>
#include <linux/dma-buf.h>

#include "compliance.h"

static int map_fd(int dev, int fd, struct fax_buf_map *map)
{
	*map = (struct fax_buf_map){ .fd = fd };
	return ioctl(dev, FAX_IOC_BUF_MAP, map) ? -errno : 0;
}

static int unmap(int dev, uint32_t handle)
{
	struct fax_buf_unmap arg = { .buf = handle };

	return ioctl(dev, FAX_IOC_BUF_UNMAP, &arg) ? -errno : 0;
}

static void test_alloc(unsigned int row)
{
	int dev = open_node(here.function, 0);
	struct fax_buf_alloc alloc;
	uint8_t *mem;
	uint64_t i;

	expect_errno(buf_alloc(dev, 5000, &alloc), 0, "BUF_ALLOC");
	expect(alloc.size >= 5000 && !(alloc.size % sysconf(_SC_PAGESIZE)), "size %llu",
	       (unsigned long long)alloc.size);
	expect(fcntl(alloc.fd, F_GETFD) & FD_CLOEXEC, "O_CLOEXEC was not heeded");
	mem = mmap(NULL, alloc.size, PROT_READ | PROT_WRITE, MAP_SHARED, alloc.fd, 0);
	expect(mem != MAP_FAILED, "mmap: %s", strerror(errno));
	for (i = 0; i < alloc.size; i++)
		expect(!mem[i], "byte %llu is not zero", (unsigned long long)i);
	expect((uint64_t)lseek(alloc.fd, 0, SEEK_END) == alloc.size, "lseek tells another size");
	alloc = (struct fax_buf_alloc){ .size = 1 };
	expect_errno(ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc), 0, "BUF_ALLOC");
	expect(!(fcntl(alloc.fd, F_GETFD) & FD_CLOEXEC), "closed over exec without being told");
}

static void test_alloc_refusals(unsigned int row)
{
	int dev = open_node(here.function, 0);
	struct fax_buf_alloc alloc;

	expect_errno(buf_alloc(dev, 0, &alloc), EINVAL, "nothing");
	expect_errno(buf_alloc(dev, (uint64_t)FAX_MAX_MEMORY + 1, &alloc), EDQUOT,
		     "a byte too much");
	expect_errno(buf_alloc(dev, UINT64_MAX, &alloc), EDQUOT, "everything");
	alloc = (struct fax_buf_alloc){ .size = 1, .flags = O_NONBLOCK };
	expect_errno(ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc), EINVAL, "flags");
}

/* Memory is charged as long as it lives, whoever holds it. */
static void test_quota(unsigned int row)
{
	const uint64_t part = FAX_MAX_MEMORY / 16;
	int dev = open_node(FAX_FUNC_CODEC, 0), ret = 0;
	struct fax_buf_alloc alloc[17];
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(alloc) && !ret; n++)
		ret = buf_alloc(dev, part, &alloc[n]) ? -errno : 0;
	if (ret == -ENOMEM)
		skip("this machine has not the memory");
	expect_errno(ret, EDQUOT, "a seventeenth of a sixteenth");
	expect(n == ARRAY_SIZE(alloc), "%u buffers were refused already", n);
	close(alloc[0].fd);
	usleep(20000);	/* the last reference goes behind our back */
	expect_errno(buf_alloc(dev, part, &alloc[0]), 0, "after one was given back");
}

static void test_map(unsigned int row)
{
	int dev = open_node(here.function, 0);
	struct fax_buf_alloc alloc;
	struct fax_buf_map map, again;

	expect_errno(buf_alloc(dev, 8192, &alloc), 0, "BUF_ALLOC");
	expect_errno(map_fd(dev, alloc.fd, &map), 0, "BUF_MAP");
	expect(map.size == alloc.size && map.buf, "size %llu, handle %u",
	       (unsigned long long)map.size, map.buf);
	expect_errno(map_fd(dev, alloc.fd, &again), 0, "a second BUF_MAP");
	expect(again.buf != map.buf, "the same handle twice");
	close(alloc.fd);
	expect_errno(unmap(dev, map.buf), 0, "BUF_UNMAP after its descriptor is closed");
	expect_errno(unmap(dev, map.buf), EINVAL, "BUF_UNMAP twice");
	expect_errno(unmap(dev, 0), EINVAL, "handle 0");
	expect_errno(unmap(dev, UINT32_MAX), EINVAL, "an unknown handle");
}

static void test_map_refusals(unsigned int row)
{
	int dev = open_node(here.function, 0), pipe[2];
	struct fax_buf_map map;

	expect_errno(map_fd(dev, -1, &map), EBADF, "descriptor -1");
	expect_errno(map_fd(dev, 9999, &map), EBADF, "a descriptor that is not open");
	expect(!pipe2(pipe, O_CLOEXEC), "pipe2");
	expect_errno(map_fd(dev, pipe[0], &map), EINVAL, "what is no dma-buf");
	expect_errno(map_fd(dev, dev, &map), EINVAL, "the node itself");
}

static void test_map_mode(unsigned int row)
{
	int dev = open_node(here.function, 0), wrong;
	struct fax_buf_alloc alloc;
	struct fax_buf_map map;

	wrong = open(node_of(here.function)->path,
		     here.function == FAX_FUNC_SCAN ? O_WRONLY : O_RDONLY);
	expect(wrong >= 0, "open: %s", strerror(errno));
	expect_errno(buf_alloc(dev, 4096, &alloc), 0, "BUF_ALLOC");
	expect_errno(map_fd(wrong, alloc.fd, &map), EBADF, "BUF_MAP");
}

static void test_map_limit(unsigned int row)
{
	int dev = open_node(here.function, 0), n;
	struct fax_buf_alloc alloc;
	struct fax_buf_map map;

	expect_errno(buf_alloc(dev, 4096, &alloc), 0, "BUF_ALLOC");
	for (n = 0; n < FAX_MAX_BUFS; n++)
		expect_errno(map_fd(dev, alloc.fd, &map), 0, "BUF_MAP %d", n);
	expect_errno(map_fd(dev, alloc.fd, &map), EDQUOT, "one more");
	expect_errno(unmap(dev, map.buf ?: 1), 0, "BUF_UNMAP of the first");
	expect_errno(map_fd(dev, alloc.fd, &map), 0, "then one more");
}

static void test_handles(unsigned int row)
{
	int one = open_node(FAX_FUNC_CODEC, 0), two = open_node(FAX_FUNC_CODEC, 0);
	struct buf buf = buf_unseen(one, 4096);

	expect_errno(unmap(two, buf.handle), EINVAL, "BUF_UNMAP by another open");
	expect_errno(unmap(one, buf.handle), 0, "BUF_UNMAP");
}

static void test_busy(unsigned int row)
{
	int dev = open_node(FAX_FUNC_CODEC, 0), pipe = pipe_new(dev, 1728, 16, 2);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 0);
	struct buf buf = buf_unseen(dev, 4096);
	struct fax_seg seg = seg_out(&buf, 0, 4096);

	fmt.encoding = FAX_ENC_MMR;
	must_submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
	expect_errno(unmap(dev, buf.handle), EBUSY, "BUF_UNMAP");
	expect_errno(cancel(dev, 0), 0, "CANCEL");
	must_reap(dev);
	expect_errno(unmap(dev, buf.handle), 0, "BUF_UNMAP after its job");
}

/* An exported buffer outlives all that made it. */
static void test_outlives(unsigned int row)
{
	int dev = open_node(here.function, 0);
	struct buf buf = buf_new(dev, 65536);

	memset(buf.mem, 0x5a, buf.size);
	close(dev);
	expect(buf.mem[0] == 0x5a && buf.mem[65535] == 0x5a, "the memory changed");
	munmap(buf.mem, buf.size);
	buf_view(&buf);
	expect(buf.mem[4711] == 0x5a, "mapped anew, the memory is another");
}

static void test_counters(unsigned int row)
{
	struct dma_buf_sync begin = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };
	struct dma_buf_sync end = { .flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ };
	int dev = open_node(here.function, 0);
	struct fax_status before, after;
	struct buf buf = buf_unseen(dev, 4096);

	before = status_of(dev);
	buf_view(&buf);
	expect_errno(ioctl(buf.fd, DMA_BUF_IOCTL_SYNC, &begin), 0, "SYNC");
	expect_errno(ioctl(buf.fd, DMA_BUF_IOCTL_SYNC, &end), 0, "SYNC");
	after = status_of(dev);
	expect(after.cpu_maps == before.cpu_maps + 1, "cpu_maps did not count an mmap");
	expect(after.cpu_accesses == before.cpu_accesses + 1, "cpu_accesses did not count a SYNC");
}

static void test_foreign(unsigned int row)
{
	const uint32_t rows = 200, stride = 216;
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, rows);
	uint8_t *page = page_make(1728, rows, stride, STROKES), *mem, *wanted;
	int dev = open_node(FAX_FUNC_CODEC, 0);
	struct buf coded = buf_new(dev, 1 << 20);
	struct fax_completion c;
	struct fax_buf_map map;
	struct fax_seg segs[2];
	size_t len;

	expect_errno(map_fd(dev, foreign_buf(65536, &mem), &map), 0, "BUF_MAP");
	expect(map.size == 65536, "size %llu", (unsigned long long)map.size);
	memcpy(mem, page, rows * stride);
	segs[0] = (struct fax_seg){ .buf = map.buf, .length = rows * stride };
	segs[1] = seg_out(&coded, 0, coded.size);
	fmt.encoding = FAX_ENC_MMR;
	wanted = t4_code(page, &fmt, &len);
	must_submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	c = must_reap(dev);
	expect(!c.code && c.bytes_out == len && !memcmp(coded.mem, wanted, len),
	       "its pixels are not coded rightly (code %u)", c.code);
	expect_errno(unmap(dev, map.buf), 0, "BUF_UNMAP");
}

static void test_foreign_quota(unsigned int row)
{
	int dev = open_node(FAX_FUNC_CODEC, 0), fd, n;
	struct fax_buf_map map;
	uint8_t *mem;

	fd = foreign_buf(16 << 20, &mem);
	for (n = 0; n < 16; n++)
		expect_errno(map_fd(dev, fd, &map), 0, "BUF_MAP %d of 16 MiB", n);
	expect_errno(map_fd(dev, fd, &map), EDQUOT, "more than 256 MiB");
}

static const struct rule table[] = {
	RULE("alloc", "BUF_ALLOC gives zeroed pages as a dma-buf, rounded up", test_alloc,
	     EACH_FUNC),
	RULE("alloc-refusals", "BUF_ALLOC of nothing: EINVAL; of too much: EDQUOT",
	     test_alloc_refusals, EACH_FUNC),
	RULE("quota", "an open has 256 MiB; what is given back can be had again", test_quota,
	     NEEDS_CODEC),
	RULE("map", "BUF_MAP gives a handle of this open; BUF_UNMAP takes it back, once", test_map,
	     EACH_FUNC),
	RULE("map-refusals", "BUF_MAP of what is not open: EBADF; no dma-buf: EINVAL",
	     test_map_refusals, EACH_FUNC),
	RULE("map-mode", "BUF_MAP by who opened the wrong way round: EBADF", test_map_mode,
	     EACH_FUNC),
	RULE("map-limit", "64 buffers an open, then EDQUOT", test_map_limit, EACH_FUNC),
	RULE("handles", "a handle is worth nothing to another open", test_handles, NEEDS_CODEC),
	RULE("busy", "BUF_UNMAP of a buffer that a job uses: EBUSY", test_busy, NEEDS_CODEC),
	RULE("outlives", "a buffer outlives the open that made it", test_outlives, EACH_FUNC),
	RULE("counters", "STATUS counts mappings for a CPU and accesses by it", test_counters,
	     EACH_FUNC),
	RULE("foreign", "a dma-buf of another exporter is coded from", test_foreign, NEEDS_CODEC),
	RULE("foreign-quota", "pinned memory of others is charged: EDQUOT", test_foreign_quota,
	     NEEDS_CODEC),
};

const struct rules rules_buffer = { "buffer", table, ARRAY_SIZE(table) };
