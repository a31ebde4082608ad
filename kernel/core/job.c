// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs: SUBMIT checks and queues, all or nothing; REAP hands out what became of
 * them; CANCEL ends them early. What happens between stands in sched.c.
 */
#include <linux/fs.h>
#include <linux/file.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"
#include "trace.h"

int fax_code_errno(u32 code)
{
	switch (code) {
	case FAX_CODE_OK:
		return 0;
	case FAX_CODE_PAPER_OUT:
		return -ENOSPC;
	case FAX_CODE_CODING:
		return -EILSEQ;
	case FAX_CODE_OUT_FULL:
		return -ENOBUFS;
	case FAX_CODE_TIMEOUT:
		return -ETIMEDOUT;
	case FAX_CODE_CANCELED:
		return -ECANCELED;
	case FAX_CODE_GONE:
		return -ENODEV;
	case FAX_CODE_TOO_LONG:
	case FAX_CODE_TOO_WIDE:
		return -EMSGSIZE;
	case FAX_CODE_PEER:
		return -EPIPE;
	default:
		return -EIO;
	}
}

/*
 * Formats.
 */

/* Flags that mean something with an encoding; the raw side's polarity always does. */
static u32 fax_flags_of(u32 encoding)
{
	switch (encoding) {
	case FAX_ENC_MH:
	case FAX_ENC_MR:
		return FAX_FMT_LSB_FIRST | FAX_FMT_BLACK_IS_0 | FAX_FMT_EOL | FAX_FMT_EOL_ALIGN |
		       FAX_FMT_END;
	case FAX_ENC_MMR:
		return FAX_FMT_LSB_FIRST | FAX_FMT_BLACK_IS_0 | FAX_FMT_END;
	default:
		return FAX_FMT_BLACK_IS_0;
	}
}

static bool fax_coding_ok(const struct fax_caps *caps, u32 encodings, u32 encoding, u32 k,
			  u32 flags, u32 flags_ok)
{
	if (encoding > FAX_ENC_MMR || !(encodings & BIT(encoding)))
		return false;
	if (flags & ~(flags_ok & caps->fmt_flags))
		return false;
	if (encoding == FAX_ENC_MR && !(flags & FAX_FMT_EOL))
		return false;
	return k <= (encoding == FAX_ENC_MR ? 255 : 0);
}

static bool fax_width_ok(const struct fax_caps *caps, u32 width, u32 xres)
{
	u32 i;

	if (width < caps->width_min || width > caps->width_max)
		return false;
	for (i = 0; i < caps->nwidths; i++)
		if ((u64)caps->widths[i] * xres == (u64)width * FAX_RES_8_MM)
			return true;
	return !caps->nwidths;
}

static bool fax_resolution_ok(const struct fax_caps *caps, u32 x, u32 y)
{
	u32 i;

	for (i = 0; i < caps->nresolutions; i++)
		if (caps->resolutions[i].x == x && caps->resolutions[i].y == y)
			return true;
	return !caps->nresolutions;
}

/* Can the function do @fmt? Fills in the stride. 0 or -EINVAL. */
int fax_check_fmt(const struct fax_func *func, struct fax_fmt *fmt)
{
	const struct fax_caps *caps = &func->caps;
	u32 encodings = BIT(FAX_ENC_RAW);
	u32 min_stride;

	if (func->function == FAX_FUNC_CODEC)
		encodings |= caps->encodings;
	if (!fax_coding_ok(caps, encodings, fmt->encoding, fmt->k, fmt->flags,
			   fax_flags_of(fmt->encoding)))
		return -EINVAL;
	if (!fax_width_ok(caps, fmt->width, fmt->xres) ||
	    !fax_resolution_ok(caps, fmt->xres, fmt->yres) || fmt->rows > caps->rows_max)
		return -EINVAL;
	min_stride = DIV_ROUND_UP(fmt->width, 8);
	if (!fmt->stride)
		fmt->stride = min_stride;
	if (fmt->stride < min_stride || fmt->stride > FAX_MAX_STRIDE)
		return -EINVAL;
	if (memchr_inv(fmt->reserved, 0, sizeof(fmt->reserved)))
		return -EINVAL;
	return 0;
}

