// SPDX-License-Identifier: LGPL-2.1-or-later
/* Buffers of other drivers (udmabuf, vgem): mapped, coded from, and their fences waited for. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sys/mman.h>

#include <linux/udmabuf.h>

#include "uapi_test.h"

/* What is needed of DRM's user interface; its headers come with a library, not with libc. */
struct drm_version {
	int major, minor, patch;
	size_t name_len;
	char *name;
	size_t date_len;
	char *date;
	size_t desc_len;
	char *desc;
};

struct drm_mode_create_dumb {
	uint32_t height, width, bpp, flags, handle, pitch;
	uint64_t size;
};

struct drm_prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};

struct drm_vgem_fence_attach {
	uint32_t handle, flags, out_fence, pad;
};

struct drm_vgem_fence_signal {
	uint32_t fence, flags;
};

#define DRM_IOCTL_VERSION		_IOWR('d', 0x00, struct drm_version)
#define DRM_IOCTL_PRIME_HANDLE_TO_FD	_IOWR('d', 0x2d, struct drm_prime_handle)
#define DRM_IOCTL_MODE_CREATE_DUMB	_IOWR('d', 0xb2, struct drm_mode_create_dumb)
#define DRM_IOCTL_VGEM_FENCE_ATTACH	_IOWR('d', 0x41, struct drm_vgem_fence_attach)
#define DRM_IOCTL_VGEM_FENCE_SIGNAL	_IOW('d', 0x42, struct drm_vgem_fence_signal)
#define VGEM_FENCE_WRITE		1u

#define ROWS	500u
#define BYTES	(ROWS * A4_STRIDE)

struct foreign {
	int card;
	uint32_t handle;
	uint32_t fence;
	int fd;
	uint64_t size;
	uint8_t *mem;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* -1 where there is no vgem. */
static int open_vgem(void)
{
	char name[16] = "", path[32];
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };
	int i, fd;

	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR);
		if (fd < 0)
			continue;
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "vgem"))
			return fd;
		close(fd);
	}
	return -1;
}

static struct foreign foreign_new(int card, uint32_t size)
{
	struct drm_mode_create_dumb dumb = { .width = size, .height = 1, .bpp = 8 };
	struct drm_prime_handle prime = { .flags = O_RDWR | O_CLOEXEC };
	struct foreign f = { .card = card };

