/* SPDX-License-Identifier: GPL-2.0 */
/* A PCI bus without hardware: other code plays the devices in its slots. */
#ifndef FAX_SOFTBUS_H
#define FAX_SOFTBUS_H

#include <linux/pci.h>
#include <linux/types.h>

/**
 * struct softbus_ops - what a device in a slot does; all but @prepare in any context
 * @prepare: the bus found it; its driver has not yet
 * @present: whether it answers at all: configuration space is all-ones where it does not
 * @read: @write: a register of BAR 0
 * @power: goes to sleep (D3) or back (D0)
 * @master: may do DMA from now on, or may not
 */
struct softbus_ops {
	void (*prepare)(void *priv, struct device *dev);
	bool (*present)(void *priv);
	u32 (*read)(void *priv, u32 reg);
	void (*write)(void *priv, u32 reg, u32 val);
	void (*power)(void *priv, bool on);
	void (*master)(void *priv, bool on);
};

/**
 * struct softbus_desc - a device
 * @vendor: @device: as its configuration space has them
 * @bar: bytes of BAR 0, a power of two, or 0: there is none
 * @msi: can send its interrupt as a message
 * @ops: see there
 * @priv: handed to @ops
 */
struct softbus_desc {
	u16 vendor;
	u16 device;
	u32 bar;
	bool msi;
	const struct softbus_ops *ops;
	void *priv;
};

struct pci_dev *softbus_plug(const struct softbus_desc *desc);
void softbus_unplug(struct pci_dev *pdev);
void softbus_interrupt(struct pci_dev *pdev);

#endif
