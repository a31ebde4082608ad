// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The append journal: reading it back.
 *
 * Behind the last sound record of the last segment there are zeros, or what a
 * crash left of writes that nobody was told of: torn, wiped. Anything unreadable
 * with a sound record behind it is damage: it is counted and what follows is
 * kept, for that may have been acknowledged.
 */
#include "store/journal_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define WINDOW (1024u * 1024)

/* A segment being read. */
struct reader {
	int fd;
	uint64_t size;		/* readable bytes */
	uint64_t nonce;
	uint8_t *payload;
	size_t payload_cap;
	uint8_t *window;
	size_t window_size;
	uint64_t window_at;
	size_t window_len;
};

static ssize_t read_some(int fd, void *buf, size_t len, uint64_t at)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, (uint8_t *)buf + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static void reader_close(struct reader *rd)
{
	cleanup_close(&rd->fd);
	free(rd->payload);
	free(rd->window);
}

/* It reads in stretches of @window bytes; @mode is open()'s. */
static int reader_open(struct reader *rd, struct journal *j, const struct segment *s,
		       uint64_t window, int mode)
{
	struct stat st;

	*rd = (struct reader){ .fd = segment_open(j, s, mode), .nonce = s->nonce };
	rd->window_size = window < WINDOW ? (size_t)window : WINDOW;
	if (rd->fd < 0)
		return rd->fd;
	if (fstat(rd->fd, &st) < 0)
		return -errno;
	rd->size = (uint64_t)st.st_size < s->size ? (uint64_t)st.st_size : s->size;
	rd->window = malloc(rd->window_size);
	return rd->window ? 0 : -ENOMEM;
}

/* @len bytes at @at through the window; NULL beyond the end or where the disk fails. */
static const uint8_t *peek(struct reader *rd, uint64_t at, size_t len)
{
	ssize_t n;

	if (at + len > rd->size)
		return NULL;
	if (at < rd->window_at || at + len > rd->window_at + rd->window_len) {
		n = read_some(rd->fd, rd->window, rd->window_size, at);
		rd->window_at = at;
		rd->window_len = n < 0 ? 0 : (size_t)n;
		if (n < (ssize_t)len)
			return NULL;
	}
	return rd->window + (at - rd->window_at);
}

static bool head_at(struct reader *rd, uint64_t at, struct record_head *h)
{
	const uint8_t *p = peek(rd, at, sizeof(*h));

	if (!p)
		return false;
	memcpy(h, p, sizeof(*h));
	return h->magic == RECORD_MAGIC && h->nonce == rd->nonce &&
	       h->crc == crc32c(0, h, offsetof(struct record_head, crc)) &&
	       h->len <= JOURNAL_PAYLOAD_MAX && at + sizeof(*h) + h->len <= rd->size;
}

/* Most of a segment's end was never written: no head stands in a block of zeros. */
static uint64_t skip_zeros(struct reader *rd, uint64_t at)
{
	const uint8_t *p;

	for (; at % BLOCK == 0; at += BLOCK) {
		p = peek(rd, at, BLOCK);
		if (!p || p[0] || memcmp(p, p + 1, BLOCK - 1))
			break;
	}
	return at;
}

/* The next record head at or behind *at: where it is due, on the next block, or anywhere. */
static bool find_head(struct reader *rd, uint64_t *at, struct record_head *h)
{
	uint64_t due = (*at + ALIGN - 1) / ALIGN * ALIGN;

	for (uint64_t p = skip_zeros(rd, due); p + sizeof(*h) <= rd->size;
	     p = skip_zeros(rd, p + ALIGN))
		if (head_at(rd, p, h)) {
			*at = p;
			return true;
		}
	return false;
}

static int read_payload(struct reader *rd, uint64_t at, const struct record_head *h)
{
	ssize_t n;

	if (h->len > rd->payload_cap || !rd->payload) {
		size_t cap = h->len < 64 * 1024 ? 64 * 1024 : h->len;
		uint8_t *p = realloc(rd->payload, cap);

		if (!p)
			return -ENOMEM;
		rd->payload = p;
		rd->payload_cap = cap;
	}
	n = read_some(rd->fd, rd->payload, h->len, at + sizeof(*h));
	if (n != (ssize_t)h->len || crc32c(0, rd->payload, h->len) != h->payload_crc)
		return -EBADMSG;
	return 0;
}

