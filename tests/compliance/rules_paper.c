// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Scanning and printing: pages, conditions, who waits and who is told. On a
 * real board an operator feeds originals, and pixels are not compared.
 */
#include <poll.h>
#include <linux/lp.h>

#include "compliance.h"

#define ROWS	1100u

static uint32_t width, stride;
static uint8_t *page;

static void page_begin(void)
{
	width = page_width();
	stride = (width + 7) / 8;
	page = page_make(width, ROWS, stride, STROKES);
}

static bool simulated(void)
{
	return here.knobs[0];
}

static void test_scan(unsigned int row)
{
	int dev = open_node(FAX_FUNC_SCAN, 0);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_SCAN, page_width(), 0);
	struct fax_completion c;
	struct fax_seg seg;
	struct buf raw;

	page_begin();
	raw = buf_new(dev, 8000 * stride);
	seg = seg_out(&raw, 0, 8000 * stride);
	feed(page, width, ROWS);
	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	c = must_reap(dev);
	expect(!c.code && !c.error && c.rows && c.bytes_out == (uint64_t)c.rows * stride,
	       "code %u, %u rows, %llu bytes", c.code, c.rows, (unsigned long long)c.bytes_out);
	if (simulated())
		expect(c.rows == ROWS && !memcmp(raw.mem, page, ROWS * stride) &&
		       !(c.flags & FAX_DONE_MORE_PAPER), "%u rows, flags %#x", c.rows, c.flags);
}

/* Scan to code without a pixel in memory that anyone sees. */
static void test_scan_code(unsigned int row)
{
	int scan = open_node(FAX_FUNC_SCAN, 0), coder = open_node(FAX_FUNC_CODEC, 0);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_SCAN, page_width(), 0), code;
	struct fax_status before, after;
	struct fax_completion s, e;
	struct fax_seg seg;
	struct buf coded;
	uint8_t *wanted;
	size_t len;
	int pipe;

	page_begin();
	code = fmt_raw(FAX_FUNC_CODEC, width, 0);
	code.encoding = FAX_ENC_MMR;
	code.flags = FAX_FMT_END;
	coded = buf_unseen(coder, 4 << 20);
	seg = seg_out(&coded, 0, coded.size);
	pipe = pipe_new(coder, width, 64, 4);
	before = status_of(coder);
	feed(page, width, ROWS);
	must_submit(coder, FAX_OP_ENCODE, 0, &code, pipe, &seg, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &fmt, pipe, NULL, 0);
	s = must_reap(scan);
	e = must_reap(coder);
	after = status_of(coder);
	expect(!s.code && !e.code && s.rows && s.rows == e.rows && !s.bytes_out && !e.bytes_in &&
	       e.bytes_out, "codes %u and %u, rows %u and %u", s.code, e.code, s.rows, e.rows);
	expect(after.cpu_maps == before.cpu_maps && after.cpu_accesses == before.cpu_accesses,
	       "a CPU saw a page buffer");
	if (!simulated())
		return;
	code.rows = ROWS;
	wanted = t4_code(page, &code, &len);
	buf_view(&coded);
	expect(e.bytes_out == len && !memcmp(coded.mem, wanted, len), "the code is wrong");
}

static void must_print(int dev, const struct buf *raw)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_PRINT, width, ROWS);
	struct fax_seg seg = seg_in(raw, 0, ROWS * stride);
	struct fax_completion c;

	must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	c = must_reap(dev);
	expect(!c.code && c.rows == ROWS && c.bytes_in == (uint64_t)ROWS * stride,
	       "code %u, %u rows", c.code, c.rows);
}

static void expect_sheet(uint32_t rows)
{
	uint32_t got_width, got_rows;
	uint8_t *sheet;

	if (!simulated())
		return;
	sheet = printed(&got_width, &got_rows);
	expect(got_width == width && got_rows == rows, "the sheet has %u x %u", got_width,
	       got_rows);
	expect(!memcmp(sheet, page, (size_t)rows * stride), "the sheet's pixels are wrong");
	free(sheet);
}

