// SPDX-License-Identifier: LGPL-2.1-or-later
/* Any bytes as a mail address: what is taken can be put together again, and stands in a header. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address a;
	struct error e;
	size_t n;

	if (address_parse((const char *)data, size, &a, &e) < 0)
		return 0;
	n = strlen(a.local);
	if (n + 1 + strlen(a.domain) != size || memcmp(data, a.local, n) || data[n] != '@' ||
	    memcmp(data + n + 1, a.domain, size - n - 1))
		abort();
	for (size_t i = 0; i < size; i++)
		if (data[i] < ' ' || data[i] > '~')
			abort();
	return 0;
}
