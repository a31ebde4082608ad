// SPDX-License-Identifier: LGPL-2.1-or-later
/* SUBMIT refuses what is wrong, and then nothing is queued. */
#include "compliance.h"

#define WIDTH	1728u
#define STRIDE	216u
#define ROWS	100u

/* A page to encode that is right; each variant spoils one thing. */
struct page {
	int dev;
	struct fax_fmt fmt;
	struct fax_seg segs[3];
	uint32_t op;
	uint32_t flags;
	int pipe;
	uint32_t nsegs;
	const struct fax_seg *at;
};

struct spoil {
	const char *what;
	int wanted;
	void (*spoil)(struct page *p);
};

#define SPOIL(_name, _do)	static void _name(struct page *p) { _do; }
SPOIL(op_zero, p->op = 0)
SPOIL(op_unknown, p->op = 99)
SPOIL(op_scan, p->op = FAX_OP_SCAN)
SPOIL(op_print, p->op = FAX_OP_PRINT)
SPOIL(flag_unknown, p->flags = 1u << 7)
SPOIL(flag_nowait, p->flags = FAX_SUBMIT_NOWAIT)
SPOIL(flag_resume, p->flags = FAX_SUBMIT_RESUME)
SPOIL(many_segs, p->nsegs = FAX_MAX_SEGS + 1)
SPOIL(absurd_segs, p->nsegs = UINT32_MAX)
SPOIL(no_segs, p->nsegs = 0)
SPOIL(bad_address, p->at = (void *)8)
SPOIL(kernel_address, p->at = (void *)-4096ul)
SPOIL(pipe_closed, p->pipe = 9999)
SPOIL(pipe_none, p->pipe = 0)
SPOIL(pipe_device, p->pipe = p->dev)
SPOIL(short_raw, p->segs[0].length--)
SPOIL(empty_raw, p->segs[0].length = 0)
SPOIL(empty_out, p->segs[1].length = 0)
SPOIL(beyond, p->segs[0].offset = 65536 - 100)
SPOIL(wraps, p->segs[0].offset = UINT64_MAX - 100)
SPOIL(huge, p->segs[1].length = UINT64_MAX)
SPOIL(no_buf, p->segs[0].buf = 0)
SPOIL(other_buf, p->segs[1].buf = 12345)
SPOIL(direction, p->segs[0].dir = 2)
SPOIL(two_in, p->segs[1] = p->segs[0])
SPOIL(two_out, p->segs[0] = p->segs[1])
SPOIL(three, p->segs[2] = p->segs[0]; p->nsegs = 3)
SPOIL(seg_encoding, p->segs[0].encoding = FAX_ENC_MH)
SPOIL(seg_rows, p->segs[0].rows = ROWS)
SPOIL(seg_k, p->segs[1].k = 2)
SPOIL(seg_flags, p->segs[1].flags = FAX_FMT_EOL)
SPOIL(seg_reserved0, p->segs[0].reserved[0] = 1)
SPOIL(seg_reserved1, p->segs[1].reserved[1] = 1)
SPOIL(to_raw, p->fmt.encoding = FAX_ENC_RAW)
SPOIL(no_width, p->fmt.width = 0)
SPOIL(too_wide, p->fmt.width = FAX_MAX_WIDTH + 1)
SPOIL(thin_stride, p->fmt.stride = STRIDE - 1)
SPOIL(whiten, p->fmt.flags = FAX_FMT_WHITEN)
SPOIL(fmt_flag, p->fmt.flags = 1u << 30)
SPOIL(fmt_reserved, p->fmt.reserved[2] = 1)

static const struct spoil spoils[] = {
	{ "operation 0", EINVAL, op_zero },
	{ "an unknown operation", EINVAL, op_unknown },
	{ "SCAN on a coder", EOPNOTSUPP, op_scan },
	{ "PRINT on a coder", EOPNOTSUPP, op_print },
	{ "an unknown flag", EINVAL, flag_unknown },
	{ "NOWAIT without paper", EINVAL, flag_nowait },
	{ "RESUME of no job", EINVAL, flag_resume },
	{ "too many segments", EINVAL, many_segs },
	{ "segments without number", EINVAL, absurd_segs },
	{ "no segments", EINVAL, no_segs },
	{ "segments at a bad address", EFAULT, bad_address },
	{ "segments in the kernel", EFAULT, kernel_address },
	{ "a pipe that is not open", EBADF, pipe_closed },
	{ "a pipe that is none", EINVAL, pipe_none },
	{ "the node as pipe", EINVAL, pipe_device },
	{ "a raw segment a byte short", EINVAL, short_raw },
	{ "an empty raw segment", EINVAL, empty_raw },
	{ "an empty output", EINVAL, empty_out },
	{ "a segment beyond its buffer", EINVAL, beyond },
	{ "a segment that wraps around", EINVAL, wraps },
	{ "a segment without end", EINVAL, huge },
	{ "handle 0", EINVAL, no_buf },
	{ "an unknown handle", EINVAL, other_buf },
	{ "an unknown direction", EINVAL, direction },
	{ "two inputs", EINVAL, two_in },
	{ "two outputs", EINVAL, two_out },
	{ "an input too many", EINVAL, three },
	{ "an encoding for pixels", EINVAL, seg_encoding },
	{ "rows for pixels", EINVAL, seg_rows },
	{ "K for an output", EINVAL, seg_k },
	{ "flags for an output", EINVAL, seg_flags },
	{ "a reserved word of the first segment", EINVAL, seg_reserved0 },
	{ "a reserved word of the second", EINVAL, seg_reserved1 },
	{ "encoding to raw", EINVAL, to_raw },
	{ "no width", EINVAL, no_width },
	{ "a width over the limit", EINVAL, too_wide },
	{ "a stride too short", EINVAL, thin_stride },
	{ "WHITEN", EINVAL, whiten },
	{ "an unknown format flag", EINVAL, fmt_flag },
	{ "a reserved word of the format", EINVAL, fmt_reserved },
};

