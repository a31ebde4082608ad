/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "base/cleanup.h"
#include "mail/html.h"

#define NAME_MAX_LEN 12
#define QUOTES_MAX   16

struct html {
	const char *at;
	const char *end;
	struct buffer *out;
	int error;
	uint32_t breaks;	/* line ends that are due before the next word */
	bool space;		/* a blank is due */
	bool begun;		/* there was a word */
	bool line_open;
	uint32_t pre;		/* within so many <pre> */
	uint32_t quotes;	/* within so many <blockquote> */
};

/* --- output --- */

static void put(struct html *h, const char *s, size_t len)
{
	if (!h->error)
		h->error = buffer_append(h->out, s, len);
}

/* What is due before a word: line ends, the signs of quoting, a blank. */
static void settle(struct html *h)
{
	if (h->begun)
		for (; h->breaks; h->breaks--) {
			put(h, "\n", 1);
			h->line_open = false;
		}
	h->breaks = 0;
	if (!h->line_open) {
		for (uint32_t i = 0; i < h->quotes && i < QUOTES_MAX; i++)
			put(h, "> ", 2);
		h->space = false;
	}
	if (h->space)
		put(h, " ", 1);
	h->space = false;
	h->line_open = h->begun = true;
}

static void put_word(struct html *h, const char *s, size_t len)
{
	settle(h);
	put(h, s, len);
}

static void put_break(struct html *h, uint32_t n)
{
	h->space = false;
	if (h->breaks < n)
		h->breaks = n;
}

/* Text as it stands in the source: runs of blanks are one, but in <pre>. */
static void put_source(struct html *h, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n' && h->pre)
			h->breaks++;
		else if (g_ascii_isspace(s[i]) && !h->pre)
			h->space = h->line_open && !h->breaks;
		else
			put_word(h, s + i, 1);
	}
}

/* --- character references --- */

static const struct {
	const char *name;
	gunichar c;
} entities[] = {
	{ "amp", '&' },	      { "lt", '<' },	   { "gt", '>' },	{ "quot", '"' },
	{ "apos", '\'' },     { "nbsp", 0xa0 },	   { "iexcl", 0xa1 },	{ "cent", 0xa2 },
	{ "pound", 0xa3 },    { "curren", 0xa4 },  { "yen", 0xa5 },	{ "brvbar", 0xa6 },
	{ "sect", 0xa7 },     { "uml", 0xa8 },	   { "copy", 0xa9 },	{ "ordf", 0xaa },
	{ "laquo", 0xab },    { "not", 0xac },	   { "shy", 0xad },	{ "reg", 0xae },
	{ "macr", 0xaf },     { "deg", 0xb0 },	   { "plusmn", 0xb1 },	{ "sup2", 0xb2 },
	{ "sup3", 0xb3 },     { "acute", 0xb4 },   { "micro", 0xb5 },	{ "para", 0xb6 },
	{ "middot", 0xb7 },   { "cedil", 0xb8 },   { "sup1", 0xb9 },	{ "ordm", 0xba },
	{ "raquo", 0xbb },    { "frac14", 0xbc },  { "frac12", 0xbd },	{ "frac34", 0xbe },
	{ "iquest", 0xbf },   { "Agrave", 0xc0 },  { "Aacute", 0xc1 },	{ "Acirc", 0xc2 },
	{ "Atilde", 0xc3 },   { "Auml", 0xc4 },	   { "Aring", 0xc5 },	{ "AElig", 0xc6 },
	{ "Ccedil", 0xc7 },   { "Egrave", 0xc8 },  { "Eacute", 0xc9 },	{ "Ecirc", 0xca },
	{ "Euml", 0xcb },     { "Igrave", 0xcc },  { "Iacute", 0xcd },	{ "Icirc", 0xce },
	{ "Iuml", 0xcf },     { "ETH", 0xd0 },	   { "Ntilde", 0xd1 },	{ "Ograve", 0xd2 },
	{ "Oacute", 0xd3 },   { "Ocirc", 0xd4 },   { "Otilde", 0xd5 },	{ "Ouml", 0xd6 },
	{ "times", 0xd7 },    { "Oslash", 0xd8 },  { "Ugrave", 0xd9 },	{ "Uacute", 0xda },
	{ "Ucirc", 0xdb },    { "Uuml", 0xdc },	   { "Yacute", 0xdd },	{ "THORN", 0xde },
	{ "szlig", 0xdf },    { "agrave", 0xe0 },  { "aacute", 0xe1 },	{ "acirc", 0xe2 },
	{ "atilde", 0xe3 },   { "auml", 0xe4 },	   { "aring", 0xe5 },	{ "aelig", 0xe6 },
	{ "ccedil", 0xe7 },   { "egrave", 0xe8 },  { "eacute", 0xe9 },	{ "ecirc", 0xea },
	{ "euml", 0xeb },     { "igrave", 0xec },  { "iacute", 0xed },	{ "icirc", 0xee },
	{ "iuml", 0xef },     { "eth", 0xf0 },	   { "ntilde", 0xf1 },	{ "ograve", 0xf2 },
	{ "oacute", 0xf3 },   { "ocirc", 0xf4 },   { "otilde", 0xf5 },	{ "ouml", 0xf6 },
	{ "divide", 0xf7 },   { "oslash", 0xf8 },  { "ugrave", 0xf9 },	{ "uacute", 0xfa },
	{ "ucirc", 0xfb },    { "uuml", 0xfc },	   { "yacute", 0xfd },	{ "thorn", 0xfe },
	{ "yuml", 0xff },     { "OElig", 0x152 },  { "oelig", 0x153 },	{ "Scaron", 0x160 },
	{ "scaron", 0x161 },  { "Yuml", 0x178 },   { "ensp", 0x2002 },	{ "emsp", 0x2003 },
	{ "thinsp", 0x2009 }, { "zwnj", 0x200c },  { "zwj", 0x200d },	{ "lrm", 0x200e },
	{ "rlm", 0x200f },    { "ndash", 0x2013 }, { "mdash", 0x2014 }, { "lsquo", 0x2018 },
	{ "rsquo", 0x2019 },  { "sbquo", 0x201a }, { "ldquo", 0x201c }, { "rdquo", 0x201d },
	{ "bdquo", 0x201e },  { "bull", 0x2022 },  { "hellip", 0x2026 }, { "lsaquo", 0x2039 },
	{ "rsaquo", 0x203a }, { "euro", 0x20ac },  { "trade", 0x2122 }, { "larr", 0x2190 },
	{ "rarr", 0x2192 },   { "minus", 0x2212 }, { "le", 0x2264 },	{ "ge", 0x2265 },
};

