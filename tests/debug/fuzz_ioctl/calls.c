// SPDX-License-Identifier: LGPL-2.1-or-later
/* The calls, what they make and use, and the board as it was before them. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/dma-buf.h>
#include <linux/lp.h>

#include "../../uapi/uapi_test.h"
#include "fuzz.h"

#define SLOTS		8u
#define MAPS		8u
#define ROWS		64u
#define CONFIG		"/sys/kernel/config/faxsim/"
#define FAULTS		"/sys/kernel/debug/faxsim/"
#define DRIVER		"/sys/bus/platform/drivers/faxsim/"
#define MOST_BYTES	(1u << 20)	/* that the guest has to spare, for one buffer */

static _Atomic int devs[SLOTS], fds[SLOTS];
static _Atomic uint32_t bufs[SLOTS], jobs[SLOTS];
static struct {
	void *mem;
	size_t size;
} maps[MAPS];
static _Atomic unsigned int nmaps;
static int vgem;

/* what calls_clean() has to put right */
static _Atomic bool dirty_paper, dirty_knobs, dirty_board, dirty_box;

/* what is written, scanned and decoded */
static struct {
	const uint8_t *mem;
	size_t len;
} patterns[6];

static int answer(long ret)
{
	return ret < 0 ? -errno : (int)(ret > 0x7fff ? 0x7fff : ret);
}

/*
 * Slots.
 */
static int dev_of(uint32_t i)
{
	return i < SLOTS ? devs[i] : -1;
}

static int fd_of(uint32_t i)
{
	return i < SLOTS ? fds[i] : -1;
}

static uint32_t buf_of(uint32_t i)
{
	return i < SLOTS ? bufs[i] : i;
}

static uint32_t job_of(uint32_t i)
{
	return i < SLOTS ? jobs[i] : i;
}

/* Each number stands in one slot: who takes it out closes it. */
static void put_fd(_Atomic int *slot, int fd)
{
	int old = atomic_exchange(slot, fd);

	if (old >= 0)
		close(old);
}

static int keep(_Atomic int *slots, uint32_t i, int fd)
{
	int ret = answer(fd);

	if (fd >= 0)
		put_fd(&slots[i % SLOTS], fd);
	return ret < 0 ? ret : 0;
}

/*
 * Ioctls: the argument lies at the beginning of the thread's page, or is
 * handed over in a way that must be refused.
 */
static int do_ioctl(struct worker *w, const struct call *c, uint32_t dev, unsigned int cmd,
		    void *arg, size_t reserved)
{
	size_t size = _IOC_SIZE(cmd), page = sysconf(_SC_PAGESIZE);
	unsigned int longer = _IOC(_IOC_DIR(cmd), FAX_IOC_MAGIC, _IOC_NR(cmd), size + 16);
	uint8_t *at = w->page;
	int ret;

	if (c->quirk == Q_EDGE)
		at = w->page + page - size / 2;
	if (c->quirk == Q_READ_ONLY)
		at = w->read_only;
	if (c->quirk == Q_EDGE)
		memcpy(at, arg, size / 2);
	else if (c->quirk != Q_READ_ONLY)
		memcpy(at, arg, size);
	memset(w->page + size, c->quirk == Q_LONGER_SET, c->quirk == Q_EDGE ? 0 : 16);
	if (c->quirk == Q_RESERVED && reserved < size)
		at[reserved] = 1;
	if (c->quirk == Q_LONGER || c->quirk == Q_LONGER_SET)
		cmd = longer;
	else if (c->quirk == Q_SHORTER)
		cmd = _IOC(_IOC_DIR(cmd), FAX_IOC_MAGIC, _IOC_NR(cmd), size / 2);
	ret = answer(ioctl(dev_of(dev), cmd, c->quirk == Q_NULL ? NULL : at));
	if (!ret && at == w->page)
		memcpy(arg, at, size);
	return ret;
}

#define IOCTL(cmd, type, value) \
	do_ioctl(w, c, c->args[0], cmd, value, offsetof(struct type, reserved))

