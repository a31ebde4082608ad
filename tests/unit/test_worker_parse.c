// SPDX-License-Identifier: LGPL-2.1-or-later
/* Mails of every kind, as the worker sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include <linux/fax.h>

#include "mail/message.h"
#include "mail_aux.h"
#include "page/pageset.h"
#include "page_aux.h"
#include "picture_aux.h"
#include "worker/parse.h"

/* fontconfig keeps what it has read until the program ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig";
}

/* Has @mail examined; pages, if any, are appended to @l. */
static struct worker_reply examine_with(const struct worker_request *rq, const struct buffer *mail,
					struct page_list *l)
{
	size_t before = l->n;
	struct worker_reply rp;
	struct error e;
	int fd = pageset_create(&e);

	assert_true(fd >= 0);
	worker_parse_mail(rq, mail->data, mail->len, fd, &rp);
	assert_true(worker_reply_check(&rp));
	if (rp.pages) {
		assert_int_equal(pageset_seal(fd, l, &e), 0);
		assert_int_equal(rp.pages, l->n - before);
	}
	if (rp.code != WORKER_PAGES) {
		assert_true(strlen(rp.sentence) > 10);
		assert_true(rp.error < 0);
	}
	close(fd);
	return rp;
}

static struct worker_reply examine(const struct buffer *mail, struct page_list *l)
{
	struct worker_request rq;

	worker_request_init(&rq);
	assert_true(worker_request_check(&rq));
	return examine_with(&rq, mail, l);
}

static struct worker_reply examine_parts(const char *subtype, const struct aux_part *parts,
					 size_t n, struct page_list *l)
{
	_buffer_ struct buffer mail = {0};

	aux_mail(&mail, subtype, parts, n);
	return examine(&mail, l);
}

/* The way of a page: coded, TIFF, message, worker, the same code again. */
static void round_trip(const struct t4_image *image, uint32_t encoding, enum tiff_profile profile)
{
	const char *const to[] = {"office@example.test"};
	_buffer_ struct buffer tiff = {0}, mail = {0};
	struct page_list sent = {0}, got = {0};
	struct worker_reply rp;
	struct t4_image seen;
	struct page *p;
	struct error e;

	p = aux_add_page(&sent, image, encoding, tiff_coding_flags(profile, encoding), 8000, 7700);
	assert_int_equal(tiff_write(&sent, profile, &tiff, &e), 0);
	assert_int_equal(message_build(&(struct message_spec){.from = "fax@example.test",
							      .to = to,
							      .n_to = 1,
							      .subject = "A page",
							      .message_id = "<x.y@example.test>",
							      .date = 1700000000000000,
							      .text = "One page.\n",
							      .filename = "page.tif",
							      .tiff = tiff.data,
							      .tiff_len = tiff.len},
				       &mail, &e),
			 0);
	rp = examine(&mail, &got);
	assert_int_equal(rp.code, WORKER_PAGES);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.pages[0].rows_bad, 0);
	assert_int_equal(got.pages[0].xres, 8000);
	assert_int_equal(got.pages[0].yres, 7700);
	seen = aux_decode(&got.pages[0]);
	assert_true(t4_image_equal(&seen, image));
	if (image->width == 1728) {
		assert_int_equal(got.pages[0].strips[0].encoding, encoding);
		assert_int_equal(got.pages[0].strips[0].len, p->strips[0].len);
		assert_memory_equal(got.pages[0].strips[0].data, p->strips[0].data,
				    p->strips[0].len);
	}
	t4_image_free(&seen);
	page_list_clear(&sent);
	page_list_clear(&got);
}

static void pages_arrive_as_they_were_sent(void **state)
{
	struct t4_image image = aux_scribble(1728, 400, 11);

	round_trip(&image, FAX_ENC_MH, TIFF_PROFILE_S);
	round_trip(&image, FAX_ENC_MH, TIFF_PROFILE_F);
	round_trip(&image, FAX_ENC_MR, TIFF_PROFILE_F);
	round_trip(&image, FAX_ENC_MMR, TIFF_PROFILE_F);
	t4_image_free(&image);
}

