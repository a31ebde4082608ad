// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * coder [-r ROUNDS] [-c CODEC] [-d encode|decode] [-p PEERS] [-P PAGES] [-b] [-g] [-C CPU]
 *
 * Times the coder beside libtiff and spandsp. In each round every page is coded
 * by every peer in turn, so that neither predictors nor caches know what comes;
 * what counts is the median over the rounds. Lines of the table:
 *   page codec direction peer MPixel/s ratio-to-libtiff ratio-to-memcpy instructions/pixel
 * then the geometric mean of the ratios to libtiff over the sample pages:
 *   geomean codec direction peer ratio
 * and the time a pixel takes on larger pages, that on the smallest being 1:
 *   growth codec direction variant pixels:time ...
 * -r rounds (9), -c mh, mr or mmr only, -p peers by name with commas between,
 * -P pages by name, -g without the growth, -C the processor to stay on (0).
 */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "bench.h"

#define PEERS_MAX	8
#define ROUNDS_MAX	1000
#define DIRECTIONS	2

static const char *const codec_names[CODECS] = { "mh", "mr", "mmr" };
static const char *const direction_names[DIRECTIONS] = { "encode", "decode" };

struct options {
	u32 rounds;
	const char *codec, *direction, *peers, *pages;
	bool growth;
	u32 cpu;
};

struct bench {
	struct options o;
	struct page *pages;
	u32 pages_n;
	struct peer peers[PEERS_MAX];	/* the first one is libtiff */
	u32 peers_n;
	u8 *out;			/* for code, and for pixels */
	size_t room;
	double *copy;			/* by page: seconds that memcpy takes */
};

/* The costs of one peer on one page. */
struct samples {
	double seconds[ROUNDS_MAX];
	double instructions;
	u32 n;
	bool failed;
};

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return p;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static bool best;

static double median(double *values, u32 n)
{
	qsort(values, n, sizeof(*values), compare);
	return n ? values[best ? 0 : n / 2] : NAN;
}

static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *p;

	for (p = list; p && (p = strstr(p, name)); p += len)
		if ((p == list || p[-1] == ',') && (!p[len] || p[len] == ','))
			return true;
	return !list;
}

/* The bytes, or for coders that frame the page otherwise, what they mean. */
static bool right_code(const struct page *page, u32 codec, struct t4_bytes code)
{
	struct t4_strip how = page_strip(page, codec);
	struct t4_params p = t4_params_of(&how);
	struct t4_image back;
	bool ok;

	if (code.len == page->code[codec].len &&
	    !memcmp(code.data, page->code[codec].data, code.len))
		return true;
	p.flags |= T4_F_LSB_FIRST;
	back = t4_image_new(how.width, how.height);
	ok = t4_our_decode(code, &p, 0, &back, NULL) == T4_DONE &&
	     t4_image_equal(&page->image, &back);
	t4_image_free(&back);
	return ok;
}

static bool run(struct bench *b, const struct peer *peer, const struct page *page, u32 codec,
		u32 direction, struct cost *cost, bool check)
{
	struct t4_image image = page->image;
	struct t4_bytes code = { b->out, 0 };

	if (!direction)
		return peer->encode(page, codec, &code, b->room, cost) &&
		       (!check || right_code(page, codec, code));
	image.bits = b->out;
	return peer->decode(page, codec, &image, cost) &&
	       (!check || t4_image_equal(&page->image, &image));
}

static void take_samples(struct bench *b, u32 codec, u32 direction, struct samples *s)
{
	u32 round, page, i, which;
	struct cost cost;
	struct samples *at;

	for (round = 0; round <= b->o.rounds; round++) {
		for (page = 0; page < b->pages_n; page++) {
			for (i = 0; i < b->peers_n; i++) {
				which = (i + round) % b->peers_n;
				at = &s[page * b->peers_n + which];
				if (!listed(b->o.pages, b->pages[page].name))
					continue;
				if (at->failed || round % b->peers[which].every)
					continue;
				/* the first round checks, warms up and does not count */
				at->failed = !run(b, &b->peers[which], &b->pages[page], codec,
						  direction, &cost, !round);
				if (at->failed || !round)
					continue;
				at->seconds[at->n++] = cost.seconds;
				at->instructions = cost.instructions;
			}
		}
	}
}

static double pixels(const struct page *page)
{
	return (double)page->image.width * page->image.height;
}

static void print_line(const struct bench *b, u32 page, u32 codec, u32 direction, u32 peer,
		       const struct samples *s, double seconds, double ratio)
{
	const struct page *p = &b->pages[page];

	printf("%-14s %-3s %s %-8s ", p->name, codec_names[codec], direction_names[direction],
	       b->peers[peer].name);
	if (s->failed || !s->n) {
		printf("%9s\n", "fails");
		return;
	}
	printf("%9.1f ", pixels(p) * 1e-6 / seconds);
	if (isnan(ratio))
		printf("%7s", "-");
	else
		printf("%7.2f", ratio);
	printf(" %7.4f ", b->copy[page] / seconds);
	if (cost_counts_instructions())
		printf("%7.3f\n", s->instructions / pixels(p));
	else
		printf("%7s\n", "-");
}