static int make_info(struct worker *w, const struct call *c)
{
	struct fax_info arg = {};

	return IOCTL(FAX_IOC_INFO, fax_info, &arg);
}

static int make_caps(struct worker *w, const struct call *c)
{
	struct fax_caps arg = {};

	return IOCTL(FAX_IOC_CAPS, fax_caps, &arg);
}

static int make_status(struct worker *w, const struct call *c)
{
	struct fax_status arg = {};
	int ret = IOCTL(FAX_IOC_STATUS, fax_status, &arg);

	if (!ret)
		coverage_answer(w->id, 0x90000000 | arg.state << 20 | arg.claimed << 16 |
				arg.conditions);
	return ret;
}

static struct fax_fmt fmt_of(const uint32_t *a)
{
	return (struct fax_fmt){
		.encoding = a[0], .width = a[1], .rows = a[2], .stride = a[3],
		.xres = a[4], .yres = a[5], .k = a[6], .flags = a[7],
	};
}

static int make_get_fmt(struct worker *w, const struct call *c)
{
	struct fax_fmt arg = {};

	return IOCTL(FAX_IOC_GET_FMT, fax_fmt, &arg);
}

static int make_set_fmt(struct worker *w, const struct call *c)
{
	struct fax_fmt arg = fmt_of(c->args + 1);

	return IOCTL(FAX_IOC_SET_FMT, fax_fmt, &arg);
}

static int make_try_fmt(struct worker *w, const struct call *c)
{
	struct fax_fmt arg = fmt_of(c->args + 1);

	return IOCTL(FAX_IOC_TRY_FMT, fax_fmt, &arg);
}

/* What is allowed but more than the guest has becomes less; what is refused stays. */
static uint64_t affordable(uint64_t bytes)
{
	return bytes > MOST_BYTES && bytes <= FAX_MAX_MEMORY ? bytes % MOST_BYTES : bytes;
}

static int make_buf_alloc(struct worker *w, const struct call *c)
{
	struct fax_buf_alloc arg = { .size = affordable(c->args[2]), .flags = c->args[3] };
	int ret = IOCTL(FAX_IOC_BUF_ALLOC, fax_buf_alloc, &arg);

	return ret ?: keep(fds, c->args[1], arg.fd);
}

static int make_buf_map(struct worker *w, const struct call *c)
{
	struct fax_buf_map arg = { .fd = fd_of(c->args[1]) };
	int ret = IOCTL(FAX_IOC_BUF_MAP, fax_buf_map, &arg);

	if (!ret)
		bufs[c->args[2] % SLOTS] = arg.buf;
	return ret;
}

static int make_buf_unmap(struct worker *w, const struct call *c)
{
	struct fax_buf_unmap arg = { .buf = buf_of(c->args[1]) };

	return IOCTL(FAX_IOC_BUF_UNMAP, fax_buf_unmap, &arg);
}

static int make_pipe_alloc(struct worker *w, const struct call *c)
{
	struct fax_pipe_alloc arg = {
		.width = c->args[2], .rows = c->args[3], .bands = c->args[4], .flags = c->args[5],
	};
	uint64_t bytes = (uint64_t)(arg.width / 8 + 1) * arg.rows;
	int ret;

	if (arg.bands && bytes * arg.bands <= FAX_MAX_MEMORY && bytes * arg.bands > MOST_BYTES)
		arg.rows = arg.rows % 64 + 1;
	ret = IOCTL(FAX_IOC_PIPE_ALLOC, fax_pipe_alloc, &arg);
	return ret ?: keep(fds, c->args[1], arg.fd);
}

