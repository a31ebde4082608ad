// SPDX-License-Identifier: LGPL-2.1-or-later
/* A job that stopped with OUT_FULL is kept for its RESUME, but not for ever. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "uapi_test.h"

#define KNOB	"/sys/kernel/debug/fax/park_ms"
#define PARK_MS	1000
#define ROWS	500u
#define BYTES	(ROWS * A4_STRIDE)

static int coder;

static void park_ms(unsigned int ms)
{
	FILE *f = fopen(KNOB, "w");

	if (!f || fprintf(f, "%u", ms) < 0 || fclose(f))
		bail("%s: %s", KNOB, strerror(errno));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int resume(uint32_t job, const struct fax_seg *room)
{
	struct fax_submit s = {
		.op = FAX_OP_ENCODE,
		.flags = FAX_SUBMIT_RESUME,
		.pipe = -1,
		.nsegs = 1,
		.segs = (uintptr_t)room,
		.job = job,
	};

	return ioctl(coder, FAX_IOC_SUBMIT, &s) ? -errno : 0;
}

/* A page of noise into @room bytes. */
static struct fax_completion encode(struct buf *raw, struct buf *out, uint64_t room)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	struct fax_seg segs[] = { seg_in(raw, 0, BYTES), seg_out(out, 0, room) };

	must_submit(coder, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	return must_reap(coder);
}

int main(void)
{
	struct buf raw, out;
	struct fax_seg more;
	struct fax_completion c;
	uint32_t job;
	uint8_t *page;
	double from;
	int i;

	sim_reset();
	coder = open_dev(CODER, O_RDWR);
	raw = buf_new(coder, BYTES);
	out = buf_new(coder, 8 * BYTES);
	page = page_make(A4_WIDTH, ROWS, 6);
	memcpy(raw.mem, page, BYTES);
	more = seg_out(&out, 0, out.size);

	park_ms(PARK_MS);
	c = encode(&raw, &out, 64);
	job = c.job;
	check(c.code == FAX_CODE_OUT_FULL && c.error == -ENOBUFS, "the output is full (code %u)",
	      c.code);
	check_u64(status_of(coder).jobs, 1, "its job is kept");
	from = now();
	c = must_reap(coder);
	check(c.job == job && c.code == FAX_CODE_TIMEOUT && c.error == -ETIMEDOUT,
	      "nobody made room: TIMEOUT (code %u)", c.code);
	check(now() - from > PARK_MS / 1e3 - 0.3 && now() - from < PARK_MS / 1e3 + 5,
	      "in time (%.1f s)", now() - from);
	check_u64(status_of(coder).jobs, 0, "it is gone");
	check_errno(resume(job, &more), EINVAL, "RESUME is too late");

	/* contexts that were parked are free again, however many there were */
	for (i = 0; i < 40; i++) {
		c = encode(&raw, &out, 64);
		if (c.code != FAX_CODE_OUT_FULL)
			break;
		cancel(coder, c.job);
		c = must_reap(coder);
		if (c.code != FAX_CODE_CANCELED)
			break;
	}
	check_u64(i, 40, "forty more that were parked and canceled");
	park_ms(30000);
	c = encode(&raw, &out, 64);
	usleep(2 * PARK_MS * 1000);
	check_errno(resume(c.job, &more), 0, "RESUME in time, by the usual patience");
	c = must_reap(coder);
	check(!c.code && c.rows == ROWS, "and the page is done (code %u)", c.code);
	free(page);
	return done_testing();
}
