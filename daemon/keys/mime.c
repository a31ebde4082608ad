/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <gmime/gmime.h>

#include "base/cleanup.h"
#include "keys/mime.h"
#include "mail/gmime_init.h"

/* A stretch of somebody else's bytes. */
struct span {
	const char *p;
	size_t n;
};

static size_t line_length(struct span s)
{
	const char *lf = memchr(s.p, '\n', s.n);

	return lf ? (size_t)(lf - s.p) + 1 : s.n;
}

static bool is_empty_line(struct span s)
{
	return s.n && (s.p[0] == '\n' || (s.n > 1 && s.p[0] == '\r' && s.p[1] == '\n'));
}

static void skip(struct span *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

/* A header field with the lines that continue it. */
static struct span next_field(struct span *s)
{
	struct span field = { s->p, 0 };

	do {
		size_t n = line_length(*s);

		field.n += n;
		skip(s, n);
	} while (s->n && (*s->p == ' ' || *s->p == '\t'));
	return field;
}

static bool is_field(struct span f, const char *name)
{
	size_t n = strlen(name);

	return f.n >= n && !strncasecmp(f.p, name, n);
}

/*
 * The header without what speaks of the content, into @header; the content, a MIME
 * entity with its own header, into @entity.
 */
static int split(const struct buffer *message, struct buffer *header, struct buffer *entity)
{
	struct span s = { message->data, message->len };
	int r = 0;

	while (r >= 0 && s.n && !is_empty_line(s)) {
		struct span f = next_field(&s);

		if (is_field(f, "MIME-Version:"))
			continue;
		r = buffer_append(is_field(f, "Content-") ? entity : header, f.p, f.n);
	}
	if (r >= 0 && !s.n)
		return -EBADMSG;
	return r < 0 ? r : buffer_append(entity, s.p, s.n);
}

/* GnuPG writes line ends as files have them. */
static int append_crlf(struct buffer *out, const struct buffer *text)
{
	struct span s = { text->data, text->len };
	int r = buffer_reserve(out, text->len + text->len / 32);

	while (r >= 0 && s.n) {
		size_t n = line_length(s), keep = n;

		while (keep && (s.p[keep - 1] == '\n' || s.p[keep - 1] == '\r'))
			keep--;
		r = buffer_append(out, s.p, keep);
		if (r >= 0)
			r = buffer_append(out, "\r\n", 2);
		skip(&s, n);
	}
	return r;
}

#define BOUNDARY_MAX 48

static int make_boundary(char boundary[BOUNDARY_MAX])
{
	unsigned long long random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(boundary, BOUNDARY_MAX, "ifax-%016llx%016llx", random[0], random[1]);
	return 0;
}

static int put_pgp(struct buffer *out, const struct buffer *sealed)
{
	char boundary[BOUNDARY_MAX];
	int r = make_boundary(boundary);

	if (r < 0)
		return r;
	r = buffer_printf(out,
			  "Content-Type: multipart/encrypted;\r\n"
			  " protocol=\"application/pgp-encrypted\";\r\n"
			  " boundary=\"%s\"\r\n\r\n"
			  "This is an OpenPGP/MIME encrypted message (RFC 3156).\r\n\r\n"
			  "--%s\r\nContent-Type: application/pgp-encrypted\r\n\r\n"
			  "Version: 1\r\n\r\n"
			  "--%s\r\nContent-Type: application/octet-stream;"
			  " name=\"encrypted.asc\"\r\n"
			  "Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n",
			  boundary, boundary, boundary);
	if (r >= 0)
		r = append_crlf(out, sealed);
	return r < 0 ? r : buffer_printf(out, "\r\n--%s--\r\n", boundary);
}

static int put_smime(struct buffer *out, const struct buffer *sealed)
{
	int r = buffer_printf(out, "Content-Type: application/pkcs7-mime;"
			      " smime-type=enveloped-data;\r\n name=\"smime.p7m\"\r\n"
			      "Content-Transfer-Encoding: base64\r\n"
			      "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n");

	return r < 0 ? r : append_crlf(out, sealed);
}

/* The entity as the first part, its signature as the second: RFC 1847. */
static int put_signed(struct buffer *out, enum keys_method method, const char *micalg,
		      const struct buffer *entity, const struct buffer *signature)
{
	const char *type = method == KEYS_SMIME ? "application/pkcs7-signature" :
						  "application/pgp-signature";
	char boundary[BOUNDARY_MAX];
	int r = make_boundary(boundary);

	if (r >= 0)
		r = buffer_printf(out, "Content-Type: multipart/signed; micalg=%s;\r\n"
				  " protocol=\"%s\";\r\n boundary=\"%s\"\r\n\r\n--%s\r\n",
				  micalg, type, boundary, boundary);
	if (r >= 0)
		r = buffer_append(out, entity->data, entity->len);
	if (r >= 0)
		r = buffer_printf(out, "\r\n--%s\r\nContent-Type: %s; %s\r\n\r\n", boundary, type,
				  method == KEYS_SMIME ? "name=\"smime.p7s\"\r\n"
							 "Content-Transfer-Encoding: base64" :
							 "name=\"signature.asc\"");
	if (r >= 0)
		r = append_crlf(out, signature);
	return r < 0 ? r : buffer_printf(out, "\r\n--%s--\r\n", boundary);
}

/* In place. Who has no key to sign with sends without, as he always did. */
static int sign(const struct mime_signer *signer, enum keys_method method, struct buffer *entity,
		struct error *e)
{
	_buffer_ struct buffer signature = { 0 }, whole = { 0 };
	char micalg[RING_MICALG_MAX];
	int r = ring_sign(signer->own, method, signer->address, entity, &signature, micalg, e);

	if (r <= 0)
		return r;
	r = put_signed(&whole, method, micalg, entity, &signature);
	if (r < 0)
		return error_set(e, r, "The signed mail is too large");
	buffer_free(entity);
	*entity = whole;
	whole = (struct buffer){ 0 };
	return 0;
}

int mime_seal(struct ring *others, const struct mime_signer *signer, enum keys_method method,
	      const char *const *who, size_t n, const struct buffer *message, struct buffer *out,
	      struct error *e)
{
	_buffer_ struct buffer header = { 0 }, entity = { 0 }, sealed = { 0 };
	int r = split(message, &header, &entity);

	if (r < 0)
		return error_set(e, r, "The mail has no body or is too large");
	if (signer)
		r = sign(signer, method, &entity, e);
	if (r >= 0)
		r = ring_encrypt(others, method, who, n, &entity, &sealed, e);
	if (r < 0)
		return r;
	r = buffer_append(out, header.data, header.len);
	if (r >= 0)
		r = buffer_printf(out, "MIME-Version: 1.0\r\n");
	if (r >= 0)
		r = method == KEYS_SMIME ? put_smime(out, &sealed) : put_pgp(out, &sealed);
	return r < 0 ? error_set(e, r, "The encrypted mail is too large") : 0;
}

/* --- opening --- */

static GMimeObject *parse(const char *data, size_t len)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(data, len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeObject *part = g_mime_parser_construct_part(parser, NULL);

	g_object_unref(parser);
	g_object_unref(stream);
	return part;
}

/* What a leaf holds, decoded. */
static int decoded(GMimeObject *part, struct buffer *out)
{
	GMimeDataWrapper *content = GMIME_IS_PART(part) ? g_mime_part_get_content(GMIME_PART(part))
							: NULL;
	GByteArray *bytes;
	GMimeStream *stream;
	int r;

	if (!content)
		return -EBADMSG;
	bytes = g_byte_array_new();
	stream = g_mime_stream_mem_new_with_byte_array(bytes);
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), false);
	r = g_mime_data_wrapper_write_to_stream(content, stream) < 0 ? -EBADMSG :
	    buffer_append(out, bytes->data, bytes->len);
	g_object_unref(stream);
	g_byte_array_free(bytes, true);
	return r;
}

