/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What ifaxd and its worker say to each other on a SOCK_SEQPACKET socket: one
 * request and one reply a connection, both of fixed size and in the machine's
 * own byte order. The request carries two descriptors (SCM_RIGHTS): the mail or
 * text, to be read from its start, and a memfd for the pages (page/pageset.h).
 *
 * Either side checks what the other says.
 */
#ifndef IFAX_WORKER_PROTOCOL_H
#define IFAX_WORKER_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/incoming.h"
#include "page/raster.h"

#define WORKER_MAGIC	  0x6b776669u	/* "ifwk" */
#define WORKER_VERSION	  5
#define WORKER_NFDS	  2
#define WORKER_DIGEST_LEN 64		/* hex SHA-256 */

enum worker_op {
	WORKER_PARSE_MAIL = 1,
};

/* Whether the words of a mail become pages. */
enum worker_text {
	WORKER_TEXT_AUTO,	/* but for those beside a fax, which is what the TIFF is */
	WORKER_TEXT_ALWAYS,
	WORKER_TEXT_NEVER,	/* a mail of nothing else is WORKER_TEXT_ONLY */
};

/* What became of a mail. */
enum worker_code {
	WORKER_PAGES,		/* it has pages; they lie in the memfd */
	WORKER_TEXT_ONLY,	/* text alone, and that was not asked for */
	WORKER_NO_PAGES,	/* neither text nor pages */
	WORKER_REPORT,		/* a DSN or MDN; its words for people may lie in the memfd */
	WORKER_BAD_MAIL,	/* no mail, or beyond a limit */
	WORKER_BAD_ATTACHMENT,	/* an attachment that cannot be printed */
	WORKER_BAD_TIFF,	/* a TIFF file that cannot be read */
	WORKER_DAMAGED,		/* more rows damaged than allowed */
	WORKER_TOO_LARGE,	/* pages beyond a limit or longer than the paper */
	WORKER_TIMEOUT,		/* not done in time */
	WORKER_CRASHED,		/* the parser died of it */
	WORKER_SEALED,		/* encrypted or signed: to be opened first (keys/) */
	WORKER_TROUBLE,		/* not the mail's fault: no memory and the like; try again */
	_WORKER_CODES
};

/* Limits, 0 = the parser's own default. */
struct worker_limits {
	uint64_t max_message;	/* bytes, 64 MiB */
	uint64_t max_output;	/* bytes of coded pages, 128 MiB */
	uint64_t max_pixels;	/* of a page */
	uint32_t max_pages;
	uint32_t max_rows;	/* of a page */
	uint32_t max_parts;
	uint32_t bad_permille;	/* rows of a page that may be damaged; 0 = 100, 1001 = none */
	uint32_t timeout_ms;	/* 30000 */
	uint32_t pad;
};

struct worker_request {
	uint32_t magic;
	uint32_t version;
	uint32_t op;
	uint32_t text;			/* enum worker_text */
	struct worker_limits limits;
	struct raster_engine engine;	/* nwidths 0: raster_common_engine */
	char mark[256];			/* a line that goes above the first page's head; or empty */
};

struct worker_reply {
	uint32_t magic;
	uint32_t version;
	uint32_t code;		/* enum worker_code */
	int32_t error;		/* 0 or a negative errno */
	uint32_t pages;
	uint32_t files;		/* attachments that bring pages */
	uint32_t texts;		/* text parts */
	uint32_t rows_bad;	/* of all pages */
	struct incoming_summary summary;
	struct report report;	/* with WORKER_REPORT */
	char sentence[400];	/* what is wrong, for people; empty with WORKER_PAGES */
	char digest[WORKER_DIGEST_LEN + 1];
	char pad[7];
};

/* "pages", "text-only" ... */
const char *worker_code_name(enum worker_code code);

void worker_request_init(struct worker_request *rq);
/* Ends the strings; false: it is no request. */
bool worker_request_check(struct worker_request *rq);
void worker_reply_init(struct worker_reply *rp);
/* Ends every string and makes it clean text; false: the reply is none. */
bool worker_reply_check(struct worker_reply *rp);
/* Sets code, error and sentence. */
void worker_reply_fail(struct worker_reply *rp, enum worker_code code, const struct error *e);

/* One datagram with its descriptors. -errno; -EPROTO: of another size. */
int worker_send(int sock, const void *data, size_t len, const int *fds, size_t nfds);
/*
 * fds[nfds] get the descriptors, -1 where fewer came; all are the caller's to
 * close. -EPIPE: the other side closed; -EPROTO: of another size, or with more
 * descriptors.
 */
int worker_recv(int sock, void *data, size_t len, int *fds, size_t nfds);
/* A listening socket at @path, which is replaced: the caller's to close. */
int worker_listen(const char *path, struct error *e);
/*
 * A line to who listens there, which does not block: the caller's to close. @whom and
 * @unit name him where he does not answer. -ENOENT, -ECONNREFUSED: nobody listens.
 */
int worker_dial(const char *path, const char *whom, const char *unit, struct error *e);

#endif
