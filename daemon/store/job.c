// SPDX-License-Identifier: LGPL-2.1-or-later
/* Jobs in memory, and their state as bytes of a journal record. */
#include "store/store_internal.h"

#include <endian.h>
#include <string.h>

#define STATE_VERSION	2	/* 1 knew nothing of envelopes; its records are still read */
#define RECIPIENTS_MAX	10000
#define NO_STRING	UINT32_MAX

static const char *const state_names[_JOB_STATES] = {
	[JOB_SCANNING] = "scanning",  [JOB_QUEUED] = "queued",	   [JOB_SENDING] = "sending",
	[JOB_SENT] = "sent",	      [JOB_CHECKING] = "checking", [JOB_PRINTING] = "printing",
	[JOB_WAITING] = "waiting",    [JOB_PRINTED] = "printed",   [JOB_HELD] = "held",
	[JOB_FAILED] = "failed",      [JOB_CANCELED] = "canceled", [JOB_DUPLICATE] = "duplicate",
	[JOB_COLLECTING] = "collecting", [JOB_COLLECTED] = "collected",
	[JOB_DELIVERED] = "delivered", [JOB_KEPT] = "kept",	   [JOB_REMOVED] = "removed",
};

static const char *const kind_names[_JOB_KINDS] = {
	[JOB_SEND] = "send",
	[JOB_PRINT] = "print",
	[JOB_COLLECT] = "collect",
	[JOB_MAIL] = "mail",
	[JOB_NOTICE] = "notice",
};

const char *job_state_name(enum job_state state)
{
	return (unsigned int)state < _JOB_STATES ? state_names[state] : "unknown";
}

const char *job_kind_name(enum job_kind kind)
{
	return (unsigned int)kind < _JOB_KINDS ? kind_names[kind] : "unknown";
}

bool job_state_final(enum job_state state)
{
	switch (state) {
	case JOB_SENT:
	case JOB_PRINTED:
	case JOB_FAILED:
	case JOB_CANCELED:
	case JOB_DUPLICATE:
	case JOB_COLLECTED:
	case JOB_DELIVERED:
	case JOB_REMOVED:
		return true;
	default:
		return false;
	}
}

bool job_kind_queued(enum job_kind kind)
{
	return kind == JOB_SEND || kind == JOB_MAIL || kind == JOB_NOTICE;
}

static void free_recipient(struct job_recipient *r)
{
	free(r->address);
	free(r->user);
	free(r->orcpt);
	free(r->detail);
	free(r->status);
	free(r->remote);
}

void job_free(struct job *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n_recipients; i++)
		free_recipient(&j->recipients[i]);
	free(j->recipients);
	free(j->user);
	free(j->from);
	free(j->subject);
	free(j->message_id);
	free(j->source);
	free(j->digest);
	free(j->board);
	free(j->encoding);
	free(j->detail);
	free(j->envid);
	free(j->mark);
	free(j);
}

void job_list_free(struct job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		job_free(jobs[i]);
	free(jobs);
}

