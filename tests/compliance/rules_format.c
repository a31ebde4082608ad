// SPDX-License-Identifier: LGPL-2.1-or-later
/* GET_FMT, SET_FMT, TRY_FMT. */
#include "compliance.h"

static int open_here(void)
{
	return open_node(here.function, O_NONBLOCK);
}

static int try(int dev, struct fax_fmt fmt)
{
	return ioctl(dev, FAX_IOC_TRY_FMT, &fmt) ? -errno : 0;
}

static struct fax_fmt plain(void)
{
	return fmt_raw(here.function, page_width(), 0);
}

static void test_default(unsigned int row)
{
	struct fax_fmt fmt, again;
	int dev = open_here();

	memset(&fmt, 0xff, sizeof(fmt));
	memset(fmt.reserved, 0, sizeof(fmt.reserved));
	expect_errno(ioctl(dev, FAX_IOC_GET_FMT, &fmt), 0, "GET_FMT");
	again = fmt;
	expect_errno(ioctl(dev, FAX_IOC_TRY_FMT, &again), 0, "TRY_FMT of it");
	expect(!memcmp(&fmt, &again, sizeof(fmt)), "TRY_FMT changes it");
	expect(here.function == FAX_FUNC_CODEC || fmt.encoding == FAX_ENC_RAW, "encoding %u",
	       fmt.encoding);
	if (page_width() == 1728)
		expect(fmt.width == 1728 && !fmt.rows, "%u wide, %u rows", fmt.width, fmt.rows);
}

static void test_stride(unsigned int row)
{
	struct fax_fmt fmt = plain();
	int dev = open_here();

	expect_errno(ioctl(dev, FAX_IOC_TRY_FMT, &fmt), 0, "TRY_FMT");
	expect(fmt.stride == (fmt.width + 7) / 8, "stride %u", fmt.stride);
	fmt.stride -= 1;
	expect_errno(try(dev, fmt), EINVAL, "a stride too short");
	fmt.stride = UINT32_MAX;
	expect_errno(try(dev, fmt), EINVAL, "a stride without bound");
	fmt.stride = (fmt.width + 7) / 8 + 4;
	expect_errno(try(dev, fmt), 0, "a longer stride");
}

static void test_set(unsigned int row)
{
	int dev = open_here(), other = open_here();
	struct fax_fmt fmt = plain(), got = {}, first = {};

	expect_errno(ioctl(other, FAX_IOC_GET_FMT, &first), 0, "GET_FMT");
	fmt.rows = 123;
	expect_errno(ioctl(dev, FAX_IOC_TRY_FMT, &fmt), 0, "TRY_FMT");
	expect_errno(ioctl(dev, FAX_IOC_GET_FMT, &got), 0, "GET_FMT");
	expect(!memcmp(&got, &first, sizeof(got)), "TRY_FMT set the format");
	expect_errno(ioctl(dev, FAX_IOC_SET_FMT, &fmt), 0, "SET_FMT");
	expect_errno(ioctl(dev, FAX_IOC_GET_FMT, &got), 0, "GET_FMT");
	expect(!memcmp(&got, &fmt, sizeof(got)), "GET_FMT gives something else");
	memset(&got, 0, sizeof(got));
	expect_errno(ioctl(other, FAX_IOC_GET_FMT, &got), 0, "GET_FMT of another open");
	expect(!memcmp(&got, &first, sizeof(got)), "another open's format changed too");
	fmt.width = 0;
	expect_errno(ioctl(dev, FAX_IOC_SET_FMT, &fmt), EINVAL, "SET_FMT of no width");
	memset(&got, 0, sizeof(got));
	ioctl(dev, FAX_IOC_GET_FMT, &got);
	expect(got.rows == 123 && got.width, "a SET_FMT that failed changed the format");
}

static void test_bounds(unsigned int row)
{
	const struct fax_caps *caps = &node_of(here.function)->caps;
	struct fax_fmt fmt = plain();
	int dev = open_here();

	fmt.width = 0;
	expect_errno(try(dev, fmt), EINVAL, "width 0");
	fmt.width = caps->width_max + 1;
	expect_errno(try(dev, fmt), EINVAL, "a width beyond width_max");
	fmt.width = UINT32_MAX;
	expect_errno(try(dev, fmt), EINVAL, "the largest width");
	fmt = plain();
	fmt.rows = caps->rows_max;
	expect_errno(try(dev, fmt), 0, "rows_max");
	if (caps->rows_max != UINT32_MAX) {
		fmt.rows++;
		expect_errno(try(dev, fmt), EINVAL, "rows_max + 1");
	}
	fmt = plain();
	fmt.encoding = FAX_ENC_MMR + 1;
	expect_errno(try(dev, fmt), EINVAL, "an unknown encoding");
	fmt.encoding = 32;
	expect_errno(try(dev, fmt), EINVAL, "encoding 32");
}

