// SPDX-License-Identifier: LGPL-2.1-or-later
/* INFO, CAPS, STATUS: every byte of the answer means something or is zero. */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "compliance.h"

static int open_here(void)
{
	return open_node(here.function, O_NONBLOCK);
}

static bool zero(const void *mem, size_t len)
{
	const uint8_t *byte = mem;

	while (len && !*byte) {
		byte++;
		len--;
	}
	return !len;
}

/* Ends within its array, printable, and nothing behind the end. */
static void expect_text(const uint8_t *text, size_t size, const char *what)
{
	size_t len = strnlen((const char *)text, size), i;

	expect(len < size, "%s is not terminated", what);
	for (i = 0; i < len; i++)
		expect(text[i] >= 0x20 && text[i] != 0x7f, "%s holds the byte %#x", what, text[i]);
	expect(zero(text + len, size - len), "there is something behind the end of %s", what);
}

/* All that the caller may fill is 0xff beforehand: what stays so was not answered. */
static void ask(unsigned long request, void *arg, size_t reserved)
{
	memset(arg, 0xff, reserved);
	expect_errno(ioctl(open_here(), request, arg), 0, "the call");
}

static void test_info(unsigned int row)
{
	struct fax_info info = {};

	ask(FAX_IOC_INFO, &info, offsetof(struct fax_info, reserved));
	expect(info.function == here.function, "function %u", info.function);
	expect(info.api >= 1 && info.api < 1000, "api %u", info.api);
	expect(!(info.features & ~(FAX_FEAT_HW_LINK | FAX_FEAT_SIMULATED)), "features %#x",
	       info.features);
	expect(info.board_id, "no board_id");
	expect_text(info.board, sizeof(info.board), "board");
	expect_text(info.serial, sizeof(info.serial), "serial");
	expect_text(info.driver, sizeof(info.driver), "driver");
	expect(info.board[0] && info.driver[0], "board or driver is empty");
	expect(zero(info.reserved, sizeof(info.reserved)), "reserved words are not zero");
}

static void test_same_board(unsigned int row)
{
	uint32_t f;

	for (f = FAX_FUNC_SCAN; f < FAX_FUNC_CODEC; f++)
		expect(!node_of(f)->path[0] ||
		       (node_of(f)->info.board_id == node_of(FAX_FUNC_CODEC)->info.board_id &&
			!memcmp(node_of(f)->info.serial, node_of(FAX_FUNC_CODEC)->info.serial, 32)),
		       "%s and coder differ", function_name(f));
}

static void test_index(unsigned int row)
{
	static const char *const names[] = { "", "faxscan", "faxprint", "faxcodec" };
	char name[32];

	snprintf(name, sizeof(name), "/%s%u", names[here.function],
		 node_of(here.function)->info.index);
	if (strncmp(node_of(here.function)->path, "/dev/fax", 8) ||
	    strchr(node_of(here.function)->path + 5, '/'))
		skip("opened by another name");
	expect(strstr(node_of(here.function)->path, name), "index says %s", name);
}

static void test_widths(const struct fax_caps *caps)
{
	uint32_t i;

	expect(caps->nwidths <= ARRAY_SIZE(caps->widths), "%u widths", caps->nwidths);
	for (i = 0; i < ARRAY_SIZE(caps->widths); i++)
		expect(i < caps->nwidths ? caps->widths[i] && caps->widths[i] <= caps->width_max :
		       !caps->widths[i], "width %u is %u", i, caps->widths[i]);
	expect(caps->width_min >= 1 && caps->width_min <= caps->width_max &&
	       caps->width_max <= FAX_MAX_WIDTH, "widths from %u to %u", caps->width_min,
	       caps->width_max);
}

static void test_resolutions(const struct fax_caps *caps)
{
	uint32_t i;

	expect(caps->nresolutions <= ARRAY_SIZE(caps->resolutions), "%u resolutions",
	       caps->nresolutions);
	for (i = 0; i < ARRAY_SIZE(caps->resolutions); i++)
		expect(i < caps->nresolutions ? caps->resolutions[i].x && caps->resolutions[i].y :
		       !caps->resolutions[i].x && !caps->resolutions[i].y, "resolution %u is %ux%u",
		       i, caps->resolutions[i].x, caps->resolutions[i].y);
}

