/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver core, seen from inside.
 *
 *	main.c		module, class, device numbers
 *	board.c		boards and functions: registration, removal, what the
 *			driver reports, the watchdog
 *	file.c		an open: the ioctl table, poll, claims, events
 *	job.c		SUBMIT, REAP, CANCEL: a job from its birth to its reaping
 *	sched.c		which job runs, and the bands it is cut into
 *	buf.c		buffers: our dma-bufs, and the mapping of any dma-buf
 *	pipe.c		rings of bands between two functions, or a function and a CPU
 *	stream.c	read() and write()
 *	sysfs.c		attributes, uevents, debugfs
 *
 * Locks, outermost first:
 *	fax_file.io_lock	one read(), write(), fsync() or handing out of
 *				completions of an open at a time; held while user
 *				memory is copied
 *	fax_board.srcu		read side: memory is being mapped for the device,
 *				so the device must stay; bounded
 *	fax_board.map_lock	one dma-buf is being mapped at a time
 *	fax_board.lock		everything else: jobs, pipes, claims, every call of a
 *				driver's ops. Never held while user memory is
 *				touched or a user-visible event awaited
 *	fax_board.irq_lock	what drivers report, from any context
 *	dma_resv, fax_mem.lock	innermost, inside the dma-buf exporters
 *
 * Work: a driver's report only leaves a note and queues fax_board.work, which
 * advances jobs in fax_board_move(); SUBMIT calls that itself. It looks at the
 * whole board under its one lock, so scanner, coder and printer, and the pipes
 * between them, need no lock order.
 *
 * Lifetime: a board is counted by its driver, by each registered function, and
 * by buffers and pipes, which outlive it. A function is its struct device. A
 * file lives until it is closed and its last job is done. A job belongs to its
 * file: it is on fax_func.jobs until it is done, then on fax_file.done until it
 * is reaped. A run (chunk) is the driver's between start() and fax_chunk_done()
 * or reset(), and its job stays until then.
 *
 * Power: an open, until it is closed and its last job is done, keeps the board
 * awake, since it may want to hear of paper at any time. In between a driver's
 * runtime PM may suspend; a suspended board is not touched.
 *
 * Removal: fax_board.gone is set under the lock and every wait ends with it.
 */
#ifndef FAX_CORE_H
#define FAX_CORE_H

#include <linux/atomic.h>
#include <linux/cdev.h>
#include <linux/dma-buf.h>
#include <linux/kcov.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <fax/compat.h>
#include <fax/driver.h>

#define FAX_MAX_INDEX		64	/* nodes of one kind */
#define FAX_MAX_DEPTH		256
#define FAX_MAX_CONTEXTS	256
#define FAX_MAX_SG		1024
#define FAX_MAX_STRIDE		65536u
#define FAX_MAX_ROWS		1048576u /* of a page, whatever a driver says */
#define FAX_MAX_BAND_ROWS	4096u
#define FAX_EVENTS		32	/* waiting in an open */
#define FAX_BAND_BYTES		65536u	/* of a job without pipe: cut to about this */
#define FAX_PARK_MS		30000	/* OUT_FULL waits this long for RESUME: fax_park_ms */
#define FAX_ABORT_MS		1000	/* after an abort, before a reset */
#define FAX_FENCE_MS		5000	/* of all imported buffers of a SUBMIT */
#define FAX_PROGRESS_MS		10000	/* unless the driver says otherwise */
#define FAX_TICK_MS		100	/* watchdog */
#define FAX_UEVENT_MS		500	/* CHANGE uevents come no closer */

struct fax_file;
struct fax_mem;

/* Memory charged to an open; outlives it with the memory. */
struct fax_quota {
	struct kref kref;
	atomic64_t bytes;
};

/* Pages of a buffer or pipe. */
struct fax_pages {
	struct page **pages;
	unsigned int n;
};

/**
 * struct fax_map - memory as the device sees it, for random access
 * @s: stretches, ascending by @off
 * @n: how many
 * @size: bytes
 */
struct fax_map {
	struct fax_stretch {
		dma_addr_t addr;
		u32 len;
		u64 off;
	} *s;
	u32 n;
	u64 size;
};

/* What fax_run goes through; changed under fax_board.irq_lock. */
enum fax_run_state {
	FAX_RUN_FREE,		/* on fax_func.idle */
	FAX_RUN_STARTED,	/* the driver's; on fax_func.started */
	FAX_RUN_DONE,		/* on fax_board.done, waits for the work */
};

