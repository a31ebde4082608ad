// SPDX-License-Identifier: LGPL-2.1-or-later
/* Jobs by memory: buffers, encode and decode against the user-space coder, limits, CANCEL. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <linux/dma-buf.h>

#include "uapi_test.h"

#define ROWS	1100u

static void test_buffers(int dev)
{
	struct fax_buf_alloc alloc = { .size = 5000 };
	struct fax_buf_map map = {};
	struct fax_buf_unmap unmap = {};
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };
	struct fax_status before = status_of(dev), after;
	uint8_t *mem;
	int i;

	check_errno(ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc), 0, "BUF_ALLOC");
	check_u64(alloc.size, 8192, "rounds up to pages");
	check(!(fcntl(alloc.fd, F_GETFD) & FD_CLOEXEC), "stays open over exec unless told");
	mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, alloc.fd, 0);
	check(mem != MAP_FAILED, "mmap of the buffer");
	for (i = 0; i < 8192 && !mem[i]; i++)
		;
	check(i == 8192, "the memory is zeroed");
	check_errno(ioctl(alloc.fd, DMA_BUF_IOCTL_SYNC, &sync), 0, "CPU access is begun");
	after = status_of(dev);
	check_u64(after.cpu_maps - before.cpu_maps, 1, "STATUS counts CPU mappings");
	check_u64(after.cpu_accesses - before.cpu_accesses, 1, "STATUS counts CPU accesses");
	munmap(mem, 8192);

	map.fd = alloc.fd;
	check_errno(ioctl(dev, FAX_IOC_BUF_MAP, &map), 0, "BUF_MAP");
	check_u64(map.size, 8192, "tells the size");
	unmap.buf = map.buf;
	check_errno(ioctl(dev, FAX_IOC_BUF_UNMAP, &unmap), 0, "BUF_UNMAP");
	check_errno(ioctl(dev, FAX_IOC_BUF_UNMAP, &unmap), EINVAL, "BUF_UNMAP twice");
	map = (struct fax_buf_map){ .fd = 0 };
	check_errno(ioctl(dev, FAX_IOC_BUF_MAP, &map), EINVAL, "BUF_MAP of what is no dma-buf");
	map.fd = -1;
	check_errno(ioctl(dev, FAX_IOC_BUF_MAP, &map), EBADF, "BUF_MAP of no descriptor");
	alloc = (struct fax_buf_alloc){ .size = 0 };
	check_errno(ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc), EINVAL, "BUF_ALLOC of nothing");
	alloc.size = FAX_MAX_MEMORY + 1ull;
	check_errno(ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc), EDQUOT, "BUF_ALLOC over the limit");
	alloc.size = UINT64_MAX;
	check_errno(ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc), EDQUOT, "BUF_ALLOC of everything");
}

static void test_buffer_limits(void)
{
	int dev = open_dev(CODER, O_RDWR), fds[FAX_MAX_BUFS + 1], i;
	struct fax_buf_alloc alloc = { .size = 4096 };
	struct fax_buf_map map = {};

	if (ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc))
		bail("BUF_ALLOC");
	map.fd = alloc.fd;
	for (i = 0; i < FAX_MAX_BUFS && !ioctl(dev, FAX_IOC_BUF_MAP, &map); i++)
		map.buf = 0;
	check_u64(i, FAX_MAX_BUFS, "as many mappings as the limit says");
	check_errno(ioctl(dev, FAX_IOC_BUF_MAP, &map), EDQUOT, "and no more");
	close(alloc.fd);

	/* memory is charged while it lives, and comes back */
	for (i = 0; i < 5; i++) {
		alloc = (struct fax_buf_alloc){ .size = FAX_MAX_MEMORY / 8 };
		fds[i] = ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc) ? -errno : alloc.fd;
		if (fds[i] == -ENOMEM)
			break;
		close(fds[i]);
	}
	check_u64(i, 5, "memory that was given back can be had again");
	close(dev);
}

