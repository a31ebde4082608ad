// SPDX-License-Identifier: LGPL-2.1-or-later
/* Damaged, odd and hostile streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "t4_aux.h"
#include "t4_variants.h"

#define WIDTH	400
#define ROWS	16
#define EOL	"000000000001"
#define RTC	EOL EOL EOL EOL EOL EOL
#define NO_CODE	"000000001000"	/* begins no run and no mode */
#define WHITE16	"101010"
#define BLACK16	"0000010111"

/* -- streams written bit by bit */

struct stream {
	struct t4_bytes code;
	size_t bits, room;
};

static bool bit_of(struct t4_bytes code, size_t at)
{
	return code.data[at / 8] >> (7 - at % 8) & 1;
}

static void put_bit(struct t4_bytes code, size_t at, bool bit)
{
	u8 mask = 0x80 >> at % 8;

	code.data[at / 8] = (u8)((code.data[at / 8] & ~mask) | (bit ? mask : 0));
}

static void add_bit(struct stream *s, bool bit)
{
	if (s->bits == 8 * s->code.len) {
		if (s->code.len == s->room) {
			s->room = 2 * s->room + 64;
			s->code.data = realloc(s->code.data, s->room);
		}
		s->code.data[s->code.len++] = 0;
	}
	put_bit(s->code, s->bits++, bit);
}

static void add(struct stream *s, const char *bits)
{
	for (; *bits; bits++)
		if (*bits != ' ')
			add_bit(s, *bits == '1');
}

static void add_zeros(struct stream *s, size_t count)
{
	while (count--)
		add_bit(s, false);
}

static struct stream stream_of(const char *bits)
{
	struct stream s = { 0 };

	add(&s, bits);
	return s;
}

static void overwrite(struct t4_bytes code, size_t at, const char *bits)
{
	for (; *bits; bits++)
		put_bit(code, at++, *bits == '1');
}

/* Where the @n-th EOL (from 0) of a coded page begins: its 11 zeros. */
static size_t find_eol(struct t4_bytes code, u32 n)
{
	size_t at, zeros = 0;

	for (at = 0; at < 8 * code.len; at++) {
		if (!bit_of(code, at)) {
			zeros++;
			continue;
		}
		if (zeros >= 11 && !n--)
			return at - 11;
		zeros = 0;
	}
	fail_msg("no such EOL");
	return 0;
}

/* -- pages with damage */

struct page {
	struct t4_params p;
	struct t4_image image, seen;
	struct t4_bytes code;
	struct t4_damage damage;
};

static struct page page_of(enum t4_coding coding, u16 flags)
{
	struct page page = {
		.p = { .width = WIDTH, .coding = coding, .k = 4, .flags = flags },
		.image = t4_image_new(WIDTH, ROWS), .seen = t4_image_new(WIDTH, ROWS + 4),
	};
	u32 seed = 11;

	t4_image_scribble(&page.image, 25, &seed);
	page.code = t4_our_encode(&page.image, &page.p, 0);
	return page;
}

static int decode(struct page *page)
{
	return t4_our_decode(page->code, &page->p, 0, &page->seen, &page->damage);
}

static void free_page(struct page *page)
{
	t4_image_free(&page->image);
	t4_image_free(&page->seen);
	free(page->code.data);
}

/* Makes line @row (its tag bit aside) begin with something that is no code. */
static void break_line(struct page *page, u32 row)
{
	overwrite(page->code, find_eol(page->code, row) + 12 + (page->p.coding == T4_MR), NO_CODE);
}

static void assert_row_is(const struct page *page, u32 row, u32 original)
{
	assert_memory_equal(page->seen.bits + row * page->seen.stride,
			    page->image.bits + original * page->image.stride, page->image.stride);
}

static void assert_row_white(const struct page *page, u32 row)
{
	u32 i;

	for (i = 0; i < page->seen.stride; i++)
		assert_int_equal(page->seen.bits[row * page->seen.stride + i], 0);
}

