// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The layout of every structure is the same for 32-bit and 64-bit callers, and
 * never changes. Nothing here runs: it compiles, also with -m32, or it does not.
 */
#include <stddef.h>

#include <linux/fax.h>

#define SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), "size of " #type)
#define AT(type, member, offset) \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member)

SIZE(fax_fmt, 48);
AT(fax_fmt, flags, 28);
AT(fax_fmt, reserved, 32);

SIZE(fax_info, 152);
AT(fax_info, board_id, 16);
AT(fax_info, board, 24);
AT(fax_info, serial, 56);
AT(fax_info, driver, 88);
AT(fax_info, functions, 120);
AT(fax_info, reserved, 124);

SIZE(fax_resolution, 8);

SIZE(fax_caps, 224);
AT(fax_caps, widths, 24);
AT(fax_caps, resolutions, 56);
AT(fax_caps, rows_max, 184);
AT(fax_caps, fmt_flags, 188);
AT(fax_caps, reserved, 192);

SIZE(fax_status, 128);
AT(fax_status, pad, 28);
AT(fax_status, pages, 32);
AT(fax_status, cpu_accesses, 88);
AT(fax_status, reserved, 96);

SIZE(fax_buf_alloc, 32);
AT(fax_buf_alloc, fd, 12);
AT(fax_buf_alloc, reserved, 16);

SIZE(fax_buf_map, 32);
AT(fax_buf_map, size, 8);
AT(fax_buf_map, reserved, 16);

SIZE(fax_buf_unmap, 16);
AT(fax_buf_unmap, reserved, 4);

SIZE(fax_pipe_alloc, 32);
AT(fax_pipe_alloc, fd, 16);
AT(fax_pipe_alloc, reserved, 20);

SIZE(fax_seg, 48);
AT(fax_seg, offset, 8);
AT(fax_seg, length, 16);
AT(fax_seg, encoding, 24);
AT(fax_seg, reserved, 40);

SIZE(fax_submit, 104);
AT(fax_submit, cookie, 8);
AT(fax_submit, fmt, 16);
AT(fax_submit, pipe, 64);
AT(fax_submit, segs, 72);
AT(fax_submit, job, 80);
AT(fax_submit, reserved, 88);

SIZE(fax_completion, 80);
AT(fax_completion, job, 8);
AT(fax_completion, bytes_in, 32);
AT(fax_completion, rows, 48);
AT(fax_completion, next_width, 64);
AT(fax_completion, reserved, 72);

SIZE(fax_reap, 32);
AT(fax_reap, size, 8);
AT(fax_reap, timeout_ms, 20);
AT(fax_reap, reserved, 24);

SIZE(fax_cancel, 16);
SIZE(fax_claim, 16);
AT(fax_claim, reserved, 8);

SIZE(fax_event, 48);
AT(fax_event, seq, 8);
AT(fax_event, value, 28);
AT(fax_event, reserved, 32);