/**
 * struct fax_run - a chunk and what the core keeps with it
 * @chunk: as the driver sees it
 * @result: as the driver reported it
 * @node: on the list of its state
 * @state: of the run
 * @since: jiffies when it was started
 * @before: fax_func.completions at that time
 * @row: first row on the raw side
 * @coded_len: bytes of the coded side
 * @sg: max_sg stretches for each side
 */
struct fax_run {
	struct fax_chunk chunk;
	struct fax_chunk_result result;
	struct list_head node;
	enum fax_run_state state;
	unsigned long since;
	u32 before;
	u32 row;
	u32 coded_len;
	struct fax_sg sg[];
};

struct fax_board {
	struct kref kref;
	struct device *dma_dev;
	struct device *parent;
	u64 id;
	u32 features;
	char model[32];
	char serial[32];
	char driver[32];

	struct mutex map_lock;		/* see the top of this file, as for the others */
	struct mutex lock;
	struct srcu_struct srcu;
	bool gone;			/* set under lock, read anywhere */
	bool suspended;			/* the hardware is not to be touched; jobs wait */
	bool registered;
	struct list_head funcs;
	u32 functions;			/* bits 1 << FAX_FUNC_* of them */
	struct list_head files;
	struct list_head imports;	/* mapped */
	struct list_head pipes;		/* mapped */

	bool moving;			/* fax_board_move() is at it */
	struct workqueue_struct *wq;
	struct work_struct work;
	struct delayed_work tick;
	/* work and tick are covered for who made the board; a u64, or a type of its own since 7 */
	typeof(kcov_common_handle()) kcov;

	spinlock_t irq_lock;		/* of the two below and as noted elsewhere */
	struct list_head done;		/* runs that came back */
	u32 fault;			/* FAX_CODE_* reported, 0 = none */

	atomic64_t cpu_maps;
	atomic64_t cpu_accesses;
};

struct fax_func {
	struct device dev;
	struct cdev cdev;
	struct fax_board *board;
	struct list_head node;		/* on fax_board.funcs */
	const struct fax_ops *ops;
	void *priv;
	u32 function;
	u32 index;
	struct fax_caps caps;
	u32 depth;
	u32 contexts;
	u32 max_sg;
	u32 progress_ms;
	char *ieee1284_id;
	bool registered;
	bool counted;			/* holds a reference of the board */

	struct list_head jobs;		/* not done, in the order of SUBMIT */
	u32 njobs;
	struct fax_job *active;		/* scanner, printer: has the lease */
	struct fax_file *claim;
	wait_queue_head_t claim_wait;
	unsigned long ctx_used[BITS_TO_LONGS(FAX_MAX_CONTEXTS)];
	struct list_head idle;		/* runs */
	struct list_head started;	/* runs; under irq_lock */
	u32 inflight;			/* runs that count for a job */
	u32 gen;
	u32 pick;			/* round of choosing a job, see fax_pick() */
	bool fault;			/* the last reset did not help */
	bool hw_waiting;		/* the engine holds for people, see FAX_HW_WAITING */
	bool waiting;			/* it does so, and there is a job to which that matters */
	unsigned long progress;		/* jiffies of the last */
	u32 completions;		/* runs that came back */
	u32 moved;			/* what ops->progress() said last */
	u32 conditions;

	u32 new_conditions;		/* under irq_lock, with the three below */
	u32 seen_conditions;
	bool new_waiting;
	bool conditions_dirty;

	u64 pages;
	u64 rows;
	u64 bytes_in;
	u64 bytes_out;
	u64 errors;
	u64 resets;

	struct delayed_work uevent;
	unsigned long uevent_at;
	struct dentry *debugfs;
};

/**
 * struct fax_import - a dma-buf as mapped for the board
 * @node: on fax_board.imports while mapped
 * @dmabuf: held
 * @attach: of the board's device
 * @sgt: NULL once unmapped
 * @map: of the buffer
 * @users: handles, of all opens
 *
 * However many handles lead to a buffer, it is mapped once: the DMA API knows
 * no overlapping mappings. So it is mapped for both directions.
 */
struct fax_import {
	struct list_head node;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	struct fax_map map;
	u32 users;
};

