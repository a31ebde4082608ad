// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Linked jobs: scan to encode, coded segments to print, code to code; and how
 * one side ends the other.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "uapi_test.h"

#define ROWS	2200u

static int scan, print, coder;

/* Scans and encodes the page in the feeder. */
static struct fax_completion scan_page(const struct fax_fmt *fmt, struct buf *coded, uint32_t rows,
				       uint32_t bands, struct fax_completion *scanned)
{
	struct fax_fmt raw = fmt_raw(fmt->width, 0);
	struct fax_seg seg = seg_out(coded, 0, coded->size);
	int pipe = pipe_new(coder, fmt->width, rows, bands);
	struct fax_completion c;

	must_submit(coder, FAX_OP_ENCODE, 0, fmt, pipe, &seg, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	close(pipe);
	*scanned = must_reap(scan);
	c = must_reap(coder);
	return c;
}

static void test_scan(uint32_t rows, uint32_t bands, uint32_t page_rows)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, FAX_FMT_END), ref_fmt = fmt;
	struct buf coded = buf_new(coder, 1 << 20);
	uint8_t *page = page_make(A4_WIDTH, page_rows, rows + bands), *ref;
	struct fax_status before = status_of(coder), after;
	struct fax_completion s, c;
	size_t len;

	sim_feed(page, A4_WIDTH, page_rows);
	c = scan_page(&fmt, &coded, rows, bands, &s);
	after = status_of(coder);
	ref_fmt.rows = page_rows;
	ref = t4_code(page, &ref_fmt, &len);
	check(!s.code && s.rows == page_rows && !s.bytes_out,
	      "%u bands of %u: %u rows are scanned (code %u, rows %u)", bands, rows, page_rows,
	      s.code, s.rows);
	check(!c.code && c.rows == page_rows && c.bytes_out == len && !c.bytes_in &&
	      !memcmp(coded.mem, ref, len), "and coded as the reference does (code %u, rows %u)",
	      c.code, c.rows);
	check(after.cpu_maps == before.cpu_maps && after.cpu_accesses == before.cpu_accesses,
	      "no CPU touched a pixel");
	buf_free(coder, &coded);
	free(page);
	free(ref);
}

/* The banner, then the strips of a page, each by itself, onto paper. */
static void test_print(uint32_t band_rows)
{
	static const uint32_t rows[] = { 24, 1000, 1176 };
	uint8_t *page = page_make(A4_WIDTH, ROWS, 4711), *printed;
	struct fax_fmt plain = fmt_raw(A4_WIDTH, 0);
	struct buf coded = buf_new(coder, 1 << 20);
	struct fax_completion p, d;
	struct fax_seg segs[3];
	size_t at = 0, len;
	uint32_t i, row = 0, width, height;
	int pipe = pipe_new(coder, A4_WIDTH, band_rows, 4);

	for (i = 0; i < 3; i++) {
		struct fax_fmt fmt = fmt_coded(i ? FAX_ENC_MMR : FAX_ENC_MH, A4_WIDTH, rows[i],
					       i ? FAX_FMT_END : FAX_FMT_EOL);
		uint8_t *code = t4_code(page + (size_t)row * A4_STRIDE, &fmt, &len);

		memcpy(coded.mem + at, code, len);
		free(code);
		segs[i] = seg_in(&coded, at, len);
		segs[i].encoding = fmt.encoding;
		segs[i].rows = rows[i];
		segs[i].flags = fmt.flags & FAX_FMT_EOL;
		at += len;
		row += rows[i];
	}
	sim_set("tray_clear", "1");
	must_submit(coder, FAX_OP_DECODE, 0, &plain, pipe, segs, 3);
	must_submit(print, FAX_OP_PRINT, 0, &plain, pipe, NULL, 0);
	d = must_reap(coder);
	p = must_reap(print);
	check(!d.code && d.rows == ROWS && d.bytes_in && d.bytes_in <= at,
	      "bands of %u: decoded (code %u, rows %u)", band_rows, d.code, d.rows);
	check(!p.code && p.rows == ROWS, "printed (code %u, peer %u, rows %u)", p.code, p.peer_code,
	      p.rows);
	check_u64(sim_get("tray_count"), 1, "one sheet came out");
	printed = sim_printed(&width, &height);
	check(width == A4_WIDTH && height == ROWS &&
		      !memcmp(printed, page, (size_t)ROWS * A4_STRIDE),
	      "with the pixels of the page");
	close(pipe);
	buf_free(coder, &coded);
	free(page);
	free(printed);
}

