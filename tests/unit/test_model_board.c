// SPDX-License-Identifier: LGPL-2.1-or-later
/* The device model of the reference board, driven through its registers and rings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../kernel/model/model.h"

#define TO_DEVICE	1u
#define FROM_DEVICE	2u
#define BOTH		(TO_DEVICE | FROM_DEVICE)

#define LOG2		2u
#define ENTRIES		(1u << LOG2)
#define SQ(q)		(0x100000000ull + (q) * 0x10000ull)
#define CQ(q)		(SQ(q) + 0x8000)
#define SOME_BUS	0x700000000ull

struct window {
	u64 addr;
	u8 *mem;
	size_t len;
	u32 dir;
};

/* A driver of a few lines, and the owner of the hardware, in one. */
struct rig {
	struct fm_board *board;
	struct window win[32];
	u32 nwin;
	u32 tail[FAXB_QUEUES];
	u32 head[FAXB_QUEUES];
	u32 next_tag;
	u32 interrupts;
	u32 faults;		/* refused DMA */
	/* paper */
	struct fm_sheet sheet;
	u32 sheets;
	u8 *pixels;
	u32 wait_rows;		/* scan_row() says FM_WAIT this often */
	u32 scan_code;
	u32 print_code;
	u32 load_code;
	u32 released;
	u32 ejected;
	u32 loaded;
	u32 printed;
	u8 tray[64][FAXB_WIDTH_MAX / 8];
	u32 tray_bytes;
};

static struct rig *rig;

static struct window *find(u64 addr, u32 len, u32 dir)
{
	for (u32 i = 0; i < rig->nwin; i++) {
		struct window *w = &rig->win[i];

		if (addr >= w->addr && len <= w->len && addr - w->addr <= w->len - len &&
		    w->dir & dir)
			return w;
	}
	rig->faults++;
	return NULL;
}

static int rig_read(void *owner, u64 addr, void *buf, u32 len)
{
	struct window *w = find(addr, len, TO_DEVICE);

	if (!w)
		return -EFAULT;
	memcpy(buf, w->mem + (addr - w->addr), len);
	return 0;
}

static int rig_write(void *owner, u64 addr, const void *buf, u32 len)
{
	struct window *w = find(addr, len, FROM_DEVICE);

	if (!w)
		return -EFAULT;
	memcpy(w->mem + (addr - w->addr), buf, len);
	return 0;
}

static void rig_interrupt(void *owner)
{
	rig->interrupts++;
}

static void rig_doorbell(void *owner)
{
}

static int rig_original(void *owner, struct fm_sheet *sheet)
{
	*sheet = rig->sheet;
	if (rig->scan_code)
		return rig->scan_code;
	return rig->sheets ? FAXB_CODE_OK : FAXB_CODE_PAPER_OUT;
}

static int rig_feed(void *owner)
{
	rig->sheets--;
	return FAXB_CODE_OK;
}

static const u8 *rig_scan_row(void *owner, u32 row, int *code)
{
	assert_in_range(row, 0, rig->sheet.rows - 1);
	if (rig->wait_rows) {
		rig->wait_rows--;
		*code = FM_WAIT;
		return NULL;
	}
	*code = rig->scan_code;
	return *code ? NULL : rig->pixels + row * ((rig->sheet.width + 7) / 8);
}

static void rig_release(void *owner)
{
	rig->released++;
}

static bool rig_more(void *owner)
{
	return rig->sheets > 0;
}

static int rig_ready(void *owner)
{
	return rig->print_code;
}

static int rig_load(void *owner, u32 width, u32 xres, u32 yres)
{
	if (rig->load_code)
		return rig->load_code;
	rig->tray_bytes = (width + 7) / 8;
	rig->loaded++;
	return FAXB_CODE_OK;
}

static int rig_print_row(void *owner, const u8 *row)
{
	if (rig->print_code)
		return rig->print_code;
	assert_in_range(rig->printed, 0, 63);
	memcpy(rig->tray[rig->printed++], row, rig->tray_bytes);
	return FAXB_CODE_OK;
}

static void rig_eject(void *owner)
{
	rig->ejected++;
}

static const struct fm_owner_ops rig_ops = {
	.read = rig_read,
	.write = rig_write,
	.interrupt = rig_interrupt,
	.doorbell = rig_doorbell,
	.original = rig_original,
	.feed = rig_feed,
	.scan_row = rig_scan_row,
	.release = rig_release,
	.more = rig_more,
	.ready = rig_ready,
	.load = rig_load,
	.print_row = rig_print_row,
	.eject = rig_eject,
};

static u32 rd(u32 reg)
{
	return fm_read32(rig->board, reg);
}

static void wr(u32 reg, u32 val)
{
	fm_write32(rig->board, reg, val);
}

static u8 *map_at(u64 addr, size_t len, u32 dir)
{
	struct window *w = &rig->win[rig->nwin++];

	assert_in_range(rig->nwin, 1, 32);
	*w = (struct window){ addr, calloc(1, len), len, dir };
	assert_non_null(w->mem);
	return w->mem;
}

static struct window *map(size_t len, u32 dir)
{
	map_at(SOME_BUS + rig->nwin * 0x10000000ull, len, dir);
	return &rig->win[rig->nwin - 1];
}

static int run(void)
{
	int ret;

	for (u32 i = 0; i < 100000; i++) {
		ret = fm_run(rig->board);
		if (ret != FM_MORE)
			return ret;
	}
	fail_msg("the board never comes to rest");
	return FM_MORE;
}

static u8 *ring(u64 addr)
{
	for (u32 i = 0; i < rig->nwin; i++)
		if (rig->win[i].addr == addr)
			return rig->win[i].mem;
	fail();
	return NULL;
}

static void put32(u8 *p, u32 v)
{
	for (u32 i = 0; i < 4; i++)
		p[i] = v >> 8 * i & 0xff;
}

