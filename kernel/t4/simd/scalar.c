// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* For any machine; compiled without vector registers, as in the kernel. */
#define T4_VARIANT	scalar
#define T4_LINE_HEADER	"t4_line_scalar.h"
#include "variant.h"
