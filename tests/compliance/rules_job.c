// SPDX-License-Identifier: LGPL-2.1-or-later
/* Jobs: REAP, OUT_FULL and RESUME, CANCEL at any moment, closing with jobs in flight. */
#include <poll.h>

#include "compliance.h"

#define ROWS	1100u
#define STRIDE	216u
#define RAW_LEN	((uint64_t)ROWS * STRIDE)

/* A page to encode, and what must come out. */
struct work {
	int dev;
	struct fax_fmt fmt;
	struct buf raw;
	struct buf coded;
	uint8_t *wanted;
	size_t len;
};

static void work_begin(struct work *w, int more_flags)
{
	uint8_t *page = page_make(1728, ROWS, STRIDE, STROKES);

	w->dev = open_node(FAX_FUNC_CODEC, more_flags);
	w->fmt = fmt_raw(FAX_FUNC_CODEC, 1728, ROWS);
	w->fmt.encoding = FAX_ENC_MMR;
	w->raw = buf_new(w->dev, RAW_LEN);
	w->coded = buf_new(w->dev, 1 << 20);
	memcpy(w->raw.mem, page, RAW_LEN);
	w->wanted = t4_code(page, &w->fmt, &w->len);
	free(page);
}

static uint32_t work_submit(struct work *w, uint64_t offset, uint64_t room)
{
	struct fax_seg segs[] = { seg_in(&w->raw, 0, RAW_LEN), seg_out(&w->coded, offset, room) };

	return must_submit(w->dev, FAX_OP_ENCODE, 0, &w->fmt, -1, segs, 2);
}

static bool work_is_right(const struct work *w, const struct fax_completion *c)
{
	return !c->code && c->bytes_out == w->len && !memcmp(w->coded.mem, w->wanted, w->len);
}

static void must_work(struct work *w)
{
	struct fax_completion c;

	work_submit(w, 0, w->coded.size);
	c = must_reap(w->dev);
	expect(work_is_right(w, &c), "the next page is wrong (code %u)", c.code);
}

static void test_reap_arguments(unsigned int row)
{
	int dev = open_node(here.function, O_NONBLOCK);
	struct fax_completion c[2];
	struct fax_reap right = {
		.completions = (uintptr_t)c, .size = sizeof(c[0]), .count = 1,
	}, r;

	r = right;
	expect_errno(ioctl(dev, FAX_IOC_REAP, &r), EAGAIN, "nothing to reap");
	r = right, r.count = 0;
	expect_errno(ioctl(dev, FAX_IOC_REAP, &r), EINVAL, "room for none");
	r = right, r.flags = 2;
	expect_errno(ioctl(dev, FAX_IOC_REAP, &r), EINVAL, "an unknown flag");
	r = right, r.size = sizeof(c[0]) - 1;
	expect_errno(ioctl(dev, FAX_IOC_REAP, &r), EINVAL, "completions too short");
	r = right, r.size = UINT32_MAX;
	expect_errno(ioctl(dev, FAX_IOC_REAP, &r), EINVAL, "completions without end");
}

static void test_reap_timeout(unsigned int row)
{
	int dev = open_node(here.function, 0);
	struct fax_completion c;
	double start = now();

	expect_errno(reap(dev, &c, 200), ETIMEDOUT, "REAP");
	expect(now() - start > 0.18 && now() - start < 2, "it took %.2f s", now() - start);
	expect_errno(reap(dev, &c, 0), EAGAIN, "REAP with NONBLOCK");
}

/* Completions that are longer than the kernel's: the rest is zeroed, each at its place. */
static void test_reap_longer(unsigned int row)
{
	struct { struct fax_completion c; uint8_t more[48]; } done[3];
	struct fax_reap r = {
		.completions = (uintptr_t)done, .size = sizeof(done[0]), .count = 3,
	};
	uint32_t jobs[2], i;
	struct work w;
	size_t b;

	work_begin(&w, 0);
	jobs[0] = work_submit(&w, 0, 1 << 19);
	jobs[1] = work_submit(&w, 1 << 19, 1 << 19);
	wait_idle(w.dev);
	memset(done, 0xff, sizeof(done));
	expect_errno(ioctl(w.dev, FAX_IOC_REAP, &r), 0, "REAP");
	expect(r.count == 2, "%u completions", r.count);
	for (i = 0; i < 2; i++) {
		expect(done[i].c.job == jobs[i] && !done[i].c.code,
		       "completion %u: job %u, code %u", i, done[i].c.job, done[i].c.code);
		for (b = 0; b < sizeof(done[i].more); b++)
			expect(!done[i].more[b], "byte %zu of what is longer is not zero", b);
		for (b = 0; b < ARRAY_SIZE(done[i].c.reserved); b++)
			expect(!done[i].c.reserved[b], "reserved word %zu is not zero", b);
	}
	expect(done[2].c.job == UINT32_MAX, "a third was written");
}

