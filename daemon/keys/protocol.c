/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "keys/protocol.h"

static const char *const method_names[_KEYS_METHODS] = {
	[KEYS_OPENPGP] = "openpgp",
	[KEYS_SMIME] = "smime",
};

const char *keys_method_name(enum keys_method method)
{
	return method > KEYS_ANY && method < _KEYS_METHODS ? method_names[method] : "any";
}

int keys_method_from_name(const char *name)
{
	if (!name)
		return KEYS_ANY;
	for (int i = KEYS_ANY + 1; i < _KEYS_METHODS; i++)
		if (!strcmp(name, method_names[i]))
			return i;
	return -EINVAL;
}

void keys_request_init(struct keys_request *rq, enum keys_op op, enum keys_method method)
{
	*rq = (struct keys_request){ KEYS_MAGIC, KEYS_VERSION, op, method };
}

bool keys_request_ok(const struct keys_request *rq)
{
	return rq->magic == KEYS_MAGIC && rq->version == KEYS_VERSION && rq->op >= KEYS_CHECK &&
	       rq->op < _KEYS_OPS && rq->method < _KEYS_METHODS;
}

void keys_reply_init(struct keys_reply *rp)
{
	memset(rp, 0, sizeof(*rp));
	rp->magic = KEYS_MAGIC;
	rp->version = KEYS_VERSION;
}

void keys_reply_fail(struct keys_reply *rp, enum keys_code code, const struct error *e)
{
	rp->code = code;
	rp->error = e->code;
	snprintf(rp->sentence, sizeof(rp->sentence), "%s", error_text(e));
}

/* Text of the other side: it ends, and holds nothing that moves a cursor. */
static bool clean(char *text, size_t size)
{
	if (!memchr(text, 0, size))
		return false;
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
	return true;
}

bool keys_reply_ok(struct keys_reply *rp)
{
	return rp->magic == KEYS_MAGIC && rp->version == KEYS_VERSION && rp->code < _KEYS_CODES &&
	       clean(rp->sentence, sizeof(rp->sentence)) && clean(rp->mark, sizeof(rp->mark));
}

int keys_memory(const void *data, size_t len, struct error *e)
{
	_close_ int fd = memfd_create("ifax-keyring", MFD_CLOEXEC);
	const char *p = data;

	if (fd < 0)
		return error_set(e, -errno, "Cannot make a memory file: %m");
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return error_set(e, -errno, "Cannot write to a memory file: %m");
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return take_fd(fd);
}

int keys_read(int fd, size_t max, struct buffer *out)
{
	struct stat st;
	off_t at = 0;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EMSGSIZE;
	r = buffer_reserve(out, st.st_size);
	while (r >= 0 && at < st.st_size) {
		ssize_t n = pread(fd, out->data + out->len, st.st_size - at, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		out->len += n;
		at += n;
	}
	if (r >= 0 && out->data)
		out->data[out->len] = '\0';
	return r;
}

int keys_arguments(struct buffer *b, char ***ret, size_t *n)
{
	char **list;

	if (b->len && b->data[b->len - 1])
		return -EINVAL;
	*n = 0;
	for (size_t i = 0; i < b->len; i++)
		*n += !b->data[i];
	if (*n > KEYS_ARGUMENTS_MAX)
		return -EINVAL;
	list = calloc(*n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	*n = 0;
	for (size_t i = 0; i < b->len; i += strlen(b->data + i) + 1)
		list[(*n)++] = b->data + i;
	*ret = list;
	return 0;
}
