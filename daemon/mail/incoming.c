/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>

#include "base/cleanup.h"
#include "mail/gmime_init.h"
#include "mail/incoming.h"
#include "mail/text.h"
#include "page/tiff_read.h"

#define DEFAULT_HEADER (256u << 10)
#define DEFAULT_PARTS  100
#define DEFAULT_DEPTH  12
#define DEFAULT_FILES  50

/* The state of a walk over the parts. */
struct walk {
	struct incoming *in;
	struct incoming_limits limits;
	uint32_t parts;
};

/* --- before GMime: what would cost too much to parse --- */

/* The line at @s: its length without the line end; *next is behind that. */
static size_t line_at(const char *s, const char *end, const char **next)
{
	const char *nl = memchr(s, '\n', end - s);

	*next = nl ? nl + 1 : end;
	return (nl ? nl : end) - s;
}

/*
 * A part costs by the parts around it, and each has a line that names its
 * type: counting those bounds the work. Text that quotes such lines is counted
 * too, which no fax mail comes near.
 */
static int check_cost(const char *s, size_t len, const struct incoming_limits *l, struct error *e)
{
	static const char name[] = "content-type";
	const char *end = s + len, *next;
	bool header = true;
	uint64_t head = 0;
	uint32_t types = 0;

	for (; s < end; s = next) {
		size_t n = line_at(s, end, &next);

		if (header) {
			head += next - s;
			header = n > 1 || (n == 1 && s[0] != '\r');
		}
		if (head > l->max_header)
			return error_set(e, -EFBIG, "The mail's header has more than %llu bytes",
					 (unsigned long long)l->max_header);
		if (n >= sizeof(name) - 1 && !g_ascii_strncasecmp(s, name, sizeof(name) - 1))
			types++;
		if (types > l->max_parts)
			return error_set(e, -EFBIG, "The mail has more than %u parts",
					 l->max_parts);
	}
	return 0;
}

/* --- the header --- */

static void copy_from(struct incoming_summary *s, GMimeMessage *m)
{
	InternetAddressList *l = g_mime_message_get_from(m);
	InternetAddress *a = NULL;

	if (l && internet_address_list_length(l) > 0)
		a = internet_address_list_get_address(l, 0);
	if (!a || !INTERNET_ADDRESS_IS_MAILBOX(a))
		return;
	text_copy(s->from, sizeof(s->from),
		  internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(a)));
	text_copy(s->from_name, sizeof(s->from_name), internet_address_get_name(a));
}

static void copy_summary(struct incoming_summary *s, GMimeMessage *m)
{
	const char *id = g_mime_message_get_message_id(m);
	GDateTime *date = g_mime_message_get_date(m);

	copy_from(s, m);
	text_copy(s->subject, sizeof(s->subject), g_mime_message_get_subject(m));
	if (id && strlen(id) + 2 < sizeof(s->message_id)) {
		_free_ char *full = g_strdup_printf("<%s>", id);

		text_copy(s->message_id, sizeof(s->message_id), full);
	}
	s->date = date ? g_date_time_to_unix(date) : 0;
}

/* --- the parts --- */

static int walk_object(struct walk *w, GMimeObject *o, uint32_t depth, struct error *e);

static bool named_tiff(const char *name)
{
	size_t n = name ? strlen(name) : 0;

	return (n > 4 && !g_ascii_strcasecmp(name + n - 4, ".tif")) ||
	       (n > 5 && !g_ascii_strcasecmp(name + n - 5, ".tiff"));
}

static bool typed_tiff(GMimeContentType *t)
{
	return g_mime_content_type_is_type(t, "image", "tiff") ||
	       g_mime_content_type_is_type(t, "image", "tif") ||
	       g_mime_content_type_is_type(t, "image", "x-tiff") ||
	       g_mime_content_type_is_type(t, "image", "tiff-fx");
}

