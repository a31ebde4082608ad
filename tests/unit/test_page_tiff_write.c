// SPDX-License-Identifier: LGPL-2.1-or-later
/* The TIFF-FX writer, read back byte by byte and by libtiff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/fax.h>

#include "page_aux.h"

static uint32_t le(const struct buffer *b, size_t at, unsigned int bytes)
{
	uint32_t v = 0;

	assert_true(at + bytes <= b->len);
	while (bytes--)
		v = v << 8 | (uint8_t)b->data[at + bytes];
	return v;
}

/* Entry of @tag in the IFD at @ifd: its place in the file, 0 = there is none. */
static size_t entry(const struct buffer *b, size_t ifd, unsigned int tag)
{
	unsigned int n = le(b, ifd, 2), last = 0;
	size_t found = 0;

	for (unsigned int i = 0; i < n; i++) {
		size_t at = ifd + 2 + 12 * i;

		assert_true(le(b, at, 2) > last);
		last = le(b, at, 2);
		if (last == tag)
			found = at;
	}
	return found;
}

static uint32_t value(const struct buffer *b, size_t ifd, unsigned int tag)
{
	size_t at = entry(b, ifd, tag);

	assert_true(at);
	switch (le(b, at + 2, 2)) {
	case 3:
		return le(b, at + 8, 2);
	case 5:
		at = le(b, at + 8, 4);
		return le(b, at, 4) / le(b, at + 4, 4);
	default:
		return le(b, at + 8, 4);
	}
}

static size_t nth_ifd(const struct buffer *b, unsigned int n)
{
	size_t ifd = le(b, 4, 4);

	while (n--)
		ifd = le(b, ifd + 2 + 12 * le(b, ifd, 2), 4);
	return ifd;
}

/* The file's strip is the very bytes of the page's, and libtiff sees the image in it. */
static void check_page(struct buffer *b, unsigned int n, const struct page *p,
		       const struct t4_image *image)
{
	struct aux_file f = { (uint8_t *)b->data, b->len, 0 };
	size_t ifd = nth_ifd(b, n);
	struct t4_image seen;
	TIFF *t;

	assert_int_equal(ifd % 2, 0);
	assert_int_equal(value(b, ifd, 279), p->strips[0].len);
	assert_memory_equal(b->data + value(b, ifd, 273), p->strips[0].data, p->strips[0].len);
	aux_tiff_complaints = 0;
	t = aux_tiff_open(&f);
	assert_non_null(t);
	seen = aux_tiff_image(t, n);
	assert_int_equal(aux_tiff_complaints, 0);
	assert_true(t4_image_equal(&seen, image));
	t4_image_free(&seen);
	TIFFClose(t);
}

static void profile_s_is_the_minimal_file(void **state)
{
	struct t4_image image = aux_scribble(1728, 300, 5);
	uint32_t flags = tiff_coding_flags(TIFF_PROFILE_S, FAX_ENC_MH);
	struct page_list l = { 0 };
	_buffer_ struct buffer b = { 0 };
	struct error e;
	size_t ifd;

	for (int i = 0; i < 2; i++)
		aux_add_page(&l, &image, FAX_ENC_MH, flags, FAX_RES_8_MM, FAX_RES_7_7_MM);
	assert_int_equal(tiff_write(&l, TIFF_PROFILE_S, &b, &e), 0);
	assert_memory_equal(b.data, "II*\0\10\0\0\0", 8);
	for (int i = 0; i < 2; i++) {
		ifd = nth_ifd(&b, i);
		assert_int_equal(value(&b, ifd, 254), 2);
		assert_int_equal(value(&b, ifd, 256), 1728);
		assert_int_equal(value(&b, ifd, 257), 300);
		assert_int_equal(value(&b, ifd, 258), 1);
		assert_int_equal(value(&b, ifd, 259), 3);
		assert_int_equal(value(&b, ifd, 262), 0);
		assert_int_equal(value(&b, ifd, 266), 2);
		assert_int_equal(value(&b, ifd, 277), 1);
		assert_int_equal(value(&b, ifd, 278), 300);
		assert_int_equal(value(&b, ifd, 282), 204);
		assert_int_equal(value(&b, ifd, 283), 196);
		assert_int_equal(value(&b, ifd, 292), 0);
		assert_int_equal(value(&b, ifd, 296), 2);
		assert_int_equal(le(&b, entry(&b, ifd, 297) + 8, 2), i);
		assert_int_equal(le(&b, entry(&b, ifd, 297) + 10, 2), 2);
		/* the strip lies behind its IFD, the next IFD behind the strip */
		assert_true(value(&b, ifd, 273) > ifd);
		check_page(&b, i, &l.pages[i], &image);
	}
	assert_true(nth_ifd(&b, 1) >= value(&b, 8, 273) + value(&b, 8, 279));
	assert_int_equal(nth_ifd(&b, 2), 0);
	page_list_clear(&l);
	t4_image_free(&image);
}

