// SPDX-License-Identifier: LGPL-2.1-or-later
/* The journal by itself: its sum, its groups, and documents that pose as records. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>

#include "store/journal_internal.h"
#include "store_help.h"

static void crc_of_the_standard_string(void **state)
{
	char text[] = "x123456789";

	assert_int_equal(crc32c(0, text + 1, 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, text + 1, 4), text + 5, 5), 0xe3069283);
	assert_int_equal(crc32c(0, text, 0), 0);
}

static int collect(void *userdata, const struct journal_record *rec)
{
	uint64_t *seen = userdata;

	assert_true(rec->type < 64);
	*seen |= 1ull << rec->type;
	return 0;
}

static struct journal *reopen(const char *dir, uint64_t *seen, struct journal_report *report)
{
	struct error e = { 0 };
	struct journal *j;

	*seen = 0;
	if (journal_open(&j, dir, SMALL_SEGMENT, &e) < 0 ||
	    journal_replay(j, NULL, collect, seen, report, &e) < 0 || journal_start(j, &e) < 0)
		fail_msg("%s", error_text(&e));
	return j;
}

static struct journal_pos append(struct journal *j, uint16_t type, void *data, size_t len)
{
	struct iovec iov = { data, len };
	struct journal_pos pos;
	struct error e = { 0 };

	if (journal_append(j, type, &iov, 1, JOURNAL_BULK, &pos, &e) < 0)
		fail_msg("%s", error_text(&e));
	return pos;
}

/* A sender cannot know the segment's number, so even a perfect copy of a record is no record. */
static void document_cannot_pose_as_record(void **state)
{
	static uint8_t doc[8192];
	struct journal_report report;
	struct box b;
	uint64_t seen;
	struct journal *j;
	struct journal_pos first;
	struct record_head h = { .magic = RECORD_MAGIC, .type = 9, .seq = 2, .nonce = 1 };
	char path[128];
	int fd;

	box_make(&b);
	h.crc = crc32c(0, &h, offsetof(struct record_head, crc));
	for (size_t i = 16; i + sizeof(h) <= sizeof(doc); i += 64)
		memcpy(doc + i, &h, sizeof(h));
	j = reopen(b.dir, &seen, &report);
	first = append(j, 1, doc, sizeof(doc));
	append(j, 2, "after", 5);
	journal_close(j);
	/* Spoil the first record's head, so that the next is looked for inside its document. */
	snprintf(path, sizeof(path), "%s/%016llx.seg", b.dir, (unsigned long long)first.segment);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\0", 1, (off_t)first.offset), 1);
	close(fd);
	j = reopen(b.dir, &seen, &report);
	assert_int_equal(seen, 1 << 2);
	assert_int_equal(report.lost, 1);
	assert_int_equal(report.torn, 0);
	journal_close(j);
	box_remove(&b);
}

/* What was appended while the disk worked shares blocks; a new group begins a block. */
static void groups_start_on_blocks(void **state)
{
	struct journal_report report;
	struct journal_pos a, c;
	struct box b;
	uint64_t seen;
	struct journal *j;
	struct pollfd p;

	box_make(&b);
	j = reopen(b.dir, &seen, &report);
	a = append(j, 1, "a", 1);
	assert_int_equal(journal_sync(j, NULL), 0);
	assert_true(journal_durable(j) >= a.seq);
	c = append(j, 2, "c", 1);
	assert_int_equal(a.offset % BLOCK, 0);
	assert_int_equal(c.offset, a.offset + BLOCK);
	assert_int_equal(c.seq, a.seq + 1);
	assert_int_equal(journal_sync(j, NULL), 0);
	p = (struct pollfd){ .fd = journal_fd(j), .events = POLLIN };
	assert_int_equal(poll(&p, 1, 5000), 1);
	journal_close(j);
	j = reopen(b.dir, &seen, &report);
	assert_int_equal(seen, 1 << 1 | 1 << 2);
	assert_int_equal(report.lost + report.torn + report.bad_segments, 0);
	journal_close(j);
	box_remove(&b);
}