/* dev job op flags, eight of the format, pipe nsegs, seven each of three segments */
static int make_submit(struct worker *w, const struct call *c)
{
	static struct fax_seg lists[THREADS][FAX_MAX_SEGS + 2];
	struct fax_seg *segs = lists[w->id];
	const uint32_t *a = c->args, *s;
	struct fax_submit arg = {
		.op = a[2], .flags = a[3], .cookie = a[2], .fmt = fmt_of(a + 4),
		.pipe = fd_of(a[12]), .nsegs = a[13], .segs = (uintptr_t)segs,
	};
	unsigned int i;
	int ret;

	if (arg.flags & FAX_SUBMIT_RESUME)
		arg.job = job_of(a[1]);
	for (i = 0; i < FAX_MAX_SEGS + 2; i++) {
		s = a + 14 + 7 * (i % 3);
		segs[i] = (struct fax_seg){
			.buf = buf_of(s[0]), .dir = s[1], .offset = s[2], .length = s[3],
			.encoding = s[4], .rows = s[5], .flags = s[6],
		};
	}
	if (arg.op == FAX_OP_PRINT)
		dirty_paper = true;
	ret = IOCTL(FAX_IOC_SUBMIT, fax_submit, &arg);
	if (!ret)
		jobs[a[1] % SLOTS] = arg.job;
	return ret;
}

static void note_completion(struct worker *w, const struct fax_completion *c)
{
	coverage_answer(w->id, 0xa0000000 | (uint32_t)(c->cookie & 7) << 24 | c->code << 16 |
			c->peer_code << 8 | c->flags << 4 | !!c->rows_bad << 1 | !!c->rows);
}

/* Room for as many as there can be, each as long as may be asked for. */
static int make_reap(struct worker *w, const struct call *c)
{
	static uint8_t lists[THREADS][FAX_MAX_JOBS * 4096];
	struct fax_reap arg = {
		.completions = (uintptr_t)lists[w->id],
		.size = c->args[1] ?: sizeof(struct fax_completion),
		.count = c->args[2], .flags = c->args[3], .timeout_ms = c->args[4],
	};
	unsigned int i;
	int ret = IOCTL(FAX_IOC_REAP, fax_reap, &arg);

	for (i = 0; !ret && i < arg.count && i < FAX_MAX_JOBS; i++)
		note_completion(w, (const void *)(lists[w->id] + i * arg.size));
	return ret;
}

static int make_cancel(struct worker *w, const struct call *c)
{
	struct fax_cancel arg = { .job = job_of(c->args[1]) };

	return IOCTL(FAX_IOC_CANCEL, fax_cancel, &arg);
}

static int make_cancel_all(struct worker *w, const struct call *c)
{
	struct fax_cancel arg = {};

	return IOCTL(FAX_IOC_CANCEL, fax_cancel, &arg);
}

static int make_claim(struct worker *w, const struct call *c)
{
	struct fax_claim arg = { .flags = c->args[1], .timeout_ms = c->args[2] };

	return IOCTL(FAX_IOC_CLAIM, fax_claim, &arg);
}

static int make_release(struct worker *w, const struct call *c)
{
	return answer(ioctl(dev_of(c->args[0]), FAX_IOC_RELEASE));
}

static int make_event(struct worker *w, const struct call *c)
{
	struct fax_event arg = {};
	int ret = IOCTL(FAX_IOC_EVENT, fax_event, &arg);

	if (!ret)
		coverage_answer(w->id, 0xb0000000 | arg.type << 16 | (arg.conditions & 0xff) << 8 |
				(arg.changed & 0xff));
	return ret;
}

static int make_reset(struct worker *w, const struct call *c)
{
	return answer(ioctl(dev_of(c->args[0]), FAX_IOC_RESET));
}

static int make_lp_status(struct worker *w, const struct call *c)
{
	int bits = 0;
	int ret = answer(ioctl(dev_of(c->args[0]), LPGETSTATUS, &bits));

	coverage_answer(w->id, 0xc0000000 | (bits & 0xff));
	return ret;
}

/* Any number, direction and size, of any words. */
static int make_any(struct worker *w, const struct call *c)
{
	const uint32_t *a = c->args;
	uint32_t *words = (uint32_t *)w->page;
	unsigned int i;

	for (i = 0; i < 64; i++)
		words[i] = a[4 + i % 4];
	return answer(ioctl(dev_of(a[0]), _IOC(a[2] & 3, FAX_IOC_MAGIC, a[1], a[3] % 512), words));
}