/*
 * The end of a job.
 */

static void fax_span_put(struct fax_span *span)
{
	if (span->buf)
		span->buf->users--;
	span->buf = NULL;
}

/* A job nobody asks for any more. */
void fax_job_forget(struct fax_job *job)
{
	list_del(&job->file_node);
	if (!job->stream)
		job->file->njobs--;
	list_del(&job->done_node);
	kvfree(job);
}

static void fax_job_count(struct fax_job *job)
{
	struct fax_func *func = job->func;

	if (job->code == FAX_CODE_OK)
		func->pages++;
	else if (job->code != FAX_CODE_CANCELED && job->code != FAX_CODE_PEER)
		func->errors++;
}

static void fax_job_drop_uses(struct fax_job *job)
{
	u32 i;

	fax_span_put(&job->raw);
	fax_span_put(&job->out);
	for (i = 0; i < job->nsegs; i++)
		fax_span_put(&job->segs[i]);
	if (job->pipe)
		fax_pipe_detach(job);
}

static void fax_job_drop_context(struct fax_job *job)
{
	if (job->context < 0)
		return;
	__clear_bit(job->context, job->func->ctx_used);
	job->file->contexts--;
	job->context = -1;
}

/* An ending job has nothing in flight any more: hand it over. It may be freed here. */
void fax_job_idle(struct fax_job *job)
{
	struct fax_func *func = job->func;
	struct fax_file *ff = job->file;

	if (job->state != FAX_JOB_ENDING || job->inflight)
		return;
	if (job->in_engine && job->code != FAX_CODE_OK && !fax_gone(func->board))
		fax_func_clear(func);
	job->state = FAX_JOB_DONE;
	list_del_init(&job->node);
	func->njobs--;
	WRITE_ONCE(ff->nlive, ff->nlive - 1);
	fax_job_drop_context(job);
	if (func->active == job) {
		func->active = NULL;
		fax_update_waiting(func);
		wake_up_all(&func->claim_wait);
	}
	fax_job_count(job);
	fax_job_drop_uses(job);
	if (job->stream)
		fax_stream_job_done(job);
	if (job->stream || ff->closed)
		fax_job_forget(job);
	else if (list_empty(&job->done_node))
		list_add_tail(&job->done_node, &ff->done);
	wake_up_all(&ff->wait);
	fax_file_drop(ff);
}

/*
 * The outcome of @job is known. It may be freed here, and so may the job at the
 * other end of its pipe.
 */
void fax_job_stop(struct fax_job *job, u32 code, u32 peer_code)
{
	struct fax_func *func = job->func;

	if (job->state == FAX_JOB_ENDING || job->state == FAX_JOB_DONE)
		return;
	job->state = FAX_JOB_ENDING;
	job->code = code;
	job->peer_code = peer_code;
	job->deadline = jiffies + msecs_to_jiffies(FAX_ABORT_MS);
	if (job->pipe)
		fax_pipe_leave(job);
	if (job->inflight && !fax_gone(func->board))
		func->ops->abort(func, job);
	fax_board_kick(func->board);
	fax_job_idle(job);
}

static void fax_job_requeue(struct fax_job *job)
{
	job->state = FAX_JOB_QUEUED;
	job->rows_start = 0;
	job->fed = false;
	job->seg_fed = false;
	job->end_due = false;
	fax_job_drop_context(job);
	if (job->pipe)
		fax_pipe_take_back(job);
}

/*
 * No row that came out of the pipe is on paper, and what went in lies in the
 * user's memory still: the decoder, whose context the engine lost, starts over.
 */
