// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The simulated board itself: what its directory in configfs takes, and what
 * becomes of jobs when the hardware fails (fault knobs in debugfs).
 */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "fax/board_regs.h"
#include "uapi_test.h"

#define CONFIG	"/sys/kernel/config/faxsim/"
#define DEBUG	"/sys/kernel/debug/faxsim/sim0/"
#define ROWS	600u
#define PAGE	((uint64_t)ROWS * A4_STRIDE)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* 0 or -errno */
static int put(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, data, len) != (ssize_t)len)
		ret = -errno;
	close(fd);
	return ret;
}

static int put_text(const char *path, const char *text)
{
	return put(path, text, strlen(text));
}

static void fault(const char *knob, const char *count)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUG "%s", knob);
	if (put_text(path, count))
		bail("%s: %s", path, strerror(errno));
}

/*
 * The coder's engine has a descriptor in its hands: from here on, faults that
 * come with one have come.
 */
static void wait_encoding(void)
{
	static const char *where = "/sys/kernel/debug/faxboard/*/registers";
	char line[64];
	unsigned int i, status;
	glob_t found;
	FILE *f;

	if (glob(where, 0, NULL, &found) || found.gl_pathc != 1)
		bail("%s: %zu boards", where, found.gl_pathc);
	for (i = 0; i < 2000; i++) {
		f = fopen(found.gl_pathv[0], "r");
		status = 0;
		while (f && fgets(line, sizeof(line), f) &&
		       sscanf(line, "encode.status %x", &status) != 1)
			;
		if (f)
			fclose(f);
		if (status & FAXB_Q_STATUS_BUSY) {
			globfree(&found);
			return;
		}
		usleep(10000);
	}
	bail("the coder does not begin");
}

static long debug_number(const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), DEBUG "%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
	return strtol(text, NULL, 0);
}

/* A coder with a page to encode, and room for it. */
struct coding {
	int dev;
	struct buf raw;
	struct buf coded;
	uint8_t *wanted;
	size_t len;
	struct fax_fmt fmt;
};

static void coding_begin(struct coding *c)
{
	uint8_t *page = page_make(A4_WIDTH, ROWS, 7);

	c->dev = wait_dev(CODER, O_RDWR);
	c->raw = buf_new(c->dev, PAGE);
	c->coded = buf_new(c->dev, 1 << 20);
	memcpy(c->raw.mem, page, PAGE);
	c->fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	c->wanted = t4_code(page, &c->fmt, &c->len);
	free(page);
}

static void coding_end(struct coding *c)
{
	buf_free(c->dev, &c->raw);
	buf_free(c->dev, &c->coded);
	free(c->wanted);
	close(c->dev);
}

static uint32_t encode(struct coding *c)
{
	struct fax_seg segs[] = { seg_in(&c->raw, 0, PAGE), seg_out(&c->coded, 0, 1 << 20) };

	return must_submit(c->dev, FAX_OP_ENCODE, 0, &c->fmt, -1, segs, 2);
}

static bool encodes(struct coding *c)
{
	struct fax_completion done;

	memset(c->coded.mem, 0, c->len);
	encode(c);
	done = must_reap(c->dev);
	return !done.code && done.bytes_out == c->len &&
	       !memcmp(c->coded.mem, c->wanted, c->len);
}

