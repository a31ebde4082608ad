// SPDX-License-Identifier: LGPL-2.1-or-later
/* What every ioctl refuses, and what the functions say of themselves. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <linux/lp.h>

#include "uapi_test.h"

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

static unsigned int cmd(const struct row *row, size_t size)
{
	return _IOC(_IOC_READ | _IOC_WRITE, FAX_IOC_MAGIC, row->nr, size);
}

static void test_every_ioctl(const char *dev, int fd)
{
	const struct row *row;
	uint8_t arg[1024];

	for (row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++) {
		memset(arg, 0, sizeof(arg));
		arg[row->reserved] = 1;
		check_errno(ioctl(fd, cmd(row, row->size), arg), EINVAL,
			    "%s %s: first reserved byte", dev, row->name);
		memset(arg, 0, sizeof(arg));
		arg[row->size - 1] = 1;
		check_errno(ioctl(fd, cmd(row, row->size), arg), EINVAL,
			    "%s %s: last reserved byte", dev, row->name);
		memset(arg, 0, sizeof(arg));
		arg[row->size + 15] = 1;
		check_errno(ioctl(fd, cmd(row, row->size + 16), arg), E2BIG, "%s %s: unknown tail",
			    dev, row->name);
		check_errno(ioctl(fd, cmd(row, row->size - 1), arg), EINVAL, "%s %s: too short",
			    dev, row->name);
		check_errno(ioctl(fd, cmd(row, row->size), (void *)8), EFAULT, "%s %s: bad address",
			    dev, row->name);
	}
}

static void test_unknown(int fd)
{
	uint8_t arg[256] = {};

	check_errno(ioctl(fd, _IOWR(FAX_IOC_MAGIC, 0x7f, struct fax_fmt), arg), ENOTTY,
		    "an unknown number");
	check_errno(ioctl(fd, _IOWR('T', 0x00, struct fax_info), arg), ENOTTY, "another's magic");
}

static void test_long_struct(int fd)
{
	struct {
		struct fax_info info;
		uint8_t tail[64];
	} arg;

	memset(&arg, 0, sizeof(arg));
	check_errno(ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, FAX_IOC_MAGIC, 0, sizeof(arg)), &arg), 0,
		    "a longer structure with a tail of zeros");
	check_u64(arg.info.api, FAX_API_REVISION, "it is filled in");
}

/* A read-only page as argument: the answer cannot be written, and no fd may leak. */
static void test_read_only_answer(int fd)
{
	struct fax_buf_alloc *alloc = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int before = dup(0), after;

	close(before);
	alloc->size = 4096;
	mprotect(alloc, 4096, PROT_READ);
	check_errno(ioctl(fd, FAX_IOC_BUF_ALLOC, alloc), EFAULT, "BUF_ALLOC into read-only memory");
	after = dup(0);
	close(after);
	check(before == after, "it leaves no descriptor behind");
	munmap(alloc, 4096);
}

static void test_info(const char *path, uint32_t function, int flags, uint64_t *board)
{
	int fd = open_dev(path, flags);
	struct fax_info info = {};
	struct fax_caps caps = {};
	bool simulated;

	check_errno(ioctl(fd, FAX_IOC_INFO, &info), 0, "%s: INFO", path);
	check_u64(info.function, function, "%s: function", path);
	check_u64(info.index, 0, "%s: index", path);
	/* behind PCI the board's driver cannot tell */
	simulated = !strcmp(sim_device(path, "/driver"), "faxsim");
	check(!(info.features & FAX_FEAT_SIMULATED) == !simulated, "%s: simulated", path);
	check(!strcmp((char *)info.serial, "sim0"), "%s: serial", path);
	check(!strcmp((char *)info.driver, sim_device(path, "/driver")), "%s: driver", path);
	check(!*board || info.board_id == *board, "%s: of the same board", path);
	*board = info.board_id;
	check_u64(info.functions, 1 << FAX_FUNC_SCAN | 1 << FAX_FUNC_PRINT | 1 << FAX_FUNC_CODEC,
		  "%s: of a board with all functions", path);
	check_errno(ioctl(fd, FAX_IOC_CAPS, &caps), 0, "%s: CAPS", path);
	check(caps.width_max >= A4_WIDTH && caps.rows_max >= 2200, "%s: takes A4", path);
	check_u64(status_of(fd).state, FAX_STATE_IDLE, "%s: idle", path);
	close(fd);
}