struct replay {
	journal_record_fn fn;
	void *userdata;
	struct journal_report *report;
	uint64_t expected;	/* the next sequence number */
	uint64_t bad;		/* unreadable payloads since the last sound record */
	uint64_t end;		/* of the last sound record in this segment */
	uint64_t durable;	/* the last of which the journal itself says so */
	struct journal_pos last;
};

static void note_gap(struct replay *rp, uint64_t seq, uint64_t durable)
{
	if (seq <= rp->expected)
		return;
	rp->report->lost += seq - rp->expected;
	if (durable >= seq)
		durable = seq - 1;
	if (durable >= rp->expected)
		rp->report->lost_durable += durable - rp->expected + 1;
}

static int replay_segment(struct reader *rd, const struct segment *s, struct replay *rp)
{
	struct record_head h;
	uint64_t at = rp->end;
	int r;

	while (find_head(rd, &at, &h)) {
		uint64_t end = at + sizeof(h) + h.len;

		r = read_payload(rd, at, &h);
		if (r == -ENOMEM)
			return r;
		if (r < 0) {
			rp->bad++;
			/* Its length is sound, for the head is. */
		} else if (h.seq >= rp->expected) {
			struct journal_record rec = {
				.pos = { s->number, at, h.seq }, .type = h.type, .len = h.len,
				.payload_at = at + sizeof(h), .payload = rd->payload,
			};

			note_gap(rp, h.seq, h.durable);
			if (h.durable > rp->durable)
				rp->durable = h.durable;
			r = rp->fn(rp->userdata, &rec);
			if (r)
				return r;
			rp->report->records++;
			rp->last = rec.pos;
			rp->expected = h.seq + 1;
			rp->bad = 0;
			rp->end = end;
		}
		at = end;
	}
	return 0;
}

/* The offset behind the last byte of [from, size) that is not zero; @from where all are. */
static uint64_t last_dirt(struct reader *rd, uint64_t from)
{
	uint64_t last = from;

	for (uint64_t at = from; at < rd->size;) {
		size_t n = rd->size - at < WINDOW ? (size_t)(rd->size - at) : WINDOW;
		const uint8_t *p = peek(rd, at, n);

		if (!p)
			return rd->size;
		if (p[0] || memcmp(p, p + 1, n - 1))
			for (size_t i = n; i > 0; i--)
				if (p[i - 1]) {
					last = at + i;
					break;
				}
		at += n;
	}
	return last;
}

/*
 * The tail. Before: behind the last sound record stand zeros or torn records.
 * After: zeros only, durable, so that no later start can take a torn record for
 * one of this run's.
 */
static int clean_tail(struct journal *j, struct reader *rd, struct replay *rp)
{
	struct segment *s = j->last;
	uint64_t dirt = last_dirt(rd, rp->end);
	int r;

	if (dirt > rp->end) {
		rp->report->torn += rp->bad ? rp->bad : 1;
		r = zero_range(rd->fd, rp->end, dirt - rp->end);
		if (r < 0)
			return r;
		if (fdatasync(rd->fd) < 0)
			return -errno;
	}
	s->end = rp->end;
	if (rd->size < s->size) {
		rp->report->torn++;
		s->end = s->size;	/* cut short: it is not written to again */
	} else {
		s->fd = take_fd(rd->fd);
	}
	return 0;
}

static int replay_one(struct journal *j, struct segment *s, struct replay *rp)
{
	_cleanup_(reader_close) struct reader rd = { .fd = -1 };
	int r = reader_open(&rd, j, s, WINDOW, O_RDWR);

	if (r < 0)
		return r;
	r = replay_segment(&rd, s, rp);
	if (r)
		return r;
	return s == j->last ? clean_tail(j, &rd, rp) : 0;
}

/* Where replaying begins in the segment of @after. */
static int behind(struct journal *j, struct segment *s, const struct journal_pos *after,
		  struct replay *rp)
{
	_cleanup_(reader_close) struct reader rd = { .fd = -1 };
	struct record_head h;
	int r = reader_open(&rd, j, s, WINDOW, O_RDONLY);

	if (r < 0)
		return r;
	if (!head_at(&rd, after->offset, &h) || h.seq != after->seq)
		return -EBADMSG;
	rp->end = after->offset + sizeof(h) + h.len;
	rp->expected = after->seq + 1;
	rp->durable = h.durable;
	return 0;
}

