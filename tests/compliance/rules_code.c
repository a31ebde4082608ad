// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Golden pages: T.4 and T.6 leave a coder no choice, so its code is compared
 * byte by byte with that of the reference coder, and its pixels with the page.
 */
#include "compliance.h"

#define MH	FAX_ENC_MH
#define MR	FAX_ENC_MR
#define MMR	FAX_ENC_MMR
#define EOL	FAX_FMT_EOL
#define ALIGN	FAX_FMT_EOL_ALIGN
#define END	FAX_FMT_END
#define LSB	FAX_FMT_LSB_FIRST
#define BLACK0	FAX_FMT_BLACK_IS_0

struct golden {
	const char *name;
	uint32_t encoding;
	uint32_t flags;
	uint32_t k;
	uint32_t width;
	uint32_t rows;
	enum pattern pattern;
	uint32_t more_stride;
};

static const struct golden goldens[] = {
	{ "MH", MH, 0, 0, 1728, 400, STROKES, 0 },
	{ "MH END", MH, END, 0, 1728, 400, STROKES, 0 },
	{ "MH EOL", MH, EOL, 0, 1728, 400, STROKES, 0 },
	{ "MH EOL END", MH, EOL | END, 0, 1728, 400, STROKES, 0 },
	{ "MH EOL_ALIGN", MH, ALIGN, 0, 1728, 400, STROKES, 0 },
	{ "MH EOL EOL_ALIGN END", MH, EOL | ALIGN | END, 0, 1728, 400, STROKES, 0 },
	{ "MH EOL LSB_FIRST", MH, EOL | LSB, 0, 1728, 400, STROKES, 0 },
	{ "MH BLACK_IS_0", MH, EOL | BLACK0, 0, 1728, 100, STROKES, 0 },
	{ "MR", MR, EOL, 0, 1728, 400, STROKES, 0 },
	{ "MR K 2", MR, EOL, 2, 1728, 400, STROKES, 0 },
	{ "MR K 4", MR, EOL, 4, 1728, 400, STROKES, 0 },
	{ "MR K 4 EOL_ALIGN END", MR, EOL | ALIGN | END, 4, 1728, 400, STROKES, 0 },
	{ "MR K 4 LSB_FIRST END", MR, EOL | LSB | END, 4, 1728, 400, STROKES, 0 },
	{ "MMR", MMR, 0, 0, 1728, 400, STROKES, 0 },
	{ "MMR END", MMR, END, 0, 1728, 400, STROKES, 0 },
	{ "MMR LSB_FIRST END", MMR, LSB | END, 0, 1728, 400, STROKES, 0 },
	{ "MMR BLACK_IS_0 END", MMR, BLACK0 | END, 0, 1728, 100, STROKES, 0 },
	{ "MMR 1 row", MMR, END, 0, 1728, 1, STROKES, 0 },
	{ "MMR 2 rows", MMR, END, 0, 1728, 2, STROKES, 0 },
	{ "MMR white", MMR, END, 0, 1728, 2200, WHITE, 0 },
	{ "MMR black", MMR, END, 0, 1728, 2200, BLACK, 0 },
	{ "MMR checkered", MMR, END, 0, 1728, 200, CHECKER, 0 },
	{ "MH checkered", MH, EOL | END, 0, 1728, 200, CHECKER, 0 },
	{ "MR checkered", MR, EOL | END, 4, 1728, 200, CHECKER, 0 },
	{ "MH black", MH, EOL | END, 0, 1728, 200, BLACK, 0 },
	{ "MMR width 1", MMR, END, 0, 1, 77, CHECKER, 0 },
	{ "MMR width 7", MMR, END, 0, 7, 77, STROKES, 0 },
	{ "MMR width 8", MMR, END, 0, 8, 77, CHECKER, 0 },
	{ "MMR width 9", MMR, END, 0, 9, 77, STROKES, 0 },
	{ "MH width 1001", MH, EOL | END, 0, 1001, 77, STROKES, 0 },
	{ "MMR width 1001", MMR, END, 0, 1001, 77, STROKES, 0 },
	{ "MMR width 2048", MMR, END, 0, 2048, 300, STROKES, 0 },
	{ "MMR width 2432", MMR, END, 0, 2432, 300, STROKES, 0 },
	{ "MR width 4864", MR, EOL | END, 4, 4864, 300, STROKES, 0 },
	{ "MMR width 16384", MMR, END, 0, 16384, 60, STROKES, 0 },
	{ "MH width 16384 black", MH, EOL | END, 0, 16384, 20, BLACK, 0 },
	{ "MMR stride", MMR, END, 0, 1728, 200, STROKES, 40 },
	{ "MMR odd stride", MMR, END, 0, 1001, 200, STROKES, 3 },
};

