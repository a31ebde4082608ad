/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Facsimile boards: scanner, printer engine and MH/MR/MMR coder.
 *
 *	/dev/faxscanN	/dev/faxprintN	/dev/faxcodecN
 *
 * Every structure has the same layout for 32-bit and 64-bit callers. Reserved
 * fields must be zero. A caller may pass a structure larger than the kernel
 * knows if the rest is zero (else E2BIG), or an older, shorter one.
 *
 * Errors of all ioctls: ENOTTY unknown number, EOPNOTSUPP not for this
 * function, EBADF opened the wrong way round (a scanner is read, a printer
 * written, the coder both), EINVAL wrong value or reserved field set, EFAULT
 * the argument cannot be read and written (then nothing was done), ENODEV the
 * board has gone.
 */
#ifndef _UAPI_LINUX_FAX_H
#define _UAPI_LINUX_FAX_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define FAX_API_REVISION	1
#define FAX_IOC_MAGIC		0xFA

/* limits of one open */
#define FAX_MAX_JOBS		64
#define FAX_MAX_BUFS		64
#define FAX_MAX_SEGS		256
#define FAX_MAX_MEMORY		(256u << 20)	/* bytes */
#define FAX_MAX_WIDTH		16384		/* pixels */
#define FAX_MAX_BANDS		64		/* of a pipe */

/* functions */
#define FAX_FUNC_SCAN		1
#define FAX_FUNC_PRINT		2
#define FAX_FUNC_CODEC		3

/* encodings; as bits in fax_caps.encodings: 1 << encoding */
#define FAX_ENC_RAW		0	/* one bit a pixel, leftmost first (MSB), 1 = black */
#define FAX_ENC_MH		1	/* T.4 4.1 */
#define FAX_ENC_MR		2	/* T.4 4.2 */
#define FAX_ENC_MMR		3	/* T.6 */

/* resolutions, pixels per metre */
#define FAX_RES_8_MM		8000
#define FAX_RES_16_MM		16000
#define FAX_RES_3_85_MM		3850
#define FAX_RES_7_7_MM		7700
#define FAX_RES_15_4_MM		15400

/* fax_fmt.flags */
#define FAX_FMT_LSB_FIRST	(1u << 0)	/* code: least significant bit first */
#define FAX_FMT_BLACK_IS_0	(1u << 1)	/* pixels: 0 = black */
#define FAX_FMT_EOL		(1u << 2)	/* MH, MR: EOL before each line; MR needs it */
#define FAX_FMT_EOL_ALIGN	(1u << 3)	/* EOLs end on a byte; without EOL: MH rows do */
#define FAX_FMT_END		(1u << 4)	/* encoding: write RTC or EOFB at the end */
#define FAX_FMT_WHITEN		(1u << 5)	/* decoding: damaged rows white, not copied */
#define FAX_FMT_FLAGS		0x3fu

/**
 * struct fax_fmt - form of a page, raw and coded side together
 * @encoding: FAX_ENC_*; RAW for scanner and printer
 * @width: pixels a row, 1 to FAX_MAX_WIDTH; scanner and printer: see fax_caps
 * @rows: rows of the page; 0 = until the page ends
 * @stride: bytes from row to row of raw memory; 0 = the least, (width + 7) / 8
 * @xres: pixels per metre across
 * @yres: rows per metre
 * @k: MR: each k-th line is one-dimensional; 0 = only the first
 * @flags: FAX_FMT_*
 * @reserved: zero
 */
struct fax_fmt {
	__u32 encoding;
	__u32 width;
	__u32 rows;
	__u32 stride;
	__u32 xres;
	__u32 yres;
	__u32 k;
	__u32 flags;
	__u32 reserved[4];
};

/* fax_info.features */
#define FAX_FEAT_HW_LINK	(1u << 0)	/* pipes are linked inside the board */
#define FAX_FEAT_SIMULATED	(1u << 1)	/* there is no paper */

