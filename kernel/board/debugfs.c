// SPDX-License-Identifier: GPL-2.0
/* What a board's registers and rings hold, for people who debug one. No ABI. */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "internal.h"

static struct dentry *root;

static const struct {
	const char *name;
	u32 reg;
} global_regs[] = {
	{ "id", FAXB_ID },
	{ "version", FAXB_VERSION },
	{ "features", FAXB_FEATURES },
	{ "status", FAXB_STATUS },
	{ "int_status", FAXB_INT_STATUS },
	{ "int_enable", FAXB_INT_ENABLE },
	{ "max_sg", FAXB_MAX_SG },
	{ "contexts", FAXB_CONTEXTS },
	{ "scan_cond", FAXB_PAPER(FAXB_Q_SCAN) + FAXB_PAPER_COND },
	{ "scan_width_um", FAXB_PAPER(FAXB_Q_SCAN) + FAXB_PAPER_WIDTH },
	{ "scan_height_um", FAXB_PAPER(FAXB_Q_SCAN) + FAXB_PAPER_HEIGHT },
	{ "print_cond", FAXB_PAPER(FAXB_Q_PRINT) + FAXB_PAPER_COND },
	{ "print_width_um", FAXB_PAPER(FAXB_Q_PRINT) + FAXB_PAPER_WIDTH },
	{ "print_height_um", FAXB_PAPER(FAXB_Q_PRINT) + FAXB_PAPER_HEIGHT },
};

static const struct {
	const char *name;
	u32 reg;
} queue_regs[] = {
	{ "sq_lo", FAXB_Q_SQ_LO },
	{ "sq_hi", FAXB_Q_SQ_HI },
	{ "cq_lo", FAXB_Q_CQ_LO },
	{ "cq_hi", FAXB_Q_CQ_HI },
	{ "log2", FAXB_Q_LOG2 },
	{ "status", FAXB_Q_STATUS },
	{ "head", FAXB_Q_HEAD },
	{ "done", FAXB_Q_DONE },
	{ "abort", FAXB_Q_ABORT },
	{ "rows", FAXB_Q_ROWS },
};

static const char * const queue_names[FAXB_QUEUES] = {
	[FAXB_Q_SCAN] = "scan",
	[FAXB_Q_PRINT] = "print",
	[FAXB_Q_ENCODE] = "encode",
	[FAXB_Q_DECODE] = "decode",
};

static int registers_show(struct seq_file *m, void *unused)
{
	struct faxb *b = m->private;
	u32 i, q;

	if (READ_ONCE(b->asleep)) {
		seq_puts(m, "suspended\n");
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(global_regs); i++)
		seq_printf(m, "%s %#x\n", global_regs[i].name, faxb_read(b, global_regs[i].reg));
	for (q = 0; q < FAXB_QUEUES; q++)
		for (i = 0; i < ARRAY_SIZE(queue_regs); i++)
			seq_printf(m, "%s.%s %#x\n", queue_names[q], queue_regs[i].name,
				   faxb_read(b, FAXB_QUEUE(q) + queue_regs[i].reg));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(registers);

static void show_queue(struct seq_file *m, struct faxb_queue *q)
{
	unsigned long flags;
	u32 i, w;

	spin_lock_irqsave(&q->lock, flags);
	seq_printf(m, "%s gen %u head %u tail %u%s%s abort %#x\n", queue_names[q->nr], q->gen,
		   q->head, q->tail, q->stopped ? " stopped" : "", q->hungry ? " hungry" : "",
		   q->abort);
	for (i = q->head; i != q->tail; i++) {
		const __le32 *e = q->rings + i % FAXB_RING_ENTRIES * FAXB_SQE_WORDS;

		seq_printf(m, " %u%s:", i % FAXB_RING_ENTRIES,
			   q->slot[i % FAXB_RING_ENTRIES].abort ? " abort" : "");
		for (w = 0; w < FAXB_SQE_WORDS; w++)
			seq_printf(m, " %08x", le32_to_cpu(e[w]));
		seq_putc(m, '\n');
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

static int rings_show(struct seq_file *m, void *unused)
{
	struct faxb *b = m->private;
	u32 q;

	for (q = 0; q < FAXB_QUEUES; q++)
		show_queue(m, &b->queue[q]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(rings);

void faxb_debugfs_init(void)
{
	root = debugfs_create_dir("faxboard", NULL);
}

void faxb_debugfs_exit(void)
{
	debugfs_remove_recursive(root);
}

void faxb_debugfs_add(struct faxb *b)
{
	b->debugfs = debugfs_create_dir(dev_name(b->desc.dev), root);
	debugfs_create_file("registers", 0400, b->debugfs, b, &registers_fops);
	debugfs_create_file("rings", 0400, b->debugfs, b, &rings_fops);
}

void faxb_debugfs_remove(struct faxb *b)
{
	debugfs_remove_recursive(b->debugfs);
	b->debugfs = NULL;
}
