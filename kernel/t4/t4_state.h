/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The two state objects. Only their size is for callers; t4.h includes this. */
#ifndef T4_STATE_H
#define T4_STATE_H

/*
 * A row as its changing elements: ascending positions, the even ones where
 * white turns black. The guard before it holds zeros, behind it stand at least
 * T4_LIST_TAIL times the width, so that b1 and b2 need no test for either end.
 */
#define T4_LIST_HEAD	8u
#define T4_LIST_TAIL	16u
#define T4_LIST_SPARE	96u	/* what is written behind them by the way */
#define T4_LIST_LEN	(T4_LIST_HEAD + T4_WIDTH_MAX + T4_LIST_TAIL + T4_LIST_SPARE)

/* T.4 4.1.4, T.6 2.4.1.1: the end of a page */
#define T4_RTC_EOLS	6
#define T4_EOFB_EOLS	2

/* A coded row never exceeds 7 bits a pixel (VL3 throughout), EOL, fill and slack for the writer. */
#define T4_ROW_BOUND(width)	((size_t)(width) + 32)

/* Room for the words of a row in which there are changes, and for what is written behind them. */
#define T4_WORDS	(T4_WIDTH_MAX / 64 + 8)
struct t4_words {
	u8 changes[T4_WORDS][8];
	u16 x[T4_WORDS];
};

#ifndef __KERNEL__
/*
 * For variants that code a whole line at once. By line, the changes of each
 * word, bit 0 first, and how many there are before the word, and within it
 * before each of its bytes, a byte each; both doubled. And of each changing
 * element how many elements of the reference line lie left of it, plus how many
 * do not lie right of it.
 */
struct t4_ranks {
	u8 some[T4_WORDS / 8 + 8];	/* a bit for each word in which there are changes */
	u64 word[2][T4_WORDS], within[2][T4_WORDS];
	u16 before[2][T4_WORDS];
	u16 list[T4_LIST_LEN];
};
#endif

#ifndef __KERNEL__
/* The changes of a row by its bytes, and where the pixels of those begin in which there are any. */
struct t4_places {
	u8 changes[T4_WIDTH_MAX / 8];
	u16 x[T4_WIDTH_MAX / 8 + 8];
};

/*
 * The changing elements of a line by a bit for each pixel, as they lie in a row:
 * there is one where just one of the two has its bit set. All 0 before and after.
 */
#define T4_MARKS	(T4_WIDTH_MAX / 8 + 64)
struct t4_marks {
	u8 first[T4_MARKS], second[T4_MARKS];
};
#endif

struct t4_encoder {
	struct t4_params p;
	u64 acc;		/* bits not yet written, from the top */
	u32 nbits;		/* of these, fewer than 8 */
	u32 line;		/* MR: lines since the last one-dimensional one */
	u32 pend_pos, pend_len;	/* what waits in pend */
	u32 n;			/* changing elements of the last row */
	u32 ref_n;		/* and of the reference line */
	u8 cur;			/* the list that holds it; the other one holds the row above */
	bool ended;		/* the end code is written */
	struct t4_words words;
	u8 pend[T4_ROW_BOUND(T4_WIDTH_MAX)];
	u16 list[2][T4_LIST_LEN];
#ifndef __KERNEL__
	struct t4_ranks ranks;
	u8 apart[1024];		/* see T4_APART in t4_line_avx2.h */
	struct t4_places places;
#endif
};

struct t4_decoder {
	struct t4_params p;
	struct t4_damage damage;
	u64 acc;		/* input bits taken but not decoded, from the top */
	u32 nbits;
	u64 taken;		/* bytes taken from the input so far */
	u64 past;		/* the last 8 of them, as they came */
	u32 bad_run;		/* consecutive bad rows, up to now */
	u64 again;		/* the code of the last one-dimensional line, its EOL included */
	u8 again_len;		/* its bits; 0 = not known, too long, or of a row before the last */
	u8 state;		/* enum dec_state in decode.c */
	u8 eol_run;		/* EOLs met with nothing between */
	bool eols;		/* lines of this code begin with EOL */
	bool line_2d;		/* coding of the line at hand */
	bool ref_bad;		/* MR: no line may refer to the row above */
	/* the line at hand */
	u8 horiz;		/* runs outstanding of a horizontal mode code */
	u8 cur;			/* the list it is written to; the other one is the reference line */
	u32 zeros;		/* hunting for EOL: zero bits in a row */
	u32 a0;
	u32 run;		/* make-up codes so far */
	u32 n;			/* changing elements found */
	u32 ref;		/* index of b1 */
	u32 ref_n;		/* changing elements of the reference line */
	u16 list[2][T4_LIST_LEN];
#ifndef __KERNEL__
	struct t4_marks marks[2];	/* of the line at hand and the one before */
#endif
};

#endif