static unsigned int begun;	/* segments that had their heads before their names */

static int note_heads(int fd)
{
	struct segment_head h = { 0 };
	char at[64], path[256] = "", *slash;
	ssize_t n;

	snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
	n = readlink(at, path, sizeof(path) - 1);
	slash = n > 0 ? strrchr(path, '/') : NULL;
	if (slash && !strcmp(slash, "/next.tmp") && pread(fd, &h, sizeof(h), BLOCK) == sizeof(h))
		begun += h.magic == SEGMENT_MAGIC;
	return fdatasync(fd);
}

/*
 * The power fails when a segment was begun: its name is on the disk, and the end of the one
 * before it is not, of which nobody was told. That is no damage, now or later.
 */
static void begun_and_not_used(void **state)
{
	static const uint8_t zeros[BLOCK];
	static char page[JOURNAL_SEGMENT_MIN / 2];
	struct journal_report report;
	struct box b;
	uint64_t seen;
	struct journal *j;
	char path[128];
	uint64_t end;
	int fd;

	box_make(&b);
	j = reopen(b.dir, &seen, &report);
	j->sync = note_heads;
	append(j, 1, "a", 1);
	assert_int_equal(journal_sync(j, NULL), 0);
	end = j->last->end;
	memset(page, 'x', sizeof(page));
	append(j, 2, "b", 1);
	append(j, 3, page, sizeof(page));
	append(j, 4, page, sizeof(page));
	assert_int_equal(journal_last(j), 2);
	assert_int_equal(begun, 1);
	journal_close(j);
	/* What was written behind the first record, and all in the second segment, was lost. */
	for (unsigned int i = 1; i <= 2; i++) {
		snprintf(path, sizeof(path), "%s/%016x.seg", b.dir, i);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		for (uint64_t at = i == 1 ? (end + BLOCK - 1) / BLOCK * BLOCK : HEAD_BYTES;
		     at < JOURNAL_SEGMENT_MIN; at += BLOCK)
			assert_int_equal(pwrite(fd, zeros, BLOCK, (off_t)at), BLOCK);
		close(fd);
	}
	for (unsigned int i = 0; i < 2; i++) {
		j = reopen(b.dir, &seen, &report);
		assert_int_equal(seen, i ? 1 << 1 | 1 << 5 : 1 << 1);
		assert_int_equal(report.lost + report.torn + report.bad_segments, 0);
		assert_int_equal(journal_last(j), 1);
		if (!i)
			append(j, 5, "c", 1);
		journal_close(j);
	}
	box_remove(&b);
}

/* One bad block does not cost a segment; without any head it is set aside and said so. */
static void head_stands_twice(void **state)
{
	static const uint8_t zeros[BLOCK];
	struct journal_report report;
	struct box b;
	uint64_t seen;
	struct journal *j;
	char path[128], aside[160];
	int fd;

	box_make(&b);
	j = reopen(b.dir, &seen, &report);
	append(j, 1, "a", 1);
	journal_close(j);
	snprintf(path, sizeof(path), "%s/%016x.seg", b.dir, 1);
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, zeros, BLOCK, 0), BLOCK);
	j = reopen(b.dir, &seen, &report);
	assert_int_equal(seen, 1 << 1);
	journal_close(j);
	assert_int_equal(pwrite(fd, zeros, BLOCK, BLOCK), BLOCK);
	close(fd);
	j = reopen(b.dir, &seen, &report);
	assert_int_equal(seen, 0);
	assert_int_equal(report.bad_segments, 1);
	assert_int_equal(access(aside, F_OK), 0);
	journal_close(j);
	box_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_of_the_standard_string),
		cmocka_unit_test(document_cannot_pose_as_record),
		cmocka_unit_test(groups_start_on_blocks),
		cmocka_unit_test(begun_and_not_used),
		cmocka_unit_test(head_stands_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