static void test_faults(void)
{
	struct fax_completion done;
	struct fax_event event;
	struct coding c;
	uint32_t job;
	double start;

	coding_begin(&c);
	check(encodes(&c), "the coder works");

	fault("encode/dma_error", "1");
	encode(&c);
	done = must_reap(c.dev);
	check(done.code == FAX_CODE_DMA && done.error == -EIO, "an address the board cannot reach");
	check(encodes(&c), "concerns that job alone");

	fault("encode/drop_completion", "1");
	start = now();
	encode(&c);
	done = must_reap(c.dev);
	check(done.code == FAX_CODE_TIMEOUT && done.error == -ETIMEDOUT,
	      "a completion that never comes (code %u)", done.code);
	check(now() - start > 5, "is missed, and not before its time (%.1f s)", now() - start);
	check(encodes(&c), "the reset brings the coder back");

	/* a board that cannot read its ring stops as a whole, and is reset as a whole */
	fault("encode/ring_error", "1");
	encode(&c);
	done = must_reap(c.dev);
	check(done.code == FAX_CODE_DMA && done.error == -EIO, "a fault of the board (code %u)",
	      done.code);
	check(wait_event(c.dev, FAX_EVENT_RESET, &event, 1000), "is answered by a reset");
	check_u64(status_of(c.dev).state, FAX_STATE_IDLE, "without anybody's doing");
	check(encodes(&c), "which brings the coder back");

	fault("encode/stuck", "1");
	job = encode(&c);
	wait_encoding();
	check_errno(cancel(c.dev, job), 0, "an engine that is stuck: CANCEL");
	done = must_reap(c.dev);
	check(done.code == FAX_CODE_CANCELED && wait_event(c.dev, FAX_EVENT_RESET, &event, 1000),
	      "the job is canceled nevertheless, by a reset (code %u)", done.code);
	check(encodes(&c), "which brings the coder back");
	check_u64(debug_number("dma_errors"), 0, "the board never reached for what was not mapped");
	coding_end(&c);
}

/* RESET as nobody; 0 or errno */
static int reset_unprivileged(int dev)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(255);
		_exit(ioctl(dev, FAX_IOC_RESET) ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		bail("fork: %s", strerror(errno));
	return WEXITSTATUS(status);
}

/* A board that does not even answer a reset is cut off from memory; plugged in anew it works. */
static void test_deaf(void)
{
	struct fax_completion done;
	struct fax_status status = {};
	struct coding c;
	int ret;

	coding_begin(&c);
	check_u64(reset_unprivileged(c.dev), EPERM, "RESET of a coder that others may use");
	fault("encode/deaf", "1");
	fault("encode/stuck", "1");
	encode(&c);
	wait_encoding();
	check(ioctl(c.dev, FAX_IOC_RESET) == -1 && (errno == EIO || errno == ENODEV),
	      "RESET of a board that does not answer fails");
	ret = reset_unprivileged(c.dev);
	check(ret == EIO || ret == ENODEV,
	      "now that nothing runs, whoever uses the coder may try again (%s)", strerror(ret));
	ret = reap(c.dev, &done, 2000);
	check(ret == -ENODEV || (!ret && done.error), "its job ends");
	ret = ioctl(c.dev, FAX_IOC_STATUS, &status);
	check(ret == -1 || status.state == FAX_STATE_FAULT || status.state == FAX_STATE_GONE,
	      "the board is out of order");
	coding_end(&c);
	sim_live(false);
	sim_live(true);
	coding_begin(&c);
	check(encodes(&c), "plugged in anew it works");
	coding_end(&c);
}

/* Pulled out while a job runs: registers read as all-ones from one instant to the next. */
static void test_pulled(void)
{
	struct fax_completion done;
	struct coding c;
	int ret;

	coding_begin(&c);
	fault("encode/stuck", "1");
	encode(&c);
	wait_encoding();
	fault("gone", "1");
	sim_live(false);
	ret = reap(c.dev, &done, 2000);
	check(ret == -ENODEV || (!ret && done.code == FAX_CODE_GONE), "its job ends as gone");
	check(access(CODER, F_OK), "the node has gone");
	coding_end(&c);
	sim_live(true);
	coding_begin(&c);
	check(encodes(&c), "plugged in anew it works");
	coding_end(&c);
}

static void feeds(const char *what, const void *data, size_t len, long error)
{
	put(CONFIG "sim0/feeder", data, len);
	check_u64(sim_get("feeder_error"), error, "feeder: %s", what);
}

