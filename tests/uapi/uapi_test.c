// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sys/mman.h>

#include <t4.h>
#include "uapi_test.h"

#define SIM	"/sys/kernel/config/faxsim/sim0/"

static int tests, failed;

void bail(const char *why, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, why);
	vprintf(why, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

static void report(bool passed, const char *name, va_list ap)
{
	printf("%sok %d - ", passed ? "" : "not ", ++tests);
	vprintf(name, ap);
	printf("\n");
	fflush(stdout);
	failed += !passed;
}

void check(bool passed, const char *name, ...)
{
	va_list ap;

	va_start(ap, name);
	report(passed, name, ap);
	va_end(ap);
}

/* @ret: of a system call (then errno counts), or 0 or -errno; @wanted: errno or 0 */
void check_errno(int ret, int wanted, const char *name, ...)
{
	int got = ret == -1 ? errno : ret < 0 ? -ret : 0;
	va_list ap;

	if (got != wanted)
		printf("# got %s, not %s\n", strerror(got), strerror(wanted));
	va_start(ap, name);
	report(got == wanted, name, ap);
	va_end(ap);
}

void check_u64(uint64_t got, uint64_t wanted, const char *name, ...)
{
	va_list ap;

	if (got != wanted)
		printf("# got %llu, not %llu\n", (unsigned long long)got,
		       (unsigned long long)wanted);
	va_start(ap, name);
	report(got == wanted, name, ap);
	va_end(ap);
}

int done_testing(void)
{
	printf("1..%d\n", tests);
	return failed != 0;
}

/*
 * The simulated board.
 */

void sim_set(const char *knob, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), SIM "%s", knob);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		bail("%s: %s", path, strerror(errno));
	close(fd);
}

long sim_get(const char *knob)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), SIM "%s", knob);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
	return strtol(text, NULL, 0);
}

const char *sim_device(const char *node, const char *which)
{
	static char target[256];
	char path[128];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/class/fax/%s/device%s", strrchr(node, '/') + 1, which);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		bail("%s: %s", path, strerror(errno));
	target[len] = '\0';
	return strrchr(target, '/') + 1;
}

void sim_reset(void)
{
	sim_set("cover", "0");
	sim_set("jam_scan_at", "0");
	sim_set("jam_print_at", "0");
	sim_set("jam", "0");
	sim_set("paper", "250");
	sim_set("rows_per_second", "0");
	sim_set("feeder_clear", "1");
	sim_set("tray_clear", "1");
}

void sim_live(bool live)
{
	sim_set("live", live ? "1" : "0");
}

void sim_feed(const uint8_t *pixels, uint32_t width, uint32_t rows)
{
	size_t size = (size_t)rows * ((width + 7) / 8);
	char head[64];
	int n = snprintf(head, sizeof(head), "P4\n%u %u\n", width, rows);
	uint8_t *all = malloc(n + size);
	int fd = open(SIM "feeder", O_WRONLY);
	size_t done = 0;
	ssize_t ret;

	if (fd < 0 || !all)
		bail("feeder: %s", strerror(errno));
	memcpy(all, head, n);
	memcpy(all + n, pixels, size);
	while (done < n + size) {
		ret = write(fd, all + done, n + size - done);
		if (ret <= 0)
			bail("feeder: %s", strerror(errno));
		done += ret;
	}
	close(fd);
	free(all);
}

/* All of the tray, and where its last image begins. */
uint8_t *sim_printed(uint32_t *width, uint32_t *rows)
{
	size_t size = 64u << 20, len = 0, at = 0, next;
	uint8_t *all = malloc(size + 1), *page;
	int fd = open(SIM "tray", O_RDONLY), n;
	ssize_t ret;

	if (fd < 0 || !all)
		bail("tray: %s", strerror(errno));
	while (len < size && (ret = read(fd, all + len, size - len)) > 0)
		len += ret;
	close(fd);
	all[len] = 0;
	*width = 0;
	*rows = 0;
	for (next = 0; next < len; ) {
		n = 0;
		if (sscanf((char *)all + next, "P4%u %u%n", width, rows, &n) != 2)
			bail("tray: no image at byte %zu", next);
		at = next + n + 1;
		next = at + (size_t)*rows * ((*width + 7) / 8);
	}
	if (next != len)
		bail("tray: the last image is cut");
	page = malloc(next - at + 1);
	memcpy(page, all + at, next - at);
	free(all);
	return page;
}

