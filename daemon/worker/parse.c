/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/fax.h>
#include <openssl/evp.h>

#include "base/cleanup.h"
#include "mail/plain.h"
#include "page/banner.h"
#include "page/bitmap.h"
#include "page/pageset.h"
#include "page/pdf.h"
#include "page/picture.h"
#include "page/tiff_read.h"
#include "page/typeset.h"
#include "worker/parse.h"

#define DEFAULT_MESSAGE	 (64ull << 20)
#define DEFAULT_OUTPUT	 (128ull << 20)
#define DEFAULT_PAGES	 500
#define DEFAULT_TIMEOUT	 30000
#define DEFAULT_PERMILLE 100
#define MARKED_STRIPS	 (FAX_MAX_SEGS - 2)	/* a notice may come above the mark */

/* A mail under examination. */
struct job {
	const struct worker_request *rq;
	const struct raster_engine *engine;
	struct worker_limits limits;
	uint64_t deadline;		/* CLOCK_MONOTONIC, microseconds */
	struct incoming in;
	struct page_list pages;
};

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

static void set_limits(struct job *j, const struct worker_request *rq)
{
	j->rq = rq;
	j->limits = rq->limits;
	if (!j->limits.max_message)
		j->limits.max_message = DEFAULT_MESSAGE;
	if (!j->limits.max_output)
		j->limits.max_output = DEFAULT_OUTPUT;
	if (!j->limits.max_pages)
		j->limits.max_pages = DEFAULT_PAGES;
	if (!j->limits.timeout_ms)
		j->limits.timeout_ms = DEFAULT_TIMEOUT;
	if (!j->limits.bad_permille)
		j->limits.bad_permille = DEFAULT_PERMILLE;
	else if (j->limits.bad_permille > 1000)
		j->limits.bad_permille = 0;
	j->deadline = now_usec() + j->limits.timeout_ms * 1000ull;
	j->engine = rq->engine.nwidths ? &rq->engine : &raster_common_engine;
}

/* The sentence of @e becomes one about the attachment it befell. */
static void blame_file(const struct incoming_item *f, size_t number, struct error *e)
{
	struct error why = *e;

	if (f->name)
		error_set(e, why.code, "Attachment %zu (%.80s): %s", number, f->name, why.text);
	else
		error_set(e, why.code, "Attachment %zu: %s", number, why.text);
}

/* Bytes that the pages hold of their own, beside the mail's. */
static uint64_t bytes_made(const struct page_list *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->pages[i].backing_len;
	return n;
}

static int too_many_bytes(const struct job *j, struct error *e)
{
	return error_set(e, -EFBIG, "The pages take more than %llu bytes",
			 (unsigned long long)j->limits.max_output);
}

/* What may still come to the pages that there are. */
static struct paper_limits left_over(const struct job *j)
{
	uint64_t made = bytes_made(&j->pages);

	return (struct paper_limits){
		.max_pages = j->pages.n < j->limits.max_pages ?
			     j->limits.max_pages - j->pages.n : 1,
		.max_bytes = made < j->limits.max_output ? j->limits.max_output - made : 1,
		.deadline = j->deadline,
	};
}

static int read_tiff(struct job *j, const struct incoming_item *f, struct error *e)
{
	struct tiff_limits l = {
		.max_pages = j->limits.max_pages,
		.max_rows = j->limits.max_rows,
		.max_pixels = j->limits.max_pixels,
		.max_bytes = j->limits.max_output,
		.deadline = j->deadline,
	};

	return tiff_read(f->data, f->len, &l, &j->pages, e);
}

static int read_file(struct job *j, const struct incoming_item *f, struct error *e)
{
	struct paper_limits l = left_over(j);

	switch (f->kind) {
	case INCOMING_TIFF:
		return read_tiff(j, f, e);
	case INCOMING_PICTURE:
		return picture_read(f->data, f->len, j->engine, j->limits.max_pixels, &j->pages, e);
	default:
		return pdf_read(f->data, f->len, j->engine, &l, &j->pages, e);
	}
}

static int check_size(const struct job *j, struct error *e)
{
	if (j->pages.n > j->limits.max_pages)
		return error_set(e, -EFBIG, "The mail has more than %u pages", j->limits.max_pages);
	return bytes_made(&j->pages) > j->limits.max_output ? too_many_bytes(j, e) : 0;
}

