/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server that says anything. The first octet chooses the options, the second
 * the size of the pieces. Checked: a mail is no larger than allowed, comes only
 * when asked for and ends once; DELE is sent only for what came whole.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_MESSAGE	1000
#define MAILS		64

struct talk {
	struct pop3_client *c;
	bool asked[MAILS], looks[MAILS], whole[MAILS], over;
	size_t got, left;
};

static void on_listed(struct talk *t)
{
	size_t n = pop3_client_count(t->c);

	for (size_t i = 0; i < n && i < MAILS; i++) {
		if (!pop3_client_uidl(t->c, i)[0])
			abort();
		t->looks[i] = i % 2;
		t->asked[i] = (t->looks[i] ? pop3_client_look(t->c, i) :
					     pop3_client_fetch(t->c, i)) == 0;
		t->left += t->asked[i];
	}
	if (!t->left)
		pop3_client_quit(t->c);
}

static void ended(struct talk *t, size_t i)
{
	if (i >= MAILS || !t->asked[i])
		abort();
	t->asked[i] = false;
	t->got = 0;
	if (!--t->left)
		pop3_client_quit(t->c);
}

static void on_event(struct talk *t, const struct pop3_event *ev)
{
	switch (ev->type) {
	case POP3_STARTTLS:
		buffer_clear(pop3_client_output(t->c));
		pop3_client_secured(t->c);
		break;
	case POP3_LISTED:
		on_listed(t);
		break;
	case POP3_DATA:
		t->got += ev->len;
		if (!ev->len || t->got > (t->looks[ev->mail] ? POP3_LOOK_MAX : MAX_MESSAGE) ||
		    !t->asked[ev->mail])
			abort();
		break;
	case POP3_HEAD:
	case POP3_NO_HEAD:
		if (ev->mail >= MAILS || !t->looks[ev->mail])
			abort();
		t->looks[ev->mail] = false;
		if (pop3_client_fetch(t->c, ev->mail) == 0)
			t->got = 0;
		else
			ended(t, ev->mail);
		break;
	case POP3_MESSAGE:
		t->whole[ev->mail] = true;
		pop3_client_delete(t->c, ev->mail);
		ended(t, ev->mail);
		break;
	case POP3_SKIPPED:
		ended(t, ev->mail);
		break;
	case POP3_DELETED:
	case POP3_NOT_DELETED:
		if (!t->whole[ev->mail])
			abort();
		break;
	case POP3_CLOSED:
	case POP3_FAILED:
		t->over = true;
		break;
	}
}

static void feed(struct talk *t, const char *s, size_t len)
{
	struct pop3_event ev;
	struct buffer *out = pop3_client_output(t->c);

	while (pop3_client_next(t->c, &s, &len, &ev)) {
		if (t->over)
			abort();
		on_event(t, &ev);
	}
	if (len || (out->len && (out->len < 2 || memcmp(out->data + out->len - 2, "\r\n", 2))))
		abort();
	buffer_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pop3_client_options o = { .user = "u", .password = "p", .max_message = MAX_MESSAGE };
	struct talk t = { 0 };
	size_t step;

	if (size < 2)
		return 0;
	o.tls = data[0] % 2;
	o.tls_active = data[0] & 4;
	step = data[1] + 1;
	if (pop3_client_new(&t.c, &o) < 0)
		return 0;
	for (data += 2, size -= 2; size; data += step, size -= step) {
		step = step > size ? size : step;
		feed(&t, (const char *)data, step);
	}
	if (!t.over) {
		pop3_client_lost(t.c, "lost");
		feed(&t, NULL, 0);
		if (!t.over)
			abort();
	}
	pop3_client_free(t.c);
	return 0;
}
