/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A driver core of a few lines, behind struct func_sys: it checks what it is
 * given, remembers it, and ends jobs when the test says so. Nodes are named
 * "<board id>/scan", "/print" and "/codec", with anything behind.
 */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include "device/func.h"

struct fake_job {
	uint32_t id;
	int fd;			/* open it was given to */
	struct fax_submit sub;
	struct fax_seg segs[FAX_MAX_SEGS];
	bool resumed;
	bool canceled;
};

/* One for all: struct func_sys has no room for a pointer. */
extern struct fake_kernel {
	struct fax_status scan_status;
	struct fax_status print_status;
	uint64_t next_board_id;	/* of nodes opened from now on, 0 = by name */
	uint32_t functions;	/* of every board, 0 = the kernel does not say */
	bool claimed_elsewhere;
	uint32_t fail_submit_op;	/* SUBMIT of FAX_OP_* fails with ... */
	int fail_submit;		/* ... this errno */
	struct fake_job jobs[16];	/* in the order of SUBMIT */
	unsigned int njobs;
	unsigned int pipes;		/* made */
	unsigned int pipes_open;
	unsigned int ioctls;		/* on nodes and buffers */
	unsigned int opens;		/* nodes that are open */
	unsigned int bufs_open;
} fake_kernel;

extern const struct func_sys fake_kernel_sys;

void fake_kernel_init(void);
/* The job of @op submitted last that has not ended. */
struct fake_job *fake_kernel_job(uint32_t op);
/* Memory of a buffer that a segment names. */
uint8_t *fake_kernel_memory(uint32_t buf);
/* @c->job and cookie are filled in; OUT_FULL leaves the job where it is. */
void fake_kernel_end(struct fake_job *job, struct fax_completion c);
/* What EVENT gives next to the open that @job belongs to; the test calls func_dispatch(). */
void fake_kernel_event(struct fake_job *job, uint32_t type, uint32_t conditions);

#endif
