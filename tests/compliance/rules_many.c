// SPDX-License-Identifier: LGPL-2.1-or-later
/* Many at once: opens, threads on one open, signals. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "compliance.h"

#define ROWS	200u
#define STRIDE	216u
#define OPENS	100

struct page {
	int dev;
	struct fax_fmt fmt;
	struct buf raw;
	struct buf coded;
	uint8_t *wanted;
	size_t len;
};

static void page_begin(struct page *p)
{
	uint8_t *pixels = page_make(1728, ROWS, STRIDE, STROKES);

	p->dev = open_node(FAX_FUNC_CODEC, 0);
	p->fmt = fmt_raw(FAX_FUNC_CODEC, 1728, ROWS);
	p->fmt.encoding = FAX_ENC_MMR;
	p->raw = buf_new(p->dev, ROWS * STRIDE);
	p->coded = buf_new(p->dev, 65536);
	memcpy(p->raw.mem, pixels, ROWS * STRIDE);
	p->wanted = t4_code(pixels, &p->fmt, &p->len);
	free(pixels);
}

static uint32_t page_submit(struct page *p)
{
	struct fax_seg segs[] = { seg_in(&p->raw, 0, ROWS * STRIDE), seg_out(&p->coded, 0, 65536) };

	return must_submit(p->dev, FAX_OP_ENCODE, 0, &p->fmt, -1, segs, 2);
}

static bool page_is_right(const struct page *p, const struct fax_completion *c)
{
	return !c->code && c->bytes_out == p->len && !memcmp(p->coded.mem, p->wanted, p->len);
}

static void test_opens(unsigned int row)
{
	static struct page pages[OPENS];
	struct fax_completion c;
	int i;

	for (i = 0; i < OPENS; i++)
		page_begin(&pages[i]);
	for (i = 0; i < OPENS; i++)
		page_submit(&pages[i]);
	for (i = OPENS; i-- > 0; ) {
		c = must_reap(pages[i].dev);
		expect(page_is_right(&pages[i], &c), "open %d: code %u", i, c.code);
	}
}

static void test_engine_opens(unsigned int row)
{
	int devs[OPENS], i;
	struct fax_completion c;

	for (i = 0; i < OPENS; i++) {
		devs[i] = open_node(here.function, 0);
		submit_endless(devs[i], here.function);
	}
	expect(status_of(devs[0]).jobs == OPENS, "%u jobs", status_of(devs[0]).jobs);
	for (i = 0; i < OPENS; i += 2)
		close(devs[i]);
	for (i = 1; i < OPENS; i += 2) {
		expect_errno(cancel(devs[i], 0), 0, "CANCEL");
		c = must_reap(devs[i]);
		expect(c.code == FAX_CODE_CANCELED, "open %d: code %u", i, c.code);
	}
}

/* Jobs of one open do not wait for all jobs of another that came before. */
static void test_fair(unsigned int row)
{
	struct page busy, late;
	struct fax_completion c;
	int i;

	page_begin(&busy);
	page_begin(&late);
	for (i = 0; i < FAX_MAX_JOBS; i++)
		page_submit(&busy);
	page_submit(&late);
	c = must_reap(late.dev);
	expect(page_is_right(&late, &c), "code %u", c.code);
	i = status_of(busy.dev).jobs;
	note("%d of %d jobs of the other open were still there", i, FAX_MAX_JOBS);
	expect(i >= FAX_MAX_JOBS / 4, "it waited for most of them");
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	alarms++;
}

