// SPDX-License-Identifier: LGPL-2.1-or-later
/* Dma-bufs of other exporters: udmabuf, or vgem where that is not there. */
#include <sys/mman.h>
#include <linux/udmabuf.h>

#include "compliance.h"

/* What is needed of DRM's user interface; its headers come with a library, not with libc. */
struct drm_mode_create_dumb {
	uint32_t height, width, bpp, flags, handle, pitch;
	uint64_t size;
};

struct drm_prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};

#define DRM_IOCTL_PRIME_HANDLE_TO_FD	_IOWR('d', 0x2d, struct drm_prime_handle)
#define DRM_IOCTL_MODE_CREATE_DUMB	_IOWR('d', 0xb2, struct drm_mode_create_dumb)

static int from_udmabuf(size_t size)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int memfd = memfd_create("page", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (dev < 0 || memfd < 0 || ftruncate(memfd, size) ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -1;
	create.memfd = memfd;
	return ioctl(dev, UDMABUF_CREATE, &create);
}

/* A bitmap of one row; any card that draws into plain memory would do. */
static int from_drm(size_t size)
{
	struct drm_mode_create_dumb dumb = { .width = size, .height = 1, .bpp = 8 };
	struct drm_prime_handle prime = { .flags = O_RDWR | O_CLOEXEC };
	char path[32];
	int i, card;

	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		card = open(path, O_RDWR | O_CLOEXEC);
		if (card < 0)
			continue;
		if (!ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb)) {
			prime.handle = dumb.handle;
			if (!ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
				return prime.fd;
		}
		close(card);
	}
	return -1;
}

int foreign_buf(size_t size, uint8_t **mem)
{
	int fd = from_udmabuf(size);

	if (fd < 0)
		fd = from_drm(size);
	if (fd < 0)
		skip("neither udmabuf nor vgem is there");
	*mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(*mem != MAP_FAILED, "mmap of a foreign buffer: %s", strerror(errno));
	return fd;
}
