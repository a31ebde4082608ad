/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLSPolicy=: which word counts for which domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "service/tls_policy.h"

#define OTHERWISE NET_TLS_IMPLICIT

static void the_closest_counts(void **state)
{
	static const char words[] = "  .test:none example.test:may .example.test:ENCRYPT\t"
				    "Mail.Example.Test:verify example.test:none "
				    "[192.0.2.1]:verify [IPv6:2001:db8::1]:encrypt ";
	static const struct {
		const char *domain;
		enum net_tls tls;
	} cases[] = {
		{ "example.test", NET_TLS_OPPORTUNISTIC },	/* the first of two */
		{ "EXAMPLE.TEST", NET_TLS_OPPORTUNISTIC },
		{ "a.example.test", NET_TLS_ENCRYPTED },
		{ "b.a.example.test", NET_TLS_ENCRYPTED },
		{ "mail.example.test", NET_TLS_REQUIRED },
		{ "a.mail.example.test", NET_TLS_ENCRYPTED },
		{ "notexample.test", NET_TLS_NONE },
		{ "test", OTHERWISE },
		{ "example.test.org", OTHERWISE },
		{ "", OTHERWISE },
		{ "[192.0.2.1]", NET_TLS_REQUIRED },
		{ "[192.0.2.10]", OTHERWISE },
		{ "[IPv6:2001:db8::1]", NET_TLS_ENCRYPTED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (tls_policy_of(words, cases[i].domain, OTHERWISE) != cases[i].tls)
			fail_msg("%s", cases[i].domain);
	assert_int_equal(tls_policy_of(NULL, "example.test", OTHERWISE), OTHERWISE);
	assert_int_equal(tls_policy_of("", "example.test", OTHERWISE), OTHERWISE);
}

static void words(void **state)
{
	static const char *const good[] = {
		"a:may", "a.b-c_d.test:verify", ".test:encrypt", "[::1]:none", "[1.2.3.4]:May",
	};
	static const char *const wrong[] = {
		"", ":", "a", "a:", ":may", ".:may", "a:mayb", "a:ma", "a/b:may", "[:may", "[]:may",
		"[1.2:may", "a]:may", "a:may:", "a:b:may", "*:may",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!tls_policy_is_word(good[i]))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (tls_policy_is_word(wrong[i]))
			fail_msg("%s", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_closest_counts),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
