// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write(): bytes of pages, for cat and the like. A page is a job
 * like any other; the other side of its pipe is the process.
 *
 * read: a page begins with the first read and ends with a read of 0 bytes; the
 * next read begins the next page. write: a page ends when the format's rows
 * are there, with fsync, or with close. What was written and not printed when
 * a page fails is lost; who must know calls fsync.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "core.h"

#define FAX_STREAM_BAND		32768u	/* bytes, about */
#define FAX_STREAM_BANDS	8u

static u32 fax_stream_rows(const struct fax_file *ff)
{
	return ff->fmt.rows ?: ff->func->caps.rows_max;
}

/* Byte of the page up to which the ring is contiguous from where the user is. */
static u64 fax_stream_band_end(const struct fax_stream *s)
{
	const struct fax_pipe *pipe = s->pipe;
	u32 row = div_u64(s->pos, pipe->stride);

	return (u64)(row / pipe->rows + 1) * pipe->rows * pipe->stride;
}

static void *fax_stream_addr(const struct fax_stream *s)
{
	const struct fax_pipe *pipe = s->pipe;
	u32 rest;
	u32 row = div_u64_rem(s->pos, pipe->stride, &rest);

	return pipe->vaddr + fax_pipe_offset(pipe, row) + rest;
}

/* Bytes that can be read or written at once. A hint without the lock. */
static u64 fax_stream_ready(const struct fax_file *ff)
{
	const struct fax_stream *s = &ff->stream;
	const struct fax_pipe *pipe = s->pipe;
	u64 end;

	if (ff->func->function == FAX_FUNC_SCAN)
		end = (u64)READ_ONCE(pipe->wr_done) * pipe->stride;
	else
		end = min((u64)READ_ONCE(pipe->rd_done) + pipe->rows * pipe->bands,
			  (u64)fax_stream_rows(ff)) * pipe->stride;
	end = min(end, fax_stream_band_end(s));
	return end > s->pos ? end - s->pos : 0;
}

static int fax_stream_wait(struct fax_file *ff, bool nonblock, bool for_end)
{
	if (nonblock)
		return -EAGAIN;
	return wait_event_interruptible(ff->wait, READ_ONCE(ff->stream.ended) ||
					fax_gone(ff->board) ||
					(!for_end && fax_stream_ready(ff)));
}

static void fax_stream_drop_pipe(struct fax_file *ff)
{
	mutex_lock(&ff->board->lock);
	if (ff->stream.pipe)
		fax_pipe_put(ff->stream.pipe);
	ff->stream.pipe = NULL;
	mutex_unlock(&ff->board->lock);
}

/* A ring that suits the format. */
static int fax_stream_set_pipe(struct fax_file *ff)
{
	bool scan = ff->func->function == FAX_FUNC_SCAN;
	struct fax_pipe *pipe = ff->stream.pipe;
	u32 stride = ff->fmt.stride;
	u32 rows;

	if (pipe && pipe->width == ff->fmt.width && pipe->stride == stride)
		return 0;
	fax_stream_drop_pipe(ff);
	rows = clamp(FAX_STREAM_BAND / stride, 1u, FAX_MAX_BAND_ROWS);
	pipe = fax_pipe_create(ff, ff->fmt.width, stride, rows, FAX_STREAM_BANDS,
			       scan ? DMA_FROM_DEVICE : DMA_TO_DEVICE);
	if (IS_ERR(pipe))
		return PTR_ERR(pipe);
	pipe->cpu = scan ? FAX_PIPE_CONS : FAX_PIPE_PROD;
	ff->stream.pipe = pipe;
	return 0;
}

/* One read, write or fsync at a time; who does not want to wait does not wait for that either. */
static int fax_stream_lock(struct fax_file *ff, bool nonblock)
{
	if (!nonblock)
		return mutex_lock_interruptible(&ff->io_lock);
	return mutex_trylock(&ff->io_lock) ? 0 : -EAGAIN;
}

/* The open becomes a stream, with the claim until it is closed. */
static int fax_stream_enter(struct fax_file *ff, bool nonblock)
{
	bool mine = READ_ONCE(ff->func->claim) == ff;
	int ret;

	if (READ_ONCE(ff->mode) == FAX_MODE_JOBS)
		return -EBUSY;
	ret = fax_claim(ff, nonblock, 0);
	if (ret)
		return ret;
	mutex_lock(&ff->board->lock);
	if (ff->mode == FAX_MODE_JOBS) {
		/* a job came first: the claim, if it was not the caller's, is not kept */
		ret = -EBUSY;
		if (!mine)
			fax_claim_drop(ff);
	} else {
		WRITE_ONCE(ff->mode, FAX_MODE_STREAM);
	}
	mutex_unlock(&ff->board->lock);
	return ret;
}