static gunichar by_name(const char *s, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
		if (strlen(entities[i].name) == len && !memcmp(entities[i].name, s, len))
			return entities[i].c;
	return 0;
}

/* "#228" or "#xe4", @len characters of it; 0: none that text may have. */
static gunichar by_number(const char *s, size_t len)
{
	bool hex = len > 1 && (s[1] == 'x' || s[1] == 'X');
	gunichar c = 0;

	for (size_t i = hex ? 2 : 1; i < len; i++) {
		int digit = hex ? g_ascii_xdigit_value(s[i]) : g_ascii_digit_value(s[i]);

		if (digit < 0 || c > 0x10ffff)
			return 0;
		c = c * (hex ? 16 : 10) + digit;
	}
	return c >= 0xa0 || (c >= ' ' && c < 0x7f) ? c : 0;
}

/* At an ampersand: the character it stands for, or itself. */
static void take_reference(struct html *h)
{
	const char *name = h->at + 1, *p = name;
	char utf8[6];
	gunichar c;

	while (p < h->end && p - name < NAME_MAX_LEN && (g_ascii_isalnum(*p) || *p == '#'))
		p++;
	c = p > name && *name == '#' ? by_number(name, p - name) : by_name(name, p - name);
	if (!c || !g_unichar_validate(c)) {
		put_word(h, "&", 1);
		h->at++;
		return;
	}
	put_word(h, utf8, g_unichar_to_utf8(c, utf8));
	h->at = p < h->end && *p == ';' ? p + 1 : p;
}

/* --- tags --- */

enum tag_act {
	ACT_BREAK, ACT_PARAGRAPH, ACT_ITEM, ACT_CELL, ACT_RULE, ACT_PRE, ACT_QUOTE, ACT_SKIP,
};

static const struct tag {
	char name[NAME_MAX_LEN];
	enum tag_act act;
} tags[] = {
	{ "address", ACT_BREAK },   { "article", ACT_PARAGRAPH }, { "blockquote", ACT_QUOTE },
	{ "br", ACT_BREAK },	    { "caption", ACT_BREAK },	  { "dd", ACT_BREAK },
	{ "div", ACT_BREAK },	    { "dl", ACT_PARAGRAPH },	  { "dt", ACT_BREAK },
	{ "footer", ACT_BREAK },    { "form", ACT_BREAK },	  { "h1", ACT_PARAGRAPH },
	{ "h2", ACT_PARAGRAPH },    { "h3", ACT_PARAGRAPH },	  { "h4", ACT_PARAGRAPH },
	{ "h5", ACT_PARAGRAPH },    { "h6", ACT_PARAGRAPH },	  { "header", ACT_BREAK },
	{ "hr", ACT_RULE },	    { "li", ACT_ITEM },		  { "object", ACT_SKIP },
	{ "ol", ACT_PARAGRAPH },    { "p", ACT_PARAGRAPH },	  { "pre", ACT_PRE },
	{ "script", ACT_SKIP },	    { "section", ACT_BREAK },	  { "select", ACT_SKIP },
	{ "style", ACT_SKIP },	    { "table", ACT_BREAK },	  { "td", ACT_CELL },
	{ "textarea", ACT_SKIP },   { "th", ACT_CELL },		  { "title", ACT_SKIP },
	{ "tr", ACT_BREAK },	    { "ul", ACT_PARAGRAPH },
};

