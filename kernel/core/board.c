// SPDX-License-Identifier: GPL-2.0
/*
 * Boards and their functions: how they come, what their driver reports, the
 * watchdog, and how they go.
 */
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "core.h"
#include "trace.h"

static atomic64_t fax_board_ids = ATOMIC64_INIT(0);

static void fax_board_free(struct kref *kref)
{
	struct fax_board *board = container_of(kref, struct fax_board, kref);
	struct fax_func *func, *next;

	list_for_each_entry_safe(func, next, &board->funcs, node) {
		list_del(&func->node);
		put_device(&func->dev);
	}
	if (board->wq)
		destroy_workqueue(board->wq);
	cleanup_srcu_struct(&board->srcu);
	put_device(board->parent);
	put_device(board->dma_dev);
	kfree(board);
}

void fax_board_get(struct fax_board *board)
{
	kref_get(&board->kref);
}

/**
 * fax_board_put() - give back a reference of a board
 * @board: from fax_board_alloc()
 *
 * For a board that was not registered; fax_board_unregister() does it for one
 * that was. May sleep.
 */
void fax_board_put(struct fax_board *board)
{
	kref_put(&board->kref, fax_board_free);
}
EXPORT_SYMBOL_GPL(fax_board_put);

/*
 * Let the work look at the board, under its lock. Who is moving jobs looks at
 * all of them once more after one has ended, so nobody is called for that.
 */
void fax_board_kick(struct fax_board *board)
{
	lockdep_assert_held(&board->lock);
	if (!board->moving && !fax_gone(board))
		queue_work(board->wq, &board->work);
}

/*
 * What drivers report.
 */

/**
 * fax_chunk_done() - a chunk has come back
 * @func: that it was started on
 * @chunk: from start(); the driver must not touch it any more
 * @result: what the board says; copied
 *
 * From any context.
 */
void fax_chunk_done(struct fax_func *func, struct fax_chunk *chunk,
		    const struct fax_chunk_result *result)
{
	struct fax_run *run = container_of(chunk, struct fax_run, chunk);
	struct fax_board *board = func->board;
	unsigned long flags;

	spin_lock_irqsave(&board->irq_lock, flags);
	if (WARN_ON_ONCE(run->state != FAX_RUN_STARTED)) {
		spin_unlock_irqrestore(&board->irq_lock, flags);
		return;
	}
	WRITE_ONCE(run->state, FAX_RUN_DONE);
	run->result = *result;
	list_move_tail(&run->node, &board->done);
	spin_unlock_irqrestore(&board->irq_lock, flags);
	queue_work(board->wq, &board->work);
}
EXPORT_SYMBOL_GPL(fax_chunk_done);

/**
 * fax_func_ready() - start() has room again
 * @func: whose start() returned -EBUSY
 *
 * From any context.
 */
void fax_func_ready(struct fax_func *func)
{
	queue_work(func->board->wq, &func->board->work);
}
EXPORT_SYMBOL_GPL(fax_func_ready);

static void fax_note_conditions(struct fax_func *func, u32 conditions)
{
	lockdep_assert_held(&func->board->irq_lock);
	func->new_conditions = conditions;
	func->seen_conditions |= conditions;
	func->conditions_dirty = true;
}

/**
 * fax_func_event() - a scanner or printer changed its conditions, or began or ceased to wait
 * @func: whose
 * @state: FAX_COND_* that hold now, all of them, and FAX_HW_WAITING
 *
 * From any context.
 */
void fax_func_event(struct fax_func *func, u32 state)
{
	struct fax_board *board = func->board;
	unsigned long flags;

	spin_lock_irqsave(&board->irq_lock, flags);
	func->new_waiting = state & FAX_HW_WAITING;
	fax_note_conditions(func, state & ~FAX_HW_WAITING);
	spin_unlock_irqrestore(&board->irq_lock, flags);
	queue_work(board->wq, &board->work);
}
EXPORT_SYMBOL_GPL(fax_func_event);

/* Conditions that were read, not reported, go the same way. */
void fax_func_asked(struct fax_func *func, u32 conditions)
{
	struct fax_board *board = func->board;
	unsigned long flags;

	spin_lock_irqsave(&board->irq_lock, flags);
	fax_note_conditions(func, conditions);
	spin_unlock_irqrestore(&board->irq_lock, flags);
	fax_board_kick(board);
}

