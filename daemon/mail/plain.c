/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include <gmime/gmime.h>

#include "mail/gmime_init.h"
#include "mail/plain.h"

#define REPLACEMENT  "\xef\xbf\xbd"
#define CHARSET_MAX  40
#define CONVERT_ROOM 4096
#define QUOTE_MAX    32		/* levels of quoting that are shown */

/* --- character sets --- */

static bool is_any(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!g_ascii_strcasecmp(name, names[i]))
			return true;
	return false;
}

/* What says UTF-8 or nothing at all, whatever is meant by it. */
static bool says_little(const char *charset)
{
	static const char *const names[] = { "",      "us-ascii", "ascii",
					     "utf-8", "utf8",	  "unknown-8bit" };

	return !charset || is_any(charset, names, G_N_ELEMENTS(names));
}

/* The name that iconv() is given; NULL: not one that can be a character set. */
static const char *iconv_name(const char *charset)
{
	static const char *const latin1[] = { "iso-8859-1", "latin1", "iso_8859-1", "l1" };

	if (strlen(charset) > CHARSET_MAX)
		return NULL;
	for (const char *p = charset; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.:+", *p))
			return NULL;
	/* Who says Latin-1 means its superset: nobody sends its control characters. */
	if (is_any(charset, latin1, G_N_ELEMENTS(latin1)))
		return "windows-1252";
	gmime_init_once();	/* it has the table of names */
	return g_mime_charset_iconv_name(charset);
}

/* One step: moves @in on by what was converted or, where it cannot be, by one byte. */
static int convert_some(iconv_t cd, char **in, size_t *left, struct buffer *out)
{
	char *to;
	size_t room = CONVERT_ROOM, n;
	int r = buffer_reserve(out, CONVERT_ROOM);

	if (r < 0)
		return r;
	to = out->data + out->len;
	n = iconv(cd, in, left, &to, &room);
	r = n == (size_t)-1 ? -errno : 0;
	out->len += CONVERT_ROOM - room;
	out->data[out->len] = '\0';
	if (r == -EILSEQ || r == -EINVAL) {
		++*in;
		--*left;
		return buffer_append(out, REPLACEMENT, strlen(REPLACEMENT));
	}
	return r == -E2BIG ? 0 : r;
}

static int convert(const char *name, const char *data, size_t len, struct buffer *out)
{
	iconv_t cd = iconv_open("UTF-8", name);
	char *in = (char *)data;
	int r = 0;

	if (cd == (iconv_t)-1)
		return -errno;
	while (len && r >= 0)
		r = convert_some(cd, &in, &len, out);
	iconv_close(cd);
	return r;
}

static int append_utf8(const char *data, size_t len, struct buffer *out)
{
	char *valid = g_utf8_make_valid(data, len);
	int r = buffer_append(out, valid, strlen(valid));

	g_free(valid);
	return r;
}

int plain_decode(const char *charset, const char *data, size_t len, struct buffer *out,
		 bool *unknown)
{
	size_t before = out->len;
	const char *name;
	int r = -EINVAL;

	*unknown = false;
	if (says_little(charset)) {
		if (g_utf8_validate_len(data, len, NULL))
			return buffer_append(out, data, len);
		/* who says UTF-8 and errs here and there is still read as that */
		if (charset && !g_ascii_strncasecmp(charset, "utf", 3))
			return append_utf8(data, len, out);
		return convert("windows-1252", data, len, out);
	}
	name = iconv_name(charset);
	if (name)
		r = convert(name, data, len, out);
	if (r != -EINVAL)
		return r;
	out->len = before;
	*unknown = true;
	if (g_utf8_validate_len(data, len, NULL))
		return buffer_append(out, data, len);
	return convert("windows-1252", data, len, out);
}

/* --- characters --- */

/* A character that is to stay, or '\n' for all that ends a line; 0: it goes. */
static gunichar kept(gunichar c)
{
	if (c == '\n' || c == '\t' || c == '\f')
		return c;
	if (c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029)
		return '\n';
	return c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0xfeff ? 0 : c;
}

void plain_clean(struct buffer *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len;) {
		const char *s = b->data + i;
		gunichar c = g_utf8_get_char_validated(s, b->len - i);
		bool valid = c != (gunichar)-1 && c != (gunichar)-2;
		size_t size = valid ? g_utf8_skip[(unsigned char)*s] : 1;

		i += size;
		if (!valid)
			continue;
		if (c == '\r' && i < b->len && b->data[i] == '\n')
			continue;
		c = kept(c);
		if (c == '\n')
			b->data[n++] = c;
		else if (c)
			n += g_unichar_to_utf8(c, b->data + n);
	}
	while (n && strchr(" \t\n\f", b->data[n - 1]))
		n--;
	b->len = n;
	if (b->data)
		b->data[n] = '\0';
}

bool plain_blank(const char *text, size_t len)
{
	for (const char *p = text; p < text + len; p = g_utf8_next_char(p))
		if (!g_unichar_isspace(g_utf8_get_char(p)))
			return false;
	return true;
}

/* --- format=flowed --- */

/* A line of the mail, taken apart. */
struct flowed_line {
	size_t depth;
	const char *text;
	size_t len;
	bool soft;		/* goes on in the next line */
	bool signature;		/* the line above one: stands alone */
};

static struct flowed_line take_apart(const char *s, size_t len, bool delsp)
{
	struct flowed_line l = { .text = s, .len = len };

	while (l.len && *l.text == '>') {
		l.depth++;
		l.text++;
		l.len--;
	}
	if (l.len && *l.text == ' ') {
		l.text++;
		l.len--;
	}
	l.signature = l.len == 3 && !memcmp(l.text, "-- ", 3);
	l.soft = l.len && l.text[l.len - 1] == ' ' && !l.signature;
	if (l.soft && delsp)
		l.len--;
	return l;
}

static int begin_paragraph(struct buffer *out, size_t depth)
{
	int r = 0;

	for (size_t i = 0; i < depth && i < QUOTE_MAX && r >= 0; i++)
		r = buffer_append(out, "> ", 2);
	return r;
}

int plain_unflow(const char *text, size_t len, bool delsp, struct buffer *out)
{
	const char *end = text + len;
	bool open = false;	/* the last line was soft */
	size_t depth = 0;
	int r = 0;

	while (text < end && r >= 0) {
		const char *nl = memchr(text, '\n', end - text);
		struct flowed_line l = take_apart(text, (nl ? nl : end) - text, delsp);

		if (open && (l.depth != depth || l.signature)) {
			r = buffer_append(out, "\n", 1);
			open = false;
		}
		if (!open && r >= 0)
			r = begin_paragraph(out, l.depth);
		if (r >= 0)
			r = buffer_append(out, l.text, l.len);
		if (!l.soft && r >= 0)
			r = buffer_append(out, "\n", 1);
		open = l.soft;
		depth = l.depth;
		text = nl ? nl + 1 : end;
	}
	return r;
}