static const char *golden_name(unsigned int row)
{
	return goldens[row].name;
}

static void need_coding(uint32_t mask, const struct fax_fmt *fmt)
{
	const struct fax_caps *caps = &node_of(FAX_FUNC_CODEC)->caps;

	if (!(mask & (1u << fmt->encoding)))
		skip("CAPS does not name this encoding");
	if (fmt->flags & ~caps->fmt_flags)
		skip("CAPS does not name these flags");
	if (fmt->width < caps->width_min || fmt->width > caps->width_max)
		skip("CAPS does not go to this width");
}

static struct fax_fmt golden_fmt(const struct golden *g)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, g->width, g->rows);

	fmt.encoding = g->encoding;
	fmt.flags = g->flags;
	fmt.k = g->k;
	fmt.stride = (g->width + 7) / 8 + g->more_stride;
	return fmt;
}

static void encode(const struct fax_fmt *fmt, const uint8_t *page)
{
	size_t raw_len = (size_t)fmt->rows * fmt->stride, len, i;
	uint8_t *wanted = t4_code(page, fmt, &len);
	int dev = open_node(FAX_FUNC_CODEC, 0);
	struct buf raw = buf_new(dev, raw_len), coded = buf_new(dev, len + 4096);
	struct fax_seg segs[] = { seg_in(&raw, 0, raw_len), seg_out(&coded, 0, coded.size) };
	struct fax_completion c;
	uint32_t job;

	memcpy(raw.mem, page, raw_len);
	memset(coded.mem, 0xa5, coded.size);
	job = must_submit(dev, FAX_OP_ENCODE, 0, fmt, -1, segs, 2);
	c = must_reap(dev);
	expect(c.job == job && c.cookie == 0xc00c1e0000000000 + FAX_OP_ENCODE,
	       "job %u, cookie %llx", c.job, (unsigned long long)c.cookie);
	expect(!c.code && !c.error, "code %u, error %d", c.code, c.error);
	expect(c.rows == fmt->rows && c.bytes_in == raw_len, "%u rows, %llu bytes in", c.rows,
	       (unsigned long long)c.bytes_in);
	for (i = 0; i < len && i < c.bytes_out && coded.mem[i] == wanted[i]; i++)
		;
	expect(i == len && c.bytes_out == len, "%llu bytes, not %zu; byte %zu differs",
	       (unsigned long long)c.bytes_out, len, i);
	for (i = len; i < coded.size; i++)
		expect(coded.mem[i] == 0xa5, "byte %zu behind the code was written", i);
}

static void decode(const struct fax_fmt *fmt, const uint8_t *page)
{
	size_t raw_len = (size_t)fmt->rows * fmt->stride, len;
	uint8_t *code = t4_code(page, fmt, &len);
	int dev = open_node(FAX_FUNC_CODEC, 0);
	struct buf raw = buf_new(dev, raw_len + 4096), coded = buf_new(dev, len);
	struct fax_seg segs[] = { seg_in(&coded, 0, len), seg_out(&raw, 0, raw_len) };
	uint32_t row_len = (fmt->width + 7) / 8, y;
	struct fax_fmt plain = *fmt;
	struct fax_completion c;

	memcpy(coded.mem, code, len);
	memset(raw.mem, 0xa5, raw.size);
	segs[0].encoding = fmt->encoding;
	segs[0].rows = fmt->rows;
	segs[0].flags = fmt->flags & (LSB | EOL | ALIGN);
	plain.encoding = FAX_ENC_RAW;
	plain.k = 0;
	plain.flags = fmt->flags & BLACK0;
	must_submit(dev, FAX_OP_DECODE, 0, &plain, -1, segs, 2);
	c = must_reap(dev);
	expect(!c.code && !c.error && !c.flags && !c.rows_bad,
	       "code %u, flags %#x, %u rows bad", c.code, c.flags, c.rows_bad);
	expect(c.rows == fmt->rows && c.bytes_out == raw_len, "%u rows, %llu bytes out", c.rows,
	       (unsigned long long)c.bytes_out);
	for (y = 0; y < fmt->rows; y++)
		expect(!memcmp(raw.mem + (size_t)y * fmt->stride, page + (size_t)y * fmt->stride,
			       row_len), "row %u differs", y);
	for (len = raw_len; len < raw.size; len++)
		expect(raw.mem[len] == 0xa5, "byte %zu behind the page was written", len);
}

