// SPDX-License-Identifier: LGPL-2.1-or-later
/* The processor's time, and its instructions where it lets itself be asked. */
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

static int counter = -1;

void cost_open(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr), .type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_INSTRUCTIONS, .exclude_kernel = 1, .exclude_hv = 1,
	};

	counter = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

bool cost_counts_instructions(void)
{
	return counter >= 0;
}

static double instructions(void)
{
	u64 count = 0;

	if (counter < 0 || read(counter, &count, sizeof(count)) != sizeof(count))
		return 0;
	return (double)count;
}

/* Of this thread alone: what others take from the machine does not count. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void cost_start(struct cost *cost)
{
	cost->instructions = instructions();
	cost->seconds = seconds();
}

void cost_stop(struct cost *cost)
{
	cost->seconds = seconds() - cost->seconds;
	cost->instructions = instructions() - cost->instructions;
}
