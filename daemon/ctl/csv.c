// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/csv.h"

#include <errno.h>
#include <string.h>

#define MARK "\xef\xbb\xbf"	/* of UTF-8, that some programs write first */

void csv_begin(struct csv *c, char *data, size_t len)
{
	*c = (struct csv){ data, data + len, 1 };
	if (!strncmp(data, MARK, strlen(MARK)))
		c->data += strlen(MARK);
}

static int bad(const struct csv *c, const struct csv_row *row, const char *what, struct error *e)
{
	return error_set(e, -EINVAL, "line %u, column %zu: %s", c->line, row->n + 1, what);
}

/*
 * A field in quotes, in place, the doubled ones made one. Behind it *@at is what
 * stood there: the caller ends the field.
 */
static int quoted(struct csv *c, const struct csv_row *row, char **at, char **end, struct error *e)
{
	char *from = *at + 1, *to = *at;
	unsigned int line = c->line;

	for (;; from++) {
		if (from == c->end) {
			c->line = line;
			return bad(c, row, "the closing quotation mark is missing", e);
		}
		if (*from == '"') {
			if (from[1] != '"')
				break;
			from++;
		}
		c->line += *from == '\n';
		*to++ = *from;
	}
	*at = from + 1;
	*end = to;
	if (**at && !strchr(",\r\n", **at))
		return bad(c, row, "more text follows the closing quotation mark", e);
	return 0;
}

static int bare(struct csv *c, const struct csv_row *row, char **at, char **end, struct error *e)
{
	*at += strcspn(*at, ",\n");
	*end = *at;
	if (**at != ',' && *end > c->data && (*end)[-1] == '\r')
		--*end;
	for (const char *p = row->fields[row->n]; p < *end; p++)
		if (*p == '"')
			return bad(c, row, "a field with quotation marks must stand in them", e);
	return 0;
}

/* One field; what stood behind it, ',' or '\n' or '\0', or -errno. */
static int read_field(struct csv *c, struct csv_row *row, struct error *e)
{
	char *at = c->data, *end = at;
	int r, last;

	if (row->n == CSV_FIELDS_MAX)
		return bad(c, row, "there are too many columns", e);
	row->fields[row->n] = at;
	r = *at == '"' ? quoted(c, row, &at, &end, e) : bare(c, row, &at, &end, e);
	if (r < 0)
		return r;
	at += *at == '\r';
	last = (unsigned char)*at;
	if (last && last != ',' && last != '\n')
		return bad(c, row, "a line ends in the midst of it", e);
	c->data = at + (at < c->end);
	c->line += last == '\n';
	*end = '\0';
	row->n++;
	return last;
}

int csv_read(struct csv *c, struct csv_row *row, struct error *e)
{
	int r;

	/* Lines without anything are no rows. */
	while (c->data < c->end && strchr("\r\n", *c->data))
		c->line += *c->data++ == '\n';
	if (c->data == c->end)
		return 0;
	row->n = 0;
	row->line = c->line;
	do
		r = read_field(c, row, e);
	while (r == ',');
	return r < 0 ? r : 1;
}

int csv_append(struct buffer *b, const char *value, int first)
{
	int r = first ? 0 : buffer_append(b, ",", 1);

	if (r < 0 || !strpbrk(value, ",\"\r\n"))
		return r < 0 ? r : buffer_append(b, value, strlen(value));
	r = buffer_append(b, "\"", 1);
	for (; r >= 0 && *value; value++)
		r = buffer_append(b, *value == '"' ? "\"\"" : value, *value == '"' ? 2 : 1);
	return r < 0 ? r : buffer_append(b, "\"", 1);
}
