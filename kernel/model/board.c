// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The registers of the board. */
#include "internal.h"

unsigned long fm_lock(struct fm_board *b)
{
	return b->ops->lock ? b->ops->lock(b->owner) : 0;
}

void fm_unlock(struct fm_board *b, unsigned long flags)
{
	if (b->ops->unlock)
		b->ops->unlock(b->owner, flags);
}

/* Note @bits in INT_STATUS; the interrupt is an edge, raised even where a bit stood already. */
void fm_raise(struct fm_board *b, u32 bits)
{
	unsigned long flags = fm_lock(b);
	bool hit;

	b->int_status |= bits;
	hit = b->int_enable & bits;
	fm_unlock(b, flags);
	if (hit)
		b->ops->interrupt(b->owner);
}

bool fm_take_fault(struct fm_board *b, u32 q, enum fm_fault fault)
{
	unsigned long flags = fm_lock(b);
	u32 *left = &b->queue[q].fault[fault];
	bool hit = *left > 0;

	if (hit)
		--*left;
	fm_unlock(b, flags);
	return hit;
}

int fm_inject(struct fm_board *b, u32 q, enum fm_fault fault, u32 count)
{
	unsigned long flags;

	if (q >= FAXB_QUEUES || (u32)fault >= FM_FAULTS)
		return -EINVAL;
	flags = fm_lock(b);
	b->queue[q].fault[fault] = count;
	fm_unlock(b, flags);
	b->ops->doorbell(b->owner);
	return 0;
}

static void set_string(struct fm_board *b, u32 reg, u32 room, const char *s)
{
	u32 i;

	for (i = 0; s[i] && i + 1 < room; i++)
		b->reg[(reg + i) / 4] |= (u32)(u8)s[i] << 8 * ((reg + i) % 4);
}

/* IEEE 1284: two bytes of length, most significant first, themselves counted. */
static int set_ieee1284(struct fm_board *b, const char *s)
{
	size_t len = strlen(s) + 2;

	if (len > FAXB_IEEE1284_LEN - 1)
		return -EINVAL;
	b->reg[FAXB_IEEE1284 / 4] = (u32)(len >> 8 & 0xff) | (u32)(len & 0xff) << 8;
	set_string(b, FAXB_IEEE1284 + 2, FAXB_IEEE1284_LEN - 2, s);
	return 0;
}

static void set_paper_caps(struct fm_board *b, u32 caps)
{
	static const u32 widths[] = { 1728, 2048, 2432 };
	static const u32 res[][2] = {
		{ 8000, 3850 }, { 8000, 7700 }, { 8000, 15400 }, { 16000, 15400 },
		{ 11811, 11811 }, { 23622, 23622 },
	};
	u32 i;

	b->reg[(caps + FAXB_CAPS_ENCODINGS) / 4] = FAXB_BIT(FAXB_ENC_RAW);
	b->reg[(caps + FAXB_CAPS_WIDTH_MIN) / 4] = widths[0];
	b->reg[(caps + FAXB_CAPS_WIDTH_MAX) / 4] = FAXB_WIDTH_MAX;
	b->reg[(caps + FAXB_CAPS_ROWS_MAX) / 4] = FAXB_ROWS_MAX;
	b->reg[(caps + FAXB_CAPS_FMT_FLAGS) / 4] = FAXB_FMT_BLACK_IS_0;
	b->reg[(caps + FAXB_CAPS_NWIDTHS) / 4] = ARRAY_SIZE(widths);
	for (i = 0; i < ARRAY_SIZE(widths); i++)
		b->reg[(caps + FAXB_CAPS_WIDTHS) / 4 + i] = widths[i];
	b->reg[(caps + FAXB_CAPS_NRES) / 4] = ARRAY_SIZE(res);
	for (i = 0; i < ARRAY_SIZE(res); i++) {
		b->reg[(caps + FAXB_CAPS_RES) / 4 + 2 * i] = res[i][0];
		b->reg[(caps + FAXB_CAPS_RES) / 4 + 2 * i + 1] = res[i][1];
	}
}