/**
 * fax_board_fault() - the board does not work any more
 * @board: which
 * @code: FAX_CODE_DMA or similar: it needs a reset, which the core then does;
 *	  FAX_CODE_GONE: it was pulled (registers read all-ones), unregistering
 *	  will follow
 *
 * From any context.
 */
void fax_board_fault(struct fax_board *board, u32 code)
{
	unsigned long flags;

	spin_lock_irqsave(&board->irq_lock, flags);
	if (board->fault != FAX_CODE_GONE)
		board->fault = code;
	spin_unlock_irqrestore(&board->irq_lock, flags);
	queue_work(board->wq, &board->work);
}
EXPORT_SYMBOL_GPL(fax_board_fault);

/*
 * Conditions.
 */
/* A job waits for people: its chunks are with the board, and that says so. */
static bool fax_job_waits(const struct fax_func *func)
{
	const struct fax_job *job = func->active;

	return func->hw_waiting && job && job->inflight && job->state == FAX_JOB_RUNNING;
}

/* Tell who submitted the job, if that is news. */
void fax_tell_waiting(struct fax_func *func, struct fax_job *job, bool waits)
{
	struct fax_event event = {
		.type = waits ? FAX_EVENT_JOB_WAITING : FAX_EVENT_JOB_GOES_ON,
		.conditions = func->conditions,
		.job = job->id,
	};

	if (job->wait_told == waits)
		return;
	job->wait_told = waits;
	fax_event_push(job->file, &event);
}

/* Keep the function's WAITING in step with what the engine says and its job. */
void fax_update_waiting(struct fax_func *func)
{
	bool waits = fax_job_waits(func);

	if (func->waiting && !waits)
		func->progress = jiffies;
	func->waiting = waits;
	if (func->active)
		fax_tell_waiting(func, func->active, waits);
}

static void fax_take_conditions(struct fax_func *func)
{
	struct fax_board *board = func->board;
	u32 now, seen, changed;
	struct fax_file *ff;
	bool dirty;

	spin_lock_irq(&board->irq_lock);
	dirty = func->conditions_dirty;
	now = func->new_conditions;
	seen = func->seen_conditions;
	func->conditions_dirty = false;
	func->seen_conditions = 0;
	func->hw_waiting = func->new_waiting;
	spin_unlock_irq(&board->irq_lock);

	if (!dirty)
		return;
	/* what came and went between two looks has changed too */
	changed = (func->conditions ^ now) | (seen & ~now);
	WRITE_ONCE(func->conditions, now);
	list_for_each_entry(ff, &board->files, node)
		if (ff->func == func)
			ff->latched |= seen;
	if (changed) {
		trace_fax_event(&func->dev, now, changed);
		fax_event_all(func, FAX_EVENT_CONDITION, changed);
		fax_uevent_change(func);
	}
	fax_update_waiting(func);
}

/*
 * Reset and watchdog.
 */

/* Take every run back from a driver that has just reset @func. */
static void fax_take_runs(struct fax_func *func)
{
	struct fax_board *board = func->board;
	struct fax_run *run, *next;
	struct fax_job *job;
	LIST_HEAD(runs);

	spin_lock_irq(&board->irq_lock);
	list_splice_init(&func->started, &runs);
	list_for_each_entry_safe(run, next, &board->done, node)
		if (run->chunk.job->func == func)
			list_move_tail(&run->node, &runs);
	list_for_each_entry(run, &runs, node)
		WRITE_ONCE(run->state, FAX_RUN_FREE);
	func->new_waiting = false;
	func->hw_waiting = false;
	spin_unlock_irq(&board->irq_lock);

	list_for_each_entry_safe(run, next, &runs, node) {
		list_move_tail(&run->node, &func->idle);
		fax_count_inflight(run->chunk.job, -1);
	}
	/* nor does a sheet lie in the engine any more */
	list_for_each_entry(job, &func->jobs, node)
		job->in_engine = false;
}

