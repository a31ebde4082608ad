// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every call with its first allocation failing, then with its second, and so
 * on until it needs no more: each time it fails cleanly or does without, and
 * the call after it works. Whether anything was lost is seen at the end, when
 * the modules have gone and kmemleak looks.
 *
 * The kernel's fault injection counts copies from and to the user as well.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/dma-buf.h>

#include "../uapi/uapi_test.h"

#define ROWS	200u
#define BOX	"/sys/kernel/config/faxsim/box"
#define MOST	3000u	/* allocations of one call */

static int fail_nth;

/* The n-th allocation from here on fails, in this thread; 0 = none. */
static void arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	/* if this itself was next in turn, it is so only once */
	if (pwrite(fail_nth, text, len, 0) != len && pwrite(fail_nth, text, len, 0) != len)
		bail("fail-nth: %s", strerror(errno));
}

/* Did it fail? To be asked once, before anything else may fail. */
static bool failed(void)
{
	char text[16] = "";
	ssize_t len = pread(fail_nth, text, sizeof(text) - 1, 0);

	/* that itself fails if it is the next in turn */
	return len > 0 && !strtoul(text, NULL, 10);
}

static void knob(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
}

struct path {
	const char *name;
	void (*before)(void);	/* may be NULL, as the one after */
	int (*call)(void);	/* 0 or -errno; once called again it may succeed */
	void (*after)(int ret);	/* back to where it was */
};

static bool is_clean(int ret)
{
	return !ret || ret == -ENOMEM || ret == -EFAULT;
}

static void sweep(const struct path *p)
{
	unsigned int n, injected = 0, odd = 0;
	bool hit = true;
	int ret = 0, last = 0;

	for (n = 1; hit && n < MOST; n++) {
		if (p->before)
			p->before();
		arm(n);
		ret = p->call();
		hit = failed();
		arm(0);
		injected += hit;
		if (!is_clean(ret)) {
			last = ret;
			odd++;
		}
		if (p->after)
			p->after(ret);
	}
	if (odd)
		printf("# %u times another error, such as: %s\n", odd, strerror(-last));
	check(!hit && !ret && !odd, "%s: %u failures", p->name, injected);
}

/*
 * The calls.
 */
static int scan, print, coder, fd, pipe_fd;
static uint32_t job;
static struct buf raw, coded, big;
static struct fax_buf_map map;
static uint8_t *page, *code;
static size_t code_len;

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

static int call_open(void)
{
	fd = open(CODER, O_RDWR);
	return result(fd);
}

static void after_open(int ret)
{
	if (!ret)
		close(fd);
}

static int call_info(void)
{
	struct fax_info arg = {};

	return result(ioctl(coder, FAX_IOC_INFO, &arg));
}

static int call_caps(void)
{
	struct fax_caps arg = {};

	return result(ioctl(coder, FAX_IOC_CAPS, &arg));
}

static int call_status(void)
{
	struct fax_status arg = {};

	return result(ioctl(scan, FAX_IOC_STATUS, &arg));
}

static int call_get_fmt(void)
{
	struct fax_fmt arg = {};

	return result(ioctl(scan, FAX_IOC_GET_FMT, &arg));
}

static int call_try_fmt(void)
{
	struct fax_fmt arg = fmt_raw(A4_WIDTH, 0);

	return result(ioctl(scan, FAX_IOC_TRY_FMT, &arg));
}

static int call_set_fmt(void)
{
	struct fax_fmt arg = fmt_raw(A4_WIDTH, 0);

	return result(ioctl(scan, FAX_IOC_SET_FMT, &arg));
}

static int call_buf_alloc(void)
{
	struct fax_buf_alloc arg = { .size = 1 << 20, .flags = O_CLOEXEC };
	int ret = result(ioctl(coder, FAX_IOC_BUF_ALLOC, &arg));

	fd = arg.fd;
	return ret;
}

static void before_buf_map(void)
{
	if (call_buf_alloc())
		bail("BUF_ALLOC: %s", strerror(errno));
}

static int call_buf_map(void)
{
	map = (struct fax_buf_map){ .fd = fd };
	return result(ioctl(coder, FAX_IOC_BUF_MAP, &map));
}

static int call_buf_unmap(void)
{
	struct fax_buf_unmap arg = { .buf = map.buf };

	return result(ioctl(coder, FAX_IOC_BUF_UNMAP, &arg));
}

static void after_buf_map(int ret)
{
	if (!ret && call_buf_unmap())
		bail("BUF_UNMAP: %s", strerror(errno));
	close(fd);
}

static void before_buf_unmap(void)
{
	before_buf_map();
	if (call_buf_map())
		bail("BUF_MAP: %s", strerror(errno));
}