struct fax_info {
	__u32 function;		/* FAX_FUNC_* */
	__u32 api;		/* FAX_API_REVISION of the driver core */
	__u32 features;		/* FAX_FEAT_* */
	__u32 index;		/* N of the node */
	__u64 board_id;		/* functions of one board share it; unique since boot */
	__u8 board[32];		/* model, NUL-terminated */
	__u8 serial[32];	/* NUL-terminated, may be empty */
	__u8 driver[32];	/* module, NUL-terminated */
	__u32 functions;	/* of the whole board: bits 1 << FAX_FUNC_* */
	__u32 reserved[7];
};

struct fax_resolution {
	__u32 x;		/* pixels per metre */
	__u32 y;
};

/**
 * struct fax_caps - what a function can do
 * @encodings: bits 1 << FAX_ENC_*; coder: for encoding
 * @decodings: coder: for decoding
 * @width_min: least pixels a row
 * @width_max: most pixels a row
 * @nwidths: scanner, printer: number of @widths; 0 = any from min to max
 * @nresolutions: number of @resolutions; 0 = does not matter (coder)
 * @widths: in pixels at 8 per millimetre; at other resolutions multiples of
 *	    them (x * xres / 8000)
 * @resolutions: pairs that may be asked for
 * @rows_max: longest page
 * @fmt_flags: FAX_FMT_* that are understood
 * @reserved: zero
 */
struct fax_caps {
	__u32 encodings;
	__u32 decodings;
	__u32 width_min;
	__u32 width_max;
	__u32 nwidths;
	__u32 nresolutions;
	__u32 widths[8];
	struct fax_resolution resolutions[16];
	__u32 rows_max;
	__u32 fmt_flags;
	__u32 reserved[8];
};

/* fax_status.state */
#define FAX_STATE_IDLE		0
#define FAX_STATE_BUSY		1
#define FAX_STATE_WAITING	2	/* for paper, an original, a closed cover ... */
#define FAX_STATE_SUSPENDED	3	/* jobs wait; conditions are those before it */
#define FAX_STATE_FAULT		4	/* a reset did not help; RESET tries another */
#define FAX_STATE_GONE		5

/* fax_status.conditions, .latched, fax_event.conditions */
#define FAX_COND_PAPER_OUT	(1u << 0)	/* printer: tray empty; scanner: no original */
#define FAX_COND_JAM		(1u << 1)
#define FAX_COND_COVER		(1u << 2)
#define FAX_COND_PAPER_LOW	(1u << 3)
#define FAX_COND_TONER_LOW	(1u << 4)
#define FAX_COND_TONER_OUT	(1u << 5)
#define FAX_COND_OUTPUT_FULL	(1u << 6)
#define FAX_COND_HOT		(1u << 7)

/**
 * struct fax_status
 * @state: FAX_STATE_*
 * @conditions: FAX_COND_* that hold now
 * @latched: those that held at any time since this open asked last
 * @claimed: 1 = an open holds the claim; 2 = this one
 * @paper_width: micrometres, of the original in the feeder or the paper in the
 *		 tray; 0 = unknown
 * @paper_height: micrometres; 0 = unknown
 * @jobs: queued or running, of all opens
 * @pad: zero
 * @pages: done since the board came
 * @rows: moved since the board came
 * @bytes_in: moved by DMA since the board came: read by the board
 * @bytes_out: likewise, written by it
 * @errors: jobs that failed
 * @resets: of the engine
 * @cpu_maps: times a page buffer of this board was mapped for a CPU (mmap, vmap,
 *	      the ring of a stream)
 * @cpu_accesses: times CPU access to such a buffer was begun, by SYNC or a
 *		  read() or write()
 * @reserved: zero
 */
struct fax_status {
	__u32 state;
	__u32 conditions;
	__u32 latched;
	__u32 claimed;
	__u32 paper_width;
	__u32 paper_height;
	__u32 jobs;
	__u32 pad;
	__u64 pages;
	__u64 rows;
	__u64 bytes_in;
	__u64 bytes_out;
	__u64 errors;
	__u64 resets;
	__u64 cpu_maps;
	__u64 cpu_accesses;
	__u32 reserved[8];
};