/*
 * Pages: strokes of changing length between white rows, so that each row says
 * which it is.
 */
uint8_t *page_make(uint32_t width, uint32_t rows, unsigned int seed)
{
	uint32_t stride = (width + 7) / 8, x, y, run = 0;
	uint8_t *page = calloc(rows, stride);
	bool black = false;

	if (!page)
		bail("memory");
	for (y = 0; y < rows; y++) {
		if (y % 5 == 4)
			continue;
		for (x = 0; x < width; x++) {
			if (!run--) {
				seed = seed * 1103515245 + 12345;
				run = 1 + (seed >> 16) % (black ? 23 : 97);
				black = !black;
			}
			if (black)
				page[y * stride + x / 8] |= 0x80 >> x % 8;
		}
	}
	return page;
}

/*
 * Calls.
 */

int open_dev(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		bail("%s: %s", path, strerror(errno));
	return fd;
}

int wait_dev(const char *path, int flags)
{
	int i, fd;

	for (i = 0; i < 500; i++) {
		fd = open(path, flags);
		if (fd >= 0)
			return fd;
		usleep(10000);
	}
	bail("%s does not come: %s", path, strerror(errno));
}

struct fax_fmt fmt_raw(uint32_t width, uint32_t rows)
{
	return (struct fax_fmt){
		.width = width, .rows = rows, .xres = FAX_RES_8_MM, .yres = FAX_RES_7_7_MM,
	};
}

struct fax_fmt fmt_coded(uint32_t encoding, uint32_t width, uint32_t rows, uint32_t flags)
{
	struct fax_fmt fmt = fmt_raw(width, rows);

	fmt.encoding = encoding;
	fmt.flags = flags;
	return fmt;
}

struct fax_status status_of(int dev)
{
	struct fax_status status = {};

	if (ioctl(dev, FAX_IOC_STATUS, &status))
		bail("STATUS: %s", strerror(errno));
	return status;
}

struct buf buf_new(int dev, uint64_t size)
{
	struct fax_buf_alloc alloc = { .size = size, .flags = O_CLOEXEC };
	struct fax_buf_map map = {};
	struct buf buf;

	if (ioctl(dev, FAX_IOC_BUF_ALLOC, &alloc))
		bail("BUF_ALLOC: %s", strerror(errno));
	map.fd = alloc.fd;
	if (ioctl(dev, FAX_IOC_BUF_MAP, &map))
		bail("BUF_MAP: %s", strerror(errno));
	buf.fd = alloc.fd;
	buf.handle = map.buf;
	buf.size = map.size;
	buf.mem = mmap(NULL, buf.size, PROT_READ | PROT_WRITE, MAP_SHARED, buf.fd, 0);
	if (buf.mem == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	return buf;
}

void buf_free(int dev, struct buf *buf)
{
	struct fax_buf_unmap unmap = { .buf = buf->handle };

	if (ioctl(dev, FAX_IOC_BUF_UNMAP, &unmap))
		bail("BUF_UNMAP: %s", strerror(errno));
	munmap(buf->mem, buf->size);
	close(buf->fd);
}

int pipe_new(int dev, uint32_t width, uint32_t rows, uint32_t bands)
{
	struct fax_pipe_alloc pipe = {
		.width = width, .rows = rows, .bands = bands, .flags = O_CLOEXEC,
	};

	if (ioctl(dev, FAX_IOC_PIPE_ALLOC, &pipe))
		bail("PIPE_ALLOC: %s", strerror(errno));
	return pipe.fd;
}

struct fax_seg seg_in(const struct buf *buf, uint64_t offset, uint64_t length)
{
	return (struct fax_seg){
		.buf = buf->handle, .dir = FAX_SEG_IN, .offset = offset, .length = length,
	};
}

struct fax_seg seg_out(const struct buf *buf, uint64_t offset, uint64_t length)
{
	struct fax_seg seg = seg_in(buf, offset, length);

