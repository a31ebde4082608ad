/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels this builds for: 6.1 to the newest that
 * Debian ships. No other file looks at the version.
 */
#ifndef FAX_COMPAT_H
#define FAX_COMPAT_H

#include <linux/version.h>

/* platform drivers: remove() returns nothing, under this name */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define FAX_PLATFORM_REMOVE	remove
#else
#define FAX_PLATFORM_REMOVE	remove_new
#endif

#endif
