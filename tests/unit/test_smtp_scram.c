/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "smtp/scram.h"

/*
 * RFC 7677 3: user "user", password "pencil". The keys are derived from its salt and
 * rounds; its exchange's ServerSignature and ClientProof are what they yield there.
 */
static const char rfc7677[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
			      "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
			      "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

static void the_standard_s_example(void **state)
{
	struct scram_verifier v;
	char text[SCRAM_TEXT_MAX];

	(void)state;
	assert_int_equal(scram_verifier_parse(rfc7677, &v), 0);
	assert_int_equal(v.iterations, 4096);
	assert_true(scram_verifier_check(&v, "pencil"));
	assert_false(scram_verifier_check(&v, "Pencil"));
	assert_false(scram_verifier_check(&v, "pencil "));
	assert_false(scram_verifier_check(&v, ""));
	assert_false(scram_verifier_check(NULL, "pencil"));
	scram_verifier_format(&v, text);
	assert_string_equal(text, rfc7677);
}

static void make_and_check(void **state)
{
	static const char *const passwords[] = {
		"x", "correct horse battery staple", "p\xc3\xa4sswort", "\xe3\x83\x91\xe3\x82\xb9",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(passwords); i++) {
		struct scram_verifier a, b, back;
		char text[SCRAM_TEXT_MAX];
		struct error e;

		assert_int_equal(scram_verifier_make(passwords[i], &a, &e), 0);
		assert_int_equal(scram_verifier_make(passwords[i], &b, &e), 0);
		assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT);
		assert_memory_not_equal(a.stored_key, b.stored_key, SCRAM_KEY);
		assert_true(scram_verifier_check(&a, passwords[i]));
		assert_true(scram_verifier_check(&b, passwords[i]));
		scram_verifier_format(&a, text);
		assert_int_equal(scram_verifier_parse(text, &back), 0);
		assert_true(scram_verifier_check(&back, passwords[i]));
		for (size_t k = 0; k < ARRAY_SIZE(passwords); k++)
			assert_int_equal(scram_verifier_check(&a, passwords[k]), i == k);
		a.stored_key[31] ^= 1;
		assert_false(scram_verifier_check(&a, passwords[i]));
	}
}

/* RFC 4013: what looks alike is alike, what cannot be typed is refused. */
static void prepared(void **state)
{
	struct scram_verifier v;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(scram_verifier_make("I\xc2\xadX", &v, &e), 0);
	assert_true(scram_verifier_check(&v, "IX"));
	assert_true(scram_verifier_check(&v, "\xe2\x85\xa8"));
	assert_int_equal(scram_verifier_make("", &v, &e), -EINVAL);
	assert_int_equal(scram_verifier_make("\x07", &v, &e), -EINVAL);
	assert_int_equal(scram_verifier_make("\xff", &v, &e), -EINVAL);
	assert_int_equal(scram_verifier_make("\xc2\xad", &v, &e), -EINVAL);
	assert_true(e.text[0]);
	assert_false(scram_verifier_check(&v, "\xff"));
}

static void what_is_no_verifier(void **state)
{
	static const char *const bad[] = {
		"", "SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$", "SCRAM-SHA-256$",
		"SCRAM-SHA-256$4095:", "SCRAM-SHA-256$1000001:", "SCRAM-SHA-256$-4096:",
		"SCRAM-SHA-256$ 4096:", "SCRAM-SHA-256$99999999999999999999:",
	};
	struct scram_verifier v;
	char text[sizeof(rfc7677) + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "%s", bad[i]);
		assert_int_equal(scram_verifier_parse(text, &v), -EINVAL);
		/* Nor with the rest of a good one behind it. */
		if (strchr(bad[i], ':') && strlen(bad[i]) < 30) {
			_free_ char *all = NULL;

			assert_true(asprintf(&all, "%s%s", bad[i], strchr(rfc7677, ':') + 1) > 0);
			assert_int_equal(scram_verifier_parse(all, &v), -EINVAL);
		}
	}
	for (size_t n = 0; n < sizeof(rfc7677) - 1; n++) {
		memcpy(text, rfc7677, sizeof(rfc7677));
		text[n] = '\0';
		assert_int_equal(scram_verifier_parse(text, &v), -EINVAL);
		memcpy(text, rfc7677, sizeof(rfc7677));
		text[n] = '*';
		assert_int_equal(scram_verifier_parse(text, &v), -EINVAL);
	}
	snprintf(text, sizeof(text), "%sA", rfc7677);
	assert_int_equal(scram_verifier_parse(text, &v), -EINVAL);
}

/* Asking twice for a user that there is not gives the same salt, as for one that there is. */
static void decoys(void **state)
{
	struct scram_verifier a, b, c;

	(void)state;
	assert_int_equal(scram_verifier_decoy("joe", &a), 0);
	assert_int_equal(scram_verifier_decoy("joe", &b), 0);
	assert_int_equal(scram_verifier_decoy("jim", &c), 0);
	assert_memory_equal(a.salt, b.salt, SCRAM_SALT);
	assert_memory_not_equal(a.salt, c.salt, SCRAM_SALT);
	assert_memory_not_equal(a.stored_key, b.stored_key, SCRAM_KEY);
	assert_int_equal(a.iterations, SCRAM_ITERATIONS);
}

static double cost(const struct scram_verifier *v)
{
	struct timespec from, to;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (int i = 0; i < 20; i++)
		assert_false(scram_verifier_check(v, "wrong"));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	return (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Nobody's password takes as long to be wrong: within a factor of two, on a busy machine. */
static void nobody_costs_the_same(void **state)
{
	struct scram_verifier v;
	double somebody, nobody;

	(void)state;
	assert_int_equal(scram_verifier_make("right", &v, NULL), 0);
	somebody = cost(&v);
	nobody = cost(NULL);
	assert_true(nobody > somebody / 2 && nobody < somebody * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standard_s_example), cmocka_unit_test(make_and_check),
		cmocka_unit_test(prepared),		  cmocka_unit_test(what_is_no_verifier),
		cmocka_unit_test(decoys),		  cmocka_unit_test(nobody_costs_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
