/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>

#include "base/cleanup.h"
#include "mail/gmime_init.h"
#include "mail/html.h"
#include "mail/incoming.h"
#include "mail/plain.h"
#include "mail/text.h"
#include "page/pdf.h"
#include "page/picture.h"
#include "page/tiff_read.h"

#define DEFAULT_HEADER (256u << 10)
#define DEFAULT_PARTS  100
#define DEFAULT_DEPTH  12
#define DEFAULT_FILES  50
#define DEFAULT_TEXT   (8u << 20)
#define DECORATION_MAX 256	/* pixels wide or high: no more than an ornament */

/* The state of a walk over the parts. */
struct walk {
	struct incoming *in;
	struct incoming_limits limits;
	uint32_t parts;
	uint64_t text;		/* bytes of it */
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

/* --- items --- */

static void item_clear(struct incoming_item *i)
{
	free(i->name);
	free(i->data);
}

/* Drops @n items from the one at @from on. */
static void drop_items(struct incoming *in, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++)
		item_clear(&in->items[i]);
	if (n)
		memmove(in->items + from, in->items + from + n,
			(in->n_items - from - n) * sizeof(*in->items));
	in->n_items -= n;
}

size_t incoming_count(const struct incoming *in, enum incoming_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n_items; i++)
		n += in->items[i].kind == kind;
	return n;
}

static size_t count_files(const struct incoming *in)
{
	return incoming_count(in, INCOMING_TIFF) + incoming_count(in, INCOMING_PICTURE) +
	       incoming_count(in, INCOMING_PDF);
}

static int out_of_memory(struct error *e)
{
	return error_set(e, -ENOMEM, "Out of memory");
}

/* An item with a copy of @name; its data is for the caller to fill in. */
static struct incoming_item *add_item(struct walk *w, enum incoming_kind kind, const char *name)
{
	struct incoming *in = w->in;
	struct incoming_item *i = reallocarray(in->items, in->n_items + 1, sizeof(*i));

	if (!i)
		return NULL;
	in->items = i;
	i += in->n_items;
	*i = (struct incoming_item){ .kind = kind, .name = name ? strdup(name) : NULL };
	if (name && !i->name)
		return NULL;
	in->n_items++;
	return i;
}

/* Takes @bytes over, whatever comes of it. */
static int add_file(struct walk *w, enum incoming_kind kind, const char *name, GByteArray *bytes,
		    struct error *e)
{
	bool many = count_files(w->in) >= w->limits.max_files;
	struct incoming_item *i = many ? NULL : add_item(w, kind, name);

	if (!i) {
		g_byte_array_free(bytes, true);
		return many ? error_set(e, -EFBIG, "The mail has more than %u attachments",
					w->limits.max_files) : out_of_memory(e);
	}
	i->len = bytes->len;
	i->data = g_byte_array_free(bytes, false);
	return 0;
}

/* --- text --- */

static int too_much_text(const struct walk *w, struct error *e)
{
	return error_set(e, -EFBIG, "The mail has more than %llu bytes of text",
			 (unsigned long long)w->limits.max_text);
}

/* Takes what is in @text over; @r is what came of making it. */
static int add_text(struct walk *w, enum incoming_kind kind, const char *name, bool attached,
		    struct buffer *text, int r, struct error *e)
{
	struct incoming_item *i;

	w->text += text->len;
	if (r == -EMSGSIZE || w->text > w->limits.max_text)
		return too_much_text(w, e);
	i = r < 0 ? NULL : add_item(w, kind, name);
	if (!i)
		return out_of_memory(e);
	i->attached = attached;
	i->len = text->len;
	i->data = take_ptr(text->data);
	text->len = text->cap = 0;
	return 0;
}

/* One line of a head; nothing where there is no value. */
static int put_field(struct buffer *out, const char *name, const char *value)
{
	char clean[1024];

	text_copy(clean, sizeof(clean), value);
	g_strstrip(clean);
	return clean[0] ? buffer_printf(out, "%s: %s\n", name, clean) : 0;
}

static int put_addresses(struct buffer *out, const char *name, InternetAddressList *l)
{
	_free_ char *text = l ? internet_address_list_to_string(l, NULL, false) : NULL;

	return put_field(out, name, text);
}

/* In the sender's own time. */
static int put_date(struct buffer *out, GDateTime *date)
{
	_free_ char *text = date ? g_date_time_format(date, "%Y-%m-%d %H:%M %z") : NULL;

	return put_field(out, "Date", text);
}

