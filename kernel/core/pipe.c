// SPDX-License-Identifier: GPL-2.0
/*
 * Pipes: rings of bands that one job fills and another empties.
 *
 * The ring is counted in rows of the page, so that a producer may fill a band
 * in several steps (segments of a page end where they like). Only the page's
 * last band may be short. A pipe serves one page at a time; when both its jobs
 * are through, it is ready for the next.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core.h"

static u32 fax_pipe_side(const struct fax_job *job)
{
	return fax_op_produces(job->op) ? FAX_PIPE_PROD : FAX_PIPE_CONS;
}

/*
 * Rows.
 */

/* Byte of @row in the ring. */
u64 fax_pipe_offset(const struct fax_pipe *pipe, u32 row)
{
	u32 band = (row / pipe->rows) % pipe->bands;

	return (u64)band * pipe->band_bytes + (u64)(row % pipe->rows) * pipe->stride;
}

/* Rows from @row to the end of its band. */
static u32 fax_pipe_rest(const struct fax_pipe *pipe, u32 row)
{
	return pipe->rows - row % pipe->rows;
}

/* Rows that a producer may be handed now, in one stretch. */
u32 fax_pipe_room(const struct fax_pipe *pipe)
{
	u32 filled = pipe->wr_start - pipe->rd_done;
	u32 room = pipe->rows * pipe->bands - filled;

	return min(room, fax_pipe_rest(pipe, pipe->wr_start));
}

/*
 * Rows that a consumer may be handed now, in one stretch. He must be told
 * which chunk is the page's last, so while the end is not in sight (neither
 * eof nor row @page_rows, 0 = not known) he gets whole bands only, and the
 * last of those that are there is kept back.
 */
u32 fax_pipe_avail(const struct fax_pipe *pipe, u32 page_rows)
{
	u32 avail = pipe->wr_done - pipe->rd_start;
	u32 rest = fax_pipe_rest(pipe, pipe->rd_start);
	bool end = pipe->eof || (page_rows && pipe->wr_done >= page_rows);

	if (end)
		return min(avail, rest);
	return avail > rest ? rest : 0;
}

void fax_pipe_rewind(struct fax_pipe *pipe)
{
	pipe->wr_start = 0;
	pipe->wr_done = 0;
	pipe->rd_start = 0;
	pipe->rd_done = 0;
	pipe->eof = false;
	pipe->seen = 0;
}

/*
 * The two sides.
 */

int fax_pipe_may_bind(const struct fax_pipe *pipe, const struct fax_job *job)
{
	u32 min_stride = DIV_ROUND_UP(job->fmt.width, 8);

	if (pipe->board != job->func->board)
		return -EXDEV;
	if (!pipe->mapped)
		return -ENODEV;
	if (job->fmt.width != pipe->width)
		return -EINVAL;
	/* a caller who gave no stride got the least; the ring has its own */
	if (job->fmt.stride != min_stride && job->fmt.stride != pipe->stride)
		return -EINVAL;
	if (pipe->seen & fax_pipe_side(job))
		return -EBUSY;
	return 0;
}

/* After fax_pipe_may_bind(), under the same lock. Takes a reference. */
void fax_pipe_bind(struct fax_pipe *pipe, struct fax_job *job)
{
	u32 side = fax_pipe_side(job);

	kref_get(&pipe->kref);
	job->pipe = pipe;
	job->fmt.stride = pipe->stride;
	pipe->seen |= side;
	if (side == FAX_PIPE_PROD)
		pipe->prod = job;
	else
		pipe->cons = job;
}

/* May the job begin, as far as its other side is concerned? */
bool fax_pipe_ready(const struct fax_job *job)
{
	const struct fax_pipe *pipe = job->pipe;

	if (!pipe)
		return true;
	if (job->op == FAX_OP_PRINT)
		return (pipe->seen | pipe->cpu) & FAX_PIPE_PROD;
	if (job->op == FAX_OP_ENCODE)	/* no context for one that has nothing to do */
		return pipe->wr_done || pipe->eof;
	if (pipe->cpu & FAX_PIPE_CONS)
		return true;
	if (!pipe->cons)
		return false;
	/* a decoder holds no context while its page waits for other pages */
	return !fax_leased(pipe->cons->func) || pipe->cons->func->active == pipe->cons;
}