static int fax_stream_begin(struct fax_file *ff, bool nonblock)
{
	struct fax_stream *s = &ff->stream;
	int ret;

	ret = fax_stream_enter(ff, nonblock);
	if (!ret)
		ret = fax_stream_set_pipe(ff);
	if (ret)
		return ret;
	mutex_lock(&ff->board->lock);
	fax_pipe_rewind(s->pipe);
	s->pos = 0;
	s->code = FAX_CODE_OK;
	s->ended = false;
	s->full = false;
	ret = fax_job_submit_stream(ff, s->pipe, nonblock);
	s->page = !ret;
	fax_board_move(ff->board);
	mutex_unlock(&ff->board->lock);
	return ret;
}

/*
 * The page's job is done: its outcome, and the end of the page for the user. Where a call
 * has bytes to tell of (@busy), a failure stays for the next one to find.
 */
static int fax_stream_end(struct fax_file *ff, bool busy)
{
	int ret;

	mutex_lock(&ff->board->lock);
	ret = fax_code_errno(ff->stream.code);
	ff->stream.page = ret && busy;
	mutex_unlock(&ff->board->lock);
	return ret;
}

/* Called when the job ends, under the board's lock. */
void fax_stream_job_done(struct fax_job *job)
{
	struct fax_stream *s = &job->file->stream;

	s->job = NULL;
	s->code = job->code;
	WRITE_ONCE(s->ended, true);
}

__poll_t fax_stream_poll(struct fax_file *ff)
{
	const struct fax_stream *s = &ff->stream;

	/* without a page, the next call begins one */
	if (s->page && !s->ended && !fax_stream_ready(ff))
		return 0;
	return ff->func->function == FAX_FUNC_SCAN ? EPOLLIN | EPOLLRDNORM :
						     EPOLLOUT | EPOLLWRNORM;
}

/*
 * Reading.
 */

/* Bytes ready, visible to the CPU; 0 = none: @ended says whether more will come. */
static size_t fax_stream_peek(struct fax_file *ff, bool *ended)
{
	struct fax_pipe *pipe = ff->stream.pipe;
	size_t n;

	mutex_lock(&ff->board->lock);
	*ended = ff->stream.ended;
	n = fax_stream_ready(ff);
	if (n)
		atomic64_inc(&ff->board->cpu_accesses);
	if (n && pipe->mapped)
		dma_sync_sgtable_for_cpu(ff->board->dma_dev, &pipe->sgt, pipe->dir);
	mutex_unlock(&ff->board->lock);
	return n;
}

static void fax_stream_consume(struct fax_file *ff, size_t n)
{
	struct fax_stream *s = &ff->stream;

	mutex_lock(&ff->board->lock);
	s->pos += n;
	s->pipe->rd_start = div_u64(s->pos, s->pipe->stride);
	s->pipe->rd_done = s->pipe->rd_start;
	if (s->pipe->mapped)
		dma_sync_sgtable_for_device(ff->board->dma_dev, &s->pipe->sgt, s->pipe->dir);
	fax_board_move(ff->board);
	mutex_unlock(&ff->board->lock);
}

static ssize_t fax_stream_read_locked(struct fax_file *ff, char __user *to, size_t count,
				      bool nonblock)
{
	bool ended;
	size_t n;
	int ret;

	if (!ff->stream.page) {
		ret = fax_stream_begin(ff, nonblock);
		if (ret)
			return ret;
	}
	while (!(n = fax_stream_peek(ff, &ended))) {
		if (ended)
			return fax_stream_end(ff, false);
		if (fax_gone(ff->board))
			return -ENODEV;
		ret = fax_stream_wait(ff, nonblock, false);
		if (ret)
			return ret;
	}
	n = min(n, count);
	if (copy_to_user(to, fax_stream_addr(&ff->stream), n))
		return -EFAULT;
	fax_stream_consume(ff, n);
	return n;
}

ssize_t fax_stream_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	struct fax_file *ff = file->private_data;
	ssize_t ret;

	if (ff->func->function != FAX_FUNC_SCAN)
		return -EOPNOTSUPP;
	if (fax_gone(ff->board))
		return -ENODEV;
	if (!count)
		return 0;
	ret = fax_stream_lock(ff, file->f_flags & O_NONBLOCK);
	if (ret)
		return ret;
	ret = fax_stream_read_locked(ff, to, count, file->f_flags & O_NONBLOCK);
	mutex_unlock(&ff->io_lock);
	return ret;
}

/*
 * Writing.
 */

