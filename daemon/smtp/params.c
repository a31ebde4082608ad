/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "smtp/params.h"
#include "smtp/path.h"

#define ENVID_MAX 100	/* RFC 3461 4.4, 5.4 */
#define ORCPT_MAX 500	/* RFC 3461 4.2 */

struct word {
	const char *s;
	size_t len;
};

/* What is being filled in; the other is NULL. */
struct target {
	struct envelope *env;
	struct envelope_rcpt *rcpt;
};

struct param {
	const char *keyword;
	bool has_value;
	int (*set)(struct target *t, struct word value);	/* -EINVAL, -ENOTSUP, -ENOMEM */
};

static bool word_is(struct word w, const char *text)
{
	return w.len == strlen(text) && !strncasecmp(w.s, text, w.len);
}

/* Takes what stands before @sep, or all, from the front of @w. */
static struct word split(struct word *w, char sep)
{
	const char *end = memchr(w->s, sep, w->len);
	struct word front = { w->s, end ? (size_t)(end - w->s) : w->len };
	size_t gone = front.len + (end != NULL);

	w->s += gone;
	w->len -= gone;
	return front;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* RFC 3461 4; what comes out must be printable, for it goes into notices. */
static int decode_xtext(struct word w, bool utf8, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < w.len; i++) {
		unsigned char c = w.s[i];

		if (c == '+') {
			int high = w.len - i > 2 ? hex(w.s[i + 1]) : -1;
			int low = high >= 0 ? hex(w.s[i + 2]) : -1;

			if (low < 0)
				return -EINVAL;
			c = high << 4 | low;
			i += 2;
		} else if (c == '=') {
			return -EINVAL;		/* as itself it is no character of xtext */
		}
		if (c < ' ' || c == 0x7f || (c > 0x7f && !utf8))
			return -EINVAL;
		out[n++] = c;
	}
	out[n] = '\0';
	return smtp_utf8_valid(out, n) ? 0 : -EINVAL;
}

static int set_size(struct target *t, struct word v)
{
	uint64_t size = 0;

	if (!v.len || v.len > 20)
		return -EINVAL;
	for (size_t i = 0; i < v.len; i++) {
		if (v.s[i] < '0' || v.s[i] > '9')
			return -EINVAL;
		/* Twenty digits are good form, even where it takes more to hold them. */
		if (__builtin_mul_overflow(size, 10, &size) ||
		    __builtin_add_overflow(size, v.s[i] - '0', &size))
			size = UINT64_MAX / 10;
	}
	t->env->size = size;
	return 0;
}

static int set_body(struct target *t, struct word v)
{
	if (word_is(v, "BINARYMIME"))
		return -ENOTSUP;
	t->env->eight_bit = word_is(v, "8BITMIME");
	return t->env->eight_bit || word_is(v, "7BIT") ? 0 : -EINVAL;
}

static int set_utf8(struct target *t, struct word v)
{
	t->env->utf8 = true;
	return 0;
}

static int set_ret(struct target *t, struct word v)
{
	t->env->ret = word_is(v, "FULL") ? RET_FULL : word_is(v, "HDRS") ? RET_HDRS : RET_UNSAID;
	return t->env->ret ? 0 : -EINVAL;
}

static int set_envid(struct target *t, struct word v)
{
	if (!v.len || v.len > ENVID_MAX)
		return -EINVAL;
	t->env->envid = malloc(v.len + 1);
	return t->env->envid ? decode_xtext(v, false, t->env->envid) : -ENOMEM;
}

/* A mailbox in xtext or "<>" */
static int set_auth(struct target *t, struct word v)
{
	_free_ char *address = NULL;

	if (word_is(v, "<>"))
		return 0;
	if (!v.len)
		return -EINVAL;
	address = malloc(v.len + 1);
	return address ? decode_xtext(v, true, address) : -ENOMEM;
}

