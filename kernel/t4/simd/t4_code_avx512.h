/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From the lists of changing elements to code, 32 elements at once and without
 * a branch that depends on the picture.
 *
 * In front of a vertical mode or of a horizontal one, a0 is the changing element
 * before a1, or b2 of the last pass mode. So for each element as a1 the modes
 * can be told whether or not one begins there: how many changing elements of the
 * reference line lie left of it and of the one before it says which of them is
 * b1 once all pass modes are done. Which elements are an a1 at all, and which an
 * a2, follows from carries in a sum (t4_start_modes).
 */
#ifndef T4_CODE_AVX512_H
#define T4_CODE_AVX512_H

#define T4_BLOCK_LANES	32u
#define T4_EVEN_LANES	0x55555555u
#define T4_ODD_LANES	0xaaaaaaaau

/* Code words of a block: of each four elements, in lanes of 64 bits. */
struct t4_quads {
	__m512i value, len;
};

struct t4_block {
	__m512i passes, delta;	/* pass modes before the element; a1 - b1 + 3 */
	__m512i run1, run2;	/* a0 to a1 and a1 to a2, for horizontal mode */
	u32 starts;		/* the elements that are an a1 */
	u32 horizontal;		/* and of these the horizontal ones */
};

/* A bit for each lane of the block that counts. */
static __always_inline u32 t4_lanes_left(u32 left)
{
	return left < T4_BLOCK_LANES ? (1u << left) - 1 : ~0u;
}

static __always_inline __m512i t4_low_lanes(__m512i v)
{
	return _mm512_maskz_mov_epi16(T4_EVEN_LANES, v);
}

static __always_inline __m512i t4_high_lanes(__m512i v)
{
	return _mm512_srli_epi32(v, 16);
}

static __always_inline __m512i t4_load_512(const void *p)
{
	return _mm512_loadu_si512(p);
}

/* b1 and the element before it, at @at in the list @b; none is left of @first. */
static __always_inline void t4_look_up_b1(const u16 *b, __m512i at, u32 first, u32 valid,
					  __m512i *b1, __m512i *before)
{
	const u16 *window = b + first - 1;
	__m512i i = _mm512_sub_epi16(at, _mm512_set1_epi16((s16)(first - 1)));
	__m512i low, high, even, odd;

	if (likely(!_mm512_mask_cmpgt_epu16_mask(valid, i, _mm512_set1_epi16(63)))) {
		low = t4_load_512(window);
		high = t4_load_512(window + 32);
		*b1 = _mm512_permutex2var_epi16(low, i, high);
		i = _mm512_sub_epi16(i, _mm512_set1_epi16(1));
		*before = _mm512_permutex2var_epi16(low, i, high);
		return;
	}
	/* both elements at once, for the even lanes and for the odd ones */
	i = _mm512_mask_mov_epi16(_mm512_set1_epi16(1), valid, i);
	even = _mm512_i32gather_epi32(t4_low_lanes(i), window - 1, 2);
	odd = _mm512_i32gather_epi32(t4_high_lanes(i), window - 1, 2);
	*b1 = _mm512_mask_mov_epi16(_mm512_srli_epi32(even, 16), T4_ODD_LANES, odd);
	*before = _mm512_mask_mov_epi16(even, T4_ODD_LANES, _mm512_slli_epi32(odd, 16));
}

/*
 * The elements at which a mode begins. After each horizontal one, the next
 * element is its a2 and begins nothing: adding up runs of candidates tells every
 * other one of them. *@skip: the first one is such an a2; what comes for the next
 * block.
 */
static __always_inline void t4_start_modes(struct t4_block *block, u32 candidates, u32 valid,
					   u32 *skip)
{
	u32 may = candidates & ~*skip, ends;

	ends = (((may << 1) | T4_ODD_LANES) - may) ^ T4_ODD_LANES;
	block->starts = ~(ends ^ (candidates | *skip)) & valid;
	block->horizontal = ends & candidates;
	*skip = block->horizontal >> 31;
}