/* The outcome of @job is known: tell the other side. */
void fax_pipe_leave(struct fax_job *job)
{
	struct fax_pipe *pipe = job->pipe;
	u32 side = fax_pipe_side(job);
	struct fax_job *mate;

	mate = side == FAX_PIPE_PROD ? pipe->cons : pipe->prod;
	if (job->code == FAX_CODE_OK) {
		if (side == FAX_PIPE_PROD) {
			pipe->wr_start = pipe->wr_done;
			pipe->eof = true;
		}
		return;
	}
	if (mate && job->code == FAX_CODE_GONE) {
		fax_job_stop(mate, FAX_CODE_GONE, 0);
	} else if (mate) {
		fax_job_stop(mate, FAX_CODE_PEER, job->code);
	} else if (!((pipe->seen | pipe->cpu) & ~side) && job->code != FAX_CODE_PEER) {
		pipe->broken = job->code;
		pipe->broken_side = side;
	}
}

/* What was handed to the board for @job, and not done, was not handed out. */
void fax_pipe_take_back(struct fax_job *job)
{
	struct fax_pipe *pipe = job->pipe;

	if (fax_op_produces(job->op))
		pipe->wr_start = pipe->wr_done;
	else
		pipe->rd_start = pipe->rd_done;
}

/* Nothing of @job is in flight any more. */
void fax_pipe_detach(struct fax_job *job)
{
	struct fax_pipe *pipe = job->pipe;

	if (pipe->prod == job)
		pipe->prod = NULL;
	if (pipe->cons == job)
		pipe->cons = NULL;
	if (!pipe->prod && !pipe->cons && !pipe->cpu)
		fax_pipe_rewind(pipe);
	job->pipe = NULL;
	fax_pipe_put(pipe);
}

/*
 * Life.
 */

static void fax_pipe_free(struct kref *kref)
{
	struct fax_pipe *pipe = container_of(kref, struct fax_pipe, kref);
	struct fax_board *board = pipe->board;

	fax_pipe_unmap(pipe);
	vunmap(pipe->vaddr);
	fax_pages_free(&pipe->mem);
	fax_quota_uncharge(pipe->quota, (u64)pipe->band_bytes * pipe->bands);
	fax_quota_put(pipe->quota);
	kfree(pipe);
	fax_board_put(board);
}

/* Under the board's lock; the caller has a reference of the board besides. */
void fax_pipe_put(struct fax_pipe *pipe)
{
	kref_put(&pipe->kref, fax_pipe_free);
}

/* Under the board's lock, with nothing in flight. */
void fax_pipe_unmap(struct fax_pipe *pipe)
{
	if (!pipe->mapped)
		return;
	pipe->mapped = false;
	list_del_init(&pipe->node);
	dma_unmap_sgtable(pipe->board->dma_dev, &pipe->sgt, pipe->dir, 0);
	sg_free_table(&pipe->sgt);
	fax_map_free(&pipe->map);
}

static int fax_pipe_map(struct fax_pipe *pipe)
{
	struct fax_board *board = pipe->board;
	int ret, idx;

	idx = srcu_read_lock(&board->srcu);
	ret = -ENODEV;
	if (fax_gone(board))
		goto out;
	ret = fax_pages_sgt(&pipe->mem, &pipe->sgt, board->dma_dev);
	if (ret)
		goto out;
	ret = dma_map_sgtable(board->dma_dev, &pipe->sgt, pipe->dir, 0);
	if (ret)
		goto out_free;
	ret = fax_map_init(&pipe->map, &pipe->sgt);
	if (ret)
		goto out_unmap;
	mutex_lock(&board->lock);
	pipe->mapped = true;
	list_add(&pipe->node, &board->pipes);
	mutex_unlock(&board->lock);
	srcu_read_unlock(&board->srcu, idx);
	return 0;

out_unmap:
	dma_unmap_sgtable(board->dma_dev, &pipe->sgt, pipe->dir, 0);
out_free:
	sg_free_table(&pipe->sgt);
out:
	srcu_read_unlock(&board->srcu, idx);
	return ret;
}

/**
 * fax_pipe_create() - make a ring
 * @ff: open that it is charged to
 * @width: pixels
 * @stride: bytes from row to row
 * @rows: of a band
 * @bands: of the ring
 * @dir: BIDIRECTIONAL between two functions, else that of the function; the
 *	 CPU's view is mapped too then
 *
 * Return: the pipe with one reference, or an ERR_PTR.
 */
