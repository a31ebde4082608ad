// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rows of RFC 4180: every way to write them, and every way to get them wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "ctl/csv.h"

/* All rows as "a|b;c|d;", or the sentence; the buffer ends where the text does. */
static void expect(const char *text, size_t len, const char *want)
{
	_buffer_ struct buffer got = { 0 };
	char *copy = malloc(len + 1);
	struct csv_row row;
	struct error e;
	struct csv c;
	int r;

	assert_non_null(copy);
	memcpy(copy, text, len);
	copy[len] = '\0';
	csv_begin(&c, copy, len);
	while ((r = csv_read(&c, &row, &e)) > 0)
		for (size_t i = 0; i < row.n; i++)
			assert_true(buffer_printf(&got, "%s%s", row.fields[i],
						  i + 1 < row.n ? "|" : ";") >= 0);
	if (r < 0) {
		assert_int_equal(r, -EINVAL);
		assert_true(buffer_printf(&got, "%s", e.text) >= 0);
	}
	assert_string_equal(got.data ? got.data : "", want);
	free(copy);
}

#define EXPECT(text, want) expect(text, sizeof(text) - 1, want)

static void rows_are_read(void **state)
{
	EXPECT("", "");
	EXPECT("a", "a;");
	EXPECT("a,b\nc,d\n", "a|b;c|d;");
	EXPECT("a,b\r\nc,d\r\n", "a|b;c|d;");
	EXPECT("a,b\r\nc,d", "a|b;c|d;");
	EXPECT("a,\n,b\n,\n", "a|;|b;|;");
	EXPECT("a,", "a|;");
	EXPECT("\n\r\na\n\n\nb\n\n", "a;b;");
	EXPECT("\xef\xbb\xbf" "a,b\n", "a|b;");
	EXPECT("a\r,b\n", "a\r|b;");
	EXPECT(" a , b \n", " a | b ;");
}

static void quotation_marks_are_read(void **state)
{
	EXPECT("\"a\",\"b\"\n\"c\"", "a|b;c;");
	EXPECT("\"a,b\",\"c\"\"d\"\n", "a,b|c\"d;");
	EXPECT("\"a\nb\",c\r\nd,e\n", "a\nb|c;d|e;");
	EXPECT("\"\",\"\"\"\"\n", "|\";");
	EXPECT("\"a\"\r\n\"b\"\r\n", "a;b;");
}

static void what_is_wrong_has_its_place(void **state)
{
	EXPECT("a,\"b", "line 1, column 2: the closing quotation mark is missing");
	EXPECT("a\n\"b\n\n\n", "a;line 2, column 1: the closing quotation mark is missing");
	EXPECT("a\n\"b\nc\",d,e\"f", "a;line 3, column 3: a field with quotation marks must stand "
	       "in them");
	EXPECT("\"a\"b,c", "line 1, column 1: more text follows the closing quotation mark");
	EXPECT("\"a\"\rb,c", "line 1, column 1: a line ends in the midst of it");
	EXPECT("\"", "line 1, column 1: the closing quotation mark is missing");
}

static void too_many_columns(void **state)
{
	char text[2 * CSV_FIELDS_MAX + 2];
	struct csv_row row;
	struct error e;
	struct csv c;

	memset(text, ',', sizeof(text));
	text[CSV_FIELDS_MAX - 1] = '\0';
	csv_begin(&c, text, CSV_FIELDS_MAX - 1);
	assert_int_equal(csv_read(&c, &row, &e), 1);
	assert_int_equal(row.n, CSV_FIELDS_MAX);
	memset(text, ',', sizeof(text));
	text[CSV_FIELDS_MAX] = '\0';
	csv_begin(&c, text, CSV_FIELDS_MAX);
	assert_int_equal(csv_read(&c, &row, &e), -EINVAL);
}

/* What is written is read again as it was. */
static void writing_is_read_again(void **state)
{
	static const char *const values[] = { "", "a", "a,b", "\"", "say \"hi\"", "a\nb", "a\r\nb",
					      "\xc3\xbc", " a " };
	_buffer_ struct buffer b = { 0 };
	struct csv_row row;
	struct error e;
	struct csv c;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_true(csv_append(&b, values[i], !i) >= 0);
	csv_begin(&c, b.data, b.len);
	assert_int_equal(csv_read(&c, &row, &e), 1);
	assert_int_equal(row.n, ARRAY_SIZE(values));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_string_equal(row.fields[i], values[i]);
	assert_int_equal(csv_read(&c, &row, &e), 0);
}

/* Anything at all ends, within its bytes. */
static void any_text(void **state)
{
	static const char signs[] = "a,\"\r\n";
	char text[24];
	struct csv_row row;
	struct error e;
	struct csv c;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		size_t n = (size_t)rand() % sizeof(text);
		char *copy = malloc(n + 1);

		assert_non_null(copy);
		for (size_t k = 0; k < n; k++)
			copy[k] = signs[rand() % 5];
		copy[n] = '\0';
		csv_begin(&c, copy, n);
		while (csv_read(&c, &row, &e) > 0)
			for (size_t k = 0; k < row.n; k++)
				assert_true(row.fields[k] + strlen(row.fields[k]) <= copy + n);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_read),
		cmocka_unit_test(quotation_marks_are_read),
		cmocka_unit_test(what_is_wrong_has_its_place),
		cmocka_unit_test(too_many_columns),
		cmocka_unit_test(writing_is_read_again),
		cmocka_unit_test(any_text),
	};

	return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
