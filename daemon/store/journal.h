/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The append journal below the store: records in numbered segments of one
 * folder, made durable in groups.
 *
 * A segment's blocks are allocated and written with zeros before it is used, so
 * that a record only overwrites initialised blocks: fdatasync() then carries
 * data alone, no file-system metadata. Every commit starts on a block of its
 * own; a write that is torn cannot touch what was durable before it. Records
 * carry the segment's random number, so that nothing inside a document can pose
 * as a record.
 *
 * The caller's thread appends; one thread of the journal's own makes durable and
 * prepares the next segment. Lifetime: journal_close() ends both.
 */
#ifndef IFAX_STORE_JOURNAL_H
#define IFAX_STORE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/extent.h"

#define JOURNAL_SEGMENT_MIN (256u * 1024)
#define JOURNAL_PAYLOAD_MAX (1u << 30)

struct journal;

/* Where a record stands. */
struct journal_pos {
	uint64_t segment;
	uint64_t offset;	/* of its header */
	uint64_t seq;		/* ascending over all segments, from 1 */
};

struct journal_record {
	struct journal_pos pos;
	uint16_t type;
	uint32_t len;
	uint64_t payload_at;	/* offset of the payload in the segment */
	const uint8_t *payload;
};

/* What journal_replay() met. */
struct journal_report {
	uint64_t records;	/* handed to the function */
	uint64_t torn;		/* incomplete at the very end, as a power failure leaves them */
	uint64_t lost;		/* unreadable with readable ones behind them: damage */
	uint64_t lost_durable;	/* of those, known to have been durable once */
	uint64_t bad_segments;	/* whole segments missing or without a readable head */
};

/* -EBUSY: another process has the folder. */
int journal_open(struct journal **ret, const char *dir, uint64_t segment_bytes, struct error *e);
/* Waits for what was appended, then closes. */
void journal_close(struct journal *j);

/* Is there a sound record at @pos, and every one before it that is not reclaimed? 1, 0, -errno. */
int journal_has(struct journal *j, const struct journal_pos *pos, uint64_t nonce);

typedef int (*journal_record_fn)(void *userdata, const struct journal_record *rec);
/*
 * Hands over every sound record behind @after (NULL: all), in order. Must be
 * called once, before journal_start(); finds the end to append at. A non-zero
 * return of @fn ends it and is returned.
 */
int journal_replay(struct journal *j, const struct journal_pos *after, journal_record_fn fn,
		   void *userdata, struct journal_report *report, struct error *e);
int journal_start(struct journal *j, struct error *e);

enum journal_flags {
	/* Leaves a reserve in the last segment to records that are not bulk, so that states can
	 * still be written when no segment can be added. */
	JOURNAL_BULK = 1,
	/* Nobody waits for it yet: it goes to disk with the next that somebody waits for, or alone
	 * JOURNAL_LAZY_MSEC later. */
	JOURNAL_LAZY = 2,
};

#define JOURNAL_LAZY_MSEC 20

/*
 * Appends a record; it is durable when journal_durable() has reached its seq.
 * -ENOSPC, -EDQUOT, -EFBIG: no segment could be added, nothing changed. Other
 * errors: the journal takes no more, see journal_failed().
 */
int journal_append(struct journal *j, uint16_t type, const struct iovec *iov, int n_iov,
		   unsigned int flags, struct journal_pos *pos, struct error *e);
/* Becomes readable whenever journal_durable() or journal_failed() changed. */
int journal_fd(const struct journal *j);
void journal_acknowledge(struct journal *j);	/* empties journal_fd() */
uint64_t journal_durable(struct journal *j);
int journal_failed(struct journal *j, struct error *e);	/* 0 or -errno */
/* The last record appended or found; zeros where there is none yet. */
void journal_last_pos(const struct journal *j, struct journal_pos *ret);
/* Somebody waits for what was lazy, up to @seq: 1 where it is durable already, else 0. */
int journal_hurry(struct journal *j, uint64_t seq);
/* Waits until all that was appended is durable. */
int journal_sync(struct journal *j, struct error *e);

/*
 * Copies a sound record's payload from @skip on to @out (@len bytes); the whole
 * payload is checked. -EBADMSG: damaged.
 */
int journal_read(struct journal *j, const struct journal_pos *pos, uint32_t skip, int out_fd,
		 uint64_t len, struct error *e);
/*
 * The same without a copy: where those bytes stand, found sound. The descriptor is the
 * caller's to close, for reading alone; as long as it is open the bytes stay, for a record
 * is never written over, and of a segment that is removed only the name goes.
 */
int journal_extent(struct journal *j, const struct journal_pos *pos, uint32_t skip, uint64_t len,
		   struct extent *ret, struct error *e);

/* For reclaiming: whole segments go, oldest first. */
uint64_t journal_first(const struct journal *j);	/* number of the oldest segment */
uint64_t journal_last(const struct journal *j);		/* of the one appended to */
uint64_t journal_bytes(const struct journal *j);	/* of all but the last */
uint64_t journal_nonce(const struct journal *j, uint64_t segment);
/* The caller's number kept in the head of the next segments and the largest found. */
void journal_set_mark(struct journal *j, uint64_t mark);
uint64_t journal_mark(const struct journal *j);
int journal_remove_first(struct journal *j, struct error *e);

#endif