static u32 get32(const u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

static void enable(u32 q)
{
	u32 r = FAXB_QUEUE(q);

	memset(ring(SQ(q)), 0, ENTRIES * FAXB_SQE_SIZE);
	memset(ring(CQ(q)), 0, ENTRIES * FAXB_CQE_SIZE);
	wr(r + FAXB_Q_SQ_LO, (u32)SQ(q));
	wr(r + FAXB_Q_SQ_HI, SQ(q) >> 32);
	wr(r + FAXB_Q_CQ_LO, (u32)CQ(q));
	wr(r + FAXB_Q_CQ_HI, CQ(q) >> 32);
	wr(r + FAXB_Q_LOG2, LOG2);
	wr(r + FAXB_Q_CTRL, FAXB_Q_CTRL_ENABLE);
	rig->tail[q] = 0;
	rig->head[q] = 0;
	assert_int_equal(rd(r + FAXB_Q_STATUS), FAXB_Q_STATUS_ENABLED);
}

static int setup(void **state)
{
	struct fm_identity id = { "model-x", "4711", "MFG:x;MDL:y;" };

	rig = calloc(1, sizeof(*rig));
	rig->board = malloc(sizeof(*rig->board));
	rig->next_tag = 1;
	assert_int_equal(fm_init(rig->board, &id, &rig_ops, rig), 0);
	for (u32 q = 0; q < FAXB_QUEUES; q++) {
		map_at(SQ(q), ENTRIES * FAXB_SQE_SIZE, TO_DEVICE);
		map_at(CQ(q), ENTRIES * FAXB_CQE_SIZE, FROM_DEVICE);
		enable(q);
	}
	wr(FAXB_INT_ENABLE, FAXB_INT_ALL);
	return 0;
}

static int teardown(void **state)
{
	for (u32 i = 0; i < rig->nwin; i++)
		free(rig->win[i].mem);
	free(rig->pixels);
	free(rig->board);
	free(rig);
	return 0;
}

/* Put a descriptor in the ring, without the doorbell. */
static u32 push(u32 q, const u32 *sqe)
{
	u32 slot = rig->tail[q] % ENTRIES;
	u8 *p = ring(SQ(q)) + slot * FAXB_SQE_SIZE;
	u32 own = rig->tail[q] / ENTRIES % 2 ? 0 : FAXB_CTRL_OWN;

	for (u32 i = 1; i < FAXB_SQE_WORDS; i++)
		put32(p + 4 * i, sqe[i]);
	put32(p, sqe[0] | own);
	rig->tail[q]++;
	return sqe[FAXB_SQE_TAG];
}

/* Take the next completion; false if there is none. */
static bool reap(u32 q, u32 *cqe)
{
	u32 slot = rig->head[q] % ENTRIES;
	const u8 *p = ring(CQ(q)) + slot * FAXB_CQE_SIZE;
	u32 phase = rig->head[q] / ENTRIES % 2 ? 0 : FAXB_SEQ_PHASE;

	for (u32 i = 0; i < FAXB_CQE_WORDS; i++)
		cqe[i] = get32(p + 4 * i);
	if (cqe[FAXB_CQE_SEQ] != (phase | rig->head[q]))
		return false;
	rig->head[q]++;
	return true;
}

static int submit(u32 q, const u32 *sqe)
{
	push(q, sqe);
	wr(FAXB_DOORBELL(q), 1);
	return run();
}

/* Submit, and expect it to be done; returns the code. */
static u32 do_it(u32 q, const u32 *sqe, u32 *cqe)
{
	u32 own[FAXB_CQE_WORDS];

	cqe = cqe ? cqe : own;
	submit(q, sqe);
	assert_true(reap(q, cqe));
	assert_int_equal(cqe[FAXB_CQE_TAG], sqe[FAXB_SQE_TAG]);
	return FAXB_STATUS_CODE(cqe[FAXB_CQE_STATUS]);
}

static void raw_side(u32 *sqe, u64 addr, u32 len)
{
	sqe[FAXB_SQE_COUNTS] |= 1;
	sqe[FAXB_SQE_RAW_LO] = (u32)addr;
	sqe[FAXB_SQE_RAW_HI] = addr >> 32;
	sqe[FAXB_SQE_RAW_LEN] = len;
}

static void coded_side(u32 *sqe, u64 addr, u32 len)
{
	sqe[FAXB_SQE_COUNTS] |= 1 << 16;
	sqe[FAXB_SQE_CODED_LO] = (u32)addr;
	sqe[FAXB_SQE_CODED_HI] = addr >> 32;
	sqe[FAXB_SQE_CODED_LEN] = len;
}

static void base(u32 *sqe, u32 op, u32 flags, u32 width, u32 rows)
{
	memset(sqe, 0, FAXB_SQE_SIZE);
	sqe[FAXB_SQE_CTRL] = op | flags;
	sqe[FAXB_SQE_TAG] = rig->next_tag++;
	sqe[FAXB_SQE_WIDTH] = width;
	sqe[FAXB_SQE_ROWS] = rows;
	sqe[FAXB_SQE_STRIDE] = (width + 7) / 8;
	if (op == FAXB_OP_SCAN || op == FAXB_OP_PRINT) {
		sqe[FAXB_SQE_XRES] = 8000;
		sqe[FAXB_SQE_YRES] = 7700;
	} else {
		sqe[FAXB_SQE_FORMAT] = FAXB_ENC_MMR;
	}
}

/* Something that looks a little like a page: runs that drift from row to row. */
static void draw(u8 *p, u32 width, u32 rows, u32 seed)
{
	u32 bytes = (width + 7) / 8;

	memset(p, 0, (size_t)bytes * rows);
	for (u32 y = 0; y < rows; y++)
		for (u32 x = 0; x < width; x++)
			if ((x + y / 3 + seed) % 37 < 5 + y % 7 || (x * seed + y) % 211 == 0)
				p[y * bytes + x / 8] |= 0x80 >> x % 8;
}

static size_t code_directly(const u8 *pixels, u32 width, u32 rows, u32 flags, u8 *out, size_t room)
{
	struct t4_params p = { .width = width, .coding = T4_MMR, .flags = (u16)flags };
	struct t4_encoder *e = malloc(sizeof(*e));
	size_t made, end;
	u32 taken;

	assert_int_equal(t4_encoder_init(e, &p), 0);
	assert_int_equal(t4_encode(e, pixels, (width + 7) / 8, rows, &taken, out, room, &made),
			 T4_OK);
	assert_int_equal(t4_encode_end(e, out + made, room - made, &end), T4_DONE);
	free(e);
	return made + end;
}

static void identity(void **state)
{
	char id[64];

	assert_int_equal(rd(FAXB_ID), FAXB_ID_VALUE);
	assert_int_equal(rd(FAXB_VERSION) >> 16, FAXB_VERSION_MAJOR);
	assert_int_equal(rd(FAXB_FEATURES), 0xf);
	assert_int_equal(rd(FAXB_MAX_SG), FM_MAX_SG);
	assert_int_equal(rd(FAXB_SERIAL), '4' | '7' << 8 | '1' << 16 | (u32)'1' << 24);
	assert_int_equal(rd(FAXB_CAPS(0) + FAXB_CAPS_WIDTHS), 1728);
	assert_int_equal(rd(FAXB_CAPS(2) + FAXB_CAPS_DECODINGS), 0xe);
	for (u32 i = 0; i < sizeof(id); i += 4)
		put32((u8 *)id + i, rd(FAXB_IEEE1284 + i));
	assert_int_equal(id[0] << 8 | id[1], 2 + strlen("MFG:x;MDL:y;"));
	assert_string_equal(id + 2, "MFG:x;MDL:y;");
	/* nothing there, not aligned, not writable */
	assert_int_equal(rd(0x8000), 0);
	assert_int_equal(rd(FAXB_ID + 1), 0);
	wr(FAXB_ID, 0);
	assert_int_equal(rd(FAXB_ID), FAXB_ID_VALUE);
}

static void encode_then_decode(void **state)
{
	enum { W = 1723, H = 300, B = (W + 7) / 8, STRIDE = 256 };
	struct window *raw = map(STRIDE * H, TO_DEVICE), *coded = map(65536, BOTH);
	struct window *back = map(STRIDE * H, FROM_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];
	u8 *page = malloc(B * H), *direct = malloc(65536);
	size_t len;

	draw(page, W, H, 3);
	for (u32 y = 0; y < H; y++)
		memcpy(raw->mem + y * STRIDE, page + y * B, B);
	memset(back->mem, 0xa5, back->len);
	len = code_directly(page, W, H, T4_F_END, direct, 65536);

	base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, W, H);
	sqe[FAXB_SQE_STRIDE] = STRIDE;
	sqe[FAXB_SQE_FORMAT] |= FAXB_FMT_END << FAXB_FORMAT_FLAGS_SHIFT;
	raw_side(sqe, raw->addr, STRIDE * (H - 1) + B);
	coded_side(sqe, coded->addr, 65536);
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], H);
	assert_int_equal(cqe[FAXB_CQE_BYTES], len);
	assert_memory_equal(coded->mem, direct, len);

	base(sqe, FAXB_OP_DECODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, W, H);
	sqe[FAXB_SQE_STRIDE] = STRIDE;
	sqe[FAXB_SQE_SEG_ROWS] = H;
	raw_side(sqe, back->addr, STRIDE * H);
	coded_side(sqe, coded->addr, len);
	assert_int_equal(do_it(FAXB_Q_DECODE, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], H);
	assert_int_equal(cqe[FAXB_CQE_ROWS_BAD], 0);
	assert_int_equal(cqe[FAXB_CQE_FIRST_BAD], ~0u);
	for (u32 y = 0; y < H; y++) {
		assert_memory_equal(back->mem + y * STRIDE, page + y * B, B);
		/* the gap behind a row is not the board's */
		assert_int_equal(back->mem[y * STRIDE + B], 0xa5);
	}
	assert_int_equal(rig->faults, 0);
	free(page);
	free(direct);
}