static void bench_one(struct bench *b, u32 codec, u32 direction)
{
	struct samples *s = must(calloc(b->pages_n * b->peers_n, sizeof(*s))), *at;
	double log_sum[PEERS_MAX] = { 0 }, least[PEERS_MAX], base, seconds, ratio;
	u32 page, peer, counted[PEERS_MAX] = { 0 };
	bool base_ok;

	take_samples(b, codec, direction, s);
	for (peer = 0; peer < b->peers_n; peer++)
		least[peer] = INFINITY;
	for (page = 0; page < b->pages_n; page++) {
		if (!listed(b->o.pages, b->pages[page].name))
			continue;
		base = NAN;
		for (peer = 0; peer < b->peers_n; peer++) {
			at = &s[page * b->peers_n + peer];
			seconds = median(at->seconds, at->n);
			if (!peer) {
				base_ok = !at->failed &&
					  (!direction || b->pages[page].readable[codec]);
				base = base_ok ? seconds : NAN;
			}
			ratio = base / seconds;
			print_line(b, page, codec, direction, peer, at, seconds, ratio);
			if (at->failed || isnan(ratio))
				continue;
			if (ratio < least[peer])
				least[peer] = ratio;
			if (b->pages[page].worst_case)
				continue;
			log_sum[peer] += log(ratio);
			counted[peer]++;
		}
	}
	for (peer = 0; peer < b->peers_n; peer++) {
		if (counted[peer])
			printf("geomean %s %s %s %.2f\n", codec_names[codec],
			       direction_names[direction], b->peers[peer].name,
			       exp(log_sum[peer] / counted[peer]));
		printf("least %s %s %s %.2f\n", codec_names[codec], direction_names[direction],
		       b->peers[peer].name, least[peer]);
	}
	fflush(stdout);
	free(s);
}

static void time_copies(struct bench *b)
{
	double seconds[9];
	struct cost cost;
	u32 page, i;

	b->copy = must(calloc(b->pages_n, sizeof(*b->copy)));
	for (page = 0; page < b->pages_n; page++) {
		for (i = 0; i < 9; i++) {
			cost_start(&cost);
			memcpy(b->out, b->pages[page].image.bits,
			       b->pages[page].image.stride * b->pages[page].image.height);
			cost_stop(&cost);
			seconds[i] = cost.seconds;
		}
		b->copy[page] = median(seconds, 9);
	}
}

/* A4 at 200 dpi and tiles of it up to the size of 1200 dpi: the same work a pixel. */
static void growth(struct bench *b)
{
	static const u32 times[] = { 1, 2, 3, 6 };
	struct page page[4];
	double one, seconds[3];
	u32 i, round, peer, codec, direction;
	struct cost cost;

	for (i = 0; i < 4; i++)
		page[i] = page_tiled(&b->pages[0], times[i]);
	for (peer = 1; peer < b->peers_n; peer++) {
		if (b->peers[peer].every != 1)
			continue;
		for (codec = 0; codec < CODECS; codec++) {
			for (direction = 0; direction < DIRECTIONS; direction++) {
				printf("growth %s %s %s", codec_names[codec],
				       direction_names[direction], b->peers[peer].name);
				one = 0;
				for (i = 0; i < 4; i++) {
					/* the first round warms up */
					for (round = 0; round < 4; round++) {
						run(b, &b->peers[peer], &page[i], codec,
						    direction, &cost, false);
						seconds[round ? round - 1 : 0] = cost.seconds;
					}
					cost.seconds = median(seconds, 3) / pixels(&page[i]);
					one = i ? one : cost.seconds;
					printf(" %.0f:%.2f", pixels(&page[i]) * 1e-6,
					       cost.seconds / one);
				}
				printf("\n");
			}
		}
	}
	for (i = 0; i < 4; i++)
		page_free(&page[i]);
}

static bool read_options(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options){ .rounds = 9, .growth = true };
	while ((c = getopt(argc, argv, "r:c:d:p:P:bgC:")) != -1) {
		if (c == 'r')
			o->rounds = (u32)atoi(optarg);
		else if (c == 'c')
			o->codec = optarg;
		else if (c == 'd')
			o->direction = optarg;
		else if (c == 'p')
			o->peers = optarg;
		else if (c == 'P')
			o->pages = optarg;
		else if (c == 'b')
			best = true;
		else if (c == 'g')
			o->growth = false;
		else if (c == 'C')
			o->cpu = (u32)atoi(optarg);
		else
			return false;
	}
	return o->rounds && o->rounds < ROUNDS_MAX && optind == argc;
}

static void choose_peers(struct bench *b)
{
	struct peer all[PEERS_MAX];
	u32 n = 0, i;

	b->peers[b->peers_n++] = libtiff_peer;
	all[n++] = spandsp_peer;
	n += t4_peers(all + n, PEERS_MAX - n);
	for (i = 0; i < n && b->peers_n < PEERS_MAX; i++)
		if (listed(b->o.peers, all[i].name))
			b->peers[b->peers_n++] = all[i];
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	cpu_set_t cpus;
	u32 i, codec, direction;
	size_t raw;

	if (!read_options(argc, argv, &b.o)) {
		fprintf(stderr, "usage: %s [-r ROUNDS] [-c CODEC] [-d encode|decode] [-p PEERS] "
			"[-P PAGES] [-b] [-g] [-C CPU]\n", argv[0]);
		return 2;
	}
	CPU_ZERO(&cpus);
	CPU_SET(b.o.cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	cost_open();
	b.pages_n = pages_load(&b.pages);
	choose_peers(&b);
	b.room = 64 << 20;
	for (i = 0; i < b.pages_n; i++) {
		raw = (b.pages[i].image.height + 1) * t4_row_bound(b.pages[i].image.width);
		b.room = raw > b.room ? raw : b.room;
	}
	b.out = must(malloc(b.room));
	memset(b.out, 0, b.room);
	time_copies(&b);
	for (codec = 0; codec < CODECS; codec++)
		for (direction = 0; direction < DIRECTIONS; direction++)
			if (listed(b.o.codec, codec_names[codec]) &&
			    listed(b.o.direction, direction_names[direction]))
				bench_one(&b, codec, direction);
	if (b.o.growth)
		growth(&b);
	pages_free(b.pages, b.pages_n);
	free(b.copy);
	free(b.out);
	return 0;
}
