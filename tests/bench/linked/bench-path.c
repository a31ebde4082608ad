// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a page costs the host, by three ways: linked jobs (the board moves the
 * page by itself), read() and write() with the coder in user space, libtiff.
 *
 *	bench-path [-n PAGES] PAGE.pbm
 *
 * CPU time is what the scheduler gave to all tasks of the machine together,
 * kernel threads included. The simulator's thread plays the hardware (its
 * interrupt handlers run in it); it is shown apart. Exit status: 1 if a goal
 * was missed.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <linux/fax.h>
#include <t4.h>
#include <tiffio.h>

#define SIM	    "/sys/kernel/config/faxsim"
#define BATCH	    50u /* what feeder and tray hold easily */
#define BOARDS	    4
#define BOARD_PAGES 24u
#define CODED_SIZE  (4u << 20)
#define GOAL_RATIO  20
#define GOAL_CALLS  6

static struct {
	uint32_t width, rows, stride;
	size_t bytes;
	uint8_t *pixels;
	uint8_t *coded; /* MMR with EOFB */
	size_t coded_len;
	char *pbm;
	size_t pbm_len;
} page;

static void die(const char *what, ...)
{
	va_list ap;

	va_start(ap, what);
	vfprintf(stdout, what, ap);
	va_end(ap);
	printf(": %s\n", strerror(errno));
	exit(2);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/*
 * Meters.
 */

struct meter {
	uint64_t host_ns;  /* all tasks but the simulator's threads */
	uint64_t board_ns; /* these */
	double wall;
};

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static struct meter meter(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char path[300], text[128];
	struct meter m = {};
	uint64_t ns;

	while (proc && (entry = readdir(proc))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/schedstat", entry->d_name);
		if (!read_text(path, text, sizeof(text)))
			continue;
		ns = strtoull(text, NULL, 10);
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (read_text(path, text, sizeof(text)) && !strncmp(text, "faxsim/", 7))
			m.board_ns += ns;
		else
			m.host_ns += ns;
	}
	if (proc)
		closedir(proc);
	m.wall = now();
	return m;
}

static void add(struct meter *sum, const struct meter *from, const struct meter *to)
{
	sum->host_ns += to->host_ns - from->host_ns;
	sum->board_ns += to->board_ns - from->board_ns;
	sum->wall += to->wall - from->wall;
}

/*
 * The board.
 */

struct board {
	char dir[80];
	int scan, print, coder;
	int pipe;
	int coded_fd;
	uint32_t coded;	     /* handle of a buffer for code */
	unsigned long calls; /* on fax and dma-buf descriptors */
};

static void knob(const struct board *b, const char *name, const void *data, size_t len)
{
	const char *from = data;
	char path[160];
	size_t done = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		die("%s", path);
	for (; done < len; done += n) {
		n = write(fd, from + done, len - done);
		if (n <= 0)
			die("%s", path);
	}
	close(fd);
}

/* Every call on a fax or dma-buf descriptor goes through here. */
static void call(struct board *b, int fd, unsigned long request, void *arg, const char *name)
{
	b->calls++;
	if (ioctl(fd, request, arg))
		die("%s", name);
}

static int open_node(const char *kind, int flags, const char *serial)
{
	struct fax_info info;
	char path[32];
	int i, fd;

	for (i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/dev/fax%s%d", kind, i);
		fd = open(path, flags);
		if (fd < 0)
			continue;
		memset(&info, 0, sizeof(info));
		if (!ioctl(fd, FAX_IOC_INFO, &info) && !strcmp((char *)info.serial, serial))
			return fd;
		close(fd);
	}
	die("no fax%s of board %s", kind, serial);
	return -1;
}

static void board_open(struct board *b, const char *name)
{
	/* few, large bands: each wakes the driver on both sides */
	struct fax_pipe_alloc pipe = { .width = page.width, .rows = 1188, .bands = 2 };
	struct fax_buf_alloc alloc = { .size = CODED_SIZE };
	struct fax_buf_map map = {};

	memset(b, 0, sizeof(*b));
	snprintf(b->dir, sizeof(b->dir), SIM "/%s", name);
	if (access(b->dir, F_OK)) {
		if (mkdir(b->dir, 0755))
			die("%s", b->dir);
		knob(b, "serial", name, strlen(name));
		knob(b, "live", "1", 1);
	}
	b->scan = open_node("scan", O_RDONLY, name);
	b->print = open_node("print", O_WRONLY, name);
	b->coder = open_node("codec", O_RDWR, name);
	call(b, b->coder, FAX_IOC_PIPE_ALLOC, &pipe, "PIPE_ALLOC");
	call(b, b->coder, FAX_IOC_BUF_ALLOC, &alloc, "BUF_ALLOC");
	map.fd = alloc.fd;
	call(b, b->coder, FAX_IOC_BUF_MAP, &map, "BUF_MAP");
	b->pipe = pipe.fd;
	b->coded_fd = alloc.fd;
	b->coded = map.buf;
}

static void feed(const struct board *b, uint32_t pages)
{
	while (pages--)
		knob(b, "feeder", page.pbm, page.pbm_len);
}

static void paper(const struct board *b, uint32_t pages)
{
	knob(b, "tray_clear", "1", 1);
	knob(b, "paper", "1000", 4);
}

static struct fax_fmt raw_fmt(void)
{
	return (struct fax_fmt){
		.width = page.width,
		.xres = FAX_RES_8_MM,
		.yres = FAX_RES_7_7_MM,
	};
}

/*
 * A page by each way.
 */

static void submit(struct board *b, int fd, uint32_t op, const struct fax_fmt *fmt,
		   const struct fax_seg *seg)
{
	struct fax_submit s = {
		.op = op,
		.fmt = *fmt,
		.pipe = b->pipe,
		.nsegs = !!seg,
		.segs = (uintptr_t)seg,
	};

	call(b, fd, FAX_IOC_SUBMIT, &s, "SUBMIT");
}

static struct fax_completion reap(struct board *b, int fd)
{
	struct fax_completion c = {};
	struct fax_reap r = {
		.completions = (uintptr_t)&c, .size = sizeof(c), .count = 1, .timeout_ms = 120000
	};

	call(b, fd, FAX_IOC_REAP, &r, "REAP");
	if (c.error) {
		errno = -c.error;
		die("a job (code %u)", c.code);
	}
	return c;
}

static void scan_linked(struct board *b)
{
	struct fax_seg seg = { .buf = b->coded, .dir = FAX_SEG_OUT, .length = CODED_SIZE };
	struct fax_fmt raw = raw_fmt(), code = raw;
	struct fax_completion c;

	code.encoding = FAX_ENC_MMR;
	code.flags = FAX_FMT_END;
	submit(b, b->coder, FAX_OP_ENCODE, &code, &seg);
	submit(b, b->scan, FAX_OP_SCAN, &raw, NULL);
	reap(b, b->scan);
	c = reap(b, b->coder);
	if (c.bytes_out != page.coded_len || c.rows != page.rows) {
		errno = EILSEQ;
		die("a page of %u rows, %llu bytes", c.rows, (unsigned long long)c.bytes_out);
	}
}

static void print_linked(struct board *b)
{
	struct fax_seg seg = {
		.buf = b->coded,
		.dir = FAX_SEG_IN,
		.length = page.coded_len,
		.encoding = FAX_ENC_MMR,
	};
	struct fax_fmt raw = raw_fmt();

	submit(b, b->coder, FAX_OP_DECODE, &raw, &seg);
	submit(b, b->print, FAX_OP_PRINT, &raw, NULL);
	reap(b, b->coder);
	if (reap(b, b->print).rows != page.rows)
		die("a page is short");
}

static uint8_t *work; /* a page, or its code */

/* Another open than the one with jobs. */
static int scan_stream = -1, print_stream = -1;

static void read_page(struct board *b)
{
	size_t len = 0;
	ssize_t n;

	for (;;) {
		b->calls++;
		n = read(scan_stream, work + len, page.bytes + 1 - len);
		if (n < 0)
			die("read");
		if (!n)
			break;
		len += n;
	}
	if (len != page.bytes)
		die("read %zu bytes", len);
}

static void encode_user(const uint8_t *pixels)
{
	static struct t4_encoder encoder;
	static uint8_t out[CODED_SIZE];
	struct t4_params p = { .width = page.width, .coding = T4_MMR, .flags = T4_F_END };
	size_t len, more;
	uint32_t taken;

	if (t4_encoder_init(&encoder, &p) ||
	    t4_encode(&encoder, pixels, page.stride, page.rows, &taken, out, sizeof(out), &len) ||
	    t4_encode_end(&encoder, out + len, sizeof(out) - len, &more) != T4_DONE ||
	    len + more != page.coded_len)
		die("the user-space coder");
}

static void scan_user(struct board *b)
{
	read_page(b);
	encode_user(work);
}

static void print_user(struct board *b)
{
	static struct t4_decoder decoder;
	struct t4_params p = { .width = page.width, .coding = T4_MMR };
	size_t taken, done = 0;
	uint32_t rows;
	ssize_t n;

	if (t4_decoder_init(&decoder, &p) ||
	    t4_decode(&decoder, page.coded, page.coded_len, true, &taken, work, page.stride,
		      page.rows + 1, &rows) != T4_DONE ||
	    rows != page.rows)
		die("the user-space coder");
	for (; done < page.bytes; done += n) {
		b->calls++;
		n = write(print_stream, work + done, page.bytes - done);
		if (n <= 0)
			die("write");
	}
	b->calls++;
	if (fsync(print_stream))
		die("fsync");
}

/* A TIFF in memory, for libtiff. */
static struct {
	uint8_t *data;
	size_t size, at, room;
} file;

static tmsize_t file_read(thandle_t handle, void *to, tmsize_t n)
{
	if (file.at >= file.size)
		return 0;
	if ((size_t)n > file.size - file.at)
		n = file.size - file.at;
	memcpy(to, file.data + file.at, n);
	file.at += n;
	return n;
}

static tmsize_t file_write(thandle_t handle, void *from, tmsize_t n)
{
	if (file.at + n > file.room)
		return 0;
	memcpy(file.data + file.at, from, n);
	file.at += n;
	if (file.at > file.size)
		file.size = file.at;
	return n;
}

static toff_t file_seek(thandle_t handle, toff_t off, int whence)
{
	file.at = whence == SEEK_SET ? off : whence == SEEK_CUR ? file.at + off : file.size + off;
	return file.at;
}

static int file_close(thandle_t handle)
{
	return 0;
}

static toff_t file_size(thandle_t handle)
{
	return file.size;
}

static TIFF *file_open(const char *mode)
{
	TIFF *tiff = TIFFClientOpen("page", mode, &file, file_read, file_write, file_seek,
				    file_close, file_size, NULL, NULL);

	if (!tiff)
		die("libtiff");
	return tiff;
}

static void encode_tiff(struct board *b)
{
	TIFF *tiff;

	file.size = file.at = 0;
	tiff = file_open("wm");
	TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, page.width);
	TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, page.rows);
	TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 1);
	TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
	TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, page.rows);
	TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_CCITTFAX4);
	TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
	memcpy(work, page.pixels, page.bytes); /* as read() would */
	if (TIFFWriteEncodedStrip(tiff, 0, work, page.bytes) != (tmsize_t)page.bytes)
		die("libtiff");
	TIFFClose(tiff);
}