static void profile_f_takes_every_coding(void **state)
{
	static const struct {
		uint32_t encoding, flags, xres, yres, dpi_x, dpi_y, options;
	} cases[] = {
		{ FAX_ENC_MH, FAX_FMT_EOL, 8000, 3850, 204, 98, 0 },
		{ FAX_ENC_MH, FAX_FMT_EOL | FAX_FMT_EOL_ALIGN, 8000, 15400, 204, 391, 4 },
		{ FAX_ENC_MR, FAX_FMT_EOL, 16000, 15400, 408, 391, 1 },
		{ FAX_ENC_MR, FAX_FMT_EOL | FAX_FMT_EOL_ALIGN, 8000, 7700, 204, 196, 5 },
		{ FAX_ENC_MMR, FAX_FMT_END, 11811, 11811, 300, 300, 0 },
		{ FAX_ENC_MMR, FAX_FMT_LSB_FIRST, 23622, 23622, 600, 600, 0 },
	};
	struct t4_image image = aux_scribble(2431, 99, 9);
	struct page_list l = { 0 };
	_buffer_ struct buffer b = { 0 };
	struct error e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		aux_add_page(&l, &image, cases[i].encoding, cases[i].flags, cases[i].xres,
			     cases[i].yres);
	assert_int_equal(tiff_write(&l, TIFF_PROFILE_F, &b, &e), 0);
	for (size_t i = 0; i < l.n; i++) {
		size_t ifd = nth_ifd(&b, i);

		assert_int_equal(value(&b, ifd, 282), cases[i].dpi_x);
		assert_int_equal(value(&b, ifd, 283), cases[i].dpi_y);
		if (cases[i].encoding == FAX_ENC_MMR)
			assert_int_equal(value(&b, ifd, 293), cases[i].options);
		else
			assert_int_equal(value(&b, ifd, 292), cases[i].options);
		check_page(&b, i, &l.pages[i], &image);
	}
	page_list_clear(&l);
	t4_image_free(&image);
}

static void several_strips_keep_their_bytes(void **state)
{
	struct t4_image image = aux_scribble(1728, 250, 3);
	struct page_list parts = { 0 }, l = { 0 };
	_buffer_ struct buffer b = { 0 };
	struct page *p = page_list_add(&l);
	struct aux_file f;
	struct t4_image seen;
	struct error e;
	TIFF *t;

	*p = (struct page){ .width = 1728, .rows = 250, .xres = 8000, .yres = 7700, .nstrips = 3 };
	p->strips = calloc(3, sizeof(*p->strips));
	for (uint32_t i = 0; i < 3; i++) {
		struct t4_image part = { 1728, i < 2 ? 100 : 50, image.stride,
					 image.bits + i * 100 * image.stride };

		aux_add_page(&parts, &part, FAX_ENC_MMR, FAX_FMT_END, 8000, 7700);
		p->strips[i] = parts.pages[i].strips[0];
	}
	assert_int_equal(tiff_write(&l, TIFF_PROFILE_F, &b, &e), 0);
	f = (struct aux_file){ (uint8_t *)b.data, b.len, 0 };
	t = aux_tiff_open(&f);
	seen = aux_tiff_image(t, 0);
	assert_true(t4_image_equal(&seen, &image));
	TIFFClose(t);
	t4_image_free(&seen);
	/* profile S has one strip only */
	assert_int_equal(tiff_write(&l, TIFF_PROFILE_S, &b, &e), -EINVAL);
	page_list_clear(&l);
	page_list_clear(&parts);
	t4_image_free(&image);
}

static void real_pages_go_through(void **state)
{
	static const uint32_t encodings[] = { FAX_ENC_MH, FAX_ENC_MR, FAX_ENC_MMR };
	char **paths;
	u32 n = t4_samples("pages", &paths);

	if (!n) {
		print_message("# no sample pages\n");
		skip();
	}
	for (u32 i = 0; i < n; i++) {
		struct page_list l = { 0 };
		_buffer_ struct buffer b = { 0 };
		struct t4_image image;
		struct error e;

		assert_true(t4_image_load(paths[i], &image));
		for (size_t k = 0; k < 3; k++)
			aux_add_page(&l, &image, encodings[k],
				     tiff_coding_flags(TIFF_PROFILE_F, encodings[k]), 8000, 7700);
		assert_int_equal(tiff_write(&l, TIFF_PROFILE_F, &b, &e), 0);
		for (size_t k = 0; k < 3; k++)
			check_page(&b, k, &l.pages[k], &image);
		page_list_clear(&l);
		t4_image_free(&image);
	}
	t4_samples_free(paths, n);
}

