/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mail/text.h"
#include "worker/protocol.h"

static const char *const code_names[_WORKER_CODES] = {
	[WORKER_PAGES] = "pages",
	[WORKER_TEXT_ONLY] = "text-only",
	[WORKER_NO_PAGES] = "no-pages",
	[WORKER_REPORT] = "report",
	[WORKER_BAD_MAIL] = "bad-mail",
	[WORKER_BAD_ATTACHMENT] = "bad-attachment",
	[WORKER_BAD_TIFF] = "bad-tiff",
	[WORKER_DAMAGED] = "damaged",
	[WORKER_TOO_LARGE] = "too-large",
	[WORKER_TIMEOUT] = "timeout",
	[WORKER_CRASHED] = "crashed",
	[WORKER_SEALED] = "sealed",
	[WORKER_TROUBLE] = "trouble",
};

const char *worker_code_name(enum worker_code code)
{
	return (unsigned int)code < _WORKER_CODES ? code_names[code] : "unknown";
}

void worker_request_init(struct worker_request *rq)
{
	memset(rq, 0, sizeof(*rq));
	rq->magic = WORKER_MAGIC;
	rq->version = WORKER_VERSION;
	rq->op = WORKER_PARSE_MAIL;
}

void worker_reply_init(struct worker_reply *rp)
{
	memset(rp, 0, sizeof(*rp));
	rp->magic = WORKER_MAGIC;
	rp->version = WORKER_VERSION;
}

#define CLEAN(array) text_end(array, sizeof(array))

bool worker_request_check(struct worker_request *rq)
{
	CLEAN(rq->mark);
	return rq->magic == WORKER_MAGIC && rq->version == WORKER_VERSION &&
	       rq->op == WORKER_PARSE_MAIL && rq->text <= WORKER_TEXT_NEVER &&
	       rq->engine.nwidths <= RASTER_WIDTHS &&
	       rq->engine.nresolutions <= RASTER_RESOLUTIONS;
}

bool worker_reply_check(struct worker_reply *rp)
{
	if (rp->magic != WORKER_MAGIC || rp->version != WORKER_VERSION ||
	    rp->code >= _WORKER_CODES || rp->error > 0)
		return false;
	CLEAN(rp->summary.from);
	CLEAN(rp->summary.from_name);
	CLEAN(rp->summary.subject);
	CLEAN(rp->summary.message_id);
	CLEAN(rp->sentence);
	CLEAN(rp->digest);
	report_check(&rp->report);
	for (size_t i = 0; rp->digest[i]; i++)
		if (!isxdigit((unsigned char)rp->digest[i]))
			return false;
	if (rp->pages && rp->code != WORKER_PAGES && rp->code != WORKER_REPORT)
		return false;
	return rp->pages ? strlen(rp->digest) == WORKER_DIGEST_LEN : rp->code != WORKER_PAGES;
}

void worker_reply_fail(struct worker_reply *rp, enum worker_code code, const struct error *e)
{
	rp->code = code;
	rp->error = e->code;
	snprintf(rp->sentence, sizeof(rp->sentence), "%s", error_text(e));
}

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int) * 8)];
};

int worker_send(int sock, const void *data, size_t len, const int *fds, size_t nfds)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control c = { 0 };
	ssize_t n;

	if (nfds) {
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c.head.cmsg_level = SOL_SOCKET;
		c.head.cmsg_type = SCM_RIGHTS;
		c.head.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(&c.head), fds, sizeof(int) * nfds);
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EPROTO;
}

/* Keeps the first @nfds descriptors of @m, closes the others: their number. */
static size_t take_fds(struct msghdr *m, int *fds, size_t nfds)
{
	size_t got = 0, extra = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (got < nfds) {
				fds[got++] = fd;
			} else {
				close(fd);
				extra++;
			}
		}
	}
	return extra;
}

int worker_recv(int sock, void *data, size_t len, int *fds, size_t nfds)
{
	struct iovec iov = { .iov_base = data, .iov_len = len };
	union control c = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = sizeof(c) };
	size_t extra;
	ssize_t n;

	for (size_t i = 0; i < nfds; i++)
		fds[i] = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	extra = take_fds(&m, fds, nfds);
	if (!n)
		return -EPIPE;
	if ((size_t)n != len || extra || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EPROTO;
	return 0;
}

int worker_listen(const char *path, struct error *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return error_set(e, -ENAMETOOLONG, "The socket's path is too long: %s", path);
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(e, -errno, "Cannot make a socket: %m");
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(e, -errno, "Cannot replace %s: %m", path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0)
		return error_set(e, -errno, "Cannot listen on %s: %m", path);
	return take_fd(fd);
}

int worker_dial(const char *path, const char *whom, const char *unit, struct error *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return error_set(e, -ENAMETOOLONG, "The path to reach %s is too long: %s", whom,
				 path);
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, -errno, "Cannot make a socket: %m");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return error_set(e, -errno, "Cannot reach %s at %s: %m; see systemctl status %s",
				 whom, path, unit);
	return take_fd(fd);
}