static void test_charts_arrive_as_they_were_sent(void **state)
{
	char **paths;
	u32 n = t4_samples("pages", &paths), done = 0;

	for (u32 i = 0; i < n; i++) {
		struct t4_image image;

		assert_true(t4_image_load(paths[i], &image));
		if (image.width == 1728) {
			round_trip(&image, FAX_ENC_MMR, TIFF_PROFILE_F);
			round_trip(&image, FAX_ENC_MH, TIFF_PROFILE_S);
			done++;
		}
		t4_image_free(&image);
	}
	t4_samples_free(paths, n);
	if (!done)
		skip();
}

static void summary_and_digest_are_told(void **state)
{
	_buffer_ struct buffer tiff = {0}, other = {0};
	struct page_list l = {0};
	struct worker_reply a, b, c;

	aux_tiff_file(&tiff, 2, TIFF_PROFILE_S, 50);
	aux_tiff_file(&other, 2, TIFF_PROFILE_S, 51);
	a = examine_parts("mixed", &(struct aux_part){AUX_TIFF_HEADERS, tiff.data, tiff.len, true},
			  1, &l);
	b = examine_parts("mixed", &(struct aux_part){AUX_TIFF_HEADERS, tiff.data, tiff.len, true},
			  1, &l);
	c = examine_parts("mixed",
			  &(struct aux_part){AUX_TIFF_HEADERS, other.data, other.len, true}, 1, &l);
	assert_int_equal(a.code, WORKER_PAGES);
	assert_int_equal(a.pages, 2);
	assert_string_equal(a.summary.from, "other@example.test");
	assert_string_equal(a.summary.from_name, "Other Fax");
	assert_string_equal(a.summary.subject, "two pages");
	assert_string_equal(a.summary.message_id, "<1.2@example.test>");
	assert_int_equal(a.summary.date, 1783324800);
	assert_string_equal(a.digest, b.digest);
	assert_string_not_equal(a.digest, c.digest);
	page_list_clear(&l);
}

/* What a mail of these parts comes to. */
static void expect(const char *subtype, const struct aux_part *parts, size_t n,
		   enum worker_code code, uint32_t pages, const char *says)
{
	struct page_list l = {0};
	struct worker_reply rp = examine_parts(subtype, parts, n, &l);

	if (rp.code != code || rp.pages != pages || !strstr(rp.sentence, says))
		fail_msg("%s, %u pages: %s", worker_code_name(rp.code), rp.pages, rp.sentence);
	page_list_clear(&l);
}

static void G3_attachments_decide(void **state)
{
	_buffer_ struct buffer tiff = {0};
	struct aux_part text = {AUX_TEXT_HEADERS, "Hello.", 0, false}, fax, octets, magic, pdf,
			junk, signature, html, cut, zip;

	aux_tiff_file(&tiff, 1, TIFF_PROFILE_S, 40);
	fax = (struct aux_part){AUX_TIFF_HEADERS, tiff.data, tiff.len, true};
	cut = (struct aux_part){AUX_TIFF_HEADERS, tiff.data, 100, true};
	octets = magic = fax;
	octets.headers = "Content-Type: application/octet-stream\r\n"
			 "Content-Disposition: attachment; filename=\"PAGE.TIF\"\r\n"
			 "Content-Transfer-Encoding: base64\r\n";
	magic.headers = "Content-Type: application/octet-stream\r\n"
			"Content-Transfer-Encoding: base64\r\n";
	pdf = (struct aux_part){"Content-Type: application/pdf; name=\"a.pdf\"\r\n", "%PDF-1.4", 0,
				false};
	zip = (struct aux_part){"Content-Type: application/zip; name=\"a.zip\"\r\n", "PK", 0,
				false};
	junk = (struct aux_part){AUX_TIFF_HEADERS, "this is no TIFF file", 0, true};
	signature =
		(struct aux_part){"Content-Type: application/pgp-signature\r\n", "-----", 0, false};
	html = (struct aux_part){"Content-Type: text/html\r\n", "<p>Hello.", 0, false};

	expect("mixed", (struct aux_part[]){text, fax}, 2, WORKER_PAGES, 1, "");
	expect("mixed", (struct aux_part[]){fax, text, octets, magic}, 4, WORKER_PAGES, 3, "");
	expect("mixed", (struct aux_part[]){fax, signature}, 2, WORKER_PAGES, 1, "");
	expect("mixed", (struct aux_part[]){fax, pdf}, 2, WORKER_BAD_ATTACHMENT, 0, "a.pdf");
	expect("mixed", (struct aux_part[]){fax, junk}, 2, WORKER_BAD_TIFF, 0, "Attachment 2");
	expect("mixed", (struct aux_part[]){cut, fax}, 2, WORKER_BAD_TIFF, 0, "Attachment 1");
	expect("mixed", (struct aux_part[]){zip, fax}, 2, WORKER_BAD_ATTACHMENT, 0, "a.zip");
	expect("mixed", (struct aux_part[]){text}, 1, WORKER_PAGES, 1, "");
	expect("mixed", (struct aux_part[]){signature}, 1, WORKER_NO_PAGES, 0, "no pages");
	expect("report", (struct aux_part[]){text, fax}, 2, WORKER_REPORT, 1, "report");
	expect("encrypted", (struct aux_part[]){text, fax}, 2, WORKER_SEALED, 0, "encrypted");
	expect("signed", (struct aux_part[]){fax, signature}, 2, WORKER_SEALED, 0, "signed");
	/* G1: the first alternative that can be printed */
	expect("alternative", (struct aux_part[]){text, html}, 2, WORKER_PAGES, 1, "");
	expect("alternative", (struct aux_part[]){text, fax, octets}, 3, WORKER_PAGES, 1, "");
	expect("alternative", (struct aux_part[]){pdf, fax}, 2, WORKER_PAGES, 1, "");
	expect("alternative", (struct aux_part[]){pdf, pdf}, 2, WORKER_BAD_ATTACHMENT, 0, "pdf");
	expect("alternative", (struct aux_part[]){zip, html}, 2, WORKER_PAGES, 1, "");
	/* what only a text refers to */
	expect("related", (struct aux_part[]){html, zip, fax}, 3, WORKER_PAGES, 1, "");
}

