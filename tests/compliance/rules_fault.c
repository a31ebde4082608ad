// SPDX-License-Identifier: LGPL-2.1-or-later
/* Hardware that fails, hangs or leaves. What is pulled comes back for the next rule. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "compliance.h"

#define ROWS	600u
#define STRIDE	216u

struct work {
	int dev;
	struct fax_fmt fmt;
	struct buf raw;
	struct buf coded;
	uint8_t *wanted;
	size_t len;
};

static void work_begin(struct work *w)
{
	uint8_t *page = page_make(1728, ROWS, STRIDE, STROKES);

	w->dev = open_node(FAX_FUNC_CODEC, 0);
	w->fmt = fmt_raw(FAX_FUNC_CODEC, 1728, ROWS);
	w->fmt.encoding = FAX_ENC_MMR;
	w->raw = buf_new(w->dev, ROWS * STRIDE);
	w->coded = buf_new(w->dev, 1 << 20);
	memcpy(w->raw.mem, page, ROWS * STRIDE);
	w->wanted = t4_code(page, &w->fmt, &w->len);
	free(page);
}

static uint32_t work_submit(struct work *w)
{
	struct fax_seg segs[] = { seg_in(&w->raw, 0, ROWS * STRIDE),
				  seg_out(&w->coded, 0, w->coded.size) };

	return must_submit(w->dev, FAX_OP_ENCODE, 0, &w->fmt, -1, segs, 2);
}

static void must_work(struct work *w)
{
	struct fax_completion c;

	memset(w->coded.mem, 0, w->len);
	work_submit(w);
	c = must_reap(w->dev);
	expect(!c.code && c.bytes_out == w->len && !memcmp(w->coded.mem, w->wanted, w->len),
	       "the next page is wrong (code %u)", c.code);
}

static void test_dma(unsigned int row)
{
	struct fax_completion c;
	struct work w;

	work_begin(&w);
	fault("encode/dma_error", "1");
	work_submit(&w);
	c = must_reap(w.dev);
	expect(c.code == FAX_CODE_DMA && c.error == -EIO, "code %u, error %d", c.code, c.error);
	must_work(&w);
}

static void test_watchdog(unsigned int row)
{
	struct fax_completion c;
	double start = now();
	struct work w;

	work_begin(&w);
	fault("encode/drop_completion", "1");
	work_submit(&w);
	c = must_reap(w.dev);
	expect(c.code == FAX_CODE_TIMEOUT && c.error == -ETIMEDOUT, "code %u, error %d", c.code,
	       c.error);
	expect(now() - start < 30, "after %.0f s", now() - start);
	must_work(&w);
}

static void test_stuck(unsigned int row)
{
	struct fax_completion c;
	double start;
	struct work w;
	uint32_t job;

	work_begin(&w);
	fault("encode/stuck", "1");
	job = work_submit(&w);
	usleep(50000);
	start = now();
	expect_errno(cancel(w.dev, job), 0, "CANCEL");
	c = must_reap(w.dev);
	expect(c.code == FAX_CODE_CANCELED, "code %u", c.code);
	expect(now() - start < 3, "after %.1f s", now() - start);
	must_work(&w);
}

static void test_reset(unsigned int row)
{
	struct fax_completion c;
	struct work w;

	work_begin(&w);
	fault("encode/stuck", "1");
	work_submit(&w);
	usleep(50000);
	expect_errno(ioctl(w.dev, FAX_IOC_RESET) ? -errno : 0, 0, "RESET");
	c = must_reap(w.dev);
	expect(c.code == FAX_CODE_RESET && c.error == -EIO, "code %u, error %d", c.code, c.error);
	must_work(&w);
}

/* Plugged in anew; where the old nodes are still open, it has others. */
static void plug_in(void)
{
	double end = now() + 5;
	char serial[32];

	memcpy(serial, node_of(FAX_FUNC_CODEC)->info.serial, sizeof(serial));
	knob("live", "0");
	knob("live", "1");
	while (!find_board(serial) || !here.nodes[FAX_FUNC_SCAN].path[0] ||
	       !here.nodes[FAX_FUNC_PRINT].path[0] || !here.nodes[FAX_FUNC_CODEC].path[0]) {
		expect(now() < end, "the board does not come back");
		usleep(5000);
	}
}

/* One process in each call that waits. Exit status 0: it ended with ENODEV. */
static void wait_in(int call)
{
	static const uint32_t functions[] = {
		FAX_FUNC_CODEC, FAX_FUNC_SCAN, FAX_FUNC_PRINT, FAX_FUNC_SCAN, FAX_FUNC_SCAN,
	};
	uint32_t function = functions[call];
	int dev = open_node(function, 0);
	struct pollfd pfd = { .fd = dev, .events = POLLIN };
	struct fax_completion c;
	struct fax_event event = {};
	char byte;
	int ret;

	if (call == 0) {
		submit_endless(dev, function);
		ret = reap(dev, &c, 60000);
		_exit(!(ret == -ENODEV || (!ret && c.code == FAX_CODE_GONE)));
	}
	if (call == 1)
		_exit(!(read(dev, &byte, 1) < 0 && errno == ENODEV));
	if (call == 2) {
		while (!ioctl(dev, FAX_IOC_EVENT, &event))
			memset(&event, 0, sizeof(event));
		_exit(errno != ENODEV);
	}
	if (call == 3)
		_exit(claim(dev, 0, 60000) != -ENODEV);
	/* when the file is gone, poll says so */
	for (;;) {
		pfd.events = 0;
		if (poll(&pfd, 1, 30000) != 1)
			_exit(1);
		if (pfd.revents & POLLHUP && pfd.revents & POLLERR)
			_exit(0);
	}
}