static void fax_job_decode_anew(struct fax_job *job)
{
	if (!job || job->op != FAX_OP_DECODE || job->state != FAX_JOB_RUNNING)
		return;
	job->rows_done = 0;
	job->seg = 0;
	job->seg_off = 0;
	job->seg_row = 0;
	job->seg_rows = 0;
	job->seg_bad = 0;
	job->bytes_in = 0;
	job->rows_bad = 0;
	job->first_bad_row = 0;
	job->max_bad_run = 0;
	job->done_flags = 0;
	job->pipe->wr_done = 0;
	fax_job_requeue(job);
}

/*
 * The engines were reset and gave all runs back: @job can begin anew if nothing
 * of it is on paper or in the user's memory. Of an original nobody knows
 * whether it has moved, so a page that is scanned cannot.
 */
bool fax_job_begin_anew(struct fax_job *job)
{
	struct fax_func *func = job->func;

	if (job->state != FAX_JOB_RUNNING || job->rows_done || job->out_done || job->seg ||
	    job->seg_off || (fax_leased(func) && !(job->op == FAX_OP_PRINT && func->waiting)))
		return false;
	fax_job_requeue(job);
	if (job->op == FAX_OP_PRINT && job->pipe)
		fax_job_decode_anew(job->pipe->prod);
	return true;
}

/* The output is full: show the job, and keep it for RESUME. */
void fax_job_park(struct fax_job *job)
{
	job->state = FAX_JOB_PARKED;
	job->code = FAX_CODE_OUT_FULL;
	job->deadline = jiffies + msecs_to_jiffies(READ_ONCE(fax_park_ms));
	list_add_tail(&job->done_node, &job->file->done);
	wake_up_all(&job->file->wait);
}

/*
 * SUBMIT.
 */

static u32 fax_op_function(u32 op)
{
	switch (op) {
	case FAX_OP_SCAN:
		return FAX_FUNC_SCAN;
	case FAX_OP_PRINT:
		return FAX_FUNC_PRINT;
	case FAX_OP_ENCODE:
	case FAX_OP_DECODE:
		return FAX_FUNC_CODEC;
	default:
		return 0;
	}
}

static int fax_span_init(struct fax_file *ff, struct fax_span *span, const struct fax_seg *seg)
{
	struct fax_buf *buf = xa_load(&ff->bufs, seg->buf);
	u64 end;

	if (!buf || !seg->length || check_add_overflow(seg->offset, seg->length, &end) ||
	    end > buf->import->map.size)
		return -EINVAL;
	span->buf = buf;
	span->off = seg->offset;
	span->len = seg->length;
	span->encoding = seg->encoding;
	span->rows = seg->rows;
	span->k = seg->k;
	span->flags = seg->flags;
	return 0;
}

/* Sort the segments into the job by what the operation makes of them. */
static int fax_job_set_segs(struct fax_job *job, const struct fax_seg *segs, u32 nsegs)
{
	bool raw_in = job->op == FAX_OP_PRINT || job->op == FAX_OP_ENCODE;
	const struct fax_caps *caps = &job->func->caps;
	u32 flags_ok = FAX_FMT_LSB_FIRST | FAX_FMT_EOL | FAX_FMT_EOL_ALIGN | FAX_FMT_WHITEN;
	const struct fax_seg *seg;
	struct fax_span *span;
	int ret;

	for (seg = segs; seg < segs + nsegs; seg++) {
		bool in = seg->dir == FAX_SEG_IN;

		if (in && job->op == FAX_OP_DECODE) {
			if (seg->encoding == FAX_ENC_RAW || seg->rows > caps->rows_max || seg->k ||
			    !fax_coding_ok(caps, caps->decodings, seg->encoding, 0,
					   seg->flags | (seg->encoding == FAX_ENC_MR ?
							 FAX_FMT_EOL & caps->fmt_flags : 0),
					   flags_ok))
				return -EINVAL;
			span = &job->segs[job->nsegs++];
		} else {
			if (seg->encoding || seg->rows || seg->k || seg->flags)
				return -EINVAL;
			span = job->op == FAX_OP_ENCODE && !in ? &job->out : &job->raw;
			if (span->len || (span == &job->raw && in != raw_in))
				return -EINVAL;
		}
		ret = fax_span_init(job->file, span, seg);
		if (ret)
			return ret;
	}
	if (job->op == FAX_OP_DECODE && !job->nsegs)
		return -EINVAL;
	return job->op == FAX_OP_ENCODE && !job->out.len ? -EINVAL : 0;
}