static const char *spoil_name(unsigned int row)
{
	return spoils[row].what;
}

static void page_begin(struct page *p)
{
	struct buf raw, coded;

	*p = (struct page){ .dev = open_node(FAX_FUNC_CODEC, 0), .op = FAX_OP_ENCODE, .pipe = -1,
			    .nsegs = 2, .at = p->segs };
	raw = buf_unseen(p->dev, 65536);
	coded = buf_unseen(p->dev, 65536);
	p->fmt = fmt_raw(FAX_FUNC_CODEC, WIDTH, ROWS);
	p->fmt.encoding = FAX_ENC_MMR;
	p->segs[0] = seg_in(&raw, 0, ROWS * STRIDE);
	p->segs[1] = seg_out(&coded, 0, 65536);
}

static void test_encode(unsigned int row)
{
	struct fax_completion c;
	struct page p;

	page_begin(&p);
	spoils[row].spoil(&p);
	expect_errno(submit(p.dev, p.op, p.flags, &p.fmt, p.pipe, p.at, p.nsegs, NULL),
		     spoils[row].wanted, "SUBMIT");
	expect(!status_of(p.dev).jobs, "something was queued");
	expect_errno(reap(p.dev, &c, 0), EAGAIN, "REAP");
	page_begin(&p);
	must_submit(p.dev, p.op, p.flags, &p.fmt, p.pipe, p.at, p.nsegs);
	expect(!must_reap(p.dev).code, "what is right does not work either");
}

SPOIL(coded_raw, p->segs[0].encoding = FAX_ENC_RAW)
SPOIL(coded_unknown, p->segs[0].encoding = 7)
SPOIL(coded_k, p->segs[0].k = 4)
SPOIL(coded_rows, p->segs[0].rows = UINT32_MAX)
SPOIL(coded_end, p->segs[0].flags = FAX_FMT_END)
SPOIL(coded_flag, p->segs[0].flags = 1u << 31)
SPOIL(coded_none, p->segs[0] = p->segs[1]; p->nsegs = 1)
SPOIL(coded_fmt, p->fmt.encoding = FAX_ENC_MMR)
SPOIL(coded_no_raw, p->nsegs = 1)
SPOIL(coded_small, p->segs[1].length = ROWS * STRIDE - 1)

static const struct spoil decode_spoils[] = {
	{ "a raw segment as code", EINVAL, coded_raw },
	{ "an unknown encoding", EINVAL, coded_unknown },
	{ "K, which the code tells", EINVAL, coded_k },
	{ "rows without end", EINVAL, coded_rows },
	{ "END, which is for encoding", EINVAL, coded_end },
	{ "an unknown flag of a segment", EINVAL, coded_flag },
	{ "no code", EINVAL, coded_none },
	{ "an encoding in the format", EINVAL, coded_fmt },
	{ "nowhere to decode to", EINVAL, coded_no_raw },
	{ "memory for fewer rows than asked for", EINVAL, coded_small },
	{ "NOWAIT without paper", EINVAL, flag_nowait },
	{ "RESUME, which is for encoding", EINVAL, flag_resume },
};

static const char *decode_name(unsigned int row)
{
	return decode_spoils[row].what;
}

static void test_decode(unsigned int row)
{
	struct page p;

	page_begin(&p);
	p.op = FAX_OP_DECODE;
	p.fmt.encoding = FAX_ENC_RAW;
	p.segs[0].encoding = FAX_ENC_MMR;
	p.segs[1].length = ROWS * STRIDE;
	decode_spoils[row].spoil(&p);
	expect_errno(submit(p.dev, p.op, p.flags, &p.fmt, p.pipe, p.at, p.nsegs, NULL),
		     decode_spoils[row].wanted, "SUBMIT");
	expect(!status_of(p.dev).jobs, "something was queued");
}

