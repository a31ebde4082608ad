/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal on disk and in memory, for journal.c and replay.c alone. Numbers
 * are in the machine's own byte order: a spool does not travel between machines.
 *
 *	<number>.seg:  head | head again | record ... | zeros
 *	record:        struct record_head, payload; starts on ALIGN bytes
 */
#ifndef IFAX_STORE_JOURNAL_INTERNAL_H
#define IFAX_STORE_JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "store/crc32c.h"
#include "store/journal.h"

#define BLOCK	      4096u
#define ALIGN	      64u
#define HEAD_BYTES    (2 * BLOCK)
#define SEGMENT_MAGIC 0x31474553586146ull
#define RECORD_MAGIC  0x78614652u
#define SEGMENT_NAME  24
#define JOURNAL_IOV   10

struct segment_head {
	uint64_t magic;
	uint64_t version;
	uint64_t number;
	uint64_t nonce;
	uint64_t first_seq;
	uint64_t size;
	uint64_t mark;
	uint32_t reserved;
	uint32_t crc;		/* of what stands above */
};

struct record_head {
	uint32_t magic;
	uint16_t type;
	uint16_t reserved;
	uint32_t len;		/* of the payload */
	uint32_t payload_crc;
	uint64_t seq;
	uint64_t durable;	/* everything up to here was durable when this was written */
	uint64_t nonce;		/* of the segment */
	uint32_t reserved2;
	uint32_t crc;		/* of what stands above */
};

struct segment {
	struct segment *next;
	uint64_t number;
	uint64_t nonce;
	uint64_t first_seq;
	uint64_t size;
	uint64_t end;		/* where the next record may begin */
	int fd;			/* open while appended to or not durable, else -1 */
	bool dirty;
	bool syncing;
};

enum prep_state { PREP_IDLE, PREP_WANTED, PREP_READY, PREP_FAILED };

/* The list changes on the caller's thread with the lock held; it may read without. */
struct journal {
	int dir;
	int event;
	uint64_t segment_bytes;
	uint64_t next_number;	/* of the first segment of an empty journal */
	uint64_t mark;
	uint64_t bad_segments;
	struct journal_pos last_pos;
	int (*sync)(int fd);	/* fdatasync(), but where a test has the disk fail */

	pthread_t thread;
	bool running;
	struct prep {
		int fd;
		uint64_t done;
	} prep;			/* the commit thread's own */

	pthread_mutex_t lock;	/* of what follows */
	pthread_cond_t wake;	/* to the thread: there is work */
	pthread_cond_t changed;	/* from the thread: durable, failed or prep_state */
	struct segment *first;
	struct segment *last;
	uint64_t appended;
	uint64_t asked;		/* somebody waits for all up to here */
	uint64_t durable;
	int failed;
	uint64_t removed_at;	/* appended when a segment was last removed, 0 = none */
	int next_fd;
	enum prep_state prep_state;
	bool batch_open;	/* the next record may share the block of the one before */
	bool dir_dirty;
	bool resting;		/* the thread wakes by itself for what is lazy */
	bool stop;
};

void segment_name(char name[SEGMENT_NAME], uint64_t number);
int segment_open(struct journal *j, const struct segment *s, int mode);	/* O_RDONLY, O_RDWR */
int segment_begin(struct journal *j, uint64_t need);
void segment_link(struct journal *j, struct segment *s);
struct segment *segment_find(const struct journal *j, uint64_t number);
int write_range(int fd, const void *data, size_t len, uint64_t at);
int zero_range(int fd, uint64_t at, uint64_t len);

/* replay.c */
int segments_scan(struct journal *j, struct error *e);

#endif
