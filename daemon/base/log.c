/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/cleanup.h"
#include "base/log.h"

/* systemd sets JOURNAL_STREAM for what it starts with its output on the journal. */
static int journal_listens(void)
{
	static int listens = -1;

	if (listens < 0)
		listens = getenv("JOURNAL_STREAM") != NULL;
	return listens;
}

void log_full(int priority, uint64_t job, const char *user, const char *fmt, ...)
{
	_free_ char *text = NULL;
	va_list ap;
	int n;

	if (priority == LOG_DEBUG && !getenv("IFAX_DEBUG"))
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return;
	}
	if (!journal_listens()) {
		/* A line of it could pose as another message, of another priority. */
		for (char *p = text; *p; p++)
			if ((unsigned char)*p < ' ' || *p == 0x7f)
				*p = ' ';
		fprintf(stderr, "<%d>%s\n", priority, text);
		return;
	}
	if (job)
		sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority,
				"IFAX_JOB=%llu", (unsigned long long)job,
				user ? "IFAX_USER=%s" : NULL, user, NULL);
	else
		sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority,
				user ? "IFAX_USER=%s" : NULL, user, NULL);
}
