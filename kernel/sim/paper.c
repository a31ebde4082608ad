// SPDX-License-Identifier: GPL-2.0
/* Feeder, paper and tray, and what can go wrong with them. */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "../model/pbm.h"
#include "sim.h"

#define PRINT_ROOM	(64u << 10)	/* of a fresh sheet */

static struct sim_paper *paper_of(void *owner)
{
	struct sim_hw *hw = owner;

	return &hw->board->paper;
}

static void sheet_free(struct sim_sheet *s)
{
	if (!s)
		return;
	kvfree(s->pixels);
	kfree(s);
}

static struct sim_sheet *sheet_alloc(u32 width, u32 xres, u32 yres, size_t room)
{
	struct sim_sheet *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->width = width;
	s->xres = xres;
	s->yres = yres;
	s->stride = DIV_ROUND_UP(width, 8);
	s->room = room;
	s->pixels = kvmalloc(room, GFP_KERNEL);
	if (!s->pixels) {
		kfree(s);
		return NULL;
	}
	return s;
}

static void free_list(struct list_head *list)
{
	struct sim_sheet *s, *next;

	list_for_each_entry_safe(s, next, list, node) {
		list_del(&s->node);
		sheet_free(s);
	}
}

void sim_paper_init(struct sim_paper *p)
{
	mutex_init(&p->lock);
	INIT_LIST_HEAD(&p->feeder);
	INIT_LIST_HEAD(&p->tray);
	p->feeder_xres = 8000;
	p->feeder_yres = 7700;
	p->paper = SIM_PAPER;
}

/* The hardware is gone. */
void sim_paper_exit(struct sim_paper *p)
{
	free_list(&p->feeder);
	free_list(&p->tray);
	sheet_free(p->scanning);
	sheet_free(p->printing);
	mutex_destroy(&p->lock);
}

static u32 conditions(const struct sim_paper *p, u32 engine)
{
	u32 cond = p->cover ? FAXB_COND_COVER : 0;

	if (p->jam & BIT(engine))
		cond |= FAXB_COND_JAM;
	/* sensors look at feeder and tray, not at the sheet on its way */
	if (engine == FAXB_Q_SCAN)
		return list_empty(&p->feeder) ? cond | FAXB_COND_PAPER_OUT : cond;
	if (!p->paper)
		cond |= FAXB_COND_PAPER_OUT;
	if (p->tray_bytes >= SIM_TRAY_BYTES)
		cond |= FAXB_COND_OUTPUT_FULL;
	return cond;
}

static u32 micrometres(u32 pixels, u32 per_metre)
{
	return div_u64((u64)pixels * 1000000, per_metre);
}

/* Tell the board what its sensors see. Under the lock. */
void sim_paper_update(struct sim_paper *p)
{
	struct sim_sheet *s = list_first_entry_or_null(&p->feeder, struct sim_sheet, node);
	u32 width = s ? micrometres(s->width, s->xres) : 0;
	u32 height = s ? micrometres(s->rows, s->yres) : 0;

	lockdep_assert_held(&p->lock);
	if (!p->hw)
		return;
	fm_set_paper(p->hw->model, FAXB_Q_SCAN, conditions(p, FAXB_Q_SCAN), width, height);
	fm_set_paper(p->hw->model, FAXB_Q_PRINT, conditions(p, FAXB_Q_PRINT), 0, 0);
}

void sim_paper_attach(struct sim_paper *p, struct sim_hw *hw)
{
	mutex_lock(&p->lock);
	p->hw = hw;
	sim_paper_update(p);
	mutex_unlock(&p->lock);
}

/* Whether the next row of an engine may move; a pause is not made up for. */
static bool in_time(struct sim_paper *p, u32 engine)
{
	u32 rate = READ_ONCE(p->rows_per_second);
	struct sim_pace *pace = &p->pace[engine];
	u64 now = ktime_get_ns();

	if (!rate)
		return true;
	if (now < pace->next_ns)
		return false;
	pace->next_ns = max(pace->next_ns, now - 20 * NSEC_PER_MSEC) + NSEC_PER_SEC / rate;
	return true;
}

/* What forbids moving paper in an engine; jam before cover, as the operator has to. */
static int obstacle(const struct sim_paper *p, u32 engine)
{
	if (READ_ONCE(p->jam) & BIT(engine))
		return FAXB_CODE_JAM;
	return READ_ONCE(p->cover) ? FAXB_CODE_COVER : FAXB_CODE_OK;
}