static __always_inline void t4_find_modes(struct t4_block *block, const u16 *a, const u16 *b,
					  const u16 *rank, u32 valid, u32 *skip)
{
	const __m512i odd = _mm512_set1_epi32(0x00010000), one = _mm512_set1_epi16(1);
	__m512i a1 = t4_load_512(a), a0 = t4_load_512(a - 1);
	/* elements of the reference line that do not lie right of a0, that lie left of a1 */
	__m512i past = _mm512_avg_epu16(t4_load_512(rank - 1), _mm512_setzero_si512());
	__m512i left = _mm512_srli_epi16(t4_load_512(rank), 1);
	__m512i first, at, b1, before;
	u32 vertical;

	/* the first b1 of the right colour, and the one whose b2 is not left of a1 */
	first = _mm512_add_epi16(past, _mm512_and_si512(_mm512_xor_si512(past, odd), one));
	at = _mm512_sub_epi16(left, one);
	at = _mm512_add_epi16(at, _mm512_and_si512(_mm512_xor_si512(at, odd), one));
	at = _mm512_max_epi16(at, first);
	block->passes = _mm512_srli_epi16(_mm512_sub_epi16(at, first), 1);
	t4_look_up_b1(b, at, (rank[-1] + 1u) / 2, valid, &b1, &before);

	/* a0 is b2 of the last pass mode, if there is any */
	a0 = _mm512_mask_mov_epi16(a0, _mm512_test_epi16_mask(block->passes, block->passes),
				   before);
	block->run1 = _mm512_sub_epi16(a1, a0);
	block->run2 = _mm512_sub_epi16(t4_load_512(a + 1), a1);
	block->delta = _mm512_add_epi16(_mm512_sub_epi16(a1, b1), _mm512_set1_epi16(3));
	vertical = _mm512_cmple_epu16_mask(block->delta, _mm512_set1_epi16(6));
	t4_start_modes(block, valid & ~vertical, valid, skip);
}

/* Code words in lanes of 32 bits. */
struct t4_codes {
	__m512i value, len;
};

/* The code words of runs of one colour, each below T4_RUN_CODES. */
static __always_inline struct t4_codes t4_code_runs(u32 black, __m512i run, __mmask32 which)
{
	const u16 (*half)[64] = t4_code_half[black];
	const __m512i fifteen = _mm512_set1_epi32(15);
	__m512i end, makeup, end_len, makeup_len, value;

	end = _mm512_and_si512(run, _mm512_set1_epi32(63));
	end = _mm512_maskz_permutex2var_epi16(which, t4_load_512(half[0]), end,
					      t4_load_512(half[0] + 32));
	makeup = _mm512_srli_epi32(run, 6);
	makeup = _mm512_maskz_permutex2var_epi16(which, t4_load_512(half[1]), makeup,
						 t4_load_512(half[1] + 32));
	end_len = _mm512_and_si512(end, fifteen);
	makeup_len = _mm512_and_si512(makeup, fifteen);
	value = _mm512_sllv_epi32(_mm512_srli_epi32(makeup, 4), end_len);
	value = _mm512_or_si512(value, _mm512_srli_epi32(end, 4));
	return (struct t4_codes){ value, _mm512_add_epi32(end_len, makeup_len) };
}

/* Pass and vertical modes, of each two elements together; up to 16 bits fit for each of them. */
static __always_inline struct t4_codes t4_code_short_modes(const struct t4_block *block,
							   bool *fits)
{
	const __m512i lens = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
					      0x00000007, 0x00060003, 0x00010003, 0x00060007);
	const __m512i values = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
						0x00000003, 0x00030003, 0x00010002, 0x00020002);
	/* 0001 as often as there are passes */
	__m512i ones = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
					0, 0x00001111, 0x01110011, 0x00010000);
	u32 vertical = block->starts & ~block->horizontal;
	__m512i len = _mm512_maskz_permutexvar_epi16(vertical, block->delta, lens);
	__m512i value = _mm512_maskz_permutexvar_epi16(vertical, block->delta, values);
	__m512i passes = _mm512_maskz_mov_epi16(block->starts, block->passes), odd_len;

	ones = _mm512_permutexvar_epi16(passes, ones);
	value = _mm512_or_si512(value, _mm512_sllv_epi16(ones, len));
	len = _mm512_add_epi16(len, _mm512_slli_epi16(passes, 2));
	*fits = !_mm512_cmpgt_epu16_mask(len, _mm512_set1_epi16(16));
	odd_len = t4_high_lanes(len);
	value = _mm512_or_si512(t4_high_lanes(value),
				_mm512_sllv_epi32(t4_low_lanes(value), odd_len));
	return (struct t4_codes){ value, _mm512_add_epi32(t4_low_lanes(len), odd_len) };
}

static __always_inline __m512i t4_even(__m512i v)
{
	return _mm512_maskz_mov_epi32(0x5555, v);
}

static __always_inline __m512i t4_odd(__m512i v)
{
	return _mm512_srli_epi64(v, 32);
}

static __always_inline __m512i t4_join(__m512i value1, __m512i value2, __m512i len2)
{
	return _mm512_or_si512(_mm512_sllv_epi64(value1, len2), value2);
}

