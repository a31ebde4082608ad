/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times and sentences, as jobs carry them. */
#ifndef IFAX_SERVICE_WORDS_H
#define IFAX_SERVICE_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds since the epoch. */
uint64_t words_now(void);
/* "2026-11-22 10:15:00", local time. */
void words_time(uint64_t usec, char *text, size_t size);
/* Replaces an owned sentence; out of memory leaves it empty. */
void words_set(char **field, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
