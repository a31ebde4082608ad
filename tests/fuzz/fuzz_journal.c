// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The journal read back: the first byte chooses. A job's state in bytes, or a
 * spool whose only segment was overwritten with the input from some offset on:
 * opening may find damage but must neither crash nor refuse the rest.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/ifax-fuzz-XXXXXX";
static struct journal_pos second;

static int count(void *userdata, const struct journal_record *rec)
{
	unsigned int *n = userdata;

	if (rec->len && !rec->payload)
		abort();
	++*n;
	return 0;
}

static struct journal *open_journal(void)
{
	struct journal *j;

	if (journal_open(&j, dir, JOURNAL_SEGMENT_MIN, NULL) < 0)
		abort();
	return j;
}

/* One segment with two records, written once. */
static void prepare(void)
{
	struct iovec iov = { (void *)(uintptr_t)"0123456789abcdef", 16 };
	struct journal_report report;
	struct journal_pos pos;
	struct journal *j;
	unsigned int n = 0;

	if (second.seq)
		return;
	if (!mkdtemp(dir))
		abort();
	j = open_journal();
	if (journal_replay(j, NULL, count, &n, &report, NULL) < 0 || journal_start(j, NULL) < 0 ||
	    journal_append(j, 1, &iov, 1, JOURNAL_BULK, &pos, NULL) < 0 ||
	    journal_sync(j, NULL) < 0 ||
	    journal_append(j, 2, &iov, 1, JOURNAL_BULK, &second, NULL) < 0)
		abort();
	journal_close(j);
}

static void segment_bytes(const uint8_t *data, size_t size)
{
	static char clean[64 * 1024];
	struct journal_report report;
	struct journal *j;
	unsigned int n = 0;
	uint16_t at;
	char path[64];
	int fd;

	if (size < sizeof(at) || size > 8192)
		return;
	memcpy(&at, data, sizeof(at));
	prepare();
	snprintf(path, sizeof(path), "%s/%016x.seg", dir, 1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, clean, sizeof(clean), 0) != sizeof(clean) ||
	    pwrite(fd, data + sizeof(at), size - sizeof(at), at) < 0)
		abort();
	j = open_journal();
	if (access(path, F_OK) == 0)
		journal_replay(j, NULL, count, &n, &report, NULL);
	journal_close(j);
	if (n > 2)
		abort();
	/* Back as it was; its head may have been spoiled and the file set aside. */
	if (access(path, F_OK) < 0) {
		char aside[80];

		snprintf(aside, sizeof(aside), "%s.damaged", path);
		if (rename(aside, path) < 0 && linkat(AT_FDCWD, aside, AT_FDCWD, path, 0) < 0)
			abort();
	}
	if (pwrite(fd, clean, sizeof(clean), 0) != sizeof(clean))
		abort();
	close(fd);
}

static void state_bytes(const uint8_t *data, size_t size)
{
	_buffer_ struct buffer b = { 0 };
	struct job *j;

	if (job_decode(data, size, &j) < 0)
		return;
	/* What is read is what would be written. */
	if (job_encode(j, &b) < 0 || b.len != size || memcmp(b.data, data, size))
		abort();
	job_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		segment_bytes(data + 1, size - 1);
	else
		state_bytes(data + 1, size - 1);
	return 0;
}