/*
 * Files.
 */
static int make_open(struct worker *w, const struct call *c)
{
	static const char *const kinds[] = { "scan", "print", "codec" };
	char path[32];

	snprintf(path, sizeof(path), "/dev/fax%s%u", kinds[c->args[1] % 3], c->args[1] / 3 % 4);
	return keep(devs, c->args[0], open(path, c->args[2] & (O_ACCMODE | O_NONBLOCK)));
}

static int close_slot(_Atomic int *slot)
{
	int fd = atomic_exchange(slot, -1);

	return fd < 0 ? -EBADF : answer(close(fd));
}

static int make_close(struct worker *w, const struct call *c)
{
	return close_slot(&devs[c->args[0] % SLOTS]);
}

static int make_close_fd(struct worker *w, const struct call *c)
{
	return close_slot(&fds[c->args[0] % SLOTS]);
}

static int make_dup(struct worker *w, const struct call *c)
{
	return keep(devs, c->args[1], dup(dev_of(c->args[0])));
}

static int make_dup_fd(struct worker *w, const struct call *c)
{
	return keep(fds, c->args[1], dup(fd_of(c->args[0])));
}

static int make_nonblock(struct worker *w, const struct call *c)
{
	return answer(fcntl(dev_of(c->args[0]), F_SETFL, c->args[1] & 1 ? O_NONBLOCK : 0));
}

static int make_read(struct worker *w, const struct call *c)
{
	static uint8_t mem[THREADS][65536];
	size_t len = c->args[1] % (sizeof(mem[0]) + 1);

	return answer(read(dev_of(c->args[0]), c->quirk == Q_READ_ONLY ? w->read_only : mem[w->id],
			   len));
}

static int make_write(struct worker *w, const struct call *c)
{
	unsigned int i = c->args[2] % 6;
	size_t len = c->args[1] < patterns[i].len ? c->args[1] : patterns[i].len;

	dirty_paper = true;
	return answer(write(dev_of(c->args[0]), c->quirk == Q_NULL ? NULL : patterns[i].mem, len));
}

static int make_fsync(struct worker *w, const struct call *c)
{
	return answer(fsync(dev_of(c->args[0])));
}

static int make_poll(struct worker *w, const struct call *c)
{
	struct pollfd pfd = { .fd = dev_of(c->args[0]), .events = c->args[1] };
	int ret = answer(poll(&pfd, 1, c->args[2] > 20 ? 20 : c->args[2]));

	coverage_answer(w->id, 0xd0000000 | (uint16_t)pfd.revents);
	return ret;
}

static int make_mmap_dev(struct worker *w, const struct call *c)
{
	void *mem = mmap(NULL, 4096, PROT_READ, MAP_SHARED, dev_of(c->args[0]), 0);

	if (mem == MAP_FAILED)
		return -errno;
	munmap(mem, 4096);
	return 0;
}

