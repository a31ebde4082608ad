// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What moves jobs on, the board's work and its interrupt, needs no memory:
 * pages pass while every allocation that any of the kernel's workers makes
 * fails. The simulator's thread needs some, for paper: what it does not get
 * the first time it asks for again, and a page for which there never is any
 * ends as one in an engine that is stuck.
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

/* Allocations that were made to fail since arm(@armed). */
static long failures(long armed)
{
	return 2 * armed - number(FAULTS "failslab/times") -
	       number(FAULTS "fail_page_alloc/times");
}

/* Allocations of the tasks so named are to fail ("1"), or not ("0"); how many tasks there are. */
static unsigned int mark(const char *task, const char *value)
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
		if (strncmp(name, task, strlen(task)))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail", e->d_name);
		put(path, value);
		n++;
	}
	if (proc)
		closedir(proc);
	return n;
}

/* The next @n of each kind fail; 0: none */
static void arm(long n)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	char times[16];
	unsigned int i;

	snprintf(times, sizeof(times), "%ld", n);
	for (i = 0; i < 2; i++) {
		knob(kinds[i], "ignore-gfp-wait", "N");
		knob(kinds[i], "verbose", "0");
		knob(kinds[i], "task-filter", "Y");
		knob(kinds[i], "times", times);
		knob(kinds[i], "probability", n ? "100" : "0");
	}
	knob("fail_page_alloc", "min-order", "0");
}

static int scan, print, coder;
static struct buf coded;
static uint64_t code_len;
static uint8_t *page;

/* A page in, scanned to code by linked jobs. */
static void scan_page(void)
{
	struct fax_fmt raw = fmt_raw(A4_WIDTH, 0);
	struct fax_fmt mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, FAX_FMT_END);
	struct fax_seg out = seg_out(&coded, 0, coded.size);
	int pipe = pipe_new(coder, A4_WIDTH, 64, 4);
	struct fax_completion a, b;

	/* what a call needs it gets, for this task is none of those */
	must_submit(coder, FAX_OP_ENCODE, 0, &mmr, pipe, &out, 1);
	must_submit(scan, FAX_OP_SCAN, 0, &raw, pipe, NULL, 0);
	a = must_reap(scan);
	b = must_reap(coder);
	check(!a.code && !b.code && a.rows == ROWS, "a page is scanned to code (codes %u, %u)",
	      a.code, b.code);
	code_len = b.bytes_out;
	close(pipe);
}

/* And out again, printed; how the printer's job ended. */
static struct fax_completion print_page(void)
{
	struct fax_fmt raw = fmt_raw(A4_WIDTH, ROWS);
	struct fax_seg in = seg_in(&coded, 0, code_len);
	int pipe = pipe_new(coder, A4_WIDTH, 64, 4);
	struct fax_completion c;

	in.encoding = FAX_ENC_MMR;
	in.rows = ROWS;
	must_submit(print, FAX_OP_PRINT, 0, &raw, pipe, NULL, 0);
	raw.xres = 0;
	raw.yres = 0;
	must_submit(coder, FAX_OP_DECODE, 0, &raw, pipe, &in, 1);
	c = must_reap(print);
	must_reap(coder);
	close(pipe);
	return c;
}

static bool prints(void)
{
	struct fax_completion c = print_page();
	uint32_t width = 0, rows = 0;
	uint8_t *printed;
	bool same;

	if (c.code) {
		printf("# code %u\n", c.code);
		return false;
	}
	printed = sim_printed(&width, &rows);
	same = width == A4_WIDTH && rows == ROWS && !memcmp(printed, page, PAGE);
	free(printed);
	return same;
}

/* There is no paper to be had, none for long, or only just not. */
static void test_paper(void)
{
	struct fax_completion c;
	int n;

	sim_set("tray_clear", "1");
	for (n = 1; n <= 3; n++) {
		arm(n);
		check(mark("faxsim/", "1"), "the hardware gets no memory %d times", n);
		check(prints(), "and prints when it does");
		check(failures(n) > 0, "it asked (%ld)", failures(n));
		mark("faxsim/", "0");
	}
	arm(TIMES);
	mark("faxsim/", "1");
	c = print_page();
	check(c.code == FAX_CODE_TIMEOUT && c.error == -ETIMEDOUT,
	      "a page for which it gets none times out (code %u)", c.code);
	mark("faxsim/", "0");
	arm(0);
	check(prints(), "the next is printed");
}

/* A job is canceled, another times out: ends have no memory either. */
static void give_up(void)
{
	struct fax_fmt mmr = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
	struct fax_seg out = seg_out(&coded, 0, coded.size);
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
	long before = failures(TIMES);
	int i;

	for (i = 0; i < 1000 && failures(TIMES) == before; i++) {
		sim_set("cover", i % 2 ? "0" : "1");
		usleep(20000);
	}
	sim_set("cover", "0");
	return failures(TIMES) > before;
}

int main(void)
{
	int i;

	if (access(FAULTS "failslab", F_OK) || access("/proc/self/make-it-fail", F_OK)) {
		check(true, "workers without memory # SKIP this kernel injects no faults");
		return done_testing();
	}
	sim_reset();
	page = page_make(A4_WIDTH, ROWS, 21);
	scan = open_dev(SCANNER, O_RDONLY);
	print = open_dev(PRINTER, O_WRONLY);
	coder = open_dev(CODER, O_RDWR);
	coded = buf_new(coder, 1 << 18);
	for (i = 0; i < 3; i++)
		sim_feed(page, A4_WIDTH, ROWS);
	arm(TIMES);
	check(mark("kworker/", "1") >= 2, "the workers get no memory from here on");
	check(workers_fail(), "they ask for some, to tell of a condition");
	for (i = 0; i < 3; i++) {
		mark("kworker/", "1");	/* new ones too */
		scan_page();
		check(prints(), "and printed as it was");
	}
	give_up();
	printf("# %ld allocations failed\n", failures(TIMES));
	mark("kworker/", "0");
	test_paper();
	knob("failslab", "task-filter", "N");
	knob("fail_page_alloc", "task-filter", "N");
	buf_free(coder, &coded);
	close(scan);
	close(print);
	close(coder);
	free(page);
	sim_reset();
	return done_testing();
}