static void assert_damage(const struct page *page, u32 rows, u32 bad, u32 first, u32 run, u32 flags)
{
	assert_int_equal(page->damage.rows, rows);
	assert_int_equal(page->damage.rows_bad, bad);
	assert_int_equal(page->damage.first_bad_row, first);
	assert_int_equal(page->damage.max_bad_run, run);
	assert_int_equal(page->damage.flags, flags);
}

static void mh_bad_line_is_copied(void **state)
{
	struct page page = page_of(T4_MH, T4_F_EOL | T4_F_END);
	u32 y;

	break_line(&page, 5);
	break_line(&page, 10);
	break_line(&page, 11);
	assert_int_equal(decode(&page), T4_DONE);
	assert_damage(&page, ROWS, 3, 5, 2, T4_D_END_SEEN);
	for (y = 0; y < ROWS; y++)
		assert_row_is(&page, y, y == 5 ? 4 : y == 10 || y == 11 ? 9 : y);
	free_page(&page);
}

static void mh_bad_line_is_whitened(void **state)
{
	struct page page = page_of(T4_MH, T4_F_EOL | T4_F_END | T4_F_WHITEN);
	u32 y;

	break_line(&page, 0);
	break_line(&page, 7);
	assert_int_equal(decode(&page), T4_DONE);
	assert_damage(&page, ROWS, 2, 0, 1, T4_D_END_SEEN);
	for (y = 0; y < ROWS; y++) {
		if (y == 0 || y == 7)
			assert_row_white(&page, y);
		else
			assert_row_is(&page, y, y);
	}
	free_page(&page);
}

/* K = 4: lines 0, 4, 8 and 12 stand by themselves, the others lean on the one above. */
static void mr_waits_for_a_one_dimensional_line(void **state)
{
	struct page page = page_of(T4_MR, T4_F_EOL | T4_F_END);
	u32 y;

	break_line(&page, 5);
	break_line(&page, 12);
	assert_int_equal(decode(&page), T4_DONE);
	assert_damage(&page, ROWS, 7, 5, 4, T4_D_END_SEEN);
	for (y = 0; y < ROWS; y++)
		assert_row_is(&page, y, y < 5 ? y : y < 8 ? 4 : y < 12 ? y : 11);
	free_page(&page);
}

static void lost_eol_costs_its_two_lines(void **state)
{
	struct page page = page_of(T4_MH, T4_F_EOL | T4_F_END);
	u32 y;

	put_bit(page.code, find_eol(page.code, 6) + 3, true);
	assert_int_equal(decode(&page), T4_DONE);
	assert_damage(&page, ROWS - 1, 1, 5, 1, T4_D_END_SEEN);
	for (y = 0; y < ROWS - 1; y++)
		assert_row_is(&page, y, y < 5 ? y : y == 5 ? 4 : y + 1);
	free_page(&page);
}

/* Lines of another width than they should be: T.4 counts pixels. */
static void wrong_line_length_is_damage(void **state)
{
	u32 width;

	for (width = WIDTH - 1; width <= WIDTH + 1; width++) {
		struct page page = page_of(T4_MH, T4_F_EOL | T4_F_END);

		page.p.width = width;
		t4_image_free(&page.seen);
		page.seen = t4_image_new(width, ROWS + 4);
		assert_int_equal(decode(&page), T4_DONE);
		assert_int_equal(page.damage.rows, ROWS);
		assert_int_equal(page.damage.rows_bad, width == WIDTH ? 0 : ROWS);
		free_page(&page);
	}
}

/* What is left of a damaged run takes up the first zeros of the EOL; the next line counts. */
static void eol_half_swallowed_is_found(void **state)
{
	static const u8 next[4] = { 0x00, 0xff, 0x00, 0x00 };
	struct t4_params p = { .width = 32, .coding = T4_MH, .flags = T4_F_EOL };
	struct t4_image seen = t4_image_new(32, 4);
	struct t4_damage damage;
	/* 0001 and three zeros more are white 20 */
	struct stream s = stream_of(EOL "0001" EOL "10011 000101 101010" EOL);

	assert_int_equal(t4_our_decode(s.code, &p, 0, &seen, &damage), T4_DONE);
	assert_int_equal(damage.rows, 2);
	assert_int_equal(damage.rows_bad, 1);
	assert_memory_equal(seen.bits + seen.stride, next, 4);
	t4_image_free(&seen);
	free(s.code.data);
}

