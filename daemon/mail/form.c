/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "mail/form.h"

/* One line after the other, without its end. */
struct lines {
	const char *at, *end;
};

struct line {
	const char *s;
	size_t len;
};

static bool next_line(struct lines *l, struct line *ret)
{
	const char *nl;

	if (l->at == l->end)
		return false;
	nl = memchr(l->at, '\n', l->end - l->at);
	ret->s = l->at;
	ret->len = (nl ? nl : l->end) - l->at;
	l->at = nl ? nl + 1 : l->end;
	if (ret->len && ret->s[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

static bool begins(const struct line *l, const char *word)
{
	size_t n = strlen(word);

	return l->len >= n && !strncasecmp(l->s, word, n);
}

static void skip(struct line *l, size_t n)
{
	l->s += n;
	l->len -= n;
}

static void skip_space(struct line *l)
{
	while (l->len && (*l->s == ' ' || *l->s == '\t'))
		skip(l, 1);
}

static bool is_folded(const struct lines *l)
{
	return l->at < l->end && (*l->at == ' ' || *l->at == '\t');
}

/* What a Content-Type says of its part. */
enum kind {
	KIND_TEXT,		/* also what is none: RFC 2045, 5.2 */
	KIND_PARTS,		/* what is in it decides */
	KIND_OTHER,
};

static enum kind kind_of(const struct line *type)
{
	static const char *const other[] = {
		/* Of parts that are no text themselves. */
		"multipart/encrypted", "multipart/report", "multipart/digest",
	};
	static const char *const text[] = {
		"text/", "application/pgp-signature", "application/pkcs7-signature",
		"application/x-pkcs7-signature",
	};

	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (begins(type, other[i]))
			return KIND_OTHER;
	if (begins(type, "multipart/"))
		return KIND_PARTS;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		if (begins(type, text[i]))
			return KIND_TEXT;
	return KIND_OTHER;
}

/* Does a field of @l name a file? Text by its type may be a fax by its name. */
static bool names_file(struct line l)
{
	for (; l.len >= 4; skip(&l, 1))
		if (begins(&l, ".tif\"") || begins(&l, ".tiff\"") ||
		    (l.len == 4 && begins(&l, ".tif")) || begins(&l, ".pdf\""))
			return true;
	return false;
}

/* The header up to the empty line; the kind of what it stands above. *@ended: there was one. */
static enum kind read_header(struct lines *l, bool *ended)
{
	enum kind kind = KIND_TEXT;
	struct line line = { .len = 1 };

	while (next_line(l, &line) && line.len) {
		const bool content = begins(&line, "Content-");

		if (begins(&line, "Content-Type:")) {
			skip(&line, strlen("Content-Type:"));
			skip_space(&line);
			while (!line.len && is_folded(l) && next_line(l, &line))
				skip_space(&line);
			kind = kind_of(&line);
		}
		while (content && !names_file(line) && is_folded(l))
			next_line(l, &line);
		if (content && names_file(line))
			kind = KIND_OTHER;
	}
	*ended = !line.len;
	return kind;
}

enum mail_form mail_form(const char *mail, size_t len, bool whole)
{
	struct lines l = { .at = mail, .end = mail + len };
	bool ended;
	enum kind kind = read_header(&l, &ended);
	struct line line;

	if (kind == KIND_OTHER)
		return MAIL_FORM_OTHER;
	if (kind == KIND_TEXT)
		return ended || whole ? MAIL_FORM_TEXT : MAIL_FORM_OPEN;
	/* Any line that may part a mail is taken for one that does. */
	while (next_line(&l, &line))
		if (begins(&line, "--") && read_header(&l, &ended) == KIND_OTHER)
			return MAIL_FORM_OTHER;
	return whole ? MAIL_FORM_TEXT : MAIL_FORM_OPEN;
}