static void test_removal(unsigned int row)
{
	static const char *const names[] = { "REAP", "read", "EVENT", "CLAIM", "poll" };
	enum { N = ARRAY_SIZE(names) };
	int i, status, bad = 0;
	pid_t pids[N];
	double start, took;

	for (i = 0; i < N; i++) {
		pids[i] = fork();
		if (!pids[i])
			wait_in(i);
		usleep(100000);	/* the reader has its claim before the claimer comes */
	}
	start = now();
	knob("live", "0");
	took = now() - start;
	for (i = 0; i < N; i++) {
		waitpid(pids[i], &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			note("%s did not end with ENODEV", names[i]);
			bad++;
		}
	}
	plug_in();
	expect(!bad && took < 2, "%d calls are wrong; it took %.1f s", bad, took);
}

static void expect_gone(int dev)
{
	struct pollfd pfd = { .fd = dev, .events = POLLIN };
	struct fax_info info = {};
	struct fax_buf_alloc alloc;
	struct fax_status status = {};
	struct fax_completion c;

	expect_errno(ioctl(dev, FAX_IOC_INFO, &info), ENODEV, "INFO");
	expect_errno(ioctl(dev, FAX_IOC_STATUS, &status), ENODEV, "STATUS");
	expect_errno(buf_alloc(dev, 4096, &alloc), ENODEV, "BUF_ALLOC");
	expect_errno(reap(dev, &c, 1000), ENODEV, "REAP");
	expect(poll(&pfd, 1, 0) == 1 && pfd.revents & POLLHUP && pfd.revents & POLLERR, "poll: %#x",
	       pfd.revents);
}

static void test_gone_calls(unsigned int row)
{
	struct fax_completion c = {};
	struct work w;
	uint32_t job;

	work_begin(&w);
	job = submit_endless(w.dev, FAX_FUNC_CODEC);
	knob("live", "0");
	if (reap(w.dev, &c, 1000) || c.code != FAX_CODE_GONE || c.error != -ENODEV ||
	    c.job != job) {
		plug_in();
		fail("the job: code %u, error %d", c.code, c.error);
	}
	expect_gone(w.dev);
	w.raw.mem[0] = 1;	/* memory that is mapped stays */
	plug_in();
	work_begin(&w);
	must_work(&w);
}

/* From one instant to the next registers read as all-ones. */
static void test_pulled(unsigned int row)
{
	struct fax_completion c = {};
	double start;
	struct work w;
	int ret;

	work_begin(&w);
	fault("encode/stuck", "1");
	work_submit(&w);
	usleep(50000);
	fault("gone", "1");
	start = now();
	plug_in();
	expect(now() - start < 3, "leaving took %.1f s", now() - start);
	ret = reap(w.dev, &c, 1000);
	expect(ret == -ENODEV || (!ret && c.code == FAX_CODE_GONE), "REAP %d, code %u", ret,
	       c.code);
	work_begin(&w);
	must_work(&w);
}

/* In and out while processes open, submit and close. */
static void test_in_and_out(unsigned int row)
{
	pid_t pids[4];
	int i, status;

	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (;;) {
			uint32_t f = FAX_FUNC_SCAN + rand() % 3;
			int dev = open(node_of(f)->path, open_flags(f) | O_NONBLOCK);
			struct fax_pipe_alloc pipe = { .width = 1728, .rows = 16, .bands = 2 };
			struct fax_fmt fmt = fmt_raw(f, 1728, 0);
			struct fax_buf_alloc alloc;
			struct fax_buf_map map = {};

			if (dev < 0)
				continue;
			if (!buf_alloc(dev, 4096, &alloc)) {
				map.fd = alloc.fd;
				ioctl(dev, FAX_IOC_BUF_MAP, &map);
				close(alloc.fd);
			}
			if (!ioctl(dev, FAX_IOC_PIPE_ALLOC, &pipe)) {
				submit(dev, f == FAX_FUNC_SCAN ? FAX_OP_SCAN : FAX_OP_PRINT, 0,
				       &fmt, pipe.fd, NULL, 0, NULL);
				close(pipe.fd);
			}
			close(dev);
		}
	}
	for (i = 0; i < 10; i++) {
		knob("live", "0");
		usleep(10000);
		knob("live", "1");
		usleep(30000);
	}
	for (i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
	plug_in();
}

static const struct rule table[] = {
	RULE("dma", "an address the board cannot reach fails that job alone: DMA (EIO)", test_dma,
	  NEEDS_CODEC | NEEDS_FAULTS),
	RULE("watchdog", "a chunk that never comes back: TIMEOUT, and the engine is reset",
	  test_watchdog, NEEDS_CODEC | NEEDS_FAULTS),
	RULE("stuck", "CANCEL ends a job even on an engine that hangs", test_stuck,
	  NEEDS_CODEC | NEEDS_FAULTS),
	RULE("reset", "RESET ends what runs with RESET (EIO), and the engine works", test_reset,
	  NEEDS_CODEC | NEEDS_FAULTS | NEEDS_ROOT),
	RULE("removal", "when the board goes, every call that waits ends with ENODEV", test_removal,
	  NEEDS_FUNCS | NEEDS_KNOBS),
	RULE("gone", "when the board went, jobs are GONE, calls ENODEV, poll ERR and HUP",
	  test_gone_calls, NEEDS_CODEC | NEEDS_KNOBS),
	RULE("pulled", "a board that is pulled leaves at once, and comes back whole", test_pulled,
	  NEEDS_CODEC | NEEDS_FAULTS),
	RULE("in-and-out", "a board comes and goes while processes use it", test_in_and_out,
	  NEEDS_FUNCS | NEEDS_KNOBS),
};

const struct rules rules_fault = { "fault", table, ARRAY_SIZE(table) };
