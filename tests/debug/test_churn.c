// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Load, use, unbind and unload, again and again, while other processes wait in
 * every call that can wait. Unbinding takes less than two seconds, everybody
 * is let go, and all three modules leave.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../uapi/uapi_test.h"

#define WAYS	4
#define ROUNDS	(3 * WAYS)
#define UNBIND_S	2.0

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/*
 * Those who wait, each a process of its own. They return when the board has
 * gone, with 0 if they were told so.
 */
static bool told(int ret)
{
	return ret < 0 && errno == ENODEV;
}

/* Said by each when it has all that it needs the board for before it waits. */
static int ready_pipe[2];

static void ready(void)
{
	if (write(ready_pipe[1], "", 1) != 1)
		bail("a pipe: %s", strerror(errno));
}

static int wait_read(void)
{
	int fd = open_dev(SCANNER, O_RDONLY);
	char c;

	ready();
	return !told(read(fd, &c, 1));
}

static int wait_write(void)
{
	int fd = open_dev(PRINTER, O_WRONLY);
	static char rows[1 << 20];

	ready();
	while (write(fd, rows, sizeof(rows)) > 0)
		;
	return !told(-1);
}

static int wait_fsync(void)
{
	int fd = open_dev(PRINTER, O_WRONLY);
	static char rows[10 * A4_STRIDE];

	ready();
	if (write(fd, rows, sizeof(rows)) < 0)
		return !told(-1);
	return !told(fsync(fd));
}

static int wait_reap(void)
{
	int fd = open_dev(CODER, O_RDWR);
	struct fax_completion c;

	ready();
	return reap(fd, &c, 60000) != -ENODEV;
}

static int wait_event_forever(void)
{
	int fd = open_dev(CODER, O_RDWR);
	struct fax_event e = {};

	ready();
	while (!ioctl(fd, FAX_IOC_EVENT, &e))
		;
	return !told(-1);
}

/* Who reads may come second: then it is his turn to wait for the claim. */
static int wait_claim(void)
{
	int fd = open_dev(SCANNER, O_RDONLY);
	struct fax_claim claim = {};
	struct fax_event e = {};
	int ret;

	ready();
	ret = ioctl(fd, FAX_IOC_CLAIM, &claim);
	while (!ret)
		ret = ioctl(fd, FAX_IOC_EVENT, &e);
	return !told(ret);
}

static int wait_poll(void)
{
	struct pollfd pfd = { .fd = open_dev(PRINTER, O_WRONLY), .events = POLLPRI };

	ready();
	while (poll(&pfd, 1, 60000) == 1 && !(pfd.revents & POLLHUP))
		ioctl(pfd.fd, FAX_IOC_EVENT, &(struct fax_event){});
	return !(pfd.revents & POLLHUP);
}

/* Jobs that wait for each other, then for the scanner that another has. */
static int wait_jobs(void)
{
	int scan = open_dev(SCANNER, O_RDONLY), coder = open_dev(CODER, O_RDWR);
	struct fax_fmt mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0), raw = fmt_raw(A4_WIDTH, 0);
	struct buf coded = buf_new(coder, 1 << 20);
	struct fax_seg seg = seg_out(&coded, 0, coded.size);
	int pipe = pipe_new(coder, A4_WIDTH, 64, 4);

	must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &seg, 1);
	ready();
	if (submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0, NULL) == -ENODEV)
		return 0;
	return must_reap(coder).code != FAX_CODE_GONE;
}

/* Works as long as it can: pages through the coder and back to nobody. */
static int keep_busy(void)
{
	int coder = open_dev(CODER, O_RDWR), ret;
	struct fax_fmt mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 500, FAX_FMT_END);
	struct buf raw = buf_new(coder, 500 * A4_STRIDE), coded = buf_new(coder, 1 << 18);
	struct fax_seg segs[] = { seg_in(&raw, 0, 500 * A4_STRIDE),
				  seg_out(&coded, 0, coded.size) };
	struct fax_completion c = {};

	ready();
	do {
		ret = submit(coder, FAX_OP_ENCODE, 0, &mmr, -1, segs, 2, NULL);
		if (!ret)
			ret = reap(coder, &c, 20000);
	} while (!ret && !c.code);
	return ret != -ENODEV && c.code != FAX_CODE_GONE;
}

static const struct {
	const char *name;
	int (*wait)(void);
} waiters[] = {
	{ "read()", wait_read },
	{ "write()", wait_write },
	{ "a second write()", wait_write },
	{ "fsync()", wait_fsync },
	{ "REAP", wait_reap },
	{ "EVENT", wait_event_forever },
	{ "CLAIM", wait_claim },
	{ "poll()", wait_poll },
	{ "jobs through a pipe", wait_jobs },
	{ "one job after the other", keep_busy },
};
#define WAITERS	(sizeof(waiters) / sizeof(waiters[0]))