/* Output a few bytes at a time: the same bytes, the end code cut as well. */
static void encode_resumes(void **state)
{
	enum { W = 400, H = 40, B = W / 8, PIECE = 7 };
	struct window *raw = map(B * H, TO_DEVICE), *coded = map(16384, FROM_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS], row = 0, at = 0, full = 0, code;
	u8 *direct = malloc(16384);
	size_t len;

	draw(raw->mem, W, H, 5);
	len = code_directly(raw->mem, W, H, T4_F_END, direct, 16384);
	do {
		u32 rows = H - row;

		base(sqe, FAXB_OP_ENCODE, (at ? 0 : FAXB_CTRL_FIRST) | FAXB_CTRL_LAST, W, rows);
		sqe[FAXB_SQE_FORMAT] |= FAXB_FMT_END << FAXB_FORMAT_FLAGS_SHIFT;
		if (rows)
			raw_side(sqe, raw->addr + row * B, rows * B);
		coded_side(sqe, coded->addr + at, PIECE);
		code = do_it(FAXB_Q_ENCODE, sqe, cqe);
		row += cqe[FAXB_CQE_ROWS];
		at += cqe[FAXB_CQE_BYTES];
		full += code == FAXB_CODE_OUT_FULL;
		assert_in_range(at, 0, 16384 - PIECE);
	} while (code == FAXB_CODE_OUT_FULL);
	assert_int_equal(code, FAXB_CODE_OK);
	assert_int_equal(row, H);
	assert_int_equal(at, len);
	assert_int_equal(full, (len - 1) / PIECE);
	assert_memory_equal(coded->mem, direct, len);
	assert_int_equal(rig->faults, 0);
	free(direct);
}

/* Bands of rows out of pieces of code, through scatter lists cut at odd places. */
static void decode_in_bands(void **state)
{
	enum { W = 1728, H = 200, B = W / 8, BAND = 33, PIECE = 301 };
	struct window *raw = map(B * H, FROM_DEVICE), *coded = map(32768, TO_DEVICE);
	struct window *list = map(64 * FAXB_SGE_SIZE, TO_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS], row = 0, at = 0, n;
	u8 *page = malloc(B * H);
	bool end;
	size_t len;

	draw(page, W, H, 7);
	len = code_directly(page, W, H, 0, coded->mem, 32768);
	do {
		u32 rows = BAND < H - row ? BAND : H - row;
		u32 piece = PIECE < len - at ? PIECE : len - at;
		u32 flags = (row || at ? 0 : FAXB_CTRL_FIRST) |
			    (at + piece == len ? FAXB_CTRL_LAST : 0);
		u64 addr = raw->addr + row * B;

		base(sqe, FAXB_OP_DECODE, flags, W, rows);
		sqe[FAXB_SQE_SEG_ROWS] = H;
		for (n = 0; n < 64 && rows * B > 97 * n; n++) {
			u8 *e = list->mem + n * FAXB_SGE_SIZE;

			put32(e, (u32)(addr + 97 * n));
			put32(e + 4, addr >> 32);
			put32(e + 8, rows * B - 97 * n < 97 || n == 63 ? rows * B - 97 * n : 97);
		}
		raw_side(sqe, n > 1 ? list->addr : addr, rows * B);
		sqe[FAXB_SQE_COUNTS] = n ? n : 0;
		if (piece)
			coded_side(sqe, coded->addr + at, piece);
		assert_int_equal(do_it(FAXB_Q_DECODE, sqe, cqe), FAXB_CODE_OK);
		row += cqe[FAXB_CQE_ROWS];
		at += cqe[FAXB_CQE_BYTES];
		end = cqe[FAXB_CQE_STATUS] & FAXB_DONE_PAGE_END;
		assert_true(end || cqe[FAXB_CQE_ROWS] || cqe[FAXB_CQE_BYTES]);
	} while (!end);
	assert_int_equal(row, H);
	assert_memory_equal(raw->mem, page, B * H);
	assert_int_equal(rig->faults, 0);
	free(page);
}

static void decode_damage(void **state)
{
	struct window *raw = map(216 * 10, FROM_DEVICE), *coded = map(8, TO_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];

	/* one vertical mode code (a white row), then horizontal mode without a run */
	memcpy(coded->mem, "\x90\x00\x00\xff\xff\xff\xff\xff", 8);
	base(sqe, FAXB_OP_DECODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 1728, 10);
	sqe[FAXB_SQE_SEG_ROWS] = 10;
	raw_side(sqe, raw->addr, 2160);
	coded_side(sqe, coded->addr, 8);
	assert_int_equal(do_it(FAXB_Q_DECODE, sqe, cqe), FAXB_CODE_CODING);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 1);
	/* what failed does not go on */
	base(sqe, FAXB_OP_DECODE, FAXB_CTRL_LAST, 1728, 9);
	sqe[FAXB_SQE_SEG_ROWS] = 10;
	raw_side(sqe, raw->addr, 2160);
	assert_int_equal(do_it(FAXB_Q_DECODE, sqe, cqe), FAXB_CODE_CODING);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 0);

	/* fewer rows than the segment was to have */
	coded->mem[0] = 0xc0;
	base(sqe, FAXB_OP_DECODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 1728, 10);
	sqe[FAXB_SQE_SEG_ROWS] = 10;
	raw_side(sqe, raw->addr, 2160);
	coded_side(sqe, coded->addr, 1);
	assert_int_equal(do_it(FAXB_Q_DECODE, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_STATUS] & ~0xffu, FAXB_DONE_PAGE_END | FAXB_DONE_SHORT);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 2);
}