static void decode_tiff(struct board *b)
{
	TIFF *tiff;

	file.at = 0;
	tiff = file_open("rm");
	if (TIFFReadEncodedStrip(tiff, 0, work, page.bytes) != (tmsize_t)page.bytes ||
	    memcmp(work, page.pixels, page.bytes))
		die("libtiff");
	TIFFClose(tiff);
}

/*
 * Runs.
 */

struct result {
	double host_us; /* a page */
	double board_us;
	double calls;
};

static struct fax_status status_of(int dev)
{
	struct fax_status status = {};

	if (ioctl(dev, FAX_IOC_STATUS, &status))
		die("STATUS");
	return status;
}

static struct result run(struct board *b, uint32_t pages, void (*one)(struct board *b), bool feeds,
			 bool prints)
{
	struct meter sum = {}, from, to;
	uint32_t done = 0, i, n;
	struct result r;

	b->calls = 0;
	for (; done < pages; done += n) {
		n = pages - done < BATCH ? pages - done : BATCH;
		if (feeds)
			feed(b, n);
		if (prints)
			paper(b, n);
		from = meter();
		for (i = 0; i < n; i++)
			one(b);
		to = meter();
		add(&sum, &from, &to);
	}
	r.host_us = sum.host_ns / 1e3 / pages;
	r.board_us = sum.board_ns / 1e3 / pages;
	r.calls = (double)b->calls / pages;
	return r;
}