/* A copy that failed on the way out does not map it again. */
static void after_buf_unmap(int ret)
{
	if (ret && call_buf_unmap() && errno != EINVAL)
		bail("BUF_UNMAP: %s", strerror(errno));
	close(fd);
}

static int call_mmap(void)
{
	void *mem = mmap(NULL, big.size, PROT_READ | PROT_WRITE, MAP_SHARED, big.fd, 0);

	if (mem == MAP_FAILED)
		return -errno;
	munmap(mem, big.size);
	return 0;
}

static int call_sync(void)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	int ret = result(ioctl(raw.fd, DMA_BUF_IOCTL_SYNC, &sync));

	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	return ret ?: result(ioctl(raw.fd, DMA_BUF_IOCTL_SYNC, &sync));
}

static int call_pipe_alloc(void)
{
	struct fax_pipe_alloc arg = { .width = A4_WIDTH, .rows = 64, .bands = 4 };
	int ret = result(ioctl(coder, FAX_IOC_PIPE_ALLOC, &arg));

	fd = arg.fd;
	return ret;
}

static int call_encode(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	struct fax_seg segs[] = { seg_in(&raw, 0, ROWS * A4_STRIDE), seg_out(&coded, 0, 65536) };

	return submit(coder, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2, NULL);
}

/* The job, if there is one: a copy that failed on the way out does not take it back. */
static void end_job(int dev, int ret)
{
	struct fax_completion c;

	if (!ret) {
		c = must_reap(dev);
		if (c.code)
			bail("the job ends with code %u, peer %u", c.code, c.peer_code);
	}
	cancel(dev, 0);
	while (status_of(dev).jobs)
		usleep(1000);
	while (!reap(dev, &c, 0))
		;
}

static void after_coder_job(int ret)
{
	end_job(coder, ret);
}

static int call_decode(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	struct fax_seg segs[] = { seg_in(&coded, 0, code_len),
				  seg_out(&raw, 0, ROWS * A4_STRIDE) };

	fmt.xres = 0;
	fmt.yres = 0;
	segs[0].encoding = FAX_ENC_MMR;
	segs[0].rows = ROWS;
	return submit(coder, FAX_OP_DECODE, 0, &fmt, -1, segs, 2, NULL);
}

static void before_decode(void)
{
	memcpy(coded.mem, code, code_len);
}

static void before_scan(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
	struct fax_seg seg = seg_out(&coded, 0, 65536);

	sim_feed(page, A4_WIDTH, ROWS);
	pipe_fd = pipe_new(coder, A4_WIDTH, 64, 4);
	job = must_submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe_fd, &seg, 1);
}

static int call_scan(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, 0);

	return submit(scan, FAX_OP_SCAN, 0, &fmt, pipe_fd, NULL, 0, NULL);
}

static void after_scan(int ret)
{
	close(pipe_fd);
	end_job(scan, ret);
	must_reap(coder);
	sim_set("feeder_clear", "1");
}

/* A page from the decoder waits for the printer, whose SUBMIT is what may fail. */
static void before_print(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);
	struct fax_seg seg = seg_in(&coded, 0, code_len);

	memcpy(coded.mem, code, code_len);
	fmt.xres = 0;
	fmt.yres = 0;
	seg.encoding = FAX_ENC_MMR;
	seg.rows = ROWS;
	pipe_fd = pipe_new(coder, A4_WIDTH, 64, 4);
	job = must_submit(coder, FAX_OP_DECODE, 0, &fmt, pipe_fd, &seg, 1);
}

static int call_print(void)
{
	struct fax_fmt fmt = fmt_raw(A4_WIDTH, ROWS);

	return submit(print, FAX_OP_PRINT, 0, &fmt, pipe_fd, NULL, 0, NULL);
}

/* The decoder ends either way: with the page, or since the pipe has no other end any more. */
static void after_print(int ret)
{
	close(pipe_fd);
	end_job(print, ret);
	must_reap(coder);
	sim_set("tray_clear", "1");
}

/* A job that found no room, as OUT_FULL leaves it. */
static void before_resume(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	struct fax_seg segs[] = { seg_in(&raw, 0, ROWS * A4_STRIDE), seg_out(&coded, 0, 64) };

	memcpy(raw.mem, page, ROWS * A4_STRIDE);
	job = must_submit(coder, FAX_OP_ENCODE, 0, &fmt, -1, segs, 2);
	if (must_reap(coder).code != FAX_CODE_OUT_FULL)
		bail("there was room");
}

static int call_resume(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);
	struct fax_seg seg = seg_out(&coded, 64, 65536 - 64);

	return submit(coder, FAX_OP_ENCODE, FAX_SUBMIT_RESUME, &fmt, -1, &seg, 1, &job);
}

