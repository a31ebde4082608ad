/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Register map of the reference board: BAR0, 64 KiB, 32-bit little-endian
 * registers, accessed as aligned 32-bit words only. kernel/board/REGISTERS.md
 * says what they mean; driver and device model both go by this header.
 */
#ifndef FAX_BOARD_REGS_H
#define FAX_BOARD_REGS_H

#define FAXB_BIT(n)		(1u << (n))

/* PCI identity, from the range that QEMU leaves to experiments (vendor 0x1234) */
#define FAXB_PCI_VENDOR		0x1234
#define FAXB_PCI_DEVICE		0xfa01
#define FAXB_BAR_SIZE		0x10000u

/* a register of a board that is not there (any more) */
#define FAXB_ALL_ONES		0xffffffffu

/* queues */
#define FAXB_Q_SCAN		0u
#define FAXB_Q_PRINT		1u
#define FAXB_Q_ENCODE		2u
#define FAXB_Q_DECODE		3u
#define FAXB_QUEUES		4u

/* global registers */
#define FAXB_ID			0x000u	/* RO */
#define FAXB_ID_VALUE		0x42584146u	/* "FAXB" as bytes */
#define FAXB_VERSION		0x004u	/* RO: major << 16 | minor */
#define FAXB_VERSION_MAJOR	1u
#define FAXB_FEATURES		0x008u	/* RO: bit q = queue q is there */
#define FAXB_CTRL		0x00cu	/* RW */
#define FAXB_CTRL_RESET		FAXB_BIT(0)	/* write 1: reset all queues */
#define FAXB_STATUS		0x010u	/* RO */
#define FAXB_STATUS_RESET	FAXB_BIT(0)	/* a board reset is going on */
#define FAXB_STATUS_FAULT	FAXB_BIT(1)	/* the board needs a reset */
#define FAXB_INT_STATUS		0x014u	/* RW1C: bit q = queue q completed something */
#define FAXB_INT_COND_SCAN	FAXB_BIT(8)	/* COND or WAITING of the scanner changed */
#define FAXB_INT_COND_PRINT	FAXB_BIT(9)
#define FAXB_INT_FAULT		FAXB_BIT(31)
#define FAXB_INT_ENABLE		0x018u	/* RW: bits as in INT_STATUS */
#define FAXB_INT_ALL		(0xfu | FAXB_INT_COND_SCAN | FAXB_INT_COND_PRINT | FAXB_INT_FAULT)
#define FAXB_MAX_SG		0x01cu	/* RO: entries of a scatter list */
#define FAXB_CONTEXTS		0x020u	/* RO: coder contexts */
#define FAXB_RING_LOG2_MAX	0x024u	/* RO: log2 of the most entries of a ring */
#define FAXB_SERIAL		0x040u	/* RO: 32 bytes, NUL-padded */
#define FAXB_SERIAL_LEN		32u
#define FAXB_MODEL		0x060u	/* RO: 32 bytes, NUL-padded */
#define FAXB_MODEL_LEN		32u

/* paper side, engine e: FAXB_Q_SCAN or FAXB_Q_PRINT */
#define FAXB_PAPER(e)		(0x080u + (e) * 0x10u)
#define FAXB_PAPER_COND		0x0u	/* RO: FAXB_COND_* */
#define FAXB_PAPER_WIDTH	0x4u	/* RO: micrometres, 0 = unknown */
#define FAXB_PAPER_HEIGHT	0x8u	/* RO: micrometres, 0 = unknown */

#define FAXB_COND_PAPER_OUT	FAXB_BIT(0)
#define FAXB_COND_JAM		FAXB_BIT(1)
#define FAXB_COND_COVER		FAXB_BIT(2)
#define FAXB_COND_PAPER_LOW	FAXB_BIT(3)
#define FAXB_COND_TONER_LOW	FAXB_BIT(4)
#define FAXB_COND_TONER_OUT	FAXB_BIT(5)
#define FAXB_COND_OUTPUT_FULL	FAXB_BIT(6)
#define FAXB_COND_HOT		FAXB_BIT(7)