static void *map_fd(int fd, size_t *size)
{
	off_t end = lseek(fd, 0, SEEK_END);

	*size = end > 0 && end <= MOST_BYTES ? end : 4096;
	return mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static int make_fill(struct worker *w, const struct call *c)
{
	unsigned int i = c->args[1] % 6;
	size_t size;
	void *mem = map_fd(fd_of(c->args[0]), &size);

	if (mem == MAP_FAILED)
		return -errno;
	run_disarm(w);
	memcpy(mem, patterns[i].mem, size < patterns[i].len ? size : patterns[i].len);
	munmap(mem, size);
	return 0;
}

/* It stays until the program ends, whatever becomes of the rest. */
static int make_mmap(struct worker *w, const struct call *c)
{
	size_t size;
	void *mem;
	unsigned int i = atomic_fetch_add(&nmaps, 1);

	if (i >= MAPS)
		return -ENOSPC;
	mem = map_fd(fd_of(c->args[0]), &size);
	maps[i].size = mem == MAP_FAILED ? 0 : size;
	maps[i].mem = mem;
	if (mem == MAP_FAILED)
		return -errno;
	run_disarm(w);
	memset(mem, 0x55, size);
	return 0;
}

static int make_sync(struct worker *w, const struct call *c)
{
	struct dma_buf_sync sync = { .flags = c->args[1] % 8 };

	return answer(ioctl(fd_of(c->args[0]), DMA_BUF_IOCTL_SYNC, &sync));
}

/* What is needed of DRM's user interface; its headers come with a library, not with libc. */
struct dumb {
	uint32_t height, width, bpp, flags, handle, pitch;
	uint64_t size;
};

struct prime {
	uint32_t handle, flags;
	int32_t fd;
};

#define CREATE_DUMB	_IOWR('d', 0xb2, struct dumb)
#define DESTROY_DUMB	_IOWR('d', 0xb4, uint32_t)
#define HANDLE_TO_FD	_IOWR('d', 0x2d, struct prime)

/* A buffer that another driver made. */
static int make_foreign(struct worker *w, const struct call *c)
{
	struct dumb dumb = { .width = c->args[1] % MOST_BYTES, .height = 1, .bpp = 8 };
	struct prime prime = { .flags = O_RDWR | O_CLOEXEC };
	int ret = answer(ioctl(vgem, CREATE_DUMB, &dumb));

	if (ret)
		return ret;
	prime.handle = dumb.handle;
	ret = answer(ioctl(vgem, HANDLE_TO_FD, &prime));
	ioctl(vgem, DESTROY_DUMB, &dumb.handle);
	return ret ?: keep(fds, c->args[0], prime.fd);
}

/*
 * The board and its paper.
 */
static int write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY), ret;

	if (fd < 0)
		return -errno;
	ret = answer(write(fd, data, len));
	if (close(fd) && ret >= 0)
		ret = -errno;
	return ret < 0 ? ret : 0;
}

static int write_number(const char *path, uint32_t value)
{
	char text[16];

	return write_file(path, text, snprintf(text, sizeof(text), "%u", value));
}

static const char *const knobs[] = {
	"paper", "cover", "jam", "jam_scan_at", "jam_print_at", "rows_per_second", "feeder_clear",
	"tray_clear", "feeder_xres", "feeder_yres",
};
const unsigned int nknobs = sizeof(knobs) / sizeof(knobs[0]);

static int make_knob(struct worker *w, const struct call *c)
{
	char path[96];

	snprintf(path, sizeof(path), CONFIG "sim0/%s", knobs[c->args[0] % nknobs]);
	dirty_knobs = true;
	return write_number(path, c->args[1]);
}

static const char *const queues[] = { "scan", "print", "encode", "decode" };
static const char *const faults[] = {
	"dma_error", "drop_completion", "stuck", "deaf", "ring_error",
};
const unsigned int nqueues = 4, nfaults = 5;

static int set_fault(unsigned int queue, unsigned int fault, uint32_t value)
{
	char path[96];

	snprintf(path, sizeof(path), FAULTS "sim0/%s/%s", queues[queue], faults[fault]);
	return write_number(path, value);
}

static int make_fault(struct worker *w, const struct call *c)
{
	dirty_board = true;
	return set_fault(c->args[0] % nqueues, c->args[1] % nfaults, c->args[2]);
}

/* What a feeder may be given: width, rows, and how much of it comes. */
static int make_feed(struct worker *w, const struct call *c)
{
	uint32_t width = c->args[0], rows = c->args[1];
	static uint8_t mem[THREADS][1 << 17];
	uint8_t *m = mem[w->id];
	size_t head, bytes;

	head = snprintf((char *)m, 64, "P4\n%u %u\n", width, rows);
	bytes = (size_t)(width / 8 + 1) * rows;
	if (bytes > sizeof(mem[0]) - head)
		bytes = sizeof(mem[0]) - head;
	if (width == A4_WIDTH && rows <= ROWS)
		bytes = rows * A4_STRIDE;
	memcpy(m + head, patterns[c->args[2] % 6].mem,
	       bytes < patterns[c->args[2] % 6].len ? bytes : patterns[c->args[2] % 6].len);
	dirty_paper = true;
	return write_file(CONFIG "sim0/feeder", m, head + bytes);
}

