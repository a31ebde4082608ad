// SPDX-License-Identifier: LGPL-2.1-or-later
/* The board under test: opens and calls. What goes wrong here fails the rule. */
#include <poll.h>
#include <time.h>
#include <sys/mman.h>

#include "compliance.h"

#define REAP_MS		60000
#define MAX_INDEX	64

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

const char *function_name(uint32_t function)
{
	static const char *const names[] = { "", "scanner", "printer", "coder" };

	return names[function];
}

const struct node *node_of(uint32_t function)
{
	return &here.nodes[function];
}

int open_flags(uint32_t function)
{
	static const int flags[] = {
		[FAX_FUNC_SCAN] = O_RDONLY, [FAX_FUNC_PRINT] = O_WRONLY, [FAX_FUNC_CODEC] = O_RDWR,
	};

	return flags[function];
}

int open_node(uint32_t function, int more_flags)
{
	int fd = open(node_of(function)->path, open_flags(function) | more_flags);

	if (fd < 0)
		fail("open of %s: %s", node_of(function)->path, strerror(errno));
	return fd;
}

/* Scanner and printer take pairs of their list alone; a coder does not mind. */
static void set_resolution(const struct fax_caps *caps, struct fax_fmt *fmt)
{
	uint32_t i;

	fmt->xres = FAX_RES_8_MM;
	fmt->yres = FAX_RES_7_7_MM;
	for (i = 0; i < caps->nresolutions; i++)
		if (caps->resolutions[i].x == fmt->xres && caps->resolutions[i].y == fmt->yres)
			return;
	if (caps->nresolutions) {
		fmt->xres = caps->resolutions[0].x;
		fmt->yres = caps->resolutions[0].y;
	}
}

struct fax_fmt fmt_raw(uint32_t function, uint32_t width, uint32_t rows)
{
	struct fax_fmt fmt = { .encoding = FAX_ENC_RAW, .width = width, .rows = rows };

	set_resolution(&node_of(function)->caps, &fmt);
	return fmt;
}

uint32_t page_width(void)
{
	const struct fax_caps *caps;
	struct fax_fmt fmt;
	uint32_t f, i;

	for (f = FAX_FUNC_SCAN; f <= FAX_FUNC_PRINT; f++) {
		caps = &node_of(f)->caps;
		if (!node_of(f)->path[0] || !caps->nwidths)
			continue;
		fmt = fmt_raw(f, 0, 0);
		for (i = 0; i < caps->nwidths; i++)
			if (caps->widths[i] == 1728 && fmt.xres == FAX_RES_8_MM)
				return 1728;
		return (uint64_t)caps->widths[0] * fmt.xres / FAX_RES_8_MM;
	}
	return 1728;
}

/* Opens a node and asks who it is. 0 or -errno. */
int probe_node(const char *path, struct node *node)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY };
	int fd = -1, ret = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes) && fd < 0; i++)
		fd = open(path, modes[i] | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	memset(node, 0, sizeof(*node));
	if (ioctl(fd, FAX_IOC_INFO, &node->info) || ioctl(fd, FAX_IOC_CAPS, &node->caps))
		ret = -errno;
	else if (node->info.function < FAX_FUNC_SCAN || node->info.function > FAX_FUNC_CODEC)
		ret = -EPROTO;
	else
		snprintf(node->path, sizeof(node->path), "%s", path);
	close(fd);
	return ret;
}

/* The first node of each function that is @serial's, or of the first board's. */
bool find_board(const char *serial)
{
	static const char *const kinds[] = { "scan", "print", "codec" };
	uint64_t board = 0;
	struct node node, found[ARRAY_SIZE(here.nodes)] = {};
	char path[32];
	size_t k;
	int i;

	for (i = 0; i < MAX_INDEX; i++) {
		for (k = 0; k < ARRAY_SIZE(kinds); k++) {
			snprintf(path, sizeof(path), "/dev/fax%s%d", kinds[k], i);
			if (probe_node(path, &node))
				continue;
			if (serial && strncmp((char *)node.info.serial, serial,
					      sizeof(node.info.serial)))
				continue;
			if (board && node.info.board_id != board)
				continue;
			board = node.info.board_id;
			if (!found[node.info.function].path[0])
				found[node.info.function] = node;
		}
	}
	if (board)
		memcpy(here.nodes, found, sizeof(found));
	return board;
}

struct fax_status status_of(int dev)
{
	struct fax_status status = {};

	expect_errno(ioctl(dev, FAX_IOC_STATUS, &status), 0, "STATUS");
	return status;
}

void wait_idle(int dev)
{
	double end = now() + 5;

	while (status_of(dev).jobs) {
		expect(now() < end, "%u jobs are left after 5 s", status_of(dev).jobs);
		usleep(2000);
	}
}

/*
 * Buffers, pipes.
 */

