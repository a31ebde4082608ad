// SPDX-License-Identifier: GPL-2.0
/*
 * Which job runs, the bands it is cut into, and what the board says of them.
 * All of it under the board's lock.
 */
#include <linux/bitmap.h>

#include "core.h"
#include "trace.h"

enum fax_feed {
	FAX_FEED_NONE,		/* nothing to do for this job now */
	FAX_FEED_DONE,		/* a chunk was started */
	FAX_FEED_FULL,		/* the engine takes no more now */
	FAX_FEED_ENDED,		/* the job ended, and may be freed */
};

static bool fax_reads_raw(u32 op)
{
	return op == FAX_OP_PRINT || op == FAX_OP_ENCODE;
}

/* Rows at which the page must be over. */
static u32 fax_row_limit(const struct fax_job *job)
{
	if (!job->pipe)
		return job->raw_rows;
	return job->fmt.rows ?: job->func->caps.rows_max;
}

/* Encode, print: rows of the page, if that is known by now, else 0. */
static u32 fax_page_rows(const struct fax_job *job)
{
	if (!job->pipe)
		return job->raw_rows;
	return job->pipe->eof ? job->pipe->wr_done : job->fmt.rows;
}

/* Encode, print: nothing will follow what was taken. */
static bool fax_all_read(const struct fax_job *job)
{
	if (!job->pipe)
		return job->rows_done == job->raw_rows;
	return job->pipe->eof && job->rows_done == job->pipe->wr_done;
}

static enum fax_feed fax_end(struct fax_job *job, u32 code)
{
	if (code == FAX_CODE_OK && job->fmt.rows && job->rows_done < job->fmt.rows)
		job->done_flags |= FAX_DONE_SHORT;
	fax_job_stop(job, code, 0);
	return FAX_FEED_ENDED;
}

/*
 * Making chunks. Each maker fills in what its operation needs; the job's
 * cursors move only when the driver has taken the chunk.
 */

/* The raw side of @run: up to @rows rows from where the job is. 0 = not one fits. */
static u32 fax_cut_raw(struct fax_job *job, struct fax_run *run, u32 rows)
{
	u32 stride = job->fmt.stride;
	const struct fax_map *map;
	u32 max = job->func->max_sg;
	u32 covered;
	u64 off;

	if (job->pipe) {
		map = &job->pipe->map;
		off = fax_pipe_offset(job->pipe, job->rows_start);
	} else {
		map = &job->raw.buf->import->map;
		off = job->raw.off + (u64)job->rows_start * stride;
		rows = min(rows, max(1u, FAX_BAND_BYTES / stride));
	}
	covered = fax_map_cut(map, off, rows * stride, run->sg, max, &run->chunk.nraw);
	if (covered < rows * stride) {
		rows = covered / stride;
		fax_map_cut(map, off, rows * stride, run->sg, max, &run->chunk.nraw);
	}
	run->row = job->rows_start;
	run->chunk.raw = run->sg;
	run->chunk.rows = rows;
	return rows;
}

/* The coded side: what is left of @span from @done. true: all of it. */
static bool fax_cut_coded(struct fax_job *job, struct fax_run *run, const struct fax_span *span,
			  u64 done)
{
	u32 left = min_t(u64, span->len - done, S32_MAX);
	struct fax_chunk *chunk = &run->chunk;

	chunk->coded = run->sg + job->func->max_sg;
	run->coded_len = fax_map_cut(&span->buf->import->map, span->off + done, left,
				     run->sg + job->func->max_sg, job->func->max_sg,
				     &chunk->ncoded);
	return run->coded_len == span->len - done;
}

static enum fax_feed fax_make_scan(struct fax_job *job, struct fax_run *run)
{
	u32 room = fax_row_limit(job) - job->rows_start;

