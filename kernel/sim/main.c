// SPDX-License-Identifier: GPL-2.0
/* The module. */
#include <linux/module.h>
#include "sim.h"

static unsigned int boards = 1;
module_param(boards, uint, 0444);
MODULE_PARM_DESC(boards, "boards that are there from the start (default 1)");

static int __init faxsim_init(void)
{
	int ret;

	if (boards > SIM_BOARDS)
		return -EINVAL;
	sim_debugfs_init();
	ret = sim_bus_init();
	if (ret)
		goto debugfs;
	ret = sim_configfs_init(boards);
	if (ret)
		goto bus;
	return 0;
bus:
	sim_bus_exit();
debugfs:
	sim_debugfs_exit();
	return ret;
}

static void __exit faxsim_exit(void)
{
	sim_configfs_exit();
	sim_bus_exit();
	sim_debugfs_exit();
}

module_init(faxsim_init);
module_exit(faxsim_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Facsimile board without hardware");
