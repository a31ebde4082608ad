// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a page costs the host, by three ways: linked jobs (the board moves the
 * page by itself), read() and write() with the coder in user space, libtiff.
 *
 *	bench-path [-n PAGES] PAGE.pbm
 *
 * CPU time is what the scheduler gave to all tasks of the machine together,
 * kernel threads included, but for what reading that takes. The simulator's
 * thread plays the hardware and is shown apart; the driver's interrupt handler,
 * which runs in it, counts for the host. Exit status: 1 if a goal was missed.
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
#define DEBUG	    "/sys/kernel/debug/faxsim"
#define BATCH	    10u
#define BOARDS	    4
#define BOARD_PAGES 6u
#define BOARD_SPEED 60u /* pages a minute */
#define CODED_SIZE  (4u << 20)
#define GOAL_RATIO  20
#define GOAL_CALLS  6
#define GOAL_GROWTH 1.5

static const char *const names[BOARDS] = { "sim0", "sim1", "sim2", "sim3" };

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

/* Of this program, all its threads. */
static uint64_t own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* What the driver did inside the simulators' threads, of all boards. */
static uint64_t interrupt_ns(void)
{
	char path[100], text[32];
	uint64_t ns = 0;

	for (int i = 0; i < BOARDS; i++) {
		snprintf(path, sizeof(path), DEBUG "/%s/interrupt_ns", names[i]);
		if (read_text(path, text, sizeof(text)))
			ns += strtoull(text, NULL, 10);
	}
	return ns;
}

