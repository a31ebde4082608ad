// SPDX-License-Identifier: LGPL-2.1-or-later
/* The TIFF reader on real files, other images, broken files and bombs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/fax.h>

#include "page/tiff_read.h"
#include "page_aux.h"

static int read_file(const struct buffer *b, struct page_list *l, struct error *e)
{
	memset(e, 0, sizeof(*e));
	return tiff_read(b->data, b->len, NULL, l, e);
}

static void slurp(const char *path, struct buffer *b)
{
	FILE *f = fopen(path, "rb");
	char piece[65536];
	size_t n;

	assert_non_null(f);
	while ((n = fread(piece, 1, sizeof(piece), f)))
		assert_int_equal(buffer_append(b, piece, n), 0);
	fclose(f);
}

static void sample(const char *path, unsigned int *same, unsigned int *refused)
{
	_buffer_ struct buffer b = { 0 };
	struct page_list l = { 0 };
	struct t4_image want, got;
	struct error e;
	bool known = t4_image_load(path, &want);
	int r;

	slurp(path, &b);
	r = read_file(&b, &l, &e);
	if (r < 0) {
		print_message("# %s: %s\n", path, e.text);
		assert_true(strlen(e.text) > 10);
		assert_int_equal(l.n, 0);
		(*refused)++;
	} else if (known) {
		got = aux_decode(&l.pages[0]);
		if (!t4_image_equal(&got, &want))
			print_message("# %s: other pixels than libtiff's, %u damaged rows\n", path,
				      l.pages[0].rows_bad);
		else
			(*same)++;
		t4_image_free(&got);
	}
	if (known)
		t4_image_free(&want);
	page_list_clear(&l);
}

static void real_files_read_as_libtiff_reads_them(void **state)
{
	static const char *const kinds[] = { "pages", "tiff" };
	unsigned int same = 0, refused = 0, all = 0;

	for (size_t k = 0; k < 2; k++) {
		char **paths;
		u32 n = t4_samples(kinds[k], &paths);

		for (u32 i = 0; i < n; i++)
			sample(paths[i], &same, &refused);
		all += n;
		t4_samples_free(paths, n);
	}
	if (!all)
		skip();
	print_message("# %u files: %u as libtiff has them, %u refused\n", all, same, refused);
	assert_true(same >= all - 4);
}

/* --- images that are not fax coded --- */

/* A file that libtiff writes: rows of @bytes each from @data, in strips of 16 rows. */
static void make_tiff(struct buffer *b, uint32_t width, uint32_t rows, uint16_t bits,
		      uint16_t samples, uint16_t compression, uint16_t photometric,
		      const uint8_t *data, size_t bytes)
{
	int fd = memfd_create("test", 0);
	char path[64];
	TIFF *t;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	t = TIFFOpen(path, "w");
	assert_non_null(t);
	TIFFSetField(t, TIFFTAG_IMAGEWIDTH, width);
	TIFFSetField(t, TIFFTAG_IMAGELENGTH, rows);
	TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, bits);
	TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, samples);
	TIFFSetField(t, TIFFTAG_COMPRESSION, compression);
	TIFFSetField(t, TIFFTAG_PHOTOMETRIC, photometric);
	TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
	TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 16);
	TIFFSetField(t, TIFFTAG_XRESOLUTION, 200.0);
	TIFFSetField(t, TIFFTAG_YRESOLUTION, 100.0);
	for (uint32_t y = 0; y < rows; y++)
		assert_int_equal(TIFFWriteScanline(t, (void *)(data + y * bytes), y, 0), 1);
	TIFFClose(t);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	slurp(path, b);
	close(fd);
}

static void bilevel_images_keep_their_pixels(void **state)
{
	static const uint16_t compressions[] = {
		COMPRESSION_NONE, COMPRESSION_PACKBITS, COMPRESSION_LZW,
		COMPRESSION_ADOBE_DEFLATE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3,
		COMPRESSION_CCITTFAX4,
	};
	struct t4_image image = aux_scribble(1001, 77, 21);

	for (size_t i = 0; i < sizeof(compressions) / sizeof(*compressions); i++)
		for (uint16_t photometric = 0; photometric < 2; photometric++) {
			struct t4_image raw = t4_image_new(image.width, image.height), got;
			_buffer_ struct buffer b = { 0 };
			struct page_list l = { 0 };
			struct error e;

			for (size_t k = 0; k < image.stride * image.height; k++)
				raw.bits[k] = photometric ? ~image.bits[k] : image.bits[k];
			make_tiff(&b, image.width, image.height, 1, 1, compressions[i], photometric,
				  raw.bits, raw.stride);
			assert_int_equal(read_file(&b, &l, &e), 0);
			assert_int_equal(l.n, 1);
			assert_int_equal(l.pages[0].xres, 7874);
			assert_int_equal(l.pages[0].yres, 3937);
			got = aux_decode(&l.pages[0]);
			if (!t4_image_equal(&got, &image))
				fail_msg("compression %u, photometric %u", compressions[i],
					 photometric);
			t4_image_free(&raw);
			t4_image_free(&got);
			page_list_clear(&l);
		}
	t4_image_free(&image);
}

