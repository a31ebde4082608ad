/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "fake_kernel.h"

#define FDS 256
#define DONE_MAX 8

enum fd_kind {
	FD_NONE,
	FD_NODE,
	FD_BUF,
	FD_PIPE,
};

static struct fake_fd {
	enum fd_kind kind;
	uint32_t function;
	uint64_t board;
	uint8_t *memory;
	size_t size;
	uint32_t handle;
	struct fax_completion done[DONE_MAX];
	unsigned int ndone;
	struct fax_event event;
	bool has_event;
} fds[FDS];

struct fake_kernel fake_kernel;

static int new_fd(enum fd_kind kind)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert(fd >= 0 && fd < FDS && fds[fd].kind == FD_NONE);
	fds[fd] = (struct fake_fd){ .kind = kind };
	return fd;
}

static int fail(int code)
{
	errno = code;
	return -1;
}

static int fake_open(const char *path, int flags)
{
	unsigned long long board;
	char function[8];
	int fd;

	if (sscanf(path, "%llu/%7s", &board, function) != 2)
		return fail(ENOENT);
	fd = new_fd(FD_NODE);
	fds[fd].board = fake_kernel.next_board_id ?: board;
	fds[fd].function = !strncmp(function, "scan", 4)  ? FAX_FUNC_SCAN :
			   !strncmp(function, "print", 5) ? FAX_FUNC_PRINT :
							FAX_FUNC_CODEC;
	fake_kernel.opens++;
	return fd;
}

static int fake_close(int fd)
{
	struct fake_fd *f = &fds[fd];

	assert(f->kind != FD_NONE);
	fake_kernel.opens -= f->kind == FD_NODE;
	fake_kernel.bufs_open -= f->kind == FD_BUF;
	fake_kernel.pipes_open -= f->kind == FD_PIPE;
	free(f->memory);
	*f = (struct fake_fd){};
	return close(fd);
}

static int do_caps(struct fake_fd *f, struct fax_caps *c)
{
	*c = (struct fax_caps){
		.encodings = 1u << FAX_ENC_RAW,
		.width_min = 8,
		.width_max = FAX_MAX_WIDTH,
		.rows_max = 40000,
		.fmt_flags = FAX_FMT_FLAGS,
	};
	if (f->function == FAX_FUNC_CODEC) {
		c->encodings = 0xf;
		c->decodings = 0xf;
		return 0;
	}
	c->nwidths = 3;
	c->widths[0] = 1728;
	c->widths[1] = 2048;
	c->widths[2] = 2432;
	c->nresolutions = 3;
	c->resolutions[0] = (struct fax_resolution){ FAX_RES_8_MM, FAX_RES_3_85_MM };
	c->resolutions[1] = (struct fax_resolution){ FAX_RES_8_MM, FAX_RES_7_7_MM };
	c->resolutions[2] = (struct fax_resolution){ FAX_RES_16_MM, FAX_RES_15_4_MM };
	return 0;
}

static int do_info(struct fake_fd *f, struct fax_info *info)
{
	*info = (struct fax_info){
		.function = f->function,
		.api = FAX_API_REVISION,
		.board_id = f->board,
		.functions = fake_kernel.functions,
	};
	strcpy((char *)info->board, "Fake");
	snprintf((char *)info->serial, sizeof(info->serial), "F%u", (unsigned int)f->board);
	return 0;
}

static int do_buf_alloc(struct fax_buf_alloc *a)
{
	a->size = (a->size + 4095) / 4096 * 4096;
	a->fd = new_fd(FD_BUF);
	fds[a->fd].size = a->size;
	fds[a->fd].memory = calloc(1, a->size);
	assert(fds[a->fd].memory);
	fake_kernel.bufs_open++;
	return 0;
}

static int do_buf_map(struct fax_buf_map *m)
{
	assert(fds[m->fd].kind == FD_BUF);
	m->buf = m->fd + 1000;
	m->size = fds[m->fd].size;
	return 0;
}

static int do_pipe(struct fax_pipe_alloc *p)
{
	p->fd = new_fd(FD_PIPE);
	fake_kernel.pipes++;
	fake_kernel.pipes_open++;
	return 0;
}

static struct fake_job *job_by_id(int fd, uint32_t id)
{
	for (unsigned int i = 0; i < fake_kernel.njobs; i++)
		if (fake_kernel.jobs[i].id == id && fake_kernel.jobs[i].fd == fd)
			return &fake_kernel.jobs[i];
	return NULL;
}

/* The pixels lie in a buffer, not in a pipe. */
static bool is_raw_memory(const struct fax_submit *sub)
{
	const struct fax_seg *segs = (const void *)(uintptr_t)sub->segs;

	if (sub->op == FAX_OP_SCAN || sub->op == FAX_OP_PRINT)
		return sub->nsegs;
	/* Code on one side; on the other, where there is one, pixels. */
	return sub->nsegs == 2 && segs[0].dir == FAX_SEG_IN && segs[1].dir == FAX_SEG_OUT;
}

