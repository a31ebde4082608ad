/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/dma-buf.h>

#include "base/cleanup.h"
#include "device/func.h"

#define REAP_COUNT 8

static int linux_open(const char *path, int flags)
{
	return open(path, flags);
}

static int linux_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

static void *linux_map(int fd, size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

const struct func_sys func_sys_linux = {
	.open = linux_open,
	.close = close,
	.ioctl = linux_ioctl,
	.map = linux_map,
	.unmap = munmap,
};

static int sys_ioctl(const struct func_sys *sys, int fd, unsigned long request, void *arg)
{
	int r;

	do {
		r = sys->ioctl(fd, request, arg);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int func_ioctl(struct func *f, unsigned long request, void *arg)
{
	return f->gone ? -ENODEV : sys_ioctl(f->sys, f->fd, request, arg);
}

void func_mark_gone(struct func *f)
{
	if (f->gone)
		return;
	f->gone = true;
	if (f->source)
		sd_event_source_set_enabled(f->source, SD_EVENT_OFF);
	if (f->handlers)
		f->handlers->gone(f->userdata);
}

/*
 * One REAP or EVENT a dispatch: both conditions are level-triggered, so what is
 * left comes next time, and the EAGAIN that would end a loop is not asked for.
 * A function that cannot be asked any more is as good as gone.
 */
static void func_reap(struct func *f)
{
	struct fax_completion c[REAP_COUNT] = {};
	struct fax_reap reap = {
		.completions = (uintptr_t)c,
		.size = sizeof(c[0]),
		.count = REAP_COUNT,
		.flags = FAX_NONBLOCK,
	};
	int r = func_ioctl(f, FAX_IOC_REAP, &reap);

	if (r == -EAGAIN)
		return;
	if (r < 0 || reap.count > REAP_COUNT) {
		func_mark_gone(f);
		return;
	}
	for (uint32_t i = 0; i < reap.count && f->handlers; i++)
		f->handlers->completed(f->userdata, &c[i]);
}

static void func_take_event(struct func *f)
{
	struct fax_event event = {};
	int r = func_ioctl(f, FAX_IOC_EVENT, &event);

	if (r == -EAGAIN)
		return;
	if (r < 0)
		func_mark_gone(f);
	else if (f->handlers)
		f->handlers->event(f->userdata, &event);
}

void func_dispatch(struct func *f, uint32_t revents)
{
	if (revents & EPOLLIN)
		func_reap(f);
	if (revents & EPOLLPRI && !f->gone)
		func_take_event(f);
	if (revents & (EPOLLERR | EPOLLHUP))
		func_mark_gone(f);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	func_dispatch(userdata, revents);
	return 0;
}

/* The kernel's answer, too, is checked before it is used as a size or a string. */
static int func_identify(struct func *f)
{
	int r = func_ioctl(f, FAX_IOC_INFO, &f->info);

	if (r < 0)
		return r;
	r = func_ioctl(f, FAX_IOC_CAPS, &f->caps);
	if (r < 0)
		return r;
	f->info.board[sizeof(f->info.board) - 1] = 0;
	f->info.serial[sizeof(f->info.serial) - 1] = 0;
	f->info.driver[sizeof(f->info.driver) - 1] = 0;
	if (!f->info.api || f->info.function < FAX_FUNC_SCAN || f->info.function > FAX_FUNC_CODEC)
		return -EPROTO;
	if (f->caps.nwidths > ARRAY_SIZE(f->caps.widths) ||
	    f->caps.nresolutions > ARRAY_SIZE(f->caps.resolutions) ||
	    f->caps.width_max > FAX_MAX_WIDTH)
		return -EPROTO;
	return 0;
}

int func_open(struct func **ret, sd_event *event, const struct func_sys *sys, const char *node,
	      struct error *e)
{
	struct func *f = calloc(1, sizeof(*f));
	int r = -ENOMEM;

	if (!f)
		return error_set(e, -ENOMEM, "Out of memory.");
	f->sys = sys;
	f->fd = -1;
	f->node = strdup(node);
	if (!f->node)
		goto fail;
	f->fd = sys->open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (f->fd < 0) {
		r = -errno;
		goto fail;
	}
	r = func_identify(f);
	if (r < 0)
		goto fail;
	r = sd_event_add_io(event, &f->source, f->fd, EPOLLIN | EPOLLPRI, on_io, f);
	if (r < 0)
		goto fail;
	*ret = f;
	return 0;
fail:
	error_set(e, r, "Cannot use %s: %s.", node, strerror(-r));
	func_close(f);
	return r;
}

void func_close(struct func *f)
{
	if (!f)
		return;
	sd_event_source_disable_unref(f->source);
	if (f->fd >= 0)
		f->sys->close(f->fd);
	free(f->node);
	free(f);
}

void func_set_handlers(struct func *f, const struct func_handlers *handlers, void *userdata)
{
	f->handlers = handlers;
	f->userdata = userdata;
}

int func_status(struct func *f, struct fax_status *ret)
{
	memset(ret, 0, sizeof(*ret));
	return func_ioctl(f, FAX_IOC_STATUS, ret);
}

int func_claim(struct func *f)
{
	struct fax_claim claim = { .flags = FAX_NONBLOCK };
	int r = func_ioctl(f, FAX_IOC_CLAIM, &claim);

	return r == -EAGAIN ? -EBUSY : r;
}

int func_release(struct func *f)
{
	return func_ioctl(f, FAX_IOC_RELEASE, NULL);
}

int func_cancel(struct func *f, uint32_t job)
{
	struct fax_cancel cancel = { .job = job };

	return func_ioctl(f, FAX_IOC_CANCEL, &cancel);
}

static int func_reset(struct func *f)
{
	return func_ioctl(f, FAX_IOC_RESET, NULL);
}

/* EIO is a function that has stopped for good: who holds its claim may start it anew. */
int func_submit(struct func *f, struct fax_submit *s)
{
	int r = func_ioctl(f, FAX_IOC_SUBMIT, s);

	if (r == -EIO && func_reset(f) >= 0)
		r = func_ioctl(f, FAX_IOC_SUBMIT, s);
	return r;
}

int func_pipe_alloc(struct func *f, uint32_t width, uint32_t rows, uint32_t bands, int *ret_fd)
{
	struct fax_pipe_alloc pipe = {
		.width = width,
		.rows = rows,
		.bands = bands,
		.flags = O_CLOEXEC,
		.fd = -1,
	};
	int r = func_ioctl(f, FAX_IOC_PIPE_ALLOC, &pipe);

	if (r >= 0)
		*ret_fd = pipe.fd;
	return r;
}

int func_buf_alloc(struct func *f, size_t size, struct func_buf *ret)
{
	struct fax_buf_alloc alloc = { .size = size, .flags = O_CLOEXEC, .fd = -1 };
	struct fax_buf_map map = {};
	void *data;
	int r = func_ioctl(f, FAX_IOC_BUF_ALLOC, &alloc);

	if (r < 0)
		return r;
	map.fd = alloc.fd;
	r = func_ioctl(f, FAX_IOC_BUF_MAP, &map);
	if (r < 0)
		goto fail;
	data = map.size < size ? MAP_FAILED : f->sys->map(alloc.fd, map.size);
	if (data == MAP_FAILED) {
		struct fax_buf_unmap unmap = { .buf = map.buf };

		r = map.size < size ? -EPROTO : -errno;
		func_ioctl(f, FAX_IOC_BUF_UNMAP, &unmap);
		goto fail;
	}
	*ret = (struct func_buf){
		.fd = alloc.fd, .handle = map.buf, .size = map.size, .data = data,
	};
	return 0;
fail:
	f->sys->close(alloc.fd);
	return r;
}

void func_buf_free(struct func *f, struct func_buf *b)
{
	struct fax_buf_unmap unmap = { .buf = b->handle };

	if (!b->data)
		return;
	func_ioctl(f, FAX_IOC_BUF_UNMAP, &unmap);
	f->sys->unmap(b->data, b->size);
	f->sys->close(b->fd);
	*b = (struct func_buf){};
}

/* These go to the dma-buf itself, which outlives its board. */
static int buf_sync(struct func *f, struct func_buf *b, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return sys_ioctl(f->sys, b->fd, DMA_BUF_IOCTL_SYNC, &sync);
}

int func_buf_begin(struct func *f, struct func_buf *b, bool write)
{
	return buf_sync(f, b,
			DMA_BUF_SYNC_START | (write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ));
}

int func_buf_end(struct func *f, struct func_buf *b, bool write)
{
	return buf_sync(f, b, DMA_BUF_SYNC_END | (write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ));
}
