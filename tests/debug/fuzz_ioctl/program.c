// SPDX-License-Identifier: LGPL-2.1-or-later
/* Programs: random ones, what is made of others, and their text. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>
#include "fuzz.h"

uint32_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) >> 16;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return n ? rng_next(r) % n : 0;
}

static bool one_in(struct rng *r, uint32_t n)
{
	return !rng_below(r, n);
}

/* What tends to matter, by kind: the ends of what is allowed, and what people use. */
#define LIST(...) { (const uint32_t[]){ __VA_ARGS__ }, \
		    sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t) }

static const struct {
	const uint32_t *values;
	unsigned int n;
} usual[K_KINDS] = {
	[K_OFLAGS] = LIST(O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR | O_NONBLOCK,
			  O_RDONLY | O_NONBLOCK, O_WRONLY | O_NONBLOCK),
	[K_OP] = LIST(1, 2, 3, 4, 1, 2, 3, 4, 0, 5),
	[K_SUBMIT] = LIST(0, 0, 0, 1, 2, 3, 4),
	[K_ENC] = LIST(0, 1, 2, 3, 3, 4),
	[K_WIDTH] = LIST(0, 1, 7, 8, 64, 1728, 1728, 1728, 2048, 2432, 3456, 16384, 16385),
	[K_ROWS] = LIST(0, 0, 1, 2, 63, 64, 64, 65, 200, 4096, 1048576, 1048577),
	[K_STRIDE] = LIST(0, 0, 1, 215, 216, 217, 256, 65536, 65537),
	[K_RES] = LIST(0, 3850, 7700, 7700, 8000, 8000, 15400, 16000),
	[K_K] = LIST(0, 0, 1, 2, 4),
	[K_FMTFLAGS] = LIST(0, 0, 1, 2, 4, 8, 16, 32, 12, 20, 16, 64),
	[K_SIZE] = LIST(0, 1, 64, 4095, 4096, 4097, 13824, 16384, 65536, 65536, 1 << 20,
			(256u << 20) + 1),
	[K_OFFSET] = LIST(0, 0, 0, 1, 216, 4095, 4096, 65535, 65536),
	[K_NSEGS] = LIST(0, 1, 1, 2, 2, 3, 4, 256, 257),
	[K_DIR] = LIST(0, 1, 0, 1, 2),
	[K_BANDS] = LIST(0, 1, 2, 2, 4, 64, 65),
	[K_BITS] = LIST(0, 0, 0, 1, 2, O_CLOEXEC),
	[K_COUNT] = LIST(0, 1, 1, 2, 64, 1000),
	[K_MS] = LIST(0, 1, 5, 20, 1000),
	[K_POLL] = LIST(POLLIN, POLLOUT, POLLPRI, POLLIN | POLLPRI, 0xffff),
	[K_VALUE] = LIST(0, 0, 1, 1, 2, 3, 250, 100000, 1000000),
	[K_FAULT] = LIST(0, 0, 1, 1, 2, 5),
};

/* Slots: what is made is used again soon if they are few. */
static uint32_t slot(struct rng *r, uint32_t literal)
{
	return one_in(r, 40) ? literal : rng_below(r, 4);
}

static uint32_t make_up(struct rng *r, enum kind kind)
{
	switch (kind) {
	case K_DEV:
	case K_BUF:
	case K_JOB:
		return slot(r, 0x100 + rng_below(r, 70));
	case K_FD:
		return slot(r, NONE);
	case K_NODE:
		return rng_below(r, one_in(r, 8) ? 6 : 3);
	case K_PATTERN:
		return rng_below(r, 6);
	case K_KNOB:
		return rng_below(r, nknobs);
	case K_QUEUE:
		return rng_below(r, nqueues);
	case K_FILE:
		return rng_below(r, nfiles);
	case K_THREAD:
		return rng_below(r, THREADS);
	case K_NR:
		return rng_below(r, 64);
	default:
		break;
	}
	if (one_in(r, 16))
		return rng_next(r) >> rng_below(r, 32);
	if (!usual[kind].n)
		return rng_next(r) >> rng_below(r, 32);
	return usual[kind].values[rng_below(r, usual[kind].n)];
}

static unsigned int pick_call(struct rng *r)
{
	unsigned int i, at, total = 0;

	for (i = 0; i < ncalls; i++)
		total += calls[i].weight;
	at = rng_below(r, total);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	return i;
}

static enum quirk pick_quirk(struct rng *r)
{
	return one_in(r, 24) ? rng_below(r, QUIRKS) : Q_NONE;
}

static void random_call(struct rng *r, struct call *c)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->what = pick_call(r);
	c->quirk = pick_quirk(r);
	for (i = 0; i < MAX_ARGS && calls[c->what].kinds[i]; i++)
		c->args[i] = make_up(r, calls[c->what].kinds[i]);
}

void program_random(struct rng *r, struct program *p)
{
	unsigned int i;

	memset(p, 0, sizeof(*p));
	p->n = 1 + rng_below(r, MAX_CALLS);
	p->split = p->n;
	for (i = 0; i < p->n; i++)
		random_call(r, &p->calls[i]);
}

