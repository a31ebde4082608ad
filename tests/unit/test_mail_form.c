// SPDX-License-Identifier: LGPL-2.1-or-later
/* S24: common text, or something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mail/form.h"

#define MULTI "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=b\r\n\r\n"
#define PLAIN "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"

static void expect(const char *mail, bool whole, enum mail_form form)
{
	if (mail_form(mail, strlen(mail), whole) != form)
		fail_msg("not %d: %s", form, mail);
}

static void text(void **state)
{
	expect("Subject: x\r\n\r\nhello\r\n", false, MAIL_FORM_TEXT);
	expect("Content-Type: text/html; charset=utf-8\r\n\r\n", false, MAIL_FORM_TEXT);
	expect("content-type:\r\n TEXT/plain\r\n\r\n", false, MAIL_FORM_TEXT);
	expect(MULTI PLAIN "--b\r\nContent-Type: text/html\r\n\r\nx\r\n--b--\r\n", true,
	       MAIL_FORM_TEXT);
	expect(MULTI PLAIN "--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n",
	       true, MAIL_FORM_TEXT);
	expect("", true, MAIL_FORM_TEXT);
}

static void other(void **state)
{
	expect("Content-Type: image/tiff\r\n\r\n", false, MAIL_FORM_OTHER);
	expect("Content-Type: application/octet-stream\n\n", false, MAIL_FORM_OTHER);
	expect("Content-Type: text/plain; name=\"x.TIF\"\r\n\r\n", false, MAIL_FORM_OTHER);
	expect("Content-Type: text/plain\r\nContent-Disposition: attachment;\r\n"
	       "\tfilename=x.tif\r\n\r\n", false, MAIL_FORM_OTHER);
	expect("Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n",
	       false, MAIL_FORM_OTHER);
	expect("Content-Type: multipart/encrypted; boundary=b\r\n\r\n", false, MAIL_FORM_OTHER);
	expect("Content-Type: (nonsense) text/plain\r\n\r\n", false, MAIL_FORM_OTHER);
	expect(MULTI PLAIN "--b\r\nContent-Type: image/tiff\r\n", false, MAIL_FORM_OTHER);
	/* The end of inner parts right above the next outer one. */
	expect(MULTI "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
	       "--c\r\n\r\nx\r\n--c--\r\n--b\r\nContent-Type: image/tiff\r\n\r\n", true,
	       MAIL_FORM_OTHER);
	expect(MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\n", false, MAIL_FORM_OTHER);
}

static void open_still(void **state)
{
	expect(MULTI PLAIN, false, MAIL_FORM_OPEN);
	expect("Subject: cut within the hea", false, MAIL_FORM_OPEN);
	expect(MULTI "--b\r\nContent-Ty", false, MAIL_FORM_OPEN);
}

static bool encrypted(const char *mail)
{
	return mail_is_encrypted(mail, strlen(mail));
}

static void what_is_encrypted_as_a_whole(void **state)
{
	static const char nul[] = "Content-Type: multipart/encrypted\0; boundary=b\r\n\r\nhello";

	assert_true(encrypted("Subject: x\r\nContent-Type: multipart/encrypted;\r\n"
			      " boundary=b\r\n\r\n--b"));
	assert_true(encrypted("content-type:\n\tMULTIPART/Encrypted\n\n"));
	assert_true(encrypted("Content-Type: application/pkcs7-mime; name=smime.p7m;\r\n"
			      "\tsmime-type=\"Enveloped-Data\"\r\n\r\n"));
	assert_true(encrypted("Content-Type: application/x-pkcs7-mime; "
			      "smime-type = authEnveloped-data\r\n\r\n"));
	/* Signed alone, it can be read by all. */
	assert_false(encrypted("Content-Type: application/pkcs7-mime; "
			       "smime-type=signed-data\r\n\r\n"));
	assert_false(encrypted("Content-Type: application/pkcs7-mime\r\n\r\n"));
	assert_false(encrypted("Content-Type: application/pkcs7-mime; smime-type=signed-data; "
			       "smime-type=enveloped-data\r\n\r\n"));
	assert_false(encrypted("Content-Type: application/pkcs7-mime; "
			       "name=\"smime-type=enveloped-data\"\r\n\r\n"));
	assert_false(encrypted("Content-Type: text/plain\r\n\r\n"));
	assert_false(encrypted("Content-Type: multipart/encrypted-not\r\n\r\n"));
	assert_false(encrypted("Content-Type: multipart/mixed; a=multipart/encrypted\r\n\r\n"));
	assert_false(encrypted("X: y\r\n\r\nContent-Type: multipart/encrypted\r\n\r\n"));
	assert_false(encrypted("Subject: x\r\n Content-Type: multipart/encrypted\r\n\r\n"));
	/* Which of two counts is the reader's choice. */
	assert_false(encrypted("Content-Type: multipart/encrypted\r\n"
			       "Content-Type: text/plain\r\n\r\n"));
	assert_false(encrypted("Content-Type: text/plain\r\n"
			       "Content-Type: multipart/encrypted\r\n\r\n"));
	assert_false(mail_is_encrypted(nul, sizeof(nul) - 1));
	assert_false(encrypted(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text), cmocka_unit_test(other), cmocka_unit_test(open_still),
		cmocka_unit_test(what_is_encrypted_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