/* A completion that cannot be handed over is not lost. */
static void test_reap_fault(unsigned int row)
{
	struct fax_reap r = { .completions = 8, .size = sizeof(struct fax_completion), .count = 1 };
	struct work w;
	uint32_t job;

	work_begin(&w, 0);
	job = work_submit(&w, 0, w.coded.size);
	wait_idle(w.dev);
	expect_errno(ioctl(w.dev, FAX_IOC_REAP, &r), EFAULT, "REAP to a bad address");
	expect(must_reap(w.dev).job == job, "another job");
}

static void test_out_full(unsigned int row)
{
	static const uint64_t pieces[] = { 7001, 1024, 333 };
	struct fax_completion c;
	struct fax_seg seg;
	struct work w;
	uint64_t at;
	uint32_t job;
	size_t i;

	work_begin(&w, 0);
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		memset(w.coded.mem, 0xa5, w.coded.size);
		job = work_submit(&w, 0, pieces[i]);
		for (at = pieces[i]; (c = must_reap(w.dev)).code == FAX_CODE_OUT_FULL;
		     at += pieces[i]) {
			expect(c.error == -ENOBUFS && c.job == job && c.bytes_out == at,
			       "error %d, %llu bytes", c.error, (unsigned long long)c.bytes_out);
			expect(w.coded.mem[at] == 0xa5, "byte %llu was written",
			       (unsigned long long)at);
			seg = seg_out(&w.coded, at, pieces[i]);
			expect_errno(submit(w.dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &w.fmt, -1,
					    &seg, 1, &job),
				     0, "RESUME");
		}
		expect(work_is_right(&w, &c), "pieces of %llu: code %u, %llu bytes",
		       (unsigned long long)pieces[i], c.code, (unsigned long long)c.bytes_out);
	}
}

static void test_resume_refusals(unsigned int row)
{
	struct fax_seg seg, two[2];
	struct work w;
	uint32_t job, other = 4711;
	int dev;

	work_begin(&w, 0);
	job = work_submit(&w, 0, 100);
	seg = seg_out(&w.coded, 100, 100);
	two[0] = two[1] = seg;
	expect(must_reap(w.dev).code == FAX_CODE_OUT_FULL, "not OUT_FULL");
	expect_errno(submit(w.dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &w.fmt, -1, &seg, 1, &other),
		     EINVAL, "RESUME of an unknown job");
	expect_errno(submit(w.dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &w.fmt, -1, two, 2, &job),
		     EINVAL, "RESUME with two segments");
	seg.dir = FAX_SEG_IN;
	expect_errno(submit(w.dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &w.fmt, -1, &seg, 1, &job),
		     EINVAL, "RESUME with an input");
	seg = seg_out(&w.coded, w.coded.size - 10, 100);
	expect_errno(submit(w.dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &w.fmt, -1, &seg, 1, &job),
		     EINVAL, "RESUME beyond the buffer");
	dev = open_node(FAX_FUNC_CODEC, 0);
	seg = seg_out(&w.coded, 100, 100);
	expect_errno(submit(dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &w.fmt, -1, &seg, 1, &job),
		     EINVAL, "RESUME by another open");
	expect_errno(cancel(w.dev, job), 0, "CANCEL");
	expect(must_reap(w.dev).code == FAX_CODE_CANCELED, "not CANCELED");
	expect_errno(submit(w.dev, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &w.fmt, -1, &seg, 1, &job),
		     EINVAL, "RESUME of a job that is done");
	must_work(&w);
}