void program_drop(struct program *p, unsigned int i)
{
	p->n--;
	memmove(&p->calls[i], &p->calls[i + 1], (p->n - i) * sizeof(p->calls[0]));
	if (p->split > i)
		p->split--;
}

static void insert(struct program *p, unsigned int i, const struct call *c)
{
	if (p->n == MAX_CALLS)
		program_drop(p, p->n - 1);
	if (i > p->n)
		i = p->n;
	memmove(&p->calls[i + 1], &p->calls[i], (p->n - i) * sizeof(p->calls[0]));
	p->calls[i] = *c;
	p->n++;
	if (p->split >= i)
		p->split++;
}

static void mutate_arg(struct rng *r, struct call *c)
{
	const uint8_t *kinds = calls[c->what].kinds;
	unsigned int n = 0, i;

	while (n < MAX_ARGS && kinds[n])
		n++;
	if (!n)
		return;
	i = rng_below(r, n);
	switch (rng_below(r, 6)) {
	case 0:
		c->args[i] += 1;
		break;
	case 1:
		c->args[i] -= 1;
		break;
	case 2:
		c->args[i] ^= 1u << rng_below(r, 32);
		break;
	default:
		c->args[i] = make_up(r, kinds[i]);
	}
}

/* From here on the calls race. */
static void split(struct rng *r, struct program *p)
{
	unsigned int i;

	p->split = rng_below(r, p->n);
	for (i = p->split; i < p->n; i++)
		p->calls[i].thread = rng_below(r, THREADS);
}

static void cross(struct rng *r, struct program *p, const struct program *other)
{
	unsigned int from = rng_below(r, other->n), at = rng_below(r, p->n + 1), i;

	for (i = from; i < other->n && i - from < MAX_CALLS / 2; i++)
		insert(p, at + i - from, &other->calls[i]);
}

static void mutate_once(struct rng *r, struct program *p, const struct program *other, bool fail)
{
	struct call c;
	unsigned int i = rng_below(r, p->n), j;

	switch (rng_below(r, fail ? 14 : 11)) {
	case 0:
	case 1:
		random_call(r, &c);
		insert(p, rng_below(r, p->n + 1), &c);
		break;
	case 2:
		if (p->n > 1)
			program_drop(p, i);
		break;
	case 3:
		c = p->calls[i];
		insert(p, rng_below(r, p->n + 1), &c);
		break;
	case 4:
		j = rng_below(r, p->n);
		c = p->calls[i];
		p->calls[i] = p->calls[j];
		p->calls[j] = c;
		break;
	case 5:
		cross(r, p, other);
		break;
	case 6:
		split(r, p);
		break;
	case 7:
		p->calls[i].quirk = rng_below(r, QUIRKS);
		break;
	case 8:
	case 9:
	case 10:
		mutate_arg(r, &p->calls[i]);
		break;
	default:
		p->calls[i].fail = 1 + rng_below(r, one_in(r, 4) ? 60 : 8);
	}
}

void program_mutate(struct rng *r, struct program *p, const struct program *other, bool fail)
{
	unsigned int times = 1 + rng_below(r, 4);

	while (times--)
		mutate_once(r, p, other, fail);
	if (!fail)
		for (times = 0; times < p->n; times++)
			p->calls[times].fail = 0;
}

/*
 * Text: "split N", a line each call "NAME THREAD QUIRK FAIL ARG...", "end".
 */
int program_print(const struct program *p, char *text, size_t size)
{
	int len = snprintf(text, size, "split %u\n", p->split);
	const struct call *c;
	unsigned int i, j;

	for (i = 0; i < p->n; i++) {
		c = &p->calls[i];
		len += snprintf(text + len, size - len, "%s %u %u %u", calls[c->what].name,
				c->thread, c->quirk, c->fail);
		for (j = 0; j < MAX_ARGS && calls[c->what].kinds[j]; j++)
			len += snprintf(text + len, size - len, " %u", c->args[j]);
		len += snprintf(text + len, size - len, "\n");
	}
	return len + snprintf(text + len, size - len, "end\n");
}

static bool parse_call(char *line, struct call *c)
{
	char *word = strtok(line, " \n"), *save[3 + MAX_ARGS] = {};
	int what = word ? call_named(word) : -1;
	unsigned int n = 0, i;

	if (what < 0)
		return false;
	memset(c, 0, sizeof(*c));
	c->what = what;
	while (n < 3 + MAX_ARGS && (save[n] = strtok(NULL, " \n")))
		n++;
	if (n < 3)
		return false;
	c->thread = strtoul(save[0], NULL, 10) % THREADS;
	c->quirk = strtoul(save[1], NULL, 10) % QUIRKS;
	c->fail = strtoul(save[2], NULL, 10);
	for (i = 3; i < n; i++)
		c->args[i - 3] = strtoul(save[i], NULL, 10);
	return true;
}

bool program_parse(FILE *f, struct program *p)
{
	char line[1024];

	memset(p, 0, sizeof(*p));
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		if (!strncmp(line, "end", 3))
			return p->n != 0;
		if (sscanf(line, "split %u", &p->split) == 1)
			continue;
		if (p->n == MAX_CALLS || !parse_call(line, &p->calls[p->n]))
			return false;
		p->n++;
	}
	return false;
}
