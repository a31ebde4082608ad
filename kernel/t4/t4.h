/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * t4 - coder for ITU-T T.4 (MH, MR) and T.6 (MMR), one source for the kernel
 * and for user space.
 *
 * Pixels are one bit each, most significant bit leftmost, 1 = black unless
 * T4_F_BLACK_IS_0 says otherwise; rows lie "stride" bytes apart. Coded bytes
 * are filled from the most significant bit unless T4_F_LSB_FIRST.
 *
 * Ownership: the caller owns every buffer and the state objects; nothing is
 * allocated, nothing is kept between calls but what lies in the state. A state
 * object may be abandoned at any time. Its size makes it unfit for a kernel
 * stack: allocate it.
 *
 * Errors: functions return a T4_* status (>= 0) or a negative errno for misuse
 * (-EINVAL). Neither direction reads or writes outside the lengths it is given,
 * whatever the bytes.
 */
#ifndef T4_H
#define T4_H

#include "t4_port.h"

#define T4_WIDTH_MAX	16384u

enum t4_coding {
	T4_MH,		/* T.4 4.1, one-dimensional */
	T4_MR,		/* T.4 4.2, two-dimensional, parameter K */
	T4_MMR,		/* T.6 */
};

enum t4_flags {
	T4_F_EOL	= 1 << 0, /* MH, MR: an EOL before each line (T.4 4.1.2); MR needs it */
	T4_F_ALIGN	= 1 << 1, /* EOLs end on a byte boundary, MH rows without EOL begin there */
	T4_F_END	= 1 << 2, /* write RTC (T.4 4.1.4) or EOFB (T.6 2.4.1.1) at the end */
	T4_F_LSB_FIRST	= 1 << 3, /* coded bytes: TIFF FillOrder 2 */
	T4_F_BLACK_IS_0	= 1 << 4, /* pixels: 0 = black (TIFF PhotometricInterpretation 1) */
	T4_F_WHITEN	= 1 << 5, /* decode: damaged rows become white, not the row above again */
};

/**
 * struct t4_params - what a page looks like
 * @width: pixels a row, 1 to T4_WIDTH_MAX
 * @rows: decoding: rows after which the page is complete, 0 = until the code
 *	  or the input ends. Encoding: not used.
 * @coding: enum t4_coding
 * @k: MR: every k-th line is one-dimensional (2 or 4 by T.4 4.2.1), 0 = the
 *     first line only. Decoding goes by the tag bits and ignores it.
 * @flags: enum t4_flags. Decoding accepts EOLs, fill and end codes whether or
 *	  not T4_F_EOL, T4_F_ALIGN and T4_F_END are set, except that rows of MH
 *	  without any EOL start on byte boundaries only if T4_F_ALIGN is set.
 */
struct t4_params {
	u32 width;
	u32 rows;
	u8 coding;
	u8 k;
	u16 flags;
};

enum t4_status {
	T4_OK,		/* all given input is consumed; more may follow */
	T4_OUT_FULL,	/* output space is used up; call again with more */
	T4_DONE,	/* the page is complete */
	T4_STUCK,	/* decode: no way to go on; struct t4_damage says where */
};

/**
 * struct t4_damage - what a decoder found wrong, in the counting of T.4's
 *		      receivers and T.30's copy quality
 * @rows: rows delivered so far, damaged ones included
 * @rows_bad: of these, rows that were copied or whitened
 * @first_bad_row: the first of them (from 0), ~0u = none
 * @max_bad_run: the longest run of consecutive bad rows
 * @error_bit: T4_STUCK: bits of coded input before the code that failed
 * @flags: enum t4_damage_flags
 */
struct t4_damage {
	u32 rows;
	u32 rows_bad;
	u32 first_bad_row;
	u32 max_bad_run;
	u64 error_bit;
	u32 flags;
};

enum t4_damage_flags {
	T4_D_END_SEEN	  = 1 << 0, /* RTC or EOFB was met */
	T4_D_SHORT	  = 1 << 1, /* the end came within a row, or before the rows asked for */
	T4_D_UNCOMPRESSED = 1 << 2, /* the uncompressed-mode extension was met; not supported */
};

struct t4_encoder;
struct t4_decoder;

/* Bytes the longest possible coded row of @width pixels can take, EOL and fill included. */
size_t t4_row_bound(u32 width);

/*
 * Encoding. Rows are consumed whole; the output may be cut anywhere.
 *
 * t4_encode() codes up to @nrows rows. *@consumed rows were taken, *@produced
 * bytes written. T4_OK: all rows are taken. T4_OUT_FULL: @out is full and up
 * to one row of code waits inside the state; call again with the rest of the
 * rows.
 *
 * t4_encode_end() writes what waits, the end code where T4_F_END asks for one,
 * and pads to a byte. T4_DONE or T4_OUT_FULL (call again).
 */
int t4_encoder_init(struct t4_encoder *e, const struct t4_params *p);
int t4_encode(struct t4_encoder *e, const void *rows, size_t stride, u32 nrows,
	      u32 *consumed, void *out, size_t out_len, size_t *produced);
int t4_encode_end(struct t4_encoder *e, void *out, size_t out_len,
		  size_t *produced);

/*
 * Decoding. Input may be cut anywhere; rows are delivered whole, their pad
 * bits (width % 8) white.
 *
 * t4_decode() consumes from @in and writes up to @nrows rows. @last says that
 * no input follows @in. T4_OK: more input is needed. T4_OUT_FULL: @nrows rows
 * were written and another one follows; *@consumed bytes are spent (a few more
 * may wait inside the state). T4_DONE: the end code, params.rows or the end of the input was
 * reached; bytes of @in that lie beyond are not consumed. T4_STUCK: rows before
 * the error are delivered, damage.rows is the number of the one it is in. This
 * befalls MMR, and MH in which no EOL was met nor T4_F_EOL says that there are
 * any; elsewhere decoding goes on at the next EOL (MR: at the next line that is
 * one-dimensional), the rows until then are bad. EOLs with nothing between them
 * make no row.
 */
int t4_decoder_init(struct t4_decoder *d, const struct t4_params *p);
int t4_decode(struct t4_decoder *d, const void *in, size_t in_len, bool last,
	      size_t *consumed, void *rows, size_t stride, u32 nrows,
	      u32 *produced);
const struct t4_damage *t4_decoder_damage(const struct t4_decoder *d);

#include "t4_state.h"	/* the two structs, for sizeof only */

#endif