/* After every wait from none to what a page takes. */
static void test_cancel(unsigned int row)
{
	unsigned int us, canceled = 0, done = 0;
	struct fax_completion c;
	struct work w;
	uint32_t job;
	int ret;

	work_begin(&w, 0);
	for (us = 0; us < 60000; us += us / 3 + 50) {
		job = work_submit(&w, 0, w.coded.size);
		usleep(us);
		ret = cancel(w.dev, job);
		expect(!ret || ret == -ENOENT, "CANCEL after %u us: %s", us, strerror(-ret));
		c = must_reap(w.dev);
		expect(c.job == job, "job %u, not %u", c.job, job);
		expect(ret ? work_is_right(&w, &c) :
			     c.code == FAX_CODE_CANCELED && c.error == -ECANCELED,
		       "after %u us: code %u, error %d", us, c.code, c.error);
		canceled += !ret;
		done += !!ret;
		expect_errno(cancel(w.dev, job), ENOENT, "CANCEL of what is reaped");
	}
	note("%u canceled, %u done before", canceled, done);
	must_work(&w);
}

static void test_cancel_all(unsigned int row)
{
	unsigned int i, canceled = 0;
	struct fax_completion c;
	struct work w;

	work_begin(&w, 0);
	for (i = 0; i < 20; i++)
		work_submit(&w, 0, w.coded.size);
	expect_errno(cancel(w.dev, 0), 0, "CANCEL of all");
	for (i = 0; i < 20; i++) {
		c = must_reap(w.dev);
		expect(!c.code || c.code == FAX_CODE_CANCELED, "code %u", c.code);
		canceled += !!c.code;
	}
	expect(canceled >= 10, "only %u of 20 were canceled", canceled);
	expect_errno(reap(w.dev, &c, 0), EAGAIN, "one completion more");
	expect_errno(cancel(w.dev, 0), 0, "CANCEL of none");
	must_work(&w);
}

static void test_cancel_unknown(unsigned int row)
{
	int one = open_node(here.function, 0), two = open_node(here.function, 0);
	uint32_t job = submit_endless(one, here.function);
	struct fax_completion c;

	expect_errno(cancel(one, job + 1), ENOENT, "CANCEL of a job that is not there");
	expect_errno(cancel(two, job), ENOENT, "CANCEL by another open");
	expect_errno(cancel(two, 0), 0, "CANCEL of all of another open");
	expect_errno(reap(one, &c, 100), ETIMEDOUT, "the job ended");
	expect_errno(cancel(one, job), 0, "CANCEL");
	expect(must_reap(one).code == FAX_CODE_CANCELED, "not CANCELED");
}

static void test_close(unsigned int row)
{
	unsigned int us;
	struct work w;

	for (us = 0; us < 20000; us += us / 2 + 100) {
		work_begin(&w, 0);
		work_submit(&w, 0, w.coded.size);
		work_submit(&w, 0, 1000);
		usleep(us);
		close(w.dev);
	}
	work_begin(&w, 0);
	wait_idle(w.dev);
	must_work(&w);
}

static void test_poll(unsigned int row)
{
	struct pollfd pfd;
	struct work w;

	work_begin(&w, 0);
	pfd = (struct pollfd){ .fd = w.dev, .events = POLLIN | POLLOUT | POLLPRI };
	expect(poll(&pfd, 1, 0) == 1 && pfd.revents == POLLOUT, "idle: %#x", pfd.revents);
	work_submit(&w, 0, w.coded.size);
	pfd.events = POLLIN;
	expect(poll(&pfd, 1, 20000) == 1 && pfd.revents == POLLIN, "a job done: %#x", pfd.revents);
	must_reap(w.dev);
	expect(poll(&pfd, 1, 0) == 0, "reaped: %#x", pfd.revents);
	work_submit(&w, 0, 100);
	expect(poll(&pfd, 1, 20000) == 1 && pfd.revents == POLLIN, "OUT_FULL: %#x", pfd.revents);
	must_reap(w.dev);
	expect(poll(&pfd, 1, 0) == 0, "OUT_FULL, reaped: %#x", pfd.revents);
}

static void test_poll_full(unsigned int row)
{
	struct pollfd pfd = { .fd = open_node(here.function, 0), .events = POLLOUT };
	int i;

	for (i = 0; i < FAX_MAX_JOBS; i++) {
		expect(poll(&pfd, 1, 0) == 1 && pfd.revents == POLLOUT, "%d jobs: %#x", i,
		       pfd.revents);
		submit_endless(pfd.fd, here.function);
	}
	expect(poll(&pfd, 1, 0) == 0, "as many jobs as may be: %#x", pfd.revents);
}

