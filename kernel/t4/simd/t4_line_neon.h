/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef T4_LINE_NEON_H
#define T4_LINE_NEON_H

#include "../t4_line_scalar.h"

#endif