static struct buf print_begin(int dev)
{
	struct buf raw;

	page_begin();
	raw = buf_new(dev, ROWS * stride);
	memcpy(raw.mem, page, ROWS * stride);
	return raw;
}

static void test_print(unsigned int row)
{
	int dev = open_node(FAX_FUNC_PRINT, 0);
	struct buf raw = print_begin(dev);

	must_print(dev, &raw);
	expect_sheet(ROWS);
}

/* Banner and strips, each coded by itself, onto one sheet. */
static void test_print_code(unsigned int row)
{
	static const uint32_t parts[] = { 24, 500, ROWS - 524 };
	int print = open_node(FAX_FUNC_PRINT, 0), coder = open_node(FAX_FUNC_CODEC, 0);
	struct fax_fmt plain = fmt_raw(FAX_FUNC_PRINT, page_width(), 0), part;
	struct buf coded = buf_new(coder, 1 << 20);
	struct fax_completion p, d;
	struct fax_seg segs[ARRAY_SIZE(parts)];
	uint32_t first = 0;
	size_t i, at = 0, len;
	uint8_t *code;
	int pipe;

	page_begin();
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		part = fmt_raw(FAX_FUNC_CODEC, width, parts[i]);
		part.encoding = i ? FAX_ENC_MMR : FAX_ENC_MH;
		part.flags = i ? FAX_FMT_END : FAX_FMT_EOL;
		code = t4_code(page + first * stride, &part, &len);
		memcpy(coded.mem + at, code, len);
		free(code);
		segs[i] = seg_in(&coded, at, len);
		segs[i].encoding = part.encoding;
		segs[i].rows = parts[i];
		segs[i].flags = part.flags & FAX_FMT_EOL;
		at += len;
		first += parts[i];
	}
	pipe = pipe_new(coder, width, 37, 4);
	must_submit(print, FAX_OP_PRINT, 0, &plain, pipe, NULL, 0);
	plain = fmt_raw(FAX_FUNC_CODEC, width, 0);
	must_submit(coder, FAX_OP_DECODE, 0, &plain, pipe, segs, ARRAY_SIZE(segs));
	d = must_reap(coder);
	p = must_reap(print);
	expect(!d.code && !p.code && d.rows == ROWS && p.rows == ROWS,
	       "codes %u and %u, rows %u and %u", d.code, p.code, d.rows, p.rows);
	expect_sheet(ROWS);
}

/* Code that breaks off in the middle of a page ends the printing with its cause. */
static void test_print_broken(unsigned int row)
{
	int print = open_node(FAX_FUNC_PRINT, 0), coder = open_node(FAX_FUNC_CODEC, 0);
	struct fax_fmt plain = fmt_raw(FAX_FUNC_PRINT, page_width(), 0), fmt;
	struct buf coded = buf_new(coder, 1 << 20);
	struct fax_completion p, d;
	struct fax_seg seg;
	uint8_t *code;
	size_t len;
	int pipe;

	page_begin();
	fmt = fmt_raw(FAX_FUNC_CODEC, width, ROWS);
	fmt.encoding = FAX_ENC_MMR;
	code = t4_code(page, &fmt, &len);
	memset(code + len / 2, 0, 40);
	memcpy(coded.mem, code, len);
	seg = seg_in(&coded, 0, len);
	seg.encoding = FAX_ENC_MMR;
	pipe = pipe_new(coder, width, 64, 4);
	must_submit(print, FAX_OP_PRINT, 0, &plain, pipe, NULL, 0);
	plain = fmt_raw(FAX_FUNC_CODEC, width, 0);
	must_submit(coder, FAX_OP_DECODE, 0, &plain, pipe, &seg, 1);
	d = must_reap(coder);
	p = must_reap(print);
	expect(d.code == FAX_CODE_CODING && p.code == FAX_CODE_PEER &&
		       p.peer_code == FAX_CODE_CODING,
	       "codes %u and %u, peer %u", d.code, p.code, p.peer_code);
}