static const struct tag *find_tag(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (strlen(tags[i].name) == len && !g_ascii_strncasecmp(tags[i].name, name, len))
			return &tags[i];
	return NULL;
}

/* Behind the '>' of the tag; one within quotes does not count. */
static void leave_tag(struct html *h)
{
	char quote = 0;

	for (; h->at < h->end; h->at++) {
		char c = *h->at;

		if (quote) {
			quote = c == quote ? 0 : quote;
		} else if (c == '>') {
			h->at++;
			return;
		} else if (c == '"' || c == '\'') {
			quote = c;
		}
	}
}

/* What is within is no text: on to the tag that ends it. */
static void skip_content(struct html *h, const struct tag *t)
{
	size_t len = strlen(t->name);

	while (h->at < h->end) {
		const char *lt = memchr(h->at, '<', h->end - h->at);

		if (!lt || (size_t)(h->end - lt) < len + 2) {
			h->at = h->end;
		} else if (lt[1] == '/' && !g_ascii_strncasecmp(lt + 2, t->name, len)) {
			h->at = lt;
			return;
		} else {
			h->at = lt + 1;
		}
	}
}

static void open_or_close(struct html *h, uint32_t *depth, bool closing)
{
	put_break(h, 2);
	if (!closing)
		++*depth;
	else if (*depth)
		--*depth;
}

static void act(struct html *h, const struct tag *t, bool closing)
{
	switch (t->act) {
	case ACT_BREAK:
		/* each <br> is a line of its own; blocks only begin and end one */
		put_break(h, t->name[0] == 'b' ? MIN(h->breaks + 1, 2) : 1);
		break;
	case ACT_PARAGRAPH:
		put_break(h, 2);
		break;
	case ACT_ITEM:
		put_break(h, 1);
		if (!closing)
			put_word(h, "\xe2\x80\xa2 ", 4);
		break;
	case ACT_CELL:
		h->space = false;
		if (!closing && h->line_open && !h->breaks)
			put_word(h, "\t", 1);
		break;
	case ACT_RULE:
		put_break(h, 1);
		put_word(h, "----------------", 16);
		put_break(h, 1);
		break;
	case ACT_PRE:
		open_or_close(h, &h->pre, closing);
		break;
	case ACT_QUOTE:
		open_or_close(h, &h->quotes, closing);
		break;
	case ACT_SKIP:
		if (!closing)
			skip_content(h, t);
		break;
	}
}

static void skip_comment(struct html *h)
{
	const char *p = h->at + 4;

	p = h->end - p >= 3 ? memmem(p, h->end - p, "-->", 3) : NULL;
	h->at = p ? p + 3 : h->end;
}

/* At a '<'. */
static void take_tag(struct html *h)
{
	bool closing = h->end - h->at > 1 && h->at[1] == '/';
	const char *name = h->at + 1 + closing, *p = name;
	const struct tag *t;

	if (h->end - h->at >= 4 && !memcmp(h->at, "<!--", 4)) {
		skip_comment(h);
		return;
	}
	if (name >= h->end ||
	    !(g_ascii_isalpha(*name) || (!closing && (*name == '!' || *name == '?')))) {
		put_word(h, "<", 1);
		h->at++;
		return;
	}
	while (p < h->end && g_ascii_isalnum(*p))
		p++;
	t = find_tag(name, p - name);
	h->at = p;
	leave_tag(h);
	if (t)
		act(h, t, closing);
}

int html_to_text(const char *html, size_t len, struct buffer *out)
{
	struct html h = { .at = html, .end = html + len, .out = out };

	while (h.at < h.end && !h.error) {
		const char *p = h.at;

		if (*p == '<') {
			take_tag(&h);
		} else if (*p == '&') {
			take_reference(&h);
		} else {
			while (p < h.end && *p != '<' && *p != '&')
				p++;
			put_source(&h, h.at, p - h.at);
			h.at = p;
		}
	}
	if (h.line_open)
		put(&h, "\n", 1);
	return h.error;
}