static void contexts_interleave(void **state)
{
	enum { W = 640, H = 64, B = W / 8, BAND = 16 };
	struct window *raw[2], *coded[2];
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS], at[2] = { 0 };
	u8 *direct = malloc(32768);
	size_t len;

	for (u32 c = 0; c < 2; c++) {
		raw[c] = map(B * H, TO_DEVICE);
		coded[c] = map(32768, FROM_DEVICE);
		draw(raw[c]->mem, W, H, 11 + c);
	}
	for (u32 row = 0; row < H; row += BAND) {
		for (u32 c = 0; c < 2; c++) {
			base(sqe, FAXB_OP_ENCODE, (row ? 0 : FAXB_CTRL_FIRST) |
			     (row + BAND == H ? FAXB_CTRL_LAST : 0) |
			     (c ? 15u : 4u) << FAXB_CTRL_CONTEXT_SHIFT, W, BAND);
			raw_side(sqe, raw[c]->addr + row * B, BAND * B);
			coded_side(sqe, coded[c]->addr + at[c], 32768 - at[c]);
			assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_OK);
			at[c] += cqe[FAXB_CQE_BYTES];
		}
	}
	for (u32 c = 0; c < 2; c++) {
		len = code_directly(raw[c]->mem, W, H, 0, direct, 32768);
		assert_int_equal(at[c], len);
		assert_memory_equal(coded[c]->mem, direct, len);
	}
	/* an encoder's context is no decoder's */
	base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST, W, 1);
	raw_side(sqe, raw[0]->addr, B);
	coded_side(sqe, coded[0]->addr, 1000);
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_OK);
	base(sqe, FAXB_OP_DECODE, 0, W, 1);
	raw_side(sqe, coded[0]->addr, B);
	coded_side(sqe, raw[0]->addr, 1);
	assert_int_equal(do_it(FAXB_Q_DECODE, sqe, cqe), FAXB_CODE_BAD_DESC);
	free(direct);
}

static void lay_original(u32 width, u32 rows, u32 xres, u32 yres, u32 count)
{
	rig->sheet = (struct fm_sheet){ width, rows, xres, yres };
	rig->sheets = count;
	free(rig->pixels);
	rig->pixels = malloc((width + 7) / 8 * rows);
	draw(rig->pixels, width, rows, 13);
}

static void scan_sqe(u32 *sqe, struct window *raw, u32 flags, u32 width, u32 rows)
{
	base(sqe, FAXB_OP_SCAN, flags, width, rows);
	raw_side(sqe, raw->addr, (width + 7) / 8 * rows);
}

static void scan_pages(void **state)
{
	enum { W = 1728, H = 150, B = W / 8 };
	struct window *raw = map(B * 300, FROM_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];

	lay_original(W, H, 8000, 7700, 2);
	scan_sqe(sqe, raw, FAXB_CTRL_FIRST | FAXB_CTRL_NEW_PAGE, W, 100);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 100);
	assert_int_equal(cqe[FAXB_CQE_STATUS] & FAXB_DONE_PAGE_END, 0);
	assert_memory_equal(raw->mem, rig->pixels, 100 * B);

	scan_sqe(sqe, raw, 0, W, 100);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 50);
	assert_int_equal(cqe[FAXB_CQE_STATUS] & ~0xffu,
			 FAXB_DONE_PAGE_END | FAXB_DONE_MORE_PAPER);
	assert_memory_equal(raw->mem, rig->pixels + 100 * B, 50 * B);

	/* the page has passed */
	scan_sqe(sqe, raw, 0, W, 100);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 0);
	assert_true(cqe[FAXB_CQE_STATUS] & FAXB_DONE_PAGE_END);

	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, W, 200);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], H);
	assert_int_equal(cqe[FAXB_CQE_STATUS] & ~0xffu, FAXB_DONE_PAGE_END);
	/* each has left the scanning line with its last row */
	assert_int_equal(rig->released, 2);
}

static void scan_formats(void **state)
{
	struct window *raw = map(256 * 400, FROM_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];

	/* narrower: white at the right, pad bits too */
	lay_original(1001, 4, 8000, 7700, 1);
	memset(rig->pixels, 0xff, 126 * 4);
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 1728, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 4);
	assert_int_equal(raw->mem[124], 0xff);
	assert_int_equal(raw->mem[125], 0x80);
	assert_int_equal(raw->mem[126], 0);

	/* wider: it stays in the feeder, and another format takes it */
	lay_original(2048, 4, 8000, 7700, 1);
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 1728, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_TOO_WIDE);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 0);
	assert_int_equal(rig->sheets, 1);
	scan_sqe(sqe, raw, 0, 1728, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_TOO_WIDE);
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 2048, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	assert_memory_equal(raw->mem, rig->pixels, 4 * 256);

	/* twice as fine: each pixel twice, each row twice */
	lay_original(8, 2, 4000, 3850, 1);
	rig->pixels[0] = 0xa1;
	rig->pixels[1] = 0x0f;
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 16, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 4);
	assert_memory_equal(raw->mem, "\xcc\x03\xcc\x03\x00\xff\x00\xff", 8);

	/* half as fine in rows, and the other polarity */
	lay_original(8, 4, 8000, 15400, 1);
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 8, 8);
	sqe[FAXB_SQE_FORMAT] = FAXB_FMT_BLACK_IS_0 << FAXB_FORMAT_FLAGS_SHIFT;
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 2);
	assert_int_equal(raw->mem[0], (u8)~rig->pixels[1]);
	assert_int_equal(raw->mem[1], (u8)~rig->pixels[3]);

	/* longer than a page can be */
	lay_original(8, 60000, 8000, 3850, 1);
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 8, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_TOO_LONG);
	assert_int_equal(rig->faults, 0);
}