static void descriptor_gets_the_same_bytes(void **state)
{
	struct t4_image image = aux_scribble(1728, 40, 5);
	struct page_list l = { 0 };
	_buffer_ struct buffer b = { 0 };
	int fd = memfd_create("test", MFD_CLOEXEC);
	char back[16384];
	struct error e;

	aux_add_page(&l, &image, FAX_ENC_MMR, FAX_FMT_END, 8000, 7700);
	assert_int_equal(tiff_write(&l, TIFF_PROFILE_F, &b, &e), 0);
	assert_int_equal(tiff_write_fd(&l, TIFF_PROFILE_F, fd, &e), 0);
	assert_true(b.len < sizeof(back));
	assert_int_equal(pread(fd, back, sizeof(back), 0), b.len);
	assert_memory_equal(back, b.data, b.len);
	close(fd);
	assert_int_equal(tiff_write_fd(&l, TIFF_PROFILE_F, fd, &e), -EBADF);
	page_list_clear(&l);
	t4_image_free(&image);
}

static void what_does_not_fit_is_refused(void **state)
{
	static const struct {
		uint32_t width, encoding, flags, xres, yres;
		enum tiff_profile profile;
		const char *says;
	} cases[] = {
		{ 1728, FAX_ENC_MMR, FAX_FMT_LSB_FIRST, 8000, 7700, TIFF_PROFILE_S, "MH" },
		{ 1728, FAX_ENC_MH, FAX_FMT_EOL, 8000, 7700, TIFF_PROFILE_S, "bit first" },
		{ 2048, FAX_ENC_MH, FAX_FMT_EOL | FAX_FMT_LSB_FIRST, 8000, 7700, TIFF_PROFILE_S,
		  "1728" },
		{ 1728, FAX_ENC_MH, FAX_FMT_EOL | FAX_FMT_LSB_FIRST, 8000, 15400, TIFF_PROFILE_S,
		  "resolution" },
		{ 1728, FAX_ENC_MH, FAX_FMT_LSB_FIRST, 8000, 7700, TIFF_PROFILE_S, "EOL" },
		{ 1728, FAX_ENC_MH, FAX_FMT_EOL | FAX_FMT_END, 8000, 7700, TIFF_PROFILE_F, "RTC" },
		{ 1728, FAX_ENC_MMR, 0, 0, 7700, TIFF_PROFILE_F, "resolution" },
	};
	struct page_list none = { 0 };
	_buffer_ struct buffer b = { 0 };
	struct error e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct t4_image image = aux_scribble(cases[i].width, 20, 5);
		struct page_list l = { 0 };

		aux_add_page(&l, &image, cases[i].encoding, cases[i].flags, cases[i].xres,
			     cases[i].yres);
		assert_int_equal(tiff_write(&l, cases[i].profile, &b, &e), -EINVAL);
		assert_non_null(strstr(e.text, "Page 1 "));
		assert_non_null(strstr(e.text, cases[i].says));
		assert_int_equal(b.len, 0);
		page_list_clear(&l);
		t4_image_free(&image);
	}
	assert_int_equal(tiff_write(&none, TIFF_PROFILE_F, &b, &e), -EINVAL);
}

static void resolutions_translate_both_ways(void **state)
{
	static const uint32_t metric[] = { 3850, 7700, 8000, 15400, 16000, 11811, 23622 };

	for (size_t i = 0; i < sizeof(metric) / sizeof(*metric); i++)
		assert_int_equal(tiff_per_metre(tiff_dpi(metric[i])), metric[i]);
	assert_int_equal(tiff_per_metre(200), 7874);
	assert_int_equal(tiff_per_metre(0), 0);
	assert_int_equal(tiff_per_metre(-5), 0);
	assert_int_equal(tiff_per_metre(1e30), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profile_s_is_the_minimal_file),
		cmocka_unit_test(profile_f_takes_every_coding),
		cmocka_unit_test(several_strips_keep_their_bytes),
		cmocka_unit_test(real_pages_go_through),
		cmocka_unit_test(descriptor_gets_the_same_bytes),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(resolutions_translate_both_ways),
	};

	aux_tiff_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
