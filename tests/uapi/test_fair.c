// SPDX-License-Identifier: LGPL-2.1-or-later
/* The coder is shared between opens, not between jobs: who brings many gets no more of it. */
#include <fcntl.h>
#include <stdlib.h>

#include "uapi_test.h"

#define MANY	7
#define ROWS	4000u
#define BYTES	(ROWS * A4_STRIDE)
#define CODED	(8u << 20)

struct side {
	int dev;
	struct buf raw, out;
};

static struct side side_new(const uint8_t *page)
{
	struct side s = { .dev = open_dev(CODER, O_RDWR) };

	s.raw = buf_new(s.dev, BYTES);
	s.out = buf_new(s.dev, CODED);
	memcpy(s.raw.mem, page, BYTES);
	return s;
}

/* The code of all jobs of a side goes to one place: nobody reads it. */
static void encode(struct side *s)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	struct fax_seg segs[] = { seg_in(&s->raw, 0, BYTES), seg_out(&s->out, 0, CODED) };

	must_submit(s->dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
}

static void test_many_against_one(const uint8_t *page)
{
	struct side many = side_new(page), one = side_new(page);
	struct fax_completion c;
	int i, bad = 0, ret;

	for (i = 0; i < MANY; i++)
		encode(&many);
	encode(&one);
	c = must_reap(one.dev);
	ret = reap(many.dev, &c, 1);
	check(!c.code && ret == -ETIMEDOUT,
	      "the one job of an open is done before any of the %d that were there first (%d)",
	      MANY, ret);
	for (i = ret ? 0 : 1; i < MANY; i++)
		bad += must_reap(many.dev).code;
	check_u64(bad, 0, "and they are done as well");
	check_u64(status_of(one.dev).jobs, 0, "and nothing is left");
}

int main(void)
{
	uint8_t *page;

	sim_reset();
	page = page_make(A4_WIDTH, ROWS, 5);
	test_many_against_one(page);
	free(page);
	return done_testing();
}