/* One raw side: a segment that is large enough, or a pipe that fits. */
static int fax_job_set_raw(struct fax_job *job, struct fax_pipe *pipe)
{
	u64 rows;

	if (!!pipe == !!job->raw.len)
		return -EINVAL;
	if (pipe)
		return fax_pipe_may_bind(pipe, job);
	rows = div_u64(job->raw.len, job->fmt.stride);
	if (!rows || rows < job->fmt.rows)
		return -EINVAL;
	job->raw_rows = job->fmt.rows ?: min_t(u64, rows, job->func->caps.rows_max);
	return 0;
}

static int fax_job_check_fmt(struct fax_job *job)
{
	bool coded = job->fmt.encoding != FAX_ENC_RAW;
	bool wanted = job->op == FAX_OP_ENCODE;	/* decode: it stands in the segments */

	if (coded != wanted)
		return -EINVAL;
	return fax_check_fmt(job->func, &job->fmt);
}

static int fax_job_ask_driver(struct fax_job *job)
{
	struct fax_job_params params = {
		.op = job->op,
		.flags = job->flags,
		.fmt = job->fmt,
	};

	return job->func->ops->check ? job->func->ops->check(job->func, &params) : 0;
}

static int fax_job_may_queue(const struct fax_file *ff)
{
	if (ff->board->gone)
		return -ENODEV;
	if (ff->func->fault)
		return -EIO;
	if (ff->func->claim && ff->func->claim != ff)
		return -EBUSY;
	return 0;
}

/* A list, as they are few: nodes of a tree would come and go by RCU with every page. */
static struct fax_job *fax_job_find(const struct fax_file *ff, u32 id)
{
	struct fax_job *job;

	list_for_each_entry(job, &ff->jobs, file_node)
		if (job->id == id)
			return job;
	return NULL;
}

/* Ids are used again as late as can be. */
static u32 fax_job_new_id(struct fax_file *ff)
{
	do
		ff->last_job = ff->last_job < INT_MAX ? ff->last_job + 1 : 1;
	while (fax_job_find(ff, ff->last_job));
	return ff->last_job;
}

static void fax_job_queue(struct fax_job *job, struct fax_pipe *pipe)
{
	struct fax_file *ff = job->file;
	u32 i;

	job->id = fax_job_new_id(ff);
	list_add_tail(&job->file_node, &ff->jobs);
	if (job->raw.buf)
		job->raw.buf->users++;
	if (job->out.buf)
		job->out.buf->users++;
	for (i = 0; i < job->nsegs; i++)
		job->segs[i].buf->users++;
	if (pipe)
		fax_pipe_bind(pipe, job);
	if (!job->stream)
		ff->njobs++;
	WRITE_ONCE(ff->nlive, ff->nlive + 1);
	job->func->njobs++;
	list_add_tail(&job->node, &job->func->jobs);
	trace_fax_submit(&job->func->dev, job);
}

/* The other side failed before this one came: it fails as well, now that it is here. */
static void fax_job_meet_broken(struct fax_job *job, struct fax_pipe *pipe)
{
	u32 side = fax_op_produces(job->op) ? FAX_PIPE_PROD : FAX_PIPE_CONS;
	u32 code = pipe->broken;

	pipe->broken = 0;
	if (code && pipe->broken_side != side)
		fax_job_stop(job, FAX_CODE_PEER, code);
}

static int fax_job_admit(struct fax_job *job, const struct fax_seg *segs, u32 nsegs,
			 struct fax_pipe *pipe, u32 *id)
{
	struct fax_file *ff = job->file;
	int ret;

