// SPDX-License-Identifier: GPL-2.0
/*
 * A PCI bus without hardware, for user-mode Linux: that reaches memory-mapped
 * registers by a call, so a device's may be code. Configuration space, BAR 0
 * and the interrupt message are played here, the rest by who plugs a device
 * in. Everything above is the kernel's own: scan, resources, MSI, power.
 *
 * The module stays once it was loaded: its registers' place in memory cannot be
 * given back.
 */
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/logic_iomem.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include "softbus.h"

#define BUS		1
#define SLOTS		32u
#define CONFIG_BYTES	256u

/* Where the capabilities lie */
#define CAP_PM		0x40
#define CAP_MSI		0x50
#define MSI_FLAGS	(CAP_MSI + PCI_MSI_FLAGS)
#define MSI_DATA	(CAP_MSI + PCI_MSI_DATA_64)

static struct resource window = {
	.name = "fax soft PCI bus",
	.start = 0xe0000000,
	.end = 0xe01fffff,
	.flags = IORESOURCE_MEM,
};

static struct resource numbers = {
	.name = "fax soft PCI bus number",
	.start = BUS,
	.end = BUS,
	.flags = IORESOURCE_BUS,
};

struct slot {
	bool used;
	struct softbus_desc desc;
	u8 config[CONFIG_BYTES];
	u8 writable[CONFIG_BYTES];	/* bits */
	bool on;			/* as its owner was told, with the one below */
	bool master;
};

/* Slots come and go under pci_lock_rescan_remove(); contents change under the PCI core's lock. */
static struct slot slots[SLOTS];
static struct pci_host_bridge *bridge;

static u32 get(const struct slot *s, u32 at, u32 size)
{
	u32 val = 0;

	memcpy(&val, s->config + at, size);
	return val;
}

static void put(struct slot *s, u32 at, u32 size, u32 val, u32 writable)
{
	memcpy(s->config + at, &val, size);
	memcpy(s->writable + at, &writable, size);
}

static void put_capabilities(struct slot *s)
{
	put(s, PCI_STATUS, 2, PCI_STATUS_CAP_LIST, 0);
	put(s, PCI_CAPABILITY_LIST, 1, CAP_PM, 0);
	put(s, CAP_PM, 2, PCI_CAP_ID_PM | (s->desc.msi ? CAP_MSI << 8 : 0), 0);
	put(s, CAP_PM + PCI_PM_PMC, 2, 3, 0);
	put(s, CAP_PM + PCI_PM_CTRL, 2, 0, PCI_PM_CTRL_STATE_MASK);
	if (!s->desc.msi)
		return;
	put(s, CAP_MSI, 2, PCI_CAP_ID_MSI, 0);
	put(s, MSI_FLAGS, 2, PCI_MSI_FLAGS_64BIT, PCI_MSI_FLAGS_ENABLE);
	put(s, CAP_MSI + PCI_MSI_ADDRESS_LO, 4, 0, ~3u);
	put(s, CAP_MSI + PCI_MSI_ADDRESS_HI, 4, 0, ~0u);
	put(s, MSI_DATA, 2, 0, 0xffff);
}

static void fill_config(struct slot *s)
{
	memset(s->config, 0, sizeof(s->config));
	memset(s->writable, 0, sizeof(s->writable));
	put(s, PCI_VENDOR_ID, 2, s->desc.vendor, 0);
	put(s, PCI_DEVICE_ID, 2, s->desc.device, 0);
	put(s, PCI_COMMAND, 2, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				  PCI_COMMAND_INTX_DISABLE);
	put(s, PCI_CLASS_DEVICE, 2, PCI_CLASS_COMMUNICATION_OTHER, 0);
	if (s->desc.bar) {
		put(s, PCI_BASE_ADDRESS_0, 4, PCI_BASE_ADDRESS_MEM_TYPE_64, -s->desc.bar);
		put(s, PCI_BASE_ADDRESS_1, 4, 0, ~0u);
	}
	put_capabilities(s);
}

static u64 bar_of(const struct slot *s)
{
	return (u64)get(s, PCI_BASE_ADDRESS_1, 4) << 32 |
	       (get(s, PCI_BASE_ADDRESS_0, 4) & (u32)PCI_BASE_ADDRESS_MEM_MASK);
}

/* The slot that configuration space is asked for, or NULL: nothing answers. */
static struct slot *answering(struct pci_bus *bus, unsigned int devfn)
{
	struct slot *s = &slots[PCI_SLOT(devfn)];

	if (bus->number != BUS || PCI_FUNC(devfn) || !s->used)
		return NULL;
	return s->desc.ops->present(s->desc.priv) ? s : NULL;
}

static int config_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *val)
{
	struct slot *s = answering(bus, devfn);

	*val = ~0u;
	if (!s)
		return PCIBIOS_DEVICE_NOT_FOUND;
	*val = where + size <= CONFIG_BYTES ? get(s, where, size) : 0;
	return PCIBIOS_SUCCESSFUL;
}

