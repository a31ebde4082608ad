// SPDX-License-Identifier: LGPL-2.1-or-later
/* What holds for every ioctl: numbers, sizes, reserved fields, addresses. */
#include <sys/mman.h>

#include "compliance.h"

struct row {
	const char *name;
	unsigned int nr;
	size_t size;
	size_t reserved;
};

#define ROW(_name, _type) { #_name, _IOC_NR(FAX_IOC_##_name), sizeof(struct _type), \
			    offsetof(struct _type, reserved) }

static const struct row rows[] = {
	ROW(INFO, fax_info), ROW(CAPS, fax_caps), ROW(STATUS, fax_status),
	ROW(GET_FMT, fax_fmt), ROW(SET_FMT, fax_fmt), ROW(TRY_FMT, fax_fmt),
	ROW(BUF_ALLOC, fax_buf_alloc), ROW(BUF_MAP, fax_buf_map), ROW(BUF_UNMAP, fax_buf_unmap),
	ROW(PIPE_ALLOC, fax_pipe_alloc), ROW(SUBMIT, fax_submit), ROW(REAP, fax_reap),
	ROW(CANCEL, fax_cancel), ROW(CLAIM, fax_claim), ROW(EVENT, fax_event),
};

static const char *row_name(unsigned int row)
{
	return rows[row].name;
}

static unsigned int command(const struct row *row, size_t size)
{
	return _IOC(_IOC_READ | _IOC_WRITE, FAX_IOC_MAGIC, row->nr, size);
}

static int open_here(void)
{
	return open_node(here.function, O_NONBLOCK);
}

static void test_reserved(unsigned int n)
{
	const struct row *row = &rows[n];
	uint8_t arg[512];
	int dev = open_here();
	size_t i;

	for (i = row->reserved; i < row->size; i++) {
		memset(arg, 0, sizeof(arg));
		arg[i] = 0x80;
		expect_errno(ioctl(dev, command(row, row->size), arg), EINVAL, "byte %zu set", i);
	}
}

static void test_tail(unsigned int n)
{
	const struct row *row = &rows[n];
	uint8_t arg[512];
	int dev = open_here();
	size_t i;

	for (i = row->size; i < row->size + 16; i++) {
		memset(arg, 0, sizeof(arg));
		arg[i] = 1;
		expect_errno(ioctl(dev, command(row, row->size + 16), arg), E2BIG, "byte %zu set",
			     i);
	}
}

/* A tail of zeros changes nothing: the same answer, and the tail is left alone. */
static void test_zero_tail(unsigned int n)
{
	const struct row *row = &rows[n];
	uint8_t plain[512] = {}, longer[512] = {};
	int dev = open_here(), plain_errno, longer_errno;

	errno = 0;
	ioctl(dev, command(row, row->size), plain);
	plain_errno = errno;
	errno = 0;
	ioctl(dev, command(row, row->size + 64), longer);
	longer_errno = errno;
	expect(plain_errno == longer_errno, "%s with a tail of zeros, %s without",
	       strerror(longer_errno), strerror(plain_errno));
}

static void test_short(unsigned int n)
{
	const struct row *row = &rows[n];
	uint8_t arg[512] = {};
	int dev = open_here();

	expect_errno(ioctl(dev, command(row, row->size - 1), arg), EINVAL, "a byte short");
	expect_errno(ioctl(dev, command(row, row->size - 4), arg), EINVAL, "a word short");
	expect_errno(ioctl(dev, command(row, 0), arg), EINVAL, "of no size");
}

static void test_address(unsigned int n)
{
	const struct row *row = &rows[n];
	int dev = open_here();
	uint8_t *page =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(page != MAP_FAILED, "mmap");
	munmap(page + 4096, 4096);
	expect_errno(ioctl(dev, command(row, row->size), NULL), EFAULT, "at NULL");
	expect_errno(ioctl(dev, command(row, row->size), page + 4096 - row->size + 1), EFAULT,
		     "over the end of a mapping");
	expect_errno(ioctl(dev, command(row, row->size), (void *)-4096ul), EFAULT,
		     "in the kernel's half");
}