static double blackness(const struct t4_image *i, uint32_t from, uint32_t to)
{
	uint64_t black = 0;

	for (uint32_t y = 0; y < i->height; y++)
		for (uint32_t x = from; x < to; x++)
			black += i->bits[y * i->stride + x / 8] >> (7 - x % 8) & 1;
	return (double)black / ((double)i->height * (to - from));
}

static void grey_becomes_as_many_black_dots(void **state)
{
	static uint8_t grey[64 * 512], rgb[64 * 512 * 3];
	struct {
		uint16_t samples;
		const uint8_t *data;
		uint16_t photometric, compression;
	} cases[] = {
		{ 1, grey, PHOTOMETRIC_MINISBLACK, COMPRESSION_LZW },
		{ 3, rgb, PHOTOMETRIC_RGB, COMPRESSION_NONE },
	};

	for (size_t i = 0; i < sizeof(grey); i++) {
		grey[i] = i % 512 / 2;		/* black at the left, white at the right */
		memset(rgb + 3 * i, grey[i], 3);
	}
	for (size_t c = 0; c < 2; c++) {
		_buffer_ struct buffer b = { 0 };
		struct page_list l = { 0 };
		struct t4_image got;
		struct error e;

		make_tiff(&b, 512, 64, 8, cases[c].samples, cases[c].compression,
			  cases[c].photometric, cases[c].data, 512 * cases[c].samples);
		assert_int_equal(read_file(&b, &l, &e), 0);
		got = aux_decode(&l.pages[0]);
		assert_true(blackness(&got, 0, 8) > 0.95);
		assert_true(blackness(&got, 504, 512) < 0.05);
		for (uint32_t x = 0; x < 512; x += 64) {
			double want = 1 - (x + 32) / 512.0, is = blackness(&got, x, x + 64);

			assert_true(is > want - 0.04 && is < want + 0.04);
		}
		t4_image_free(&got);
		page_list_clear(&l);
	}
}

static void words_aligned_by_address_are_refused(void **state)
{
	struct t4_image image = aux_scribble(1001, 77, 21);
	_buffer_ struct buffer b = { 0 };
	struct page_list l = { 0 };
	struct error e;

	make_tiff(&b, image.width, image.height, 1, 1, COMPRESSION_CCITTRLEW, 0, image.bits,
		  image.stride);
	assert_int_equal(read_file(&b, &l, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "Compression 32771"));
	assert_int_equal(l.n, 0);
	t4_image_free(&image);
}

/* Noise takes more room coded than plain: it may not take all the memory there is. */
static void pages_coded_anew_are_bounded(void **state)
{
	struct tiff_limits limits = { .max_bytes = 4096 };
	static uint8_t noise[512 * 64];
	_buffer_ struct buffer b = { 0 };
	struct page_list l = { 0 };
	struct error e = { 0 };

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = i * 2654435761u >> 13;
	make_tiff(&b, 512, 64, 8, 1, COMPRESSION_LZW, PHOTOMETRIC_MINISBLACK, noise, 512);
	assert_int_equal(tiff_read(b.data, b.len, &limits, &l, &e), -EFBIG);
	assert_non_null(strstr(e.text, "more room"));
	assert_int_equal(l.n, 0);
	limits.max_bytes = 1 << 20;
	assert_int_equal(tiff_read(b.data, b.len, &limits, &l, &e), 0);
	page_list_clear(&l);
}

/* --- broken files: a sound one with one thing wrong --- */

static void put(struct buffer *b, size_t at, unsigned int bytes, uint32_t v)
{
	assert_true(at + bytes <= b->len);
	for (unsigned int i = 0; i < bytes; i++)
		b->data[at + i] = v >> 8 * i;
}

static uint32_t get(const struct buffer *b, size_t at, unsigned int bytes)
{
	uint32_t v = 0;

	for (unsigned int i = bytes; i--;)
		v = v << 8 | (uint8_t)b->data[at + i];
	return v;
}

static size_t find_tag(const struct buffer *b, size_t ifd, unsigned int tag)
{
	for (uint32_t i = 0; i < get(b, ifd, 2); i++)
		if (get(b, ifd + 2 + 12 * i, 2) == tag)
			return ifd + 2 + 12 * i;
	fail_msg("no tag %u", tag);
	return 0;
}