	ret = fax_job_may_queue(ff);
	if (ret)
		return ret;
	if (ff->mode == FAX_MODE_STREAM)
		return -EBUSY;
	if (ff->njobs >= FAX_MAX_JOBS)
		return -EDQUOT;
	ret = fax_job_check_fmt(job);
	if (!ret)
		ret = fax_job_set_segs(job, segs, nsegs);
	if (!ret)
		ret = fax_job_set_raw(job, pipe);
	if (!ret)
		ret = fax_job_ask_driver(job);
	if (ret)
		return ret;
	fax_job_queue(job, pipe);
	WRITE_ONCE(ff->mode, FAX_MODE_JOBS);
	*id = job->id;
	if (pipe)
		fax_job_meet_broken(job, pipe);
	return 0;
}

static struct fax_job *fax_job_alloc(struct fax_file *ff, u32 nsegs)
{
	struct fax_job *job = kvzalloc(struct_size(job, segs, nsegs), GFP_KERNEL_ACCOUNT);

	if (!job)
		return NULL;
	INIT_LIST_HEAD(&job->node);
	INIT_LIST_HEAD(&job->done_node);
	job->file = ff;
	job->func = ff->func;
	job->context = -1;
	return job;
}

static int fax_submit_new(struct fax_file *ff, struct fax_submit *arg, const struct fax_seg *segs)
{
	struct fax_pipe *pipe = NULL;
	struct file *file = NULL;
	struct fax_job *job;
	int ret = -ENOMEM;

	job = fax_job_alloc(ff, arg->nsegs);
	if (!job)
		return -ENOMEM;
	job->op = arg->op;
	job->flags = arg->flags;
	job->cookie = arg->cookie;
	job->fmt = arg->fmt;
	if (arg->pipe >= 0) {
		ret = -EBADF;
		file = fget(arg->pipe);
		if (!file)
			goto out;
		ret = -EINVAL;
		pipe = fax_pipe_from_file(file);
		if (!pipe)
			goto out;
		/* pipes of other boards are refused below, under our lock alone */
	}
	mutex_lock(&ff->board->lock);
	ret = fax_job_admit(job, segs, arg->nsegs, pipe, &arg->job);
	if (!ret)	/* from here on the job may be done, and gone */
		fax_board_move(ff->board);
	mutex_unlock(&ff->board->lock);
out:
	if (file)
		fput(file);
	if (ret)
		kvfree(job);
	return ret;
}

/* More room for a job that stopped with OUT_FULL, after that was reaped. */
static int fax_submit_resume(struct fax_file *ff, struct fax_submit *arg,
			     const struct fax_seg *segs)
{
	struct fax_span span = {};
	struct fax_job *job;
	int ret = -EINVAL;

	if (arg->nsegs != 1 || segs->dir != FAX_SEG_OUT || segs->encoding || segs->rows ||
	    segs->k || segs->flags)
		return -EINVAL;
	mutex_lock(&ff->board->lock);
	job = fax_job_find(ff, arg->job);
	if (ff->board->gone)
		ret = -ENODEV;
	else if (job && job->op == arg->op && job->state == FAX_JOB_PARKED &&
		 list_empty(&job->done_node))
		ret = fax_span_init(ff, &span, segs);
	if (!ret) {
		fax_span_put(&job->out);
		job->out = span;
		job->out.buf->users++;
		job->out_done = 0;
		job->code = FAX_CODE_OK;
		job->state = FAX_JOB_RUNNING;
		job->gen++;
		fax_board_move(ff->board);
	}
	mutex_unlock(&ff->board->lock);
	return ret;
}

static int fax_check_seg(struct fax_file *ff, const struct fax_seg *seg, long *left)
{
	if (seg->dir != FAX_SEG_IN && seg->dir != FAX_SEG_OUT)
		return -EINVAL;
	if (memchr_inv(seg->reserved, 0, sizeof(seg->reserved)))
		return -EINVAL;
	return fax_buf_wait_fences(ff, seg->buf, seg->dir == FAX_SEG_OUT, left);
}