/* capabilities, function f: 0 scanner, 1 printer, 2 coder */
#define FAXB_CAPS(f)		(0x100u + (f) * 0x100u)
#define FAXB_CAPS_ENCODINGS	0x00u	/* RO: bits 1 << FAXB_ENC_* */
#define FAXB_CAPS_DECODINGS	0x04u
#define FAXB_CAPS_WIDTH_MIN	0x08u
#define FAXB_CAPS_WIDTH_MAX	0x0cu
#define FAXB_CAPS_ROWS_MAX	0x10u
#define FAXB_CAPS_FMT_FLAGS	0x14u	/* FAXB_FMT_* that are understood */
#define FAXB_CAPS_NWIDTHS	0x18u	/* up to 8; 0 = any */
#define FAXB_CAPS_NRES		0x1cu	/* up to 16; 0 = does not matter */
#define FAXB_CAPS_WIDTHS	0x20u	/* 8 words: pixels at 8 per millimetre */
#define FAXB_CAPS_RES		0x40u	/* 16 pairs: pixels per metre across, rows per metre */
#define FAXB_CAPS_WIDTHS_LEN	8u
#define FAXB_CAPS_RES_LEN	16u

/* queue q */
#define FAXB_QUEUE(q)		(0x400u + (q) * 0x40u)
#define FAXB_Q_SQ_LO		0x00u	/* RW while disabled: bus address of the submission ring */
#define FAXB_Q_SQ_HI		0x04u
#define FAXB_Q_CQ_LO		0x08u	/* RW while disabled: bus address of the completion ring */
#define FAXB_Q_CQ_HI		0x0cu
#define FAXB_Q_LOG2		0x10u	/* RW while disabled: log2 of the entries of both */
#define FAXB_Q_CTRL		0x14u
#define FAXB_Q_CTRL_ENABLE	FAXB_BIT(0)	/* write 1: start with slot 0, lap 0 */
#define FAXB_Q_CTRL_RESET	FAXB_BIT(1)	/* write 1: halt, disable, forget */
#define FAXB_Q_STATUS		0x18u	/* RO */
#define FAXB_Q_STATUS_ENABLED	FAXB_BIT(0)
#define FAXB_Q_STATUS_RESET	FAXB_BIT(1)	/* a reset is going on: DMA may still happen */
#define FAXB_Q_STATUS_BUSY	FAXB_BIT(2)	/* a descriptor is being worked on */
#define FAXB_Q_STATUS_WAITING	FAXB_BIT(3)	/* it waits for people */
#define FAXB_Q_STATUS_ERROR	FAXB_BIT(4)	/* a ring could not be accessed; reset the queue */
#define FAXB_Q_HEAD		0x1cu	/* RO: descriptors taken since ENABLE */
#define FAXB_Q_DONE		0x20u	/* RO: completions written since ENABLE */
#define FAXB_Q_ABORT		0x24u	/* RW: tag of a descriptor to give up, 0 = none */
#define FAXB_Q_ROWS		0x28u	/* RO: rows moved since ENABLE */

#define FAXB_IEEE1284		0x800u	/* RO: device id as IEEE 1284 has it, length first */
#define FAXB_IEEE1284_LEN	0x400u

/* doorbells: a page of their own; any value means "look at the ring" */
#define FAXB_DOORBELL(q)	(0x1000u + (q) * 4u)

#define FAXB_RING_LOG2_MIN	1u
#define FAXB_SQE_SIZE		64u
#define FAXB_CQE_SIZE		32u
#define FAXB_SGE_SIZE		16u

/* submission entry: 16 words */
#define FAXB_SQE_CTRL		0u
#define FAXB_SQE_TAG		1u	/* not 0; handed back */
#define FAXB_SQE_FORMAT		2u
#define FAXB_SQE_WIDTH		3u
#define FAXB_SQE_ROWS		4u
#define FAXB_SQE_STRIDE		5u
#define FAXB_SQE_SEG_ROWS	6u	/* decode, else 0 */
#define FAXB_SQE_XRES		7u	/* scan, print, else 0 */
#define FAXB_SQE_YRES		8u
#define FAXB_SQE_COUNTS		9u	/* stretches: raw | coded << 16 */
#define FAXB_SQE_RAW_LO		10u	/* one stretch: its address; more: of the scatter list */
#define FAXB_SQE_RAW_HI		11u
#define FAXB_SQE_RAW_LEN	12u	/* bytes, all stretches together */
#define FAXB_SQE_CODED_LO	13u
#define FAXB_SQE_CODED_HI	14u
#define FAXB_SQE_CODED_LEN	15u
#define FAXB_SQE_WORDS		16u

