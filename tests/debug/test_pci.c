// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The board driver's PCI part, on a bus without hardware: boards that lack
 * something are refused, and nothing of them stays; one that lacks nothing
 * works, sleeps, wakes, and may be taken and given back.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fax/board_regs.h"
#include "../uapi/uapi_test.h"

#define BOX	"/sys/kernel/config/faxsim/box"
#define LACKS	"/sys/module/faxsim/parameters/lacks"
#define DRIVER	"/sys/bus/pci/drivers/faxboard"
#define DEVICES	"/sys/bus/pci/devices/"
#define ROWS	300u

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
}

static bool says(const char *path, const char *text)
{
	char line[64] = "";
	int fd = open(path, O_RDONLY);
	bool same;

	if (fd < 0)
		return false;
	same = read(fd, line, sizeof(line) - 1) > 0 && !strncmp(line, text, strlen(text));
	close(fd);
	return same;
}

static size_t count(const char *pattern)
{
	glob_t found;
	size_t n;

	n = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
	globfree(&found);
	return n;
}

/* A board in the slot behind that of sim0. */
static void plug(const char *lacks)
{
	put(LACKS, lacks);
	if (mkdir(BOX, 0755))
		bail("mkdir: %s", strerror(errno));
	put(BOX "/live", "1");
	put(LACKS, "0");
}

static void unplug(void)
{
	put(BOX "/live", "0");
	if (rmdir(BOX))
		bail("rmdir: %s", strerror(errno));
}

/* As kernel/sim/pci.c counts them. */
static const char *const lacks[] = {
	"a BAR", "a BAR long enough", "a message for its interrupt",
	"a platform that reaches 64 bits", "the id of a fax board", "an end of its reset",
};

static void test_refused(void)
{
	size_t nodes = count("/dev/fax*[0-9]"), bound = count(DRIVER "/0000:*");
	size_t devices = count(DEVICES "0000:01:*");
	unsigned int i;
	char number[8];

	for (i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		snprintf(number, sizeof(number), "%u", i + 1);
		plug(number);
		check(count(DEVICES "0000:01:*") == devices + 1,
		      "a board without %s: the bus finds it", lacks[i]);
		check(count(DRIVER "/0000:*") == bound && count("/dev/fax*[0-9]") == nodes,
		      "its driver does not take it");
		check(says("/sys/kernel/debug/faxsim/box/dma_windows", "0"),
		      "and leaves no memory mapped");
		check(says(DEVICES "0000:01:01.0/enable", "0"), "nor the device enabled");
		unplug();
	}
	check_u64(count(DEVICES "0000:01:*"), devices, "none of them stays on the bus");
}

static bool encodes(const char *node)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	uint8_t *page = page_make(A4_WIDTH, ROWS, 11), *code;
	int dev = wait_dev(node, O_RDWR);
	struct buf raw = buf_new(dev, ROWS * A4_STRIDE), out = buf_new(dev, 1 << 18);
	struct fax_seg segs[] = { seg_in(&raw, 0, ROWS * A4_STRIDE), seg_out(&out, 0, 1 << 18) };
	struct fax_completion done;
	size_t len;
	bool same;

	memcpy(raw.mem, page, ROWS * A4_STRIDE);
	code = t4_code(page, &fmt, &len);
	must_submit(dev, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	done = must_reap(dev);
	same = !done.code && done.bytes_out == len && !memcmp(out.mem, code, len);
	buf_free(dev, &raw);
	buf_free(dev, &out);
	close(dev);
	free(page);
	free(code);
	return same;
}

/* Interrupts of a line in /proc/interrupts that names the driver, all together; -1: no line */
static long interrupts(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[256];
	long n, sum = -1;

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "faxboard") && sscanf(line, " %*[^:]: %ld", &n) == 1)
			sum = (sum < 0 ? 0 : sum) + n;
	if (f)
		fclose(f);
	return sum;
}

/* The word of configuration space at @at. */
static unsigned int config(const char *device, off_t at)
{
	char path[128];
	uint16_t word = 0;
	int fd;

	snprintf(path, sizeof(path), DEVICES "%s/config", device);
	fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, &word, sizeof(word), at) != sizeof(word))
		bail("%s: %s", path, strerror(errno));
	close(fd);
	return word;
}

static void test_taken(void)
{
	long before = interrupts();

	check(encodes(CODER), "sim0 encodes a page");
	check(before >= 0 && interrupts() > before, "it interrupts by messages (%ld, %ld)", before,
	      interrupts());
	plug("0");
	check(encodes("/dev/faxcodec1"), "another board beside it does too");
	put(DRIVER "/unbind", "0000:01:01.0");
	check(access("/dev/faxcodec1", F_OK), "unbound, it has no nodes");
	check(!(config("0000:01:01.0", 4) & 4), "is no bus master any more");
	check(!(config("0000:01:01.0", 0x52) & 1), "sends no messages");
	check(says("/sys/kernel/debug/faxsim/box/dma_windows", "0"), "and has no memory mapped");
	put(DRIVER "/bind", "0000:01:01.0");
	check(encodes("/dev/faxcodec1"), "bound again it encodes");
	unplug();
	check(access("/dev/faxcodec1", F_OK), "unplugged, it has no nodes");
	check(encodes(CODER), "sim0 still encodes");
}

static bool comes_to(const char *path, const char *state)
{
	int i;

	for (i = 0; i < 2000 && !says(path, state); i++)
		usleep(10000);
	return says(path, state);
}

static void test_sleep(void)
{
	const char *power = "/sys/class/fax/faxcodec0/device/power/";
	char status[128], control[128], name[32];

	snprintf(name, sizeof(name), "%s", sim_device(CODER, ""));
	snprintf(status, sizeof(status), "%sruntime_status", power);
	snprintf(control, sizeof(control), "%scontrol", power);
	put(control, "auto");
	check(comes_to(status, "suspended"), "unused, the board goes to sleep by itself");
	check(encodes(CODER), "an open wakes it: it encodes");
	check(comes_to(status, "suspended"), "and it sleeps again");
	/* reading configuration space wakes it */
	put(control, "on");
	check(says(status, "active") && !(config(name, 0x44) & 3), "kept awake, it has power");
}

int main(void)
{
	if (access(LACKS, F_OK) || access(DRIVER, F_OK)) {
		check(true, "the board behind PCI # SKIP the simulator is on another bus");
		return done_testing();
	}
	sim_reset();
	test_refused();
	test_taken();
	test_sleep();
	return done_testing();
}
