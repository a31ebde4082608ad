/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of an HTML mail. No parser of HTML: tags are taken off, those that
 * begin a line or a paragraph begin one, and what is no text is left out. One
 * pass, no memory but the output's; anything is taken.
 */
#ifndef IFAX_MAIL_HTML_H
#define IFAX_MAIL_HTML_H

#include <stddef.h>

#include "base/buffer.h"

/*
 * Appends the text of @html, valid UTF-8, a line a paragraph. -ENOMEM, or
 * -EMSGSIZE beyond the buffer's limit.
 */
int html_to_text(const char *html, size_t len, struct buffer *out);

#endif