/* Jobs lose what the engine knew of them: lease, context, rows under way. */
static void fax_end_running(struct fax_func *func, struct fax_job *culprit, u32 code, u32 others)
{
	struct fax_job *job;

again:
	list_for_each_entry(job, &func->jobs, node) {
		if (job->state == FAX_JOB_QUEUED)
			continue;
		if (job->state == FAX_JOB_ENDING)
			fax_job_idle(job);
		else
			fax_job_stop(job, job == culprit ? code : others, 0);
		goto again;	/* the list changed, perhaps by more than this job */
	}
}

/**
 * fax_func_reset() - reset an engine and end what ran on it
 * @func: whose engine
 * @culprit: job that ends with @code, or NULL; the others get RESET
 * @code: FAX_CODE_*
 */
void fax_func_reset(struct fax_func *func, struct fax_job *culprit, u32 code)
{
	int ret = func->ops->reset(func, FAX_RESET_FUNC);

	trace_fax_reset(&func->dev, code, ret);
	func->resets++;
	func->fault = ret < 0;
	if (ret < 0)
		dev_err_ratelimited(&func->dev, "reset failed: %d\n", ret);
	fax_take_runs(func);
	fax_end_running(func, culprit, code, FAX_CODE_RESET);
	func->progress = jiffies;
	func->waiting = false;
	fax_event_all(func, FAX_EVENT_RESET, 0);
	fax_board_kick(func->board);
}

/*
 * The page in the engine was given up while nothing of it was in flight: no
 * chunk is left to abort, so a reset lets go of the sheet. Nobody loses by it,
 * @func is leased to that page alone.
 */
void fax_func_clear(struct fax_func *func)
{
	int ret = func->ops->reset(func, FAX_RESET_FUNC);

	trace_fax_reset(&func->dev, FAX_CODE_CANCELED, ret);
	func->resets++;
	func->fault |= ret < 0;
	if (ret < 0)
		dev_err_ratelimited(&func->dev, "reset failed: %d\n", ret);
}

static struct fax_run *fax_oldest(struct fax_func *func)
{
	struct fax_run *run;

	spin_lock_irq(&func->board->irq_lock);
	run = list_first_entry_or_null(&func->started, struct fax_run, node);
	spin_unlock_irq(&func->board->irq_lock);
	return run;
}

/* Rows that move inside a chunk are progress too, where the driver can tell. */
static void fax_ask_progress(struct fax_func *func, unsigned long now)
{
	u32 moved;

	if (!func->ops->progress)
		return;
	moved = func->ops->progress(func);
	if (moved != func->moved)
		func->progress = now;
	func->moved = moved;
}

/*
 * The oldest chunk is stuck if nothing at all moved for as long as one may
 * take, or if in that time it was overtaken by more than the engine can hold.
 */
static void fax_check_progress(struct fax_func *func, unsigned long now)
{
	unsigned long limit = msecs_to_jiffies(func->progress_ms);
	struct fax_run *run = fax_oldest(func);
	bool overtaken;

	if (!run || func->waiting)
		return;
	fax_ask_progress(func, now);
	overtaken = func->completions - run->before > func->depth;
	if (time_before(now, run->since + limit) ||
	    (!overtaken && time_before(now, func->progress + limit)))
		return;
	/* the run may have come back since, then it is not stuck */
	if (READ_ONCE(run->state) != FAX_RUN_STARTED)
		return;
	fax_func_reset(func, run->chunk.job, FAX_CODE_TIMEOUT);
}

/* true: look again soon */
static bool fax_check_deadlines(struct fax_func *func, unsigned long now)
{
	struct fax_job *job;
	bool armed = false;

	list_for_each_entry(job, &func->jobs, node) {
		if (job->state != FAX_JOB_PARKED && job->state != FAX_JOB_ENDING)
			continue;
		armed = true;
		if (time_before(now, job->deadline))
			continue;
		if (job->state == FAX_JOB_PARKED)
			fax_job_stop(job, FAX_CODE_TIMEOUT, 0);
		else
			fax_func_reset(func, NULL, FAX_CODE_RESET);
		return true;	/* the list changed */
	}
	/* who waits for people is looked at again when a condition changes */
	return armed || (fax_oldest(func) && !func->waiting);
}

static void fax_tick_arm(struct fax_board *board)
{
	queue_delayed_work(board->wq, &board->tick, msecs_to_jiffies(FAX_TICK_MS));
}