/* Line ends, boundary and header fields as fax machines of the time wrote them. */
static void P2_the_look_of_an_internet_fax_is_read(void **state)
{
	static const struct aux_part text = {AUX_TEXT_HEADERS, "\r\n", 0, false};
	_buffer_ struct buffer tiff = {0}, mail = {0};
	struct page_list l = {0};
	struct worker_reply rp;
	struct aux_part fax;

	aux_tiff_file(&tiff, 2, TIFF_PROFILE_S, 40);
	fax = (struct aux_part){"Content-Type: image/tiff; name=\"IMAGE.TIF\"\r\n"
				"Content-Transfer-Encoding: base64\r\n"
				"Content-Description: image001.tif\r\n",
				tiff.data, tiff.len, true};
	aux_put(&mail, "Return-Path: <fax@example.test>\r\n"
		       "Received: from a.example.test by b.example.test (8.8.5)\r\n"
		       "\tid AA01; Thu, 5 Mar 1998 10:00:00 +0900 (JST)\r\n"
		       "Received: from fax ([192.0.2.7]) by a.example.test\r\n"
		       "Date: Thu, 05 Mar 1998 09:59:00 +0900\r\n"
		       "Message-Id: <199803050059.AA0001@fax.example.test>\r\n"
		       "Mime-Version: 1.0\r\n"
		       "X-Mailer: Internet FAX\r\n"
		       "From: \"Fax\" <fax@example.test>\r\n"
		       "Subject: IMAGE from Internet FAX\r\n"
		       "To: office@example.test\r\n"
		       "Content-Type: multipart/mixed; boundary=\"+-+-+-Pan-+-+\"\r\n"
		       "X-UIDL: 8f32e4b1d691fdfc28daa812d913f572\r\n\r\n");
	aux_put_part(&mail, "+-+-+-Pan-+-+", &text);
	aux_put_part(&mail, "+-+-+-Pan-+-+", &fax);
	aux_put(&mail, "--+-+-+-Pan-+-+--\r\n");
	rp = examine(&mail, &l);
	assert_int_equal(rp.code, WORKER_PAGES);
	assert_int_equal(rp.pages, 2);
	assert_string_equal(rp.summary.message_id, "<199803050059.AA0001@fax.example.test>");
	page_list_clear(&l);
}

static void a_single_part_mail_is_read(void **state)
{
	_buffer_ struct buffer tiff = {0}, mail = {0};
	struct page_list l = {0};

	aux_tiff_file(&tiff, 1, TIFF_PROFILE_F, 40);
	aux_put(&mail, "From: a@example.test\nContent-Type: image/tiff; application=faxbw\n"
		       "Content-Transfer-Encoding: base64\n\n");
	aux_base64(&mail, tiff.data, tiff.len);
	assert_int_equal(examine(&mail, &l).code, WORKER_PAGES);
	page_list_clear(&l);
}

