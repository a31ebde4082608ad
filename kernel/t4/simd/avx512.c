// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#ifdef __x86_64__
#define T4_VARIANT	avx512
#define T4_LINE_HEADER	"simd/t4_line_avx512.h"
#include "variant.h"
#endif
