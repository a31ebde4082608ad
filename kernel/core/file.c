// SPDX-License-Identifier: GPL-2.0
/*
 * An open of a function: the ioctl table, poll, claims, events.
 */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/lp.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/pm_runtime.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

/*
 * Life of an open.
 */

static void fax_default_fmt(struct fax_file *ff)
{
	const struct fax_caps *caps = &ff->func->caps;
	struct fax_fmt fmt = {
		.encoding = FAX_ENC_RAW,
		.width = 1728,
		.xres = FAX_RES_8_MM,
		.yres = FAX_RES_7_7_MM,
	};

	if (ff->func->function == FAX_FUNC_CODEC && (caps->encodings & BIT(FAX_ENC_MMR))) {
		fmt.encoding = FAX_ENC_MMR;
		fmt.flags = FAX_FMT_END & caps->fmt_flags;
	}
	if (fax_check_fmt(ff->func, &fmt)) {
		/* a board without A4 fine: the first that it names */
		fmt.xres = caps->nresolutions ? caps->resolutions[0].x : FAX_RES_8_MM;
		fmt.yres = caps->nresolutions ? caps->resolutions[0].y : FAX_RES_7_7_MM;
		fmt.width = caps->nwidths ?
			div_u64((u64)caps->widths[0] * fmt.xres, FAX_RES_8_MM) : caps->width_min;
		fmt.stride = DIV_ROUND_UP(fmt.width, 8);
	}
	ff->fmt = fmt;
}

/* Awake while there is an open. A device without runtime PM is always so. */
static int fax_power_get(struct fax_board *board)
{
	int ret = pm_runtime_get_sync(board->parent);

	if (ret >= 0 || ret == -EACCES)
		return 0;
	pm_runtime_put_noidle(board->parent);
	return ret;
}

static void fax_power_put(struct fax_board *board)
{
	pm_runtime_mark_last_busy(board->parent);
	pm_runtime_put_autosuspend(board->parent);
}

static void fax_file_free(struct fax_file *ff)
{
	fax_quota_put(ff->quota);
	kfree(ff);
}

static int fax_open(struct inode *inode, struct file *file)
{
	struct fax_func *func = container_of(inode->i_cdev, struct fax_func, cdev);
	struct fax_board *board = func->board;
	struct fax_file *ff;
	int ret;

	ff = kzalloc(sizeof(*ff), GFP_KERNEL_ACCOUNT);
	if (!ff)
		return -ENOMEM;
	ff->quota = fax_quota_alloc();
	if (!ff->quota) {
		kfree(ff);
		return -ENOMEM;
	}
	ff->func = func;
	ff->board = board;
	ff->f_mode = file->f_mode;
	init_waitqueue_head(&ff->wait);
	mutex_init(&ff->io_lock);
	xa_init_flags(&ff->bufs, XA_FLAGS_ALLOC1);
	INIT_LIST_HEAD(&ff->jobs);
	INIT_LIST_HEAD(&ff->done);
	fax_default_fmt(ff);

	ret = fax_gone(board) ? -ENODEV : fax_power_get(board);
	if (ret) {
		fax_file_free(ff);
		return ret;
	}
	mutex_lock(&board->lock);
	if (board->gone) {
		mutex_unlock(&board->lock);
		fax_power_put(board);
		fax_file_free(ff);
		return -ENODEV;
	}
	get_device(&func->dev);
	ff->latched = func->conditions;
	list_add_tail(&ff->node, &board->files);
	mutex_unlock(&board->lock);

	file->private_data = ff;
	return nonseekable_open(inode, file);
}

/*
 * Let go of a file that is closed and has no live job. Under the board's lock;
 * the caller holds a reference of the board by other means, the last one of
 * the file must not be dropped here.
 */