static void test_caps(unsigned int row)
{
	struct fax_caps caps = {};
	bool coder = here.function == FAX_FUNC_CODEC;
	uint32_t codings = 1u << FAX_ENC_MH | 1u << FAX_ENC_MR | 1u << FAX_ENC_MMR;

	ask(FAX_IOC_CAPS, &caps, offsetof(struct fax_caps, reserved));
	test_widths(&caps);
	test_resolutions(&caps);
	expect(!((caps.encodings | caps.decodings) & ~(codings | 1u << FAX_ENC_RAW)),
	       "unknown encodings %#x, %#x", caps.encodings, caps.decodings);
	expect(!coder || ((caps.encodings & codings) && (caps.decodings & codings)),
	       "a coder that codes nothing");
	expect(coder || !((caps.encodings | caps.decodings) & codings), "an engine that codes");
	expect(coder || caps.nresolutions, "an engine without resolutions");
	expect(caps.rows_max, "no rows");
	expect(!(caps.fmt_flags & ~FAX_FMT_FLAGS), "unknown flags %#x", caps.fmt_flags);
	expect(zero(caps.reserved, sizeof(caps.reserved)), "reserved words are not zero");
}

static void test_a4(unsigned int row)
{
	const struct fax_caps *caps = &node_of(FAX_FUNC_CODEC)->caps;

	expect(caps->width_min == 1 && caps->width_max == FAX_MAX_WIDTH && !caps->nwidths,
	       "the coder takes %u to %u", caps->width_min, caps->width_max);
}

static void test_status(unsigned int row)
{
	struct fax_status s = {};

	ask(FAX_IOC_STATUS, &s, offsetof(struct fax_status, reserved));
	expect(s.state <= FAX_STATE_SUSPENDED, "state %u", s.state);
	expect(!(s.conditions & ~0xffu) && !(s.latched & ~0xffu), "unknown conditions %#x, %#x",
	       s.conditions, s.latched);
	expect(!(s.conditions & ~s.latched), "conditions %#x, but latched %#x", s.conditions,
	       s.latched);
	expect(!s.claimed && !s.jobs, "claimed %u, %u jobs", s.claimed, s.jobs);
	expect(!s.pad && zero(s.reserved, sizeof(s.reserved)),
	       "pad or reserved words are not zero");
	expect(s.cpu_maps < UINT32_MAX && s.pages < UINT32_MAX, "counters were not filled in");
}

static void test_status_open(unsigned int row)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR };
	struct fax_info info = {};
	size_t i;
	int dev;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		dev = open(node_of(here.function)->path, flags[i]);
		expect(dev >= 0, "open: %s", strerror(errno));
		expect_errno(ioctl(dev, FAX_IOC_INFO, &info), 0, "INFO");
		status_of(dev);
		close(dev);
	}
}

/* /sys/dev/char/MAJOR:MINOR leads to the attributes. */
static void sysfs_path(const char *name, char *path, size_t size)
{
	struct stat st;

	expect(!stat(node_of(here.function)->path, &st), "stat");
	snprintf(path, size, "/sys/dev/char/%u:%u/%s", major(st.st_rdev), minor(st.st_rdev), name);
}

static void test_sysfs(unsigned int row)
{
	static const char *const names[] = {
		"function", "board", "state", "conditions", "encodings", "resolutions", "widths",
		"ieee1284_id", "api",
	};
	char path[PATH_MAX], text[4097];
	size_t i;
	ssize_t n;
	int fd;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		sysfs_path(names[i], path, sizeof(path));
		fd = open(path, O_RDONLY);
		expect(fd >= 0, "%s: %s", path, strerror(errno));
		n = read(fd, text, sizeof(text) - 1);
		expect(n >= 0, "%s: %s", path, strerror(errno));
		expect(!n || text[n - 1] == '\n', "%s does not end its line", names[i]);
		close(fd);
	}
}

static const struct rule table[] = {
	RULE("info", "INFO fills in every field; strings end", test_info, EACH_FUNC),
	RULE("board", "the functions of one board say so", test_same_board, NEEDS_CODEC),
	RULE("index", "index is the number of the node", test_index, EACH_FUNC),
	RULE("caps", "CAPS fills in every field; lists end in zeros", test_caps, EACH_FUNC),
	RULE("any-width", "the coder takes any width up to 16384", test_a4, NEEDS_CODEC),
	RULE("status", "STATUS fills in every field, and is quiet when nothing happens",
	     test_status, EACH_FUNC),
	RULE("any-mode", "INFO and STATUS answer whichever way the node was opened",
	     test_status_open, EACH_FUNC),
	RULE("sysfs", "every function has its attributes in sysfs", test_sysfs, EACH_FUNC),
};

const struct rules rules_info = { "info", table, ARRAY_SIZE(table) };