static void scan_waits(void **state)
{
	struct window *raw = map(216 * 100, FROM_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];

	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE | FAXB_CTRL_NOWAIT, 1728, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_PAPER_OUT);

	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 1728, 80);
	assert_int_equal(submit(FAXB_Q_SCAN, sqe), FM_WAITING);
	assert_false(reap(FAXB_Q_SCAN, cqe));
	assert_int_equal(rd(FAXB_QUEUE(FAXB_Q_SCAN) + FAXB_Q_STATUS),
			 FAXB_Q_STATUS_ENABLED | FAXB_Q_STATUS_BUSY | FAXB_Q_STATUS_WAITING);
	assert_true(rd(FAXB_INT_STATUS) & FAXB_INT_COND_SCAN);
	wr(FAXB_INT_STATUS, FAXB_INT_ALL);
	assert_int_equal(run(), FM_WAITING);
	assert_int_equal(rd(FAXB_INT_STATUS), 0);
	lay_original(1728, 80, 8000, 7700, 1);
	/* an engine that takes its time waits for nobody */
	rig->wait_rows = 3;
	assert_int_equal(run(), FM_WAITING);
	assert_int_equal(rd(FAXB_QUEUE(FAXB_Q_SCAN) + FAXB_Q_STATUS),
			 FAXB_Q_STATUS_ENABLED | FAXB_Q_STATUS_BUSY);
	assert_int_equal(rd(FAXB_INT_STATUS), FAXB_INT_COND_SCAN);
	while (run() == FM_WAITING)
		;
	assert_true(reap(FAXB_Q_SCAN, cqe));
	assert_int_equal(cqe[FAXB_CQE_ROWS], 80);
	assert_int_equal(rd(FAXB_QUEUE(FAXB_Q_SCAN) + FAXB_Q_ROWS), 80);
	assert_memory_equal(raw->mem, rig->pixels, 80 * 216);

	/* a jam under way is an error, and stays one until the next page */
	rig->sheets = 1;
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 1728, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
	rig->scan_code = FAXB_CODE_JAM;
	scan_sqe(sqe, raw, 0, 1728, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_JAM);
	rig->scan_code = 0;
	scan_sqe(sqe, raw, 0, 1728, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_JAM);
	rig->sheets = 1;
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 1728, 8);
	assert_int_equal(do_it(FAXB_Q_SCAN, sqe, cqe), FAXB_CODE_OK);
}

static void print_sqe(u32 *sqe, struct window *raw, u32 flags, u32 width, u32 rows)
{
	base(sqe, FAXB_OP_PRINT, flags, width, rows);
	if (rows)
		raw_side(sqe, raw->addr, (width + 7) / 8 * rows);
}

static void print_page(void **state)
{
	enum { W = 1725, B = (W + 7) / 8 };
	struct window *raw = map(B * 60, TO_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];

	draw(raw->mem, W, 60, 17);
	/* without a page there is nothing to go on with */
	print_sqe(sqe, raw, 0, W, 1);
	assert_int_equal(do_it(FAXB_Q_PRINT, sqe, cqe), FAXB_CODE_BAD_DESC);

	rig->print_code = FAXB_CODE_PAPER_OUT;
	print_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE | FAXB_CTRL_NOWAIT, W, 30);
	assert_int_equal(do_it(FAXB_Q_PRINT, sqe, cqe), FAXB_CODE_PAPER_OUT);
	print_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, W, 30);
	assert_int_equal(submit(FAXB_Q_PRINT, sqe), FM_WAITING);
	rig->print_code = 0;
	assert_int_equal(run(), FM_IDLE);
	assert_true(reap(FAXB_Q_PRINT, cqe));
	assert_int_equal(cqe[FAXB_CQE_ROWS], 30);

	print_sqe(sqe, raw, 0, W + 1, 1);
	assert_int_equal(do_it(FAXB_Q_PRINT, sqe, cqe), FAXB_CODE_BAD_DESC);
	print_sqe(sqe, raw, 0, W, 20);
	assert_int_equal(do_it(FAXB_Q_PRINT, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(rig->ejected, 0);
	print_sqe(sqe, raw, FAXB_CTRL_LAST, W, 0);
	assert_int_equal(do_it(FAXB_Q_PRINT, sqe, cqe), FAXB_CODE_OK);
	assert_int_equal(rig->loaded, 1);
	assert_int_equal(rig->ejected, 1);
	assert_int_equal(rig->printed, 50);
	assert_int_equal(rd(FAXB_QUEUE(FAXB_Q_PRINT) + FAXB_Q_ROWS), 50);

	/* a jam that was there is waited for; one on the way in is this page's */
	rig->print_code = FAXB_CODE_JAM;
	print_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, W, 30);
	assert_int_equal(submit(FAXB_Q_PRINT, sqe), FM_WAITING);
	rig->print_code = 0;
	rig->load_code = FAXB_CODE_JAM;
	assert_int_equal(run(), FM_IDLE);
	assert_true(reap(FAXB_Q_PRINT, cqe));
	assert_int_equal(FAXB_STATUS_CODE(cqe[FAXB_CQE_STATUS]), FAXB_CODE_JAM);
	assert_int_equal(rig->printed, 50);
	for (u32 y = 0; y < 50; y++)
		assert_memory_equal(rig->tray[y], raw->mem + (y % 30) * B, B);
}

