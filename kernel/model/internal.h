/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Between the files of the model. */
#ifndef FAX_MODEL_INTERNAL_H
#define FAX_MODEL_INTERNAL_H

#include "model.h"

#ifdef __KERNEL__
#include <linux/kernel.h>
#include <linux/math64.h>
#else
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* Besides FAXB_CODE_* and FM_WAIT, what a step of an engine says: not done yet. */
#define FM_STEP_MORE	(-2)
/* Likewise: not before people did something. */
#define FM_STEP_HOLD	(-3)

/* rows that an engine moves before the other queues have their turn */
#define FM_STEP_ROWS	64u

static inline u32 fm_min(u32 a, u32 b)
{
	return a < b ? a : b;
}

static inline u64 fm_div(u64 n, u32 by)
{
#ifdef __KERNEL__
	return div_u64(n, by);
#else
	return n / by;
#endif
}

static inline u32 fm_get_le32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static inline void fm_put_le32(u8 *p, u32 v)
{
	p[0] = v & 0xff;
	p[1] = v >> 8 & 0xff;
	p[2] = v >> 16 & 0xff;
	p[3] = v >> 24 & 0xff;
}

/* board.c */
unsigned long fm_lock(struct fm_board *b);
void fm_unlock(struct fm_board *b, unsigned long flags);
void fm_raise(struct fm_board *b, u32 bits);
bool fm_take_fault(struct fm_board *b, u32 q, enum fm_fault fault);

/* queue.c */
int fm_run_queue(struct fm_board *b, u32 q);

/* dma.c: 0 or FAXB_CODE_* */
void fm_cursor_init(struct fm_cursor *c, u32 count, u32 lo, u32 hi, u32 len);
int fm_cursor_read(struct fm_board *b, u32 q, struct fm_cursor *c, u8 *buf, u32 len);
int fm_cursor_write(struct fm_board *b, u32 q, struct fm_cursor *c, const u8 *buf, u32 len);
u32 fm_rows_batch(const struct fm_work *w);
int fm_rows_read(struct fm_board *b, u32 q, u32 rows);
int fm_rows_write(struct fm_board *b, u32 q, u32 rows);

/* paper.c, coder.c: FAXB_CODE_*, FM_WAIT, FM_STEP_MORE or FM_STEP_HOLD */
int fm_scan_step(struct fm_board *b);
int fm_print_step(struct fm_board *b);
int fm_encode_step(struct fm_board *b);
int fm_decode_step(struct fm_board *b);
void fm_scan_reset(struct fm_board *b);
void fm_print_reset(struct fm_board *b);
void fm_coder_reset(struct fm_board *b, u32 q);
void fm_scan_cancel(struct fm_board *b);
void fm_print_cancel(struct fm_board *b);
void fm_coder_cancel(struct fm_board *b, u32 q);

#endif