static void test_poll_mode(unsigned int row)
{
	struct pollfd pfd = { .events = POLLOUT };

	pfd.fd = open(node_of(here.function)->path,
		      here.function == FAX_FUNC_SCAN ? O_WRONLY : O_RDONLY);
	expect(pfd.fd >= 0, "open: %s", strerror(errno));
	expect(poll(&pfd, 1, 0) == 0, "%#x", pfd.revents);
}

static void test_order(unsigned int row)
{
	struct fax_completion c;
	uint32_t jobs[8];
	struct work w;
	size_t i, j, seen = 0;

	work_begin(&w, 0);
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = work_submit(&w, i << 17, 1 << 17);
		for (j = 0; j < i; j++)
			expect(jobs[i] && jobs[j] != jobs[i], "two jobs have the id %u", jobs[i]);
	}
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		c = must_reap(w.dev);
		for (j = 0; j < ARRAY_SIZE(jobs) && jobs[j] != c.job; j++)
			;
		expect(j < ARRAY_SIZE(jobs) && !(seen & 1u << j), "job %u, twice or unknown",
		       c.job);
		seen |= 1u << j;
		expect(!c.code && c.bytes_out == w.len && !memcmp(w.coded.mem + (j << 17), w.wanted,
								  w.len), "job %u is wrong", c.job);
	}
}

static void test_counters(unsigned int row)
{
	struct fax_status before, after;
	struct work w;

	work_begin(&w, 0);
	before = status_of(w.dev);
	must_work(&w);
	after = status_of(w.dev);
	expect(after.pages == before.pages + 1 && after.rows == before.rows + ROWS &&
		       after.bytes_in == before.bytes_in + RAW_LEN &&
		       after.bytes_out == before.bytes_out + w.len,
	       "pages %+lld, rows %+lld, in %+lld, out %+lld",
	       (long long)(after.pages - before.pages), (long long)(after.rows - before.rows),
	       (long long)(after.bytes_in - before.bytes_in),
	       (long long)(after.bytes_out - before.bytes_out));
	expect(after.cpu_maps == before.cpu_maps && after.cpu_accesses == before.cpu_accesses,
	       "a CPU saw the page");
}

static const struct rule table[] = {
	RULE("reap-arguments", "REAP refuses wrong arguments; EAGAIN where there is nothing",
	     test_reap_arguments, EACH_FUNC),
	RULE("reap-timeout", "REAP waits as long as it is told: ETIMEDOUT", test_reap_timeout,
	     EACH_FUNC),
	RULE("reap-longer", "REAP gives several at once, zeroes what is longer than it knows",
	     test_reap_longer, NEEDS_CODEC),
	RULE("reap-fault", "a completion that could not be handed over stays", test_reap_fault,
	     NEEDS_CODEC),
	RULE("out-full",
	     "an output that is full is reported (ENOBUFS), never overrun; RESUME goes on",
	     test_out_full, NEEDS_CODEC),
	RULE("resume", "RESUME refuses what is not stopped by OUT_FULL, or not right: EINVAL",
	     test_resume_refusals, NEEDS_CODEC),
	RULE("cancel", "CANCEL at any moment: canceled or done, one completion, then all works",
	     test_cancel, NEEDS_CODEC),
	RULE("cancel-all", "CANCEL of 0 ends every job of this open", test_cancel_all, NEEDS_CODEC),
	RULE("cancel-unknown", "CANCEL reaches only jobs of this open: ENOENT", test_cancel_unknown,
	     EACH_FUNC),
	RULE("close", "closing with jobs in flight ends them", test_close, NEEDS_CODEC),
	RULE("poll", "poll: OUT room for jobs, IN completions", test_poll, NEEDS_CODEC),
	RULE("poll-full", "poll: no OUT when 64 jobs are there", test_poll_full, EACH_ENGINE),
	RULE("poll-mode", "poll: no OUT for who may not submit", test_poll_mode, EACH_FUNC),
	RULE("order", "jobs have ids of their own, and each is completed once", test_order,
	     NEEDS_CODEC),
	RULE("counters", "STATUS counts pages, rows and bytes; no CPU sees a pixel", test_counters,
	     NEEDS_CODEC),
};

const struct rules rules_job = { "job", table, ARRAY_SIZE(table) };