void fax_file_drop(struct fax_file *ff)
{
	struct fax_buf *buf;
	unsigned long i;

	if (!ff->closed || ff->nlive)
		return;
	if (ff->stream.pipe)
		fax_pipe_put(ff->stream.pipe);
	xa_for_each(&ff->bufs, i, buf)
		fax_buf_free(buf);
	xa_destroy(&ff->bufs);
	list_del(&ff->node);
	fax_power_put(ff->board);
	put_device(&ff->func->dev);
	fax_file_free(ff);
}

static void fax_release_jobs(struct fax_file *ff)
{
	struct fax_job *job, *next;

	/* a page that was written is printed; all else is not wanted any more */
	list_for_each_entry(job, &ff->jobs, file_node)
		if (!job->stream)
			fax_job_stop(job, FAX_CODE_CANCELED, 0);
	list_for_each_entry_safe(job, next, &ff->jobs, file_node)
		if (job->state == FAX_JOB_DONE)
			fax_job_forget(job);
}

/* Let others have the engine, if it was claimed. Under the board's lock. */
void fax_claim_drop(struct fax_file *ff)
{
	struct fax_func *func = ff->func;

	if (func->claim != ff)
		return;
	WRITE_ONCE(func->claim, NULL);
	wake_up_all(&func->claim_wait);
	fax_board_kick(func->board);
}

static int fax_release(struct inode *inode, struct file *file)
{
	struct fax_file *ff = file->private_data;
	struct fax_board *board = ff->board;

	fax_board_get(board);
	mutex_lock(&board->lock);
	fax_stream_close(ff);
	fax_release_jobs(ff);
	ff->closed = true;
	fax_claim_drop(ff);
	fax_file_drop(ff);
	mutex_unlock(&board->lock);
	fax_board_put(board);
	return 0;
}

/* A scanner moves pages for who may read, a printer for who may write. */
int fax_may_move(const struct fax_file *ff)
{
	fmode_t need = 0;

	if (ff->func->function != FAX_FUNC_PRINT)
		need |= FMODE_READ;
	if (ff->func->function != FAX_FUNC_SCAN)
		need |= FMODE_WRITE;
	return (ff->f_mode & need) == need ? 0 : -EBADF;
}

/*
 * Events.
 */

static void fax_event_store(struct fax_file *ff, const struct fax_event *event)
{
	struct fax_event *slot = &ff->events[(ff->ev_head + ff->ev_count) % FAX_EVENTS];

	*slot = *event;
	slot->time_ns = ktime_get_ns();
	slot->seq = ff->ev_seq++;
	WRITE_ONCE(ff->ev_count, ff->ev_count + 1);
}

/* Queue @event for @ff; what finds no room is counted, and told in its place. */
void fax_event_push(struct fax_file *ff, const struct fax_event *event)
{
	struct fax_event lost = { .type = FAX_EVENT_LOST, .conditions = event->conditions };

	if (ff->closed)
		return;
	if (ff->ev_count + (ff->ev_lost ? 2 : 1) > FAX_EVENTS) {
		ff->ev_lost++;
		return;
	}
	if (ff->ev_lost) {
		lost.value = ff->ev_lost;
		ff->ev_lost = 0;
		fax_event_store(ff, &lost);
	}
	fax_event_store(ff, event);
	wake_up_all(&ff->wait);
}

void fax_event_all(struct fax_func *func, u32 type, u32 changed)
{
	struct fax_event event = {
		.type = type,
		.conditions = func->conditions,
		.changed = changed,
	};
	struct fax_file *ff;

	list_for_each_entry(ff, &func->board->files, node)
		if (ff->func == func)
			fax_event_push(ff, &event);
}

static bool fax_event_take(struct fax_file *ff, struct fax_event *event)
{
	struct fax_event lost = { .type = FAX_EVENT_LOST, .conditions = ff->func->conditions };

	if (!ff->ev_count && ff->ev_lost) {
		lost.value = ff->ev_lost;
		ff->ev_lost = 0;
		fax_event_store(ff, &lost);
	}
	if (!ff->ev_count)
		return false;
	*event = ff->events[ff->ev_head];
	ff->ev_head = (ff->ev_head + 1) % FAX_EVENTS;
	WRITE_ONCE(ff->ev_count, ff->ev_count - 1);
	return true;
}

