/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Printer engines: one coded page at a time to paper. The same rules as in
 * scan.h: printer_new() makes one of a board's functions, tests make their own;
 * one user at a time, who claims it; done comes exactly once for each page
 * that was started, and never from within page().
 */
#ifndef IFAX_DEVICE_PRINT_H
#define IFAX_DEVICE_PRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "page/page.h"

struct func;

struct print_result {
	uint32_t code;		/* FAX_CODE_* */
	uint32_t rows;		/* on paper */
	uint32_t rows_bad;
	bool untouched;		/* failed, and it is certain that no paper moved */
	struct error error;	/* with a code other than OK */
};

struct print_handlers {
	void (*waiting)(void *userdata, uint32_t conditions); /* FAX_COND_*: until they clear */
	void (*goes_on)(void *userdata);
	void (*done)(void *userdata, const struct print_result *result);
};

struct printer;

struct printer_ops {
	int (*claim)(struct printer *p, struct error *e); /* -EBUSY: another program has it */
	void (*release)(struct printer *p);
	/*
	 * Prints @banner, where not NULL, and below it @page; neither is needed
	 * after the call. -EMSGSIZE, -EOPNOTSUPP: the page does not fit the engine.
	 */
	int (*page)(struct printer *p, const struct page *page, const struct page_strip *banner,
		    const struct print_handlers *handlers, void *userdata, struct error *e);
	void (*cancel)(struct printer *p); /* done comes all the same, later */
	void (*stop)(struct printer *p);	/* as if the board had gone: done comes at once */
	uint32_t (*conditions)(struct printer *p); /* FAX_COND_* that hold now */
};

struct printer {
	const struct printer_ops *ops;
	char serial[32];	/* of its board */
};

/* As scanner_new(): @print, and @coder or NULL. */
int printer_new(struct printer **ret, struct func *print, struct func *coder);
void printer_free(struct printer *p);
void printer_on_change(struct printer *p, void (*changed)(void *userdata), void *userdata);

/* Does the engine take pages of this form? -EMSGSIZE or -EOPNOTSUPP with a sentence. */
struct fax_caps;
int print_fits(const struct fax_caps *caps, const struct page *page, struct error *e);

#endif
