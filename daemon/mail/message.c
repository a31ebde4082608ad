/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <gmime/gmime.h>

#include "base/cleanup.h"
#include "mail/address.h"
#include "mail/gmime_init.h"
#include "mail/message.h"

#define HEADER_TEXT_MAX 500

char *message_id_make(const char *host)
{
	struct timespec now;
	uint64_t random = 0;
	char *id;

	clock_gettime(CLOCK_REALTIME, &now);
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return NULL;
	if (asprintf(&id, "<%llx.%llx@%s>", (unsigned long long)now.tv_sec,
		     (unsigned long long)random, host) < 0)
		return NULL;
	return id;
}

int message_check_text(const char *what, const char *s, struct error *e)
{
	if (strlen(s) > HEADER_TEXT_MAX)
		return error_set(e, -EINVAL, "The %s has more than %d bytes", what,
				 HEADER_TEXT_MAX);
	if (!g_utf8_validate(s, -1, NULL))
		return error_set(e, -EINVAL, "The %s is not valid UTF-8", what);
	for (; *s; s = g_utf8_next_char(s))
		if (g_unichar_iscntrl(g_utf8_get_char(s)))
			return error_set(e, -EINVAL,
					 "The %s contains a line end or another control character",
					 what);
	return 0;
}

static int check_body(const char *s, struct error *e)
{
	if (!g_utf8_validate(s, -1, NULL))
		return error_set(e, -EINVAL, "The text of the message is not valid UTF-8");
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\n' && *s != '\t') || *s == 0x7f)
			return error_set(e, -EINVAL,
					 "The text of the message contains a control character");
	return 0;
}

int message_check_id(const char *s, struct error *e)
{
	size_t len = strlen(s);
	bool ok = len > 4 && len < 250 && s[0] == '<' && s[len - 1] == '>' && strchr(s, '@');

	for (size_t i = 1; ok && i + 1 < len; i++)
		ok = isgraph((unsigned char)s[i]) && !strchr("<>", s[i]);
	return ok ? 0 : error_set(e, -EINVAL, "\"%.100s\" is not a Message-ID", s);
}

static int check_spec(const struct message_spec *s, struct error *e)
{
	int r = address_check(s->from, e);

	if (r >= 0 && s->from_name)
		r = message_check_text("sender's name", s->from_name, e);
	if (r >= 0)
		r = message_check_text("subject", s->subject, e);
	if (r >= 0)
		r = message_check_text("file name", s->filename, e);
	if (r >= 0)
		r = message_check_id(s->message_id, e);
	if (r >= 0 && !s->n_to)
		r = error_set(e, -EINVAL, "The message has no recipient");
	for (size_t i = 0; i < s->n_to && r >= 0; i++)
		r = address_check(s->to[i], e);
	return r < 0 ? r : check_body(s->text, e);
}

static GMimeObject *text_part(const char *text)
{
	GMimeTextPart *part = g_mime_text_part_new_with_subtype("plain");
	bool ascii = g_str_is_ascii(text);

	g_mime_text_part_set_charset(part, "utf-8");
	g_mime_text_part_set_text(part, text);
	g_mime_part_set_content_encoding(GMIME_PART(part),
					 ascii ? GMIME_CONTENT_ENCODING_7BIT :
						 GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	/* A long line of ours must not become a long line on the wire. */
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strcspn(p, "\n") > 76)
			g_mime_part_set_content_encoding(GMIME_PART(part),
							 GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	return GMIME_OBJECT(part);
}

/* RFC 3302: application=faxbw says that a black-and-white fax can show it. */
static GMimeObject *tiff_part(const struct message_spec *s)
{
	GMimePart *part = g_mime_part_new_with_type("image", "tiff");
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(s->tiff, s->tiff_len);
	GMimeDataWrapper *content =
		g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);

	g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "application", "faxbw");
	g_mime_object_set_disposition(GMIME_OBJECT(part), GMIME_DISPOSITION_ATTACHMENT);
	g_mime_part_set_filename(part, s->filename);
	g_mime_part_set_content(part, content);
	g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_BASE64);
	g_object_unref(content);
	g_object_unref(stream);
	return GMIME_OBJECT(part);
}

static void add_part(GMimeMultipart *m, GMimeObject *part)
{
	g_mime_multipart_add(m, part);
	g_object_unref(part);
}

