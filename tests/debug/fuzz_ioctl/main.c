// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fuzz_ioctl [-s SEED] [-t SECONDS] [-l LAST] [-c CORPUS] [-o CORPUS]   fuzzes the user interface
 * fuzz_ioctl -r PROGRAMS [-n TIMES]                                     runs programs again
 *
 * -l  where the text of the program being run stands, for when nobody can ask any more
 * -c  programs to begin with besides the seeds; -o where those worth keeping go
 *
 * In the last third of the time allocations fail, too. The seed settles every
 * choice; what is kept also hangs on the order in which threads and the board
 * happen to come along. The program that upset the kernel is printed, to be
 * given to -r.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../uapi/uapi_test.h"
#include "fuzz.h"

#define CORPUS	4096u
#define TEXT	16384
#define TRIMS	40	/* runs to make a program short */
#define SAY_S	60

static struct program corpus[CORPUS];
static unsigned int ncorpus;
static unsigned long runs;
static int kmsg, last = -1;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/*
 * The kernel's log. What counts as a complaint after all is settled by who
 * reads the console; here it is about stopping at the program that did it.
 */
static bool complained(void)
{
	static const char *const words[] = {
		"BUG: ", "WARNING: ", "UBSAN: ", "KASAN: ", "DMA-API: ", "ODEBUG: ", "INFO: task ",
		"possible recursive locking", "circular locking", "suspicious RCU", "refcount_t: ",
		"list_add corruption", "list_del corruption", "general protection fault", "Oops",
	};
	char record[8192];
	ssize_t len;
	size_t i;

	/* EPIPE: records were overwritten before they were read; the next are there */
	while ((len = read(kmsg, record, sizeof(record) - 1)) > 0 || (len < 0 && errno == EPIPE)) {
		record[len < 0 ? 0 : len] = 0;
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strstr(record, words[i]) &&
			    !strstr(record, "cacheline tracking ENOMEM") &&
			    !strstr(record, "KCSAN"))	/* which may be another's */
				return true;
	}
	return false;
}

static void open_log(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg < 0)
		bail("/dev/kmsg: %s", strerror(errno));
	lseek(kmsg, 0, SEEK_END);
}

static void note_last(const struct program *p)
{
	static char text[TEXT];
	int len = program_print(p, text, sizeof(text));

	if (last >= 0 && pwrite(last, text, len, 0) != len)
		bail("the program cannot be noted: %s", strerror(errno));
}

static void show(const struct program *p)
{
	static char text[TEXT];
	char *line;

	program_print(p, text, sizeof(text));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("# %s\n", line);
	fflush(stdout);
}

/* Runs it, and ends everything if that did harm. */
static unsigned int run(const struct program *p)
{
	note_last(p);
	runs++;
	if (!run_program(p)) {
		show(p);
		check(false, "program %lu ends", runs);
		done_testing();
		/* who hangs cannot be waited for */
		fflush(stdout);
		_exit(1);
	}
	if (complained()) {
		show(p);
		check(false, "program %lu does not upset the kernel", runs);
		exit(done_testing());
	}
	return coverage_take();
}

/*
 * The corpus.
 */

/* Calls without which it comes by the same new places are not worth keeping. */
static void trim(struct program *p, const uint32_t *found, unsigned int n)
{
	unsigned int i = p->n, budget = TRIMS;
	struct program shorter;

	while (i-- && p->n > 1 && budget--) {
		shorter = *p;
		program_drop(&shorter, i);
		run(&shorter);
		if (coverage_again(found, n) == n)
			*p = shorter;
	}
}

static void keep(const struct program *p, struct rng *r)
{
	corpus[ncorpus < CORPUS ? ncorpus++ : rng_below(r, CORPUS)] = *p;
}

static void try(struct program *p, struct rng *r)
{
	static uint32_t found[512];
	unsigned int n;

	if (!run(p))
		return;
	n = coverage_new(found, 512);
	trim(p, found, n);
	keep(p, r);
}