/* All tasks but this program. */
static void meter_tasks(struct meter *m)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char path[300], text[128];
	uint64_t ns;

	while (proc && (entry = readdir(proc))) {
		if (!isdigit(entry->d_name[0]) || atoi(entry->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/schedstat", entry->d_name);
		if (!read_text(path, text, sizeof(text)))
			continue;
		ns = strtoull(text, NULL, 10);
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (read_text(path, text, sizeof(text)) && !strncmp(text, "faxsim/", 7))
			m->board_ns += ns;
		else
			m->host_ns += ns;
	}
	if (!proc)
		die("/proc");
	closedir(proc);
	ns = interrupt_ns();
	m->board_ns -= ns;
	m->host_ns += ns;
}

/* Our own clock is read closest to what is measured: then reading the others does not count. */
static struct meter meter_begin(void)
{
	struct meter m = {};

	meter_tasks(&m);
	m.host_ns += own_ns();
	m.wall = now();
	return m;
}

static struct meter meter_end(void)
{
	struct meter m = { .wall = now() };

	m.host_ns = own_ns();
	meter_tasks(&m);
	return m;
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
	uint32_t pages;
	uint64_t host_ns;
	uint64_t board_ns;
	unsigned long calls;
};

static struct fax_status status_of(int dev)
{
	struct fax_status status = {};

	if (ioctl(dev, FAX_IOC_STATUS, &status))
		die("STATUS");
	return status;
}

/* At most BATCH pages. */
static struct result run(struct board *b, uint32_t pages, void (*one)(struct board *b), bool feeds,
			 bool prints)
{
	struct meter from, to;

	b->calls = 0;
	if (feeds)
		feed(b, pages);
	if (prints)
		paper(b, pages);
	from = meter_begin();
	for (uint32_t i = 0; i < pages; i++)
		one(b);
	to = meter_end();
	return (struct result){
		.pages = pages,
		.host_ns = to.host_ns - from.host_ns,
		.board_ns = to.board_ns - from.board_ns,
		.calls = b->calls,
	};
}

static double host_us(const struct result *r)
{
	return r->host_ns / 1e3 / r->pages;
}

static void show(const char *name, const char *pages, const struct result *r)
{
	printf("%-33s %10s %12.0f %12.0f %8.1f\n", name, pages, host_us(r),
	       r->board_ns / 1e3 / r->pages, (double)r->calls / r->pages);
	fflush(stdout);
}

static struct result run_and_show(const char *name, struct board *b, uint32_t pages,
				  void (*one)(struct board *b), bool feeds, bool prints)
{
	struct result r = run(b, pages, one, feeds, prints);
	char text[12];

	snprintf(text, sizeof(text), "%u", pages);
	show(name, text, &r);
	return r;
}

static bool goal(const char *what, bool kept)
{
	printf("%-58s %s\n", what, kept ? "kept" : "MISSED");
	return kept;
}

static void sum_up(struct result *sum, const struct result *r)
{
	sum->pages += r->pages;
	sum->host_ns += r->host_ns;
	sum->board_ns += r->board_ns;
	sum->calls += r->calls;
}

struct long_run {
	struct result first, last, all;
	bool calls_kept; /* on every page */
};

/* What a page costs must not grow with their number: shown for pages 1-10, 11-100, ... */
static struct long_run run_long(struct board *b, const char *name, uint32_t pages,
				void (*one)(struct board *b), bool feeds, bool prints)
{
	struct long_run l = { .calls_kept = true };
	uint32_t from = 1, until = BATCH;
	struct result part = {};
	char text[24];

	run(b, 1, one, feeds, prints); /* warm */
	while (l.all.pages < pages) {
		uint32_t left = pages - l.all.pages;

		l.last = run(b, left < BATCH ? left : BATCH, one, feeds, prints);
		if (!l.all.pages)
			l.first = l.last;
		l.calls_kept &= l.last.calls <= (unsigned long)GOAL_CALLS * l.last.pages;
		sum_up(&part, &l.last);
		sum_up(&l.all, &l.last);
		if (l.all.pages < until && l.all.pages < pages)
			continue;
		snprintf(text, sizeof(text), "%u-%u", from, l.all.pages);
		show(name, text, &part);
		part = (struct result){};
		from = l.all.pages + 1;
		until *= 10;
	}
	snprintf(text, sizeof(text), "the last %u", l.last.pages);
	show(name, text, &l.last);
	return l;
}

static bool path_goals(const char *name, const struct long_run *l, const struct result *tiff)
{
	double ratio = host_us(tiff) / host_us(&l->all);
	double growth = host_us(&l->last) / host_us(&l->first);
	char text[100];
	bool kept;

	snprintf(text, sizeof(text), "%s: 1/%.0f of libtiff's CPU time (goal 1/%d)", name, ratio,
		 GOAL_RATIO);
	kept = goal(text, ratio >= GOAL_RATIO);
	snprintf(text, sizeof(text), "%s: the last pages cost %.2f of the first (goal %.2f)", name,
		 growth, GOAL_GROWTH);
	kept &= goal(text, growth <= GOAL_GROWTH);
	snprintf(text, sizeof(text), "%s: %.1f calls a page (goal %d)", name,
		 (double)l->all.calls / l->all.pages, GOAL_CALLS);
	return goal(text, l->calls_kept) && kept;
}

static void *board_thread(void *arg)
{
	struct board *b = arg;
	uint32_t i;

	for (i = 0; i < BOARD_PAGES; i++)
		scan_linked(b);
	return NULL;
}

static void run_boards(struct board *boards, int n, bool paced)
{
	pthread_t threads[BOARDS];
	char speed[16] = "0";
	struct meter from, to;
	double wall, host;
	int i;

	if (paced)
		snprintf(speed, sizeof(speed), "%u", page.rows * BOARD_SPEED / 60);
	for (i = 0; i < n; i++) {
		knob(&boards[i], "rows_per_second", speed, strlen(speed));
		feed(&boards[i], BOARD_PAGES);
	}
	from = meter_begin();
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, board_thread, &boards[i]))
			die("pthread_create");
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	to = meter_end();
	wall = to.wall - from.wall;
	host = to.host_ns - from.host_ns;
	printf("%d board%s %6.0f pages a minute, host %5.2f %% of a CPU (%.0f us a page), "
	       "simulators' threads %5.1f %%\n",
	       n, n == 1 ? ": " : "s:", n * BOARD_PAGES * 60 / wall, host / 1e7 / wall,
	       host / 1e3 / (n * BOARD_PAGES), (to.board_ns - from.board_ns) / 1e7 / wall);
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
	struct result tiff_scan, tiff_print;
	struct fax_status before, middle, after;
	struct board boards[BOARDS];
	struct long_run scan, print;
	uint32_t pages = 100;
	uint64_t touched;
	bool kept;
	int i, c;

	while ((c = getopt(argc, argv, "n:")) == 'n')
		pages = strtoul(optarg, NULL, 10);
	if (c != -1 || optind + 1 != argc || !pages)
		return 2;
	load_page(argv[optind]);
	board_open(&boards[0], names[0]);

	printf("a page: %u x %u, %zu bytes, %zu as MMR\n\n", page.width, page.rows, page.bytes,
	       page.coded_len);
	printf("%-33s %10s %12s %12s %8s\n", "", "pages", "host us/page", "board us/p.",
	       "calls/p.");
	before = status_of(boards[0].coder);
	scan = run_long(&boards[0], "scan to MMR, linked", pages, scan_linked, true, false);
	middle = status_of(boards[0].coder);
	put_code(&boards[0]);
	touched = middle.cpu_maps - before.cpu_maps + middle.cpu_accesses - before.cpu_accesses;
	before = status_of(boards[0].coder);
	print = run_long(&boards[0], "MMR to print, linked", pages, print_linked, false, true);
	after = status_of(boards[0].coder);
	touched += after.cpu_maps - before.cpu_maps + after.cpu_accesses - before.cpu_accesses;

	scan_stream = open_node("scan", O_RDONLY, names[0]);
	run_and_show("read() and coder in user space", &boards[0], BATCH, scan_user, true, false);
	close(scan_stream);
	print_stream = open_node("print", O_WRONLY, names[0]);
	run_and_show("coder in user space and write()", &boards[0], BATCH, print_user, false, true);
	close(print_stream);
	tiff_scan = run_and_show("pixels to G4 by libtiff, no I/O", &boards[0], BATCH, encode_tiff,
				 false, false);
	tiff_print = run_and_show("G4 to pixels by libtiff, no I/O", &boards[0], BATCH, decode_tiff,
				  false, false);

	printf("\nCPU maps and CPU accesses of page buffers on the linked path: %llu\n",
	       (unsigned long long)touched);
	printf("bytes of pixels touched by the CPU: %llu\n",
	       (unsigned long long)(touched ? page.bytes * touched : 0));
	for (i = 1; i < BOARDS; i++)
		board_open(&boards[i], names[i]);
	printf("\nscan to MMR as fast as the simulators go, which share the processor:\n");
	for (i = 1; i <= BOARDS; i *= 2)
		run_boards(boards, i, false);
	printf("by engines of %u pages a minute:\n", BOARD_SPEED);
	for (i = 1; i <= BOARDS; i *= 2)
		run_boards(boards, i, true);

	printf("\n");
	kept = goal("no pixel touched by the CPU", !touched);
	kept &= path_goals("scan", &scan, &tiff_scan);
	kept &= path_goals("print", &print, &tiff_print);
	return !kept;
}