/* One encoding, forward and back. */
static void round_trip(int dev, const char *name, struct fax_fmt fmt)
{
	uint8_t *page = page_make(fmt.width, fmt.rows, fmt.width + fmt.encoding);
	uint32_t stride = (fmt.width + 7) / 8;
	size_t raw_len = (size_t)fmt.rows * stride, ref_len;
	struct buf raw = buf_new(dev, raw_len), coded = buf_new(dev, 2 * raw_len + 65536);
	struct buf back = buf_new(dev, raw_len);
	struct fax_seg segs[2];
	struct fax_completion c;
	struct fax_fmt plain = fmt_raw(fmt.width, fmt.rows);
	uint8_t *ref = t4_code(page, &fmt, &ref_len);
	uint32_t job;

	memcpy(raw.mem, page, raw_len);
	segs[0] = seg_in(&raw, 0, raw_len);
	segs[1] = seg_out(&coded, 0, coded.size);
	job = must_submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	c = must_reap(dev);
	check(!c.code && !c.error && c.job == job && c.cookie == 0x1000 + FAX_OP_ENCODE,
	      "%s: encoded (code %u)", name, c.code);
	check_u64(c.rows, fmt.rows, "%s: all rows", name);
	check_u64(c.bytes_out, ref_len, "%s: as many bytes as the reference", name);
	check(c.bytes_out == ref_len && !memcmp(coded.mem, ref, ref_len), "%s: the same bytes",
	      name);

	segs[0] = seg_in(&coded, 0, c.bytes_out);
	segs[0].encoding = fmt.encoding;
	segs[0].rows = fmt.rows;
	segs[0].flags = fmt.flags & (FAX_FMT_LSB_FIRST | FAX_FMT_EOL | FAX_FMT_EOL_ALIGN);
	segs[1] = seg_out(&back, 0, raw_len);
	plain.flags = fmt.flags & FAX_FMT_BLACK_IS_0;
	must_submit(dev, FAX_OP_DECODE, 0, &plain, -1, segs, 2);
	c = must_reap(dev);
	check(!c.code && c.rows == fmt.rows && !c.flags && !c.rows_bad,
	      "%s: decoded (code %u, rows %u, flags %#x)", name, c.code, c.rows, c.flags);
	check(!memcmp(back.mem, page, raw_len), "%s: the same pixels", name);

	buf_free(dev, &raw);
	buf_free(dev, &coded);
	buf_free(dev, &back);
	free(page);
	free(ref);
}

/* A buffer with two handles, in one open and in two. */
static void test_two_handles(int dev)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 100, FAX_FMT_END);
	uint8_t *page = page_make(A4_WIDTH, 100, 7), *ref;
	struct buf raw = buf_new(dev, 100 * A4_STRIDE), coded = buf_new(dev, 1 << 16);
	struct fax_buf_map again = { .fd = raw.fd }, there = { .fd = raw.fd };
	struct fax_buf_unmap first = { .buf = raw.handle }, second;
	int other = open_dev(PRINTER, O_WRONLY);
	struct fax_completion c;
	struct fax_seg segs[2];
	size_t len;

	memcpy(raw.mem, page, 100 * A4_STRIDE);
	ref = t4_code(page, &fmt, &len);
	check_errno(ioctl(dev, FAX_IOC_BUF_MAP, &again), 0, "BUF_MAP of a buffer again");
	check_errno(ioctl(other, FAX_IOC_BUF_MAP, &there), 0, "and by another open");
	check(again.buf != raw.handle && again.size == raw.size, "gives another handle");
	check_errno(ioctl(dev, FAX_IOC_BUF_UNMAP, &first), 0, "the first goes");
	segs[0] = seg_in(&raw, 0, 100 * A4_STRIDE);
	segs[0].buf = again.buf;
	segs[1] = seg_out(&coded, 0, coded.size);
	must_submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	c = must_reap(dev);
	check(!c.code && c.bytes_out == len && !memcmp(coded.mem, ref, len),
	      "the second leads to the same memory (code %u)", c.code);
	second.buf = again.buf;
	memset(second.reserved, 0, sizeof(second.reserved));
	check_errno(ioctl(dev, FAX_IOC_BUF_UNMAP, &second), 0, "the second goes");
	check_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2, NULL), EINVAL,
		    "and leads nowhere");
	close(other);
	munmap(raw.mem, raw.size);
	close(raw.fd);
	buf_free(dev, &coded);
	free(page);
	free(ref);
}

