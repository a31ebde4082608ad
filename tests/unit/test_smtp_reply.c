/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "smtp/reply.h"

static const struct row {
	const char *bytes;
	int r;
	int code;
	const char *enhanced;
	const char *text;
} rows[] = {
	{ "220 mx.example ready\r\n", 1, 220, "", "mx.example ready" },
	{ "250\r\n", 1, 250, "", "" },
	{ "250 \r\n", 1, 250, "", "" },
	{ "250-a\r\n250-b\r\n250 c\r\n", 1, 250, "", "a\nb\nc" },
	{ "250-\r\n250\r\n", 1, 250, "", "\n" },
	{ "550 5.1.1 No such user\r\n", 1, 550, "5.1.1", "No such user" },
	{ "452 4.5.3\r\n", 1, 452, "4.5.3", "" },
	{ "550-5.7.1 one\r\n550 5.7.1 two\r\n", 1, 550, "5.7.1", "one\ntwo" },
	{ "550 4.1.1 class differs\r\n", 1, 550, "", "4.1.1 class differs" },
	{ "250 2.1.1234 long\r\n", 1, 250, "", "2.1.1234 long" },
	{ "250 2.1 short\r\n", 1, 250, "", "2.1 short" },
	{ "250 2.1.\r\n", 1, 250, "", "2.1." },
	{ "354 3.0.0 go\r\n", 1, 354, "", "3.0.0 go" },
	{ "571 Exim's\r\n", 1, 571, "", "Exim's" },
	{ "250 gr\xc3\xbc\xc3\x9f\r\n", 1, 250, "", "gr????" },
	{ "250 a\x01\x7f" "b\tc\r\n", 1, 250, "", "a  b c" },
	{ "250 more", 0, 0, NULL, NULL },
	{ "250-more\r\n", 0, 0, NULL, NULL },
	{ "250 bare\n", -EPROTO, 0, NULL, NULL },
	{ "250 bare\rcr\r\n", -EPROTO, 0, NULL, NULL },
	{ "250 a\r\r\n", -EPROTO, 0, NULL, NULL },
	{ "\r\n", -EPROTO, 0, NULL, NULL },
	{ "25\r\n", -EPROTO, 0, NULL, NULL },
	{ "2500 x\r\n", -EPROTO, 0, NULL, NULL },
	{ "150 x\r\n", -EPROTO, 0, NULL, NULL },
	{ "650 x\r\n", -EPROTO, 0, NULL, NULL },
	{ "2a0 x\r\n", -EPROTO, 0, NULL, NULL },
	{ "250_x\r\n", -EPROTO, 0, NULL, NULL },
	{ "250-a\r\n251 b\r\n", -EPROTO, 0, NULL, NULL },
	{ "SSH-2.0-x\r\n", -EPROTO, 0, NULL, NULL },
};

static int feed(struct smtp_reply_parser *p, const char *s, size_t len)
{
	return smtp_reply_feed(p, &s, &len);
}

static void check_row(const struct row *row, const struct smtp_reply_parser *p, int r)
{
	if (r != row->r)
		fail_msg("\"%s\": %d instead of %d", row->bytes, r, row->r);
	if (r != 1)
		return;
	assert_int_equal(p->reply.code, row->code);
	assert_string_equal(p->reply.enhanced, row->enhanced);
	assert_string_equal(p->reply.text, row->text);
}

static void test_table(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct smtp_reply_parser p = { 0 };

		check_row(&rows[i], &p, feed(&p, rows[i].bytes, strlen(rows[i].bytes)));
	}
}

static void test_cut_anywhere(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].bytes);

		for (size_t cut = 0; cut <= len; cut++) {
			struct smtp_reply_parser p = { 0 };
			int r = feed(&p, rows[i].bytes, cut);

			if (!r)
				r = feed(&p, rows[i].bytes + cut, len - cut);
			check_row(&rows[i], &p, r);
		}
	}
}

static void test_one_after_another(void **state)
{
	struct smtp_reply_parser p = { 0 };
	const char *s = "250 one\r\n550 5.1.1 two\r\n250 three\r\n";
	size_t len = strlen(s);

	assert_int_equal(smtp_reply_feed(&p, &s, &len), 1);
	assert_string_equal(p.reply.text, "one");
	assert_int_equal(smtp_reply_feed(&p, &s, &len), 1);
	assert_string_equal(p.reply.text, "two");
	assert_string_equal(p.reply.enhanced, "5.1.1");
	assert_int_equal(smtp_reply_feed(&p, &s, &len), 1);
	assert_string_equal(p.reply.text, "three");
	assert_string_equal(p.reply.enhanced, "");
	assert_int_equal(len, 0);
}

static void test_nul_is_refused(void **state)
{
	struct smtp_reply_parser p = { 0 };

	assert_int_equal(feed(&p, "250 a\0b\r\n", 9), -EPROTO);
}

/* @n octets of text in one line. */
static int feed_long(struct smtp_reply_parser *p, size_t n)
{
	_free_ char *line = malloc(n + 16);

	assert_non_null(line);
	memcpy(line, "250 ", 4);
	memset(line + 4, 'x', n);
	memcpy(line + 4 + n, "\r\n", 2);
	return feed(p, line, n + 6);
}

static void test_long_lines(void **state)
{
	struct smtp_reply_parser p = { 0 };

	assert_int_equal(feed_long(&p, 100), 1);
	assert_int_equal(strlen(p.reply.text), 100);
	assert_int_equal(feed_long(&p, SMTP_REPLY_LINE_MAX - 4), 1);
	assert_int_equal(strlen(p.reply.text), SMTP_REPLY_LINE_KEPT - 4);
	assert_int_equal(feed_long(&p, SMTP_REPLY_LINE_MAX - 3), -EPROTO);
}

static void test_many_lines(void **state)
{
	struct smtp_reply_parser p = { 0 };
	int r = 0;

	for (int i = 0; i < SMTP_REPLY_LINES_MAX; i++)
		assert_int_equal(feed(&p, "250-sixteen letters\r\n", 21), 0);
	r = feed(&p, "250 end\r\n", 9);
	assert_int_equal(r, -EPROTO);
	assert_true(strlen(p.reply.text) < SMTP_REPLY_TEXT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_one_after_another),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_many_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
