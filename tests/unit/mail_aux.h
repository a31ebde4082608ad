/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mails for the tests of messages and the worker. */
#ifndef MAIL_AUX_H
#define MAIL_AUX_H

#include "base/buffer.h"
#include "worker/protocol.h"

/* A part of a mail in the making: headers without the empty line, and content. */
struct aux_part {
	const char *headers;
	const void *data;
	size_t len;		/* 0 = strlen(data) */
	bool base64;
};

void aux_base64(struct buffer *out, const void *data, size_t len);
void aux_put(struct buffer *out, const char *text);
void aux_put_part(struct buffer *out, const char *boundary, const struct aux_part *part);
/* A whole mail: a plain header, then a multipart of @subtype with boundary "b0". */
void aux_mail(struct buffer *out, const char *subtype, const struct aux_part *parts, size_t n);

#define AUX_TIFF_HEADERS                                     \
	"Content-Type: image/tiff; name=\"page.tif\"\r\n" \
	"Content-Transfer-Encoding: base64\r\n"
#define AUX_TEXT_HEADERS "Content-Type: text/plain; charset=us-ascii\r\n"

/* A read-only descriptor that holds @len bytes. */
int aux_fd(const void *data, size_t len);

#endif
