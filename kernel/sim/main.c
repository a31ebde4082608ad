// SPDX-License-Identifier: GPL-2.0
/* The driver of the simulated hardware, and the module. */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <fax/compat.h>
#include <fax/driver.h>
#include "sim.h"

#define AUTOSUSPEND_MS	100
#define RESET_MS	1000	/* a thread plays the hardware, on a machine that may be busy */

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
		.reset_ms = RESET_MS,
		.owner = THIS_MODULE,
	};
	struct faxb *b;
	int ret;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	/* a stretch is as long as its 32 bits say, and lies anywhere, whoever cut it */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	dma_set_seg_boundary(&pdev->dev, ULONG_MAX);
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
		return ret;
	}
	/* as on a bus: only if someone writes "auto" to power/control */
	pm_runtime_forbid(&pdev->dev);
	pm_runtime_set_active(&pdev->dev);
	pm_runtime_set_autosuspend_delay(&pdev->dev, AUTOSUSPEND_MS);
	pm_runtime_use_autosuspend(&pdev->dev);
	pm_runtime_enable(&pdev->dev);
	return 0;
}

static void sim_remove(struct platform_device *pdev)
{
	struct sim_hw *hw = sim_hw_of(&pdev->dev);
	struct faxb *b = platform_get_drvdata(pdev);

	pm_runtime_disable(&pdev->dev);
	pm_runtime_dont_use_autosuspend(&pdev->dev);
	pm_runtime_set_suspended(&pdev->dev);
	WRITE_ONCE(hw->asleep, false);
	faxb_unregister(b);
	WRITE_ONCE(hw->driver, NULL);
	sim_sync_irq(hw);
	faxb_free(b);
}

static int sim_suspend(struct device *dev)
{
	faxb_suspend(dev_get_drvdata(dev));
	WRITE_ONCE(sim_hw_of(dev)->asleep, true);
	return 0;
}

static int sim_resume(struct device *dev)
{
	WRITE_ONCE(sim_hw_of(dev)->asleep, false);
	return faxb_resume(dev_get_drvdata(dev));
}

/* What a bus would do: for tests, at the word of configfs. */
int sim_hw_suspend(struct sim_hw *hw, bool suspend)
{
	struct device *dev = &hw->pdev->dev;
	int ret = -ENODEV;

	/* the driver neither comes nor goes meanwhile */
	device_lock(dev);
	if (READ_ONCE(hw->driver))
		ret = suspend ? sim_suspend(dev) : sim_resume(dev);
	device_unlock(dev);
	return ret;
}

static const struct dev_pm_ops sim_pm = {
	SYSTEM_SLEEP_PM_OPS(sim_suspend, sim_resume)
	RUNTIME_PM_OPS(sim_suspend, sim_resume, NULL)
};

static struct platform_driver sim_driver = {
	.driver.name = "faxsim",
	.driver.pm = pm_ptr(&sim_pm),
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
