// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Any bytes as a received mail. Where the first one is not a letter, bytes that
 * text has no use for stand for the words that mails are made of.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "mail/incoming.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_clean(const char *s, size_t size)
{
	if (strnlen(s, size) == size)
		abort();
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			abort();
}

static const char *const words[32] = {
	"\r\n--b\r\n",
	"\r\n--c\r\n",
	"\r\n--b--\r\n",
	"\r\n--c--\r\n",
	"\r\n\r\n",
	"Content-Type: ",
	"multipart/mixed; boundary=b\r\n",
	"multipart/mixed; boundary=c\r\n",
	"multipart/alternative; boundary=c\r\n",
	NULL,
	NULL,
	"multipart/related; boundary=c\r\n",
	"multipart/report; boundary=c\r\n",
	NULL,
	"multipart/encrypted; boundary=c\r\n",
	"message/rfc822\r\n",
	"text/plain\r\n",
	"image/tiff\r\n",
	"application/octet-stream\r\n",
	"application/pgp-signature\r\n",
	"Content-Transfer-Encoding: ",
	"base64\r\n",
	"quoted-printable\r\n",
	"Content-Disposition: attachment; filename=",
	"x.tif\r\n",
	"From: ",
	"Subject: ",
	"=?utf-8?q?=ff?=",
	"Message-Id: <",
	"Date: ",
	"multipart/signed; boundary=b\r\n",
	"SUkqAAgAAAAA",
};

static void expand(struct buffer *out, const uint8_t *data, size_t size)
{
	bool plain = !size || data[0] >= ' ';

	for (size_t i = 0; i < size; i++) {
		const char *word = !plain && data[i] < 32 ? words[data[i]] : NULL;

		if (word)
			buffer_append(out, word, strlen(word));
		else
			buffer_append(out, data + i, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_buffer_ struct buffer mail = {0};
	struct incoming in;
	struct error e = {0};

	expand(&mail, data, size);
	if (incoming_parse(mail.data, mail.len, NULL, &in, &e) < 0 && !e.text[0])
		abort();
	must_be_clean(in.summary.from, sizeof(in.summary.from));
	must_be_clean(in.summary.from_name, sizeof(in.summary.from_name));
	must_be_clean(in.summary.subject, sizeof(in.summary.subject));
	must_be_clean(in.summary.message_id, sizeof(in.summary.message_id));
	incoming_free(&in);
	return 0;
}