static void load(const char *path, struct rng *r)
{
	FILE *f = fopen(path, "r");
	struct program p;

	while (f && program_parse(f, &p))
		if (run(&p))
			keep(&p, r);
	if (f)
		fclose(f);
}

static void save(const char *path)
{
	static char text[TEXT];
	FILE *f = fopen(path, "w");
	unsigned int i;

	if (!f)
		bail("%s: %s", path, strerror(errno));
	for (i = 0; i < ncorpus; i++) {
		program_print(&corpus[i], text, sizeof(text));
		fputs(text, f);
	}
	if (fclose(f))
		bail("%s: %s", path, strerror(errno));
}

/* What was found last leads on more often. */
static const struct program *pick(struct rng *r)
{
	unsigned int recent = ncorpus / 4 + 1;

	if (rng_below(r, 3))
		return &corpus[rng_below(r, ncorpus)];
	return &corpus[ncorpus - 1 - rng_below(r, recent)];
}

static void say(double took)
{
	printf("# %.0f s: %lu programs run, %u kept\n", took, runs, ncorpus);
	fflush(stdout);
}

static void fuzz(struct rng *r, double seconds)
{
	double start = now(), told = start, t = start;
	struct program p;

	while (ncorpus && (t = now()) - start < seconds) {
		if (rng_below(r, 50)) {
			p = *pick(r);
			program_mutate(r, &p, pick(r), t - start > seconds * 2 / 3);
		} else {
			program_random(r, &p);
		}
		try(&p, r);
		if (t - told >= SAY_S) {
			say(t - start);
			told = t;
		}
	}
	say(t - start);
}

static int replay(const char *path, unsigned int times)
{
	struct program p;
	unsigned int i;
	FILE *f = fopen(path, "r");

	if (!f)
		bail("%s: %s", path, strerror(errno));
	while (program_parse(f, &p))
		for (i = 0; i < times; i++)
			run(&p);
	fclose(f);
	check(true, "%lu programs run again", runs);
	return done_testing();
}

static void allow_faults(void)
{
	static const char *const knobs[][2] = {
		{ "failslab/ignore-gfp-wait", "N" }, { "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" }, { "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" }, { "fail_usercopy/verbose", "0" },
	};
	char path[64];
	size_t i;
	int fd;

	for (i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", knobs[i][0]);
		fd = open(path, O_WRONLY);
		if (fd >= 0 && write(fd, knobs[i][1], 1) != 1)
			bail("%s: %s", path, strerror(errno));
		close(fd);
	}
}

int main(int argc, char **argv)
{
	const char *from = NULL, *to = NULL, *again = NULL;
	unsigned int i, times = 1;
	struct rng r = { .state = 1 };
	double seconds = 60;
	struct program p;
	int c;

	while ((c = getopt(argc, argv, "s:t:l:c:o:r:n:")) != -1) {
		switch (c) {
		case 's': r.state = strtoull(optarg, NULL, 10); break;
		case 't': seconds = atof(optarg); break;
		case 'l': last = open(optarg, O_WRONLY | O_CREAT | O_TRUNC, 0644); break;
		case 'c': from = optarg; break;
		case 'o': to = optarg; break;
		case 'r': again = optarg; break;
		case 'n': times = atoi(optarg); break;
		default: bail("no such option");
		}
	}
	allow_faults();
	coverage_init();
	run_init();
	calls_init();
	/* page faults of our own are not what is to fail */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		bail("mlockall: %s", strerror(errno));
	open_log();
	if (again)
		return replay(again, times);
	for (i = 0; seed_program(i, &p); i++) {
		run(&p);
		keep(&p, &r);
	}
	if (from)
		load(from, &r);
	fuzz(&r, seconds);
	if (to)
		save(to);
	coverage_report();
	check(true, "%lu programs, of which %u are kept, do not upset the kernel", runs, ncorpus);
	return done_testing();
}