/* The end of the line that is the delimiter, 0 = this line is none. */
static size_t delimiter(struct span s, const char *boundary)
{
	size_t n = strlen(boundary), end = line_length(s);

	if (end < n + 2 || s.p[0] != '-' || s.p[1] != '-' || memcmp(s.p + 2, boundary, n))
		return 0;
	return end;
}

/* Bytes up to the next delimiter, without the line end that belongs to it; @s goes behind it. */
static struct span next_part(struct span *s, const char *boundary)
{
	struct span part = { s->p, 0 };
	size_t end;

	while (s->n && !(end = delimiter(*s, boundary))) {
		size_t n = line_length(*s);

		part.n += n;
		skip(s, n);
	}
	if (s->n)
		skip(s, end);
	if (part.n && part.p[part.n - 1] == '\n')
		part.n--;
	if (part.n && part.p[part.n - 1] == '\r')
		part.n--;
	return part;
}

struct opening {
	struct ring *own, *others;
	struct mime_seen *seen;
	struct buffer *entity;		/* what is left */
	struct error *e;
};

static void note(struct opening *o, enum keys_method method, const struct ring_signature *s)
{
	if (o->seen->method == KEYS_ANY)
		o->seen->method = method;
	if (s && s->verdict > o->seen->signature.verdict)
		o->seen->signature = *s;
}