static int add_head(struct walk *w, GMimeMessage *m, struct error *e)
{
	_buffer_ struct buffer head = { 0 };
	int r = put_addresses(&head, "From", g_mime_message_get_from(m));

	if (r >= 0)
		r = put_addresses(&head, "To", g_mime_message_get_to(m));
	if (r >= 0)
		r = put_date(&head, g_mime_message_get_date(m));
	if (r >= 0)
		r = put_field(&head, "Subject", g_mime_message_get_subject(m));
	return add_text(w, INCOMING_HEAD, NULL, false, &head, r, e);
}

/* Above an attached text goes its name. */
static int add_name(struct walk *w, const char *name, struct error *e)
{
	_buffer_ struct buffer head = { 0 };
	int r = put_field(&head, "Attachment", name);

	return add_text(w, INCOMING_HEAD, NULL, true, &head, r, e);
}

/* Where the character set is unknown, the reader is told so. */
static int decode_text(GMimeContentType *t, const GByteArray *bytes, struct buffer *out)
{
	const char *charset = g_mime_content_type_get_parameter(t, "charset");
	bool unknown = false;
	int r = plain_decode(charset, bytes->len ? (const char *)bytes->data : "", bytes->len, out,
			     &unknown);

	plain_clean(out);
	if (r >= 0 && unknown)
		r = buffer_printf(out, "\n[The character set \"%.40s\" is not known here.]",
				  charset);
	if (unknown)
		plain_clean(out);
	return r;
}

static bool is_param(GMimeContentType *t, const char *name, const char *value)
{
	const char *s = g_mime_content_type_get_parameter(t, name);

	return s && !g_ascii_strcasecmp(s, value);
}

/* From the text as it was sent to the text as it is read; @from may be emptied. */
static int unwrap_text(GMimeContentType *t, struct buffer *from, struct buffer *to)
{
	int r;

	if (g_mime_content_type_is_type(t, "text", "html")) {
		r = html_to_text(from->data ? from->data : "", from->len, to);
		plain_clean(to);
		return r;
	}
	if (is_param(t, "format", "flowed") && g_mime_content_type_is_type(t, "text", "plain"))
		return plain_unflow(from->data ? from->data : "", from->len,
				    is_param(t, "delsp", "yes"), to);
	*to = *from;
	*from = (struct buffer){ 0 };
	return 0;
}

/* What programs read, and people need not. */
static bool for_programs(GMimeContentType *t)
{
	return g_mime_content_type_is_type(t, "text", "calendar") ||
	       g_mime_content_type_is_type(t, "text", "vcard") ||
	       g_mime_content_type_is_type(t, "text", "x-vcard") ||
	       g_mime_content_type_is_type(t, "text", "directory") ||
	       g_mime_content_type_is_type(t, "text", "css");
}

static int walk_text(struct walk *w, GMimePart *part, struct error *e)
{
	GMimeContentType *t = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *disposition = g_mime_object_get_disposition(GMIME_OBJECT(part));
	bool html = g_mime_content_type_is_type(t, "text", "html");
	_buffer_ struct buffer raw = { .max = w->limits.max_text };
	_buffer_ struct buffer text = { .max = w->limits.max_text };
	bool attached = disposition && !g_ascii_strcasecmp(disposition, "attachment");
	GByteArray *bytes;
	int r;

	if (for_programs(t))
		return 0;
	bytes = part_content(part);
	r = decode_text(t, bytes, &raw);
	g_byte_array_free(bytes, true);
	if (r >= 0)
		r = unwrap_text(t, &raw, &text);
	attached = attached && r >= 0 && !plain_blank(text.data ? text.data : "", text.len);
	if (attached) {
		r = add_name(w, g_mime_part_get_filename(part), e);
		if (r < 0)
			return r;
	}
	return add_text(w, html ? INCOMING_PROSE : INCOMING_LINES, NULL, attached, &text, r, e);
}

/* --- files --- */

static int refuse_part(GMimeContentType *t, const char *name, struct error *e)
{
	char text[120];

	text_copy(text, sizeof(text), name);
	return error_set(e, -ENOTSUP,
			 "The attachment%s%s (%s/%s) cannot be printed; "
			 "TIFF, PDF, PNG, JPEG, GIF, WebP and text can",
			 text[0] ? " " : "", text, g_mime_content_type_get_media_type(t),
			 g_mime_content_type_get_media_subtype(t));
}

/*
 * What other parts refer to is printed where it is a page, or a picture large
 * enough to say something; logos and the like are not.
 */
static bool worth_printing(const struct picture_size *s)
{
	return s->width >= DECORATION_MAX && s->height >= DECORATION_MAX;
}

