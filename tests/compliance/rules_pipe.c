// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pipes: two jobs linked, refusals, and how one side ends the other. */

#include "compliance.h"

#define ROWS	1000u

static int try_pipe(int dev, uint32_t width, uint32_t rows, uint32_t bands, uint32_t flags)
{
	struct fax_pipe_alloc pipe = {
		.width = width, .rows = rows, .bands = bands, .flags = flags,
	};

	return ioctl(dev, FAX_IOC_PIPE_ALLOC, &pipe) ? -errno : pipe.fd;
}

static void test_alloc(unsigned int row)
{
	int dev = open_node(here.function, 0), fd;

	expect_errno(try_pipe(dev, 0, 16, 4, 0), EINVAL, "no width");
	expect_errno(try_pipe(dev, FAX_MAX_WIDTH + 1, 16, 4, 0), EINVAL, "too wide");
	expect_errno(try_pipe(dev, 1728, 0, 4, 0), EINVAL, "no rows");
	expect_errno(try_pipe(dev, 1728, 4097, 4, 0), EINVAL, "4097 rows");
	expect_errno(try_pipe(dev, 1728, 16, 1, 0), EINVAL, "one band");
	expect_errno(try_pipe(dev, 1728, 16, FAX_MAX_BANDS + 1, 0), EINVAL, "too many bands");
	expect_errno(try_pipe(dev, 1728, 16, 4, O_NONBLOCK), EINVAL, "an unknown flag");
	expect_errno(try_pipe(dev, FAX_MAX_WIDTH, 4096, FAX_MAX_BANDS, 0), EDQUOT,
		     "more than an open's memory");
	fd = try_pipe(dev, 1728, 1, 2, O_CLOEXEC);
	expect(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC, "O_CLOEXEC was not heeded");
	fd = try_pipe(dev, 1728, 1, FAX_MAX_BANDS, 0);
	expect(fd >= 0 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC), "closed over exec");
}

static uint32_t encode_from(int dev, int pipe, struct buf *buf)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 0);
	struct fax_seg seg = seg_out(buf, 0, buf->size);

	fmt.encoding = FAX_ENC_MMR;
	fmt.flags = FAX_FMT_END;
	return must_submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
}

static void test_bind(unsigned int row)
{
	int dev = open_node(FAX_FUNC_CODEC, 0), pipe = pipe_new(dev, 1728, 16, 4);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1720, 0);
	struct buf raw = buf_unseen(dev, 65536), coded = buf_unseen(dev, 65536);
	struct fax_seg segs[] = { seg_in(&raw, 0, 65536), seg_out(&coded, 0, 65536) };

	fmt.encoding = FAX_ENC_MMR;
	expect_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, segs + 1, 1, NULL), EINVAL,
		     "another width");
	fmt.width = 1728;
	fmt.stride = 220;
	expect_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, segs + 1, 1, NULL), EINVAL,
		     "another stride");
	fmt.stride = 0;
	expect_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, segs, 2, NULL), EINVAL,
		     "pixels and a pipe");
	expect_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, segs + 1, 1, NULL), 0,
		     "the right one");
	expect_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, segs + 1, 1, NULL), EBUSY,
		     "a second reader");
}

/* A pipe of another board, where there is one. */
static void test_other_board(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 0);
	int dev = open_node(FAX_FUNC_CODEC, 0), other, i, pipe;
	struct buf coded = buf_unseen(dev, 4096);
	struct fax_seg seg = seg_out(&coded, 0, 4096);
	struct fax_info info = {};
	char path[32];

	for (i = 0; i < 64; i++, close(other)) {
		snprintf(path, sizeof(path), "/dev/faxcodec%d", i);
		other = open(path, O_RDWR);
		if (other < 0 || ioctl(other, FAX_IOC_INFO, &info) ||
		    info.board_id == node_of(FAX_FUNC_CODEC)->info.board_id)
			continue;
		pipe = pipe_new(other, 1728, 16, 4);
		fmt.encoding = FAX_ENC_MMR;
		expect_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1, NULL), EXDEV,
			     "SUBMIT");
		return;
	}
	skip("there is one board only");
}

