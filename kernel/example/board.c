// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest complete board driver: one printer, which takes a band each
 * millisecond and shreds it. There is no hardware and no paper; what a driver of
 * real hardware does in its place stands in [brackets].
 *
 * kernel/README.md, "Bringing a board", walks through this file.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <fax/compat.h>
#include <fax/driver.h>

#define EXAMPLE_DEPTH	4
#define EXAMPLE_MAX_SG	64

/* chunk->priv[]: what a driver wants to remember with a chunk */
#define PRIV_CANCELED	0

/**
 * struct example - a board
 * @board: the core's
 * @printer: its only function
 * @lock: of all below
 * @queue: chunks that were started, the oldest first
 * @rows: printed so far
 * @engine: [the hardware and its interrupt]
 */
struct example {
	struct fax_board *board;
	struct fax_func *printer;
	spinlock_t lock;	/* see above */
	struct list_head queue;
	u32 rows;
	struct delayed_work engine;
};

/* [Put a descriptor with chunk->raw, nraw stretches of bus addresses, in a ring.] */
static int example_start(struct fax_func *func, struct fax_chunk *chunk)
{
	struct example *ex = fax_func_priv(func);
	unsigned long flags;

	chunk->priv[PRIV_CANCELED] = 0;
	spin_lock_irqsave(&ex->lock, flags);
	list_add_tail(&chunk->list, &ex->queue);
	spin_unlock_irqrestore(&ex->lock, flags);
	return 0;
}

/* [Ring the doorbell.] */
static void example_kick(struct fax_func *func)
{
	struct example *ex = fax_func_priv(func);

	queue_delayed_work(system_wq, &ex->engine, msecs_to_jiffies(1));
}

/* [Tell the board to give up the descriptors of this job; they complete as CANCELED.] */
static void example_abort(struct fax_func *func, struct fax_job *job)
{
	struct example *ex = fax_func_priv(func);
	struct fax_chunk *chunk;
	unsigned long flags;

	spin_lock_irqsave(&ex->lock, flags);
	list_for_each_entry(chunk, &ex->queue, list)
		if (chunk->job == job)
			chunk->priv[PRIV_CANCELED] = 1;
	spin_unlock_irqrestore(&ex->lock, flags);
}

/*
 * [Halt DMA, wait, bounded, until the board says it is halted, and until no
 * interrupt handler runs any more.] The chunks are the core's again afterwards:
 * they are forgotten, not completed.
 */
static int example_reset(struct fax_func *func, u32 level)
{
	struct example *ex = fax_func_priv(func);

	cancel_delayed_work_sync(&ex->engine);
	INIT_LIST_HEAD(&ex->queue);
	return 0;
}

/* [Read a counter of rows from a register.] */
static u32 example_progress(struct fax_func *func)
{
	struct example *ex = fax_func_priv(func);

	return READ_ONCE(ex->rows);
}

static const struct fax_ops example_ops = {
	.start = example_start,
	.kick = example_kick,
	.abort = example_abort,
	.reset = example_reset,
	.progress = example_progress,
};

/* Under the lock: what the board says of the oldest chunk, or NULL without one. */
static struct fax_chunk *example_finish(struct example *ex, struct fax_chunk_result *result)
{
	struct fax_chunk *chunk = list_first_entry_or_null(&ex->queue, struct fax_chunk, list);

	if (!chunk)
		return NULL;
	list_del(&chunk->list);
	*result = (struct fax_chunk_result){ .code = FAX_CODE_CANCELED };
	if (!chunk->priv[PRIV_CANCELED])
		*result = (struct fax_chunk_result){ .rows = chunk->rows };
	WRITE_ONCE(ex->rows, ex->rows + result->rows);
	return chunk;
}

/*
 * [The interrupt: take what is done from the completion ring.] A board that had
 * paper would call fax_func_event() here when it ran out, and add FAX_HW_WAITING
 * while a chunk cannot go on before someone brings more.
 */
static void example_engine(struct work_struct *work)
{
	struct example *ex = container_of(to_delayed_work(work), struct example, engine);
	struct fax_chunk_result result;
	struct fax_chunk *chunk;
	bool more;

	spin_lock_irq(&ex->lock);
	chunk = example_finish(ex, &result);
	more = !list_empty(&ex->queue);
	spin_unlock_irq(&ex->lock);
	if (chunk)
		fax_chunk_done(ex->printer, chunk, &result);
	if (more)
		queue_delayed_work(system_wq, &ex->engine, msecs_to_jiffies(1));
}

/* [Read what can be read from the hardware.] */
static const struct fax_func_desc example_printer = {
	.function = FAX_FUNC_PRINT,
	.caps = {
		.encodings = BIT(FAX_ENC_RAW),
		.width_min = 1728,
		.width_max = 1728,
		.nwidths = 1,
		.widths = { 1728 },
		.nresolutions = 1,
		.resolutions = { { FAX_RES_8_MM, FAX_RES_7_7_MM } },
		.rows_max = 4096,
		.fmt_flags = FAX_FMT_BLACK_IS_0,
	},
	.ops = &example_ops,
	.depth = EXAMPLE_DEPTH,
	.max_sg = EXAMPLE_MAX_SG,
};

static int example_probe(struct platform_device *pdev)
{
	struct fax_board_desc desc = {
		.model = "example",
		.dma_dev = &pdev->dev,
		.features = FAX_FEAT_SIMULATED,
		.owner = THIS_MODULE,
	};
	struct fax_func_desc printer = example_printer;
	struct example *ex;
	int ret;

	/* freed after remove(), and so after the core's last call */
	ex = devm_kzalloc(&pdev->dev, sizeof(*ex), GFP_KERNEL);
	if (!ex)
		return -ENOMEM;
	spin_lock_init(&ex->lock);
	INIT_LIST_HEAD(&ex->queue);
	INIT_DELAYED_WORK(&ex->engine, example_engine);
	platform_set_drvdata(pdev, ex);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	/* how long one stretch may be; 64 KiB if nothing is said */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);

	ex->board = fax_board_alloc(&pdev->dev, &desc);
	if (IS_ERR(ex->board))
		return PTR_ERR(ex->board);
	printer.priv = ex;
	ex->printer = fax_board_add_func(ex->board, &printer);
	ret = PTR_ERR_OR_ZERO(ex->printer);
	/* [The board is quiet and its interrupt set up by now: users come with this call.] */
	if (!ret)
		ret = fax_board_register(ex->board);
	if (ret)
		fax_board_put(ex->board);
	return ret;
}

/* [Behind fax_board_unregister() there is no DMA: free the interrupt, clear bus mastering.] */
static void example_remove(struct platform_device *pdev)
{
	struct example *ex = platform_get_drvdata(pdev);

	fax_board_unregister(ex->board);
}

static struct platform_driver example_driver = {
	.driver.name = "faxexample",
	.probe = example_probe,
	.FAX_PLATFORM_REMOVE = example_remove,
};

/* [Hardware comes by its bus, and this by module_pci_driver() or the like.] */
static struct platform_device *example_device;

static int __init example_init(void)
{
	int ret = platform_driver_register(&example_driver);

	if (ret)
		return ret;
	example_device = platform_device_register_simple("faxexample", PLATFORM_DEVID_NONE, NULL,
							 0);
	if (IS_ERR(example_device)) {
		platform_driver_unregister(&example_driver);
		return PTR_ERR(example_device);
	}
	return 0;
}

static void __exit example_exit(void)
{
	platform_device_unregister(example_device);
	platform_driver_unregister(&example_driver);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Facsimile board: the smallest complete driver, for those who write one");