/* Says something about other parts, and is nothing to print itself. */
static bool is_signature(GMimeContentType *t)
{
	return g_mime_content_type_is_type(t, "application", "pgp-signature") ||
	       g_mime_content_type_is_type(t, "application", "pkcs7-signature") ||
	       g_mime_content_type_is_type(t, "application", "x-pkcs7-signature");
}

/* The part's content, decoded: NULL where there is none. */
static GByteArray *part_content(GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GByteArray *bytes = g_byte_array_new();
	GMimeStream *out = g_mime_stream_mem_new_with_byte_array(bytes);

	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(out), false);
	if (content)
		g_mime_data_wrapper_write_to_stream(content, out);
	g_object_unref(out);
	return bytes;
}

/* Takes @bytes over, whatever comes of it. */
static int add_file(struct walk *w, const char *name, GByteArray *bytes, struct error *e)
{
	struct incoming *in = w->in;
	struct incoming_file *f;

	if (in->n_files >= w->limits.max_files) {
		g_byte_array_free(bytes, true);
		return error_set(e, -EFBIG, "The mail has more than %u attachments",
				 w->limits.max_files);
	}
	f = reallocarray(in->files, in->n_files + 1, sizeof(*f));
	if (!f) {
		g_byte_array_free(bytes, true);
		return error_set(e, -ENOMEM, "Out of memory");
	}
	in->files = f;
	f += in->n_files++;
	f->name = name ? strdup(name) : NULL;
	f->len = bytes->len;
	f->data = g_byte_array_free(bytes, false);
	return 0;
}

static void drop_files(struct incoming *in, size_t keep)
{
	while (in->n_files > keep) {
		struct incoming_file *f = &in->files[--in->n_files];

		free(f->name);
		free(f->data);
	}
}

static int refuse_part(GMimeContentType *t, const char *name, struct error *e)
{
	char text[120];

	text_copy(text, sizeof(text), name);
	return error_set(e, -ENOTSUP,
			 "The attachment%s%s (%s/%s) is not a TIFF file and cannot be printed",
			 text[0] ? " " : "", text, g_mime_content_type_get_media_type(t),
			 g_mime_content_type_get_media_subtype(t));
}

/* @decoration: other parts refer to it, so that it may be left out if it is no TIFF. */
static int walk_part(struct walk *w, GMimePart *part, bool decoration, struct error *e)
{
	GMimeContentType *t = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *name = g_mime_part_get_filename(part);
	GByteArray *bytes;

	if (g_mime_content_type_is_type(t, "text", "*")) {
		w->in->n_texts += !decoration;
		return 0;
	}
	if (is_signature(t))
		return 0;
	bytes = part_content(part);
	if (typed_tiff(t) || named_tiff(name) || tiff_recognize(bytes->data, bytes->len))
		return add_file(w, name, bytes, e);
	g_byte_array_free(bytes, true);
	return decoration ? 0 : refuse_part(t, name, e);
}

/* The first alternative that brings pages; without one, text is what it comes to. */
static int walk_alternative(struct walk *w, GMimeMultipart *m, uint32_t depth, struct error *e)
{
	size_t files = w->in->n_files;
	uint32_t texts = w->in->n_texts;
	struct error first = { 0 };
	bool readable = false;

	for (int i = 0; i < g_mime_multipart_get_count(m); i++) {
		struct error why = { 0 };
		int r = walk_object(w, g_mime_multipart_get_part(m, i), depth, &why);

		if (r == -EFBIG || r == -ENOMEM) {
			*e = why;
			return r;
		}
		if (r >= 0 && w->in->n_files > files)
			return 0;
		readable |= r >= 0;
		drop_files(w->in, files);
		if (r < 0 && !first.code)
			first = why;
	}
	if (!readable && first.code) {
		*e = first;
		return first.code;
	}
	w->in->n_texts = texts + 1;
	return 0;
}