static void before_cancel(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, 0, 0);
	struct fax_seg seg = seg_out(&coded, 0, 65536);

	pipe_fd = pipe_new(coder, A4_WIDTH, 64, 4);
	job = must_submit(coder, FAX_OP_ENCODE, 0, &fmt, pipe_fd, &seg, 1);
}

static int call_cancel(void)
{
	return cancel(coder, job);
}

static void after_cancel(int ret)
{
	if (ret)
		cancel(coder, job);
	must_reap(coder);
	close(pipe_fd);
}

static void before_reap(void)
{
	before_cancel();
	cancel(coder, job);
	close(pipe_fd);
}

static struct fax_completion reaped;

static int call_reap(void)
{
	reaped.job = 0;
	return reap(coder, &reaped, 0);
}

/* What could not be handed over stays. */
static void after_reap(int ret)
{
	if (ret && !reaped.job && reap(coder, &reaped, 0))
		bail("a completion was lost");
}

static int call_claim(void)
{
	struct fax_claim arg = { .flags = FAX_NONBLOCK };

	return result(ioctl(scan, FAX_IOC_CLAIM, &arg));
}

static void after_claim(int ret)
{
	ioctl(scan, FAX_IOC_RELEASE);
}

static void before_release(void)
{
	if (call_claim())
		bail("CLAIM: %s", strerror(errno));
}

static int call_release(void)
{
	return result(ioctl(scan, FAX_IOC_RELEASE));
}

static int call_reset(void)
{
	return result(ioctl(coder, FAX_IOC_RESET));
}

static int call_event(void)
{
	struct fax_event arg = {};

	return result(ioctl(coder, FAX_IOC_EVENT, &arg));
}

static void before_event(void)
{
	if (call_reset())
		bail("RESET: %s", strerror(errno));
}

static void after_event(int ret)
{
	int flags = fcntl(coder, F_GETFL);

	fcntl(coder, F_SETFL, flags | O_NONBLOCK);
	while (!call_event())
		;
	fcntl(coder, F_SETFL, flags);
}

static void before_read(void)
{
	sim_feed(page, A4_WIDTH, ROWS);
	fd = open_dev(SCANNER, O_RDONLY);
}

static int call_read(void)
{
	static uint8_t rows[4096];

	return result(read(fd, rows, sizeof(rows)));
}

static void after_read(int ret)
{
	close(fd);
	sim_set("feeder_clear", "1");
}

static void before_write(void)
{
	fd = open_dev(PRINTER, O_WRONLY);
}

static int call_write(void)
{
	return result(write(fd, page, 4096));
}

static void after_write(int ret)
{
	close(fd);
	sim_set("tray_clear", "1");
}

static int call_feed(void)
{
	int feeder = open("/sys/kernel/config/faxsim/sim0/feeder", O_WRONLY), ret;

	if (feeder < 0)
		return -errno;
	ret = result(write(feeder, "P4\n8 2\n\x55\xaa", 9));
	close(feeder);
	return ret;
}

static void after_feed(int ret)
{
	sim_set("feeder_clear", "1");
}

static int call_mkdir(void)
{
	return result(mkdir(BOX, 0755));
}

static void after_mkdir(int ret)
{
	if (!ret && rmdir(BOX))
		bail("rmdir: %s", strerror(errno));
}

static void before_live(void)
{
	if (call_mkdir())
		bail("mkdir: %s", strerror(errno));
}

static int box_live(const char *value)
{
	int live = open(BOX "/live", O_WRONLY), ret;

	if (live < 0)
		return -errno;
	ret = result(write(live, value, 1));
	close(live);
	return ret;
}

/* A board whose driver could not take it is there, but has no functions. */
static int call_live(void)
{
	int ret = box_live("1");

	/* what device_add() says of a device whose name found no memory */
	return ret == -EINVAL ? -ENOMEM : ret;
}

static void after_live(int ret)
{
	if (box_live("0") || rmdir(BOX))
		bail("the box does not go: %s", strerror(errno));
}

/* The box's driver lets go of it, to be given it again. */
static char box_driver[64], box_device[64];

static int to_driver(const char *what)
{
	char file[160];
	int driver, ret;

	snprintf(file, sizeof(file), "/sys/bus/%s/drivers/%s/%s",
		 strcmp(box_driver, "faxsim") ? "pci" : "platform", box_driver, what);
	driver = open(file, O_WRONLY);
	if (driver < 0)
		return -errno;
	ret = result(write(driver, box_device, strlen(box_device)));
	close(driver);
	return ret;
}

/* Comes with the first call, and goes with leave_box(). */
static void enter_box(void)
{
	if (!access(BOX, F_OK))
		return;
	before_live();
	if (call_live())
		bail("the box does not come");
	close(wait_dev("/dev/faxcodec1", O_RDWR));
	snprintf(box_driver, sizeof(box_driver), "%s", sim_device("/dev/faxcodec1", "/driver"));
	snprintf(box_device, sizeof(box_device), "%s", sim_device("/dev/faxcodec1", ""));
}