static void fax_board_tick(struct work_struct *work)
{
	struct fax_board *board = container_of(to_delayed_work(work), struct fax_board, tick);
	struct fax_func *func;
	bool armed = false;

	kcov_remote_start_common(board->kcov);
	mutex_lock(&board->lock);
	if (!board->gone && !board->suspended) {
		list_for_each_entry(func, &board->funcs, node) {
			fax_check_progress(func, jiffies);
			armed |= fax_check_deadlines(func, jiffies);
		}
		if (armed)
			fax_tick_arm(board);
	}
	mutex_unlock(&board->lock);
	kcov_remote_stop();
}

/* Jobs that the board had in hand and did nothing for yet go back to the queue. */
static void fax_keep_untouched(struct fax_func *func)
{
	struct fax_job *job;

	list_for_each_entry(job, &func->jobs, node)
		if (fax_job_begin_anew(job) && func->active == job)
			func->active = NULL;
}

/*
 * The end of all jobs: nothing is in flight when this returns.
 */
static void fax_board_stop(struct fax_board *board, u32 code)
{
	u32 level = FAX_RESET_BOARD;
	struct fax_func *func;
	struct fax_job *job;
	int ret;

	list_for_each_entry(func, &board->funcs, node) {
		ret = func->ops->reset(func, level);
		trace_fax_reset(&func->dev, code, ret);
		level = FAX_RESET_FUNC;
		func->resets++;
		func->fault = ret < 0;
	}
	list_for_each_entry(func, &board->funcs, node)
		fax_take_runs(func);
	list_for_each_entry(func, &board->funcs, node)
		if (board->suspended)
			fax_keep_untouched(func);
	list_for_each_entry(func, &board->funcs, node) {
		fax_end_running(func, NULL, code, code);
		func->waiting = false;
		func->progress = jiffies;
		if (code != FAX_CODE_GONE)
			fax_event_all(func, FAX_EVENT_RESET, 0);
		while (code == FAX_CODE_GONE && !list_empty(&func->jobs)) {
			job = list_first_entry(&func->jobs, struct fax_job, node);
			fax_job_stop(job, code, 0);
		}
	}
}

/* From now on every call ends with ENODEV. */
static void fax_board_set_gone(struct fax_board *board)
{
	struct fax_func *func;
	struct fax_file *ff;

	WRITE_ONCE(board->gone, true);
	list_for_each_entry(ff, &board->files, node)
		wake_up_all(&ff->wait);
	list_for_each_entry(func, &board->funcs, node)
		wake_up_all(&func->claim_wait);
}

static void fax_take_fault(struct fax_board *board)
{
	u32 code;

	spin_lock_irq(&board->irq_lock);
	code = board->fault;
	board->fault = 0;
	spin_unlock_irq(&board->irq_lock);

	/* who wakes up is reset anyway */
	if (!code || (board->suspended && code != FAX_CODE_GONE))
		return;
	if (code == FAX_CODE_GONE)
		fax_board_set_gone(board);
	else
		dev_err_ratelimited(board->parent, "fax board stopped by a fault: %u\n", code);
	/* what a reset mends goes on with the next job; what it does not is in fault */
	fax_board_stop(board, code);
}

static struct fax_run *fax_next_done(struct fax_board *board)
{
	struct fax_func *func;
	struct fax_run *run;

	spin_lock_irq(&board->irq_lock);
	run = list_first_entry_or_null(&board->done, struct fax_run, node);
	if (run) {
		list_del_init(&run->node);
		WRITE_ONCE(run->state, FAX_RUN_FREE);
		/* a chunk that waited does so no more: that was reported before it came back */
		func = run->chunk.job->func;
		func->hw_waiting = func->new_waiting;
	}
	spin_unlock_irq(&board->irq_lock);
	return run;
}

static void fax_board_take_notes(struct fax_board *board)
{
	struct fax_func *func;
	struct fax_run *run;

	while ((run = fax_next_done(board)))
		fax_run_done(run);
	list_for_each_entry(func, &board->funcs, node)
		fax_take_conditions(func);
}