static bool reaches(const struct segment *s, uint64_t seq)
{
	return !s->next || s->next->first_seq > seq;
}

/* Writes what @s holds from record @seq on once more, head and all where that is its first. */
static int write_again(struct journal *j, const struct segment *s, uint64_t seq)
{
	_cleanup_(reader_close) struct reader rd = { .fd = -1 };
	struct record_head h;
	uint64_t at = HEAD_BYTES, end;
	int r = reader_open(&rd, j, s, WINDOW, O_RDWR);

	if (r < 0)
		return r;
	end = rd.size = s->end < rd.size ? s->end : rd.size;
	while (find_head(&rd, &at, &h) && h.seq < seq)
		at += sizeof(h) + h.len;
	for (at = s->first_seq >= seq ? 0 : at; at < end && !r;) {
		size_t n = end - at < WINDOW ? (size_t)(end - at) : WINDOW;

		if (read_some(rd.fd, rd.window, n, at) != (ssize_t)n)
			return -EIO;
		r = write_range(rd.fd, rd.window, n, at);
		at += n;
	}
	return r ? r : j->sync(rd.fd) < 0 ? -errno : 0;
}

/*
 * Before: what was replayed stood in the page cache; whether the disk has the
 * records behind @durable nobody knows. An ifaxd killed before its fdatasync()
 * left dirty pages, one whose fdatasync() failed left clean ones that were never
 * written, and the names of the segments may not have been synced either.
 * After: all of it is on disk, so that what follows may build on it. The same
 * bytes go to the same place: a crash on the way changes nothing.
 */
static int settle(struct journal *j, uint64_t durable)
{
	int r = 0;

	for (struct segment *s = j->first; s && !r; s = s->next)
		if (reaches(s, durable + 1))
			r = write_again(j, s, durable + 1);
	if (!r && fsync(j->dir) < 0)
		r = -errno;
	return r;
}

static int holds_record(struct reader *rd)
{
	struct record_head h;

	for (uint64_t at = HEAD_BYTES; find_head(rd, &at, &h); at += sizeof(h) + h.len) {
		int r = read_payload(rd, at, &h);

		if (r != -EBADMSG)
			return r < 0 ? r : 1;
	}
	return 0;
}

static void unlink_last(struct journal *j)
{
	struct segment *before = j->first, *gone = j->last;

	while (before->next != gone)
		before = before->next;
	before->next = NULL;
	j->last = before;
	free(gone);
}

/*
 * A segment that was begun before a crash and got no record: its name may have come to
 * the disk before the end of the one before it did, which is then no gap that anything
 * stands behind. That one is the last again.
 */
static int drop_unused(struct journal *j, struct journal_report *report)
{
	while (j->last != j->first) {
		_cleanup_(reader_close) struct reader rd = { .fd = -1 };
		char name[SEGMENT_NAME];
		int r = reader_open(&rd, j, j->last, WINDOW, O_RDONLY);

		if (!r)
			r = holds_record(&rd);
		if (r)
			return r < 0 ? r : 0;
		report->torn += last_dirt(&rd, HEAD_BYTES) > HEAD_BYTES;
		segment_name(name, j->last->number);
		if (unlinkat(j->dir, name, 0) < 0)
			return -errno;
		unlink_last(j);
	}
	return 0;
}

int journal_replay(struct journal *j, const struct journal_pos *after, journal_record_fn fn,
		   void *userdata, struct journal_report *report, struct error *e)
{
	struct replay rp = { .fn = fn, .userdata = userdata, .report = report };
	struct segment *s;
	int r;

	*report = (struct journal_report){ .bad_segments = j->bad_segments };
	r = drop_unused(j, report);
	s = after ? segment_find(j, after->segment) : j->first;
	if (!r && after && !s)
		return error_set(e, -EBADMSG, "The spool does not hold the index's place.");
	if (!r && after) {
		rp.last = *after;
		r = behind(j, s, after, &rp);
	} else if (s) {
		rp.expected = s->first_seq;
	}
	for (bool first = true; s && !r; s = s->next, first = false) {
		if (!first || !after)
			rp.end = HEAD_BYTES;
		note_gap(&rp, s->first_seq, 0);
		if (s->first_seq > rp.expected)
			rp.expected = s->first_seq;
		rp.bad = 0;
		r = replay_one(j, s, &rp);
	}
	if (r)
		return error_set(e, r, "The spool journal cannot be read: %s.", strerror(-r));
	r = settle(j, rp.durable);
	if (r < 0)
		return error_set(e, r, "The spool journal cannot be written (%s). Check the disk, "
				 "then restart ifaxd.", strerror(-r));
	j->last_pos = rp.last;
	j->appended = j->durable = rp.expected ? rp.expected - 1 : 0;
	return 0;
}