static int fax_ioctl_event(struct fax_file *ff, struct fax_ioctl *io)
{
	bool taken;
	int ret;

	for (;;) {
		mutex_lock(&ff->board->lock);
		taken = fax_event_take(ff, &io->arg.event);
		mutex_unlock(&ff->board->lock);
		if (taken)
			return 0;
		if (fax_gone(ff->board))
			return -ENODEV;
		if (io->nonblock)
			return -EAGAIN;
		ret = wait_event_interruptible(ff->wait, READ_ONCE(ff->ev_count) ||
					       fax_gone(ff->board));
		if (ret)
			return ret;
	}
}

/*
 * Claims.
 */

static bool fax_claimable(const struct fax_file *ff)
{
	const struct fax_func *func = ff->func;

	if (func->claim)
		return func->claim == ff;
	return !func->active || func->active->file == ff;
}

static int fax_try_claim(struct fax_file *ff)
{
	int ret = -EBUSY;

	mutex_lock(&ff->board->lock);
	if (ff->board->gone) {
		ret = -ENODEV;
	} else if (fax_claimable(ff)) {
		WRITE_ONCE(ff->func->claim, ff);
		ret = 0;
	}
	mutex_unlock(&ff->board->lock);
	return ret;
}

/* -EBUSY from @nonblock, -ETIMEDOUT, -ERESTARTSYS, -ENODEV or 0 */
int fax_claim(struct fax_file *ff, bool nonblock, u32 timeout_ms)
{
	long left = timeout_ms ? msecs_to_jiffies(timeout_ms) : MAX_SCHEDULE_TIMEOUT;
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int ret;

	add_wait_queue(&ff->func->claim_wait, &wait);
	for (;;) {
		ret = fax_try_claim(ff);
		if (ret != -EBUSY || nonblock)
			break;
		if (!left) {
			ret = -ETIMEDOUT;
			break;
		}
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		left = wait_woken(&wait, TASK_INTERRUPTIBLE, left);
	}
	remove_wait_queue(&ff->func->claim_wait, &wait);
	return ret;
}

static int fax_ioctl_claim(struct fax_file *ff, struct fax_ioctl *io)
{
	struct fax_claim *arg = &io->arg.claim;
	int ret;

	if (arg->flags & ~FAX_NONBLOCK)
		return -EINVAL;
	if (!fax_leased(ff->func))
		return -EOPNOTSUPP;
	ret = fax_may_move(ff);
	if (ret)
		return ret;
	return fax_claim(ff, io->nonblock || (arg->flags & FAX_NONBLOCK), arg->timeout_ms);
}

static int fax_ioctl_release(struct fax_file *ff, struct fax_ioctl *io)
{
	if (!fax_leased(ff->func))
		return -EOPNOTSUPP;
	mutex_lock(&ff->board->lock);
	if (ff->func->claim != ff || ff->mode == FAX_MODE_STREAM) {
		mutex_unlock(&ff->board->lock);
		return -EINVAL;
	}
	fax_claim_drop(ff);
	mutex_unlock(&ff->board->lock);
	return 0;
}

/* A reset ends jobs of others, except in FAULT: then there are none that run. */
static bool fax_may_reset(const struct fax_file *ff)
{
	if (ff->func->claim == ff || (ff->func->fault && !fax_may_move(ff)))
		return true;
	return capable(CAP_SYS_ADMIN);
}

