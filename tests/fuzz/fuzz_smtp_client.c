/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server that says anything. The first octet chooses the options and whether a message
 * follows another, the second the size of the pieces. Checked: a message
 * has one verdict, "accepted" only after its final dot, "in doubt" never before it;
 * the one that follows begins when the other has its verdict; commands are whole lines.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct envelope_rcpt rcpts[] = {
	{ .address = "a@x", .orcpt = "rfc822;a+b@x" },
	{ .address = "b@x", .notify = NOTIFY_SUCCESS | NOTIFY_DELAY },
	{ .address = "bad <x>" },
	{ .address = "c@x", .notify = NOTIFY_NEVER },
};

struct talk {
	struct smtp_client *c;
	int messages;
	bool follow;
	bool dot_out, open, over;
	bool followed;		/* one is named that has not begun */
};

static void drain(struct talk *t)
{
	struct buffer *out = smtp_client_output(t->c);

	if (out->len && (out->len < 2 || memcmp(out->data + out->len - 2, "\r\n", 2)))
		abort();
	buffer_clear(out);
}

static void on_event(struct talk *t, const struct smtp_event *ev)
{
	const struct envelope e = {
		.from = "me@box", .rcpts = rcpts, .n_rcpts = 4, .size = 100,
		.envid = "an id", .ret = RET_HDRS,
	};

	switch (ev->type) {
	case SMTP_STARTTLS:
		drain(t);
		smtp_client_secured(t->c);
		break;
	case SMTP_READY:
		if (t->open || t->followed)
			abort();
		if (t->messages++ < 3) {
			t->open = smtp_client_send(t->c, &e) == 0;
			t->dot_out = false;
		} else {
			smtp_client_quit(t->c);
		}
		break;
	case SMTP_RECIPIENT:
		if (ev->rcpt >= 4 || !t->open)
			abort();
		break;
	case SMTP_BODY:
		smtp_client_body(t->c, "x\r\n.\r\ny", 7);
		smtp_client_body_end(t->c);
		break;
	case SMTP_DOT:
		if (t->follow && t->messages < 3)
			t->followed = smtp_client_follow(t->c, &e) == 0;
		t->messages += t->followed;
		t->dot_out = smtp_client_dot(t->c) == 0;
		break;
	case SMTP_RESULT:
		if (!t->open || (ev->verdict == SMTP_ACCEPTED && !t->dot_out))
			abort();
		t->open = t->dot_out = false;
		break;
	case SMTP_NEXT:
		if (t->open || !t->followed)
			abort();
		t->open = true;
		t->followed = false;
		break;
	case SMTP_FAILED:
		if (ev->verdict == SMTP_IN_DOUBT && !t->dot_out)
			abort();
		t->over = true;
		break;
	case SMTP_CLOSED:
		t->over = true;
		break;
	}
}

static void feed(struct talk *t, const char *s, size_t len)
{
	struct smtp_event ev;

	while (smtp_client_next(t->c, &s, &len, &ev)) {
		if (t->over)
			abort();
		on_event(t, &ev);
	}
	if (len)
		abort();
	drain(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_client_options o = { .helo = "box" };
	struct talk t = { 0 };
	size_t step;

	if (size < 2)
		return 0;
	o.tls = data[0] % 3;
	o.tls_active = data[0] & 4;
	o.user = data[0] & 8 ? "u" : NULL;
	o.password = data[0] & 8 ? "p" : NULL;
	t.follow = data[0] & 16;
	step = data[1] + 1;
	if (smtp_client_new(&t.c, &o) < 0)
		return 0;
	for (data += 2, size -= 2; size; data += step, size -= step) {
		step = step > size ? size : step;
		feed(&t, (const char *)data, step);
	}
	if (!t.over) {
		smtp_client_lost(t.c, "lost");
		feed(&t, NULL, 0);
		if (!t.over)
			abort();
	}
	smtp_client_free(t.c);
	return 0;
}