int job_set(char **field, const char *value)
{
	char *copy = NULL;

	if (value) {
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

int job_add_recipient(struct job *j, const char *address)
{
	struct job_recipient *list;
	char *copy;

	if (j->n_recipients >= RECIPIENTS_MAX)
		return -E2BIG;
	copy = strdup(address);
	if (!copy)
		return -ENOMEM;
	list = reallocarray(j->recipients, j->n_recipients + 1, sizeof(*list));
	if (!list) {
		free(copy);
		return -ENOMEM;
	}
	j->recipients = list;
	list[j->n_recipients++] = (struct job_recipient){ .address = copy };
	return 0;
}

static int put32(struct buffer *b, uint32_t v)
{
	v = htole32(v);
	return buffer_append(b, &v, sizeof(v));
}

static int put64(struct buffer *b, uint64_t v)
{
	v = htole64(v);
	return buffer_append(b, &v, sizeof(v));
}

static int put_string(struct buffer *b, const char *s)
{
	size_t len = s ? strlen(s) : 0;
	int r;

	if (len > 1u << 20)
		return -EMSGSIZE;
	r = put32(b, s ? (uint32_t)len : NO_STRING);
	return r < 0 || !len ? r : buffer_append(b, s, len);
}

enum job_flag {
	FLAG_EIGHT_BIT = 1,
	FLAG_UTF8 = 2,
	FLAG_SLIP = 4,
	FLAG_UNSEALED = 8,
	FLAGS_KNOWN = 15,
};

static uint32_t flags_of(const struct job *j)
{
	return (j->eight_bit ? FLAG_EIGHT_BIT : 0) | (j->utf8 ? FLAG_UTF8 : 0) |
	       (j->slip ? FLAG_SLIP : 0) | (j->unsealed ? FLAG_UNSEALED : 0);
}

static int put_recipient(struct buffer *b, const struct job_recipient *c)
{
	const uint32_t small[] = { c->state, c->notify, c->flags, c->tries };
	const char *const strings[] = {
		c->address, c->detail, c->user, c->orcpt, c->status, c->remote,
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(small) && !r; i++)
		r = put32(b, small[i]);
	if (!r)
		r = put64(b, c->next_try);
	for (size_t i = 0; i < ARRAY_SIZE(strings) && !r; i++)
		r = put_string(b, strings[i]);
	return r;
}

int job_encode(const struct job *j, struct buffer *b)
{
	const uint32_t small[] = {
		STATE_VERSION, j->kind, j->state, j->pages, j->pages_done, j->page_in_hand,
		j->attempts, (uint32_t)j->n_recipients, j->ret, flags_of(j),
	};
	const uint64_t large[] = {
		j->id, j->created, j->changed, j->next_try, j->body_len, j->since, j->deadline,
	};
	const char *const strings[] = {
		j->user, j->from, j->subject, j->message_id, j->source, j->digest, j->board,
		j->encoding, j->detail, j->envid,
	};
	int r = j->n_recipients > RECIPIENTS_MAX ? -E2BIG : 0;

	for (size_t i = 0; i < ARRAY_SIZE(small) && !r; i++)
		r = put32(b, small[i]);
	for (size_t i = 0; i < ARRAY_SIZE(large) && !r; i++)
		r = put64(b, large[i]);
	for (size_t i = 0; i < ARRAY_SIZE(strings) && !r; i++)
		r = put_string(b, strings[i]);
	for (size_t i = 0; i < j->n_recipients && !r; i++)
		r = put_recipient(b, &j->recipients[i]);
	return r;
}

/* Bytes being taken apart; @bad sticks. */
struct cursor {
	const uint8_t *p;
	size_t left;
	int bad;
};

static void get(struct cursor *c, void *out, size_t len)
{
	if (c->bad || len > c->left) {
		memset(out, 0, len);
		c->bad = c->bad ? c->bad : -EBADMSG;
		return;
	}
	memcpy(out, c->p, len);
	c->p += len;
	c->left -= len;
}

static uint32_t get32(struct cursor *c)
{
	uint32_t v;

	get(c, &v, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(struct cursor *c)
{
	uint64_t v;

	get(c, &v, sizeof(v));
	return le64toh(v);
}

static char *get_string(struct cursor *c)
{
	uint32_t len = get32(c);
	char *s;

	if (c->bad || len == NO_STRING)
		return NULL;
	if (len > c->left || memchr(c->p, 0, len)) {
		c->bad = -EBADMSG;
		return NULL;
	}
	s = strndup((const char *)c->p, len);
	if (!s)
		c->bad = -ENOMEM;
	c->p += len;
	c->left -= len;
	return s;
}

static void get_recipient(struct cursor *c, struct job_recipient *r, uint32_t version)
{
	uint32_t state = get32(c);

	if (version > 1) {
		r->notify = get32(c);
		r->flags = get32(c);
		r->tries = get32(c);
		r->next_try = get64(c);
	}
	r->address = get_string(c);
	r->detail = get_string(c);
	if (version > 1) {
		r->user = get_string(c);
		r->orcpt = get_string(c);
		r->status = get_string(c);
		r->remote = get_string(c);
	}
	r->state = state;
	if (!c->bad && (state > RCPT_DELIVERED || !r->address))
		c->bad = -EBADMSG;
}

static void get_recipients(struct cursor *c, struct job *j, uint32_t n, uint32_t version)
{
	if (c->bad || !n)
		return;
	/* Twelve bytes is the least that one takes. */
	if (n > RECIPIENTS_MAX || n > c->left / 12) {
		c->bad = -EBADMSG;
		return;
	}
	j->recipients = calloc(n, sizeof(*j->recipients));
	if (!j->recipients) {
		c->bad = -ENOMEM;
		return;
	}
	j->n_recipients = n;
	for (uint32_t i = 0; i < n && !c->bad; i++)
		get_recipient(c, &j->recipients[i], version);
}

static void get_strings(struct cursor *c, struct job *j, uint32_t version)
{
	j->user = get_string(c);
	j->from = get_string(c);
	j->subject = get_string(c);
	j->message_id = get_string(c);
	j->source = get_string(c);
	j->digest = get_string(c);
	j->board = get_string(c);
	j->encoding = get_string(c);
	j->detail = get_string(c);
	if (version > 1)
		j->envid = get_string(c);
}

/* The numbers; the count of recipients and what may be out of range are checked by the caller. */
struct raw {
	uint32_t version, kind, state, n, ret, flags;
};

static void get_numbers(struct cursor *c, struct job *j, struct raw *raw)
{
	raw->version = get32(c);
	raw->kind = get32(c);
	raw->state = get32(c);
	j->pages = get32(c);
	j->pages_done = get32(c);
	j->page_in_hand = get32(c);
	j->attempts = get32(c);
	raw->n = get32(c);
	if (raw->version > 1) {
		raw->ret = get32(c);
		raw->flags = get32(c);
	}
	j->id = get64(c);
	j->created = get64(c);
	j->changed = get64(c);
	j->next_try = get64(c);
	j->body_len = get64(c);
	if (raw->version > 1) {
		j->since = get64(c);
		j->deadline = get64(c);
	}
	if (!c->bad && (raw->version < 1 || raw->version > STATE_VERSION ||
			raw->kind >= _JOB_KINDS || raw->state >= _JOB_STATES ||
			raw->ret > RET_HDRS || raw->flags & ~(uint32_t)FLAGS_KNOWN || !j->id ||
			j->id > INT64_MAX))
		c->bad = -EBADMSG;
	j->kind = raw->kind;
	j->state = raw->state;
	j->ret = raw->ret;
	j->eight_bit = raw->flags & FLAG_EIGHT_BIT;
	j->utf8 = raw->flags & FLAG_UTF8;
	j->slip = raw->flags & FLAG_SLIP;
	j->unsealed = raw->flags & FLAG_UNSEALED;
}

int job_decode(const void *data, size_t len, struct job **ret)
{
	struct cursor c = { .p = data, .left = len };
	struct job *j = calloc(1, sizeof(*j));
	struct raw raw = { 0 };

	if (!j)
		return -ENOMEM;
	get_numbers(&c, j, &raw);
	get_strings(&c, j, raw.version);
	get_recipients(&c, j, raw.n, raw.version);
	if (!c.bad && c.left)
		c.bad = -EBADMSG;
	if (c.bad) {
		job_free(j);
		return c.bad;
	}
	*ret = j;
	return 0;
}