static void fax_board_schedule(struct fax_board *board)
{
	struct fax_func *func;
	bool moved;

	/* a job that ends makes room for another: ends when none moves */
	do {
		moved = false;
		list_for_each_entry(func, &board->funcs, node)
			moved |= fax_schedule(func);
	} while (moved);
	list_for_each_entry(func, &board->funcs, node)
		if (!list_empty(&func->jobs))
			fax_tick_arm(board);
}

/*
 * The one place where jobs move on, under the board's lock. Called by the work,
 * and by who brings a job and may as well start it.
 */
void fax_board_move(struct fax_board *board)
{
	if (board->gone)
		return;
	board->moving = true;
	fax_take_fault(board);
	if (!board->gone) {
		fax_board_take_notes(board);
		fax_board_schedule(board);
	}
	board->moving = false;
}

static void fax_board_work(struct work_struct *work)
{
	struct fax_board *board = container_of(work, struct fax_board, work);

	kcov_remote_start_common(board->kcov);
	mutex_lock(&board->lock);
	fax_board_move(board);
	mutex_unlock(&board->lock);
	kcov_remote_stop();
}

/*
 * Coming and going.
 */

/* Names come from the hardware, and go to uevents, attributes and people. */
static void fax_tame(char *s)
{
	for (; *s; s++)
		if (!isascii(*s) || !isprint(*s))
			*s = '_';
}

/**
 * fax_board_alloc() - make a board
 * @parent: device under which its functions appear
 * @desc: what it is; copied
 *
 * Return: the board with one reference, or an ERR_PTR.
 */
struct fax_board *fax_board_alloc(struct device *parent, const struct fax_board_desc *desc)
{
	struct fax_board *board;
	int ret;

	if (!parent || !desc->dma_dev || !desc->model)
		return ERR_PTR(-EINVAL);
	board = kzalloc(sizeof(*board), GFP_KERNEL);
	if (!board)
		return ERR_PTR(-ENOMEM);
	ret = init_srcu_struct(&board->srcu);
	if (ret) {
		kfree(board);
		return ERR_PTR(ret);
	}
	kref_init(&board->kref);
	mutex_init(&board->map_lock);
	mutex_init(&board->lock);
	spin_lock_init(&board->irq_lock);
	INIT_LIST_HEAD(&board->funcs);
	INIT_LIST_HEAD(&board->files);
	INIT_LIST_HEAD(&board->imports);
	INIT_LIST_HEAD(&board->pipes);
	INIT_LIST_HEAD(&board->done);
	INIT_WORK(&board->work, fax_board_work);
	INIT_DELAYED_WORK(&board->tick, fax_board_tick);
	board->parent = get_device(parent);
	board->dma_dev = get_device(desc->dma_dev);
	board->id = atomic64_inc_return(&fax_board_ids);
	board->kcov = kcov_common_handle();
	board->features = desc->features;
	strscpy(board->model, desc->model, sizeof(board->model));
	strscpy(board->serial, desc->serial ?: "", sizeof(board->serial));
	fax_tame(board->model);
	fax_tame(board->serial);
	strscpy(board->driver, desc->owner ? module_name(desc->owner) : "", sizeof(board->driver));
	board->wq = alloc_workqueue("fax/%llu", WQ_HIGHPRI | WQ_UNBOUND, 0, board->id);
	if (!board->wq) {
		fax_board_put(board);
		return ERR_PTR(-ENOMEM);
	}
	return board;
}
EXPORT_SYMBOL_GPL(fax_board_alloc);

static void fax_func_release(struct device *dev)
{
	struct fax_func *func = container_of(dev, struct fax_func, dev);
	struct fax_board *board = func->counted ? func->board : NULL;
	struct fax_run *run, *next;

	list_for_each_entry_safe(run, next, &func->idle, node)
		kfree(run);
	if (func->registered)
		fax_index_put(func->function, func->index);
	kfree(func->ieee1284_id);
	kfree(func);
	if (board)
		fax_board_put(board);
}

static int fax_func_add_runs(struct fax_func *func)
{
	struct fax_run *run;
	u32 i;

	for (i = 0; i < func->depth; i++) {
		run = kzalloc(struct_size(run, sg, 2 * func->max_sg), GFP_KERNEL);
		if (!run)
			return -ENOMEM;
		list_add_tail(&run->node, &func->idle);
	}
	return 0;
}