#define FAXB_CTRL_OP(c)		((c) & 0xffu)
#define FAXB_OP_SCAN		1u
#define FAXB_OP_PRINT		2u
#define FAXB_OP_ENCODE		3u
#define FAXB_OP_DECODE		4u
#define FAXB_CTRL_FIRST		FAXB_BIT(8)
#define FAXB_CTRL_LAST		FAXB_BIT(9)
#define FAXB_CTRL_NOWAIT	FAXB_BIT(10)
#define FAXB_CTRL_NEW_PAGE	FAXB_BIT(11)
#define FAXB_CTRL_CONTEXT_SHIFT	16u	/* 8 bits */
#define FAXB_CTRL_CONTEXT(c)	(((c) >> FAXB_CTRL_CONTEXT_SHIFT) & 0xffu)
#define FAXB_CTRL_RESERVED	0x7f00f000u
#define FAXB_CTRL_OWN		FAXB_BIT(31)	/* differs from lap to lap: 1 in lap 0 */

#define FAXB_FORMAT_ENC(f)	((f) & 0xffu)
#define FAXB_FORMAT_K_SHIFT	8u	/* 8 bits */
#define FAXB_FORMAT_K(f)	(((f) >> FAXB_FORMAT_K_SHIFT) & 0xffu)
#define FAXB_FORMAT_FLAGS_SHIFT	16u	/* 8 bits */
#define FAXB_FORMAT_FLAGS(f)	(((f) >> FAXB_FORMAT_FLAGS_SHIFT) & 0xffu)
#define FAXB_FORMAT_RESERVED	0xff000000u

#define FAXB_ENC_RAW		0u
#define FAXB_ENC_MH		1u
#define FAXB_ENC_MR		2u
#define FAXB_ENC_MMR		3u
#define FAXB_ENC_ALL		0xfu	/* as bits 1 << FAXB_ENC_* */

#define FAXB_FMT_LSB_FIRST	FAXB_BIT(0)
#define FAXB_FMT_BLACK_IS_0	FAXB_BIT(1)
#define FAXB_FMT_EOL		FAXB_BIT(2)
#define FAXB_FMT_EOL_ALIGN	FAXB_BIT(3)
#define FAXB_FMT_END		FAXB_BIT(4)
#define FAXB_FMT_WHITEN		FAXB_BIT(5)

#define FAXB_WIDTH_MAX		16384u
#define FAXB_ROWS_MAX		65535u	/* of a page and of a descriptor */

#define FAXB_RES_MIN		100u	/* pixels per metre */
#define FAXB_RES_MAX		100000u

/* scatter list entry: address lo, hi, length in bytes, zero */
#define FAXB_SGE_LO		0u
#define FAXB_SGE_HI		1u
#define FAXB_SGE_LEN		2u
#define FAXB_SGE_ZERO		3u

/* completion entry: 8 words, SEQ written last */
#define FAXB_CQE_TAG		0u
#define FAXB_CQE_STATUS		1u
#define FAXB_CQE_ROWS		2u
#define FAXB_CQE_BYTES		3u
#define FAXB_CQE_ROWS_BAD	4u
#define FAXB_CQE_FIRST_BAD	5u
#define FAXB_CQE_BAD_RUN	6u
#define FAXB_CQE_SEQ		7u
#define FAXB_CQE_WORDS		8u

#define FAXB_STATUS_CODE(s)	((int)((s) & 0xff))
#define FAXB_CODE_OK		0
#define FAXB_CODE_PAPER_OUT	1
#define FAXB_CODE_JAM		2
#define FAXB_CODE_COVER		3
#define FAXB_CODE_DMA		4
#define FAXB_CODE_OVERRUN	5
#define FAXB_CODE_UNDERRUN	6
#define FAXB_CODE_BAD_DESC	7
#define FAXB_CODE_CODING	8
#define FAXB_CODE_OUT_FULL	9
#define FAXB_CODE_CANCELED	11
#define FAXB_CODE_TOO_LONG	13
#define FAXB_CODE_TOO_WIDE	14
#define FAXB_DONE_PAGE_END	FAXB_BIT(8)
#define FAXB_DONE_MORE_PAPER	FAXB_BIT(9)
#define FAXB_DONE_SHORT		FAXB_BIT(10)

#define FAXB_SEQ_PHASE		FAXB_BIT(31)	/* differs from lap to lap: 1 in lap 0 */
#define FAXB_SEQ_COUNT		0x7fffffffu	/* completions since ENABLE, this one not counted */

#endif