/* Hand what was written to the printer. Under the board's lock. */
static void fax_stream_flush(struct fax_file *ff, bool end)
{
	struct fax_stream *s = &ff->stream;
	struct fax_pipe *pipe = s->pipe;

	pipe->wr_start = div_u64(s->pos, pipe->stride);
	pipe->wr_done = pipe->wr_start;
	if (end || pipe->wr_done == fax_stream_rows(ff)) {
		s->full = true;
		pipe->eof = true;
	}
	if (pipe->mapped)
		dma_sync_sgtable_for_device(ff->board->dma_dev, &pipe->sgt, pipe->dir);
	fax_board_kick(ff->board);
}

/* The user's side of the page ends here: a row begun is filled up with white. */
static void fax_stream_finish(struct fax_file *ff)
{
	struct fax_stream *s = &ff->stream;
	int white = ff->fmt.flags & FAX_FMT_BLACK_IS_0 ? 0xff : 0;
	u32 rest;

	if (s->full || s->ended)
		return;
	div_u64_rem(s->pos, s->pipe->stride, &rest);
	if (rest) {
		memset(fax_stream_addr(s), white, s->pipe->stride - rest);
		s->pos += s->pipe->stride - rest;
	}
	fax_stream_flush(ff, true);
}

/* Wait until there is room in a page; begins one where none is open. */
static int fax_stream_room(struct fax_file *ff, bool nonblock, bool busy, size_t *room)
{
	struct fax_stream *s = &ff->stream;
	int ret;

	for (;;) {
		if (!s->page) {
			ret = fax_stream_begin(ff, nonblock);
			if (ret)
				return ret;
		}
		if (READ_ONCE(s->ended)) {
			ret = fax_stream_end(ff, busy);
			if (ret)
				return ret;
			continue;	/* that page is out, this is the next one's */
		}
		if (fax_gone(ff->board))
			return -ENODEV;
		*room = s->full ? 0 : fax_stream_ready(ff);
		if (*room)
			return 0;
		ret = fax_stream_wait(ff, nonblock, s->full);
		if (ret)
			return ret;
	}
}

static ssize_t fax_stream_write_locked(struct fax_file *ff, const char __user *from, size_t count,
				       bool nonblock)
{
	size_t done = 0;
	size_t room;
	int ret;

	while (done < count) {
		ret = fax_stream_room(ff, nonblock, done, &room);
		if (ret)
			return done ?: ret;
		room = min(room, count - done);
		if (copy_from_user(fax_stream_addr(&ff->stream), from + done, room))
			return done ?: -EFAULT;
		atomic64_inc(&ff->board->cpu_accesses);
		mutex_lock(&ff->board->lock);
		ff->stream.pos += room;
		fax_stream_flush(ff, false);
		mutex_unlock(&ff->board->lock);
		done += room;
	}
	return done;
}

ssize_t fax_stream_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	struct fax_file *ff = file->private_data;
	ssize_t ret;

	if (ff->func->function != FAX_FUNC_PRINT)
		return -EOPNOTSUPP;
	if (fax_gone(ff->board))
		return -ENODEV;
	ret = fax_stream_lock(ff, file->f_flags & O_NONBLOCK);
	if (ret)
		return ret;
	ret = fax_stream_write_locked(ff, from, count, file->f_flags & O_NONBLOCK);
	mutex_unlock(&ff->io_lock);
	return ret;
}

static int fax_stream_fsync_locked(struct fax_file *ff)
{
	struct fax_stream *s = &ff->stream;
	int ret;

	if (!s->page)
		return 0;
	mutex_lock(&ff->board->lock);
	fax_stream_finish(ff);
	mutex_unlock(&ff->board->lock);
	while (!READ_ONCE(s->ended)) {
		if (fax_gone(ff->board))
			return -ENODEV;
		ret = fax_stream_wait(ff, false, true);
		if (ret)
			return ret;
	}
	return fax_stream_end(ff, false);
}

int fax_stream_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct fax_file *ff = file->private_data;
	int ret;

	if (ff->func->function != FAX_FUNC_PRINT)
		return -EINVAL;
	ret = fax_stream_lock(ff, false);
	if (ret)
		return ret;
	ret = fax_stream_fsync_locked(ff);
	mutex_unlock(&ff->io_lock);
	return ret;
}

/* The open is being closed, under the board's lock: a page begun is printed, or not scanned. */
void fax_stream_close(struct fax_file *ff)
{
	struct fax_stream *s = &ff->stream;

	if (!s->page || !s->job)
		return;
	if (ff->func->function == FAX_FUNC_PRINT && s->pos)
		fax_stream_finish(ff);
	else
		fax_job_stop(s->job, FAX_CODE_CANCELED, 0);
}