static void storm(bool on, bool restart)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0 };
	struct itimerval every = { { 0, on ? 1000 : 0 }, { 0, on ? 1000 : 0 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

/* Signals every millisecond; calls end with EINTR, are called again, and nothing is lost. */
static void storm_pages(bool restart)
{
	struct fax_completion c = {};
	struct page p;
	unsigned int interrupted = 0;
	int i, ret;

	page_begin(&p);
	storm(true, restart);
	for (i = 0; i < 20; i++) {
		memset(p.coded.mem, 0, p.len);
		page_submit(&p);
		while ((ret = reap(p.dev, &c, 20000)) == -EINTR)
			interrupted++;
		if (ret || !page_is_right(&p, &c)) {
			storm(false, restart);
			fail("page %d: REAP %d, code %u", i, ret, c.code);
		}
	}
	storm(false, restart);
	note("%d signals, %u calls interrupted", (int)alarms, interrupted);
	expect(alarms, "no signal came");
}

static void test_storm(unsigned int row)
{
	storm_pages(false);
}

static void test_storm_restart(unsigned int row)
{
	storm_pages(true);
}

/* Each call that waits, waits until a signal. */
static void test_interrupt(unsigned int row)
{
	int dev = open_node(here.function, 0), other;
	struct fax_event event = {};
	struct fax_completion c;

	while (wait_event(dev, FAX_EVENT_LOST, &event, 0))
		;
	storm(true, false);
	expect_errno(reap(dev, &c, 60000), EINTR, "REAP");
	memset(&event, 0, sizeof(event));
	expect_errno(ioctl(dev, FAX_IOC_EVENT, &event), EINTR, "EVENT");
	storm(false, false);
	if (here.function == FAX_FUNC_CODEC)
		return;
	other = open_node(here.function, 0);
	expect_errno(claim(other, 0, 0), 0, "CLAIM");
	storm(true, false);
	expect_errno(claim(dev, 0, 60000), EINTR, "CLAIM");
	storm(false, false);
}

/* A process in each waiting call; all are killed, and go at once. */
static void wait_forever(int call)
{
	int dev = open_node(here.function, 0);
	struct fax_event event = {};
	struct fax_completion c;

	if (call == 0) {
		submit_endless(dev, here.function);
		reap(dev, &c, 600000);
	} else if (call == 1) {
		for (;;)
			ioctl(dev, FAX_IOC_EVENT, &event);
	} else {
		claim(dev, 0, 600000);
	}
	_exit(0);
}

static void test_kill(unsigned int row)
{
	enum { N = 12 };
	int dev = open_node(here.function, 0), i, calls = 2, status;
	pid_t pids[N];
	double start;

	if (here.function != FAX_FUNC_CODEC) {
		calls = 3;
		expect_errno(claim(dev, 0, 0), 0, "CLAIM");
	}
	for (i = 0; i < N; i++) {
		pids[i] = fork();
		if (!pids[i])
			wait_forever(calls == 3 ? 1 + i % 2 : i % 2);
	}
	usleep(200000);
	start = now();
	for (i = 0; i < N; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < N; i++)
		waitpid(pids[i], &status, 0);
	expect(now() - start < 2, "it took %.1f s", now() - start);
}

struct shared {
	struct page *page;
	unsigned int reaped;
};

static void *reaper(void *arg)
{
	struct shared *s = arg;
	struct fax_completion c;

	while (!reap(s->page->dev, &c, 2000))
		__atomic_add_fetch(&s->reaped, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Threads that submit, reap and cancel on one open: each job is reaped once. */
static void test_threads(unsigned int row)
{
	enum { JOBS = 200, THREADS = 4 };
	pthread_t threads[THREADS];
	struct shared shared = {};
	struct fax_seg segs[2];
	unsigned int i, n = 0;
	struct page p;
	uint32_t job;
	int ret;

	page_begin(&p);
	shared.page = &p;
	segs[0] = seg_in(&p.raw, 0, ROWS * STRIDE);
	segs[1] = seg_out(&p.coded, 0, 65536);
	for (i = 0; i < THREADS; i++)
		expect(!pthread_create(&threads[i], NULL, reaper, &shared), "pthread_create");
	while (n < JOBS) {
		job = 0;
		ret = submit(p.dev, FAX_OP_ENCODE, 0, &p.fmt, -1, segs, 2, &job);
		expect(!ret || ret == -EDQUOT, "SUBMIT: %s", strerror(-ret));
		if (ret) {
			usleep(1000);
			continue;
		}
		n++;
		if (n % 3 == 0)
			cancel(p.dev, job);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	expect(shared.reaped == JOBS, "%u of %u completions", shared.reaped, JOBS);
}

static void *closer(void *arg)
{
	struct pollfd pfd = { .fd = *(int *)arg, .events = POLLIN };

	poll(&pfd, 1, 3000);
	return NULL;
}

static void test_poll_close(unsigned int row)
{
	int dev = open_node(here.function, 0), copy = dup(dev);
	pthread_t thread;

	submit_endless(dev, here.function);
	expect(!pthread_create(&thread, NULL, closer, &copy), "pthread_create");
	usleep(50000);
	close(dev);
	expect_errno(cancel(copy, 0), 0, "CANCEL by the other descriptor");
	pthread_join(thread, NULL);
	expect(must_reap(copy).code == FAX_CODE_CANCELED, "not CANCELED");
}

static const struct rule table[] = {
	RULE("opens", "100 opens of the coder, each gets its own page", test_opens, NEEDS_CODEC),
	RULE("engine-opens", "100 opens of an engine, half of them closed with a job",
	     test_engine_opens, EACH_ENGINE),
	RULE("fair", "the coder is shared in turn", test_fair, NEEDS_CODEC),
	RULE("storm", "a signal every millisecond loses nothing", test_storm, NEEDS_CODEC),
	RULE("storm-restart", "nor does it where calls are restarted", test_storm_restart,
	     NEEDS_CODEC),
	RULE("interrupt", "every call that waits ends with EINTR at a signal", test_interrupt,
	     EACH_FUNC),
	RULE("kill", "processes in waiting calls can be killed", test_kill, EACH_FUNC),
	RULE("threads", "threads share an open; each job is reaped once", test_threads,
	     NEEDS_CODEC),
	RULE("descriptors", "an open lives as long as its last descriptor", test_poll_close,
	     EACH_FUNC),
};

const struct rules rules_many = { "many", table, ARRAY_SIZE(table) };