/* In UTC: the box's wall clock zone is nobody's business and may be unset. */
static void set_date(GMimeMessage *m, uint64_t usec)
{
	GDateTime *date = g_date_time_new_from_unix_utc(usec / 1000000);

	if (date) {
		g_mime_message_set_date(m, date);
		g_date_time_unref(date);
	}
}

static void set_addresses(GMimeMessage *m, const struct message_spec *s, GMimeAddressType type)
{
	if (type == GMIME_ADDRESS_TYPE_FROM)
		g_mime_message_add_mailbox(m, type, s->from_name, s->from);
	for (size_t i = 0; type == GMIME_ADDRESS_TYPE_TO && i < s->n_to; i++)
		g_mime_message_add_mailbox(m, type, NULL, s->to[i]);
}

/* A field as it stands: neither folded nor encoded, for it is short and ASCII. */
static void set_field(GMimeMessage *m, const char *name, const char *value)
{
	g_mime_object_set_header(GMIME_OBJECT(m), name, value, NULL);
}

static GMimeMessage *make_plain(const struct message_spec *s)
{
	GMimeMessage *m = g_mime_message_new(true);
	/* GMime wants the Message-ID without its brackets. */
	_free_ char *id = strndup(s->message_id + 1, strlen(s->message_id) - 2);

	set_date(m, s->date);
	set_addresses(m, s, GMIME_ADDRESS_TYPE_FROM);
	set_addresses(m, s, GMIME_ADDRESS_TYPE_TO);
	g_mime_message_set_subject(m, s->subject, "utf-8");
	if (id)
		g_mime_message_set_message_id(m, id);
	set_field(m, "X-Mailer", "ifax " IFAX_VERSION);
	return m;
}

/* The order is that in which they are set here. */
static GMimeMessage *make_panasonic(const struct message_spec *s)
{
	GMimeMessage *m = g_mime_message_new(false);

	set_date(m, s->date);
	set_field(m, "Message-Id", s->message_id);
	set_field(m, "Mime-Version", "1.0");
	set_field(m, "X-Mailer", "Internet FAX, ifax " IFAX_VERSION);
	set_addresses(m, s, GMIME_ADDRESS_TYPE_FROM);
	g_mime_message_set_subject(m, s->subject, "utf-8");
	set_addresses(m, s, GMIME_ADDRESS_TYPE_TO);
	return m;
}

/* As theirs look, but unique: the text beside the pages may say anything. */
static void set_boundary(GMimeMultipart *parts)
{
	uint64_t random = 0;
	char text[40];

	/* Without it the boundary is GMime's own, which will do as well. */
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return;
	snprintf(text, sizeof(text), "+-+-+-%016llx-+-+", (unsigned long long)random);
	g_mime_multipart_set_boundary(parts, text);
}

static GMimeMessage *make_message(const struct message_spec *s)
{
	GMimeMessage *m = s->style == MESSAGE_PANASONIC ? make_panasonic(s) : make_plain(s);
	GMimeMultipart *parts = g_mime_multipart_new_with_subtype("mixed");

	if (s->style == MESSAGE_PANASONIC)
		set_boundary(parts);
	add_part(parts, text_part(s->text));
	add_part(parts, tiff_part(s));
	g_mime_message_set_mime_part(m, GMIME_OBJECT(parts));
	g_object_unref(parts);
	return m;
}

static int write_message(GMimeMessage *m, struct buffer *out)
{
	GMimeFormatOptions *options = g_mime_format_options_new();
	GByteArray *bytes = g_byte_array_new();
	GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);
	int r = 0;

	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), false);
	g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS);
	if (g_mime_object_write_to_stream(GMIME_OBJECT(m), options, stream) < 0)
		r = -EIO;
	else
		r = buffer_append(out, bytes->data, bytes->len);
	g_object_unref(stream);
	g_byte_array_free(bytes, true);
	g_mime_format_options_free(options);
	return r;
}

int message_build(const struct message_spec *s, struct buffer *out, struct error *e)
{
	GMimeMessage *m;
	int r = check_spec(s, e);

	if (r < 0)
		return r;
	gmime_init_once();
	m = make_message(s);
	r = write_message(m, out);
	g_object_unref(m);
	return r < 0 ? error_set(e, r, "Cannot write the message: %s", strerror(-r)) : 0;
}