static void test_flags(unsigned int row)
{
	const struct fax_caps *caps = &node_of(here.function)->caps;
	int dev = open_here(), bit;
	struct fax_fmt fmt;

	for (bit = 0; bit < 32; bit++) {
		fmt = plain();
		fmt.flags = 1u << bit;
		if (!(fmt.flags & caps->fmt_flags))
			expect_errno(try(dev, fmt), EINVAL, "flag %#x", fmt.flags);
	}
	fmt = plain();
	fmt.flags = FAX_FMT_EOL;
	expect_errno(try(dev, fmt), EINVAL, "EOL with raw pixels");
}

/* Every width of the list at every resolution of the list, as far as width_max goes. */
static void test_lists(unsigned int row)
{
	const struct fax_caps *caps = &node_of(here.function)->caps;
	struct fax_fmt fmt = plain();
	int dev = open_here();
	uint32_t r, w;

	for (r = 0; r < caps->nresolutions; r++) {
		fmt.xres = caps->resolutions[r].x;
		fmt.yres = caps->resolutions[r].y;
		for (w = 0; w < caps->nwidths; w++) {
			fmt.width = (uint64_t)caps->widths[w] * fmt.xres / FAX_RES_8_MM;
			if ((uint64_t)fmt.width * FAX_RES_8_MM !=
				    (uint64_t)caps->widths[w] * fmt.xres ||
			    fmt.width > caps->width_max)
				continue;
			expect_errno(try(dev, fmt), 0, "%u wide at %ux%u", fmt.width, fmt.xres,
				     fmt.yres);
			fmt.width++;
			expect_errno(try(dev, fmt), EINVAL, "%u wide at %ux%u", fmt.width, fmt.xres,
				     fmt.yres);
		}
	}
	fmt = plain();
	fmt.yres += 1;
	expect_errno(try(dev, fmt), EINVAL, "a resolution that is in no list");
	fmt = plain();
	fmt.encoding = FAX_ENC_MMR;
	expect_errno(try(dev, fmt), EINVAL, "an engine that codes");
}

static void test_coder(unsigned int row)
{
	const struct fax_caps *caps = &node_of(FAX_FUNC_CODEC)->caps;
	int dev = open_node(FAX_FUNC_CODEC, O_NONBLOCK);
	struct fax_fmt fmt = fmt_raw(FAX_FUNC_CODEC, 1728, 0);

	fmt.encoding = FAX_ENC_MR;
	expect_errno(try(dev, fmt), EINVAL, "MR without EOL");
	if (caps->encodings & (1u << FAX_ENC_MR)) {
		fmt.flags = FAX_FMT_EOL;
		fmt.k = 4;
		expect_errno(try(dev, fmt), 0, "MR with EOL and K");
	}
	fmt.encoding = FAX_ENC_MMR;
	expect_errno(try(dev, fmt), EINVAL, "EOL and K with MMR");
	fmt.flags = 0;
	expect_errno(try(dev, fmt), EINVAL, "K with MMR");
	fmt.k = 0;
	fmt.flags = FAX_FMT_WHITEN;
	expect_errno(try(dev, fmt), EINVAL, "WHITEN with encoding");
	fmt = fmt_raw(FAX_FUNC_CODEC, 1, 0);
	expect_errno(try(dev, fmt), 0, "one pixel a row");
}

static const struct rule table[] = {
	RULE("default", "an open begins with a format that the function takes (A4, fine)",
	  test_default, EACH_FUNC),
	RULE("stride", "stride 0 becomes the least; too short or absurd ones are refused: EINVAL",
	  test_stride, EACH_FUNC),
	RULE("set", "TRY_FMT only asks, SET_FMT sets, for this open alone, or changes nothing",
	  test_set, EACH_FUNC),
	RULE("bounds", "width, rows and encoding outside of CAPS are refused: EINVAL", test_bounds,
	  EACH_FUNC),
	RULE("flags", "flags unknown or without meaning here are refused: EINVAL", test_flags,
	  EACH_FUNC),
	RULE("lists", "each width of CAPS goes with each resolution, and nothing else does",
	  test_lists, EACH_ENGINE),
	RULE("coder", "MR has EOLs, MMR has neither EOL nor K, WHITEN is for decoding", test_coder,
	  NEEDS_CODEC),
};

const struct rules rules_format = { "format", table, ARRAY_SIZE(table) };