static void set_coder_caps(struct fm_board *b, u32 caps)
{
	u32 codings = FAXB_BIT(FAXB_ENC_MH) | FAXB_BIT(FAXB_ENC_MR) | FAXB_BIT(FAXB_ENC_MMR);

	b->reg[(caps + FAXB_CAPS_ENCODINGS) / 4] = codings;
	b->reg[(caps + FAXB_CAPS_DECODINGS) / 4] = codings;
	b->reg[(caps + FAXB_CAPS_WIDTH_MIN) / 4] = 1;
	b->reg[(caps + FAXB_CAPS_WIDTH_MAX) / 4] = FAXB_WIDTH_MAX;
	b->reg[(caps + FAXB_CAPS_ROWS_MAX) / 4] = FAXB_ROWS_MAX;
	b->reg[(caps + FAXB_CAPS_FMT_FLAGS) / 4] =
		FAXB_FMT_LSB_FIRST | FAXB_FMT_BLACK_IS_0 | FAXB_FMT_EOL | FAXB_FMT_EOL_ALIGN |
		FAXB_FMT_END | FAXB_FMT_WHITEN;
}

int fm_init(struct fm_board *b, const struct fm_identity *id, const struct fm_owner_ops *ops,
	    void *owner)
{
	memset(b, 0, sizeof(*b));
	b->ops = ops;
	b->owner = owner;
	b->reg[FAXB_ID / 4] = FAXB_ID_VALUE;
	b->reg[FAXB_VERSION / 4] = FAXB_VERSION_MAJOR << 16;
	b->reg[FAXB_FEATURES / 4] = FAXB_BIT(FAXB_QUEUES) - 1;
	b->reg[FAXB_MAX_SG / 4] = FM_MAX_SG;
	b->reg[FAXB_CONTEXTS / 4] = FM_CONTEXTS;
	b->reg[FAXB_RING_LOG2_MAX / 4] = FM_RING_LOG2_MAX;
	set_string(b, FAXB_SERIAL, FAXB_SERIAL_LEN, id->serial);
	set_string(b, FAXB_MODEL, FAXB_MODEL_LEN, id->model);
	set_paper_caps(b, FAXB_CAPS(0));
	set_paper_caps(b, FAXB_CAPS(1));
	set_coder_caps(b, FAXB_CAPS(2));
	return set_ieee1284(b, id->ieee1284);
}

static u32 queue_status(const struct fm_queue *q)
{
	return (q->enabled ? FAXB_Q_STATUS_ENABLED : 0) | (q->reset ? FAXB_Q_STATUS_RESET : 0) |
	       (q->error ? FAXB_Q_STATUS_ERROR : 0) | q->status;
}

static u32 board_status(const struct fm_board *b)
{
	u32 q, val = b->reset ? FAXB_STATUS_RESET : 0;

	for (q = 0; q < FAXB_QUEUES; q++)
		if (b->queue[q].error)
			val |= FAXB_STATUS_FAULT;
	return val;
}

static u32 read_queue(const struct fm_queue *q, u32 reg)
{
	switch (reg) {
	case FAXB_Q_SQ_LO:
		return (u32)q->sq;
	case FAXB_Q_SQ_HI:
		return (u32)(q->sq >> 32);
	case FAXB_Q_CQ_LO:
		return (u32)q->cq;
	case FAXB_Q_CQ_HI:
		return (u32)(q->cq >> 32);
	case FAXB_Q_LOG2:
		return q->log2;
	case FAXB_Q_CTRL:
		return q->enabled ? FAXB_Q_CTRL_ENABLE : 0;
	case FAXB_Q_STATUS:
		return queue_status(q);
	case FAXB_Q_HEAD:
		return q->head;
	case FAXB_Q_DONE:
		return q->done;
	case FAXB_Q_ABORT:
		return q->abort;
	case FAXB_Q_ROWS:
		return q->rows;
	default:
		return 0;
	}
}

static bool is_queue_reg(u32 reg)
{
	return reg >= FAXB_QUEUE(0) && reg < FAXB_QUEUE(FAXB_QUEUES);
}

u32 fm_read32(struct fm_board *b, u32 reg)
{
	unsigned long flags;
	u32 val;

	if (reg % 4 || reg >= FM_REG_WORDS * 4)
		return 0;
	flags = fm_lock(b);
	if (reg == FAXB_STATUS)
		val = board_status(b);
	else if (reg == FAXB_INT_STATUS)
		val = b->int_status;
	else if (reg == FAXB_INT_ENABLE)
		val = b->int_enable;
	else if (is_queue_reg(reg))
		val = read_queue(&b->queue[(reg - FAXB_QUEUE(0)) / 0x40], reg & 0x3f);
	else
		val = b->reg[reg / 4];
	fm_unlock(b, flags);
	return val;
}

