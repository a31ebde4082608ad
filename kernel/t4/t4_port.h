/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the portable sources need from either world, and nothing else. */
#ifndef T4_PORT_H
#define T4_PORT_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <asm/byteorder.h>
#else
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef __INT8_TYPE__ s8;
typedef __INT16_TYPE__ s16;
typedef __INT32_TYPE__ s32;
typedef __INT64_TYPE__ s64;
#endif

#ifndef __always_inline
#define __always_inline	inline
#endif

#ifndef noinline
#define noinline	__attribute_noinline__	/* from the C library */
#endif

/* The compiler does not see what @x holds, and makes no branch or other arithmetic of it. */
#define t4_hide(x)	asm("" : "+r" (x))

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif

#endif