static void test_feeder(void)
{
	char *big = calloc(1, 2048 * 65535 + 32);
	int n = sprintf(big, "P4\n16384 65535\n");

	sim_reset();
	feeds("two images one behind the other", "P4\n8 1\n\x11" "P4 9 1 \x22\x80", 17, 0);
	check_u64(sim_get("feeder_count"), 2, "are two originals");
	feeds("one more", "P4\n8 1\n\x11", 8, 0);
	check_u64(sim_get("feeder_count"), 3, "lies behind them");
	feeds("not P4", "P5\n8 1\n\x11", 8, -EINVAL);
	feeds("cut short", "P4\n8 2\n\x11", 8, -ENODATA);
	feeds("too wide", "P4\n16385 1\n\x11", 13, -EFBIG);
	feeds("good, then bad: all or none", "P4\n8 1\n\x11" "P4\n8", 12, -ENODATA);
	check(put(CONFIG "sim0/feeder", big, n + 2048 * 65535) < 0, "more than the feeder holds");
	check_u64(sim_get("feeder_count"), 3, "nothing of these was taken");
	sim_set("feeder_clear", "1");
	check_u64(sim_get("feeder_count"), 0, "feeder_clear");
	free(big);
}

static void test_knobs(void)
{
	check_errno(put_text(CONFIG "sim0/cover", "2"), ERANGE, "cover is 0 or 1");
	check_errno(put_text(CONFIG "sim0/rows_per_second", "1000001"), ERANGE,
		    "a speed has its bounds");
	check_errno(put_text(CONFIG "sim0/feeder_xres", "0"), ERANGE, "so has a resolution");
	check_errno(put_text(CONFIG "sim0/serial", "x"), EBUSY, "the serial of a live board stays");
	check_errno(put_text(CONFIG "sim0/live", "perhaps"), EINVAL, "live is yes or no");
}

static void test_speed(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	int dev = wait_dev(SCANNER, O_RDWR);
	struct buf buf = buf_new(dev, PAGE);
	struct fax_seg seg = seg_out(&buf, 0, PAGE);
	uint8_t *page = page_make(A4_WIDTH, ROWS, 3);
	struct fax_completion done;
	double start;

	sim_reset();
	sim_set("rows_per_second", "1000");
	sim_feed(page, A4_WIDTH, ROWS);
	start = now();
	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	done = must_reap(dev);
	check(!done.code && now() - start > 0.5,
	      "%u rows at 1000 a second take %.2f s", ROWS, now() - start);
	check(!memcmp(buf.mem, page, PAGE), "and are the same");
	/* one chunk of these takes longer than the watchdog bears, but its rows move */
	sim_reset();
	sim_set("rows_per_second", "25");
	sim_feed(page, A4_WIDTH, 300);
	seg.length = 300 * A4_STRIDE;
	fmt.rows = 300;
	start = now();
	must_submit(dev, FAX_OP_SCAN, 0, &fmt, -1, &seg, 1);
	done = must_reap(dev);
	check(!done.code && done.rows == 300 && now() - start > 11,
	      "a slow engine is not taken for a stuck one (code %u, %.1f s)", done.code,
	      now() - start);
	sim_reset();
	free(page);
	buf_free(dev, &buf);
	close(dev);
}

/* Boards come by mkdir and go by rmdir, plugged in or not. */
static void test_more_boards(void)
{
	struct fax_info info = {};
	int dev;

	if (mkdir(CONFIG "second", 0755))
		bail("mkdir: %s", strerror(errno));
	check(access("/dev/faxscan1", F_OK), "a new board is not plugged in");
	check_errno(put_text(CONFIG "second/serial", "serial-2"), 0, "it gets a serial");
	check_errno(put_text(CONFIG "second/live", "1"), 0, "and is plugged in");
	dev = wait_dev("/dev/faxscan1", O_RDWR);
	check(!ioctl(dev, FAX_IOC_INFO, &info) && !strcmp((char *)info.serial, "serial-2"),
	      "INFO says who it is");
	check_errno(rmdir(CONFIG "second"), 0, "it goes, in use as it is");
	check_errno(ioctl(dev, FAX_IOC_INFO, &info), ENODEV, "which the user is told");
	check(access("/dev/faxscan1", F_OK), "its node is gone");
	close(dev);
	check(rmdir(CONFIG "sim0") == -1, "what the module made stays");
}

int main(void)
{
	sim_reset();
	test_feeder();
	test_knobs();
	test_speed();
	test_faults();
	test_deaf();
	test_pulled();
	test_more_boards();
	return done_testing();
}
