/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
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

#define TYPE_MAX 1000

/* A field that begins with @line, the lines that continue it in one. -E2BIG. */
static int unfold(struct lines *l, struct line line, char ret[TYPE_MAX + 1])
{
	size_t n = 0;

	for (;;) {
		if (n + line.len > TYPE_MAX)
			return -E2BIG;
		memcpy(ret + n, line.s, line.len);
		n += line.len;
		if (!is_folded(l) || !next_line(l, &line))
			break;
	}
	ret[n] = '\0';
	/* What reads on to the end of a text must not end before the others do. */
	return memchr(ret, '\0', n) ? -EBADMSG : 0;
}

static bool has_type(const char *field, const char *type)
{
	size_t n = strlen(type);

	field += strspn(field, " \t");
	return !strncasecmp(field, type, n) && strchr(" \t;", field[n]);
}

static bool has_parameter(const char *field, const char *name, const char *value)
{
	size_t n = strlen(value);

	while ((field = strchr(field, ';'))) {
		field++;
		field += strspn(field, " \t");
		if (strncasecmp(field, name, strlen(name)))
			continue;
		field += strlen(name);
		field += strspn(field, " \t");
		if (*field++ != '=')
			return false;
		field += strspn(field, " \t\"");
		return !strncasecmp(field, value, n) && strchr("\"; \t", field[n]);
	}
	return false;
}

/* Two fields may be read differently by who gets it: then it is none of either. */
static int content_type(const char *mail, size_t len, char ret[TYPE_MAX + 1])
{
	struct lines l = { .at = mail, .end = mail + len };
	struct line line;
	int found = 0, r;

	while (next_line(&l, &line) && line.len) {
		if (!begins(&line, "Content-Type:"))
			continue;
		if (found++)
			return -EBADMSG;
		skip(&line, strlen("Content-Type:"));
		r = unfold(&l, line, ret);
		if (r < 0)
			return r;
	}
	return found ? 0 : -ENOENT;
}

bool mail_is_encrypted(const char *mail, size_t len)
{
	char type[TYPE_MAX + 1];

	if (content_type(mail, len, type) < 0)
		return false;
	if (has_type(type, "multipart/encrypted"))
		return true;
	return (has_type(type, "application/pkcs7-mime") ||
		has_type(type, "application/x-pkcs7-mime")) &&
	       (has_parameter(type, "smime-type", "enveloped-data") ||
		has_parameter(type, "smime-type", "authenveloped-data"));
}