/* MH segments to MMR through a pipe, in bands of many shapes; the same ring again and again. */
static void test_recode(unsigned int row)
{
	static const struct { uint32_t rows, bands; } shapes[] = {
		{ 1, 2 }, { 7, 3 }, { 64, 2 }, { 100, 64 }, { 4096, 2 },
	};
	int dev = open_node(FAX_FUNC_CODEC, 0), reader = open_node(FAX_FUNC_CODEC, 0), pipe, page;
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, ROWS), plain = fmt, mmr;
	struct buf in = buf_new(dev, 1 << 20), out = buf_new(reader, 1 << 20);
	uint8_t *pixels = page_make(1728, ROWS, 216, STROKES), *code, *wanted;
	struct fax_completion d, e;
	struct fax_seg seg;
	size_t len, i;

	fmt.encoding = FAX_ENC_MH;
	fmt.flags = FAX_FMT_EOL;
	code = t4_code(pixels, &fmt, &len);
	memcpy(in.mem, code, len);
	seg = seg_in(&in, 0, len);
	seg.encoding = FAX_ENC_MH;
	seg.flags = FAX_FMT_EOL;
	seg.rows = ROWS;
	mmr = plain;
	mmr.encoding = FAX_ENC_MMR;
	mmr.flags = FAX_FMT_END;
	wanted = t4_code(pixels, &mmr, &len);
	plain.rows = 0;
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		pipe = pipe_new(dev, 1728, shapes[i].rows, shapes[i].bands);
		for (page = 0; page < 3; page++) {
			memset(out.mem, 0, len);
			encode_from(reader, pipe, &out);
			must_submit(dev, FAX_OP_DECODE, 0, &plain, pipe, &seg, 1);
			d = must_reap(dev);
			e = must_reap(reader);
			expect(!d.code && !e.code && d.rows == ROWS && e.rows == ROWS &&
				       !d.bytes_out && !e.bytes_in,
			       "%u bands of %u: codes %u, %u; rows %u, %u", shapes[i].bands,
			       shapes[i].rows, d.code, e.code, d.rows, e.rows);
			expect(e.bytes_out == len && !memcmp(out.mem, wanted, len),
			       "%u bands of %u: the code is wrong", shapes[i].bands,
			       shapes[i].rows);
		}
		close(pipe);
	}
}

static void expect_peer(const struct fax_completion *c, uint32_t peer)
{
	expect(c->code == FAX_CODE_PEER && c->error == -EPIPE && c->peer_code == peer,
	       "the other side: code %u, error %d, peer %u", c->code, c->error, c->peer_code);
}

static void test_cancel_scan(unsigned int row)
{
	int coder = open_node(FAX_FUNC_CODEC, 0), scan = open_node(FAX_FUNC_SCAN, 0);
	int pipe = pipe_new(coder, page_width(), 16, 4);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_SCAN, page_width(), 0), code = fmt;
	struct buf coded = buf_unseen(coder, 4096);
	struct fax_seg seg = seg_out(&coded, 0, 4096);
	struct fax_completion c;

	code.encoding = FAX_ENC_MMR;
	must_submit(coder, FAX_OP_ENCODE, 0, &code, pipe, &seg, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &fmt, pipe, NULL, 0);
	expect_errno(cancel(scan, 0), 0, "CANCEL of the scan");
	c = must_reap(scan);
	expect(c.code == FAX_CODE_CANCELED, "code %u", c.code);
	c = must_reap(coder);
	expect_peer(&c, FAX_CODE_CANCELED);
}

/* Here the other side comes when all is over, and hears of it nevertheless. */
static void test_cancel_print(unsigned int row)
{
	int coder = open_node(FAX_FUNC_CODEC, 0), print = open_node(FAX_FUNC_PRINT, 0);
	int pipe = pipe_new(coder, page_width(), 16, 4);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_PRINT, page_width(), 0);
	struct buf coded = buf_unseen(coder, 4096);
	struct fax_seg seg = seg_in(&coded, 0, 4096);
	struct fax_completion c;

	seg.encoding = FAX_ENC_MMR;
	must_submit(print, FAX_OP_PRINT, 0, &fmt, pipe, NULL, 0);
	expect_errno(cancel(print, 0), 0, "CANCEL of the printing");
	c = must_reap(print);
	expect(c.code == FAX_CODE_CANCELED, "code %u", c.code);
	must_submit(coder, FAX_OP_DECODE, 0, &fmt, pipe, &seg, 1);
	c = must_reap(coder);
	expect_peer(&c, FAX_CODE_CANCELED);
}

static void test_closed_pipe(unsigned int row)
{
	int dev = open_node(FAX_FUNC_CODEC, 0), pipe = pipe_new(dev, 1728, 16, 4);
	struct buf coded = buf_unseen(dev, 4096);
	struct fax_completion c;

	encode_from(dev, pipe, &coded);
	expect_errno(reap(dev, &c, 50), ETIMEDOUT, "the job did not wait");
	close(pipe);
	c = must_reap(dev);
	expect_peer(&c, FAX_CODE_CANCELED);
}