/* The first part is the document, the others are what it shows: logos and the like. */
static int walk_related(struct walk *w, GMimeMultipart *m, uint32_t depth, struct error *e)
{
	int r = 0;

	for (int i = 0; i < g_mime_multipart_get_count(m) && r >= 0; i++) {
		GMimeObject *o = g_mime_multipart_get_part(m, i);

		if (i && GMIME_IS_PART(o))
			r = walk_part(w, GMIME_PART(o), true, e);
		else
			r = walk_object(w, o, depth, e);
	}
	return r;
}

/* --- reports --- */

static enum report_kind kind_of(GMimeContentType *t)
{
	if (g_mime_content_type_is_type(t, "message", "delivery-status") ||
	    g_mime_content_type_is_type(t, "message", "global-delivery-status"))
		return REPORT_DELIVERY;
	if (g_mime_content_type_is_type(t, "message", "disposition-notification") ||
	    g_mime_content_type_is_type(t, "message", "global-disposition-notification"))
		return REPORT_DISPOSITION;
	return REPORT_NONE;
}

/* A part of a report: what it says, or the header of the mail that it is about. */
static void read_report_part(struct report *r, GMimePart *part)
{
	GMimeContentType *t = g_mime_object_get_content_type(GMIME_OBJECT(part));
	enum report_kind kind = kind_of(t);
	GByteArray *bytes = part_content(part);

	/* an empty array's data is NULL */
	const char *text = bytes->len ? (const char *)bytes->data : "";

	if (kind != REPORT_NONE && r->kind == REPORT_NONE)
		report_parse_status(text, bytes->len, kind, r);
	else if (g_mime_content_type_is_type(t, "text", "rfc822-headers") ||
		 g_mime_content_type_is_type(t, "message", "*"))
		report_parse_header(text, bytes->len, r);
	g_byte_array_free(bytes, true);
}

static void read_original(struct report *r, GMimeMessagePart *part)
{
	GMimeMessage *m = g_mime_message_part_get_message(part);
	const char *id = m ? g_mime_message_get_message_id(m) : NULL;

	if (!id || r->message_id[0] || strlen(id) + 2 >= sizeof(r->message_id))
		return;
	_free_ char *full = g_strdup_printf("<%s>", id);

	text_copy(r->message_id, sizeof(r->message_id), full);
}

/* RFC 6522: words for people, the report, and the mail or its header. Not walked into deeper. */
static void read_report(struct report *r, GMimeMultipart *m)
{
	for (int i = 0; i < g_mime_multipart_get_count(m) && i < 10; i++) {
		GMimeObject *o = g_mime_multipart_get_part(m, i);

		if (GMIME_IS_MESSAGE_PART(o))
			read_original(r, GMIME_MESSAGE_PART(o));
		else if (GMIME_IS_PART(o))
			read_report_part(r, GMIME_PART(o));
	}
	/* a report that says nothing readable is still none that could be printed */
	if (r->kind == REPORT_NONE)
		r->kind = REPORT_DELIVERY;
}

/*
 * By its type; or, as some servers write theirs, by what is in it: a status, and
 * beside it nothing but text and messages.
 */
static bool is_report(GMimeMultipart *m)
{
	GMimeContentType *t = g_mime_object_get_content_type(GMIME_OBJECT(m));
	bool status = false;

	if (g_mime_content_type_is_type(t, "multipart", "report"))
		return true;
	for (int i = 0; i < g_mime_multipart_get_count(m); i++) {
		t = g_mime_object_get_content_type(g_mime_multipart_get_part(m, i));
		if (!g_mime_content_type_is_type(t, "text", "*") &&
		    !g_mime_content_type_is_type(t, "message", "*"))
			return false;
		status |= kind_of(t) != REPORT_NONE;
	}
	return status;
}

