// SPDX-License-Identifier: LGPL-2.1-or-later
/* The container for pages: sound ones come back, broken ones never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/fax.h>

#include "page/pageset.h"
#include "page_aux.h"

static void make_pages(struct page_list *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct t4_image image = aux_scribble(1728, 50 + i, 3 + i);

		aux_add_page(l, &image, FAX_ENC_MMR, FAX_FMT_LSB_FIRST, 8000, 7700);
		l->pages[i].rows_bad = i;
		t4_image_free(&image);
	}
}

static void pages_come_back_and_own_their_memory(void **state)
{
	struct page_list l = { 0 }, back = { 0 };
	struct error e;
	int fd = pageset_create(&e);

	make_pages(&l, 3);
	assert_int_equal(pageset_write(&l, fd, 1 << 20, &e), 0);
	assert_int_equal(pageset_seal(fd, &back, &e), 0);
	close(fd);
	assert_int_equal(back.n, 3);
	/* freed in any order, the others stay */
	page_clear(&back.pages[0]);
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(back.pages[i].width, 1728);
		assert_int_equal(back.pages[i].rows, 50 + i);
		assert_int_equal(back.pages[i].rows_bad, i);
		assert_int_equal(back.pages[i].strips[0].flags, FAX_FMT_LSB_FIRST);
		assert_memory_equal(back.pages[i].strips[0].data, l.pages[i].strips[0].data,
				    l.pages[i].strips[0].len);
	}
	page_list_clear(&back);
	page_list_clear(&l);
}

static void it_cannot_be_changed_afterwards(void **state)
{
	struct page_list l = { 0 }, back = { 0 };
	struct error e;
	int fd = pageset_create(&e);
	void *map;

	make_pages(&l, 1);
	assert_int_equal(pageset_write(&l, fd, 1 << 20, &e), 0);
	/* who keeps it mapped for writing is found out */
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(pageset_seal(fd, &back, &e), -EBUSY);
	munmap(map, 4096);
	assert_int_equal(pageset_seal(fd, &back, &e), 0);
	assert_true(pwrite(fd, "x", 1, 0) < 0);
	assert_true(ftruncate(fd, 0) < 0);
	close(fd);
	page_list_clear(&back);
	page_list_clear(&l);
}

/* Every byte of header and records, changed in several ways: refused, or within bounds. */
static void no_number_in_it_is_believed(void **state)
{
	static const unsigned char patterns[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct page_list l = { 0 };
	unsigned int refused = 0;
	struct error e;
	int fd = pageset_create(&e);
	unsigned char *data, *copy;
	off_t len;

	make_pages(&l, 2);
	assert_int_equal(pageset_write(&l, fd, 1 << 20, &e), 0);
	len = lseek(fd, 0, SEEK_END);
	data = malloc(len);
	assert_int_equal(pread(fd, data, len, 0), len);
	for (size_t at = 0; at < 24 + 2 * 24 + 2 * 32; at++)
		for (size_t k = 0; k < sizeof(patterns); k++) {
			struct page_list back = { 0 };
			/* exactly as large as it says, so that reading beyond is seen */
			copy = malloc(len);
			memcpy(copy, data, len);
			copy[at] ^= patterns[k];
			if (pageset_parse(copy, len, &back, &e) < 0) {
				assert_int_equal(back.n, 0);
				refused++;
			}
			for (size_t i = 0; i < back.n; i++) {
				const struct page_strip *s = &back.pages[i].strips[0];
				const unsigned char *p = s->data;

				assert_true(p >= copy && p + s->len <= copy + len);
			}
			page_list_clear(&back);
			free(copy);
		}
	assert_true(refused > 200);
	for (off_t cut = 0; cut < len; cut += 7) {
		struct page_list back = { 0 };

		assert_int_equal(pageset_parse(data, cut, &back, &e), -EBADMSG);
	}
	free(data);
	close(fd);
	page_list_clear(&l);
}

static void size_is_limited(void **state)
{
	struct page_list l = { 0 };
	struct error e;
	int fd = pageset_create(&e);

	make_pages(&l, 2);
	assert_int_equal(pageset_write(&l, fd, 200, &e), -EFBIG);
	close(fd);
	page_list_clear(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_back_and_own_their_memory),
		cmocka_unit_test(it_cannot_be_changed_afterwards),
		cmocka_unit_test(no_number_in_it_is_believed),
		cmocka_unit_test(size_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
