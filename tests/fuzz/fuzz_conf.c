// SPDX-License-Identifier: LGPL-2.1-or-later
/* Any bytes as a configuration: refused with a sentence, or taken within the table's ranges. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = { 0 };
	struct conf c;

	if (conf_defaults(&c, &e) < 0)
		abort();
	if (conf_parse(&c, (const char *)data, size, "fuzz", &e) < 0) {
		if (!e.text[0])
			abort();
	} else if (c.max_pages < 1 || c.max_pages > 10000 || !c.spool || c.spool[0] != '/' ||
		   c.retry_usec < 1000000) {
		abort();
	}
	conf_free(&c);
	return 0;
}
