// SPDX-License-Identifier: GPL-2.0
/* What the core asks of the board's functions, and the interrupt. */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "internal.h"

void faxb_set_gone(struct faxb *b)
{
	if (!xchg(&b->gone, true) && !READ_ONCE(b->deaf))
		fax_board_fault(b->board, FAX_CODE_GONE);
}

/* 0, or why the board does nothing any more. */
static int out_of_order(struct faxb *b)
{
	if (READ_ONCE(b->gone))
		return -ENODEV;
	return READ_ONCE(b->cut) ? -EIO : 0;
}

static int faxb_check(struct fax_func *func, struct fax_job_params *params)
{
	struct faxb_func *f = fax_func_priv(func);
	int ret = out_of_order(f->b);

	if (ret)
		return ret;
	if (params->fmt.k > 255 || params->fmt.width > FAXB_WIDTH_MAX ||
	    params->fmt.rows > FAXB_ROWS_MAX)
		return -EINVAL;
	return 0;
}

static int faxb_start(struct fax_func *func, struct fax_chunk *chunk)
{
	struct faxb_func *f = fax_func_priv(func);
	int ret = out_of_order(f->b);

	if (ret)
		return ret;
	if (chunk->op < FAX_OP_SCAN || chunk->op > FAX_OP_DECODE ||
	    !(f->queues & BIT(chunk->op - 1)) || chunk->rows > FAXB_ROWS_MAX)
		return -EINVAL;
	return faxb_queue_start(&f->b->queue[chunk->op - 1], chunk);
}

/* Doorbells carry no value: OWN in the ring says how far it goes. */
static void faxb_kick(struct fax_func *func)
{
	struct faxb_func *f = fax_func_priv(func);
	unsigned long queues = f->queues;
	u32 q;

	for_each_set_bit(q, &queues, FAXB_QUEUES)
		faxb_write(f->b, FAXB_DOORBELL(q), 1);
}

static void faxb_abort(struct fax_func *func, struct fax_job *job)
{
	struct faxb_func *f = fax_func_priv(func);
	unsigned long queues = f->queues;
	u32 q;

	for_each_set_bit(q, &queues, FAXB_QUEUES)
		faxb_queue_abort(&f->b->queue[q], job);
}

/* Queues are reset at the same time, and have one deadline: @end, in jiffies. */
static int wait_reset(struct faxb *b, u32 q, unsigned long end)
{
	bool late = false;
	u32 status;

	for (;;) {
		status = faxb_read(b, FAXB_QUEUE(q) + FAXB_Q_STATUS);
		if (status == FAXB_ALL_ONES)
			return -ENODEV;
		if (!(status & FAXB_Q_STATUS_RESET))
			return 0;
		if (late)
			return -ETIMEDOUT;
		usleep_range(200, 1000);
		late = time_after(jiffies, end);
	}
}

/* 0 once the DMA of these queues has ceased. */
static int reset_and_wait(struct faxb *b, unsigned long queues)
{
	unsigned long end;
	int ret = 0, err;
	u32 q;

	for_each_set_bit(q, &queues, FAXB_QUEUES)
		faxb_write(b, FAXB_QUEUE(q) + FAXB_Q_CTRL, FAXB_Q_CTRL_RESET);
	end = jiffies + msecs_to_jiffies(b->desc.reset_ms) + 1;
	for_each_set_bit(q, &queues, FAXB_QUEUES) {
		err = wait_reset(b, q, end);
		if (err)
			ret = err;
	}
	return ret;
}

/* The board did not do as promised. It does no DMA from here on, whatever it thinks it does. */
static void cut_off(struct faxb *b, int why)
{
	b->desc.ops->halt(b->desc.io);
	if (why == -ENODEV) {
		faxb_set_gone(b);
	} else if (!xchg(&b->cut, true)) {
		dev_err(b->desc.dev, "no answer to a reset: cut off\n");
		if (!READ_ONCE(b->deaf))
			fax_board_fault(b->board, FAX_CODE_RESET);
	}
}

