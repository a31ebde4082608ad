/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels this builds for: 6.1 to the newest that
 * Debian ships. No other file looks at the version.
 */
#ifndef FAX_COMPAT_H
#define FAX_COMPAT_H

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/version.h>

/* bus and class callbacks take const devices */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define FAX_CONST_DEV	const
#else
#define FAX_CONST_DEV
#endif

/* platform drivers: remove() returns nothing, under this name */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define FAX_PLATFORM_REMOVE	remove
#else
#define FAX_PLATFORM_REMOVE	remove_new
#endif

/* namespaces became strings */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define FAX_IMPORT_DMA_BUF()	MODULE_IMPORT_NS("DMA_BUF")
#else
#define FAX_IMPORT_DMA_BUF()	MODULE_IMPORT_NS(DMA_BUF)
#endif

/* __assign_str() lost its second argument */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define fax_assign_str(dst, src)	__assign_str(dst)
#else
#define fax_assign_str(dst, src)	__assign_str(dst, src)
#endif

/* dma_map_ops name a place in memory by its physical address */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define FAX_DMA_MAP	map_phys
#define FAX_DMA_UNMAP	unmap_phys
#define FAX_DMA_PLACE	phys_addr_t phys
#define FAX_DMA_PHYS	phys
#else
#define FAX_DMA_MAP	map_page
#define FAX_DMA_UNMAP	unmap_page
#define FAX_DMA_PLACE	struct page *page, unsigned long offset
#define FAX_DMA_PHYS	(page_to_phys(page) + offset)
#endif

static inline void fax_vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

#endif