/* With BLACK_IS_0 the page is the negative; bits beyond the width are white either way. */
static uint8_t *golden_page(const struct golden *g, uint32_t stride)
{
	uint8_t *page = page_make(g->width, g->rows, stride, g->pattern);
	size_t i;

	for (i = 0; g->flags & BLACK0 && i < (size_t)g->rows * stride; i++)
		page[i] = ~page[i];
	return page;
}

static void test_encode(unsigned int row)
{
	struct fax_fmt fmt = golden_fmt(&goldens[row]);

	need_coding(node_of(FAX_FUNC_CODEC)->caps.encodings, &fmt);
	encode(&fmt, golden_page(&goldens[row], fmt.stride));
}

static void test_decode(unsigned int row)
{
	struct fax_fmt fmt = golden_fmt(&goldens[row]);

	need_coding(node_of(FAX_FUNC_CODEC)->caps.decodings, &fmt);
	decode(&fmt, golden_page(&goldens[row], fmt.stride));
}

/* The user's own pages, each in all three encodings. */
static void test_files(unsigned int row)
{
	static const struct { uint32_t encoding, flags, k; } ways[] = {
		{ MH, EOL | END, 0 }, { MR, EOL | END, 4 }, { MMR, END, 0 },
	};
	const struct fax_caps *caps = &node_of(FAX_FUNC_CODEC)->caps;
	struct fax_fmt fmt;
	uint8_t *page;
	unsigned int i;
	size_t w;

	if (!npage_files)
		skip("no --page");
	for (i = 0; i < npage_files; i++) {
		fmt = fmt_raw(FAX_FUNC_CODEC, 0, 0);
		page = page_load(page_files[i], &fmt.width, &fmt.rows);
		expect(page, "%s: no PBM image", page_files[i]);
		fmt.stride = (fmt.width + 7) / 8;
		for (w = 0; w < ARRAY_SIZE(ways); w++) {
			if (!(caps->encodings & caps->decodings & (1u << ways[w].encoding)))
				continue;
			fmt.encoding = ways[w].encoding;
			fmt.flags = ways[w].flags;
			fmt.k = ways[w].k;
			encode(&fmt, page);
			decode(&fmt, page);
		}
		note("%s: %u x %u", page_files[i], fmt.width, fmt.rows);
		free(page);
	}
}

/* Segments in three encodings, bit orders and ways to end make one page. */
static void test_segments(unsigned int row)
{
	static const struct { uint32_t encoding, flags, rows; } parts[] = {
		{ MH, EOL, 33 }, { MMR, END, 400 }, { MR, EOL | LSB, 167 }, { MMR, 0, 1 },
	};
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 601);
	int dev = open_node(FAX_FUNC_CODEC, 0);
	struct buf coded = buf_new(dev, 1 << 20), raw = buf_new(dev, 601 * 216);
	uint8_t *page = page_make(1728, 601, 216, STROKES), *code;
	struct fax_seg segs[ARRAY_SIZE(parts) + 1];
	struct fax_fmt part;
	struct fax_completion c;
	size_t i, at = 0, len;
	uint32_t first = 0;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		part = fmt;
		part.encoding = parts[i].encoding;
		part.flags = parts[i].flags;
		part.rows = parts[i].rows;
		need_coding(node_of(FAX_FUNC_CODEC)->caps.decodings, &part);
		code = t4_code(page + first * 216, &part, &len);
		memcpy(coded.mem + at, code, len);
		segs[i] = seg_in(&coded, at, len);
		segs[i].encoding = part.encoding;
		segs[i].flags = part.flags & ~END;
		segs[i].rows = part.flags & END ? 0 : part.rows;
		at += len + 5;	/* no segment begins where it is convenient */
		first += part.rows;
	}
	segs[i] = seg_out(&raw, 0, 601 * 216);
	must_submit(dev, FAX_OP_DECODE, 0, &fmt, -1, segs, ARRAY_SIZE(segs));
	c = must_reap(dev);
	expect(!c.code && c.rows == 601 && c.seg == ARRAY_SIZE(parts) - 1,
	       "code %u, %u rows, seg %u", c.code, c.rows, c.seg);
	expect(!memcmp(raw.mem, page, 601 * 216), "the pixels differ");
}