static const char *const files[] = {
	CONFIG "sim0/tray", CONFIG "sim0/feeder_count", CONFIG "sim0/tray_count",
	CONFIG "sim0/feeder_error", CONFIG "sim0/live", CONFIG "sim0/suspend", CONFIG "sim0/serial",
	"/sys/class/fax/faxscan0/state", "/sys/class/fax/faxscan0/conditions",
	"/sys/class/fax/faxprint0/state", "/sys/class/fax/faxprint0/conditions",
	"/sys/class/fax/faxprint0/ieee1284_id", "/sys/class/fax/faxscan0/board",
	"/sys/class/fax/faxcodec0/encodings", "/sys/class/fax/faxscan0/resolutions",
	"/sys/class/fax/faxscan0/widths", "/sys/class/fax/faxcodec0/function",
	"/sys/class/fax/faxcodec0/api", "/sys/class/fax/faxcodec0/state",
	"/sys/kernel/debug/fax/faxscan0/jobs", "/sys/kernel/debug/fax/faxprint0/jobs",
	"/sys/kernel/debug/fax/faxcodec0/jobs", "/sys/kernel/debug/faxboard/faxsim.0/registers",
	"/sys/kernel/debug/faxboard/faxsim.0/rings", FAULTS "sim0/dma_windows",
	FAULTS "sim0/dma_errors", FAULTS "sim0/gone",
};
const unsigned int nfiles = sizeof(files) / sizeof(files[0]);

static int make_look(struct worker *w, const struct call *c)
{
	static char text[THREADS][65536];
	int fd = open(files[c->args[0] % nfiles], O_RDONLY), ret;

	if (fd < 0)
		return -errno;
	ret = answer(read(fd, text[w->id], sizeof(text[0])));
	close(fd);
	return ret < 0 ? ret : 0;
}

static int make_live(struct worker *w, const struct call *c)
{
	dirty_board = true;
	return write_number(CONFIG "sim0/live", c->args[0] & 1);
}

static int make_suspend(struct worker *w, const struct call *c)
{
	dirty_board = true;
	return write_number(CONFIG "sim0/suspend", c->args[0] & 1);
}

static int make_pull(struct worker *w, const struct call *c)
{
	dirty_board = true;
	return write_number(FAULTS "sim0/gone", 1);
}

static int make_unbind(struct worker *w, const struct call *c)
{
	const char *file = c->args[0] & 1 ? DRIVER "bind" : DRIVER "unbind";

	dirty_board = true;
	return write_file(file, "faxsim.0", 8);
}

static int make_serial(struct worker *w, const struct call *c)
{
	size_t len = c->args[0] % 64;

	dirty_board = true;
	return write_file(CONFIG "sim0/serial", patterns[5].mem, len);
}

static int make_box(struct worker *w, const struct call *c)
{
	dirty_box = true;
	switch (c->args[0] % 4) {
	case 0:
		return answer(mkdir(CONFIG "box", 0755));
	case 1:
		return write_number(CONFIG "box/live", 1);
	case 2:
		return write_number(CONFIG "box/live", 0);
	default:
		return answer(rmdir(CONFIG "box"));
	}
}

/*
 * Time and signals.
 */
static int make_sleep(struct worker *w, const struct call *c)
{
	usleep(1000 * (c->args[0] % 20));
	return 0;
}

static int make_signal(struct worker *w, const struct call *c)
{
	run_signal(c->args[0] % THREADS);
	return 0;
}

#define FMT	K_ENC, K_WIDTH, K_ROWS, K_STRIDE, K_RES, K_RES, K_K, K_FMTFLAGS
#define SEG	K_BUF, K_DIR, K_OFFSET, K_SIZE, K_ENC, K_ROWS, K_FMTFLAGS