/* A sheet is moved: is it the one that jams? Under the lock. */
static bool jams(struct sim_paper *p, u32 engine)
{
	if (!p->jam_at[engine] || --p->jam_at[engine])
		return false;
	WRITE_ONCE(p->jam, p->jam | BIT(engine));
	sim_paper_update(p);
	return true;
}

int sim_original(void *owner, struct fm_sheet *sheet)
{
	struct sim_paper *p = paper_of(owner);
	struct sim_sheet *s;
	int code;

	mutex_lock(&p->lock);
	code = obstacle(p, FAXB_Q_SCAN);
	s = list_first_entry_or_null(&p->feeder, struct sim_sheet, node);
	if (!code && !s)
		code = FAXB_CODE_PAPER_OUT;
	if (!code)
		*sheet = (struct fm_sheet){ s->width, s->rows, s->xres, s->yres };
	mutex_unlock(&p->lock);
	return code;
}

/* A sheet that jams stays the first in the feeder: the operator puts it back. */
int sim_feed(void *owner)
{
	struct sim_paper *p = paper_of(owner);
	struct sim_sheet *s;
	int code = FAXB_CODE_OK;

	mutex_lock(&p->lock);
	s = list_first_entry_or_null(&p->feeder, struct sim_sheet, node);
	if (!s) {
		/* taken away since sim_original() */
		code = FM_WAIT;
	} else if (jams(p, FAXB_Q_SCAN)) {
		code = FAXB_CODE_JAM;
	} else {
		list_del(&s->node);
		p->feeder_count--;
		p->feeder_bytes -= s->room;
		p->scanning = s;
		sim_paper_update(p);
	}
	mutex_unlock(&p->lock);
	return code;
}

const u8 *sim_scan_row(void *owner, u32 row, int *code)
{
	struct sim_paper *p = paper_of(owner);

	*code = obstacle(p, FAXB_Q_SCAN);
	if (!*code && !in_time(p, FAXB_Q_SCAN))
		*code = FM_WAIT;
	return *code ? NULL : p->scanning->pixels + (size_t)row * p->scanning->stride;
}

void sim_release(void *owner)
{
	struct sim_paper *p = paper_of(owner);

	mutex_lock(&p->lock);
	sheet_free(p->scanning);
	p->scanning = NULL;
	sim_paper_update(p);
	mutex_unlock(&p->lock);
}

bool sim_more(void *owner)
{
	struct sim_paper *p = paper_of(owner);
	bool more;

	mutex_lock(&p->lock);
	more = !list_empty(&p->feeder);
	mutex_unlock(&p->lock);
	return more;
}

int sim_ready(void *owner)
{
	struct sim_paper *p = paper_of(owner);
	int code;

	mutex_lock(&p->lock);
	code = obstacle(p, FAXB_Q_PRINT);
	if (!code && (!p->paper || p->tray_bytes >= SIM_TRAY_BYTES))
		code = FAXB_CODE_PAPER_OUT;
	mutex_unlock(&p->lock);
	return code;
}

/* A sheet that jams is wasted. */
int sim_load(void *owner, u32 width, u32 xres, u32 yres)
{
	struct sim_sheet *s = sheet_alloc(width, xres, yres, PRINT_ROOM);
	struct sim_paper *p = paper_of(owner);
	int code = FAXB_CODE_OK;

	mutex_lock(&p->lock);
	if (!s || !p->paper) {
		/* taken away since sim_ready() */
		code = FM_WAIT;
		goto out;
	}
	p->paper--;
	if (jams(p, FAXB_Q_PRINT)) {
		code = FAXB_CODE_JAM;
		goto out;
	}
	p->printing = s;
	s = NULL;
	sim_paper_update(p);
out:
	mutex_unlock(&p->lock);
	sheet_free(s);
	return code;
}

static int grow(struct sim_sheet *s)
{
	size_t room = s->room * 2;
	u8 *pixels;

	if (room > SIM_TRAY_BYTES)
		return -ENOSPC;
	pixels = kvmalloc(room, GFP_KERNEL);
	if (!pixels)
		return -ENOMEM;
	memcpy(pixels, s->pixels, (size_t)s->rows * s->stride);
	kvfree(s->pixels);
	s->pixels = pixels;
	s->room = room;
	return 0;
}

