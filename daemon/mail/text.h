/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that strangers wrote, made fit for a line of a log, a job or a header. */
#ifndef IFAX_MAIL_TEXT_H
#define IFAX_MAIL_TEXT_H

#include <stddef.h>

/* Copies @s (may be NULL): valid UTF-8, controls to spaces, cut at a character. */
void text_copy(char *dst, size_t size, const char *s);
/* The same in place, for what lies in @size bytes and may lack its end; no UTF-8: ASCII only. */
void text_end(char *s, size_t size);

#endif