static void test_feeder(unsigned int row)
{
	int dev = open_node(FAX_FUNC_SCAN, 0), i;
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_SCAN, page_width(), 0);
	struct fax_completion c;
	struct fax_seg seg;
	struct buf raw;

	page_begin();
	raw = buf_unseen(dev, ROWS * 2 * stride);
	seg = seg_out(&raw, 0, raw.size);
	for (i = 0; i < 3; i++)
		feed(page, width, ROWS);
	for (i = 0; i < 3; i++) {
		must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
		c = must_reap(dev);
		expect(!c.code && !(c.flags & FAX_DONE_MORE_PAPER) == (i == 2),
		       "page %d: code %u, flags %#x", i, c.code, c.flags);
	}
	must_submit(dev, FAX_OP_SCAN, FAX_SUBMIT_NOWAIT, &fmt, -1, &seg, 1);
	c = must_reap(dev);
	expect(c.code == FAX_CODE_PAPER_OUT && c.error == -ENOSPC, "NOWAIT: code %u", c.code);
}

static void test_lengths(unsigned int row)
{
	int dev = open_node(FAX_FUNC_SCAN, 0);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_SCAN, page_width(), 0);
	struct fax_completion c;
	struct fax_seg seg;
	struct buf raw;

	page_begin();
	raw = buf_new(dev, ROWS * 2 * stride);
	memset(raw.mem, 0xa5, raw.size);
	feed(page, width, ROWS);
	seg = seg_out(&raw, 0, 100 * stride);
	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	c = must_reap(dev);
	expect(c.code == FAX_CODE_TOO_LONG && c.error == -EMSGSIZE && c.rows == 100,
	       "little memory: code %u, %u rows", c.code, c.rows);
	expect(raw.mem[100 * stride] == 0xa5, "it was overrun");
	paper_reset();
	feed(page, width, ROWS);
	fmt.rows = ROWS + 50;
	seg = seg_out(&raw, 0, raw.size);
	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	c = must_reap(dev);
	expect(!c.code && c.rows == ROWS && c.flags & FAX_DONE_SHORT,
	       "a short original: code %u, %u rows, flags %#x", c.code, c.rows, c.flags);
}

static void test_too_wide(unsigned int row)
{
	const struct fax_caps *caps = &node_of(FAX_FUNC_SCAN)->caps;
	int dev = open_node(FAX_FUNC_SCAN, 0);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_SCAN, page_width(), 0);
	struct buf raw = buf_unseen(dev, 1 << 20);
	struct fax_seg seg = seg_out(&raw, 0, raw.size);
	struct fax_completion c;

	page_begin();
	if (width * 2 > caps->width_max)
		skip("nothing is wider");
	feed(page_make(width * 2, 100, stride * 2, STROKES), width * 2, 100);
	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	c = must_reap(dev);
	expect(c.code == FAX_CODE_TOO_WIDE && c.error == -EMSGSIZE, "code %u", c.code);
}

static void drain(int dev)
{
	struct fax_event event;

	while (wait_event(dev, FAX_EVENT_LOST, &event, 50))
		;
}

/* Other conditions may change as well. */
static bool wait_condition(int dev, uint32_t condition)
{
	struct fax_event e;

	while (wait_event(dev, FAX_EVENT_CONDITION, &e, 3000))
		if (e.conditions & e.changed & condition)
			return true;
	return false;
}