/* *@stage: what an error means where it came up. */
static int read_files(struct job *j, enum worker_code *stage, struct error *e)
{
	size_t number = 0;
	int r;

	for (size_t i = 0; i < j->in.n_items; i++) {
		const struct incoming_item *f = &j->in.items[i];

		if (incoming_is_text(f->kind))
			continue;
		number++;
		*stage = f->kind == INCOMING_TIFF ? WORKER_BAD_TIFF : WORKER_BAD_ATTACHMENT;
		r = read_file(j, f, e);
		if (r < 0) {
			blame_file(f, number, e);
			return r;
		}
		r = check_size(j, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- text --- */

static size_t count_files(const struct incoming *in)
{
	return incoming_count(in, INCOMING_TIFF) + incoming_count(in, INCOMING_PICTURE) +
	       incoming_count(in, INCOMING_PDF);
}

static size_t count_texts(const struct incoming *in)
{
	return incoming_count(in, INCOMING_LINES) + incoming_count(in, INCOMING_PROSE);
}

/*
 * A text that is attached is a document like any other. The mail's own words go
 * on paper where they were asked for, or where there is nothing else; empty ones
 * only there.
 */
static bool prints_text(const struct job *j, const struct incoming_item *i)
{
	bool fax = incoming_count(&j->in, INCOMING_TIFF);

	if (i->attached)
		return true;
	if (j->in.report.kind != REPORT_NONE)
		return true;
	return j->rq->text == WORKER_TEXT_ALWAYS || (j->rq->text == WORKER_TEXT_AUTO && !fax);
}

static bool has_text_to_print(const struct job *j)
{
	bool alone = !count_files(&j->in);

	for (size_t i = 0; i < j->in.n_items; i++) {
		const struct incoming_item *t = &j->in.items[i];

		if (incoming_is_text(t->kind) && t->kind != INCOMING_HEAD && prints_text(j, t) &&
		    (alone || !plain_blank(t->data ? t->data : "", t->len)))
			return true;
	}
	return false;
}

static enum typeset_style style_of(enum incoming_kind kind)
{
	return kind == INCOMING_HEAD ? TYPESET_HEAD :
	       kind == INCOMING_PROSE ? TYPESET_PROSE : TYPESET_FIXED;
}

static int add_items(const struct job *j, struct typeset *t, struct error *e)
{
	bool begun = false;
	int r = 0;

	if (j->rq->mark[0])
		r = typeset_add(t, TYPESET_MARK, j->rq->mark, strlen(j->rq->mark), e);
	for (size_t i = 0; i < j->in.n_items && r >= 0; i++) {
		const struct incoming_item *item = &j->in.items[i];

		if (!incoming_is_text(item->kind) || !prints_text(j, item))
			continue;
		/* the words of one mail, and then another's head */
		if (item->kind == INCOMING_HEAD && begun)
			r = typeset_add(t, TYPESET_PROSE, "\n", 1, e);
		if (r >= 0 && item->len)
			r = typeset_add(t, style_of(item->kind), item->data, item->len, e);
		begun = true;
	}
	return r;
}

/* "Ada Muster: Minutes of the meeting" */
static void make_title(const struct incoming_summary *s, char *title, size_t size)
{
	const char *from = s->from_name[0] ? s->from_name : s->from;

	snprintf(title, size, "%s%s%s", from, from[0] && s->subject[0] ? ": " : "", s->subject);
}

static int set_texts(struct job *j, struct error *e)
{
	struct paper_limits l = left_over(j);
	struct typeset *t = NULL;
	char title[800];
	int r;

	make_title(&j->in.summary, title, sizeof(title));
	r = typeset_new(&t, j->engine, &l, title, e);
	if (r >= 0)
		r = add_items(j, t, e);
	if (r >= 0)
		r = typeset_finish(t, &j->pages, e);
	typeset_free(t);
	return r;
}

static int fit_pages(struct job *j, struct error *e)
{
	struct error why = { 0 };
	int r;

	for (size_t i = 0; i < j->pages.n; i++) {
		if (now_usec() >= j->deadline)
			return error_set(e, -ETIMEDOUT, "Checking the pages takes too long");
		r = raster_fit(&j->pages.pages[i], j->engine, j->limits.bad_permille, &why);
		if (r < 0)
			return error_set(e, r, "Page %zu cannot be printed: %s", i + 1,
					 error_text(&why));
		if (bytes_made(&j->pages) > j->limits.max_output)
			return too_many_bytes(j, e);
	}
	return 0;
}

/*
 * What the caller has to say about the mail stands above the head of its text or,
 * where there is none, above the first page. One of very many strips is coded
 * anew, for a page has room for so many only.
 */
static int mark_page(struct page *p, const char *mark, struct error *e)
{
	_bitmap_ struct bitmap b = { 0 };
	struct page banner = { 0 };
	int r = 0;

	if (p->nstrips > MARKED_STRIPS) {
		r = bitmap_decode(&b, p, e);
		if (r >= 0)
			r = bitmap_to_page(&b, FAX_ENC_MMR, 0, p);
	}
	if (r >= 0)
		r = banner_make(mark, p->width, p->xres, p->yres, &banner, e);
	if (r >= 0)
		r = page_stack(&banner, p);
	if (r < 0) {
		page_clear(&banner);
		return r;
	}
	*p = banner;
	return 0;
}

static void digest_page(EVP_MD_CTX *ctx, const struct page *p)
{
	uint32_t head[] = { p->width, p->rows, p->xres, p->yres, p->nstrips };

	EVP_DigestUpdate(ctx, head, sizeof(head));
	for (uint32_t i = 0; i < p->nstrips; i++) {
		const struct page_strip *s = &p->strips[i];
		uint32_t strip[] = { s->rows, s->encoding, s->flags };

		EVP_DigestUpdate(ctx, strip, sizeof(strip));
		EVP_DigestUpdate(ctx, s->data, s->len);
	}
}

/* Tells one document from another, whatever mail it came in. */
static int digest_pages(const struct page_list *l, char hex[WORKER_DIGEST_LEN + 1])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (size_t i = 0; ok && i < l->n; i++)
		digest_page(ctx, &l->pages[i]);
	ok = ok && EVP_DigestFinal_ex(ctx, raw, &len) && len * 2 == WORKER_DIGEST_LEN;
	EVP_MD_CTX_free(ctx);
	for (unsigned int i = 0; ok && i < len; i++)
		sprintf(hex + 2 * i, "%02x", raw[i]);
	return ok ? 0 : -ENOMEM;
}

/* What an error means where it came up: while reading mail, TIFF or page. */
static enum worker_code code_of(int r, enum worker_code otherwise)
{
	switch (r) {
	case -ETIMEDOUT:
		return WORKER_TIMEOUT;
	case -ENOMEM:
	case -ENOSPC:
	case -EIO:
	case -ENOENT:		/* no font */
		return WORKER_TROUBLE;
	case -EFBIG:
	case -EMSGSIZE:
		return otherwise == WORKER_BAD_MAIL ? WORKER_BAD_MAIL : WORKER_TOO_LARGE;
	case -EILSEQ:
		return WORKER_DAMAGED;
	case -ENOTSUP:
		return otherwise == WORKER_BAD_MAIL ? WORKER_BAD_ATTACHMENT : otherwise;
	default:
		return otherwise;
	}
}

/* A mail that brings no pages: which kind, and what to tell people. */
static void reply_no_pages(const struct job *j, struct worker_reply *rp)
{
	struct error e;

	if (j->in.sealed) {
		error_set(&e, -ENOKEY, "The mail is encrypted or signed and is to be opened first");
		worker_reply_fail(rp, WORKER_SEALED, &e);
	} else if (count_texts(&j->in)) {
		error_set(&e, -ENOMSG, "The mail has text only, which is not to be printed here");
		worker_reply_fail(rp, WORKER_TEXT_ONLY, &e);
	} else {
		error_set(&e, -ENOMSG, "The mail has no pages; send them as a TIFF file");
		worker_reply_fail(rp, WORKER_NO_PAGES, &e);
	}
}

/* A report is an answer of its own, with its words as pages or without. */
static void reply_report(const struct job *j, struct worker_reply *rp)
{
	struct error e;

	rp->report = j->in.report;
	error_set(&e, -ENOMSG, "The mail is a delivery or disposition report, not a fax");
	worker_reply_fail(rp, WORKER_REPORT, &e);
}

static int hand_over(struct job *j, int output, struct worker_reply *rp, struct error *e)
{
	int r = pageset_write(&j->pages, output, j->limits.max_output, e);

	if (r < 0)
		return r;
	r = digest_pages(&j->pages, rp->digest);
	if (r < 0)
		return error_set(e, r, "Cannot compute the digest of the pages");
	rp->code = WORKER_PAGES;
	rp->pages = j->pages.n;
	for (size_t i = 0; i < j->pages.n; i++)
		rp->rows_bad += j->pages.pages[i].rows_bad;
	return 0;
}

/* Pages of all that is to be printed; *@stage as in read_files(). */
static int make_pages(struct job *j, enum worker_code *stage, struct error *e)
{
	bool text = has_text_to_print(j);
	int r = text ? set_texts(j, e) : 0;

	if (r >= 0 && j->in.report.kind == REPORT_NONE)
		r = read_files(j, stage, e);
	if (r >= 0)
		r = fit_pages(j, e);
	if (r >= 0 && !text && j->pages.n && j->rq->mark[0])
		r = mark_page(&j->pages.pages[0], j->rq->mark, e);
	return r;
}

static void examine(struct job *j, const void *message, size_t len, int output,
		    struct worker_reply *rp)
{
	struct incoming_limits l = { .max_parts = j->limits.max_parts };
	enum worker_code stage = WORKER_BAD_MAIL;
	struct error e = { 0 };
	int r = incoming_parse(message, len, &l, &j->in, &e);

	rp->summary = j->in.summary;
	rp->files = count_files(&j->in);
	rp->texts = count_texts(&j->in);
	if (r >= 0) {
		stage = WORKER_BAD_TIFF;
		r = make_pages(j, &stage, &e);
	}
	if (r >= 0 && !j->pages.n && j->in.report.kind == REPORT_NONE) {
		reply_no_pages(j, rp);
		return;
	}
	if (r >= 0 && j->pages.n)
		r = hand_over(j, output, rp, &e);
	if (r < 0)
		worker_reply_fail(rp, code_of(r, stage), &e);
	else if (j->in.report.kind != REPORT_NONE)
		reply_report(j, rp);
}

void worker_parse_mail(const struct worker_request *rq, const void *message, size_t len,
		       int output, struct worker_reply *rp)
{
	struct job j = { 0 };

	worker_reply_init(rp);
	set_limits(&j, rq);
	examine(&j, message, len, output, rp);
	page_list_clear(&j.pages);	/* they point into the files */
	incoming_free(&j.in);
}

/* Reads the whole file: mapped, it could be cut short while it is parsed. */
static int read_all(int fd, void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)data + done, len - done, done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static void *load(int fd, uint64_t max, size_t *len, struct error *e)
{
	_free_ void *data = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		error_set(e, -EIO, "The mail cannot be read");
		return NULL;
	}
	if ((uint64_t)st.st_size > max) {
		error_set(e, -EFBIG, "The mail has %lld bytes, the limit is %llu",
			  (long long)st.st_size, (unsigned long long)max);
		return NULL;
	}
	*len = st.st_size;
	data = malloc(*len + 1);
	r = data ? read_all(fd, data, *len) : -ENOMEM;
	if (r < 0) {
		error_set(e, r, "The mail cannot be read: %s", strerror(-r));
		return NULL;
	}
	return take_ptr(data);
}

void worker_parse_fd(const struct worker_request *rq, int message, int output,
		     struct worker_reply *rp)
{
	uint64_t max = rq->limits.max_message ? rq->limits.max_message : DEFAULT_MESSAGE;
	struct error e = { 0 };
	size_t len = 0;
	_free_ void *data = load(message, max, &len, &e);

	worker_reply_init(rp);
	if (data)
		worker_parse_mail(rq, data, len, output, rp);
	else
		worker_reply_fail(rp, code_of(e.code, WORKER_BAD_MAIL), &e);
}