static void set_tag(struct buffer *b, unsigned int tag, uint32_t value)
{
	put(b, find_tag(b, 8, tag) + 8, 4, value);
}

static void remove_tag(struct buffer *b, unsigned int tag)
{
	size_t at = find_tag(b, 8, tag);

	/* A private tag that means nothing, in the place of the one sought. */
	put(b, at, 2, tag + 1 == 257 ? 255 : 40000 + tag);
}

static void broken_files_name_what_is_wrong(void **state)
{
	static const struct {
		unsigned int tag;
		uint32_t value;		/* ~0: the tag is missing */
		int error;
		const char *says;
	} cases[] = {
		{ 256, 0, -EBADMSG, "ImageWidth" },
		{ 256, 70000, -EFBIG, "ImageWidth" },
		{ 256, ~0u, -EBADMSG, "ImageWidth" },
		{ 257, 0, -EBADMSG, "ImageLength" },
		{ 257, 8000000, -EFBIG, "ImageLength" },
		{ 257, 0xfffffff0, -EBADMSG, "ImageLength" },
		{ 257, ~0u, -EBADMSG, "ImageLength" },
		{ 258, 64, -ENOTSUP, "BitsPerSample" },
		{ 277, 77, -ENOTSUP, "SamplesPerPixel" },
		{ 259, 9999, -ENOTSUP, "Compression" },
		{ 273, 0x7fffffff, -EBADMSG, "StripOffsets" },
		{ 273, ~0u, -EBADMSG, "StripOffsets" },
		{ 292, 2, -ENOTSUP, "T4Options" },
	};
	_buffer_ struct buffer sound = { 0 };

	aux_tiff_file(&sound, 2, TIFF_PROFILE_S, 60);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_buffer_ struct buffer b = { 0 };
		struct page_list l = { 0 };
		struct error e;
		int r;

		assert_int_equal(buffer_append(&b, sound.data, sound.len), 0);
		if (cases[i].value == ~0u)
			remove_tag(&b, cases[i].tag);
		else
			set_tag(&b, cases[i].tag, cases[i].value);
		r = read_file(&b, &l, &e);
		if (r != cases[i].error || !strstr(e.text, cases[i].says))
			fail_msg("tag %u: %d, %s", cases[i].tag, r, e.text);
		assert_int_equal(l.n, 0);
	}
}

static void deviations_are_survived(void **state)
{
	static const struct {
		unsigned int tag;
		uint32_t value;
	} cases[] = {
		{ 254, ~0u }, { 262, ~0u }, { 266, 7 }, { 277, ~0u }, { 278, ~0u },
		{ 278, 0xffffffff }, { 282, 0xfffffff0 }, { 282, ~0u }, { 296, 9 }, { 296, ~0u },
		{ 297, 0xffffffff }, { 297, ~0u },
	};
	_buffer_ struct buffer sound = { 0 };

	/* FillOrder 7 is read as 1, so that the code must be most significant bit first. */
	aux_tiff_file(&sound, 1, TIFF_PROFILE_F, 60);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct t4_image want = aux_scribble(1728, 60, 7), got;
		_buffer_ struct buffer b = { 0 };
		struct page_list l = { 0 };
		struct error e;

		assert_int_equal(buffer_append(&b, sound.data, sound.len), 0);
		if (cases[i].value == ~0u && cases[i].tag != 278 && cases[i].tag != 297)
			remove_tag(&b, cases[i].tag);
		else
			set_tag(&b, cases[i].tag, cases[i].value);
		if (read_file(&b, &l, &e) < 0)
			fail_msg("tag %u, value %u: %s", cases[i].tag, cases[i].value, e.text);
		got = aux_decode(&l.pages[0]);
		assert_true(t4_image_equal(&got, &want));
		assert_true(l.pages[0].xres >= 1000 && l.pages[0].yres >= 1000);
		t4_image_free(&want);
		t4_image_free(&got);
		page_list_clear(&l);
	}
}

static void foreign_byte_orders_are_read(void **state)
{
	_buffer_ struct buffer b = { 0 };
	struct page_list l = { 0 };
	struct error e;

	aux_tiff_file(&b, 1, TIFF_PROFILE_S, 60);
	assert_true(tiff_recognize(b.data, b.len));
	b.data[0] = b.data[1] = 'X';
	assert_int_equal(read_file(&b, &l, &e), 0);
	assert_int_equal(l.n, 1);
	b.data[2] = 43;
	assert_int_equal(read_file(&b, &l, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "not a TIFF"));
	assert_false(tiff_recognize(b.data, b.len));
	page_list_clear(&l);
}