	if (ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		bail("CREATE_DUMB: %s", strerror(errno));
	prime.handle = dumb.handle;
	if (ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		bail("PRIME_HANDLE_TO_FD: %s", strerror(errno));
	f.handle = dumb.handle;
	f.fd = prime.fd;
	f.size = dumb.size;
	f.mem = mmap(NULL, f.size, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	if (f.mem == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	return f;
}

static void fence_attach(struct foreign *f)
{
	struct drm_vgem_fence_attach arg = { .handle = f->handle, .flags = VGEM_FENCE_WRITE };

	if (ioctl(f->card, DRM_IOCTL_VGEM_FENCE_ATTACH, &arg))
		bail("FENCE_ATTACH: %s", strerror(errno));
	f->fence = arg.out_fence;
}

static void *signal_later(void *arg)
{
	struct foreign *f = arg;
	struct drm_vgem_fence_signal signal = { .fence = f->fence };

	usleep(400000);
	if (ioctl(f->card, DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal))
		bail("FENCE_SIGNAL: %s", strerror(errno));
	return NULL;
}

static void test_encode(int coder, struct foreign *raw, struct fax_seg *segs,
			const uint8_t *page, struct buf *coded)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	struct fax_completion c;
	pthread_t thread;
	double start, took;
	uint8_t *ref;
	size_t len;
	int ret;

	memcpy(raw->mem, page, BYTES);
	ref = t4_code(page, &fmt, &len);
	must_submit(coder, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	c = must_reap(coder);
	check(!c.code && c.bytes_out == len && !memcmp(coded->mem, ref, len),
	      "another driver's pixels are coded (code %u)", c.code);

	memset(coded->mem, 0, len);
	fence_attach(raw);
	pthread_create(&thread, NULL, signal_later, raw);
	start = now();
	must_submit(coder, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	took = now() - start;
	c = must_reap(coder);
	pthread_join(thread, NULL);
	check(took > 0.3, "SUBMIT waits for who still writes them (%.2f s)", took);
	check(!c.code && !memcmp(coded->mem, ref, len), "and then codes them");

	fence_attach(raw);
	start = now();
	ret = submit(coder, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2, NULL);
	took = now() - start;
	check_errno(ret, ETIMEDOUT, "a fence that nobody signals (%.1f s)", took);
	check(took < 9, "is not waited for without bound");
	free(ref);
}

/*
 * Pages of a file of ours, by udmabuf: coded from, and decoded into. Each has
 * CPU addresses of its own; the board has its own view.
 */
static struct foreign udmabuf_new(int dev, uint32_t size)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	struct foreign f = { .size = size };
	int memfd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memfd < 0 || ftruncate(memfd, size) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		bail("memfd: %s", strerror(errno));
	create.memfd = memfd;
	f.mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	f.fd = ioctl(dev, UDMABUF_CREATE, &create);
	if (f.fd < 0 || f.mem == MAP_FAILED)
		bail("UDMABUF_CREATE: %s", strerror(errno));
	close(memfd);
	return f;
}

static uint32_t map_foreign(int coder, const struct foreign *f)
{
	struct fax_buf_map map = { .fd = f->fd };

	check_errno(ioctl(coder, FAX_IOC_BUF_MAP, &map), 0, "BUF_MAP of a udmabuf");
	check_u64(map.size, f->size, "tells its size");
	return map.buf;
}

static void test_udmabuf(const uint8_t *page)
{
	struct fax_fmt code = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	struct fax_fmt raw = fmt_raw(A4_WIDTH, ROWS);
	int coder, dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	uint32_t size = (BYTES + 4095) & ~4095u;
	struct foreign pixels, coded, again;
	struct fax_seg segs[2];
	struct fax_completion c;
	uint8_t *wanted;
	size_t len;

	if (dev < 0) {
		check(true, "buffers of udmabuf # SKIP this kernel has none");
		return;
	}
	coder = open_dev(CODER, O_RDWR);
	pixels = udmabuf_new(dev, size);
	coded = udmabuf_new(dev, 1 << 18);
	again = udmabuf_new(dev, size);
	memcpy(pixels.mem, page, BYTES);
	wanted = t4_code(page, &code, &len);
	segs[0] = (struct fax_seg){
		.buf = map_foreign(coder, &pixels), .dir = FAX_SEG_IN, .length = BYTES,
	};
	segs[1] = (struct fax_seg){
		.buf = map_foreign(coder, &coded), .dir = FAX_SEG_OUT, .length = 1 << 18,
	};
	must_submit(coder, FAX_OP_ENCODE, 0, &code, -1, segs, 2);
	c = must_reap(coder);
	check(!c.code && c.bytes_out == len && !memcmp(coded.mem, wanted, len),
	      "its pixels are coded into another one (code %u)", c.code);
	segs[0] = (struct fax_seg){
		.buf = segs[1].buf, .dir = FAX_SEG_IN, .length = len, .encoding = FAX_ENC_MMR,
	};
	segs[1] = (struct fax_seg){
		.buf = map_foreign(coder, &again), .dir = FAX_SEG_OUT, .length = BYTES,
	};
	must_submit(coder, FAX_OP_DECODE, 0, &raw, -1, segs, 2);
	c = must_reap(coder);
	check(!c.code && c.rows == ROWS && !memcmp(again.mem, page, BYTES),
	      "and decoded into a third (code %u)", c.code);
	free(wanted);
	close(coder);
	close(pixels.fd);
	close(coded.fd);
	close(again.fd);
	close(dev);
}

int main(void)
{
	struct buf coded;
	struct fax_buf_map map = {};
	struct fax_buf_unmap unmap = {};
	struct fax_seg segs[2];
	struct foreign raw;
	uint8_t *page;
	int coder, card = open_vgem();

	sim_reset();
	page = page_make(A4_WIDTH, ROWS, 77);
	test_udmabuf(page);
	if (card < 0) {
		check(true, "buffers of vgem # SKIP there is no vgem");
		return done_testing();
	}
	coder = open_dev(CODER, O_RDWR);
	raw = foreign_new(card, BYTES);
	map.fd = raw.fd;
	check_errno(ioctl(coder, FAX_IOC_BUF_MAP, &map), 0, "BUF_MAP of another driver's buffer");
	check_u64(map.size, raw.size, "tells its size");
	coded = buf_new(coder, 1 << 18);
	segs[0] = (struct fax_seg){ .buf = map.buf, .dir = FAX_SEG_IN, .length = BYTES };
	segs[1] = seg_out(&coded, 0, coded.size);
	test_encode(coder, &raw, segs, page, &coded);
	unmap.buf = map.buf;
	check_errno(ioctl(coder, FAX_IOC_BUF_UNMAP, &unmap), 0, "BUF_UNMAP");
	buf_free(coder, &coded);
	close(coder);
	free(page);
	return done_testing();
}