	if (job->pipe)
		room = min(room, fax_pipe_room(job->pipe));
	if (!room)
		return FAX_FEED_NONE;
	if (!fax_cut_raw(job, run, room))
		return fax_end(job, FAX_CODE_DMA);
	if (!job->fed)
		run->chunk.flags |= FAX_CHUNK_FIRST | FAX_CHUNK_NEW_PAGE;
	return FAX_FEED_DONE;
}

/* Encode, print: rows that may be handed over now. */
static u32 fax_rows_to_read(const struct fax_job *job)
{
	if (job->pipe)
		return fax_pipe_avail(job->pipe, job->fmt.rows);
	return job->raw_rows - job->rows_start;
}

static enum fax_feed fax_make_reader(struct fax_job *job, struct fax_run *run)
{
	u32 rows = fax_rows_to_read(job);

	if (job->pipe && job->pipe->wr_done > fax_row_limit(job))
		return fax_end(job, FAX_CODE_TOO_LONG);
	if (!rows && !job->end_due) {
		if (!job->inflight && fax_all_read(job))
			return fax_end(job, FAX_CODE_OK);
		return FAX_FEED_NONE;
	}
	if (rows && !fax_cut_raw(job, run, rows))
		return fax_end(job, FAX_CODE_DMA);
	if (job->rows_start + run->chunk.rows == fax_page_rows(job))
		run->chunk.flags |= FAX_CHUNK_LAST;
	if (!job->fed)
		run->chunk.flags |= FAX_CHUNK_FIRST;
	return FAX_FEED_DONE;
}

static enum fax_feed fax_make_print(struct fax_job *job, struct fax_run *run)
{
	enum fax_feed feed = fax_make_reader(job, run);

	if (feed == FAX_FEED_DONE && !job->fed)
		run->chunk.flags |= FAX_CHUNK_NEW_PAGE;
	return feed;
}

static enum fax_feed fax_make_encode(struct fax_job *job, struct fax_run *run)
{
	enum fax_feed feed = fax_make_reader(job, run);

	if (feed == FAX_FEED_DONE)
		fax_cut_coded(job, run, &job->out, job->out_done);
	return feed;
}

static enum fax_feed fax_make_decode(struct fax_job *job, struct fax_run *run)
{
	const struct fax_span *span = &job->segs[job->seg];
	u32 room = fax_row_limit(job) - job->rows_start;
	struct fax_chunk *chunk = &run->chunk;

	if (!room)	/* the page is full and code is left */
		return fax_end(job, FAX_CODE_TOO_LONG);
	if (job->pipe)
		room = min(room, fax_pipe_room(job->pipe));
	if (span->rows)
		room = min(room, span->rows - job->seg_rows);
	if (!room)
		return FAX_FEED_NONE;
	if (!fax_cut_raw(job, run, room))
		return fax_end(job, FAX_CODE_DMA);
	if (fax_cut_coded(job, run, span, job->seg_off))
		chunk->flags |= FAX_CHUNK_LAST;
	if (!job->seg_fed)
		chunk->flags |= FAX_CHUNK_FIRST;
	chunk->fmt.encoding = span->encoding;
	chunk->fmt.flags = span->flags | (job->fmt.flags & FAX_FMT_BLACK_IS_0);
	chunk->seg_rows = span->rows;
	return FAX_FEED_DONE;
}

static enum fax_feed fax_make(struct fax_job *job, struct fax_run *run)
{
	struct fax_chunk *chunk = &run->chunk;

	memset(chunk, 0, sizeof(*chunk));
	INIT_LIST_HEAD(&chunk->list);
	chunk->job = job;
	chunk->gen = job->gen;
	chunk->op = job->op;
	chunk->context = max(job->context, 0);
	chunk->fmt = job->fmt;
	run->coded_len = 0;
	run->row = job->rows_start;
	if (job->flags & FAX_SUBMIT_NOWAIT)
		chunk->flags |= FAX_CHUNK_NOWAIT;
	switch (job->op) {
	case FAX_OP_SCAN:
		return fax_make_scan(job, run);
	case FAX_OP_PRINT:
		return fax_make_print(job, run);
	case FAX_OP_ENCODE:
		return fax_make_encode(job, run);
	default:
		return fax_make_decode(job, run);
	}
}