static int fax_ioctl_reset(struct fax_file *ff, struct fax_ioctl *io)
{
	int ret = -EPERM;

	mutex_lock(&ff->board->lock);
	if (ff->board->gone) {
		ret = -ENODEV;
	} else if (fax_may_reset(ff) && ff->board->suspended) {
		ret = -EBUSY;
	} else if (fax_may_reset(ff)) {
		fax_func_reset(ff->func, NULL, FAX_CODE_RESET);
		ret = ff->func->fault ? -EIO : 0;
		fax_board_kick(ff->board);
	}
	mutex_unlock(&ff->board->lock);
	return ret;
}

/*
 * What it is and how it is.
 */

static int fax_ioctl_info(struct fax_file *ff, struct fax_ioctl *io)
{
	const struct fax_board *board = ff->board;
	struct fax_info *info = &io->arg.info;

	memset(info, 0, sizeof(*info));
	info->function = ff->func->function;
	info->api = FAX_API_REVISION;
	info->features = board->features;
	info->index = ff->func->index;
	info->board_id = board->id;
	info->functions = board->functions;
	strscpy(info->board, board->model, sizeof(info->board));
	strscpy(info->serial, board->serial, sizeof(info->serial));
	strscpy(info->driver, board->driver, sizeof(info->driver));
	return 0;
}

static int fax_ioctl_caps(struct fax_file *ff, struct fax_ioctl *io)
{
	io->arg.caps = ff->func->caps;
	return 0;
}

u32 fax_state(const struct fax_func *func)
{
	if (func->board->gone)
		return FAX_STATE_GONE;
	if (func->board->suspended)
		return FAX_STATE_SUSPENDED;
	if (func->fault)
		return FAX_STATE_FAULT;
	if (func->waiting)
		return FAX_STATE_WAITING;
	return func->njobs ? FAX_STATE_BUSY : FAX_STATE_IDLE;
}

/* What the hardware says now, or, where it cannot be asked, said last. */
static void fax_ask(struct fax_func *func, struct fax_hw_status *hw)
{
	memset(hw, 0, sizeof(*hw));
	if (!func->board->suspended && func->ops->status && !func->ops->status(func, hw))
		return;
	memset(hw, 0, sizeof(*hw));
	hw->conditions = func->conditions;
}

static int fax_ioctl_status(struct fax_file *ff, struct fax_ioctl *io)
{
	struct fax_status *status = &io->arg.status;
	struct fax_func *func = ff->func;
	struct fax_board *board = ff->board;
	struct fax_hw_status hw;

	memset(status, 0, sizeof(*status));
	mutex_lock(&board->lock);
	if (board->gone) {
		mutex_unlock(&board->lock);
		return -ENODEV;
	}
	fax_ask(func, &hw);
	/* what the engine says now goes the way of an event, so that all agree */
	if (hw.conditions != func->conditions)
		fax_func_asked(func, hw.conditions);
	status->state = fax_state(func);
	status->conditions = hw.conditions;
	status->latched = ff->latched | hw.conditions;
	ff->latched = hw.conditions;
	if (func->claim)
		status->claimed = func->claim == ff ? 2 : 1;
	status->paper_width = hw.paper_width;
	status->paper_height = hw.paper_height;
	status->jobs = func->njobs;
	status->pages = func->pages;
	status->rows = func->rows;
	status->bytes_in = func->bytes_in;
	status->bytes_out = func->bytes_out;
	status->errors = func->errors;
	status->resets = func->resets;
	status->cpu_maps = atomic64_read(&board->cpu_maps);
	status->cpu_accesses = atomic64_read(&board->cpu_accesses);
	mutex_unlock(&board->lock);
	return 0;
}

static int fax_ioctl_get_fmt(struct fax_file *ff, struct fax_ioctl *io)
{
	mutex_lock(&ff->board->lock);
	io->arg.fmt = ff->fmt;
	mutex_unlock(&ff->board->lock);
	return 0;
}

static int fax_ioctl_try_fmt(struct fax_file *ff, struct fax_ioctl *io)
{
	return fax_check_fmt(ff->func, &io->arg.fmt);
}

