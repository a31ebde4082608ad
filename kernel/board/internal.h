/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of faxboard.ko. */
#ifndef FAX_BOARD_INTERNAL_H
#define FAX_BOARD_INTERNAL_H

#include <linux/spinlock.h>
#include <fax/board_regs.h>
#include <fax/driver.h>
#include "board.h"

#define FAXB_RING_LOG2		4	/* bands under way in a queue */
#define FAXB_RING_ENTRIES	16u
#define FAXB_SG_MAX		128u	/* what we keep lists for */
#define FAXB_RESET_MS		100	/* the board promises this, see faxb_desc.reset_ms */

struct faxb_func;

/**
 * struct faxb_queue - a submission and a completion ring, and what is in them
 * @b: board
 * @func: function that the queue works for
 * @nr: FAXB_Q_*
 * @lock: of all below
 * @rings: submission ring, then completion ring
 * @rings_dma: its bus address
 * @lists: scatter lists, two for each slot (raw, coded)
 * @lists_dma: its bus address
 * @tail: descriptors written since the last reset
 * @head: completions taken since the last reset
 * @gen: of the tags, 1 to 255; changes with each reset
 * @stopped: not enabled, or being reset: nothing goes in or comes out
 * @hungry: start() said -EBUSY
 * @abort: what stands in the register
 * @slot: what is under way
 */
struct faxb_queue {
	struct faxb *b;
	struct faxb_func *func;
	u32 nr;
	spinlock_t lock;	/* see above */
	__le32 *rings;
	dma_addr_t rings_dma;
	__le32 *lists;
	dma_addr_t lists_dma;
	u32 tail;
	u32 head;
	u32 gen;
	bool stopped;
	bool hungry;
	u32 abort;
	struct {
		struct fax_chunk *chunk;
		u32 tag;
		bool abort;
	} slot[FAXB_RING_ENTRIES];
};

/* A function of the core's and the queues (bits) that work for it. */
struct faxb_func {
	struct faxb *b;
	struct fax_func *func;
	u32 queues;
	u32 paper;		/* FAXB_Q_SCAN, FAXB_Q_PRINT, or FAXB_QUEUES: none */
};

#define FAXB_FUNCS	3

struct faxb {
	struct faxb_desc desc;
	struct fax_board *board;
	struct faxb_func func[FAXB_FUNCS];
	struct faxb_queue queue[FAXB_QUEUES];
	u32 max_sg;
	bool gone;		/* registers read as all-ones */
	bool cut;		/* did not answer a reset: kept from memory for good */
	bool deaf;		/* faxb_unregister() began: no more events */
	bool asleep;		/* registers may not be there: faxb_suspend() */
	struct dentry *debugfs;
};

static inline u32 faxb_read(struct faxb *b, u32 reg)
{
	return b->desc.ops->read32(b->desc.io, reg);
}

static inline void faxb_write(struct faxb *b, u32 reg, u32 val)
{
	b->desc.ops->write32(b->desc.io, reg, val);
}

/* ring.c */
int faxb_queue_init(struct faxb *b, u32 nr, struct faxb_func *func);
void faxb_queue_free(struct faxb_queue *q);
void faxb_queue_enable(struct faxb_queue *q);
void faxb_queue_stop(struct faxb_queue *q);
void faxb_queue_forget(struct faxb_queue *q);
int faxb_queue_start(struct faxb_queue *q, struct fax_chunk *chunk);
void faxb_queue_abort(struct faxb_queue *q, const struct fax_job *job);
void faxb_queue_reap(struct faxb_queue *q);

/* engine.c */
void faxb_set_gone(struct faxb *b);
int faxb_reset_queues(struct faxb *b, u32 queues);

/* debugfs.c */
void faxb_debugfs_init(void);
void faxb_debugfs_exit(void);
void faxb_debugfs_add(struct faxb *b);
void faxb_debugfs_remove(struct faxb *b);

/* pci.c */
#ifdef CONFIG_PCI
int faxb_pci_init(void);
void faxb_pci_exit(void);
#else
static inline int faxb_pci_init(void)
{
	return 0;
}

static inline void faxb_pci_exit(void)
{
}
#endif

#endif
