/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's one error convention: functions return 0 (or a count) or a
 * negative errno, and those that people hear of also fill in a sentence which
 * says what is wrong and what to do.
 */
#ifndef IFAX_BASE_ERROR_H
#define IFAX_BASE_ERROR_H

#include <stdarg.h>

/* A plain value: nothing to free. */
struct error {
	int code;		/* negative errno, 0 = none */
	char text[400];		/* one sentence, no line ends or control characters */
};

/* Fills in @e, which may be NULL, and returns @code. */
int error_set(struct error *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The sentence, or the errno's own words where none was set. */
const char *error_text(const struct error *e);

#endif