/* Code words that grow in lanes of 64 bits: those of the even lanes of 32 bits, and of the odd. */
struct t4_joined {
	__m512i even, odd;
	__m512i len;		/* in lanes of 32 bits */
};

static __always_inline struct t4_joined t4_join_first(struct t4_codes c)
{
	return (struct t4_joined){ t4_even(c.value), t4_odd(c.value), c.len };
}

static __always_inline void t4_join_next(struct t4_joined *j, struct t4_codes c)
{
	j->even = t4_join(j->even, t4_even(c.value), t4_even(c.len));
	j->odd = t4_join(j->odd, t4_odd(c.value), t4_odd(c.len));
	j->len = _mm512_add_epi32(j->len, c.len);
}

/* Each even lane with the odd one that follows; false if some are too long then. */
static __always_inline bool t4_join_quads(const struct t4_joined *j, struct t4_quads *quads)
{
	quads->value = t4_join(j->even, j->odd, t4_odd(j->len));
	quads->len = _mm512_add_epi64(t4_even(j->len), t4_odd(j->len));
	return !_mm512_cmpgt_epu64_mask(quads->len, _mm512_set1_epi64(T4_PUT_MAX));
}

/*
 * As eight times t4_put(). Where each of them begins follows from the sums of
 * the lengths; what is left to do one by one is to store them, each with the
 * bits that the one before it leaves in its first byte.
 */
static __always_inline void t4_put_quads(struct t4_writer *w, const struct t4_quads *quads)
{
	const __m512i zero = _mm512_setzero_si512(), seven = _mm512_set1_epi64(7);
	const __m512i swap = _mm512_broadcast_i32x4(_mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14,
								  13, 12, 11, 10, 9, 8));
	struct {
		u64 value[8], byte[8], done[8];
	} at;
	u64 carry = w->acc >> 56, total;
	__m512i end = quads->len, start, used;
	u32 k;

	end = _mm512_add_epi64(end, _mm512_alignr_epi64(end, zero, 7));
	end = _mm512_add_epi64(end, _mm512_alignr_epi64(end, zero, 6));
	end = _mm512_add_epi64(end, _mm512_alignr_epi64(end, zero, 4));
	total = w->n + (u64)_mm_extract_epi64(_mm512_extracti64x2_epi64(end, 3), 1);
	start = _mm512_add_epi64(_mm512_sub_epi64(end, quads->len), _mm512_set1_epi64(w->n));
	used = _mm512_add_epi64(_mm512_and_si512(start, seven), quads->len);
	_mm512_storeu_si512(at.byte, _mm512_srli_epi64(start, 3));
	_mm512_storeu_si512(at.done, _mm512_andnot_si512(seven, used));
	used = _mm512_sllv_epi64(quads->value, _mm512_sub_epi64(_mm512_set1_epi64(64), used));
	_mm512_storeu_si512(at.value, _mm512_shuffle_epi8(used, swap));
	/* by way of memory: to take vectors apart would cost more */
	__asm__("" : "+m"(at));
	for (k = 0; k < 8; k++) {
		carry |= at.value[k];
		memcpy(w->p + at.byte[k], &carry, sizeof(carry));
		carry >>= at.done[k] & 63;
	}
	w->acc = carry << 56;
	w->p += total >> 3;
	w->n = total & 7;
}

/* Where their pairs of lanes have a mode, the runs of both colours: 001, white and black code. */
static __always_inline void t4_join_horizontal(struct t4_joined *joined, u32 h, __m512i white,
					       __m512i black)
{
	u32 which = (h | h >> 1) & T4_EVEN_LANES;
	__mmask16 pairs = (__mmask16)_pext_u32(which, T4_EVEN_LANES);
	__mmask16 odd = (__mmask16)_pext_u32(h, T4_ODD_LANES);
	struct t4_codes w, b, first, second;
	__m512i one;

	/* no two elements side by side begin a horizontal mode: one of the two lanes is 0 */
	w = t4_code_runs(0, _mm512_or_si512(white, t4_high_lanes(white)), which);
	b = t4_code_runs(1, _mm512_or_si512(black, t4_high_lanes(black)), which);
	first.value = _mm512_mask_mov_epi32(w.value, odd, b.value);
	first.len = _mm512_mask_mov_epi32(w.len, odd, b.len);
	second.value = _mm512_mask_mov_epi32(b.value, odd, w.value);
	second.len = _mm512_mask_mov_epi32(b.len, odd, w.len);
	one = _mm512_maskz_sllv_epi32(pairs, _mm512_set1_epi32(1), first.len);
	first.value = _mm512_or_si512(first.value, one);
	first.len = _mm512_mask_add_epi32(first.len, pairs, first.len, _mm512_set1_epi32(3));
	t4_join_next(joined, first);
	t4_join_next(joined, second);
}

