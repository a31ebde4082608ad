/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reference board, whatever its registers are reached by.
 *
 * A bus glue calls faxb_create(), makes faxb_interrupt() be called, then
 * faxb_register(). To part: faxb_unregister(), stop the interrupt and the
 * device's DMA, faxb_free(). In between it may call faxb_suspend(), and
 * faxb_resume() before anything else. A struct faxb belongs to its glue between
 * create and free.
 */
#ifndef FAX_BOARD_H
#define FAX_BOARD_H

#include <linux/device.h>
#include <linux/types.h>

struct faxb;

/**
 * struct faxb_io_ops - how the registers of a board are reached
 * @read32: all-ones where there is no board any more; any context
 * @write32: any context
 * @sync_irq: on return no call of faxb_interrupt() that began before goes on; may sleep
 * @halt: keep a board that does not answer from doing DMA, for good; may sleep, may be called again
 */
struct faxb_io_ops {
	u32 (*read32)(void *io, u32 reg);
	void (*write32)(void *io, u32 reg, u32 val);
	void (*sync_irq)(void *io);
	void (*halt)(void *io);
};

/**
 * struct faxb_desc - a board as its glue knows it
 * @dev: parent of the functions, and the device that does the DMA
 * @ops: see there
 * @io: handed to @ops
 * @features: FAX_FEAT_*
 * @reset_ms: by when a reset is done; 0: as REGISTERS.md has it
 * @owner: THIS_MODULE of the glue
 */
struct faxb_desc {
	struct device *dev;
	const struct faxb_io_ops *ops;
	void *io;
	u32 features;
	u32 reset_ms;
	struct module *owner;
};

struct faxb *faxb_create(const struct faxb_desc *desc);
int faxb_register(struct faxb *b);
void faxb_unregister(struct faxb *b);
void faxb_free(struct faxb *b);
bool faxb_interrupt(struct faxb *b);
void faxb_suspend(struct faxb *b);
int faxb_resume(struct faxb *b);

#endif
