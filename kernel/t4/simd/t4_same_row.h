/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Is a row the same as the one above? With AVX2. */
#ifndef T4_SAME_ROW_H
#define T4_SAME_ROW_H

#include <immintrin.h>
#include "../t4_port.h"

#define T4_SAME_BLOCK	32u	/* bytes that are compared together */

/* The bits in which two blocks differ. */
static __always_inline __m256i t4_block_differs(const u8 *a, const u8 *b)
{
	return _mm256_xor_si256(_mm256_loadu_si256((const void *)a),
				_mm256_loadu_si256((const void *)b));
}

/* In place of memcmp(), whose call takes as long as the comparison of a row. */
static __always_inline bool t4_same_row(const u8 *row, const u8 *above, size_t len)
{
	__m256i differs;
	size_t at;

	if (unlikely(len < T4_SAME_BLOCK))
		return !memcmp(row, above, len);
	for (at = 0; at + 2 * T4_SAME_BLOCK <= len; at += 2 * T4_SAME_BLOCK) {
		differs = _mm256_or_si256(t4_block_differs(row + at, above + at),
					  t4_block_differs(row + at + T4_SAME_BLOCK,
							   above + at + T4_SAME_BLOCK));
		if (!_mm256_testz_si256(differs, differs))
			return false;
	}
	/* the last one or two blocks end with the row, and begin within those before */
	differs = t4_block_differs(row + len - T4_SAME_BLOCK, above + len - T4_SAME_BLOCK);
	if (at + T4_SAME_BLOCK < len)
		differs = _mm256_or_si256(differs, t4_block_differs(row + at, above + at));
	return _mm256_testz_si256(differs, differs);
}

#endif
