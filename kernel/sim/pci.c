// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated hardware behind PCI, where the board driver finds it as it
 * would a real one: to try board/pci.c, see softbus.c.
 */
#include <linux/dma-map-ops.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include "sim.h"
#include "softbus.h"

/* What the next board to be plugged in lacks, for the driver to refuse. */
enum lack {
	LACKS_NOTHING,
	LACKS_BAR,
	LACKS_REGISTERS,	/* the BAR is too short */
	LACKS_MSI,
	LACKS_DMA,		/* the platform has no 64 bits of address for it */
	LACKS_ID,		/* another device answers */
	LACKS_RESET,		/* it never is through with one */
	LACKS
};

static unsigned int lacks;
module_param(lacks, uint, 0644);
MODULE_PARM_DESC(lacks, "what boards lack that are plugged in: 0 nothing, see the source");

static bool sim_present(void *priv)
{
	struct sim_hw *hw = priv;

	return !READ_ONCE(hw->gone);
}

static u32 sim_bar_read(void *priv, u32 reg)
{
	struct sim_hw *hw = priv;

	return hw->lacks == LACKS_ID && reg == FAXB_ID ? 0 : sim_read32(hw, reg);
}

static void sim_power(void *priv, bool on)
{
	struct sim_hw *hw = priv;

	WRITE_ONCE(hw->asleep, !on);
}

static void sim_master(void *priv, bool on)
{
	struct sim_hw *hw = priv;

	WRITE_ONCE(hw->master, on);
}

static int no_dma(struct device *dev, u64 mask)
{
	return 0;
}

static const struct dma_map_ops no_dma_ops = {
	.dma_supported = no_dma,
};

static void sim_prepare(void *priv, struct device *dev)
{
	struct sim_hw *hw = priv;

	dev->platform_data = hw;
	WRITE_ONCE(hw->dev, dev);
	set_dma_ops(dev, hw->lacks == LACKS_DMA ? &no_dma_ops : &sim_dma_ops);
}

static const struct softbus_ops slot_ops = {
	.prepare = sim_prepare,
	.present = sim_present,
	.read = sim_bar_read,
	.write = sim_write32,
	.power = sim_power,
	.master = sim_master,
};

struct sim_hw *sim_hw_of(struct device *dev)
{
	return dev_get_platdata(dev);
}

int sim_bus_init(void)
{
	return 0;
}

void sim_bus_exit(void)
{
}

int sim_bus_add(struct sim_hw *hw)
{
	struct softbus_desc desc = {
		.vendor = FAXB_PCI_VENDOR,
		.device = FAXB_PCI_DEVICE,
		.bar = FAXB_BAR_SIZE,
		.ops = &slot_ops,
		.priv = hw,
	};
	struct pci_dev *pdev;
	u32 q;

	hw->lacks = lacks;
	desc.msi = hw->lacks != LACKS_MSI;
	if (hw->lacks == LACKS_BAR)
		desc.bar = 0;
	if (hw->lacks == LACKS_REGISTERS)
		desc.bar /= 2;
	for (q = 0; q < FAXB_QUEUES && hw->lacks == LACKS_RESET; q++)
		fm_inject(hw->model, q, FM_FAULT_DEAF, 1);
	pdev = softbus_plug(&desc);
	return PTR_ERR_OR_ZERO(pdev);
}

void sim_bus_remove(struct sim_hw *hw)
{
	softbus_unplug(to_pci_dev(hw->dev));
}

/* It may come before the bus has found the device. */
void sim_bus_interrupt(struct sim_hw *hw)
{
	struct device *dev = READ_ONCE(hw->dev);

	if (dev)
		softbus_interrupt(to_pci_dev(dev));
}

static int sim_sleep(struct pci_dev *pdev, const struct dev_pm_ops *pm)
{
	int ret = pm->runtime_suspend(&pdev->dev);

	if (ret)
		return ret;
	pci_save_state(pdev);
	return pci_set_power_state(pdev, PCI_D3hot);
}

static int sim_wake(struct pci_dev *pdev, const struct dev_pm_ops *pm)
{
	int ret = pci_set_power_state(pdev, PCI_D0);

	if (ret)
		return ret;
	pci_restore_state(pdev);
	return pm->runtime_resume(&pdev->dev);
}

/* What the system's sleep would do, to this device alone. */
int sim_hw_suspend(struct sim_hw *hw, bool suspend)
{
	struct pci_dev *pdev = to_pci_dev(hw->dev);
	int ret = -ENODEV;

	device_lock(&pdev->dev);
	if (pdev->dev.driver)
		ret = suspend ? sim_sleep(pdev, pdev->dev.driver->pm) :
				sim_wake(pdev, pdev->dev.driver->pm);
	device_unlock(&pdev->dev);
	return ret;
}
