// SPDX-License-Identifier: GPL-2.0
/* The driver of the simulated hardware, and the module. */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <fax/compat.h>
#include <fax/driver.h>
#include "sim.h"

static unsigned int boards = 1;
module_param(boards, uint, 0444);
MODULE_PARM_DESC(boards, "boards that are there from the start (default 1)");

struct sim_hw *sim_hw_of(struct device *dev)
{
	return *(struct sim_hw **)dev_get_platdata(dev);
}

static int sim_probe(struct platform_device *pdev)
{
	struct sim_hw *hw = sim_hw_of(&pdev->dev);
	struct faxb_desc desc = {
		.dev = &pdev->dev,
		.ops = &sim_io_ops,
		.io = hw,
		.features = FAX_FEAT_SIMULATED,
		.owner = THIS_MODULE,
	};
	struct faxb *b;
	int ret;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	b = faxb_create(&desc);
	if (IS_ERR(b))
		return PTR_ERR(b);
	platform_set_drvdata(pdev, b);
	/* pairs with hw_irq() */
	smp_store_release(&hw->driver, b);
	ret = faxb_register(b);
	if (ret) {
		WRITE_ONCE(hw->driver, NULL);
		sim_sync_irq(hw);
		faxb_free(b);
	}
	return ret;
}

static void sim_remove(struct platform_device *pdev)
{
	struct sim_hw *hw = sim_hw_of(&pdev->dev);
	struct faxb *b = platform_get_drvdata(pdev);

	faxb_unregister(b);
	WRITE_ONCE(hw->driver, NULL);
	sim_sync_irq(hw);
	faxb_free(b);
}

static struct platform_driver sim_driver = {
	.driver.name = "faxsim",
	.probe = sim_probe,
	.FAX_PLATFORM_REMOVE = sim_remove,
};

static int __init faxsim_init(void)
{
	int ret;

	if (boards > SIM_BOARDS)
		return -EINVAL;
	sim_debugfs_init();
	ret = platform_driver_register(&sim_driver);
	if (ret)
		goto debugfs;
	ret = sim_configfs_init(boards);
	if (ret)
		goto driver;
	return 0;
driver:
	platform_driver_unregister(&sim_driver);
debugfs:
	sim_debugfs_exit();
	return ret;
}

static void __exit faxsim_exit(void)
{
	sim_configfs_exit();
	platform_driver_unregister(&sim_driver);
	sim_debugfs_exit();
}

module_init(faxsim_init);
module_exit(faxsim_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Facsimile board without hardware");
