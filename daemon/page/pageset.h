/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container in which the worker hands pages back: a header, a record for
 * each page, a record for each strip, then the code of the strips. In the
 * machine's own byte order; it never leaves the machine.
 *
 * The daemon makes the memfd, the worker writes it, the daemon seals it and
 * checks every number in it before it believes one: the worker has parsed what
 * strangers sent, and is a stranger from then on.
 */
#ifndef IFAX_PAGE_PAGESET_H
#define IFAX_PAGE_PAGESET_H

#include "base/error.h"
#include "page/page.h"

#define PAGESET_PAGES_MAX 65535
#define PAGESET_BYTES_MAX (1u << 30)

/* A memfd for the worker to write to: the caller's to close. */
int pageset_create(struct error *e);

/* Writes @l from the start of @fd. -EFBIG beyond @max_bytes. */
int pageset_write(const struct page_list *l, int fd, uint64_t max_bytes, struct error *e);

/*
 * Seals @fd, so that nobody can change it any more, checks and maps it. The
 * pages appended to @l own the mapping together; @fd may be closed. -EBUSY:
 * someone still has it mapped for writing; -EBADMSG: it does not hold what it
 * says.
 */
int pageset_seal(int fd, struct page_list *l, struct error *e);

/* The check alone, on bytes that stay the caller's and outlive the pages. */
int pageset_parse(const void *data, size_t len, struct page_list *l, struct error *e);

#endif
