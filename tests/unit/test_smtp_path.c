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
#include "smtp/path.h"

static const struct row {
	const char *text;
	bool utf8;
	int r;
	const char *mailbox, *domain;	/* domain NULL: none */
	size_t hops;
	const char *rest;		/* behind the path, NULL: nothing */
} rows[] = {
	/* the null path, and the name that has no domain */
	{ "<>", false, 0, "", NULL, 0, NULL },
	{ "<> SIZE=1", false, 0, "", NULL, 0, " SIZE=1" },
	{ "<postmaster>", false, 0, "postmaster", NULL, 0, NULL },
	{ "<PostMaster>", false, 0, "PostMaster", NULL, 0, NULL },
	{ "<fred>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<@a:postmaster>", false, -EINVAL, NULL, NULL, 0, NULL },
	/* mailboxes */
	{ "<fred@example.com>", false, 0, "fred@example.com", "example.com", 0, NULL },
	{ "<F.r-e_d+x@A.b-c.1d>x", false, 0, "F.r-e_d+x@A.b-c.1d", "A.b-c.1d", 0, "x" },
	{ "<!#$%&'*+-/=?^_`{|}~@x>", false, 0, "!#$%&'*+-/=?^_`{|}~@x", "x", 0, NULL },
	{ "<FAX=9-555-8354@[15.80.7.107]>", false, 0, "FAX=9-555-8354@[15.80.7.107]",
	  "[15.80.7.107]", 0, NULL },
	{ "<a..b@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<.a@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a.@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a b@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@x@y>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@x", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "a@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<<a@x>>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "< a@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@x >", false, -EINVAL, NULL, NULL, 0, NULL },
	/* backslash pairs, also without quotes (RFC 821) */
	{ "<Joe\\,Smith@x>", false, 0, "Joe\\,Smith@x", "x", 0, NULL },
	{ "<a\\@b@x>", false, 0, "a\\@b@x", "x", 0, NULL },
	{ "<a\\ b@x>", false, 0, "a\\ b@x", "x", 0, NULL },
	{ "<a\\>b@x>", false, 0, "a\\>b@x", "x", 0, NULL },
	{ "<a.\\.b@x>", false, 0, "a.\\.b@x", "x", 0, NULL },
	{ "<a\\", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a\\\x01@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	/* quoted strings */
	{ "<\"a b\"@x>", false, 0, "\"a b\"@x", "x", 0, NULL },
	{ "<\"\"@x>", false, 0, "\"\"@x", "x", 0, NULL },
	{ "<\"a\\\"@y>,<\"@x>", false, 0, "\"a\\\"@y>,<\"@x", "x", 0, NULL },
	{ "<\"a\\\\\"@x>", false, 0, "\"a\\\\\"@x", "x", 0, NULL },
	{ "<\"a@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<\"a\"b@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<\"a\\", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<\"a\nb\"@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<\"a\tb\"@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	/* domains */
	{ "<a@#12345>", false, 0, "a@#12345", "#12345", 0, NULL },
	{ "<a@#1.x>", false, 0, "a@#1.x", "#1.x", 0, NULL },
	{ "<a@#>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@#1x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[1.2.3.4]>", false, 0, "a@[1.2.3.4]", "[1.2.3.4]", 0, NULL },
	{ "<a@[001.2.3.255]>", false, 0, "a@[001.2.3.255]", "[001.2.3.255]", 0, NULL },
	{ "<a@[1.2.3.256]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[1.2.3.0004]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[1.2.3]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[1.2.3.4.5]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[1.2.3.]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[1.2.3.4>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[IPv6:2001:db8::1]>", false, 0, "a@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", 0,
	  NULL },
	{ "<a@[ipv6:::ffff:192.0.2.1]>", false, 0, "a@[ipv6:::ffff:192.0.2.1]",
	  "[ipv6:::ffff:192.0.2.1]", 0, NULL },
	{ "<a@[IPv6:2001:db8::1::2]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[IPv6:]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[2001:db8::1]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[X:y]>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@[1.2.3.4].x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@-x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@x->", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@x.>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@.x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@x..y>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@x_y>", false, -EINVAL, NULL, NULL, 0, NULL },
	/* routes */
	{ "<@A:user@C>", false, 0, "user@C", "C", 1, NULL },
	{ "<@A,@B.c,@#3,@[1.2.3.4]:user@C>", false, 0, "user@C", "C", 4, NULL },
	{ "<@[IPv6:2001:db8::1],@B:user@C>", false, 0, "user@C", "C", 2, NULL },
	{ "<@A,B:user@C>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<@A @B:user@C>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<@A,:user@C>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<@:user@C>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<@A:>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<@A:@B:user@C>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<@A;user@C>", false, -EINVAL, NULL, NULL, 0, NULL },
	/* beyond ASCII */
	{ "<\xc3\xa9.\xe2\x82\xac@\xc3\xbc.de>", true, 0, "\xc3\xa9.\xe2\x82\xac@\xc3\xbc.de",
	  "\xc3\xbc.de", 0, NULL },
	{ "<\"\xf0\x9f\x93\xa0\"@x>", true, 0, "\"\xf0\x9f\x93\xa0\"@x", "x", 0, NULL },
	{ "<\xc3\xa9@x>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<a@\xc3\xbc.de>", false, -EINVAL, NULL, NULL, 0, NULL },
	{ "<\xc3@x>", true, -EINVAL, NULL, NULL, 0, NULL },
	{ "<\xc0\xaf@x>", true, -EINVAL, NULL, NULL, 0, NULL },
	{ "<\xed\xa0\x80@x>", true, -EINVAL, NULL, NULL, 0, NULL },
	{ "<\xff@x>", true, -EINVAL, NULL, NULL, 0, NULL },
};

static int parse(const char *bytes, size_t len, bool utf8, struct smtp_path *p, size_t *left)
{
	/* A copy of the right length, for the sanitizers to watch over. */
	_free_ char *copy = malloc(len ? len : 1);
	const char *text = copy;
	struct error e = { 0 };
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	*left = len;
	r = smtp_path_parse(&text, left, utf8, p, &e);
	assert_ptr_equal(text, copy + (len - *left));
	assert_int_equal(e.code, r);
	if (r < 0)
		assert_true(*left == len && e.text[0]);
	return r;
}

/* Each host of a route is found, and is one. */
static size_t hops(const char *path)
{
	const char *hop;
	size_t n, len;

	for (n = 0; (hop = smtp_path_hop(path, &len, &path)); n++)
		assert_true(smtp_domain_valid(hop, len, true));
	return n;
}

static void paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		size_t len = strlen(row->text), left;
		struct smtp_path p;
		int r = parse(row->text, len, row->utf8, &p, &left);

		if (r != row->r)
			fail_msg("%s: %d instead of %d", row->text, r, row->r);
		if (r < 0)
			continue;
		assert_string_equal(row->text + len - left, row->rest ? row->rest : "");
		assert_int_equal(strlen(p.text), len - left - 2);
		assert_memory_equal(p.text, row->text + 1, strlen(p.text));
		assert_string_equal(p.mailbox, row->mailbox);
		assert_int_equal(p.n_hops, row->hops);
		assert_ptr_equal(smtp_path_mailbox(p.text), p.mailbox);
		assert_int_equal(hops(p.text), row->hops);
		if (row->domain)
			assert_string_equal(p.domain, row->domain);
		else
			assert_null(p.domain);
	}
}

/* No beginning of a path is one, and no NUL goes into one. */
static void parts_of_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].text), left, path;
		struct smtp_path p;

		if (rows[i].r < 0)
			continue;
		path = len - (rows[i].rest ? strlen(rows[i].rest) : 0);
		for (size_t n = 0; n < path; n++)
			assert_int_equal(parse(rows[i].text, n, rows[i].utf8, &p, &left), -EINVAL);
		for (size_t n = 0; n < path; n++) {
			_free_ char *holed = strdup(rows[i].text);

			holed[n] = '\0';
			assert_int_equal(parse(holed, len, rows[i].utf8, &p, &left), -EINVAL);
		}
	}
}