/* Each of these words in a descriptor that is good otherwise makes it refused. */
static void bad_descriptors(void **state)
{
	static const struct {
		const char *name;
		u32 q;
		u32 word;
		u32 val;
	} cases[] = {
		{ "other queue's operation", FAXB_Q_ENCODE, FAXB_SQE_CTRL, FAXB_OP_DECODE | 0x300 },
		{ "operation 0", FAXB_Q_ENCODE, FAXB_SQE_CTRL, 0x300 },
		{ "reserved control bit", FAXB_Q_ENCODE, FAXB_SQE_CTRL, FAXB_OP_ENCODE | 0x1300 },
		{ "high reserved bit", FAXB_Q_ENCODE, FAXB_SQE_CTRL, FAXB_OP_ENCODE | 0x40000300 },
		{ "context too high", FAXB_Q_ENCODE, FAXB_SQE_CTRL, FAXB_OP_ENCODE | 0x100300 },
		{ "coder told to feed", FAXB_Q_ENCODE, FAXB_SQE_CTRL, FAXB_OP_ENCODE | 0xb00 },
		{ "context not begun", FAXB_Q_ENCODE, FAXB_SQE_CTRL, FAXB_OP_ENCODE | 0x50200 },
		{ "tag 0", FAXB_Q_ENCODE, FAXB_SQE_TAG, 0 },
		{ "raw encoding", FAXB_Q_ENCODE, FAXB_SQE_FORMAT, FAXB_ENC_RAW },
		{ "unknown encoding", FAXB_Q_ENCODE, FAXB_SQE_FORMAT, 4 },
		{ "reserved format bits", FAXB_Q_ENCODE, FAXB_SQE_FORMAT, 0x01000003 },
		{ "flag of decoding", FAXB_Q_ENCODE, FAXB_SQE_FORMAT, 0x00200003 },
		{ "unknown flag", FAXB_Q_ENCODE, FAXB_SQE_FORMAT, 0x00400003 },
		{ "width 0", FAXB_Q_ENCODE, FAXB_SQE_WIDTH, 0 },
		{ "too wide", FAXB_Q_ENCODE, FAXB_SQE_WIDTH, FAXB_WIDTH_MAX + 1 },
		{ "width beyond belief", FAXB_Q_ENCODE, FAXB_SQE_WIDTH, 0xffffffff },
		{ "too many rows", FAXB_Q_ENCODE, FAXB_SQE_ROWS, 65536 },
		{ "more rows than memory", FAXB_Q_ENCODE, FAXB_SQE_ROWS, 9 },
		{ "stride below a row", FAXB_Q_ENCODE, FAXB_SQE_STRIDE, 7 },
		{ "stride beyond memory", FAXB_Q_ENCODE, FAXB_SQE_STRIDE, 0xfffffff0 },
		{ "segment rows", FAXB_Q_ENCODE, FAXB_SQE_SEG_ROWS, 1 },
		{ "resolution", FAXB_Q_ENCODE, FAXB_SQE_XRES, 8000 },
		{ "no raw side", FAXB_Q_ENCODE, FAXB_SQE_COUNTS, 1 << 16 },
		{ "too many stretches", FAXB_Q_ENCODE, FAXB_SQE_COUNTS, 1 << 16 | 129 },
		{ "empty raw side", FAXB_Q_ENCODE, FAXB_SQE_RAW_LEN, 0 },
		{ "empty coded side", FAXB_Q_ENCODE, FAXB_SQE_CODED_LEN, 0 },
		{ "K in decoding", FAXB_Q_DECODE, FAXB_SQE_FORMAT, 0x00000403 },
		{ "end in decoding", FAXB_Q_DECODE, FAXB_SQE_FORMAT, 0x00100003 },
		{ "segment too long", FAXB_Q_DECODE, FAXB_SQE_SEG_ROWS, 65536 },
		{ "coded scan", FAXB_Q_SCAN, FAXB_SQE_FORMAT, FAXB_ENC_MH },
		{ "scan without resolution", FAXB_Q_SCAN, FAXB_SQE_XRES, 0 },
		{ "scan too fine", FAXB_Q_SCAN, FAXB_SQE_YRES, FAXB_RES_MAX + 1 },
		{ "scan too coarse", FAXB_Q_SCAN, FAXB_SQE_XRES, FAXB_RES_MIN - 1 },
		{ "scan with context", FAXB_Q_SCAN, FAXB_SQE_CTRL, FAXB_OP_SCAN | 0x10800 },
		{ "scan with code", FAXB_Q_SCAN, FAXB_SQE_COUNTS, 1 << 16 | 1 },
		{ "print without sheet", FAXB_Q_PRINT, FAXB_SQE_CTRL, FAXB_OP_PRINT },
	};
	struct window *raw = map(64, BOTH), *coded = map(64, BOTH);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];

	lay_original(64, 8, 8000, 7700, 1000);
	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u32 q = cases[i].q;
		u32 flags = q >= FAXB_Q_ENCODE ? FAXB_CTRL_FIRST | FAXB_CTRL_LAST :
						 FAXB_CTRL_NEW_PAGE;

		for (u32 good = 0; good < 2; good++) {
			base(sqe, q + 1, flags, 64, 8);
			raw_side(sqe, raw->addr, 64);
			if (q >= FAXB_Q_ENCODE)
				coded_side(sqe, coded->addr, 64);
			if (!good)
				sqe[cases[i].word] = cases[i].val;
			submit(q, sqe);
			assert_true(reap(q, cqe));
			if (!good && FAXB_STATUS_CODE(cqe[FAXB_CQE_STATUS]) != FAXB_CODE_BAD_DESC)
				fail_msg("%s: code %d", cases[i].name,
					 FAXB_STATUS_CODE(cqe[FAXB_CQE_STATUS]));
			if (good)
				assert_int_not_equal(FAXB_STATUS_CODE(cqe[FAXB_CQE_STATUS]),
						     FAXB_CODE_BAD_DESC);
		}
	}
	assert_int_equal(rig->faults, 0);
}

static void dma_errors(void **state)
{
	struct window *in = map(64, TO_DEVICE), *out = map(4096, FROM_DEVICE);
	struct window *list = map(4 * FAXB_SGE_SIZE, TO_DEVICE);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];
	u64 nowhere = 0x123456000ull;
	struct {
		u64 raw;
		u64 coded;
	} cases[] = {
		{ nowhere, out->addr },
		{ in->addr, nowhere },
		{ out->addr, out->addr },	/* cannot be read */
		{ in->addr, in->addr },		/* cannot be written */
		{ in->addr + 8, out->addr },	/* ends too early */
		{ 0xffffffffffffffe0ull, out->addr },
	};

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig->faults = 0;
		base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 64, 8);
		raw_side(sqe, cases[i].raw, 64);
		coded_side(sqe, cases[i].coded, 64);
		assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_DMA);
		assert_int_equal(rig->faults, 1);
	}
	/* a list that is not there, one that is not aligned, one that ends early or is empty */
	base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 64, 8);
	raw_side(sqe, nowhere, 64);
	coded_side(sqe, out->addr, 64);
	sqe[FAXB_SQE_COUNTS]++;
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_DMA);
	sqe[FAXB_SQE_RAW_LO] += 4;
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_BAD_DESC);
	sqe[FAXB_SQE_RAW_LO] = (u32)list->addr;
	sqe[FAXB_SQE_RAW_HI] = list->addr >> 32;
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_BAD_DESC);
	for (u32 i = 0; i < 2; i++) {
		put32(list->mem + i * FAXB_SGE_SIZE, (u32)in->addr);
		put32(list->mem + i * FAXB_SGE_SIZE + 4, in->addr >> 32);
		put32(list->mem + i * FAXB_SGE_SIZE + 8, 20);
	}
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_BAD_DESC);
	put32(list->mem + FAXB_SGE_SIZE + 8, 44);
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_OK);
	put32(list->mem + 12, 1);
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, cqe), FAXB_CODE_BAD_DESC);
}

/* Rings that are not there stop their queue, and only that, until it is reset. */
static void ring_errors(void **state)
{
	struct window *raw = map(64, BOTH), *coded = map(64, BOTH);
	u32 r = FAXB_QUEUE(FAXB_Q_ENCODE), sqe[FAXB_SQE_WORDS];

	wr(r + FAXB_Q_CTRL, FAXB_Q_CTRL_RESET);
	run();
	wr(r + FAXB_Q_SQ_HI, 0x99);
	wr(r + FAXB_Q_CTRL, FAXB_Q_CTRL_ENABLE);
	wr(FAXB_DOORBELL(FAXB_Q_ENCODE), 1);
	assert_int_equal(run(), FM_IDLE);
	assert_true(rd(r + FAXB_Q_STATUS) & FAXB_Q_STATUS_ERROR);
	assert_int_equal(rd(FAXB_STATUS), FAXB_STATUS_FAULT);
	assert_true(rd(FAXB_INT_STATUS) & FAXB_INT_FAULT);

	base(sqe, FAXB_OP_DECODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 64, 8);
	raw_side(sqe, raw->addr, 64);
	coded_side(sqe, coded->addr, 64);
	do_it(FAXB_Q_DECODE, sqe, NULL);

	wr(r + FAXB_Q_CTRL, FAXB_Q_CTRL_RESET);
	run();
	assert_int_equal(rd(FAXB_STATUS), 0);
	enable(FAXB_Q_ENCODE);
	base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 64, 8);
	raw_side(sqe, raw->addr, 64);
	coded_side(sqe, coded->addr, 64);
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, NULL), FAXB_CODE_OK);
}

