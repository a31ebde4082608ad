/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fax.h>

#include "device/words.h"
#include "fake_devices.h"

static int scanner_claim(struct scanner *base, struct error *e)
{
	struct fake_scanner *s = (struct fake_scanner *)base;

	assert(!s->claimed);
	if (s->taken)
		return error_set(e, -EBUSY, "Another program uses the scanner.");
	s->claimed = true;
	return 0;
}

static void scanner_release(struct scanner *base)
{
	struct fake_scanner *s = (struct fake_scanner *)base;

	assert(s->claimed && !s->done);
	s->claimed = false;
}

static int scanner_page(struct scanner *base, const struct scan_params *p, scan_done_fn done,
			void *userdata, struct error *e)
{
	struct fake_scanner *s = (struct fake_scanner *)base;

	assert(s->claimed && !s->done);
	if (s->refuse)
		return error_set(e, s->refuse, "%s", s->refuse_text);
	s->pages++;
	s->done = done;
	s->userdata = userdata;
	return 0;
}

static bool scanner_original(struct scanner *base)
{
	return !((struct fake_scanner *)base)->empty;
}

static void scanner_cancel(struct scanner *base)
{
	((struct fake_scanner *)base)->cancels++;
}

static void scanner_stop(struct scanner *base)
{
	struct fake_scanner *s = (struct fake_scanner *)base;

	if (s->done)
		fake_scanner_fail(s, FAX_CODE_GONE);
}

static const struct scanner_ops fake_scanner_ops = {
	.claim = scanner_claim,
	.release = scanner_release,
	.original = scanner_original,
	.page = scanner_page,
	.cancel = scanner_cancel,
	.stop = scanner_stop,
};

void fake_scanner_init(struct fake_scanner *s, const char *serial)
{
	memset(s, 0, sizeof(*s));
	s->base.ops = &fake_scanner_ops;
	strcpy(s->base.serial, serial);
}

static void end_scan(struct fake_scanner *s, struct scan_result *result)
{
	scan_done_fn done = s->done;

	assert(done);
	s->done = NULL;
	done(s->userdata, result);
}

void fake_scanner_page(struct fake_scanner *s, bool more)
{
	struct scan_result result = { .code = FAX_CODE_OK, .more_paper = more };
	struct page_list one = fake_pages(1);

	result.page = one.pages[0];
	free(one.pages);
	end_scan(s, &result);
}

void fake_scanner_fail(struct fake_scanner *s, uint32_t code)
{
	struct scan_result result = { .code = code };

	code_error(&result.error, FAX_FUNC_SCAN, code);
	end_scan(s, &result);
}

static int printer_claim(struct printer *base, struct error *e)
{
	struct fake_printer *p = (struct fake_printer *)base;

	assert(!p->claimed);
	if (p->taken)
		return error_set(e, -EBUSY, "Another program uses the printer.");
	p->claimed = true;
	return 0;
}

static void printer_release(struct printer *base)
{
	struct fake_printer *p = (struct fake_printer *)base;

	assert(p->claimed && !p->handlers);
	p->claimed = false;
}

static int printer_page(struct printer *base, const struct page *page,
			const struct page_strip *banner, const struct print_handlers *handlers,
			void *userdata, struct error *e)
{
	struct fake_printer *p = (struct fake_printer *)base;

	assert(p->claimed && !p->handlers);
	if (p->refuse)
		return error_set(e, p->refuse, "It does not fit.");
	p->pages++;
	p->banners += banner != NULL;
	p->last = page->strips[0].data;
	p->handlers = handlers;
	p->userdata = userdata;
	return 0;
}

static void printer_cancel(struct printer *base)
{
	((struct fake_printer *)base)->cancels++;
}

static void printer_stop(struct printer *base)
{
	struct fake_printer *p = (struct fake_printer *)base;

	if (p->handlers)
		fake_printer_end(p, FAX_CODE_GONE, false);
}

static uint32_t printer_conditions(struct printer *base)
{
	return ((struct fake_printer *)base)->conditions;
}

static const struct printer_ops fake_printer_ops = {
	.claim = printer_claim,
	.release = printer_release,
	.page = printer_page,
	.cancel = printer_cancel,
	.stop = printer_stop,
	.conditions = printer_conditions,
};

void fake_printer_init(struct fake_printer *p, const char *serial)
{
	memset(p, 0, sizeof(*p));
	p->base.ops = &fake_printer_ops;
	strcpy(p->base.serial, serial);
}

void fake_printer_end(struct fake_printer *p, uint32_t code, bool untouched)
{
	const struct print_handlers *handlers = p->handlers;
	struct print_result result = { .code = code, .untouched = untouched };

	assert(handlers);
	p->handlers = NULL;
	if (code != FAX_CODE_OK)
		code_error(&result.error, FAX_FUNC_PRINT, code);
	handlers->done(p->userdata, &result);
}

/* The keeper hands over the store's pointer; here that is the fake itself. */
static int store_update(struct store *store, struct job *j, store_done_fn done, void *userdata,
			struct error *e)
{
	struct fake_store *s = (struct fake_store *)store;

	if (s->fail)
		return error_set(e, s->fail, "The disk is full.");
	s->updates++;
	s->id = j->id;
	s->state = j->state;
	s->page_in_hand = j->page_in_hand;
	s->pages_done = j->pages_done;
	snprintf(s->detail, sizeof(s->detail), "%s", j->detail ?: "");
	if (!done)
		return 0;
	assert(s->n_pending < 8);
	s->pending[s->n_pending].done = done;
	s->pending[s->n_pending++].userdata = userdata;
	return 0;
}

void fake_store_init(struct fake_store *s)
{
	memset(s, 0, sizeof(*s));
	s->keeper.store = (struct store *)s;
	s->keeper.update = store_update;
}

void fake_store_commit(struct fake_store *s, int r)
{
	while (s->n_pending) {
		store_done_fn done = s->pending[0].done;
		void *userdata = s->pending[0].userdata;

		s->n_pending--;
		memmove(s->pending, s->pending + 1, s->n_pending * sizeof(s->pending[0]));
		done(userdata, r);
	}
}

struct job *fake_job(uint64_t id, enum job_kind kind, enum job_state state)
{
	struct job *j = calloc(1, sizeof(*j));

	assert(j);
	j->id = id;
	j->kind = kind;
	j->state = state;
	return j;
}

static void free_backing(void *backing, size_t len)
{
	free(backing);
}

struct page_list fake_pages(size_t n)
{
	struct page_list l = {};

	for (size_t i = 0; i < n; i++) {
		struct page *p = page_list_add(&l);

		assert(p);
		p->width = 1728;
		p->rows = 1;
		p->xres = 8000;
		p->yres = 7700;
		p->backing = calloc(1, 4);
		p->backing_len = 4;
		p->backing_free = free_backing;
		p->strips = calloc(1, sizeof(*p->strips));
		assert(p->backing && p->strips);
		p->nstrips = 1;
		p->strips[0] = (struct page_strip){
			.data = p->backing, .len = 4, .rows = 1, .encoding = FAX_ENC_MMR,
		};
	}
	return l;
}

void fake_settle(sd_event *event, unsigned int msec)
{
	while (sd_event_run(event, msec * 1000ull) > 0)
		;
}
