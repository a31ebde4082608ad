// SPDX-License-Identifier: LGPL-2.1-or-later
/* Programs that work, in their text: what the fuzzer begins with. */
#include <stdlib.h>
#include <string.h>

#include "../../uapi/uapi_test.h"
#include "fuzz.h"

/* a format (raw, MMR with EOFB), and segments (raw, code in, code out); slots come before */
#define RAW	" 0 1728 64 0 8000 7700 0 0"
#define RAW_END	" 0 1728 0 0 8000 7700 0 0"	/* rows until the page ends */
#define MMR	" 3 1728 64 0 8000 7700 0 16"
#define MMR_END	" 3 1728 0 0 8000 7700 0 16"
#define DECODED	" 0 1728 64 0 0 0 0 0"
#define NO_SEG	" 0 0 0 0 0 0 0"
#define RAW_IN	" 0 0 13824 0 0 0"		/* behind a handle's slot */
#define RAW_OUT	" 1 0 13824 0 0 0"
#define CODE_IN	" 0 0 65536 3 64 0"
#define OUT	" 1 0 65536 0 0 0"
#define NARROW	" 1 0 64 0 0 0"
#define ENC_BUF	"open 0 0 0 0 2 2\nbuf_alloc 0 0 0 0 0 16384 0\nbuf_map 0 0 0 0 0 0\n" \
		"fill 0 0 0 0 1\nbuf_alloc 0 0 0 0 1 65536 0\nbuf_map 0 0 0 0 1 1\n"
#define PAIR	"open 0 0 0 0 2 2\nopen 0 0 0 1 0 0\nbuf_alloc 0 0 0 0 0 65536 0\n" \
		"buf_map 0 0 0 0 0 0\npipe_alloc 0 0 0 0 1 1728 16 4 0\n"
#define PRINT	"open 0 0 0 0 2 2\nopen 0 0 0 1 1 1\nbuf_alloc 0 0 0 0 0 65536 0\n" \
		"fill 0 0 0 0 2\nbuf_map 0 0 0 0 0 0\npipe_alloc 0 0 0 0 1 1728 16 4 0\n"
#define SCAN_TO	"submit 0 0 0 0 0 3 0" MMR_END " 1 1 0" OUT NO_SEG NO_SEG "\n" \
		"submit 0 0 0 1 1 1 0" RAW_END " 1 0" NO_SEG NO_SEG NO_SEG "\n"
#define TO_PRINT "submit 0 0 0 0 0 4 0" DECODED " 1 1 0" CODE_IN NO_SEG NO_SEG "\n" \
		"submit 0 0 0 1 1 2 0" RAW " 1 0" NO_SEG NO_SEG NO_SEG "\n"
#define FEED	"feed 0 0 0 1728 64 1\n"
#define REAP(dev) "reap 0 0 0 " #dev " 0 1 0 20\n"