static void laps(void **state)
{
	struct window *raw = map(64, BOTH), *coded = map(64, BOTH);
	u32 q = FAXB_Q_ENCODE, sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS], n;

	for (u32 lap = 0; lap < 5; lap++) {
		for (u32 i = 0; i < ENTRIES; i++) {
			base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 64, 8);
			raw_side(sqe, raw->addr, 64);
			coded_side(sqe, coded->addr, 64);
			push(q, sqe);
		}
		wr(FAXB_DOORBELL(q), 1);
		run();
		for (n = 0; reap(q, cqe); n++)
			assert_int_equal(cqe[FAXB_CQE_TAG], lap * ENTRIES + n + 1);
		assert_int_equal(n, ENTRIES);
		/* bells without a descriptor run nothing again */
		for (u32 i = 0; i < 3; i++) {
			wr(FAXB_DOORBELL(q), 0xffffffff);
			assert_int_equal(run(), FM_IDLE);
		}
		assert_false(reap(q, cqe));
		assert_int_equal(rd(FAXB_QUEUE(q) + FAXB_Q_HEAD), (lap + 1) * ENTRIES);
		assert_int_equal(rd(FAXB_QUEUE(q) + FAXB_Q_DONE), (lap + 1) * ENTRIES);
	}
}

static void reset(void **state)
{
	enum { W = 1728, B = W / 8, H = 200 };
	struct window *raw = map(B * H, BOTH), *coded = map(65536, BOTH);
	u32 q = FAXB_Q_ENCODE, r = FAXB_QUEUE(q);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];
	u8 *before = malloc(65536);

	base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST, W, H);
	raw_side(sqe, raw->addr, B * H);
	coded_side(sqe, coded->addr, 65536);
	push(q, sqe);
	wr(FAXB_DOORBELL(q), 1);
	assert_int_equal(fm_run(rig->board), FM_MORE);

	wr(r + FAXB_Q_CTRL, FAXB_Q_CTRL_RESET);
	assert_true(rd(r + FAXB_Q_STATUS) & FAXB_Q_STATUS_RESET);
	/* not before the halt is said to be done */
	wr(r + FAXB_Q_CTRL, FAXB_Q_CTRL_ENABLE);
	assert_false(rd(r + FAXB_Q_STATUS) & FAXB_Q_STATUS_ENABLED);
	run();
	assert_int_equal(rd(r + FAXB_Q_STATUS), 0);

	/* then nothing moves, bells or not */
	memcpy(before, coded->mem, 65536);
	wr(FAXB_DOORBELL(q), 1);
	run();
	assert_memory_equal(coded->mem, before, 65536);
	assert_false(reap(q, cqe));

	enable(q);
	assert_int_equal(rd(r + FAXB_Q_HEAD), 0);
	/* its contexts are gone, those of the other queue are not */
	base(sqe, FAXB_OP_ENCODE, 0, W, 1);
	raw_side(sqe, raw->addr, B);
	coded_side(sqe, coded->addr, 65536);
	assert_int_equal(do_it(q, sqe, cqe), FAXB_CODE_BAD_DESC);

	wr(FAXB_CTRL, FAXB_CTRL_RESET);
	assert_int_equal(rd(FAXB_STATUS), FAXB_STATUS_RESET);
	run();
	assert_int_equal(rd(FAXB_STATUS), 0);
	for (u32 i = 0; i < FAXB_QUEUES; i++)
		assert_int_equal(rd(FAXB_QUEUE(i) + FAXB_Q_STATUS), 0);
	free(before);
}

/* An engine's rings stay where they are while it runs. */
static void rings_do_not_move(void **state)
{
	u32 r = FAXB_QUEUE(FAXB_Q_SCAN);

	wr(r + FAXB_Q_SQ_LO, 0x40);
	wr(r + FAXB_Q_LOG2, 8);
	assert_int_equal(rd(r + FAXB_Q_SQ_LO), (u32)SQ(FAXB_Q_SCAN));
	assert_int_equal(rd(r + FAXB_Q_LOG2), LOG2);
	wr(r + FAXB_Q_CTRL, FAXB_Q_CTRL_RESET);
	run();
	wr(r + FAXB_Q_LOG2, 9);
	wr(r + FAXB_Q_CTRL, FAXB_Q_CTRL_ENABLE);
	assert_int_equal(rd(r + FAXB_Q_STATUS), 0);
}

static void aborts(void **state)
{
	struct window *raw = map(216 * 8, BOTH);
	u32 q = FAXB_Q_SCAN, sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS], first, second;

	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 1728, 8);
	first = push(q, sqe);
	scan_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 1728, 8);
	second = push(q, sqe);
	wr(FAXB_DOORBELL(q), 1);
	assert_int_equal(run(), FM_WAITING);
	/* one that is not at work is not hit before its time */
	wr(FAXB_QUEUE(q) + FAXB_Q_ABORT, second);
	assert_int_equal(run(), FM_WAITING);
	wr(FAXB_QUEUE(q) + FAXB_Q_ABORT, first);
	assert_int_equal(run(), FM_WAITING);
	assert_true(reap(q, cqe));
	assert_int_equal(cqe[FAXB_CQE_TAG], first);
	assert_int_equal(FAXB_STATUS_CODE(cqe[FAXB_CQE_STATUS]), FAXB_CODE_CANCELED);
	assert_false(reap(q, cqe));
	lay_original(1728, 4, 8000, 7700, 1);
	assert_int_equal(run(), FM_IDLE);
	assert_true(reap(q, cqe));
	assert_int_equal(FAXB_STATUS_CODE(cqe[FAXB_CQE_STATUS]), FAXB_CODE_OK);
}