static enum keys_method method_of(GMimeObject *part)
{
	const char *protocol = g_mime_object_get_content_type_parameter(part, "protocol");

	return protocol && strcasestr(protocol, "pkcs7") ? KEYS_SMIME : KEYS_OPENPGP;
}

static int peel_pgp(struct opening *o, GMimeObject *part)
{
	GMimeObject *body = g_mime_multipart_get_part(GMIME_MULTIPART(part), 1);
	_buffer_ struct buffer sealed = { 0 }, wrapped = { 0 };
	struct ring_signature s;
	bool is_wrapped;
	int r = body ? decoded(body, &sealed) : -EBADMSG;

	buffer_clear(o->entity);
	o->seen->encrypted = true;
	if (r < 0)
		return error_set(o->e, r, "The encrypted part of the mail is missing");
	r = ring_decrypt(o->own, KEYS_OPENPGP, &sealed, &wrapped, &is_wrapped, o->e);
	if (r < 0)
		return r;
	note(o, KEYS_OPENPGP, NULL);
	if (!is_wrapped)
		return buffer_append(o->entity, wrapped.data, wrapped.len);
	r = ring_unwrap(o->others, KEYS_OPENPGP, &wrapped, o->entity, &s, o->e);
	if (r >= 0)
		note(o, KEYS_OPENPGP, &s);
	return r;
}

static int peel_smime(struct opening *o, GMimeObject *part)
{
	const char *type = g_mime_object_get_content_type_parameter(part, "smime-type");
	_buffer_ struct buffer sealed = { 0 };
	struct ring_signature s;
	bool wrapped;
	int r = decoded(part, &sealed);

	buffer_clear(o->entity);
	if (r < 0)
		return error_set(o->e, r, "The S/MIME part of the mail cannot be read");
	if (type && !strcasecmp(type, "signed-data")) {
		r = ring_unwrap(o->others, KEYS_SMIME, &sealed, o->entity, &s, o->e);
		if (r >= 0)
			note(o, KEYS_SMIME, &s);
		return r;
	}
	o->seen->encrypted = true;
	r = ring_decrypt(o->own, KEYS_SMIME, &sealed, o->entity, &wrapped, o->e);
	if (r >= 0)
		note(o, KEYS_SMIME, NULL);
	return r;
}

