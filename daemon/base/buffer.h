/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing stretch of bytes with a limit. A zeroed struct is an empty buffer
 * without limit; buffer_free() gives its memory back. Always NUL-terminated
 * behind its end, where it has memory at all.
 */
#ifndef IFAX_BASE_BUFFER_H
#define IFAX_BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

struct buffer {
	char *data;
	size_t len;
	size_t cap;
	size_t max;		/* bytes, 0 = no limit */
};

/* -ENOMEM, or -EMSGSIZE beyond max; nothing is appended then. */
int buffer_append(struct buffer *b, const void *data, size_t len);
int buffer_printf(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for @len bytes at the end: data + len; the caller adds to len what it wrote. */
int buffer_reserve(struct buffer *b, size_t len);
/* Drops @len bytes from the front. */
void buffer_consume(struct buffer *b, size_t len);
void buffer_clear(struct buffer *b);
void buffer_free(struct buffer *b);

#define _buffer_ __attribute__((cleanup(buffer_free)))

#endif
