// SPDX-License-Identifier: LGPL-2.1-or-later
/* The coder against libtiff, both ways, on every sample page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <tiffio.h>
#include "t4_aux.h"
#include "t4_variants.h"

static const struct t4_strip codings[] = {
	{ .compression = COMPRESSION_CCITTRLE },
	{ .compression = COMPRESSION_CCITTFAX3 },
	{ .compression = COMPRESSION_CCITTFAX3, .options = GROUP3OPT_FILLBITS },
	{ .compression = COMPRESSION_CCITTFAX3, .lsb_first = true },
	{ .compression = COMPRESSION_CCITTFAX3, .options = GROUP3OPT_2DENCODING, .y_res = 98 },
	{ .compression = COMPRESSION_CCITTFAX3, .options = GROUP3OPT_2DENCODING, .y_res = 196 },
	{ .compression = COMPRESSION_CCITTFAX3, .y_res = 196,
	  .options = GROUP3OPT_2DENCODING | GROUP3OPT_FILLBITS },
	{ .compression = COMPRESSION_CCITTFAX4 },
	{ .compression = COMPRESSION_CCITTFAX4, .lsb_first = true },
};

static void assert_same_as_libtiff(const struct t4_image *page, struct t4_strip how)
{
	struct t4_params p;
	struct t4_bytes theirs, ours;
	struct t4_image back = t4_image_new(page->width, page->height);
	struct t4_damage damage;

	how.width = page->width;
	how.height = page->height;
	p = t4_params_of(&how);
	theirs = t4_libtiff_encode(page, &how);
	ours = t4_our_encode(page, &p, 0);
	assert_int_equal(ours.len, theirs.len);
	assert_memory_equal(ours.data, theirs.data, ours.len);

	assert_int_equal(t4_our_decode(theirs, &p, 0, &back, &damage), T4_DONE);
	assert_int_equal(damage.rows, page->height);
	assert_int_equal(damage.rows_bad, 0);
	assert_int_equal(damage.flags & T4_D_SHORT, 0);
	assert_true(t4_image_equal(page, &back));
	t4_image_free(&back);
	free(theirs.data);
	free(ours.data);
}

static void pages_as_libtiff(void **state)
{
	char **paths;
	u32 n = t4_samples("pages", &paths), i, c;
	struct t4_image page;

	if (!n)
		skip();
	for (i = 0; i < n; i++) {
		assert_true(t4_image_load(paths[i], &page));
		for (c = 0; c < sizeof(codings) / sizeof(codings[0]); c++) {
			printf("# %s, coding %u\n", paths[i], c);
			assert_same_as_libtiff(&page, codings[c]);
		}
		t4_image_free(&page);
	}
	t4_samples_free(paths, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_as_libtiff),
	};

	return t4_run_tests("t4 pages", tests);
}