/* Buffers are dma-bufs; BUF_ALLOC makes one of ours (zeroed), any other may be mapped too. */
struct fax_buf_alloc {
	__u64 size;		/* in: bytes; out: rounded up to pages */
	__u32 flags;		/* O_CLOEXEC */
	__s32 fd;		/* out: the dma-buf, the caller's to close */
	__u32 reserved[4];
};

struct fax_buf_map {
	__s32 fd;		/* dma-buf */
	__u32 buf;		/* out: handle of this open, for fax_seg.buf and BUF_UNMAP */
	__u64 size;		/* out: bytes */
	__u32 reserved[4];
};

struct fax_buf_unmap {
	__u32 buf;		/* EBUSY while a job uses it */
	__u32 reserved[3];
};

/* A ring of bands between two functions of one board. */
struct fax_pipe_alloc {
	__u32 width;		/* pixels */
	__u32 rows;		/* of a band, 1 to 4096 */
	__u32 bands;		/* 2 to FAX_MAX_BANDS */
	__u32 flags;		/* O_CLOEXEC */
	__s32 fd;		/* out: names the pipe in two SUBMITs; the caller's to close */
	__u32 reserved[3];
};

/* operations */
#define FAX_OP_SCAN		1	/* original -> raw */
#define FAX_OP_PRINT		2	/* raw -> paper */
#define FAX_OP_ENCODE		3	/* raw -> coded */
#define FAX_OP_DECODE		4	/* coded -> raw */

/**
 * struct fax_seg - a stretch of a mapped buffer
 * @buf: handle from BUF_MAP
 * @dir: FAX_SEG_IN (the board reads it) or FAX_SEG_OUT (it writes)
 * @offset: bytes
 * @length: bytes
 * @encoding: DECODE, IN: how this segment is coded; else 0
 * @rows: DECODE, IN: rows of this segment, 0 = until its code ends
 * @k: DECODE: 0
 * @flags: DECODE, IN: FAX_FMT_LSB_FIRST, _EOL, _EOL_ALIGN, _WHITEN of this segment
 * @reserved: zero
 */
struct fax_seg {
	__u32 buf;
	__u32 dir;
	__u64 offset;
	__u64 length;
	__u32 encoding;
	__u32 rows;
	__u32 k;
	__u32 flags;
	__u32 reserved[2];
};

#define FAX_SEG_IN		0
#define FAX_SEG_OUT		1

/* fax_submit.flags */
#define FAX_SUBMIT_NOWAIT	(1u << 0) /* SCAN, PRINT: without paper fail, PAPER_OUT */
#define FAX_SUBMIT_RESUME	(1u << 1) /* ENCODE: more room for job after OUT_FULL */

/**
 * struct fax_submit - queue a job, all or nothing
 * @op: FAX_OP_*
 * @flags: FAX_SUBMIT_*
 * @cookie: the caller's, handed back by REAP
 * @fmt: form of the page; ENCODE: the raw side by width, rows, stride and
 *	 BLACK_IS_0, the coded side by the rest; DECODE: raw side only, the coded
 *	 side stands in each segment
 * @pipe: pipe fd that takes the place of the raw segment, -1 = none
 * @nsegs: number of @segs
 * @segs: user address of struct fax_seg[nsegs]:
 *	  SCAN, raw: one OUT; PRINT, raw: one IN (neither with a pipe);
 *	  ENCODE: one raw IN unless a pipe, and one coded OUT;
 *	  DECODE: one or more coded IN, decoded one after the other into one
 *	  page, and one raw OUT unless a pipe
 * @job: out: id; with RESUME in: the job, @segs then being one OUT segment
 * @pad: zero
 * @reserved: zero
 *
 * EBUSY: the claim is another's, this open is in use as a stream, or the pipe
 * still moves another page. EDQUOT: a limit of the open. EXDEV: pipe of another
 * board. EIO: the function is in FAX_STATE_FAULT, see RESET. ETIMEDOUT: the
 * fences of an imported buffer were not signalled in time.
 */
