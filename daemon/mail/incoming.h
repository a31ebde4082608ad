/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a received mail brings: who sent it, its text, and its files that can be
 * printed. For the worker only, it parses what strangers wrote.
 *
 * The attachments decide, not the body: one that cannot be printed makes the
 * whole mail an error, so that nobody takes half a document for all of it. Of
 * multipart/alternative the part counts that has most to print, a TIFF file
 * before other pages, these before text, text before HTML; the first of equals.
 */
#ifndef IFAX_MAIL_INCOMING_H
#define IFAX_MAIL_INCOMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "mail/report.h"

/* Each 0 = the default named beside it. */
struct incoming_limits {
	uint64_t max_header;	/* bytes of the mail's own header: 256 KiB */
	uint32_t max_parts;	/* in all: 100 */
	uint32_t max_depth;	/* of parts in parts: 12 */
	uint32_t max_files;	/* 50 */
	uint64_t max_text;	/* bytes of all text, as UTF-8: 8 MiB */
};

enum incoming_kind {
	INCOMING_TIFF,
	INCOMING_PICTURE,	/* what page/picture.h reads */
	INCOMING_PDF,
	/* text, in clean UTF-8 */
	INCOMING_HEAD,		/* of a mail or an attached text: "Name: value" lines */
	INCOMING_LINES,		/* plain text */
	INCOMING_PROSE,		/* out of HTML: each line is a paragraph */
};

struct incoming_item {
	enum incoming_kind kind;
	bool attached;		/* a text that is a document, not the mail's own words */
	char *name;		/* as the mail calls it, may be NULL */
	void *data;
	size_t len;
};

/* Strings are UTF-8 without control characters, cut where too long, empty where missing. */
struct incoming_summary {
	char from[256];		/* address */
	char from_name[256];
	char subject[512];
	char message_id[256];	/* with angle brackets */
	int64_t date;		/* seconds since the epoch, 0 = none */
};

/* Owned: incoming_free(). */
struct incoming {
	struct incoming_summary summary;
	struct incoming_item *items;	/* the mail's head, then what it brings, in its order */
	size_t n_items;
	struct report report;	/* a DSN or MDN: of it there is the text for people alone */
	bool sealed;		/* encrypted or signed as a whole: not looked into */
};

static inline bool incoming_is_text(enum incoming_kind kind)
{
	return kind >= INCOMING_HEAD;
}

size_t incoming_count(const struct incoming *in, enum incoming_kind kind);

/*
 * -EBADMSG: no mail; -EFBIG: beyond a limit; -ENOTSUP: a part of it is encrypted, or
 * an attachment of a kind that cannot be printed. The summary is filled in as far as it could
 * be read, also then. Free @ret in either case.
 */
int incoming_parse(const void *data, size_t len, const struct incoming_limits *limits,
		   struct incoming *ret, struct error *e);
void incoming_free(struct incoming *in);

#endif