	seg.dir = FAX_SEG_OUT;
	return seg;
}

int submit(int dev, uint32_t op, uint32_t flags, const struct fax_fmt *fmt, int pipe,
	   const struct fax_seg *segs, uint32_t nsegs, uint32_t *job)
{
	struct fax_submit s = {
		.op = op, .flags = flags, .pipe = pipe, .nsegs = nsegs,
		.segs = (uintptr_t)segs, .cookie = 0x1000 + op,
	};

	if (fmt)
		s.fmt = *fmt;
	if (job)
		s.job = *job;
	if (ioctl(dev, FAX_IOC_SUBMIT, &s))
		return -errno;
	if (job)
		*job = s.job;
	return 0;
}

uint32_t must_submit(int dev, uint32_t op, uint32_t flags, const struct fax_fmt *fmt, int pipe,
		     const struct fax_seg *segs, uint32_t nsegs)
{
	uint32_t job = 0;
	int ret = submit(dev, op, flags, fmt, pipe, segs, nsegs, &job);

	if (ret)
		bail("SUBMIT of operation %u: %s", op, strerror(-ret));
	return job;
}

int reap(int dev, struct fax_completion *c, uint32_t timeout_ms)
{
	struct fax_reap r = {
		.completions = (uintptr_t)c, .size = sizeof(*c), .count = 1,
		.timeout_ms = timeout_ms, .flags = timeout_ms ? 0 : FAX_NONBLOCK,
	};

	return ioctl(dev, FAX_IOC_REAP, &r) ? -errno : 0;
}

struct fax_completion must_reap(int dev)
{
	struct fax_completion c = {};
	int ret = reap(dev, &c, 20000);

	if (ret)
		bail("REAP: %s", strerror(-ret));
	return c;
}

int cancel(int dev, uint32_t job)
{
	struct fax_cancel arg = { .job = job };

	return ioctl(dev, FAX_IOC_CANCEL, &arg) ? -errno : 0;
}

int next_event(int dev, struct fax_event *event, int timeout_ms)
{
	struct pollfd pfd = { .fd = dev, .events = POLLPRI };

	memset(event, 0, sizeof(*event));
	if (poll(&pfd, 1, timeout_ms) != 1 || !(pfd.revents & POLLPRI))
		return -ETIMEDOUT;
	return ioctl(dev, FAX_IOC_EVENT, event) ? -errno : 0;
}

/* Skips those of other types. */
bool wait_event(int dev, uint32_t type, struct fax_event *event, int timeout_ms)
{
	do {
		if (next_event(dev, event, timeout_ms))
			return false;
	} while (event->type != type);
	return true;
}

/*
 * The reference.
 */

uint8_t *t4_code(const uint8_t *pixels, const struct fax_fmt *fmt, size_t *len)
{
	static const uint8_t codings[] = {
		[FAX_ENC_MH] = T4_MH, [FAX_ENC_MR] = T4_MR, [FAX_ENC_MMR] = T4_MMR,
	};
	static const struct {
		uint32_t fax;
		uint32_t t4;
	} flags[] = {
		{ FAX_FMT_EOL, T4_F_EOL }, { FAX_FMT_EOL_ALIGN, T4_F_ALIGN },
		{ FAX_FMT_END, T4_F_END }, { FAX_FMT_LSB_FIRST, T4_F_LSB_FIRST },
		{ FAX_FMT_BLACK_IS_0, T4_F_BLACK_IS_0 },
	};
	struct t4_params p = {
		.width = fmt->width, .coding = codings[fmt->encoding], .k = fmt->k,
	};
	struct t4_encoder *e = malloc(sizeof(*e));
	size_t size = 64 + (size_t)fmt->rows * t4_row_bound(fmt->width), n;
	uint8_t *out = malloc(size);
	uint32_t taken;
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (fmt->flags & flags[i].fax)
			p.flags |= flags[i].t4;
	if (!e || !out || t4_encoder_init(e, &p) < 0)
		bail("the reference coder does not start");
	if (t4_encode(e, pixels, (fmt->width + 7) / 8, fmt->rows, &taken, out, size, len) !=
		    T4_OK ||
	    t4_encode_end(e, out + *len, size - *len, &n) != T4_DONE)
		bail("the reference coder fails");
	*len += n;
	free(e);
	return out;
}