struct fax_submit {
	__u32 op;
	__u32 flags;
	__u64 cookie;
	struct fax_fmt fmt;
	__s32 pipe;
	__u32 nsegs;
	__u64 segs;
	__u32 job;
	__u32 pad;
	__u32 reserved[4];
};

/* fax_completion.code */
#define FAX_CODE_OK		0
#define FAX_CODE_PAPER_OUT	1	/* ENOSPC */
#define FAX_CODE_JAM		2	/* EIO, as those up to RESET */
#define FAX_CODE_COVER		3
#define FAX_CODE_DMA		4
#define FAX_CODE_OVERRUN	5
#define FAX_CODE_UNDERRUN	6
#define FAX_CODE_RESET		7
#define FAX_CODE_CODING		8	/* EILSEQ: the code could not be followed to the end */
#define FAX_CODE_OUT_FULL	9	/* ENOBUFS: RESUME or CANCEL it */
#define FAX_CODE_TIMEOUT	10	/* ETIMEDOUT: no progress */
#define FAX_CODE_CANCELED	11	/* ECANCELED */
#define FAX_CODE_GONE		12	/* ENODEV */
#define FAX_CODE_TOO_LONG	13	/* EMSGSIZE: more rows than the format or the memory has */
#define FAX_CODE_TOO_WIDE	14	/* EMSGSIZE: the original is wider than the format */
#define FAX_CODE_PEER		15	/* EPIPE: the pipe's other side failed, see peer_code */

/* fax_completion.flags */
#define FAX_DONE_DAMAGED	(1u << 0)	/* rows_bad and its companions say how much */
#define FAX_DONE_SHORT		(1u << 1)	/* fewer rows than asked for */
#define FAX_DONE_MORE_PAPER	(1u << 2)	/* scanner: another original lies in the feeder */

/**
 * struct fax_completion - what became of a job
 * @cookie: of the job
 * @job: id
 * @error: 0 or a negative errno, by @code
 * @code: FAX_CODE_*
 * @peer_code: FAX_CODE_* of the other side of the pipe, with FAX_CODE_PEER
 * @flags: FAX_DONE_*
 * @seg: DECODE: segment at which it stopped
 * @bytes_in: moved from the caller's segments, of all the job's runs together
 *	      when it was resumed
 * @bytes_out: likewise, to them
 * @rows: of the page
 * @rows_bad: damage as T.4 counts it, as the two below
 * @first_bad_row: from the top of the page
 * @max_bad_run: rows
 * @next_width: with FAX_DONE_MORE_PAPER: micrometres, of the original that lies
 *		in the feeder now, as STATUS would say; 0 = unknown
 * @next_height: likewise
 * @reserved: zero
 */
struct fax_completion {
	__u64 cookie;
	__u32 job;
	__s32 error;
	__u32 code;
	__u32 peer_code;
	__u32 flags;
	__u32 seg;
	__u64 bytes_in;
	__u64 bytes_out;
	__u32 rows;
	__u32 rows_bad;
	__u32 first_bad_row;
	__u32 max_bad_run;
	__u32 next_width;
	__u32 next_height;
	__u32 reserved[2];
};

/*
 * REAP: takes up to count completions; EAGAIN when there is none and NONBLOCK or
 * O_NONBLOCK; EBUSY: this open is in use as a stream; ENODEV: the board has
 * gone, and all jobs of this open with it are reaped.
 */
struct fax_reap {
	__u64 completions;	/* user address of struct fax_completion[count] */
	__u32 size;		/* sizeof(struct fax_completion) as the caller knows it */
	__u32 count;		/* in: room, out: given */
	__u32 flags;		/* FAX_NONBLOCK */
	__u32 timeout_ms;	/* 0 = no limit; ETIMEDOUT */
	__u32 reserved[2];
};