static void test_round_trips(int dev)
{
	struct fax_fmt mr4 = fmt_coded(FAX_ENC_MR, A4_WIDTH, ROWS, FAX_FMT_EOL | FAX_FMT_END);

	round_trip(dev, "MH", fmt_coded(FAX_ENC_MH, A4_WIDTH, ROWS, FAX_FMT_EOL | FAX_FMT_END));
	round_trip(dev, "MH, aligned, LSB first",
		   fmt_coded(FAX_ENC_MH, A4_WIDTH, ROWS, FAX_FMT_EOL | FAX_FMT_EOL_ALIGN |
			     FAX_FMT_LSB_FIRST));
	mr4.k = 4;
	round_trip(dev, "MR", mr4);
	round_trip(dev, "MMR", fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END));
	round_trip(dev, "MMR, 1 row", fmt_coded(FAX_ENC_MMR, A4_WIDTH, 1, FAX_FMT_END));
	round_trip(dev, "MMR, 4864 wide", fmt_coded(FAX_ENC_MMR, 4864, 3000, FAX_FMT_END));
	round_trip(dev, "MMR, odd width", fmt_coded(FAX_ENC_MMR, 1001, 77, 0));
}

/* Small outputs, one after the other: the pieces together are the whole. */
static void test_out_full(int dev)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	uint8_t *page = page_make(A4_WIDTH, ROWS, 7), *ref;
	size_t raw_len = (size_t)ROWS * A4_STRIDE, ref_len, piece = 7001, at;
	struct buf raw = buf_new(dev, raw_len), coded = buf_new(dev, raw_len);
	struct fax_seg segs[2] = { seg_in(&raw, 0, raw_len), seg_out(&coded, 0, piece) };
	struct fax_completion c;
	uint32_t job, stops = 0;
	int ret = 0;

	memcpy(raw.mem, page, raw_len);
	ref = t4_code(page, &fmt, &ref_len);
	job = must_submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	for (at = piece, c = must_reap(dev); c.code == FAX_CODE_OUT_FULL && !ret;
	     c = must_reap(dev), at += piece, stops++) {
		if (!stops) {
			check(c.error == -ENOBUFS && c.job == job && c.bytes_out == piece,
			      "a full output is reported");
			check_u64(status_of(dev).jobs, 1, "the job is still there");
		}
		segs[0] = seg_out(&coded, at, piece);
		ret = submit(dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &fmt, -1, segs, 1, &job);
		if (ret)
			bail("RESUME: %s", strerror(-ret));
	}
	check_u64(stops, (ref_len - 1) / piece, "as many stops as it takes");
	check(!c.code && c.bytes_out == ref_len && !memcmp(coded.mem, ref, ref_len),
	      "the pieces together are what the reference writes");
	check_errno(submit(dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &fmt, -1, segs, 1, &job), EINVAL,
		    "RESUME of a job that is done");

	segs[0] = seg_in(&raw, 0, raw_len);
	segs[1] = seg_out(&coded, 0, 100);
	job = must_submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	c = must_reap(dev);
	check_u64(c.code, FAX_CODE_OUT_FULL, "full again");
	check_errno(cancel(dev, job), 0, "CANCEL of a stopped job");
	c = must_reap(dev);
	check(c.code == FAX_CODE_CANCELED && c.error == -ECANCELED && c.job == job,
	      "it is reported as canceled");
	check_errno(cancel(dev, job), ENOENT, "CANCEL of a job that is reaped");
	buf_free(dev, &raw);
	buf_free(dev, &coded);
	free(page);
	free(ref);
}