static int fax_ioctl_set_fmt(struct fax_file *ff, struct fax_ioctl *io)
{
	int ret = fax_check_fmt(ff->func, &io->arg.fmt);

	if (ret)
		return ret;
	mutex_lock(&ff->board->lock);
	if (ff->stream.page)
		ret = -EBUSY;	/* the page has its form */
	else
		ff->fmt = io->arg.fmt;
	mutex_unlock(&ff->board->lock);
	return ret;
}

/*
 * The table. A caller's structure may be longer than ours (then what we do not
 * know must be zero). Ours are as the first revision has them; one that grows
 * needs its first size here, for those who call with that.
 */
struct fax_ioctl_desc {
	unsigned int cmd;
	unsigned int reserved;		/* offset of what must be zero, up to the end */
	int (*handle)(struct fax_file *ff, struct fax_ioctl *io);
};

#define FAX_IOCTL(_cmd, _type, _handle)					\
	{								\
		.cmd = _cmd,						\
		.reserved = offsetof(struct _type, reserved),		\
		.handle = _handle,					\
	}
#define FAX_IOCTL_NOARG(_cmd, _handle) { .cmd = _cmd, .handle = _handle }

static const struct fax_ioctl_desc fax_ioctls[] = {
	FAX_IOCTL(FAX_IOC_INFO, fax_info, fax_ioctl_info),
	FAX_IOCTL(FAX_IOC_CAPS, fax_caps, fax_ioctl_caps),
	FAX_IOCTL(FAX_IOC_STATUS, fax_status, fax_ioctl_status),
	FAX_IOCTL(FAX_IOC_GET_FMT, fax_fmt, fax_ioctl_get_fmt),
	FAX_IOCTL(FAX_IOC_SET_FMT, fax_fmt, fax_ioctl_set_fmt),
	FAX_IOCTL(FAX_IOC_TRY_FMT, fax_fmt, fax_ioctl_try_fmt),
	FAX_IOCTL(FAX_IOC_BUF_ALLOC, fax_buf_alloc, fax_ioctl_buf_alloc),
	FAX_IOCTL(FAX_IOC_BUF_MAP, fax_buf_map, fax_ioctl_buf_map),
	FAX_IOCTL(FAX_IOC_BUF_UNMAP, fax_buf_unmap, fax_ioctl_buf_unmap),
	FAX_IOCTL(FAX_IOC_PIPE_ALLOC, fax_pipe_alloc, fax_ioctl_pipe_alloc),
	FAX_IOCTL(FAX_IOC_SUBMIT, fax_submit, fax_ioctl_submit),
	FAX_IOCTL(FAX_IOC_REAP, fax_reap, fax_ioctl_reap),
	FAX_IOCTL(FAX_IOC_CANCEL, fax_cancel, fax_ioctl_cancel),
	FAX_IOCTL(FAX_IOC_CLAIM, fax_claim, fax_ioctl_claim),
	FAX_IOCTL_NOARG(FAX_IOC_RELEASE, fax_ioctl_release),
	FAX_IOCTL(FAX_IOC_EVENT, fax_event, fax_ioctl_event),
	FAX_IOCTL_NOARG(FAX_IOC_RESET, fax_ioctl_reset),
};

static const struct fax_ioctl_desc *fax_find_ioctl(unsigned int cmd)
{
	unsigned int i;

	if (_IOC_TYPE(cmd) != FAX_IOC_MAGIC)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(fax_ioctls); i++)
		if (_IOC_NR(fax_ioctls[i].cmd) == _IOC_NR(cmd))
			return &fax_ioctls[i];
	return NULL;
}

static int fax_ioctl_copy_in(const struct fax_ioctl_desc *desc, struct fax_ioctl *io,
			     void __user *user, size_t size)
{
	size_t ours = _IOC_SIZE(desc->cmd);
	int ret;

	if (size < ours)
		return -EINVAL;
	ret = copy_struct_from_user(&io->arg, ours, user, size);
	if (ret)
		return ret;
	if (memchr_inv((u8 *)&io->arg + desc->reserved, 0, ours - desc->reserved))
		return -EINVAL;
	/* who cannot be told what came of the call gets nothing done */
	return copy_to_user(user, &io->arg, ours) ? -EFAULT : 0;
}