static int halt_queues(struct faxb *b, unsigned long queues)
{
	int ret = out_of_order(b);

	if (ret) {
		b->desc.ops->halt(b->desc.io);
		return ret;
	}
	ret = reset_and_wait(b, queues);
	if (ret)
		cut_off(b, ret);
	return ret;
}

/*
 * On return no DMA of these queues is in flight and none of their chunks is
 * held, even if the board did not answer.
 */
int faxb_reset_queues(struct faxb *b, u32 mask)
{
	unsigned long queues = mask;
	int ret;
	u32 q;

	for_each_set_bit(q, &queues, FAXB_QUEUES)
		faxb_queue_stop(&b->queue[q]);
	ret = halt_queues(b, queues);
	b->desc.ops->sync_irq(b->desc.io);
	for_each_set_bit(q, &queues, FAXB_QUEUES) {
		faxb_queue_forget(&b->queue[q]);
		if (!ret && !b->deaf)
			faxb_queue_enable(&b->queue[q]);
	}
	return ret;
}

static int faxb_reset(struct fax_func *func, u32 level)
{
	struct faxb_func *f = fax_func_priv(func);

	return faxb_reset_queues(f->b, level == FAX_RESET_FUNC ? f->queues :
						BIT(FAXB_QUEUES) - 1);
}

static u32 read_conditions(struct faxb *b, u32 paper)
{
	return faxb_read(b, FAXB_PAPER(paper) + FAXB_PAPER_COND);
}

static int faxb_status(struct fax_func *func, struct fax_hw_status *status)
{
	struct faxb_func *f = fax_func_priv(func);
	struct faxb *b = f->b;

	memset(status, 0, sizeof(*status));
	if (faxb_read(b, FAXB_ID) != FAXB_ID_VALUE) {
		faxb_set_gone(b);
		return -ENODEV;
	}
	if (f->paper == FAXB_QUEUES)
		return 0;
	status->conditions = read_conditions(b, f->paper) & 0xff;
	status->paper_width = faxb_read(b, FAXB_PAPER(f->paper) + FAXB_PAPER_WIDTH);
	status->paper_height = faxb_read(b, FAXB_PAPER(f->paper) + FAXB_PAPER_HEIGHT);
	return 0;
}

static u32 faxb_progress(struct fax_func *func)
{
	struct faxb_func *f = fax_func_priv(func);
	unsigned long queues = f->queues;
	u32 q, got, rows = 0;

	for_each_set_bit(q, &queues, FAXB_QUEUES) {
		got = faxb_read(f->b, FAXB_QUEUE(q) + FAXB_Q_ROWS);
		/* a count gets there as well: only the id says that the board was pulled */
		if (got == FAXB_ALL_ONES && faxb_read(f->b, FAXB_ID) != FAXB_ID_VALUE)
			faxb_set_gone(f->b);
		rows += got;
	}
	return rows;
}

static const struct fax_ops faxb_ops = {
	.check = faxb_check,
	.start = faxb_start,
	.kick = faxb_kick,
	.abort = faxb_abort,
	.reset = faxb_reset,
	.status = faxb_status,
	.progress = faxb_progress,
};

static void report_conditions(struct faxb *b, struct faxb_func *f)
{
	u32 status = faxb_read(b, FAXB_QUEUE(f->paper) + FAXB_Q_STATUS);
	u32 cond = read_conditions(b, f->paper);

	if (cond == FAXB_ALL_ONES || status == FAXB_ALL_ONES)
		faxb_set_gone(b);
	else
		fax_func_event(f->func, (cond & 0xff) |
			       (status & FAXB_Q_STATUS_WAITING ? FAX_HW_WAITING : 0));
}

static void report_events(struct faxb *b, u32 status)
{
	if (status & FAXB_INT_COND_SCAN)
		report_conditions(b, b->queue[FAXB_Q_SCAN].func);
	if (status & FAXB_INT_COND_PRINT)
		report_conditions(b, b->queue[FAXB_Q_PRINT].func);
	if (status & FAXB_INT_FAULT)
		fax_board_fault(b->board, FAX_CODE_DMA);
}

