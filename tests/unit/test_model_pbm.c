// SPDX-License-Identifier: LGPL-2.1-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "../../kernel/model/pbm.h"

#define IMG(text) { text, sizeof(text) - 1 }

static void good(void **state)
{
	static const struct {
		struct { const char *data; size_t len; } in;
		s64 bytes;
		u32 width;
		u32 rows;
		u8 first;
	} cases[] = {
		{ IMG("P4\n8 2\n\x11\x22"), 9, 8, 2, 0x11 },
		{ IMG("P4 9 1 \x80\x01"), 9, 9, 1, 0x80 },
		{ IMG("P4\n# a page\n8 # wide\n1\n1"), 24, 8, 1, '1' },
		{ IMG("P4\r\n8\t1\n\n"), 9, 8, 1, '\n' },
		{ IMG("P4\n8 1\n\xff" "P4\n8 1\n\x01"), 8, 8, 1, 0xff },
		{ IMG("P4\n16384 1\n"), -ENODATA, 0, 0, 0 },
	};
	struct pbm_image image;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(pbm_parse(cases[i].in.data, cases[i].in.len, &image),
				 cases[i].bytes);
		if (cases[i].bytes < 0)
			continue;
		assert_int_equal(image.width, cases[i].width);
		assert_int_equal(image.rows, cases[i].rows);
		assert_int_equal(image.pixels[0], cases[i].first);
	}
	assert_int_equal(pbm_parse("", 0, &image), 0);
}

static void bad(void **state)
{
	static const struct {
		struct { const char *data; size_t len; } in;
		s64 error;
	} cases[] = {
		{ IMG("P"), -ENODATA },
		{ IMG("P4"), -ENODATA },
		{ IMG("P1\n8 1\n1"), -EINVAL },
		{ IMG("X4\n8 1\n1"), -EINVAL },
		{ IMG("P48 1\n1"), -EINVAL },
		{ IMG("P4\n0 1\n1"), -EINVAL },
		{ IMG("P4\n8 0\n1"), -EINVAL },
		{ IMG("P4\n-8 1\n1"), -EINVAL },
		{ IMG("P4\n8x1\n1"), -EINVAL },
		{ IMG("P4\n8 1x1"), -EINVAL },
		{ IMG("P4\n8"), -ENODATA },
		{ IMG("P4\n8 1"), -ENODATA },
		{ IMG("P4\n8 1\n"), -ENODATA },
		{ IMG("P4\n9 2\n123"), -ENODATA },
		{ IMG("P4\n16385 1\n1"), -EFBIG },
		{ IMG("P4\n8 65536\n1"), -EFBIG },
		{ IMG("P4\n99999999999999999999 1\n1"), -EFBIG },
		{ IMG("P4\n4294967304 1\n1"), -EFBIG },
		{ IMG("P4\n#no end of a comment"), -ENODATA },
	};
	struct pbm_image image;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (pbm_parse(cases[i].in.data, cases[i].in.len, &image) != cases[i].error)
			fail_msg("case %zu: %.12s", i, cases[i].in.data);
}

/* What is written can be read, at every length short of all of it cut. */
static void round_trip(void **state)
{
	char data[PBM_HEADER_MAX + 6] = { 0 };
	struct pbm_image image;
	u32 n = pbm_header(data, 17, 2);

	assert_string_equal(data, "P4\n17 2\n");
	assert_int_equal(pbm_parse(data, n + 6, &image), n + 6);
	assert_int_equal(image.width, 17);
	for (u32 i = 1; i < n + 6; i++)
		assert_int_equal(pbm_parse(data, i, &image), -ENODATA);
	assert_int_equal(pbm_header(data, 16384, 65535), strlen("P4\n16384 65535\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests_name("model_pbm", tests, NULL, NULL);
}