int fax_ioctl_submit(struct fax_file *ff, struct fax_ioctl *io)
{
	struct fax_submit *arg = &io->arg.submit;
	long left = msecs_to_jiffies(FAX_FENCE_MS);
	struct fax_seg *segs = NULL;
	int ret;
	u32 i;

	if (!fax_op_function(arg->op) || arg->pad || arg->nsegs > FAX_MAX_SEGS ||
	    arg->flags & ~(FAX_SUBMIT_NOWAIT | FAX_SUBMIT_RESUME))
		return -EINVAL;
	if (fax_op_function(arg->op) != ff->func->function)
		return -EOPNOTSUPP;
	/* the one is about paper, the other about coded output */
	if (arg->flags & (fax_leased(ff->func) ? FAX_SUBMIT_RESUME : FAX_SUBMIT_NOWAIT))
		return -EINVAL;
	ret = fax_may_move(ff);
	if (ret)
		return ret;
	if (arg->nsegs) {
		segs = memdup_user(u64_to_user_ptr(arg->segs), arg->nsegs * sizeof(*segs));
		if (IS_ERR(segs))
			return PTR_ERR(segs);
	}
	for (i = 0; i < arg->nsegs && !ret; i++)
		ret = fax_check_seg(ff, &segs[i], &left);
	if (!ret)
		ret = arg->flags & FAX_SUBMIT_RESUME ? fax_submit_resume(ff, arg, segs) :
						       fax_submit_new(ff, arg, segs);
	kfree(segs);
	return ret;
}

/*
 * A page of read() or write(), through a ring whose other side is the CPU.
 * Under the board's lock. The job is ff->stream.job until it is done.
 */
int fax_job_submit_stream(struct fax_file *ff, struct fax_pipe *pipe, bool nowait)
{
	struct fax_job *job;
	int ret;

	ret = fax_job_may_queue(ff);
	if (ret)
		return ret;
	job = fax_job_alloc(ff, 0);
	if (!job)
		return -ENOMEM;
	job->stream = true;
	job->op = ff->func->function == FAX_FUNC_SCAN ? FAX_OP_SCAN : FAX_OP_PRINT;
	job->flags = nowait ? FAX_SUBMIT_NOWAIT : 0;
	job->fmt = ff->fmt;
	ret = fax_job_check_fmt(job);
	if (!ret)
		ret = fax_pipe_may_bind(pipe, job);
	if (!ret)
		ret = fax_job_ask_driver(job);
	if (ret) {
		kvfree(job);
		return ret;
	}
	fax_job_queue(job, pipe);
	ff->stream.job = job;
	return 0;
}

/*
 * REAP and CANCEL.
 */

static void fax_completion_fill(struct fax_completion *c, const struct fax_job *job)
{
	memset(c, 0, sizeof(*c));
	c->cookie = job->cookie;
	c->job = job->id;
	c->error = fax_code_errno(job->code);
	c->code = job->code;
	c->peer_code = job->peer_code;
	c->flags = job->done_flags;
	if (job->rows_bad)
		c->flags |= FAX_DONE_DAMAGED;
	c->seg = job->seg;
	c->bytes_in = job->bytes_in;
	c->bytes_out = job->bytes_out;
	c->rows = job->rows_done;
	c->rows_bad = job->rows_bad;
	c->first_bad_row = job->first_bad_row;
	c->max_bad_run = job->max_bad_run;
	c->next_width = job->next_width;
	c->next_height = job->next_height;
}

static int fax_completion_give(const struct fax_completion *c, void __user *to, size_t size)
{
	if (copy_to_user(to, c, min(size, sizeof(*c))))
		return -EFAULT;
	if (size > sizeof(*c) && clear_user(to + sizeof(*c), size - sizeof(*c)))
		return -EFAULT;
	return 0;
}

