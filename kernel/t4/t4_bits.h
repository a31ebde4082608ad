/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Bits in and out of byte buffers, 64 at a time, the first bit of the code on top. */
#ifndef T4_BITS_H
#define T4_BITS_H

#include "t4_port.h"

#define T4_TOP_BIT	0x8000000000000000ull

#ifdef __KERNEL__
#define t4_be64(x)	be64_to_cpu((__force __be64)(x))
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define t4_be64(x)	__builtin_bswap64(x)
#else
#define t4_be64(x)	((u64)(x))
#endif

static inline u64 t4_load(const void *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return t4_be64(v);
}

static inline void t4_store(void *p, u64 v)
{
	v = t4_be64(v);
	memcpy(p, &v, sizeof(v));
}

/* As t4_load(), of fewer than 8 bytes; zeros follow them. */
static inline u64 t4_load_tail(const u8 *p, size_t len)
{
	u64 v = 0;
	size_t i;

	for (i = 0; i < len; i++)
		v |= (u64)p[i] << (56 - 8 * i);
	return v;
}

static inline void t4_store_tail(u8 *p, u64 v, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (u8)(v >> (56 - 8 * i));
}

static inline unsigned int t4_clz(u64 v)
{
	return (unsigned int)__builtin_clzll(v);
}

/* Turns every byte round: FillOrder 2. */
static inline u64 t4_reverse_bytes(u64 v)
{
	v = (v >> 1 & 0x5555555555555555ull) | (v & 0x5555555555555555ull) << 1;
	v = (v >> 2 & 0x3333333333333333ull) | (v & 0x3333333333333333ull) << 2;
	return (v >> 4 & 0x0f0f0f0f0f0f0f0full) | (v & 0x0f0f0f0f0f0f0f0full) << 4;
}

/*
 * Writer. Each put stores 8 bytes at @p whatever its length: whoever sets it
 * up provides that many behind the last byte that counts.
 */
struct t4_writer {
	u8 *p;
	u64 acc;
	u32 n;		/* bits in acc, fewer than 8 between puts */
};

/* Code words side by side, on their way to the writer. */
struct t4_code {
	u64 value;
	u32 len;
};

#define T4_PUT_MAX	56

/* @len up to T4_PUT_MAX */
static __always_inline void t4_put(struct t4_writer *w, u64 value, u32 len)
{
	u32 n = w->n + len;
	u64 acc = w->acc | value << (-n & 63);

	t4_store(w->p, acc);
	w->p += n >> 3;
	w->acc = acc << (n & 0x38);
	w->n = n & 7;
}

/* The same for code that stands on top of @code; its lowest six bits do not count. */
static __always_inline void t4_put_top(struct t4_writer *w, u64 code, u32 len)
{
	u32 n = w->n + len;
	u64 acc = w->acc | (code & ~63ull) >> w->n;

	t4_store(w->p, acc);
	w->p += n >> 3;
	w->acc = acc << (n & 0x38);
	w->n = n & 7;
}

/* Entries of tables: value << 6 | length. A shift by a whole entry is one by the length. */
static __always_inline void t4_put_entry(struct t4_writer *w, u32 entry)
{
	t4_put(w, entry >> 6, entry & 63);
}

static __always_inline void t4_add_code(struct t4_code *c, u64 value, u32 len)
{
	c->value = c->value << len | value;
	c->len += len;
}

static __always_inline void t4_add_entry(struct t4_code *c, u32 entry)
{
	t4_add_code(c, entry >> 6, entry & 63);
}

/* Zeros up to the next byte. */
static inline void t4_put_align(struct t4_writer *w)
{
	if (w->n)
		t4_put(w, 0, 8 - w->n);
}

/*
 * Reader. Of @acc the upper @n bits count; a refill may leave some of the
 * input's next bits below them, never anything else.
 */
struct t4_reader {
	const u8 *start, *p, *end;
	u64 acc;
	u32 n;
	bool lsb_first;
};

/* Where 8 bytes of input or more are left. */
static __always_inline void t4_refill_quick(struct t4_reader *r)
{
	u64 next = t4_load(r->p);
	u32 bytes = (63 - r->n) >> 3;

	if (r->lsb_first)
		next = t4_reverse_bytes(next);
	r->acc |= next >> r->n;
	r->n += 8 * bytes;
	r->p += bytes;
}

/* Afterwards 56 bits or more lie ready, or the input is used up. */
static inline void t4_refill(struct t4_reader *r)
{
	u64 next;
	u32 bytes;

	if (likely(r->end - r->p >= 8)) {
		t4_refill_quick(r);
		return;
	}
	bytes = (63 - r->n) >> 3;
	if (bytes > (u32)(r->end - r->p))
		bytes = (u32)(r->end - r->p);
	next = t4_load_tail(r->p, bytes);
	if (r->lsb_first)
		next = t4_reverse_bytes(next);
	r->acc |= next >> r->n;
	r->n += 8 * bytes;
	r->p += bytes;
}

/* @len up to 63 and up to r->n */
static __always_inline void t4_skip(struct t4_reader *r, u32 len)
{
	r->acc <<= len;
	r->n -= len;
}

#endif