static void test_fmt(int scan, int coder)
{
	struct fax_fmt fmt = {};

	check_errno(ioctl(scan, FAX_IOC_GET_FMT, &fmt), 0, "GET_FMT");
	check(fmt.width == A4_WIDTH && fmt.xres == 8000 && fmt.yres == 7700 && !fmt.rows &&
	      fmt.encoding == FAX_ENC_RAW, "the format to begin with is A4, fine, raw");
	fmt = fmt_raw(A4_WIDTH, 0);
	check_errno(ioctl(scan, FAX_IOC_TRY_FMT, &fmt), 0, "TRY_FMT");
	check_u64(fmt.stride, A4_STRIDE, "fills in the stride");
	fmt = fmt_raw(1000, 0);
	check_errno(ioctl(scan, FAX_IOC_SET_FMT, &fmt), EINVAL, "a width that is in no table");
	fmt = fmt_raw(A4_WIDTH * 2, 0);
	fmt.xres = FAX_RES_16_MM;
	fmt.yres = FAX_RES_15_4_MM;
	check_errno(ioctl(scan, FAX_IOC_TRY_FMT, &fmt), 0,
		    "twice the width at twice the resolution");
	fmt.yres = 12345;
	check_errno(ioctl(scan, FAX_IOC_TRY_FMT, &fmt), EINVAL, "a resolution that is in no table");
	fmt = fmt_raw(A4_WIDTH, 0);
	fmt.stride = A4_STRIDE - 1;
	check_errno(ioctl(scan, FAX_IOC_TRY_FMT, &fmt), EINVAL, "a stride that is too short");
	fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
	check_errno(ioctl(scan, FAX_IOC_TRY_FMT, &fmt), EINVAL, "MMR from a scanner");
	fmt = fmt_coded(FAX_ENC_MR, A4_WIDTH, 0, 0);
	check_errno(ioctl(coder, FAX_IOC_TRY_FMT, &fmt), EINVAL, "MR without EOL");
	fmt.flags = FAX_FMT_EOL;
	check_errno(ioctl(coder, FAX_IOC_TRY_FMT, &fmt), 0, "MR with EOL");
	fmt.flags = 1u << 20;
	check_errno(ioctl(coder, FAX_IOC_TRY_FMT, &fmt), EINVAL, "an unknown flag");
	fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
	fmt.k = 4;
	check_errno(ioctl(coder, FAX_IOC_TRY_FMT, &fmt), EINVAL, "K with MMR");
	fmt = fmt_coded(FAX_ENC_MMR, FAX_MAX_WIDTH + 1, 0, 0);
	check_errno(ioctl(coder, FAX_IOC_TRY_FMT, &fmt), EINVAL, "too wide");
}

