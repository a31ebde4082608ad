/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scanners: one sheet at a time from the feeder to a coded page.
 *
 * struct scanner is what those above see; scanner_new() makes one of a board's
 * functions, tests make their own. A scanner works for whoever claimed it, and
 * on one page at a time.
 *
 * Lifetime: a scanner belongs to its board. Claim, page and release are called
 * by its one user on the event loop; done is called exactly once for each page
 * that was started, never from within page(). A board that goes takes its
 * scanner with it after that.
 */
#ifndef IFAX_DEVICE_SCAN_H
#define IFAX_DEVICE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "page/page.h"

struct func;

struct scan_params {
	uint32_t xres;		/* pixels per metre */
	uint32_t yres;
	uint32_t encoding;	/* FAX_ENC_MH, _MR, _MMR */
	uint32_t k;		/* MR */
	uint32_t flags;		/* FAX_FMT_LSB_FIRST, _EOL, _EOL_ALIGN, _END */
	uint32_t width_max;	/* pixels that the recipient can take, 0 = no matter */
};

struct scan_result {
	uint32_t code;		/* FAX_CODE_* */
	bool more_paper;	/* another original lies in the feeder */
	struct page page;	/* with FAX_CODE_OK; the callee's to clear */
	struct error error;	/* with any other code */
};

typedef void (*scan_done_fn)(void *userdata, struct scan_result *result);

struct scanner;

struct scanner_ops {
	int (*claim)(struct scanner *s, struct error *e); /* -EBUSY: another program has it */
	void (*release)(struct scanner *s);
	bool (*original)(struct scanner *s);	/* does one lie in the feeder? */
	/* An original that is missing or does not fit ends the page at once, with a sentence. */
	int (*page)(struct scanner *s, const struct scan_params *p, scan_done_fn done,
		    void *userdata, struct error *e);
	void (*cancel)(struct scanner *s); /* done comes all the same, later */
	void (*stop)(struct scanner *s);	/* as if the board had gone: done comes at once */
};

struct scanner {
	const struct scanner_ops *ops;
	char serial[32];	/* of its board */
};

/*
 * @scan is the scanner's function, @coder an open of the same board's coder or
 * NULL: then pages are coded on the processor. Both stay the caller's and must
 * outlive the scanner; their handlers become the scanner's.
 */
int scanner_new(struct scanner **ret, struct func *scan, struct func *coder);
void scanner_free(struct scanner *s);
/* Conditions changed: told from the event loop. */
void scanner_on_change(struct scanner *s, void (*changed)(void *userdata), void *userdata);

/*
 * The width in pixels by which a sheet of @paper_width micrometres (0 =
 * unknown) is to be scanned: the least the scanner has that holds it. -EMSGSIZE:
 * wider than the scanner's table, or than p->width_max; the sentence names both.
 */
struct fax_caps;
int scan_width(const struct fax_caps *caps, uint32_t paper_width, const struct scan_params *p,
	       uint32_t *ret, struct error *e);

#endif
