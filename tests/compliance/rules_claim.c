// SPDX-License-Identifier: LGPL-2.1-or-later
/* CLAIM, RELEASE, RESET, EVENT. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "compliance.h"

static int release(int dev)
{
	return ioctl(dev, FAX_IOC_RELEASE) ? -errno : 0;
}

static int submit_waiting(int dev)
{
	uint32_t op = here.function == FAX_FUNC_SCAN ? FAX_OP_SCAN : FAX_OP_PRINT;
	struct fax_fmt fmt = fmt_raw(here.function, page_width(), 0);

	return submit(dev, op, 0, &fmt, pipe_new(dev, page_width(), 16, 2), NULL, 0, NULL);
}

static void test_claim(unsigned int row)
{
	int one = open_node(here.function, 0), two = open_node(here.function, 0);
	double start;

	expect_errno(claim(one, FAX_NONBLOCK, 0), 0, "CLAIM");
	expect(status_of(one).claimed == 2 && status_of(two).claimed == 1, "claimed %u and %u",
	       status_of(one).claimed, status_of(two).claimed);
	expect_errno(claim(one, FAX_NONBLOCK, 0), 0, "CLAIM by who has it");
	expect_errno(claim(two, FAX_NONBLOCK, 0), EBUSY, "CLAIM by another");
	start = now();
	expect_errno(claim(two, 0, 200), ETIMEDOUT, "CLAIM that waits");
	expect(now() - start > 0.18 && now() - start < 2, "it waited %.2f s", now() - start);
	expect_errno(submit_waiting(two), EBUSY, "SUBMIT by another");
	expect_errno(submit_waiting(one), 0, "SUBMIT by who has it");
	expect_errno(cancel(one, 0), 0, "CANCEL");
	expect_errno(release(two), EINVAL, "RELEASE by another");
	expect_errno(release(one), 0, "RELEASE");
	expect_errno(release(one), EINVAL, "RELEASE twice");
	expect_errno(claim(two, FAX_NONBLOCK, 0), 0, "then CLAIM by the other");
	close(two);
	expect_errno(claim(one, 0, 2000), 0, "CLAIM after it was closed");
}

static void test_refusals(unsigned int row)
{
	int dev = open_node(here.function, 0), wrong;

	expect_errno(claim(dev, 2, 0), EINVAL, "an unknown flag");
	wrong = open(node_of(here.function)->path,
		     here.function == FAX_FUNC_SCAN ? O_WRONLY : O_RDONLY);
	expect(wrong >= 0, "open: %s", strerror(errno));
	expect_errno(claim(wrong, 0, 0), EBADF, "opened the wrong way round");
	dev = open_node(here.function, O_NONBLOCK);
	expect_errno(claim(dev, 0, 0), 0, "CLAIM");
	wrong = open_node(here.function, O_NONBLOCK);
	expect_errno(claim(wrong, 0, 0), EBUSY, "CLAIM with O_NONBLOCK");
}

static void test_coder(unsigned int row)
{
	int dev = open_node(FAX_FUNC_CODEC, 0);

	expect_errno(claim(dev, 0, 0), EOPNOTSUPP, "CLAIM");
	expect_errno(release(dev), EOPNOTSUPP, "RELEASE");
}

/* A waiting CLAIM gets it when the holder dies. */
static void test_handed_on(unsigned int row)
{
	int dev = open_node(here.function, 0), ready[2];
	double start;
	pid_t pid;

	expect(!pipe(ready), "pipe");
	pid = fork();
	if (!pid) {
		char ok = !claim(open_node(here.function, 0), 0, 0);

		_exit(write(ready[1], &ok, 1) != 1 || pause());
	}
	close(ready[1]);
	expect(read(ready[0], &start, 1) == 1, "the other process has not got it");
	expect_errno(claim(dev, FAX_NONBLOCK, 0), EBUSY, "CLAIM");
	kill(pid, SIGKILL);
	start = now();
	expect_errno(claim(dev, 0, 5000), 0, "CLAIM that waits");
	expect(now() - start < 2, "it took %.1f s", now() - start);
	waitpid(pid, NULL, 0);
}

