/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the user interface share: TAP, the simulated board's
 * control, short forms of the calls. A helper that cannot do its work ends the
 * program with "Bail out!"; it is not what is being tested.
 */
#ifndef UAPI_TEST_H
#define UAPI_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include <linux/fax.h>

#define SCANNER	"/dev/faxscan0"
#define PRINTER	"/dev/faxprint0"
#define CODER	"/dev/faxcodec0"

#define A4_WIDTH	1728u
#define A4_STRIDE	216u

/* TAP */
void check(bool passed, const char *name, ...) __attribute__((format(printf, 2, 3)));
void check_errno(int ret, int wanted, const char *name, ...) __attribute__((format(printf, 3, 4)));
void check_u64(uint64_t got, uint64_t wanted, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
void bail(const char *why, ...) __attribute__((format(printf, 1, 2), noreturn));
int done_testing(void);

/* the simulated board */
void sim_set(const char *knob, const char *value);
long sim_get(const char *knob);
/* the name in sysfs of the device that has a node, or with "/driver" of its driver */
const char *sim_device(const char *node, const char *which);
void sim_reset(void);	/* paper there, no jam, feeder and tray empty, as fast as it goes */
void sim_feed(const uint8_t *pixels, uint32_t width, uint32_t rows);
uint8_t *sim_printed(uint32_t *width, uint32_t *rows);	/* the last page; the caller's to free */
void sim_live(bool live);

/* pages */
uint8_t *page_make(uint32_t width, uint32_t rows, unsigned int seed);	/* malloc */

/* calls; they bail out on errors, except where they return int */
int open_dev(const char *path, int flags);
int wait_dev(const char *path, int flags);	/* until udev or devtmpfs made it */
struct fax_fmt fmt_raw(uint32_t width, uint32_t rows);
struct fax_fmt fmt_coded(uint32_t encoding, uint32_t width, uint32_t rows, uint32_t flags);
struct fax_status status_of(int dev);

struct buf {
	int fd;
	uint32_t handle;
	uint64_t size;
	uint8_t *mem;
};

struct buf buf_new(int dev, uint64_t size);	/* allocated, mapped for the device and the CPU */
void buf_free(int dev, struct buf *buf);
int pipe_new(int dev, uint32_t width, uint32_t rows, uint32_t bands);

struct fax_seg seg_in(const struct buf *buf, uint64_t offset, uint64_t length);
struct fax_seg seg_out(const struct buf *buf, uint64_t offset, uint64_t length);
int submit(int dev, uint32_t op, uint32_t flags, const struct fax_fmt *fmt, int pipe,
	   const struct fax_seg *segs, uint32_t nsegs, uint32_t *job);	/* 0 or -errno */
uint32_t must_submit(int dev, uint32_t op, uint32_t flags, const struct fax_fmt *fmt, int pipe,
		     const struct fax_seg *segs, uint32_t nsegs);
int reap(int dev, struct fax_completion *c, uint32_t timeout_ms);	/* 0 or -errno */
struct fax_completion must_reap(int dev);	/* within 20 s */
int cancel(int dev, uint32_t job);
int next_event(int dev, struct fax_event *event, int timeout_ms);	/* 0 or -errno */
bool wait_event(int dev, uint32_t type, struct fax_event *event, int timeout_ms);

/* the coder of user space, as the reference; malloc */
uint8_t *t4_code(const uint8_t *pixels, const struct fax_fmt *fmt, size_t *len);

#endif
