/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The coder's bench: pages, and coders ("peers") that code them. Trouble of the
 * bench's own (no memory, an unreadable page) ends the program.
 */
#ifndef BENCH_H
#define BENCH_H

#include "t4_aux.h"

#define CODECS	3	/* enum t4_coding */

struct page {
	char name[32];
	bool worst_case;		/* made up: in the table, not in the mean */
	struct t4_image image;
	struct t4_bytes code[CODECS];	/* as libtiff writes it */
	bool readable[CODECS];		/* libtiff reads what it wrote */
};

/* What a run cost; instructions are 0 where the machine does not count them. */
struct cost {
	double seconds;
	double instructions;
};

struct peer {
	const char *name;
	u32 every;	/* takes part in each so-manieth round only */
	/* Both time the coding proper, and say whether it went well. */
	bool (*encode)(const struct page *page, u32 codec, struct t4_bytes *out, size_t room,
		       struct cost *cost);
	bool (*decode)(const struct page *page, u32 codec, struct t4_image *out,
		       struct cost *cost);
};

/* pages.c: the sample pages, then the worst cases; freed with pages_free(). */
u32 pages_load(struct page **pages);
/* @page repeated @times each way: the same work a pixel on a larger page. */
struct page page_tiled(const struct page *page, u32 times);
void page_free(struct page *page);
void pages_free(struct page *pages, u32 count);
/* The options under which all peers work: EOLs, K = 4, one strip. */
struct t4_strip page_strip(const struct page *page, u32 codec);

/* cost.c */
void cost_open(void);
bool cost_counts_instructions(void);
void cost_start(struct cost *cost);
void cost_stop(struct cost *cost);

extern const struct peer libtiff_peer, spandsp_peer;
/* One for each variant of ours that this machine can run. */
u32 t4_peers(struct peer *peers, u32 room);

#endif