static void test_closed_open(unsigned int row)
{
	int writer = open_node(FAX_FUNC_CODEC, 0), reader = open_node(FAX_FUNC_CODEC, 0);
	int pipe = pipe_new(reader, 1728, 1, 2);
	struct buf in = buf_new(writer, 1 << 20), out = buf_unseen(reader, 4096);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, ROWS), plain = fmt;
	struct fax_completion c;
	struct fax_seg seg;
	uint8_t *code;
	size_t len;

	fmt.encoding = FAX_ENC_MMR;
	code = t4_code(page_make(1728, ROWS, 216, STROKES), &fmt, &len);
	memcpy(in.mem, code, len);
	seg = seg_in(&in, 0, len);
	seg.encoding = FAX_ENC_MMR;
	encode_from(reader, pipe, &out);
	must_submit(writer, FAX_OP_DECODE, 0, &plain, pipe, &seg, 1);
	expect(must_reap(reader).code == FAX_CODE_OUT_FULL, "the reader did not stop");
	expect_errno(reap(writer, &c, 50), ETIMEDOUT, "the writer did not wait");
	close(reader);
	c = must_reap(writer);
	expect_peer(&c, FAX_CODE_CANCELED);
}

/* A reader stopped by OUT_FULL holds its writer up, and RESUME sets both going. */
static void test_full(unsigned int row)
{
	int writer = open_node(FAX_FUNC_CODEC, 0), reader = open_node(FAX_FUNC_CODEC, 0);
	int pipe = pipe_new(reader, 1728, 16, 2);
	struct buf in = buf_new(writer, 1 << 20), out = buf_new(reader, 1 << 20);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, ROWS), plain = fmt;
	struct fax_completion c;
	struct fax_seg seg;
	uint8_t *code;
	uint32_t job;
	size_t len;

	fmt.encoding = FAX_ENC_MMR;
	code = t4_code(page_make(1728, ROWS, 216, STROKES), &fmt, &len);
	memcpy(in.mem, code, len);
	seg = seg_in(&in, 0, len);
	seg.encoding = FAX_ENC_MMR;
	must_submit(writer, FAX_OP_DECODE, 0, &plain, pipe, &seg, 1);
	fmt.rows = 0;
	seg = seg_out(&out, 0, 3000);
	job = must_submit(reader, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
	expect(must_reap(reader).code == FAX_CODE_OUT_FULL, "the reader did not stop");
	expect_errno(reap(writer, &c, 100), ETIMEDOUT, "the writer did not wait");
	seg = seg_out(&out, 3000, out.size - 3000);
	expect_errno(submit(reader, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &fmt, -1, &seg, 1, &job), 0,
		     "RESUME");
	c = must_reap(writer);
	expect(!c.code && c.rows == ROWS, "writer: code %u, %u rows", c.code, c.rows);
	c = must_reap(reader);
	expect(!c.code && c.bytes_out == len && !memcmp(out.mem, code, len),
	       "reader: code %u, %llu bytes", c.code, (unsigned long long)c.bytes_out);
}

static const struct rule table[] = {
	RULE("alloc", "PIPE_ALLOC refuses what is out of bounds (EINVAL) or too much (EDQUOT)",
	     test_alloc, EACH_FUNC),
	RULE("bind", "a pipe takes jobs of its form (EINVAL), one on each side (EBUSY)", test_bind,
	     NEEDS_CODEC),
	RULE("other-board", "a pipe of another board: EXDEV", test_other_board, NEEDS_CODEC),
	RULE("recode", "bands of any shape carry a page whole, page after page", test_recode,
	     NEEDS_CODEC),
	RULE("cancel", "CANCEL of one side fails the other with its cause (EPIPE)",
	     test_cancel_scan, NEEDS_CODEC | NEEDS_SCAN | NEEDS_KNOBS),
	RULE("cancel-early", "the cause is kept for a side that comes later", test_cancel_print,
	     NEEDS_CODEC | NEEDS_PRINT),
	RULE("closed", "closing the pipe before its other side came fails the one that waits",
	     test_closed_pipe, NEEDS_CODEC),
	RULE("closed-open", "closing one side's open fails the other with its cause",
	     test_closed_open, NEEDS_CODEC),
	RULE("full", "OUT_FULL holds both sides; RESUME sets both going", test_full, NEEDS_CODEC),
};

const struct rules rules_pipe = { "pipe", table, ARRAY_SIZE(table) };
