/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replies out of any octets; cut in two, they must read as they do whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
	struct smtp_reply_parser p;
	unsigned long sum;
	int r;
};

static void read_on(struct reading *g, const char *s, size_t len)
{
	while (g->r >= 0 && len) {
		g->r = smtp_reply_feed(&g->p, &s, &len);
		if (g->r != 1)
			continue;
		if (g->p.reply.code < 200 || g->p.reply.code > 599 ||
		    strlen(g->p.reply.text) >= SMTP_REPLY_TEXT_MAX)
			abort();
		for (const char *t = g->p.reply.text; *t; t++)
			g->sum = g->sum * 31 + (unsigned char)*t;
		g->sum = g->sum * 31 + g->p.reply.code;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading whole = { 0 }, halves = { 0 };
	size_t cut;

	if (size < 2)
		return 0;
	cut = data[0] % size;
	data++;
	size--;
	read_on(&whole, (const char *)data, size);
	read_on(&halves, (const char *)data, cut);
	read_on(&halves, (const char *)data + cut, size - cut);
	if (whole.sum != halves.sum || (whole.r < 0) != (halves.r < 0))
		abort();
	return 0;
}
