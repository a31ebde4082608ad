// SPDX-License-Identifier: GPL-2.0
/* The simulated hardware as a platform device, and the driver of that. */
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/pm_runtime.h>
#include <fax/compat.h>
#include <fax/driver.h>
#include "sim.h"

#define AUTOSUSPEND_MS	100
#define RESET_MS	300	/* a thread plays the hardware, on a machine that may be busy */

struct sim_hw *sim_hw_of(struct device *dev)
{
	return *(struct sim_hw **)dev_get_platdata(dev);
}

/*
 * As synchronize_irq(): waits for a call that has begun, not for one that is
 * due, of which a busy board always has another.
 */
static void sim_sync_irq(void *io)
{
	struct sim_hw *hw = io;

	spin_lock_irq(&hw->irq_lock);
	spin_unlock_irq(&hw->irq_lock);
}

/* The one way to stop this hardware is to pull it; its thread then touches nothing more. */
static void sim_halt(void *io)
{
	struct sim_hw *hw = io;

	WRITE_ONCE(hw->gone, true);
	kthread_park(hw->thread);
	kthread_unpark(hw->thread);
}

static const struct faxb_io_ops sim_io_ops = {
	.read32 = sim_read32,
	.write32 = sim_write32,
	.sync_irq = sim_sync_irq,
	.halt = sim_halt,
};

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
	struct device *dev = hw->dev;
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

int sim_bus_init(void)
{
	return platform_driver_register(&sim_driver);
}

void sim_bus_exit(void)
{
	platform_driver_unregister(&sim_driver);
}

/* The device that the driver finds. It does DMA as sim_dma_ops has it, to 64 bits. */
int sim_bus_add(struct sim_hw *hw)
{
	struct platform_device *pdev = platform_device_alloc("faxsim", hw->id);
	int ret;

	if (!pdev)
		return -ENOMEM;
	ret = platform_device_add_data(pdev, &hw, sizeof(hw));
	if (ret)
		goto put;
	set_dma_ops(&pdev->dev, &sim_dma_ops);
	hw->dev = &pdev->dev;
	hw->master = true;
	ret = platform_device_add(pdev);
	if (ret)
		goto put;
	return 0;
put:
	platform_device_put(pdev);
	return ret;
}

void sim_bus_remove(struct sim_hw *hw)
{
	platform_device_unregister(to_platform_device(hw->dev));
}

void sim_bus_interrupt(struct sim_hw *hw)
{
	/* pairs with sim_probe(): the board is there whole */
	struct faxb *driver = smp_load_acquire(&hw->driver);

	if (driver)
		faxb_interrupt(driver);
}