static void garbage_is_no_trouble(void **state)
{
	static const char *const mails[] = {
		"",
		"\r\n",
		"\r\n\r\n",
		"x",
		"From",
		": \r\n\r\n",
		"Subject: =?\xff?q?\xff?=\r\n\r\n",
		"Content-Type: multipart/mixed\r\n\r\n--x\r\n",
		"Content-Type: \r\n\r\n",
		"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n--\r\n",
		"Date: 99 Xyz 99999 99:99\r\nFrom: <<<>>>@\"\r\nMessage-Id: <\r\n\r\nhello",
		"Content-Type: message/rfc822\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(mails) / sizeof(*mails); i++) {
		_buffer_ struct buffer mail = {0};
		struct page_list l = {0};
		struct worker_reply rp;

		aux_put(&mail, mails[i]);
		rp = examine(&mail, &l);
		assert_true(rp.code == WORKER_NO_PAGES || rp.code == WORKER_PAGES ||
			    rp.code == WORKER_BAD_MAIL || rp.code == WORKER_BAD_ATTACHMENT);
		page_list_clear(&l);
	}
}

static void bombs_of_parts_do_not_go_off(void **state)
{
	_buffer_ struct buffer deep = {0}, wide = {0}, head = {0}, forwards = {0};
	struct page_list l = {0};
	struct worker_reply rp;
	clock_t start = clock();

	aux_put(&deep, "From: a@example.test\r\n");
	for (int i = 0; i < 30000; i++)
		assert_int_equal(buffer_printf(&deep,
					       "Content-Type: multipart/mixed; "
					       "boundary=b%d\r\n\r\n--b%d\r\n",
					       i, i),
				 0);
	rp = examine(&deep, &l);
	assert_int_equal(rp.code, WORKER_BAD_MAIL);
	assert_non_null(strstr(rp.sentence, "parts"));

	/* parts without a type of their own cost less, and are counted as well */
	aux_put(&wide, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < 30000; i++)
		aux_put(&wide, "--b\r\n\r\nx\r\n");
	rp = examine(&wide, &l);
	assert_int_equal(rp.code, WORKER_BAD_MAIL);

	for (int i = 0; i < 20000; i++)
		aux_put(&head, "X-Filler: all work and no play\r\n");
	rp = examine(&head, &l);
	assert_int_equal(rp.code, WORKER_BAD_MAIL);
	assert_non_null(strstr(rp.sentence, "header"));

	for (int i = 0; i < 30; i++)
		aux_put(&forwards, "Content-Type: message/rfc822\r\n\r\n");
	rp = examine(&forwards, &l);
	assert_int_equal(rp.code, WORKER_BAD_MAIL);
	assert_non_null(strstr(rp.sentence, "deep"));
	assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
}

static void limits_have_their_messages(void **state)
{
	_buffer_ struct buffer tiff = {0}, mail = {0};
	struct page_list l = {0};
	struct worker_request rq;
	struct worker_reply rp;
	struct error e;
	int fd, out = pageset_create(&e);

	aux_tiff_file(&tiff, 3, TIFF_PROFILE_S, 40);
	aux_mail(&mail, "mixed", &(struct aux_part){AUX_TIFF_HEADERS, tiff.data, tiff.len, true},
		 1);
	worker_request_init(&rq);
	rq.limits.max_pages = 2;
	rp = examine_with(&rq, &mail, &l);
	assert_int_equal(rp.code, WORKER_TOO_LARGE);
	assert_non_null(strstr(rp.sentence, "2 pages"));

	worker_request_init(&rq);
	rq.limits.max_output = 1000;
	assert_int_equal(examine_with(&rq, &mail, &l).code, WORKER_TOO_LARGE);

	worker_request_init(&rq);
	rq.engine = raster_common_engine;
	rq.engine.rows_max = 39;
	rp = examine_with(&rq, &mail, &l);
	assert_int_equal(rp.code, WORKER_TOO_LARGE);
	assert_non_null(strstr(rp.sentence, "Page 1"));

	worker_request_init(&rq);
	rq.limits.max_message = 100;
	fd = aux_fd(mail.data, mail.len);
	worker_parse_fd(&rq, fd, out, &rp);
	assert_int_equal(rp.code, WORKER_BAD_MAIL);
	assert_non_null(strstr(rp.sentence, "limit is 100"));
	close(fd);
	worker_parse_fd(&rq, -1, out, &rp);
	assert_int_equal(rp.code, WORKER_TROUBLE);
	close(out);
}