/* The IFD moved to an odd offset behind the image. */
static void an_odd_directory_is_read(void **state)
{
	_buffer_ struct buffer b = { 0 };
	struct page_list l = { 0 };
	struct error e;
	size_t at;

	aux_tiff_file(&b, 1, TIFF_PROFILE_S, 60);
	at = b.len | 1;
	while (b.len < at)
		assert_int_equal(buffer_append(&b, "", 1), 0);
	assert_int_equal(buffer_reserve(&b, 400), 0);
	assert_int_equal(buffer_append(&b, b.data + 8, 2 + 12 * get(&b, 8, 2) + 4), 0);
	put(&b, 4, 4, at);
	assert_int_equal(read_file(&b, &l, &e), 0);
	assert_int_equal(l.n, 1);
	page_list_clear(&l);
}

static void a_file_cut_anywhere_is_an_error_or_damage(void **state)
{
	_buffer_ struct buffer whole = { 0 };

	aux_tiff_file(&whole, 2, TIFF_PROFILE_S, 40);
	for (size_t len = 0; len < whole.len; len += len < 420 ? 1 : 37) {
		struct page_list l = { 0 };
		struct error e = { 0 };
		int r = tiff_read(whole.data, len, NULL, &l, &e);

		if (r < 0) {
			assert_int_equal(l.n, 0);
			assert_true(strlen(e.text) > 10);
		} else {
			_bitmap_ struct bitmap b = { 0 };

			/* all directories are there, the last strip is short */
			assert_int_equal(l.n, 2);
			if (bitmap_decode(&b, &l.pages[1], &e) >= 0)
				assert_true(l.pages[1].rows_bad || len + 2 >= whole.len);
		}
		page_list_clear(&l);
	}
}

static void bombs_do_not_go_off(void **state)
{
	_buffer_ struct buffer b = { 0 }, loop = { 0 };
	struct page_list l = { 0 };
	struct error e;
	clock_t start = clock();

	/* 60,000 pages of 7 rows */
	assert_int_equal(buffer_append(&b, "II*\0\10\0\0\0", 8), 0);
	aux_tiff_file(&loop, 1, TIFF_PROFILE_S, 7);
	for (int i = 0; i < 60000; i++) {
		size_t at = b.len, n = loop.len - 8, next = 8 + 2 + 12 * 16;

		assert_int_equal(buffer_append(&b, loop.data + 8, n), 0);
		put(&b, at + next - 8, 4, b.len);
		/* values stand where the first page's do: in the file's first hundred bytes */
	}
	assert_int_equal(read_file(&b, &l, &e), -EFBIG);
	assert_non_null(strstr(e.text, "more than 500 pages"));
	assert_int_equal(l.n, 0);
	/* a directory that names itself as the next: its page is there, once */
	put(&loop, 8 + 2 + 12 * 16, 4, 8);
	assert_int_equal(read_file(&loop, &l, &e), 0);
	assert_int_equal(l.n, 1);
	page_list_clear(&l);
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
}

static void limits_and_deadline_hold(void **state)
{
	_buffer_ struct buffer b = { 0 };
	struct page_list l = { 0 };
	struct error e;

	aux_tiff_file(&b, 3, TIFF_PROFILE_S, 60);
	assert_int_equal(tiff_read(b.data, b.len, &(struct tiff_limits){ .max_pages = 2 }, &l, &e),
			 -EFBIG);
	assert_int_equal(tiff_read(b.data, b.len, &(struct tiff_limits){ .max_rows = 59 }, &l, &e),
			 -EFBIG);
	assert_int_equal(tiff_read(b.data, b.len, &(struct tiff_limits){ .max_pixels = 1728 * 59 },
				   &l, &e), -EFBIG);
	assert_int_equal(tiff_read(b.data, b.len, &(struct tiff_limits){ .deadline = 1 }, &l, &e),
			 -ETIMEDOUT);
	assert_int_equal(l.n, 0);
	assert_int_equal(tiff_read(b.data, b.len, &(struct tiff_limits){ .max_pages = 3 }, &l, &e),
			 0);
	assert_int_equal(l.n, 3);
	page_list_clear(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_files_read_as_libtiff_reads_them),
		cmocka_unit_test(bilevel_images_keep_their_pixels),
		cmocka_unit_test(words_aligned_by_address_are_refused),
		cmocka_unit_test(pages_coded_anew_are_bounded),
		cmocka_unit_test(grey_becomes_as_many_black_dots),
		cmocka_unit_test(broken_files_name_what_is_wrong),
		cmocka_unit_test(deviations_are_survived),
		cmocka_unit_test(foreign_byte_orders_are_read),
		cmocka_unit_test(an_odd_directory_is_read),
		cmocka_unit_test(a_file_cut_anywhere_is_an_error_or_damage),
		cmocka_unit_test(bombs_do_not_go_off),
		cmocka_unit_test(limits_and_deadline_hold),
	};

	aux_tiff_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
