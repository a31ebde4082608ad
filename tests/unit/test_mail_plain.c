// SPDX-License-Identifier: LGPL-2.1-or-later
/* The words of mails: character sets, format=flowed, HTML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "mail/html.h"
#include "mail/plain.h"

static void character_sets_become_utf8(void **state)
{
	static const struct {
		const char *charset, *bytes, *text;
		bool unknown;
	} cases[] = {
		{ NULL, "plain", "plain", false },
		{ NULL, "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", false },
		{ "us-ascii", "gr\xfc\xdf", "gr\xc3\xbc\xc3\x9f", false },
		{ "UTF-8", "a\xff""b", "a\xef\xbf\xbd""b", false },
		{ "iso-8859-1", "\x93\xfc\x94", "\xe2\x80\x9c\xc3\xbc\xe2\x80\x9d", false },
		{ "ISO-8859-15", "\xa4", "\xe2\x82\xac", false },
		{ "koi8-r", "\xf0\xd2\xc9", "\xd0\x9f\xd1\x80\xd0\xb8", false },
		{ "iso-2022-jp", "\x1b$B4A;z\x1b(B", "\xe6\xbc\xa2\xe5\xad\x97", false },
		{ "shift_jis", "\x8a\xbf\x8e\x9a", "\xe6\xbc\xa2\xe5\xad\x97", false },
		{ "utf-7", "gr+APwA3w-", "gr\xc3\xbc\xc3\x9f", false },
		{ "utf-16le", "a\x01", "\xc5\xa1", false },
		{ "x-nobody-knows", "gr\xfc\xdf", "gr\xc3\xbc\xc3\x9f", true },
		{ "x-nobody-knows", "gr\xc3\xbc", "gr\xc3\xbc", true },
		{ "../../etc/passwd", "x", "x", true },
		{ "utf-8//TRANSLIT", "x", "x", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_buffer_ struct buffer out = { 0 };
		bool unknown;

		assert_int_equal(plain_decode(cases[i].charset, cases[i].bytes,
					      strlen(cases[i].bytes), &out, &unknown), 0);
		assert_string_equal(out.data, cases[i].text);
		assert_int_equal(unknown, cases[i].unknown);
	}
}

static void limits_hold(void **state)
{
	char *text = calloc(1, 100000);
	_buffer_ struct buffer out = { .max = 50000 }, flat = { .max = 5 }, html = { .max = 5 };
	bool unknown;

	assert_non_null(text);
	memset(text, 0xfc, 100000);
	assert_int_equal(plain_decode("iso-8859-1", text, 100000, &out, &unknown), -EMSGSIZE);
	assert_int_equal(plain_unflow("one two three", 13, false, &flat), -EMSGSIZE);
	assert_int_equal(html_to_text("one two three", 13, &html), -EMSGSIZE);
	free(text);
}

static void clean(const char *from, size_t len, const char *to)
{
	_buffer_ struct buffer b = { 0 };

	assert_int_equal(buffer_append(&b, from, len), 0);
	plain_clean(&b);
	assert_string_equal(b.data, to);
	assert_int_equal(b.len, strlen(to));
}

static void control_characters_go(void **state)
{
	clean("a\r\nb\rc\nd", 8, "a\nb\nc\nd");
	clean("a\0b\x07\x1b[1m\tc\x7f", 12, "ab[1m\tc");
	clean("\xef\xbb\xbfx\xc2\x85y\xe2\x80\xa8z \n\n\t", 16, "x\ny\nz");
	clean("a\fb\f\n", 5, "a\fb");
	clean("\n \n", 3, "");
	clean("a\xff\xc3", 3, "a");
	assert_true(plain_blank(" \n\xc2\xa0", 4));
	assert_false(plain_blank(" x", 2));
	assert_true(plain_blank("", 0));
}

static void unflow(const char *from, bool delsp, const char *to)
{
	_buffer_ struct buffer b = { 0 };

	assert_int_equal(plain_unflow(from, strlen(from), delsp, &b), 0);
	assert_string_equal(b.data ? b.data : "", to);
}

static void flowed_lines_are_joined(void **state)
{
	unflow("one \ntwo \nthree\nfour", false, "one two three\nfour\n");
	unflow("one \ntwo", true, "onetwo\n");
	unflow(" From here\n > no quote", false, "From here\n> no quote\n");
	/* quoting */
	unflow("> one \n> two\n>> three \n> four\n> \nx", false,
	       "> one two\n> > three \n> four\n> \nx\n");
	unflow(">> a \n>>b", false, "> > a b\n");
	/* the line above a signature never flows */
	unflow("text\n-- \nname", false, "text\n-- \nname\n");
	unflow("text \n-- \nname", false, "text \n-- \nname\n");
	unflow("", false, "");
	unflow("end ", false, "end ");
}