static void test_paper_out(unsigned int row)
{
	int dev = open_node(FAX_FUNC_PRINT, 0), lp = 0;
	struct buf raw = print_begin(dev);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_PRINT, width, ROWS);
	struct fax_seg seg = seg_in(&raw, 0, ROWS * stride);
	struct fax_completion c;
	struct fax_event e;
	uint32_t job;

	drain(dev);
	status_of(dev);
	knob("paper", "0");
	expect(wait_condition(dev, FAX_COND_PAPER_OUT), "no event of the empty tray");
	expect(status_of(dev).conditions & FAX_COND_PAPER_OUT, "STATUS does not tell");
	expect(!ioctl(dev, LPGETSTATUS, &lp) && lp & LP_POUTPA, "LPGETSTATUS does not tell");
	job = must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	expect(wait_event(dev, FAX_EVENT_JOB_WAITING, &e, 3000) && e.job == job,
	       "no event of the waiting job");
	expect(status_of(dev).state == FAX_STATE_WAITING, "state %u", status_of(dev).state);
	expect_errno(reap(dev, &c, 200), ETIMEDOUT, "the job ended");
	knob("paper", "5");
	expect(wait_event(dev, FAX_EVENT_JOB_GOES_ON, &e, 3000) && e.job == job,
	       "no event of the job going on");
	c = must_reap(dev);
	expect(!c.code && c.rows == ROWS, "code %u, %u rows", c.code, c.rows);
	expect_sheet(ROWS);
	expect(status_of(dev).latched & FAX_COND_PAPER_OUT, "not latched");
	expect(!(status_of(dev).latched & FAX_COND_PAPER_OUT), "latched twice");
	knob("paper", "0");
	must_submit(dev, FAX_OP_PRINT, FAX_SUBMIT_NOWAIT, &fmt, -1, &seg, 1);
	c = must_reap(dev);
	expect(c.code == FAX_CODE_PAPER_OUT && c.error == -ENOSPC && !c.rows, "NOWAIT: code %u",
	       c.code);
	job = must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	expect(wait_event(dev, FAX_EVENT_JOB_WAITING, &e, 3000), "it does not wait");
	expect_errno(cancel(dev, job), 0, "CANCEL of a job that waits");
	expect(must_reap(dev).code == FAX_CODE_CANCELED, "not CANCELED");
}

/* A knob that stops a page in its middle, and the code that names it. */
static void stop_page(const char *name, const char *value, uint32_t code)
{
	int dev = open_node(FAX_FUNC_PRINT, 0);
	struct buf raw = print_begin(dev);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_PRINT, width, ROWS);
	struct fax_seg seg = seg_in(&raw, 0, ROWS * stride);
	struct fax_completion c;

	knob("rows_per_second", "800");
	must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	usleep(400000);
	knob(name, value);
	c = must_reap(dev);
	expect(c.code == code && c.error == -EIO && c.rows < ROWS, "code %u, error %d, %u rows",
	       c.code, c.error, c.rows);
	paper_reset();
	must_print(dev, &raw);
	expect_sheet(ROWS);
}

static void test_jam(unsigned int row)
{
	stop_page("jam", "2", FAX_CODE_JAM);
}

static void test_cover(unsigned int row)
{
	stop_page("cover", "1", FAX_CODE_COVER);
}

/* At moments all over a page; the next page is right every time. */
static void test_cancel(unsigned int row)
{
	int dev = open_node(FAX_FUNC_PRINT, 0);
	struct buf raw = print_begin(dev);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_PRINT, width, ROWS);
	struct fax_seg seg = seg_in(&raw, 0, ROWS * stride);
	struct fax_completion c;
	unsigned int us;
	uint32_t job;
	int ret;

	for (us = 0; us < 150000; us += us / 2 + 200) {
		knob("rows_per_second", "20000");
		job = must_submit(dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
		usleep(us);
		ret = cancel(dev, job);
		c = must_reap(dev);
		expect(c.job == job && (ret ? !c.code : c.code == FAX_CODE_CANCELED),
		       "after %u us: CANCEL %d, code %u", us, ret, c.code);
	}
	knob("rows_per_second", "0");
	must_print(dev, &raw);
	expect_sheet(ROWS);
}