/* With the descriptor its page or segment ends: what goes on with it is canceled too. */
static void abort_ends_the_page(void **state)
{
	struct window *raw = map(216 * 200, BOTH), *coded = map(65536, BOTH);
	u32 sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];

	print_sqe(sqe, raw, FAXB_CTRL_NEW_PAGE, 1728, 10);
	assert_int_equal(do_it(FAXB_Q_PRINT, sqe, NULL), FAXB_CODE_OK);
	print_sqe(sqe, raw, 0, 1728, 10);
	wr(FAXB_QUEUE(FAXB_Q_PRINT) + FAXB_Q_ABORT, sqe[FAXB_SQE_TAG]);
	assert_int_equal(do_it(FAXB_Q_PRINT, sqe, cqe), FAXB_CODE_CANCELED);
	assert_int_equal(cqe[FAXB_CQE_ROWS], 0);
	assert_int_equal(rig->ejected, 1);
	print_sqe(sqe, raw, FAXB_CTRL_LAST, 1728, 10);
	assert_int_equal(do_it(FAXB_Q_PRINT, sqe, NULL), FAXB_CODE_CANCELED);
	assert_int_equal(rig->ejected, 1);

	base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST, 1728, 200);
	raw_side(sqe, raw->addr, 216 * 200);
	coded_side(sqe, coded->addr, 65536);
	push(FAXB_Q_ENCODE, sqe);
	wr(FAXB_DOORBELL(FAXB_Q_ENCODE), 1);
	assert_int_equal(fm_run(rig->board), FM_MORE);
	wr(FAXB_QUEUE(FAXB_Q_ENCODE) + FAXB_Q_ABORT, sqe[FAXB_SQE_TAG]);
	run();
	assert_true(reap(FAXB_Q_ENCODE, cqe));
	assert_int_equal(FAXB_STATUS_CODE(cqe[FAXB_CQE_STATUS]), FAXB_CODE_CANCELED);
	assert_in_range(cqe[FAXB_CQE_ROWS], 1, 199);
	sqe[FAXB_SQE_CTRL] = FAXB_OP_ENCODE;
	sqe[FAXB_SQE_TAG]++;
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, NULL), FAXB_CODE_CANCELED);
	sqe[FAXB_SQE_CTRL] = FAXB_OP_ENCODE | FAXB_CTRL_FIRST | FAXB_CTRL_LAST;
	assert_int_equal(do_it(FAXB_Q_ENCODE, sqe, NULL), FAXB_CODE_OK);
}

static void interrupts(void **state)
{
	struct window *raw = map(64, BOTH), *coded = map(64, BOTH);
	u32 sqe[FAXB_SQE_WORDS];

	base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 64, 8);
	raw_side(sqe, raw->addr, 64);
	coded_side(sqe, coded->addr, 64);
	rig->interrupts = 0;
	do_it(FAXB_Q_ENCODE, sqe, NULL);
	assert_int_equal(rig->interrupts, 1);
	assert_int_equal(rd(FAXB_INT_STATUS), 1 << FAXB_Q_ENCODE);
	/* not acknowledged: the next one comes nevertheless */
	do_it(FAXB_Q_ENCODE, sqe, NULL);
	assert_int_equal(rig->interrupts, 2);
	wr(FAXB_INT_STATUS, 1 << FAXB_Q_ENCODE);
	assert_int_equal(rd(FAXB_INT_STATUS), 0);

	wr(FAXB_INT_ENABLE, 0);
	fm_set_paper(rig->board, FAXB_Q_PRINT, FAXB_COND_JAM, 0, 0);
	assert_int_equal(rig->interrupts, 2);
	assert_int_equal(rd(FAXB_PAPER(FAXB_Q_PRINT) + FAXB_PAPER_COND), FAXB_COND_JAM);
	wr(FAXB_INT_ENABLE, 0xffffffff);
	assert_int_equal(rd(FAXB_INT_ENABLE), FAXB_INT_ALL);
	assert_int_equal(rig->interrupts, 3);
	wr(FAXB_INT_STATUS, 0xffffffff);
	/* no change, no event */
	fm_set_paper(rig->board, FAXB_Q_PRINT, FAXB_COND_JAM, 210000, 297000);
	assert_int_equal(rig->interrupts, 3);
	assert_int_equal(rd(FAXB_PAPER(FAXB_Q_PRINT) + FAXB_PAPER_WIDTH), 210000);
}

static void injected_faults(void **state)
{
	struct window *raw = map(64, BOTH), *coded = map(64, BOTH);
	u32 q = FAXB_Q_ENCODE, sqe[FAXB_SQE_WORDS], cqe[FAXB_CQE_WORDS];

	base(sqe, FAXB_OP_ENCODE, FAXB_CTRL_FIRST | FAXB_CTRL_LAST, 64, 8);
	raw_side(sqe, raw->addr, 64);
	coded_side(sqe, coded->addr, 64);
	assert_int_equal(fm_inject(rig->board, 4, FM_FAULT_DMA, 1), -EINVAL);
	assert_int_equal(fm_inject(rig->board, q, FM_FAULTS, 1), -EINVAL);

	fm_inject(rig->board, q, FM_FAULT_DMA, 1);
	assert_int_equal(do_it(q, sqe, cqe), FAXB_CODE_DMA);
	assert_int_equal(do_it(q, sqe, cqe), FAXB_CODE_OK);

	fm_inject(rig->board, q, FM_FAULT_DROP, 1);
	submit(q, sqe);
	assert_false(reap(q, cqe));
	rig->head[q]++;
	assert_int_equal(do_it(q, sqe, cqe), FAXB_CODE_OK);

	fm_inject(rig->board, q, FM_FAULT_STUCK, 1);
	assert_int_equal(submit(q, sqe), FM_IDLE);
	assert_false(reap(q, cqe));
	wr(FAXB_QUEUE(q) + FAXB_Q_ABORT, sqe[FAXB_SQE_TAG]);
	assert_int_equal(run(), FM_IDLE);
	assert_false(reap(q, cqe));
	assert_true(rd(FAXB_QUEUE(q) + FAXB_Q_STATUS) & FAXB_Q_STATUS_BUSY);
	wr(FAXB_QUEUE(q) + FAXB_Q_CTRL, FAXB_Q_CTRL_RESET);
	run();
	enable(q);
	assert_int_equal(do_it(q, sqe, cqe), FAXB_CODE_OK);

	fm_inject(rig->board, q, FM_FAULT_DEAF, 1);
	wr(FAXB_QUEUE(q) + FAXB_Q_CTRL, FAXB_Q_CTRL_RESET);
	assert_int_equal(run(), FM_IDLE);
	assert_int_equal(rd(FAXB_QUEUE(q) + FAXB_Q_STATUS), FAXB_Q_STATUS_RESET);
	fm_inject(rig->board, q, FM_FAULT_DEAF, 0);
	run();
	assert_int_equal(rd(FAXB_QUEUE(q) + FAXB_Q_STATUS), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(identity),
		T(encode_then_decode),
		T(encode_resumes),
		T(decode_in_bands),
		T(decode_damage),
		T(contexts_interleave),
		T(scan_pages),
		T(scan_formats),
		T(scan_waits),
		T(print_page),
		T(bad_descriptors),
		T(dma_errors),
		T(ring_errors),
		T(laps),
		T(reset),
		T(rings_do_not_move),
		T(aborts),
		T(abort_ends_the_page),
		T(interrupts),
		T(injected_faults),
	};

	return cmocka_run_group_tests_name("model_board", tests, NULL, NULL);
}