/* The board has gone and its jobs have ended: no other completion comes. */
static bool fax_reap_ends(const struct fax_file *ff)
{
	return fax_gone(ff->board) && !READ_ONCE(ff->nlive);
}

/*
 * Hand out one. It is taken off only once the caller has it; if the job went
 * on in between (its RESUME ran out of time), what came of that is handed out
 * as well.
 */
static int fax_reap_one(struct fax_file *ff, void __user *to, size_t size)
{
	enum fax_job_state state = FAX_JOB_DONE;
	struct fax_completion c;
	struct fax_job *job;
	bool ends;
	int ret;

	mutex_lock(&ff->board->lock);
	job = list_first_entry_or_null(&ff->done, struct fax_job, done_node);
	if (job) {
		fax_completion_fill(&c, job);
		state = job->state;
	}
	ends = fax_reap_ends(ff);
	mutex_unlock(&ff->board->lock);
	if (!job)
		return ends ? -ENODEV : -EAGAIN;
	ret = fax_completion_give(&c, to, size);
	if (ret)
		return ret;
	mutex_lock(&ff->board->lock);
	/* only we take from the list, so the first is the same job still */
	if (job->state == state) {
		if (state == FAX_JOB_PARKED)
			list_del_init(&job->done_node);
		else
			fax_job_forget(job);
	}
	mutex_unlock(&ff->board->lock);
	return 0;
}

static int fax_reap_some(struct fax_file *ff, struct fax_reap *arg)
{
	u8 __user *to = u64_to_user_ptr(arg->completions);
	u32 given;
	int ret;

	ret = mutex_lock_killable(&ff->io_lock);
	if (ret)
		return ret;
	for (given = 0; given < min_t(u32, arg->count, FAX_MAX_JOBS); given++) {
		ret = fax_reap_one(ff, to + (size_t)given * arg->size, arg->size);
		if (ret)
			break;
	}
	mutex_unlock(&ff->io_lock);
	if (!given)
		return ret;
	arg->count = given;
	return 0;
}

int fax_ioctl_reap(struct fax_file *ff, struct fax_ioctl *io)
{
	struct fax_reap *arg = &io->arg.reap;
	bool nonblock = io->nonblock || (arg->flags & FAX_NONBLOCK);
	long left = MAX_SCHEDULE_TIMEOUT;
	int ret;

	if (!arg->count || arg->flags & ~FAX_NONBLOCK ||
	    arg->size < sizeof(struct fax_completion) || arg->size > PAGE_SIZE)
		return -EINVAL;
	if (READ_ONCE(ff->mode) == FAX_MODE_STREAM)
		return -EBUSY;
	if (arg->timeout_ms)
		left = msecs_to_jiffies(arg->timeout_ms);
	for (;;) {
		ret = fax_reap_some(ff, arg);
		if (ret != -EAGAIN)
			return ret;
		if (nonblock)
			return -EAGAIN;
		left = wait_event_interruptible_timeout(ff->wait, !list_empty_careful(&ff->done) ||
							fax_reap_ends(ff), left);
		if (left < 0)
			return left;
		if (!left)
			return -ETIMEDOUT;
	}
}

/* Asks; the completion says when it came to pass. */
int fax_ioctl_cancel(struct fax_file *ff, struct fax_ioctl *io)
{
	u32 id = io->arg.cancel.job;
	struct fax_job *job;
	int ret = 0;

	mutex_lock(&ff->board->lock);
	if (!id) {
		list_for_each_entry(job, &ff->jobs, file_node)
			if (!job->stream)
				fax_job_stop(job, FAX_CODE_CANCELED, 0);
	} else {
		job = fax_job_find(ff, id);
		if (!job || job->stream || job->state == FAX_JOB_DONE)
			ret = -ENOENT;
		else
			fax_job_stop(job, FAX_CODE_CANCELED, 0);
	}
	mutex_unlock(&ff->board->lock);
	return ret;
}