static int parse_long(size_t local, size_t label, size_t hops)
{
	char text[600];
	struct smtp_path p;
	size_t n = 0, left;

	text[n++] = '<';
	for (size_t i = 0; i < hops; i++)
		n += sprintf(text + n, "%s@h", i ? "," : "");
	if (hops)
		text[n++] = ':';
	memset(text + n, 'u', local);
	n += local;
	text[n++] = '@';
	memset(text + n, 'd', label);
	n += label;
	text[n++] = '>';
	return parse(text, n, false, &p, &left);
}

static void sizes(void **state)
{
	(void)state;
	assert_int_equal(parse_long(64, 63, 0), 0);
	assert_int_equal(parse_long(1, 63, 0), 0);
	assert_int_equal(parse_long(1, 64, 0), -EINVAL);
	/* 256 with brackets and "@", and one more; the user has no limit of its own */
	assert_int_equal(parse_long(252, 1, 0), 0);
	assert_int_equal(parse_long(253, 1, 0), -EMSGSIZE);
	assert_int_equal(parse_long(252 - 3 * 83, 1, 83), 0);
	assert_int_equal(parse_long(253 - 3 * 83, 1, 83), -EMSGSIZE);
}

static void domains(void **state)
{
	(void)state;
	assert_true(smtp_domain_valid("a.b", 3, false));
	assert_true(smtp_domain_valid("[1.2.3.4]", 9, false));
	assert_false(smtp_domain_valid("", 0, false));
	assert_false(smtp_domain_valid("a b", 3, false));
	assert_false(smtp_domain_valid("a\0b", 3, false));
	assert_false(smtp_domain_valid("\xc3\xbc", 2, false));
	assert_true(smtp_domain_valid("\xc3\xbc", 2, true));
	assert_false(smtp_domain_valid("\xc3", 1, true));
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} texts[] = {
		{ "", true }, { "a", true }, { "\xc2\x80", true }, { "\xdf\xbf", true },
		{ "\xe0\xa0\x80", true }, { "\xed\x9f\xbf", true }, { "\xee\x80\x80", true },
		{ "\xf0\x90\x80\x80", true }, { "\xf4\x8f\xbf\xbf", true },
		{ "\x80", false }, { "\xc1\xbf", false }, { "\xe0\x9f\xbf", false },
		{ "\xed\xa0\x80", false }, { "\xf0\x8f\xbf\xbf", false },
		{ "\xf4\x90\x80\x80", false }, { "\xf5\x80\x80\x80", false }, { "\xc2", false },
		{ "\xc2" "a", false }, { "\xe2\x82", false }, { "\xf0\x9f\x93", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (smtp_utf8_valid(texts[i].text, strlen(texts[i].text)) != texts[i].valid)
			fail_msg("text %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),   cmocka_unit_test(parts_of_paths),
		cmocka_unit_test(sizes),   cmocka_unit_test(domains),
		cmocka_unit_test(utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