static int set_notify(struct target *t, struct word v)
{
	unsigned int notify = 0;

	if (word_is(v, "NEVER")) {
		t->rcpt->notify = NOTIFY_NEVER;
		return 0;
	}
	do {
		struct word w = split(&v, ',');
		unsigned int bit = word_is(w, "SUCCESS") ? NOTIFY_SUCCESS :
				   word_is(w, "FAILURE") ? NOTIFY_FAILURE :
				   word_is(w, "DELAY") ? NOTIFY_DELAY : 0;

		if (!bit || (v.len == 0 && v.s[-1] == ','))
			return -EINVAL;
		notify |= bit;
	} while (v.len);
	t->rcpt->notify = notify;
	return 0;
}

static bool is_atom(struct word w)
{
	for (size_t i = 0; i < w.len; i++)
		if (!((w.s[i] >= 'a' && w.s[i] <= 'z') || (w.s[i] >= 'A' && w.s[i] <= 'Z') ||
		      (w.s[i] >= '0' && w.s[i] <= '9') || w.s[i] == '-'))
			return false;
	return w.len;
}

/* "rfc822;xtext", or "utf-8;..." of RFC 6533 whose characters may stand as they are */
static int set_orcpt(struct target *t, struct word v)
{
	struct word rest = v, type;
	size_t head;

	if (v.len > ORCPT_MAX || !memchr(v.s, ';', v.len))
		return -EINVAL;
	type = split(&rest, ';');
	if (!is_atom(type) || !rest.len)
		return -EINVAL;
	t->rcpt->orcpt = malloc(v.len + 1);
	if (!t->rcpt->orcpt)
		return -ENOMEM;
	head = type.len + 1;
	memcpy(t->rcpt->orcpt, v.s, head);
	return decode_xtext(rest, word_is(type, "utf-8"), t->rcpt->orcpt + head);
}

static const struct param of_mail[] = {
	{ "SIZE", true, set_size },	{ "BODY", true, set_body },
	{ "SMTPUTF8", false, set_utf8 }, { "RET", true, set_ret },
	{ "ENVID", true, set_envid },	{ "AUTH", true, set_auth },
};

static const struct param of_rcpt[] = {
	{ "NOTIFY", true, set_notify },
	{ "ORCPT", true, set_orcpt },
};

static int set(const struct param *table, size_t n, unsigned int *seen, struct target *t,
	       struct word keyword, struct word value, bool has_value, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		int r;

		if (!word_is(keyword, table[i].keyword))
			continue;
		if (*seen & 1U << i)
			return error_set(e, -EINVAL, "%s is said twice", table[i].keyword);
		*seen |= 1U << i;
		r = has_value == table[i].has_value ? table[i].set(t, value) : -EINVAL;
		if (r == -ENOTSUP)
			return error_set(e, r, "That value of %s is not supported",
					 table[i].keyword);
		return r < 0 ? error_set(e, r, "Bad value of %s", table[i].keyword) : 0;
	}
	return error_set(e, -ENOTSUP, "Parameter not recognized");
}

static int parse(const char *text, size_t len, const struct param *table, size_t n,
		 struct target *t, struct error *e)
{
	struct word all = { text, len };
	unsigned int seen = 0;

	if (len && *text != ' ')
		return error_set(e, -EINVAL, "A space must follow the path");
	while (all.len) {
		struct word value = split(&all, ' ');
		struct word keyword = value;
		bool has_value = memchr(value.s, '=', value.len);
		int r;

		if (!value.len)
			continue;
		keyword = split(&value, '=');
		r = set(table, n, &seen, t, keyword, value, has_value, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int smtp_mail_params(const char *text, size_t len, struct envelope *env, struct error *e)
{
	struct target t = { .env = env };

	return parse(text, len, of_mail, ARRAY_SIZE(of_mail), &t, e);
}

int smtp_rcpt_params(const char *text, size_t len, struct envelope_rcpt *r, struct error *e)
{
	struct target t = { .rcpt = r };

	return parse(text, len, of_rcpt, ARRAY_SIZE(of_rcpt), &t, e);
}