/* CANCEL asks; the job's completion says when, and whether it was in time. */
struct fax_cancel {
	__u32 job;		/* 0 = all of this open; ENOENT: no such job */
	__u32 reserved[3];
};

#define FAX_NONBLOCK		(1u << 0)

/* CLAIM keeps scanner or printer for this open, from page to page. EBUSY/EAGAIN/ETIMEDOUT. */
struct fax_claim {
	__u32 flags;		/* FAX_NONBLOCK */
	__u32 timeout_ms;	/* 0 = no limit */
	__u32 reserved[2];
};

/*
 * RESET takes no argument: the engine is reset, jobs that run end with
 * FAX_CODE_RESET, those that are queued stay. For the holder of the claim, for
 * CAP_SYS_ADMIN, and in FAX_STATE_FAULT, when nothing runs, for every open that
 * may move pages. EPERM; EIO: it did not help; EBUSY: the board is suspended.
 */

/* fax_event.type */
#define FAX_EVENT_CONDITION	1	/* conditions changed */
#define FAX_EVENT_JOB_WAITING	2	/* a job of this open waits for conditions to clear */
#define FAX_EVENT_JOB_GOES_ON	3
#define FAX_EVENT_RESET		4
#define FAX_EVENT_LOST		5	/* this many events were dropped: value */

struct fax_event {
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__u32 seq;		/* of this open; gaps do not occur */
	__u32 type;		/* FAX_EVENT_* */
	__u32 conditions;	/* FAX_COND_* after the event */
	__u32 changed;		/* FAX_COND_* that changed */
	__u32 job;		/* JOB_*: the job */
	__u32 value;
	__u32 reserved[4];
};

#define FAX_IOC_INFO		_IOWR(FAX_IOC_MAGIC, 0x00, struct fax_info)
#define FAX_IOC_CAPS		_IOWR(FAX_IOC_MAGIC, 0x01, struct fax_caps)
#define FAX_IOC_STATUS		_IOWR(FAX_IOC_MAGIC, 0x02, struct fax_status)
#define FAX_IOC_GET_FMT		_IOWR(FAX_IOC_MAGIC, 0x03, struct fax_fmt)
#define FAX_IOC_SET_FMT		_IOWR(FAX_IOC_MAGIC, 0x04, struct fax_fmt)
#define FAX_IOC_TRY_FMT		_IOWR(FAX_IOC_MAGIC, 0x05, struct fax_fmt)
#define FAX_IOC_BUF_ALLOC	_IOWR(FAX_IOC_MAGIC, 0x10, struct fax_buf_alloc)
#define FAX_IOC_BUF_MAP		_IOWR(FAX_IOC_MAGIC, 0x11, struct fax_buf_map)
#define FAX_IOC_BUF_UNMAP	_IOWR(FAX_IOC_MAGIC, 0x12, struct fax_buf_unmap)
#define FAX_IOC_PIPE_ALLOC	_IOWR(FAX_IOC_MAGIC, 0x13, struct fax_pipe_alloc)
#define FAX_IOC_SUBMIT		_IOWR(FAX_IOC_MAGIC, 0x20, struct fax_submit)
#define FAX_IOC_REAP		_IOWR(FAX_IOC_MAGIC, 0x21, struct fax_reap)
#define FAX_IOC_CANCEL		_IOWR(FAX_IOC_MAGIC, 0x22, struct fax_cancel)
#define FAX_IOC_CLAIM		_IOWR(FAX_IOC_MAGIC, 0x30, struct fax_claim)
#define FAX_IOC_RELEASE		_IO(FAX_IOC_MAGIC, 0x31)
#define FAX_IOC_EVENT		_IOWR(FAX_IOC_MAGIC, 0x32, struct fax_event)
#define FAX_IOC_RESET		_IO(FAX_IOC_MAGIC, 0x3f)

#endif