/* A mapped dma-buf, known to its open by a handle. */
struct fax_buf {
	struct fax_import *import;
	struct fax_quota *quota;
	u64 charged;
	u32 users;			/* jobs */
};

/*
 * struct fax_pipe - a ring of bands
 * @kref: its file, its jobs, its stream
 * @stride: bytes from row to row
 * @rows: of a band
 * @bands: of the ring
 * @band_bytes: whole pages, so that a band is contiguous by itself
 * @prod: job that fills it
 * @cons: job that empties it
 * @cpu: FAX_PIPE_*: which side is a stream
 * @wr_start: rows handed to the producer
 * @wr_done: rows filled
 * @rd_start: rows handed to the consumer
 * @rd_done: rows free again. rd_done <= rd_start <= wr_done <= wr_start
 * @eof: the page ends at wr_done
 * @seen: FAX_PIPE_*: sides that came for this page
 * @open: its file is open
 * @broken: FAX_CODE_* of a side that failed before the other came, 0 = none
 * @broken_side: which one
 *
 * Rows count from the top of the page; the ring serves one page at a time.
 */
struct fax_pipe {
	struct kref kref;
	struct fax_board *board;
	struct list_head node;		/* on fax_board.pipes while mapped */
	struct fax_quota *quota;
	struct fax_pages mem;
	struct sg_table sgt;
	enum dma_data_direction dir;
	bool mapped;
	struct fax_map map;
	void *vaddr;			/* of a stream */
	u32 width;
	u32 stride;
	u32 rows;
	u32 bands;
	u32 band_bytes;

	struct fax_job *prod;
	struct fax_job *cons;
	u32 cpu;
	u32 wr_start;
	u32 wr_done;
	u32 rd_start;
	u32 rd_done;
	bool eof;
	u32 seen;
	bool open;
	u32 broken;
	u32 broken_side;
};

#define FAX_PIPE_PROD	1u
#define FAX_PIPE_CONS	2u

/* A stretch of a mapped buffer, in use by a job. */
struct fax_span {
	struct fax_buf *buf;
	u64 off;
	u64 len;
	u32 encoding;
	u32 rows;
	u32 k;
	u32 flags;
};

enum fax_job_state {
	FAX_JOB_QUEUED,
	FAX_JOB_RUNNING,	/* has lease or context */
	FAX_JOB_PARKED,		/* OUT_FULL: keeps its context, waits for RESUME */
	FAX_JOB_ENDING,		/* outcome known, runs still with the driver */
	FAX_JOB_DONE,		/* waits to be reaped */
};

struct fax_job {
	struct list_head node;		/* on fax_func.jobs until done */
	struct list_head done_node;	/* on fax_file.done: a completion waits */
	struct list_head file_node;	/* on fax_file.jobs until reaped */
	struct fax_file *file;
	struct fax_func *func;
	enum fax_job_state state;
	u32 id;
	u32 op;
	u32 flags;
	u64 cookie;
	struct fax_fmt fmt;
	bool stream;			/* of read() or write(): not reaped */

	struct fax_pipe *pipe;
	struct fax_span raw;		/* unless pipe */
	struct fax_span out;		/* encode */
	u32 raw_rows;			/* room or rows on the raw side, 0 = not known */

	int context;			/* -1 = none */
	u32 gen;
	u32 inflight;
	unsigned long deadline;		/* PARKED, ENDING: jiffies */
	bool fed;			/* first chunk was made */
	bool in_engine;			/* its sheet may lie in scanner or printer */
	bool page_end;
	bool wait_told;			/* JOB_WAITING was sent */

	u32 rows_start;			/* handed to the driver */
	u32 rows_done;
	u64 out_done;			/* encode: of out */
	bool end_due;			/* encode: rows are taken, the end code is not written */
	u32 seg;			/* decode: where it is, with the five below */
	u64 seg_off;
	u32 seg_row;			/* its first row on the page */
	u32 seg_rows;			/* done of it */
	u32 seg_bad;
	bool seg_fed;

	u32 code;			/* outcome, with the rest */
	u32 peer_code;
	u32 done_flags;
	u64 bytes_in;
	u64 bytes_out;
	u32 rows_bad;
	u32 first_bad_row;
	u32 max_bad_run;
	u32 next_width;			/* scan: of the original behind it */
	u32 next_height;

