// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The words of mails: the first byte says which way, the rest is decoded by a
 * character set, cleaned and unwrapped. What comes out is UTF-8 that paper takes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "mail/html.h"
#include "mail/plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_clean(const struct buffer *b)
{
	if (b->len && !g_utf8_validate(b->data, b->len, NULL))
		abort();
	for (size_t i = 0; i < b->len; i++)
		if ((unsigned char)b->data[i] < ' ' && !strchr("\n\t\f", b->data[i]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const charsets[] = { NULL, "utf-8", "iso-2022-jp", "utf-7", "big5",
						"utf-16", "gb18030", "hz-gb-2312" };
	_buffer_ struct buffer text = { .max = 1 << 20 }, out = { .max = 1 << 20 };
	bool unknown;

	if (!size)
		return 0;
	if (plain_decode(charsets[data[0] & 7], (const char *)data + 1, size - 1, &text,
			 &unknown) < 0)
		return 0;
	plain_clean(&text);
	must_be_clean(&text);
	if (!text.data)
		return 0;
	if (data[0] & 8)
		html_to_text(text.data, text.len, &out);
	else
		plain_unflow(text.data, text.len, data[0] & 16, &out);
	must_be_clean(&out);
	return 0;
}