static struct result show(const char *name, uint32_t pages, struct result r)
{
	printf("%-34s %6u %12.0f %12.0f %8.1f\n", name, pages, r.host_us, r.board_us, r.calls);
	fflush(stdout);
	return r;
}

static bool goal(const char *what, bool kept)
{
	printf("%-58s %s\n", what, kept ? "kept" : "MISSED");
	return kept;
}

/* 1, 10, ... pages: what a page costs must not grow. */
static struct result run_lengths(struct board *b, const char *name, uint32_t pages,
				 void (*one)(struct board *b), bool feeds, bool prints)
{
	struct result r = {};
	uint32_t n;

	run(b, 1, one, feeds, prints); /* warm */
	for (n = 1; n < pages; n *= 10)
		show(name, n, run(b, n, one, feeds, prints));
	r = show(name, pages, run(b, pages, one, feeds, prints));
	return r;
}

static void *board_thread(void *arg)
{
	struct board *b = arg;
	uint32_t i;

	for (i = 0; i < BOARD_PAGES; i++)
		scan_linked(b);
	return NULL;
}

static void run_boards(struct board *boards, int n)
{
	pthread_t threads[BOARDS];
	struct meter from, to, sum = {};
	int i;

	for (i = 0; i < n; i++)
		feed(&boards[i], BOARD_PAGES);
	from = meter();
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, board_thread, &boards[i]))
			die("pthread_create");
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	to = meter();
	add(&sum, &from, &to);
	printf("%d board%s %6.0f pages a minute, host %3.1f %% of a CPU, simulators' threads %5.1f "
	       "%%\n",
	       n, n == 1 ? ": " : "s:", n * BOARD_PAGES * 60 / sum.wall,
	       sum.host_ns / 1e7 / sum.wall, sum.board_ns / 1e7 / sum.wall);
	fflush(stdout);
}