static void test_mode(unsigned int row)
{
	static const uint32_t ops[] = {
		[FAX_FUNC_SCAN] = FAX_OP_SCAN, [FAX_FUNC_PRINT] = FAX_OP_PRINT,
		[FAX_FUNC_CODEC] = FAX_OP_DECODE,
	};
	struct fax_fmt fmt = fmt_raw(here.function, page_width(), 0);
	struct fax_seg seg = {};
	int dev = open(node_of(here.function)->path,
		       here.function == FAX_FUNC_SCAN ? O_WRONLY : O_RDONLY);

	expect(dev >= 0, "open: %s", strerror(errno));
	expect_errno(submit(dev, ops[here.function], 0, &fmt, -1, &seg, 1, NULL), EBADF, "SUBMIT");
	if (here.function == FAX_FUNC_CODEC) {
		dev = open(node_of(here.function)->path, O_WRONLY);
		expect_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, &seg, 1, NULL), EBADF,
			     "SUBMIT by who may only write");
	}
}

static void test_wrong_function(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(here.function, page_width(), 0);
	uint32_t wrong = here.function == FAX_FUNC_SCAN ? FAX_OP_PRINT : FAX_OP_SCAN;
	int dev = open_node(here.function, 0);

	expect_errno(submit(dev, wrong, 0, &fmt, -1, NULL, 0, NULL), EOPNOTSUPP, "operation %u",
		     wrong);
	expect_errno(submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, NULL, 0, NULL), EOPNOTSUPP, "ENCODE");
}

static void test_engine_segs(unsigned int row)
{
	bool scan = here.function == FAX_FUNC_SCAN;
	uint32_t op = scan ? FAX_OP_SCAN : FAX_OP_PRINT, width = page_width();
	struct fax_fmt fmt = fmt_raw(here.function, width, 10);
	int dev = open_node(here.function, 0), pipe = pipe_new(dev, width, 16, 2);
	struct buf buf = buf_unseen(dev, 65536);
	struct fax_seg right = scan ? seg_out(&buf, 0, 65536) : seg_in(&buf, 0, 65536);
	struct fax_seg wrong = scan ? seg_in(&buf, 0, 65536) : seg_out(&buf, 0, 65536);
	struct fax_seg two[] = { right, right };

	expect_errno(submit(dev, op, 0, &fmt, -1, &wrong, 1, NULL), EINVAL, "the other direction");
	expect_errno(submit(dev, op, 0, &fmt, -1, two, 2, NULL), EINVAL, "two segments");
	expect_errno(submit(dev, op, 0, &fmt, -1, NULL, 0, NULL), EINVAL,
		     "neither segment nor pipe");
	expect_errno(submit(dev, op, 0, &fmt, pipe, &right, 1, NULL), EINVAL, "segment and pipe");
	expect_errno(submit(dev, op, FAX_SUBMIT_RESUME, &fmt, -1, &right, 1, NULL), EINVAL,
		     "RESUME");
	fmt.rows = 65536 / ((width + 7) / 8) + 1;
	expect_errno(submit(dev, op, 0, &fmt, -1, &right, 1, NULL), EINVAL,
		     "a row more than memory");
}

static void test_limit(unsigned int row)
{
	uint32_t op = here.function == FAX_FUNC_SCAN ? FAX_OP_SCAN : FAX_OP_PRINT;
	struct fax_fmt fmt = fmt_raw(here.function, page_width(), 0);
	int dev = open_node(here.function, 0), i, pipe;
	struct fax_completion c;

	for (i = 0; i < FAX_MAX_JOBS; i++)
		submit_endless(dev, here.function);
	pipe = pipe_new(dev, page_width(), 16, 2);
	expect_errno(submit(dev, op, 0, &fmt, pipe, NULL, 0, NULL), EDQUOT, "one more");
	expect_errno(cancel(dev, 0), 0, "CANCEL of all");
	for (i = 0; i < FAX_MAX_JOBS; i++) {
		c = must_reap(dev);
		expect(c.code == FAX_CODE_CANCELED, "code %u", c.code);
	}
	expect_errno(submit(dev, op, 0, &fmt, pipe, NULL, 0, NULL), 0, "then one more");
}

static const struct rule table[] = {
	RULE_ROWS("encode", "ENCODE refuses it, queues nothing, and works afterwards", test_encode,
		  NEEDS_CODEC, ARRAY_SIZE(spoils), spoil_name),
	RULE_ROWS("decode", "DECODE refuses it, and queues nothing", test_decode, NEEDS_CODEC,
		  ARRAY_SIZE(decode_spoils), decode_name),
	RULE("mode", "SUBMIT by who opened the wrong way round: EBADF", test_mode, EACH_FUNC),
	RULE("function", "another function's operation: EOPNOTSUPP", test_wrong_function,
	     EACH_ENGINE),
	RULE("segments", "SCAN has one output, PRINT one input, or a pipe", test_engine_segs,
	     EACH_ENGINE),
	RULE("limit", "64 jobs an open, then EDQUOT", test_limit, EACH_ENGINE),
};

const struct rules rules_submit = { "submit", table, ARRAY_SIZE(table) };