int buf_alloc(int dev, uint64_t size, struct fax_buf_alloc *alloc)
{
	*alloc = (struct fax_buf_alloc){ .size = size, .flags = O_CLOEXEC };
	return ioctl(dev, FAX_IOC_BUF_ALLOC, alloc);
}

struct buf buf_unseen(int dev, uint64_t size)
{
	struct fax_buf_alloc alloc;
	struct fax_buf_map map = {};

	expect_errno(buf_alloc(dev, size, &alloc), 0, "BUF_ALLOC of %llu bytes",
		     (unsigned long long)size);
	map.fd = alloc.fd;
	expect_errno(ioctl(dev, FAX_IOC_BUF_MAP, &map), 0, "BUF_MAP");
	return (struct buf){ .fd = alloc.fd, .handle = map.buf, .size = map.size };
}

void buf_view(struct buf *buf)
{
	buf->mem = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);
	expect(buf->mem != MAP_FAILED, "mmap of a buffer: %s", strerror(errno));
}

struct buf buf_new(int dev, uint64_t size)
{
	struct buf buf = buf_unseen(dev, size);

	buf_view(&buf);
	return buf;
}

int pipe_new(int dev, uint32_t width, uint32_t rows, uint32_t bands)
{
	struct fax_pipe_alloc pipe = {
		.width = width, .rows = rows, .bands = bands, .flags = O_CLOEXEC,
	};

	expect_errno(ioctl(dev, FAX_IOC_PIPE_ALLOC, &pipe), 0, "PIPE_ALLOC");
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

/*
 * Jobs.
 */

int submit(int dev, uint32_t op, uint32_t flags, const struct fax_fmt *fmt, int pipe,
	   const struct fax_seg *segs, uint32_t nsegs, uint32_t *job)
{
	struct fax_submit arg = {
		.op = op, .flags = flags, .pipe = pipe, .nsegs = nsegs,
		.segs = (uintptr_t)segs, .cookie = 0xc00c1e0000000000 + op, .fmt = *fmt,
		.job = job ? *job : 0,
	};

	if (ioctl(dev, FAX_IOC_SUBMIT, &arg))
		return -errno;
	if (job)
		*job = arg.job;
	return 0;
}

uint32_t must_submit(int dev, uint32_t op, uint32_t flags, const struct fax_fmt *fmt, int pipe,
		     const struct fax_seg *segs, uint32_t nsegs)
{
	uint32_t job = 0;

	expect_errno(submit(dev, op, flags, fmt, pipe, segs, nsegs, &job), 0,
		     "SUBMIT of operation %u", op);
	return job;
}

int reap(int dev, struct fax_completion *c, uint32_t timeout_ms)
{
	struct fax_reap arg = {
		.completions = (uintptr_t)c, .size = sizeof(*c), .count = 1,
		.timeout_ms = timeout_ms, .flags = timeout_ms ? 0 : FAX_NONBLOCK,
	};

	return ioctl(dev, FAX_IOC_REAP, &arg) ? -errno : 0;
}

struct fax_completion must_reap(int dev)
{
	struct fax_completion c = {};

	expect_errno(reap(dev, &c, REAP_MS), 0, "REAP");
	return c;
}

int cancel(int dev, uint32_t job)
{
	struct fax_cancel arg = { .job = job };

	return ioctl(dev, FAX_IOC_CANCEL, &arg) ? -errno : 0;
}

int claim(int dev, uint32_t flags, uint32_t timeout_ms)
{
	struct fax_claim arg = { .flags = flags, .timeout_ms = timeout_ms };

	return ioctl(dev, FAX_IOC_CLAIM, &arg) ? -errno : 0;
}

bool wait_event(int dev, uint32_t type, struct fax_event *event, int timeout_ms)
{
	struct pollfd pfd = { .fd = dev, .events = POLLPRI };

	do {
		memset(event, 0, sizeof(*event));
		if (poll(&pfd, 1, timeout_ms) != 1 || !(pfd.revents & POLLPRI) ||
		    ioctl(dev, FAX_IOC_EVENT, event))
			return false;
	} while (event->type != type);
	return true;
}

uint32_t submit_endless(int dev, uint32_t function)
{
	static const uint32_t ops[] = {
		[FAX_FUNC_SCAN] = FAX_OP_SCAN, [FAX_FUNC_PRINT] = FAX_OP_PRINT,
		[FAX_FUNC_CODEC] = FAX_OP_ENCODE,
	};
	uint32_t width = page_width();
	int pipe = pipe_new(dev, width, 16, 2);
	struct fax_fmt fmt = fmt_raw(function, width, 0);
	struct fax_seg seg = {};
	struct buf buf;

	if (function != FAX_FUNC_CODEC)
		return must_submit(dev, ops[function], 0, &fmt, pipe, NULL, 0);
	buf = buf_unseen(dev, 4096);
	seg = seg_out(&buf, 0, buf.size);
	fmt.encoding = FAX_ENC_MMR;
	return must_submit(dev, FAX_OP_ENCODE, 0, &fmt, pipe, &seg, 1);
}