struct fax_pipe *fax_pipe_create(struct fax_file *ff, u32 width, u32 stride, u32 rows, u32 bands,
				 enum dma_data_direction dir)
{
	u64 band_bytes = PAGE_ALIGN((u64)rows * stride);
	u64 size = band_bytes * bands;
	struct fax_pipe *pipe;
	int ret;

	ret = fax_quota_charge(ff->quota, size);
	if (ret)
		return ERR_PTR(ret);
	pipe = kzalloc(sizeof(*pipe), GFP_KERNEL_ACCOUNT);
	if (!pipe) {
		fax_quota_uncharge(ff->quota, size);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&pipe->kref);
	INIT_LIST_HEAD(&pipe->node);
	pipe->board = ff->board;
	fax_board_get(ff->board);
	pipe->quota = ff->quota;
	kref_get(&pipe->quota->kref);
	pipe->dir = dir;
	pipe->width = width;
	pipe->stride = stride;
	pipe->rows = rows;
	pipe->bands = bands;
	pipe->band_bytes = band_bytes;

	ret = fax_pages_alloc(&pipe->mem, size);
	if (!ret && dir != DMA_BIDIRECTIONAL) {
		void *vaddr = fax_pages_vmap(&pipe->mem, ff->board);

		if (IS_ERR(vaddr))
			ret = PTR_ERR(vaddr);
		else
			pipe->vaddr = vaddr;
	}
	if (!ret)
		ret = fax_pipe_map(pipe);
	if (ret) {
		mutex_lock(&ff->board->lock);
		fax_pipe_put(pipe);
		mutex_unlock(&ff->board->lock);
		return ERR_PTR(ret);
	}
	return pipe;
}

/*
 * The file.
 */

static int fax_pipe_release(struct inode *inode, struct file *file)
{
	struct fax_pipe *pipe = file->private_data;
	struct fax_board *board = pipe->board;

	fax_board_get(board);
	mutex_lock(&board->lock);
	pipe->open = false;
	/* nobody can name the pipe again: who waits for his other side waits in vain */
	if (pipe->prod && !(pipe->seen & FAX_PIPE_CONS))
		fax_job_stop(pipe->prod, FAX_CODE_PEER, FAX_CODE_CANCELED);
	else if (pipe->cons && !(pipe->seen & FAX_PIPE_PROD))
		fax_job_stop(pipe->cons, FAX_CODE_PEER, FAX_CODE_CANCELED);
	fax_pipe_put(pipe);
	mutex_unlock(&board->lock);
	fax_board_put(board);
	return 0;
}

static const struct file_operations fax_pipe_fops = {
	.owner = THIS_MODULE,
	.release = fax_pipe_release,
};

/* The pipe behind @file, or NULL; it lives as long as the file. */
struct fax_pipe *fax_pipe_from_file(struct file *file)
{
	return file->f_op == &fax_pipe_fops ? file->private_data : NULL;
}

int fax_ioctl_pipe_alloc(struct fax_file *ff, struct fax_ioctl *io)
{
	struct fax_pipe_alloc *arg = &io->arg.pipe_alloc;
	struct fax_pipe *pipe;
	struct file *file;
	int fd;

	if (arg->flags & ~O_CLOEXEC || !arg->width || arg->width > FAX_MAX_WIDTH ||
	    !arg->rows || arg->rows > FAX_MAX_BAND_ROWS ||
	    arg->bands < 2 || arg->bands > FAX_MAX_BANDS)
		return -EINVAL;
	fd = get_unused_fd_flags(arg->flags);
	if (fd < 0)
		return fd;
	pipe = fax_pipe_create(ff, arg->width, DIV_ROUND_UP(arg->width, 8), arg->rows, arg->bands,
			       DMA_BIDIRECTIONAL);
	if (IS_ERR(pipe)) {
		put_unused_fd(fd);
		return PTR_ERR(pipe);
	}
	pipe->open = true;
	file = anon_inode_getfile("[fax-pipe]", &fax_pipe_fops, pipe, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		mutex_lock(&ff->board->lock);
		fax_pipe_put(pipe);
		mutex_unlock(&ff->board->lock);
		return PTR_ERR(file);
	}
	arg->fd = fd;
	io->fd = fd;
	io->file = file;
	return 0;
}
