// SPDX-License-Identifier: LGPL-2.1-or-later
/* Mail addresses: what is one, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "mail/address.h"

static void good_ones_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *local, *domain;
	} cases[] = {
		{"office@example.test", "office", "example.test"},
		{"a@b", "a", "b"},
		{"first.last+fax=1@sub.example.test", "first.last+fax=1", "sub.example.test"},
		{"FAX=+390408565@gateway.example", "FAX=+390408565", "gateway.example"},
		{"\"two words\"@example.test", "\"two words\"", "example.test"},
		{"\"a\\\"b@c\"@example.test", "\"a\\\"b@c\"", "example.test"},
		{"x@[192.0.2.1]", "x", "[192.0.2.1]"},
		{"x@[IPv6:2001:db8::1]", "x", "[IPv6:2001:db8::1]"},
		{"!#$%&'*+-/=?^_`{|}~@x1-2.example", "!#$%&'*+-/=?^_`{|}~", "x1-2.example"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct address a;
		struct error e;

		if (address_parse(cases[i].text, strlen(cases[i].text), &a, &e) < 0)
			fail_msg("%s", e.text);
		assert_string_equal(a.local, cases[i].local);
		assert_string_equal(a.domain, cases[i].domain);
	}
}

static void bad_ones_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"@",
		"a",
		"a@",
		"@b",
		".a@b",
		"a.@b",
		"a..b@c",
		"a b@c",
		"a@b c",
		"a@b.",
		"a@.b",
		"a@b..c",
		"a@-b",
		"a@b-",
		"a@b_c",
		"<a@b>",
		"a@b>",
		"a@b\r\nRCPT TO:<x@y>",
		"a\n@b",
		"\"a@b",
		"\"a\"b@c",
		"\"a\n\"@c",
		"\"\\\"@c",
		"a@[1.2.3]",
		"a@[1.2.3.4",
		"a@[1.2.3.256]",
		"a@[IPv6:zz]",
		"a@[IPv6:1.2.3.4]",
		"a@[]",
		"a@b,c@d",
		"a@b@c",
		"b\xc3\xbcro@example.test",
		"a@b\x7f",
		"a@b;c",
		"(x)a@b",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error e = {0};

		if (address_check(cases[i], &e) != -EINVAL)
			fail_msg("taken: %s", cases[i]);
		assert_true(strlen(e.text) > 10);
		assert_null(strpbrk(e.text, "\r\n"));
	}
	/* a NUL within */
	assert_int_equal(address_parse("a@b\0c", 5, NULL, NULL), -EINVAL);
	assert_int_equal(address_parse("a@[1.2.3.4\0]", 12, NULL, NULL), -EINVAL);
}

static void lengths_are_bounded(void **state)
{
	char text[400];
	struct address a;

	memset(text, 'a', sizeof(text));
	memcpy(text + 64, "@b", 3);
	assert_int_equal(address_parse(text, 66, &a, NULL), 0);
	assert_int_equal(strlen(a.local), 64);
	memset(text, 'a', sizeof(text));
	memcpy(text + 65, "@b", 3);
	assert_int_equal(address_parse(text, 67, &a, NULL), -EINVAL);
	/* labels of 63 and 64 */
	memset(text, 'a', sizeof(text));
	text[1] = '@';
	assert_int_equal(address_parse(text, 65, &a, NULL), 0);
	assert_int_equal(address_parse(text, 66, &a, NULL), -EINVAL);
	/* 254 and 255 in all */
	for (size_t i = 2; i < sizeof(text); i += 2)
		text[i] = 'x', text[i + 1] = '.';
	assert_int_equal(address_parse(text, 253, &a, NULL), 0);
	assert_int_equal(address_parse(text, 255, &a, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_taken_apart),
		cmocka_unit_test(bad_ones_are_refused),
		cmocka_unit_test(lengths_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
