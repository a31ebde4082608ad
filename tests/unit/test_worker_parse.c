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
#include "worker/parse.h"

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
	if (rp.code == WORKER_PAGES) {
		assert_int_equal(pageset_seal(fd, l, &e), 0);
		assert_int_equal(rp.pages, l->n - before);
	} else {
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
	assert_true(worker_request_ok(&rq));
	return examine_with(&rq, mail, l);
}

static struct worker_reply examine_parts(const char *subtype, const struct aux_part *parts,
					 size_t n, struct page_list *l)
{
	_buffer_ struct buffer mail = { 0 };

	aux_mail(&mail, subtype, parts, n);
	return examine(&mail, l);
}

/* The way of a page: coded, TIFF, message, worker, the same code again. */
static void round_trip(const struct t4_image *image, uint32_t encoding, enum tiff_profile profile)
{
	const char *const to[] = { "office@example.test" };
	_buffer_ struct buffer tiff = { 0 }, mail = { 0 };
	struct page_list sent = { 0 }, got = { 0 };
	struct worker_reply rp;
	struct t4_image seen;
	struct page *p;
	struct error e;

	p = aux_add_page(&sent, image, encoding, tiff_coding_flags(profile, encoding), 8000, 7700);
	assert_int_equal(tiff_write(&sent, profile, &tiff, &e), 0);
	assert_int_equal(message_build(&(struct message_spec){
		.from = "fax@example.test", .to = to, .n_to = 1, .subject = "A page",
		.message_id = "<x.y@example.test>", .date = 1700000000000000, .text = "One page.\n",
		.filename = "page.tif", .tiff = tiff.data, .tiff_len = tiff.len }, &mail, &e), 0);
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
	_buffer_ struct buffer tiff = { 0 }, other = { 0 };
	struct page_list l = { 0 };
	struct worker_reply a, b, c;

	aux_tiff_file(&tiff, 2, TIFF_PROFILE_S, 50);
	aux_tiff_file(&other, 2, TIFF_PROFILE_S, 51);
	a = examine_parts("mixed", &(struct aux_part){ AUX_TIFF_HEADERS, tiff.data, tiff.len, true },
			  1, &l);
	b = examine_parts("mixed", &(struct aux_part){ AUX_TIFF_HEADERS, tiff.data, tiff.len, true },
			  1, &l);
	c = examine_parts("mixed",
			  &(struct aux_part){ AUX_TIFF_HEADERS, other.data, other.len, true }, 1,
			  &l);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_arrive_as_they_were_sent),
		cmocka_unit_test(test_charts_arrive_as_they_were_sent),
		cmocka_unit_test(summary_and_digest_are_told),
	};

	aux_tiff_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