/* Tell the device what a write meant for it. */
static void config_written(struct slot *s)
{
	bool master = get(s, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
	bool on = !(get(s, CAP_PM + PCI_PM_CTRL, 2) & PCI_PM_CTRL_STATE_MASK);

	if (master != s->master)
		s->desc.ops->master(s->desc.priv, master);
	if (on != s->on)
		s->desc.ops->power(s->desc.priv, on);
	s->master = master;
	s->on = on;
}

static int config_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 val)
{
	struct slot *s = answering(bus, devfn);
	int i;

	if (!s)
		return PCIBIOS_DEVICE_NOT_FOUND;
	for (i = where; i < where + size && i < CONFIG_BYTES; i++, val >>= 8)
		s->config[i] = (s->config[i] & ~s->writable[i]) | (val & s->writable[i]);
	config_written(s);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = {
	.read = config_read,
	.write = config_write,
};

/* Registers are there for a device that decodes them: COMMAND says so. */
static bool decodes(const struct slot *s)
{
	return s->used && get(s, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
}

static unsigned long bar_read(void *priv, unsigned int offset, int size)
{
	struct slot *s = priv;

	if (WARN_ON(size != 4 || offset % 4) || !decodes(s))
		return ~0u;
	return s->desc.ops->read(s->desc.priv, offset);
}

static void bar_write(void *priv, unsigned int offset, int size, unsigned long val)
{
	struct slot *s = priv;

	if (!WARN_ON(size != 4 || offset % 4) && decodes(s))
		s->desc.ops->write(s->desc.priv, offset, val);
}

static const struct logic_iomem_ops bar_ops = {
	.read = bar_read,
	.write = bar_write,
};

static long window_map(unsigned long offset, size_t size, const struct logic_iomem_ops **ops,
		       void **priv)
{
	u64 from, at = window.start + offset;
	u32 i;

	for (i = 0; i < SLOTS; i++) {
		from = bar_of(&slots[i]);
		if (!slots[i].used || !slots[i].desc.bar || at < from ||
		    at + size > from + slots[i].desc.bar)
			continue;
		*ops = &bar_ops;
		*priv = &slots[i];
		return at - from;
	}
	return -ENOENT;
}

static const struct logic_iomem_region_ops window_ops = {
	.map = window_map,
};

/**
 * softbus_interrupt - a device sends its message
 * @pdev: which; nothing comes of it unless it is allowed to
 *
 * In hard interrupt context.
 */
void softbus_interrupt(struct pci_dev *pdev)
{
	struct slot *s = &slots[PCI_SLOT(pdev->devfn)];

	/* the data is the interrupt's number: so has it the kernel's um-pci, whose domain it is */
	if (s->used && s->master && s->on && get(s, MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE)
		generic_handle_irq(get(s, MSI_DATA, 2));
}
EXPORT_SYMBOL_GPL(softbus_interrupt);

static struct pci_dev *scan(u32 nr)
{
	struct pci_dev *pdev;

	pci_scan_slot(bridge->bus, PCI_DEVFN(nr, 0));
	pdev = pci_get_slot(bridge->bus, PCI_DEVFN(nr, 0));
	if (!pdev)
		return NULL;
	pci_bus_assign_resources(bridge->bus);
	slots[nr].desc.ops->prepare(slots[nr].desc.priv, &pdev->dev);
	pci_bus_add_devices(bridge->bus);
	return pdev;
}

/**
 * softbus_plug - put a device into a slot
 * @desc: copied
 *
 * If there is a driver for it, that has tried it when this returns.
 *
 * Return: the device, with a reference, for softbus_unplug(), or an ERR_PTR().
 */
struct pci_dev *softbus_plug(const struct softbus_desc *desc)
{
	struct pci_dev *pdev = NULL;
	u32 i;

	pci_lock_rescan_remove();
	for (i = 0; i < SLOTS && slots[i].used; i++)
		;
	if (i < SLOTS) {
		slots[i].desc = *desc;
		slots[i].on = true;
		slots[i].master = false;
		fill_config(&slots[i]);
		slots[i].used = true;
		pdev = scan(i);
		slots[i].used = pdev;
	}
	pci_unlock_rescan_remove();
	return pdev ?: ERR_PTR(i < SLOTS ? -ENOMEM : -ENOSPC);
}
EXPORT_SYMBOL_GPL(softbus_plug);

/**
 * softbus_unplug - take a device out of its slot
 * @pdev: from softbus_plug()
 *
 * On return its driver has let it go, and none of its ops is called any more.
 */
void softbus_unplug(struct pci_dev *pdev)
{
	struct slot *s = &slots[PCI_SLOT(pdev->devfn)];

	pci_lock_rescan_remove();
	pci_stop_and_remove_bus_device(pdev);
	s->used = false;
	pci_unlock_rescan_remove();
	pci_dev_put(pdev);
}
EXPORT_SYMBOL_GPL(softbus_unplug);

static int __init softbus_init(void)
{
	int ret;

	bridge = pci_alloc_host_bridge(0);
	if (!bridge)
		return -ENOMEM;
	pci_add_resource(&bridge->windows, &window);
	pci_add_resource(&bridge->windows, &numbers);
	bridge->ops = &config_ops;
	ret = pci_host_probe(bridge);
	if (ret)
		goto free;
	ret = logic_iomem_add_region(&window, &window_ops);
	if (ret)
		goto remove;
	return 0;
remove:
	pci_lock_rescan_remove();
	pci_stop_root_bus(bridge->bus);
	pci_remove_root_bus(bridge->bus);
	pci_unlock_rescan_remove();
free:
	pci_free_host_bridge(bridge);
	return ret;
}

module_init(softbus_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("PCI bus without hardware");