/* MH to MMR through one coder, without paper. */
static void test_recode(void)
{
	struct fax_fmt mh = fmt_coded(FAX_ENC_MH, A4_WIDTH, ROWS, FAX_FMT_EOL);
	struct fax_fmt mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, FAX_FMT_END), ref_fmt = mmr;
	uint8_t *page = page_make(A4_WIDTH, ROWS, 12), *code, *ref;
	struct buf in = buf_new(coder, 1 << 20), out = buf_new(coder, 1 << 20);
	struct fax_fmt plain = fmt_raw(A4_WIDTH, ROWS);
	int pipe = pipe_new(coder, A4_WIDTH, 64, 2), i;
	struct fax_completion c, e = {};
	struct fax_seg seg;
	size_t len;

	code = t4_code(page, &mh, &len);
	memcpy(in.mem, code, len);
	seg = seg_in(&in, 0, len);
	seg.encoding = FAX_ENC_MH;
	seg.flags = FAX_FMT_EOL;
	seg.rows = ROWS;
	must_submit(coder, FAX_OP_DECODE, 0, &plain, pipe, &seg, 1);
	seg = seg_out(&out, 0, out.size);
	must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &seg, 1);
	for (i = 0; i < 2; i++) {
		c = must_reap(coder);
		if (c.cookie == 0x1000 + FAX_OP_ENCODE)
			e = c;
	}
	ref_fmt.rows = ROWS;
	ref = t4_code(page, &ref_fmt, &len);
	check(!e.code && e.bytes_out == len && !memcmp(out.mem, ref, len),
	      "MH becomes MMR through a pipe (code %u)", e.code);
	close(pipe);
	buf_free(coder, &in);
	buf_free(coder, &out);
	free(page);
	free(code);
	free(ref);
}

/* A pipe serves one page after the other. */
static void test_again(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, FAX_FMT_END),
		       raw = fmt_raw(A4_WIDTH, 0);
	struct buf coded = buf_new(coder, 1 << 20);
	struct fax_seg seg = seg_out(&coded, 0, coded.size);
	int pipe = pipe_new(coder, A4_WIDTH, 128, 4), i;
	struct fax_completion s, c;
	uint32_t good = 0, more = 0, sized = 0;
	uint8_t *page;

	for (i = 0; i < 3; i++) {
		page = page_make(A4_WIDTH, 500 + i, i);
		sim_feed(page, A4_WIDTH, 500 + i);
		free(page);
	}
	for (i = 0; i < 3; i++) {
		must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
		if (!i) {
			check_errno(submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0, NULL), EBUSY,
				    "a second page while the first moves");
			check_u64(status_of(scan).jobs, 1, "a scan waits for its encoder");
			usleep(100000);
			check_u64(sim_get("feeder_count"), 3, "and takes no original before");
		}
		must_submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
		s = must_reap(scan);
		c = must_reap(coder);
		good += !s.code && !c.code && s.rows == 500u + i && c.rows == 500u + i;
		more += !!(s.flags & FAX_DONE_MORE_PAPER);
		sized += s.next_width == (i < 2 ? 216000 : 0) &&
			 s.next_height == (i < 2 ? (501 + i) * 1000000ull / FAX_RES_7_7_MM : 0);
	}
	check_u64(good, 3, "three pages through one pipe");
	check_u64(more, 2, "each scan says whether there is another original");
	check_u64(sized, 3, "and how large that is");
	close(pipe);
	buf_free(coder, &coded);
}

static void test_refusals(void)
{
	struct fax_pipe_alloc arg = { .width = A4_WIDTH, .rows = 10, .bands = 1 };
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, 1000, 0, 0), raw = fmt_raw(A4_WIDTH, 0);
	struct buf coded = buf_new(coder, 65536);
	struct fax_seg seg = seg_out(&coded, 0, 65536);
	int pipe;

	check_errno(ioctl(coder, FAX_IOC_PIPE_ALLOC, &arg), EINVAL, "a pipe of one band");
	arg.bands = FAX_MAX_BANDS + 1;
	check_errno(ioctl(coder, FAX_IOC_PIPE_ALLOC, &arg), EINVAL, "a pipe of too many bands");
	arg = (struct fax_pipe_alloc){ .width = FAX_MAX_WIDTH, .rows = 4096, .bands = 64 };
	check_errno(ioctl(coder, FAX_IOC_PIPE_ALLOC, &arg), EDQUOT, "a pipe larger than the limit");
	pipe = pipe_new(coder, A4_WIDTH, 64, 4);
	check_errno(submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1, NULL), EINVAL,
		    "a job of another width than its pipe");
	raw.stride = 256;
	check_errno(submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0, NULL), EINVAL,
		    "a job of another stride than its pipe");
	raw.stride = 0;
	check_errno(submit(scan, FAX_OP_SCAN, 0, &raw, -1, NULL, 0, NULL), EINVAL,
		    "a job with neither pipe nor memory");
	close(pipe);
	buf_free(coder, &coded);
}