static void mmr_says_where_it_stuck(void **state)
{
	u32 row, consumed;

	for (row = 0; row < ROWS; row += 3) {
		struct page page = page_of(T4_MMR, T4_F_END);
		struct t4_encoder *e = malloc(sizeof(*e));
		size_t room = ROWS * t4_row_bound(WIDTH), len, bit;
		u8 *out = malloc(room);

		assert_int_equal(t4_encoder_init(e, &page.p), 0);
		t4_encode(e, page.image.bits, page.image.stride, row, &consumed, out, room,
			  &len);
		bit = 8 * len + e->nbits;
		overwrite(page.code, bit, "00000001");
		assert_int_equal(decode(&page), T4_STUCK);
		assert_damage(&page, row, 0, ~0u, 0, 0);
		assert_int_equal(page.damage.error_bit, bit);
		assert_memory_equal(page.seen.bits, page.image.bits, row * page.image.stride);
		free(out);
		free(e);
		free_page(&page);
	}
}

/* -- odd but valid streams, a row 16 pixels wide at a time */

struct vector {
	const char *name;
	u8 coding;
	u16 flags;
	u32 rows;
	const char *bits;
	int ret;
	u32 seen_rows, bad, damage_flags;
};

static const struct vector vectors[] = {
	{ "trailing garbage behind RTC", T4_MH, T4_F_EOL, 0,
	  EOL WHITE16 RTC "1011100101110101", T4_DONE, 1, 0, T4_D_END_SEEN },
	{ "trailing garbage behind the last row", T4_MH, T4_F_EOL, 2,
	  EOL WHITE16 EOL WHITE16 "1011100101110101", T4_DONE, 2, 0, 0 },
	{ "trailing garbage behind EOFB", T4_MMR, 0, 0,
	  "1" "1" EOL EOL "1011100101110101", T4_DONE, 2, 0, T4_D_END_SEEN },
	{ "half an EOFB at the end of the input", T4_MMR, 0, 0,
	  "1" "1" EOL, T4_DONE, 2, 0, T4_D_END_SEEN },
	{ "half an EOFB and rows behind it", T4_MMR, 0, 0, "1" EOL "1111", T4_STUCK, 1, 0, 0 },
	{ "fill before EOFB", T4_MMR, 0, 0,
	  "1" "0000000000000" EOL EOL, T4_DONE, 1, 0, T4_D_END_SEEN },
	{ "no EOL at all", T4_MH, 0, 0,
	  WHITE16 WHITE16, T4_DONE, 2, 0, 0 },
	{ "first EOL missing", T4_MH, T4_F_EOL, 0,
	  WHITE16 EOL WHITE16 RTC, T4_DONE, 2, 0, T4_D_END_SEEN },
	{ "fill before each EOL and the RTC", T4_MH, T4_F_EOL, 0,
	  "0000" EOL WHITE16 "00000000000000000" EOL WHITE16 "000" RTC,
	  T4_DONE, 2, 0, T4_D_END_SEEN },
	{ "fill within the RTC", T4_MH, T4_F_EOL, 0,
	  EOL WHITE16 EOL EOL "0000" EOL EOL "0" EOL EOL, T4_DONE, 1, 0, T4_D_END_SEEN },
	{ "RTC cut off", T4_MH, T4_F_EOL, 0,
	  EOL WHITE16 EOL EOL EOL, T4_DONE, 1, 0, T4_D_END_SEEN },
	{ "RTC before all rows are there", T4_MH, T4_F_EOL, 3,
	  EOL WHITE16 RTC, T4_DONE, 1, 0, T4_D_END_SEEN | T4_D_SHORT },
	{ "RTC of MR", T4_MR, T4_F_EOL, 0,
	  EOL "1" WHITE16 EOL "0" "1" EOL "1" EOL "1" EOL "1" EOL "1" EOL "1" EOL "1",
	  T4_DONE, 2, 0, T4_D_END_SEEN },
	{ "input ends within a line", T4_MH, T4_F_EOL, 0,
	  EOL WHITE16 EOL "00110101" BLACK16 EOL "00110101" "000001",
	  T4_DONE, 2, 0, T4_D_SHORT },
	{ "input ends within an MMR line", T4_MMR, 0, 0,
	  "1" "001" "00110101" "000001", T4_DONE, 1, 0, T4_D_SHORT },
	{ "no input", T4_MMR, 0, 0, "", T4_DONE, 0, 0, 0 },
	{ "no input where rows are due", T4_MR, T4_F_EOL, 5, "", T4_DONE, 0, 0, T4_D_SHORT },
	{ "runs of no length", T4_MH, T4_F_EOL, 0,
	  EOL "1011" /* w4 */ "0000110111" /* b0 */ "1110" /* w6 */ "0010" /* b6 */ EOL,
	  T4_DONE, 1, 0, 0 },
	{ "uncompressed mode, MH", T4_MH, T4_F_EOL, 0,
	  EOL "000000001111" EOL WHITE16 RTC, T4_DONE, 2, 1, T4_D_END_SEEN | T4_D_UNCOMPRESSED },
	{ "uncompressed mode, MH without EOL", T4_MH, 0, 0,
	  WHITE16 "000000001111 0000", T4_STUCK, 1, 0, T4_D_UNCOMPRESSED },
	{ "uncompressed mode, MMR", T4_MMR, 0, 0,
	  "1" "0000001111 0111", T4_STUCK, 1, 0, T4_D_UNCOMPRESSED },
	{ "another extension, MMR", T4_MMR, 0, 0, "1" "0000001110 0111", T4_STUCK, 1, 0, 0 },
	{ "V left of a0", T4_MMR, 0, 0,
	  "001 10011 000101" /* H w8 b8 */ "1 000010 0000010 1111111", T4_STUCK, 1, 0, 0 },
	{ "V beyond the width", T4_MMR, 0, 0, "1" "011 111111111111", T4_STUCK, 1, 0, 0 },
	{ "run beyond the width", T4_MMR, 0, 0,
	  "1" "001 10011 0000010111 00000000", T4_STUCK, 1, 0, 0 },
};

