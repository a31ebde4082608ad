// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include "internal.h"

static int __init faxboard_init(void)
{
	int ret;

	faxb_debugfs_init();
	ret = faxb_pci_init();
	if (ret)
		faxb_debugfs_exit();
	return ret;
}

static void __exit faxboard_exit(void)
{
	faxb_pci_exit();
	faxb_debugfs_exit();
}

module_init(faxboard_init);
module_exit(faxboard_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Reference facsimile board: rings, engines and PCI glue");