const struct call_type calls[] = {
	{ "open", 10, make_open, { K_DEV, K_NODE, K_OFLAGS } },
	{ "close", 4, make_close, { K_DEV } },
	{ "close_fd", 4, make_close_fd, { K_FD } },
	{ "dup", 1, make_dup, { K_DEV, K_DEV } },
	{ "dup_fd", 1, make_dup_fd, { K_FD, K_FD } },
	{ "nonblock", 2, make_nonblock, { K_DEV, K_BITS } },
	{ "info", 1, make_info, { K_DEV } },
	{ "caps", 1, make_caps, { K_DEV } },
	{ "status", 3, make_status, { K_DEV } },
	{ "get_fmt", 1, make_get_fmt, { K_DEV } },
	{ "set_fmt", 3, make_set_fmt, { K_DEV, FMT } },
	{ "try_fmt", 1, make_try_fmt, { K_DEV, FMT } },
	{ "buf_alloc", 4, make_buf_alloc, { K_DEV, K_FD, K_SIZE, K_BITS } },
	{ "buf_map", 5, make_buf_map, { K_DEV, K_FD, K_BUF } },
	{ "buf_unmap", 4, make_buf_unmap, { K_DEV, K_BUF } },
	{ "pipe_alloc", 4, make_pipe_alloc, { K_DEV, K_FD, K_WIDTH, K_ROWS, K_BANDS, K_BITS } },
	{ "submit", 14, make_submit,
	  { K_DEV, K_JOB, K_OP, K_SUBMIT, FMT, K_FD, K_NSEGS, SEG, SEG, SEG } },
	{ "reap", 10, make_reap, { K_DEV, K_SIZE, K_COUNT, K_BITS, K_MS } },
	{ "cancel", 4, make_cancel, { K_DEV, K_JOB } },
	{ "cancel_all", 3, make_cancel_all, { K_DEV } },
	{ "claim", 4, make_claim, { K_DEV, K_BITS, K_MS } },
	{ "release", 3, make_release, { K_DEV } },
	{ "event", 5, make_event, { K_DEV } },
	{ "reset", 2, make_reset, { K_DEV } },
	{ "lp_status", 1, make_lp_status, { K_DEV } },
	{ "any", 1, make_any, { K_DEV, K_NR, K_BITS, K_SIZE, K_U32, K_U32, K_U32, K_U32 } },
	{ "read", 6, make_read, { K_DEV, K_SIZE } },
	{ "write", 6, make_write, { K_DEV, K_SIZE, K_PATTERN } },
	{ "fsync", 4, make_fsync, { K_DEV } },
	{ "poll", 3, make_poll, { K_DEV, K_POLL, K_MS } },
	{ "mmap_dev", 1, make_mmap_dev, { K_DEV } },
	{ "mmap", 1, make_mmap, { K_FD } },
	{ "fill", 3, make_fill, { K_FD, K_PATTERN } },
	{ "sync", 1, make_sync, { K_FD, K_BITS } },
	{ "foreign", 2, make_foreign, { K_FD, K_SIZE } },
	{ "knob", 6, make_knob, { K_KNOB, K_VALUE } },
	{ "fault", 2, make_fault, { K_QUEUE, K_FAULT, K_VALUE } },
	{ "feed", 4, make_feed, { K_WIDTH, K_ROWS, K_PATTERN } },
	{ "look", 4, make_look, { K_FILE } },
	{ "live", 1, make_live, { K_BITS } },
	{ "suspend", 2, make_suspend, { K_BITS } },
	{ "pull", 1, make_pull, {} },
	{ "unbind", 1, make_unbind, { K_BITS } },
	{ "serial", 1, make_serial, { K_COUNT } },
	{ "box", 2, make_box, { K_U32 } },
	{ "sleep", 2, make_sleep, { K_MS } },
	{ "signal", 1, make_signal, { K_THREAD } },
};
const unsigned int ncalls = sizeof(calls) / sizeof(calls[0]);