static void test_wrong_function(int scan, int print, int coder)
{
	struct fax_claim claim = {};
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, 0);
	struct fax_seg seg = {};
	uint8_t byte = 0;
	int fd, status = 0;

	check_errno(submit(scan, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1, NULL), EOPNOTSUPP,
		    "PRINT on a scanner");
	check_errno(submit(scan, 99, 0, &fmt, -1, &seg, 1, NULL), EINVAL, "an unknown operation");
	check_errno(submit(scan, FAX_OP_SCAN, 0x80, &fmt, -1, &seg, 1, NULL), EINVAL,
		    "an unknown SUBMIT flag");
	check_errno(submit(scan, FAX_OP_SCAN, 0, &fmt, -1, (void *)8, 1, NULL), EFAULT,
		    "segments at a bad address");
	check_errno(submit(scan, FAX_OP_SCAN, 0, &fmt, -1, &seg, FAX_MAX_SEGS + 1, NULL), EINVAL,
		    "too many segments");
	check_errno(submit(scan, FAX_OP_SCAN, 0, &fmt, 0, NULL, 0, NULL), EINVAL,
		    "a pipe that is none");
	check_errno(submit(scan, FAX_OP_SCAN, 0, &fmt, 999, NULL, 0, NULL), EBADF,
		    "a pipe that is not open");
	check_errno(ioctl(coder, FAX_IOC_CLAIM, &claim), EOPNOTSUPP, "CLAIM of the coder");
	check_errno(ioctl(scan, FAX_IOC_RELEASE), EINVAL, "RELEASE without a claim");
	check_errno(ioctl(scan, LPGETSTATUS, &status), ENOTTY, "LPGETSTATUS of a scanner");
	check_errno(ioctl(print, LPGETSTATUS, &status), 0, "LPGETSTATUS of a printer");
	check_u64(status & (LP_PSELECD | LP_PERRORP | LP_POUTPA), LP_PSELECD | LP_PERRORP,
		  "it is on line and has paper");
	check_errno(read(coder, &byte, 1), EOPNOTSUPP, "read() from the coder");

	fd = open_dev(SCANNER, O_WRONLY);
	check_errno(ioctl(fd, FAX_IOC_CLAIM, &claim), EBADF, "CLAIM of a scanner open for writing");
	close(fd);
	fd = open_dev(CODER, O_RDONLY);
	check_errno(submit(fd, FAX_OP_DECODE, 0, &fmt, -1, &seg, 1, NULL), EBADF,
		    "DECODE on a coder open for reading");
	close(fd);
}

static void test_claims(int scan)
{
	struct fax_claim now = { .flags = FAX_NONBLOCK }, later = { .timeout_ms = 50 };
	int other = open_dev(SCANNER, O_RDONLY);

	check_errno(ioctl(scan, FAX_IOC_CLAIM, &now), 0, "CLAIM");
	check_u64(status_of(scan).claimed, 2, "it is this open's");
	check_u64(status_of(other).claimed, 1, "it is another's");
	check_errno(ioctl(other, FAX_IOC_CLAIM, &now), EBUSY, "a second CLAIM");
	check_errno(ioctl(other, FAX_IOC_CLAIM, &later), ETIMEDOUT, "a second CLAIM that waits");
	check_errno(ioctl(other, FAX_IOC_RELEASE), EINVAL, "RELEASE of another's claim");
	check_errno(ioctl(scan, FAX_IOC_RESET), 0, "RESET by who has the claim");
	check_errno(ioctl(scan, FAX_IOC_RELEASE), 0, "RELEASE");
	check_errno(ioctl(other, FAX_IOC_CLAIM, &later), 0, "then the other gets it");
	close(other);
	check_errno(ioctl(scan, FAX_IOC_CLAIM, &now), 0, "closing gives it up");
	check_errno(ioctl(scan, FAX_IOC_RELEASE), 0, "RELEASE again");
	now.flags = 8;
	check_errno(ioctl(scan, FAX_IOC_CLAIM, &now), EINVAL, "an unknown CLAIM flag");
}

int main(void)
{
	int scan, print, coder;
	uint64_t board = 0;

	sim_reset();
	scan = open_dev(SCANNER, O_RDONLY | O_NONBLOCK);
	print = open_dev(PRINTER, O_WRONLY | O_NONBLOCK);
	coder = open_dev(CODER, O_RDWR | O_NONBLOCK);
	test_every_ioctl("scanner", scan);
	test_every_ioctl("printer", print);
	test_every_ioctl("coder", coder);
	test_unknown(scan);
	test_long_struct(scan);
	test_read_only_answer(scan);
	test_info(SCANNER, FAX_FUNC_SCAN, O_RDONLY, &board);
	test_info(PRINTER, FAX_FUNC_PRINT, O_WRONLY, &board);
	test_info(CODER, FAX_FUNC_CODEC, O_RDWR, &board);
	test_fmt(scan, coder);
	test_wrong_function(scan, print, coder);
	test_claims(scan);
	return done_testing();
}