static void damage_beyond_the_share_is_told(void **state)
{
	_buffer_ struct buffer tiff = {0};
	struct worker_request rq;
	struct page_list l = {0};
	_buffer_ struct buffer mail = {0};
	struct worker_reply rp;

	aux_tiff_file(&tiff, 1, TIFF_PROFILE_S, 400);
	memset(tiff.data + tiff.len / 2, 0x01, 3);
	aux_mail(&mail, "mixed", &(struct aux_part){AUX_TIFF_HEADERS, tiff.data, tiff.len, true},
		 1);
	worker_request_init(&rq);
	rq.limits.bad_permille = 1001;
	rp = examine_with(&rq, &mail, &l);
	assert_int_equal(rp.code, WORKER_DAMAGED);
	assert_non_null(strstr(rp.sentence, "rows are damaged"));
	rp = examine(&mail, &l);
	assert_int_equal(rp.code, WORKER_PAGES);
	assert_true(rp.rows_bad > 0);
	page_list_clear(&l);
}

/* Pages of what is asked for with @text and @mark. */
static struct worker_reply ask(const struct buffer *mail, enum worker_text text, const char *mark,
			       struct page_list *l)
{
	struct worker_request rq;

	worker_request_init(&rq);
	rq.text = text;
	snprintf(rq.mark, sizeof(rq.mark), "%s", mark);
	return examine_with(&rq, mail, l);
}

static void M3_words_are_printed_where_they_are_wanted(void **state)
{
	_buffer_ struct buffer tiff = {0}, words = {0}, fax = {0}, png = {0};
	struct aux_part text = {AUX_TEXT_HEADERS, "Hello.", 0, false}, file, blank, picture;
	_grey_ struct grey g = aux_gradient(64, 64);
	_buffer_ struct buffer file_png = {0};
	struct page_list l = {0};

	aux_tiff_file(&tiff, 1, TIFF_PROFILE_S, 40);
	file = (struct aux_part){AUX_TIFF_HEADERS, tiff.data, tiff.len, true};
	aux_mail(&words, "mixed", &text, 1);
	aux_mail(&fax, "mixed", (struct aux_part[]){text, file}, 2);
	assert_int_equal(ask(&words, WORKER_TEXT_AUTO, "", &l).pages, 1);
	assert_int_equal(ask(&words, WORKER_TEXT_NEVER, "", &l).code, WORKER_TEXT_ONLY);
	assert_int_equal(ask(&fax, WORKER_TEXT_AUTO, "", &l).pages, 1);
	assert_int_equal(ask(&fax, WORKER_TEXT_ALWAYS, "", &l).pages, 2);
	assert_int_equal(ask(&fax, WORKER_TEXT_NEVER, "", &l).pages, 1);

	/* beside a picture words are no covering note; blanks are no words */
	aux_png(&file_png, &g);
	picture = (struct aux_part){"Content-Type: image/png; name=\"a.png\"\r\n"
				    "Content-Transfer-Encoding: base64\r\n",
				    file_png.data, file_png.len, true};
	blank = text;
	blank.data = " \r\n";
	aux_mail(&png, "mixed", (struct aux_part[]){text, picture}, 2);
	assert_int_equal(ask(&png, WORKER_TEXT_AUTO, "", &l).pages, 2);
	buffer_clear(&png);
	aux_mail(&png, "mixed", (struct aux_part[]){blank, picture}, 2);
	assert_int_equal(ask(&png, WORKER_TEXT_ALWAYS, "", &l).pages, 1);
	/* an ornament of a text in HTML is not printed */
	buffer_clear(&png);
	aux_mail(&png, "related", (struct aux_part[]){text, picture}, 2);
	assert_int_equal(ask(&png, WORKER_TEXT_AUTO, "", &l).pages, 1);
	/* a text that is a file is a document, beside a fax as well */
	text.headers = "Content-Type: text/plain\r\n"
		       "Content-Disposition: attachment; filename=\"list.txt\"\r\n";
	buffer_clear(&fax);
	aux_mail(&fax, "mixed", (struct aux_part[]){file, text}, 2);
	assert_int_equal(ask(&fax, WORKER_TEXT_AUTO, "", &l).pages, 2);
	page_list_clear(&l);
}