static void fax_run_set(struct fax_func *func, struct fax_run *run, enum fax_run_state state,
			struct list_head *list)
{
	spin_lock_irq(&func->board->irq_lock);
	WRITE_ONCE(run->state, state);
	list_move_tail(&run->node, list);
	spin_unlock_irq(&func->board->irq_lock);
}

/* The driver has the chunk: move the cursors. */
static void fax_advance(struct fax_job *job, u32 rows)
{
	job->fed = true;
	job->seg_fed = true;
	job->in_engine = fax_leased(job->func);
	job->rows_start += rows;
	if (!job->pipe)
		return;
	if (fax_reads_raw(job->op))
		job->pipe->rd_start += rows;
	else
		job->pipe->wr_start += rows;
}

/* Start one more chunk of @job. */
static enum fax_feed fax_feed(struct fax_job *job)
{
	struct fax_func *func = job->func;
	enum fax_feed feed;
	struct fax_run *run;
	u32 rows;
	int ret;

	run = list_first_entry_or_null(&func->idle, struct fax_run, node);
	if (!run)
		return FAX_FEED_FULL;
	feed = fax_make(job, run);
	if (feed != FAX_FEED_DONE)
		return feed;

	/* the chunk may come back before start() returns */
	rows = run->chunk.rows;
	run->since = jiffies;
	run->before = func->completions;
	fax_count_inflight(job, 1);
	fax_run_set(func, run, FAX_RUN_STARTED, &func->started);
	trace_fax_chunk_start(&func->dev, &run->chunk);
	ret = func->ops->start(func, &run->chunk);
	if (!ret) {
		fax_advance(job, rows);
		return FAX_FEED_DONE;
	}
	fax_run_set(func, run, FAX_RUN_FREE, &func->idle);
	fax_count_inflight(job, -1);
	return ret == -EBUSY ? FAX_FEED_FULL : fax_end(job, FAX_CODE_DMA);
}

/*
 * Choosing jobs.
 */

/*
 * Scanner and printer: the next page. Pages of one open keep their order; a
 * page that waits for the other side of its pipe lets those of other opens by.
 */
static struct fax_job *fax_pick(struct fax_func *func)
{
	struct fax_job *job;

	func->pick++;
	list_for_each_entry(job, &func->jobs, node) {
		if (job->state != FAX_JOB_QUEUED || job->file->passed == func->pick)
			continue;
		if (fax_pipe_ready(job) &&
		    (!func->claim || func->claim == job->file || job->file->closed))
			return job;
		job->file->passed = func->pick;
	}
	return NULL;
}

static void fax_begin(struct fax_job *job)
{
	job->state = FAX_JOB_RUNNING;
	job->gen = ++job->func->gen;
}

static bool fax_schedule_leased(struct fax_func *func, bool *started)
{
	struct fax_job *job = func->active;
	enum fax_feed feed;

	if (!job) {
		job = fax_pick(func);
		if (!job)
			return false;
		fax_begin(job);
		func->active = job;
	}
	if (job->state != FAX_JOB_RUNNING)
		return false;
	do {
		feed = fax_feed(job);
		*started |= feed == FAX_FEED_DONE;
	} while (feed == FAX_FEED_DONE);
	return feed == FAX_FEED_ENDED;
}

/* Coder: whose turn it is to get a context: the oldest job of the open that has the fewest. */
static struct fax_job *fax_pick_shared(struct fax_func *func)
{
	struct fax_job *job, *best = NULL;

	list_for_each_entry(job, &func->jobs, node) {
		if (job->state != FAX_JOB_QUEUED || !fax_pipe_ready(job))
			continue;
		if (!best || job->file->contexts < best->file->contexts)
			best = job;
		if (!best->file->contexts)
			break;
	}
	return best;
}

