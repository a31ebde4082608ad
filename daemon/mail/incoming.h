/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a received mail brings: who sent it, and its TIFF files. For the worker
 * only, it parses what strangers wrote.
 *
 * The attachments decide, not the body: one that cannot be printed makes the
 * whole mail an error, so that nobody takes half a document for all of it. Of
 * multipart/alternative the first part that brings pages counts.
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
	uint32_t max_files;	/* TIFF files: 50 */
};

struct incoming_file {
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
	struct incoming_file *files;	/* in the order of the mail */
	size_t n_files;
	uint32_t n_texts;	/* text parts that are no alternative to pages */
	struct report report;	/* a DSN or MDN: files in it are not looked for */
	bool sealed;		/* encrypted or signed as a whole: not looked into */
};

/*
 * -EBADMSG: no mail; -EFBIG: beyond a limit; -ENOTSUP: a part of it is encrypted, or
 * an attachment is no TIFF file. The summary is filled in as far as it could
 * be read, also then. Free @ret in either case.
 */
int incoming_parse(const void *data, size_t len, const struct incoming_limits *limits,
		   struct incoming *ret, struct error *e);
void incoming_free(struct incoming *in);

#endif