	u32 nsegs;
	struct fax_span segs[];		/* decode: input */
};

enum fax_mode {
	FAX_MODE_NONE,
	FAX_MODE_JOBS,
	FAX_MODE_STREAM,
};

/* read() and write() of an open, under io_lock and the board's lock */
struct fax_stream {
	struct fax_pipe *pipe;
	struct fax_job *job;		/* the page's, until it is done */
	bool page;			/* a page is open on the user's side */
	bool ended;			/* its job is done; code says how */
	u32 code;
	bool full;			/* the user's side of the page is complete */
	u64 pos;			/* bytes of the page the user moved */
};

struct fax_file {
	struct list_head node;		/* on fax_board.files */
	struct fax_board *board;
	struct fax_func *func;
	fmode_t f_mode;
	bool closed;
	enum fax_mode mode;
	struct fax_fmt fmt;
	wait_queue_head_t wait;
	struct fax_quota *quota;
	struct xarray bufs;
	u32 nbufs;
	u32 next_buf;
	struct list_head jobs;		/* all that are not reaped, a stream's too */
	u32 njobs;			/* of them, without a stream's */
	u32 nlive;			/* jobs not done, streams' too */
	u32 contexts;			/* of the coder that its jobs hold */
	u32 inflight;			/* runs of its jobs */
	u32 last_job;			/* id */
	struct list_head done;		/* jobs with a completion */
	u32 latched;
	u32 passed;			/* round in which a job of this open had to wait */

	struct fax_event events[FAX_EVENTS];
	u32 ev_head;
	u32 ev_count;
	u32 ev_lost;
	u32 ev_seq;

	struct mutex io_lock;		/* of what copies from and to the user */
	struct fax_stream stream;
};

/* An ioctl's argument, and a file to install once it was copied back. */
struct fax_ioctl {
	union fax_arg {
		struct fax_info info;
		struct fax_caps caps;
		struct fax_status status;
		struct fax_fmt fmt;
		struct fax_buf_alloc buf_alloc;
		struct fax_buf_map buf_map;
		struct fax_buf_unmap buf_unmap;
		struct fax_pipe_alloc pipe_alloc;
		struct fax_submit submit;
		struct fax_reap reap;
		struct fax_cancel cancel;
		struct fax_claim claim;
		struct fax_event event;
	} arg;
	bool nonblock;
	int fd;
	struct file *file;
};

static inline bool fax_gone(const struct fax_board *board)
{
	return READ_ONCE(board->gone);
}

static inline bool fax_op_produces(u32 op)
{
	return op == FAX_OP_SCAN || op == FAX_OP_DECODE;
}

/* A run of @job goes to the driver (1), or came back and was looked at (-1). */
static inline void fax_count_inflight(struct fax_job *job, int n)
{
	job->inflight += n;
	job->file->inflight += n;
	job->func->inflight += n;
}

static inline bool fax_leased(const struct fax_func *func)
{
	return func->function != FAX_FUNC_CODEC;
}

/* main.c */
extern struct class fax_class;
extern struct dentry *fax_debugfs;
extern u32 fax_park_ms;		/* debugfs: as FAX_PARK_MS, for tests */
extern bool fax_refuse_cpu;	/* debugfs: no CPU gets at page memory from now on */
dev_t fax_devt(u32 function, u32 index);
int fax_index_get(u32 function);
void fax_index_put(u32 function, u32 index);
const char *fax_function_name(u32 function);

/* board.c */
void fax_board_get(struct fax_board *board);
void fax_board_kick(struct fax_board *board);
void fax_board_move(struct fax_board *board);
void fax_func_asked(struct fax_func *func, u32 conditions);
void fax_func_reset(struct fax_func *func, struct fax_job *culprit, u32 code);
void fax_func_clear(struct fax_func *func);
void fax_update_waiting(struct fax_func *func);
void fax_tell_waiting(struct fax_func *func, struct fax_job *job, bool waits);

/* file.c */
extern const struct file_operations fax_fops;
void fax_file_drop(struct fax_file *ff);
void fax_event_push(struct fax_file *ff, const struct fax_event *event);
void fax_event_all(struct fax_func *func, u32 type, u32 changed);
int fax_claim(struct fax_file *ff, bool nonblock, u32 timeout_ms);
void fax_claim_drop(struct fax_file *ff);
u32 fax_state(const struct fax_func *func);
int fax_may_move(const struct fax_file *ff);