static void odd_streams(void **state)
{
	struct t4_image seen;
	struct t4_damage damage;
	struct stream s;
	size_t i, piece;
	int ret;

	for (i = 0; i < 2 * sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i / 2];
		struct t4_params p = {
			.width = 16, .coding = v->coding, .flags = v->flags, .rows = v->rows,
		};

		piece = i % 2;
		s = stream_of(v->bits);
		seen = t4_image_new(16, 6);
		ret = t4_our_decode(s.code, &p, piece, &seen, &damage);
		if (ret != v->ret || damage.rows != v->seen_rows || damage.rows_bad != v->bad ||
		    damage.flags != v->damage_flags)
			fail_msg("%s: status %d, %u rows, %u bad, flags %x", v->name, ret,
				 damage.rows, damage.rows_bad, damage.flags);
		t4_image_free(&seen);
		free(s.code.data);
	}
}

/* -- streams that try to go on for ever */

static int decode_repeated(struct t4_params p, const char *head, const char *bits, u32 times,
			   struct t4_damage *damage)
{
	struct t4_image seen = t4_image_new(p.width, 50);
	struct stream s = stream_of(head);
	int ret;

	while (times--)
		add(&s, bits);
	ret = t4_our_decode(s.code, &p, 0, &seen, damage);
	t4_image_free(&seen);
	free(s.code.data);
	return ret;
}