/**
 * faxb_interrupt - what the board's interrupt has to do
 * @b: board
 *
 * May be called from any context, but not twice at a time for one board.
 *
 * Return: whether the board had raised it.
 */
bool faxb_interrupt(struct faxb *b)
{
	u32 q, status;

	if (READ_ONCE(b->asleep))
		return false;
	status = faxb_read(b, FAXB_INT_STATUS);
	if (!status)
		return false;
	if (status == FAXB_ALL_ONES) {
		faxb_set_gone(b);
		return false;
	}
	/* cleared before looking: what comes later raises it anew */
	faxb_write(b, FAXB_INT_STATUS, status);
	/* that a descriptor waits no more is told before it is done */
	if (!READ_ONCE(b->deaf))
		report_events(b, status);
	for (q = 0; q < FAXB_QUEUES; q++)
		if (status & BIT(q))
			faxb_queue_reap(&b->queue[q]);
	return true;
}
EXPORT_SYMBOL_GPL(faxb_interrupt);

static void read_string(struct faxb *b, u32 reg, char *to, u32 len)
{
	u32 i, val;

	for (i = 0; i < len; i += 4) {
		val = faxb_read(b, reg + i);
		to[i] = val & 0xff;
		to[i + 1] = val >> 8 & 0xff;
		to[i + 2] = val >> 16 & 0xff;
		to[i + 3] = val >> 24 & 0xff;
	}
	to[len - 1] = '\0';
}

/* The string as IEEE 1284 has it, without its length; NULL where the board has none. */
static char *read_ieee1284(struct faxb *b)
{
	char *id = kzalloc(FAXB_IEEE1284_LEN, GFP_KERNEL);
	u32 len;

	if (!id)
		return NULL;
	read_string(b, FAXB_IEEE1284, id, FAXB_IEEE1284_LEN);
	len = (u8)id[0] << 8 | (u8)id[1];
	if (len <= 2 || len >= FAXB_IEEE1284_LEN) {
		kfree(id);
		return NULL;
	}
	memmove(id, id + 2, len - 2);
	id[len - 2] = '\0';
	return id;
}

static void read_caps(struct faxb *b, u32 f, struct fax_caps *caps)
{
	u32 i, base = FAXB_CAPS(f);

	memset(caps, 0, sizeof(*caps));
	caps->encodings = faxb_read(b, base + FAXB_CAPS_ENCODINGS) & FAXB_ENC_ALL;
	caps->decodings = faxb_read(b, base + FAXB_CAPS_DECODINGS) & FAXB_ENC_ALL;
	caps->width_min = faxb_read(b, base + FAXB_CAPS_WIDTH_MIN);
	caps->width_max = min(faxb_read(b, base + FAXB_CAPS_WIDTH_MAX), FAXB_WIDTH_MAX);
	caps->rows_max = min(faxb_read(b, base + FAXB_CAPS_ROWS_MAX), FAXB_ROWS_MAX);
	caps->fmt_flags = faxb_read(b, base + FAXB_CAPS_FMT_FLAGS) & FAX_FMT_FLAGS;
	caps->nwidths = min(faxb_read(b, base + FAXB_CAPS_NWIDTHS), FAXB_CAPS_WIDTHS_LEN);
	caps->nresolutions = min(faxb_read(b, base + FAXB_CAPS_NRES), FAXB_CAPS_RES_LEN);
	for (i = 0; i < caps->nwidths; i++)
		caps->widths[i] = faxb_read(b, base + FAXB_CAPS_WIDTHS + 4 * i);
	for (i = 0; i < caps->nresolutions; i++) {
		caps->resolutions[i].x = faxb_read(b, base + FAXB_CAPS_RES + 8 * i);
		caps->resolutions[i].y = faxb_read(b, base + FAXB_CAPS_RES + 8 * i + 4);
	}
}

static const struct {
	u32 function;
	u32 queues;
	u32 paper;
} functions[FAXB_FUNCS] = {
	{ FAX_FUNC_SCAN, BIT(FAXB_Q_SCAN), FAXB_Q_SCAN },
	{ FAX_FUNC_PRINT, BIT(FAXB_Q_PRINT), FAXB_Q_PRINT },
	{ FAX_FUNC_CODEC, BIT(FAXB_Q_ENCODE) | BIT(FAXB_Q_DECODE), FAXB_QUEUES },
};