static void html(const char *from, const char *to)
{
	_buffer_ struct buffer b = { 0 };

	assert_int_equal(html_to_text(from, strlen(from), &b), 0);
	assert_string_equal(b.data ? b.data : "", to);
}

static void html_becomes_text(void **state)
{
	html("<p>Hello,\n  <b>world</b>!</p><p>Two</p>", "Hello, world!\n\nTwo\n");
	html("a<br>b<br/>c<BR\n/><br>d", "a\nb\nc\n\nd\n");
	html("<div>a</div><div>b</div>c", "a\nb\nc\n");
	html("<ul><li>one<li>two</ul>x", "\xe2\x80\xa2 one\n\xe2\x80\xa2 two\n\nx\n");
	html("<table><tr><td>a<td>b</tr><tr><td>c</td> <td>d</td></tr></table>", "a\tb\nc\td\n");
	html("a<blockquote>b<blockquote>c</blockquote></blockquote>d",
	     "a\n\n> b\n\n> > c\n\nd\n");
	html("<pre>a\n  b\n</pre>", "a\n  b\n");
	html("<style>p { x }</style><script>if (a<b) '</p>'</script>x<title>t</title>", "x\n");
	html("a<!-- <p> -- > -->b<!DOCTYPE x>c<?php ?>d", "abcd\n");
	html("<a href=\"x>y\" title='>'>link</a>", "link\n");
	html("1 < 2 && 3 > 2", "1 < 2 && 3 > 2\n");
	html("<hr>x", "----------------\nx\n");
}

static void html_references_are_read(void **state)
{
	html("&lt;&amp;&gt;&quot;&#65;&#x20AC;&euro;&auml;&Auml;",
	     "<&>\"A\xe2\x82\xac\xe2\x82\xac\xc3\xa4\xc3\x84\n");
	html("&amp &nosuch; &#0; &#xD800; &#x110000; &#99999999999; &",
	     "& &nosuch; &#0; &#xD800; &#x110000; &#99999999999; &\n");
	html("&#10;&#27;", "&#10;&#27;\n");
}

static void html_may_end_anywhere(void **state)
{
	static const char all[] = "<p>a<!-- x --><a href='x\">&auml;<script>y</script></p> z";

	for (size_t n = 0; n < sizeof(all); n++) {
		_buffer_ struct buffer b = { 0 };
		char *exact = malloc(n + !n);

		assert_non_null(exact);
		memcpy(exact, all, n);
		assert_int_equal(html_to_text(exact, n, &b), 0);
		free(exact);
	}
}

/* Nothing in it is looked at over and over. */
static void html_costs_by_its_length(void **state)
{
	static const char *const pieces[] = { "<", "<!--",    "<a '",	 "&",
					      "<script>", "<pre>\n", "</" };
	clock_t start = clock();

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		_buffer_ struct buffer in = { 0 }, out = { 0 };

		while (in.len < 1000000)
			assert_int_equal(buffer_append(&in, pieces[i], strlen(pieces[i])), 0);
		assert_int_equal(html_to_text(in.data, in.len, &out), 0);
	}
	assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(character_sets_become_utf8),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(control_characters_go),
		cmocka_unit_test(flowed_lines_are_joined),
		cmocka_unit_test(html_becomes_text),
		cmocka_unit_test(html_references_are_read),
		cmocka_unit_test(html_may_end_anywhere),
		cmocka_unit_test(html_costs_by_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
