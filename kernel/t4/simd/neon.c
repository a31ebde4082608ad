// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#ifdef __aarch64__
#define T4_VARIANT	neon
#define T4_LINE_HEADER	"simd/t4_line_neon.h"
#include "variant.h"
#endif
