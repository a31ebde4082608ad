// SPDX-License-Identifier: GPL-2.0
/*
 * The module: class "fax", device numbers, the names of functions.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>

#include "core.h"

static dev_t fax_first;
static struct ida fax_index[3] = {
	IDA_INIT(fax_index[0]),
	IDA_INIT(fax_index[1]),
	IDA_INIT(fax_index[2]),
};

struct dentry *fax_debugfs;
u32 fax_park_ms = FAX_PARK_MS;
bool fax_refuse_cpu;

struct class fax_class = {
	.name = "fax",
	.dev_groups = fax_groups,
	.dev_uevent = fax_uevent,
};

/* Minor numbers of one kind of function are next to each other. */
dev_t fax_devt(u32 function, u32 index)
{
	return MKDEV(MAJOR(fax_first),
		     MINOR(fax_first) + (function - FAX_FUNC_SCAN) * FAX_MAX_INDEX + index);
}

int fax_index_get(u32 function)
{
	return ida_alloc_max(&fax_index[function - FAX_FUNC_SCAN], FAX_MAX_INDEX - 1, GFP_KERNEL);
}

void fax_index_put(u32 function, u32 index)
{
	ida_free(&fax_index[function - FAX_FUNC_SCAN], index);
}

const char *fax_function_name(u32 function)
{
	switch (function) {
	case FAX_FUNC_SCAN:
		return "scan";
	case FAX_FUNC_PRINT:
		return "print";
	default:
		return "codec";
	}
}

static int __init fax_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&fax_first, 0, 3 * FAX_MAX_INDEX, "fax");
	if (ret)
		return ret;
	ret = class_register(&fax_class);
	if (ret) {
		unregister_chrdev_region(fax_first, 3 * FAX_MAX_INDEX);
		return ret;
	}
	fax_debugfs = debugfs_create_dir("fax", NULL);
	debugfs_create_u32("park_ms", 0600, fax_debugfs, &fax_park_ms);
	debugfs_create_bool("refuse_cpu", 0600, fax_debugfs, &fax_refuse_cpu);
	return 0;
}

static void __exit fax_exit(void)
{
	debugfs_remove_recursive(fax_debugfs);
	class_unregister(&fax_class);
	unregister_chrdev_region(fax_first, 3 * FAX_MAX_INDEX);
}

module_init(fax_init);
module_exit(fax_exit);

MODULE_DESCRIPTION("Facsimile boards: the driver core");
MODULE_LICENSE("GPL");
FAX_IMPORT_DMA_BUF();
