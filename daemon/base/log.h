/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The main program's words: to the journal with fields where it listens, else
 * to standard error. Rooms below service/ do not log, they return.
 */
#ifndef IFAX_BASE_LOG_H
#define IFAX_BASE_LOG_H

#include <stdint.h>
#include <syslog.h>

/* Field IFAX_JOB= where job is not 0, IFAX_USER= where user is not NULL. */
void log_full(int priority, uint64_t job, const char *user, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#define log_error(...)	log_full(LOG_ERR, 0, NULL, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, 0, NULL, __VA_ARGS__)
#define log_notice(...)	log_full(LOG_NOTICE, 0, NULL, __VA_ARGS__)
#define log_info(...)	log_full(LOG_INFO, 0, NULL, __VA_ARGS__)
#define log_debug(...)	log_full(LOG_DEBUG, 0, NULL, __VA_ARGS__)

#endif