static bool fax_desc_ok(const struct fax_func_desc *desc)
{
	const struct fax_caps *caps = &desc->caps;
	const struct fax_ops *ops = desc->ops;

	if (desc->function < FAX_FUNC_SCAN || desc->function > FAX_FUNC_CODEC)
		return false;
	if (!ops || !ops->start || !ops->kick || !ops->abort || !ops->reset)
		return false;
	if (!desc->depth || desc->depth > FAX_MAX_DEPTH || !desc->max_sg ||
	    desc->max_sg > FAX_MAX_SG || desc->contexts > FAX_MAX_CONTEXTS)
		return false;
	if (desc->function == FAX_FUNC_CODEC && !desc->contexts)
		return false;
	return caps->width_min && caps->width_min <= caps->width_max &&
	       caps->width_max <= FAX_MAX_WIDTH && caps->rows_max &&
	       caps->rows_max <= FAX_MAX_ROWS &&
	       caps->nwidths <= ARRAY_SIZE(caps->widths) &&
	       caps->nresolutions <= ARRAY_SIZE(caps->resolutions);
}

/**
 * fax_board_add_func() - add a function to a board not yet registered
 * @board: from fax_board_alloc()
 * @desc: the function; copied, @ops must stay until the board is unregistered
 *
 * Return: the function, which lives as long as the board, or an ERR_PTR.
 */
struct fax_func *fax_board_add_func(struct fax_board *board, const struct fax_func_desc *desc)
{
	struct fax_func *func;

	if (board->registered || !fax_desc_ok(desc))
		return ERR_PTR(-EINVAL);
	func = kzalloc(sizeof(*func), GFP_KERNEL);
	if (!func)
		return ERR_PTR(-ENOMEM);
	func->board = board;
	func->function = desc->function;
	func->caps = desc->caps;
	func->ops = desc->ops;
	func->priv = desc->priv;
	func->depth = desc->depth;
	func->contexts = desc->contexts;
	func->max_sg = desc->max_sg;
	func->progress_ms = desc->progress_ms ?: FAX_PROGRESS_MS;
	INIT_LIST_HEAD(&func->node);
	INIT_LIST_HEAD(&func->jobs);
	INIT_LIST_HEAD(&func->idle);
	INIT_LIST_HEAD(&func->started);
	init_waitqueue_head(&func->claim_wait);
	INIT_DELAYED_WORK(&func->uevent, fax_uevent_work);
	func->uevent_at = jiffies - msecs_to_jiffies(FAX_UEVENT_MS);
	cdev_init(&func->cdev, &fax_fops);
	func->cdev.owner = THIS_MODULE;
	device_initialize(&func->dev);
	func->dev.class = &fax_class;
	func->dev.parent = board->parent;
	func->dev.release = fax_func_release;

	if (desc->ieee1284_id)
		func->ieee1284_id = kstrdup(desc->ieee1284_id, GFP_KERNEL);
	if ((desc->ieee1284_id && !func->ieee1284_id) || fax_func_add_runs(func)) {
		put_device(&func->dev);
		return ERR_PTR(-ENOMEM);
	}
	if (func->ieee1284_id)
		fax_tame(func->ieee1284_id);
	list_add_tail(&func->node, &board->funcs);
	board->functions |= BIT(func->function);
	return func;
}
EXPORT_SYMBOL_GPL(fax_board_add_func);

static int fax_func_register(struct fax_func *func)
{
	struct fax_hw_status hw = {};
	int ret;

	if (func->ops->status && !func->ops->status(func, &hw))
		func->conditions = hw.conditions;
	ret = fax_index_get(func->function);
	if (ret < 0)
		return ret;
	func->index = ret;
	func->registered = true;
	func->dev.devt = fax_devt(func->function, func->index);
	ret = dev_set_name(&func->dev, "fax%s%u", fax_function_name(func->function), func->index);
	if (ret)
		return ret;
	ret = cdev_device_add(&func->cdev, &func->dev);
	if (ret)
		return ret;
	fax_board_get(func->board);
	func->counted = true;
	fax_debugfs_add(func);
	return 0;
}

/**
 * fax_board_register() - show a board to user space
 * @board: with its functions added
 *
 * Return: 0, or -errno: then the board is as it was and fax_board_put() is due.
 */