static int walk_multipart(struct walk *w, GMimeMultipart *m, uint32_t depth, struct error *e)
{
	GMimeContentType *t = g_mime_object_get_content_type(GMIME_OBJECT(m));
	int count = g_mime_multipart_get_count(m), r = 0;

	if (g_mime_content_type_is_type(t, "multipart", "encrypted"))
		return error_set(e, -ENOTSUP, "A part of the mail is encrypted by itself; mail "
				 "is opened where it is encrypted as a whole");
	if (is_report(m)) {
		read_report(&w->in->report, m);
		return 0;
	}
	if (g_mime_content_type_is_type(t, "multipart", "alternative"))
		return walk_alternative(w, m, depth, e);
	if (g_mime_content_type_is_type(t, "multipart", "related"))
		return walk_related(w, m, depth, e);
	for (int i = 0; i < count && r >= 0; i++)
		r = walk_object(w, g_mime_multipart_get_part(m, i), depth, e);
	return r;
}

static int walk_object(struct walk *w, GMimeObject *o, uint32_t depth, struct error *e)
{
	if (!o)
		return 0;
	if (++w->parts > w->limits.max_parts)
		return error_set(e, -EFBIG, "The mail has more than %u parts", w->limits.max_parts);
	if (depth > w->limits.max_depth)
		return error_set(e, -EFBIG, "The mail has parts more than %u deep",
				 w->limits.max_depth);
	if (GMIME_IS_MULTIPART(o))
		return walk_multipart(w, GMIME_MULTIPART(o), depth + 1, e);
	if (GMIME_IS_MESSAGE_PART(o)) {
		GMimeMessage *m = g_mime_message_part_get_message(GMIME_MESSAGE_PART(o));

		return m ? walk_object(w, g_mime_message_get_mime_part(m), depth + 1, e) : 0;
	}
	return GMIME_IS_PART(o) ? walk_part(w, GMIME_PART(o), false, e) : 0;
}

/* --- the mail --- */

static void set_limits(struct incoming_limits *l, const struct incoming_limits *from)
{
	if (from)
		*l = *from;
	if (!l->max_header)
		l->max_header = DEFAULT_HEADER;
	if (!l->max_parts)
		l->max_parts = DEFAULT_PARTS;
	if (!l->max_depth)
		l->max_depth = DEFAULT_DEPTH;
	if (!l->max_files)
		l->max_files = DEFAULT_FILES;
}

static GMimeMessage *parse(const void *data, size_t len)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(data, len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *m = g_mime_parser_construct_message(parser, NULL);

	g_object_unref(parser);
	g_object_unref(stream);
	return m;
}

/* PGP/MIME or S/MIME around all that there is. */
static bool is_sealed(GMimeObject *o)
{
	GMimeContentType *t = o ? g_mime_object_get_content_type(o) : NULL;

	return t && (g_mime_content_type_is_type(t, "multipart", "encrypted") ||
		     g_mime_content_type_is_type(t, "multipart", "signed") ||
		     g_mime_content_type_is_type(t, "application", "pkcs7-mime") ||
		     g_mime_content_type_is_type(t, "application", "x-pkcs7-mime"));
}

int incoming_parse(const void *data, size_t len, const struct incoming_limits *limits,
		   struct incoming *ret, struct error *e)
{
	struct walk w = { .in = ret };
	GMimeMessage *m;
	int r;

	memset(ret, 0, sizeof(*ret));
	set_limits(&w.limits, limits);
	if (!len)
		return error_set(e, -EBADMSG, "The mail is empty");
	r = check_cost(data, len, &w.limits, e);
	if (r < 0)
		return r;
	gmime_init_once();
	m = parse(data, len);
	if (!m)
		return error_set(e, -EBADMSG, "This is not a mail");
	copy_summary(&ret->summary, m);
	ret->sealed = is_sealed(g_mime_message_get_mime_part(m));
	if (!ret->sealed)
		r = walk_object(&w, g_mime_message_get_mime_part(m), 0, e);
	g_object_unref(m);
	return r;
}

void incoming_free(struct incoming *in)
{
	drop_files(in, 0);
	free(in->files);
	memset(in, 0, sizeof(*in));
}