/* As many segments as there may be, of a few rows each. */
static void test_many_segments(unsigned int row)
{
	enum { N = FAX_MAX_SEGS - 1, ROWS = 3 };
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, N * ROWS), part = fmt;
	int dev = open_node(FAX_FUNC_CODEC, 0);
	struct buf coded = buf_new(dev, 1 << 20), raw = buf_new(dev, N * ROWS * 216);
	uint8_t *page = page_make(1728, N * ROWS, 216, STROKES), *code;
	struct fax_seg segs[FAX_MAX_SEGS];
	struct fax_completion c;
	size_t at = 0, len;
	int i;

	part.encoding = MMR;
	part.rows = ROWS;
	for (i = 0; i < N; i++) {
		code = t4_code(page + i * ROWS * 216, &part, &len);
		memcpy(coded.mem + at, code, len);
		free(code);
		segs[i] = seg_in(&coded, at, len);
		segs[i].encoding = MMR;
		segs[i].rows = ROWS;
		at += len;
	}
	segs[N] = seg_out(&raw, 0, N * ROWS * 216);
	must_submit(dev, FAX_OP_DECODE, 0, &fmt, -1, segs, FAX_MAX_SEGS);
	c = must_reap(dev);
	expect(!c.code && c.rows == N * ROWS, "code %u, %u rows", c.code, c.rows);
	expect(!memcmp(raw.mem, page, N * ROWS * 216), "the pixels differ");
}

static struct fax_completion decode_damaged(struct fax_fmt *fmt, const uint8_t *code, size_t len,
					    uint32_t flags)
{
	int dev = open_node(FAX_FUNC_CODEC, 0);
	struct fax_fmt plain = fmt_raw(FAX_FUNC_CODEC, fmt->width, fmt->rows);
	struct buf coded = buf_new(dev, len), raw = buf_new(dev, fmt->rows * 216);
	struct fax_seg segs[] = { seg_in(&coded, 0, len), seg_out(&raw, 0, fmt->rows * 216) };

	memcpy(coded.mem, code, len);
	segs[0].encoding = fmt->encoding;
	segs[0].flags = flags;
	segs[0].rows = fmt->rows;
	must_submit(dev, FAX_OP_DECODE, 0, &plain, -1, segs, 2);
	return must_reap(dev);
}

static void test_damage(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 300);
	struct fax_completion c;
	uint8_t *code;
	size_t len;

	fmt.encoding = MH;
	fmt.flags = EOL | END;
	code = t4_code(page_make(1728, 300, 216, STROKES), &fmt, &len);
	memset(code + len / 2, 0x5a, 20);
	c = decode_damaged(&fmt, code, len, EOL);
	expect(!c.error && !c.code, "code %u, error %d", c.code, c.error);
	expect(c.flags & FAX_DONE_DAMAGED, "flags %#x", c.flags);
	expect(c.rows_bad && c.rows_bad < 20 && c.max_bad_run && c.max_bad_run <= c.rows_bad &&
	       c.first_bad_row > 100 && c.first_bad_row < 200, "%u rows bad from %u, %u at most",
	       c.rows_bad, c.first_bad_row, c.max_bad_run);
}

static void test_broken(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 300);
	struct fax_completion c;
	uint8_t *code;
	size_t len;

	fmt.encoding = MMR;
	code = t4_code(page_make(1728, 300, 216, STROKES), &fmt, &len);
	memset(code + len / 2, 0, 40);	/* no code begins with so many zeros */
	c = decode_damaged(&fmt, code, len, 0);
	expect(c.code == FAX_CODE_CODING && c.error == -EILSEQ, "code %u, error %d", c.code,
	       c.error);
	expect(c.rows < 300 && c.rows > 50 && !c.seg, "%u rows, seg %u", c.rows, c.seg);
}

