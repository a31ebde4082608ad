// SPDX-License-Identifier: LGPL-2.1-or-later
/* Strips of real fax TIFFs: where libtiff reads one without complaint, we read the same pixels. */
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

static struct t4_strip describe(TIFF *tif)
{
	struct t4_strip how = { .y_res = 196 };
	u16 fill_order = FILLORDER_MSB2LSB;

	TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &how.width);
	TIFFGetField(tif, TIFFTAG_COMPRESSION, &how.compression);
	TIFFGetField(tif, TIFFTAG_GROUP3OPTIONS, &how.options);
	TIFFGetField(tif, TIFFTAG_FILLORDER, &fill_order);
	how.lsb_first = fill_order == FILLORDER_LSB2MSB;
	return how;
}

/* Returns whether libtiff had nothing to say against the strip. */
static bool assert_strip_as_libtiff(TIFF *tif, u32 strip, struct t4_strip how)
{
	struct t4_params p = t4_params_of(&how);
	struct t4_bytes coded = { .len = (size_t)TIFFRawStripSize64(tif, strip) };
	struct t4_image theirs, ours = t4_image_new(how.width, how.height);
	struct t4_damage damage;
	bool clean;

	coded.data = malloc(coded.len + 1);
	assert_int_equal(TIFFReadRawStrip(tif, strip, coded.data, (tmsize_t)coded.len), coded.len);
	clean = t4_libtiff_decode(coded, &how, &theirs);
	t4_our_decode(coded, &p, 0, &ours, &damage);
	if (clean) {
		assert_int_equal(damage.rows_bad, 0);
		assert_true(t4_image_equal(&theirs, &ours));
	} else {
		/* what lies before the damage is the same nevertheless */
		assert_int_not_equal(how.compression, COMPRESSION_CCITTFAX3);
		assert_in_range(damage.rows, 1, how.height - 1);
		assert_memory_equal(theirs.bits, ours.bits, damage.rows * ours.stride);
		print_message("# strip %u: libtiff complains; we: %u of %u rows, %u bad\n", strip,
			      damage.rows, how.height, damage.rows_bad);
	}
	free(coded.data);
	t4_image_free(&theirs);
	t4_image_free(&ours);
	return clean;
}

static void assert_file_as_libtiff(const char *path)
{
	TIFF *tif = TIFFOpen(path, "r");
	u32 strip, strips, height = 0, rows = 0, clean = 0;
	struct t4_strip how;

	assert_non_null(tif);
	how = describe(tif);
	TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &height);
	TIFFGetFieldDefaulted(tif, TIFFTAG_ROWSPERSTRIP, &rows);
	if (rows > height)
		rows = height;
	strips = TIFFNumberOfStrips(tif);
	for (strip = 0; strip < strips; strip++) {
		how.height = strip + 1 < strips ? rows : height - rows * strip;
		clean += assert_strip_as_libtiff(tif, strip, how);
	}
	print_message("# %s: %u of %u strips clean\n", path, clean, strips);
	TIFFClose(tif);
}

static void samples_as_libtiff(void **state)
{
	char **paths;
	u32 n = t4_samples("tiff", &paths), i;

	if (!n)
		skip();
	TIFFSetWarningHandler(NULL);
	for (i = 0; i < n; i++)
		assert_file_as_libtiff(paths[i]);
	t4_samples_free(paths, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_as_libtiff),
	};

	return t4_run_tests("t4 samples", tests);
}
