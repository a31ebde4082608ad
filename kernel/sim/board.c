// SPDX-License-Identifier: GPL-2.0
/* The hardware: the device model, the thread that is its clock, its interrupt line. */
#include <linux/debugfs.h>
#include <linux/idr.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include "sim.h"

#define PACE_MS		2	/* between looks at a row whose time has not come */

static DEFINE_IDA(ids);
static struct dentry *root;

static bool out_of_reach(struct sim_hw *hw)
{
	return READ_ONCE(hw->gone) || READ_ONCE(hw->asleep);
}

u32 sim_read32(void *io, u32 reg)
{
	struct sim_hw *hw = io;

	return out_of_reach(hw) ? FAXB_ALL_ONES : fm_read32(hw->model, reg);
}

void sim_write32(void *io, u32 reg, u32 val)
{
	struct sim_hw *hw = io;

	if (!out_of_reach(hw))
		fm_write32(hw->model, reg, val);
}

static int hw_read(void *owner, u64 addr, void *buf, u32 len)
{
	struct sim_hw *hw = owner;

	return READ_ONCE(hw->master) ? sim_dma_copy(&hw->dma, addr, buf, len, false) : -EFAULT;
}

static int hw_write(void *owner, u64 addr, const void *buf, u32 len)
{
	struct sim_hw *hw = owner;

	return READ_ONCE(hw->master) ? sim_dma_copy(&hw->dma, addr, (void *)buf, len, true) :
				       -EFAULT;
}

static void hw_interrupt(void *owner)
{
	struct sim_hw *hw = owner;

	irq_work_queue(&hw->irq);
}

static void hw_doorbell(void *owner)
{
	struct sim_hw *hw = owner;

	WRITE_ONCE(hw->kick, true);
	wake_up(&hw->wait);
}

static unsigned long hw_lock(void *owner)
	__acquires(&((struct sim_hw *)owner)->lock)
{
	struct sim_hw *hw = owner;
	unsigned long flags;

	spin_lock_irqsave(&hw->lock, flags);
	return flags;
}

static void hw_unlock(void *owner, unsigned long flags)
	__releases(&((struct sim_hw *)owner)->lock)
{
	struct sim_hw *hw = owner;

	spin_unlock_irqrestore(&hw->lock, flags);
}

static const struct fm_owner_ops hw_ops = {
	.read = hw_read,
	.write = hw_write,
	.interrupt = hw_interrupt,
	.doorbell = hw_doorbell,
	.lock = hw_lock,
	.unlock = hw_unlock,
	.original = sim_original,
	.feed = sim_feed,
	.scan_row = sim_scan_row,
	.release = sim_release,
	.more = sim_more,
	.ready = sim_ready,
	.load = sim_load,
	.print_row = sim_print_row,
	.eject = sim_eject,
};

static void hw_irq(struct irq_work *work)
{
	struct sim_hw *hw = container_of(work, struct sim_hw, irq);
	unsigned long flags;
	u64 from;

	spin_lock_irqsave(&hw->irq_lock, flags);
	from = local_clock();
	sim_bus_interrupt(hw);
	hw->irq_ns += local_clock() - from;
	spin_unlock_irqrestore(&hw->irq_lock, flags);
}

static bool called(struct sim_hw *hw)
{
	return READ_ONCE(hw->kick) || kthread_should_stop() || kthread_should_park();
}

static int hw_thread(void *data)
{
	struct sim_hw *hw = data;
	int state;

	while (!kthread_should_stop()) {
		if (kthread_should_park())
			kthread_parkme();
		/* a doorbell from here on is seen by fm_run() or ends the wait */
		smp_store_mb(hw->kick, false);
		state = out_of_reach(hw) ? FM_IDLE : fm_run(hw->model);
		if (state == FM_MORE)
			cond_resched();
		else if (state == FM_WAITING && READ_ONCE(hw->board->paper.rows_per_second))
			wait_event_interruptible_timeout(hw->wait, called(hw),
							 msecs_to_jiffies(PACE_MS));
		else if (state == FM_WAITING)
			wait_event_interruptible_timeout(hw->wait, called(hw), HZ);
		else
			wait_event_interruptible(hw->wait, called(hw));
	}
	return 0;
}

static int knob_set(void *data, u64 count)
{
	struct sim_knob *knob = data;

	return fm_inject(knob->hw->model, knob->queue, knob->fault, min_t(u64, count, U32_MAX));
}
DEFINE_DEBUGFS_ATTRIBUTE(knob_fops, NULL, knob_set, "%llu\n");