/* The first part is signed byte by byte, as it stands: it is cut out, not written anew. */
static int peel_signed(struct opening *o, GMimeObject *part)
{
	const char *boundary = g_mime_object_get_content_type_parameter(part, "boundary");
	struct span s = { o->entity->data, o->entity->len }, first;
	GMimeObject *beside = g_mime_multipart_get_part(GMIME_MULTIPART(part), 1);
	_buffer_ struct buffer data = { 0 }, signature = { 0 };
	struct ring_signature verdict;
	int r = boundary && beside ? decoded(beside, &signature) : -EBADMSG;

	if (r >= 0) {
		next_part(&s, boundary);
		first = next_part(&s, boundary);
		r = s.n ? buffer_append(&data, first.p, first.n) : -EBADMSG;
	}
	if (r < 0)
		return error_set(o->e, r, "The signed mail is not whole");
	r = ring_verify(o->others, method_of(part), &data, &signature, &verdict, o->e);
	/* A signature that cannot be read is as good as none: the mail is still read. */
	if (r == -EBADMSG) {
		verdict = (struct ring_signature){ RING_UNKNOWN,
						   "nobody: the signature is damaged" };
		r = 0;
	}
	if (r < 0)
		return r;
	note(o, method_of(part), &verdict);
	buffer_clear(o->entity);
	return buffer_append(o->entity, data.data, data.len);
}

static bool is_smime(GMimeObject *part)
{
	GMimeContentType *t = g_mime_object_get_content_type(part);

	return g_mime_content_type_is_type(t, "application", "pkcs7-mime") ||
	       g_mime_content_type_is_type(t, "application", "x-pkcs7-mime");
}

/* 1: a layer was taken off; 0: there was none. */
static int peel(struct opening *o)
{
	GMimeObject *part = parse(o->entity->data, o->entity->len);
	int r = 0;

	if (!part)
		return error_set(o->e, -EBADMSG, "The mail cannot be read");
	if (GMIME_IS_MULTIPART_ENCRYPTED(part))
		r = peel_pgp(o, part);
	else if (GMIME_IS_MULTIPART_SIGNED(part))
		r = peel_signed(o, part);
	else if (is_smime(part))
		r = peel_smime(o, part);
	else
		o->seen = NULL;
	g_object_unref(part);
	return r < 0 ? r : o->seen != NULL;
}

int mime_open(struct ring *own, struct ring *others, const struct buffer *message,
	      struct buffer *out, struct mime_seen *seen, struct error *e)
{
	_buffer_ struct buffer header = { 0 }, entity = { .max = KEYS_OUTPUT_BYTES };
	struct opening o = { own, others, seen, &entity, e };
	int r, layers = 0;

	memset(seen, 0, sizeof(*seen));
	gmime_init_once();
	r = split(message, &header, &entity);
	if (r < 0)
		return error_set(e, r, "The mail has no body or is too large");
	while ((r = peel(&o)) > 0)
		if (++layers > MIME_LAYERS_MAX)
			return error_set(e, -EBADMSG, "The mail is wrapped more than %d times",
					 MIME_LAYERS_MAX);
	if (r >= 0)
		r = buffer_append(out, header.data, header.len);
	if (r >= 0)
		r = buffer_printf(out, "MIME-Version: 1.0\r\n");
	if (r >= 0)
		r = buffer_append(out, entity.data, entity.len);
	return r;
}

void mime_mark(const struct mime_seen *seen, char *mark, size_t size)
{
	static const char *const words[] = {
		[RING_UNSIGNED] = "not signed",
		[RING_GOOD] = "signed by ",
		[RING_UNKNOWN] = "signed, but NOT VERIFIED, by ",
		[RING_EXPIRED] = "signed with a key that has EXPIRED or was revoked, by ",
		[RING_FORGED] = "BAD SIGNATURE: this is not what was signed by ",
	};
	const char *method = seen->method == KEYS_SMIME ? "S/MIME" : "OpenPGP";

	mark[0] = '\0';
	if (seen->method == KEYS_ANY)
		return;
	snprintf(mark, size, "%s: %s%s%s", method, seen->encrypted ? "came encrypted, " : "",
		 words[seen->signature.verdict], seen->signature.signer);
}