static int do_submit(int fd, struct fax_submit *sub)
{
	struct fake_job *job;

	if (fake_kernel.fail_submit && sub->op == fake_kernel.fail_submit_op)
		return fail(fake_kernel.fail_submit);
	assert(sub->nsegs <= FAX_MAX_SEGS);
	if (sub->flags & FAX_SUBMIT_RESUME) {
		job = job_by_id(fd, sub->job);
		assert(job && sub->nsegs == 1);
		job->resumed = true;
		return 0;
	}
	assert((sub->pipe >= 0) != is_raw_memory(sub));
	assert(sub->pipe < 0 || fds[sub->pipe].kind == FD_PIPE);
	assert(fake_kernel.njobs < 16);
	job = &fake_kernel.jobs[fake_kernel.njobs++];
	*job = (struct fake_job){ .id = fake_kernel.njobs, .fd = fd, .sub = *sub };
	if (sub->nsegs)
		memcpy(job->segs, (void *)(uintptr_t)sub->segs,
		       sub->nsegs * sizeof(job->segs[0]));
	sub->job = job->id;
	return 0;
}

static int do_reap(int fd, struct fax_reap *r)
{
	struct fake_fd *f = &fds[fd];
	struct fax_completion *to = (void *)(uintptr_t)r->completions;
	uint64_t count;

	assert(r->size == sizeof(*to) && r->count >= f->ndone);
	if (!f->ndone)
		return fail(EAGAIN);
	if (read(fd, &count, sizeof(count)) < 0)
		return -1;
	memcpy(to, f->done, f->ndone * sizeof(*to));
	r->count = f->ndone;
	f->ndone = 0;
	return 0;
}

static int do_event(struct fake_fd *f, struct fax_event *event)
{
	if (!f->has_event)
		return fail(EAGAIN);
	*event = f->event;
	f->has_event = false;
	return 0;
}

static int do_cancel(int fd, struct fax_cancel *c)
{
	struct fake_job *job = job_by_id(fd, c->job);

	if (!job)
		return fail(ENOENT);
	job->canceled = true;
	return 0;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct fake_fd *f = &fds[fd];

	assert(f->kind == FD_NODE || (f->kind == FD_BUF && request == DMA_BUF_IOCTL_SYNC));
	fake_kernel.ioctls++;
	switch (request) {
	case FAX_IOC_INFO:
		return do_info(f, arg);
	case FAX_IOC_CAPS:
		return do_caps(f, arg);
	case FAX_IOC_STATUS:
		*(struct fax_status *)arg = f->function == FAX_FUNC_SCAN ? fake_kernel.scan_status :
									   fake_kernel.print_status;
		return 0;
	case FAX_IOC_BUF_ALLOC:
		return do_buf_alloc(arg);
	case FAX_IOC_BUF_MAP:
		return do_buf_map(arg);
	case FAX_IOC_PIPE_ALLOC:
		return do_pipe(arg);
	case FAX_IOC_SUBMIT:
		return do_submit(fd, arg);
	case FAX_IOC_REAP:
		return do_reap(fd, arg);
	case FAX_IOC_CANCEL:
		return do_cancel(fd, arg);
	case FAX_IOC_CLAIM:
		return fake_kernel.claimed_elsewhere ? fail(EAGAIN) : 0;
	case FAX_IOC_EVENT:
		return do_event(f, arg);
	case FAX_IOC_RESET:
		return fail(EPERM);
	case FAX_IOC_BUF_UNMAP:
	case FAX_IOC_RELEASE:
	case DMA_BUF_IOCTL_SYNC:
		return 0;
	default:
		return fail(ENOTTY);
	}
}

static void *fake_map(int fd, size_t len)
{
	assert(fds[fd].kind == FD_BUF && len <= fds[fd].size);
	return fds[fd].memory;
}

static int fake_unmap(void *p, size_t len)
{
	return 0;
}

const struct func_sys fake_kernel_sys = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.map = fake_map,
	.unmap = fake_unmap,
};

void fake_kernel_init(void)
{
	fake_kernel = (struct fake_kernel){};
}

struct fake_job *fake_kernel_job(uint32_t op)
{
	for (unsigned int i = fake_kernel.njobs; i > 0; i--)
		if (fake_kernel.jobs[i - 1].sub.op == op && fake_kernel.jobs[i - 1].id)
			return &fake_kernel.jobs[i - 1];
	return NULL;
}

uint8_t *fake_kernel_memory(uint32_t buf)
{
	assert(fds[buf - 1000].kind == FD_BUF);
	return fds[buf - 1000].memory;
}

void fake_kernel_end(struct fake_job *job, struct fax_completion c)
{
	struct fake_fd *f = &fds[job->fd];
	uint64_t one = 1;
	ssize_t n;

	assert(job->id && f->kind == FD_NODE && f->ndone < DONE_MAX);
	c.cookie = job->sub.cookie;
	c.job = job->id;
	f->done[f->ndone++] = c;
	if (c.code != FAX_CODE_OUT_FULL)
		job->id = 0;
	n = write(job->fd, &one, sizeof(one));
	assert(n == sizeof(one));
}

void fake_kernel_event(struct fake_job *job, uint32_t type, uint32_t conditions)
{
	fds[job->fd].event = (struct fax_event){
		.type = type, .conditions = conditions, .job = job->id,
	};
	fds[job->fd].has_event = true;
}