static void load_page(const char *path)
{
	static struct t4_encoder encoder;
	struct t4_params p = { .coding = T4_MMR, .flags = T4_F_END };
	FILE *in = fopen(path, "r");
	size_t head, more;
	uint32_t taken;
	struct stat st;

	if (!in || fstat(fileno(in), &st))
		die("%s", path);
	page.pbm_len = st.st_size;
	page.pbm = malloc(page.pbm_len);
	if (!page.pbm || fread(page.pbm, 1, page.pbm_len, in) != page.pbm_len)
		die("%s", path);
	rewind(in);
	if (fscanf(in, "P4 %u %u", &page.width, &page.rows) != 2)
		die("%s: not PBM", path);
	head = ftell(in) + 1;
	fclose(in);
	page.stride = (page.width + 7) / 8;
	page.bytes = (size_t)page.stride * page.rows;
	if (head + page.bytes > page.pbm_len)
		die("%s: too short", path);
	page.pixels = (uint8_t *)page.pbm + head;
	page.coded = malloc(CODED_SIZE);
	work = malloc(page.bytes + page.stride);
	file.room = CODED_SIZE;
	file.data = malloc(CODED_SIZE);
	p.width = page.width;
	if (!page.coded || !work || !file.data || t4_encoder_init(&encoder, &p) ||
	    t4_encode(&encoder, page.pixels, page.stride, page.rows, &taken, page.coded, CODED_SIZE,
		      &page.coded_len) ||
	    t4_encode_end(&encoder, page.coded + page.coded_len, CODED_SIZE - page.coded_len,
			  &more) != T4_DONE)
		die("%s", path);
	page.coded_len += more;
}