static const char *const seeds[] = {
	/* what it is and how it is */
	"open 0 0 0 0 0 0\ninfo 0 0 0 0\ncaps 0 0 0 0\nstatus 0 0 0 0\nget_fmt 0 0 0 0\n"
	"set_fmt 0 0 0 0" RAW "\ntry_fmt 0 0 0 0" RAW "\nmmap_dev 0 0 0 0\n",
	"look 0 0 0 7\nlook 0 0 0 8\nlook 0 0 0 9\nlook 0 0 0 10\nlook 0 0 0 11\nlook 0 0 0 12\n"
	"look 0 0 0 13\nlook 0 0 0 14\nlook 0 0 0 15\nlook 0 0 0 16\nlook 0 0 0 17\n"
	"look 0 0 0 18\n",
	"look 0 0 0 1\nlook 0 0 0 2\nlook 0 0 0 3\nlook 0 0 0 4\nlook 0 0 0 5\nlook 0 0 0 6\n"
	"look 0 0 0 24\nlook 0 0 0 25\nlook 0 0 0 26\n",
	/* an original to code, linked */
	PAIR FEED SCAN_TO REAP(1) REAP(0),
	PAIR SCAN_TO "poll 0 0 0 0 1 5\n" FEED REAP(1) REAP(0) "buf_unmap 0 0 0 0 0\n",
	/* code to paper, linked */
	PRINT TO_PRINT REAP(1) REAP(0) "look 0 0 0 0\n",
	/* buffers of the coder, there and back */
	ENC_BUF "submit 0 0 0 0 0 3 0" MMR " 255 2 0" RAW_IN " 1" OUT NO_SEG "\n" REAP(0)
	"submit 0 0 0 0 0 4 0" DECODED " 255 2 1" CODE_IN " 0" RAW_OUT NO_SEG "\n" REAP(0)
	"mmap 0 0 0 0\nsync 0 0 0 0 3\nsync 0 0 0 0 7\n",
	/* no room: more is given, or it is given up */
	ENC_BUF "submit 0 0 0 0 0 3 0" MMR " 255 2 0" RAW_IN " 1" NARROW NO_SEG "\n" REAP(0)
	"submit 0 0 0 0 0 3 2" MMR " 255 1 1" OUT NO_SEG NO_SEG "\n" REAP(0),
	ENC_BUF "submit 0 0 0 0 0 3 0" MMR " 255 2 0" RAW_IN " 1" NARROW NO_SEG "\n" REAP(0)
	"cancel 0 0 0 0 0\n" REAP(0),
	/* code that is none */
	ENC_BUF "fill 0 0 0 1 5\nsubmit 0 0 0 0 0 4 0" DECODED " 255 2 1" CODE_IN " 0" RAW_OUT
	NO_SEG "\n" REAP(0),
	/* streams */
	FEED "open 0 0 0 0 0 0\npoll 0 0 0 0 1 5\nread 0 0 0 0 4096\npoll 0 0 0 0 1 5\n"
	"read 0 0 0 0 65536\nread 0 0 0 0 65536\n",
	"open 0 0 0 0 1 1\nset_fmt 0 0 0 0" RAW "\nwrite 0 0 0 0 13824 1\nfsync 0 0 0 0\n"
	"lp_status 0 0 0 0\nlook 0 0 0 0\n",
	"open 0 0 0 0 1 2049\nwrite 0 0 0 0 65536 1\nwrite 0 0 0 0 65536 1\nclose 0 0 0 0\n",
	"knob 0 0 0 0 0\nopen 0 0 0 0 1 1\nwrite 0 0 0 0 13824 1\nfsync 0 0 0 0\n"
	"knob 0 0 0 0 5\nfsync 0 0 0 0\n",
	/* claims, by two */
	"open 0 0 0 0 0 0\nopen 0 0 0 1 0 0\nclaim 0 0 0 0 0 0\nclaim 0 0 0 1 1 0\n"
	"claim 0 0 0 1 0 5\nrelease 0 0 0 0\nclaim 0 0 0 1 0 5\nreset 0 0 0 1\n",
	/* paper's troubles, and who hears of them */
	PRINT "knob 0 0 0 1 1\n" TO_PRINT "event 0 0 0 1\nevent 0 0 0 1\nknob 0 0 0 1 0\n"
	"event 0 0 0 1\nevent 0 0 0 1\n" REAP(1) REAP(0),
	PRINT "knob 0 0 0 4 1\n" TO_PRINT REAP(1) REAP(0) "status 0 0 0 1\nknob 0 0 0 2 0\n"
	"event 0 0 0 1\n",
	PAIR "knob 0 0 0 3 1\n" FEED SCAN_TO REAP(1) REAP(0) "knob 0 0 0 2 0\nstatus 0 0 0 1\n",
	/* given up on the way */
	PAIR "knob 0 0 0 5 100\n" FEED SCAN_TO "sleep 0 0 0 10\ncancel 0 0 0 1 1\n" REAP(1) REAP(0),
	PAIR "knob 0 0 0 5 100\n" FEED SCAN_TO "sleep 0 0 0 10\nclose 0 0 0 0\n" REAP(1),
	PAIR SCAN_TO "cancel_all 0 0 0 0\n" REAP(1) "close_fd 0 0 0 1\n",
	/* a buffer of others */
	"open 0 0 0 0 2 2\nforeign 0 0 0 0 16384\nfill 0 0 0 0 1\nbuf_map 0 0 0 0 0 0\n"
	"buf_alloc 0 0 0 0 1 65536 0\nbuf_map 0 0 0 0 1 1\n"
	"submit 0 0 0 0 0 3 0" MMR " 255 2 0" RAW_IN " 1" OUT NO_SEG "\n" REAP(0)
	"buf_unmap 0 0 0 0 0\n",
	/* sleep */
	PAIR SCAN_TO "suspend 0 0 0 1\nstatus 0 0 0 1\ncancel_all 0 0 0 0\nsuspend 0 0 0 0\n" FEED
	REAP(1) REAP(0),
	/* the board goes */
	PAIR SCAN_TO "live 0 0 0 0\n" REAP(1) REAP(0) "event 0 0 0 0\nbuf_unmap 0 0 0 0 0\n",
	PRINT "knob 0 0 0 0 0\n" TO_PRINT "pull 0 0 0\nstatus 0 0 0 1\n" REAP(1) "live 0 0 0 0\n",
	"open 0 0 0 0 0 0\nunbind 0 0 0 0\nread 0 0 0 0 100\nunbind 0 0 0 1\nopen 0 0 0 1 3 0\n",
	/* it fails */
	PAIR FEED "fault 0 0 0 0 0 1\n" SCAN_TO REAP(1) REAP(0) "status 0 0 0 1\nreset 0 0 0 1\n",
	ENC_BUF "fault 0 0 0 2 4 1\nsubmit 0 0 0 0 0 3 0" MMR " 255 2 0" RAW_IN " 1" OUT NO_SEG "\n"
	REAP(0) "look 0 0 0 22\nlook 0 0 0 23\n",
	ENC_BUF "fault 0 0 0 2 2 1\nsubmit 0 0 0 0 0 3 0" MMR " 255 2 0" RAW_IN " 1" OUT NO_SEG "\n"
	"cancel 0 0 0 0 0\n" REAP(0) "look 0 0 0 21\n",
	PRINT "fault 0 0 0 1 3 1\n" TO_PRINT "claim 0 0 0 1 1 0\nreset 0 0 0 1\nstatus 0 0 0 1\n",
	/* a second board: its pipe is none of ours */
	"box 0 0 0 0\nbox 0 0 0 1\nopen 0 0 0 0 5 2\nopen 0 0 0 1 0 0\n"
	"pipe_alloc 0 0 0 0 1 1728 16 4 0\n"
	"submit 0 0 0 1 1 1 0" RAW_END " 1 0" NO_SEG NO_SEG NO_SEG "\nbox 0 0 0 2\ninfo 0 0 0 0\n",
	/* threads: who waits is let go */
	"split 1\nopen 0 0 0 0 0 0\nread 1 0 0 0 4096\nevent 2 0 0 0\nsleep 0 0 0 2\n" FEED
	"live 0 0 0 0\n",
	"split 6\n" ENC_BUF "submit 0 0 0 0 0 3 0" MMR " 255 2 0" RAW_IN " 1" OUT NO_SEG "\n"
	"reap 1 0 0 0 0 1 0 20\ncancel_all 2 0 0 0\nbuf_unmap 2 0 0 0 0\nclose 2 0 0 0\n",
	"split 7\n" PAIR FEED "reap 2 0 0 1 0 1 0 20\n" SCAN_TO "close 1 0 0 1\nclose_fd 1 0 0 1\n",
	"split 2\nopen 0 0 0 0 0 0\nopen 0 0 0 1 0 0\nclaim 0 0 0 0 0 0\nclaim 1 0 0 1 0 20\n"
	"release 0 0 0 0\nclaim 2 0 0 1 0 20\nclose 0 0 0 1\n",
};

unsigned int seed_program(unsigned int i, struct program *p)
{
	bool raced;
	size_t size;
	char *text;
	FILE *f;

	if (i >= sizeof(seeds) / sizeof(seeds[0]))
		return 0;
	raced = !strncmp(seeds[i], "split", 5);
	size = strlen(seeds[i]) + 8;
	text = malloc(size);
	snprintf(text, size, "%send\n", seeds[i]);
	f = fmemopen(text, strlen(text), "r");
	if (!f || !program_parse(f, p))
		bail("program %u of the seeds is none", i);
	if (!raced)
		p->split = p->n;
	fclose(f);
	free(text);
	return p->n;
}