static int add_func(struct faxb *b, u32 i, const char *ieee1284)
{
	struct faxb_func *f = &b->func[i];
	unsigned long queues = functions[i].queues;
	struct fax_func_desc *desc;
	u32 q;
	int ret;

	f->b = b;
	f->queues = functions[i].queues;
	f->paper = functions[i].paper;
	for_each_set_bit(q, &queues, FAXB_QUEUES) {
		ret = faxb_queue_init(b, q, f);
		if (ret)
			return ret;
	}

	desc = kzalloc(sizeof(*desc), GFP_KERNEL);
	if (!desc)
		return -ENOMEM;
	desc->function = functions[i].function;
	read_caps(b, i, &desc->caps);
	desc->ops = &faxb_ops;
	desc->priv = f;
	desc->depth = FAXB_RING_ENTRIES;
	if (desc->function == FAX_FUNC_CODEC)
		desc->contexts = min(faxb_read(b, FAXB_CONTEXTS), 256u);
	desc->max_sg = b->max_sg;
	desc->progress_ms = 10000;
	desc->ieee1284_id = ieee1284;
	f->func = fax_board_add_func(b->board, desc);
	kfree(desc);
	return PTR_ERR_OR_ZERO(f->func);
}

static int identify(struct faxb *b)
{
	u32 all = BIT(FAXB_QUEUES) - 1;

	if (faxb_read(b, FAXB_ID) != FAXB_ID_VALUE)
		return dev_err_probe(b->desc.dev, -ENODEV, "not a fax board\n");
	if (faxb_read(b, FAXB_VERSION) >> 16 != FAXB_VERSION_MAJOR)
		return dev_err_probe(b->desc.dev, -ENODEV, "register map %#x is not known\n",
				     faxb_read(b, FAXB_VERSION));
	if ((faxb_read(b, FAXB_FEATURES) & all) != all ||
	    faxb_read(b, FAXB_RING_LOG2_MAX) < FAXB_RING_LOG2)
		return dev_err_probe(b->desc.dev, -ENODEV, "queues missing or too short\n");
	b->max_sg = min(faxb_read(b, FAXB_MAX_SG), FAXB_SG_MAX);
	if (b->max_sg < 2 || !faxb_read(b, FAXB_CONTEXTS))
		return dev_err_probe(b->desc.dev, -ENODEV, "no scatter lists or contexts\n");
	return 0;
}

static int add_functions(struct faxb *b)
{
	char serial[FAXB_SERIAL_LEN], model[FAXB_MODEL_LEN];
	struct fax_board_desc desc = {
		.model = model,
		.serial = serial,
		.dma_dev = b->desc.dev,
		.features = b->desc.features,
		.owner = b->desc.owner,
	};
	char *ieee1284;
	int ret = 0;
	u32 i;

	read_string(b, FAXB_SERIAL, serial, sizeof(serial));
	read_string(b, FAXB_MODEL, model, sizeof(model));
	b->board = fax_board_alloc(b->desc.dev, &desc);
	if (IS_ERR(b->board)) {
		ret = PTR_ERR(b->board);
		b->board = NULL;
		return ret;
	}
	ieee1284 = read_ieee1284(b);
	for (i = 0; i < FAXB_FUNCS && !ret; i++)
		ret = add_func(b, i, ieee1284);
	kfree(ieee1284);
	return ret;
}

/**
 * faxb_create - make a board of what the registers say
 * @desc: how to reach it; copied
 *
 * The board is reset and quiet afterwards, and not yet known to users.
 *
 * Return: the board, to be freed with faxb_free(), or an ERR_PTR().
 */
struct faxb *faxb_create(const struct faxb_desc *desc)
{
	struct faxb *b = kzalloc(sizeof(*b), GFP_KERNEL);
	int ret;