int sim_print_row(void *owner, const u8 *row)
{
	struct sim_paper *p = paper_of(owner);
	struct sim_sheet *s = p->printing;
	int code = obstacle(p, FAXB_Q_PRINT);

	if (code)
		return code;
	if (!in_time(p, FAXB_Q_PRINT))
		return FM_WAIT;
	if ((size_t)(s->rows + 1) * s->stride > s->room && grow(s))
		return FAXB_CODE_OVERRUN;
	memcpy(s->pixels + (size_t)s->rows * s->stride, row, s->stride);
	s->rows++;
	return FAXB_CODE_OK;
}

/* A sheet without a row is paper wasted, and nothing in the tray. */
void sim_eject(void *owner)
{
	struct sim_paper *p = paper_of(owner);
	struct sim_sheet *s;

	mutex_lock(&p->lock);
	s = p->printing;
	p->printing = NULL;
	if (s && s->rows) {
		list_add_tail(&s->node, &p->tray);
		p->tray_count++;
		p->tray_bytes += s->room;
	} else {
		sheet_free(s);
	}
	sim_paper_update(p);
	mutex_unlock(&p->lock);
}

static struct sim_sheet *sheet_from(const struct pbm_image *image, u32 xres, u32 yres)
{
	size_t bytes = (size_t)DIV_ROUND_UP(image->width, 8) * image->rows;
	struct sim_sheet *s = sheet_alloc(image->width, xres, yres, bytes);

	if (s) {
		s->rows = image->rows;
		memcpy(s->pixels, image->pixels, bytes);
	}
	return s;
}

/* Put the images of @pbm on the pile, all or none. */
int sim_feeder_add(struct sim_paper *p, const void *pbm, size_t len)
{
	const void *end = pbm + len;
	struct pbm_image image;
	struct sim_sheet *s;
	u64 bytes = 0;
	u32 count = 0;
	LIST_HEAD(list);
	s64 ret = 0;

	mutex_lock(&p->lock);
	for (; pbm < end; pbm += ret) {
		ret = pbm_parse(pbm, end - pbm, &image);
		if (ret < 0)
			goto out;
		s = sheet_from(&image, p->feeder_xres, p->feeder_yres);
		if (!s) {
			ret = -ENOMEM;
			goto out;
		}
		list_add_tail(&s->node, &list);
		bytes += s->room;
		count++;
		if (p->feeder_bytes + bytes > SIM_FEEDER_BYTES ||
		    p->feeder_count + count > SIM_SHEETS) {
			ret = -ENOSPC;
			goto out;
		}
	}
	ret = 0;
	list_splice_tail_init(&list, &p->feeder);
	p->feeder_bytes += bytes;
	p->feeder_count += count;
	sim_paper_update(p);
out:
	mutex_unlock(&p->lock);
	free_list(&list);
	return ret;
}

void sim_feeder_clear(struct sim_paper *p)
{
	mutex_lock(&p->lock);
	free_list(&p->feeder);
	p->feeder_bytes = 0;
	p->feeder_count = 0;
	sim_paper_update(p);
	mutex_unlock(&p->lock);
}

/*
 * The tray as concatenated images, as many as fit @len; without @buf the bytes
 * that all of them take. A sheet that comes between the two calls is left out.
 */
size_t sim_tray_copy(struct sim_paper *p, void *buf, size_t len)
{
	char header[PBM_HEADER_MAX];
	struct sim_sheet *s;
	size_t bytes, at = 0;
	u32 n;

	mutex_lock(&p->lock);
	list_for_each_entry(s, &p->tray, node) {
		n = pbm_header(header, s->width, s->rows);
		bytes = (size_t)s->rows * s->stride;
		if (buf) {
			if (n + bytes > len - at)
				break;
			memcpy(buf + at, header, n);
			memcpy(buf + at + n, s->pixels, bytes);
		}
		at += n + bytes;
	}
	mutex_unlock(&p->lock);
	return at;
}

void sim_tray_clear(struct sim_paper *p)
{
	mutex_lock(&p->lock);
	free_list(&p->tray);
	p->tray_bytes = 0;
	p->tray_count = 0;
	sim_paper_update(p);
	mutex_unlock(&p->lock);
}
