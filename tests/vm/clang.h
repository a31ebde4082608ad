/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Read before each file of the modules where clang builds them for a kernel of gcc's: what that
 * kernel's configuration says of gcc and clang cannot.
 */
/* named address spaces: clang 19 loses them in typeof() */
#undef CONFIG_CC_HAS_NAMED_AS
#undef CONFIG_USE_X86_SEG_SUPPORT
/* and what a header that was read by now made of it */
#ifdef __percpu_qual
#undef __percpu_qual
#define __percpu_qual
#undef __percpu_seg_override
#define __percpu_seg_override
#endif