static int check_record(struct reader *rd, const struct journal_pos *pos, struct record_head *h)
{
	if (!head_at(rd, pos->offset, h) || h->seq != pos->seq)
		return -EBADMSG;
	return 0;
}

/* Adds up the sound records of @s with numbers in [from, to]. */
static int count_sound(struct journal *j, const struct segment *s, uint64_t from, uint64_t to,
		       uint64_t *n)
{
	_cleanup_(reader_close) struct reader rd = { .fd = -1 };
	struct record_head h;
	uint64_t at = HEAD_BYTES;
	int r = reader_open(&rd, j, s, WINDOW, O_RDONLY);

	for (; !r && find_head(&rd, &at, &h) && h.seq <= to; at += sizeof(h) + h.len) {
		if (h.seq < from)
			continue;
		r = read_payload(&rd, at, &h);
		*n += !r;
		r = r == -EBADMSG ? 0 : r;
	}
	return r;
}

/*
 * The disk may have kept a record and lost one before it, where neither was
 * durable yet: are all there that were not when record @to was written?
 */
static int has_all(struct journal *j, uint64_t durable, uint64_t to)
{
	uint64_t from = durable + 1, n = 0;
	int r = 0;

	if (from < j->first->first_seq)
		from = j->first->first_seq;
	for (struct segment *s = j->first; s && s->first_seq <= to && !r; s = s->next)
		if (reaches(s, from))
			r = count_sound(j, s, from, to, &n);
	return r < 0 ? r : n == to - from + 1;
}

int journal_has(struct journal *j, const struct journal_pos *pos, uint64_t nonce)
{
	_cleanup_(reader_close) struct reader rd = { .fd = -1 };
	struct segment *s = segment_find(j, pos->segment);
	struct record_head h;
	int r;

	if (!s || s->nonce != nonce)
		return 0;
	r = reader_open(&rd, j, s, sizeof(h), O_RDONLY);
	if (r < 0)
		return r;
	if (check_record(&rd, pos, &h) < 0)
		return 0;
	return has_all(j, h.durable, pos->seq);
}

/* @out -1: only checks it. */
static int copy_payload(struct reader *rd, uint64_t at, const struct record_head *h, uint32_t skip,
			int out, uint64_t len)
{
	uint32_t crc = 0;

	for (uint64_t done = 0; done < h->len;) {
		size_t room = rd->window_size - (done ? 0 : sizeof(*h));
		size_t n = h->len - done < room ? (size_t)(h->len - done) : room;
		/* The first stretch came with the head. */
		const uint8_t *p = peek(rd, at + done, n);
		uint64_t from, to;

		if (!p)
			return -EBADMSG;
		crc = crc32c(crc, p, n);
		from = done < skip ? skip - done : 0;
		to = done + n > skip + len ? skip + len - done : n;
		for (; out >= 0 && from < to && done + from < skip + len;) {
			ssize_t w = write(out, p + from, (size_t)(to - from));

			if (w < 0 && errno != EINTR)
				return -errno;
			from += w < 0 ? 0 : (uint64_t)w;
		}
		done += n;
	}
	return crc == h->payload_crc ? 0 : -EBADMSG;
}

/* Checks the record at @pos, and copies its document to @out where that is not -1. */
static int read_document(struct reader *rd, struct journal *j, const struct journal_pos *pos,
			 uint32_t skip, int out, uint64_t len, struct error *e)
{
	struct segment *s = segment_find(j, pos->segment);
	struct record_head h;
	int r;

	if (!s)
		return error_set(e, -ENOENT, "The document is not in the spool any more.");
	r = reader_open(rd, j, s, BLOCK + skip + len, O_RDONLY);
	if (!r)
		r = check_record(rd, pos, &h);
	if (!r && (skip > h.len || len > h.len - skip))
		r = -EBADMSG;
	if (!r)
		r = copy_payload(rd, pos->offset + sizeof(h), &h, skip, out, len);
	if (r == -EBADMSG)
		return error_set(e, r, "The document is damaged on disk.");
	return r < 0 ? error_set(e, r, "The document cannot be read: %s.", strerror(-r)) : 0;
}

