// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Any bytes as the fields of a report; then what was read as a notice, which must
 * be read again as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/dsn.h"
#include "mail/incoming.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void write_and_read(const struct report *r, const void *original, size_t len)
{
	struct dsn_rcpt rcpts[REPORT_RCPTS] = {0};
	struct dsn_spec s = {
		.hostname = "box.test",
		.to = "a@b.test",
		.message_id = "<1@box.test>",
		.envid = r->envid[0] ? r->envid : NULL,
		.rcpts = rcpts,
		.n_rcpts = r->n_rcpts,
		.original = original,
		.original_len = len,
	};
	_buffer_ struct buffer b = {0};
	struct incoming in;
	struct error e = {0};
	bool eight_bit;

	for (uint32_t i = 0; i < r->n_rcpts; i++)
		rcpts[i] = (struct dsn_rcpt){ .address = r->rcpts[i].address,
					      .orcpt = r->rcpts[i].original,
					      .diagnostic = r->rcpts[i].diagnostic,
					      .status = r->rcpts[i].status };
	must(dsn_build(&s, &b, &eight_bit, &e) == 0);
	if (incoming_parse(b.data, b.len, NULL, &in, &e) == 0) {
		must(in.report.kind == REPORT_DELIVERY);
		must(in.report.n_rcpts == r->n_rcpts);
		for (uint32_t i = 0; i < r->n_rcpts; i++) {
			must(in.report.rcpts[i].action == REPORT_FAILED);
			must(!strcmp(in.report.rcpts[i].status,
				     r->rcpts[i].status[0] ? r->rcpts[i].status : "5.0.0"));
		}
	}
	incoming_free(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct report r;
	enum report_kind kind = size && data[0] & 1 ? REPORT_DISPOSITION : REPORT_DELIVERY;

	memset(&r, 0, sizeof(r));
	report_parse_status((const char *)data, size, kind, &r);
	report_parse_header((const char *)data, size, &r);
	must(r.n_rcpts <= REPORT_RCPTS);
	if (r.n_rcpts)
		write_and_read(&r, data, size);
	report_check(&r);
	return 0;
}
