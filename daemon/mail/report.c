/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "mail/report.h"
#include "mail/text.h"

#define FIELD_MAX 1024		/* of a field, unfolded; the rest is left out */

/* A field: name, and value without the space around it. */
struct field {
	char text[FIELD_MAX];
	const char *value;
};

/* --- fields --- */

/* The line at @s without its end; *next is behind that. */
static size_t line_at(const char *s, const char *end, const char **next)
{
	const char *nl = memchr(s, '\n', end - s);
	size_t n = (nl ? nl : end) - s;

	*next = nl ? nl + 1 : end;
	return n && s[n - 1] == '\r' ? n - 1 : n;
}

static size_t append(char *to, size_t n, const char *s, size_t len)
{
	if (len > FIELD_MAX - 1 - n)
		len = FIELD_MAX - 1 - n;
	memcpy(to + n, s, len);
	return n + len;
}

/* Parts name and value. False: it is no field. */
static bool split(struct field *f)
{
	char *colon = strchr(f->text, ':'), *end;

	if (!colon || colon == f->text)
		return false;
	for (end = colon; end > f->text && isblank((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	for (colon++; isblank((unsigned char)*colon); colon++)
		;
	f->value = colon;
	for (end = strchr(colon, '\0'); end > colon && isblank((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	return true;
}

enum taken {
	TAKEN_FIELD,
	TAKEN_NONSENSE,		/* a line that is no field */
	TAKEN_EMPTY,		/* the empty line between groups of fields */
	TAKEN_END,
};

/* Takes one field with its folded lines from *s. */
static enum taken take_field(const char **s, const char *end, struct field *f)
{
	const char *next;
	size_t n, len;

	if (*s >= end)
		return TAKEN_END;
	n = line_at(*s, end, &next);
	if (!n) {
		*s = next;
		return TAKEN_EMPTY;
	}
	len = append(f->text, 0, *s, n);
	for (*s = next; *s < end && (**s == ' ' || **s == '\t'); *s = next) {
		n = line_at(*s, end, &next);
		len = append(f->text, len, *s, n);
	}
	f->text[len] = '\0';
	return split(f) ? TAKEN_FIELD : TAKEN_NONSENSE;
}

/* --- values --- */

/* "rfc822; user@host": what stands behind the type, or all where there is none. */
static const char *behind_type(const char *value)
{
	const char *semicolon = strchr(value, ';');

	if (!semicolon)
		return value;
	for (semicolon++; isblank((unsigned char)*semicolon); semicolon++)
		;
	return semicolon;
}

/* A keyword at the start of @value, which ends where no letter follows. */
static bool begins(const char *value, const char *word)
{
	size_t n = strlen(word);

	return !strncasecmp(value, word, n) && !isalnum((unsigned char)value[n]) && value[n] != '-';
}

static enum report_action action_of(const char *value)
{
	static const char *const names[_REPORT_ACTIONS] = {
		[REPORT_FAILED] = "failed",	[REPORT_DELAYED] = "delayed",
		[REPORT_DELIVERED] = "delivered", [REPORT_RELAYED] = "relayed",
		[REPORT_EXPANDED] = "expanded",
	};

	for (int i = 1; i < _REPORT_ACTIONS; i++)
		if (begins(value, names[i]))
			return (enum report_action)i;
	return REPORT_UNKNOWN;
}

/* RFC 8098 3.2.6: "automatic-action/MDN-sent-automatically; processed/error" */
static enum report_action disposition_of(const char *value)
{
	const char *type = behind_type(value), *modifier = strchr(type, '/');

	if (modifier && (begins(modifier + 1, "error") || begins(modifier + 1, "failure")))
		return REPORT_FAILED;
	if (begins(type, "displayed") || begins(type, "dispatched") || begins(type, "processed"))
		return REPORT_DELIVERED;
	if (begins(type, "deleted") || begins(type, "denied") || begins(type, "failed"))
		return REPORT_FAILED;
	return REPORT_UNKNOWN;
}

/* "5.1.1 (no such user)": digits and dots only. */
static void copy_status(char to[12], const char *value)
{
	size_t n = strspn(value, "0123456789.");

	if (n < 5 || n > 11 || !strchr("245", value[0]) || value[1] != '.')
		return;
	memcpy(to, value, n);
	to[n] = '\0';
}

/* --- the part --- */

struct reading {
	struct report *report;
	struct report_rcpt *rcpt;	/* of the group in hand; NULL: beyond the last that fits */
	bool group;			/* a recipient's group has begun */
};

/* The fields of a recipient begin: after an empty line, or where a disposition tells of one. */
static void begin_rcpt(struct reading *rd)
{
	struct report *r = rd->report;

	rd->group = true;
	rd->rcpt = r->n_rcpts < REPORT_RCPTS ? &r->rcpts[r->n_rcpts++] : NULL;
}

/* Where the value goes, for those that are copied as they are. */
static const struct rcpt_field {
	const char *name;
	size_t at, size;
	bool typed;
} rcpt_fields[] = {
#define AT(member) offsetof(struct report_rcpt, member), sizeof(((struct report_rcpt *)0)->member)
	{ "Final-Recipient", AT(address), true },
	{ "Original-Recipient", AT(original), true },
	{ "Diagnostic-Code", AT(diagnostic), true },
	{ "Error", AT(diagnostic), false },
	{ "Failure", AT(diagnostic), false },
#undef AT
};

static void take_rcpt_field(struct reading *rd, const struct field *f)
{
	struct report_rcpt *r = rd->rcpt;

	if (!r)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rcpt_fields); i++)
		if (!strcasecmp(f->text, rcpt_fields[i].name))
			text_copy((char *)r + rcpt_fields[i].at, rcpt_fields[i].size,
				  rcpt_fields[i].typed ? behind_type(f->value) : f->value);
	if (!strcasecmp(f->text, "Action"))
		r->action = action_of(f->value);
	else if (!strcasecmp(f->text, "Disposition"))
		r->action = disposition_of(f->value);
	else if (!strcasecmp(f->text, "Status"))
		copy_status(r->status, f->value);
}

static void take(struct reading *rd, const struct field *f)
{
	struct report *r = rd->report;

	if (!strcasecmp(f->text, "Original-Envelope-Id")) {
		text_copy(r->envid, sizeof(r->envid), f->value);
		return;
	}
	if (!strcasecmp(f->text, "Original-Message-ID")) {
		text_copy(r->message_id, sizeof(r->message_id), f->value);
		return;
	}
	if (!rd->group && r->kind == REPORT_DISPOSITION)
		begin_rcpt(rd);
	if (rd->group)
		take_rcpt_field(rd, f);
}

void report_parse_status(const char *text, size_t len, enum report_kind kind, struct report *ret)
{
	struct reading rd = { .report = ret };
	const char *end = text + len;
	bool between = false, any = false;
	struct field f;
	enum taken t;

	ret->kind = kind;
	while ((t = take_field(&text, end, &f)) != TAKEN_END) {
		between |= t == TAKEN_EMPTY;
		if (t != TAKEN_FIELD)
			continue;
		/* the first group is about the message, each further one about a recipient */
		if (between && any && kind == REPORT_DELIVERY)
			begin_rcpt(&rd);
		between = false;
		any = true;
		take(&rd, &f);
	}
}

void report_parse_header(const char *text, size_t len, struct report *ret)
{
	const char *end = text + len;
	struct field f;
	enum taken t;

	while ((t = take_field(&text, end, &f)) == TAKEN_FIELD || t == TAKEN_NONSENSE)
		if (t == TAKEN_FIELD && !strcasecmp(f.text, "Message-ID") && !ret->message_id[0])
			text_copy(ret->message_id, sizeof(ret->message_id), f.value);
}

void report_check(struct report *r)
{
	if (r->kind > REPORT_DISPOSITION)
		r->kind = REPORT_NONE;
	if (r->n_rcpts > REPORT_RCPTS)
		r->n_rcpts = REPORT_RCPTS;
	text_end(r->envid, sizeof(r->envid));
	text_end(r->message_id, sizeof(r->message_id));
	for (uint32_t i = 0; i < r->n_rcpts; i++) {
		struct report_rcpt *p = &r->rcpts[i];

		text_end(p->address, sizeof(p->address));
		text_end(p->original, sizeof(p->original));
		text_end(p->diagnostic, sizeof(p->diagnostic));
		text_end(p->status, sizeof(p->status));
		if (p->action >= _REPORT_ACTIONS)
			p->action = REPORT_UNKNOWN;
	}
}