/* Whatever the bytes, the job ends, within its memory. */
static void test_noise(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 300);
	uint8_t noise[8192];
	uint32_t seed = row + 1, encoding, round;
	struct fax_completion c;
	size_t i;

	for (round = 0; round < 8; round++) {
		for (i = 0; i < sizeof(noise); i++) {
			seed = seed * 1103515245 + 12345;
			noise[i] = seed >> 20;
		}
		for (encoding = MH; encoding <= MMR; encoding++) {
			fmt.encoding = encoding;
			c = decode_damaged(&fmt, noise, sizeof(noise), encoding == MR ? EOL : 0);
			expect(!c.code || c.code == FAX_CODE_CODING, "encoding %u: code %u",
			       encoding, c.code);
			expect(c.rows <= 300 && c.rows_bad <= c.rows && c.bytes_in <= sizeof(noise),
			       "%u rows, %u bad, %llu bytes", c.rows, c.rows_bad,
			       (unsigned long long)c.bytes_in);
		}
	}
}

static void test_cut(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 300);
	struct fax_completion c;
	uint8_t *code;
	size_t len;

	fmt.encoding = MMR;
	code = t4_code(page_make(1728, 300, 216, STROKES), &fmt, &len);
	c = decode_damaged(&fmt, code, len / 2, 0);
	expect(c.rows < 300 && (c.code == FAX_CODE_CODING || (!c.code && c.flags & FAX_DONE_SHORT)),
	       "code %u, flags %#x, %u rows", c.code, c.flags, c.rows);
}

static void test_too_long(unsigned int row)
{
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 300), half;
	int dev = open_node(FAX_FUNC_CODEC, 0);
	struct buf coded = buf_new(dev, 1 << 20), raw = buf_new(dev, 300 * 216);
	struct fax_seg segs[3];
	struct fax_completion c;
	uint8_t *code;
	size_t len;

	fmt.encoding = MMR;
	code = t4_code(page_make(1728, 300, 216, STROKES), &fmt, &len);
	memcpy(coded.mem, code, len);
	segs[0] = seg_in(&coded, 0, len);
	segs[0].encoding = MMR;
	segs[0].rows = 300;
	segs[1] = segs[0];
	segs[2] = seg_out(&raw, 0, 300 * 216);
	half = fmt_raw(FAX_FUNC_CODEC, 1728, 300);
	must_submit(dev, FAX_OP_DECODE, 0, &half, -1, segs, 3);
	c = must_reap(dev);
	expect(c.code == FAX_CODE_TOO_LONG && c.error == -EMSGSIZE && c.rows == 300,
	       "code %u, error %d, %u rows", c.code, c.error, c.rows);
}

static const struct rule table[] = {
	RULE_ROWS("encode",
		  "the code is that of T.4 and T.6, to the byte, and nothing beside it is written",
		  test_encode, NEEDS_CODEC, ARRAY_SIZE(goldens), golden_name),
	RULE_ROWS("decode", "the pixels are those of the page, and nothing beside them is written",
		  test_decode, NEEDS_CODEC, ARRAY_SIZE(goldens), golden_name),
	RULE("files", "the pages given are coded rightly, both ways", test_files, NEEDS_CODEC),
	RULE("segments", "segments in different codes, at any byte, make one page", test_segments,
	     NEEDS_CODEC),
	RULE("many-segments", "a page may have 255 coded segments", test_many_segments,
	     NEEDS_CODEC),
	RULE("damaged", "MH that is damaged is decoded on, and the damage is counted", test_damage,
	     NEEDS_CODEC),
	RULE("broken", "MMR that is broken ends with CODING (EILSEQ)", test_broken, NEEDS_CODEC),
	RULE("noise", "code of random bytes ends as CODING or damaged", test_noise, NEEDS_CODEC),
	RULE("cut", "code that breaks off gives fewer rows, and says so", test_cut, NEEDS_CODEC),
	RULE("too-long", "code for more rows than the page has: TOO_LONG (EMSGSIZE)", test_too_long,
	     NEEDS_CODEC),
};

const struct rules rules_code = { "code", table, ARRAY_SIZE(table) };
