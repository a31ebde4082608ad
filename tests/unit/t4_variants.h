/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tests of the coder run once for each of its variants. Included behind cmocka.h. */
#ifndef T4_VARIANTS_H
#define T4_VARIANTS_H

#include <stdio.h>
#include "t4_variant.h"

#define t4_run_tests(name, tests) ({ \
	int failed_ = 0; \
	char title_[64]; \
	for (u32 i_ = 0; t4_variant_name(i_); i_++) { \
		snprintf(title_, sizeof(title_), "%s, %s", name, t4_variant_name(i_)); \
		t4_variant_set(t4_variant_name(i_)); \
		failed_ += cmocka_run_group_tests_name(title_, tests, NULL, NULL); \
	} \
	failed_; \
})

#endif