int fax_board_register(struct fax_board *board)
{
	struct fax_func *func;
	int ret;

	board->registered = true;
	list_for_each_entry(func, &board->funcs, node) {
		ret = fax_func_register(func);
		if (ret) {
			/* those that are out have to be taken back like any other */
			fax_board_get(board);
			fax_board_unregister(board);
			return ret;
		}
	}
	return 0;
}
EXPORT_SYMBOL_GPL(fax_board_register);

static void fax_board_unmap(struct fax_board *board)
{
	struct fax_import *import, *next_import;
	struct fax_pipe *pipe, *next_pipe;

	list_for_each_entry_safe(import, next_import, &board->imports, node)
		fax_import_unmap(import);
	list_for_each_entry_safe(pipe, next_pipe, &board->pipes, node)
		fax_pipe_unmap(pipe);
}

/**
 * fax_board_unregister() - take a board away
 * @board: a registered one; the reference of fax_board_alloc() goes with it
 *
 * On return no DMA is in flight, nothing is mapped and no operation of the
 * driver will be called; opens may live on, and get ENODEV. May sleep, for as
 * long as a reset takes.
 */
void fax_board_unregister(struct fax_board *board)
{
	struct fax_func *func, *next;

	mutex_lock(&board->lock);
	fax_board_set_gone(board);
	mutex_unlock(&board->lock);

	synchronize_srcu(&board->srcu);
	cancel_delayed_work_sync(&board->tick);

	mutex_lock(&board->lock);
	fax_board_stop(board, FAX_CODE_GONE);
	fax_board_unmap(board);
	mutex_unlock(&board->lock);
	cancel_work_sync(&board->work);

	list_for_each_entry_safe(func, next, &board->funcs, node) {
		/* no CHANGE behind the REMOVE */
		cancel_delayed_work_sync(&func->uevent);
		if (func->counted) {
			debugfs_remove(func->debugfs);
			cdev_device_del(&func->cdev, &func->dev);
		}
	}
	/* an open that races with this finds the board gone, and no list to walk */
	mutex_lock(&board->lock);
	list_for_each_entry_safe(func, next, &board->funcs, node) {
		list_del_init(&func->node);
		put_device(&func->dev);
	}
	mutex_unlock(&board->lock);
	fax_board_put(board);
}
EXPORT_SYMBOL_GPL(fax_board_unregister);

/**
 * fax_board_suspend() - a board is about to lose power
 * @board: a registered one
 *
 * All engines are reset. A page that waits for paper, with its decoder, and a
 * job of the coder of which nothing came back, begin anew after
 * fax_board_resume(); what else was under way ends with FAX_CODE_RESET; what is
 * queued stays queued. On return no DMA is in flight, and until
 * fax_board_resume() no operation of the driver is called but check() and, by
 * fax_board_unregister(), reset(). May sleep.
 */
void fax_board_suspend(struct fax_board *board)
{
	mutex_lock(&board->lock);
	if (!board->gone && !board->suspended) {
		board->suspended = true;
		fax_board_stop(board, FAX_CODE_RESET);
	}
	mutex_unlock(&board->lock);
}
EXPORT_SYMBOL_GPL(fax_board_suspend);

/**
 * fax_board_resume() - a board has its power again
 * @board: whose engines are as after a reset
 *
 * Conditions may have changed: the driver reports them, before or after. May
 * sleep.
 */
void fax_board_resume(struct fax_board *board)
{
	struct fax_func *func;

	mutex_lock(&board->lock);
	board->suspended = false;
	list_for_each_entry(func, &board->funcs, node)
		func->fault = false;
	fax_board_kick(board);
	mutex_unlock(&board->lock);
}
EXPORT_SYMBOL_GPL(fax_board_resume);

/**
 * fax_func_priv() - what the driver gave as fax_func_desc.priv
 * @func: the function
 */
void *fax_func_priv(const struct fax_func *func)
{
	return func->priv;
}
EXPORT_SYMBOL_GPL(fax_func_priv);

/**
 * fax_func_dev() - the device of a function, for messages
 * @func: the function
 */
struct device *fax_func_dev(struct fax_func *func)
{
	return &func->dev;
}
EXPORT_SYMBOL_GPL(fax_func_dev);
