// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What moves jobs on, the board's work, its interrupt and the simulator's
 * thread, needs no memory: pages pass while every allocation that any of the
 * kernel's own workers makes fails.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../uapi/uapi_test.h"

#define ROWS	300u
#define PAGE	((uint64_t)ROWS * A4_STRIDE)
#define FAULTS	"/sys/kernel/debug/"
#define TIMES	1000000l	/* failures that are had in store */

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
}

static void knob(const char *kind, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), FAULTS "%s/%s", kind, name);
	put(path, value);
}

static long number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
	return strtol(text, NULL, 0);
}

/* Allocations that were made to fail since arm(). */
static long failures(void)
{
	return 2 * TIMES - number(FAULTS "failslab/times") -
	       number(FAULTS "fail_page_alloc/times");
}

/* The tasks named in here are to fail; returns how many there are. */
static unsigned int mark(const char *value)
{
	char path[300], name[64];
	unsigned int n = 0;
	struct dirent *e;
	DIR *proc = opendir("/proc");
	FILE *f;

	while (proc && (e = readdir(proc))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (!f || !fgets(name, sizeof(name), f))
			name[0] = '\0';
		if (f)
			fclose(f);
		if (strncmp(name, "kworker/", 8) && strncmp(name, "faxsim/", 7))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail", e->d_name);
		put(path, value);
		n++;
	}
	if (proc)
		closedir(proc);
	return n;
}

static void arm(bool on)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	char times[16];
	unsigned int i;

	snprintf(times, sizeof(times), "%ld", TIMES);
	for (i = 0; i < 2; i++) {
		knob(kinds[i], "ignore-gfp-wait", "N");
		knob(kinds[i], "verbose", "0");
		knob(kinds[i], "task-filter", "Y");
		knob(kinds[i], "times", times);
		knob(kinds[i], "probability", on ? "100" : "0");
	}
	knob("fail_page_alloc", "min-order", "0");
}

/* A page in, scanned to code, and the code out again, printed; both by linked jobs. */
static void pass(const uint8_t *page, int scan, int print, int coder, const struct buf *coded)
{
	struct fax_fmt raw = fmt_raw(A4_WIDTH, 0);
	struct fax_fmt mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, FAX_FMT_END);
	struct fax_seg out = seg_out(coded, 0, coded->size), in;
	struct fax_completion a, b;
	uint32_t width, rows;
	uint8_t *printed;
	int pipe = pipe_new(coder, A4_WIDTH, 64, 4);

	/* what a call needs it gets, for this task is none of those */
	must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &out, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	a = must_reap(scan);
	b = must_reap(coder);
	check(!a.code && !b.code && a.rows == ROWS, "a page is scanned to code (codes %u, %u)",
	      a.code, b.code);

	raw.rows = ROWS;
	in = seg_in(coded, 0, b.bytes_out);
	in.encoding = FAX_ENC_MMR;
	in.rows = ROWS;
	must_submit(print, FAX_OP_PRINT, 0, &raw, pipe, NULL, 0);
	raw.xres = 0;
	raw.yres = 0;
	must_submit(coder, FAX_OP_DECODE, 0, &raw, pipe, &in, 1);
	a = must_reap(print);
	b = must_reap(coder);
	check(!a.code && !b.code, "and printed (codes %u, %u)", a.code, b.code);
	close(pipe);
	printed = sim_printed(&width, &rows);
	check(width == A4_WIDTH && rows == ROWS && !memcmp(printed, page, PAGE), "as it was");
	free(printed);
}

/* A job is canceled, another times out: ends have no memory either. */
static void give_up(int coder, const struct buf *coded)
{
	struct fax_fmt mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
	struct fax_seg out = seg_out(coded, 0, coded->size);
	int pipe = pipe_new(coder, A4_WIDTH, 64, 4);
	uint32_t job = must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &out, 1);
	struct fax_completion c;

	check_errno(cancel(coder, job), 0, "CANCEL");
	c = must_reap(coder);
	check_u64(c.code, FAX_CODE_CANCELED, "a job is canceled");
	close(pipe);
	pipe = pipe_new(coder, A4_WIDTH, 64, 4);
	must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &out, 1);
	check(!ioctl(coder, FAX_IOC_RESET), "RESET");
	cancel(coder, 0);
	c = must_reap(coder);
	check(c.code && c.error < 0, "a job ends by a reset, or after it (code %u)", c.code);
	close(pipe);
}

/* That a worker is to be told of a condition is tried, and fails. */
static bool workers_fail(void)
{
	long before = failures();
	int i;

	for (i = 0; i < 1000 && failures() == before; i++) {
		sim_set("cover", i % 2 ? "0" : "1");
		usleep(20000);
	}
	sim_set("cover", "0");
	return failures() > before;
}

int main(void)
{
	uint8_t *page = page_make(A4_WIDTH, ROWS, 21);
	int scan, print, coder, i;
	struct buf coded;

	if (access(FAULTS "failslab", F_OK) || access("/proc/self/make-it-fail", F_OK)) {
		check(true, "workers without memory # SKIP this kernel injects no faults");
		return done_testing();
	}
	sim_reset();
	scan = open_dev(SCANNER, O_RDONLY);
	print = open_dev(PRINTER, O_WRONLY);
	coder = open_dev(CODER, O_RDWR);
	coded = buf_new(coder, 1 << 18);
	for (i = 0; i < 3; i++)
		sim_feed(page, A4_WIDTH, ROWS);
	arm(true);
	check(mark("1") >= 2, "the workers get no memory from here on");
	check(workers_fail(), "they ask for some, to tell of a condition");
	for (i = 0; i < 3; i++) {
		mark("1");	/* new ones too */
		pass(page, scan, print, coder, &coded);
	}
	give_up(coder, &coded);
	printf("# %ld allocations failed\n", failures());
	mark("0");
	arm(false);
	knob("failslab", "task-filter", "N");
	knob("fail_page_alloc", "task-filter", "N");
	buf_free(coder, &coded);
	close(scan);
	close(print);
	close(coder);
	sim_reset();
	return done_testing();
}