/* fork() would print again what is buffered; the TAP helpers leave nothing there. */
static void start_waiters(pid_t *pids)
{
	unsigned int i;
	char c;

	for (i = 0; i < WAITERS; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			bail("fork: %s", strerror(errno));
		if (!pids[i])
			_exit(waiters[i].wait());
	}
	for (i = 0; i < WAITERS; i++)
		if (read(ready_pipe[0], &c, 1) != 1)
			bail("a pipe: %s", strerror(errno));
}

/* Within five seconds; how many were not let go as they should. */
static unsigned int end_waiters(const pid_t *pids)
{
	double end = seconds() + 5;
	unsigned int i, bad = 0;
	int status;
	pid_t pid;

	for (i = 0; i < WAITERS; i++) {
		while (!(pid = waitpid(pids[i], &status, WNOHANG)) && seconds() < end)
			usleep(5000);
		if (!pid) {
			printf("# who waits in %s still does\n", waiters[i].name);
			kill(pids[i], SIGKILL);
			waitpid(pids[i], &status, 0);
			bad++;
		} else if (status) {
			printf("# who waits in %s ended with %#x\n", waiters[i].name, status);
			bad++;
		}
	}
	return bad;
}

/*
 * Modules.
 */
static int load(const char *name)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/mods/%s.ko", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static void load_all(void)
{
	if (load("fax") || load("faxboard") || load("faxsim"))
		bail("the modules do not load");
	close(wait_dev(CODER, O_RDWR));
	close(wait_dev(PRINTER, O_RDWR));
	close(wait_dev(SCANNER, O_RDWR));
}

static int unload_all(void)
{
	return unload("faxsim") ?: unload("faxboard") ?: unload("fax");
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* First the hardware has gone, and what is read is all-ones; then the bus says so. */
static int pull(void)
{
	int ret = write_to("/sys/kernel/debug/faxsim/sim0/gone", "1");

	usleep(50000);
	sim_live(false);
	return ret;
}

/* The driver lets go of a board that stays. */
static int unbind_driver(void)
{
	const char *file = "/sys/class/fax/faxcodec0/device/driver/unbind";
	char device[64];

	snprintf(device, sizeof(device), "%s", sim_device(CODER, ""));
	return write_to(file, device);
}

/* The ways in which a driver loses its board. */
static int unbind(unsigned int round)
{
	switch (round % WAYS) {
	case 0:
		sim_live(false);
		return 0;
	case 1:
		return unbind_driver();
	case 2:
		return pull();
	default:
		return unload("faxsim");
	}
}

static bool page_passes(void)
{
	struct fax_fmt raw = fmt_raw(A4_WIDTH, 0), mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
	int scan = open_dev(SCANNER, O_RDONLY), coder = open_dev(CODER, O_RDWR);
	struct buf coded = buf_new(coder, 1 << 20);
	struct fax_seg seg = seg_out(&coded, 0, coded.size);
	int pipe = pipe_new(coder, A4_WIDTH, 64, 4);
	uint8_t *page = page_make(A4_WIDTH, 300, 5);
	bool ok;

	sim_feed(page, A4_WIDTH, 300);
	must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &seg, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	ok = !must_reap(scan).code && !must_reap(coder).code;
	free(page);
	close(pipe);
	buf_free(coder, &coded);
	close(coder);
	close(scan);
	return ok;
}

int main(void)
{
	double start, took, longest = 0;
	unsigned int i, passed = 0, held = 0;
	int bad_unbind = 0, bad_unload = 0;
	pid_t pids[WAITERS];

	if (access("/mods/fax.ko", R_OK)) {
		check(true, "coming and going # SKIP the modules to load are not in /mods");
		return done_testing();
	}
	if (pipe(ready_pipe))
		bail("a pipe: %s", strerror(errno));
	if (unload_all())
		bail("the modules do not unload");
	for (i = 0; i < ROUNDS; i++) {
		load_all();
		passed += page_passes();
		sim_set("paper", "0");
		start_waiters(pids);
		usleep(100000 + i * 30000);
		start = seconds();
		bad_unbind += !!unbind(i);
		took = seconds() - start;
		longest = took > longest ? took : longest;
		held += end_waiters(pids);
		if (i % WAYS == WAYS - 1)
			bad_unload += (unload("faxboard") ?: unload("fax")) != 0;
		else
			bad_unload += unload_all() != 0;
	}
	check_u64(passed, ROUNDS, "a page passes each time the modules were loaded");
	check_u64(bad_unbind, 0, "the board is taken from its driver under waiting processes");
	check(longest < UNBIND_S, "within 2 s (longest: %.3f s)", longest);
	check_u64(held, 0, "who waits is let go, and told why");
	check_u64(bad_unload, 0, "all modules leave");
	load_all();
	sim_reset();
	return done_testing();
}