/* Code that came by mail, put where the board reads it: the one time a CPU sees the buffer. */
static void put_code(const struct board *b)
{
	void *mem = mmap(NULL, CODED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, b->coded_fd, 0);

	if (mem == MAP_FAILED)
		die("mmap");
	memcpy(mem, page.coded, page.coded_len);
	munmap(mem, CODED_SIZE);
}

int main(int argc, char **argv)
{
	static const char *const names[BOARDS] = { "sim0", "sim1", "sim2", "sim3" };
	struct result scan, print, tiff_scan, tiff_print;
	struct fax_status before, middle, after;
	struct board boards[BOARDS];
	uint32_t pages = 100, soft;
	uint64_t touched;
	char text[80];
	bool kept;
	int i, c;

	while ((c = getopt(argc, argv, "n:")) == 'n')
		pages = strtoul(optarg, NULL, 10);
	if (c != -1 || optind + 1 != argc || !pages)
		return 2;
	load_page(argv[optind]);
	board_open(&boards[0], names[0]);
	soft = pages < 20 ? pages : 20;

	printf("a page: %u x %u, %zu bytes, %zu as MMR\n\n", page.width, page.rows, page.bytes,
	       page.coded_len);
	printf("%-34s %6s %12s %12s %8s\n", "", "pages", "host us/page", "board us/p.", "calls/p.");
	before = status_of(boards[0].coder);
	scan = run_lengths(&boards[0], "scan to MMR, linked", pages, scan_linked, true, false);
	middle = status_of(boards[0].coder);
	put_code(&boards[0]);
	touched = middle.cpu_maps - before.cpu_maps + middle.cpu_accesses - before.cpu_accesses;
	before = status_of(boards[0].coder);
	print = run_lengths(&boards[0], "MMR to print, linked", pages, print_linked, false, true);
	after = status_of(boards[0].coder);
	touched += after.cpu_maps - before.cpu_maps + after.cpu_accesses - before.cpu_accesses;

	scan_stream = open_node("scan", O_RDONLY, names[0]);
	show("read() and coder in user space", soft, run(&boards[0], soft, scan_user, true, false));
	close(scan_stream);
	print_stream = open_node("print", O_WRONLY, names[0]);
	show("coder in user space and write()", soft,
	     run(&boards[0], soft, print_user, false, true));
	close(print_stream);
	tiff_scan = show("pixels to G4 by libtiff, no I/O", soft,
			 run(&boards[0], soft, encode_tiff, false, false));
	tiff_print = show("G4 to pixels by libtiff, no I/O", soft,
			  run(&boards[0], soft, decode_tiff, false, false));

	printf("\nCPU maps and CPU accesses of page buffers on the linked path: %llu\n",
	       (unsigned long long)touched);
	printf("bytes of pixels touched by the CPU: %llu\n\n",
	       (unsigned long long)(touched ? page.bytes * touched : 0));
	for (i = 1; i < BOARDS; i++)
		board_open(&boards[i], names[i]);
	run_boards(boards, 1);
	run_boards(boards, 2);
	run_boards(boards, 4);

	printf("\n");
	kept = goal("no pixel touched by the CPU", !touched);
	kept &= goal("at most 6 calls a page",
		     scan.calls <= GOAL_CALLS && print.calls <= GOAL_CALLS);
	snprintf(text, sizeof(text), "scan: 1/%.0f of libtiff's CPU time (goal 1/%d)",
		 tiff_scan.host_us / scan.host_us, GOAL_RATIO);
	kept &= goal(text, scan.host_us * GOAL_RATIO <= tiff_scan.host_us);
	snprintf(text, sizeof(text), "print: 1/%.0f of libtiff's CPU time (goal 1/%d)",
		 tiff_print.host_us / print.host_us, GOAL_RATIO);
	kept &= goal(text, print.host_us * GOAL_RATIO <= tiff_print.host_us);
	return !kept;
}