/* What becomes of one side when the other fails. */
static void test_peers(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, FAX_FMT_END),
		       raw = fmt_raw(A4_WIDTH, 0);
	struct buf coded = buf_new(coder, 1 << 20);
	struct fax_seg seg = seg_out(&coded, 0, coded.size);
	uint8_t *page = page_make(A4_WIDTH, ROWS, 3);
	int pipe = pipe_new(coder, A4_WIDTH, 64, 4);
	struct fax_completion s, c;
	uint32_t job;

	/* the scan is canceled */
	must_submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
	job = must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	usleep(50000);
	cancel(scan, job);
	s = must_reap(scan);
	c = must_reap(coder);
	check_u64(s.code, FAX_CODE_CANCELED, "a scan that waits for its original is canceled");
	check(c.code == FAX_CODE_PEER && c.peer_code == FAX_CODE_CANCELED && c.error == -EPIPE,
	      "its encoder hears of it (code %u, peer %u)", c.code, c.peer_code);

	/* the encoder is canceled, before and after the other side came */
	job = must_submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
	cancel(coder, job);
	must_reap(coder);
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	s = must_reap(scan);
	check(s.code == FAX_CODE_PEER && s.peer_code == FAX_CODE_CANCELED,
	      "a scan whose encoder failed before it came (code %u, peer %u)", s.code, s.peer_code);

	/* no original, and no patience */
	must_submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
	must_submit(scan, FAX_OP_SCAN, FAX_SUBMIT_NOWAIT, &raw, pipe, NULL, 0);
	s = must_reap(scan);
	c = must_reap(coder);
	check(s.code == FAX_CODE_PAPER_OUT && s.error == -ENOSPC, "NOWAIT without an original");
	check(c.code == FAX_CODE_PEER && c.peer_code == FAX_CODE_PAPER_OUT,
	      "its encoder hears of it");

	/* the output is full in the middle of the page, and is given up */
	sim_feed(page, A4_WIDTH, ROWS);
	seg.length = 3000;
	job = must_submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	c = must_reap(coder);
	check_u64(c.code, FAX_CODE_OUT_FULL, "the output is full while scanning");
	check_errno(reap(scan, &s, 200), ETIMEDOUT, "the scan waits");
	seg = seg_out(&coded, 3000, coded.size - 3000);
	check_errno(submit(coder, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &fmt, -1, &seg, 1, &job), 0,
		    "RESUME");
	s = must_reap(scan);
	c = must_reap(coder);
	check(!s.code && !c.code && s.rows == ROWS && c.rows == ROWS,
	      "then both come to their end");
	{
		struct fax_fmt ref_fmt = fmt;
		size_t len;
		uint8_t *ref;

		ref_fmt.rows = ROWS;
		ref = t4_code(page, &ref_fmt, &len);
		check(c.bytes_out == len && !memcmp(coded.mem, ref, len), "with the right code");
		free(ref);
	}

	/* the last descriptor of the pipe goes while only one side is there */
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	close(pipe);
	s = must_reap(scan);
	check(s.code == FAX_CODE_PEER && s.peer_code == FAX_CODE_CANCELED,
	      "a pipe closed before the encoder came (code %u)", s.code);

	/* the open of the encoder is closed in the middle */
	{
		int other = open_dev(CODER, O_RDWR);
		struct buf mine = buf_new(other, 4096);
		struct fax_seg out = seg_out(&mine, 0, 4096);

		pipe = pipe_new(other, A4_WIDTH, 64, 4);
		sim_set("rows_per_second", "500");
		sim_feed(page, A4_WIDTH, ROWS);
		must_submit(other, FAX_OP_ENCODE, 0, &fmt, pipe, &out, 1);
		must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
		usleep(400000);
		close(pipe);
		close(other);
		s = must_reap(scan);
		check(s.code == FAX_CODE_PEER && s.peer_code == FAX_CODE_CANCELED,
		      "the encoder's open is closed (code %u, peer %u)", s.code, s.peer_code);
		munmap(mine.mem, mine.size);
		close(mine.fd);
		sim_reset();
	}
	buf_free(coder, &coded);
	free(page);
}

/* Encoding band n overlaps scanning band n + 1. */
static void test_overlap(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, FAX_FMT_END);
	struct fax_fmt raw = fmt_raw(A4_WIDTH, 0);
	struct buf coded = buf_new(coder, 1 << 20);
	struct fax_seg seg = seg_out(&coded, 0, coded.size);
	uint8_t *page = page_make(A4_WIDTH, 1000, 8);
	int pipe = pipe_new(coder, A4_WIDTH, 50, 4);
	uint64_t before = status_of(coder).rows, coded_rows;
	struct fax_completion s, c;

	sim_set("rows_per_second", "1000");
	sim_feed(page, A4_WIDTH, 1000);
	must_submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	usleep(600000);
	coded_rows = status_of(coder).rows - before;
	check(status_of(scan).jobs == 1 && coded_rows >= 100 && coded_rows < 1000,
	      "in mid-page, what was scanned is coded already (%u rows)", (uint32_t)coded_rows);
	s = must_reap(scan);
	c = must_reap(coder);
	check(!s.code && !c.code && c.rows == 1000, "and the page comes to its end");
	sim_reset();
	close(pipe);
	buf_free(coder, &coded);
	free(page);
}

int main(void)
{
	sim_reset();
	scan = open_dev(SCANNER, O_RDONLY);
	print = open_dev(PRINTER, O_WRONLY);
	coder = open_dev(CODER, O_RDWR);
	test_scan(128, 4, ROWS);
	test_scan(1, 2, 100);
	test_scan(4096, 2, 300);
	test_scan(100, 2, 400);	/* the page ends with a band */
	test_print(128);
	test_print(37);
	test_recode();
	test_again();
	test_refusals();
	test_peers();
	test_overlap();
	return done_testing();
}