static int gone_get(void *data, u64 *val)
{
	struct sim_hw *hw = data;

	*val = READ_ONCE(hw->gone);
	return 0;
}

/* Pull the board: there is no way back but live. */
static int gone_set(void *data, u64 val)
{
	struct sim_hw *hw = data;

	if (val != 1)
		return -EINVAL;
	WRITE_ONCE(hw->gone, true);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(gone_fops, gone_get, gone_set, "%llu\n");

static void add_debugfs(struct sim_hw *hw)
{
	static const char * const queues[] = { "scan", "print", "encode", "decode" };
	static const char * const faults[FM_FAULTS] = {
		"dma_error", "drop_completion", "stuck", "deaf", "ring_error",
	};
	struct dentry *dir;
	u32 q, f;

	hw->debugfs = debugfs_create_dir(config_item_name(&hw->board->group.cg_item), root);
	debugfs_create_file("gone", 0600, hw->debugfs, hw, &gone_fops);
	debugfs_create_u32("dma_windows", 0400, hw->debugfs, &hw->dma.count);
	debugfs_create_u64("dma_errors", 0400, hw->debugfs, &hw->dma.errors);
	debugfs_create_u64("interrupt_ns", 0400, hw->debugfs, &hw->irq_ns);
	for (q = 0; q < FAXB_QUEUES; q++) {
		dir = debugfs_create_dir(queues[q], hw->debugfs);
		for (f = 0; f < FM_FAULTS; f++) {
			hw->knobs[q][f] = (struct sim_knob){ hw, q, f };
			debugfs_create_file(faults[f], 0200, dir, &hw->knobs[q][f], &knob_fops);
		}
	}
}

void sim_debugfs_init(void)
{
	root = debugfs_create_dir("faxsim", NULL);
}

void sim_debugfs_exit(void)
{
	debugfs_remove_recursive(root);
}

static struct sim_hw *hw_alloc(struct sim_board *board)
{
	struct fm_identity id = {
		.model = "faxsim",
		.serial = board->serial,
		.ieee1284 = "MFG:ifax;MDL:faxsim;CLS:PRINTER;CMD:T4,T6;",
	};
	struct sim_hw *hw = kzalloc(sizeof(*hw), GFP_KERNEL);

	if (!hw)
		return NULL;
	hw->board = board;
	hw->model = kvzalloc(sizeof(*hw->model), GFP_KERNEL);
	if (!hw->model)
		goto free;
	spin_lock_init(&hw->lock);
	spin_lock_init(&hw->irq_lock);
	sim_dma_init(&hw->dma);
	init_waitqueue_head(&hw->wait);
	init_irq_work(&hw->irq, hw_irq);
	if (fm_init(hw->model, &id, &hw_ops, hw))
		goto free;
	hw->id = ida_alloc(&ids, GFP_KERNEL);
	if (hw->id < 0)
		goto free;
	return hw;
free:
	kvfree(hw->model);
	kfree(hw);
	return NULL;
}

static void hw_free(struct sim_hw *hw)
{
	ida_free(&ids, hw->id);
	kvfree(hw->model);
	kfree(hw);
}

static void stop(struct sim_hw *hw)
{
	sim_paper_attach(&hw->board->paper, NULL);
	kthread_stop(hw->thread);
	irq_work_sync(&hw->irq);
	/* what lies in the engines comes out */
	sim_release(hw);
	sim_eject(hw);
}

struct sim_hw *sim_hw_plug(struct sim_board *board)
{
	struct sim_hw *hw = hw_alloc(board);
	int ret;

	if (!hw)
		return ERR_PTR(-ENOMEM);
	hw->thread = kthread_run(hw_thread, hw, "faxsim/%d", hw->id);
	if (IS_ERR(hw->thread)) {
		ret = PTR_ERR(hw->thread);
		goto free;
	}
	sim_paper_attach(&board->paper, hw);
	ret = sim_bus_add(hw);
	if (ret)
		goto stop;
	add_debugfs(hw);
	return hw;
stop:
	stop(hw);
free:
	hw_free(hw);
	return ERR_PTR(ret);
}

void sim_hw_unplug(struct sim_hw *hw)
{
	struct device *dev = get_device(hw->dev);

	debugfs_remove_recursive(hw->debugfs);
	sim_bus_remove(hw);
	stop(hw);
	sim_dma_exit(&hw->dma, dev);
	put_device(dev);
	hw_free(hw);
}