/* False if some code words are too long for that. */
static __always_inline bool t4_code_block(const struct t4_block *block, struct t4_quads *quads)
{
	const __m512i most = _mm512_set1_epi16(T4_RUN_CODES - 1);
	u32 h = block->horizontal;
	__m512i run1 = _mm512_maskz_mov_epi16(h, block->run1);
	__m512i run2 = _mm512_maskz_mov_epi16(h, block->run2);
	struct t4_joined joined;
	bool short_modes, short_runs;

	short_runs = !(_mm512_cmpgt_epu16_mask(run1, most) | _mm512_cmpgt_epu16_mask(run2, most));
	joined = t4_join_first(t4_code_short_modes(block, &short_modes));
	/* the first run is white where the number of the element is even */
	t4_join_horizontal(&joined, h, _mm512_mask_mov_epi16(run1, T4_ODD_LANES, run2),
			   _mm512_mask_mov_epi16(run2, T4_ODD_LANES, run1));
	return t4_join_quads(&joined, quads) & short_modes & short_runs;
}

/* The same mode by mode, for blocks in which there are longer code words. */
static inline void t4_put_block(const struct t4_block *block, struct t4_writer *w)
{
	u16 passes[T4_BLOCK_LANES], delta[T4_BLOCK_LANES];
	u16 run1[T4_BLOCK_LANES], run2[T4_BLOCK_LANES];
	u32 left, i;

	_mm512_storeu_si512(passes, block->passes);
	_mm512_storeu_si512(delta, block->delta);
	_mm512_storeu_si512(run1, block->run1);
	_mm512_storeu_si512(run2, block->run2);
	for (left = block->starts; left; left &= left - 1) {
		i = _tzcnt_u32(left);
		for (; passes[i]; passes[i]--)
			t4_put(w, 1, 4);
		if (block->horizontal >> i & 1) {
			t4_put(w, 1, 3);
			t4_put_run(w, i & 1, run1[i]);
			t4_put_run(w, !(i & 1), run2[i]);
		} else {
			t4_put_entry(w, t4_vertical_code[delta[i]]);
		}
	}
}

static inline void t4_code_2d(struct t4_encoder *e, struct t4_writer *writer)
{
	const u16 *a = t4_list_of(e, e->cur), *b = t4_list_of(e, !e->cur);
	const u16 *rank = e->ranks.list + T4_LIST_HEAD;
	struct t4_writer w = *writer, copy;
	u32 i, skip = 0, valid;
	struct t4_block block;
	struct t4_quads quads;

	for (i = 0; i <= e->n; i += T4_BLOCK_LANES) {
		valid = t4_lanes_left(e->n + 1 - i);
		t4_find_modes(&block, a + i, b, rank + i, valid, &skip);
		if (likely(t4_code_block(&block, &quads))) {
			t4_put_quads(&w, &quads);
			continue;
		}
		copy = w;
		t4_put_block(&block, &copy);
		w = copy;
	}
	*writer = w;
}

/* T.4 4.1: white and black runs in turn. */
static inline void t4_code_1d(struct t4_encoder *e, struct t4_writer *writer)
{
	const __m512i most = _mm512_set1_epi16(T4_RUN_CODES - 1);
	const u16 *a = t4_list_of(e, e->cur);
	struct t4_writer w = *writer, copy;
	struct t4_joined joined;
	struct t4_quads quads;
	u32 i, valid;
	__m512i runs;

	for (i = 0; i <= e->n; i += T4_BLOCK_LANES) {
		valid = t4_lanes_left(e->n + 1 - i);
		runs = _mm512_sub_epi16(t4_load_512(a + i), t4_load_512(a + i - 1));
		joined = t4_join_first(t4_code_runs(0, runs, valid & T4_EVEN_LANES));
		t4_join_next(&joined, t4_code_runs(1, t4_high_lanes(runs),
						   valid >> 1 & T4_EVEN_LANES));
		if (likely(t4_join_quads(&joined, &quads) &&
			   !_mm512_mask_cmpgt_epu16_mask(valid, runs, most))) {
			t4_put_quads(&w, &quads);
			continue;
		}
		copy = w;
		t4_put_runs(&copy, a + i, (u32)_mm_popcnt_u32(valid));
		w = copy;
	}
	*writer = w;
}

#endif
