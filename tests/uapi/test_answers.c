// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls that cannot be answered do nothing; calls of threads that race leave
 * the kernel whole; what an open was promised comes even when the board goes.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "uapi_test.h"

#define ROWS	300u

/* An argument that can be read and not written. */
static void *readonly(const void *arg, size_t size)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	memcpy(page, arg, size);
	mprotect(page, 4096, PROT_READ);
	return page;
}

static void test_unwritable(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	struct fax_completion c;
	int dev = open_dev(PRINTER, O_RDWR), i;
	struct buf buf = buf_new(dev, (uint64_t)ROWS * A4_STRIDE);
	struct fax_seg seg = seg_in(&buf, 0, (uint64_t)ROWS * A4_STRIDE);
	struct fax_submit submit = {
		.op = FAX_OP_PRINT, .fmt = fmt, .pipe = -1, .nsegs = 1, .segs = (uintptr_t)&seg,
	};
	struct fax_buf_map map = { .fd = buf.fd };
	struct fax_event event = {};
	struct fax_submit *ro_submit = readonly(&submit, sizeof(submit));
	struct fax_buf_map *ro_map = readonly(&map, sizeof(map));
	struct fax_event *ro_event = readonly(&event, sizeof(event));

	sim_reset();
	check_errno(ioctl(dev, FAX_IOC_SUBMIT, ro_submit), EFAULT,
		    "SUBMIT that cannot be answered");
	check_errno(reap(dev, &c, 300), ETIMEDOUT, "queues nothing");
	check_u64(sim_get("tray_count"), 0, "and prints nothing");

	for (i = 0; i < (int)FAX_MAX_BUFS; i++)
		if (ioctl(dev, FAX_IOC_BUF_MAP, ro_map) != -1 || errno != EFAULT)
			break;
	check_u64(i, FAX_MAX_BUFS, "BUF_MAP that cannot be answered");
	check_errno(ioctl(dev, FAX_IOC_BUF_MAP, &map), 0, "maps nothing");

	while (!next_event(dev, &event, 50))
		;
	sim_set("cover", "1");
	usleep(50000);
	check_errno(ioctl(dev, FAX_IOC_EVENT, ro_event), EFAULT, "EVENT that cannot be answered");
	check_errno(next_event(dev, &event, 1000), 0, "takes nothing");
	sim_reset();
	buf_free(dev, &buf);
	close(dev);
}

/* One thread maps, the other unmaps what he can guess of the handles. */
static int race_dev;
static volatile bool race_stop;

static void *unmapper(void *unused)
{
	struct fax_buf_unmap unmap = {};

	while (!race_stop) {
		unmap.buf++;
		if (ioctl(race_dev, FAX_IOC_BUF_UNMAP, &unmap) == -1 && errno == EINVAL &&
		    unmap.buf > 4)
			unmap.buf -= 4;
	}
	return NULL;
}

static void test_map_race(void)
{
	struct fax_buf_alloc alloc = { .size = 8192, .flags = O_CLOEXEC };
	struct fax_buf_map map = {};
	uint32_t i, wrong = 0;
	pthread_t thread;

	race_dev = open_dev(CODER, O_RDWR);
	if (ioctl(race_dev, FAX_IOC_BUF_ALLOC, &alloc))
		bail("BUF_ALLOC: %s", strerror(errno));
	pthread_create(&thread, NULL, unmapper, NULL);
	for (i = 0; i < 3000; i++) {
		struct fax_buf_unmap unmap;

		map = (struct fax_buf_map){ .fd = alloc.fd };
		if (ioctl(race_dev, FAX_IOC_BUF_MAP, &map) == -1)
			wrong += errno != EDQUOT;
		else
			wrong += map.size != 8192;
		unmap = (struct fax_buf_unmap){ .buf = map.buf };
		if (i % 2)
			ioctl(race_dev, FAX_IOC_BUF_UNMAP, &unmap);
	}
	race_stop = true;
	pthread_join(thread, NULL);
	check_u64(wrong, 0, "BUF_MAP against BUF_UNMAP in another thread");
	close(alloc.fd);
	close(race_dev);
}

/* REAP blocked while the board goes: each job's completion comes before ENODEV does. */
static int reap_dev;
static int reaped, last;

static void *reaper(void *unused)
{
	struct fax_completion c;

	while (!(last = reap(reap_dev, &c, 5000)))
		reaped += c.code == FAX_CODE_GONE;
	return NULL;
}

static void test_reap_gone(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	uint64_t size = (uint64_t)ROWS * A4_STRIDE;
	struct fax_seg seg;
	pthread_t thread;
	struct buf buf;
	int i;

	sim_set("paper", "0");
	reap_dev = open_dev(PRINTER, O_RDWR);
	buf = buf_new(reap_dev, size);
	seg = seg_in(&buf, 0, size);
	for (i = 0; i < 5; i++)
		must_submit(reap_dev, FAX_OP_PRINT, 0, &fmt, -1, &seg, 1);
	pthread_create(&thread, NULL, reaper, NULL);
	usleep(100000);
	sim_live(false);
	pthread_join(thread, NULL);
	check_u64(reaped, 5, "five jobs of a board that goes end as gone, and are told so");
	check_errno(last, ENODEV, "then REAP says that the board is gone");
	buf_free(reap_dev, &buf);
	close(reap_dev);
	sim_live(true);
	close(wait_dev(PRINTER, O_RDWR));
	sim_reset();
}

/* A stream has no completions; one that does not wait does not wait for another thread either. */
static int stream_dev;

static void *writer(void *unused)
{
	static uint8_t rows[100 * A4_STRIDE];
	ssize_t ret = 0;
	int i;

	for (i = 0; i < 40 && ret >= 0; i++)
		ret = write(stream_dev, rows, sizeof(rows));
	return NULL;
}

static void test_stream(void)
{
	struct fax_completion c;
	uint8_t byte = 0;
	pthread_t thread;

	sim_set("paper", "0");
	stream_dev = open_dev(PRINTER, O_RDWR);
	pthread_create(&thread, NULL, writer, NULL);
	usleep(200000);
	check_errno(reap(stream_dev, &c, 1000), EBUSY, "REAP of a stream");
	fcntl(stream_dev, F_SETFL, O_NONBLOCK);
	check_errno(write(stream_dev, &byte, 1), EAGAIN,
		    "a write that does not wait, while another waits for paper");
	fcntl(stream_dev, F_SETFL, 0);
	sim_set("paper", "250");
	pthread_join(thread, NULL);
	check_errno(fsync(stream_dev), 0, "which goes on with paper");
	close(stream_dev);
	sim_reset();
}

int main(void)
{
	sim_reset();
	test_unwritable();
	test_map_race();
	test_reap_gone();
	test_stream();
	return done_testing();
}