/* Coder: a job runs as soon as there is a context for it. */
static void fax_grant_contexts(struct fax_func *func)
{
	struct fax_job *job;
	u32 context;

	for (;;) {
		context = find_first_zero_bit(func->ctx_used, func->contexts);
		if (context >= func->contexts)
			return;
		job = fax_pick_shared(func);
		if (!job)
			return;
		__set_bit(context, func->ctx_used);
		job->context = context;
		job->file->contexts++;
		fax_begin(job);
	}
}

/*
 * Coder: a chunk of each job in turn; the next depends on how the last one
 * ended. Opens share it, not jobs: an open gets a second chunk under way
 * (@more) only while no other has one.
 */
static enum fax_feed fax_feed_shared(struct fax_func *func, bool more, bool *started)
{
	struct fax_job *job, *next;
	enum fax_feed feed;

	list_for_each_entry_safe(job, next, &func->jobs, node) {
		u32 mine = job->file->inflight;

		if (job->state != FAX_JOB_RUNNING || job->inflight ||
		    (mine && (!more || mine != func->inflight)))
			continue;
		feed = fax_feed(job);
		if (feed == FAX_FEED_FULL || feed == FAX_FEED_ENDED)
			return feed;	/* ended: and perhaps @next with it */
		if (feed == FAX_FEED_DONE) {
			*started = true;
			list_move_tail(&job->node, &func->jobs);
		}
	}
	return FAX_FEED_NONE;
}

static bool fax_schedule_shared(struct fax_func *func, bool *started)
{
	enum fax_feed feed;

	fax_grant_contexts(func);
	feed = fax_feed_shared(func, false, started);
	if (feed == FAX_FEED_NONE)
		feed = fax_feed_shared(func, true, started);
	return feed == FAX_FEED_ENDED;
}

/* Start what can be started. true: a job ended, so that others may move. */
bool fax_schedule(struct fax_func *func)
{
	bool started = false;
	bool ended;

	if (func->fault || func->board->gone || func->board->suspended)
		return false;
	ended = fax_leased(func) ? fax_schedule_leased(func, &started) :
				   fax_schedule_shared(func, &started);
	if (started) {
		func->ops->kick(func);
		fax_update_waiting(func);
	}
	return ended;
}

/*
 * Results. The board is not trusted: what it says must lie within what it was
 * given, and a chunk that moved nothing must say why.
 */

static u32 fax_result_code(const struct fax_run *run)
{
	const struct fax_chunk_result *r = &run->result;

	if (r->rows > run->chunk.rows || r->bytes > run->coded_len)
		return FAX_CODE_DMA;
	switch (r->code) {
	case FAX_CODE_OUT_FULL:
		/* for a decoder the room is rows, and that it is used up is no news */
		if (run->chunk.op == FAX_OP_DECODE)
			return FAX_CODE_OK;
		return run->chunk.op == FAX_OP_ENCODE ? FAX_CODE_OUT_FULL : FAX_CODE_DMA;
	case FAX_CODE_CANCELED:		/* not at our request */
		return FAX_CODE_RESET;
	case FAX_CODE_CODING:
		return run->chunk.op == FAX_OP_DECODE ? FAX_CODE_CODING : FAX_CODE_DMA;
	case FAX_CODE_OK:
	case FAX_CODE_PAPER_OUT:
	case FAX_CODE_JAM:
	case FAX_CODE_COVER:
	case FAX_CODE_DMA:
	case FAX_CODE_OVERRUN:
	case FAX_CODE_UNDERRUN:
	case FAX_CODE_RESET:
	case FAX_CODE_TOO_LONG:
	case FAX_CODE_TOO_WIDE:
		return r->code;
	default:
		return FAX_CODE_DMA;
	}
}

