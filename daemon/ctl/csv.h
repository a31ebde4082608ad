/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of fields with commas between them, quoted as RFC 4180 has it; lines end by LF or CRLF. */
#ifndef IFAX_CTL_CSV_H
#define IFAX_CTL_CSV_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

#define CSV_FIELDS_MAX 64

/* Where reading stands; data is the caller's, and is written to. */
struct csv {
	char *data, *end;
	unsigned int line;	/* of data, from 1 on */
};

/* Fields lie in the data that was read. A plain value. */
struct csv_row {
	char *fields[CSV_FIELDS_MAX];
	size_t n;
	unsigned int line;	/* where it begins */
};

/* @data has a NUL behind its @len octets, and none before. */
void csv_begin(struct csv *c, char *data, size_t len);
/* The next row that is not empty: 1, or 0 at the end, or -EINVAL with line and column. */
int csv_read(struct csv *c, struct csv_row *row, struct error *e);
/* Appends one field, quoted where it must be, after a comma where @first is not set. */
int csv_append(struct buffer *b, const char *value, int first);

#endif