/* Two opens without a claim: page by page, none mixed with the other's. */
static void test_two(unsigned int row)
{
	int one = open_node(FAX_FUNC_PRINT, 0), two = open_node(FAX_FUNC_PRINT, 0), i;
	struct buf a = print_begin(one), b = buf_new(two, ROWS * stride);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_PRINT, width, ROWS);
	struct fax_seg sa = seg_in(&a, 0, ROWS * stride), sb = seg_in(&b, 0, ROWS * stride);

	memset(b.mem, 0xff, ROWS * stride);
	for (i = 0; i < 4; i++) {
		must_submit(two, FAX_OP_PRINT, 0, &fmt, -1, &sb, 1);
		must_submit(one, FAX_OP_PRINT, 0, &fmt, -1, &sa, 1);
	}
	for (i = 0; i < 4; i++)
		expect(!must_reap(one).code && !must_reap(two).code, "page %d", i);
	expect(knob_value("tray_count") == 8, "%ld sheets", knob_value("tray_count"));
	expect_sheet(ROWS);
}

static void test_lp(unsigned int row)
{
	int print = open_node(FAX_FUNC_PRINT, 0), status = 0;

	expect_errno(ioctl(print, LPGETSTATUS, &status), 0, "LPGETSTATUS of the printer");
	expect(status & LP_PSELECD, "status %#x", status);
	expect_errno(ioctl(print, LPGETSTATUS, (void *)8), EFAULT, "LPGETSTATUS to a bad address");
	if (node_of(FAX_FUNC_CODEC)->path[0])
		expect_errno(ioctl(open_node(FAX_FUNC_CODEC, 0), LPGETSTATUS, &status), ENOTTY,
			     "LPGETSTATUS of the coder");
}

static const struct rule table[] = {
	RULE("scan", "SCAN gives the original's pixels", test_scan, NEEDS_SCAN | NEEDS_PAPER),
	RULE("scan-code", "scan to code by a pipe: right, and no CPU sees a page", test_scan_code,
	     NEEDS_SCAN | NEEDS_CODEC | NEEDS_PAPER),
	RULE("print", "PRINT puts the page's pixels on paper", test_print,
	     NEEDS_PRINT | NEEDS_PAPER),
	RULE("print-code", "banner and strips, coded apart, come out on one sheet", test_print_code,
	     NEEDS_PRINT | NEEDS_CODEC | NEEDS_PAPER),
	RULE("print-broken", "code that breaks ends the printing with its cause", test_print_broken,
	     NEEDS_PRINT | NEEDS_CODEC | NEEDS_PAPER),
	RULE("feeder", "MORE_PAPER until the last original; then NOWAIT gives PAPER_OUT (ENOSPC)",
	     test_feeder, NEEDS_SCAN | NEEDS_PAPER),
	RULE("lengths", "originals too long are cut and told, shorter ones are SHORT", test_lengths,
	     NEEDS_SCAN | NEEDS_KNOBS),
	RULE("too-wide", "an original wider than the format: TOO_WIDE (EMSGSIZE)", test_too_wide,
	     NEEDS_SCAN | NEEDS_KNOBS),
	RULE("paper-out", "jobs wait for paper, events tell, NOWAIT does not wait", test_paper_out,
	     NEEDS_PRINT | NEEDS_KNOBS),
	RULE("jam", "a jam ends the page (EIO); cleared, the next one is printed", test_jam,
	     NEEDS_PRINT | NEEDS_KNOBS),
	RULE("cover", "an opened cover ends the page (EIO); closed, the next one is printed",
	     test_cover, NEEDS_PRINT | NEEDS_KNOBS),
	RULE("cancel", "CANCEL anywhere in a page, and the next one is right", test_cancel,
	     NEEDS_PRINT | NEEDS_KNOBS),
	RULE("two", "pages of two opens never interleave", test_two, NEEDS_PRINT | NEEDS_KNOBS),
	RULE("lp", "the printer answers LPGETSTATUS, others do not (ENOTTY)", test_lp, NEEDS_PRINT),
};

const struct rules rules_paper = { "paper", table, ARRAY_SIZE(table) };