/* Rows that were moved count, whatever came of the chunk otherwise. */
static void fax_count_rows(struct fax_job *job, u32 rows)
{
	u64 bytes = (u64)rows * job->fmt.stride;
	struct fax_func *func = job->func;

	job->rows_done += rows;
	func->rows += rows;
	if (fax_reads_raw(job->op)) {
		func->bytes_in += bytes;
		job->bytes_in += job->pipe ? 0 : bytes;
	} else {
		func->bytes_out += bytes;
		job->bytes_out += job->pipe ? 0 : bytes;
	}
	if (!job->pipe)
		return;
	if (fax_reads_raw(job->op))
		WRITE_ONCE(job->pipe->rd_done, job->pipe->rd_done + rows);
	else
		WRITE_ONCE(job->pipe->wr_done, job->pipe->wr_done + rows);
	if (job->stream)
		wake_up_all(&job->file->wait);
}

/* One chunk at a time: what the board did not take of it is handed over again. */
static void fax_rewind_rows(struct fax_job *job)
{
	job->rows_start = job->rows_done;
	if (job->pipe)
		fax_pipe_take_back(job);
}

/* Another original lies in the feeder: who scans it next wants to know how large it is. */
static void fax_look_at_next(struct fax_job *job)
{
	struct fax_func *func = job->func;
	struct fax_hw_status hw = {};

	job->done_flags |= FAX_DONE_MORE_PAPER;
	if (!func->ops->status || func->ops->status(func, &hw))
		return;
	job->next_width = hw.paper_width;
	job->next_height = hw.paper_height;
}

static void fax_scanned(struct fax_job *job, struct fax_run *run, u32 code)
{
	const struct fax_chunk_result *r = &run->result;

	if (run->row != job->rows_done) {	/* out of order */
		fax_end(job, FAX_CODE_DMA);
		return;
	}
	fax_count_rows(job, r->rows);
	if (code != FAX_CODE_OK) {
		fax_end(job, code);
	} else if (r->flags & FAX_RESULT_PAGE_END) {
		if (r->flags & FAX_RESULT_MORE_PAPER)
			fax_look_at_next(job);
		fax_end(job, FAX_CODE_OK);
	} else if (r->rows != run->chunk.rows) {
		fax_end(job, FAX_CODE_DMA);
	} else if (job->rows_done >= fax_row_limit(job)) {
		fax_end(job, FAX_CODE_TOO_LONG);
	} else {
		fax_update_waiting(job->func);
	}
}

static void fax_printed(struct fax_job *job, struct fax_run *run, u32 code)
{
	if (code == FAX_CODE_OK &&
	    (run->row != job->rows_done || run->result.rows != run->chunk.rows))
		code = FAX_CODE_DMA;
	else
		fax_count_rows(job, run->result.rows);
	if (code != FAX_CODE_OK)
		fax_end(job, code);
	else if (fax_all_read(job))
		fax_end(job, FAX_CODE_OK);
	else
		fax_update_waiting(job->func);
}

static void fax_encoded(struct fax_job *job, struct fax_run *run, u32 code)
{
	const struct fax_chunk_result *r = &run->result;
	bool last = run->chunk.flags & FAX_CHUNK_LAST;

	fax_count_rows(job, r->rows);
	fax_rewind_rows(job);
	job->out_done += r->bytes;
	job->bytes_out += r->bytes;
	job->func->bytes_out += r->bytes;
	if (code == FAX_CODE_OUT_FULL) {
		/* all rows taken: what is left is the end of the code */
		job->end_due = last && r->rows == run->chunk.rows;
		if (job->out_done == job->out.len)
			fax_job_park(job);
		else if (!r->rows && !r->bytes)
			fax_end(job, FAX_CODE_DMA);
		return;
	}
	if (code == FAX_CODE_OK && r->rows != run->chunk.rows)
		code = FAX_CODE_DMA;
	if (code != FAX_CODE_OK) {
		fax_end(job, code);
		return;
	}
	job->end_due = false;
	if (fax_all_read(job))
		fax_end(job, FAX_CODE_OK);
}