static void leave_box(void)
{
	if (!access(BOX, F_OK))
		after_live(0);
}

/* It has no nodes where the driver did not take it. */
static void before_bind(void)
{
	enter_box();
	if (!access("/sys/class/fax/faxcodec1", F_OK) && to_driver("unbind"))
		bail("the driver does not let go: %s", strerror(errno));
}

static int call_bind(void)
{
	int ret = to_driver("bind");

	/* what the PCI core says of an interrupt, and of a BAR, for which it found no memory */
	return ret == -ENOSPC || ret == -EBUSY ? -ENOMEM : ret;
}

static const struct path paths[] = {
	{ "open()", NULL, call_open, after_open },
	{ "INFO", NULL, call_info, NULL },
	{ "CAPS", NULL, call_caps, NULL },
	{ "STATUS", NULL, call_status, NULL },
	{ "GET_FMT", NULL, call_get_fmt, NULL },
	{ "TRY_FMT", NULL, call_try_fmt, NULL },
	{ "SET_FMT", NULL, call_set_fmt, NULL },
	{ "BUF_ALLOC", NULL, call_buf_alloc, after_open },
	{ "BUF_MAP", before_buf_map, call_buf_map, after_buf_map },
	{ "BUF_UNMAP", before_buf_unmap, call_buf_unmap, after_buf_unmap },
	{ "mmap()", NULL, call_mmap, NULL },
	{ "a buffer's SYNC", NULL, call_sync, NULL },
	{ "PIPE_ALLOC", NULL, call_pipe_alloc, after_open },
	{ "SUBMIT of ENCODE", NULL, call_encode, after_coder_job },
	{ "SUBMIT of DECODE", before_decode, call_decode, after_coder_job },
	{ "SUBMIT of SCAN to a pipe", before_scan, call_scan, after_scan },
	{ "SUBMIT of PRINT from a pipe", before_print, call_print, after_print },
	{ "SUBMIT with RESUME", before_resume, call_resume, after_coder_job },
	{ "CANCEL", before_cancel, call_cancel, after_cancel },
	{ "REAP", before_reap, call_reap, after_reap },
	{ "CLAIM", NULL, call_claim, after_claim },
	{ "RELEASE", before_release, call_release, after_claim },
	{ "RESET", NULL, call_reset, after_event },
	{ "EVENT", before_event, call_event, after_event },
	{ "read()", before_read, call_read, after_read },
	{ "write()", before_write, call_write, after_write },
	{ "feeding an original", NULL, call_feed, after_feed },
	{ "a new box", NULL, call_mkdir, after_mkdir },
	{ "plugging in", before_live, call_live, after_live },
	{ "giving a board to its driver", before_bind, call_bind, NULL },
};

static void prepare(void)
{
	struct fax_fmt fmt = fmt_coded(FAX_ENC_MMR, A4_WIDTH, ROWS, FAX_FMT_END);

	page = page_make(A4_WIDTH, ROWS, 99);
	code = t4_code(page, &fmt, &code_len);
	scan = open_dev(SCANNER, O_RDONLY);
	print = open_dev(PRINTER, O_WRONLY);
	coder = open_dev(CODER, O_RDWR);
	raw = buf_new(coder, 1 << 16);
	coded = buf_new(coder, 1 << 16);
	big = buf_new(coder, 1 << 20);
	/* page faults of our own are not what is to fail */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		bail("mlockall: %s", strerror(errno));
	knob("failslab/ignore-gfp-wait", "N");
	knob("failslab/verbose", "0");
	knob("fail_page_alloc/ignore-gfp-wait", "N");
	knob("fail_page_alloc/min-order", "0");
	knob("fail_page_alloc/verbose", "0");
	knob("fail_usercopy/verbose", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (fail_nth < 0)
		bail("fail-nth: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	/* its core oopses on a device that device_add() found no memory for */
	bool on_pci = strcmp(sim_device(CODER, "/driver"), "faxsim");
	unsigned int i;

	if (access("/proc/thread-self/fail-nth", R_OK)) {
		check(true, "failing allocations # SKIP this kernel injects no faults");
		return done_testing();
	}
	sim_reset();
	prepare();
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if ((argc < 2 || !strcmp(argv[1], paths[i].name)) &&
		    (paths[i].call != call_live || !on_pci))
			sweep(&paths[i]);
	leave_box();
	buf_free(coder, &raw);
	buf_free(coder, &coded);
	buf_free(coder, &big);
	close(scan);
	close(print);
	close(coder);
	sim_reset();
	return done_testing();
}