int call_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < ncalls; i++)
		if (!strcmp(calls[i].name, name))
			return i;
	return -1;
}

/*
 * Before all programs, and between them.
 */
static void make_patterns(void)
{
	static uint8_t zeros[1 << 16], noise[1 << 16];
	static const uint32_t encodings[] = { FAX_ENC_MMR, FAX_ENC_MH, FAX_ENC_MR };
	struct rng r = { .state = 1 };
	struct fax_fmt fmt;
	unsigned int i;

	for (i = 0; i < sizeof(noise); i++)
		noise[i] = rng_next(&r);
	patterns[0].mem = zeros;
	patterns[0].len = sizeof(zeros);
	patterns[1].mem = page_make(A4_WIDTH, ROWS, 7);
	patterns[1].len = ROWS * A4_STRIDE;
	for (i = 0; i < 3; i++) {
		fmt = fmt_coded(encodings[i], A4_WIDTH, ROWS, FAX_FMT_END);
		if (encodings[i] != FAX_ENC_MMR)
			fmt.flags |= FAX_FMT_EOL;
		patterns[2 + i].mem = t4_code(patterns[1].mem, &fmt, &patterns[2 + i].len);
	}
	patterns[5].mem = noise;
	patterns[5].len = sizeof(noise);
}

static void open_slots(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		devs[i] = -1;
		fds[i] = -1;
		bufs[i] = 0;
		jobs[i] = 0;
	}
}

static void close_slots(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		put_fd(&devs[i], -1);
		put_fd(&fds[i], -1);
		bufs[i] = 0;
		jobs[i] = 0;
	}
	for (i = 0; i < nmaps && i < MAPS; i++)
		if (maps[i].size)
			munmap(maps[i].mem, maps[i].size);
	nmaps = 0;
}

/* Out and in again: what was wrong with it has gone, and its nodes have their numbers back. */
static void renew_board(void)
{
	unsigned int q, f;
	int i;

	for (q = 0; q < nqueues; q++)
		for (f = 0; f < nfaults; f++)
			set_fault(q, f, 0);
	for (i = 0; i < 50; i++) {
		write_number(CONFIG "sim0/live", 0);
		write_number(CONFIG "sim0/live", 1);
		if (!access(SCANNER, F_OK) && !access(PRINTER, F_OK) && !access(CODER, F_OK))
			return;
		usleep(20000);
	}
	bail("the board does not come back as it was: a node is held by nobody");
}

static void remove_box(void)
{
	write_number(CONFIG "box/live", 0);
	rmdir(CONFIG "box");
}

/* A page that was written and closed is still printed: the next program shall not meet it. */
static bool printer_rests(void)
{
	int fd = open(PRINTER, O_WRONLY), i;
	struct fax_status status = { .jobs = 1 };

	for (i = 0; fd >= 0 && status.jobs && i < 50; i++) {
		if (i)
			usleep(1000);
		memset(&status, 0, sizeof(status));
		if (ioctl(fd, FAX_IOC_STATUS, &status))
			break;
	}
	close(fd);
	return fd >= 0 && i < 50;
}

void calls_clean(void)
{
	close_slots();
	if (dirty_box)
		remove_box();
	if (dirty_knobs) {
		sim_set("feeder_xres", "8000");
		sim_set("feeder_yres", "7700");
		sim_reset();
	}
	if (dirty_paper || dirty_knobs)
		dirty_board |= !printer_rests();
	if (dirty_board)
		renew_board();
	if (dirty_paper) {
		sim_set("paper", "250");
		sim_set("feeder_clear", "1");
		sim_set("tray_clear", "1");
	}
	dirty_box = false;
	dirty_paper = false;
	dirty_knobs = false;
	dirty_board = false;
}

static int open_vgem(void)
{
	char path[32];
	int i, fd = -1;

	for (i = 0; fd < 0 && i < 8; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR);
	}
	return fd;
}

void calls_init(void)
{
	make_patterns();
	open_slots();
	vgem = open_vgem();
	renew_board();
	sim_reset();
}
