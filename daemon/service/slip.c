/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "mail/text.h"
#include "service/slip.h"
#include "service/words.h"

static const struct {
	const char *name, *subject, *first;
} slips[_SLIPS] = {
	[SLIP_ARRIVED] = { "arrived", "Mail is kept for you", "A mail came and is kept." },
	[SLIP_WARNING] = { "warning", "Kept mail: its last day", "A mail that is kept has one "
			   "day left." },
	[SLIP_END] = { "end", "Kept mail was removed", "The days of a kept mail are over. It was "
		       "not printed, and is removed." },
};

const char *slip_name(enum slip what)
{
	return slips[what].name;
}

const char *slip_subject(enum slip what)
{
	return slips[what].subject;
}

/* "Label:  value": what strangers wrote is one line of clean text. */
static int put_field(struct buffer *b, const char *label, const char *value)
{
	char text[300];

	if (!value || !*value)
		return 0;
	text_copy(text, sizeof(text), value);
	return buffer_printf(b, "%-12s%s\r\n", label, text);
}

static int put_time(struct buffer *b, const char *label, uint64_t usec, const char *rest)
{
	char when[32];

	words_time(usec, when, sizeof(when));
	return buffer_printf(b, "%-12s%s%s\r\n", label, when, rest);
}

static int put_header(struct buffer *b, enum slip what, const struct job *job,
		      const char *hostname)
{
	return buffer_printf(b, "From: ifax <postmaster@%s>\r\nSubject: %s\r\n"
			     "Message-ID: <%llu.%s.kept@%s>\r\nMIME-Version: 1.0\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Transfer-Encoding: 8bit\r\n\r\n", hostname,
			     slip_subject(what), (unsigned long long)job->id, slip_name(what),
			     hostname);
}

static int put_about(struct buffer *b, const struct job *job, const struct user *u)
{
	char number[32];
	int r;

	snprintf(number, sizeof(number), "%u", job->pages);
	r = put_field(b, "For:", u && u->name ? u->name : "");
	if (!r)
		r = put_field(b, "User code:", job->user);
	if (!r)
		r = put_field(b, "From:", job->from);
	if (!r)
		r = put_field(b, "Subject:", job->subject);
	if (!r)
		r = put_time(b, "Received:", job->created, "");
	if (!r)
		r = put_field(b, "Pages:", number);
	return r ? r : buffer_printf(b, "%-12s%llu\r\n", "Job:", (unsigned long long)job->id);
}

static int put_how(struct buffer *b, const struct job *job, const struct user *u)
{
	bool notice = u && u->at_end && !strcmp(u->at_end, "notice");
	int r = put_time(b, "Kept until:", job->deadline,
			 notice ? "; then it is removed, and a notice printed" :
				  "; then it is printed and removed");

	return r ? r : buffer_printf(b, "\r\nTo print it before, enter the user code and the "
				     "password at the panel, or use\r\n\r\n"
				     "    ifaxctl kept print --user %s %llu\r\n",
				     job->user, (unsigned long long)job->id);
}

int slip_write(struct buffer *out, enum slip what, const struct job *job, const struct user *u,
	       const char *hostname)
{
	int r = put_header(out, what, job, hostname);

	if (!r)
		r = buffer_printf(out, "%s\r\n\r\n", slips[what].first);
	if (!r)
		r = put_about(out, job, u);
	if (!r)
		r = what == SLIP_END ? put_time(out, "Kept until:", job->deadline, "")
				     : put_how(out, job, u);
	return r;
}
