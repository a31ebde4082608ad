// SPDX-License-Identifier: GPL-2.0
/* The reference board behind PCI: BAR0, 64-bit DMA, one MSI-X or MSI vector. */
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include "internal.h"

#define AUTOSUSPEND_MS	2000

struct faxb_pci {
	struct pci_dev *pdev;
	void __iomem *bar;
	int irq;
	struct faxb *b;
};

static u32 pci_read32(void *io, u32 reg)
{
	struct faxb_pci *p = io;

	return ioread32(p->bar + reg);
}

static void pci_write32(void *io, u32 reg, u32 val)
{
	struct faxb_pci *p = io;

	iowrite32(val, p->bar + reg);
}

static void pci_sync_irq(void *io)
{
	struct faxb_pci *p = io;

	synchronize_irq(p->irq);
}

static void pci_halt(void *io)
{
	struct faxb_pci *p = io;

	pci_clear_master(p->pdev);
}

static const struct faxb_io_ops pci_io_ops = {
	.read32 = pci_read32,
	.write32 = pci_write32,
	.sync_irq = pci_sync_irq,
	.halt = pci_halt,
};

static irqreturn_t pci_irq(int irq, void *data)
{
	struct faxb_pci *p = data;

	return faxb_interrupt(p->b) ? IRQ_HANDLED : IRQ_NONE;
}

static int start_irq(struct faxb_pci *p)
{
	int ret;

	ret = pci_alloc_irq_vectors(p->pdev, 1, 1, PCI_IRQ_MSIX | PCI_IRQ_MSI);
	if (ret < 0)
		return ret;
	p->irq = pci_irq_vector(p->pdev, 0);
	ret = request_irq(p->irq, pci_irq, 0, KBUILD_MODNAME, p);
	if (ret)
		pci_free_irq_vectors(p->pdev);
	return ret;
}

static void stop_irq(struct faxb_pci *p)
{
	free_irq(p->irq, p);
	pci_free_irq_vectors(p->pdev);
}

static int start_board(struct faxb_pci *p)
{
	struct faxb_desc desc = {
		.dev = &p->pdev->dev,
		.ops = &pci_io_ops,
		.io = p,
		.owner = THIS_MODULE,
	};
	int ret;

	p->b = faxb_create(&desc);
	if (IS_ERR(p->b))
		return PTR_ERR(p->b);
	ret = start_irq(p);
	if (ret)
		goto free;
	ret = faxb_register(p->b);
	if (ret)
		goto irq;
	return 0;
irq:
	stop_irq(p);
free:
	pci_clear_master(p->pdev);
	faxb_free(p->b);
	return ret;
}

static int map_bar(struct faxb_pci *p)
{
	struct pci_dev *pdev = p->pdev;
	int ret;

	ret = pci_enable_device_mem(pdev);
	if (ret)
		return ret;
	ret = pci_request_region(pdev, 0, KBUILD_MODNAME);
	if (ret)
		goto disable;
	ret = -ENODEV;
	if (pci_resource_len(pdev, 0) < FAXB_BAR_SIZE)
		goto release;
	p->bar = pci_iomap(pdev, 0, FAXB_BAR_SIZE);
	ret = -ENOMEM;
	if (!p->bar)
		goto release;
	return 0;
release:
	pci_release_region(pdev, 0);
disable:
	pci_disable_device(pdev);
	return ret;
}

static void unmap_bar(struct faxb_pci *p)
{
	pci_iounmap(p->pdev, p->bar);
	pci_release_region(p->pdev, 0);
	pci_disable_device(p->pdev);
}

static int faxb_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct faxb_pci *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int ret;

	if (!p)
		return -ENOMEM;
	p->pdev = pdev;
	pci_set_drvdata(pdev, p);
	ret = map_bar(p);
	if (ret)
		goto free;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		goto unmap;
	/* a stretch is as long as its 32 bits say, and lies anywhere, whoever cut it */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	dma_set_seg_boundary(&pdev->dev, ULONG_MAX);
	pci_set_master(pdev);
	ret = start_board(p);
	if (ret)
		goto unmap;
	/* the bus came with a reference: from here on who opens the board has them */
	pm_runtime_set_autosuspend_delay(&pdev->dev, AUTOSUSPEND_MS);
	pm_runtime_use_autosuspend(&pdev->dev);
	pm_runtime_put_autosuspend(&pdev->dev);
	return 0;
unmap:
	unmap_bar(p);
free:
	kfree(p);
	return ret;
}

/* Also when the board was pulled: registers then read as all-ones, and nothing waits for it. */
static void faxb_pci_remove(struct pci_dev *pdev)
{
	struct faxb_pci *p = pci_get_drvdata(pdev);

	pm_runtime_get_noresume(&pdev->dev);
	pm_runtime_dont_use_autosuspend(&pdev->dev);
	faxb_unregister(p->b);
	stop_irq(p);
	pci_clear_master(pdev);
	faxb_free(p->b);
	unmap_bar(p);
	kfree(p);
}

static int faxb_pci_suspend(struct device *dev)
{
	struct faxb_pci *p = dev_get_drvdata(dev);

	faxb_suspend(p->b);
	return 0;
}

static int faxb_pci_resume(struct device *dev)
{
	struct faxb_pci *p = dev_get_drvdata(dev);

	return faxb_resume(p->b);
}

static const struct dev_pm_ops faxb_pci_pm = {
	SYSTEM_SLEEP_PM_OPS(faxb_pci_suspend, faxb_pci_resume)
	RUNTIME_PM_OPS(faxb_pci_suspend, faxb_pci_resume, NULL)
};

static const struct pci_device_id faxb_pci_ids[] = {
	{ PCI_DEVICE(FAXB_PCI_VENDOR, FAXB_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, faxb_pci_ids);

static struct pci_driver faxb_pci_driver = {
	.name = KBUILD_MODNAME,
	.id_table = faxb_pci_ids,
	.probe = faxb_pci_probe,
	.remove = faxb_pci_remove,
	.driver.pm = pm_ptr(&faxb_pci_pm),
};

int faxb_pci_init(void)
{
	return pci_register_driver(&faxb_pci_driver);
}

void faxb_pci_exit(void)
{
	pci_unregister_driver(&faxb_pci_driver);
}