/* Whatever the mail says that it is. */
static void pictures_of_the_web_are_printed(void **state)
{
	_buffer_ struct buffer gif = {0}, webp = {0}, mail = {0};
	struct aux_part parts[2];
	_grey_ struct grey g = aux_gradient(300, 200);
	struct page_list l = {0};
	struct worker_reply rp;

	aux_gif(&gif, &g, &(struct aux_gif){.clear = -1, .frames = 2});
	aux_webp_moving(&webp, &g, 0, 0);
	parts[0] = (struct aux_part){"Content-Type: image/gif; name=\"a.gif\"\r\n"
				     "Content-Transfer-Encoding: base64\r\n",
				     gif.data, gif.len, true};
	parts[1] = (struct aux_part){"Content-Type: application/octet-stream\r\n"
				     "Content-Transfer-Encoding: base64\r\n",
				     webp.data, webp.len, true};
	aux_mail(&mail, "mixed", parts, 2);
	assert_int_equal(ask(&mail, WORKER_TEXT_AUTO, "", &l).pages, 2);
	page_list_clear(&l);
	/* One that is broken is named, and why. */
	parts[0].len /= 2;
	buffer_clear(&mail);
	aux_mail(&mail, "mixed", parts, 2);
	rp = ask(&mail, WORKER_TEXT_AUTO, "", &l);
	assert_int_equal(rp.code, WORKER_BAD_ATTACHMENT);
	assert_non_null(strstr(rp.sentence, "Attachment 1 (a.gif): The GIF picture is damaged"));
	page_list_clear(&l);
}

static void a_mark_stands_above_the_first_page(void **state)
{
	_buffer_ struct buffer tiff = {0}, words = {0}, fax = {0};
	struct aux_part text = {AUX_TEXT_HEADERS, "Hello.", 0, false}, file;
	struct page_list l = {0};
	struct worker_reply plain, marked;
	struct aux_extent x, y;

	aux_tiff_file(&tiff, 2, TIFF_PROFILE_S, 400);
	file = (struct aux_part){AUX_TIFF_HEADERS, tiff.data, tiff.len, true};
	aux_mail(&words, "mixed", &text, 1);
	aux_mail(&fax, "mixed", &file, 1);
	marked = ask(&fax, WORKER_TEXT_AUTO, "Signed by Ada Muster", &l);
	assert_int_equal(marked.code, WORKER_PAGES);
	assert_in_range(l.pages[0].rows, 420, 450);
	assert_int_equal(l.pages[1].rows, 400);
	page_list_clear(&l);
	plain = ask(&words, WORKER_TEXT_AUTO, "", &l);
	marked = ask(&words, WORKER_TEXT_AUTO, "Signed by Ada Muster", &l);
	assert_string_not_equal(plain.digest, marked.digest);
	assert_true(aux_extent(&l.pages[0], &x) && aux_extent(&l.pages[1], &y));
	assert_true(y.black > x.black);
	page_list_clear(&l);
}

static void wrong_requests_are_refused(void **state)
{
	struct worker_request rq;

	worker_request_init(&rq);
	assert_true(worker_request_check(&rq));
	rq.op = 7;
	assert_false(worker_request_check(&rq));
	worker_request_init(&rq);
	rq.text = WORKER_TEXT_NEVER + 1;
	assert_false(worker_request_check(&rq));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_arrive_as_they_were_sent),
		cmocka_unit_test(test_charts_arrive_as_they_were_sent),
		cmocka_unit_test(summary_and_digest_are_told),
		cmocka_unit_test(G3_attachments_decide),
		cmocka_unit_test(P2_the_look_of_an_internet_fax_is_read),
		cmocka_unit_test(a_single_part_mail_is_read),
		cmocka_unit_test(garbage_is_no_trouble),
		cmocka_unit_test(bombs_of_parts_do_not_go_off),
		cmocka_unit_test(limits_have_their_messages),
		cmocka_unit_test(damage_beyond_the_share_is_told),
		cmocka_unit_test(M3_words_are_printed_where_they_are_wanted),
		cmocka_unit_test(pictures_of_the_web_are_printed),
		cmocka_unit_test(a_mark_stands_above_the_first_page),
		cmocka_unit_test(wrong_requests_are_refused),
	};

	aux_tiff_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
