// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a program reached: the places in the kernel that its threads and the
 * board's work came by, and which answers were given. Both are 32-bit numbers
 * in one set: addresses of modules differ in their lower halves. A kernel
 * without KCOV leaves the answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/kcov.h>

#include "../../uapi/uapi_test.h"
#include "fuzz.h"

#define AREA	(1u << 16)	/* words of a thread */
#define SLOTS	(1u << 18)
#define ANSWERS	256u
#define NEW	512u

/* one more for the board's work, which is nobody's call */
#define AREAS	(THREADS + 1)

static uint64_t *areas[AREAS];
static int kcov[AREAS];
static uint32_t answers[THREADS][ANSWERS];
static _Atomic unsigned int nanswers[THREADS];

/* a set by open addressing; 0 is none */
static struct {
	uint32_t what;
	uint32_t run;		/* when it came last */
	uint64_t pc;		/* 0: an answer */
} seen[SLOTS];
static bool covered;		/* the kernel tells */
static unsigned int nseen;
static uint32_t run;
static uint32_t fresh[NEW];
static unsigned int nfresh;

static void open_area(unsigned int i)
{
	kcov[i] = open("/sys/kernel/debug/kcov", O_RDWR);
	if (kcov[i] < 0)
		bail("kcov: %s", strerror(errno));
	if (ioctl(kcov[i], KCOV_INIT_TRACE, AREA))
		bail("KCOV_INIT_TRACE: %s", strerror(errno));
	areas[i] = mmap(NULL, AREA * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED,
			kcov[i], 0);
	if (areas[i] == MAP_FAILED)
		bail("kcov: %s", strerror(errno));
}

/* To be called before the threads are made: they inherit that boards report to it. */
void coverage_init(void)
{
	struct kcov_remote_arg remote = {
		.trace_mode = KCOV_TRACE_PC,
		.area_size = AREA,
		.common_handle = kcov_remote_handle(KCOV_SUBSYSTEM_COMMON, 1),
	};
	unsigned int i;

	covered = !access("/sys/kernel/debug/kcov", F_OK);
	for (i = 0; covered && i < AREAS; i++)
		open_area(i);
	if (covered && ioctl(kcov[THREADS], KCOV_REMOTE_ENABLE, &remote))
		bail("KCOV_REMOTE_ENABLE: %s", strerror(errno));
}

void coverage_thread(unsigned int thread)
{
	if (covered && ioctl(kcov[thread], KCOV_ENABLE, KCOV_TRACE_PC))
		bail("KCOV_ENABLE: %s", strerror(errno));
}

void coverage_reset(void)
{
	unsigned int i;

	for (i = 0; covered && i < AREAS; i++)
		__atomic_store_n(&areas[i][0], 0, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		nanswers[i] = 0;
}

void coverage_answer(unsigned int thread, uint32_t answer)
{
	unsigned int n = nanswers[thread];

	if (n < ANSWERS) {
		answers[thread][n] = answer;
		nanswers[thread] = n + 1;
	}
}

static unsigned int find(uint32_t what)
{
	unsigned int i = what * 2654435761u % SLOTS;

	while (seen[i].what && seen[i].what != what)
		i = (i + 1) % SLOTS;
	return i;
}

static void note(uint32_t what, uint64_t pc)
{
	unsigned int i = find(what);

	if (!what || nseen > SLOTS / 2)
		return;
	if (!seen[i].what) {
		seen[i].what = what;
		seen[i].pc = pc;
		nseen++;
		if (nfresh < NEW)
			fresh[nfresh++] = what;
	}
	seen[i].run = run;
}

unsigned int coverage_take(void)
{
	unsigned int i, n, t;

	run++;
	nfresh = 0;
	for (t = 0; covered && t < AREAS; t++) {
		n = __atomic_load_n(&areas[t][0], __ATOMIC_RELAXED);
		for (i = 1; i <= n && i < AREA; i++)
			note(areas[t][i], areas[t][i]);
	}
	for (t = 0; t < THREADS; t++)
		for (i = 0; i < nanswers[t]; i++)
			note(answers[t][i], 0);
	return nfresh;
}

unsigned int coverage_new(uint32_t *of, unsigned int most)
{
	unsigned int n = nfresh < most ? nfresh : most;

	memcpy(of, fresh, n * sizeof(*of));
	return n;
}

unsigned int coverage_again(const uint32_t *of, unsigned int n)
{
	unsigned int i, again = 0;

	for (i = 0; i < n; i++)
		again += seen[find(of[i])].run == run;
	return again;
}

/*
 * The report: places by module, and functions that nothing came by.
 */
struct symbol {
	uint64_t at;
	char name[64], module[16];
	bool reached;
};

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* What the compiler made, and what is not called while the modules stay. */
static bool is_function(const struct symbol *s)
{
	static const char *const others[] = { "_sub_", "trace_", "__traceiter_", "__bpf_trace" };
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strncmp(s->name, others[i], strlen(others[i])))
			return false;
	return !strstr(s->name, ".cold") && !strstr(s->name, "_init") &&
	       !strstr(s->name, "_exit") &&
	       strcmp(s->name, "cleanup_module");
}

static unsigned int read_symbols(struct symbol *list, unsigned int most)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[256], type;
	unsigned int n = 0;
	struct symbol *s;

	while (f && n < most && fgets(line, sizeof(line), f)) {
		s = &list[n];
		if (sscanf(line, "%lx %c %63s [%15[^]]", &s->at, &type, s->name, s->module) == 4 &&
		    (type == 't' || type == 'T') && !strncmp(s->module, "fax", 3) &&
		    is_function(s))
			n++;
	}
	if (f)
		fclose(f);
	qsort(list, n, sizeof(*list), by_address);
	return n;
}

static struct symbol *symbol_of(struct symbol *list, unsigned int n, uint64_t pc)
{
	unsigned int low = 0, high = n, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (list[mid].at <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &list[low - 1] : NULL;
}

static void report_module(const struct symbol *list, unsigned int n, const char *module,
			  unsigned int places)
{
	unsigned int i, functions = 0, reached = 0;

	for (i = 0; i < n; i++) {
		if (strcmp(list[i].module, module))
			continue;
		functions++;
		reached += list[i].reached;
	}
	printf("# %s: %u places, %u of %u functions\n", module, places, reached, functions);
	/* of the other two, much is the board's thread's, which nobody looks at */
	for (i = 0; i < n && !strcmp(module, "fax"); i++)
		if (!strcmp(list[i].module, module) && !list[i].reached)
			printf("#   not %s\n", list[i].name);
}

void coverage_report(void)
{
	static const char *const modules[] = { "fax", "faxboard", "faxsim" };
	static struct symbol list[8192];
	unsigned int n = read_symbols(list, 8192), i, m, places[3] = {}, given = 0;
	struct symbol *s;

	for (i = 0; i < SLOTS; i++) {
		given += seen[i].what && !seen[i].pc;
		s = seen[i].pc ? symbol_of(list, n, seen[i].pc) : NULL;
		if (!s)
			continue;
		s->reached = true;
		for (m = 0; m < 3; m++)
			places[m] += !strcmp(s->module, modules[m]);
	}
	for (m = 0; covered && m < 3; m++)
		report_module(list, n, modules[m], places[m]);
	printf("# %u different answers\n", given);
}