static void queue_ctrl(struct fm_queue *q, u32 val)
{
	if (val & FAXB_Q_CTRL_RESET) {
		q->reset = true;
		q->enabled = false;
	} else if (val & FAXB_Q_CTRL_ENABLE && !q->enabled && !q->reset &&
		   q->log2 >= FAXB_RING_LOG2_MIN && q->log2 <= FM_RING_LOG2_MAX) {
		q->enabled = true;
		q->head = 0;
		q->done = 0;
		q->rows = 0;
	}
}

/* Returns whether the engines have to look. */
static bool write_queue(struct fm_queue *q, u32 reg, u32 val)
{
	if (reg == FAXB_Q_CTRL) {
		queue_ctrl(q, val);
		return true;
	}
	if (reg == FAXB_Q_ABORT) {
		q->abort = val;
		return true;
	}
	/* the rings cannot move under an engine */
	if (q->enabled || q->reset)
		return false;
	if (reg == FAXB_Q_SQ_LO)
		q->sq = (q->sq & ~0xffffffffull) | (val & ~63u);
	else if (reg == FAXB_Q_SQ_HI)
		q->sq = (q->sq & 0xffffffffu) | (u64)val << 32;
	else if (reg == FAXB_Q_CQ_LO)
		q->cq = (q->cq & ~0xffffffffull) | (val & ~63u);
	else if (reg == FAXB_Q_CQ_HI)
		q->cq = (q->cq & 0xffffffffu) | (u64)val << 32;
	else if (reg == FAXB_Q_LOG2)
		q->log2 = val;
	return false;
}

static bool write_ctrl(struct fm_board *b, u32 val)
{
	u32 q;

	if (!(val & FAXB_CTRL_RESET))
		return false;
	b->reset = true;
	for (q = 0; q < FAXB_QUEUES; q++)
		queue_ctrl(&b->queue[q], FAXB_Q_CTRL_RESET);
	return true;
}

static bool ring_doorbell(struct fm_board *b, u32 reg)
{
	u32 q = (reg - FAXB_DOORBELL(0)) / 4;

	if (q >= FAXB_QUEUES)
		return false;
	b->queue[q].rung = true;
	return true;
}

void fm_write32(struct fm_board *b, u32 reg, u32 val)
{
	unsigned long flags;
	bool look = false, edge = false;

	if (reg % 4)
		return;
	flags = fm_lock(b);
	if (reg >= FAXB_DOORBELL(0)) {
		look = ring_doorbell(b, reg);
	} else if (reg == FAXB_CTRL) {
		look = write_ctrl(b, val);
	} else if (reg == FAXB_INT_STATUS) {
		b->int_status &= ~val;
	} else if (reg == FAXB_INT_ENABLE) {
		b->int_enable = val & FAXB_INT_ALL;
		edge = b->int_status & b->int_enable;
	} else if (is_queue_reg(reg)) {
		look = write_queue(&b->queue[(reg - FAXB_QUEUE(0)) / 0x40], reg & 0x3f, val);
	}
	fm_unlock(b, flags);
	if (edge)
		b->ops->interrupt(b->owner);
	if (look)
		b->ops->doorbell(b->owner);
}

void fm_set_paper(struct fm_board *b, u32 engine, u32 cond, u32 width_um, u32 height_um)
{
	u32 *reg = &b->reg[FAXB_PAPER(engine) / 4];
	unsigned long flags = fm_lock(b);
	bool changed = reg[FAXB_PAPER_COND / 4] != cond;

	reg[FAXB_PAPER_COND / 4] = cond;
	reg[FAXB_PAPER_WIDTH / 4] = width_um;
	reg[FAXB_PAPER_HEIGHT / 4] = height_um;
	fm_unlock(b, flags);
	if (changed)
		fm_raise(b, engine == FAXB_Q_SCAN ? FAXB_INT_COND_SCAN : FAXB_INT_COND_PRINT);
	b->ops->doorbell(b->owner);
}

int fm_run(struct fm_board *b)
{
	bool pending, more = false, waiting = false;
	unsigned long flags;
	u32 q;

	for (q = 0; q < FAXB_QUEUES; q++) {
		int ret = fm_run_queue(b, q);

		more |= ret == FM_MORE;
		waiting |= ret == FM_WAITING;
	}

	/* a board reset is done when the last queue's is */
	flags = fm_lock(b);
	pending = false;
	for (q = 0; q < FAXB_QUEUES; q++)
		pending |= b->queue[q].reset;
	b->reset &= pending;
	fm_unlock(b, flags);
	return more ? FM_MORE : waiting ? FM_WAITING : FM_IDLE;
}