int journal_read(struct journal *j, const struct journal_pos *pos, uint32_t skip, int out_fd,
		 uint64_t len, struct error *e)
{
	_cleanup_(reader_close) struct reader rd = { .fd = -1 };

	return read_document(&rd, j, pos, skip, out_fd, len, e);
}

int journal_extent(struct journal *j, const struct journal_pos *pos, uint32_t skip, uint64_t len,
		   struct extent *ret, struct error *e)
{
	_cleanup_(reader_close) struct reader rd = { .fd = -1 };
	int r = read_document(&rd, j, pos, skip, -1, len, e);

	if (r < 0)
		return r;
	*ret = (struct extent){
		.fd = take_fd(rd.fd),
		.at = pos->offset + sizeof(struct record_head) + skip,
		.len = len,
	};
	return 0;
}

static bool head_valid(const struct segment_head *h, uint64_t number)
{
	return h->magic == SEGMENT_MAGIC && h->version == 1 && h->number == number &&
	       h->size >= HEAD_BYTES && h->size < 1ull << 40 &&
	       h->crc == crc32c(0, h, offsetof(struct segment_head, crc));
}

/* The one or the other. -EBADMSG: neither, though both were there before the segment's name. */
static int read_heads(int fd, uint64_t number, struct segment_head *h)
{
	for (unsigned int i = 0; i < 2; i++) {
		ssize_t n = read_some(fd, h, sizeof(*h), i * BLOCK);

		if (n < 0 && n != -EIO)
			return (int)n;
		if (n == sizeof(*h) && head_valid(h, number))
			return 0;
	}
	return -EBADMSG;
}

/* Takes the segment into the list, or sets its file aside for a person to look at. */
static int take_segment(struct journal *j, uint64_t number)
{
	char name[SEGMENT_NAME], aside[SEGMENT_NAME + 16];
	struct segment_head h;
	_close_ int fd = -1;
	struct segment *s;
	int r;

	segment_name(name, number);
	fd = openat(j->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = read_heads(fd, number, &h);
	if (r == -EBADMSG) {
		j->bad_segments++;
		snprintf(aside, sizeof(aside), "%s.damaged", name);
		return renameat(j->dir, name, j->dir, aside) < 0 ? -errno : 0;
	}
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->number = number;
	s->nonce = h.nonce;
	s->first_seq = h.first_seq;
	s->size = s->end = h.size;
	s->fd = -1;
	if (j->last && number != j->last->number + 1)
		j->bad_segments += number - j->last->number - 1;
	journal_set_mark(j, h.mark);
	segment_link(j, s);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int list_numbers(int dir, uint64_t **ret, size_t *n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_free_ uint64_t *list = NULL;
	size_t cap = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	*n = 0;
	if (!d)
		return -errno;
	for (struct dirent *de; (de = readdir(d));) {
		unsigned long long number;
		int len = 0;

		if (sscanf(de->d_name, "%16llx.seg%n", &number, &len) != 1 || len != 20 ||
		    de->d_name[20])
			continue;
		if (*n == cap) {
			void *p = reallocarray(list, cap = cap ? 2 * cap : 64, sizeof(*list));

			if (!p) {
				closedir(d);
				return -ENOMEM;
			}
			list = p;
		}
		list[(*n)++] = number;
	}
	closedir(d);
	if (*n)
		qsort(list, *n, sizeof(*list), by_number);
	*ret = take_ptr(list);
	return 0;
}

int segments_scan(struct journal *j, struct error *e)
{
	_free_ uint64_t *numbers = NULL;
	size_t n;
	int r = list_numbers(j->dir, &numbers, &n);

	for (size_t i = 0; i < n && !r; i++)
		r = take_segment(j, numbers[i]);
	if (r < 0)
		return error_set(e, r, "The spool's segments cannot be read: %s.", strerror(-r));
	if (!j->last && n)
		j->next_number = numbers[n - 1] + 1;
	return 0;
}
