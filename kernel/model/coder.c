// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The coder: contexts hold the state of a segment between descriptors. */
#include "internal.h"

static struct fm_context *context(struct fm_board *b, const struct fm_work *w)
{
	return &b->context[FAXB_CTRL_CONTEXT(w->ctrl)];
}

static u16 t4_flags(u32 fmt_flags)
{
	static const struct {
		u32 fmt;
		u16 t4;
	} map[] = {
		{ FAXB_FMT_LSB_FIRST, T4_F_LSB_FIRST },
		{ FAXB_FMT_BLACK_IS_0, T4_F_BLACK_IS_0 },
		{ FAXB_FMT_EOL, T4_F_EOL },
		{ FAXB_FMT_EOL_ALIGN, T4_F_ALIGN },
		{ FAXB_FMT_END, T4_F_END },
		{ FAXB_FMT_WHITEN, T4_F_WHITEN },
	};
	u16 flags = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (fmt_flags & map[i].fmt)
			flags |= map[i].t4;
	return flags;
}

static void params_of(const struct fm_work *w, struct t4_params *p)
{
	static const u8 coding[] = {
		[FAXB_ENC_MH] = T4_MH, [FAXB_ENC_MR] = T4_MR, [FAXB_ENC_MMR] = T4_MMR,
	};
	u32 format = w->sqe[FAXB_SQE_FORMAT];

	memset(p, 0, sizeof(*p));
	p->width = w->sqe[FAXB_SQE_WIDTH];
	p->rows = w->sqe[FAXB_SQE_SEG_ROWS];
	p->coding = coding[FAXB_FORMAT_ENC(format)];
	p->k = FAXB_FORMAT_K(format);
	p->flags = t4_flags(FAXB_FORMAT_FLAGS(format));
}

/* The form of a segment does not change: rows of the state must fit those of the stage. */
static bool same_params(const struct t4_params *a, const struct t4_params *b)
{
	return a->width == b->width && a->rows == b->rows && a->coding == b->coding &&
	       a->k == b->k && a->flags == b->flags;
}

/* After OUT_FULL in the end code the rest of it is all that can follow. */
static bool goes_on(const struct fm_context *ctx, struct fm_work *w)
{
	if (!ctx->ending)
		return true;
	w->flushed = true;
	return w->ctrl & FAXB_CTRL_LAST && !w->sqe[FAXB_SQE_ROWS];
}

/* Open or find the context of a descriptor. */
static int enter(struct fm_board *b, struct fm_work *w, u32 state)
{
	struct fm_context *ctx = context(b, w);
	struct t4_params p;
	int ret;

	params_of(w, &p);
	if (!(w->ctrl & FAXB_CTRL_FIRST)) {
		if (ctx->state == FM_CTX_OVER)
			return ctx->code;
		return ctx->state == state && same_params(&ctx->params, &p) && goes_on(ctx, w) ?
			       FAXB_CODE_OK : FAXB_CODE_BAD_DESC;
	}
	w->ctrl &= ~FAXB_CTRL_FIRST;
	ret = state == FM_CTX_ENCODER ? t4_encoder_init(&ctx->u.enc, &p) :
					t4_decoder_init(&ctx->u.dec, &p);
	ctx->state = ret < 0 ? FM_CTX_EMPTY : state;
	ctx->params = p;
	ctx->ending = false;
	return ret < 0 ? FAXB_CODE_BAD_DESC : FAXB_CODE_OK;
}

/* The segment is over; if it failed, what goes on with it fails in the same way. */
static int leave(struct fm_board *b, const struct fm_work *w, int code)
{
	struct fm_context *ctx = context(b, w);

	ctx->state = FM_CTX_OVER;
	ctx->code = code ? code : FAXB_CODE_BAD_DESC;
	return code;
}

/* Nothing of the descriptor is known to be valid. */
void fm_coder_cancel(struct fm_board *b, u32 q)
{
	const struct fm_work *w = &b->queue[q].work;

	if (FAXB_CTRL_CONTEXT(w->ctrl) < FM_CONTEXTS)
		leave(b, w, FAXB_CODE_CANCELED);
}

void fm_coder_reset(struct fm_board *b, u32 q)
{
	u32 i, state = q == FAXB_Q_ENCODE ? FM_CTX_ENCODER : FM_CTX_DECODER;

	for (i = 0; i < FM_CONTEXTS; i++)
		if (b->context[i].state == state)
			b->context[i].state = FM_CTX_EMPTY;
}

/* Rows [stage_at, stage_len) of queue.raw are not coded yet. */
static int encode_fetch(struct fm_board *b, struct fm_work *w)
{
	int code;

	if (w->stage_at < w->stage_len)
		return FAXB_CODE_OK;
	w->stage_at = 0;
	w->stage_len = fm_rows_batch(w);
	code = fm_rows_read(b, FAXB_Q_ENCODE, w->stage_len);
	if (code)
		w->stage_len = 0;
	return code;
}