/* A page of three segments, each coded by itself and each otherwise. */
static void test_segments(int dev)
{
	static const uint32_t rows[] = { 33, 400, 667 };
	const struct fax_fmt fmts[] = {
		fmt_coded(FAX_ENC_MH, A4_WIDTH, rows[0], FAX_FMT_EOL),
		fmt_coded(FAX_ENC_MMR, A4_WIDTH, rows[1], FAX_FMT_END),
		fmt_coded(FAX_ENC_MR, A4_WIDTH, rows[2], FAX_FMT_EOL | FAX_FMT_LSB_FIRST),
	};
	uint8_t *page = page_make(A4_WIDTH, ROWS, 99);
	size_t raw_len = (size_t)ROWS * A4_STRIDE;
	struct buf coded = buf_new(dev, 2 * raw_len), back = buf_new(dev, raw_len);
	struct fax_fmt plain = fmt_raw(A4_WIDTH, 0);
	struct fax_seg segs[4];
	struct fax_completion c;
	size_t at = 0, len;
	uint32_t i, row = 0;

	for (i = 0; i < 3; i++, row += fmts[i - 1].rows, at += len + 3) {
		uint8_t *code = t4_code(page + (size_t)row * A4_STRIDE, &fmts[i], &len);

		memcpy(coded.mem + at, code, len);
		free(code);
		segs[i] = seg_in(&coded, at, len);
		segs[i].encoding = fmts[i].encoding;
		segs[i].flags = fmts[i].flags & ~FAX_FMT_END;
		segs[i].rows = i == 1 ? 0 : rows[i];	/* the second ends with its code */
	}
	segs[3] = seg_out(&back, 0, raw_len);
	plain.rows = ROWS;
	must_submit(dev, FAX_OP_DECODE, 0, &plain, -1, segs, 4);
	c = must_reap(dev);
	check(!c.code && c.rows == ROWS && c.seg == 2,
	      "a page of segments (code %u, rows %u, seg %u)", c.code, c.rows, c.seg);
	check(!memcmp(back.mem, page, raw_len), "has the pixels of its parts");

	/* a page with less room than its segments have rows */
	plain.rows = ROWS - 10;
	must_submit(dev, FAX_OP_DECODE, 0, &plain, -1, segs, 4);
	c = must_reap(dev);
	check(c.rows == ROWS - 10, "never more rows than the format has (%u, code %u)", c.rows,
	      c.code);
	plain.rows = 100;
	must_submit(dev, FAX_OP_DECODE, 0, &plain, -1, segs, 4);
	c = must_reap(dev);
	check(c.code == FAX_CODE_TOO_LONG && c.error == -EMSGSIZE && c.rows == 100,
	      "too many segments for the page (code %u)", c.code);

	/* code that breaks off */
	plain.rows = ROWS;
	segs[0] = segs[1];
	segs[0].length /= 2;
	segs[0].rows = rows[1];
	segs[1] = segs[3];
	plain.rows = rows[1];
	must_submit(dev, FAX_OP_DECODE, 0, &plain, -1, segs, 2);
	c = must_reap(dev);
	check(c.rows < rows[1] && (c.code == FAX_CODE_CODING || (c.flags & FAX_DONE_SHORT)),
	      "half a code gives fewer rows (code %u, rows %u, flags %#x)", c.code, c.rows,
	      c.flags);
	buf_free(dev, &coded);
	buf_free(dev, &back);
	free(page);
}

static void test_refusals(int dev)
{
	struct buf raw = buf_new(dev, 65536), coded = buf_new(dev, 65536);
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 100, 0), bad;
	struct fax_seg segs[2] = { seg_in(&raw, 0, 100 * A4_STRIDE), seg_out(&coded, 0, 65536) };
	struct fax_seg in = segs[0], out = segs[1];

#define REFUSED(_errno, _what) \
	check_errno(submit(dev, FAX_OP_ENCODE, 0, &bad, -1, segs, 2, NULL), _errno, _what)
#define AFRESH() (bad = fmt, segs[0] = in, segs[1] = out)
	AFRESH(), segs[0].length = 100 * A4_STRIDE - 1;
	REFUSED(EINVAL, "a raw segment that is too short");
	AFRESH(), segs[0].offset = 65536 - 100;
	REFUSED(EINVAL, "a segment beyond its buffer");
	AFRESH(), segs[0].offset = UINT64_MAX - 100;
	REFUSED(EINVAL, "a segment that wraps around");
	AFRESH(), segs[0].buf = 12345;
	REFUSED(EINVAL, "a buffer that is not there");
	AFRESH(), segs[0].dir = 7;
	REFUSED(EINVAL, "an unknown direction");
	AFRESH(), segs[0].reserved[1] = 1;
	REFUSED(EINVAL, "a reserved field of a segment");
	AFRESH(), segs[1].length = 0;
	REFUSED(EINVAL, "an empty segment");
	AFRESH(), segs[1] = in;
	REFUSED(EINVAL, "two inputs");
	AFRESH(), segs[0].encoding = FAX_ENC_MH;
	REFUSED(EINVAL, "an encoding for a raw segment");
	AFRESH(), bad.encoding = FAX_ENC_RAW;
	REFUSED(EINVAL, "encoding to raw");
	AFRESH(), bad.flags = FAX_FMT_WHITEN;
	REFUSED(EINVAL, "a flag of decoding");
	AFRESH(), bad.reserved[3] = 1;
	REFUSED(EINVAL, "a reserved field of the format");
	AFRESH();
	check_errno(submit(dev, FAX_OP_ENCODE, FAX_SUBMIT_NOWAIT, &fmt, -1, segs, 2, NULL), EINVAL,
		    "NOWAIT, which is about paper");
	check_u64(status_of(dev).jobs, 0, "nothing was queued");
	buf_free(dev, &raw);
	buf_free(dev, &coded);
}