static void endless_codes(void **state)
{
	struct t4_params mmr = { .width = T4_WIDTH_MAX, .coding = T4_MMR };
	struct t4_params mh = { .width = T4_WIDTH_MAX, .coding = T4_MH, .flags = T4_F_EOL };
	struct t4_damage damage;

	/* make-up codes of 2560 */
	assert_int_equal(decode_repeated(mmr, "001", "000000011111", 9000, &damage), T4_STUCK);
	assert_int_equal(damage.rows, 0);
	assert_int_equal(damage.error_bit, 3 + 6 * 12);
	assert_int_equal(decode_repeated(mh, EOL, "000000011111", 9000, &damage), T4_DONE);
	assert_int_equal(damage.rows_bad, 1);
	/* runs of no length, one-dimensional and horizontal */
	assert_int_equal(decode_repeated(mh, EOL, "00110101 0000110111", 40000, &damage), T4_DONE);
	assert_int_equal(damage.rows, 0);
	assert_int_equal(damage.flags, T4_D_SHORT);
	assert_int_equal(decode_repeated(mmr, "", "001 00110101 0000110111", 40000, &damage),
			 T4_DONE);
	assert_int_equal(damage.rows, 0);
	assert_int_equal(damage.flags, T4_D_SHORT);
}

static void endless_fill(void **state)
{
	struct t4_params p = { .width = 16, .coding = T4_MR };
	struct t4_image seen = t4_image_new(16, 4);
	struct t4_damage damage;
	struct stream s = stream_of(EOL "1" WHITE16);
	u32 i;

	add_zeros(&s, 1000003);
	add(&s, EOL "1" WHITE16);
	for (i = 0; i < 6; i++)
		add(&s, EOL "1");
	assert_int_equal(t4_our_decode(s.code, &p, 7, &seen, &damage), T4_DONE);
	assert_int_equal(damage.rows, 2);
	assert_int_equal(damage.rows_bad, 0);
	assert_int_equal(damage.flags, T4_D_END_SEEN);
	t4_image_free(&seen);
	free(s.code.data);
}

/* Any bytes at all: the sanitised build watches the bounds, here only sense is checked. */
static void random_bytes(void **state)
{
	u32 seed = 12, round, i;
	u8 data[600];
	struct t4_bytes code = { data, sizeof(data) };
	struct t4_image seen;
	struct t4_damage damage;

	for (round = 0; round < 3000; round++) {
		struct t4_params p = {
			.width = 1 + t4_random(&seed) % (round % 8 ? 200 : T4_WIDTH_MAX),
			.rows = round % 3 ? 0 : 20, .coding = (u8)(round % 3),
			.flags = t4_random(&seed) % 64,
		};
		/* sparse and dense bits in turn: long codes, EOLs, V codes */
		u32 thin = t4_random(&seed) % 3;

		for (i = 0; i < sizeof(data); i++) {
			data[i] = (u8)t4_random(&seed);
			if (thin)
				data[i] &= (u8)t4_random(&seed);
			if (thin == 2)
				data[i] &= (u8)t4_random(&seed);
		}
		seen = t4_image_new(p.width, 40);
		t4_our_decode(code, &p, round % 5, &seen, &damage);
		assert_true(damage.rows == seen.height && damage.rows_bad <= damage.rows);
		assert_true(damage.max_bad_run <= damage.rows_bad);
		assert_true(!damage.rows_bad == (damage.first_bad_row == ~0u));
		t4_image_free(&seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mh_bad_line_is_copied),
		cmocka_unit_test(mh_bad_line_is_whitened),
		cmocka_unit_test(mr_waits_for_a_one_dimensional_line),
		cmocka_unit_test(lost_eol_costs_its_two_lines),
		cmocka_unit_test(wrong_line_length_is_damage),
		cmocka_unit_test(eol_half_swallowed_is_found),
		cmocka_unit_test(mmr_says_where_it_stuck),
		cmocka_unit_test(odd_streams),
		cmocka_unit_test(endless_codes),
		cmocka_unit_test(endless_fill),
		cmocka_unit_test(random_bytes),
	};

	return t4_run_tests("t4 damage", tests);
}
