// SPDX-License-Identifier: LGPL-2.1-or-later
/* The verdict of a rule, told by its own process. */
#include <stdarg.h>

#include "compliance.h"
#include "report.h"

struct verdict *verdict;	/* shared with the process that asked for it */

static void __attribute__((noreturn)) give(enum outcome outcome, const char *why, va_list ap)
{
	vsnprintf(verdict->why, sizeof(verdict->why), why, ap);
	verdict->outcome = outcome;
	fflush(stdout);
	_exit(0);
}

void fail(const char *why, ...)
{
	va_list ap;

	va_start(ap, why);
	give(FAILED, why, ap);
}

void skip(const char *why, ...)
{
	va_list ap;

	va_start(ap, why);
	give(SKIPPED, why, ap);
}

void note(const char *what, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, what);
	vprintf(what, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void expect_errno(int ret, int wanted, const char *what, ...)
{
	int got = ret == -1 ? errno : ret < 0 ? -ret : 0;
	char text[160];
	va_list ap;

	if (got == wanted)
		return;
	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	fail("%s: %s, not %s", text, got ? strerrorname_np(got) ?: "unknown error" : "success",
	     wanted ? strerrorname_np(wanted) : "success");
}