static void test_reset(unsigned int row)
{
	int dev = open_node(here.function, 0);
	struct fax_completion c;
	struct fax_event event;
	uint64_t resets;

	expect_errno(claim(dev, 0, 0), 0, "CLAIM");
	resets = status_of(dev).resets;
	expect_errno(ioctl(dev, FAX_IOC_RESET) ? -errno : 0, 0, "RESET");
	expect(status_of(dev).resets > resets, "STATUS does not count it");
	expect(wait_event(dev, FAX_EVENT_RESET, &event, 2000), "no event");
	expect(status_of(dev).state == FAX_STATE_IDLE, "state %u", status_of(dev).state);
	expect_errno(submit_waiting(dev), 0, "SUBMIT afterwards");
	expect_errno(cancel(dev, 0), 0, "CANCEL");
	expect_errno(reap(dev, &c, 5000), 0, "REAP");
}

/* Without the claim and without CAP_SYS_ADMIN. */
static void test_reset_refused(unsigned int row)
{
	int dev = open_node(here.function, 0), status;
	pid_t pid = fork();

	if (!pid) {
		if (setuid(65534))
			_exit(2);
		_exit(ioctl(dev, FAX_IOC_RESET) != -1 || errno != EPERM);
	}
	expect(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "waitpid");
	if (WEXITSTATUS(status) == 2)
		skip("cannot become another user");
	expect(!WEXITSTATUS(status), "it was not refused");
}

static void test_no_event(unsigned int row)
{
	int dev = open_node(here.function, O_NONBLOCK);
	struct pollfd pfd = { .fd = dev, .events = POLLPRI };
	struct fax_event event = {};
	int n;

	for (n = 0; n < 100 && !ioctl(dev, FAX_IOC_EVENT, &event); n++)
		memset(&event, 0, sizeof(event));
	expect_errno(ioctl(dev, FAX_IOC_EVENT, &event), EAGAIN, "EVENT");
	expect(poll(&pfd, 1, 0) == 0, "poll: %#x", pfd.revents);
}

/* One more reset than an open keeps events: the rest is counted, and numbers have no gap. */
static void test_lost(unsigned int row)
{
	int dev = open_node(here.function, O_NONBLOCK), i;
	uint32_t seq = 0, lost = 0, told = 0;
	uint64_t last = 0;
	struct fax_event event = {};

	expect_errno(claim(dev, 0, 0), 0, "CLAIM");
	for (i = 0; i < 60; i++)
		expect_errno(ioctl(dev, FAX_IOC_RESET) ? -errno : 0, 0, "RESET %d", i);
	while (memset(&event, 0, sizeof(event)), !ioctl(dev, FAX_IOC_EVENT, &event)) {
		expect(event.seq == seq, "number %u after %u", event.seq, seq - 1);
		expect(event.time_ns >= last, "time goes back");
		expect(!event.reserved[0] && !event.reserved[3], "reserved words are not zero");
		seq++;
		last = event.time_ns;
		lost += event.type == FAX_EVENT_LOST ? event.value : 0;
		told += event.type == FAX_EVENT_RESET;
	}
	expect(told >= 16 && lost && told + lost >= 60, "%u told, %u lost", told, lost);
}

static const struct rule table[] = {
	RULE("claim", "CLAIM keeps others out (EBUSY, ETIMEDOUT) until RELEASE or close",
	     test_claim, EACH_ENGINE),
	RULE("refusals", "CLAIM refuses unknown flags, and who opened the wrong way round",
	     test_refusals, EACH_ENGINE),
	RULE("coder", "a coder is shared: no CLAIM, no RELEASE (EOPNOTSUPP)", test_coder,
	     NEEDS_CODEC),
	RULE("handed-on", "a claim goes on to who waits when its process dies", test_handed_on,
	     EACH_ENGINE),
	RULE("reset", "RESET by who has the claim is done, counted and told", test_reset,
	     EACH_ENGINE),
	RULE("reset-refused", "RESET by others needs CAP_SYS_ADMIN: EPERM", test_reset_refused,
	     EACH_FUNC | NEEDS_ROOT),
	RULE("no-event", "EVENT without one: EAGAIN with O_NONBLOCK, no PRI in poll", test_no_event,
	     EACH_FUNC),
	RULE("lost", "events nobody takes are counted; their numbers have no gap", test_lost,
	     EACH_ENGINE),
};

const struct rules rules_claim = { "claim", table, ARRAY_SIZE(table) };
