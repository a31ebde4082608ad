// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mail_aux.h"

static void must(int r)
{
	if (r < 0) {
		fprintf(stderr, "test: out of memory\n");
		abort();
	}
}

void aux_put(struct buffer *out, const char *text)
{
	must(buffer_append(out, text, strlen(text)));
}

void aux_base64(struct buffer *out, const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *d = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned int v = d[i] << 16 | (n > 1 ? d[i + 1] << 8 : 0) | (n > 2 ? d[i + 2] : 0);
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63],
				 n > 1 ? digits[v >> 6 & 63] : '=', n > 2 ? digits[v & 63] : '=' };

		must(buffer_append(out, four, 4));
		if (i / 3 % 19 == 18)
			aux_put(out, "\r\n");
	}
	aux_put(out, "\r\n");
}

void aux_put_part(struct buffer *out, const char *boundary, const struct aux_part *part)
{
	size_t len = part->len ? part->len : strlen(part->data);

	must(buffer_printf(out, "--%s\r\n%s\r\n", boundary, part->headers));
	if (part->base64)
		aux_base64(out, part->data, len);
	else
		must(buffer_append(out, part->data, len));
	aux_put(out, "\r\n");
}

void aux_mail(struct buffer *out, const char *subtype, const struct aux_part *parts, size_t n)
{
	must(buffer_printf(out,
			   "Date: Mon, 6 Jul 2026 10:00:00 +0200\r\n"
			   "From: \"Other Fax\" <other@example.test>\r\n"
			   "To: fax@example.test\r\n"
			   "Subject: two pages\r\n"
			   "Message-Id: <1.2@example.test>\r\n"
			   "Mime-Version: 1.0\r\n"
			   "Content-Type: multipart/%s; boundary=\"b0\"\r\n\r\n", subtype));
	for (size_t i = 0; i < n; i++)
		aux_put_part(out, "b0", &parts[i]);
	aux_put(out, "--b0--\r\n");
}

int aux_fd(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	must(fd);
	if (write(fd, data, len) != (ssize_t)len)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}
