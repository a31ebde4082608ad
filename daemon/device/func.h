/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One open function of a board (a node /dev/fax*), by its ioctls: each wrapper
 * is one system call and returns 0 or -errno. What the function has to tell
 * comes on the event loop through struct func_handlers.
 *
 * Lifetime: func_open() gives a struct func that func_close() frees. It must
 * not be closed from within its own handlers; they may submit and cancel.
 */
#ifndef IFAX_DEVICE_FUNC_H
#define IFAX_DEVICE_FUNC_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/fax.h>
#include <systemd/sd-event.h>

#include "base/error.h"

/* The system as this room sees it; -1 and errno as usual. Tests put a board of their own here. */
struct func_sys {
	int (*open)(const char *path, int flags);
	int (*close)(int fd);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	void *(*map)(int fd, size_t len); /* shared, for reading and writing; MAP_FAILED */
	int (*unmap)(void *p, size_t len);
};

extern const struct func_sys func_sys_linux;

struct func_handlers {
	void (*completed)(void *userdata, const struct fax_completion *c);
	void (*event)(void *userdata, const struct fax_event *event);
	void (*gone)(void *userdata);	/* once; no completion follows */
};

struct func {
	const struct func_sys *sys;
	int fd;
	bool gone;
	char *node;
	struct fax_info info;
	struct fax_caps caps;
	sd_event_source *source;
	const struct func_handlers *handlers;
	void *userdata;
};

/* Opens @node, reads what it is, checks it, and listens on @event. */
int func_open(struct func **ret, sd_event *event, const struct func_sys *sys, const char *node,
	      struct error *e);
void func_close(struct func *f); /* NULL is fine */
/* Until this is called, completions and events are taken and dropped. */
void func_set_handlers(struct func *f, const struct func_handlers *handlers, void *userdata);
/* The node has vanished, says udev: as if the kernel had said so. */
void func_mark_gone(struct func *f);
/* What the event loop does when epoll reports @revents; for tests. */
void func_dispatch(struct func *f, uint32_t revents);

int func_status(struct func *f, struct fax_status *ret);
int func_claim(struct func *f);		/* -EBUSY: another open has it */
int func_release(struct func *f);
int func_cancel(struct func *f, uint32_t job);
int func_submit(struct func *f, struct fax_submit *s);
int func_pipe_alloc(struct func *f, uint32_t width, uint32_t rows, uint32_t bands, int *ret_fd);

/*
 * A buffer that the board and the processor share: for coded bytes, and for
 * pixels only where a board has no coder. A zeroed struct is none.
 */
struct func_buf {
	int fd;			/* the dma-buf */
	uint32_t handle;	/* of the open */
	size_t size;
	void *data;		/* between func_buf_begin() and func_buf_end() only */
};

int func_buf_alloc(struct func *f, size_t size, struct func_buf *ret);
void func_buf_free(struct func *f, struct func_buf *b);
int func_buf_begin(struct func *f, struct func_buf *b, bool write);
int func_buf_end(struct func *f, struct func_buf *b, bool write);

#endif