/* job.c */
int fax_check_fmt(const struct fax_func *func, struct fax_fmt *fmt);
int fax_ioctl_submit(struct fax_file *ff, struct fax_ioctl *io);
int fax_ioctl_reap(struct fax_file *ff, struct fax_ioctl *io);
int fax_ioctl_cancel(struct fax_file *ff, struct fax_ioctl *io);
int fax_job_submit_stream(struct fax_file *ff, struct fax_pipe *pipe, bool nowait);
void fax_job_stop(struct fax_job *job, u32 code, u32 peer_code);
void fax_job_idle(struct fax_job *job);
void fax_job_park(struct fax_job *job);
bool fax_job_begin_anew(struct fax_job *job);
void fax_job_forget(struct fax_job *job);
int fax_code_errno(u32 code);

/* sched.c */
bool fax_schedule(struct fax_func *func);
void fax_run_done(struct fax_run *run);

/* buf.c */
struct fax_quota *fax_quota_alloc(void);
int fax_quota_charge(struct fax_quota *quota, u64 bytes);
void fax_quota_uncharge(struct fax_quota *quota, u64 bytes);
void fax_quota_put(struct fax_quota *quota);
int fax_pages_alloc(struct fax_pages *mem, u64 size);
void fax_pages_free(struct fax_pages *mem);
int fax_pages_sgt(const struct fax_pages *mem, struct sg_table *sgt, struct device *dev);
void *fax_pages_vmap(const struct fax_pages *mem, struct fax_board *board);
int fax_map_init(struct fax_map *map, struct sg_table *sgt);
void fax_map_free(struct fax_map *map);
u32 fax_map_cut(const struct fax_map *map, u64 off, u32 len, struct fax_sg *sg, u32 max, u32 *n);
int fax_ioctl_buf_alloc(struct fax_file *ff, struct fax_ioctl *io);
int fax_ioctl_buf_map(struct fax_file *ff, struct fax_ioctl *io);
int fax_ioctl_buf_unmap(struct fax_file *ff, struct fax_ioctl *io);
int fax_buf_wait_fences(struct fax_file *ff, u32 handle, bool write, long *left);
void fax_import_unmap(struct fax_import *import);
void fax_buf_free(struct fax_buf *buf);

/* pipe.c */
int fax_ioctl_pipe_alloc(struct fax_file *ff, struct fax_ioctl *io);
struct fax_pipe *fax_pipe_create(struct fax_file *ff, u32 width, u32 stride, u32 rows, u32 bands,
				 enum dma_data_direction dir);
struct fax_pipe *fax_pipe_from_file(struct file *file);
void fax_pipe_put(struct fax_pipe *pipe);
void fax_pipe_unmap(struct fax_pipe *pipe);
int fax_pipe_may_bind(const struct fax_pipe *pipe, const struct fax_job *job);
void fax_pipe_bind(struct fax_pipe *pipe, struct fax_job *job);
void fax_pipe_leave(struct fax_job *job);
void fax_pipe_take_back(struct fax_job *job);
void fax_pipe_detach(struct fax_job *job);
void fax_pipe_rewind(struct fax_pipe *pipe);
bool fax_pipe_ready(const struct fax_job *job);
u64 fax_pipe_offset(const struct fax_pipe *pipe, u32 row);
u32 fax_pipe_room(const struct fax_pipe *pipe);
u32 fax_pipe_avail(const struct fax_pipe *pipe, u32 page_rows);

/* stream.c */
ssize_t fax_stream_read(struct file *file, char __user *to, size_t count, loff_t *pos);
ssize_t fax_stream_write(struct file *file, const char __user *from, size_t count, loff_t *pos);
int fax_stream_fsync(struct file *file, loff_t start, loff_t end, int datasync);
__poll_t fax_stream_poll(struct fax_file *ff);
void fax_stream_job_done(struct fax_job *job);
void fax_stream_close(struct fax_file *ff);

/* sysfs.c */
extern const struct attribute_group *fax_groups[];
int fax_uevent(FAX_CONST_DEV struct device *dev, struct kobj_uevent_env *env);
void fax_uevent_change(struct fax_func *func);
void fax_uevent_work(struct work_struct *work);
void fax_debugfs_add(struct fax_func *func);

#endif