	if (!b)
		return ERR_PTR(-ENOMEM);
	b->desc = *desc;
	if (!b->desc.reset_ms)
		b->desc.reset_ms = FAXB_RESET_MS;
	ret = identify(b);
	if (ret)
		goto fail;
	faxb_write(b, FAXB_INT_ENABLE, 0);
	ret = reset_and_wait(b, BIT(FAXB_QUEUES) - 1);
	if (!ret)
		ret = add_functions(b);
	if (ret)
		goto fail;
	return b;
fail:
	faxb_free(b);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(faxb_create);

/**
 * faxb_register - let users in
 * @b: board, whose interrupt is set up
 *
 * Return: 0 or -errno; then only faxb_free() may follow.
 */
int faxb_register(struct faxb *b)
{
	u32 q;
	int ret;

	for (q = 0; q < FAXB_QUEUES; q++) {
		faxb_queue_forget(&b->queue[q]);
		faxb_queue_enable(&b->queue[q]);
	}
	ret = fax_board_register(b->board);
	if (ret) {
		WRITE_ONCE(b->deaf, true);
		faxb_reset_queues(b, BIT(FAXB_QUEUES) - 1);
		return ret;
	}
	faxb_debugfs_add(b);
	/* what completed meanwhile raises it now */
	faxb_write(b, FAXB_INT_ENABLE, FAXB_INT_ALL);
	return 0;
}
EXPORT_SYMBOL_GPL(faxb_register);

/**
 * faxb_suspend - the board is about to lose power
 * @b: a registered board; one that is suspended already is left alone
 *
 * On return it does no DMA, raises no interrupt, and its registers are not
 * touched until faxb_resume().
 */
void faxb_suspend(struct faxb *b)
{
	if (b->asleep)
		return;
	fax_board_suspend(b->board);
	faxb_write(b, FAXB_INT_ENABLE, 0);
	b->desc.ops->sync_irq(b->desc.io);
	WRITE_ONCE(b->asleep, true);
}
EXPORT_SYMBOL_GPL(faxb_suspend);

/**
 * faxb_resume - the board has its power again
 * @b: board; one that is not suspended is left alone
 *
 * Its registers need not have kept anything.
 *
 * Return: 0, or -errno: the board is gone or does not answer, and stays as it is.
 */
int faxb_resume(struct faxb *b)
{
	int ret;

	if (!b->asleep)
		return 0;
	if (faxb_read(b, FAXB_ID) != FAXB_ID_VALUE) {
		faxb_set_gone(b);
		return -ENODEV;
	}
	faxb_write(b, FAXB_INT_ENABLE, 0);
	ret = faxb_reset_queues(b, BIT(FAXB_QUEUES) - 1);
	if (ret)
		return ret;
	WRITE_ONCE(b->asleep, false);
	report_conditions(b, b->queue[FAXB_Q_SCAN].func);
	report_conditions(b, b->queue[FAXB_Q_PRINT].func);
	faxb_write(b, FAXB_INT_ENABLE, FAXB_INT_ALL);
	fax_board_resume(b->board);
	return 0;
}
EXPORT_SYMBOL_GPL(faxb_resume);

/**
 * faxb_unregister - part from the users
 * @b: board
 *
 * On return the board does no DMA and raises no interrupt, or is not there.
 */
void faxb_unregister(struct faxb *b)
{
	faxb_debugfs_remove(b);
	/* functions may vanish under an event from here on; completions come until the reset */
	WRITE_ONCE(b->deaf, true);
	b->desc.ops->sync_irq(b->desc.io);
	fax_board_unregister(b->board);
	b->board = NULL;
	faxb_write(b, FAXB_INT_ENABLE, 0);
	faxb_reset_queues(b, BIT(FAXB_QUEUES) - 1);
}
EXPORT_SYMBOL_GPL(faxb_unregister);

/**
 * faxb_free - give back what faxb_create() took
 * @b: board; its interrupt does not come any more
 */
void faxb_free(struct faxb *b)
{
	u32 q;

	if (b->board)
		fax_board_put(b->board);
	for (q = 0; q < FAXB_QUEUES; q++)
		if (b->queue[q].b)
			faxb_queue_free(&b->queue[q]);
	kfree(b);
}
EXPORT_SYMBOL_GPL(faxb_free);