/* Show a new file to the process only when all else went well. */
static int fax_ioctl_copy_out(const struct fax_ioctl_desc *desc, struct fax_ioctl *io,
			      void __user *user)
{
	if (copy_to_user(user, &io->arg, _IOC_SIZE(desc->cmd))) {
		if (io->file) {
			put_unused_fd(io->fd);
			fput(io->file);
		}
		return -EFAULT;
	}
	if (io->file)
		fd_install(io->fd, io->file);
	return 0;
}

/* What a parallel printer's status port would say. */
static long fax_lp_status(struct fax_file *ff, int __user *user)
{
	struct fax_hw_status hw;
	int bits = LP_PSELECD | LP_PERRORP;	/* the error line is active low */
	u32 cond;

	if (ff->func->function != FAX_FUNC_PRINT)
		return -ENOTTY;
	mutex_lock(&ff->board->lock);
	if (ff->board->gone) {
		mutex_unlock(&ff->board->lock);
		return -ENODEV;
	}
	fax_ask(ff->func, &hw);
	cond = hw.conditions;
	if (!ff->func->njobs)
		bits |= LP_PBUSY;		/* active low as well: set is ready */
	mutex_unlock(&ff->board->lock);

	if (cond & FAX_COND_PAPER_OUT)
		bits |= LP_POUTPA;
	if (cond & (FAX_COND_JAM | FAX_COND_COVER | FAX_COND_TONER_OUT | FAX_COND_OUTPUT_FULL))
		bits &= ~LP_PERRORP;
	return put_user(bits, user);
}

static long fax_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct fax_file *ff = file->private_data;
	void __user *user = (void __user *)arg;
	const struct fax_ioctl_desc *desc;
	struct fax_ioctl io = {
		.nonblock = file->f_flags & O_NONBLOCK,
	};
	int ret;

	if (cmd == LPGETSTATUS)
		return fax_lp_status(ff, user);
	desc = fax_find_ioctl(cmd);
	if (!desc)
		return -ENOTTY;
	ret = fax_ioctl_copy_in(desc, &io, user, _IOC_SIZE(cmd));
	if (ret)
		return ret;
	/* completions and events are handed out even then, while there are any */
	if (fax_gone(ff->board) && desc->handle != fax_ioctl_reap &&
	    desc->handle != fax_ioctl_event && desc->handle != fax_ioctl_buf_unmap)
		return -ENODEV;
	ret = desc->handle(ff, &io);
	if (ret || !_IOC_SIZE(desc->cmd))
		return ret;
	return fax_ioctl_copy_out(desc, &io, user);
}

static __poll_t fax_poll(struct file *file, poll_table *wait)
{
	struct fax_file *ff = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &ff->wait, wait);
	mutex_lock(&ff->board->lock);
	if (ff->mode == FAX_MODE_STREAM) {
		mask |= fax_stream_poll(ff);
	} else {
		if (!list_empty(&ff->done))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (ff->njobs < FAX_MAX_JOBS && !fax_may_move(ff))
			mask |= EPOLLOUT | EPOLLWRNORM;
	}
	if (ff->ev_count || ff->ev_lost)
		mask |= EPOLLPRI;
	if (ff->board->gone)
		mask |= EPOLLERR | EPOLLHUP;
	mutex_unlock(&ff->board->lock);
	return mask;
}

const struct file_operations fax_fops = {
	.owner = THIS_MODULE,
	.open = fax_open,
	.release = fax_release,
	.read = fax_stream_read,
	.write = fax_stream_write,
	.fsync = fax_stream_fsync,
	.poll = fax_poll,
	.unlocked_ioctl = fax_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
