/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A board without hardware.
 *
 *	configfs.c	what people see: a directory a board
 *	paper.c		feeder, trays, conditions
 *	board.c		the hardware: the model, a thread that runs it, its interrupt
 *	dma.c		what the hardware sees of memory
 *	platform.c	the bus that it is on, and its driver there
 *	pci.c		another one in its stead, to try the board driver's pci.c: a board in a
 *			slot of softbus.c, which is a PCI bus without hardware; for tests alone
 *	main.c		the module
 *
 * Lifetime: a sim_board lives as long as its configfs directory, with its
 * paper; a sim_hw from live = 1 to live = 0. The driver comes and goes with
 * the bus's device inside that.
 *
 * Locks: sim_board.live_lock, then sim_paper.lock (mutexes), then sim_hw.lock
 * or sim_dma.lock (spinlocks, interrupts off).
 */
#ifndef FAX_SIM_H
#define FAX_SIM_H

#include <linux/configfs.h>
#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include "../board/board.h"
#include "../model/model.h"

#define SIM_FEEDER_BYTES	(64u << 20)
#define SIM_TRAY_BYTES		(256u << 20)
#define SIM_SHEETS		1000u	/* in the feeder */
#define SIM_PAPER		250u
#define SIM_BOARDS		16u

struct sim_sheet {
	struct list_head node;
	u32 width;
	u32 rows;
	u32 xres;
	u32 yres;
	u32 stride;
	size_t room;		/* bytes of @pixels */
	u8 *pixels;
};

/* A row may not move before its time. */
struct sim_pace {
	u64 next_ns;
};

struct sim_hw;

/**
 * struct sim_paper - everything made of paper
 * @lock: of all below but @scanning->pixels and @printing, which the
 *	  hardware's thread has for itself while they are there
 * @hw: told of conditions, NULL while the board is not live
 */
struct sim_paper {
	struct mutex lock;	/* see above */
	struct sim_hw *hw;
	struct list_head feeder;
	u32 feeder_count;
	u64 feeder_bytes;
	u32 feeder_xres;
	u32 feeder_yres;
	struct sim_sheet *scanning;
	struct list_head tray;
	u32 tray_count;
	u64 tray_bytes;
	struct sim_sheet *printing;
	u32 paper;
	u32 cover;
	u32 jam;		/* bits: FAXB_Q_SCAN, FAXB_Q_PRINT */
	u32 jam_at[2];		/* the n-th sheet from now jams; by FAXB_Q_* */
	u32 rows_per_second;
	struct sim_pace pace[2];
};

struct sim_board {
	struct config_group group;
	struct mutex live_lock;	/* of hw and serial */
	struct sim_hw *hw;
	char serial[FAXB_SERIAL_LEN];
	struct sim_paper paper;
	int feeder_error;	/* of the images put in last */
};

/* Bus addresses that mean something, each for one direction or both. */
struct sim_dma {
	spinlock_t lock;	/* of all below, and held while bytes are copied */
	struct rb_root windows;
	u64 next;		/* addresses are never used twice */
	u32 count;
	u64 errors;
};

struct sim_knob {
	struct sim_hw *hw;
	u32 queue;
	enum fm_fault fault;
};

struct sim_hw {
	struct sim_board *board;
	struct device *dev;	/* that the driver finds */
	int id;
	struct fm_board *model;
	spinlock_t lock;	/* the model's registers */
	struct sim_dma dma;
	struct task_struct *thread;
	wait_queue_head_t wait;
	bool kick;
	bool gone;		/* pulled: registers read as all-ones */
	bool asleep;		/* without power: likewise, until it comes back */
	bool master;		/* the bus lets it do DMA */
	struct irq_work irq;
	spinlock_t irq_lock;	/* held while the driver handles the interrupt */
	u64 irq_ns;		/* that took it so long so far */
	struct faxb *driver;	/* platform.c: gets the interrupt, may be NULL */
	u32 lacks;		/* pci.c */
	struct dentry *debugfs;
	struct sim_knob knobs[FAXB_QUEUES][FM_FAULTS];
};

/* board.c */
struct sim_hw *sim_hw_plug(struct sim_board *board);
void sim_hw_unplug(struct sim_hw *hw);
u32 sim_read32(void *io, u32 reg);
void sim_write32(void *io, u32 reg, u32 val);
void sim_debugfs_init(void);
void sim_debugfs_exit(void);

/* dma.c */
extern const struct dma_map_ops sim_dma_ops;
void sim_dma_init(struct sim_dma *dma);
void sim_dma_exit(struct sim_dma *dma, struct device *dev);
int sim_dma_copy(struct sim_dma *dma, u64 addr, void *buf, u32 len, bool write);

/* paper.c */
void sim_paper_init(struct sim_paper *p);
void sim_paper_exit(struct sim_paper *p);
void sim_paper_attach(struct sim_paper *p, struct sim_hw *hw);
void sim_paper_update(struct sim_paper *p);
int sim_feeder_add(struct sim_paper *p, const void *pbm, size_t len);
void sim_feeder_clear(struct sim_paper *p);
size_t sim_tray_copy(struct sim_paper *p, void *buf, size_t len);
void sim_tray_clear(struct sim_paper *p);
int sim_original(void *owner, struct fm_sheet *sheet);
int sim_feed(void *owner);
const u8 *sim_scan_row(void *owner, u32 row, int *code);
void sim_release(void *owner);
bool sim_more(void *owner);
int sim_ready(void *owner);
int sim_load(void *owner, u32 width, u32 xres, u32 yres);
int sim_print_row(void *owner, const u8 *row);
void sim_eject(void *owner);

/* configfs.c */
int sim_configfs_init(unsigned int boards);
void sim_configfs_exit(void);

/* platform.c or pci.c */
int sim_bus_init(void);
void sim_bus_exit(void);
int sim_bus_add(struct sim_hw *hw);
void sim_bus_remove(struct sim_hw *hw);
void sim_bus_interrupt(struct sim_hw *hw);
struct sim_hw *sim_hw_of(struct device *dev);
int sim_hw_suspend(struct sim_hw *hw, bool suspend);

#endif