/* The board counts damage from the segment's start; the page's sum is ours. */
static void fax_count_damage(struct fax_job *job, const struct fax_chunk_result *r)
{
	u32 bad = min(r->rows_bad, job->seg_rows);

	if (bad <= job->seg_bad)
		return;
	if (!job->rows_bad)
		job->first_bad_row = job->seg_row + min(r->first_bad_row, job->seg_rows - 1);
	job->rows_bad += bad - job->seg_bad;
	job->seg_bad = bad;
	job->max_bad_run = max(job->max_bad_run, min(r->max_bad_run, bad));
}

static void fax_next_seg(struct fax_job *job, const struct fax_chunk_result *r)
{
	const struct fax_span *span = &job->segs[job->seg];

	if (job->seg_rows < span->rows || (r->flags & FAX_RESULT_SHORT))
		job->done_flags |= FAX_DONE_SHORT;
	if (job->seg + 1 == job->nsegs) {
		fax_end(job, FAX_CODE_OK);
		return;
	}
	job->seg++;
	job->seg_off = 0;
	job->seg_row = job->rows_done;
	job->seg_rows = 0;
	job->seg_bad = 0;
	job->seg_fed = false;
}

static void fax_decoded(struct fax_job *job, struct fax_run *run, u32 code)
{
	const struct fax_span *span = &job->segs[job->seg];
	const struct fax_chunk_result *r = &run->result;
	bool last = run->chunk.flags & FAX_CHUNK_LAST;

	fax_count_rows(job, r->rows);
	fax_rewind_rows(job);
	job->seg_off += r->bytes;
	job->seg_rows += r->rows;
	job->bytes_in += r->bytes;
	job->func->bytes_in += r->bytes;
	fax_count_damage(job, r);
	if (code != FAX_CODE_OK)
		fax_end(job, code);
	else if ((r->flags & FAX_RESULT_PAGE_END) || (span->rows && job->seg_rows == span->rows) ||
		 (last && r->rows < run->chunk.rows))
		fax_next_seg(job, r);
	else if (job->fmt.rows && job->rows_done == job->fmt.rows && job->seg + 1 == job->nsegs)
		fax_end(job, FAX_CODE_OK);	/* the page is as long as it should be */
	else if (!r->rows && !r->bytes)
		fax_end(job, FAX_CODE_DMA);
}

/* A chunk came back, and is nobody's now. */
void fax_run_done(struct fax_run *run)
{
	struct fax_job *job = run->chunk.job;
	struct fax_func *func = job->func;
	u32 code = fax_result_code(run);

	trace_fax_chunk_done(&func->dev, &run->chunk, &run->result);
	list_add_tail(&run->node, &func->idle);
	func->progress = jiffies;
	func->completions++;
	fax_count_inflight(job, -1);
	if (run->result.code != FAX_CODE_OK)	/* the engine gave the page up itself */
		job->in_engine = false;
	if (job->state != FAX_JOB_RUNNING || run->chunk.gen != job->gen) {
		fax_job_idle(job);
		return;
	}
	/* counts that cannot be came with FAX_CODE_DMA, and count for nothing */
	if (run->result.rows > run->chunk.rows)
		run->result.rows = 0;
	if (run->result.bytes > run->coded_len)
		run->result.bytes = 0;
	/* it waited, went on and came back, all between two looks */
	if (run->result.rows)
		fax_tell_waiting(func, job, false);
	switch (job->op) {
	case FAX_OP_SCAN:
		fax_scanned(job, run, code);
		break;
	case FAX_OP_PRINT:
		fax_printed(job, run, code);
		break;
	case FAX_OP_ENCODE:
		fax_encoded(job, run, code);
		break;
	default:
		fax_decoded(job, run, code);
		break;
	}
}