/* @decoration: other parts refer to it, so that it may be left out. */
static int walk_part(struct walk *w, GMimePart *part, bool decoration, struct error *e)
{
	GMimeContentType *t = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *name = g_mime_part_get_filename(part);
	struct picture_size size;
	GByteArray *bytes;

	if (g_mime_content_type_is_type(t, "text", "*"))
		return decoration ? 0 : walk_text(w, part, e);
	if (is_signature(t))
		return 0;
	bytes = part_content(part);
	if (typed_tiff(t) || named_tiff(name) || tiff_recognize(bytes->data, bytes->len))
		return add_file(w, INCOMING_TIFF, name, bytes, e);
	if (pdf_recognize(bytes->data, bytes->len) && !decoration)
		return add_file(w, INCOMING_PDF, name, bytes, e);
	if (picture_recognize(bytes->data, bytes->len) &&
	    (!decoration || (picture_measure(bytes->data, bytes->len, &size, NULL) >= 0 &&
			     worth_printing(&size))))
		return add_file(w, INCOMING_PICTURE, name, bytes, e);
	g_byte_array_free(bytes, true);
	return decoration ? 0 : refuse_part(t, name, e);
}

/* --- parts of parts --- */

/* How much the items from @from on have to print, see the header; 0: nothing. */
static uint32_t rank_items(const struct incoming *in, size_t from)
{
	static const uint32_t ranks[] = {
		[INCOMING_HEAD] = 0,	[INCOMING_PROSE] = 1, [INCOMING_LINES] = 2,
		[INCOMING_PICTURE] = 3, [INCOMING_PDF] = 3,   [INCOMING_TIFF] = 4,
	};
	uint32_t best = 0;

	for (size_t i = from; i < in->n_items; i++)
		best = MAX(best, ranks[in->items[i].kind]);
	return best;
}

static int walk_alternative(struct walk *w, GMimeMultipart *m, uint32_t depth, struct error *e)
{
	struct incoming *in = w->in;
	size_t start = in->n_items, kept = 0;
	struct error first = { 0 };
	uint32_t best = 0;

	for (int i = 0; i < g_mime_multipart_get_count(m); i++) {
		struct error why = { 0 };
		int r = walk_object(w, g_mime_multipart_get_part(m, i), depth, &why);
		uint32_t rank = r < 0 ? 0 : rank_items(in, start + kept);

		if (r == -EFBIG || r == -ENOMEM) {
			*e = why;
			return r;
		}
		if (r < 0 && !first.code)
			first = why;
		if (rank > best) {
			drop_items(in, start, kept);
			kept = in->n_items - start;
			best = rank;
		} else {
			drop_items(in, start + kept, in->n_items - start - kept);
		}
	}
	if (!best && first.code) {
		*e = first;
		return first.code;
	}
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

/*
 * RFC 6522: words for people, the report, and the mail or its header. Not walked
 * into deeper. The words are kept, for a report that no program waits for.
 */
static int read_report(struct walk *w, GMimeMultipart *m, uint32_t depth, struct error *e)
{
	struct report *r = &w->in->report;
	int q = 0;

	for (int i = 0; i < g_mime_multipart_get_count(m) && i < 10; i++) {
		GMimeObject *o = g_mime_multipart_get_part(m, i);

		if (!i)
			q = walk_object(w, o, depth, e);
		if (q == -EFBIG || q == -ENOMEM)
			return q;
		if (GMIME_IS_MESSAGE_PART(o))
			read_original(r, GMIME_MESSAGE_PART(o));
		else if (GMIME_IS_PART(o))
			read_report_part(r, GMIME_PART(o));
	}
	/* a report that says nothing readable is still one */
	if (r->kind == REPORT_NONE)
		r->kind = REPORT_DELIVERY;
	return 0;
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
	if (is_report(m))
		return read_report(w, m, depth, e);
	if (g_mime_content_type_is_type(t, "multipart", "alternative"))
		return walk_alternative(w, m, depth, e);
	if (g_mime_content_type_is_type(t, "multipart", "related"))
		return walk_related(w, m, depth, e);
	for (int i = 0; i < count && r >= 0; i++)
		r = walk_object(w, g_mime_multipart_get_part(m, i), depth, e);
	return r;
}

static int walk_message(struct walk *w, GMimeMessage *m, uint32_t depth, struct error *e)
{
	int r = m ? add_head(w, m, e) : 0;

	return m && r >= 0 ? walk_object(w, g_mime_message_get_mime_part(m), depth, e) : r;
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
	if (GMIME_IS_MESSAGE_PART(o))
		return walk_message(w, g_mime_message_part_get_message(GMIME_MESSAGE_PART(o)),
				    depth + 1, e);
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
	if (!l->max_text)
		l->max_text = DEFAULT_TEXT;
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
		r = walk_message(&w, m, 0, e);
	g_object_unref(m);
	return r;
}

void incoming_free(struct incoming *in)
{
	drop_items(in, 0, in->n_items);
	free(in->items);
	memset(in, 0, sizeof(*in));
}