/* Many jobs of two opens share the coder; each gets all of its own. */
static void test_many(void)
{
	int devs[2] = { open_dev(CODER, O_RDWR), open_dev(CODER, O_RDWR) };
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 300, FAX_FMT_END);
	uint8_t *page = page_make(A4_WIDTH, 300, 5), *ref;
	size_t raw_len = 300 * A4_STRIDE, ref_len;
	struct fax_completion c[FAX_MAX_JOBS];
	uint32_t seen = 0, good = 0;
	struct buf raw[2], coded[2];
	int d, i, ret;

	ref = t4_code(page, &fmt, &ref_len);
	for (d = 0; d < 2; d++) {
		raw[d] = buf_new(devs[d], raw_len);
		coded[d] = buf_new(devs[d], FAX_MAX_JOBS * 32768);
		memcpy(raw[d].mem, page, raw_len);
	}
	for (i = 0; i < FAX_MAX_JOBS; i++) {
		for (d = 0; d < 2; d++) {
			struct fax_seg segs[2] = { seg_in(&raw[d], 0, raw_len),
						   seg_out(&coded[d], i * 32768, 32768) };

			must_submit(devs[d], FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
			if (i == FAX_MAX_JOBS - 1 && !d) {
				ret = submit(devs[0], FAX_OP_ENCODE, 0, &fmt, -1, segs, 2, NULL);
				check_errno(ret, EDQUOT, "one job more than the limit");
			}
		}
	}
	for (d = 0; d < 2; d++) {
		for (seen = 0; seen < FAX_MAX_JOBS; ) {
			struct fax_reap r = { .completions = (uintptr_t)c, .size = sizeof(c[0]),
					      .count = FAX_MAX_JOBS, .timeout_ms = 20000 };

			if (ioctl(devs[d], FAX_IOC_REAP, &r))
				bail("REAP: %s", strerror(errno));
			for (i = 0; i < (int)r.count; i++)
				good += !c[i].code && c[i].bytes_out == ref_len;
			seen += r.count;
		}
		for (i = 0; i < FAX_MAX_JOBS; i++)
			good += !memcmp(coded[d].mem + i * 32768, ref, ref_len);
	}
	check_u64(good, 4 * FAX_MAX_JOBS, "two opens with as many jobs as the limit says");
	check_errno(reap(devs[0], c, 0), EAGAIN, "REAP with nothing to reap");
	check_errno(reap(devs[0], c, 50), ETIMEDOUT, "REAP that waits for nothing");
	close(devs[0]);
	close(devs[1]);
	free(page);
	free(ref);
}

/* A buffer in use cannot be unmapped; an open with jobs can be closed. */
static void test_in_use(void)
{
	int dev = open_dev(SCANNER, O_RDWR);
	struct buf buf = buf_new(dev, 1000 * A4_STRIDE);
	struct fax_buf_unmap unmap = { .buf = buf.handle };
	struct fax_seg seg = seg_out(&buf, 0, buf.size);
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, 0);
	struct fax_completion c;

	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);	/* no original: it waits */
	check_errno(ioctl(dev, FAX_IOC_BUF_UNMAP, &unmap), EBUSY, "BUF_UNMAP of a buffer in use");
	check_errno(cancel(dev, 0), 0, "CANCEL of everything");
	c = must_reap(dev);
	check_u64(c.code, FAX_CODE_CANCELED, "a waiting scan is canceled");
	check_errno(ioctl(dev, FAX_IOC_BUF_UNMAP, &unmap), 0, "then BUF_UNMAP works");
	close(buf.fd);
	munmap(buf.mem, buf.size);

	buf = buf_new(dev, 1000 * A4_STRIDE);
	seg = seg_out(&buf, 0, buf.size);
	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	close(dev);
	dev = open_dev(SCANNER, O_RDWR);
	usleep(300000);
	check_u64(status_of(dev).jobs, 0, "closing ends the jobs");
	close(dev);
}

int main(void)
{
	int dev;

	sim_reset();
	dev = open_dev(CODER, O_RDWR);
	test_buffers(dev);
	test_buffer_limits();
	test_two_handles(dev);
	test_round_trips(dev);
	test_out_full(dev);
	test_segments(dev);
	test_refusals(dev);
	test_many();
	test_in_use();
	return done_testing();
}