static void test_unknown(unsigned int row)
{
	static const unsigned int known[] = {
		0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x22,
		0x30, 0x31, 0x32, 0x3f,
	};
	uint8_t arg[256] = {};
	int dev = open_here();
	unsigned int nr;
	size_t i;

	for (nr = 0; nr < 256; nr++) {
		for (i = 0; i < ARRAY_SIZE(known) && known[i] != nr; i++)
			;
		if (i == ARRAY_SIZE(known))
			expect_errno(ioctl(dev, _IOC(_IOC_READ | _IOC_WRITE, FAX_IOC_MAGIC, nr, 64),
					   arg), ENOTTY, "number %#x", nr);
	}
}

static void test_magic(unsigned int row)
{
	uint8_t arg[256] = {};
	int dev = open_here();

	expect_errno(ioctl(dev, _IOWR('V', 0x00, struct fax_info), arg), ENOTTY, "magic 'V'");
	expect_errno(ioctl(dev, _IOWR('T', 0x01, struct fax_caps), arg), ENOTTY, "magic 'T'");
	expect_errno(ioctl(dev, _IOWR(0xFB, 0x02, struct fax_status), arg), ENOTTY, "magic 0xfb");
}

/* The answer cannot be written: the call fails, and no descriptor is left behind. */
static void test_read_only(unsigned int row)
{
	struct fax_buf_alloc *alloc = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fax_pipe_alloc *pipe = (void *)alloc;
	int dev = open_here(), before = dup(0), after;

	close(before);
	alloc->size = 4096;
	mprotect(alloc, 4096, PROT_READ);
	expect_errno(ioctl(dev, FAX_IOC_BUF_ALLOC, alloc), EFAULT, "BUF_ALLOC");
	mprotect(alloc, 4096, PROT_READ | PROT_WRITE);
	*pipe = (struct fax_pipe_alloc){ .width = 64, .rows = 8, .bands = 2 };
	mprotect(alloc, 4096, PROT_READ);
	expect_errno(ioctl(dev, FAX_IOC_PIPE_ALLOC, pipe), EFAULT, "PIPE_ALLOC");
	after = dup(0);
	expect(before == after, "descriptor %d was left open", before);
}

static void test_no_mmap(unsigned int row)
{
	int dev = open_node(FAX_FUNC_CODEC, 0);

	expect(mmap(NULL, 4096, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED, "mmap works");
	expect_errno(-1, ENODEV, "mmap");
}

static void test_no_seek(unsigned int row)
{
	expect(lseek(open_here(), 0, SEEK_SET) == -1 && errno == ESPIPE, "lseek works");
}

static const struct rule table[] = {
	RULE_ROWS("reserved", "a reserved field that is not zero is refused: EINVAL", test_reserved,
		  EACH_FUNC, ARRAY_SIZE(rows), row_name),
	RULE_ROWS("tail", "a longer structure whose unknown tail is not zero is refused: E2BIG",
		  test_tail, EACH_FUNC, ARRAY_SIZE(rows), row_name),
	RULE_ROWS("zero-tail", "a longer structure whose unknown tail is zero is taken",
		  test_zero_tail, EACH_FUNC, ARRAY_SIZE(rows), row_name),
	RULE_ROWS("short", "a structure shorter than the first revision's is refused: EINVAL",
		  test_short, EACH_FUNC, ARRAY_SIZE(rows), row_name),
	RULE_ROWS("address", "a bad address is refused: EFAULT", test_address, EACH_FUNC,
		  ARRAY_SIZE(rows), row_name),
	RULE("unknown", "every unknown number is refused: ENOTTY", test_unknown, EACH_FUNC),
	RULE("magic", "another's magic is refused: ENOTTY", test_magic, EACH_FUNC),
	RULE("read-only", "an answer that cannot be given leaves no descriptor behind",
	     test_read_only, EACH_FUNC),
	RULE("mmap", "a device cannot be mapped, only buffers can", test_no_mmap, NEEDS_CODEC),
	RULE("seek", "there is nothing to seek in", test_no_seek, EACH_FUNC),
};

const struct rules rules_ioctl = { "ioctl", table, ARRAY_SIZE(table) };