static int encode_rows(struct fm_board *b, struct fm_work *w, size_t *made)
{
	struct fm_queue *queue = &b->queue[FAXB_Q_ENCODE];
	u32 taken = 0;
	int ret;

	ret = t4_encode(&context(b, w)->u.enc, queue->raw + w->stage_at * w->row_bytes,
			w->row_bytes, w->stage_len - w->stage_at, &taken, queue->coded,
			fm_min(w->coded.total, FM_STAGE), made);
	w->stage_at += taken;
	w->rows += taken;
	return ret;
}

static int encode_end(struct fm_board *b, struct fm_work *w, size_t *made)
{
	struct fm_context *ctx = context(b, w);

	ctx->ending = true;
	return t4_encode_end(&ctx->u.enc, b->queue[FAXB_Q_ENCODE].coded,
			     fm_min(w->coded.total, FM_STAGE), made);
}

static int encode_put(struct fm_board *b, struct fm_work *w, u32 len)
{
	w->bytes += len;
	return fm_cursor_write(b, FAXB_Q_ENCODE, &w->coded, b->queue[FAXB_Q_ENCODE].coded, len);
}

int fm_encode_step(struct fm_board *b)
{
	struct fm_work *w = &b->queue[FAXB_Q_ENCODE].work;
	bool ending;
	size_t made = 0;
	int code, ret;

	code = enter(b, w, FM_CTX_ENCODER);
	if (code)
		return code;
	code = encode_fetch(b, w);
	if (code)
		return leave(b, w, code);

	ending = w->rows == w->sqe[FAXB_SQE_ROWS] && w->flushed;
	if (ending)
		ret = encode_end(b, w, &made);
	else
		ret = encode_rows(b, w, &made);
	if (ret < 0)
		return leave(b, w, FAXB_CODE_BAD_DESC);
	code = encode_put(b, w, made);
	if (code)
		return leave(b, w, code);

	if (ret == T4_OUT_FULL)
		return w->coded.total ? FM_STEP_MORE : FAXB_CODE_OUT_FULL;
	if (ending)
		return leave(b, w, FAXB_CODE_OK);
	if (w->rows < w->sqe[FAXB_SQE_ROWS])
		return FM_STEP_MORE;
	w->flushed = true;
	return w->ctrl & FAXB_CTRL_LAST ? FM_STEP_MORE : FAXB_CODE_OK;
}

/* Bytes [stage_at, stage_len) of queue.coded are not decoded yet. */
static int decode_fetch(struct fm_board *b, struct fm_work *w)
{
	struct fm_queue *queue = &b->queue[FAXB_Q_DECODE];
	int code;

	if (w->stage_at < w->stage_len || !w->coded.total)
		return FAXB_CODE_OK;
	w->stage_at = 0;
	w->stage_len = fm_min(w->coded.total, FM_STAGE);
	code = fm_cursor_read(b, FAXB_Q_DECODE, &w->coded, queue->coded, w->stage_len);
	if (code)
		w->stage_len = 0;
	return code;
}

static int decode_rows(struct fm_board *b, struct fm_work *w, u32 *rows)
{
	struct fm_queue *queue = &b->queue[FAXB_Q_DECODE];
	struct t4_decoder *dec = &context(b, w)->u.dec;
	bool last = w->ctrl & FAXB_CTRL_LAST && !w->coded.total;
	const struct t4_damage *damage;
	size_t taken = 0;
	int ret;

	ret = t4_decode(dec, queue->coded + w->stage_at, w->stage_len - w->stage_at, last, &taken,
			queue->raw, w->row_bytes, fm_rows_batch(w), rows);
	w->stage_at += taken;
	w->bytes += taken;
	damage = t4_decoder_damage(dec);
	w->rows_bad = damage->rows_bad;
	w->first_bad = damage->first_bad_row;
	w->bad_run = damage->max_bad_run;
	if (damage->flags & T4_D_SHORT)
		w->flags |= FAXB_DONE_SHORT;
	return ret;
}

int fm_decode_step(struct fm_board *b)
{
	struct fm_work *w = &b->queue[FAXB_Q_DECODE].work;
	u32 rows = 0;
	int code, ret;

	code = enter(b, w, FM_CTX_DECODER);
	if (code)
		return code;
	code = decode_fetch(b, w);
	if (code)
		return leave(b, w, code);
	ret = decode_rows(b, w, &rows);
	if (ret < 0)
		return leave(b, w, FAXB_CODE_BAD_DESC);
	code = fm_rows_write(b, FAXB_Q_DECODE, rows);
	if (code)
		return leave(b, w, code);
	w->rows += rows;

	switch (ret) {
	case T4_DONE:
		w->flags |= FAXB_DONE_PAGE_END;
		return leave(b, w, FAXB_CODE_OK);
	case T4_STUCK:
		w->flags |= FAXB_DONE_PAGE_END;
		return leave(b, w, FAXB_CODE_CODING);
	case T4_OUT_FULL:
		return w->rows < w->sqe[FAXB_SQE_ROWS] ? FM_STEP_MORE : FAXB_CODE_OK;
	default:
		/* the input is spent: more in the list, or with the next descriptor */
		return w->coded.total ? FM_STEP_MORE : FAXB_CODE_OK;
	}
}
