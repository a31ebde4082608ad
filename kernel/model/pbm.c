// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "pbm.h"

struct reader {
	const u8 *p;
	const u8 *end;
};

static bool is_space(u8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* White space and comments, at least one of them. */
static bool skip_space(struct reader *r)
{
	const u8 *start = r->p;

	while (r->p < r->end) {
		if (*r->p == '#') {
			while (r->p < r->end && *r->p != '\n' && *r->p != '\r')
				r->p++;
		} else if (is_space(*r->p)) {
			r->p++;
		} else {
			break;
		}
	}
	return r->p > start;
}

static int number(struct reader *r, u32 max, u32 *out)
{
	const u8 *start = r->p;
	u32 n = 0;

	for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++) {
		n = n * 10 + (*r->p - '0');
		if (n > max)
			return -EFBIG;
	}
	if (r->p == r->end)
		return -ENODATA;
	if (r->p == start || !n)
		return -EINVAL;
	*out = n;
	return 0;
}

s64 pbm_parse(const void *data, size_t len, struct pbm_image *image)
{
	struct reader r = { data, (const u8 *)data + len };
	size_t bytes;
	int ret;

	if (!len)
		return 0;
	if (len < 2)
		return -ENODATA;
	if (r.p[0] != 'P' || r.p[1] != '4')
		return -EINVAL;
	r.p += 2;
	if (!skip_space(&r))
		return r.p == r.end ? -ENODATA : -EINVAL;
	ret = number(&r, PBM_WIDTH_MAX, &image->width);
	if (ret)
		return ret;
	if (!skip_space(&r))
		return -EINVAL;
	ret = number(&r, PBM_ROWS_MAX, &image->rows);
	if (ret)
		return ret;
	/* one white space, then pixels whatever they look like */
	if (!is_space(*r.p))
		return -EINVAL;
	r.p++;
	bytes = (size_t)((image->width + 7) / 8) * image->rows;
	if ((size_t)(r.end - r.p) < bytes)
		return -ENODATA;
	image->pixels = r.p;
	return r.p + bytes - (const u8 *)data;
}

static char *put_number(char *p, u32 n)
{
	char digits[10];
	u32 i = 0;

	do {
		digits[i++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (i)
		*p++ = digits[--i];
	return p;
}

u32 pbm_header(char out[PBM_HEADER_MAX], u32 width, u32 rows)
{
	char *p = out;

	*p++ = 'P';
	*p++ = '4';
	*p++ = '\n';
	p = put_number(p, width);
	*p++ = ' ';
	p = put_number(p, rows);
	*p++ = '\n';
	*p = '\0';
	return (u32)(p - out);
}
